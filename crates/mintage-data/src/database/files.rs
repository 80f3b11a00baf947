//! The schema of a folder: every file of CSV, Parquet or JSON Lines in it is a table, called by the name of the file
//! without its ending. Files say nothing of keys: types, primary keys and keys are found from values.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use chrono::NaiveDate;

use super::{
    Column, Condition, Contained, ForeignKey, Schema, Store, Table, Values, finish,
    names::{FITS, Targets, is_like_key},
    role,
};
use crate::{
    DataKind, Error, SourceSpec,
    files::without_packing,
    source::listing::{is_about_data, kind_of_folder},
    source::metadata::is_metadata,
    table::{
        self,
        schema::{Kind, detect, is_uuid},
        stem,
    },
};

/// Rows of a file by which its columns are known.
const MAX_FILE_ROWS: usize = 200_000;
/// Bytes of a date such as 2024-02-29.
const DATE_BYTES: usize = 10;
/// Files of a folder, at most.
const MAX_FILES: usize = 1000;
/// Endings of files that are tables, before an ending of packing.
const ENDINGS: [&str; 5] = ["csv", "tsv", "jsonl", "ndjson", "parquet"];

/// Whether a source is a folder of at least two tables, and of nothing else that could be learned.
pub fn holds_tables(spec: &SourceSpec) -> bool {
    let path = &*spec.path();
    path.is_dir()
        && matches!(kind_of_folder(path, spec), Ok(None | Some(DataKind::Table)))
        && table_files(path).is_ok_and(|files| files.len() > 1)
}

