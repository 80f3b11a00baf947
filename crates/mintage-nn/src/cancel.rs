//! A flag of the present thread that ends long loops of sampling early, so that no model has to pass it through all of its
//! functions.
//!
//! What a loop returns after the flag was set is incomplete: the caller who set the flag must not use it. Training does not
//! look at the flag; its steps are short.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

thread_local! {
    static FLAG: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Runs `draw`; loops in it on this thread end early once `flag` is set.
pub fn with<T>(flag: &Arc<AtomicBool>, draw: impl FnOnce() -> T) -> T {
    /// Puts the former flag back, also when `draw` panics.
    struct Former(Option<Arc<AtomicBool>>);
    impl Drop for Former {
        fn drop(&mut self) {
            FLAG.set(self.0.take());
        }
    }
    let _former = Former(FLAG.replace(Some(flag.clone())));
    draw()
}

/// Whether the loop that asks should end.
pub fn wanted() -> bool {
    FLAG.with_borrow(|flag| flag.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_heard_inside_and_nowhere_else() {
        let flag = Arc::new(AtomicBool::new(true));
        assert!(!wanted());
        with(&flag, || {
            assert!(wanted());
            with(&Arc::new(AtomicBool::new(false)), || assert!(!wanted()));
            assert!(wanted());
            assert!(std::thread::spawn(|| !wanted()).join().is_ok_and(|unheard| unheard));
        });
        assert!(!wanted());
    }
}
