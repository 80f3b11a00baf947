//! The numbers in words: what somebody who reads no statistics should know of a model. Fidelity comes first, for what is
//! unlike the data is new and varied for no good reason.

use std::collections::BTreeMap;

use super::DialName;
use crate::report::{Dial, Metric};

/// Score from which on something is right.
pub(super) const MIN_RIGHT: f64 = 80.0;
/// Score from which on something is partly right.
const MIN_PARTLY_RIGHT: f64 = 40.0;
/// The number of the detector.
pub(super) const DETECTOR: &str = "C2ST AUC";
/// The space of the risks of attacks.
pub(super) const ATTACK: &str = "risk of an attack";
/// Fidelity below which no other score is praised.
const MIN_FIDELITY: f64 = 20.0;
/// How new items are told from real ones, by the share of pairs of a new and a real one that a detector orders rightly.
const C2ST_SENTENCES: [(f64, &str); 5] = [
    (0.99, "New {item}s are easily told from real ones: a program trained to do so is nearly always right."),
    (
        0.9,
        "New {item}s can mostly be told from real ones: a program trained to do so is right in most cases.",
    ),
    (
        0.75,
        "New {item}s can often be told from real ones: a program trained to do so is right in many cases.",
    ),
    (
        0.6,
        "New {item}s can sometimes be told from real ones: a program trained to do so is somewhat better than a coin.",
    ),
    (
        0.0,
        "New {item}s can hardly be told from real ones: a program trained to do so is little better than a coin.",
    ),
];

/// Sentences, the most important first.
pub(super) fn verdict(
    item: &str,
    dials: &BTreeMap<String, Dial>,
    unmeasured: &BTreeMap<String, String>,
    metrics: &[Metric],
) -> Vec<String> {
    let score = |dial: DialName| dials.get(dial.name()).map(|dial| dial.score);
    let mut said: Vec<String> = detector_sentence(metrics).into_iter().chain(details(metrics)).collect();
    let fidelity = score(DialName::Fidelity);
    // Where no scale could be measured, a detector that is never wrong still says enough.
    let unlike = fidelity.map_or_else(|| always_told(metrics), |score| score < MIN_FIDELITY);
    if unlike {
        said.push("They are too unlike real {item}s for the other scores to mean much.".to_owned());
    }
    if let Some(novelty) = score(DialName::Novelty) {
        said.extend(copied(novelty, unlike, metrics));
    }
    if !unlike {
        said.extend(score(DialName::Coverage).map(|score| coverage_sentence(score).to_owned()));
        said.extend(score(DialName::Utility).map(|score| utility_sentence(score).to_owned()));
    }
    said.extend(unmeasured.iter().map(|(dial, why)| format!("{} {why}.", capital(dial))));
    let unit = if item == "text" { "words" } else { "notes" };
    said.iter().map(|sentence| sentence.replace("{item}", item).replace("{unit}", unit)).collect()
}

/// Whether a detector that is no better than chance at other real data knows every new one.
fn always_told(metrics: &[Metric]) -> bool {
    let detectors = metrics.iter().filter(|m| m.dial == Some(DialName::Fidelity) && m.name == DETECTOR);
    let sure = |m: &Metric| m.low > C2ST_SENTENCES[0].0 && m.ends.is_some_and(|ends| ends.ceiling.high < 0.9);
    detectors.into_iter().any(sure)
}

/// What the detector says.
fn detector_sentence(metrics: &[Metric]) -> Option<String> {
    let detector = metrics.iter().find(|m| m.dial == Some(DialName::Fidelity) && m.name == DETECTOR)?;
    let like_real = detector.places().is_some_and(|(place, ..)| place >= 99.0);
    let sentence = match like_real {
        true => "New {item}s look like real ones: a program trained to tell them apart cannot.",
        false => C2ST_SENTENCES
            .iter()
            .find(|(least, _)| detector.value >= *least)
            .map_or(C2ST_SENTENCES[4].1, |(_, sentence)| sentence),
    };
    Some(sentence.to_owned())
}

/// What is right and what is not, of the other numbers of fidelity.
fn details(metrics: &[Metric]) -> Option<String> {
    let fidelity = metrics.iter().filter(|m| m.dial == Some(DialName::Fidelity) && !m.about.is_empty());
    let placed: Vec<(&str, f64)> = fidelity.filter_map(|m| Some((m.about, m.places()?.0))).collect();
    let of = |is: &dyn Fn(f64) -> bool| {
        let all: Vec<&str> = placed.iter().filter(|(_, place)| is(*place)).map(|(about, _)| *about).collect();
        (!all.is_empty()).then(|| all.join(" and "))
    };
    let right = of(&|place| place >= MIN_RIGHT).map(|what| format!("{what}: right"));
    let partly = of(&|place| (MIN_PARTLY_RIGHT..MIN_RIGHT).contains(&place))
        .map(|what| format!("{what}: partly right"));
    let wrong = of(&|place| place < MIN_PARTLY_RIGHT).map(|what| format!("{what}: not right yet"));
    let all: Vec<String> = [right, partly, wrong].into_iter().flatten().collect();
    (!all.is_empty()).then(|| format!("{}.", capital(&all.join("; "))))
}

