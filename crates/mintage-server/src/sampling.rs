//! From a request as JSON to new items: what it refers to by ids is put in, the thread that draws is asked, and the answer
//! goes out in the format that the caller accepts.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::StreamExt;
use mintage::{
    Model,
    generate::{Encoding, Generation, Output, Progress, Request, Samples, Sink},
};
use mintage_data::{DataKind, table::TextKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    Shared,
    draws::{self, Draw},
    jobs::{JobState, What},
    problem::{Problem, bytes},
    worker::CancelOnDrop,
};

/// Items of one draw that is held.
pub(crate) const MAX_ITEMS: usize = 10_000;
/// Texts that a text ends before.
const MAX_STOPS: usize = 64;
/// Pieces of a stream that wait for a slow reader.
const MAX_PIECES: usize = 16;

/// What an answer is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A draw: addresses of what was made.
    Json,
    /// Progress, texts as they are written, then a draw.
    Events,
    Csv,
    JsonLines,
    Arrow,
    Parquet,
    File(Encoding),
}

impl Format {
    const ALL: [(&'static str, Self); 11] = [
        ("application/json", Self::Json),
        ("text/event-stream", Self::Events),
        ("text/csv", Self::Csv),
        ("application/x-ndjson", Self::JsonLines),
        ("application/vnd.apache.arrow.stream", Self::Arrow),
        ("application/vnd.apache.parquet", Self::Parquet),
        ("image/png", Self::File(Encoding::Png)),
        ("image/gif", Self::File(Encoding::Gif)),
        ("audio/wav", Self::File(Encoding::Wav)),
        ("audio/midi", Self::File(Encoding::Midi)),
        ("text/plain", Self::File(Encoding::Text)),
    ];

    /// The first that is accepted of those that are known; JSON where anything is.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let accept = headers.get(header::ACCEPT).map_or("*/*", |accept| accept.to_str().unwrap_or("?"));
        let mut asked = accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        let known = |name: &str| match name {
            "*/*" | "application/*" => Some(Self::Json),
            name => Self::ALL.into_iter().find(|(own, _)| *own == name).map(|(_, format)| format),
        };
        asked.find_map(known).ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            Problem::new(StatusCode::NOT_ACCEPTABLE, format!("nothing is written as {accept}"))
                .with_hint(format!("accept one of {}", all.join(", ")))
        })
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::File(encoding) => encoding.media_type(),
            Self::Csv => "text/csv; charset=utf-8",
            _ => Self::ALL.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name),
        }
    }
}

/// Draws what a request asks of a model.
pub(crate) async fn sample(
    app: &Shared,
    model: &str,
    request: Value,
    quote_formulas: bool,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let format = Format::of(headers)?;
    let dir = app.model_dir(model)?;
    let request = parsed(app, request)?;
    let later = headers.get("prefer").is_some_and(|prefer| prefer == "respond-async");
    match format {
        _ if later => respond_later(app, model, dir, request),
        Format::Json => {
            let (app, model) = (app.clone(), model.to_owned());
            let worker = app.worker.clone();
            let draw = worker
                .ask(dir, move |loaded, cancel| drawn(&app, &model, loaded, &request, cancel, &mut |_| {}));
            Ok(axum::Json(draw.await?.view()).into_response())
        }
        Format::Events => events(app, model, dir, request),
        Format::Csv => rows(app, dir, request, TextKind::Csv, format, quote_formulas).await,
        Format::JsonLines => rows(app, dir, request, TextKind::JsonLines, format, false).await,
        Format::Arrow => rows(app, dir, request, TextKind::Arrow, format, false).await,
        Format::Parquet => parquet(app, dir, request).await,
        Format::File(encoding) => file(app, dir, request, encoding).await,
    }
}

