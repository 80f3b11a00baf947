//! What sets of files have in common: which of them are taken, which were left out, and what their labels say.

use std::collections::HashMap;

use crate::{Error, SourceSpec};

/// Above this share of unreadable items a source is refused.
pub(crate) const MAX_SKIPPED: f64 = 0.05;
/// More classes than this are an identifier, not a label.
const MAX_CLASSES: usize = 1000;

/// At most `limit` of `0..n`, evenly spread.
pub(crate) fn evenly(n: usize, limit: usize) -> Vec<usize> {
    let count = n.min(limit);
    (0..count).map(|i| i * n / count).collect()
}

/// Reasons that are kept of items that could not be read.
const MAX_REASONS: usize = 10_000;

/// Items that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    pub count: usize,
    /// Name and reason of each, up to a bound.
    pub reasons: Vec<String>,
}

impl Skipped {
    /// Counts an item that could not be read, given by its name and the reason.
    ///
    /// # Errors
    /// `spec` is strict, so that no item may be left out.
    pub fn add(&mut self, what: String, spec: &SourceSpec) -> Result<(), Error> {
        if spec.strict {
            let hint = "mend or remove it; where strict is not set, up to 5 % are left out";
            return Err(Error::bad(&spec.source, what).with_hint(hint));
        }
        self.count += 1;
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push(what);
        }
        Ok(())
    }

    /// Name and reason of the first of them.
    pub fn first(&self) -> Option<&str> {
        self.reasons.first().map(String::as_str)
    }

    /// Says how many items were skipped, such as "2 of 300 tunes cannot be read; the first is …"; nothing if none was.
    ///
    /// # Errors
    /// More items were skipped than `skip_share` allows, or `skip_share` is not between 0 and 1.
    pub fn told(&self, all: usize, things: &str, spec: &SourceSpec) -> Result<Option<String>, Error> {
        let Some(first) = self.first() else { return Ok(None) };
        let told = format!("{} of {all} {things} cannot be read; the first is {first}", self.count);
        let share = spec.skip_share.unwrap_or(MAX_SKIPPED);
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::bad("skip_share", format!("must be a share from 0 to 1, not {share}")));
        }
        if self.count as f64 > share * all as f64 {
            let needed = (100.0 * self.count as f64 / all.max(1) as f64).ceil() / 100.0;
            let hint = format!(
                "up to {:.0} % are skipped; mend or remove the others (-v names them all), or train with -s data.skip_share={needed}",
                100.0 * share
            );
            return Err(Error::bad(&spec.source, told).with_hint(hint).with_list(self.reasons.clone()));
        }
        Ok(Some(told))
    }
}

/// Distinct labels, numbers in the order of their values, other text alphabetically. What has no label is of no class.
pub(crate) fn class_names(texts: &[&str], things: &str, source: &str) -> Result<Vec<String>, Error> {
    let mut names: Vec<&str> = texts.iter().copied().filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > MAX_CLASSES || (names.len() > 20 && names.len() * 2 > texts.len()) {
        let why =
            format!("the label has {} values in {} {things}; that is no label", names.len(), texts.len());
        return Err(
            Error::bad(source, why).with_hint("choose a column with few values, or leave out --label")
        );
    }
    if names.iter().all(|n| n.parse::<f64>().is_ok()) {
        names.sort_by(|a, b| a.parse::<f64>().unwrap_or(0.0).total_cmp(&b.parse::<f64>().unwrap_or(0.0)));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// The class of every item; an unknown label is "no class", one past the last.
pub(crate) fn label_indices(texts: Option<&[&str]>, classes: &[String]) -> Vec<u32> {
    let Some(texts) = texts.filter(|_| !classes.is_empty()) else { return Vec::new() };
    let index: HashMap<&str, u32> =
        classes.iter().enumerate().map(|(i, name)| (name.as_str(), i as u32)).collect();
    texts.iter().map(|text| index.get(text).copied().unwrap_or(classes.len() as u32)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn labels_are_few_and_in_their_order() {
        let classes = class_names(&["10", "", "9", "10"], "images", "x").unwrap();
        assert_eq!(classes, ["9", "10"]);
        assert_eq!(label_indices(Some(&["10", "7", ""]), &classes), [1, 2, 2]);
        let names: Vec<String> = (0..30).map(|i| format!("n{i}")).collect();
        let texts: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(class_names(&texts, "images", "x").unwrap_err().to_string().contains("30 images"));
    }
}
