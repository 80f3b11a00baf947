//! A folder of files with sub-folders as labels and a `metadata.csv`: what a source can read again.

use std::{fs, path::Path};

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
    fs::create_dir_all(dir).map_err(Error::io(dir))?;
    let metadata = dir.join("metadata.csv");
    let before = match fs::read_to_string(&metadata) {
        Ok(text) => text,
        Err(_) => "file_name,label,mintage\n".to_owned(),
    };
    let first = before.lines().count().saturating_sub(1);
    let mut rows = csv::Writer::from_writer(before.into_bytes());
    let fail = |e: csv::Error| Error::bad(metadata.display().to_string(), e.to_string());
    let json = provenance.to_json();
    for i in 0..n {
        let (label, bytes) = file(i)?;
        let sub = safe_name(label);
        if !sub.is_empty() {
            fs::create_dir_all(dir.join(&sub)).map_err(Error::io(dir.join(&sub)))?;
        }
        let mut number = first + i;
        let name = loop {
            let file = format!("{number:06}.{suffix}");
            let name = if sub.is_empty() { file } else { format!("{sub}/{file}") };
            if !dir.join(&name).exists() {
                break name;
            }
            number += n;
        };
        let path = dir.join(&name);
        fs::write(&path, bytes).map_err(Error::io(&path))?;
        rows.write_record([name.as_str(), label, &json]).map_err(fail)?;
    }
    let bytes = rows.into_inner().map_err(|e| Error::bad(metadata.display().to_string(), e.to_string()))?;
    atomic_write(&metadata, &bytes).map_err(Error::io(&metadata))
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
