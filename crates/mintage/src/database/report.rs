//! The report of a new database as a page: its dials, the schema in the colours of what was measured, every number with what
//! keys at random and halves of the source reach, what gives each table and pair of tables away, and what was counted of all
//! rows.
//!
//! The page is one file; it needs no network and runs no script. It measures nothing itself.

mod dials;

use std::collections::HashMap;

use minijinja::{Value, context};
use mintage_data::{
    database::{Mark, Paint, Schema},
    table::schema::TextMode,
};

use super::{
    Part, TablePlan,
    detect::Detected,
    dials::DatabaseDials,
    judge::{DatabaseScores, KeyScores},
    measures::Score,
    proof::{Counted, Proof, TableProof, failed},
    sequences::SequenceScores,
};
use crate::{
    dataset::thousands,
    error::Error,
    evaluate::Interval,
    report::{
        charts::{LEGEND, card, histogram},
        page,
    },
};

/// Scores of a kind that are listed, the worst first.
const MAX_WORST: usize = 15;
/// Keys that have a chart.
const MAX_CHARTS: usize = 60;

/// Where more is better: all scores but the accuracy of a classifier.
const MORE: &str = "↑ more is better, 100 is the best";

/// What a page tells of a new database.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseReport<'a> {
    /// Name of the run's folder.
    pub name: &'a str,
    /// The source, without a password.
    pub source: &'a str,
    /// The schema of the source.
    pub schema: &'a Schema,
    /// How each table was learned, parents first.
    pub plans: &'a [TablePlan],
    /// The scores of the new rows.
    pub scores: &'a DatabaseScores,
    /// Those of the source's own rows with their keys at random.
    pub floor: &'a DatabaseScores,
    /// Those of one half of the source's families beside the other; nothing where there are too few.
    pub ceiling: Option<&'a DatabaseScores>,
    /// The dials of the whole and of its tables.
    pub dials: &'a DatabaseDials,
    /// What was counted of the new rows.
    pub proof: &'a Proof,
    /// Seed of the new rows and of all that was measured.
    pub seed: u64,
}

