//! One column between cells and tokens.

mod check;
mod same;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{
    AFRESH, Field,
    bins::{self, BINS, Bin, ROWS_A_BIN},
    dates::Dates,
    limits::{ALL, Limit},
    places::ColumnPlaces,
};
use crate::table::{
    Column,
    schema::{ColumnSchema, Kind},
    set::RARE_BELOW,
};

pub use check::check_format;

/// Numbers of at most so many distinct values have a token each.
const LISTED_NUMBERS: usize = 256;
/// … as long as a value has so many rows on average.
const ROWS_A_NUMBER: usize = 5;
/// Categories that have a token of their own in the first field; rarer ones share groups of as many.
const LISTED_CATEGORIES: usize = 512;
/// Tokens of all columns together, about, and those that a column has at least: a table of thousands of columns has
/// coarser ones, so that vectors of all tokens fit into memory.
const ALL_TOKENS: usize = 49_152;
const MIN_TOKENS: usize = 8;

/// Tokens that each of so many columns may have.
pub(super) fn room(columns: usize) -> usize {
    (ALL_TOKENS / columns.max(1)).max(MIN_TOKENS)
}

/// Whether each of so many different numbers in so many rows has a token of its own, and so comes back as it is
/// written.
pub fn has_own_tokens(distinct: usize, rows: usize) -> bool {
    distinct <= LISTED_NUMBERS && distinct * ROWS_A_NUMBER <= rows
}

/// From a cell to its tokens, where it is known.
type Finder<'a> = dyn Fn(Option<&str>) -> Option<Vec<u16>> + 'a;

/// What the tokens of a cell leave open, drawn before it is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Drawn {
    /// They leave nothing open.
    Nothing,
    /// A place among the texts of the column.
    Place(usize),
    Number(f64),
    /// The number of another column, or this one where that has none.
    Same(f64),
}

/// How a column is encoded, with what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnCodec {
    pub schema: ColumnSchema,
    how: How,
    /// A column before it that often has the same number: its last token says that it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) same: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    /// Not learned: always the same, or made afresh.
    Unlearned { constant: Option<String> },
    /// A token a text; the last may be `None`, a missing value. `rare` tokens at the end are drawn as others.
    Listed { texts: Vec<Option<String>>, ordinal: bool, unordered: usize, others: Vec<u32> },
    /// The first `listed` texts have a token each; the rest lie in groups of `size`, ordered by frequency.
    Grouped { texts: Vec<Option<String>>, listed: usize, size: usize },
    /// Bins of numbers, then a token for each text that is no number.
    Binned { bins: Vec<Bin>, rest: Vec<Option<String>> },
    /// Parts of a date.
    Dated(Dates),
}

impl ColumnCodec {
    /// Fits a column whose distinct texts occur `counts` times in the train split, with `missing` rows
    /// without a value, and `beside` times in rows that are not trained on: of these, numbers beyond all others count. Categories
    /// of fewer than `least` rows are rare. It takes about `room` tokens at most.
    pub fn fit(
        column: &Column,
        schema: &ColumnSchema,
        (counts, missing): (&[u32], u32),
        beside: &[u32],
        (least, room): (u32, usize),
    ) -> Self {
        let how = Self::choose(column, schema, (counts, missing), beside, (least, room));
        Self { schema: schema.clone(), how, same: None }
    }

