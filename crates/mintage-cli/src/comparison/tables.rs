//! A comparison as text for the terminal, as CSV for programs and as LaTeX for papers.

use super::{Comparison, Group, MetricName, stats::Summary};
use crate::{
    report_view::DIALS,
    text::{Table, duration, thousands},
};

/// What the signs in the tables mean.
pub const LEGEND: &str = "mean ± standard deviation over seeds (95 % interval of the mean, Student's t)";
/// What stands where nothing was measured.
const NOTHING: &str = "–";
/// Digits behind the point, at most; of dials, which nobody knows more exactly.
pub const DIGITS: usize = 6;
pub const OF_DIALS: usize = 1;

/// One row a group: dials, steps, items, parameters, time.
pub fn dials(comparison: &Comparison) -> String {
    let head = ["model", "seeds"].into_iter().chain(DIALS).chain(["steps", "items", "parameters", "time"]);
    let mut table = Table::with_head(head.map(str::to_owned).collect());
    table.bars = true;
    for group in &comparison.groups {
        let whole = |found: Option<Summary>| {
            found.map_or_else(|| NOTHING.to_owned(), |summary| thousands(summary.mean.round() as usize))
        };
        let mut cells = vec![group.label.clone(), group.members.len().to_string()];
        cells.extend(DIALS.map(|dial| with_interval(group, dial)));
        cells.extend([whole(group.steps()), whole(group.items())]);
        cells.push(group.parameters().map_or_else(|| NOTHING.to_owned(), thousands));
        cells.push(group.train_secs().map_or_else(|| NOTHING.to_owned(), |found| duration(found.mean)));
        table.row(cells);
    }
    table.text()
}

/// One row a raw number, one column a group.
pub fn metrics(comparison: &Comparison) -> String {
    let head = ["metric", "space", "better"].into_iter().map(str::to_owned);
    let labels = comparison.groups.iter().map(|group| group.label.clone());
    let mut table = Table::with_head(head.chain(labels).collect());
    table.bars = true;
    for name in &comparison.metrics {
        let mut cells = vec![name.name.clone(), name.space.clone(), name.arrow().to_owned()];
        cells.extend(comparison.groups.iter().map(|group| group.text(group.metric(name), DIGITS)));
        table.row(cells);
    }
    table.text()
}

/// "62.3 ± 4.1 (57–68)".
fn with_interval(group: &Group, dial: &str) -> String {
    let found = group.dial(dial);
    let interval = found.and_then(|found| found.interval);
    let interval = interval.map(|(low, high)| format!(" ({low:.0}–{high:.0})")).unwrap_or_default();
    format!("{}{interval}", group.text(found, OF_DIALS))
}

/// One row a group, with every digit. What depends on the clock of the machine stands last, in columns that say so: all
/// before them are the same whenever a sweep with `--steps` is run.
pub fn csv(comparison: &Comparison) -> String {
    const OF_SUMMARY: [&str; 5] = ["mean", "sd", "low", "high", "n"];
    let mut head: Vec<String> = ["model", "family", "size", "seeds"].map(str::to_owned).to_vec();
    let named = |name: &str| OF_SUMMARY.map(|part| format!("{name} {part}"));
    head.extend(DIALS.iter().flat_map(|dial| named(dial)));
    head.extend(["steps mean", "items mean", "parameters"].map(str::to_owned));
    head.extend(comparison.metrics.iter().flat_map(|name| named(&full_name(name))));
    head.extend(["failed", "clock train_secs mean", "clock train_secs sd"].map(str::to_owned));
    let mut text = csv_line(&head);
    for group in &comparison.groups {
        let mean = |found: Option<Summary>| found.map(|summary| summary.mean.to_string()).unwrap_or_default();
        let mut cells = vec![group.label.clone(), group.family.clone(), group.size.clone(), group.seeds()];
        cells.extend(DIALS.iter().flat_map(|dial| csv_cells(group.dial(dial))));
        cells.extend([mean(group.steps()), mean(group.items())]);
        cells.push(group.parameters().map(|n| n.to_string()).unwrap_or_default());
        cells.extend(comparison.metrics.iter().flat_map(|name| csv_cells(group.metric(name))));
        let failed = group.failed.iter().map(|one| format!("seed {}: {}", one.seed, one.why));
        cells.push(failed.collect::<Vec<_>>().join("; "));
        let time = group.train_secs();
        cells.extend([mean(time), time.and_then(|t| t.sd).map(|sd| sd.to_string()).unwrap_or_default()]);
        text.push_str(&csv_line(&cells));
    }
    text
}

