//! A small normalising flow over latent vectors: the learned prior of the VAE.
//!
//! Affine coupling layers (Dinh et al., arXiv:1605.08803): half of the vector passes unchanged and sets
//! scale and shift of the other half, the halves change places from layer to layer. With a standard
//! normal base, `log p(z) = log N(f(z); 0, I) + log |det ∂f/∂z|`. Sampling from N(0, I) itself is what
//! makes samples of a VAE look bad: the encoder never fills that shape; this prior learns the shape it fills.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_nn::{Rng, kernels, layers::Linear, losses::standard_normal_log_prob};

/// `layers` couplings over vectors of an even number of dimensions.
#[derive(Module, Debug)]
pub struct RealNvp {
    couplings: Vec<Coupling>,
}

#[derive(Module, Debug)]
struct Coupling {
    input: Linear,
    hidden: Linear,
    output: Linear,
}

impl RealNvp {
    /// Starts as the identity, so that the prior starts as N(0, I).
    pub fn new(
        d: usize,
        d_cond: usize,
        hidden: usize,
        layers: usize,
        device: &Device,
        rng: &mut Rng,
    ) -> Self {
        let gain = std::f32::consts::SQRT_2;
        let couplings = (0..layers)
            .map(|_| Coupling {
                input: Linear::new(d / 2 + d_cond, hidden, gain, device, rng),
                hidden: Linear::new(hidden, hidden, gain, device, rng),
                output: Linear::new(hidden, d, 0.0, device, rng),
            })
            .collect();
        Self { couplings }
    }

    /// `log p(z | cond)`: `z [n, d]`, `cond [n, d_cond]` → `[n]`, nats.
    pub fn log_prob(&self, z: Tensor<2>, cond: Option<&Tensor<2>>) -> Tensor<1> {
        let (u, log_det) = self.to_base(z, cond);
        standard_normal_log_prob(u) + log_det
    }

    /// A latent vector `z [n, d]` → its base noise `u [n, d]` and `log |det ∂u/∂z|`, `[n]`.
    pub fn to_base(&self, z: Tensor<2>, cond: Option<&Tensor<2>>) -> (Tensor<2>, Tensor<1>) {
        let n = z.dims()[0];
        let mut log_det: Tensor<2> = Tensor::zeros([n, 1], &z.device());
        let mut u = z;
        for coupling in &self.couplings {
            let (a, b) = halves(u);
            let (log_scale, shift) = coupling.forward(a.clone(), cond);
            log_det = log_det - log_scale.clone().sum_dim(1);
            let b = (b - shift) * log_scale.neg().exp();
            u = Tensor::cat(vec![b, a], 1);
        }
        (u, log_det.reshape([n]))
    }

    /// The inverse: base noise `u [n, d]` → a latent vector.
    pub fn sample(&self, u: Tensor<2>, cond: Option<&Tensor<2>>) -> Tensor<2> {
        let mut z = u;
        for coupling in self.couplings.iter().rev() {
            let (b, a) = halves(z);
            let (log_scale, shift) = coupling.forward(a.clone(), cond);
            z = Tensor::cat(vec![a, b * log_scale.exp() + shift], 1);
        }
        z
    }
}

impl Coupling {
    /// Log-scale (bounded, for stability) and shift of the moved half.
    fn forward(&self, a: Tensor<2>, cond: Option<&Tensor<2>>) -> (Tensor<2>, Tensor<2>) {
        let half = a.dims()[1];
        let input = match cond {
            Some(cond) => Tensor::cat(vec![a, cond.clone()], 1),
            None => a,
        };
        let h = kernels::silu(self.input.forward(input));
        let out = self.output.forward(kernels::silu(self.hidden.forward(h)));
        let log_scale = kernels::tanh(out.clone().narrow(1, 0, half) / 2.0) * 2.0;
        (log_scale, out.narrow(1, half, half))
    }
}

fn halves(x: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let d = x.dims()[1];
    (x.clone().narrow(1, 0, d / 2), x.narrow(1, d / 2, d / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintage_nn::weights::to_vec;

    /// Random output weights, so that the flow is not the identity.
    fn random_flow(rng: &mut Rng, device: &Device) -> RealNvp {
        let mut flow = RealNvp::new(6, 0, 16, 4, device, rng);
        for coupling in &mut flow.couplings {
            coupling.output = Linear::new(16, 6, 0.5, device, rng);
        }
        flow
    }

    #[test]
    fn density_agrees_with_the_inverse() {
        let device = Device::flex();
        let mut rng = Rng::new(5, 0);
        let flow = random_flow(&mut rng, &device);
        let u = rng.normal_tensor([8, 6], &device);
        let z = flow.sample(u.clone(), None);
        // log p(z) = log N(u) − log|det ∂z/∂u|, the determinant by finite differences.
        let log_p = to_vec(&flow.log_prob(z.clone(), None));
        let base = to_vec(&standard_normal_log_prob(u.clone()));
        for row in 0..2 {
            let mut jacobian = nalgebra::DMatrix::<f64>::zeros(6, 6);
            let eps = 1e-2;
            for j in 0..6 {
                let shifted = |sign: f32| {
                    let mut v = to_vec(&u.clone().narrow(0, row, 1));
                    v[j] += sign * eps;
                    let t = Tensor::from_data(burn::tensor::TensorData::new(v, [1, 6]), &device);
                    to_vec(&flow.sample(t, None))
                };
                let (plus, minus) = (shifted(1.0), shifted(-1.0));
                for i in 0..6 {
                    jacobian[(i, j)] = f64::from(plus[i] - minus[i]) / f64::from(2.0 * eps);
                }
            }
            let expected = f64::from(base[row]) - jacobian.determinant().abs().ln();
            assert!((f64::from(log_p[row]) - expected).abs() < 0.02, "{} {expected}", log_p[row]);
        }
    }
}
