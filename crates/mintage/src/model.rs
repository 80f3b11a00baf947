//! A trained model in its folder: what loads, samples, reconstructs and measures likelihood.

use std::{
    fs,
    path::{Path, PathBuf},
};

use burn::tensor::Device;
use mintage_data::{ImageBatch, ImageCodec, ImageSet, Images, Provenance, SourceSpec};
use mintage_nn::{DeviceChoice, Rng, TensorMap};
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    events::Metrics,
    models::{AnyConfig, AnyModel, DataInfo, Draw, Size, Start, image::SAMPLE_BATCH},
    recipe::nearest,
    run::write_json,
};

/// The newest format of a model folder that this version reads and writes.
pub const FORMAT: u32 = 1;

/// `config.json`: everything about a model but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    pub format: u32,
    /// Version of the program that wrote it.
    pub mintage: String,
    /// Kind of data: "image".
    pub kind: String,
    pub size: Size,
    pub model: AnyConfig,
    pub info: DataInfo,
    /// Items of each class in the train split; empty without labels.
    pub class_counts: Vec<u64>,
    pub seed: u64,
    pub step: u64,
    pub train_secs: f64,
    pub source: SourceSpec,
    /// Validation of the published weights.
    pub valid: Option<Metrics>,
}

impl ModelConfig {
    /// Reads `config.json`; a folder of a newer format is an error that says so.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("config.json");
        let text = fs::read_to_string(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Error::folder(dir, "holds no trained model (it has no config.json)")
            }
            _ => Error::io(&path)(e),
        })?;
        let damaged = |e: serde_json::Error| {
            let hint = "the file is damaged: put back a copy of it, or train again";
            Error::folder(&path, format!("cannot be read ({e})")).with_hint(hint)
        };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(damaged)?;
        let format = value.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if format > u64::from(FORMAT) {
            let version = env!("CARGO_PKG_VERSION");
            let why =
                format!("has format {format}, this version of mintage ({version}) reads up to {FORMAT}");
            return Err(Error::folder(dir, why).with_hint("a newer mintage made it: install that one"));
        }
        serde_json::from_value(value).map_err(damaged)
    }

    pub(crate) fn save(&self, dir: &Path) -> Result<(), Error> {
        write_json(&dir.join("config.json"), self)
    }
}

/// What to draw from a model.
#[derive(Clone, Debug)]
pub struct SampleRequest {
    pub n: usize,
    /// A class by name; `None` draws classes as often as they are in the data.
    pub label: Option<String>,
    /// What the samples begin with.
    pub start: Start,
    pub seed: u64,
    pub temperature: f32,
    pub guidance: Option<f32>,
    pub top_k: Option<usize>,
    pub top_p: Option<f32>,
}

impl Default for SampleRequest {
    fn default() -> Self {
        Self {
            n: 64,
            label: None,
            start: Start::Noise,
            seed: 1,
            temperature: 1.0,
            guidance: None,
            top_k: None,
            top_p: None,
        }
    }
}

/// A trained model.
#[derive(Debug)]
pub struct Model {
    pub dir: PathBuf,
    pub config: ModelConfig,
    pub codec: ImageCodec,
    pub any: AnyModel,
}

impl Model {
    /// Loads the model in `dir` onto a device.
    pub fn load(dir: &Path, device: &DeviceChoice) -> Result<Self, Error> {
        let config = ModelConfig::load(dir)?;
        let codec = ImageCodec::load(&dir.join("codec"))?;
        let device: Device = device.open()?;
        // The initial weights are replaced at once, so the seed does not matter.
        let mut any = AnyModel::new(&config.model, &config.info, &device, &mut Rng::new(0, 0));
        let path = dir.join("model.safetensors");
        any.load_weights(&TensorMap::load(&path)?).map_err(|error| {
            let hint = "the file and config.json are not of the same model";
            Error::folder(&path, error.to_string()).with_hint(hint)
        })?;
        Ok(Self { dir: dir.to_owned(), config, codec, any })
    }

    /// Draws `request.n` images. The same request gives the same bytes.
    pub fn sample(&self, request: &SampleRequest, on: &mut dyn FnMut(usize, usize)) -> Result<Images, Error> {
        self.check_start(request)?;
        let labels = self.labels_for(request)?;
        let mut pixels = Vec::with_capacity(request.n * self.config.info.shape.pixels());
        on(0, request.n);
        // Every batch has a stream of its own, so that the first images do not depend on how many are asked for.
        for (index, start) in (0..request.n).step_by(SAMPLE_BATCH).enumerate() {
            let n = SAMPLE_BATCH.min(request.n - start);
            let chosen = if labels.is_empty() { &labels[..] } else { &labels[start..start + n] };
            let draw = Draw {
                n,
                labels: chosen,
                start: &request.start,
                temperature: request.temperature,
                guidance: request.guidance,
                top_k: request.top_k,
                top_p: request.top_p,
            };
            pixels.extend(self.any.sample(&draw, &mut Rng::new(request.seed, index as u64 + 1)));
            on(start + n, request.n);
        }
        Ok(Images { shape: self.config.info.shape, pixels, labels, classes: self.codec.classes.clone() })
    }