/// "Fréchet distance [own encoder]".
pub fn full_name(name: &MetricName) -> String {
    match name.space.is_empty() {
        true => name.name.clone(),
        false => format!("{} [{}]", name.name, name.space),
    }
}

fn csv_cells(found: Option<Summary>) -> [String; 5] {
    let Some(Summary { n, mean, sd, interval }) = found else { return [const { String::new() }; 5] };
    let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    [mean.to_string(), text(sd), text(interval.map(|i| i.0)), text(interval.map(|i| i.1)), n.to_string()]
}

fn csv_line(cells: &[String]) -> String {
    let cell = |cell: &String| match cell.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.clone(),
    };
    cells.iter().map(cell).collect::<Vec<_>>().join(",") + "\n"
}

/// Two tables for the package booktabs: dials, one row a group, and raw numbers, one column a group. The best is bold
/// where its interval overlaps no other one's.
pub fn latex(comparison: &Comparison) -> String {
    let groups = &comparison.groups;
    let dials: Vec<&str> =
        DIALS.into_iter().filter(|dial| groups.iter().any(|group| group.dial(dial).is_some())).collect();
    let mut text = "% \\usepackage{booktabs}\n".to_owned();
    text.push_str(&format!(
        "% Mean \\pm standard deviation over seeds; bold: its 95 % interval overlaps no other one.\n\
         \\begin{{tabular}}{{l{}}}\n\\toprule\n",
        "r".repeat(dials.len() + 3)
    ));
    let head = ["model", "seeds"].into_iter().chain(dials.iter().copied()).chain(["parameters"]);
    let arrows = |name: &str| if dials.contains(&name) { " $\\uparrow$" } else { "" };
    text.push_str(&latex_line(head.map(|name| format!("{name}{}", arrows(name)))));
    text.push_str("\\midrule\n");
    for group in groups {
        let mut cells = vec![latex_text(&group.label), group.members.len().to_string()];
        for dial in &dials {
            let all: Vec<Option<Summary>> = groups.iter().map(|group| group.dial(dial)).collect();
            cells.push(
                latex_number(group.dial(dial), &all, false, OF_DIALS) + &latex_part(group, group.dial(dial)),
            );
        }
        cells.push(group.parameters().map_or_else(|| "--".to_owned(), |n| thousands(n).replace(',', "\\,")));
        text.push_str(&latex_line(cells));
    }
    text.push_str("\\bottomrule\n\\end{tabular}\n");
    if !comparison.metrics.is_empty() {
        text.push_str(&latex_metrics(comparison));
    }
    text
}

fn latex_metrics(comparison: &Comparison) -> String {
    let groups = &comparison.groups;
    let mut text = format!("\n\\begin{{tabular}}{{l{}}}\n\\toprule\n", "r".repeat(groups.len()));
    let labels = groups.iter().map(|group| latex_text(&group.label));
    text.push_str(&latex_line(["metric".to_owned()].into_iter().chain(labels)));
    text.push_str("\\midrule\n");
    for name in &comparison.metrics {
        let arrow = if name.lower_is_better { "$\\downarrow$" } else { "$\\uparrow$" };
        let all: Vec<Option<Summary>> = groups.iter().map(|group| group.metric(name)).collect();
        let cells = groups.iter().zip(&all).map(|(group, found)| {
            latex_number(*found, &all, name.lower_is_better, DIGITS) + &latex_part(group, *found)
        });
        let first = format!("{} {arrow}", latex_text(&full_name(name)));
        text.push_str(&latex_line([first].into_iter().chain(cells)));
    }
    text + "\\bottomrule\n\\end{tabular}\n"
}

