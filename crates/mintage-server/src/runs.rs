//! Runs as their folders say: also those that were started in a terminal.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use mintage::{
    DataInfo, Family, Recipe, Run,
    database::is_database_run,
    kept::Kept,
    run::{RunInfo, RunState},
};
use mintage_data::{DataKind, SourceSpec, open_regular, sequence::Modality, table::without_passwords};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub(crate) use crate::ids::{encoded, find, id_of, preview_url};
use crate::{
    App,
    ids::media_type,
    jobs::{Failure, Job, JobState, What},
    problem::Problem,
};

/// Bytes of metrics that one answer is made from.
const MAX_METRICS_BYTES: u64 = 64 << 20;
/// Bytes of a report.
const MAX_REPORT_BYTES: u64 = 64 << 20;
/// Bytes of a preview.
const MAX_PREVIEW_BYTES: u64 = 64 << 20;
/// Runs that are listed.
const MAX_RUNS: usize = 10_000;
/// Runs that wait for their training and are listed.
const MAX_WAITING_RUNS: usize = 500;

/// A run.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunView {
    /// Its name in addresses.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `queued`, `training`, `interrupted`, `done` or `failed`.
    pub state: &'static str,
    /// Whether a process works on it now.
    pub live: bool,
    /// Steps done.
    pub step: u64,
    /// Seconds of training.
    pub train_secs: f64,
    /// `image`, `table`, `text`, `music`, `audio` or `video`, once known.
    pub kind: Option<&'static str>,
    /// Family of models, once known.
    pub family: Option<&'static str>,
    /// Size preset, once known.
    pub size: Option<&'static str>,
    /// The source, without a password.
    pub source: String,
    /// The source among those that can be looked at.
    pub source_id: Option<String>,
    /// Table of a database.
    pub table: Option<String>,
    /// Column of the items.
    pub column: Option<String>,
    /// Column of the classes.
    pub label: Option<String>,
    /// Seconds since 1970.
    pub created: u64,
    /// Seconds since 1970.
    pub modified: u64,
    /// A picture of the newest preview: of a sound its waveform, of a tune its piano roll.
    pub preview: Option<String>,
    /// How the newest preview begins, of texts and rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview_text: Option<String>,
    /// Whether a model is published.
    pub has_model: bool,
    /// Whether there is a report.
    pub has_report: bool,
    /// How many new items are kept.
    pub kept: usize,
    /// Why its training failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// A preview.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Preview {
    /// Steps done then.
    pub step: u64,
    /// Where it is.
    pub url: String,
    /// Its media type.
    #[serde(rename = "type")]
    pub media_type: &'static str,
    #[serde(skip)]
    name: String,
}

impl App {
    /// The run of an id, or that there is none.
    pub(crate) fn run(&self, id: &str) -> Result<RunInfo, Problem> {
        find(&self.runs, id).ok_or_else(|| {
            Problem::not_found("there is no such run").with_hint("GET /api/runs lists what there is")
        })
    }

    /// The folder of the model of an id, or why there is none.
    pub(crate) fn model_dir(&self, id: &str) -> Result<PathBuf, Problem> {
        let run = self.run(id)?;
        match run.config {
            Some(_) => Ok(run.dir),
            None => Err(match mintage::model::ModelConfig::load(&run.dir) {
                Err(error) if run.dir.join("config.json").exists() => error.into(),
                _ => Problem::conflict("this run has published no model yet")
                    .with_hint("wait until its training is done, or resume it"),
            }),
        }
    }

    /// All runs and what waits to become one, the newest first.
    pub(crate) fn run_views(&self) -> Vec<RunView> {
        let listed = Run::list(&self.runs).unwrap_or_default();
        let mut views: Vec<RunView> = listed.iter().take(MAX_RUNS).map(|run| self.view(run)).collect();
        let known: HashSet<String> = views.iter().map(|view| view.id.clone()).collect();
        let to_come = |job: &Job| {
            let has_folder = known.contains(&job.run);
            job.what == What::Train && !has_folder && (job.is_open() || job.state == JobState::Failed)
        };
        // Those that are begun first.
        let waiting_first = self.jobs.all().into_iter().rev().filter(to_come).take(MAX_WAITING_RUNS);
        views.extend(waiting_first.map(|job| waiting(&job)));
        views.sort_by_key(|view| std::cmp::Reverse((view.modified, view.created)));
        views
    }

