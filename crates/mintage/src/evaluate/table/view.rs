//! What people look at: columns laid over each other, pairs of columns, distances, and what gives it away.

use mintage_data::table::MISSING;

use super::{
    super::{TrainedOn, privacy},
    Association, Privacy, Values,
    judge::{Found, Sets},
    tried,
};
use crate::{
    dataset::thousands,
    report::{
        Exhibit, Metric,
        charts::{LEGEND, SIGNS, bars, card, heat_map, histogram, shares, table},
    },
};

/// Categories of a column that are drawn.
const MAX_CATEGORIES: usize = 8;
/// Bins of a histogram of numbers.
const BINS: usize = 24;
/// Columns, and pairs of columns, that are named as giving the rows away.
const MAX_NAMED: usize = 6;
/// Columns that are drawn; a table of a thousand would be no page.
const MAX_COLUMNS: usize = 60;
/// Columns whose pairs are drawn: each pair is six cells of the page.
const MAX_PAIRED: usize = 40;

/// The parts of the page, the most telling first.
pub(super) fn exhibits(sets: &Sets, found: &Found, metrics: &[Metric], of_model: bool) -> Vec<Exhibit> {
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
        exhibit(
            "Columns",
            "How often each value occurs: bars from nothing to the most frequent one, numbers between the ends that are \
             written below.",
            format!("{LEGEND}<div class=\"charts\">{}</div>", columns(sets)),
        ),
        exhibit(
            "Pairs of columns",
            "How strongly each pair goes together, the darker the more, and how far apart real and new are; point at a \
             cell to read it. Two numbers: Pearson's correlation, from −1 (one falls as the other rises) to 1. Any other \
             two: Cramér's V, from 0 to 1, numbers in ten bins of the real range. Columns stand in their order, from the \
             left and from the top.",
            pairs(sets),
        ),
    ];
    if let Some(privacy) = &found.privacy {
        exhibits.push(exhibit(
            "Copied?",
            "How far it is to the nearest training row, from new rows and from held-out ones. New rows that are \
             copied show as a hump on the left.",
            format!("{LEGEND}<div class=\"charts\">{}</div>", distances(privacy)),
        ));
    }
    match sets.trained_on {
        TrainedOn::Train => exhibits.push(tried::exhibit(&found.attacks, metrics)),
        other => exhibits.extend(privacy::exhibit_of(other, "row", metrics)),
    }
    if !found.persons.columns.is_empty() {
        let note = "Names, addresses, numbers and notes by which somebody is known. There should be none, but for those \
                    that several persons share.";
        let rows = found.persons.columns.iter().map(|(column, n)| [column.clone(), thousands(*n)]);
        let cells = table(&["column", "new cells with a value of a training row"], rows);
        exhibits.push(exhibit("Values that point at a person", note, cells));
    }
    if !found.rules.is_empty() {
        let rows = found.rules.iter().map(|(rule, broken)| [rule.clone(), thousands(*broken)]);
        exhibits.push(exhibit("Rules kept", "", table(&["rule", "rows that break it"], rows)));
    }
    if of_model {
        exhibits.push(exhibit("Where values come from", "", makings(sets)));
    }
    exhibits
}

/// Each column, and whether it is learned, made afresh, or drawn from real values.
fn makings(sets: &Sets) -> String {
    let columns = sets.data.schema().columns.iter().take(MAX_COLUMNS);
    table(&["column", "new values"], columns.map(|column| [column.name.clone(), column.making()]))
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
    let fall = |(name, fall): &(&str, f64)| [(*name).to_owned(), format!("{:.3}", fall.max(0.0))];
    let by_column = columns.iter().take(MAX_NAMED).map(fall);
    let name = |column: usize| &sets.new.columns[column].name;
    let pair = |trend: &super::Trend| {
        let (a, b) = trend.columns;
        [format!("{} · {}", name(a), name(b)), format!("{:.3}", trend.score)]
    };
    let by_pair = found.quality.worst_pairs(MAX_NAMED);
    format!(
        "<div class=\"charts two\">{}{}</div>",
        table(&["column", "AUC less"], by_column),
        table(&["pair", "trend, 1 is the same"], by_pair.iter().map(pair))
    )
}

fn columns(sets: &Sets) -> String {
    let pairs = sets.real.columns.iter().zip(&sets.new.columns).take(MAX_COLUMNS).enumerate();
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
    let rest = all.split_off(all.len().min(MAX_CATEGORIES));
    let mut shown: Vec<(String, f64, f64)> =
        all.into_iter().map(|(code, [real, new])| (name(code), real, new)).collect();
    if !rest.is_empty() {
        let sum = |side: usize| rest.iter().map(|r| r.1[side]).sum();
        let name = if rest.len() == 1 { "1 other".to_owned() } else { format!("{} others", rest.len()) };
        shown.push((name, sum(0), sum(1)));
    }
    shown
}

fn pairs(sets: &Sets) -> String {
    let n = sets.new.columns.len().min(MAX_PAIRED);
    let mut of = vec![None; n * n];
    for found in Association::of_all(&sets.real, &sets.new) {
        let (a, b) = found.columns;
        if a.max(b) < n {
            of[a * n + b] = Some(found);
            of[b * n + a] = Some(found);
        }
    }
    let name = |column: usize| sets.new.columns[column].name.as_str();
    let map = |title: &str, value: &dyn Fn(&Association) -> f64| {
        let cell = |a: usize, b: usize| of[a * n + b].as_ref().map_or(f64::NAN, value);
        let tip = |a: usize, b: usize| format!("{} · {}: {:.3}", name(a), name(b), cell(a, b));
        card(title, "", &heat_map(n, cell, tip))
    };
    format!(
        "{SIGNS}<div class=\"charts\">{}{}{}</div>",
        map("real", &|pair| pair.real),
        map("new", &|pair| pair.new),
        map("difference of the two", &Association::difference),
    )
}

fn distances(privacy: &Privacy) -> String {
    let new: Vec<f64> = privacy.neighbours.iter().map(|n| f64::from(n.1)).collect();
    let expected: Vec<f64> = privacy.expected.iter().map(|&d| f64::from(d)).collect();
    let high = expected.get(expected.len() * 99 / 100).copied().unwrap_or(1.0).max(1e-6);
    let [a, b] = [expected, new].map(|values| shares(values.into_iter(), 0.0, high, 2 * BINS));
    card("distance to the nearest training row", "", &histogram(&a, &b, "0", &format!("{high:.1}")))
}
