//! What can be asked of a model, as data: the same fields for a command line, a form and a program.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use mintage_data::{
    names::{path_of, text_of},
    table::encoder::{Allow, Where},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value, json};

use crate::{error::Error, sample::Limits};

/// Fields that cannot be met together.
pub(super) const APART: [(&str, &str); 9] = [
    ("like", "between"),
    ("blend", "like"),
    ("blend", "between"),
    ("prompt", "continue"),
    ("given", "fill"),
    ("n", "given"),
    ("n", "fill"),
    ("match", "json_shape"),
    ("frames", "seconds"),
];

/// The seed of a request that names none.
pub const DEFAULT_SEED: u64 = 0;

/// What to make. Every field may be left out; one that has no meaning for a model is refused, see [`Request::check`].
///
/// As JSON, only the fields that are given stand in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// How many items; without it as many as the kind of data makes by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<usize>,
    /// Seed of every random choice: the same request with the same seed gives the same items. Without it whoever draws
    /// chooses one ([`Model::generate`](crate::Model::generate) takes [`DEFAULT_SEED`]), and
    /// [`Generation::seed`](super::Generation::seed) says which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Conditions that every item meets: one class, or columns of a table.
    #[serde(rename = "where", skip_serializing_if = "Vec::is_empty", deserialize_with = "read_conditions")]
    #[serde(serialize_with = "write_conditions")]
    pub conditions: Vec<Where>,
    /// Rows to complete: their cells are kept, the columns that they lack are drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<Rows>,
    /// Rows with gaps: missing cells get values, all others are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill: Option<Rows>,
    /// What every text begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// An item to go on from.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub continued: Option<Item>,
    /// An item to vary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<Item>,
    /// How far variations go, in `[0, 1]`: 0 is the item as the model sees it, 1 a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
    /// Two items to interpolate between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between: Option<[Item; 2]>,
    /// Seeds and items to blend into one item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blend: Option<Blend>,
    /// Characters of a text at most; bars of a tune exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Frames of a clip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
    /// Seconds of a sound at most; seconds of a clip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Go on with another text where one ends, up to the length.
    #[serde(skip_serializing_if = "is_false")]
    pub endless: bool,
    /// A text ends before the first of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// A regular expression that a text matches from beginning to end.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The JSON that a text is, with the types of its values: `{"name": "string"}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_shape: Option<String>,
    /// The scale of a tune: "C major".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The metre of a tune: "3/4".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metre: Option<String>,
    /// The lowest and the highest pitch of a tune, as MIDI numbers: "48..72".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// 1 is the model's own distribution; lower is safer and less diverse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Weight of classifier-free guidance towards the class; 1 is the plain model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guidance: Option<f64>,
    /// Weight of guidance by an early version of the model; 1 is the model alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoguidance: Option<f64>,
    /// Only this many of the most probable codes or tokens at each place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// Only the most probable codes or tokens up to this probability in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Only codes or tokens at least this share as probable as the most probable one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f64>,
    /// By what factor recent tokens become less probable; 1 leaves them alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition: Option<f64>,
}

/// An image, a text, a tune, a sound or a clip that new ones are made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Item {
    /// A file on this machine.
    #[serde(serialize_with = "write_path", deserialize_with = "read_path")]
    File(PathBuf),
    /// A text itself.
    Text(String),
    /// The bytes of a file.
    #[serde(rename = "base64", serialize_with = "write_bytes", deserialize_with = "read_bytes")]
    Bytes(Vec<u8>),
}

/// A place between several anchors, such as the corners of a pad: one item whose start is the weighted mean of theirs, see
/// [`Conditioning::Blend`](crate::Conditioning::Blend).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blend {
    /// 2 to 8.
    pub anchors: Vec<BlendAnchor>,
    /// One an anchor, 0 or more, not all 0; their shares of the sum count. A seed with all the weight gives the item that
    /// the seed alone gives.
    pub weights: Vec<f64>,
}

