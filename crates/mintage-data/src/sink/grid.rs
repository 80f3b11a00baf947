//! Many images in one picture: cells with a light gap, enlarged by a whole factor so that small images
//! are comfortable to look at; optionally in captioned blocks.

use std::path::Path;

use super::{Images, Provenance, atomic_write, font, png};
use crate::{Error, ImageShape, transform::to_interleaved};

/// Pixels between cells.
const GAP: usize = 2;
/// Cells are enlarged to at least so many pixels.
const COMFORTABLE: usize = 56;
/// No side of the picture is longer.
const MAX_SIDE: usize = 8192;
const BACKGROUND: u8 = 235;

/// Writes all images as one PNG, row by row.
///
/// # Errors
/// There are no images, the picture would be too large, or the file cannot be written.
pub fn write_grid(
    path: &Path,
    images: &Images,
    columns: usize,
    provenance: Option<&Provenance>,
) -> Result<(), Error> {
    write_grid_rows(path, &[(String::new(), images.clone())], columns, provenance)
}

/// Writes blocks of images one above the other, each under its caption.
///
/// # Errors
/// There are no images, the picture would be too large, or the file cannot be written.
pub fn write_grid_rows(
    path: &Path,
    blocks: &[(String, Images)],
    columns: usize,
    provenance: Option<&Provenance>,
) -> Result<(), Error> {
    let bytes = grid_png(&path.display().to_string(), blocks, columns, provenance)?;
    atomic_write(path, &bytes).map_err(Error::io(path))
}

/// Encodes the PNG that [`write_grid_rows`] writes; `what` names it in errors.
///
/// # Errors
/// There are no images, or the picture would be too large.
pub fn grid_png(
    what: &str,
    blocks: &[(String, Images)],
    columns: usize,
    provenance: Option<&Provenance>,
) -> Result<Vec<u8>, Error> {
    let (pixels, shape) = grid(what, blocks, columns)?;
    png::encode(&pixels, shape, provenance)
}

/// The picture of [`grid_png`], interleaved, and its shape.
pub(super) fn grid(
    what: &str,
    blocks: &[(String, Images)],
    columns: usize,
) -> Result<(Vec<u8>, ImageShape), Error> {
    let Some((_, first)) = blocks.iter().find(|(_, images)| !images.is_empty()) else {
        return Err(Error::bad(what, "there are no images to draw"));
    };
    let shape = first.shape;
    let longest = blocks.iter().map(|(_, images)| images.len()).max().unwrap_or(0);
    let columns = columns.clamp(1, longest.max(1));
    let rows: usize = blocks.iter().map(|(_, images)| images.len().div_ceil(columns)).sum();
    let mut factor = COMFORTABLE.div_ceil(shape.height.max(shape.width)).max(1);
    while factor > 1 && (columns * shape.width).max(rows * shape.height) * factor > MAX_SIDE {
        factor -= 1;
    }
    let width = columns * (shape.width * factor + GAP) + GAP;
    let captions: Vec<usize> = blocks.iter().map(|(text, _)| font::height(text)).collect();
    let height = rows * (shape.height * factor + GAP) + GAP + captions.iter().sum::<usize>();
    if width > MAX_SIDE * 2 || height > MAX_SIDE * 2 {
        let why = format!("a grid of {columns} × {rows} images would be {width}×{height} pixels");
        return Err(Error::bad(what, why).with_hint("write fewer images, or a folder"));
    }
    let mut canvas = Canvas::new(ImageShape { channels: shape.channels, height, width });
    let mut top = GAP;
    for ((caption, images), caption_height) in blocks.iter().zip(captions) {
        font::draw(caption, |x, y| canvas.set(GAP + x, top + y, 40));
        top += caption_height;
        for i in 0..images.len() {
            let (row, column) = (i / columns, i % columns);
            let at = (GAP + column * (shape.width * factor + GAP), top + row * (shape.height * factor + GAP));
            canvas.paste(&to_interleaved(images.image(i), shape), shape, at, factor);
        }
        top += images.len().div_ceil(columns) * (shape.height * factor + GAP);
    }
    Ok((canvas.pixels, canvas.shape))
}

/// An interleaved picture.
struct Canvas {
    shape: ImageShape,
    pixels: Vec<u8>,
}

impl Canvas {
    fn new(shape: ImageShape) -> Self {
        Self { shape, pixels: vec![BACKGROUND; shape.pixels()] }
    }

    fn set(&mut self, x: usize, y: usize, value: u8) {
        if x < self.shape.width && y < self.shape.height {
            let at = (y * self.shape.width + x) * self.shape.channels;
            self.pixels[at..at + self.shape.channels].fill(value);
        }
    }

    fn paste(&mut self, image: &[u8], shape: ImageShape, (left, top): (usize, usize), factor: usize) {
        let c = shape.channels;
        for y in 0..shape.height * factor {
            for x in 0..shape.width * factor {
                let from = ((y / factor) * shape.width + x / factor) * c;
                let to = ((top + y) * self.shape.width + left + x) * c;
                self.pixels[to..to + c].copy_from_slice(&image[from..from + c]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_image_has_its_cell() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grid.png");
        let shape = ImageShape { channels: 1, height: 28, width: 28 };
        let pixels = (0..5u8).flat_map(|i| vec![i * 50; 784]).collect();
        let images = Images { shape, pixels, labels: vec![], classes: vec![] };
        write_grid(&path, &images, 3, None).unwrap();
        let grid = image::open(&path).unwrap().to_luma8();
        assert_eq!(grid.dimensions(), (3 * 58 + 2, 2 * 58 + 2));
        for i in 0..5u32 {
            let (x, y) = (2 + (i % 3) * 58 + 20, 2 + (i / 3) * 58 + 20);
            assert_eq!(grid.get_pixel(x, y).0[0], i as u8 * 50);
        }
        let blocks = [("REAL".to_owned(), images.clone()), ("NEW 2".to_owned(), images)];
        write_grid_rows(&path, &blocks, 5, None).unwrap();
        assert!(image::open(&path).unwrap().height() > 2 * 58);
        let none = Images { shape, pixels: vec![], labels: vec![], classes: vec![] };
        assert!(write_grid(&path, &none, 3, None).is_err());
    }
}
