//! What is in a source: tables and columns with their kinds, images with their sizes and labels, and what
//! will hurt. It only looks; nothing is decided here that training does not decide again.

mod facts;

use serde::Serialize;

use self::facts::{EXAMPLE, clip_facts, image_facts, sequence_facts, sound_facts};
use crate::{
    AudioSet, DataKind, Detected, Error, ImageSet, ImageShape, SequenceSet, SourceSpec, VideoSet,
    audio::SOUNDS,
    database::{holds_tables, table_files},
    detect::detect as detect_kind,
    error::suggestion,
    music::MIDI,
    names::text_of,
    sequence::Modality,
    source::{column::Heads, media::IMAGES},
    store::{self, PROVENANCE_COLUMN, Place, sqlite::is_sqlite},
    table::{
        Column, Table, is_database, names_rows, read, redacted,
        rules::in_force,
        schema::{ColumnSchema, Kind, TableSchema, detect},
        tables_of,
    },
    video::CLIPS,
};

/// Rows of a table that are looked at.
const SCANNED_ROWS: usize = 100_000;

/// What `mintage inspect` shows.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    pub source: String,
    /// "sqlite", "postgresql", "table", "folder", "text", "sound", "clip" or "idx".
    pub kind: String,
    /// The kind of data that would be learned, and how that is known.
    pub read_as: DataKind,
    pub why: String,
    pub tables: Vec<TableFacts>,
    /// Absent when no images were found, or several columns hold some.
    pub images: Option<ImageFacts>,
    /// Of texts and music.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequences: Option<SequenceFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sounds: Option<AudioFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clips: Option<VideoFacts>,
    pub alerts: Vec<Alert>,
    /// Name and reason of every item that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct TableFacts {
    pub name: String,
    pub rows: u64,
    pub columns: Vec<ColumnInfo>,
    /// That new rows keep, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
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
    Video,
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
            Self::Video => "video",
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
    pub modality: Modality,
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
pub struct AudioFacts {
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

#[derive(Clone, Debug, Serialize)]
pub struct VideoFacts {
    pub count: usize,
    pub skipped: usize,
    /// Of a frame, as the model will see it.
    pub shape: ImageShape,
    /// Frames of an item.
    pub frames: usize,
    /// Frames a second.
    pub fps: f64,
    /// Of all clips together.
    pub seconds: f64,
    /// Items that the clips are cut into.
    pub windows: usize,
    /// Name and number of items of each class.
    pub classes: Vec<(String, usize)>,
    /// Items to train, to validate, held out.
    pub splits: (usize, usize, usize),
    /// Whether the frames lie in a temporary file because they do not fit in memory.
    pub mapped: bool,
}

/// Something to know before training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    pub message: String,
    pub hint: Option<String>,
}

/// Inspects a source: its tables and columns, its items, and what will cause trouble in training.
///
/// # Errors
/// The source cannot be read, or does not have the table, the column or the label that `spec` names.
pub fn inspect(spec: &SourceSpec) -> Result<Inspection, Error> {
    let path = &*spec.path();
    let (mut alerts, mut unread) = (Vec::new(), Vec::new());
    let is_folder_of_tables = holds_tables(spec);
    let Detected { kind: read_as, why } = match is_folder_of_tables {
        true => Detected { kind: DataKind::Table, why: "each file of the folder is a table".to_owned() },
        false => detect_kind(spec)?,
    };
    let clips = read_as == DataKind::Video;
    let sequences = matches!(read_as, DataKind::Music | DataKind::Text);
    let sounds = read_as == DataKind::Audio;
    let rows = names_rows(spec);
    let tables = match rows {
        true => table_infos(spec, &mut alerts)?,
        false if is_folder_of_tables => file_infos(spec, &mut alerts)?,
        false => Vec::new(),
    };
    check_label(spec, &tables)?;
    let kind = match path.extension() {
        _ if is_sqlite(path) => "sqlite",
        _ if is_database(&spec.source) => "postgresql",
        _ if path.is_dir() => "folder",
        Some(_) if rows => "table",
        _ if sequences => "text",
        _ if sounds => "sound",
        _ if clips => "clip",
        _ => "idx",
    };
    let sequences = match sequences {
        true => {
            let set = SequenceSet::open(spec)?;
            unread.extend_from_slice(set.skips());
            Some(sequence_facts(&set, &mut alerts))
        }
        false => None,
    };
    // A database without images is still worth a look.
    let may_fail = is_database(&spec.source) && spec.table.is_none() && spec.column.is_none();
    let sounds = opened(sounds, may_fail, &mut alerts, || AudioSet::open(spec))?.map(|set| {
        unread.extend_from_slice(set.skips());
        sound_facts(&set, &mut alerts)
    });
    let clips = opened(clips, may_fail, &mut alerts, || VideoSet::open(spec))?.map(|set| {
        unread.extend_from_slice(set.skips());
        clip_facts(&set, &mut alerts)
    });
    let images =
        opened(read_as == DataKind::Image, may_fail, &mut alerts, || ImageSet::open(spec))?.map(|set| {
            unread.extend_from_slice(set.skips());
            image_facts(&set, &mut alerts)
        });
    let media = match (&images, &sounds, &clips) {
        (Some(_), ..) => Some((ColumnKind::Image, "images")),
        (_, Some(_), _) => Some((ColumnKind::Audio, "sounds")),
        (.., Some(_)) => Some((ColumnKind::Video, "clips")),
        _ => None,
    };
    if let Some((media, things)) = media
        && spec.label.is_none()
        && let Some(label) = likely_label(&tables, media)
    {
        let message = format!("no label is set; `{label}` has few values");
        alerts.push(Alert {
            message,
            hint: Some(format!("--label {label} makes {things} of a wanted kind possible")),
        });
    }
    let (source, kind) = (spec.source.clone(), kind.to_owned());
    Ok(Inspection { source, kind, read_as, why, tables, images, sequences, sounds, clips, alerts, unread })
}

