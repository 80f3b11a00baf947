//! `mintage reconstruct`: through the encoder and back, each original beside its reconstruction.

use std::path::{Path, PathBuf};

use mintage::{
    AnyData, DataInfo, Model,
    data::{DataKind, IfExists},
    evaluate::{audio::mel_distance_db, video::psnr_db},
    generate::{Encoding, in_samples, make_parent, may_write},
    models::audio::si_sdr_db,
    sample::audio::interleaved,
};
use mintage_data::{
    Animation, Clips, Ffmpeg, Images, Provenance, apng_bytes,
    audio::{WavDepth, wav_bytes},
    gif_bytes, grid_film, target_of, write_grid_rows, write_mp4, write_through,
};
use serde_json::json;

use crate::{
    args::Reconstruct,
    context::Context,
    failure::{CliError, CliResult, Outcome},
    pictures::{part, psnr, spread},
    text::{count, shell},
};

/// Pairs of images side by side.
const COLUMNS: usize = 8;
/// Pairs of clips side by side.
const CLIPS_ACROSS: usize = 8;

pub fn run(args: &Reconstruct, context: &mut Context) -> CliResult {
    let model = context.load(&args.model)?;
    match model.config.info {
        DataInfo::Audio(_) => return sounds(args, &model, context),
        DataInfo::Video(_) => return clips(args, &model, context),
        DataInfo::Image(_) | DataInfo::Table(_) | DataInfo::Sequence(_) => {}
    }
    let originals = match args.files.is_empty() {
        true => held_out(args, &model, context)?,
        false => decode(&args.files, &model)?,
    };
    let seed = context.settings.seed_or_default();
    let back = model.reconstruct(&originals, seed)?;
    let out = match &args.out {
        Some(path) => path.clone(),
        None => in_samples(&model, "reconstruction.png")?,
    };
    check_free(&out)?;
    make_parent(&out)?;
    let out = target_of(&out).map_err(CliError::io(&out))?;
    let mut rows = Vec::new();
    for from in (0..originals.len()).step_by(COLUMNS) {
        let to = (from + COLUMNS).min(originals.len());
        rows.push(("original".to_owned(), part(&originals, from, to)));
        rows.push(("reconstruction".to_owned(), part(&back, from, to)));
    }
    let provenance = model.provenance(seed, json!({ "reconstruct": originals.len() }));
    write_grid_rows(&out, &rows, COLUMNS, Some(&provenance))?;
    let db = psnr(&originals, &back);
    context.ui.out_json(&json!({ "file": out, "n": originals.len(), "psnr_db": db }))?;
    context.ui.field("made", &format!("{} ({})", shell(&out), count(originals.len(), "pair")));
    if let Some(db) = db {
        context.ui.field("error", &format!("{db:.1} dB signal to noise on the average (more is better)"));
    }
    Ok(Outcome::Done)
}

/// Data of the holdout, which the model never saw.
fn held_out(args: &Reconstruct, model: &Model, context: &mut Context) -> Result<Images, CliError> {
    if args.n == 0 {
        return Err(CliError::message("-n must be at least 1"));
    }
    let data = context.data_of(model, &args.moved)?;
    let chosen = spread(&data.splits().holdout, args.n);
    if chosen.is_empty() {
        return Err(CliError::new(
            "the data have no holdout, they are too few",
            "name image files to reconstruct",
        ));
    }
    match data {
        AnyData::Image(set) => Ok(set.images(&chosen)?),
        AnyData::Table(_) | AnyData::Sequence(_) | AnyData::Audio(_) | AnyData::Video(_) => {
            Err(CliError::message("only images, sounds and clips are reconstructed"))
        }
    }
}

