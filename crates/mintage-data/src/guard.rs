//! Decoders of others: their panics are caught, and what they hold in memory is bounded over all threads.
//!
//! A decoder says before it begins how many bytes it may come to hold ([`Memory::take`]); where those of others leave
//! no room it waits. What is larger than all there is runs alone.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, PoisonError},
};

/// Why a file cannot be read whose decoder panicked.
pub(crate) const GAVE_UP: &str = "is damaged in a way that its decoder gave up on";

/// Bytes that decoders of all threads may hold together.
const ALL_DECODERS: u64 = 768 << 20;

thread_local! {
    static IN_DECODER: Cell<bool> = const { Cell::new(false) };
    /// Bytes that this thread holds already.
    static HELD: Cell<u64> = const { Cell::new(0) };
}

/// Whether a panic of this thread, now, is one of a decoder: it is caught and becomes the reason why a file cannot
/// be read. A hook should keep silent then.
pub fn panic_is_caught() -> bool {
    IN_DECODER.get()
}

/// Runs code of a decoder; nothing where it panicked.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    let before = IN_DECODER.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IN_DECODER.set(before);
    done.ok()
}

/// Memory that is taken for as long as this lives, on the thread that took it.
#[derive(Debug)]
pub(crate) struct Memory {
    bytes: u64,
}

static TAKEN: Mutex<u64> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

impl Memory {
    /// Waits until there is room for so many bytes.
    pub fn take(bytes: u64) -> Self {
        let bytes = bytes.min(ALL_DECODERS);
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        // Who holds some already must not wait for itself.
        while HELD.get() == 0 && *taken + bytes > ALL_DECODERS {
            taken = FREED.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += bytes;
        HELD.set(HELD.get() + bytes);
        Self { bytes }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        HELD.set(HELD.get().saturating_sub(self.bytes));
        FREED.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_panic_of_a_decoder_is_caught() {
        let panicked = caught(|| -> u32 {
            assert!(panic_is_caught());
            assert_eq!(caught(|| 1), Some(1));
            assert!(panic_is_caught());
            panic!("index out of bounds")
        });
        assert_eq!(panicked, None);
        assert!(!panic_is_caught());
    }

    #[test]
    fn what_is_large_runs_alone() {
        static RUNNING: AtomicU32 = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _memory = Memory::take(2 * ALL_DECODERS);
                        assert_eq!(RUNNING.fetch_add(1, Ordering::SeqCst), 0);
                        // One's own does not wait for oneself.
                        let _more = Memory::take(10);
                        RUNNING.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }
}
