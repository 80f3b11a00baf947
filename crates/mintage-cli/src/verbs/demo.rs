//! `mintage demo`: the whole way on a small database that comes with the program: learn from its pictures, its rows, its
//! texts and its tunes, make new ones beside the old ones, judge them; learn its shop with all keys and make another one;
//! say what to look at.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use mintage::{
    AnyData, Control, Event, Family, Model, Recipe, Run, Size, StopReason,
    database::{DatabaseData, DatabaseModel, DatabaseRequest, train_database},
    evaluate::evaluate,
    generate::{Output, Request, Samples, played},
    recipe::parse_duration,
    sample::image::ImageParts,
};
use mintage_data::{
    IfExists, ImageSet, Images,
    database::{DatabaseWriting, broken_keys},
    names::text_of,
    table::encoder::{Allow, Where},
    write_grid_rows,
};
use serde_json::json;

use super::{
    database::{self, provenance},
    judging::options,
    sample::mint,
    train::learn,
};
use crate::{
    args::Demo,
    context::{Context, clock},
    failure::{CliError, CliResult, Outcome},
    interrupt, report_view,
    text::{count, shell, thousands},
};

/// Tables `products(id, name, category, photo, price)`, `census(id, age, …, income)` and more.
const DATABASE: &[u8] = include_bytes!("../../assets/demo.db");
const TABLE: &str = "products";
const COLUMN: &str = "photo";
const LABEL: &str = "category";
/// New images in rows of the database, about: a page of them.
const NEW_IMAGES: usize = 40;
const ROWS: &str = "census";
const ROWS_LABEL: &str = "income";
const NEW_ROWS: usize = 500;
/// Share of the time that rows get: a mixture learns in seconds.
const ROWS_SHARE: f64 = 0.1;
const TEXTS: &str = "texts";
const TEXTS_LABEL: &str = "language";
const NEW_TEXTS: usize = 10;
const TUNES: &str = "tunes";
const NEW_TUNES: usize = 5;
/// Share of the time that texts get, and tunes.
const SEQUENCES_SHARE: f64 = 0.4;
/// Bars of a new tune.
const TUNE_BARS: usize = 8;

/// Tables that belong together. The photos of products are learned apart from them, and stay empty.
const SHOP: [&str; 5] = ["customers", "orders", "order_lines", "products", "reviews"];
/// Share of the time that all tables of the shop get together.
const SHOP_SHARE: f64 = 0.2;

/// What the demo makes in its folder.
struct Places {
    database: PathBuf,
    model: PathBuf,
    rows: PathBuf,
    texts: PathBuf,
    tunes: PathBuf,
    shop: PathBuf,
    picture: PathBuf,
    sound: PathBuf,
    new_shop: PathBuf,
}

impl Places {
    /// The folders of the models.
    fn runs(&self) -> [&PathBuf; 5] {
        [&self.model, &self.rows, &self.texts, &self.tunes, &self.shop]
    }
}

