//! Where tunes come from: a folder of MIDI files, or MIDI in a column of a database.
//!
//! Opening reads every tune once: what is no tune is counted and left out, as with images. Scores stay in
//! memory while there is room, and are read again where not.

use std::ops::Range;

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::score::Score;
use crate::{
    Error, SourceSpec, Splits,
    items::Skipped,
    source::media::{Media, Places},
};

pub(crate) const MIDI: Media = Media {
    name: "MIDI files",
    hint: "MIDI files are BLOBs that begin with MThd; `mintage inspect` shows the columns",
    suffixes: &["mid", "midi", "kar", "rmi"],
    unread: &["musicxml", "mxl", "mscz", "abc", "krn", "gp3", "gp4", "gp5", "gpx", "gp", "ly", "sib", "xmf"],
    convert: "export them as MIDI, as MuseScore does",
    is: |head| head.starts_with(b"MThd") || head.starts_with(b"RIFF") && head.get(8..12) == Some(b"RMID"),
};
/// Scores are kept in memory up to so many notes, of twelve bytes each.
const NOTES_IN_MEMORY: usize = 20_000_000;
/// Tunes read at a time while opening, which bounds memory.
const TUNES_PER_CHUNK: usize = 256;

/// An open source of tunes.
#[derive(Debug)]
pub struct MusicSource {
    places: Places,
    tunes: Vec<Tune>,
    labels: Option<Vec<String>>,
    official_holdout: Option<Range<usize>>,
    notes: Vec<String>,
    skips: Vec<String>,
}

#[derive(Debug)]
struct Tune {
    item: usize,
    hash: u64,
    score: Option<Score>,
}

impl MusicSource {
    /// Opens the tunes that `spec.source` names, and those of `spec.holdout` as the holdout where it is given.
    ///
    /// # Errors
    /// A source cannot be read, too many tunes cannot be read, or fewer than two are left to learn from.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        let places = Places::open(spec, &MIDI)?;
        let (tunes, notes, skips) = (Vec::new(), Vec::new(), Vec::new());
        let mut source = Self { places, tunes, labels: None, official_holdout: None, notes, skips };
        source.read_all(spec)?;
        let labels = source.places.labels();
        source.labels =
            labels.map(|labels| source.tunes.iter().map(|tune| labels[tune.item].clone()).collect());
        // Tunes that were left out shift the range.
        source.official_holdout = source.places.official_holdout().map(|range| {
            let at = |bound: usize| source.tunes.partition_point(|tune| tune.item < bound);
            at(range.start)..at(range.end)
        });
        let teaching = source.len() - source.official_holdout.as_ref().map_or(0, Range::len);
        if teaching < 2 {
            let why = "holds too few tunes: one tune cannot teach";
            return Err(Error::bad(&spec.source, why).with_hint("a hundred are a good beginning"));
        }
        Ok(source)
    }

    fn read_all(&mut self, spec: &SourceSpec) -> Result<(), Error> {
        let mut room = NOTES_IN_MEMORY;
        let mut skipped = Skipped::default();
        let items: Vec<usize> = (0..self.places.len()).collect();
        for chunk in items.chunks(TUNES_PER_CHUNK) {
            let read: Vec<_> = chunk.par_iter().map(|&item| read(&self.places, item)).collect();
            for (&item, result) in chunk.iter().zip(read) {
                match result {
                    Ok((score, hash)) => {
                        let kept = score.notes().len() <= room;
                        room -= if kept { score.notes().len() } else { 0 };
                        self.tunes.push(Tune { item, hash, score: kept.then_some(score) });
                    }
                    Err(why) => skipped.add(format!("{}: {why}", self.places.name(item)), spec)?,
                }
            }
        }
        self.notes.extend(self.places.notes());
        self.notes.extend(skipped.told(items.len(), "tunes", spec)?);
        self.skips = skipped.reasons;
        Ok(())
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
        self.places.name(self.tunes[tune].item)
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

    /// Name and reason of all that could not be read.
    pub fn skips(&self) -> &[String] {
        &self.skips
    }

    /// Hashes of the tunes' bytes, by which they are split.
    pub fn hashes(&self) -> Vec<u64> {
        self.tunes.iter().map(|tune| tune.hash).collect()
    }

    /// Train, valid and holdout.
    pub fn splits(&self) -> Splits {
        Splits::of(&self.hashes(), self.official_holdout())
    }

    /// The score of one tune, read once more where it is not kept in memory.
    ///
    /// # Errors
    /// The tune cannot be read any more.
    pub fn score(&self, tune: usize) -> Result<Score, Error> {
        let Tune { item, score, .. } = &self.tunes[tune];
        match score {
            Some(score) => Ok(score.clone()),
            None => {
                let read = read(&self.places, *item);
                read.map(|(score, _)| score).map_err(|why| Error::bad(self.name(tune), why))
            }
        }
    }

    /// `spec` with the table and the column that were found: another one with tunes, which may come later,
    /// does not make it ambiguous then.
    #[must_use]
    pub fn resolved(&self, spec: &SourceSpec) -> SourceSpec {
        self.places.resolved(spec)
    }
}

/// One tune with a hash of its bytes; the reason where it is none.
fn read(places: &Places, item: usize) -> Result<(Score, u64), String> {
    let bytes = places.fetch(item).map_err(|error| error.to_string())?;
    let score = Score::from_midi(&bytes).map_err(|error| match error {
        Error::Bad { why, .. } => why,
        other => other.to_string(),
    })?;
    Ok((score, xxh3_64(&bytes)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{fs, path::Path};

    use rusqlite::{Connection, params};

    use super::{super::score::Note, *};
    use crate::is_music;

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
