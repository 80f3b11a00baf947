//! Which fields of a [`Request`] and of an [`Output`](super::Output) have a meaning for which kind and which family: one
//! table, by which they are refused, help is grouped and the JSON Schema is written.

use mintage_data::DataKind::{self, Audio, Image, Music, Table, Text, Video};

use super::Request;
use crate::{Model, error::Error, models::Family};

/// A field, and what it has a meaning for.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As in JSON; a command writes it with hyphens.
    pub name: &'static str,
    /// The kinds of data that it has a meaning for.
    pub kinds: &'static [DataKind],
    /// Kinds of which only some families know what to do with it.
    pub families: &'static [(DataKind, &'static [Family])],
}

const ALL: &[DataKind] = &[Image, Table, Text, Music, Audio, Video];
const MEDIA: &[DataKind] = &[Image, Text, Music, Audio, Video];
const ANY: &[(DataKind, &[Family])] = &[];
/// Of these kinds only a VQ-VAE draws codes, which can be cut to the probable ones.
const CODES: &[(DataKind, &[Family])] =
    &[(Image, &[Family::Vqvae]), (Audio, &[Family::Vqvae]), (Video, &[Family::Vqvae])];
/// Guidance takes a pass without the class, which a GAN and the VAE of images do not have.
const GUIDED: &[(DataKind, &[Family])] = &[
    (Image, &[Family::Vqvae, Family::Flow]),
    (Audio, &[Family::Vae, Family::Vqvae]),
    (Video, &[Family::Vae, Family::Vqvae]),
];

/// Flows keep an early version of themselves. One is the prior of these VAEs, of images where latents are a grid.
const AUTOGUIDED: &[(DataKind, &[Family])] =
    &[(Image, &[Family::Vae, Family::Flow]), (Audio, &[Family::Vae]), (Video, &[Family::Vae])];

/// A blend takes a start that is a point of a space: noise, or the latent vectors of a VAE.
const BLENDED: &[(DataKind, &[Family])] = &[
    (Image, &[Family::Vae, Family::Gan, Family::Flow]),
    (Text, &[Family::Vae]),
    (Music, &[Family::Vae]),
    (Audio, &[Family::Vae, Family::Gan]),
    (Video, &[Family::Vae, Family::Gan]),
];

const fn field(
    name: &'static str,
    kinds: &'static [DataKind],
    families: &'static [(DataKind, &'static [Family])],
) -> Field {
    Field { name, kinds, families }
}

/// What can be asked of a model.
pub const REQUEST: &[Field] = &[
    field("n", ALL, ANY),
    field("seed", ALL, ANY),
    field("where", ALL, ANY),
    field("given", &[Table], ANY),
    field("fill", &[Table], ANY),
    field("prompt", &[Text], ANY),
    field("continue", &[Text, Music, Audio, Video], ANY),
    field("like", MEDIA, ANY),
    field("strength", MEDIA, ANY),
    field("between", &[Image, Text, Music], ANY),
    field("blend", MEDIA, BLENDED),
    field("length", &[Text, Music], ANY),
    field("frames", &[Video], ANY),
    field("seconds", &[Audio, Video], ANY),
    field("endless", &[Text], ANY),
    field("stop", &[Text], ANY),
    field("match", &[Text], ANY),
    field("json_shape", &[Text], ANY),
    field("key", &[Music], ANY),
    field("metre", &[Music], ANY),
    field("range", &[Music], ANY),
    field("temperature", ALL, ANY),
    field("guidance", MEDIA, GUIDED),
    field("autoguidance", &[Image, Audio, Video], AUTOGUIDED),
    field("top_k", MEDIA, CODES),
    field("top_p", MEDIA, CODES),
    field("min_p", &[Text, Music, Audio, Video], CODES),
    field("repetition", &[Text, Music], ANY),
];

/// Where what was made goes, and how it is written.
pub const OUTPUT: &[Field] = &[
    field("out", ALL, ANY),
    field("if_exists", ALL, ANY),
    field("table", ALL, ANY),
    field("column", MEDIA, ANY),
    field("label_column", MEDIA, ANY),
    field("encoding", &[Table], ANY),
    field("delimiter", &[Table], ANY),
    field("quote_formulas", &[Table], ANY),
    field("no_provenance", &[Table], ANY),
    field("grid", &[Image, Video], ANY),
    field("bits", &[Audio], ANY),
    field("sound_font", &[Music], ANY),
];

/// The field called `name` of a request or an output.
pub fn find(name: &str) -> Option<&'static Field> {
    REQUEST.iter().chain(OUTPUT).find(|field| field.name == name)
}

