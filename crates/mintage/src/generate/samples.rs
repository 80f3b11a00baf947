//! What was drawn, of any kind: joined, and chosen from.

use mintage_data::{Clips, DataKind, Images, Score, Table};

use crate::{error::Error, sample::Sounds};

/// What a model has made.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// Images of one shape.
    Image(Images),
    /// Rows, with the columns of the table that was learned from.
    Table(Table),
    /// Texts, their prompt included.
    Text(Documents<String>),
    /// Tunes, their beginning included.
    Music(Documents<Score>),
    /// Sounds of one rate.
    Audio(Sounds),
    /// Clips of one shape and length.
    Video(Clips),
}

/// Texts or tunes.
#[derive(Clone, Debug, PartialEq)]
pub struct Documents<T> {
    /// One after another.
    pub items: Vec<T>,
    /// The class that was asked for.
    pub label: Option<String>,
}

impl Samples {
    /// The kind of data that they are.
    pub fn kind(&self) -> DataKind {
        match self {
            Self::Image(_) => DataKind::Image,
            Self::Table(_) => DataKind::Table,
            Self::Text(_) => DataKind::Text,
            Self::Music(_) => DataKind::Music,
            Self::Audio(_) => DataKind::Audio,
            Self::Video(_) => DataKind::Video,
        }
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Image(images) => images.len(),
            Self::Table(rows) => rows.rows(),
            Self::Text(texts) => texts.items.len(),
            Self::Music(tunes) => tunes.items.len(),
            Self::Audio(sounds) => sounds.len(),
            Self::Video(clips) => clips.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds other items of the same kind and model after these.
    ///
    /// # Errors
    ///
    /// They are of another kind, or rows lack a column of these.
    pub fn append(&mut self, other: Self) -> Result<(), Error> {
        match (self, other) {
            (Self::Image(all), Self::Image(new)) => all.append(new),
            (Self::Table(all), Self::Table(new)) => all.append(&new)?,
            (Self::Text(all), Self::Text(new)) => all.items.extend(new.items),
            (Self::Music(all), Self::Music(new)) => all.items.extend(new.items),
            (Self::Audio(all), Self::Audio(new)) => all.append(new),
            (Self::Video(all), Self::Video(new)) => all.append(new),
            _ => return Err(Error::request("items of different kinds of data cannot be joined")),
        }
        Ok(())
    }

    /// The items at these places, in this order, as often as they are named. A place beyond the last item gives none.
    #[must_use]
    pub fn take(&self, items: &[usize]) -> Self {
        let n = self.len();
        let items: Vec<usize> = items.iter().copied().filter(|&item| item < n).collect();
        match self {
            Self::Image(images) => Self::Image(Images {
                pixels: taken(&images.pixels, images.shape.pixels(), &items),
                labels: taken(&images.labels, 1, &items),
                classes: images.classes.clone(),
                ..*images
            }),
            Self::Table(rows) => {
                Self::Table(rows.select(&items.iter().map(|&row| row as u32).collect::<Vec<_>>()))
            }
            Self::Text(texts) => Self::Text(texts.take(&items)),
            Self::Music(tunes) => Self::Music(tunes.take(&items)),
            Self::Audio(sounds) => Self::Audio(Sounds {
                samples: items.iter().map(|&item| sounds.samples[item].clone()).collect(),
                labels: taken(&sounds.labels, 1, &items),
                classes: sounds.classes.clone(),
                ..*sounds
            }),
            Self::Video(clips) => Self::Video(Clips {
                pixels: taken(&clips.pixels, clips.frames * clips.shape.pixels(), &items),
                labels: taken(&clips.labels, 1, &items),
                classes: clips.classes.clone(),
                ..*clips
            }),
        }
    }
}

impl<T: Clone> Documents<T> {
    fn take(&self, items: &[usize]) -> Self {
        Self {
            items: items.iter().map(|&item| self.items[item].clone()).collect(),
            label: self.label.clone(),
        }
    }
}

/// The values of some items of `each` values; none where there are none of any item.
fn taken<T: Copy>(values: &[T], each: usize, items: &[usize]) -> Vec<T> {
    items.iter().filter_map(|&item| values.get(item * each..(item + 1) * each)).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::{Column, ImageShape};

    use super::*;

    #[test]
    fn items_are_taken_by_their_places_and_joined_again() {
        let shape = ImageShape { channels: 1, height: 1, width: 2 };
        let images =
            Images { shape, pixels: (0..6).collect(), labels: vec![0, 1, 0], classes: vec!["a".into()] };
        let Samples::Image(some) = Samples::Image(images.clone()).take(&[2, 0, 9]) else {
            panic!("no images")
        };
        assert_eq!((&some.pixels[..], &some.labels[..]), (&[4, 5, 0, 1][..], &[0, 0][..]));
        let clips =
            Clips { shape, frames: 2, fps: 3.0, pixels: (0..8).collect(), labels: vec![], classes: vec![] };
        let Samples::Video(some) = Samples::Video(clips).take(&[1]) else { panic!("no clips") };
        assert_eq!((&some.pixels[..], some.labels.len()), (&[4, 5, 6, 7][..], 0));
        let samples = vec![vec![0.1], vec![0.2, 0.3]];
        let sounds = Sounds { rate_hz: 8, channels: 1, samples, labels: vec![], classes: vec![] };
        let Samples::Audio(some) = Samples::Audio(sounds).take(&[1, 1]) else { panic!("no sounds") };
        assert_eq!(some.samples, [[0.2, 0.3], [0.2, 0.3]]);

        let columns = vec![Column::of("a", [Some("x"), None, Some("z")])];
        let rows = Samples::Table(Table { columns, ..Table::default() });
        let Samples::Table(some) = rows.take(&[2, 1]) else { panic!("no rows") };
        assert_eq!(some.columns[0].iter().collect::<Vec<_>>(), [Some("z"), None]);

        let texts = Documents { items: vec!["a".to_owned(), "b".to_owned()], label: Some("x".to_owned()) };
        let texts = Samples::Text(texts);
        let mut all = texts.take(&[1]);
        all.append(texts.take(&[0])).unwrap();
        assert_eq!(all, texts.take(&[1, 0]));
        assert_ne!(all, texts);
        assert!(all.append(rows).is_err() && texts.take(&[7]).is_empty());
    }
}
