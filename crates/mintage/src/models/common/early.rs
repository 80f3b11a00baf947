//! A network that keeps an early version of itself, to be guided by when it draws.

use burn::{module::Module, tensor::Tensor};
use mintage_nn::{NotFinite, Part, TensorMap, Trainable, WeightsError};

/// The share of its training after which a network keeps its averaged weights: a tenth of it is bad enough to guide away from,
/// and good enough to err where the network errs later.
const KEPT_AT: f64 = 0.1;

/// The option `autoguidance` of runs from before it: none.
pub fn no_autoguidance() -> f64 {
    1.0
}

/// A network in training, and the averaged weights that it had after a tenth of its training, for [`autoguided`].
///
/// In files the early weights stand beside the network's own, under `early.` and the name of the part. Published weights from
/// before that share hold the averaged ones in their place, so that they have the names and the shapes of later ones; read
/// back, they count as none. Runs and models of versions that kept none go on without any.
#[derive(Debug)]
pub struct WithEarly<M: Module> {
    train: Trainable<M>,
    early: Early<M>,
}

#[derive(Debug)]
enum Early<M> {
    /// The run or the model is of a version that kept none.
    Never,
    /// The share of the training is not over yet.
    Ahead,
    Kept(M),
}

impl<M: Module> WithEarly<M> {
    /// At the beginning of its training.
    pub fn new(train: Trainable<M>) -> Self {
        Self { train, early: Early::Ahead }
    }

    /// The weights in training, with gradients.
    pub fn net(&self) -> &M {
        self.train.net()
    }

    /// The averaged weights, without gradients.
    pub fn averaged(&self) -> M {
        self.train.averaged()
    }

    /// [`Trainable::update`] at `progress` ∈ [0, 1] of the network's own training.
    ///
    /// # Errors
    ///
    /// The loss or the norm of its gradient is not finite: then the weights stay as they are.
    pub fn update(&mut self, loss: Tensor<1>, lr: f64, progress: f64) -> Result<(f64, f64), NotFinite> {
        if matches!(self.early, Early::Ahead) && progress >= KEPT_AT {
            self.early = Early::Kept(self.train.averaged());
        }
        self.train.update(loss, lr)
    }

    /// Whether there are early weights to be guided by.
    pub fn has_early(&self) -> bool {
        matches!(self.early, Early::Kept(_))
    }

    /// What [`autoguided`] takes: the early network with the weight of its guidance. `None` where none is kept, and for a
    /// weight of 1, which is the network alone.
    pub fn early(&self, weight: f64) -> Option<(&M, f64)> {
        match &self.early {
            Early::Kept(early) if weight != 1.0 => Some((early, weight)),
            _ => None,
        }
    }

    /// Reads what lies under the name of the early weights, once the network itself has been read.
    fn load_early(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        let name = name_of_early(name);
        let below = format!("{name}.");
        self.early = match map.tensors.keys().any(|key| key.starts_with(&below)) {
            true => Early::Kept(map.load_module(&name, self.train.averaged())?),
            false if map.tensors.contains_key(&name) => Early::Ahead,
            false => Early::Never,
        };
        Ok(())
    }
}

/// What the names of the early weights of a part begin with.
fn name_of_early(name: &str) -> String {
    format!("early.{name}")
}

/// Whether the early weights of a part are the averaged ones beside them.
fn is_copy(name: &str, map: &TensorMap) -> bool {
    let own = format!("{name}.");
    let mut tensors = map.tensors.iter().filter(|(key, _)| key.starts_with(&own));
    tensors.all(|(key, tensor)| map.tensors.get(&name_of_early(key)) == Some(tensor))
}

impl<M: Module> Part for WithEarly<M> {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        self.train.save_weights(name, map);
        match &self.early {
            Early::Never => {}
            Early::Ahead => map.insert_module(&name_of_early(name), &self.train.averaged()),
            Early::Kept(early) => map.insert_module(&name_of_early(name), early),
        }
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.train.load_weights(name, map)?;
        self.load_early(name, map)?;
        // Guided by itself a network goes nowhere, and takes twice the time.
        if self.has_early() && is_copy(name, map) {
            self.early = Early::Ahead;
        }
        Ok(())
    }

    fn save_state(&self, name: &str, map: &mut TensorMap) {
        self.train.save_state(name, map);
        match &self.early {
            Early::Never => {}
            // Tells a run that has them ahead of it from one of a version that kept none.
            Early::Ahead => map.insert(name_of_early(name), &[1], vec![0.0]),
            Early::Kept(early) => map.insert_module(&name_of_early(name), early),
        }
    }

    fn load_state(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.train.load_state(name, map)?;
        self.load_early(name, map)
    }

    fn parameters(&self) -> usize {
        self.train.parameters()
    }
}

