//! From pieces of SQL to an expression, by recursive descent.

use regex::RegexBuilder;

use super::{
    Comparison, Function, Operator, Pattern, Sql,
    lex::{Token, tokens},
};
use crate::Error;

/// Expressions within each other.
const MAX_DEPTH: usize = 60;

/// Finds a column by its name.
type Find<'a> = dyn Fn(&str) -> Option<usize> + 'a;

/// Parses one SQL expression; `find` gives the number of a column.
///
/// # Errors
/// The expression is malformed, is not understood, or names a column that `find` does not know.
pub fn parse(text: &str, find: &Find) -> Result<Sql, Error> {
    let bad = |why: &str| {
        Error::bad(format!("condition `{text}`"), why)
            .with_hint("a condition has columns, numbers, 'texts', + - * / % ||, = <> < <= > >=, AND OR NOT IN BETWEEN LIKE IS NULL, and a few functions")
    };
    let tokens = tokens(text).ok_or_else(|| bad("cannot be read"))?;
    let mut parser = Parser { tokens, at: 0, depth: 0, find };
    match parser.or() {
        Ok(_) if parser.at < parser.tokens.len() => Err(bad(&parser.here("is not understood"))),
        Ok(sql) => Ok(sql),
        Err(why) => Err(bad(&why)),
    }
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    find: &'a Find<'a>,
}

type Parsed = Result<Sql, String>;