    /// What is known of a run.
    pub(crate) fn view(&self, run: &RunInfo) -> RunView {
        let id = id_of(&run.name);
        let job = self.jobs.of_run(&id);
        let live = job.as_ref().is_some_and(|job| job.state == JobState::Running)
            || (run.state == RunState::Training && Run::is_live(&run.dir));
        let failed = if live { None } else { self.jobs.failed(&id) };
        let state = match (&job, run.state, live) {
            (Some(job), _, _) if job.state == JobState::Queued => "queued",
            (_, RunState::Training, true) => "training",
            (_, RunState::Done, _) => "done",
            _ if failed.is_some() => "failed",
            (_, RunState::Training | RunState::Interrupted, _) => "interrupted",
        };
        let source = spec_of(run);
        let config = run.config.as_ref();
        // Until a model is published, the recipe says what it will be.
        let recipe = match config {
            Some(_) => None,
            None => Run::open(&run.dir).and_then(|run| run.recipe()).ok(),
        };
        let is_database = is_database_run(&run.dir);
        let family_of = |recipe: &Recipe| match is_database {
            true => Some(recipe.model.family_of_rows()),
            false => recipe.model.family,
        };
        let (preview, preview_text) = newest(&id, &run.dir);
        RunView {
            name: run.name.clone(),
            state,
            live,
            step: if live { run.step.max(last_step(&run.dir)) } else { run.step },
            train_secs: run.train_secs,
            kind: config
                .map(|config| kind_of(&config.info))
                .or(recipe.as_ref().and_then(|recipe| recipe.data.kind).map(DataKind::name)),
            family: config
                .map(|config| config.model.family().name())
                .or(recipe.as_ref().and_then(family_of).map(Family::name)),
            size: config
                .map(|config| config.size.name())
                .or(recipe.as_ref().map(|recipe| recipe.model.size.name())),
            source: source
                .as_ref()
                .map(|spec| self.guard.hide(&without_passwords(&spec.source)))
                .unwrap_or_default(),
            source_id: source.as_ref().and_then(|spec| self.sources.of_run(spec)),
            table: source.as_ref().and_then(|spec| spec.table.clone()),
            column: source.as_ref().and_then(|spec| spec.column.clone()),
            label: source.as_ref().and_then(|spec| spec.label.clone()),
            created: seconds(&run.dir.join("recipe.toml")),
            modified: seconds(&run.dir.join("run.json")),
            preview,
            preview_text,
            has_model: config.is_some(),
            // That of a whole database has a page alone.
            has_report: ["report.html", "report.json"].iter().all(|file| run.dir.join(file).is_file()),
            kept: kept_count(&run.dir),
            error: failed,
            id,
        }
    }
}

fn waiting(job: &Job) -> RunView {
    RunView {
        id: job.run.clone(),
        name: job.run.clone(),
        state: match job.state {
            JobState::Failed => "failed",
            JobState::Running => "training",
            _ => "queued",
        },
        live: job.state == JobState::Running,
        step: 0,
        train_secs: 0.0,
        kind: None,
        family: None,
        size: None,
        source: String::new(),
        source_id: None,
        table: None,
        column: None,
        label: None,
        created: job.created,
        modified: job.created,
        preview: None,
        preview_text: None,
        has_model: false,
        has_report: false,
        kept: 0,
        error: job.error.clone(),
    }
}

/// Where a run's data came from: as its model says, or its recipe.
pub(crate) fn spec_of(run: &RunInfo) -> Option<SourceSpec> {
    match &run.config {
        Some(config) => Some(config.source.clone()),
        None => Run::open(&run.dir).and_then(|run| run.recipe()).ok().map(|recipe| recipe.data),
    }
}

fn kind_of(info: &DataInfo) -> &'static str {
    match info {
        DataInfo::Image(_) => "image",
        DataInfo::Table(_) => "table",
        DataInfo::Sequence(info) => match info.modality {
            Modality::Text => "text",
            Modality::Music => "music",
        },
        DataInfo::Audio(_) => "audio",
        DataInfo::Video(_) => "video",
    }
}