pub fn run(args: &Demo, context: &mut Context) -> CliResult {
    let places = prepare(args)?;
    let recipe = recipe(args, &places, context);
    // A wrong --time shows before anything is made.
    recipe.train.budget()?;
    write_database(&args.dir, &places)?;
    // What a minute does best comes first.
    let Some(rows_in_short) = extend_rows(args, &places, context)? else { return Ok(Outcome::Interrupted) };
    let set = Arc::new(ImageSet::open(&recipe.data)?);
    let data = AnyData::from(Arc::clone(&set));
    let mut run = Run::create(&places.model, &recipe)?;
    let end = learn(&recipe, &data, &mut run, context)?;
    drop(run);
    let model_dir = shell(&places.model);
    if end.reason == StopReason::Interrupted {
        context.ui.field("saved", &format!("{model_dir} at step {}", end.step));
        context.ui.field("next", &format!("mintage train --resume {model_dir}"));
        return Ok(Outcome::Interrupted);
    }
    let model = Model::load(&places.model, &context.settings.device)?;
    let new = make_new(&model, &set, &places, context)?;
    let in_short = judge(&model, &data, context)?;
    let Some(text) = extend_texts(args, &places, context)? else { return Ok(Outcome::Interrupted) };
    if !extend_tunes(args, &places, context)? {
        return Ok(Outcome::Interrupted);
    }
    let Some(shop_in_short) = make_shop(args, &places, context)? else { return Ok(Outcome::Interrupted) };
    let class = set.classes().first().cloned().unwrap_or_default();
    let picture = shell(&places.picture);
    let ui = &context.ui;
    let database = shell(&places.database);
    let (rows, page) = (shell(&places.rows), shell(&places.rows.join("report.html")));
    ui.field("look at", &format!("{database}: {NEW_ROWS} new rows in {ROWS}; {page}: {rows_in_short}"));
    ui.field("", &format!("{picture}: one category a column, real photos above, new ones below"));
    let report = shell(&places.model.join("report.html"));
    ui.field("", &format!("{database}: {new} new rows in {TABLE}; {report}: {in_short}"));
    ui.field("", &format!("{}: {shop_in_short}", shell(&places.new_shop)));
    let texts = shell(&places.texts);
    ui.field("", &format!("{database}: {NEW_TEXTS} new texts in {TEXTS}, {NEW_TUNES} new tunes in {TUNES}"));
    ui.field("read", &format!("“{}…”", text.split_whitespace().take(16).collect::<Vec<_>>().join(" ")));
    ui.field("listen", &shell(&places.sound));
    let class = shell(Path::new(&format!("{LABEL}={class}")));
    let folder = shell(places.database.parent().unwrap_or(&places.database));
    ui.field(
        "open",
        &format!("mintage studio {database} --runs {folder}   (a page to look, listen and choose)"),
    );
    ui.field("type", &format!("mintage sample {model_dir} --where {class} -n 16 -o new.png"));
    ui.field("", &format!("mintage sample {rows} --where age=30..40 -n 100 -o new.csv"));
    ui.field("", &format!("mintage sample {texts} --where {TEXTS_LABEL}=русский --prompt \"Я \""));
    ui.field("", &format!("mintage sample {} --length 16 -o tune.wav", shell(&places.tunes)));
    ui.field("", &format!("mintage sample {} --scale 2 -o larger-shop.db", shell(&places.shop)));
    Ok(Outcome::Done)
}

/// Learns the table of rows, adds new ones to it and judges them; nothing when it was interrupted.
fn extend_rows(args: &Demo, places: &Places, context: &mut Context) -> Result<Option<String>, CliError> {
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
        context.ui.field("next", &format!("mintage train --resume {}", shell(&places.rows)));
        return Ok(None);
    }
    let model = Model::load(&places.rows, &context.settings.device)?;
    let request = Request { n: Some(NEW_ROWS), seed: Some(recipe.train.seed), ..Request::default() };
    mint(&model, &request, &into(places, ROWS), context)?;
    judge(&model, &data, context).map(Some)
}

/// Learns the documents of a table; nothing when it was interrupted.
fn learn_documents(
    args: &Demo,
    places: &Places,
    (table, column, label): (&str, &str, Option<&str>),
    dir: &Path,
    context: &mut Context,
) -> Result<Option<Model>, CliError> {
    let mut recipe = Recipe::for_source(&places.database.display().to_string());
    recipe.data.table = Some(table.to_owned());
    recipe.data.column = Some(column.to_owned());
    recipe.data.label = label.map(str::to_owned);
    recipe.model.size = Size::Tiny;
    recipe.train.time = format!("{:.1}s", parse_duration(&args.time)?.as_secs_f64() * SEQUENCES_SHARE);
    recipe.train.seed = context.settings.seed_or_default();
    let data = context.open(&recipe.data, None)?;
    let mut run = Run::create(dir, &recipe)?;
    let end = learn(&recipe, &data, &mut run, context)?;
    drop(run);
    if end.reason == StopReason::Interrupted {
        context.ui.field("next", &format!("mintage train --resume {}", shell(dir)));
        return Ok(None);
    }
    Ok(Some(Model::load(dir, &context.settings.device)?))
}