    fn choose(
        column: &Column,
        schema: &ColumnSchema,
        (counts, missing): (&[u32], u32),
        beside: &[u32],
        (least, room): (u32, usize),
    ) -> How {
        let seen = || column.values().iter().zip(counts).filter(|(_, count)| **count > 0);
        if schema.kind == Kind::Id || schema.made_afresh().is_some() {
            return afresh(schema, seen(), missing, least);
        }
        let constant = seen().count() + usize::from(missing > 0) <= 1;
        if constant {
            return How::Unlearned { constant: seen().next().map(|(text, _)| text.to_owned()) };
        }
        match schema.kind {
            Kind::Integer | Kind::Number | Kind::Datetime => {}
            _ => return categories(seen(), missing, least, room),
        }
        let mut numbers = Vec::new();
        let mut rest = Vec::new();
        for (text, &count) in seen() {
            match schema.number(text) {
                Some(number) => numbers.push((number, text, count)),
                // Odd values of few rows are as rare as categories of few rows.
                None if count >= least || schema.is_missing(Some(text)) => rest.push(Some(text.to_owned())),
                None => {}
            }
        }
        if missing > 0 {
            rest.push(None);
        }
        if numbers.is_empty() {
            return categories(seen(), missing, least, room);
        }
        numbers.sort_by(|a, b| a.0.total_cmp(&b.0));
        let rows: usize = numbers.iter().map(|n| n.2 as usize).sum();
        if has_own_tokens(numbers.len(), rows) && numbers.len() <= 2 * room {
            let as_written = |&(number, text, _): &(f64, &str, u32)| schema.text(number) == text;
            if schema.kind != Kind::Datetime
                && numbers.iter().all(as_written)
                && let Some(bins) = bins::cut_tails(&with_ends(&numbers, column, schema, beside))
            {
                return How::Binned { bins, rest };
            }
            let unordered = rest.len();
            let texts = numbers.iter().map(|n| Some(n.1.to_owned())).chain(rest).collect();
            return How::Listed { texts, ordinal: true, unordered, others: Vec::new() };
        }
        let values = with_ends(&numbers, column, schema, beside);
        match schema.kind {
            Kind::Datetime => {
                let mut dates = Dates::fit(&values, rest, room);
                dates.zones.clone_from(&schema.zones);
                How::Dated(dates)
            }
            _ => How::Binned { bins: bins::cut(&values, BINS.min(room).min(rows / ROWS_A_BIN).max(1)), rest },
        }
    }

    /// Fields of a row.
    pub fn width(&self) -> usize {
        match &self.how {
            How::Unlearned { .. } => 0,
            How::Listed { .. } | How::Binned { .. } => 1,
            How::Grouped { .. } => 2,
            How::Dated(dates) => dates.sizes().len(),
        }
    }

    /// The fields, their counts still zero.
    pub(super) fn fields(&self, column: usize) -> Vec<Field> {
        let field = |size: usize, ordinal: bool, unordered: usize, detail: bool| Field {
            column,
            size,
            ordinal,
            unordered,
            detail,
            counts: vec![0; size],
        };
        match &self.how {
            How::Unlearned { .. } => Vec::new(),
            How::Listed { texts, ordinal, unordered, .. } => {
                vec![field(texts.len(), *ordinal, *unordered, false)]
            }
            How::Binned { bins, rest } => {
                let unordered = rest.len() + usize::from(self.same.is_some());
                vec![field(bins.len() + unordered, true, unordered, false)]
            }
            How::Grouped { texts, listed, size, .. } => {
                let groups = (texts.len() - listed).div_ceil(*size);
                vec![field(listed + groups, false, 0, false), field(*size, false, 0, true)]
            }
            How::Dated(dates) => {
                let sizes = dates.sizes().into_iter().zip(dates.ordinal()).enumerate();
                let rest = dates.rest.len();
                sizes
                    .map(|(i, (size, ordinal))| field(size, ordinal, if i == 0 { rest } else { 0 }, i > 0))
                    .collect()
            }
        }
    }

    /// The tokens of each distinct value of `column`, and of a missing one; `unknown` for what was not there
    /// when the codec was fitted.
    pub(super) fn tokens(&self, column: &Column, unknown: u16) -> (Vec<u16>, Vec<u16>) {
        let find = self.finder();
        let tokens = |text: Option<&str>| find(text).unwrap_or_else(|| vec![unknown; self.width()]);
        let of_value = column.values().iter().flat_map(|text| tokens(Some(text))).collect();
        (of_value, tokens(None))
    }

