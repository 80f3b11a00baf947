//! Moving characters by every family of clips, and what comes behind the first frames of Moving-MNIST.

use std::{sync::Arc, time::Instant};

use burn::tensor::Device;
use mintage::{
    AnyData, AnyModel, Model, SamplingParams, VideoRequest,
    data::{Clips, ImageShape, Images, VideoBatch, VideoSet},
    evaluate::{
        evaluate,
        image::{ConvNet, Training},
    },
    models::{Conditioning, GenerativeModel, VideoModel, VideoSampleParams},
    nn::Rng,
};

use crate::{
    Options,
    figures::Figure,
    training::{family, recipe, setup, trained},
};

/// New clips of each class.
const ASKED: usize = 40;
const MINUTES: f64 = 20.0;

/// `sprites-FAMILY`: 296 of 1,296 characters are held out.
pub fn sprites(case: &str, options: &Options) {
    let family = family(case.trim_start_matches("sprites-"));
    let recipe = recipe(&options.data.join("video/sprites"), family, MINUTES, &[], options);
    let data = Arc::new(VideoSet::open(&recipe.data).unwrap());
    let model = trained(&recipe, &AnyData::Video(data.clone()), case, options);
    let how = setup(&model, options);
    let classes = data.classes().len();
    let training = Training { steps: 400, lr: 2e-3, shift: 0.05, seed: 1 };
    let real = stacked(&data.clips(&data.splits().train));
    let watcher =
        ConvNet::classifier(&real, &real.labels, classes, training, &Device::flex(), &mut |_, _| {});
    let held = stacked(&data.clips(&data.splits().holdout));
    Figure::higher(case, "accuracy of the watcher on real clips", accuracy(&watcher, &held), "share")
        .print(&format!("{} clips of held-out characters", held.len()));

    let new = asked(&model, data.classes());
    Figure::higher(case, "asked action recognised", accuracy(&watcher, &new), "share")
        .limit(0.95)
        .print(&format!("{how}; {} new clips", new.len()));
    let start = Instant::now();
    let judging =
        mintage::evaluate::Options { cache: Some(options.runs.join("encoders")), ..Default::default() };
    let report = evaluate(&model, &AnyData::Video(data), &judging, &|| start.elapsed(), &mut |_| {}).unwrap();
    report.save(&model.dir).unwrap();
    let told = format!("{how}; {} clips on either side", report.n);
    let copies = report.metrics.iter().find(|m| m.name == "exact copies").unwrap();
    Figure::lower(case, "exact copies", copies.value, "share").limit(0.0).print(&told);
    for (name, dial) in &report.dials {
        Figure::higher(case, &format!("dial: {name}"), dial.score, "of 100").print(&told);
    }
}

/// A clip as an image with a channel for every frame of every channel.
fn stacked(clips: &Clips) -> Images {
    Images {
        shape: ImageShape { channels: clips.shape.channels * clips.frames, ..clips.shape },
        pixels: clips.pixels.clone(),
        labels: clips.labels.clone(),
        classes: clips.classes.clone(),
    }
}

fn accuracy(watcher: &ConvNet, images: &Images) -> f64 {
    let found = watcher.classes(images);
    let hits = found.iter().zip(&images.labels).filter(|(found, label)| found == label).count();
    hits as f64 / images.len() as f64
}

/// New clips of each class.
fn asked(model: &Model, classes: &[String]) -> Images {
    let parts = classes.iter().enumerate().map(|(class, name)| {
        let request = VideoRequest {
            n: ASKED,
            label: Some(name.clone()),
            seed: class as u64,
            ..VideoRequest::default()
        };
        stacked(&model.sample_clips(&request, &mut |_, _| {}).unwrap())
    });
    parts
        .reduce(|mut all, part| {
            all.pixels.extend(part.pixels);
            all.labels.extend(part.labels);
            all
        })
        .unwrap()
}

/// Frames that are known, and frames of a clip.
const KNOWN: usize = 10;
const FRAMES: usize = 20;
/// Test clips that are continued, and continuations of each.
const CONTINUED: usize = 100;
const DRAWS: usize = 8;

