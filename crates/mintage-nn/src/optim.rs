//! AdamW with global-norm clipping and an exponential moving average of the weights; Muon for chosen matrices, and lazy
//! AdamW for tables of which a step looks up a few rows.
//!
//! Loshchilov & Hutter, "Decoupled weight decay regularization" (arXiv:1711.05101). Muon (Jordan et al., 2024; with the
//! scale of Liu et al., arXiv:2502.16982, so that one learning rate serves both) moves a matrix along the nearest
//! orthogonal one to its momentum:
//!
//! ```text
//! m ← μ m + g    O = U Vᵀ of (g + μ m) = U S Vᵀ    P ← (1 − η λ) P − 0.2 η √max(rows, columns) O
//! ```
//!
//! Of a table, AdamW changes the rows that have a gradient, and their moments, and leaves the others as they are: weights do
//! not decay that nobody asks for, and a row's moments are those of the steps that looked it up. Its average follows in
//! every step all the same: an average over the steps of a row alone would keep rare rows near where they began.
//!
//! One call does
//! clipping, the update and the average in one pass over the parameters, and the state is kept by
//! parameter name, so that it can be saved in safetensors and resumed to the same bytes.

use std::collections::{HashMap, HashSet};

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId},
    tensor::{Gradients, Tensor, TensorData},
};
use serde::{Deserialize, Serialize};

use crate::{
    kernels::{self, Slot, UpdateScalars},
    weights::{TensorMap, WeightsError, to_vec},
};

/// Hyper-parameters of [`Optimizer`]; the learning rate is given with each step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamW {
    pub beta1: f32,
    pub beta2: f32,
    pub eps: f32,
    /// Decoupled decay; applied to tensors of rank ≥ 2 only (never to biases and gains).
    pub weight_decay: f32,
    /// Whether only those weights decay that the step does not make larger: others are wanted as large as they are.
    #[serde(default)]
    pub cautious: bool,
    /// Largest allowed global norm of the gradient; 0 switches clipping off.
    pub clip: f32,
    /// Decay of the weight average; 0 switches it off. Warmed up as `min(decay, (1 + t) / (10 + t))`.
    pub ema: f32,
}

impl Default for AdamW {
    fn default() -> Self {
        let (weight_decay, cautious) = (0.0, false);
        Self { beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay, cautious, clip: 1.0, ema: 0.999 }
    }
}

/// Momentum of Muon.
const MUON_MOMENTUM: f32 = 0.95;

/// AdamW over the parameters of one module, and Muon over some of them.
#[derive(Clone, Debug)]
pub struct Optimizer {
    pub config: AdamW,
    /// Matrices that Muon moves.
    muon: HashSet<ParamId>,
    /// Tables of which rows without a gradient stay.
    lookup: HashSet<ParamId>,
    slots: HashMap<ParamId, Slot>,
    steps: u64,
}

impl Optimizer {
    pub fn new(config: AdamW) -> Self {
        let (muon, lookup) = (HashSet::new(), HashSet::new());
        Self { config, muon, lookup, slots: HashMap::new(), steps: 0 }
    }

    /// The same choices without any state.
    fn fresh(&self) -> Self {
        Self { muon: self.muon.clone(), lookup: self.lookup.clone(), ..Self::new(self.config) }
    }

    /// Updates made so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One update of `module` by `grads`; returns the new module and the norm of the gradient before
    /// clipping. A norm that is not finite leaves the module unchanged: the caller decides what to do.
    pub fn step<M: Module>(&mut self, module: M, mut grads: Gradients, lr: f64) -> (M, f32) {
        let mut collect = CollectGrads { grads: &mut grads, found: HashMap::new(), sum_sq: 0.0 };
        module.visit(&mut collect);
        let (found, norm) = (collect.found, collect.sum_sq.sqrt() as f32);
        if !norm.is_finite() {
            return (module, norm);
        }
        self.steps += 1;
        let t = self.steps as i32;
        let AdamW { beta1, beta2, eps, weight_decay, cautious, clip, ema } = self.config;
        let scalars = UpdateScalars {
            lr: lr as f32,
            beta1,
            beta2,
            eps,
            weight_decay,
            cautious,
            bias1: 1.0 - beta1.powi(t),
            bias2: 1.0 - beta2.powi(t),
            grad_scale: if clip > 0.0 && norm > clip { clip / norm } else { 1.0 },
            ema_decay: ema.min((1.0 + t as f32) / (10.0 + t as f32)),
        };
        let module = module.map(&mut Update {
            grads: found,
            slots: &mut self.slots,
            muon: &self.muon,
            lookup: &self.lookup,
            scalars,
            ema: ema > 0.0,
        });
        (module, norm)
    }