    /// Finds the tokens of a cell; `None` for a category that is not known.
    fn finder(&self) -> Box<Finder<'_>> {
        match &self.how {
            How::Unlearned { .. } => Box::new(|_| Some(Vec::new())),
            How::Listed { texts, ordinal, unordered, others } => {
                let index = index(texts);
                // Where rare values go: to those made afresh, or to the token that is drawn as others.
                let rare = index.get(&Some(AFRESH)).copied();
                let rare = rare.or((!others.is_empty()).then(|| texts.len() - 1));
                let numbers: Vec<f64> = match ordinal {
                    true => {
                        let ordered = &texts[..texts.len() - unordered];
                        ordered.iter().flatten().filter_map(|text| self.schema.number(text)).collect()
                    }
                    false => Vec::new(),
                };
                Box::new(move |text| {
                    let nearest = || match numbers.is_empty() {
                        true => None,
                        false => Some(nearest(&numbers, self.schema.number(text?)?)),
                    };
                    Some(vec![index.get(&text).copied().or_else(nearest).or(rare)? as u16])
                })
            }
            How::Grouped { texts, listed, size, .. } => {
                let index = index(texts);
                Box::new(move |text| match index.get(&text).copied()? {
                    own if own < *listed => Some(vec![own as u16, 0]),
                    rare => {
                        let (group, member) = ((rare - listed) / size, (rare - listed) % size);
                        Some(vec![(listed + group) as u16, member as u16])
                    }
                })
            }
            How::Binned { bins, rest } => {
                let index = index(rest);
                Box::new(move |text| {
                    let apart = || index.get(&text).map(|&at| bins.len() + at);
                    let number = text.and_then(|text| self.schema.number(text));
                    let bin = number.map(|number| bins::find(bins, number));
                    Some(vec![bin.or_else(apart)? as u16])
                })
            }
            How::Dated(dates) => {
                Box::new(move |text| dates.tokens(text.and_then(|text| self.schema.number(text)), text))
            }
        }
    }

    /// The numbers that decoding a cell takes, such that it gives that cell.
    pub(super) fn positions(&self, cell: Option<&str>) -> Vec<f64> {
        let number = cell.and_then(|text| self.schema.number(text));
        match (&self.how, number) {
            (How::Binned { bins, .. }, Some(number)) => {
                vec![exact(bins, number, &|n| self.schema.text(n), cell.unwrap_or_default())]
            }
            (How::Dated(dates), Some(number)) => dates.positions(number),
            _ => Vec::new(),
        }
    }

    /// Draws what a row's tokens leave open of its cell, within a limit on the column.
    pub(super) fn draw(&self, tokens: &[u16], limit: Option<&Limit>, places: &mut ColumnPlaces) -> Drawn {
        let between = limit.and_then(|limit| limit.between);
        match &self.how {
            How::Unlearned { .. } | How::Grouped { .. } => Drawn::Nothing,
            How::Listed { texts, others, .. } => {
                let is_other = !others.is_empty() && tokens[0] as usize == texts.len() - 1;
                if is_other { Drawn::Place(draw(others, places.uniform())) } else { Drawn::Nothing }
            }
            How::Binned { bins, .. } => match bins.get(tokens[0] as usize) {
                Some(bin) => Drawn::Number(places.number(tokens[0] as usize, bin, between)),
                None if self.same_token() == Some(tokens[0]) => {
                    Drawn::Same(bins::anywhere(bins, places.uniform(), between))
                }
                None => Drawn::Nothing,
            },
            How::Dated(dates) => dates.number(tokens, between, places).map_or(Drawn::Nothing, Drawn::Number),
        }
    }

    /// Adds the cell of a row's tokens, which a limit on the column allows, with what was [drawn](Self::draw) for it.
    pub(super) fn write(&self, tokens: &[u16], drawn: Drawn, limit: Option<&Limit>, column: &mut Column) {
        match &self.how {
            How::Unlearned { constant } if self.schema.kind != Kind::Id => column.push(constant.as_deref()),
            How::Unlearned { .. } => column.push(Some(AFRESH)),
            How::Listed { texts, .. } => {
                let at = if let Drawn::Place(at) = drawn { at } else { tokens[0] as usize };
                column.push(texts[at].as_deref());
            }
            How::Grouped { texts, listed, size, .. } => {
                let first = tokens[0] as usize;
                let at = match first < *listed {
                    true => first,
                    // A model may choose past the end of the last group.
                    false => {
                        let group = listed + (first - listed) * size;
                        let len = (texts.len() - group).min(*size);
                        let drawn = tokens[1] as usize % len;
                        let may = |member: &usize| limit.is_none_or(|limit| limit.texts[group + member]);
                        group + (0..len).map(|step| (drawn + step) % len).find(may).unwrap_or(drawn)
                    }
                };
                column.push(texts[at].as_deref());
            }
            How::Binned { bins, rest } => match drawn {
                Drawn::Number(number) => column.push(Some(&self.schema.text(number))),
                // Until the other column is written.
                Drawn::Same(_) => column.push(None),
                _ => column.push(rest[tokens[0] as usize - bins.len()].as_deref()),
            },
            How::Dated(dates) => match drawn {
                Drawn::Number(number) => {
                    column.push(Some(&self.schema.text_in(number, dates.zone(tokens))));
                }
                _ => column.push(dates.apart(tokens)),
            },
        }
    }

    /// For each token of the first field, whether some value of it is allowed: what a condition leaves open.
    pub fn allowed(&self, allow: &dyn Fn(Option<&str>) -> bool, between: Option<(f64, f64)>) -> Vec<bool> {
        let texts = |texts: &[Option<String>]| texts.iter().map(|t| allow(t.as_deref())).collect::<Vec<_>>();
        let overlap = |bin: &Bin| between.is_some_and(|(low, high)| bin.high() >= low && bin.low() <= high);
        match &self.how {
            How::Unlearned { .. } => Vec::new(),
            How::Listed { texts: all, others, .. } => {
                let mut allowed = texts(all);
                if !others.is_empty() {
                    let last = allowed.len() - 1;
                    allowed[last] = false;
                }
                allowed
            }
            How::Grouped { texts: all, listed, size, .. } => {
                let each = texts(all);
                let groups = each[*listed..].chunks(*size).map(|group| group.contains(&true));
                each[..*listed].iter().copied().chain(groups).collect()
            }
            How::Binned { bins, rest } => {
                // What the number of another column will be is not known: it may be any.
                let same = self.same.map(|_| between == ALL);
                bins.iter().map(overlap).chain(texts(rest)).chain(same).collect()
            }
            How::Dated(dates) => dates.allowed(between).chain(texts(&dates.rest)).collect(),
        }
    }

    /// For each field after the first which tokens are left of it by a range; nothing where all are.
    pub fn allowed_parts(&self, between: Option<(f64, f64)>) -> Vec<Option<Vec<bool>>> {
        match &self.how {
            How::Dated(dates) => dates.allowed_parts(between),
            _ => vec![None; self.width().saturating_sub(1)],
        }
    }

    /// The least and the greatest value of bins.
    pub fn range(&self) -> Option<(String, String)> {
        let ends = match &self.how {
            How::Binned { bins, .. } => Some((bins.first()?.low(), bins.last()?.high())),
            How::Dated(dates) => dates.range(),
            _ => None,
        };
        ends.map(|(low, high)| (self.schema.text(low), self.schema.text(high)))
    }

    /// Numbers that the column has: those that it lists, or the ends of its bins.
    pub(super) fn landmarks(&self) -> Vec<f64> {
        match &self.how {
            How::Listed { texts, .. } => {
                texts.iter().flatten().filter_map(|text| self.schema.number(text)).collect()
            }
            How::Binned { bins, .. } => bins.iter().flat_map(|bin| [bin.low(), bin.high()]).collect(),
            How::Dated(dates) => dates.landmarks(),
            How::Unlearned { .. } | How::Grouped { .. } => Vec::new(),
        }
    }

    /// The only text of a column that is always the same.
    pub fn constant(&self) -> Option<Option<&str>> {
        match &self.how {
            How::Unlearned { constant } if self.schema.kind != Kind::Id => Some(constant.as_deref()),
            _ => None,
        }
    }

    /// The texts that the column lists, the most frequent category first; a missing one as "".
    pub fn texts(&self) -> Vec<&str> {
        match &self.how {
            How::Listed { texts, .. } | How::Grouped { texts, .. } => {
                texts.iter().map(|text| text.as_deref().unwrap_or_default()).collect()
            }
            How::Unlearned { constant } => constant.iter().map(String::as_str).collect(),
            How::Binned { .. } | How::Dated(_) => Vec::new(),
        }
    }
}

