//! What is in a source: tables and columns with their kinds, images with their sizes and labels, and what
//! will hurt. It only looks; nothing is decided here that training does not decide again.

use std::path::Path;

use rusqlite::{Connection, types::ValueRef};
use serde::Serialize;

use crate::{
    Error, ImageSet, ImageShape, SourceSpec,
    source::sqlite::{holds_images, is_sqlite, open_read_only, quoted, tables},
};

/// Rows of a table that are looked at.
const SCANNED: usize = 100_000;

/// What `mintage inspect` shows.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    pub source: String,
    /// "sqlite", "folder" or "idx".
    pub kind: String,
    pub tables: Vec<TableInfo>,
    /// Absent when no images were found, or several columns hold some.
    pub images: Option<ImageFacts>,
    pub alerts: Vec<Alert>,
}

#[derive(Clone, Debug, Serialize)]
pub struct TableInfo {
    pub name: String,
    pub rows: u64,
    pub columns: Vec<ColumnInfo>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ColumnInfo {
    pub name: String,
    /// The type in the table's definition.
    pub declared: String,
    pub kind: ColumnKind,
    pub key: bool,
    /// Among the rows looked at.
    pub distinct: u64,
    pub missing: u64,
    pub examples: Vec<String>,
    /// Why this kind.
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    Integer,
    Number,
    Boolean,
    Category,
    Datetime,
    Id,
    Text,
    Image,
    Blob,
    Empty,
}

impl ColumnKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Category => "category",
            Self::Datetime => "datetime",
            Self::Id => "id",
            Self::Text => "text",
            Self::Image => "image",
            Self::Blob => "blob",
            Self::Empty => "empty",
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct ImageFacts {
    pub count: usize,
    pub skipped: usize,
    /// As the model will see them.
    pub shape: ImageShape,
    /// Name and number of images of each class.
    pub classes: Vec<(String, usize)>,
    /// Train, valid, holdout.
    pub splits: (usize, usize, usize),
    /// Whether they are decoded on demand because they do not fit in memory.
    pub streamed: bool,
}

/// Something to know before training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    pub message: String,
    pub hint: Option<String>,
}

/// Looks at a source.
pub fn inspect(spec: &SourceSpec) -> Result<Inspection, Error> {
    let path = Path::new(&spec.source);
    let mut alerts = Vec::new();
    let (kind, tables) = if path.is_file() && is_sqlite(path) {
        let connection = open_read_only(path)?;
        ("sqlite", table_infos(&connection).map_err(Error::sqlite(path))?)
    } else {
        (if path.is_dir() { "folder" } else { "idx" }, Vec::new())
    };
    let images = match ImageSet::open(spec) {
        Ok(set) => Some(facts(&set, &mut alerts)),
        // A database without images is still worth a look.
        Err(error) if kind == "sqlite" && spec.table.is_none() && spec.column.is_none() => {
            alerts.push(Alert { message: error.to_string(), hint: error.hint() });
            None
        }
        Err(error) => return Err(error),
    };
    if images.is_some()
        && spec.label.is_none()
        && let Some(label) = likely_label(&tables)
    {
        let message = format!("no label is set; `{label}` has few values");
        alerts.push(Alert {
            message,
            hint: Some(format!("--label {label} makes images of a wanted kind possible")),
        });
    }
    Ok(Inspection { source: spec.source.clone(), kind: kind.to_owned(), tables, images, alerts })
}

/// A category column of the table that holds the images.
fn likely_label(tables: &[TableInfo]) -> Option<&str> {
    let with_images = |t: &&TableInfo| t.columns.iter().any(|c| c.kind == ColumnKind::Image);
    let table = tables.iter().find(with_images)?;
    table.columns.iter().find(|c| c.kind == ColumnKind::Category).map(|c| c.name.as_str())
}

