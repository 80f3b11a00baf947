//! Who made a file.

use std::io::Write;

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
};
use mintage::generate::made_by;
use mintage_data::SourceSpec;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::blocking;
use crate::{
    Shared,
    problem::{Problem, Query},
    runs::id_of,
};

/// Bytes of a file.
const MAX_FILE_BYTES: usize = 128 << 20;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(provenance)).layer(DefaultBodyLimit::max(MAX_FILE_BYTES))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Named {
    /// How the file is called: its ending says the format.
    name: Option<String>,
}

/// Which model made a file, with which seed and options
#[utoipa::path(post, path = "/api/provenance", tag = "models", params(Named),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = Value)))]
async fn provenance(
    State(app): State<Shared>,
    Query(named): Query<Named>,
    file: Bytes,
) -> Result<Json<Value>, Problem> {
    blocking(move || {
        let name = named.name.unwrap_or_default();
        let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix.to_ascii_lowercase()).unwrap_or_default();
        let is_plain = suffix.len() <= 8 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let suffix = if is_plain { suffix } else { String::new() };
        let folder = app.runs.join(".studio");
        std::fs::create_dir_all(&folder).map_err(mintage::Error::io(&folder))?;
        let path = folder.join(format!("dropped-{:016x}.{suffix}", xxhash_rust::xxh3::xxh3_64(&file)));
        let written = std::fs::File::create(&path).and_then(|mut copy| copy.write_all(&file));
        let found = written.map_err(|error| Problem::from(mintage::Error::io(&path)(error))).map(|()| {
            let spec = SourceSpec { source: path.display().to_string(), ..SourceSpec::default() };
            made_by(&spec)
        });
        let _ = std::fs::remove_file(&path);
        // What cannot be read was not made here either.
        let made = found?.unwrap_or_default();
        let Some(first) = made.into_iter().next() else {
            return Ok(Json(json!({
                "made": false,
                "words": "Nothing in this file says that Mintage made it.",
            })));
        };
        let by = first.provenance;
        let runs = mintage::Run::list(&app.runs)?;
        let run = runs.iter().find(|run| run.name == by.model).map(|run| id_of(&run.name));
        Ok(Json(json!({
            "made": true,
            "program": "mintage",
            "version": by.version,
            "model": by.model,
            "weights": by.weights,
            "family": by.family,
            "run": run,
            "seed": by.seed,
            "options": by.options,
            "n": first.n,
            "words": format!("Made by {}, a {}, with seed {}.", by.model, by.family, by.seed),
        })))
    })
    .await
}
