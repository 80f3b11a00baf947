//! What databases declare of the rows of a table, and the rules that it makes.

use super::{
    Bound, Rule,
    expression::name,
    sql::{Comparison, Operator, Sql},
};
use crate::{
    Error,
    table::schema::{Format, Kind, TableSchema},
};

/// What the source's database declares of a table, beside what [`Declaration`](crate::table::Declaration) says of a
/// column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// A condition that no row may break, in SQL.
    Check(String),
    /// Columns whose values together are those of one row alone, or of one of those in which a condition in SQL is true.
    Unique { columns: Vec<String>, condition: Option<String> },
    /// Columns that together refer to a row of another table.
    References(Vec<String>),
    /// A column that the database computes, and how.
    Generated { column: String, sql: String },
    /// What is declared and cannot be kept, in words.
    Other(String),
}

/// What a constraint asks for: the first of the rules that can be kept beside the others.
pub(super) struct Candidate {
    pub alternatives: Vec<Rule>,
    /// The constraint, and why there is no rule for it.
    pub words: String,
    pub why: String,
}

impl Constraint {
    /// Columns by which all rows differ.
    pub fn key(columns: Vec<String>) -> Self {
        Self::Unique { columns, condition: None }
    }
}

impl Candidate {
    fn new(words: &str, alternatives: Vec<Rule>) -> Self {
        Self { alternatives, words: words.to_owned(), why: String::new() }
    }

    fn none(words: &str, why: &str) -> Self {
        Self { alternatives: Vec::new(), words: words.to_owned(), why: why.to_owned() }
    }
}

/// What the constraints of a table and the declarations of its columns ask for.
pub(super) fn candidates(constraints: &[Constraint], schema: &TableSchema) -> Vec<Candidate> {
    constraints.iter().flat_map(|constraint| of_constraint(constraint, schema)).collect()
}

fn of_constraint(constraint: &Constraint, schema: &TableSchema) -> Vec<Candidate> {
    match constraint {
        Constraint::Check(sql) => of_check(sql, schema),
        Constraint::Unique { columns, condition } => {
            let part = condition.as_ref().map(|sql| format!(" WHERE {sql}")).unwrap_or_default();
            let words = format!("UNIQUE ({}){part}", columns.join(", "));
            let form = |name: &String| schema.column(name);
            // A single key that is made afresh differs by itself.
            let by_itself =
                columns.iter().filter_map(form).any(|column| column.kind == Kind::Id && column.unique);
            match columns.iter().all(|name| form(name).is_some()) {
                _ if by_itself => Vec::new(),
                false => Vec::new(),
                true => {
                    let understood = |sql: &String| Some(understood(sql, schema).ok()?.text(schema));
                    let part = condition.as_ref().and_then(understood);
                    let rule = |condition| Rule::Unique { columns: columns.clone(), condition };
                    // A condition that is not understood is left out where all rows differ anyhow.
                    let all = part.is_none().then(|| rule(None));
                    let rules = part.map(|sql| rule(Some(sql))).into_iter().chain(all);
                    vec![Candidate::new(&words, rules.collect())]
                }
            }
        }
        Constraint::References(columns) => {
            let rule = Rule::Combination { columns: columns.clone() };
            vec![Candidate::new(&format!("FOREIGN KEY ({})", columns.join(", ")), vec![rule])]
        }
        Constraint::Generated { column, sql } if schema.column(column).is_some() => {
            vec![of_generated(column, sql, schema)]
        }
        Constraint::Generated { .. } => Vec::new(),
        Constraint::Other(words) => vec![Candidate::none(words, "it is about more than the cells of a row")],
    }
}

/// A rule for each of the conditions that a CHECK joins.
fn of_check(sql: &str, schema: &TableSchema) -> Vec<Candidate> {
    let words = format!("CHECK ({sql})");
    let parsed = match understood(sql, schema) {
        Ok(parsed) => parsed,
        Err(error) => return vec![Candidate::none(&words, &why(&error))],
    };
    let candidate = |part: &&Sql| {
        let text = part.text(schema);
        let check = Rule::Check { sql: text.clone() };
        Candidate::new(&format!("CHECK ({text})"), better(part, schema).into_iter().chain([check]).collect())
    };
    let parts = parsed.conjuncts();
    parts.iter().filter(|part| !is_not_null(part)).map(candidate).collect()
}

/// What a column that is declared so keeps anyhow: it has no missing values to learn.
fn is_not_null(part: &Sql) -> bool {
    matches!(part, Sql::Not(inner) if matches!(&**inner, Sql::IsNull(of) if matches!(**of, Sql::Column(_))))
}

