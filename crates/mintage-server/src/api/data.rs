//! Sources: what there is to learn from.

use std::ffi::OsString;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use mintage::generate::played;
use mintage_data::{
    Score,
    browse::{Cell, ItemId, Media, MediaKind, PageRequest, thumbnail},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::blocking;
use crate::{
    App, Shared,
    guard::as_file,
    jobs::Call,
    problem::{Body, Path, Problem, Query, bytes},
    range::ranged,
    runs::encoded,
    sources::{Source, SourceView},
};

/// Rows of a page that nobody asked otherwise for.
const ROWS: usize = 50;
/// Pixels of the longer side of a small picture.
const THUMB_PIXELS: usize = 96;
const MAX_THUMB_PIXELS: usize = 512;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(inspect))
        .routes(routes!(items))
        .routes(routes!(histograms))
        .routes(routes!(media))
        .routes(routes!(thumb))
        .routes(routes!(play))
}

#[derive(Serialize, ToSchema)]
struct SourceList {
    sources: Vec<SourceView>,
}

/// What there is to learn from
#[utoipa::path(get, path = "/api/sources", tag = "data", responses((status = 200, body = SourceList)))]
async fn list(State(app): State<Shared>) -> Result<Json<SourceList>, Problem> {
    blocking(move || {
        let runs = app.run_views();
        let view = |source: &Source| {
            let uses = runs.iter().filter(|run| run.source_id.as_ref() == Some(&source.id));
            source_view(source, uses.map(|run| run.id.clone()).collect())
        };
        Ok(Json(SourceList { sources: app.sources.all().iter().map(|source| view(source)).collect() }))
    })
    .await
}

fn source_view(source: &Source, in_use: Vec<String>) -> SourceView {
    SourceView { id: source.id.clone(), name: source.name.clone(), kind: source.kind, in_use }
}

/// A source to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Add {
    /// A path inside the folder that is served, or an address that begins with `postgres://`.
    at: String,
}

/// Adds a source
#[utoipa::path(post, path = "/api/sources", tag = "data", request_body = Add, responses((status = 200, body = SourceView)))]
async fn add(State(app): State<Shared>, Body(asked): Body<Add>) -> Result<Json<SourceView>, Problem> {
    blocking(move || Ok(Json(source_view(&*app.sources.add(&asked.at)?, Vec::new())))).await
}

/// What to look at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Inspect {
    /// Id of the source.
    source: String,
    /// Table of a database.
    table: Option<String>,
    /// Column of the items.
    column: Option<String>,
    /// What the source is read as.
    kind: Option<String>,
}

/// What a source holds, what each column is and why
#[utoipa::path(post, path = "/api/inspect", tag = "data", request_body = Inspect, responses((status = 200, body = Value)))]
async fn inspect(State(app): State<Shared>, Body(asked): Body<Inspect>) -> Result<Json<Value>, Problem> {
    let source = app.sources.get(&asked.source)?;
    let mut args: Vec<OsString> = vec!["inspect".into(), "--json".into(), "--no-progress".into()];
    for (flag, value) in [("--table", &asked.table), ("--column", &asked.column), ("--kind", &asked.kind)] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty() && !value.contains('\0')) {
            args.push(format!("{flag}={value}").into());
        }
    }
    args.extend(["--".into(), source.argument().into()]);
    // Another process: a source of millions of rows takes its memory with it.
    let mut answer = app.jobs.program().ask(&Call { args, env: super::runs::password(&source) }).await?;
    answer["source"] = source.name.clone().into();
    Ok(Json(answer))
}

/// A page of a source.
#[derive(Default, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // For the description alone: `where` comes several times, which no struct of a query can read.
struct PageOf {
    /// Table of a database.
    table: Option<String>,
    /// Rows to leave out.
    offset: Option<u64>,
    /// Rows of the page.
    limit: Option<u64>,
    /// Column to sort by; `-` before it sorts downwards.
    sort: Option<String>,
    /// `COLUMN=VALUE` or `COLUMN=LOW..HIGH`; may be given several times.
    r#where: Option<String>,
}

/// Rows of a source as they are: of a folder its files
#[utoipa::path(get, path = "/api/sources/{source}/items", tag = "data", params(("source" = String, Path), PageOf),
    responses((status = 200, body = Value)))]
async fn items(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(asked): Query<Vec<(String, String)>>,
) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let source = app.sources.get(&id)?;
        let browser = app.sources.browser(&source)?;
        let request = page_request(&asked)?;
        let page = browser.page(&request)?;
        let mut value = json!(page);
        let urls = Urls { source: &id, table: request.table.as_deref().or(Some(&page.table)) };
        for (row, view) in page.rows.iter().zip(value["rows"].as_array_mut().into_iter().flatten()) {
            let cells = view["cells"].as_array_mut().into_iter().flatten();
            for ((cell, column), view) in row.cells.iter().zip(&page.columns).zip(cells) {
                urls.put(row.item, &column.name, cell, view);
            }
        }
        Ok(Json(value))
    })
    .await
}

fn page_request(asked: &[(String, String)]) -> Result<PageRequest, Problem> {
    let mut request = PageRequest { limit: ROWS, ..PageRequest::default() };
    for (key, value) in asked.iter().filter(|(_, value)| !value.is_empty()) {
        let bad = || Problem::new(StatusCode::BAD_REQUEST, format!("`{key}` is no number that can be met"));
        match key.as_str() {
            "table" => request.table = Some(value.clone()),
            "offset" => request.offset = value.parse().map_err(|_| bad())?,
            "limit" => request.limit = value.parse().map_err(|_| bad())?,
            "sort" => request.sort = Some(value.clone()),
            "where" => request.filters.push(value.clone()),
            _ => {}
        }
    }
    Ok(request)
}

