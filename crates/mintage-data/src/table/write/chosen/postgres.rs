//! Chosen rows in a table of a PostgreSQL server, within one transaction, and out of it again.

use ::postgres::{
    Transaction,
    error::SqlState,
    types::{ToSql, Type as PgType},
};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    super::{
        IfExists, Writing, check_columns, check_no_provenance_column, create_table, is_there,
        postgres::{Target, casts, count_on, id_range, present, type_name},
        rows::Rows,
    },
    Cell, Changes, ChosenBatch, ChosenItem, ChosenWritten, Found, Removed, RowTrace, is_kept, is_of,
    is_referred_to, mark, marks_of, notes_of, written,
};
use crate::{
    Column, Error, ItemTable, PgDefaults,
    sink::postgres::{check_table, create},
    store::{
        NO_LABEL, PROVENANCE_COLUMN,
        postgres::{
            Described, Found as FoundTable, SETTINGS, Server, add_provenance_column, described, failure,
            find, new_name,
        },
        quoted,
    },
};

/// What names a row for as long as nobody changes it.
const KEY: &str = "tableoid::text || ':' || ctid::text";

/// A value on its way to a column.
enum Given {
    Text(Option<String>),
    Bytes(Vec<u8>),
    Number(i64),
}

/// Rows for a table that is ready for them.
struct Insertion {
    columns: Vec<String>,
    rows: Vec<Vec<Given>>,
}

/// A table that is ready for a batch.
struct Ready {
    table: FoundTable,
    made_table: bool,
    made_column: bool,
    insertion: Insertion,
}

/// Where a batch goes, for messages and records.
struct To<'a> {
    target: &'a str,
    table: &'a str,
    place: String,
    /// Of items, and what they are.
    column: &'a str,
    media: &'a str,
}

pub(super) fn write_rows(
    rows: &mut Rows,
    how: &mut Writing,
    batch: &ChosenBatch,
) -> Result<ChosenWritten, Error> {
    check_no_provenance_column(rows.head)?;
    let (target, pg) = (how.target, how.pg);
    let name = how.table.unwrap_or(&rows.head.name).to_owned();
    write(target, pg, &name, "", "", batch, |transaction, place| {
        let mut ready = ready_for_rows(transaction, rows, &name, place, how)?;
        let columns = described(transaction, &ready.table).map_err(failure(place))?;
        let target = Target::of(transaction, &ready.table).map_err(failure(place))?;
        let casts = casts(rows, how, |column| {
            target.type_of(&column.name).map_or_else(|| column.declaration.value_type(), |(ty, _)| *ty)
        });
        let is_given = |name: &str| columns.iter().any(|column| column.name == name && !column.is_computed);
        let given: Vec<usize> = (0..casts.len()).filter(|&i| is_given(&rows.head.columns[i].name)).collect();
        ready.insertion.columns = given.iter().map(|&i| rows.head.columns[i].name.clone()).collect();
        while let Some(part) = rows.next(how.random)? {
            let cell = |row: usize, i: usize| {
                let text = part.columns[i].cell(row).and_then(|text| casts[i].text(text));
                Given::Text(text.map(std::borrow::Cow::into_owned))
            };
            let all = (0..part.rows()).map(|row| given.iter().map(|&i| cell(row, i)).collect());
            ready.insertion.rows.extend(all);
        }
        Ok(ready)
    })
}

/// Makes the table, or checks the one that is there and locks it.
fn ready_for_rows(
    transaction: &mut Transaction,
    rows: &mut Rows,
    name: &str,
    place: &str,
    how: &mut Writing,
) -> Result<Ready, Error> {
    let wrong = failure(place);
    let insertion = Insertion { columns: Vec::new(), rows: Vec::new() };
    let Some(table) = find(transaction, name).map_err(&wrong)? else {
        rows.prepare()?;
        let target = new_name(transaction, name).map_err(&wrong)?;
        transaction.batch_execute(&create_table(rows, &target, type_name, how)).map_err(&wrong)?;
        rows.bound(how, |column| id_range(type_name(&column.declaration)))?;
        let table = made(transaction, name, place)?;
        return Ok(Ready { table, made_table: true, made_column: false, insertion });
    };
    if how.if_exists == IfExists::Fail {
        return Err(is_there(place));
    }
    check_is_table(&table, place)?;
    lock(transaction, &table).map_err(&wrong)?;
    let target = Target::of(transaction, &table).map_err(&wrong)?;
    check_columns(place, rows.head, &target.names, &target.required)?;
    let made_column = !target.names.iter().any(|name| name == PROVENANCE_COLUMN);
    if made_column {
        add_provenance_column(transaction, &table).map_err(&wrong)?;
    }
    let range = |column: &Column| target.type_of(&column.name).and_then(|(_, name)| id_range(name));
    rows.renew(how, |column| present(transaction, &table, column).map_err(&wrong), range)?;
    Ok(Ready { table, made_table: false, made_column, insertion })
}

