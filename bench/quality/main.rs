//! The quality runs of `cargo xtask quality`: each case trains on real data, or takes the trained model
//! of an earlier run, and prints one JSON line a figure.
//!
//! `quality CASE [--data DIR] [--fashion DIR] [--runs DIR] [--minutes M] [--threads N] [--device D] [--fresh] [--only NAME] [--rows FILE] [-s KEY=VALUE]`
//!
//! DIR of `--data` holds `images/mnist`, `images/emoji64-rgb-idx4-ubyte.gz`, `images/cifar10` and
//! `tables/{adult,default,shoppers}-{train,test}.csv`, `tables/{diamonds,zipcodes}.csv`, `text/{tinyshakespeare,russian-novels,russian-drama}.txt`
//! (or `.txt.xz`), `audio/{digits,speakers,russian}`, `video/{sprites,moving-mnist}`, that of `--fashion` the IDX files of Fashion-MNIST.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)]
#![allow(clippy::disallowed_macros)]

// What the command trains with.
#[path = "../../crates/mintage-cli/src/alloc.rs"]
mod alloc;
mod baselines;
mod clips;
mod compress;
mod defaults;
mod figures;
mod judge;
mod likelihood;
mod listener;
mod matrix;
mod memory;
mod plans;
mod scores;
mod sequences;
mod sounds;
mod stacked;
mod tables;
mod training;

use std::path::PathBuf;

use mintage::nn::DeviceChoice;

/// What the command line says.
#[derive(Clone)]
struct Options {
    data: PathBuf,
    fashion: PathBuf,
    runs: PathBuf,
    /// New rows to judge.
    rows: Option<PathBuf>,
    minutes: Option<f64>,
    /// Where it is trained and drawn from.
    device: DeviceChoice,
    fresh: bool,
    /// Of a case with many trainings: a part of the names of those that are wanted.
    only: Option<String>,
    set: Vec<String>,
}

type Case = (&'static str, fn(&str, &Options));

const CASES: [Case; 69] = [
    ("prdc", scores::prdc_sanity),
    ("mlp-vae", likelihood::mlp_vae),
    ("mlp-vae-normal", likelihood::mlp_vae_normal),
    ("mlp-iwae", likelihood::mlp_iwae),
    ("vae-binary", likelihood::best_binary),
    ("vqvae-mnist", scores::vqvae),
    ("vqvae-fashion", scores::vqvae),
    ("vqvae-emoji", scores::vqvae),
    ("vqvae-cifar", scores::vqvae),
    ("fashion-vae", scores::fashion),
    ("fashion-gan", scores::fashion),
    ("fashion-vqvae", scores::fashion),
    ("fashion-flow", scores::fashion),
    ("mnist-vae", scores::fashion),
    ("mnist-flow", scores::fashion),
    ("stacked-gan", stacked::stacked_gan),
    ("memory", memory::streaming),
    ("memory-text", memory::long_text),
    ("adult-mixture", tables::published),
    ("adult-ar", tables::published),
    ("adult-vae", tables::published),
    ("adult-gan", tables::published),
    ("adult-vqvae", tables::published),
    ("adult-flow", tables::published),
    ("adult-rows", tables::adult_rows),
    ("default-ar", tables::published),
    ("shoppers-ar", tables::published),
    ("diamonds-mixture", tables::others),
    ("diamonds-ar", tables::others),
    ("zipcodes-mixture", tables::others),
    ("zipcodes-ar", tables::others),
    ("tinyshakespeare-baselines", baselines::tinyshakespeare),
    ("russian-baselines", baselines::russian),
    ("tinyshakespeare", sequences::tinyshakespeare),
    ("tinyshakespeare-hour", sequences::tinyshakespeare),
    ("russian", sequences::russian),
    ("bbc", sequences::bbc),
    ("jsb16", sequences::chorales),
    ("pop909", sequences::songs),
    ("text-vae", plans::text_vae),
    ("jsb4-vae", plans::piano_roll),
    ("text-gan", plans::curve),
    ("bbc-vae", sequences::bbc),
    ("bbc-vqvae", sequences::bbc),
    ("digits-vqvae", sounds::digits),
    ("digits-vae", sounds::digits),
    ("digits-gan", sounds::digits),
    ("codec-speakers", sounds::codec),
    ("codec-russian", sounds::codec),
    ("sprites-vqvae", clips::sprites),
    ("sprites-vae", clips::sprites),
    ("sprites-gan", clips::sprites),
    ("moving-mnist-vqvae", clips::moving_mnist),
    ("moving-mnist-vae", clips::moving_mnist),
    ("defaults", defaults::defaults),
    ("defaults-image", defaults::defaults),
    ("defaults-table", defaults::defaults),
    ("defaults-text", defaults::defaults),
    ("defaults-music", defaults::defaults),
    ("defaults-audio", defaults::defaults),
    ("defaults-video", defaults::defaults),
    ("matrix", matrix::matrix),
    ("attacks", tables::attacks),
    ("judge-clips", judge::ladder),
    ("judge-images", judge::ladder),
    ("judge-rows", judge::ladder),
    ("judge-sounds", judge::ladder),
    ("judge-texts", judge::ladder),
    ("judge-tunes", judge::ladder),
];

fn main() {
    alloc::keep_pages();
    let mut options = Options {
        data: "data".into(),
        fashion: "data/images/fashion-mnist".into(),
        runs: "runs/quality".into(),
        rows: None,
        minutes: None,
        device: DeviceChoice::Cpu,
        fresh: false,
        only: None,
        set: Vec::new(),
    };
    let (mut wanted, mut threads) = (Vec::new(), 2);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
        match arg.as_str() {
            "--data" => options.data = value().into(),
            "--fashion" => options.fashion = value().into(),
            "--runs" => options.runs = value().into(),
            "--rows" => options.rows = Some(value().into()),
            "--minutes" => options.minutes = Some(value().parse().unwrap()),
            "--device" => options.device = value().parse().unwrap(),
            "--threads" => threads = value().parse().unwrap(),
            "--fresh" => options.fresh = true,
            "--only" => options.only = Some(value()),
            "-s" => options.set.push(value()),
            "--list" => CASES.iter().for_each(|(name, _)| println!("{name}")),
            _ => wanted.push(arg),
        }
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    for name in wanted {
        let Some((name, run)) = CASES.iter().find(|(case, _)| *case == name) else {
            panic!("no case `{name}`; --list shows them");
        };
        pool.install(|| run(name, &options));
    }
}
