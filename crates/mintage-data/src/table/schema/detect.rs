//! From the values of a column to its kind.
//!
//! What is asked, in this order: is there anything at all, is it a key, yes and no, dates, numbers, and if
//! it is none of these, is it an identifier, a list of values, or sentences.

use rayon::prelude::*;

use super::{
    Alert, Cause, ColumnSchema, Format, IdFormat, Kind, NumberFormat, TableSchema, alerts,
    identifiers::{self, Identifier},
    spellings::{self, Certainty, Hint},
    words::{count, examples, percent, quoted, rows},
};
use crate::table::{Column, Table, Type, datetime, values};

/// A distinct text and the rows that have it.
pub(super) type Value<'a> = (&'a str, u32);

/// Few values say little: a column needs so many before they count as nearly all different.
const ENOUGH: usize = 20;
/// Texts longer than this, or of more words, are sentences.
const LONG: usize = 30;
const WORDS: usize = 4;

/// What the columns of `table` hold, and what will hurt.
pub fn detect(table: &Table) -> TableSchema {
    let rows = table.rows();
    let found: Vec<Found> = table.columns.par_iter().map(|column| Found::detect(column, rows)).collect();
    let mut schema = TableSchema::default();
    for Found { schema: column, alerts } in found {
        schema.columns.push(column);
        schema.alerts.extend(alerts);
    }
    schema.alerts.extend(alerts::of_table(rows));
    schema.alerts.sort_by_key(|alert| alert.cause);
    schema
}

/// A column with what is wrong with it.
pub(super) struct Found {
    pub schema: ColumnSchema,
    pub alerts: Vec<Alert>,
}

impl Found {
    fn detect(column: &Column, rows: usize) -> Self {
        let mut profile = Profile::of(column, rows, None);
        let all = Profile::of(column, rows, Some(Certainty::AmongNumbers));
        let mut guess = profile.guess();
        if all.missing.len() > profile.missing.len() && !all.values.is_empty() {
            let without = all.guess();
            let numbers =
                matches!(without.kind, Kind::Integer | Kind::Number | Kind::Datetime | Kind::Boolean);
            if numbers {
                (profile, guess) = (all, without);
            } else {
                let likely = Profile::of(column, rows, Some(Certainty::Likely));
                let without = likely.guess();
                if without.kind != Kind::Text && !likely.values.is_empty() {
                    (profile, guess) = (likely, without);
                }
            }
        }
        profile.found(guess)
    }
}

/// A column by its distinct values: those that mean "missing" apart from the rest.
pub(super) struct Profile<'a> {
    pub column: &'a Column,
    pub rows: usize,
    pub values: Vec<Value<'a>>,
    /// Rows with a value.
    pub present: usize,
    pub missing: Vec<&'a str>,
}

/// What a column may hold, how it is written, and why.
pub(super) struct Guess {
    pub kind: Kind,
    pub format: Format,
    pub reason: String,
    pub alerts: Vec<(Cause, String)>,
}

impl Guess {
    pub fn new(kind: Kind, format: Format, reason: String) -> Self {
        Self { kind, format, reason, alerts: Vec::new() }
    }
}

impl<'a> Profile<'a> {
    /// Spellings of "missing" as uncertain as `certainty` count as such; `None`: only the sure ones.
    pub fn of(column: &'a Column, rows: usize, certainty: Option<Certainty>) -> Self {
        let limit = certainty.unwrap_or(Certainty::Sure);
        let counted = column.values().iter().zip(column.counts());
        let (missing, values): (Vec<Value>, Vec<Value>) = counted
            .filter(|(_, n)| *n > 0)
            .partition(|(text, _)| spellings::missing(text).is_some_and(|found| found <= limit));
        // Among codes of two letters "NA" is Namibia or North America.
        let code = |(text, _): &Value| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
        let codes = values.len() > 1 && values.iter().all(code);
        let (back, missing): (Vec<Value>, Vec<Value>) = missing.into_iter().partition(|m| codes && code(m));
        let values: Vec<Value> = values.into_iter().chain(back).collect();
        let present = values.iter().map(|v| v.1 as usize).sum();
        Self { column, rows, values, present, missing: missing.into_iter().map(|m| m.0).collect() }
    }

