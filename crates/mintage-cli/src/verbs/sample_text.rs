//! `mintage sample` of texts: to stdout as they come, to a file, a folder, or rows of a table.

use std::path::{Path, PathBuf};

use mintage::{
    Conditioning, Event, Model, SamplingParams, Shape, TextRequest, models::GenerativeModel, nn::Rng,
    sample::check_conditioning,
};
use mintage_data::{
    Column, IfExists, Provenance, Table, TextTokenizer,
    names::path_of,
    table::{FileFormat, Writing, Written, write},
    write_files, write_text,
};
use serde_json::json;

use super::{
    conditioning::vary_or_interpolate,
    flags::{self, Kind},
    places::{is_folder, make_parent, may_write, stands_beside},
};
use crate::{
    args::Sample,
    context::Context,
    failure::{CliError, CliResult, Outcome},
    text::{count, shell, thousands},
};

/// Between texts in one stream.
const BETWEEN: &str = "\n\n――――――――\n\n";
/// The column of texts where the data had none.
const COLUMN: &str = "text";
/// Steps on the way from one document to another.
pub const INTERPOLATION_STEPS: usize = 8;

/// Where texts go.
#[derive(Debug, PartialEq)]
enum Target {
    Stdout,
    File(PathBuf),
    Folder(PathBuf),
    /// Rows of a file or a database.
    Rows(String),
}

pub fn run(args: &Sample, model: &Model, context: &mut Context) -> CliResult {
    check(args)?;
    let (_, codec) = model.texts()?;
    let target = target(args.out.as_deref().unwrap_or("-"))?;
    match &target {
        Target::File(path) => may_write(path, args.if_exists)?,
        Target::Folder(path) => stands_beside(path, args.if_exists)?,
        Target::Stdout | Target::Rows(_) => {}
    }
    let prompt = prompt(args)?;
    check_letters(codec, &prompt)?;
    let seen = codec.encode(&prompt).len();
    let sees = model.sequences()?.model.config().context();
    if seen > sees {
        context.ui.warn(&format!(
            "the prompt has {} tokens and the model sees {}: it goes by the last of them",
            thousands(seen),
            thousands(sees)
        ));
    }
    let n = args.n.unwrap_or(if args.between.is_empty() { 1 } else { INTERPOLATION_STEPS });
    let conditioning = conditioning(args, |path| {
        let text = text(path)?;
        check_letters(codec, &text)?;
        match text.trim().is_empty() {
            true => Err(CliError::message(format!("{}: there is no text in it", path.display()))),
            false => Ok(text),
        }
    })?;
    check_conditioning(&conditioning, model, n)?;
    for (path, tokens) in lengths(args, &conditioning, |text| codec.encode(text).len()) {
        warn_of_length(path, tokens, sees, context);
    }
    let seed = context.settings.seed_or_fresh();
    let request = TextRequest {
        n,
        label: label(args, model)?,
        guidance: args.guidance,
        prompt: prompt.clone(),
        conditioning,
        length: args.length,
        endless: args.endless,
        stop: args.stop.clone(),
        shape: shape(args)?,
        choice: choice(args),
        seed,
    };
    let options = json!({
        "where": args.condition, "prompt": args.prompt, "continue": args.continued, "like": args.like,
        "between": args.between, "strength": args.strength, "length": args.length,
        "stop": args.stop, "match": args.pattern, "json_shape": args.json_shape,
        "temperature": args.temperature, "top_k": args.top_k, "top_p": args.top_p, "min_p": args.min_p,
        "repetition": args.repetition, "guidance": args.guidance,
    });
    let provenance = model.provenance(seed, options);
    // A prompt is part of its text; a file that is continued is there already.
    let head = if args.continued.is_some() { String::new() } else { prompt };
    if target == Target::Stdout && !context.ui.wants_json() {
        return stream(model, &request, &head, context);
    }
    let texts: Vec<String> =
        draw(model, &request, context)?.iter().map(|text| format!("{head}{text}")).collect();
    if context.ui.wants_json() {
        context.ui.out_json(&json!({ "texts": texts, "provenance": provenance }))?;
    }
    write_texts(&target, &texts, request.label.as_deref(), model, args, &provenance, context)
}

/// Writes texts to stdout: a single one while it is made, unless it is not certain that it will be one.
fn stream(model: &Model, request: &TextRequest, head: &str, context: &mut Context) -> CliResult {
    let mut failed = None;
    let mut tell = |text: &str, ui: &mut crate::ui::Ui| {
        if failed.is_none() {
            failed = ui.out(text).err();
        }
        failed.is_none()
    };
    if request.n == 1 && request.shape.is_none() {
        let ui = &mut context.ui;
        if tell(head, ui) {
            model.sample_texts(request, &mut |_, new| tell(new, ui))?;
        }
    } else {
        for (at, text) in draw(model, request, context)?.iter().enumerate() {
            let between = if at == 0 { "" } else { BETWEEN };
            if !tell(&format!("{between}{head}{text}"), &mut context.ui) {
                break;
            }
        }
    }
    tell("\n", &mut context.ui);
    failed.map_or(Ok(Outcome::Done), Err)
}

