//! From rules to what keeps them, or to an error that says why they cannot be kept.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Expression, Formula, Limits, Origin, Rule, Rules,
    holds::{self, Numbers, position},
    joint::{Joint, SEPARATOR},
    order::{Follower, Parent, Scale},
};
use crate::{
    Error,
    error::suggestion,
    table::{
        Declaration, Table, datetime,
        pattern::Pattern,
        schema::{ColumnSchema, Format, IdFormat, Kind, TableSchema},
    },
};

/// Rows that an error shows.
const SHOWN: usize = 3;

pub fn plan(rules: Vec<Rule>, table: &Table, schema: &TableSchema) -> Result<Rules, Error> {
    let mut schema = TableSchema { columns: schema.columns.clone(), alerts: Vec::new() };
    for rule in &rules {
        columns_fit(rule, table, &schema)?;
    }
    let plan = Plan { rules: &rules, table, schema: &schema };
    let joints = plan.joints();
    let formulas = plan.formulas(&joints)?;
    let edges = plan.edges(&joints, &formulas)?;
    let sorted = plan.sorted(&edges)?;
    let ranges = plan.ranges(&formulas, &edges)?;
    for rule in &rules {
        refuse_broken(rule, table, &schema)?;
    }
    let (followers, limits) = plan.orders(&edges, &sorted, ranges)?;
    for rule in &rules {
        adopt(rule, &mut schema);
    }
    let origins = origins(&schema, &joints, &formulas, &followers);
    let forward = forward_schema(&schema, table, &origins, &joints, &followers);
    Ok(Rules { rules, schema, forward, origins, joints, followers, formulas, limits })
}

/// No such column, with the nearest name.
pub fn unknown(name: &str, schema: &TableSchema) -> Error {
    let names = || schema.columns.iter().map(|column| column.name.as_str());
    let all = || format!("the columns are {}", names().collect::<Vec<_>>().join(", "));
    Error::bad(format!("column `{name}`"), "is not in the table")
        .with_hint(suggestion(name, names()).unwrap_or_else(all))
}

fn bad(rule: &Rule, why: impl Into<String>) -> Error {
    Error::bad(format!("rule `{rule}`"), why)
}

/// Whether the columns of a rule are there, and of a kind for it.
fn columns_fit(rule: &Rule, table: &Table, schema: &TableSchema) -> Result<(), Error> {
    let names = rule.columns();
    for (i, name) in names.iter().enumerate() {
        let at = position(name, schema).ok_or_else(|| unknown(name, schema))?;
        if names[..i].contains(name) {
            return Err(bad(rule, format!("names `{name}` twice")));
        }
        let column = &schema.columns[at];
        let numbers = matches!(column.format, Format::Number(_));
        let dates = matches!(column.format, Format::Datetime { .. });
        let fits = match rule {
            Rule::Range { .. } | Rule::Order { .. } => numbers || dates,
            Rule::Positive { .. } | Rule::Rounded { .. } | Rule::Formula { .. } => numbers,
            _ => true,
        };
        if !fits {
            let why = format!("`{name}` is of kind {}, not a number", column.kind.name());
            return Err(bad(rule, why).with_hint("[data.kinds] in the recipe says what a column is"));
        }
        let joined = matches!(rule, Rule::Combination { .. } | Rule::OneHot { .. });
        if joined && table.columns[at].values().iter().any(|text| text.contains(SEPARATOR)) {
            return Err(bad(rule, format!("`{name}` has texts with the control character U+001F")));
        }
    }
    let least = match rule {
        Rule::Order { .. } | Rule::Combination { .. } | Rule::OneHot { .. } => 2,
        _ => 1,
    };
    if names.len() < least {
        return Err(bad(rule, format!("needs {least} columns or more")));
    }
    if let Rule::Regex { pattern, .. } = rule {
        Pattern::new(pattern)?;
    }
    Ok(())
}