/// Learns the texts and adds new ones in both languages; one of them, or nothing when it was interrupted.
fn extend_texts(args: &Demo, places: &Places, context: &mut Context) -> Result<Option<String>, CliError> {
    let what = (TEXTS, "text", Some(TEXTS_LABEL));
    let Some(model) = learn_documents(args, places, what, &places.texts, context)? else { return Ok(None) };
    let classes = model.sequences()?.info.classes.clone();
    let mut shown = None;
    for label in &classes {
        let request = Request {
            n: Some((NEW_TEXTS / classes.len().max(1)).max(1)),
            seed: Some(context.settings.seed_or_default()),
            conditions: vec![Where { column: TEXTS_LABEL.to_owned(), allow: Allow::Value(label.clone()) }],
            length: Some(300),
            temperature: Some(0.8),
            ..Request::default()
        };
        let (samples, _) = mint(&model, &request, &into(places, TEXTS), context)?;
        let Samples::Text(texts) = samples else { continue };
        shown = shown.or(texts.items.into_iter().find(|text| !text.trim().is_empty()));
    }
    Ok(Some(shown.unwrap_or_default()))
}

/// Learns the tunes, adds new ones, and lets one be heard; whether it was not interrupted.
fn extend_tunes(args: &Demo, places: &Places, context: &mut Context) -> Result<bool, CliError> {
    let what = (TUNES, "tune", None);
    let Some(model) = learn_documents(args, places, what, &places.tunes, context)? else { return Ok(false) };
    let seed = context.settings.seed_or_default();
    let request =
        Request { n: Some(NEW_TUNES), seed: Some(seed), length: Some(TUNE_BARS), ..Request::default() };
    let (samples, _) = mint(&model, &request, &into(places, TUNES), context)?;
    if let Samples::Music(tunes) = samples
        && let Some(tune) = tunes.items.iter().find(|tune| !tune.is_empty())
    {
        let bytes = played(tune, None, &model.generate(&request)?.provenance().to_json())?;
        mintage_data::write_through(&places.sound, &bytes).map_err(CliError::io(&places.sound))?;
    }
    Ok(true)
}

/// Learns the tables of the shop with the keys between them and writes another shop; what is in it, or nothing when it was
/// interrupted.
fn make_shop(args: &Demo, places: &Places, context: &mut Context) -> Result<Option<String>, CliError> {
    let mut recipe = Recipe::for_source(&places.database.display().to_string());
    recipe.model.size = Size::Tiny;
    recipe.train.time = format!("{:.1}s", parse_duration(&args.time)?.as_secs_f64() * SHOP_SHARE);
    let seed = context.settings.seed_or_default();
    recipe.train.seed = seed;
    let data = DatabaseData::open(&context.reachable(&recipe.data), &SHOP.map(str::to_owned), &[])?;
    let (stop, clock) = (interrupt::watch(), clock());
    let control = Control { stop, clock: &clock };
    let Context { settings, ui } = &mut *context;
    let device = &settings.device;
    let reason = train_database(&recipe, &data, &places.shop, device, &control, &mut |_, event| {
        // Of five small models the bar is enough.
        if matches!(event, Event::Step { .. }) {
            ui.event(&event);
        }
        if let Err(failure) = ui.stream(&event) {
            ui.warn(&failure.text(false));
        }
    });
    ui.clear();
    if reason? == StopReason::Interrupted {
        context.ui.field("next", "the same command with --force begins anew");
        return Ok(None);
    }
    let model = DatabaseModel::load(&places.shop, &context.settings.device)?;
    let request = DatabaseRequest { seed, ..DatabaseRequest::default() };
    let made_by = provenance(&places.shop, &request)?.to_json();
    let (target, pg) = (text_of(places.new_shop.as_os_str()), context.settings.pg.clone());
    let if_exists = IfExists::Replace;
    let how = DatabaseWriting { target: &target, if_exists, provenance: Some(&made_by), pg: &pg };
    let written = database::mint(&model, &request, &how, context)?;
    let rows: u64 = written.tables.iter().map(|table| table.rows).sum();
    let tables = count(written.tables.len(), "table");
    let broken = broken_keys(&places.new_shop)?;
    Ok(Some(format!("a new shop, {} rows of {tables}, {broken} broken keys", thousands(rows as usize))))
}

