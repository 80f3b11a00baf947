//! `mintage inspect`: what a source holds and what can be learned from it.

use std::path::Path;

use mintage::dataset::thousands;
use mintage_data::{
    DataKind, Error, ImageSet, Inspection, KeySpec, SourceSpec, VideoSet,
    database::{Schema, holds_tables},
    filmstrip_png, gif_bytes, grid_film, inspect,
    inspect::{Alert, AudioFacts, ColumnKind, ImageFacts, SequenceFacts, TableFacts, VideoFacts},
    sequence::Modality,
    table::is_database,
    target_of, write_grid, write_through,
};
use serde_json::json;

use crate::{
    args::Inspect,
    context::{Context, source_spec},
    failure::{CliError, CliResult, Outcome},
    pictures::spread,
    text::{Table, count, rules_in_force, shell, wrapped},
};

/// Images on the preview, and in a row of it.
const PREVIEW: (usize, usize) = (64, 8);
/// Strips of film on the preview of clips.
const STRIPS: usize = 8;
/// Classes that are listed by name.
const CLASSES: usize = 12;

pub fn run(args: &Inspect, context: &mut Context) -> CliResult {
    let keys = args.keys.iter().map(|text| KeySpec::parse(text)).collect::<Result<Vec<KeySpec>, Error>>()?;
    let spec = SourceSpec { keys, ..source_spec(&args.source, &args.columns) };
    let spec = context.reachable(&spec);
    // What mintage made can be looked at, where nothing else is there.
    let (spec, mut found) = match inspect(&spec) {
        Err(Error::OnlyMade { .. }) => {
            let spec = SourceSpec { allow_made: true, ..spec };
            let mut found = inspect(&spec)?;
            let message = "all of this was made by mintage: `train` leaves it out".to_owned();
            found.alerts.insert(
                0,
                Alert { message, hint: Some("--allow-made learns from it all the same".to_owned()) },
            );
            (spec, found)
        }
        found => (spec, found?),
    };
    if let Some(path) = &args.preview {
        if found.sequences.is_some() {
            return Err(CliError::new("--preview is for images", "inspect shows how the first text begins"));
        }
        if found.sounds.is_some() {
            return Err(CliError::new(
                "--preview is for images and clips",
                "sounds are best listened to where they lie",
            ));
        }
        match found.clips {
            Some(_) => preview_clips(path, &VideoSet::open(&spec)?)?,
            None => {
                let set = ImageSet::open(&spec)?;
                let all: Vec<u32> = (0..set.len() as u32).collect();
                let path = &target_of(path).map_err(CliError::io(path))?;
                write_grid(path, &set.images(&spread(&all, PREVIEW.0))?, PREVIEW.1, None)?;
            }
        }
        context.ui.field("made", &path.display().to_string());
    }
    let schema = schema(args, &spec, &mut found)?;
    if let (Some(schema), Some(path)) = (&schema, &args.schema) {
        write_through(path, schema.svg().as_bytes()).map_err(CliError::io(path))?;
        context.ui.field("drawn", &path.display().to_string());
    }
    if context.ui.wants_json() {
        let mut told = json!(found);
        if let Some(schema) = schema {
            told["schema"] = json!(schema);
        }
        context.ui.out_json(&told)?;
        return Ok(Outcome::Done);
    }
    let width = if args.wide { usize::MAX } else { context.settings.width };
    context.ui.out(&text(&found, schema.as_ref(), width))?;
    found.unread.iter().for_each(|item| context.ui.detail(&format!("cannot be read: {item}")));
    if let Some(next) = next(&spec, &found) {
        context.ui.say(&format!("\nnext: {next}"));
    }
    Ok(Outcome::Done)
}

/// The schema of a database or a folder of tables that is looked at as a whole, or whose drawing is asked for. One that
/// cannot be read is an alert, unless it is what was asked for.
fn schema(args: &Inspect, spec: &SourceSpec, found: &mut Inspection) -> Result<Option<Schema>, CliError> {
    let is_database = is_database(&spec.source) || holds_tables(spec);
    let is_asked = args.schema.is_some() || !args.keys.is_empty();
    if is_asked && !is_database {
        let flag = if args.schema.is_some() { "--schema" } else { "--key" };
        return Err(CliError::new(
            format!("{flag} is for databases"),
            "a database is a SQLite file, a postgres:// address, or a folder of CSV, Parquet and JSON Lines files",
        ));
    }
    let is_whole = spec.table.is_none() && spec.query.is_none() && spec.column.is_none();
    if !(is_asked || is_database && is_whole && found.tables.len() > 1) {
        return Ok(None);
    }
    match Schema::read(spec) {
        Ok(schema) => Ok(Some(schema)),
        Err(error) if is_asked => Err(error.into()),
        Err(error) => {
            found.alerts.push(Alert { message: error.to_string(), hint: error.hint() });
            Ok(None)
        }
    }
}

