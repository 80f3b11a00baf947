//! New, or copied? Nearest training neighbours of samples, in pixels, held against held-out images.
//!
//! Distances are Euclidean over the bytes of the pixels (0–255 per channel) and exact: everything is done
//! in whole numbers, so the results are the same on every machine and distance 0 means equal bytes. A
//! copy that was moved, mirrored or recoloured is not found here; that takes a feature space.
//!
//! A *near copy* is judged by the distance to the nearest training image divided by the distance to the
//! nearest held-out image. The bare distance would not do: a smooth or plain picture lies near to
//! everything, and a model that blurs would count as one that copies. The threshold is the first
//! percentile of the same ratio of the held-out images themselves (each against all others), which are
//! new for certain: of images as new as those about 1 % fall below it ([`Novelty::near_expected`] says
//! how many exactly), and a share well above that is copying.

use rayon::prelude::*;

use super::super::dcr::dcr_share;
use super::distance::Features;
use super::prdc::scan;

/// Held-out images that set the threshold; evenly spaced ones when there are more.
const MAX_REFERENCES: usize = 1000;
/// Share of new images that may fall below the threshold.
const NEAR_SHARE: f64 = 0.01;
/// Images turned into floats at a time, so that the data are never held a second time.
const MAX_SLAB_ROWS: usize = 4096;
/// Bytes of such images.
const MAX_SLAB_BYTES: usize = 64 << 20;

/// Findings for each sample, in the order of the samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Novelty {
    /// The nearest training image (the first of several) and the distance to it.
    pub neighbours: Vec<(usize, f32)>,
    /// Whether the bytes are those of a training image.
    pub exact: Vec<bool>,
    /// Whether it is a near copy: much nearer to a training image than to any held-out one, or exact.
    pub near: Vec<bool>,
    /// Share of near copies to expect among new images; NaN without held-out images.
    pub near_expected: f64,
    /// Probability that the nearest image is a training image, when as many images are drawn from
    /// the larger of train and holdout as there are in the smaller one. NaN without either.
    pub closer: Vec<f64>,
}

impl Novelty {
    /// Share of exact copies; ideally 0.
    pub fn exact_share(&self) -> f64 {
        mean(self.exact.iter().map(|&yes| f64::from(u8::from(yes))))
    }

    /// Share of near copies, exact ones among them; ideally [`near_expected`](Self::near_expected).
    pub fn near_share(&self) -> f64 {
        mean(self.near.iter().map(|&yes| f64::from(u8::from(yes))))
    }

    /// Share closer to train than to holdout; ideally 0.5, and 1 for a model that recites.
    pub fn closer_share(&self) -> f64 {
        mean(self.closer.iter().copied())
    }
}

/// Compares samples with training and held-out images, all of them `d` bytes each, one after the other.
///
/// Takes `samples × (train + holdout)` distances, and those of up to 1,000 held-out images. Without
/// training images distances are infinite; without held-out ones only exact copies count as near.
pub fn novelty(samples: &[u8], train: &[u8], holdout: &[u8], d: usize) -> Novelty {
    let count = |pixels: &[u8]| pixels.len().checked_div(d).unwrap_or(0);
    let (n, n_train, n_holdout) = (count(samples), count(train), count(holdout));
    let queries = features(&samples[..n * d], d);
    let free = vec![Found::NONE; n];
    // The smaller set sets the mark, the larger is counted against it.
    let (to_train, to_holdout, closer) = if n_train >= n_holdout {
        let to_holdout = search(&queries, holdout, free, None);
        let to_train = search(&queries, train, marked(&to_holdout), None);
        let chance = |found: &Found| found.dcr_share(n_train, n_holdout);
        let closer = to_train.iter().map(chance).collect();
        (to_train, to_holdout, closer)
    } else {
        let to_train = search(&queries, train, free, None);
        let to_holdout = search(&queries, holdout, marked(&to_train), None);
        let chance = |found: &Found| 1.0 - found.dcr_share(n_holdout, n_train);
        let closer = to_holdout.iter().map(chance).collect();
        (to_train, to_holdout, closer)
    };
    let (threshold, near_expected) = near_threshold(train, holdout, d);
    let exact: Vec<bool> = to_train.iter().map(|found| found.square == 0.0).collect();
    let ratios = to_train.iter().zip(&to_holdout).map(|(t, h)| ratio(t.square, h.square));
    Novelty {
        neighbours: to_train.iter().map(|found| (found.index, found.square.sqrt() as f32)).collect(),
        near: ratios.zip(&exact).map(|(ratio, &exact)| exact || ratio <= threshold).collect(),
        exact,
        near_expected,
        closer,
    }
}

/// The squared ratio at or below which a sample is a near copy, and the share of new images there.
fn near_threshold(train: &[u8], holdout: &[u8], d: usize) -> (f64, f64) {
    // No ratio is at or below NaN.
    near_place(&references(train, holdout, d, MAX_REFERENCES)).unwrap_or((f64::NAN, f64::NAN))
}

