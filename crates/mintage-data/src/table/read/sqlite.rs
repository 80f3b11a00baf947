//! Tables and queries of a SQLite file, read within one read-only transaction.
//!
//! SQLite keeps a type a cell: a column's own type is what it was declared as, as far as its cells agree.

pub(super) mod constraints;

use std::{collections::HashMap, path::Path};

use rusqlite::{Connection, OptionalExtension, Row, types::ValueRef};

use super::{
    super::{Declaration, Table, Type},
    Rows, Sieve, check_names, chosen, empty,
    real::{only_real, over_real_rows},
    real_text,
};
use crate::{
    Error, SourceSpec,
    store::{
        PROVENANCE_COLUMN, check_table, quoted,
        sqlite::{columns, open_read_only, tables, views},
    },
};

/// Names and numbers of rows of all tables, and of the view that is `wanted`, without the rows that Mintage made.
pub(super) fn tables_of(path: &Path, wanted: Option<&str>) -> Result<Vec<(String, usize)>, Error> {
    let connection = open_read_only(path)?;
    let count = |table: String| {
        let names = columns(&connection, &table)?;
        let from = real_view(&connection, &table)?.unwrap_or_else(|| quoted(&table));
        let sql = format!("SELECT count(*) FROM {from}{}", only_real(names.iter().map(String::as_str)));
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map(|rows| (table, rows as usize))
    };
    let all = tables(&connection).and_then(|mut all| {
        all.extend(views(&connection)?.into_iter().filter(|view| Some(view.as_str()) == wanted));
        all.into_iter().map(count).collect()
    });
    all.map_err(Error::sqlite(path))
}

pub(super) fn read(path: &Path, spec: &SourceSpec, sieve: Option<&mut dyn Sieve>) -> Result<Table, Error> {
    let mut connection = open_read_only(path)?;
    let transaction = connection.transaction().map_err(Error::sqlite(path))?;
    match &spec.query {
        Some(query) => read_query(&transaction, path, query, (spec, sieve)),
        None => read_table(&transaction, path, (spec, sieve)),
    }
}

fn read_table(
    connection: &Connection,
    path: &Path,
    (spec, sieve): (&SourceSpec, Option<&mut dyn Sieve>),
) -> Result<Table, Error> {
    let name = choose(connection, path, spec)?;
    let place = format!("{}: table `{name}`", path.display());
    let declared = declarations(connection, &name).map_err(Error::sqlite(path))?;
    let mut names: Vec<String> = declared.iter().map(|(name, _)| name.clone()).collect();
    let filter = only_real(names.iter().map(String::as_str));
    names.retain(|name| name != PROVENANCE_COLUMN);
    check_names(&place, &names)?;
    let columns = chosen(spec.column.as_deref(), &place, &names)?;
    let mut table = empty(name.clone(), &names, &columns);
    for column in &mut table.columns {
        let own = declared.iter().find(|(name, _)| *name == column.name);
        column.declaration = own.map(|(_, declaration)| declaration.clone()).unwrap_or_default();
    }
    table.constraints = constraints::constraints(connection, &name).map_err(Error::sqlite(path))?;
    let list: Vec<String> = table.names().map(quoted).collect();
    let from = real_view(connection, &name).map_err(Error::sqlite(path))?.unwrap_or_else(|| quoted(&name));
    let sql = format!("SELECT {} FROM {from}{filter}", list.join(", "));
    let mut statement = connection.prepare(&sql).map_err(Error::sqlite(path))?;
    let mut reading = Reading::new(Rows::new(table, spec, sieve), (0..list.len()).collect(), None);
    let mut cursor = statement.query([]).map_err(Error::sqlite(path))?;
    while let Some(row) = cursor.next().map_err(Error::sqlite(path))? {
        reading.add(row).map_err(Error::sqlite(path))?;
    }
    reading.finish(&place, spec.column.is_some())
}

fn read_query(
    connection: &Connection,
    path: &Path,
    query: &str,
    (spec, sieve): (&SourceSpec, Option<&mut dyn Sieve>),
) -> Result<Table, Error> {
    let place = format!("{}: the query", path.display());
    let wrong = |error: rusqlite::Error| Error::bad(&place, error.to_string());
    // A query that asks for what only a table has, such as its rowid, is taken as it is.
    let real = over_real_rows(query, &marked_tables(connection).map_err(Error::sqlite(path))?);
    let real = real.and_then(|real| connection.prepare(&real).ok());
    let mut statement = real.map_or_else(|| connection.prepare(query), Ok).map_err(wrong)?;
    let all: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mark = all.iter().position(|name| name == PROVENANCE_COLUMN);
    let sources: Vec<usize> = (0..all.len()).filter(|&i| Some(i) != mark).collect();
    let names: Vec<String> = sources.iter().map(|&i| all[i].clone()).collect();
    check_names(&place, &names)?;
    let columns = chosen(spec.column.as_deref(), &place, &names)?;
    let table = empty(spec.table.clone().unwrap_or("query".to_owned()), &names, &columns);
    let sources = columns.iter().map(|&column| sources[column]).collect();
    let mut reading = Reading::new(Rows::new(table, spec, sieve), sources, mark);
    let mut cursor = statement.query([]).map_err(wrong)?;
    while let Some(row) = cursor.next().map_err(wrong)? {
        reading.add(row).map_err(wrong)?;
    }
    reading.finish(&place, spec.column.is_some())
}

