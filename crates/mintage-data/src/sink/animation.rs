//! Clips on their way out: GIF, APNG, MP4 and folders of frames; many in one animated picture, or as strips of film. Each
//! loops for ever where its format can say so, and carries its provenance: a comment of the GIF, a text of the PNG, the
//! comment of the MP4.

use std::{collections::BTreeSet, fs, path::Path};

use gif::{AnyExtension, DisposalMethod, Encoder, Extension, Frame, Repeat};
use rayon::prelude::*;

use super::{
    Beside, Images, Provenance, folder::NewFiles, grid::grid, grid_png, png, target_of, write_files,
};
use crate::{Error, Ffmpeg, ImageShape, transform::to_interleaved};

/// NeuQuant's effort from 1, the best, to 30: colours of a frame that has more than 256 are chosen by all its pixels.
const PALETTE_EFFORT: i32 = 1;
/// A GIF's shortest delay that players keep to, in hundredths of a second.
const SHORTEST_DELAY: u64 = 2;
/// Frames of a strip.
const STRIP: usize = 16;

/// Clips on their way out: `n` × channels × frames × height × width bytes, with labels when the model has classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Clips {
    /// Of a frame.
    pub shape: ImageShape,
    /// Frames of a clip.
    pub frames: usize,
    /// Frames a second.
    pub fps: f64,
    pub pixels: Vec<u8>,
    /// One class index a clip, or empty; `classes.len()` stands for "no class".
    pub labels: Vec<u32>,
    pub classes: Vec<String>,
}

impl Clips {
    /// Puts clips of the same shape, length and classes behind these.
    pub fn append(&mut self, other: Self) {
        self.pixels.extend(other.pixels);
        self.labels.extend(other.labels);
    }

    fn size(&self) -> usize {
        (self.frames * self.shape.pixels()).max(1)
    }

    pub fn len(&self) -> usize {
        self.pixels.len() / self.size()
    }

    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// The bytes of one clip: channel, frame, row, column.
    pub fn clip(&self, i: usize) -> &[u8] {
        &self.pixels[i * self.size()..(i + 1) * self.size()]
    }

    /// The class name of one clip.
    pub fn label(&self, i: usize) -> Option<&str> {
        self.classes.get(*self.labels.get(i)? as usize).map(String::as_str)
    }

    /// The clips of `indices`, in that order.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let labels = match self.labels.is_empty() {
            true => Vec::new(),
            false => indices.iter().map(|&i| self.labels[i]).collect(),
        };
        let pixels = indices.iter().flat_map(|&i| self.clip(i)).copied().collect();
        Self { pixels, labels, classes: self.classes.clone(), ..*self }
    }

    /// One frame of one clip: channel, row, column.
    pub fn frame(&self, i: usize, frame: usize) -> Vec<u8> {
        let area = self.shape.height * self.shape.width;
        let planes = self.clip(i).chunks(area * self.frames);
        planes.flat_map(|plane| &plane[frame * area..(frame + 1) * area]).copied().collect()
    }

    /// The frames with these numbers of all clips, clip by clip.
    pub fn pictures(&self, frames: &[usize]) -> Images {
        let all = (0..self.len()).flat_map(|i| frames.iter().map(move |&frame| (i, frame)));
        let pixels = all.flat_map(|(i, frame)| self.frame(i, frame)).collect();
        Images { shape: self.shape, pixels, labels: Vec::new(), classes: Vec::new() }
    }

    /// One clip as it is shown.
    pub fn film(&self, i: usize) -> Animation {
        let frames =
            (0..self.frames).map(|frame| to_interleaved(&self.frame(i, frame), self.shape)).collect();
        Animation { shape: self.shape, fps: self.fps, frames }
    }
}

/// Moving pictures as files hold them.
#[derive(Clone, Debug, PartialEq)]
pub struct Animation {
    /// Of a frame.
    pub shape: ImageShape,
    /// Frames a second.
    pub fps: f64,
    /// Each frame row, column, channel.
    pub frames: Vec<Vec<u8>>,
}

