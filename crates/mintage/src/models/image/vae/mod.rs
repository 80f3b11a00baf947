//! Variational autoencoders (Kingma & Welling, arXiv:1312.6114) with a learned prior.
//!
//! An image is one latent vector (`vector.rs`), or a small grid of them (`grid.rs`). One vector has a bound of the
//! likelihood. A grid costs the prior the same at any size of the image and keeps where things are, which one vector
//! must tell in its numbers; what it is learned by is no bound.

mod grid;
mod vector;

use burn::tensor::Device;
use mintage_data::{ImageBatch, Palette};
use mintage_nn::{NotFinite, Part, Rng};
use serde::{Deserialize, Serialize};

use super::{Image, ImageInfo, ImageSampleParams};
use crate::{
    events::Metrics,
    models::{
        Conditioning, Size,
        common::{
            early::no_autoguidance,
            palette::{PaletteHead, chosen},
        },
        generative::{FamilyConfig, GenerativeModel},
        memory,
        options::{check_even, check_palette},
    },
    recipe::RecipeError,
};

/// Longest side of images that are one latent vector unless the recipe says otherwise.
const MAX_VECTOR_SIDE: usize = 32;

/// What an image is encoded as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Latents {
    /// One vector, with a bound of the likelihood.
    #[default]
    Vector,
    /// A grid of vectors, drawn by a transformer; no likelihood.
    Grid,
}

/// The network's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// Residual convolutions.
    Conv,
    /// Fully connected layers, `blocks` hidden ones of `width` units on each side; one is the network of the
    /// published MNIST figures. Latents are one vector.
    Mlp,
}

/// What the decoder says about a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Likelihood {
    /// A Bernoulli distribution by its logit; gray values count as probabilities.
    Bernoulli,
    /// A logistic distribution over the 256 levels of a byte, with a mean and a scale for each pixel.
    Logistic,
    /// A Gaussian with a mean for each pixel and one learned variance for all.
    Gaussian,
}

/// How bytes become binary pixels before they are learned (Bernoulli only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Binarize {
    /// Not at all: gray values stay.
    No,
    /// `x > 0.5`.
    Threshold,
    /// Each pixel drawn anew with its gray value as probability (Burda et al.); once in evaluation.
    Dynamic,
}

/// The prior over latent vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prior {
    /// The standard normal distribution, `N(0, I)`.
    Normal,
    /// A normalising flow of affine couplings, given the label (`real_nvp.rs`).
    Flow,
}

/// Options of a VAE. Those that begin with "Vector:" or "Grid:" belong to that kind of latents and mean nothing for the
/// other; runs from before there were grids have no options of grids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Convolutions or fully connected layers.
    pub arch: Arch,
    /// One latent vector an image, or a grid of them; with `arch = "mlp"` always one.
    #[serde(default)]
    pub latents: Latents,
    /// Vector: `p(x|z)`, which is what the reconstruction is measured by.
    pub likelihood: Likelihood,
    /// Vector: whether pixels are made black or white before they are learned.
    pub binarize: Binarize,
    /// Vector: `p(z|y)`, which new images are drawn from.
    pub prior: Prior,
    /// Vector: dimensions of the latent vector `z`, rounded up to an even number.
    pub latent: usize,
    /// Grid: dimensions of each of its latent vectors.
    #[serde(default)]
    pub channels: usize,
    /// Grid: its longest side.
    #[serde(default)]
    pub grid: usize,
    /// Channels of the convolutions at half size, or units of the MLP.
    pub width: usize,
    /// Residual blocks a size (conv), hidden layers (mlp).
    pub blocks: usize,
    /// Vector: importance samples `k` in training.
    pub importance: usize,
    /// Vector: β, the weight of the divergence `log q(z|x) − log p(z)`; 1 gives the ELBO.
    pub beta: f64,
    /// Vector: share of the budget over which β rises from 0.
    pub warmup: f64,
    /// Grid: weight of the divergence from N(0, I), nats per dimension of the latents, beside the error of pixels.
    #[serde(default)]
    pub kl_weight: f64,
    /// Grid: transformer blocks of the prior.
    #[serde(default)]
    pub prior_layers: usize,
    /// Grid: width of the prior; even.
    #[serde(default = "min_prior_width")]
    pub prior_width: usize,
    /// Grid: share of the budget at which stage 2, the prior, begins.
    #[serde(default)]
    pub prior_start: f64,
    /// Grid: steps of Heun's rule in sampling; each evaluates the prior twice, the last once.
    #[serde(default)]
    pub steps: usize,
    /// Grid: default guidance weight of sampling with labels; 1 is none.
    #[serde(default)]
    pub guidance: f64,
    /// Grid: default weight of guidance by the network's own weights after a tenth of its training (autoguidance,
    /// Karras et al., arXiv:2406.02507), which doubles the time of sampling; 1 is none.
    #[serde(default = "no_autoguidance")]
    pub autoguidance: f64,
    /// Images per step.
    pub batch: usize,
    /// Peak learning rate, of a grid that of stage 1; of AdamW and Muon alike.
    pub lr: f64,
    /// Grid: peak learning rate of the prior, in stage 2; of AdamW and Muon alike.
    #[serde(default)]
    pub prior_lr: f64,
    /// Whether Muon moves the filters and matrices between hidden layers.
    #[serde(default)]
    pub muon: bool,
    /// Decoupled weight decay, on tensors of rank 2 and more (Loshchilov & Hutter,
    /// arXiv:1711.05101).
    pub weight_decay: f64,
    /// Probability that a label is hidden in training, so that one can also sample without a label.
    pub label_drop: f64,
    /// Grid: whether a pixel is a choice among the colours of the data, which have to be few; otherwise it is numbers.
    #[serde(default)]
    pub palette: bool,
}