/// Draws texts, with progress.
pub fn draw(model: &Model, request: &TextRequest, context: &mut Context) -> Result<Vec<String>, CliError> {
    let (ui, n) = (&mut context.ui, request.n);
    let mut most = 0;
    let texts = model.sample_texts(request, &mut |text, _| {
        if text > most {
            most = text;
            ui.event(&Event::Work { what: "writing".to_owned(), done: most, total: n });
        }
        true
    });
    if texts.is_ok() {
        context.ui.event(&Event::Work { what: "writing".to_owned(), done: n, total: n });
    }
    context.ui.clear();
    let texts = texts?;
    if texts.len() < n {
        let missing = count(n - texts.len(), "text");
        context.ui.warn(&format!("{missing} came to no match before the end and were left out"));
    }
    Ok(texts)
}

fn write_texts(
    target: &Target,
    texts: &[String],
    label: Option<&str>,
    model: &Model,
    args: &Sample,
    provenance: &Provenance,
    context: &mut Context,
) -> CliResult {
    let what = count(texts.len(), "new text");
    match target {
        Target::Stdout => {}
        Target::File(path) => {
            make_parent(path)?;
            let text = texts.join(BETWEEN) + "\n";
            write_text(path, &text, provenance).map_err(CliError::io(path))?;
            context.ui.field("made", &format!("{what} in {}", shell(path)));
        }
        Target::Folder(dir) => {
            let file = |i: usize| Ok((label.unwrap_or_default(), texts[i].clone().into_bytes()));
            write_files(dir, texts.len(), "txt", &file, provenance)?;
            context.ui.field("made", &format!("{what} in {}", shell(dir)));
        }
        Target::Rows(target) => {
            let source = &model.config.source;
            let column = args.column.as_deref().or(source.column.as_deref()).unwrap_or(COLUMN);
            let name = args.label_column.as_deref().or(source.label.as_deref()).unwrap_or("label");
            let table = args.table.as_deref().or(source.table.as_deref());
            let columns = (column, label.map(|label| (name, label)));
            let written =
                write_rows(texts, columns, (target, table), args.if_exists.into(), provenance, context)?;
            context.ui.field("made", &format!("{} in {}", count(written.rows, "new row"), written.place));
        }
    }
    Ok(Outcome::Done)
}

/// Adds texts as rows: their column and the label's, to a table of a file or a database.
pub fn write_rows(
    texts: &[String],
    (column, label): (&str, Option<(&str, &str)>),
    (target, table): (&str, Option<&str>),
    if_exists: IfExists,
    provenance: &Provenance,
    context: &Context,
) -> Result<Written, CliError> {
    let mut columns = vec![Column::of(column, texts.iter().map(|text| Some(text.as_str())))];
    if let Some((name, label)) = label {
        columns.push(Column::of(name, texts.iter().map(|_| Some(label))));
    }
    let mut rng = Rng::new(provenance.seed, u64::MAX);
    let rows = Table { name: table.unwrap_or("texts").to_owned(), columns, ..Table::default() };
    let random = &mut || rng.next_u64();
    let pg = &context.settings.pg;
    let (schema, file) = (None, &FileFormat::default());
    let provenance = Some(provenance);
    Ok(write(
        &rows,
        Writing { target, table, if_exists, provenance, ids: &[], schema, file, random, refused: None, pg },
    )?)
}

fn target(out: &str) -> Result<Target, CliError> {
    let path = &*path_of(out);
    let suffix = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    const ROW_SUFFIXES: [&str; 10] =
        ["csv", "tsv", "jsonl", "ndjson", "parquet", "db", "db3", "sqlite", "sqlite3", "gz"];
    const OTHER_SUFFIXES: [&str; 9] = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "mid", "midi", "wav"];
    Ok(match suffix.as_str() {
        _ if out == "-" => Target::Stdout,
        _ if is_folder(out) => Target::Folder(path.to_owned()),
        suffix if ROW_SUFFIXES.contains(&suffix) || out.contains("://") => Target::Rows(out.to_owned()),
        suffix if OTHER_SUFFIXES.contains(&suffix) => {
            return Err(CliError::new(
                format!("{out}: this model makes texts"),
                "end it with .txt for a text, / for a folder, .csv, .jsonl, .parquet or .db for rows; - is stdout",
            ));
        }
        _ => Target::File(path.to_owned()),
    })
}

fn prompt(args: &Sample) -> Result<String, CliError> {
    match (&args.prompt, &args.continued) {
        (Some(prompt), _) => Ok(prompt.clone()),
        (None, Some(path)) => text(path),
        (None, None) => Ok(String::new()),
    }
}

