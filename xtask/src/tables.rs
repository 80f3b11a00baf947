//! New rows of tables: judged in Python, by SDMetrics, XGBoost and the definitions of published tables; docs/tables.md.

use std::{collections::BTreeMap, fmt::Write, fs, path::Path, process::Stdio};

use serde::Deserialize;

use crate::{
    Result, at,
    figure::{Figure, figures},
    python, root,
};

/// What `bench/peers/tables_check.py` prints.
#[derive(Deserialize)]
struct Found {
    shape: f64,
    trend: f64,
    c2st_xgb: f64,
    c2st_lr: f64,
    c2st_xgb_test: f64,
    alpha_precision: f64,
    beta_recall: f64,
    dcr_share: f64,
    copies: f64,
    new_auc: f64,
    new_f1: f64,
}

/// A table of published results.
struct Published {
    name: &'static str,
    label: &'static str,
    /// Columns of numbers that are categories there.
    categories: &'static str,
    /// What the family `ar` must reach: C2ST by XGBoost, pair trends.
    limits: [f64; 2],
}

/// Kinds of columns are those of TabSyn, TabDiff and TabPC.
const PUBLISHED: [Published; 3] = [
    Published { name: "adult", label: "income", categories: "", limits: [0.95, 0.985] },
    Published {
        name: "default",
        label: "has_default",
        categories: "sex,education,marriage,pay_0,pay_2,pay_3,pay_4,pay_5,pay_6,has_default",
        limits: [0.8, 0.98],
    },
    Published {
        name: "shoppers",
        label: "Revenue",
        categories: "OperatingSystems,Browser,Region,TrafficType,Weekend,Revenue",
        limits: [0.92, 0.985],
    },
];

fn published(case: &str) -> Option<&'static Published> {
    PUBLISHED.iter().find(|table| case.split_once('-').is_some_and(|(name, _)| name == table.name))
}

/// Whether the new rows of a case are judged in Python as well.
pub fn is_published(case: &str) -> bool {
    published(case).is_some()
}

/// The figures of a file of new rows, or none where there is no Python for it.
pub fn check(case: &str, rows: &Path, data: &Path) -> Result<Vec<Figure>> {
    let table = published(case).ok_or_else(|| format!("{case}: no table of published results"))?;
    let Some(python) = python::TABLE_METRICS.python() else { return Ok(Vec::new()) };
    let [train, test] =
        ["train", "test"].map(|part| data.join("tables").join(format!("{}-{part}.csv", table.name)));
    let mut command = python::command(&python, "tables_check.py");
    command.arg(train).arg(rows).arg("--holdout").arg(&test).arg("--test").arg(&test);
    command.args(["--label", table.label, "--categories", table.categories]);
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    let found: Found = serde_json::from_slice(&output.stdout).map_err(|e| format!("{command:?}: {e}"))?;
    let limits = table.limits.map(|limit| case.ends_with("-ar").then_some(limit));
    Ok(figures_of(case, &found, limits))
}

fn figures_of(case: &str, found: &Found, [c2st, trend]: [Option<f64>; 2]) -> Vec<Figure> {
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
    let limited = |figure: Figure, limit: Option<f64>| Figure { limit, ..figure };
    vec![
        higher("column shapes", "SDMetrics", found.shape),
        limited(higher("pair trends", "SDMetrics", found.trend), trend),
        limited(higher("C2ST by boosted trees", "XGBoost", found.c2st_xgb), c2st),
        limited(higher("C2ST by boosted trees, test rows", "XGBoost", found.c2st_xgb_test), c2st),
        higher("C2ST by logistic regression", "SDMetrics", found.c2st_lr),
        higher("AUC on real rows, trained on new", "XGBoost", found.new_auc),
        higher("F1 on real rows, trained on new", "XGBoost", found.new_f1),
        higher("α-precision", "as in synthcity", found.alpha_precision),
        higher("β-recall", "as in synthcity", found.beta_recall),
        figure("share closer to train than to holdout", "as in tabpc", found.dcr_share, "lower"),
        figure("exact copies", "as in tabpc", found.copies, "lower"),
    ]
}

const HEAD: &str = "# Table rows

Made by `cargo xtask generate tables` from `bench/results/quality.jsonl`; do not edit this page. Adult (UCI,
32,561 training rows, 16,281 test rows), as many new rows as training rows, two CPU cores. *Trend* is that of pairs of
columns; *C2ST* is 1 when boosted trees cannot tell new rows from real ones and 0 when they always can; *AUC* is that of
trees that learn the income from new rows and foretell it for real test rows (from real rows: .928); *β-recall* is the
share of real rows that new ones reach; *closer share* that of new rows that lie closer to a training row than to a test
row, .5 where nothing is copied. Peers have their defaults. The same rows twice: judged by Mintage, then in Python.
";

/// A column of the page: its name and the metrics that Mintage and Python call it.
const COLUMNS: [(&str, &str, &str); 6] = [
    ("shape", "column shapes", "column shapes (SDMetrics)"),
    ("trend", "pair trends", "pair trends (SDMetrics)"),
    ("C2ST", "C2ST by boosted trees", "C2ST by boosted trees (XGBoost)"),
    ("AUC", "AUC on real rows, trained on new", "AUC on real rows, trained on new (XGBoost)"),
    ("β-recall", "β-recall", "β-recall (as in synthcity)"),
    ("closer share", "", "share closer to train than to holdout (as in tabpc)"),
];

