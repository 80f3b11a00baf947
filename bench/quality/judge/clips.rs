//! Handwritten digits on their way through a small frame, from border to border.

use std::sync::Arc;

use mintage::{
    AnyData,
    data::{Clips, ImageSet, ImageShape, Images, SourceSpec, VideoSet},
    evaluate::NewItems,
    nn::Rng,
};

use super::{Ladder, evenly, pixels};
use crate::Options;

/// Training clips for each held-out one, at most.
const TRAIN: usize = 9;
const MAX_TRAIN: usize = 10_000;
/// New clips that are compared at most, as `evaluate` does.
const MAX_ITEMS: usize = 500;
const FRAMES: usize = 8;
const SIDE: usize = 24;
/// A digit of half its size.
const DIGIT: usize = 14;
const FRAME: usize = SIDE * SIDE;

pub fn ladder(n: usize, options: &Options) -> Ladder {
    let source = options.data.join("images/mnist").to_string_lossy().into_owned();
    let all = ImageSet::open(&SourceSpec { source, ..SourceSpec::default() }).unwrap();
    let order: Vec<u32> = Rng::new(1, 1).permutation(all.len()).into_iter().map(|i| i as u32).collect();
    let train = (TRAIN * n).min(MAX_TRAIN);
    let moving = |items: &[u32], seed: u64| moving(&all.images(items).unwrap(), seed);
    let fresh = moving(&order[..n], 1);
    let known = moving(&order[n..2 * n + train], 2);
    let chosen = |from: usize, of: usize| -> Vec<usize> {
        evenly(of, MAX_ITEMS.min(n)).into_iter().map(|i| from + i).collect()
    };
    let (fresh, trained) = (fresh.select(&chosen(0, n)), known.select(&chosen(n, train)));
    let set = VideoSet::from_memory_with(known, 0..n);
    let n = fresh.len();
    let kept: Vec<usize> = (0..n).filter(|&i| fresh.labels[i] < 5).collect();
    let rungs = vec![
        ("fresh", fresh.clone()),
        ("little noise", noisy(&fresh, 0.1)),
        ("much noise", noisy(&fresh, 0.5)),
        ("noise", noisy(&fresh, 20.0)),
        ("little mixed", frames_swapped(&fresh, 0.3)),
        ("much mixed", frames_of_others(&fresh)),
        ("trivial", trivial(&trained)),
        ("half", fresh.select(&(0..n).map(|i| kept[i % kept.len()]).collect::<Vec<_>>())),
        ("one", fresh.select(&vec![0; n])),
        ("copied", trained.clone()),
        ("half copied", halves(&trained, &fresh)),
        ("near copies", noisy(&trained, 0.03)),
    ];
    let rungs = rungs.into_iter().map(|(name, clips)| (name, NewItems::Video(clips))).collect();
    Ladder { data: AnyData::Video(Arc::new(set)), n, rungs }
}

/// Each digit begins anywhere and goes straight on in any direction, and back from the border.
fn moving(digits: &Images, seed: u64) -> Clips {
    let mut rng = Rng::new(seed, 0);
    let room = (SIDE - DIGIT) as f32;
    let mut pixels = Vec::with_capacity(digits.len() * FRAMES * FRAME);
    for i in 0..digits.len() {
        let small = halved(digits.image(i));
        let angle = std::f32::consts::TAU * rng.uniform();
        let mut way = [1.5 * angle.cos(), 1.5 * angle.sin()];
        let mut place = [room * rng.uniform(), room * rng.uniform()];
        for _ in 0..FRAMES {
            let [left, top] = place.map(|at| at.round() as usize);
            let mut frame = vec![0; FRAME];
            for (y, row) in small.chunks_exact(DIGIT).enumerate() {
                frame[(top + y) * SIDE + left..][..DIGIT].copy_from_slice(row);
            }
            pixels.extend(frame);
            for (place, way) in place.iter_mut().zip(&mut way) {
                if !(0.0..=room).contains(&(*place + *way)) {
                    *way = -*way;
                }
                *place = (*place + *way).clamp(0.0, room);
            }
        }
    }
    let shape = ImageShape { channels: 1, height: SIDE, width: SIDE };
    let (labels, classes) = (digits.labels.clone(), digits.classes.clone());
    Clips { shape, frames: FRAMES, fps: 8.0, pixels, labels, classes }
}

/// The means of blocks of two by two.
fn halved(image: &[u8]) -> Vec<u8> {
    let at = |y: usize, x: usize| u32::from(image[y * 2 * DIGIT + x]);
    let mean = |y: usize, x: usize| {
        (at(2 * y, 2 * x) + at(2 * y, 2 * x + 1) + at(2 * y + 1, 2 * x) + at(2 * y + 1, 2 * x + 1)) / 4
    };
    (0..DIGIT * DIGIT).map(|i| mean(i / DIGIT, i % DIGIT) as u8).collect()
}

fn noisy(clips: &Clips, share: f32) -> Clips {
    Clips { pixels: pixels::noisy(&clips.pixels, share), ..clips.clone() }
}

/// Frames of a clip change places, now and then.
fn frames_swapped(clips: &Clips, share: f32) -> Clips {
    let mut rng = Rng::new(8, 0);
    let swapped = clips.pixels.chunks_exact(FRAMES * FRAME).flat_map(|clip| {
        let mut frames: Vec<&[u8]> = clip.chunks_exact(FRAME).collect();
        for at in 0..FRAMES {
            if rng.uniform() < share {
                let other = rng.below(FRAMES);
                frames.swap(at, other);
            }
        }
        frames.concat()
    });
    Clips { pixels: swapped.collect(), ..clips.clone() }
}

/// Each frame is one of another clip.
fn frames_of_others(clips: &Clips) -> Clips {
    let mut rng = Rng::new(8, 0);
    let frames: Vec<&[u8]> = clips.pixels.chunks_exact(FRAME).collect();
    let mixed = frames.iter().flat_map(|_| frames[rng.below(frames.len())]);
    Clips { pixels: mixed.copied().collect(), ..clips.clone() }
}

fn trivial(clips: &Clips) -> Clips {
    Clips { pixels: pixels::trivial(&clips.pixels, FRAMES * FRAME), ..clips.clone() }
}

fn halves(a: &Clips, b: &Clips) -> Clips {
    let pixels = pixels::halves(&a.pixels, &b.pixels, FRAMES * FRAME);
    Clips { pixels, labels: pixels::halves(&a.labels, &b.labels, 1), ..b.clone() }
}