/// Whether anything is copied; what is unlike the data is not praised for being new.
fn copied(novelty: f64, unlike: bool, metrics: &[Metric]) -> Option<String> {
    if novelty >= MIN_RIGHT {
        if let Some(gained) = gained(metrics) {
            return Some(gained);
        }
        return (!unlike).then(|| "No sign was found that anything is copied.".to_owned());
    }
    let moved = metrics.iter().filter(|m| m.dial == Some(DialName::Novelty));
    let placed = moved.filter_map(|m| Some((m, m.places()?.0)));
    let worst = placed.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(metric, _)| metric.name.as_str())?;
    Some(match novelty < MIN_PARTLY_RIGHT {
        true => format!(
            "Real {{item}}s are copied or given away (by the number “{worst}”): do not publish these."
        ),
        false => format!(
            "Some new {{item}}s are closer to what was trained on than chance explains (by the number “{worst}”): look at \
             them before you publish any."
        ),
    })
}

/// The attack that surely gained something by the new items, if one did, even too little for its number to move the dial.
fn gained(metrics: &[Metric]) -> Option<String> {
    let attacks = metrics.iter().filter(|metric| metric.space == ATTACK && metric.low > 0.0);
    let worst = attacks.max_by(|a, b| a.value.total_cmp(&b.value))?;
    Some(format!(
        "Nothing is copied outright, but the attack “{}” guessed more about {{item}}s that were trained on than about others \
         (a risk of {:.0} %): read the part on privacy before you publish any.",
        worst.name,
        100.0 * worst.value
    ))
}

fn coverage_sentence(coverage: f64) -> &'static str {
    match coverage {
        MIN_RIGHT.. => "Nearly all kinds of real {item}s occur among them.",
        MIN_PARTLY_RIGHT.. => "Some kinds of real {item}s are missing.",
        _ => "Many kinds of real {item}s are missing.",
    }
}

fn utility_sentence(utility: f64) -> &'static str {
    match utility {
        MIN_RIGHT.. => "What a program learns from them holds for real {item}s as well.",
        MIN_PARTLY_RIGHT.. => "What a program learns from them holds for real {item}s in part.",
        _ => "What a program learns from them does not hold for real {item}s.",
    }
}

/// A sentence with a capital letter.
pub(super) fn capital(text: &str) -> String {
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
            "New rows can sometimes be told from real ones: a program trained to do so is somewhat better than a coin. \
             How columns go together: right. No sign was found that anything is copied. Some kinds of real rows are \
             missing. Utility cannot be measured with 24 held-out rows."
        );
    }

    #[test]
    fn noise_is_not_praised_for_being_new() {
        let said = said(1.0, 0.1, &[("fidelity", 2.0), ("novelty", 100.0), ("coverage", 90.0)]);
        assert!(said.starts_with(
            "New rows are easily told from real ones: a program trained to do so is nearly always right. How columns go \
             together: not right yet."
        ));
        assert!(
            said.contains("too unlike real rows") && !said.contains("No sign") && !said.contains("all kinds")
        );
    }

    #[test]
    fn without_a_scale_the_detector_alone_may_be_enough() {
        let praised =
            |auc: f64| said(auc, 0.5, &[("novelty", 100.0), ("coverage", 90.0)]).contains("all kinds");
        assert!(praised(0.7) && !praised(1.0));
    }

    #[test]
    fn an_attack_that_gains_something_is_told_whatever_the_dial() {
        let of = |low: f64| {
            let risk = crate::evaluate::Interval { value: 0.19, low, high: 0.3 };
            copied(100.0, false, &[Metric::lower("inference of income", ATTACK, risk)])
        };
        assert!(
            of(0.05).is_some_and(
                |said| said.contains("“inference of income” guessed more") && said.contains("19 %")
            )
        );
        assert_eq!(of(0.0).as_deref(), Some("No sign was found that anything is copied."));
    }

    #[test]
    fn copies_are_named() {
        let said = said(0.5, 1.0, &[("fidelity", 100.0), ("novelty", 5.0)]);
        assert!(
            said.contains("New rows look like real ones: a program trained to tell them apart cannot."),
            "{said}"
        );
        assert!(
            said.contains(
                "Real rows are copied or given away (by the number “exact copies”): do not publish these."
            ),
            "{said}"
        );
    }
}
