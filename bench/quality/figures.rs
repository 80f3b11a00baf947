//! One measured figure as a line of JSON; `xtask` adds the command, the commit and the machine.

use serde_json::{Value, json};

/// A figure, and what it was to reach.
pub struct Figure {
    case: String,
    metric: String,
    value: f64,
    unit: &'static str,
    better: &'static str,
    limit: Option<f64>,
    goal: Option<f64>,
}

impl Figure {
    /// A figure of which less is better.
    pub fn lower(case: &str, metric: &str, value: f64, unit: &'static str) -> Self {
        Self {
            case: case.to_owned(),
            metric: metric.to_owned(),
            value,
            unit,
            better: "lower",
            limit: None,
            goal: None,
        }
    }

    /// A figure of which more is better.
    pub fn higher(case: &str, metric: &str, value: f64, unit: &'static str) -> Self {
        Self { better: "higher", ..Self::lower(case, metric, value, unit) }
    }

    /// What it must reach.
    pub fn limit(self, limit: f64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// What we would like it to reach.
    pub fn goal(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }

    /// How it was measured, in a few words.
    pub fn print(self, setup: &str) {
        let Self { case, metric, value, unit, better, limit, goal } = self;
        let number = |v: Option<f64>| v.map_or(Value::Null, |v| json!(v));
        println!(
            "{}",
            json!({
                "case": case, "metric": metric, "value": value, "unit": unit, "better": better,
                "limit": number(limit), "goal": number(goal), "setup": setup,
            })
        );
    }
}