    /// A copy of `module` (without gradients) that carries the averaged weights.
    pub fn averaged<M: Module>(&self, module: &M) -> M {
        module.valid().map(&mut Averaged { slots: &self.slots })
    }

    /// Adds the state under `prefix`: `prefix.m.NAME`, `prefix.v.NAME`, `prefix.ema.NAME`, `prefix.steps`.
    pub fn save_into<M: Module>(&self, prefix: &str, module: &M, map: &mut TensorMap) {
        // Two halves, because an f32 holds integers exactly only up to 2^24.
        let (high, low) = (self.steps >> 20, self.steps & 0xF_FFFF);
        map.insert(format!("{prefix}.steps"), &[2], vec![high as f32, low as f32]);
        for (name, id) in names(module) {
            if let Some(slot) = self.slots.get(&id) {
                map.insert_tensor(format!("{prefix}.m.{name}"), &slot.m);
                if let Some(v) = &slot.v {
                    map.insert_tensor(format!("{prefix}.v.{name}"), v);
                }
                if let Some(ema) = &slot.ema {
                    map.insert_tensor(format!("{prefix}.ema.{name}"), ema);
                }
            }
        }
    }

    /// Reads back what [`Optimizer::save_into`] wrote for the same module.
    ///
    /// # Errors
    ///
    /// A tensor is missing or of another shape: then the state may be incomplete.
    pub fn load_from<M: Module>(
        &mut self,
        prefix: &str,
        module: &M,
        map: &TensorMap,
    ) -> Result<(), WeightsError> {
        let steps = &map.of_shape(&format!("{prefix}.steps"), &[2])?.values;
        self.steps = ((steps[0] as u64) << 20) | steps[1] as u64;
        let device = module.devices().into_iter().next().unwrap_or_else(burn::tensor::Device::flex).inner();
        let tensor = |name: &str, size: usize| -> Result<Option<Tensor<1>>, WeightsError> {
            if !map.tensors.contains_key(name) {
                return Ok(None);
            }
            let host = map.of_shape(name, &[size])?;
            Ok(Some(Tensor::from_data(TensorData::new(host.values.clone(), [size]), &device)))
        };
        self.slots.clear();
        for (name, id, size) in sizes(module) {
            let of = |what: &str| format!("{prefix}.{what}.{name}");
            let (v, ema) = (tensor(&of("v"), size)?, tensor(&of("ema"), size)?);
            let Some(m) = tensor(&of("m"), size)? else { continue };
            // What a step takes for granted: AdamW has a second moment, an averaged module an average.
            if v.is_none() && !self.muon.contains(&id) {
                return Err(WeightsError::Missing(of("v")));
            }
            if ema.is_none() && self.config.ema > 0.0 {
                return Err(WeightsError::Missing(of("ema")));
            }
            self.slots.insert(id, Slot { m, v, ema });
        }
        Ok(())
    }
}

/// A module together with what trains it: weights, AdamW state and weight average.
#[derive(Debug)]
pub struct Trainable<M: Module> {
    // `None` only inside `update`, so that the optimiser can own the weights and change them in place.
    net: Option<M>,
    pub optimizer: Optimizer,
}

/// A loss or gradient that is no finite number; the weights are as they were before the step.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("the {what} is not finite")]
pub struct NotFinite {
    pub what: &'static str,
}

impl<M: Module> Trainable<M> {
    /// `net` must live on an autodiff device.
    pub fn new(net: M, config: AdamW) -> Self {
        Self { net: Some(net), optimizer: Optimizer::new(config) }
    }

    /// The same with Muon for the matrices whose names `hidden` says yes to: those between hidden layers, neither
    /// embeddings nor heads.
    pub fn with_muon(net: M, config: AdamW, hidden: impl Fn(&str) -> bool) -> Self {
        let mut train = Self::new(net, config);
        train.optimizer.muon = chosen(train.net(), hidden);
        train
    }

    /// The same with lazy AdamW for the tables whose names `tables` says yes to: matrices of which a step looks up a few
    /// rows.
    pub fn with_lookup(mut self, tables: impl Fn(&str) -> bool) -> Self {
        self.optimizer.lookup = chosen(self.net(), tables);
        self
    }

    /// The weights in training, with gradients.
    pub fn net(&self) -> &M {
        self.net.as_ref().unwrap_or_else(|| unreachable!("the weights are absent only inside update"))
    }

