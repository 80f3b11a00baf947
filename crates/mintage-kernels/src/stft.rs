//! The short-time Fourier transform of real signals and its inverse, by fast Fourier transforms.
//!
//! ```text
//! X[f, k] = Σ_t w[t] x[f h + t] e^(−2πi k t / n)                         k = 0 … n/2, h the hop, w a periodic Hann window
//! x̂[t]    = Σ_f w[t − f h] irfft(X[f])[t − f h] / Σ_f w[t − f h]²        (Griffin & Lim, 1984, equation 6)
//! ```
//!
//! Either is linear, and each one's backward is the other with other weights of the bins: all but the first and the
//! last stand for two bins of the whole spectrum.

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex32};

use super::flex::{Fused, contiguous, dims, from_vec, values};
use super::memory::items_a_task;

/// Below this share of its largest value the sum of squared windows is not divided by: only the outermost values of
/// a signal lie under so little of any window.
const MIN_WINDOW_SHARE: f32 = 1e-2;

/// Sizes of a transform: windows of `n` values, even, every `hop`, which divides `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frames {
    pub n: usize,
    pub hop: usize,
}

impl Frames {
    /// Real and imaginary parts of a frame.
    pub fn width(self) -> usize {
        self.n + 2
    }

    /// Whole windows in a signal.
    pub fn count(self, time: usize) -> usize {
        if time < self.n { 0 } else { (time - self.n) / self.hop + 1 }
    }

    /// Values under so many windows.
    pub fn time(self, count: usize) -> usize {
        if count == 0 { 0 } else { (count - 1) * self.hop + self.n }
    }

    /// The periodic Hann window.
    pub fn window(self) -> Vec<f32> {
        let turn = std::f64::consts::TAU / self.n as f64;
        (0..self.n).map(|t| (0.5 - 0.5 * (turn * t as f64).cos()) as f32).collect()
    }

    /// What each value of a signal under `count` windows is to be multiplied by: `1 / Σ w²`.
    pub fn weights(self, count: usize) -> Vec<f32> {
        let window = self.window();
        let mut sums = vec![0.0f32; self.time(count)];
        for frame in 0..count {
            let under = &mut sums[frame * self.hop..][..self.n];
            under.iter_mut().zip(&window).for_each(|(sum, w)| *sum += w * w);
        }
        let largest = sums.iter().copied().fold(0.0, f32::max);
        sums.into_iter().map(|sum| 1.0 / sum.max(MIN_WINDOW_SHARE * largest)).collect()
    }
}

/// On `[x]`, `[batch, time]` → `[batch, frames, n + 2]`: real parts, then imaginary ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stft(pub Frames);

/// On `[X]`, `[batch, frames, n + 2]` → `[batch, time]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Istft(pub Frames);

/// How bins are weighted: the first and the last, those between, and those between where they are imaginary.
#[derive(Clone, Copy)]
struct Bins {
    end: f32,
    inner: f32,
}

/// Plans of a length.
struct Plans {
    frames: Frames,
    window: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    back: Arc<dyn ComplexToReal<f32>>,
}

impl Plans {
    fn new(frames: Frames) -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, back) = (planner.plan_fft_forward(frames.n), planner.plan_fft_inverse(frames.n));
        Self { frames, window: frames.window(), forward, back }
    }

    /// Windowed transforms of signals `[batch, time]`, bins weighted, imaginary parts of both ends 0.
    fn analyse(&self, x: &[f32], batch: usize, bins: Bins) -> Vec<f32> {
        let Frames { n, hop } = self.frames;
        let (time, width) = (x.len() / batch, self.frames.width());
        let count = self.frames.count(time);
        let mut out = vec![0.0; batch * count * width];
        let rows = out.par_chunks_mut(width).enumerate().with_min_len(items_a_task(4 * n));
        let scratch = || (self.forward.make_input_vec(), self.forward.make_output_vec());
        rows.for_each_init(scratch, |(signal, spectrum), (row, out)| {
            let from = row / count * time + row % count * hop;
            let under = x[from..from + n].iter().zip(&self.window);
            signal.iter_mut().zip(under).for_each(|(s, (x, w))| *s = x * w);
            // Lengths are the plan's own, so nothing can go wrong.
            let _ = self.forward.process(signal, spectrum);
            let (re, im) = out.split_at_mut(n / 2 + 1);
            for (k, value) in spectrum.iter().enumerate() {
                (re[k], im[k]) = (bins.inner * value.re, bins.inner * value.im);
            }
            for k in [0, n / 2] {
                (re[k], im[k]) = (bins.end * spectrum[k].re, 0.0);
            }
        });
        out
    }

    /// Windowed inverse transforms (sums over the whole spectrum, not divided by `n`) of weighted bins, added where
    /// they overlap: `[batch, time]`.
    fn synthesise(&self, spectra: &[f32], batch: usize, time: usize, bins: Bins) -> Vec<f32> {
        let Frames { n, hop } = self.frames;
        let width = self.frames.width();
        let count = spectra.len() / width / batch;
        let mut out = vec![0.0; batch * time];
        out.par_chunks_mut(time).enumerate().for_each(|(item, out)| {
            let (mut spectrum, mut signal) = (self.back.make_input_vec(), self.back.make_output_vec());
            for frame in 0..count {
                let row = &spectra[(item * count + frame) * width..][..width];
                let (re, im) = row.split_at(n / 2 + 1);
                for (k, value) in spectrum.iter_mut().enumerate() {
                    *value = Complex32::new(bins.inner * re[k], bins.inner * im[k]);
                }
                for k in [0, n / 2] {
                    spectrum[k] = Complex32::new(bins.end * re[k], 0.0);
                }
                let _ = self.back.process(&mut spectrum, &mut signal);
                let under = &mut out[frame * hop..][..n];
                let values = signal.iter().zip(&self.window);
                under.iter_mut().zip(values).for_each(|(out, (s, w))| *out += s * w);
            }
        });
        out
    }
}

