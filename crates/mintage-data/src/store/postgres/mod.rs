//! PostgreSQL: addresses, connections, and failures in words. The password is never in any of them.

mod address;
mod items;
mod secrets;
mod tls;

use std::{error::Error as _, io, sync::mpsc::sync_channel, thread, time::Duration};

use ::postgres::{Client, GenericClient, NoTls, Row, error::SqlState, types::Type as PgType};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use address::{PgDefaults, password_of};
pub(crate) use items::{PostgresServer, SETTINGS, primary_key};
pub use secrets::{redacted, without_passwords};

use super::{PROVENANCE_COLUMN, quoted};
use crate::{
    Error,
    error::suggestion,
    table::{NOTHING_WRITTEN, Type},
};
use address::Address;

/// Whether a source or a target is the address of a PostgreSQL server.
pub fn is_address(place: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| place.starts_with(scheme))
}

/// Whether two addresses are of one database, as far as they say: a host may have other names.
pub(crate) fn are_same_database(one: &str, other: &str, defaults: &PgDefaults) -> bool {
    let place = |source: &str| {
        let place = Address::parse(source, defaults).ok()?.place();
        Some(place.replacen("//127.0.0.1:", "//localhost:", 1).replacen("//::1:", "//localhost:", 1))
    };
    place(one).is_some_and(|one| place(other) == Some(one))
}

/// A connection to a server.
pub(crate) struct Server {
    pub client: Client,
    /// "postgres://host:port/database", for messages.
    pub place: String,
}

impl Server {
    /// Connects to the server that `source` names; what the address leaves open comes from `defaults`.
    ///
    /// # Errors
    /// The address is not valid, certificates cannot be read, or the server cannot be reached, does not answer in time,
    /// or refuses the connection.
    pub fn connect(source: &str, defaults: &PgDefaults) -> Result<Self, Error> {
        let address = Address::parse(source, defaults)?;
        let place = address.place();
        let tls = tls::client_config(&address)?;
        let client = within(address.patience(), &place, move || match tls {
            None => address.config.connect(NoTls),
            Some(tls) => address.config.connect(MakeRustlsConnect::new(tls)),
        })?;
        Ok(Self { client: client.map_err(failure(&place))?, place })
    }
}

/// What `work` gives, unless it takes longer. The time for a connection ends when the server is reached; one that
/// accepts and then says nothing would be waited for without end.
fn within<T: Send + 'static>(
    patience: Duration,
    place: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let (send, receive) = sync_channel(1);
    // The thread that waits in vain ends with the program.
    thread::spawn(move || send.send(work()));
    receive.recv_timeout(patience).map_err(|_| {
        let why = format!("the server said nothing for {} seconds", patience.as_secs());
        lost(
            place,
            why,
            "check that it is a PostgreSQL server and that it is well; ?connect_timeout=60 waits longer",
        )
    })
}

/// A server that cannot be reached, or not any more.
fn lost(place: &str, why: String, hint: &str) -> Error {
    Error::Lost { what: place.to_owned(), why, hint: hint.to_owned() }
}

/// What went wrong, as the server says it.
pub(crate) fn failure(place: &str) -> impl Fn(::postgres::Error) -> Error {
    move |error| {
        let Some(db) = error.as_db_error() else {
            // The causes say more than the error itself.
            let mut why = error.to_string();
            let mut cause = error.source();
            while let Some(inner) = cause {
                if !why.contains(&inner.to_string()) {
                    why = format!("{why}: {inner}");
                }
                cause = inner.source();
            }
            return lost(place, why, "check that the server runs and that it can be reached");
        };
        let more = [db.detail(), db.where_()].into_iter().flatten();
        let why = more.fold(db.message().to_owned(), |why, more| format!("{why}; {more}"));
        if [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN].contains(db.code()) {
            return lost(place, why, "the server ended the connection: try again");
        }
        let error = Error::bad(place, why);
        match hint(db.code()).map(str::to_owned).or(db.hint().map(str::to_owned)) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// The same for what comes out of a COPY.
pub(crate) fn copy_failure(place: &str) -> impl Fn(io::Error) -> Error {
    move |error| match error.downcast::<::postgres::Error>() {
        Ok(error) => failure(place)(error),
        Err(error) => Error::bad(place, error.to_string()),
    }
}

/// What to do about an error, where that is known.
fn hint(code: &SqlState) -> Option<&'static str> {
    let hint = match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "check user and password; the password may also come from PGPASSWORD"
        }
        SqlState::INVALID_CATALOG_NAME => "check the name of the database, the part after the last /",
        SqlState::UNDEFINED_TABLE => "the table is not there any more: it was dropped or renamed",
        SqlState::QUERY_CANCELED => "ask for less of it, or make an index on the column",
        SqlState::INSUFFICIENT_PRIVILEGE => "ask the owner for the right to it, or connect as another user",
        SqlState::UNIQUE_VIOLATION
        | SqlState::CHECK_VIOLATION
        | SqlState::NOT_NULL_VIOLATION
        | SqlState::EXCLUSION_VIOLATION => NOTHING_WRITTEN,
        SqlState::FOREIGN_KEY_VIOLATION => {
            "nothing was written: rows refer to keys that the other table does not have; train again on this database"
        }
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => "the server ended the connection: try again",
        _ => return None,
    };
    Some(hint)
}

/// A table as the catalogue knows it.
pub(crate) struct Found {
    pub oid: u32,
    /// With its schema, as SQL.
    pub sql: String,
    /// A table, rather than a view.
    pub is_table: bool,
}

