//! Runs: begun, ended, gone on with, looked at.

use std::ffi::OsString;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use mintage::curve::advice_at_end;
use mintage::generate::played;
use mintage::models::MATRIX;
use mintage_data::{
    Score,
    browse::{Media, thumbnail},
    names::text_of,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::blocking;
use crate::{
    App, Shared,
    guard::{FILE_POLICY, as_file},
    ids,
    jobs::{Call, Job, JobState, What},
    problem::{Body, Path, Problem, Query, bytes},
    range::ranged,
    runs::{self, Preview, RunView, id_of},
    sources::Source,
};

/// Points of a curve that are sent without being asked for.
const DEFAULT_POINTS: usize = 1000;
const MAX_POINTS: usize = 20_000;
/// Pixels of the longer side of a picture of a sound or a tune.
const PICTURE_PIXELS: usize = 384;
/// Characters of a run's name.
const MAX_NAME_CHARS: usize = 100;
/// Options of a recipe that a request lays over it.
const MAX_SETTINGS: usize = 100;
/// Where options of a recipe begin that a request may set: none that names another source.
const OPEN_SETTINGS: [&str; 4] = ["model.", "train.", "preview.", "data."];
const CLOSED_SETTINGS: [&str; 6] =
    ["data.source", "data.holdout", "data.query", "data.allow_made", "data.table", "data.kind"];

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, begin))
        .routes(routes!(show, remove))
        .routes(routes!(stop))
        .routes(routes!(resume))
        .routes(routes!(prolong))
        .routes(routes!(evaluate))
        .routes(routes!(metrics))
        .routes(routes!(previews))
        .routes(routes!(preview))
        .routes(routes!(report))
}

#[derive(Serialize, ToSchema)]
struct Runs {
    runs: Vec<RunView>,
}

/// All runs, newest first
#[utoipa::path(get, path = "/api/runs", tag = "runs", responses((status = 200, body = Runs)))]
async fn list(State(app): State<Shared>) -> Result<Json<Runs>, Problem> {
    blocking(move || Ok(Json(Runs { runs: app.run_views() }))).await
}

/// A training to begin.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Begin {
    /// Id of the source.
    source: String,
    /// Table of a database.
    table: Option<String>,
    /// Column of the items; of rows the columns to learn, with commas between them.
    column: Option<String>,
    /// Column of the classes.
    label: Option<String>,
    /// `image`, `table`, `text`, `music`, `audio` or `video`.
    kind: Option<String>,
    /// Family of models.
    family: Option<String>,
    /// Size preset.
    size: Option<String>,
    /// Budget of time, such as `2m`.
    time: Option<String>,
    /// Budget in steps.
    steps: Option<u64>,
    /// Name of the run.
    name: Option<String>,
    /// Seed of every random choice.
    seed: Option<u64>,
    /// Options of the recipe by their keys, such as `model.lr`.
    #[serde(default)]
    settings: Map<String, Value>,
    /// Say what would be trained, and train nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Begins a training, or says what it would be
#[utoipa::path(post, path = "/api/runs", tag = "runs", request_body = Begin,
    responses((status = 200, body = Value, description = "The plan"), (status = 202, body = Value, description = "The job")))]
async fn begin(State(app): State<Shared>, Body(asked): Body<Begin>) -> Result<Response, Problem> {
    let source = app.sources.get(&asked.source)?;
    let name = match &asked.name {
        Some(name) => app.new_name(name)?,
        None => app.free_name(&source, &asked),
    };
    let mut call = train_call(&source, &asked, &name)?;
    if asked.dry_run {
        call.args.insert(1, "--dry-run".into());
        let answer = app.jobs.program().ask(&call).await?;
        let recipe = app.guard.hide(&recipe_text(&answer));
        return Ok(Json(json!({ "plan": plan(&answer, &name, &app), "recipe": recipe })).into_response());
    }
    call.args.extend(app.everywhere());
    let job = app.jobs.add(What::Train, &id_of(&name), call.with_source(&source))?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "job": job, "run": job.run }))).into_response())
}

