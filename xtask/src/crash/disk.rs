//! Disks without room: a small file system where we may mount one, and the limit of a process on the size of files.

use std::{fs, path::Path, process::Command};

use super::{
    Trials,
    place::{Contents, Place, contents, left_behind},
};
use crate::{Result, at};

/// What writes more than there is room for, and what lies there.
const WRITERS: [(&[&str], &str); 11] = [
    (&["real.csv"], "sample rows -n 60000 -o trial/real.csv --if-exists append"),
    (&["rows.jsonl"], "sample rows -n 60000 -o trial/rows.jsonl --if-exists append"),
    (&[], "sample rows -n 60000 -o trial/new.csv"),
    (&[], "sample rows -n 60000 -o trial/new.jsonl"),
    (&[], "sample rows -n 400000 -o trial/new.parquet"),
    (&[], "sample rows -n 60000 -o trial/new.db --table t"),
    (&["demo.db"], "sample pictures -n 3000 -o trial/demo.db"),
    (&[], "sample pictures -n 6000 -o trial/photos/"),
    (&[], "sample pictures -n 6000 -o trial/new.png"),
    (&[], "evaluate rows --html trial/page.html"),
    (&[], "export pictures -o trial/exported"),
];

pub fn run(place: &Place, trials: &mut Trials) -> Result<()> {
    let n = WRITERS.len();
    trials.all("limits on the size of files", n, |trials, number| {
        let (files, line) = WRITERS[number];
        let dir = place.fresh(files)?;
        let before = contents(&dir);
        // Little more than what the largest file has already.
        let largest = before.values().map(Vec::len).max().unwrap_or(0);
        let kilobytes = largest / 1024 + if line.starts_with("sample") { 30 } else { 4 };
        let output = place.limited(line, kilobytes).output().map_err(|e| format!("{line}: {e}"))?;
        // A folder has no large file in it, and a page may be small enough.
        if is_small(line) && output.status.success() {
            return Ok(());
        }
        check(trials, line, output.status.code(), &String::from_utf8_lossy(&output.stderr), &before, &dir);
        Ok(())
    })?;
    let mount = place.scratch.join("trial");
    place.fresh(&[])?;
    if !mounted(&mount, "64k") {
        println!("   0 full disks: no file system can be mounted here");
        return Ok(());
    }
    unmount(&mount);
    trials.all("full disks", n, |trials, number| {
        let (files, line) = WRITERS[number];
        place.fresh(&[])?;
        let size = files
            .iter()
            .map(|name| fs::metadata(place.scratch.join(name)).map_or(0, |m| m.len()))
            .sum::<u64>();
        if !mounted(&mount, &format!("{}k", size / 1024 + 64)) {
            return Err("a file system that could be mounted can no longer be".to_owned());
        }
        let tried = (|| {
            for name in files {
                fs::copy(place.scratch.join(name), mount.join(name)).map_err(at(&mount))?;
            }
            let before = contents(&mount);
            let output = place.output(line)?;
            if line.starts_with("evaluate") && output.status.success() {
                return Ok(());
            }
            check(
                trials,
                line,
                output.status.code(),
                &String::from_utf8_lossy(&output.stderr),
                &before,
                &mount,
            );
            Ok(())
        })();
        unmount(&mount);
        tried
    })
}

fn is_small(line: &str) -> bool {
    line.ends_with("photos/") || line.starts_with("evaluate")
}

fn check(trials: &mut Trials, line: &str, code: Option<i32>, said: &str, before: &Contents, dir: &Path) {
    trials.check(code == Some(2) && said.contains("error:"), || {
        format!("{line}: exit {code:?}: {}", said.trim())
    });
    let now = contents(dir);
    for (path, bytes) in before {
        trials.check(now.get(path) == Some(bytes), || format!("{line}: {} is not as it was", path.display()));
    }
    let new: Vec<String> =
        now.keys().filter(|path| !before.contains_key(*path)).map(|p| p.display().to_string()).collect();
    trials
        .check(new.is_empty() && left_behind(dir).is_empty(), || format!("{line}: left {}", new.join(", ")));
}

fn mounted(dir: &Path, size: &str) -> bool {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(dir);
    mount.output().is_ok_and(|output| output.status.success())
}

fn unmount(dir: &Path) {
    let _ = Command::new("umount").arg(dir).output();
}
