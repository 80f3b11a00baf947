//! What the kernels' tests share: inputs, comparison with the composite in f64, finite differences.

use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::simd::{Vectors, has_avx2, has_avx512};
use crate::to_vec;

/// Normal numbers from a fixed seed; the same as those of `mintage_nn::Rng`, which this crate must not know.
pub(super) fn noise(len: usize, stream: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    rng.set_stream(stream);
    StandardNormal.sample_iter(&mut rng).take(len).collect()
}

/// The same as a tensor.
pub(super) fn noise_tensor<const D: usize>(shape: [usize; D], stream: u64) -> Tensor<D> {
    let values = noise(shape.iter().product(), stream);
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// The vectors of this CPU, with their lengths.
pub(super) fn vectors_here() -> Vec<(Vectors, usize)> {
    let all =
        [(Vectors::Plain, 8, true), (Vectors::Avx2, 8, has_avx2()), (Vectors::Avx512, 16, has_avx512())];
    all.into_iter().filter(|kind| kind.2).map(|kind| (kind.0, kind.1)).collect()
}

pub(super) fn assert_near(found: &[f32], wanted: &[f32]) {
    assert_eq!(found.len(), wanted.len());
    let near = |(f, w): (&f32, &f32)| (f - w).abs() < 1e-4;
    assert!(found.iter().zip(wanted).all(near), "{found:?} {wanted:?}");
}

type Function<'a> = &'a dyn Fn(&[Tensor<1>]) -> Tensor<1>;

/// One kernel on one set of flattened inputs.
pub(super) struct Case<'a> {
    pub name: String,
    pub inputs: Vec<Vec<f32>>,
    pub fused: Function<'a>,
    pub composite: Function<'a>,
    /// Largest error relative to the largest value of the same array (at least 0.1).
    pub tolerance: f64,
}

impl Case<'_> {
    /// Output and every gradient of the kernel against the composite in f64, without and with the graph, twice to
    /// the same bytes.
    pub fn check(&self) {
        let wanted = self.evaluate(self.composite, DType::F64);
        let found = self.evaluate(self.fused, DType::F32);
        assert_eq!(found, self.evaluate(self.fused, DType::F32), "{}: two runs differ", self.name);
        let plain: Vec<Tensor<1>> =
            self.inputs.iter().map(|v| Tensor::from_floats(v.as_slice(), &Device::flex())).collect();
        let plain: Vec<f64> = to_vec(&(self.fused)(&plain)).into_iter().map(f64::from).collect();
        assert_eq!(plain, found[0], "{}: differs without the graph", self.name);
        for (what, (wanted, found)) in wanted.iter().zip(&found).enumerate() {
            self.near(what, wanted, found, self.tolerance);
        }
    }

    /// Every gradient of the kernel against central differences of the composite in f64.
    pub fn check_differences(&self) {
        let found = self.evaluate(self.fused, DType::F32);
        let value = |inputs: &[Vec<f64>]| -> f64 {
            let inputs: Vec<Tensor<1>> =
                inputs.iter().map(|v| tensor(v, &Device::flex(), DType::F64)).collect();
            let y = (self.composite)(&inputs);
            let weights = output_weights(y.dims()[0], &Device::flex(), DType::F64);
            (y * weights).sum().into_scalar::<f64>()
        };
        let mut inputs: Vec<Vec<f64>> =
            self.inputs.iter().map(|v| v.iter().map(|&v| f64::from(v)).collect()).collect();
        for i in 0..inputs.len() {
            let mut wanted = Vec::new();
            for j in 0..inputs[i].len() {
                let (x, step) = (inputs[i][j], 1e-5);
                inputs[i][j] = x + step;
                let above = value(&inputs);
                inputs[i][j] = x - step;
                wanted.push((above - value(&inputs)) / (2.0 * step));
                inputs[i][j] = x;
            }
            self.near(i + 1, &wanted, &found[i + 1], self.tolerance);
        }
    }

    /// The output, then the gradients of `Σ r · output` for fixed numbers `r`.
    fn evaluate(&self, f: Function, dtype: DType) -> Vec<Vec<f64>> {
        let device = Device::flex().autodiff();
        let doubles = |v: &Vec<f32>| v.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let inputs: Vec<Tensor<1>> =
            self.inputs.iter().map(|v| tensor(&doubles(v), &device, dtype).require_grad()).collect();
        let y = f(&inputs);
        let grads = (y.clone() * output_weights(y.dims()[0], &device, dtype)).sum().backward();
        let mut found = vec![to_f64(y.inner())];
        for input in &inputs {
            found.push(input.grad(&grads).map(to_f64).unwrap_or_default());
        }
        found
    }

    fn near(&self, what: usize, wanted: &[f64], found: &[f64], tolerance: f64) {
        assert_eq!(wanted.len(), found.len(), "{}: length of array {what}", self.name);
        let scale = wanted.iter().fold(0.1, |m: f64, v| m.max(v.abs()));
        for (i, (w, f)) in wanted.iter().zip(found).enumerate() {
            let ok = (w - f).abs() <= tolerance * scale;
            assert!(
                ok,
                "{}: array {what} (0 is the output, then gradients), index {i}: {w} and {f}",
                self.name
            );
        }
    }
}

fn tensor(values: &[f64], device: &Device, dtype: DType) -> Tensor<1> {
    let data = burn::tensor::TensorData::new(values.to_vec(), [values.len()]).convert_dtype(dtype);
    Tensor::from_data(data, (device, dtype))
}

fn output_weights(len: usize, device: &Device, dtype: DType) -> Tensor<1> {
    let values: Vec<f64> = noise(len, 99).into_iter().map(f64::from).collect();
    tensor(&values, device, dtype)
}

fn to_f64(tensor: Tensor<1>) -> Vec<f64> {
    tensor.cast(FloatDType::F64).into_data().try_into_vec::<f64>().unwrap_or_default()
}
