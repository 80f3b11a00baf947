//! How well items that are in memory conform to what a model learned from: the scores of [`score`](super::score), for a front
//! end that asks again and again.

use std::sync::{Arc, atomic::AtomicBool};

use mintage_data::{AudioBatch, TableSet, VideoBatch, sequence::BOUNDARY};
use mintage_nn::cancel;

use super::{
    ItemScore, Options,
    image::{Conformity, NLL_SAMPLES},
    nearest::{check_cancel, suits},
    pictures::{Pictures, part_of, parts_of_clip, parts_of_sound, window},
    real::other_kind,
    sequence::DocumentConformity,
    table::RowConformity,
};
use crate::{dataset::AnyData, error::Error, events::Event, generate::Samples, model::Model, models::Batch};

/// What items are compared with: built once, asked for any number of items.
pub struct Scorer {
    data: AnyData,
    seed: u64,
    space: Space,
}

enum Space {
    Pictures(Pictures, Box<Conformity>),
    Rows(Box<RowConformity>),
    Documents(DocumentConformity),
}

impl Scorer {
    /// From the data that a model learned from. For images, sounds and clips a feature space is learned, or read from
    /// `options.cache`.
    ///
    /// # Errors
    /// The data are of another kind than the model, or too few to compare with, or cannot be read; [`Error::Cancelled`].
    pub fn build(
        model: &Model,
        data: &AnyData,
        options: &Options,
        cancel: &Arc<AtomicBool>,
        on_progress: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        if !suits(model, data) {
            return Err(other_kind());
        }
        let space = cancel::with(cancel, || Self::space(model, data, options, on_progress));
        check_cancel(cancel)?;
        Ok(Self { data: data.clone(), seed: options.seed, space: space? })
    }

    fn space(
        model: &Model,
        data: &AnyData,
        options: &Options,
        on: &mut dyn FnMut(Event),
    ) -> Result<Space, Error> {
        Ok(match data {
            AnyData::Table(set) => Space::Rows(Box::new(RowConformity::new(model, set, options.seed)?)),
            AnyData::Sequence(set) => Space::Documents(DocumentConformity::new(model, set, 0, on)?),
            AnyData::Image(_) | AnyData::Audio(_) | AnyData::Video(_) => {
                let pictures = Pictures::of(data).ok_or_else(other_kind)?;
                let conformity = match data {
                    AnyData::Image(set) => Conformity::new(set, options, on)?,
                    AnyData::Audio(set) => Conformity::new(&super::audio::pictures_of(set), options, on)?,
                    AnyData::Video(set) => {
                        Conformity::new(&super::video::pictures::ItemPictures::of(set).pictures, options, on)?
                    }
                    _ => return Err(other_kind()),
                };
                Space::Pictures(pictures, Box::new(conformity))
            }
        })
    }

    /// The scores of all items of `samples`, by the `model` that this was built for. They have no names.
    ///
    /// # Errors
    /// The items are of another kind or size than the data.
    pub fn score(&self, model: &Model, samples: &Samples) -> Result<Vec<ItemScore>, Error> {
        match (&self.space, &self.data, samples) {
            (_, _, samples) if samples.is_empty() => Ok(Vec::new()),
            (Space::Rows(conformity), AnyData::Table(set), Samples::Table(rows)) => {
                let items = TableSet::of_as(rows.clone(), None, set.codec(), "the items")?;
                let mut scores = conformity.of(model, set, &items, self.seed)?;
                scores.iter_mut().for_each(|score| score.name.clear());
                Ok(scores)
            }
            (Space::Documents(conformity), AnyData::Sequence(set), samples) => {
                let class = |label: &Option<String>| -> Option<u32> {
                    let classes = &set.info().classes;
                    Some(classes.iter().position(|class| Some(class) == label.as_ref())? as u32)
                };
                let whole = |tokens: Vec<u32>| [vec![BOUNDARY], tokens].concat();
                let documents = match (samples, set.codec().text(), set.codec().music()) {
                    (Samples::Text(texts), Some(codec), _) => {
                        let class = class(&texts.label);
                        texts.items.iter().map(|text| (whole(codec.encode(text)), class)).collect::<Vec<_>>()
                    }
                    (Samples::Music(tunes), _, Some(codec)) => {
                        let class = class(&tunes.label);
                        tunes.items.iter().map(|tune| (whole(codec.encode(tune)), class)).collect()
                    }
                    _ => return Err(other_kind()),
                };
                conformity.of(model, set, &documents)
            }
            (Space::Pictures(pictures, conformity), ..) => {
                let one = |item: usize| {
                    let found = conformity.of(&pictures.of_item(samples, item)?);
                    Ok(ItemScore {
                        name: String::new(),
                        conformity: found.iter().sum::<f64>() / found.len().max(1) as f64,
                        nll: self.nll(model, pictures, samples, item),
                    })
                };
                (0..samples.len()).map(one).collect()
            }
            _ => Err(other_kind()),
        }
    }

    /// The negative log-likelihood of an image, a sound or a clip.
    fn nll(&self, model: &Model, pictures: &Pictures, samples: &Samples, item: usize) -> Option<f64> {
        if model.nll_is_slow() {
            return None;
        }
        let sum = |batch: Batch, samples: usize| Some(model.nll(&batch, samples, self.seed)?.iter().sum());
        let label = |labels: &[u32]| labels.get(item).copied();
        match (pictures, samples) {
            (Pictures::Image(_), Samples::Image(images)) => {
                let one = images.select(&[item]);
                let batch = mintage_data::ImageBatch { pixels: one.pixels, labels: one.labels, n: 1 };
                sum(Batch::Image(batch), NLL_SAMPLES)
            }
            (Pictures::Audio(_, format), Samples::Audio(sounds)) => {
                let mut batch = AudioBatch::default();
                for range in parts_of_sound(format, sounds, item) {
                    let length = range.len().min(format.segment).max(1);
                    let part = part_of(&sounds.samples[item], sounds.channels, range);
                    for channel in part.chunks(length) {
                        batch.samples.extend(channel);
                        batch.samples.resize(batch.samples.len() + format.segment - channel.len(), 0.0);
                    }
                    batch.lengths.push(length as u32);
                    batch.labels.extend(label(&sounds.labels));
                    batch.n += 1;
                }
                sum(Batch::Audio(batch), 1)
            }
            (Pictures::Video(format), Samples::Video(all)) => {
                let mut batch = VideoBatch { pixels: Vec::new(), labels: Vec::new(), n: 0 };
                for part in parts_of_clip(format, all.frames) {
                    batch.pixels.extend(window(all, item, part.start, format.frames).pixels);
                    batch.labels.extend(label(&all.labels));
                    batch.n += 1;
                }
                sum(Batch::Video(batch), 1)
            }
            _ => None,
        }
    }
}
