//! CSV, with options that the first byte says, and what is made of a table.
#![no_main]

use gradus::nn::data::csv::{Options, read_with};
use gradus_fuzz::{Limit, split, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((how, rest)) = split(data) else { return };
    let limit = if rest.first() == Some(&0x1f) { Limit::Packed } else { Limit::Plain };
    let options = Options {
        has_header: [None, Some(true), Some(false), None][usize::from(how & 3)],
        delimiter: [None, Some(';')][usize::from(how >> 2 & 1)],
        missing: [None, Some(f32::NAN)][usize::from(how >> 3 & 1)],
        decimal: [None, Some(',')][usize::from(how >> 4 & 1)],
        comment: [None, Some('#')][usize::from(how >> 5 & 1)],
    };
    within(limit, rest, |path| {
        let Ok(table) = read_with(path, &options) else { return };
        let names = table.names.iter().chain(table.texts.iter().map(|(name, _)| name));
        if let Some(name) = names.last() {
            let _ = table.labelled(name);
            let _ = table.classes(name);
            let _ = table.with_targets(&[name]);
            let _ = table.select(&[name]);
        }
    });
});
