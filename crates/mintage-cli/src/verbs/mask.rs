//! `mintage mask`: the same database with other persons in it.

use mintage::{
    data::{
        Error, IfExists, KeySpec, SourceSpec,
        database::{DatabaseWriting, Rows, check_another_place, write_database},
        names::path_of,
    },
    database::{MaskRequest, Masked, mask},
};
use serde_json::json;

use super::database::{check_is_database, tell_written};
use crate::{
    args::Mask,
    context::Context,
    failure::{CliError, CliResult, Outcome},
    text::{Table, shell},
};

/// Bytes of a secret of our own.
const FRESH_BYTES: usize = 32;
/// Bytes of a secret, at least and at most.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 8..=4096;

pub fn run(args: &Mask, context: &mut Context) -> CliResult {
    let (if_exists, pg) = (IfExists::from(args.if_exists), context.settings.pg.clone());
    if let Some(out) = &args.out {
        check_is_database(out, &format!("mintage mask {}", shell(&path_of(&args.source))))?;
        check_another_place(&args.source, out, if_exists, &pg)?;
    }
    let seed = context.settings.seed_or_fresh();
    let request = MaskRequest {
        only: args.tables.clone(),
        without: args.exclude.clone(),
        keep: args.keep.clone(),
        key: secret(args)?,
        share: args.subset,
        seed,
    };
    let keys = args.keys.iter().map(|text| KeySpec::parse(text)).collect::<Result<Vec<KeySpec>, Error>>()?;
    let source = args.source.clone();
    let spec = context.reachable(&SourceSpec { source, keys, ..SourceSpec::default() });
    let masked = mask(&spec, &request)?;
    masked.notes.iter().for_each(|note| context.ui.warn(note));
    tell_columns(&masked, context);
    let columns = columns(&masked).into_iter();
    let columns = columns.map(|[table, column, why]| json!({ "table": table, "column": column, "why": why }));
    let columns = json!({ "masked": columns.collect::<Vec<_>>() });
    let Some(out) = args.out.as_deref().filter(|_| !args.dry_run) else {
        context.ui.out_json(&columns)?;
        return Ok(Outcome::Done);
    };
    let rows = masked.tables.into_iter();
    let rows: Vec<Rows> = rows.map(|rows| Rows { table: rows.name.clone(), is_kept: false, rows }).collect();
    let how = DatabaseWriting { target: out, if_exists, provenance: None, pg: &pg };
    let written = write_database(&masked.schema, &rows, &how)?;
    tell_written(&written, out, context)?;
    Ok(Outcome::Done)
}

/// The secret that masks are drawn by; a fresh one that nobody learns where there is none.
fn secret(args: &Mask) -> Result<Vec<u8>, CliError> {
    let Some(path) = &args.key_file else {
        let mut key = vec![0; FRESH_BYTES];
        getrandom::fill(&mut key)
            .map_err(|error| CliError::new(error.to_string(), "name a secret: --key-file FILE"))?;
        return Ok(key);
    };
    let bytes = std::fs::read(path).map_err(CliError::io(path.display().to_string()))?;
    let key = bytes.trim_ascii().to_vec();
    match KEY_BYTES.contains(&key.len()) {
        true => Ok(key),
        false => {
            let (least, most) = (KEY_BYTES.start(), KEY_BYTES.end());
            let why =
                format!("{}: a secret has {least} to {most} bytes, this one {}", path.display(), key.len());
            Err(CliError::new(why, "head -c 32 /dev/urandom > key"))
        }
    }
}

/// Table, name and reason of each column that is masked.
fn columns(masked: &Masked) -> Vec<[String; 3]> {
    let of_persons = masked.persons.iter().flat_map(|persons| {
        let columns = persons.columns().iter();
        columns.map(move |column| [&persons.table, &column.name, &column.reason].map(String::clone))
    });
    let births = masked.births.iter();
    let births = births.map(|births| [&births.table, &births.column, &births.reason].map(String::clone));
    of_persons.chain(births).collect()
}

fn tell_columns(masked: &Masked, context: &mut Context) {
    let mut table = Table::new(["table", "column", "why it is masked"]);
    let columns = columns(masked);
    let is_empty = columns.is_empty();
    columns.into_iter().for_each(|cells| table.row(cells));
    match is_empty {
        true => context.ui.warn("nothing was found that points at persons: the rows stay as they are"),
        false => context.ui.say(&table.text()),
    }
}
