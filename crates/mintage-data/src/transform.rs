//! From the bytes of an image file to the model's array of bytes: decoding with limits, colour, size.
//!
//! The codec is fixed by the training data, saved with the model, and used for everything that the model
//! is shown later. It knows nothing of batches or tensors.

mod decode;

use std::{borrow::Cow, fs, path::Path};

use fast_image_resize::{
    FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::{U8, U8x3},
};
use image::{DynamicImage, GenericImageView, ImageBuffer, Pixel, RgbImage, Rgba};
use serde::{Deserialize, Serialize};

use crate::{Error, atomic_write, error::damaged};
pub(crate) use decode::{Decoded, decode_limited, without_profiles};

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
    use std::io::Cursor;

    use super::*;
    use image::{ImageFormat, Rgb, RgbaImage};
    use proptest::prelude::*;

    pub(super) fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    pub(super) fn codec(channels: usize, side: usize, fit: Fit) -> ImageTransform {
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
    fn colours_are_seen_through_transparency() {
        let gray = RgbaImage::from_pixel(2, 2, Rgba([200, 0, 0, 0]));
        assert!(is_gray(&gray.into()));
        assert!(!is_gray(&RgbaImage::from_pixel(2, 2, Rgba([200, 0, 0, 90])).into()));
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
