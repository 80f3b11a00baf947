//! `mintage compare`: runs side by side: scores, means over seeds, what differs in their configurations, samples.

use std::{
    cmp::Ordering,
    path::{Path, PathBuf},
};

use mintage::{AnyData, Event, ImageRequest, Run, VideoRequest};
use mintage_data::{
    Clips, Images, Provenance, gif_bytes, grid_film, names::path_of, target_of, write_grid_rows,
    write_through,
};
use serde_json::{Value, json};

use super::exports;
use crate::{
    args::Compare,
    comparison::{
        Comparison, Member,
        differs::{self, differences},
    },
    context::Context,
    failure::{CliError, CliResult, Outcome},
    pictures::spread,
    report_view::{self, DIALS},
    sweep_plan,
    text::{Table, count, duration, shell, thousands},
};

/// Samples of each model on the grid.
const COLUMNS: usize = 10;

pub fn run(args: &Compare, context: &mut Context) -> CliResult {
    let mut members = match args.models.is_empty() {
        true => evaluated(context)?,
        false => named(args, context)?,
    };
    // Best first; those without a report last.
    let rank = |member: &Member| report_view::rank(member.report.as_ref()?, &member.config);
    members.sort_by(|a, b| rank(b).partial_cmp(&rank(a)).unwrap_or(Ordering::Equal));
    let all: Vec<&Member> = members.iter().collect();
    let differences = differences(&all);
    let comparison = Comparison::of(members.clone(), Vec::new());
    if context.ui.wants_json() {
        let rows: Vec<Value> = members
            .iter()
            .map(|e| json!({ "run": e.name, "dir": e.dir, "config": e.config, "report": e.report }))
            .collect();
        let keys: Vec<&String> = differences.iter().map(|(key, _)| key).collect();
        let value = json!({ "runs": rows, "differs": keys, "groups": comparison.to_json() });
        context.ui.out_json(&value)?;
    } else {
        context.ui.out(&leaderboard(&members))?;
        context.ui.out(&verdicts(&members))?;
        if comparison.has_seeds() {
            context.ui.out(&format!("\n{}", exports::text(&comparison)))?;
        }
        if let Some(table) = differs::table(&comparison, &all) {
            context.ui.out(&format!("\n{table}"))?;
        }
    }
    sources_differ(&members, context);
    for member in members.iter().filter(|member| member.report.is_none()) {
        let dir = shell(&member.dir);
        context.ui.say(&format!("{} is not evaluated yet: mintage evaluate {dir}", member.name));
    }
    let about = [format!("{} side by side", count(members.len(), "model"))];
    let (title, again) = match args.models.as_slice() {
        [only] => (only.as_str(), format!("mintage compare {}", shell(&path_of(only)))),
        _ => ("Comparison", again(&members)),
    };
    exports::write(&args.exports, &comparison, title, &about, &[again], context)?;
    if let Some(path) = &args.grid {
        grid(path, &members, args, context)?;
        context.ui.field("made", &shell(path));
    }
    Ok(Outcome::Done)
}

/// What to type to compare the same again.
fn again(members: &[Member]) -> String {
    let dirs: Vec<String> = members.iter().map(|member| shell(&member.dir)).collect();
    format!("mintage compare {}", dirs.join(" "))
}

/// Every run that has a report.
fn evaluated(context: &Context) -> Result<Vec<Member>, CliError> {
    let runs = &context.settings.runs;
    let dirs =
        Run::list(runs)?.into_iter().map(|run| run.dir).filter(|dir| dir.join("report.json").is_file());
    let members = dirs.map(Member::read).collect::<Result<Vec<_>, _>>()?;
    match members.is_empty() {
        true => Err(CliError::new(
            format!("no run in {} was evaluated yet", runs.display()),
            "`mintage evaluate RUN` does; or name the runs to compare",
        )),
        false => Ok(members),
    }
}

/// The models that were named; a sweep stands for its runs.
fn named(args: &Compare, context: &mut Context) -> Result<Vec<Member>, CliError> {
    let mut members = Vec::new();
    for name in &args.models {
        match sweep_plan::find(&path_of(name), &context.settings.runs) {
            Some(sweep) => members.extend(of_sweep(&sweep, context)?),
            None => members.push(Member::read(context.model_dir(name)?)?),
        }
    }
    Ok(members)
}

