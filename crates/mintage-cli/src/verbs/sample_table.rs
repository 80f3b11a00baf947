//! `mintage sample` of table rows: to a file, a database or stdout; under conditions, from partial rows. Rows are
//! written while they are drawn.

use std::{cell::Cell, io::IsTerminal, path::Path};

use mintage::{Event, Model, TableRequest, nn::Rng};
use mintage_data::{
    Column, Error, IfExists, Provenance, SourceSpec, Table,
    table::{
        FileFormat, TextKind, Writing, Written, encoder::Where, encoding_named, is_delimited, present, read,
        write, write_parts, write_text,
    },
};
use serde_json::{Value, json};

use super::flags::{self, Kind};
use crate::{
    args::Sample,
    context::Context,
    failure::{CliError, CliResult, Outcome},
    text::{count, visible},
    ui::{stdout_failure, to_stdout},
};

const DEFAULT_N: usize = 1000;

pub fn run(args: &Sample, model: &Model, context: &mut Context) -> CliResult {
    flags::check(args, Kind::Table)?;
    let conditions = args.condition.iter().map(|text| Where::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let given = match args.given.as_ref().or(args.fill.as_ref()) {
        Some(source) => {
            Some(read(&SourceSpec { source: source.clone(), allow_made: true, ..SourceSpec::default() })?)
        }
        None => None,
    };
    let seed = context.settings.seed_or_fresh();
    let target = args.out.as_deref().unwrap_or("-");
    let table = args.table.as_deref().or(model.config.source.table.as_deref());
    let request = TableRequest {
        n: args.n.unwrap_or(DEFAULT_N),
        conditions,
        given,
        fill: args.fill.is_some(),
        seed,
        temperature: args.temperature,
        present: match IfExists::from(args.if_exists) {
            IfExists::Append => rows_there(model, target, table, context)?,
            IfExists::Fail | IfExists::Replace => None,
        },
        references: match target {
            "-" => Vec::new(),
            target => references(model, target, context)?,
        },
    };
    let options = json!({
        "where": args.condition,
        "given": args.given,
        "fill": args.fill,
        "temperature": args.temperature,
    });
    let provenance = model.provenance(seed, options);
    let provenance = (!args.no_provenance).then_some(&provenance);
    let file = file_format(args, model)?;
    match args.out.as_deref().unwrap_or("-") {
        "-" => print(model, &request, &file, context)?,
        target => {
            let table = args.table.as_deref().or(model.config.source.table.as_deref());
            let place = Place { target, table, if_exists: args.if_exists.into(), file: &file };
            let written = stream(model, &request, place, provenance, context)?;
            context.ui.field("made", &format!("{} in {}", count(written.rows, "new row"), written.place));
            if provenance.is_none() {
                context.ui.field("", "nothing marks them as made: training takes them for real rows");
            }
            context.ui.out_json(&json!({
                "rows": written.rows, "place": written.place, "seed": seed, "provenance": provenance,
            }))?;
        }
    }
    Ok(Outcome::Done)
}

/// Where rows go.
struct Place<'a> {
    target: &'a str,
    table: Option<&'a str>,
    if_exists: IfExists,
    file: &'a FileFormat,
}

/// How a new file of delimited text is written: like the one that was learned from, unless the flags say otherwise.
fn file_format(args: &Sample, model: &Model) -> Result<FileFormat, CliError> {
    let mut file = model.rows()?.1.file.clone().unwrap_or_default();
    let flag = [("--encoding", args.encoding.is_some()), ("--delimiter", args.delimiter.is_some())];
    if let (Some(out), Some((flag, _))) = (&args.out, flag.iter().find(|(_, given)| *given))
        && out != "-"
        && !is_delimited(out)
    {
        return Err(CliError::new(
            format!("{flag} has no meaning for {}", visible(out)),
            "it is for delimited text: files that end in .csv or .tsv",
        ));
    }
    if args.out.as_deref().is_none_or(|out| out == "-") {
        file = file.of_stream();
    }
    if let Some(name) = &args.encoding {
        encoding_named(name)?.name().clone_into(&mut file.encoding);
        // Only of these is the mark usual everywhere.
        file.bom = file.encoding.starts_with("UTF-16");
    }
    if let Some(text) = &args.delimiter {
        file.delimiter = Some(delimiter(text)?);
    }
    Ok(file)
}

/// ";", "tab" or "\\t".
fn delimiter(text: &str) -> Result<char, CliError> {
    let named = match text.to_lowercase().as_str() {
        "tab" | "\\t" => Some('\t'),
        "comma" => Some(','),
        "semicolon" => Some(';'),
        "pipe" => Some('|'),
        "space" => Some(' '),
        _ => None,
    };
    let mut letters = text.chars();
    let only =
        letters.next().filter(|c| letters.next().is_none() && c.is_ascii() && !c.is_ascii_alphanumeric());
    let usable = |c: &char| !['"', '\n', '\r', '\0', '.', '-'].contains(c);
    named.or(only).filter(usable).ok_or_else(|| {
        CliError::new(format!("`{text}` cannot separate cells"), "give one character, such as `;`, or `tab`")
    })
}

