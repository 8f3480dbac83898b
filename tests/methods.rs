//! The page of methods is the one of the sources, and PyTorch's names lead to ours. `UPDATE=1` writes the page anew.

use std::{
    collections::BTreeSet,
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources in a folder, each with its text, in the order of their paths.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let all = entries.into_iter().map(|path| match path.is_dir() {
        true => sources(path.to_str().unwrap()),
        false => fs::read_to_string(&path).map(|text| vec![(path, text)]).unwrap_or_default(),
    });
    all.flatten().collect()
}

/// Methods with something in common, and what that is.
struct Family {
    name: String,
    about: String,
    methods: Vec<String>,
}

/// The first sentence of the lines of documentation.
fn sentence(lines: &[&str]) -> String {
    let text = lines.join(" ");
    text[..text.find(". ").unwrap_or(text.trim_end_matches('.').len())].to_owned()
}

fn word(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

/// What a row of a table declares: `exp => Exp {`, `elu (alpha in 0.5..2.0) => Elu {`, or, of losses, with and without a
/// choice of reduction, `mse_loss, mse_loss_with(target: &Self) |x|`.
fn row(line: &str) -> Vec<&str> {
    let name = word(line).filter(|name| name.chars().all(|c| !c.is_uppercase()));
    match (name, line.split_once(" => "), line.split_once(", ")) {
        (Some(name), Some((_, op)), _) if op.starts_with(char::is_uppercase) && op.contains(" {") => {
            vec![name]
        }
        (Some(name), _, Some((first, second)))
            if first == name && second.starts_with(&format!("{name}_with(")) =>
        {
            vec![name, word(second).unwrap()]
        }
        _ => vec![],
    }
}

/// The traits of values in a source, with their methods, among them those of tables.
fn traits(text: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    // How far the trait is indented in which a line stands.
    let (mut docs, mut inside): (Vec<&str>, Option<usize>) = (Vec::new(), None);
    let mut table = false;
    for line in text.lines() {
        if line.starts_with(char::is_alphabetic) {
            table = line.ends_with("! {")
                && !line.starts_with("macro_rules!")
                && !line.starts_with("thread_local!");
        }
        let (bare, indent) = (line.trim(), line.len() - line.trim_start().len());
        let of_table = bare
            .strip_suffix(';')
            .filter(|name| bare.starts_with(char::is_uppercase) && word(name) == Some(name));
        let of_trait =
            bare.strip_prefix("pub trait ").filter(|rest| rest.contains(": Value {")).and_then(word);
        if let Some(doc) = bare.strip_prefix("/// ") {
            docs.push(doc);
            continue;
        }
        if bare == "///" {
            docs.push("");
            continue;
        }
        if let Some(name) = of_table.or(of_trait).filter(|name| name.len() > 1) {
            inside = of_trait.map(|_| indent);
            families.push(Family { name: name.into(), about: sentence(&docs), methods: Vec::new() });
        } else if inside.is_some_and(|of| indent <= of && bare.ends_with('}')) {
            inside = None;
        } else if let Some(family) = families.last_mut() {
            let method =
                bare.strip_prefix("fn ").filter(|_| inside.is_some_and(|of| indent == of + 4)).and_then(word);
            family
                .methods
                .extend(method.into_iter().chain(row(bare).into_iter().filter(|_| table)).map(String::from));
        }
        if !bare.starts_with("#[") {
            docs.clear();
        }
    }
    families
}

/// The public methods in blocks that begin with one of `heads`, by file; what is hidden from the documentation left out.
fn own(folders: &[&str], heads: &[&str], known: &BTreeSet<String>) -> Vec<Family> {
    let mut families = Vec::new();
    for (path, text) in folders.iter().flat_map(|folder| sources(folder)) {
        let about: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//! ")).collect();
        let (mut inside, mut hidden, mut methods) = (false, false, Vec::new());
        let mut table = false;
        for line in text.lines() {
            if line.starts_with(char::is_alphabetic) {
                inside = heads.iter().any(|head| line.starts_with(head));
                table = line.ends_with("! {")
                    && !line.starts_with("macro_rules!")
                    && !line.starts_with("thread_local!");
            }
            let is_public = line
                .strip_prefix("    pub fn ")
                .or(line.strip_prefix("    fn ").filter(|_| heads[0].contains("trait")));
            let of_table = line
                .trim()
                .split_once(" = ")
                .map(|(name, _)| name)
                .filter(|_| table && heads[0] == "impl Tensor {");
            if let Some(name) = is_public.filter(|_| inside && !hidden).or(of_table).and_then(word)
                && name.starts_with(char::is_lowercase)
                && !known.contains(name)
            {
                methods.push(name.to_owned());
            }
            hidden = line.contains("doc(hidden)") || hidden && line.trim().starts_with("#[");
        }
        if !methods.is_empty() {
            let name = path.strip_prefix(root().join("crates")).unwrap().display().to_string();
            families.push(Family { name, about: sentence(&about), methods });
        }
    }
    families
}

fn listed(methods: &[String]) -> String {
    let mut seen = BTreeSet::new();
    let names: Vec<String> =
        methods.iter().filter(|name| seen.insert(*name)).map(|name| format!("`{name}`")).collect();
    let (mut text, mut width) = (String::new(), 0);
    for name in names {
        let after = if text.is_empty() {
            ""
        } else if width + name.len() > 110 {
            ",\n"
        } else {
            ", "
        };
        width = if after == ",\n" { 0 } else { width } + name.len() + 2;
        text += after;
        text += &name;
    }
    text
}

#[test]
fn the_page_of_methods_is_that_of_the_sources() {
    let ops = sources("crates/autograd/src/ops").into_iter();
    let families: Vec<Family> = ops.flat_map(|(_, text)| traits(&text)).collect();
    let known: BTreeSet<String> = families.iter().flat_map(|family| family.methods.iter().cloned()).collect();
    assert!(families.len() > 20 && known.len() > 240, "{} families, {} methods", families.len(), known.len());
    let mut page = String::from(
        "# Methods\n\nWhat can be called on a value, by family. A test writes this page from the sources (`UPDATE=1 cargo test --test methods`).\n\n\
         ## Of tensors and variables\n\nThe traits come with the prelude. A function over any `Value` calls them too.\n",
    );
    for Family { name, about, methods } in &families {
        write!(page, "\n### {name}\n\n{about}:\n{}.\n", listed(methods)).unwrap();
    }
    let none = BTreeSet::new();
    /// The title, the folders to look in, the heads of the blocks of methods, and what is left out.
    type Section<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a BTreeSet<String>);
    let sections: [Section<'_>; 3] = [
        ("Of any `Value`", &["crates/autograd/src/value"], &["pub trait Value:"], &none),
        ("Of variables alone", &["crates/autograd/src"], &["impl<'t> Var<'t> {", "impl Var<'_> {"], &known),
        (
            "Of tensors alone",
            &["crates/tensor/src/array", "crates/tensor/src/ops"],
            &["impl Tensor {"],
            &known,
        ),
    ];
    for (title, folders, heads, known) in sections {
        write!(page, "\n## {title}\n").unwrap();
        for Family { name, about, methods } in own(folders, heads, known) {
            write!(page, "\n{about} (`{name}`):\n{}.\n", listed(&methods)).unwrap();
        }
    }
    let path = root().join("docs/methods.md");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let old = fs::read_to_string(&path).unwrap_or_default();
    let wrong = page
        .lines()
        .find(|line| !old.lines().any(|other| other == *line))
        .unwrap_or("order, or too many lines");
    assert!(page == old, "docs/methods.md is not the page of the sources (UPDATE=1 writes it): {wrong}");
}

