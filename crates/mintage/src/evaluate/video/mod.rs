//! Judging a model of clips: as images are judged, with a channel for every frame; by single frames; by how much they
//! move; by what the encoder loses; and by eye.

mod motion;
pub(super) mod pictures;

use std::time::Duration;

use mintage_data::{Clips, Provenance, VideoSet, gif_bytes, grid_film};

use super::{
    Interval, ItemScore, Judgement, Options, TrainedOn, compared, compared_of, evenly,
    image::{self, Conformity, Judged, Sets, novelty},
    membership::{Attacked, with_model},
    work,
};
use crate::models::GenerativeModel;
use crate::{
    dataset::AnyData,
    error::Error,
    events::Event,
    model::Model,
    models::Batch,
    report::{Exhibit, Metric, Report},
    sample::VideoRequest,
};
use motion::{motion, motion_metric, motion_of};
use pictures::{ItemPictures, all_stills, of_items, pictures, reduced, stills};

/// Clips on either side of a comparison, unless asked otherwise.
const DEFAULT_N: usize = 500;
/// Held-out items whose likelihood and whose loss through the encoder are measured.
const MAX_ENCODER_ITEMS: usize = 64;
const RESAMPLES: usize = 500;
/// Frames of the train split, and of the holdout, that those of new clips are searched in.
const MAX_SEARCHED_FRAMES: usize = 20_000;
/// New clips whose frames are searched.
const MAX_SEARCHING_CLIPS: usize = 100;
/// Clips in a row on the page.
const ROW: usize = 6;
/// Frames of a clip of the page, which has to stay small enough to send.
const MAX_SHOWN_FRAMES: usize = 16;
/// Side of a clip of the page, in pixels.
const MAX_SHOWN_SIDE: usize = 64;
/// Bytes of one film of the page.
const MAX_FILM_BYTES: usize = 600_000;
/// Items scored at a time.
const SCORE_CHUNK: usize = 256;

/// Samples from `model` and judges the samples against the holdout of `data`, which it learned from.
///
/// # Errors
/// The holdout is too small, the model cannot be sampled from, or data cannot be read.
pub fn evaluate(
    model: &Model,
    data: &VideoSet,
    options: &Options,
    clock: &dyn Fn() -> Duration,
    on: &mut dyn FnMut(Event),
) -> Result<Report, Error> {
    let n = compared(options, DEFAULT_N, data.splits(), "clip")?;
    let start = clock();
    let request = VideoRequest { n, seed: options.seed, ..VideoRequest::default() };
    let new = model.sample_clips(&request, &mut |done, total| on(work("drawing new clips", done, total)))?;
    let per_sec = n as f64 / (clock() - start).as_secs_f64().max(1e-9);
    Ok(judgement(data, &new, Some(model), options, on)?.report(model, per_sec))
}

