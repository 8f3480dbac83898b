//! The list of operations is whole: what is written under `src/ops` is in it, and nothing is half declared.

use gradus_autograd::{
    Along, Op, Window, check,
    op::examples::{ErrorCase, Gen, Sample},
    op::reference::{Array, Branches},
    op::{Backward, Outputs, Shapes, Spec},
    ops,
    prelude::*,
};
use gradus_tensor::{Shape, ShapeError};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn ops_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops")
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_type(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(|c| c.is_ascii_alphanumeric())
}

/// The names of the operations that a line declares: an `impl`'s constant, of one or another, or the head of a table's row.
fn declared(line: &str) -> Vec<&str> {
    match line.trim().strip_prefix("const NAME: &'static str = ") {
        Some(constant) => constant.split('"').skip(1).step_by(2).collect(),
        None => in_row(line.trim()).into_iter().collect(),
    }
}

/// The name in the head of a row, which is `name => Type {`, `name(parameters) => Type {` or `Type "name" ..`.
fn in_row(line: &str) -> Option<&str> {
    if let Some((left, right)) = line.split_once(" => ") {
        let name = left.split('(').next()?;
        return (is_name(name) && is_type(right.split(' ').next()?) && right.contains('{')).then_some(name);
    }
    let (first, rest) = line.split_once(" \"")?;
    let name = rest.split('"').next()?;
    (is_type(first) && is_name(name)).then_some(name)
}

#[test]
fn every_operation_is_in_the_list() {
    let mut written = Vec::new();
    for path in sources(&ops_folder()) {
        let text = fs::read_to_string(&path).unwrap();
        let of = |heads: [&str; 2]| heads.map(|head| text.matches(head).count()).iter().sum::<usize>();
        let implementations =
            of(["impl Op for ", "impl Pointwise for "]) - of(["impl Op for $", "impl Pointwise for $"]);
        let constants = text.matches("const NAME: &'static str = \"").count();
        assert_eq!(
            implementations, constants,
            "{path:?}: each implementation for a type writes its NAME out"
        );
        written.extend(text.lines().flat_map(declared).map(String::from));
    }
    let listed: BTreeSet<&str> = ops::ALL.iter().map(|spec| spec.name).collect();
    let distinct: BTreeSet<&str> = written.iter().map(String::as_str).collect();
    assert_eq!(distinct.len(), written.len(), "a name is declared twice: {written:?}");
    assert_eq!(listed.len(), ops::ALL.len(), "a name is listed twice");
    let missing: Vec<_> = distinct.difference(&listed).collect();
    assert!(missing.is_empty(), "not in ops::ALL: {missing:?}");
    // The other way round it is this test that would have overlooked a declaration.
    let unseen: Vec<_> = listed.difference(&distinct).collect();
    assert!(unseen.is_empty(), "in ops::ALL, but not found in the sources: {unseen:?}");
    assert!(listed.len() > 60, "{} operations", listed.len());
}

/// What an operation's declaration lacks, as far as a list entry shows it.
fn complaints(spec: &Spec) -> Vec<String> {
    let mut found = Vec::new();
    if !is_name(spec.name) {
        found.push(format!("{:?} is not snake case", spec.name));
    }
    // Forward and backward: `y = ..; dx = ..`.
    if !spec.formula.split(';').all(|part| !part.trim().is_empty()) || !spec.formula.contains(';') {
        found.push(format!("the formula is {:?}", spec.formula));
    }
    let samples = |seed| spec.sample_shapes(&mut Gen::new(seed, 5));
    if !(0..50).any(|seed| samples(seed).iter().flatten().any(|shape| !shape.is_empty())) {
        found.push("no sample has elements".to_string());
    }
    if !(0..200).any(|seed| samples(seed).iter().flatten().any(|shape| shape.is_empty())) {
        found.push("no sample is without elements".to_string());
    }
    let inputs = samples(0).first().map_or(1, Vec::len);
    let refuses = |seed| {
        let mut g = Gen::new(seed, 5);
        let shapes: Vec<Vec<usize>> = (0..inputs).map(|_| g.shape()).collect();
        !spec.accepts(&mut Gen::new(seed, 5), &shapes.iter().map(|s| &s[..]).collect::<Vec<_>>())
    };
    if spec.error_case_count() == 0 && (0..50).any(refuses) {
        found.push("it refuses shapes, but has no error case".to_string());
    }
    found
}

