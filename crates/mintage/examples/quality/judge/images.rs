//! Handwritten digits.

use std::sync::Arc;

use mintage::{
    data::{ImageSet, Images, SourceSpec, Splits},
    evaluate::NewItems,
    nn::Rng,
};

use super::{Ladder, evenly};
use crate::Options;

/// Training images for each held-out one.
const TRAIN: usize = 9;
/// New images that are compared at most, as `evaluate` does.
const MAX_ITEMS: usize = 2000;

pub fn ladder(n: usize, options: &Options) -> Ladder {
    let source = options.data.join("images/mnist").to_string_lossy().into_owned();
    let all = ImageSet::open(&SourceSpec { source, ..SourceSpec::default() }).unwrap();
    let order: Vec<u32> = Rng::new(1, 1).permutation(all.len()).into_iter().map(|i| i as u32).collect();
    let (fresh, rest) = order.split_at(n);
    let known = &rest[..rest.len().min((1 + TRAIN) * n)];
    let numbers: Vec<u32> = (0..known.len() as u32).collect();
    let (holdout, train) = numbers.split_at(n);
    let splits = Splits { train: train.to_vec(), valid: Vec::new(), holdout: holdout.to_vec() };
    let known = all.images(known).unwrap();
    let places = |all: usize| evenly(all, MAX_ITEMS.min(n));
    let trained = known.select(&places(train.len()).into_iter().map(|i| n + i).collect::<Vec<_>>());
    let fresh = all.images(fresh).unwrap().select(&places(n));
    let n = fresh.len();
    let set = Arc::new(ImageSet::from_memory_split(known, splits));
    let rungs = vec![
        ("fresh", fresh.clone()),
        ("little noise", noisy(&fresh, 0.1)),
        ("much noise", noisy(&fresh, 0.5)),
        ("noise", noisy(&fresh, 20.0)),
        ("little mixed", blurred(&fresh, 1)),
        ("much mixed", blurred(&fresh, 4)),
        ("trivial", trivial(&trained)),
        ("half", half(&fresh)),
        ("one", fresh.select(&vec![0; n])),
        ("copied", trained.clone()),
        ("half copied", halves(&trained, &fresh)),
        ("near copies", noisy(&trained, 0.03)),
    ];
    let rungs = rungs.into_iter().map(|(name, images)| (name, NewItems::Image(images))).collect();
    Ladder { data: set.into(), n, rungs }
}

/// With normal noise of so many times the range of a pixel, cut off at black and white.
fn noisy(images: &Images, share: f32) -> Images {
    let mut rng = Rng::new(7, 0);
    let noise = rng.normals(images.pixels.len());
    let pixels = images.pixels.iter().zip(noise);
    let pixels =
        pixels.map(|(&p, noise)| (f32::from(p) + 255.0 * share * noise).round().clamp(0.0, 255.0) as u8);
    Images { pixels: pixels.collect(), ..images.clone() }
}

/// Each pixel the mean of those up to `reach` away.
fn blurred(images: &Images, reach: usize) -> Images {
    let (height, width) = (images.shape.height, images.shape.width);
    let mut pixels = Vec::with_capacity(images.pixels.len());
    for plane in images.pixels.chunks_exact(height * width) {
        for at in 0..plane.len() {
            let (y, x) = (at / width, at % width);
            let rows = y.saturating_sub(reach)..(y + reach + 1).min(height);
            let columns = x.saturating_sub(reach)..(x + reach + 1).min(width);
            let count = rows.len() * columns.len();
            let sum: usize =
                rows.flat_map(|y| columns.clone().map(move |x| usize::from(plane[y * width + x]))).sum();
            pixels.push((sum / count) as u8);
        }
    }
    Images { pixels, ..images.clone() }
}

/// Each pixel that of another image in the same place.
fn trivial(images: &Images) -> Images {
    let mut rng = Rng::new(9, 0);
    let size = images.shape.pixels();
    let pixels = (0..images.pixels.len()).map(|at| images.pixels[rng.below(images.len()) * size + at % size]);
    Images { pixels: pixels.collect(), ..images.clone() }
}

/// Only the lower half of the classes, each image twice as often.
fn half(images: &Images) -> Images {
    let classes = images.classes.len() as u32;
    let kept: Vec<usize> = (0..images.len()).filter(|&i| images.labels[i] < classes / 2).collect();
    images.select(&(0..images.len()).map(|i| kept[i % kept.len()]).collect::<Vec<_>>())
}

/// The even ones of one, the odd ones of the other.
fn halves(a: &Images, b: &Images) -> Images {
    let mut mixed = b.clone();
    let size = b.shape.pixels();
    for i in (0..b.len()).step_by(2) {
        mixed.pixels[i * size..(i + 1) * size].copy_from_slice(a.image(i));
        if let (Some(label), Some(&other)) = (mixed.labels.get_mut(i), a.labels.get(i)) {
            *label = other;
        }
    }
    mixed
}
