//! From a [`Request`] to the typed request of a kind: fields are read, files and conditions looked at, nothing is drawn.

use mintage_data::{
    Column, Ffmpeg, Score, SourceSpec, Table,
    music::Metre,
    table::{
        encoder::{Allow, Where},
        read,
        schema::{ColumnSchema, Kind, TableSchema},
    },
};
use serde_json::Value;

use super::request::{Blend, BlendAnchor, Item, Request, Rows, cell};
use crate::{
    dataset::thousands,
    error::Error,
    model::Model,
    models::{Anchor, Conditioning, GenerativeModel, MAX_ANCHORS, SamplingParams},
    recipe::nearest,
    sample::{
        AudioRequest, ImageRequest, Limits, MusicRequest, Shape, TableRequest, TextRequest, VideoLength,
        VideoRequest, check_conditioning, music::Key,
    },
};

/// Items that are made where nobody says how many.
const IMAGES: usize = 64;
const ROWS: usize = 1000;
const CLIPS: usize = 16;
/// Steps on the way between two items.
const INTERPOLATION_STEPS: usize = 8;
/// Characters of a name or a value that are shown in a message.
const MAX_NAME_SHOWN: usize = 60;
/// Letters that are named when a model does not know them.
const MAX_LETTERS_SHOWN: usize = 20;
/// Variations keep half where nobody says how much.
const STRENGTH: f64 = 0.5;

impl Request {
    pub(super) fn to_image(&self, model: &Model) -> Result<ImageRequest, Error> {
        let codec = model.images()?.codec;
        let conditioning = self.conditioning(|field, item| {
            let bytes = item.bytes(field)?;
            codec.decode(&bytes).map_err(|why| item.refused(field, why))
        })?;
        Ok(ImageRequest {
            n: self.count(IMAGES),
            label: self.label(model, &codec.classes)?,
            conditioning,
            seed: self.seed_or_default(),
            temperature: self.temperature(),
            guidance: self.guidance.map(|w| w as f32),
            autoguidance: self.autoguidance.map(|w| w as f32),
            top_k: self.top_k,
            top_p: self.top_p.map(|p| p as f32),
        })
    }

    pub(super) fn to_table(&self, model: &Model, limits: &Limits) -> Result<TableRequest, Error> {
        let (_, codec) = model.rows()?;
        let given = match (&self.given, &self.fill) {
            (Some(rows), _) => Some(rows.read("given", codec.rules.own(), limits)?),
            (None, Some(rows)) => Some(rows.read("fill", codec.rules.own(), limits)?),
            (None, None) => None,
        };
        Ok(TableRequest {
            n: self.n.unwrap_or(ROWS),
            conditions: self.conditions.clone(),
            given,
            fill: self.fill.is_some(),
            seed: self.seed_or_default(),
            temperature: self.temperature(),
        })
    }