/// An anchor of a [`Blend`]: `{"seed": 7}`, or an item as it stands elsewhere in a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "AnchorJson", into = "AnchorJson")]
pub enum BlendAnchor {
    /// The first new item of a seed.
    Seed(u64),
    /// An item.
    Item(Item),
}

/// Both kinds of anchors beside each other, as they stand in JSON.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AnchorJson {
    Seed(u64),
    #[serde(serialize_with = "write_path", deserialize_with = "read_path")]
    File(PathBuf),
    Text(String),
    #[serde(rename = "base64", serialize_with = "write_bytes", deserialize_with = "read_bytes")]
    Bytes(Vec<u8>),
}

impl From<AnchorJson> for BlendAnchor {
    fn from(anchor: AnchorJson) -> Self {
        match anchor {
            AnchorJson::Seed(seed) => Self::Seed(seed),
            AnchorJson::File(path) => Self::Item(Item::File(path)),
            AnchorJson::Text(text) => Self::Item(Item::Text(text)),
            AnchorJson::Bytes(bytes) => Self::Item(Item::Bytes(bytes)),
        }
    }
}

impl From<BlendAnchor> for AnchorJson {
    fn from(anchor: BlendAnchor) -> Self {
        match anchor {
            BlendAnchor::Seed(seed) => Self::Seed(seed),
            BlendAnchor::Item(Item::File(path)) => Self::File(path),
            BlendAnchor::Item(Item::Text(text)) => Self::Text(text),
            BlendAnchor::Item(Item::Bytes(bytes)) => Self::Bytes(bytes),
        }
    }
}

/// Rows to complete or to fill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rows {
    /// A file or any other source on this machine.
    File(String),
    /// The rows themselves, each by the names of its columns; a cell that is absent or `null` is missing.
    Rows(Vec<Map<String, Value>>),
}

impl Request {
    /// Reads a request from JSON.
    ///
    /// # Errors
    ///
    /// The text is no JSON, or names a field that there is not, or a value of another type.
    pub fn parse(json: &str) -> Result<Self, Error> {
        serde_json::from_str(json)
            .map_err(|error| Error::request(format!("the request cannot be read: {error}")))
    }

