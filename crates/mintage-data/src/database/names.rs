//! Names of tables and columns as words, and what the name of a column says of the table that it refers to.
//!
//! `customer_id`, `CustomerID`, `id_customer` and `billing_customer_id` all speak of a table `customers`, `Customer` or
//! `tbl_customer`. Names that every table has, such as `id` or `name`, say nothing.

use std::collections::HashMap;

use super::Column;
use crate::table::{Type, declared_type};

/// How well names fit: a column that is called after the table and its key.
pub(super) const FITS: f64 = 1.0;
/// The same with a word before it that says what the other row is to this one.
const FITS_BEHIND_A_WORD: f64 = 0.9;
/// A column of the same name, which is called after neither table.
pub(super) const SAME: f64 = 0.8;
/// A word such as `parent` that speaks of a row of the same table.
pub(super) const OWN: f64 = 0.6;

/// Words that tables are called by before their names.
const PREFIXES: [&str; 7] = ["tbl", "tb", "t", "dim", "fact", "fct", "stg"];
/// Words for what tells rows apart.
const KEY_WORDS: [&str; 10] = ["id", "key", "code", "no", "nr", "number", "uuid", "guid", "pk", "ref"];
/// Names of columns that tables have whatever they hold.
const GENERIC: [&str; 20] = [
    "id", "key", "code", "no", "nr", "number", "uuid", "guid", "pk", "ref", "name", "title", "label", "type",
    "status", "position", "rank", "order", "index", "value",
];
/// Words for a row of the same table that stands above.
const ABOVE: [&str; 9] =
    ["parent", "root", "manager", "boss", "supervisor", "reports", "reply", "predecessor", "superior"];
/// Words of columns that say when a row was written, not when something happened.
const OF_BOOKKEEPING: [&str; 9] =
    ["update", "updated", "modified", "changed", "created", "create", "inserted", "deleted", "loaded"];
/// Words of columns that say when something happened.
const OF_TIME: [&str; 8] = ["date", "datetime", "timestamp", "time", "day", "at", "on", "when"];

/// The words of a name in small letters: "CustomerID" and "customer_id" are both `customer`, `id`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut before) = (String::new(), None::<char>);
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        if !letter.is_alphanumeric() {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            before = None;
            continue;
        }
        // "orderID" has a word behind "order", and "HTMLPage" one behind "HTML".
        let follows_small = before.is_some_and(|before| before.is_lowercase() || before.is_numeric());
        let ends_capitals =
            before.is_some_and(char::is_uppercase) && letters.peek().is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (follows_small || ends_capitals) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        word.extend(letter.to_lowercase());
        before = Some(letter);
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// A noun for one, where an English ending says that it is for several.
fn singular(word: &str) -> String {
    let ends = |ending: &str| word.strip_suffix(ending).filter(|stem| stem.chars().count() > 1);
    if let Some(stem) = ends("ies") {
        return format!("{stem}y");
    }
    for ending in ["sses", "shes", "ches", "xes"] {
        if ends(ending).is_some() {
            return word[..word.len() - 2].to_owned();
        }
    }
    match ends("s") {
        Some(stem) if !["s", "u", "i"].iter().any(|end| stem.ends_with(end)) => stem.to_owned(),
        _ => word.to_owned(),
    }
}

/// The words of a table's name for one of its rows: without its schema, and what stands before names of tables.
fn words_of_table(name: &str) -> Vec<String> {
    let mut all = words(name.rsplit_once('.').map_or(name, |(_, table)| table));
    if all.len() > 1 && PREFIXES.contains(&all[0].as_str()) {
        all.remove(0);
    }
    if let Some(last) = all.last_mut() {
        *last = singular(last);
    }
    all
}

/// The words of a column's name, those of `id_customer` in the usual order.
fn words_of_column(name: &str) -> Vec<String> {
    let mut all = words(name);
    if all.len() > 1 && all[0] == "id" {
        all.rotate_left(1);
    }
    all
}

/// A column's name without what tells no columns apart: "OrderID" and "id_order" are the same.
pub(super) fn plain(name: &str) -> String {
    words_of_column(name).concat()
}

/// Columns that may be referred to, by what columns that refer to them are called.
#[derive(Debug, Default)]
pub(super) struct Targets {
    by_name: HashMap<String, Vec<(usize, usize, f64)>>,
}

