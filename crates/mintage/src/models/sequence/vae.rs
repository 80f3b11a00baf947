//! Variational autoencoder of segments (Kingma & Welling, arXiv:1312.6114; of sentences Bowman et al.,
//! arXiv:1511.06349; of bars Roberts et al., arXiv:1803.05428):
//!
//! ```text
//! q(z|x) = N(μ(x), σ²(x))        p(x|z) = Π_t p(x_t | x_<t, z)        p(z) = N(0, I)
//! L = −E_q log p(x|z) + β Σ_j max(λ, KL_j)        KL_j: the mean over a batch
//! ```
//!
//! The encoder is a transformer that sees a segment whole: the mean of what its positions hold gives μ and σ. The decoder
//! writes token after token, with what `z` says beside each. Such a decoder could do without `z`: that it does not is
//! brought about by a head start, a share of the budget with β = 0 in which the encoder learns to be worth listening to, and by
//! free bits, λ nats a dimension that cost nothing (Li et al., arXiv:1909.00868).

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_data::sequence::{SequenceBatch, SequenceInfo};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, Trainable,
    layers::{Decoder, DecoderConfig, Linear},
    losses::{gaussian_log_prob, standard_normal_log_prob},
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use super::{Drawing, Sequence, check_heads, check_share};
use super::{
    ar,
    generate::Writer,
    net::{Shifted, shape},
    plan::{
        CANDIDATES, Plan, fitting, read_stretches, segment, segment_length, segments_a_step, write_beside,
    },
};
use crate::models::Conditioning;
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::recipe::RecipeError;
use crate::{
    events::Metrics,
    models::{
        Size,
        common::gaussian::{divergence, reparametrise},
        log_mean_exp,
    },
};
use mintage_data::sequence::Chunking;

/// Default number of importance samples of a likelihood.
pub const SAMPLES: usize = 8;
/// A dimension whose means vary by more than this over the data is in use (Burda et al., arXiv:1509.00519).
const ACTIVE: f64 = 0.01;
/// Bounds of log σ²: no dimension drives the divergence to infinity.
const LOGVAR: (f64, f64) = (-8.0, 2.0);

/// Options of a VAE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Dimensions of the latent vector.
    pub latent: usize,
    /// Blocks of the decoder.
    pub layers: usize,
    /// Transformer blocks of the encoder, whose positions all see each other.
    pub encoder_layers: usize,
    /// Attention heads of a block; `width` is a multiple of twice their number.
    pub heads: usize,
    /// Width of the encoder, and of the decoder.
    pub width: usize,
    /// Width inside the gated perceptrons.
    pub hidden: usize,
    /// Longest segment, in tokens.
    pub context: usize,
    /// Segments per step.
    pub batch: usize,
    /// λ: nats of divergence per dimension that cost nothing (free bits).
    pub free_nats: f64,
    /// Share of the budget in which β is 0; in a second such share it rises to 1.
    #[serde(alias = "head_start")]
    pub kl_warmup: f64,
    /// Peak learning rate, of AdamW and Muon alike.
    pub lr: f64,
    /// Decoupled weight decay of AdamW and Muon, on tensors of rank 2 and more (Loshchilov & Hutter,
    /// arXiv:1711.05101).
    pub weight_decay: f64,
    /// Share of every branch's values that is dropped in training, in the decoder.
    pub dropout: f64,
}

impl FamilyConfig<Sequence> for Config {
    /// The preset of a size.
    fn preset(size: Size, info: &SequenceInfo) -> Self {
        let latent = match size {
            Size::Tiny | Size::Small => 32,
            Size::Base => 64,
            Size::Large => 128,
        };
        let ar::Config { layers, heads, width, hidden, lr, dropout, .. } = ar::Config::preset(size, info);
        let context = segment_length(info);
        Self {
            latent,
            layers,
            encoder_layers: layers / 2,
            heads,
            width,
            hidden,
            context,
            batch: segments_a_step(context),
            free_nats: 0.25,
            kl_warmup: 0.1,
            lr,
            weight_decay: 0.1,
            dropout,
        }
    }