/// Clips side by side in a GIF, or as strips of film in any other picture.
fn preview_clips(path: &Path, set: &VideoSet) -> Result<(), CliError> {
    let (all, what): (Vec<u32>, _) = ((0..set.len() as u32).collect(), path.display().to_string());
    let shown = |most: usize| [(String::new(), set.clips(&spread(&all, most)))];
    let moves = path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("gif"));
    let bytes = match moves {
        true => gif_bytes(&grid_film(&what, &shown(PREVIEW.0), PREVIEW.1)?, None)?,
        false => filmstrip_png(&what, &shown(STRIPS), None)?,
    };
    write_through(path, &bytes).map_err(CliError::io(path))
}

fn text(found: &Inspection, schema: Option<&Schema>, width: usize) -> String {
    let mut text = format!("{} ({})\n", found.source, found.kind);
    text.push_str(&format!("read as {}: {}\n", found.read_as.name(), found.why));
    for table in &found.tables {
        text.push_str(&format!("\n{}: {}\n{}", table.name, rows(table.rows), columns(table, width)));
        if !table.rules.is_empty() {
            text.push_str(&format!("  {}\n", rules_in_force(&table.rules)));
        }
    }
    if let Some(images) = &found.images {
        text.push_str(&format!("\n{}", facts(images)));
    }
    if let Some(sequences) = &found.sequences {
        text.push_str(&format!("\n{}", sequence_facts(sequences)));
    }
    if let Some(clips) = &found.clips {
        text.push_str(&format!("\n{}", clip_facts(clips)));
    }
    if let Some(sounds) = &found.sounds {
        text.push_str(&format!("\n{}", sound_facts(sounds)));
    }
    if let Some(schema) = schema {
        text.push_str(&format!("\n{}", schema.text()));
    }
    if !found.alerts.is_empty() {
        text.push('\n');
    }
    for alert in &found.alerts {
        text.push_str(&format!("{}\n", wrapped(&format!("! {}", alert.message), width, "  ")));
        if let Some(hint) = &alert.hint {
            text.push_str(&format!("{}\n", wrapped(&format!("  {hint}"), width, "  ")));
        }
    }
    text
}

fn rows(n: u64) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), "row")
}

fn columns(table: &TableFacts, width: usize) -> String {
    let mut shown = Table::new(["  column", "kind", "distinct", "missing", "examples", "why"]);
    for column in &table.columns {
        let key = if column.key { " (key)" } else { "" };
        shown.row([
            format!("  {}", column.name),
            format!("{}{key}", column.kind.name()),
            thousands(column.distinct as usize),
            thousands(column.missing as usize),
            column.examples.join(", ").split_whitespace().collect::<Vec<_>>().join(" "),
            column.why.clone(),
        ]);
    }
    shown.within(width)
}

fn facts(images: &ImageFacts) -> String {
    let shape = images.shape;
    let color = if shape.channels == 1 { "gray" } else { "RGB" };
    let streamed = if images.streamed { ", read from the source as they are needed" } else { "" };
    let (train, valid, holdout) = images.splits;
    let mut text = format!(
        "{}, {}×{} {color} to the model{streamed}\n{} to train on, {} to validate, {} held out for scores\n",
        count(images.count, "image"),
        shape.width,
        shape.height,
        thousands(train),
        thousands(valid),
        thousands(holdout),
    );
    text.push_str(&classes(&images.classes));
    text
}

/// "3 classes: coat 200, bag 180, boot 7", or nothing.
fn classes(all: &[(String, usize)]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut named: Vec<String> =
        all.iter().take(CLASSES).map(|(name, n)| format!("{name} {}", thousands(*n))).collect();
    if all.len() > CLASSES {
        named.push(format!("and {} more", all.len() - CLASSES));
    }
    let plural = if all.len() == 1 { "class" } else { "classes" };
    format!("{} {plural}: {}\n", all.len(), named.join(", "))
}

fn sequence_facts(found: &SequenceFacts) -> String {
    let (train, valid, holdout) = found.splits;
    let what = match (found.modality, found.one) {
        (Modality::Text, true) => "one text".to_owned(),
        (Modality::Text, false) => count(found.count, "text"),
        (Modality::Music, _) => count(found.count, "tune"),
    };
    let unit = match found.unit.as_str() {
        "chars" => "characters",
        "bytes" => "bytes",
        "bpe" => "pieces of words",
        "grid" => "voices in turn on the grid of sixteenths",
        "grid-quarter" => "voices in turn on the grid of quarters",
        _ => "events of notes",
    };
    let each = match found.chars_per_token > 1.0 {
        true => format!(", {:.1} characters each", found.chars_per_token),
        false => String::new(),
    };
    let (tokens, vocab) = (thousands(found.tokens as usize), thousands(found.vocab));
    let mut text = format!("{what}, {tokens} tokens to the model ({unit}, {vocab} different ones{each})\n");
    text.push_str(&match found.one {
        true => "85 % of it to train on, 5 % to validate, its last 10 % held out for scores\n".to_owned(),
        false => format!(
            "{} to train on, {} to validate, {} held out for scores\n",
            thousands(train),
            thousands(valid),
            thousands(holdout)
        ),
    });
    text.push_str(&classes(&found.classes));
    if !found.example.is_empty() {
        text.push_str(&format!("begins: {}…\n", found.example));
    }
    text
}

