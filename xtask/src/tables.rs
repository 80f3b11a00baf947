//! Judges of new rows of Adult from another house: SDMetrics, XGBoost and the definitions of published tables.

use std::{path::Path, process::Stdio};

use serde::Deserialize;

use crate::{Result, python, quality::Figure};

/// What `bench/peers/tables_check.py` prints.
#[derive(Deserialize)]
struct Found {
    shape: f64,
    trend: f64,
    c2st_xgb: f64,
    c2st_lr: f64,
    alpha_precision: f64,
    beta_recall: f64,
    dcr_share: f64,
    copies: f64,
    new_auc: f64,
    new_f1: f64,
}

/// The figures of a file of new rows, or none where there is no Python for it.
pub fn check(case: &str, rows: &Path, data: &Path) -> Result<Vec<Figure>> {
    let Some(python) = python::TABLE_METRICS.python() else { return Ok(Vec::new()) };
    let tables = data.join("tables");
    let mut command = python::command(&python, "tables_check.py");
    command.arg(tables.join("adult-train.csv")).arg(rows);
    command.arg("--holdout").arg(tables.join("adult-test.csv"));
    command.arg("--test").arg(tables.join("adult-test.csv")).args(["--label", "income"]);
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    let found: Found = serde_json::from_slice(&output.stdout).map_err(|e| format!("{command:?}: {e}"))?;
    Ok(figures(case, &found))
}

fn figures(case: &str, found: &Found) -> Vec<Figure> {
    let figure = |metric: &str, by: &str, value: f64, better: &str| Figure {
        better: better.to_owned(),
        limit: None,
        ..Figure::lower(
            case,
            &format!("{metric} ({by})"),
            value,
            "of 1",
            0.0,
            "the same rows, judged in Python",
        )
    };
    let higher = |metric: &str, by: &str, value: f64| figure(metric, by, value, "higher");
    vec![
        higher("column shapes", "SDMetrics", found.shape),
        higher("pair trends", "SDMetrics", found.trend),
        higher("C2ST by boosted trees", "XGBoost", found.c2st_xgb),
        higher("C2ST by logistic regression", "SDMetrics", found.c2st_lr),
        higher("AUC on real rows, trained on new", "XGBoost", found.new_auc),
        higher("F1 on real rows, trained on new", "XGBoost", found.new_f1),
        higher("α-precision", "as in synthcity", found.alpha_precision),
        higher("β-recall", "as in synthcity", found.beta_recall),
        figure("share closer to train than to holdout", "as in tabpc", found.dcr_share, "lower"),
        figure("exact copies", "as in tabpc", found.copies, "lower"),
    ]
}