/// `moving-mnist-FAMILY`: ten frames behind ten, of a model that has learned from windows of the recipe's length, at most
/// twenty. The squared error of a frame is a sum over its 64 × 64 pixels in [0, 1]; the best guess under it is the mean of
/// what may come, so the mean of several continuations is measured beside one of them.
pub fn moving_mnist(case: &str, options: &Options) {
    let family = family(case.trim_start_matches("moving-mnist-"));
    let settings = ["data.frames=20"];
    let mut recipe = recipe(&options.data.join("video/moving-mnist"), family, 55.0, &settings, options);
    let data = Arc::new(VideoSet::open(&recipe.data).unwrap());
    let model = trained(&recipe, &AnyData::Video(data.clone()), case, options);
    let window = data.codec().frames;
    recipe.set(settings[0]).unwrap();
    let data = if window == FRAMES { data } else { Arc::new(VideoSet::open(&recipe.data).unwrap()) };
    let AnyModel::Video(clips) = &model.any else { panic!("not a model of clips") };
    let area = data.shape().pixels();
    let (mut one, mut mean, mut still, mut through) = (0.0, 0.0, 0.0, 0.0);
    let items = &data.splits().holdout[..CONTINUED.min(data.splits().holdout.len())];
    for (number, &item) in items.iter().enumerate() {
        let truth = data.batch(&[item], None);
        let begin = Conditioning::Continue { item: &truth.pixels[..KNOWN * area] };
        let draw = VideoSampleParams {
            n: DRAWS,
            labels: &[],
            frames: FRAMES,
            conditioning: begin,
            choice: SamplingParams::default(),
            guidance: None,
            autoguidance: None,
        };
        let drawn = clips.sample(&draw, &mut Rng::new(number as u64, 0));
        let each = FRAMES * area;
        let middle: Vec<f64> = (0..each)
            .map(|i| drawn.iter().skip(i).step_by(each).map(|&p| f64::from(p)).sum::<f64>() / DRAWS as f64)
            .collect();
        let plain = |pixels: &[u8]| pixels.iter().map(|&p| f64::from(p)).collect::<Vec<f64>>();
        let (known, new) = (KNOWN * area, &plain(&truth.pixels)[KNOWN * area..]);
        one += squares(&plain(&drawn[known..each]), new);
        mean += squares(&middle[known..], new);
        let last = plain(&truth.pixels[known - area..known]).repeat(FRAMES - KNOWN);
        still += squares(&last, new);
        through += squares(&plain(&through_encoder(clips, &truth, area, window)[known..]), new);
    }
    let frames = (items.len() * (FRAMES - KNOWN)) as f64;
    let how = format!("{}; {} test clips", setup(&model, options), items.len());
    Figure::lower(
        case,
        "squared error of a frame, mean of 8 continuations",
        mean / frames,
        "sum over pixels",
    )
    .limit(45.0)
    .print(&how);
    Figure::lower(case, "squared error of a frame, one continuation", one / frames, "sum over pixels")
        .print(&how);
    Figure::lower(case, "squared error of a frame, the last one again", still / frames, "sum over pixels")
        .print(&how);
    Figure::lower(case, "squared error of a frame through the encoder", through / frames, "sum over pixels")
        .print(&how);
}

/// A clip encoded and decoded, a window of the model's own length at a time; the last one is laid over the one before.
fn through_encoder(clips: &VideoModel, clip: &VideoBatch, area: usize, window: usize) -> Vec<u8> {
    let mut back = vec![0; clip.pixels.len()];
    for first in (0..FRAMES).step_by(window).map(|first| first.min(FRAMES - window)) {
        let part = first * area..(first + window) * area;
        let pixels = clip.pixels[part.clone()].to_vec();
        let one = VideoBatch { pixels, labels: vec![], n: 1 };
        back[part].copy_from_slice(&clips.reconstruct(&one, &mut Rng::new(0, 0)).unwrap());
    }
    back
}

/// Of numbers in [0, 255] as if they were in [0, 1].
fn squares(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| ((a - b) / 255.0).powi(2)).sum()
}
