//! `[[data.keys]]` of a recipe: what the user says of the keys between tables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;

/// What `--key` says in place of a parent of a key that is none.
const NONE: &str = "none";
/// What stands between the columns of a key in `--key`.
const AND: char = '+';

/// A key between tables that the source does not declare, or declares otherwise; or one that is none.
///
/// ```toml
/// [[data.keys]]
/// table = "orders"
/// column = "customer_id"
/// parent = "customers"
///
/// [[data.keys]]
/// table = "comments"
/// column = "subject_id"
/// by = "subject_type"
/// parents = { Photo = "photos", Order = "orders" }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// The table that refers to another.
    pub table: String,
    /// Its column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Its columns, in place of `column`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The table that is referred to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Its columns, as many as there are of `table`; without them its primary key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_columns: Vec<String>,
    /// What was found or declared is no key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remove: bool,
    /// The column whose value says which of `parents` a row refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The tables that are referred to, by the values of `by`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parents: BTreeMap<String, String>,
}

impl KeySpec {
    /// Reads `orders.customer_id=customers.id`, `lines.a+b=parts.x+y`, `orders.customer_id=customers` (its primary key) and
    /// `orders.legacy_ref=none`.
    ///
    /// # Errors
    /// The text has another form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::bad(format!("`{text}`"), "is no key between tables").with_hint(
                "write it like orders.customer_id=customers.id, or orders.customer_id=none for what is no key",
            )
        };
        let list = |text: &str| text.split(AND).map(|name| name.trim().to_owned()).collect::<Vec<String>>();
        let (child, parent) = text.split_once('=').ok_or_else(wrong)?;
        let (table, columns) = child.trim().rsplit_once('.').ok_or_else(wrong)?;
        let (parent, parent_columns) = match parent.trim() {
            NONE => (None, Vec::new()),
            parent => match parent.rsplit_once('.') {
                Some((parent, columns)) => (Some(parent.to_owned()), list(columns)),
                None => (Some(parent.to_owned()), Vec::new()),
            },
        };
        let columns = list(columns);
        let mut names = columns.iter().chain(&parent_columns).chain(&parent);
        if table.is_empty() || names.any(String::is_empty) {
            return Err(wrong());
        }
        let remove = parent.is_none();
        Ok(Self { table: table.to_owned(), columns, parent, parent_columns, remove, ..Self::default() })
    }

    /// The columns of the key, however they are given.
    pub fn own_columns(&self) -> Vec<String> {
        self.column.iter().chain(&self.columns).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_are_read_from_a_flag() {
        let key = KeySpec::parse("orders.customer_id=customers.id").unwrap();
        assert_eq!((key.table.as_str(), key.own_columns()), ("orders", vec!["customer_id".to_owned()]));
        assert_eq!((key.parent.as_deref(), key.parent_columns), (Some("customers"), vec!["id".to_owned()]));
        let key = KeySpec::parse("sales.lines.a + b = parts").unwrap();
        assert_eq!((key.table.as_str(), key.own_columns().len()), ("sales.lines", 2));
        assert_eq!((key.parent.as_deref(), key.parent_columns.len(), key.remove), (Some("parts"), 0, false));
        let key = KeySpec::parse("orders.ref=none").unwrap();
        assert!(key.remove && key.parent.is_none());
        for text in ["orders.id", "orders=customers", ".id=customers", "orders.a+=customers", "orders.a="] {
            assert!(KeySpec::parse(text).is_err(), "{text}");
        }
    }
}
