//! Nearest-neighbour doubling and 2×2 means; each is the other's backward up to a factor of 4.

use burn::backend::flex::FlexTensor;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::memory::filled_rows;
use super::simd::multiversion;

#[derive(Clone, Copy, Debug)]
pub(super) enum Resample {
    Double,
    Halve,
}

impl Fused<1> for Resample {
    type Saved = ();

    fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, ()) {
        (self.apply(x, 0.25), ())
    }

    fn backward(self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        [Some(match self {
            Self::Double => Self::Halve.apply(grad, 1.0),
            Self::Halve => double(grad, 0.25),
        })]
    }
}

impl Resample {
    /// Halving multiplies the sum of each square by `factor`.
    fn apply(self, x: FlexTensor, factor: f32) -> FlexTensor {
        match self {
            Self::Double => double(x, 1.0),
            Self::Halve => halve(x, factor),
        }
    }
}

multiversion! {
    /// One row, twice as wide.
    fn widen(x: &[f32], factor: f32, y: &mut [f32]) {
        x.iter().zip(y.as_chunks_mut::<2>().0).for_each(|(x, y)| *y = [factor * x; 2]);
    }
}

multiversion! {
    fn add_squares(upper: &[f32], lower: &[f32], factor: f32, y: &mut [f32]) {
        let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
        pairs.zip(y).for_each(|((a, b), y)| *y = factor * ((a[0] + a[1]) + (b[0] + b[1])));
    }
}

/// `[n, c, h, w] → [n, c, 2h, 2w]`, times `factor`.
fn double(x: FlexTensor, factor: f32) -> FlexTensor {
    let x = contiguous(x);
    let ([n, c, h, w], v) = (dims(&x), values(&x));
    let y = filled_rows(n * c * h, 4 * w, |row, y| {
        let (upper, lower) = y.split_at_mut(2 * w);
        widen(&v[row * w..(row + 1) * w], factor, upper);
        lower.copy_from_slice(upper);
    });
    from_vec(y, [n, c, 2 * h, 2 * w])
}

/// `[n, c, h, w] → [n, c, h/2, w/2]`: sums of squares times `factor`.
fn halve(x: FlexTensor, factor: f32) -> FlexTensor {
    let x = contiguous(x);
    let ([n, c, h, w], v) = (dims(&x), values(&x));
    let (h, w) = (h / 2, w / 2);
    let y = filled_rows(n * c * h, w, |row, y| {
        let (upper, lower) = v[row * 4 * w..(row + 1) * 4 * w].split_at(2 * w);
        add_squares(upper, lower, factor, y);
    });
    from_vec(y, [n, c, h, w])
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::{
        composite, downsample2,
        testing::{Case, noise},
        upsample2,
    };

    #[test]
    fn equal_the_composites() {
        for [n, c, h, w] in [[1, 1, 2, 2], [2, 3, 4, 6], [3, 2, 14, 10], [9, 16, 8, 8]] {
            let image = |v: &[Tensor<1>]| v[0].clone().reshape([n, c, h, w]);
            let case = |name: &str,
                        fused: &dyn Fn(&[Tensor<1>]) -> Tensor<1>,
                        composite: &dyn Fn(&[Tensor<1>]) -> Tensor<1>| {
                let inputs = vec![noise(n * c * h * w, 1)];
                Case { name: format!("{name} {n}x{c}x{h}x{w}"), inputs, fused, composite, tolerance: 1e-6 }
                    .check();
            };
            case("double", &|v| upsample2(image(v)).flatten(0, 3), &|v| {
                composite::upsample2(image(v)).flatten(0, 3)
            });
            case("halve", &|v| downsample2(image(v)).flatten(0, 3), &|v| {
                composite::downsample2(image(v)).flatten(0, 3)
            });
        }
    }

    #[test]
    fn a_transposed_image_and_the_empty_batch() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0], &device).reshape([1, 1, 2, 2]).swap_dims(2, 3);
        let doubled = upsample2(x);
        doubled
            .slice([0..1, 0..1, 0..1, 0..4])
            .into_data()
            .assert_eq(&burn::tensor::TensorData::from([[[[1.0f32, 1.0, 3.0, 3.0]]]]), true);
        let none = Tensor::<4>::zeros([0, 1, 4, 4], &device);
        assert_eq!(downsample2(none).dims(), [0, 1, 2, 2]);
    }
}
