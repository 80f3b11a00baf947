//! What can be asked of a model of clips: new ones, variations of one, what comes behind one, reconstructions.

use mintage_data::{Clips, VideoBatch, VideoFormat};
use mintage_nn::Rng;

use super::{Chunks, Limits, check_blend, check_early, class_source, labels_of};
use crate::{
    dataset::AnyTransform,
    error::Error,
    model::Model,
    models::{
        AnyModel, Conditioning, DataInfo, GenerativeModel, SamplingParams, VideoInfo, VideoModel,
        VideoSampleParams,
    },
};

/// Bytes of clips drawn between two words about progress, as far as whole clips allow; and clips.
const SAMPLE_CHUNK_BYTES: usize = 32 << 20;
const SAMPLE_CHUNK: usize = 16;
/// The longest clip.
const MAX_FRAMES: usize = 10_000;

/// How long clips are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum VideoLength {
    /// As long as an item of the data, or as a clip to vary; a clip that goes on becomes longer by an item.
    #[default]
    Own,
    /// This many frames.
    Frames(usize),
    /// This many seconds, at the rate of the data.
    Seconds(f64),
}

/// What to draw from a model.
#[derive(Clone, Debug, Default)]
pub struct VideoRequest {
    /// How many items to draw.
    pub n: usize,
    /// A class by name; `None` draws classes as often as they are in the data.
    pub label: Option<String>,
    /// Items are as the model's transform makes them: pixels `[channels, frames, height, width]`.
    pub conditioning: Conditioning<Vec<u8>>,
    /// What it begins with included.
    pub length: VideoLength,
    /// How codes or tokens are chosen among the probable ones.
    pub choice: SamplingParams,
    /// How strongly the class steers; `None` is the model's default.
    pub guidance: Option<f64>,
    /// Weight of guidance by an early version of the model; `None`: the model's default.
    pub autoguidance: Option<f64>,
    /// Seed of every random choice.
    pub seed: u64,
}

/// The parts of a model of clips.
pub struct VideoParts<'a> {
    /// The network.
    pub model: &'a VideoModel,
    /// What it knows of its data.
    pub info: &'a VideoInfo,
    /// How items become what the network sees, and back.
    pub codec: &'a VideoFormat,
}

/// Clips as they are drawn.
pub(crate) struct ClipChunks<'a> {
    parts: VideoParts<'a>,
    request: VideoRequest,
    frames: usize,
    labels: Vec<u32>,
    chunks: Chunks,
}

impl ClipChunks<'_> {
    /// No clips.
    pub(crate) fn head(&self) -> Clips {
        let VideoInfo { shape, fps, .. } = *self.parts.info;
        let classes = self.parts.codec.classes.clone();
        Clips { shape, frames: self.frames, fps, pixels: Vec::new(), labels: Vec::new(), classes }
    }

    /// The next clips; `None` after the last.
    pub(crate) fn next_chunk(&mut self) -> Option<Clips> {
        let (items, mut rng) = self.chunks.next(&self.request.conditioning)?;
        let labels = labels_of(&self.labels, items.clone());
        let VideoRequest { choice, guidance, autoguidance, conditioning, .. } = &self.request;
        let draw = VideoSampleParams {
            n: items.len(),
            labels,
            frames: self.frames,
            conditioning: conditioning.map(Vec::as_slice),
            choice: *choice,
            guidance: *guidance,
            autoguidance: *autoguidance,
        };
        let pixels = self.parts.model.sample(&draw, &mut rng);
        Some(Clips { pixels, labels: labels.to_vec(), ..self.head() })
    }
}

