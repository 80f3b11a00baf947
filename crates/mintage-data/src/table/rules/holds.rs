//! Which rows break a rule.

use super::{
    Expression, Formula, Rule,
    columns::{Numbers, bound, position},
    computed::{Computed, expression, is_sql},
    joint::Joint,
    sql::Sql,
    unique::Key,
};
use crate::table::{
    Column, Table,
    pattern::Pattern,
    schema::{ColumnSchema, TableSchema, is_yes},
};

/// The rows of `table` that break `rule`; combinations, and how halves are rounded, are those of `real`.
pub fn broken(rule: &Rule, table: &Table, real: &Table, schema: &TableSchema) -> Vec<usize> {
    if let Rule::Check { sql } = rule {
        return Sql::parse(sql, schema).map_or_else(|_| Vec::new(), |sql| sql.broken(table, schema));
    }
    let at: Vec<usize> = rule.columns().iter().filter_map(|name| position(name, schema)).collect();
    let Some(&first) = at.first() else { return Vec::new() };
    let (column, form) = (&table.columns[first], &schema.columns[first]);
    match rule {
        Rule::Range { min, max, .. } => {
            let (low, high) =
                (min.as_ref().and_then(|b| bound(b, form)), max.as_ref().and_then(|b| bound(b, form)));
            let outside = |n: f64| low.is_some_and(|low| n < low) || high.is_some_and(|high| n > high);
            rows_where(column, |text| form.number(text).is_some_and(outside))
        }
        Rule::Positive { .. } => rows_where(column, |text| form.number(text).is_some_and(|n| n <= 0.0)),
        Rule::Rounded { digits, .. } => {
            let unit = 10f64.powi(i32::from(*digits));
            // As exact as a number is written.
            let off = |n: f64| ((n * unit).round() / unit - n).abs() > n.abs() * 1e-14;
            rows_where(column, |text| form.number(text).is_some_and(off))
        }
        Rule::Regex { pattern, .. } => match Pattern::new(pattern) {
            Ok(pattern) => rows_where(column, |text| !form.is_missing(Some(text)) && !pattern.matches(text)),
            Err(_) => Vec::new(),
        },
        Rule::Order { strict, .. } => order(&at, *strict, table, schema),
        Rule::Combination { .. } => {
            let joint = Joint { name: String::new(), members: at };
            let known = joint.forward(real);
            rows_where(&joint.forward(table), |text| known.values().find(text).is_none())
        }
        Rule::OneHot { .. } => {
            let yes =
                |row: &usize| at.iter().filter(|&&c| table.columns[c].cell(*row).is_some_and(is_yes)).count();
            (0..table.rows()).filter(|row| yes(row) != 1).collect()
        }
        Rule::Check { .. } => Vec::new(),
        Rule::Unique { .. } => Key::of(rule, schema).repeated(table, schema),
        Rule::Formula { equals, .. } if is_sql(equals, schema) => {
            Computed { column: first, sql: equals.clone() }.broken(table, schema)
        }
        Rule::Formula { equals, .. } => {
            let Ok(expression) = expression(equals, schema) else { return Vec::new() };
            Formula::fit(first, expression, real, schema).broken(table, schema)
        }
    }
}

/// The rows whose text is one of those that `is` names, which is asked once a distinct text.
fn rows_where(column: &Column, is: impl Fn(&str) -> bool) -> Vec<usize> {
    let of_text: Vec<bool> = column.values().iter().map(is).collect();
    if !of_text.contains(&true) {
        return Vec::new();
    }
    let rows = column.numbers().iter().enumerate();
    rows.filter(|(_, n)| of_text.get(**n as usize) == Some(&true)).map(|(row, _)| row).collect()
}

fn order(columns: &[usize], strict: bool, table: &Table, schema: &TableSchema) -> Vec<usize> {
    let numbers = Numbers::of(table, schema, columns.to_vec());
    let wrong = |row: &usize| {
        let mut present = columns.iter().filter_map(|&column| numbers.get(column, *row));
        !present.by_ref().is_sorted_by(|a, b| if strict { a < b } else { a <= b })
    };
    (0..table.rows()).filter(wrong).collect()
}

impl Formula {
    /// The formula as the rows of `table` round it, and as they write what is missing.
    pub(super) fn fit(column: usize, expression: Expression, table: &Table, schema: &TableSchema) -> Self {
        const NUDGE: f64 = 1e-12;
        let own = &table.columns[column];
        let form = &schema.columns[column];
        let counted = own.values().iter().zip(own.counts()).filter(|(text, _)| form.is_missing(Some(text)));
        let spelled = counted.max_by_key(|(_, n)| *n).filter(|(_, n)| *n as usize > own.missing());
        let missing = spelled.map(|(text, _)| text.to_owned());
        let with =
            |nudge: f64| Self { column, expression: expression.clone(), nudge, missing: missing.clone() };
        let fits = [0.0, NUDGE, -NUDGE].map(with);
        let mut best: Option<(usize, Self)> = None;
        for formula in fits {
            let broken = formula.broken(table, schema).len();
            if best.as_ref().is_none_or(|(least, _)| broken < *least) {
                best = Some((broken, formula));
            }
            if broken == 0 {
                break;
            }
        }
        best.map_or_else(|| with(0.0), |(_, formula)| formula)
    }

    /// The rows whose text is not what the formula gives. What is a half, and where it is rounded to, differs from
    /// program to program: where most rows are right, one unit of the last digit is no fault.
    pub(super) fn broken(&self, table: &Table, schema: &TableSchema) -> Vec<usize> {
        let numbers = Numbers::of(table, schema, self.expression.columns());
        let form = &schema.columns[self.column];
        let (mut wrong, mut nearly) = (Vec::new(), Vec::new());
        for row in 0..table.rows() {
            let own = table.columns[self.column].cell(row);
            match self.text(|column| numbers.get(column, row), schema) {
                Some(text) if own == Some(&text) => {}
                None if form.is_missing(own) => {}
                Some(text) if self.is_near(own, &text, form) => nearly.push(row),
                _ => wrong.push(row),
            }
        }
        if 2 * nearly.len() > table.rows() {
            wrong.extend(nearly);
            wrong.sort_unstable();
        }
        wrong
    }

    /// Whether a cell is one unit of the last digit away from what a formula that rounds gives.
    fn is_near(&self, own: Option<&str>, text: &str, form: &ColumnSchema) -> bool {
        let Expression::Round(_, digits @ 1..) = &self.expression else { return false };
        let numbers = own.and_then(|own| form.number(own)).zip(form.number(text));
        numbers.is_some_and(|(own, other)| (own - other).abs() < 1.5 * 10f64.powi(-digits))
    }
}
