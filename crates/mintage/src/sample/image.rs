//! What can be asked of a model of images: new ones, variations, the way between two, reconstructions.

use mintage_data::{ImageBatch, ImageTransform, Images};
use mintage_nn::Rng;

use crate::{
    dataset::AnyTransform,
    error::Error,
    model::Model,
    models::{
        AnyModel, Conditioning, DataInfo, GenerativeModel, ImageInfo, ImageModel, ImageSampleParams,
        image::SAMPLE_BATCH,
    },
};

/// What to draw from a model.
#[derive(Clone, Debug)]
pub struct ImageRequest {
    pub n: usize,
    /// A class by name; `None` draws classes as often as they are in the data.
    pub label: Option<String>,
    /// What the samples begin with.
    pub conditioning: Conditioning<Vec<u8>>,
    pub seed: u64,
    pub temperature: f32,
    pub guidance: Option<f32>,
    pub top_k: Option<usize>,
    pub top_p: Option<f32>,
}

impl Default for ImageRequest {
    fn default() -> Self {
        Self {
            n: 64,
            label: None,
            conditioning: Conditioning::None,
            seed: 1,
            temperature: 1.0,
            guidance: None,
            top_k: None,
            top_p: None,
        }
    }
}

/// The parts of a model of images.
pub struct ImageParts<'a> {
    pub model: &'a ImageModel,
    pub info: &'a ImageInfo,
    pub codec: &'a ImageTransform,
}

impl Model {
    /// The parts of a model of images; an error for one that makes something else.
    pub fn images(&self) -> Result<ImageParts<'_>, Error> {
        match (&self.any, &self.config.info, &self.codec) {
            (AnyModel::Image(model), DataInfo::Image(info), AnyTransform::Image(codec)) => {
                Ok(ImageParts { model, info, codec })
            }
            _ => {
                Err(Error::request(format!("{} makes {}s, not images", self.name(), self.config.info.item())))
            }
        }
    }

    /// Draws `request.n` images. The same request gives the same bytes.
    pub fn sample(&self, request: &ImageRequest, on: &mut dyn FnMut(usize, usize)) -> Result<Images, Error> {
        let ImageParts { model: images, info, codec } = self.images()?;
        self.check_start(images, request)?;
        // An image that is given says itself what it shows.
        let given = request.conditioning != Conditioning::None;
        let labels =
            self.labels_for(&codec.classes, request.label.as_deref(), request.n, given, request.seed)?;
        let mut pixels = Vec::with_capacity(request.n * info.shape.pixels());
        on(0, request.n);
        // Every batch has a stream of its own, so that the first images do not depend on how many are asked for.
        for (index, start) in (0..request.n).step_by(SAMPLE_BATCH).enumerate() {
            let n = SAMPLE_BATCH.min(request.n - start);
            let chosen = if labels.is_empty() { &labels[..] } else { &labels[start..start + n] };
            let draw = ImageSampleParams {
                n,
                labels: chosen,
                conditioning: &request.conditioning,
                temperature: request.temperature,
                guidance: request.guidance,
                top_k: request.top_k,
                top_p: request.top_p,
            };
            pixels.extend(images.sample(&draw, &mut Rng::new(request.seed, index as u64 + 1)));
            on(start + n, request.n);
        }
        Ok(Images { shape: info.shape, pixels, labels, classes: codec.classes.clone() })
    }

    fn check_start(&self, images: &ImageModel, request: &ImageRequest) -> Result<(), Error> {
        let family = self.config.model.family().name();
        let (what, able) = match &request.conditioning {
            Conditioning::None => return Ok(()),
            Conditioning::Vary { .. } => ("variations of an image", "vae, vqvae and flow"),
            Conditioning::Interpolate { .. } => ("the way between two images", "vae and flow"),
            Conditioning::Continue { .. } => ("what comes after an image", "no family"),
        };
        if !images.supports(&request.conditioning.map(|_| ())) {
            return Err(Error::request(format!("a {family} cannot draw {what}; {able} can")));
        }
        match request.conditioning {
            // The way is one batch: its steps depend on each other.
            Conditioning::Interpolate { .. } if !(2..=SAMPLE_BATCH).contains(&request.n) => {
                Err(Error::request(format!("the way between two images has 2 to {SAMPLE_BATCH} steps")))
            }
            _ => Ok(()),
        }
    }

    /// Through the encoder and back.
    pub fn reconstruct(&self, images: &Images, seed: u64) -> Result<Images, Error> {
        let model = self.images()?.model;
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
            match model.reconstruct(&batch, &mut Rng::new(seed, start as u64)) {
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
}
