//! What a model's clips are like: size, colour, length, rate, classes. Fixed by the training data, saved with the model.

use std::{fs, ops::RangeInclusive, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    Error, Fit, ImageShape, ImageTransform, SourceSpec, atomic_write, error::damaged, transform::Color,
};

/// Without `fps` no more frames a second are taken: half of television's 25, and a GIF's at eight hundredths each.
pub(super) const DEFAULT_FPS: f64 = 12.5;
/// Without `frames` a clip is no longer.
const DEFAULT_FRAMES: usize = 16;
/// Without `size` no side is longer.
const DEFAULT_SIDE: usize = 64;
/// Parts of a single clip that are left to learn from, at the least, where `frames` is not given.
const MIN_PARTS_OF_ONE_CLIP: usize = 8;
/// No clip of a source may have more frames at the codec's rate: four hours and a half at 12.5 a second.
pub(super) const MAX_LENGTH: usize = 200_000;

/// No side of a frame may be longer.
const MAX_SIDE: usize = 512;
/// Frames of an item.
const FRAMES: RangeInclusive<usize> = 2..=256;
/// Frames a second.
const RATES: RangeInclusive<f64> = 0.1..=60.0;
const FILE: &str = "video.json";

/// What a clip is like in its source.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub width: u32,
    pub height: u32,
    /// Frames a second.
    pub rate: f64,
    pub secs: f64,
    pub gray: bool,
}

/// Everything that turns a clip into the model's bytes, and label indices into names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoFormat {
    /// Of a frame.
    pub shape: ImageShape,
    /// Frames of an item.
    pub frames: usize,
    /// Frames a second.
    pub fps: f64,
    pub fit: Fit,
    /// Class names by index; empty without labels.
    pub classes: Vec<String>,
}

impl VideoFormat {
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

    /// Reads what [`VideoFormat::save`] wrote.
    ///
    /// # Errors
    /// The file cannot be read, or holds no valid codec.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let text = fs::read(&path).map_err(Error::io(&path))?;
        let codec: Self = serde_json::from_slice(&text).map_err(|e| damaged(&path, e))?;
        codec.shape.check(MAX_SIDE).map_err(|why| damaged(&path, why))?;
        match FRAMES.contains(&codec.frames) && RATES.contains(&codec.fps) {
            true => Ok(codec),
            false => Err(damaged(&path, format!("clips of {} frames, {} a second", codec.frames, codec.fps))),
        }
    }

    /// Bytes of an item.
    pub fn pixels(&self) -> usize {
        self.frames * self.shape.pixels()
    }

    /// The codec of its frames.
    pub(super) fn picture(&self) -> ImageTransform {
        ImageTransform { shape: self.shape, fit: self.fit, classes: Vec::new(), white: None }
    }

    /// The codec that the specification and a look at some clips ask for, still without classes. `alone`: there is one
    /// clip, whose parts are what is learned from.
    pub(super) fn of(looks: &[Look], alone: bool, spec: &SourceSpec) -> Result<Self, Error> {
        let gray = looks.iter().all(|look| look.gray);
        let channels = match spec.color {
            Color::Gray => 1,
            Color::Auto if gray => 1,
            Color::Rgb | Color::Auto => 3,
        };
        let (height, width) = size_of(looks, spec)?;
        let fps = rate_of(looks, spec)?;
        let frames = match spec.frames {
            Some(frames) if !FRAMES.contains(&frames) => {
                return Err(Error::bad("frames", "must be from 2 to 256"));
            }
            Some(frames) => frames,
            None => length_of(looks, alone, fps),
        };
        let shape = ImageShape { channels, height, width };
        Ok(Self { shape, frames, fps, fit: spec.fit, classes: Vec::new() })
    }
}

/// The size that all have, or else a square of the middle one's shorter side: multiples of four, since models halve sides.
fn size_of(looks: &[Look], spec: &SourceSpec) -> Result<(usize, usize), Error> {
    let whole = |side: usize| (side / 4 * 4).clamp(8, DEFAULT_SIDE);
    match spec.size {
        Some(side) if !(4..=MAX_SIDE).contains(&side) || side % 4 != 0 => {
            return Err(Error::bad("size", "must be a multiple of 4, from 4 to 512"));
        }
        Some(side) => return Ok((side, side)),
        None => {}
    }
    let sides = |look: &Look| (look.height as usize, look.width as usize);
    let first = looks.first().map_or((DEFAULT_SIDE, DEFAULT_SIDE), sides);
    if looks.iter().all(|look| sides(look) == first) && first.0.max(first.1) <= DEFAULT_SIDE {
        return Ok((whole(first.0), whole(first.1)));
    }
    let side = whole(middle(looks.iter().map(|look| look.height.min(look.width) as usize)));
    Ok((side, side))
}

