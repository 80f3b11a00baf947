//! Where tunes come from: a folder of MIDI files, or MIDI BLOBs in a table of a SQLite database.
//!
//! Opening reads every tune once: what is no tune is counted and left out, as with images. Scores stay in
//! memory while there is room, and are read again where not.

use std::{fs::File, io::Read, ops::Range, path::Path};

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::score::Score;
use crate::{
    Error, SourceSpec, Splits,
    source::{
        folder::{FolderSource, files_below, suffix},
        not_there,
        sqlite::{IMAGES, Media, SqliteSource, columns, is_sqlite, media_columns, open_read_only, tables},
    },
};

pub(crate) const MIDI: Media = Media {
    name: "MIDI files",
    hint: "MIDI files are BLOBs that begin with MThd; `mintage inspect` shows the columns",
    suffixes: &["mid", "midi", "kar"],
    is: |head| head.starts_with(b"MThd"),
};
/// Above this share of unreadable tunes the source is refused.
const MAX_SKIPPED: f64 = 0.05;
/// Scores are kept in memory up to so many notes, of twelve bytes each.
const NOTES_IN_MEMORY: usize = 20_000_000;
/// Tunes read at a time while opening, which bounds memory.
const CHUNK: usize = 256;

/// An open source of tunes.
#[derive(Debug)]
pub struct MusicSource {
    /// The source, and behind it the one that `holdout` names.
    places: Vec<Place>,
    tunes: Vec<Tune>,
    labels: Option<Vec<String>>,
    official_holdout: Option<Range<usize>>,
    notes: Vec<String>,
    table: Option<(String, String)>,
}

#[derive(Debug)]
struct Tune {
    place: usize,
    item: usize,
    hash: u64,
    score: Option<Score>,
}

#[derive(Debug)]
enum Place {
    Folder(FolderSource),
    Sqlite(SqliteSource),
}