/// The last step that a training has noted: `run.json` is written at its checkpoints alone.
fn last_step(dir: &Path) -> u64 {
    const MAX_TAIL_BYTES: u64 = 4096;
    let Ok((mut file, length)) = open_own(&dir.join("metrics.jsonl")) else { return 0 };
    let mut bytes = Vec::new();
    let _ = file
        .seek(SeekFrom::Start(length.saturating_sub(MAX_TAIL_BYTES)))
        .and_then(|_| file.take(MAX_TAIL_BYTES).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let step = |line: &str| serde_json::from_str::<Value>(line).ok()?["step"].as_u64();
    text.lines().rev().find_map(step).unwrap_or(0)
}

/// How many new items of a run are kept.
fn kept_count(dir: &Path) -> usize {
    if dir.join("kept.jsonl").symlink_metadata().is_err() {
        return 0;
    }
    Kept::open(dir).and_then(|kept| kept.list()).map_or(0, |items| items.len())
}

fn seconds(path: &Path) -> u64 {
    let changed = fs::metadata(path).and_then(|file| file.modified()).ok();
    changed.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs())
}

/// The previews of a run, oldest first.
pub(crate) fn previews(id: &str, dir: &Path) -> Vec<Preview> {
    let entries = fs::read_dir(dir.join("samples")).into_iter().flatten().flatten();
    let mut found: Vec<Preview> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let step = name.strip_prefix("step-")?.split('.').next()?.parse().ok()?;
            Some(Preview { step, media_type: media_type(&name)?, url: preview_url(id, &name), name })
        })
        .collect();
    // A tune is there to be heard and to be read: once a step.
    found.sort_by(|a, b| (a.step, a.media_type).cmp(&(b.step, b.media_type)));
    found
}

/// What a card of a run shows: a picture of its newest preview, or how that begins.
fn newest(id: &str, dir: &Path) -> (Option<String>, Option<String>) {
    const MAX_SHOWN_CHARS: usize = 600;
    const MAX_SHOWN_BYTES: u64 = 4 << 10;
    let Some(preview) = previews(id, dir).pop() else { return (None, None) };
    if preview.media_type.starts_with("image/") {
        return (Some(preview.url), None);
    }
    if !preview.media_type.starts_with("text/") {
        return (Some(preview.url + "?as=picture"), None);
    }
    let mut bytes = Vec::new();
    let opened = open_own(&dir.join("samples").join(&preview.name));
    let _ = opened.map(|(file, _)| file.take(MAX_SHOWN_BYTES).read_to_end(&mut bytes));
    (None, Some(String::from_utf8_lossy(&bytes).chars().take(MAX_SHOWN_CHARS).collect()))
}

/// A preview's bytes and media type. The name is compared with those that are there.
pub(crate) fn preview(id: &str, dir: &Path, name: &str) -> Result<(Vec<u8>, &'static str), Problem> {
    let missing = || Problem::not_found("there is no such preview");
    let url = preview_url(id, name);
    let found = previews(id, dir).into_iter().find(|preview| preview.url == url).ok_or_else(missing)?;
    Ok((read(&dir.join("samples").join(name), MAX_PREVIEW_BYTES)?, found.media_type))
}

/// A file of the report.
pub(crate) fn report_file(dir: &Path, name: &str) -> Result<Vec<u8>, Problem> {
    let path = dir.join(name);
    if path.symlink_metadata().is_err() {
        return Err(Problem::not_found("this run has no report yet").with_hint("evaluate it"));
    }
    read(&path, MAX_REPORT_BYTES)
}

/// A file of a run, through no link.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Problem> {
    let (file, length) = open_own(path)?;
    if length > limit {
        return Err(Problem::new(
            axum::http::StatusCode::PAYLOAD_TOO_LARGE,
            "the file is too large to be sent",
        ));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(mintage::Error::io(path))?;
    Ok(bytes)
}

/// Opens a file and makes sure that it is the one that lies in its folder: a run may come from a stranger, and a link be put
/// in the place of a file at any moment. With its length.
fn open_own(path: &Path) -> Result<(File, u64), Problem> {
    let refused = || Problem::not_found("a link lies there, and none is followed");
    let file = open_regular(path)?;
    let opened = file.metadata().map_err(mintage::Error::io(path))?;
    let folder = path.parent().ok_or_else(refused)?;
    // The folder of the file is no link either; where the runs lie is the user's business.
    for place in [path, folder] {
        if place.symlink_metadata().map_err(mintage::Error::io(place))?.is_symlink() {
            return Err(refused());
        }
    }
    let there = path.symlink_metadata().map_err(mintage::Error::io(path))?;
    match is_same(&opened, &there) {
        true => Ok((file, opened.len())),
        false => Err(refused()),
    }
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.len(), one.created().ok()) == (other.len(), other.created().ok())
}

