//! The routes of OpenAI's clients, so that programs written for them work unchanged.
//!
//! A model is a run. Fields that have no meaning here are ignored, and a header, `mintage-ignored`, names them: clients send
//! them without being asked. `max_tokens` and `usage` count characters: a model's tokens are its own.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Json,
    extract::{Multipart, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{StreamExt, stream};
use mintage::{
    Model,
    generate::{Progress, Request, Samples, classes},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    App, Shared,
    draws::{Draw, encoded},
    jobs::now,
    problem::{Body, Path, Problem},
    runs::id_of,
    sampling,
    worker::CancelOnDrop,
};

/// Prompts of one request.
const MAX_PROMPTS: usize = 64;
/// Pieces that wait for a slow reader.
const MAX_PIECES: usize = 64;
/// Bytes of a picture that is sent.
const MAX_PICTURE_BYTES: usize = 32 << 20;
/// Classes that a message names.
const MAX_SHOWN_CLASSES: usize = 20;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(models))
        .routes(routes!(model))
        .routes(routes!(completions))
        .routes(routes!(generations))
        .routes(routes!(variations))
}

/// The models
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses((status = 200, body = Value)))]
async fn models(State(app): State<Shared>) -> Result<Json<Value>, Problem> {
    let runs = mintage::Run::list(&app.runs)?;
    let all: Vec<Value> =
        runs.iter().filter(|run| run.config.is_some()).map(|run| model_view(&app, run)).collect();
    Ok(Json(json!({ "object": "list", "data": all })))
}

/// One model
#[utoipa::path(get, path = "/v1/models/{model}", tag = "openai", params(("model" = String, Path)),
    responses((status = 200, body = Value)))]
async fn model(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    app.model_dir(&id)?;
    Ok(Json(model_view(&app, &app.run(&id)?)))
}

fn model_view(app: &App, run: &mintage::run::RunInfo) -> Value {
    let view = app.view(run);
    json!({
        "id": id_of(&run.name), "object": "model", "created": view.created, "owned_by": "mintage",
        "kind": view.kind, "family": view.family,
    })
}

/// One prompt, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Prompts {
    One(String),
    Several(Vec<String>),
}

/// What `/v1/completions` reads of a body.
#[derive(Deserialize)]
struct Completion {
    model: String,
    prompt: Option<Prompts>,
    max_tokens: Option<usize>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    n: Option<usize>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<Value>,
    stop: Option<Prompts>,
    seed: Option<u64>,
    #[serde(default)]
    echo: bool,
}

const COMPLETION_FIELDS: [&str; 11] = [
    "model",
    "prompt",
    "max_tokens",
    "temperature",
    "top_p",
    "n",
    "stream",
    "stream_options",
    "stop",
    "seed",
    "echo",
];

impl Completion {
    fn prompts(&self) -> Vec<String> {
        match &self.prompt {
            None => vec![String::new()],
            Some(Prompts::One(prompt)) => vec![prompt.clone()],
            Some(Prompts::Several(prompts)) => prompts.clone(),
        }
    }

    /// The request of one prompt.
    fn request(&self, prompt: &str, seed: u64) -> Request {
        let stop = match &self.stop {
            None => Vec::new(),
            Some(Prompts::One(stop)) => vec![stop.clone()],
            Some(Prompts::Several(stops)) => stops.clone(),
        };
        Request {
            n: Some(self.n.unwrap_or(1)),
            seed: Some(seed),
            prompt: (!prompt.is_empty()).then(|| prompt.to_owned()),
            length: self.max_tokens,
            temperature: self.temperature,
            top_p: self.top_p,
            stop,
            ..Request::default()
        }
    }
}

/// A body read as `T`, and the names of its fields that are ignored.
fn read<T: for<'de> Deserialize<'de>>(
    body: Map<String, Value>,
    known: &[&str],
) -> Result<(T, Vec<String>), Problem> {
    let ignored = body
        .iter()
        .filter(|(key, value)| !known.contains(&key.as_str()) && !value.is_null())
        .map(|(key, _)| key.clone());
    let ignored = ignored.collect();
    let value = serde_json::from_value(Value::Object(body)).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}"))
    })?;
    Ok((value, ignored))
}

fn with_ignored(mut response: Response, ignored: &[String]) -> Response {
    if let (false, Ok(value)) = (ignored.is_empty(), HeaderValue::from_str(&ignored.join(", "))) {
        response.headers_mut().insert("mintage-ignored", value);
    }
    response
}

/// Texts that go on from prompts
#[utoipa::path(post, path = "/v1/completions", tag = "openai",
    request_body(content = Value, content_type = "application/json"),
    responses((status = 200, content((Value = "application/json"), (String = "text/event-stream")))))]
