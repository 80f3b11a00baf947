//! Conditions and expressions in the words of SQL: what databases declare of their rows, as far as it is about one row
//! and needs no clock. SQLite's and PostgreSQL's spellings are read; what is not understood is an error that says so.

mod lex;
mod parse;
mod write;

use std::cmp::Ordering;

use regex::Regex;

use super::{columns::position, expression::rounded};
use crate::{
    Error,
    table::{
        Table,
        schema::{ColumnSchema, Format, TableSchema},
    },
};
pub use lex::names;

/// An expression over the columns of a row, by their number.
#[derive(Clone, Debug)]
pub enum Sql {
    Null,
    Number(f64),
    Text(String),
    Column(usize),
    Minus(Box<Sql>),
    Not(Box<Sql>),
    /// `+ - * / % ||`
    Arithmetic(Operator, Box<Sql>, Box<Sql>),
    Compare(Comparison, Box<Sql>, Box<Sql>),
    And(Box<Sql>, Box<Sql>),
    Or(Box<Sql>, Box<Sql>),
    In(Box<Sql>, Vec<Sql>),
    /// A pattern that is known.
    Matches(Box<Sql>, Pattern),
    IsNull(Box<Sql>),
    /// `IS`, `IS NOT DISTINCT FROM`: equal, or both missing.
    Same(Box<Sql>, Box<Sql>),
    Call(Function, Vec<Sql>),
    Case(Vec<(Sql, Sql)>, Option<Box<Sql>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Join,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Length,
    Abs,
    Lower,
    Upper,
    Trim,
    Round,
    Coalesce,
    Least,
    Greatest,
    NullIf,
}

/// A regular expression, as the database's pattern means it.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    /// LIKE, ILIKE, GLOB, ~ or ~*.
    how: &'static str,
    text: String,
}

/// What an expression is in a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Number(f64),
    Text(String),
    /// A date or a time, with how it is written.
    Time(f64, String),
}

impl Sql {
    /// Parses an SQL expression about the columns of `schema`.
    ///
    /// # Errors
    /// The expression is malformed, is not understood, or names an unknown column.
    pub fn parse(text: &str, schema: &TableSchema) -> Result<Self, Error> {
        let find = |name: &str| {
            let same = |column: &ColumnSchema| column.name.eq_ignore_ascii_case(name);
            position(name, schema).or_else(|| schema.columns.iter().position(same))
        };
        parse::parse(text, &find)
    }

    /// The rows of `table` in which the condition is false; where it is neither true nor false, it holds, as in SQL.
    pub fn broken(&self, table: &Table, schema: &TableSchema) -> Vec<usize> {
        let truths = self.truths(table, schema).into_iter().enumerate();
        truths.filter(|(_, truth)| *truth == Some(false)).map(|(row, _)| row).collect()
    }

    /// Whether the condition is true in each row of `table`, where it is true or false.
    pub fn truths(&self, table: &Table, schema: &TableSchema) -> Vec<Option<bool>> {
        let columns = self.columns();
        let cells: Vec<Vec<Value>> = columns.iter().map(|&at| values(table, schema, at)).collect();
        let value = |row: usize| {
            let cell = |at: usize| {
                let number = table.columns[at].numbers()[row];
                let of = columns.iter().position(|&column| column == at);
                of.and_then(|of| cells[of].get(number as usize)).cloned().unwrap_or(Value::Null)
            };
            self.value(&cell)
        };
        (0..table.rows()).map(|row| value(row).truth()).collect()
    }

    /// The columns that it names, each once.
    pub fn columns(&self) -> Vec<usize> {
        let mut all = Vec::new();
        self.visit(&mut |part| {
            if let Self::Column(at) = part {
                all.push(*at);
            }
        });
        all.sort_unstable();
        all.dedup();
        all
    }