/// Ascending numbers with their counts, and those of other rows that lie beyond them.
fn with_ends(
    numbers: &[(f64, &str, u32)],
    column: &Column,
    schema: &ColumnSchema,
    beside: &[u32],
) -> Vec<(f64, u32)> {
    let mut values: Vec<(f64, u32)> = numbers.iter().map(|n| (n.0, n.2)).collect();
    let (Some(first), Some(last)) = (values.first().copied(), values.last().copied()) else { return values };
    let others = column.values().iter().zip(beside).filter(|(_, count)| **count > 0);
    let others = others.filter_map(|(text, &count)| Some((schema.number(text)?, count)));
    values.extend(others.filter(|(number, _)| *number < first.0 || *number > last.0));
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values
}

/// A column whose values are made afresh: all of an identifier or a text, those of few rows of a category.
/// What is learned is which of them are missing, and the frequent ones.
fn afresh<'a>(
    schema: &ColumnSchema,
    seen: impl Iterator<Item = (&'a str, &'a u32)>,
    missing: u32,
    least: u32,
) -> How {
    let least = least.max(RARE_BELOW);
    let kept =
        |text: &str, n: u32| schema.is_missing(Some(text)) || schema.kind == Kind::Category && n >= least;
    let mut counts: HashMap<Option<String>, u32> = HashMap::new();
    for (text, &n) in seen {
        let text = if kept(text, n) { text } else { AFRESH };
        *counts.entry(Some(text.to_owned())).or_default() += n;
    }
    if missing > 0 {
        counts.insert(None, missing);
    }
    let mut all: Vec<(Option<String>, u32)> = counts.into_iter().collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut texts: Vec<Option<String>> = all.into_iter().map(|a| a.0).collect();
    match texts.len() {
        0 => How::Unlearned { constant: Some(AFRESH.to_owned()) },
        1 => How::Unlearned { constant: texts.remove(0) },
        _ => How::Listed { texts, ordinal: false, unordered: 0, others: Vec::new() },
    }
}

