//! Small pictures of files: an image or the first frame of a clip in its own proportions, the waveform of a sound, the
//! piano roll of a tune.

use std::io::Cursor;

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use super::{
    cell::MediaKind,
    media::Media,
    player::{peaks_of, score_of},
};
use crate::{Error, Fit, ImageShape, ImageTransform, Images, Score, png_bytes, transform::decode_limited};

/// Sides of a thumbnail in pixels.
const SIDES: std::ops::RangeInclusive<usize> = 16..=512;
/// Red, green, blue and alpha; visible on light and on dark ground.
type Color = [u8; 4];
/// Of parts, told apart by people with any kind of colour vision (Okabe and Ito, 2008).
const COLORS: [Color; 6] = [
    [0x3a, 0x8f, 0xd0, 255],
    [0xe0, 0x7b, 0x20, 255],
    [0x12, 0xa5, 0x7e, 255],
    [0xc4, 0x6a, 0xa8, 255],
    [0xc9, 0x99, 0x1a, 255],
    [0x80, 0x80, 0x80, 255],
];

/// A PNG of at most `side` pixels a side, 16 to 512: an image scaled down, the first frame of a GIF or APNG, the waveform
/// of a sound, the piano roll of a tune. Smaller images keep their size; waveforms and rolls have no background.
///
/// # Errors
/// The file is damaged or over a limit of its decoder, or is of a kind that has no picture: texts, films, unknown bytes.
pub fn thumbnail(media: &Media, side: usize) -> Result<Vec<u8>, Error> {
    let side = side.clamp(*SIDES.start(), *SIDES.end());
    match media.kind {
        _ if !media.has_thumbnail() => {
            Err(Error::bad(name_of(media), format!("there is no picture of {}", media.mime)))
        }
        MediaKind::Audio => waveform(&peaks_of(media, side)?.peaks, side),
        MediaKind::Music => roll(&score_of(media)?, side),
        _ => scaled(media, side),
    }
}

/// What a file is called in messages.
pub(super) fn name_of(media: &Media) -> String {
    media.name.clone().unwrap_or_else(|| "the file".to_owned())
}

fn scaled(media: &Media, side: usize) -> Result<Vec<u8>, Error> {
    let image = decode_limited(&media.bytes).map_err(|why| Error::bad(name_of(media), why))?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let longest = width.max(height);
    let small = |length: usize| match longest > side {
        true => (length * side).div_ceil(longest).clamp(1, side),
        false => length,
    };
    let channels = if image.color().has_color() { 3 } else { 1 };
    let shape = ImageShape { channels, height: small(height), width: small(width) };
    let transform = ImageTransform { shape, fit: Fit::Crop, classes: Vec::new(), white: None };
    let images = Images { shape, pixels: transform.unify(&image), labels: Vec::new(), classes: Vec::new() };
    png_bytes(&images, 0, None)
}

/// A bar a peak around the middle.
fn waveform(peaks: &[f32], side: usize) -> Result<Vec<u8>, Error> {
    let mut canvas = Canvas::new(side, side.div_ceil(2));
    let middle = canvas.height as f32 / 2.0;
    for x in 0..side {
        let peak = peaks.get(x * peaks.len() / side).copied().unwrap_or(0.0);
        // Silence is a line.
        let half = (peak * middle).max(0.5);
        canvas.fill(x..x + 1, (middle - half) as usize..(middle + half).ceil() as usize, COLORS[0]);
    }
    canvas.png()
}

/// Time to the right, pitch upwards, a colour a part.
fn roll(score: &Score, side: usize) -> Result<Vec<u8>, Error> {
    let mut canvas = Canvas::new(side, side.div_ceil(2));
    let pitches = score.notes().iter().map(|note| note.pitch);
    let low = usize::from(pitches.clone().min().unwrap_or(60)).saturating_sub(1);
    let high = usize::from(pitches.max().unwrap_or(60)) + 1;
    let (rows, end) = ((high - low + 1).max(12), score.end().max(1) as usize);
    let (parts, height) = (score.parts(), canvas.height);
    for note in score.notes() {
        let (start, stop) = (note.start as usize * side / end, note.end() as usize * side / end);
        let row = high - usize::from(note.pitch);
        let (top, bottom) = (row * height / rows, (row + 1) * height / rows);
        let part = parts.binary_search(&note.part()).unwrap_or(0);
        canvas.fill(start..stop.max(start + 1), top..bottom.max(top + 1), COLORS[part % COLORS.len()]);
    }
    canvas.png()
}

/// A picture without a background.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>, // [height, width, RGBA]
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height * 4] }
    }

    /// Fills a rectangle as far as it lies within the picture.
    fn fill(&mut self, x: std::ops::Range<usize>, y: std::ops::Range<usize>, color: Color) {
        let (x, y) = (x.start..x.end.min(self.width), y.start..y.end.min(self.height));
        for row in y {
            for column in x.clone() {
                let at = (row * self.width + column) * 4;
                self.pixels[at..at + 4].copy_from_slice(&color);
            }
        }
    }

    fn png(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Cursor::new(Vec::new());
        PngEncoder::new(&mut bytes)
            .write_image(&self.pixels, self.width as u32, self.height as u32, ExtendedColorType::Rgba8)
            .map_err(|error| Error::bad("PNG", error.to_string()))?;
        Ok(bytes.into_inner())
    }
}
