//! Passwords stand in no message and in no file: what addresses of servers and other texts look like without them.

use std::{borrow::Cow, sync::LazyLock};

use regex::{Captures, Regex};

/// An address of any server, in whatever spelling: `postgres://`, ` Postgres:/`, `jdbc:mysql://`.
static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?is)^\s*([a-z][a-z0-9+.\-:]+:/+|(?:postgres|postgresql|mysql|mariadb):)").ok()
});
/// The same in the midst of a text, up to where a password would begin.
static IN_TEXT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)[a-z][a-z0-9+.\-:]+:/+[^\s/:@"'`]*:"#).ok());
/// An address that is mistyped so far that it has no scheme, as `user:password@host` and `postgres//user:password@host`.
static MISTYPED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)(^|[\s"'`(=,])((?:[a-z][a-z0-9+.\-]*:?[/\\]{1,3})?[^\s/:@"'`\\=,]+):[^\s/\\"'`@][^\s"'`]*@"#,
    )
    .ok()
});
/// libpq's own form and those of other drivers: `password=…`, `PWD='…'`; also within the quotes of a shell, or without
/// the last one.
static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)(\w*(?:password|passwd|pwd))(\s*=\s*)('\\''.*?'\\''|'(?:[^'\\]|\\.)*'|"[^"]*"|(?:\\.|[^\s&;,"'`)\\])+|['"].*)"#,
    )
    .ok()
});
/// A parameter of an address whose name is encoded: `pass%77ord=…`.
static ENCODED_KEY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"([?&])([\w.\-]*%[\w.%\-]*)=[^\s&"'`]+"#).ok());

/// An address without its password, whether or not it is one that can be read; anything else as it is, but for
/// `password=…`.
pub fn redacted(source: &str) -> String {
    let Some(scheme) = ADDRESS.as_ref().and_then(|address| address.find(source)) else {
        return without_passwords(source).into_owned();
    };
    let (address, mut params) = split_params(source);
    let rest = &address[scheme.end().min(address.len())..];
    let (user, place) = match rest.rsplit_once('@').or_else(|| rest.rsplit_once('＠')) {
        // A colon may be encoded by mistake, too.
        Some((credentials, place)) => {
            let ends = [":", "%3A", "%3a"].into_iter().filter_map(|colon| credentials.find(colon));
            (Some(&credentials[..ends.min().unwrap_or(credentials.len())]), place)
        }
        None => (None, rest),
    };
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    params.retain(|param| param.split_once('=').is_some_and(|(key, _)| !is_secret(&decoded(key))));
    let mark = if params.is_empty() { "" } else { "?" };
    let scheme = scheme.as_str().trim_start();
    format!("{scheme}{user}{}{mark}{}", without_odd_port(place), params.join("&"))
}

/// A text for people, such as a message, without the passwords of the addresses in it.
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    if !text.contains('@') && !text.contains('=') {
        return Cow::Borrowed(text);
    }
    let text = without_those_of_addresses(text);
    let text = replaced(text, &MISTYPED, |found| format!("{}{}@", &found[1], &found[2]));
    let text = replaced(text, &KEY, |found| format!("{}{}…", &found[1], &found[2]));
    replaced(text, &ENCODED_KEY, |found| match is_secret(&decoded(&found[2])) {
        true => format!("{}{}=…", &found[1], &found[2]),
        false => found[0].to_owned(),
    })
}

fn replaced<'a>(
    text: Cow<'a, str>,
    pattern: &LazyLock<Option<Regex>>,
    with: impl Fn(&Captures) -> String,
) -> Cow<'a, str> {
    let Some(pattern) = pattern.as_ref() else { return text };
    match pattern.replace_all(&text, with) {
        Cow::Borrowed(_) => text,
        Cow::Owned(hidden) => Cow::Owned(hidden),
    }
}

fn without_those_of_addresses(text: &str) -> Cow<'_, str> {
    let Some(address) = IN_TEXT.as_ref() else { return Cow::Borrowed(text) };
    let (mut kept, mut from) = (String::new(), 0);
    for begin in address.find_iter(text) {
        if begin.start() < from {
            continue;
        }
        if let Some(length) = password_length(&text[begin.end()..]) {
            kept.push_str(&text[from..begin.end() - 1]);
            from = begin.end() + length;
        }
    }
    if from == 0 { Cow::Borrowed(text) } else { Cow::Owned(kept + &text[from..]) }
}

