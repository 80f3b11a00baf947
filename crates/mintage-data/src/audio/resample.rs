//! Channels are mixed and rates changed as samples come, by Rubato's resampler, which works in the frequency domain.

use rubato::{Fft, FixedSync, Indexing, Resampler as _, audioadapter_buffers::direct::InterleavedSlice};

/// Samples that are transformed at a time, at the lower rate: so sharp is the edge of what is kept.
const BLOCK_SAMPLES: u64 = 1024;
/// What the channel in the middle and those behind add to either side (ITU-R BS.775): −3 dB.
const SURROUND: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// Brings samples of any number of channels to others and to another rate.
pub(super) struct Resampler {
    channels: usize,
    rates: (u64, u64),
    /// Nothing where the rates are equal.
    fft: Option<Fft<f32>>,
    /// Interleaved, not yet resampled.
    waiting: Vec<f32>,
    ready: Vec<f32>,
    read: u64,
    written: u64,
    /// Frames of delay that are still to be left out.
    delay: u64,
}

impl Resampler {
    /// A resampler between two rates, which mixes the channels it is given into `channels`.
    ///
    /// # Errors
    /// The Fourier transform cannot be set up for the two rates.
    pub fn new(from_hz: u32, to_hz: u32, channels: usize) -> Result<Self, String> {
        let (from, to) = (u64::from(from_hz), u64::from(to_hz));
        let fft = match from == to {
            true => None,
            false => {
                // Whole periods of both rates, and an even number of them: half of a block is the delay, in whole samples.
                let period = from / common_divisor(from, to);
                let periods = (BLOCK_SAMPLES * from / from.min(to)).div_ceil(period).next_multiple_of(2);
                let block = (periods * period) as usize;
                let made = Fft::new(from as usize, to as usize, block, channels, FixedSync::Both);
                Some(made.map_err(|error| error.to_string())?)
            }
        };
        let ready = fft.as_ref().map_or(Vec::new(), |fft| vec![0.0; fft.output_frames_max() * channels]);
        let delay = fft.as_ref().map_or(0, |fft| fft.output_delay() as u64);
        Ok(Self { channels, rates: (from, to), fft, waiting: Vec::new(), ready, read: 0, written: 0, delay })
    }

    /// Takes samples channel by channel, and passes those that are ready, interleaved, to `sink`.
    ///
    /// # Errors
    /// The resampler or `sink` fails.
    pub fn push(
        &mut self,
        planes: &[Vec<f32>],
        sink: &mut dyn FnMut(&[f32]) -> Result<(), String>,
    ) -> Result<(), String> {
        self.read += planes.first().map_or(0, Vec::len) as u64;
        mix(planes, self.channels, &mut self.waiting);
        let Some(fft) = &self.fft else {
            self.written = self.read;
            sink(&self.waiting)?;
            self.waiting.clear();
            return Ok(());
        };
        let block = fft.input_frames_next();
        let mut start = 0;
        while self.waiting.len() - start >= block * self.channels {
            self.transform(start, block, u64::MAX, sink)?;
            start += block * self.channels;
        }
        self.waiting.drain(..start);
        Ok(())
    }

    /// Passes the remaining samples to `sink`; returns how many samples of each channel there were in all.
    ///
    /// # Errors
    /// The resampler or `sink` fails.
    pub fn finish(mut self, sink: &mut dyn FnMut(&[f32]) -> Result<(), String>) -> Result<u64, String> {
        let (from, to) = self.rates;
        let all = (self.read * to).div_ceil(from);
        let mut left = self.waiting.len() / self.channels;
        while self.fft.is_some() && self.written < all {
            self.transform(0, left, all, sink)?;
            left = 0;
        }
        Ok(self.written)
    }

