//! Log-mel spectrograms: what a sound looks like to the ear, for pictures and for judging.
//!
//! As librosa takes them: a Hann window around every `hop`-th sample, with silence outside, the power of its
//! frequencies summed by triangles that overlap by half on Slaney's scale (linear up to 1 kHz, logarithmic above) and
//! have equal areas, and the natural logarithm of that, with a floor.

use std::{fmt, sync::Arc};

use realfft::{RealFftPlanner, RealToComplex};

use crate::{ImageShape, Images};

/// Power below which all is silence: −100 dB.
const FLOOR: f32 = 1e-10;
/// Decibels between black and white in pictures.
const RANGE_DB: f32 = 80.0;

/// How a spectrogram is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MelParams {
    pub rate_hz: u32,
    /// Samples of a window.
    pub window: usize,
    /// Samples from one window to the next.
    pub hop: usize,
    pub mels: usize,
    pub min_hz: f32,
    pub max_hz: f32,
}

impl MelParams {
    /// Windows of 32 to 64 ms, four of which overlap, and 64 bands of all that there is.
    pub fn of(rate_hz: u32) -> Self {
        let window = (rate_hz as usize * 32 / 1000).next_power_of_two();
        Self { rate_hz, window, hop: window / 4, mels: 64, min_hz: 0.0, max_hz: rate_hz as f32 / 2.0 }
    }
}

/// Takes spectrograms of one kind.
pub struct LogMel {
    params: MelParams,
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// Of each band the first frequency, and weights from there on.
    bands: Vec<(usize, Vec<f32>)>,
}

impl fmt::Debug for LogMel {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("LogMel").field("params", &self.params).finish_non_exhaustive()
    }
}

impl LogMel {
    pub fn new(params: MelParams) -> Self {
        let n = params.window;
        let hann = |i: usize| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / n as f32).cos();
        let fft = RealFftPlanner::new().plan_fft_forward(n);
        Self { params, fft, window: (0..n).map(hann).collect(), bands: bands(params) }
    }

    pub fn params(&self) -> MelParams {
        self.params
    }

    /// The lowest and the highest frequency of a band, which overlaps with its neighbours by half.
    pub fn band_hz(&self, band: usize) -> (f32, f32) {
        (corner(self.params, band), corner(self.params, band + 2))
    }

    /// Windows of a sound.
    pub fn frames(&self, samples: usize) -> usize {
        1 + samples / self.params.hop
    }

    /// The spectrogram of one channel: `[frames, mels]`.
    pub fn of(&self, samples: &[f32]) -> Vec<f32> {
        let MelParams { window: n, hop, .. } = self.params;
        let (mut input, mut spectrum) = (self.fft.make_input_vec(), self.fft.make_output_vec());
        let mut scratch = self.fft.make_scratch_vec();
        let mut out = Vec::with_capacity(self.frames(samples.len()) * self.bands.len());
        for frame in 0..self.frames(samples.len()) {
            for (i, (x, weight)) in input.iter_mut().zip(&self.window).enumerate() {
                let at = (frame * hop + i).checked_sub(n / 2);
                *x = weight * at.and_then(|at| samples.get(at)).copied().unwrap_or(0.0);
            }
            let done = self.fft.process_with_scratch(&mut input, &mut spectrum, &mut scratch);
            debug_assert!(done.is_ok(), "the lengths are those that the plan asked for");
            out.extend(self.bands.iter().map(|(first, weights)| {
                let power: f32 = spectrum[*first..].iter().zip(weights).map(|(z, w)| z.norm_sqr() * w).sum();
                power.max(FLOOR).ln()
            }));
        }
        out
    }

    /// The spectrogram as a gray picture, low tones at the bottom.
    pub fn picture(&self, samples: &[f32]) -> Images {
        let (values, mels) = (self.of(samples), self.bands.len());
        let frames = values.len() / mels.max(1);
        let top = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let brightness = |value: f32| {
            let below_db = (top - value) * 10.0 / std::f32::consts::LN_10;
            ((1.0 - below_db / RANGE_DB).clamp(0.0, 1.0) * 255.0).round() as u8
        };
        let pixel = |i: usize| brightness(values[i % frames * mels + (mels - 1 - i / frames)]);
        let shape = ImageShape { channels: 1, height: mels, width: frames };
        Images { shape, pixels: (0..shape.pixels()).map(pixel).collect(), labels: vec![], classes: vec![] }
    }
}