impl Place {
    fn open(spec: &SourceSpec) -> Result<Self, Error> {
        let path = Path::new(&spec.source);
        if !path.exists() {
            return Err(not_there(path));
        }
        if path.is_dir() {
            return FolderSource::open_media(path, spec, &MIDI).map(Self::Folder);
        }
        if is_sqlite(path) {
            return SqliteSource::open_media(path, spec, &MIDI).map(Self::Sqlite);
        }
        let shown = path.display().to_string();
        Err(match is_midi(path) {
            true => Error::bad(shown, "is one tune, and one tune cannot teach")
                .with_hint("give a folder of MIDI files; a hundred are a good beginning"),
            false => Error::bad(shown, "is neither a folder of MIDI files nor a SQLite database"),
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Folder(folder) => folder.len(),
            Self::Sqlite(table) => table.len(),
        }
    }

    fn name(&self, item: usize) -> String {
        match self {
            Self::Folder(folder) => folder.name(item),
            Self::Sqlite(table) => table.name(item),
        }
    }

    fn labels(&self) -> Option<&[String]> {
        match self {
            Self::Folder(folder) => folder.labels(),
            Self::Sqlite(table) => table.labels(),
        }
    }

    fn official_holdout(&self) -> Option<Range<usize>> {
        match self {
            Self::Folder(folder) => folder.official_holdout(),
            Self::Sqlite(_) => None,
        }
    }

    fn fetch(&self, item: usize) -> Result<Vec<u8>, Error> {
        match self {
            Self::Folder(folder) => folder.fetch(item),
            Self::Sqlite(table) => table.fetch(item),
        }
    }

    /// One tune with a hash of its bytes; the reason where it is none.
    fn read(&self, item: usize) -> Result<(Score, u64), String> {
        let bytes = self.fetch(item).map_err(|error| error.to_string())?;
        let score = Score::from_midi(&bytes).map_err(|error| match error {
            Error::Bad { why, .. } => why,
            other => other.to_string(),
        })?;
        Ok((score, xxh3_64(&bytes)))
    }
}

impl MusicSource {
    /// Opens what `spec.source` names, and `spec.holdout` as its holdout where it is given.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        if spec.limit == Some(0) {
            return Err(Error::bad("limit", "must be at least 1"));
        }
        let mut places = vec![Place::open(spec)?];
        if let Some(holdout) = holdout_spec(spec) {
            places.push(Place::open(&holdout)?);
        }
        let table = match &places[0] {
            Place::Sqlite(source) => Some((source.table.clone(), source.column.clone())),
            Place::Folder(_) => None,
        };
        let mut source = Self {
            places,
            tunes: Vec::new(),
            labels: None,
            official_holdout: None,
            notes: Vec::new(),
            table,
        };
        source.read_all(spec)?;
        source.find_labels();
        source.find_holdout();
        let teaching = source.len() - source.official_holdout.as_ref().map_or(0, Range::len);
        if teaching < 2 {
            let why = "holds too few tunes: one tune cannot teach";
            return Err(Error::bad(&spec.source, why).with_hint("a hundred are a good beginning"));
        }
        Ok(source)
    }

    fn read_all(&mut self, spec: &SourceSpec) -> Result<(), Error> {
        let mut room = NOTES_IN_MEMORY;
        for (number, place) in self.places.iter().enumerate() {
            let chosen = evenly(place.len(), spec.limit.filter(|_| number == 0).unwrap_or(usize::MAX));
            let mut skipped = Skipped::default();
            for chunk in chosen.chunks(CHUNK) {
                let read: Vec<_> = chunk.par_iter().map(|item| place.read(*item)).collect();
                for (&item, result) in chunk.iter().zip(read) {
                    match result {
                        Ok((score, hash)) => {
                            let kept = score.notes().len() <= room;
                            room -= if kept { score.notes().len() } else { 0 };
                            self.tunes.push(Tune { place: number, item, hash, score: kept.then_some(score) });
                        }
                        Err(why) => skipped.add(format!("{}: {why}", place.name(item)), spec)?,
                    }
                }
            }
            self.notes.extend(skipped.finish(chosen.len(), spec)?);
        }
        Ok(())
    }

    fn find_labels(&mut self) {
        let Some(labels) = self.places[0].labels() else { return };
        // Tunes of a holdout without labels are of no class that is known.
        let label = |tune: &Tune| match tune.place {
            0 => labels[tune.item].clone(),
            place => self.places[place].labels().map_or_else(String::new, |labels| labels[tune.item].clone()),
        };
        self.labels = Some(self.tunes.iter().map(label).collect());
    }

    /// Tunes that were left out shift the ranges of the sources.
    fn find_holdout(&mut self) {
        let first_given = self.tunes.partition_point(|tune| tune.place == 0);
        if self.places.len() > 1 {
            self.official_holdout = Some(first_given..self.tunes.len());
            return;
        }
        self.official_holdout = self.places[0].official_holdout().map(|range| {
            let at = |bound: usize| self.tunes.partition_point(|tune| tune.item < bound);
            at(range.start)..at(range.end)
        });
    }

    /// Number of tunes.
    pub fn len(&self) -> usize {
        self.tunes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tunes.is_empty()
    }

    /// "bach/001.mid", "row 7 of songs.midi".
    pub fn name(&self, tune: usize) -> String {
        let Tune { place, item, .. } = &self.tunes[tune];
        self.places[*place].name(*item)
    }

    /// The label of every tune, or nothing when the source has none.
    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    /// Tunes that the source, or `holdout`, sets aside for testing.
    pub fn official_holdout(&self) -> Option<Range<usize>> {
        self.official_holdout.clone()
    }

    /// What opening found worth telling.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Hashes of the tunes' bytes, by which they are split.
    pub fn hashes(&self) -> Vec<u64> {
        self.tunes.iter().map(|tune| tune.hash).collect()
    }

    /// Train, valid and holdout.
    pub fn splits(&self) -> Splits {
        Splits::of(&self.hashes(), self.official_holdout())
    }

    /// One tune.
    pub fn score(&self, tune: usize) -> Result<Score, Error> {
        let Tune { place, item, score, .. } = &self.tunes[tune];
        match score {
            Some(score) => Ok(score.clone()),
            None => {
                let read = self.places[*place].read(*item);
                read.map(|(score, _)| score).map_err(|why| Error::bad(self.name(tune), why))
            }
        }
    }

    /// `spec` with the table and the column that were found: another one with tunes, which may come later,
    /// does not make it ambiguous then.
    #[must_use]
    pub fn resolved(&self, spec: &SourceSpec) -> SourceSpec {
        let mut spec = spec.clone();
        if let Some((table, column)) = &self.table {
            spec.table.get_or_insert_with(|| table.clone());
            spec.column.get_or_insert_with(|| column.clone());
        }
        spec
    }
}

