//! What gives one new item away: how real it looks to a detector, and which part of it looks least real.
//!
//! The detector is that of the classifier two-sample test (Lopez-Paz and Oquab, arXiv:1610.06545): it learns to tell real
//! items from a model's new ones. Two of them learn from a half of the items each and judge the other; Platt's scaling
//! (Platt, 1999) turns what both say of a further item into the probability that it is real, so that a detector that
//! cannot tell them apart says 50 of everything.
//!
//! | data | where | how |
//! |---|---|---|
//! | rows | columns | Shapley values of the log odds against real rows, by sampled permutations (Štrumbelj and Kononenko, 2014) |
//! | images, sounds | regions, bands of time and frequency | occlusion: a region is put in as the nearest real ones have it there |
//! | clips | frames | occlusion: a frame becomes the mean of those before and behind it |
//! | texts, tunes | words, bars | a linear detector: what their n-grams add to its log odds |
//!
//! A weight says how much the log odds of being new fall without that part. Only parts that give the item away are listed.

use std::sync::{Arc, atomic::AtomicBool};

use mintage_data::Split;
use mintage_nn::{Rng, cancel};
use serde::Serialize;

use super::{
    NewItems, evenly,
    image::{PictureDetector, Place},
    nearest::{check_cancel, suits},
    pictures::{Pictures, parts_of_sound},
    real::{check_item, other_kind},
    roc::Ranked,
    sequence::PassageDetector,
    table::RowDetector,
    work,
};
use crate::{
    dataset::{AnyData, thousands},
    error::Error,
    events::Event,
    generate::Samples,
    model::Model,
    models::GenerativeModel,
    sample::{AudioRequest, ImageRequest, TableRequest, VideoRequest},
};

/// New items that a detector learns from, and as many real ones.
const ROWS: usize = 1000;
const PICTURES: usize = 400;
const PASSAGES: usize = 200;
/// Items on either side below which nothing can be learned.
const MIN_ITEMS: usize = 20;
/// New items are drawn with another seed than those that will be explained: a detector knows what it learned from.
const OTHER_SEED: u64 = 0x6578_706c_6169_6e00;
/// Halves of the items, each judged by a detector that learned from the other.
const FOLDS: usize = 2;
/// Parts that are listed at most.
const MAX_PARTS: usize = 50;
/// Share of the largest weight below which a part is not listed.
const MIN_WEIGHT: f64 = 0.02;

/// A detector of a model's items, which explains what it says of one.
pub struct Explainer {
    detector: Detector,
    scale: Scale,
}

enum Detector {
    Rows(Box<RowDetector>),
    Pictures(Pictures, Box<PictureDetector>),
    Passages(Box<PassageDetector>),
}

/// How real an item looks, and what gives it away. Of the lists that one is filled that is for the kind of data.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// The probability that it is real, as the detector sees it: 0 to 100.
    pub score: f64,
    /// The score as a sentence.
    pub words: String,
    /// Columns of a row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnWeight>,
    /// Regions of an image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
    /// Words of a text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// Stretches of time and frequency of a sound.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<Band>,
    /// Bars of a tune.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bars: Vec<BarWeight>,
    /// Frames of a clip.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<FrameWeight>,
}

/// A column of a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnWeight {
    /// Its name.
    pub name: String,
    /// Above 0, at most 1.
    pub weight: f64,
    /// What stands in it, and how much of what gives the row away that is.
    pub words: String,
}

/// A region of an image, in shares of its sides from the upper left corner.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Region {
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
    /// Above 0, at most 1.
    pub weight: f64,
}

/// A word of a text, or a sign.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Span {
    /// Its first character, from 0; of Unicode, not of bytes.
    pub start: usize,
    /// Behind its last character.
    pub end: usize,
    /// Above 0, at most 1.
    pub weight: f64,
    /// What stands there.
    pub text: String,
}

/// A stretch of time and frequency of a sound.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Band {
    /// Lowest frequency.
    pub from_hz: f64,
    /// Highest frequency.
    pub to_hz: f64,
    /// Where it begins, in seconds.
    pub from_s: f64,
    /// Where it ends, in seconds.
    pub to_s: f64,
    /// Above 0, at most 1.
    pub weight: f64,
}

/// A bar of a tune.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BarWeight {
    /// Its number, from 0.
    pub bar: usize,
    /// Above 0, at most 1.
    pub weight: f64,
}

/// A frame of a clip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FrameWeight {
    /// Its number, from 0.
    pub frame: usize,
    /// Above 0, at most 1.
    pub weight: f64,
}

