//! PNG with its provenance in an `iTXt` chunk (UTF-8), readable by any tool that shows image metadata.

use std::io::Cursor;

use flate2::Crc;
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use super::{Images, Provenance};
use crate::{Error, ImageShape, transform::to_interleaved};

/// Keyword of the chunk.
const KEYWORD: &[u8] = b"mintage";

/// Encodes image `i` as a PNG file.
///
/// # Errors
/// The PNG encoder fails.
pub fn png_bytes(images: &Images, i: usize, provenance: Option<&Provenance>) -> Result<Vec<u8>, Error> {
    encode(&to_interleaved(images.image(i), images.shape), images.shape, provenance)
}

/// Interleaved bytes as a PNG file's bytes.
pub(super) fn encode(
    pixels: &[u8],
    shape: ImageShape,
    provenance: Option<&Provenance>,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Cursor::new(Vec::new());
    let color = if shape.channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    PngEncoder::new(&mut bytes)
        .write_image(pixels, shape.width as u32, shape.height as u32, color)
        .map_err(|e| Error::bad("PNG", e.to_string()))?;
    let bytes = bytes.into_inner();
    Ok(match provenance {
        Some(provenance) => with_text(bytes, &provenance.to_json()),
        None => bytes,
    })
}

/// Inserts an `iTXt` chunk before the last chunk, `IEND` (12 bytes).
pub(super) fn with_text(mut png: Vec<u8>, text: &str) -> Vec<u8> {
    let mut body = b"iTXt".to_vec();
    body.extend(KEYWORD);
    body.extend([0; 5]); // end of keyword, no compression, method, no language, no translation
    body.extend(text.as_bytes());
    let mut crc = Crc::new();
    crc.update(&body);
    let at = png.len().saturating_sub(12);
    let mut chunk = ((body.len() - 4) as u32).to_be_bytes().to_vec();
    chunk.extend(body);
    chunk.extend(crc.sum().to_be_bytes());
    png.splice(at..at, chunk);
    png
}

/// The provenance inside a PNG made by this program.
pub fn provenance_of(png: &[u8]) -> Option<Provenance> {
    let mut rest = png.get(8..)?;
    while rest.len() >= 12 {
        let length = u32::from_be_bytes(rest[..4].try_into().ok()?) as usize;
        let body = rest.get(8..8usize.checked_add(length)?)?;
        if &rest[4..8] == b"iTXt" && body.starts_with(KEYWORD) {
            return serde_json::from_slice(body.get(KEYWORD.len() + 5..)?).ok();
        }
        rest = rest.get(12 + length..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn provenance_survives_and_the_picture_decodes() {
        let shape = ImageShape { channels: 3, height: 2, width: 2 };
        let images = Images { shape, pixels: (0..12).collect(), labels: vec![], classes: vec![] };
        let provenance = Provenance {
            model: "пальто".into(),
            weights: "3f9c2a7b".into(),
            family: "vae".into(),
            seed: 7,
            options: serde_json::json!({"temperature": 0.9}),
            version: "0".into(),
        };
        let png = png_bytes(&images, 0, Some(&provenance)).unwrap();
        assert_eq!(provenance_of(&png), Some(provenance));
        let decoded = image::load_from_memory(&png).unwrap().to_rgb8().into_raw();
        assert_eq!(decoded, to_interleaved(images.image(0), shape));
        assert_eq!(provenance_of(&png[..20]), None);
    }
}
