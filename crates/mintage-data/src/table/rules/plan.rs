//! From rules to what keeps them, or to an error that says why they cannot be kept.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Expression, Formula, Origin, Rule, Rules,
    columns::{position, unknown},
    computed::{Computed, expression, is_sql},
    holds,
    joint::{Joint, SEPARATOR},
    order::Follower,
    sql::Sql,
};
use crate::{
    Error,
    table::{
        Declaration, Table,
        fresh::Known,
        pattern::Pattern,
        schema::{ColumnSchema, Format, IdFormat, Kind, TableSchema},
    },
};

/// Rows that an error shows.
const ROWS_SHOWN: usize = 3;

/// Plans how rules are kept; the first `own` of them must still be shown to hold in the table.
///
/// # Errors
/// The table breaks one of the first `own` rules, or the rules cannot hold together.
pub fn plan(rules: Vec<Rule>, own: usize, table: &Table, schema: &TableSchema) -> Result<Rules, Error> {
    let mut schema = TableSchema { columns: schema.columns.clone(), alerts: Vec::new() };
    compatible(&rules, table, &schema)?;
    let plan = Plan { rules: &rules, table, schema: &schema, exact: true };
    let joints = plan.joints();
    let formulas = plan.formulas(&joints)?;
    let edges = plan.edges(&joints, &formulas)?;
    let sorted = plan.sorted(&edges)?;
    let ranges = plan.ranges()?;
    let computed = plan.computed(&joints, &edges)?;
    for rule in &rules[..own] {
        refuse_broken(rule, table, &schema)?;
    }
    let (followers, limits) = plan.orders(&edges, &sorted, &ranges)?;
    for rule in &rules {
        adopt(rule, &mut schema);
    }
    let is_left_out = |column: usize| {
        formulas.iter().any(|formula| formula.column == column)
            || computed.iter().any(|computed| computed.column == column)
    };
    let origins = origins(&schema, &joints, &is_left_out, &followers);
    let forward = forward_schema(&schema, table, &origins, &joints, &followers);
    Ok(Rules { rules, own: schema, forward, origins, joints, followers, formulas, computed, limits })
}

/// Checks that rules can hold together, whatever the rows are.
///
/// # Errors
/// A rule is malformed, does not suit its columns, or clashes with another.
pub fn compatible(rules: &[Rule], table: &Table, schema: &TableSchema) -> Result<(), Error> {
    for rule in rules {
        columns_fit(rule, table, schema)?;
    }
    let plan = Plan { rules, table, schema, exact: false };
    let joints = plan.joints();
    let formulas = plan.formulas(&joints)?;
    let edges = plan.edges(&joints, &formulas)?;
    let computed = plan.computed(&joints, &edges)?;
    plan.apart(&formulas, &computed, &edges)?;
    plan.sorted(&edges)?;
    plan.ranges().map(|_| ())
}

pub(super) fn bad(rule: &Rule, why: impl Into<String>) -> Error {
    Error::bad(format!("rule `{rule}`"), why)
}

