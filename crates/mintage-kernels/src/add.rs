//! Sums on all threads; the engine's own run on one. As fast as memory: 6 billion values a second, read or written.

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::math::sum;
use super::memory::{filled, filled_rows, items_a_task};
use super::simd::multiversion;

/// `x + y` of one shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Add;

/// `x [n, c, h, w] + y [n, c]`, one value a plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddToPlanes;

multiversion! {
    fn sums(x: &[f32], y: &[f32], to: &mut [f32]) {
        to.iter_mut().zip(x.iter().zip(y)).for_each(|(to, (x, y))| *to = x + y);
    }
}

multiversion! {
    fn shifted(x: &[f32], y: f32, to: &mut [f32]) {
        to.iter_mut().zip(x).for_each(|(to, x)| *to = x + y);
    }
}

multiversion! {
    pub(super) fn total(x: &[f32]) -> f32 {
        sum([x], |[x]| x)
    }
}

impl Fused<2> for Add {
    type Saved = ();

    fn forward(&self, inputs: [FlexTensor; 2]) -> (FlexTensor, ()) {
        let inputs = inputs.map(contiguous);
        let [x, y] = inputs.each_ref().map(values);
        let to = filled(x.len(), items_a_task(1), |chunk, to| sums(&x[chunk.clone()], &y[chunk], to));
        (from_vec(to, inputs[0].layout().shape().clone()), ())
    }

    fn backward(self, (): (), grad: FlexTensor, wanted: [bool; 2]) -> [Option<FlexTensor>; 2] {
        wanted.map(|wanted| wanted.then(|| grad.clone()))
    }
}

impl Fused<2> for AddToPlanes {
    type Saved = ();

    fn forward(&self, inputs: [FlexTensor; 2]) -> (FlexTensor, ()) {
        let inputs = inputs.map(contiguous);
        let [n, c, h, w] = dims(&inputs[0]);
        let [x, y] = inputs.each_ref().map(values);
        let plane = h * w;
        let to = filled_rows(n * c, plane, |i, to| shifted(&x[i * plane..][..plane], y[i], to));
        (from_vec(to, [n, c, h, w]), ())
    }

    fn backward(self, (): (), grad: FlexTensor, [dx, dy]: [bool; 2]) -> [Option<FlexTensor>; 2] {
        let dy = dy.then(|| {
            let grad = contiguous(grad.clone());
            let [n, c, h, w] = dims(&grad);
            from_vec(values(&grad).par_chunks(h * w).map(total).collect::<Vec<f32>>(), [n, c])
        });
        [dx.then_some(grad), dy]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::{
        add, add_to_planes,
        testing::{Case, noise},
    };

    #[test]
    fn equal_the_composites() {
        for (n, c, h, w) in [(1, 1, 1, 1), (2, 3, 5, 7), (3, 40, 12, 12)] {
            let planes = |v: &[Tensor<1>]| v[0].clone().reshape([n, c, h, w]);
            let case = Case {
                name: format!("planes {n}x{c}x{h}x{w}"),
                inputs: vec![noise(n * c * h * w, 1), noise(n * c, 2)],
                fused: &|v| add_to_planes(planes(v), v[1].clone().reshape([n, c])).flatten(0, 3),
                composite: &|v| (planes(v) + v[1].clone().reshape([n, c, 1, 1])).flatten(0, 3),
                tolerance: 1e-6,
            };
            case.check();
            if n * c * h * w < 100 {
                case.check_differences();
            }
            Case {
                name: format!("add {n}x{c}x{h}x{w}"),
                inputs: [1, 2].map(|stream| noise(n * c * h * w, stream)).to_vec(),
                fused: &|v| add(v[0].clone(), v[1].clone()),
                composite: &|v| v[0].clone() + v[1].clone(),
                tolerance: 1e-6,
            }
            .check();
        }
    }

    #[test]
    fn views_and_the_empty_batch() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_floats(noise(24, 1).as_slice(), &device).reshape([4, 6]);
        let y = Tensor::<1>::from_floats(noise(24, 2).as_slice(), &device).reshape([6, 4]).transpose();
        let copy = Tensor::<2>::from_data(y.to_data(), &device);
        add(x.clone(), y).into_data().assert_eq(&add(x, copy).into_data(), true);
        let none = Tensor::<4>::zeros([0, 2, 3, 3], &device);
        assert_eq!(add_to_planes(none.clone(), Tensor::zeros([0, 2], &device)).dims(), [0, 2, 3, 3]);
        assert_eq!(add(none.clone(), none).dims(), [0, 2, 3, 3]);
    }
}
