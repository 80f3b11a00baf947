//! Which rules are in force: the recipe's own, those that the database declares, and those that every row keeps for a
//! reason.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use super::{Rule, Rules, declared, holds, plan, propose};
use crate::{
    Error,
    table::{Table, schema::TableSchema},
};

/// The key of rules that are alone.
const ONLY: &str = "only";

/// `rules` of a recipe: `"off"`, rules that hold beside those that are found, or `{ only = [...] }`.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleChoice {
    Off,
    With(Vec<Rule>),
    /// These, whatever else is found.
    Only(Vec<Rule>),
}

impl Default for RuleChoice {
    fn default() -> Self {
        Self::With(Vec::new())
    }
}

impl RuleChoice {
    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The rules that are in force for a table, and notes on what is declared and cannot be kept.
///
/// # Errors
/// The rules of the recipe do not hold in the table, or cannot hold together.
pub fn in_force(
    choice: &RuleChoice,
    table: &Table,
    schema: &TableSchema,
) -> Result<(Rules, Vec<String>), Error> {
    let own = match choice {
        RuleChoice::With(own) => own,
        RuleChoice::Off => return Ok((Rules::new(Vec::new(), table, schema)?, Vec::new())),
        RuleChoice::Only(own) => {
            plan::compatible(own, table, schema)?;
            return Ok((plan::plan(own.clone(), own.len(), table, schema)?, Vec::new()));
        }
    };
    // Those of the recipe are refused where they cannot be kept.
    let mut rules = own.clone();
    plan::compatible(&rules, table, schema)?;
    let mut notes = Vec::new();
    for candidate in declared::candidates(&table.constraints, schema) {
        let mut why = candidate.why;
        let mut kept = false;
        for rule in candidate.alternatives {
            kept = says(&rules, &rule);
            match (kept, may_join(&rule, &rules, table, schema)) {
                (true, _) => break,
                (false, Ok(())) => {
                    rules.push(rule);
                    kept = true;
                    break;
                }
                (false, Err(because)) => why = because,
            }
        }
        if !kept {
            notes.push(format!("{} is declared and not kept in new rows: {why}", candidate.words));
        }
    }
    for rule in propose::found(table, schema) {
        if !says(&rules, &rule) && may_join(&rule, &rules, table, schema).is_ok() {
            rules.push(rule);
        }
    }
    Ok((plan::plan(rules, own.len(), table, schema)?, notes))
}

/// Whether the rules say already what another would.
fn says(rules: &[Rule], rule: &Rule) -> bool {
    rules.iter().any(|own| match (own, rule) {
        (Rule::Order { columns: own, .. }, Rule::Order { columns, strict: false }) => {
            // Part of a longer chain.
            let mut rest = own.iter();
            columns.iter().all(|column| rest.any(|own| own == column))
        }
        (Rule::Formula { column: own, .. }, Rule::Formula { column, .. }) => own == column,
        _ => own == rule,
    })
}

/// Whether a rule holds in all rows and can be kept beside the others, or why not.
fn may_join(rule: &Rule, rules: &[Rule], table: &Table, schema: &TableSchema) -> Result<(), String> {
    let why = |error: Error| match error {
        Error::Bad { why, .. } => why,
        other => other.to_string(),
    };
    let with: Vec<Rule> = rules.iter().chain([rule]).cloned().collect();
    plan::compatible(&with, table, schema).map_err(why)?;
    match holds::broken(rule, table, table, schema).len() {
        0 => Ok(()),
        n => Err(format!("as read here it does not hold in {n} of {} rows", table.rows())),
    }
}

impl Serialize for RuleChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str("off"),
            Self::With(rules) => rules.serialize(serializer),
            Self::Only(rules) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(ONLY, rules)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for RuleChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> de::Visitor<'de> for Any {
            type Value = RuleChoice;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"off\", \"on\", { only = [...] } or [[data.rules]]")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RuleChoice, E> {
                match text {
                    "off" => Ok(RuleChoice::Off),
                    "on" => Ok(RuleChoice::default()),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_bool<E: de::Error>(self, on: bool) -> Result<RuleChoice, E> {
                Ok(if on { RuleChoice::default() } else { RuleChoice::Off })
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, rules: A) -> Result<RuleChoice, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(rules)).map(RuleChoice::With)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<RuleChoice, A::Error> {
                match map.next_entry::<String, Vec<Rule>>()? {
                    Some((key, rules)) if key == ONLY => Ok(RuleChoice::Only(rules)),
                    _ => Err(de::Error::custom("a table of rules has `only`, and a list of them")),
                }
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests;