impl DatabaseReport<'_> {
    /// The report as a page of HTML.
    ///
    /// # Errors
    /// The template cannot be rendered, which is a bug.
    pub fn to_html(&self) -> Result<String, Error> {
        let (scores, floor, none) = (self.scores, self.floor, DatabaseScores::default());
        let ceiling = self.ceiling.unwrap_or(&none);
        let hops = [scores, floor, ceiling].map(|scores| scores.hops.concat());
        let [over, floor_over, ceiling_over] = &hops;
        let worst = vec![
            worst("columns", [&scores.shapes, &floor.shapes, &ceiling.shapes]),
            worst("pairs of columns of a table", [&scores.trends, &floor.trends, &ceiling.trends]),
            worst("pairs over keys", [over, floor_over, ceiling_over]),
        ];
        let charts: String = scores.keys.iter().take(MAX_CHARTS).map(chart).collect();
        let told = context! {
            name => self.name,
            source => self.source,
            seed => self.seed.to_string(),
            dials => self.whole(),
            table_dials => self.table_dials(),
            pairs => self.pairs(),
            numbers => self.numbers(),
            schema => Value::from_safe_string(self.schema.painted_svg(&self.paint())),
            tables => self.tables(),
            keys => self.keys(),
            charts => Value::from_safe_string(charts),
            without_chart => scores.keys.len().saturating_sub(MAX_CHARTS),
            legend => Value::from_safe_string(LEGEND.to_owned()),
            sequences => self.sequences(),
            worst,
            totals => self.totals(),
            holds => self.proof.holds(),
            proof => self.proof.tables.iter().map(proof_line).collect::<Vec<Value>>(),
            kept => self.kept(),
            is_redrawn => self.proof.text == TextMode::Redraw,
            version => env!("CARGO_PKG_VERSION"),
        };
        page(include_str!("report.html"), told)
    }

    /// The colours and numbers of the schema: of a table how often its rows are told apart, of a key the numbers of children
    /// and the pairs of columns over it.
    fn paint(&self) -> Paint {
        let table = |found: &Detected| {
            let label = format!("told {}", percent(Some(found.accuracy)));
            (found.table.clone(), Mark { badness: (found.accuracy - 0.5) * 2.0, label })
        };
        let key = |key: &KeyScores| {
            let (score, label) = match key.pairs {
                Some(pairs) => (
                    (key.cardinality + pairs.value) / 2.0,
                    format!("{} / {}", percent(Some(key.cardinality)), percent(Some(pairs.value))),
                ),
                None => (key.cardinality, percent(Some(key.cardinality))),
            };
            ((key.table.clone(), key.key), Mark { badness: (1.0 - score) * 2.0, label })
        };
        Paint {
            tables: self.scores.detection.iter().map(table).collect(),
            keys: self.scores.keys.iter().map(key).collect(),
        }
    }

    /// The numbers of the whole database.
    fn numbers(&self) -> Vec<Value> {
        let (new, floor, none) = (self.scores, self.floor, DatabaseScores::default());
        let half = self.ceiling.unwrap_or(&none);
        let means = &new.means;
        let mut numbers = vec![
            number(
                "children of a parent",
                "How many rows refer to each row of a parent, compared as distributions (1 − Kolmogorov–Smirnov distance). \
                 Keys at random keep these numbers, so they reach 100.",
                means.cardinality,
                [&new.cardinality, &floor.cardinality, &half.cardinality],
            ),
            number(
                "columns",
                "How alike the values of each column are, whatever the others hold (1 − Kolmogorov–Smirnov distance of \
                 numbers and dates, 1 − total variation of categories). Keys at random change no column.",
                means.shapes,
                [&new.shapes, &floor.shapes, &half.shapes],
            ),
            number(
                "pairs of columns",
                "How alike two columns of one table go together (correlations of numbers, else joint histograms). Keys at \
                 random change no row.",
                means.trends,
                [&new.trends, &floor.trends, &half.trends],
            ),
        ];
        for (at, scores) in new.hops.iter().enumerate() {
            let name = format!("pairs over {} key{}", at + 1, if at == 0 { "" } else { "s" });
            let says = "How alike a column of a table and one of the row that it refers to go together. What is not above \
                        keys at random has learned nothing of how the tables belong together.";
            let [floor, half] =
                [floor, half].map(|other| other.hops.get(at).map(Vec::as_slice).unwrap_or_default());
            let mean = means.hops.get(at).copied().flatten();
            numbers.push(number(&name, says, mean, [scores, floor, half]));
        }
        let told = new.detection.iter().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy));
        numbers.push(context! {
            name => "told apart",
            value => percent(new.accuracy()),
            interval => interval(means.detection),
            floor => percent(floor.accuracy()),
            ceiling => percent(half.accuracy()),
            better => "↓ less is better down to 50, a mere guess; below it is chance",
            says => "How many rows a classifier (boosted trees) tells right as new or real, given each row and what the \
                     rows that refer to it come to; the mean of all tables.",
            worst => told.map(|found| format!("{} {}", found.table, percent(Some(found.accuracy)))),
        });
        numbers
    }

    /// A line for each table.
    fn tables(&self) -> Vec<Value> {
        let accuracy = |scores: &DatabaseScores, table: &str| {
            scores.detection.iter().find(|found| found.table == table).map(|found| found.accuracy)
        };
        let line = |plan: &TablePlan| {
            let scores = self.scores.tables.iter().find(|scores| scores.table == plan.name);
            let found = self.scores.detection.iter().find(|found| found.table == plan.name);
            let proof = self.proof.tables.iter().find(|proof| proof.table == plan.name);
            context! {
                name => &plan.name,
                part => match plan.part {
                    Part::Learned => "learned",
                    Part::Kept => "kept as it is",
                    Part::Empty => "empty",
                },
                why => &plan.why,
                source => thousands(plan.rows),
                new => thousands(proof.map_or(0, |proof| proof.rows)),
                columns => with_interval(scores.and_then(|scores| scores.shapes)),
                pairs => with_interval(scores.and_then(|scores| scores.trends)),
                told => with_interval(found.map(Detected::interval)),
                floor => percent(accuracy(self.floor, &plan.name)),
                ceiling => percent(self.ceiling.and_then(|ceiling| accuracy(ceiling, &plan.name))),
                by => found.map_or("", |found| found.by.as_str()),
            }
        };
        self.plans.iter().map(line).collect()
    }

    /// A line for each key: the pairs of tables.
    fn keys(&self) -> Vec<Value> {
        let line = |key: &KeyScores| {
            let pairs = |scores: &DatabaseScores| {
                let mut keys = scores.keys.iter();
                keys.find(|other| other.table == key.table && other.key == key.key)?.pairs
            };
            context! {
                of => &key.of,
                parent => &key.parent,
                children => percent(Some(key.cardinality)),
                pairs => with_interval(key.pairs),
                floor => percent(pairs(self.floor).map(|pairs| pairs.value)),
                ceiling => percent(self.ceiling.and_then(pairs).map(|pairs| pairs.value)),
                by => self.reasons(key).join(", "),
            }
        };
        self.scores.keys.iter().map(line).collect()
    }

    /// A line for each table whose rows follow one another.
    fn sequences(&self) -> Vec<Value> {
        let line = |of: &SequenceScores| {
            let steps = |scores: &DatabaseScores| {
                scores.sequences.iter().find(|other| other.table == of.table)?.steps
            };
            let worst = of.columns.iter().min_by(|a, b| a.score.total_cmp(&b.score));
            context! {
                name => &of.table,
                time => &of.time,
                ordered => percent(of.ordered),
                unique => percent(of.unique),
                gaps => percent(of.gaps),
                steps => percent(of.steps),
                floor => percent(steps(self.floor)),
                ceiling => percent(self.ceiling.and_then(steps)),
                worst => worst.map(|worst| format!("{} {}", worst.of, percent(Some(worst.score)))),
            }
        };
        self.scores.sequences.iter().map(line).collect()
    }

    /// What of the rows that refer to a parent by a key gives the parent's new rows away.
    fn reasons(&self, key: &KeyScores) -> Vec<String> {
        let label = format!("{}: ", key.of);
        let parent = self.scores.detection.iter().filter(|found| found.table == key.parent);
        let reasons = parent.flat_map(|found| &found.reasons);
        reasons.filter_map(|reason| reason.strip_prefix(label.as_str())).map(str::to_owned).collect()
    }

    /// What was counted of all tables together.
    fn totals(&self) -> Vec<Value> {
        let total = |n: usize, what: &str| context! { n => thousands(n), what, is_bad => n > 0 };
        vec![
            total(self.proof.duplicates(), "rows repeat a primary key or a UNIQUE value"),
            total(self.proof.missing(), "cells are empty where NOT NULL is declared"),
            total(self.proof.lost(), "keys refer to a row that is not there"),
            total(
                self.proof.shared(),
                "values that are made afresh or may point at a person are shared with the source",
            ),
        ]
    }

    /// The tables that are kept as they are, and how many of their values may point at a person.
    fn kept(&self) -> Vec<Value> {
        let line = |table: &TableProof| {
            let why = self.plans.iter().find(|plan| plan.name == table.table).map(|plan| plan.why.clone());
            let personal: Vec<String> = table
                .personal
                .iter()
                .filter(|counted| counted.failed > 0)
                .map(|counted| format!("{} ({} values)", counted.of, thousands(counted.failed)))
                .collect();
            context! { name => &table.table, why, personal => personal.join(", ") }
        };
        self.proof.tables.iter().filter(|table| table.is_kept).map(line).collect()
    }
}