impl Field {
    /// Whether the field has a meaning for a kind of data and a family.
    pub fn suits(&self, kind: DataKind, family: Family) -> bool {
        let families = self.families.iter().find(|(of, _)| *of == kind);
        self.kinds.contains(&kind) && families.is_none_or(|(_, families)| families.contains(&family))
    }

    /// The error for a field that has no meaning.
    fn meaningless(&self, kind: DataKind, family: Family) -> Error {
        let families = self.families.iter().find(|(of, _)| *of == kind && self.kinds.contains(&kind));
        if let Some((_, able)) = families {
            let (items, names) = (kind.items(), able.iter().map(|family| family.name()).collect::<Vec<_>>());
            return Error::field(self.name, format!("has no meaning for this {} of {items}", family.name()))
                .with_hint(format!("of models of {items} it is for {}", names.join(" and ")));
        }
        let what = match kind {
            Table => "table rows".to_owned(),
            Music => "this model of music".to_owned(),
            kind => format!("this model of {}", kind.items()),
        };
        Error::field(self.name, format!("has no meaning for {what}")).with_hint(instead(kind))
    }
}

/// What can be asked of a kind instead; names of fields stand in backticks.
fn instead(kind: DataKind) -> &'static str {
    match kind {
        Image => "images are of a class with `where`, vary one with `like`, and lie `between` two",
        Table => "conditions are given with `where`, rows to complete with `given`",
        Text => "texts begin with `prompt` or `continue`, and are of a class with `where`",
        Music => {
            "tunes go on from a MIDI file with `continue`, and keep to `key`, `metre`, `range` and `length` bars"
        }
        Audio => "sounds go on from a file with `continue`, vary one with `like`, and last `seconds`",
        Video => {
            "clips go on from a file with `continue`, vary one with `like`, and last `frames` or `seconds`"
        }
    }
}

impl Request {
    /// Whether a model can be asked this, as far as that is known before anything is drawn: values, fields that have a
    /// meaning for its kind and family. [`Model::generate`] asks for it, and reads the items and conditions as well.
    ///
    /// # Errors
    ///
    /// Names the field, what is wrong with it, and what can be asked instead.
    pub fn check(&self, model: &Model) -> Result<(), Error> {
        self.check_values()?;
        check(&|name| self.given_fields().any(|given| given == name), REQUEST, model)
    }
}

/// Refuses fields that are given and have no meaning for a model.
pub(super) fn check(
    is_given: &dyn Fn(&str) -> bool,
    fields: &'static [Field],
    model: &Model,
) -> Result<(), Error> {
    let (kind, family) = (model.kind(), model.config.model.family());
    match fields.iter().filter(|field| is_given(field.name)).find(|field| !field.suits(kind, family)) {
        Some(field) => Err(field.meaningless(kind, family)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_field_of_a_request_is_listed() {
        let all = r#"{"n": 1, "seed": 2, "where": ["a=b"], "given": {"rows": []}, "fill": {"rows": []}, "prompt": "a",
            "continue": {"text": "a"}, "like": {"text": "a"}, "strength": 1, "between": [{"text": "a"}, {"text": "b"}],
            "blend": {"anchors": [{"seed": 1}, {"seed": 2}], "weights": [1, 0]},
            "length": 1, "frames": 1, "seconds": 1, "endless": true, "stop": ["a"], "match": "a", "json_shape": "{}",
            "key": "C", "metre": "3/4", "range": "1..2", "temperature": 1, "guidance": 1, "autoguidance": 1,
            "top_k": 1, "top_p": 1, "min_p": 1, "repetition": 1}"#;
        let json = Request::parse(all).unwrap().to_json();
        let given: Vec<&String> = json.as_object().unwrap().keys().collect();
        let listed: Vec<&str> = REQUEST.iter().map(|field| field.name).collect();
        assert_eq!(given, listed);
        assert_eq!(Request::parse(all).unwrap().given_fields().collect::<Vec<_>>(), listed);
    }

    #[test]
    fn a_field_is_refused_with_what_it_is_for() {
        let top_k = find("top_k").unwrap();
        assert!(top_k.suits(Text, Family::Ar) && top_k.suits(Image, Family::Vqvae));
        assert!(!top_k.suits(Image, Family::Vae) && !top_k.suits(Table, Family::Ar));
        let error = top_k.meaningless(Image, Family::Vae);
        assert_eq!(error.to_string(), "`top_k` has no meaning for this vae of images");
        assert_eq!(error.hint().unwrap(), "of models of images it is for vqvae");
        let error = top_k.meaningless(Table, Family::Ar);
        assert_eq!(error.to_string(), "`top_k` has no meaning for table rows");
    }
}
