//! The training images nearest to a new one, in pixels, as copies are judged; see [`novelty`](super::novelty).

use mintage_data::Images;
use rayon::prelude::*;

use super::{
    super::nearest::Hits,
    novelty::{near_place, references},
};

/// Pairs of bytes that are compared while an index is built.
const MAX_COMPARED: usize = 4_000_000_000;
/// Held-out images that are compared whatever it costs.
const MIN_REFERENCES: usize = 20;
/// Bytes whose squared differences are summed in 32 bits.
const SUM_BYTES: usize = 4096;

/// Training images as bytes, with what to expect of new ones.
pub(in crate::evaluate) struct PixelIndex {
    /// Bytes of an image.
    size: usize,
    train: Vec<u8>,
    /// The item that each training image is.
    items: Vec<u32>,
    holdout: Vec<u8>,
    /// Distances of held-out images to the nearest training image, ascending.
    expected: Vec<f64>,
    /// The squared ratio of distances at or below which an image is a near copy; NaN where there is none.
    threshold: f64,
}

impl PixelIndex {
    /// Of training images, which are these items, and of held-out ones.
    pub fn new(train: Images, items: Vec<u32>, holdout: Images) -> Self {
        let size = train.shape.pixels().max(1);
        let most = (MAX_COMPARED / train.pixels.len().max(1)).max(MIN_REFERENCES);
        let found = references(&train.pixels, &holdout.pixels, size, most);
        let mut expected: Vec<f64> = found.iter().map(|&(to_train, _)| to_train.sqrt()).collect();
        expected.sort_unstable_by(f64::total_cmp);
        let threshold = near_place(&found).map_or(f64::NAN, |(threshold, _)| threshold);
        Self { size, train: train.pixels, items, holdout: holdout.pixels, expected, threshold }
    }

    /// The `k` training images nearest to any of these pictures of one item.
    pub fn search(&self, pictures: &Images, k: usize) -> Hits {
        let mut all: Vec<(u64, usize)> = Vec::new();
        let (mut least, mut near_copy) = (u64::MAX, false);
        for picture in pictures.pixels.chunks_exact(self.size) {
            let squares = self.squares(picture, &self.train);
            let to_train = squares.iter().copied().min().unwrap_or(u64::MAX);
            if to_train < least {
                let to_holdout = self.squares(picture, &self.holdout).into_iter().min();
                let ratio = to_holdout.map_or(f64::NAN, |square| to_train as f64 / square as f64);
                (least, near_copy) = (to_train, ratio <= self.threshold);
            }
            all.extend(squares.into_iter().enumerate().map(|(place, square)| (square, place)));
        }
        all.sort_unstable();
        let equals = all.iter().take_while(|&&(square, _)| square == 0).count();
        let mut neighbours: Vec<(u32, f64)> = Vec::new();
        for (square, place) in all {
            let item = self.items[place];
            if neighbours.iter().all(|&(known, _)| known != item) {
                neighbours.push((item, (square as f64).sqrt()));
            }
            if neighbours.len() == k {
                break;
            }
        }
        Hits { neighbours, near_copy, equals, expected: self.expected.clone(), ..Hits::default() }
    }

    /// Squared distances to each image of `base`, exact.
    fn squares(&self, picture: &[u8], base: &[u8]) -> Vec<u64> {
        let square = |(&a, &b): (&u8, &u8)| u32::from(a.abs_diff(b)).pow(2);
        let of = |other: &[u8]| {
            let parts = picture.chunks(SUM_BYTES).zip(other.chunks(SUM_BYTES));
            parts.map(|(a, b)| u64::from(a.iter().zip(b).map(square).sum::<u32>())).sum()
        };
        base.par_chunks_exact(self.size).map(of).collect()
    }
}
