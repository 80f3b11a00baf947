//! Files that appear whole or not at all.
//!
//! What is written lies beside its final place, under a fresh name that nobody can foresee (`.NAME.aB3dE9xy.tmp`, made with
//! `O_EXCL`: never through a link), is synced and renamed. Its writer holds the operating system's lock on it. One that
//! nobody holds was left by a process that was killed, and the next one to write NAME removes it.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::{Builder, TempPath};

/// Random letters in the name of a temporary file.
const RANDOM: usize = 8;
const SUFFIX: &str = ".tmp";
/// Of a file's name, so much stands in that of its temporary file: names have an end.
const LONGEST: usize = 100;

/// Writes a file of a model or a run atomically: a link in its place is replaced, never followed.
///
/// # Errors
/// There is a folder, a device or a pipe at `path`, or the file cannot be written.
pub fn atomic_write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = Beside::create(path)?;
    (&file.file).write_all(bytes)?;
    file.commit()
}

/// Writes a file that the user named atomically: where it is a link, the file that it leads to.
///
/// # Errors
/// The link leads nowhere, there is a folder, a device or a pipe in the place of the file, or it cannot be written.
pub fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    atomic_write(&target_of(path)?, bytes)
}

/// A file that is written beside its final place, and removed unless it is committed.
pub(crate) struct Beside {
    pub file: File,
    temporary: TempPath,
    path: PathBuf,
}

impl Beside {
    /// Makes the temporary file beside `path`, and locks it.
    ///
    /// # Errors
    /// There is a folder, a device or a pipe at `path`, or the temporary file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let before = match fs::symlink_metadata(path) {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() && !there.is_symlink() => {
                let why = "is a device or a pipe, in whose place no file can be written";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            Ok(there) => there.is_file().then_some(there),
            Err(_) => None,
        };
        let dir = folder_of(path);
        let prefix = prefix_for(path);
        remove_stale(dir, &prefix);
        loop {
            let mut builder = Builder::new();
            builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(RANDOM);
            // Readable for nobody who could not read the file before.
            #[cfg(unix)]
            builder.permissions(before.as_ref().map_or_else(usual, fs::Metadata::permissions));
            let (file, temporary) = builder.tempfile_in(dir).map_err(nameless)?.into_parts();
            // Where files cannot be locked, nothing is taken for stale either.
            let _ = file.lock();
            // Another writer may have taken it for stale before the lock was on it.
            if is_linked(&file)? {
                if let Some(before) = &before {
                    keep_owner(&file, before);
                    file.set_permissions(before.permissions())?;
                }
                return Ok(Self { file, temporary, path: path.to_owned() });
            }
        }
    }

    /// Where it lies before it is committed.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// The file cannot be synced, or cannot get its name.
    pub fn commit(self) -> io::Result<()> {
        self.commit_held(true).map(drop)
    }

    /// [`Beside::commit`], after which the caller holds the lock on the file. Without `replace` a file that has come in
    /// the meantime stays.
    ///
    /// # Errors
    /// The file cannot be synced, or cannot get its name; where another file has it and may not be replaced, the error
    /// is `AlreadyExists`.
    pub fn commit_held(self, replace: bool) -> io::Result<File> {
        self.file.sync_all()?;
        let done = match replace {
            true => self.temporary.persist(&self.path),
            false => self.temporary.persist_noclobber(&self.path),
        };
        done.map_err(|error| error.error)?;
        sync_folder(&self.path);
        Ok(self.file)
    }
}

/// The file that a path leads to; a link is followed to its end, which must be there.
///
/// # Errors
/// `path` is a link to a file that is not there.
pub fn target_of(path: &Path) -> io::Result<PathBuf> {
    if !fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink()) {
        return Ok(path.to_owned());
    }
    fs::canonicalize(path).map_err(|error| {
        io::Error::new(error.kind(), format!("is a link to a file that is not there ({error})"))
    })
}

