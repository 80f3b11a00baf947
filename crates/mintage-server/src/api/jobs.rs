//! Long work, and the one stream of what has changed.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Shared,
    events::MAX_STREAMS,
    jobs::Job,
    problem::{Path, Problem, Query},
};

/// Jobs in one answer.
const MAX_SHOWN: usize = 500;
/// Topics of one stream.
const MAX_TOPICS: usize = 64;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, cancel)).routes(routes!(events))
}

#[derive(Serialize, ToSchema)]
struct Jobs {
    jobs: Vec<Job>,
}

/// The latest jobs, newest first
#[utoipa::path(get, path = "/api/jobs", tag = "jobs", responses((status = 200, body = Jobs)))]
async fn list(State(app): State<Shared>) -> Json<Jobs> {
    let mut jobs = app.jobs.all();
    jobs.truncate(MAX_SHOWN);
    Json(Jobs { jobs })
}

fn missing() -> Problem {
    Problem::not_found("there is no such job").with_hint("GET /api/jobs lists what there is")
}

/// One job
#[utoipa::path(get, path = "/api/jobs/{job}", tag = "jobs", params(("job" = String, Path)), responses((status = 200, body = Job)))]
async fn show(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<Job>, Problem> {
    app.jobs.get(&id).map(Json).ok_or_else(missing)
}

/// Ends a job: one that waits never begins, a training saves
#[utoipa::path(delete, path = "/api/jobs/{job}", tag = "jobs", params(("job" = String, Path)), responses((status = 200, body = Job)))]
async fn cancel(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<Job>, Problem> {
    app.jobs.cancel(&id).map(Json).ok_or_else(missing)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Topics {
    /// `jobs`, `runs` and `run:ID`, with commas between them.
    topics: Option<String>,
}

/// What changes, as server-sent events; `Last-Event-ID` goes on where a stream broke off
#[utoipa::path(get, path = "/api/events", tag = "jobs", params(Topics),
    responses((status = 200, content_type = "text/event-stream")))]
async fn events(
    State(app): State<Shared>,
    Query(asked): Query<Topics>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let topics = asked.topics.unwrap_or_else(|| "jobs,runs".to_owned());
    let topics: Vec<String> =
        topics.split(',').map(|topic| topic.trim().to_owned()).take(MAX_TOPICS).collect();
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let inner = app.clone();
    let snapshot = move || {
        let jobs: Vec<Job> = inner.jobs.all().into_iter().filter(Job::is_open).take(MAX_SHOWN).collect();
        // Each stream may hold one of these for a reader that does not read.
        let mut runs = inner.run_views();
        runs.truncate(MAX_SHOWN);
        json!({ "jobs": jobs, "runs": runs })
    };
    let stream = app.events.stream(topics, last, snapshot).ok_or_else(|| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("{MAX_STREAMS} streams are open already"))
            .with_hint("close pages that are not looked at")
    })?;
    Ok(stream)
}
