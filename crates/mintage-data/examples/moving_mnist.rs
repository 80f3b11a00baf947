//! Makes Moving-MNIST (Srivastava et al., arXiv:1502.04681) from MNIST: `moving_mnist DIRECTORY-OF-MNIST DIR`. Started by
//! `cargo xtask data`.
//!
//! Two digits move through a frame of 64 × 64 in straight lines, a tenth of the way from border to border a frame, each in a
//! direction of its own, and bounce off the borders; where they meet, the brighter pixel is seen. 20 frames a clip. The files are
//! `train/N.gif`, of training digits, and `test/N.gif`, of test digits.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)]
#![allow(clippy::disallowed_macros)]

use std::{f64::consts::TAU, fs, path::Path};

use mintage_data::{Animation, ImageSet, ImageShape, Images, SourceSpec, gif_bytes};
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

const SIDE: usize = 64;
const DIGIT: usize = 28;
const FRAMES: usize = 20;
const FPS: f64 = 10.0;
/// Of the way from border to border, a frame.
const STEP: f64 = 0.1;
/// The paper draws new clips for ever; of 16,000 a network knows the paths by heart within half an hour.
const TRAIN: usize = 50_000;
const TEST: usize = 1_000;

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(mnist), Some(out)) = (args.next(), args.next()) else {
        panic!("usage: moving_mnist MNIST DIR")
    };
    let set = ImageSet::open(&SourceSpec { source: mnist, ..SourceSpec::default() }).unwrap();
    let splits = set.splits();
    for (part, items, count) in [("train", &splits.train, TRAIN), ("test", &splits.holdout, TEST)] {
        let digits = set.images(items).unwrap();
        let folder = Path::new(&out).join(part);
        fs::create_dir_all(&folder).unwrap();
        (0..count).into_par_iter().for_each(|number| {
            let mut random = Random { seed: number as u64 * 2 + u64::from(part == "test"), drawn: 0 };
            let film = Animation {
                shape: ImageShape { channels: 1, height: SIDE, width: SIDE },
                fps: FPS,
                frames: frames(&digits, &mut random),
            };
            fs::write(folder.join(format!("{number:05}.gif")), gif_bytes(&film, None).unwrap()).unwrap();
        });
    }
}

/// Numbers in [0, 1), the same on every machine.
struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    fn next(&mut self) -> f64 {
        self.drawn += 1;
        xxh3_64_with_seed(&self.drawn.to_le_bytes(), self.seed) as f64 / 2f64.powi(64)
    }
}

fn frames(digits: &Images, random: &mut Random) -> Vec<Vec<u8>> {
    let mut frames = vec![vec![0; SIDE * SIDE]; FRAMES];
    for _ in 0..2 {
        let digit = &digits.pixels[(random.next() * digits.len() as f64) as usize * DIGIT * DIGIT..];
        let (mut x, mut y, angle) = (random.next(), random.next(), random.next() * TAU);
        let (mut dx, mut dy) = (STEP * angle.cos(), STEP * angle.sin());
        for frame in &mut frames {
            (x, dx) = moved(x, dx);
            (y, dy) = moved(y, dy);
            draw(frame, digit, x, y);
        }
    }
    frames
}

/// A place between the borders 0 and 1 one frame later, and where it goes next: at a border it turns.
fn moved(at: f64, by: f64) -> (f64, f64) {
    match at + by {
        low if low <= 0.0 => (0.0, -by),
        high if high >= 1.0 => (1.0, -by),
        inside => (inside, by),
    }
}

fn draw(frame: &mut [u8], digit: &[u8], x: f64, y: f64) {
    let place = |at: f64| (at * (SIDE - DIGIT) as f64) as usize;
    let (left, top) = (place(x), place(y));
    for row in 0..DIGIT {
        let old = &mut frame[(top + row) * SIDE + left..][..DIGIT];
        old.iter_mut().zip(&digit[row * DIGIT..]).for_each(|(old, &new)| *old = new.max(*old));
    }
}
