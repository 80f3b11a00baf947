//! About how much memory a training takes, before any of it is taken.

use mintage_data::{TableInfo, sequence::SequenceInfo};
use mintage_nn::{Rng, layers::without_numbers};

use super::{AnyConfig, AnyModel, AudioInfo, DataInfo, ImageInfo, VideoInfo};

/// Numbers of four bytes for each parameter: itself, its gradient, two moments, the average.
const NUMBERS_A_PARAMETER: u64 = 5;

/// About how many bytes a training takes, without the data.
///
/// A low estimate, so that no run is refused that would fit.
pub fn training_bytes(config: &AnyConfig, info: &DataInfo) -> u64 {
    let model = without_numbers(|| {
        AnyModel::new(config, info, &burn::tensor::Device::default(), &mut Rng::new(0, 0))
    });
    let parameters = (model.parameters() as u64).saturating_mul(NUMBERS_A_PARAMETER);
    let activations = config.activations(info).saturating_mul(config.batch() as u64);
    parameters.saturating_add(activations).saturating_mul(4)
}

/// Logits of all fields of a row, and their gradient.
pub fn of_row(info: &TableInfo) -> u64 {
    2 * info.fields.iter().map(|field| field.size as u64).sum::<u64>()
}

/// A layer of a transformer keeps about as many vectors of a token, measured at `--size tiny`: 21 of `ar`, 22 of the VAE and
/// the VQ-VAE, 23 of the GAN.
const VECTORS_A_LAYER: u64 = 20;

/// Logits of `context` tokens and their gradient, and what the layers keep.
pub fn of_document(info: &SequenceInfo, context: usize, width: usize, layers: usize) -> u64 {
    let token = (width as u64).saturating_mul(layers as u64).saturating_mul(VECTORS_A_LAYER);
    (context as u64).saturating_mul(token.saturating_add(2 * info.vocab as u64))
}

/// So many numbers for each sample, channel of the widest layer and block, measured at `--size tiny`: 1.1 of the VAE and the
/// VQ-VAE, 1.6 of the GAN.
pub fn of_sound(info: &AudioInfo, width: usize, blocks: usize, numbers: f64) -> u64 {
    let samples = (info.segment as u64).saturating_mul(info.channels as u64);
    let all = samples.saturating_mul(width as u64).saturating_mul(blocks as u64);
    (all as f64 * numbers) as u64
}

/// Maps at half the size of the image are as many as the width, several times over for each block.
pub fn of_image(info: &ImageInfo, width: usize, blocks: usize) -> u64 {
    let area = (info.shape.height * info.shape.width) as u64;
    (area / 4).saturating_mul(width as u64).saturating_mul(MAPS_A_BLOCK * (1 + blocks as u64))
}

/// The same at a quarter of the size, for every frame.
pub fn of_clip(info: &VideoInfo, width: usize, blocks: usize) -> u64 {
    let area = (info.shape.height * info.shape.width) as u64;
    (area / 16)
        .saturating_mul(info.frames as u64 * width as u64)
        .saturating_mul(MAPS_A_BLOCK * (1 + blocks as u64) / 4)
}

/// Maps that a block keeps for the way back, a little less than measured: at 256 × 256 pixels and `--size tiny` a step of
/// the GAN took 1.7 GB, of the VAE 1.4, of the VQ-VAE 1.8.
const MAPS_A_BLOCK: u64 = 12;