    pub(super) fn to_text(
        &self,
        model: &Model,
        limits: &Limits,
        notes: &mut Vec<String>,
    ) -> Result<TextRequest, Error> {
        let (parts, codec) = model.texts()?;
        let context = parts.model.config().context();
        let known = |field: &'static str, text: String| {
            limits.check_text(field, &text)?;
            let unknown: Vec<String> = codec.unknown_chars(&text).iter().map(|c| format!("`{c}`")).collect();
            match unknown.is_empty() {
                true => Ok(text),
                false => {
                    let letters =
                        unknown.iter().take(MAX_LETTERS_SHOWN).cloned().collect::<Vec<_>>().join(", ");
                    let more = if unknown.len() > MAX_LETTERS_SHOWN { ", …" } else { "" };
                    Err(Error::field(field, format!("has what the model has never seen: {letters}{more}"))
                        .with_hint("write in the letters of the texts that it learned from"))
                }
            }
        };
        let prompt = match (&self.prompt, &self.continued) {
            (Some(prompt), _) => known("prompt", prompt.clone())?,
            (None, Some(item)) => known("continue", item.text("continue")?)?,
            (None, None) => String::new(),
        };
        let tokens = codec.encode(&prompt).len();
        if tokens > context {
            notes.push(format!(
                "the prompt has {tokens} tokens and the model sees {context}: it goes by the last of them"
            ));
        }
        let conditioning = self.conditioning(|field, item| {
            let text = known(field, item.text(field)?)?;
            match text.trim().is_empty() {
                true => Err(item.refused(field, "there is no text in it")),
                false => Ok(text),
            }
        })?;
        let n = self.count(1);
        check_conditioning(&conditioning, model, n)?;
        self.note_lengths(&conditioning, |text| codec.encode(text).len(), context, notes);
        Ok(TextRequest {
            n,
            label: self.label(model, &parts.info.classes)?,
            guidance: self.guidance.map(|w| w as f32),
            prompt,
            conditioning,
            length: self.length,
            endless: self.endless,
            stop: self.stop.clone(),
            shape: match (&self.pattern, &self.json_shape) {
                (Some(pattern), _) => Some(Shape::of_pattern_within(pattern, limits)?),
                (None, Some(shape)) => Some(Shape::of_json_within(shape, limits)?),
                (None, None) => None,
            },
            choice: self.choice(),
            seed: self.seed_or_default(),
        })
    }

    pub(super) fn to_music(&self, model: &Model, notes: &mut Vec<String>) -> Result<MusicRequest, Error> {
        let (parts, codec) = model.music()?;
        let conditioning = self.conditioning(|field, item| item.tune(field))?;
        let n = self.count(1);
        check_conditioning(&conditioning, model, n)?;
        let context = parts.model.config().context();
        self.note_lengths(&conditioning, |tune| codec.encode(tune).len(), context, notes);
        Ok(MusicRequest {
            n,
            label: self.label(model, &parts.info.classes)?,
            guidance: self.guidance.map(|w| w as f32),
            prompt: self.continued.as_ref().map(|item| item.tune("continue")).transpose()?,
            conditioning,
            bars: self.length,
            key: self.key.as_deref().map(Key::parse).transpose()?,
            metre: self.metre.as_deref().map(metre).transpose()?,
            range: self.range.as_deref().map(pitches).transpose()?,
            choice: self.choice(),
            seed: self.seed_or_default(),
        })
    }

    pub(super) fn to_audio(&self, model: &Model) -> Result<AudioRequest, Error> {
        let codec = model.sounds()?.codec;
        let conditioning = self.vary_or_continue(|field, item| {
            codec.decode(item.bytes(field)?).map_err(|why| item.refused(field, why))
        })?;
        Ok(AudioRequest {
            n: self.count(1),
            label: self.label(model, &codec.classes)?,
            conditioning,
            seconds: self.seconds,
            choice: self.choice(),
            guidance: self.guidance.map(|w| w as f32),
            autoguidance: self.autoguidance.map(|w| w as f32),
            seed: self.seed_or_default(),
        })
    }

    pub(super) fn to_video(&self, model: &Model) -> Result<VideoRequest, Error> {
        let codec = model.clips()?.codec;
        let conditioning = self.vary_or_continue(|field, item| match item {
            // A folder of numbered pictures is a clip too.
            Item::File(path) => {
                codec.read(path, &Ffmpeg::default()).map_err(|error| Error::from(error).in_field(field))
            }
            item => codec
                .decode(item.bytes(field)?, &item.name(), &Ffmpeg::default())
                .map_err(|why| Error::field(field, format!("cannot be read: {why}"))),
        })?;
        let length = match (self.frames, self.seconds) {
            (Some(frames), _) => VideoLength::Frames(frames),
            (None, Some(secs)) => VideoLength::Seconds(secs),
            (None, None) => VideoLength::Own,
        };
        Ok(VideoRequest {
            n: self.count(CLIPS),
            label: self.label(model, &codec.classes)?,
            conditioning,
            length,
            choice: self.choice(),
            guidance: self.guidance,
            autoguidance: self.autoguidance,
            seed: self.seed_or_default(),
        })
    }

    /// How many items: as many as were asked for, steps of an interpolation, or as many as the kind makes by itself.
    fn count(&self, own: usize) -> usize {
        self.n.unwrap_or(match (&self.between, &self.blend) {
            (Some(_), _) => INTERPOLATION_STEPS,
            (None, Some(_)) => 1,
            (None, None) => own,
        })
    }

    fn temperature(&self) -> f32 {
        self.temperature.unwrap_or(1.0) as f32
    }

    /// How the next token is chosen.
    fn choice(&self) -> SamplingParams {
        SamplingParams {
            temperature: self.temperature(),
            top_k: self.top_k,
            top_p: self.top_p.map(|p| p as f32),
            min_p: self.min_p.map(|p| p as f32),
            repetition: self.repetition.unwrap_or(1.0) as f32,
        }
    }

    /// What new items resemble, each item read by `read`, which is told its field. What texts and tunes continue is a prompt.
    fn conditioning<T>(
        &self,
        read: impl Fn(&'static str, &Item) -> Result<T, Error>,
    ) -> Result<Conditioning<T>, Error> {
        let strength = self.strength.unwrap_or(STRENGTH) as f32;
        Ok(match (&self.like, &self.between) {
            (Some(item), _) => Conditioning::Vary { item: read("like", item)?, strength },
            (None, Some([from, to])) => {
                Conditioning::Interpolate { from: read("between", from)?, to: read("between", to)? }
            }
            (None, None) => match &self.blend {
                Some(blend) => blended(blend, |item| read("blend", item))?,
                None => Conditioning::None,
            },
        })
    }

    /// The same for kinds that continue an item as it is.
    fn vary_or_continue<T>(
        &self,
        read: impl Fn(&'static str, &Item) -> Result<T, Error>,
    ) -> Result<Conditioning<T>, Error> {
        match (&self.like, &self.continued) {
            (Some(_), Some(_)) => Err(Error::field("like", "cannot be met together with `continue`")),
            (None, Some(_)) if self.blend.is_some() => {
                Err(Error::field("blend", "cannot be met together with `continue`"))
            }
            (None, Some(item)) => Ok(Conditioning::Continue { item: read("continue", item)? }),
            (_, None) => self.conditioning(read),
        }
    }

    /// Says so where an item has more tokens than the model sees.
    fn note_lengths<T>(
        &self,
        conditioning: &Conditioning<T>,
        tokens: impl Fn(&T) -> usize,
        context: usize,
        notes: &mut Vec<String>,
    ) {
        let items = match (conditioning, &self.like, &self.between) {
            (Conditioning::Vary { item, .. }, Some(like), _) => vec![(like, item)],
            (Conditioning::Interpolate { from, to }, _, Some([a, b])) => vec![(a, from), (b, to)],
            _ => Vec::new(),
        };
        let long = items.into_iter().map(|(item, read)| (item.name(), tokens(read)));
        notes.extend(long.filter(|(_, tokens)| *tokens > context).map(|(name, tokens)| {
            format!("{name} has {tokens} tokens and the model sees {context}: it goes by the first of them")
        }));
    }

    /// The class that the conditions ask for: `label`, or the column of the labels.
    fn label(&self, model: &Model, classes: &[String]) -> Result<Option<String>, Error> {
        let [Where { column, allow }] = &self.conditions[..] else {
            return match self.conditions.is_empty() {
                true => Ok(None),
                false => Err(Error::field("where", "can be given once")
                    .with_hint("this model knows one label an item")),
            };
        };
        let known = model.config.source.label.as_deref().unwrap_or("label");
        // A model without labels says so itself.
        if column != "label" && column != known && !classes.is_empty() {
            return Err(Error::request(format!("this model is not conditioned on `{column}`"))
                .with_hint(format!("it knows `{known}`: {known}=VALUE"))
                .in_field("where"));
        }
        match allow {
            Allow::Value(value) => Ok(Some(value.clone())),
            Allow::Range(..) => {
                Err(Error::field("where", format!("cannot be a range: `{known}` is a class")))
            }
        }
    }
}

impl Item {
    /// How it is called in messages.
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(_) => "the text".to_owned(),
            Self::Bytes(_) => "the bytes".to_owned(),
        }
    }

    fn bytes(&self, field: &'static str) -> Result<Vec<u8>, Error> {
        match self {
            Self::File(path) => {
                mintage_data::read_item_file(path).map_err(|error| Error::from(error).in_field(field))
            }
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::Bytes(bytes) => Ok(bytes.clone()),
        }
    }

    /// What is wrong with the item, which stands in a field.
    fn refused(&self, field: &'static str, why: impl std::fmt::Display) -> Error {
        Error::request(format!("{}: {why}", self.name())).in_field(field)
    }

    /// A text in UTF-8.
    fn text(&self, field: &'static str) -> Result<String, Error> {
        String::from_utf8(self.bytes(field)?).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            self.refused(field, format!("no UTF-8 at byte {at}")).with_hint("give a text in UTF-8")
        })
    }

    /// A tune of a MIDI file.
    fn tune(&self, field: &'static str) -> Result<Score, Error> {
        Score::from_midi(&self.bytes(field)?).map_err(|error| self.refused(field, error))
    }
}