/// Whether a source holds music: a folder where most files are MIDI, a MIDI file, or a SQLite database where
/// MIDI is in the column asked for, or else is the only kind of media. Nothing is decoded.
pub fn is_music(spec: &SourceSpec) -> Result<bool, Error> {
    let path = Path::new(&spec.source);
    if path.is_dir() {
        let files = files_below(path)?;
        let midi = files.iter().filter(|file| MIDI.suffixes.contains(&suffix(file).as_str())).count();
        return Ok(midi * 2 > files.len());
    }
    if !path.is_file() || spec.query.is_some() {
        return Ok(false);
    }
    if !is_sqlite(path) {
        return Ok(is_midi(path));
    }
    let connection = open_read_only(path)?;
    let asked_for = |(table, column): &(String, String)| {
        spec.table.as_ref().is_none_or(|name| name == table)
            && spec.column.as_ref().is_none_or(|name| name == column)
    };
    let found = |media| -> Result<bool, Error> {
        Ok(media_columns(&connection, media).map_err(Error::sqlite(path))?.iter().any(asked_for))
    };
    Ok(found(&MIDI)? && (spec.column.is_some() || !found(&IMAGES)?))
}

/// By its beginning; a name alone says nothing when the file is there.
fn is_midi(path: &Path) -> bool {
    let mut head = [0; 4];
    File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && (MIDI.is)(&head)
}

/// The holdout as a source: another path, or else another table of the same database.
fn holdout_spec(spec: &SourceSpec) -> Option<SourceSpec> {
    let holdout = spec.holdout.clone()?;
    let mut spec = SourceSpec { holdout: None, limit: None, ..spec.clone() };
    if is_table_of(&spec.source, &holdout) {
        spec.table = Some(holdout);
    } else {
        // The table and column of the one need not be those of the other.
        let same = spec.source == holdout;
        spec.source = holdout;
        spec.table = spec.table.filter(|_| same);
        spec.label = spec.label.filter(|label| has_column(&spec.source, label));
    }
    Some(spec)
}

fn is_table_of(source: &str, table: &str) -> bool {
    let path = Path::new(source);
    let known = || tables(&open_read_only(path).ok()?).ok();
    is_sqlite(path) && known().is_some_and(|names| names.iter().any(|name| name == table))
}

/// Whether a label column is to be found there; folders say for themselves.
fn has_column(source: &str, column: &str) -> bool {
    let path = Path::new(source);
    if column == "none" || !is_sqlite(path) {
        return true;
    }
    let Ok(connection) = open_read_only(path) else { return false };
    let all = tables(&connection).unwrap_or_default();
    all.iter().any(|table| columns(&connection, table).is_ok_and(|names| names.iter().any(|n| n == column)))
}

/// Tunes that could not be read.
#[derive(Default)]
struct Skipped {
    count: usize,
    first: Option<String>,
}

impl Skipped {
    fn add(&mut self, what: String, spec: &SourceSpec) -> Result<(), Error> {
        if spec.strict {
            let hint = "mend or remove it; where strict is not set, up to 5 % are left out";
            return Err(Error::bad(&spec.source, what).with_hint(hint));
        }
        self.count += 1;
        self.first.get_or_insert(what);
        Ok(())
    }

    /// What to tell, or an error where too many were skipped.
    fn finish(self, all: usize, spec: &SourceSpec) -> Result<Option<String>, Error> {
        let Some(first) = self.first else { return Ok(None) };
        let told = format!("{} of {all} tunes cannot be read; the first is {first}", self.count);
        if self.count as f64 > MAX_SKIPPED * all as f64 {
            return Err(
                Error::bad(&spec.source, told).with_hint("up to 5 % are skipped; mend or remove the others")
            );
        }
        Ok(Some(told))
    }
}

