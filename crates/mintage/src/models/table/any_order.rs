//! A network that sees any part of a row and gives a distribution over every field that is hidden.
//!
//! The any-order model of rows learns it on the fields of a table; the prior of the VQ-VAE learns it on codes,
//! with the fields of the table before them as conditions.

use std::sync::Arc;

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::TableInfo;
use mintage_nn::{
    Rng, cancel,
    kernels::{self, NONE},
    layers::Linear,
    weights::into_vec,
};
use rayon::prelude::*;

use super::{
    HIDDEN, TableSampleParams, cumulative,
    net::{Trunk, places, token_head},
    pick,
};

/// Rows that go through the network together in sampling.
const SAMPLE_ROWS: usize = 2048;
/// Rows that one task copies or adds to, at least.
const MIN_ROWS_A_TASK: usize = 64;

/// Logits of the fields from `first` on given the known ones.
#[derive(Module, Debug)]
pub struct AnyOrder {
    trunk: Trunk,
    head: Linear,
    #[module(skip)]
    starts: Vec<usize>,
    #[module(skip)]
    first: usize,
}

/// A batch of rows with hidden fields, and what is to be predicted.
pub struct MaskedBatch {
    /// Rows with their hidden fields.
    pub tokens: Vec<u16>,
    /// For each row and predicted field the right token, or [`NONE`] where it is not a target.
    pub targets: Vec<u32>,
    /// Weight of each target in the loss.
    pub weights: Vec<f32>,
}

impl AnyOrder {
    /// Fields before `first` are only ever conditions.
    pub fn new(
        info: &TableInfo,
        first: usize,
        (width, blocks): (usize, usize),
        device: &Device,
        rng: &mut Rng,
    ) -> Self {
        let trunk = Trunk::new(info, width, blocks, device, rng);
        let head = token_head(&info.fields[first..], width, device, rng);
        Self { trunk, head, starts: info.starts(), first }
    }

    /// Fields of a row, conditions among them.
    pub fn width(&self) -> usize {
        self.starts.len() - 1
    }

    /// The mean over the rows of their weighted `−log p(target | known)`, in nats.
    pub fn loss(&self, batch: MaskedBatch, dropout: f64, rng: &mut Rng) -> Tensor<1> {
        let known = Arc::new(places(&batch.tokens, &self.starts));
        let starts = self.starts[self.first..].iter().map(|start| start - self.starts[self.first]).collect();
        let logits = self.head.forward(self.trunk.forward_train(&known, self.width(), dropout, rng));
        let (targets, weights) = (Arc::new(batch.targets), Arc::new(batch.weights));
        kernels::fields_cross_entropy(logits, &Arc::new(starts), &targets, &weights).mean()
    }

    /// Draws the hidden ones among the fields of `order`, one after another.
    ///
    /// Rows that agree in all that is known so far share one evaluation of the network, and their numbers are
    /// stratified: spread evenly, in a Richtmyer sequence (multiples of the root of a prime, modulo 1), over all
    /// rows in the order of what they have in common. Each row is drawn from the same distribution as ever, but a
    /// thousand rows hold as many of each token, and of each pair of tokens, as the model expects, not as many as
    /// chance would have it. Each field has a prime of its own: with one for all, the numbers of a row would follow
    /// from each other once no two rows agree, and so would its tokens.
    pub fn complete(&self, tokens: &mut [u16], order: &[usize], draw: &TableSampleParams, rng: &mut Rng) {
        let width = self.width();
        let n = tokens.len() / width;
        let mut prefixes = PrefixGroups::of(tokens, width, rng.permutation(n));
        let mut sums = self.sums(tokens);
        for (&field, prime) in order.iter().zip(primes()) {
            if cancel::wanted() {
                return super::fill_hidden(tokens);
            }
            let (shift, root) = (f64::from(rng.uniform()), f64::from(prime).sqrt());
            let open: Vec<(usize, &[u32])> = prefixes
                .groups()
                .filter(|(_, rows)| tokens[rows[0] as usize * width + field] == HIDDEN)
                .collect();
            // Where all rows were given the field, they are grouped by it already.
            if open.is_empty() {
                continue;
            }
            let (head, size) = (self.head_of(field), self.size(field));
            let mut drawn: Vec<Vec<u16>> = Vec::with_capacity(open.len());
            for open in open.chunks(SAMPLE_ROWS) {
                let asked: Vec<u32> = open.iter().map(|(_, rows)| rows[0]).collect();
                let logits = self.logits_of(&head, &sums, &asked);
                drawn.par_extend(open.par_iter().zip(logits.par_chunks(size)).map(
                    |((start, rows), logits)| {
                        let chances = cumulative(logits, draw.temperature, draw.allowed(field));
                        let place = |i: usize| (shift + (start + i) as f64 * root).fract() as f32;
                        let mut uniforms: Vec<f32> = (0..rows.len()).map(place).collect();
                        uniforms.sort_unstable_by(f32::total_cmp);
                        uniforms.into_iter().map(|u| pick(&chances, u) as u16).collect::<Vec<u16>>()
                    },
                ));
            }
            let mut known = vec![NONE; n];
            for ((_, rows), drawn) in open.into_iter().zip(drawn) {
                for (&row, token) in rows.iter().zip(drawn) {
                    tokens[row as usize * width + field] = token;
                    known[row as usize] = (self.starts[field] + usize::from(token)) as u32;
                }
            }
            sums.add(&known, 1);
            prefixes.split(|row| tokens[row * width + field]);
        }
    }

