//! What can go wrong, in words for the person who has to mend it.

use std::path::PathBuf;

/// Every failure of this crate. The message says what and where; [`Error::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Data(#[from] mintage_data::Error),
    #[error(transparent)]
    Weights(#[from] mintage_nn::WeightsError),
    #[error(transparent)]
    Device(#[from] mintage_nn::DeviceError),
    #[error(transparent)]
    Recipe(#[from] crate::recipe::RecipeError),
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {why}", path = path.display())]
    Folder { path: PathBuf, why: String },
    #[error("{0}")]
    Request(String),
    #[error("training stopped at step {step}: {what} (checkpoint of step {kept} is kept)")]
    Diverged { step: u64, what: String, kept: u64 },
}

impl Error {
    /// Attaches the path to an I/O error.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// What the user can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Data(error) => error.hint(),
            Self::Recipe(error) => error.hint.clone(),
            Self::Diverged { .. } => Some(
                "try a lower learning rate (-s model.lr=…, half of the present one), or a larger batch; \
                 --resume continues from the checkpoint"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