impl Explainer {
    /// Draws items from `model` and learns to tell them from real ones of the data that it learned from: a few hundred of
    /// either. The same seed gives the same explainer.
    ///
    /// # Errors
    /// The data are of another kind than the model, there are too few of them, or they cannot be read;
    /// [`Error::Cancelled`].
    pub fn build(
        model: &Model,
        data: &AnyData,
        seed: u64,
        cancel: &Arc<AtomicBool>,
        on_progress: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        if !suits(model, data) {
            return Err(other_kind());
        }
        let drawn = seed ^ OTHER_SEED;
        let on = on_progress;
        if let AnyData::Sequence(set) = data {
            let chunking = model.sequences()?.model.config().cut();
            let draw = |on: &mut dyn FnMut(Event)| {
                cancel::with(cancel, || {
                    PassageDetector::of_model(model, set, chunking, PASSAGES, (seed, drawn), on)
                })
            };
            let (detector, scale) = draw(on)?;
            check_cancel(cancel)?;
            return Ok(Self { detector: Detector::Passages(Box::new(detector)), scale });
        }
        let new = cancel::with(cancel, || draw(model, data, drawn, on));
        check_cancel(cancel)?;
        Self::of(data, new?, seed, cancel, on)
    }

    /// Learns to tell new items of any generator from real ones.
    ///
    /// # Errors
    /// The items are of another kind than the data, there are too few of either, or data cannot be read;
    /// [`Error::Cancelled`].
    pub fn of(
        data: &AnyData,
        new: NewItems,
        seed: u64,
        cancel: &Arc<AtomicBool>,
        on_progress: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        let on = on_progress;
        let learned = cancel::with(cancel, || Self::learn(data, new, seed, on));
        check_cancel(cancel)?;
        learned
    }

    fn learn(data: &AnyData, new: NewItems, seed: u64, on: &mut dyn FnMut(Event)) -> Result<Self, Error> {
        let samples = match (data, new) {
            (AnyData::Table(set), NewItems::Table(new)) => {
                let real = real_items(data, new.rows())?;
                let (detector, scale) = RowDetector::new(set, &real, &new, seed, on)?;
                return Ok(Self { detector: Detector::Rows(Box::new(detector)), scale });
            }
            (AnyData::Sequence(set), NewItems::Sequence(new)) => {
                let (detector, scale) = PassageDetector::new(set, new, seed, on)?;
                return Ok(Self { detector: Detector::Passages(Box::new(detector)), scale });
            }
            (AnyData::Image(_), NewItems::Image(new)) => Samples::Image(new),
            (AnyData::Audio(set), NewItems::Audio(samples, labels)) => {
                Samples::Audio(crate::sample::Sounds { samples, labels, ..super::real::no_sounds(set) })
            }
            (AnyData::Video(_), NewItems::Video(new)) => Samples::Video(new),
            _ => return Err(other_kind()),
        };
        let pictures = Pictures::of(data).ok_or_else(other_kind)?;
        let new = pictures.for_detector(pictures.of_all(&samples)?);
        let real = pictures.for_detector(pictures.read(data, &real_items(data, new.len())?)?);
        let (detector, scale) = PictureDetector::new(real, new, seed, on)?;
        Ok(Self { detector: Detector::Pictures(pictures, Box::new(detector)), scale })
    }

    /// How real an item of `samples` looks, and what gives it away.
    ///
    /// # Errors
    /// There is no such item, it is of another kind or size than the data, or there is nothing in it.
    pub fn explain(&self, samples: &Samples, item: usize) -> Result<Explanation, Error> {
        check_item(samples, item)?;
        let (log_odds, mut found) = match (&self.detector, samples) {
            (Detector::Rows(detector), Samples::Table(rows)) => detector.explain(rows, item as u32)?,
            (Detector::Pictures(pictures, detector), _) => {
                explain_pictures(pictures, detector, samples, item)?
            }
            (Detector::Passages(detector), Samples::Text(texts)) => {
                detector.explain_text(&texts.items[item])?
            }
            (Detector::Passages(detector), Samples::Music(tunes)) => {
                detector.explain_tune(&tunes.items[item])?
            }
            _ => return Err(other_kind()),
        };
        found.score = 100.0 * self.scale.probability(log_odds);
        found.words = self.words(found.score);
        Ok(found)
    }

    /// How well the detector tells new items from real ones: the area under the ROC curve of items that it has not learned
    /// from. 0.5 is not at all.
    pub fn auc(&self) -> f64 {
        self.scale.auc
    }

    fn words(&self, score: f64) -> String {
        let looks = match score {
            ..20.0 => "looks new",
            20.0..40.0 => "looks new rather than real",
            40.0..=60.0 => "could be either",
            60.0..=80.0 => "looks real rather than new",
            _ => "looks real",
        };
        let pairs = thousands((100.0 * self.scale.auc).round().max(0.0) as usize);
        let knows = format!("of 100 pairs of a real and a new item it knows which is which in {pairs}");
        format!("It {looks} to a detector: {knows}.")
    }
}

