//! What can be asked of a model of images: new ones, variations, the way between two, reconstructions.

use mintage_data::{ImageBatch, ImageTransform, Images};
use mintage_nn::Rng;

use super::{Chunks, Limits, check_blend, check_early, class_source, labels_of};
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
    /// How many items to draw.
    pub n: usize,
    /// A class by name; `None` draws classes as often as they are in the data.
    pub label: Option<String>,
    /// What the samples begin with.
    pub conditioning: Conditioning<Vec<u8>>,
    /// Seed of every random choice.
    pub seed: u64,
    /// 1 is the model's own distribution; lower is safer and less diverse.
    pub temperature: f32,
    /// Classifier-free guidance weight; `None`: the model's default.
    pub guidance: Option<f32>,
    /// Weight of guidance by an early version of the model; `None`: the model's default.
    pub autoguidance: Option<f32>,
    /// Only this many of the most probable codes (VQ-VAE).
    pub top_k: Option<usize>,
    /// Only the most probable codes up to this probability in all (VQ-VAE).
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
            autoguidance: None,
            top_k: None,
            top_p: None,
        }
    }
}

/// The parts of a model of images.
pub struct ImageParts<'a> {
    /// The network.
    pub model: &'a ImageModel,
    /// What it knows of its data.
    pub info: &'a ImageInfo,
    /// How items become what the network sees, and back.
    pub codec: &'a ImageTransform,
}

/// Images as they are drawn.
pub(crate) struct ImageChunks<'a> {
    parts: ImageParts<'a>,
    request: ImageRequest,
    labels: Vec<u32>,
    chunks: Chunks,
}

impl ImageChunks<'_> {
    /// No images.
    pub(crate) fn head(&self) -> Images {
        let ImageParts { info, codec, .. } = &self.parts;
        Images { shape: info.shape, pixels: Vec::new(), labels: Vec::new(), classes: codec.classes.clone() }
    }

    /// The next images; `None` after the last.
    pub(crate) fn next_chunk(&mut self) -> Option<Images> {
        let (items, mut rng) = self.chunks.next(&self.request.conditioning)?;
        let labels = labels_of(&self.labels, items.clone());
        let request = &self.request;
        let draw = ImageSampleParams {
            n: items.len(),
            labels,
            conditioning: &request.conditioning,
            temperature: request.temperature,
            guidance: request.guidance,
            autoguidance: request.autoguidance,
            top_k: request.top_k,
            top_p: request.top_p,
        };
        let pixels = self.parts.model.sample(&draw, &mut rng);
        Some(Images { pixels, labels: labels.to_vec(), ..self.head() })
    }
}

impl Model {
    /// The parts of a model of images.
    ///
    /// # Errors
    ///
    /// The model makes something else.
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
    ///
    /// # Errors
    ///
    /// The model makes something else, or cannot make what is asked for.
    pub fn sample(&self, request: &ImageRequest, on: &mut dyn FnMut(usize, usize)) -> Result<Images, Error> {
        let mut chunks = self.image_chunks(request.clone(), &Limits::default())?;
        let mut all = chunks.head();
        on(0, request.n);
        while let Some(chunk) = chunks.next_chunk() {
            all.append(chunk);
            on(all.len(), request.n);
        }
        Ok(all)
    }

    /// The images of [`sample`](Self::sample), a chunk at a time.
    pub(crate) fn image_chunks(
        &self,
        request: ImageRequest,
        limits: &Limits,
    ) -> Result<ImageChunks<'_>, Error> {
        let parts = self.images()?;
        self.check_start(parts.model, &request)?;
        check_early(request.autoguidance.is_some(), parts.model.has_early())?;
        limits.check_items(request.n, parts.info.shape.pixels(), "images")?;
        // An image that is given says itself what it shows.
        let (seed, given) = class_source(&request.conditioning, request.seed);
        let labels =
            self.labels_for(&parts.codec.classes, request.label.as_deref(), request.n, given, seed)?;
        let chunks = Chunks::new(request.n, SAMPLE_BATCH, request.seed);
        Ok(ImageChunks { parts, request, labels, chunks })
    }

    fn check_start(&self, images: &ImageModel, request: &ImageRequest) -> Result<(), Error> {
        let family = self.config.model.family().name();
        let (field, what, able) = match &request.conditioning {
            Conditioning::None => return Ok(()),
            Conditioning::Vary { .. } => ("like", "variations of an image", "vae, vqvae and flow"),
            Conditioning::Interpolate { .. } => ("between", "the way between two images", "vae and flow"),
            blend @ Conditioning::Blend { .. } if blend.is_noise() => {
                ("blend", "a blend of seeds", "vae, gan and flow")
            }
            Conditioning::Blend { .. } => ("blend", "a blend of images", "vae and flow"),
            Conditioning::Continue { .. } => ("continue", "what comes after an image", "no family"),
        };
        if !images.supports(&request.conditioning.map(|_| ())) {
            return Err(Error::field(
                field,
                format!("cannot be met: a {family} cannot draw {what}; {able} can"),
            ));
        }
        check_blend(&request.conditioning, request.n)?;
        match request.conditioning {
            // The way is one batch: its steps depend on each other.
            Conditioning::Interpolate { .. } if !(2..=SAMPLE_BATCH).contains(&request.n) => Err(
                Error::field("n", format!("must be 2 to {SAMPLE_BATCH}, the steps of the way of `between`")),
            ),
            _ => Ok(()),
        }
    }

    /// Reconstructs images: through the encoder and back.
    ///
    /// # Errors
    ///
    /// The model makes something else, or has no encoder.
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
