//! What is found of a new database: its scores as text, as JSON and as a page, and whether they keep the limits.

use std::path::Path;

use mintage::{
    Event,
    data::{Table as Rows, table::schema::TextMode, write_through},
    database::{
        DatabaseData, DatabaseDials, DatabaseReport, DatabaseScores, Detected, PairDetected, Proof, Score,
        TablePlan, TableProof, TextPlan, judge, judge_halves, judge_random_keys, prove, table_dials,
    },
    evaluate::{Interval, TrainedOn},
    generate::make_parent,
};
use serde_json::{Value, json};

use crate::{
    args::Evaluate,
    context::Context,
    failure::{CliError, CliResult, Outcome},
    report_view,
    text::{Table, count, shell, thousands},
};

/// What `--fail-under` can ask of a database: the dials of the whole, and its numbers. Of the last, less is better.
pub const DIALS: [&str; 9] =
    ["fidelity", "coverage", "novelty", "utility", "cardinality", "shapes", "trends", "hops", DETECTION];
const DETECTION: &str = "detection";
/// How to read what a classifier tells right: of few rows it may be less than a guess.
const GUESSED: &str = "50 is the best, a mere guess; less is chance";

/// New rows that are to be judged by those of their source.
pub struct NewRows<'a> {
    pub data: &'a DatabaseData,
    pub plans: &'a [TablePlan],
    /// Columns that a language model wrote.
    pub texts: &'a [TextPlan],
    pub made: Vec<Rows>,
    /// What is known of what made them.
    pub trained_on: TrainedOn,
    /// What the report calls them, and their source.
    pub name: &'a str,
    pub source: &'a str,
    /// Where the report goes.
    pub dir: &'a Path,
    pub seed: u64,
}

