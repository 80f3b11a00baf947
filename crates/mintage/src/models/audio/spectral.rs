//! Signals as networks see them, and how far one is from another: short-time spectra of several lengths.
//!
//! A signal `[n, time]` has `time / hop` frames, each under a window of four hops. What goes into a network is the
//! spectrum of each frame with its magnitudes compressed to their square roots, and their logarithms; what comes out is
//! such a compressed spectrum, stretched again and added up (the inverse of [`kernels::stft`]). A network that hears and
//! says only how loud each frequency is leaves the phases to Griffin and Lim.
//!
//! ```text
//! L(x, x̂) = Σ_n  Σ| |X_n| − |X̂_n| | / Σ|X_n|  +  mean |ln(|X_n| + ε) − ln(|X̂_n| + ε)|       (Yamamoto et al., arXiv:1910.11480)
//! ```

use burn::tensor::Tensor;
use mintage_nn::{Rng, kernels};

/// Windows are so many hops long.
pub const OVERLAP: usize = 4;
/// What magnitudes are never taken to be below: 80 dB under a full sine.
const QUIET: f64 = 1e-4;
/// Logarithms of magnitudes are divided by the one and moved by the other, which brings them to about [−1, 2].
const LEVEL_SCALE: f64 = 3.0;
const LEVEL_SHIFT: f64 = 2.0;
/// How far each round of Griffin and Lim goes on beyond where it came to.
const MOMENTUM: f64 = 0.99;

/// How a signal is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Samples from frame to frame; even.
    pub hop: usize,
    pub channels: usize,
}

impl Framing {
    /// About 125 frames a second, a power of two samples each, which the segments of a codec are multiples of.
    pub fn of_rate(rate_hz: u32, channels: usize) -> Self {
        let hop = (f64::from(rate_hz) / 125.0).log2().round().clamp(4.0, 8.0);
        Self { hop: 1 << hop as u32, channels }
    }

    pub fn window(self) -> usize {
        OVERLAP * self.hop
    }

    /// Bins of a spectrum.
    fn bins(self) -> usize {
        self.window() / 2 + 1
    }

    /// Numbers of a frame that go into a network, of all channels.
    pub fn inputs(self) -> usize {
        3 * self.bins() * self.channels
    }

    /// Numbers of a frame that come out of one.
    pub fn outputs(self) -> usize {
        2 * self.bins() * self.channels
    }

    /// `[n, channels · time]` → `[n · time / hop, inputs]`.
    pub fn features(self, x: Tensor<2>) -> Tensor<2> {
        let [n, all] = x.dims();
        let (channels, time) = (self.channels, all / self.channels);
        let padded = self.padded(x.reshape([n * channels, time]));
        let (re, im) = self.parts(kernels::stft(padded, self.window(), self.hop));
        let magnitude = magnitude(re.clone(), im.clone());
        let root = magnitude.clone().sqrt();
        let level = level(magnitude);
        let frames = time / self.hop;
        let rows = Tensor::cat(vec![re / root.clone() * 3.0, im / root * 3.0, level], 2);
        let width = 3 * self.bins();
        match channels {
            1 => rows.reshape([n * frames, width]),
            _ => rows
                .reshape([n, channels, frames, width])
                .permute([0, 2, 1, 3])
                .reshape([n * frames, channels * width]),
        }
    }

    /// `[n · frames, outputs]` → `[n, channels · frames · hop]`.
    pub fn signal(self, rows: Tensor<2>, n: usize) -> Tensor<2> {
        let (channels, width) = (self.channels, 2 * self.bins());
        let frames = rows.dims()[0] / n;
        let spectra: Tensor<3> = match channels {
            1 => rows.reshape([n, frames, width]),
            _ => rows.reshape([n, frames, channels, width]).permute([0, 2, 1, 3]).reshape([
                n * channels,
                frames,
                width,
            ]),
        };
        let (re, im) =
            (spectra.clone().narrow(2, 0, self.bins()), spectra.narrow(2, self.bins(), self.bins()));
        // The square of what is there, with its direction: undoes the compression of the features.
        let root = magnitude(re.clone(), im.clone()) * (self.window() as f64 / 4.0);
        let spectra = Tensor::cat(vec![re * root.clone(), im * root], 2);
        let ends = (self.window() - self.hop) / 2;
        let signals = kernels::istft(spectra, self.hop);
        signals.narrow(1, ends, frames * self.hop).reshape([n, channels * frames * self.hop])
    }

    /// Numbers of a frame that say how loud each frequency is, of all channels.
    pub fn level_count(self) -> usize {
        self.bins() * self.channels
    }

    /// How loud each frequency is: `[n, channels · time]` → `[n · time / hop, level_count]`.
    pub fn levels(self, x: Tensor<2>) -> Tensor<2> {
        let [n, all] = x.dims();
        let (channels, time, bins) = (self.channels, all / self.channels, self.bins());
        let padded = self.padded(x.reshape([n * channels, time]));
        let (re, im) = self.parts(kernels::stft(padded, self.window(), self.hop));
        let levels = level(magnitude(re, im)).reshape([n, channels, time / self.hop, bins]);
        levels.permute([0, 2, 1, 3]).reshape([n * (time / self.hop), channels * bins])
    }

