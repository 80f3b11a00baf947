//! `mintage sample`: new data from a model, to a picture, a folder, a database or stdout.

use std::{io::IsTerminal, path::PathBuf};

use mintage::{DataInfo, Event, ImageRequest, Model, models::ImageInfo};
use mintage_data::{
    Images, Provenance, names::path_of, png_bytes, sequence::Modality, target_of, write_folder, write_grid,
    write_through,
};
use serde_json::json;

use super::{
    conditioning::vary_or_interpolate,
    flags::{self, Kind},
    places::{
        Place, grid, in_samples, is_database, is_folder, make_parent, may_write, place, report_rows,
        stands_beside, suffix,
    },
    reconstruct::decode,
};
use crate::{
    args::Sample,
    context::{Context, is_server},
    failure::{CliError, CliResult, Outcome},
    pictures::tiled,
    text::{count, shell},
};

/// Most bytes of images made at once.
const MAX_BYTES: usize = 4 << 30;
const DEFAULT_N: usize = 64;
/// Images on the way between two.
const DEFAULT_WAY: usize = 8;

/// Where the samples go.
#[derive(Debug, PartialEq)]
enum Target {
    Png(PathBuf),
    Stdout,
    Folder(PathBuf),
    /// A SQLite file or an address.
    Database(String),
}

pub fn run(args: &Sample, context: &mut Context) -> CliResult {
    check(args)?;
    let model = context.load(&args.model)?;
    let done = match &model.config.info {
        DataInfo::Image(info) => images(args, &model, info, context),
        DataInfo::Table(_) => super::sample_table::run(args, &model, context),
        DataInfo::Sequence(info) => match info.modality {
            Modality::Text => super::sample_text::run(args, &model, context),
            Modality::Music => super::sample_music::run(args, &model, context),
        },
        DataInfo::Audio(_) => super::sample_audio::run(args, &model, context),
        DataInfo::Video(_) => super::sample_video::run(args, &model, context),
    }?;
    context.tell_seed();
    Ok(done)
}

fn images(args: &Sample, model: &Model, info: &ImageInfo, context: &mut Context) -> CliResult {
    flags::check(args, Kind::Image)?;
    // Everything that can be wrong with the arguments is found before time is spent.
    let target = args.out.as_deref().map(target).transpose()?;
    let grid = args.grid.as_deref().map(grid).transpose()?;
    let default_n = if args.between.is_empty() { DEFAULT_N } else { DEFAULT_WAY };
    let n = args.n.or(grid.map(|(columns, rows)| columns * rows)).unwrap_or(default_n);
    let seed = context.settings.seed_or_fresh();
    let target =
        target.map_or_else(|| in_samples(model, &format!("seed-{seed}.png")).map(Target::Png), Ok)?;
    match &target {
        Target::Png(path) => may_write(path, args.if_exists)?,
        Target::Folder(path) => stands_beside(path, args.if_exists)?,
        Target::Database(_) | Target::Stdout => {}
    }
    let place = match &target {
        Target::Database(target) => {
            let labelled = !model.images()?.codec.classes.is_empty();
            if args.label_column.is_some() && !labelled {
                return Err(CliError::new(
                    "this model was trained without labels",
                    "leave out --label-column",
                ));
            }
            Some(place(target, args, model, labelled, context)?)
        }
        _ => None,
    };
    if n.saturating_mul(info.shape.pixels()) > MAX_BYTES {
        return Err(CliError::new(
            format!("{} at once do not fit in memory", count(n, "image")),
            "make them in parts, each with another --seed",
        ));
    }
    let request = ImageRequest {
        n,
        label: label(&args.condition, model)?,
        conditioning: vary_or_interpolate(args, |path| Ok(decode(&[path.to_owned()], model)?.pixels))?,
        seed,
        temperature: args.temperature,
        guidance: args.guidance,
        top_k: args.top_k,
        top_p: args.top_p,
    };
    let images = draw(model, &request, context)?;
    let options = json!({
        "where": request.label,
        "like": args.like,
        "between": args.between,
        "temperature": request.temperature,
        "guidance": request.guidance,
        "top_k": request.top_k,
        "top_p": request.top_p,
    });
    let provenance = model.provenance(seed, options);
    let square = if args.between.is_empty() { (n as f64).sqrt().ceil() as usize } else { n };
    let columns = grid.map_or(square, |(columns, _)| columns);
    write(&target, place.as_ref(), &images, columns, &provenance, context)
}

/// Samples, with progress.
pub fn draw(model: &Model, request: &ImageRequest, context: &mut Context) -> Result<Images, CliError> {
    let ui = &mut context.ui;
    let images = model.sample(request, &mut |done, total| {
        ui.event(&Event::Work { what: "sampling".to_owned(), done, total });
    });
    context.ui.clear();
    Ok(images?)
}

