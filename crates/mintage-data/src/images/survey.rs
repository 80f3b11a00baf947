//! A look at some of the images before all are decoded: which size, colour and white the codec has.

use rayon::prelude::*;

use crate::{
    Error, ImageShape, ImageTransform, SourceSpec,
    items::evenly,
    source::{Raw, Source},
    transform::{Color, brightest_deep, decode_limited, is_gray},
};

/// Without `size`, no side is made longer than this.
const DEFAULT_SIDE: usize = 64;
/// Images looked at to find the size and the colour.
const SURVEYED_IMAGES: usize = 400;
/// Images none of which is brighter than this share of white are dark.
const DARK: f64 = 0.13;

/// What an image is like before it is unified.
struct Look {
    shape: ImageShape,
    gray: bool,
    /// The brightest sample of 16 bits, where it has such.
    deepest: Option<u16>,
    /// Its brightest pixel, as a share of white.
    brightest: f64,
}

impl Look {
    fn at(source: &Source, item: usize) -> Option<Self> {
        match source.fetch(item).ok()? {
            Raw::Pixels(shape, planes) => {
                let brightest = f64::from(planes.iter().copied().max().unwrap_or(255)) / 255.0;
                Some(Self { shape, gray: shape.channels == 1, deepest: None, brightest })
            }
            Raw::Encoded(bytes) => {
                let image = decode_limited(&bytes).ok()?;
                let (height, width) = (image.height() as usize, image.width() as usize);
                let brightest = f64::from(image.to_luma8().iter().copied().max().unwrap_or(255)) / 255.0;
                let shape = ImageShape { channels: 3, height, width };
                Some(Self { shape, gray: is_gray(&image), deepest: brightest_deep(&image), brightest })
            }
        }
    }
}

/// The codec that the specification and a look at some of the images ask for.
pub(super) fn survey(
    source: &Source,
    chosen: &[usize],
    spec: &SourceSpec,
    notes: &mut Vec<String>,
) -> Result<ImageTransform, Error> {
    let looked: Vec<Look> = evenly(chosen.len(), SURVEYED_IMAGES)
        .into_par_iter()
        .filter_map(|i| Look::at(source, chosen[i]))
        .collect();
    let Some(Look { shape: first, .. }) = looked.first() else {
        let name = source.name(0);
        let why = match source.fetch(0)? {
            Raw::Encoded(bytes) => decode_limited(&bytes).err().unwrap_or_default(),
            Raw::Pixels(..) => String::new(),
        };
        return Err(Error::bad(&spec.source, format!("none of its images can be read; {name}: {why}")));
    };
    let channels = match spec.color {
        Color::Gray => 1,
        Color::Rgb => 3,
        Color::Auto if looked.iter().all(|look| look.gray) => 1,
        Color::Auto => 3,
    };
    let same = looked.iter().all(|l| (l.shape.height, l.shape.width) == (first.height, first.width));
    let (height, width) = match spec.size {
        Some(0) => return Err(Error::bad("size", "must be at least 1")),
        Some(side) if side > 1024 => return Err(Error::bad("size", "must be at most 1024")),
        Some(side) => (side, side),
        None if same && first.height.max(first.width) <= DEFAULT_SIDE => (first.height, first.width),
        None => {
            let mut sides: Vec<usize> = looked.iter().map(|l| l.shape.height.min(l.shape.width)).collect();
            sides.sort_unstable();
            let side = (sides[sides.len() / 2] / 4 * 4).clamp(8, DEFAULT_SIDE);
            (side, side)
        }
    };
    let white = white_of(source, chosen, &looked, notes);
    let shape = ImageShape { channels, height, width };
    Ok(ImageTransform { shape, fit: spec.fit, classes: Vec::new(), white })
}

/// The value that is white in images of 16 bits: the largest number of the bits that all of them use. Scans of 12 bits
/// would be nearly black otherwise. What is dark all the same is told.
fn white_of(source: &Source, chosen: &[usize], looked: &[Look], notes: &mut Vec<String>) -> Option<u16> {
    let deep = looked.iter().filter_map(|look| look.deepest).max();
    // One factor for the whole set: all of it is looked at.
    let deepest = deep.and_then(|_| {
        chosen.par_iter().filter_map(|&item| Look::at(source, item).and_then(|look| look.deepest)).max()
    });
    let white = deepest.and_then(white_above);
    if let (Some(deepest), Some(white)) = (deepest, white) {
        let bits = 16 - white.leading_zeros();
        notes.push(format!(
            "the images of 16 bits use {bits} of them (up to {deepest}): {white} is white to the model"
        ));
        return Some(white);
    }
    let brightest = looked.iter().map(|look| look.brightest).fold(0.0, f64::max);
    if brightest < DARK {
        let share = (100.0 * brightest).round();
        notes.push(format!("no image is brighter than {share} % of white: all will look nearly black"));
    }
    None
}

/// The largest number of as many bits as `value` has, eight at least; nothing where these are all sixteen.
fn white_above(value: u16) -> Option<u16> {
    let bits = (16 - value.leading_zeros()).max(8);
    (bits < 16).then(|| (1 << bits) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_in_use() {
        let of = [0, 5, 255, 256, 4095, 4096, 32_767, 32_768].map(white_above);
        let white = |bits: u32| Some((1u16 << bits) - 1);
        assert_eq!(of, [white(8), white(8), white(8), white(9), white(12), white(13), white(15), None]);
    }
}