/// Prints rows while they are drawn.
fn print(
    model: &Model,
    request: &TableRequest,
    file: &FileFormat,
    context: &mut Context,
) -> Result<(), CliError> {
    let mut parts = model.row_parts(request)?;
    let head = parts.head();
    let kind = if context.ui.prints_json() { TextKind::JsonLines } else { TextKind::Csv };
    let (_, codec) = model.rows()?;
    let mut rng = Rng::new(request.seed, u64::MAX);
    let mut how = Writing {
        refused: None,
        target: "-",
        table: None,
        if_exists: IfExists::Fail,
        provenance: None,
        ids: &codec.ids(),
        schema: Some(codec.rules.own()),
        file,
        random: &mut || rng.next_u64(),
        pg: &context.settings.pg,
    };
    let on_terminal = std::io::stdout().is_terminal();
    let mut out = |text: &[u8]| {
        let done = match on_terminal {
            // Without what a terminal would obey.
            true => to_stdout(visible(&String::from_utf8_lossy(text)).as_bytes()),
            false => to_stdout(text),
        };
        done.map_err(|source| Error::Io { path: Path::new(STDOUT).to_owned(), source })
    };
    match write_text(&head, &mut parts, kind, &mut how, &mut out) {
        Ok(_) => Ok(()),
        Err(Error::Io { path, source }) if path == Path::new(STDOUT) => Err(stdout_failure(source)),
        Err(error) => Err(error.into()),
    }
}

/// Writes rows while they are drawn, with progress.
fn stream(
    model: &Model,
    request: &TableRequest,
    place: Place,
    provenance: Option<&Provenance>,
    context: &mut Context,
) -> Result<Written, CliError> {
    let mut parts = model.row_parts(request)?;
    let (head, total) = (parts.head(), parts.len());
    let (_, codec) = model.rows()?;
    let mut rng = Rng::new(request.seed, u64::MAX);
    let pg = context.settings.pg.clone();
    let refused = Cell::new(0);
    let how = Writing {
        refused: request.given.is_none().then_some(&refused),
        target: place.target,
        table: place.table,
        if_exists: place.if_exists,
        provenance,
        ids: &codec.ids(),
        schema: Some(codec.rules.own()),
        file: place.file,
        random: &mut || rng.next_u64(),
        pg: &pg,
    };
    let ui = &mut context.ui;
    let mut done = 0;
    let mut told = std::iter::from_fn(|| {
        ui.event(&Event::Work { what: "sampling".to_owned(), done, total: total.max(done) });
        parts.draw_more(refused.take());
        let part = parts.next_part().transpose();
        done += part.as_ref().map_or(0, |part| part.as_ref().map_or(0, Table::rows));
        part
    });
    let written = write_parts(&head, &mut told, how);
    context.ui.clear();
    let written = written?;
    if parts.replaced() > 0 {
        let rows = count(parts.replaced(), "row");
        context.ui.field(
            "",
            &format!("{rows} that the table refused, by rules that are not known here, were drawn again"),
        );
    }
    Ok(written)
}

/// The rows that new ones will stand beside, as far as they must differ from them.
fn rows_there(
    model: &Model,
    target: &str,
    table: Option<&str>,
    context: &Context,
) -> Result<Option<Table>, CliError> {
    let (_, codec) = model.rows()?;
    let keys = codec.rules.key_columns();
    Ok(present(target, table.unwrap_or(&codec.name), &keys, &context.settings.pg)?)
}

/// The keys of other tables of the target that columns refer to; nothing of what is not there.
fn references(model: &Model, target: &str, context: &Context) -> Result<Vec<(String, Column)>, CliError> {
    let (_, codec) = model.rows()?;
    let mut all = Vec::new();
    for own in &codec.rules.own().columns {
        let Some((table, column)) = own.declaration.refers_to.as_ref().and_then(|to| to.rsplit_once('.'))
        else {
            continue;
        };
        let found = present(target, table, &[column], &context.settings.pg)?;
        all.extend(found.and_then(|mut found| Some((own.name.clone(), found.columns.pop()?))));
    }
    Ok(all)
}

/// Draws rows, with progress.
pub fn draw_rows(model: &Model, request: &TableRequest, context: &mut Context) -> Result<Table, CliError> {
    let ui = &mut context.ui;
    let rows = model.sample_rows(request, &mut |done, total| {
        ui.event(&Event::Work { what: "sampling".to_owned(), done, total });
    });
    context.ui.clear();
    Ok(rows?)
}

/// Writes rows of a model, with what made them.
pub fn write_rows(
    model: &Model,
    rows: &Table,
    target: &str,
    table: Option<&str>,
    if_exists: IfExists,
    seed: u64,
    options: Value,
    context: &Context,
) -> Result<Written, CliError> {
    let mut rng = Rng::new(seed, u64::MAX);
    let (_, codec) = model.rows()?;
    let how = Writing {
        refused: None,
        target,
        table,
        if_exists,
        provenance: Some(&model.provenance(seed, options)),
        ids: &codec.ids(),
        schema: Some(codec.rules.own()),
        file: &codec.file.clone().unwrap_or_default(),
        random: &mut || rng.next_u64(),
        pg: &context.settings.pg,
    };
    Ok(write(rows, how)?)
}

/// How an error of stdout is known.
const STDOUT: &str = "stdout";
