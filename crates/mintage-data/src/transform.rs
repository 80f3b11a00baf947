//! From the bytes of an image file to the model's array of bytes: decoding with limits, colour, size.
//!
//! The codec is fixed by the training data, saved with the model, and used for everything that the model
//! is shown later. It knows nothing of batches or tensors.

use std::{borrow::Cow, fs, io::Cursor, ops::Deref, path::Path};

use fast_image_resize::{
    FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::{U8, U8x3},
};
use image::{
    DynamicImage, GenericImageView, ImageBuffer, ImageDecoder, ImageReader, Limits, Pixel, RgbImage, Rgba,
    metadata::Orientation,
};
use serde::{Deserialize, Serialize};

use crate::{
    Error, atomic_write,
    error::damaged,
    guard::{GAVE_UP, Memory, caught},
};

/// Channels, height and width of every image of a set. Arrays are channel, row, column ("CHW").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl ImageShape {
    /// Checks that a model can make images of this shape, which may come from a file.
    ///
    /// # Errors
    /// The channels are neither 1 nor 3, or a side is zero or longer than `longest`.
    pub fn check(self, longest: usize) -> Result<(), String> {
        let Self { channels, height, width } = self;
        let sides = 1..=longest;
        if matches!(channels, 1 | 3) && sides.contains(&height) && sides.contains(&width) {
            return Ok(());
        }
        Err(format!("{width}×{height} pixels of {channels} channels are not the shape of a model's images"))
    }

    /// Bytes of one image.
    pub fn pixels(self) -> usize {
        self.channels * self.height * self.width
    }
}

/// How an image of another shape comes to the wanted one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Scale until it covers, cut what sticks out evenly.
    #[default]
    Crop,
    /// Scale until it fits, fill the rest with the mean colour of the border.
    Fit,
}

/// Which channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// Gray when all images are, RGB otherwise.
    #[default]
    Auto,
    Gray,
    Rgb,
}

/// Everything that turns an image into the model's bytes, and label indices into names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageTransform {
    pub shape: ImageShape,
    pub fit: Fit,
    /// Class names by index; empty without labels.
    pub classes: Vec<String>,
    /// Of images of 16 bits: the value that is white, where it is not 65,535.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub white: Option<u16>,
}

/// No side of a source image may be longer.
pub const MAX_SIDE: u32 = 16_384;
/// No side of what a model makes may be longer.
pub const MAX_MODEL_SIDE: usize = 1024;
/// No source image may have more pixels.
pub const MAX_PIXELS: u64 = 64_000_000;
/// Nor a file more bytes.
pub const MAX_FILE_BYTES: u64 = 128 << 20;

const FILE: &str = "image.json";

impl ImageTransform {
    /// Writes the codec into a model's `codec` folder.
    ///
    /// # Errors
    /// The folder cannot be made, or the file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        fs::create_dir_all(dir).map_err(Error::io(dir))?;
        let text = serde_json::to_vec_pretty(self).map_err(|e| Error::bad("codec", e.to_string()))?;
        let path = dir.join(FILE);
        atomic_write(&path, &text).map_err(Error::io(&path))
    }

    /// Reads what [`ImageTransform::save`] wrote.
    ///
    /// # Errors
    /// The file cannot be read, or holds no valid codec.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let text = fs::read(&path).map_err(Error::io(&path))?;
        let codec: Self = serde_json::from_slice(&text).map_err(|e| damaged(&path, e))?;
        codec.shape.check(MAX_MODEL_SIDE).map_err(|why| damaged(&path, why))?;
        Ok(codec)
    }

    /// Decodes one image (PNG, JPEG, GIF, WebP, BMP) into CHW bytes of the codec's shape.
    ///
    /// # Errors
    /// The bytes are not such an image, are damaged, or have too many pixels.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let image = decode_limited(bytes)?;
        Ok(self.unify(&image))
    }

    /// A decoded image as CHW bytes: transparency over white, colour, size.
    pub(crate) fn unify(&self, image: &DynamicImage) -> Vec<u8> {
        let (w, h) = (image.width(), image.height());
        let stretched = self.white.and_then(|white| stretched(image, white));
        let image = stretched.as_ref().unwrap_or(image);
        let interleaved = match self.shape.channels {
            1 => over_white(image).to_luma8().into_raw(),
            _ => over_white(image).to_rgb8().into_raw(),
        };
        let resized = self.resize(interleaved, w, h);
        to_planes(&resized, self.shape)
    }

    fn resize(&self, pixels: Vec<u8>, w: u32, h: u32) -> Vec<u8> {
        let (tw, th) = (self.shape.width as u32, self.shape.height as u32);
        if (w, h) == (tw, th) {
            return pixels;
        }
        let scale = match self.fit {
            Fit::Crop => f64::max(f64::from(tw) / f64::from(w), f64::from(th) / f64::from(h)),
            Fit::Fit => f64::min(f64::from(tw) / f64::from(w), f64::from(th) / f64::from(h)),
        };
        match self.fit {
            Fit::Crop => {
                let (cw, ch) = (f64::from(tw) / scale, f64::from(th) / scale);
                let crop = ((f64::from(w) - cw) / 2.0, (f64::from(h) - ch) / 2.0, cw, ch);
                scaled(pixels, (w, h), (tw, th), self.shape.channels, Some(crop))
            }
            Fit::Fit => {
                let inner =
                    |side: u32, limit: u32| ((f64::from(side) * scale).round() as u32).clamp(1, limit);
                let (iw, ih) = (inner(w, tw), inner(h, th));
                let fill = border_mean(&pixels, w as usize, h as usize, self.shape.channels);
                let small = scaled(pixels, (w, h), (iw, ih), self.shape.channels, None);
                letterbox(&small, (iw as usize, ih as usize), self.shape, &fill)
            }
        }
    }
}

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

