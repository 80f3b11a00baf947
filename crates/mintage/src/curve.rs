//! The curve of a training, as `metrics.jsonl` of its run tells it, and whether more of the same would help.
//!
//! A run may have stages, each of which makes another number small; a line of kind "stage" begins one. What is said of more
//! training is said of the last stage alone, and of validation alone: the loss on what is learned from always falls.

use std::path::Path;

use serde_json::Value;

use crate::{model::ModelConfig, run::METRICS_FILE};

/// Bytes of `metrics.jsonl` beyond which it is not read.
const MAX_BYTES: u64 = 64 << 20;
/// Validations below which no outlook is given.
const MIN_VALIDATIONS: usize = 6;
/// Share of a stage after which its end begins.
const END_OF_STAGE: f64 = 0.75;
/// Improvement, as a share of the number, below which there is none, whatever the noise.
const MIN_IMPROVEMENT: f64 = 0.003;
/// A curve that is flat since this share of a stage, or earlier, says that nothing more is learned.
///
/// The learning rate falls to 0 at the end of a training, and so every curve is flat there.
const STILL_LEARNING: f64 = 0.6;
/// Rise, as a share of the least number, from which on it counts as worse.
const MIN_RISE: f64 = 0.01;
/// Bars of a curve in a line of text.
const MAX_BARS: usize = 40;
/// The bars by height.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A named number over the steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Name of the number, such as "loss" or "nll".
    pub name: String,
    /// Pairs of a step and the number there, by step.
    pub points: Vec<(u64, f64)>,
}

/// The curves of one stage of a training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    /// Name of the stage; empty where a run has one stage.
    pub name: String,
    /// The number that training minimises; the same as `valid` where steps report it under that name.
    pub loss: Series,
    /// The number that validation reports first, less is better; empty where a family has none.
    pub valid: Series,
}

/// The curves of a training, stage by stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The stages in the order of training.
    pub stages: Vec<Stage>,
}

/// What the end of a validation curve says about more training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outlook {
    /// It still improved in the last quarter of the stage.
    Falling {
        /// Share of the number before that the last quarter took off, above 0.
        by: f64,
    },
    /// It has hardly improved for a large part of the training.
    Flat {
        /// Share of the training, from 0 to 1, after which nothing improved.
        since: f64,
    },
    /// It has got worse: the model overfits.
    Rising {
        /// Share of the training, from 0 to 1, at which it was best.
        since: f64,
    },
}

impl Curve {
    /// Reads the curve of the run in `dir`; `None` where there is none, such as in an exported model.
    pub fn read(dir: &Path) -> Option<Self> {
        let text = mintage_data::read_text(&dir.join(METRICS_FILE), MAX_BYTES).ok()?;
        let curve = Self::parse(&text);
        (!curve.stages.is_empty()).then_some(curve)
    }

    fn parse(text: &str) -> Self {
        let mut stages: Vec<Lines> = Vec::new();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for line in lines {
            let Some(step) = line.get("step").and_then(Value::as_u64) else { continue };
            let kind = line.get("kind").and_then(Value::as_str).unwrap_or_default();
            // Runs of older versions do not say where a stage begins: it watches another number.
            let watched =
                line.as_object().filter(|_| kind == "valid").and_then(|line| line.keys().nth(2).cloned());
            let other = watched
                .is_some_and(|name| stages.last().and_then(Lines::watched).is_some_and(|old| old != name));
            if kind == "stage" || kind == "phase" || stages.is_empty() || other {
                let name = line.get("name").and_then(Value::as_str).unwrap_or_default();
                stages.push(Lines { name: name.to_owned(), ..Lines::default() });
            }
            let (Some(stage), Some(numbers)) = (stages.last_mut(), line.as_object()) else { continue };
            let numbers =
                numbers.iter().filter(|(name, _)| !["step", "kind", "name"].contains(&name.as_str()));
            let numbers =
                numbers.filter_map(|(name, number)| Some((name.clone(), number.as_f64()?))).collect();
            match kind {
                "step" => stage.steps.push((step, numbers)),
                "valid" => stage.valid.push((step, numbers)),
                _ => {}
            }
        }
        // A stage that began and was begun again when the run was resumed.
        stages.retain(|stage| !stage.steps.is_empty() || !stage.valid.is_empty());
        Self { stages: stages.into_iter().map(Lines::stage).collect() }
    }

    /// What the end of the curve says about more training; `None` where it says nothing.
    pub fn outlook(&self) -> Option<Outlook> {
        let last = self.stages.last()?;
        outlook(&last.valid.points, self.last_step())
    }

    fn last_step(&self) -> u64 {
        let steps =
            self.stages.iter().flat_map(|stage| [stage.loss.points.last(), stage.valid.points.last()]);
        steps.flatten().map(|(step, _)| *step).max().unwrap_or(0)
    }

