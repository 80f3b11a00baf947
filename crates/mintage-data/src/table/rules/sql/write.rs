//! Expressions as text again, without the casts and parentheses that databases add.

use super::{Comparison, Function, Operator, Sql};
use crate::table::{rules::expression, schema::TableSchema};

/// How strongly the parts of an expression hold together.
const OR: u8 = 0;
const AND: u8 = 1;
const COMPARISON: u8 = 2;
const SUM: u8 = 3;
const PRODUCT: u8 = 4;
const VALUE: u8 = 5;

impl Sql {
    /// The expression with the columns of `schema`, as [`Sql::parse`] reads it.
    pub fn text(&self, schema: &TableSchema) -> String {
        self.within(OR, schema)
    }

    fn within(&self, outer: u8, schema: &TableSchema) -> String {
        let (level, text) = self.level_and_text(schema);
        if level < outer { format!("({text})") } else { text }
    }

    fn level_and_text(&self, schema: &TableSchema) -> (u8, String) {
        let of = |part: &Self, level: u8| part.within(level, schema);
        let list = |parts: &[Self]| parts.iter().map(|part| of(part, OR)).collect::<Vec<_>>().join(", ");
        match self {
            Self::Null => (VALUE, "NULL".to_owned()),
            Self::Number(number) if *number < 0.0 => (SUM, number.to_string()),
            Self::Number(number) => (VALUE, number.to_string()),
            Self::Text(text) => (VALUE, format!("'{}'", text.replace('\'', "''"))),
            Self::Column(at) => (VALUE, expression::name(&schema.columns[*at].name)),
            Self::Minus(a) => (PRODUCT, format!("-{}", of(a, VALUE))),
            Self::Arithmetic(operator, a, b) => {
                let (level, sign) = match operator {
                    Operator::Add => (SUM, "+"),
                    Operator::Subtract => (SUM, "-"),
                    Operator::Join => (SUM, "||"),
                    Operator::Multiply => (PRODUCT, "*"),
                    Operator::Divide => (PRODUCT, "/"),
                    Operator::Remainder => (PRODUCT, "%"),
                };
                (level, format!("{} {sign} {}", of(a, level), of(b, level + 1)))
            }
            Self::Compare(how, a, b) => (COMPARISON, format!("{} {} {}", of(a, SUM), how.sign(), of(b, SUM))),
            Self::And(a, b) => (AND, format!("{} AND {}", of(a, AND), of(b, AND))),
            Self::Or(a, b) => (OR, format!("{} OR {}", of(a, OR), of(b, OR))),
            Self::Not(a) => match &**a {
                Self::IsNull(a) => (COMPARISON, format!("{} IS NOT NULL", of(a, SUM))),
                Self::In(a, parts) => (COMPARISON, format!("{} NOT IN ({})", of(a, SUM), list(parts))),
                a => (COMPARISON, format!("NOT {}", of(a, VALUE))),
            },
            Self::In(a, parts) => (COMPARISON, format!("{} IN ({})", of(a, SUM), list(parts))),
            Self::Matches(a, pattern) => {
                let text = pattern.text.replace('\'', "''");
                (COMPARISON, format!("{} {} '{text}'", of(a, SUM), pattern.how))
            }
            Self::IsNull(a) => (COMPARISON, format!("{} IS NULL", of(a, SUM))),
            Self::Same(a, b) => (COMPARISON, format!("{} IS {}", of(a, SUM), of(b, SUM))),
            Self::Call(function, parts) => (VALUE, format!("{}({})", function.name(), list(parts))),
            Self::Case(arms, otherwise) => {
                let arm =
                    |(when, then): &(Self, Self)| format!(" WHEN {} THEN {}", of(when, OR), of(then, OR));
                let arms: String = arms.iter().map(arm).collect();
                let otherwise = otherwise.iter().map(|part| format!(" ELSE {}", of(part, OR)));
                (VALUE, format!("CASE{arms}{} END", otherwise.collect::<String>()))
            }
        }
    }
}

impl Comparison {
    fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Different => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Function {
    fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Abs => "abs",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Trim => "trim",
            Self::Round => "round",
            Self::Coalesce => "coalesce",
            Self::Least => "least",
            Self::Greatest => "greatest",
            Self::NullIf => "nullif",
        }
    }
}