/// At most `limit` of `0..n`, evenly spread.
fn evenly(n: usize, limit: usize) -> Vec<usize> {
    let count = n.min(limit);
    (0..count).map(|i| i * n / count).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use rusqlite::{Connection, params};

    use super::{super::score::Note, *};

    fn midi(seed: u8) -> Vec<u8> {
        let note = |i: u8| Note {
            start: u32::from(i) * 12,
            duration: 12,
            pitch: 40 + (i * 7 + seed) % 40,
            velocity: 20,
            programme: 0,
            voice: 0,
        };
        Score::new((0..8).map(note).collect(), vec![], vec![]).to_midi("")
    }

    fn put(root: &Path, file: &str, bytes: &[u8]) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn spec(source: &Path) -> SourceSpec {
        SourceSpec { source: source.display().to_string(), ..SourceSpec::default() }
    }

    #[test]
    fn folders_are_labels_and_test_is_the_holdout() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..6 {
            put(dir.path(), &format!("train/{}/{i}.mid", ["folk", "jazz"][i as usize % 2]), &midi(i));
            put(dir.path(), &format!("test/folk/{i}.MIDI"), &midi(i + 10));
        }
        let source = MusicSource::open(&spec(dir.path())).unwrap();
        assert_eq!((source.len(), source.official_holdout()), (12, Some(0..6)));
        let labels = source.labels().unwrap();
        assert_eq!((labels[0].as_str(), labels[11].as_str()), ("folk", "jazz"));
        assert_eq!(source.name(0), "test/folk/0.MIDI");
        assert_eq!(source.score(0).unwrap(), Score::from_midi(&midi(10)).unwrap());
        assert!(is_music(&spec(dir.path())).unwrap());
        let limited = MusicSource::open(&SourceSpec { limit: Some(8), ..spec(dir.path()) }).unwrap();
        assert_eq!((limited.len(), limited.official_holdout()), (8, Some(0..4)));
    }

    #[test]
    fn another_folder_is_the_holdout() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..4 {
            put(dir.path(), &format!("a/{i}.mid"), &midi(i));
            put(dir.path(), &format!("b/{i}.mid"), &midi(i + 10));
        }
        let holdout = Some(dir.path().join("b").display().to_string());
        let source = MusicSource::open(&SourceSpec { holdout, ..spec(&dir.path().join("a")) }).unwrap();
        assert_eq!((source.len(), source.official_holdout()), (8, Some(4..8)));
        assert_eq!(source.splits().holdout, [4, 5, 6, 7]);
    }

    #[test]
    fn damaged_files_are_counted_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        (0..40).for_each(|i| put(dir.path(), &format!("{i:02}.mid"), &midi(i)));
        put(dir.path(), "cut.mid", &midi(0)[..40]);
        let source = MusicSource::open(&spec(dir.path())).unwrap();
        assert_eq!(source.len(), 40);
        assert!(
            source.notes()[0].contains("1 of 41 tunes") && source.notes()[0].contains("cut.mid: is cut off")
        );
        let error = MusicSource::open(&SourceSpec { strict: true, ..spec(dir.path()) }).unwrap_err();
        assert!(error.to_string().contains("cut.mid"));
        (0..9).for_each(|i| put(dir.path(), &format!("bad{i}.mid"), b"nothing"));
        assert!(MusicSource::open(&spec(dir.path())).unwrap_err().to_string().contains("10 of 50"));
    }

    #[test]
    fn one_tune_and_no_tune_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = |path: &Path| MusicSource::open(&spec(path)).unwrap_err().to_string();
        assert!(error(dir.path()).contains("holds no MIDI files"));
        put(dir.path(), "a.mid", &midi(0));
        assert!(error(dir.path()).contains("one tune cannot teach"));
        assert!(error(&dir.path().join("a.mid")).contains("one tune cannot teach"));
        assert!(is_music(&spec(&dir.path().join("a.mid"))).unwrap());
        assert!(error(&dir.path().join("b.mid")).contains("no such file"));
        put(dir.path(), "b.txt", b"text");
        put(dir.path(), "c.txt", b"text");
        assert!(!is_music(&spec(dir.path())).unwrap());
    }

    #[test]
    fn blobs_of_a_table() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("songs.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE songs (id INTEGER PRIMARY KEY, name TEXT, style TEXT, midi BLOB, mintage TEXT);
                 CREATE TABLE late (style TEXT, midi BLOB);",
            )
            .unwrap();
        for i in 0..10u8 {
            let made = (i >= 8).then_some("{}");
            let sql = "INSERT INTO songs VALUES (NULL, 'x', ?1, ?2, ?3)";
            connection.execute(sql, params![["folk", "jazz"][usize::from(i % 2)], midi(i), made]).unwrap();
        }
        connection.execute("INSERT INTO late VALUES ('folk', ?1)", [midi(30)]).unwrap();
        let label = Some("style".to_owned());
        let all = SourceSpec { table: Some("songs".to_owned()), label, ..spec(&path) };
        let source = MusicSource::open(&all).unwrap();
        assert_eq!((source.len(), source.labels().unwrap()[1].as_str()), (8, "jazz"));
        assert_eq!(source.name(0), "row 1 of songs.midi");
        assert_eq!(source.resolved(&all).column.as_deref(), Some("midi"));
        let with_holdout = SourceSpec { holdout: Some("late".to_owned()), ..all.clone() };
        assert_eq!(MusicSource::open(&with_holdout).unwrap().official_holdout(), Some(8..9));
        assert!(is_music(&all).unwrap() && is_music(&spec(&path)).unwrap());
        let error = MusicSource::open(&spec(&path)).unwrap_err();
        assert!(error.to_string().contains("several columns hold MIDI files"));
        let name = SourceSpec { column: Some("name".to_owned()), ..all };
        assert!(!is_music(&name).unwrap());
    }
}
