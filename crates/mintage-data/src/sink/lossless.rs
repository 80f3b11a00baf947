//! What the sinks of this crate wrote without loss, read again bit by bit: a PNG, an APNG, a WAV of floats. Whoever reads
//! knows the shape, so that nothing of another one is decoded: the file may be a stranger's.

use std::io::Cursor;

use hound::{SampleFormat, WavReader};

use crate::{
    Error, ImageShape,
    guard::{GAVE_UP, Memory, caught},
    transform::MAX_FILE_BYTES,
};

/// Bytes that the frames of a clip may have together.
pub const MAX_CLIP_BYTES: usize = 1 << 30;

/// The pixels of a PNG of 8 bits and this shape: channel, row, column.
///
/// # Errors
/// The file is no such PNG, or is damaged.
pub fn pixels_of_png(bytes: &[u8], shape: ImageShape) -> Result<Vec<u8>, Error> {
    let frames = frames(bytes, shape, None)?;
    Ok(planar(&frames, shape))
}

/// The pixels of an APNG of 8 bits with so many whole frames of this shape: channel, frame, row, column.
///
/// # Errors
/// The file is no such APNG, or is damaged.
pub fn pixels_of_apng(bytes: &[u8], shape: ImageShape, n: usize) -> Result<Vec<u8>, Error> {
    let frames = frames(bytes, shape, Some(n))?;
    Ok(planar(&frames, shape))
}

/// The interleaved samples of a WAV file of 32-bit floats.
///
/// # Errors
/// The file has other channels, another rate or other samples, or is damaged.
pub fn samples_of_wav(bytes: &[u8], channels: usize, rate_hz: u32) -> Result<Vec<f32>, Error> {
    let read = || -> Result<Vec<f32>, String> {
        let reader = WavReader::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
        let spec = reader.spec();
        let is_same = usize::from(spec.channels) == channels
            && spec.sample_rate == rate_hz
            && spec.bits_per_sample == 32
            && spec.sample_format == SampleFormat::Float;
        // A header may say anything; what is read is bounded by the file.
        if !is_same || reader.len() as usize > bytes.len() / 4 {
            return Err("holds another sound than was kept".to_owned());
        }
        reader.into_samples::<f32>().collect::<Result<_, _>>().map_err(|error| error.to_string())
    };
    caught(read).unwrap_or_else(|| Err(GAVE_UP.to_owned())).map_err(|why| Error::bad("WAV", why))
}

/// Each frame row, column, channel; `n`: of an animation.
fn frames(bytes: &[u8], shape: ImageShape, n: Option<usize>) -> Result<Vec<Vec<u8>>, Error> {
    let total = shape.pixels().saturating_mul(n.unwrap_or(1));
    if total > MAX_CLIP_BYTES {
        return Err(Error::bad("PNG", "has more pixels than a clip may have"));
    }
    let _memory = Memory::take(2 * total as u64);
    let decoded = caught(|| decode(bytes, shape, n)).unwrap_or_else(|| Err(GAVE_UP.to_owned()));
    decoded.map_err(|why| Error::bad("PNG", why))
}

fn decode(bytes: &[u8], shape: ImageShape, n: Option<usize>) -> Result<Vec<Vec<u8>>, String> {
    const OTHER: &str = "holds another picture than was kept";
    let damaged = |error: ::png::DecodingError| format!("damaged picture ({error})");
    let limits = ::png::Limits { bytes: MAX_FILE_BYTES as usize };
    let mut decoder = ::png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    let color = if shape.channels == 1 { ::png::ColorType::Grayscale } else { ::png::ColorType::Rgb };
    let header = decoder.read_header_info().map_err(damaged)?;
    let is_same = (header.width as usize, header.height as usize) == (shape.width, shape.height)
        && header.color_type == color
        && header.bit_depth == ::png::BitDepth::Eight;
    if !is_same {
        return Err(OTHER.to_owned());
    }
    let mut reader = decoder.read_info().map_err(damaged)?;
    let animated = reader.info().animation_control().map(|control| control.num_frames as usize);
    if animated != n {
        return Err(OTHER.to_owned());
    }
    let mut frames = Vec::new();
    for _ in 0..n.unwrap_or(1) {
        let mut frame = vec![0; shape.pixels()];
        let info = reader.next_frame(&mut frame).map_err(damaged)?;
        // Ours are whole; parts would have to be laid over what was before.
        if (info.width as usize, info.height as usize) != (shape.width, shape.height) {
            return Err(OTHER.to_owned());
        }
        frames.push(frame);
    }
    Ok(frames)
}

fn planar(frames: &[Vec<u8>], shape: ImageShape) -> Vec<u8> {
    let channel =
        |c: usize| frames.iter().flat_map(move |frame| frame.iter().skip(c).step_by(shape.channels).copied());
    (0..shape.channels).flat_map(channel).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        Clips, Images, apng_bytes,
        audio::{WavDepth, wav_bytes},
        png_bytes,
    };

    fn clips(channels: usize, frames: usize) -> Clips {
        let shape = ImageShape { channels, height: 3, width: 5 };
        let pixels = (0..shape.pixels() * frames).map(|i| (i * 37 % 256) as u8).collect();
        Clips { shape, frames, fps: 12.0, pixels, labels: vec![], classes: vec![] }
    }

    #[test]
    fn pictures_and_clips_come_back_bit_by_bit() {
        for channels in [1, 3] {
            let one = clips(channels, 1);
            let image = Images { shape: one.shape, pixels: one.pixels, labels: vec![], classes: vec![] };
            let png = png_bytes(&image, 0, None).unwrap();
            assert_eq!(pixels_of_png(&png, image.shape).unwrap(), image.pixels);
            for frames in [1, 2, 7] {
                let clip = clips(channels, frames);
                let apng = apng_bytes(&clip.film(0), None).unwrap();
                assert_eq!(pixels_of_apng(&apng, clip.shape, frames).unwrap(), clip.pixels);
            }
        }
    }

    #[test]
    fn rejects_pictures_of_another_shape_before_they_are_decoded() {
        let clip = clips(3, 2);
        let apng = apng_bytes(&clip.film(0), None).unwrap();
        let wider = ImageShape { width: 6, ..clip.shape };
        let gray = ImageShape { channels: 1, ..clip.shape };
        assert!(pixels_of_apng(&apng, wider, 2).is_err() && pixels_of_apng(&apng, gray, 2).is_err());
        assert!(pixels_of_apng(&apng, clip.shape, 3).is_err() && pixels_of_png(&apng, clip.shape).is_err());
        assert!(pixels_of_apng(&apng[..apng.len() / 2], clip.shape, 2).is_err());
        assert!(pixels_of_apng(&apng, clip.shape, MAX_CLIP_BYTES).is_err());
        assert!(pixels_of_png(b"GIF89a", clip.shape).is_err());
    }

    #[test]
    fn sounds_come_back_bit_by_bit() {
        let samples = [0.1f32, -2.5, f32::MIN_POSITIVE, 1e-30, 0.3, -0.0];
        let wav = wav_bytes(&samples, 2, 8000, WavDepth::Float, "{}");
        let back = samples_of_wav(&wav, 2, 8000).unwrap();
        assert_eq!(back.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), samples.map(f32::to_bits));
        assert!(samples_of_wav(&wav, 1, 8000).is_err() && samples_of_wav(&wav, 2, 16000).is_err());
        assert!(samples_of_wav(&wav[..30], 2, 8000).is_err());
        let shorter = wav_bytes(&samples, 2, 8000, WavDepth::Bits16, "");
        assert!(samples_of_wav(&shorter, 2, 8000).is_err());
    }
}