pub(super) fn write_items(
    to: &ItemTable,
    items: &[ChosenItem],
    media: &str,
    batch: &ChosenBatch,
) -> Result<ChosenWritten, Error> {
    write(to.target, to.pg, to.table, to.column, media, batch, |transaction, place| {
        let wrong = failure(place);
        let (table, made_table, made_column) = match find(transaction, to.table).map_err(&wrong)? {
            None => {
                create(transaction, to).map_err(&wrong)?;
                (made(transaction, to.table, place)?, true, false)
            }
            Some(table) => {
                let columns = check_table(transaction, &table, to, place)?;
                lock(transaction, &table).map_err(&wrong)?;
                let made_column = columns.iter().all(|column| column.name != PROVENANCE_COLUMN);
                if made_column {
                    add_provenance_column(transaction, &table).map_err(&wrong)?;
                }
                (table, false, made_column)
            }
        };
        let label = |item: &ChosenItem| item.label.clone().filter(|label| label != NO_LABEL);
        let row = |item: &ChosenItem| {
            let label = to.label.map(|_| Given::Text(label(item)));
            std::iter::once(Given::Bytes(item.bytes.clone())).chain(label).collect()
        };
        let columns = [Some(to.column), to.label].into_iter().flatten().map(str::to_owned).collect();
        let insertion = Insertion { columns, rows: items.iter().map(row).collect() };
        Ok(Ready { table, made_table, made_column, insertion })
    })
}

fn check_is_table(table: &FoundTable, place: &str) -> Result<(), Error> {
    match table.is_table {
        true => Ok(()),
        false => Err(Error::bad(place, "is a view, and new rows go to tables")
            .with_hint("name the table behind it, or a new one, with --table")),
    }
}

