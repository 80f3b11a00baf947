//! What a model is made of, as far as files are concerned: networks with their optimisers, codebooks, running statistics.
//! Each part is saved, loaded and counted under a name of its own.

use burn::module::Module;

use crate::{TensorMap, Trainable, WeightsError};

/// A part of a model. `name` is what its tensors begin with in a file.
pub trait Part {
    /// Adds what sampling needs: the published weights.
    fn save_weights(&self, name: &str, map: &mut TensorMap);

    /// Reads published weights.
    ///
    /// # Errors
    ///
    /// Where a tensor is missing or of another shape.
    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError>;

    /// Adds what a resumed training needs: the published weights, unless a part has more.
    fn save_state(&self, name: &str, map: &mut TensorMap) {
        self.save_weights(name, map);
    }

    /// Reads back what [`Part::save_state`] wrote.
    ///
    /// # Errors
    ///
    /// Where a tensor is missing or of another shape.
    fn load_state(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.load_weights(name, map)
    }

    /// Learned numbers in it; statistics are none.
    fn parameters(&self) -> usize {
        0
    }
}

impl<M: Module> Part for Trainable<M> {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        self.save_weights(name, map);
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.load_weights(name, map)
    }

    fn save_state(&self, name: &str, map: &mut TensorMap) {
        self.save_state(name, map);
    }

    fn load_state(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.load_state(name, map)
    }

    fn parameters(&self) -> usize {
        self.net().num_params()
    }
}

/// A part that not every configuration has.
impl<P: Part> Part for Option<P> {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        self.iter().for_each(|part| part.save_weights(name, map));
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.iter_mut().try_for_each(|part| part.load_weights(name, map))
    }

    fn save_state(&self, name: &str, map: &mut TensorMap) {
        self.iter().for_each(|part| part.save_state(name, map));
    }

    fn load_state(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.iter_mut().try_for_each(|part| part.load_state(name, map))
    }

    fn parameters(&self) -> usize {
        self.iter().map(P::parameters).sum()
    }
}

/// Several of a kind: `name.0`, `name.1` …
impl<P: Part> Part for Vec<P> {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        self.iter().enumerate().for_each(|(i, part)| part.save_weights(&format!("{name}.{i}"), map));
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        let mut parts = self.iter_mut().enumerate();
        parts.try_for_each(|(i, part)| part.load_weights(&format!("{name}.{i}"), map))
    }

    fn save_state(&self, name: &str, map: &mut TensorMap) {
        self.iter().enumerate().for_each(|(i, part)| part.save_state(&format!("{name}.{i}"), map));
    }

    fn load_state(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        let mut parts = self.iter_mut().enumerate();
        parts.try_for_each(|(i, part)| part.load_state(&format!("{name}.{i}"), map))
    }

    fn parameters(&self) -> usize {
        self.iter().map(P::parameters).sum()
    }
}
