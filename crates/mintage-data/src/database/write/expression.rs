//! Expressions in SQL on their way to another database: those of checks, of defaults and of indexes.
//!
//! A run may come from somebody else, and a server does with an expression whatever its functions do. So only expressions
//! that call nothing but functions known to compute are sent to one.

/// Functions that do nothing but compute, kinds of indexes, and words and types that a parenthesis may follow.
const HARMLESS: &str = "abs age and any array between bit bool both bpchar brin btree btrim by cast ceil ceiling char \
    char_length character character_length coalesce concat current_date current_timestamp date date_part date_trunc datetime \
    decimal default else exp extract false float floor for from gen_random_uuid gin gist glob greatest hash ilike in include \
    initcap instr is isfinite isnull json_valid jsonb_array_length jsonb_typeof leading least left length like ln log lower \
    lpad ltrim mod not notnull now null nullif numeric nvarchar octet_length on or order overlay position power precision \
    regexp_like regexp_replace repeat replace reverse right round rpad rtrim sign similar spgist split_part sqrt \
    starts_with strftime strpos substr substring sum then time timestamp to to_char to_date to_timestamp trailing translate \
    trim true trunc typeof unique upper using uuid uuid_generate_v4 varbit varchar varying when where with xor zone all as \
    asc desc nulls first last text integer int bigint smallint real double case end interval collate some julianday unixepoch \
    quote unicode hex random";

/// Whether an expression is one that calls nothing but functions that compute.
pub(super) fn is_harmless(sql: &str) -> bool {
    let Some(plain) = without_texts(sql) else { return false };
    if ["--", "/*", ";", "$"].iter().any(|mark| plain.contains(mark)) {
        return false;
    }
    let mut before = plain.split('(');
    // What stands after the last parenthesis calls nothing.
    let _ = before.next_back();
    before.all(|text| {
        let text = text.trim_end();
        let word = text.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        // A quoted name before a parenthesis, or one with its schema, is a function of somebody's.
        let (rest, is_name) = (&text[..text.len() - word.len()], !word.is_empty());
        let is_own = !is_name && text.ends_with('"') || is_name && rest.ends_with('.');
        !is_own && (!is_name || HARMLESS.split_whitespace().any(|known| known.eq_ignore_ascii_case(word)))
    })
}

/// SQL with nothing in its texts and quoted names; nothing where one of them does not end.
fn without_texts(sql: &str) -> Option<String> {
    let (mut plain, mut letters) = (String::new(), sql.chars().peekable());
    while let Some(letter) = letters.next() {
        plain.push(letter);
        if !matches!(letter, '\'' | '"') {
            continue;
        }
        let mut before = plain.chars().rev().skip(1);
        let has_escapes = letter == '\''
            && matches!(before.next(), Some('e' | 'E'))
            && !before.next().is_some_and(|c| c.is_alphanumeric() || c == '_');
        loop {
            match letters.next()? {
                '\\' if has_escapes => {
                    letters.next()?;
                }
                // Two of them are one of the text.
                end if end == letter && letters.peek() == Some(&letter) => {
                    letters.next();
                }
                end if end == letter => break,
                _ => {}
            }
        }
        plain.push(letter);
    }
    Some(plain)
}

/// A condition of PostgreSQL as SQLite may understand it: without the types of its texts, and with lists for arrays.
pub(super) fn for_sqlite(sql: &str) -> String {
    let mut text = without_casts(sql);
    for (begin, word) in [("= ANY (", "IN ("), ("<> ALL (", "NOT IN (")] {
        for array in ["ARRAY[", "(ARRAY["] {
            let from = format!("{begin}{array}");
            while let Some(at) = text.find(&from) {
                let Some(end) = text[at..].find(']').map(|end| at + end) else { break };
                // As many parentheses were opened before the list as close after it.
                let closing = from.matches('(').count();
                let rest = text[end + 1..].trim_start_matches("[]");
                let rest = (0..closing).fold(rest, |rest, _| rest.strip_prefix(')').unwrap_or(rest));
                text = format!("{}{word}{}){rest}", &text[..at], &text[at + from.len()..end]);
            }
        }
    }
    text
}

/// An expression without `::type`.
fn without_casts(sql: &str) -> String {
    let (mut text, mut rest, mut quote) = (String::new(), sql, None);
    while let Some(letter) = rest.chars().next() {
        if quote.is_none() && rest.starts_with("::") {
            rest = after_type(&rest[2..]);
            continue;
        }
        match quote {
            Some(open) if letter == open => quote = None,
            None if matches!(letter, '\'' | '"') => quote = Some(letter),
            _ => {}
        }
        text.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    text
}

/// What follows the name of a type.
fn after_type(sql: &str) -> &str {
    const LONG: [&str; 7] = [
        "character varying",
        "double precision",
        "timestamp without time zone",
        "timestamp with time zone",
        "time without time zone",
        "time with time zone",
        "bit varying",
    ];
    let long = LONG.iter().find_map(|name| sql.strip_prefix(name));
    let is_letter = |c: char| c.is_alphanumeric() || "_.\"".contains(c);
    let mut rest = long.unwrap_or_else(|| sql.trim_start_matches(is_letter));
    if let Some(end) = rest.strip_prefix('(').and_then(|_| rest.find(')')) {
        rest = &rest[end + 1..];
    }
    rest.trim_start_matches("[]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calls_more_than_computes_is_not_harmless() {
        for sql in [
            "((price > (0)::numeric) AND (kind = ANY (ARRAY['a (b'::text, 'it''s; --'::text])))",
            "CREATE INDEX \"by (x)\" ON public.\"a b\" USING btree (lower(note), \"x\")",
            "length(name) < 80",
            "'a'::text",
            "now()",
            "E'\\\\d('",
        ] {
            assert!(is_harmless(sql), "{sql}");
        }
        for sql in [
            "pg_read_file('x') <> ''",
            "public.lower(x) = 1",
            "\"lower\"(x) = 1",
            "1; DROP TABLE x",
            "query_to_xml ('DROP TABLE x')",
            "'\\' || pg_sleep(9) || '\\'",
            "\"'\" || pg_sleep(9) || \"'\"",
            "'open",
            "$$x$$",
            "lower/**/(x)",
        ] {
            assert!(!is_harmless(sql), "{sql}");
        }
    }

    #[test]
    fn conditions_are_put_into_the_words_of_sqlite() {
        let list =
            "((kind)::text = ANY ((ARRAY['a'::character varying, 'b::c'::character varying])::text[]))";
        assert_eq!(for_sqlite(list), "((kind) IN ('a', 'b::c'))");
        assert_eq!(for_sqlite("(price > (0)::numeric(10,2))"), "(price > (0))");
        assert_eq!(for_sqlite("(a <> ALL (ARRAY[1, 2]))"), "(a NOT IN (1, 2))");
    }
}
