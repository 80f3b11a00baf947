//! A report as text. It is read as JSON, so that reports of other versions can be shown as well.

use std::path::Path;

use serde_json::Value;

use crate::text::{Table, number};

/// The dials, in the order they are shown in.
pub const DIALS: [&str; 4] = ["fidelity", "coverage", "novelty", "utility"];

/// The metric of a model that follows what it reads.
const ADAPTING: &str = "negative log-likelihood, adapting";

/// Bytes of a report, a recipe or a configuration, at most.
pub const MAX_BYTES: u64 = 256 << 20;

/// The report beside a model, if it has one that can be read.
pub fn read(dir: &Path) -> Option<Value> {
    read_file(&dir.join("report.json"))
}

/// The scores of a run of a whole database, which have the dials of a report, if it has any that can be read.
pub fn read_scores(dir: &Path) -> Option<Value> {
    read_file(&dir.join("scores.json"))
}

fn read_file(path: &Path) -> Option<Value> {
    serde_json::from_str(&mintage_data::read_text(path, MAX_BYTES).ok()?).ok()
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
    date_of_file(&dir.join("config.json"))
}

/// The day on which a file was written.
pub fn date_of_file(path: &Path) -> String {
    let written = std::fs::metadata(path).and_then(|there| there.modified());
    let day = written.map(|at| humantime::format_rfc3339_seconds(at).to_string()[..10].to_owned());
    day.unwrap_or_else(|_| "–".to_owned())
}

/// How a report compares with others, the best the greatest; nothing for scores of a model as it no longer is.
pub fn rank(report: &Value, config: &Value) -> Option<[f64; 4]> {
    match is_stale(report, config) {
        true => None,
        false => rank_of(|dial| score(report, dial)),
    }
}

/// The same of any scores: what gives real items away comes last, and then fidelity counts first, for what is unlike the
/// data is varied and new for no good reason. Nothing without a fidelity.
pub fn rank_of(score: impl Fn(&str) -> Option<f64>) -> Option<[f64; 4]> {
    /// Of novelty: below it items are copied.
    const COPIED: f64 = 40.0;
    let of = |dial: &str| score(dial).unwrap_or(0.0);
    let fidelity = score("fidelity")?;
    let own = score("novelty").is_none_or(|novelty| novelty >= COPIED);
    Some([f64::from(u8::from(own)), fidelity, of("coverage"), of("utility")])
}

/// Whether the model was trained further since it was evaluated.
pub fn is_stale(report: &Value, config: &Value) -> bool {
    let step = |value: &Value| value.get("step").and_then(Value::as_u64);
    step(report).zip(step(config)).is_some_and(|(judged, now)| judged != now)
}

/// The verdict in words, a sentence a line; empty in reports of older versions.
pub fn verdict(report: &Value) -> String {
    let sentences = report.get("verdict").and_then(Value::as_array).into_iter().flatten();
    sentences.filter_map(Value::as_str).map(|sentence| format!("{sentence}\n")).collect()
}

/// Why a dial has no score, where a reason is known.
pub fn why_unmeasured<'a>(report: &'a Value, dial: &str) -> Option<&'a str> {
    report.get("unmeasured")?.get(dial)?.as_str()
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
        let Some(entry) = report.get("dials").and_then(|d| d.get(dial)) else {
            if why_unmeasured(report, dial).is_some() {
                table.row([dial, "–", "–"].map(str::to_owned));
            }
            continue;
        };
        let part = |key: &str| entry.get(key).and_then(Value::as_f64).map(|x| format!("{x:.0}"));
        let interval = part("low").zip(part("high")).map(|(low, high)| format!("{low}–{high}"));
        table.row([
            dial.to_owned(),
            part("score").unwrap_or_else(|| "–".to_owned()),
            interval.unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    format!("{}{}", table.text(), measured(report))
}

/// What the dials were measured with: once what is the same for several, and the column that usefulness goes by.
fn measured(report: &Value) -> String {
    let of = |dial: &str| report.get("measured")?.get(dial)?.as_str();
    let Some(items) = of("fidelity").or_else(|| of("coverage")) else { return String::new() };
    let utility = of("utility").filter(|what| *what != items);
    let utility = utility.map(|what| format!("utility: {what}\n")).unwrap_or_default();
    format!("from {items}\n{utility}")
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

/// A line about the likelihood of a model that follows what it reads, where it was measured: "adapting  1.702 bits a character
/// (weights and counts follow the text as it is read)".
pub fn adapting(report: &Value) -> String {
    let mut metrics = report.get("metrics").and_then(Value::as_array).into_iter().flatten();
    // Of texts, bits a character come after nats a token.
    let found = metrics.rfind(|metric| metric.get("name").and_then(Value::as_str) == Some(ADAPTING));
    let line = found.and_then(|metric| {
        let (value, space) = (metric.get("value")?.as_f64()?, metric.get("space")?.as_str()?);
        Some(format!("\nadapting  {value:.3} {space} (weights and counts follow the text as it is read)\n"))
    });
    line.unwrap_or_default()
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
        assert!(dials(&report).contains("fidelity     62     58–66\n"), "{}", dials(&report));
        assert!(metrics(&report).contains("0.6200"));
        assert_eq!(score_text(Some(&report), "utility"), "–");
    }

    #[test]
    fn adapting_has_a_line_of_its_own_where_it_was_measured() {
        let metric =
            |name: &str, space: &str, value: f64| json!({ "name": name, "space": space, "value": value });
        let fixed = metric("negative log-likelihood", "bits a character", 1.7794);
        let [nats, bits] = [("nats a token", 4.5), ("bits a character", 1.7021)]
            .map(|(space, value)| metric(ADAPTING, space, value));
        assert_eq!(adapting(&json!({ "metrics": [fixed] })), "");
        let line = adapting(&json!({ "metrics": [fixed, nats, bits] }));
        assert!(line.starts_with("\nadapting  1.702 bits a character (weights"), "{line}");
    }

    #[test]
    fn what_was_measured_stands_under_the_dials() {
        let measured = json!({ "fidelity": "9 new and 9 held-out rows", "utility": "the column sex" });
        let report = json!({ "dials": {}, "measured": measured });
        assert!(dials(&report).ends_with("from 9 new and 9 held-out rows\nutility: the column sex\n"));
        assert!(!dials(&json!({ "dials": {} })).contains("from"));
    }

    #[test]
    fn fidelity_ranks_unless_items_are_copied_or_the_model_has_changed() {
        let report = |fidelity: f64, novelty: f64| {
            json!({ "step": 5, "dials": { "fidelity": { "score": fidelity }, "coverage": { "score": 99.0 },
                    "novelty": { "score": novelty } } })
        };
        let rank =
            |fidelity, novelty| rank(&report(fidelity, novelty), &json!({ "step": 5 })).unwrap_or_default();
        assert!(rank(60.0, 90.0) > rank(50.0, 100.0));
        assert!(rank(10.0, 90.0) > rank(99.0, 8.0));
        assert_eq!(super::rank(&report(60.0, 90.0), &json!({ "step": 9 })), None);
        assert_eq!(super::rank(&json!({ "dials": {} }), &json!({})), None);
    }

    #[test]
    fn a_dial_that_cannot_be_measured_says_so() {
        let report = json!({
            "dials": {}, "unmeasured": { "utility": "cannot be measured with 24 held-out images" },
            "verdict": ["A detector says nothing.", "Utility cannot be measured with 24 held-out images."]
        });
        assert!(dials(&report).contains("utility      –         –"), "{}", dials(&report));
        assert!(verdict(&report).ends_with("held-out images.\n"));
    }
}
