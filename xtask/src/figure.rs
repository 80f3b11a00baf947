//! Measured figures of quality: one line each of `bench/results/quality.jsonl`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    Result, append, at,
    facts::{Machine, commit, today},
    root,
};

/// One line of `bench/results/quality.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figure {
    pub case: String,
    pub metric: String,
    pub value: f64,
    pub unit: String,
    /// "lower" or "higher".
    pub better: String,
    pub limit: Option<f64>,
    pub goal: Option<f64>,
    /// How it was measured, in a few words.
    pub setup: String,
    #[serde(default)]
    pub command: String,
    #[serde(default)]
    pub commit: String,
    #[serde(default)]
    pub date: String,
    pub machine: Option<Machine>,
    /// Of the cases `defaults`: what was trained, on what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
}

/// A training that the defaults are chosen by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trial {
    /// Kind of the data, as recipes write it.
    pub kind: String,
    /// Name of the data set.
    pub set: String,
    /// Items of its train split.
    pub items: u64,
    /// Pixels, columns, tokens or samples of an item.
    pub extent: u64,
    pub family: String,
    pub size: String,
    pub budget_secs: f64,
    pub train_secs: f64,
    /// Families that suit the data.
    pub families: usize,
    /// Trainings of different editions are not compared.
    pub edition: u64,
    /// Dials by their names; none where training failed.
    pub dials: BTreeMap<String, f64>,
    /// Negative log-likelihood and bits per dimension, by name and unit.
    pub likelihood: BTreeMap<String, f64>,
}

impl Figure {
    /// A figure of which less is better, with what it must reach.
    pub fn lower(case: &str, metric: &str, value: f64, unit: &str, limit: f64, setup: &str) -> Self {
        Self {
            case: case.to_owned(),
            metric: metric.to_owned(),
            value,
            unit: unit.to_owned(),
            better: "lower".to_owned(),
            limit: Some(limit),
            goal: None,
            setup: setup.to_owned(),
            command: String::new(),
            commit: String::new(),
            date: String::new(),
            machine: None,
            trial: None,
        }
    }

    /// A figure of which more is better, with what it must reach.
    pub fn higher(case: &str, metric: &str, value: f64, unit: &str, limit: f64, setup: &str) -> Self {
        Self { better: "higher".to_owned(), ..Self::lower(case, metric, value, unit, limit, setup) }
    }

    /// A figure of which more is better, and that need not reach anything.
    pub fn shown(case: &str, metric: &str, value: f64, unit: &str, setup: &str) -> Self {
        Self { limit: None, ..Self::higher(case, metric, value, unit, 0.0, setup) }
    }

    /// Whether a value keeps a bound.
    pub fn keeps(&self, bound: f64) -> bool {
        if self.better == "lower" { self.value <= bound } else { self.value >= bound }
    }
}

/// Where the figures are kept.
pub fn results() -> PathBuf {
    root().join("bench/results/quality.jsonl")
}

/// All figures kept so far, oldest first.
pub fn figures() -> Result<Vec<Figure>> {
    let path = results();
    let text = fs::read_to_string(&path).map_err(at(&path))?;
    let read = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| format!("{}:{}: {e}", path.display(), number + 1))
    };
    text.lines().enumerate().map(read).collect()
}

/// What every figure of a run carries.
pub struct Context {
    command: String,
    commit: String,
    machine: Machine,
}

impl Context {
    pub fn new(command: String) -> Self {
        Self { command, commit: commit(), machine: Machine::here() }
    }

    /// Shows a figure and appends it to the results.
    pub fn keep(&self, figure: Figure) -> Result<()> {
        println!(
            "{}: {} {:.4} {}{}",
            figure.case,
            figure.metric,
            figure.value,
            figure.unit,
            verdict(&figure)
        );
        let figure = Figure {
            command: self.command.clone(),
            commit: self.commit.clone(),
            date: today(),
            machine: Some(self.machine.clone()),
            ..figure
        };
        append(&results(), &figure)
    }
}

fn verdict(figure: &Figure) -> &'static str {
    match (figure.limit, figure.goal) {
        (Some(limit), _) if !figure.keeps(limit) => ": missed",
        (_, Some(goal)) if figure.keeps(goal) => ": goal reached",
        (Some(_), _) => ": met",
        _ => "",
    }
}