    /// `−log p` of the fields of `order`, one after another, given all other ones: nats a row.
    pub fn nll(&self, rows: &[u16], order: &[usize]) -> Vec<f64> {
        let width = self.width();
        let mut tokens = rows.to_vec();
        tokens.chunks_exact_mut(width).for_each(|row| order.iter().for_each(|&field| row[field] = HIDDEN));
        let mut nll = vec![0.0; rows.len() / width];
        let mut prefixes = PrefixGroups::of(&tokens, width, (0..nll.len()).collect());
        let mut sums = self.sums(&tokens);
        for &field in order {
            let (head, size) = (self.head_of(field), self.size(field));
            let groups: Vec<&[u32]> = prefixes.groups().map(|(_, rows)| rows).collect();
            let mut known = vec![NONE; nll.len()];
            for groups in groups.chunks(SAMPLE_ROWS) {
                let asked: Vec<u32> = groups.iter().map(|rows| rows[0]).collect();
                let logits = self.logits_of(&head, &sums, &asked);
                for (group, logits) in groups.iter().zip(logits.chunks_exact(size)) {
                    for &row in *group {
                        let at = row as usize * width + field;
                        nll[row as usize] -= f64::from(log_softmax(logits, rows[at] as usize));
                        tokens[at] = rows[at];
                        known[row as usize] = (self.starts[field] + usize::from(rows[at])) as u32;
                    }
                }
            }
            sums.add(&known, 1);
            prefixes.split(|row| tokens[row * width + field]);
        }
        nll
    }

    fn size(&self, field: usize) -> usize {
        self.starts[field + 1] - self.starts[field]
    }

    /// The sum of the vectors of known fields of each row.
    fn sums(&self, tokens: &[u16]) -> Sums {
        let width = self.width();
        let vectors = self.trunk.vectors();
        let d = vectors.len() / self.starts[width].max(1);
        let mut sums = Sums { d, rows: vec![0.0; tokens.len() / width * d], vectors };
        sums.add(&places(tokens, &self.starts), width);
        sums
    }

    /// Logits of the field that a part of the head is for, of at most [`SAMPLE_ROWS`] rows: `rows.len() × size`.
    fn logits_of(&self, head: &Linear, sums: &Sums, rows: &[u32]) -> Vec<f32> {
        let sum = TensorData::new(sums.of(rows), [rows.len(), sums.d]);
        let sum = Tensor::from_data(sum, &head.weight.val().device());
        into_vec(head.forward(self.trunk.forward_sum(sum)))
    }

    /// The part of the head that belongs to one field.
    fn head_of(&self, field: usize) -> Linear {
        let (start, size) = (self.starts[field] - self.starts[self.first], self.size(field));
        let bias = |bias: &Param<Tensor<1>>| Param::from_tensor(bias.val().narrow(0, start, size));
        Linear {
            weight: Param::from_tensor(self.head.weight.val().narrow(1, start, size)),
            bias: self.head.bias.as_ref().map(bias),
        }
    }
}

