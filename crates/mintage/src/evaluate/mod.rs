//! Judging a model: four dials, each read between a ceiling and a floor that are measured the same way.
//!
//! *Fidelity* asks whether new data can be told from real ones, *coverage* whether every kind of real
//! data is reached, *novelty* whether the new data are new, *utility* whether one can learn from them.
//! Everything is held against the holdout, which the model has never seen. The ceiling of a number is
//! what fresh real data get (a sample of the train split in place of the generated data), its floor
//! what a trivial generator gets; the score from 0 to 100 is the place between the two. Where these do not differ on the
//! data at hand, nothing is scored.

pub mod audio;
mod bootstrap;
mod dcr;
#[cfg(test)]
mod demo_data;
pub mod explain;
pub mod image;
mod membership;
pub mod nearest;
mod pictures;
mod privacy;
pub mod real;
mod roc;
mod scorer;
pub mod sequence;
mod sources;
pub mod table;
mod verdict;
pub mod video;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use mintage_data::{Clips, Images, Split, Splits, Table};
use serde::{Deserialize, Serialize};

pub use bootstrap::{Interval, bootstrap};
pub use explain::{Explainer, Explanation};
pub use nearest::{Closeness, Nearest, NearestIndex};
pub use real::{open_data, real, samples_of};
pub use scorer::Scorer;
pub use sources::{Comparison, Sources};

use crate::{
    curve::{Curve, advice},
    dataset::{AnyData, thousands},
    error::Error,
    events::Event,
    model::Model,
    models::AnyModel,
    report::{Dial, Exhibit, Metric, Report, training},
};

/// Held-out or new items below which nothing is judged.
const MIN_ITEMS: usize = 20;

/// How to evaluate.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Number of items on either side; never more than there are held out. `None`: a default of the kind of
    /// data, such as 2,000 images or 20,000 rows.
    pub n: Option<usize>,
    /// Seed of the sampling, of the trivial generator and of all resampling.
    pub seed: u64,
    /// Folder where encoders are kept from one evaluation to the next; `None` keeps none.
    pub cache: Option<PathBuf>,
    /// What the generator was trained on.
    pub trained_on: TrainedOn,
    /// Whether the likelihood of held-out documents is also taken while the model follows what it reads of them.
    pub adapt: bool,
}

/// What a generator was trained on, which decides how far copies can be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrainedOn {
    /// The train split and nothing of the holdout, as every model of this crate.
    #[default]
    Train,
    /// All of the data: copies can be searched for, but no data are left to tell which are there by chance.
    Everything,
    /// Not known: the train split is other real data, which sets the ceiling, and copies cannot be judged.
    Unknown,
}

/// One of the four questions that a score from 0 to 100 answers; more is better for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DialName {
    /// Can new items be told from real ones? 100: no better than other real items can.
    Fidelity,
    /// Do all kinds of real items occur? 100: as many as among other real items.
    Coverage,
    /// Are the items new, or copied from the training data? 100: no sign of copying.
    Novelty,
    /// Does a model trained on new items work on real ones? 100: as well as one trained on real items.
    Utility,
}

impl DialName {
    /// All dials in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Fidelity, Self::Coverage, Self::Novelty, Self::Utility];

    /// The name in lower case, which is the key in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fidelity => "fidelity",
            Self::Coverage => "coverage",
            Self::Novelty => "novelty",
            Self::Utility => "utility",
        }
    }
}

impl TrainedOn {
    /// What the real items that new ones are compared with are called.
    fn real(self) -> &'static str {
        if self == Self::Train { "real, held out" } else { "real" }
    }
}

/// The scores of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemScore {
    /// Name of the item, such as that of its file, or "row 17".
    pub name: String,
    /// How well the item conforms to the training data: a conformal p-value times 100, from 0 to 100.
    ///
    /// Of items from the same source at most about one in twenty falls below 5.
    pub conformity: f64,
    /// Negative log-likelihood in nats, less is likelier; `None` where the family has no likelihood.
    pub nll: Option<f64>,
}

