//! `mintage demo`: the whole way on a small database that comes with the program: learn from its pictures and from
//! its rows, make new ones beside the old ones, judge them, say what to look at.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use mintage::{
    AnyData, Family, Model, Recipe, RowRequest, Run, SampleRequest, StopReason, evaluate::evaluate,
    recipe::parse_duration, sample::images::ImageParts,
};
use mintage_data::{IfExists, ImageSet, Images, append_rows, write_grid_rows};
use serde_json::json;

use super::{
    evaluate::options,
    sample_rows::{draw_rows, write_rows},
    train::learn,
};
use crate::{
    args::Demo,
    context::{Context, clock},
    failure::{Failure, Outcome, Verdict},
    report_view,
    text::shell,
};

/// Tables `products(id, name, category, photo)` and `census(id, age, …, income)`.
const DATABASE: &[u8] = include_bytes!("../../assets/demo.db");
const TABLE: &str = "products";
const COLUMN: &str = "photo";
const LABEL: &str = "category";
/// New rows, about.
const NEW: usize = 40;
const ROWS: &str = "census";
const ROWS_LABEL: &str = "income";
const NEW_ROWS: usize = 500;
/// Share of the time that rows get: a mixture learns in seconds.
const ROWS_SHARE: f64 = 0.1;

/// What the demo makes in its folder.
struct Places {
    database: PathBuf,
    model: PathBuf,
    rows: PathBuf,
    picture: PathBuf,
}

pub fn run(args: &Demo, context: &mut Context) -> Verdict {
    let places = prepare(args)?;
    let recipe = recipe(args, &places, context);
    // A wrong --time shows before anything is made.
    recipe.train.budget()?;
    write_database(&args.dir, &places)?;
    let set = Arc::new(ImageSet::open(&recipe.data)?);
    let data = AnyData::from(Arc::clone(&set));
    let mut run = Run::create(&places.model, &recipe)?;
    let end = learn(&recipe, &data, &mut run, context)?;
    drop(run);
    let model_dir = shell(&places.model);
    if end.reason == StopReason::Interrupted {
        context.ui.titled("saved", &format!("{model_dir} at step {}", end.step));
        context.ui.titled("next", &format!("mintage train --resume {model_dir}"));
        return Ok(Outcome::Interrupted);
    }
    let model = Model::load(&places.model, &context.settings.device)?;
    let new = make_new(&model, &set, &places, context)?;
    let in_short = judge(&model, &data, context)?;
    let rows_in_short = match extend_rows(args, &places, context)? {
        Some(in_short) => in_short,
        None => return Ok(Outcome::Interrupted),
    };
    let class = set.classes().first().cloned().unwrap_or_default();
    let picture = shell(&places.picture);
    let ui = &context.ui;
    ui.titled("look at", &format!("{picture}: one category a column, real photos above, new ones below"));
    let database = shell(&places.database);
    let report = shell(&places.model.join("report.html"));
    ui.titled("", &format!("{database}: {new} new rows in {TABLE}; {report}: {in_short}"));
    let (rows, page) = (shell(&places.rows), shell(&places.rows.join("report.html")));
    ui.titled("", &format!("{database}: {NEW_ROWS} new rows in {ROWS}; {page}: {rows_in_short}"));
    let class = shell(Path::new(&format!("{LABEL}={class}")));
    ui.titled("type", &format!("mintage sample {model_dir} --where {class} -n 16 -o new.png"));
    ui.titled("", &format!("mintage sample {rows} --where age=30..40 -n 100 -o new.csv"));
    Ok(Outcome::Done)
}

/// Learns the table of rows, adds new ones to it and judges them; nothing when it was interrupted.
fn extend_rows(args: &Demo, places: &Places, context: &mut Context) -> Result<Option<String>, Failure> {
    let mut recipe = Recipe::for_source(&places.database.display().to_string());
    recipe.data.table = Some(ROWS.to_owned());
    recipe.data.label = Some(ROWS_LABEL.to_owned());
    recipe.model.family = Some(Family::Mixture);
    recipe.train.time = format!("{:.1}s", parse_duration(&args.time)?.as_secs_f64() * ROWS_SHARE);
    recipe.train.seed = context.settings.seed_or_default();
    let data = context.open(&recipe.data, None)?;
    let mut run = Run::create(&places.rows, &recipe)?;
    let end = learn(&recipe, &data, &mut run, context)?;
    drop(run);
    if end.reason == StopReason::Interrupted {
        context.ui.titled("next", &format!("mintage train --resume {}", shell(&places.rows)));
        return Ok(None);
    }
    let model = Model::load(&places.rows, &context.settings.device)?;
    let request = RowRequest { n: NEW_ROWS, seed: recipe.train.seed, ..RowRequest::default() };
    let new = draw_rows(&model, &request, context)?;
    let target = places.database.display().to_string();
    write_rows(&model, &new, &target, Some(ROWS), IfExists::Append, request.seed, json!({}), context)?;
    judge(&model, &data, context).map(Some)
}