/// The files of a folder that are tables, each with the name of its table.
///
/// # Errors
/// The folder cannot be read.
pub fn table_files(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let ending =
            without_packing(&name).unwrap_or(&name).rsplit_once('.').map_or("", |(_, ending)| ending);
        let is_other = name.starts_with('.') || is_metadata(&path) || is_about_data(&path);
        if ENDINGS.contains(&ending) && !is_other && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let mut names = HashSet::new();
    // `a.csv` and `a.parquet` are two tables.
    let name = |path: PathBuf| {
        let (short, full) =
            (stem(&path), path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        (if names.insert(short.clone()) { short } else { full }, path)
    };
    Ok(files.into_iter().map(name).collect())
}

pub(super) fn read(spec: &SourceSpec) -> Result<Schema, Error> {
    let folder = &*spec.path();
    let files = table_files(folder)?;
    let place = folder.display().to_string();
    if files.is_empty() {
        return Err(Error::bad(place, "holds no tables")
            .with_hint("tables are files of CSV, Parquet and JSON Lines, each with rows of one kind"));
    }
    if files.len() > MAX_FILES {
        let why = format!("holds {} files, and {MAX_FILES} tables are the most", files.len());
        return Err(Error::bad(place, why));
    }
    let mut held = Files::default();
    let tables = files.into_iter().map(|(name, path)| held.table(name, &path, spec));
    let tables = tables.collect::<Result<Vec<Table>, Error>>()?;
    let tables = own_keys(tables);
    let mut schema = finish(&place, Store::Files, (tables, Vec::new()), (Vec::new(), &spec.keys), &mut held)?;
    held.find_keys_of_bridges(&mut schema.tables);
    role::assign(&mut schema.tables, &mut held)?;
    Ok(schema)
}

/// Takes back primary keys that are called after the rows of another table: they tell rows apart, and refer.
fn own_keys(mut tables: Vec<Table>) -> Vec<Table> {
    let mut targets = Targets::default();
    for (t, table) in tables.iter().enumerate() {
        for (c, column) in table.columns.iter().enumerate() {
            targets.add((t, c), &table.name, &column.name, table.is_key(&column.name));
        }
    }
    for (t, table) in tables.iter_mut().enumerate() {
        let Some(key) = table.primary_key.first() else { continue };
        let fits: Vec<usize> =
            targets.of(key).into_iter().filter(|&(_, _, fit)| fit == FITS).map(|(t, _, _)| t).collect();
        if !fits.is_empty() && !fits.contains(&t) {
            table.unique.push(std::mem::take(&mut table.primary_key));
            table.key_found = false;
        }
    }
    tables
}

/// What was read of the files.
#[derive(Default)]
struct Files {
    tables: HashMap<String, Held>,
}

struct Held {
    spec: SourceSpec,
    table: table::Table,
    /// There are more rows than those.
    is_part: bool,
    /// Columns of which every value is known, though not every row of the table.
    whole: HashMap<String, table::Column>,
    /// Texts that mean "missing", such as `NA`, by column.
    missing: HashMap<String, Vec<String>>,
}

impl Files {
    /// Reads a file. Its primary key is the first column that is called like one and tells its rows apart.
    fn table(&mut self, name: String, path: &Path, spec: &SourceSpec) -> Result<Table, Error> {
        let spec = SourceSpec {
            source: crate::names::text_of(path.as_os_str()),
            limit: Some(MAX_FILE_ROWS),
            allow_made: spec.allow_made,
            ..SourceSpec::default()
        };
        let mut table = table::read(&spec)?;
        let is_part = table.rows() == MAX_FILE_ROWS;
        let schema = detect(&table);
        let mut missing = HashMap::new();
        for (column, known) in table.columns.iter_mut().zip(&schema.columns) {
            *column = without(std::mem::take(column), &known.missing);
            missing.insert(column.name.clone(), known.missing.clone());
        }
        let column = |(known, column): (&table::schema::ColumnSchema, &table::Column)| Column {
            name: column.name.clone(),
            ty: type_name(known.kind, column).to_owned(),
            nullable: column.missing() > 0,
            ..Column::default()
        };
        let columns: Vec<Column> = schema.columns.iter().zip(&table.columns).map(column).collect();
        let mut held = Held { spec, table, is_part, whole: HashMap::new(), missing };
        let mut primary_key = Vec::new();
        for column in columns.iter().filter(|column| is_like_key(&column.name)) {
            if held.is_unique(&column.name)? {
                primary_key.push(column.name.clone());
                break;
            }
        }
        let rows = held.rows()?;
        self.tables.insert(name.clone(), held);
        let key_found = !primary_key.is_empty();
        Ok(Table { name, columns, primary_key, key_found, rows, ..Table::default() })
    }

    /// Gives tables without a primary key the columns that refer to others as one, where they tell the rows apart.
    fn find_keys_of_bridges(&self, tables: &mut [Table]) {
        for table in tables.iter_mut().filter(|table| table.primary_key.is_empty()) {
            let columns: Vec<String> =
                table.foreign_keys.iter().flat_map(|key| key.columns.iter().cloned()).collect();
            let held = self.tables.get(&table.name);
            if columns.len() > 1 && held.is_some_and(|held| held.are_unique(&columns)) {
                (table.primary_key, table.key_found) = (columns, true);
            }
        }
    }

    /// The rows whose key is of no row of its parent, counted row by row; nothing where rows were left out.
    fn lost_rows(&self, table: &str, key: &ForeignKey) -> Option<u64> {
        let keys = self.tables.get(&key.parent)?.tuples(&key.parent_columns, None)?;
        let keys: HashSet<Vec<&str>> = keys.into_iter().collect();
        let own = self.tables.get(table)?.tuples(&key.columns, key.only.as_ref())?;
        Some(own.iter().filter(|tuple| !keys.contains(*tuple)).count() as u64)
    }

    fn column(&self, table: &str, column: &str) -> Option<&table::Column> {
        let held = self.tables.get(table)?;
        held.whole.get(column).or_else(|| held.table.column(column))
    }

    /// A column of which every value is known.
    fn whole(&mut self, table: &str, column: &str) -> Result<Option<&table::Column>, Error> {
        match self.tables.get_mut(table) {
            Some(held) => held.whole(column),
            None => Ok(None),
        }
    }
}

impl Held {
    fn whole(&mut self, column: &str) -> Result<Option<&table::Column>, Error> {
        if !self.is_part || self.whole.contains_key(column) {
            return Ok(self.whole.get(column).or_else(|| self.table.column(column)));
        }
        // A name with a comma would be taken for two.
        if column.contains(',') {
            return Ok(None);
        }
        let spec = SourceSpec { column: Some(column.to_owned()), limit: None, ..self.spec.clone() };
        let missing = self.missing.get(column).map_or(&[][..], Vec::as_slice);
        let read = table::read(&spec)?.columns.into_iter().next().map(|read| without(read, missing));
        Ok(read.map(|read| &*self.whole.entry(column.to_owned()).or_insert(read)))
    }

    /// Rows of the whole file.
    fn rows(&mut self) -> Result<u64, Error> {
        let any = self.whole.keys().next().cloned();
        let first = any.or_else(|| self.table.columns.first().map(|column| column.name.clone()));
        let whole = match first {
            Some(name) => self.whole(&name)?.map(table::Column::len),
            None => None,
        };
        Ok(whole.unwrap_or(self.table.rows()) as u64)
    }

    /// Whether several columns are there in every row and together differ; never where rows were left out.
    fn are_unique(&self, columns: &[String]) -> bool {
        let columns: Option<Vec<&table::Column>> =
            columns.iter().map(|name| self.table.column(name)).collect();
        let Some(columns) = columns.filter(|_| !self.is_part) else { return false };
        let mut seen = HashSet::new();
        let row = |row: usize| columns.iter().map(|column| column.numbers()[row]).collect::<Vec<u32>>();
        columns.iter().all(|column| column.missing() == 0)
            && (0..self.table.rows()).all(|at| seen.insert(row(at)))
    }

    /// The values of columns together in all rows that have all of them, or in those that are meant; nothing where rows were
    /// left out.
    fn tuples(&self, columns: &[String], only: Option<&Condition>) -> Option<Vec<Vec<&str>>> {
        let all: Option<Vec<&table::Column>> = columns.iter().map(|name| self.table.column(name)).collect();
        let all = all.filter(|_| !self.is_part)?;
        let by = match only {
            Some(only) => Some((self.table.column(&only.column)?, only.value.as_str())),
            None => None,
        };
        let is_meant = |row: &usize| by.is_none_or(|(column, value)| column.cell(*row) == Some(value));
        let rows = (0..self.table.rows()).filter(is_meant);
        let tuple = |row: usize| {
            all.iter().map(|column| column.cell(row).map(whole_number)).collect::<Option<Vec<&str>>>()
        };
        Some(rows.filter_map(tuple).collect())
    }

    fn is_unique(&mut self, column: &str) -> Result<bool, Error> {
        let differs = |column: &table::Column| column.missing() == 0 && column.values().len() == column.len();
        // What is not unique in a part is not unique at all.
        if !self.table.column(column).is_some_and(differs) {
            return Ok(false);
        }
        Ok(self.whole(column)?.is_some_and(differs))
    }
}

/// A column without the cells that only say that they are missing.
fn without(column: table::Column, missing: &[String]) -> table::Column {
    if missing.iter().all(|text| (0..column.values().len() as u32).all(|n| column.values().get(n) != text)) {
        return column;
    }
    let is_there = |text: &&str| !missing.iter().any(|other| other == text);
    let mut kept = table::Column::new(column.name.clone(), column.declaration.clone());
    column.iter().for_each(|cell| kept.push(cell.filter(is_there)));
    kept
}

/// The type of a column's values, in the words of a database.
fn type_name(kind: Kind, column: &table::Column) -> &'static str {
    let values = column.values();
    let all = |is: &dyn Fn(&str) -> bool| {
        !values.is_empty() && (0..values.len() as u32).all(|number| is(values.get(number)))
    };
    match kind {
        Kind::Boolean => "boolean",
        Kind::Datetime => "timestamp",
        _ if all(&|text| whole_number(text).parse::<i64>().is_ok()) => "integer",
        Kind::Number => "real",
        _ if all(&is_uuid) => "uuid",
        _ => "text",
    }
}

