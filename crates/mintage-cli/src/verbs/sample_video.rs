//! `mintage sample` of clips: moving pictures (GIF, APNG, MP4), a folder, or BLOBs of a table; and clips through a model's
//! encoder.

use std::path::{Path, PathBuf};

use mintage::{AnyData, Event, Model, VideoRequest, evaluate::video::psnr_db, sample::VideoLength};
use mintage_data::{
    Animation, Clips, Ffmpeg, Provenance, apng_bytes, gif_bytes, grid_film, names::path_of,
    write_clip_folder, write_mp4, write_through,
};
use serde_json::json;

use super::{
    conditioning::vary_or_continue,
    flags::{self, Kind},
    places::{
        Place, grid, in_samples, is_database, is_folder, make_parent, may_write, place, report_rows,
        stands_beside, suffix,
    },
    sample_text::{check_choice, choice, label},
};
use crate::{
    args::{ExistsChoice, Reconstruct, Sample},
    context::Context,
    failure::{CliError, CliResult, Outcome},
    pictures::spread,
    text::{count, shell},
};

/// Most bytes of clips made at once.
const MAX_BYTES: usize = 4 << 30;
const DEFAULT_N: usize = 16;
/// Pairs side by side.
const COLUMNS: usize = 8;

/// How moving pictures are written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    Gif,
    Apng,
    Mp4,
}

/// Where clips go.
#[derive(Debug, PartialEq)]
enum Target {
    /// One clip, or many in a grid.
    File(PathBuf, Format),
    Folder(PathBuf),
    /// A SQLite file or an address.
    Database(String),
}

pub fn run(args: &Sample, model: &Model, context: &mut Context) -> CliResult {
    check(args)?;
    let seed = context.settings.seed_or_fresh();
    let target = match args.out.as_deref() {
        Some(out) => target(out)?,
        None => Target::File(in_samples(model, &format!("seed-{seed}.gif"))?, Format::Gif),
    };
    match &target {
        Target::File(path, _) => may_write(path, args.if_exists)?,
        Target::Folder(path) => stands_beside(path, args.if_exists)?,
        Target::Database(_) => {}
    }
    let place = match &target {
        Target::Database(target) => {
            let labelled = !model.clips()?.codec.classes.is_empty();
            Some(place(target, args, model, labelled, context)?)
        }
        _ => None,
    };
    let grid = args.grid.as_deref().map(grid).transpose()?;
    let n = args.n.or(grid.map(|(columns, rows)| columns * rows)).unwrap_or(DEFAULT_N);
    let request = VideoRequest {
        n,
        label: label(args, model)?,
        conditioning: vary_or_continue(args, |path| clip(path, model))?,
        length: length(args)?,
        choice: choice(args),
        guidance: args.guidance.map(f64::from),
        seed,
    };
    let size = model.clip_frames(&request)? * model.clips()?.info.shape.pixels();
    if n.saturating_mul(size) > MAX_BYTES {
        return Err(CliError::new(
            format!("{} at once do not fit in memory", count(n, "clip")),
            "make them in parts, each with another --seed",
        ));
    }
    let options = json!({
        "where": args.condition, "continue": args.continued, "like": args.like, "strength": args.strength,
        "frames": args.frames, "seconds": args.seconds, "temperature": args.temperature,
        "guidance": args.guidance, "top_k": args.top_k, "top_p": args.top_p, "min_p": args.min_p,
    });
    let provenance = model.provenance(seed, options);
    let ui = &mut context.ui;
    let clips = model.sample_clips(&request, &mut |done, total| {
        ui.event(&Event::Work { what: "sampling".to_owned(), done, total });
    });
    context.ui.clear();
    let across = grid.map_or((n as f64).sqrt().ceil() as usize, |(columns, _)| columns);
    write(&target, place.as_ref(), &clips?, across, &provenance, context)
}

/// Writes the clips, in a grid so many across.
fn write(
    target: &Target,
    place: Option<&Place>,
    clips: &Clips,
    across: usize,
    provenance: &Provenance,
    context: &mut Context,
) -> CliResult {
    let secs = clips.frames as f64 / clips.fps;
    let what = format!("{} of {} frames, {secs:.1} s", count(clips.len(), "new clip"), clips.frames);
    match (target, place) {
        (Target::File(path, format), _) => {
            make_parent(path)?;
            let film = match clips.len() {
                1 => clips.film(0),
                _ => grid_film(&path.display().to_string(), &[(String::new(), clips.clone())], across)?,
            };
            write_film(path, *format, &film, provenance)?;
            context.ui.field("made", &format!("{what}, in {}", shell(path)));
        }
        (Target::Folder(dir), _) => {
            write_clip_folder(dir, clips, "gif", provenance, &Ffmpeg::default())?;
            context.ui.field("made", &format!("{what}, in {}", shell(dir)));
        }
        (Target::Database(_), Some(place)) => {
            let item = |i: usize| Ok((gif_bytes(&clips.film(i), Some(provenance))?, clips.label(i)));
            let rows = place.items(context).append(clips.len(), &item, provenance)?;
            report_rows(rows, place, context);
        }
        (Target::Database(_), None) => return Err(CliError::message("no table was chosen")),
    }
    Ok(Outcome::Done)
}

