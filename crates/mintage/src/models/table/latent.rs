//! What models share that draw a latent vector for a row and then all of its fields at once.

use mintage_data::{TableBatch, TableInfo};
use mintage_nn::{Rng, cancel};
use rayon::prelude::*;

use super::{HIDDEN, TableSampleParams, cumulative, pick};

/// Rows that go through the networks together in sampling.
const SAMPLE_ROWS: usize = 2048;

/// Latent vectors a row that say how likely the tokens of a restricted field are.
const PROBES: usize = 16;

/// What the shares in the data add to those probabilities, so that sets hardly ever met are still met.
const DATA_SHARE_WEIGHT: f32 = 1e-3;

/// Rows of which some fields are hidden: all of them in every second row, in the others a part that is
/// equally often of any size. A model that sees these learns every condition, and none.
pub fn conditions(batch: &TableBatch, width: usize, rng: &mut Rng) -> Vec<u16> {
    let mut tokens = batch.tokens.clone();
    for (at, row) in tokens.chunks_exact_mut(width).enumerate() {
        let hidden = if at % 2 == 0 { width } else { 1 + rng.below(width) };
        rng.permutation(width)[..hidden].iter().for_each(|&field| row[field] = HIDDEN);
    }
    tokens
}

/// Draws rows. `decode` draws a latent vector for each of some rows, given their known tokens, and says what
/// it makes of all their fields: logits `[n, tokens]`.
///
/// A field that is restricted to several tokens is settled first, from the mean over some latent vectors, and
/// known from then on: drawn with all others from one latent vector it would not fit them.
pub fn sample(
    info: &TableInfo,
    draw: &TableSampleParams,
    rng: &mut Rng,
    decode: impl Fn(&[u16], &mut Rng) -> Vec<f32>,
) -> Vec<u16> {
    let (width, starts) = (info.width(), info.starts());
    let total = starts[width];
    let mut tokens = draw.start(width);
    for rows in tokens.chunks_mut(SAMPLE_ROWS * width) {
        if cancel::wanted() {
            super::fill_hidden(rows);
            continue;
        }
        for field in (0..width).filter(|&field| draw.allowed(field).is_some()) {
            settle(info, draw, field, rows, rng, &decode);
        }
        let logits = decode(rows, rng);
        let uniforms = rng.uniforms(rows.len());
        let rows = rows.par_chunks_mut(width).zip(logits.par_chunks(total)).zip(uniforms.par_chunks(width));
        rows.for_each(|((row, logits), uniforms)| {
            for field in (0..width).filter(|&field| draw.allowed(field).is_none()) {
                if row[field] == HIDDEN {
                    let logits = &logits[starts[field]..starts[field + 1]];
                    row[field] = pick(&cumulative(logits, draw.temperature, None), uniforms[field]) as u16;
                }
            }
        });
    }
    tokens
}

/// Draws the tokens of one restricted field.
fn settle(
    info: &TableInfo,
    draw: &TableSampleParams,
    field: usize,
    rows: &mut [u16],
    rng: &mut Rng,
    decode: &impl Fn(&[u16], &mut Rng) -> Vec<f32>,
) {
    let (width, starts) = (info.width(), info.starts());
    let (n, size, total) = (rows.len() / width, info.fields[field].size, starts[width]);
    let counts = &info.fields[field].counts;
    let shares = counts.iter().map(|&count| (count as f32 + 1e-3) / info.train_len.max(1) as f32);
    let mut chances: Vec<f32> =
        shares.map(|share| share * DATA_SHARE_WEIGHT * PROBES as f32).collect::<Vec<_>>().repeat(n);
    // Where nothing is known yet, the shares in the data are exact.
    if rows.iter().any(|&token| token != HIDDEN) {
        for _ in 0..PROBES {
            let logits = decode(rows, rng);
            chances.par_chunks_mut(size).zip(logits.par_chunks(total)).for_each(|(chances, logits)| {
                let sums = cumulative(&logits[starts[field]..starts[field + 1]], draw.temperature, None);
                let whole = sums[size - 1];
                let mut before = 0.0;
                for (chance, sum) in chances.iter_mut().zip(sums) {
                    *chance += (sum - before) / whole;
                    before = sum;
                }
            });
        }
    }
    let uniforms = rng.uniforms(n);
    for ((row, chances), u) in rows.chunks_mut(width).zip(chances.chunks(size)).zip(uniforms) {
        if row[field] == HIDDEN {
            let logits: Vec<f32> = chances.iter().map(|chance| chance.ln()).collect();
            row[field] = pick(&cumulative(&logits, 1.0, draw.allowed(field)), u) as u16;
        }
    }
}
