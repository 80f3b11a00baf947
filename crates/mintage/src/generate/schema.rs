//! What can be asked of one model, as a JSON Schema (draft 2020-12) of its [`Request`](super::Request): the fields that
//! have a meaning for it, and its conditions with their ranges and values. A form or an API description is made from it.

use mintage_data::{
    DataKind,
    table::{encoder::Domain, schema::Kind},
};
use serde_json::{Map, Value, json};

use super::{fields::REQUEST, request::APART};
use crate::{
    error::Error,
    model::Model,
    models::{Anchor, Conditioning, MAX_ANCHORS},
};

/// Values of a column that are listed; of more the most frequent.
const MAX_VALUES: usize = 200;

/// The JSON Schema of what a model can be asked, files of this machine included.
///
/// # Errors
///
/// The model's parts do not belong together.
pub fn schema(model: &Model) -> Result<Value, Error> {
    schema_with(model, true)
}

/// The same where items and rows may be files of this machine, or may not, as in a request over a network.
///
/// # Errors
///
/// Those of [`schema`].
pub fn schema_with(model: &Model, allow_files: bool) -> Result<Value, Error> {
    let (kind, family) = (model.kind(), model.config.model.family());
    let writer = Writer { model, allow_files };
    let mut properties = Map::new();
    for field in REQUEST.iter().filter(|field| field.suits(kind, family)) {
        if let Some(schema) = writer.property(field.name)? {
            properties.insert(field.name.to_owned(), schema);
        }
    }
    let has = |field: &str| properties.contains_key(field);
    let apart = APART.iter().filter(|(a, b)| has(a) && has(b));
    let apart: Vec<Value> = apart.map(|pair| json!({ "not": { "required": [pair.0, pair.1] } })).collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("Request to {}", model.name()),
        "description": format!("What can be asked of a {} of {}.", family.name(), kind.items()),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if has("strength") {
        schema["dependentRequired"] = json!({ "strength": ["like"] });
    }
    if !apart.is_empty() {
        schema["allOf"] = json!(apart);
    }
    Ok(schema)
}

/// Writes the schema of one model.
struct Writer<'a> {
    model: &'a Model,
    /// Whether an item or rows may be a file of this machine.
    allow_files: bool,
}

