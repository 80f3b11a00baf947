//! The orthogonal matrix nearest to a given one, by products alone: what Muon moves along (Jordan et al., 2024).
//!
//! ```text
//! X ← X / ‖X‖    X ← a X + (b A + c A²) X  with  A = X Xᵀ      five times
//! ```
//!
//! Every round moves all singular values towards one; the coefficients trade exactness for speed at small ones, so that
//! they end between about 0.7 and 1.2.

use burn::tensor::Tensor;

use super::linear;

const NEWTON_SCHULZ_STEPS: usize = 5;
const COEFFICIENTS: [f32; 3] = [3.4445, -4.775, 2.0315];

/// `U Vᵀ` of `x = U S Vᵀ`, about: `[rows, columns]` to the same.
pub(super) fn orthogonal(x: Tensor<2>) -> Tensor<2> {
    let [rows, columns] = x.dims();
    // Products are cheapest on the shorter side.
    let tall = rows > columns;
    let x = if tall { x.transpose() } else { x };
    let norm = x.clone().powi_scalar(2).sum().sqrt() + 1e-7;
    let mut x = x / norm.unsqueeze();
    let [a, b, c] = COEFFICIENTS;
    for _ in 0..NEWTON_SCHULZ_STEPS {
        let square = linear(x.clone(), x.clone().transpose(), None);
        let polynomial = square.clone() * b + linear(square.clone(), square, None) * c;
        x = x.clone() * a + linear(polynomial, x, None);
    }
    if tall { x.transpose() } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{testing::noise_tensor, to_vec};

    #[test]
    fn products_of_rows_are_near_those_of_unit_vectors() {
        for shape in [[8, 8], [6, 20], [20, 6]] {
            let x: Tensor<2> = noise_tensor(shape, 0);
            let o = orthogonal(x.clone());
            let o = if shape[0] > shape[1] { o.transpose() } else { o };
            let n = shape[0].min(shape[1]);
            let gram = to_vec(&o.clone().matmul(o.transpose()));
            for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let wanted = if i == j { 1.0 } else { 0.0 };
                assert!((gram[i * n + j] - wanted).abs() < 0.55, "{shape:?} {i} {j}: {}", gram[i * n + j]);
            }
            // The same side as the matrix itself: the trace of `Oᵀ X` is the sum of its singular values.
            let [x, o] = [x, orthogonal(noise_tensor(shape, 0))];
            assert!((x * o).sum().into_scalar::<f32>() > 0.0);
        }
    }
}