/// Metrics from a byte of the series on, at most about `points` of each kind; and where to go on.
pub(crate) fn metrics(
    dir: &Path,
    since: u64,
    points: usize,
) -> Result<(u64, Vec<Map<String, Value>>), Problem> {
    let path = dir.join("metrics.jsonl");
    if path.symlink_metadata().is_err() {
        return Ok((0, Vec::new()));
    }
    let (mut file, length) = open_own(&path)?;
    // A run that was resumed begins its series anew at its last checkpoint.
    let since = if since > length { 0 } else { since };
    let io = |error| Problem::from(mintage::Error::io(&path)(error));
    file.seek(SeekFrom::Start(since)).map_err(io)?;
    let (mut at, mut all) = (since, Vec::new());
    let mut reader = BufReader::new(file.take(MAX_METRICS_BYTES));
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(io)?;
        if read == 0 || line.last() != Some(&b'\n') {
            break;
        }
        at += read as u64;
        if let Ok(Value::Object(record)) = serde_json::from_slice(&line) {
            all.push(record);
        }
    }
    let times = times(dir);
    for record in all.iter_mut().filter(|record| record.get("kind").is_some_and(|kind| kind == "valid")) {
        let step = record.get("step").and_then(Value::as_u64);
        if let Some(secs) = step.and_then(|step| times.get(&step)) {
            record.insert("secs".to_owned(), (*secs).into());
        }
    }
    Ok((at, thinned(all, points)))
}

/// When validations were, in seconds of training, by their step.
fn times(dir: &Path) -> HashMap<u64, f64> {
    let Ok((file, _)) = open_own(&dir.join("times.jsonl")) else { return HashMap::new() };
    let lines = BufReader::new(file.take(MAX_METRICS_BYTES)).lines().map_while(Result::ok);
    let time = |line: String| {
        let record: Value = serde_json::from_str(&line).ok()?;
        Some((record["step"].as_u64()?, record["secs"].as_f64()?))
    };
    lines.filter_map(time).collect()
}

/// Of more records than `points` of a kind every so many, the last always.
fn thinned(all: Vec<Map<String, Value>>, points: usize) -> Vec<Map<String, Value>> {
    let is_step = |record: &Map<String, Value>| record.get("kind").is_some_and(|kind| kind == "step");
    let (steps, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_step);
    let mut kept = [steps, others].into_iter().flat_map(|records| {
        let (every, last) = (records.len().div_ceil(points.max(1)).max(1), records.len().saturating_sub(1));
        let is_kept = move |i: usize| i.is_multiple_of(every) || i == last;
        records.into_iter().enumerate().filter(move |(i, _)| is_kept(*i)).map(|(_, record)| record)
    });
    let mut kept: Vec<_> = kept.by_ref().collect();
    kept.sort_by_key(|record| record.get("step").and_then(Value::as_u64).unwrap_or(0));
    kept
}

/// The last lines of what a run has logged.
pub(crate) fn log_tail(dir: &Path) -> Vec<String> {
    const MAX_LOG_BYTES: u64 = 64 << 10;
    const MAX_LINES: usize = 200;
    let path = dir.join("log.txt");
    let Ok((mut file, length)) = open_own(&path) else { return Vec::new() };
    let mut bytes = Vec::new();
    let _ = file
        .seek(SeekFrom::Start(length.saturating_sub(MAX_LOG_BYTES)))
        .and_then(|_| file.take(MAX_LOG_BYTES).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(MAX_LINES)..].iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_series_are_thinned_and_keep_their_ends() {
        let record = |step: u64, kind: &str| {
            let Value::Object(map) = serde_json::json!({ "step": step, "kind": kind }) else {
                unreachable!()
            };
            map
        };
        let all: Vec<_> = (0..1000).map(|step| record(step, "step")).chain([record(500, "valid")]).collect();
        let kept = thinned(all, 100);
        assert!((100..=102).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last().and_then(|last| last["step"].as_u64()), Some(999));
        assert!(kept.iter().any(|record| record["kind"] == "valid"));
    }

    #[test]
    fn ids_are_parts_of_paths() {
        assert_eq!(
            preview_url(&id_of("sweep/a b"), "step-1.png"),
            "/api/runs/sweep~a%20b/previews/step-1.png"
        );
    }
}
