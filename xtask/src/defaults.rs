//! `cargo xtask generate defaults`: what `mintage train` takes where a recipe names no family, from the trainings that
//! `cargo xtask quality defaults` has recorded.
//!
//! Data sets of one kind, about as many items and about the same extent share a cell; each budget has cells of its own. In
//! a cell the best is what falls least behind the best of each data set.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    process::Command,
};

use crate::{
    Result, at,
    figure::{Figure, Trial, figures},
    root,
};

const FILE: &str = "crates/mintage/src/models/defaults/measured.rs";
/// Points of 100 that a default may fall behind the best on any data set.
const TOLERANCE: f64 = 3.0;
/// A model that copies is no default, however good its copies.
const MIN_NOVELTY: f64 = 50.0;
/// Items and extents are put together up to powers of these, which `defaults.rs` of the library knows.
const ITEMS_STEP: u64 = 10;
const EXTENT_STEP: u64 = 2;

/// Writes the table, and says what is missing or beyond the tolerance.
pub fn write() -> Result<()> {
    let (text, notes) = table(&figures()?);
    notes.iter().for_each(|note| println!("{note}"));
    let path = root().join(FILE);
    fs::write(&path, text).map_err(at(&path))?;
    crate::run(Command::new("rustfmt").args(["--edition", "2024"]).arg(&path))
}

/// Kind, items and extent, up to these.
type Alike = (String, u64, u64);
/// Family and size.
type Model = (String, String);

/// The trainings of a cell by what was trained, then by data set.
type Trials<'a> = BTreeMap<Model, BTreeMap<&'a str, &'a Trial>>;

/// A family and a size over the complete data sets of a cell.
struct Ranked {
    model: Model,
    score: f64,
    /// Points behind the best, on the data set where these are most.
    behind: f64,
    fidelity: f64,
    coverage: f64,
    train_secs: f64,
}

fn table(figures: &[Figure]) -> (String, Vec<String>) {
    let (mut rows, mut notes) = (String::new(), Vec::new());
    for (alike, budgets) in cells(figures) {
        let mut ranked: Vec<(u64, Vec<Ranked>)> = Vec::new();
        for (secs, trials) in budgets {
            let (kind, items, extent) = &alike;
            let place = format!("{kind}, up to {items} items of up to {extent}, {secs} s");
            match rank(&trials) {
                Ok(all) => {
                    notes.extend(beyond(&place, &all));
                    ranked.push((secs, all));
                }
                Err(missing) => notes.push(format!("{place}: left out, {missing}")),
            }
        }
        for (at, (secs, all)) in ranked.iter().enumerate() {
            row(&mut rows, &alike, *secs, all, &ranked[..at]);
        }
    }
    (format!("{}{rows}];\n", head(rows.is_empty())), notes)
}

fn head(is_empty: bool) -> String {
    let used = match is_empty {
        true => "use super::Cell;",
        false => {
            "use mintage_data::DataKind;\n\nuse super::{Cell, Ranked};\nuse crate::models::{Family, Size};"
        }
    };
    format!(
        "//! Made by `cargo xtask generate defaults` from bench/results/quality.jsonl; do not edit.\n\n{used}\n\n\
         /// Families and sizes as they measured, by kind, items, extent and budget.\n\
         pub(super) const MEASURED: &[Cell] = &["
    )
}

/// The newest trainings of the newest edition of each kind, by what is alike, then by the seconds of their budget.
fn cells(figures: &[Figure]) -> BTreeMap<Alike, BTreeMap<u64, Trials<'_>>> {
    let trials: Vec<&Trial> = figures.iter().filter_map(|figure| figure.trial.as_ref()).collect();
    let mut cells: BTreeMap<Alike, BTreeMap<u64, Trials>> = BTreeMap::new();
    for &trial in &trials {
        let of_kind = trials.iter().filter(|other| other.kind == trial.kind);
        if of_kind.map(|other| other.edition).max() != Some(trial.edition) {
            continue;
        }
        let alike = (trial.kind.clone(), bound(trial.items, ITEMS_STEP), bound(trial.extent, EXTENT_STEP));
        let budgets = cells.entry(alike).or_default();
        let models = budgets.entry(trial.budget_secs.round() as u64).or_default();
        let sets = models.entry((trial.family.clone(), trial.size.clone())).or_default();
        sets.insert(&trial.set, trial);
    }
    cells
}

/// The least power of `step` that is not below `n`.
fn bound(n: u64, step: u64) -> u64 {
    let mut bound = step;
    while bound < n {
        bound = bound.saturating_mul(step);
    }
    bound
}

