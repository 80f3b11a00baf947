//! What users chose: kept with the run, written where they say, taken back.

use axum::{Json, extract::State, http::HeaderMap, response::Response};
use mintage::{
    generate::Output,
    kept::{Kept, KeptItem},
};
use mintage_data::{IfExists, names::text_of};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{blocking, judge::check_items};
use crate::{
    App, Shared,
    draws::{self, ColumnView},
    guard::as_file,
    jobs::now,
    problem::{Body, Path, Problem},
    range::ranged,
    runs::encoded,
};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, keep, remove))
        .routes(routes!(write))
        .routes(routes!(undo))
        .routes(routes!(file))
}

/// What is kept
#[utoipa::path(get, path = "/api/models/{model}/kept", tag = "models", params(("model" = String, Path)),
    responses((status = 200, body = Value)))]
async fn list(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let kept = Kept::open(&app.run(&id)?.dir)?;
        let items = kept.list()?;
        let mut columns: Option<Vec<ColumnView>> = None;
        let mut views = Vec::with_capacity(items.len());
        for item in &items {
            views.push(view(&id, &kept, item, &mut columns));
        }
        let batches: Vec<Value> = kept
            .batches()?
            .iter()
            .map(|batch| json!({ "ids": batch.ids, "written": batch.written }))
            .collect();
        Ok(Json(json!({ "items": views, "columns": columns, "batches": batches })))
    })
    .await
}

/// What front ends are told of a kept item: the same as of one that was drawn.
fn view(run: &str, kept: &Kept, item: &KeptItem, columns: &mut Option<Vec<ColumnView>>) -> Value {
    let url =
        |suffix: &str| json!(format!("/api/models/{}/kept/{}.{suffix}", encoded(run), encoded(&item.id)));
    let mut value = match kept.samples(std::slice::from_ref(&item.id)) {
        Ok(samples) => {
            if let (mintage::generate::Samples::Table(rows), None) = (&samples, &columns) {
                *columns = Some(draws::columns(rows));
            }
            Value::Object(draws::item(&samples, 0, &url))
        }
        // Its file is missing or damaged: the others are listed nevertheless.
        Err(error) => json!({ "error": { "detail": error.to_string(), "hint": error.hint() } }),
    };
    value["id"] = json!(item.id);
    value["kind"] = json!(item.kind);
    value["seed"] = json!(item.made_by.seed);
    value["made"] = json!(item.kept_at);
    value["i"] = json!(item.index);
    value["request"] = item.made_by.options.clone();
    value["label"] = json!(item.label);
    value["written"] = json!(item.written);
    value
}

/// A kept item's file
#[utoipa::path(get, path = "/api/models/{model}/kept/{file}", tag = "models",
    params(("model" = String, Path), ("file" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream"), (status = 206, content_type = "application/octet-stream")))]
async fn file(
    State(app): State<Shared>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    blocking(move || {
        let missing = || Problem::not_found("there is no such item, or not in this format");
        let (item, suffix) = name.split_once('.').ok_or_else(missing)?;
        let kept = Kept::open(&app.run(&id)?.dir)?;
        let items = kept.list()?;
        let found = items.iter().find(|known| known.id == item).ok_or_else(missing)?;
        let samples = kept.samples(std::slice::from_ref(&found.id))?;
        let (bytes, media_type) = draws::encoded(&samples, 0, suffix, &found.made_by)?.ok_or_else(missing)?;
        Ok(as_file(ranged(&headers, media_type, bytes)))
    })
    .await
}

/// Items of a draw to keep.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Keep {
    /// The draw.
    draw: String,
    /// Numbers of its items.
    items: Vec<usize>,
}

/// Keeps items of a draw with the run
#[utoipa::path(post, path = "/api/models/{model}/kept", tag = "models", params(("model" = String, Path)),
    request_body = Keep, responses((status = 200, body = Value)))]
async fn keep(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Body(asked): Body<Keep>,
) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let draw = app.draws.of_model(&asked.draw, &id)?;
        check_items(&asked.items, draw.samples.len())?;
        let kept = Kept::open(&app.run(&id)?.dir)?;
        let ids = kept.keep(&draw.samples, &asked.items, &draw.provenance, now())?;
        app.tell_kept(&id);
        Ok(Json(json!({ "kept": ids })))
    })
    .await
}

/// Kept items by their ids.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Ids {
    /// Ids of kept items.
    ids: Vec<String>,
}

/// Lets kept items go; rows that were written stay
#[utoipa::path(delete, path = "/api/models/{model}/kept", tag = "models", params(("model" = String, Path)),
    request_body = Ids, responses((status = 200, body = Value)))]