/// A list of categories, the most frequent first; rare ones last, in one token.
fn categories<'a>(
    seen: impl Iterator<Item = (&'a str, &'a u32)>,
    missing: u32,
    least: u32,
    room: usize,
) -> How {
    let mut all: Vec<(Option<String>, u32)> = seen.map(|(text, &n)| (Some(text.to_owned()), n)).collect();
    if missing > 0 {
        all.push((None, missing));
    }
    // Equal counts in the order of their texts, so that the codec does not depend on the order of rows.
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let kept = all.iter().filter(|(text, n)| text.is_none() || *n >= least).count();
    let grouped = kept < all.len();
    if grouped && kept == 0 {
        return How::Unlearned { constant: None };
    }
    if grouped {
        all.retain(|(text, n)| text.is_none() || *n >= least);
    }
    let counts: Vec<u32> = all.iter().map(|a| a.1).collect();
    let mut texts: Vec<Option<String>> = all.into_iter().map(|a| a.0).collect();
    let listed = LISTED_CATEGORIES.min(room);
    if texts.len() > 2 * listed {
        // Groups as many as their members: the shortest two fields together.
        let rare = texts.len() - listed;
        let size = (rare as f64).sqrt().ceil() as usize;
        return How::Grouped { texts, listed, size };
    }
    if grouped {
        texts.push(None);
    }
    How::Listed { texts, ordinal: false, unordered: 0, others: if grouped { counts } else { Vec::new() } }
}

fn index(texts: &[Option<String>]) -> HashMap<Option<&str>, usize> {
    // The first of equal texts: the last one may stand for rare values.
    texts.iter().enumerate().rev().map(|(at, text)| (text.as_deref(), at)).collect()
}

/// The place of the ascending number nearest to `number`.
fn nearest(numbers: &[f64], number: f64) -> usize {
    let next = numbers.partition_point(|&n| n < number).min(numbers.len().saturating_sub(1));
    let before = next.saturating_sub(1);
    if (number - numbers[before]).abs() <= (numbers[next] - number).abs() { before } else { next }
}

/// An index by counts, at `u` ∈ [0, 1).
fn draw(counts: &[u32], u: f64) -> usize {
    let total: f64 = counts.iter().map(|&n| f64::from(n)).sum();
    let mut left = u * total;
    let place = counts.iter().position(|&n| {
        left -= f64::from(n);
        left < 0.0
    });
    place.unwrap_or(counts.len() - 1)
}

/// The position in its bin at which `number` is written as `text`: the last digits of long fractions may
/// take a nudge.
fn exact(bins: &[Bin], number: f64, write: &dyn Fn(f64) -> String, text: &str) -> f64 {
    let bin = &bins[bins::find(bins, number)];
    let at = bin.position(number);
    let (mut up, mut down) = (at, at);
    for _ in 0..64 {
        for u in [up, down] {
            if write(bin.quantile(u)) == text {
                return u;
            }
        }
        (up, down) = (up.next_up(), down.next_down());
    }
    at
}
