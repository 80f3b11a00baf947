//! What was drawn lately: looked at, listened to, chosen from; by ids, never in JSON as base64.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use mintage::{
    generate::{Encoding, Output, Samples},
    sample::Sounds,
};
use mintage_data::{
    Provenance, Score, Table, Type,
    music::{RESOLUTION, VELOCITY_BINS, velocity_of},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{lock, problem::Problem};

/// Draws that are held; the oldest give way.
const MAX_DRAWS: usize = 64;
/// Bytes of all draws together.
const MAX_BYTES: usize = 192 << 20;
/// Rows of a table in one answer.
pub(crate) const MAX_ROWS_SHOWN: usize = 1000;
/// Notes of a tune in one answer.
const MAX_NOTES_SHOWN: usize = 4000;
/// Loudness values of a sound in one answer.
const PEAKS: usize = 200;

/// New items, or real ones as a model sees them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DrawView {
    /// Its name in addresses.
    pub draw: String,
    /// Id of the model.
    pub model: String,
    /// `image`, `table`, `text`, `music`, `audio` or `video`.
    pub kind: &'static str,
    /// The seed: the same request with it gives the same items.
    pub seed: u64,
    /// How many items there are.
    pub n: usize,
    /// Milliseconds that drawing took.
    pub ms: u64,
    /// Hash of the weights that drew.
    pub weights: String,
    /// What was asked for.
    pub request: Value,
    /// What the user should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Columns of rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<ColumnView>>,
    /// The items: addresses of pictures, sounds and tunes, the cells of rows, the words of texts.
    pub items: Vec<Map<String, Value>>,
}

/// A column of rows.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ColumnView {
    /// Its name.
    pub name: String,
    /// `integer`, `number`, `boolean`, `datetime` or `text`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// What was drawn.
pub struct Draw {
    /// Its name in addresses.
    pub id: String,
    /// Id of the model.
    pub model: String,
    /// The items.
    pub samples: Samples,
    /// What goes into every file and row that is made of it.
    pub provenance: Provenance,
    /// What was asked for.
    pub request: Value,
    /// Milliseconds that drawing took.
    pub ms: u64,
    /// What the user should know.
    pub notes: Vec<String>,
    bytes: usize,
}

/// The latest draws.
#[derive(Default)]
pub struct Draws {
    held: Mutex<VecDeque<Arc<Draw>>>,
    next: AtomicU64,
}

impl Draws {
    /// Ids go on from `first`: those of an earlier server mean nothing here.
    pub fn new(first: u64) -> Self {
        Self { held: Mutex::default(), next: AtomicU64::new(first) }
    }

    /// Holds new items.
    pub fn add(
        &self,
        model: &str,
        samples: Samples,
        provenance: Provenance,
        request: Value,
        ms: u64,
        notes: Vec<String>,
    ) -> Arc<Draw> {
        let id = format!("d{}", self.next.fetch_add(1, Ordering::Relaxed));
        let bytes = size_of(&samples);
        let draw =
            Arc::new(Draw { id, model: model.to_owned(), samples, provenance, request, ms, notes, bytes });
        let mut held = lock(&self.held);
        held.push_back(draw.clone());
        while held.len() > 1
            && (held.len() > MAX_DRAWS || held.iter().map(|draw| draw.bytes).sum::<usize>() > MAX_BYTES)
        {
            held.pop_front();
        }
        draw
    }

    /// A draw that is still held.
    pub fn get(&self, id: &str) -> Result<Arc<Draw>, Problem> {
        lock(&self.held).iter().find(|draw| draw.id == id).cloned().ok_or_else(|| {
            Problem::not_found("these items are not held any more")
                .with_hint(format!("the last {MAX_DRAWS} draws are; the same seed makes them again"))
        })
    }

    /// The same, where it is of a model.
    pub fn of_model(&self, id: &str, model: &str) -> Result<Arc<Draw>, Problem> {
        let draw = self.get(id)?;
        match draw.model == model {
            true => Ok(draw),
            false => Err(Problem::request("these items are another model's")),
        }
    }
}

