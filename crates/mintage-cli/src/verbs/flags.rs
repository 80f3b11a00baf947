//! Which flags of `mintage sample` have a meaning for which kind of data: one table, so that none is left out and none
//! is taken without a word.

use crate::{args::Sample, failure::Failure};

/// What a model makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Images,
    Rows,
    Texts,
    Music,
    Sounds,
    Clips,
}

impl Kind {
    /// What is made, in words, and what can be asked of it instead.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Images => (
                "model of images",
                "images are of a class with --where, vary one with --like, and lie --between two",
            ),
            Self::Rows => ("table rows", "conditions are given with --where, rows to complete with --given"),
            Self::Texts => {
                ("model of texts", "texts begin with --prompt or --continue, and are of a class with --where")
            }
            Self::Music => (
                "model of music",
                "tunes go on from a MIDI file with --continue, and keep to --key, --metre, --range and --length bars",
            ),
            Self::Sounds => (
                "model of sounds",
                "sounds go on from a file with --continue, vary one with --like, and last --seconds",
            ),
            Self::Clips => (
                "model of clips",
                "clips go on from a file with --continue, vary one with --like, and last --frames or --seconds",
            ),
        }
    }
}

/// A flag, whether it was given, and the kinds that it has a meaning for.
type Flag = (&'static str, fn(&Sample) -> bool, &'static [Kind]);

use Kind::{Clips, Images, Music, Rows, Sounds, Texts};

/// All flags but those of every kind.
const FLAGS: &[Flag] = &[
    ("--given", |a| a.given.is_some(), &[Rows]),
    ("--fill", |a| a.fill.is_some(), &[Rows]),
    ("--encoding", |a| a.encoding.is_some(), &[Rows]),
    ("--delimiter", |a| a.delimiter.is_some(), &[Rows]),
    ("--no-provenance", |a| a.no_provenance, &[Rows]),
    ("--prompt", |a| a.prompt.is_some(), &[Texts]),
    ("--continue", |a| a.continued.is_some(), &[Texts, Music, Sounds, Clips]),
    ("--length", |a| a.length.is_some(), &[Texts, Music]),
    ("--bits", |a| a.bits.is_some(), &[Sounds]),
    ("--frames", |a| a.frames.is_some(), &[Clips]),
    ("--seconds", |a| a.seconds.is_some(), &[Sounds, Clips]),
    ("--endless", |a| a.endless, &[Texts]),
    ("--stop", |a| !a.stop.is_empty(), &[Texts]),
    ("--match", |a| a.pattern.is_some(), &[Texts]),
    ("--json-shape", |a| a.json_shape.is_some(), &[Texts]),
    ("--key", |a| a.key.is_some(), &[Music]),
    ("--metre", |a| a.metre.is_some(), &[Music]),
    ("--range", |a| a.range.is_some(), &[Music]),
    ("--sound-font", |a| a.sound_font.is_some(), &[Music]),
    ("--min-p", |a| a.min_p.is_some(), &[Texts, Music, Sounds, Clips]),
    ("--repetition", |a| a.repetition != 1.0, &[Texts, Music]),
    ("--like", |a| a.like.is_some(), &[Images, Texts, Music, Sounds, Clips]),
    ("--between", |a| !a.between.is_empty(), &[Images, Texts, Music]),
    ("--guidance", |a| a.guidance.is_some(), &[Images, Texts, Music, Sounds, Clips]),
    ("--top-k", |a| a.top_k.is_some(), &[Images, Texts, Music, Sounds, Clips]),
    ("--top-p", |a| a.top_p.is_some(), &[Images, Texts, Music, Sounds, Clips]),
    ("--grid", |a| a.grid.is_some(), &[Images, Clips]),
    ("--column", |a| a.column.is_some(), &[Images, Texts, Music, Sounds, Clips]),
    ("--label-column", |a| a.label_column.is_some(), &[Images, Texts, Music, Sounds, Clips]),
];

/// Refuses what has no meaning for a kind of data.
pub fn check(args: &Sample, kind: Kind) -> Result<(), Failure> {
    match FLAGS.iter().find(|(_, given, kinds)| given(args) && !kinds.contains(&kind)) {
        None => Ok(()),
        Some((flag, ..)) => Err(meaningless(flag, kind)),
    }
}

/// The error for a flag that has no meaning.
pub fn meaningless(flag: &str, kind: Kind) -> Failure {
    let (what, instead) = kind.words();
    let this = if kind == Rows { "" } else { "this " };
    Failure::new(format!("{flag} has no meaning for {this}{what}"), instead)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::args::{Cli, Verb};

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
        let command = Cli::command();
        let sample = command.find_subcommand("sample").unwrap();
        for flag in sample.get_arguments().filter_map(clap::Arg::get_long) {
            let listed = FLAGS.iter().any(|(name, ..)| name.split(' ').next() == Some(&format!("--{flag}")));
            assert!(listed != OF_ALL.contains(&flag), "--{flag}");
        }
    }

    #[test]
    fn a_flag_is_refused_where_it_has_no_meaning() {
        let pattern = sample(&["--match", "[a-z]+"]);
        assert!(check(&pattern, Texts).is_ok());
        for kind in [Images, Rows, Music, Sounds, Clips] {
            assert!(check(&pattern, kind).unwrap_err().text(false).contains("--match has no meaning"));
        }
        let key = sample(&["--key", "C major"]);
        assert!(check(&key, Music).is_ok() && check(&key, Images).is_err());
        assert!(check(&sample(&["--if-exists", "append"]), Images).is_ok());
    }
}
