//! JSON as Python and others write it: a list of objects, objects one after another over several lines, and documents
//! in which a table lies: `{"data": [{…}]}`, `{"a": [1, 2]}`, and what pandas calls the orients split, table and columns.

use std::{borrow::Cow, collections::HashMap, io::BufRead};

use serde_json::value::RawValue;

use super::objects::{Object, Reading};

/// Bytes that one value may have: an object of a list, or a whole document.
const MAX_VALUE_BYTES: usize = 256 << 20;

/// What is wrong, and in which line.
pub(super) struct Wrong {
    pub line: u64,
    pub why: String,
}

impl From<std::io::Error> for Wrong {
    fn from(error: std::io::Error) -> Self {
        Self { line: 0, why: error.to_string() }
    }
}

/// Adds every object of a text that begins with a list, or with an object that ends in another line. `is_document`:
/// a single object may be a table in itself.
pub(super) fn read_values(
    text: &mut dyn BufRead,
    reading: &mut Reading,
    is_document: bool,
) -> Result<(), Wrong> {
    let mut values = Values::new(text);
    values.enter()?;
    let Some(first) = values.next()? else { return Ok(()) };
    let mut next = values.next()?;
    if next.is_none() && !values.in_list && is_document {
        return read_document(&first, reading).map_err(|why| Wrong { line: first.line, why });
    }
    add(&first, reading)?;
    while let Some(value) = next {
        add(&value, reading)?;
        next = values.next()?;
    }
    Ok(())
}

fn add(value: &Value, reading: &mut Reading) -> Result<(), Wrong> {
    let wrong = |why: String| Wrong { line: value.line, why };
    if value.bytes.first() == Some(&b'[') {
        return Err(wrong("is a list where an object is needed, with a name for each value".to_owned()));
    }
    with_object(&value.bytes, |object| reading.add(object)).map_err(|error| wrong(words(&error)))
}

/// What the parser says, without its own count of lines.
pub(super) fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// Parses an object, in which NaN and Infinity may stand for numbers as Python writes them.
pub(super) fn with_object<T>(
    bytes: &[u8],
    use_it: impl FnOnce(&Object) -> serde_json::Result<T>,
) -> serde_json::Result<T> {
    match serde_json::from_slice::<Object>(bytes) {
        Ok(object) => use_it(&object),
        Err(error) => match quoted_numbers(bytes) {
            Cow::Owned(quoted) => use_it(&serde_json::from_slice(&quoted)?),
            Cow::Borrowed(_) => Err(error),
        },
    }
}

/// The same JSON with quotes around NaN, Infinity and -Infinity.
fn quoted_numbers(bytes: &[u8]) -> Cow<'_, [u8]> {
    let names: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let (mut out, mut from, mut at, mut in_text) = (Vec::new(), 0, 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            _ => {
                if let Some(name) = names.iter().find(|name| bytes[at..].starts_with(name)) {
                    out.extend([&bytes[from..at], b"\"", name, b"\""].concat());
                    at += name.len();
                    from = at;
                    continue;
                }
            }
        }
        at += 1;
    }
    if out.is_empty() {
        return Cow::Borrowed(bytes);
    }
    out.extend(&bytes[from..]);
    Cow::Owned(out)
}

/// A value of a list, or one of several after one another.
struct Value {
    line: u64,
    bytes: Vec<u8>,
}

/// Splits a text of JSON into values, without looking at what is in them.
struct Values<'a> {
    text: &'a mut dyn BufRead,
    in_list: bool,
    line: u64,
}

impl<'a> Values<'a> {
    fn new(text: &'a mut dyn BufRead) -> Self {
        Self { text, in_list: false, line: 1 }
    }

