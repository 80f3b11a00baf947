//! Who made a file, the files of a folder or the rows of a table: the reader of every provenance that this program writes.

use std::{
    fs::{self, File},
    path::Path,
};

use parquet::file::reader::{FileReader, SerializedFileReader};

use super::{Provenance, made, png::provenance_of};
use crate::{
    Error, SourceSpec,
    audio::provenance_of_wav,
    files::{open_regular, read_item_file, suffix},
    provenance_of_clip,
    store::{self, PROVENANCE_COLUMN},
    table,
};

/// Items that one command made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// Where they are: a file, a folder, a table.
    pub place: String,
    /// How many there are still.
    pub n: u64,
    /// What made them.
    pub provenance: Provenance,
}

/// What of a source was made by this program, and by which model; nothing where nothing was. A source is a file, a folder
/// or a database, of which `spec.table` names one table.
///
/// # Errors
/// The source is not there or cannot be read.
pub fn made_by(spec: &SourceSpec) -> Result<Vec<Made>, Error> {
    if let Some(mut database) = store::open(spec)? {
        let tables = match &spec.table {
            Some(table) => {
                database.check_table(table)?;
                vec![table.clone()]
            }
            None => database.tables()?,
        };
        let mut all = Vec::new();
        for table in tables {
            if database.columns(&table)?.iter().any(|name| name == PROVENANCE_COLUMN) {
                all.extend(database.made(&table)?.into_iter().filter_map(|(json, n)| {
                    let provenance = serde_json::from_str(&json).ok()?;
                    Some(Made { place: format!("table `{table}`"), n, provenance })
                }));
            }
        }
        return Ok(all);
    }
    let path = &*spec.path();
    let there = fs::metadata(path).map_err(Error::io(path))?;
    let of = |(n, provenance)| Made { place: path.display().to_string(), n, provenance };
    if there.is_dir() {
        return Ok(made::batches(path).into_iter().map(of).collect());
    }
    let rows = table::made_parts(path)?;
    if !rows.is_empty() {
        return Ok(rows.into_iter().map(|(rows, provenance)| of((rows as u64, provenance))).collect());
    }
    Ok(of_file(path)?.map(|provenance| of((1, provenance))).into_iter().collect())
}

/// What made a single file: what it says itself, or a list beside it, as long as the file is as it was made.
fn of_file(path: &Path) -> Result<Option<Provenance>, Error> {
    let own = match suffix(path).as_str() {
        "png" | "apng" | "gif" | "mp4" | "m4v" | "mov" => {
            let bytes = read_item_file(path)?;
            provenance_of(&bytes).or_else(|| provenance_of_clip(&bytes))
        }
        "wav" => provenance_of_wav(&read_item_file(path)?),
        "mid" | "midi" | "kar" => made::in_head(&read_item_file(path)?),
        "parquet" => of_parquet(open_regular(path)?),
        _ => None,
    };
    Ok(own.or_else(|| made::listed_by(path)))
}

fn of_parquet(file: File) -> Option<Provenance> {
    let reader = SerializedFileReader::new(file).ok()?;
    let pairs = reader.metadata().file_metadata().key_value_metadata()?;
    let own = pairs.iter().find(|pair| pair.key == PROVENANCE_COLUMN)?;
    serde_json::from_str(own.value.as_deref()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        IfExists, PgDefaults, Table,
        sink::{write_files, write_text},
        table::{Column, FileFormat, Writing, write},
    };

    fn provenance(seed: u64) -> Provenance {
        Provenance {
            model: "shop".to_owned(),
            weights: "3f9c2a7b".to_owned(),
            family: "vae".to_owned(),
            seed,
            options: serde_json::json!({ "where": ["label=пальто"] }),
            version: "0.1.0".to_owned(),
        }
    }

    fn of(path: &Path) -> Vec<(u64, u64)> {
        let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
        made_by(&spec).unwrap().into_iter().map(|made| (made.n, made.provenance.seed)).collect()
    }

    #[test]
    fn finds_who_made_rows_of_any_store() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.csv", "a.jsonl", "a.parquet", "a.db"] {
            let path = dir.path().join(name);
            for seed in [1, 2] {
                let table = Table {
                    name: "rows".to_owned(),
                    columns: vec![Column::of("x", ["1", "2", "3"].map(Some))],
                    ..Table::default()
                };
                let target = path.display().to_string();
                let if_exists = if name == "a.parquet" { IfExists::Replace } else { IfExists::Append };
                let how = Writing {
                    target: &target,
                    table: Some("rows"),
                    if_exists,
                    provenance: Some(&provenance(seed)),
                    ids: &[],
                    schema: None,
                    file: &FileFormat::default(),
                    random: &mut || 0,
                    refused: None,
                    pg: &PgDefaults::default(),
                };
                write(&table, how).unwrap();
            }
            let expected = if name == "a.parquet" { vec![(1, 2)] } else { vec![(3, 1), (3, 2)] };
            assert_eq!(of(&path), expected, "{name}");
        }
    }

    #[test]
    fn finds_who_made_files_as_long_as_they_are_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("a.txt");
        write_text(&text, "new", &provenance(1)).unwrap();
        assert_eq!(of(&text), [(1, 1)]);
        fs::write(&text, "mine").unwrap();
        assert_eq!(of(&text), []);

        let folder = dir.path().join("texts");
        for seed in [3, 4] {
            write_files(&folder, 2, "txt", &|i| Ok(("news", vec![b'a' + i as u8])), &provenance(seed))
                .unwrap();
        }
        assert_eq!(of(&folder), [(2, 3), (2, 4)]);
        let one =
            fs::read_dir(folder.join("news")).unwrap().flatten().map(|entry| entry.path()).min().unwrap();
        assert_eq!(of(&one), [(1, 3)]);
        fs::write(&one, "mine").unwrap();
        assert_eq!((of(&one), of(&folder)), (vec![], vec![(1, 3), (2, 4)]));
    }
}
