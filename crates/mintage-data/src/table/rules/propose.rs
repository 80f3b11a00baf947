//! Rules that a table keeps and that are no accident.
//!
//! A rule is proposed when it holds in every row and would be broken if the columns had nothing to do with
//! each other: an order, because values of other rows would break it; a dependency, because the chance of it
//! is next to nothing.

use std::collections::BTreeSet;

use super::{
    Expression, Formula, Rule,
    columns::{Numbers, position},
    expression::name,
    holds::broken,
};
use crate::table::{
    MISSING, Table, datetime,
    schema::{Format, IdFormat, Kind, TableSchema, is_yes},
};

/// Rows without which nothing is proposed.
const MIN_ROWS: usize = 100;
/// Formulas are looked for among so many columns at most: there are triples of them.
const MAX_OPERANDS: usize = 60;
const OPERATORS: [char; 4] = ['*', '+', '=', '-'];
/// A computed column has so many different values, or it may be chance.
const ENOUGH_COMPUTED: usize = 10;
/// Rows that are looked at before all are.
const SAMPLED_ROWS: usize = 64;
/// Pairs of different rows that are compared.
const COMPARED_PAIRS: usize = 4000;
/// Pairs of an order that must be the other way round between different rows: dates, numbers.
const BROKEN_DATES: f64 = 0.01;
const BROKEN_NUMBERS: f64 = 0.05;
/// The same share for an order of numbers whose names say nothing.
const BROKEN_OFTEN: f64 = 0.2;
/// Rows that must keep such an order, at least.
const MIN_ORDERED_ROWS: usize = 500;
/// Columns among which rules are looked for unasked, at most: pairs of them are compared.
const MAX_COLUMNS: usize = 200;
/// Rows a value that a dependency starts from.
const ROWS_A_VALUE: usize = 2;
/// Whole numbers of at most so many values may be codes that others depend on.
const MAX_CODES: usize = 100;
/// The logarithm of the chance below which a dependency is none.
const MAX_LOG_CHANCE: f64 = -14.0;

/// The rules that all rows of `table` keep.
pub fn propose(table: &Table, schema: &TableSchema) -> Vec<Rule> {
    if table.rows() < MIN_ROWS {
        return Vec::new();
    }
    let mut rules = Vec::new();
    let mut bound = BTreeSet::new();
    for (column, rule) in formulas(table, schema) {
        bound.insert(column);
        rules.push(rule);
    }
    for group in one_hot(table, schema).into_iter().chain(dependencies(table, schema, &bound)) {
        let columns = group.columns.iter().map(|&column| schema.columns[column].name.clone()).collect();
        bound.extend(&group.columns);
        rules.push(if group.one_hot { Rule::OneHot { columns } } else { Rule::Combination { columns } });
    }
    rules.extend(orders(table, schema, &bound));
    rules.extend(keys(table, schema));
    rules
}

/// Those of the proposed rules that there is a reason for beside the rows themselves, or that no chance explains: they
/// are in force without being asked for. An order of numbers has to show in their names, or in how often it would
/// be broken; texts that are drawn from those seen are tied to nothing.
pub(super) fn found(table: &Table, schema: &TableSchema) -> Vec<Rule> {
    if schema.columns.len() > MAX_COLUMNS {
        return Vec::new();
    }
    // What is drawn from a list, or has values of its own made, is tied to nothing: a row of it would be a real one.
    let text = |name: &&str| {
        schema.column(name).is_some_and(|column| column.kind == Kind::Text || column.made_afresh().is_some())
    };
    let mut rules = propose(table, schema);
    rules.retain(|rule| match rule {
        Rule::Combination { columns } => !columns.iter().any(|name| text(&name.as_str())),
        Rule::Order { columns, .. } => has_reason(columns, table, schema),
        Rule::Unique { .. } => false,
        _ => true,
    });
    rules
}

/// Whether numbers are in order for a reason; dates are always.
fn has_reason(columns: &[String], table: &Table, schema: &TableSchema) -> bool {
    let numbers =
        |name: &String| schema.column(name).is_some_and(|column| matches!(column.format, Format::Number(_)));
    if !columns.iter().any(numbers) {
        return true;
    }
    let at: Vec<usize> = columns.iter().filter_map(|name| position(name, schema)).collect();
    let all = Numbers::of(table, schema, at.clone());
    let far =
        |pair: &[usize]| table.rows() >= MIN_ORDERED_ROWS && ordered(pair[0], pair[1], &all, BROKEN_OFTEN);
    columns.windows(2).zip(at.windows(2)).all(|(names, pair)| related(&names[0], &names[1]) || far(pair))
}