/// Nobody else writes from here on, so that identifiers stay free.
fn lock(transaction: &mut Transaction, table: &FoundTable) -> Result<(), ::postgres::Error> {
    transaction.batch_execute(&format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", table.sql))
}

/// The table that was made right now.
fn made(transaction: &mut Transaction, name: &str, place: &str) -> Result<FoundTable, Error> {
    let found = find(transaction, name).map_err(failure(place))?;
    found.ok_or_else(|| Error::bad(place, "is not found again where it was made"))
}

fn write(
    target: &str,
    pg: &PgDefaults,
    table: &str,
    column: &str,
    media: &str,
    batch: &ChosenBatch,
    ready: impl FnOnce(&mut Transaction, &str) -> Result<Ready, Error>,
) -> Result<ChosenWritten, Error> {
    let Server { mut client, place } = Server::connect(target, pg)?;
    let to = To { target, table, place: format!("{place}: table `{table}`"), column, media };
    let wrong = failure(&to.place);
    // What is not committed is forgotten.
    let mut transaction = client.transaction().map_err(&wrong)?;
    let ready = ready(&mut transaction, &to.place)?;
    let (done, counted) = within(&mut transaction, &to, ready, batch)?;
    if !batch.dry_run {
        transaction.commit().map_err(wrong)?;
        return Ok(done);
    }
    transaction.rollback().map_err(wrong)?;
    Ok(with_note_on_counters(done, &counted))
}

fn with_note_on_counters(mut done: ChosenWritten, counted: &[String]) -> ChosenWritten {
    if !counted.is_empty() {
        let names = counted.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        done.notes.push(format!(
            "the server counts {names} itself: others that write first get these numbers, and then the next ones come"
        ));
    }
    done
}

/// Inserts the rows and reads them back; also the columns that the server counts.
fn within(
    transaction: &mut Transaction,
    to: &To,
    ready: Ready,
    batch: &ChosenBatch,
) -> Result<(ChosenWritten, Vec<String>), Error> {
    let wrong = failure(&to.place);
    let Ready { table, made_table, made_column, mut insertion } = ready;
    let columns = described(transaction, &table).map_err(&wrong)?;
    let mut counted = Vec::new();
    if batch.dry_run {
        counted = count_ahead(transaction, &table, &mut insertion).map_err(&wrong)?;
    }
    let keys = insert(transaction, to, &table, &columns, &insertion, batch)?;
    if !batch.dry_run {
        // Counters go on behind the numbers that were given.
        for name in &insertion.columns {
            if columns.iter().any(|column| column.name == *name && is_integer(column)) {
                count_on(transaction, &table, name).map_err(&wrong)?;
            }
        }
    }
    let columns: Vec<Described> =
        columns.into_iter().filter(|column| column.name != PROVENANCE_COLUMN).collect();
    let found = found(transaction, &table, &columns, batch.name).map_err(&wrong)?;
    let made_table = if made_table { Some(declared(transaction, &table).map_err(&wrong)?) } else { None };
    let names = columns.into_iter().map(|column| column.name).collect();
    let changes = Changes { made_table, made_column, made_file: false };
    let place = (to.target, to.table, to.place.clone());
    Ok((written(place, names, found, &keys, (to.column, to.media), changes)?, counted))
}

fn is_integer(column: &Described) -> bool {
    [PgType::INT2.oid(), PgType::INT4.oid(), PgType::INT8.oid()].contains(&column.ty)
}

/// Gives columns that the server counts the numbers that they would get, since a counter does not forget what it has
/// given; returns their names.
fn count_ahead(
    transaction: &mut Transaction,
    table: &FoundTable,
    insertion: &mut Insertion,
) -> Result<Vec<String>, ::postgres::Error> {
    // Sequences of identity columns, and those that a default takes its number from and does nothing else with. What is no
    // sequence must not be asked for its privileges, in whatever order the server looks at conditions.
    let sql = "SELECT a.attname::text, s.oid::regclass::text, q.seqincrement FROM pg_attribute a \
               JOIN LATERAL (SELECT d.objid AS oid FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum \
               AND d.deptype = 'i' UNION SELECT d.refobjid FROM pg_attrdef f \
               JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid \
               AND d.refclassid = 'pg_class'::regclass WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum \
               AND pg_get_expr(f.adbin, f.adrelid) ~ '^nextval\\([^()]*\\)$') s ON true \
               JOIN pg_class c ON c.oid = s.oid AND c.relkind = 'S' JOIN pg_sequence q ON q.seqrelid = s.oid \
               WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped \
               AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(s.oid, 'SELECT') END ORDER BY a.attnum";
    let mut names = Vec::new();
    for row in transaction.query(sql, &[&table.oid])? {
        let (name, sequence, step): (String, String, i64) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if insertion.columns.contains(&name) {
            continue;
        }
        let last = transaction.query_one(&format!("SELECT last_value, is_called FROM {sequence}"), &[])?;
        let (last, is_called): (i64, bool) = (last.try_get(0)?, last.try_get(1)?);
        let mut next = if is_called { last.saturating_add(step) } else { last };
        for row in &mut insertion.rows {
            row.push(Given::Number(next));
            next = next.saturating_add(step);
        }
        insertion.columns.push(name.clone());
        names.push(name);
    }
    Ok(names)
}

/// Inserts the rows and gives what the server calls each.
fn insert(
    transaction: &mut Transaction,
    to: &To,
    table: &FoundTable,
    columns: &[Described],
    insertion: &Insertion,
    batch: &ChosenBatch,
) -> Result<Vec<String>, Error> {
    let wrong = failure(&to.place);
    let cast = |name: &str| {
        let found = columns.iter().find(|column| column.name == name);
        found.map_or("text", |column| column.cast.as_str())
    };
    let mut list: Vec<&str> = insertion.columns.iter().map(String::as_str).collect();
    list.push(PROVENANCE_COLUMN);
    let first = insertion.rows.first();
    let value = |(at, name): (usize, &&str)| {
        let sent = match first.and_then(|row| row.get(at)) {
            Some(Given::Bytes(_)) => "bytea",
            Some(Given::Number(_)) => "bigint",
            Some(Given::Text(_)) | None => "text",
        };
        format!("${}::{sent}::{}", at + 1, cast(name))
    };
    let values: Vec<String> = list.iter().enumerate().map(value).collect();
    let names: Vec<String> = list.iter().map(|name| quoted(name)).collect();
    // Numbers that a model made are as good as those of the server.
    let sql = format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({}) RETURNING {KEY}",
        table.sql,
        names.join(", "),
        values.join(", ")
    );
    let statement = transaction.prepare(&sql).map_err(&wrong)?;
    let mut keys = Vec::new();
    for (i, (row, made_by)) in insertion.rows.iter().zip(batch.made_by).enumerate() {
        let mark = mark(made_by, batch.name);
        let mut params: Vec<&(dyn ToSql + Sync)> = row.iter().map(Given::param).collect();
        params.push(&mark);
        let taken = transaction.query(&statement, &params).map_err(&wrong)?;
        // A trigger may drop rows without a word.
        let [taken] = &taken[..] else {
            return Err(Error::bad(&to.place, format!("did not take item {}", i + 1))
                .with_hint("nothing was written; look at the triggers and rules of the table"));
        };
        keys.push(taken.try_get(0).map_err(&wrong)?);
    }
    Ok(keys)
}

