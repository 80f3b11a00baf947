//! Cells as values of a type: what a column writes as "$1,234.50", "31.12.2024" or "yes" is a number, a date and a
//! boolean in a sink that has types.

use std::borrow::Cow;

use super::super::{
    Column, Declaration, Table, Type, datetime,
    schema::{ColumnSchema, Format, TableSchema, is_yes, iso_pattern},
    values,
};

/// How the texts of a column become values of a type.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    /// Of the values.
    pub ty: Type,
    format: Format,
    /// Texts that stand for a missing value, where a source without types is the only one to write them.
    missing: Vec<String>,
}

impl Cast {
    /// To values of the type `ty`.
    pub fn to(ty: Type, column: &Column, schema: Option<&ColumnSchema>) -> Self {
        let untyped = column.declaration.found.is_some();
        Self {
            ty,
            format: schema.map(|schema| schema.format.clone()).unwrap_or_default(),
            missing: schema.filter(|_| untyped).map(|schema| schema.missing.clone()).unwrap_or_default(),
        }
    }

    /// The value as text: numbers with a point and nothing else, "true" and "false", dates as ISO 8601 has them. A text
    /// that is no such value stays as it is; nothing for one that stands for a missing value.
    pub fn text<'a>(&self, cell: &'a str) -> Option<Cow<'a, str>> {
        if self.missing.iter().any(|missing| missing == cell) {
            return None;
        }
        let other = match self.ty {
            Type::Integer | Type::Real | Type::Decimal => self.number(cell),
            Type::Boolean => boolean(cell).map(|yes| if yes { "true" } else { "false" }.to_owned()),
            Type::Date | Type::Time | Type::Timestamp | Type::TimestampTz => self.date(cell),
            Type::Text | Type::Uuid | Type::Json => None,
        };
        Some(other.map_or(Cow::Borrowed(cell), Cow::Owned))
    }

    /// The number behind a format, or behind "true" and "false".
    fn number(&self, cell: &str) -> Option<String> {
        let whole = |text: &str| {
            let (whole, zeros) = text.split_once('.')?;
            (self.ty == Type::Integer && zeros.bytes().all(|b| b == b'0')).then(|| whole.to_owned())
        };
        match &self.format {
            Format::Number(format) if format.is_plain() => {
                if cell.starts_with(['+', '.']) {
                    return values::parse(cell, '.').map(|number| number.to_string());
                }
                whole(cell)
            }
            Format::Number(format) => {
                let text = format.parse(cell)?.to_string();
                Some(whole(&text).unwrap_or(text))
            }
            _ if self.ty == Type::Integer && cell.starts_with(|c: char| c.is_alphabetic()) => {
                boolean(cell).map(|yes| u8::from(yes).to_string())
            }
            _ => whole(cell),
        }
    }

    fn date(&self, cell: &str) -> Option<String> {
        let Format::Datetime { pattern } = &self.format else { return None };
        let iso = iso_pattern(pattern, self.ty)?;
        if iso == *pattern {
            return None;
        }
        let zone = if datetime::has_zones(pattern) { datetime::zone(cell) } else { "" };
        Some(datetime::format(datetime::parse(cell, pattern)?, &iso) + zone)
    }
}

/// Yes or no, in any of the spellings that are known.
pub(super) fn boolean(text: &str) -> Option<bool> {
    if is_yes(text) {
        return Some(true);
    }
    const NO: [&str; 9] = ["0", "0.0", "f", "false", "no", "n", "off", "нет", "н"];
    NO.contains(&text.to_lowercase().as_str()).then_some(false)
}

/// What is known of a column by its name.
pub(super) fn schema_of<'a>(column: &Column, schema: Option<&'a TableSchema>) -> Option<&'a ColumnSchema> {
    schema.and_then(|schema| schema.column(&column.name))
}

impl Declaration {
    /// What the values are, by the source or, where that has no types, by the values themselves. A column with odd
    /// values has no type where every cell must have it.
    pub(super) fn strict_type(&self) -> Type {
        if self.mixed { Type::Text } else { self.value_type() }
    }

    /// The same where a cell may have another type than its column.
    pub(super) fn value_type(&self) -> Type {
        self.found.unwrap_or(self.ty)
    }
}

/// Casts for all columns to the types that `ty` names.
pub(super) fn casts(head: &Table, schema: Option<&TableSchema>, ty: impl Fn(&Column) -> Type) -> Vec<Cast> {
    let cast = |column: &Column| Cast::to(ty(column), column, schema_of(column, schema));
    head.columns.iter().map(cast).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Table, schema::detect};

    fn cast<'a>(cells: &[&'a str], ty: Type) -> Vec<Option<Cow<'a, str>>> {
        let column = Column::of("x", cells.iter().map(|cell| Some(*cell)));
        let mut table = Table { columns: vec![column], ..Table::default() };
        table.columns[0].declaration.found = Some(ty);
        let schema = detect(&table);
        let cast = Cast::to(ty, &table.columns[0], Some(&schema.columns[0]));
        cells[..2].iter().map(|cell| cast.text(cell)).collect()
    }

    fn some(texts: [&str; 2]) -> Vec<Option<Cow<'_, str>>> {
        texts.map(|text| Some(Cow::Borrowed(text))).to_vec()
    }

    #[test]
    fn values_lose_the_way_they_are_written() {
        let commas: Vec<String> = (0..60).map(|i| format!("{i},{}", 5 + i % 3)).collect();
        let commas: Vec<&str> = commas.iter().map(String::as_str).collect();
        assert_eq!(cast(&commas, Type::Real), some(["0.5", "1.6"]));
        let days: Vec<String> =
            (0..60).map(|i| format!("{:02}.{:02}.2024", 28 - i % 20, 1 + i % 12)).collect();
        let days: Vec<&str> = days.iter().map(String::as_str).collect();
        assert_eq!(cast(&days, Type::Date), some(["2024-01-28", "2024-02-27"]));
        assert_eq!(cast(&["да", "нет"].repeat(30), Type::Boolean), some(["true", "false"]));
        assert_eq!(cast(&["true", "false"].repeat(30), Type::Integer), some(["1", "0"]));
        let gaps: Vec<String> =
            (0..60).map(|i| if i == 0 { "NA".to_owned() } else { i.to_string() }).collect();
        let gaps: Vec<&str> = gaps.iter().map(String::as_str).collect();
        assert_eq!(cast(&gaps, Type::Integer), [None, Some("1".into())]);
    }
}