/// Whether two names say that one is the lower: words of opposites, or a word that both have.
fn related(low: &str, high: &str) -> bool {
    const OPPOSITES: [(&str, &str); 17] = [
        ("min", "max"),
        ("minimum", "maximum"),
        ("low", "high"),
        ("lo", "hi"),
        ("lower", "upper"),
        ("start", "end"),
        ("begin", "end"),
        ("from", "to"),
        ("from", "until"),
        ("first", "last"),
        ("net", "gross"),
        ("used", "total"),
        ("part", "total"),
        ("мин", "макс"),
        ("от", "до"),
        ("начало", "конец"),
        ("net", "total"),
    ];
    let (low, high) = (words(low), words(high));
    let opposite =
        |(a, b): &(&str, &str)| low.iter().any(|word| word == a) && high.iter().any(|word| word == b);
    OPPOSITES.iter().any(opposite) || low.iter().any(|word| word.chars().count() > 2 && high.contains(word))
}

/// The words of a name, in lower case: "shipDate_min" has three.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last = ' ';
    for c in name.chars() {
        if !c.is_alphabetic() || c.is_uppercase() && last.is_lowercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphabetic()) {
            word.extend(c.to_lowercase());
        }
        last = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Columns that belong together.
struct Group {
    columns: Vec<usize>,
    one_hot: bool,
}

/// Computed columns: products, sums and differences of two others, and copies. A sum that is said once is not
/// said again as a difference, and what is computed is computed from what is not.
fn formulas(table: &Table, schema: &TableSchema) -> Vec<(usize, Rule)> {
    let number = |&column: &usize| {
        let form = &schema.columns[column];
        matches!(form.format, Format::Number(_)) && form.distinct > 1
    };
    let columns: Vec<usize> = (0..schema.columns.len()).filter(number).collect();
    if columns.len() > MAX_OPERANDS {
        return Vec::new();
    }
    let numbers = Numbers::of(table, schema, columns.clone());
    let sample: Vec<usize> = (0..table.rows()).step_by(table.rows().div_ceil(SAMPLED_ROWS)).collect();
    let computed = |&column: &usize| schema.columns[column].distinct >= ENOUGH_COMPUTED;
    let mut found: Vec<(BTreeSet<usize>, usize, Rule)> = Vec::new();
    for operator in OPERATORS {
        for &target in columns.iter().filter(|column| computed(column)) {
            for (a, b) in operands(operator, target, &columns) {
                let all = BTreeSet::from([target, a, b]);
                let said = found.iter().any(|f| f.0 == all || f.0.contains(&target) || [a, b].contains(&f.1));
                let near = |row: &usize| {
                    let value = |column: usize| numbers.get(column, *row);
                    near(operator, value(a), value(b), value(target), &schema.columns[target].format)
                };
                if !said
                    && sample.iter().all(near)
                    && let Some(rule) = formula(target, a, b, operator, table, schema)
                {
                    found.push((all, target, rule));
                }
            }
        }
    }
    found.into_iter().map(|(_, target, rule)| (target, rule)).collect()
}

/// Pairs of columns that may make up another; with "=" it is a copy of an earlier one.
fn operands(operator: char, target: usize, columns: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    let pairs = columns.iter().flat_map(|&a| columns.iter().map(move |&b| (a, b)));
    pairs.filter(move |&(a, b)| {
        let fits = match operator {
            '=' => a == b && a < target,
            '-' => a != b,
            _ => a < b,
        };
        fits && a != target && b != target
    })
}

/// Whether the numbers of a row are as the formula has it, but for rounding.
fn near(operator: char, a: Option<f64>, b: Option<f64>, target: Option<f64>, format: &Format) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return target.is_none() };
    let value = match operator {
        '*' => a * b,
        '+' => a + b,
        '-' => a - b,
        _ => a,
    };
    let unit = match format {
        Format::Number(format) => format.digits.map_or(0.0, |digits| 10f64.powi(-i32::from(digits))),
        _ => 0.0,
    };
    target.is_some_and(|target| (value - target).abs() <= 0.5 * unit + target.abs() * 1e-9)
}