/// The condition where all of it can be worked out.
fn understood(sql: &str, schema: &TableSchema) -> Result<Sql, Error> {
    let parsed = Sql::parse(sql, schema)?;
    if parsed.computes_with(&|at| matches!(schema.columns[at].format, Format::Datetime { .. })) {
        return Err(Error::bad(format!("condition `{sql}`"), "computes with dates, which is not understood"));
    }
    Ok(parsed)
}

fn why(error: &Error) -> String {
    match error {
        Error::Bad { why, .. } => why.clone(),
        other => other.to_string(),
    }
}

/// A rule that new rows are made by, in the place of one by which they are refused.
fn better(part: &Sql, schema: &TableSchema) -> Option<Rule> {
    let Sql::Compare(how, left, right) = part else { return None };
    match (&**left, &**right) {
        (Sql::Column(a), Sql::Column(b)) => order(*how, *a, *b, schema),
        (Sql::Column(a), bound) => range(*how, *a, bound, schema),
        (bound, Sql::Column(a)) => range(how.reversed(), *a, bound, schema),
        _ => None,
    }
}

fn order(how: Comparison, a: usize, b: usize, schema: &TableSchema) -> Option<Rule> {
    let (low, high, strict) = match how {
        Comparison::Less => (a, b, true),
        Comparison::LessOrEqual => (a, b, false),
        Comparison::Greater => (b, a, true),
        Comparison::GreaterOrEqual => (b, a, false),
        Comparison::Equal | Comparison::Different => return None,
    };
    let columns = [low, high].map(|at| schema.columns[at].name.clone()).to_vec();
    Some(Rule::Order { columns, strict })
}

fn range(how: Comparison, column: usize, bound: &Sql, schema: &TableSchema) -> Option<Rule> {
    let form = &schema.columns[column];
    let name = form.name.clone();
    let (number, text) = match bound {
        Sql::Number(number) => (*number, number.to_string()),
        // A bound of a date is written as the column is, or not at all.
        Sql::Text(text) => (form.number(text)?, text.clone()),
        _ => return None,
    };
    let numbers = matches!(form.format, Format::Number(_));
    if !numbers && !matches!(bound, Sql::Text(_)) {
        return None;
    }
    let whole = matches!(&form.format, Format::Number(format) if format.integer());
    let next = |step: f64| (whole && number.fract() == 0.0).then(|| (number + step).to_string());
    let (min, max) = match how {
        Comparison::GreaterOrEqual => (Some(text), None),
        Comparison::LessOrEqual => (None, Some(text)),
        Comparison::Greater if numbers && number == 0.0 => return Some(Rule::Positive { column: name }),
        Comparison::Greater => (Some(next(1.0)?), None),
        Comparison::Less => (None, Some(next(-1.0)?)),
        Comparison::Equal | Comparison::Different => return None,
    };
    Some(Rule::Range { column: name, min: min.map(Bound), max: max.map(Bound) })
}

/// A formula where the database computes a number from numbers.
fn of_generated(column: &str, sql: &str, schema: &TableSchema) -> Candidate {
    let words = format!("{column} GENERATED AS ({sql})");
    let parsed = match understood(sql, schema) {
        Ok(parsed) => parsed,
        Err(error) => return Candidate::none(&words, &why(&error)),
    };
    let equals = formula(&parsed, schema).unwrap_or_else(|| parsed.text(schema));
    Candidate::new(&words, vec![Rule::Formula { column: column.to_owned(), equals }])
}

/// An expression as formulas of recipes have it.
fn formula(sql: &Sql, schema: &TableSchema) -> Option<String> {
    Some(match sql {
        Sql::Number(number) => number.to_string(),
        Sql::Column(at) => match &schema.columns[*at].format {
            Format::Number(_) => name(&schema.columns[*at].name),
            _ => return None,
        },
        Sql::Minus(inner) => format!("-({})", formula(inner, schema)?),
        Sql::Arithmetic(operator, a, b) => {
            let sign = match operator {
                Operator::Add => '+',
                Operator::Subtract => '-',
                Operator::Multiply => '*',
                Operator::Divide => '/',
                Operator::Remainder | Operator::Join => return None,
            };
            format!("{} {sign} {}", operand(a, schema)?, operand(b, schema)?)
        }
        Sql::Call(super::sql::Function::Round, parts) => {
            let digits = match parts.get(1) {
                None => 0.0,
                Some(Sql::Number(digits)) => *digits,
                Some(_) => return None,
            };
            format!("round({}, {digits})", formula(parts.first()?, schema)?)
        }
        _ => return None,
    })
}

/// A part of a formula, in parentheses where it is more than a name or a number.
fn operand(sql: &Sql, schema: &TableSchema) -> Option<String> {
    let text = formula(sql, schema)?;
    let plain = matches!(sql, Sql::Column(_) | Sql::Call(..)) || matches!(sql, Sql::Number(n) if *n >= 0.0);
    Some(if plain { text } else { format!("({text})") })
}
