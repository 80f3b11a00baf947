//! Names of months and days in capitals or in small letters: "10-APR-2020", "10 april 2020", "9:09 pm".
//!
//! A pattern of such dates begins with the case: "{upper}%d-%b-%Y". Names are read in any case, so that only writing differs.

type Write = fn(&str) -> String;

const CASES: [(&str, Write); 2] = [("{upper}", str::to_uppercase), ("{lower}", str::to_lowercase)];
/// What is written as a name.
const NAMES: [&str; 5] = ["%b", "%B", "%a", "%A", "%p"];

/// How texts are written in the case of a pattern, and the pattern without it.
pub(super) fn split(pattern: &str) -> Option<(Write, &str)> {
    CASES.iter().find_map(|(case, write)| Some((*write, pattern.strip_prefix(case)?)))
}

/// The patterns with names among `all` in the case in which most of `texts` are.
pub(super) fn patterns(texts: &[&str], all: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let in_case = |write: &Write| {
        let fits = |text: &&&str| text.contains(char::is_alphabetic) && write(text) == **text;
        texts.iter().filter(fits).count() * 2 > texts.len()
    };
    let case = CASES.iter().find(|(_, write)| in_case(write)).map(|(case, _)| *case);
    all.filter(|pattern| named(pattern)).filter_map(move |pattern| Some(format!("{}{pattern}", case?)))
}

/// Whether a pattern has names.
pub(super) fn named(pattern: &str) -> bool {
    NAMES.iter().any(|name| pattern.contains(name))
}