/// What a model draws for a detector.
fn draw(model: &Model, data: &AnyData, seed: u64, on: &mut dyn FnMut(Event)) -> Result<NewItems, Error> {
    let mut drawing = |done, total| on(work("drawing new items", done, total));
    Ok(match data {
        AnyData::Image(_) => {
            let request = ImageRequest { n: PICTURES, seed, ..ImageRequest::default() };
            NewItems::Image(model.sample(&request, &mut drawing)?)
        }
        AnyData::Table(_) => {
            let request = TableRequest { n: ROWS, seed, ..TableRequest::default() };
            NewItems::Table(model.sample_rows(&request, &mut drawing)?)
        }
        AnyData::Audio(_) => {
            let request = AudioRequest { n: PICTURES / 2, seed, ..AudioRequest::default() };
            let sounds = model.sample_sounds(&request, &mut drawing)?;
            NewItems::Audio(sounds.samples, sounds.labels)
        }
        AnyData::Video(_) => {
            let request = VideoRequest { n: PICTURES / 2, seed, ..VideoRequest::default() };
            NewItems::Video(model.sample_clips(&request, &mut drawing)?)
        }
        AnyData::Sequence(_) => return Err(other_kind()),
    })
}

/// About `n` real items: held out ones first, then those that validate, then some of the train split.
fn real_items(data: &AnyData, n: usize) -> Result<Vec<u32>, Error> {
    let mut chosen: Vec<u32> = Vec::new();
    for split in [Split::Holdout, Split::Valid, Split::Train] {
        let left = n.saturating_sub(chosen.len());
        if left > 0 {
            chosen.extend(evenly(&data.items(split, None), left));
        }
    }
    enough(chosen.len(), n)?;
    Ok(chosen)
}

/// An error where a detector has too little to learn from.
pub(super) fn enough(real: usize, new: usize) -> Result<(), Error> {
    match real.min(new) < MIN_ITEMS {
        true => Err(Error::request(format!(
            "{real} real and {new} new items are too few to learn a detector from"
        ))
        .with_hint(format!("{MIN_ITEMS} of either are the least"))),
        false => Ok(()),
    }
}

/// What the pictures of an item show: the mean of what the detector says of them, and the parts of each.
fn explain_pictures(
    pictures: &Pictures,
    detector: &PictureDetector,
    samples: &Samples,
    item: usize,
) -> Result<(f64, Explanation), Error> {
    let parts = pictures.of_item(samples, item)?;
    let parts = pictures.for_detector(parts);
    let log_odds = detector.log_odds(&parts);
    let log_odds = log_odds.iter().sum::<f64>() / log_odds.len().max(1) as f64;
    let mut found = Explanation::default();
    match (pictures, samples) {
        (Pictures::Audio(spectrograms, format), Samples::Audio(sounds)) => {
            let ranges = parts_of_sound(format, sounds, item);
            for (place, range) in ranges.into_iter().enumerate() {
                let (start, end) = (range.start as f64, range.end as f64);
                let rate = f64::from(sounds.rate_hz);
                for (Place { x, y, w, h }, weight) in detector.regions(&parts.select(&[place])) {
                    let secs = |share: f64| ((start + share * spectrograms.samples() as f64).min(end)) / rate;
                    let (from_hz, to_hz) = spectrograms.hz(y, y + h);
                    let (from_s, to_s) = (secs(x), secs(x + w));
                    // Behind the end of a short sound there is nothing to show.
                    if to_s > from_s {
                        found.bands.push(Band { from_hz, to_hz, from_s, to_s, weight });
                    }
                }
            }
            found.bands = listed(found.bands, |band| &mut band.weight);
        }
        (Pictures::Video(_), Samples::Video(_)) => {
            for (place, frames) in pictures.frames_of(samples).into_iter().enumerate() {
                let weights = detector.frames(&parts.select(&[place]), frames.len());
                let weighed = frames.into_iter().zip(weights);
                found.frames.extend(weighed.map(|(frame, weight)| FrameWeight { frame, weight }));
            }
            found.frames = listed(found.frames, |frame| &mut frame.weight);
        }
        _ => {
            let region = |(Place { x, y, w, h }, weight)| Region { x, y, w, h, weight };
            found.regions =
                listed(detector.regions(&parts).into_iter().map(region).collect(), |r| &mut r.weight);
        }
    }
    Ok((log_odds, found))
}

