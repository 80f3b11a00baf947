//! The TOML a user writes: two lines are enough, everything else has a default.
//!
//! Unknown keys and wrong values are errors with the place in the text and, where one is near, the key
//! that was probably meant. Command-line flags are laid over the file with [`Recipe::set`].

use std::{ops::Range, time::Duration};

use mintage_data::SourceSpec;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::models::{Family, Size, TableConfig};

/// A recipe, or a value of one, that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct RecipeError {
    /// What is wrong, in words.
    pub message: String,
    /// Byte range in the recipe's text.
    pub span: Option<Range<usize>>,
    /// The key that is wrong, such as "model.width".
    pub key: Option<String>,
    /// What to write instead, where that is known.
    pub hint: Option<String>,
}

impl RecipeError {
    /// Something is wrong with the value of `key`, or there is no such key.
    pub(crate) fn of_key(key: &str, why: &str, hint: Option<String>) -> Self {
        Self { message: format!("{key}: {why}"), span: None, key: Some(key.to_owned()), hint }
    }
}

/// What to learn from, with which model, for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// `[data]`: what to learn from, and how it is read.
    pub data: SourceSpec,
    /// `[model]`: the family, its size and its options.
    #[serde(default)]
    pub model: ModelSpec,
    /// `[train]`: the budget and the loop.
    #[serde(default)]
    pub train: TrainSpec,
}

/// `[model]`: the family, its size, and any option of that family's `Config`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// The family; `None` is the default of the kind of data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// The size preset, which sets all options that are not given.
    #[serde(default)]
    pub size: Size,
    /// Why the family was taken, where it was chosen by what was measured; no part of the text.
    #[serde(skip)]
    pub why: Option<String>,
    /// Options of the family, checked against its `Config`.
    #[serde(flatten)]
    pub options: toml::Table,
}

impl ModelSpec {
    /// The family that learns rows by it, those of a whole database as well.
    pub fn family_of_rows(&self) -> Family {
        self.family.unwrap_or(TableConfig::AUTO)
    }
}

/// Images of each validation, unless the recipe says otherwise.
pub const VALID_IMAGES: usize = 512;
/// Rows of each validation, unless the recipe says otherwise.
pub const VALID_ROWS: usize = 4096;

/// Windows or segments of each validation, unless the recipe says otherwise.
pub const VALID_SEQUENCES: usize = 256;
/// Sounds or segments of each validation, unless the recipe says otherwise.
pub const VALID_SOUNDS: usize = 128;
/// Clips or windows of each validation, unless the recipe says otherwise.
pub const VALID_CLIPS: usize = 128;

/// `[train]`: the budget and the loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSpec {
    /// Budget of wall-clock time, such as "90s", "10m" or "2h"; ignored when `steps` is given.
    pub time: String,
    /// Budget in steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Seed of all random numbers of the training: initial weights, order of the items, noise.
    pub seed: u64,
    /// Validations without improvement after which training stops; 0 never stops early.
    pub patience: usize,
    /// Number of previews over the whole run.
    pub previews: usize,
    /// Items of the valid split used at each validation.
    ///
    /// `None`: [`VALID_IMAGES`], [`VALID_ROWS`], [`VALID_SEQUENCES`], [`VALID_SOUNDS`] or [`VALID_CLIPS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_items: Option<usize>,
    /// How exact matrix products and convolutions are.
    pub precision: Precision,
}

/// How exact the large matrix products and the convolutions of training steps are.
///
/// Validation, sampling and judging are always exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Factors are rounded to bfloat16 where the CPU has tiles for it (Intel AMX), unless the model is of tables.
    #[default]
    Auto,
    /// Single precision everywhere.
    Full,
}

impl Default for TrainSpec {
    fn default() -> Self {
        Self {
            time: "10m".to_owned(),
            steps: None,
            seed: 1,
            patience: 15,
            previews: 6,
            valid_items: None,
            precision: Precision::Auto,
        }
    }
}

impl TrainSpec {
    /// The time budget; `None` when the budget is in steps.
    ///
    /// # Errors
    /// `time` is not a length of time.
    pub fn budget(&self) -> Result<Option<Duration>, RecipeError> {
        match self.steps {
            Some(_) => Ok(None),
            None => parse_duration(&self.time).map(Some),
        }
    }
}

/// Reads a length of time: "90s", "10m", "1h30m", "500ms"; a bare number is seconds.
///
/// # Errors
/// The text is not a length of time between 0 and 10⁹ seconds.
pub fn parse_duration(text: &str) -> Result<Duration, RecipeError> {
    let wrong = || RecipeError {
        message: format!("`{text}` is no length of time"),
        span: None,
        key: Some("train.time".to_owned()),
        hint: Some("write it like 90s, 10m or 1h30m".to_owned()),
    };
    let mut total = 0.0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += number
            * match rest[..unit].trim() {
                "" | "s" | "sec" | "с" => 1.0,
                "ms" => 1e-3,
                "m" | "min" | "м" | "мин" => 60.0,
                "h" | "ч" => 3600.0,
                _ => return Err(wrong()),
            };
        rest = &rest[unit..];
    }
    if total.is_finite() && total > 0.0 && total < 1e9 {
        Ok(Duration::from_secs_f64(total))
    } else {
        Err(wrong())
    }
}