    fn check_start(&self, request: &SampleRequest) -> Result<(), Error> {
        let family = self.config.model.family().name();
        let (what, able) = match &request.start {
            Start::Noise => return Ok(()),
            Start::Like { .. } => ("variations of an image", "vae, vqvae and flow"),
            Start::Between { .. } => ("the way between two images", "vae and flow"),
        };
        if !self.any.can_begin(&request.start) {
            return Err(Error::request(format!("a {family} cannot draw {what}; {able} can")));
        }
        match request.start {
            // The way is one batch: its steps depend on each other.
            Start::Between { .. } if !(2..=SAMPLE_BATCH).contains(&request.n) => {
                Err(Error::request(format!("the way between two images has 2 to {SAMPLE_BATCH} steps")))
            }
            _ => Ok(()),
        }
    }

    fn labels_for(&self, request: &SampleRequest) -> Result<Vec<u32>, Error> {
        let classes = &self.codec.classes;
        match &request.label {
            None if classes.is_empty() => Ok(Vec::new()),
            // An image that is given says itself what it shows.
            None if request.start != Start::Noise => Ok(vec![classes.len() as u32; request.n]),
            None => {
                let weights: Vec<f32> = self.config.class_counts.iter().map(|&c| c as f32).collect();
                let mut rng = Rng::new(request.seed, 0);
                Ok((0..request.n).map(|_| rng.categorical(&weights) as u32).collect())
            }
            Some(name) => match classes.iter().position(|c| c == name) {
                Some(index) => Ok(vec![index as u32; request.n]),
                None if classes.is_empty() => {
                    Err(Error::request("this model was trained without labels")
                        .with_hint("leave out --where"))
                }
                None => {
                    let near = nearest(name, classes.iter().map(String::as_str));
                    let near = near.map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
                    let hint = format!("{near}the labels are {}", classes.join(", "));
                    Err(Error::request(format!("the model knows no label `{name}`")).with_hint(hint))
                }
            },
        }
    }

    /// Through the encoder and back.
    pub fn reconstruct(&self, images: &Images, seed: u64) -> Result<Images, Error> {
        let mut pixels = Vec::with_capacity(images.pixels.len());
        let (size, n) = (images.shape.pixels(), images.len());
        for start in (0..n).step_by(SAMPLE_BATCH) {
            let end = (start + SAMPLE_BATCH).min(n);
            let labels =
                if images.labels.is_empty() { Vec::new() } else { images.labels[start..end].to_vec() };
            let batch = ImageBatch {
                pixels: images.pixels[start * size..end * size].to_vec(),
                labels,
                n: end - start,
            };
            match self.any.reconstruct(&batch, &mut Rng::new(seed, start as u64)) {
                Some(back) => pixels.extend(back),
                None => {
                    let family = self.config.model.family().name();
                    return Err(Error::request(format!(
                        "a {family} has no encoder; reconstruct works for vae and vqvae"
                    )));
                }
            }
        }
        Ok(Images { pixels, ..images.clone() })
    }

    /// Negative log-likelihood in nats of each item, where the family has one.
    pub fn nll(&self, batch: &ImageBatch, samples: usize, seed: u64) -> Option<Vec<f64>> {
        self.any.nll(batch, samples, &mut Rng::new(seed, 0))
    }

    /// The name of its folder, also where that was given as ".".
    pub fn name(&self) -> String {
        let whole = fs::canonicalize(&self.dir).unwrap_or_else(|_| self.dir.clone());
        whole.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// What goes into every file made by this model.
    pub fn provenance(&self, seed: u64, options: serde_json::Value) -> Provenance {
        Provenance {
            model: self.name(),
            family: self.config.model.family().name().to_owned(),
            seed,
            options,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    pub fn parameters(&self) -> usize {
        self.any.parameters()
    }
}

/// Items of each class among `indices`.
pub(crate) fn class_counts(data: &ImageSet, indices: &[u32]) -> Vec<u64> {
    let mut counts = vec![0; data.classes().len()];
    if !data.labels().is_empty() {
        for &index in indices {
            counts[data.labels()[index as usize] as usize] += 1;
        }
    }
    counts
}
