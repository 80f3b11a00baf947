//! What a PostgreSQL table declares of its rows, from the server's catalogue.

use ::postgres::{Error, Transaction};

use crate::{store::postgres::Found, table::rules::Constraint};

/// Reads the constraints of a table from the server's catalogue.
///
/// # Errors
/// The catalogue cannot be read.
pub fn constraints(transaction: &mut Transaction, found: &Found) -> Result<Vec<Constraint>, Error> {
    let mut all = checks(transaction, found)?;
    all.extend(unique_indexes(transaction, found)?);
    let sql = "SELECT a.attname::text, pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a \
               JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
               WHERE a.attrelid = $1 AND a.attgenerated <> '' AND NOT a.attisdropped ORDER BY a.attnum";
    for row in transaction.query(sql, &[&found.oid])? {
        all.push(Constraint::Generated { column: row.try_get(0)?, sql: row.try_get(1)? });
    }
    let sql = "SELECT ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (at, n) \
               JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.at ORDER BY k.n) \
               FROM pg_constraint c WHERE c.conrelid = $1 AND c.contype = 'f' AND cardinality(c.conkey) > 1 \
               ORDER BY c.conname";
    for row in transaction.query(sql, &[&found.oid])? {
        all.push(Constraint::References(row.try_get(0)?));
    }
    Ok(all)
}

/// The checks of the table and of the domains of its columns, and what excludes rows.
fn checks(transaction: &mut Transaction, found: &Found) -> Result<Vec<Constraint>, Error> {
    let mut all = Vec::new();
    let sql = "SELECT c.contype = 'c', pg_get_constraintdef(c.oid) FROM pg_constraint c \
               WHERE c.conrelid = $1 AND c.contype IN ('c', 'x') ORDER BY c.conname";
    for row in transaction.query(sql, &[&found.oid])? {
        let definition: String = row.try_get(1)?;
        all.push(match row.try_get(0)? {
            true => Constraint::Check(condition(&definition).to_owned()),
            false => Constraint::Other(definition),
        });
    }
    let sql = "SELECT quote_ident(a.attname), pg_get_constraintdef(c.oid) FROM pg_attribute a \
               JOIN pg_constraint c ON c.contypid = a.atttypid AND c.contype = 'c' \
               WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum, c.conname";
    for row in transaction.query(sql, &[&found.oid])? {
        let (column, definition): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        all.push(Constraint::Check(of_column(condition(&definition), &column)));
    }
    Ok(all)
}

/// "CHECK ((lo <= hi)) NOT VALID" without what is around the condition.
fn condition(definition: &str) -> &str {
    let inner = definition.trim().strip_prefix("CHECK").unwrap_or(definition).trim();
    inner.trim_end_matches("NOT VALID").trim_end().trim_end_matches("NO INHERIT").trim_end()
}

/// The condition of a domain, which speaks of VALUE, about a column.
fn of_column(condition: &str, column: &str) -> String {
    let mut text = String::new();
    // What is in quotation marks stays as it is.
    for (at, part) in condition.split('\'').enumerate() {
        if at > 0 {
            text.push('\'');
        }
        match at % 2 {
            0 => text.push_str(&part.replace("VALUE", column)),
            _ => text.push_str(part),
        }
    }
    text
}

/// Unique indexes, the primary key with them, one over a part of the rows with its condition.
fn unique_indexes(transaction: &mut Transaction, found: &Found) -> Result<Vec<Constraint>, Error> {
    let sql = "SELECT i.indexrelid::regclass::text, \
               ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (at, n) \
                     LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.at \
                     WHERE k.n <= i.indnkeyatts ORDER BY k.n), \
               pg_get_expr(i.indpred, i.indrelid) \
               FROM pg_index i WHERE i.indrelid = $1 AND i.indisunique ORDER BY i.indexrelid";
    let rows = transaction.query(sql, &[&found.oid])?;
    let constraint = |row: &::postgres::Row| {
        let (index, columns): (String, Vec<Option<String>>) = (row.try_get(0)?, row.try_get(1)?);
        let condition: Option<String> = row.try_get(2)?;
        let columns: Option<Vec<String>> = columns.into_iter().collect();
        Ok(columns.map_or_else(
            || Constraint::Other(format!("the unique index {index} over an expression")),
            |columns| Constraint::Unique { columns, condition },
        ))
    };
    rows.iter().map(constraint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_stand_alone() {
        assert_eq!(condition("CHECK ((lo <= hi)) NOT VALID"), "((lo <= hi))");
        assert_eq!(
            of_column("((VALUE >= 0) AND (VALUE <> 'VALUE'::text))", "\"a b\""),
            "((\"a b\" >= 0) AND (\"a b\" <> 'VALUE'::text))"
        );
    }
}