/// Finds a table by its name in the search path, or by `schema.table`.
pub(crate) fn find(client: &mut impl GenericClient, name: &str) -> Result<Option<Found>, ::postgres::Error> {
    let (schema, table) = name.split_once('.').unzip();
    let sql = "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind IN ('r', 'p') \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') \
               AND (c.relname = $1 AND pg_table_is_visible(c.oid) OR n.nspname = $2 AND c.relname = $3) \
               ORDER BY c.relname = $1 DESC LIMIT 1";
    let row = client.query_opt(sql, &[&name, &schema, &table])?;
    row.map(|row| {
        let (schema, table): (String, String) = (row.try_get(1)?, row.try_get(2)?);
        let sql = format!("{}.{}", quoted(&schema), quoted(&table));
        Ok(Found { oid: row.try_get(0)?, sql, is_table: row.try_get(3)? })
    })
    .transpose()
}

/// The tables that can be read, those outside the search path with their schema.
pub(crate) fn tables(client: &mut impl GenericClient) -> Result<Vec<String>, ::postgres::Error> {
    tables_where(client, "has_table_privilege(c.oid, 'SELECT')")
}

/// The tables that are there and may not be read; what lies in schemas that may not be used is nobody's business.
pub(crate) fn unreadable_tables(client: &mut impl GenericClient) -> Result<Vec<String>, ::postgres::Error> {
    let is_denied = "NOT has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')";
    tables_where(client, is_denied)
}

/// The tables of which a condition is true.
fn tables_where(client: &mut impl GenericClient, condition: &str) -> Result<Vec<String>, ::postgres::Error> {
    let sql = format!(
        "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname::text \
         ELSE n.nspname || '.' || c.relname END \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' \
         AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%' \
         AND {condition} ORDER BY 1"
    );
    client.query(&sql, &[])?.iter().map(|row| row.try_get(0)).collect()
}

/// A column as the catalogue describes it.
pub(crate) struct Described {
    pub name: String,
    /// Its type, or the one below a domain.
    pub ty: u32,
    /// Its type in the server's words, such as `character varying(80)`.
    pub type_name: String,
    /// The type below a domain in the server's words, without a length.
    pub base_name: String,
    /// What a text is cast to for it. A length is left out: a cast would cut what is too long.
    pub cast: String,
    /// Must be given a value.
    pub is_required: bool,
    /// The server computes it.
    pub is_computed: bool,
}

impl Described {
    pub fn is_bytes(&self) -> bool {
        self.ty == PgType::BYTEA.oid()
    }
}

/// The columns of a table or view in their order.
pub(crate) fn described(
    client: &mut impl GenericClient,
    found: &Found,
) -> Result<Vec<Described>, ::postgres::Error> {
    let sql = "SELECT a.attname::text, b.oid, format_type(a.atttypid, a.atttypmod), format_type(b.oid, NULL), \
               format_type(a.atttypid, -1), a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', \
               a.attgenerated <> '' FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
               JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END \
               WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let column = |row: &Row| {
        Ok(Described {
            name: row.try_get(0)?,
            ty: row.try_get(1)?,
            type_name: row.try_get(2)?,
            base_name: row.try_get(3)?,
            cast: row.try_get(4)?,
            is_required: row.try_get(5)?,
            is_computed: row.try_get(6)?,
        })
    };
    client.query(sql, &[&found.oid])?.iter().map(column).collect()
}

/// Adds the column `mintage` to a table.
pub(crate) fn add_provenance_column(
    client: &mut impl GenericClient,
    found: &Found,
) -> Result<(), ::postgres::Error> {
    // Somebody else may add it at the same time.
    let column = quoted(PROVENANCE_COLUMN);
    client.batch_execute(&format!("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {column} text", found.sql))
}

/// The name of a table that is to be made, as SQL: in a schema if there is one of that name before a dot.
pub(crate) fn new_name(client: &mut impl GenericClient, name: &str) -> Result<String, ::postgres::Error> {
    if let Some((schema, table)) = name.split_once('.') {
        let is_there = client.query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[&schema])?;
        if is_there.is_some() {
            return Ok(format!("{}.{}", quoted(schema), quoted(table)));
        }
    }
    Ok(quoted(name))
}

/// An error with the nearest name for a table that is not there.
pub(crate) fn no_such_table(place: &str, name: &str, all: &[String]) -> Error {
    let hint = match suggestion(name, all.iter().map(String::as_str)) {
        Some(nearest) => nearest,
        None if all.is_empty() => "the database has no tables that this user may read".to_owned(),
        None => format!("the tables are {}", all.join(", ")),
    };
    Error::bad(place, format!("has no table `{name}`")).with_hint(hint)
}

/// What a type of the server's own means.
pub(crate) fn type_of(oid: u32) -> Type {
    match PgType::from_oid(oid) {
        Some(PgType::BOOL) => Type::Boolean,
        Some(PgType::INT2 | PgType::INT4 | PgType::INT8 | PgType::OID) => Type::Integer,
        Some(PgType::FLOAT4 | PgType::FLOAT8) => Type::Real,
        Some(PgType::NUMERIC) => Type::Decimal,
        Some(PgType::DATE) => Type::Date,
        Some(PgType::TIME) => Type::Time,
        Some(PgType::TIMESTAMP) => Type::Timestamp,
        Some(PgType::TIMESTAMPTZ) => Type::TimestampTz,
        Some(PgType::UUID) => Type::Uuid,
        Some(PgType::JSON | PgType::JSONB) => Type::Json,
        _ => Type::Text,
    }
}