/// The integer that a number with a point stands for: keys that may be missing are often written as `7.0`.
fn whole_number(text: &str) -> &str {
    text.trim().trim_end_matches('0').strip_suffix('.').filter(|_| text.contains('.')).unwrap_or(text.trim())
}

impl Values for Files {
    fn is_unique(&mut self, table: &str, column: &str) -> Result<Option<bool>, Error> {
        self.tables.get_mut(table).map(|held| held.is_unique(column)).transpose()
    }

    fn repeats(&mut self, table: &str, columns: &[String]) -> Result<Option<u64>, Error> {
        let Some(tuples) = self.tables.get(table).and_then(|held| held.tuples(columns, None)) else {
            return Ok(None);
        };
        let mut counts: HashMap<Vec<&str>, u64> = HashMap::new();
        tuples.into_iter().for_each(|tuple| *counts.entry(tuple).or_default() += 1);
        Ok(Some(counts.values().filter(|&&rows| rows > 1).count() as u64))
    }

    fn contained_together(
        &mut self,
        child: (&str, &[String]),
        parent: (&str, &[String]),
    ) -> Result<Option<Contained>, Error> {
        let tuples = |(table, columns): (&str, &[String])| self.tables.get(table)?.tuples(columns, None);
        let (Some(own), Some(keys)) = (tuples(child), tuples(parent)) else { return Ok(None) };
        let (own, keys): (HashSet<Vec<&str>>, HashSet<Vec<&str>>) =
            (own.into_iter().collect(), keys.into_iter().collect());
        let contained = own.intersection(&keys).count() as u64;
        Ok(Some(Contained { distinct: own.len() as u64, contained, is_code: false }))
    }

