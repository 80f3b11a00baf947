//! Signals as networks see them, and how far one is from another: short-time spectra of several lengths.
//!
//! A signal `[n, time]` has `time / hop` frames, each under a window of four hops. What goes into a network is the
//! spectrum of each frame with its magnitudes compressed to their square roots, and their logarithms; what comes out is
//! such a compressed spectrum, stretched again and added up (the inverse of [`kernels::stft`]). A network that says only how
//! loud each frequency is leaves the phases to Griffin and Lim (`griffin_lim.rs`).
//!
//! ```text
//! L(x, x̂) = Σ_n  Σ| |X_n| − |X̂_n| | / Σ|X_n|  +  mean |ln(|X_n| + ε) − ln(|X̂_n| + ε)|       (Yamamoto et al., arXiv:1910.11480)
//! ```

use burn::tensor::Tensor;
use mintage_nn::kernels;

/// Hops in a window.
pub const OVERLAP: usize = 4;
/// Lower bound of magnitudes: 80 dB below a full sine.
const MIN_MAGNITUDE: f64 = 1e-4;
/// Level of a full sine above [`MIN_MAGNITUDE`], in nepers: `ln 10⁴`.
const FULL_SCALE_NEPERS: f64 = 9.210_340_371_976_184;

/// How a signal is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// Samples from frame to frame; even.
    pub hop: usize,
    /// Channels of a signal, which lie one after another.
    pub channels: usize,
}

impl Framing {
    /// About 125 frames a second, a power of two samples each, which the segments of a codec are multiples of.
    pub fn of_rate(rate_hz: u32, channels: usize) -> Self {
        let hop = (f64::from(rate_hz) / 125.0).log2().round().clamp(4.0, 8.0);
        Self { hop: 1 << hop as u32, channels }
    }

    /// Samples under a window: four hops.
    pub fn window(self) -> usize {
        OVERLAP * self.hop
    }

    /// Bins of a spectrum.
    pub fn bins(self) -> usize {
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

    /// Numbers of a frame that say how loud each frequency is, of all channels.
    pub fn level_count(self) -> usize {
        self.bins() * self.channels
    }

    /// `[n, channels · time]` → `[n · time / hop, inputs]`.
    pub fn features(self, x: Tensor<2>) -> Tensor<2> {
        let (re, im) = self.spectra(x);
        let magnitude = magnitude(re.clone(), im.clone());
        let root = magnitude.clone().sqrt();
        let level = magnitude.log() / 3.0 + 2.0;
        self.rows(Tensor::cat(vec![re / root.clone() * 3.0, im / root * 3.0, level], 2))
    }

    /// `[n, channels · time]` → `[n · frames, channels · bins]`: how loud each frequency is, 0 for silence and 2 for a full
    /// sine, even steps for even numbers of decibels.
    pub fn levels(self, x: Tensor<2>) -> Tensor<2> {
        let (re, im) = self.spectra(x);
        self.rows((magnitude(re, im) / MIN_MAGNITUDE).log() * (2.0 / FULL_SCALE_NEPERS))
    }

    /// Undoes the logarithms of [`levels`](Self::levels): `[n · frames, channels · bins]` → magnitudes
    /// `[n · channels, frames, bins]`, where 1 is a full sine.
    pub fn magnitudes(self, levels: Tensor<2>, n: usize) -> Tensor<3> {
        // A network may say more than there is, or less.
        let levels = levels.clamp(0.0, 2.0) * (FULL_SCALE_NEPERS / 2.0);
        let power = (levels * 2.0).exp() - 1.0;
        self.planes(power.clamp_min(0.0).sqrt() * MIN_MAGNITUDE, n)
    }

    /// Real and imaginary parts `[n · channels, frames, bins]` of signals `[n, channels · time]`, where 1 is a full sine.
    fn spectra(self, x: Tensor<2>) -> (Tensor<3>, Tensor<3>) {
        let [n, all] = x.dims();
        let time = all / self.channels;
        let ends = (self.window() - self.hop) / 2;
        let padded = x.reshape([n * self.channels, time]).pad((ends, ends, 0, 0), 0.0);
        self.parts(kernels::stft(padded, self.window(), self.hop))
    }

    /// What is said of each channel, side by side: `[n · channels, frames, width]` → `[n · frames, channels · width]`.
    fn rows(self, planes: Tensor<3>) -> Tensor<2> {
        let ([all, frames, width], channels) = (planes.dims(), self.channels);
        let n = all / channels;
        match channels {
            1 => planes.reshape([n * frames, width]),
            _ => planes
                .reshape([n, channels, frames, width])
                .permute([0, 2, 1, 3])
                .reshape([n * frames, channels * width]),
        }
    }

    /// Undoes [`rows`](Self::rows).
    fn planes(self, rows: Tensor<2>, n: usize) -> Tensor<3> {
        let ([all, width], channels) = (rows.dims(), self.channels);
        let (frames, width) = (all / n, width / channels);
        match channels {
            1 => rows.reshape([n, frames, width]),
            _ => rows.reshape([n, frames, channels, width]).permute([0, 2, 1, 3]).reshape([
                n * channels,
                frames,
                width,
            ]),
        }
    }

    /// `[n · frames, outputs]` → `[n, channels · frames · hop]`.
    pub fn signal(self, rows: Tensor<2>, n: usize) -> Tensor<2> {
        let frames = rows.dims()[0] / n;
        let spectra = self.planes(rows, n);
        let (re, im) =
            (spectra.clone().narrow(2, 0, self.bins()), spectra.narrow(2, self.bins(), self.bins()));
        // The square of what is there, with its direction: undoes the compression of the features.
        let root = magnitude(re.clone(), im.clone()) * (self.window() as f64 / 4.0);
        let spectra = Tensor::cat(vec![re * root.clone(), im * root], 2);
        self.inner(kernels::istft(spectra, self.hop)).reshape([n, self.channels * frames * self.hop])
    }

    /// What lies under the middle two hops of all windows alone: `[n, time + window − hop]` → `[n, time]`.
    pub fn inner(self, signals: Tensor<2>) -> Tensor<2> {
        let (ends, all) = ((self.window() - self.hop) / 2, signals.dims()[1]);
        signals.narrow(1, ends, all - 2 * ends)
    }

    /// Real and imaginary parts, where 1 is a full sine.
    fn parts(self, spectra: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        let spectra = spectra * (4.0 / self.window() as f64);
        let bins = self.bins();
        (spectra.clone().narrow(2, 0, bins), spectra.narrow(2, bins, bins))
    }
}

/// Undoes the logarithms of [`levels`](Framing::levels) smoothly, for losses: silence is a small positive
/// number.
pub fn loudness(levels: Tensor<2>) -> Tensor<2> {
    (levels * (FULL_SCALE_NEPERS / 2.0)).exp() * MIN_MAGNITUDE
}

/// `√(re² + im²)`, never quite 0.
fn magnitude(re: Tensor<3>, im: Tensor<3>) -> Tensor<3> {
    (re.powi_scalar(2) + im.powi_scalar(2) + MIN_MAGNITUDE * MIN_MAGNITUDE).sqrt()
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

/// Scale-invariant signal-to-distortion ratio of `y` against the original `x`, in decibels (SI-SDR, Le Roux
/// et al., arXiv:1811.02508): one value for each signal of `time` samples.
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
