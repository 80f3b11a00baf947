//! Which flags of `mintage sample` have a meaning for which kind of data: one table, by which they are refused and by
//! which help and man pages group them.

use clap::{Arg, Command, CommandFactory};

use crate::{
    args::{Cli, Sample},
    failure::CliError,
};

/// What a model makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Image,
    Table,
    Text,
    Music,
    Audio,
    Video,
}

impl Kind {
    /// What is made, in words, and what can be asked of it instead.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Image => (
                "model of images",
                "images are of a class with --where, vary one with --like, and lie --between two",
            ),
            Self::Table => ("table rows", "conditions are given with --where, rows to complete with --given"),
            Self::Text => {
                ("model of texts", "texts begin with --prompt or --continue, and are of a class with --where")
            }
            Self::Music => (
                "model of music",
                "tunes go on from a MIDI file with --continue, and keep to --key, --metre, --range and --length bars",
            ),
            Self::Audio => (
                "model of sounds",
                "sounds go on from a file with --continue, vary one with --like, and last --seconds",
            ),
            Self::Video => (
                "model of clips",
                "clips go on from a file with --continue, vary one with --like, and last --frames or --seconds",
            ),
        }
    }
}

/// A flag, whether it was given, and the kinds that it has a meaning for.
type Flag = (&'static str, fn(&Sample) -> bool, &'static [Kind]);

use Kind::{Audio, Image, Music, Table, Text, Video};

/// All flags but those of every kind.
const FLAGS: &[Flag] = &[
    ("--given", |a| a.given.is_some(), &[Table]),
    ("--fill", |a| a.fill.is_some(), &[Table]),
    ("--encoding", |a| a.encoding.is_some(), &[Table]),
    ("--delimiter", |a| a.delimiter.is_some(), &[Table]),
    ("--no-provenance", |a| a.no_provenance, &[Table]),
    ("--prompt", |a| a.prompt.is_some(), &[Text]),
    ("--continue", |a| a.continued.is_some(), &[Text, Music, Audio, Video]),
    ("--length", |a| a.length.is_some(), &[Text, Music]),
    ("--bits", |a| a.bits.is_some(), &[Audio]),
    ("--frames", |a| a.frames.is_some(), &[Video]),
    ("--seconds", |a| a.seconds.is_some(), &[Audio, Video]),
    ("--endless", |a| a.endless, &[Text]),
    ("--stop", |a| !a.stop.is_empty(), &[Text]),
    ("--match", |a| a.pattern.is_some(), &[Text]),
    ("--json-shape", |a| a.json_shape.is_some(), &[Text]),
    ("--key", |a| a.key.is_some(), &[Music]),
    ("--metre", |a| a.metre.is_some(), &[Music]),
    ("--range", |a| a.range.is_some(), &[Music]),
    ("--sound-font", |a| a.sound_font.is_some(), &[Music]),
    ("--min-p", |a| a.min_p.is_some(), &[Text, Music, Audio, Video]),
    ("--repetition", |a| a.repetition != 1.0, &[Text, Music]),
    ("--like", |a| a.like.is_some(), &[Image, Text, Music, Audio, Video]),
    ("--between", |a| !a.between.is_empty(), &[Image, Text, Music]),
    ("--guidance", |a| a.guidance.is_some(), &[Image, Text, Music, Audio, Video]),
    ("--top-k", |a| a.top_k.is_some(), &[Image, Text, Music, Audio, Video]),
    ("--top-p", |a| a.top_p.is_some(), &[Image, Text, Music, Audio, Video]),
    ("--grid", |a| a.grid.is_some(), &[Image, Video]),
    ("--column", |a| a.column.is_some(), &[Image, Text, Music, Audio, Video]),
    ("--label-column", |a| a.label_column.is_some(), &[Image, Text, Music, Audio, Video]),
];

/// The command line, with the flags of `sample` in groups by the kinds that they are for.
pub fn command() -> Command {
    Cli::command().mut_subcommand("sample", |sample| sample.mut_args(grouped))
}

fn grouped(flag: Arg) -> Arg {
    let Some(name) = flag.get_long().map(|long| format!("--{long}")) else { return flag };
    let kinds = FLAGS.iter().find(|(flag, ..)| *flag == name).map(|(.., kinds)| *kinds);
    flag.help_heading(kinds.map_or("For all kinds", heading))
}

/// The group that a flag of some kinds belongs to: few groups, since a flag is read once and looked for often.
fn heading(kinds: &[Kind]) -> &'static str {
    let all_of = |group: &[Kind]| kinds.iter().all(|kind| group.contains(kind));
    if all_of(&[Table]) {
        "Table rows"
    } else if all_of(&[Text, Music]) {
        "Texts and music"
    } else if all_of(&[Image, Audio, Video]) {
        "Images, sounds and clips"
    } else {
        "All kinds but table rows"
    }
}

/// Refuses what has no meaning for a kind of data.
pub fn check(args: &Sample, kind: Kind) -> Result<(), CliError> {
    match FLAGS.iter().find(|(_, given, kinds)| given(args) && !kinds.contains(&kind)) {
        None => Ok(()),
        Some((flag, ..)) => Err(meaningless(flag, kind)),
    }
}

/// The error for a flag that has no meaning.
pub fn meaningless(flag: &str, kind: Kind) -> CliError {
    let (what, instead) = kind.words();
    let this = if kind == Table { "" } else { "this " };
    CliError::new(format!("{flag} has no meaning for {this}{what}"), instead)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::Parser;

    use super::*;
    use crate::args::Verb;

    fn sample(flags: &[&str]) -> Sample {
        let line = ["mintage", "sample", "m"].iter().chain(flags);
        match Cli::try_parse_from(line).unwrap().verb {
            Verb::Sample(args) => args,
            _ => unreachable!(),
        }
    }

    #[test]
    fn every_flag_is_in_the_table_or_of_every_kind() {
        const OF_ALL: [&str; 7] = ["n", "out", "where", "strength", "temperature", "table", "if-exists"];
        let command = command();
        let sample = command.find_subcommand("sample").unwrap();
        for flag in sample.get_arguments().filter_map(clap::Arg::get_long) {
            let listed = FLAGS.iter().any(|(name, ..)| name.split(' ').next() == Some(&format!("--{flag}")));
            assert!(listed != OF_ALL.contains(&flag), "--{flag}");
        }
    }

    #[test]
    fn help_groups_flags_by_the_kinds_they_are_for() {
        let command = command();
        let sample = command.find_subcommand("sample").unwrap();
        for flag in sample.get_arguments().filter(|flag| flag.get_long().is_some()) {
            let kinds =
                FLAGS.iter().find(|(name, ..)| Some(&name[2..]) == flag.get_long()).map(|(.., kinds)| kinds);
            let is_for_rows = kinds.is_none_or(|kinds| kinds.contains(&Table));
            let heading = flag.get_help_heading().unwrap();
            assert_eq!(
                is_for_rows,
                ["For all kinds", "Table rows"].contains(&heading),
                "{flag} in {heading}"
            );
        }
    }

    #[test]
    fn a_flag_is_refused_where_it_has_no_meaning() {
        let pattern = sample(&["--match", "[a-z]+"]);
        assert!(check(&pattern, Text).is_ok());
        for kind in [Image, Table, Music, Audio, Video] {
            assert!(check(&pattern, kind).unwrap_err().text(false).contains("--match has no meaning"));
        }
        let key = sample(&["--key", "C major"]);
        assert!(check(&key, Music).is_ok() && check(&key, Image).is_err());
        assert!(check(&sample(&["--if-exists", "append"]), Image).is_ok());
    }
}
