//! What the tests of every model check: it learns one batch, it survives a save.
#![allow(clippy::unwrap_used)]

use mintage_data::Palette;
use mintage_nn::{Rng, TensorMap};

use crate::events::Metrics;

/// The first metric of the last steps is clearly below that of the first ones.
pub fn check_overfits(steps: usize, mut step: impl FnMut(f64, &mut Rng) -> Metrics) {
    let mut losses = Vec::new();
    for i in 0..steps {
        let mut rng = Rng::new(9, i as u64);
        losses.push(step(i as f64 / steps as f64, &mut rng).first().unwrap());
    }
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (first, last) = (mean(&losses[..5]), mean(&losses[steps - 5..]));
    assert!(last < first - 0.3 * first.abs(), "loss went from {first} to {last}");
}

/// What was made with a palette, items of `area` pixels, has no other colours, and so many items have a likelihood.
pub fn check_colours(palette: &Palette, area: usize, made: &[Vec<u8>], nats: Option<Vec<f64>>, n: usize) {
    assert!(made.iter().all(|pixels| palette.indices(pixels, area).missing.is_empty()));
    let nats = nats.unwrap();
    assert!(nats.len() == n && nats.iter().all(|nats| nats.is_finite()), "{nats:?}");
}

/// What one model saves, another reads, through the bytes of a file.
pub fn check_save_load(save: impl FnOnce(&mut TensorMap), load: impl FnOnce(&TensorMap)) {
    let dir = tempfile::tempdir().unwrap();
    let mut map = TensorMap::default();
    save(&mut map);
    let path = dir.path().join("state.safetensors");
    crate::run::write_weights(&path, &map).unwrap();
    load(&TensorMap::load(&path).unwrap());
}
