//! `mintage reconstruct`: through the encoder and back, each original above its reconstruction.

use std::path::PathBuf;

use mintage::{AnyData, DataInfo, Model};
use mintage_data::{Images, target_of, write_grid_rows};
use serde_json::json;

use super::places::{in_samples, make_parent, may_write};
use crate::{
    args::{ExistsChoice, Reconstruct},
    context::Context,
    failure::{CliError, CliResult, Outcome},
    pictures::{part, psnr, spread},
    text::{count, shell},
};

/// Pairs side by side.
const COLUMNS: usize = 8;

pub fn run(args: &Reconstruct, context: &mut Context) -> CliResult {
    let model = context.load(&args.model)?;
    match model.config.info {
        DataInfo::Audio(_) => return super::sample_audio::reconstruct(args, &model, context),
        DataInfo::Video(_) => return super::sample_video::reconstruct(args, &model, context),
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
    may_write(&out, ExistsChoice::Fail)?;
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
pub fn decode(files: &[PathBuf], model: &Model) -> Result<Images, CliError> {
    let codec = model.images()?.codec;
    let mut pixels = Vec::new();
    for file in files {
        let bytes = mintage_data::read_item_file(file)?;
        let image = codec.decode(&bytes);
        pixels.extend(image.map_err(|why| CliError::message(format!("{}: {why}", file.display())))?);
    }
    Ok(Images { shape: codec.shape, pixels, labels: Vec::new(), classes: codec.classes.clone() })
}
