//! Privacy of rows in words, under the three headings of the attacks: singling out, linkability, inference.

use super::{
    super::{
        Interval,
        privacy::{copies, membership, no_membership, not_tried, percent, section},
        verdict::capital,
    },
    Attack,
};
use crate::{
    dataset::thousands,
    report::{
        Exhibit, Metric,
        charts::{escaped, table},
    },
};

/// A heading: how the names of its attacks begin, and what they ask.
const HEADINGS: [(&str, &str, &str); 3] = [
    (
        "Singling out",
        "singling out",
        "Somebody who has only the new rows writes down a description that fits one of them alone, such as “born in 1907” \
         or “widowed, over 60 hours a week, from Peru, earns more than 50K”, and hopes that it fits exactly one row that \
         was trained on.",
    ),
    (
        "Linkability",
        "linkability",
        "Somebody has two tables of the same people, one with half of the columns and one with the others, and finds by \
         the new rows which two halves belong to one person.",
    ),
    (
        "Inference",
        "inference",
        "Somebody knows all columns of a person but one and reads this one off the most similar new row. Every column was \
         taken for the secret in its turn; shown is the one that came out worst, with guesses that had no part in \
         choosing it.",
    ),
];

/// The section of the page. `attacks` are all that were tried, in any order; those without a guess could not be made.
pub(super) fn exhibit(attacks: &[Attack], metrics: &[Metric]) -> Exhibit {
    let mut html = String::new();
    let mut not: Vec<String> = attacks.iter().filter_map(why_not).collect();
    for (title, name, asks) in HEADINGS {
        let made: Vec<&Attack> =
            attacks.iter().filter(|a| a.name.starts_with(name) && a.guesses > 0).collect();
        html += &format!("<h3>{title}</h3><p class=\"soft\">{asks}</p>");
        html += &match made.is_empty() {
            true => "<p>Could not be tried; see below.</p>".to_owned(),
            false => attempts(&made),
        };
    }
    html += "<p class=\"soft small\">Risk: the share of what could be given away that is given away: 0 % where guesses about \
             rows that were trained on are right no more often than about held-out rows, which the model never saw. \
             Blind guesses do not look at the new rows. In brackets 95 % intervals.</p>";
    html += &copies("row", metrics);
    let member = membership("row", metrics);
    html += member.as_deref().unwrap_or_default();
    if !metrics.iter().any(|metric| metric.name == "rows with a value of a person") {
        not.push(
            "Values of persons: no column holds names, addresses or numbers by which somebody is known."
                .to_owned(),
        );
    }
    if member.is_none() {
        not.push(no_membership("row"));
    }
    not.push("Several rows of one person together: each row was taken for a person of its own.".to_owned());
    html += &not_tried(&not);
    section(html)
}

fn attempts(made: &[&Attack]) -> String {
    let row = |attack: &&Attack| {
        [
            attack.name.clone(),
            thousands(attack.guesses),
            percent(attack.main),
            percent(attack.control),
            percent(attack.baseline),
            percent(attack.risk),
        ]
    };
    let head = ["tried", "guesses", "right: trained on", "right: held out", "right: blind", "risk"];
    let found: String = made.iter().map(|attack| format!("<p>{}</p>", escaped(&found(attack)))).collect();
    format!("<div class=\"tries\">{}</div>{found}", table(&head, made.iter().map(row)))
}

/// What an attack comes to, in a sentence.
fn found(attack: &Attack) -> String {
    let Attack { name, main, control, baseline, .. } = attack;
    let name = capital(name);
    if main.value <= baseline.value {
        return format!("{name}: no better than blind guesses; an attacker who knows more might be.");
    }
    match attack.gives_away() {
        true => format!(
            "{name}: rows that were trained on are guessed more often than rows that were not ({} against {}): the new \
             rows give something away.",
            short(*main),
            short(*control)
        ),
        false => format!("{name}: no more is given away of rows that were trained on than of any other."),
    }
}

fn short(of: Interval) -> String {
    format!("{:.1} %", 100.0 * of.value)
}

/// Why an attack could not be made.
fn why_not(attack: &Attack) -> Option<String> {
    let why = match attack.name.as_str() {
        "singling out, one column" => "no value stands in one new row alone, so there is nothing to describe",
        "singling out, four columns" => {
            "no four values together fit one new row alone, so there is nothing to describe"
        }
        _ => "it takes two columns or more",
    };
    (attack.guesses == 0).then(|| format!("{}: {why}.", capital(&attack.name)))
}

#[cfg(test)]
mod tests {
    use super::{super::attacks::Trials, *};

    #[test]
    fn each_attack_says_what_it_found_and_each_that_could_not_be_made_why() {
        let of = |guesses, successes| Trials { guesses, successes };
        let attacks = [
            Attack::not_made("singling out, one column"),
            Attack::of("singling out, four columns", of(1000, 400), of(1000, 100), of(1000, 20)),
            Attack::of("linkability", of(1500, 5), of(1500, 6), of(1500, 8)),
            Attack::of("inference of <b>", of(1000, 500), of(1000, 495), of(1000, 200)),
        ];
        let page = exhibit(&attacks, &[]).html;
        assert_eq!(page.matches("<h3>").count(), 5, "{page}");
        for said in [
            "1,500",
            "(40.0 % against 10.2 %): the new rows give something away",
            "Linkability: no better than blind guesses",
            "Inference of &lt;b&gt;: no more is given away",
            "Singling out, one column: no value stands in one new row alone",
            "Values of persons: no column holds",
        ] {
            assert!(page.contains(said), "{said}: {page}");
        }
        assert!(!page.contains("Could not be tried") && !page.contains("<b>"));
    }
}