impl Writer<'_> {
    /// The schema of one field; nothing where this model cannot meet it.
    fn property(&self, name: &str) -> Result<Option<Value>, Error> {
        let model = self.model;
        let kind = model.kind();
        let can = |conditioning| model.any.supports(&conditioning);
        let item = |description| self.item(description);
        Ok(Some(match name {
            "n" => json!({ "type": "integer", "minimum": 1, "description": "How many items" }),
            "seed" => {
                json!({ "type": "integer", "minimum": 0, "description": "The same seed gives the same items" })
            }
            "where" => return conditions(model),
            "given" => self.rows("Rows to complete: the columns that they lack are drawn"),
            "fill" => self.rows("Rows with gaps: missing cells get values"),
            "prompt" => json!({ "type": "string", "description": "What every text begins with" }),
            // Of texts and music it is a prompt, which every family can go on from.
            "continue" if matches!(kind, DataKind::Text | DataKind::Music) => item("An item to go on from"),
            "continue" if can(Conditioning::Continue { item: () }) => item("An item to go on from"),
            "like" if can(Conditioning::Vary { item: (), strength: 0.5 }) => item("An item to vary"),
            "strength" if can(Conditioning::Vary { item: (), strength: 0.5 }) => json!({
                "type": "number", "minimum": 0, "maximum": 1, "default": 0.5,
                "description": "How far variations go: 0 is the item as the model sees it, 1 a new one",
            }),
            "between" if can(Conditioning::Interpolate { from: (), to: () }) => json!({
                "type": "array", "minItems": 2, "maxItems": 2, "items": item("An end of the way"),
                "description": "Two items to interpolate between",
            }),
            "blend" => return Ok(self.blend()),
            "continue" | "like" | "strength" | "between" => return Ok(None),
            "length" => {
                let what = if kind == DataKind::Text { "Characters at most" } else { "Bars" };
                json!({ "type": "integer", "minimum": 1, "description": what })
            }
            "frames" => json!({ "type": "integer", "minimum": 2, "description": "Frames of each clip" }),
            "seconds" => {
                json!({ "type": "number", "exclusiveMinimum": 0, "description": "Seconds of each item" })
            }
            "endless" => {
                json!({ "type": "boolean", "description": "Go on with another text where one ends" })
            }
            "stop" => json!({
                "type": "array", "items": { "type": "string", "minLength": 1 },
                "description": "A text ends before the first of these",
            }),
            "match" => {
                json!({ "type": "string", "format": "regex", "description": "What a text matches as a whole" })
            }
            "json_shape" => json!({ "type": "string", "description": "JSON whose values name types" }),
            "key" => {
                json!({ "type": "string", "examples": ["C major", "f# minor"], "description": "The scale" })
            }
            "metre" => match metres(model)? {
                metres if metres.is_empty() => return Ok(None),
                metres => json!({ "type": "string", "enum": metres, "description": "The metre" }),
            },
            "range" => json!({
                "type": "string", "pattern": r"^\d+\.\.\d+$", "examples": ["48..72"],
                "description": "The lowest and the highest pitch, as MIDI numbers",
            }),
            "temperature" => json!({
                "type": "number", "minimum": 0, "default": 1,
                "description": "1 is the model's own distribution; lower is safer and less diverse",
            }),
            "guidance" if classes(model)?.is_none_or(<[String]>::is_empty) => return Ok(None),
            "guidance" => json!({
                "type": "number", "minimum": 0, "description": "How strongly the class steers; 1 is the plain model",
            }),
            "autoguidance" if !model.any.has_early() => return Ok(None),
            "autoguidance" => json!({
                "type": "number", "minimum": 0,
                "description": "How far to go from what an early version of the model draws; 1 is the model alone",
            }),
            "top_k" => {
                json!({ "type": "integer", "minimum": 1, "description": "Only so many of the most probable" })
            }
            "top_p" => json!({
                "type": "number", "exclusiveMinimum": 0, "maximum": 1,
                "description": "Only the most probable up to this probability in all",
            }),
            "min_p" => json!({
                "type": "number", "minimum": 0, "maximum": 1,
                "description": "Only those at least this share as probable as the most probable one",
            }),
            "repetition" => json!({
                "type": "number", "minimum": 1, "default": 1,
                "description": "By what factor recent tokens become less probable",
            }),
            _ => return Ok(None),
        }))
    }

    fn item(&self, description: &str) -> Value {
        json!({ "description": description, "oneOf": self.item_forms() })
    }

    /// The forms of an item: text only where an item is one.
    fn item_forms(&self) -> Vec<Value> {
        let one = |key: &str, what: &str| {
            json!({
                "type": "object", "required": [key], "additionalProperties": false,
                "properties": { key: { "type": "string", "description": what } },
            })
        };
        let mut forms = vec![one("base64", "The bytes of a file")];
        if self.model.kind() == DataKind::Text {
            forms.push(one("text", "A text itself"));
        }
        if self.allow_files {
            forms.push(one("file", "A file's path"));
        }
        forms
    }

    /// The places between anchors: seeds, and items where the model has an encoder.
    fn blend(&self) -> Option<Value> {
        let can = |anchor: Anchor<()>| {
            let anchors = vec![anchor; 2];
            self.model.any.supports(&Conditioning::Blend { anchors, weights: vec![0.5; 2] })
        };
        if !can(Anchor::Seed(0)) {
            return None;
        }
        let seed = json!({
            "type": "object", "required": ["seed"], "additionalProperties": false,
            "properties": { "seed": { "type": "integer", "minimum": 0 } },
        });
        let mut anchors = vec![seed];
        if can(Anchor::Item(())) {
            anchors.extend(self.item_forms());
        }
        let number = json!({ "type": "number", "minimum": 0 });
        Some(json!({
            "type": "object", "required": ["anchors", "weights"], "additionalProperties": false,
            "description": "One item between several anchors: the place is said by their weights",
            "properties": {
                "anchors": {
                    "type": "array", "minItems": 2, "maxItems": MAX_ANCHORS, "items": { "oneOf": anchors },
                },
                "weights": { "type": "array", "minItems": 2, "maxItems": MAX_ANCHORS, "items": number },
            },
        }))
    }

    fn rows(&self, description: &str) -> Value {
        let mut forms = vec![json!({
            "type": "object", "required": ["rows"], "additionalProperties": false,
            "properties": { "rows": { "type": "array", "items": { "type": "object" } } },
        })];
        if self.allow_files {
            forms.push(json!({
                "type": "object", "required": ["file"], "additionalProperties": false,
                "properties": { "file": { "type": "string", "description": "A source's path" } },
            }));
        }
        json!({ "description": description, "oneOf": forms })
    }
}

