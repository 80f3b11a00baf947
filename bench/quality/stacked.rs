//! Stacked-MNIST: three random digits in the three channels, a thousand modes, no labels given. How many
//! of them does a GAN reach, and how evenly (Metz et al., arXiv:1611.02163)?

use std::sync::Arc;

use mintage::{
    Family, ImageRequest,
    data::{ImageSet, ImageShape, Images},
    evaluate::image::{ConvNet, Training},
    nn::{DeviceChoice, Rng},
};

use crate::{
    Options,
    figures::Figure,
    training::{recipe, setup, trained},
};

/// Triples to learn from, and samples to judge.
const TRIPLES: usize = 60_000;
const SAMPLES: usize = 25_600;

pub fn stacked_gan(case: &str, options: &Options) {
    let source = options.data.join("images/mnist");
    let recipe = recipe(&source, Family::Gan, 60.0, &[], options);
    let digits = ImageSet::open(&recipe.data).unwrap();
    let data = Arc::new(ImageSet::from_memory(triples(&digits)));
    let model = trained(&recipe, &data.clone().into(), case, options);
    let how = setup(&model, options);
    let judge = classifier(&digits, case);
    let request = ImageRequest { n: SAMPLES, ..ImageRequest::default() };
    let samples = model.sample(&request, &mut |_, _| {}).unwrap();
    let plane = samples.shape.height * samples.shape.width;
    let gray = ImageShape { channels: 1, ..samples.shape };
    // The channels of an image lie one after another: three gray images.
    assert_eq!(samples.pixels.len(), 3 * SAMPLES * plane);
    let channels = Images { shape: gray, pixels: samples.pixels, labels: vec![], classes: vec![] };
    let mut counts = vec![0usize; 1000];
    for triple in judge.classes(&channels).chunks(3) {
        counts[triple.iter().fold(0, |number, &digit| number * 10 + digit as usize)] += 1;
    }
    let modes = counts.iter().filter(|&&c| c > 0).count();
    let kl: f64 = counts
        .iter()
        .filter(|&&c| c > 0)
        .map(|&c| c as f64 / SAMPLES as f64)
        .map(|p| p * (p * 1000.0).ln())
        .sum();
    Figure::higher(case, "modes of 1,000 in 25,600 samples", modes as f64, "modes").limit(990.0).print(&how);
    Figure::lower(case, "KL to uniform", kl, "nats").limit(0.15).goal(0.10).print(&how);
}

fn triples(digits: &ImageSet) -> Images {
    let train = digits.splits().train.clone();
    let mut rng = Rng::new(41, 0);
    let chosen: Vec<u32> = (0..3 * TRIPLES).map(|_| train[rng.below(train.len())]).collect();
    let mut pixels = Vec::new();
    digits.read(&chosen, &mut pixels).unwrap();
    let shape = ImageShape { channels: 3, ..digits.shape() };
    Images { shape, pixels, labels: vec![], classes: vec![] }
}

/// Names digits; its accuracy on the test images is a figure of its own.
fn classifier(digits: &ImageSet, case: &str) -> ConvNet {
    let device = DeviceChoice::Cpu.open().unwrap();
    let train = digits.images(&digits.splits().train).unwrap();
    let training = Training { steps: 4000, lr: 2e-3, shift: 0.08, seed: 3 };
    let net = ConvNet::classifier(&train, &train.labels, 10, training, &device, &mut |_, _| {});
    let test = digits.images(&digits.splits().holdout).unwrap();
    let right = net.classes(&test).iter().zip(&test.labels).filter(|(a, b)| a == b).count();
    let accuracy = right as f64 / test.len() as f64;
    let how = format!("{} steps of 64 on MNIST, {} test images", training.steps, test.len());
    Figure::higher(case, "accuracy of the judging classifier", accuracy, "share").limit(0.99).print(&how);
    net
}