fn clip_facts(clips: &VideoFacts) -> String {
    let shape = clips.shape;
    let color = if shape.channels == 1 { "gray" } else { "RGB" };
    let mapped = if clips.mapped { ", kept in a temporary file" } else { "" };
    let (train, valid, holdout) = clips.splits;
    let mut text = format!(
        "{} of {:.1} s in all, {} of {} frames {}×{} {color} at {} a second to the model{mapped}\n\
         {} to train on, {} to validate, {} held out for scores\n",
        count(clips.count, "clip"),
        clips.seconds,
        count(clips.windows, "item"),
        clips.frames,
        shape.width,
        shape.height,
        clips.fps,
        thousands(train),
        thousands(valid),
        thousands(holdout),
    );
    text.push_str(&classes(&clips.classes));
    text
}

fn sound_facts(found: &AudioFacts) -> String {
    let (train, valid, holdout) = found.splits;
    let channels = if found.channels == 1 { "mono" } else { "stereo" };
    let stored = if found.mapped { ", kept in a file since they are many" } else { "" };
    let item = match found.whole {
        true => format!("each a whole of up to {:.2} s", found.item_seconds),
        false => format!("{} segments of {:.2} s", thousands(found.train_items), found.item_seconds),
    };
    let (shortest, longest) = (found.shortest_seconds, found.longest_seconds);
    let what = match found.one {
        true => format!("one sound of {}, in {} parts", duration(found.seconds), found.count),
        false => format!(
            "{}, {} in all, {shortest:.2} to {longest:.2} s each",
            count(found.count, "sound"),
            duration(found.seconds)
        ),
    };
    let mut text = format!(
        "{what}\n{} Hz {channels} to the model{stored}\n\
         {} to train on ({item}), {} to validate, {} held out for scores\n",
        found.rate_hz,
        thousands(train),
        thousands(valid),
        thousands(holdout),
    );
    text.push_str(&classes(&found.classes));
    text
}

/// "12.5 s", "7.2 minutes", "3.1 hours".
fn duration(secs: f64) -> String {
    match secs {
        ..120.0 => format!("{secs:.1} s"),
        ..7200.0 => format!("{:.1} minutes", secs / 60.0),
        _ => format!("{:.1} hours", secs / 3600.0),
    }
}

/// The command that trains on what was looked at, where it is clear what that would be.
fn next(spec: &SourceSpec, found: &Inspection) -> Option<String> {
    let rows = found.images.is_none()
        && found.sequences.is_none()
        && found.clips.is_none()
        && found.sounds.is_none();
    // Several tables are learned together.
    if rows && (found.tables.is_empty() || spec.path().is_dir() && found.tables.len() < 2) {
        return None;
    }
    let mut command = format!("mintage train {}", shell(&spec.path()));
    let flags =
        [("table", &spec.table), ("query", &spec.query), ("column", &spec.column), ("label", &spec.label)];
    for (flag, value) in flags {
        if let Some(value) = value {
            command.push_str(&format!(" --{flag} {}", shell(value.as_ref())));
        }
    }
    Some(command)
}

/// The only column with images, where there is exactly one (in `table`, if that is given).
pub fn image_column<'a>(tables: &'a [TableFacts], table: Option<&str>) -> Option<(&'a TableFacts, &'a str)> {
    let wanted = tables.iter().filter(|t| table.is_none_or(|name| name == t.name));
    let mut images = wanted.flat_map(|t| {
        t.columns.iter().filter(|c| c.kind == ColumnKind::Image).map(move |c| (t, c.name.as_str()))
    });
    images.next().filter(|_| images.next().is_none())
}

/// The specification with the table and the column filled in, where the source has only one to choose.
pub fn filled_in(spec: &SourceSpec) -> Result<(SourceSpec, Inspection), CliError> {
    let found = inspect(spec)?;
    let mut spec = spec.clone();
    let column = image_column(&found.tables, spec.table.as_deref());
    if let Some((table, column)) = column.filter(|_| found.read_as == DataKind::Image) {
        spec.column.get_or_insert_with(|| column.to_owned());
        spec.table.get_or_insert_with(|| table.name.clone());
    }
    Ok((spec, found))
}
