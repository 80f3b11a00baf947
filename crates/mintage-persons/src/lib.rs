//! placeholder

mod digits;
mod format;
mod kind;
mod locale;
mod make;
mod mask;
mod plan;
mod recognise;
mod russian;
mod stream;
mod text;

pub use format::{Format, Pattern};
pub use kind::{NationalId, Personal};
pub use locale::{Locale, Sex};
pub use mask::Mask;
pub use plan::{Group, Plan, PlannedColumn};
pub use recognise::{Found, Sample, recognise};
pub use russian::Case;
pub use text::Letters;
