//! What a run shows of a model while it learns: a grid of images, a few rows, a page, a tune, sounds or moving pictures.

use std::path::{Path, PathBuf};

use mintage_data::{
    AudioFormat, AudioSet, Clips, ImageSet, Images, Provenance, TableSet, VideoFormat, VideoSet,
    audio::{WavDepth, write_wav},
    gif_bytes, grid_film,
    sequence::{SequenceSet, Tokenizer},
    write_grid,
};
use mintage_nn::Rng;

use crate::{
    dataset::AnyData,
    error::Error,
    models::{
        AnyModel, AudioModel, AudioSampleParams, Conditioning, GenerativeModel, ImageModel,
        ImageSampleParams, SamplingParams, SequenceModel, SequenceSampleParams, TableModel,
        TableSampleParams, VideoModel, VideoSampleParams,
    },
    sample::audio::interleaved,
};

/// Writes samples to look at into a file in `dir`, and says which. They say what made them: `by`, at that step.
///
/// # Errors
/// The file cannot be written.
pub fn preview(
    model: &AnyModel,
    data: &AnyData,
    dir: &Path,
    step: u64,
    mut by: Provenance,
    rng: &mut Rng,
) -> Result<PathBuf, Error> {
    let path = dir.join(format!("step-{step:09}"));
    by.options = serde_json::json!({ "preview": true, "step": step });
    match (model, data) {
        (AnyModel::Image(model), AnyData::Image(set)) => preview_images(model, set, &path, &by, rng),
        (AnyModel::Table(model), AnyData::Table(set)) => preview_rows(model, set, &path, rng),
        (AnyModel::Sequence(model), AnyData::Sequence(set)) => preview_sequences(model, set, &path, &by, rng),
        (AnyModel::Audio(model), AnyData::Audio(set)) => preview_sounds(model, set, &path, &by, rng),
        (AnyModel::Video(model), AnyData::Video(set)) => preview_clips(model, set, &path, &by, rng),
        _ => unreachable!("a model is given data of its own kind"),
    }
}

/// A grid of images, a column a class, always of the same classes.
fn preview_images(
    model: &ImageModel,
    set: &ImageSet,
    path: &Path,
    by: &Provenance,
    rng: &mut Rng,
) -> Result<PathBuf, Error> {
    let path = path.with_extension("png");
    let classes = set.classes().len();
    let n = if classes > 0 { classes.min(10) * 6 } else { 64 };
    let columns = if classes > 0 { classes.min(10) } else { 8 };
    let labels: Vec<u32> =
        if classes > 0 { (0..n).map(|i| (i % columns) as u32).collect() } else { Vec::new() };
    let pixels = model.sample(&ImageSampleParams::new(n, &labels), rng);
    let images = Images { shape: set.shape(), pixels, labels, classes: set.classes().to_vec() };
    write_grid(&path, &images, columns, Some(by))?;
    Ok(path)
}

/// A few rows as CSV.
fn preview_rows(model: &TableModel, set: &TableSet, path: &Path, rng: &mut Rng) -> Result<PathBuf, Error> {
    let path = path.with_extension("csv");
    let tokens = model.sample(&TableSampleParams::new(20), rng);
    let rows = set.decode(&tokens, &mut || rng.next_u64())?;
    mintage_data::atomic_write(&path, rows.to_csv().as_bytes()).map_err(Error::io(&path))?;
    Ok(path)
}

/// Tokens of a preview.
const PREVIEW_TOKENS: usize = 512;
/// Classes that a preview of texts shows.
const PREVIEW_CLASSES: usize = 3;

