//! Judging tables.

pub mod boosting;
pub mod detect;
pub mod frame;
pub mod logistic;
pub mod manifold;
mod neighbours;
pub mod privacy;
mod roc;
pub mod shapes;
pub mod singling;