/// The request that a body is: items of draws and sources are put in, files of this machine refused, a seed picked where
/// there is none.
pub(crate) fn parsed(app: &Shared, mut body: Value) -> Result<Request, Problem> {
    let Some(fields) = body.as_object_mut() else {
        return Err(Problem::request("a request is a JSON object"));
    };
    for name in ["continue", "like"] {
        if let Some(item) = fields.get_mut(name) {
            put_in(app, item)?;
        }
    }
    let mut between = fields.get_mut("between").and_then(Value::as_array_mut).into_iter().flatten();
    between.try_for_each(|item| put_in(app, item))?;
    let anchors = fields.get_mut("blend").and_then(|blend| blend.get_mut("anchors")?.as_array_mut());
    anchors.into_iter().flatten().try_for_each(|item| put_in(app, item))?;
    let mut request: Request = serde_json::from_value(body)
        .map_err(|error| Problem::request(format!("the request cannot be read: {error}")))?;
    if request.names_files() {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "a request over HTTP names no files of this machine",
        )
        .with_hint("send the bytes as base64, or name an item of a draw"));
    }
    if request.stop.len() > MAX_STOPS {
        return Err(Problem {
            field: Some("stop".to_owned()),
            ..Problem::request(format!("a text ends before one of {MAX_STOPS} texts at most"))
        });
    }
    if request.seed.is_none() {
        request.seed = Some(fresh_seed());
    }
    Ok(request)
}

/// A seed of at most nine digits: people read and type them.
pub(crate) fn fresh_seed() -> u64 {
    let mut bytes = [0; 8];
    // Without the system's generator the clock is random enough for a seed.
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes) % 1_000_000_000,
        Err(_) => crate::jobs::now(),
    }
}

/// `{"draw": D, "item": 3}` and `{"source": S, "url": …}` become what they stand for.
fn put_in(app: &Shared, item: &mut Value) -> Result<(), Problem> {
    if let Some(id) = item.get("draw").and_then(Value::as_str) {
        let draw = app.draws.get(id)?;
        let i = item.get("item").and_then(Value::as_u64).map_or(usize::MAX, |i| i as usize);
        if i >= draw.samples.len() {
            return Err(Problem::request("that draw has no such item"));
        }
        *item = as_item(&draw, i)?;
    } else if let Some(url) = item.get("url").and_then(Value::as_str) {
        let (bytes, is_text) = app.media_of_url(url)?;
        *item = match String::from_utf8(bytes) {
            Ok(text) if is_text => json!({ "text": text }),
            Ok(text) => json!({ "base64": STANDARD.encode(text) }),
            Err(error) => json!({ "base64": STANDARD.encode(error.into_bytes()) }),
        };
    }
    Ok(())
}

fn as_item(draw: &Draw, i: usize) -> Result<Value, Problem> {
    let suffix = match draw.samples.kind() {
        DataKind::Text => {
            let Samples::Text(texts) = &draw.samples else { return Err(Problem::request("no text")) };
            return Ok(json!({ "text": texts.items[i] }));
        }
        DataKind::Image => "png",
        DataKind::Video => "gif",
        DataKind::Music => "mid",
        DataKind::Audio => "wav",
        DataKind::Table => return Err(Problem::request("a row is no item to go on from; give it as rows")),
    };
    match draws::encoded(&draw.samples, i, suffix, &draw.provenance)? {
        Some((bytes, _)) => Ok(json!({ "base64": STANDARD.encode(bytes) })),
        None => Err(Problem::request("that item has no file")),
    }
}

/// Draws and holds what was drawn.
pub(crate) fn drawn(
    app: &Shared,
    id: &str,
    model: &Model,
    request: &Request,
    cancel: &Arc<AtomicBool>,
    on: &mut dyn FnMut(Progress),
) -> Result<Arc<Draw>, Problem> {
    if request.n.is_some_and(|n| n > MAX_ITEMS) {
        return Err(Problem {
            field: Some("n".to_owned()),
            ..Problem::request(format!("`n` is {MAX_ITEMS} at most"))
        }
        .with_hint("rows without end are sent as text/csv or application/x-ndjson"));
    }
    let start = Instant::now();
    let mut generation = model.generate(request)?.cancelled_by(cancel.clone());
    if generation.total() > MAX_ITEMS {
        return Err(Problem::request(format!("{MAX_ITEMS} items are drawn at once at most")));
    }
    let samples = generation.all(on)?;
    let ms = start.elapsed().as_millis() as u64;
    let notes = generation.notes().to_vec();
    Ok(app.draws.add(id, samples, generation.provenance(), shown(request), ms, notes))
}

/// A request as it is shown again: bytes are not repeated.
fn shown(request: &Request) -> Value {
    const MAX_SHOWN_BYTES: usize = 4096;
    let mut json = request.to_json();
    let cut = |item: &mut Value| {
        if let Some(Value::String(bytes)) = item.get_mut("base64") {
            *item = json!({ "bytes": bytes.len() / 4 * 3 });
        }
    };
    for name in ["continue", "like", "between", "blend"] {
        if let Some(value) = json.get_mut(name) {
            if let Some(items) = value.as_array_mut() {
                items.iter_mut().for_each(cut);
            } else if let Some(items) = value.get_mut("anchors").and_then(Value::as_array_mut) {
                items.iter_mut().for_each(cut);
            } else {
                cut(value);
            }
        }
    }
    for name in ["given", "fill"] {
        if json.get(name).is_some_and(|rows| rows.to_string().len() > MAX_SHOWN_BYTES) {
            json[name] = json!({ "rows": "not repeated" });
        }
    }
    json
}

