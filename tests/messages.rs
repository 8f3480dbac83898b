//! What the public API says to mistakes and to bad files is in docs/messages.txt: every text of a panic or an error in the sources of
//! all crates but gradus-mpi has a line there, which a test has provoked, or stands below with the reason why none does.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What begins the texts of panics and errors. What `expect` and `unreachable!` say nobody can bring about.
const SAID_BY: [&str; 8] = [
    "panic!(",
    "assert!(",
    "assert_eq!(",
    "assert_ne!(",
    "ShapeError::new(",
    "DataError::new(",
    "GroupError::new(",
    "StateError::new(",
];

/// Where every sentence is one of an error: what comes from outside is read and written there.
const READERS: [&str; 3] = ["crates/nn/src/save", "crates/nn/src/data", "crates/onnx/src"];

/// Texts that no test provokes for the list.
const LEFT_OUT: [(&str, &str); 31] = [
    ("{op}: shape {shape} takes", "names the memory of this machine"),
    ("{op}: a list of {len} entries takes", "the same"),
    ("takes memory for {len} elements", "the same"),
    ("GRADUS_ISA: ", "is said once, when a process begins"),
    ("dispatch: this processor has no", "depends on the processor"),
    ("looks like a file of torch.save", "is said without the feature pt alone"),
    ("its names and text take {len} bytes", "takes a text of 100 MB"),
    ("too many others write this file", "takes a thousand of them"),
    ("has too many event files of this second", "the same"),
    ("has a palette that was not resolved", "the decoder resolves them"),
    ("bytes are not whole elements", "readers cut bytes into whole elements"),
    ("{} words are too many at once", "takes a message of 16 GiB"),
    ("rank {} has sent less than was expected", "takes a rank of another program"),
    ("rank {rank} trains {trained} parameters", "the same"),
    ("rank {rank} has more buffers", "the same"),
    ("a shard of this rank has panicked", "is heard by nobody: the panic goes on"),
    ("optimizer: the step gave {name}", "takes an optimizer of one's own that is wrong"),
    ("where that was born was not found", "nothing is known that brings it about"),
    ("{{'descr': '{kind}'", "is the header that NumPy reads"),
    ("LoadOptions(strict", "is what Debug shows"),
    ("Export({:?}", "the same"),
    ("{name} of shape {shape} has no name in the book", "takes a layer that the book has not"),
    ("recurrence: {:?} cannot have", "the layers give it what it takes"),
    ("checked by infer", "the rule before it has refused that"),
    ("{}: takes {N} inputs", "takes an operation without a method, applied to another number of values"),
    ("{op}: takes 1 or 2 inputs", "the same"),
    ("conv2d: takes 2 or 3 inputs", "the same"),
    ("linear: takes 2 or 3 inputs", "the same"),
    ("{}: takes 3 or 4 inputs", "the same"),
    ("backward of {} at {}:{}", "takes a sweep for which there is no memory"),
    ("scope: a graph of the tape", "is said at the end of a scope, where no line of a user's stands"),
];

/// Files whose texts are for whoever writes kernels: no public function comes there with what they refuse.
const INNER: [&str; 1] = ["crates/tensor/src/kernels"];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The end of a literal that begins a text with a quote; a character behind a backslash does not end it.
fn end_of_literal(text: &str) -> usize {
    let mut escaped = false;
    let end = text[1..].find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.unwrap() + 2
}

/// The end of what begins a text with a bracket.
fn end_of_brackets(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    loop {
        let rest = &text[at..];
        match rest.as_bytes()[0] {
            b'"' => at += end_of_literal(rest),
            b'(' | b'[' | b'{' => (at, depth) = (at + 1, depth + 1),
            b')' | b']' | b'}' => (at, depth) = (at + 1, depth - 1),
            _ => at += rest.chars().next().unwrap().len_utf8(),
        }
        if depth == 0 {
            return at;
        }
    }
}

