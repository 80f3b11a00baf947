//! Whether a budget of time is too short for the stages of a training.

use crate::recipe::{length, rounded_secs};

/// Steps of its shortest stage below which a training of several stages learns nothing.
const MIN_STAGE_STEPS: f64 = 20.0;

/// A warning where `secs` of training are too few for these stages, if a step takes `step_secs`; it says how many would do.
///
/// `stages` has names, and the share of the budget at which each begins. A training of one stage always gets somewhere.
pub(super) fn too_short(stages: &[(&str, f64)], step_secs: f64, secs: f64) -> Option<String> {
    let ends = stages.iter().skip(1).map(|(_, from)| *from).chain([1.0]);
    let shares = stages.iter().zip(ends).map(|((_, from), to)| to - from).filter(|share| *share > 0.0);
    let least = MIN_STAGE_STEPS * step_secs / shares.fold(1.0, f64::min);
    (stages.len() > 1 && secs < least).then(|| {
        let names: Vec<&str> = stages.iter().map(|(name, _)| *name).collect();
        let (n, unit) = length(rounded_secs(least));
        let step = match step_secs {
            ..0.95 => format!("{:.0} ms", (1e3 * step_secs).ceil()),
            _ => format!("{step_secs:.1} seconds"),
        };
        format!(
            "a step takes {step}: the stages of this training ({}) need about {n} {unit} at the very least",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn warns_where_the_shortest_stage_gets_too_few_steps() {
        let stages = [("codes", 0.0), ("prior over codes", 0.75)];
        // 20 steps of a quarter of the budget are 80 of all.
        let said = too_short(&stages, 5.0, 300.0).unwrap();
        assert_eq!(
            said,
            "a step takes 5.0 seconds: the stages of this training (codes, prior over codes) need about 7 minutes at the very \
             least"
        );
        assert!(too_short(&stages, 0.0214, 1.0).unwrap().starts_with("a step takes 22 ms: "));
        assert_eq!(too_short(&stages, 5.0, 401.0), None);
        assert_eq!(too_short(&stages[..1], 5.0, 1.0), None);
    }

    #[test]
    fn a_stage_without_a_share_of_the_budget_does_not_count() {
        assert_eq!(too_short(&[("language", 0.0), ("critic", 1.0)], 1.0, 21.0), None);
    }
}