/// Draws many clips as one film: cells in rows, in captioned blocks, as in a grid of images. `what` names it in errors.
///
/// # Errors
/// There are no clips, or the film would be too large.
pub fn grid_film(what: &str, blocks: &[(String, Clips)], columns: usize) -> Result<Animation, Error> {
    let Some((_, first)) = blocks.iter().find(|(_, clips)| !clips.is_empty()) else {
        return Err(Error::bad(what, "there are no clips to draw"));
    };
    let mut film = Animation { shape: first.shape, fps: first.fps, frames: Vec::new() };
    let longest = blocks.iter().map(|(_, clips)| clips.frames).max().unwrap_or(0);
    for frame in 0..longest {
        // A shorter clip stands still at its end.
        let still = |clips: &Clips| clips.pictures(&[frame.min(clips.frames.saturating_sub(1))]);
        let images: Vec<(String, Images)> =
            blocks.iter().map(|(caption, clips)| (caption.clone(), still(clips))).collect();
        let (pixels, shape) = grid(what, &images, columns)?;
        film.frames.push(pixels);
        film.shape = shape;
    }
    Ok(film)
}

/// Encodes a PNG with a row per clip and a column per frame, at most sixteen of them, evenly spread. `what` names it in
/// errors.
///
/// # Errors
/// There are no clips, or the picture would be too large.
pub fn filmstrip_png(
    what: &str,
    blocks: &[(String, Clips)],
    provenance: Option<&Provenance>,
) -> Result<Vec<u8>, Error> {
    let columns = blocks.iter().map(|(_, clips)| clips.frames.min(STRIP)).max().unwrap_or(0);
    let strip = |clips: &Clips| -> Images {
        let chosen: Vec<usize> = (0..columns).map(|i| i * clips.frames / columns.max(1)).collect();
        clips.pictures(&chosen)
    };
    let images: Vec<(String, Images)> =
        blocks.iter().map(|(caption, clips)| (caption.clone(), strip(clips))).collect();
    grid_png(what, &images, columns, provenance)
}

/// Encodes a film as a GIF. It is exact where all frames together have up to 256 colours, and each frame is then the
/// part that changes; beyond that each frame has colours of its own, exact up to 256 of them, chosen by NeuQuant where
/// there are more.
///
/// # Errors
/// A side has more than 65,535 pixels, or the encoder fails.
pub fn gif_bytes(film: &Animation, provenance: Option<&Provenance>) -> Result<Vec<u8>, Error> {
    let Animation { shape, fps, frames } = film;
    let side = |side: usize| u16::try_from(side).map_err(|_| bad_gif(format!("{side} pixels are too many")));
    let (width, height) = (side(shape.width)?, side(shape.height)?);
    let colors = shared_colors(film);
    let mut palette: Vec<u8> = colors.iter().flatten().flatten().copied().collect();
    if colors.as_ref().is_some_and(|colors| colors.len() < MAX_COLORS) {
        // What shows the frame before.
        palette.extend([0; 3]);
    }
    let mut encoder = Encoder::new(Vec::new(), width, height, &palette).map_err(bad_gif)?;
    encoder.set_repeat(Repeat::Infinite).map_err(bad_gif)?;
    if let Some(provenance) = provenance {
        let comment = AnyExtension::from(Extension::Comment);
        encoder.write_raw_extension(comment, &[provenance.to_json().as_bytes()]).map_err(bad_gif)?;
    }
    // Hundredths of a second from the beginning, so that rounding does not add up.
    let at = |frame: usize| (frame as f64 * 100.0 / fps).round() as u64;
    let encoded: Vec<Frame> = (0..frames.len())
        .into_par_iter()
        .map(|number| {
            let mut frame = match &colors {
                Some(colors) => changed_part(film, number, colors),
                None => Frame::from_rgb_speed(width, height, &frames[number], PALETTE_EFFORT),
            };
            frame.delay = (at(number + 1) - at(number)).clamp(SHORTEST_DELAY, 65_535) as u16;
            frame.dispose = DisposalMethod::Keep;
            frame.make_lzw_pre_encoded();
            frame
        })
        .collect();
    for frame in &encoded {
        encoder.write_lzw_pre_encoded_frame(frame).map_err(bad_gif)?;
    }
    encoder.into_inner().map_err(|e| bad_gif(e.to_string()))
}

/// Colours of a GIF.
const MAX_COLORS: usize = 256;

