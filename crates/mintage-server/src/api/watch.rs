//! Runs that others train: what is new in their folders becomes events, as long as somebody listens.

use std::{
    collections::HashMap,
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Shared,
    jobs::JobState,
    runs::{self, id_of},
};

/// Between looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Points of a look: more are thinned out.
const MAX_POINTS: usize = 200;

/// What a run was like at the last look.
#[derive(Clone, PartialEq)]
struct Seen {
    state: &'static str,
    changed: u64,
    metrics: u64,
    previews: usize,
}

/// Looks for as long as the server runs.
pub(crate) async fn watch(app: Shared) {
    let mut seen: Option<HashMap<String, Seen>> = None;
    loop {
        sleep(LOOK_EVERY).await;
        if !app.events.are_heard() {
            seen = None;
            continue;
        }
        let (inner, before) = (app.clone(), seen.take());
        seen = tokio::task::spawn_blocking(move || look(&inner, before)).await.ok();
    }
}

fn look(app: &Shared, before: Option<HashMap<String, Seen>>) -> HashMap<String, Seen> {
    let mut now = HashMap::new();
    for run in mintage::Run::list(&app.runs).unwrap_or_default() {
        let id = id_of(&run.name);
        let file = |name: &str| std::fs::metadata(run.dir.join(name)).ok();
        let changed = file("run.json").and_then(|file| file.modified().ok()?.duration_since(UNIX_EPOCH).ok());
        let seen = Seen {
            state: run.state.name(),
            changed: changed.map_or(0, |since| since.as_millis() as u64),
            metrics: file("metrics.jsonl").map_or(0, |file| file.len()),
            previews: runs::previews(&id, &run.dir).len(),
        };
        // What a process of this server says comes from itself, and sooner.
        let own = app.jobs.of_run(&id).is_some_and(|job| job.state == JobState::Running);
        if let Some(before) = &before {
            match before.get(&id) {
                None => tell(app, &id, "new"),
                Some(old) if old.state != seen.state || old.changed != seen.changed => {
                    tell(app, &id, "state")
                }
                Some(old) if !own && *old != seen => news(app, &id, &run.dir, old, &seen),
                Some(_) => {}
            }
        }
        now.insert(id, seen);
    }
    for gone in before.iter().flat_map(|before| before.keys()).filter(|id| !now.contains_key(*id)) {
        tell(app, gone, "gone");
    }
    now
}

fn tell(app: &Shared, id: &str, change: &str) {
    app.events.send("runs", "runs", json!({ "run": id, "change": change }));
}

/// New metrics and previews of a run.
fn news(app: &Shared, id: &str, dir: &std::path::Path, old: &Seen, new: &Seen) {
    let send =
        |event: Value| app.events.send(format!("run:{id}"), "run", json!({ "run": id, "event": event }));
    let since = if new.metrics >= old.metrics { old.metrics } else { 0 };
    let (_, records) = runs::metrics(dir, since, MAX_POINTS).unwrap_or_default();
    for mut record in records {
        let step = record.remove("step").unwrap_or_default();
        let kind = record.remove("kind").unwrap_or_default();
        match kind.as_str() {
            Some("stage") => send(json!({ "event": "stage", "step": step, "name": record.remove("name") })),
            Some(kind @ ("step" | "valid")) => {
                send(json!({ "event": kind, "step": step, "metrics": record }))
            }
            _ => {}
        }
    }
    for preview in runs::previews(id, dir).into_iter().skip(old.previews) {
        send(
            json!({ "event": "preview", "step": preview.step, "url": preview.url, "type": preview.media_type }),
        );
    }
}
