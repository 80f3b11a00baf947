//! A network whose weights follow the text that it reads: dynamic evaluation (Krause et al., arXiv:1709.07432; of
//! transformers, arXiv:1904.08378).
//!
//! ```text
//! g = ∇ −log p of what was read last, m and v the running means of g and g²
//! θ ← θ − η m / (√v + ε) − η λ (θ − θ_trained)
//! ```
//!
//! A step is made after tokens were told, never before. The means begin anew with every document, for a published model has
//! none of its training. What is learned is how far the weights have gone from those of training, so that the decay of AdamW
//! draws them back.

use std::collections::HashMap;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId},
    tensor::Tensor,
};
use mintage_data::sequence::SequenceInfo;
use mintage_nn::{AdamW, Trainable, kernels, layers::Decoder};

use super::net::{Told, Windows, over_windows, told_behind};

/// Default step size η: a hundredth of the peak rate of training. The papers search for theirs on validation data, so it is
/// one to try others beside.
const RATE: f64 = 1e-4;
/// λ, as of AdamW: at the default rate weights forget in a thousand steps. The papers' own runs have values from 0 (WikiText-103)
/// to 24 (enwik8) in their place.
const DECAY: f32 = 10.0;
/// ε: weights with hardly any gradient keep their place. That of the papers' run on WikiText-103.
const EPS: f32 = 1e-5;
/// Windows that are told between two steps: half a context of tokens, 128 at the usual sizes, as in the papers' runs.
const WINDOWS_A_STEP: usize = 4;

/// How a model follows what it reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptation {
    /// Step size of the weights; 0 leaves them as they are.
    pub rate: f64,
    /// Whether what a document has said is counted as well, and has its say: up to 3,600,000 n-grams of it, which take some 200
    /// MB. In a longer document those that come later are not counted.
    pub counts: bool,
}

impl Default for Adaptation {
    fn default() -> Self {
        Self { rate: RATE, counts: true }
    }
}

/// A network on its way through one document.
pub struct Adapting {
    /// The weights of training, flat.
    trained: HashMap<ParamId, Tensor<1>>,
    /// How far each has gone from there.
    change: Trainable<Decoder>,
    rate: f64,
}

impl Adapting {
    /// At the beginning of a document.
    pub fn new(trained: &Decoder, rate: f64) -> Self {
        let mut flat = Flat::default();
        trained.visit(&mut flat);
        let rule = AdamW { eps: EPS, weight_decay: DECAY, ema: 0.0, ..AdamW::default() };
        let change = Trainable::new(trained.clone().map(&mut Unchanged), rule);
        Self { trained: flat.0, change: change.with_lookup(Decoder::is_lookup), rate }
    }

    /// What it says of the tokens of a part of the document but for the first, by windows that go `windows.step` tokens on.
    /// What it has told, it has learned from before it tells what comes behind.
    pub fn told(
        &mut self,
        info: &SequenceInfo,
        windows: Windows,
        tokens: &[u32],
        class: Option<u32>,
    ) -> Vec<Told> {
        let windows = Windows { at_once: WINDOWS_A_STEP, ..windows };
        let mut all = Vec::with_capacity(tokens.len());
        over_windows(info, windows, tokens, class, &mut |shifted, known| {
            let net = self.net();
            all.extend(told_behind(&net.valid(), shifted, known));
            // The last window has all that is new but for the beginning of a document.
            let last = shifted.row(shifted.n - 1);
            let loss = last.mean_loss(net.logits(net.forward(last.positions(), None)));
            // A gradient that is not finite leaves the weights as they are.
            let _ = self.change.update(loss, self.rate);
        });
        all
    }

    /// The weights as they are now, with gradients for their changes.
    fn net(&self) -> Decoder {
        self.change.net().clone().map(&mut Changed(&self.trained))
    }
}

#[derive(Default)]
struct Flat(HashMap<ParamId, Tensor<1>>);

impl ModuleVisitor for Flat {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val().inner();
        let n = value.shape().num_elements();
        let flat: Tensor<1> = value.reshape([n]);
        self.0.insert(param.id, flat);
    }
}

struct Unchanged;

impl ModuleMapper for Unchanged {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|trained| Tensor::<D>::from_inner(trained.inner().zeros_like()).require_grad())
    }
}

struct Changed<'a>(&'a HashMap<ParamId, Tensor<1>>);

