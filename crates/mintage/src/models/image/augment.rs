//! Differentiable augmentation (Zhao et al., arXiv:2006.10738): a discriminator that sees few images learns them by heart; one
//! that sees them, and what is generated, moved and dimmed each time does not.

use burn::tensor::{Tensor, TensorData};
use mintage_nn::Rng;

/// Shifts by up to an eighth (a few groups of the batch, each by its own amount), blanks a square of a
/// quarter of the area, and changes the brightness of each image: every part has a gradient.
pub fn diff_augment(x: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
    const GROUP: usize = 8;
    let [n, c, h, w] = x.dims();
    let device = x.device();
    let shifted = (0..n)
        .step_by(GROUP)
        .map(|start| {
            let part = x.clone().narrow(0, start, GROUP.min(n - start));
            let by = |side: usize, rng: &mut Rng| rng.below(side / 4 + 1) as isize - (side / 8) as isize;
            let (dy, dx) = (by(h, rng), by(w, rng));
            shift(shift(part, 2, dy), 3, dx)
        })
        .collect();
    let x = Tensor::cat(shifted, 0);
    let (mut keep, mut light) = (vec![1.0f32; n * h * w], Vec::with_capacity(n));
    for item in 0..n {
        let (top, left) =
            (rng.below(h) as isize - (h / 4) as isize, rng.below(w) as isize - (w / 4) as isize);
        for y in top.max(0)..(top + (h / 2) as isize).min(h as isize) {
            for x in left.max(0)..(left + (w / 2) as isize).min(w as isize) {
                keep[(item * h + y as usize) * w + x as usize] = 0.0;
            }
        }
        light.push((rng.uniform() - 0.5) * 0.5);
    }
    let keep: Tensor<4> = Tensor::from_data(TensorData::new(keep, [n, 1, h, w]), &device);
    let light: Tensor<4> = Tensor::from_data(TensorData::new(light, [n, 1, 1, 1]), &device);
    (x + light) * keep.expand([n, c, h, w])
}

/// Moves the content along one axis by `by`, zeros come in from the edge.
fn shift(x: Tensor<4>, axis: usize, by: isize) -> Tensor<4> {
    let size = x.dims()[axis];
    let far = by.unsigned_abs().min(size);
    if far == 0 {
        return x;
    }
    let mut gap = x.dims();
    gap[axis] = far;
    let zeros = Tensor::zeros(gap, &x.device());
    match by > 0 {
        true => Tensor::cat(vec![zeros, x.narrow(axis, 0, size - far)], axis),
        false => Tensor::cat(vec![x.narrow(axis, far, size - far), zeros], axis),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use mintage_nn::weights::to_vec;

    use super::*;

    #[test]
    fn shifting_moves_and_fills_with_zeros() {
        let x: Tensor<4> =
            Tensor::from_data(TensorData::new(vec![1.0f32, 2.0, 3.0], [1, 1, 1, 3]), &Device::flex());
        assert_eq!(to_vec(&shift(x.clone(), 3, 1)), [0.0, 1.0, 2.0]);
        assert_eq!(to_vec(&shift(x, 3, -2)), [3.0, 0.0, 0.0]);
    }
}
