//! What a SQLite table declares of its rows: checks and computed columns from the words that made it, keys and
//! references from its catalogue.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use crate::table::rules::Constraint;

/// Reads the constraints of a table from its definition and the database's catalogue.
///
/// # Errors
/// The database cannot be read.
pub fn constraints(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Constraint>> {
    let sql = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?1";
    let made: Option<Option<String>> = connection.query_row(sql, [table], |row| row.get(0)).optional()?;
    let mut all = of_definition(&made.flatten().unwrap_or_default());
    all.extend(primary_key(connection, table)?);
    all.extend(unique_indexes(connection, table)?);
    all.extend(references(connection, table)?);
    Ok(all)
}

fn primary_key(connection: &Connection, table: &str) -> rusqlite::Result<Option<Constraint>> {
    let sql = "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk";
    let mut statement = connection.prepare(sql)?;
    let key = statement.query_map([table], |row| row.get(0))?;
    let key = key.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok((!key.is_empty()).then_some(Constraint::key(key)))
}

/// Unique indexes, one over a part of the rows with its condition.
fn unique_indexes(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Constraint>> {
    let sql = "SELECT l.name, m.sql FROM pragma_index_list(?1) AS l JOIN sqlite_master AS m ON m.name = l.name \
               WHERE l.partial";
    let mut statement = connection.prepare(sql)?;
    let partial = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let partial = partial.collect::<rusqlite::Result<HashMap<String, String>>>()?;
    let sql = "SELECT l.name, i.name FROM pragma_index_list(?1) AS l, pragma_index_info(l.name) AS i \
               WHERE l.\"unique\" AND l.origin <> 'pk' ORDER BY l.seq, i.seqno";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut indexes: Vec<(String, Vec<Option<String>>)> = Vec::new();
    for row in rows {
        let (index, column): (String, Option<String>) = row?;
        match indexes.last_mut().filter(|(last, _)| *last == index) {
            Some((_, columns)) => columns.push(column),
            None => indexes.push((index, vec![column])),
        }
    }
    let constraint = |(index, columns): (String, Vec<Option<String>>)| {
        let columns: Option<Vec<String>> = columns.into_iter().collect();
        let condition = partial.get(&index).and_then(|sql| condition(sql));
        match columns {
            None => Constraint::Other(format!("the unique index {index} over an expression")),
            Some(columns) => Constraint::Unique { columns, condition },
        }
    };
    Ok(indexes.into_iter().map(constraint).collect())
}

/// The query of a CREATE VIEW that names no columns of its own.
pub fn query_of_view(sql: &str) -> Option<&str> {
    let pieces = pieces(sql);
    let at = pieces.iter().position(|&piece| is_word(sql, piece, "as"))?;
    let plain = !pieces[..at].iter().any(|piece| matches!(piece, Piece::Open(_)));
    match pieces[at] {
        Piece::Word(_, end) if plain => Some(sql[end..].trim()),
        _ => None,
    }
}

/// The condition of a CREATE INDEX: what follows WHERE behind its columns.
fn condition(sql: &str) -> Option<String> {
    let pieces = pieces(sql);
    let open = pieces.iter().position(|piece| matches!(piece, Piece::Open(_)))?;
    match pieces.get(closing(&pieces, open) + 1)? {
        &piece @ Piece::Word(_, end) if is_word(sql, piece, "where") => Some(sql[end..].trim().to_owned()),
        _ => None,
    }
}

/// Columns that refer to another table together.
fn references(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Constraint>> {
    let sql = "SELECT id, \"from\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([table], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let mut keys: Vec<(i64, Vec<String>)> = Vec::new();
    for row in rows {
        let (id, column) = row?;
        match keys.last_mut().filter(|(last, _)| *last == id) {
            Some((_, columns)) => columns.push(column),
            None => keys.push((id, vec![column])),
        }
    }
    let several = keys.into_iter().filter(|(_, columns)| columns.len() > 1);
    Ok(several.map(|(_, columns)| Constraint::References(columns)).collect())
}

/// A piece of SQL, by where it lies in the text.
#[derive(Clone, Copy, PartialEq)]
enum Piece {
    Word(usize, usize),
    Quoted(usize, usize),
    Open(usize),
    Close(usize),
    Comma,
    Other,
}

/// The checks and the computed columns of a CREATE TABLE.
fn of_definition(sql: &str) -> Vec<Constraint> {
    let pieces = pieces(sql);
    let Some(open) = pieces.iter().position(|piece| matches!(piece, Piece::Open(_))) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    // The column that is being declared; the first piece of a definition names it.
    let mut column: Option<String> = None;
    let (mut at, mut is_first) = (open + 1, true);
    while at < pieces.len() {
        match pieces[at] {
            Piece::Close(_) => break,
            Piece::Comma => is_first = true,
            piece if is_first => {
                column = name(sql, piece);
                is_first = false;
                // A constraint of the table has no name of a column before it.
                if is_word(sql, piece, "check") {
                    column = None;
                    continue;
                }
            }
            Piece::Open(_) => at = closing(&pieces, at),
            piece if is_word(sql, piece, "check") || is_word(sql, piece, "as") => {
                if let Some(Piece::Open(start)) = pieces.get(at + 1) {
                    let end = closing(&pieces, at + 1);
                    let Some(Piece::Close(stop)) = pieces.get(end) else { break };
                    let inner = sql[start + 1..*stop].trim().to_owned();
                    match &column {
                        _ if is_word(sql, piece, "check") => all.push(Constraint::Check(inner)),
                        Some(column) => {
                            all.push(Constraint::Generated { column: column.clone(), sql: inner });
                        }
                        None => {}
                    }
                    at = end;
                }
            }
            _ => {}
        }
        at += 1;
    }
    all
}

/// The place of the parenthesis that closes the one at `open`, or the end.
fn closing(pieces: &[Piece], open: usize) -> usize {
    let mut depth = 0;
    for (at, piece) in pieces.iter().enumerate().skip(open) {
        match piece {
            Piece::Open(_) => depth += 1,
            Piece::Close(_) => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    pieces.len()
}

fn is_word(sql: &str, piece: Piece, word: &str) -> bool {
    matches!(piece, Piece::Word(start, end) if sql[start..end].eq_ignore_ascii_case(word))
}

fn name(sql: &str, piece: Piece) -> Option<String> {
    match piece {
        Piece::Word(start, end) => Some(sql[start..end].to_owned()),
        Piece::Quoted(start, end) => {
            let mark = &sql[start..=start];
            // One that never ends is none.
            Some(sql.get(start + 1..end - 1)?.replace(&mark.repeat(2), mark))
        }
        _ => None,
    }
}

/// The pieces of a statement, without comments.
fn pieces(sql: &str) -> Vec<Piece> {
    let bytes = sql.as_bytes();
    let mut all = Vec::new();
    let mut at = 0;
    let find =
        |from: usize, what: &str| sql[from..].find(what).map_or(sql.len(), |len| from + len + what.len());
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'-' if sql[at..].starts_with("--") => at = find(at, "\n"),
            b'/' if sql[at..].starts_with("/*") => at = find(at + 2, "*/"),
            mark @ (b'\'' | b'"' | b'`' | b'[') => {
                let end = if mark == b'[' { b']' } else { mark };
                at += 1;
                while at < bytes.len() && (bytes[at] != end || end != b']' && bytes.get(at + 1) == Some(&end))
                {
                    at += if bytes[at] == end { 2 } else { 1 };
                }
                at = (at + 1).min(bytes.len());
                all.push(Piece::Quoted(start, at));
            }
            b'(' | b')' | b',' => {
                at += 1;
                all.push(match bytes[start] {
                    b'(' => Piece::Open(start),
                    b')' => Piece::Close(start),
                    _ => Piece::Comma,
                });
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => {
                let inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
                at += bytes[at..].iter().take_while(|byte| inside(byte)).count();
                all.push(Piece::Word(start, at));
            }
            byte => {
                at += 1;
                if !byte.is_ascii_whitespace() {
                    all.push(Piece::Other);
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_checks_and_computed_columns() {
        let sql = "CREATE TABLE \"check (a\" (id integer primary key, -- check (no)\n w real check(w > 0 and ')' <> w), \
                   \"the area\" real generated always as (w * (h + 1)) stored, [b c] as (w), h real default (1) /* check(x) */, \
                   constraint sane check (w<=h), CHECK (h < 5), unique (w, h))";
        let generated =
            |column: &str, sql: &str| Constraint::Generated { column: column.into(), sql: sql.into() };
        let expected = [
            Constraint::Check("w > 0 and ')' <> w".into()),
            generated("the area", "w * (h + 1)"),
            generated("b c", "w"),
            Constraint::Check("w<=h".into()),
            Constraint::Check("h < 5".into()),
        ];
        assert_eq!(of_definition(sql), expected);
    }

    #[test]
    fn reads_keys_and_references() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b));
                 CREATE TABLE t (x int, y int, z text, e text unique, PRIMARY KEY (y, x), FOREIGN KEY (x, y) REFERENCES p (a, b));
                 CREATE UNIQUE INDEX i ON t (x, z) WHERE z <> ''; CREATE UNIQUE INDEX j ON t (lower(z)); CREATE INDEX k ON t (z);",
            )
            .unwrap();
        let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<String>>();
        let found = constraints(&connection, "t").unwrap();
        for expected in [
            Constraint::key(own(&["y", "x"])),
            Constraint::Unique { columns: own(&["x", "z"]), condition: Some("z <> ''".into()) },
            Constraint::key(own(&["e"])),
            Constraint::References(own(&["x", "y"])),
            Constraint::Other("the unique index j over an expression".into()),
        ] {
            assert!(found.contains(&expected), "{expected:?} is not in {found:?}");
        }
        assert_eq!(found.len(), 5);
    }

    proptest! {
        #[test]
        fn any_text_is_harmless(text in "[-+*/(),.'\"`\\[\\]a-z0-9я \n]{0,60}") {
            let _ = of_definition(&format!("create table t ({text}"));
            let _ = of_definition(&format!("{text} check ({text})"));
        }
    }
}
