//! The routes of Ollama's clients, as far as their shapes fit: which models there are, and texts as they are written.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Json,
    body::{Body as HttpBody, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat};
use futures_util::StreamExt;
use mintage::generate::{Progress, Request, Samples};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    App, Shared,
    jobs::now,
    problem::{Body, Problem, bytes},
    runs::{RunView, id_of},
    sampling,
    worker::CancelOnDrop,
};

/// Pieces that wait for a slow reader.
const MAX_PIECES: usize = 64;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(version))
        .routes(routes!(tags))
        .routes(routes!(ps))
        .routes(routes!(show))
        .routes(routes!(generate))
}

/// The version
#[utoipa::path(get, path = "/api/version", tag = "ollama", responses((status = 200, body = Value)))]
async fn version() -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION") }))
}

/// The models
#[utoipa::path(get, path = "/api/tags", tag = "ollama", responses((status = 200, body = Value)))]
async fn tags(State(app): State<Shared>) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({ "models": models(&app)? })))
}

/// The models, all of which answer at once
#[utoipa::path(get, path = "/api/ps", tag = "ollama", responses((status = 200, body = Value)))]
async fn ps(State(app): State<Shared>) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({ "models": models(&app)? })))
}

fn models(app: &App) -> Result<Vec<Value>, Problem> {
    let runs = mintage::Run::list(&app.runs)?;
    let published = runs.iter().filter(|run| run.config.is_some());
    Ok(published
        .map(|run| {
            let view = app.view(run);
            let size = run.dir.join("model.safetensors").metadata().map_or(0, |file| file.len());
            json!({
                "name": id_of(&run.name), "model": id_of(&run.name), "modified_at": date(view.modified), "size": size,
                "digest": "", "details": details(&view),
            })
        })
        .collect())
}

fn details(view: &RunView) -> Value {
    json!({
        "format": "safetensors", "family": view.family, "families": [view.family], "parameter_size": view.size,
        "quantization_level": "F32", "kind": view.kind,
    })
}

/// Seconds since 1970 as a date.
fn date(secs: u64) -> String {
    let at = i64::try_from(secs).ok().and_then(|secs| DateTime::from_timestamp(secs, 0));
    at.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What is asked of a model.
#[derive(Deserialize)]
struct Asked {
    model: String,
    #[serde(default)]
    prompt: String,
    #[serde(default)]
    options: Map<String, Value>,
    stream: Option<bool>,
}

/// One model
#[utoipa::path(post, path = "/api/show", tag = "ollama",
    request_body(content = Value, content_type = "application/json"), responses((status = 200, body = Value)))]
async fn show(
    State(app): State<Shared>,
    Body(asked): Body<Map<String, Value>>,
) -> Result<Json<Value>, Problem> {
    let asked = read(asked)?;
    app.model_dir(&asked.model)?;
    let view = app.view(&app.run(&asked.model)?);
    let capabilities = if view.kind == Some("text") { json!(["completion"]) } else { json!([]) };
    Ok(Json(json!({
        "modified_at": date(view.modified), "details": details(&view), "template": "", "modelfile": "", "parameters": "",
        "model_info": { "general.architecture": view.family, "mintage.kind": view.kind }, "capabilities": capabilities,
    })))
}

fn read(body: Map<String, Value>) -> Result<Asked, Problem> {
    serde_json::from_value(Value::Object(body)).map_err(|error| {
        Problem::new(axum::http::StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}"))
    })
}

impl Asked {
    fn request(&self) -> Request {
        let number = |name: &str| self.options.get(name).and_then(Value::as_f64);
        let whole = |name: &str| self.options.get(name).and_then(Value::as_u64);
        let stops = self.options.get("stop").and_then(Value::as_array).into_iter().flatten();
        Request {
            n: Some(1),
            seed: Some(whole("seed").unwrap_or_else(sampling::fresh_seed)),
            prompt: (!self.prompt.is_empty()).then(|| self.prompt.clone()),
            // Characters, of which a token has one at least; less than nothing means no limit.
            length: whole("num_predict").map(|n| n as usize),
            temperature: number("temperature"),
            top_p: number("top_p"),
            top_k: whole("top_k").map(|n| n as usize),
            min_p: number("min_p"),
            stop: stops.filter_map(|stop| Some(stop.as_str()?.to_owned())).collect(),
            ..Request::default()
        }
    }
}

/// A text that goes on from a prompt, as JSON Lines
#[utoipa::path(post, path = "/api/generate", tag = "ollama",
    request_body(content = Value, content_type = "application/json"),
    responses((status = 200, content((Value = "application/json"), (String = "application/x-ndjson")))))]
async fn generate(
    State(app): State<Shared>,
    Body(asked): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let asked = read(asked)?;
    let dir = app.model_dir(&asked.model)?;
    let is_text = app.view(&app.run(&asked.model)?).kind == Some("text");
    if !is_text {
        return Err(Problem::request("this model makes no texts")
            .with_hint("POST /api/models/{model}/sample makes whatever it makes"));
    }
    let (send, mut receive) = mpsc::channel::<Value>(MAX_PIECES);
    let cancel = Arc::new(AtomicBool::new(false));
    let (inner, flag, is_streamed) = (app.clone(), cancel.clone(), asked.stream.unwrap_or(true));
    app.worker.send(dir, cancel.clone(), move |loaded| {
        let piece = |text: &str, done: bool| {
            json!({ "model": asked.model, "created_at": date(now()), "response": text, "done": done })
        };
        let (request, mut begun) = (asked.request(), false);
        let mut on = |progress: Progress| {
            let Progress::Text { new, .. } = progress else { return };
            // The prompt comes first.
            if std::mem::replace(&mut begun, true) && !new.is_empty() && send.blocking_send(piece(new, false)).is_err() {
                flag.store(true, Ordering::Relaxed);
            }
        };
        let drawn = loaded.and_then(|model| sampling::drawn(&inner, &asked.model, model, &request, &flag, &mut on));
        let last = match drawn {
            Ok(draw) => {
                let mut last = piece("", true);
                last["done_reason"] = json!("stop");
                last["total_duration"] = json!(draw.ms * 1_000_000);
                last["eval_count"] = match &draw.samples {
                    Samples::Text(texts) => json!(texts.items.iter().map(|text| text.chars().count()).sum::<usize>()),
                    _ => json!(0),
                };
                last
            }
            Err(problem) => json!({ "error": inner.guard.hide(&problem.detail) }),
        };
        let _ = send.blocking_send(last);
    })?;
    let held = CancelOnDrop(cancel);
    if is_streamed {
        let lines = ReceiverStream::new(receive).map(move |piece| {
            let _held = &held;
            Ok::<_, std::convert::Infallible>(Bytes::from(format!("{piece}\n")))
        });
        return Ok(bytes("application/x-ndjson", HttpBody::from_stream(lines)));
    }
    let mut text = String::new();
    while let Some(mut piece) = receive.recv().await {
        if let Some(error) = piece["error"].as_str() {
            return Err(Problem::request(error));
        }
        text.push_str(piece["response"].as_str().unwrap_or_default());
        if piece["done"] == true {
            piece["response"] = json!(text);
            return Ok(Json(piece).into_response());
        }
    }
    Err(Problem::request("the text was broken off"))
}