/// Where things go; an earlier demo in the same folder is an error, or removed with `--force`.
fn prepare(args: &Demo) -> Result<Places, Failure> {
    let dir = &args.dir;
    let places = Places {
        database: dir.join("demo.db"),
        model: dir.join("model"),
        rows: dir.join("census-model"),
        picture: dir.join("real-above-new.png"),
    };
    let there = [&places.database, &places.model, &places.rows, &places.picture]
        .into_iter()
        .find(|path| path.exists());
    let Some(there) = there else { return Ok(places) };
    if !args.force {
        let message = format!("{}: exists already", there.display());
        return Err(Failure::new(
            message,
            "name another folder: `mintage demo DIR`, or replace it with --force",
        ));
    }
    for run in [&places.model, &places.rows].into_iter().filter(|run| run.exists()) {
        // Only a run folder is removed, and only while nobody trains in it.
        let lock = Run::resume(run)?;
        fs::remove_dir_all(run).map_err(Failure::io(run))?;
        drop(lock);
    }
    Ok(places)
}

fn recipe(args: &Demo, places: &Places, context: &Context) -> Recipe {
    let mut recipe = Recipe::for_source(&places.database.display().to_string());
    recipe.data.table = Some(TABLE.to_owned());
    recipe.data.column = Some(COLUMN.to_owned());
    recipe.data.label = Some(LABEL.to_owned());
    // Recognisable after 90 seconds; a VQ-VAE, whose prior learns last, is not (docs/experiments.md).
    recipe.model.family = Some(Family::Vae);
    recipe.train.time.clone_from(&args.time);
    recipe.train.seed = context.settings.seed_or_default();
    recipe
}

fn write_database(dir: &Path, places: &Places) -> Result<(), Failure> {
    fs::create_dir_all(dir).map_err(Failure::io(dir))?;
    mintage_data::atomic_write(&places.database, DATABASE).map_err(Failure::io(&places.database))
}

/// New rows in the database, and the picture of real ones above new ones; returns how many are new.
fn make_new(
    model: &Model,
    data: &ImageSet,
    places: &Places,
    context: &mut Context,
) -> Result<usize, Failure> {
    let seed = context.settings.seed_or_default();
    let ImageParts { codec, .. } = model.images()?;
    let classes = &codec.classes;
    let per_class = (NEW / classes.len().max(1)).max(1);
    let mut all = Images { shape: codec.shape, pixels: vec![], labels: vec![], classes: classes.clone() };
    for (index, class) in classes.iter().enumerate() {
        // A seed of its own, so that the classes are not variations of the same noise.
        let seed = seed.wrapping_add(index as u64);
        let request =
            SampleRequest { n: per_class, label: Some(class.clone()), seed, ..SampleRequest::default() };
        let images = super::sample::draw(model, &request, context)?;
        all.pixels.extend(images.pixels);
        all.labels.extend(images.labels);
    }
    let provenance = model.provenance(seed, json!({}));
    let rows = append_rows(&places.database, TABLE, COLUMN, Some(LABEL), &all, &provenance)?;
    let by_rows = |images: &Images, n: usize| {
        let order: Vec<usize> = (0..n).flat_map(|row| (0..classes.len()).map(move |c| c * n + row)).collect();
        images.select(&order)
    };
    let real = real(data, per_class)?;
    let blocks = match real {
        Some(real) => {
            vec![("real".to_owned(), by_rows(&real, per_class)), ("new".to_owned(), by_rows(&all, per_class))]
        }
        None => vec![("new".to_owned(), by_rows(&all, per_class))],
    };
    write_grid_rows(&places.picture, &blocks, classes.len().max(1), Some(&provenance))?;
    Ok(rows)
}

/// The first `n` held-out images of every class, class by class; `None` where a class has fewer.
fn real(data: &ImageSet, n: usize) -> Result<Option<Images>, Failure> {
    let mut chosen = Vec::new();
    for class in 0..data.classes().len() {
        let of_class = |item: &&u32| data.labels().get(**item as usize) == Some(&(class as u32));
        // Where the holdout is short of a class, the train split helps out: this is only to look at.
        let splits = data.splits();
        let found: Vec<u32> =
            splits.holdout.iter().chain(&splits.train).filter(of_class).take(n).copied().collect();
        if found.len() < n {
            return Ok(None);
        }
        chosen.extend(found);
    }
    Ok(Some(data.images(&chosen)?))
}

/// Evaluates the model; the report lies with it. Returns the dials in short.
fn judge(model: &Model, data: &AnyData, context: &mut Context) -> Result<String, Failure> {
    let mut options = options(None, &context.settings);
    options.cache = None;
    let ui = &mut context.ui;
    let report = evaluate(model, data, &options, &clock(), &mut |event| ui.event(&event));
    context.ui.clear();
    let report = report?;
    report.save(&model.dir)?;
    let value = json!(report);
    context.ui.out_json(&value)?;
    Ok(report_view::in_short(&value))
}
