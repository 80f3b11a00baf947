//! Whole databases: `mintage train SOURCE --tables all`, `mintage sample RUN -o new.db`, `mintage evaluate RUN`,
//! `mintage evaluate REAL NEW`.

use std::{fs, path::Path};

use mintage::{
    Event, Recipe, Run, StopReason,
    data::{
        IfExists, Provenance, SourceSpec,
        database::{
            DatabaseWriting, Rows, Schema, WrittenDatabase, check_another_place, write_database_parts,
        },
        is_postgres,
        names::{path_of, text_of},
        table::{self, encoder::Where, redacted},
    },
    database::{DatabaseData, DatabaseModel, DatabaseRequest, Part, TablePlan, TextPlan, train_database},
    evaluate::TrainedOn,
    train::Control,
};
use serde_json::json;

use super::{
    database_scores::{DIALS, NewRows, judged},
    evaluate_new,
    judging::limits,
    train::{checked_name, free_name, recipe_of},
};
use crate::{
    args::{Amount, Evaluate, Sample, Train},
    context::{Context, clock, source_spec},
    failure::{CliError, CliResult, Outcome},
    interrupt,
    text::{Table, count, duration, shell, shown, thousands},
};

/// One row in so many that is left out is worth a warning.
const MANY_REFUSED: u64 = 20;
/// The choice of every table.
const ALL: &str = "all";
/// Endings of files that are no database.
const OTHER_FILES: [&str; 27] = [
    "csv", "tsv", "txt", "json", "jsonl", "ndjson", "parquet", "arrow", "feather", "xls", "xlsx", "ods",
    "sql", "gz", "zst", "bz2", "xz", "zip", "7z", "tar", "tgz", "html", "svg", "png", "jpg", "pdf", "toml",
];

/// Whether a whole database is to be learned: its tables are named, or it has several and none of them is.
pub fn is_whole(args: &Train, context: &Context) -> bool {
    if args.tables.are_chosen() || !args.keys.is_empty() {
        return true;
    }
    let Some(source) = args.target.as_deref().filter(|target| !target.ends_with(".toml")) else {
        return false;
    };
    let is_part = args.resume.is_some() || args.columns.are_given() || args.columns.kind.is_some();
    let spec = context.reachable(&source_spec(source, &args.columns));
    // What cannot be read says so where it is learned.
    !is_part && Schema::has_several_tables(&spec).unwrap_or(false)
}

/// Learns the tables of a database together.
pub fn train(args: &Train, context: &mut Context) -> CliResult {
    refuse_columns(args)?;
    let (recipe, _) = recipe_of(args, context.settings.seed, context)?;
    args.name.as_deref().map(checked_name).transpose()?;
    let only: Vec<String> = args.tables.only.iter().filter(|name| *name != ALL).cloned().collect();
    let spec = context.reachable(&recipe.data);
    let data = DatabaseData::open(&spec, &only, &args.tables.exclude)?;
    data.notes.iter().for_each(|note| context.ui.warn(note));
    tell_plan(&data, context);
    if args.dry_run {
        let texts = data.texts().iter();
        let texts = texts.map(|text| json!({ "column": text.label(), "by": text.by().collect::<Vec<_>>() }));
        context.ui.out_json(&json!({ "tables": data.plans(), "texts": texts.collect::<Vec<_>>() }))?;
        return Ok(Outcome::Done);
    }
    let runs = &context.settings.runs;
    let name = args.name.clone().unwrap_or_else(|| free_name(runs, "database", &recipe.data.source));
    let dir = runs.join(name);
    let start = clock();
    match learn(&recipe, &data, &dir, context)? {
        StopReason::Interrupted => {
            context.ui.field("saved", &shell(&dir));
            let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            context.ui.field("next", &format!("the same command with --name {name} goes on"));
            Ok(Outcome::Interrupted)
        }
        _ => {
            let model = DatabaseModel::load(&dir, &context.settings.device)?;
            model.texts().iter().for_each(|text| tell_writer(text, context));
            context.ui.field("made", &format!("{} in {}", shell(&dir), duration(start().as_secs_f64())));
            context.ui.field("next", &format!("mintage sample {} -o new.db", shell(&dir)));
            Ok(Outcome::Done)
        }
    }
}