/// A number of the whole database for the page: of the new rows, with its interval, of keys at random and of halves of the
/// source.
fn number(name: &str, says: &str, mean: Option<Interval>, [new, floor, ceiling]: [&[Score]; 3]) -> Value {
    let worst = new.iter().min_by(|a, b| a.score.total_cmp(&b.score));
    context! {
        name,
        value => percent(DatabaseScores::mean(new)),
        interval => interval(mean),
        floor => percent(DatabaseScores::mean(floor)),
        ceiling => percent(DatabaseScores::mean(ceiling)),
        better => MORE,
        says,
        worst => worst.map(|worst| format!("{} {}", worst.of, percent(Some(worst.score)))),
    }
}

/// The worst scores of a kind, with what keys at random and halves of the source reach at the same place.
fn worst(title: &str, [new, floor, ceiling]: [&[Score]; 3]) -> Value {
    let [floor, ceiling] = [floor, ceiling].map(|scores| {
        scores.iter().map(|score| (score.of.as_str(), score.score)).collect::<HashMap<&str, f64>>()
    });
    let mut all: Vec<&Score> = new.iter().collect();
    all.sort_by(|a, b| a.score.total_cmp(&b.score));
    let n = all.len();
    all.truncate(MAX_WORST);
    let line = |score: &Score| {
        let of = |scores: &HashMap<&str, f64>| percent(scores.get(score.of.as_str()).copied());
        let (value, floor, ceiling) = (percent(Some(score.score)), of(&floor), of(&ceiling));
        context! { of => &score.of, value, floor, ceiling }
    };
    let lines: Vec<Value> = all.into_iter().map(line).collect();
    context! { title, n => thousands(n), lines }
}

