//! Plans: what stands beside the tokens of a segment. A segment is parted into stretches of equal length, and each of
//! them has a vector that every position in it is given besides its token. A VAE has one stretch, a VQ-VAE one a code.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use mintage_data::sequence::{NO_TOKEN, SequenceBatch, SequenceInfo};
use mintage_nn::{
    Rng,
    layers::{Decoder, Positions},
    weights::to_vec,
};

use super::net::Shifted;

/// Plans among which the one that suits a prompt is chosen.
pub const CANDIDATES: usize = 32;

/// The vectors of one segment.
#[derive(Clone, Debug)]
pub struct Plan {
    /// One stretch after another.
    vectors: Vec<f32>,
    width: usize,
    /// Positions of a segment.
    time: usize,
}

impl Plan {
    /// The plans of `n` segments, whose stretches are the rows of `vectors`: `[n · stretches, width]`.
    pub fn of_all(vectors: &Tensor<2>, n: usize, time: usize) -> Vec<Self> {
        let (values, width) = (to_vec(vectors), vectors.dims()[1]);
        let each = values.len() / n;
        values.chunks_exact(each).map(|vectors| Self { vectors: vectors.to_vec(), width, time }).collect()
    }

    /// The vector of a position; positions after the end of a segment have its last one.
    fn at(&self, position: usize) -> &[f32] {
        let stretch = stretch(position, self.time, self.vectors.len() / self.width);
        &self.vectors[stretch * self.width..][..self.width]
    }
}

/// The stretch of `n` that a position of `time` lies in.
fn stretch(position: usize, time: usize, n: usize) -> usize {
    (position * n / time).min(n - 1)
}

/// The vectors of some positions of each plan, one plan after another: `[plans · positions, width]`.
pub fn beside<'a>(
    plans: impl Iterator<Item = &'a Plan>,
    positions: Range<usize>,
    device: &Device,
) -> Tensor<2> {
    let (mut values, mut width): (Vec<f32>, usize) = (Vec::new(), 1);
    for plan in plans {
        positions.clone().for_each(|position| values.extend(plan.at(position)));
        width = plan.width;
    }
    let rows = values.len() / width;
    Tensor::from_data(TensorData::new(values, [rows, width]), device)
}

/// From vectors of stretches to those of positions: `[n · stretches, width] → [n · time, width]`.
fn spread(vectors: Tensor<2>, n: usize, time: usize) -> Tensor<2> {
    let [rows, width] = vectors.dims();
    let stretches = rows / n;
    let mut ones = vec![0.0; n * time * stretches];
    for (at, row) in ones.chunks_exact_mut(stretches).enumerate() {
        row[stretch(at % time, time, stretches)] = 1.0;
    }
    let ones: Tensor<3> = Tensor::from_data(TensorData::new(ones, [n, time, stretches]), &vectors.device());
    ones.matmul(vectors.reshape([n, stretches, width])).reshape([n * time, width])
}

/// Logits of all tokens, `[n · time, vocab]`, of a network that is given the vectors of stretches, `[n ·
/// stretches, width]`, beside the tokens.
pub fn write_beside(
    net: &Decoder,
    vectors: Tensor<2>,
    shifted: &Shifted,
    dropout: f64,
    rng: &mut Rng,
) -> Tensor<2> {
    let beside = spread(vectors, shifted.n, shifted.tokens.len() / shifted.n);
    net.logits(net.forward_train(shifted.positions(), Some(beside), dropout, rng))
}

/// What a network that sees whole segments gives for each stretch: the mean over its positions, `[n ·
/// stretches, width]`. A stretch after the end has zeros.
pub fn read_stretches(net: &Decoder, shifted: &Shifted, stretches: usize) -> Tensor<2> {
    // All that a model is to write: neither the boundary before it nor what it has not.
    let at = Positions { tokens: &shifted.targets, ..shifted.positions() };
    let h = net.forward(at, None);
    let ([rows, width], n) = (h.dims(), shifted.n);
    let time = rows / n;
    let mut shares = vec![0.0; n * stretches * time];
    for (row, weights) in shifted.weights.chunks_exact(time).enumerate() {
        let mut counts = vec![0.0f32; stretches];
        (0..time).for_each(|t| counts[stretch(t, time, stretches)] += weights[t]);
        for t in 0..time {
            let part = stretch(t, time, stretches);
            shares[(row * stretches + part) * time + t] = weights[t] / counts[part].max(1.0);
        }
    }
    let shares: Tensor<3> = Tensor::from_data(TensorData::new(shares, [n, stretches, time]), &h.device());
    shares.matmul(h.reshape([n, time, width])).reshape([n * stretches, width])
}