fn check(args: &Sample) -> Result<(), CliError> {
    if args.n == Some(0) {
        return Err(CliError::message("-n must be at least 1"));
    }
    if !(args.temperature.is_finite() && args.temperature >= 0.0) {
        return Err(CliError::new("--temperature must be 0 or more", "1 is the model's own distribution"));
    }
    if args.guidance.is_some_and(|w| !w.is_finite() || w < 0.0) {
        return Err(CliError::new(
            "--guidance must be 0 or more",
            "1 is the plain model, 2 or 3 steer more strongly",
        ));
    }
    if !(0.0..=1.0).contains(&args.strength) {
        return Err(CliError::new(
            "--strength must lie between 0 and 1",
            "0 is the image itself, 1 a new one",
        ));
    }
    if args.top_k == Some(0) {
        return Err(CliError::message("--top-k must be at least 1"));
    }
    if args.top_p.is_some_and(|p| !(p > 0.0 && p <= 1.0)) {
        return Err(CliError::message("--top-p must lie between 0 and 1"));
    }
    Ok(())
}

/// What the suffix of OUT says.
fn target(out: &str) -> Result<Target, CliError> {
    if out == "-" {
        return match std::io::stdout().is_terminal() {
            true => {
                Err(CliError::new("a PNG would only confuse the terminal", "send it on: … -o - > new.png"))
            }
            false => Ok(Target::Stdout),
        };
    }
    let path = path_of(out).into_owned();
    match suffix(&path).as_str() {
        _ if is_folder(out) => Ok(Target::Folder(path)),
        _ if is_database(out) => Ok(Target::Database(out.to_owned())),
        "png" => Ok(Target::Png(path)),
        _ if is_server(out) => Err(CliError::new(
            format!("{out}: of servers only PostgreSQL is written to"),
            "give an address that begins with postgres://, or a file that ends in .db",
        )),
        _ => Err(CliError::new(
            format!("{out}: does not say what to write"),
            "end it with .png for a picture, / for a folder, .db for rows of a database, or give a postgres:// address; - \
             is stdout",
        )),
    }
}

/// The class that `--where` asks for: `label=VALUE`, or `COLUMN=VALUE` with the column of the labels.
fn label(conditions: &[String], model: &Model) -> Result<Option<String>, CliError> {
    let [condition] = conditions else {
        return match conditions.is_empty() {
            true => Ok(None),
            false => Err(CliError::new(
                "only one --where can be met at a time",
                "this model knows one label an image",
            )),
        };
    };
    let Some((column, value)) = condition.split_once('=') else {
        return Err(CliError::new(
            format!("`{condition}` is no condition"),
            "write it like --where label=coat",
        ));
    };
    let known = model.config.source.label.as_deref();
    let column = column.trim();
    // A model without labels says so itself.
    if column != "label" && known != Some(column) && !model.images()?.codec.classes.is_empty() {
        let known = known.unwrap_or("label");
        return Err(CliError::new(
            format!("this model is not conditioned on `{column}`"),
            format!("it knows `{known}`: --where {known}=VALUE"),
        ));
    }
    Ok(Some(value.trim().to_owned()))
}

fn write(
    target: &Target,
    place: Option<&Place>,
    images: &Images,
    columns: usize,
    provenance: &Provenance,
    context: &mut Context,
) -> CliResult {
    let what = count(images.len(), "image");
    match (target, place) {
        (Target::Stdout, _) => {
            let bytes = match images.len() {
                1 => png_bytes(images, 0, Some(provenance))?,
                _ => png_bytes(&tiled(images, columns), 0, Some(provenance))?,
            };
            context.ui.out_bytes(&bytes)?;
        }
        (Target::Png(path), _) => {
            make_parent(path)?;
            if images.len() == 1 {
                let bytes = png_bytes(images, 0, Some(provenance))?;
                write_through(path, &bytes).map_err(CliError::io(path))?;
            } else {
                let path = &target_of(path).map_err(CliError::io(path))?;
                write_grid(path, images, columns, Some(provenance))?;
            }
            context.ui.field("made", &format!("{} ({what})", shell(path)));
        }
        (Target::Folder(dir), _) => {
            write_folder(dir, images, provenance)?;
            context.ui.field("made", &format!("{what} in {}", shell(dir)));
        }
        (Target::Database(_), Some(place)) => {
            let rows = place.items(context).append_images(images, provenance)?;
            report_rows(rows, place, context);
        }
        (Target::Database(_), None) => return Err(CliError::message("no table was chosen")),
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_decides() {
        assert_eq!(target("a/new.PNG").ok(), Some(Target::Png("a/new.PNG".into())));
        assert_eq!(target("out/").ok(), Some(Target::Folder("out/".into())));
        assert_eq!(target("shop.sqlite3").ok(), Some(Target::Database("shop.sqlite3".into())));
        assert!(target("new").is_err() && target("new.jpg").is_err() && target("mysql://x/y").is_err());
        assert_eq!(target("postgres://x/y").ok(), Some(Target::Database("postgres://x/y".into())));
    }
}