    /// Passes over the beginning of a list.
    fn enter(&mut self) -> Result<(), Wrong> {
        if self.peek()? == Some(b'[') {
            self.text.consume(1);
            self.in_list = true;
        }
        Ok(())
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Result<Option<u8>, Wrong> {
        loop {
            let Some(&byte) = self.text.fill_buf()?.first() else { return Ok(None) };
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.line += u64::from(byte == b'\n');
            self.text.consume(1);
        }
    }

    fn next(&mut self) -> Result<Option<Value>, Wrong> {
        let mut byte = self.peek()?;
        if byte == Some(b',') {
            self.text.consume(1);
            byte = self.peek()?;
        }
        match byte {
            None if self.in_list => Err(Wrong { line: self.line, why: "the list has no end".to_owned() }),
            None => Ok(None),
            Some(b']') if self.in_list => {
                self.text.consume(1);
                Ok(None)
            }
            Some(_) => self.value().map(Some),
        }
    }

    /// All bytes of the value that begins here.
    fn value(&mut self) -> Result<Value, Wrong> {
        let mut value = Value { line: self.line, bytes: Vec::new() };
        let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
        loop {
            let chunk = self.text.fill_buf()?;
            if chunk.is_empty() {
                return Ok(value);
            }
            let mut used = 0;
            let mut done = false;
            for &byte in chunk {
                let ends_scalar = depth == 0 && !in_text && matches!(byte, b',' | b']' | b'}' | b'\n');
                if ends_scalar && !value.bytes.is_empty() {
                    done = true;
                    break;
                }
                used += 1;
                self.line += u64::from(byte == b'\n');
                value.bytes.push(byte);
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if in_text => escaped = true,
                    b'"' => in_text = !in_text,
                    b'{' | b'[' if !in_text => depth += 1,
                    b'}' | b']' if !in_text => {
                        depth = depth.saturating_sub(1);
                        done = depth == 0;
                    }
                    _ => {}
                }
                if done {
                    break;
                }
            }
            self.text.consume(used);
            if done {
                return Ok(value);
            }
            if value.bytes.len() > MAX_VALUE_BYTES {
                let why = format!("begins a value of more than {} MiB", MAX_VALUE_BYTES >> 20);
                return Err(Wrong { line: value.line, why });
            }
        }
    }
}

/// Columns of a document, each with its values.
type Columns<'a> = Vec<(String, Vec<&'a RawValue>)>;

/// Adds the rows of the table that a single object is.
fn read_document(value: &Value, reading: &mut Reading) -> Result<(), String> {
    with_object(&value.bytes, |object| Ok(read_entries(object, reading))).map_err(|error| words(&error))?
}

fn read_entries(Object(entries): &Object, reading: &mut Reading) -> Result<(), String> {
    let begins = |value: &RawValue, with: u8| value.get().as_bytes().first() == Some(&with);
    let is_list_of = |value: &RawValue, what: u8| {
        begins(value, b'[') && value.get()[1..].trim_start().as_bytes().first() == Some(&what)
    };
    let named = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
    let mut lists = entries.iter().filter(|(_, value)| is_list_of(value, b'{'));
    if let (Some((_, list)), None) = (lists.next(), lists.next()) {
        let rows: Vec<Object> = parsed(list)?;
        return rows.iter().try_for_each(|row| reading.add(row)).map_err(|error| words(&error));
    }
    let columns = if let (Some(names), Some(data)) = (named("columns"), named("data"))
        && begins(names, b'[')
        && is_list_of(data, b'[')
    {
        split(names, data)?
    } else if entries.iter().all(|(_, value)| begins(value, b'[')) {
        entries.iter().map(|(name, list)| Ok((name.clone(), parsed(list)?))).collect::<Result<_, String>>()?
    } else if entries.iter().all(|(_, value)| begins(value, b'{')) {
        by_index(entries)?
    } else {
        let why = "is one object, and no list of objects is in it";
        return Err(why.to_owned());
    };
    let rows = columns.first().map_or(0, |(_, values)| values.len());
    if let Some((name, values)) = columns.iter().find(|(_, values)| values.len() != rows) {
        return Err(format!("`{name}` has {} values, and `{}` has {rows}", values.len(), columns[0].0));
    }
    for row in 0..rows {
        let entries = columns.iter().map(|(name, values)| (name.clone(), values[row])).collect();
        reading.add(&Object(entries)).map_err(|error| words(&error))?;
    }
    Ok(())
}

