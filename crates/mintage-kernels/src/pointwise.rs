//! Activations: one pass forward, one backward, vectorised.
//!
//! ```text
//! silu(x) = x σ(x)        d = σ(x) (1 + x (1 − σ(x)))
//! gelu(x) = x Φ(x)        d = Φ(x) + x φ(x)
//! tanh(x)                d = 1 − tanh²(x)
//! leaky(x) = b max(x, a x)  d = b or b a
//! ```

use burn::backend::flex::FlexTensor;

use super::flex::{Fused, contiguous, from_vec, values};
use super::math::{normal, sigmoid, tanh};
use super::memory::{filled, items_a_task};
use super::simd::multiversion;

#[derive(Clone, Copy, Debug)]
pub(super) enum Pointwise {
    Silu,
    Gelu,
    Tanh,
    /// With its slope below zero, between 0 and 1, and the factor of all.
    LeakyRelu {
        slope: f32,
        gain: f32,
    },
}

multiversion! {
    fn apply(op: Pointwise, x: &[f32], y: &mut [f32]) {
        match op {
            Pointwise::Silu => x.iter().zip(y).for_each(|(&x, y)| *y = x * sigmoid(x)),
            Pointwise::Gelu => x.iter().zip(y).for_each(|(&x, y)| *y = x * normal(x).0),
            Pointwise::Tanh => x.iter().zip(y).for_each(|(&x, y)| *y = tanh(x)),
            Pointwise::LeakyRelu { slope, gain } => {
                let below = gain * slope;
                x.iter().zip(y).for_each(|(&x, y)| *y = if x > 0.0 { gain * x } else { below * x });
            }
        }
    }
}

multiversion! {
    fn derive(op: Pointwise, x: &[f32], g: &[f32], dx: &mut [f32]) {
        let values = x.iter().zip(g).zip(dx);
        match op {
            Pointwise::Silu => values.for_each(|((&x, g), dx)| *dx = g * silu_slope(x)),
            Pointwise::Gelu => values.for_each(|((&x, g), dx)| {
                let (phi, density) = normal(x);
                *dx = g * (phi + x * density);
            }),
            Pointwise::Tanh => values.for_each(|((&x, g), dx)| {
                let y = tanh(x);
                *dx = g * (1.0 - y * y);
            }),
            Pointwise::LeakyRelu { slope, gain } => {
                let below = gain * slope;
                values.for_each(|((&x, g), dx)| *dx = if x > 0.0 { gain * g } else { below * g });
            }
        }
    }
}

/// The derivative of `x σ(x)`.
#[inline(always)]
pub(super) fn silu_slope(x: f32) -> f32 {
    let s = sigmoid(x);
    s * (1.0 + x * (1.0 - s))
}

impl Fused<1> for Pointwise {
    type Saved = FlexTensor;

    fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, FlexTensor) {
        let x = contiguous(x);
        let values = values(&x);
        let y = filled(values.len(), items_a_task(1), |chunk, y| apply(*self, &values[chunk], y));
        (from_vec(y, x.layout().shape().clone()), x)
    }

    fn backward(self, x: FlexTensor, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        [Some(self.along(&x, grad))]
    }
}

impl Pointwise {
    /// The derivative at `x`, which has come through [`contiguous`], times `by`.
    fn along(self, x: &FlexTensor, by: FlexTensor) -> FlexTensor {
        let by = contiguous(by);
        let (v, g) = (values(x), values(&by));
        let dx = filled(v.len(), items_a_task(1), |chunk, dx| derive(self, &v[chunk.clone()], &g[chunk], dx));
        from_vec(dx, x.layout().shape().clone())
    }
}

/// The derivative of a piecewise linear operation at the second input, times the first; it is constant almost
/// everywhere, and the second input has no gradient.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tangent(pub Pointwise);

impl Fused<2> for Tangent {
    type Saved = FlexTensor;

    fn forward(&self, [t, at]: [FlexTensor; 2]) -> (FlexTensor, FlexTensor) {
        let at = contiguous(at);
        (self.0.along(&at, t), at)
    }

    fn backward(self, at: FlexTensor, grad: FlexTensor, _: [bool; 2]) -> [Option<FlexTensor>; 2] {
        [Some(self.0.along(&at, grad)), None]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use crate::{
        composite, gelu, leaky_relu, leaky_relu_tangent, silu, tanh,
        testing::{Case, noise},
        to_vec,
    };

    #[test]
    fn equal_the_composites() {
        type F<'a> = &'a dyn Fn(&[Tensor<1>]) -> Tensor<1>;
        let cases: [(&str, F, F); 4] = [
            ("silu", &|v| silu(v[0].clone()), &|v| composite::silu(v[0].clone())),
            ("gelu", &|v| gelu(v[0].clone()), &|v| composite::gelu(v[0].clone())),
            ("tanh", &|v| tanh(v[0].clone()), &|v| composite::tanh(v[0].clone())),
            ("leaky", &|v| leaky_relu(v[0].clone(), 0.2, 1.4), &|v| {
                composite::leaky_relu(v[0].clone(), 0.2, 1.4)
            }),
        ];
        for (name, fused, composite) in cases {
            for len in [1, 7, 8, 1003, 40_001] {
                let inputs = vec![noise(len, 3).into_iter().map(|v| 4.0 * v).collect()];
                Case { name: format!("{name} {len}"), inputs, fused, composite, tolerance: 2e-6 }.check();
            }
            Case { name: name.into(), inputs: vec![noise(9, 5)], fused, composite, tolerance: 1e-5 }
                .check_differences();
        }
    }

    #[test]
    fn the_tangent_of_the_rectifier_equals_the_composite() {
        for len in [1, 9, 20_001] {
            let noise = |seed| Tensor::<1>::from_floats(noise(len, seed).as_slice(), &Device::flex());
            let like = |v: &Tensor<1>| Tensor::<1>::from_data(noise(2).to_data(), (&v.device(), v.dtype()));
            let case = Case {
                name: format!("tangent {len}"),
                inputs: vec![to_vec(&noise(1))],
                fused: &|v| leaky_relu_tangent(v[0].clone(), like(&v[0]), 0.2, 1.4),
                composite: &|v| composite::leaky_relu_tangent(v[0].clone(), like(&v[0]), 0.2, 1.4),
                tolerance: 1e-6,
            };
            case.check();
            if len < 10 {
                case.check_differences();
            }
        }
    }

    #[test]
    fn views_and_empty_tensors() {
        let device = Device::flex();
        let x = Tensor::<1>::from_floats(noise(60, 1).as_slice(), &device).reshape([3, 4, 5]);
        let view = x.swap_dims(0, 2).slice([1..4, 0..3, 0..2]);
        let copy = Tensor::<3>::from_data(view.to_data(), &device);
        silu(view).into_data().assert_eq(&silu(copy).into_data(), true);
        assert_eq!(gelu(Tensor::<2>::zeros([0, 4], &device)).dims(), [0, 4]);
    }
}
