//! `cargo xtask figures`: the newest figure of each case and metric in `bench/results/quality.jsonl`, and where it comes
//! from. docs/quality.md has those that matter most.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    Result,
    figure::{Figure, figures},
};

#[derive(clap::Args)]
pub struct Args {
    /// Cases whose names begin so (all of them without this)
    cases: Vec<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let mut all = figures()?;
    let is_asked = |figure: &Figure| args.cases.iter().any(|case| figure.case.starts_with(case.as_str()));
    all.retain(|figure| args.cases.is_empty() || is_asked(figure));
    match all.is_empty() {
        true => Err("there is no figure of such a case; without a name all are shown".to_owned()),
        false => {
            print!("{}", page(&all));
            Ok(())
        }
    }
}

/// A table a case. *Limit* is what must be reached, *goal* what we would like; those that are reached are bold.
fn page(figures: &[Figure]) -> String {
    let mut order: Vec<&str> = Vec::new();
    let mut cases: BTreeMap<&str, Vec<&Figure>> = BTreeMap::new();
    for figure in figures {
        if !order.contains(&figure.case.as_str()) {
            order.push(&figure.case);
        }
        let of_case = cases.entry(&figure.case).or_default();
        match of_case.iter().position(|old| old.metric == figure.metric) {
            Some(place) => of_case[place] = figure,
            None => of_case.push(figure),
        }
    }
    order.sort_unstable();
    let mut text = String::new();
    for case in order {
        section(&mut text, case, &cases[case]);
    }
    text
}

fn section(text: &mut String, case: &str, figures: &[&Figure]) {
    let _ = write!(text, "\n## {case}\n\n| figure | value | limit | goal | unit |\n|---|---|---|---|---|\n");
    for figure in figures {
        let bound = |bound: Option<f64>| match bound {
            None => "–".to_owned(),
            Some(b) if figure.keeps(b) => format!("**{}**", number(b)),
            Some(b) => number(b),
        };
        let (limit, goal) = (bound(figure.limit), bound(figure.goal));
        let _ = writeln!(
            text,
            "| {} | {} | {limit} | {goal} | {} |",
            figure.metric,
            number(figure.value),
            figure.unit
        );
    }
    let mut sources: Vec<String> = Vec::new();
    for figure in figures {
        let machine =
            figure.machine.as_ref().map(|m| format!("{}, {} cores", m.cpu, m.cores)).unwrap_or_default();
        let Figure { setup, command, commit, date, .. } = figure;
        let source = format!("{setup}.\n`{command}`, commit {commit}, {date}, {machine}.");
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    for source in sources {
        let _ = write!(text, "\n{source}\n");
    }
}

/// Four significant digits.
fn number(x: f64) -> String {
    match x.abs() {
        a if a == 0.0 || (a >= 1.0 && x.fract() == 0.0) => format!("{x}"),
        a if a >= 100.0 => format!("{x:.1}"),
        a if a >= 10.0 => format!("{x:.2}"),
        a if a >= 1.0 => format!("{x:.3}"),
        a if a >= 1e-3 => format!("{x:.4}"),
        _ => format!("{x:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64, commit: &str) -> Figure {
        Figure {
            case: "mlp-vae".to_owned(),
            metric: "test NLL".to_owned(),
            value,
            unit: "nats".to_owned(),
            better: "lower".to_owned(),
            limit: Some(89.8),
            goal: Some(89.0),
            setup: "vae small".to_owned(),
            command: "cargo xtask quality mlp-vae".to_owned(),
            commit: commit.to_owned(),
            date: "2026-01-02".to_owned(),
            machine: None,
            trial: None,
        }
    }

    #[test]
    fn the_newest_figure_stands_and_what_is_reached_is_bold() {
        let page = page(&[figure(95.0, "old"), figure(89.4, "new")]);
        assert!(page.contains("| test NLL | 89.40 | **89.80** | 89 | nats |"), "{page}");
        assert!(page.contains("commit new") && !page.contains("commit old"));
    }
}
