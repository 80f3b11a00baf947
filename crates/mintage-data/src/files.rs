//! Opening what a user names. Only regular files are read: a FIFO, a device or a socket could be waited for without
//! end, or never end itself.

use std::{
    fs::{self, File, FileType},
    io::Read,
    path::Path,
};

use crate::{Error, error::suggestion, transform::MAX_FILE_BYTES};

/// Endings of files that are packed.
const PACKED: [&str; 3] = [".gz", ".xz", ".zst"];

/// The name of a file, in small letters, without the ending that says that it is packed; nothing where it has none.
pub(crate) fn without_packing(name: &str) -> Option<&str> {
    PACKED.iter().find_map(|packed| name.strip_suffix(packed))
}

/// Opens a regular file, which links may lead to.
///
/// # Errors
/// What is there instead, in words, without waiting for anybody.
pub fn open_regular(path: &Path) -> Result<File, Error> {
    // Opening a FIFO waits until somebody writes to it, so it must not come to that.
    check_regular(path, fs::metadata(path).map_err(Error::io(path))?.file_type())?;
    let file = File::open(path).map_err(Error::io(path))?;
    check_regular(path, file.metadata().map_err(Error::io(path))?.file_type())?;
    Ok(file)
}

/// Checks that `path` is a regular file of at most `most` bytes.
///
/// # Errors
/// There is no regular file at `path` that can be opened, or it has more than `most` bytes.
pub fn check_limited(path: &Path, most: u64) -> Result<(), Error> {
    let length = open_regular(path)?.metadata().map_err(Error::io(path))?.len();
    if length > most { Err(over_limit(path, length, most)) } else { Ok(()) }
}

/// Reads all of a regular file of at most `most` bytes.
///
/// # Errors
/// The file is not a regular one, cannot be read, or has more than `most` bytes.
pub fn read_limited(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let file = open_regular(path)?;
    let length = file.metadata().map_err(Error::io(path))?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(most)).unwrap_or(0));
    // Files of /proc have a length of 0 and contents all the same.
    file.take(most + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
    if bytes.len() as u64 > most {
        return Err(over_limit(path, length.max(most + 1), most));
    }
    Ok(bytes)
}

fn over_limit(path: &Path, length: u64, most: u64) -> Error {
    let why = format!("{length} bytes are over the limit of {}", in_words(most));
    Error::bad(path.display().to_string(), why)
}

/// Reads all of a file that holds one item, within the limit of such files.
///
/// # Errors
/// The file is not a regular one, cannot be read, or has more than `MAX_FILE_BYTES` bytes.
pub fn read_item_file(path: &Path) -> Result<Vec<u8>, Error> {
    read_limited(path, MAX_FILE_BYTES)
}

/// Reads all of a UTF-8 file of at most `most` bytes.
///
/// # Errors
/// The file is not a regular one, cannot be read, has more than `most` bytes, or is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String, Error> {
    let not_utf8 = |_| Error::bad(path.display().to_string(), "holds bytes that are not UTF-8");
    String::from_utf8(read_limited(path, most)?).map_err(not_utf8)
}

/// An error unless `path` is a folder or a regular file that may be read.
pub(crate) fn check_source(path: &Path) -> Result<(), Error> {
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(Error::io(path)(error)),
        Err(_) => Err(not_there(path)),
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => open_regular(path).map(drop),
    }
}

/// A path that is not there is an error with the nearest name beside it.
pub(crate) fn not_there(path: &Path) -> Error {
    let hint = beside(path).unwrap_or("paths are taken from the folder that you are in".to_owned());
    Error::bad(path.display().to_string(), "there is no such file or folder").with_hint(hint)
}

/// "did you mean `shop.db`?" for a path that is not there, where a name beside it is near.
fn beside(path: &Path) -> Option<String> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(dir).ok()?.flatten();
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    suggestion(&path.file_name()?.to_string_lossy(), names.iter().map(String::as_str))
}

/// How the name of a file ends, in small letters.
pub(crate) fn suffix(file: &Path) -> String {
    file.extension().map(|suffix| suffix.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn check_regular(path: &Path, kind: FileType) -> Result<(), Error> {
    if kind.is_file() {
        return Ok(());
    }
    let (what, hint) = match kind_of(kind) {
        Some(what) => (what, "save what comes out of it as a file, and name that"),
        None if kind.is_dir() => ("a folder", "name a file in it"),
        None => ("no regular file", "name a regular file"),
    };
    let why = format!("is {what}, and only regular files are read here");
    Err(Error::bad(path.display().to_string(), why).with_hint(hint))
}

/// What is neither file nor folder, in words.
#[cfg(unix)]
fn kind_of(kind: FileType) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        Some("a named pipe (FIFO)")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        (kind.is_char_device() || kind.is_block_device()).then_some("a device")
    }
}

#[cfg(not(unix))]
fn kind_of(_: FileType) -> Option<&'static str> {
    None
}

/// "64 MiB", "4 GiB".
pub(crate) fn in_words(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{bytes} bytes"),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_are_read_up_to_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "abc").unwrap();
        assert_eq!(read_limited(&path, 3).unwrap(), b"abc");
        assert_eq!(read_text(&path, 3).unwrap(), "abc");
        assert!(read_limited(&path, 2).unwrap_err().to_string().contains("over the limit of 2 bytes"));
        assert!(check_limited(&path, 3).is_ok() && check_limited(&path, 2).is_err());
        fs::write(&path, b"\xff").unwrap();
        assert!(read_text(&path, 3).unwrap_err().to_string().contains("not UTF-8"));
        assert!(open_regular(dir.path()).unwrap_err().to_string().contains("is a folder"));
        assert!(check_source(dir.path()).is_ok() && check_source(&path).is_ok());
        assert!(check_source(&dir.path().join("b")).unwrap_err().to_string().contains("no such file"));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        use std::os::unix::{fs::symlink, net::UnixListener};
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        let link = dir.path().join("z.png");
        symlink("/dev/zero", &link).unwrap();
        for (path, what) in
            [(socket.as_path(), "a socket"), (&link, "a device"), (Path::new("/dev/zero"), "a device")]
        {
            let error = open_regular(path).unwrap_err();
            assert!(error.to_string().contains(what) && error.hint().is_some(), "{error}");
            assert!(read_limited(path, 100).is_err() && check_source(path).is_err());
        }
        // A FIFO that nobody writes to: opening it would wait for ever.
        let fifo = dir.path().join("fifo");
        #[expect(clippy::disallowed_methods, reason = "the standard library makes no FIFOs")]
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        if made.is_ok_and(|status| status.success()) {
            assert!(open_regular(&fifo).unwrap_err().to_string().contains("a named pipe"));
        }
    }
}