impl Draw {
    /// What front ends are told of it.
    pub fn view(&self) -> DrawView {
        let rows = match &self.samples {
            Samples::Table(rows) => Some(columns(rows)),
            _ => None,
        };
        let n = self.samples.len();
        let shown = if rows.is_some() { n.min(MAX_ROWS_SHOWN) } else { n };
        DrawView {
            draw: self.id.clone(),
            model: self.model.clone(),
            kind: self.samples.kind().name(),
            seed: self.provenance.seed,
            n,
            ms: self.ms,
            weights: self.provenance.weights.clone(),
            request: self.request.clone(),
            notes: self.notes.clone(),
            columns: rows,
            items: (0..shown).map(|i| self.item(i)).collect(),
        }
    }

    fn item(&self, i: usize) -> Map<String, Value> {
        let url = |suffix: &str| json!(format!("/api/draws/{}/{i}.{suffix}", self.id));
        item(&self.samples, i, &url)
    }

    /// An item's file; `name` is its number and how it ends.
    pub fn file(&self, name: &str) -> Result<(Vec<u8>, &'static str), Problem> {
        let missing = || Problem::not_found("there is no such item, or not in this format");
        let (number, suffix) = name.split_once('.').ok_or_else(missing)?;
        let i: usize = number.parse().ok().filter(|&i| i < self.samples.len()).ok_or_else(missing)?;
        encoded(&self.samples, i, suffix, &self.provenance)?.ok_or_else(missing)
    }
}

/// One item in a format; nothing where its kind is not written so.
pub(crate) fn encoded(
    samples: &Samples,
    i: usize,
    suffix: &str,
    provenance: &Provenance,
) -> Result<Option<(Vec<u8>, &'static str)>, Problem> {
    let encoding = match (samples, suffix) {
        (Samples::Image(_), "png") => Encoding::Png,
        (Samples::Video(_), "gif") => Encoding::Gif,
        (Samples::Video(_), "apng") => Encoding::Apng,
        (Samples::Music(_), "mid") => Encoding::Midi,
        (Samples::Music(_) | Samples::Audio(_), "wav") => Encoding::Wav,
        (Samples::Text(_), "txt") => Encoding::Text,
        _ => return Ok(None),
    };
    let one = samples.take(&[i]);
    Ok(Some((one.encode(encoding, &Output::default(), provenance)?, encoding.media_type())))
}

/// What front ends are told of one item; `url` gives where its file of a format is.
pub(crate) fn item(samples: &Samples, i: usize, url: &dyn Fn(&str) -> Value) -> Map<String, Value> {
    let mut view = Map::new();
    let mut put = |key: &str, value: Value| view.insert(key.to_owned(), value);
    put("i", json!(i));
    match samples {
        Samples::Image(images) => {
            put("url", url("png"));
            put("type", json!("image/png"));
            put("width", json!(images.shape.width));
            put("height", json!(images.shape.height));
            put("label", label(&images.labels, &images.classes, i));
        }
        Samples::Video(clips) => {
            put("url", url("gif"));
            put("type", json!("image/gif"));
            put("width", json!(clips.shape.width));
            put("height", json!(clips.shape.height));
            put("frames", json!(clips.frames));
            put("secs", json!(clips.frames as f64 / clips.fps));
            put("label", label(&clips.labels, &clips.classes, i));
        }
        Samples::Audio(sounds) => {
            put("url", url("wav"));
            put("type", json!("audio/wav"));
            put("peaks", json!(peaks(sounds, i)));
            let time = sounds.samples[i].len() / sounds.channels.max(1);
            put("secs", json!(time as f64 / f64::from(sounds.rate_hz.max(1))));
            put("label", label(&sounds.labels, &sounds.classes, i));
        }
        Samples::Music(tunes) => {
            let tune = &tunes.items[i];
            put("url", url("mid"));
            put("type", json!("audio/midi"));
            put("play", url("wav"));
            put("notes", notes(tune));
            put("bars", json!(tune.bars().count()));
            put("secs", json!(tune.seconds()));
            put("label", json!(tunes.label));
        }
        Samples::Text(texts) => {
            put("text", json!(texts.items[i]));
            put("label", json!(texts.label));
        }
        Samples::Table(rows) => {
            put("row", row(rows, i));
        }
    }
    view.retain(|_, value| !value.is_null());
    view
}

