//! `mintage init`: a commented recipe for a source.

use std::path::Path;

use mintage::{
    models::{AudioConfig, ImageConfig, SequenceConfig, TableConfig, VideoConfig, defaults::is_measured},
    recipe::{TrainSpec, VALID_CLIPS, VALID_IMAGES, VALID_ROWS, VALID_SEQUENCES, VALID_SOUNDS},
};
use mintage_data::{
    DataKind, Inspection, SourceSpec,
    inspect::ColumnKind,
    table::{
        read,
        rules::{Rule, in_force, propose},
        schema::detect,
    },
};

use serde_json::json;

use super::inspect::filled_in;
use crate::{
    args::Init,
    context::{Context, source_spec},
    failure::{CliError, CliResult, Outcome},
    text::shell,
};

pub fn run(args: &Init, context: &mut Context) -> CliResult {
    let to_stdout = args.out == Path::new("-");
    if !to_stdout && args.out.exists() && !args.force {
        let message = format!("{}: exists already", args.out.display());
        return Err(CliError::new(message, "overwrite it with --force, or choose another with -o"));
    }
    let (spec, found) = filled_in(&context.reachable(&source_spec(&args.source, &args.columns)))?;
    let seed = context.settings.seed.unwrap_or(TrainSpec::default().seed);
    // What can be learned of rows shows in the rows alone.
    let rules = match found.read_as == DataKind::Table {
        true => {
            let table = read(&spec)?;
            let schema = detect(&table);
            let (found, _) = in_force(&spec.rules, &table, &schema)?;
            let mut more = propose(&table, &schema);
            more.retain(|rule| !found.rules().contains(rule));
            Some(FoundRules { in_force: found.rules().iter().map(ToString::to_string).collect(), more })
        }
        false => None,
    };
    let text = recipe(&spec, &found, rules.as_ref(), seed);
    if to_stdout {
        context.ui.out(&text)?;
        return Ok(Outcome::Done);
    }
    mintage_data::write_through(&args.out, text.as_bytes()).map_err(CliError::io(&args.out))?;
    context.ui.field("made", &args.out.display().to_string());
    context.ui.field("next", &format!("mintage train {}", shell(&args.out)));
    Ok(Outcome::Done)
}

/// Rules that rows keep.
#[derive(Default)]
struct FoundRules {
    /// In words.
    in_force: Vec<String>,
    /// What holds as well, and is kept only if the recipe says so.
    more: Vec<Rule>,
}

/// The whole recipe; `rules` are those of table rows, nothing for images.
fn recipe(spec: &SourceSpec, found: &Inspection, rules: Option<&FoundRules>, seed: u64) -> String {
    let train = TrainSpec::default();
    let (data, families, auto, valid) = match rules {
        _ if found.sequences.is_some() => {
            (of_sequences(spec), SequenceConfig::FAMILIES, SequenceConfig::AUTO, VALID_SEQUENCES)
        }
        _ if found.sounds.is_some() => {
            (of_sounds(spec), AudioConfig::FAMILIES, AudioConfig::AUTO, VALID_SOUNDS)
        }
        _ if found.clips.is_some() => (of_clips(spec), VideoConfig::FAMILIES, VideoConfig::AUTO, VALID_CLIPS),
        Some(rules) => (of_rows(spec, rules), TableConfig::FAMILIES, TableConfig::AUTO, VALID_ROWS),
        None => (of_images(spec, found), ImageConfig::FAMILIES, ImageConfig::AUTO, VALID_IMAGES),
    };
    let names: Vec<&str> = families.iter().map(|family| family.name()).collect();
    let families =
        names.split_last().map_or_else(String::new, |(last, rest)| format!("{} or {last}", rest.join(", ")));
    let otherwise = match is_measured(found.read_as) {
        true => format!("what measured best in such a time, or {} with options of its own", auto.name()),
        false => auto.name().to_owned(),
    };
    format!(
        "# A recipe for `mintage train`. Lines that begin with # say what else there is.\n\n\
         [data]\n{data}\n\
         [model]\n\
         # {families}; without it {otherwise}.\n\
         # family = \"{family}\"\n\
         # tiny, small, base or large: width, depth, batch and learning rate follow from it.\n\
         size = \"small\"\n\
         # Any option of the family may stand here; `mintage train RECIPE --dry-run` prints them all.\n\n\
         [train]\n\
         # Budget of time, such as \"90s\", \"10m\" or \"2h\" …\n\
         time = \"{time}\"\n\
         # … or in steps, which counts when both are given.\n\
         # steps = 5000\n\
         seed = {seed}\n\
         # Validations without improvement after which training stops; 0 never stops early.\n\
         patience = {patience}\n\
         # Samples to look at over the whole run.\n\
         previews = {previews}\n\
         # Items used at each validation, at most.\n\
         # valid_items = {valid}\n\
         # \"full\": training in single precision even where the CPU has something faster.\n\
         # precision = \"auto\"\n",
        family = auto.name(),
        time = train.time,
        patience = train.patience,
        previews = train.previews,
    )
}

