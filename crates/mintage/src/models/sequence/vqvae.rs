//! Vector-quantized autoencoder of segments (van den Oord et al., arXiv:1711.00937; of texts Kaiser et al.,
//! arXiv:1803.03382): a plan first, then the surface.
//!
//! Phase 1: an encoder sees a segment whole, and each stretch of it is said by the nearest of a codebook's vectors. The
//! decoder writes token after token, with the code of the stretch beside each,
//!
//! ```text
//! L = −Σ_t log p(x_t | x_<t, c) + β ‖e − sg(c)‖²
//! ```
//!
//! with the gradient by rotation (Fifty et al., arXiv:2410.06424) and a codebook that follows by moving averages.
//! Phase 2: the autoencoder is frozen, and a transformer learns the plans, `Π_m p(c_m | c_<m)`. Both parts together bound
//! the likelihood: `−log p(x) ≤ −log p(c) − log p(x | c)`.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_data::sequence::{BOUNDARY, SequenceBatch, SequenceInfo};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, Trainable,
    layers::{Decoder, DecoderConfig, Linear},
    quantize::{Codebook, GradientEstimator, Quantized},
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use super::{Drawing, Sequence, check_heads, check_share};
use super::{
    ar,
    generate::{SamplingParams, SequenceSampleParams, Writer},
    net::{Shifted, shape},
    plan::{
        CANDIDATES, Plan, fitting, read_stretches, segment, segment_length, segments_a_step, write_beside,
    },
};
use crate::models::Conditioning;
use crate::models::common::stages::Stage;
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::recipe::RecipeError;
use crate::{events::Metrics, models::Size};
use mintage_data::sequence::Chunking;

/// Tokens that a code stands for, by default.
const TOKENS_A_CODE: usize = 16;

/// Options of a VQ-VAE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Codes in the codebook.
    pub codes: usize,
    /// Dimensions of a code vector.
    pub code_dim: usize,
    /// Number of codes that a segment has.
    #[serde(alias = "stretches")]
    pub n_codes: usize,
    /// Blocks of the decoder.
    pub layers: usize,
    /// Transformer blocks of the encoder, whose positions all see each other.
    pub encoder_layers: usize,
    /// Transformer blocks of the prior over codes.
    pub prior_layers: usize,
    /// Attention heads of a block; `width` is a multiple of twice their number.
    pub heads: usize,
    /// Width of the encoder, the decoder and the prior.
    pub width: usize,
    /// Width inside the gated perceptrons.
    pub hidden: usize,
    /// Longest segment, in tokens.
    pub context: usize,
    /// Segments per step.
    pub batch: usize,
    /// β: weight of the commitment loss, the mean squared distance of the encoder's vectors from their codes.
    pub commitment: f64,
    /// Share of the budget at which phase 2 begins.
    #[serde(alias = "prior_from")]
    pub prior_start: f64,
    /// Peak learning rate of both phases, of AdamW and Muon alike.
    pub lr: f64,
    /// Decoupled weight decay of AdamW and Muon, on tensors of rank 2 and more (Loshchilov & Hutter,
    /// arXiv:1711.05101).
    pub weight_decay: f64,
    /// Share of every branch's values that is dropped in training, in decoder and prior.
    pub dropout: f64,
}

impl FamilyConfig<Sequence> for Config {
    /// The preset of a size.
    fn preset(size: Size, info: &SequenceInfo) -> Self {
        let codes = match size {
            Size::Tiny => 256,
            Size::Small => 512,
            Size::Base => 1024,
            Size::Large => 2048,
        };
        let ar::Config { layers, heads, width, hidden, lr, dropout, .. } = ar::Config::preset(size, info);
        let context = segment_length(info);
        Self {
            codes,
            code_dim: 16,
            n_codes: (context / TOKENS_A_CODE).max(1),
            layers,
            encoder_layers: layers / 2,
            prior_layers: layers / 2,
            heads,
            width,
            hidden,
            context,
            batch: segments_a_step(context),
            commitment: 0.25,
            prior_start: 0.7,
            lr,
            weight_decay: 0.1,
            dropout,
        }
    }