    /// Resamples a block, of which `frames` are there and the rest is silence; nothing goes out beyond `all`.
    fn transform(
        &mut self,
        start: usize,
        frames: usize,
        all: u64,
        sink: &mut dyn FnMut(&[f32]) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(fft) = &mut self.fft else { return Ok(()) };
        let (channels, room) = (self.channels, self.ready.len() / self.channels);
        let input = InterleavedSlice::new(&self.waiting[start..start + frames * channels], channels, frames)
            .map_err(|error| error.to_string())?;
        let mut output =
            InterleavedSlice::new_mut(&mut self.ready, channels, room).map_err(|e| e.to_string())?;
        let indexing = Indexing::new().partial_len(frames);
        let made = fft.process_into_buffer(&input, &mut output, Some(&indexing));
        let (_, made) = made.map_err(|error| error.to_string())?;
        let skip = self.delay.min(made as u64);
        self.delay -= skip;
        let end = (made as u64).min(skip.saturating_add(all - self.written));
        self.written += end - skip;
        sink(&self.ready[skip as usize * channels..end as usize * channels])
    }
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// Adds samples to `out`, interleaved, in so many channels (one or two).
fn mix(planes: &[Vec<f32>], channels: usize, out: &mut Vec<f32>) {
    let n = planes.len();
    let Some(first) = planes.first() else { return };
    match (n, channels) {
        (_, 1) => out.extend((0..first.len()).map(|i| planes.iter().map(|p| p[i]).sum::<f32>() / n as f32)),
        (1, _) => out.extend(first.iter().flat_map(|&sample| [sample, sample])),
        (2, _) => out.extend(first.iter().zip(&planes[1]).flat_map(|(&left, &right)| [left, right])),
        _ => {
            let weights: Vec<[f32; 2]> = (0..n).map(|channel| sides(n, channel)).collect();
            // No channel is louder than it was.
            let sums = [0, 1].map(|side| weights.iter().map(|weight| weight[side]).sum::<f32>());
            out.extend((0..first.len()).flat_map(|i| {
                [0, 1].map(|side| {
                    let mixed: f32 = planes.iter().zip(&weights).map(|(plane, w)| plane[i] * w[side]).sum();
                    mixed / sums[side]
                })
            }));
        }
    }
}

/// How much of a channel of `n` goes to the left and to the right, in the order of WAV files: left, right, middle,
/// low, then what is behind, in pairs.
fn sides(n: usize, channel: usize) -> [f32; 2] {
    match (n, channel) {
        (_, 0) => [1.0, 0.0],
        (_, 1) => [0.0, 1.0],
        (3 | 5.., 2) => [SURROUND, SURROUND],
        (6.., 3) => [0.0, 0.0],
        (7, 4) => [0.5, 0.5],
        _ if (n - channel).is_multiple_of(2) => [SURROUND, 0.0],
        _ => [0.0, SURROUND],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::f32::consts::TAU;

    use super::*;

    fn sine(hz: f32, rate_hz: u32, frames: usize) -> Vec<f32> {
        (0..frames).map(|i| 0.5 * (TAU * hz * i as f32 / rate_hz as f32).sin()).collect()
    }

    fn resampled(planes: &[Vec<f32>], from: u32, to: u32, channels: usize, part: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to, channels).unwrap();
        let mut out = Vec::new();
        let mut sink = |samples: &[f32]| {
            out.extend_from_slice(samples);
            Ok(())
        };
        let mut start = 0;
        while start < planes[0].len() {
            let end = planes[0].len().min(start + part);
            let parts: Vec<Vec<f32>> = planes.iter().map(|plane| plane[start..end].to_vec()).collect();
            resampler.push(&parts, &mut sink).unwrap();
            start = end;
        }
        let frames = resampler.finish(&mut sink).unwrap();
        assert_eq!(out.len() as u64, frames * channels as u64);
        out
    }

    #[test]
    fn a_sine_keeps_its_pitch_its_height_and_its_place() {
        for (from, to) in
            [(44_100, 16_000), (8_000, 16_000), (192_000, 16_000), (4_000, 48_000), (11_025, 8_000)]
        {
            let frames = from as usize / 2 + 7;
            let made = resampled(&[sine(440.0, from, frames)], from, to, 1, 1000);
            assert_eq!(made.len(), (frames as u64 * u64::from(to)).div_ceil(u64::from(from)) as usize);
            let wanted = sine(440.0, to, made.len());
            // At the ends there is silence outside, which a filter sees.
            let inner = made.len() / 5..made.len() * 4 / 5;
            let worst = inner.map(|i| (made[i] - wanted[i]).abs()).fold(0.0, f32::max);
            assert!(worst < 2e-3, "{from} → {to}: {worst}");
        }
    }

    #[test]
    fn parts_of_any_size_make_the_same() {
        let planes = [sine(300.0, 22_050, 9_001), sine(700.0, 22_050, 9_001)];
        let whole = resampled(&planes, 22_050, 16_000, 2, 100_000);
        assert_eq!(resampled(&planes, 22_050, 16_000, 2, 1), whole);
        assert_eq!(resampled(&planes, 22_050, 16_000, 2, 1023), whole);
        let same = resampled(&planes, 16_000, 16_000, 2, 17);
        assert_eq!(same[2 * 100..2 * 100 + 2], [planes[0][100], planes[1][100]]);
        assert_eq!(resampled(&[sine(300.0, 44_100, 3)], 44_100, 16_000, 1, 1).len(), 2);
    }

    #[test]
    fn what_is_too_high_for_the_rate_goes() {
        let made = resampled(&[sine(7_000.0, 44_100, 44_100)], 44_100, 8_000, 1, 4096);
        assert!(made[1000..7000].iter().all(|sample| sample.abs() < 1e-3));
    }

    #[test]
    fn channels_are_mixed_without_growing_louder() {
        let one = |n: usize, channels: usize| {
            let mut out = Vec::new();
            mix(&vec![vec![1.0]; n], channels, &mut out);
            out
        };
        for n in 1..=8 {
            assert!(one(n, 1).iter().chain(&one(n, 2)).all(|sample| (sample - 1.0).abs() < 1e-6), "{n}");
        }
        // Of 5.1 the second of those behind is at the right.
        let mut planes = vec![vec![0.0]; 6];
        planes[5][0] = 1.0;
        let mut out = Vec::new();
        mix(&planes, 2, &mut out);
        assert!(out[0] == 0.0 && out[1] > 0.2);
    }
}
