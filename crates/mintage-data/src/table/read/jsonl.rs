//! JSON Lines: an object a line, a key a column, in the order in which the keys first come.
//!
//! Numbers stay as they are written, whatever their size; objects and lists become their JSON text.

use std::{collections::HashMap, fmt, io::BufRead, path::Path};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    super::{
        Column, Declaration, Table, Type,
        made::{MadeRows, row_hash},
        text_file::with_text,
    },
    Rows, check_names, chosen, empty, stem,
};
use crate::{Error, SourceSpec};

pub(crate) fn read(path: &Path, spec: &SourceSpec) -> Result<Table, Error> {
    with_text(path, |text| read_text(path, text, spec))
}

fn read_text(path: &Path, text: &mut dyn BufRead, spec: &SourceSpec) -> Result<Table, Error> {
    let place = path.display().to_string();
    let mut reading = Reading::new(Table { name: stem(path), ..Table::default() }, spec);
    let mut made = MadeRows::of(path, spec)?;
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        if text.read_until(b'\n', &mut line).map_err(Error::io(path))? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let bad = |error: serde_json::Error| {
            // The line of the parser is always the first.
            let why = error.to_string().replace(" at line 1", " at");
            Error::bad(format!("{place}, line {number}"), why).with_hint("every line must be a JSON object")
        };
        let object: Object = serde_json::from_slice(&line).map_err(bad)?;
        if !made.is_empty() && made.has(hash(&object)) {
            reading.rows.leave_out_made();
        } else {
            reading.add(&object).map_err(bad)?;
        }
        if reading.kinds.len() > super::super::csv::MAX_COLUMNS {
            break;
        }
    }
    made.check(&place)?;
    reading.finish(&place, spec)
}

/// By keys and values, whose order means nothing; null is as good as none.
fn hash(Object(entries): &Object) -> u64 {
    let cells = entries.iter().filter(|(_, value)| value.get() != "null");
    row_hash(cells.map(|(key, value)| (xxh3_64(key.as_bytes()), Some(value.get().as_bytes()))))
}

/// The hashes of the rows of a file, at most so many.
pub(crate) fn hashes(path: &Path, most: usize) -> Result<Vec<u64>, Error> {
    with_text(path, |text| {
        let (mut hashes, mut line) = (Vec::new(), Vec::new());
        while hashes.len() < most && text.read_until(b'\n', &mut line).map_err(Error::io(path))? > 0 {
            if !line.trim_ascii().is_empty() {
                let object = serde_json::from_slice(&line)
                    .map_err(|error| Error::bad(path.display().to_string(), error.to_string()))?;
                hashes.push(hash(&object));
            }
            line.clear();
        }
        Ok(hashes)
    })
}

/// Keys and values of one object, in their order.
struct Object<'a>(Vec<(String, &'a RawValue)>);

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
struct Reading {
    rows: Rows,
    place_of: HashMap<String, usize>,
    kinds: Vec<Seen>,
    /// The row in which each column had its last cell, from 1.
    filled: Vec<usize>,
    row: usize,
}

impl Reading {
    fn new(table: Table, spec: &SourceSpec) -> Self {
        let rows = Rows::new(table, spec);
        Self { rows, place_of: HashMap::new(), kinds: Vec::new(), filled: Vec::new(), row: 0 }
    }

    fn add(&mut self, Object(entries): &Object) -> serde_json::Result<()> {
        self.row += 1;
        let keeps = self.rows.keeps_next();
        for (key, value) in entries {
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
                seen.text = true;
                column.push(Some(&serde_json::from_str::<String>(raw)?));
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

    fn finish(mut self, place: &str, spec: &SourceSpec) -> Result<Table, Error> {
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
