//! The feature space of the data: an encoder trained on the train split, kept for the next evaluation.
//!
//! Distances between distributions mean nothing without a space to take them in, and a network trained
//! on photographs of the internet is a poor judge of digits or icons. So the space is learned from the
//! data: from the classes where there are some, by contrast of distorted views otherwise.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use mintage_data::{ImageSet, Images};
use mintage_nn::TensorMap;

use super::super::evenly;
use super::convnet::{ConvNet, FEATURES, Training};
use crate::{error::Error, run::write_weights};

/// Raised when the network or its training changes: encoders of another version are not read.
const VERSION: u32 = 1;
/// Bytes of the train split that are used, at most; evenly spaced images when there are more.
const MAX_TRAIN_BYTES: usize = 256 << 20;
/// Passes over the train split.
const EPOCHS: usize = 12;
/// Least and largest number of steps that these passes come to.
const STEP_LIMITS: (usize, usize) = (150, 1200);

/// What the encoder was trained for, as shown beside every number that was taken in its space.
pub(super) fn space(data: &ImageSet) -> &'static str {
    if by_classes(data) { "own encoder (classes)" } else { "own encoder (contrast)" }
}

fn by_classes(data: &ImageSet) -> bool {
    let classes = data.classes().len();
    // Data that have changed since the training may have no class left that the model knows.
    classes > 1 && data.labels().iter().any(|&label| (label as usize) < classes)
}

/// The encoder for `data`, from `cache` if it lies there.
pub(super) fn encoder(
    data: &ImageSet,
    cache: Option<&Path>,
    device: &Device,
    on: &mut dyn FnMut(usize, usize),
) -> Result<ConvNet, Error> {
    let outputs = if by_classes(data) { data.classes().len() } else { FEATURES };
    let file = cache.map(|dir| file(dir, data));
    if let Some(kept) = file.as_deref().and_then(|path| TensorMap::load(path).ok())
        && let Ok(net) = ConvNet::load(&kept, data.shape(), outputs, device)
    {
        return Ok(net);
    }
    let images =
        data.images(&evenly(&data.splits().train, MAX_TRAIN_BYTES / data.shape().pixels().max(1)))?;
    let net = train(&images, outputs, by_classes(data), device, on);
    // The cache saves time and nothing else: a folder that cannot be written is no reason to stop.
    if let Some(path) = file {
        let mut map = TensorMap::default();
        net.save(&mut map);
        if let Some(dir) = path.parent() {
            let _ = std::fs::create_dir_all(dir);
        }
        let _ = write_weights(&path, &map);
    }
    Ok(net)
}

fn train(
    images: &Images,
    outputs: usize,
    by_classes: bool,
    device: &Device,
    on: &mut dyn FnMut(usize, usize),
) -> ConvNet {
    let steps = (images.len() * EPOCHS / 64).clamp(STEP_LIMITS.0, STEP_LIMITS.1);
    let training = Training { steps, lr: 2e-3, shift: 0.08, seed: 17 };
    match by_classes {
        true => ConvNet::classifier(images, &images.labels, outputs, training, device, on),
        false => ConvNet::contrast(images, Training { shift: 0.15, ..training }, device, on),
    }
}

/// The same items may be split in other ways: by another program's training data, or with nothing to validate.
fn file(dir: &Path, data: &ImageSet) -> PathBuf {
    let train = data.splits().train.len();
    dir.join(format!("encoder-{VERSION}-{:016x}-{train}.safetensors", data.fingerprint()))
}