/// The colours of all frames, sorted; nothing where they are too many for one palette.
fn shared_colors(film: &Animation) -> Option<Vec<[u8; 3]>> {
    let mut colors = BTreeSet::new();
    for pixel in film.frames.iter().flat_map(|frame| frame.chunks_exact(film.shape.channels)) {
        if colors.insert(rgb(pixel)) && colors.len() > MAX_COLORS {
            return None;
        }
    }
    Some(colors.into_iter().collect())
}

fn rgb(pixel: &[u8]) -> [u8; 3] {
    [pixel[0], pixel[pixel.len() / 2], pixel[pixel.len() - 1]]
}

/// The smallest rectangle of a frame outside of which it is like the one before, in numbers of `colors`; what is like it
/// inside is transparent where a number is left for that.
fn changed_part(film: &Animation, number: usize, colors: &[[u8; 3]]) -> Frame<'static> {
    let ImageShape { channels, width, height } = film.shape;
    let frame = &film.frames[number];
    let changed = |&(x, y): &(usize, usize)| {
        let at = (y * width + x) * channels;
        number == 0 || film.frames[number - 1][at..at + channels] != frame[at..at + channels]
    };
    let places = || (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).filter(changed);
    // One that changes nothing still has a pixel, for its time to be kept.
    let (left, right) = (places().map(|p| p.0).min().unwrap_or(0), places().map(|p| p.0).max().unwrap_or(0));
    let (top, bottom) = (places().map(|p| p.1).min().unwrap_or(0), places().map(|p| p.1).max().unwrap_or(0));
    let transparent = (colors.len() < MAX_COLORS).then_some(colors.len() as u8);
    let index = |x: usize, y: usize| match transparent {
        Some(transparent) if !changed(&(x, y)) => transparent,
        _ => {
            let at = (y * width + x) * channels;
            // It is among them.
            colors.binary_search(&rgb(&frame[at..at + channels])).unwrap_or(0) as u8
        }
    };
    let pixels: Vec<u8> =
        (top..=bottom).flat_map(|y| (left..=right).map(move |x| (x, y))).map(|(x, y)| index(x, y)).collect();
    let side = |from: usize, to: usize| (to + 1 - from) as u16;
    Frame {
        left: left as u16,
        top: top as u16,
        ..Frame::from_indexed_pixels(side(left, right), side(top, bottom), pixels, transparent)
    }
}

fn bad_gif(why: impl ToString) -> Error {
    Error::bad("GIF", why.to_string())
}

/// Encodes a film as an APNG, which loses nothing.
///
/// # Errors
/// The encoder fails, as it does for a film without frames.
pub fn apng_bytes(film: &Animation, provenance: Option<&Provenance>) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    write_apng(film, &mut bytes).map_err(|e| Error::bad("PNG", e.to_string()))?;
    Ok(match provenance {
        Some(provenance) => png::with_text(bytes, &provenance.to_json()),
        None => bytes,
    })
}

fn write_apng(film: &Animation, bytes: &mut Vec<u8>) -> Result<(), ::png::EncodingError> {
    let Animation { shape, fps, frames } = film;
    let mut encoder = ::png::Encoder::new(bytes, shape.width as u32, shape.height as u32);
    encoder.set_color(if shape.channels == 1 { ::png::ColorType::Grayscale } else { ::png::ColorType::Rgb });
    encoder.set_depth(::png::BitDepth::Eight);
    encoder.set_animated(frames.len() as u32, 0)?;
    encoder.set_frame_delay(100, (fps * 100.0).round().clamp(1.0, 65_535.0) as u16)?;
    let mut writer = encoder.write_header()?;
    frames.iter().try_for_each(|frame| writer.write_image_data(frame))?;
    writer.finish()
}

/// Writes a film as an MP4 with `ffmpeg`.
///
/// # Errors
/// `ffmpeg` is missing or fails, or the file cannot be written.
pub fn write_mp4(
    path: &Path,
    film: &Animation,
    provenance: Option<&Provenance>,
    ffmpeg: &Ffmpeg,
) -> Result<(), Error> {
    let shown = path.display().to_string();
    ffmpeg.check(&shown)?;
    let file = target_of(path).and_then(|path| Beside::create(&path)).map_err(Error::io(path))?;
    let comment = provenance.map(Provenance::to_json).unwrap_or_default();
    let size = (film.shape.width, film.shape.height);
    ffmpeg
        .encode(file.temporary(), size, film.fps, &film.frames, &comment)
        .map_err(|why| Error::bad(shown, why))?;
    file.commit().map_err(Error::io(path))
}