/// Data sets of a cell that every family was trained on.
fn complete<'a>(trials: &Trials<'a>) -> BTreeSet<&'a str> {
    let mut families: BTreeMap<&'a str, (BTreeSet<&str>, usize)> = BTreeMap::new();
    for ((family, _), sets) in trials {
        for (&set, trial) in sets {
            let (measured, all) = families.entry(set).or_default();
            measured.insert(family);
            *all = trial.families.max(*all);
        }
    }
    families.retain(|_, (measured, all)| measured.len() >= *all);
    families.into_keys().collect()
}

/// What was trained on every complete data set of a cell, the best first; an error where there is none.
fn rank(trials: &Trials) -> std::result::Result<Vec<Ranked>, String> {
    let complete = complete(trials);
    if complete.is_empty() {
        return Err("families are missing on every data set".to_owned());
    }
    let mut best: BTreeMap<&str, f64> = BTreeMap::new();
    for (set, trial) in trials.values().flatten().filter(|(set, _)| complete.contains(*set)) {
        let best = best.entry(*set).or_insert(0.0);
        *best = best.max(score(trial));
    }
    let whole = trials.iter().filter(|(_, sets)| complete.iter().all(|set| sets.contains_key(set)));
    let mut ranked: Vec<Ranked> = whole.map(|(model, sets)| Ranked::of(model, sets, &best)).collect();
    if ranked.len() < 2 {
        return Err("fewer than two were trained on every data set".to_owned());
    }
    ranked.sort_by(|a, b| a.behind.total_cmp(&b.behind).then(b.score.total_cmp(&a.score)));
    Ok(ranked)
}

/// The mean of fidelity and coverage, nothing for copies.
fn score(trial: &Trial) -> f64 {
    let dial = |name: &str| trial.dials.get(name).copied();
    match dial("novelty") {
        Some(novelty) if novelty < MIN_NOVELTY => 0.0,
        _ => (dial("fidelity").unwrap_or(0.0) + dial("coverage").unwrap_or(0.0)) / 2.0,
    }
}

impl Ranked {
    /// Over the data sets of `best`, which has the best score of each.
    fn of(model: &Model, sets: &BTreeMap<&str, &Trial>, best: &BTreeMap<&str, f64>) -> Self {
        let counted: Vec<(&Trial, f64)> =
            best.iter().filter_map(|(set, best)| Some((*sets.get(set)?, *best))).collect();
        let mean = |of: &dyn Fn(&Trial) -> f64| {
            counted.iter().map(|(trial, _)| of(trial)).sum::<f64>() / counted.len().max(1) as f64
        };
        let dial = |name: &str| mean(&|trial| trial.dials.get(name).copied().unwrap_or(0.0));
        Self {
            model: model.clone(),
            score: mean(&score),
            behind: counted.iter().map(|(trial, best)| best - score(trial)).fold(0.0, f64::max),
            fidelity: dial("fidelity"),
            coverage: dial("coverage"),
            train_secs: mean(&|trial| trial.train_secs),
        }
    }
}

/// Where the best of all falls behind the best of one data set.
fn beyond(place: &str, ranked: &[Ranked]) -> Option<String> {
    let best = ranked.first().filter(|best| best.behind > TOLERANCE)?;
    let (family, size) = &best.model;
    Some(format!("{place}: {family} {size} is {:.1} points behind the best of a data set", best.behind))
}

/// A cell as a value of Rust, where `shorter` are the same trainings in shorter budgets.
fn row(
    rows: &mut String,
    (kind, items, extent): &Alike,
    secs: u64,
    ranked: &[Ranked],
    shorter: &[(u64, Vec<Ranked>)],
) {
    let kind = variant(kind);
    let _ = write!(
        rows,
        "Cell {{ kind: DataKind::{kind}, items: {items}, extent: {extent}, budget_secs: {secs}.0, ranked: &["
    );
    for one in ranked {
        let before = shorter.iter().flat_map(|(_, all)| all).filter(|other| other.model == one.model);
        let ready = before.filter(|other| other.score >= one.score - TOLERANCE).map(|other| other.train_secs);
        let ready_secs = ready.fold(one.train_secs, f64::min);
        let (family, size) = (variant(&one.model.0), variant(&one.model.1));
        let (fidelity, coverage) = (one.fidelity, one.coverage);
        let _ = write!(
            rows,
            "Ranked {{ family: Family::{family}, size: Size::{size}, fidelity: {fidelity:.1}, \
             coverage: {coverage:.1}, ready_secs: {ready_secs:.1} }},"
        );
    }
    rows.push_str("] },");
}