/// Image files as the model sees images. They have no labels: the model takes "no class".
fn decode(files: &[PathBuf], model: &Model) -> Result<Images, CliError> {
    let codec = model.images()?.codec;
    let mut pixels = Vec::new();
    for file in files {
        let bytes = mintage_data::read_item_file(file)?;
        let image = codec.decode(&bytes);
        pixels.extend(image.map_err(|why| CliError::message(format!("{}: {why}", file.display())))?);
    }
    Ok(Images { shape: codec.shape, pixels, labels: Vec::new(), classes: codec.classes.clone() })
}

/// Between a sound and the next, in seconds.
const PAUSE_SECS: f64 = 0.3;

/// Of sounds: each original, and behind it what comes back through the codec, one after another.
pub fn sounds(args: &Reconstruct, model: &Model, context: &mut Context) -> CliResult {
    let originals = match args.files.is_empty() {
        true => held_out_sounds(args, model, context)?,
        false => args.files.iter().map(|path| sound(path, model)).collect::<Result<_, _>>()?,
    };
    let out = match &args.out {
        Some(path) => path.clone(),
        None => in_samples(model, "reconstruction.wav")?,
    };
    check_free(&out)?;
    make_parent(&out)?;
    let info = model.sounds()?.info;
    let pause = vec![0.0; (PAUSE_SECS * f64::from(info.rate_hz)) as usize * info.channels];
    let (mut samples, mut ratios, mut distances) = (Vec::new(), Vec::new(), Vec::new());
    for original in &originals {
        let back = model.reconstruct_sound(original)?;
        for sound in [original, &back] {
            samples.extend(interleaved(sound, info.channels));
            samples.extend(&pause);
        }
        ratios.extend(si_sdr_db(original, &back, original.len()));
        let time = original.len() / info.channels;
        distances.extend(mel_distance_db(original, &back, time, info.rate_hz));
    }
    let seed = context.settings.seed_or_default();
    let provenance = model.provenance(seed, json!({ "reconstruct": originals.len() })).to_json();
    let bytes = wav_bytes(&samples, info.channels, info.rate_hz, WavDepth::Bits16, &provenance);
    write_through(&out, &bytes).map_err(CliError::io(&out))?;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    // Where phases are made anew, waves cannot be compared.
    let ratio = model.sounds()?.model.keeps_waves().then(|| mean(&ratios));
    let distance = mean(&distances);
    context.ui.out_json(&json!({
        "file": out, "n": originals.len(), "si_sdr_db": ratio, "mel_distance_db": distance,
    }))?;
    context.ui.field("made", &format!("{} ({})", shell(&out), count(originals.len(), "pair")));
    if let Some(db) = ratio {
        context.ui.field("wave", &format!("{db:.1} dB SI-SDR on the average (more is better)"));
    }
    context.ui.field("sound", &format!("{distance:.1} dB between mel spectrograms (less is better)"));
    Ok(Outcome::Done)
}

/// Sounds of the holdout, which the model never heard.
fn held_out_sounds(
    args: &Reconstruct,
    model: &Model,
    context: &mut Context,
) -> Result<Vec<Vec<f32>>, CliError> {
    if args.n == 0 {
        return Err(CliError::message("-n must be at least 1"));
    }
    let AnyData::Audio(set) = context.data_of(model, &args.moved)? else {
        return Err(CliError::message("the source does not hold sounds any more"));
    };
    let chosen = spread(&set.splits().holdout, args.n);
    match chosen.is_empty() {
        true => Err(CliError::new(
            "the data have no holdout, they are too few",
            "name sound files to reconstruct",
        )),
        false => Ok(chosen.into_iter().map(|item| set.sound(item)).collect()),
    }
}

/// A sound of a file as a model hears it.
fn sound(path: &Path, model: &Model) -> Result<Vec<f32>, CliError> {
    let bytes = mintage_data::read_item_file(path)?;
    let found = model.sounds()?.codec.decode(bytes);
    found.map_err(|why| CliError::message(format!("{}: {why}", path.display())))
}