    fn check(&self) -> Result<(), RecipeError> {
        check_heads(self.width, self.heads)?;
        check_share("prior_start", self.prior_start, 0.01..=0.99)
    }

    fn chunking(&self) -> Option<Chunking> {
        Some(Chunking::Segments(self.context))
    }

    fn activations(&self, info: &SequenceInfo) -> u64 {
        memory::of_document(info, self.context, self.width, self.layers.saturating_add(self.encoder_layers))
    }
}

/// A VQ-VAE, its prior, and their optimisers.
#[derive(Debug)]
pub struct Vqvae {
    config: Config,
    info: SequenceInfo,
    device: Device,
    autoencoder: Trainable<Autoencoder>,
    codebook: Codebook,
    /// Sees a boundary and then codes, each one more than its number.
    prior: Trainable<Decoder>,
    plans: SequenceInfo,
}

#[derive(Module, Debug)]
struct Autoencoder {
    encoder: Decoder,
    to_codes: Linear,
    beside: Linear,
    decoder: Decoder,
}

impl GenerativeModel<Sequence> for Vqvae {
    type Config = Config;

    fn new(config: &Config, info: &SequenceInfo, device: &Device, rng: &mut Rng) -> Self {
        let on = device.clone().autodiff();
        let plans = SequenceInfo { vocab: config.codes + 1, periods: Vec::new(), ..info.clone() };
        let prior = Decoder::new(sized(config, &plans, config.prior_layers, true), &on, rng);
        let adam = AdamW { weight_decay: config.weight_decay as f32, ..AdamW::default() };
        let is_hidden = |name: &str| name.split_once('.').is_some_and(|(_, name)| Decoder::is_hidden(name));
        let autoencoder = Autoencoder::new(config, info, &on, rng);
        Self {
            config: config.clone(),
            info: info.clone(),
            device: device.clone(),
            autoencoder: Trainable::with_muon(autoencoder, adam, is_hidden),
            codebook: Codebook::new(config.codes, config.code_dim),
            prior: Trainable::with_muon(prior, adam, Decoder::is_hidden),
            plans,
        }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        vec![("codes", 0.0), ("prior over codes", self.config.prior_start)]
    }

    /// One step of whichever phase `progress` lies in; each phase has a schedule of its own.
    fn step(&mut self, batch: &SequenceBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match Stage::at(progress, self.config.prior_start) {
            Stage::First(progress) => self.step_autoencoder(batch, progress, rng),
            Stage::Second(progress) => self.step_prior(batch, progress, rng),
        }
    }

    /// Nats a token with the averaged weights: in phase 1 of segments given their codes, in phase 2 of both (of texts also
    /// in bits a character); the share of the codes that the batch makes use of.
    fn validate(&self, batch: &SequenceBatch, progress: f64, _rng: &mut Rng) -> Option<Metrics> {
        let net = self.autoencoder.averaged();
        let shifted = Shifted::of(batch);
        let codes = self.codes(&net, &shifted);
        let sum = |nats: Vec<f64>| nats.into_iter().sum::<f64>();
        let surface = sum(self.surface_nats(&net, &codes, &shifted));
        let (mut nats, mut of_plans) = (surface, None);
        if progress >= self.config.prior_start {
            let plans = sum(self.plan_nats(&codes, batch));
            (nats, of_plans) = (surface + plans, Some(plans / batch.n.max(1) as f64));
        }
        let mut metrics = super::token_metrics(nats / shifted.count().max(1.0), &self.info);
        if let Some(nats) = of_plans {
            metrics = metrics.and("code_nats", nats);
        }
        let mut used = codes;
        used.sort_unstable();
        used.dedup();
        Some(metrics.and("usage", used.len() as f64 / self.config.codes as f64))
    }

