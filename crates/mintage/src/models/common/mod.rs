//! What families of several kinds share. It knows no kind of data: an item is a tensor here.

pub mod adversarial;
pub mod classes;
pub mod codes;
pub mod conditioning;
pub mod early;
pub mod flow_matching;
pub mod gaussian;
pub mod latents;
pub mod mean_squares;
pub mod padding;
pub mod palette;
pub mod pass;
pub mod reconstruction;
pub mod rows;
pub mod stages;
#[cfg(test)]
pub mod test_support;
pub mod watch;
