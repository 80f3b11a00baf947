#![allow(unsafe_code)] // Several threads add to disjoint parts of one array.
//! Rows of several categorical fields: all fields share one table of vectors and one row of logits, each
//! with a range of its own.
//!
//! ```text
//! bag(W, i)    = Σ_f W[i_f]                               dW[i_f] += g
//! fields(l, k) = Σ_f w_f (ln Σ_{j in f} exp(l_j) − l_{k_f})    dl_j = g w_f (softmax_f(l)_j − 1_{k_f})
//! softmax(l)_j = exp(l_j) / Σ_{i in f} exp(l_i)           dl_j = p_j (g_j − Σ_{i in f} p_i g_i)
//! ```
//!
//! A field whose index is [`NONE`] takes no part: neither forward nor backward touch it.

use std::{ops::Range, sync::Arc};

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::loss::{softmax_row, top_and_sum};
use super::math::sum;
use super::memory::{Shared, filled_rows, items_a_task, parts};
use super::simd::multiversion;

/// The index of a field that takes no part.
pub const NONE: u32 = u32::MAX;

/// On `[weight]`, `[entries, d]`, with `fields` indices a row.
#[derive(Clone, Debug)]
pub(super) struct EmbeddingBag {
    pub indices: Arc<Vec<u32>>,
    pub fields: usize,
}

multiversion! {
    fn add_row(from: &[f32], to: &mut [f32]) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    }
}

impl Fused<1> for EmbeddingBag {
    /// Entries and width of the table.
    type Saved = [usize; 2];

    fn forward(&self, [weight]: [FlexTensor; 1]) -> (FlexTensor, Self::Saved) {
        let weight = contiguous(weight);
        let [entries, d] = dims(&weight);
        let (v, n) = (values(&weight), self.indices.len() / self.fields);
        let out = filled_rows(n, d, |row, out| {
            out.fill(0.0);
            let indices = &self.indices[row * self.fields..][..self.fields];
            for &index in indices.iter().filter(|&&index| index != NONE) {
                add_row(&v[index as usize * d..][..d], out);
            }
        });
        (from_vec(out, [n, d]), [entries, d])
    }

    fn backward(self, [entries, d]: Self::Saved, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let grad = contiguous(grad);
        let g = values(&grad);
        let mut out = vec![0.0; entries * d];
        let shared = Shared(out.as_mut_ptr());
        // Every task has some of the columns of the whole table: rows are added in their order, whoever adds.
        parts(d).into_par_iter().for_each(|columns| {
            for (place, &index) in self.indices.iter().enumerate().filter(|(_, index)| **index != NONE) {
                let from = &g[place / self.fields * d..][columns.clone()];
                // SAFETY: no other task touches these columns.
                let to = unsafe { shared.slice(index as usize * d + columns.start, columns.len()) };
                add_row(from, to);
            }
        });
        [Some(from_vec(out, [entries, d]))]
    }
}

/// On `[logits]`, `[n, total]`, with one class and one weight a row and field.
#[derive(Clone, Debug)]
pub(super) struct FieldsCrossEntropy {
    /// Where each field begins in a row, and where the last one ends.
    pub starts: Arc<Vec<usize>>,
    pub targets: Arc<Vec<u32>>,
    pub weights: Arc<Vec<f32>>,
}

impl FieldsCrossEntropy {
    /// The fields of a row that take part: place in `targets`, range of logits, class.
    fn taking_part(&self, row: usize) -> impl Iterator<Item = (usize, Range<usize>, usize)> {
        let fields = self.starts.len() - 1;
        (0..fields).filter_map(move |field| {
            let place = row * fields + field;
            let range = self.starts[field]..self.starts[field + 1];
            (self.targets[place] != NONE).then(|| (place, range, self.targets[place] as usize))
        })
    }
}

impl Fused<1> for FieldsCrossEntropy {
    /// The logits, and of each field the largest and the sum relative to it.
    type Saved = (FlexTensor, Arc<Vec<[f32; 2]>>);

    fn forward(&self, [logits]: [FlexTensor; 1]) -> (FlexTensor, Self::Saved) {
        let logits = contiguous(logits);
        let [n, total] = dims(&logits);
        let (v, fields) = (values(&logits), self.starts.len() - 1);
        let mut stats = vec![[0.0; 2]; n * fields];
        let rows = stats.par_chunks_mut(fields).enumerate().with_min_len(items_a_task(total));
        let losses: Vec<f32> = rows
            .map(|(row, stats)| {
                let logits = &v[row * total..][..total];
                let part = |(place, range, class): (usize, Range<usize>, usize)| {
                    let logits = &logits[range];
                    let [top, sum] = top_and_sum(logits);
                    stats[place - row * fields] = [top, sum];
                    self.weights[place] * (top - logits[class] + sum.ln())
                };
                self.taking_part(row).map(part).sum()
            })
            .collect();
        (from_vec(losses, [n]), (logits, Arc::new(stats)))
    }