/// Adds clips to a folder as files with the suffix `gif`, `png` (or `apng`) or `mp4`.
///
/// # Errors
/// The suffix is none of these, `ffmpeg` is missing where MP4 needs it, a label cannot become the name of a folder, or
/// a file cannot be written.
pub fn write_clip_folder(
    dir: &Path,
    clips: &Clips,
    suffix: &str,
    provenance: &Provenance,
    ffmpeg: &Ffmpeg,
) -> Result<(), Error> {
    let label = |i: usize| clips.label(i).unwrap_or_default();
    match suffix {
        "gif" => {
            let file = |i: usize| Ok((label(i), gif_bytes(&clips.film(i), Some(provenance))?));
            write_files(dir, clips.len(), suffix, &file, provenance)
        }
        "png" | "apng" => {
            let file = |i: usize| Ok((label(i), apng_bytes(&clips.film(i), Some(provenance))?));
            write_files(dir, clips.len(), suffix, &file, provenance)
        }
        "mp4" => {
            let mut files = NewFiles::begin(dir, provenance)?;
            for i in 0..clips.len() {
                write_mp4(&files.next(label(i), suffix, None)?, &clips.film(i), Some(provenance), ffmpeg)?;
            }
            files.finish()
        }
        _ => {
            Err(Error::bad(suffix, "is no suffix of clips").with_hint("clips are written as gif, png or mp4"))
        }
    }
}