/// The table that is asked for, or the only one.
fn choose(connection: &Connection, path: &Path, spec: &SourceSpec) -> Result<String, Error> {
    let place = path.display().to_string();
    let mut all = tables(connection).map_err(Error::sqlite(path))?;
    if let Some(table) = &spec.table {
        all.extend(views(connection).map_err(Error::sqlite(path))?);
        check_table(&place, table, &all)?;
        return Ok(table.clone());
    }
    super::the_only(&place, &mut all)
}

/// A view over the real rows of its tables, in SQL; nothing for what is no view, or a view of no table with others.
fn real_view(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT sql FROM sqlite_master WHERE type = 'view' AND name = ?1";
    let made: Option<String> = connection.query_row(sql, [name], |row| row.get(0)).optional()?;
    let Some(query) = made.as_deref().and_then(constraints::query_of_view) else { return Ok(None) };
    let real = over_real_rows(query, &marked_tables(connection)?).map(|real| format!("({real}\n)"));
    // What cannot be said so, such as a view of rowids, is read as it is.
    Ok(real.filter(|real| connection.prepare(&format!("SELECT * FROM {real}")).is_ok()))
}

/// Tables with rows that may have been made, by name and in SQL.
fn marked_tables(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut marked = tables(connection)?;
    marked.retain(|table| {
        columns(connection, table).is_ok_and(|all| all.iter().any(|name| name == PROVENANCE_COLUMN))
    });
    Ok(marked.into_iter().map(|table| (table.clone(), format!("main.{}", quoted(&table)))).collect())
}

/// Names and declarations of the columns of a table, those that SQLite computes with them.
fn declarations(connection: &Connection, table: &str) -> rusqlite::Result<Vec<(String, Declaration)>> {
    let unique = unique_columns(connection, table)?;
    let references = references(connection, table)?;
    let sql = "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1";
    let mut statement = connection.prepare(sql)?;
    let declaration = |row: &Row| {
        let (name, native): (String, String) = (row.get(0)?, row.get(1)?);
        let declaration = Declaration {
            ty: declared_type(&native).unwrap_or_default(),
            native: Some(native).filter(|native| !native.is_empty()),
            primary_key: row.get::<_, i64>(3)? > 0,
            unique: unique.contains(&name),
            not_null: row.get(2)?,
            refers_to: references.get(&name).cloned(),
            ..Declaration::default()
        };
        Ok((name, declaration))
    };
    statement.query_map([table], declaration)?.collect()
}

/// Columns with a unique index of their own.
fn unique_columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT max(i.name) FROM pragma_index_list(?1) AS l, pragma_index_info(l.name) AS i \
               WHERE l.\"unique\" AND NOT l.partial AND l.origin <> 'pk' \
               GROUP BY l.name HAVING count(*) = 1 AND max(i.name) IS NOT NULL";
    connection.prepare(sql)?.query_map([table], |row| row.get(0))?.collect()
}

