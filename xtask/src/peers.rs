//! Whole databases by others, judged as ours are: `peers-DATABASE` and `baseball-qa` of `cargo xtask quality`.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    Result,
    command::{mintage, succeed},
    databases::{METRICS, Made, json_of, source_of},
    figure::Figure,
    python,
};

/// The generators of `bench/peers/database_peer.py`.
const PEERS: [&str; 2] = ["sdv", "mostlyai"];
/// Minutes after which a peer is stopped; ours takes from one to eleven.
const PEER_LIMIT: &str = "15";

/// What `database_peer.py` says.
#[derive(Deserialize)]
struct Peer {
    name: String,
    train_secs: Option<f64>,
    sample_secs: Option<f64>,
    /// Why there is no new database.
    refused: Option<String>,
    notes: Vec<String>,
}

/// Ours and the peers with their defaults on one database, `peers-NAME`, all judged by `mintage evaluate REAL NEW`. Ours
/// gets `time`.
pub fn beside(name: &str, time: &str, binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    let python = python::DATABASE_PEERS.python().ok_or("no peers: bench/peers/requirements-databases.txt")?;
    let source = source_of(name);
    if !source.is_file() {
        return Err(format!("{}: is not there; `cargo xtask data FOLDER` brings it", source.display()));
    }
    let case = format!("peers-{name}");
    let (file, secs) = ours(&source, name, time, binary, scratch)?;
    let setup = format!("--time {time}, learned and made in {secs:.0} s");
    let own = judged(&source, &file, &setup, binary, scratch)?;
    let mut figures = shown(&case, "mintage", &own, secs);
    for peer in PEERS {
        let found = learned(&python, peer, &source, &scratch.join(format!("{peer}-{name}.db")))?;
        let (Some(train), Some(sample)) = (found.train_secs, found.sample_secs) else {
            let why = found.refused.unwrap_or_default().replace('\n', " ");
            let figure = Figure::shown(&case, &format!("{}: refused", found.name), 1.0, "", &why);
            figures.push(Figure { better: "lower".to_owned(), ..figure });
            continue;
        };
        let setup = format!("defaults, learned in {train:.0} s, made in {sample:.0} s");
        let setup = std::iter::once(setup).chain(found.notes).collect::<Vec<_>>().join("; ");
        let theirs = judged(&source, &format!("{peer}-{name}.db"), &setup, binary, scratch)?;
        figures.extend(shown(&case, &found.name, &theirs, train + sample));
        let ahead: Vec<&str> = METRICS.into_iter().filter(|metric| is_ahead(&theirs, &own, metric)).collect();
        let metric = format!("metrics on which {} is ahead", found.name);
        figures.push(Figure::lower(&case, &metric, ahead.len() as f64, "of 7", 0.0, &ahead.join(", ")));
        let metric = format!("our time over that of {}", found.name);
        figures.push(Figure::lower(&case, &metric, secs / (train + sample), "times", 1.0, &setup));
    }
    Ok(figures)
}

/// Ours, made as a user would; returns the file in the scratch folder and the seconds of both commands.
fn ours(source: &Path, name: &str, time: &str, binary: &Path, scratch: &Path) -> Result<(String, f64)> {
    let start = Instant::now();
    let line = format!("train {} --time {time} --name {name}", source.display());
    succeed(&mut mintage(binary, scratch, &line))?;
    let file = format!("mintage-{name}.db");
    succeed(&mut mintage(binary, scratch, &format!("sample {name} -o {file} --seed 1")))?;
    Ok((file, start.elapsed().as_secs_f64()))
}

/// A peer's new database, or why there is none.
fn learned(python: &Path, peer: &str, source: &Path, new: &Path) -> Result<Peer> {
    let mut command = python::command(python, "database_peer.py");
    command.arg(peer).arg(source).arg(new).args(["--limit", PEER_LIMIT]);
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| format!("{command:?}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|e| format!("{command:?}: {e}: {last}"))
}

/// What our judge says of a new database in the scratch folder.
fn judged(source: &Path, file: &str, setup: &str, binary: &Path, scratch: &Path) -> Result<Made> {
    let line = format!("evaluate {} {file} --seed 1 --json -", source.display());
    let scores = json_of(binary, scratch, &line)?;
    let tables = scores["proof"]["tables"].as_array().into_iter().flatten();
    let keys = tables.flat_map(|table| table["keys"].as_array().into_iter().flatten());
    let broken = keys.filter_map(|key| key["failed"].as_f64()).sum();
    Ok(Made { scores, broken, refused: 0.0, setup: setup.to_owned() })
}

fn shown(case: &str, maker: &str, made: &Made, secs: f64) -> Vec<Figure> {
    let figure = |metric: &str, value: f64, unit: &str, better: &str| {
        let metric = format!("{maker}: {metric}");
        Figure { better: better.to_owned(), ..Figure::shown(case, &metric, value, unit, &made.setup) }
    };
    let better = |metric: &str| if is_detection(metric) { "lower" } else { "higher" };
    let scores = METRICS.into_iter().filter_map(|metric| Some((metric, made.score(metric)?)));
    let mut figures: Vec<Figure> =
        scores.map(|(metric, score)| figure(metric, score, "", better(metric))).collect();
    figures.push(figure("rows that break a key", made.broken, "", "lower"));
    figures.push(figure("minutes", secs / 60.0, "min", "lower"));
    figures
}

/// Whether `theirs` is better than `own` by a metric that both have.
fn is_ahead(theirs: &Made, own: &Made, metric: &str) -> bool {
    match (theirs.score(metric), own.score(metric)) {
        (Some(theirs), Some(own)) if is_detection(metric) => theirs < own,
        (Some(theirs), Some(own)) => theirs > own,
        _ => false,
    }
}

fn is_detection(metric: &str) -> bool {
    metric.starts_with("C2ST")
}

/// The accuracy of a new baseball database by mostlyai-qa, and the minutes that it took.
pub fn baseball(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    const CASE: &str = "baseball-qa";
    const TIME: &str = "90s";
    let python: PathBuf =
        python::DATABASE_PEERS.python().ok_or("no judge: bench/peers/requirements-databases.txt")?;
    let source = source_of("baseball");
    let (file, secs) = ours(&source, "baseball", TIME, binary, scratch)?;
    let mut command = python::command(&python, "baseball_qa.py");
    command.arg(&source).arg(scratch.join(file));
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| format!("{command:?}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let found: Value = serde_json::from_str(last).map_err(|e| format!("{command:?}: {e}: {last}"))?;
    let setup = format!("--time {TIME}; batting and fielding given players, by mostlyai-qa");
    let accuracy = found["accuracy"].as_f64().ok_or("no accuracy")?;
    let mut figures = vec![
        Figure::higher(CASE, "accuracy", accuracy, "of 1", 0.9, &setup),
        Figure::lower(CASE, "learned and made in", secs / 60.0, "min", 3.0, &setup),
    ];
    for table in ["players", "batting", "fielding"] {
        for part in ["overall", "univariate", "bivariate", "coherence", "overall_max"] {
            if let Some(value) = found[table][part].as_f64() {
                figures.push(Figure::shown(CASE, &format!("{table}: {part}"), value, "of 1", &setup));
            }
        }
    }
    Ok(figures)
}
