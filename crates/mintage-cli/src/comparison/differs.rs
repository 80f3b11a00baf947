//! In what the configurations of runs differ, as far as it matters: what follows from another difference is left out.

use serde_json::{Value, json};

use super::{Comparison, Group, Member};
use crate::text::{Table, number};

/// What training found out, and is no part of a configuration.
const FOUND: [&str; 6] = ["valid", "step", "train_secs", "mintage", "format", "class_counts"];

/// Keys whose values are not the same in all runs, with the value of each run.
pub fn differences(members: &[&Member]) -> Vec<(String, Vec<String>)> {
    let flat: Vec<Vec<(String, String)>> = members.iter().map(|member| facts(member)).collect();
    let mut keys: Vec<&String> = Vec::new();
    for (key, _) in flat.iter().flatten() {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let value = |all: &Vec<(String, String)>, key: &str| {
        all.iter().find(|(k, _)| k == key).map_or_else(|| "–".to_owned(), |(_, v)| v.clone())
    };
    let rows =
        keys.into_iter().map(|key| (key.clone(), flat.iter().map(|all| value(all, key)).collect::<Vec<_>>()));
    let rows: Vec<_> = rows.filter(|(_, values)| values.windows(2).any(|pair| pair[0] != pair[1])).collect();
    let differs = |key: &str| rows.iter().any(|(k, _)| k == key);
    // Options follow from family and size, unless somebody set them; what the data are follows from where they are from.
    let by_preset = differs("model.family") || differs("size");
    let by_source = rows.iter().any(|(key, _)| key.starts_with("source."));
    let by_steps = differs("train.steps");
    let set = |option: &str| {
        members
            .iter()
            .any(|m| m.recipe.as_ref().is_some_and(|recipe| recipe.model.options.contains_key(option)))
    };
    let matters = |key: &str| match key.split_once('.') {
        Some(("model", option)) => option == "family" || !by_preset || set(option),
        Some(("info", _)) => !by_source,
        // A budget in steps is none in time.
        Some(("train", "time")) => !by_steps,
        _ => true,
    };
    rows.iter().filter(|(key, _)| matters(key)).cloned().collect()
}

/// Everything that was decided about a run: its configuration, and how it was to be trained.
fn facts(member: &Member) -> Vec<(String, String)> {
    let mut all = flattened(&member.config);
    all.retain(|(key, _)| !FOUND.contains(&key.split('.').next().unwrap_or("")) && key != "info.fields");
    if let Some(recipe) = &member.recipe {
        let train = flattened(&json!({ "train": recipe.train }));
        all.extend(train.into_iter().filter(|(key, _)| {
            // The seed stands in the configuration as well.
            key != "train.seed" && !(key == "train.time" && recipe.train.steps.is_some())
        }));
    }
    all
}

/// "model.width" → "64" for every leaf.
pub fn flattened(value: &Value) -> Vec<(String, String)> {
    fn walk(prefix: &str, value: &Value, out: &mut Vec<(String, String)>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    walk(&key, value, out);
                }
            }
            Value::String(text) => out.push((prefix.to_owned(), text.clone())),
            Value::Number(n) if n.is_f64() => {
                out.push((prefix.to_owned(), n.as_f64().map(number).unwrap_or_default()));
            }
            Value::Null => {}
            other => out.push((prefix.to_owned(), other.to_string())),
        }
    }
    let mut out = Vec::new();
    walk("", value, &mut out);
    out
}

/// The differences as a table, one column a run; runs that differ by their seed alone share one.
pub fn table(comparison: &Comparison, all: &[&Member]) -> Option<String> {
    let (names, rows) = match comparison.has_seeds() {
        true => by_group(comparison),
        false => (all.iter().map(|member| member.name.clone()).collect(), differences(all)),
    };
    let mut table = Table::with_head(["differs".to_owned()].into_iter().chain(names).collect());
    table.bars = true;
    for (key, values) in &rows {
        table.row([key.clone()].into_iter().chain(values.iter().cloned()));
    }
    (!rows.is_empty()).then(|| table.text())
}

/// What differs between groups, and the seeds of each.
fn by_group(comparison: &Comparison) -> (Vec<String>, Vec<(String, Vec<String>)>) {
    let groups: Vec<&Group> = comparison.groups.iter().filter(|group| !group.members.is_empty()).collect();
    let first: Vec<&Member> = groups.iter().map(|group| &group.members[0]).collect();
    let mut rows = differences(&first);
    rows.retain(|(key, _)| key != "seed");
    rows.push(("seeds".to_owned(), groups.iter().map(|group| group.seeds()).collect()));
    (groups.iter().map(|group| group.label.clone()).collect(), rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage::Recipe;

    use super::*;

    fn member(config: Value, recipe: &str) -> Member {
        let text = format!("data.source = 'x'\n{recipe}");
        Member { config, recipe: Some(Recipe::parse(&text).unwrap()), ..Member::default() }
    }

    fn keys(a: &Member, b: &Member) -> Vec<String> {
        differences(&[a, b]).into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn only_differences_are_shown() {
        let a = member(json!({ "model": { "family": "vae", "width": 32 }, "seed": 1, "step": 5 }), "");
        let b = member(json!({ "model": { "family": "vae", "width": 64 }, "seed": 1, "step": 9 }), "");
        let found = differences(&[&a, &b]);
        assert_eq!(found, vec![("model.width".to_owned(), vec!["32".to_owned(), "64".to_owned()])]);
    }

    #[test]
    fn what_follows_from_family_and_size_is_left_out_unless_it_was_set() {
        let config = |family: &str, width: u32, lr: f64| json!({ "model": { "family": family, "width": width, "lr": lr }, "seed": 1 });
        let a = member(config("vae", 32, 0.1), "train.steps = 5");
        let mut b = member(config("gan", 64, 0.2), "train.time = '5m'");
        assert_eq!(keys(&a, &b), ["model.family", "train.steps"]);
        b.recipe.as_mut().unwrap().set("model.lr=0.2").unwrap();
        assert_eq!(keys(&a, &b), ["model.family", "model.lr", "train.steps"]);
    }

    #[test]
    fn a_seed_is_one_line() {
        let config = |seed: u32| json!({ "model": { "family": "vae" }, "seed": seed });
        assert_eq!(
            keys(&member(config(1), "train.seed = 1"), &member(config(2), "train.seed = 2")),
            ["seed"]
        );
    }
}