async fn completions(
    State(app): State<Shared>,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let (asked, ignored): (Completion, _) = read(body, &COMPLETION_FIELDS)?;
    let dir = app.model_dir(&asked.model)?;
    let prompts = asked.prompts();
    if prompts.is_empty() || prompts.len() > MAX_PROMPTS {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            format!("1 to {MAX_PROMPTS} prompts can be gone on from"),
        ));
    }
    let seed = asked.seed.unwrap_or_else(sampling::fresh_seed);
    let id = format!("cmpl-{}-{seed}", now());
    let response = if asked.stream {
        streamed(&app, dir, asked, prompts, seed, id)?
    } else {
        let (inner, name) = (app.clone(), asked.model.clone());
        let worker = app.worker.clone();
        let answer = worker.ask(dir, move |model, cancel| {
            let mut choices = Vec::new();
            let (mut read, mut written) = (0, 0);
            for prompt in &prompts {
                let request = asked.request(prompt, seed);
                let draw = sampling::drawn(&inner, &asked.model, model, &request, cancel, &mut |_| {})?;
                read += prompt.chars().count();
                for text in texts(&draw)? {
                    let new = text.strip_prefix(prompt.as_str()).unwrap_or(text);
                    written += new.chars().count();
                    let shown = if asked.echo { text } else { new };
                    choices.push(json!({
                        "index": choices.len(), "text": shown, "logprobs": null,
                        "finish_reason": finish(new, asked.max_tokens),
                    }));
                }
            }
            Ok(json!({
                "id": id, "object": "text_completion", "created": now(), "model": name, "choices": choices,
                "usage": usage(read, written), "seed": seed,
            }))
        });
        Json(answer.await?).into_response()
    };
    Ok(with_ignored(response, &ignored))
}

fn texts(draw: &Draw) -> Result<&[String], Problem> {
    match &draw.samples {
        Samples::Text(texts) => Ok(&texts.items),
        _ => Err(Problem::new(StatusCode::BAD_REQUEST, "this model makes no texts")),
    }
}

fn finish(new: &str, most: Option<usize>) -> &'static str {
    if most.is_some_and(|most| new.chars().count() >= most) { "length" } else { "stop" }
}

fn usage(read: usize, written: usize) -> Value {
    json!({ "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written })
}

fn streamed(
    app: &Shared,
    dir: std::path::PathBuf,
    asked: Completion,
    prompts: Vec<String>,
    seed: u64,
    id: String,
) -> Result<Response, Problem> {
    let (send, receive) = mpsc::channel::<Value>(MAX_PIECES);
    let cancel = Arc::new(AtomicBool::new(false));
    let (inner, flag) = (app.clone(), cancel.clone());
    app.worker.send(dir, cancel.clone(), move |loaded| {
        let piece = |choices: Value| {
            json!({ "id": id, "object": "text_completion", "created": now(), "model": asked.model, "choices": choices })
        };
        let choice = |index: usize, text: &str, finish: Value| {
            json!([{ "index": index, "text": text, "logprobs": null, "finish_reason": finish }])
        };
        let n = asked.n.unwrap_or(1);
        let (mut read, mut written) = (0, 0);
        let all = loaded.and_then(|model| {
            for (p, prompt) in prompts.iter().enumerate() {
                let mut begun = vec![false; n];
                let request = asked.request(prompt, seed);
                let mut on = |progress: Progress| {
                    let Progress::Text { index, new } = progress else { return };
                    // The prompt comes first.
                    let is_head = begun.get_mut(index).is_some_and(|begun| !std::mem::replace(begun, true));
                    if new.is_empty() || is_head && !asked.echo {
                        return;
                    }
                    if send.blocking_send(piece(choice(p * n + index, new, Value::Null))).is_err() {
                        flag.store(true, Ordering::Relaxed);
                    }
                };
                let draw = sampling::drawn(&inner, &asked.model, model, &request, &flag, &mut on)?;
                read += prompt.chars().count();
                for (i, text) in texts(&draw)?.iter().enumerate() {
                    let new = text.strip_prefix(prompt.as_str()).unwrap_or(text);
                    written += new.chars().count();
                    let last = choice(p * n + i, "", json!(finish(new, asked.max_tokens)));
                    let _ = send.blocking_send(piece(last));
                }
            }
            Ok(())
        });
        if let Err(problem) = all {
            let _ = send.blocking_send(problem.to_openai());
        }
        if asked.stream_options.as_ref().is_some_and(|options| options["include_usage"] == true) {
            let mut last = piece(json!([]));
            last["usage"] = usage(read, written);
            let _ = send.blocking_send(last);
        }
    })?;
    let held = CancelOnDrop(cancel);
    let pieces = ReceiverStream::new(receive).map(move |piece| {
        let _held = &held;
        Event::default().data(piece.to_string())
    });
    let all =
        pieces.chain(stream::iter([Event::default().data("[DONE]")])).map(Ok::<_, std::convert::Infallible>);
    Ok(Sse::new(all).into_response())
}

/// What `/v1/images/generations` reads of a body.
#[derive(Default, Deserialize)]
struct Pictures {
    #[serde(default)]
    model: String,
    #[serde(default)]
    prompt: String,
    n: Option<usize>,
    seed: Option<u64>,
    response_format: Option<String>,
    output_format: Option<String>,
}

const PICTURE_FIELDS: [&str; 6] = ["model", "prompt", "n", "seed", "response_format", "output_format"];

/// New pictures, of clips moving ones; the prompt is the name of a class, or nothing
#[utoipa::path(post, path = "/v1/images/generations", tag = "openai",
    request_body(content = Value, content_type = "application/json"), responses((status = 200, body = Value)))]
