//! What a panic says and where it points.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread,
};

/// Message, file and line of the panic in `f`. Tests take turns: the hook is the process's.
pub fn panic_of<R>(f: impl FnOnce() -> R) -> (String, String, u32) {
    let mut f = Some(f);
    panic_in(&mut || drop(f.take().unwrap()()))
}

// Compiled once, not for each of the hundreds of closures.
fn panic_in(f: &mut dyn FnMut()) -> (String, String, u32) {
    static TURN: Mutex<()> = Mutex::new(());
    static LAST: Mutex<(String, String, u32)> = Mutex::new((String::new(), String::new(), 0));
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let before = std::panic::take_hook();
    let here = thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        // Tests on other threads panic too. A worker of this one has no name.
        if thread::current().id() != here && thread::current().name().is_some() {
            return;
        }
        let (payload, place) = (info.payload(), info.location().unwrap());
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default();
        *LAST.lock().unwrap() = (text, place.file().to_string(), place.line());
    }));
    let result = catch_unwind(AssertUnwindSafe(f));
    std::panic::set_hook(before);
    assert!(result.is_err(), "it did not panic");
    LAST.lock().unwrap().clone()
}
