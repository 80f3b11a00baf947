//! Judging tables: plain functions of [`Frame`]s, real ones and new ones.
//!
//! ```text
//! tables ──► Frame::together ──┬─► shapes, coverage ····· columns and pairs of columns
//!                              ├─► detect ··············· can trees tell new rows from real ones, and by what?
//!                              ├─► manifold ············· α-precision, β-recall
//!                              ├─► utility ·············· train on new, test on real
//!                              ├─► privacy ·············· copies, near copies
//!                              ├─► singling, linkability, inference ·· attacks, with their controls
//!                              ├─► persons ·············· values that point at somebody
//!                              └─► tried ················ what was tried, and what was not, in words
//! ```
//!
//! Ceilings and floors are the same functions of other frames: of a sample of the training rows, and of
//! [`independent_columns`].

mod attacks;
mod boosting;
mod conformity;
mod coverage;
mod detect;
mod explain;
mod frame;
mod gower;
mod inference;
mod judge;
mod linkability;
mod logistic;
mod manifold;
mod nearest;
mod neighbours;
mod persons;
mod privacy;

mod shapes;
mod singling;
mod tried;
mod trivial;
mod utility;
mod view;

pub use attacks::Attack;
pub use boosting::{Boosted, Task};
pub use conformity::score;
pub(super) use conformity::{RowConformity, p_values};
pub use coverage::{Coverage, key_uniqueness};
pub use detect::{Detection, Judge, detect};
pub(super) use explain::RowDetector;
pub use frame::{Frame, FrameColumn, Values};
pub use inference::{Inference, inference};
pub use judge::evaluate;
pub(super) use judge::{judge, judge_others};
pub use linkability::linkability;
pub use logistic::Logistic;
pub use manifold::{Manifold, manifold};
pub(super) use nearest::RowIndex;
pub(crate) use persons::holds;
pub use persons::{KnownPersons, Persons};
pub(crate) use privacy::are_copies;
pub use privacy::{Privacy, privacy};
pub use shapes::{Association, Quality, Trend};
pub(crate) use shapes::{kolmogorov_smirnov, pearson};
pub use singling::{SinglingOut, singling_out};
pub use trivial::independent_columns;
pub use utility::{Utility, utility};