    /// Updates so far.
    pub fn steps(&self) -> u64 {
        self.optimizer.steps()
    }

    /// Updates the weights by the gradient of `loss` (shape `[1]`); returns the loss and the gradient's norm.
    ///
    /// # Errors
    ///
    /// The loss or the norm of its gradient is not finite: then the weights stay as they are.
    pub fn update(&mut self, loss: Tensor<1>, lr: f64) -> Result<(f64, f64), NotFinite> {
        let value = f64::from(loss.clone().into_scalar::<f32>());
        if !value.is_finite() {
            return Err(NotFinite { what: "loss" });
        }
        let grads = loss.backward();
        drop(loss);
        let Some(net) = self.net.take() else { return Err(NotFinite { what: "network" }) };
        let (net, norm) = self.optimizer.step(net, grads, lr);
        self.net = Some(net);
        if norm.is_finite() { Ok((value, f64::from(norm))) } else { Err(NotFinite { what: "gradient" }) }
    }

    /// The averaged weights, without gradients: what validates, samples and is published.
    pub fn averaged(&self) -> M {
        self.optimizer.averaged(self.net())
    }

    /// Adds the averaged weights under `prefix`: the published model.
    pub fn save_weights(&self, prefix: &str, map: &mut TensorMap) {
        map.insert_module(prefix, &self.averaged());
    }

    /// Reads published weights; they become both the weights and their average.
    ///
    /// # Errors
    ///
    /// A tensor is missing or of another shape: then the weights stay as they are.
    pub fn load_weights(&mut self, prefix: &str, map: &TensorMap) -> Result<(), WeightsError> {
        let net = map.load_module(prefix, self.net().clone())?;
        self.net = Some(net);
        self.optimizer = self.optimizer.fresh();
        Ok(())
    }

    /// Adds all that a resumed run needs: raw weights and the optimiser's state.
    pub fn save_state(&self, prefix: &str, map: &mut TensorMap) {
        map.insert_module(&format!("{prefix}.net"), self.net());
        self.optimizer.save_into(&format!("{prefix}.opt"), self.net(), map);
    }

    /// Reads back what [`Trainable::save_state`] wrote.
    ///
    /// # Errors
    ///
    /// A tensor is missing or of another shape: then the state may be incomplete.
    pub fn load_state(&mut self, prefix: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.net = Some(map.load_module(&format!("{prefix}.net"), self.net().clone())?);
        let Self { net, optimizer } = self;
        match net {
            Some(net) => optimizer.load_from(&format!("{prefix}.opt"), net, map),
            None => Ok(()),
        }
    }
}

struct CollectGrads<'a> {
    grads: &'a mut Gradients,
    found: HashMap<ParamId, Tensor<1>>,
    sum_sq: f64,
}

impl ModuleVisitor for CollectGrads<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = param.val().grad_remove(self.grads) {
            let n = grad.shape().num_elements();
            let flat: Tensor<1> = grad.reshape([n]);
            self.sum_sq += kernels::sum_of_squares(&flat);
            self.found.insert(param.id, flat);
        }
    }
}

struct Update<'a> {
    grads: HashMap<ParamId, Tensor<1>>,
    slots: &'a mut HashMap<ParamId, Slot>,
    muon: &'a HashSet<ParamId>,
    lookup: &'a HashSet<ParamId>,
    scalars: UpdateScalars,
    ema: bool,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = self.grads.remove(&param.id) else { return param };
        let id = param.id;
        let mut scalars = self.scalars;
        if D < 2 {
            scalars.weight_decay = 0.0;
        }
        let slots = &mut *self.slots;
        let with_ema = self.ema;
        let [muon, lookup] = [self.muon, self.lookup].map(|chosen| D >= 2 && chosen.contains(&id));
        param.map(|old| {
            let shape = old.dims();
            let n = shape.iter().product::<usize>();
            let flat: Tensor<1> = old.inner().reshape([n]);
            let slot = slots.remove(&id).unwrap_or_else(|| Slot {
                m: flat.zeros_like(),
                v: (!muon).then(|| flat.zeros_like()),
                // A copy of its own, so that the in-place update below finds its memory unshared.
                ema: with_ema.then(|| flat.clone() + 0.0),
            });
            let (new, slot) = match (muon, lookup) {
                // A filter of a convolution is a row.
                (true, _) => {
                    kernels::muon(flat, grad, [shape[0], n / shape[0]], slot, MUON_MOMENTUM, scalars)
                }
                (false, true) => kernels::adamw_rows(flat, grad, n / shape[0], slot, scalars),
                (false, false) => kernels::adamw(flat, grad, slot, scalars),
            };
            slots.insert(id, slot);
            Tensor::<D>::from_inner(new.reshape(shape)).require_grad()
        })
    }
}