fn parsed<'a, T: serde::Deserialize<'a>>(value: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(value.get()).map_err(|error| words(&error))
}

/// `{"columns": ["a"], "data": [[1]]}`.
fn split<'a>(names: &'a RawValue, data: &'a RawValue) -> Result<Columns<'a>, String> {
    let names: Vec<serde_json::Value> = parsed(names)?;
    let name = |name: serde_json::Value| name.as_str().map_or_else(|| name.to_string(), str::to_owned);
    let mut columns: Columns = names.into_iter().map(|value| (name(value), Vec::new())).collect();
    let rows: Vec<Vec<&RawValue>> = parsed(data)?;
    for row in rows {
        if row.len() != columns.len() {
            return Err(format!("a row has {} values, and there are {} columns", row.len(), columns.len()));
        }
        columns.iter_mut().zip(row).for_each(|((_, values), value)| values.push(value));
    }
    Ok(columns)
}

/// `{"a": {"0": 1, "1": 2}}`: a value for each name of a row.
fn by_index<'a>(entries: &[(String, &'a RawValue)]) -> Result<Columns<'a>, String> {
    let Some((_, first)) = entries.first() else { return Ok(Vec::new()) };
    let Object(first): Object = parsed(first)?;
    let place: HashMap<String, usize> =
        first.into_iter().enumerate().map(|(place, (key, _))| (key, place)).collect();
    let column = |(name, value): &(String, &'a RawValue)| {
        let Object(cells): Object = parsed(value)?;
        let mut values: Vec<Option<&RawValue>> = vec![None; place.len()];
        for (key, value) in cells {
            let place =
                place.get(&key).ok_or_else(|| format!("`{name}` has a row `{key}` that others lack"))?;
            values[*place] = Some(value);
        }
        let lacks = || format!("`{name}` lacks rows that others have");
        Ok((name.clone(), values.into_iter().collect::<Option<Vec<_>>>().ok_or_else(lacks)?))
    };
    entries.iter().map(column).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_that_json_lacks_are_quoted() {
        let quoted = |text: &str| String::from_utf8(quoted_numbers(text.as_bytes()).into_owned()).unwrap();
        assert_eq!(
            quoted(r#"{"a":NaN,"b":[-Infinity, Infinity]}"#),
            r#"{"a":"NaN","b":["-Infinity", "Infinity"]}"#
        );
        assert_eq!(quoted(r#"{"NaN":"x \"NaN","b":1}"#), r#"{"NaN":"x \"NaN","b":1}"#);
    }

    #[test]
    fn values_are_split_whatever_is_in_them() {
        let split = |mut text: &[u8]| {
            let mut values = Values::new(&mut text);
            values.enter().ok().unwrap();
            let mut found = Vec::new();
            while let Some(value) = values.next().ok().unwrap() {
                found.push((value.line, String::from_utf8(value.bytes).unwrap()));
            }
            found
        };
        let found = split(b"[ {\"a\": \"]},\\\"\"},\n 7, [1, {}],\n\n{\n}]");
        let wanted = [(1, "{\"a\": \"]},\\\"\"}"), (2, "7"), (2, "[1, {}]"), (4, "{\n}")];
        assert_eq!(found, wanted.map(|(line, text)| (line, text.to_owned())));
        assert_eq!(split(b"{\n}{}\n{}").len(), 3);
        let mut text: &[u8] = b"[{}, {}";
        let mut values = Values::new(&mut text);
        values.enter().ok().unwrap();
        assert!(values.next().is_ok() && values.next().is_ok() && values.next().is_err());
    }
}