    fn check(&self) -> Result<(), RecipeError> {
        check_heads(self.width, self.heads)?;
        check_share("kl_warmup", self.kl_warmup, 0.0..=0.5)
    }

    fn chunking(&self) -> Option<Chunking> {
        Some(Chunking::Segments(self.context))
    }

    fn activations(&self, info: &SequenceInfo) -> u64 {
        memory::of_document(info, self.context, self.width, self.layers.saturating_add(self.encoder_layers))
    }
}

/// A VAE with its optimiser.
#[derive(Debug)]
pub struct Vae {
    config: Config,
    info: SequenceInfo,
    device: Device,
    train: Trainable<Autoencoder>,
}

#[derive(Module, Debug)]
struct Autoencoder {
    encoder: Decoder,
    posterior: Linear,
    beside: Linear,
    decoder: Decoder,
}

/// What a pass gives of a batch.
struct Terms {
    /// `−log p(x_t | x_<t, z)`: nats, `[n · time]`.
    losses: Tensor<1>,
    /// `KL_j` of each row: nats, `[n, latent]`.
    kl: Tensor<2>,
    mu: Tensor<2>,
}

impl GenerativeModel<Sequence> for Vae {
    type Config = Config;

    fn new(config: &Config, info: &SequenceInfo, device: &Device, rng: &mut Rng) -> Self {
        let net = Autoencoder::new(config, info, &device.clone().autodiff(), rng);
        let adam = AdamW { weight_decay: config.weight_decay as f32, ..AdamW::default() };
        let hidden = |name: &str| name.split_once('.').is_some_and(|(_, name)| Decoder::is_hidden(name));
        let train = Trainable::with_muon(net, adam, hidden);
        Self { config: config.clone(), info: info.clone(), device: device.clone(), train }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    /// One step on the loss a token.
    fn step(&mut self, batch: &SequenceBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let shifted = Shifted::of_training(batch, rng);
        let terms = self.train.net().terms(&shifted, self.config.dropout, rng);
        let (n, count) = (shifted.n as f64, shifted.count().max(1.0));
        let kl = terms.kl.mean_dim(0); // [1, latent]
        let kl_value = f64::from(kl.clone().sum().into_scalar::<f32>());
        let cost = kl.clamp_min(self.config.free_nats).sum() * (n * self.beta(progress));
        let loss = (terms.losses.sum() + cost) / count;
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.train.update(loss, lr)?;
        Ok(Metrics::new([("loss", loss), ("kl", kl_value), ("grad_norm", norm)]))
    }

    /// The bound of nats a token with the averaged weights (of texts also in bits a character), the divergence in nats a
    /// segment, and how many dimensions are in use.
    fn validate(&self, batch: &SequenceBatch, _progress: f64, rng: &mut Rng) -> Option<Metrics> {
        let shifted = Shifted::of(batch);
        let terms = self.train.averaged().terms(&shifted, 0.0, rng);
        let (n, count) = (shifted.n as f64, shifted.count().max(1.0));
        let sum = |values: &[f32]| values.iter().map(|&value| f64::from(value)).sum::<f64>();
        let (nats, kl) = (sum(&to_vec(&terms.losses)), sum(&to_vec(&terms.kl)));
        let active = active(&to_vec(&terms.mu), self.config.latent) as f64;
        let metrics = super::token_metrics((nats + kl) / count, &self.info);
        Some(metrics.and("kl", kl / n).and("active", active))
    }

    /// Draws segments with the averaged weights.
    fn sample(&self, (draw, limit, on): Drawing, rng: &mut Rng) -> Vec<Vec<u32>> {
        let net = self.train.averaged();
        let (d, time) = (self.config.latent, self.config.context + 1);
        let mean = |tokens: &[u32]| {
            to_vec(&net.encode(&Shifted::of(&segment(tokens, draw.class, &self.info, time + 1))).0)
        };
        let ends = match &draw.conditioning {
            Conditioning::None | Conditioning::Continue { .. } | Conditioning::Blend { .. } => Vec::new(),
            Conditioning::Vary { item: tokens, .. } => vec![mean(tokens)],
            Conditioning::Interpolate { from, to, .. } => vec![mean(from), mean(to)],
        };
        let steps: Vec<(Vec<f32>, f32)> =
            draw.conditioning.item_steps().into_iter().map(|(tokens, share)| (mean(tokens), share)).collect();
        let mut plan = |row: usize, prompt: &[u32], rng: &mut Rng| {
            let n = if prompt.len() > 1 { CANDIDATES } else { 1 };
            let z: Vec<f32> = (0..n)
                .flat_map(|_| match &draw.conditioning {
                    Conditioning::None | Conditioning::Continue { .. } => {
                        let temperature = draw.choice.temperature;
                        rng.normals(d).into_iter().map(|z| temperature * z).collect()
                    }
                    Conditioning::Vary { strength, .. } => near(&ends[0], *strength, rng),
                    Conditioning::Interpolate { .. } => {
                        let (first, last) = draw.shares;
                        let share = row as f32 / (draw.n.max(2) - 1) as f32;
                        between(&ends[0], &ends[1], first + share * (last - first))
                    }
                    // The random stream is that of all seeds of the blend.
                    Conditioning::Blend { .. } => {
                        let noise = rng.normals(d).into_iter().map(|z| draw.choice.temperature * z);
                        steps
                            .iter()
                            .fold(noise.collect(), |z: Vec<f32>, (mean, share)| between(&z, mean, *share))
                    }
                })
                .collect();
            let z = Tensor::from_data(TensorData::new(z, [n, d]), &self.device);
            let plans = Plan::of_all(&net.beside.forward(z), n, time);
            fitting(&net.decoder, &self.info, plans, prompt, draw.class, rng)
        };
        let writer = Writer { net: &net.decoder, info: &self.info, context: time, counts: None };
        writer.write_planned(draw, &mut plan, limit, on, rng)
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        !matches!(conditioning, Conditioning::Continue { .. })
    }

    /// `−log p` of each item of a batch: nats, an upper bound with importance samples (Burda et al., arXiv:1509.00519).
    fn nll(&self, batch: &SequenceBatch, samples: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        let (net, shifted) = (self.train.averaged(), Shifted::of(batch));
        let (mu, logvar) = net.encode(&shifted);
        let mut weights = vec![Vec::with_capacity(samples); shifted.n];
        for _ in 0..samples {
            let z = reparametrise(&mu, &logvar, rng);
            let nats = shifted.nats(&net.decode(z.clone(), &shifted, 0.0, rng));
            let prior = standard_normal_log_prob(z.clone());
            let log_ratio = to_vec(&(prior - gaussian_log_prob(z, mu.clone(), logvar.clone())));
            for ((weights, nats), log_ratio) in weights.iter_mut().zip(nats).zip(log_ratio) {
                weights.push(f64::from(log_ratio) - nats);
            }
        }
        Some(weights.iter().map(|weights| -log_mean_exp(weights)).collect())
    }

    parts!("vae" = train);
}

impl Vae {
    /// Weight of the divergence.
    fn beta(&self, progress: f64) -> f64 {
        let start = self.config.kl_warmup;
        match start > 0.0 {
            true => ((progress - start) / start).clamp(0.0, 1.0),
            false => 1.0,
        }
    }