/// Families in the order of their design, then peers.
const MODELS: [&str; 9] = ["mixture", "ar", "vae", "gan", "vqvae", "flow", "ctgan", "tvae", "mostlyai"];

/// Writes docs/tables.md.
pub fn docs() -> Result<()> {
    let path = root().join("docs/tables.md");
    fs::write(&path, page(&figures()?)).map_err(at(&path))
}

fn page(figures: &[Figure]) -> String {
    // Later figures of a case take the place of earlier ones.
    let mut newest: BTreeMap<(&str, &str), &Figure> = BTreeMap::new();
    for figure in figures {
        newest.insert((&figure.case, &figure.metric), figure);
    }
    let mut text = HEAD.to_owned();
    for (title, by_mintage) in
        [("Judged by Mintage", true), ("Judged by SDMetrics, XGBoost and synthcity's definitions", false)]
    {
        let names: Vec<&str> =
            COLUMNS.iter().filter(|c| !by_mintage || !c.1.is_empty()).map(|c| c.0).collect();
        let _ = write!(text, "\n## {title}\n\n| model | learned in | {} |\n", names.join(" | "));
        let _ = writeln!(text, "|---|---|{}", "---|".repeat(names.len()));
        for model in MODELS {
            let case = format!("adult-{model}");
            let value = |metric: &str| newest.get(&(case.as_str(), metric)).copied();
            let Some(first) = value("pair trends") else { continue };
            let metrics =
                COLUMNS.iter().map(|c| if by_mintage { c.1 } else { c.2 }).filter(|m| !m.is_empty());
            let cells: Vec<String> = metrics
                .map(|metric| value(metric).map_or("–".to_owned(), |f| format!("{:.3}", f.value)))
                .collect();
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                name(model, first),
                seconds(&first.setup),
                cells.join(" | ")
            );
        }
    }
    others(&mut text, &newest);
    text
}

/// "ctgan 0.12.1" of a peer.
fn name(model: &str, figure: &Figure) -> String {
    match figure.setup.split_once(" with its defaults") {
        Some((name, _)) => name.to_owned(),
        None => format!("Mintage {model}"),
    }
}

/// "80 s" of "…, trained 80 s on 2 threads".
fn seconds(setup: &str) -> String {
    let after = setup.split_once("trained ").map_or("–", |(_, after)| after);
    after.split_once(" s").map_or("–".to_owned(), |(secs, _)| format!("{secs} s"))
}

/// Tables of other shapes, with the same defaults.
fn others(text: &mut String, newest: &BTreeMap<(&str, &str), &Figure>) {
    let mut cases: Vec<&str> = newest.keys().map(|(case, _)| *case).collect();
    cases.dedup();
    let is_shown = |case: &str| {
        ["default-", "shoppers-", "diamonds-", "zipcodes-"].iter().any(|name| case.starts_with(name))
    };
    cases.retain(|case| is_shown(case));
    if cases.is_empty() {
        return;
    }
    text.push_str(
        "\n## Other tables, nothing adjusted\n\n`default` and `shoppers` (UCI, 30,000 and 12,330 rows, a tenth for tests): \
         default and purchase foretold, AUC. `diamonds` (ggplot2, 53,940 rows): price foretold, R². `zipcodes` (GeoNames, \
         42,049 rows, 18,931 towns): state foretold, AUC.\n\n| case | learned in | shape | trend | C2ST | from new rows | \
         from real rows | β-recall |\n|---|---|---|---|---|---|---|---|\n",
    );
    for case in cases {
        let value = |metrics: &[&str]| {
            let found = metrics.iter().find_map(|metric| newest.get(&(case, *metric)));
            found.map_or("–".to_owned(), |f| format!("{:.3}", f.value))
        };
        let setup = newest.get(&(case, "pair trends")).map_or("", |f| f.setup.as_str());
        let cells = [
            value(&["column shapes"]),
            value(&["pair trends"]),
            value(&["C2ST by boosted trees"]),
            value(&["R² on real rows, trained on new", "AUC on real rows, trained on new"]),
            value(&["R² on real rows, trained on real", "AUC on real rows, trained on real"]),
            value(&["β-recall"]),
        ];
        let _ = writeln!(text, "| {case} | {} | {} |", seconds(setup), cells.join(" | "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_and_families_stand_side_by_side() {
        let figure = |case: &str, metric: &str, value: f64, setup: &str| {
            Figure::lower(case, metric, value, "of 1", 1.0, setup)
        };
        let page = page(&[
            figure("adult-ar", "pair trends", 0.9, "ar small, trained 81 s on 2 threads"),
            figure("adult-ar", "pair trends", 0.985, "ar small, trained 80 s on 2 threads"),
            figure("adult-ctgan", "pair trends", 0.8, "ctgan 0.12.1 with its defaults, trained 900 s"),
        ]);
        assert!(page.contains("| Mintage ar | 80 s | – | 0.985 | – |"), "{page}");
        assert!(page.contains("| ctgan 0.12.1 | 900 s | – | 0.800 | – |"), "{page}");
    }
}
