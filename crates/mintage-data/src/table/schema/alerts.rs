//! What will hurt what is learned from a table, in words.

use super::{
    Alert, Cause, ColumnSchema, Format, IdFormat, Kind,
    identifiers::{self, Identifier},
    phrases::{count, percent, quoted, rows},
    profile::Profile,
    spellings::{self, Certainty},
    typed,
};

/// Values of fewer rows are rare.
const RARE_BELOW_ROWS: u32 = 5;
/// Fewer rows than this tell little.
const FEW_ROWS: usize = 200;
/// More categories than this are hard to learn.
const MANY_VALUES: usize = 1000;

pub(super) fn new(profile: &Profile, cause: Cause, message: String) -> Alert {
    Alert { column: Some(profile.column.name.clone()), cause, message }
}

/// What is wrong with a table as a whole.
pub(super) fn of_table(rows: usize) -> Option<Alert> {
    let message = format!("{} rows only: under {FEW_ROWS}, models learn rows by heart", count(rows));
    (rows < FEW_ROWS).then_some(Alert { column: None, cause: Cause::FewRows, message })
}

/// What is wrong with a column of this kind.
pub(super) fn of_column(profile: &Profile, schema: &ColumnSchema) -> Vec<Alert> {
    let found = [
        leak(profile, schema),
        nearly_unique(profile, schema),
        rare(profile, schema),
        missing(profile, schema),
        constant(schema, profile.rows),
        many_values(profile, schema),
        uncertain(profile, schema),
    ];
    let found = found.into_iter().flatten();
    found.map(|(cause, message)| new(profile, cause, message)).collect()
}

type Message = Option<(Cause, String)>;

/// Texts by which a person or a thing could be found again.
fn leak(profile: &Profile, schema: &ColumnSchema) -> Message {
    let different = count(schema.distinct);
    let dates = matches!(schema.format, Format::Id(IdFormat::Date { .. }));
    if dates || typed::recognise(&profile.texts()).is_some() {
        return None;
    }
    let personal = match identifiers::recognise(&profile.texts()) {
        Some(Identifier::Email) => "e-mail addresses",
        Some(Identifier::Phone) => "telephone numbers",
        _ if profile.nearly_unique() => "texts",
        _ => return None,
    };
    let message = match schema.kind {
        Kind::Id if personal != "texts" => {
            format!("{different} {personal}: new ones are made afresh in the same form, none is copied")
        }
        Kind::Text => format!(
            "{different} {personal}, nearly every row has its own, and new rows would copy them: leave the \
             column out, or make it an identifier (kind = \"id\")"
        ),
        Kind::Category if personal != "texts" => {
            format!("{different} {personal}, and new rows would copy them: kind = \"id\" makes new ones")
        }
        _ => return None,
    };
    Some((Cause::Leak, message))
}

fn nearly_unique(profile: &Profile, schema: &ColumnSchema) -> Message {
    let learned = matches!(schema.kind, Kind::Category | Kind::Integer);
    let (distinct, present) = (schema.distinct, profile.present);
    if !learned || !profile.nearly_unique() {
        return None;
    }
    let advice = match schema.kind {
        Kind::Category => "nothing can be learned of it: leave it out, or say kind = \"id\" or \"text\"",
        _ => "if it is an identifier and no quantity, say kind = \"id\"",
    };
    let message = format!("{} different values in {}: {advice}", count(distinct), rows(present));
    Some((Cause::NearlyUnique, message))
}

fn rare(profile: &Profile, schema: &ColumnSchema) -> Message {
    let reference = schema.format == Format::Id(IdFormat::Reference);
    if schema.kind != Kind::Category || reference || profile.rows < FEW_ROWS || profile.nearly_unique() {
        return None;
    }
    let rare = || profile.values.iter().filter(|v| v.1 < RARE_BELOW_ROWS);
    let n = rare().count();
    if n == 0 {
        return None;
    }
    let of_rows: usize = rare().map(|v| v.1 as usize).sum();
    let message = format!(
        "{} of {} values {} in fewer than {RARE_BELOW_ROWS} rows ({} of the rows): too few to learn, and they may point at \
         a person; rare = \"group\" keeps them out",
        count(n),
        count(schema.distinct),
        if n == 1 { "is" } else { "are" },
        percent(of_rows, profile.rows)
    );
    Some((Cause::Rare, message))
}

fn missing(profile: &Profile, schema: &ColumnSchema) -> Message {
    let present = profile.present;
    if present == 0 {
        return Some((Cause::AllMissing, "no row has a value: leave it out".into()));
    }
    let nearly = schema.missing_count * 20 >= profile.rows * 19;
    nearly.then(|| {
        let share = percent(schema.missing_count, profile.rows);
        (Cause::NearlyMissing, format!("{share} of the rows have no value; {} have one", rows(present)))
    })
}

/// Signs among numbers that are taken for "missing", though they may be values.
fn uncertain(profile: &Profile, schema: &ColumnSchema) -> Message {
    let numbers = matches!(schema.kind, Kind::Integer | Kind::Number | Kind::Datetime | Kind::Boolean);
    let likely = |text: &&&str| spellings::missing(text) == Some(Certainty::Likely);
    let signs: Vec<String> = profile.missing.iter().filter(likely).map(|text| quoted(text)).collect();
    let verb = if signs.len() == 1 { "is" } else { "are" };
    let message = || format!("{} {verb} taken for missing", signs.join(" and "));
    (numbers && !signs.is_empty()).then(|| (Cause::Spelling, message()))
}

fn constant(schema: &ColumnSchema, all: usize) -> Message {
    let constant = schema.kind == Kind::Constant && schema.distinct == 1 && all > 1;
    constant.then(|| (Cause::Constant, "the same in every row: new rows have it too".into()))
}

fn many_values(profile: &Profile, schema: &ColumnSchema) -> Message {
    let many = schema.kind == Kind::Category && schema.distinct > MANY_VALUES && !profile.nearly_unique();
    many.then(|| {
        let average = profile.present as f64 / schema.distinct as f64;
        let message =
            format!("{} different values, {average:.1} rows each on average", count(schema.distinct));
        (Cause::ManyValues, message)
    })
}