/// The parts that give an item away, the most telling first, with weights that are at most 1.
pub(super) fn listed<T>(mut parts: Vec<T>, weight: impl Fn(&mut T) -> &mut f64) -> Vec<T> {
    let most = parts.iter_mut().map(|part| *weight(part)).fold(0.0, f64::max);
    if !(most > 0.0 && most.is_finite()) {
        return Vec::new();
    }
    let mut weighed: Vec<(f64, T)> = parts
        .into_iter()
        .map(|mut part| {
            *weight(&mut part) /= most;
            (*weight(&mut part), part)
        })
        .filter(|&(weight, _)| weight >= MIN_WEIGHT)
        .collect();
    weighed.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    weighed.truncate(MAX_PARTS);
    weighed.into_iter().map(|(_, part)| part).collect()
}

/// From the log odds of detectors to probabilities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    slope: f64,
    intercept: f64,
    /// The area under the ROC curve of what was judged.
    pub auc: f64,
}

impl Scale {
    /// Platt's scaling of log odds of real items and of new ones, none of which their detector has learned from.
    pub fn fit(real: &[f64], new: &[f64]) -> Self {
        let all: Vec<f64> = real.iter().chain(new).copied().collect();
        let ranked: Vec<f32> = all.iter().map(|&x| x as f32).collect();
        let auc = Ranked::new(&ranked, |place| place < real.len()).auc();
        let (mean, deviation) = mean_and_deviation(&all);
        let unit = deviation.max(1e-9);
        // Targets short of 0 and 1, as Platt has them: few items say nothing for certain.
        let (n_real, n_new) = (real.len() as f64, new.len() as f64);
        let target = |place: usize| match place < real.len() {
            true => (n_real + 1.0) / (n_real + 2.0),
            false => 1.0 / (n_new + 2.0),
        };
        let (mut slope, mut intercept) = (0.0, 0.0);
        for _ in 0..NEWTON_STEPS {
            let (mut g, mut h) = ([0.0; 2], [1e-3, 0.0, 1e-3]);
            for (place, &x) in all.iter().enumerate() {
                let x = (x - mean) / unit;
                // Both sides count as much, however many there are of each.
                let weight = 0.5 * all.len() as f64 / if place < real.len() { n_real } else { n_new };
                let p = logistic(slope * x + intercept);
                let (error, curve) = (weight * (p - target(place)), weight * p * (1.0 - p));
                g = [g[0] + error * x, g[1] + error];
                h = [h[0] + curve * x * x, h[1] + curve * x, h[2] + curve];
            }
            let det = (h[0] * h[2] - h[1] * h[1]).max(1e-12);
            slope -= (h[2] * g[0] - h[1] * g[1]) / det;
            intercept -= (h[0] * g[1] - h[1] * g[0]) / det;
            (slope, intercept) =
                (slope.clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS), intercept.clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS));
        }
        // A detector that is wrong more often than right knows nothing.
        if slope <= 0.0 {
            return Self { slope: 0.0, intercept: 0.0, auc };
        }
        Self { slope: slope / unit, intercept: intercept - slope * mean / unit, auc }
    }

    /// That an item is real.
    pub fn probability(&self, log_odds: f64) -> f64 {
        logistic(self.slope * log_odds + self.intercept)
    }
}

/// Steps of Newton's method that Platt's scaling takes, on one number.
const NEWTON_STEPS: usize = 30;
/// What two numbers of a scale are clamped to on the way.
const MAX_LOG_ODDS: f64 = 30.0;

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// Detectors that each learned from one half of the items and judged the other, and the scale of what they say.
///
/// `fit` learns from items with whether each is real, real ones being the first `n_real`; `judge` gives log odds of being
/// real.
pub(super) fn cross_fit<D>(
    n_real: usize,
    n_new: usize,
    seed: u64,
    mut fit: impl FnMut(usize, &[usize]) -> D,
    judge: impl Fn(&D, &[usize]) -> Vec<f64>,
) -> (Vec<D>, Scale) {
    let mut rng = Rng::new(seed, 0);
    let mut halves = |n: usize| rng.permutation(n).into_iter().map(|place| place % FOLDS).collect::<Vec<_>>();
    let fold = [halves(n_real), halves(n_new)].concat();
    let mut log_odds = vec![0.0; fold.len()];
    let mut detectors = Vec::with_capacity(FOLDS);
    for held in 0..FOLDS {
        let (judged, learned): (Vec<usize>, Vec<usize>) =
            (0..fold.len()).partition(|&item| fold[item] == held);
        let detector = fit(held, &learned);
        judged.iter().zip(judge(&detector, &judged)).for_each(|(&item, found)| log_odds[item] = found);
        detectors.push(detector);
    }
    let scale = Scale::fit(&log_odds[..n_real], &log_odds[n_real..]);
    (detectors, scale)
}

#[cfg(test)]
mod tests;
