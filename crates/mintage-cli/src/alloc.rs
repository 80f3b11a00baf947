//! The allocator: mimalloc, told to keep the pages it has.
//!
//! Training allocates and frees the same large buffers at every step. Giving their pages back to the
//! operating system in between costs a page fault for each of them at the next step.
#![allow(unsafe_code)]

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h (the same place in versions 2 and 3); the binding does not name it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Switches purging off. To be called once, before anything large is allocated.
pub fn keep_pages() {
    // SAFETY: the option is within mimalloc's range, -1 is a documented value ("no purging at all"), and
    // setting an option takes no pointers. No other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) }
}
