//! The flags of `mintage sample`: the fields of a request and an output, as a command line writes them. Help and man pages
//! group them by the kinds of data that the library says they are for.

use clap::{Arg, Command, CommandFactory};
use mintage::{
    data::DataKind::{self, Audio, Image, Music, Table, Text, Video},
    generate::fields,
};

use crate::args::Cli;

/// The command line, with the flags of `sample` in groups by the kinds that they are for.
pub fn command() -> Command {
    Cli::command().mut_subcommand("sample", |sample| sample.mut_args(grouped))
}

/// Flags of whole databases, of which a request to one model knows nothing.
const OF_DATABASES: [&str; 1] = ["scale"];

fn grouped(flag: Arg) -> Arg {
    if flag.get_long().is_some_and(|long| OF_DATABASES.contains(&long)) {
        return flag.help_heading("Whole databases");
    }
    match flag.get_long().and_then(|long| fields::find(&long.replace('-', "_"))) {
        Some(field) => flag.help_heading(heading(field.kinds)),
        None => flag,
    }
}

/// The group that a flag of some kinds belongs to: few groups, since a flag is read once and looked for often.
fn heading(kinds: &[DataKind]) -> &'static str {
    let all_of = |group: &[DataKind]| kinds.iter().all(|kind| group.contains(kind));
    if kinds.len() == 6 {
        "For all kinds"
    } else if all_of(&[Table]) {
        "Table rows"
    } else if all_of(&[Text, Music]) {
        "Texts and music"
    } else if all_of(&[Image, Audio, Video]) {
        "Images, sounds and clips"
    } else {
        "All kinds but table rows"
    }
}

/// A field as a flag: "--top-k".
pub fn flag(field: &str) -> String {
    if field == "n" { "-n".to_owned() } else { format!("--{}", field.replace('_', "-")) }
}

/// A sentence in which fields stand in backticks, with flags in their place.
pub fn spelled(sentence: &str) -> String {
    let fields = fields::REQUEST.iter().chain(fields::OUTPUT);
    fields.fold(sentence.to_owned(), |text, field| {
        text.replace(&format!("`{}`", field.name), &flag(field.name))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_flag_is_a_field() {
        let command = command();
        let sample = command.find_subcommand("sample").unwrap();
        let flags = sample.get_arguments().filter_map(clap::Arg::get_long);
        for flag in flags.filter(|flag| !OF_DATABASES.contains(flag)) {
            assert!(fields::find(&flag.replace('-', "_")).is_some(), "--{flag}");
        }
    }

    #[test]
    fn help_groups_flags_by_the_kinds_they_are_for() {
        let command = command();
        let sample = command.find_subcommand("sample").unwrap();
        let is_of_one = |flag: &&Arg| flag.get_long().is_some_and(|long| !OF_DATABASES.contains(&long));
        for flag in sample.get_arguments().filter(is_of_one) {
            let field = fields::find(&flag.get_long().unwrap().replace('-', "_")).unwrap();
            let heading = flag.get_help_heading().unwrap();
            let is_for_rows = ["For all kinds", "Table rows"].contains(&heading);
            assert_eq!(field.kinds.contains(&Table), is_for_rows, "{} in {heading}", field.name);
        }
    }

    #[test]
    fn sentences_name_flags() {
        assert_eq!(spelled("give `like` or `top_k`, not `that`"), "give --like or --top-k, not `that`");
        assert_eq!(spelled("`like`, `x`"), "--like, `x`");
    }
}
