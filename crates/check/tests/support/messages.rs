//! The list of messages, `docs/messages.txt`: each test that provokes some has a section of it. `UPDATE=1` writes the sections
//! of the tests that run.

use std::{collections::BTreeMap, env, fs, path::PathBuf, sync::Mutex};

/// What a test provoked, in order.
#[must_use = "`check` compares it with the list"]
pub(crate) struct Messages {
    section: String,
    found: Vec<String>,
}

const HEAD: &str = "What gradus says to mistakes, each section as the test of that name provokes it: `UPDATE=1 cargo test` writes it.\n";

/// A message without the numbers of lines.
fn settled(message: &str) -> String {
    let mut parts = message.split(".rs:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += ".rs:_";
        text += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    text
}

impl Messages {
    /// Those of a test of a crate: `Messages::of("autograd", module_path!(), "name_of_the_test")`.
    pub(crate) fn of(krate: &str, module: &str, test: &str) -> Messages {
        let module = module.rsplit("::").next().unwrap();
        Messages { section: format!("{krate}: {module}::{test}"), found: Vec::new() }
    }

    pub(crate) fn add(&mut self, message: impl ToString) {
        self.found.push(settled(&message.to_string()));
    }

    /// The messages are those of the list.
    pub(crate) fn check(&self) {
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/messages.txt"));
        let list = fs::read_to_string(&path).unwrap_or_default();
        let mut sections: BTreeMap<&str, &str> =
            list.split("\n[").skip(1).filter_map(|section| section.split_once("]\n")).collect();
        let found: String = self.found.iter().map(|message| message.replace('\n', "\n    ") + "\n").collect();
        if env::var_os("UPDATE").is_some() {
            sections.insert(&self.section, &found);
            let sections = sections.iter().map(|(name, lines)| format!("\n[{name}]\n{lines}"));
            fs::write(&path, HEAD.to_owned() + &sections.collect::<String>()).unwrap();
            return;
        }
        let listed =
            sections.get(&self.section[..]).unwrap_or_else(|| panic!("{} is not in {path:?}", self.section));
        for (found, listed) in found.lines().zip(listed.lines()) {
            assert_eq!(found, listed, "{} (UPDATE=1 writes what is said now)", self.section);
        }
        assert_eq!(found.lines().count(), listed.lines().count(), "{}: messages more or less", self.section);
    }
}
