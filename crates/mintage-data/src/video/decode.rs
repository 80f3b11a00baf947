//! From a clip as it lies in its source to frames of the codec's size at the codec's rate, one after another.

use std::{
    io::{Cursor, Write},
    path::{Path, PathBuf},
};

use image::{
    AnimationDecoder, DynamicImage, Frames, ImageDecoder, ImageResult, Limits,
    codecs::{gif::GifDecoder, png::PngDecoder},
};
use xxhash_rust::xxh3::Xxh3;

use super::{
    Ffmpeg,
    container::{Contents, is_film, scan},
    format::{DEFAULT_FPS, Look, MAX_LENGTH, VideoFormat},
};
use crate::{
    files::{open_regular, read_item_file},
    guard::{GAVE_UP, Memory, caught},
    transform::{Decoded, MAX_PIXELS, decode_limited, is_gray, without_profiles},
};

/// Frames of a clip that are looked at for their colours.
const FRAMES_LOOKED_AT: usize = 3;
/// A frame that stays so many times longer than others is a pause, which says nothing of the rate.
const PAUSE_FACTOR: f64 = 3.0;

/// A clip as it lies in its source.
#[derive(Debug)]
pub(super) enum Stored {
    /// Bytes of a file: a GIF, a PNG, or a film of a database.
    Bytes(Vec<u8>),
    /// A film, which may be long.
    Animation(PathBuf),
    /// Pictures in their order.
    Pictures(Vec<PathBuf>),
}

impl Stored {
    /// The XXH3 hash of the bytes, by which a clip has its place in a split.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn hash(&self) -> Result<u64, String> {
        let mut hasher = Xxh3::new();
        let mut add = |path: &Path| -> Result<(), String> {
            let mut file = open_regular(path).map_err(|error| error.to_string())?;
            let copied = std::io::copy(&mut file, &mut Hashing(&mut hasher));
            copied.map(|_| ()).map_err(|error| error.to_string())
        };
        match self {
            Self::Bytes(bytes) => return Ok(xxhash_rust::xxh3::xxh3_64(bytes)),
            Self::Animation(path) => add(path),
            Self::Pictures(paths) => paths.iter().try_for_each(|path| add(path)),
        }?;
        Ok(hasher.digest())
    }

    /// Whether only `ffmpeg` can read it.
    pub fn is_film(&self) -> bool {
        match self {
            Self::Animation(_) => true,
            Self::Bytes(bytes) => is_film(bytes),
            Self::Pictures(_) => false,
        }
    }

    /// Reads the size, rate, length and colour of the clip from its container and its first frames.
    ///
    /// # Errors
    /// The clip cannot be decoded, has one frame only, or is a film and `ffmpeg` is missing.
    pub fn look(&self, ffmpeg: &Ffmpeg) -> Result<Look, String> {
        match self {
            Self::Animation(path) => ffmpeg.look(path),
            Self::Bytes(bytes) if is_film(bytes) => with_file(bytes, |path| ffmpeg.look(path)),
            Self::Bytes(bytes) => {
                let contents = scan(bytes)?;
                several(contents.delays.len())?;
                let mut gray = true;
                let mut frames = Animation::open(bytes, &contents)?;
                for _ in 0..FRAMES_LOOKED_AT {
                    let Some(frame) = frames.next()? else { break };
                    gray &= is_gray(&frame);
                }
                Ok(Look {
                    width: contents.width,
                    height: contents.height,
                    rate: rate_of(&contents.delays),
                    secs: contents.delays.iter().sum(),
                    gray,
                })
            }
            Self::Pictures(paths) => {
                several(paths.len())?;
                let pictures: Vec<Decoded> = paths
                    .iter()
                    .take(FRAMES_LOOKED_AT)
                    .map(|path| picture(path))
                    .collect::<Result<_, _>>()?;
                Ok(Look {
                    width: pictures[0].width(),
                    height: pictures[0].height(),
                    // Pictures say nothing of time: each is a frame, whatever the rate.
                    rate: DEFAULT_FPS,
                    secs: paths.len() as f64 / DEFAULT_FPS,
                    gray: pictures.iter().all(|picture| is_gray(picture)),
                })
            }
        }
    }

    /// Decodes the clip, and calls `put` with the bytes of every frame as the codec wants it, channel by row by column;
    /// there are at least two.
    ///
    /// # Errors
    /// The clip cannot be decoded, has fewer than two frames or too many, or frames of several sizes, or `put` fails.
    pub fn frames(
        &self,
        codec: &VideoFormat,
        ffmpeg: &Ffmpeg,
        threads: usize,
        put: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let (unify, mut count) = (codec.picture(), 0);
        let mut each = |image: &DynamicImage, copies: usize| {
            count += copies;
            if count > MAX_LENGTH {
                return Err(format!(
                    "is longer than {MAX_LENGTH} frames at {} a second: cut it into parts",
                    codec.fps
                ));
            }
            let frame = if copies > 0 { unify.unify(image) } else { Vec::new() };
            (0..copies).try_for_each(|_| put(&frame))
        };
        match self {
            Self::Animation(path) => ffmpeg.frames(path, codec, threads, &mut |frame| each(&frame, 1))?,
            Self::Bytes(bytes) if is_film(bytes) => {
                with_file(bytes, |path| ffmpeg.frames(path, codec, threads, &mut |frame| each(&frame, 1)))?;
            }
            Self::Bytes(bytes) => {
                let contents = scan(bytes)?;
                several(contents.delays.len())?;
                let mut clock = Clock::new(codec.fps);
                let mut decoded = Animation::open(bytes, &contents)?;
                for &secs in &contents.delays {
                    let frame = decoded.next()?.ok_or("is cut off")?;
                    each(&frame, clock.frames_until(secs))?;
                }
            }
            Self::Pictures(paths) => {
                several(paths.len())?;
                let mut size = None;
                for path in paths {
                    let image = picture(path)?;
                    let (w, h) = (image.width(), image.height());
                    let (first_w, first_h) = *size.get_or_insert((w, h));
                    if (w, h) != (first_w, first_h) {
                        let file = path.file_name().unwrap_or_default().to_string_lossy();
                        return Err(format!(
                            "its frames change in size: the first is {first_w}×{first_h}, {file} is {w}×{h}"
                        ));
                    }
                    each(&image, 1)?;
                }
            }
        }
        match count {
            0 | 1 => Err(format!("is too short: less than two frames at {} a second", codec.fps)),
            _ => Ok(()),
        }
    }
}