/// Columns are chosen of one table.
fn refuse_columns(args: &Train) -> Result<(), CliError> {
    match args.columns.are_given() {
        true => Err(CliError::new(
            "a whole database is learned with all of its columns",
            "leave --table, --column, --label and --query out, or --tables",
        )),
        false => Ok(()),
    }
}

fn tell_plan(data: &DatabaseData, context: &mut Context) {
    let mut grid = Table::new(["table", "rows", "", "why"]);
    for plan in data.plans() {
        let part = match plan.part {
            Part::Learned => "learned",
            Part::Kept => "kept as it is",
            Part::Empty => "empty",
        };
        grid.row([plan.name.clone(), thousands(plan.rows), part.to_owned(), plan.why.clone()]);
    }
    context.ui.say(&grid.text());
    for persons in data.persons() {
        let names: Vec<&str> = persons.columns().iter().map(|column| column.name.as_str()).collect();
        context.ui.field("made up", &format!("{}: {}", persons.table, names.join(", ")));
    }
    for births in data.births() {
        context.ui.field("moved", &format!("{}.{}: {}", births.table, births.column, births.reason));
    }
    data.texts().iter().for_each(|text| tell_writer(text, context));
}

/// Says what writes the texts of a column, and by what.
fn tell_writer(text: &TextPlan, context: &mut Context) {
    let by: Vec<&str> = text.by().collect();
    let by = if by.is_empty() { String::new() } else { format!(", given {}", by.join(", ")) };
    context.ui.field("written", &format!("{} by {}{by}", text.label(), text.writer()));
}

fn learn(
    recipe: &Recipe,
    data: &DatabaseData,
    dir: &Path,
    context: &mut Context,
) -> Result<StopReason, CliError> {
    let (stop, clock) = (interrupt::watch(), clock());
    let control = Control { stop, clock: &clock };
    let tables = data.plans().iter().filter(|plan| plan.part == Part::Learned).count();
    let all = tables + data.texts().len();
    let Context { settings, ui } = context;
    let (mut at, mut latest) = (0, String::new());
    let reason = train_database(recipe, data, dir, &settings.device, &control, &mut |table, event| {
        if table != latest {
            at += 1;
            table.clone_into(&mut latest);
        }
        match &event {
            Event::Step { .. } => ui.event(&event),
            Event::Done { step, secs, .. } => {
                ui.clear();
                // An n-gram model counts, and takes no steps.
                let steps = match *step {
                    0 => "counted".to_owned(),
                    step => format!("{} steps", thousands(step as usize)),
                };
                ui.field(&format!("{at}/{all}"), &format!("{table}: {steps} in {}", duration(*secs)));
            }
            Event::Warning { message } => ui.warn(&format!("{table}: {message}")),
            _ => {}
        }
        if let Err(failure) = ui.stream(&event) {
            ui.warn(&failure.text(false));
        }
    });
    ui.clear();
    Ok(reason?)
}

/// Makes a new database, or new rows for one that is there.
pub fn sample(args: &Sample, dir: &Path, context: &mut Context) -> CliResult {
    let out = out_of(args)?;
    check_is_database(out, &format!("mintage sample {}", shell(&path_of(&args.model))))?;
    let model = DatabaseModel::load(dir, &context.settings.device)?;
    let (if_exists, pg) = (IfExists::from(args.if_exists), context.settings.pg.clone());
    check_another_place(&text_of(model.source().as_os_str()), out, if_exists, &pg)?;
    let seed = context.settings.seed_or_fresh();
    let request = request(args, &model, seed, context)?;
    model.remarks(&request).iter().for_each(|remark| context.ui.warn(remark));
    let provenance = match args.no_provenance {
        true => None,
        false => Some(provenance(dir, &request)?.to_json()),
    };
    let how = DatabaseWriting { target: out, if_exists, provenance: provenance.as_deref(), pg: &pg };
    let written = mint(&model, &request, &how, context)?;
    tell_written(&written, out, context)?;
    empty_columns(&model, context);
    context.tell_seed();
    Ok(Outcome::Done)
}

