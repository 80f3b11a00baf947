//! The autoencoder of clips that the VAE and the GAN share: an encoder of 2 + 1 dimensions (`net.rs`) maps each frame to a
//! small grid of Gaussians, a decoder maps draws from those of all frames back:
//!
//! `L = ‖x − x̂‖² + ‖x − x̂‖₁ / 10 + β KL(q(z|x) ‖ N(0, I))`, `z = μ + σ ε`,
//!
//! with a small β: it keeps the latents smooth and of one size, and what they are distributed like is learned apart. Where
//! a pixel is a choice among the colours of a palette (`common/palette.rs`), `L = −log p(x|z) + β KL`, with the mean over
//! pixels. The encoder looks back only, so that frames that are known are encoded alone. Outside of it latents are brought to
//! a mean square of one in each dimension.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::{Palette, VideoBatch};
use mintage_nn::{AdamW, NotFinite, Part, Rng, TensorMap, Trainable, WeightsError, kernels, weights::to_vec};

use super::{
    VideoInfo,
    net::{Trunk, VideoDecoder, VideoEncoder, from_frames, is_hidden, parts_of, to_frames},
};
use crate::{
    events::Metrics,
    models::common::{
        gaussian::{divergence, reparametrise},
        mean_squares::MeanSquares,
        palette::{Judged, PaletteHead},
        reconstruction::Missed,
    },
};

#[derive(Module, Debug)]
struct Net {
    encoder: VideoEncoder,
    decoder: VideoDecoder,
    /// Where a pixel is a choice among colours.
    palette: Option<PaletteHead>,
}

impl Net {
    /// Frames `[n · frames, c, h, w]` → mean and log-variance of the latents, both `[n · frames · cells, latent]`.
    fn encode(&self, x: Tensor<4>, frames: usize) -> (Tensor<2>, Tensor<2>) {
        let out = self.encoder.forward(x, frames);
        let d = out.dims()[1] / 2;
        (out.clone().narrow(1, 0, d), out.narrow(1, d, d).clamp(-12.0, 4.0))
    }

    /// Latents → the most probable colours, or the means, of clips: bytes `[n, channels, frames, height, width]`.
    fn pixels(&self, z: Tensor<2>, frames: usize) -> Vec<u8> {
        let out = self.decoder.forward(z, frames);
        let [_, _, height, width] = out.dims();
        match &self.palette {
            Some(palette) => palette.pixels(out, frames * height * width),
            None => from_frames(&out, frames),
        }
    }
}

/// An autoencoder in training.
#[derive(Debug)]
pub struct Autoencoder {
    net: Trainable<Net>,
    squares: MeanSquares,
    info: VideoInfo,
    device: Device,
}

/// The averaged autoencoder, to be used.
#[derive(Debug)]
pub struct Coder {
    net: Net,
    /// What latents are multiplied by: `[1, latent]`.
    scale: Tensor<2>,
}

impl Autoencoder {
    /// With `d` dimensions of a latent vector; a pixel is a choice among the colours of a `palette`, or else numbers.
    pub fn new(
        trunk: Trunk,
        d: usize,
        info: &VideoInfo,
        palette: Option<&Palette>,
        device: &Device,
        rng: &mut Rng,
    ) -> Self {
        let on = device.clone().autodiff();
        let outputs = palette.map_or(info.shape.channels, PaletteHead::features);
        let net = Net {
            encoder: VideoEncoder::new(trunk, 2 * d, &on, rng),
            decoder: VideoDecoder::new(trunk, d, outputs, &on, rng),
            palette: palette.map(|palette| PaletteHead::new(palette, &on, rng)),
        };
        Self {
            net: Trainable::with_muon(net, AdamW::default(), is_hidden),
            squares: MeanSquares::new(d),
            info: info.clone(),
            device: device.clone(),
        }
    }

