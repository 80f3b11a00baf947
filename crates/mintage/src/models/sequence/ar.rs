//! Autoregressive transformer over tokens (Vaswani et al., arXiv:1706.03762, decoder only):
//!
//! ```text
//! p(x | c) = Π_t p(x_t | x_{<t}, c)        L = −1/T Σ_t log p(x_t | x_{t−T..t}, c)
//! ```
//!
//! with a class `c` where documents have labels. It learns windows of `context` tokens from anywhere in the stream of
//! documents (or segments, each for itself), and every position is a question. Between hidden layers Muon moves the weights, AdamW elsewhere.
//! Tables of tokens and of pairs of tokens stand beside the blocks (`lookup`).
//!
//! Once its weights are final, counts of n-grams are mixed with it (`counts.rs`); validation is of the network alone.

use burn::tensor::Device;
use mintage_data::{
    SequenceSet,
    sequence::{Augmentation, Chunking, Modality, NO_TOKEN, SequenceBatch, SequenceInfo, Transpose},
};
use mintage_nn::{
    AdamW, NotFinite, Rng, Schedule, Trainable,
    layers::{Decoder, DecoderConfig, gated_width},
};
use serde::{Deserialize, Serialize};

use super::{Drawing, Sequence, check_heads};
use super::{
    adapt::{Adaptation, Adapting},
    cache::Cache,
    counts::{Counted, Counts, order},
    generate::Writer,
    net::{Shifted, Told, Windows, document_nll, document_told, nll, shape, told, validation},
};
use crate::models::{
    generative::{FamilyConfig, GenerativeModel, parts},
    memory,
};
use crate::recipe::RecipeError;
use crate::{events::Metrics, models::Size};

/// Options of an autoregressive model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads of a block; `width` is a multiple of twice their number.
    pub heads: usize,
    /// Width of the transformer, and of the vectors of tokens.
    pub width: usize,
    /// Width inside the gated perceptrons.
    pub hidden: usize,
    /// Tokens that the model sees at once.
    pub context: usize,
    /// Whether it learns segments of at most `context` tokens, each by itself, in place of windows.
    #[serde(default)]
    pub segments: bool,
    /// Whether documents follow each other in another order in every pass, and are cut into windows at other places; of
    /// segments nothing changes. Models of before 2026-12-01 keep the order.
    #[serde(default)]
    pub shuffle: bool,
    /// How tunes are transposed in training: `off`, `window` or `document`; of texts nothing changes. Models of before
    /// 2026-12-01 do it by windows.
    #[serde(default)]
    pub transpose: Transpose,
    /// Windows or segments per step.
    pub batch: usize,
    /// Peak learning rate, of AdamW and Muon alike; AdamW alone bears about a fifth of the preset.
    pub lr: f64,
    /// Decoupled weight decay of AdamW and Muon, on tensors of rank 2 and more (Loshchilov & Hutter,
    /// arXiv:1711.05101).
    pub weight_decay: f64,
    /// Whether only those weights decay that the step does not make larger; models of before 2026-12-01 decay as a whole.
    #[serde(default)]
    pub cautious_decay: bool,
    /// Share of every branch's values that is dropped in training.
    pub dropout: f64,
    /// Whether Muon moves the matrices between hidden layers.
    pub muon: bool,
    /// Whether every block looks up vectors of tokens and of pairs of tokens in tables: many more weights, hardly more
    /// time a step.
    #[serde(default)]
    pub lookup: bool,
    /// Whether counts of n-grams of the training data are mixed with the network once it is learned; of segments they never
    /// are. Models of before 2026-12-01 have none.
    #[serde(default)]
    pub counts: bool,
}

