//! Failed tests tell why at once: the whole takes most of an hour, and what libtest keeps for its end may be cut off.

use std::io::Write as _;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

/// Enough for what was expected and the end of a run's log.
const MOST: usize = 3000;

/// From now on, once per process.
pub(crate) fn tell_at_once() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let kept_for_the_end = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // Not captured, as eprintln! would be; in one write, so that two do not mix.
            let _ = std::io::stderr().write_all(told(info).as_bytes());
            kept_for_the_end(info);
        }));
    });
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a thread");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let payload = info.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let why = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("?");
    let why: String = why.chars().take(MOST).collect();
    format!("\n!!! {name} at {place}:\n{why}\n")
}
