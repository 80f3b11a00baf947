//! The schema drawn in text: a block a table in the order in which they are filled, a line a key.

use super::{ForeignKey, Origin, Schema, Table, listed, order::FillOrder};

impl Schema {
    /// The tables with their rows and keys, parents before children.
    pub fn text(&self) -> String {
        let order = self.order();
        let mut text = format!("schema: {}\n", self.summary());
        let mut tables: Vec<&Table> = match &order {
            Ok(order) => order.tables.iter().filter_map(|name| self.table(name)).collect(),
            Err(_) => self.tables.iter().collect(),
        };
        // What hangs together with nothing stands last.
        tables.sort_by_key(|table| self.is_alone(table));
        let none = FillOrder::default();
        for table in tables {
            text.push_str(&block(table, order.as_ref().unwrap_or(&none)));
        }
        if !self.views.is_empty() {
            text.push_str(&format!("views, which are never written: {}\n", self.views.join(", ")));
        }
        if !self.unreadable.is_empty() {
            text.push_str(&format!("tables that may not be read: {}\n", self.unreadable.join(", ")));
        }
        if let Err(error) = order {
            let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            text.push_str(&format!("! {error}{hint}\n"));
        }
        text
    }

    /// "11 tables, 11 keys, 15,607 rows".
    pub(super) fn summary(&self) -> String {
        let rows = self.tables.iter().map(|table| table.rows).sum();
        let (tables, keys) = (self.tables.len() as u64, self.keys().count() as u64);
        [count(tables, "table"), count(keys, "key"), count(rows, "row")].join(", ")
    }

    /// Whether no key leads to a table or from it.
    pub(super) fn is_alone(&self, table: &Table) -> bool {
        table.foreign_keys.is_empty() && self.keys().all(|(_, key)| key.parent != table.name)
    }
}

impl ForeignKey {
    /// "customer → customers.id": its columns and what they refer to. The arrow of a key that the store does not declare is
    /// dashed (⇢); one of some rows alone says which.
    pub fn text(&self) -> String {
        let arrow = if self.origin == Origin::Declared { '→' } else { '⇢' };
        let only = self.only.as_ref().map(|only| format!(" where {} is {}", only.column, only.value));
        format!("{} {arrow} {}{}", listed(&self.columns), self.target(), only.unwrap_or_default())
    }
}

fn block(table: &Table, order: &FillOrder) -> String {
    let (rows, columns) = (count(table.rows, "row"), count(table.columns.len() as u64, "column"));
    let key = match (table.primary_key.as_slice(), table.key_found) {
        ([], _) => ", no primary key".to_owned(),
        (key, false) => format!(", key {}", listed(key)),
        (key, true) => format!(", key {} by its values", listed(key)),
    };
    let mut text = format!("{}: {rows}, {columns}, {}{key}\n", table.name, table.role.name());
    for (at, key) in table.foreign_keys.iter().enumerate() {
        let more = facts(key, order.is_last(&table.name, at), order.is_deferred(&table.name, at)).concat();
        text.push_str(&format!("  {}{more}\n", key.text()));
    }
    text
}

/// What is to be known of a key, each with a comma before it.
fn facts(key: &ForeignKey, is_last: bool, is_deferred: bool) -> Vec<String> {
    let mut facts = Vec::new();
    if key.optional {
        facts.push(", optional".to_owned());
    }
    if is_last {
        facts.push(", filled last".to_owned());
    }
    if is_deferred {
        facts.push(", checked at the end of the transaction".to_owned());
    }
    if key.origin == Origin::Given {
        facts.push(", given".to_owned());
    }
    if let Origin::Found { share, distinct, name } = key.origin {
        let names = if name > 0.0 { " and the names fit" } else { "" };
        let values = match (share, distinct) {
            (1.0, 1) => "its only value is".to_owned(),
            (1.0, _) => format!("all its {} are", count(distinct, "value")),
            // Never rounded up to all.
            _ => format!("{} % of its {} are", (share * 1000.0).floor() / 10.0, count(distinct, "value")),
        };
        facts.push(format!(", found: {values} there{names}"));
    }
    match key.orphans {
        Some(0) => {}
        Some(orphans) => facts.push(format!(", {} to nothing", count(orphans, "row"))),
        None => facts.push(", not checked for rows to nothing".to_owned()),
    }
    facts
}

/// "1 row", "1,200 rows".
pub(super) fn count(n: u64, what: &str) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text} {what}{}", if n == 1 { "" } else { "s" })
}