    /// `μ` of each item of a batch, one after another.
    pub fn means(&self, batch: &SequenceBatch) -> Vec<f32> {
        to_vec(&self.train.averaged().encode(&Shifted::of(batch)).0)
    }

    /// How many dimensions are in use, by the means of many items.
    pub fn active(&self, means: &[f32]) -> usize {
        active(means, self.config.latent)
    }
}

/// A vector that is `z` at strength 0 and a new one at 1, and between them as far from the origin as vectors are.
fn near(z: &[f32], strength: f32, rng: &mut Rng) -> Vec<f32> {
    let kept = (1.0 - strength * strength).max(0.0).sqrt();
    z.iter().map(|z| kept * z + strength * rng.normal()).collect()
}

/// Spherical interpolation between `a` and `b` (Shoemake, 1985); `share` 0 is `a`, 1 is `b`.
fn between(a: &[f32], b: &[f32], share: f32) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-12);
    let angle = cosine.clamp(-1.0, 1.0).acos();
    let (of_a, of_b) = match angle.sin() {
        // Of one direction, or of opposite ones.
        sine if sine < 1e-3 => (1.0 - share, share),
        sine => (((1.0 - share) * angle).sin() / sine, (share * angle).sin() / sine),
    };
    a.iter().zip(b).map(|(a, b)| of_a * a + of_b * b).collect()
}

