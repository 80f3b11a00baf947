//! Judging a model of sounds: by their spectrograms, as images are judged, by what the codec loses, and by ear.

mod pictures;

use std::{fmt::Write, time::Duration};

use mintage_data::{
    AudioBatch, AudioFormat, AudioSet, ImageSet, Split,
    audio::{LogMel, MelParams},
};

use super::{
    Interval, ItemScore, Judgement, Options, compared, compared_of, evenly,
    image::{self, Conformity, Sets},
    membership::{Attacked, Knows, Suspicions},
    work,
};
use crate::{
    dataset::AnyData,
    error::Error,
    events::Event,
    model::Model,
    models::{Batch, GenerativeModel, audio::si_sdr_db},
    report::{Exhibit, Metric, Report, audio::player, charts::escaped},
    sample::{AudioRequest, Sounds, audio::interleaved},
};
pub(super) use pictures::Spectrograms;

/// Sounds on either side of a comparison, unless asked otherwise.
const DEFAULT_N: usize = 1000;
/// Held-out items whose codes and whose loss through the codec are measured.
const MAX_CODEC_ITEMS: usize = 64;
const RESAMPLES: usize = 500;
/// Sounds to listen to on the page, which has to stay small enough to send.
const MAX_PLAYERS: usize = 6;
/// Bytes of the page that a player of one sound, or of its neighbour, may take.
const MAX_PLAYER_BYTES: usize = 150_000;
/// Items scored at a time.
const SCORE_CHUNK: usize = 64;

/// Samples from `model` and judges the samples against the holdout of `data`, which it learned from.
///
/// # Errors
/// The holdout is too small, the model cannot be sampled from, or data cannot be read.
pub fn evaluate(
    model: &Model,
    data: &AudioSet,
    options: &Options,
    clock: &dyn Fn() -> Duration,
    on: &mut dyn FnMut(Event),
) -> Result<Report, Error> {
    let set_pictures = SetPictures::of(data);
    let n = compared(options, DEFAULT_N, set_pictures.pictures.splits(), "sound")?;
    let start = clock();
    let request = AudioRequest { n, seed: options.seed, ..AudioRequest::default() };
    let new =
        model.sample_sounds(&request, &mut |done, total| on(work("drawing new sounds", done, total)))?;
    let per_sec = n as f64 / (clock() - start).as_secs_f64().max(1e-9);
    Ok(judgement(data, &set_pictures, &new, Some(model), options, on)?.report(model, per_sec))
}

