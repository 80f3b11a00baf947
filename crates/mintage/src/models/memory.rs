//! About how much memory a training takes, before any of it is taken.

use mintage_nn::{Rng, layers::without_numbers};

use super::{
    AnyConfig, AnyModel, AudioConfig, AudioInfo, DataInfo, ImageConfig, ImageInfo, SequenceConfig,
    VideoConfig, VideoInfo,
};

/// Numbers of four bytes for each parameter: itself, its gradient, two moments, the average.
const NUMBERS_A_PARAMETER: u64 = 5;

/// Bytes that training takes beside the data, about: rather too few than too many, since what would fit is to be trained.
pub fn training_bytes(config: &AnyConfig, info: &DataInfo) -> u64 {
    let model = without_numbers(|| {
        AnyModel::new(config, info, &burn::tensor::Device::default(), &mut Rng::new(0, 0))
    });
    let parameters = (model.parameters() as u64).saturating_mul(NUMBERS_A_PARAMETER);
    parameters.saturating_add(activations(config, info)).saturating_mul(4)
}

/// Numbers that a step holds for the way back.
fn activations(config: &AnyConfig, info: &DataInfo) -> u64 {
    let batch = config.batch() as u64;
    let each = match (config, info) {
        (AnyConfig::Image(config), DataInfo::Image(info)) => of_image(config, info),
        (AnyConfig::Table(_), DataInfo::Table(info)) => {
            // Logits and their gradient.
            2 * info.fields.iter().map(|field| field.size as u64).sum::<u64>()
        }
        (AnyConfig::Sequence(config), DataInfo::Sequence(info)) => {
            (config.context() as u64).saturating_mul(2 * info.vocab as u64 + of_token(config))
        }
        (AnyConfig::Audio(config), DataInfo::Audio(info)) => of_sound(config, info),
        (AnyConfig::Video(config), DataInfo::Video(info)) => of_clip(config, info),
        _ => 0,
    };
    each.saturating_mul(batch)
}

/// A layer of a transformer keeps about as many vectors of a token, measured at `--size tiny`: 21 of `ar`, 22 of the VAE and
/// the VQ-VAE, 23 of the GAN.
const VECTORS: u64 = 20;

fn of_token(config: &SequenceConfig) -> u64 {
    let (width, layers) = match config {
        SequenceConfig::Ar(c) => (c.width, c.layers),
        SequenceConfig::Gan(c) => (c.width, c.layers),
        SequenceConfig::Vae(c) => (c.width, c.layers.saturating_add(c.encoder_layers)),
        SequenceConfig::Vqvae(c) => (c.width, c.layers.saturating_add(c.encoder_layers)),
    };
    (width as u64).saturating_mul(layers as u64).saturating_mul(VECTORS)
}

/// A number for each sample, channel of the widest layer and block, measured at `--size tiny`: 1.1 of the VAE and the VQ-VAE,
/// 1.6 of the GAN.
fn of_sound(config: &AudioConfig, info: &AudioInfo) -> u64 {
    let (width, blocks, tenths) = match config {
        AudioConfig::Gan(c) => (c.width, c.blocks, 15),
        AudioConfig::Vae(c) => (c.width, c.blocks, 10),
        AudioConfig::Vqvae(c) => (c.width, c.blocks, 10),
    };
    let samples = (info.segment as u64).saturating_mul(info.channels as u64);
    samples.saturating_mul(width as u64).saturating_mul(blocks as u64).saturating_mul(tenths) / 10
}

/// Maps at half the size of the image are as many as the width, several times over for each block.
fn of_image(config: &ImageConfig, info: &ImageInfo) -> u64 {
    let (width, blocks, maps) = match config {
        ImageConfig::Vae(c) => (c.width, c.blocks, MAPS),
        ImageConfig::Vqvae(c) => (c.width, c.blocks, MAPS),
        // Real and generated ones.
        ImageConfig::Gan(c) => (c.width, c.blocks, 2 * MAPS),
        ImageConfig::Flow(c) => (c.width, c.blocks, MAPS),
    };
    let area = (info.shape.height * info.shape.width) as u64;
    (area / 4).saturating_mul(width as u64).saturating_mul(maps * (1 + blocks as u64))
}

/// The same at a quarter of the size, for every frame.
fn of_clip(config: &VideoConfig, info: &VideoInfo) -> u64 {
    let (width, blocks) = match config {
        VideoConfig::Vae(c) => (c.width, c.blocks),
        VideoConfig::Vqvae(c) => (c.width, c.blocks),
        VideoConfig::Gan(c) => (c.coder_width, c.coder_blocks),
    };
    let area = (info.shape.height * info.shape.width) as u64;
    (area / 16)
        .saturating_mul(info.frames as u64 * width as u64)
        .saturating_mul(MAPS * (1 + blocks as u64) / 4)
}

/// Maps that a block keeps for the way back, a little less than measured: at 256 × 256 pixels and `--size tiny` a step of
/// the GAN took 1.7 GB, of the VAE 1.4, of the VQ-VAE 1.8.
const MAPS: u64 = 12;