/// An error when rows of the table itself break a rule.
fn refuse_broken(rule: &Rule, table: &Table, schema: &TableSchema) -> Result<(), Error> {
    let broken = holds::broken(rule, table, table, schema);
    if broken.is_empty() {
        return Ok(());
    }
    let mut names = rule.columns();
    let in_formula = match rule {
        Rule::Formula { equals, .. } => expression(equals, schema)?.columns(),
        _ => Vec::new(),
    };
    names.extend(in_formula.iter().map(|&column| schema.columns[column].name.as_str()));
    let cells = |row: usize| {
        let cell = |name: &&str| {
            format!("{name} {}", table.column(name).and_then(|c| c.cell(row)).unwrap_or("missing"))
        };
        format!("row {} ({})", row + 1, names.iter().map(cell).collect::<Vec<_>>().join(", "))
    };
    let first = broken.iter().take(SHOWN).map(|&row| cells(row)).collect::<Vec<_>>().join("; ");
    let why = format!("does not hold in {} of {} rows: {first}", broken.len(), table.rows());
    Err(bad(rule, why).with_hint("correct these rows in the source, or take the rule out"))
}

fn expression(text: &str, schema: &TableSchema) -> Result<Expression, Error> {
    Expression::parse(text, &|name| position(name, schema).ok_or_else(|| unknown(name, schema)))
}

/// What a rule says of how values are written.
fn adopt(rule: &Rule, schema: &mut TableSchema) {
    let Some(at) = rule.columns().first().and_then(|name| position(name, schema)) else { return };
    let column = &mut schema.columns[at];
    match (rule, &mut column.format) {
        (Rule::Regex { pattern, .. }, format) if column.kind == Kind::Id => {
            *format = Format::Id(IdFormat::Pattern { regex: pattern.clone() });
        }
        (Rule::Rounded { digits, .. }, Format::Number(format)) => {
            format.digits = Some(format.digits.map_or(*digits, |own| own.min(*digits)));
        }
        _ => {}
    }
}

/// A rule of order between two columns: the rule, and whether they may be equal.
type Edges = BTreeMap<(usize, usize), (usize, bool)>;

/// The least and the largest number that rules allow, by column, and the rules that say so.
#[derive(Clone, Copy, Default)]
struct Range {
    low: Option<(f64, usize)>,
    high: Option<(f64, usize)>,
}

struct Plan<'a> {
    rules: &'a [Rule],
    table: &'a Table,
    schema: &'a TableSchema,
}