/// Makes the folder `root/below` and those on the way to it; none of them below `root` may be a link.
///
/// # Errors
/// A folder cannot be made, or one below `root` is a link.
pub fn real_folder(root: &Path, below: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(root)?;
    let mut dir = root.to_owned();
    for part in below.components() {
        dir.push(part);
        match fs::symlink_metadata(&dir) {
            Ok(there) if there.is_symlink() => {
                let why =
                    format!("`{}` is a link, and nothing is written through it", part.as_os_str().display());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            Ok(there) if there.is_dir() => {}
            _ => match fs::create_dir(&dir) {
                // Another writer was quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
                made => made?,
            },
        }
    }
    Ok(dir)
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// An error without the name of the temporary file, which says nothing to anybody.
pub(super) fn nameless(error: io::Error) -> io::Error {
    // The crate that makes them keeps the system's error to itself and shows it with the path behind it.
    match error.to_string().split_once(" at path ") {
        Some((what, _)) => io::Error::new(error.kind(), what),
        None => error,
    }
}

/// How the names of temporary files for `path` begin.
fn prefix_for(path: &Path) -> String {
    let name = path.file_name().unwrap_or(OsStr::new("")).to_string_lossy();
    format!(".{}.", &name[..name.floor_char_boundary(LONGEST)])
}

/// Removes what killed writers of the same file have left.
fn remove_stale(dir: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_one =
            name.to_str().and_then(|name| name.strip_prefix(prefix)?.strip_suffix(SUFFIX)).is_some_and(
                |random| random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            );
        if is_one && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // The lock goes with the process that had it, however that ended.
            let free = File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
            if free {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The permissions of a new file, of which the process's mask takes its share.
#[cfg(unix)]
fn usual() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

#[cfg(unix)]
fn is_linked(file: &File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) > 0)
}

/// Gives a file to whom the one before belonged, where we may.
#[cfg(unix)]
fn keep_owner(file: &File, before: &fs::Metadata) {
    use std::os::unix::fs::MetadataExt;
    if file.metadata().is_ok_and(|now| (now.uid(), now.gid()) != (before.uid(), before.gid())) {
        let _ = std::os::unix::fs::fchown(file, Some(before.uid()), Some(before.gid()));
    }
}

/// After this a new name outlives a power failure, where folders can be synced.
#[cfg(unix)]
fn sync_folder(path: &Path) {
    let _ = File::open(folder_of(path)).and_then(|dir| dir.sync_all());
}

#[cfg(not(unix))]
fn is_linked(_: &File) -> io::Result<bool> {
    Ok(true)
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) {}

#[cfg(not(unix))]
fn sync_folder(_: &Path) {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    #[cfg(unix)]
    use std::fs::Permissions;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_and_nothing_stays_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        fs::write(dir.path().join("a.csv.tmp"), "the user's own").unwrap();
        atomic_write(&path, b"one").unwrap();
        let file = Beside::create(&path).unwrap();
        (&file.file).write_all(b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        drop(file);
        assert_eq!(names(dir.path()), ["a.csv", "a.csv.tmp"]);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read(dir.path().join("a.csv.tmp")).unwrap(), b"the user's own");
        let long = dir.path().join("я".repeat(120));
        atomic_write(&long, b"x").unwrap();
        assert_eq!(fs::read(long).unwrap(), b"x");
    }

    #[test]
    fn what_a_killed_writer_left_is_removed_and_what_another_holds_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        fs::write(dir.path().join(".a.csv.abcdEF12.tmp"), "half").unwrap();
        fs::write(dir.path().join(".a.csv.notours.tmp"), "user's").unwrap();
        let other = Beside::create(&path).unwrap();
        atomic_write(&path, b"one").unwrap();
        assert!(other.temporary().is_file());
        other.commit().unwrap();
        assert_eq!(names(dir.path()), [".a.csv.notours.tmp", "a.csv"]);
    }

    #[test]
    fn a_new_file_does_not_replace_one_that_came_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let file = Beside::create(&path).unwrap();
        fs::write(&path, "quicker").unwrap();
        assert_eq!(file.commit_held(false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "quicker");
        assert_eq!(names(dir.path()), ["a.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_written_through_or_replaced_and_never_followed_unasked() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("secret"), "before").unwrap();
        fs::set_permissions(at("secret"), Permissions::from_mode(0o640)).unwrap();
        symlink(at("secret"), at("link")).unwrap();
        write_through(&at("link"), b"after").unwrap();
        assert_eq!(fs::read_to_string(at("secret")).unwrap(), "after");
        assert_eq!(fs::metadata(at("secret")).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(at("link").is_symlink());
        atomic_write(&at("link"), b"own").unwrap();
        assert!(!at("link").is_symlink());
        assert_eq!(fs::read_to_string(at("secret")).unwrap(), "after");
        symlink(at("nowhere"), at("dead")).unwrap();
        assert!(write_through(&at("dead"), b"x").unwrap_err().to_string().contains("link"));
        assert!(!at("nowhere").exists());
        assert!(atomic_write(Path::new("/dev/null"), b"x").unwrap_err().to_string().contains("device"));
        // A folder that is a link leads elsewhere.
        fs::create_dir(at("home")).unwrap();
        symlink(at("home"), at("samples")).unwrap();
        assert!(real_folder(dir.path(), Path::new("samples")).unwrap_err().to_string().contains("`samples`"));
        assert!(real_folder(dir.path(), Path::new("a/b")).unwrap().is_dir());
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_any_new_file_or_of_the_one_before() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        File::create(dir.path().join("usual")).unwrap();
        atomic_write(&dir.path().join("new"), b"x").unwrap();
        assert_eq!(mode("new"), mode("usual"));
        fs::write(dir.path().join("old"), "x").unwrap();
        fs::set_permissions(dir.path().join("old"), Permissions::from_mode(0o600)).unwrap();
        atomic_write(&dir.path().join("old"), b"y").unwrap();
        assert_eq!(mode("old"), 0o600);
    }
}
