//! The image models: a training step, and sampling.

use std::sync::Arc;

use burn::tensor::Device;
use mintage::{
    Family, Recipe, Size,
    data::{ImageBatch, ImageSet, Loader, Split},
    models::{GenerativeModel, ImageConfig, ImageInfo, ImageModel, ImageSampleParams},
    nn::Rng,
};

use crate::{Setting, Work, loading};

/// The MLP of the likelihood figures: 784–400–50–400–784, binarised anew at each step.
pub fn mlp_vae(_case: &str, setting: &Setting) -> Work {
    let options = "arch = 'mlp'\nlikelihood = 'bernoulli'\nbinarize = 'dynamic'\nprior = 'normal'\nwidth = 400\n\
                   blocks = 1\nlatent = 50\nbatch = 200\nweight_decay = 0.0\nwarmup = 0.0\nlr = 2e-3";
    train(Family::Vae, "mnist", options, 0.5, setting)
}

pub fn vae(case: &str, setting: &Setting) -> Work {
    let set = if case == "vae-64" { "emoji" } else { "mnist" };
    train(Family::Vae, set, "latents = 'vector'\nwarmup = 0.0", 0.5, setting)
}

/// The first stage, the one with the convolutions.
pub fn vqvae(_case: &str, setting: &Setting) -> Work {
    train(Family::Vqvae, "cifar", "", 0.2, setting)
}

/// A step of either network; the penalties fall due every other time.
pub fn gan(_case: &str, setting: &Setting) -> Work {
    train(Family::Gan, "cifar", "augment = 0.0", 0.5, setting)
}

pub fn flow(_case: &str, setting: &Setting) -> Work {
    train(Family::Flow, "cifar", "", 0.5, setting)
}

/// Training steps at a fixed `progress` of the schedule.
fn train(family: Family, set: &str, options: &str, progress: f64, setting: &Setting) -> Work {
    let (mut model, batch, data) = fresh(family, set, options, setting);
    let items = data.splits().get(Split::Train).to_vec();
    let mut loader = Loader::new(items, batch, 1, 0, move |indices, _| data.batch(indices));
    let mut rng = Rng::new(2, 0);
    Work {
        parameters: model.parameters(),
        units: 1,
        unit: Box::new(move || {
            let batch: ImageBatch = loader.next_batch().unwrap();
            model.step(&batch, progress, &mut rng).unwrap().0.first().map(|(_, loss)| *loss)
        }),
    }
}

pub fn gan_sample(_case: &str, setting: &Setting) -> Work {
    sample(Family::Gan, "", setting)
}

pub fn flow_sample(_case: &str, setting: &Setting) -> Work {
    // As many evaluations as the peer's ten steps of Heun's rule.
    sample(Family::Flow, "steps = 19", setting)
}

/// Sixty-four images a unit.
fn sample(family: Family, options: &str, setting: &Setting) -> Work {
    const N: usize = 64;
    let (model, ..) = fresh(family, "cifar", options, setting);
    let mut rng = Rng::new(2, 0);
    Work {
        parameters: model.parameters(),
        units: N,
        unit: Box::new(move || {
            assert!(!model.sample(&ImageSampleParams::new(N, &[]), &mut rng).is_empty());
            None
        }),
    }
}

/// A small model of a family for a data set without labels, its batch, and the data.
fn fresh(family: Family, set: &str, options: &str, setting: &Setting) -> (ImageModel, usize, Arc<ImageSet>) {
    let source = loading::source(&setting.data, set);
    let mut recipe = Recipe::for_source(&source.display().to_string());
    recipe.data.label = Some("none".to_owned());
    // As many as the peer reads: memory is compared as well.
    recipe.data.limit = Some(4096);
    let data = Arc::new(ImageSet::open(&recipe.data).unwrap());
    let train_len = data.splits().train.len();
    let info = ImageInfo { shape: data.shape(), classes: 0, train_len, palette: None };
    let options: toml::Table = options.parse().unwrap();
    let config = ImageConfig::preset(Some(family), Size::Small, &info, &options).unwrap();
    let model = ImageModel::new(&config, &info, &Device::flex(), &mut Rng::new(1, 0));
    (model, config.batch(), data)
}