/// Of clips: originals in a row, and below each what comes back through the encoder, moving.
pub fn clips(args: &Reconstruct, model: &Model, context: &mut Context) -> CliResult {
    let out = match &args.out {
        Some(path) => path.clone(),
        None => in_samples(model, "reconstruction.gif")?,
    };
    let Some(encoding) = Encoding::of_file(DataKind::Video, &out) else {
        let message = format!("{}: does not say what to write", out.display());
        return Err(CliError::new(message, "end it with .gif, .png or .mp4"));
    };
    if encoding == Encoding::Mp4 {
        Ffmpeg::default().check(&out.display().to_string())?;
    }
    let originals = match args.files.is_empty() {
        true => held_out_clips(args, model, context)?,
        false => clips_of_files(args, model)?,
    };
    let (mut blocks, mut ratios) = (Vec::new(), Vec::new());
    for clips in &originals {
        let back = model.reconstruct_clips(clips)?;
        ratios.extend(psnr_db(&clips.pixels, &back.pixels, clips.clip(0).len()));
        blocks.push(("original".to_owned(), clips.clone()));
        blocks.push(("reconstruction".to_owned(), back));
    }
    let seed = context.settings.seed_or_default();
    let provenance = model.provenance(seed, json!({ "reconstruct": ratios.len() }));
    check_free(&out)?;
    make_parent(&out)?;
    let film = grid_film(&out.display().to_string(), &blocks, CLIPS_ACROSS)?;
    write_film(&out, encoding, &film, &provenance)?;
    let db = ratios.iter().sum::<f64>() / ratios.len().max(1) as f64;
    context.ui.out_json(&json!({ "file": out, "n": ratios.len(), "psnr_db": db }))?;
    context.ui.field("made", &format!("{} ({})", shell(&out), count(ratios.len(), "pair")));
    context.ui.field("error", &format!("{db:.1} dB signal to noise on the average (more is better)"));
    Ok(Outcome::Done)
}

/// Clips of files, each of its own length.
fn clips_of_files(args: &Reconstruct, model: &Model) -> Result<Vec<Clips>, CliError> {
    let codec = model.clips()?.codec;
    let one = |path: &PathBuf| {
        let pixels = model.clips()?.codec.read(path, &Ffmpeg::default())?;
        let frames = pixels.len() / codec.shape.pixels();
        let (labels, classes) = (Vec::new(), codec.classes.clone());
        Ok(Clips { shape: codec.shape, frames, fps: codec.fps, pixels, labels, classes })
    };
    args.files.iter().map(one).collect()
}

/// Clips of the holdout, which the model never saw, some in a row.
fn held_out_clips(args: &Reconstruct, model: &Model, context: &mut Context) -> Result<Vec<Clips>, CliError> {
    if args.n == 0 {
        return Err(CliError::message("-n must be at least 1"));
    }
    let AnyData::Video(set) = context.data_of(model, &args.moved)? else {
        return Err(CliError::message("the source does not hold clips any more"));
    };
    let chosen = spread(&set.splits().holdout, args.n);
    match chosen.is_empty() {
        true => Err(CliError::new("the data have no holdout, they are too few", "name clips to reconstruct")),
        false => Ok(chosen.chunks(CLIPS_ACROSS).map(|items| set.clips(items)).collect()),
    }
}

fn write_film(
    path: &Path,
    encoding: Encoding,
    film: &Animation,
    provenance: &Provenance,
) -> Result<(), CliError> {
    let bytes = match encoding {
        Encoding::Mp4 => return Ok(write_mp4(path, film, Some(provenance), &Ffmpeg::default())?),
        Encoding::Gif => gif_bytes(film, Some(provenance))?,
        _ => apng_bytes(film, Some(provenance))?,
    };
    write_through(path, &bytes).map_err(CliError::io(path))
}

/// Whether a file may be written; no flag of this verb replaces others.
fn check_free(out: &Path) -> Result<(), CliError> {
    Ok(may_write(out, IfExists::Fail).map_err(|error| error.with_hint("choose another name"))?)
}