async fn remove(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Body(asked): Body<Ids>,
) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let removed = Kept::open(&app.run(&id)?.dir)?.remove(&asked.ids)?;
        app.tell_kept(&id);
        Ok(Json(json!({ "removed": removed })))
    })
    .await
}

/// Where kept items go.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Write {
    /// Ids of kept items; without this all that were not written yet.
    ids: Option<Vec<String>>,
    /// Id of the source that they are added to.
    source: Option<String>,
    /// A new file inside the folder that is served, in place of a source.
    file: Option<String>,
    /// Table of a database.
    table: Option<String>,
    /// Column for the items.
    column: Option<String>,
    /// Column for their classes.
    label_column: Option<String>,
    /// `append` or `fail`: what to do where the table is there already.
    if_exists: Option<String>,
    /// Show the rows, and write nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Writes kept items into a database or a file, in one transaction
#[utoipa::path(post, path = "/api/models/{model}/kept/write", tag = "models", params(("model" = String, Path)),
    request_body = Write, responses((status = 200, body = Value)))]
async fn write(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Body(asked): Body<Write>,
) -> Result<Json<Value>, Problem> {
    let dir = app.model_dir(&id)?;
    let (out, pg) = app.place(&asked)?;
    let output = Output {
        out,
        if_exists: match asked.if_exists.as_deref() {
            None if asked.source.is_some() => IfExists::Append,
            Some("append") => IfExists::Append,
            None | Some("fail") => IfExists::Fail,
            Some(_) => {
                return Err(Problem {
                    field: Some("if_exists".to_owned()),
                    ..Problem::request("`if_exists` is append or fail")
                });
            }
        },
        table: asked.table,
        column: asked.column,
        label_column: asked.label_column,
        ..Output::default()
    };
    let worker = app.worker.clone();
    let written = worker.ask(dir, move |model, _| {
        let kept = Kept::open(&model.dir)?;
        let ids = match asked.ids {
            Some(ids) => ids,
            None => {
                let new = kept.list()?.into_iter().filter(|item| item.written.is_none());
                new.map(|item| item.id).collect()
            }
        };
        if ids.is_empty() {
            return Err(Problem::conflict("nothing is kept that was not written yet")
                .with_hint("keep something first, or name the items to write them again"));
        }
        let written = kept.write(&ids, model, &output, &pg, asked.dry_run, now())?;
        if !asked.dry_run {
            app.tell_kept(&id);
        }
        let mut value = json!(written);
        value["place"] = json!(app.guard.hide(&written.place));
        Ok(value)
    });
    Ok(Json(written.await?))
}

/// What was written together.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Undo {
    /// The name of the batch.
    batch: String,
}

/// Takes a batch back: exactly its rows, in one transaction
#[utoipa::path(post, path = "/api/models/{model}/kept/undo", tag = "models", params(("model" = String, Path)),
    request_body = Undo, responses((status = 200, body = Value)))]
async fn undo(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Body(asked): Body<Undo>,
) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let kept = Kept::open(&app.run(&id)?.dir)?;
        let known = kept.batches()?.into_iter().find(|batch| batch.written.batch == asked.batch);
        let pg = match known.as_ref().and_then(|batch| batch.server.as_ref()) {
            None => app.sources.pg().clone(),
            // A run may come from a stranger: only servers that the user has named are connected to.
            Some(server) => app.sources.pg_of(server).ok_or_else(|| {
                Problem::conflict("the server that was written to is not among the sources here")
                    .with_hint("add it first: its address with the password")
            })?,
        };
        let undone = kept.undo(&asked.batch, &pg)?;
        app.tell_kept(&id);
        let mut value = json!(undone);
        value["place"] = json!(app.guard.hide(&undone.place));
        Ok(Json(value))
    })
    .await
}

impl App {
    fn tell_kept(&self, run: &str) {
        self.events.send("runs", "runs", json!({ "run": run, "change": "kept" }));
    }

    /// Where to write: a source that is known, or a new file inside the folder that is served.
    fn place(&self, asked: &Write) -> Result<(String, mintage_data::PgDefaults), Problem> {
        match (&asked.source, &asked.file) {
            (Some(source), None) => {
                let source = self.sources.get(source)?;
                Ok((source.spec.source.clone(), source.spec.pg.clone()))
            }
            (None, Some(file)) => {
                let path = self.sources.new_file(file)?;
                Ok((text_of(path.as_os_str()), self.sources.pg().clone()))
            }
            _ => Err(Problem::request("either `source` or `file` says where to write")),
        }
    }
}