/// Judges clips that another program made, read as those of `data` are.
pub(super) fn judge_others(
    data: &VideoSet,
    new: &VideoSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Judgement, Error> {
    let chosen = compared_of(new.len(), options, DEFAULT_N, data.splits(), "clip")?;
    judgement(data, &new.clips(&chosen), None, options, on)
}

/// Of new clips that `model` made, or another program.
fn judgement(
    data: &VideoSet,
    new: &Clips,
    model: Option<&Model>,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Judgement, Error> {
    let item_pictures = ItemPictures::of(data);
    let sets = Sets::of(pictures(new), "pixels of all frames", &item_pictures.pictures, options, on)?;
    let (mut metrics, judged) = image::judge(&sets, on)?;
    metrics.push(motion_distance(data, new, options));
    frame_by_frame(&item_pictures, new, options, on, &mut metrics)?;
    if let Some(model) = model {
        through_the_encoder(model, data, options, on, &mut metrics)?;
    }
    let n = new.len();
    let by = model.map(|model| model.provenance(options.seed, serde_json::json!({ "evaluate": n })));
    Ok(Judgement {
        item: "clip".to_owned(),
        data: AnyData::describe_clips(data),
        n,
        seed: options.seed,
        trained_on: options.trained_on,
        metrics,
        exhibits: exhibits(data, &item_pictures, new, &judged, options.trained_on, by.as_ref())?,
    })
}

/// Judges clips that any generator made by all that needs no model.
pub(super) fn judge(
    data: &VideoSet,
    new: &Clips,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<Metric>, Error> {
    let item_pictures = ItemPictures::of(data);
    let sets = Sets::of(pictures(new), "pixels of all frames", &item_pictures.pictures, options, on)?;
    let (mut metrics, _) = image::judge(&sets, on)?;
    metrics.push(motion_distance(data, new, options));
    Ok(metrics)
}

fn motion_distance(data: &VideoSet, new: &Clips, options: &Options) -> Metric {
    let of = |split: &[u32]| motion_of(data, &evenly(split, new.len()));
    let splits = data.splits();
    motion_metric(&of(&splits.holdout), &motion(new), &of(&splits.train), options.seed)
}

/// Single frames as images: how far they are from real ones, and whether they are nearer to those of the train split.
/// Neither moves a dial: frames are judged with their clips already.
fn frame_by_frame(
    item_pictures: &ItemPictures,
    new: &Clips,
    options: &Options,
    on: &mut dyn FnMut(Event),
    metrics: &mut Vec<Metric>,
) -> Result<(), Error> {
    let pictures = pictures(new);
    let fake = stills(&pictures, item_pictures.frames);
    let sets = Sets::of(fake, "pixels", &item_pictures.stills, options, on)?;
    metrics.push(image::distance_of(&sets, "Fréchet distance of single frames"));
    if options.trained_on != TrainedOn::Train {
        return Ok(());
    }
    on(work("searching for copies of frames", 0, 1));
    // One frame of each real clip: frames of one clip are alike, and fewer clips would count as fewer kinds of frames.
    let splits = item_pictures.stills.splits();
    let of_set = |items: &[u32]| {
        Ok::<_, Error>(item_pictures.stills.images(&evenly(items, MAX_SEARCHED_FRAMES))?.pixels)
    };
    let few: Vec<usize> = (0..pictures.len()).step_by(pictures.len().div_ceil(MAX_SEARCHING_CLIPS)).collect();
    let searching = all_stills(&pictures.select(&few), item_pictures.frames);
    let size = item_pictures.stills.shape().pixels();
    let found = novelty(&searching, &of_set(&splits.train)?, &of_set(&splits.holdout)?, size);
    // Likewise resampled are clips, not frames.
    let of_clips: Vec<f64> = found
        .closer
        .chunks_exact(item_pictures.frames)
        .map(|frames| frames.iter().sum::<f64>() / frames.len() as f64)
        .collect();
    let value = Interval::of_mean(&of_clips, RESAMPLES, options.seed);
    let metric = Metric::lower("frames closer to train than to holdout", "pixels", value).within(0.0, 1.0);
    metrics.push(metric.between(Interval::of_chance(of_clips.len()), 1.0));
    on(work("searching for copies of frames", 1, 1));
    Ok(())
}

/// What is left of held-out clips behind the encoder and the decoder, and how likely they are. Neither moves a dial: both
/// say how well the model sees, not how well it draws.
fn through_the_encoder(
    model: &Model,
    data: &VideoSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
    metrics: &mut Vec<Metric>,
) -> Result<(), Error> {
    on(work("held-out clips through the encoder", 0, 1));
    let batch = data.batch(&evenly(&data.splits().holdout, MAX_ENCODER_ITEMS), None);
    if let Some(back) = model.clips()?.model.reconstruct(&batch, &mut mintage_nn::Rng::new(options.seed, 0)) {
        let ratios = psnr_db(&batch.pixels, &back, data.codec().pixels());
        let value = Interval::of_mean(&ratios, RESAMPLES, options.seed);
        metrics.push(Metric::higher("PSNR of held-out clips", "decibel, through the encoder", value));
    }
    if let Some(nats) = model.nll(&Batch::Video(batch), 1, options.seed) {
        let value = Interval::of_mean(&nats, RESAMPLES, options.seed);
        metrics.push(Metric::lower("negative log-likelihood", "nats a clip", value));
        let scale = 1.0 / (data.codec().pixels() as f64 * std::f64::consts::LN_2);
        metrics.push(Metric::lower("bits per dimension", "pixels", value.times(scale)));
        let members = Attacked::of(&data.splits().train, &data.splits().holdout, MAX_ENCODER_ITEMS).members;
        let members = Batch::Video(data.batch(&members, None));
        metrics.extend(with_model(model, members, 1, &nats, options.seed));
    }
    on(work("held-out clips through the encoder", 1, 1));
    Ok(())
}

/// Peak signal-to-noise ratio of each clip of `size` bytes in decibels; more is better.
pub fn psnr_db(originals: &[u8], back: &[u8], size: usize) -> Vec<f64> {
    let size = size.max(1);
    let one = |(x, y): (&[u8], &[u8])| {
        let squares: f64 = x.iter().zip(y).map(|(&p, &q)| f64::from(p.abs_diff(q)).powi(2)).sum();
        // Half a grey level in one pixel stands for "no difference".
        10.0 * (255.0_f64.powi(2) * size as f64 / squares.max(0.25)).log10()
    };
    originals.chunks_exact(size).zip(back.chunks_exact(size)).map(one).collect()
}

/// What people would rather look at than read.
fn exhibits(
    data: &VideoSet,
    item_pictures: &ItemPictures,
    new: &Clips,
    judged: &Judged,
    trained_on: TrainedOn,
    by: Option<&Provenance>,
) -> Result<Vec<Exhibit>, Error> {
    let film = |blocks: &[(&str, Clips)]| -> Result<Vec<u8>, Error> {
        let of = |frames: usize, side: usize| -> Result<Vec<u8>, Error> {
            let small = |(name, clips): &(&str, Clips)| ((*name).to_owned(), reduced(clips, frames, side));
            let blocks: Vec<(String, Clips)> = blocks.iter().map(small).collect();
            Ok(gif_bytes(&grid_film("report", &blocks, ROW)?, by)?)
        };
        // What is full of detail is shown with fewer frames, then smaller as well.
        let mut film = of(MAX_SHOWN_FRAMES, MAX_SHOWN_SIDE)?;
        for (frames, side) in [(8, MAX_SHOWN_SIDE), (8, MAX_SHOWN_SIDE / 2), (4, MAX_SHOWN_SIDE / 2)] {
            if film.len() <= MAX_FILM_BYTES {
                break;
            }
            film = of(frames, side)?;
        }
        Ok(film)
    };
    let first: Vec<usize> = (0..new.len().min(2 * ROW)).collect();
    let real = data.clips(&evenly(&data.splits().holdout, ROW));
    let new_and_real = film(&[("new", new.select(&first)), (trained_on.real(), real)])?;
    let mut by_realness = judged.by_realness();
    let pick = |from: &[usize]| new.select(&from[..ROW.min(from.len())]);
    let most = pick(&by_realness);
    by_realness.reverse();
    let detector = film(&[("most like real", most), ("least like real", pick(&by_realness))])?;
    let mut exhibits = vec![
        Exhibit::gif("New, and real", "", &new_and_real),
        Exhibit::gif(
            "What the detector says",
            "A classifier that learned to tell new from real finds these most and least like real ones.",
            &detector,
        ),
    ];
    if let Some(nearest) = judged.by_nearness() {
        let pairs = nearest.into_iter().take(ROW);
        let (near, train): (Vec<usize>, Vec<u32>) =
            pairs.map(|(new, train)| (new, item_pictures.items[train as usize])).unzip();
        let (near, train) = (new.select(&near), data.clips(&train));
        let neighbours = film(&[("new, nearest to train", near), ("their neighbours in train", train)])?;
        exhibits.push(Exhibit::gif(
            "Copied?",
            "The new clips that lie nearest to a training clip, frame by frame, and that clip below each.",
            &neighbours,
        ));
    }
    Ok(exhibits)
}

/// Scores every clip of `items` by how well it conforms to `data`.
///
/// `items` must be read with the transform of the model.
///
/// # Errors
/// The data have too few items to compare with, or items cannot be read.
pub fn score(
    model: &Model,
    data: &VideoSet,
    items: &VideoSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<ItemScore>, Error> {
    let conformity = Conformity::new(&ItemPictures::of(data).pictures, options, on)?;
    let mut scores = Vec::with_capacity(items.len());
    let all: Vec<u32> = (0..items.len() as u32).collect();
    for chunk in all.chunks(SCORE_CHUNK) {
        let conformities = conformity.of(&of_items(items, chunk));
        let nll = model.nll(&Batch::Video(items.batch(chunk, None)), 1, options.seed);
        for (i, &item) in chunk.iter().enumerate() {
            scores.push(ItemScore {
                name: items.name(item),
                conformity: conformities[i],
                nll: nll.as_ref().map(|nll| nll[i]),
            });
        }
        on(work("scoring", scores.len(), items.len()));
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psnr_of_known_differences() {
        let db = psnr_db(&[10; 16], &[35; 16], 16);
        assert!((db[0] - 20.172).abs() < 0.01 && db.len() == 1, "{db:?}");
        assert!(psnr_db(&[10; 32], &[10; 32], 16).iter().all(|db| db.is_finite()));
    }
}