/// For each column that refers to another table, `table.column`; a key of several columns is left out.
fn references(connection: &Connection, table: &str) -> rusqlite::Result<HashMap<String, String>> {
    let sql = "SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list(?1) AS f \
               WHERE (SELECT count(*) FROM pragma_foreign_key_list(?1) AS g WHERE g.id = f.id) = 1";
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map([table], |row| {
        let (from, other, to): (String, String, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((from, other, to))
    })?;
    let mut references = HashMap::new();
    for reference in found {
        let (from, other, to) = reference?;
        // Without a column, the primary key is meant.
        let key = || {
            let sql = "SELECT name FROM pragma_table_info(?1) WHERE pk = 1";
            connection.query_row(sql, [&other], |row| row.get::<_, String>(0)).ok()
        };
        if let Some(to) = to.or_else(key) {
            references.insert(from, format!("{other}.{to}"));
        }
    }
    Ok(references)
}

/// What the name of a type means, where it is a usual one.
pub(crate) fn declared_type(native: &str) -> Option<Type> {
    const MEANINGS: [(&[&str], Type); 12] = [
        (&["BOOL"], Type::Boolean),
        (&["UUID", "GUID"], Type::Uuid),
        (&["JSON"], Type::Json),
        (&["TIMESTAMPTZ", "WITH TIME ZONE"], Type::TimestampTz),
        (&["DATETIME", "TIMESTAMP"], Type::Timestamp),
        (&["DATE"], Type::Date),
        (&["TIME"], Type::Time),
        (&["INT"], Type::Integer),
        (&["CHAR", "CLOB", "TEXT"], Type::Text),
        (&["REAL", "FLOA", "DOUB"], Type::Real),
        (&["DEC", "NUM"], Type::Decimal),
        (&["STRING"], Type::Text),
    ];
    let native = native.to_uppercase();
    MEANINGS.iter().find(|(names, _)| names.iter().any(|name| native.contains(name))).map(|(_, ty)| *ty)
}

/// Kinds of cells seen in a column.
#[derive(Clone, Copy, Default)]
struct Seen {
    integer: bool,
    real: bool,
    text: bool,
    blob: bool,
    not_utf8: bool,
}

impl Seen {
    /// The type that cells alone tell.
    fn ty(self) -> Type {
        match self {
            Self { text: true, .. } => Type::Text,
            Self { real: true, .. } => Type::Real,
            Self { integer: true, .. } => Type::Integer,
            _ => Type::Text,
        }
    }

    /// Whether all cells are what `ty` says.
    fn agrees_with(self, ty: Type) -> bool {
        match ty {
            Type::Integer => !self.real && !self.text,
            Type::Real | Type::Decimal | Type::Boolean => !self.text,
            Type::Date | Type::Time | Type::Timestamp | Type::TimestampTz => !self.integer && !self.real,
            Type::Text | Type::Uuid | Type::Json => true,
        }
    }
}

/// Rows on their way from a statement into a table.
struct Reading<'a> {
    rows: Rows<'a>,
    /// For each column of the table its place in the statement.
    sources: Vec<usize>,
    /// The place of the column `mintage` in the statement: rows with a value there are skipped.
    mark: Option<usize>,
    seen: Vec<Seen>,
}

impl<'a> Reading<'a> {
    fn new(rows: Rows<'a>, sources: Vec<usize>, mark: Option<usize>) -> Self {
        let seen = vec![Seen::default(); sources.len()];
        Self { rows, sources, mark, seen }
    }

    fn add(&mut self, row: &Row) -> rusqlite::Result<()> {
        if let Some(mark) = self.mark
            && row.get_ref(mark)? != ValueRef::Null
        {
            return Ok(());
        }
        if !self.rows.keeps_next() {
            return Ok(());
        }
        let columns = self.rows.table.columns.iter_mut();
        for ((&source, column), seen) in self.sources.iter().zip(columns).zip(&mut self.seen) {
            match row.get_ref(source)? {
                ValueRef::Null => column.push(None),
                ValueRef::Integer(x) => {
                    seen.integer = true;
                    column.push(Some(&x.to_string()));
                }
                ValueRef::Real(x) => {
                    seen.real = true;
                    column.push(Some(&real_text(x)));
                }
                ValueRef::Text(bytes) => {
                    seen.text = true;
                    let text = String::from_utf8_lossy(bytes);
                    seen.not_utf8 |= matches!(text, std::borrow::Cow::Owned(_));
                    column.push(Some(&text));
                }
                ValueRef::Blob(_) => {
                    seen.blob = true;
                    column.push(None);
                }
            }
        }
        Ok(())
    }

    /// Types that cells contradict are corrected; columns of BLOBs are left out, or an error when they were
    /// asked for by name.
    fn finish(mut self, place: &str, asked_for: bool) -> Result<Table, Error> {
        let table = &mut self.rows.table;
        for (column, seen) in table.columns.iter_mut().zip(&self.seen) {
            let name = &column.name;
            let ty = column.declaration.ty;
            // A type without a meaning here is as good as none.
            let known = column.declaration.native.as_deref().and_then(declared_type).is_some();
            if !known || !seen.agrees_with(ty) {
                column.declaration.ty = seen.ty();
            }
            if seen.blob && asked_for {
                return Err(Error::bad(
                    place,
                    format!("column `{name}` holds BLOBs, which no table model learns"),
                ));
            }
            if seen.blob {
                table.notes.push(format!("column `{name}` holds BLOBs and was left out"));
            }
            if seen.not_utf8 {
                table.notes.push(format!("column `{name}` holds bytes that are no UTF-8: they became �"));
            }
        }
        let mut seen = self.seen.iter();
        table.columns.retain(|_| seen.next().is_none_or(|seen| !seen.blob));
        if table.columns.is_empty() {
            return Err(Error::bad(place, "holds nothing but BLOBs, and no images").with_hint(
                "images are BLOBs of PNG, JPEG, GIF, WebP or BMP bytes; `mintage inspect` shows the columns",
            ));
        }
        self.rows.finish(place)
    }
}