/// The brightest sample of an image of 16 bits.
pub(crate) fn brightest_deep(image: &DynamicImage) -> Option<u16> {
    fn most<P: image::Pixel<Subpixel = u16>>(image: &ImageBuffer<P, Vec<u16>>) -> Option<u16> {
        let colours = usize::from(P::CHANNEL_COUNT) - usize::from(P::HAS_ALPHA);
        image.pixels().flat_map(|pixel| pixel.channels()[..colours].iter().copied()).max()
    }
    match image {
        DynamicImage::ImageLuma16(image) => most(image),
        DynamicImage::ImageLumaA16(image) => most(image),
        DynamicImage::ImageRgb16(image) => most(image),
        DynamicImage::ImageRgba16(image) => most(image),
        _ => None,
    }
}

/// An image of 16 bits in which `white` has become the brightest value; nothing of others.
fn stretched(image: &DynamicImage, white: u16) -> Option<DynamicImage> {
    fn stretch<P: image::Pixel<Subpixel = u16>>(image: &mut ImageBuffer<P, Vec<u16>>, white: u16) {
        let white = u32::from(white.max(1));
        let stretched = |sample: u16| ((u32::from(sample) * 65_535 + white / 2) / white).min(65_535) as u16;
        image.pixels_mut().for_each(|pixel| pixel.apply_with_alpha(stretched, |alpha| alpha));
    }
    let mut image = image.clone();
    match &mut image {
        DynamicImage::ImageLuma16(image) => stretch(image, white),
        DynamicImage::ImageLumaA16(image) => stretch(image, white),
        DynamicImage::ImageRgb16(image) => stretch(image, white),
        DynamicImage::ImageRgba16(image) => stretch(image, white),
        _ => return None,
    }
    Some(image)
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
pub(crate) fn dimensions(bytes: &[u8]) -> Result<(u32, u32), String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    if reader.format().is_none() {
        return Err("no image: the bytes are not PNG, JPEG, GIF, WebP or BMP".to_owned());
    }
    let dimensions = caught(|| reader.into_dimensions()).ok_or(GAVE_UP)?;
    dimensions.map_err(|e| format!("damaged image ({e})"))
}

/// Whether the image has colours.
pub(crate) fn is_gray(image: &DynamicImage) -> bool {
    // Pixel by pixel: a copy of a large image would double what it takes.
    !image.color().has_color()
        || image.pixels().all(|(_, _, mut pixel)| {
            lay_over_white(&mut pixel);
            pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2]
        })
}

fn over_white(image: &DynamicImage) -> Cow<'_, DynamicImage> {
    if !image.color().has_alpha() {
        return Cow::Borrowed(image);
    }
    let opaque = RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let mut pixel = image.get_pixel(x, y);
        lay_over_white(&mut pixel);
        pixel.to_rgb()
    });
    Cow::Owned(DynamicImage::ImageRgb8(opaque))
}

