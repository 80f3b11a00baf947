//! One writer at a time: the operating system's lock on a file or a folder, which goes with the process that has it.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
    time::Duration,
};

/// How long a writer waits for another one: as long as for a database.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until nobody else writes to what lies at `path`. The lock is held for as long as the value lives; nothing when
/// nothing lies there.
///
/// # Errors
/// Somebody else writes to it for ten seconds, or it cannot be opened.
pub fn lock(path: &Path) -> io::Result<Option<File>> {
    let mut waited = Duration::ZERO;
    // Elsewhere than on Unix folders cannot be opened.
    if cfg!(not(unix)) && path.is_dir() {
        return Ok(None);
    }
    // A pipe or a device is not opened, which may wait for ever: whoever writes the file says what it is.
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return Ok(None);
    }
    loop {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            // Who had the lock may have put another file in its place.
            Ok(()) if is_still(path, &file) => return Ok(Some(file)),
            Ok(()) => continue,
            Err(TryLockError::WouldBlock) if waited < PATIENCE => {}
            Err(TryLockError::WouldBlock) => {
                let why = "another program is writing to it: try again when that is done";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, why));
            }
            // Some file systems know no locks; there one writer must not meet another.
            Err(TryLockError::Error(_)) => return Ok(Some(file)),
        }
        #[expect(clippy::disallowed_methods, reason = "there is no lock in std that waits for a while")]
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
}

/// Whether `file` is what lies at `path` now.
#[cfg(unix)]
fn is_still(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(path), file.metadata()) {
        (Ok(there), Ok(open)) => (there.dev(), there.ino()) == (open.dev(), open.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still(path: &Path, _: &File) -> bool {
    fs::exists(path).unwrap_or(false)
}
