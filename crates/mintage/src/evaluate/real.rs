//! Real items as a model sees them: the data of a run opened again, some of its items as [`Samples`], held-out ones to be
//! set beside new ones.

use mintage_data::{
    AudioSet, PgDefaults, SequenceSet, SourceSpec, Split,
    sequence::{BOUNDARY, Chunking, Tokenizer},
};
use mintage_nn::Rng;

use super::{audio::sounds_of, sequence::passages_of};
use crate::{
    dataset::AnyData,
    error::Error,
    generate::{Documents, Samples},
    model::Model,
    models::GenerativeModel,
    sample::Sounds,
};

/// Tokens of a tune that is shown beside new ones, where a model makes whole tunes.
const MAX_TUNE_TOKENS: usize = 4_096;

/// Opens the data that a model was trained on, as it sees them, from where they lay then.
///
/// `pg` is what the environment says of PostgreSQL servers; a password of it goes to its own host alone, since whoever wrote
/// the model's folder may be somebody else.
///
/// # Errors
/// The source is not there any more, cannot be read, or does not suit the model.
pub fn open_data(model: &Model, pg: &PgDefaults) -> Result<AnyData, Error> {
    let spec = &model.config.source;
    let is_server = spec.source.contains("://");
    if !is_server && !spec.path().exists() {
        return Err(Error::request(format!("the model was trained on {}, which is not there", spec.source))
            .with_hint("put the data back where they were, or name the place where they are now"));
    }
    let mut pg = PgDefaults { only_own_host: true, ..pg.clone() };
    pg.known.extend(spec.pg.known.clone());
    Ok(AnyData::open_as(&SourceSpec { pg, ..spec.clone() }, &model.codec)?)
}

/// Items of some data, numbered as [`AnyData::splits`] numbers them: images, rows, whole documents, whole sounds, clips of
/// the length that the model makes.
///
/// # Errors
/// There is no such item, or items cannot be read.
pub fn samples_of(data: &AnyData, items: &[u32]) -> Result<Samples, Error> {
    let n = len(data);
    if let Some(item) = items.iter().find(|&&item| item as usize >= n) {
        return Err(Error::request(format!("there is no item {item}: the data have {n}")));
    }
    Ok(match data {
        AnyData::Image(set) => Samples::Image(set.images(items)?),
        AnyData::Table(set) => Samples::Table(set.table().select(items)),
        AnyData::Sequence(set) => {
            let tokens = items.iter().map(|&item| set.document(item).split_off(1));
            documents(set, tokens.collect())
        }
        AnyData::Audio(set) => {
            let label = |&item: &u32| set.labels().get(item as usize).copied();
            Samples::Audio(Sounds {
                samples: items.iter().map(|&item| set.sound(item)).collect(),
                labels: items.iter().filter_map(label).collect(),
                ..no_sounds(set)
            })
        }
        AnyData::Video(set) => Samples::Video(set.clips(items)),
    })
}

/// How many items [`samples_of`] knows.
pub fn len(data: &AnyData) -> usize {
    match data {
        AnyData::Image(set) => set.len(),
        AnyData::Table(set) => set.len(),
        AnyData::Sequence(set) => set.len(),
        AnyData::Audio(set) => set.len(),
        AnyData::Video(set) => set.len(),
    }
}

/// What an item is called: its file, its key, or "row 17".
pub fn name(data: &AnyData, item: u32) -> String {
    match data {
        AnyData::Image(set) => set.name(item),
        AnyData::Table(_) => format!("row {}", item + 1),
        AnyData::Sequence(set) => set.name(item).to_owned(),
        AnyData::Audio(set) => set.name(item),
        AnyData::Video(set) => set.name(item),
    }
}

/// `n` real items that the model never saw, as it sees them, drawn by `seed`: fewer where fewer are held out.
///
/// They are as long as what the model makes: passages of texts, segments where it makes segments.
///
/// # Errors
/// Nothing is held out, or items cannot be read.
pub fn real(model: &Model, data: &AnyData, n: usize, seed: u64) -> Result<Samples, Error> {
    let held_out = |split: Split| data.splits().get(split).to_vec();
    let drawn = |mut items: Vec<u32>| {
        let order = Rng::new(seed, 0).permutation(items.len());
        items = order.into_iter().take(n).map(|place| items[place]).collect();
        items
    };
    let some = |items: Vec<u32>| match items.is_empty() {
        true => Err(Error::request("no item is held out: the data are too few")),
        false => Ok(items),
    };
    match data {
        AnyData::Sequence(set) => {
            let chunking = model.sequences()?.model.config().cut();
            let passages = match (set.codec(), chunking) {
                // A part of a tune says neither its metre nor its tempo.
                (Tokenizer::Music(_), Chunking::Windows(_)) => {
                    let whole = |document| set.beginning(document, 1 + MAX_TUNE_TOKENS).split_off(1);
                    held_out(Split::Holdout).into_iter().map(whole).collect()
                }
                _ => passages_of(set, Split::Holdout, chunking),
            };
            let places = some((0..passages.len() as u32).collect())?;
            let chosen = drawn(places).into_iter().map(|place| passages[place as usize].clone());
            Ok(documents(set, chosen.collect()))
        }
        AnyData::Audio(set) => {
            let items = some(set.items(Split::Holdout).collect())?;
            Ok(Samples::Audio(sounds_of(set, &drawn(items))))
        }
        _ => samples_of(data, &drawn(some(held_out(Split::Holdout))?)),
    }
}

/// Documents of these tokens.
pub(super) fn documents(set: &SequenceSet, all: Vec<Vec<u32>>) -> Samples {
    let plain = all.into_iter().map(|tokens| tokens.into_iter().filter(|&token| token != BOUNDARY).collect());
    match set.codec() {
        Tokenizer::Text(codec) => {
            let items = plain.map(|tokens: Vec<u32>| codec.decode(&tokens)).collect();
            Samples::Text(Documents { items, label: None })
        }
        Tokenizer::Music(codec) => {
            let items = plain.map(|tokens: Vec<u32>| codec.decode(&tokens)).collect();
            Samples::Music(Documents { items, label: None })
        }
    }
}

/// No sounds of a set.
pub(super) fn no_sounds(set: &AudioSet) -> Sounds {
    let format = set.codec();
    Sounds {
        rate_hz: format.rate_hz,
        channels: format.channels,
        samples: Vec::new(),
        labels: Vec::new(),
        classes: format.classes.clone(),
    }
}

/// The error for samples that are not of the kind of the data.
pub(super) fn other_kind() -> Error {
    Error::request("data of different kinds cannot be compared")
}

/// Checks the number of an item of some samples.
pub(super) fn check_item(samples: &Samples, item: usize) -> Result<(), Error> {
    match item < samples.len() {
        true => Ok(()),
        false => {
            Err(Error::field("item", format!("must be below {}: so many items there are", samples.len())))
        }
    }
}