/// What the range of the option allows, for runs that have no such prior.
fn min_prior_width() -> usize {
    2
}

impl Config {
    fn is_grid(&self) -> bool {
        self.latents == Latents::Grid && self.arch == Arch::Conv
    }

    /// The colours that are chosen among.
    fn palette<'a>(&self, info: &'a ImageInfo) -> Option<&'a Palette> {
        chosen(self.palette && self.is_grid(), info.palette.as_ref())
    }
}

impl FamilyConfig<Image> for Config {
    /// The preset of a size.
    fn preset(size: Size, info: &ImageInfo) -> Self {
        let rgb = info.shape.channels == 3;
        let (width, blocks, latent, prior_layers, prior_width) = match size {
            Size::Tiny => (24, 1, 32, 2, 96),
            Size::Small => (48, 1, 64, 4, 192),
            Size::Base => (96, 2, 128, 6, 384),
            Size::Large => (160, 3, 256, 10, 512),
        };
        let longest = info.shape.height.max(info.shape.width);
        Self {
            arch: Arch::Conv,
            latents: if longest > MAX_VECTOR_SIDE { Latents::Grid } else { Latents::Vector },
            likelihood: Likelihood::Logistic,
            binarize: Binarize::No,
            prior: Prior::Flow,
            latent: if rgb { latent * 2 } else { latent },
            channels: if rgb { 16 } else { 8 },
            grid: 8,
            width,
            blocks,
            importance: 1,
            beta: 1.0,
            warmup: 0.1,
            kl_weight: 1e-3,
            prior_layers,
            prior_width,
            prior_start: 0.4,
            steps: 12,
            guidance: 1.0,
            autoguidance: 1.0,
            batch: 32,
            lr: 4e-3,
            prior_lr: 5e-3,
            muon: true,
            weight_decay: 0.01,
            label_drop: 0.1,
            palette: false,
        }
    }

    /// Refuses for a grid what it would silently learn without: whoever asks for a likelihood wants one.
    fn check(&self) -> Result<(), RecipeError> {
        if !self.is_grid() {
            return Ok(());
        }
        check_even("prior_width", self.prior_width)?;
        let of_vector = [
            ("likelihood", self.likelihood != Likelihood::Logistic),
            ("binarize", self.binarize != Binarize::No),
            ("prior", self.prior != Prior::Flow),
            ("importance", self.importance > 1),
            ("beta", self.beta != 1.0),
        ];
        match of_vector.iter().find(|(_, is_set)| *is_set) {
            Some((key, _)) => {
                let hint = Some("it belongs to one vector an image: add latents = \"vector\"".to_owned());
                Err(RecipeError::of_key(&format!("model.{key}"), "means nothing for a grid of latents", hint))
            }
            None => Ok(()),
        }
    }

    fn check_data(&self, info: &ImageInfo) -> Result<(), RecipeError> {
        check_palette(self.palette && self.is_grid(), info.palette.as_ref())
    }

    fn activations(&self, info: &ImageInfo) -> u64 {
        let pixels = info.shape.height * info.shape.width;
        let palette = self.palette(info).map_or(0, |palette| PaletteHead::activations(palette, pixels));
        memory::of_image(info, self.width, self.blocks).saturating_add(palette)
    }
}

/// A VAE of either kind of latents.
#[derive(Debug)]
// There is one of these in a run.
#[allow(clippy::large_enum_variant)]
pub enum Vae {
    /// One vector an image.
    Vector(vector::VectorVae),
    /// A grid of vectors.
    Grid(grid::GridVae),
}

impl GenerativeModel<Image> for Vae {
    type Config = Config;

