//! Columns that are never below others: learned as how far above they are.
//!
//! A follower `b` of parents `a₁, a₂, …` is `b = base + gap` with `base = max aᵢ` over those that are
//! not missing, rounded up to what `b` can write, and `gap ≥ 0`. Where all are missing the least value of the
//! column takes the place of `base`; so it does where they are below it, if more than a few rows are like that: a net
//! amount may be negative, and the gross amount above it is not.

use serde::{Deserialize, Serialize};

use super::columns::Numbers;
use crate::table::{
    Column, Declaration, Table,
    datetime::Unit,
    schema::{ColumnSchema, Format, Kind, NumberFormat, NumberStyle, TableSchema},
};

/// The values that a column can write.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Multiples of 10^-digits.
    Decimal(i8),
    /// Multiples of a unit of time, in microseconds.
    Time(i64),
    Months,
    /// All numbers of `f64`.
    Float,
}

impl Scale {
    pub fn of(column: &ColumnSchema) -> Self {
        match &column.format {
            Format::Number(format) => format.digits.map_or(Self::Float, Self::Decimal),
            Format::Datetime { pattern } => match Unit::of(pattern) {
                Unit::Micros(unit) => Self::Time(unit),
                Unit::Month => Self::Months,
            },
            Format::Plain | Format::Id(_) => Self::Float,
        }
    }

    /// The step that `value` is at, or the first above it.
    fn above(self, value: f64) -> f64 {
        let step = match self {
            Self::Decimal(digits) if digits >= 0 => (value * power(digits)).round(),
            Self::Decimal(digits) => (value / power(-digits)).round(),
            Self::Time(unit) => (value / unit as f64).floor(),
            Self::Months => Unit::Month.steps(value as i64) as f64,
            Self::Float => return value,
        };
        if self.value(step) >= value { step } else { step + 1.0 }
    }

    fn value(self, step: f64) -> f64 {
        match self {
            Self::Decimal(digits) if digits >= 0 => step / power(digits),
            Self::Decimal(digits) => step * power(-digits),
            Self::Time(unit) => step * unit as f64,
            Self::Months => Unit::Month.micros(step as i64) as f64,
            Self::Float => step,
        }
    }

    /// The least value of the scale that is not below `value`, or above it where `strict`.
    pub fn least(self, value: f64, strict: bool) -> f64 {
        let least = self.value(self.above(value));
        match self {
            Self::Float if strict => value.next_up(),
            _ if strict && least == value => self.value(self.above(value) + 1.0),
            _ => least,
        }
    }

    /// The largest value of the scale that is not above `value`, or below it where `strict`.
    pub fn largest(self, value: f64, strict: bool) -> f64 {
        let above = self.value(self.above(value));
        match self {
            Self::Float if strict => value.next_down(),
            _ if above > value || strict => self.value(self.above(value) - 1.0),
            _ => above,
        }
    }

    /// Steps from one value of the scale to another above it.
    pub fn steps(self, low: f64, high: f64) -> u64 {
        (self.above(high) - self.above(low)) as u64
    }

    /// The value that is so many steps above `low`.
    pub fn up(self, low: f64, steps: u64) -> f64 {
        self.value(self.above(low) + steps as f64)
    }

    /// How far `value` is above `base`; both are values of the scale.
    fn gap(self, base: f64, value: f64) -> f64 {
        match self {
            Self::Decimal(_) => self.value((self.above(value) - self.above(base)).max(0.0)),
            Self::Time(_) | Self::Months => (self.above(value) - self.above(base)).max(0.0),
            Self::Float => float_gap(base, value),
        }
    }

    fn add(self, base: f64, gap: f64) -> f64 {
        let gap = gap.max(0.0);
        match self {
            Self::Decimal(_) => self.value(self.above(base) + self.above(gap)),
            Self::Time(_) | Self::Months => self.value(self.above(base) + gap.round()),
            Self::Float => base + gap,
        }
    }
}

fn power(digits: i8) -> f64 {
    10f64.powi(i32::from(digits))
}

/// The number that added to `base` gives `value`, where there is one.
fn float_gap(base: f64, value: f64) -> f64 {
    let gap = value - base;
    let near = [gap, gap.next_up(), gap.next_down()];
    near.into_iter().find(|&gap| base + gap == value).unwrap_or(gap).max(0.0)
}

/// Rows with parents below the least value of their follower, from which on gaps are counted from that value. Of fewer
/// rows it would only bend the gaps: terms of 30 days that become shorter ones.
const MIN_SHARE_BELOW: f64 = 0.05;

/// A column that another one follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    pub column: usize,
    /// The follower is above it, never equal.
    pub strict: bool,
}

/// A column that follows others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Follower {
    pub column: usize,
    pub parents: Vec<Parent>,
    pub scale: Scale,
    /// The least value seen.
    pub anchor: f64,
    /// Whether gaps are counted from `anchor` where all parents are below it.
    #[serde(default)]
    pub anchored: bool,
    pub low: Option<f64>,
    pub high: f64,
}

impl Follower {
    /// Counts gaps from the least value seen, where enough rows have parents below it.
    pub fn anchor_gaps(self, numbers: &Numbers) -> Self {
        let rows = numbers.rows();
        let below = (0..rows).filter(|&row| self.base(row, numbers) < self.anchor).count();
        Self { anchored: below as f64 > MIN_SHARE_BELOW * rows as f64, ..self }
    }