struct Averaged<'a> {
    slots: &'a HashMap<ParamId, Slot>,
}

impl ModuleMapper for Averaged<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.slots.get(&param.id).and_then(|slot| slot.ema.clone()) {
            Some(ema) => param.map(|old| ema.reshape(old.dims())),
            None => param,
        }
    }
}

struct Names {
    path: Vec<String>,
    found: Vec<(String, ParamId, usize)>,
}

impl ModuleVisitor for Names {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.join("."), param.id, param.lazy_shape().num_elements()));
    }
}

/// Names (module paths) and ids of all float parameters, in visiting order.
pub fn names<M: Module>(module: &M) -> Vec<(String, ParamId)> {
    sizes(module).into_iter().map(|(name, id, _)| (name, id)).collect()
}

/// The same with how many numbers each has.
fn sizes<M: Module>(module: &M) -> Vec<(String, ParamId, usize)> {
    let mut names = Names { path: Vec::new(), found: Vec::new() };
    module.visit(&mut names);
    names.found
}

/// The ids of the parameters whose names `by` says yes to.
fn chosen<M: Module>(module: &M, by: impl Fn(&str) -> bool) -> HashSet<ParamId> {
    names(module).into_iter().filter(|(name, _)| by(name)).map(|(_, id)| id).collect()
}

/// Whether every parameter is a number.
pub fn all_finite<M: Module>(module: &M) -> bool {
    struct Finite(bool);
    impl ModuleVisitor for Finite {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 &= to_vec(&param.val()).iter().all(|v| v.is_finite());
        }
    }
    let mut finite = Finite(true);
    module.visit(&mut finite);
    finite.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use burn::tensor::Device;

    use super::*;
    use crate::{Rng, layers::Embedding};

    /// A table of four rows of three.
    fn table() -> Trainable<Embedding> {
        let net = Embedding::new(4, 3, 1.0, &Device::flex().autodiff(), &mut Rng::new(1, 0));
        Trainable::new(net, AdamW { weight_decay: 0.1, ..AdamW::default() })
    }

    fn lazy() -> Trainable<Embedding> {
        table().with_lookup(|name| name == "weight")
    }

    fn step(train: &mut Trainable<Embedding>, rows: &[u32]) {
        let found = train.net().bag(&Arc::new(rows.to_vec()), 1);
        train.update(found.powi_scalar(2).sum(), 0.1).unwrap();
    }

    fn rows(net: &Embedding) -> Vec<Vec<f32>> {
        to_vec(&net.weight.val()).chunks(3).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn rows_that_nobody_looks_up_stay() {
        let (mut dense, mut lazy) = (table(), lazy());
        let before = rows(lazy.net());
        [&mut dense, &mut lazy].into_iter().for_each(|train| step(train, &[0, 2, 2]));
        let (dense, after) = (rows(dense.net()), rows(lazy.net()));
        for row in 0..4 {
            let looked_up = row % 2 == 0;
            assert_eq!(&after[row], if looked_up { &dense[row] } else { &before[row] }, "{row}");
            assert_ne!(dense[row], before[row], "{row}");
        }
        // The average of a row that is looked up no more goes on towards it.
        let lag =
            |train: &Trainable<Embedding>| (rows(&train.averaged())[2][0] - rows(train.net())[2][0]).abs();
        let lag_before = lag(&lazy);
        step(&mut lazy, &[0]);
        assert_eq!(rows(lazy.net())[2], after[2]);
        assert!(lag_before > 0.0 && lag(&lazy) < 0.5 * lag_before);
    }

    #[test]
    fn lazy_steps_resume_to_the_same_bytes() {
        let mut whole = lazy();
        step(&mut whole, &[0, 2]);
        let mut map = TensorMap::default();
        whole.save_state("t", &mut map);
        let mut resumed = lazy();
        resumed.load_state("t", &map).unwrap();
        for looked_up in [[1, 2], [3, 3]] {
            [&mut whole, &mut resumed].into_iter().for_each(|train| step(train, &looked_up));
            assert_eq!(rows(whole.net()), rows(resumed.net()));
            assert_eq!(rows(&whole.averaged()), rows(&resumed.averaged()));
        }
    }
}
