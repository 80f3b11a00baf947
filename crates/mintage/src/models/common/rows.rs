//! Rows that stand for the places of several frames.

use burn::tensor::Tensor;

/// Rows in the order (clip, a, b) in the order (clip, b, a). Where maps are small a copy by the engine costs nothing that
/// could be measured.
pub fn swapped(rows: Tensor<2>, a: usize, b: usize) -> Tensor<2> {
    let [all, c] = rows.dims();
    rows.reshape([all / (a * b), a, b, c]).swap_dims(1, 2).reshape([all, c])
}