/// The request that the flags are.
fn request(
    args: &Sample,
    model: &DatabaseModel,
    seed: u64,
    context: &Context,
) -> Result<DatabaseRequest, CliError> {
    let mut request = DatabaseRequest {
        scale: args.scale.unwrap_or(1.0),
        seed,
        temperature: args.temperature.unwrap_or(1.0) as f32,
        ..DatabaseRequest::default()
    };
    for amount in &args.n {
        let Amount::Of(table, n) = amount else {
            return Err(CliError::new(
                "-n N says nothing of which table",
                "-n TABLE=N says it of a table that belongs to no other, --scale X of all",
            ));
        };
        request.rows.insert(table.clone(), *n);
    }
    for text in &args.condition {
        let mut condition = Where::parse(text)?;
        let Some((table, column)) = in_table(model, &condition.column) else {
            let hint = "write it like customers.country=France";
            return Err(CliError::new(format!("`{text}` names no table of the database"), hint));
        };
        condition.column = column;
        request.conditions.push((table, condition));
    }
    for given in &args.given {
        let named = given.split_once('=').filter(|(table, _)| model.schema().table(table).is_some());
        let (table, file) = match named {
            Some((table, file)) => (table.to_owned(), file.to_owned()),
            None => {
                let name = path_of(given).file_stem().map(|stem| stem.to_string_lossy().into_owned());
                (name.unwrap_or_default(), given.clone())
            }
        };
        let spec = context.reachable(&SourceSpec { source: file, ..SourceSpec::default() });
        let rows = table::read(&spec)?;
        if request.given.contains_key(&table) {
            let hint = "put all of them into one file";
            return Err(CliError::new(format!("rows of `{table}` are given more than once"), hint));
        }
        request.given.insert(table, rows);
    }
    Ok(request)
}

/// The table and the column of `customers.country`. Names of tables may have points in them.
fn in_table(model: &DatabaseModel, text: &str) -> Option<(String, String)> {
    let tables = model.schema().tables.iter();
    let rest = |name: &str| Some(text.strip_prefix(name)?.strip_prefix('.')?.to_owned());
    let found = tables.filter_map(|table| Some((table.name.clone(), rest(&table.name)?)));
    found.max_by_key(|(table, _)| table.len())
}

/// Draws the rows of all tables and writes them, part by part, with progress.
pub(super) fn mint(
    model: &DatabaseModel,
    request: &DatabaseRequest,
    how: &DatabaseWriting,
    context: &mut Context,
) -> Result<WrittenDatabase, CliError> {
    let mut parts = model.parts(request)?;
    let (total, mut done) = (parts.steps(), 0);
    let is_kept = |name: &str| model.plans().iter().any(|plan| plan.name == name && plan.part == Part::Kept);
    let ui = &mut context.ui;
    let mut next = || -> Result<Option<Vec<Rows>>, mintage::Error> {
        let tables = parts.next_tables(&mut |_, _| {
            done += 1;
            ui.event(&Event::Work { what: "sampling".to_owned(), done, total });
        })?;
        let rows = |rows: mintage::data::Table| Rows {
            table: rows.name.clone(),
            is_kept: is_kept(&rows.name),
            rows,
        };
        Ok(tables.map(|tables| tables.into_iter().map(rows).collect()))
    };
    let written = write_database_parts(model.schema(), &mut next, how);
    context.ui.clear();
    Ok(written?)
}

