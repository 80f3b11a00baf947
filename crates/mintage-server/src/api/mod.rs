//! The routes, and their description as OpenAPI.

mod data;
mod jobs;
mod judge;
mod kept;
mod models;
mod provenance;
mod runs;
pub(crate) mod watch;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use mintage::{Family, Size, models::MATRIX};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{Shared, assets, ollama, openai, problem::Problem};

/// What programs are told of the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Mintage",
        description = "Learn a generative model from the data you have; make new data like it. \
                       Programs send the token as `Authorization: Bearer TOKEN`."
    ),
    components(schemas(Problem)),
    tags(
        (name = "data", description = "What can be learned from"),
        (name = "runs", description = "Trainings and what they made"),
        (name = "models", description = "New data, and how well they conform"),
        (name = "jobs", description = "Long work, and what has changed"),
        (name = "openai", description = "The routes of OpenAI's clients"),
        (name = "ollama", description = "The routes of Ollama's clients, as far as their shapes fit"),
        (name = "server", description = "The server itself"),
    )
)]
struct Description;

/// Everything.
pub(crate) fn routes() -> Router<Shared> {
    let (router, _) = described().split_for_parts();
    router
        .route("/openapi.json", get(openapi))
        .route("/docs", get(docs))
        .route("/", get(page))
        .route("/assets/{*name}", get(asset))
        .fallback(fallback)
}

fn described() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(health))
        .routes(routes!(state))
        .merge(data::routes())
        .merge(runs::routes())
        .merge(models::routes())
        .merge(judge::routes())
        .merge(kept::routes())
        .merge(jobs::routes())
        .merge(provenance::routes())
        .merge(openai::routes())
        .merge(ollama::routes())
}

/// The description of all routes, as `GET /openapi.json` gives it.
pub(crate) fn description() -> Value {
    let (_, openapi) = described().split_for_parts();
    let mut value = json!(openapi);
    // What every route may answer: problems have one shape.
    let problem = json!({
        "description": "The request was not met",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let openai = json!({
        "description": "The request was not met",
        "content": { "application/json": { "schema": { "type": "object", "required": ["error"], "properties": {
            "error": { "type": "object", "required": ["message", "type"] } } } } },
    });
    let paths = value["paths"].as_object_mut().into_iter().flatten();
    for (path, methods) in paths {
        let answer = if path.starts_with("/v1") { &openai } else { &problem };
        for (_, method) in methods.as_object_mut().into_iter().flatten() {
            if let Some(responses) = method.get_mut("responses").and_then(Value::as_object_mut) {
                for status in
                    ["400", "401", "403", "404", "406", "408", "409", "413", "415", "422", "501", "503"]
                {
                    responses.entry(status).or_insert_with(|| answer.clone());
                }
            }
        }
    }
    value["components"]["securitySchemes"] = json!({ "token": { "type": "http", "scheme": "bearer" } });
    value["security"] = json!([{ "token": [] }]);
    value
}

async fn openapi() -> Response {
    Json(description()).into_response()
}

async fn docs(State(app): State<Shared>, headers: HeaderMap) -> Response {
    assets::serve("docs.html", &headers, app.web.as_deref())
}

async fn page(State(app): State<Shared>, headers: HeaderMap) -> Response {
    assets::serve(assets::PAGE, &headers, app.web.as_deref())
}

async fn asset(
    State(app): State<Shared>,
    axum::extract::Path(name): axum::extract::Path<String>,
    headers: HeaderMap,
) -> Response {
    assets::serve(&name, &headers, app.web.as_deref())
}

/// Addresses of the studio's pages are all one page; anything else is not there.
async fn fallback(State(app): State<Shared>, headers: HeaderMap, request: Request) -> Response {
    const PAGES: [&str; 12] = [
        "data", "train", "run", "sample", "kept", "pad", "compare", "game", "report", "settings", "runs",
        "keys",
    ];
    let first = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
    let is_api = ["api", "v1", "assets"].contains(&first);
    let reads_pages = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok()?.contains("text/html").then_some(()));
    if request.method() != Method::GET || is_api {
        return StatusCode::NOT_FOUND.into_response();
    }
    match (PAGES.contains(&first), reads_pages) {
        (true, _) => assets::serve(assets::PAGE, &headers, app.web.as_deref()),
        // Somebody mistyped: the page says so, and how to go on.
        (false, Some(())) => {
            let mut response = assets::serve(assets::PAGE, &HeaderMap::new(), app.web.as_deref());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
        (false, None) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Whether the server answers
#[utoipa::path(get, path = "/health", tag = "server", security(()), responses((status = 200, body = Value)))]
async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// What this server is and can
#[utoipa::path(get, path = "/api/state", tag = "server", responses((status = 200, body = Value)))]
async fn state(State(app): State<Shared>) -> Json<Value> {
    let names = |families: &[Family]| families.iter().map(|family| family.name()).collect::<Vec<_>>();
    // The matrix calls them "table rows".
    let plain = |kind: &str| kind.split(' ').next().unwrap_or(kind).to_owned();
    let families: Map<String, Value> =
        MATRIX.iter().map(|(kind, families, _)| (plain(kind), json!(names(families)))).collect();
    let auto: Map<String, Value> =
        MATRIX.iter().map(|(kind, _, auto)| (plain(kind), json!(auto.name()))).collect();
    let runs = app.runs.file_name().map(|name| name.to_string_lossy().into_owned());
    Json(json!({
        "name": "Mintage",
        "version": env!("CARGO_PKG_VERSION"),
        "runs": runs,
        "families": families,
        "auto": auto,
        "sizes": Size::ALL.map(Size::name),
        "device": app.device,
        "threads": app.threads,
        "demo": app.runs.join("demo").is_dir(),
    }))
}

/// Runs what reads files where it holds up nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the server has gone wrong")
            .with_hint("this is a bug and none of your doing; please report what you asked for"))
    })
}
