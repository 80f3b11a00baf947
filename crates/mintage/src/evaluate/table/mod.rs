//! Judging tables.

pub mod boosting;
pub mod frame;
pub mod manifold;
mod neighbours;
pub mod privacy;
pub mod shapes;
pub mod singling;