/// Says what was written and what was not.
pub(super) fn tell_written(
    written: &WrittenDatabase,
    out: &str,
    context: &mut Context,
) -> Result<(), CliError> {
    let rows: u64 = written.tables.iter().map(|table| table.rows).sum();
    let tables = count(written.tables.len(), "table");
    let place = if is_postgres(out) { written.place.clone() } else { shell(&path_of(out)) };
    context.ui.field("made", &format!("{} rows of {tables} in {place}", thousands(rows as usize)));
    for table in &written.tables {
        if table.present > 0 {
            let present = count(table.present as usize, "row");
            context.ui.field("", &format!("{}: {present} were there already, and stay", table.table));
        }
        if table.refused > 0 {
            let refused = count(table.refused as usize, "row");
            let why = table.why.as_deref().unwrap_or("they refer to rows that are not there");
            context.ui.field("", &format!("{}: {refused} left out ({why})", table.table));
        }
    }
    let refused: u64 = written.tables.iter().map(|table| table.refused).sum();
    if refused * MANY_REFUSED > rows + refused {
        let all = thousands((rows + refused) as usize);
        context.ui.warn(&format!("{} of {all} rows were left out", thousands(refused as usize)));
    }
    written.notes.iter().for_each(|note| context.ui.field("", note));
    let json =
        json!({ "out": written.place, "rows": rows, "tables": written.tables, "notes": written.notes });
    context.ui.out_json(&json)?;
    Ok(())
}

/// Judges a new database that the models make by the source.
pub fn evaluate(args: &Evaluate, dir: &Path, context: &mut Context) -> CliResult {
    refuse(&[("-n", args.n.is_some())], "as many rows are judged as the source has")?;
    refuse(
        &[("--adapt", args.adapt)],
        "it is for an `ar` of texts or tunes: `mintage train SOURCE --column TEXT`",
    )?;
    let limits = limits(&args.fail_under, &DIALS)?;
    let model = DatabaseModel::load(dir, &context.settings.device)?;
    let mut spec = Run::open(dir)?.recipe()?.data;
    if let Some(source) = &args.moved.source {
        spec.source.clone_from(source);
    } else {
        context.ask_before_contact(&mut spec, "the run", args.moved.yes)?;
    }
    let only: Vec<String> = model.schema().tables.iter().map(|table| table.name.clone()).collect();
    let data = DatabaseData::open(&context.reachable(&spec), &only, &[])?;
    let seed = context.settings.seed.unwrap_or(1);
    let request = DatabaseRequest { seed, rows: data.rows_read(), ..DatabaseRequest::default() };
    let made = model.sample(&request, &mut |_, _| {})?;
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let source = shown(&redacted(&spec.source)).into_owned();
    let (plans, texts) = (model.plans(), model.texts());
    let trained_on = TrainedOn::Train;
    let (name, source) = (name.as_str(), source.as_str());
    let rows = NewRows { data: &data, plans, texts, made, trained_on, name, source, dir, seed };
    judged(rows, args, &limits, context)
}

/// Whether two sources are compared as whole databases: both have several tables, and nothing says which.
pub fn are_whole(args: &Evaluate, new: &str, context: &Context) -> bool {
    let is_part = args.columns.are_given() || args.columns.kind.is_some();
    let is_whole = |source: &str| {
        let spec = context.reachable(&source_spec(source, &args.columns));
        // What cannot be read says so where it is judged.
        !context.is_model(source) && Schema::has_several_tables(&spec).unwrap_or(false)
    };
    !is_part && is_whole(&args.model) && is_whole(new)
}

