//! Rows of databases that are real: those that Mintage made say so in a column of their own, and are not learned from.

use crate::store::{PROVENANCE_COLUMN, quoted};

/// ` WHERE "mintage" IS NULL`, where there is such a column.
pub(crate) fn only_real<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    match names.any(|name| name == PROVENANCE_COLUMN) {
        true => format!(" WHERE {} IS NULL", quoted(PROVENANCE_COLUMN)),
        false => String::new(),
    }
}

/// The query over the real rows of `marked`, tables that have the column, by name and in SQL: each gets the place of its
/// table in a WITH of the query. Nothing where the query names none of them, or names the column and so says by itself
/// which rows it wants.
pub(super) fn over_real_rows(query: &str, marked: &[(String, String)]) -> Option<String> {
    let lower = query.to_lowercase();
    if lower.contains(PROVENANCE_COLUMN) {
        return None;
    }
    let named = marked.iter().filter(|(name, _)| lower.contains(&name.to_lowercase()));
    let parts: Vec<String> = named
        .map(|(name, sql)| {
            let filter = only_real([PROVENANCE_COLUMN].into_iter());
            format!("{} AS (SELECT * FROM {sql}{filter})", quoted(name))
        })
        .collect();
    if parts.is_empty() {
        return None;
    }
    let parts = parts.join(", ");
    let (with, rest) =
        after_word(query, "with").map_or(("WITH", None), |rest| match after_word(rest, "recursive") {
            Some(rest) => ("WITH RECURSIVE", Some(rest)),
            None => ("WITH", Some(rest)),
        });
    Some(match rest {
        Some(own) => format!("{with} {parts}, {own}"),
        None => format!("{with} {parts} {query}"),
    })
}

/// What follows a word at the beginning of a text.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let (first, rest) = text.split_at_checked(word.len())?;
    (first.eq_ignore_ascii_case(word) && rest.starts_with(char::is_whitespace)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_see_real_rows() {
        let marked =
            [("Person".to_owned(), "main.\"Person\"".to_owned()), ("b".to_owned(), "main.b".to_owned())];
        let shadow = "\"Person\" AS (SELECT * FROM main.\"Person\" WHERE \"mintage\" IS NULL)";
        let over = |query: &str| over_real_rows(query, &marked[..1]);
        assert_eq!(over("SELECT a FROM person"), Some(format!("WITH {shadow} SELECT a FROM person")));
        assert_eq!(
            over(" with x as (SELECT a FROM person) SELECT * FROM x"),
            Some(format!("WITH {shadow},  x as (SELECT a FROM person) SELECT * FROM x"))
        );
        assert_eq!(
            over("With Recursive x AS (VALUES (1)) SELECT * FROM person"),
            Some(format!("WITH RECURSIVE {shadow},  x AS (VALUES (1)) SELECT * FROM person"))
        );
        assert_eq!(over("SELECT a FROM other"), None);
        assert_eq!(over("SELECT a FROM person WHERE mintage IS NOT NULL"), None);
    }
}