/// The middle clip's own rate, or a whole part of it: so every second or third frame is taken, never an uneven pattern.
fn rate_of(looks: &[Look], spec: &SourceSpec) -> Result<f64, Error> {
    match spec.fps {
        Some(fps) if !RATES.contains(&fps) => Err(Error::bad("fps", "must be from 0.1 to 60")),
        Some(fps) => Ok(fps),
        None => {
            let thousandths = middle(looks.iter().map(|look| (look.rate * 1000.0).round() as usize));
            let own = (thousandths as f64 / 1000.0).max(0.1);
            // A hair above a whole part is that part.
            let every = (own / DEFAULT_FPS - 0.01).ceil().max(1.0);
            Ok((own / every * 1000.0).round() / 1000.0)
        }
    }
}

/// As long as three quarters of the clips are, up to the default; a single clip is left in several parts.
fn length_of(looks: &[Look], alone: bool, fps: f64) -> usize {
    let mut lengths: Vec<usize> = looks.iter().map(|look| (look.secs * fps).round() as usize).collect();
    lengths.sort_unstable();
    let most = lengths.get(lengths.len() / 4).copied().unwrap_or(DEFAULT_FRAMES);
    let most = if alone { most / MIN_PARTS_OF_ONE_CLIP } else { most };
    most.clamp(2, DEFAULT_FRAMES)
}

fn middle(values: impl Iterator<Item = usize>) -> usize {
    let mut values: Vec<usize> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn look(width: u32, height: u32, rate: f64, secs: f64) -> Look {
        Look { width, height, rate, secs, gray: false }
    }

    fn of(looks: &[Look]) -> VideoFormat {
        VideoFormat::of(looks, looks.len() == 1, &SourceSpec::default()).unwrap()
    }

    #[test]
    fn the_data_decide() {
        let codec = of(&vec![look(30, 20, 10.0, 0.8); 20]);
        assert_eq!(codec.shape, ImageShape { channels: 3, height: 20, width: 28 });
        assert_eq!((codec.frames, codec.fps), (8, 10.0));
        let films = of(&vec![look(640, 360, 25.0, 10.0); 4]);
        assert_eq!((films.shape.height, films.shape.width, films.frames), (64, 64, 16));
        assert_eq!(films.fps, 12.5);
        assert_eq!(of(&[look(64, 64, 24.0, 4.0)]).frames, 6, "one of 48 frames is left in eight parts");
    }

    #[test]
    fn rates_are_whole_parts_of_the_clips_own() {
        let rates = [(30.0, 10.0), (29.97, 9.99), (24.0, 12.0), (60.0, 12.0), (12.5, 12.5), (8.0, 8.0)];
        for (own, taken) in rates {
            assert_eq!(of(&vec![look(64, 64, own, 2.0); 3]).fps, taken, "{own}");
        }
    }

    #[test]
    fn the_specification_decides_where_it_says_something() {
        let looks = vec![look(64, 64, 10.0, 3.0); 3];
        let with = |spec: SourceSpec| VideoFormat::of(&looks, false, &spec);
        let color = Color::Gray;
        let spec =
            SourceSpec { size: Some(32), fps: Some(5.0), frames: Some(4), color, ..SourceSpec::default() };
        let codec = with(spec).unwrap();
        assert_eq!((codec.shape.pixels(), codec.frames, codec.fps), (1024, 4, 5.0));
        let why = |spec: SourceSpec| with(spec).unwrap_err().to_string();
        let frames = SourceSpec { frames: Some(1), ..SourceSpec::default() };
        assert_eq!(why(frames), "frames: must be from 2 to 256");
        let fps = SourceSpec { fps: Some(0.0), ..SourceSpec::default() };
        assert_eq!(why(fps), "fps: must be from 0.1 to 60");
        let size = SourceSpec { size: Some(30), ..SourceSpec::default() };
        assert!(why(size).contains("multiple of 4"));
    }

    #[test]
    fn save_and_load() {
        let dir = tempfile::tempdir().unwrap();
        let codec = VideoFormat { classes: vec!["ходьба".into()], ..of(&[look(64, 64, 24.0, 4.0)]) };
        codec.save(dir.path()).unwrap();
        assert_eq!(VideoFormat::load(dir.path()).unwrap(), codec);
    }
}
