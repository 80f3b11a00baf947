//! What can go wrong, in words for the person who has to mend it.

use std::path::PathBuf;

use mintage_data::error::io_hint;
use mintage_nn::WeightsError;

/// Every failure of this crate.
///
/// The message says what failed and where; [`Error::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data cannot be read, understood or written.
    #[error(transparent)]
    Data(#[from] mintage_data::Error),
    /// A file of weights is damaged, or does not fit the model.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The device that was asked for cannot be used.
    #[error(transparent)]
    Device(#[from] mintage_nn::DeviceError),
    /// The recipe, or an option laid over it, cannot be used.
    #[error(transparent)]
    Recipe(#[from] crate::recipe::RecipeError),
    /// The operating system refuses a file or a folder.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A file or a folder of a run or a model is not what it should be.
    #[error("{path}: {why}", path = path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it: a fragment that follows the path and a colon.
        why: String,
        /// What to do about it, where that is known.
        hint: Option<String>,
    },
    /// Something was asked for that cannot be done.
    #[error("{message}")]
    Request {
        /// What cannot be done, and why.
        message: String,
        /// What to do about it, where that is known.
        hint: Option<String>,
    },
    /// A field of a request cannot be met.
    #[error("`{field}` {why}")]
    Field {
        /// Its name, as in JSON.
        field: &'static str,
        /// What is wrong with it: goes on from its name, "must be 0 or more". Other fields stand in backticks.
        why: String,
        /// What can be asked instead, where that is known. Fields stand in backticks.
        hint: Option<String>,
    },
    /// What is wrong with a field of a request, in the words of what reads it.
    #[error("{source}")]
    InField {
        /// Its name, as in JSON.
        field: &'static str,
        /// What is wrong.
        source: Box<Error>,
    },
    /// The flag that cancels was set.
    #[error("cancelled")]
    Cancelled,
    /// The loss was not finite for several steps in a row.
    #[error("training stopped at step {step}: {what} (checkpoint of step {kept} is kept)")]
    Diverged {
        /// The step at which training was given up.
        step: u64,
        /// What was not finite: the loss or the gradient.
        what: String,
        /// The step of the newest checkpoint that is whole; 0 without one.
        kept: u64,
    },
}

impl Error {
    /// Attaches the path to an I/O error.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// An error about a folder or a file of a run or a model.
    pub fn folder(path: impl Into<PathBuf>, why: impl Into<String>) -> Self {
        Self::Folder { path: path.into(), why: why.into(), hint: None }
    }

    /// An error about a request that cannot be met.
    pub fn request(message: impl Into<String>) -> Self {
        Self::Request { message: message.into(), hint: None }
    }

    /// A field of a request cannot be met: `why` goes on from its name.
    pub fn field(field: &'static str, why: impl Into<String>) -> Self {
        Self::Field { field, why: why.into(), hint: None }
    }

    /// The same error, of which a field of a request is the cause; one that names a field keeps it.
    #[must_use]
    pub fn in_field(self, field: &'static str) -> Self {
        match self {
            Self::Field { .. } | Self::InField { .. } | Self::Cancelled => self,
            other => Self::InField { field, source: Box::new(other) },
        }
    }

    /// The field of a request that is to blame, as in JSON.
    pub fn blamed_field(&self) -> Option<&'static str> {
        match self {
            Self::Field { field, .. } | Self::InField { field, .. } => Some(field),
            _ => None,
        }
    }

    /// Whether the request is to blame (HTTP 400 or 422), not what answers it (HTTP 500). A request that was cancelled is
    /// neither.
    pub fn is_callers(&self) -> bool {
        match self {
            Self::Request { .. } | Self::Field { .. } | Self::InField { .. } | Self::Recipe(_) => true,
            Self::Data(error) => error.is_callers(),
            Self::Weights(_)
            | Self::Device(_)
            | Self::Io { .. }
            | Self::Folder { .. }
            | Self::Cancelled
            | Self::Diverged { .. } => false,
        }
    }

    /// Adds a hint: what to do about it. Errors from below have their own.
    #[must_use]
    pub fn with_hint(mut self, text: impl Into<String>) -> Self {
        if let Self::InField { field, source } = self {
            return Self::InField { field, source: Box::new(source.with_hint(text)) };
        }
        if let Self::Folder { hint, .. } | Self::Request { hint, .. } | Self::Field { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// Everything that the error is about, such as every file that cannot be read; empty for most errors.
    pub fn list(&self) -> &[String] {
        match self {
            Self::Data(error) => error.list(),
            Self::InField { source, .. } => source.list(),
            _ => &[],
        }
    }

    /// What the user can do about it; `None` where that is not known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Data(error) => error.hint(),
            Self::Recipe(error) => error.hint.clone(),
            Self::Folder { hint, .. } | Self::Request { hint, .. } | Self::Field { hint, .. } => hint.clone(),
            Self::Io { source, .. } | Self::Weights(WeightsError::Io { source, .. }) => io_hint(source),
            Self::Weights(WeightsError::Format { .. }) => {
                Some("the file is damaged: put back a copy of it, or train again".to_owned())
            }
            Self::Weights(WeightsError::Missing(_) | WeightsError::Shape { .. }) => {
                Some("the model or its data have changed since the weights were made".to_owned())
            }
            Self::InField { source, .. } => source.hint(),
            Self::Device(_) | Self::Cancelled => None,
            Self::Diverged { .. } => Some(
                "try a lower learning rate (-s model.lr=…, half of the present one), or a larger batch; \
                 --resume continues from the checkpoint"
                    .to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_to_blame_is_the_first_that_was_named() {
        let error =
            Error::from(mintage_data::Error::bad("condition", "is never met").with_hint("leave it out"));
        let error = error.in_field("where").in_field("out");
        assert_eq!(
            (error.blamed_field(), error.to_string().as_str()),
            (Some("where"), "condition: is never met")
        );
        assert_eq!(error.hint().as_deref(), Some("leave it out"));
        assert_eq!(Error::field("n", "must be 1").in_field("out").blamed_field(), Some("n"));
        assert_eq!(Error::request("no").in_field("out").with_hint("yes").hint().as_deref(), Some("yes"));
    }

    #[test]
    fn the_caller_is_to_blame_for_requests_alone() {
        let io = || Error::io("a")(std::io::ErrorKind::StorageFull.into());
        assert!(Error::request("no").is_callers() && Error::field("n", "must be 1").is_callers());
        assert!(Error::from(mintage_data::Error::bad("row 1", "is none")).is_callers());
        assert!(
            !io().is_callers()
                && !Error::folder("a", "is none").is_callers()
                && !Error::Cancelled.is_callers()
        );
        // A file that the request names is its own.
        assert!(io().in_field("like").is_callers());
    }
}