impl Model {
    /// The parts of a model of clips.
    ///
    /// # Errors
    ///
    /// The model makes something else.
    pub fn clips(&self) -> Result<VideoParts<'_>, Error> {
        match (&self.any, &self.config.info, &self.codec) {
            (AnyModel::Video(model), DataInfo::Video(info), AnyTransform::Video(codec)) => {
                Ok(VideoParts { model, info, codec })
            }
            _ => {
                Err(Error::request(format!("{} makes {}s, not clips", self.name(), self.config.info.item())))
            }
        }
    }

    /// Draws `request.n` clips. The same request gives the same bytes.
    ///
    /// # Errors
    ///
    /// The model makes something else, or cannot make what is asked for.
    pub fn sample_clips(
        &self,
        request: &VideoRequest,
        on: &mut dyn FnMut(usize, usize),
    ) -> Result<Clips, Error> {
        let mut chunks = self.clip_chunks(request.clone(), &Limits::default())?;
        let mut all = chunks.head();
        on(0, request.n);
        while let Some(chunk) = chunks.next_chunk() {
            all.append(chunk);
            on(all.len(), request.n);
        }
        Ok(all)
    }

    /// The clips of [`sample_clips`](Self::sample_clips), a chunk at a time.
    pub(crate) fn clip_chunks(
        &self,
        request: VideoRequest,
        limits: &Limits,
    ) -> Result<ClipChunks<'_>, Error> {
        let parts = self.clips()?;
        let (field, what, able) = match &request.conditioning {
            Conditioning::None | Conditioning::Vary { .. } => {
                ("like", "variations of a clip", "vae and vqvae")
            }
            Conditioning::Interpolate { .. } => ("between", "the way between two clips", "no family"),
            blend @ Conditioning::Blend { .. } if blend.is_noise() => {
                ("blend", "a blend of seeds", "vae and gan")
            }
            Conditioning::Blend { .. } => ("blend", "a blend of clips", "a vae"),
            Conditioning::Continue { .. } => ("continue", "what comes after a clip", "vae and vqvae"),
        };
        if !parts.model.supports(&request.conditioning.map(|_| ())) {
            let family = self.config.model.family().name();
            return Err(Error::field(
                field,
                format!("cannot be met: a {family} cannot draw {what}; {able} can"),
            ));
        }
        check_blend(&request.conditioning, request.n)?;
        check_early(request.autoguidance.is_some(), parts.model.has_early())?;
        let (seed, given) = class_source(&request.conditioning, request.seed);
        let labels =
            self.labels_for(&parts.codec.classes, request.label.as_deref(), request.n, given, seed)?;
        let frames = frames_of(parts.info, &request)?;
        let bytes = frames.saturating_mul(parts.info.shape.pixels());
        limits.check_items(request.n, bytes, "clips")?;
        let each = (SAMPLE_CHUNK_BYTES / bytes.max(1)).clamp(1, SAMPLE_CHUNK);
        let chunks = Chunks::new(request.n, each, request.seed);
        Ok(ClipChunks { parts, request, frames, labels, chunks })
    }

    /// Reconstructs clips, all of the same length, whatever it is: through the encoder and back, as many frames at a
    /// time as an item has.
    ///
    /// # Errors
    ///
    /// The model makes something else, or has no encoder.
    pub fn reconstruct_clips(&self, clips: &Clips) -> Result<Clips, Error> {
        let VideoParts { model, info, .. } = self.clips()?;
        let mut pixels = Vec::with_capacity(clips.pixels.len());
        for i in 0..clips.len() {
            let label = clips.labels.get(i).copied().into_iter().collect::<Vec<u32>>();
            let windows = windows(clips.clip(i), info, clips.frames);
            let mut back = Vec::with_capacity(windows.len());
            for window in windows {
                let batch = VideoBatch { pixels: window, labels: label.clone(), n: 1 };
                back.push(model.reconstruct(&batch, &mut Rng::new(0, 0)).ok_or_else(|| {
                    let family = self.config.model.family().name();
                    Error::request(format!("a {family} has no encoder; reconstruct works for vae and vqvae"))
                })?);
            }
            pixels.extend(joined(&back, info, clips.frames));
        }
        Ok(Clips { pixels, ..clips.clone() })
    }
}

/// A clip in items of the model; the last one stands still where the clip has ended.
fn windows(clip: &[u8], info: &VideoInfo, frames: usize) -> Vec<Vec<u8>> {
    let area = info.shape.height * info.shape.width;
    let window = |first: usize| {
        let planes = clip.chunks_exact(area * frames);
        let frames = (first..first + info.frames).map(|frame| frame.min(frames - 1));
        planes
            .flat_map(|plane| frames.clone().flat_map(move |frame| &plane[frame * area..][..area]))
            .copied()
            .collect()
    };
    (0..frames).step_by(info.frames).map(window).collect()
}

