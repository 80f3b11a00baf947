//! `mintage init`: a commented recipe for a source.

use std::path::Path;

use mintage::{models::image::AUTO_FAMILY, recipe::TrainSpec};
use mintage_data::{Inspection, SourceSpec, inspect::ColumnKind};

use super::inspect::filled_in;
use crate::{
    args::Init,
    context::{Context, source_spec},
    failure::{Failure, Outcome, Verdict},
    text::shell,
};

pub fn run(args: &Init, context: &mut Context) -> Verdict {
    let to_stdout = args.out == Path::new("-");
    if !to_stdout && args.out.exists() && !args.force {
        let message = format!("{}: exists already", args.out.display());
        return Err(Failure::new(message, "overwrite it with --force, or choose another with -o"));
    }
    let (spec, found) = filled_in(&context.reachable(&source_spec(&args.source, &args.columns)))?;
    let seed = context.settings.seed.unwrap_or(TrainSpec::default().seed);
    let text = recipe(&spec, &found, seed);
    if to_stdout {
        context.ui.out(&text)?;
        return Ok(Outcome::Done);
    }
    mintage_data::atomic_write(&args.out, text.as_bytes()).map_err(Failure::io(&args.out))?;
    context.ui.titled("made", &args.out.display().to_string());
    context.ui.titled("next", &format!("mintage train {}", shell(&args.out)));
    Ok(Outcome::Done)
}

fn recipe(spec: &SourceSpec, found: &Inspection, seed: u64) -> String {
    let train = TrainSpec::default();
    let family = AUTO_FAMILY.name();
    let side = found.images.as_ref().map_or(32, |i| i.shape.width);
    format!(
        "# A recipe for `mintage train`. Lines that begin with # say what else there is.\n\n\
         [data]\n{data}\
         # Side of the square that images are brought to; without it the data decide.\n\
         # size = {side}\n\
         # How an image of another shape becomes one: \"crop\" what sticks out, or \"fit\" it in with a border.\n\
         fit = \"crop\"\n\
         # \"auto\" is gray when all images are; otherwise \"gray\" or \"rgb\".\n\
         color = \"auto\"\n\
         # Stop at the first image that cannot be read, in place of leaving out a few.\n\
         strict = {strict}\n\
         # Use at most so many items.\n\
         # limit = 10000\n\n\
         [model]\n\
         # vae, gan, vqvae or flow; without it {family}.\n\
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
         # Pictures of samples over the whole run.\n\
         previews = {previews}\n\
         # Items used at each validation, at most.\n\
         valid_items = {valid}\n",
        data = data(spec, found),
        strict = spec.strict,
        time = train.time,
        patience = train.patience,
        previews = train.previews,
        valid = train.valid_items,
    )
}

/// The lines of `[data]` that depend on the source.
fn data(spec: &SourceSpec, found: &Inspection) -> String {
    let mut text = format!("source = {}\n", quoted(&spec.source));
    for (key, value) in [("table", &spec.table), ("column", &spec.column)] {
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

    #[test]
    fn what_is_written_is_the_default_recipe() {
        let source = "a \"b\"\\c\n.db".to_owned();
        let spec =
            SourceSpec {
                source: source.clone(), table: Some("таблица".to_owned()), ..SourceSpec::default()
            };
        let found =
            Inspection { source, kind: "sqlite".to_owned(), tables: vec![], images: None, alerts: vec![] };
        let text = recipe(&spec, &found, 1);
        let parsed = Recipe::parse(&text).unwrap();
        assert_eq!(parsed.data, spec);
        assert_eq!(parsed.train, TrainSpec::default());
        // Every commented setting is one that the recipe knows.
        let settings = text.lines().filter(|l| l.starts_with("# ") && l.contains(" = "));
        for line in settings {
            let all = text.replace(line, &line[2..]);
            assert!(Recipe::parse(&all).is_ok(), "{line}");
        }
    }
}