/// A source without comments, characters, attributes and the modules of its tests.
fn code(source: &str) -> String {
    let (mut code, mut rest) = (String::new(), source);
    while let Some(first) = rest.chars().next() {
        let character = |rest: &str| {
            let mut chars = rest.chars().skip(1);
            match chars.next()? {
                '\\' => rest[2..].char_indices().skip(1).find(|&(_, c)| c == '\'').map(|(at, _)| at + 3),
                c => (chars.next()? == '\'').then_some(2 + c.len_utf8()),
            }
        };
        let len = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '\'' if character(rest).is_some() => character(rest).unwrap(),
            '#' if rest.starts_with("#[cfg(test)]\nmod tests {") => {
                let start = rest.find('{').unwrap();
                start + end_of_brackets(&rest[start..])
            }
            '#' if rest.starts_with("#[") => 1 + end_of_brackets(&rest[1..]),
            '"' => {
                let len = end_of_literal(rest);
                code.push_str(&rest[..len]);
                len
            }
            _ => {
                code.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[len..];
    }
    code
}

/// The literals of at least three words, as they are written; not those of `expect` and `unreachable!`.
fn sentences(code: &str) -> Vec<String> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(step) = code[at..].find('"') {
        at += step;
        let len = end_of_literal(&code[at..]);
        let inner =
            [".expect(", "unreachable!("].iter().any(|before| code[..at].trim_end().ends_with(before));
        // A backslash at the end of a line leaves out the line's end and what indents the next.
        let mut lines = code[at + 1..at + len - 1].split("\\\n");
        let text: String = lines
            .next()
            .into_iter()
            .chain(lines.map(str::trim_start))
            .collect::<String>()
            .replace("\\\"", "\"");
        if !inner && text.split_whitespace().count() >= 3 {
            found.push(text);
        }
        at += len;
    }
    found
}

/// What stands between the places of a format's arguments, in its first line.
fn pieces(text: &str) -> Vec<String> {
    let line = text.split("\\n").next().unwrap().replace("{{", "\u{1}").replace("}}", "\u{2}");
    let mut pieces = vec![String::new()];
    let mut inside = false;
    for c in line.chars() {
        match c {
            '{' => inside = true,
            '}' => {
                inside = false;
                pieces.push(String::new());
            }
            '\u{1}' => pieces.last_mut().unwrap().push('{'),
            '\u{2}' => pieces.last_mut().unwrap().push('}'),
            _ if !inside => pieces.last_mut().unwrap().push(c),
            _ => {}
        }
    }
    pieces
}

/// Whether a line has these pieces, one after the other.
fn has(line: &str, pieces: &[String]) -> bool {
    let mut rest = line;
    pieces.iter().all(|piece| match rest.find(&piece[..]) {
        Some(at) => {
            rest = &rest[at + piece.len()..];
            true
        }
        None => false,
    })
}

#[test]
fn every_text_of_an_error_is_in_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("docs/messages.txt")).unwrap();
    let mut sources = Vec::new();
    for name in ["check", "tensor", "autograd", "linalg", "nn", "onnx"] {
        files(&root.join("crates").join(name).join("src"), &mut sources);
    }
    sources.sort();
    let mut used = [false; LEFT_OUT.len()];
    let (mut count, mut missing) = (0, Vec::new());
    for path in sources {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        if name.ends_with("tests.rs")
            || name.contains("/tests/")
            || INNER.iter().any(|inner| name.starts_with(inner))
        {
            continue;
        }
        let code = code(&fs::read_to_string(&path).unwrap());
        let mut texts = Vec::new();
        if READERS.iter().any(|readers| name.starts_with(readers)) {
            texts = sentences(&code);
        } else {
            for begin in SAID_BY {
                for (at, _) in code.match_indices(begin) {
                    let open = at + begin.len() - 1;
                    texts.extend(sentences(&code[open..open + end_of_brackets(&code[open..])]));
                }
            }
        }
        for text in texts {
            let pieces = pieces(&text);
            // What is all arguments is somebody else's text.
            if pieces.iter().all(|piece| piece.trim().len() < 4) {
                continue;
            }
            count += 1;
            if let Some(at) = LEFT_OUT.iter().position(|(left_out, _)| text.starts_with(left_out)) {
                used[at] = true;
            } else if !list.lines().any(|line| has(line, &pieces)) {
                missing.push(format!("{name}: {text}"));
            }
        }
    }
    assert!(count > 400, "{count} texts were found");
    assert!(
        missing.is_empty(),
        "{} of {count} texts are not in docs/messages.txt: a test is to provoke each, as crates/*/tests/refusals.rs do\n{}",
        missing.len(),
        missing.join("\n")
    );
    let unused: Vec<&str> =
        LEFT_OUT.iter().zip(used).filter(|(_, used)| !used).map(|((text, _), _)| *text).collect();
    assert!(unused.is_empty(), "no texts of the sources: {unused:?}");
}
