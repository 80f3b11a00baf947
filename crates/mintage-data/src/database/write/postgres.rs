//! Tables of a PostgreSQL server, made anew or added to, all within one transaction.
//!
//! Keys between tables are added after all rows. Where rows are added to tables that are there, their keys are watched by the
//! server, parents first; where keys lead in a circle they are taken off and put back, within the same transaction.

use std::collections::HashSet;

use ::postgres::Transaction;

use super::{
    DatabaseWriting, Parts, Rows, TableWritten, WrittenDatabase, check_none_missing,
    copy::{RowCopy, words},
    ddl::{Part, is_kept, views_left_out},
    none_written, nothing_written,
    pg_ddl::{Optional, PgSchema, create_enum, orphans, space_of_type},
    renumber::{Present, Renumbering},
    types::empty_text,
};
use crate::{
    Error,
    database::{ForeignKey, Origin, Schema, Store, Table},
    store::{
        PROVENANCE_COLUMN, check_column,
        postgres::{Described, Found, SETTINGS, Server, add_provenance_column, described, failure, type_of},
        quoted,
    },
    table::{IfExists, Type, count_on},
};

/// Texts are read as the standard has it, whatever the server or the user is set to.
const STANDARD_TEXTS: &str = "SET LOCAL standard_conforming_strings TO on";

/// Writes all tables in one transaction.
pub(super) fn write(schema: &Schema, parts: Parts, how: &DatabaseWriting) -> Result<WrittenDatabase, Error> {
    let Server { mut client, place } = Server::connect(how.target, how.pg)?;
    let wrong = failure(&place);
    let mut transaction = client.transaction().map_err(&wrong)?;
    transaction.batch_execute(&format!("{SETTINGS}; {STANDARD_TEXTS}")).map_err(&wrong)?;
    let mut target = Target {
        transaction: &mut transaction,
        pg: PgSchema::of(schema, parts.first()),
        schema,
        place: &place,
        provenance: how.provenance,
        found: Vec::new(),
        filled: HashSet::new(),
        notes: Vec::new(),
    };
    let written = match how.if_exists {
        IfExists::Append => target.append(parts),
        if_exists => target.make(parts, if_exists),
    };
    let (tables, notes) = (written.map_err(nothing_written)?, target.notes);
    // What the server checks last of all fails here.
    transaction.commit().map_err(move |error| nothing_written(wrong(error)))?;
    Ok(WrittenDatabase { place, tables, notes })
}

/// A database within the only transaction that writes to it.
struct Target<'t, 'c> {
    transaction: &'t mut Transaction<'c>,
    pg: PgSchema<'t>,
    schema: &'t Schema,
    /// For messages.
    place: &'t str,
    provenance: Option<&'t str>,
    /// For each table of the schema what the server has.
    found: Vec<Option<Found>>,
    /// Columns that rows were written to, with the place of their table.
    filled: HashSet<(usize, String)>,
    notes: Vec<String>,
}

/// A key of the server that is taken off for a while.
struct TakenOff {
    table: String,
    name: String,
    definition: String,
}