impl Rows {
    /// The rows of a field, whose columns are among those of `schema`.
    fn read(&self, field: &'static str, schema: &TableSchema, limits: &Limits) -> Result<Table, Error> {
        let rows = match self {
            Self::File(source) => {
                let spec = SourceSpec { source: source.clone(), allow_made: true, ..SourceSpec::default() };
                return read(&spec).map_err(|error| Error::from(error).in_field(field));
            }
            Self::Rows(rows) => rows,
        };
        let mut columns: Vec<&ColumnSchema> = Vec::new();
        for (row, name) in rows.iter().enumerate().flat_map(|(i, row)| row.keys().map(move |name| (i, name)))
        {
            // A few columns are looked through sooner than hashed.
            if columns.iter().any(|column| column.name == *name) {
                continue;
            }
            let column = schema.column(name).ok_or_else(|| unknown_column(field, row, name, schema))?;
            columns.push(column);
        }
        // Rows of nothing are rows all the same: all their cells are missing.
        if columns.is_empty() {
            columns.extend(schema.columns.first().filter(|_| !rows.is_empty()));
        }
        if rows.len().saturating_mul(columns.len()) > limits.max_cells {
            let most = thousands(limits.max_cells);
            return Err(Error::field(field, format!("has more than {most} cells"))
                .with_hint("give the rows in several requests"));
        }
        let columns = columns.into_iter().map(|column| column_of(field, column, rows));
        let columns = columns.collect::<Result<_, Error>>()?;
        Ok(Table { name: "rows".to_owned(), columns, ..Table::default() })
    }
}

