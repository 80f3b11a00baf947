//! What can go wrong, in words for the person who has to mend it.

use std::path::PathBuf;

use mintage_data::error::io_hint;
use mintage_nn::WeightsError;

/// Every failure of this crate. The message says what and where; [`Error::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Data(#[from] mintage_data::Error),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Device(#[from] mintage_nn::DeviceError),
    #[error(transparent)]
    Recipe(#[from] crate::recipe::RecipeError),
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {why}", path = path.display())]
    Folder { path: PathBuf, why: String, hint: Option<String> },
    #[error("{message}")]
    Request { message: String, hint: Option<String> },
    /// A field of a request cannot be met; `why` goes on from its name: "must be 0 or more".
    #[error("`{field}` {why}")]
    Field { field: &'static str, why: String, hint: Option<String> },
    #[error("cancelled")]
    Cancelled,
    #[error("training stopped at step {step}: {what} (checkpoint of step {kept} is kept)")]
    Diverged { step: u64, what: String, kept: u64 },
}

impl Error {
    /// Attaches the path to an I/O error.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// Something is wrong with a folder or a file of a run or a model.
    pub fn folder(path: impl Into<PathBuf>, why: impl Into<String>) -> Self {
        Self::Folder { path: path.into(), why: why.into(), hint: None }
    }

    /// Something was asked for that cannot be done.
    pub fn request(message: impl Into<String>) -> Self {
        Self::Request { message: message.into(), hint: None }
    }

    /// A field of a request cannot be met: `why` goes on from its name.
    pub fn field(field: &'static str, why: impl Into<String>) -> Self {
        Self::Field { field, why: why.into(), hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Folder { hint, .. } | Self::Request { hint, .. } | Self::Field { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// All that it is about, such as every file that cannot be read.
    pub fn list(&self) -> &[String] {
        match self {
            Self::Data(error) => error.list(),
            _ => &[],
        }
    }

    /// What the user can do about it, where that is known.
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
            Self::Device(_) | Self::Cancelled => None,
            Self::Diverged { .. } => Some(
                "try a lower learning rate (-s model.lr=…, half of the present one), or a larger batch; \
                 --resume continues from the checkpoint"
                    .to_owned(),
            ),
        }
    }
}
