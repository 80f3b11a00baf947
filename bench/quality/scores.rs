//! Reconstruction and codebooks, the leaderboard on Fashion-MNIST, and the sanity of PRDC.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use mintage::{
    AnyModel, Batch, Family, Model,
    data::ImageSet,
    evaluate::{
        evaluate,
        image::{Features, prdc},
    },
    models::GenerativeModel,
    models::ImageModel,
    nn::Rng,
    report::{Metric, Report},
};

use crate::{
    Options,
    figures::Figure,
    training::{family, recipe, setup, trained},
};

/// The source of a data set by its name.
fn source(set: &str, options: &Options) -> PathBuf {
    match set {
        "mnist" => options.data.join("images/mnist"),
        "fashion" => options.fashion.clone(),
        "emoji" => options.data.join("images/emoji64-rgb-idx4-ubyte.gz"),
        "cifar" => options.data.join("images/cifar10"),
        other => panic!("no data set `{other}`"),
    }
}

/// `vqvae-SET`: the default VQ-VAE, the same settings for every set.
pub fn vqvae(case: &str, options: &Options) {
    let set = case.trim_start_matches("vqvae-");
    let recipe = recipe(&source(set, options), Family::Vqvae, 20.0, &[], options);
    let data = Arc::new(ImageSet::open(&recipe.data).unwrap());
    // The Fashion model of the leaderboard is the same model.
    let name = if set == "fashion" { "fashion-vqvae" } else { case };
    let model = trained(&recipe, &data.clone().into(), name, options);
    let AnyModel::Image(ImageModel::Vqvae(vqvae)) = &model.any else { panic!("not a VQ-VAE") };
    let holdout = &data.splits().holdout;
    let mut used = vec![false; vqvae.code_count()];
    let (mut nats, mut squares) = (0.0, 0.0);
    for items in holdout.chunks(100) {
        let batch = data.batch(items).unwrap();
        vqvae.codes_of(&batch).into_iter().for_each(|code| used[code as usize] = true);
        let back = vqvae.reconstruct(&batch, &mut Rng::new(1, 0)).unwrap();
        let pairs = back.iter().zip(&batch.pixels);
        squares += pairs.map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>() / 255.0 / 255.0;
        nats += model.nll(&Batch::Image(batch), 1, 1).unwrap().iter().sum::<f64>();
    }
    let values = (holdout.len() * data.shape().pixels()) as f64;
    let how = format!("{}; {} holdout images", setup(&model, options), holdout.len());
    let usage = used.iter().filter(|&&u| u).count() as f64 / used.len() as f64;
    Figure::higher(case, "codebook usage on the holdout", usage, "share").limit(0.95).print(&how);
    let mse = Figure::lower(case, "reconstruction MSE", squares / values, "of [0, 1]");
    if set == "mnist" { mse.limit(0.003) } else { mse }.print(&how);
    Figure::lower(case, "bits per dimension", nats / values / std::f64::consts::LN_2, "bits").print(&how);
}

/// `SET-FAMILY`: twenty minutes of each family, judged as `mintage evaluate` does.
pub fn fashion(case: &str, options: &Options) {
    let (set, name) = case.split_once('-').unwrap();
    let recipe = recipe(&source(set, options), family(name), 20.0, &[], options);
    let data = Arc::new(ImageSet::open(&recipe.data).unwrap());
    let model = trained(&recipe, &data.clone().into(), case, options);
    let report = judged(&model, &data, options);
    report.save(&model.dir).unwrap();
    let how = format!("{}; {} images on either side", setup(&model, options), report.n);
    let metric = |name: &str| report.metrics.iter().find(|m| m.name == name).unwrap();
    let ratio = |m: &Metric| m.value / m.ceiling.unwrap();
    Figure::lower(case, "Fréchet distance (own encoder)", metric("Fréchet distance").value, "squared")
        .print(&how);
    Figure::lower(case, "Fréchet distance ÷ real against real", ratio(metric("Fréchet distance")), "ratio")
        .limit(3.0)
        .goal(2.0)
        .print(&how);
    Figure::lower(case, "exact copies", metric("exact copies").value, "share").limit(0.0).print(&how);
    if let Some(m) = report.metrics.iter().find(|m| m.name.starts_with("accuracy on real")) {
        let behind = 100.0 * (m.ceiling.unwrap() - m.value);
        Figure::lower(case, "accuracy lost by training on new data", behind, "points").limit(8.0).print(&how);
    }
    for (name, dial) in &report.dials {
        Figure::higher(case, &format!("dial: {name}"), dial.score, "of 100").print(&how);
    }
}

fn judged(model: &Model, data: &Arc<ImageSet>, options: &Options) -> Report {
    let start = Instant::now();
    let clock = || -> Duration { start.elapsed() };
    let how = mintage::evaluate::Options { cache: Some(options.runs.join("encoders")), ..Default::default() };
    evaluate(model, &Arc::clone(data).into(), &how, &clock, &mut |_| {}).unwrap()
}

/// The figures that `prdc`'s authors print for two draws of N(0, I), 10,000 × 1,000, k = 5.
pub fn prdc_sanity(case: &str, _options: &Options) {
    let (n, d, k) = (10_000, 1_000, 5);
    let normal = |seed: u64| Features::new(d, Rng::new(seed, 0).normals(n * d));
    let found = prdc(&normal(1), &normal(2), k);
    let how = "two draws of N(0, I), 10,000 × 1,000, k = 5";
    for (metric, value, published, noise) in [
        ("precision", found.precision, 0.4772, 0.03),
        ("recall", found.recall, 0.4705, 0.035),
        ("density", found.density, 1.0555, 0.3),
        ("coverage", found.coverage, 0.9735, 0.025),
    ] {
        let how = format!("{how}: {value:.4}, published {published}; sampling noise {noise}");
        Figure::lower(
            case,
            &format!("{metric}, distance to the published"),
            (value - published).abs(),
            "absolute",
        )
        .limit(noise)
        .print(&how);
    }
}