impl Given {
    fn param(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Text(text) => text,
            Self::Bytes(bytes) => bytes,
            Self::Number(number) => number,
        }
    }
}

/// The rows of a batch, their texts in a form that does not depend on the session.
fn found(
    transaction: &mut Transaction,
    table: &FoundTable,
    columns: &[Described],
    batch: &str,
) -> Result<Vec<Found>, ::postgres::Error> {
    transaction.batch_execute(SETTINGS)?;
    let value = |column: &Described| {
        let name = quoted(&column.name);
        if column.is_bytes() { format!(", {name}::bytea") } else { format!(", {name}::text") }
    };
    let cells: Vec<String> = columns.iter().map(value).collect();
    let mark = format!("{}::text", quoted(PROVENANCE_COLUMN));
    let sql = format!(
        "SELECT {KEY}, {mark}{} FROM {} WHERE strpos({mark}, $1) > 0 ORDER BY tableoid, ctid",
        cells.concat(),
        table.sql
    );
    let mut all = Vec::new();
    for row in transaction.query(&sql, &[&batch])? {
        let mark: String = row.try_get(1)?;
        if !is_of(&mark, batch) {
            continue;
        }
        let cells = columns.iter().enumerate().map(|(i, column)| match column.is_bytes() {
            true => Ok(row.try_get::<_, Option<Vec<u8>>>(i + 2)?.map_or(Cell::Null, Cell::Bytes)),
            false => {
                Ok(row.try_get::<_, Option<String>>(i + 2)?.map_or(Cell::Null, |text| cell(column, text)))
            }
        });
        let cells = cells.collect::<Result<_, ::postgres::Error>>()?;
        all.push(Found { key: row.try_get(0)?, mark, cells });
    }
    Ok(all)
}

fn cell(column: &Described, text: String) -> Cell {
    let ty = PgType::from_oid(column.ty);
    let value = match ty {
        Some(PgType::INT2 | PgType::INT4 | PgType::INT8) => text.parse().ok().map(Cell::Integer),
        Some(PgType::FLOAT4 | PgType::FLOAT8) => text.parse().ok().map(Cell::Real),
        Some(PgType::BOOL) => Some(Cell::Boolean(text == "true")),
        _ => None,
    };
    value.unwrap_or(Cell::Text(text))
}

/// How a table, its indexes and its triggers are declared, as a hash.
fn declared(transaction: &mut Transaction, table: &FoundTable) -> Result<String, ::postgres::Error> {
    let sql = "SELECT 'c ' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull::text \
               FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped \
               UNION ALL SELECT 'i ' || pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = $1 \
               UNION ALL SELECT 'k ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $1 \
               UNION ALL SELECT 't ' || pg_get_triggerdef(oid) FROM pg_trigger \
               WHERE tgrelid = $1 AND NOT tgisinternal";
    let rows = transaction.query(sql, &[&table.oid])?;
    let mut all: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    all.sort();
    Ok(format!("{:016x}", xxh3_64(all.join("\n").as_bytes())))
}

pub(super) fn undo(trace: &RowTrace, batch: &str, pg: &PgDefaults) -> Result<Removed, Error> {
    let Server { mut client, place } = Server::connect(&trace.target, pg)?;
    let place = format!("{place}: table `{}`", trace.table);
    let wrong = failure(&place);
    let mut transaction = client.transaction().map_err(&wrong)?;
    let gone = |why: &str| Removed {
        rows: 0,
        all: true,
        place: place.clone(),
        notes: vec![format!("{place} {why}")],
    };
    let Some(table) = find(&mut transaction, &trace.table).map_err(&wrong)? else {
        return Ok(gone("is not there any more"));
    };
    check_is_table(&table, &place)?;
    lock(&mut transaction, &table).map_err(&wrong)?;
    let mut columns = described(&mut transaction, &table).map_err(&wrong)?;
    let count = columns.len();
    columns.retain(|column| column.name != PROVENANCE_COLUMN);
    if columns.len() == count {
        return Ok(gone("has no marks any more"));
    }
    let all_columns = columns.iter().map(|column| &column.name).eq(&trace.columns);
    let shown = if all_columns { &columns[..] } else { &[] };
    let found = found(&mut transaction, &table, shown, batch).map_err(&wrong)?;
    let mut notes = notes_of(trace, &found, all_columns);
    let marks = marks_of(&found);
    check_no_actions(&mut transaction, &place, &table, &marks)?;
    let delete = format!("DELETE FROM {} WHERE {}::text = ANY($1)", table.sql, quoted(PROVENANCE_COLUMN));
    let removed = transaction.execute(&delete, &[&marks]).map_err(|error| kept(&place, error))? as usize;
    if removed != found.len() {
        return Err(is_kept(&place, &format!("let go of {removed} of {} rows", found.len())));
    }
    // Keys that are only looked at in the end are looked at now: a table that waits for them is not changed.
    transaction.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").map_err(|error| kept(&place, error))?;
    tidy(&mut transaction, trace, &table, &mut notes).map_err(&wrong)?;
    transaction.commit().map_err(|error| kept(&place, error))?;
    Ok(Removed { rows: removed, all: true, place: place.clone(), notes })
}