async fn generations(
    State(app): State<Shared>,
    headers: HeaderMap,
    Body(body): Body<Map<String, Value>>,
) -> Result<Response, Problem> {
    let (asked, ignored): (Pictures, _) = read(body, &PICTURE_FIELDS)?;
    let response = pictures(&app, asked, None, &headers).await?;
    Ok(with_ignored(response, &ignored))
}

/// Pictures like one that is sent
#[utoipa::path(post, path = "/v1/images/variations", tag = "openai",
    request_body(content = String, content_type = "multipart/form-data"), responses((status = 200, body = Value)))]
async fn variations(
    State(app): State<Shared>,
    headers: HeaderMap,
    mut form: Multipart,
) -> Result<Response, Problem> {
    let bad =
        |error: axum::extract::multipart::MultipartError| Problem::new(error.status(), error.body_text());
    let (mut asked, mut image, mut ignored) = (Pictures::default(), None, Vec::new());
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "image" {
            let bytes = field.bytes().await.map_err(bad)?;
            if bytes.len() > MAX_PICTURE_BYTES {
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the picture is too large"));
            }
            image = Some(bytes.to_vec());
            continue;
        }
        let text = field.text().await.map_err(bad)?;
        match name.as_str() {
            "model" => asked.model = text,
            "n" => asked.n = text.parse().ok(),
            "seed" => asked.seed = text.parse().ok(),
            "response_format" => asked.response_format = Some(text),
            _ => ignored.push(name),
        }
    }
    let image =
        image.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "there is no `image` in the form"))?;
    Ok(with_ignored(pictures(&app, asked, Some(image), &headers).await?, &ignored))
}

/// A request for items of the class that a prompt names; for any where there are no classes, or no prompt.
fn of_class(model: &Model, prompt: &str) -> Result<Request, Problem> {
    let classes = classes(model)?.unwrap_or_default();
    if prompt.is_empty() || classes.is_empty() {
        return Ok(Request::default());
    }
    let Some(class) = classes.iter().find(|class| class.to_lowercase() == prompt.to_lowercase()) else {
        let known = classes.iter().take(MAX_SHOWN_CLASSES).map(|class| format!("`{class}`"));
        return Err(Problem {
            field: Some("prompt".to_owned()),
            ..Problem::new(StatusCode::BAD_REQUEST, format!("the model knows no class `{prompt}`"))
        }
        .with_hint(format!("the prompt is the name of a class: {}", known.collect::<Vec<_>>().join(", "))));
    };
    let label = model.config.source.label.as_deref().unwrap_or("label");
    serde_json::from_value(json!({ "where": { label: class } }))
        .map_err(|error| Problem::request(format!("the class cannot be asked for: {error}")))
}

async fn pictures(
    app: &Shared,
    asked: Pictures,
    like: Option<Vec<u8>>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let as_url = match asked.response_format.as_deref() {
        None | Some("b64_json") => false,
        Some("url") => true,
        Some(_) => return Err(Problem::new(StatusCode::BAD_REQUEST, "`response_format` is url or b64_json")),
    };
    let dir = app.model_dir(&asked.model)?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let (inner, worker) = (app.clone(), app.worker.clone());
    let answer = worker.ask(dir, move |model, cancel| {
        let mut request = of_class(model, asked.prompt.trim())?;
        request.n = Some(asked.n.unwrap_or(1));
        request.seed = Some(asked.seed.unwrap_or_else(sampling::fresh_seed));
        request.like = like.map(mintage::generate::Item::Bytes);
        let draw = sampling::drawn(&inner, &asked.model, model, &request, cancel, &mut |_| {})?;
        let suffix = match &draw.samples {
            Samples::Image(_) => "png",
            Samples::Video(_) => "gif",
            _ => return Err(Problem::new(StatusCode::BAD_REQUEST, "this model makes no pictures")),
        };
        if asked.output_format.as_deref().is_some_and(|format| format != suffix) {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                format!("this model's pictures are written as {suffix}"),
            ));
        }
        let mut data = Vec::new();
        for i in 0..draw.samples.len() {
            data.push(match as_url {
                true => json!({ "url": format!("http://{host}/api/draws/{}/{i}.{suffix}", draw.id) }),
                false => {
                    let (bytes, _) = encoded(&draw.samples, i, suffix, &draw.provenance)?
                        .ok_or_else(|| Problem::request("this model makes no pictures"))?;
                    json!({ "b64_json": STANDARD.encode(bytes) })
                }
            });
        }
        Ok(json!({ "created": now(), "data": data, "output_format": suffix, "seed": draw.provenance.seed }))
    });
    Ok(Json(answer.await?).into_response())
}