/// The call that trains, but for its source.
fn train_call(source: &Source, asked: &Begin, name: &str) -> Result<Call, Problem> {
    let mut args: Vec<OsString> = vec!["train".into()];
    let options = [
        ("--table", &asked.table),
        ("--column", &asked.column),
        ("--label", &asked.label),
        ("--kind", &asked.kind),
        ("--model", &asked.family),
        ("--size", &asked.size),
        ("--time", &asked.time),
    ];
    for (flag, value) in options {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            no_zero(value)?;
            args.push(format!("{flag}={value}").into());
        }
    }
    if let Some(kind) = &asked.kind
        && !MATRIX.iter().any(|(known, ..)| known.split(' ').next() == Some(kind))
    {
        return Err(Problem {
            field: Some("kind".to_owned()),
            ..Problem::request(format!("there is no kind `{kind}`"))
        });
    }
    if let Some(steps) = asked.steps {
        args.push(format!("--steps={steps}").into());
    }
    if let Some(seed) = asked.seed {
        args.push(format!("--seed={seed}").into());
    }
    if asked.settings.len() > MAX_SETTINGS {
        return Err(Problem::request(format!("{MAX_SETTINGS} settings are laid over a recipe at most")));
    }
    for (key, value) in &asked.settings {
        let is_open = OPEN_SETTINGS.iter().any(|start| key.starts_with(start))
            && !CLOSED_SETTINGS.contains(&key.trim())
            && !key.contains('=');
        if !is_open {
            return Err(Problem {
                field: Some("settings".to_owned()),
                ..Problem::request(format!("`{key}` cannot be set here"))
            }
            .with_hint("settings begin with model., train. or data.; the source has fields of its own"));
        }
        let value = toml_of(value);
        no_zero(&value)?;
        args.push(format!("--set={key}={value}").into());
    }
    args.push(format!("--name={name}").into());
    args.push("--json".into());
    let call = Call { args, env: password(source) };
    Ok(if asked.dry_run { call.with_source(source) } else { call })
}

/// A value as the command takes it: texts are plain, tables inline.
fn toml_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| format!("{} = {value}", json!(key));
            format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Arguments of a process end at a zero.
fn no_zero(text: &str) -> Result<(), Problem> {
    match text.contains('\0') {
        true => Err(Problem::request("a text holds a zero character")),
        false => Ok(()),
    }
}

impl Call {
    /// The source comes last, where nothing in it is taken for a flag.
    fn with_source(mut self, source: &Source) -> Self {
        self.args.extend(["--".into(), source.argument().into()]);
        self
    }
}

/// A password goes by the environment: lists of processes show arguments.
pub(super) fn password(source: &Source) -> Vec<(String, String)> {
    let known = source.spec.pg.known.get(&source.spec.source).or(source.spec.pg.password.as_ref());
    known.map(|password| ("PGPASSWORD".to_owned(), password.clone())).into_iter().collect()
}

fn plan(answer: &Value, name: &str, app: &App) -> Value {
    let recipe = &answer["recipe"];
    let parameters = answer["parameters"].as_u64();
    json!({
        "name": name,
        "kind": answer["kind"],
        "why": answer["why"],
        "data": answer["data"],
        "makings": answer["makings"],
        "rules": answer["rules"],
        "family": recipe["model"]["family"],
        "family_why": answer["family_why"],
        "size": recipe["model"]["size"],
        "parameters": parameters,
        "device": app.device,
        "threads": app.threads,
        "batch": recipe["model"]["batch"],
        "time_secs": recipe["train"]["steps"].is_null().then(|| time_secs(&recipe["train"]["time"])).flatten(),
        "steps": recipe["train"]["steps"],
        // Weights, their gradients and two moments of the optimiser, in 4 bytes each.
        "memory_bytes": parameters.map(|n| n * 16),
    })
}

/// Seconds of a length of time as recipes write one, "4m".
fn time_secs(time: &Value) -> Option<f64> {
    mintage::recipe::parse_duration(time.as_str()?).ok().map(|time| time.as_secs_f64())
}

/// The recipe, key by key as in a file.
fn recipe_text(answer: &Value) -> String {
    let mut text = String::new();
    for (section, keys) in answer["recipe"].as_object().into_iter().flatten() {
        for (key, value) in keys.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            text.push_str(&format!("{section}.{key} = {value}\n"));
        }
    }
    text
}