/// The runs of a sweep that have a model.
fn of_sweep(sweep: &Path, context: &mut Context) -> Result<Vec<Member>, CliError> {
    let (there, missing): (Vec<PathBuf>, Vec<PathBuf>) = sweep_plan::Plan::read(sweep)?
        .cells()
        .into_iter()
        .map(|cell| sweep.join(cell.name()))
        .partition(|dir| dir.join("config.json").is_file());
    for dir in &missing {
        context.ui.say(&format!("{} has no model yet: mintage sweep --resume {}", shell(dir), shell(sweep)));
    }
    if there.is_empty() {
        return Err(CliError::new(
            format!("{}: no run of the sweep has a model yet", shell(sweep)),
            format!("`mintage sweep --resume {}` goes on with it", shell(sweep)),
        ));
    }
    there.into_iter().map(Member::read).collect()
}

/// What there is to say of each run, in words.
fn verdicts(members: &[Member]) -> String {
    let said = members.iter().filter_map(|member| {
        let report = member.report.as_ref()?;
        let verdict = report_view::verdict(report).trim_end().replace('\n', " ");
        let stale = report_view::is_stale(report, &member.config);
        let judged = report.get("step").and_then(Value::as_u64).filter(|_| stale);
        let note = judged.map(|step| {
            format!(
                "evaluated after {} steps and trained further since: not compared. ",
                thousands(step as usize)
            )
        });
        (!verdict.is_empty()).then(|| format!("\n{}: {}{verdict}\n", member.name, note.unwrap_or_default()))
    });
    said.collect()
}

fn leaderboard(members: &[Member]) -> String {
    let head = ["run", "trained", "model", "steps", "time"].into_iter().chain(DIALS);
    let mut table = Table::with_head(head.map(str::to_owned).collect());
    table.bars = true;
    for member in members {
        let mut cells = vec![
            member.name.clone(),
            report_view::date_of(&member.dir),
            format!("{} {}", member.family(), member.size()),
            member.steps().map_or_else(|| "–".to_owned(), |steps| thousands(steps as usize)),
            member.train_secs().map_or_else(|| "–".to_owned(), duration),
        ];
        cells.extend(DIALS.map(|dial| report_view::interval_text(member.scores(), dial)));
        table.row(cells);
    }
    table.text()
}

/// Scores of different data are not comparable, and that is easily overlooked.
fn sources_differ(members: &[Member], context: &mut Context) {
    let sources: Vec<_> =
        members.iter().map(|e| (e.config.get("source"), e.config.pointer("/info/shape"))).collect();
    if sources.windows(2).any(|pair| pair[0] != pair[1]) {
        context.ui.warn(
            "the runs learned from different data, or saw them differently: their scores do not compare",
        );
    }
}

/// Held-out items that no model saw, where the data can be had without asking; otherwise why they are left out.
fn held_out(members: &[Member], args: &Compare, context: &mut Context) -> Result<AnyData, String> {
    let source = |member: &Member| member.config.get("source").cloned();
    if args.moved.source.is_none() && members.windows(2).any(|pair| source(&pair[0]) != source(&pair[1])) {
        return Err("the models learned from different data".to_owned());
    }
    let first = members.first().ok_or("there are no models")?;
    let named = |key: &str| first.config.pointer(key).and_then(Value::as_str).unwrap_or_default();
    let asks = |key: &str| named(key).contains("://");
    if (args.moved.source.is_none() && asks("/source/source") || asks("/source/holdout")) && !args.moved.yes {
        return Err("the models name a server as their source, and --yes was not given".to_owned());
    }
    let open = |context: &mut Context| {
        let model = context.load(&first.dir.display().to_string())?;
        context.data_of(&model, &args.moved)
    };
    let data = open(context).map_err(|failure| {
        let text = failure.text(false);
        text.trim_start_matches("error: ").lines().next().unwrap_or_default().to_owned()
    })?;
    match data.splits().holdout.is_empty() {
        true => Err("the data have no holdout".to_owned()),
        false => Ok(data),
    }
}

/// The caption of real items.
const REAL: &str = "real (held out)";