    fn contained(&mut self, child: (&str, &str), parent: (&str, &str)) -> Result<Option<Contained>, Error> {
        let Some(keys) = self.whole(parent.0, parent.1)?.map(values_of) else { return Ok(None) };
        let Some(column) = self.column(child.0, child.1) else { return Ok(None) };
        let of = values_of(column);
        let is_code = |text: &str| text.chars().count() >= 5 && !text.contains(' ');
        Ok(Some(Contained {
            distinct: of.len() as u64,
            contained: of.iter().filter(|text| keys.contains(*text)).count() as u64,
            is_code: of.iter().all(|text| is_code(text)),
        }))
    }

    fn distinct(&mut self, table: &str, column: &str) -> Result<Option<u64>, Error> {
        Ok(self.whole(table, column)?.map(|column| column.values().len() as u64))
    }

    fn days(&mut self, table: &str, column: &Column) -> Result<Option<(u64, u64)>, Error> {
        let Some(column) = self.whole(table, &column.name)? else { return Ok(None) };
        let values = column.values();
        // A time behind the date does not matter.
        let day = |text: &str| text.get(..DATE_BYTES)?.parse::<NaiveDate>().ok();
        let days: Option<BTreeSet<NaiveDate>> =
            (0..values.len() as u32).map(|number| day(values.get(number))).collect();
        let days = days.unwrap_or_default();
        let span = days.first().zip(days.last()).map(|(first, last)| (*last - *first).num_days() + 1);
        Ok(Some((days.len() as u64, span.unwrap_or(0) as u64)))
    }

    fn orphans(&mut self, table: &str, key: &ForeignKey) -> Result<Option<u64>, Error> {
        let ([column], [parent], None) = (key.columns.as_slice(), key.parent_columns.as_slice(), &key.only)
        else {
            return Ok(self.lost_rows(table, key));
        };
        let Some(keys) = self.whole(&key.parent, parent)?.map(values_of) else { return Ok(None) };
        let Some(column) = self.whole(table, column)? else { return Ok(None) };
        let counts = column.counts();
        let lost = (0..counts.len()).filter(|&n| !keys.contains(whole_number(column.values().get(n as u32))));
        Ok(Some(lost.map(|n| u64::from(counts[n])).sum()))
    }
}

/// The distinct values of a column.
fn values_of(column: &table::Column) -> HashSet<String> {
    let values = column.values();
    (0..values.len() as u32).map(|number| whole_number(values.get(number)).to_owned()).collect()
}