    /// The validation of the last stage as a line of bars; `None` for fewer than three points.
    pub fn sparkline(&self) -> Option<String> {
        let points = &self.stages.last()?.valid.points;
        let (low, high) = ends(points)?;
        let bar = |value: f64| {
            BARS[((value - low) / (high - low).max(1e-300) * 7.0).round().clamp(0.0, 7.0) as usize]
        };
        let shown = points.iter().step_by(points.len().div_ceil(MAX_BARS).max(1));
        (points.len() > 2).then(|| shown.map(|(_, value)| bar(*value)).collect())
    }
}

/// The least and the largest number.
pub(crate) fn ends(points: &[(u64, f64)]) -> Option<(f64, f64)> {
    points.iter().map(|(_, value)| *value).fold(None, |ends, value| match ends {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

/// The least number and the step it was reached at.
pub(crate) fn best(points: &[(u64, f64)]) -> Option<(u64, f64)> {
    points.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))
}

/// A step and its numbers.
type Numbers = (u64, Vec<(String, f64)>);

/// The lines of a stage.
#[derive(Default)]
struct Lines {
    name: String,
    steps: Vec<Numbers>,
    valid: Vec<Numbers>,
}

impl Lines {
    /// What its validation watches.
    fn watched(&self) -> Option<String> {
        Some(self.valid.first()?.1.first()?.0.clone())
    }

    fn stage(self) -> Stage {
        let Self { name, steps, valid } = self;
        let first =
            |lines: &[Numbers]| lines.iter().find_map(|(_, numbers)| Some(numbers.first()?.0.clone()));
        let watched = first(&valid).unwrap_or_default();
        let known = steps.iter().any(|(_, numbers)| numbers.iter().any(|(name, _)| *name == watched));
        let loss = if known { watched.clone() } else { first(&steps).unwrap_or_default() };
        let series = |lines: &[Numbers], name: String| {
            let of = |(step, numbers): &Numbers| {
                Some((*step, numbers.iter().find(|(other, _)| *other == name)?.1))
            };
            let points = lines.iter().filter_map(of).collect();
            Series { name, points }
        };
        Stage { name, loss: series(&steps, loss), valid: series(&valid, watched) }
    }
}

/// Whether `valid`, of which less is better, still fell at its end: what its last quarter brought is held against its noise.
///
/// The noise is taken from second differences, which a smooth curve hardly has: for independent errors their variance is six
/// times that of one.
fn outlook(valid: &[(u64, f64)], last_step: u64) -> Option<Outlook> {
    let (first, last) = (valid.first()?, valid.last()?);
    if valid.len() < MIN_VALIDATIONS || last.0 <= first.0 || valid.iter().any(|(_, value)| !value.is_finite())
    {
        return None;
    }
    let end = first.0 as f64 + END_OF_STAGE * (last.0 - first.0) as f64;
    let at = valid.partition_point(|(step, _)| *step as f64 <= end);
    let ((_, before), (_, after)) = (best(&valid[..at])?, best(&valid[at..])?);
    let least = before.min(after);
    let bound = (2.0 * noise(&valid[valid.len() / 2..])).max(MIN_IMPROVEMENT * least.abs());
    if before - after > bound {
        return Some(Outlook::Falling { by: (before - after) / before.abs().max(1e-300) });
    }
    let (step, _) = valid.iter().find(|(_, value)| *value <= least + bound)?;
    let since = *step as f64 / last_step.max(1) as f64;
    if last.1 > least + bound.max(MIN_RISE * least.abs()) {
        return Some(Outlook::Rising { since: best(valid)?.0 as f64 / last_step.max(1) as f64 });
    }
    let of_stage = step.saturating_sub(first.0) as f64 / (last.0 - first.0) as f64;
    (of_stage <= STILL_LEARNING).then_some(Outlook::Flat { since })
}

/// The standard deviation of a number about its smooth curve.
fn noise(points: &[(u64, f64)]) -> f64 {
    let mut bends: Vec<f64> = points.windows(3).map(|w| (w[0].1 - 2.0 * w[1].1 + w[2].1).abs()).collect();
    bends.sort_by(f64::total_cmp);
    // Half of what is normally distributed lies within 0.6745 deviations.
    bends.get(bends.len() / 2).map_or(0.0, |median| median / 0.6745 / 6f64.sqrt())
}

impl Outlook {
    /// The outlook as a sentence, which says what to do; `item` is "image", "row" and the like.
    pub fn sentence(self, item: &str) -> String {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        match self {
            Self::Falling { by } => format!(
                "More training would probably help: the validation loss still fell by {} in the last quarter of training.",
                if by < 0.0095 { format!("{:.1} %", 100.0 * by) } else { percent(by) }
            ),
            Self::Flat { since } => format!(
                "Validation has hardly improved since {} of training: more of it would hardly help; a larger size may.",
                percent(since)
            ),
            Self::Rising { since } => format!(
                "Validation has got worse since {} of training: the model begins to learn its {item}s by heart. More data \
                 would help, more training would not.",
                percent(since)
            ),
        }
    }
}

/// A sentence on whether more training of the model in `dir` would help.
///
/// `None` where there is no curve, or it says nothing.
pub fn advice(dir: &Path, config: &ModelConfig) -> Option<String> {
    let found = Curve::read(dir)?.outlook()?;
    // Some families end where more steps would only learn by heart, whatever the curve.
    let enough = config.model.max_steps(config.info.train_len()).is_some_and(|most| config.step >= most);
    match found {
        Outlook::Falling { .. } if enough => None,
        found => Some(found.sentence(config.info.item())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn curve(of: impl Fn(f64) -> f64) -> Vec<(u64, f64)> {
        (1..=20).map(|i| (50 * i, of(i as f64 / 20.0))).collect()
    }

    /// As good as random, and always the same.
    fn jitter(t: f64) -> f64 {
        (t * 7919.0).sin()
    }

    #[test]
    fn what_still_falls_asks_for_more() {
        let falling = outlook(&curve(|t| 20.0 - 4.0 * t), 1000);
        assert!(
            matches!(falling, Some(Outlook::Falling { by }) if (0.04..0.07).contains(&by)),
            "{falling:?}"
        );
        let noisy = outlook(&curve(|t| 20.0 - 4.0 * t + 0.1 * jitter(t)), 1000);
        assert!(matches!(noisy, Some(Outlook::Falling { .. })), "{noisy:?}");
        let said = falling.unwrap().sentence("row");
        assert!(
            said.starts_with("More training would probably help: the validation loss still fell by 6 %"),
            "{said}"
        );
    }

    #[test]
    fn what_is_flat_asks_for_none_and_noise_is_no_improvement() {
        let flat = |noise: f64| outlook(&curve(|t| 20.0 - 10.0 * t.min(0.4) + noise * jitter(t)), 1000);
        assert!(
            matches!(flat(0.0), Some(Outlook::Flat { since }) if (since - 0.4).abs() < 0.06),
            "{:?}",
            flat(0.0)
        );
        assert!(matches!(flat(0.5), Some(Outlook::Flat { .. })), "{:?}", flat(0.5));
        // That all curves are flat at their end says nothing.
        assert_eq!(outlook(&curve(|t| 20.0 - 10.0 * t.min(0.72)), 1000), None);
        assert!(flat(0.0).unwrap().sentence("row").contains("since 40 % of training"));
    }

    #[test]
    fn what_rises_is_learned_by_heart() {
        let rising = outlook(&curve(|t| 10.0 + 8.0 * (t - 0.5).powi(2)), 1000);
        assert_eq!(rising, Some(Outlook::Rising { since: 0.5 }));
        assert!(rising.unwrap().sentence("image").contains("learn its images by heart"));
    }

    #[test]
    fn too_little_says_nothing() {
        assert_eq!(outlook(&curve(|t| -t)[..5], 250), None);
        assert_eq!(outlook(&[], 0), None);
        assert_eq!(outlook(&[(5, 1.0); 9], 5), None);
        assert_eq!(outlook(&curve(|_| f64::NAN), 1000), None);
    }

    #[test]
    fn stages_are_read_and_a_last_one_without_validation_says_nothing() {
        let mut text = String::from("{\"step\":1,\"kind\":\"stage\",\"name\":\"codes\"}\nno line\n");
        for step in 1..=9 {
            text += &format!(
                "{{\"step\":{step},\"kind\":\"step\",\"loss\":{step}.5,\"mse\":0.5,\"bad\":null}}\n"
            );
            text += &format!("{{\"step\":{step},\"kind\":\"valid\",\"mse\":{},\"usage\":1.0}}\n", 9 - step);
        }
        let one = Curve::parse(&text);
        assert_eq!((one.stages.len(), one.stages[0].name.as_str()), (1, "codes"));
        assert_eq!((one.stages[0].loss.name.as_str(), one.stages[0].valid.points[0]), ("mse", (1, 8.0)));
        assert!(matches!(one.outlook(), Some(Outlook::Falling { .. })));
        assert_eq!(one.sparkline().unwrap(), "█▇▆▅▅▄▃▂▁");
        text += "{\"step\":10,\"kind\":\"stage\",\"name\":\"critic\"}\n{\"step\":10,\"kind\":\"step\",\"reward\":1.0}\n";
        let two = Curve::parse(&text);
        assert_eq!((two.stages.len(), two.stages[1].loss.name.as_str()), (2, "reward"));
        assert_eq!((two.outlook(), two.sparkline()), (None, None));
        let old =
            "{\"step\":5,\"kind\":\"valid\",\"mse\":0.5}\n{\"step\":9,\"kind\":\"valid\",\"nll\":2.5}\n";
        assert_eq!(Curve::parse(old).stages.len(), 2);
    }
}