/// Judges new rows, says what was found, writes the report, and says which limits are not kept.
pub fn judged(
    rows: NewRows,
    args: &Evaluate,
    limits: &[(&'static str, f64)],
    context: &mut Context,
) -> CliResult {
    let NewRows { data, plans, texts, made, trained_on, name, source, dir, seed } = rows;
    let proof = prove(data, plans, &made).with_written(texts);
    let ui = &mut context.ui;
    let tables = table_dials(data, &made, trained_on, seed, &mut |done, total| {
        ui.event(&Event::Work { what: "judging tables".to_owned(), done, total });
    });
    context.ui.clear();
    let (scores, floor) = (judge(data, made, seed), judge_random_keys(data, seed));
    let ceiling = judge_halves(data, seed);
    let dials = DatabaseDials::of(tables, [&scores, &floor], ceiling.as_ref(), &proof, trained_on, seed);
    let none = DatabaseScores::default();
    let half = ceiling.as_ref().unwrap_or(&none);
    tell_dials(&dials, context);
    tell_means([&scores, &floor, half], context);
    tell_sequences(&scores, context);
    tell_detection(&scores, half, context);
    tell_pairs(&scores.pairs, context);
    tell_proof(&proof, context);
    let value = json!({
        "dials": dials.dials, "unmeasured": dials.unmeasured, "measured": dials.measured,
        "dial_of_keys": dials.keys, "table_dials": dials.tables,
        "scores": scores, "keys_at_random": floor, "ceiling": ceiling, "proof": proof, "seed": seed
    });
    let path = dir.join("scores.json");
    write_through(&path, value.to_string().as_bytes()).map_err(CliError::io(&path))?;
    context.ui.field("all", &shell(&path));
    let report = DatabaseReport {
        name,
        source,
        schema: data.schema(),
        plans,
        scores: &scores,
        floor: &floor,
        ceiling: ceiling.as_ref(),
        dials: &dials,
        proof: &proof,
        seed,
    };
    let (html, page) = (report.to_html()?, dir.join("report.html"));
    write_through(&page, html.as_bytes()).map_err(CliError::io(&page))?;
    if let Some(path) = &args.html {
        make_parent(path)?;
        write_through(path, html.as_bytes()).map_err(CliError::io(path))?;
    }
    context.ui.field("made", &shell(args.html.as_deref().unwrap_or(&page)));
    context.ui.out_json(&value)?;
    Ok(verdict(&scores, &dials, limits, context))
}

/// Says the dials of the whole, and those of its tables.
fn tell_dials(dials: &DatabaseDials, context: &mut Context) {
    context.ui.say(&report_view::dials(&json!(dials)));
    let [fidelity, coverage, novelty, utility] = report_view::DIALS;
    let mut table = Table::new(["table", "rows", fidelity, coverage, novelty, utility]);
    for of in &dials.tables {
        let value: Value = json!(of);
        let scores = report_view::DIALS.map(|dial| report_view::interval_text(Some(&value), dial));
        table.row([of.table.clone(), thousands(of.n)].into_iter().chain(scores));
    }
    if !dials.tables.is_empty() {
        context.ui.say(&table.text());
    }
    for of in dials.tables.iter().filter(|of| of.n == 0) {
        if let Some(why) = of.unmeasured.values().next() {
            context.ui.field("", &format!("{}: {why}", of.table));
        }
    }
}

/// Says the mean scores of each kind, beside those of keys at random and of halves of the source.
fn tell_means(all: [&DatabaseScores; 3], context: &mut Context) {
    let means = &all[0].means;
    let mut kinds = vec![
        ("children of a parent".to_owned(), means.cardinality, all.map(|of| of.cardinality.as_slice())),
        ("columns".to_owned(), means.shapes, all.map(|of| of.shapes.as_slice())),
        ("pairs of columns of a table".to_owned(), means.trends, all.map(|of| of.trends.as_slice())),
    ];
    for at in 0..all[0].hops.len() {
        let hop = all.map(|of| of.hops.get(at).map(Vec::as_slice).unwrap_or_default());
        let mean = means.hops.get(at).copied().flatten();
        kinds.push((format!("pairs over {}", count(at + 1, "key")), mean, hop));
    }
    let mut table = Table::new(["", "score", "keys at random", "half against half", "worst"]);
    let mean = |scores: &[Score]| percent(DatabaseScores::mean(scores));
    for (name, found, [scores, floor, half]) in kinds {
        let worst = scores.iter().min_by(|a, b| a.score.total_cmp(&b.score));
        let worst =
            worst.map_or_else(String::new, |worst| format!("{} {:.1}", worst.of, worst.score * 100.0));
        table.row([name, with_interval(found), mean(floor), mean(half), worst]);
    }
    context.ui.say(&table.text());
}

/// Says what was counted of the new rows.
fn tell_proof(proof: &Proof, context: &mut Context) {
    let (duplicates, missing) = (thousands(proof.duplicates()), thousands(proof.missing()));
    let (lost, shared) = (thousands(proof.lost()), thousands(proof.shared()));
    let said = format!(
        "repeated keys: {duplicates}, missing cells: {missing}, keys to nothing: {lost}, values shared with the source: {shared}"
    );
    context.ui.field("proof", &said);
    let of = |table: &TableProof| {
        let all = table.written.iter();
        all.map(|own| format!("{}.{} by {}", table.table, own.column, own.by)).collect::<Vec<_>>()
    };
    let written = proof.tables.iter().flat_map(of).collect::<Vec<_>>();
    if proof.text == TextMode::Redraw {
        context.ui.field("", "text = \"redraw\": texts and values of persons are drawn from the source");
    }
    if !written.is_empty() {
        context.ui.field("written", &written.join(", "));
    }
}

/// Whether every limit is kept; those that are not are named.
fn verdict(
    scores: &DatabaseScores,
    dials: &DatabaseDials,
    limits: &[(&'static str, f64)],
    context: &mut Context,
) -> Outcome {
    let mut outcome = Outcome::Done;
    for &(dial, limit) in limits {
        let share = match dial {
            "cardinality" => DatabaseScores::mean(&scores.cardinality),
            "shapes" => DatabaseScores::mean(&scores.shapes),
            "trends" => DatabaseScores::mean(&scores.trends),
            "hops" => DatabaseScores::mean(&scores.hops.concat()),
            DETECTION => scores.accuracy(),
            of_whole => dials.dials.get(of_whole).map(|dial| dial.score / 100.0),
        };
        let score = share.map(|share| share * 100.0);
        let (is_kept, bound) = match dial {
            DETECTION => (score.is_some_and(|score| score <= limit), "at most"),
            _ => (score.is_some_and(|score| score >= limit), "at least"),
        };
        if !is_kept {
            let why = dials.unmeasured.get(dial).map_or("was not measured", String::as_str);
            let is = score.map_or_else(|| why.to_owned(), |score| format!("is {score:.1}"));
            context.ui.always(&format!("check failed: {dial} {is}, {bound} {limit:.1} is asked for"));
            outcome = Outcome::No;
        }
    }
    outcome
}

/// Says how well the rows of a parent follow one another.
fn tell_sequences(scores: &DatabaseScores, context: &mut Context) {
    if scores.sequences.is_empty() {
        return;
    }
    let mut table = Table::new(["sequences", "in order", "unique", "gaps", "steps"]);
    for of in &scores.sequences {
        let shares = [of.ordered, of.unique, of.gaps, of.steps].map(percent);
        table.row([format!("{} by {}", of.table, of.time)].into_iter().chain(shares));
    }
    context.ui.say(&table.text());
}

/// A share out of 100.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}", share * 100.0))
}

/// A share out of 100 with its interval: "62.1 (58.0–66.2)".
fn with_interval(found: Option<Interval>) -> String {
    let share = percent(found.map(|found| found.value));
    match found.filter(|found| found.low < found.high) {
        Some(found) => format!("{share} ({:.1}–{:.1})", found.low * 100.0, found.high * 100.0),
        None => share,
    }
}

/// Says how well a classifier tells the rows of each table, beside those of one half of the source from those of the other,
/// and by what.
fn tell_detection(scores: &DatabaseScores, half: &DatabaseScores, context: &mut Context) {
    let mut table = Table::new(["table", "told apart", "half against half", "by"]);
    let mut all: Vec<&Detected> = scores.detection.iter().collect();
    all.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
    for found in all {
        let half = half.detection.iter().find(|other| other.table == found.table);
        table.row([
            found.table.clone(),
            with_interval(Some(found.interval())),
            percent(half.map(|half| half.accuracy)),
            found.by.clone(),
        ]);
    }
    if let Some(mean) = scores.means.detection {
        table.row([
            "mean".to_owned(),
            with_interval(Some(mean)),
            percent(half.accuracy()),
            GUESSED.to_owned(),
        ]);
        context.ui.say(&table.text());
    }
}

/// Says how well a classifier tells rows joined with the row that they refer to, and by what.
fn tell_pairs(pairs: &[PairDetected], context: &mut Context) {
    if pairs.is_empty() {
        return;
    }
    let mut table = Table::new(["pair of tables", "told apart", "child alone", "beyond it", "by"]);
    for pair in pairs {
        table.row([
            format!("{} → {}", pair.of, pair.parent),
            with_interval(Some(pair.interval())),
            percent(Some(pair.alone)),
            percent(Some(pair.beyond())),
            pair.reasons.join(", "),
        ]);
    }
    context.ui.say(&table.text());
}
