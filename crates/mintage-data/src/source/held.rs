//! Images of one source behind which those of another one stand, which is the holdout.

use std::ops::Range;

use super::{Raw, Source, SourceSpec, media::holdout_spec};
use crate::Error;

#[derive(Debug)]
pub(crate) struct WithHoldout {
    own: Source,
    held: Source,
    /// Those of both; none where the source to learn from has none.
    labels: Option<Vec<String>>,
}

impl WithHoldout {
    /// Opens the images that `spec.source` and `spec.holdout` name; nothing where there is no holdout.
    ///
    /// # Errors
    /// One of the two sources cannot be opened.
    pub fn open(spec: &SourceSpec) -> Result<Option<Self>, Error> {
        let Some(holdout) = holdout_spec(spec)? else { return Ok(None) };
        let own = Source::open(&SourceSpec { holdout: None, ..spec.clone() })?;
        let held = Source::open(&holdout)?;
        let labels = own.labels().map(|labels| {
            // What has no label is of no class.
            let others = held.labels_alone().map_or_else(|| vec![String::new(); held.len()], <[_]>::to_vec);
            [labels, &others].concat()
        });
        Ok(Some(Self { own, held, labels }))
    }

    pub fn len(&self) -> usize {
        self.own.len() + self.held.len()
    }

    pub fn holdout(&self) -> Range<usize> {
        self.own.len()..self.len()
    }

    pub fn name(&self, item: usize) -> String {
        let (source, item) = self.place(item);
        source.name(item)
    }

    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    /// Reads an item of either source.
    ///
    /// # Errors
    /// The item cannot be read any more.
    pub fn fetch(&self, item: usize) -> Result<Raw, Error> {
        let (source, item) = self.place(item);
        source.fetch(item)
    }

    pub fn notes(&self) -> Vec<String> {
        [self.own.notes(), self.held.notes()].concat()
    }

    /// The source to learn from.
    pub fn own(&self) -> &Source {
        &self.own
    }

    /// The source of an item, and which of its items it is.
    fn place(&self, item: usize) -> (&Source, usize) {
        match item.checked_sub(self.own.len()) {
            Some(item) => (&self.held, item),
            None => (&self.own, item),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{DataKind, ImageSet, ImageShape, Images, has_own_holdout, png_bytes};
    use std::{fs, path::Path};

    /// Gray squares from one brightness on, in two folders.
    fn fill(dir: &Path, from: u8, n: u8) {
        let shape = ImageShape { channels: 1, height: 8, width: 8 };
        for i in from..from + n {
            let sub = dir.join(["a", "b"][usize::from(i) % 2]);
            fs::create_dir_all(&sub).unwrap();
            let image = Images { shape, pixels: vec![i; 64], labels: vec![], classes: vec![] };
            fs::write(sub.join(format!("{i:03}.png")), png_bytes(&image, 0, None).unwrap()).unwrap();
        }
    }

    #[test]
    fn another_folder_is_the_holdout_and_all_else_is_trained_on() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name).display().to_string();
        fill(&dir.path().join("own"), 0, 40);
        fill(&dir.path().join("held"), 100, 12);
        let spec = SourceSpec { source: place("own"), holdout: Some(place("held")), ..SourceSpec::default() };
        let mut set = ImageSet::open(&spec).unwrap();
        assert_eq!(set.splits().holdout, (40..52).collect::<Vec<u32>>());
        assert_eq!(
            (set.classes(), set.labels()[41], set.name(40)),
            (&["a", "b"].map(str::to_owned)[..], 0, "a/100.png".to_owned())
        );
        assert!(!set.splits().valid.is_empty());
        set.train_on_valid();
        assert_eq!((set.splits().train.len(), set.splits().valid.len()), (40, 0));
        let few = ImageSet::open(&SourceSpec { limit: Some(10), ..spec.clone() }).unwrap();
        assert_eq!((few.len(), few.splits().holdout.len()), (22, 12));
        assert!(!has_own_holdout(&spec, DataKind::Image).unwrap());
        fs::rename(dir.path().join("held"), dir.path().join("own/test")).unwrap();
        fs::create_dir(dir.path().join("own/train")).unwrap();
        for class in ["a", "b"] {
            fs::rename(dir.path().join("own").join(class), dir.path().join("own/train").join(class)).unwrap();
        }
        assert!(has_own_holdout(&spec, DataKind::Image).unwrap());
    }
}