#[test]
fn every_operation_is_wholly_declared() {
    let all: Vec<(&str, Vec<String>)> = ops::ALL.iter().map(|spec| (spec.name, complaints(spec))).collect();
    let half: Vec<_> = all.iter().filter(|(_, complaints)| !complaints.is_empty()).collect();
    assert!(half.is_empty(), "{half:?}");
}

/// The negative of an operation's declaration: `LACK` says which part is left out.
#[derive(Clone, Debug)]
struct HalfDeclared<const LACK: char>;

impl<const LACK: char> Op for HalfDeclared<LACK> {
    const NAME: &'static str = if LACK == 'n' { "Half" } else { "half" };
    const FORMULA: &'static str = if LACK == 'f' { "y = x / 2" } else { "y = x / 2; dx = g / 2" };
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        match inputs[0].len() {
            3 => Err(ShapeError::new("half: three axes are too many")),
            _ => Ok(Shape::new(inputs[0]).into()),
        }
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        ((inputs[0] / 2.0).into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let g = cx.cotangent();
        cx.add(0, || g / 2.0);
    }

    fn reference(&self, inputs: &[&Array], _: &mut Branches<'_>) -> Vec<Array> {
        if LACK == 'r' { vec![] } else { vec![inputs[0].map(|x| x / 2.0)] }
    }

    fn window(&self, along: &Along<'_>) -> Option<Window> {
        let window = along.same()?;
        Some(if LACK == 'w' { Window { first: 1.0, ..window } } else { window })
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let sizes = [g.length(), g.length()];
        match LACK {
            's' => vec![],
            'o' => vec![Sample::new(ops::arithmetic::Neg, [g.normal(sizes)])],
            'z' => vec![Sample::new(Self, [g.normal(sizes.map(|n| n + 1))])],
            _ => vec![Sample::new(Self, [g.normal(sizes)])],
        }
    }

    fn error_cases() -> Vec<ErrorCase> {
        match LACK {
            'e' => vec![],
            'c' => vec![ErrorCase::new(ops::arithmetic::Neg, &[&[1, 2, 3]], "half: three axes")],
            _ => vec![ErrorCase::new(Self, &[&[1, 2, 3]], "half: three axes")],
        }
    }
}

#[test]
fn half_declared_operations_are_noticed() {
    assert_eq!(complaints(&Spec::of::<HalfDeclared<' '>>()), [""; 0]);
    check::laws(&Spec::of::<HalfDeclared<' '>>(), 1, 3).unwrap();
    let complaint = |spec: Spec| complaints(&spec).join("; ");
    assert_eq!(complaint(Spec::of::<HalfDeclared<'n'>>()), "\"Half\" is not snake case");
    assert_eq!(complaint(Spec::of::<HalfDeclared<'f'>>()), "the formula is \"y = x / 2\"");
    assert!(complaint(Spec::of::<HalfDeclared<'s'>>()).starts_with("no sample has elements"));
    assert_eq!(complaint(Spec::of::<HalfDeclared<'z'>>()), "no sample is without elements");
    assert_eq!(complaint(Spec::of::<HalfDeclared<'e'>>()), "it refuses shapes, but has no error case");
    let violation = check::laws(&Spec::of::<HalfDeclared<'r'>>(), 1, 3).unwrap_err();
    assert!(violation.detail.contains("1 outputs, 0 references"), "{violation}");
    let violation = check::laws(&Spec::of::<HalfDeclared<'o'>>(), 1, 3).unwrap_err();
    assert_eq!(violation.detail, "Neg is given with half");
    let violation = check::laws(&Spec::of::<HalfDeclared<'c'>>(), 1, 3).unwrap_err();
    assert_eq!(violation.detail, "Neg is given with half");
    let violation = check::laws(&Spec::of::<HalfDeclared<'w'>>(), 1, 3).unwrap_err();
    assert_eq!(violation.law, "an output depends on nothing outside its windows");
}

