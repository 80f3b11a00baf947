//! A folder of files with sub-folders as labels and a `metadata.csv`: what a source can read again.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Images, Provenance, atomic_write, png_bytes};
use crate::Error;

/// Adds the images to the folder; numbering goes on after what is there.
pub fn write_folder(dir: &Path, images: &Images, provenance: &Provenance) -> Result<(), Error> {
    let file = |i: usize| Ok((images.label(i).unwrap_or_default(), png_bytes(images, i, Some(provenance))?));
    write_files(dir, images.len(), "png", &file, provenance)
}

/// Adds `n` files with this suffix to the folder, each a label (or nothing) and its bytes; numbering goes on after what
/// is there.
pub fn write_files<'a>(
    dir: &Path,
    n: usize,
    suffix: &str,
    file: &dyn Fn(usize) -> Result<(&'a str, Vec<u8>), Error>,
    provenance: &Provenance,
) -> Result<(), Error> {
    let mut files = NewFiles::after(dir, provenance)?;
    for i in 0..n {
        let (label, bytes) = file(i)?;
        let path = files.next(label, suffix)?;
        fs::write(&path, bytes).map_err(Error::io(&path))?;
    }
    files.finish()
}

/// Names for what is added to a folder, and the lines of its `metadata.csv`.
pub(super) struct NewFiles<'a> {
    dir: &'a Path,
    metadata: PathBuf,
    rows: csv::Writer<Vec<u8>>,
    /// The number that comes next.
    number: usize,
    provenance: String,
}

impl<'a> NewFiles<'a> {
    /// Numbering goes on after what is there.
    pub fn after(dir: &'a Path, provenance: &Provenance) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(Error::io(dir))?;
        let metadata = dir.join("metadata.csv");
        let before = match fs::read_to_string(&metadata) {
            Ok(text) => text,
            Err(_) => "file_name,label,mintage\n".to_owned(),
        };
        let number = before.lines().count().saturating_sub(1);
        let rows = csv::Writer::from_writer(before.into_bytes());
        Ok(Self { dir, metadata, rows, number, provenance: provenance.to_json() })
    }

    /// Where the next one goes; without a suffix it is a folder.
    pub fn next(&mut self, label: &str, suffix: &str) -> Result<PathBuf, Error> {
        let sub = safe_name(label);
        let folder = if sub.is_empty() { self.dir.to_owned() } else { self.dir.join(&sub) };
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let (name, path) = loop {
            let dot = if suffix.is_empty() { "" } else { "." };
            let file = format!("{:06}{dot}{suffix}", self.number);
            self.number += 1;
            let path = folder.join(&file);
            if !path.exists() {
                break (if sub.is_empty() { file } else { format!("{sub}/{file}") }, path);
            }
        };
        let row = [name.as_str(), label, &self.provenance];
        self.rows
            .write_record(row)
            .map_err(|e| Error::bad(self.metadata.display().to_string(), e.to_string()))?;
        Ok(path)
    }

    pub fn finish(self) -> Result<(), Error> {
        let Self { metadata, rows, .. } = self;
        let bytes =
            rows.into_inner().map_err(|e| Error::bad(metadata.display().to_string(), e.to_string()))?;
        atomic_write(&metadata, &bytes).map_err(Error::io(&metadata))
    }
}

/// A label as the name of a folder.
fn safe_name(label: &str) -> String {
    let name: String =
        label.chars().map(|c| if c.is_alphanumeric() || " -_.".contains(c) { c } else { '_' }).collect();
    name.trim().trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{ImageSet, ImageShape, SourceSpec};

    #[test]
    fn what_is_written_can_be_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let shape = ImageShape { channels: 1, height: 4, width: 4 };
        let images = Images {
            shape,
            pixels: (0..64).collect(),
            labels: vec![0, 1, 1, 0],
            classes: vec!["coat".into(), "ankle / boot".into()],
        };
        let provenance = Provenance {
            model: "m".into(),
            weights: "3f9c2a7b".into(),
            family: "vae".into(),
            seed: 1,
            options: "".into(),
            version: "0".into(),
        };
        for _ in 0..2 {
            write_folder(dir.path(), &images, &provenance).unwrap();
        }
        assert!(dir.path().join("ankle _ boot/000001.png").is_file());
        let spec = SourceSpec { source: dir.path().display().to_string(), ..SourceSpec::default() };
        let set = ImageSet::open(&spec).unwrap();
        assert_eq!((set.len(), set.shape()), (8, shape));
        assert_eq!(set.classes(), ["ankle / boot", "coat"]);
    }
}