/// Judges a database that another program made by the real one.
pub fn evaluate_made(args: &Evaluate, new: &str, context: &mut Context) -> CliResult {
    let unfit = [
        ("-n", args.n.is_some()),
        ("--train", args.train.is_some()),
        ("--source", args.moved.source.is_some()),
    ];
    refuse(&unfit, "all rows of the new database are judged by all of the real one")?;
    let limits = limits(&args.fail_under, &DIALS)?;
    let real = context.reachable(&source_spec(&args.model, &args.columns));
    // What mintage made can be judged as anything else.
    let beside = SourceSpec { allow_made: true, ..source_spec(new, &args.columns) };
    let beside = context.reachable(&beside);
    let data = DatabaseData::open_readable(&real)?;
    let (made, notes) = data.rows_beside(&beside)?;
    notes.iter().for_each(|note| context.ui.warn(note));
    let seed = context.settings.seed.unwrap_or(1);
    let (name, source) = (redacted(new), shown(&redacted(&real.source)).into_owned());
    let dir = evaluate_new::folder(&name, &context.settings.runs);
    fs::create_dir_all(&dir).map_err(CliError::io(&dir))?;
    let name = shown(&name);
    let (plans, dir) = (data.plans(), dir.as_path());
    let (name, source) = (&*name, source.as_str());
    let trained_on = TrainedOn::Unknown;
    let rows = NewRows { data: &data, plans, texts: &[], made, trained_on, name, source, dir, seed };
    judged(rows, args, &limits, context)
}

/// Says which columns have no values: pictures and the like.
fn empty_columns(model: &DatabaseModel, context: &mut Context) {
    for plan in model.plans() {
        let why = match plan.part {
            Part::Learned => "a column of files is learned by a model of its own",
            Part::Kept => "its rows are kept, but not the files in them",
            Part::Empty => continue,
        };
        let left_out = left_out(model, plan);
        if !left_out.is_empty() {
            context.ui.field("", &format!("{}: {} without values ({why})", plan.name, left_out.join(", ")));
        }
    }
}

/// Columns of a table that were not read, and that nobody computes.
fn left_out(model: &DatabaseModel, plan: &TablePlan) -> Vec<String> {
    let Some(table) = model.schema().table(&plan.name) else { return Vec::new() };
    let is_made = |name: &String| {
        plan.own.contains(name)
            || plan.codes.contains(name)
            || plan.number.as_ref() == Some(name)
            || table.is_foreign(name)
    };
    let columns = table.columns.iter().filter(|column| column.generated.is_none());
    columns.map(|column| column.name.clone()).filter(|name| !is_made(name)).collect()
}

/// Flags that are for models of one kind of data.
fn refuse(flags: &[(&str, bool)], hint: &str) -> Result<(), CliError> {
    match flags.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(CliError::new(format!("{flag} means nothing to a whole database yet"), hint)),
        None => Ok(()),
    }
}

fn out_of(args: &Sample) -> Result<&str, CliError> {
    let unfit = [("--fill", args.fill.is_some())];
    refuse(&unfit, "--given TABLE=FILE has the rows of a table, with what they lack drawn")?;
    let out = args.out.as_deref().filter(|out| *out != "-");
    out.ok_or_else(|| {
        let hint = "name one: -o new.db, or -o postgres://user@host:port/database";
        CliError::new("a whole database needs a file or a server to go to", hint)
    })
}

/// An error where a whole database is to go into a folder, or into a file of another kind. `command` is what makes it, but for
/// the place.
pub(super) fn check_is_database(out: &str, command: &str) -> Result<(), CliError> {
    if is_postgres(out) {
        return Ok(());
    }
    let path = &*path_of(out);
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let why = match ending.filter(|ending| OTHER_FILES.contains(&ending.as_str())) {
        _ if out.ends_with('/') || path.is_dir() => "one file, and this is a folder".to_owned(),
        Some(ending) => format!("a file of SQLite, and .{ending} is none"),
        None => return Ok(()),
    };
    let file = shell(&path.with_extension("db"));
    Err(CliError::new(
        format!("{}: a whole database goes into {why}", shell(path)),
        format!("{command} -o {file}, or to a server: -o postgres://user@host:port/database"),
    ))
}

/// What made the rows: the run, with the family of its models and what was asked of them.
pub(super) fn provenance(dir: &Path, request: &DatabaseRequest) -> Result<Provenance, CliError> {
    let family = Run::open(dir)?.recipe()?.model.family_of_rows();
    Ok(Provenance {
        model: dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        weights: String::new(),
        family: family.name().to_owned(),
        seed: request.seed,
        options: json!({ "scale": request.scale, "temperature": request.temperature }),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}