fn write_film(
    path: &Path,
    format: Format,
    film: &Animation,
    provenance: &Provenance,
) -> Result<(), CliError> {
    let bytes = match format {
        Format::Gif => gif_bytes(film, Some(provenance))?,
        Format::Apng => apng_bytes(film, Some(provenance))?,
        Format::Mp4 => return Ok(write_mp4(path, film, Some(provenance), &Ffmpeg::default())?),
    };
    write_through(path, &bytes).map_err(CliError::io(path))
}

/// A clip of a file as a model sees it.
fn clip(path: &Path, model: &Model) -> Result<Vec<u8>, CliError> {
    Ok(model.clips()?.codec.read(path, &Ffmpeg::default())?)
}

fn length(args: &Sample) -> Result<VideoLength, CliError> {
    match (args.frames, args.seconds) {
        (Some(_), Some(_)) => Err(CliError::message("--frames and --seconds cannot be met together")),
        (Some(frames), None) => Ok(VideoLength::Frames(frames)),
        (None, Some(secs)) => Ok(VideoLength::Seconds(secs)),
        (None, None) => Ok(VideoLength::Own),
    }
}

fn target(out: &str) -> Result<Target, CliError> {
    let path = path_of(out).into_owned();
    match suffix(&path).as_str() {
        _ if is_folder(out) => Ok(Target::Folder(path)),
        _ if is_database(out) => Ok(Target::Database(out.to_owned())),
        _ => match format(&path)? {
            Some(format) => Ok(Target::File(path, format)),
            None => Err(CliError::new(
                format!("{out}: does not say what to write"),
                "end it with .gif, .png or .mp4 for moving pictures, / for a folder of GIFs, .db or a postgres:// \
                 address for rows of a database",
            )),
        },
    }
}

/// What the suffix of a file of moving pictures says; an error where it needs a program that is not there.
fn format(path: &Path) -> Result<Option<Format>, CliError> {
    Ok(match suffix(path).as_str() {
        "gif" => Some(Format::Gif),
        "png" | "apng" => Some(Format::Apng),
        "mp4" | "m4v" => {
            Ffmpeg::default().check(&path.display().to_string())?;
            Some(Format::Mp4)
        }
        _ => None,
    })
}

/// What has no meaning for clips, and values that have none at all.
fn check(args: &Sample) -> Result<(), CliError> {
    flags::check(args, Kind::Video)?;
    check_choice(args)
}

/// `mintage reconstruct`: originals in a row, and below each what comes back through the encoder, moving.
pub fn reconstruct(args: &Reconstruct, model: &Model, context: &mut Context) -> CliResult {
    let out = match &args.out {
        Some(path) => path.clone(),
        None => in_samples(model, "reconstruction.gif")?,
    };
    let Some(format) = format(&out)? else {
        let message = format!("{}: does not say what to write", out.display());
        return Err(CliError::new(message, "end it with .gif, .png or .mp4"));
    };
    let originals = match args.files.is_empty() {
        true => held_out(args, model, context)?,
        false => files(args, model)?,
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
    may_write(&out, ExistsChoice::Fail)?;
    make_parent(&out)?;
    let film = grid_film(&out.display().to_string(), &blocks, COLUMNS)?;
    write_film(&out, format, &film, &provenance)?;
    let db = ratios.iter().sum::<f64>() / ratios.len().max(1) as f64;
    context.ui.out_json(&json!({ "file": out, "n": ratios.len(), "psnr_db": db }))?;
    context.ui.field("made", &format!("{} ({})", shell(&out), count(ratios.len(), "pair")));
    context.ui.field("error", &format!("{db:.1} dB signal to noise on the average (more is better)"));
    Ok(Outcome::Done)
}

/// Clips of files, each of its own length.
fn files(args: &Reconstruct, model: &Model) -> Result<Vec<Clips>, CliError> {
    let codec = model.clips()?.codec;
    let one = |path: &PathBuf| {
        let pixels = clip(path, model)?;
        let frames = pixels.len() / codec.shape.pixels();
        let (labels, classes) = (Vec::new(), codec.classes.clone());
        Ok(Clips { shape: codec.shape, frames, fps: codec.fps, pixels, labels, classes })
    };
    args.files.iter().map(one).collect()
}

/// Clips of the holdout, which the model never saw, some in a row.
fn held_out(args: &Reconstruct, model: &Model, context: &mut Context) -> Result<Vec<Clips>, CliError> {
    if args.n == 0 {
        return Err(CliError::message("-n must be at least 1"));
    }
    let AnyData::Video(set) = context.data_of(model, &args.moved)? else {
        return Err(CliError::message("the source does not hold clips any more"));
    };
    let chosen = spread(&set.splits().holdout, args.n);
    match chosen.is_empty() {
        true => Err(CliError::new("the data have no holdout, they are too few", "name clips to reconstruct")),
        false => Ok(chosen.chunks(COLUMNS).map(|items| set.clips(items)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_decides() {
        assert_eq!(target("a.GIF").ok(), Some(Target::File("a.GIF".into(), Format::Gif)));
        assert_eq!(target("a.png").ok(), Some(Target::File("a.png".into(), Format::Apng)));
        assert_eq!(target("new/").ok(), Some(Target::Folder("new/".into())));
        assert_eq!(target("shop.db").ok(), Some(Target::Database("shop.db".into())));
        assert!(target("a.avi").is_err());
    }
}