impl Targets {
    /// Adds a column of a table; `is_key` says that its values alone tell the rows apart, as far as is declared.
    pub fn add(&mut self, at: (usize, usize), table: &str, column: &str, is_key: bool) {
        let (table, column) = (words_of_table(table), words_of_column(column));
        let (table, own) = (table.concat(), column.concat());
        if table.is_empty() || own.is_empty() {
            return;
        }
        let ends_as_key = column.last().is_some_and(|last| KEY_WORDS.contains(&last.as_str()));
        let is_called_after = own.starts_with(&table) && (ends_as_key || own == table);
        let mut names: Vec<(String, f64)> = Vec::new();
        if is_called_after {
            names.push((own.clone(), FITS));
        }
        if KEY_WORDS.contains(&own.as_str()) {
            names.push((format!("{table}{own}"), FITS));
        }
        if is_key {
            names.extend(["", "id", "key"].map(|word| (format!("{table}{word}"), FITS)));
        }
        if !GENERIC.contains(&own.as_str()) {
            names.push((own, SAME));
        }
        names.sort_by(|(a, x), (b, y)| a.cmp(b).then(y.total_cmp(x)));
        names.dedup_by(|(a, _), (b, _)| a == b);
        for (name, fit) in names {
            self.by_name.entry(name).or_default().push((at.0, at.1, fit));
        }
    }

    /// Columns that a column may refer to by its name, with how well the names fit, the best first.
    pub fn of(&self, column: &str) -> Vec<(usize, usize, f64)> {
        let words = words_of_column(column);
        let mut found = Vec::new();
        for from in 0..words.len() {
            for &(table, at, fit) in self.by_name.get(&words[from..].concat()).into_iter().flatten() {
                let fit = match from {
                    0 => fit,
                    // Of a name that is the same by chance, a part says nothing.
                    _ if fit == FITS => FITS_BEHIND_A_WORD,
                    _ => continue,
                };
                if !found.iter().any(|&(t, c, _)| (t, c) == (table, at)) {
                    found.push((table, at, fit));
                }
            }
        }
        found.sort_by(|a, b| b.2.total_cmp(&a.2));
        found
    }
}

/// Whether a column is called as if it spoke of a row above in the same table: `parent_id`, `ReportsTo`.
pub(super) fn speaks_of_own(column: &str) -> bool {
    words_of_column(column).first().is_some_and(|first| ABOVE.contains(&first.as_str()))
}

/// Whether a column has one of the words in its name.
pub(super) fn has_word(column: &str, any: &[&str]) -> bool {
    words(column).iter().any(|word| any.contains(&word.as_str()))
}

/// Whether a column has a name that keys have: `id`, `customer_no`.
pub(super) fn is_like_key(column: &str) -> bool {
    words_of_column(column).last().is_some_and(|last| KEY_WORDS.contains(&last.as_str()))
}

/// Whether a column says when something happened, by its name and its type.
pub(super) fn is_time(column: &Column) -> bool {
    let is_typed =
        matches!(declared_type(&column.ty), Some(Type::Date | Type::Timestamp | Type::TimestampTz));
    // SQLite and files keep times as texts and numbers.
    let is_stored = matches!(declared_type(&column.ty), Some(Type::Text | Type::Integer) | None);
    let is_called = is_stored && has_word(&column.name, &OF_TIME) || column.name.eq_ignore_ascii_case("year");
    (is_typed || is_called) && !has_word(&column.name, &OF_BOOKKEEPING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words() {
        assert_eq!(words("CustomerID"), ["customer", "id"]);
        assert_eq!(words("billing-address_id2"), ["billing", "address", "id2"]);
        assert_eq!(words("HTMLPage"), ["html", "page"]);
        assert_eq!(words("код Клиента"), ["код", "клиента"]);
        let one = ["cities", "addresses", "boxes", "status", "bus", "orders", "process"].map(singular);
        assert_eq!(one, ["city", "address", "box", "status", "bus", "order", "process"]);
    }

    #[test]
    fn names_say_what_is_referred_to() {
        let mut targets = Targets::default();
        targets.add((0, 0), "public.tbl_customers", "id", true);
        targets.add((1, 0), "Address", "AddressId", true);
        targets.add((2, 0), "planes", "tailnum", true);
        targets.add((3, 0), "ranks", "position", true);
        let of = |name: &str| targets.of(name).first().map(|&(table, _, fit)| (table, fit));
        assert_eq!(of("customer_id"), Some((0, FITS)));
        assert_eq!(of("CustomerID"), Some((0, FITS)));
        assert_eq!(of("id_customer"), Some((0, FITS)));
        assert_eq!(of("customer"), Some((0, FITS)));
        assert_eq!(of("billing_address_id"), Some((1, FITS_BEHIND_A_WORD)));
        assert_eq!(of("tailnum"), Some((2, SAME)));
        assert_eq!((of("position"), of("id"), of("old_tailnum"), of("quantity")), (None, None, None, None));
        assert!(speaks_of_own("ReportsTo") && speaks_of_own("parent_id") && !speaks_of_own("child_id"));
    }
}
