//! What is in a source: tables and columns with their kinds, images with their sizes and labels, and what
//! will hurt. It only looks; nothing is decided here that training does not decide again.

use std::path::Path;

use serde::Serialize;

use crate::{
    Error, ImageSet, ImageShape, SequenceSet, SoundSet, SourceSpec, Split,
    audio::SOUNDS,
    is_music, is_sound, is_text,
    music::MIDI,
    sequence::{Matter, SequenceCodec},
    source::sqlite::{IMAGES, PROVENANCE_COLUMN, columns, holds, is_sqlite, open_read_only, quoted},
    table::{
        Column, Table, is_database, is_table, read,
        schema::{ColumnSchema, Kind, detect},
        tables_of,
    },
};

/// Rows of a table that are looked at.
const SCANNED: usize = 100_000;
/// Tokens of a train split below which little is learned.
const FEW_TOKENS: u64 = 20_000;
/// Images or sounds below which little is learned.
const FEW_ITEMS: usize = 200;
/// Characters of an example.
const EXAMPLE: usize = 40;

/// What `mintage inspect` shows.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    pub source: String,
    /// "sqlite", "postgresql", "table", "folder", "text", "sound" or "idx".
    pub kind: String,
    pub tables: Vec<TableInfo>,
    /// Absent when no images were found, or several columns hold some.
    pub images: Option<ImageFacts>,
    /// Of texts and music.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequences: Option<SequenceFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sounds: Option<SoundFacts>,
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
    Music,
    Audio,
    Blob,
    Constant,
    Empty,
}

