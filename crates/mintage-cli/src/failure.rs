//! How a command ends: exit codes, and errors in words with what to do about them.

use std::{fmt::Write, process::ExitCode};

use mintage::recipe::RecipeError;

use crate::{
    text::shown,
    verbs::flags::{flag, spelled},
};

/// Ends that are not errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// A check that the user asked for said no.
    No,
    Interrupted,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::No => 1,
            Outcome::Interrupted => INTERRUPTED,
        })
    }
}

pub const COULD_NOT: u8 = 2;
pub const BUG: i32 = 70;
pub const INTERRUPTED: u8 = 130;

/// What a verb returns.
pub type CliResult = Result<Outcome, CliError>;

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub enum CliError {
    Library(mintage::Error),
    /// A recipe, with its text to show the place in.
    Recipe(Box<BadRecipe>),
    Words {
        message: String,
        hint: Option<String>,
    },
    /// The reader of stdout has gone (`| head`): nothing to say.
    Pipe,
}

/// A recipe file that cannot be used.
#[derive(Debug)]
pub struct BadRecipe {
    pub file: String,
    pub text: String,
    pub error: RecipeError,
}

impl From<mintage::Error> for CliError {
    fn from(error: mintage::Error) -> Self {
        Self::Library(error)
    }
}

impl From<mintage_data::Error> for CliError {
    fn from(error: mintage_data::Error) -> Self {
        Self::Library(error.into())
    }
}

impl From<RecipeError> for CliError {
    fn from(error: RecipeError) -> Self {
        Self::Library(error.into())
    }
}

impl From<mintage::nn::DeviceError> for CliError {
    fn from(error: mintage::nn::DeviceError) -> Self {
        Self::Library(error.into())
    }
}

impl CliError {
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Words { message: message.into(), hint: Some(hint.into()) }
    }

    /// An error for which there is nothing to advise.
    pub fn message(message: impl Into<String>) -> Self {
        Self::Words { message: message.into(), hint: None }
    }

    /// Attaches the path to an I/O error.
    pub fn io(path: impl Into<std::path::PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Library(mintage::Error::io(path)(error))
    }

    /// All that it is about, such as every file that cannot be read.
    pub fn list(&self) -> &[String] {
        match self {
            Self::Library(error) => error.list(),
            Self::Recipe(_) | Self::Words { .. } | Self::Pipe => &[],
        }
    }

    /// The text for stderr, without a final newline.
    pub fn text(&self, color: bool) -> String {
        let (message, hint) = match self {
            // A field of a request is a flag here.
            Self::Library(mintage::Error::Field { field, why, hint }) => {
                (format!("{} {}", flag(field), spelled(why)), hint.as_deref().map(spelled))
            }
            Self::Library(error) => (error.to_string(), hint_of(error)),
            Self::Recipe(bad) => (bad.error.to_string(), bad.error.hint.clone()),
            Self::Words { message, hint } => (message.clone(), hint.clone()),
            Self::Pipe => return String::new(),
        };
        let mut text = format!("{}: {}", paint("error", "1;31", color), shown(message.trim_end()));
        if let Self::Recipe(bad) = self {
            text.push_str(&place(bad, color));
        }
        if let Some(hint) = hint {
            let _ = write!(text, "\n  {}: {}", paint("hint", "36", color), shown(&hint));
        }
        text
    }
}

/// What to do about an error of the library, in the words of the command: it names fields, and knows no stdout.
fn hint_of(error: &mintage::Error) -> Option<String> {
    let hint = error.hint()?;
    // A name that is nearly a column's is one, not a field.
    if !matches!(error, mintage::Error::InField { .. } | mintage::Error::Data(_))
        || hint.starts_with("did you mean")
    {
        return Some(hint);
    }
    let says_endings = error.blamed_field() == Some("out") && hint.starts_with("end it with");
    Some(spelled(&hint) + if says_endings { "; - is stdout" } else { "" })
}

/// `text` in an ANSI colour.
pub fn paint(text: &str, code: &str, color: bool) -> String {
    if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// The file, and where there is a span the line with the place marked.
fn place(bad: &BadRecipe, color: bool) -> String {
    let Some(span) = bad.error.span.clone() else {
        return format!("\n  --> {}", shown(&bad.file));
    };
    let start = floor_char(&bad.text, span.start);
    let end = floor_char(&bad.text, span.end).max(start);
    let before = &bad.text[..start];
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    let line_number = before.matches('\n').count() + 1;
    let line = bad.text[line_start..].lines().next().unwrap_or_default();
    let column = bad.text[line_start..start].chars().count();
    let room = line.chars().count().saturating_sub(column).max(1);
    let marks = "^".repeat(bad.text[start..end].chars().count().clamp(1, room));
    let margin = " ".repeat(line_number.to_string().len());
    let line = shown(line);
    format!(
        "\n{margin}--> {}:{line_number}:{}\n{margin} |\n{line_number} | {line}\n{margin} | {}{}",
        shown(&bad.file),
        column + 1,
        " ".repeat(column),
        paint(&marks, "31", color)
    )
}

/// The last character boundary at or before `at`.
fn floor_char(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_error_shows_its_place() {
        let text = "[train]\nsede = 3\n".to_owned();
        let error = RecipeError {
            message: "unknown field `sede`".to_owned(),
            span: Some(8..12),
            key: None,
            hint: Some("did you mean `seed`?".to_owned()),
        };
        let failure = CliError::Recipe(Box::new(BadRecipe { file: "recipe.toml".to_owned(), text, error }));
        let expected = "error: unknown field `sede`\n --> recipe.toml:2:1\n  |\n2 | sede = 3\n  | ^^^^\n  \
                        hint: did you mean `seed`?";
        assert_eq!(failure.text(false), expected);
    }

    #[test]
    fn any_span_is_survived() {
        // Backwards and far beyond the end, as a careless caller might give them.
        for (from, to) in [(0, 0), (5, 3), (2, 400), (3, 4)] {
            let span = from..to;
            let error = RecipeError { message: "m".to_owned(), span: Some(span), key: None, hint: None };
            let bad = BadRecipe { file: "f".to_owned(), text: "a\nя = é".to_owned(), error };
            assert!(CliError::Recipe(Box::new(bad)).text(false).contains("f:"));
        }
    }
}