    /// The request as JSON, without fields that were not given.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The fields that are given, by their names in JSON.
    pub(super) fn given_fields(&self) -> impl Iterator<Item = &'static str> {
        let fields = [
            ("n", self.n.is_some()),
            ("seed", self.seed.is_some()),
            ("where", !self.conditions.is_empty()),
            ("given", self.given.is_some()),
            ("fill", self.fill.is_some()),
            ("prompt", self.prompt.is_some()),
            ("continue", self.continued.is_some()),
            ("like", self.like.is_some()),
            ("strength", self.strength.is_some()),
            ("between", self.between.is_some()),
            ("blend", self.blend.is_some()),
            ("length", self.length.is_some()),
            ("frames", self.frames.is_some()),
            ("seconds", self.seconds.is_some()),
            ("endless", self.endless),
            ("stop", !self.stop.is_empty()),
            ("match", self.pattern.is_some()),
            ("json_shape", self.json_shape.is_some()),
            ("key", self.key.is_some()),
            ("metre", self.metre.is_some()),
            ("range", self.range.is_some()),
            ("temperature", self.temperature.is_some()),
            ("guidance", self.guidance.is_some()),
            ("autoguidance", self.autoguidance.is_some()),
            ("top_k", self.top_k.is_some()),
            ("top_p", self.top_p.is_some()),
            ("min_p", self.min_p.is_some()),
            ("repetition", self.repetition.is_some()),
        ];
        fields.into_iter().filter_map(|(name, is_given)| is_given.then_some(name))
    }

    /// What goes into the provenance of every item: all but their number and the seed, which stands beside. Bytes and rows
    /// are summed up, and no password of an address is kept.
    pub(super) fn options(&self) -> Value {
        let mut options = self.to_json();
        let Some(fields) = options.as_object_mut() else { return options };
        fields.remove("n");
        fields.remove("seed");
        fields.values_mut().for_each(summed_up);
        options
    }

    /// The seed, or the one that stands for none.
    pub(super) fn seed_or_default(&self) -> u64 {
        self.seed.unwrap_or(DEFAULT_SEED)
    }

    /// Its items of all fields.
    fn items(&self) -> impl Iterator<Item = &Item> {
        let anchors = self.blend.iter().flat_map(|blend| &blend.anchors).filter_map(|anchor| match anchor {
            BlendAnchor::Item(item) => Some(item),
            BlendAnchor::Seed(_) => None,
        });
        let single = [&self.continued, &self.like].into_iter().flatten();
        single.chain(self.between.iter().flatten()).chain(anchors)
    }

    /// Whether it names files of this machine. A program that takes requests from elsewhere refuses those.
    pub fn names_files(&self) -> bool {
        self.items().any(|item| matches!(item, Item::File(_)))
            || [&self.given, &self.fill].into_iter().flatten().any(|rows| matches!(rows, Rows::File(_)))
    }

    /// Values that no model can do anything with.
    pub(super) fn check_values(&self) -> Result<(), Error> {
        let at_least_one = |field, value: Option<usize>| match value {
            Some(0) => Err(Error::field(field, "must be at least 1")),
            _ => Ok(()),
        };
        at_least_one("n", self.n)?;
        if self.blend.is_some() && self.n.is_some_and(|n| n != 1) {
            return Err(Error::field("n", "must be 1 with `blend`, which is one item"));
        }
        at_least_one("top_k", self.top_k)?;
        at_least_one("length", self.length)?;
        if self.temperature.is_some_and(|t| !(t.is_finite() && t >= 0.0)) {
            return Err(Error::field("temperature", "must be 0 or more")
                .with_hint("1 is the model's own distribution"));
        }
        if self.guidance.is_some_and(|w| !(w.is_finite() && w >= 0.0)) {
            return Err(Error::field("guidance", "must be 0 or more")
                .with_hint("1 is the plain model, 2 or 3 steer more strongly"));
        }
        if self.autoguidance.is_some_and(|w| !(w.is_finite() && w >= 0.0)) {
            return Err(Error::field("autoguidance", "must be 0 or more")
                .with_hint("1 is the model alone, 1.5 or 2 go beyond it"));
        }
        if self.strength.is_some_and(|s| !(0.0..=1.0).contains(&s)) {
            return Err(Error::field("strength", "must lie between 0 and 1")
                .with_hint("0 is the item itself, as the model sees it, 1 a new one"));
        }
        if self.top_p.is_some_and(|p| !(p > 0.0 && p <= 1.0)) {
            return Err(Error::field("top_p", "must lie between 0 and 1"));
        }
        if self.min_p.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err(Error::field("min_p", "must lie between 0 and 1"));
        }
        if self.repetition.is_some_and(|r| !(r.is_finite() && r >= 1.0)) {
            return Err(Error::field("repetition", "must be 1 or more")
                .with_hint("1 leaves repetitions alone, 1.2 makes them rare"));
        }
        if self.stop.iter().any(String::is_empty) {
            return Err(Error::field("stop", "needs a text that is not empty"));
        }
        self.check_pairs()
    }

    /// Texts that are longer than the limits allow.
    pub(super) fn check_texts(&self, limits: &Limits) -> Result<(), Error> {
        if let Some(prompt) = &self.prompt {
            limits.check_text("prompt", prompt)?;
        }
        limits.check_text("stop", &self.stop.concat())
    }

    /// Fields that exclude or need each other.
    fn check_pairs(&self) -> Result<(), Error> {
        let is_given = |field: &str| self.given_fields().any(|given| given == field);
        if let Some((a, b)) = APART.into_iter().find(|(a, b)| is_given(a) && is_given(b)) {
            return Err(Error::field(a, format!("cannot be met together with `{b}`")));
        }
        match is_given("strength") && !is_given("like") {
            true => Err(Error::field("strength", "needs an item to vary").with_hint("give it as `like`")),
            false => Ok(()),
        }
    }
}

