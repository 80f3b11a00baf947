//! Orders and ranges: which column follows which, and between what numbers each must stay.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Bound, Formula, Limits, Rule,
    columns::{self, Numbers},
    joint::Joint,
    order::{Follower, Parent, Scale},
    plan::{Edges, Plan, bad},
};
use crate::{
    Error,
    table::{datetime, schema::Format},
};

/// The least and the largest number that rules allow, with the rules that say so.
#[derive(Clone, Copy, Default)]
pub struct Range {
    low: Option<(f64, usize)>,
    high: Option<(f64, usize)>,
}

/// The least and the largest number, where there is one.
type Span = (Option<f64>, Option<f64>);

impl Plan<'_> {
    /// The pairs of columns of which one follows the other by a rule of order; columns of one joint keep their order by
    /// themselves.
    ///
    /// # Errors
    /// A column in an order is computed or belongs to a combination, or one order has columns of different kinds
    /// (numbers, dates, times of day).
    pub fn edges(&self, joints: &[Joint], formulas: &[Formula]) -> Result<Edges, Error> {
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
                        let joint = joint(column).map(|joint| &joints[joint]);
                        self.orderable(rule, column, joint, formulas)?;
                    }
                    self.comparable(rule, parent, child)?;
                    let edge = edges.entry((parent, child)).or_insert((at, false));
                    edge.1 |= strict;
                }
            }
        }
        Ok(edges)
    }

    /// Whether an order may choose the values of a column.
    fn orderable(
        &self,
        rule: &Rule,
        column: usize,
        joint: Option<&Joint>,
        formulas: &[Formula],
    ) -> Result<(), Error> {
        let name = self.name(column);
        if let Some(joint) = joint {
            let why = format!("clashes with the combination of {}: `{name}` cannot be in both", joint.name);
            return Err(bad(rule, why));
        }
        if formulas.iter().any(|formula| formula.column == column) {
            return Err(bad(
                rule,
                format!("`{name}` is computed by a formula, so that its order cannot be chosen"),
            ));
        }
        Ok(())
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

    /// Sorts the columns of orders topologically: each comes after those that it follows.
    ///
    /// # Errors
    /// The orders form a circle.
    pub fn sorted(&self, edges: &Edges) -> Result<Vec<usize>, Error> {
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

    /// The range that the rules `range` and `positive` leave of each column.
    ///
    /// # Errors
    /// A bound is not written as the values of its column are, or no value is within all bounds of a column.
    pub fn ranges(&self) -> Result<BTreeMap<usize, Range>, Error> {
        let mut ranges: BTreeMap<usize, Range> = BTreeMap::new();
        for (at, rule) in self.rules.iter().enumerate() {
            let Some(&column) = self.columns(rule).first() else { continue };
            let Some((low, high)) = self.allowed(rule, column)? else { continue };
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
                let rules = BTreeSet::from([low.1, high.1]);
                let rules: Vec<String> =
                    rules.iter().map(|&rule| format!("`{}`", self.rules[rule])).collect();
                let why = format!("no value of `{}` can be so", self.name(column));
                return Err(Error::bad(format!("rule {}", rules.join(" and ")), why));
            }
        }
        Ok(ranges)
    }

    /// The least and the largest number that a rule allows in a column.
    fn allowed(&self, rule: &Rule, column: usize) -> Result<Option<Span>, Error> {
        let form = &self.schema.columns[column];
        let scale = Scale::of(form);
        let number = |bound: &Bound| {
            let why = || bad(rule, format!("`{bound}` is not written as `{}` is", form.name));
            columns::bound(bound, form).ok_or_else(why)
        };
        Ok(match rule {
            Rule::Range { min, max, .. } => {
                let low = min.as_ref().map(number).transpose()?.map(|low| scale.least(low, false));
                let high = max.as_ref().map(number).transpose()?.map(|high| scale.largest(high, false));
                Some((low, high))
            }
            Rule::Positive { .. } if scale == Scale::Float => {
                // Of numbers of any length the least that was seen.
                let numbers = self.table.columns[column].values().iter().filter_map(|text| form.number(text));
                Some((numbers.filter(|number| *number > 0.0).reduce(f64::min), None))
            }
            Rule::Positive { .. } => Some((Some(scale.least(0.0, true)), None)),
            _ => None,
        })
    }

    /// The followers with their bounds, and the bounds of the other columns.
    ///
    /// # Errors
    /// The rules of order and range leave no value for a column.
    pub fn orders(
        &self,
        edges: &Edges,
        sorted: &[usize],
        ranges: &BTreeMap<usize, Range>,
    ) -> Result<(Vec<Follower>, Vec<Limits>), Error> {
        let numbers = Numbers::of(self.table, self.schema, sorted.to_vec());
        let (low, high, most) = self.passed_on(edges, sorted, ranges, &numbers);
        let (mut followers, mut limits) = (Vec::new(), Vec::new());
        for &column in sorted {
            let low = low.get(&column).copied();
            let high = high.get(&column).map_or(most[&column], |high| high.min(most[&column]));
            if let Some(low) = low.filter(|low| *low > high) {
                let text = |number: f64| self.schema.columns[column].text(number);
                let name = self.name(column);
                let why =
                    format!("`{name}` would have to be at least {} and at most {}", text(low), text(high));
                return Err(Error::bad("rules of order and range", format!("cannot hold together: {why}")));
            }
            let parents = edges.iter().filter(|(edge, _)| edge.1 == column);
            let parents: Vec<Parent> =
                parents.map(|(edge, (_, strict))| Parent { column: edge.0, strict: *strict }).collect();
            if parents.is_empty() {
                limits.push(Limits { column, low, high: Some(high) });
            } else {
                let anchor = numbers.span(column).unwrap_or_default().0;
                let scale = self.scale(column);
                let follower = Follower { column, parents, scale, anchor, anchored: false, low, high };
                followers.push(follower.anchor_gaps(&numbers));
            }
        }
        let others = ranges.iter().filter(|(column, _)| !sorted.contains(column));
        limits.extend(others.map(|(&column, range)| Limits {
            column,
            low: range.low.map(|low| low.0),
            high: range.high.map(|high| high.0),
        }));
        Ok((followers, limits))
    }

    fn scale(&self, column: usize) -> Scale {
        Scale::of(&self.schema.columns[column])
    }

    /// Bounds as columns pass them on to each other, so that within them none has to be below one that it
    /// follows: the least and the largest number by rule, and the largest that a follower may have to reach
    /// by what was seen.
    fn passed_on(
        &self,
        edges: &Edges,
        sorted: &[usize],
        ranges: &BTreeMap<usize, Range>,
        numbers: &Numbers,
    ) -> (BTreeMap<usize, f64>, BTreeMap<usize, f64>, BTreeMap<usize, f64>) {
        let bounds = |of: fn(&Range) -> Option<(f64, usize)>| {
            ranges
                .iter()
                .filter_map(|(&column, range)| Some((column, of(range)?.0)))
                .collect::<BTreeMap<_, _>>()
        };
        let (mut low, mut high) = (bounds(|range| range.low), bounds(|range| range.high));
        let mut most = BTreeMap::new();
        for &column in sorted {
            let mut above = numbers.span(column).unwrap_or_default().1;
            for (edge, &(_, strict)) in edges.iter().filter(|(edge, _)| edge.1 == column) {
                above = above.max(self.scale(column).least(most[&edge.0], strict));
                if let Some(&parent) = low.get(&edge.0) {
                    let parent = self.scale(column).least(parent, strict);
                    low.entry(column).and_modify(|own| *own = own.max(parent)).or_insert(parent);
                }
            }
            most.insert(column, above);
        }
        for &column in sorted.iter().rev() {
            for (edge, &(_, strict)) in edges.iter().filter(|(edge, _)| edge.0 == column) {
                if let Some(&child) = high.get(&edge.1) {
                    let child = self.scale(column).largest(child, strict);
                    high.entry(column).and_modify(|own| *own = own.min(child)).or_insert(child);
                }
            }
        }
        (low, high, most)
    }
}