fn facts(set: &ImageSet, alerts: &mut Vec<Alert>) -> ImageFacts {
    let mut counts = vec![0usize; set.classes().len()];
    for &label in set.labels() {
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    let classes: Vec<(String, usize)> = set.classes().iter().cloned().zip(counts).collect();
    let mut alert = |message: String, hint: &str| {
        alerts.push(Alert { message, hint: (!hint.is_empty()).then(|| hint.to_owned()) });
    };
    if set.skipped() > 0 {
        let first = set.first_skip().unwrap_or_default();
        alert(format!("{} images cannot be read and are skipped; the first is {first}", set.skipped()), "");
    }
    if set.len() < 200 {
        alert(
            format!("{} images are few: expect copies and noise", set.len()),
            "a few hundred are a good beginning",
        );
    }
    for (name, _) in classes.iter().filter(|(_, count)| *count == 1) {
        alert(
            format!("label `{name}` has one member only"),
            "nothing can be learned of a class from one image",
        );
    }
    let (least, most) = (classes.iter().map(|c| c.1).min(), classes.iter().map(|c| c.1).max());
    if let (Some(least), Some(most)) = (least, most)
        && most > 20 * least.max(1)
    {
        alert(format!("the classes are uneven: {least} to {most} images"), "rare classes will look worse");
    }
    let s = set.splits();
    ImageFacts {
        count: set.len(),
        skipped: set.skipped(),
        shape: set.shape(),
        classes,
        splits: (s.train.len(), s.valid.len(), s.holdout.len()),
        streamed: set.is_streamed(),
    }
}

fn table_infos(connection: &Connection) -> rusqlite::Result<Vec<TableInfo>> {
    let mut found = Vec::new();
    for name in tables(connection)? {
        let rows: i64 =
            connection.query_row(&format!("SELECT count(*) FROM {}", quoted(&name)), [], |r| r.get(0))?;
        let mut statement = connection.prepare("SELECT name, type, pk FROM pragma_table_info(?1)")?;
        let definitions: Vec<(String, String, i64)> = statement
            .query_map([&name], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let columns = definitions
            .into_iter()
            .map(|(column, declared, pk)| column_info(connection, &name, column, declared, pk > 0))
            .collect::<rusqlite::Result<_>>()?;
        found.push(TableInfo { name, rows: rows.max(0) as u64, columns });
    }
    Ok(found)
}

/// What the values of a column look like.
#[derive(Default)]
struct Tally {
    seen: u64,
    missing: u64,
    integers: u64,
    reals: u64,
    texts: u64,
    blobs: u64,
    dates: u64,
    longest: usize,
    distinct: std::collections::HashSet<u64>,
    examples: Vec<String>,
}

fn column_info(
    connection: &Connection,
    table: &str,
    name: String,
    declared: String,
    key: bool,
) -> rusqlite::Result<ColumnInfo> {
    // Only the beginning of a BLOB is read: enough to know what it is.
    let column = quoted(&name);
    let value = format!("CASE typeof({column}) WHEN 'blob' THEN substr({column}, 1, 16) ELSE {column} END");
    let mut statement =
        connection.prepare(&format!("SELECT {value} FROM {} LIMIT {SCANNED}", quoted(table)))?;
    let mut rows = statement.query([])?;
    let mut tally = Tally::default();
    while let Some(row) = rows.next()? {
        tally.add(row.get_ref(0)?);
    }
    let images = tally.blobs > 0 && holds_images(connection, table, &name)?;
    let (kind, why) = tally.kind(key, images);
    let (distinct, missing, examples) = (tally.distinct.len() as u64, tally.missing, tally.examples);
    Ok(ColumnInfo { name, declared, kind, key, distinct, missing, examples, why })
}

impl Tally {
    fn add(&mut self, value: ValueRef) {
        self.seen += 1;
        let text = match value {
            ValueRef::Null => {
                self.missing += 1;
                return;
            }
            ValueRef::Integer(i) => {
                self.integers += 1;
                i.to_string()
            }
            ValueRef::Real(x) => {
                self.reals += 1;
                x.to_string()
            }
            ValueRef::Text(t) => {
                self.texts += 1;
                let text = String::from_utf8_lossy(t).into_owned();
                self.dates += u64::from(looks_like_date(&text));
                self.longest = self.longest.max(text.chars().count());
                text
            }
            ValueRef::Blob(bytes) => {
                self.blobs += 1;
                let name = image::guess_format(bytes)
                    .map_or("bytes".to_owned(), |f| format!("{f:?}").to_uppercase());
                format!("({name})")
            }
        };
        self.distinct.insert(xxhash_rust::xxh3::xxh3_64(text.as_bytes()));
        if self.examples.len() < 3 && !self.examples.contains(&text) {
            let short: String = text.chars().take(40).collect();
            self.examples.push(if short.len() < text.len() { format!("{short}…") } else { text });
        }
    }

    fn kind(&self, key: bool, images: bool) -> (ColumnKind, String) {
        let present = self.seen - self.missing;
        let distinct = self.distinct.len() as u64;
        let unique = distinct == present && present > 20;
        let few = distinct <= 50 && distinct * 4 <= present;
        let (kind, why) = match () {
            () if present == 0 => (ColumnKind::Empty, "no values".to_owned()),
            () if images => (ColumnKind::Image, "its bytes begin like image files".to_owned()),
            () if self.blobs > 0 => (ColumnKind::Blob, "bytes of an unknown kind".to_owned()),
            () if key => (ColumnKind::Id, "primary key".to_owned()),
            () if self.texts > 0 && self.dates == self.texts => {
                (ColumnKind::Datetime, "all values are dates".to_owned())
            }
            () if distinct == 2 && present > 20 => (ColumnKind::Boolean, "two values".to_owned()),
            () if few && self.reals == 0 => (ColumnKind::Category, format!("{distinct} different values")),
            () if self.reals > 0 && self.texts == 0 => {
                (ColumnKind::Number, "numbers with a fraction".to_owned())
            }
            () if self.integers == present => (ColumnKind::Integer, "whole numbers".to_owned()),
            () if unique && self.longest <= 40 => (ColumnKind::Id, "every value is different".to_owned()),
            () => (ColumnKind::Text, format!("up to {} characters", self.longest)),
        };
        (kind, why)
    }
}

/// `2024-05-01`, `01.05.2024`, either with a time behind it.
fn looks_like_date(text: &str) -> bool {
    let date = text.split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<&str> = date.split(['-', '.', '/']).collect();
    parts.len() == 3
        && parts.iter().all(|p| (1..=4).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
        && (parts[0].len() == 4) != (parts[2].len() == 4)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Images, png_bytes};

    #[test]
    fn kinds_labels_and_alerts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, price REAL, made TEXT, photo BLOB)",
            )
            .unwrap();
        let shape = ImageShape { channels: 1, height: 4, width: 4 };
        for i in 0..60u8 {
            let image = Images { shape, pixels: vec![i; 16], labels: vec![], classes: vec![] };
            let kind = ["пальто", "bag", "boot"][usize::from(i) % 3];
            let values = rusqlite::params![
                format!("article {i}"),
                kind,
                f64::from(i) * 1.5,
                format!("2024-05-{:02}", i % 28 + 1),
                png_bytes(&image, 0, None).unwrap()
            ];
            connection
                .execute("INSERT INTO goods (name, kind, price, made, photo) VALUES (?1,?2,?3,?4,?5)", values)
                .unwrap();
        }
        let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
        let seen = inspect(&spec).unwrap();
        let kinds: Vec<ColumnKind> = seen.tables[0].columns.iter().map(|c| c.kind).collect();
        use ColumnKind::*;
        assert_eq!(kinds, [Id, Id, Category, Number, Datetime, Image]);
        assert_eq!(seen.images.unwrap().count, 60);
        assert!(seen.alerts.iter().any(|a| a.hint.as_deref().is_some_and(|h| h.contains("--label kind"))));
        let labelled = inspect(&SourceSpec { label: Some("kind".into()), ..spec }).unwrap();
        assert_eq!(labelled.images.unwrap().classes.len(), 3);
    }
}