impl<'t> Target<'t, '_> {
    /// A failure that is about one table.
    fn wrong(&self, table: &str) -> impl Fn(::postgres::Error) -> Error + use<> {
        let shown = self.shown(table);
        move |error| nothing_written(failure(&shown)(error))
    }

    fn shown(&self, table: &str) -> String {
        format!("{}: table `{table}`", self.place)
    }

    /// Makes all tables, in the place of those that are there if they may be replaced.
    fn make(&mut self, mut parts: Parts, if_exists: IfExists) -> Result<Vec<TableWritten>, Error> {
        let schema = self.schema;
        self.find_all()?;
        self.make_room(if_exists)?;
        self.notes.extend(views_left_out(schema));
        self.make_spaces()?;
        self.make_types()?;
        for table in &schema.tables {
            let mut first = parts.first().iter();
            let has_rows = first.any(|rows| rows.table == table.name && rows.rows.rows() > 0);
            self.make_table(table, has_rows && self.provenance.is_some())?;
        }
        self.find_all()?;
        for table in &schema.tables {
            let more = self.pg.before_rows(table, &mut self.notes);
            self.attempt_all(table, more)?;
        }
        let mut written = none_written(schema);
        while let Some(part) = parts.take_next()? {
            for rows in part.iter() {
                self.insert(rows, &mut written, PgSchema::has_exclusion)?;
            }
        }
        let keys: Vec<(usize, &ForeignKey)> = self.kept_keys();
        self.drop_orphans(&keys, &mut written)?;
        self.make_keys()?;
        for table in &schema.tables {
            let more = self.pg.indexes(table, Part::Index, &mut self.notes);
            self.attempt_all(table, more)?;
            if schema.store == Store::Postgres
                && table.ddl.iter().any(|sql| Part::of(sql) == Some(Part::Trigger))
            {
                let why = "its triggers are left out: they call functions of the source";
                self.notes.push(format!("{}: {why}", table.name));
            }
        }
        self.count_on_all()?;
        Ok(written)
    }

    /// Looks up all tables.
    fn find_all(&mut self) -> Result<(), Error> {
        let sql = "SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind IN ('r', 'p') \
                   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";
        self.found.clear();
        for table in &self.schema.tables {
            let wrong = self.wrong(&table.name);
            let row = self.transaction.query_opt(sql, &[&self.pg.table_name(&table.name)]).map_err(&wrong)?;
            let found = row.map(|row| -> Result<Found, ::postgres::Error> {
                Ok(Found { oid: row.try_get(0)?, sql: row.try_get(1)?, is_table: row.try_get(2)? })
            });
            self.found.push(found.transpose().map_err(&wrong)?);
        }
        Ok(())
    }

    /// What stands in the way of new tables: an error, unless it may be replaced.
    fn make_room(&mut self, if_exists: IfExists) -> Result<(), Error> {
        let there = self.schema.tables.iter().zip(&self.found);
        let there: Vec<(&Table, &Found)> =
            there.filter_map(|(table, found)| Some((table, found.as_ref()?))).collect();
        if there.is_empty() {
            return Ok(());
        }
        if let Some((table, _)) = there.iter().find(|(_, found)| !found.is_table) {
            return Err(Error::bad(self.shown(&table.name), "is there already, and is no table")
                .with_hint("write to another database, or drop it first"));
        }
        let names: Vec<String> = there.iter().map(|(table, _)| format!("`{}`", table.name)).collect();
        if if_exists == IfExists::Fail {
            let what = if names.len() == 1 { "the table" } else { "the tables" };
            let are = if names.len() == 1 { "is" } else { "are" };
            let why = format!("{what} {} {are} there already", names.join(", "));
            return Err(Error::bad(self.place, why)
                .with_hint("choose another database, or `if_exists` append or replace"));
        }
        let tables: Vec<&str> = there.iter().map(|(_, found)| found.sql.as_str()).collect();
        // At once, since they may refer to each other; what else refers to them keeps them.
        let drop = format!("DROP TABLE {}", tables.join(", "));
        let why = |error| nothing_written(failure(&format!("{}: {}", self.place, names.join(", ")))(error));
        self.transaction.batch_execute(&drop).map_err(why)
    }

    /// Makes the schemas of the server that tables and types are in.
    fn make_spaces(&mut self) -> Result<(), Error> {
        let tables = self.schema.tables.iter();
        let of_tables = tables.filter_map(|table| self.schema.store.split(&table.name).0).map(str::to_owned);
        let of_types = self.pg.enums().into_iter().filter_map(|(ty, _)| space_of_type(ty));
        let mut spaces: Vec<String> = of_tables.chain(of_types).collect();
        spaces.sort();
        spaces.dedup();
        let wrong = failure(self.place);
        for space in spaces {
            let sql = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
            if self.transaction.query_opt(sql, &[&space]).map_err(&wrong)?.is_none() {
                let create = format!("CREATE SCHEMA {}", quoted(&space));
                self.transaction.batch_execute(&create).map_err(&wrong)?;
            }
        }
        Ok(())
    }

    /// Makes the enums that are not there. A column whose type is not there, or is another one, gets texts.
    fn make_types(&mut self) -> Result<(), Error> {
        if self.schema.store != Store::Postgres {
            return Ok(());
        }
        let wrong = failure(self.place);
        for (ty, labels) in self.pg.enums() {
            if !self.has_type(ty).map_err(&wrong)? && is_name_of_type(ty) {
                self.transaction.execute(&create_enum(ty, labels), &[]).map_err(&wrong)?;
            }
        }
        for table in &self.schema.tables {
            for column in &table.columns {
                let is_there = self.has_type(&column.ty).map_err(&wrong)?
                    && (column.labels.is_empty()
                        || self.labels_of(&column.ty).map_err(&wrong)? == column.labels);
                if !is_there {
                    let why = format!("is text: the database has no type {} like the source's", column.ty);
                    self.notes.push(format!("{}: `{}` {why}", table.name, column.name));
                    self.pg.types.set(&table.name, &column.name, "text".to_owned());
                }
            }
        }
        Ok(())
    }

    /// Whether a text is the name of a type, and nothing else.
    fn has_type(&mut self, ty: &str) -> Result<bool, ::postgres::Error> {
        // What is no name at all is an error to some servers.
        let mut inner = self.transaction.transaction()?;
        let found = inner.query_one("SELECT to_regtype($1) IS NOT NULL", &[&ty]);
        match found {
            Ok(row) => {
                inner.commit()?;
                row.try_get(0)
            }
            Err(error) if error.as_db_error().is_some() => inner.rollback().map(|()| false),
            Err(error) => Err(error),
        }
    }

    /// The labels of an enum, in their order.
    fn labels_of(&mut self, ty: &str) -> Result<Vec<String>, ::postgres::Error> {
        let sql =
            "SELECT enumlabel::text FROM pg_enum WHERE enumtypid = to_regtype($1) ORDER BY enumsortorder";
        self.transaction.query(sql, &[&ty])?.iter().map(|row| row.try_get(0)).collect()
    }

    fn make_table(&mut self, table: &Table, is_marked: bool) -> Result<(), Error> {
        let wrong = self.wrong(&table.name);
        if PgSchema::has_computed(table) {
            let create = self.pg.create(table, is_marked, true);
            let Some(why) = self.attempt(&create).map_err(&wrong)? else { return Ok(()) };
            self.notes.push(format!("{}: computed columns are ordinary ones ({why})", table.name));
        }
        let create = self.pg.create(table, is_marked, false);
        // Prepared, so that it is one statement whatever stands in it.
        self.transaction.execute(&create, &[]).map(drop).map_err(wrong)
    }

    /// Runs a statement that need not succeed; says why it did not.
    fn attempt(&mut self, sql: &str) -> Result<Option<String>, ::postgres::Error> {
        let mut inner = self.transaction.transaction()?;
        match inner.execute(sql, &[]) {
            Ok(_) => inner.commit().map(|()| None),
            Err(error) => {
                let Some(why) = error.as_db_error().map(words) else { return Err(error) };
                inner.rollback().map(|()| Some(why))
            }
        }
    }

    fn attempt_all(&mut self, table: &Table, all: Vec<Optional>) -> Result<(), Error> {
        let wrong = self.wrong(&table.name);
        for Optional { sql, what } in all {
            if let Some(why) = self.attempt(&sql).map_err(&wrong)? {
                self.notes.push(format!("{}: {what} is left out ({why})", table.name));
            }
        }
        Ok(())
    }

    /// The keys that rows must keep, with the places of their tables.
    fn kept_keys(&self) -> Vec<(usize, &'t ForeignKey)> {
        let tables = self.schema.tables.iter().enumerate();
        let keys = tables.flat_map(|(at, table)| table.foreign_keys.iter().map(move |key| (at, key)));
        keys.filter(|(_, key)| is_kept(key)).collect()
    }

    fn place_of(&self, table: &str) -> Option<usize> {
        self.schema.tables.iter().position(|other| other.name == table)
    }

    /// A table of the server, as SQL.
    fn sql_of(&self, table: &str) -> String {
        let found = self.place_of(table).and_then(|at| self.found.get(at)?.as_ref());
        found.map_or_else(|| self.pg.table_name(table), |found| found.sql.clone())
    }

    /// Sends the rows of one table.
    fn insert(
        &mut self,
        rows: &Rows,
        written: &mut [TableWritten],
        may_exclude: fn(&Table) -> bool,
    ) -> Result<(), Error> {
        let Some(at) = self.place_of(&rows.table).filter(|_| rows.rows.rows() > 0) else { return Ok(()) };
        let Some(found) = &self.found[at] else { return Ok(()) };
        let (wrong, shown) = (self.wrong(&rows.table), self.shown(&rows.table));
        let targets = described(self.transaction, found).map_err(&wrong)?;
        let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
        for column in rows.rows.names() {
            check_column(self.place, &rows.table, column, &names)?;
        }
        if self.provenance.is_some() && !names.iter().any(|name| name == PROVENANCE_COLUMN) {
            add_provenance_column(self.transaction, found).map_err(&wrong)?;
        }
        let table = &self.schema.tables[at];
        let empty = |target: &Described| {
            let labels = table.column(&target.name).and_then(|column| column.labels.first());
            labels.cloned().unwrap_or_else(|| empty_text(&target.base_name).to_owned())
        };
        self.filled.extend(rows.rows.names().map(|name| (at, name.to_owned())));
        let copy = RowCopy::new(&found.sql, &targets, rows, self.provenance, &empty, shown);
        copy.excluding(may_exclude(table)).send(self.transaction, &mut written[at])
    }

    /// Takes out rows that refer to nothing, then those that referred to them, until all keys hold.
    fn drop_orphans(
        &mut self,
        keys: &[(usize, &ForeignKey)],
        written: &mut [TableWritten],
    ) -> Result<(), Error> {
        loop {
            let mut deleted = 0;
            for &(at, key) in keys {
                // Who may add rows may not always delete any.
                if !self.has_orphans(at, key)? {
                    continue;
                }
                let table = &self.schema.tables[at].name;
                let delete = format!("DELETE FROM {}", self.orphans_of(at, key));
                let wrong = self.wrong(table);
                let orphans = self.transaction.execute(&delete, &[]).map_err(wrong)?;
                written[at].lose(orphans, key);
                deleted += orphans;
            }
            if deleted == 0 {
                return Ok(());
            }
        }
    }

    fn has_orphans(&mut self, at: usize, key: &ForeignKey) -> Result<bool, Error> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", self.orphans_of(at, key));
        let wrong = self.wrong(&self.schema.tables[at].name);
        self.transaction.query_one(&sql, &[]).and_then(|row| row.try_get(0)).map_err(wrong)
    }

    /// The rows of a table that refer to nothing by a key, as SQL.
    fn orphans_of(&self, at: usize, key: &ForeignKey) -> String {
        orphans(&self.sql_of(&self.schema.tables[at].name), &self.sql_of(&key.parent), key)
    }

    /// Adds the keys of all tables.
    fn make_keys(&mut self) -> Result<(), Error> {
        for (at, key) in self.kept_keys() {
            let table = &self.schema.tables[at];
            let what = format!("the key to `{}`", key.parent);
            let Some(sql) = self.pg.key(table, key) else {
                if key.origin == Origin::Declared {
                    let why = "it refers to columns that are no key";
                    self.notes.push(format!("{}: {what} is left out ({why})", table.name));
                }
                continue;
            };
            let wrong = self.wrong(&table.name);
            match self.attempt(&sql).map_err(wrong)? {
                None => {}
                Some(why) if self.schema.store == Store::Postgres => {
                    return Err(Error::bad(self.shown(&table.name), format!("{what} cannot be made: {why}"))
                        .with_hint("nothing was written"));
                }
                Some(why) => self.notes.push(format!("{}: {what} is left out ({why})", table.name)),
            }
        }
        Ok(())
    }

    /// Lets counters of the server go on after the largest number that was written.
    fn count_on_all(&mut self) -> Result<(), Error> {
        for (at, table) in self.schema.tables.iter().enumerate() {
            if !self.filled.iter().any(|(own, _)| *own == at) {
                continue;
            }
            let Some(found) = &self.found[at] else { continue };
            let wrong = self.wrong(&table.name);
            for column in described(self.transaction, found).map_err(&wrong)? {
                if type_of(column.ty) == Type::Integer && self.filled.contains(&(at, column.name.clone())) {
                    count_on(self.transaction, found, &column.name).map_err(&wrong)?;
                }
            }
        }
        Ok(())
    }

    /// Adds the rows to tables that are there.
    fn append(&mut self, mut parts: Parts) -> Result<Vec<TableWritten>, Error> {
        let schema = self.schema;
        self.find_all()?;
        self.check_there(parts.first())?;
        let order = self.order();
        let taken_off = if order.is_some() { Vec::new() } else { self.take_keys_off()? };
        // What waits for the end of the transaction would fail there, with all rows.
        self.transaction.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").map_err(failure(self.place))?;
        let watched = self.watched_keys(parts.first())?;
        let mut renumbering = Renumbering::of(schema);
        let mut written = none_written(schema);
        while let Some(part) = parts.take_next()? {
            let mut new = renumbering.renumbered(&part, self)?;
            drop(part);
            if let Some(order) = &order {
                new.sort_by_key(|(rows, _)| order.iter().position(|name| *name == rows.table));
            }
            for (rows, present) in &new {
                if let Some(at) = self.place_of(&rows.table) {
                    written[at].present += *present;
                }
                self.insert(rows, &mut written, |_| false)?;
            }
        }
        self.drop_orphans(&watched, &mut written)?;
        self.put_keys_back(taken_off)?;
        self.count_on_all()?;
        Ok(written)
    }

    /// An error where a table is missing or is none; from then on nobody else writes to them, so that keys stay free.
    fn check_there(&mut self, all: &[Rows]) -> Result<(), Error> {
        let mut missing = Vec::new();
        for rows in all {
            let found = self.place_of(&rows.table).and_then(|at| self.found.get(at)?.as_ref());
            match found {
                None => missing.push(rows.table.clone()),
                Some(found) if !found.is_table => {
                    return Err(Error::bad(self.shown(&rows.table), "is a view, and new rows go to tables")
                        .with_hint("write to another database; nothing was written"));
                }
                Some(_) => {}
            }
        }
        check_none_missing(self.place, &missing)?;
        for rows in all {
            let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", self.sql_of(&rows.table));
            self.transaction.batch_execute(&lock).map_err(self.wrong(&rows.table))?;
        }
        Ok(())
    }

    /// The order in which every row finds those that it refers to; nothing where keys lead in a circle.
    fn order(&self) -> Option<Vec<String>> {
        let order = self.schema.order().ok()?;
        let is_plain = order.last.is_empty() && order.deferred.is_empty() && order.within.is_empty();
        is_plain.then_some(order.tables)
    }

    /// Takes the keys between the tables off, so that rows can come in any order.
    fn take_keys_off(&mut self) -> Result<Vec<TakenOff>, Error> {
        let wrong = failure(self.place);
        let oids: Vec<u32> = self.found.iter().flatten().map(|found| found.oid).collect();
        // What is not valid for all rows stays: it could not be put back. What belongs to partitions follows their parent.
        let sql = "SELECT c.conrelid::regclass::text, quote_ident(c.conname), pg_get_constraintdef(c.oid) \
                   FROM pg_constraint c WHERE c.contype = 'f' AND c.conrelid = ANY($1) AND c.confrelid = ANY($1) \
                   AND c.convalidated AND c.conparentid = 0 ORDER BY c.conname";
        let mut all = Vec::new();
        for row in self.transaction.query(sql, &[&oids]).map_err(&wrong)? {
            let text = |at: usize| row.try_get::<_, String>(at);
            let of_row = || -> Result<TakenOff, ::postgres::Error> {
                Ok(TakenOff { table: text(0)?, name: text(1)?, definition: text(2)? })
            };
            all.push(of_row().map_err(&wrong)?);
        }
        for TakenOff { table, name, .. } in &all {
            let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {name}");
            self.transaction.batch_execute(&drop).map_err(self.wrong(table))?;
        }
        Ok(all)
    }

    /// Puts the keys back, which the server checks with all rows.
    fn put_keys_back(&mut self, all: Vec<TakenOff>) -> Result<(), Error> {
        for TakenOff { table, name, definition } in all {
            let add = format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}");
            self.transaction.batch_execute(&add).map_err(self.wrong(&table))?;
        }
        Ok(())
    }

    /// The keys of the source that all rows keep that are there, of tables that get new ones: what refers to nothing after
    /// them is new.
    fn watched_keys(&mut self, all: &[Rows]) -> Result<Vec<(usize, &'t ForeignKey)>, Error> {
        let mut watched = Vec::new();
        for (at, key) in self.kept_keys() {
            let gets_rows = all.iter().any(|rows| rows.table == self.schema.tables[at].name);
            let parent = self.place_of(&key.parent).filter(|&at| self.found[at].is_some());
            if gets_rows && parent.is_some() && !self.has_orphans(at, key)? {
                watched.push((at, key));
            }
        }
        Ok(watched)
    }
}