/// `[data]` of sounds.
fn of_sounds(spec: &SourceSpec) -> String {
    places(spec)
        + "# Samples a second; without it those of most of the sounds, up to 16000.\n\
           # rate = 16000\n\
           # 1 or 2; sounds of more are mixed.\n\
           # channels = 1\n\
           # How long a stretch of sound is learned at a time; without it whole sounds where they are short.\n\
           # seconds = 1.0\n\
           # Use at most so many sounds.\n\
           # limit = 10000\n"
}

/// `[data]` of clips.
fn of_clips(spec: &SourceSpec) -> String {
    places(spec)
        + "# Frames a second; without it those that most clips have, or a whole part of them, up to 12.5.\n\
           # fps = 12.5\n\
           # Frames that a model makes at a time, 2 to 256; without it the clips decide, up to 16.\n\
           # frames = 16\n\
           # Side of the square that frames are brought to, a multiple of 4; without it the clips decide, up to 64.\n\
           # size = 64\n\
           # How a frame of another shape becomes one: \"crop\" what sticks out, or \"fit\" it in with a border.\n\
           fit = \"crop\"\n\
           # \"auto\" is gray when all clips are; otherwise \"gray\" or \"rgb\".\n\
           color = \"auto\"\n\
           # Another source, or another table of this one, whose clips are held out, in place of a tenth: holdout = \"…\".\n\
           # Use at most so many clips.\n\
           # limit = 10000\n"
}

/// Where the data lie, which of them, and what they are called.
fn places(spec: &SourceSpec) -> String {
    let mut text = String::new();
    let kind = spec.kind.map(|kind| kind.name().to_owned());
    let keys = [
        ("source", Some(&spec.source)),
        ("kind", kind.as_ref()),
        ("table", spec.table.as_ref()),
        ("query", spec.query.as_ref()),
        ("column", spec.column.as_ref()),
        ("holdout", spec.holdout.as_ref()),
        ("label", spec.label.as_ref()),
    ];
    for (key, value) in keys {
        if let Some(value) = value {
            text.push_str(&format!("{key} = {}\n", quoted(value)));
        }
    }
    text
}

/// `[data]` of texts and music.
fn of_sequences(spec: &SourceSpec) -> String {
    places(spec)
        + "# Texts: a token is one of \"bytes\", \"chars\" or \"bpe\" (pieces of words); without it the amount and the\n\
            # script of the texts decide.\n\
            # unit = \"bpe\"\n\
            # How many different pieces of words there may be.\n\
            # vocab = 4096\n\
            # Music: \"remi\" (events of notes), \"grid\" (voices in turn, a token a sixteenth) or \"grid-quarter\".\n\
            # music = \"remi\"\n\
            # Use at most so many documents.\n\
            # limit = 10000\n"
}

/// `[data]` of images.
fn of_images(spec: &SourceSpec, found: &Inspection) -> String {
    let side = found.images.as_ref().map_or(32, |i| i.shape.width);
    format!(
        "{}\
         # Side of the square that images are brought to; without it the data decide.\n\
         # size = {side}\n\
         # How an image of another shape becomes one: \"crop\" what sticks out, or \"fit\" it in with a border.\n\
         fit = \"crop\"\n\
         # \"auto\" is gray when all images are; otherwise \"gray\" or \"rgb\".\n\
         color = \"auto\"\n\
         # Stop at the first image that cannot be read, in place of leaving out a few.\n\
         strict = {}\n\
         # Use at most so many items.\n\
         # limit = 10000\n",
        data(spec, found),
        spec.strict,
    )
}

/// `[data]` of table rows, with the rules that all of them keep.
fn of_rows(spec: &SourceSpec, rules: &FoundRules) -> String {
    let mut text = places(spec);
    text.push_str(&described(spec));
    text.push_str(
        "# Columns to learn, in place of all: column = \"a,b,c\".\n\
         # Another file or table whose rows are held out, in place of a tenth: holdout = \"…\".\n\
         # What a column is, where it was found otherwise: kinds = { zip = \"category\" }.\n\
         # \"keep\" rare categories, or \"group\" those of fewer than 5 rows, so that they are never made.\n\
         rare = \"keep\"\n\
         # Texts that may point at a person: \"fresh\" ones in the same form, \"empty\" cells, or those seen: \"redraw\".\n\
         # text = \"fresh\"\n\
         # Use at most so many rows.\n\
         # limit = 100000\n",
    );
    if !rules.in_force.is_empty() {
        text.push_str("# Rules that are in force by themselves; \"off\" leaves them:\n");
        rules.in_force.iter().for_each(|rule| text.push_str(&format!("#   {}\n", visible(rule))));
        text.push_str("# rules = \"off\"\n");
    }
    if !rules.more.is_empty() {
        text.push_str("\n# More rules that all rows keep. Without the # they hold in every new row too.\n");
    }
    for rule in &rules.more {
        let lines = toml::to_string(rule).unwrap_or_default();
        let lines: String = lines.lines().map(|line| format!("# {line}\n")).collect();
        text.push_str(&format!("# [[data.rules]]\n{lines}"));
    }
    text
}

