//! Privacy in words: what was tried to get at what a model was trained on, and what was not. It measures nothing of its own.

use super::{Interval, TrainedOn, membership::WITH_MODEL};
use crate::report::{
    Exhibit, Metric,
    charts::{escaped, table},
};

/// Names of numbers that say whether it shows that something was trained on begin so.
const MEMBERSHIP: &str = "membership inference";

/// What was looked for: the name of the number, its meaning for people, and whether it is a share.
const LOOKED_FOR: [(&str, &str, bool); 9] = [
    ("exact copies", "new {item}s that are equal to one that was trained on", true),
    ("near copies", "new {item}s that lie suspiciously near to one that was trained on", true),
    (
        "closer to train than to holdout",
        "new {item}s nearer to one that was trained on than to a held-out one. A smoke test: 50 % is as it should be, a \
         model that recites has 100 %, and a few copies among many do not show",
        true,
    ),
    ("frames closer to train than to holdout", "the same of single frames", true),
    ("longest run copied", "how many {unit} in a row stand in the training data as well, on average", false),
    ("longest run of all", "the same of the one {item} that has the longest", false),
    ("8-grams copied", "runs of eight {unit} that stand in the training data as well", true),
    ("most bars copied", "bars in a row that a new tune shares with the training data, at most", false),
    (
        "rows with a value of a person",
        "new rows with a name, an address or a number of a person who was trained on",
        true,
    ),
];

/// What a number of membership inference says.
const OF_MEMBERSHIP: [(&str, &str); 3] = [
    (
        "AUC",
        "how often the {item} that was trained on is told from one that was not: 50 % is chance, 100 % is always",
    ),
    (
        "at 1 %",
        "{item}s recognised as trained on when 1 % of all others may be taken for such: 1 % is chance",
    ),
    ("at 10 %", "the same when 10 % of all others may be: 10 % is chance"),
];

/// The section of the page for data of which so much is known; none where nothing is.
pub(super) fn exhibit_of(trained_on: TrainedOn, item: &str, metrics: &[Metric]) -> Option<Exhibit> {
    match trained_on {
        TrainedOn::Train => Some(exhibit(item, metrics)),
        TrainedOn::Everything => Some(copies_alone(item, metrics)),
        TrainedOn::Unknown => None,
    }
}

/// The section of the page where no data are held out.
pub(super) fn copies_alone(item: &str, metrics: &[Metric]) -> Exhibit {
    let not = format!(
        "Attacks, membership inference among them: they compare {item}s that were trained on with others, and there are none."
    );
    section(copies(item, metrics) + &not_tried(&[not]))
}

/// The section of the page, for all kinds of data but rows, of which more is tried.
pub(super) fn exhibit(item: &str, metrics: &[Metric]) -> Exhibit {
    let mut html = copies(item, metrics);
    let member = membership(item, metrics);
    html += member.as_deref().unwrap_or_default();
    let misses = match item {
        "text" => "what says the same in other words",
        "tune" => "what was varied",
        "sound" => "what was made louder, slower or higher",
        _ => "what was moved, mirrored or changed in brightness",
    };
    let mut not = vec![
        format!("Copies are found where they are alike as they stand: {misses} is not."),
        format!(
            "Whether somebody can be recognised by what new {item}s hold, such as a face, a voice or a name."
        ),
        "Singling out, linkability and inference: these are attacks on rows of a table.".to_owned(),
    ];
    if member.is_none() {
        not.push(no_membership(item));
    }
    html += &not_tried(&not);
    section(html)
}

/// The section of the page.
pub(super) fn section(html: String) -> Exhibit {
    let note = "What somebody could learn of those whose data the model was trained on. What was tried found what stands \
                here; what was not tried is not ruled out.";
    Exhibit { title: "Privacy: what was tried, and what was not".to_owned(), note: note.to_owned(), html }
}

/// Copies and the like, beside what held-out data get.
pub(super) fn copies(item: &str, metrics: &[Metric]) -> String {
    let row = |&(name, words, share): &(&str, &str, bool)| {
        let metric = metrics.iter().find(|metric| metric.name == name)?;
        Some(line(metric, &in_words(words, item), share))
    };
    let rows: Vec<[String; 3]> = LOOKED_FOR.iter().filter_map(row).collect();
    let head = ["looked for", "found", "of real data never trained on"];
    format!("<h3>Copies</h3><div class=\"tries\">{}</div>", table(&head, rows))
}

