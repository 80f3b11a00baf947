//! Formulas: `+ - * /`, parentheses, numbers, `round(x, digits)`, and columns by name, in quotation marks
//! where the name is more than letters, digits, "_" and ".".

use serde::{Deserialize, Serialize};

use crate::Error;

/// Parentheses and signs within each other.
const MAX_DEPTH: usize = 50;

/// A formula of columns by their number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expression {
    Number(f64),
    Column(usize),
    Minus(Box<Expression>),
    Binary(char, Box<Expression>, Box<Expression>),
    Round(Box<Expression>, i32),
}

impl Expression {
    /// Parses a formula; `find` gives the number of a column.
    ///
    /// # Errors
    /// The formula is malformed or nested too deeply, or `find` does not know a column.
    pub fn parse(text: &str, find: &dyn Fn(&str) -> Result<usize, Error>) -> Result<Self, Error> {
        let mut parser = Parser { text, at: 0, depth: 0, find };
        let expression = parser.sum()?;
        match parser.peek() {
            None => Ok(expression),
            Some(c) => Err(parser.bad(&format!("`{c}` is out of place"))),
        }
    }

    /// Its value where no column is missing and the result is a number.
    pub fn value(&self, column: &dyn Fn(usize) -> Option<f64>) -> Option<f64> {
        let value = match self {
            Self::Number(number) => *number,
            Self::Column(at) => column(*at)?,
            Self::Minus(inner) => -inner.value(column)?,
            Self::Binary(operator, left, right) => {
                let (left, right) = (left.value(column)?, right.value(column)?);
                match operator {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    _ => left / right,
                }
            }
            Self::Round(inner, digits) => rounded(inner.value(column)?, *digits),
        };
        value.is_finite().then_some(value)
    }