/// The frames of a GIF or APNG on their way out of the decoder, whose panics are caught, and the memory for them.
struct Animation<'a> {
    frames: Frames<'a>,
    _memory: Memory,
}

impl<'a> Animation<'a> {
    /// Bytes of a pixel that are held at a time: the picture so far, what is laid over it, the frame, its colours.
    const BYTES: u64 = 4 * 4;

    fn open(bytes: &'a [u8], contents: &Contents) -> Result<Self, String> {
        let memory = Memory::take(u64::from(contents.width) * u64::from(contents.height) * Self::BYTES);
        let frames = caught(|| animation(bytes)).ok_or(GAVE_UP)?.map_err(damaged)?;
        Ok(Self { frames, _memory: memory })
    }

    /// The next frame, or nothing after the last one.
    fn next(&mut self) -> Result<Option<DynamicImage>, String> {
        let frame = caught(|| self.frames.next()).ok_or(GAVE_UP)?.transpose().map_err(damaged)?;
        Ok(frame.map(|frame| DynamicImage::ImageRgba8(frame.into_buffer())))
    }
}

/// The frames of a GIF or APNG, each as it is seen: laid over those before it.
fn animation(bytes: &[u8]) -> ImageResult<Frames<'_>> {
    let mut limits = Limits::default();
    // The picture so far, the one before it, and what is laid over them.
    limits.max_alloc = Some(MAX_PIXELS * 4 * 5);
    if bytes.starts_with(b"GIF") {
        let mut decoder = GifDecoder::new(Cursor::new(bytes))?;
        decoder.set_limits(limits)?;
        return Ok(decoder.into_frames());
    }
    let bytes = without_profiles(bytes).into_owned();
    Ok(PngDecoder::with_limits(Cursor::new(bytes), limits)?.apng()?.into_frames())
}

fn picture(path: &Path) -> Result<Decoded, String> {
    let named = |why: String| format!("{}: {why}", path.file_name().unwrap_or_default().to_string_lossy());
    let bytes = read_item_file(path).map_err(|error| error.to_string())?;
    decode_limited(&bytes).map_err(named)
}

fn several(frames: usize) -> Result<(), String> {
    if frames == 1 { Err("has one frame; that is a picture".to_owned()) } else { Ok(()) }
}

fn damaged(error: image::ImageError) -> String {
    format!("damaged clip ({error})")
}

/// Frames a second, pauses left out.
fn rate_of(delays: &[f64]) -> f64 {
    let mut sorted = delays.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted[sorted.len() / 2];
    let steady: Vec<f64> = sorted.into_iter().filter(|&secs| secs <= PAUSE_FACTOR * middle).collect();
    steady.len() as f64 / steady.iter().sum::<f64>()
}

/// Gives `work` the bytes as a file, since a film cannot be read from a pipe: its directory may be at its end.
fn with_file<T>(bytes: &[u8], work: impl FnOnce(&Path) -> Result<T, String>) -> Result<T, String> {
    let write = || {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(bytes)?;
        Ok(file.into_temp_path())
    };
    let file = write().map_err(|error: std::io::Error| format!("a temporary file for it: {error}"))?;
    work(&file)
}

