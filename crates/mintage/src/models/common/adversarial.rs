//! The relativistic GAN (R3GAN, Huang et al., arXiv:2501.05441): real and generated items are judged in pairs, and
//! zero-centred penalties on both keep the game stable.
//!
//! ```text
//! L_D = E softplus(D(fake) − D(real)) + γ/2 (E ‖∇D(real)‖² + E ‖∇D(fake)‖²)
//! L_G = E softplus(D(real) − D(fake))
//! ```

use burn::{
    module::Module,
    tensor::{Tensor, activation},
};
use mintage_nn::AdamW;

use super::pass::{Pass, gradient_penalty};
use crate::events::Metrics;

/// The optimiser of either player, as in R3GAN: without momentum and clipping. Critics take an `ema` of 0, since nobody asks
/// for their averaged weights.
pub fn adam(ema: f32) -> AdamW {
    AdamW { beta1: 0.0, beta2: 0.99, clip: 0.0, ema, ..AdamW::default() }
}

/// `E softplus(low − high)`: small where `high` is above `low`.
pub fn relativistic_loss(high: Tensor<1>, low: Tensor<1>) -> Tensor<1> {
    activation::softplus(low - high, 1.0).mean()
}

/// The scores and the loss of a critic on a batch.
pub struct Judged {
    /// Its loss without the penalties.
    pub loss: Tensor<1>,
    /// Scores of the real items.
    pub real: Tensor<1>,
    /// Share of pairs whose real item has the higher score; at 0.5 the critic cannot distinguish them.
    pub accuracy: f64,
    /// R1 + R2, where they are due.
    pub penalty: Option<Tensor<1>>,
}

impl Judged {
    /// Of items `x` of which the first half is real. `scores` is the critic with the weights of the network that it is
    /// given.
    pub fn of<const D: usize, M: Module>(
        critic: &M,
        x: Tensor<D>,
        penalised: bool,
        scores: impl Fn(&M, Tensor<D>, &mut Pass) -> Tensor<1>,
    ) -> Self {
        let found = scores(critic, x.clone(), &mut Pass::Plain);
        let n = found.dims()[0] / 2;
        let (real, fake) = (found.clone().narrow(0, 0, n), found.narrow(0, n, n));
        let loss = relativistic_loss(real.clone(), fake.clone());
        let accuracy = f64::from(real.clone().greater(fake).float().mean().into_scalar::<f32>());
        // The mean over 2n is half of R1 + R2.
        let penalty = penalised.then(|| gradient_penalty(critic, x, scores) * 2.0);
        Self { loss, real: real.detach(), accuracy, penalty }
    }
}

/// Zero-centred gradient penalties.
#[derive(Clone, Copy, Debug)]
pub struct Penalties {
    /// γ of both.
    pub gamma: f64,
    /// Steps from one computation of the penalties to the next; each weighs as many times more (Karras et
    /// al., arXiv:1912.04958).
    pub every: usize,
}

impl Penalties {
    /// Whether they are computed after `updates` updates of the critic.
    pub fn due(self, updates: u64) -> bool {
        updates.is_multiple_of(self.every.max(1) as u64)
    }

    /// The loss with the penalty, and the penalty's value.
    pub fn added(self, loss: Tensor<1>, penalty: Option<Tensor<1>>) -> (Tensor<1>, Option<f64>) {
        let Some(penalty) = penalty else { return (loss, None) };
        let value = f64::from(penalty.clone().into_scalar::<f32>());
        (loss + penalty * (self.gamma / 2.0 * self.every.max(1) as f64), Some(value))
    }
}

/// How far apart the items of a generated batch are, as a share of how far real ones are; near 0 the generator has
/// collapsed.
pub fn diversity<const D: usize>(fake: &Tensor<D>, real: &Tensor<D>) -> f64 {
    spread(fake) / spread(real).max(1e-9)
}

/// Mean squared distance of neighbours in the batch.
fn spread<const D: usize>(x: &Tensor<D>) -> f64 {
    let n = x.dims()[0];
    if n < 2 {
        return 0.0;
    }
    let (a, b) = (x.clone().narrow(0, 0, n - 1), x.clone().narrow(0, 1, n - 1));
    f64::from((a - b).powi_scalar(2).mean().into_scalar::<f32>())
}

/// The metrics of a step: losses, the critic's accuracy, diversity and penalty where there are any.
pub fn metrics(
    [d_loss, g_loss]: [f64; 2],
    accuracy: f64,
    diversity: Option<f64>,
    penalty: Option<f64>,
) -> Metrics {
    let mut metrics = Metrics::new([("d_loss", d_loss), ("g_loss", g_loss), ("d_accuracy", accuracy)]);
    metrics.0.extend(diversity.map(|value| ("diversity".to_owned(), value)));
    metrics.0.extend(penalty.map(|value| ("penalty".to_owned(), value)));
    metrics
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn a_collapsed_batch_has_no_diversity() {
        let device = Device::flex();
        let real = Tensor::<2>::from_floats([[0.0, 1.0], [2.0, 3.0], [1.0, 0.0]], &device);
        let same = Tensor::<2>::from_floats([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]], &device);
        assert!((diversity(&real, &real) - 1.0).abs() < 1e-6);
        assert_eq!(diversity(&same, &real), 0.0);
    }

    #[test]
    fn penalties_weigh_for_the_steps_between() {
        let one = |value: f32| Tensor::<1>::from_floats([value], &Device::flex());
        let penalties = Penalties { gamma: 2.0, every: 4 };
        assert!(penalties.due(0) && !penalties.due(3) && penalties.due(8));
        let (loss, value) = penalties.added(one(1.0), Some(one(0.5)));
        assert_eq!((loss.into_scalar::<f32>(), value), (3.0, Some(0.5)));
        assert_eq!(penalties.added(one(1.0), None).1, None);
    }
}