/// One of the plans, drawn by how probable each makes the prompt; of a long one what a segment may hold of its end.
pub fn fitting(
    net: &Decoder,
    info: &SequenceInfo,
    mut plans: Vec<Plan>,
    prompt: &[u32],
    class: Option<u32>,
    rng: &mut Rng,
) -> Plan {
    let longest = plans.first().map_or(1, |plan| plan.time);
    let prompt = &prompt[prompt.len().saturating_sub(longest)..];
    let (n, time) = (plans.len(), prompt.len().saturating_sub(1));
    let chosen = match time {
        0 => 0,
        _ => {
            let shifted = Shifted::of(&segment(prompt, class, info, prompt.len())).times(n);
            let vectors = beside(plans.iter(), 0..time, &net.device());
            let nats = shifted.nats(&net.logits(net.forward(shifted.positions(), Some(vectors))));
            let least = nats.iter().copied().fold(f64::INFINITY, f64::min);
            rng.categorical(&nats.iter().map(|nats| (least - nats).exp() as f32).collect::<Vec<_>>())
        }
    };
    plans.swap_remove(chosen)
}

/// Tokens of a segment by default: about a paragraph of text, a few bars of music.
pub fn segment_length(info: &SequenceInfo) -> usize {
    const SEGMENT_CHARS: f64 = 320.0;
    let tokens = match info.chars_per_token > 0.0 {
        true => (SEGMENT_CHARS / info.chars_per_token) as usize,
        false => 256,
    };
    // Few tokens are cut into shorter segments, so that there are several; whole bars where bars have a length.
    let period = info.periods.iter().copied().max().unwrap_or(16);
    let most = (info.train_tokens / 4).min(320) as usize;
    (tokens.clamp(48, 320).min(most) / period * period).max(period)
}

/// Segments of a step by default.
pub fn segments_a_step(context: usize) -> usize {
    (4096 / context).max(4)
}

/// Tokens, boundary first, as a batch of one row: all of them, or as many as `row` holds.
pub fn segment(tokens: &[u32], class: Option<u32>, info: &SequenceInfo, row: usize) -> SequenceBatch {
    let known = tokens.len().min(row);
    let mut batch = SequenceBatch { tokens: tokens[..known].to_vec(), n: 1, ..SequenceBatch::default() };
    batch.tokens.resize(row, NO_TOKEN);
    if !info.classes.is_empty() {
        batch.classes = vec![class.unwrap_or(NO_TOKEN); row];
    }
    batch.period_positions = (0..row as u64).flat_map(|place| info.period_positions(place)).collect();
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_get_the_vector_of_their_stretch() {
        let device = Device::flex();
        let values: Vec<f32> = (0..8).map(|i| i as f32).collect();
        let vectors: Tensor<2> = Tensor::from_data(TensorData::new(values, [4, 2]), &device);
        // Two segments of two stretches, of three and two positions.
        let spread = to_vec(&spread(vectors.clone(), 2, 5));
        let row = |i: usize| [2.0 * i as f32, 2.0 * i as f32 + 1.0];
        let wanted: Vec<f32> = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3].into_iter().flat_map(row).collect();
        assert_eq!(spread, wanted);
        let plans = Plan::of_all(&vectors, 2, 5);
        assert_eq!(to_vec(&beside(plans.iter(), 0..5, &device)), wanted);
        // Behind the end.
        assert_eq!(to_vec(&beside(plans[1..].iter(), 7..8, &device)), row(3));
    }
}