/// How long the password is that a text begins with, up to its `@`; nothing where there is a port, or nothing.
fn password_length(text: &str) -> Option<usize> {
    let in_quotes = |c: char| c.is_whitespace() || "\"'`".contains(c);
    let word = &text[..text.find(in_quotes).unwrap_or(text.len())];
    if let Some(at) = word.rfind('@') {
        return Some(at);
    }
    let after_digits = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_port = after_digits.len() < word.len() && !after_digits.starts_with(char::is_alphanumeric);
    if is_port || text.starts_with(char::is_whitespace) {
        return None;
    }
    // One with spaces or quotes in it ends where the next address begins at the latest.
    let line = &text[..text.find('\n').unwrap_or(text.len())];
    line[..line.find("://").unwrap_or(line.len())].rfind('@')
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    ["password", "passwd", "pwd", "secret", "token"].iter().any(|word| key.contains(word))
}

/// What stands before the parameters, and the parameters. A `?` before the last `@` is part of a password.
pub(super) fn split_params(source: &str) -> (&str, Vec<&str>) {
    let start = source.rfind('@').unwrap_or(0);
    match source[start..].find('?') {
        Some(at) => (&source[..start + at], source[start + at + 1..].split('&').collect()),
        None => (source, Vec::new()),
    }
}

/// "user:secret" without an `@` looks like a host and a port.
fn without_odd_port(place: &str) -> String {
    let (authority, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
    match authority.rsplit_once(':') {
        Some((host, port))
            if !port.ends_with(']') && !port.bytes().all(|b| b.is_ascii_digit() || b == b',') =>
        {
            format!("{host}{path}")
        }
        _ => place.to_owned(),
    }
}

/// `%40` back into `@`.
pub(super) fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_any_spelling_loses_its_password() {
        let addresses = [
            "Postgres://anna:geheim@host/db",
            " postgres://anna:geheim@host/db",
            "postgres:/anna:geheim@host/db",
            "postgres:anna:geheim@host/db",
            "POSTGRESQL://anna:geheim@host/db",
            "mysql://anna:geheim@host/db",
            "jdbc:postgresql://host/db?user=anna&password=geheim",
            "http://anna:geheim@host/",
            "postgres://host/db?PASSWORD=geheim",
            "postgres://host/db?sslpassword=geheim",
            "host=h user=anna password=geheim dbname=d",
            "host=h password = 'geheim' dbname=d",
            "Server=h;Uid=anna;Pwd=geheim;",
            "postgres://anna:a geheim@host/db",
            "postgres://anna%3Ageheim@host/db",
            "postgres://anna:geheim＠host/db",
            "postgres://host/db?pass%77ord=geheim",
            r"user=anna password='a b\'geheim' host=h",
            "user=anna password='a geheim",
            "PGPASSWORD=geheim",
            "anna:geheim@host/db",
            "u:geheim@h/d",
            "postgres//anna:geheim@host/db",
            "./postgres://anna:geheim@host/db",
            r"postgres:\\anna:geheim@host\db",
        ];
        for address in addresses {
            assert!(!redacted(address).contains("geheim"), "{}", redacted(address));
        }
        for plain in
            ["shop.db", "C:/data/shop.db", "C:\\a@b.csv", "photos/anna@home", "пароль.csv", "a=b.csv"]
        {
            assert_eq!(redacted(plain), plain);
        }
        assert_eq!(redacted("mysql://anna:x@host:3306/db"), "mysql://anna@host:3306/db");
        assert_eq!(redacted("postgres://host:5432/db"), "postgres://host:5432/db");
    }

    #[test]
    fn texts_keep_everything_but_passwords() {
        let text = "postgres://anna:geheim@h:1/d: no such file; write postgres://user@host:port/database";
        let hidden = "postgres://anna@h:1/d: no such file; write postgres://user@host:port/database";
        assert_eq!(without_passwords(text), hidden);
        assert_eq!(
            without_passwords("source = [\"postgres://a:geheim@h/d\"]"),
            "source = [\"postgres://a@h/d\"]"
        );
        assert_eq!(without_passwords("set password=geheim, host=x"), "set password=…, host=x");
        for leaky in [
            "'host=h password = '\\''geheim'\\'' user=u'",
            r"error: user=u password='a b\'geheim' host=h: no such file",
            "write postgres://u:a geheim@h/d, or else",
            "write postgres://u:a'geheim@h/d, or else",
            "postgres://h/d?x=1&pass%77ord=geheim: no such file",
            "u:geheim@h/d: no such file",
            "--source postgres//u:geheim@h/d",
        ] {
            assert!(!without_passwords(leaky).contains("geheim"), "{}", without_passwords(leaky));
        }
        for plain in [
            "http://host:8080/ is not there: write to anna@host",
            "C:/data/a@b.csv: no such file",
            "postgres://host:5432/db: no such file; write postgres://user@host:port/database, and %40 for @",
            "postgres://h/d?x%20y=1",
        ] {
            assert_eq!(without_passwords(plain), plain);
        }
        let hint = "the password may also come from PGPASSWORD";
        assert_eq!(without_passwords(hint), hint);
    }
}