impl Plan<'_> {
    fn name(&self, column: usize) -> &str {
        &self.schema.columns[column].name
    }

    fn columns(&self, rule: &Rule) -> Vec<usize> {
        rule.columns().iter().filter_map(|name| position(name, self.schema)).collect()
    }

    /// Combinations and one-hot groups; those that share a column become one.
    fn joints(&self) -> Vec<Joint> {
        let mut groups: Vec<BTreeSet<usize>> = Vec::new();
        for rule in self.rules {
            if !matches!(rule, Rule::Combination { .. } | Rule::OneHot { .. }) {
                continue;
            }
            let mut group: BTreeSet<usize> = self.columns(rule).into_iter().collect();
            groups.retain(|other| {
                let apart = group.is_disjoint(other);
                if !apart {
                    group.extend(other);
                }
                apart
            });
            groups.push(group);
        }
        let joint = |group: BTreeSet<usize>| {
            let names: Vec<&str> = group.iter().map(|&column| self.name(column)).collect();
            Joint { name: names.join(" + "), members: group.into_iter().collect() }
        };
        groups.into_iter().map(joint).collect()
    }

    /// The computed columns, each after those that it is computed from.
    fn formulas(&self, joints: &[Joint]) -> Result<Vec<Formula>, Error> {
        let mut left: Vec<(usize, Expression, &Rule)> = Vec::new();
        for rule in self.rules {
            let Rule::Formula { column, equals } = rule else { continue };
            let at = position(column, self.schema).ok_or_else(|| unknown(column, self.schema))?;
            let expression = expression(equals, self.schema)?;
            let operands = expression.columns();
            if operands.is_empty() {
                return Err(bad(rule, "names no column to compute it from"));
            }
            for operand in operands {
                if !matches!(self.schema.columns[operand].format, Format::Number(_)) {
                    let kind = self.schema.columns[operand].kind.name();
                    return Err(bad(
                        rule,
                        format!("`{}` is of kind {kind}, not a number", self.name(operand)),
                    ));
                }
            }
            if let Some((_, _, other)) = left.iter().find(|(column, ..)| *column == at) {
                return Err(bad(
                    rule,
                    format!("clashes with `{other}`: a column can be computed in one way only"),
                ));
            }
            if let Some(joint) = joints.iter().find(|joint| joint.members.contains(&at)) {
                return Err(bad(rule, format!("clashes with the combination of {}", joint.name)));
            }
            left.push((at, expression, rule));
        }
        let mut sorted = Vec::new();
        while !left.is_empty() {
            let waits = |operands: &[usize]| left.iter().any(|(column, ..)| operands.contains(column));
            let Some(next) = left.iter().position(|(_, expression, _)| !waits(&expression.columns())) else {
                let rules: Vec<String> = left.iter().map(|(.., rule)| format!("`{rule}`")).collect();
                return Err(Error::bad(rules.join(" and "), "compute columns from each other in a circle"));
            };
            let (column, expression, _) = left.remove(next);
            sorted.push(Formula::fit(column, expression, self.table, self.schema));
        }
        Ok(sorted)
    }

    /// Who follows whom by rules of order; columns of one joint keep their order by themselves.
    fn edges(&self, joints: &[Joint], formulas: &[Formula]) -> Result<Edges, Error> {
        let mut edges = Edges::new();
        let joint = |column: usize| joints.iter().position(|joint| joint.members.contains(&column));
        for (at, rule) in self.rules.iter().enumerate() {
            let Rule::Order { strict, .. } = rule else { continue };
            let columns = self.columns(rule);
            for (i, &child) in columns.iter().enumerate() {
                for &parent in &columns[..i] {
                    if joint(parent).is_some() && joint(parent) == joint(child) {
                        continue;
                    }
                    for column in [parent, child] {
                        if let Some(joint) = joint(column) {
                            let other = &joints[joint].name;
                            let why = format!(
                                "clashes with the combination of {other}: `{}` cannot be in both",
                                self.name(column)
                            );
                            return Err(bad(rule, why));
                        }
                        if formulas.iter().any(|formula| formula.column == column) {
                            let why = format!(
                                "`{}` is computed by a formula, so that its order cannot be chosen",
                                self.name(column)
                            );
                            return Err(bad(rule, why));
                        }
                    }
                    self.comparable(rule, parent, child)?;
                    let edge = edges.entry((parent, child)).or_insert((at, false));
                    edge.1 |= strict;
                }
            }
        }
        Ok(edges)
    }

    fn comparable(&self, rule: &Rule, a: usize, b: usize) -> Result<(), Error> {
        let what = |column: usize| match &self.schema.columns[column].format {
            Format::Datetime { pattern } if datetime::dated(pattern) => "a date",
            Format::Datetime { .. } => "a time of day",
            _ => "a number",
        };
        if what(a) == what(b) {
            return Ok(());
        }
        Err(bad(rule, format!("`{}` is {}, `{}` is {}", self.name(a), what(a), self.name(b), what(b))))
    }

    /// The columns that are in order, each after those that it follows.
    fn sorted(&self, edges: &Edges) -> Result<Vec<usize>, Error> {
        let mut left: BTreeSet<usize> = edges.keys().flat_map(|&(parent, child)| [parent, child]).collect();
        let mut sorted = Vec::new();
        while !left.is_empty() {
            let waits = |column: usize| {
                edges.keys().find(|(p, c)| *c == column && left.contains(p)).map(|edge| edge.0)
            };
            match left.iter().copied().find(|&column| waits(column).is_none()) {
                Some(next) => {
                    left.remove(&next);
                    sorted.push(next);
                }
                None => {
                    let mut walk: Vec<usize> = left.first().copied().into_iter().collect();
                    while let Some(parent) = walk.last().and_then(|&column| waits(column)) {
                        if let Some(start) = walk.iter().position(|&column| column == parent) {
                            return Err(self.circle(&walk[start..], edges));
                        }
                        walk.push(parent);
                    }
                }
            }
        }
        Ok(sorted)
    }

    /// The error of columns that follow each other in a circle, the last one first.
    fn circle(&self, walk: &[usize], edges: &Edges) -> Error {
        let pairs = walk.iter().zip(walk.iter().cycle().skip(1));
        let used: BTreeSet<usize> =
            pairs.filter_map(|(&child, &parent)| Some(edges.get(&(parent, child))?.0)).collect();
        let rules: Vec<String> = used.iter().map(|&rule| format!("`{}`", self.rules[rule])).collect();
        let names: Vec<&str> =
            walk.iter().rev().chain(walk.last()).map(|&column| self.name(column)).collect();
        let why = format!("cannot hold together: {} is a circle", names.join(" <= "));
        Error::bad(format!("rules {}", rules.join(" and ")), why).with_hint("take one of them out")
    }

    /// What `range` and `positive` allow.
    fn ranges(&self, formulas: &[Formula], edges: &Edges) -> Result<BTreeMap<usize, Range>, Error> {
        let mut ranges: BTreeMap<usize, Range> = BTreeMap::new();
        for (at, rule) in self.rules.iter().enumerate() {
            let Some(&column) = self.columns(rule).first() else { continue };
            let form = &self.schema.columns[column];
            let scale = Scale::of(form);
            let (low, high) = match rule {
                Rule::Range { min, max, .. } => {
                    let number = |bound: &Option<super::Bound>| match bound {
                        None => Ok(None),
                        Some(bound) => holds::bound(bound, form).map(Some).ok_or_else(|| {
                            bad(rule, format!("`{bound}` is not written as `{}` is", form.name))
                        }),
                    };
                    let (low, high) = (number(min)?, number(max)?);
                    (low.map(|low| scale.least(low, false)), high.map(|high| scale.largest(high, false)))
                }
                Rule::Positive { .. } => (Some(self.least_positive(column, scale)), None),
                Rule::Regex { .. } if edges.keys().any(|(a, b)| *a == column || *b == column) => {
                    return Err(bad(
                        rule,
                        format!("`{}` is in a rule of order, and cannot be in both", form.name),
                    ));
                }
                Rule::Regex { .. } => (None, None),
                _ => continue,
            };
            if formulas.iter().any(|formula| formula.column == column) {
                let why = format!(
                    "`{}` is computed by a formula: say it of the columns it is computed from",
                    form.name
                );
                return Err(bad(rule, why));
            }
            let range = ranges.entry(column).or_default();
            if let Some(low) = low.filter(|low| range.low.is_none_or(|own| *low > own.0)) {
                range.low = Some((low, at));
            }
            if let Some(high) = high.filter(|high| range.high.is_none_or(|own| *high < own.0)) {
                range.high = Some((high, at));
            }
            if let (Some(low), Some(high)) = (range.low, range.high)
                && low.0 > high.0
            {
                let rules: BTreeSet<String> =
                    [low.1, high.1].iter().map(|&rule| format!("`{}`", self.rules[rule])).collect();
                let rules = rules.into_iter().collect::<Vec<_>>().join(" and ");
                return Err(Error::bad(
                    format!("rule {rules}"),
                    format!("no value of `{}` can be so", form.name),
                ));
            }
        }
        Ok(ranges)
    }

    /// The least number above zero: one step of the column, or for numbers of any length the least one seen.
    fn least_positive(&self, column: usize, scale: Scale) -> f64 {
        let least = scale.least(0.0, true);
        let form = &self.schema.columns[column];
        match scale {
            Scale::Float => self.table.columns[column]
                .values()
                .iter()
                .filter_map(|text| form.number(text))
                .filter(|n| *n > 0.0)
                .fold(f64::MAX, f64::min),
            _ => least,
        }
    }

    /// Followers with their bounds, and the bounds of the other columns. Bounds are passed on from column to
    /// column, so that within them no follower has to be below one that it follows.
    fn orders(
        &self,
        edges: &Edges,
        sorted: &[usize],
        ranges: BTreeMap<usize, Range>,
    ) -> Result<(Vec<Follower>, Vec<Limits>), Error> {
        let numbers = Numbers::of(self.table, self.schema, sorted.to_vec());
        let scale = |column: usize| Scale::of(&self.schema.columns[column]);
        let parents = |column: usize| {
            edges
                .iter()
                .filter(move |(edge, _)| edge.1 == column)
                .map(|(edge, (_, strict))| (edge.0, *strict))
        };
        let children = |column: usize| {
            edges
                .iter()
                .filter(move |(edge, _)| edge.0 == column)
                .map(|(edge, (_, strict))| (edge.1, *strict))
        };
        let mut low: BTreeMap<usize, f64> =
            ranges.iter().filter_map(|(&c, range)| Some((c, range.low?.0))).collect();
        let mut high: BTreeMap<usize, f64> =
            ranges.iter().filter_map(|(&c, range)| Some((c, range.high?.0))).collect();
        let mut seen: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        for &column in sorted {
            let (least, mut most) = numbers.span(column).unwrap_or_default();
            for (parent, strict) in parents(column) {
                if let Some((_, above)) = seen.get(&parent) {
                    most = most.max(scale(column).least(*above, strict));
                }
                if let Some(&below) = low.get(&parent) {
                    let below = scale(column).least(below, strict);
                    low.entry(column).and_modify(|own| *own = own.max(below)).or_insert(below);
                }
            }
            seen.insert(column, (least, most));
        }
        for &column in sorted.iter().rev() {
            for (child, strict) in children(column) {
                if let Some(&above) = high.get(&child) {
                    let above = scale(column).largest(above, strict);
                    high.entry(column).and_modify(|own| *own = own.min(above)).or_insert(above);
                }
            }
        }
        let mut followers = Vec::new();
        let mut limits = Vec::new();
        for &column in sorted {
            let (anchor, most) = seen[&column];
            let (low, high) = (low.remove(&column), high.remove(&column).map_or(most, |high| high.min(most)));
            if low.is_some_and(|low| low > high) {
                let text = |number: f64| self.schema.columns[column].text(number);
                let why = format!(
                    "`{}` would have to be at least {} and at most {}",
                    self.name(column),
                    text(low.unwrap_or(high)),
                    text(high)
                );
                return Err(Error::bad("rules of order and range", format!("cannot hold together: {why}")));
            }
            let parents: Vec<Parent> =
                parents(column).map(|(column, strict)| Parent { column, strict }).collect();
            if parents.is_empty() {
                limits.push(Limits { column, low, high: Some(high) });
            } else {
                followers.push(Follower { column, parents, scale: scale(column), anchor, low, high });
            }
        }
        // What is left are the bounds of columns that are in no order.
        for &column in ranges.keys().filter(|column| !sorted.contains(column)) {
            limits.push(Limits { column, low: low.remove(&column), high: high.remove(&column) });
        }
        Ok((followers, limits))
    }
}

