//! What each number of a report says, and between what it can lie, for whoever has not met it before.

/// A number in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub says: &'static str,
    /// Its ends, such as "0.5 is chance, 1 always".
    pub range: &'static str,
}

/// How names begin, the longer ones first, what they say, and their ends.
const ALL: [(&str, &str, &str); 44] = [
    (
        "C2ST AUC",
        "how often a detector puts a new and a real {item} in the right order",
        "0.5 cannot be told apart, 1 always told apart",
    ),
    ("Fréchet distance", "how far new ones lie from real ones as a whole", "from 0 up"),
    ("kernel distance", "the same, by another measure", "about 0 and up"),
    ("precision", "new ones that lie among real ones", "0 none, 1 all"),
    ("density", "how closely real ones lie around new ones", "from 0 up, 1 as real"),
    ("recall of 2-grams", "pairs of neighbours of real ones that occur in new ones", "0 none, 1 all"),
    ("recall", "real ones that lie among new ones", "0 none, 1 all"),
    ("coverage", "real ones with a new one nearby", "0 none, 1 all"),
    ("column shapes", "how alike each column is, on its own", "0 not at all, 1 the same"),
    ("pair trends", "how alike columns go together, two by two", "0 not at all, 1 the same"),
    (
        "α-precision",
        "how well new ones fill the space of real ones, from typical to rare",
        "0 not at all, 1 fully",
    ),
    ("β-recall", "how much of the real ones is reached, from typical to rare", "0 nothing, 1 all"),
    ("category coverage", "values of categories that occur", "0 none, 1 all"),
    ("range coverage", "how much of the range of numbers is reached", "0 nothing, 1 all"),
    ("boundary adherence", "numbers within the real range", "0 none, 1 all"),
    ("exact copies", "new ones equal to one trained on", "0 none, 1 all"),
    ("near copies", "new ones suspiciously near to one trained on", "0 none, 1 all"),
    (
        "closer to train",
        "new ones nearer to one trained on than to a held-out one",
        "0.5 is chance, 1 recites",
    ),
    ("frames closer to train", "the same of single frames", "0.5 is chance, 1 recites"),
    ("singling out", "what guesses of who is in the data gain by the new rows", "0 nothing, 1 everything"),
    ("linkability", "what linking two tables of the same people gains", "0 nothing, 1 everything"),
    ("inference of", "what guessing this column of a known person gains", "0 nothing, 1 everything"),
    (
        "rows with a value of a person",
        "new rows with a name, address or number of a real person",
        "0 none, 1 all",
    ),
    (
        "membership inference AUC",
        "how often the model gives away which of two was trained on",
        "0.5 is chance, 1 always",
    ),
    (
        "membership inference TPR",
        "those trained on that are recognised at so many false alarms",
        "0 none, 1 all",
    ),
    (
        "AUC of",
        "how well the column is predicted by what was learned from new rows",
        "0.5 is guessing, 1 always right",
    ),
    ("F1 of", "the same, every class counted alike", "0 never right, 1 always right"),
    ("R² of", "how much of the column is predicted by what was learned from new rows", "0 nothing, 1 all"),
    ("accuracy", "real ones classified rightly by what was learned from new ones", "0 none, 1 all"),
    ("unique keys", "keys that occur once", "0 none, 1 all"),
    (
        "negative log-likelihood",
        "how surprised the model is by held-out ones",
        "compares on the same data alone",
    ),
    (
        "negative log-likelihood, adapting",
        "the same while weights and counts follow the text as it is read",
        "compares on the same data alone",
    ),
    ("bits per dimension", "the same for each number of a pixel", "8 is blind guessing"),
    ("the same of a", "the likelihood of mere counts, to compare with", "compares on the same data alone"),
    (
        "the same of the network alone",
        "the likelihood without the counts that are mixed with it",
        "compares on the same data alone",
    ),
    ("distinct-", "runs of neighbours that differ from each other", "0 none, 1 all"),
    ("self-BLEU", "how much new ones repeat each other", "0 nothing shared, 1 all the same"),
    ("longest run", "the longest run that is copied from the training data", "from 0 up"),
    ("most bars copied", "bars that a new tune shares with one trained on", "from 0 up"),
    (
        "distance of figures",
        "how far figures such as pitches and rhythm are off",
        "0 is the same, in deviations",
    ),
    ("figures within", "figures that are as real tunes have them", "0 none, 1 all"),
    ("SI-SDR", "what is left of the wave of a real sound", "in decibel, more is nearer"),
    ("mel distance", "what is lost of a real sound to the ear", "in decibel, 0 is nothing"),
    ("PSNR", "what is left of a real clip", "in decibel, more is nearer"),
];
/// The same by how names end.
const ENDS: [(&str, &str, &str); 3] = [
    ("JS distance", "how unlike runs of so many neighbours are", "0 the same, 1 nothing in common"),
    ("-grams copied", "runs of so many that stand in the training data", "0 none, 1 all"),
    ("of motion", "how unlike the amount of movement is", "from 0 up"),
];

/// What the number called `name` says; nothing of one that is not known here.
pub(super) fn words(name: &str) -> Option<Words> {
    let begins =
        ALL.iter().filter(|(begin, ..)| name.starts_with(begin)).max_by_key(|(begin, ..)| begin.len());
    let ends = || ENDS.iter().find(|(end, ..)| name.ends_with(end));
    begins.or_else(ends).map(|&(_, says, range)| Words { says, range })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_longest_beginning_counts() {
        assert!(words("recall of 2-grams").unwrap().says.starts_with("pairs of neighbours"));
        assert!(words("recall").unwrap().says.starts_with("real ones"));
        assert!(words("frames closer to train than to holdout").unwrap().says.contains("frames"));
        assert!(words("negative log-likelihood, adapting").unwrap().says.contains("as it is read"));
        assert!(words("3-gram JS distance").is_some() && words("8-grams copied").is_some());
        assert_eq!(words("no such number"), None);
    }

    #[test]
    fn every_number_of_the_judges_has_words() {
        macro_rules! judges {
            ($($file:literal),*) => { [$(include_str!(concat!("../evaluate/", $file))),*].concat() };
        }
        let text = judges!(
            "image/mod.rs",
            "table/judge.rs",
            "sequence/judge.rs",
            "sequence/music.rs",
            "audio/mod.rs",
            "video/mod.rs",
            "video/motion.rs"
        );
        let mut seen = 0;
        for call in ["Metric::lower(\"", "Metric::higher(\"", "add(\""] {
            for name in text.split(call).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                let shown = match name {
                    // With the column behind it.
                    "R²" | "AUC" | "F1" => format!("{name} of income"),
                    name => name.to_owned(),
                };
                assert!(words(&shown).is_some(), "{name}");
                seen += 1;
            }
        }
        assert!(seen > 25, "{seen}");
    }
}
