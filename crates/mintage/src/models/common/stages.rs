//! Training in two stages, each with a schedule of its own: first what maps items to codes or latent vectors, then what
//! draws those.

/// Where a training is: the stage, and the progress within it, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// Before the second stage begins.
    First(f64),
    /// From then on.
    Second(f64),
}

impl Stage {
    /// At `progress` ∈ [0, 1] of a budget whose share `start` is the first stage's.
    pub fn at(progress: f64, start: f64) -> Self {
        match progress < start {
            true => Self::First(progress / start),
            false => Self::Second((progress - start) / (1.0 - start).max(1e-9)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_share_the_budget() {
        assert_eq!(Stage::at(0.15, 0.3), Stage::First(0.5));
        assert_eq!(Stage::at(0.3, 0.3), Stage::Second(0.0));
        assert_eq!(Stage::at(1.0, 0.5), Stage::Second(1.0));
        assert_eq!(Stage::at(0.0, 0.0), Stage::Second(0.0));
        assert_eq!(Stage::at(1.0, 1.0), Stage::Second(0.0));
    }
}
