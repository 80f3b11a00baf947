//! `mintage evaluate REAL NEW`: what another program made, judged as what a model of ours makes.

use std::path::{Path, PathBuf};

use mintage::{
    AnyData,
    evaluate::{Comparison, Sources},
    report::Report,
};
use mintage_data::names::path_of;

use super::judging::{options, with_one_bar};
use crate::{
    args::Evaluate,
    context::{Context, source_spec},
    failure::CliError,
    text::shell,
};

/// Folder of the reports on what other programs made, among the runs.
const REPORTS: &str = "reports";
/// Characters of the name of such a report.
const MAX_NAME: usize = 80;

/// Judges `new` beside the real data.
pub fn judged(args: &Evaluate, new: &str, context: &mut Context) -> Result<Report, CliError> {
    refuse_models(args, new, context)?;
    if args.columns.holdout.is_some() {
        return Err(CliError::new(
            "--holdout says nothing here: the real data are held out",
            "--train names what the program that made the new data was trained on",
        ));
    }
    if args.moved.source.is_some() {
        return Err(CliError::new(
            "--source is for a model whose data have moved",
            "name the real data first, and what was made second",
        ));
    }
    let real = context.reachable(&source_spec(&args.model, &args.columns));
    let sources = Sources { real, new: new.to_owned(), train: args.train.clone() };
    let comparison = opened(&sources, context)?;
    let options = options(args.n, &context.settings);
    with_one_bar(&comparison.data, "evaluating", context, |on| comparison.judge(&options, on))
}

/// Opens the sources, and says how they were read.
fn opened(sources: &Sources, context: &mut Context) -> Result<Comparison, CliError> {
    let ui = &mut context.ui;
    let opened = sources.open(&mut |event| ui.event(&event));
    ui.clear();
    let comparison = opened?;
    for data in [&comparison.data, &comparison.new] {
        if let AnyData::Image(set) = data {
            ui.skipped(set);
        }
        data.skips().iter().for_each(|skip| ui.detail(&format!("left out {skip}")));
    }
    comparison.notes.iter().for_each(|note| ui.warn(note));
    Ok(comparison)
}

/// Models make what they are judged by themselves.
fn refuse_models(args: &Evaluate, new: &str, context: &Context) -> Result<(), CliError> {
    if context.is_model(&args.model) {
        let model = shell(&path_of(&args.model));
        return Err(CliError::new(
            format!("{model} is a model: it is judged by what it makes itself"),
            format!("`mintage evaluate {model}` judges it; what another program made follows real data"),
        ));
    }
    for other in [Some(new), args.train.as_deref()].into_iter().flatten() {
        if context.is_model(other) {
            let model = shell(&path_of(other));
            return Err(CliError::new(
                format!("{model} is a model, not data"),
                format!("`mintage evaluate {model}` judges the model; `mintage sample {model}` makes data"),
            ));
        }
    }
    Ok(())
}

/// Refuses what has a meaning only beside data of another program, and data where a model belongs.
pub fn refuse_without_new(args: &Evaluate, context: &Context) -> Result<(), CliError> {
    let name = &*path_of(&args.model);
    let is_data = name.is_file() || args.model.contains("://");
    if is_data && !context.is_model(&args.model) {
        return Err(CliError::new(
            format!("{}: is data, not a model", shell(name)),
            "what a program made is judged beside real data: `mintage evaluate REAL NEW`",
        ));
    }
    let columns = &args.columns;
    let is_said = columns.are_given() || columns.lossy || columns.strict || columns.allow_made;
    if is_said || columns.kind.is_some() {
        return Err(CliError::new(
            "how data are read cannot be said beside a model: it reads them as those that it learned from",
            "--source SOURCE names data that have moved; with real and new data, `mintage evaluate REAL NEW`, flags say how \
             they are read",
        ));
    }
    Ok(())
}

/// Where the report goes, by the last two parts of the name of what was judged, which holds no password.
pub fn folder(new: &str, runs: &Path) -> PathBuf {
    let path = path_of(new);
    let parts: Vec<String> =
        path.iter().rev().take(2).map(|part| part.to_string_lossy().into_owned()).collect();
    let whole: String = parts.into_iter().rev().collect::<Vec<_>>().join("-");
    let name: String = whole.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    let name: Vec<char> = name.trim_matches('-').chars().collect();
    let name: String = name[name.len().saturating_sub(MAX_NAME)..].iter().collect();
    runs.join(REPORTS).join(if name.is_empty() { "new" } else { &name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_named_by_what_was_judged() {
        let name = |new: &str| folder(new, Path::new("runs")).display().to_string();
        assert_eq!(name("new.csv"), "runs/reports/new-csv");
        assert_eq!(name("/data/made/ctgan/new.csv"), "runs/reports/ctgan-new-csv");
        assert_eq!(name("../кошки/"), "runs/reports/кошки");
        assert_eq!(name("postgres://host/db"), "runs/reports/host-db");
        assert_eq!(name("."), "runs/reports/new");
    }
}