fn respond_later(
    app: &Shared,
    model: &str,
    dir: std::path::PathBuf,
    request: Request,
) -> Result<Response, Problem> {
    let cancel = Arc::new(AtomicBool::new(false));
    let job = app.jobs.add_foreign(What::Sample, model, cancel.clone())?;
    let (inner, id, model, flag) = (app.clone(), job.id.clone(), model.to_owned(), cancel.clone());
    let sent = app.worker.send(dir, cancel, move |loaded| {
        inner.jobs.update(&id, |job| {
            job.state = JobState::Running;
            job.started = Some(crate::jobs::now());
        });
        let drawn = loaded.and_then(|loaded| {
            let mut told = Instant::now();
            drawn(&inner, &model, loaded, &request, &flag, &mut |progress| {
                if let Progress::Work { done, total } = progress
                    && told.elapsed().as_millis() > 200
                {
                    told = Instant::now();
                    inner.jobs.update(&id, |job| job.progress = Some(done as f64 / total.max(1) as f64));
                }
            })
        });
        inner.jobs.update(&id, |job| match drawn {
            Ok(draw) => {
                job.state = JobState::Done;
                job.draw = Some(draw.id.clone());
            }
            Err(_) if flag.load(Ordering::Relaxed) => job.state = JobState::Cancelled,
            Err(problem) => {
                job.state = JobState::Failed;
                job.error = Some(crate::jobs::Failure { detail: problem.detail, hint: problem.hint });
            }
        });
    });
    if let Err(problem) = sent {
        let failure = crate::jobs::Failure { detail: problem.detail.clone(), hint: problem.hint.clone() };
        app.jobs.update(&job.id, |job| {
            job.state = JobState::Failed;
            job.error = Some(failure);
        });
        return Err(problem);
    }
    Ok((StatusCode::ACCEPTED, axum::Json(json!({ "job": job }))).into_response())
}