    /// The schema of the column as `guess` has it.
    pub fn found(&self, guess: Guess) -> Found {
        let schema = ColumnSchema {
            name: self.column.name.clone(),
            kind: guess.kind,
            reason: guess.reason,
            declaration: self.column.declaration.clone(),
            missing: self.missing.iter().map(|&text| text.to_owned()).collect(),
            format: guess.format,
            unique: self.unique(),
            distinct: self.values.len(),
            missing_count: self.rows - self.present,
        };
        let own = guess.alerts.into_iter();
        let mut alerts: Vec<Alert> = own.map(|(cause, message)| alerts::new(self, cause, message)).collect();
        alerts.extend(alerts::of_column(self, &schema));
        Found { schema, alerts }
    }

    pub fn texts(&self) -> Vec<&'a str> {
        self.values.iter().map(|v| v.0).collect()
    }

    /// Every row has a value of its own.
    fn unique(&self) -> bool {
        self.values.len() == self.rows
    }

    /// Nearly every row that has a value has one of its own.
    pub fn nearly_unique(&self) -> bool {
        self.present >= ENOUGH && self.values.len() * 20 >= self.present * 19
    }

    fn guess(&self) -> Guess {
        if self.values.is_empty() {
            return Guess::new(Kind::Constant, Format::Plain, "no row has a value".into());
        }
        if self.values.len() == 1 && self.present == self.rows {
            let reason = format!("every row has {}", quoted(self.values[0].0));
            return Guess::new(Kind::Constant, Format::Plain, reason);
        }
        self.key()
            .or_else(|| self.boolean())
            .or_else(|| self.dates())
            .or_else(|| self.numbers())
            .unwrap_or_else(|| self.words())
    }

    /// Keys, by what the source declares.
    fn key(&self) -> Option<Guess> {
        let declaration = &self.column.declaration;
        if let Some(other) = &declaration.refers_to {
            let reason = format!("refers to {other}: one of the {} keys seen", count(self.values.len()));
            return Some(Guess::new(Kind::Category, Format::Id(IdFormat::Reference), reason));
        }
        if !self.unique() || !(declaration.primary_key || declaration.unique) {
            return None;
        }
        let measured = matches!(
            declaration.ty,
            Type::Real | Type::Date | Type::Time | Type::Timestamp | Type::TimestampTz
        );
        if measured && !declaration.primary_key {
            return None;
        }
        let what = if declaration.primary_key { "the primary key" } else { "declared unique" };
        Some(self.id(&format!("{what}: made afresh")))
    }

    /// An identifier in the format of the values.
    pub fn id(&self, why: &str) -> Guess {
        let format = identifiers::format(&self.texts());
        let like = self.values.first().map_or("", |v| v.0);
        Guess::new(Kind::Id, Format::Id(format), format!("{why}, like {}", quoted(like)))
    }

    fn boolean(&self) -> Option<Guess> {
        let texts = self.texts();
        let two = matches!(texts[..], [a, b] if spellings::yes_and_no(a, b));
        let declared = self.column.declaration.ty == Type::Boolean && texts.len() <= 2;
        (two || declared).then(|| self.yes_and_no())
    }

    pub fn yes_and_no(&self) -> Guess {
        let both =
            self.values.iter().map(|v| format!("{} in {}", quoted(v.0), percent(v.1 as usize, self.present)));
        let reason = format!("yes or no: {}", both.collect::<Vec<_>>().join(", "));
        Guess::new(Kind::Boolean, Format::Plain, reason)
    }

    /// The pattern that most values follow, with those that do not.
    pub fn date_pattern(&self) -> Option<(datetime::Found, Vec<Value<'a>>)> {
        let texts = self.texts();
        let found = datetime::detect(texts.iter().copied())?;
        if found.hits == texts.len() {
            return Some((found, Vec::new()));
        }
        let exact = |text| {
            datetime::parse(text, &found.pattern)
                .is_some_and(|at| datetime::format(at, &found.pattern) == text)
        };
        let rest = self.values.iter().copied().filter(|v| !exact(v.0)).collect();
        Some((found, rest))
    }

    fn dates(&self) -> Option<Guess> {
        let time = spellings::hint(&self.column.name) == Some(Hint::Time);
        if let Some(guess) = self.seconds(time) {
            return Some(guess);
        }
        let (found, rest) = self.date_pattern()?;
        let packed = ["%Y%m%d", "%Y%m%d%H%M%S"].contains(&found.pattern.as_str());
        let dated = self
            .texts()
            .iter()
            .filter_map(|text| datetime::parse(text, &found.pattern))
            .all(datetime::plausible);
        if packed && (!rest.is_empty() || !dated || !time && self.values.len() < ENOUGH) {
            return None;
        }
        if rest.is_empty() {
            return Some(self.datetime(&found));
        }
        let like = self.values.iter().find(|v| !rest.contains(v)).map_or("", |v| v.0);
        let outside = rest.iter().all(|v| datetime::same_shape(v.0, like));
        let off: usize = rest.iter().map(|v| v.1 as usize).sum();
        let mut guess = self.words();
        guess.alerts.push(match outside {
            true => {
                let message = "the column is no date column, since no calendar has these dates";
                (Cause::Calendar, format!("{message} ({}): {}", rows(off), examples(&rest)))
            }
            false => {
                let others = format!(
                    "{} are dates, {} no such dates",
                    percent(self.present - off, self.present),
                    rows(off)
                );
                (Cause::Mixed, format!("{others}: {}", examples(&rest)))
            }
        });
        Some(guess)
    }

    pub fn datetime(&self, found: &datetime::Found) -> Guess {
        let time = |text| datetime::parse(text, &found.pattern).unwrap_or_default();
        let mut times: Vec<(i64, &str)> = self.values.iter().map(|v| (time(v.0), v.0)).collect();
        times.sort_unstable();
        let (first, last) = (times.first().map_or("", |t| t.1), times.last().map_or("", |t| t.1));
        let guess = if found.ambiguous { "; which number is the day is a guess" } else { "" };
        let reason = format!(
            "{} from {first} to {last}, written {}{guess}",
            many(self.values.len(), "dates"),
            found.pattern
        );
        Guess::new(Kind::Datetime, Format::Datetime { pattern: found.pattern.clone() }, reason)
    }

    /// Seconds since 1970, where the name speaks of time.
    fn seconds(&self, time: bool) -> Option<Guess> {
        const YEAR_2001: f64 = 1e9;
        const YEAR_2096: f64 = 4e9;
        let seconds = |v: &Value| {
            values::parse(v.0, '.')
                .is_some_and(|n| (YEAR_2001..YEAR_2096).contains(&n) && n.fract() == 0.0 && v.0.len() == 10)
        };
        let all = time && self.values.iter().all(seconds);
        all.then(|| {
            self.datetime(&datetime::Found {
                pattern: "%s".into(),
                hits: self.values.len(),
                ambiguous: false,
            })
        })
    }

    /// The format of the numbers, with how many are written otherwise, or the values that are no numbers.
    pub fn number_format(&self) -> Result<(NumberFormat, usize), Vec<Value<'a>>> {
        let texts = self.texts();
        let point = values::point_of(texts.iter().copied());
        let rest: Vec<Value> =
            self.values.iter().copied().filter(|v| values::parse(v.0, point).is_none()).collect();
        if rest.is_empty() { Ok(NumberFormat::of(texts.iter().copied(), point)) } else { Err(rest) }
    }

    fn numbers(&self) -> Option<Guess> {
        let (format, inexact) = match self.number_format() {
            Ok(found) => found,
            Err(rest) => return self.mixed(&rest),
        };
        let hint = spellings::hint(&self.column.name);
        let declaration = &self.column.declaration;
        let text = declaration.ty == Type::Text && declaration.native.is_some();
        if format.integer() && format.least == 0 && inexact == 0 {
            if self.counted() || hint == Some(Hint::Id) && self.unique() {
                return Some(self.id("whole numbers, each in one row: made afresh"));
            }
            if hint == Some(Hint::Id) {
                let reason = format!(
                    "by its name a key of another table: one of the {} seen",
                    many(self.values.len(), "keys")
                );
                return Some(Guess::new(Kind::Category, Format::Id(IdFormat::Reference), reason));
            }
            if text || hint == Some(Hint::Code) {
                let why = if text { "its type is text" } else { "by its name a code" };
                return Some(self.category(&format!("{why}: ")));
            }
            if hint == Some(Hint::Phone) {
                return Some(self.words());
            }
        }
        Some(self.number(format, inexact))
    }

    /// Whole numbers without gaps, in order.
    fn counted(&self) -> bool {
        if !self.unique() || self.rows < ENOUGH {
            return false;
        }
        let numbers: Option<Vec<i64>> = self.values.iter().map(|v| v.0.parse().ok()).collect();
        let steps = |step: i64| numbers.iter().flatten().is_sorted_by(|&&a, &&b| b == a + step);
        numbers.is_some() && (steps(1) || steps(-1))
    }

    pub fn number(&self, format: NumberFormat, inexact: usize) -> Guess {
        let kind = if format.integer() { Kind::Integer } else { Kind::Number };
        let what = if kind == Kind::Integer { "whole numbers" } else { "numbers" };
        let (from, to) = (format.format(format.min), format.format(format.max));
        let rounded = match format.digits {
            Some(digits @ 1..) => format!(", up to {} after the point", many(digits as usize, "digits")),
            Some(digits @ ..0) => format!(", all multiples of {}", 10f64.powi(-i32::from(digits))),
            Some(0) | None => String::new(),
        };
        let reason =
            format!("{} from {from} to {to}{rounded}", many(self.values.len(), &format!("different {what}")));
        let mut alerts = Vec::new();
        if inexact > 0 {
            let other = |v: &&Value| format.parse(v.0).is_some_and(|number| format.format(number) != v.0);
            let others: Vec<Value> = self.values.iter().filter(other).copied().collect();
            let message = format!("written otherwise than the rest, and not kept so: {}", examples(&others));
            alerts.push((Cause::Spelling, message));
        }
        Guess { kind, format: Format::Number(format), reason, alerts }
    }

    /// Mostly numbers, and among them words.
    fn mixed(&self, rest: &[Value]) -> Option<Guess> {
        let off: usize = rest.iter().map(|v| v.1 as usize).sum();
        if off * 2 > self.present {
            return None;
        }
        let mut guess = self.words();
        // Codes belong there, those of digits that begin with zeros too.
        let codes = rest.iter().all(|v| v.0.bytes().all(|b| b.is_ascii_digit()));
        let named = spellings::hint(&self.column.name).is_some_and(|hint| hint != Hint::Time);
        if !codes && !named && !matches!(guess.kind, Kind::Id | Kind::Text) {
            let numbers = percent(self.present - off, self.present);
            let message = format!("{numbers} are numbers, {} no numbers: {}", rows(off), examples(rest));
            guess.alerts.push((Cause::Mixed, message));
        }
        Some(guess)
    }

    /// Identifiers, categories or sentences.
    fn words(&self) -> Guess {
        let texts = self.texts();
        let identifier = identifiers::recognise(&texts);
        let hint = spellings::hint(&self.column.name);
        let one_each =
            format!("each in one row of {}: made afresh", percent(self.values.len(), self.present));
        match identifier {
            Some(Identifier::Uuid) if self.nearly_unique() || self.unique() => {
                return self.id("UUIDs: made afresh");
            }
            Some(Identifier::Email) if self.values.len() * 2 > self.present => {
                return self.id("e-mail addresses: made afresh");
            }
            Some(Identifier::Phone) if self.values.len() * 2 > self.present => {
                return self.id("telephone numbers: made afresh");
            }
            Some(Identifier::Code) if self.nearly_unique() => return self.id(&format!("codes, {one_each}")),
            _ if hint == Some(Hint::Id) && self.unique() => {
                return self.id("by its name an identifier: made afresh");
            }
            _ if hint == Some(Hint::Id) && identifier.is_some() => {
                let reason =
                    format!("a key of another table: one of the {} seen", many(self.values.len(), "keys"));
                return Guess::new(Kind::Category, Format::Id(IdFormat::Reference), reason);
            }
            _ => {}
        }
        if self.column.declaration.ty == Type::Json
            || self.sentences()
            || self.nearly_unique() && identifier.is_none()
        {
            return self.text();
        }
        self.category("")
    }

    /// Long texts that are seldom the same.
    fn sentences(&self) -> bool {
        let n = self.values.len();
        let letters: usize = self.values.iter().map(|v| v.0.chars().count()).sum();
        let words: usize = self.values.iter().map(|v| v.0.split_whitespace().count()).sum();
        let long = letters > LONG * n || words > WORDS * n;
        long && n > ENOUGH && (n * 2 > self.present || n > 1000)
    }

    pub fn text(&self) -> Guess {
        let letters: usize = self.values.iter().map(|v| v.0.chars().count()).sum();
        let average = letters / self.values.len().max(1);
        let different = many(self.values.len(), "different texts");
        let reason =
            format!("{different} of {} on average: drawn from those seen", many(average, "characters"));
        Guess::new(Kind::Text, Format::Plain, reason)
    }

    pub fn category(&self, why: &str) -> Guess {
        let frequent = self.values.iter().max_by_key(|v| v.1);
        let frequent = frequent.map_or_else(String::new, |&(text, n)| {
            format!(", most often {} ({})", quoted(text), percent(n as usize, self.present))
        });
        let reason = format!("{why}{}{frequent}", many(self.values.len(), "different values"));
        Guess::new(Kind::Category, Format::Plain, reason)
    }
}

