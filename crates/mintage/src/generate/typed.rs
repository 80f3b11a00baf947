//! From a [`Request`] to the typed request of a kind: fields are read, files and conditions looked at, nothing is drawn.

use mintage_data::{
    Column, Ffmpeg, Score, SourceSpec, Table,
    music::Metre,
    table::{
        encoder::{Allow, Where},
        read,
    },
};

use super::request::{Blend, BlendAnchor, Item, Request, Rows, cell};
use crate::{
    error::Error,
    model::Model,
    models::{Anchor, Conditioning, GenerativeModel, MAX_ANCHORS, SamplingParams},
    sample::{
        AudioRequest, ImageRequest, MusicRequest, Shape, TableRequest, TextRequest, VideoLength,
        VideoRequest, check_conditioning, music::Key,
    },
};

/// Items that are made where nobody says how many.
const IMAGES: usize = 64;
const ROWS: usize = 1000;
const CLIPS: usize = 16;
/// Steps on the way between two items.
const INTERPOLATION_STEPS: usize = 8;
/// Variations keep half where nobody says how much.
const STRENGTH: f64 = 0.5;

impl Request {
    pub(super) fn to_image(&self, model: &Model) -> Result<ImageRequest, Error> {
        let codec = model.images()?.codec;
        let conditioning = self.conditioning(|item| {
            let bytes = item.bytes()?;
            codec.decode(&bytes).map_err(|why| Error::request(format!("{}: {why}", item.name())))
        })?;
        Ok(ImageRequest {
            n: self.count(IMAGES),
            label: self.label(model, &codec.classes)?,
            conditioning,
            seed: self.seed_or_default(),
            temperature: self.temperature(),
            guidance: self.guidance.map(|w| w as f32),
            top_k: self.top_k,
            top_p: self.top_p.map(|p| p as f32),
        })
    }

    pub(super) fn to_table(&self, model: &Model) -> Result<TableRequest, Error> {
        model.rows()?;
        let given = self.given.as_ref().or(self.fill.as_ref()).map(Rows::read).transpose()?;
        Ok(TableRequest {
            n: self.n.unwrap_or(ROWS),
            conditions: self.conditions.clone(),
            given,
            fill: self.fill.is_some(),
            seed: self.seed_or_default(),
            temperature: self.temperature(),
        })
    }

    pub(super) fn to_text(&self, model: &Model, notes: &mut Vec<String>) -> Result<TextRequest, Error> {
        let (parts, codec) = model.texts()?;
        let context = parts.model.config().context();
        let known = |text: String| {
            let unknown: Vec<String> = codec.unknown_chars(&text).iter().map(|c| format!("`{c}`")).collect();
            match unknown.is_empty() {
                true => Ok(text),
                false => Err(Error::request(format!("the model has never seen {}", unknown.join(", ")))
                    .with_hint("write in the letters of the texts that it learned from")),
            }
        };
        let prompt = match (&self.prompt, &self.continued) {
            (Some(prompt), _) => prompt.clone(),
            (None, Some(item)) => item.text()?,
            (None, None) => String::new(),
        };
        let prompt = known(prompt)?;
        let tokens = codec.encode(&prompt).len();
        if tokens > context {
            notes.push(format!(
                "the prompt has {tokens} tokens and the model sees {context}: it goes by the last of them"
            ));
        }
        let conditioning = self.conditioning(|item| {
            let text = known(item.text()?)?;
            match text.trim().is_empty() {
                true => Err(Error::request(format!("{}: there is no text in it", item.name()))),
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
                (Some(pattern), _) => Some(Shape::of_pattern(pattern)?),
                (None, Some(shape)) => Some(Shape::of_json(shape)?),
                (None, None) => None,
            },
            choice: self.choice(),
            seed: self.seed_or_default(),
        })
    }