impl ColumnKind {
    fn of(schema: &ColumnSchema, column: &Column) -> Self {
        match schema.kind {
            _ if column.values().is_empty() => Self::Empty,
            Kind::Integer => Self::Integer,
            Kind::Number => Self::Number,
            Kind::Boolean => Self::Boolean,
            Kind::Category => Self::Category,
            Kind::Datetime => Self::Datetime,
            Kind::Id => Self::Id,
            Kind::Text => Self::Text,
            Kind::Constant => Self::Constant,
        }
    }

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
            Self::Music => "music",
            Self::Audio => "audio",
            Self::Blob => "blob",
            Self::Constant => "constant",
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

#[derive(Clone, Debug, Serialize)]
pub struct SequenceFacts {
    pub matter: Matter,
    pub count: usize,
    /// All is one text, of which the splits are parts.
    pub one: bool,
    /// What a token is: "chars", "bytes", "bpe", "remi", "grid", "grid-quarter".
    pub unit: String,
    pub tokens: u64,
    /// Different tokens.
    pub vocab: usize,
    /// Of texts, on average.
    pub chars_per_token: f64,
    /// Name and number of documents of each class.
    pub classes: Vec<(String, usize)>,
    /// Train, valid, holdout.
    pub splits: (usize, usize, usize),
    /// How the first one begins.
    pub example: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct SoundFacts {
    pub count: usize,
    /// All are parts of a single sound.
    pub one: bool,
    pub skipped: usize,
    /// As the model will hear them.
    pub rate_hz: u32,
    pub channels: usize,
    /// Of all together, of the shortest and of the longest.
    pub seconds: f64,
    pub shortest_seconds: f64,
    pub longest_seconds: f64,
    /// Whether an item is a whole sound, and how long an item is.
    pub whole: bool,
    pub item_seconds: f64,
    /// What a model learns from: the sounds of the train split, or the segments that they are cut into.
    pub train_items: usize,
    /// Name and number of sounds of each class.
    pub classes: Vec<(String, usize)>,
    /// Train, valid, holdout.
    pub splits: (usize, usize, usize),
    /// Whether they lie in a file because they do not fit in memory.
    pub mapped: bool,
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
    let sequences = is_music(spec)? || is_text(spec)?;
    let sounds = !sequences && is_sound(spec)?;
    let rows = is_table(spec)?;
    let tables = match rows || is_database(&spec.source) {
        true => table_infos(spec, &mut alerts)?,
        false => Vec::new(),
    };
    let kind = match path.extension() {
        _ if is_sqlite(path) => "sqlite",
        _ if is_database(&spec.source) => "postgresql",
        _ if path.is_dir() => "folder",
        Some(_) if rows => "table",
        _ if sequences => "text",
        _ if sounds => "sound",
        _ => "idx",
    };
    let sequences = match sequences {
        true => Some(sequence_facts(&SequenceSet::open(spec)?, &mut alerts)),
        false => None,
    };
    // A database without images is still worth a look.
    let may_fail = kind == "sqlite" && spec.table.is_none() && spec.column.is_none();
    let sounds = opened(sounds, may_fail, &mut alerts, || SoundSet::open(spec))?
        .map(|set| sound_facts(&set, &mut alerts));
    let images = opened(!rows && sequences.is_none() && sounds.is_none(), may_fail, &mut alerts, || {
        ImageSet::open(spec)
    })?
    .map(|set| facts(&set, &mut alerts));
    let media = if images.is_some() { ColumnKind::Image } else { ColumnKind::Audio };
    if (images.is_some() || sounds.is_some())
        && spec.label.is_none()
        && let Some(label) = likely_label(&tables, media)
    {
        let message = format!("no label is set; `{label}` has few values");
        let things = if images.is_some() { "images" } else { "sounds" };
        alerts.push(Alert {
            message,
            hint: Some(format!("--label {label} makes {things} of a wanted kind possible")),
        });
    }
    let (source, kind) = (spec.source.clone(), kind.to_owned());
    Ok(Inspection { source, kind, tables, images, sequences, sounds, alerts })
}

/// Opens a set where it is `wanted`; where it `may_fail`, the reason becomes an alert.
fn opened<T>(
    wanted: bool,
    may_fail: bool,
    alerts: &mut Vec<Alert>,
    open: impl FnOnce() -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    match wanted.then(open).transpose() {
        Err(error) if may_fail => {
            alerts.push(Alert { message: error.to_string(), hint: error.hint() });
            Ok(None)
        }
        other => other,
    }
}

fn sound_facts(set: &SoundSet, alerts: &mut Vec<Alert>) -> SoundFacts {
    let classes = class_counts(set.classes(), set.labels());
    alerts.extend(set.notes().iter().map(|note| Alert { message: note.clone(), hint: None }));
    let (items, splits, codec) = (set.items(Split::Train).len(), set.splits(), set.codec());
    if items < FEW_ITEMS {
        let what = if codec.whole { "sounds" } else { "segments of sounds" };
        alerts.push(Alert {
            message: format!("{items} {what} to learn from are few: expect copies and noise"),
            hint: Some("a few hundred are a good beginning".to_owned()),
        });
    }
    add_class_alerts(&classes, "sound", alerts);
    let lengths = || (0..set.len() as u32).map(|sound| set.seconds(sound));
    SoundFacts {
        count: set.len(),
        one: set.is_one(),
        skipped: set.skipped(),
        rate_hz: codec.rate_hz,
        channels: codec.channels,
        seconds: lengths().sum(),
        shortest_seconds: lengths().fold(f64::INFINITY, f64::min),
        longest_seconds: lengths().fold(0.0, f64::max),
        whole: codec.whole,
        item_seconds: codec.segment_seconds(),
        train_items: items,
        classes,
        splits: (splits.train.len(), splits.valid.len(), splits.holdout.len()),
        mapped: set.is_mapped(),
    }
}

fn sequence_facts(set: &SequenceSet, alerts: &mut Vec<Alert>) -> SequenceFacts {
    let info = set.info();
    let all = 0..set.len() as u32;
    let members = |class: usize| all.clone().filter(|&i| set.class(i) == Some(class as u32)).count();
    let classes = info.classes.iter().enumerate().map(|(class, name)| (name.clone(), members(class)));
    let (unit, example) = match set.codec() {
        SequenceCodec::Text(codec) => {
            let text =
                codec.decode(&set.beginning(0, 4 * EXAMPLE)).split_whitespace().collect::<Vec<_>>().join(" ");
            (json_name(&codec.unit()), text.chars().take(2 * EXAMPLE).collect())
        }
        SequenceCodec::Music(codec) => (json_name(&codec.unit()), String::new()),
    };
    let splits = set.splits();
    let tokens: u64 =
        [Split::Train, Split::Valid, Split::Holdout].map(|split| set.tokens(split)).iter().sum();
    if info.train_tokens < FEW_TOKENS {
        alerts.push(Alert {
            message: format!(
                "{} tokens to learn from are few: expect copies and nonsense",
                info.train_tokens
            ),
            hint: Some("a hundred thousand are a good beginning".to_owned()),
        });
    }
    alerts.extend(set.notes().iter().map(|note| Alert { message: note.clone(), hint: None }));
    SequenceFacts {
        matter: info.matter,
        count: set.len(),
        one: set.is_one(),
        unit,
        tokens,
        vocab: info.vocab,
        chars_per_token: info.chars_per_token,
        classes: classes.collect(),
        splits: (splits.train.len(), splits.valid.len(), splits.holdout.len()),
        example,
    }
}

/// A unit's name in recipes.
fn json_name(unit: &impl Serialize) -> String {
    serde_json::to_value(unit).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A category column of the table that holds the images or the sounds.
fn likely_label(tables: &[TableInfo], media: ColumnKind) -> Option<&str> {
    let table = tables.iter().find(|table| table.columns.iter().any(|column| column.kind == media))?;
    table.columns.iter().find(|c| c.kind == ColumnKind::Category).map(|c| c.name.as_str())
}

fn facts(set: &ImageSet, alerts: &mut Vec<Alert>) -> ImageFacts {
    let classes = class_counts(set.classes(), set.labels());
    let mut alert = |message: String, hint: &str| {
        alerts.push(Alert { message, hint: (!hint.is_empty()).then(|| hint.to_owned()) });
    };
    if set.skipped() > 0 {
        let first = set.first_skip().unwrap_or_default();
        alert(format!("{} images cannot be read and are skipped; the first is {first}", set.skipped()), "");
    }
    if set.len() < FEW_ITEMS {
        alert(
            format!("{} images are few: expect copies and noise", set.len()),
            "a few hundred are a good beginning",
        );
    }
    add_class_alerts(&classes, "image", alerts);
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

/// Name and number of items of each class.
fn class_counts(classes: &[String], labels: &[u32]) -> Vec<(String, usize)> {
    let mut counts = vec![0usize; classes.len()];
    for &label in labels {
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    classes.iter().cloned().zip(counts).collect()
}

/// What is unfortunate about classes; `thing` is one of their members.
fn add_class_alerts(classes: &[(String, usize)], thing: &str, alerts: &mut Vec<Alert>) {
    for (name, _) in classes.iter().filter(|(_, count)| *count == 1) {
        alerts.push(Alert {
            message: format!("label `{name}` has one member only"),
            hint: Some(format!("nothing can be learned of a class from one {thing}")),
        });
    }
    let (least, most) = (classes.iter().map(|c| c.1).min(), classes.iter().map(|c| c.1).max());
    if let (Some(least), Some(most)) = (least, most)
        && most > 20 * least.max(1)
    {
        alerts.push(Alert {
            message: format!("the classes are uneven: {least} to {most} {thing}s"),
            hint: Some("rare classes will turn out worse".to_owned()),
        });
    }
}

/// Every table of a source, or the one that is asked for, with the kinds that training finds.
fn table_infos(spec: &SourceSpec, alerts: &mut Vec<Alert>) -> Result<Vec<TableInfo>, Error> {
    let mut found = Vec::new();
    if spec.query.is_some() {
        let table = read(&SourceSpec { limit: Some(SCANNED), ..spec.clone() })?;
        found.push(table_info(&table, table.rows(), spec, alerts));
        return Ok(found);
    }
    let of_database = is_database(&spec.source);
    for (name, rows) in tables_of(spec)? {
        if spec.table.as_ref().is_some_and(|wanted| *wanted != name) {
            continue;
        }
        let one = SourceSpec {
            table: of_database.then(|| name.clone()),
            column: None,
            limit: Some(SCANNED),
            ..spec.clone()
        };
        match read(&one) {
            Ok(table) => found.push(table_info(&table, rows, spec, alerts)),
            // A table that cannot be read is no reason to say nothing of the others.
            Err(error) => {
                alerts.push(Alert { message: error.to_string(), hint: error.hint() });
                found.push(TableInfo { name, rows: rows as u64, columns: Vec::new() });
            }
        }
    }
    if let Some(wanted) = spec.table.as_ref().filter(|_| found.is_empty()) {
        return Err(read(&SourceSpec { table: Some(wanted.clone()), limit: Some(1), ..spec.clone() })
            .err()
            .unwrap_or_else(|| Error::bad(&spec.source, format!("has no table `{wanted}`"))));
    }
    if is_sqlite(Path::new(&spec.source)) {
        add_blobs(Path::new(&spec.source), &mut found)?;
    }
    Ok(found)
}

fn table_info(table: &Table, rows: usize, spec: &SourceSpec, alerts: &mut Vec<Alert>) -> TableInfo {
    let mut schema = detect(table);
    if let Err(error) = schema.apply(table, &spec.kinds) {
        alerts.push(Alert { message: error.to_string(), hint: error.hint() });
    }
    // BLOBs of SQLite that were left out stand among the columns all the same.
    let is_listed = |note: &&String| is_sqlite(Path::new(&spec.source)) && note.ends_with("was left out");
    for note in table.notes.iter().filter(|note| !is_listed(note)) {
        alerts.push(Alert { message: format!("{}: {note}", table.name), hint: None });
    }
    for alert in &schema.alerts {
        let column = alert.column.as_ref().map(|column| format!(".{column}")).unwrap_or_default();
        alerts.push(Alert { message: format!("{}{column}: {}", table.name, alert.message), hint: None });
    }
    let info = |(schema, column): (&ColumnSchema, &Column)| {
        let counts = column.counts();
        let mut order: Vec<u32> = (0..counts.len() as u32).collect();
        order.sort_by_key(|&number| std::cmp::Reverse(counts[number as usize]));
        let example = |&number: &u32| {
            let text = column.values().get(number);
            let short: String = text.chars().take(EXAMPLE).collect();
            if short.len() < text.len() { format!("{short}…") } else { text.to_owned() }
        };
        ColumnInfo {
            name: schema.name.clone(),
            declared: schema.declaration.native.clone().unwrap_or_default(),
            kind: ColumnKind::of(schema, column),
            key: schema.declaration.primary_key,
            distinct: schema.distinct as u64,
            missing: schema.missing_count as u64,
            examples: order.iter().take(3).map(example).collect(),
            why: schema.reason.clone(),
        }
    };
    let columns = schema.columns.iter().zip(&table.columns).map(info).collect();
    TableInfo { name: table.name.clone(), rows: rows as u64, columns }
}

/// Columns of bytes, which reading rows leaves out, in their place.
fn add_blobs(path: &Path, found: &mut [TableInfo]) -> Result<(), Error> {
    let connection = open_read_only(path)?;
    let add = || -> rusqlite::Result<()> {
        for table in found {
            for (place, name) in columns(&connection, &table.name)?.into_iter().enumerate() {
                if name == PROVENANCE_COLUMN || table.columns.iter().any(|column| column.name == name) {
                    continue;
                }
                let holds = |media| holds(&connection, media, &table.name, &name);
                let (kind, why) = if holds(&IMAGES)? {
                    (ColumnKind::Image, "its bytes begin like image files")
                } else if holds(&MIDI)? {
                    (ColumnKind::Music, "its bytes begin like MIDI files")
                } else if holds(&SOUNDS)? {
                    (ColumnKind::Audio, "its bytes begin like sound files")
                } else {
                    (ColumnKind::Blob, "bytes of an unknown kind")
                };
                let sql = format!(
                    "SELECT count({0}), count(*) - count({0}) FROM {1}",
                    quoted(&name),
                    quoted(&table.name)
                );
                let (there, missing): (i64, i64) =
                    connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let info = ColumnInfo {
                    name,
                    declared: "BLOB".to_owned(),
                    kind,
                    key: false,
                    distinct: there as u64,
                    missing: missing as u64,
                    examples: Vec::new(),
                    why: why.to_owned(),
                };
                table.columns.insert(place.min(table.columns.len()), info);
            }
        }
        Ok(())
    };
    add().map_err(Error::sqlite(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Images, png_bytes};
    use rusqlite::Connection;

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
        assert_eq!(kinds, [Id, Text, Category, Number, Datetime, Image]);
        assert_eq!(seen.images.unwrap().count, 60);
        assert!(seen.alerts.iter().any(|a| a.hint.as_deref().is_some_and(|h| h.contains("--label kind"))));
        let labelled = inspect(&SourceSpec { label: Some("kind".into()), ..spec }).unwrap();
        assert_eq!(labelled.images.unwrap().classes.len(), 3);
    }
}