fn label(labels: &[u32], classes: &[String], i: usize) -> Value {
    json!(labels.get(i).and_then(|&label| classes.get(label as usize)))
}

/// The notes of a tune: onset and length in beats, pitch, velocity, part.
fn notes(tune: &Score) -> Value {
    let beats = |ticks: u32| f64::from(ticks) / f64::from(RESOLUTION);
    let parts = tune.parts();
    let of = |note: &mintage_data::music::Note| {
        let part = parts.iter().position(|part| *part == note.part()).unwrap_or(0);
        let velocity = velocity_of(note.velocity.min(VELOCITY_BINS - 1));
        json!([beats(note.start), beats(note.duration), note.pitch, velocity, part])
    };
    tune.notes().iter().take(MAX_NOTES_SHOWN).map(of).collect()
}

/// How loud a sound is along its time: the largest deflection of each part, from 0 to 1.
fn peaks(sounds: &Sounds, i: usize) -> Vec<f64> {
    let samples = &sounds.samples[i];
    // The first channel says enough for a picture of 200 dots.
    let samples = &samples[..samples.len() / sounds.channels.max(1)];
    let each = samples.len().div_ceil(PEAKS).max(1);
    let peak = |part: &[f32]| part.iter().fold(0f32, |peak, x| peak.max(x.abs())).min(1.0);
    samples.chunks(each).map(|part| (f64::from(peak(part)) * 1000.0).round() / 1000.0).collect()
}

/// The columns of rows.
pub(crate) fn columns(rows: &Table) -> Vec<ColumnView> {
    let of = |column: &mintage_data::Column| ColumnView {
        name: column.name.clone(),
        kind: match type_of(column) {
            Type::Integer => "integer",
            Type::Real | Type::Decimal => "number",
            Type::Boolean => "boolean",
            Type::Date | Type::Time | Type::Timestamp | Type::TimestampTz => "datetime",
            _ => "text",
        },
    };
    rows.columns.iter().map(of).collect()
}

fn type_of(column: &mintage_data::Column) -> Type {
    match column.declaration.ty {
        Type::Text => column.declaration.found.unwrap_or(Type::Text),
        own => own,
    }
}

/// The cells of a row: numbers as numbers where their column is one of numbers.
fn row(rows: &Table, i: usize) -> Value {
    let cell = |column: &mintage_data::Column| match (column.cell(i), type_of(column)) {
        (None, _) => Value::Null,
        (Some(text), Type::Integer | Type::Real | Type::Decimal) => {
            number(text).unwrap_or_else(|| json!(text))
        }
        (Some(text), _) => json!(text),
    };
    rows.columns.iter().map(cell).collect()
}

/// A number that JavaScript reads without loss.
fn number(text: &str) -> Option<Value> {
    const MAX_EXACT: f64 = 9_007_199_254_740_991.0;
    let value: Value = serde_json::from_str(text).ok()?;
    value.as_f64().filter(|x| x.abs() <= MAX_EXACT).map(|_| value)
}

/// Bytes in memory, about.
fn size_of(samples: &Samples) -> usize {
    match samples {
        Samples::Image(images) => images.pixels.len(),
        Samples::Table(rows) => {
            let cells = rows.columns.len() * rows.rows() * 4;
            let values: usize = rows.columns.iter().map(|column| column.values().len() * 24).sum();
            cells + values
        }
        Samples::Text(texts) => texts.items.iter().map(String::len).sum(),
        Samples::Music(tunes) => tunes.items.iter().map(|tune| tune.notes().len() * 16).sum(),
        Samples::Audio(sounds) => sounds.samples.iter().map(|sound| sound.len() * 4).sum(),
        Samples::Video(clips) => clips.pixels.len(),
    }
}