    fn visit(&self, on: &mut dyn FnMut(&Self)) {
        on(self);
        match self {
            Self::Null | Self::Number(_) | Self::Text(_) | Self::Column(_) => {}
            Self::Minus(a) | Self::Not(a) | Self::IsNull(a) | Self::Matches(a, _) => a.visit(on),
            Self::Arithmetic(_, a, b)
            | Self::Compare(_, a, b)
            | Self::And(a, b)
            | Self::Or(a, b)
            | Self::Same(a, b) => {
                a.visit(on);
                b.visit(on);
            }
            Self::In(a, list) => {
                a.visit(on);
                list.iter().for_each(|part| part.visit(on));
            }
            Self::Call(_, list) => list.iter().for_each(|part| part.visit(on)),
            Self::Case(arms, otherwise) => {
                for (when, then) in arms {
                    when.visit(on);
                    then.visit(on);
                }
                if let Some(otherwise) = otherwise {
                    otherwise.visit(on);
                }
            }
        }
    }

    /// Whether it does arithmetic with columns of a kind.
    pub fn computes_with(&self, kind: &dyn Fn(usize) -> bool) -> bool {
        let mut found = false;
        self.visit(&mut |part| {
            let is = |part: &Self| matches!(part, Self::Column(at) if kind(*at));
            found |= match part {
                Self::Arithmetic(operator, a, b) => *operator != Operator::Join && (is(a) || is(b)),
                Self::Minus(a) => is(a),
                Self::Call(Function::Abs | Function::Round, parts) => parts.iter().any(is),
                _ => false,
            };
        });
        found
    }

    /// The conditions that must all hold.
    pub fn conjuncts(&self) -> Vec<&Self> {
        match self {
            Self::And(a, b) => [a.conjuncts(), b.conjuncts()].concat(),
            other => vec![other],
        }
    }

    /// Its value in a row of which `cell` gives the cells.
    pub fn value(&self, cell: &dyn Fn(usize) -> Value) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Column(at) => cell(*at),
            Self::Minus(inner) => match inner.value(cell).number() {
                Some(number) => Value::Number(-number),
                None => Value::Null,
            },
            Self::Not(inner) => truth(inner.value(cell).truth().map(|truth| !truth)),
            Self::Arithmetic(operator, a, b) => arithmetic(*operator, &a.value(cell), &b.value(cell)),
            Self::Compare(how, a, b) => {
                let order = compare(&a.value(cell), &b.value(cell));
                truth(order.map(|order| how.holds(order)))
            }
            Self::And(a, b) => match (a.value(cell).truth(), b.value(cell).truth()) {
                (Some(false), _) | (_, Some(false)) => truth(Some(false)),
                (Some(true), Some(true)) => truth(Some(true)),
                _ => Value::Null,
            },
            Self::Or(a, b) => match (a.value(cell).truth(), b.value(cell).truth()) {
                (Some(true), _) | (_, Some(true)) => truth(Some(true)),
                (Some(false), Some(false)) => truth(Some(false)),
                _ => Value::Null,
            },
            Self::In(a, list) => {
                let own = a.value(cell);
                let found: Vec<Option<bool>> = list
                    .iter()
                    .map(|item| compare(&own, &item.value(cell)).map(|order| order == Ordering::Equal))
                    .collect();
                match found.contains(&Some(true)) {
                    true => truth(Some(true)),
                    false if found.contains(&None) => Value::Null,
                    false => truth(Some(false)),
                }
            }
            Self::Matches(a, pattern) => match a.value(cell).text() {
                Some(text) => truth(Some(pattern.regex.is_match(&text))),
                None => Value::Null,
            },
            Self::IsNull(a) => truth(Some(a.value(cell) == Value::Null)),
            Self::Same(a, b) => match (a.value(cell), b.value(cell)) {
                (Value::Null, Value::Null) => truth(Some(true)),
                (a, b) => truth(Some(compare(&a, &b) == Some(Ordering::Equal))),
            },
            Self::Call(function, list) => {
                call(*function, &list.iter().map(|part| part.value(cell)).collect::<Vec<_>>())
            }
            Self::Case(arms, otherwise) => {
                let hit = arms.iter().find(|(when, _)| when.value(cell).truth() == Some(true));
                let then = hit.map(|(_, then)| then).or(otherwise.as_deref());
                then.map_or(Value::Null, |then| then.value(cell))
            }
        }
    }
}