/// Progress and texts as server-sent events.
fn events(app: &Shared, model: &str, dir: std::path::PathBuf, request: Request) -> Result<Response, Problem> {
    let (send, receive) = mpsc::channel::<Event>(MAX_PIECES);
    let cancel = Arc::new(AtomicBool::new(false));
    let (inner, model, flag) = (app.clone(), model.to_owned(), cancel.clone());
    app.worker.send(dir, cancel.clone(), move |loaded| {
        let mut on = |progress: Progress| {
            let event = match progress {
                Progress::Work { done, total } => Event::default()
                    .event("progress")
                    .data(json!({ "done": done, "total": total }).to_string()),
                Progress::Text { index, new } => {
                    Event::default().event("text").data(json!({ "index": index, "new": new }).to_string())
                }
            };
            if send.blocking_send(event).is_err() {
                flag.store(true, Ordering::Relaxed);
            }
        };
        let drawn = loaded.and_then(|loaded| drawn(&inner, &model, loaded, &request, &flag, &mut on));
        let last = match drawn {
            Ok(draw) => Event::default().event("done").data(json!(draw.view()).to_string()),
            Err(mut problem) => {
                problem.without(&|text| inner.guard.hide(text));
                Event::default().event("error").data(json!(problem).to_string())
            }
        };
        let _ = send.blocking_send(last);
    })?;
    let held = CancelOnDrop(cancel);
    let stream = ReceiverStream::new(receive).map(move |event| {
        let _held = &held;
        Ok::<_, std::convert::Infallible>(event)
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

/// Rows as they are drawn. What is wrong before the first of them is a problem; later the connection breaks off.
async fn rows(
    app: &Shared,
    dir: std::path::PathBuf,
    request: Request,
    kind: TextKind,
    format: Format,
    quote_formulas: bool,
) -> Result<Response, Problem> {
    let seed = request.seed;
    let (send, mut receive) = mpsc::channel::<Result<Bytes, Problem>>(MAX_PIECES);
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = cancel.clone();
    app.worker.send(dir, cancel.clone(), move |loaded| {
        let sent = loaded.and_then(|model| {
            of_rows(model)?;
            let mut generation: Generation = model.generate(&request)?.cancelled_by(flag.clone());
            let mut out = |bytes: &[u8]| match send.blocking_send(Ok(Bytes::copy_from_slice(bytes))) {
                Ok(()) => Ok(()),
                Err(_) => {
                    flag.store(true, Ordering::Relaxed);
                    Err(io::Error::from(io::ErrorKind::BrokenPipe))
                }
            };
            let output = Output { quote_formulas, ..Output::default() };
            Sink::stream_rows(&mut generation, kind, &output, &mut out, &mut |_| {})?;
            Ok(())
        });
        if let Err(problem) = sent {
            let _ = send.blocking_send(Err(problem));
        }
    })?;
    let held = CancelOnDrop(cancel);
    let first = match receive.recv().await {
        Some(Err(problem)) => return Err(problem),
        Some(Ok(first)) => first,
        None => Bytes::new(),
    };
    let rest = ReceiverStream::new(receive).map(move |piece| {
        let _held = &held;
        piece.map_err(|problem| io::Error::other(problem.detail))
    });
    let all = futures_util::stream::iter([Ok(first)]).chain(rest);
    Ok(attached(marked(bytes(format.media_type(), Body::from_stream(all)), seed)))
}

fn of_rows(model: &Model) -> Result<(), Problem> {
    match model.kind() {
        DataKind::Table => Ok(()),
        kind => Err(Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            format!("this model makes {}, which are not sent as rows", kind.items()),
        )
        .with_hint("accept application/json, or a file of their kind")),
    }
}

/// Rows as a file of Parquet, which is whole only at its end.
async fn parquet(app: &Shared, dir: std::path::PathBuf, request: Request) -> Result<Response, Problem> {
    let seed = request.seed;
    let folder = app.runs.join(".studio");
    let written = app.worker.ask(dir, move |model, cancel| {
        of_rows(model)?;
        std::fs::create_dir_all(&folder).map_err(mintage::Error::io(&folder))?;
        let path = folder.join(format!("rows-{}.parquet", fresh_seed()));
        let pg = mintage_data::PgDefaults::default();
        let sink = Sink::open(&Output::to(path.display().to_string()), model, &pg)?;
        let mut generation = model.generate(&request)?.cancelled_by(cancel.clone());
        let written = sink.write(&mut generation, &mut |_| {});
        let file = written
            .map_err(Problem::from)
            .and_then(|_| Ok(std::fs::read(&path).map_err(mintage::Error::io(&path))?));
        let _ = std::fs::remove_file(&path);
        file
    });
    Ok(attached(marked(bytes(Format::Parquet.media_type(), written.await?), seed)))
}

/// All items as one file.
async fn file(
    app: &Shared,
    dir: std::path::PathBuf,
    request: Request,
    encoding: Encoding,
) -> Result<Response, Problem> {
    let seed = request.seed;
    let file = app.worker.ask(dir, move |model, cancel| {
        if request.n.is_some_and(|n| n > MAX_ITEMS) {
            return Err(Problem::request(format!("`n` is {MAX_ITEMS} at most")));
        }
        let mut generation = model.generate(&request)?.cancelled_by(cancel.clone());
        let samples = generation.all(&mut |_| {})?;
        Ok(samples.encode(encoding, &Output::default(), &generation.provenance())?)
    });
    Ok(marked(crate::guard::as_file(bytes(encoding.media_type(), file.await?)), seed))
}

/// Rows are saved, and not shown: a spreadsheet that opens them at once may take a cell for a formula.
fn attached(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    response
}

/// Says which seed drew: a stream has no other place for it.
fn marked(mut response: Response, seed: Option<u64>) -> Response {
    if let Some(value) = seed.and_then(|seed| HeaderValue::from_str(&seed.to_string()).ok()) {
        response.headers_mut().insert("mintage-seed", value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_first_that_is_known() {
        let of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::ACCEPT,
                HeaderValue::from_str(accept).unwrap_or(HeaderValue::from_static("")),
            );
            Format::of(&headers).ok()
        };
        assert_eq!(of("text/csv"), Some(Format::Csv));
        assert_eq!(of("text/html, audio/wav;q=0.9, */*"), Some(Format::File(Encoding::Wav)));
        assert_eq!(of("*/*"), Some(Format::Json));
        assert_eq!(of("image/webp"), None);
    }
}
