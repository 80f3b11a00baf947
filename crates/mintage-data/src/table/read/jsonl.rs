//! JSON Lines: an object a line, a key a column, in the order in which the keys first come.
//!
//! Numbers stay as they are written, whatever their size; objects and lists become their JSON text. What does not come
//! line by line is read by `json.rs`.

use std::{
    collections::HashMap,
    fmt,
    io::{BufRead, Cursor, Read},
    path::Path,
};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    super::{
        Column, Declaration, Table, Type,
        csv::MAX_COLUMNS,
        made::{MadeRows, row_hash},
        text_file::{with_encoded_text_in, with_text},
        write::encoding_named,
    },
    Rows, check_names, chosen, empty,
    json::{Wrong, read_values, with_object},
    stem,
};
use crate::{Error, SourceSpec};

/// Bytes that one line may have.
const MAX_LINE_BYTES: u64 = 64 << 20;

pub(crate) fn read(path: &Path, spec: &SourceSpec) -> Result<Table, Error> {
    let encoding = spec.encoding.as_deref().map(encoding_named).transpose()?;
    with_encoded_text_in(path, encoding, |text, _| read_text(path, text, spec))
}

fn read_text(path: &Path, text: &mut dyn BufRead, spec: &SourceSpec) -> Result<Table, Error> {
    let place = path.display().to_string();
    let wrong = |line: u64, why: String| {
        Error::bad(format!("{place}, line {line}"), why)
            .with_hint("write one JSON object a line, or a list of objects: [{…}, {…}]")
    };
    let mut reading = Reading::new(Table { name: stem(path), ..Table::default() }, spec);
    let mut made = MadeRows::of(path, spec)?;
    let is_document = place.to_lowercase().contains(".json") && !place.to_lowercase().contains(".jsonl");
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let read = (&mut *text).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).map_err(Error::io(path))?;
        if read == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        // What does not end where its first line does is read value by value.
        let is_first = reading.row == 0;
        let goes_on = || serde_json::from_slice::<IgnoredAny>(&line).is_err_and(|error| error.is_eof());
        let begins = line.trim_ascii_start().first().copied();
        let is_only = is_first && is_document && text.fill_buf().map_err(Error::io(path))?.is_empty();
        let is_whole = begins == Some(b'[') || begins == Some(b'{') && (is_only || goes_on());
        if is_first && is_whole {
            let mut all = Cursor::new(std::mem::take(&mut line)).chain(text);
            let done = read_values(&mut all, &mut reading, is_document);
            done.map_err(|Wrong { line, why }| wrong(number - 1 + line, why))?;
            break;
        }
        if line.len() as u64 >= MAX_LINE_BYTES {
            return Err(wrong(number, format!("is longer than {} MiB", MAX_LINE_BYTES >> 20)));
        }
        let add = |object: &Object| {
            if !made.is_empty() && made.has(hash(object)) {
                reading.rows.leave_out_made();
                return Ok(());
            }
            reading.add(object)
        };
        with_object(&line, add).map_err(|error| {
            // The line of the parser is always the first.
            wrong(number, error.to_string().replace(" at line 1", " at"))
        })?;
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
pub(super) struct Reading {
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
