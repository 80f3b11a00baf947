//! Ctrl-C: the first press asks to stop after the present step, the second stops at once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{failure::INTERRUPTED, ui::eprintln_safe};

static STOP: AtomicBool = AtomicBool::new(false);

/// Watches for Ctrl-C (and termination) from now on; the flag becomes true when the user wants to stop.
pub fn watch() -> &'static AtomicBool {
    on_first(|| eprintln_safe("\nfinishing the step and saving; press Ctrl-C again to stop at once"));
    &STOP
}

/// Calls `stop` at the first Ctrl-C or termination; the second ends the program at once.
pub fn on_first(stop: impl Fn() + Send + 'static) {
    let pressed = move || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        stop();
    };
    // Where no handler can be set, Ctrl-C ends the process as it always does; checkpoints remain.
    let _ = ctrlc::set_handler(pressed);
}

/// Watches for Ctrl-C from now on: the first press sets the flag, by which sampling ends within a moment and nothing is
/// written; the second stops at once. A program has one such watch.
pub fn cancel_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let of_handler = flag.clone();
    on_first(move || of_handler.store(true, Ordering::Relaxed));
    flag
}
