//! The training items nearest to one new item, with the held-out items' own distances to the training data as the yardstick:
//! a distance by itself says nothing, since plain items lie near to everything.
//!
//! Distances are those that the report judges copies by: pixels of images, spectrograms of sounds, frames of clips, the
//! distance to the closest record of rows, the longest run in common of texts and tunes. An index is built once and asked
//! for any number of items.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use mintage_data::Split;
use mintage_nn::Rng;
use serde::Serialize;

use super::{
    image::PixelIndex,
    pictures::Pictures,
    real::{self, check_item, other_kind, samples_of},
    sequence::RunIndex,
    table::RowIndex,
    work,
};
use crate::{
    dataset::{AnyData, thousands},
    error::Error,
    events::Event,
    generate::Samples,
    model::Model,
    sample::Sounds,
};

/// Training items that are searched.
pub const MAX_INDEXED: usize = 20_000;
/// Held-out items whose distances are the yardstick.
const MAX_REFERENCES: usize = 1_000;
/// Held-out items below which those that validate are taken as well.
const MIN_REFERENCES: usize = 20;
/// Bytes of the pictures that are searched.
const MAX_BYTES: usize = 256 << 20;
/// Seed of what is chosen where the training items are too many.
const SEED: u64 = 0x6e65_6172;
/// Neighbours of one item that can be asked for.
const MAX_NEIGHBOURS: usize = 100;

/// Share of held-out items below which to be as near is close.
const CLOSE_SHARE: f64 = 0.01;
/// Share of held-out items beyond which to be equal to a training item is usual.
const USUAL_COPIES: f64 = 0.05;
/// Equal training items from which on they are a frequent combination, which is no copy of one of them.
pub(super) const MIN_FREQUENT: usize = 3;

/// Training items that can be searched for the nearest to a new one.
pub struct NearestIndex {
    data: AnyData,
    index: Index,
    indexed: usize,
    train: usize,
}

enum Index {
    Pictures(Pictures, PixelIndex),
    Rows(Box<RowIndex>),
    Runs(Box<RunIndex>),
}

/// The training items nearest to one item.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Nearest {
    /// The nearest first.
    pub neighbours: Vec<Neighbour>,
    /// What to expect of items that are new.
    pub yardstick: Yardstick,
    /// How the nearest distance stands among those.
    pub verdict: Closeness,
    /// The verdict as a sentence.
    pub words: String,
    /// Training items that were searched, and how many there are: more than [`MAX_INDEXED`] are searched in part.
    pub indexed: usize,
    /// Training items in all.
    pub train: usize,
    /// The neighbours themselves, in the same order; of texts the passage, of long sounds and clips the part.
    #[serde(skip)]
    pub items: Samples,
}

/// A training item near to a new one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Neighbour {
    /// Its distance, 0 where both are equal, in the unit of [`Yardstick::metric`].
    pub distance: f64,
    /// "train".
    pub split: &'static str,
    /// Its number in the data, as [`AnyData::splits`] has it.
    pub item: u32,
    /// What it is called: its file, or "row 17".
    pub name: String,
}

/// How near held-out items lie to their nearest training item. NaN (`null`) where nothing is held out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Yardstick {
    /// What the distances are, in words.
    pub metric: String,
    /// Held-out items that were measured.
    pub holdout: usize,
    /// The median of their distances.
    pub holdout_median: f64,
    /// The distance below which one in a hundred lies.
    pub holdout_p01: f64,
    /// The share of them that lie at least as near as the new item.
    pub share_of_holdout_closer: f64,
}

/// How near an item lies, beside held-out items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Closeness {
    /// Farther than 99 of 100 held-out items.
    Far,
    /// As near as held-out items are.
    Usual,
    /// Nearer than 99 of 100 held-out items.
    Close,
    /// Equal to a training item, or nearly so, as hardly any held-out item is.
    Copy,
}

/// What a search of one kind found.
#[derive(Clone, Debug, Default)]
pub(super) struct Hits {
    /// Item of the data, and its distance: the nearest first.
    pub neighbours: Vec<(u32, f64)>,
    /// Whether it is a near copy, as the report judges them.
    pub near_copy: bool,
    /// Indexed items that are equal to it.
    pub equals: usize,
    /// Distances of held-out items, ascending.
    pub expected: Vec<f64>,
    /// Most held-out passages are shorter than the item, and so nearer by nature: they do not show that it lies far.
    pub is_longer: bool,
    /// Of texts and tunes: the neighbours.
    pub items: Option<Samples>,
}