/// A table of the demo's database, which new data are added to.
fn into(places: &Places, table: &str) -> Output {
    Output {
        table: Some(table.to_owned()),
        if_exists: IfExists::Append,
        ..Output::to(places.database.display().to_string())
    }
}

/// Where things go; an earlier demo in the same folder is an error, or removed with `--force`.
fn prepare(args: &Demo) -> Result<Places, CliError> {
    let dir = &args.dir;
    let places = Places {
        database: dir.join("demo.db"),
        model: dir.join("model"),
        rows: dir.join("census-model"),
        texts: dir.join("texts-model"),
        tunes: dir.join("tunes-model"),
        shop: dir.join("shop-model"),
        picture: dir.join("real-above-new.png"),
        sound: dir.join("new-tune.wav"),
        new_shop: dir.join("shop-new.db"),
    };
    let files = [&places.database, &places.picture, &places.sound, &places.new_shop];
    let there = files.into_iter().chain(places.runs()).find(|path| path.exists());
    let Some(there) = there else { return Ok(places) };
    if !args.force {
        let message = format!("{}: exists already", there.display());
        return Err(CliError::new(
            message,
            "name another folder: `mintage demo DIR`, or replace it with --force",
        ));
    }
    for run in places.runs().into_iter().filter(|run| run.exists()) {
        // Only a run folder is removed, and only while nobody trains in it.
        let lock = Run::resume(run)?;
        fs::remove_dir_all(run).map_err(CliError::io(run))?;
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

fn write_database(dir: &Path, places: &Places) -> Result<(), CliError> {
    fs::create_dir_all(dir).map_err(CliError::io(dir))?;
    mintage_data::atomic_write(&places.database, DATABASE).map_err(CliError::io(&places.database))
}

/// New rows in the database, and the picture of real ones above new ones; returns how many are new.
fn make_new(
    model: &Model,
    data: &ImageSet,
    places: &Places,
    context: &mut Context,
) -> Result<usize, CliError> {
    let seed = context.settings.seed_or_default();
    let ImageParts { codec, .. } = model.images()?;
    let classes = &codec.classes;
    let per_class = (NEW_IMAGES / classes.len().max(1)).max(1);
    let mut all = Images { shape: codec.shape, pixels: vec![], labels: vec![], classes: classes.clone() };
    let mut rows = 0;
    for (index, class) in classes.iter().enumerate() {
        let request = Request {
            n: Some(per_class),
            // A seed of its own, so that the classes are not variations of the same noise.
            seed: Some(seed.wrapping_add(index as u64)),
            conditions: vec![Where { column: LABEL.to_owned(), allow: Allow::Value(class.clone()) }],
            ..Request::default()
        };
        let (samples, written) = mint(model, &request, &into(places, TABLE), context)?;
        let Samples::Image(images) = samples else { continue };
        all.append(images);
        rows += written.n;
    }
    let provenance = model.provenance(seed, json!({}));
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
fn real(data: &ImageSet, n: usize) -> Result<Option<Images>, CliError> {
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
fn judge(model: &Model, data: &AnyData, context: &mut Context) -> Result<String, CliError> {
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