/// The names of the first column of the page's tables: `F.silu` is silu, `x.numpy()` numpy; what is syntax is none.
fn of_pytorch(page: &str) -> BTreeSet<&str> {
    let cells =
        page.lines().filter(|line| line.starts_with("| `")).map(|line| line.split('|').nth(1).unwrap());
    let code = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let names = code.filter(|code| !code.contains([' ', '[', '='])).map(|code| {
        let path = code.split('(').next().unwrap();
        path.rsplit('.').next().unwrap()
    });
    names.collect()
}

#[test]
fn pytorchs_names_are_found_in_the_documentation() {
    let all: String = ["tensor", "autograd", "linalg", "nn", "onnx"]
        .iter()
        .flat_map(|krate| sources(&format!("crates/{krate}/src")))
        .map(|(_, text)| text)
        .collect();
    const KINDS: [&str; 6] = ["pub fn ", "fn ", "pub struct ", "pub enum ", "pub trait ", "pub type "];
    let mut ours = BTreeSet::new();
    for line in all.lines().map(str::trim) {
        let item = KINDS.iter().find_map(|kind| line.strip_prefix(kind));
        let of_table = Some(line).filter(|line| line.contains(" => ") || line.contains(" = "));
        let alias = line.strip_prefix("#[doc(alias = \"");
        ours.extend([item, of_table, alias].into_iter().flatten().filter_map(word));
        // Several in one line of a macro.
        ours.extend(line.split(", ").filter(|part| part.contains(" = ")).filter_map(word));
    }
    let page = fs::read_to_string(root().join("docs/from-pytorch.md")).unwrap();
    let names = of_pytorch(&page);
    assert!(names.len() > 120, "{}", names.len());
    let missing: Vec<&str> = names.into_iter().filter(|name| !ours.contains(name)).collect();
    assert!(missing.is_empty(), "neither a name of ours nor a doc(alias): {missing:?}");
}