/// Samples from `model` and judges the samples against the holdout of `data`.
///
/// `data` must be the data that the model learned from. `clock` is any time since a fixed start.
///
/// # Errors
/// The data are of another kind than the model, too few items are held out, the model cannot be sampled from,
/// or cannot adapt where that is asked for, or data cannot be read.
pub fn evaluate(
    model: &Model,
    data: &AnyData,
    options: &Options,
    clock: &dyn Fn() -> Duration,
    on: &mut dyn FnMut(Event),
) -> Result<Report, Error> {
    if options.adapt {
        check_adapts(model)?;
    }
    match data {
        AnyData::Image(set) => image::evaluate(model, set, options, clock, on),
        AnyData::Table(set) => table::evaluate(model, set, options, clock, on),
        AnyData::Sequence(set) => sequence::evaluate(model, set, options, clock, on),
        AnyData::Audio(set) => audio::evaluate(model, set, options, clock, on),
        AnyData::Video(set) => video::evaluate(model, set, options, clock, on),
    }
}

/// Refuses models that cannot follow what they read.
fn check_adapts(model: &Model) -> Result<(), Error> {
    if matches!(&model.any, AnyModel::Sequence(model) if model.adapts()) {
        return Ok(());
    }
    let (family, item) = (model.config.model.family().name(), model.config.info.item());
    let message =
        format!("{} cannot adapt to what it reads: it is a model `{family}` of {item}s", model.name());
    Err(Error::request(message)
        .with_hint("models `ar` of texts and tunes can, but for those of segments (model.segments)"))
}