/// Whether what is new, and the model itself, tell what was trained on, where that was asked.
pub(super) fn membership(item: &str, metrics: &[Metric]) -> Option<String> {
    let asked: Vec<&Metric> = metrics.iter().filter(|metric| metric.name.starts_with(MEMBERSHIP)).collect();
    let attacks = [
        (
            false,
            "Somebody who has the new {item}s alone asks of those in hand which lie nearer to them than to other real ones.",
        ),
        (
            true,
            "Somebody who holds the model asks it how likely {item}s are: those that it learned seem likelier.",
        ),
    ];
    let told = attacks.iter().filter_map(|(with_model, note)| {
        let of: Vec<&Metric> = asked
            .iter()
            .copied()
            .filter(|metric| (metric.space.starts_with(WITH_MODEL)) == *with_model)
            .collect();
        member_table(item, &in_words(note, item), &of)
    });
    let html: String = told.collect();
    (!html.is_empty()).then(|| format!("<h3>Membership</h3>{html}"))
}

fn member_table(item: &str, note: &str, asked: &[&Metric]) -> Option<String> {
    let row = |metric: &Metric| {
        let words =
            OF_MEMBERSHIP.iter().find(|(end, _)| metric.name.ends_with(end)).map_or("", |(_, words)| words);
        line(metric, &in_words(words, item), true)
    };
    let rows: Vec<[String; 3]> = asked.iter().map(|metric| row(metric)).collect();
    (!rows.is_empty()).then(|| {
        let head = ["asked", "found", "by chance"];
        format!("<p class=\"soft\">{note}</p><div class=\"tries\">{}</div>", table(&head, rows))
    })
}

/// Why there is nothing of membership.
pub(super) fn no_membership(item: &str) -> String {
    format!(
        "Membership inference, which asks the model how likely {item}s are: it was not measured for this model."
    )
}

/// A list of what was not tried, and why.
pub(super) fn not_tried(reasons: &[String]) -> String {
    let all: String = reasons.iter().map(|reason| format!("<li>{}</li>", escaped(reason))).collect();
    format!("<h3>Not tried</h3><ul>{all}</ul>")
}

/// "3.2 % (2.1–4.4 %)".
pub(super) fn percent(of: Interval) -> String {
    let Interval { value, low, high } = of;
    if value.is_nan() {
        return "–".to_owned();
    }
    match low < high {
        true => {
            format!("{:.1}\u{a0}% ({:.1}–{:.1}\u{a0}%)", 100.0 * value, 100.0 * low.max(0.0), 100.0 * high)
        }
        false => format!("{:.1}\u{a0}%", 100.0 * value),
    }
}

fn line(metric: &Metric, words: &str, share: bool) -> [String; 3] {
    let plain = |of: Interval| match of.low < of.high {
        true => format!("{:.1} ({:.1}–{:.1})", of.value, of.low, of.high),
        false => format!("{:.1}", of.value),
    };
    let text = |of: Interval| if share { percent(of) } else { plain(of) };
    let found = Interval { value: metric.value, low: metric.low, high: metric.high };
    let real = metric.ends.map_or_else(|| "–".to_owned(), |ends| text(ends.ceiling));
    [format!("{}: {words}", metric.name), text(found), real]
}

fn in_words(words: &str, item: &str) -> String {
    let unit = if item == "text" { "words" } else { "tokens" };
    words.replace("{item}", item).replace("{unit}", unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_tried_is_told_and_what_was_not() {
        let copied = Metric::lower("exact copies", "pixels", Interval { value: 0.25, low: 0.2, high: 0.3 });
        let other = Metric::lower("C2ST AUC", "pixels", 0.9);
        let page = exhibit("image", &[copied.between(0.0, 1.0), other.clone()]).html;
        assert!(
            page.contains("exact copies: new images that are equal")
                && page.contains("25.0\u{a0}% (20.0–30.0\u{a0}%)")
        );
        assert!(!page.contains("C2ST") && page.contains("was not measured for this model"), "{page}");
        let member =
            |space| Metric::lower("membership inference TPR at 1 %", space, 0.011).between(0.01, 1.0);
        let page = exhibit("image", &[member("pixels")]).html;
        assert!(page.contains("has the new images alone") && !page.contains("holds the model"), "{page}");
        let page = exhibit("text", &[other, member(WITH_MODEL)]).html;
        assert!(page.contains("holds the model") && !page.contains("has the new texts alone"), "{page}");
        assert!(page.contains("texts recognised as trained on") && page.contains("1.1\u{a0}%"), "{page}");
        assert!(!page.contains("was not measured for this model") && page.contains("in other words"));
    }
}