/// In place of the bytes of an item their number and hash, in place of rows how many there are; addresses lose their passwords.
fn summed_up(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(summed_up),
        Value::Object(item) => {
            if let Some(Value::String(bytes)) = item.get("base64") {
                let (chars, hash) = (bytes.len(), xxhash_rust::xxh3::xxh3_64(bytes.as_bytes()));
                *value = json!({ "base64_chars": chars, "xxh3": format!("{hash:016x}") });
            } else if let Some(Value::Array(rows)) = item.get("rows") {
                *value = json!({ "rows": rows.len() });
            } else if let Some(Value::String(file)) = item.get_mut("file") {
                *file = mintage_data::table::without_passwords(file).into_owned();
            } else {
                item.values_mut().for_each(summed_up);
            }
        }
        _ => {}
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Conditions as texts, `COLUMN=VALUE`: nothing is lost where a column has two.
fn write_conditions<S: Serializer>(conditions: &[Where], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(conditions.iter().map(ToString::to_string))
}

/// Conditions as texts, or as an object: `{"sex": "Female", "age": {"from": 30, "to": 40}}`.
fn read_conditions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Where>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Array(texts) => texts.iter().map(condition_of_text).collect::<Result<_, _>>(),
        Value::Object(columns) => columns.into_iter().map(condition_of_column).collect::<Result<_, _>>(),
        _ => Err("`where` is an object of columns, or a list of texts COLUMN=VALUE".to_owned()),
    }
    .map_err(de::Error::custom)
}

fn condition_of_text(text: &Value) -> Result<Where, String> {
    let text = text.as_str().ok_or("a condition in a list is a text COLUMN=VALUE")?;
    Where::parse(text).map_err(|error| error.to_string())
}

fn condition_of_column((column, value): (String, Value)) -> Result<Where, String> {
    let allow = match &value {
        Value::Object(ends) if ends.keys().all(|key| key == "from" || key == "to") && !ends.is_empty() => {
            let end = |key: &str| ends.get(key).filter(|end| !end.is_null()).map(cell).transpose();
            match (end("from")?, end("to")?) {
                (None, None) => return Err(format!("the range of `{column}` is open at both ends")),
                (from, to) => Allow::Range(from, to),
            }
        }
        Value::Null => Allow::Value(String::new()),
        value => Allow::Value(cell(value)?),
    };
    Ok(Where { column, allow })
}

/// A cell of a table, as text.
pub(super) fn cell(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        other => Err(format!("{other} is no value of a cell")),
    }
}

/// A path of any bytes as text, and back.
fn write_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text_of(path.as_os_str()))
}

fn read_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    Ok(path_of(&String::deserialize(deserializer)?).into_owned())
}

