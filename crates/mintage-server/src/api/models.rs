//! Models: what can be asked of them, new items, and how these conform.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::blocking;
use crate::{
    Shared,
    draws::DrawView,
    guard::as_file,
    problem::{Body, Path, Problem, Query},
    range::ranged,
    sampling,
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(schema))
        .routes(routes!(sample))
        .routes(routes!(draw))
        .routes(routes!(file))
}

/// What can be asked of a model, as a JSON Schema
#[utoipa::path(get, path = "/api/models/{model}/schema", tag = "models", params(("model" = String, Path)),
    responses((status = 200, body = Value)))]
async fn schema(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let dir = app.model_dir(&id)?;
    let worker = app.worker.clone();
    let schema = worker.ask(dir, move |model, _| {
        let source = &model.config.source;
        let columns = model.rows().ok().map(|(_, codec)| {
            let domains = codec.domains();
            domains.into_iter().map(|domain| domain.column).collect::<Vec<_>>()
        });
        Ok(json!({
            "kind": model.kind().name(),
            "family": model.config.model.family().name(),
            "schema": mintage::generate::schema_with(model, false)?,
            "columns": columns,
            "targets": {
                "source_id": app.sources.of_run(source),
                "table": source.table,
                "column": source.column,
                "label_column": source.label,
            },
        }))
    });
    Ok(Json(schema.await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Formulas {
    /// `quote`: an apostrophe before texts of CSV that a spreadsheet would take for formulas.
    formulas: Option<String>,
}

/// Draws new items
///
/// The body is a request as `GET /api/models/{model}/schema` describes it. `Accept` says what the answer is: JSON with
/// addresses of the items, server-sent events with progress and texts as they are written, rows as CSV, JSON Lines, an Arrow
/// stream or Parquet, pictures, sounds, tunes and texts as files.
#[utoipa::path(post, path = "/api/models/{model}/sample", tag = "models", params(("model" = String, Path), Formulas),
    request_body(content = Value, content_type = "application/json"),
    responses(
        (status = 200, content(
            (DrawView = "application/json"), (String = "text/event-stream"), (String = "text/csv"),
            (String = "application/x-ndjson"), (String = "application/vnd.apache.arrow.stream"),
            (String = "application/vnd.apache.parquet"), (String = "image/png"), (String = "image/gif"),
            (String = "audio/wav"), (String = "audio/midi"), (String = "text/plain"))),
        (status = 202, body = Value, description = "The job, with `Prefer: respond-async`")))]
async fn sample(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(asked): Query<Formulas>,
    headers: HeaderMap,
    Body(request): Body<Value>,
) -> Result<Response, Problem> {
    let quote_formulas = match asked.formulas.as_deref() {
        None | Some("keep") => false,
        Some("quote") => true,
        Some(_) => return Err(Problem::new(StatusCode::BAD_REQUEST, "`formulas` is keep or quote")),
    };
    sampling::sample(&app, &id, request, quote_formulas, &headers).await
}

/// What was drawn, as long as it is held
#[utoipa::path(get, path = "/api/draws/{draw}", tag = "models", params(("draw" = String, Path)),
    responses((status = 200, body = DrawView)))]
async fn draw(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<DrawView>, Problem> {
    Ok(Json(app.draws.get(&id)?.view()))
}

/// An item's file: `3.png`, `3.gif`, `3.mid`, `3.wav`, `3.txt`
#[utoipa::path(get, path = "/api/draws/{draw}/{file}", tag = "models",
    params(("draw" = String, Path), ("file" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream"), (status = 206, content_type = "application/octet-stream")))]
async fn file(
    State(app): State<Shared>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(move || {
        let (bytes, media_type) = app.draws.get(&id)?.file(&name)?;
        Ok(as_file(ranged(&headers, media_type, bytes)))
    })
    .await
}
