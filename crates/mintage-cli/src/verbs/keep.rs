//! `mintage keep`: draws and keeps, lists what is kept, writes it, takes it back.

use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};

use mintage::{
    Kept, Model,
    data::{IfExists, SourceSpec},
    generate::{Output, Request},
    kept::{KeptItem, WrittenBatch},
};
use mintage_data::table::encoder::Where;
use serde_json::{Value, json};

use super::sample::progress;
use crate::{
    args::Keep,
    context::Context,
    failure::{CliError, CliResult, Outcome},
    text::{count, shell, visible},
};

/// Characters of a text or a row that a line of the list shows.
const MAX_SHOWN_CHARS: usize = 60;

pub fn run(args: &Keep, context: &mut Context) -> CliResult {
    if args.list {
        return list(args, context);
    }
    if !args.remove.is_empty() {
        return remove(args, context);
    }
    if let Some(batch) = &args.undo {
        return undo(args, batch, context);
    }
    match &args.write {
        Some(ids) => write(args, ids, context),
        None => keep(args, context),
    }
}

/// Seconds of Unix time.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn keep(args: &Keep, context: &mut Context) -> CliResult {
    let model = context.load(&args.model)?;
    let kept = Kept::open(&model.dir)?;
    let seed = context.settings.seed_or_fresh();
    let request = request(args, seed, context.settings.seed.is_some())?;
    let seed = request.seed;
    let chosen = args.items.as_deref().map(numbers).transpose()?;
    let mut generation = model.generate(&request)?;
    generation.notes().iter().for_each(|note| context.ui.warn(note));
    let samples = generation.all(&mut progress(&mut context.ui));
    context.ui.clear();
    let samples = samples?;
    let items = chosen.unwrap_or_else(|| (0..samples.len()).collect());
    let ids = kept.keep(&samples, &items, &generation.provenance(), now())?;
    context.ui.field("kept", &format!("{} of {}: {}", ids.len(), samples.len(), ids.join(", ")));
    context.ui.field("next", &format!("mintage keep {} --write -o OUT --dry-run", shell(&model.dir)));
    context.ui.out_json(&json!({ "kept": ids, "seed": seed }))?;
    if args.request.is_none() {
        context.tell_seed();
    }
    Ok(Outcome::Done)
}

/// The request that the flags are; the seed of the command line counts.
fn request(args: &Keep, seed: u64, is_given: bool) -> Result<Request, CliError> {
    let conditions = args.condition.iter().map(|text| Where::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let Some(json) = &args.request else {
        return Ok(Request { n: args.n, seed: Some(seed), conditions, ..Request::default() });
    };
    let mut request = Request::parse(json)?;
    if is_given || request.seed.is_none() {
        request.seed = Some(seed);
    }
    request.n = args.n.or(request.n);
    request.conditions.extend(conditions);
    Ok(request)
}

fn list(args: &Keep, context: &mut Context) -> CliResult {
    let kept = Kept::open(&context.model_dir(&args.model)?)?;
    let (items, batches) = (kept.list()?, kept.batches()?);
    if context.ui.wants_json() {
        let one = |item: &KeptItem| {
            json!({
                "id": item.id, "kind": item.kind, "made": item.kept_at, "index": item.index,
                "seed": item.made_by.seed, "request": item.made_by.options, "label": item.label,
                "file": item.file(), "text": item.text(), "row": item.cells(), "written": item.written,
            })
        };
        let batches: Vec<Value> =
            batches.iter().map(|batch| json!({ "ids": batch.ids, "written": batch.written })).collect();
        let items: Vec<Value> = items.iter().map(one).collect();
        context.ui.out_json(&json!({ "items": items, "batches": batches }))?;
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    for item in &items {
        text.push_str(&format!(
            "{:<6}seed {:<12}item {:<6}{}\n",
            item.id,
            item.made_by.seed,
            item.index,
            shown(item)
        ));
    }
    for batch in &batches {
        let items = count(batch.ids.len(), "item");
        let doubt = if batch.written.complete { "" } else { " (not known to be complete)" };
        text.push_str(&format!(
            "batch {}: {items} in {}{doubt}\n",
            batch.written.batch,
            visible(&batch.written.place)
        ));
    }
    if text.is_empty() {
        text = "nothing is kept\n".to_owned();
    }
    context.ui.out(&text)?;
    Ok(Outcome::Done)
}

/// What an item is, and where it was written, in a line.
fn shown(item: &KeptItem) -> String {
    let cells = || item.cells().map(|cells| cells.iter().map(|cell| cell.as_deref().unwrap_or("")).collect());
    let content = item.file().or_else(|| item.text().map(str::to_owned));
    let content = content.or_else(|| cells().map(|cells: Vec<&str>| cells.join(", "))).unwrap_or_default();
    let line = content.replace(['\n', '\r'], " ");
    let mut text: String = visible(&line).chars().take(MAX_SHOWN_CHARS).collect();
    if let Some(label) = &item.label {
        text.push_str(&format!("  [{}]", visible(label)));
    }
    if let Some(written) = &item.written {
        text.push_str(&format!("  (batch {})", written.batch));
    }
    text
}

fn remove(args: &Keep, context: &mut Context) -> CliResult {
    let kept = Kept::open(&context.model_dir(&args.model)?)?;
    let removed = kept.remove(&ids(&args.remove))?;
    context.ui.field("removed", &format!("{} from what is kept", count(removed, "item")));
    context.ui.out_json(&json!({ "removed": removed }))?;
    Ok(if removed == 0 { Outcome::No } else { Outcome::Done })
}

fn write(args: &Keep, named: &[String], context: &mut Context) -> CliResult {
    let model: Model = context.load(&args.model)?;
    let kept = Kept::open(&model.dir)?;
    let ids = match named.is_empty() {
        false => ids(named),
        true => {
            let new = kept.list()?.into_iter().filter(|item| item.written.is_none());
            new.map(|item| item.id).collect()
        }
    };
    if ids.is_empty() {
        return Err(CliError::new(
            "nothing is kept that was not written yet",
            "`mintage keep MODEL -n 8` draws and keeps; `--write ID…` writes again what was written",
        ));
    }
    let output = Output {
        out: args.out.clone().unwrap_or_default(),
        if_exists: IfExists::from(args.if_exists),
        table: args.table.clone(),
        column: args.column.clone(),
        label_column: args.label_column.clone(),
        ..Output::default()
    };
    let pg = context.settings.pg.clone();
    let written = kept.write(&ids, &model, &output, &pg, args.dry_run, now())?;
    let items = count(written.n, "item");
    match &written.batch {
        Some(batch) => {
            context.ui.field("made", &format!("{items} in {}", written.place));
            context.ui.field("batch", batch);
            context.ui.field("undo", &format!("mintage keep {} --undo {batch}", shell(&model.dir)));
        }
        None => context.ui.field("would make", &format!("{items} in {}", written.place)),
    }
    written.notes.iter().for_each(|note| context.ui.field("", note));
    if args.dry_run && !context.ui.prints_json() {
        context.ui.out(&as_text(&written))?;
    }
    context.ui.out_json(&json!(written))?;
    Ok(Outcome::Done)
}

/// The rows with tabs between cells, the names first.
fn as_text(written: &WrittenBatch) -> String {
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace(['\t', '\n', '\r'], " "),
        Value::Object(media) => match (media.get("media").and_then(Value::as_str), media.get("bytes")) {
            (Some(media), Some(bytes)) => format!("({media} of {bytes} bytes)"),
            (media, _) => format!("({})", media.unwrap_or("blob")),
        },
        other => other.to_string(),
    };
    let mut lines = vec![written.columns.join("\t")];
    lines.extend(written.rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join("\t")));
    lines.into_iter().map(|line| visible(&line).to_string() + "\n").collect()
}

