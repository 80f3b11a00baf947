//! JSON Lines: an object a line, a key a column, in the order in which the keys first come.
//!
//! Numbers stay as they are written, whatever their size; objects and lists become their JSON text. What does not come
//! line by line is read by `json.rs`.

use std::{
    io::{BufRead, Cursor, Read},
    path::Path,
};

use serde::de::IgnoredAny;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    super::{
        Table,
        made::{MadeRows, row_hash},
        text_file::{with_encoded_text_in, with_text},
        write::encoding_named,
    },
    json::{Wrong, read_values, with_object},
    objects::{Object, Reading},
    rows::{Sieve, again},
    stem,
};
use crate::{Error, SourceSpec};

/// Bytes that one line may have.
const MAX_LINE_BYTES: u64 = 64 << 20;

pub(crate) fn read(
    path: &Path,
    spec: &SourceSpec,
    mut sieve: Option<&mut dyn Sieve>,
) -> Result<Table, Error> {
    let encoding = spec.encoding.as_deref().map(encoding_named).transpose()?;
    with_encoded_text_in(path, encoding, |text, _| read_text(path, text, (spec, again(&mut sieve))))
}

fn read_text(
    path: &Path,
    text: &mut dyn BufRead,
    (spec, sieve): (&SourceSpec, Option<&mut dyn Sieve>),
) -> Result<Table, Error> {
    let place = path.display().to_string();
    let wrong = |line: u64, why: String| {
        Error::bad(format!("{place}, line {line}"), why)
            .with_hint("write one JSON object a line, or a list of objects: [{…}, {…}]")
    };
    let mut reading = Reading::new(Table { name: stem(path), ..Table::default() }, spec, sieve);
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
