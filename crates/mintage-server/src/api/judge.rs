//! What is to be said of single items: how they conform, what they are near to, what gives them away.

use std::sync::Arc;

use axum::{Json, extract::State};
use mintage::{
    AnyData, Model,
    evaluate::{Explainer, NearestIndex, Options, Scorer, real},
};
use mintage_data::{SourceSpec, is_postgres, names::text_of};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    App, Shared,
    draws::DrawView,
    problem::{Body, Path, Problem, Query},
    worker::Shelf,
};

/// Neighbours that are shown without being asked for.
const DEFAULT_NEIGHBOURS: usize = 3;
/// Real items in one answer.
const MAX_REAL: usize = 200;
/// Items that are scored at once.
const MAX_SCORED: usize = 1000;
/// The seed of what is learned in order to judge: the same item is judged alike each time.
const SEED: u64 = 1;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(score))
        .routes(routes!(nearest))
        .routes(routes!(explain))
        .routes(routes!(real_items))
}

/// Items of a draw.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Items {
    /// The draw.
    draw: String,
    /// Numbers of its items; all of them without this.
    items: Option<Vec<usize>>,
}

/// How well items conform to what the model learned from, from 0 to 100
#[utoipa::path(post, path = "/api/models/{model}/score", tag = "models", params(("model" = String, Path)),
    request_body = Items, responses((status = 200, body = Value)))]
async fn score(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Body(asked): Body<Items>,
) -> Result<Json<Value>, Problem> {
    let draw = app.draws.of_model(&asked.draw, &id)?;
    let items = asked.items.unwrap_or_else(|| (0..draw.samples.len().min(MAX_SCORED)).collect());
    check_items(&items, draw.samples.len())?;
    let (dir, worker) = (app.model_dir(&id)?, app.judge.clone());
    let scores = worker.ask_with(dir, move |model, cancel, shelf| {
        let data = app.data_of(model, shelf)?;
        let options = Options { seed: SEED, cache: Some(app.runs.join(".cache")), ..Options::default() };
        let scorer = shelf.get(model, "scorer", || {
            Ok(Scorer::build(model, &data, &options, cancel, &mut |_| {})?)
        })?;
        let chosen = draw.samples.take(&items);
        let scores = scorer.score(model, &chosen)?;
        let view = |(&i, score): (&usize, &mintage::evaluate::ItemScore)| {
            json!({ "i": i, "conformity": score.conformity, "nll": score.nll.filter(|nll| nll.is_finite()) })
        };
        Ok(items.iter().zip(&scores).map(view).collect::<Vec<Value>>())
    });
    Ok(Json(json!({ "scores": scores.await? })))
}

pub(super) fn check_items(items: &[usize], n: usize) -> Result<(), Problem> {
    if items.is_empty() || items.len() > MAX_SCORED {
        return Err(Problem::request(format!("1 to {MAX_SCORED} items are named")));
    }
    match items.iter().find(|&&item| item >= n) {
        None => Ok(()),
        Some(item) => Err(Problem {
            field: Some("items".to_owned()),
            ..Problem::request(format!("the draw has no item {item}"))
        }),
    }
}

/// One item of a draw.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct One {
    /// The draw.
    draw: String,
    /// The number of the item.
    item: usize,
    /// How many neighbours.
    k: Option<usize>,
}

/// The training items nearest to a new one, and how near held-out ones are
#[utoipa::path(post, path = "/api/models/{model}/nearest", tag = "models", params(("model" = String, Path)),
    request_body = One, responses((status = 200, body = Value)))]
async fn nearest(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Body(asked): Body<One>,
) -> Result<Json<Value>, Problem> {
    let draw = app.draws.of_model(&asked.draw, &id)?;
    check_items(&[asked.item], draw.samples.len())?;
    let (dir, worker) = (app.model_dir(&id)?, app.judge.clone());
    let answer = worker.ask_with(dir, move |model, cancel, shelf| {
        let data = app.data_of(model, shelf)?;
        let index =
            shelf.get(model, "nearest", || Ok(NearestIndex::build(model, &data, cancel, &mut |_| {})?))?;
        let found = index.nearest(&draw.samples, asked.item, asked.k.unwrap_or(DEFAULT_NEIGHBOURS))?;
        let mut value = json!(found);
        // The neighbours are shown like anything that was drawn.
        let provenance = draw.provenance.clone();
        let held =
            app.draws.add(&id, found.items, provenance, json!({ "nearest": asked.item }), 0, Vec::new());
        let views = held.view();
        if let Some(neighbours) = value["neighbours"].as_array_mut() {
            for (neighbour, view) in neighbours.iter_mut().zip(views.items) {
                merge(neighbour, view);
            }
        }
        value["columns"] = json!(views.columns);
        Ok(value)
    });
    Ok(Json(answer.await?))
}