/// Whether the model knows all letters of a text.
fn check_letters(codec: &TextTokenizer, text: &str) -> Result<(), CliError> {
    let foreign: Vec<String> = codec.unknown_chars(text).iter().map(|c| format!("`{c}`")).collect();
    match foreign.is_empty() {
        true => Ok(()),
        false => Err(CliError::new(
            format!("the model has never seen {}", foreign.join(", ")),
            "write in the letters of the texts that it learned from",
        )),
    }
}

/// A text in UTF-8.
fn text(path: &Path) -> Result<String, CliError> {
    let bytes = mintage_data::read_item_file(path)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::new(format!("{}: no UTF-8 at byte {at}", path.display()), "give a text in UTF-8")
    })
}

/// What new documents resemble, each read by `read`.
pub fn conditioning<T>(
    args: &Sample,
    read: impl Fn(&Path) -> Result<T, CliError>,
) -> Result<Conditioning<T>, CliError> {
    if !(0.0..=1.0).contains(&args.strength) {
        return Err(CliError::new(
            "--strength must lie between 0 and 1",
            "0 is the file itself, as the model sees it, 1 a new one",
        ));
    }
    vary_or_interpolate(args, read)
}

/// The files that new documents resemble, and how many tokens each has.
pub fn lengths<'a, T>(
    args: &'a Sample,
    conditioning: &Conditioning<T>,
    tokens: impl Fn(&T) -> usize,
) -> Vec<(&'a Path, usize)> {
    match (conditioning, &args.like, &args.between[..]) {
        (Conditioning::Vary { item: document, .. }, Some(path), _) => vec![(path, tokens(document))],
        (Conditioning::Interpolate { from, to }, _, [a, b]) => vec![(a, tokens(from)), (b, tokens(to))],
        _ => Vec::new(),
    }
}

/// Says so where a file has more tokens than the model sees.
pub fn warn_of_length(path: &Path, tokens: usize, sees: usize, context: &mut Context) {
    if tokens > sees {
        context.ui.warn(&format!(
            "{} has {} tokens and the model sees {}: it goes by the first of them",
            path.display(),
            thousands(tokens),
            thousands(sees)
        ));
    }
}

fn shape(args: &Sample) -> Result<Option<Shape>, CliError> {
    Ok(match (&args.pattern, &args.json_shape) {
        (Some(pattern), _) => Some(Shape::of_pattern(pattern)?),
        (None, Some(shape)) => Some(Shape::of_json(shape)?),
        (None, None) => None,
    })
}

/// How the next token is chosen.
pub fn choice(args: &Sample) -> SamplingParams {
    SamplingParams {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        min_p: args.min_p,
        repetition: args.repetition,
    }
}

/// The class that `--where` asks for: `label=VALUE`, or `COLUMN=VALUE` with the column of the labels.
pub fn label(args: &Sample, model: &Model) -> Result<Option<String>, CliError> {
    let [condition] = &args.condition[..] else {
        return match args.condition.is_empty() {
            true => Ok(None),
            false => {
                Err(CliError::message("only one --where can be met at a time: the model knows one label"))
            }
        };
    };
    let Some((column, value)) = condition.split_once('=') else {
        return Err(CliError::new(
            format!("`{condition}` is no condition"),
            "write it like --where label=news",
        ));
    };
    let known = model.config.source.label.as_deref().unwrap_or("label");
    match column.trim() {
        "label" => Ok(Some(value.trim().to_owned())),
        column if column == known => Ok(Some(value.trim().to_owned())),
        column => Err(CliError::new(
            format!("this model is not conditioned on `{column}`"),
            format!("it knows `{known}`: --where {known}=VALUE"),
        )),
    }
}

/// Values of length and choice that have no meaning for any sequence.
pub fn check_choice(args: &Sample) -> Result<(), CliError> {
    if args.length == Some(0) {
        return Err(CliError::message("--length must be at least 1"));
    }
    if args.min_p.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
        return Err(CliError::message("--min-p must lie between 0 and 1"));
    }
    if !(args.repetition.is_finite() && args.repetition >= 1.0) {
        return Err(CliError::new(
            "--repetition must be 1 or more",
            "1 leaves repetitions alone, 1.2 makes them rare",
        ));
    }
    Ok(())
}

/// What has no meaning for texts, and values that have none at all.
fn check(args: &Sample) -> Result<(), CliError> {
    flags::check(args, Kind::Text)?;
    check_choice(args)?;
    if args.stop.iter().any(String::is_empty) {
        return Err(CliError::message("--stop needs a text that is not empty"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_decides() {
        assert_eq!(target("-").ok(), Some(Target::Stdout));
        assert_eq!(target("new.txt").ok(), Some(Target::File("new.txt".into())));
        assert_eq!(target("глава").ok(), Some(Target::File("глава".into())));
        assert_eq!(target("new/").ok(), Some(Target::Folder("new/".into())));
        assert_eq!(target("new.jsonl.gz").ok(), Some(Target::Rows("new.jsonl.gz".to_owned())));
        assert_eq!(target("postgres://h/d").ok(), Some(Target::Rows("postgres://h/d".to_owned())));
        assert!(target("new.png").is_err());
    }
}