/// Whether the columns of a rule are there, and of a kind for it.
fn columns_fit(rule: &Rule, table: &Table, schema: &TableSchema) -> Result<(), Error> {
    let names = rule.columns();
    // SQL says by itself what names it does not know.
    let named = if matches!(rule, Rule::Check { .. }) { &[][..] } else { &names[..] };
    for (i, name) in named.iter().enumerate() {
        let at = position(name, schema).ok_or_else(|| unknown(name, schema))?;
        if names[..i].contains(name) {
            return Err(bad(rule, format!("names `{name}` twice")));
        }
        let column = &schema.columns[at];
        let numbers = matches!(column.format, Format::Number(_));
        let dates = matches!(column.format, Format::Datetime { .. });
        let fits = match rule {
            Rule::Formula { equals, .. } if is_sql(equals, schema) => true,
            Rule::Range { .. } | Rule::Order { .. } => numbers || dates,
            Rule::Positive { .. } | Rule::Rounded { .. } | Rule::Formula { .. } => numbers,
            _ => true,
        };
        if !fits {
            let why = format!("`{name}` is of kind {}, not a number", column.kind.name());
            return Err(bad(rule, why).with_hint("[data.kinds] in the recipe says what a column is"));
        }
        let joined = matches!(rule, Rule::Combination { .. } | Rule::OneHot { .. });
        if joined && column.made_afresh().is_some() {
            return Err(bad(rule, format!("values of `{name}` are made afresh, and are in no combination"))
                .with_hint("take it out, or draw texts from those seen: text = \"redraw\" in [data]"));
        }
        if joined && table.columns[at].values().iter().any(|text| text.contains(SEPARATOR)) {
            return Err(bad(rule, format!("`{name}` has texts with the control character U+001F")));
        }
    }
    let least = match rule {
        Rule::Order { .. } | Rule::Combination { .. } | Rule::OneHot { .. } => 2,
        Rule::Check { .. } => 0,
        _ => 1,
    };
    if names.len() < least {
        return Err(bad(rule, format!("needs {least} columns or more")));
    }
    match rule {
        Rule::Regex { pattern, .. } => Pattern::new(pattern).map(|_| ()),
        Rule::Check { sql } | Rule::Unique { condition: Some(sql), .. } => {
            Sql::parse(sql, schema).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// An error when rows of the table itself break a rule.
fn refuse_broken(rule: &Rule, table: &Table, schema: &TableSchema) -> Result<(), Error> {
    let broken = holds::broken(rule, table, table, schema);
    if broken.is_empty() {
        return Ok(());
    }
    let mut names = rule.columns();
    let in_formula = match rule {
        Rule::Formula { equals, .. } if is_sql(equals, schema) => Sql::parse(equals, schema)?.columns(),
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
    let first = broken.iter().take(ROWS_SHOWN).map(|&row| cells(row)).collect::<Vec<_>>().join("; ");
    let why = format!("does not hold in {} of {} rows: {first}", broken.len(), table.rows());
    Err(bad(rule, why).with_hint("correct these rows in the source, or take the rule out"))
}

/// What a rule says of how values are written.
fn adopt(rule: &Rule, schema: &mut TableSchema) {
    let Some(at) = rule.columns().first().and_then(|name| position(name, schema)) else { return };
    let column = &mut schema.columns[at];
    match (rule, &mut column.format) {
        (Rule::Regex { pattern, .. }, format) if column.kind == Kind::Id => {
            let known = match format {
                Format::Id(
                    IdFormat::Code { known, .. }
                    | IdFormat::Number { known, .. }
                    | IdFormat::Free { known, .. },
                ) => known.clone(),
                _ => Known::default(),
            };
            *format = Format::Id(IdFormat::Code { regex: pattern.clone(), check: None, known });
        }
        (Rule::Rounded { digits, .. }, Format::Number(format)) => {
            format.digits = Some(format.digits.map_or(*digits, |own| own.min(*digits)));
        }
        _ => {}
    }
}

/// From the column that is followed and the one that follows it to the rule that says so, and whether they
/// may not be equal.
pub(super) type Edges = BTreeMap<(usize, usize), (usize, bool)>;

pub(super) struct Plan<'a> {
    pub rules: &'a [Rule],
    pub table: &'a Table,
    pub schema: &'a TableSchema,
    /// Whether formulas are fitted to how the table rounds; that takes a look at all rows.
    pub exact: bool,
}

impl Plan<'_> {
    pub fn name(&self, column: usize) -> &str {
        &self.schema.columns[column].name
    }

    pub fn columns(&self, rule: &Rule) -> Vec<usize> {
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
            if is_sql(equals, self.schema) {
                continue;
            }
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
            sorted.push(match self.exact {
                true => Formula::fit(column, expression, self.table, self.schema),
                false => Formula { column, expression, nudge: 0.0, missing: None },
            });
        }
        Ok(sorted)
    }

    /// The columns that are computed otherwise than by arithmetic.
    fn computed(&self, joints: &[Joint], edges: &Edges) -> Result<Vec<Computed>, Error> {
        let mut all: Vec<Computed> = Vec::new();
        let formulas = self.rules.iter().filter_map(|rule| match rule {
            Rule::Formula { column, equals } => Some((rule, position(column, self.schema)?, equals)),
            _ => None,
        });
        let of_sql: Vec<(&Rule, usize, &String)> =
            formulas.clone().filter(|(.., equals)| is_sql(equals, self.schema)).collect();
        for &(rule, column, equals) in &of_sql {
            let operands = Sql::parse(equals, self.schema)?.columns();
            if operands.is_empty() || operands.iter().any(|at| of_sql.iter().any(|(_, other, _)| other == at))
            {
                return Err(bad(rule, "must be computed from columns that are not computed so themselves"));
            }
            let twice = formulas.clone().filter(|(_, other, _)| *other == column).count() > 1;
            let ordered = edges.keys().any(|edge| edge.0 == column || edge.1 == column);
            if twice || ordered || joints.iter().any(|joint| joint.members.contains(&column)) {
                return Err(bad(rule, "clashes with another rule of the same column"));
            }
            all.push(Computed { column, sql: equals.clone() });
        }
        Ok(all)
    }

    /// Refuses what cannot be asked of a computed column, and patterns within an order.
    fn apart(&self, formulas: &[Formula], computed: &[Computed], edges: &Edges) -> Result<(), Error> {
        for rule in self.rules {
            let asked = matches!(
                rule,
                Rule::Range { .. } | Rule::Positive { .. } | Rule::Regex { .. } | Rule::Unique { .. }
            );
            for column in self.columns(rule) {
                let name = self.name(column);
                let mut all =
                    formulas.iter().map(|f| f.column).chain(computed.iter().map(|computed| computed.column));
                if asked && all.any(|other| other == column) {
                    let why = format!("`{name}` is computed by a formula");
                    return Err(bad(rule, why).with_hint("say it of the columns that it is computed from"));
                }
                let ordered = edges.keys().any(|edge| edge.0 == column || edge.1 == column);
                if matches!(rule, Rule::Regex { .. }) && ordered {
                    return Err(bad(rule, format!("`{name}` is in a rule of order, and cannot be in both")));
                }
            }
        }
        Ok(())
    }
}

/// The columns of the new form, in the order of the table.
fn origins(
    schema: &TableSchema,
    joints: &[Joint],
    is_left_out: &dyn Fn(usize) -> bool,
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
            (None, None) if is_left_out(column) => {}
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
        odd: Vec::new(),
        zones: Vec::new(),
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
