//! Sources: what there is to learn from.

use std::ffi::OsString;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::blocking;
use crate::{
    App, Shared,
    jobs::Call,
    problem::{Body, Problem},
    sources::{Source, SourceView},
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(inspect))
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

impl App {
    /// The bytes behind an address of this server, and whether they are a text.
    pub(crate) fn media_of_url(&self, url: &str) -> Result<(Vec<u8>, bool), Problem> {
        let missing = || Problem::request("the address is of no item here");
        if let Some(rest) = url.strip_prefix("/api/draws/") {
            let (draw, file) = rest.split_once('/').ok_or_else(missing)?;
            let (bytes, media_type) = self.draws.get(draw)?.file(file)?;
            return Ok((bytes, media_type.starts_with("text/")));
        }
        Err(missing())
    }
}
