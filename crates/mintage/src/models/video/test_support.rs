//! What the tests of all families share.
#![allow(clippy::unwrap_used)]

use mintage_data::{ImageShape, Palette, VideoBatch};

use super::VideoInfo;

/// The facts of [`tiny_batch`].
pub fn tiny_info() -> VideoInfo {
    let shape = ImageShape { channels: 3, height: 12, width: 12 };
    VideoInfo { shape, frames: 4, fps: 8.0, classes: 2, train_len: 4, palette: None }
}

/// The two colours of [`tiny_batch`].
pub fn tiny_palette() -> Palette {
    Palette::try_from(vec!["141414".to_owned(), "78b4f0".to_owned()]).unwrap()
}

/// Four clips of a bar that moves to the right, or down.
pub fn tiny_batch() -> VideoBatch {
    let pixel = |item: usize, c: usize, t: usize, y: usize, x: usize| {
        let along = if item.is_multiple_of(2) { x } else { y };
        if along / 2 == (t + item) % 6 { 60 * (c as u8 + 1) + 60 } else { 20 }
    };
    let mut pixels = Vec::new();
    for (item, c, t) in (0..12).flat_map(|i| (0..4).map(move |t| (i / 3, i % 3, t))) {
        pixels.extend((0..144).map(|i| pixel(item, c, t, i / 12, i % 12)));
    }
    VideoBatch { pixels, labels: vec![0, 1, 0, 1], n: 4 }
}