/// Tells which of the frames that pass, each with how long it stays, are on screen when one of the wanted rate is due.
struct Clock {
    fps: f64,
    now: f64,
    given: u64,
}

impl Clock {
    /// Where within its time a frame is taken: a little before the middle, so that rounding never decides where every
    /// second frame is taken and the middle falls between two.
    const TIME_WITHIN_FRAME: f64 = 0.49;

    fn new(fps: f64) -> Self {
        Self { fps, now: 0.0, given: 0 }
    }

    /// How many frames are due while the next one is on screen.
    fn frames_until(&mut self, secs: f64) -> usize {
        self.now += secs;
        let until = (self.now * self.fps - Self::TIME_WITHIN_FRAME).ceil().max(0.0) as u64;
        let due = until.saturating_sub(self.given);
        self.given += due;
        due as usize
    }
}

struct Hashing<'a>(&'a mut Xxh3);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Animation, Clips, Fit, ImageShape, apng_bytes, gif_bytes};

    /// Frames of one gray each, which stay for a tenth of a second.
    fn film(grays: &[u8]) -> Animation {
        let shape = ImageShape { channels: 1, height: 8, width: 8 };
        let pixels = grays.iter().flat_map(|&gray| [gray; 64]).collect();
        let clips = Clips { shape, frames: grays.len(), fps: 10.0, pixels, labels: vec![], classes: vec![] };
        clips.film(0)
    }

    fn codec(fps: f64) -> VideoFormat {
        let shape = ImageShape { channels: 1, height: 8, width: 8 };
        VideoFormat { shape, frames: 4, fps, fit: Fit::Crop, classes: vec![] }
    }

    /// The gray of every frame at this rate.
    fn grays(clip: &Stored, fps: f64) -> Result<Vec<u8>, String> {
        let mut grays = Vec::new();
        clip.frames(&codec(fps), &Ffmpeg::default(), 1, &mut |frame| {
            assert!(frame.iter().all(|gray| *gray == frame[0]));
            grays.push(frame[0]);
            Ok(())
        })?;
        Ok(grays)
    }

    #[test]
    fn frames_are_taken_at_the_wanted_rate() {
        let film = film(&[0, 20, 40, 60, 80, 100]);
        for clip in [gif_bytes(&film, None), apng_bytes(&film, None)] {
            let clip = Stored::Bytes(clip.unwrap());
            assert_eq!(grays(&clip, 10.0).unwrap(), [0, 20, 40, 60, 80, 100]);
            assert_eq!(grays(&clip, 5.0).unwrap(), [0, 40, 80]);
            assert_eq!(grays(&clip, 10.0 / 3.0).unwrap(), [20, 80]);
            assert_eq!(grays(&clip, 20.0).unwrap(), [0, 0, 20, 20, 40, 40, 60, 60, 80, 80, 100, 100]);
            assert!(grays(&clip, 1.0).unwrap_err().contains("is too short"));
            let look = clip.look(&Ffmpeg::default()).unwrap();
            assert!((look.rate - 10.0).abs() < 1e-9 && (look.secs - 0.6).abs() < 1e-9 && look.gray);
        }
    }

    #[test]
    fn a_pause_says_nothing_of_the_rate() {
        assert!((rate_of(&[0.1, 0.1, 0.1, 2.0]) - 10.0).abs() < 1e-9);
        assert!((rate_of(&[0.08, 0.09, 0.08]) - 12.0).abs() < 1e-9);
    }

    #[test]
    fn one_frame_half_a_file_and_strangers_are_errors() {
        for bytes in [gif_bytes(&film(&[7]), None).unwrap(), apng_bytes(&film(&[7]), None).unwrap()] {
            let why = grays(&Stored::Bytes(bytes), 10.0).unwrap_err();
            assert_eq!(why, "has one frame; that is a picture");
        }
        for bytes in
            [gif_bytes(&film(&[1, 2, 3]), None).unwrap(), apng_bytes(&film(&[1, 2, 3]), None).unwrap()]
        {
            let half = Stored::Bytes(bytes[..bytes.len() * 2 / 3].to_vec());
            assert_eq!(grays(&half, 10.0).unwrap_err(), "is cut off");
        }
        assert!(grays(&Stored::Bytes(vec![]), 10.0).unwrap_err().contains("is no clip"));
    }

    #[test]
    fn pictures_of_a_clip_must_be_of_one_size() {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..3).map(|i| dir.path().join(format!("{i}.png"))).collect();
        for (path, side) in paths.iter().zip([8, 8, 9]) {
            image::GrayImage::from_pixel(side, side, image::Luma([90])).save(path).unwrap();
        }
        assert_eq!(grays(&Stored::Pictures(paths[..2].to_vec()), 3.0).unwrap(), [90, 90]);
        let why = grays(&Stored::Pictures(paths), 3.0).unwrap_err();
        assert_eq!(why, "its frames change in size: the first is 8×8, 2.png is 9×9");
    }
}
