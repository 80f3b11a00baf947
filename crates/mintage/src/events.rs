//! The only way out for progress: the command draws events, the run folder appends them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Named numbers of one step or validation; the first is the one to watch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metrics(pub Vec<(String, f64)>);

impl Metrics {
    /// Metrics in the given order.
    pub fn new<const N: usize>(pairs: [(&str, f64); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The same with another value behind the others.
    #[must_use]
    pub fn and(mut self, name: &str, value: f64) -> Self {
        self.0.push((name.to_owned(), value));
        self
    }

    /// The value called `name`.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }

    /// The first value: the loss.
    pub fn first(&self) -> Option<f64> {
        self.0.first().map(|(_, v)| *v)
    }

    /// Mean over several metrics of the same names, weighted.
    pub fn mean(all: &[(Metrics, f64)]) -> Self {
        let Some((first, _)) = all.first() else { return Self::default() };
        let total: f64 = all.iter().map(|(_, w)| w).sum();
        let mean = |name: &str| all.iter().map(|(m, w)| m.get(name).unwrap_or(0.0) * w).sum::<f64>() / total;
        Self(first.0.iter().map(|(name, _)| (name.clone(), mean(name))).collect())
    }
}

/// What is about to be trained, resolved.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    pub run: PathBuf,
    /// For example "2,000 images 28×28 gray, 10 classes (1,801 train, 99 valid, 100 holdout)".
    pub data: String,
    /// What becomes of columns that are not drawn from what is learned; see [`makings`](crate::AnyData::makings).
    pub makings: Vec<String>,
    /// Of tables: the rules that every new row keeps, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    pub family: String,
    pub size: String,
    pub parameters: usize,
    pub device: String,
    pub threads: usize,
    pub batch: usize,
    /// Seconds of the budget, or steps.
    pub time_secs: Option<f64>,
    pub steps: Option<u64>,
    /// Steps after which a budget of time ends all the same: more would only learn the items by heart.
    pub most_steps: Option<u64>,
    /// Step at which this run continues; 0 for a fresh one.
    pub resumed_at: u64,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The budget of time or steps is spent.
    Budget,
    /// There was time left, but more steps would only have learned the items by heart.
    Enough,
    /// Validation had stopped improving.
    Early,
    /// The user asked (Ctrl-C): resumable.
    Interrupted,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Plan(Plan),
    /// A stage of the run begins (index from 1).
    Stage {
        index: usize,
        count: usize,
        name: String,
    },
    Step {
        step: u64,
        progress: f64,
        metrics: Metrics,
        items_per_sec: f64,
        eta_secs: Option<f64>,
    },
    Valid {
        step: u64,
        metrics: Metrics,
        best: bool,
    },
    Preview {
        step: u64,
        path: PathBuf,
    },
    Checkpoint {
        step: u64,
        path: PathBuf,
    },
    /// Something the user should know, such as a collapse of a GAN.
    Warning {
        message: String,
    },
    /// Progress of work outside training: "sampling", "evaluating: features", …
    Work {
        what: String,
        done: usize,
        total: usize,
    },
    Done {
        step: u64,
        secs: f64,
        reason: StopReason,
        valid: Option<Metrics>,
        model: PathBuf,
    },
}