impl FamilyConfig<Sequence> for Config {
    /// The preset of a size.
    fn preset(size: Size, info: &SequenceInfo) -> Self {
        let (layers, heads, width, context, batch, lr) = match size {
            Size::Tiny => (4, 4, 128, 128, 32, 1e-2),
            // Ten minutes on two cores are worth more steps, not more weights (docs/experiments.md).
            Size::Small => (4, 5, 160, 256, 16, 1e-2),
            Size::Base => (6, 8, 256, 512, 8, 1e-2),
            Size::Large => (8, 16, 512, 1024, 8, 5e-3),
        };
        // Few tokens are cut into shorter windows, so that there are several.
        let most = (info.train_tokens / 4).clamp(8, 1 << 20) as usize;
        Self {
            layers,
            heads,
            width,
            hidden: gated_width(width),
            context: context.min(most),
            segments: false,
            shuffle: false,
            transpose: match info.modality {
                Modality::Text => Transpose::Off,
                Modality::Music => Transpose::Window,
            },
            batch,
            lr,
            weight_decay: 0.1,
            cautious_decay: false,
            dropout: dropout(info, layers * width * width * 12),
            muon: true,
            lookup: true,
            counts: true,
        }
    }

    fn check(&self) -> Result<(), RecipeError> {
        check_heads(self.width, self.heads)
    }

    fn chunking(&self) -> Option<Chunking> {
        Some(match self.segments {
            true => Chunking::Segments(self.context),
            false => Chunking::Windows(self.context),
        })
    }

    fn augmentation(&self) -> Augmentation {
        Augmentation { shuffle: self.shuffle, transpose: self.transpose }
    }

    fn activations(&self, info: &SequenceInfo) -> u64 {
        memory::of_document(info, self.context, self.width, self.layers)
    }
}

/// Dropout against overfitting, where there are few tokens for the number of weights.
fn dropout(info: &SequenceInfo, weights: usize) -> f64 {
    match info.train_tokens as f64 / weights as f64 {
        few if few < 1.0 => 0.2,
        some if some < 8.0 => 0.1,
        _ => 0.0,
    }
}

/// An autoregressive model with its optimiser.
#[derive(Debug)]
pub struct Ar {
    config: Config,
    info: SequenceInfo,
    train: Trainable<Decoder>,
    counts: Option<Counts>,
}

impl Ar {
    /// Whether counts are to be mixed with the network.
    pub(super) fn wants_counts(&self) -> bool {
        self.config.counts && !self.config.segments
    }

    /// Counts the train split of a set, once the weights are final.
    pub(super) fn learn_counts(&mut self, set: &SequenceSet) -> Counted {
        let (net, info, windows) = (self.train.averaged(), &self.info, Windows::wide(self.config.context));
        let told = |tokens: &[u32], class| document_told(&net, info, windows, tokens, class);
        let (counts, counted) = Counts::learn(set, &told);
        self.counts = counts;
        counted
    }

    /// Takes the counts of a file.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn load_counts(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.counts = Some(Counts::of_bytes(bytes, &self.info)?);
        Ok(())
    }

    /// `−log p` of a document after its boundary by network and counts, and by the network alone: nats. `None` without counts.
    pub(super) fn nll_beside(&self, tokens: &[u32], class: Option<u32>) -> Option<[f64; 2]> {
        let counts = self.counts.as_ref()?;
        let windows = Windows::close(self.config.context);
        let told = document_told(&self.train.averaged(), &self.info, windows, tokens, class);
        Some([counts.nats(tokens, &told), -told.iter().map(|told| told.log_p).sum::<f64>()])
    }

    /// Whether it can follow what it reads: as documents of any length, which models of segments do not know.
    pub(super) fn adapts(&self) -> bool {
        !self.config.segments
    }

    /// `−log p` of parts of a document, one after another and each after its first token, while weights and counts follow
    /// what was read of it (`adapt.rs`, `cache.rs`): nats. The model stays as it is. `None` where it cannot.
    pub(super) fn adapting_nll(
        &self,
        parts: &[&[u32]],
        class: Option<u32>,
        how: Adaptation,
    ) -> Option<Vec<f64>> {
        if !self.adapts() {
            return None;
        }
        let (info, windows) = (&self.info, Windows::close(self.config.context));
        let mut net = Adapting::new(&self.train.averaged(), how.rate);
        let mut cache = Cache::new(order(info.vocab));
        let mut all = Vec::with_capacity(parts.len());
        for &tokens in parts {
            let told = net.told(info, windows, tokens, class);
            let each: Vec<f64> = match &self.counts {
                Some(counts) => counts.each_nats(tokens, &told),
                None => told.iter().map(|told| -told.log_p).collect(),
            };
            all.push(if how.counts { cache.nats(tokens, &each) } else { each.iter().sum() });
        }
        Some(all)
    }
}