/// Where the files in cells are.
struct Urls<'a> {
    source: &'a str,
    table: Option<&'a str>,
}

impl Urls<'_> {
    fn put(&self, item: ItemId, column: &str, cell: &Cell, view: &mut Value) {
        let has_thumb = match cell {
            Cell::Media(media) => media.has_thumbnail(),
            Cell::LongText { .. } => false,
            _ => return,
        };
        let table = self.table.map(|table| format!("&table={}", encoded(table))).unwrap_or_default();
        let of = |what: &str| {
            let (source, column) = (encoded(self.source), encoded(column));
            json!(format!("/api/sources/{source}/{what}?item={item}&column={column}{table}"))
        };
        view["url"] = of("media");
        if has_thumb {
            view["thumb"] = of("thumb");
        }
        if matches!(cell, Cell::Media(media) if media.kind == MediaKind::Music) {
            view["play"] = of("play");
        }
    }
}

/// One value of a source.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct One {
    /// Table of a database.
    table: Option<String>,
    /// The number of the row, as a page names it.
    item: String,
    /// The column.
    column: String,
    /// Pixels of the longer side of a picture.
    side: Option<usize>,
}

impl App {
    fn media(&self, id: &str, asked: &One) -> Result<Media, Problem> {
        let source = self.sources.get(id)?;
        let item = asked.item.parse().map_err(|_| Problem::not_found("rows have numbers"))?;
        let table = asked.table.as_deref().filter(|table| !table.is_empty());
        Ok(self.sources.browser(&source)?.media(table, item, &asked.column)?)
    }
}

/// A value of a source as a whole: a picture, a sound, a tune, a clip, a text
#[utoipa::path(get, path = "/api/sources/{source}/media", tag = "data", params(("source" = String, Path), One),
    responses((status = 200, content_type = "application/octet-stream"), (status = 206, content_type = "application/octet-stream")))]
async fn media(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(asked): Query<One>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(move || {
        let media = app.media(&id, &asked)?;
        let mut response = as_file(ranged(&headers, media.mime, media.bytes));
        if media.kind == MediaKind::Blob {
            // Nobody knows what it is: it is saved, and not shown.
            response
                .headers_mut()
                .insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
        }
        Ok(response)
    })
    .await
}

/// A tune as it sounds: browsers play no MIDI
#[utoipa::path(get, path = "/api/sources/{source}/play", tag = "data", params(("source" = String, Path), One),
    responses((status = 200, content_type = "audio/wav"), (status = 206, content_type = "audio/wav")))]
async fn play(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(asked): Query<One>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(move || {
        let media = app.media(&id, &asked)?;
        if media.kind != MediaKind::Music {
            return Err(Problem::request("this is no tune"));
        }
        let tune = Score::from_midi(&media.bytes)?;
        Ok(as_file(ranged(&headers, "audio/wav", played(&tune, None, "")?)))
    })
    .await
}

/// A small picture of a value: of a sound its waveform, of a tune its piano roll
#[utoipa::path(get, path = "/api/sources/{source}/thumb", tag = "data", params(("source" = String, Path), One),
    responses((status = 200, content_type = "image/png")))]
async fn thumb(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(asked): Query<One>,
) -> Result<Response, Problem> {
    blocking(move || {
        let media = app.media(&id, &asked)?;
        let side = asked.side.unwrap_or(THUMB_PIXELS).clamp(16, MAX_THUMB_PIXELS);
        Ok(as_file(bytes("image/png", thumbnail(&media, side)?)))
    })
    .await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TableOf {
    /// Table of a database.
    table: Option<String>,
}

/// How the values of each column are spread
#[utoipa::path(get, path = "/api/sources/{source}/histograms", tag = "data", params(("source" = String, Path), TableOf),
    responses((status = 200, body = Value)))]
async fn histograms(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(asked): Query<TableOf>,
) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let source = app.sources.get(&id)?;
        let table = asked.table.as_deref().filter(|table| !table.is_empty());
        Ok(Json(json!(app.sources.browser(&source)?.histograms(table)?)))
    })
    .await
}

impl App {
    /// The bytes behind an address of this server, and whether they are a text.
    pub(crate) fn media_of_url(&self, url: &str) -> Result<(Vec<u8>, bool), Problem> {
        let missing = || Problem::request("the address is of no item here");
        if let Some(rest) = url.strip_prefix("/api/draws/") {
            let (draw, file) = rest.split_once('/').ok_or_else(missing)?;
            let (bytes, media_type) = self.draws.get(draw)?.file(file)?;
            return Ok((bytes, media_type.starts_with("text/")));
        }
        let (source, query) = url
            .strip_prefix("/api/sources/")
            .and_then(|rest| rest.split_once("/media?"))
            .ok_or_else(missing)?;
        let uri = format!("/?{query}").parse().map_err(|_| missing())?;
        let Ok(axum::extract::Query(asked)) = axum::extract::Query::<One>::try_from_uri(&uri) else {
            return Err(missing());
        };
        let media = self.media(source, &asked)?;
        Ok((media.bytes, media.kind == MediaKind::Text))
    }
}
