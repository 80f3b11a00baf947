//! Where new data may be written, and what is said of it: shared by the verbs that sample and reconstruct.

use std::path::{Path, PathBuf};

use mintage::Model;
use mintage_data::{ItemTable, is_made_file, is_postgres, names::path_of, real_folder};

use crate::{
    args::{ExistsChoice, Sample},
    context::Context,
    failure::CliError,
    text::{count, shell},
};

/// Where in a database.
pub struct Place {
    target: String,
    table: String,
    column: String,
    label: Option<String>,
}

/// A file among a model's samples. A model may come from a stranger: nothing in it is written through a link.
pub fn in_samples(model: &Model, name: &str) -> Result<PathBuf, CliError> {
    let dir = real_folder(&model.dir, Path::new("samples")).map_err(CliError::io(&model.dir))?;
    let path = dir.join(name);
    match path.is_symlink() {
        true => Err(CliError::new(
            format!("{}: is a link, and nothing in a model is written through it", path.display()),
            "remove the link, or say where to write with -o",
        )),
        false => Ok(path),
    }
}

/// An error for a file that is there and was not to be replaced. One that was made, and is as it was made, is nobody's.
pub fn may_write(path: &Path, if_exists: ExistsChoice) -> Result<(), CliError> {
    let is_there = path.metadata().is_ok_and(|there| there.is_file() && there.len() > 0);
    if !is_there || if_exists == ExistsChoice::Replace || is_made_file(path) {
        return Ok(());
    }
    Err(CliError::new(
        format!("{} is there already, and was not made by mintage", shell(path)),
        "choose another name, or --if-exists replace to lose what is there",
    ))
}

/// An error for `--if-exists replace` where new items stand beside others.
pub fn stands_beside(place: &Path, if_exists: ExistsChoice) -> Result<(), CliError> {
    if if_exists != ExistsChoice::Replace {
        return Ok(());
    }
    Err(CliError::new(
        format!("--if-exists replace is for single files and for rows: {} keeps what it has", shell(place)),
        "leave it out: what is new stands beside what is there",
    ))
}

/// Makes the folder that a file is to lie in.
pub fn make_parent(path: &Path) -> Result<(), CliError> {
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => std::fs::create_dir_all(dir).map_err(CliError::io(dir)),
        None => Ok(()),
    }
}

/// Table and column that new data go to: from the flags, or those that were learned from.
fn columns(args: &Sample, model: &Model) -> Result<(String, String), CliError> {
    let source = &model.config.source;
    let missing = |flag: &str| {
        let message = format!("it is not said which {flag} of the database to write to");
        CliError::new(message, "give --table TABLE --column COLUMN; `mintage inspect` shows what there is")
    };
    let table = args.table.clone().or_else(|| source.table.clone()).ok_or_else(|| missing("table"))?;
    let column = args.column.clone().or_else(|| source.column.clone()).ok_or_else(|| missing("column"))?;
    Ok((table, column))
}

/// Where in a database new items go: as the flags say, or where those that were learned from are. What a server can say
/// against it is heard before time is spent.
pub fn place(
    target: &str,
    args: &Sample,
    model: &Model,
    labelled: bool,
    context: &Context,
) -> Result<Place, CliError> {
    stands_beside(&path_of(target), args.if_exists)?;
    let (table, column) = columns(args, model)?;
    let learned = model.config.source.label.clone();
    let label = args.label_column.clone().or(learned).filter(|_| labelled);
    let place = Place { target: target.to_owned(), table, column, label };
    place.items(context).check()?;
    Ok(place)
}

impl Place {
    /// The table that takes new items.
    pub fn items<'a>(&'a self, context: &'a Context) -> ItemTable<'a> {
        let Self { target, table, column, label } = self;
        ItemTable { target, pg: &context.settings.pg, table, column, label: label.as_deref() }
    }
}

/// Where new rows are, and how they are known.
pub fn report_rows(rows: usize, place: &Place, context: &Context) {
    let Place { target, table, column, .. } = place;
    let of = shell(&path_of(target));
    context.ui.field("made", &format!("{} in {table}.{column} of {of}", count(rows, "new row")));
    context.ui.field("", "their column `mintage` says what made them; training leaves them out");
    // Those who look for them by name must know that they have none.
    let empty = place.items(context).left_empty().unwrap_or_default();
    if !empty.is_empty() {
        context.ui.field("", &format!("nothing was made for the columns {}", empty.join(", ")));
    }
}

/// How the name of a file ends, in small letters.
pub fn suffix(path: &Path) -> String {
    path.extension().map(|suffix| suffix.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Whether OUT is a folder: by its end, or because it is there.
pub fn is_folder(out: &str) -> bool {
    !is_postgres(out) && (out.ends_with(['/', std::path::MAIN_SEPARATOR]) || path_of(out).is_dir())
}

/// Whether OUT is a database that takes rows.
pub fn is_database(out: &str) -> bool {
    let is_file = ["db", "db3", "sqlite", "sqlite3"].contains(&suffix(&path_of(out)).as_str());
    is_postgres(out) || is_file
}

/// "8x6": columns and rows.
pub fn grid(text: &str) -> Result<(usize, usize), CliError> {
    let parsed = text
        .split_once(['x', '×', 'X'])
        .and_then(|(columns, rows)| Some((columns.trim().parse().ok()?, rows.trim().parse().ok()?)));
    match parsed {
        Some((columns, rows)) if (1..=1000).contains(&columns) && (1..=1000).contains(&rows) => {
            Ok((columns, rows))
        }
        _ => Err(CliError::new(format!("`{text}` is no grid"), "write it like 8x6: columns, rows")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids() {
        assert_eq!(grid("8x6").ok(), Some((8, 6)));
        assert_eq!(grid("3 × 2").ok(), Some((3, 2)));
        for bad in ["8", "x", "0x3", "8x", "-1x2", "99999x1"] {
            assert!(grid(bad).is_err(), "{bad}");
        }
    }
}