    /// Draws segments with the averaged weights: codes by the prior, then tokens.
    fn sample(&self, (draw, limit, on): Drawing, rng: &mut Rng) -> Vec<Vec<u32>> {
        let (net, prior) = (self.autoencoder.averaged(), self.prior.averaged());
        let time = self.config.context + 1;
        let known = match &draw.conditioning {
            Conditioning::Vary { item: tokens, .. } => {
                Some(self.codes(&net, &Shifted::of(&segment(tokens, draw.class, &self.info, time + 1))))
            }
            _ => None,
        };
        let mut plan = |_: usize, prompt: &[u32], rng: &mut Rng| {
            let n = if prompt.len() > 1 { CANDIDATES } else { 1 };
            let codes = self.plans(&prior, n, known.as_deref(), draw, rng);
            let vectors = net.beside.forward(self.codebook.lookup(&codes, &self.device));
            fitting(&net.decoder, &self.info, Plan::of_all(&vectors, n, time), prompt, draw.class, rng)
        };
        let writer = Writer { net: &net.decoder, info: &self.info, context: time, counts: None };
        writer.write_planned(draw, &mut plan, limit, on, rng)
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        matches!(conditioning, Conditioning::None | Conditioning::Vary { .. })
    }

    /// `−log p(c) − log p(x | c)` of each item of a batch: nats, an upper bound of `−log p(x)`.
    fn nll(&self, batch: &SequenceBatch, _samples: usize, _rng: &mut Rng) -> Option<Vec<f64>> {
        let (net, shifted) = (self.autoencoder.averaged(), Shifted::of(batch));
        let codes = self.codes(&net, &shifted);
        let plans = self.plan_nats(&codes, batch);
        let surface = self.surface_nats(&net, &codes, &shifted);
        Some(surface.iter().zip(plans).map(|(surface, plan)| surface + plan).collect())
    }

    parts!("autoencoder" = autoencoder, "prior" = prior, "codebook" = codebook);
}

impl Vqvae {
    fn step_autoencoder(
        &mut self,
        batch: &SequenceBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        let shifted = Shifted::of_training(batch, rng);
        let net = self.autoencoder.net();
        let e = net.encode(&shifted, self.config.n_codes);
        let inputs = to_vec(&e);
        if !self.codebook.is_initialised() {
            self.codebook.initialise(&inputs, rng);
        }
        let Quantized { codes, vectors, commitment } = self.codebook.quantize(e, GradientEstimator::Rotation);
        let nll = shifted.mean_loss(net.decode(vectors, &shifted, self.config.dropout, rng));
        let nll_value = f64::from(nll.clone().into_scalar::<f32>());
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.autoencoder.update(nll + commitment * self.config.commitment, lr)?;
        let revived = self.codebook.update(&inputs, &codes, rng) as f64;
        Ok(Metrics::new([
            ("loss", loss),
            ("reconstruction", nll_value),
            ("revived", revived),
            ("grad_norm", norm),
        ]))
    }

    fn step_prior(
        &mut self,
        batch: &SequenceBatch,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        let codes = self.codes(&self.autoencoder.averaged(), &Shifted::of(batch));
        let shifted = Shifted::of_training(&self.written(&codes, batch), rng);
        let prior = self.prior.net();
        let h = prior.forward_train(shifted.positions(), None, self.config.dropout, rng);
        let loss = shifted.mean_loss(prior.logits(h));
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.prior.update(loss, lr)?;
        Ok(Metrics::new([("code_nats", loss * self.config.n_codes as f64), ("grad_norm", norm)]))
    }

    /// The codes of each segment, one after another.
    fn codes(&self, net: &Autoencoder, shifted: &Shifted) -> Vec<u32> {
        self.codebook.nearest(&to_vec(&net.encode(shifted, self.config.n_codes)))
    }

    /// Plans as the prior reads them, of the classes of their segments.
    fn written(&self, codes: &[u32], batch: &SequenceBatch) -> SequenceBatch {
        let rows = codes.chunks_exact(self.config.n_codes);
        let tokens =
            rows.flat_map(|row| [&[BOUNDARY], &row.iter().map(|c| c + 1).collect::<Vec<_>>()[..]].concat());
        let classes = batch.classes.chunks(batch.time() + 1);
        let row = self.config.n_codes + 1;
        SequenceBatch {
            tokens: tokens.collect(),
            classes: classes.flat_map(|row_classes| vec![row_classes[0]; row]).collect(),
            period_positions: Vec::new(),
            n: batch.n,
        }
    }