/// An error with the nearest name unless one of the tables has the column that is to be conditioned on.
fn check_label(spec: &SourceSpec, tables: &[TableFacts]) -> Result<(), Error> {
    let names = || tables.iter().flat_map(|table| table.columns.iter().map(|column| column.name.as_str()));
    let Some(label) = spec.label.as_deref().filter(|_| !spec.no_labels() && names().next().is_some()) else {
        return Ok(());
    };
    if names().any(|name| name == label) {
        return Ok(());
    }
    let hint = suggestion(label, names())
        .unwrap_or_else(|| format!("the columns are {}", names().take(30).collect::<Vec<_>>().join(", ")));
    Err(Error::bad(redacted(&spec.source), format!("has no column `{label}`")).with_hint(hint))
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

/// A category column of the table that holds such media.
fn likely_label(tables: &[TableFacts], media: ColumnKind) -> Option<&str> {
    let table = tables.iter().find(|table| table.columns.iter().any(|column| column.kind == media))?;
    table.columns.iter().find(|c| c.kind == ColumnKind::Category).map(|c| c.name.as_str())
}

/// Every table of a source, or the one that is asked for, with the kinds that training finds.
fn table_infos(spec: &SourceSpec, alerts: &mut Vec<Alert>) -> Result<Vec<TableFacts>, Error> {
    let (mut found, mut failed) = (Vec::new(), None);
    if spec.query.is_some() {
        let table = read(&SourceSpec { limit: Some(SCANNED_ROWS), ..spec.clone() })?;
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
            limit: Some(SCANNED_ROWS),
            ..spec.clone()
        };
        match read(&one) {
            Ok(table) => found.push(table_info(&table, rows, spec, alerts)),
            // A table that cannot be read is no reason to say nothing of the others. A server that has gone is.
            Err(error @ Error::Lost { .. }) => return Err(error),
            Err(error) => {
                alerts.push(Alert { message: error.to_string(), hint: error.hint() });
                failed.get_or_insert(error);
                found.push(TableFacts { name, rows: rows as u64, columns: Vec::new(), rules: Vec::new() });
            }
        }
    }
    // Nothing could be read at all. Tables without rows are no fault.
    if let Some(error) =
        failed.filter(|_| found.iter().all(|table| table.columns.is_empty() && table.rows > 0))
    {
        return Err(error);
    }
    if let Some(wanted) = spec.table.as_ref().filter(|_| found.is_empty()) {
        return Err(read(&SourceSpec { table: Some(wanted.clone()), limit: Some(1), ..spec.clone() })
            .err()
            .unwrap_or_else(|| Error::bad(&spec.source, format!("has no table `{wanted}`"))));
    }
    add_bytes(spec, &mut found)?;
    Ok(found)
}

