//! Decoding of an image file within limits of size and memory, turned as it says itself.

use std::{borrow::Cow, io::Cursor, ops::Deref};

use image::{DynamicImage, ImageDecoder, ImageReader, Limits, metadata::Orientation};

use super::{MAX_PIXELS, MAX_SIDE};
use crate::guard::{GAVE_UP, Memory, caught};

/// An image, and the memory that is set aside for it and for what is made of it.
#[derive(Debug)]
pub(crate) struct Decoded {
    image: DynamicImage,
    _memory: Memory,
}

impl Deref for Decoded {
    type Target = DynamicImage;

    fn deref(&self) -> &DynamicImage {
        &self.image
    }
}

/// A turned or stretched image is a second one.
const COPIES_WHEN_CHANGED: u64 = 2;
/// Bytes of a pixel that are held beside those of the image itself: its colours without transparency.
const EXTRA_BYTES_PER_PIXEL: u64 = 4;

/// Decodes after checking format and size; the message fits after the item's name.
pub(crate) fn decode_limited(bytes: &[u8]) -> Result<Decoded, String> {
    caught(|| decode_within_limits(&without_profiles(bytes))).unwrap_or_else(|| Err(GAVE_UP.to_owned()))
}

fn decode_within_limits(bytes: &[u8]) -> Result<Decoded, String> {
    let (width, height) = dimensions(bytes)?;
    if width == 0 || height == 0 {
        return Err("the image has no pixels".to_owned());
    }
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(format!("{width}×{height} pixels are over the limit of {MAX_SIDE} a side"));
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        let (mega, most) = (pixels.div_ceil(1_000_000), MAX_PIXELS / 1_000_000);
        return Err(format!("{width}×{height} pixels are {mega} million, over the limit of {most} million"));
    }
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    limits.max_alloc = Some(MAX_PIXELS * 8);
    reader.limits(limits);
    let damaged = |e: image::ImageError| format!("damaged image ({e})");
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let orientation = orientation(bytes, &mut decoder);
    let memory = Memory::take(decoder.total_bytes() * COPIES_WHEN_CHANGED + pixels * EXTRA_BYTES_PER_PIXEL);
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    image.apply_orientation(orientation);
    Ok(Decoded { image, _memory: memory })
}

/// How an image is to be turned: as its EXIF says, or else its XMP. What cannot be understood turns nothing.
fn orientation(bytes: &[u8], decoder: &mut impl ImageDecoder) -> Orientation {
    let exif = decoder.exif_metadata().ok().flatten().or_else(|| late_exif(bytes).map(<[u8]>::to_vec));
    let by_exif = exif.and_then(|exif| {
        let bare = exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif);
        Orientation::from_exif_chunk(bare)
    });
    let by_xmp = || {
        let xmp = decoder.xmp_metadata().ok().flatten()?;
        let xmp = String::from_utf8_lossy(&xmp);
        let (_, value) = xmp.split_once("tiff:Orientation")?;
        let digit = value.trim_start_matches(['=', '"', '\'', '>', ' ']).chars().next()?;
        Orientation::from_exif(u8::try_from(digit.to_digit(10)?).ok()?)
    };
    by_exif.or_else(by_xmp).unwrap_or(Orientation::NoTransforms)
}

/// The EXIF of a PNG that has it behind its pixels, where the decoder has not come to yet.
fn late_exif(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, kind @ ..] = *head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if kind == *b"eXIf" {
            return body.get(..length);
        }
        // Behind each chunk lies its checksum.
        rest = body.get(length.checked_add(4)?..)?;
    }
    None
}