/// A velocity, guided by an early version of the network with a weight `w` (autoguidance, Karras et al., arXiv:2406.02507):
///
/// `v = v_early + w (v_net − v_early)`
///
/// An early version errs where the network errs, and further: beyond the network, seen from there, lies less of the error.
/// Without `early` the velocity is that of `net`, which alone is asked then.
pub fn autoguided<M, const D: usize>(
    net: &M,
    early: Option<(&M, f64)>,
    velocity: impl Fn(&M) -> Tensor<D>,
) -> Tensor<D> {
    let v = velocity(net);
    match early {
        None => v,
        Some((early, weight)) => {
            let v_early = velocity(early);
            v_early.clone() + (v - v_early) * weight
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::Device;
    use mintage_nn::{AdamW, Rng, layers::Linear, weights::to_vec};

    use super::*;

    fn fresh() -> WithEarly<Linear> {
        let net = Linear::new(3, 2, 1.0, &Device::flex().autodiff(), &mut Rng::new(1, 0));
        WithEarly::new(Trainable::new(net, AdamW::default()))
    }

    fn step(net: &mut WithEarly<Linear>, progress: f64) {
        let x = Tensor::<2>::ones([4, 3], &Device::flex().autodiff());
        let loss = net.net().forward(x).powi_scalar(2).mean();
        net.update(loss, 0.1, progress).unwrap();
    }

    fn weights(net: &Linear) -> Vec<f32> {
        to_vec(&net.weight.val())
    }

    fn state(net: &WithEarly<Linear>) -> TensorMap {
        let mut map = TensorMap::default();
        net.save_state("net", &mut map);
        map
    }

    #[test]
    fn keeps_what_it_was_after_a_tenth_of_its_training() {
        let mut net = fresh();
        step(&mut net, 0.0);
        assert!(!net.has_early() && net.early(2.0).is_none());
        let then = weights(&net.averaged());
        for progress in [0.1, 0.5, 0.9] {
            step(&mut net, progress);
        }
        let (early, weight) = net.early(2.0).unwrap();
        assert_eq!((weights(early), weight), (then.clone(), 2.0));
        assert_ne!(weights(&net.averaged()), then);
        assert!(net.early(1.0).is_none());
    }

    #[test]
    fn resumes_to_the_same_bytes_before_and_after() {
        let mut whole = fresh();
        step(&mut whole, 0.0);
        for progress in [0.05, 0.1, 0.6] {
            let mut resumed = fresh();
            resumed.load_state("net", &state(&whole)).unwrap();
            [&mut whole, &mut resumed].into_iter().for_each(|net| step(net, progress));
            assert_eq!(state(&whole), state(&resumed), "{progress}");
            assert_eq!(whole.has_early(), progress > 0.05);
        }
    }

    #[test]
    fn published_weights_have_the_same_names_before_and_after() {
        let published = |net: &WithEarly<Linear>| {
            let mut map = TensorMap::default();
            net.save_weights("net", &mut map);
            map
        };
        let mut net = fresh();
        step(&mut net, 0.0);
        let before = published(&net);
        let mut stopped = fresh();
        stopped.load_weights("net", &before).unwrap();
        assert!(!stopped.has_early(), "it would be guided by itself");
        assert_eq!(published(&stopped), before);
        step(&mut net, 0.2);
        let after = published(&net);
        assert!(before.is_like(&after));
        let mut read = fresh();
        read.load_weights("net", &after).unwrap();
        assert_eq!(weights(read.early(2.0).unwrap().0), weights(net.early(2.0).unwrap().0));
        assert_eq!(published(&read), after);
    }

    #[test]
    fn runs_of_versions_that_kept_none_go_on_without() {
        let mut old = fresh();
        step(&mut old, 0.0);
        let mut map = TensorMap::default();
        old.train.save_state("net", &mut map);
        let mut resumed = fresh();
        resumed.load_state("net", &map).unwrap();
        step(&mut resumed, 0.5);
        assert!(!resumed.has_early());
        assert!(state(&resumed).tensors.keys().all(|key| key.starts_with("net.")));
        map = TensorMap::default();
        old.train.save_weights("net", &mut map);
        resumed.load_weights("net", &map).unwrap();
        assert!(resumed.early(2.0).is_none());
    }

    #[test]
    fn guidance_goes_on_from_the_early_network() {
        let at = |value: f64| Tensor::<1>::from_floats([value as f32], &Device::flex());
        let velocity = |early: Option<(&f64, f64)>| autoguided(&3.0, early, |&v| at(v)).into_scalar::<f32>();
        assert_eq!(
            (velocity(None), velocity(Some((&1.0, 2.0))), velocity(Some((&1.0, 0.0)))),
            (3.0, 5.0, 1.0)
        );
    }
}