/// Real items, and samples of every model from the same seed, one block each.
fn grid(path: &Path, members: &[Member], args: &Compare, context: &mut Context) -> Result<(), CliError> {
    mintage::generate::make_parent(path)?;
    if members.iter().all(|member| {
        member.config.pointer("/info/kind").is_some_and(|kind| kind == "video" || kind == "clip")
    }) {
        return film(path, members, args, context);
    }
    let request =
        ImageRequest { n: COLUMNS, seed: context.settings.seed_or_default(), ..ImageRequest::default() };
    let mut blocks: Vec<(String, Images)> = Vec::new();
    let mut made_by = Vec::new();
    for member in members {
        let model = context.load(&member.dir.display().to_string())?;
        let ui = &mut context.ui;
        let images = model.sample(&request, &mut |done, total| {
            ui.event(&Event::Work { what: "sampling".to_owned(), done, total });
        });
        context.ui.clear();
        let images = images?;
        made_by.push(model.provenance(request.seed, Value::Null));
        if let Some((name, first)) = blocks.first()
            && first.shape != images.shape
        {
            return Err(sizes_differ(&member.name, name, "images"));
        }
        blocks.push((member.name.clone(), images));
    }
    let mut n_real = 0;
    let real = held_out(members, args, context).and_then(|data| match data {
        AnyData::Image(set) => {
            let chosen = spread(&set.splits().holdout, COLUMNS);
            set.images(&chosen).map_err(|error| error.to_string())
        }
        _ => Err("the source does not hold images any more".to_owned()),
    });
    match real {
        Ok(images) if blocks.first().is_some_and(|(_, first)| first.shape == images.shape) => {
            n_real = images.len();
            blocks.insert(0, (REAL.to_owned(), images));
        }
        Ok(_) => without_real("they are of another size", context),
        Err(why) => without_real(&why, context),
    }
    let path = target_of(path).map_err(CliError::io(path))?;
    Ok(write_grid_rows(&path, &blocks, COLUMNS, of_all(made_by, n_real).as_ref())?)
}

fn without_real(why: &str, context: &Context) {
    context.ui.say(&format!("real items are left out of the picture: {why}"));
}

/// The provenance of what several models made together, above it `real` items that none of them made.
fn of_all(made_by: Vec<Provenance>, real: usize) -> Option<Provenance> {
    let join = |part: fn(&Provenance) -> &String| {
        made_by.iter().map(|one| part(one).as_str()).collect::<Vec<_>>().join(", ")
    };
    let (model, weights, family) = (join(|p| &p.model), join(|p| &p.weights), join(|p| &p.family));
    let options = json!({ "compare": made_by.len(), "real": real });
    made_by.first().map(|first| Provenance { model, weights, family, options, ..first.clone() })
}

/// The same of clips, moving.
fn film(path: &Path, members: &[Member], args: &Compare, context: &mut Context) -> Result<(), CliError> {
    if !path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("gif")) {
        return Err(CliError::message(format!("{}: clips are compared in a .gif", path.display())));
    }
    let request =
        VideoRequest { n: COLUMNS, seed: context.settings.seed_or_default(), ..VideoRequest::default() };
    let mut blocks: Vec<(String, Clips)> = Vec::new();
    let mut made_by = Vec::new();
    for member in members {
        let model = context.load(&member.dir.display().to_string())?;
        made_by.push(model.provenance(request.seed, Value::Null));
        let clips = model.sample_clips(&request, &mut |_, _| {})?;
        if let Some((name, first)) = blocks.first()
            && first.shape != clips.shape
        {
            return Err(sizes_differ(&member.name, name, "clips"));
        }
        blocks.push((member.name.clone(), clips));
    }
    let mut n_real = 0;
    let real = held_out(members, args, context).and_then(|data| match data {
        AnyData::Video(set) => {
            let chosen = spread(&set.splits().holdout, COLUMNS);
            Ok(set.clips(&chosen))
        }
        _ => Err("the source does not hold clips any more".to_owned()),
    });
    match real {
        Ok(clips) if blocks.first().is_some_and(|(_, first)| first.shape == clips.shape) => {
            n_real = clips.len();
            blocks.insert(0, (REAL.to_owned(), clips));
        }
        Ok(_) => without_real("they are of another size", context),
        Err(why) => without_real(&why, context),
    }
    let film = grid_film(&path.display().to_string(), &blocks, COLUMNS)?;
    write_through(path, &gif_bytes(&film, of_all(made_by, n_real).as_ref())?).map_err(CliError::io(path))
}

fn sizes_differ(one: &str, other: &str, things: &str) -> CliError {
    let message = format!("{things} of {one} and {other} are of different sizes");
    CliError::new(message, format!("compare runs that make {things} of one size, or leave out --grid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaderboard_has_dashes_for_what_is_unknown() {
        let report = json!({ "dials": { "fidelity": { "score": 50.0, "low": 44.6, "high": 55.0 } } });
        let config =
            json!({ "model": { "family": "vae" }, "size": "small", "train_secs": 60.0, "step": 1234 });
        let member = Member { name: "a".into(), config, report: Some(report), ..Member::default() };
        let text = leaderboard(&[member]);
        assert!(
            text.contains("| a   |       – | vae small | 1,234 |   1m | 50 (45–55) |        – |"),
            "{text}"
        );
    }
}