/// Adds clips to a folder, each as a folder of numbered PNG files.
///
/// # Errors
/// A label cannot become the name of a folder, or a file cannot be written.
pub fn write_frame_folders(dir: &Path, clips: &Clips, provenance: &Provenance) -> Result<(), Error> {
    let mut files = NewFiles::begin(dir, provenance)?;
    for i in 0..clips.len() {
        let folder = files.next(clips.label(i).unwrap_or_default(), "", None)?;
        fs::create_dir(&folder).map_err(|error| files.failed(error))?;
        for (number, pixels) in clips.film(i).frames.iter().enumerate() {
            let path = folder.join(format!("{number:04}.png"));
            let bytes = png::encode(pixels, clips.shape, Some(provenance))?;
            fs::write(&path, &bytes).map_err(|error| files.failed(error))?;
        }
    }
    files.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::{AnimationDecoder, DynamicImage, codecs::gif::GifDecoder, codecs::png::PngDecoder};
    use proptest::prelude::*;
    use std::io::Cursor;

    use super::*;
    use crate::provenance_of_clip;

    fn clips(channels: usize, frames: usize, pixels: Vec<u8>) -> Clips {
        let shape = ImageShape { channels, height: 5, width: 6 };
        let n = pixels.len() / (frames * shape.pixels());
        let labels = (0..n as u32).map(|i| i % 2).collect();
        Clips { shape, frames, fps: 12.0, pixels, labels, classes: vec!["run".into(), "a/b".into()] }
    }

    fn provenance() -> Provenance {
        Provenance {
            model: "бег".into(),
            weights: "3f9c2a7b".into(),
            family: "vae".into(),
            seed: 7,
            options: serde_json::json!({"temperature": 0.9}),
            version: "0".into(),
        }
    }

    /// Frames as RGB.
    fn decoded(bytes: &[u8]) -> Vec<Vec<u8>> {
        let frames = match bytes.starts_with(b"GIF") {
            true => GifDecoder::new(Cursor::new(bytes)).unwrap().into_frames(),
            false => PngDecoder::new(Cursor::new(bytes)).unwrap().apng().unwrap().into_frames(),
        };
        let rgb = |frame: image::Frame| DynamicImage::ImageRgba8(frame.into_buffer()).to_rgb8().into_raw();
        frames.map(|frame| rgb(frame.unwrap())).collect()
    }

    fn as_rgb(film: &Animation) -> Vec<Vec<u8>> {
        let spread = |frame: &Vec<u8>| frame.iter().flat_map(|&gray| [gray; 3]).collect();
        match film.shape.channels {
            1 => film.frames.iter().map(spread).collect(),
            _ => film.frames.clone(),
        }
    }

    proptest! {
        #[test]
        fn frames_come_back_exactly(
            channels in prop_oneof![Just(1usize), Just(3)],
            frames in 2usize..5,
            pixels in proptest::collection::vec(any::<u8>(), 4 * 3 * 30),
        ) {
            let film = clips(channels, frames, pixels[..frames * channels * 30].to_vec()).film(0);
            prop_assert_eq!(decoded(&apng_bytes(&film, Some(&provenance())).unwrap()), as_rgb(&film));
            // 30 pixels have at most 256 colours, and so has gray.
            prop_assert_eq!(decoded(&gif_bytes(&film, Some(&provenance())).unwrap()), as_rgb(&film));
        }
    }

    #[test]
    fn many_colours_are_nearly_kept_by_a_gif() {
        let shape = ImageShape { channels: 3, height: 40, width: 40 };
        let colour =
            |at: usize, frame: usize| [(at % 40 * 6) as u8, (at / 40 * 6) as u8, (40 + frame * 50) as u8];
        let frame = |frame: usize| (0..1600).flat_map(|at| colour(at, frame)).collect();
        let film = Animation { shape, fps: 10.0, frames: (0..3).map(frame).collect() };
        for (new, old) in decoded(&gif_bytes(&film, None).unwrap()).iter().zip(&film.frames) {
            let error: f64 = new.iter().zip(old).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
            assert!(error / (old.len() as f64) < 6.0, "{}", error / old.len() as f64);
        }
    }

    #[test]
    fn delays_add_up_and_provenance_is_found() {
        let film = Animation { fps: 12.0, ..clips(1, 12, (0..=255).cycle().take(360).collect()).film(0) };
        let gif = gif_bytes(&film, Some(&provenance())).unwrap();
        let delays = GifDecoder::new(Cursor::new(&gif)).unwrap().into_frames();
        let total: u32 = delays.map(|frame| frame.unwrap().delay().numer_denom_ms().0).sum();
        assert_eq!(total, 1000);
        for bytes in [gif.clone(), apng_bytes(&film, Some(&provenance())).unwrap()] {
            assert_eq!(provenance_of_clip(&bytes), Some(provenance()));
        }
        assert_eq!(provenance_of_clip(&gif_bytes(&film, None).unwrap()), None);
    }

    #[test]
    fn grids_move_and_strips_lie_side_by_side() {
        let four = clips(1, 3, (0..=255).cycle().take(4 * 90).collect());
        let film = grid_film("grid", &[("NEW".to_owned(), four.clone())], 2).unwrap();
        assert_eq!((film.frames.len(), film.fps), (3, 12.0));
        assert_ne!(film.frames[0], film.frames[1]);
        let strip = filmstrip_png("strip", &[(String::new(), four.clone())], None).unwrap();
        let strip = image::load_from_memory(&strip).unwrap();
        assert!(strip.width() > 3 * 56 && strip.height() > 4 * 48, "{}×{}", strip.width(), strip.height());
        assert_eq!(four.select(&[2, 0]).clip(1), four.clip(0));
        let none = Clips { pixels: vec![], ..four };
        assert!(grid_film("grid", &[(String::new(), none.clone())], 2).is_err());
        assert!(filmstrip_png("strip", &[(String::new(), none)], None).is_err());
    }

    #[test]
    fn folders_of_files_and_of_frames() {
        let dir = tempfile::tempdir().unwrap();
        let four = clips(3, 2, (0..=255).cycle().take(4 * 180).collect());
        let ffmpeg = Ffmpeg::at("/no/such/ffmpeg");
        for _ in 0..2 {
            write_clip_folder(dir.path(), &four, "gif", &provenance(), &ffmpeg).unwrap();
        }
        write_frame_folders(dir.path(), &four, &provenance()).unwrap();
        assert!(
            dir.path().join("a_b/000007.gif").is_file() && dir.path().join("run/000010/0001.png").is_file()
        );
        let metadata = fs::read_to_string(dir.path().join("metadata.csv")).unwrap();
        assert_eq!(metadata.lines().count(), 13);
        let error = write_clip_folder(dir.path(), &four, "mp4", &provenance(), &ffmpeg).unwrap_err();
        assert!(error.to_string().contains("not on PATH"), "{error}");
        assert!(write_clip_folder(dir.path(), &four, "xyz", &provenance(), &ffmpeg).is_err());
    }
}
