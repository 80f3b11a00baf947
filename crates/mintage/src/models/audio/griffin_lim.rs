//! Signals from magnitudes alone: the fast algorithm of Griffin and Lim (Perraudin et al., 2013).
//!
//! Windows overlap, so most spectra are those of no signal, and the magnitudes of all windows together say nearly all
//! that the phases would. What is looked for are phases with which the spectrum is that of a signal: by turns the
//! magnitudes are put right, and the spectrum is taken of the nearest signal,
//!
//! ```text
//! t_i = STFT(iSTFT(c_i))     y = t_i + α (t_i − t_{i−1})     c_{i+1} = A · y / |y|
//! ```

use burn::tensor::Tensor;
use mintage_nn::{Rng, cancel, kernels};

use super::spectral::Framing;

/// α.
const MOMENTUM: f64 = 0.99;

/// Signals `[n, channels · frames · hop]` whose levels are near `levels [n · frames, channels · bins]` (see
/// [`Framing::levels`]), after `turns` iterations. Phases are random at first, alike in all channels of a
/// sound.
pub fn signal_of_levels(
    framing: Framing,
    levels: Tensor<2>,
    n: usize,
    turns: usize,
    rng: &mut Rng,
) -> Tensor<2> {
    let all = levels.dims()[0];
    let frames = all / n;
    let magnitudes = framing.magnitudes(levels, n) * (framing.window() as f64 / 4.0);
    let bins = framing.bins();
    let phases = rng.uniform_tensor([n, 1, frames, bins], &magnitudes.device()) * std::f64::consts::TAU;
    let phases: Tensor<3> = phases.expand([n, framing.channels, frames, bins]).reshape(magnitudes.dims());
    let mut spectra =
        Tensor::cat(vec![magnitudes.clone() * phases.clone().cos(), magnitudes.clone() * phases.sin()], 2);
    let twice = Tensor::cat(vec![magnitudes; 2], 2);
    let mut before: Option<Tensor<3>> = None;
    for _ in (0..turns).take_while(|_| !cancel::wanted()) {
        let near = kernels::stft(kernels::istft(spectra, framing.hop), framing.window(), framing.hop);
        let ahead = match before {
            Some(before) => near.clone() + (near.clone() - before) * MOMENTUM,
            None => near.clone(),
        };
        spectra = twice.clone() * directions(ahead, bins);
        before = Some(near);
    }
    let signals = framing.inner(kernels::istft(spectra, framing.hop));
    signals.reshape([n, framing.channels * frames * framing.hop])
}

/// Complex numbers of length 1 (or 0) that point where these do: `[n, frames, 2 · bins]`, real parts first.
fn directions(spectra: Tensor<3>, bins: usize) -> Tensor<3> {
    let power = spectra.clone().powi_scalar(2);
    let power = power.clone().narrow(2, 0, bins) + power.narrow(2, bins, bins);
    let length = (power + 1e-20).sqrt();
    spectra / Tensor::cat(vec![length; 2], 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use mintage_nn::weights::to_vec;

    #[test]
    fn a_tone_is_found_again() {
        for channels in [1, 2] {
            let (framing, n, time) = (Framing { hop: 16, channels }, 2, 320);
            let x: Vec<f32> = (0..n * channels * time)
                .map(|i| 0.3 * (0.3 * (i % time) as f32).sin() + 0.1 * (1.1 * (i % time) as f32).sin())
                .collect();
            let x = Tensor::<1>::from_floats(x.as_slice(), &Device::flex()).reshape([n, channels * time]);
            let levels = framing.levels(x);
            assert_eq!(levels.dims(), [n * 20, channels * 33]);
            let y = signal_of_levels(framing, levels.clone(), n, 40, &mut Rng::new(1, 0));
            assert_eq!(y.dims(), [n, channels * time]);
            let [wanted, found] =
                [levels, framing.levels(y)].map(|levels| to_vec(&framing.magnitudes(levels, n)));
            let missed: f32 = wanted.iter().zip(&found).map(|(a, b)| (a - b).powi(2)).sum();
            let all: f32 = wanted.iter().map(|a| a * a).sum();
            assert!(missed < 0.05 * all, "{channels} channels: {missed} of {all}");
        }
    }
}