/// A PNG without what may unpack to gigabytes and is not looked at: colour profiles and notes.
pub(crate) fn without_profiles(bytes: &[u8]) -> Cow<'_, [u8]> {
    const SIGNATURE: usize = 8;
    const UNWANTED: [&[u8]; 3] = [b"iCCP", b"zTXt", b"tEXt"];
    if !bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Cow::Borrowed(bytes);
    }
    let (mut kept, mut rest) = (bytes[..SIGNATURE].to_vec(), &bytes[SIGNATURE..]);
    while let Some((length, _)) = rest.split_first_chunk::<4>() {
        // Length, name, contents, checksum.
        let whole = (u32::from_be_bytes(*length) as usize).saturating_add(12).min(rest.len());
        let (chunk, behind) = rest.split_at(whole);
        if !UNWANTED.contains(&chunk.get(4..8).unwrap_or_default()) {
            kept.extend(chunk);
        }
        rest = behind;
    }
    kept.extend(rest);
    Cow::Owned(kept)
}

/// Width and height from the header alone.
fn dimensions(bytes: &[u8]) -> Result<(u32, u32), String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    if reader.format().is_none() {
        return Err("no image: the bytes are not PNG, JPEG, GIF, WebP or BMP".to_owned());
    }
    let dimensions = caught(|| reader.into_dimensions()).ok_or(GAVE_UP)?;
    dimensions.map_err(|e| format!("damaged image ({e})"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::{Rgb, RgbImage};

    use super::*;
    use crate::transform::{
        Fit,
        tests::{codec, png},
    };

    #[test]
    fn hostile_sizes_are_refused_before_decoding() {
        let mut bytes = png(RgbImage::new(2, 2));
        bytes[16..20].copy_from_slice(&50_000u32.to_be_bytes());
        let why = codec(3, 8, Fit::Crop).decode(&bytes).unwrap_err();
        assert!(why.contains("50000") || why.contains("damaged"), "{why}");
    }

    /// A PNG chunk with its checksum.
    fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let named = [&name[..], body].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&named);
        [&(body.len() as u32).to_be_bytes()[..], &named, &crc.sum().to_be_bytes()].concat()
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_png_that_makes_its_decoder_panic_is_damaged() {
        // A palette of four bytes, which are no colours, and an index into it.
        let header = [&4u32.to_be_bytes()[..], &1u32.to_be_bytes(), &[8, 3, 0, 0, 0]].concat();
        for palette in [&[1u8, 2, 3, 4][..], &[1, 2, 3, 4, 5]] {
            let bytes = [
                b"\x89PNG\r\n\x1a\n".to_vec(),
                chunk(b"IHDR", &header),
                chunk(b"PLTE", palette),
                chunk(b"IDAT", &packed(&[0, 0, 1, 0, 1])),
                chunk(b"IEND", &[]),
            ];
            // Whether it is read or refused is the decoder's business; it must not end the program.
            let _ = codec(3, 8, Fit::Crop).decode(&bytes.concat());
        }
    }

    #[test]
    fn profiles_and_notes_are_not_unpacked() {
        let image = RgbImage::from_pixel(3, 3, Rgb([9, 8, 7]));
        let plain = png(image);
        let header = 8 + 25;
        let bomb = chunk(b"iCCP", &[&b"x\0\0"[..], &packed(&vec![0; 1 << 20])].concat());
        let with = [&plain[..header], &bomb, &chunk(b"zTXt", &[b'a', 0, 0]), &plain[header..]].concat();
        assert_eq!(without_profiles(&with).as_ref(), plain);
        assert_eq!(without_profiles(&plain).as_ref(), plain);
        assert_eq!(
            codec(3, 3, Fit::Crop).decode(&with).unwrap(),
            codec(3, 3, Fit::Crop).decode(&plain).unwrap()
        );
        for end in 0..with.len() {
            let _ = without_profiles(&with[..end]);
        }
    }

    #[test]
    fn truncated_and_foreign_bytes_are_errors() {
        let bytes = png(RgbImage::from_fn(40, 40, |x, y| Rgb([x as u8 * 5, y as u8 * 3, (x * y) as u8])));
        assert!(codec(3, 8, Fit::Crop).decode(&bytes[..bytes.len() / 2]).is_err());
        assert!(codec(3, 8, Fit::Crop).decode(b"not a picture at all").unwrap_err().contains("no image"));
        assert!(codec(3, 8, Fit::Crop).decode(b"").is_err());
    }

    /// The EXIF of an image that is to be turned.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        tiff.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        tiff
    }

    /// Where a pixel of the image that is seen lies in the one of `w` × `h` that is stored, by the tables of EXIF.
    fn stored_at(orientation: u8, (x, y): (u32, u32), (w, h): (u32, u32)) -> (u32, u32) {
        match orientation {
            1 => (x, y),
            2 => (w - 1 - x, y),
            3 => (w - 1 - x, h - 1 - y),
            4 => (x, h - 1 - y),
            5 => (y, x),
            6 => (y, h - 1 - x),
            7 => (w - 1 - y, h - 1 - x),
            _ => (w - 1 - y, x),
        }
    }

    #[test]
    fn images_are_turned_as_every_viewer_turns_them() {
        use image::{ImageEncoder, codecs, imageops};
        let (w, h) = (3u32, 2u32);
        let small = RgbImage::from_fn(w, h, |x, y| Rgb([(40 * (y * w + x)) as u8; 3]));
        // Blocks, which JPEG keeps nearly as they are.
        let image = imageops::resize(&small, 16 * w, 16 * h, imageops::FilterType::Nearest);
        for orientation in 1..=8 {
            let encoded = |encoder: &mut dyn FnMut(&mut Vec<u8>)| {
                let mut bytes = Vec::new();
                encoder(&mut bytes);
                bytes
            };
            fn write(mut encoder: impl ImageEncoder, image: &RgbImage, orientation: u8) {
                encoder.set_exif_metadata(exif(orientation)).unwrap();
                encoder
                    .write_image(image, image.width(), image.height(), image::ExtendedColorType::Rgb8)
                    .unwrap();
            }
            let png = encoded(&mut |out| write(codecs::png::PngEncoder::new(out), &image, orientation));
            let jpeg = encoded(&mut |out| {
                write(codecs::jpeg::JpegEncoder::new_with_quality(out, 95), &image, orientation)
            });
            let webp =
                encoded(&mut |out| write(codecs::webp::WebPEncoder::new_lossless(out), &image, orientation));
            for bytes in [png.clone(), late(&png), jpeg, webp] {
                let seen = decode_limited(&bytes).unwrap().to_luma8();
                let turned = orientation > 4;
                assert_eq!((seen.width() / 16, seen.height() / 16), if turned { (h, w) } else { (w, h) });
                for (x, y) in
                    (0..seen.width() / 16).flat_map(|x| (0..seen.height() / 16).map(move |y| (x, y)))
                {
                    let (sx, sy) = stored_at(orientation, (x, y), (w, h));
                    let (got, wanted) =
                        (seen.get_pixel(16 * x + 8, 16 * y + 8).0[0], small.get_pixel(sx, sy).0[0]);
                    assert!(got.abs_diff(wanted) < 12, "{orientation}: {x} {y} is {got}, not {wanted}");
                }
            }
        }
    }

    /// A PNG with its EXIF behind its pixels.
    fn late(png: &[u8]) -> Vec<u8> {
        let at = png.windows(4).position(|part| part == b"eXIf").unwrap() - 4;
        let length = u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize + 12;
        let end = png.len() - 12;
        [&png[..at], &png[at + length..end], &png[at..at + length], &png[end..]].concat()
    }

    #[test]
    fn the_limit_that_was_met_is_named() {
        let mut bytes = png(RgbImage::new(2, 2));
        let mut claim = |w: u32, h: u32| {
            bytes[16..20].copy_from_slice(&w.to_be_bytes());
            bytes[20..24].copy_from_slice(&h.to_be_bytes());
            let sum = crc(&bytes[12..29]);
            bytes[29..33].copy_from_slice(&sum.to_be_bytes());
            decode_limited(&bytes).unwrap_err()
        };
        assert_eq!(claim(12_000, 9_000), "12000×9000 pixels are 108 million, over the limit of 64 million");
        assert_eq!(claim(20_000, 10), "20000×10 pixels are over the limit of 16384 a side");
    }

    /// The checksum of a chunk of PNG.
    fn crc(bytes: &[u8]) -> u32 {
        let bit = |crc: u32| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
        !bytes.iter().fold(!0u32, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| bit(crc)))
    }
}