    /// `−log p(x | c)` of each segment.
    fn surface_nats(&self, net: &Autoencoder, codes: &[u32], shifted: &Shifted) -> Vec<f64> {
        let vectors = self.codebook.lookup(codes, &self.device);
        shifted.nats(&net.decode(vectors, shifted, 0.0, &mut Rng::new(0, 0)))
    }

    /// `−log p(c)` of each segment.
    fn plan_nats(&self, codes: &[u32], batch: &SequenceBatch) -> Vec<f64> {
        let (prior, shifted) = (self.prior.averaged(), Shifted::of(&self.written(codes, batch)));
        shifted.nats(&prior.logits(prior.forward(shifted.positions(), None)))
    }

    /// The codes of `n` plans: by the prior, but for those that stay as `known` says.
    fn plans(
        &self,
        prior: &Decoder,
        n: usize,
        known: Option<&[u32]>,
        draw: &SequenceSampleParams,
        rng: &mut Rng,
    ) -> Vec<u32> {
        let n_codes = self.config.n_codes;
        let strength = match draw.conditioning {
            Conditioning::Vary { strength, .. } => strength,
            _ => 1.0,
        };
        let stays: Vec<bool> = (0..n * n_codes).map(|_| rng.uniform() >= strength).collect();
        let mut limit = |row: usize, before: &[u32], logits: &mut [f32]| {
            logits[BOUNDARY as usize] = f32::NEG_INFINITY;
            let at = before.len();
            if let Some(known) = known.filter(|_| stays[row * n_codes + at]) {
                let stay = known[at] as usize + 1;
                let others = logits.iter_mut().enumerate().filter(|(code, _)| *code != stay);
                others.for_each(|(_, logit)| *logit = f32::NEG_INFINITY);
            }
        };
        // Codes that were drawn are no repetition to be avoided.
        let choice = SamplingParams { repetition: 1.0, ..draw.choice };
        let plan = SequenceSampleParams {
            class: draw.class,
            guidance: draw.guidance,
            choice,
            ..SequenceSampleParams::new(n, n_codes)
        };
        let writer = Writer { net: prior, info: &self.plans, context: n_codes + 1, counts: None };
        let rows = writer.write(&plan, &mut limit, &mut |_, _| true, rng);
        // Rows that were cancelled are short.
        let whole = |mut row: Vec<u32>| {
            row.resize(n_codes, BOUNDARY + 1);
            row
        };
        rows.into_iter().flat_map(whole).map(|code| code - 1).collect()
    }
}

/// The transformers of a VQ-VAE are of one width.
fn sized(config: &Config, info: &SequenceInfo, layers: usize, causal: bool) -> DecoderConfig {
    let Config { heads, width, hidden, .. } = *config;
    DecoderConfig { causal, ..shape(info, layers, [heads, width, hidden]) }
}

impl Autoencoder {
    fn new(config: &Config, info: &SequenceInfo, device: &Device, rng: &mut Rng) -> Self {
        let &Config { layers, encoder_layers, width, code_dim, .. } = config;
        Self {
            encoder: Decoder::new(sized(config, info, encoder_layers, false), device, rng),
            to_codes: Linear::new(width, code_dim, 1.0, device, rng),
            // As long as the vectors of tokens.
            beside: Linear::new(code_dim, width, 0.5 / (width as f32).sqrt(), device, rng),
            decoder: Decoder::new(sized(config, info, layers, true), device, rng),
        }
    }

    /// What the codes are chosen by: `[n · stretches, code_dim]`.
    fn encode(&self, shifted: &Shifted, stretches: usize) -> Tensor<2> {
        self.to_codes.forward(read_stretches(&self.encoder, shifted, stretches))
    }

    /// Logits of all tokens, `[n · time, vocab]`, for the vectors of all stretches, `[n · stretches, code_dim]`.
    fn decode(&self, vectors: Tensor<2>, shifted: &Shifted, dropout: f64, rng: &mut Rng) -> Tensor<2> {
        write_beside(&self.decoder, self.beside.forward(vectors), shifted, dropout, rng)
    }
}
