//! The curve of a training, as `metrics.jsonl` of its run tells it, and whether more of the same would help.
//!
//! A run may have stages, each of which makes another number small; a line of kind "stage" begins one. What is said of more
//! training is said of the last stage alone, and of validation alone: the loss on what is learned from always falls.

mod fit;

use std::path::Path;

use serde_json::Value;

use crate::{
    dataset::thousands,
    events::{Advice, More, StopReason},
    model::ModelConfig,
    models::Size,
    recipe::{length, rounded_secs},
    run::{MAX_TRAIN_SECS, METRICS_FILE, Run, RunState, TIMES_FILE},
};
use fit::Gain;

/// Bytes of `metrics.jsonl` and of `times.jsonl` beyond which they are not read.
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
/// More training is at least this share of the whole: less of it is not worth a resumption.
const MIN_PROLONGED: f64 = 0.1;
/// More steps than any training has.
const MAX_STEPS: f64 = 1e15;
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
    /// Number of its first step, from 1.
    pub first_step: u64,
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
        let (mut stages, mut last): (Vec<Lines>, u64) = (Vec::new(), 0);
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for line in lines {
            let Some(step) = line.get("step").and_then(Value::as_u64) else { continue };
            let kind = line.get("kind").and_then(Value::as_str).unwrap_or_default();
            // Runs of older versions do not say where a stage begins: it watches another number.
            let watched =
                line.as_object().filter(|_| kind == "valid").and_then(|line| line.keys().nth(2).cloned());
            let other = watched
                .is_some_and(|name| stages.last().and_then(Lines::watched).is_some_and(|old| old != name));
            let is_said = kind == "stage" || kind == "phase";
            if is_said || stages.is_empty() || other {
                let name = line.get("name").and_then(Value::as_str).unwrap_or_default();
                let first_step = if is_said { step } else { last.saturating_add(1) };
                stages.push(Lines { name: name.to_owned(), first_step, ..Lines::default() });
            }
            last = step;
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

    /// What more training of the last stage would bring, where there may be `room` more steps.
    fn gain(&self, room: Option<u64>) -> Option<Gain> {
        let stage = self.stages.last()?;
        let points = stage.valid.points.iter().map(|&(step, value)| (stage.steps_until(step), value));
        let most = room.map_or(f64::INFINITY, |room| room as f64 / stage.steps_until(self.last_step()));
        fit::gain(&points.collect::<Vec<_>>(), most)
    }

    /// The steps that the run has to be prolonged by for its last stage to be `longer` by this multiple.
    fn more_steps(&self, longer: f64) -> Option<More> {
        let (stage, whole) = (self.stages.last()?, self.last_step());
        let steps = prolonged(whole as f64, stage.steps_until(whole), longer);
        (steps < MAX_STEPS).then(|| More::Steps(rounded_steps(steps)))
    }

    /// The same in seconds, where `times` has the training time until each validation.
    fn more_secs(&self, longer: f64, times: &[(u64, f64)]) -> Option<More> {
        let stage = self.stages.last()?;
        let of_stage: Vec<(u64, f64)> =
            times.iter().copied().filter(|(step, _)| *step >= stage.first_step).collect();
        let ((first_step, began), (last_step, ended)) = (*of_stage.first()?, *of_stage.last()?);
        let step_secs = (ended - began) / last_step.checked_sub(first_step)? as f64;
        let secs = prolonged(ended, step_secs * stage.steps_until(last_step), longer);
        (step_secs > 0.0 && secs < MAX_TRAIN_SECS).then(|| More::Secs(rounded_secs(secs)))
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

impl Stage {
    /// Its steps until the step with this number.
    fn steps_until(&self, step: u64) -> f64 {
        step.saturating_sub(self.first_step) as f64 + 1.0
    }
}

/// By how much a run of the length `whole` is prolonged for its last stage, of the length `stage`, to be `longer` by this
/// multiple.
///
/// A budget stretches every stage. As long as the run stays in its last one, all that is added is added to that; beyond, the
/// stages before it go on as well, and take their shares.
fn prolonged(whole: f64, stage: f64, longer: f64) -> f64 {
    let alone = longer * stage;
    let stays = whole / (whole + alone) >= (whole - stage) / whole;
    let more = if stays { alone } else { longer * whole };
    more.max(MIN_PROLONGED * whole)
}

/// Two digits of a number of steps, rounded up.
fn rounded_steps(steps: f64) -> u64 {
    let steps = (steps.ceil() as u64).max(1);
    let unit = 10u64.pow(steps.ilog10().saturating_sub(1));
    steps.div_ceil(unit) * unit
}

/// The steps of validations with the training time until then; empty in runs of versions that did not keep it.
fn times(dir: &Path) -> Vec<(u64, f64)> {
    let text = mintage_data::read_text(&dir.join(TIMES_FILE), MAX_BYTES).unwrap_or_default();
    let time = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        Some((line.get("step")?.as_u64()?, line.get("secs")?.as_f64()?))
    };
    text.lines().filter_map(time).collect()
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
    first_step: u64,
    steps: Vec<Numbers>,
    valid: Vec<Numbers>,
}

impl Lines {
    /// What its validation watches.
    fn watched(&self) -> Option<String> {
        Some(self.valid.first()?.1.first()?.0.clone())
    }

    fn stage(self) -> Stage {
        let Self { name, first_step, steps, valid } = self;
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
        Stage { name, first_step, loss: series(&steps, loss), valid: series(&valid, watched) }
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
    /// The outlook as a sentence, which says what to do; `item` is "image", "row" and the like, `size` that of the model.
    pub fn sentence(self, item: &str, size: Size) -> String {
        match self {
            Self::Falling { by } => format!(
                "More training would probably help: the validation loss still fell by {} in the last quarter of training.",
                if by < 0.0095 { format!("{:.1} %", 100.0 * by) } else { percent(by) }
            ),
            Self::Flat { since } => {
                let larger = Size::ALL.iter().skip_while(|other| **other != size).nth(1);
                let larger =
                    larger.map_or_else(String::new, |size| format!("a larger size ({}), ", size.name()));
                format!(
                    "Validation has hardly improved since {} of training: more of it would hardly help; {larger}another \
                     family or more data may.",
                    percent(since)
                )
            }
            Self::Rising { since } => format!(
                "Validation has got worse since {} of training: the model begins to learn its {item}s by heart. More data \
                 would help, more training would not.",
                percent(since)
            ),
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// What so much more training would bring: "12 more minutes would bring about half of what is left to gain".
fn promise(more: More, share: Option<f64>) -> String {
    let more = match more {
        More::Secs(secs) => {
            let (n, unit) = length(secs);
            format!("{n} more {unit}")
        }
        More::Steps(1) => "1 more step".to_owned(),
        More::Steps(steps) => format!("{} more steps", thousands(steps as usize)),
    };
    let part = match share {
        None => return format!("{more} would help, and would not be the end of it"),
        Some(0.42..) => "half",
        Some(0.29..) => "a third",
        Some(0.225..) => "a quarter",
        Some(_) => "a fifth",
    };
    format!("{more} would bring about {part} of what is left to gain")
}

/// Whether more training of the model in `dir` would help, and how much of it.
///
/// `is_good`: the model has been judged and is good enough, so that only what is wrong with it is worth saying. `None` where
/// there is no curve, or it says nothing.
pub fn advice(dir: &Path, config: &ModelConfig, is_good: bool) -> Option<Advice> {
    let curve = Curve::read(dir)?;
    let found = curve.outlook();
    // Some families end where more steps would only learn by heart, whatever the curve.
    let room = config.model.max_steps(config.info.train_len()).map(|most| most.saturating_sub(config.step));
    let may_gain = !is_good && room != Some(0);
    // What a large loss gains may be much of what there is to gain, and too little of the whole to be called falling.
    if may_gain
        && matches!(found, None | Some(Outlook::Falling { .. }))
        && let Some((more, share)) = promised(&curve, dir, room)
    {
        return Some(Advice { text: format!("Still learning: {}.", promise(more, share)), more: Some(more) });
    }
    match found? {
        Outlook::Falling { .. } if !may_gain => None,
        Outlook::Flat { .. } if is_good => None,
        found => Some(Advice { text: found.sentence(config.info.item(), config.size), more: None }),
    }
}

/// What the training of the run in `dir` says at its end, see [`Event::Done`](crate::events::Event::Done).
///
/// `None` where its budget is not spent: who let it end early, or had it ended, knows already.
pub fn advice_at_end(dir: &Path, config: &ModelConfig) -> Option<Advice> {
    let file = Run::open(dir).and_then(|run| run.file()).ok()?;
    let is_spent = file.state == RunState::Done && file.ended == Some(StopReason::Budget);
    is_spent.then(|| advice(dir, config, false)).flatten()
}

/// How much more training is worth while, in what the budget of the run is counted in, and the share of what is left that
/// it brings.
fn promised(curve: &Curve, dir: &Path, room: Option<u64>) -> Option<(More, Option<f64>)> {
    let Gain { longer, share } = curve.gain(room)?;
    let counts_steps = Run::open(dir).and_then(|run| run.recipe()).ok()?.train.steps.is_some();
    let more = if counts_steps { curve.more_steps(longer) } else { curve.more_secs(longer, &times(dir)) };
    Some((more?, share))
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
        let said = falling.unwrap().sentence("row", Size::Small);
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
        let said = |size| flat(0.0).unwrap().sentence("row", size);
        assert!(said(Size::Small).contains("since 40 % of training"));
        assert!(said(Size::Small).ends_with("; a larger size (base), another family or more data may."));
        assert!(said(Size::Large).ends_with("would hardly help; another family or more data may."));
    }

    #[test]
    fn what_rises_is_learned_by_heart() {
        let rising = outlook(&curve(|t| 10.0 + 8.0 * (t - 0.5).powi(2)), 1000);
        assert_eq!(rising, Some(Outlook::Rising { since: 0.5 }));
        assert!(rising.unwrap().sentence("image", Size::Small).contains("learn its images by heart"));
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
        assert_eq!(one.stages[0].first_step, 1);
        assert_eq!((one.stages[0].loss.name.as_str(), one.stages[0].valid.points[0]), ("mse", (1, 8.0)));
        assert!(matches!(one.outlook(), Some(Outlook::Falling { .. })));
        assert_eq!(one.sparkline().unwrap(), "█▇▆▅▅▄▃▂▁");
        text += "{\"step\":10,\"kind\":\"stage\",\"name\":\"critic\"}\n{\"step\":10,\"kind\":\"step\",\"reward\":1.0}\n";
        let two = Curve::parse(&text);
        assert_eq!((two.stages.len(), two.stages[1].loss.name.as_str()), (2, "reward"));
        assert_eq!((two.outlook(), two.sparkline()), (None, None));
        let old =
            "{\"step\":5,\"kind\":\"valid\",\"mse\":0.5}\n{\"step\":9,\"kind\":\"valid\",\"nll\":2.5}\n";
        let old = Curve::parse(old);
        assert_eq!((old.stages.len(), old.stages[1].first_step), (2, 6));
    }

    /// The curve of a stage of 1,000 steps, behind one of so many.
    fn staged(before: u64) -> Curve {
        let mut text = String::new();
        if before > 0 {
            text += &format!("{{\"step\":{before},\"kind\":\"valid\",\"mse\":0.5}}\n");
        }
        text += &format!("{{\"step\":{},\"kind\":\"stage\",\"name\":\"prior\"}}\n", before + 1);
        for step in (50..=1_000).step_by(50) {
            let loss = 2.0 + 15.0 / step as f64;
            text += &format!("{{\"step\":{},\"kind\":\"valid\",\"nll\":{loss}}}\n", before + step);
        }
        Curve::parse(&text)
    }

    #[test]
    fn only_the_last_stage_is_prolonged_while_the_run_stays_in_it() {
        for before in [0, 3_000] {
            let gain = staged(before).gain(None).unwrap();
            assert!((gain.longer - 1.0).abs() < 0.1, "{gain:?}");
        }
        assert_eq!(staged(0).more_steps(1.0), Some(More::Steps(1_000)));
        // 1,000 more of 4,000 steps: 80 % of them lie behind, and the stage began at 75 %.
        assert_eq!(staged(3_000).more_steps(1.0), Some(More::Steps(1_000)));
        // Twice as many would begin before it.
        assert_eq!(staged(3_000).more_steps(2.0), Some(More::Steps(8_000)));
        // Steps of the first stage took a tenth of the time.
        let times: Vec<(u64, f64)> = [(3_000, 30.0)]
            .into_iter()
            .chain((3_001..=4_000).map(|at| (at, 30.0 + (at - 3_000) as f64 / 10.0)))
            .collect();
        assert_eq!(staged(3_000).more_secs(1.0, &times), Some(More::Secs(120)));
        assert_eq!(staged(3_000).more_secs(1.0, &[]), None);
        assert_eq!(staged(3_000).more_secs(1.0, &[(4_000, 9.0), (4_000, 9.0)]), None);
    }

    #[test]
    fn amounts_are_rounded_up_and_said_as_people_do() {
        assert_eq!([12.0, 1_234.0, 0.2, 99_001.0].map(rounded_steps), [12, 1_300, 1, 100_000]);
        assert_eq!([3.0, 61.0, 100.0, 695.0, 7_300.0].map(rounded_secs), [10, 70, 120, 720, 10_800]);
        assert_eq!([70, 120, 720, 5_400, 10_800].map(length).map(|(n, _)| n), [70, 2, 12, 90, 3]);
        assert_eq!(
            promise(More::Secs(720), Some(0.5)),
            "12 more minutes would bring about half of what is left to gain"
        );
        assert!(
            promise(More::Steps(1_300), Some(0.34)).starts_with("1,300 more steps would bring about a third")
        );
        assert!(promise(More::Secs(7_200), None).starts_with("2 more hours would help"));
    }
}