/// The public types, methods and rows of tables that nothing is written about.
fn undocumented(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let needs = |line: &str| {
        line.starts_with("pub struct ")
            || line.starts_with("pub trait ")
            || line.contains(" => ") && !declared(line).is_empty()
    };
    let is_documented = |i: &usize| {
        let mut above = &lines[..*i];
        // Attributes, of one line or of several.
        while above.last().is_some_and(|line| line.ends_with(']') && !line.starts_with("///")) {
            let start = above.iter().rposition(|line| line.starts_with("#["));
            above = &above[..start.unwrap_or(0)];
        }
        above.last().is_some_and(|line| line.starts_with("///") || line.starts_with("$(#["))
    };
    (0..lines.len()).filter(|&i| needs(lines[i])).filter(|i| !is_documented(i)).map(|i| lines[i]).collect()
}

#[test]
fn every_operation_is_documented() {
    for path in sources(&ops_folder()) {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(undocumented(&text), [""; 0], "{path:?}");
    }
    let table = "/// Twice.\n#[inline]\ntwice => Twice { x }\n\nthrice => Thrice { x }\n#[derive(Debug)]\npub struct Four;";
    assert_eq!(undocumented(table), ["thrice => Thrice { x }", "pub struct Four;"]);
}

#[test]
fn every_file_is_reachable() {
    for path in sources(&ops_folder()) {
        let is_root = path.file_name().unwrap() == "mod.rs";
        let module = if is_root { path.parent().unwrap() } else { &path };
        if module == ops_folder() {
            continue;
        }
        let declaration = format!("mod {};", module.file_stem().unwrap().to_str().unwrap());
        let parent = fs::read_to_string(module.parent().unwrap().join("mod.rs")).unwrap();
        assert!(
            parent
                .lines()
                .any(|line| line.trim_start_matches("pub(crate) ").trim_start_matches("pub ") == declaration),
            "{path:?}"
        );
    }
}

/// The operations of a source whose reference takes choices: those have kinks, ties or jumps.
fn with_choices(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut name = None;
    for line in text.lines() {
        name = declared(line).first().copied().or(name);
        let chooses = ["test(", "choose(", "hold("].iter().any(|call| {
            let asked = |who: &str| line.contains(&format!("{who}.{call}"));
            asked("b") || asked("branches")
        });
        if let (true, Some(name)) = (chooses && !line.contains("$holds"), name) {
            found.push(name);
        }
    }
    found.dedup();
    found
}

/// What happens at a kink is written down in a test that names the operation.
#[test]
fn every_operation_with_a_kink_has_a_convention() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let conventions: String = ["attention", "conventions", "conv", "losses", "compositions"]
        .map(|name| fs::read_to_string(tests.join(name).with_extension("rs")).unwrap())
        .concat();
    let mut kinked = 0;
    for path in sources(&ops_folder()) {
        let text = fs::read_to_string(&path).unwrap();
        for name in with_choices(&text) {
            kinked += 1;
            let is_there = [".", "::"].iter().any(|before| conventions.contains(&format!("{before}{name}")));
            assert!(is_there, "{name} of {path:?} takes choices, but no test says which");
        }
    }
    assert!(kinked > 20, "{kinked} operations with kinks");
    let source =
        "const NAME: &'static str = \"step\";\nif b.test(x > 0.0) { 1.0 }\n\nsmooth => Smooth { x }\nx.exp()";
    assert_eq!(with_choices(source), ["step"]);
}