    /// A signal as loud at each frequency as `levels [n · frames, level_count]` say, whose phases are found in `rounds` of
    /// Griffin and Lim (1984) with momentum (Perraudin et al., 2013), from random ones: `[n, channels · frames · hop]`.
    pub fn sounding(self, levels: Tensor<2>, n: usize, rounds: usize, rng: &mut Rng) -> Tensor<2> {
        let (channels, bins, device) = (self.channels, self.bins(), levels.device());
        let frames = levels.dims()[0] / n;
        let wanted = loudness(levels) * (self.window() as f64 / 4.0);
        let wanted = wanted.reshape([n, frames, channels, bins]).permute([0, 2, 1, 3]);
        let wanted = wanted.reshape([n * channels, frames, bins]);
        // One choice of phases for all channels, so that what sounds in the middle stays there.
        let phases = rng.uniform_tensor([n, 1, frames, bins], &device) * std::f64::consts::TAU;
        let phases = phases.expand([n, channels, frames, bins]).reshape([n * channels, frames, bins]);
        let mut spectra =
            Tensor::cat(vec![wanted.clone() * phases.clone().cos(), wanted.clone() * phases.sin()], 2);
        let ends = (self.window() - self.hop) / 2;
        let signal = |spectra| kernels::istft(spectra, self.hop).narrow(1, ends, frames * self.hop);
        let mut before: Option<Tensor<3>> = None;
        for _ in 0..rounds {
            let found = kernels::stft(self.padded(signal(spectra)), self.window(), self.hop);
            let ahead = match before {
                Some(before) => found.clone() + (found.clone() - before) * MOMENTUM,
                None => found.clone(),
            };
            before = Some(found);
            let (re, im) = (ahead.clone().narrow(2, 0, bins), ahead.narrow(2, bins, bins));
            let scale = wanted.clone() / magnitude(re.clone(), im.clone());
            spectra = Tensor::cat(vec![re * scale.clone(), im * scale], 2);
        }
        signal(spectra).reshape([n, channels * frames * self.hop])
    }

    /// Signals `[n, time]` with silence at both ends, so that there is a frame for every hop.
    fn padded(self, x: Tensor<2>) -> Tensor<2> {
        let ends = (self.window() - self.hop) / 2;
        x.pad((ends, ends, 0, 0), 0.0)
    }

    /// Real and imaginary parts, where 1 is a full sine.
    fn parts(self, spectra: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        let spectra = spectra * (4.0 / self.window() as f64);
        let bins = self.bins();
        (spectra.clone().narrow(2, 0, bins), spectra.narrow(2, bins, bins))
    }
}

/// `√(re² + im²)`, never quite 0.
fn magnitude(re: Tensor<3>, im: Tensor<3>) -> Tensor<3> {
    (re.powi_scalar(2) + im.powi_scalar(2) + QUIET * QUIET).sqrt()
}

/// Magnitudes as networks see them.
fn level<const D: usize>(magnitude: Tensor<D>) -> Tensor<D> {
    magnitude.log() / LEVEL_SCALE + LEVEL_SHIFT
}

/// Magnitudes of levels, where 1 is a full sine.
pub fn loudness(levels: Tensor<2>) -> Tensor<2> {
    ((levels - LEVEL_SHIFT) * LEVEL_SCALE).exp()
}

/// Windows of the losses, in samples: 16, 32 and 64 thousandths of a second.
pub fn loss_windows(rate_hz: u32) -> [usize; 3] {
    [64, 32, 16].map(|share| ((rate_hz / share).max(16) as usize).next_power_of_two())
}

/// `L(x, x̂)` of the module over signals `[n, time]`, mean over `windows`; `x` has no gradient.
pub fn spectral_distance(x: &Tensor<2>, y: &Tensor<2>, windows: &[usize]) -> Tensor<1> {
    let time = x.dims()[1];
    let distance = |&window: &usize| {
        let framing = Framing { hop: window / OVERLAP, channels: 1 };
        let magnitudes = |signal: &Tensor<2>| {
            let ends = window / 2;
            let spectra = kernels::stft(signal.clone().pad((ends, ends, 0, 0), 0.0), window, framing.hop);
            let (re, im) = framing.parts(spectra);
            magnitude(re, im)
        };
        let (real, made) = (magnitudes(x), magnitudes(y));
        let whole = real.clone().sum();
        let linear = (real.clone() - made.clone()).abs().sum() / whole;
        linear + (real.log() - made.log()).abs().mean()
    };
    let distances: Vec<_> = windows.iter().filter(|&&window| window <= time).map(distance).collect();
    let count = distances.len().max(1) as f64;
    let sum = distances.into_iter().reduce(|a, b| a + b);
    sum.unwrap_or_else(|| Tensor::zeros([1], &y.device())) / count
}