/// A length of time as people say one, rounded up to seconds, minutes or hours; [`length`] has its words.
pub(crate) fn rounded_secs(secs: f64) -> u64 {
    let unit: u64 = match secs {
        ..90.0 => 10,
        ..7200.0 => 60,
        _ => 3600,
    };
    ((secs / unit as f64).ceil() as u64).max(1).saturating_mul(unit)
}

/// 12 and "minutes", of rounded seconds.
pub(crate) fn length(secs: u64) -> (u64, &'static str) {
    match secs {
        7200.. if secs.is_multiple_of(3600) => (secs / 3600, "hours"),
        120.. if secs.is_multiple_of(60) => (secs / 60, "minutes"),
        _ => (secs, "seconds"),
    }
}

impl Recipe {
    /// The recipe for a bare source, everything else at its default.
    pub fn for_source(source: &str) -> Self {
        Self {
            data: SourceSpec { source: source.to_owned(), ..SourceSpec::default() },
            model: ModelSpec::default(),
            train: TrainSpec::default(),
        }
    }

    /// Reads a recipe's text.
    ///
    /// # Errors
    /// The text is not TOML, has an unknown key, or a value of the wrong type.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let recipe: Self = toml::from_str(text).map_err(from_toml)?;
        recipe.train.budget().map_err(|e| RecipeError { span: place_of(text, "train.time"), ..e })?;
        Ok(recipe)
    }

    /// The recipe as TOML, every default written out.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// The recipe as TOML without some keys of `[data]`.
    pub fn to_toml_without(&self, keys: &[&str]) -> String {
        let mut recipe = toml::Table::try_from(self).unwrap_or_default();
        if let Some(data) = recipe.get_mut("data").and_then(toml::Value::as_table_mut) {
            data.retain(|key, _| !keys.contains(&key));
        }
        toml::to_string(&recipe).unwrap_or_default()
    }

    /// Lays `key=value` over the recipe: `model.width=64`, `train.seed=7`.
    ///
    /// A key without a section is one of `[model]`. The value is read as TOML where it can be, as a string
    /// otherwise.
    ///
    /// # Errors
    /// The text is not an assignment, there is no such section or key, or the value has the wrong type.
    pub fn set(&mut self, assignment: &str) -> Result<(), RecipeError> {
        let wrong = |message: String, hint: &str| RecipeError {
            message,
            span: None,
            key: None,
            hint: Some(hint.to_owned()),
        };
        let Some((key, value)) = assignment.split_once('=') else {
            return Err(wrong(format!("`{assignment}` is no assignment"), "write it like -s model.width=64"));
        };
        let (section, key) = key.trim().split_once('.').unwrap_or(("model", key.trim()));
        if !["data", "model", "train"].contains(&section) {
            return Err(wrong(format!("no section `{section}`"), "the sections are data, model and train"));
        }
        let value = value.trim();
        let parsed = toml::from_str::<toml::Table>(&format!("v = {value}"))
            .ok()
            .and_then(|mut table| table.remove("v"))
            .unwrap_or_else(|| toml::Value::String(value.to_owned()));
        let mut table =
            toml::Table::try_from(&*self).map_err(|e| wrong(e.to_string(), "check the recipe"))?;
        if let Some(toml::Value::Table(section)) = table.get_mut(section) {
            section.insert(key.to_owned(), parsed);
        }
        *self = table.try_into().map_err(|error| from_toml_of(&format!("{section}.{key}"), error))?;
        Ok(())
    }
}

fn from_toml(error: toml::de::Error) -> RecipeError {
    // Serde names Rust's types.
    let message = error.message().replace("expected usize", "expected a whole number");
    let message = message.replace("expected u64", "expected a whole number");
    let message = message.replace("expected f64", "expected a number");
    let hint = match message.as_str() {
        "missing field `data`" => Some("two lines are enough: [data] and source = \"…\"".to_owned()),
        _ => did_you_mean(&message),
    };
    RecipeError { hint, span: error.span(), key: None, message }
}

/// The same about a value that is known to be that of `key`.
fn from_toml_of(key: &str, error: toml::de::Error) -> RecipeError {
    let RecipeError { message, hint, .. } = from_toml(error);
    RecipeError::of_key(key, &message, hint)
}

/// The byte range of a key such as "model.width" and its value in a recipe's text.
pub fn place_of(text: &str, key: &str) -> Option<Range<usize>> {
    let recipe = toml::de::DeTable::parse(text).ok()?;
    let (section, key) = key.split_once('.')?;
    let section = recipe.get_ref().get(section)?.get_ref().as_table()?;
    let (name, value) = section.iter().find(|(name, _)| name.get_ref() == key)?;
    Some(name.span().start..value.span().end)
}