/// Judges sounds that another program made, read as those of `data` are.
pub(super) fn judge_others(
    data: &AudioSet,
    new: &AudioSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Judgement, Error> {
    let (set_pictures, all) = (SetPictures::of(data), new.items(Split::Holdout).end as usize);
    let chosen = compared_of(all, options, DEFAULT_N, set_pictures.pictures.splits(), "sound")?;
    judgement(data, &set_pictures, &sounds_of(new, &chosen), None, options, on)
}

/// Of new sounds that `model` made, or another program.
fn judgement(
    data: &AudioSet,
    set_pictures: &SetPictures,
    new: &Sounds,
    model: Option<&Model>,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Judgement, Error> {
    let fake = set_pictures.spectrograms.of_sounds(&new.samples, new.labels.clone());
    let sets = Sets::of(fake, "spectrograms", &set_pictures.pictures, options, on)?;
    let (mut metrics, judged) = image::judge(&sets, on)?;
    if let Some(model) = model {
        through_the_codec(model, data, options, on, &mut metrics)?;
    }
    let mut exhibits = image::exhibits("sound", model, &sets, &judged)?;
    if let Some(first) = exhibits.first_mut() {
        "Spectrograms: time to the right, pitch upwards, the louder the brighter."
            .clone_into(&mut first.note);
    }
    exhibits
        .insert(0, players(data, new, |new| judged.nearest(new).map(|at| set_pictures.items[at as usize])));
    Ok(Judgement {
        item: "sound".to_owned(),
        data: AnyData::describe_sounds(data),
        n: new.len(),
        seed: options.seed,
        trained_on: options.trained_on,
        metrics,
        exhibits,
    })
}

/// A set of sounds as pictures, and which items they are of.
struct SetPictures {
    spectrograms: Spectrograms,
    pictures: ImageSet,
    items: Vec<u32>,
}

impl SetPictures {
    fn of(data: &AudioSet) -> Self {
        let spectrograms = Spectrograms::new(data);
        let (pictures, items) = spectrograms.of_set(data);
        Self { spectrograms, pictures, items }
    }
}

/// What the items of a set look like, split as they are.
pub(super) fn pictures_of(data: &AudioSet) -> ImageSet {
    Spectrograms::new(data).of_set(data).0
}

/// Judges sounds that any generator made by all that needs no model.
pub(super) fn judge(
    data: &AudioSet,
    new: &[Vec<f32>],
    labels: Vec<u32>,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<Metric>, Error> {
    let spectrograms = Spectrograms::new(data);
    let pictures = spectrograms.of_set(data).0;
    let sets = Sets::of(spectrograms.of_sounds(new, labels), "spectrograms", &pictures, options, on)?;
    Ok(image::judge(&sets, on)?.0)
}

/// What is left of held-out sounds behind the encoder and the decoder, and how likely their codes are. Neither moves a
/// dial: both say how well the model hears, not how well it speaks.
fn through_the_codec(
    model: &Model,
    data: &AudioSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
    metrics: &mut Vec<Metric>,
) -> Result<(), Error> {
    on(work("held-out sounds through the codec", 0, 1));
    let parts = model.sounds()?;
    let all: Vec<u32> = data.items(Split::Holdout).collect();
    let batch = data.batch(&evenly(&all, MAX_CODEC_ITEMS), None);
    if let Some(back) = parts.model.reconstruct(&batch, &mut mintage_nn::Rng::new(options.seed, 0)) {
        let each = batch.samples.len() / batch.n;
        if parts.model.keeps_waves() {
            let ratios = si_sdr_db(&batch.samples, &back, each);
            let value = Interval::of_mean(&ratios, RESAMPLES, options.seed);
            metrics.push(Metric::higher("SI-SDR of held-out sounds", "decibel, through the codec", value));
        }
        let distances = mel_distance_db(&batch.samples, &back, data.codec().segment, parts.info.rate_hz);
        let value = Interval::of_mean(&distances, RESAMPLES, options.seed);
        metrics.push(Metric::lower("mel distance of held-out sounds", "decibel, through the encoder", value));
    }
    let seconds = |batch: &AudioBatch| -> Vec<f64> {
        batch.lengths.iter().map(|&n| f64::from(n) / f64::from(parts.info.rate_hz)).collect()
    };
    let lengths = seconds(&batch);
    if let Some(nats) = model.nll(&Batch::Audio(batch), 1, options.seed) {
        let value = Interval::estimate(nats.len(), RESAMPLES, options.seed, |rows| {
            let sum = |values: &[f64]| rows.iter().map(|&row| values[row]).sum::<f64>();
            sum(&nats) / sum(&lengths).max(1e-9)
        });
        metrics.push(Metric::lower("negative log-likelihood of codes", "nats a second", value));
        let train: Vec<u32> = data.items(Split::Train).collect();
        let members = data.batch(&Attacked::of(&train, &all, MAX_CODEC_ITEMS).members, None);
        let a_second = |nats: Vec<f64>, seconds: Vec<f64>| -> Vec<f64> {
            nats.iter().zip(seconds).map(|(nats, seconds)| nats / seconds.max(1e-9)).collect()
        };
        let (held, lengths) = (a_second(nats, lengths), seconds(&members));
        let members = model.nll(&Batch::Audio(members), 1, options.seed).unwrap_or_default();
        let found = Suspicions::by_likelihood(&a_second(members, lengths), &held);
        metrics.extend(found.metrics(Knows::Model, None, options.seed));
    }
    on(work("held-out sounds through the codec", 1, 1));
    Ok(())
}

/// The mel distance of each pair of signals of `time` samples in decibels; less is better.
///
/// The mean absolute difference of the log-mel spectrograms over frames and bands that lie 80 dB or less
/// below the loudest place of the original.
pub fn mel_distance_db(originals: &[f32], back: &[f32], time: usize, rate_hz: u32) -> Vec<f64> {
    const RANGE_DB: f32 = 80.0;
    let mel = LogMel::new(MelParams::of(rate_hz));
    let db = |signal: &[f32]| -> Vec<f32> {
        mel.of(signal).into_iter().map(|nepers| nepers * 10.0 / std::f32::consts::LN_10).collect()
    };
    let one = |(x, y): (&[f32], &[f32])| {
        let (x, y) = (db(x), db(y));
        let floor = x.iter().copied().fold(f32::NEG_INFINITY, f32::max) - RANGE_DB;
        let pairs = x.iter().zip(&y).filter(|(x, y)| x.max(**y) > floor);
        let (sum, count) = pairs.fold((0.0, 0usize), |(sum, count), (x, y)| {
            (sum + f64::from((x.max(floor) - y.max(floor)).abs()), count + 1)
        });
        sum / count.max(1) as f64
    };
    originals.chunks_exact(time).zip(back.chunks_exact(time)).map(one).collect()
}

/// Items of a set, as long as they are.
pub(super) fn sounds_of(set: &AudioSet, items: &[u32]) -> Sounds {
    let AudioFormat { rate_hz, channels, ref classes, .. } = *set.codec();
    let mut sounds =
        Sounds { rate_hz, channels, samples: Vec::new(), labels: Vec::new(), classes: classes.clone() };
    for &item in items {
        let AudioBatch { samples, lengths, labels, .. } = set.batch(&[item], None);
        let (length, time) = (lengths.first().map_or(0, |&n| n as usize), samples.len() / channels);
        let channel = |channel: &[f32]| channel[..length.max(1)].to_vec();
        sounds.samples.push(samples.chunks_exact(time).flat_map(channel).collect());
        sounds.labels.extend(labels);
    }
    sounds
}

/// New sounds to listen to, each beside the training sound that its spectrogram is nearest to, where there is one.
fn players(data: &AudioSet, new: &Sounds, nearest: impl Fn(usize) -> Option<u32>) -> Exhibit {
    let AudioFormat { rate_hz, channels, .. } = *data.codec();
    let player =
        |samples: &[f32]| player(&interleaved(samples, channels), channels, rate_hz, MAX_PLAYER_BYTES);
    let mut html = String::from("<div class=\"texts\">");
    let mut note = "";
    for at in (0..new.len()).step_by((new.len() / MAX_PLAYERS).max(1)).take(MAX_PLAYERS) {
        let class = new.class(at).map(|name| format!("<b>{}</b> ", escaped(name))).unwrap_or_default();
        let _ = write!(
            html,
            "<div class=\"pair\"><div><p class=\"soft\">{class}new, {:.1} s</p>{}</div>",
            new.seconds(at),
            player(&new.samples[at]),
        );
        if let Some(nearest) = nearest(at) {
            let train = player(&data.batch(&[nearest], None).samples);
            let _ = write!(html, "<div><p class=\"soft\">nearest in train</p>{train}</div>");
            note = "Each beside the training sound whose spectrogram is nearest.";
        }
        html.push_str("</div>");
    }
    html.push_str("</div>");
    Exhibit { title: "New sounds".to_owned(), note: note.to_owned(), html }
}

/// Scores every sound of `items` by how well it conforms to `data`: the mean over its segments.
///
/// `items` must be read with the transform of the model.
///
/// # Errors
/// The data have too few items to compare with, or items cannot be read.
pub fn score(
    model: &Model,
    data: &AudioSet,
    items: &AudioSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<ItemScore>, Error> {
    let spectrograms = Spectrograms::new(data);
    let conformity = Conformity::new(&spectrograms.of_set(data).0, options, on)?;
    let mut scores = Vec::with_capacity(items.len());
    for sound in 0..items.len() as u32 {
        let segments: Vec<u32> = items.items_of(sound).collect();
        let (mut sum, mut nats) = (0.0, None);
        for segments in segments.chunks(SCORE_CHUNK) {
            sum += conformity.of(&spectrograms.of_items(items, segments)).iter().sum::<f64>();
            if let Some(found) = model.nll(&Batch::Audio(items.batch(segments, None)), 1, options.seed) {
                *nats.get_or_insert(0.0) += found.iter().sum::<f64>();
            }
        }
        scores.push(ItemScore {
            name: items.name(sound),
            conformity: sum / segments.len().max(1) as f64,
            nll: nats,
        });
        on(work("scoring", scores.len(), items.len()));
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_as_loud_is_six_decibel_away() {
        let tone: Vec<f32> = (0..4000).map(|t| 0.5 * (0.3 * t as f32).sin()).collect();
        let half: Vec<f32> = tone.iter().map(|v| 0.5 * v).collect();
        assert_eq!(mel_distance_db(&tone, &tone, 4000, 8000), [0.0]);
        let far = mel_distance_db(&tone, &half, 4000, 8000)[0];
        assert!((far - 6.02).abs() < 0.6, "{far}");
    }
}