/// Scores every item of `items` by how well it conforms to the `data` that the model learned from.
///
/// `items` must be read with the transform of the model.
///
/// # Errors
/// The data and the items are not of the kind of the model, there are too few items to compare with, or they
/// cannot be read.
pub fn score(
    model: &Model,
    data: &AnyData,
    items: &AnyData,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<ItemScore>, Error> {
    match (data, items) {
        (AnyData::Image(data), AnyData::Image(items)) => image::score(model, data, items, options, on),
        (AnyData::Table(data), AnyData::Table(items)) => table::score(model, data, items, options, on),
        (AnyData::Sequence(data), AnyData::Sequence(items)) => {
            sequence::score(model, data, items, options, on)
        }
        (AnyData::Audio(data), AnyData::Audio(items)) => audio::score(model, data, items, options, on),
        (AnyData::Video(data), AnyData::Video(items)) => video::score(model, data, items, options, on),
        _ => Err(Error::request("data of different kinds cannot be compared")),
    }
}

/// New items of any generator, to be judged like those of a model.
pub enum NewItems {
    /// Images of the shape of the data.
    Image(Images),
    /// Rows with the columns of the data.
    Table(Table),
    /// Tokens of the tokenizer of the data, without boundaries, each with its class.
    Sequence(Vec<(Vec<u32>, Option<u32>)>),
    /// Sounds at the rate and with the channels of the data, channel after channel, with their classes.
    Audio(Vec<Vec<f32>>, Vec<u32>),
    /// Clips of the shape, length and frame rate of the data.
    Video(Clips),
}

/// The scores of new items.
#[derive(Clone, Debug)]
pub struct Scores {
    /// The dials that have a score, by [`DialName::name`].
    pub dials: BTreeMap<String, Dial>,
    /// Why a dial has no score, by [`DialName::name`].
    pub unmeasured: BTreeMap<String, String>,
    /// Every number that was measured, those that move no dial included.
    pub metrics: Vec<Metric>,
}

/// Judges new items against the holdout of `data` by everything that needs no model.
///
/// # Errors
/// The new items are of another kind than the data, too few items are held out, or data cannot be read.
pub fn judge(
    data: &AnyData,
    new: NewItems,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Scores, Error> {
    let (metrics, n, item) = match (data, new) {
        (AnyData::Image(set), NewItems::Image(new)) => {
            let (n, sets) = (new.len(), image::Sets::of(new, "pixels", set, options, on)?);
            (image::judge(&sets, on)?.0, n, "image")
        }
        (AnyData::Table(set), NewItems::Table(new)) => {
            let n = new.rows();
            (table::judge(set, new, options, on)?, n, "row")
        }
        (AnyData::Sequence(set), NewItems::Sequence(new)) => {
            let n = new.len();
            (sequence::judge(set, new, options, on)?, n, "document")
        }
        (AnyData::Audio(set), NewItems::Audio(new, labels)) => {
            let n = new.len();
            (audio::judge(set, &new, labels, options, on)?, n, "sound")
        }
        (AnyData::Video(set), NewItems::Video(new)) => {
            let n = new.len();
            (video::judge(set, &new, options, on)?, n, "clip")
        }
        _ => return Err(Error::request("data of different kinds cannot be compared")),
    };
    Ok(scores(metrics, n, item))
}

/// The dials of the numbers.
fn scores(metrics: Vec<Metric>, n: usize, item: &str) -> Scores {
    let (mut dials, mut unmeasured) = (BTreeMap::new(), BTreeMap::new());
    for name in DialName::ALL {
        match dial(name, &metrics) {
            Found::Dial(dial) => drop(dials.insert(name.name().to_owned(), dial)),
            Found::TooFew => {
                unmeasured.insert(name.name().to_owned(), cannot_be_measured(name, &metrics, n, item));
            }
            Found::Nothing => {}
        }
    }
    Scores { dials, unmeasured, metrics }
}

fn work(what: &str, done: usize, total: usize) -> Event {
    Event::Work { what: what.to_owned(), done, total }
}

/// What was found of new items.
struct Judgement {
    /// What one of them is called.
    item: String,
    /// The data in words.
    data: String,
    /// Items on either side.
    n: usize,
    seed: u64,
    trained_on: TrainedOn,
    metrics: Vec<Metric>,
    exhibits: Vec<Exhibit>,
}

impl Judgement {
    /// The report on a model that draws so many items a second.
    fn report(mut self, model: &Model, items_per_sec: f64) -> Report {
        self.exhibits.extend(self.privacy());
        if let Some(curve) = Curve::read(&model.dir) {
            self.exhibits.push(training::exhibit(&curve, &model.config));
        }
        let mut report = self.bare_report();
        let fidelity = report.dials.get(DialName::Fidelity.name());
        let is_good = fidelity.is_some_and(|dial| dial.score >= verdict::MIN_RIGHT);
        report.verdict.extend(advice(&model.dir, &model.config, is_good).map(|advice| advice.text));
        Report {
            model: model.name(),
            family: Some(model.config.model.family().name().to_owned()),
            size: Some(model.config.size.name().to_owned()),
            source: model.config.source.source.clone(),
            train_secs: Some(model.config.train_secs),
            step: Some(model.config.step),
            items_per_sec: Some(items_per_sec),
            ..report
        }
    }

    /// What was tried to get at what was trained on; judges of rows try more and say it themselves.
    fn privacy(&self) -> Option<Exhibit> {
        privacy::exhibit_of(self.trained_on, &self.item, &self.metrics).filter(|_| self.item != "row")
    }

    /// All but who made the new items.
    fn bare_report(self) -> Report {
        let Self { item, data, n, seed, trained_on, metrics, exhibits } = self;
        let Scores { dials, mut unmeasured, metrics } = scores(metrics, n, &item);
        if trained_on == TrainedOn::Unknown {
            unmeasured.insert(DialName::Novelty.name().to_owned(), NO_NOVELTY.to_owned());
        }
        let mut verdict = verdict::verdict(&item, &dials, &unmeasured, &metrics);
        verdict.extend((trained_on == TrainedOn::Everything).then(|| NOTHING_HELD_OUT.to_owned()));
        Report {
            format: 1,
            model: String::new(),
            family: None,
            size: None,
            source: String::new(),
            trained_on: None,
            train_secs: None,
            step: None,
            items_per_sec: None,
            verdict,
            measured: measured(&dials, &items_of(n, &item, trained_on)),
            item,
            data,
            n,
            seed,
            dials,
            unmeasured,
            metrics,
            exhibits,
        }
    }
}

/// Why copies are not judged, and what to know where no data are held out.
const NO_NOVELTY: &str = "cannot be measured: what they were learned from is not known (--train names it)";
const NOTHING_HELD_OUT: &str = "All real data were trained on: the scores say how near the new ones come to data that their \
                                program knows, and attacks, which need data that it does not know, were not tried.";

/// "2,000 new and 2,000 held-out rows".
fn items_of(n: usize, item: &str, trained_on: TrainedOn) -> String {
    let (n, real) = (thousands(n), if trained_on == TrainedOn::Train { "held-out" } else { "real" });
    format!("{n} new and {n} {real} {item}s")
}

/// What each dial was measured with.
fn measured(dials: &BTreeMap<String, Dial>, items: &str) -> BTreeMap<String, String> {
    let with = |dial: &String| match dial == DialName::Novelty.name() {
        true => format!("{items}, beside what was trained on"),
        false => items.to_owned(),
    };
    dials.keys().map(|dial| (dial.clone(), with(dial))).collect()
}

/// What the numbers say of a dial.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Found {
    Dial(Dial),
    /// No number that would move it can tell real data from a trivial generator's.
    TooFew,
    /// No number would move it.
    Nothing,
}

/// The mean place of the numbers that move a dial, by their weights. New data must not fail any question of novelty: there the worst counts.
fn dial(dial: DialName, metrics: &[Metric]) -> Found {
    let moved: Vec<&Metric> = metrics.iter().filter(|m| m.dial == Some(dial)).collect();
    let placed = moved.iter().filter_map(|m| Some((m.weight, m.places()?)));
    let places: Vec<(f64, (f64, f64, f64))> = placed.collect();
    let weights: f64 = places.iter().map(|(weight, _)| weight).sum();
    // How much clips move, or how long tunes are, is no likeness where nobody can say whether they are told apart.
    let unjudged = moved.iter().any(|m| m.name == verdict::DETECTOR && m.places().is_none());
    if unjudged && dial == DialName::Fidelity {
        return Found::TooFew;
    }
    let of = |pick: fn(&(f64, f64, f64)) -> f64| {
        let all = places.iter().map(|(weight, place)| (weight, pick(place)));
        match dial {
            DialName::Novelty => all.map(|(_, place)| place).fold(100.0, f64::min),
            _ => all.map(|(weight, place)| weight * place).sum::<f64>() / weights,
        }
    };
    match (moved.is_empty(), places.is_empty()) {
        (true, _) => Found::Nothing,
        (_, true) => Found::TooFew,
        _ => Found::Dial(Dial { score: of(|p| p.0), low: of(|p| p.1), high: of(|p| p.2) }),
    }
}

/// "cannot be measured with 24 held-out images: 90 would do".
fn cannot_be_measured(dial: DialName, metrics: &[Metric], n: usize, item: &str) -> String {
    let moved = metrics.iter().filter(|m| m.dial == Some(dial));
    let would_do = moved.filter_map(|m| m.would_do(n)).filter(|&enough| enough > n).min();
    let rest = match would_do {
        Some(enough) => format!(": about {enough} would do"),
        None => format!(": even a trivial generator's {item}s look as good as real ones here"),
    };
    format!("cannot be measured with {n} held-out {item}s{rest}")
}

/// Items on either side of a comparison, at most `default` unless asked otherwise: never more than there are held
/// out, nor than were trained on. An error where they are too few.
fn compared(options: &Options, default: usize, splits: &Splits, item: &str) -> Result<usize, Error> {
    let held = splits.holdout.len();
    if let Some(asked) = options.n.filter(|&asked| asked < MIN_ITEMS) {
        let message = format!("{asked} {item}s are too few to judge a model by; {MIN_ITEMS} are the least");
        return Err(
            Error::request(message).with_hint(format!("{held} are held out: leave out -n for all of them"))
        );
    }
    let n = options.n.unwrap_or(default).min(held).min(splits.train.len());
    if n < MIN_ITEMS {
        let items = if held == 1 { format!("{item} is") } else { format!("{item}s are") };
        let message =
            format!("{held} held-out {items} too few to judge a model by; {MIN_ITEMS} are the least");
        let all = splits.train.len() + splits.valid.len() + held;
        let hint = match all {
            ..200 => format!("about a tenth of the {item}s is held out: it takes 200 of them or more"),
            _ => format!("copies of one {item} are held out together: few of these {all} differ"),
        };
        return Err(Error::request(message).with_hint(hint));
    }
    Ok(n)
}

/// The same, and never more than the new items of another program: which of these are compared.
fn compared_of(
    new: usize,
    options: &Options,
    default: usize,
    splits: &Splits,
    item: &str,
) -> Result<Vec<u32>, Error> {
    if new < MIN_ITEMS {
        let message = format!("{new} new {item}s are too few to judge; {MIN_ITEMS} are the least");
        return Err(Error::request(message).with_hint("as many as are compared with would be best"));
    }
    let n = compared(options, default, splits, item)?.min(new);
    Ok(evenly(&(0..new as u32).collect::<Vec<_>>(), n))
}

/// At most `limit` of `items`, evenly spaced.
pub(crate) fn evenly(items: &[u32], limit: usize) -> Vec<u32> {
    let count = items.len().min(limit.max(1));
    (0..count).map(|i| items[i * items.len() / count.max(1)]).collect()
}

/// At most `limit` items of each split, evenly spaced, with splits that number them from 0.
fn evenly_of_splits(items: impl Fn(Split) -> Vec<u32>, limit: usize) -> (Splits, Vec<u32>) {
    let (mut splits, mut chosen) = (Splits::default(), Vec::new());
    for (split, numbers) in [
        (Split::Train, &mut splits.train),
        (Split::Valid, &mut splits.valid),
        (Split::Holdout, &mut splits.holdout),
    ] {
        let start = chosen.len() as u32;
        chosen.extend(evenly(&items(split), limit));
        numbers.extend(start..chosen.len() as u32);
    }
    (splits, chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(value: f64, floor: f64, dial: DialName) -> Metric {
        Metric::lower("d", "", value)
            .between(Interval { value: 0.5, low: 0.4, high: 0.6 }, floor)
            .moving(dial)
    }

    #[test]
    fn numbers_count_by_their_weights() {
        let metrics = [moved(1.0, 1.0, DialName::Fidelity), moved(0.6, 1.0, DialName::Fidelity)];
        let score = |metrics: &[Metric]| match dial(DialName::Fidelity, metrics) {
            Found::Dial(dial) => dial.score,
            other => panic!("{other:?}"),
        };
        assert!((score(&metrics) - 50.0).abs() < 1e-9);
        let [sure, hint] = metrics;
        assert!((score(&[sure, Metric { weight: 0.25, ..hint }]) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_measured_gets_no_number() {
        let metrics = [moved(0.58, 0.55, DialName::Utility), moved(0.7, 1.0, DialName::Fidelity)];
        assert_eq!(dial(DialName::Utility, &metrics), Found::TooFew);
        assert_eq!(dial(DialName::Coverage, &metrics), Found::Nothing);
        assert!(
            matches!(dial(DialName::Fidelity, &metrics), Found::Dial(dial) if (dial.score - 75.0).abs() < 1e-9)
        );
        let words = cannot_be_measured(DialName::Utility, &metrics, 24, "image");
        assert_eq!(words, "cannot be measured with 24 held-out images: about 110 would do");
        let never = [moved(0.7, 0.5, DialName::Utility)];
        let words = cannot_be_measured(DialName::Utility, &never, 24, "image");
        assert!(
            words.ends_with("even a trivial generator's images look as good as real ones here"),
            "{words}"
        );
    }

    #[test]
    fn without_the_detector_there_is_no_fidelity() {
        let told = |floor: f64| {
            let ceiling = Interval { value: 0.5, low: 0.4, high: 0.75 };
            Metric::lower(verdict::DETECTOR, "", 0.7).between(ceiling, floor).moving(DialName::Fidelity)
        };
        let motion = moved(0.5, 1.0, DialName::Fidelity);
        assert_eq!(dial(DialName::Fidelity, &[told(0.7), motion.clone()]), Found::TooFew);
        assert!(matches!(dial(DialName::Fidelity, &[told(1.0), motion]), Found::Dial(_)));
    }

    #[test]
    fn the_worst_number_of_novelty_counts() {
        let metrics = [moved(0.6, 1.0, DialName::Novelty), moved(0.96, 1.0, DialName::Novelty)];
        assert!(
            matches!(dial(DialName::Novelty, &metrics), Found::Dial(dial) if (dial.score - 10.0).abs() < 1e-9)
        );
    }

    #[test]
    fn dials_say_how_many_items_they_come_from() {
        let dial = Dial { score: 1.0, low: 0.0, high: 2.0 };
        let dials = ["fidelity", "novelty"].map(|name| (name.to_owned(), dial)).into();
        let measured = measured(&dials, &items_of(2000, "row", TrainedOn::Train));
        assert_eq!(measured["fidelity"], "2,000 new and 2,000 held-out rows");
        assert!(measured["novelty"].ends_with("beside what was trained on") && measured.len() == 2);
    }

    #[test]
    fn evenly_spaced_items() {
        assert_eq!(evenly(&[1, 2, 3], 10), [1, 2, 3]);
        assert_eq!(evenly(&[0, 1, 2, 3, 4, 5], 3), [0, 2, 4]);
        assert_eq!(evenly(&[], 3), [] as [u32; 0]);
    }
}
