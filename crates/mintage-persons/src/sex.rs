//! The sex of a person, as far as a name says it.

use serde::{Deserialize, Serialize};

/// The sex that a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    Female,
    Male,
}
