//! Judging a model: four dials, each read between a ceiling and a floor that are measured the same way.
//!
//! *Fidelity* asks whether new data can be told from real ones, *coverage* whether every kind of real
//! data is reached, *novelty* whether the new data are new, *utility* whether one can learn from them.
//! Everything is held against the holdout, which the model has never seen. The ceiling of a number is
//! what fresh real data get (a sample of the train split in place of the generated data), its floor
//! what a trivial generator gets; the score from 0 to 100 is the place between the two.

mod bootstrap;
pub mod clip;
mod closer;
pub mod image;
mod roc;
pub mod sequence;
pub mod sound;
pub mod table;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use mintage_data::Splits;
use serde::{Deserialize, Serialize};

pub use bootstrap::{Interval, bootstrap, place};

use crate::{
    dataset::AnyData,
    error::Error,
    events::Event,
    model::Model,
    report::{Dial, Metric, Report},
};

/// Fewer held-out items than this say nothing.
const LEAST: usize = 20;

/// How to evaluate.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Items on either side; never more than the holdout has. `None`: at most 2,000 images, all rows up to 20,000.
    pub n: Option<usize>,
    pub seed: u64,
    /// Where encoders are kept from one evaluation to the next.
    pub cache: Option<PathBuf>,
}

/// Which dial a number moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DialName {
    Fidelity,
    Coverage,
    Novelty,
    Utility,
}

impl DialName {
    pub const ALL: [Self; 4] = [Self::Fidelity, Self::Coverage, Self::Novelty, Self::Utility];

    pub fn name(self) -> &'static str {
        match self {
            Self::Fidelity => "fidelity",
            Self::Coverage => "coverage",
            Self::Novelty => "novelty",
            Self::Utility => "utility",
        }
    }
}

/// The judgement of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemScore {
    pub name: String,
    /// 0–100.
    pub conformity: f64,
    /// Nats, where the family has a likelihood.
    pub nll: Option<f64>,
}

/// Draws from `model` and judges it against the holdout of `data`, which must be the data it learned.
pub fn evaluate(
    model: &Model,
    data: &AnyData,
    options: &Options,
    clock: &dyn Fn() -> Duration,
    on: &mut dyn FnMut(Event),
) -> Result<Report, Error> {
    match data {
        AnyData::Images(set) => image::evaluate(model, set, options, clock, on),
        AnyData::Table(set) => table::evaluate(model, set, options, clock, on),
        AnyData::Sequences(set) => sequence::evaluate(model, set, options, clock, on),
        AnyData::Sounds(set) => sound::evaluate(model, set, options, clock, on),
        AnyData::Clips(set) => clip::evaluate(model, set, options, clock, on),
    }
}

/// Scores every item of `items`, read with the model's codec, against the `data` it learned from.
pub fn score(
    model: &Model,
    data: &AnyData,
    items: &AnyData,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<ItemScore>, Error> {
    match (data, items) {
        (AnyData::Images(data), AnyData::Images(items)) => image::score(model, data, items, options, on),
        (AnyData::Table(data), AnyData::Table(items)) => table::score(model, data, items, options, on),
        (AnyData::Sequences(data), AnyData::Sequences(items)) => {
            sequence::score(model, data, items, options, on)
        }
        (AnyData::Sounds(data), AnyData::Sounds(items)) => sound::score(model, data, items, options, on),
        (AnyData::Clips(data), AnyData::Clips(items)) => clip::score(model, data, items, options, on),
        _ => Err(Error::request("data of different kinds cannot be compared")),
    }
}

fn work(what: &str, done: usize, total: usize) -> Event {
    Event::Work { what: what.to_owned(), done, total }
}

/// The dials that some number moves.
fn dials(metrics: &[Metric]) -> BTreeMap<String, Dial> {
    DialName::ALL.into_iter().filter_map(|d| Some((d.name().to_owned(), dial(d, metrics)?))).collect()
}

/// The mean place of the numbers that move a dial; `None` where there are none.
fn dial(dial: DialName, metrics: &[Metric]) -> Option<Dial> {
    let moved: Vec<&Metric> = metrics.iter().filter(|m| m.dial == Some(dial)).collect();
    if moved.is_empty() {
        return None;
    }
    // The low end of an interval is the good end of some numbers and the bad end of others.
    let lower_is_better = |m: &Metric| m.ceiling < m.floor;
    Some(Dial {
        score: mean_place(&moved, |m| m.value),
        low: mean_place(&moved, |m| if lower_is_better(m) { m.high } else { m.low }),
        high: mean_place(&moved, |m| if lower_is_better(m) { m.low } else { m.high }),
    })
}

fn mean_place(metrics: &[&Metric], pick: impl Fn(&Metric) -> f64) -> f64 {
    let one = |m: &&Metric| place(pick(m), m.floor.unwrap_or(f64::NAN), m.ceiling.unwrap_or(f64::NAN));
    metrics.iter().map(one).sum::<f64>() / metrics.len() as f64
}

/// Items on either side of a comparison, at most `default` unless asked otherwise: never more than there are held
/// out, nor than were trained on. An error where they are too few.
fn compared(options: &Options, default: usize, splits: &Splits, item: &str) -> Result<usize, Error> {
    let held = splits.holdout.len();
    if let Some(asked) = options.n.filter(|&asked| asked < LEAST) {
        let message = format!("{asked} {item}s are too few to judge a model by; {LEAST} are the least");
        return Err(
            Error::request(message).with_hint(format!("{held} are held out: leave out -n for all of them"))
        );
    }
    let n = options.n.unwrap_or(default).min(held).min(splits.train.len());
    if n < LEAST {
        let message =
            format!("{held} held-out {item}s are too few to judge a model by; {LEAST} are the least");
        let hint = format!("about a tenth of the {item}s is held out: it takes 200 of them or more");
        return Err(Error::request(message).with_hint(hint));
    }
    Ok(n)
}

/// At most `limit` of `items`, evenly spaced.
pub(crate) fn evenly(items: &[u32], limit: usize) -> Vec<u32> {
    let count = items.len().min(limit.max(1));
    (0..count).map(|i| items[i * items.len() / count.max(1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenly_spaced_items() {
        assert_eq!(evenly(&[1, 2, 3], 10), [1, 2, 3]);
        assert_eq!(evenly(&[0, 1, 2, 3, 4, 5], 3), [0, 2, 4]);
        assert_eq!(evenly(&[], 3), [] as [u32; 0]);
    }
}
