//! What the decoder of a VAE of sounds is given to make new ones: how many frames each lasts, which latent frames it begins
//! with, and the others, which the prior draws window by window.

use burn::tensor::{Tensor, TensorData};
use mintage_nn::{Rng, cancel, weights::to_vec};

use super::Vae;
use crate::models::{
    Conditioning,
    audio::{
        AudioSampleParams,
        latents::{Frames, Way},
    },
};

/// What new sounds begin with.
pub(super) struct Beginning {
    /// `[time, latent]`, the same for all.
    latents: Vec<f32>,
    /// Latent frames that stay.
    known: usize,
    strength: f32,
}

impl Vae {
    /// Frames of a new sound of a class.
    pub(super) fn length(
        &self,
        draw: &AudioSampleParams,
        begin: &Beginning,
        label: u32,
        rng: &mut Rng,
    ) -> usize {
        /// Lengths that are drawn until one is longer than what is known.
        const MAX_LENGTH_DRAWS: usize = 50;
        let most = draw.length.div_ceil(self.hop()).max(1);
        match &draw.conditioning {
            // As long as the heaviest anchor.
            Conditioning::Blend { .. } if draw.conditioning.item().is_some() => most,
            Conditioning::None | Conditioning::Continue { .. } | Conditioning::Blend { .. }
                if self.info.whole =>
            {
                let known = begin.known * self.config.group;
                let longer = (0..MAX_LENGTH_DRAWS)
                    .map(|_| self.lengths.draw(label, rng))
                    .find(|&length| length > known);
                longer.map_or(most, |length| length.min(most))
            }
            _ => most,
        }
    }

    /// The latent frames that sounds begin with, of all or of those known, as the prior sees them.
    pub(super) fn beginning(&self, draw: &AudioSampleParams) -> Beginning {
        let (samples, strength, keeps) = match &draw.conditioning {
            Conditioning::None | Conditioning::Interpolate { .. } => {
                return Beginning { latents: Vec::new(), known: 0, strength: 1.0 };
            }
            Conditioning::Blend { .. } => return self.blended(&draw.conditioning),
            Conditioning::Vary { item: samples, strength } => (samples, *strength, false),
            Conditioning::Continue { item: samples } => (samples, 1.0, true),
        };
        let (hop, latent) = (self.hop(), self.config.latent);
        let time = samples.len() / self.info.channels;
        let mut latents = self.latents_of(samples);
        if keeps {
            // The end that fills no latent frame is left out.
            latents.truncate(time / (hop * self.config.group) * latent);
        }
        let known = if keeps { latents.len() / latent } else { 0 };
        Beginning { latents, known, strength }
    }

    /// The latent frames of one sound, as the prior sees them.
    fn latents_of(&self, samples: &[f32]) -> Vec<f32> {
        let all = samples.len() / self.info.channels * self.info.channels;
        if all == 0 {
            return Vec::new();
        }
        let x = Tensor::from_data(TensorData::new(samples[..all].to_vec(), [1, all]), &self.device);
        to_vec(&self.latents(x, 1))
    }

    /// The weighted mean of the sounds of a blend, silence after their ends; the share of the seeds is noise, on the
    /// straight way that the flow has learned.
    fn blended(&self, blend: &Conditioning<&[f32]>) -> Beginning {
        let items: Vec<(Vec<f32>, f32)> = blend
            .item_shares()
            .into_iter()
            .map(|(samples, share)| (self.latents_of(samples), share))
            .collect();
        let total: f32 = items.iter().map(|(_, share)| share).sum();
        let time = items.iter().map(|(latents, _)| latents.len() / self.config.latent).max().unwrap_or(0);
        let silence = if items.len() > 1 { self.silence() } else { Vec::new() };
        let mut latents = vec![0.0; time * self.config.latent];
        for (item, share) in &items {
            let item = item.iter().chain(silence.iter().cycle());
            latents.iter_mut().zip(item).for_each(|(sum, z)| *sum += share / total * z);
        }
        Beginning { latents, known: 0, strength: if items.is_empty() { 1.0 } else { (1.0 - total).max(0.0) } }
    }

    /// Latent frames of `n` sounds, window by window, each after the last half of the one before; silence
    /// after the ends. `[n, time, latent]`, as the decoder sees them.
    pub(super) fn written(
        &self,
        draw: &AudioSampleParams,
        begin: &Beginning,
        labels: &[u32],
        lengths: &[usize],
        rng: &mut Rng,
    ) -> Tensor<2> {
        let (prior, n, latent) = (self.prior.averaged(), labels.len(), self.config.latent);
        let (context, group) = (self.context(), self.config.group);
        let time = lengths.iter().copied().max().unwrap_or(1).div_ceil(group);
        let way = Way {
            steps: self.config.steps,
            guidance: draw.guidance.map_or(self.config.guidance, f64::from),
            early: self.prior.early(draw.autoguidance.map_or(self.config.autoguidance, f64::from)),
            temperature: draw.choice.temperature,
            strength: begin.strength,
        };
        let mut row = begin.latents.clone();
        row.resize(time.max(1) * latent, 0.0);
        let mut rows = vec![row; n];
        let mut done = begin.known.min(time);
        while done < time && !cancel::wanted() {
            let first = if done < context { 0 } else { done - context / 2 };
            let last = (first + context).min(time);
            let mut window = vec![0.0; n * context * latent];
            let mut frames = Frames { valid_mask: Vec::new(), known: Vec::new(), labels: labels.to_vec() };
            for (i, row) in rows.iter().enumerate() {
                window[i * context * latent..][..(last - first) * latent]
                    .copy_from_slice(&row[first * latent..last * latent]);
                // Parts of longer sounds have no end.
                let length = if self.info.whole { lengths[i] } else { usize::MAX };
                frames.valid_mask.extend(self.ends(length.saturating_sub(first * group), context));
                frames.known.extend((first..first + context).map(|at| f32::from(at < done)));
            }
            let window = Tensor::from_data(TensorData::new(window, [n * context, latent]), &self.device);
            let found = to_vec(&prior.sample(&window, &frames, way, rng));
            for (row, found) in rows.iter_mut().zip(found.chunks_exact(context * latent)) {
                row[done * latent..last * latent]
                    .copy_from_slice(&found[(done - first) * latent..(last - first) * latent]);
            }
            done = last;
        }
        let silence = self.silence();
        for (row, &length) in rows.iter_mut().zip(lengths) {
            let behind = row.chunks_exact_mut(latent).skip(length.div_ceil(group));
            behind.for_each(|z| z.copy_from_slice(&silence));
        }
        let z = Tensor::from_data(TensorData::new(rows.concat(), [n * time, latent]), &self.device);
        self.whitening.colour(z)
    }

    /// The latent frame of silence, as the prior sees it.
    fn silence(&self) -> Vec<f32> {
        let (time, latent) = (self.hop() * self.config.group, self.config.latent);
        let x = Tensor::zeros([1, self.info.channels * 3 * time], &self.device);
        to_vec(&self.latents(x, 1))[latent..2 * latent].to_vec()
    }
}