impl App {
    /// Flags of every call that works on runs.
    fn everywhere(&self) -> Vec<OsString> {
        let runs = OsString::from("--runs");
        vec![runs, self.runs.clone().into_os_string(), "--no-progress".into(), "--yes".into()]
    }

    fn new_name(&self, name: &str) -> Result<String, Problem> {
        let is_plain = !name.is_empty()
            && name.chars().count() <= MAX_NAME_CHARS
            && !name.starts_with(['.', '-'])
            && !name.contains(['/', '\\', '~', ':', '"', '<', '>', '|', '?', '*'])
            && !name.chars().any(char::is_control)
            && !name.ends_with([' ', '.'])
            && !is_device(name);
        if !is_plain {
            return Err(Problem {
                field: Some("name".to_owned()),
                ..Problem::request(format!("`{name}` cannot be the name of a run"))
            }
            .with_hint("it becomes the name of a folder"));
        }
        let is_taken = self.runs.join(name).exists() || self.jobs.of_run(&id_of(name)).is_some();
        match is_taken {
            true => Err(Problem::conflict(format!("there is a run `{name}` already"))
                .with_hint("choose another name")),
            false => Ok(name.to_owned()),
        }
    }

    /// SOURCE-TABLE-FAMILY-N with the first N that is free.
    fn free_name(&self, source: &Source, asked: &Begin) -> String {
        let stem = std::path::Path::new(source.spec.source.trim_end_matches('/'))
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let parts = [Some(stem), asked.table.clone(), asked.family.clone().filter(|family| family != "auto")];
        let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
        let stem: String =
            parts.into_iter().flatten().collect::<Vec<_>>().join("-").chars().map(plain).collect();
        let stem: String = stem.trim_matches('-').chars().take(MAX_NAME_CHARS - 8).collect();
        let stem = if stem.is_empty() { "data" } else { &stem };
        let names = (1u32..).map(|n| format!("{stem}-{n}"));
        names.into_iter().find(|name| self.new_name(name).is_ok()).unwrap_or_default()
    }
}

/// Names that Windows gives to devices, with any ending.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim().to_ascii_uppercase();
    let numbered = |start: &str| {
        stem.strip_prefix(start)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

/// What is known of a run
#[utoipa::path(get, path = "/api/runs/{run}", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, body = Value)))]
async fn show(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let Ok(run) = app.run(&id) else {
            // It may wait for its turn.
            let waiting = app.run_views().into_iter().find(|view| view.id == id);
            return waiting
                .map(|view| Json(json!(view)))
                .ok_or_else(|| Problem::not_found("there is no such run"));
        };
        let mut view = json!(app.view(&run));
        let opened = mintage::Run::open(&run.dir)?;
        view["recipe"] =
            json!(opened.recipe().map(|recipe| app.guard.hide(&recipe.to_toml())).unwrap_or_default());
        view["ended"] = json!(opened.file()?.ended);
        view["log"] =
            json!(runs::log_tail(&run.dir).iter().map(|line| app.guard.hide(line)).collect::<Vec<_>>());
        if let Some(config) = &run.config {
            view["seed"] = json!(config.seed);
            view["valid"] = json!(config.valid.as_ref().map(|valid| valid.0.clone()));
            view["advice"] = json!(advice_at_end(&run.dir, config));
        }
        Ok(Json(view))
    })
    .await
}