fn latex_line(cells: impl IntoIterator<Item = String>) -> String {
    cells.into_iter().collect::<Vec<_>>().join(" & ") + " \\\\\n"
}

/// " (2/3)" where a number is not of all seeds.
fn latex_part(group: &Group, found: Option<Summary>) -> String {
    let judged = group.judged();
    found.filter(|found| found.n < judged).map(|found| format!(" ({}/{judged})", found.n)).unwrap_or_default()
}

fn latex_number(
    found: Option<Summary>,
    all: &[Option<Summary>],
    lower_is_better: bool,
    digits: usize,
) -> String {
    let Some(summary) = found else { return "--".to_owned() };
    let number = summary.text_of(digits).replace('±', "\\pm");
    match is_best(&summary, all, lower_is_better) {
        true => format!("$\\mathbf{{{number}}}$"),
        false => format!("${number}$"),
    }
}

/// Whether it is better than all others, and surely so.
pub fn is_best(one: &Summary, all: &[Option<Summary>], lower_is_better: bool) -> bool {
    let others: Vec<&Summary> = all.iter().flatten().filter(|other| *other != one).collect();
    let better =
        |other: &Summary| if lower_is_better { one.mean < other.mean } else { one.mean > other.mean };
    // The same numbers twice are no best one.
    let alone = all.iter().flatten().filter(|other| *other == one).count() == 1;
    alone && !others.is_empty() && others.iter().all(|other| better(other) && one.apart_from(other))
}

/// Signs that LaTeX has a use of its own for, or no letter.
fn latex_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '\\' => out.push_str("\\textbackslash{}"),
            'α' => out.push_str("$\\alpha$"),
            'β' => out.push_str("$\\beta$"),
            '–' => out.push_str("--"),
            '×' => out.push_str("$\\times$"),
            '≤' => out.push_str("$\\leq$"),
            '≥' => out.push_str("$\\geq$"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::tests::comparison;

    #[test]
    fn a_row_a_group() {
        let text = dials(&comparison());
        assert!(text.contains("| gan tiny  |     2 | 81.0 ± 1.4 (68–94)"), "{text}");
        assert!(text.contains("| flow tiny |     0 |"), "{text}");
        assert!(metrics(&comparison()).contains("| C2ST AUC | boosted trees | ↓      | 0.5950 ± 0.0071 |"));
    }

    #[test]
    fn csv_has_what_depends_on_the_clock_last() {
        let text = csv(&comparison());
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{text}");
        let clock: Vec<bool> = lines[0].iter().map(|name| name.starts_with("clock ")).collect();
        assert!(clock.is_sorted() && clock.iter().filter(|c| **c).count() == 2);
        assert!(text.contains("gan tiny,gan,tiny,1 2,81,"), "{text}");
        assert!(text.contains("seed 1: does not work"));
        assert_eq!(csv_line(&["a,b".into(), "\"".into()]), "\"a,b\",\"\"\"\"\n");
    }

    #[test]
    fn latex_has_the_sure_best_in_bold() {
        let text = latex(&comparison());
        assert!(text.contains("gan tiny & 2 & $\\mathbf{81.0 \\pm 1.4}$"), "{text}");
        let best = |a: &[f64], b: &[f64]| {
            let all = [Summary::of(a.iter().copied()), Summary::of(b.iter().copied())];
            latex_number(all[0], &all, false, OF_DIALS)
        };
        assert_eq!(best(&[80.0, 90.0], &[40.0, 42.0]), "$85.0 \\pm 7.1$");
        assert_eq!(best(&[80.0], &[40.0]), "$80$");
        assert!(!best(&[5.0, 5.0], &[5.0, 5.0]).contains("mathbf"));
        assert_eq!(latex_text("α-precision 50 %_"), "$\\alpha$-precision 50 \\%\\_");
    }
}