/// The first `frames` of [`windows`].
fn joined(windows: &[Vec<u8>], info: &VideoInfo, frames: usize) -> Vec<u8> {
    let area = info.shape.height * info.shape.width;
    let size = area * info.frames;
    let mut clip = Vec::with_capacity(info.shape.pixels() * frames);
    for channel in 0..info.shape.channels {
        let planes = windows.iter().flat_map(|window| &window[channel * size..][..size]);
        clip.extend(planes.take(frames * area));
    }
    clip
}

fn frames_of(info: &VideoInfo, request: &VideoRequest) -> Result<usize, Error> {
    let begun = request.conditioning.item().map_or(0, Vec::len) / info.shape.pixels().max(1);
    let frames = match (request.length, &request.conditioning) {
        (VideoLength::Frames(frames), _) => frames,
        (VideoLength::Seconds(secs), _) if !(secs > 0.0 && secs.is_finite()) => {
            let why = format!("a clip lasts more than 0 seconds, not {secs}");
            return Err(Error::request(why).in_field("seconds"));
        }
        (VideoLength::Seconds(secs), _) => ((secs * info.fps).round() as usize).max(2),
        (VideoLength::Own, Conditioning::None | Conditioning::Interpolate { .. }) => info.frames,
        (VideoLength::Own, Conditioning::Blend { .. }) if begun == 0 => info.frames,
        (VideoLength::Own, Conditioning::Vary { .. } | Conditioning::Blend { .. }) => begun,
        (VideoLength::Own, Conditioning::Continue { .. }) => begun + info.frames,
    };
    if !(2..=MAX_FRAMES).contains(&frames) {
        let field = if matches!(request.length, VideoLength::Seconds(_)) { "seconds" } else { "frames" };
        return Err(
            Error::request(format!("a clip has 2 to {MAX_FRAMES} frames, not {frames}")).in_field(field)
        );
    }
    match &request.conditioning {
        Conditioning::Continue { .. } if frames <= begun => {
            let why = format!("what goes on has {begun} frames already, and {frames} are asked for in all");
            Err(Error::request(why).with_hint("ask for more `frames`, or `seconds`").in_field("frames"))
        }
        _ => Ok(frames),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage_data::ImageShape;

    fn info() -> VideoInfo {
        let shape = ImageShape { channels: 2, height: 1, width: 3 };
        VideoInfo { shape, frames: 4, fps: 8.0, classes: 0, train_len: 1, palette: None }
    }

    #[test]
    fn windows_join_to_what_they_were_cut_from() {
        for frames in [1, 3, 4, 9] {
            let clip: Vec<u8> = (0..2 * 3 * frames as u8).collect();
            let cut = windows(&clip, &info(), frames);
            assert!(cut.iter().all(|window| window.len() == 24) && cut.len() == frames.div_ceil(4));
            assert_eq!(joined(&cut, &info(), frames), clip);
        }
    }

    #[test]
    fn lengths() {
        let of = |length, begin| {
            frames_of(&info(), &VideoRequest { length, conditioning: begin, ..VideoRequest::default() })
        };
        let behind = || Conditioning::Continue { item: vec![0; 6 * 5] };
        assert_eq!(of(VideoLength::Own, Conditioning::None).unwrap(), 4);
        assert_eq!(of(VideoLength::Own, behind()).unwrap(), 9);
        assert_eq!(of(VideoLength::Seconds(1.5), Conditioning::None).unwrap(), 12);
        assert!(
            of(VideoLength::Frames(5), behind()).unwrap_err().to_string().contains("has 5 frames already")
        );
        for bad in [VideoLength::Frames(1), VideoLength::Seconds(-1.0), VideoLength::Seconds(1e9)] {
            assert!(of(bad, Conditioning::None).is_err(), "{bad:?}");
        }
    }
}