/// Of at most `most` held-out images, evenly spaced, the squared distance to the nearest training image and to the nearest
/// other held-out one, which is infinite where there is none.
pub(super) fn references(train: &[u8], holdout: &[u8], d: usize, most: usize) -> Vec<(f64, f64)> {
    let n = holdout.len().checked_div(d).unwrap_or(0);
    if n == 0 || train.len() < d {
        return Vec::new();
    }
    let count = n.min(MAX_REFERENCES).min(most);
    let own: Vec<usize> = (0..count).map(|i| i * n / count).collect();
    let pixels: Vec<u8> = own.iter().flat_map(|&i| &holdout[i * d..(i + 1) * d]).copied().collect();
    let queries = features(&pixels, d);
    let to_train = search(&queries, train, vec![Found::NONE; count], None);
    let to_others = search(&queries, holdout, vec![Found::NONE; count], Some(&own));
    to_train.iter().zip(&to_others).map(|(train, other)| (train.square, other.square)).collect()
}

/// The squared ratio of two distances that one in a hundred of the references falls below, and how many do exactly; none for
/// fewer than two.
pub(super) fn near_place(references: &[(f64, f64)]) -> Option<(f64, f64)> {
    let mut ratios: Vec<f64> = references.iter().map(|&(train, other)| ratio(train, other)).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let count = ratios.len();
    // A new image is as likely to come between any two of the sorted ratios: the share is exact.
    let place = ((NEAR_SHARE * (count + 1) as f64) as usize).max(1);
    (count > 1).then(|| (ratios[place - 1], place as f64 / (count + 1) as f64))
}

/// Squared distance to train over squared distance to holdout; 1 where both are 0.
fn ratio(to_train: f64, to_holdout: f64) -> f64 {
    if to_train == to_holdout { 1.0 } else { to_train / to_holdout }
}

/// What a search found for one query so far.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// The nearest image, the first of several, and the squared distance to it.
    index: usize,
    square: f64,
    /// A squared distance, and how many images are nearer than that, or just as near.
    mark: f64,
    nearer: usize,
    level: usize,
}

impl Found {
    const NONE: Self = Self { index: 0, square: f64::INFINITY, mark: 0.0, nearer: 0, level: 0 };

    fn add(&mut self, index: usize, square: f64) {
        if square < self.square {
            (self.index, self.square) = (index, square);
        }
        if square <= self.mark {
            let counter = if square < self.mark { &mut self.nearer } else { &mut self.level };
            *counter += 1;
        }
    }

    fn dcr_share(&self, n: usize, drawn: usize) -> f64 {
        dcr_share(n, drawn, self.nearer, self.level)
    }
}

/// Starts of a search that counts against the distances another one found.
fn marked(other: &[Found]) -> Vec<Found> {
    other.iter().map(|found| Found { mark: found.square, ..Found::NONE }).collect()
}

/// Goes through all images of `base`, `own[q]` left out for query `q`.
fn search(queries: &Features, base: &[u8], mut found: Vec<Found>, own: Option<&[usize]>) -> Vec<Found> {
    if queries.d == 0 {
        return found;
    }
    let rows = (MAX_SLAB_BYTES / (4 * queries.d)).clamp(1, MAX_SLAB_ROWS);
    for (slab, pixels) in base.chunks(rows * queries.d).enumerate() {
        let offset = slab * rows;
        found = scan(
            queries,
            &features(pixels, queries.d),
            |query| found[query],
            |state, query, first, squares| {
                let skipped = own.map(|own| own[query]);
                for (i, &square) in squares.iter().enumerate() {
                    let index = offset + first + i;
                    if (square < state.square || square <= state.mark) && Some(index) != skipped {
                        state.add(index, square);
                    }
                }
            },
        );
    }
    found
}

/// Pixels as whole numbers from -128 to 127, for which [`scan`] is exact.
fn features(pixels: &[u8], d: usize) -> Features {
    Features::new(d, pixels.par_iter().map(|&x| f32::from(x) - 128.0).collect())
}