impl Parser<'_> {
    fn or(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("is nested too deeply".to_owned());
        }
        let mut left = self.and()?;
        while self.word("or") {
            left = Sql::Or(Box::new(left), Box::new(self.and()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.not()?;
        while self.word("and") {
            left = Sql::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed {
        match self.word("not") {
            true => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err("is nested too deeply".to_owned());
                }
                let inner = self.not()?;
                self.depth -= 1;
                Ok(negated(inner))
            }
            false => self.comparison(),
        }
    }

    /// Comparisons and what else is between a value and a truth.
    fn comparison(&mut self) -> Parsed {
        let mut left = self.sum()?;
        loop {
            left = if let Some(how) = self.comparing() {
                self.compared(how, left)?
            } else if self.word("is") {
                let not = self.word("not");
                let inner = self.is(left)?;
                if not { negated(inner) } else { inner }
            } else if self.word("isnull") {
                Sql::IsNull(Box::new(left))
            } else if self.word("notnull") {
                negated(Sql::IsNull(Box::new(left)))
            } else {
                let start = self.at;
                let not = self.word("not");
                match self.belongs(left.clone())? {
                    Some(inner) if not => negated(inner),
                    Some(inner) => inner,
                    None => {
                        self.at = start;
                        return Ok(left);
                    }
                }
            };
        }
    }

    fn comparing(&mut self) -> Option<Comparison> {
        const ALL: [(&str, Comparison); 8] = [
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<>", Comparison::Different),
            ("!=", Comparison::Different),
            ("==", Comparison::Equal),
            ("=", Comparison::Equal),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        ALL.into_iter().find(|(mark, _)| self.mark(mark)).map(|(_, how)| how)
    }

    /// `a = b`, or PostgreSQL's `a = ANY (ARRAY[…])` and `a <> ALL (ARRAY[…])`.
    fn compared(&mut self, how: Comparison, left: Sql) -> Parsed {
        let any = self.word("any");
        if any || self.word("all") {
            let list = self.array()?;
            let inside = Sql::In(Box::new(left), list);
            return match (any, how) {
                (true, Comparison::Equal) => Ok(inside),
                (false, Comparison::Different) => Ok(negated(inside)),
                _ => Err("compares with a list in a way that is not understood".to_owned()),
            };
        }
        Ok(Sql::Compare(how, Box::new(left), Box::new(self.sum()?)))
    }

    /// What follows IS or IS NOT.
    fn is(&mut self, left: Sql) -> Parsed {
        if self.word("distinct") {
            self.need_word("from")?;
            return Ok(negated(Sql::Same(Box::new(left), Box::new(self.sum()?))));
        }
        if self.word("null") {
            return Ok(Sql::IsNull(Box::new(left)));
        }
        let right = self.sum()?;
        Ok(Sql::Same(Box::new(left), Box::new(right)))
    }

    /// IN, BETWEEN and patterns.
    fn belongs(&mut self, left: Sql) -> Result<Option<Sql>, String> {
        if self.word("in") {
            self.need("(")?;
            return Ok(Some(Sql::In(Box::new(left), self.list(")")?)));
        }
        if self.word("between") {
            let low = self.sum()?;
            self.need_word("and")?;
            let high = self.sum()?;
            let above = Sql::Compare(Comparison::GreaterOrEqual, Box::new(left.clone()), Box::new(low));
            let below = Sql::Compare(Comparison::LessOrEqual, Box::new(left), Box::new(high));
            return Ok(Some(Sql::And(Box::new(above), Box::new(below))));
        }
        for (word, how) in [("like", "LIKE"), ("ilike", "ILIKE"), ("glob", "GLOB"), ("regexp", "~")] {
            if self.word(word) {
                return self.pattern(left, how).map(Some);
            }
        }
        let marks = [
            ("~~*", "ILIKE"),
            ("!~~*", "ILIKE"),
            ("~~", "LIKE"),
            ("!~~", "LIKE"),
            ("~*", "~*"),
            ("!~*", "~*"),
            ("~", "~"),
            ("!~", "~"),
        ];
        for (mark, how) in marks {
            if self.mark(mark) {
                let found = self.pattern(left, how)?;
                return Ok(Some(if mark.starts_with('!') { negated(found) } else { found }));
            }
        }
        Ok(None)
    }

    fn pattern(&mut self, left: Sql, how: &'static str) -> Parsed {
        let Sql::Text(text) = self.sum()? else { return Err("has a pattern that is no text".to_owned()) };
        if self.word("escape") {
            return Err("has an ESCAPE, which is not understood".to_owned());
        }
        Ok(Sql::Matches(Box::new(left), Pattern::new(how, &text)?))
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let operator = match () {
                () if self.mark("+") => Operator::Add,
                () if self.mark("-") => Operator::Subtract,
                () if self.mark("||") => Operator::Join,
                () => return Ok(left),
            };
            left = Sql::Arithmetic(operator, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.factor()?;
        loop {
            let operator = match () {
                () if self.mark("*") => Operator::Multiply,
                () if self.mark("/") => Operator::Divide,
                () if self.mark("%") => Operator::Remainder,
                () => return Ok(left),
            };
            left = Sql::Arithmetic(operator, Box::new(left), Box::new(self.factor()?));
        }
    }

    /// A value with its signs and casts.
    fn factor(&mut self) -> Parsed {
        if self.mark("-") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err("is nested too deeply".to_owned());
            }
            let inner = self.factor()?;
            self.depth -= 1;
            return Ok(match inner {
                Sql::Number(number) => Sql::Number(-number),
                other => Sql::Minus(Box::new(other)),
            });
        }
        if self.mark("+") {
            return self.value();
        }
        self.value()
    }

    fn value(&mut self) -> Parsed {
        let mut value = self.primary()?;
        loop {
            if self.mark("::") {
                self.type_name()?;
            } else if self.word("collate") {
                // How texts are sorted matters to no equality that is kept here, but for upper and lower case.
                match self.next() {
                    Some(Token::Word(name) | Token::Name(name)) if name.eq_ignore_ascii_case("nocase") => {
                        value = Sql::Call(Function::Lower, vec![value]);
                    }
                    Some(Token::Word(_) | Token::Name(_)) => {}
                    _ => return Err("has a COLLATE without a name".to_owned()),
                }
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        match self.next() {
            Some(Token::Number(number)) => Ok(Sql::Number(number)),
            Some(Token::Text(text)) => Ok(Sql::Text(text)),
            Some(Token::Name(name)) => match (self.find)(&name) {
                Some(column) => Ok(Sql::Column(column)),
                // So SQLite takes what is in double quotes and no column.
                None => Ok(Sql::Text(name)),
            },
            Some(Token::Mark("(")) => {
                let inner = self.or()?;
                self.need(")")?;
                Ok(inner)
            }
            Some(Token::Word(word)) => self.named(&word),
            Some(_) => {
                self.at -= 1;
                Err(self.here("is out of place"))
            }
            None => Err("ends too early".to_owned()),
        }
    }

    /// A keyword, a function or a column.
    fn named(&mut self, word: &str) -> Parsed {
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "null" => return Ok(Sql::Null),
            "true" => return Ok(Sql::Number(1.0)),
            "false" => return Ok(Sql::Number(0.0)),
            "case" => return self.case(),
            "cast" => {
                self.need("(")?;
                let inner = self.or()?;
                self.need_word("as")?;
                self.type_name()?;
                self.need(")")?;
                return Ok(inner);
            }
            _ => {}
        }
        if self.mark("(") {
            let list = self.list(")")?;
            let function = function(&lower, list.len())
                .ok_or_else(|| format!("calls {word}(…), which is not understood"))?;
            return Ok(Sql::Call(function, list));
        }
        // A word before a text says its type: DATE '2024-01-01'.
        if ["date", "time", "timestamp", "timestamptz"].contains(&lower.as_str())
            && let Some(Token::Text(text)) = self.tokens.get(self.at).cloned()
        {
            self.at += 1;
            return Ok(Sql::Text(text));
        }
        (self.find)(word).map(Sql::Column).ok_or_else(|| format!("names `{word}`, which is no column"))
    }

    fn case(&mut self) -> Parsed {
        let subject = if self.is_word("when") { None } else { Some(self.or()?) };
        let mut arms = Vec::new();
        while self.word("when") {
            let when = self.or()?;
            let when = match &subject {
                Some(subject) => Sql::Compare(Comparison::Equal, Box::new(subject.clone()), Box::new(when)),
                None => when,
            };
            self.need_word("then")?;
            arms.push((when, self.or()?));
        }
        let otherwise = match self.word("else") {
            true => Some(Box::new(self.or()?)),
            false => None,
        };
        self.need_word("end")?;
        Ok(Sql::Case(arms, otherwise))
    }

    /// `(ARRAY[…])`, with its casts, or a list in parentheses.
    fn array(&mut self) -> Result<Vec<Sql>, String> {
        self.need("(")?;
        let inner = self.mark("(");
        self.need_word("array")?;
        self.need("[")?;
        let list = self.list("]")?;
        if inner {
            self.need(")")?;
        }
        while self.mark("::") {
            self.type_name()?;
        }
        self.need(")")?;
        Ok(list)
    }

    /// Values with commas between them, up to `end`.
    fn list(&mut self, end: &'static str) -> Result<Vec<Sql>, String> {
        let mut list = Vec::new();
        if self.mark(end) {
            return Ok(list);
        }
        loop {
            list.push(self.or()?);
            if self.mark(end) {
                return Ok(list);
            }
            self.need(",")?;
        }
    }

    /// Skips the name of a type: values are compared by what they are.
    fn type_name(&mut self) -> Result<(), String> {
        match self.next() {
            Some(Token::Word(_) | Token::Name(_)) => {}
            _ => return Err("has a cast without a type".to_owned()),
        }
        for word in ["varying", "precision"] {
            self.word(word);
        }
        if self.mark("(") {
            self.list(")")?;
        }
        if self.word("with") || self.word("without") {
            self.need_word("time")?;
            self.need_word("zone")?;
        }
        while self.mark("[") {
            self.need("]")?;
        }
        Ok(())
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += usize::from(token.is_some());
        token
    }

    fn is_word(&self, wanted: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted))
    }

    fn word(&mut self, wanted: &str) -> bool {
        let is = self.is_word(wanted);
        self.at += usize::from(is);
        is
    }

    fn mark(&mut self, wanted: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Mark(mark)) if *mark == wanted);
        self.at += usize::from(is);
        is
    }

    fn need(&mut self, mark: &'static str) -> Result<(), String> {
        if self.mark(mark) { Ok(()) } else { Err(self.here(&format!("stands where `{mark}` is wanted"))) }
    }

    fn need_word(&mut self, word: &str) -> Result<(), String> {
        let wanted = word.to_uppercase();
        if self.word(word) { Ok(()) } else { Err(self.here(&format!("stands where {wanted} is wanted"))) }
    }

    /// "`;` is out of place".
    fn here(&self, why: &str) -> String {
        match self.tokens.get(self.at) {
            Some(Token::Word(text) | Token::Name(text) | Token::Text(text)) => format!("`{text}` {why}"),
            Some(Token::Mark(mark)) => format!("`{mark}` {why}"),
            Some(Token::Number(number)) => format!("`{number}` {why}"),
            None => "ends too early".to_owned(),
        }
    }
}