fn write_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn read_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn json_comes_back_as_it_was() {
        let request = Request {
            n: Some(3),
            seed: Some(7),
            conditions: vec![Where::parse("age=30..40").unwrap(), Where::parse("sex=\"a..b\"").unwrap()],
            like: Some(Item::Bytes(vec![0, 255, 7])),
            between: Some([Item::File("a.png".into()), Item::Text("я".to_owned())]),
            blend: Some(Blend {
                anchors: vec![BlendAnchor::Seed(7), BlendAnchor::Item(Item::Text("b".to_owned()))],
                weights: vec![0.5, 0.5],
            }),
            temperature: Some(0.8),
            ..Request::default()
        };
        let json = request.to_json();
        assert_eq!(json["where"], serde_json::json!(["age=30..40", "sex=\"a..b\""]));
        assert_eq!(Request::parse(&json.to_string()).unwrap(), request);
        assert_eq!(Request::default().to_json(), serde_json::json!({}));
    }

    #[test]
    fn conditions_are_texts_or_an_object() {
        let of = |json: &str| Request::parse(json).map(|request| request.conditions);
        let object =
            of(r#"{"where": {"age": {"from": 30, "to": 40}, "sex": "F", "wage": null, "n": 2}}"#).unwrap();
        let texts = of(r#"{"where": ["age=30..40", "sex=F", "wage=", "n=2"]}"#).unwrap();
        assert_eq!(object, texts);
        for bad in [
            r#"{"where": 3}"#,
            r#"{"where": {"a": [1]}}"#,
            r#"{"where": ["a"]}"#,
            r#"{"wher": {}}"#,
            r#"{"where": {"a": {"to": null}}}"#,
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rejects_values_that_no_model_can_use() {
        let refused = |json: &str| Request::parse(json).unwrap().check_values().is_err();
        for bad in [
            r#"{"n": 0}"#,
            r#"{"temperature": -1}"#,
            r#"{"top_p": 0}"#,
            r#"{"min_p": 1.5}"#,
            r#"{"repetition": 0.5}"#,
            r#"{"stop": [""]}"#,
            r#"{"strength": 0.5}"#,
            r#"{"prompt": "a", "continue": {"text": "b"}}"#,
            r#"{"n": 1, "given": {"rows": []}}"#,
            r#"{"n": 2, "blend": {"anchors": [{"seed": 1}, {"seed": 2}], "weights": [1, 1]}}"#,
        ] {
            assert!(refused(bad), "{bad}");
        }
        assert!(!refused(r#"{"n": 1, "like": {"file": "a"}, "strength": 0.5, "temperature": 0}"#));
    }

    #[test]
    fn provenance_keeps_no_bytes_rows_or_passwords() {
        let options = |json: &str| Request::parse(json).unwrap().options();
        let of = options(r#"{"n": 3, "seed": 2, "like": {"base64": "AAAA"}, "temperature": 0.5}"#);
        assert_eq!((&of["like"]["base64_chars"], &of["temperature"]), (&json!(4), &json!(0.5)));
        assert!(of.get("n").is_none() && of.get("seed").is_none() && of["like"].get("base64").is_none());
        assert_eq!(options(r#"{"fill": {"rows": [{"a": 1}, {}]}}"#)["fill"], json!({ "rows": 2 }));
        let secret = options(r#"{"given": {"file": "postgres://me:geheim@host/db"}}"#);
        assert!(!secret.to_string().contains("geheim"), "{secret}");
        let blend = r#"{"blend": {"anchors": [{"seed": 7}, {"base64": "AAAA"}], "weights": [0.25, 0.75]}}"#;
        let blend = &options(blend)["blend"];
        assert_eq!((&blend["anchors"][0], &blend["weights"]), (&json!({ "seed": 7 }), &json!([0.25, 0.75])));
        assert_eq!(blend["anchors"][1]["base64_chars"], 4);
    }

    #[cfg(unix)]
    #[test]
    fn names_of_files_need_not_be_texts() {
        use std::os::unix::ffi::OsStrExt;
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(b"bad\xff.png"));
        let request = Request { like: Some(Item::File(path)), ..Request::default() };
        assert_eq!(Request::parse(&request.to_json().to_string()).unwrap(), request);
    }

    #[test]
    fn knows_whether_it_names_files() {
        let names = |json: &str| Request::parse(json).unwrap().names_files();
        assert!(names(r#"{"like": {"file": "/etc/passwd"}}"#) && names(r#"{"fill": {"file": "a.csv"}}"#));
        assert!(!names(r#"{"like": {"text": "a"}, "fill": {"rows": [{"a": 1}]}}"#));
        assert!(names(r#"{"blend": {"anchors": [{"seed": 1}, {"file": "a.png"}], "weights": [1, 1]}}"#));
    }
}