/// The columns of the new form, in the order of the table.
fn origins(
    schema: &TableSchema,
    joints: &[Joint],
    formulas: &[Formula],
    followers: &[Follower],
) -> Vec<Origin> {
    let mut origins = Vec::new();
    for column in 0..schema.columns.len() {
        let joint = joints.iter().position(|joint| joint.members.contains(&column));
        let follower = followers.iter().position(|follower| follower.column == column);
        match (joint, follower) {
            (Some(joint), _) if joints[joint].members[0] == column => origins.push(Origin::Joint(joint)),
            (Some(_), _) => {}
            (None, Some(follower)) => origins.push(Origin::Follower(follower)),
            (None, None) if formulas.iter().any(|formula| formula.column == column) => {}
            (None, None) => origins.push(Origin::Column(column)),
        }
    }
    origins
}

fn forward_schema(
    schema: &TableSchema,
    table: &Table,
    origins: &[Origin],
    joints: &[Joint],
    followers: &[Follower],
) -> TableSchema {
    let columns = origins.iter().map(|origin| match *origin {
        Origin::Column(column) => schema.columns[column].clone(),
        Origin::Joint(joint) => joint_schema(&joints[joint], table),
        Origin::Follower(at) => follower_schema(&followers[at], table, schema),
    });
    TableSchema { columns: columns.collect(), alerts: Vec::new() }
}

fn joint_schema(joint: &Joint, table: &Table) -> ColumnSchema {
    let distinct = joint.forward(table).values().len();
    ColumnSchema {
        name: joint.name.clone(),
        kind: if distinct > 1 { Kind::Category } else { Kind::Constant },
        reason: format!("{distinct} combinations that occur"),
        declaration: Declaration::default(),
        missing: Vec::new(),
        format: Format::Plain,
        unique: false,
        distinct,
        missing_count: 0,
    }
}

/// The schema of gaps, with what is known from the table.
fn follower_schema(follower: &Follower, table: &Table, schema: &TableSchema) -> ColumnSchema {
    let mut form = follower.schema(&schema.columns[follower.column], schema);
    let gaps = follower.forward(table, schema);
    let numbers: Vec<f64> = gaps.values().iter().filter_map(|text| form.number(text)).collect();
    let most = numbers.iter().copied().fold(0.0, f64::max);
    if let Format::Number(format) = &mut form.format {
        format.max = most;
    }
    ColumnSchema { distinct: numbers.len(), ..form }
}