/// How many parents have how many children, in the source and in the new rows.
fn chart(key: &KeyScores) -> String {
    let (real, new): (Vec<f64>, Vec<f64>) = key.children.iter().map(|bar| (bar.source, bar.new)).unzip();
    let most = key.children.last().map_or(0, |bar| bar.to);
    let note = format!("{}, {}", key.parent, percent(Some(key.cardinality)));
    card(&key.of, &note, &histogram(&real, &new, "0", &most.to_string()))
}

/// What was counted of a table.
fn proof_line(table: &TableProof) -> Value {
    let cell = |all: &[Counted]| {
        let checked: usize = all.iter().map(|counted| counted.checked).sum();
        let bad = all.iter().filter(|counted| counted.failed > 0);
        let bad: Vec<&str> = bad.map(|counted| counted.of.as_str()).collect();
        context! {
            checked => thousands(checked),
            failed => thousands(failed(all)),
            bad => bad.join("; "),
            is_bad => !bad.is_empty(),
            is_empty => all.is_empty(),
        }
    };
    let columns: Vec<&str> = table.personal.iter().map(|counted| counted.of.as_str()).collect();
    let written: Vec<String> =
        table.written.iter().map(|own| format!("{} by {}", own.column, own.by)).collect();
    context! {
        name => &table.table,
        rows => thousands(table.rows),
        is_kept => table.is_kept,
        cells => vec![cell(&table.unique), cell(&table.not_null), cell(&table.keys)],
        personal => cell(&table.personal),
        columns => columns.join(", "),
        written => written.join(", "),
    }
}

/// A share out of 100.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1}", share * 100.0))
}

/// The ends of an interval out of 100, "58.0–66.2"; nothing where both are one.
fn interval(found: Option<Interval>) -> Option<String> {
    let found = found.filter(|found| found.low < found.high)?;
    Some(format!("{:.1}–{:.1}", found.low * 100.0, found.high * 100.0))
}

/// A share out of 100 with its interval, "62.1 (58.0–66.2)".
fn with_interval(found: Option<Interval>) -> String {
    let share = percent(found.map(|found| found.value));
    interval(found).map_or(share.clone(), |ends| format!("{share} ({ends})"))
}

#[cfg(test)]
mod tests;