    /// The columns that it names, each once.
    pub fn columns(&self) -> Vec<usize> {
        let mut all = match self {
            Self::Number(_) => Vec::new(),
            Self::Column(at) => vec![*at],
            Self::Minus(inner) | Self::Round(inner, _) => inner.columns(),
            Self::Binary(_, left, right) => [left.columns(), right.columns()].concat(),
        };
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// A number rounded as databases do: halves go away from zero, and what is a half but for the last bits of `f64` is one.
/// 79.5 * 1.19 is 94.605, though not in `f64`, and so 94.61.
pub fn rounded(value: f64, digits: i32) -> f64 {
    let unit = 10f64.powi(digits);
    let scaled = value * unit;
    if scaled.abs() >= 1e15 {
        return value;
    }
    let decimal = format!("{scaled:.14e}").parse::<f64>().unwrap_or(scaled);
    decimal.round() / unit
}

/// A name as a formula has it: in quotation marks where it must be.
pub fn name(column: &str) -> String {
    let plain = column.starts_with(begins_name) && column.chars().all(in_name);
    if plain { column.to_owned() } else { format!("\"{}\"", column.replace('"', "\"\"")) }
}

fn begins_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    find: &'a dyn Fn(&str) -> Result<usize, Error>,
}

impl<'a> Parser<'a> {
    fn sum(&mut self) -> Result<Expression, Error> {
        let mut left = self.product()?;
        while let Some(operator) = self.take(&['+', '-']) {
            left = Expression::Binary(operator, Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, Error> {
        let mut left = self.factor()?;
        while let Some(operator) = self.take(&['*', '/']) {
            left = Expression::Binary(operator, Box::new(left), Box::new(self.factor()?));
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Expression, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.bad("it is nested too deeply"));
        }
        let factor = match self.peek() {
            Some('-') => {
                self.at += 1;
                Ok(Expression::Minus(Box::new(self.factor()?)))
            }
            Some('(') => {
                self.at += 1;
                let inner = self.sum()?;
                self.expect(')')?;
                Ok(inner)
            }
            Some('"' | '`') => self.quoted(),
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if begins_name(c) => self.named(),
            Some(c) => Err(self.bad(&format!("`{c}` is out of place"))),
            None => Err(self.bad("it ends too early")),
        };
        self.depth -= 1;
        factor
    }

    fn number(&mut self) -> Result<Expression, Error> {
        let digits = self.run(|c| c.is_ascii_digit() || c == '.');
        digits.parse().map(Expression::Number).map_err(|_| self.bad(&format!("`{digits}` is no number")))
    }

    /// A column, or `round(…)`.
    fn named(&mut self) -> Result<Expression, Error> {
        let name = self.run(in_name);
        if name != "round" || self.peek() != Some('(') {
            return (self.find)(name).map(Expression::Column);
        }
        self.expect('(')?;
        let inner = self.sum()?;
        self.expect(',')?;
        let minus = self.take(&['-']).is_some();
        self.peek();
        let digits: i32 = match self.run(|c| c.is_ascii_digit()).parse() {
            Ok(digits @ 0..=15) => digits,
            _ => return Err(self.bad("round(x, digits) wants a whole number of digits up to 15")),
        };
        self.expect(')')?;
        Ok(Expression::Round(Box::new(inner), if minus { -digits } else { digits }))
    }

    /// A name in quotation marks; two of them in it stand for one.
    fn quoted(&mut self) -> Result<Expression, Error> {
        let mut rest = self.text[self.at..].chars();
        let quote = rest.next().unwrap_or('"');
        self.at += 1;
        let mut name = String::new();
        loop {
            let Some(c) = rest.next() else { return Err(self.bad("a quotation mark is missing")) };
            self.at += c.len_utf8();
            if c == quote {
                if rest.clone().next() != Some(quote) {
                    return (self.find)(&name).map(Expression::Column);
                }
                rest.next();
                self.at += 1;
            }
            name.push(c);
        }
    }

    /// The next character that is no space.
    fn peek(&mut self) -> Option<char> {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest.chars().next()
    }

    fn take(&mut self, wanted: &[char]) -> Option<char> {
        let c = self.peek().filter(|c| wanted.contains(c))?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn expect(&mut self, wanted: char) -> Result<(), Error> {
        self.take(&[wanted]).map(|_| ()).ok_or_else(|| self.bad(&format!("`{wanted}` is missing")))
    }

    fn run(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !of(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn bad(&self, why: &str) -> Error {
        let place = self.text[..self.at].chars().count() + 1;
        let hint = "a formula has + - * / ( ), numbers, round(x, 2), and columns, \"in quotation marks\" where needed";
        Error::bad(format!("formula `{}`", self.text), format!("{why} (character {place})")).with_hint(hint)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn find(name: &str) -> Result<usize, Error> {
        ["price", "unit count", "a\"b", "налог"]
            .iter()
            .position(|n| *n == name)
            .ok_or_else(|| Error::bad(name, "unknown"))
    }

    fn value(text: &str) -> Option<f64> {
        Expression::parse(text, &find).unwrap().value(&|at| [Some(2.5), Some(4.0), Some(10.0), None][at])
    }

    #[test]
    fn computes() {
        assert_eq!(value("price * \"unit count\""), Some(10.0));
        assert_eq!(value("1 + 2*3 - 4/ 2"), Some(5.0));
        assert_eq!(value("10 - 3 - 2"), Some(5.0));
        assert_eq!(value("-(price + .5) * `a\"b`"), Some(-30.0));
        assert_eq!(value("round(price / 3, 2) + \"a\"\"b\""), Some(10.83));
        assert_eq!(value("round(1234, -2)"), Some(1200.0));
        assert_eq!(value("round(79.5 * 1.19, 2)"), Some(94.61));
        assert_eq!(value("round(-79.5 * 1.19, 2)"), Some(-94.61));
        assert_eq!(value("round(1.005 + 0.28, 2)"), Some(1.29));
        assert_eq!(value("round(0.4999999, 0)"), Some(0.0));
        assert_eq!(rounded(1e300, 2), 1e300);
        assert_eq!(value("price / 0"), None);
        assert_eq!(value("налог + 1"), None);
        assert_eq!(
            (name("налог"), name("a\"b"), name("unit count")),
            ("налог".into(), "\"a\"\"b\"".into(), "\"unit count\"".into())
        );
    }

    #[test]
    fn says_where_it_is_wrong() {
        for (text, why) in [
            ("price *", "ends too early (character 8)"),
            ("(price", "`)` is missing"),
            ("price price", "`p` is out of place (character 7)"),
            ("1.2.3", "no number"),
            ("\"price", "quotation mark is missing"),
            ("round(price)", "`,` is missing"),
            ("prices", "unknown"),
        ] {
            let error = Expression::parse(text, &find).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(Expression::parse(&"(".repeat(10_000), &find).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_harmless(text in "[-+*/(),.\"`a-z0-9я ]{0,40}") {
            let _ = Expression::parse(&text, &|_| Ok(0));
        }
    }
}