fn kept(place: &str, error: ::postgres::Error) -> Error {
    let by_rule = [
        SqlState::FOREIGN_KEY_VIOLATION,
        SqlState::RESTRICT_VIOLATION,
        SqlState::RAISE_EXCEPTION,
        SqlState::CHECK_VIOLATION,
    ];
    match error.as_db_error() {
        Some(said) if by_rule.contains(said.code()) => {
            let more = said.detail().map(|detail| format!("; {detail}")).unwrap_or_default();
            is_kept(place, &format!("{}{more}", said.message()))
        }
        _ => failure(place)(error),
    }
}

/// An error where the server would remove or change other rows with those of the batch.
fn check_no_actions(
    transaction: &mut Transaction,
    place: &str,
    table: &FoundTable,
    marks: &Vec<String>,
) -> Result<(), Error> {
    let wrong = failure(place);
    let sql = "SELECT c.conrelid::regclass::text, c.conrelid = c.confrelid, \
               (SELECT string_agg(format('c.%I = p.%I', a.attname, b.attname), ' AND ') \
               FROM unnest(c.conkey, c.confkey) AS k(child, parent) \
               JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.child \
               JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.parent) \
               FROM pg_constraint c WHERE c.contype = 'f' AND c.confrelid = $1 AND c.confdeltype IN ('c', 'n', 'd')";
    let mark = quoted(PROVENANCE_COLUMN);
    for row in transaction.query(sql, &[&table.oid]).map_err(&wrong)? {
        let other: String = row.try_get(0).map_err(&wrong)?;
        let itself: bool = row.try_get(1).map_err(&wrong)?;
        let same: String = row.try_get(2).map_err(&wrong)?;
        // Rows of the batch may refer to each other.
        let others = match itself {
            true => format!("AND (c.{mark} IS NULL OR c.{mark}::text <> ALL($1))"),
            false => String::new(),
        };
        let exists = format!(
            "SELECT EXISTS (SELECT 1 FROM {other} AS c JOIN {} AS p ON {same} WHERE p.{mark}::text = ANY($1) {others})",
            table.sql
        );
        let refers = transaction.query_one(&exists, &[marks]).map_err(&wrong)?;
        if refers.try_get::<_, bool>(0).map_err(&wrong)? {
            return Err(is_referred_to(place, &other));
        }
    }
    Ok(())
}

/// Takes back what was made for the batch besides its rows, where nothing else stands on it by now.
fn tidy(
    transaction: &mut Transaction,
    trace: &RowTrace,
    table: &FoundTable,
    notes: &mut Vec<String>,
) -> Result<(), ::postgres::Error> {
    let has = |transaction: &mut Transaction, condition: &str| {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {}{condition})", table.sql);
        transaction.query_one(&sql, &[])?.try_get::<_, bool>(0)
    };
    let change = if let Some(before) = &trace.made_table {
        if has(transaction, "")? {
            return Ok(());
        }
        if declared(transaction, table)? != *before {
            notes.push("the table stays: it is declared in another way by now".to_owned());
            return Ok(());
        }
        format!("DROP TABLE {}", table.sql)
    } else if trace.made_column {
        let mark = quoted(PROVENANCE_COLUMN);
        if has(transaction, &format!(" WHERE {mark} IS NOT NULL"))? {
            return Ok(());
        }
        format!("ALTER TABLE {} DROP COLUMN {mark}", table.sql)
    } else {
        return Ok(());
    };
    let mut savepoint = transaction.transaction()?;
    match savepoint.batch_execute(&change) {
        Ok(()) => savepoint.commit(),
        Err(error) => {
            let why =
                error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
            notes.push(format!("what was made for them stays: {why}"));
            savepoint.rollback()
        }
    }
}
