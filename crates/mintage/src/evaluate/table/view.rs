//! What people look at: columns laid over each other, pairs of columns, distances, and what gives it away.

use mintage_data::table::{MISSING, schema::ColumnSchema};

use super::{
    Values,
    judge::{Found, Sets},
};
use crate::report::{
    Exhibit,
    charts::{LEGEND, bars, card, escaped, heat_map, histogram, shares},
};

/// Categories that are drawn, bins of a number, columns that are named as giving the rows away.
const CATEGORIES: usize = 8;
const BINS: usize = 24;
const NAMED: usize = 6;
/// Columns that are drawn; a table of a thousand would be no page.
const COLUMNS: usize = 60;

/// The parts of the page, the most telling first.
pub(super) fn exhibits(sets: &Sets, found: &Found) -> Vec<Exhibit> {
    let exhibit = |title: &str, note: &str, html: String| Exhibit {
        title: title.to_owned(),
        note: note.to_owned(),
        html,
    };
    let mut exhibits = vec![
        exhibit(
            "What gives it away",
            "How far the detector's AUC falls when it may not look at a column, and the pairs of columns that \
             differ most from the real ones.",
            gives_away(sets, found),
        ),
        exhibit("Columns", "", format!("{LEGEND}<div class=\"charts\">{}</div>", columns(sets))),
        exhibit(
            "Pairs of columns",
            "How strongly each pair goes together, from 0 to 1, and the difference; point at a cell to read it.",
            pairs(sets, found),
        ),
        exhibit(
            "Copied?",
            "How far it is to the nearest training row, from new rows and from held-out ones. New rows that are \
             copied show as a hump on the left.",
            format!("{LEGEND}<div class=\"charts\">{}</div>", distances(found)),
        ),
    ];
    exhibits.push(exhibit("Where values come from", "", makings(sets)));
    if !found.persons.columns.is_empty() {
        let row =
            |(column, n): &(String, usize)| format!("<tr><td>{}</td><td>{n}</td></tr>", escaped(column));
        let rows: String = found.persons.columns.iter().map(row).collect();
        let head = "<table><thead><tr><th>column</th><th>new cells with a value of a training row</th></tr></thead><tbody>";
        let note = "Names, addresses, numbers and notes by which somebody is known. There should be none, but for those \
                    that several persons share.";
        exhibits.push(exhibit(
            "Values that point at a person",
            note,
            format!("{head}{rows}</tbody></table>"),
        ));
    }
    if !found.rules.is_empty() {
        let row = |(rule, broken): &(String, usize)| {
            format!("<tr><td>{}</td><td>{broken}</td></tr>", escaped(rule))
        };
        let rows: String = found.rules.iter().map(row).collect();
        let table =
            format!("<table><thead><tr><th>rule</th><th>rows that break it</th></tr></thead><tbody>{rows}");
        exhibits.push(exhibit("Rules kept", "", table + "</tbody></table>"));
    }
    exhibits
}

/// Each column, and whether it is learned, made afresh, or drawn from real values.
fn makings(sets: &Sets) -> String {
    let row = |column: &ColumnSchema| {
        format!("<tr><td>{}</td><td>{}</td></tr>", escaped(&column.name), escaped(&column.making()))
    };
    let rows: String = sets.data.schema().columns.iter().take(COLUMNS).map(row).collect();
    format!("<table><thead><tr><th>column</th><th>new values</th></tr></thead><tbody>{rows}</tbody></table>")
}

fn gives_away(sets: &Sets, found: &Found) -> String {
    let mut columns: Vec<(&str, f64)> = sets
        .new
        .columns
        .iter()
        .map(|c| c.name.as_str())
        .zip(found.detection.columns.iter().copied())
        .collect();
    columns.sort_by(|a, b| b.1.total_cmp(&a.1));
    let row = |(name, fall): &(&str, f64)| {
        format!("<tr><td>{}</td><td>{:.3}</td></tr>", escaped(name), fall.max(0.0))
    };
    let by_column: String = columns.iter().take(NAMED).map(row).collect();
    let name = |column: usize| escaped(&sets.new.columns[column].name);
    let pair = |trend: &super::Trend| {
        let (a, b) = trend.columns;
        format!("<tr><td>{} · {}</td><td>{:.3}</td></tr>", name(a), name(b), trend.score)
    };
    let by_pair: String = found.quality.worst_pairs(NAMED).iter().map(pair).collect();
    format!(
        "<div class=\"charts two\"><table><thead><tr><th>column</th><th>AUC less</th></tr></thead>\
         <tbody>{by_column}</tbody></table><table><thead><tr><th>pair</th><th>trend</th></tr></thead>\
         <tbody>{by_pair}</tbody></table></div>"
    )
}