/// A page of text, of some classes where there are any, or a tune; the file with its suffix.
fn preview_sequences(
    model: &SequenceModel,
    set: &SequenceSet,
    path: &Path,
    by: &Provenance,
    rng: &mut Rng,
) -> Result<PathBuf, Error> {
    let classes = &set.info().classes;
    let draw = |class: Option<u32>, length: usize, rng: &mut Rng| {
        let draw = SequenceSampleParams { class, ..SequenceSampleParams::new(1, length) };
        model.sample((&draw, &mut |_, _, _| {}, &mut |_, _| true), rng).concat()
    };
    let (path, bytes) = match set.codec() {
        Tokenizer::Text(codec) if classes.is_empty() => {
            (path.with_extension("txt"), codec.decode(&draw(None, PREVIEW_TOKENS, rng)).into_bytes())
        }
        Tokenizer::Text(codec) => {
            let shown = classes.len().min(PREVIEW_CLASSES);
            let texts = classes[..shown].iter().zip(0..).map(|(name, class)| {
                format!("[{name}]\n{}\n\n", codec.decode(&draw(Some(class), PREVIEW_TOKENS / shown, rng)))
            });
            (path.with_extension("txt"), texts.collect::<String>().into_bytes())
        }
        Tokenizer::Music(codec) => {
            let tune = codec.decode(&draw(None, PREVIEW_TOKENS, rng));
            (path.with_extension("mid"), tune.to_midi(&by.to_json()))
        }
    };
    mintage_data::atomic_write(&path, &bytes).map_err(Error::io(&path))?;
    Ok(path)
}

/// Sounds of a preview.
const PREVIEW_SOUNDS: usize = 10;

/// A few sounds one after the other, of all classes in turn where there are any, a little silence between them.
fn preview_sounds(
    model: &AudioModel,
    set: &AudioSet,
    path: &Path,
    by: &Provenance,
    rng: &mut Rng,
) -> Result<PathBuf, Error> {
    let path = path.with_extension("wav");
    let AudioFormat { rate_hz, channels, segment, .. } = *set.codec();
    let classes = set.classes().len();
    let labels: Vec<u32> = (0..PREVIEW_SOUNDS).map(|i| (i % classes.max(1)) as u32).collect();
    let (conditioning, choice) = (Conditioning::None, SamplingParams::default());
    let labels = if classes == 0 { &[][..] } else { &labels };
    let sounds = model.sample(
        &AudioSampleParams {
            n: PREVIEW_SOUNDS,
            labels,
            length: segment,
            conditioning,
            choice,
            guidance: None,
            autoguidance: None,
        },
        rng,
    );
    let pause = vec![0.0; channels * rate_hz as usize / 5];
    let samples: Vec<f32> =
        sounds.iter().flat_map(|sound| [interleaved(sound, channels), pause.clone()].concat()).collect();
    write_wav(&path, &samples, channels, rate_hz, WavDepth::Bits16, &by.to_json())?;
    Ok(path)
}

/// Clips of a preview, and how many are side by side.
const PREVIEW_CLIPS: usize = 18;
const PREVIEW_COLUMNS: usize = 6;

/// A grid of moving pictures, of all classes in turn where there are any.
fn preview_clips(
    model: &VideoModel,
    set: &VideoSet,
    path: &Path,
    by: &Provenance,
    rng: &mut Rng,
) -> Result<PathBuf, Error> {
    let path = path.with_extension("gif");
    let VideoFormat { shape, frames, fps, ref classes, .. } = *set.codec();
    let labels: Vec<u32> = match classes.len() {
        0 => Vec::new(),
        count => (0..PREVIEW_CLIPS).map(|i| (i % count) as u32).collect(),
    };
    let (conditioning, choice) = (Conditioning::None, SamplingParams::default());
    let draw = VideoSampleParams {
        n: PREVIEW_CLIPS,
        labels: &labels,
        frames,
        conditioning,
        choice,
        guidance: None,
        autoguidance: None,
    };
    let pixels = model.sample(&draw, rng);
    let clips = Clips { shape, frames, fps, pixels, labels, classes: classes.clone() };
    let film = grid_film("preview", &[(String::new(), clips)], PREVIEW_COLUMNS)?;
    mintage_data::atomic_write(&path, &gif_bytes(&film, Some(by))?).map_err(Error::io(&path))?;
    Ok(path)
}
