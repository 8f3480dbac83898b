//! The table of a run's history, which a checkpoint holds as a text.
#![no_main]

use gradus::nn::train::History;
use gradus_fuzz::{Limit, within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = within(Limit::Plain, data, |_| History::from_csv(text));
    if let Ok(history) = read {
        let table = history.to_csv();
        assert_eq!(History::from_csv(&table).map(|again| again.to_csv()), Ok(table));
        // Has each name in each line, and so may be long.
        let _ = history.to_json_lines();
    }
});