fn columns(sets: &Sets) -> String {
    let pairs = sets.real.columns.iter().zip(&sets.new.columns).take(COLUMNS).enumerate();
    let chart = |(at, (real, new)): (usize, (&super::FrameColumn, &super::FrameColumn))| {
        let svg = match (&real.values, &new.values) {
            (Values::Numbers(real), Values::Numbers(new)) => numbers(sets, at, real, new),
            (Values::Categories { codes: real, dictionary }, Values::Categories { codes: new, .. }) => {
                let name = |code: u32| match code {
                    MISSING => "(missing)".to_owned(),
                    code => dictionary.get(code).to_owned(),
                };
                bars(&most_frequent(real, new, name))
            }
            _ => String::new(),
        };
        card(&real.name, &missing(&real.values, &new.values), &svg)
    };
    pairs.map(chart).collect()
}

/// "3 % missing, new 2 %", where something is.
fn missing(real: &Values, new: &Values) -> String {
    let share = |values: &Values| match values {
        Values::Numbers(all) => all.iter().filter(|v| v.is_nan()).count() as f64 / all.len().max(1) as f64,
        // Shown as a bar of its own.
        Values::Categories { .. } => 0.0,
    };
    let (real, new) = (share(real), share(new));
    match real + new > 0.0 {
        true => format!("{:.1} % missing, new {:.1} %", 100.0 * real, 100.0 * new),
        false => String::new(),
    }
}

/// Histograms from the 0.5th to the 99.5th percentile of the real numbers.
fn numbers(sets: &Sets, at: usize, real: &[f64], new: &[f64]) -> String {
    let mut sorted: Vec<f64> = real.iter().copied().filter(|v| !v.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() {
        return String::new();
    }
    let quantile = |q: f64| sorted[(q * (sorted.len() - 1) as f64).round() as usize];
    let (mut low, mut high) = (quantile(0.005), quantile(0.995));
    if low == high {
        (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    }
    let [a, b] = [real, new].map(|values| shares(values.iter().copied(), low, high, BINS));
    let name = &sets.real.columns[at].name;
    let text = |number: f64| match sets.data.schema().column(name) {
        Some(schema) => schema.text(number),
        None => number.to_string(),
    };
    histogram(&a, &b, &text(low), &text(high))
}

/// Shares of the most frequent real categories, and of all others together.
fn most_frequent(real: &[u32], new: &[u32], name: impl Fn(u32) -> String) -> Vec<(String, f64, f64)> {
    let mut counts = std::collections::BTreeMap::new();
    for (codes, side) in [(real, 0), (new, 1)] {
        let share = 1.0 / codes.len().max(1) as f64;
        codes.iter().for_each(|&code| counts.entry(code).or_insert([0.0; 2])[side] += share);
    }
    let mut all: Vec<(u32, [f64; 2])> = counts.into_iter().collect();
    all.sort_by(|a, b| b.1[0].total_cmp(&a.1[0]));
    let rest = all.split_off(all.len().min(CATEGORIES));
    let mut shown: Vec<(String, f64, f64)> =
        all.into_iter().map(|(code, [real, new])| (name(code), real, new)).collect();
    if !rest.is_empty() {
        let sum = |side: usize| rest.iter().map(|r| r.1[side]).sum();
        shown.push((format!("{} others", rest.len()), sum(0), sum(1)));
    }
    shown
}

fn pairs(sets: &Sets, found: &Found) -> String {
    let n = sets.new.columns.len();
    let mut of = vec![None; n * n];
    for trend in &found.quality.trends {
        let (a, b) = trend.columns;
        of[a * n + b] = Some(trend);
        of[b * n + a] = Some(trend);
    }
    let name = |column: usize| sets.new.columns[column].name.as_str();
    let map = |title: &str, value: &dyn Fn(&super::Trend) -> f64| {
        let cell = |a: usize, b: usize| of[a * n + b].map_or(f64::NAN, value);
        let tip = |a: usize, b: usize| format!("{} · {}: {:.3}", name(a), name(b), cell(a, b));
        card(title, "", &heat_map(n, cell, tip))
    };
    format!(
        "<div class=\"charts\">{}{}{}</div>",
        map("real", &|t| t.real.abs()),
        map("new", &|t| t.new.abs()),
        map("difference", &|t| (1.0 - t.score).max(0.0)),
    )
}

fn distances(found: &Found) -> String {
    let privacy = &found.privacy;
    let new: Vec<f64> = privacy.neighbours.iter().map(|n| f64::from(n.1)).collect();
    let expected: Vec<f64> = privacy.expected.iter().map(|&d| f64::from(d)).collect();
    let high = expected.get(expected.len() * 99 / 100).copied().unwrap_or(1.0).max(1e-6);
    let [a, b] = [expected, new].map(|values| shares(values.into_iter(), 0.0, high, 2 * BINS));
    card("distance to the nearest training row", "", &histogram(&a, &b, "0", &format!("{high:.1}")))
}
