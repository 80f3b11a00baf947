//! Tables of which the user says whether they are learned or kept as they are, whatever they look like.

use std::collections::BTreeMap;

use super::{Schema, named};
use crate::{Error, SourceSpec, error::suggestion};

/// What the user says of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Its rows stay as they are.
    Keep,
    /// It is learned.
    Learn,
}

impl Schema {
    /// What `spec` says of tables, each by the name that the store gives it.
    ///
    /// # Errors
    /// One of them is not there, or is to be kept and learned.
    pub fn choices(&self, spec: &SourceSpec) -> Result<BTreeMap<String, Choice>, Error> {
        let mut choices = BTreeMap::new();
        let keep = spec.keep.iter().map(|name| (name, Choice::Keep));
        let learn = spec.learn.iter().map(|name| (name, Choice::Learn));
        for (name, choice) in keep.chain(learn) {
            let Some(table) = named(&self.tables, name, |table| &table.name) else {
                return Err(self.unknown(spec, name, choice));
            };
            let before = choices.insert(table.name.clone(), choice);
            if before.is_some_and(|before| before != choice) {
                let why = format!("table `{}` is to be kept as it is, and to be learned", table.name);
                return Err(Error::bad(spec.source.as_str(), why)
                    .with_hint("name it in one of keep and learn, not in both"));
            }
        }
        Ok(choices)
    }

    /// The error where a table is not there.
    fn unknown(&self, spec: &SourceSpec, name: &str, choice: Choice) -> Error {
        let what = match choice {
            Choice::Keep => "kept as it is",
            Choice::Learn => "learned",
        };
        let names = || self.tables.iter().map(|table| table.name.as_str());
        let all = || format!("the tables are {}", names().collect::<Vec<_>>().join(", "));
        let hint = suggestion(name, names()).unwrap_or_else(all);
        let why = format!("table `{name}`, which is to be {what}, is not there, or is left out");
        Error::bad(spec.source.as_str(), why).with_hint(hint)
    }
}