/// The value of each distinct text of a column.
pub fn values(table: &Table, schema: &TableSchema, at: usize) -> Vec<Value> {
    let form = &schema.columns[at];
    table.columns[at].values().iter().map(|text| Value::of(text, form)).collect()
}

impl Value {
    /// What a text of a column means.
    pub fn of(text: &str, form: &ColumnSchema) -> Self {
        if form.is_missing(Some(text)) {
            return Self::Null;
        }
        match (&form.format, form.number(text)) {
            (Format::Datetime { .. }, Some(number)) => Self::Time(number, text.to_owned()),
            (_, Some(number)) => Self::Number(number),
            (_, None) => Self::Text(text.to_owned()),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok().or_else(|| boolean(text)),
            Self::Null | Self::Time(..) => None,
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Number(number) => Some(number.to_string()),
            Self::Text(text) | Self::Time(_, text) => Some(text.clone()),
        }
    }

    /// Whether it is true; nothing where it is neither true nor false.
    pub fn truth(&self) -> Option<bool> {
        self.number().map(|number| number != 0.0)
    }
}

fn truth(value: Option<bool>) -> Value {
    value.map_or(Value::Null, |value| Value::Number(f64::from(u8::from(value))))
}

/// The number that the databases have for words of yes and no.
fn boolean(text: &str) -> Option<f64> {
    match text.trim().to_ascii_lowercase().as_str() {
        "t" | "true" => Some(1.0),
        "f" | "false" => Some(0.0),
        _ => None,
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order == Ordering::Equal,
            Self::Different => order != Ordering::Equal,
            Self::Less => order == Ordering::Less,
            Self::LessOrEqual => order != Ordering::Greater,
            Self::Greater => order == Ordering::Greater,
            Self::GreaterOrEqual => order != Ordering::Less,
        }
    }

    /// The same with its sides exchanged.
    pub fn reversed(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }
}

/// How two values lie to each other; nothing where one is missing. Numbers are compared as numbers wherever both are.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Time(a, _), Value::Time(b, _)) => a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => match (a.number(), b.number()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => Some(a.text()?.cmp(&b.text()?)),
        },
    }
}

fn arithmetic(operator: Operator, a: &Value, b: &Value) -> Value {
    if operator == Operator::Join {
        return match (a.text(), b.text()) {
            (Some(a), Some(b)) => Value::Text(a + &b),
            _ => Value::Null,
        };
    }
    let (Some(a), Some(b)) = (a.number(), b.number()) else { return Value::Null };
    let value = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::Remainder | Operator::Join => a % b,
    };
    if value.is_finite() { Value::Number(value) } else { Value::Null }
}

fn call(function: Function, values: &[Value]) -> Value {
    let first = values.first().unwrap_or(&Value::Null);
    let text = |of: fn(&str) -> String| first.text().map_or(Value::Null, |text| Value::Text(of(&text)));
    let number = |value: Option<f64>| value.map_or(Value::Null, Value::Number);
    let extreme = |wanted: Ordering| {
        let best = values
            .iter()
            .filter(|value| **value != Value::Null)
            .reduce(|best, value| if compare(value, best) == Some(wanted) { value } else { best });
        best.cloned().unwrap_or(Value::Null)
    };
    match function {
        Function::Length => number(first.text().map(|text| text.chars().count() as f64)),
        Function::Abs => number(first.number().map(f64::abs)),
        Function::Lower => text(str::to_lowercase),
        Function::Upper => text(str::to_uppercase),
        Function::Trim => text(|text| text.trim().to_owned()),
        Function::Round => {
            let digits = values.get(1).and_then(Value::number).unwrap_or(0.0);
            let digits = digits.round().clamp(-15.0, 15.0) as i32;
            number(first.number().map(|value| rounded(value, digits)))
        }
        Function::Coalesce => {
            values.iter().find(|value| **value != Value::Null).cloned().unwrap_or(Value::Null)
        }
        Function::Least => extreme(Ordering::Less),
        Function::Greatest => extreme(Ordering::Greater),
        Function::NullIf => {
            let second = values.get(1).unwrap_or(&Value::Null);
            if compare(first, second) == Some(Ordering::Equal) { Value::Null } else { first.clone() }
        }
    }
}

#[cfg(test)]
mod tests;