/// For serde's "unknown field `x`, expected one of `a`, `b`": the nearest of the expected names.
fn did_you_mean(message: &str) -> Option<String> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (wrong, known) = quoted.split_first()?;
    nearest(wrong, known.iter().copied()).map(|name| format!("did you mean `{name}`?"))
}

/// Bytes of a name that others are suggested for.
const MAX_NAME_BYTES: usize = 1024;

/// The candidate nearest to `name` by edit distance; `None` where none is near.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Longer than any name, and too long to be compared with many.
    if name.len() > MAX_NAME_BYTES {
        return None;
    }
    candidates
        .map(|c| (strsim::damerau_levenshtein(&name.to_lowercase(), &c.to_lowercase()), c))
        .filter(|(distance, c)| *distance <= (c.chars().count().max(name.chars().count()) / 2).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

/// Options that have another name since, and that name.
const RENAMED: [(&str, &str); 9] = [
    ("head_start", "kl_warmup"),
    ("play_from", "adversarial_start"),
    ("critic_from", "critic_start"),
    ("prior_from", "prior_start"),
    ("redrawn", "resample"),
    ("continued", "p_continue"),
    ("given", "p_given"),
    ("rounds", "griffin_lim_iters"),
    ("stretches", "n_codes"),
];

/// `preset` with the user's options laid over it; an unknown option or a wrong type is an error.
pub(crate) fn merge_options<C: Serialize + DeserializeOwned>(
    preset: C,
    options: &toml::Table,
) -> Result<C, RecipeError> {
    let mut table =
        toml::Table::try_from(&preset).map_err(|e| RecipeError::of_key("model", &e.to_string(), None))?;
    let known: Vec<String> = table.keys().cloned().collect();
    let mut config = preset;
    for (key, value) in options {
        let path = format!("model.{key}");
        let Some(old) = table.get(key) else {
            let renamed =
                RENAMED.iter().find(|(before, now)| before == key && known.iter().any(|k| k == now));
            if let Some((_, now)) = renamed {
                let hint = Some(format!("`{key}` is called `{now}` now"));
                return Err(RecipeError::of_key(&path, "the model has no such option", hint));
            }
            let hint = match nearest(key, known.iter().map(String::as_str)) {
                Some(name) => format!("did you mean `{name}`? the options are {}", known.join(", ")),
                None => format!("the options are {}", known.join(", ")),
            };
            return Err(RecipeError::of_key(&path, "the model has no such option", Some(hint)));
        };
        // An integer where a float is wanted is what people write.
        let value = match (old, value) {
            (toml::Value::Float(_), toml::Value::Integer(i)) => toml::Value::Float(*i as f64),
            _ => value.clone(),
        };
        table.insert(key.clone(), value);
        // One by one: the error does not say which it was.
        config = table.clone().try_into().map_err(|error| from_toml_of(&path, error))?;
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn two_lines_are_enough() {
        let recipe = Recipe::parse("[data]\nsource = \"shop.db\"\n").unwrap();
        assert_eq!(recipe, Recipe::for_source("shop.db"));
        assert_eq!(Recipe::parse(&recipe.to_toml()).unwrap(), recipe);
        let shown = recipe.to_toml_without(&["fit", "color"]);
        assert!(!shown.contains("fit") && shown.contains("source"), "{shown}");
        assert_eq!(Recipe::parse(&shown).unwrap(), recipe);
    }

    #[test]
    fn unknown_key_has_a_span_and_a_hint() {
        let error = Recipe::parse("[data]\nsource = \"x\"\n[train]\nsede = 3\n").unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `seed`?"));
        assert!(error.span.is_some());
    }

    #[test]
    fn places_of_keys() {
        let text = "[data]\nsource = \"x\"\n[model]\nwidth = \"wide\"\n";
        assert_eq!(place_of(text, "model.width").map(|place| &text[place]), Some("width = \"wide\""));
        assert_eq!(place_of(text, "model.depth"), None);
        let error = Recipe::parse("[data]\nsource = \"x\"\n[train]\ntime = \"soon\"\n").unwrap_err();
        assert_eq!(error.span, Some(28..41));
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("90s").unwrap().as_secs(), 90);
        assert_eq!(parse_duration("1h30m").unwrap().as_secs(), 5400);
        assert_eq!(parse_duration("10 м").unwrap().as_secs(), 600);
        for bad in ["", "m", "ten", "-5s", "0s", "1e99h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn set_reaches_every_section() {
        let mut recipe = Recipe::for_source("x");
        recipe.set("train.seed=7").unwrap();
        recipe.set("width=64").unwrap();
        recipe.set("data.table=goods").unwrap();
        assert_eq!(recipe.train.seed, 7);
        assert_eq!(recipe.model.options["width"].as_integer(), Some(64));
        assert_eq!(recipe.data.table.as_deref(), Some("goods"));
        assert!(recipe.set("train.sede=7").is_err());
    }
}
