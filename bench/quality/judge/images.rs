//! Handwritten digits.

use std::sync::Arc;

use mintage::{
    data::{ImageSet, Images, SourceSpec, Splits},
    evaluate::NewItems,
    nn::Rng,
};

use super::{Ladder, evenly, pixels};
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

fn noisy(images: &Images, share: f32) -> Images {
    Images { pixels: pixels::noisy(&images.pixels, share), ..images.clone() }
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

fn trivial(images: &Images) -> Images {
    Images { pixels: pixels::trivial(&images.pixels, images.shape.pixels()), ..images.clone() }
}

/// Only the lower half of the classes, each image twice as often.
fn half(images: &Images) -> Images {
    let classes = images.classes.len() as u32;
    let kept: Vec<usize> = (0..images.len()).filter(|&i| images.labels[i] < classes / 2).collect();
    images.select(&(0..images.len()).map(|i| kept[i % kept.len()]).collect::<Vec<_>>())
}

fn halves(a: &Images, b: &Images) -> Images {
    let pixels = pixels::halves(&a.pixels, &b.pixels, b.shape.pixels());
    Images { pixels, labels: pixels::halves(&a.labels, &b.labels, 1), ..b.clone() }
}