/// The classes that items can be asked for by; `None` of a table, whose conditions are on columns.
///
/// # Errors
///
/// The model's parts do not belong together.
pub fn classes(model: &Model) -> Result<Option<&[String]>, Error> {
    Ok(match model.kind() {
        DataKind::Table => None,
        DataKind::Image => Some(&model.images()?.codec.classes),
        DataKind::Text | DataKind::Music => Some(&model.sequences()?.info.classes),
        DataKind::Audio => Some(&model.sounds()?.codec.classes),
        DataKind::Video => Some(&model.clips()?.codec.classes),
    })
}

/// The conditions: a class, or columns; as an object, or as texts COLUMN=VALUE. Nothing for a model without either.
fn conditions(model: &Model) -> Result<Option<Value>, Error> {
    // An object of columns, or a list of texts COLUMN=VALUE: the keywords of each hold for its own type alone.
    let either = |description: &str, columns: Value, most: Option<usize>| {
        let mut schema = json!({
            "description": description, "type": ["object", "array"], "properties": columns,
            "additionalProperties": false, "items": { "type": "string", "pattern": "^[^=]+=" },
        });
        if let Some(most) = most {
            schema["maxProperties"] = json!(most);
            schema["maxItems"] = json!(most);
        }
        schema
    };
    let Some(classes) = classes(model)? else {
        let columns: Map<String, Value> = model.rows()?.1.domains().into_iter().map(column).collect();
        return Ok(Some(either("Conditions that every row meets", json!(columns), None)));
    };
    if classes.is_empty() {
        return Ok(None);
    }
    let label = model.config.source.label.as_deref().unwrap_or("label");
    let columns = json!({ label: { "enum": classes } });
    Ok(Some(either("The class of every item", columns, Some(1))))
}

fn column(domain: Domain) -> (String, Value) {
    let Domain { column, kind, values, range, has_missing } = domain;
    let is_number = matches!(kind, Kind::Integer | Kind::Number);
    let as_value = |text: &String| match is_number {
        true => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        false => json!(text),
    };
    let mut ways = Vec::new();
    if !values.is_empty() {
        let listed: Vec<Value> = values.iter().take(MAX_VALUES).map(as_value).collect();
        // Of a longer list the others can be asked for as well.
        let key = if values.len() > MAX_VALUES { "examples" } else { "enum" };
        ways.push(json!({ key: listed }));
    }
    if is_number || kind == Kind::Datetime {
        let mut end = json!({ "type": if is_number { "number" } else { "string" } });
        if let Some((low, high)) = &range {
            let (low, high) = (as_value(low), as_value(high));
            match is_number && low.is_number() && high.is_number() {
                true => {
                    end["minimum"] = low;
                    end["maximum"] = high;
                }
                false => end["examples"] = json!([low, high]),
            }
        }
        if values.is_empty() {
            ways.push(end.clone());
        }
        ways.push(json!({
            "type": "object", "properties": { "from": end, "to": end }, "additionalProperties": false,
            "minProperties": 1,
        }));
    }
    if has_missing {
        ways.push(json!({ "type": "null", "description": "A missing value" }));
    }
    (column, json!({ "anyOf": ways }))
}

/// The metres that a model of music knows.
fn metres(model: &Model) -> Result<Vec<String>, Error> {
    let (_, codec) = model.music()?;
    Ok(codec
        .metres()
        .into_iter()
        .map(|metre| format!("{}/{}", metre.numerator(), metre.denominator()))
        .collect())
}