impl Present for Target<'_, '_> {
    fn largest(&mut self, table: &str, column: &str) -> Result<Option<i64>, Error> {
        let (sql, wrong) = (self.sql_of(table), self.wrong(table));
        // Of a type that has no order there is no largest value.
        let sql = format!("SELECT max({}::text::numeric)::text FROM {sql}", quoted(column));
        let mut inner = self.transaction.transaction().map_err(&wrong)?;
        match inner.query_one(&sql, &[]) {
            Ok(row) => {
                let largest: Option<String> = row.try_get(0).map_err(&wrong)?;
                inner.commit().map_err(&wrong)?;
                Ok(largest.and_then(|text| text.parse().ok()))
            }
            Err(error) if error.code().is_some_and(|code| code.code().starts_with("22")) => {
                inner.rollback().map_err(&wrong)?;
                Ok(None)
            }
            Err(error) => Err(wrong(error)),
        }
    }

    fn keys(&mut self, table: &str, columns: &[String]) -> Result<HashSet<Vec<String>>, Error> {
        let (sql, wrong) = (self.sql_of(table), self.wrong(table));
        let list: Vec<String> =
            columns.iter().map(|name| format!("coalesce({}::text, '')", quoted(name))).collect();
        let sql = format!("SELECT ARRAY[{}] FROM {sql}", list.join(", "));
        let rows = self.transaction.query(&sql, &[]).map_err(&wrong)?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(wrong)
    }

    fn has_rows(&mut self, table: &str) -> Result<bool, Error> {
        let (sql, wrong) = (self.sql_of(table), self.wrong(table));
        let row = self.transaction.query_one(&format!("SELECT EXISTS (SELECT 1 FROM {sql})"), &[]);
        row.and_then(|row| row.try_get(0)).map_err(wrong)
    }
}

/// Whether a text may stand in SQL as the name of a new type: a word, or a quoted name, with its schema or without.
fn is_name_of_type(ty: &str) -> bool {
    let is_word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
    let is_quoted = |part: &str| {
        let inner = part.strip_prefix('"').and_then(|part| part.strip_suffix('"'));
        inner.is_some_and(|inner| !inner.is_empty() && !inner.replace("\"\"", "").contains('"'))
    };
    let is_part = |part: &str| is_word(part) || is_quoted(part);
    is_part(ty) || ty.split_once('.').is_some_and(|(space, name)| is_part(space) && is_part(name))
}