/// The error for a column that the model does not have.
fn unknown_column(field: &'static str, row: usize, name: &str, schema: &TableSchema) -> Error {
    let names = || schema.columns.iter().map(|column| column.name.as_str());
    let hint = match nearest(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the columns are {}", names().collect::<Vec<_>>().join(", ")),
    };
    let shown: String = name.chars().take(MAX_NAME_SHOWN).collect();
    Error::field(field, format!("has the column `{shown}` in row {}, which the model does not know", row + 1))
        .with_hint(hint)
}

/// A column of rows, each cell as text.
fn column_of(
    field: &'static str,
    schema: &ColumnSchema,
    rows: &[serde_json::Map<String, Value>],
) -> Result<Column, Error> {
    let mut column = Column::of(&schema.name, []);
    for (row, cells) in rows.iter().enumerate() {
        let Some(value) = cells.get(&schema.name).filter(|value| !value.is_null()) else {
            column.push(None);
            continue;
        };
        let place = || format!("has in row {}, column `{}`, ", row + 1, schema.name);
        let text = cell(value).map_err(|_| {
            Error::field(field, place() + "a list or an object")
                .with_hint("a cell is a text, a number, true, false or null")
        })?;
        let is_number = matches!(schema.kind, Kind::Integer | Kind::Number);
        let suits = value.is_number() || schema.is_missing(Some(&text)) || schema.number(&text).is_some();
        if is_number && !suits {
            let shown: String = text.chars().take(MAX_NAME_SHOWN).collect();
            return Err(Error::field(field, format!("{}`{shown}`, which is not a number", place())));
        }
        column.push(Some(&text));
    }
    Ok(column)
}