/// The rule if it holds in all rows.
fn formula(
    target: usize,
    a: usize,
    b: usize,
    operator: char,
    table: &Table,
    schema: &TableSchema,
) -> Option<Rule> {
    let (left, right) = (Box::new(Expression::Column(a)), Box::new(Expression::Column(b)));
    let names = (name(&schema.columns[a].name), name(&schema.columns[b].name));
    let (expression, equals) = match operator {
        '=' => (Expression::Column(a), names.0),
        _ => (Expression::Binary(operator, left, right), format!("{} {operator} {}", names.0, names.1)),
    };
    let holds = Formula::fit(target, expression, table, schema).broken(table, schema).is_empty();
    holds.then(|| Rule::Formula { column: schema.columns[target].name.clone(), equals })
}

/// Columns of yes and no of which one says yes in each row, with names that begin alike.
fn one_hot(table: &Table, schema: &TableSchema) -> Vec<Group> {
    let beginning = |column: usize| {
        let name = &schema.columns[column].name;
        name.rfind(['_', '.', '=', ':', '-', ' ']).map(|at| &name[..at])
    };
    let yes_or_no = |&column: &usize| {
        let form = &schema.columns[column];
        form.kind == Kind::Boolean
            && form.missing_count == 0
            && table.columns[column].values().iter().any(is_yes)
    };
    let columns: Vec<usize> = (0..schema.columns.len()).filter(yes_or_no).collect();
    let beginnings: BTreeSet<&str> = columns.iter().filter_map(|&column| beginning(column)).collect();
    let mut groups = Vec::new();
    for start in beginnings {
        let columns: Vec<usize> =
            columns.iter().copied().filter(|&column| beginning(column) == Some(start)).collect();
        let names = columns.iter().map(|&column| schema.columns[column].name.clone()).collect();
        if columns.len() > 2 && broken(&Rule::OneHot { columns: names }, table, table, schema).is_empty() {
            groups.push(Group { columns, one_hot: true });
        }
    }
    groups
}

/// Columns of which one says what the others are, such as a city its country. Where several say it, the one
/// of the fewest values does: to join those as well would only list how they happened to meet.
fn dependencies(table: &Table, schema: &TableSchema, bound: &BTreeSet<usize>) -> Vec<Group> {
    let learned = |column: &usize| {
        let form = &schema.columns[*column];
        !bound.contains(column)
            && !matches!(form.kind, Kind::Id | Kind::Text | Kind::Constant)
            && form.made_afresh().is_none()
            && form.distinct > 1
    };
    let columns: Vec<usize> = (0..schema.columns.len()).filter(learned).collect();
    let starts = |&column: &usize| {
        let form = &schema.columns[column];
        let listed = match form.kind {
            Kind::Category | Kind::Boolean => true,
            Kind::Integer => form.distinct <= MAX_CODES,
            _ => false,
        };
        listed && form.distinct * ROWS_A_VALUE <= table.rows()
    };
    // Those of few values first: a postcode says the city, and the city the country.
    let mut from: Vec<usize> = columns.iter().copied().filter(starts).collect();
    from.sort_by_key(|&column| schema.columns[column].distinct);
    let mut groups: Vec<BTreeSet<usize>> = Vec::new();
    for &to in &columns {
        let together = |a: usize| groups.iter().any(|group| group.contains(&a) && group.contains(&to));
        let parent = from.iter().copied().find(|&a| a != to && !together(a) && depends(a, to, table));
        let Some(parent) = parent else { continue };
        let mut group = BTreeSet::from([parent, to]);
        groups.retain(|other| {
            let apart = group.is_disjoint(other);
            if !apart {
                group.extend(other);
            }
            apart
        });
        groups.push(group);
    }
    let group = |group: BTreeSet<usize>| Group { columns: group.into_iter().collect(), one_hot: false };
    groups.into_iter().map(group).collect()
}

/// Whether each value of `a` goes with one value of `b` in all rows, and not by chance.
fn depends(a: usize, b: usize, table: &Table) -> bool {
    const NONE: u32 = MISSING - 1;
    let (a, b) = (&table.columns[a], &table.columns[b]);
    let last = a.values().len();
    let mut of_value = vec![NONE; last + 1];
    let mut counts = vec![0u32; last + 1];
    for (&from, &to) in a.numbers().iter().zip(b.numbers()) {
        let from = if from == MISSING { last } else { from as usize };
        counts[from] += 1;
        if of_value[from] == NONE {
            of_value[from] = to;
        } else if of_value[from] != to {
            return false;
        }
    }
    let rows = table.rows() as f64;
    let shares = b.counts().into_iter().chain([b.missing() as u32]).map(|count| f64::from(count) / rows);
    let shares: Vec<f64> = shares.filter(|share| *share > 0.0).collect();
    // The chance that all rows of a value of `a` have the same value of `b`, if they were drawn.
    let same = |count: u32| shares.iter().map(|share| share.powi(count as i32)).sum::<f64>().max(1e-300);
    let mut chance = 0.0;
    for count in counts {
        if count > 1 {
            chance += same(count).ln();
        }
        if chance < MAX_LOG_CHANCE {
            return true;
        }
    }
    false
}