/// Puts the fields of a view beside those that are there.
fn merge(value: &mut Value, view: Map<String, Value>) {
    if let Some(fields) = value.as_object_mut() {
        view.into_iter().filter(|(key, _)| key != "i").for_each(|(key, value)| {
            fields.entry(key).or_insert(value);
        });
    }
}

/// How real an item looks, and what gives it away
#[utoipa::path(post, path = "/api/models/{model}/explain", tag = "models", params(("model" = String, Path)),
    request_body = One, responses((status = 200, body = Value)))]
async fn explain(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Body(asked): Body<One>,
) -> Result<Json<Value>, Problem> {
    let draw = app.draws.of_model(&asked.draw, &id)?;
    check_items(&[asked.item], draw.samples.len())?;
    let (dir, worker) = (app.model_dir(&id)?, app.judge.clone());
    let answer = worker.ask_with(dir, move |model, cancel, shelf| {
        let data = app.data_of(model, shelf)?;
        let explainer = shelf
            .get(model, "explainer", || Ok(Explainer::build(model, &data, SEED, cancel, &mut |_| {})?))?;
        Ok(json!(explainer.explain(&draw.samples, asked.item)?))
    });
    Ok(Json(answer.await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Real {
    /// How many.
    n: Option<usize>,
    /// Which.
    seed: Option<u64>,
}

/// Real items that the model never saw, as it sees them
#[utoipa::path(get, path = "/api/models/{model}/real", tag = "models", params(("model" = String, Path), Real),
    responses((status = 200, body = DrawView)))]
async fn real_items(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(asked): Query<Real>,
) -> Result<Json<DrawView>, Problem> {
    let (n, seed) = (asked.n.unwrap_or(16).clamp(1, MAX_REAL), asked.seed.unwrap_or(SEED));
    let (dir, worker) = (app.model_dir(&id)?, app.judge.clone());
    let view = worker.ask_with(dir, move |model, _, shelf| {
        let data = app.data_of(model, shelf)?;
        let samples = real(model, &data, n, seed)?;
        let request = json!({ "real": n, "seed": seed });
        let provenance = model.provenance(seed, request.clone());
        Ok(app.draws.add(&id, samples, provenance, request, 0, Vec::new()).view())
    });
    Ok(Json(view.await?))
}

impl App {
    /// The data that a model learned from, read as it reads them. What its folder names may come from a stranger: only
    /// sources that this server knows are opened.
    pub(crate) fn data_of(&self, model: &Arc<Model>, shelf: &mut Shelf) -> Result<AnyData, Problem> {
        let data = shelf.get(model, "data", || {
            let spec = self.spec_here(&model.config.source)?;
            Ok(AnyData::open_as(&spec, &model.codec)?)
        })?;
        Ok(data.clone())
    }

    fn spec_here(&self, spec: &SourceSpec) -> Result<SourceSpec, Problem> {
        let id = self.sources.of_run(spec).ok_or_else(|| {
            Problem::conflict("the data that this model learned from are not among the sources here")
                .with_hint("add their source first: its path, or its address with the password")
        })?;
        let known = self.sources.get(&id)?;
        let mut here =
            SourceSpec { source: known.spec.source.clone(), pg: known.spec.pg.clone(), ..spec.clone() };
        if let Some(holdout) = here.holdout.as_deref().filter(|holdout| !is_postgres(holdout)) {
            // The name of a table, or a path.
            if let Ok(path) = self.sources.path_inside(holdout, true) {
                here.holdout = Some(text_of(path.as_os_str()));
            }
        }
        Ok(here)
    }
}