/// A blend with each item read by `read`.
fn blended<T>(blend: &Blend, read: impl Fn(&Item) -> Result<T, Error>) -> Result<Conditioning<T>, Error> {
    // More of them are refused before any is read.
    if !(2..=MAX_ANCHORS).contains(&blend.anchors.len()) {
        return Err(Error::field("blend", format!("takes 2 to {MAX_ANCHORS} anchors")));
    }
    let anchor = |anchor: &BlendAnchor| match anchor {
        BlendAnchor::Seed(seed) => Ok(Anchor::Seed(*seed)),
        BlendAnchor::Item(item) => read(item).map(Anchor::Item),
    };
    let anchors = blend.anchors.iter().map(anchor).collect::<Result<_, Error>>()?;
    Ok(Conditioning::Blend { anchors, weights: blend.weights.iter().map(|&weight| weight as f32).collect() })
}

/// "3/4".
fn metre(text: &str) -> Result<Metre, Error> {
    let parts =
        text.split_once('/').and_then(|(n, d)| Metre::new(n.trim().parse().ok()?, d.trim().parse().ok()?));
    parts.ok_or_else(|| {
        Error::request(format!("`{text}` is no metre")).with_hint("write it like 3/4").in_field("metre")
    })
}

/// "48..72": MIDI numbers.
fn pitches(text: &str) -> Result<(u8, u8), Error> {
    let ends = text.split_once("..").and_then(|(low, high)| {
        let ends: (u8, u8) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        (ends.0 <= ends.1 && ends.1 < 128).then_some(ends)
    });
    ends.ok_or_else(|| {
        Error::request(format!("`{text}` is no range of pitches"))
            .with_hint("write it like 48..72: MIDI numbers, 60 is middle C")
            .in_field("range")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::table::schema::detect;

    use super::*;

    #[test]
    fn metres_and_pitches() {
        assert_eq!(pitches("48..72").unwrap(), (48, 72));
        assert!(pitches("72..48").is_err() && pitches("1").is_err() && pitches("0..128").is_err());
        assert!(metre("3/4").is_ok() && metre("3/5").is_err() && metre("x").is_err());
    }

    /// Two columns of a small table: numbers and words.
    fn table_schema() -> TableSchema {
        // Some occur twice: a column without repetition is one of identifiers.
        let numbers = (0..40).map(|i| (i % 15).to_string()).collect::<Vec<_>>();
        let a = Column::of("a", numbers.iter().map(|text| Some(text.as_str())));
        let c = Column::of("colour", (0..40).map(|i| Some(if i % 3 == 0 { "red" } else { "blue" })));
        let table = Table { columns: vec![a, c], ..Table::default() };
        detect(&table)
    }

    #[test]
    fn rows_become_a_table_with_all_columns() {
        let schema = table_schema();
        let read = |rows: &str, limits: &Limits| {
            let rows: Rows = serde_json::from_str(&format!("{{\"rows\": {rows}}}")).unwrap();
            rows.read("fill", &schema, limits)
        };
        let all = Limits::default();
        let table = read(r#"[{"a": 1, "colour": null}, {"colour": "x"}, {"a": "7"}]"#, &all).unwrap();
        let cells =
            |name: &str| table.column(name).unwrap().iter().map(|c| c.map(str::to_owned)).collect::<Vec<_>>();
        assert_eq!(cells("a"), [Some("1".to_owned()), None, Some("7".to_owned())]);
        assert_eq!(cells("colour"), [None, Some("x".to_owned()), None]);
        assert_eq!(read("[{}, {}]", &all).unwrap().rows(), 2);
        assert_eq!(read("[]", &all).unwrap().rows(), 0);

        let refused = |rows: &str| {
            let error = read(rows, &Limits { max_cells: 4, ..Limits::default() }).unwrap_err();
            assert!(matches!(error, Error::Field { field: "fill", .. }), "{error:?}");
            format!("{error} | {}", error.hint().unwrap_or_default())
        };
        assert!(refused(r#"[{"a": [1]}]"#).contains("a list or an object"));
        assert!(refused(r#"[{"a": 1}, {"a": "many"}]"#).contains("row 2, column `a`, `many`"));
        assert!(refused(r#"[{"a": true}]"#).contains("which is not a number"));
        assert!(refused(r#"[{"color": "red"}]"#).contains("did you mean `colour`?"));
        assert!(refused(r#"[{"a": 1, "colour": "red"}, {}, {}]"#).contains("more than 4 cells"));
    }
}