impl Fused<1> for Stft {
    /// Values of a signal.
    type Saved = usize;

    fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, usize) {
        let x = contiguous(x);
        let [batch, time] = dims(&x);
        let out = Plans::new(self.0).analyse(values(&x), batch, Bins { end: 1.0, inner: 1.0 });
        (from_vec(out, [batch, self.0.count(time), self.0.width()]), time)
    }

    fn backward(self, time: usize, grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let grad = contiguous(grad);
        let [batch, _, _] = dims(&grad);
        // The inverse counts inner bins twice; here each has one gradient.
        let dx = Plans::new(self.0).synthesise(values(&grad), batch, time, Bins { end: 1.0, inner: 0.5 });
        [Some(from_vec(dx, [batch, time]))]
    }
}

impl Fused<1> for Istft {
    type Saved = ();

    fn forward(&self, [spectra]: [FlexTensor; 1]) -> (FlexTensor, ()) {
        let spectra = contiguous(spectra);
        let [batch, count, _] = dims(&spectra);
        let (time, scale) = (self.0.time(count), 1.0 / self.0.n as f32);
        let bins = Bins { end: scale, inner: scale };
        let mut x = Plans::new(self.0).synthesise(values(&spectra), batch, time, bins);
        let weights = self.0.weights(count);
        x.par_chunks_mut(time).for_each(|x| x.iter_mut().zip(&weights).for_each(|(x, w)| *x *= w));
        (from_vec(x, [batch, time]), ())
    }

    fn backward(self, (): (), grad: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let grad = contiguous(grad);
        let [batch, time] = dims(&grad);
        let count = self.0.count(time);
        let mut g = values(&grad).to_vec();
        let weights = self.0.weights(count);
        g.par_chunks_mut(time).for_each(|g| g.iter_mut().zip(&weights).for_each(|(g, w)| *g *= w));
        let scale = 1.0 / self.0.n as f32;
        let dx = Plans::new(self.0).analyse(&g, batch, Bins { end: scale, inner: 2.0 * scale });
        [Some(from_vec(dx, [batch, count, self.0.width()]))]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::Frames;
    use crate::{
        composite,
        testing::{Case, assert_near, noise},
        to_vec,
    };

    const SIZES: [(usize, usize, usize, usize); 4] =
        [(1, 8, 8, 4), (2, 24, 8, 2), (3, 50, 16, 8), (2, 300, 64, 16)];

    #[test]
    fn both_equal_the_composites() {
        for (batch, time, n, hop) in SIZES {
            let frames = Frames { n, hop };
            let count = frames.count(time);
            let case = Case {
                name: format!("stft of {batch}x{time}, {n} every {hop}"),
                inputs: vec![noise(batch * time, 1)],
                fused: &|v| crate::stft(v[0].clone().reshape([batch, time]), n, hop).flatten(0, 2),
                composite: &|v| composite::stft(v[0].clone().reshape([batch, time]), n, hop).flatten(0, 2),
                tolerance: 2e-6,
            };
            case.check();
            if time < 30 {
                case.check_differences();
            }
            let spectra = |v: &[Tensor<1>]| v[0].clone().reshape([batch, count, n + 2]);
            let case = Case {
                name: format!("istft of {batch}x{count}, {n} every {hop}"),
                inputs: vec![noise(batch * count * (n + 2), 2)],
                fused: &|v| crate::istft(spectra(v), hop).flatten(0, 1),
                composite: &|v| composite::istft(spectra(v), hop).flatten(0, 1),
                tolerance: 5e-6,
            };
            case.check();
            if time < 30 {
                case.check_differences();
            }
        }
    }

    #[test]
    fn the_inverse_undoes_it_but_for_the_ends() {
        let (n, hop, time) = (64, 16, 64 + 16 * 20);
        let x = noise(2 * time, 3);
        let signal = Tensor::<1>::from_floats(x.as_slice(), &Device::flex()).reshape([2, time]);
        let back = to_vec(&crate::istft(crate::stft(signal, n, hop), hop));
        for (x, back) in x.chunks(time).zip(back.chunks(time)) {
            assert_near(&back[hop..time - hop], &x[hop..time - hop]);
        }
    }

    #[test]
    fn a_sine_is_one_bin() {
        let (n, turns) = (64, 5);
        let wave = |t: usize| (std::f32::consts::TAU * (turns * t) as f32 / n as f32).cos();
        let x: Vec<f32> = (0..n).map(wave).collect();
        let x = Tensor::<1>::from_floats(x.as_slice(), &Device::flex()).reshape([1, n]);
        let spectrum = to_vec(&crate::stft(x, n, 16));
        // A Hann window of n values sums to n / 2; a cosine is half at its frequency, a quarter beside it.
        let wanted = |k: usize| match k.abs_diff(turns) {
            0 => n as f32 / 4.0,
            1 => -(n as f32) / 8.0,
            _ => 0.0,
        };
        assert_near(&spectrum[..=n / 2], &(0..=n / 2).map(wanted).collect::<Vec<_>>());
        let none = crate::stft(Tensor::zeros([1, 10], &Device::flex()), n, 16);
        assert_eq!(none.dims(), [1, 0, n + 2]);
    }
}