/// Every file of a folder of tables.
fn file_infos(spec: &SourceSpec, alerts: &mut Vec<Alert>) -> Result<Vec<TableFacts>, Error> {
    let mut found = Vec::new();
    for (name, path) in table_files(&spec.path())? {
        let source = text_of(path.as_os_str());
        let whole = SourceSpec { source, limit: None, ..spec.clone() };
        let table = read(&SourceSpec { limit: Some(SCANNED_ROWS), ..whole.clone() });
        match table {
            Ok(mut table) => {
                let rows = match table.rows() {
                    SCANNED_ROWS => tables_of(&whole)?.first().map_or(SCANNED_ROWS, |(_, rows)| *rows),
                    rows => rows,
                };
                table.name = name;
                found.push(table_info(&table, rows, &whole, alerts));
            }
            Err(error) => alerts.push(Alert { message: error.to_string(), hint: error.hint() }),
        }
    }
    Ok(found)
}

fn table_info(table: &Table, rows: usize, spec: &SourceSpec, alerts: &mut Vec<Alert>) -> TableFacts {
    let mut schema = detect(table);
    if let Err(error) = schema.apply(table, &spec.kinds) {
        alerts.push(Alert { message: error.to_string(), hint: error.hint() });
    }
    schema.protect(table, spec, None);
    // Bytes in a database that were left out stand among the columns all the same.
    let is_listed = |note: &&String| is_database(&spec.source) && note.ends_with("was left out");
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
    TableFacts {
        name: table.name.clone(),
        rows: rows as u64,
        columns,
        rules: rules(table, &schema, spec, alerts),
    }
}

/// The rules that would be in force, in words.
fn rules(table: &Table, schema: &TableSchema, spec: &SourceSpec, alerts: &mut Vec<Alert>) -> Vec<String> {
    let (message, hint) = match in_force(&spec.rules, table, schema) {
        Ok((rules, notes)) => {
            let alert = |note| Alert { message: format!("{}: {note}", table.name), hint: None };
            alerts.extend(notes.into_iter().map(alert));
            return rules.rules().iter().map(ToString::to_string).collect();
        }
        Err(error) => (error.to_string(), error.hint()),
    };
    alerts.push(Alert { message, hint });
    Vec::new()
}

/// Columns of bytes, which reading rows leaves out, in their place.
fn add_bytes(spec: &SourceSpec, found: &mut [TableFacts]) -> Result<(), Error> {
    let Some(mut database) = store::open(spec)? else { return Ok(()) };
    for table in found {
        let mut names = database.columns(&table.name)?;
        names.retain(|name| name != PROVENANCE_COLUMN);
        let is_left_out = |(of, column): &Place| {
            *of == table.name
                && names.contains(column)
                && table.columns.iter().all(|known| known.name != *column)
        };
        let heads = Heads::of(&mut *database, Some(&table.name), is_left_out)?;
        for (place, kind, why) in kinds_of_bytes(&heads) {
            // Like the rows, without what was made.
            let (distinct, missing) = database.counts(&place)?;
            let (_, name) = place;
            let at = names.iter().position(|other| *other == name).unwrap_or(names.len());
            let info = ColumnInfo {
                name,
                declared: database.bytes_type().to_owned(),
                kind,
                key: false,
                distinct,
                missing,
                examples: Vec::new(),
                why: why.to_owned(),
            };
            table.columns.insert(at.min(table.columns.len()), info);
        }
    }
    Ok(())
}

/// What columns of bytes hold, and why.
fn kinds_of_bytes(heads: &Heads) -> Vec<(Place, ColumnKind, &'static str)> {
    // Every GIF is an image, too.
    let media = [
        (&CLIPS, ColumnKind::Video, "its bytes begin like films, or like pictures that move"),
        (&IMAGES, ColumnKind::Image, "its bytes begin like image files"),
        (&MIDI, ColumnKind::Music, "its bytes begin like MIDI files"),
        (&SOUNDS, ColumnKind::Audio, "its bytes begin like sound files"),
    ];
    let held = media.map(|(media, kind, why)| (heads.holding(media), kind, why));
    let kind_of = |place: &Place| {
        let known = held.iter().find(|(places, ..)| places.contains(place));
        known.map_or((ColumnKind::Blob, "bytes of an unknown kind"), |(_, kind, why)| (*kind, *why))
    };
    heads
        .places()
        .map(|place| {
            let (kind, why) = kind_of(place);
            (place.clone(), kind, why)
        })
        .collect()
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