    fn backward(
        self,
        (logits, stats): Self::Saved,
        grad: FlexTensor,
        _: [bool; 1],
    ) -> [Option<FlexTensor>; 1] {
        let grad = contiguous(grad);
        let [n, total] = dims(&logits);
        let (v, g) = (values(&logits), values(&grad));
        let out = filled_rows(n, total, |row, out| {
            out.fill(0.0);
            for (place, range, class) in self.taking_part(row) {
                let g = g[row] * self.weights[place];
                let out = &mut out[range.clone()];
                softmax_row(&v[row * total..][range], stats[place], g, out);
                out[class] -= g;
            }
        });
        [Some(from_vec(out, [n, total]))]
    }
}

/// On `[logits]`, `[n, total]`.
#[derive(Clone, Debug)]
pub(super) struct FieldsSoftmax {
    /// Where each field begins in a row, and where the last one ends.
    pub starts: Arc<Vec<usize>>,
}

multiversion! {
    /// `p (g − Σ p g)`.
    fn softmax_backward(p: &[f32], g: &[f32], out: &mut [f32]) {
        let mean = sum([p, g], |[p, g]| p * g);
        p.iter().zip(g).zip(out).for_each(|((p, g), out)| *out = p * (g - mean));
    }
}

impl Fused<1> for FieldsSoftmax {
    /// The output.
    type Saved = FlexTensor;

    fn forward(&self, [logits]: [FlexTensor; 1]) -> (FlexTensor, Self::Saved) {
        let logits = contiguous(logits);
        let [n, total] = dims(&logits);
        let v = values(&logits);
        let out = filled_rows(n, total, |row, out| {
            for field in self.starts.windows(2) {
                let logits = &v[row * total..][field[0]..field[1]];
                softmax_row(logits, top_and_sum(logits), 1.0, &mut out[field[0]..field[1]]);
            }
        });
        let out = from_vec(out, [n, total]);
        (out.clone(), out)
    }

    fn backward(self, p: Self::Saved, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let grad = contiguous(grad);
        let [n, total] = dims(&p);
        let (p, g) = (values(&p), values(&grad));
        let out = filled_rows(n, total, |row, out| {
            for field in self.starts.windows(2) {
                let of_row = row * total + field[0]..row * total + field[1];
                softmax_backward(&p[of_row.clone()], &g[of_row], &mut out[field[0]..field[1]]);
            }
        });
        [Some(from_vec(out, [n, total]))]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::NONE;
    use crate::{
        composite,
        testing::{Case, noise},
    };

    #[test]
    fn bag_equals_the_composite() {
        let indices = Arc::new(vec![0, 3, NONE, 2, NONE, NONE, 3, 3, 1, 0, 1, 2]);
        for d in [1, 5, 40] {
            let case = Case {
                name: format!("bag of width {d}"),
                inputs: vec![noise(4 * d, 1)],
                fused: &|v| crate::embedding_bag(v[0].clone().reshape([4, d]), &indices, 3).reshape([4 * d]),
                composite: &|v| {
                    composite::embedding_bag(v[0].clone().reshape([4, d]), &indices, 3).reshape([4 * d])
                },
                tolerance: 2e-6,
            };
            case.check();
            case.check_differences();
        }
    }

    #[test]
    fn fields_equal_the_composite() {
        let starts = Arc::new(vec![0, 2, 7, 8]);
        let targets = Arc::new(vec![0, 4, 0, NONE, 1, NONE, 1, NONE, 0, NONE, NONE, NONE]);
        let weights = Arc::new(noise(12, 3));
        let case = Case {
            name: "three fields".to_owned(),
            inputs: vec![noise(32, 1).into_iter().map(|v| 3.0 * v).collect()],
            fused: &|v| {
                crate::fields_cross_entropy(v[0].clone().reshape([4, 8]), &starts, &targets, &weights)
            },
            composite: &|v| {
                composite::fields_cross_entropy(v[0].clone().reshape([4, 8]), &starts, &targets, &weights)
            },
            tolerance: 2e-6,
        };
        case.check();
        case.check_differences();
    }

    #[test]
    fn softmax_equals_the_composite() {
        let starts = Arc::new(vec![0, 2, 7, 8]);
        let case = Case {
            name: "softmax of three fields".to_owned(),
            inputs: vec![noise(32, 1).into_iter().map(|v| 3.0 * v).collect()],
            fused: &|v| crate::fields_softmax(v[0].clone().reshape([4, 8]), &starts).reshape([32]),
            composite: &|v| composite::fields_softmax(v[0].clone().reshape([4, 8]), &starts).reshape([32]),
            tolerance: 2e-6,
        };
        case.check();
        case.check_differences();
    }
}