fn mean(items: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = items.len();
    items.sum::<f64>() / count as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage_nn::Rng;

    const D: usize = 48;

    /// Images that differ as photographs do: plain or busy, about a few common forms.
    fn images(n: usize, seed: u64) -> Vec<u8> {
        let mut forms = Rng::new(99, 0);
        let forms: Vec<Vec<f32>> = (0..10).map(|_| forms.normals(D)).collect();
        let mut rng = Rng::new(seed, 0);
        let mut one = |_| {
            let (form, contrast) = (rng.below(10), 5.0 + 40.0 * rng.uniform());
            let pixel = |j: usize| 128.0 + contrast * (forms[form][j] + 0.5 * rng.normal());
            (0..D).map(pixel).map(|x| x.clamp(0.0, 255.0) as u8).collect::<Vec<u8>>()
        };
        (0..n).map(&mut one).collect::<Vec<_>>().concat()
    }

    fn square(x: &[u8], y: &[u8]) -> i64 {
        x.iter().zip(y).map(|(&x, &y)| (i64::from(x) - i64::from(y)).pow(2)).sum()
    }

    #[test]
    fn planted_copies_are_found() {
        let (train, holdout) = (images(9_000, 1), images(1_500, 2));
        let mut samples = images(300, 3);
        for (sample, copied) in [(0, 0), (7, 4_321), (299, 8_999)] {
            samples[sample * D..(sample + 1) * D].copy_from_slice(&train[copied * D..(copied + 1) * D]);
        }
        let mut nudged = train[777 * D..778 * D].to_vec();
        nudged[5] ^= 1;
        samples[50 * D..51 * D].copy_from_slice(&nudged);
        let found = novelty(&samples, &train, &holdout, D);
        for (sample, copied) in [(0, 0), (7, 4_321), (299, 8_999)] {
            assert_eq!(found.neighbours[sample], (copied, 0.0));
            assert!(found.exact[sample] && found.near[sample]);
        }
        assert_eq!(found.neighbours[50], (777, 1.0));
        assert!(!found.exact[50] && found.near[50]);
        assert_eq!(found.exact.iter().filter(|&&yes| yes).count(), 3);
        assert!((found.exact_share() - 0.01).abs() < 1e-12);
        assert!(found.near_share() < 0.05, "{}", found.near_share());
    }

    #[test]
    fn new_images_are_as_new_as_expected() {
        let (train, holdout) = (images(3_000, 1), images(600, 2));
        let found = novelty(&images(2_000, 3), &train, &holdout, D);
        assert!((found.near_expected - 6.0 / 601.0).abs() < 1e-12);
        assert!((found.near_share() - found.near_expected).abs() < 0.01, "{}", found.near_share());
        assert!((found.closer_share() - 0.5).abs() < 0.04, "{}", found.closer_share());
        assert!(found.closer.iter().all(|p| (0.0..=1.0).contains(p)));
        // The two sets' roles may be exchanged.
        let turned = novelty(&images(2_000, 3), &holdout, &train, D);
        assert!((turned.closer_share() + found.closer_share() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn blurred_images_are_not_copies_and_noisy_copies_are() {
        let (train, holdout) = (images(3_000, 1), images(600, 2));
        let halved = |pixels: &[u8]| -> Vec<u8> { pixels.iter().map(|&x| 64 + x / 2).collect() };
        let blurred = novelty(&halved(&images(500, 3)), &train, &holdout, D);
        assert!(blurred.near_share() < 0.04, "{}", blurred.near_share());
        let noisy: Vec<u8> =
            train[..500 * D].iter().enumerate().map(|(i, &x)| x ^ (i % 3 == 0) as u8).collect();
        let noisy = novelty(&noisy, &train, &holdout, D);
        assert_eq!((noisy.near_share(), noisy.exact_share()), (1.0, 0.0));
    }

    #[test]
    fn a_model_that_recites_is_closer_to_train() {
        let (train, holdout) = (images(500, 1), images(500, 2));
        let found = novelty(&train[..200 * D], &train, &holdout, D);
        assert_eq!((found.closer_share(), found.exact_share()), (1.0, 1.0));
    }

    #[test]
    fn neighbours_are_those_of_a_plain_search() {
        let (samples, train, holdout) = (images(40, 3), images(5_000, 1), images(90, 2));
        let found = novelty(&samples, &train, &holdout, D);
        for (i, sample) in samples.chunks(D).enumerate() {
            let squares: Vec<i64> = train.chunks(D).map(|row| square(sample, row)).collect();
            let least = *squares.iter().min().unwrap();
            let first = squares.iter().position(|&square| square == least).unwrap();
            assert_eq!(found.neighbours[i], (first, (least as f64).sqrt() as f32));
            let mark = holdout.chunks(D).map(|row| square(sample, row)).min().unwrap();
            let nearer = squares.iter().filter(|&&square| square < mark).count();
            let none: f64 = (0..90).map(|i| (5_000 - nearer - i) as f64 / (5_000 - i) as f64).product();
            let ties = squares.contains(&mark);
            assert!(ties || (found.closer[i] - (1.0 - none)).abs() < 1e-9);
        }
    }

    #[test]
    fn empty_sets_do_no_harm() {
        let (some, none) = (images(20, 1), Vec::new());
        assert!(novelty(&none, &some, &some, D).near_share().is_nan());
        let alone = novelty(&some, &some, &none, D);
        assert_eq!((alone.exact_share(), alone.near_share()), (1.0, 1.0));
        assert!(alone.closer_share().is_nan() && alone.near_expected.is_nan());
        let others = novelty(&images(10, 2), &some, &none, D);
        assert_eq!((others.exact_share(), others.near_share()), (0.0, 0.0));
        let untrained = novelty(&some, &none, &some, D);
        assert_eq!(untrained.exact_share(), 0.0);
        assert_eq!(untrained.neighbours[0], (0, f32::INFINITY));
        assert_eq!(novelty(&some, &some, &some, 0).neighbours.len(), 0);
    }
}