impl GenerativeModel<Sequence> for Ar {
    type Config = Config;

    fn new(config: &Config, info: &SequenceInfo, device: &Device, rng: &mut Rng) -> Self {
        let Config { layers, heads, width, hidden, lookup, .. } = *config;
        let shape = DecoderConfig { lookup, ..shape(info, layers, [heads, width, hidden]) };
        let net = Decoder::new(shape, &device.clone().autodiff(), rng);
        let (weight_decay, cautious) = (config.weight_decay as f32, config.cautious_decay);
        let adam = AdamW { weight_decay, cautious, ..AdamW::default() };
        let train = Trainable::with_muon(net, adam, |name| config.muon && Decoder::is_hidden(name));
        let train = train.with_lookup(Decoder::is_lookup);
        Self { config: config.clone(), info: info.clone(), train, counts: None }
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    /// One step on the mean negative log-likelihood of a token.
    fn step(&mut self, batch: &SequenceBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let shifted = Shifted::of_training(batch, rng);
        let net = self.train.net();
        let h = net.forward_train(shifted.positions(), None, self.config.dropout, rng);
        let loss = shifted.mean_loss(net.logits(h));
        let lr = self.config.lr * Schedule::default().factor(progress);
        let (loss, norm) = self.train.update(loss, lr)?;
        Ok(Metrics::new([("nll", loss), ("grad_norm", norm)]))
    }

    /// Nats a token of the network with the averaged weights; of texts also bits a character.
    fn validate(&self, batch: &SequenceBatch, _progress: f64, _rng: &mut Rng) -> Option<Metrics> {
        Some(validation(&self.train.averaged(), batch, &self.info))
    }

    /// Draws sequences with the averaged weights.
    fn sample(&self, (draw, limit, on): Drawing, rng: &mut Rng) -> Vec<Vec<u32>> {
        let (net, info, context) = (&self.train.averaged(), &self.info, self.config.context);
        Writer { net, info, context, counts: self.counts.as_ref() }.write(draw, limit, on, rng)
    }

    /// `−log p` of each item of a batch: nats.
    fn nll(&self, batch: &SequenceBatch, _samples: usize, _rng: &mut Rng) -> Option<Vec<f64>> {
        let net = self.train.averaged();
        let Some(counts) = &self.counts else { return Some(nll(&net, batch)) };
        let (time, told) = (batch.time().max(1), told(&net, &Shifted::of(batch)));
        let nats = |(tokens, told): (&[u32], &[Told])| {
            let known = tokens.iter().position(|&token| token == NO_TOKEN).unwrap_or(tokens.len());
            counts.nats(&tokens[..known], told)
        };
        Some(batch.tokens.chunks_exact(time + 1).zip(told.chunks_exact(time)).map(nats).collect())
    }

    /// `−log p` of a document after its boundary: nats.
    fn whole_nll(&self, tokens: &[u32], class: Option<u32>) -> Option<f64> {
        let beside = self.nll_beside(tokens, class).map(|[both, _]| both);
        let alone = || document_nll(&self.train.averaged(), &self.info, self.config.context, tokens, class);
        beside.or_else(|| (!self.config.segments).then(alone))
    }

    parts!("net" = train);
}
