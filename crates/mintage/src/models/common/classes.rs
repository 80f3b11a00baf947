//! Classes of items, as networks see them.

use burn::tensor::{Device, Int, Tensor, TensorData};
use mintage_nn::Rng;

/// Labels of a batch as class indices for a network with `classes + 1` embeddings: the last one stands
/// for "no class" and takes the place of a label with probability `drop` (classifier-free guidance, Ho &
/// Salimans, arXiv:2207.12598), and of every label when the data have none.
pub fn class_input(labels: &[u32], n: usize, classes: usize, drop: f32, rng: &mut Rng) -> Vec<u32> {
    let none = classes as u32;
    if labels.is_empty() || classes == 0 {
        return vec![none; n];
    }
    labels.iter().map(|&label| if drop > 0.0 && rng.uniform() < drop { none } else { label }).collect()
}

/// Host indices as an int tensor `[n]`.
pub fn indices(values: &[u32], device: &Device) -> Tensor<1, Int> {
    let n = values.len();
    let values: Vec<i64> = values.iter().map(|&v| i64::from(v)).collect();
    Tensor::from_data(TensorData::new(values, [n]), device)
}
