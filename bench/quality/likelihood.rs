//! Likelihoods of binarised MNIST, comparable with the published ones.
//!
//! Training binarises dynamically: every pixel is drawn anew as 0 or 1 with its gray value as the
//! probability, each time it is seen (Burda et al., arXiv:1509.00519). The 10,000 test images are drawn so
//! once, from a fixed seed.

use std::sync::Arc;

use mintage::{Batch, Family, Model, data::ImageSet};

use crate::{
    Options,
    figures::Figure,
    training::{recipe, setup, trained},
};

/// The network of the published figures: one hidden layer of 400 units on each side, 50 latents. The prior
/// is the learned one that every VAE here has unless told otherwise.
const MLP: [&str; 13] = [
    "arch=mlp",
    "likelihood=bernoulli",
    "binarize=dynamic",
    "width=400",
    "blocks=1",
    "latent=50",
    "label_drop=0",
    "batch=200",
    "weight_decay=0",
    "warmup=0",
    "lr=2e-3",
    "data.label=none",
    "train.patience=0",
];

pub fn mlp_vae(case: &str, options: &Options) {
    let (model, data) = on_mnist(case, 25.0, &MLP, options);
    let (nll, how) = test_nll(&model, &data, 200, usize::MAX, options);
    Figure::lower(case, "test NLL, 200 importance samples", nll, "nats").limit(89.8).goal(89.0).print(&how);
}

/// The same with N(0, I) for a prior, as in the published figures.
pub fn mlp_vae_normal(case: &str, options: &Options) {
    let settings: Vec<&str> = MLP.into_iter().chain(["prior=normal"]).collect();
    let (model, data) = on_mnist(case, 25.0, &settings, options);
    let (nll, how) = test_nll(&model, &data, 200, usize::MAX, options);
    let how = format!("{how}; prior N(0, I)");
    Figure::lower(case, "test NLL, 200 importance samples", nll, "nats").limit(89.8).goal(89.0).print(&how);
}

/// The same network, trained on a bound of four samples: with fifty, a step takes many times as long and in
/// the same time teaches less.
pub fn mlp_iwae(case: &str, options: &Options) {
    let settings: Vec<&str> = MLP.into_iter().chain(["importance=4"]).collect();
    let (model, data) = on_mnist(case, 30.0, &settings, options);
    let (nll, how) = test_nll(&model, &data, 50, usize::MAX, options);
    Figure::lower(case, "IWAE bound, 50 samples", nll, "nats").limit(86.9).goal(86.0).print(&how);
}

/// The best of ours: residual convolutions and the learned prior.
pub fn best_binary(case: &str, options: &Options) {
    let settings =
        ["likelihood=bernoulli", "binarize=dynamic", "label_drop=0", "data.label=none", "train.patience=0"];
    let (model, data) = on_mnist(case, 60.0, &settings, options);
    let (nll, how) = test_nll(&model, &data, 200, 1000, options);
    Figure::lower(case, "test NLL, 200 importance samples", nll, "nats").goal(81.3).print(&how);
}

fn on_mnist(name: &str, minutes: f64, settings: &[&str], options: &Options) -> (Model, Arc<ImageSet>) {
    let recipe = recipe(&options.data.join("images/mnist"), Family::Vae, minutes, settings, options);
    let data = Arc::new(ImageSet::open(&recipe.data).unwrap());
    (trained(&recipe, &data.clone().into(), name, options), data)
}

/// Mean over at most `limit` test images, evenly chosen.
fn test_nll(
    model: &Model,
    data: &ImageSet,
    samples: usize,
    limit: usize,
    options: &Options,
) -> (f64, String) {
    let holdout = &data.splits().holdout;
    let n = holdout.len().min(limit);
    let chosen: Vec<u32> = (0..n).map(|i| holdout[i * holdout.len() / n]).collect();
    let (mut sum, mut done) = (0.0, 0);
    for (index, items) in chosen.chunks(40).enumerate() {
        let batch = data.batch(items).unwrap();
        let nll = model.nll(&Batch::Image(batch), samples, 1 + index as u64).unwrap();
        sum += nll.iter().sum::<f64>();
        done += items.len();
        if index % 25 == 0 {
            eprintln!("{done} of {n} test images: {:.3}", sum / done as f64);
        }
    }
    (sum / n as f64, format!("{}; dynamic binarisation, {n} test images", setup(model, options)))
}