/// Removes a run and its model
#[utoipa::path(delete, path = "/api/runs/{run}", tag = "runs", params(("run" = String, Path)), responses((status = 204)))]
async fn remove(State(app): State<Shared>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    blocking(move || {
        match app.jobs.of_run(&id) {
            Some(job) if job.state == JobState::Queued => drop(app.jobs.cancel(&job.id)),
            Some(_) => return Err(Problem::conflict("a job works on this run").with_hint("stop it first")),
            None => {}
        }
        let run = app.run(&id)?;
        if app.view(&run).live {
            return Err(Problem::conflict("the run is training").with_hint("stop it first"));
        }
        // Nobody begins to train in it meanwhile.
        let held = mintage::run::lock(&run.dir)?;
        // Under another name first: a removal that is broken off leaves no half of a run.
        let gone = app.runs.join(format!(".gone-{}", crate::jobs::now()));
        std::fs::rename(&run.dir, &gone).map_err(mintage::Error::io(&run.dir))?;
        drop(held);
        std::fs::remove_dir_all(&gone).map_err(mintage::Error::io(&run.dir))?;
        app.events.send("runs", "runs", json!({ "run": id, "change": "gone" }));
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

#[derive(Serialize, ToSchema)]
struct Begun {
    job: Job,
}

type Accepted = (StatusCode, Json<Begun>);

/// Ends a training: it saves, and can be resumed
#[utoipa::path(post, path = "/api/runs/{run}/stop", tag = "runs", params(("run" = String, Path)),
    responses((status = 202, body = Value)))]
async fn stop(State(app): State<Shared>, Path(id): Path<String>) -> Result<Response, Problem> {
    blocking(move || {
        if let Some(job) = app.jobs.of_run(&id) {
            let job = app.jobs.cancel(&job.id).unwrap_or(job);
            return Ok((StatusCode::ACCEPTED, Json(json!({ "job": job }))).into_response());
        }
        let run = app.run(&id)?;
        if !app.view(&run).live {
            return Err(Problem::conflict("the run is not training"));
        }
        ids::ask_to_stop(&app.runs, &id);
        Ok((StatusCode::ACCEPTED, Json(json!({ "job": null }))).into_response())
    })
    .await
}

/// Goes on with a training that was interrupted
#[utoipa::path(post, path = "/api/runs/{run}/resume", tag = "runs", params(("run" = String, Path)),
    responses((status = 202, body = Begun)))]
async fn resume(State(app): State<Shared>, Path(id): Path<String>) -> Result<Accepted, Problem> {
    blocking(move || app.go_on(&id, Vec::new())).await
}

/// How much longer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Prolong {
    /// Time on top of what was spent, such as `2m`.
    time: Option<String>,
    /// The step to end at, counted from the beginning.
    steps: Option<u64>,
}

/// Goes on with a training that was done
#[utoipa::path(post, path = "/api/runs/{run}/prolong", tag = "runs", params(("run" = String, Path)),
    request_body = Prolong, responses((status = 202, body = Begun)))]
async fn prolong(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Body(asked): Body<Prolong>,
) -> Result<Accepted, Problem> {
    let budget: OsString = match (&asked.time, asked.steps) {
        (Some(time), None) => {
            no_zero(time)?;
            format!("--time={time}").into()
        }
        (None, Some(steps)) => format!("--steps={steps}").into(),
        _ => return Err(Problem::request("either `time` or `steps` says how much longer")),
    };
    blocking(move || app.go_on(&id, vec![budget])).await
}

impl App {
    fn go_on(&self, id: &str, budget: Vec<OsString>) -> Result<Accepted, Problem> {
        let run = self.run(id)?;
        if self.view(&run).live || self.jobs.of_run(id).is_some() {
            return Err(
                Problem::conflict("a job works on this run already").with_hint("wait, or stop it first")
            );
        }
        let mut resume = OsString::from("--resume=");
        resume.push(&run.dir);
        let mut args: Vec<OsString> = vec!["train".into(), resume, "--json".into()];
        args.extend(budget);
        args.extend(self.everywhere());
        let job = self.jobs.add(What::Train, id, Call { args, env: self.password_of(&run) })?;
        Ok((StatusCode::ACCEPTED, Json(Begun { job })))
    }

    /// The password of the server that a run learned from, where the user has named it since this server started.
    fn password_of(&self, run: &mintage::run::RunInfo) -> Vec<(String, String)> {
        let id = runs::spec_of(run).and_then(|spec| self.sources.of_run(&spec));
        id.and_then(|id| self.sources.get(&id).ok()).map(|source| password(&source)).unwrap_or_default()
    }
}

/// Writes the report of a run
#[utoipa::path(post, path = "/api/runs/{run}/evaluate", tag = "runs", params(("run" = String, Path)),
    responses((status = 202, body = Begun)))]