/// What is known of each row, as the network takes it in: kept from field to field, since a table may have thousands.
struct Sums {
    d: usize,
    rows: Vec<f32>,
    vectors: Vec<f32>,
}

impl Sums {
    /// More tokens of the rows are known: `fields` of each, by their places among all tokens, or [`NONE`].
    fn add(&mut self, known: &[u32], fields: usize) {
        let (d, vectors) = (self.d, &self.vectors);
        let rows = self.rows.par_chunks_mut(d).zip(known.par_chunks(fields)).with_min_len(MIN_ROWS_A_TASK);
        rows.for_each(|(sum, known)| {
            for &place in known.iter().filter(|place| **place != NONE) {
                let part = &vectors[place as usize * d..][..d];
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
        });
    }

    /// The sums of some rows, one after another.
    fn of(&self, rows: &[u32]) -> Vec<f32> {
        let mut all = vec![0.0; rows.len() * self.d];
        let copies = all.par_chunks_mut(self.d).zip(rows).with_min_len(MIN_ROWS_A_TASK);
        copies.for_each(|(to, &row)| to.copy_from_slice(&self.rows[row as usize * self.d..][..self.d]));
        all
    }
}

/// Rows in the order of their known fields: those that agree in all of them are a group.
struct PrefixGroups {
    sequence: Vec<u32>,
    /// Where each group ends.
    ends: Vec<usize>,
}

impl PrefixGroups {
    /// Of rows that begin with given tokens; rows that agree stay in the order of `sequence`.
    fn of(tokens: &[u16], width: usize, sequence: Vec<usize>) -> Self {
        let row = |row: u32| &tokens[row as usize * width..][..width];
        let mut sequence: Vec<u32> = sequence.into_iter().map(|row| row as u32).collect();
        sequence.par_sort_by(|&a, &b| row(a).cmp(row(b)));
        let mut ends: Vec<usize> =
            (1..sequence.len()).filter(|&i| row(sequence[i - 1]) != row(sequence[i])).collect();
        ends.push(sequence.len());
        Self { sequence, ends }
    }

    /// Where each group starts, and its rows.
    fn groups(&self) -> impl Iterator<Item = (usize, &[u32])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| (start, &self.sequence[start..end]))
    }

    /// Splits each group by the tokens of one more field, which is known from now on.
    fn split(&mut self, token: impl Fn(usize) -> u16) {
        let mut ends = Vec::with_capacity(self.ends.len());
        let mut start = 0;
        for &end in &self.ends {
            let group = &mut self.sequence[start..end];
            group.sort_by_key(|&row| token(row as usize));
            let differs = |i: &usize| token(group[i - 1] as usize) != token(group[*i] as usize);
            ends.extend((1..group.len()).filter(differs).map(|i| start + i));
            ends.push(end);
            start = end;
        }
        self.ends = ends;
    }
}

fn primes() -> impl Iterator<Item = u32> {
    let is_prime = |n: &u32| (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (2..).filter(is_prime)
}

fn log_softmax(logits: &[f32], token: usize) -> f32 {
    let top = logits.iter().fold(f32::NEG_INFINITY, |top, &l| top.max(l));
    logits[token] - top - logits.iter().map(|l| (l - top).exp()).sum::<f32>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_one_field_after_another() {
        let (d, tokens, rows, fields) = (5, 11, 3 * MIN_ROWS_A_TASK + 7, 4);
        let mut rng = Rng::new(1, 0);
        let vectors = rng.normals(tokens * d);
        let place = |at: usize| if at.is_multiple_of(3) { NONE } else { (at * 7 % tokens) as u32 };
        let known: Vec<u32> = (0..rows * fields).map(place).collect();
        let mut expected = vec![0.0f32; rows * d];
        for (at, &place) in known.iter().enumerate().filter(|(_, place)| **place != NONE) {
            for i in 0..d {
                expected[at / fields * d + i] += vectors[place as usize * d + i];
            }
        }
        let mut sums = Sums { d, rows: vec![0.0; rows * d], vectors };
        sums.add(&known, fields);
        assert_eq!(sums.rows, expected);
        assert_eq!(
            sums.of(&[7, 0, 7]),
            [&expected[7 * d..8 * d], &expected[..d], &expected[7 * d..8 * d]].concat()
        );
    }
}