/// How many dimensions of means `[n, d]` are in use.
fn active(mu: &[f32], d: usize) -> usize {
    let n = (mu.len() / d).max(1) as f64;
    (0..d)
        .filter(|&j| {
            let column = || mu.iter().skip(j).step_by(d).map(|&mu| f64::from(mu));
            let mean = column().sum::<f64>() / n;
            column().map(|mu| (mu - mean) * (mu - mean)).sum::<f64>() / n > ACTIVE
        })
        .count()
}

impl Autoencoder {
    fn new(config: &Config, info: &SequenceInfo, device: &Device, rng: &mut Rng) -> Self {
        let Config { layers, encoder_layers, heads, width, hidden, latent, .. } = *config;
        let of = |layers, causal| DecoderConfig { causal, ..shape(info, layers, [heads, width, hidden]) };
        Self {
            encoder: Decoder::new(of(encoder_layers, false), device, rng),
            posterior: Linear::new(width, 2 * latent, 1.0, device, rng),
            // As long as the vectors of tokens.
            beside: Linear::new(latent, width, 0.5 / (width as f32).sqrt(), device, rng),
            decoder: Decoder::new(of(layers, true), device, rng),
        }
    }

    /// Mean and log-variance of q, both `[n, latent]`.
    fn encode(&self, shifted: &Shifted) -> (Tensor<2>, Tensor<2>) {
        let out = self.posterior.forward(read_stretches(&self.encoder, shifted, 1));
        let d = out.dims()[1] / 2;
        // Begins with little noise.
        let logvar = (out.clone().narrow(1, d, d) - 2.0).clamp(LOGVAR.0, LOGVAR.1);
        (out.narrow(1, 0, d), logvar)
    }

    /// Logits of all tokens, `[n · time, vocab]`, for `z [n, latent]`.
    fn decode(&self, z: Tensor<2>, shifted: &Shifted, dropout: f64, rng: &mut Rng) -> Tensor<2> {
        write_beside(&self.decoder, self.beside.forward(z), shifted, dropout, rng)
    }

    fn terms(&self, shifted: &Shifted, dropout: f64, rng: &mut Rng) -> Terms {
        let (mu, logvar) = self.encode(shifted);
        let z = reparametrise(&mu, &logvar, rng);
        let losses = shifted.losses(self.decode(z, shifted, dropout, rng));
        let kl = divergence(mu.clone(), logvar);
        Terms { losses, kl, mu }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_between_keeps_its_length() {
        let (a, b) = ([3.0, 0.0], [0.0, 3.0]);
        let middle = between(&a, &b, 0.5);
        assert!((middle[0] - middle[1]).abs() < 1e-5 && (middle[0].hypot(middle[1]) - 3.0).abs() < 1e-5);
        assert_eq!(between(&a, &b, 0.0), a);
        let far = between(&a, &b, 1.0);
        assert!(far[0].abs() < 1e-5 && (far[1] - 3.0).abs() < 1e-5);
        assert_eq!(near(&a, 0.0, &mut Rng::new(1, 0)), a);
    }

    #[test]
    fn dimensions_that_vary_are_in_use() {
        assert_eq!(active(&[1.0, 5.0, 0.0, -1.0, 5.0, 0.05], 3), 1);
    }
}
