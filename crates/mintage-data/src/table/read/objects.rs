//! Objects of JSON as rows: keys are columns, in the order in which they first come.

use std::{collections::HashMap, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    super::{Column, Declaration, Table, Type, csv::MAX_COLUMNS},
    Rows, Sieve, check_names, chosen, empty,
};
use crate::{Error, SourceSpec};

/// Keys and values of one object, in their order.
pub(super) struct Object<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'de>, M::Error> {
                let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Kinds of values seen in a column.
#[derive(Clone, Copy, Default)]
struct Seen {
    integer: bool,
    real: bool,
    boolean: bool,
    text: bool,
    nested: bool,
}

impl Seen {
    fn ty(self) -> Type {
        match (self.integer, self.real, self.boolean, self.text, self.nested) {
            (true, false, false, false, false) => Type::Integer,
            (_, true, false, false, false) => Type::Real,
            (false, false, true, false, false) => Type::Boolean,
            (false, false, false, false, true) => Type::Json,
            _ => Type::Text,
        }
    }
}

/// Objects on their way into a table.
pub(super) struct Reading<'a> {
    pub rows: Rows<'a>,
    place_of: HashMap<String, usize>,
    kinds: Vec<Seen>,
    /// The row in which each column had its last cell, from 1.
    filled: Vec<usize>,
    /// Rows so far.
    pub row: usize,
}

impl<'a> Reading<'a> {
    pub fn new(table: Table, spec: &SourceSpec, sieve: Option<&'a mut dyn Sieve>) -> Self {
        let rows = Rows::new(table, spec, sieve);
        Self { rows, place_of: HashMap::new(), kinds: Vec::new(), filled: Vec::new(), row: 0 }
    }

    /// Adds an object as a row.
    ///
    /// # Errors
    /// A key comes twice, a text is malformed, or there are too many columns.
    pub fn add(&mut self, Object(entries): &Object) -> serde_json::Result<()> {
        self.row += 1;
        let keeps = self.rows.keeps_next();
        for (key, value) in entries {
            if self.kinds.len() >= MAX_COLUMNS && !self.place_of.contains_key(key) {
                return Err(serde::de::Error::custom(format!("has more than {MAX_COLUMNS} columns")));
            }
            let place = self.place(key, self.rows.kept() - usize::from(keeps));
            if self.filled[place] == self.row {
                return Err(serde::de::Error::custom(format!("key `{key}` comes twice")));
            }
            self.filled[place] = self.row;
            if keeps {
                self.push(place, value)?;
            }
        }
        if keeps {
            let kept = self.rows.kept();
            let behind = self.rows.table.columns.iter_mut().filter(|column| column.len() < kept);
            behind.for_each(|column| column.push(None));
        }
        Ok(())
    }

    /// The place of a column, which is made when it is new: missing in all `rows` before.
    fn place(&mut self, key: &str, rows: usize) -> usize {
        if let Some(&place) = self.place_of.get(key) {
            return place;
        }
        let place = self.kinds.len();
        self.place_of.insert(key.to_owned(), place);
        self.kinds.push(Seen::default());
        self.filled.push(0);
        let mut column = Column::new(key, Declaration::default());
        (0..rows).for_each(|_| column.push(None));
        self.rows.table.columns.push(column);
        place
    }

    fn push(&mut self, place: usize, value: &RawValue) -> serde_json::Result<()> {
        let (column, seen) = (&mut self.rows.table.columns[place], &mut self.kinds[place]);
        let raw = value.get();
        match raw.as_bytes().first() {
            Some(b'n') => column.push(None),
            Some(b'"') => {
                let text = serde_json::from_str::<String>(raw)?;
                // JSON has no other way to write such numbers.
                let is_number = ["NaN", "Infinity", "-Infinity"].contains(&text.as_str());
                seen.real |= is_number;
                seen.text |= !is_number;
                column.push(Some(&text));
                return Ok(());
            }
            Some(b't' | b'f') => seen.boolean = true,
            Some(b'{' | b'[') => seen.nested = true,
            _ if raw.contains(['.', 'e', 'E']) => seen.real = true,
            _ => seen.integer = true,
        }
        if raw != "null" {
            column.push(Some(raw));
        }
        Ok(())
    }

    /// The table of all objects, with the types of its columns, as far as `spec` asks for them.
    ///
    /// # Errors
    /// There are no rows or no columns, Mintage made all of the rows, or there is no column of a name that `spec` asks
    /// for.
    pub fn finish(mut self, place: &str, spec: &SourceSpec) -> Result<Table, Error> {
        if self.row == 0 && self.rows.has_made() {
            return self.rows.finish(place);
        }
        let table = &mut self.rows.table;
        for (column, seen) in table.columns.iter_mut().zip(&self.kinds) {
            column.declaration.ty = seen.ty();
        }
        let names: Vec<String> = table.names().map(str::to_owned).collect();
        if self.row == 0 {
            return Err(Error::bad(place, "is empty"));
        }
        check_names(place, &names)?;
        let columns = chosen(spec.column.as_deref(), place, &names)?;
        let mut kept = empty(table.name.clone(), &names, &columns);
        for (to, from) in kept.columns.iter_mut().zip(columns) {
            *to = std::mem::take(&mut table.columns[from]);
        }
        *table = kept;
        self.rows.finish(place)
    }
}
