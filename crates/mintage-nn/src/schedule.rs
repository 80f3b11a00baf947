//! Learning-rate schedule as a function of the share of the budget that is spent.
//!
//! A run has a budget of time or of steps; either way `progress` runs from 0 to 1, so the schedule
//! ends exactly when the budget does, whatever the hardware.

use serde::{Deserialize, Serialize};

/// Linear warm-up, constant or slow decline, and a decay to zero at the end of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Share of the budget spent on the linear warm-up.
    pub warmup: f64,
    /// Learning rate at the end as a share of the peak.
    pub floor: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { warmup: 0.02, floor: 0.0 }
    }
}

impl Schedule {
    /// Multiplier of the peak learning rate at `progress` in `[0, 1]`: warm-up, then half a cosine.
    pub fn factor(&self, progress: f64) -> f64 {
        let progress = progress.clamp(0.0, 1.0);
        if progress < self.warmup {
            // Never exactly zero: the first step should learn something.
            return (progress / self.warmup).max(0.01);
        }
        let rest = (progress - self.warmup) / (1.0 - self.warmup);
        self.floor + (1.0 - self.floor) * 0.5 * (1.0 + (std::f64::consts::PI * rest).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls_to_zero() {
        let schedule = Schedule::default();
        assert!(schedule.factor(0.0) > 0.0);
        assert!((schedule.factor(0.02) - 1.0).abs() < 1e-9);
        assert!(schedule.factor(0.3) > schedule.factor(0.6));
        assert!(schedule.factor(1.0).abs() < 1e-9);
    }
}