fn lay_over_white(pixel: &mut Rgba<u8>) {
    let alpha = u32::from(pixel.0[3]);
    for channel in &mut pixel.0[..3] {
        *channel = ((u32::from(*channel) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
    }
    pixel.0[3] = 255;
}

/// Lanczos to `to`, from the part `crop` (left, top, width, height) of an interleaved image.
fn scaled(
    pixels: Vec<u8>,
    from: (u32, u32),
    to: (u32, u32),
    channels: usize,
    crop: Option<(f64, f64, f64, f64)>,
) -> Vec<u8> {
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    if let Some((left, top, width, height)) = crop {
        options = options.crop(left, top, width, height);
    }
    match channels {
        1 => resized::<U8>(&pixels, from, to, &options),
        _ => resized::<U8x3>(&pixels, from, to, &options),
    }
}

/// Of one type of pixels: asked for any type, the crate's code for all thirteen would be compiled here.
fn resized<P: PixelTrait>(
    pixels: &[u8],
    from: (u32, u32),
    to: (u32, u32),
    options: &ResizeOptions,
) -> Vec<u8> {
    let mut target = vec![0; to.0 as usize * to.1 as usize * size_of::<P>()];
    let source = TypedImageRef::<P>::from_buffer(from.0, from.1, pixels).ok();
    let room = TypedImage::<P>::from_buffer(to.0, to.1, &mut target).ok();
    let done = source
        .zip(room)
        .and_then(|(source, mut room)| Resizer::new().resize_typed(&source, &mut room, options).ok());
    debug_assert!(done.is_some(), "sizes and crop were computed from the image itself");
    target
}

fn letterbox(small: &[u8], (w, h): (usize, usize), shape: ImageShape, fill: &[u8]) -> Vec<u8> {
    let c = shape.channels;
    let mut out: Vec<u8> = fill.iter().copied().cycle().take(shape.pixels()).collect();
    let (left, top) = ((shape.width - w) / 2, (shape.height - h) / 2);
    for row in 0..h {
        let start = ((top + row) * shape.width + left) * c;
        out[start..start + w * c].copy_from_slice(&small[row * w * c..(row + 1) * w * c]);
    }
    out
}

fn border_mean(pixels: &[u8], w: usize, h: usize, channels: usize) -> Vec<u8> {
    let mut sums = vec![(0u64, 0u64); channels];
    for y in 0..h {
        let step = if y == 0 || y + 1 == h { 1 } else { (w - 1).max(1) };
        for x in (0..w).step_by(step) {
            for (c, (sum, n)) in sums.iter_mut().enumerate() {
                *sum += u64::from(pixels[(y * w + x) * channels + c]);
                *n += 1;
            }
        }
    }
    sums.into_iter().map(|(sum, n)| (sum / n.max(1)) as u8).collect()
}

/// Row, column, channel → channel, row, column.
pub(crate) fn to_planes(interleaved: &[u8], shape: ImageShape) -> Vec<u8> {
    let (c, area) = (shape.channels, shape.height * shape.width);
    (0..c).flat_map(|k| (0..area).map(move |i| interleaved[i * c + k])).collect()
}

/// Channel, row, column → row, column, channel.
pub(crate) fn to_interleaved(planes: &[u8], shape: ImageShape) -> Vec<u8> {
    let (c, area) = (shape.channels, shape.height * shape.width);
    (0..area).flat_map(|i| (0..c).map(move |k| planes[k * area + i])).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use image::{ImageFormat, Rgb, RgbaImage};
    use proptest::prelude::*;

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    fn codec(channels: usize, side: usize, fit: Fit) -> ImageTransform {
        let shape = ImageShape { channels, height: side, width: side };
        ImageTransform { shape, fit, classes: Vec::new(), white: None }
    }

    proptest! {
        #[test]
        fn same_size_is_exact(pixels in proptest::collection::vec(any::<u8>(), 6 * 6 * 3)) {
            let image = RgbImage::from_raw(6, 6, pixels.clone()).unwrap();
            let codec = codec(3, 6, Fit::Crop);
            let planes = codec.decode(&png(image)).unwrap();
            prop_assert_eq!(to_interleaved(&planes, codec.shape), pixels);
        }

        #[test]
        fn any_size_becomes_the_codec_s(w in 1u32..90, h in 1u32..90, channels in prop_oneof![Just(1usize), Just(3)]) {
            let image = RgbImage::from_pixel(w, h, Rgb([200, 200, 200]));
            for fit in [Fit::Crop, Fit::Fit] {
                let planes = codec(channels, 16, fit).decode(&png(image.clone())).unwrap();
                prop_assert_eq!(planes.len(), channels * 256);
                prop_assert!(planes.iter().all(|p| p.abs_diff(200) <= 1));
            }
        }
    }

    #[test]
    fn transparency_lies_over_white() {
        let image = RgbaImage::from_pixel(2, 2, Rgba([0, 0, 0, 0]));
        assert_eq!(codec(1, 2, Fit::Crop).decode(&png(image)).unwrap(), vec![255; 4]);
    }

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
    fn colours_are_seen_through_transparency() {
        let gray = RgbaImage::from_pixel(2, 2, Rgba([200, 0, 0, 0]));
        assert!(is_gray(&gray.into()));
        assert!(!is_gray(&RgbaImage::from_pixel(2, 2, Rgba([200, 0, 0, 90])).into()));
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

    #[test]
    fn save_and_load() {
        let dir = tempfile::tempdir().unwrap();
        let codec =
            ImageTransform { classes: vec!["пальто".into(), "coat".into()], ..codec(3, 8, Fit::Fit) };
        codec.save(dir.path()).unwrap();
        assert_eq!(ImageTransform::load(dir.path()).unwrap(), codec);
    }
}