impl ModuleMapper for Changed<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(trained) = self.0.get(&param.id).cloned() else { return param };
        param.map(|change| {
            let trained: Tensor<D> = trained.reshape(change.dims());
            kernels::add(change, Tensor::from_inner(trained))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::Device;
    use mintage_data::sequence::{BOUNDARY, Modality};
    use mintage_nn::{Rng, TensorMap};

    use super::*;
    use crate::models::sequence::net::{document_told, shape};

    const CONTEXT: usize = 16;

    fn info() -> SequenceInfo {
        SequenceInfo {
            modality: Modality::Text,
            vocab: 12,
            classes: Vec::new(),
            train_len: 4,
            train_tokens: 4_000,
            chars_per_token: 1.0,
            periods: Vec::new(),
        }
    }

    fn network() -> Decoder {
        let shape = shape(&info(), 2, [2, 16, 16]);
        Decoder::new(shape, &Device::flex().autodiff(), &mut Rng::new(1, 0)).valid()
    }

    /// A stretch of forty tokens, twenty times.
    fn document() -> Vec<u32> {
        let mut rng = Rng::new(2, 0);
        let stretch: Vec<u32> = (0..40).map(|_| 1 + rng.below(11) as u32).collect();
        [vec![BOUNDARY], stretch.repeat(20)].concat()
    }

    #[test]
    fn without_a_step_all_is_as_ever() {
        let (net, windows) = (network(), Windows::close(CONTEXT));
        let fixed = document_told(&net, &info(), windows, &document(), None);
        let told = Adapting::new(&net, 0.0).told(&info(), windows, &document(), None);
        assert_eq!(told.len(), document().len() - 1);
        for (told, fixed) in told.iter().zip(&fixed) {
            assert!((told.log_p - fixed.log_p).abs() < 1e-5 && (told.top - fixed.top).abs() < 1e-5);
        }
    }

    #[test]
    fn what_was_told_is_learned_and_nothing_before() {
        let (net, windows) = (network(), Windows::close(CONTEXT));
        let weights = |net: &Decoder| {
            let mut map = TensorMap::default();
            map.insert_module("net", net);
            map
        };
        let before = weights(&net);
        let (a, mut b) = (document(), document());
        let last = b.len() - 1;
        b[last] = 1 + b[last] % 11;
        let told = |tokens: &[u32]| Adapting::new(&net, 3e-3).told(&info(), windows, tokens, None);
        let (of_a, of_b) = (told(&a), told(&b));
        // A token changes nothing of what was told before it.
        assert_eq!(of_a[..last - 1], of_b[..last - 1]);
        assert_ne!(of_a[last - 1], of_b[last - 1]);
        // Nor is anything learned before the first windows are told.
        let fixed = document_told(&net, &info(), windows, &a, None);
        let first = CONTEXT + (WINDOWS_A_STEP - 1) * windows.step;
        let differ = |mut range: std::ops::Range<usize>| {
            range.any(|at| (of_a[at].log_p - fixed[at].log_p).abs() > 1e-5)
        };
        assert!(!differ(0..first) && differ(first..first + 8));
        let nats = |told: &[Told]| told.iter().map(|told| -told.log_p).sum::<f64>();
        assert!(nats(&of_a) < 0.98 * nats(&fixed), "{} {}", nats(&of_a), nats(&fixed));
        assert_eq!(weights(&net), before);
    }

    #[test]
    fn weights_return_to_those_of_training() {
        let net = network();
        let mut adapting = Adapting::new(&net, 1e-2);
        adapting.told(&info(), Windows::close(CONTEXT), &document(), None);
        let far = |adapting: &Adapting| -> f64 {
            let mut flat = Flat::default();
            adapting.change.net().visit(&mut flat);
            // Gains, of one dimension, do not decay.
            flat.0.values().filter(|change| change.dims()[0] > 16).map(kernels::sum_of_squares).sum()
        };
        let gone = far(&adapting);
        for _ in 0..40 {
            let net = adapting.net();
            let (windows, mut nothing) = (Windows::close(CONTEXT), None);
            over_windows(&info(), windows, &document()[..=CONTEXT], None, &mut |shifted, _| {
                let h = net.forward(shifted.positions(), None);
                nothing = Some(shifted.mean_loss(net.logits(h)) * 0.0);
            });
            adapting.change.update(nothing.unwrap(), 1e-2).unwrap();
        }
        assert!(far(&adapting) < 0.1 * gone, "{gone}");
    }
}
