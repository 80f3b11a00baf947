//! Pictures where there are no data sets: the time of a step does not depend on what is seen.

use std::{fs, path::Path};

use mintage::{
    data::{ImageShape, Images, png_bytes},
    nn::Rng,
};

/// Fills a folder with what `data/images` holds for the cases, which is there either whole or not at all.
pub fn data_sets(to: &Path) {
    let half = to.with_extension("tmp");
    let images = half.join("images");
    for folder in ["mnist", "cifar10/train/made-up"] {
        fs::create_dir_all(images.join(folder)).unwrap();
    }
    idx(&images.join("mnist/train-images-idx3-ubyte"), &pictures(4096, [1, 28, 28]));
    idx(&images.join("emoji64-rgb-idx4-ubyte"), &pictures(1024, [3, 64, 64]));
    let photographs = pictures(4096, [3, 32, 32]);
    for i in 0..photographs.len() {
        let file = images.join(format!("cifar10/train/made-up/{i:04}.png"));
        fs::write(file, png_bytes(&photographs, i, None).unwrap()).unwrap();
    }
    fs::rename(&half, to).unwrap();
}

/// Each channel of each picture is a wave with some noise on it.
fn pictures(n: usize, [channels, height, width]: [usize; 3]) -> Images {
    let mut rng = Rng::new(1, 0);
    let mut pixels = Vec::with_capacity(n * channels * height * width);
    for _ in 0..n * channels {
        let [across, down, phase] = [0.6, 0.6, 6.3].map(|range| range * rng.uniform());
        for i in 0..height * width {
            let at = across * (i % width) as f32 + down * (i / width) as f32 + phase;
            pixels.push((127.0 + 90.0 * at.sin() + 30.0 * rng.uniform()) as u8);
        }
    }
    let shape = ImageShape { channels, height, width };
    Images { shape, pixels, labels: Vec::new(), classes: Vec::new() }
}

/// Writes IDX of bytes: `[n, h, w]` for one channel, else `[n, h, w, channels]`.
fn idx(to: &Path, images: &Images) {
    let ImageShape { channels, height, width } = images.shape;
    let mut dims = vec![images.len(), height, width];
    if channels > 1 {
        dims.push(channels);
    }
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|&d| bytes.extend((d as u32).to_be_bytes()));
    let plane = height * width;
    for image in images.pixels.chunks_exact(channels * plane) {
        bytes.extend((0..plane).flat_map(|i| (0..channels).map(move |c| image[c * plane + i])));
    }
    fs::write(to, bytes).unwrap();
}
