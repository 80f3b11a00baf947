//! How large latents are, so that a prior can learn them at a mean square of one in each dimension.

use burn::tensor::{Device, Tensor, TensorData};
use mintage_nn::{Part, TensorMap, WeightsError};

/// Decay of the moving average.
const DECAY: f32 = 0.98;

/// Moving average of the mean square of each dimension of latents.
#[derive(Debug)]
pub struct MeanSquares(Vec<f32>);

impl MeanSquares {
    /// Of `d` dimensions; 1 at first.
    pub fn new(d: usize) -> Self {
        Self(vec![1.0; d])
    }

    /// Moves the averages towards the mean squares of latents that were seen, `[n, d]`.
    pub fn follow(&mut self, z: &[f32]) {
        let d = self.0.len();
        let rows = (z.len() / d).max(1) as f32;
        for (j, square) in self.0.iter_mut().enumerate() {
            let mean = z.iter().skip(j).step_by(d).map(|v| v * v).sum::<f32>() / rows;
            *square = DECAY * *square + (1.0 - DECAY) * mean;
        }
    }

    /// What latents are multiplied by to have a mean square of one: `[1, d]`.
    pub fn scale(&self, device: &Device) -> Tensor<2> {
        let scale: Vec<f32> = self.0.iter().map(|square| square.max(1e-6).sqrt().recip()).collect();
        Tensor::from_data(TensorData::new(scale, [1, self.0.len()]), device)
    }
}

impl Part for MeanSquares {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        map.insert(name, &[self.0.len()], self.0.clone());
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        let squares = map.of_shape(name, &[self.0.len()])?;
        self.0.clone_from(&squares.values);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage_nn::weights::to_vec;

    #[test]
    fn latents_are_brought_to_a_mean_square_of_one() {
        let mut squares = MeanSquares::new(2);
        (0..500).for_each(|_| squares.follow(&[2.0, -0.5, -2.0, 0.5]));
        let scale = to_vec(&squares.scale(&Device::flex()));
        assert!((scale[0] - 0.5).abs() < 1e-2 && (scale[1] - 2.0).abs() < 1e-2, "{scale:?}");
        let (mut map, mut other) = (TensorMap::default(), MeanSquares::new(2));
        squares.save_weights("squares", &mut map);
        other.load_weights("squares", &map).unwrap();
        assert_eq!(other.0, squares.0);
        assert!(MeanSquares::new(3).load_weights("squares", &map).is_err());
    }
}
