//! Reading images from a folder, and the plain matrix product.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use burn::tensor::{Device, Tensor};
use mintage::{
    Recipe,
    data::{ImageSet, Loader, Split, png_bytes},
    nn::{
        Rng,
        kernels::{self, limit},
    },
};

use crate::{Setting, Work};

/// Where a data set lies: `mnist`, `emoji` (kept gzipped, made up plain) or CIFAR-10.
pub fn source(data: &Path, set: &str) -> PathBuf {
    let images = data.join("images");
    match set {
        "mnist" => images.join("mnist"),
        "emoji" => {
            let packed = images.join("emoji64-rgb-idx4-ubyte.gz");
            if packed.is_file() { packed } else { packed.with_extension("") }
        }
        _ => images.join("cifar10"),
    }
}

/// A batch of 64 a unit, from the folder of PNG files that `--data` names. Nothing is kept in memory, so
/// that every batch is decoded anew, as it is on the other side.
pub fn load(_case: &str, setting: &Setting) -> Work {
    const BATCH: usize = 64;
    let recipe = Recipe::for_source(&setting.data.display().to_string());
    let data = Arc::new(ImageSet::open_within(&recipe.data, 0).unwrap());
    let items = data.splits().get(Split::Train).to_vec();
    let mut loader = Loader::new(items, BATCH, 1, 0, move |indices, _| data.batch(indices));
    let unit = move || {
        assert_eq!(loader.next_batch().unwrap().n, BATCH);
        None
    };
    Work { parameters: 0, units: BATCH, unit: Box::new(unit) }
}

/// One product of two 2048 × 2048 matrices a unit.
pub fn matmul(_case: &str, _setting: &Setting) -> Work {
    const N: usize = 2048;
    let (device, mut rng) = (Device::flex(), Rng::new(1, 0));
    let (a, b): (Tensor<2>, Tensor<2>) =
        (rng.normal_tensor([N, N], &device), rng.normal_tensor([N, N], &device));
    let unit = move || {
        assert_eq!(kernels::linear(a.clone(), b.clone(), None).dims(), [N, N]);
        None
    };
    Work { parameters: 0, units: 1, unit: Box::new(unit) }
}

/// Some ten billion operations of multiply-adds on registers a unit, divided among the threads.
pub fn peak(_case: &str, _setting: &Setting) -> Work {
    const BILLIONS: usize = 10;
    let rounds = BILLIONS * 1_000_000_000 / (limit::multiply_adds(1) * rayon::current_num_threads());
    let unit = move || {
        rayon::broadcast(|_| limit::multiply_adds(rounds));
        None
    };
    Work { parameters: 0, units: BILLIONS, unit: Box::new(unit) }
}

/// Writes images of a data set as PNG files into a folder, which is there either whole or not at all.
pub fn export(data: &Path, set: &str, to: &Path) {
    const COUNT: usize = 2_000;
    let mut recipe = Recipe::for_source(&source(data, set).display().to_string());
    recipe.data.label = Some("none".to_owned());
    recipe.data.limit = Some(COUNT);
    let data = ImageSet::open(&recipe.data).unwrap();
    let half = to.with_extension("tmp");
    fs::create_dir_all(&half).unwrap();
    let items: Vec<u32> = (0..data.len() as u32).collect();
    let images = data.images(&items).unwrap();
    for index in 0..items.len() {
        fs::write(half.join(format!("{index:04}.png")), png_bytes(&images, index, None).unwrap()).unwrap();
    }
    fs::rename(&half, to).unwrap();
}