fn undo(args: &Keep, batch: &str, context: &mut Context) -> CliResult {
    let dir = context.model_dir(&args.model)?;
    let kept = Kept::open(&dir)?;
    let found = kept.batches()?.into_iter().find(|known| known.written.batch == batch);
    let mut pg = context.settings.pg.clone();
    if let Some(server) = found.and_then(|known| known.server) {
        let mut spec = SourceSpec { source: server, ..SourceSpec::default() };
        context.ask_before_contact(&mut spec, "the run", args.yes)?;
        pg = context.reachable(&spec).pg;
    }
    let undone = kept.undo(batch, &pg)?;
    context.ui.field("removed", &format!("{} from {}", count(undone.removed, "item"), undone.place));
    undone.notes.iter().for_each(|note| context.ui.field("", note));
    context.ui.out_json(&json!(undone))?;
    Ok(Outcome::Done)
}

/// The names of items: `4`, `2..5` and `1,3` stand for numbers, anything else for itself.
fn ids(named: &[String]) -> Vec<String> {
    let all = named.iter().flat_map(|name| match numbers(name) {
        Ok(numbers) => numbers.into_iter().map(|number| number.to_string()).collect(),
        Err(_) => vec![name.clone()],
    });
    let mut seen = BTreeSet::new();
    all.filter(|id| seen.insert(id.clone())).collect()
}

/// `0,3,7..9`: numbers and ranges with both of their ends.
fn numbers(text: &str) -> Result<Vec<usize>, CliError> {
    /// More items than a run keeps.
    const MAX_NUMBERS: usize = 1_000_000;
    let wrong = || {
        CliError::new(
            format!("`{text}` is no list of items"),
            "write it like 0,3,7..9: both ends of a range count",
        )
    };
    let mut all = Vec::new();
    for part in text.split(',') {
        let (from, to) = part.split_once("..").unwrap_or((part, part));
        let parse = |number: &str| number.trim().parse::<usize>().map_err(|_| wrong());
        let (from, to) = (parse(from)?, parse(to)?);
        if to < from || to - from >= MAX_NUMBERS {
            return Err(wrong());
        }
        all.extend(from..=to);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lists_of_items() {
        assert_eq!(numbers("0,3,7..9").unwrap(), [0, 3, 7, 8, 9]);
        for wrong in ["", "a", "3..1", "1..", "0..9999999999"] {
            assert!(numbers(wrong).is_err(), "{wrong}");
        }
        let named = ["2..3".to_owned(), "3".to_owned(), "x-1".to_owned()];
        assert_eq!(ids(&named), ["2", "3", "x-1"]);
    }
}
