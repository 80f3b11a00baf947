//! `mintage evaluate`: the four dials of a model or of what another program made, read against data that it never saw.

use std::{fs, path::Path};

use mintage::{
    AnyData, Model,
    evaluate::{Options, evaluate},
    report::Report,
};
use serde_json::{Value, json};

use super::{
    evaluate_new,
    judging::{limits, options, with_one_bar},
};
use crate::{
    args::Evaluate,
    context::{Context, clock},
    failure::{CliError, CliResult, Outcome},
    report_view::{self, DIALS},
    text::shell,
};

pub fn run(args: &Evaluate, context: &mut Context) -> CliResult {
    if args.n == Some(0) {
        return Err(CliError::message("-n must be at least 1"));
    }
    if let Some(new) = &args.new {
        if super::database::are_whole(args, new, context) {
            return super::database::evaluate_made(args, new, context);
        }
        let limits = limits(&args.fail_under, &DIALS)?;
        let report = evaluate_new::judged(args, new, context)?;
        let dir = evaluate_new::folder(&report.model, &context.settings.runs);
        fs::create_dir_all(&dir).map_err(CliError::io(&dir))?;
        return shown(&report, &dir, args, &limits, context);
    }
    evaluate_new::refuse_without_new(args, context)?;
    let dir = context.model_dir(&args.model)?;
    if mintage::database::is_database_run(&dir) {
        return super::database::evaluate(args, &dir, context);
    }
    let limits = limits(&args.fail_under, &DIALS)?;
    let model = context.load(&args.model)?;
    let data = context.data_of(&model, &args.moved)?;
    let options = Options { adapt: args.adapt, ..options(args.n, &context.settings) };
    let report = judged(&model, &data, &options, "evaluating", context)?;
    shown(&report, &model.dir, args, &limits, context)
}

/// Writes a report into a folder and where else it is wanted, and says what is in it.
fn shown(
    report: &Report,
    dir: &Path,
    args: &Evaluate,
    limits: &[(&'static str, f64)],
    context: &mut Context,
) -> CliResult {
    report.save(dir)?;
    let page = dir.join("report.html");
    if let Some(path) = &args.html {
        mintage::generate::make_parent(path)?;
        let html = fs::read(&page).map_err(CliError::io(&page))?;
        mintage_data::write_through(path, &html).map_err(CliError::io(path))?;
    }
    let value = json!(report);
    if context.ui.wants_json() {
        context.ui.out_json(&value)?;
    } else {
        context.ui.out(&format!(
            "{}\n{}\n{}{}",
            report_view::verdict(&value),
            report_view::dials(&value),
            report_view::metrics(&value),
            report_view::adapting(&value)
        ))?;
    }
    context.ui.field("made", &shell(args.html.as_deref().unwrap_or(&page)));
    Ok(verdict(&value, limits, context))
}

/// Judges a model, with one bar called `whole` over all parts.
pub fn judged(
    model: &Model,
    data: &AnyData,
    options: &Options,
    whole: &str,
    context: &mut Context,
) -> Result<Report, CliError> {
    with_one_bar(data, whole, context, |on| evaluate(model, data, options, &clock(), on))
}

/// Whether every limit is kept; those that are not are named.
fn verdict(report: &Value, limits: &[(&'static str, f64)], context: &mut Context) -> Outcome {
    let mut outcome = Outcome::Done;
    for (dial, least) in limits {
        let score = report_view::score(report, dial);
        if score.is_some_and(|score| score >= *least) {
            continue;
        }
        let why = report_view::why_unmeasured(report, dial).unwrap_or("was not measured");
        let is = score.map_or_else(|| why.to_owned(), |s| format!("is {s:.1}"));
        context.ui.always(&format!("check failed: {dial} {is}, at least {least:.1} is asked for"));
        outcome = Outcome::No;
    }
    outcome
}