    /// Whether it could have been planned: it may come from a file.
    pub fn is_sound(&self) -> bool {
        let scale = match self.scale {
            Scale::Decimal(digits) => digits.unsigned_abs() <= 30,
            Scale::Time(unit) => unit > 0,
            Scale::Months | Scale::Float => true,
        };
        let bounds = [self.anchor, self.high, self.low.unwrap_or_default()];
        scale && bounds.iter().all(|bound| bound.is_finite())
    }

    /// What the gap of a row is counted from.
    fn base(&self, row: usize, numbers: &Numbers) -> f64 {
        let present = self.parents.iter().filter_map(|parent| {
            let value = numbers.get(parent.column, row)?;
            Some(self.scale.least(value, parent.strict))
        });
        let base = present.reduce(f64::max).unwrap_or(self.anchor);
        if self.anchored { base.max(self.anchor) } else { base }
    }

    fn numbers(&self, table: &Table, schema: &TableSchema) -> Numbers {
        let parents = self.parents.iter().map(|parent| parent.column);
        Numbers::of(table, schema, parents.chain([self.column]).collect())
    }

    /// The gaps of a table; missing cells stay as they are.
    pub fn forward(&self, table: &Table, schema: &TableSchema) -> Column {
        let numbers = self.numbers(table, schema);
        let own = &table.columns[self.column];
        let form = self.schema(&schema.columns[self.column], schema);
        let mut gaps = Column::new(&form.name, Declaration::default());
        for row in 0..own.len() {
            match numbers.get(self.column, row) {
                Some(value) => gaps.push(Some(&form.text(self.scale.gap(self.base(row, &numbers), value)))),
                None => gaps.push(own.cell(row)),
            }
        }
        gaps
    }

    /// The value that is `gap` above `base`, from the least to the largest one that there may be. A gap that leads
    /// beyond begins anew at `base`: at the bound itself such values would pile up, and the rest of a division stays on
    /// the grid of the gaps.
    fn within(&self, base: f64, gap: f64) -> f64 {
        let low = self.low.map_or(self.anchor, |low| low.max(self.anchor));
        let above = |base: f64, gap: f64| self.scale.add(base, gap);
        let base = if above(base, gap) < low { low } else { base };
        let value = above(base, gap);
        if value <= self.high {
            return value;
        }
        match self.scale.gap(base, self.high) {
            room if room > 0.0 => above(base, gap % room).min(self.high),
            _ => self.high,
        }
    }

    /// Fills the column of `table` from its gaps.
    pub fn inverse(&self, gaps: &Column, form: &ColumnSchema, table: &mut Table, schema: &TableSchema) {
        let own = &schema.columns[self.column];
        let numbers = self.numbers(table, schema);
        let mut column = Column::new(&own.name, own.declaration.clone());
        for (row, cell) in gaps.iter().enumerate() {
            match cell.and_then(|text| form.number(text)) {
                Some(gap) => {
                    let value = self.within(self.base(row, &numbers), gap);
                    column.push(Some(&own.text(value)));
                }
                None => column.push(cell),
            }
        }
        table.columns[self.column] = column;
    }

    /// The schema of the gaps.
    pub fn schema(&self, own: &ColumnSchema, schema: &TableSchema) -> ColumnSchema {
        let from = self.parents.iter().map(|parent| schema.columns[parent.column].name.as_str());
        let from = from.collect::<Vec<_>>().join(", ");
        let (unit, kind) = match self.scale {
            Scale::Time(unit) => (format!(" in {}", Unit::Micros(unit).name()), Kind::Integer),
            Scale::Months => (" in months".to_owned(), Kind::Integer),
            Scale::Decimal(_) | Scale::Float => (String::new(), own.kind),
        };
        let whole = NumberFormat {
            digits: Some(0),
            least: 0,
            exponent: false,
            point: '.',
            min: 0.0,
            max: 0.0,
            style: NumberStyle::default(),
        };
        let format = match &own.format {
            Format::Number(format) => NumberFormat { min: 0.0, ..format.clone() },
            _ => whole,
        };
        ColumnSchema {
            name: own.name.clone(),
            kind,
            reason: format!("how far above {from}{unit}"),
            declaration: Declaration::default(),
            missing: own.missing.clone(),
            odd: own.odd.clone(),
            zones: Vec::new(),
            format: Format::Number(format),
            unique: false,
            distinct: own.distinct,
            missing_count: own.missing_count,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gaps_lead_back(a in -1_000_000i64..1_000_000, more in 0i64..1_000_000, digits in -2i8..6) {
            let scale = Scale::Decimal(digits);
            let (base, value) = (scale.value(a as f64), scale.value((a + more) as f64));
            prop_assert_eq!(scale.add(base, scale.gap(base, value)), value);
            prop_assert!(scale.least(base, true) > base);
            prop_assert_eq!(scale.least(base, false), base);
            prop_assert!(scale.largest(base, true) < base);
            let fine = base + 0.37 * scale.value(1.0);
            prop_assert!(scale.least(fine, false) >= fine && scale.largest(fine, false) <= fine);
        }

        #[test]
        fn months_and_floats_lead_back(a in -900i64..900, more in 0i64..900, x in -1e9f64..1e9, y in 0.0f64..1e9) {
            let scale = Scale::Months;
            let (base, value) = (scale.value(a as f64), scale.value((a + more) as f64));
            prop_assert_eq!(scale.add(base, scale.gap(base, value)), value);
            prop_assert!(Scale::Float.add(x, Scale::Float.gap(x, x + y)) >= x);
        }
    }
}
