//! What the operating system does when a file grows beyond the limit of the process (`ulimit -f`).
#![allow(unsafe_code)]

/// Makes it an error of whoever writes, who can say so and clean up, in place of the signal that ends the program. To be
/// called once, before any other thread runs.
#[cfg(unix)]
pub fn tell_of_full_files() {
    // SAFETY: the signal exists, ignoring it runs no code of ours, and no other thread runs yet.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

#[cfg(not(unix))]
pub fn tell_of_full_files() {}
