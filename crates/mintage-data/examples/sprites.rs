//! Makes clips of the layered sheets of Sprites (Li & Mandt, arXiv:1803.02991): `sprites SHEETS DIR`. Started by
//! `cargo xtask data`.
//!
//! Six bodies, trousers, tops and haircuts make 1,296 characters; each walks, casts spells and slashes, seen from three sides,
//! in eight frames of 64 × 64. The files are `train/ACTION-SIDE/CHARACTER.gif`, those of 296 characters below `test`.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)]
#![allow(clippy::disallowed_macros)]

use std::{fs, path::Path};

use image::{
    RgbaImage,
    imageops::{crop_imm, overlay},
};
use mintage_data::{Animation, ImageShape, gif_bytes};
use rayon::prelude::*;

const SIDE: u32 = 64;
const FPS: f64 = 8.0;
const BACKGROUND: [u8; 4] = [235, 235, 225, 255];
/// Sheets of each layer; the lowest layer first.
const LAYERS: [&str; 4] = ["body", "bottomwear", "topwear", "hair"];
const VARIANTS: usize = 6;
const TEST_CHARACTERS: usize = 296;
/// The row of the sheet for each action, seen from behind, and the columns of its frames.
const ACTIONS: [(&str, u32, [u32; 8]); 3] = [
    ("spellcast", 0, [0, 1, 2, 3, 4, 5, 6, 0]),
    ("walk", 8, [1, 2, 3, 4, 5, 6, 7, 8]),
    ("slash", 12, [0, 1, 2, 3, 4, 5, 5, 0]),
];
/// Rows below that one.
const SIDES: [(&str, u32); 3] = [("left", 1), ("front", 2), ("right", 3)];

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(sheets), Some(out)) = (args.next(), args.next()) else { panic!("usage: sprites SHEETS DIR") };
    let open = |layer: &str, number: usize| {
        image::open(Path::new(&sheets).join(layer).join(format!("{number}.png"))).unwrap().to_rgba8()
    };
    let sheets = LAYERS.map(|layer| (0..VARIANTS).map(|number| open(layer, number)).collect::<Vec<_>>());
    let all = VARIANTS.pow(LAYERS.len() as u32);
    (0..all).into_par_iter().for_each(|character| {
        let layers: Vec<&RgbaImage> = sheets
            .iter()
            .enumerate()
            .map(|(layer, variants)| &variants[character / VARIANTS.pow(layer as u32) % VARIANTS])
            .collect();
        // Spread over all of them: the number is coprime to theirs.
        let part = if character * 779 % all < TEST_CHARACTERS { "test" } else { "train" };
        for (action, row, columns) in ACTIONS {
            for (side, below) in SIDES {
                let frames = columns.map(|column| frame(&layers, column, row + below)).to_vec();
                let shape = ImageShape { channels: 3, height: SIDE as usize, width: SIDE as usize };
                let gif = gif_bytes(&Animation { shape, fps: FPS, frames }, None).unwrap();
                let folder = Path::new(&out).join(part).join(format!("{action}-{side}"));
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join(format!("{character:04}.gif")), gif).unwrap();
            }
        }
    });
}

/// One frame of a character, a byte a channel.
fn frame(layers: &[&RgbaImage], column: u32, row: u32) -> Vec<u8> {
    let mut picture = RgbaImage::from_pixel(SIDE, SIDE, image::Rgba(BACKGROUND));
    for sheet in layers {
        let part = crop_imm(*sheet, column * SIDE, row * SIDE, SIDE, SIDE);
        overlay(&mut picture, &*part, 0, 0);
    }
    picture.pixels().flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
}