    fn new(config: &Config, info: &ImageInfo, device: &Device, rng: &mut Rng) -> Self {
        match config.is_grid() {
            true => Self::Grid(grid::GridVae::new(config, info, device, rng)),
            false => Self::Vector(vector::VectorVae::new(config, info, device, rng)),
        }
    }

    fn config(&self) -> Config {
        match self {
            Self::Vector(model) => model.config(),
            Self::Grid(model) => model.config(),
        }
    }

    fn stages(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Vector(model) => model.stages(),
            Self::Grid(model) => model.stages(),
        }
    }

    fn step(&mut self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        match self {
            Self::Vector(model) => model.step(batch, progress, rng),
            Self::Grid(model) => model.step(batch, progress, rng),
        }
    }

    fn validate(&self, batch: &ImageBatch, progress: f64, rng: &mut Rng) -> Option<Metrics> {
        match self {
            Self::Vector(model) => model.validate(batch, progress, rng),
            Self::Grid(model) => model.validate(batch, progress, rng),
        }
    }

    fn sample(&self, draw: &ImageSampleParams, rng: &mut Rng) -> Vec<u8> {
        match self {
            Self::Vector(model) => model.sample(draw, rng),
            Self::Grid(model) => model.sample(draw, rng),
        }
    }

    fn supports(&self, conditioning: &Conditioning<()>) -> bool {
        match self {
            Self::Vector(model) => model.supports(conditioning),
            Self::Grid(model) => model.supports(conditioning),
        }
    }

    fn has_early(&self) -> bool {
        match self {
            Self::Vector(model) => model.has_early(),
            Self::Grid(model) => model.has_early(),
        }
    }

    fn reconstruct(&self, batch: &ImageBatch, rng: &mut Rng) -> Option<Vec<u8>> {
        match self {
            Self::Vector(model) => model.reconstruct(batch, rng),
            Self::Grid(model) => model.reconstruct(batch, rng),
        }
    }

    /// `None` for a grid.
    fn nll(&self, batch: &ImageBatch, samples: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        match self {
            Self::Vector(model) => model.nll(batch, samples, rng),
            Self::Grid(model) => model.nll(batch, samples, rng),
        }
    }

    fn parts(&self) -> Vec<(&'static str, &dyn Part)> {
        match self {
            Self::Vector(model) => model.parts(),
            Self::Grid(model) => model.parts(),
        }
    }

    fn parts_mut(&mut self) -> Vec<(&'static str, &mut dyn Part)> {
        match self {
            Self::Vector(model) => model.parts_mut(),
            Self::Grid(model) => model.parts_mut(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::ImageShape;

    use super::*;
    use crate::models::{Family, ImageConfig};

    fn info(side: usize) -> ImageInfo {
        let shape = ImageShape { channels: 3, height: side / 2, width: side };
        ImageInfo { shape, classes: 0, train_len: 8, palette: None }
    }

    fn resolved(side: usize, options: &str) -> Result<ImageConfig, RecipeError> {
        let options: toml::Table = options.parse().unwrap();
        ImageConfig::preset(Some(Family::Vae), Size::Tiny, &info(side), &options)
    }

    #[test]
    fn large_images_are_grids_unless_the_recipe_says_otherwise() {
        let is_grid = |side: usize, options: &str| match resolved(side, options).unwrap() {
            ImageConfig::Vae(config) => {
                let model = Vae::new(&config, &info(side), &Device::flex(), &mut Rng::new(1, 0));
                matches!(model, Vae::Grid(_))
            }
            other => panic!("{other:?}"),
        };
        assert!(!is_grid(32, "") && is_grid(64, ""));
        assert!(is_grid(32, "latents = 'grid'") && !is_grid(64, "latents = 'vector'"));
        assert!(!is_grid(64, "arch = 'mlp'\nlikelihood = 'bernoulli'\nwidth = 16"));
    }

    #[test]
    fn a_grid_refuses_what_asks_for_a_likelihood() {
        for option in ["likelihood = 'bernoulli'", "binarize = 'threshold'", "importance = 5", "beta = 0.5"] {
            assert!(resolved(64, option).is_err(), "{option}");
            assert!(resolved(64, &format!("{option}\nlatents = 'vector'")).is_ok(), "{option}");
        }
        assert!(resolved(64, "prior_width = 33").is_err());
    }

    #[test]
    fn runs_from_before_there_were_grids_have_one_vector() {
        let text = r#"{"arch": "conv", "likelihood": "logistic", "binarize": "no", "prior": "flow", "latent": 64,
            "width": 48, "blocks": 1, "importance": 1, "beta": 1.0, "warmup": 0.1, "batch": 32, "lr": 0.0015,
            "weight_decay": 0.01, "label_drop": 0.1}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.latents, Latents::Vector);
        ImageConfig::Vae(config).check().unwrap();
    }
}