/// Numbers and dates of which one is never below another.
fn orders(table: &Table, schema: &TableSchema, bound: &BTreeSet<usize>) -> Vec<Rule> {
    let sort = |column: usize| match &schema.columns[column].format {
        _ if bound.contains(&column) || schema.columns[column].distinct < 2 => None,
        Format::Number(_) => Some(0),
        Format::Datetime { pattern } => Some(if datetime::dated(pattern) { 1 } else { 2 }),
        Format::Plain | Format::Id(_) => None,
    };
    let columns: Vec<usize> = (0..schema.columns.len()).filter(|&column| sort(column).is_some()).collect();
    let numbers = Numbers::of(table, schema, columns.clone());
    let mut pairs = BTreeSet::new();
    for &a in &columns {
        for &b in &columns {
            let least = if sort(a) == Some(0) { BROKEN_NUMBERS } else { BROKEN_DATES };
            let twins = pairs.contains(&(b, a));
            if a != b && sort(a) == sort(b) && !twins && ordered(a, b, &numbers, least) {
                pairs.insert((a, b));
            }
        }
    }
    // What follows from two others need not be said.
    let through = |&(a, b): &(usize, usize)| {
        columns.iter().any(|&c| pairs.contains(&(a, c)) && pairs.contains(&(c, b)))
    };
    let direct: BTreeSet<(usize, usize)> = pairs.iter().copied().filter(|pair| !through(pair)).collect();
    let rule = |chain: Vec<usize>| {
        let columns = chain.iter().map(|&column| schema.columns[column].name.clone()).collect();
        Rule::Order { columns, strict: false }
    };
    chains(direct).into_iter().map(rule).collect()
}

/// Whether `a <= b` in all rows that have both, but often not between different rows.
fn ordered(a: usize, b: usize, numbers: &Numbers, least: f64) -> bool {
    let rows = numbers.rows();
    let both = |row: usize| Some((numbers.get(a, row)?, numbers.get(b, row)?));
    if (0..rows).filter_map(both).any(|(a, b)| a > b) {
        return false;
    }
    let present: Vec<(f64, f64)> =
        (0..rows).step_by(rows.div_ceil(COMPARED_PAIRS)).filter_map(both).collect();
    if (0..rows).filter_map(both).take(MIN_ROWS).count() < MIN_ROWS {
        return false;
    }
    let others = present.iter().cycle().skip(present.len() / 2 + 1);
    let broken = present.iter().zip(others).filter(|(one, other)| one.0 > other.1).count();
    broken as f64 >= least * present.len() as f64 && broken > 0
}

/// Pairs put together where one follows the other and nothing else does.
fn chains(pairs: BTreeSet<(usize, usize)>) -> Vec<Vec<usize>> {
    let after = |column: usize| pairs.iter().filter(move |pair| pair.0 == column);
    let before = |column: usize| pairs.iter().filter(move |pair| pair.1 == column).count();
    let inner = |column: usize| before(column) == 1 && after(column).count() == 1;
    let starts = pairs.iter().filter(|pair| !inner(pair.0));
    starts
        .map(|&(first, second)| {
            let mut chain = vec![first, second];
            let mut last = second;
            while inner(last)
                && let Some(next) = after(last).next()
            {
                last = next.1;
                chain.push(last);
            }
            chain
        })
        .collect()
}

/// Primary keys of several columns, of which none is made afresh.
fn keys(table: &Table, schema: &TableSchema) -> Option<Rule> {
    let key: Vec<usize> =
        (0..schema.columns.len()).filter(|&c| schema.columns[c].declaration.primary_key).collect();
    let afresh = |&column: &usize| {
        let form = &schema.columns[column];
        form.kind == Kind::Id && form.format != Format::Id(IdFormat::Reference)
    };
    if key.len() < 2 || key.iter().any(afresh) {
        return None;
    }
    let rule = Rule::Unique {
        columns: key.iter().map(|&column| schema.columns[column].name.clone()).collect(),
        condition: None,
    };
    broken(&rule, table, table, schema).is_empty().then_some(rule)
}