/// How the file is written, as far as it was said.
fn described(spec: &SourceSpec) -> String {
    let keys = [
        ("header", spec.header.map(|header| json!(header))),
        ("delimiter", spec.delimiter.as_ref().map(|delimiter| json!(delimiter))),
        ("skip", spec.skip.map(|skip| json!(skip))),
        ("comment", spec.comment.map(|comment| json!(comment))),
        ("encoding", spec.encoding.as_ref().map(|encoding| json!(encoding))),
    ];
    keys.into_iter().filter_map(|(key, value)| Some(format!("{key} = {}\n", value?))).collect()
}

/// A text that cannot end a comment.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The lines of `[data]` that say which images.
fn data(spec: &SourceSpec, found: &Inspection) -> String {
    let mut text = format!("source = {}\n", quoted(&spec.source));
    let kind = spec.kind.map(|kind| kind.name().to_owned());
    for (key, value) in [("kind", &kind), ("table", &spec.table), ("column", &spec.column)] {
        if let Some(value) = value {
            text.push_str(&format!("{key} = {}\n", quoted(value)));
        }
    }
    text.push_str("# Column to condition on: it makes `mintage sample --where COLUMN=VALUE` possible.\n");
    match (&spec.label, likely_label(spec, found)) {
        (Some(label), _) => text.push_str(&format!("label = {}\n", quoted(label))),
        (None, Some(likely)) => text.push_str(&format!("# label = {}\n", quoted(likely))),
        (None, None) => text.push_str("# label = \"category\"\n"),
    }
    text
}

/// A column of few values in the table that is learned from.
fn likely_label<'a>(spec: &SourceSpec, found: &'a Inspection) -> Option<&'a str> {
    let table = found.tables.iter().find(|t| spec.table.as_ref() == Some(&t.name))?;
    table.columns.iter().find(|c| c.kind == ColumnKind::Category).map(|c| c.name.as_str())
}

/// A text as a TOML string.
fn quoted(text: &str) -> String {
    let escape = |c: char| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage::Recipe;
    use mintage_data::table::rules::RuleChoice;

    #[test]
    fn what_is_written_is_the_default_recipe() {
        let source = "a \"b\"\\c\n.db".to_owned();
        let spec =
            SourceSpec {
                source: source.clone(), table: Some("таблица".to_owned()), ..SourceSpec::default()
            };
        let found = Inspection {
            source,
            kind: "sqlite".to_owned(),
            read_as: DataKind::Image,
            why: String::new(),
            tables: vec![],
            images: None,
            sequences: None,
            clips: None,
            sounds: None,
            alerts: vec![],
            unread: vec![],
        };
        let text = recipe(&spec, &found, None, 1);
        let parsed = Recipe::parse(&text).unwrap();
        assert_eq!(parsed.data, spec);
        assert_eq!(parsed.train, TrainSpec::default());
        let rows =
            SourceSpec { table: Some("t".to_owned()), source: "a.db".to_owned(), ..SourceSpec::default() };
        let rules = vec![Rule::Positive { column: "цена \"x\"".to_owned() }];
        let found_rules = FoundRules { in_force: vec!["a <= b\n".to_owned()], more: rules.clone() };
        let text_of_rows = recipe(&rows, &found, Some(&found_rules), 1);
        assert_eq!(Recipe::parse(&text_of_rows).unwrap().data, rows);
        let uncommented = text_of_rows
            .replace("# [[data", "[[data")
            .replace("# kind", "kind")
            .replace("# column = \"ц", "column = \"ц");
        let uncommented = uncommented.replace("# column = 'ц", "column = 'ц");
        assert_eq!(Recipe::parse(&uncommented).unwrap().data.rules, RuleChoice::With(rules));
        // Every commented setting is one that the recipe knows.
        let settings = text.lines().filter(|l| l.starts_with("# ") && l.contains(" = "));
        for line in settings {
            let all = text.replace(line, &line[2..]);
            assert!(Recipe::parse(&all).is_ok(), "{line}");
        }
    }
}