impl NearestIndex {
    /// Builds the index of the data that a model learned from. At most [`MAX_INDEXED`] training items are searched, drawn with
    /// a fixed seed.
    ///
    /// # Errors
    /// The data are of another kind than the model, hold no training items, or cannot be read; [`Error::Cancelled`].
    pub fn build(
        model: &Model,
        data: &AnyData,
        cancel: &Arc<AtomicBool>,
        on_progress: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        if !suits(model, data) {
            return Err(other_kind());
        }
        Self::of(data, cancel, on_progress)
    }

    /// Builds the index of some data, of whatever generator.
    ///
    /// # Errors
    /// The data hold no training items, or cannot be read; [`Error::Cancelled`].
    pub fn of(
        data: &AnyData,
        cancel: &Arc<AtomicBool>,
        on_progress: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        let on = on_progress;
        on(work("indexing", 0, 2));
        let numbers = |split: Split| data.items(split, None);
        let train = numbers(Split::Train);
        if train.is_empty() {
            return Err(Error::request("the data have no training items to search"));
        }
        let mut held = numbers(Split::Holdout);
        if held.len() < MIN_REFERENCES {
            held.extend(numbers(Split::Valid));
        }
        let pick = |items: &[u32], most: usize, stream: u64| -> Vec<u32> {
            if items.len() <= most {
                return items.to_vec();
            }
            let mut chosen = Rng::new(SEED, stream).permutation(items.len());
            chosen.truncate(most.max(1));
            chosen.sort_unstable();
            chosen.into_iter().map(|place| items[place]).collect()
        };
        let (index, indexed) = match (Pictures::of(data), data) {
            (Some(pictures), _) => {
                let size = pictures.read(data, &train[..1])?.shape.pixels().max(1);
                let chosen = pick(&train, MAX_INDEXED.min(MAX_BYTES / size), 0);
                let held = pick(&held, MAX_REFERENCES.min(MAX_BYTES / size), 1);
                let (known, held) = (pictures.read(data, &chosen)?, pictures.read(data, &held)?);
                check_cancel(cancel)?;
                on(work("indexing", 1, 2));
                let n = chosen.len();
                (Index::Pictures(pictures, PixelIndex::new(known, chosen, held)), n)
            }
            (None, AnyData::Table(set)) => {
                let (chosen, held) = (pick(&train, MAX_INDEXED, 0), pick(&held, MAX_REFERENCES, 1));
                (Index::Rows(Box::new(RowIndex::new(set, &chosen, &held)?)), chosen.len())
            }
            (None, AnyData::Sequence(set)) => {
                let chosen = pick(&train, MAX_INDEXED, 0);
                let index = RunIndex::new(set, &chosen, &held);
                let n = index.documents();
                (Index::Runs(Box::new(index)), n)
            }
            _ => return Err(other_kind()),
        };
        check_cancel(cancel)?;
        on(work("indexing", 2, 2));
        Ok(Self { data: data.clone(), index, indexed, train: train.len() })
    }

    /// The `k` training items nearest to an item of `samples`, which a model of the same data made or which was read as the
    /// data are.
    ///
    /// # Errors
    /// There is no such item, it is of another kind or size than the data, or there is nothing in it.
    pub fn nearest(&self, samples: &Samples, item: usize, k: usize) -> Result<Nearest, Error> {
        check_item(samples, item)?;
        let k = k.clamp(1, MAX_NEIGHBOURS);
        let mut hits = match (&self.index, samples, &self.data) {
            (Index::Pictures(pictures, index), ..) => index.search(&pictures.of_item(samples, item)?, k),
            (Index::Rows(index), Samples::Table(rows), _) => index.search(rows, item as u32, k)?,
            (Index::Runs(index), Samples::Text(texts), AnyData::Sequence(set)) => {
                index.search_text(set, &texts.items[item], k)?
            }
            (Index::Runs(index), Samples::Music(tunes), AnyData::Sequence(set)) => {
                index.search_tune(set, &tunes.items[item], k)?
            }
            _ => return Err(other_kind()),
        };
        let items = match hits.items.take() {
            Some(items) => items,
            None => self.items(&hits.neighbours)?,
        };
        let neighbour = |&(item, distance): &(u32, f64)| {
            let item = self.item_of(item);
            Neighbour { distance, split: "train", item, name: real::name(&self.data, item) }
        };
        let neighbours: Vec<Neighbour> = hits.neighbours.iter().map(neighbour).collect();
        let nearest = neighbours.first().map_or(f64::INFINITY, |neighbour| neighbour.distance);
        let yardstick = yardstick(self.metric(), &hits.expected, nearest);
        let verdict = verdict(nearest, &hits, &yardstick);
        let words = words(self.noun(), verdict, nearest, &hits, &yardstick);
        Ok(Nearest { neighbours, yardstick, verdict, words, indexed: self.indexed, train: self.train, items })
    }

    /// How many training items are searched.
    pub fn indexed(&self) -> usize {
        self.indexed
    }

