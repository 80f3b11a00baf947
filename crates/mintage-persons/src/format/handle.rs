//! Logins and the first parts of e-mail addresses: which parts of a name they are made of.

use super::Names;
use crate::{locale::known, text::handle};

/// Domains that are reserved for examples (RFC 2606) or lie under a top-level domain that is (`.example`).
pub(crate) const DOMAINS: &[&str] = &[
    "example.com",
    "example.org",
    "example.net",
    "mail.example",
    "post.example",
    "inbox.example",
    "office.example",
];

/// Patterns of whole addresses: one domain of the source stays one domain.
pub(super) fn email_patterns(values: &[&str], names: &Names) -> Vec<String> {
    let domain = |value: &&str| value.split_once('@').map(|(_, domain)| domain.to_lowercase());
    let first = values.first().and_then(domain);
    let one = values.len() > 1 && values.iter().all(|value| domain(value) == first);
    let domain = if one { "example.org" } else { "{domain}" };
    let locals = values.iter().filter_map(|value| value.split('@').next());
    locals.map(|local| format!("{}@{domain}", pattern(local, names))).collect()
}

/// "{given}.{family}##" of "john.smith07".
pub(crate) fn pattern(local: &str, names: &Names) -> String {
    let trimmed = local.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = "#".repeat((local.len() - trimmed.len()).min(6));
    let is_code = trimmed.len() == 3 && trimmed.bytes().all(|b| b.is_ascii_uppercase());
    if is_code && digits.is_empty() {
        return "{family:3}".to_owned();
    }
    let mark = trimmed.chars().find(|c| "._-".contains(*c));
    let parts: Vec<String> =
        trimmed.split(['.', '_', '-']).map(handle).filter(|part| !part.is_empty()).collect();
    let slots = match parts.as_slice() {
        [one] => single(one, names),
        [first, second] => pair(first, second, mark.unwrap_or('.'), names),
        _ => format!("{{given}}{0}{{family}}", mark.unwrap_or('.')),
    };
    format!("{slots}{digits}")
}

fn pair(first: &str, second: &str, mark: char, names: &Names) -> String {
    let swapped = names.family.contains(first) && names.given.contains(second)
        || !names.given.contains(first) && is_given(second) && !is_given(first);
    match (first.len(), second.len()) {
        (1, _) => format!("{{g}}{mark}{{family}}"),
        (_, 1) if names.given.contains(first) || is_given(first) => format!("{{given}}{mark}{{f}}"),
        (_, 1) => format!("{{family}}{mark}{{g}}"),
        _ if swapped => format!("{{family}}{mark}{{given}}"),
        _ => format!("{{given}}{mark}{{family}}"),
    }
}

fn single(one: &str, names: &Names) -> String {
    let given = |text: &str| names.given.contains(text);
    let family = |text: &str| names.family.contains(text);
    let last = one.len() - 1;
    let joined = (2..one.len().max(2)).any(|at| given(&one[..at]) && family(&one[at..]));
    let pattern = match () {
        () if given(one) => "{given}",
        () if family(one) => "{family}",
        () if family(&one[1..]) => "{g}{family}",
        () if family(&one[..last]) => "{family}{g}",
        () if given(&one[..last]) => "{given}{f}",
        () if joined => "{given}{family}",
        () if is_given(one) => "{given}",
        () if is_family(one) => "{family}",
        () => "{g}{family}",
    };
    pattern.to_owned()
}

fn is_given(name: &str) -> bool {
    known(name).is_some_and(|known| !known.given.is_empty())
}

fn is_family(name: &str) -> bool {
    known(name).is_some_and(|known| !known.family.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_taken_apart() {
        let mut names = Names::default();
        names.given.extend(["john".to_owned(), "anna".to_owned()]);
        names.family.extend(["smith".to_owned(), "mueller".to_owned()]);
        for (local, expected) in [
            ("john.smith", "{given}.{family}"),
            ("smith_john", "{family}_{given}"),
            ("jsmith12", "{g}{family}##"),
            ("annamueller", "{given}{family}"),
            ("johns", "{given}{f}"),
            ("j.smith", "{g}.{family}"),
            ("SMI", "{family:3}"),
        ] {
            assert_eq!(pattern(local, &names), expected, "{local}");
        }
        assert_eq!(email_patterns(&["a@x.com", "b@x.com"], &names)[0], "{g}{family}@example.org");
    }
}