/// Triangles between neighbouring mels.
fn bands(params: MelParams) -> Vec<(usize, Vec<f32>)> {
    let step = params.rate_hz as f32 / params.window as f32;
    let band = |i: usize| {
        let [from, middle, to] = [i, i + 1, i + 2].map(|i| corner(params, i));
        let weight = |bin: usize| {
            let at = bin as f32 * step;
            let height = ((at - from) / (middle - from)).min((to - at) / (to - middle)).max(0.0);
            height * 2.0 / (to - from)
        };
        let all: Vec<f32> = (0..=params.window / 2).map(weight).collect();
        let first = all.iter().position(|&w| w > 0.0).unwrap_or(0);
        let last = all.iter().rposition(|&w| w > 0.0).map_or(first, |last| last + 1);
        (first, all[first..last].to_vec())
    };
    (0..params.mels).map(band).collect()
}

/// Where triangle `i` begins, the one before it has its top, and the one before that ends.
fn corner(params: MelParams, i: usize) -> f32 {
    let (low, high) = (mel(params.min_hz), mel(params.max_hz));
    hz(low + (high - low) * i as f32 / (params.mels + 1) as f32)
}

/// Where Slaney's scale bends.
const BEND_HZ: f32 = 1000.0;
const BEND_MEL: f32 = 15.0;
/// Of the logarithm above it, a mel.
const STEP: f32 = 0.068_751_78; // ln(6.4) / 27

fn mel(hz: f32) -> f32 {
    if hz < BEND_HZ { hz * BEND_MEL / BEND_HZ } else { BEND_MEL + (hz / BEND_HZ).ln() / STEP }
}

fn hz(mel: f32) -> f32 {
    if mel < BEND_MEL { mel * BEND_HZ / BEND_MEL } else { BEND_HZ * ((mel - BEND_MEL) * STEP).exp() }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn noise(n: usize) -> Vec<f32> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state) / f64::from(u32::MAX) - 0.5
        };
        (0..n).map(|_| next() as f32).collect()
    }

    #[test]
    fn a_frame_is_what_the_direct_transform_gives() {
        let params =
            MelParams { rate_hz: 8000, window: 128, hop: 32, mels: 20, min_hz: 100.0, max_hz: 3800.0 };
        let (log_mel, samples) = (LogMel::new(params), noise(500));
        let found = log_mel.of(&samples);
        assert_eq!(found.len(), 16 * 20);
        for frame in [0, 5, 15] {
            let at = |i: usize| (frame * 32 + i).checked_sub(64).and_then(|at| samples.get(at));
            let powers: Vec<f64> = (0..=64)
                .map(|k| {
                    let (mut re, mut im) = (0.0, 0.0);
                    for i in 0..128 {
                        let window = 0.5 - 0.5 * (TAU * i as f64 / 128.0).cos();
                        let x = window * f64::from(*at(i).unwrap_or(&0.0));
                        re += x * (TAU * (k * i) as f64 / 128.0).cos();
                        im -= x * (TAU * (k * i) as f64 / 128.0).sin();
                    }
                    re * re + im * im
                })
                .collect();
            for band in 0..20 {
                let corner = |i: usize| {
                    let (low, high) = (f64::from(mel(100.0)), f64::from(mel(3800.0)));
                    f64::from(hz((low + (high - low) * i as f64 / 21.0) as f32))
                };
                let (from, middle, to) = (corner(band), corner(band + 1), corner(band + 2));
                let weight = |k: usize| {
                    let at = k as f64 * 62.5;
                    let rise = (at - from) / (middle - from);
                    rise.min((to - at) / (to - middle)).max(0.0) * 2.0 / (to - from)
                };
                let power: f64 = powers.iter().enumerate().map(|(k, power)| power * weight(k)).sum();
                let wanted = power.max(1e-10).ln() as f32;
                assert!((found[frame * 20 + band] - wanted).abs() < 1e-2, "{frame} {band}: {wanted}");
            }
        }
    }

    #[test]
    fn the_scale_is_slaney_s() {
        // As librosa.hz_to_mel gives them.
        for (f, m) in [(60.0, 0.9), (440.0, 6.6), (1000.0, 15.0), (6400.0, 42.0)] {
            assert!((mel(f) - m).abs() < 1e-4 && (hz(m) - f).abs() < f * 1e-4, "{f}");
        }
    }

    #[test]
    fn a_tone_is_a_bright_line() {
        let tone: Vec<f32> = (0..8000).map(|i| (i as f32 * 0.8).sin() * 0.5).collect(); // 1019 Hz
        let picture = LogMel::new(MelParams::of(8000)).picture(&tone);
        let ImageShape { height, width, .. } = picture.shape;
        assert_eq!((height, width), (64, 1 + 8000 / 64));
        let column = |row: usize| picture.pixels[row * width + width / 2];
        let brightest = (0..height).max_by_key(|&row| column(row)).unwrap_or(0);
        let middle = hz((mel(4000.0) / 65.0) * (height - brightest) as f32);
        assert!((middle - 1019.0).abs() < 60.0, "{middle}");
        assert!(column(0) < 60 && column(brightest) > 200);
        assert!(LogMel::new(MelParams::of(8000)).of(&[]).iter().all(|&value| value == FLOOR.ln()));
    }
}
