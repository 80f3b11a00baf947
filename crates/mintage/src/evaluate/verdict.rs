//! The numbers in words: what somebody who reads no statistics should know of a model. Fidelity comes first, for what is
//! unlike the data is new and varied for no good reason.

use std::collections::BTreeMap;

use super::DialName;
use crate::report::{Dial, Metric};

/// Places on the scale of 100 above which something is right, and below which it is not.
const RIGHT: f64 = 80.0;
const WRONG: f64 = 40.0;
/// Fidelity below which nothing else is worth a praise.
const UNLIKE: f64 = 20.0;
/// What a detector finds, by the share of pairs of a new and a real item that it orders rightly.
const TOLD: [(f64, &str); 5] = [
    (0.99, "tells every new {item} from a real one"),
    (0.9, "tells most new {item}s from real ones"),
    (0.75, "tells many new {item}s from real ones"),
    (0.6, "tells some new {item}s from real ones"),
    (0.0, "can hardly tell new {item}s from real ones"),
];

/// Sentences, the most important first.
pub(super) fn verdict(
    item: &str,
    dials: &BTreeMap<String, Dial>,
    unmeasured: &BTreeMap<String, String>,
    metrics: &[Metric],
) -> Vec<String> {
    let score = |dial: DialName| dials.get(dial.name()).map(|dial| dial.score);
    let mut said: Vec<String> = told(metrics).into_iter().chain(details(metrics)).collect();
    let fidelity = score(DialName::Fidelity);
    // Where no scale could be measured, a detector that is never wrong still says enough.
    let unlike = fidelity.map_or_else(|| always_told(metrics), |score| score < UNLIKE);
    if unlike {
        said.push("They are too unlike real {item}s for the other dials to mean much.".to_owned());
    }
    if let Some(novelty) = score(DialName::Novelty) {
        said.extend(copied(novelty, unlike, metrics));
    }
    if !unlike {
        said.extend(score(DialName::Coverage).map(|score| reached(score).to_owned()));
        said.extend(score(DialName::Utility).map(|score| useful(score).to_owned()));
    }
    said.extend(unmeasured.iter().map(|(dial, why)| format!("{} {why}.", capital(dial))));
    let unit = if item == "text" { "words" } else { "notes" };
    said.iter().map(|sentence| sentence.replace("{item}", item).replace("{unit}", unit)).collect()
}

/// Whether a detector that is no better than chance at other real data knows every new one.
fn always_told(metrics: &[Metric]) -> bool {
    let detectors = metrics.iter().filter(|m| m.dial == Some(DialName::Fidelity) && m.name == "C2ST AUC");
    let sure = |m: &Metric| m.low > TOLD[0].0 && m.ends.is_some_and(|ends| ends.ceiling.high < 0.9);
    detectors.into_iter().any(sure)
}

/// What the detector says.
fn told(metrics: &[Metric]) -> Option<String> {
    let detector = metrics.iter().find(|m| m.dial == Some(DialName::Fidelity) && m.name == "C2ST AUC")?;
    let like_real = detector.places().is_some_and(|(place, ..)| place >= 99.0);
    let what = match like_real {
        true => "cannot tell new {item}s from real ones",
        false => TOLD.iter().find(|(least, _)| detector.value >= *least).map_or(TOLD[4].1, |(_, what)| what),
    };
    Some(format!("A detector {what}."))
}

/// What is right and what is not, of the other numbers of fidelity.
fn details(metrics: &[Metric]) -> Option<String> {
    let fidelity = metrics.iter().filter(|m| m.dial == Some(DialName::Fidelity) && !m.about.is_empty());
    let placed: Vec<(&str, f64)> = fidelity.filter_map(|m| Some((m.about, m.places()?.0))).collect();
    let of = |is: &dyn Fn(f64) -> bool| {
        let all: Vec<&str> = placed.iter().filter(|(_, place)| is(*place)).map(|(about, _)| *about).collect();
        (!all.is_empty()).then(|| all.join(" and "))
    };
    let right = of(&|place| place >= RIGHT).map(|what| format!("{what}: right"));
    let partly = of(&|place| (WRONG..RIGHT).contains(&place)).map(|what| format!("{what}: partly right"));
    let wrong = of(&|place| place < WRONG).map(|what| format!("{what}: not right yet"));
    let all: Vec<String> = [right, partly, wrong].into_iter().flatten().collect();
    (!all.is_empty()).then(|| format!("{}.", capital(&all.join("; "))))
}

