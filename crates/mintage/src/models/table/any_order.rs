//! A network that sees any part of a row and gives a distribution over every field that is hidden.
//!
//! The any-order model of rows learns it on the fields of a table; the prior of the VQ-VAE learns it on codes,
//! with the fields of the table before them as conditions.

use std::{collections::HashMap, sync::Arc};

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor},
};
use mintage_data::RowInfo;
use mintage_nn::{
    Rng,
    kernels::{self, NONE},
    layers::Linear,
    weights::to_vec,
};
use rayon::prelude::*;

use super::{
    HIDDEN, RowDraw, cumulative,
    net::{Trunk, places, token_head},
    pick,
};

/// Rows that go through the network together in sampling.
const SAMPLE_ROWS: usize = 2048;

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

/// What the network is asked in training.
pub struct Questions {
    /// Rows with their hidden fields.
    pub tokens: Vec<u16>,
    /// For each row and predicted field the right token, or [`NONE`] where it is not asked for.
    pub targets: Vec<u32>,
    /// How much each answer counts.
    pub weights: Vec<f32>,
}

impl AnyOrder {
    /// Fields before `first` are only ever conditions.
    pub fn new(
        info: &RowInfo,
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
    pub fn loss(&self, questions: Questions, dropout: f64, rng: &mut Rng) -> Tensor<1> {
        let known = Arc::new(places(&questions.tokens, &self.starts));
        let starts = self.starts[self.first..].iter().map(|start| start - self.starts[self.first]).collect();
        let logits = self.head.forward(self.trunk.forward_dropping(&known, self.width(), dropout, rng));
        let (targets, weights) = (Arc::new(questions.targets), Arc::new(questions.weights));
        kernels::fields_cross_entropy(logits, &Arc::new(starts), &targets, &weights).mean()
    }

    /// Draws the hidden ones among the fields of `order`, one after another. Rows that agree in all that is
    /// known so far share one evaluation of the network.
    pub fn complete(&self, tokens: &mut [u16], order: &[usize], draw: &RowDraw, rng: &mut Rng) {
        let width = self.width();
        let n = tokens.len() / width;
        let mut known = Known::of(tokens, width);
        for &field in order {
            let uniforms = rng.uniforms(n);
            let asked = known.asked(n, |row| tokens[row * width + field] == HIDDEN);
            let logits = self.logits_of(field, tokens, &asked.rows);
            let size = self.size(field);
            let chances: Vec<f32> = logits
                .par_chunks(size)
                .flat_map_iter(|logits| cumulative(logits, draw.temperature, draw.allowed(field)))
                .collect();
            for row in 0..n {
                if tokens[row * width + field] == HIDDEN {
                    let chances = &chances[asked.of[row] as usize * size..][..size];
                    tokens[row * width + field] = pick(chances, uniforms[row]) as u16;
                }
            }
            known.learn(|row| tokens[row * width + field]);
        }
    }

    /// `−log p` of the fields of `order`, one after another, given all other ones: nats a row.
    pub fn nll(&self, rows: &[u16], order: &[usize]) -> Vec<f64> {
        let width = self.width();
        let mut tokens = rows.to_vec();
        tokens.chunks_exact_mut(width).for_each(|row| order.iter().for_each(|&field| row[field] = HIDDEN));
        let mut known = Known::of(&tokens, width);
        let mut nll = vec![0.0; rows.len() / width];
        for &field in order {
            let asked = known.asked(nll.len(), |_| true);
            let logits = self.logits_of(field, &tokens, &asked.rows);
            let size = self.size(field);
            for (row, nll) in nll.iter_mut().enumerate() {
                let logits = &logits[asked.of[row] as usize * size..][..size];
                let at = row * width + field;
                *nll -= f64::from(log_softmax(logits, rows[at] as usize));
                tokens[at] = rows[at];
            }
            known.learn(|row| tokens[row * width + field]);
        }
        nll
    }

    fn size(&self, field: usize) -> usize {
        self.starts[field + 1] - self.starts[field]
    }

    /// Logits of one field for some of the rows: `rows.len() × size`.
    fn logits_of(&self, field: usize, tokens: &[u16], rows: &[u32]) -> Vec<f32> {
        let (head, width) = (self.head_of(field), self.width());
        let logits = |rows: &[u32]| {
            let known: Vec<u16> = rows
                .iter()
                .flat_map(|&row| tokens[row as usize * width..][..width].iter().copied())
                .collect();
            let h = self.trunk.forward(&Arc::new(places(&known, &self.starts)), width);
            to_vec(&head.forward(h))
        };
        rows.chunks(SAMPLE_ROWS).flat_map(logits).collect()
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

/// Rows by what is known of them: rows of one number agree in every field so far.
struct Known {
    number: Vec<u32>,
    count: usize,
}

/// One row for each number, and for each row the place of its number among them.
struct Asked {
    rows: Vec<u32>,
    of: Vec<u32>,
}

impl Known {
    /// Of rows that begin with given tokens.
    fn of(tokens: &[u16], width: usize) -> Self {
        let mut numbers: HashMap<&[u16], u32> = HashMap::new();
        let number = tokens
            .chunks_exact(width)
            .map(|row| {
                let next = numbers.len() as u32;
                *numbers.entry(row).or_insert(next)
            })
            .collect();
        Self { number, count: numbers.len() }
    }

    /// The rows to evaluate for those of `0..n` that are `open`.
    fn asked(&self, n: usize, open: impl Fn(usize) -> bool) -> Asked {
        let mut place = vec![NONE; self.count];
        let mut rows = Vec::new();
        let of = (0..n).map(|row| {
            let place = &mut place[self.number[row] as usize];
            if *place == NONE && open(row) {
                *place = rows.len() as u32;
                rows.push(row as u32);
            }
            *place
        });
        let of = of.collect();
        Asked { rows, of }
    }

    /// One more field is known.
    fn learn(&mut self, token: impl Fn(usize) -> u16) {
        let mut numbers: HashMap<(u32, u16), u32> = HashMap::new();
        for row in 0..self.number.len() {
            let next = numbers.len() as u32;
            self.number[row] = *numbers.entry((self.number[row], token(row))).or_insert(next);
        }
        self.count = numbers.len();
    }
}

fn log_softmax(logits: &[f32], token: usize) -> f32 {
    let top = logits.iter().fold(f32::NEG_INFINITY, |top, &l| top.max(l));
    logits[token] - top - logits.iter().map(|l| (l - top).exp()).sum::<f32>().ln()
}