    /// One step. Metrics: mean squared error in [0, 1], with a palette nats a pixel; nats a dimension of the latents.
    ///
    /// # Errors
    ///
    /// Where the loss or its gradient is not finite: nothing has changed then.
    pub fn step(
        &mut self,
        batch: &VideoBatch,
        beta: f64,
        lr: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        let VideoInfo { shape, frames, .. } = self.info;
        let x = to_frames(&batch.pixels, shape, frames, &self.device.clone().autodiff());
        let (mu, logvar) = self.net.net().encode(x.clone(), frames);
        let z = reparametrise(&mu, &logvar, rng);
        let seen = to_vec(&z);
        let y = self.net.net().decoder.forward(z, frames);
        let (watched, loss) = match &self.net.net().palette {
            Some(palette) => {
                let nats = palette.loss(y, &batch.pixels, self.area(), rng);
                (nats.clone(), nats)
            }
            None => {
                let Missed { mse, loss } = Missed::of(y, x);
                (mse, loss)
            }
        };
        let kl = divergence(mu, logvar).mean();
        let values = [&watched, &kl].map(|t| f64::from(t.clone().into_scalar::<f32>()));
        let (_, norm) = self.net.update(loss + kl * beta, lr)?;
        self.squares.follow(&seen);
        Ok(Metrics::new([("loss", values[0]), ("kl_per_dim", values[1]), ("grad_norm", norm)]))
    }

    /// Mean squared error in [0, 1], nats a dimension of the latents; with a palette, bits of the pixels given the means of
    /// the latents come first.
    pub fn validate(&self, batch: &VideoBatch) -> Metrics {
        let VideoInfo { shape, frames, .. } = self.info;
        let net = self.net.averaged();
        let x = to_frames(&batch.pixels, shape, frames, &self.device);
        let (mu, logvar) = net.encode(x.clone(), frames);
        let y = net.decoder.forward(mu.clone(), frames);
        if let Some(palette) = &net.palette {
            let Judged { mse, nats } = palette.judge(y, &batch.pixels, self.area());
            let dims = (nats.len() * frames * shape.pixels()).max(1) as f64;
            let bits = nats.iter().sum::<f64>() / dims / std::f64::consts::LN_2;
            let kl = f64::from(divergence(mu, logvar).mean().into_scalar::<f32>());
            return Metrics::new([("pixel_bits_per_dim", bits), ("mse", mse), ("kl_per_dim", kl)]);
        }
        let mse = kernels::mean_squared_error(y, x) / 4.0; // in [0, 1] units
        let [mse, kl] = [mse, divergence(mu, logvar).mean()].map(|t| f64::from(t.into_scalar::<f32>()));
        Metrics::new([("mse", mse), ("kl_per_dim", kl)])
    }

    /// Pixels of a channel of a clip.
    fn area(&self) -> usize {
        self.info.frames * self.info.shape.height * self.info.shape.width
    }

    /// The averaged networks as they are now.
    pub fn coder(&self) -> Coder {
        Coder { net: self.net.averaged(), scale: self.squares.scale(&self.device) }
    }

    /// Decodes the means of `q(z|x)`: bytes as in the batch.
    pub fn reconstruct(&self, batch: &VideoBatch) -> Vec<u8> {
        let (net, &VideoInfo { shape, frames, .. }) = (self.net.averaged(), &self.info);
        let through = |part: VideoBatch| {
            let (mu, _) = net.encode(to_frames(&part.pixels, shape, frames, &self.device), frames);
            net.pixels(mu, frames)
        };
        parts_of(batch, &self.info).into_iter().flat_map(through).collect()
    }
}

impl Part for Autoencoder {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        self.net.save_weights(name, map);
        self.squares.save_weights("squares", map);
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.net.load_weights(name, map)?;
        self.squares.load_weights("squares", map)
    }

    fn save_state(&self, name: &str, map: &mut TensorMap) {
        self.net.save_state(name, map);
        self.squares.save_state("squares", map);
    }

    fn load_state(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        self.net.load_state(name, map)?;
        self.squares.load_state("squares", map)
    }

    fn parameters(&self) -> usize {
        self.net.parameters()
    }
}

impl Coder {
    /// Draws of `q(z|x)`: frames `[n · frames, c, h, w]` → `[n · frames · cells, latent]`.
    pub fn draw(&self, x: Tensor<4>, frames: usize, rng: &mut Rng) -> Tensor<2> {
        let (mu, logvar) = self.net.encode(x, frames);
        reparametrise(&mu, &logvar, rng) * self.scale.clone()
    }

    /// The means of `q(z|x)`.
    pub fn encode(&self, x: Tensor<4>, frames: usize) -> Tensor<2> {
        self.net.encode(x, frames).0 * self.scale.clone()
    }

    /// Latents `[n · frames · cells, latent]` → bytes `[n, channels, frames, height, width]`.
    pub fn pixels(&self, z: Tensor<2>, frames: usize) -> Vec<u8> {
        self.net.pixels(z / self.scale.clone(), frames)
    }
}
