//! Judging tables.

pub mod boosting;
pub mod frame;
pub mod shapes;
