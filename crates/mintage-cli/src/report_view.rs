//! A report as text. It is read as JSON, so that reports of other versions can be shown as well.

use std::path::Path;

use serde_json::Value;

use crate::text::{Table, number};

/// The dials, in the order they are shown in.
pub const DIALS: [&str; 4] = ["fidelity", "coverage", "novelty", "utility"];

/// Bytes of a report, a recipe or a configuration, at most.
pub const MAX_BYTES: u64 = 256 << 20;

/// The report beside a model, if it has one that can be read.
pub fn read(dir: &Path) -> Option<Value> {
    serde_json::from_str(&mintage_data::read_text(&dir.join("report.json"), MAX_BYTES).ok()?).ok()
}

/// The score of a dial, 0 to 100.
pub fn score(report: &Value, dial: &str) -> Option<f64> {
    report.get("dials")?.get(dial)?.get("score")?.as_f64()
}

/// "62", or a dash where there is none.
pub fn score_text(report: Option<&Value>, dial: &str) -> String {
    report.and_then(|r| score(r, dial)).map_or_else(|| "–".to_owned(), |s| format!("{s:.0}"))
}

/// "62 (58–66)": a score with its 95 % interval, where there is one.
pub fn interval_text(report: Option<&Value>, dial: &str) -> String {
    let entry = report.and_then(|report| report.get("dials")?.get(dial));
    let part = |key: &str| entry?.get(key).and_then(Value::as_f64).map(|x| format!("{x:.0}"));
    match (part("score"), part("low").zip(part("high"))) {
        (Some(score), Some((low, high))) => format!("{score} ({low}–{high})"),
        (score, _) => score.unwrap_or_else(|| "–".to_owned()),
    }
}

/// The day on which a model was written.
pub fn date_of(dir: &Path) -> String {
    let written = std::fs::metadata(dir.join("config.json")).and_then(|there| there.modified());
    let day = written.map(|at| humantime::format_rfc3339_seconds(at).to_string()[..10].to_owned());
    day.unwrap_or_else(|_| "–".to_owned())
}

/// Mean of the dials there are.
pub fn mean(report: &Value) -> Option<f64> {
    let scores: Vec<f64> = DIALS.iter().filter_map(|dial| score(report, dial)).collect();
    (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
}

/// "fidelity 62, coverage 71".
pub fn in_short(report: &Value) -> String {
    let one = |dial: &&str| Some(format!("{dial} {:.0}", score(report, dial)?));
    DIALS.iter().filter_map(one).collect::<Vec<_>>().join(", ")
}

/// The dials, one line each.
pub fn dials(report: &Value) -> String {
    let mut table = Table::new(["dial", "score", "interval"]);
    for dial in DIALS {
        let Some(entry) = report.get("dials").and_then(|d| d.get(dial)) else { continue };
        let part = |key: &str| entry.get(key).and_then(Value::as_f64).map(|x| format!("{x:.0}"));
        let interval = part("low").zip(part("high")).map(|(low, high)| format!("{low}–{high}"));
        table.row([
            dial.to_owned(),
            part("score").unwrap_or_else(|| "–".to_owned()),
            interval.unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    table.text()
}

/// All metrics, one line each, between their ceiling and their floor.
pub fn metrics(report: &Value) -> String {
    let mut table = Table::new(["metric", "space", "value", "low", "high", "ceiling", "floor", "better"]);
    for metric in report.get("metrics").and_then(Value::as_array).into_iter().flatten() {
        let word = |key: &str| metric.get(key).and_then(Value::as_str).unwrap_or("–").to_owned();
        let value =
            |key: &str| metric.get(key).and_then(Value::as_f64).map_or_else(|| "–".to_owned(), number);
        table.row([
            word("name"),
            word("space"),
            value("value"),
            value("low"),
            value("high"),
            value("ceiling"),
            value("floor"),
            word("better"),
        ]);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_is_shown_with_what_it_has() {
        let report = json!({
            "dials": { "fidelity": { "score": 61.7, "low": 58.0, "high": 66.2 }, "novelty": { "score": 90.0 } },
            "metrics": [{ "name": "C2ST", "space": "own encoder", "value": 0.62, "better": "lower" }]
        });
        assert_eq!(in_short(&report), "fidelity 62, novelty 90");
        assert_eq!(mean(&report), Some((61.7 + 90.0) / 2.0));
        assert!(dials(&report).contains("fidelity     62     58–66\n"), "{}", dials(&report));
        assert!(metrics(&report).contains("0.6200"));
        assert_eq!(score_text(Some(&report), "utility"), "–");
    }
}