/// "1 value", "1,200 values".
fn many(n: usize, what: &str) -> String {
    let what = if n == 1 { what.strip_suffix('s').unwrap_or(what) } else { what };
    let what = if n == 1 { what.strip_prefix("different ").unwrap_or(what) } else { what };
    format!("{} {what}", count(n))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::table::Declaration;

    fn found(column: Column) -> Found {
        let rows = column.len();
        Found::detect(&column, rows)
    }

    /// The schema of `n` rows of texts, in turn.
    fn named(name: &str, n: usize, cell: impl Fn(usize) -> String) -> Found {
        let cells: Vec<String> = (0..n).map(cell).collect();
        found(Column::of(name, cells.iter().map(|text| Some(text.as_str()))))
    }

    fn kind(n: usize, cell: impl Fn(usize) -> String) -> Kind {
        named("x", n, cell).schema.kind
    }

    fn cycle(texts: &'static [&'static str]) -> impl Fn(usize) -> String {
        move |i| texts[i % texts.len()].to_owned()
    }

    #[test]
    fn finds_numbers() {
        assert_eq!(kind(300, |i| (17 + i * 7 % 52).to_string()), Kind::Integer);
        assert_eq!(kind(300, |i| format!("{:.2}", i as f64 / 7.0)), Kind::Number);
        assert_eq!(kind(300, |i| format!("{},5", i % 90)), Kind::Number);
        assert_eq!(kind(300, cycle(&["1", "2", "3", "4", "5"])), Kind::Integer);
        assert_eq!(named("status", 300, cycle(&["1", "2", "3"])).schema.kind, Kind::Category);
        assert_eq!(named("zip_code", 300, |i| (10_000 + i % 97).to_string()).schema.kind, Kind::Category);
        assert_eq!(kind(300, |i| format!("{:05}", i % 97)), Kind::Category);
        let floats = named("weight", 300, |i| format!("{}.0", i % 40));
        assert_eq!((floats.schema.kind, floats.schema.text(3.4)), (Kind::Integer, "3.0".into()));
        assert_eq!(floats.schema.reason, "40 different whole numbers from 0.0 to 39.0");
    }

    #[test]
    fn finds_yes_and_no_constants_and_nothing() {
        assert_eq!(kind(300, cycle(&["да", "нет"])), Kind::Boolean);
        assert_eq!(kind(300, cycle(&["TRUE", "FALSE", ""])), Kind::Boolean);
        assert_eq!(kind(300, cycle(&["0", "1", "?"])), Kind::Boolean);
        assert_eq!(kind(300, cycle(&["1", "2"])), Kind::Integer);
        assert_eq!(kind(300, cycle(&["x"])), Kind::Constant);
        assert_eq!(kind(300, cycle(&["x", "NA"])), Kind::Category);
        let empty = found(Column::of("x", [None, Some(""), None]));
        assert_eq!((empty.schema.kind, empty.schema.missing_count), (Kind::Constant, 3));
        assert_eq!(empty.alerts[0].cause, Cause::AllMissing);
    }

    #[test]
    fn finds_dates_and_those_outside_the_calendar() {
        let date = |i: usize| datetime::format(i as i64 * 86_400_000_000, "%d.%m.%Y");
        let found = named("born", 300, date);
        assert_eq!(found.schema.format, Format::Datetime { pattern: "%d.%m.%Y".into() });
        assert_eq!(found.schema.number("02.01.1970"), Some(86_400e6));
        let wrong = named("born", 300, |i| if i == 7 { "30.02.1970".into() } else { date(i % 90) });
        assert_eq!(wrong.schema.kind, Kind::Category);
        let alert = wrong.alerts.iter().find(|alert| alert.cause == Cause::Calendar).unwrap();
        assert!(alert.message.ends_with(r#"(1 row): "30.02.1970" (1 row)"#), "{}", alert.message);
        let mixed = named("born", 300, |i| if i % 50 == 0 { "never".into() } else { date(i % 90) });
        assert!(mixed.alerts.iter().any(|alert| alert.cause == Cause::Mixed));
        assert_eq!(
            named("created_at", 90, |i| (1_700_000_000 + i * 99).to_string()).schema.kind,
            Kind::Datetime
        );
        assert_eq!(named("amount", 90, |i| (1_700_000_000 + i * 99).to_string()).schema.kind, Kind::Integer);
        assert_eq!(kind(90, |i| format!("202401{:02}", 1 + i % 31)), Kind::Datetime);
    }

    #[test]
    fn finds_identifiers() {
        let id = |name: &str, cell: fn(usize) -> String| {
            let found = named(name, 300, cell);
            assert_eq!(found.schema.kind, Kind::Id, "{name}: {}", found.schema.reason);
            found
        };
        id("n", |i| (i + 1).to_string());
        id("customer_id", |i| (i * 7919 % 100_003).to_string());
        id("x", |i| format!("CUST-{i:06}"));
        id("x", |i| format!("6f9619ff-8b86-d011-b42d-{i:012x}"));
        assert_eq!(id("mail", |i| format!("user{i}@example.org")).alerts[0].cause, Cause::Leak);
        assert_eq!(kind(300, |i| (i * 7919 % 100_003).to_string()), Kind::Integer);

        let declaration = Declaration { ty: Type::Integer, primary_key: true, ..Declaration::default() };
        let mut key = Column::new("k", declaration);
        ["3", "1", "2"].into_iter().for_each(|cell| key.push(Some(cell)));
        assert_eq!(found(key).schema.kind, Kind::Id);

        let declaration = Declaration { refers_to: Some("city.id".into()), ..Declaration::default() };
        let mut foreign = Column::new("k", declaration);
        ["3", "1", "3"].into_iter().for_each(|cell| foreign.push(Some(cell)));
        let foreign = found(foreign).schema;
        assert_eq!((foreign.kind, foreign.format), (Kind::Category, Format::Id(IdFormat::Reference)));
        assert_eq!(
            named("customer_id", 300, |i| (i % 40).to_string()).schema.format,
            Format::Id(IdFormat::Reference)
        );
    }

    #[test]
    fn finds_texts_and_categories() {
        assert_eq!(kind(300, cycle(&["red", "green", "None"])), Kind::Category);
        assert_eq!(kind(300, |i| format!("the parcel number {i} did not arrive in time")), Kind::Text);
        let names =
            named("name", 300, |i| format!("{} {}", "Ann".repeat(1 + i / 20), "Lee".repeat(1 + i % 20)));
        assert_eq!((names.schema.kind, names.alerts[0].cause), (Kind::Text, Cause::Leak));
        let rare = named("x", 300, |i| if i < 3 { format!("rare{i}") } else { "usual".into() });
        assert_eq!(rare.alerts[0].cause, Cause::Rare);
        let namibia = named("x", 300, cycle(&["NA", "DE", "FR"])).schema;
        assert_eq!((namibia.distinct, namibia.missing_count), (3, 0));
        let adult = named("workclass", 300, cycle(&["Private", "?", "State-gov"])).schema;
        assert_eq!((adult.missing, adult.missing_count), (vec!["?".to_owned()], 100));
        let mixed = named("x", 300, |i| if i % 100 == 0 { "abc".into() } else { (i % 90).to_string() });
        assert_eq!(mixed.schema.kind, Kind::Category);
        let alert = mixed.alerts.iter().find(|alert| alert.cause == Cause::Mixed).unwrap();
        assert_eq!(alert.message, r#"99 % are numbers, 3 rows no numbers: "abc" (3 rows)"#);
    }

    #[test]
    fn alerts_come_worst_first() {
        let texts: Vec<String> = (0..50).map(|i| format!("user{i}@example.org")).collect();
        let mail = Column::of("mail", texts.iter().map(|t| Some(t.as_str())));
        let same = Column::of("same", texts.iter().map(|_| Some("x")));
        let table = Table { name: "t".into(), columns: vec![same, mail], ..Table::default() };
        let causes: Vec<Cause> = detect(&table).alerts.iter().map(|alert| alert.cause).collect();
        assert_eq!(causes, [Cause::Leak, Cause::Constant, Cause::FewRows]);
    }
}