async fn evaluate(State(app): State<Shared>, Path(id): Path<String>) -> Result<Accepted, Problem> {
    blocking(move || {
        let dir = app.model_dir(&id)?;
        if let Some(job) = app.jobs.of_run(&id).filter(|job| job.state == JobState::Running) {
            return Err(Problem::conflict(format!("job {} works on this run already", job.id)));
        }
        let mut args: Vec<OsString> = vec!["evaluate".into(), "--json".into()];
        args.extend(app.everywhere());
        args.extend(["--".into(), text_of(dir.as_os_str()).into()]);
        let run = app.run(&id)?;
        let job = app.jobs.add(What::Evaluate, &id, Call { args, env: app.password_of(&run) })?;
        Ok((StatusCode::ACCEPTED, Json(Begun { job })))
    })
    .await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Since {
    /// Byte of the series to go on from: `next` of the answer before.
    since: Option<u64>,
    /// Points of a curve at most, about.
    points: Option<usize>,
}

#[derive(Serialize, ToSchema)]
struct Series {
    /// Where to go on.
    next: u64,
    /// One a step, validation or stage.
    records: Vec<Map<String, Value>>,
}

/// Losses and validations
#[utoipa::path(get, path = "/api/runs/{run}/metrics", tag = "runs", params(("run" = String, Path), Since),
    responses((status = 200, body = Series)))]
async fn metrics(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(asked): Query<Since>,
) -> Result<Json<Series>, Problem> {
    blocking(move || {
        let run = app.run(&id)?;
        let points = asked.points.unwrap_or(DEFAULT_POINTS).clamp(1, MAX_POINTS);
        let (next, records) = runs::metrics(&run.dir, asked.since.unwrap_or(0), points)?;
        Ok(Json(Series { next, records }))
    })
    .await
}

#[derive(Serialize, ToSchema)]
struct Previews {
    previews: Vec<Preview>,
}

/// Samples that training has left, oldest first
#[utoipa::path(get, path = "/api/runs/{run}/previews", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, body = Previews)))]
async fn previews(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<Previews>, Problem> {
    blocking(move || Ok(Json(Previews { previews: runs::previews(&id, &app.run(&id)?.dir) }))).await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct As {
    /// `picture`: of a sound its waveform, of a tune its piano roll; `sound`: a tune as it sounds.
    r#as: Option<String>,
}

/// One of them
#[utoipa::path(get, path = "/api/runs/{run}/previews/{file}", tag = "runs",
    params(("run" = String, Path), ("file" = String, Path), As),
    responses((status = 200, content_type = "application/octet-stream"), (status = 206, content_type = "application/octet-stream")))]
async fn preview(
    State(app): State<Shared>,
    Path((id, file)): Path<(String, String)>,
    Query(asked): Query<As>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(move || {
        let (mut bytes, mut media_type) = runs::preview(&id, &app.run(&id)?.dir, &file)?;
        if asked.r#as.as_deref() == Some("picture") {
            (bytes, media_type) = (thumbnail(&Media::of(bytes), PICTURE_PIXELS)?, "image/png");
        } else if asked.r#as.as_deref() == Some("sound") && media_type == "audio/midi" {
            (bytes, media_type) = (played(&Score::from_midi(&bytes)?, None, "")?, "audio/wav");
        }
        Ok(as_file(ranged(&headers, media_type, bytes)))
    })
    .await
}

/// The page of the report, which runs no script; its numbers with `Accept: application/json`
#[utoipa::path(get, path = "/api/runs/{run}/report", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, content((String = "text/html"), (Value = "application/json")))))]
async fn report(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wants_numbers = headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json");
    blocking(move || {
        if wants_numbers {
            return Ok(bytes("application/json", runs::report_file(&app.run(&id)?.dir, "report.json")?));
        }
        let mut response =
            bytes("text/html; charset=utf-8", runs::report_file(&app.run(&id)?.dir, "report.html")?);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(FILE_POLICY));
        headers.insert(
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        );
        Ok(response)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices_are_known() {
        assert!(is_device("con") && is_device("NUL.txt") && is_device("Com1") && is_device("lpt9.a.b"));
        assert!(!is_device("console") && !is_device("com10") && !is_device("shop-1"));
    }
}