    /// The items themselves, by the numbers that the index has them by: of sounds those of segments.
    fn items(&self, neighbours: &[(u32, f64)]) -> Result<Samples, Error> {
        let numbers: Vec<u32> = neighbours.iter().map(|&(item, _)| item).collect();
        match &self.data {
            AnyData::Audio(set) => {
                let Sounds { samples, labels, .. } = super::audio::sounds_of(set, &numbers);
                Ok(Samples::Audio(Sounds { samples, labels, ..real::no_sounds(set) }))
            }
            data => samples_of(data, &numbers),
        }
    }

    /// The item of the data that an indexed one is, or is a part of.
    fn item_of(&self, item: u32) -> u32 {
        match &self.data {
            AnyData::Audio(set) => set.place(item).0,
            _ => item,
        }
    }

    fn metric(&self) -> String {
        match &self.index {
            Index::Pictures(pictures, _) => format!("Euclidean distance of {}", pictures.space()),
            Index::Rows(_) => TABLE_METRIC.to_owned(),
            Index::Runs(index) => index.metric().to_owned(),
        }
    }

    fn noun(&self) -> &'static str {
        self.data.info().item()
    }
}

const TABLE_METRIC: &str =
    "distance to the closest record: numbers in standard deviations, 2 for every category that differs";

/// Whether a model makes what the data hold.
pub(super) fn suits(model: &Model, data: &AnyData) -> bool {
    model.config.info.item() == data.info().item()
}

/// An error where the flag is set.
pub(super) fn check_cancel(cancel: &AtomicBool) -> Result<(), Error> {
    if cancel.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
}

fn yardstick(metric: String, expected: &[f64], nearest: f64) -> Yardstick {
    let quantile = |share: f64| {
        let place = (share * expected.len().saturating_sub(1) as f64).round() as usize;
        expected.get(place).copied().unwrap_or(f64::NAN)
    };
    let closer = expected.partition_point(|&distance| distance <= nearest);
    Yardstick {
        metric,
        holdout: expected.len(),
        holdout_median: quantile(0.5),
        holdout_p01: quantile(0.01),
        share_of_holdout_closer: closer as f64 / expected.len() as f64,
    }
}

/// Without held-out items nothing but equality can be told.
fn verdict(nearest: f64, hits: &Hits, yardstick: &Yardstick) -> Closeness {
    let share = yardstick.share_of_holdout_closer;
    let is_rare = share.is_nan() || share < USUAL_COPIES;
    let is_copy = nearest <= 0.0 && hits.equals < MIN_FREQUENT || hits.near_copy;
    let nearer = hits.expected.partition_point(|&distance| distance < nearest);
    let farther = nearer as f64 > (1.0 - CLOSE_SHARE) * hits.expected.len() as f64;
    match (is_copy && is_rare, share) {
        (true, _) => Closeness::Copy,
        (false, share) if share < CLOSE_SHARE && nearest > 0.0 => Closeness::Close,
        _ if farther && !hits.is_longer => Closeness::Far,
        _ => Closeness::Usual,
    }
}

/// The verdict as a sentence.
fn words(item: &str, verdict: Closeness, nearest: f64, hits: &Hits, yardstick: &Yardstick) -> String {
    let Yardstick { holdout, share_of_holdout_closer: share, .. } = *yardstick;
    let of_holdout = match holdout {
        0 => return no_holdout(item, verdict),
        n => {
            format!("{} of {} held-out {item}s", thousands((share * n as f64).round() as usize), thousands(n))
        }
    };
    let equal = nearest <= 0.0;
    match verdict {
        Closeness::Copy if equal => {
            format!("A copy: it is equal to a training {item}, as {of_holdout} are.")
        }
        Closeness::Copy => {
            format!("Nearly a copy of a training {item}: {of_holdout} lie as near to one.")
        }
        Closeness::Close => format!("Close to a training {item}: {of_holdout} lie as near to one."),
        Closeness::Far => format!("Far from every training {item}: {of_holdout} lie nearer to one."),
        Closeness::Usual if equal && hits.equals >= MIN_FREQUENT => {
            format!(
                "Equal to {} training {item}s or more: a frequent one, which gives nobody away.",
                hits.equals
            )
        }
        Closeness::Usual if equal => format!("Equal to a training {item}, as {of_holdout} are."),
        Closeness::Usual => {
            format!("As far from the training {item}s as new ones are: {of_holdout} lie as near.")
        }
    }
}

fn no_holdout(item: &str, verdict: Closeness) -> String {
    match verdict {
        Closeness::Copy => format!("A copy: it is equal to a training {item}."),
        _ => format!("How near new {item}s lie to the training data is not known: no {item} is held out."),
    }
}

#[cfg(test)]
mod tests;