/// Signal over what is left of it, decibel, at the best scale of `y` (Le Roux et al., arXiv:1811.02508, SI-SDR): one a
/// signal of `time` samples.
pub fn si_sdr_db(x: &[f32], y: &[f32], time: usize) -> Vec<f64> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let one = |(x, y): (&[f32], &[f32])| {
        let scale = dot(x, y) / dot(x, x).max(1e-12);
        let target = scale * scale * dot(x, x);
        let rest = (dot(y, y) - target).max(1e-12);
        10.0 * (target.max(1e-12) / rest).log10()
    };
    x.chunks_exact(time).zip(y.chunks_exact(time)).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use mintage_nn::{Rng, weights::to_vec};

    #[test]
    fn the_compressed_spectrum_is_the_signal() {
        for channels in [1, 2] {
            let framing = Framing { hop: 16, channels };
            let (n, time, device) = (2, 160, Device::flex());
            let x: Vec<f32> = Rng::new(1, 0).normals(n * channels * time).iter().map(|v| 0.2 * v).collect();
            let signal = Tensor::<1>::from_floats(x.as_slice(), &device).reshape([n, channels * time]);
            let features = framing.features(signal.clone());
            assert_eq!(features.dims(), [n * 10, framing.inputs()]);
            // Of each channel: what a network would have to give, a third of its first two parts.
            let width = 3 * framing.bins();
            let parts =
                (0..channels).map(|c| features.clone().narrow(1, c * width, 2 * framing.bins()) / 3.0);
            let back = to_vec(&framing.signal(Tensor::cat(parts.collect(), 1), n));
            let near = |(a, b): (&f32, &f32)| (a - b).abs() < 2e-3;
            for (x, back) in x.chunks(time).zip(back.chunks(time)) {
                // The ends lie under the outer halves of windows alone.
                assert!(x[16..144].iter().zip(&back[16..144]).all(near), "{x:?} {back:?}");
            }
        }
    }

    #[test]
    fn a_signal_is_found_again_by_how_loud_its_frequencies_are() {
        for channels in [1, 2] {
            let (framing, device) = (Framing { hop: 16, channels }, Device::flex());
            let tone = |t: usize| 0.3 * (0.1 * (1.0 + 1e-3 * t as f32) * t as f32).sin();
            let x: Vec<f32> = (0..2 * channels * 320).map(|i| tone(i % 320)).collect();
            let x = Tensor::<1>::from_floats(x.as_slice(), &device).reshape([2, channels * 320]);
            let levels = framing.levels(x.clone());
            assert_eq!(levels.dims(), [2 * 20, framing.level_count()]);
            let back = framing.sounding(levels.clone(), 2, 50, &mut Rng::new(1, 0));
            assert_eq!(back.dims(), x.dims());
            let (wanted, found) = (loudness(levels), loudness(framing.levels(back)));
            let missed = (found - wanted.clone()).abs().sum() / wanted.sum();
            let missed = missed.into_scalar::<f32>();
            assert!(missed < 0.3, "{channels} channels: {missed}");
        }
    }

    #[test]
    fn distances_and_ratios() {
        let device = Device::flex();
        let x = Rng::new(2, 0).normals(2 * 256);
        let tensor = |v: &[f32]| Tensor::<1>::from_floats(v, &device).reshape([2, 256]);
        let same = spectral_distance(&tensor(&x), &tensor(&x), &[64, 128]).into_scalar::<f32>();
        assert!(same < 1e-5, "{same}");
        let half: Vec<f32> = x.iter().map(|v| 0.5 * v).collect();
        let other = spectral_distance(&tensor(&x), &tensor(&half), &[64, 128]).into_scalar::<f32>();
        assert!((other - (0.5 + std::f32::consts::LN_2)).abs() < 0.01, "{other}");
        // Longer than the signal: nothing to compare.
        assert_eq!(spectral_distance(&tensor(&x), &tensor(&half), &[512]).into_scalar::<f32>(), 0.0);
        // At any scale: half of it is all of it.
        assert!(si_sdr_db(&x, &half, 256).iter().all(|&db| db > 60.0));
        let noise = Rng::new(3, 0).normals(512);
        let noisy: Vec<f32> = x.iter().zip(noise).map(|(x, n)| x + 0.1 * n).collect();
        assert!(si_sdr_db(&x, &noisy, 256).iter().all(|&db| (db - 20.0).abs() < 1.5));
    }

    #[test]
    fn frames_of_usual_rates() {
        let hop = |rate| Framing::of_rate(rate, 1).hop;
        assert_eq!([4_000, 8_000, 16_000, 22_050, 44_100].map(hop), [32, 64, 128, 128, 256]);
        assert_eq!(loss_windows(8_000), [128, 256, 512]);
    }
}