    pub(super) fn to_music(&self, model: &Model, notes: &mut Vec<String>) -> Result<MusicRequest, Error> {
        let (parts, codec) = model.music()?;
        let conditioning = self.conditioning(Item::tune)?;
        let n = self.count(1);
        check_conditioning(&conditioning, model, n)?;
        let context = parts.model.config().context();
        self.note_lengths(&conditioning, |tune| codec.encode(tune).len(), context, notes);
        Ok(MusicRequest {
            n,
            label: self.label(model, &parts.info.classes)?,
            guidance: self.guidance.map(|w| w as f32),
            prompt: self.continued.as_ref().map(Item::tune).transpose()?,
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
        let conditioning = self.vary_or_continue(|item| {
            codec.decode(item.bytes()?).map_err(|why| Error::request(format!("{}: {why}", item.name())))
        })?;
        Ok(AudioRequest {
            n: self.count(1),
            label: self.label(model, &codec.classes)?,
            conditioning,
            seconds: self.seconds,
            choice: self.choice(),
            guidance: self.guidance.map(|w| w as f32),
            seed: self.seed_or_default(),
        })
    }

    pub(super) fn to_video(&self, model: &Model) -> Result<VideoRequest, Error> {
        let codec = model.clips()?.codec;
        let conditioning = self.vary_or_continue(|item| match item {
            // A folder of numbered pictures is a clip too.
            Item::File(path) => Ok(codec.read(path, &Ffmpeg::default())?),
            item => Ok(codec.decode(item.bytes()?, &item.name(), &Ffmpeg::default())?),
        })?;
        let length = match (self.frames, self.seconds) {
            (Some(_), Some(_)) => {
                return Err(Error::field("frames", "and `seconds` cannot be met together"));
            }
            (Some(frames), None) => VideoLength::Frames(frames),
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

    /// What new items resemble, each item read by `read`. What texts and tunes continue is a prompt.
    fn conditioning<T>(&self, read: impl Fn(&Item) -> Result<T, Error>) -> Result<Conditioning<T>, Error> {
        let strength = self.strength.unwrap_or(STRENGTH) as f32;
        Ok(match (&self.like, &self.between) {
            (Some(item), _) => Conditioning::Vary { item: read(item)?, strength },
            (None, Some([from, to])) => Conditioning::Interpolate { from: read(from)?, to: read(to)? },
            (None, None) => match &self.blend {
                Some(blend) => blended(blend, read)?,
                None => Conditioning::None,
            },
        })
    }

    /// The same for kinds that continue an item as it is.
    fn vary_or_continue<T>(
        &self,
        read: impl Fn(&Item) -> Result<T, Error>,
    ) -> Result<Conditioning<T>, Error> {
        match (&self.like, &self.continued) {
            (Some(_), Some(_)) => Err(Error::field("like", "cannot be met together with `continue`")),
            (None, Some(_)) if self.blend.is_some() => {
                Err(Error::field("blend", "cannot be met together with `continue`"))
            }
            (None, Some(item)) => Ok(Conditioning::Continue { item: read(item)? }),
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
                .with_hint(format!("it knows `{known}`: {known}=VALUE")));
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

    fn bytes(&self) -> Result<Vec<u8>, Error> {
        match self {
            Self::File(path) => Ok(mintage_data::read_item_file(path)?),
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::Bytes(bytes) => Ok(bytes.clone()),
        }
    }

    /// A text in UTF-8.
    fn text(&self) -> Result<String, Error> {
        String::from_utf8(self.bytes()?).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Error::request(format!("{}: no UTF-8 at byte {at}", self.name()))
                .with_hint("give a text in UTF-8")
        })
    }

    /// A tune of a MIDI file.
    fn tune(&self) -> Result<Score, Error> {
        Score::from_midi(&self.bytes()?).map_err(|error| Error::request(format!("{}: {error}", self.name())))
    }
}

impl Rows {
    fn read(&self) -> Result<Table, Error> {
        let rows = match self {
            Self::File(source) => {
                let spec = SourceSpec { source: source.clone(), allow_made: true, ..SourceSpec::default() };
                return Ok(read(&spec)?);
            }
            Self::Rows(rows) => rows,
        };
        let mut names: Vec<&String> = Vec::new();
        for name in rows.iter().flat_map(|row| row.keys()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let column = |name: &String| {
            let cells =
                rows.iter().map(|row| row.get(name).filter(|cell| !cell.is_null()).map(cell).transpose());
            let cells: Vec<Option<String>> = cells.collect::<Result<_, _>>().map_err(Error::request)?;
            Ok(Column::of(name, cells.iter().map(Option::as_deref)))
        };
        let columns = names.into_iter().map(column).collect::<Result<_, Error>>()?;
        Ok(Table { name: "rows".to_owned(), columns, ..Table::default() })
    }
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
    parts.ok_or_else(|| Error::request(format!("`{text}` is no metre")).with_hint("write it like 3/4"))
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
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn metres_and_pitches() {
        assert_eq!(pitches("48..72").unwrap(), (48, 72));
        assert!(pitches("72..48").is_err() && pitches("1").is_err() && pitches("0..128").is_err());
        assert!(metre("3/4").is_ok() && metre("3/5").is_err() && metre("x").is_err());
    }

    #[test]
    fn rows_become_a_table_with_all_columns() {
        let rows: Rows =
            serde_json::from_str(r#"{"rows": [{"a": 1, "b": null}, {"c": "x", "a": true}]}"#).unwrap();
        let table = rows.read().unwrap();
        let cells =
            |name: &str| table.column(name).unwrap().iter().map(|c| c.map(str::to_owned)).collect::<Vec<_>>();
        assert_eq!(cells("a"), [Some("1".to_owned()), Some("true".to_owned())]);
        assert_eq!(cells("b"), [None, None]);
        assert_eq!(cells("c"), [None, Some("x".to_owned())]);
        let bad: Rows = serde_json::from_str(r#"{"rows": [{"a": [1]}]}"#).unwrap();
        assert!(bad.read().is_err());
    }
}