fn negated(sql: Sql) -> Sql {
    Sql::Not(Box::new(sql))
}

fn function(name: &str, arguments: usize) -> Option<Function> {
    Some(match (name, arguments) {
        ("length" | "char_length" | "character_length", 1) => Function::Length,
        ("abs", 1) => Function::Abs,
        ("lower", 1) => Function::Lower,
        ("upper", 1) => Function::Upper,
        ("trim" | "btrim", 1) => Function::Trim,
        ("round", 1 | 2) => Function::Round,
        ("coalesce" | "ifnull", 1..) => Function::Coalesce,
        ("min" | "least", 2..) => Function::Least,
        ("max" | "greatest", 2..) => Function::Greatest,
        ("nullif", 2) => Function::NullIf,
        _ => return None,
    })
}

impl Pattern {
    fn new(how: &'static str, text: &str) -> Result<Self, String> {
        let regex = match how {
            "LIKE" | "ILIKE" => wildcards(text, '%', '_'),
            "GLOB" if text.contains('[') => {
                return Err("has a GLOB with [ ], which is not understood".to_owned());
            }
            "GLOB" => wildcards(text, '*', '?'),
            _ => text.to_owned(),
        };
        // SQLite's LIKE takes upper and lower case of ASCII for the same; what holds with case holds without.
        let regex = RegexBuilder::new(&regex).case_insensitive(["ILIKE", "~*"].contains(&how)).build();
        let regex = regex.map_err(|_| format!("has a pattern that is not understood: {text}"))?;
        Ok(Self { regex, how, text: text.to_owned() })
    }
}

/// A regular expression of a pattern in which `any` stands for any text and `one` for any character.
fn wildcards(text: &str, any: char, one: char) -> String {
    let part = |c: char| match c {
        c if c == any => ".*".to_owned(),
        c if c == one => ".".to_owned(),
        c => regex::escape(&c.to_string()),
    };
    format!("(?s)^{}$", text.chars().map(part).collect::<String>())
}
