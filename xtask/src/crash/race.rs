//! Several that write at once to one place: each is whole, or refused in words.

use std::{collections::BTreeSet, fs, process::Output};

use super::{
    Trials,
    place::{Place, ROWS, contents, left_behind},
};
use crate::{Result, at};

pub fn run(place: &Place, trials: &mut Trials) -> Result<()> {
    appenders(place, trials)?;
    folder(place, trials)?;
    database(place, trials)?;
    new_file(place, trials)
}

/// Starts the lines together; how each ended.
fn together(place: &Place, lines: &[String]) -> Result<Vec<Output>> {
    let children: Vec<_> = lines
        .iter()
        .map(|line| place.command(line).spawn().map_err(|e| format!("{line}: {e}")))
        .collect::<Result<_>>()?;
    children.into_iter().map(|child| child.wait_with_output().map_err(|e| e.to_string())).collect()
}

/// Those that ended well; the others must say why.
fn winners(trials: &mut Trials, what: &str, ends: &[Output]) -> usize {
    for end in ends.iter().filter(|end| !end.status.success()) {
        let said = String::from_utf8_lossy(&end.stderr);
        let in_words = end.status.code() == Some(2) && said.contains("error:");
        trials.check(in_words, || format!("{what}: {}: {}", end.status, said.trim()));
    }
    ends.iter().filter(|end| end.status.success()).count()
}

fn appenders(place: &Place, trials: &mut Trials) -> Result<()> {
    for (file, real) in [("real.csv", "real.csv"), ("rows.jsonl", "rows.jsonl")] {
        trials.of(&format!("races of appenders to {file}"), 15, |trials, number| {
            let dir = place.fresh(&[real])?;
            let before = fs::read(dir.join(file)).map_err(at(&dir))?;
            let n = 2 + number % 3;
            let line =
                |i: usize| format!("sample rows -n 50 --seed {} -o trial/{file} --if-exists append", 100 + i);
            let ends = together(place, &(0..n).map(line).collect::<Vec<_>>())?;
            let won = winners(trials, "append", &ends);
            let after = fs::read(dir.join(file)).map_err(at(&dir))?;
            let lines = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'\n').count();
            trials.check(after.starts_with(&before), || format!("{file}: what was there is not as it was"));
            let new = lines(&after) - lines(&before).min(lines(&after));
            trials.check(new == 50 * won, || format!("{file}: {new} new lines of {won} appenders of 50"));
            let real = place.real(&format!("trial/{file}"))?;
            trials.check(real == ROWS, || format!("{file}: {real} real rows of {ROWS}"));
            Ok(())
        })?;
    }
    Ok(())
}

fn folder(place: &Place, trials: &mut Trials) -> Result<()> {
    trials.of("races of four writers into one folder", 10, |trials, _| {
        let dir = place.fresh(&[])?;
        let line = |i: usize| format!("sample pictures -n 50 --seed {i} -o trial/photos/");
        let ends = together(place, &(0..4).map(line).collect::<Vec<_>>())?;
        let won = winners(trials, "folder", &ends);
        let photos = dir.join("photos");
        let listed = fs::read_to_string(photos.join("metadata.csv")).map_err(at(&photos))?;
        let named: BTreeSet<&str> =
            listed.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
        let pictures = contents(&photos).into_keys().filter(|path| path.extension() == Some("png".as_ref()));
        let pictures = pictures.count();
        trials.check(named.len() == 50 * won && pictures == 50 * won, || {
            format!("folder: {pictures} pictures, {} lines, of {won} writers of 50", named.len())
        });
        let left = left_behind(&dir);
        trials.check(left.is_empty(), || format!("folder: left {}", left.join(", ")));
        Ok(())
    })
}

fn database(place: &Place, trials: &mut Trials) -> Result<()> {
    trials.of("races of four writers to one database", 10, |trials, _| {
        place.fresh(&["demo.db"])?;
        let real = place.real("trial/demo.db")?;
        let line = |i: usize| format!("sample pictures -n 30 --seed {i} -o trial/demo.db");
        let ends = together(place, &(0..4).map(line).collect::<Vec<_>>())?;
        let won = winners(trials, "database", &ends);
        trials.check(won == 4, || format!("database: {won} of 4 writers"));
        let now = place.real("trial/demo.db")?;
        trials.check(now == real, || format!("database: {now} real pictures of {real}"));
        Ok(())
    })
}

fn new_file(place: &Place, trials: &mut Trials) -> Result<()> {
    trials.of("races of two for one new file", 10, |trials, number| {
        let name = ["new.csv", "new.jsonl", "new.parquet", "new.db"][number % 4];
        let dir = place.fresh(&[])?;
        let line = |i: usize| format!("sample rows -n 50 --seed {i} -o trial/{name} --table t");
        let ends = together(place, &[line(1), line(2)])?;
        let won = winners(trials, name, &ends);
        trials.check(won == 1, || format!("{name}: {won} have won"));
        let left = left_behind(&dir);
        trials.check(left.is_empty(), || format!("{name}: left {}", left.join(", ")));
        Ok(())
    })
}