/// "Vqvae" of "vqvae".
fn variant(name: &str) -> String {
    let (first, rest) = name.split_at(1.min(name.len()));
    first.to_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(set: &str, items: u64, family: &str, secs: f64, dials: [f64; 2], train_secs: f64) -> Figure {
        let trial = Trial {
            kind: "image".to_owned(),
            set: set.to_owned(),
            items,
            extent: 64,
            family: family.to_owned(),
            size: "small".to_owned(),
            budget_secs: secs,
            train_secs,
            families: 2,
            edition: 1,
            dials: BTreeMap::from([("fidelity".to_owned(), dials[0]), ("coverage".to_owned(), dials[1])]),
            likelihood: BTreeMap::new(),
        };
        let figure = Figure::shown("defaults-image", "", 0.0, "", "");
        Figure { trial: Some(trial), ..figure }
    }

    #[test]
    fn the_best_is_never_far_behind() {
        let figures = [
            figure("a", 6000, "vae", 240.0, [60.0, 60.0], 240.0),
            figure("a", 6000, "gan", 240.0, [62.0, 62.0], 240.0),
            figure("b", 3000, "vae", 240.0, [50.0, 50.0], 240.0),
            figure("b", 3000, "gan", 240.0, [20.0, 20.0], 240.0),
        ];
        let (text, notes) = table(&figures);
        let order = [text.find("Family::Vae"), text.find("Family::Gan")];
        assert!(order[0].is_some() && order[0] < order[1], "{text}");
        assert!(text.contains("items: 10000, extent: 64, budget_secs: 240.0"), "{text}");
        assert!(text.contains("fidelity: 55.0, coverage: 55.0"), "{text}");
        assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn a_shorter_budget_that_is_as_good_says_when_it_is_ready() {
        let figures = [
            figure("a", 6000, "vae", 60.0, [49.0, 49.0], 61.0),
            figure("a", 6000, "gan", 60.0, [10.0, 10.0], 60.0),
            figure("a", 6000, "vae", 240.0, [51.0, 51.0], 240.0),
            figure("a", 6000, "gan", 240.0, [63.0, 63.0], 240.0),
        ];
        let (text, _) = table(&figures);
        assert!(text.contains("fidelity: 51.0, coverage: 51.0, ready_secs: 61.0"), "{text}");
        assert!(text.contains("fidelity: 63.0, coverage: 63.0, ready_secs: 240.0"), "{text}");
    }

    #[test]
    fn cells_wait_for_every_family() {
        let (text, notes) = table(&[figure("a", 6000, "vae", 60.0, [50.0, 50.0], 60.0)]);
        assert!(!text.contains("Cell {"), "{text}");
        assert!(notes[0].ends_with("left out, families are missing on every data set"), "{notes:?}");
    }

    #[test]
    fn a_data_set_that_is_half_measured_leaves_the_others() {
        let figures = [
            figure("a", 6000, "vae", 60.0, [50.0, 50.0], 60.0),
            figure("a", 6000, "gan", 60.0, [20.0, 20.0], 60.0),
            figure("b", 6000, "gan", 60.0, [90.0, 90.0], 60.0),
        ];
        let (text, _) = table(&figures);
        assert!(text.contains("fidelity: 50.0") && text.contains("fidelity: 20.0"), "{text}");
    }

    #[test]
    fn copies_do_not_count_and_newer_trainings_do() {
        let mut copier = figure("a", 6000, "gan", 60.0, [90.0, 90.0], 60.0);
        if let Some(trial) = &mut copier.trial {
            trial.dials.insert("novelty".to_owned(), 10.0);
            assert_eq!(score(trial), 0.0);
        }
        let figures = [
            copier,
            figure("a", 6000, "vae", 60.0, [10.0, 10.0], 60.0),
            figure("a", 6000, "vae", 60.0, [40.0, 40.0], 60.0),
        ];
        let (text, _) = table(&figures);
        assert!(text.find("Family::Vae") < text.find("Family::Gan"), "{text}");
        assert!(!text.contains("fidelity: 10.0"), "{text}");
    }

    #[test]
    fn bounds_are_powers() {
        assert_eq!([bound(0, 10), bound(10, 10), bound(11, 10), bound(57_000, 10)], [10, 10, 100, 100_000]);
        assert_eq!([bound(28, 2), bound(64, 2)], [32, 64]);
    }

    #[test]
    fn the_file_is_that_of_the_results() -> Result<()> {
        let path = root().join(FILE);
        let file = fs::read_to_string(&path).map_err(at(&path))?;
        let (text, _) = table(&figures()?);
        let plain = |text: &str| text.replace(|c: char| c.is_whitespace() || c == ',', "");
        assert_eq!(plain(&file), plain(&text), "`cargo xtask generate defaults` makes {FILE} again");
        Ok(())
    }
}
