//! What can be wrong with data, in words for the person who owns them.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use crate::table::redacted;

/// Every failure of this crate. The message says what and where; [`Error::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    /// `what` is a place: a file, a table, a row, a column.
    #[error("{what}: {why}")]
    Bad {
        what: String,
        why: String,
        hint: Option<String>,
        /// All that it is about, where that is a lot.
        list: Vec<String>,
    },
    /// A source of what this program made itself.
    #[error("{what}: holds nothing but what mintage made ({count})")]
    OnlyMade { what: String, count: usize },
    /// A server that cannot be reached, or not any more: nothing else of it can be read either.
    #[error("{what}: {why}")]
    Lost { what: String, why: String, hint: String },
    #[error("{path}: {source}", path = path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
}

impl Error {
    /// Something is wrong with `what`, which is shown without the password that it may hold.
    pub fn bad(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Bad { what: redacted(&what.into()), why: why.into(), hint: None, list: Vec::new() }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::Bad { what, why, list, .. } => Self::Bad { what, why, hint: Some(text.into()), list },
            other => other,
        }
    }

    /// Says more of what is wrong.
    #[must_use]
    pub(crate) fn with_more(self, text: &str) -> Self {
        match self {
            Self::Bad { what, why, hint, list } => {
                Self::Bad { what, why: format!("{why} ({text})"), hint, list }
            }
            other => other,
        }
    }

    /// Adds all that it is about, for those who want to see it.
    #[must_use]
    pub fn with_list(self, list: Vec<String>) -> Self {
        match self {
            Self::Bad { what, why, hint, .. } => Self::Bad { what, why, hint, list },
            other => other,
        }
    }

    /// All that it is about, such as every file that cannot be read.
    pub fn list(&self) -> &[String] {
        match self {
            Self::Bad { list, .. } => list,
            Self::Io { .. } | Self::Lost { .. } | Self::OnlyMade { .. } | Self::Sqlite { .. } => &[],
        }
    }

    /// What the user can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Bad { hint, .. } => hint.clone(),
            Self::Lost { hint, .. } => Some(hint.clone()),
            Self::Io { source, .. } if UnpacksTooMuch::is_in(source) => {
                Some("unpack it yourself, look at what is in it, and name the unpacked file".to_owned())
            }
            Self::Io { source, .. } => io_hint(source),
            Self::Sqlite { source, .. } => sqlite_hint(source),
            Self::OnlyMade { .. } => Some(
                "--allow-made reads it all the same; a model of such data learns another model's faults"
                    .to_owned(),
            ),
        }
    }

    /// Whether it is about what was asked for, not about the machine or the server that it was asked of.
    pub fn is_callers(&self) -> bool {
        matches!(self, Self::Bad { .. } | Self::OnlyMade { .. })
    }

    /// The same error of a file that still had another name.
    #[must_use]
    pub(crate) fn at(self, path: &std::path::Path) -> Self {
        match self {
            Self::Io { source, .. } => Self::Io { path: path.to_owned(), source },
            other => other,
        }
    }

    /// Attaches the path to an I/O error.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// Attaches the path to a database error.
    pub(crate) fn sqlite(path: impl Into<PathBuf>) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.into();
        move |source| Self::Sqlite { path, source }
    }
}

/// A packed file that holds too much, in words: within an [`io::Error`] of reading it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UnpacksTooMuch(pub String);

impl UnpacksTooMuch {
    /// Whether it is what went wrong.
    pub fn is_in(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

/// What to do about an I/O error, where that is known.
pub fn io_hint(error: &io::Error) -> Option<String> {
    use io::ErrorKind::*;
    let text = match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => "make room; what was there before is untouched",
        PermissionDenied | ReadOnlyFilesystem => "check who may read and write there",
        NotADirectory | AlreadyExists => "a file lies where a folder is needed",
        _ => return None,
    };
    Some(text.to_owned())
}

fn sqlite_hint(error: &rusqlite::Error) -> Option<String> {
    use rusqlite::ErrorCode::*;
    let text = match error.sqlite_error_code()? {
        CannotOpen => "check that its folder is there and can be written",
        DatabaseBusy | DatabaseLocked => "another program is writing to it: try again when that is done",
        DiskFull => "make room; what was there before is untouched",
        NotADatabase => "the file is no SQLite database, or a damaged one",
        PermissionDenied | ReadOnly => "check who may read and write there",
        _ => return None,
    };
    Some(text.to_owned())
}

/// A file of a model that cannot be what was once written.
pub(crate) fn damaged(path: &Path, why: impl fmt::Display) -> Error {
    Error::bad(path.display().to_string(), format!("cannot be read ({why})"))
        .with_hint("put back a copy of it, or train again")
}

/// "; did you mean `x`?" for the candidate nearest to `name`, or nothing.
pub(crate) fn suggestion<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    /// Longer than any name, and too long to be compared with many.
    const MAX_NAME_BYTES: usize = 1024;
    if name.len() > MAX_NAME_BYTES {
        return None;
    }
    let nearest = candidates
        .map(|c| (edit_distance(&name.to_lowercase(), &c.to_lowercase()), c))
        .filter(|(distance, c)| *distance <= (c.chars().count().max(name.chars().count()) / 2).max(1))
        .min_by_key(|(distance, _)| *distance)?;
    Some(format!("did you mean `{}`?", nearest.1))
}

/// Levenshtein distance in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_name() {
        let names = ["products", "about"];
        assert_eq!(suggestion("prodcts", names.into_iter()).as_deref(), Some("did you mean `products`?"));
        assert_eq!(suggestion("zebra", names.into_iter()), None);
        assert_eq!(edit_distance("товар", "товары"), 1);
    }
}