/// Whether anything is copied; what is unlike the data is not praised for being new.
fn copied(novelty: f64, unlike: bool, metrics: &[Metric]) -> Option<String> {
    if novelty >= RIGHT {
        return (!unlike).then(|| "Nothing is copied.".to_owned());
    }
    let moved = metrics.iter().filter(|m| m.dial == Some(DialName::Novelty));
    let placed = moved.filter_map(|m| Some((m, m.places()?.0)));
    let worst = placed.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(metric, _)| metric.name.as_str())?;
    Some(match novelty < WRONG {
        true => format!("Real {{item}}s are copied or given away ({worst}): do not publish these."),
        false => format!("More is near to real {{item}}s than chance would have it ({worst})."),
    })
}

fn reached(coverage: f64) -> &'static str {
    match coverage {
        RIGHT.. => "Every kind of real {item} is reached.",
        WRONG.. => "Some kinds of real {item}s are missing.",
        _ => "Many kinds of real {item}s are missing.",
    }
}

fn useful(utility: f64) -> &'static str {
    match utility {
        RIGHT.. => "What is learned from them holds for real {item}s.",
        WRONG.. => "What is learned from them holds for real {item}s in part.",
        _ => "What is learned from them does not hold for real {item}s.",
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dial(score: f64) -> Dial {
        Dial { score, low: score, high: score }
    }

    fn said(auc: f64, trends: f64, dials: &[(&str, f64)]) -> String {
        let metrics = [
            Metric::lower("C2ST AUC", "", auc).between(0.5, 1.0).moving(DialName::Fidelity),
            Metric::higher("pair trends", "", trends)
                .between(1.0, 0.0)
                .moving(DialName::Fidelity)
                .about("how columns go together"),
            Metric::lower("exact copies", "", 0.3).between(0.0, 1.0).moving(DialName::Novelty),
        ];
        let dials = dials.iter().map(|(name, score)| ((*name).to_owned(), dial(*score))).collect();
        let unmeasured =
            [("utility".to_owned(), "cannot be measured with 24 held-out rows".to_owned())].into();
        verdict("row", &dials, &unmeasured, &metrics).join(" ")
    }

    #[test]
    fn fidelity_comes_first() {
        assert_eq!(
            said(0.62, 0.9, &[("fidelity", 85.0), ("novelty", 95.0), ("coverage", 60.0)]),
            "A detector tells some new rows from real ones. How columns go together: right. Nothing is copied. \
             Some kinds of real rows are missing. Utility cannot be measured with 24 held-out rows."
        );
    }

    #[test]
    fn noise_is_not_praised_for_being_new() {
        let said = said(1.0, 0.1, &[("fidelity", 2.0), ("novelty", 100.0), ("coverage", 90.0)]);
        assert!(said.starts_with(
            "A detector tells every new row from a real one. How columns go together: not right yet."
        ));
        assert!(
            said.contains("too unlike real rows")
                && !said.contains("Nothing is copied")
                && !said.contains("Every kind")
        );
    }

    #[test]
    fn without_a_scale_the_detector_alone_may_be_enough() {
        let praised =
            |auc: f64| said(auc, 0.5, &[("novelty", 100.0), ("coverage", 90.0)]).contains("Every kind");
        assert!(praised(0.7) && !praised(1.0));
    }

    #[test]
    fn copies_are_named() {
        let said = said(0.5, 1.0, &[("fidelity", 100.0), ("novelty", 5.0)]);
        assert!(said.contains("A detector cannot tell new rows from real ones."), "{said}");
        assert!(
            said.contains("Real rows are copied or given away (exact copies): do not publish these."),
            "{said}"
        );
    }
}
