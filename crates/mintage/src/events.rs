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

    /// Adds a value after the others.
    #[must_use]
    pub fn and(mut self, name: &str, value: f64) -> Self {
        self.0.push((name.to_owned(), value));
        self
    }

    /// The value called `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }

    /// The first value, which is the one to watch: the loss.
    pub fn first(&self) -> Option<f64> {
        self.0.first().map(|(_, v)| *v)
    }

    /// The weighted mean of several metrics of the same names.
    pub fn mean(all: &[(Metrics, f64)]) -> Self {
        let Some((first, _)) = all.first() else { return Self::default() };
        let total: f64 = all.iter().map(|(_, w)| w).sum();
        let mean = |name: &str| all.iter().map(|(m, w)| m.get(name).unwrap_or(0.0) * w).sum::<f64>() / total;
        Self(first.0.iter().map(|(name, _)| (name.clone(), mean(name))).collect())
    }
}

/// What is about to be trained, with every choice made.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Folder of the run.
    pub run: PathBuf,
    /// The data in words: "2,000 images 28×28 gray, 10 classes (1,801 train, 99 valid, 100 holdout)".
    pub data: String,
    /// What becomes of columns that are not drawn from what is learned; see [`makings`](crate::AnyData::makings).
    pub makings: Vec<String>,
    /// The rules that every new row keeps, in words; empty for other data than tables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Name of the model family, such as "vae".
    pub family: String,
    /// Name of the size preset, such as "small".
    pub size: String,
    /// Why this family was taken; `None` where the user named it, or where it is the one that its kind of data always has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_why: Option<String>,
    /// Number of the parameters of the model.
    pub parameters: usize,
    /// Device that computes, such as "cpu".
    pub device: String,
    /// Number of threads that compute.
    pub threads: usize,
    /// Number of items of a training step.
    pub batch: usize,
    /// Budget of wall-clock time in seconds; `None` where the budget is in steps.
    pub time_secs: Option<f64>,
    /// Budget in steps; `None` where the budget is a time.
    pub steps: Option<u64>,
    /// Steps after which a budget of time ends early; `None` where the family has no such limit.
    ///
    /// More steps would only memorise the items.
    pub most_steps: Option<u64>,
    /// Step at which this run continues; 0 for a new one.
    pub resumed_at: u64,
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The budget of time or steps is spent.
    Budget,
    /// Time was left, but more steps would only have memorised the items.
    Enough,
    /// Validation had stopped improving.
    Early,
    /// The user asked for it (Ctrl-C); the run can be resumed.
    Interrupted,
}

/// What the curve of a training says at its end of more training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// One sentence or two for people.
    pub text: String,
    /// How much more training would help; `None` where it would not, or where nobody can tell how much.
    pub more: Option<More>,
}

/// An amount of further training, in what the budget of the run is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum More {
    /// Seconds on top of those that were spent.
    Secs(u64),
    /// Steps on top of those that were done.
    Steps(u64),
}

/// Something that happened during training or other work.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Training is about to begin.
    Plan(Plan),
    /// A stage of the run begins; sent for runs of several stages only.
    Stage {
        /// Number of the stage, from 1.
        index: usize,
        /// Number of stages.
        count: usize,
        /// Name of the stage.
        name: String,
    },
    /// A training step is done; sent at most ten times a second.
    Step {
        /// Number of steps done.
        step: u64,
        /// Share of the budget that is spent, from 0 to 1.
        progress: f64,
        /// Losses of the step, the one to watch first.
        metrics: Metrics,
        /// Training items a second, on average over the run.
        items_per_sec: f64,
        /// Expected seconds until the end; `None` while too little is done to tell.
        eta_secs: Option<f64>,
    },
    /// A validation is done.
    Valid {
        /// Number of steps done.
        step: u64,
        /// Metrics of the validation split; the first decides which weights are kept, less is better.
        metrics: Metrics,
        /// Whether the first metric is the best of this stage so far, within the tolerance of the family.
        best: bool,
    },
    /// Samples to look at are written.
    Preview {
        /// Number of steps done.
        step: u64,
        /// File with the samples.
        path: PathBuf,
    },
    /// A checkpoint is written, from which training can be resumed.
    Checkpoint {
        /// Number of steps done.
        step: u64,
        /// Folder of the checkpoint.
        path: PathBuf,
    },
    /// Something the user should know, such as a collapse of a GAN.
    Warning {
        /// The warning in words.
        message: String,
    },
    /// Progress of work outside training: "sampling", "evaluating: features", …
    Work {
        /// What is done.
        what: String,
        /// Number of units done.
        done: usize,
        /// Number of units in all.
        total: usize,
    },
    /// Training has ended, and the model is published.
    Done {
        /// Number of steps done.
        step: u64,
        /// Seconds of training, those before a resumption included.
        secs: f64,
        /// Why it ended.
        reason: StopReason,
        /// Validation of the published weights; `None` where the family has none.
        valid: Option<Metrics>,
        /// Whether more training would help; `None` where the curve does not tell, or training ended before its budget.
        advice: Option<Advice>,
        /// Folder of the model, which is that of the run.
        model: PathBuf,
    },
}
