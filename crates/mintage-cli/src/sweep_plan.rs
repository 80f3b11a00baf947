//! The plan of a sweep, kept in `sweep.json` from before its first run begins; what is done is read off the runs' folders.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use mintage::{
    Family, Recipe, Run, Size,
    run::{RunState, SWEEP_FILE},
};
use mintage_data::real_folder;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{comparison::differs::flattened, failure::CliError, report_view, text::shell};

/// The newest format that is written and read.
const FORMAT: u32 = 1;
/// More seeds than anybody has the time for.
const MAX_SEEDS: u64 = 1000;

/// What a sweep trains, and how all of it is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub format: u32,
    /// What all runs share: the source, the budget, options. Family, size and seed are those of the run.
    pub recipe: Recipe,
    pub models: Vec<Family>,
    pub sizes: Vec<Size>,
    pub seeds: Vec<u64>,
    pub evaluate: Judging,
    /// The data in words: other ones would not compare.
    pub data: String,
}

/// How every run is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judging {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<usize>,
    pub seed: u64,
}

/// One run of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub family: Family,
    pub size: Size,
    pub seed: u64,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is nothing of it yet.
    New,
    /// It was being trained.
    Begun,
    /// It is to be judged.
    Trained,
    Judged,
}

impl Cell {
    /// "gan-tiny-2": the name of its folder in that of the sweep.
    pub fn name(self) -> String {
        format!("{}-{}-{}", self.family.name(), self.size.name(), self.seed)
    }

    /// "gan tiny, seed 2".
    pub fn words(self) -> String {
        format!("{} {}, seed {}", self.family.name(), self.size.name(), self.seed)
    }
}

impl Plan {
    pub fn new(
        recipe: Recipe,
        models: Vec<Family>,
        sizes: Vec<Size>,
        seeds: Vec<u64>,
        evaluate: Judging,
        data: String,
    ) -> Self {
        Self { format: FORMAT, recipe, models, sizes, seeds, evaluate, data }
    }

    /// Reads the plan of the sweep in `dir`.
    pub fn read(dir: &Path) -> Result<Self, CliError> {
        let path = dir.join(SWEEP_FILE);
        let text = mintage_data::read_text(&path, report_view::MAX_BYTES)?;
        let damaged = |why: String| {
            CliError::new(
                format!("{}: {why}", path.display()),
                "put back a copy of it; what was trained lies in the folders beside it",
            )
        };
        let plan: Self = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        match plan.format {
            FORMAT => Ok(plan),
            other => Err(damaged(format!("has format {other}, this version reads {FORMAT}"))),
        }
    }

    /// Writes it into `dir`, whole or not at all.
    pub fn write(&self, dir: &Path) -> Result<(), CliError> {
        let path = dir.join(SWEEP_FILE);
        mintage_data::atomic_write(&path, format!("{:#}\n", json!(self)).as_bytes())
            .map_err(CliError::io(path))
    }

    /// All runs, in the order in which they are trained: the first seed of everything before the second of anything, so
    /// that there is something to compare early.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &seed in &self.seeds {
            for &size in &self.sizes {
                cells.extend(self.models.iter().map(|&family| Cell { family, size, seed }));
            }
        }
        cells
    }

    /// The recipe of one run.
    pub fn recipe_of(&self, cell: Cell) -> Recipe {
        let mut recipe = self.recipe.clone();
        recipe.model.family = Some(cell.family);
        recipe.model.size = cell.size;
        recipe.train.seed = cell.seed;
        recipe
    }

    /// In what another plan differs, such as "train.steps: 40 in the sweep, 50 now".
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let (before, now) = (flattened(&json!(self)), flattened(&json!(now)));
        let find = |all: &[(String, String)], key: &str| {
            all.iter()
                .find(|(k, _)| k == key)
                .map_or_else(|| "not given".to_owned(), |(_, value)| value.clone())
        };
        let mut keys: Vec<&String> = before.iter().chain(&now).map(|(key, _)| key).collect();
        let mut seen = HashSet::new();
        keys.retain(|key| seen.insert(*key));
        let line = |key: &String| {
            let (was, is) = (find(&before, key), find(&now, key));
            let shown = key.strip_prefix("recipe.").unwrap_or(key);
            (was != is).then(|| format!("{shown}: {was} in the sweep, {is} now"))
        };
        keys.into_iter().filter_map(line).collect()
    }

    /// How far the run in `dir` is.
    pub fn stage(&self, dir: &Path) -> Stage {
        let Some(file) = Run::open(dir).and_then(|run| run.file()).ok() else { return Stage::New };
        if file.state != RunState::Done {
            return Stage::Begun;
        }
        let report = report_view::read(dir).filter(|_| dir.join("report.html").is_file());
        let number = |report: &serde_json::Value, key: &str| report.get(key)?.as_u64();
        let of_now = report.is_some_and(|report| {
            number(&report, "step") == Some(file.step)
                && number(&report, "seed") == Some(self.evaluate.seed)
                && self
                    .evaluate
                    .n
                    .is_none_or(|n| number(&report, "n").is_some_and(|judged| judged <= n as u64))
        });
        if of_now { Stage::Judged } else { Stage::Trained }
    }
}

/// "3" is 1, 2, 3; "4,7" is 4 and 7.
pub fn seeds(text: &str) -> Result<Vec<u64>, CliError> {
    let wrong = |why: &str| {
        let hint = "--seeds 3 stands for the seeds 1, 2 and 3; --seeds 4,7 for 4 and 7";
        CliError::new(format!("--seeds {text}: {why}"), hint)
    };
    let number = |text: &str| {
        text.trim()
            .parse::<u64>()
            .ok()
            .filter(|&n| i64::try_from(n).is_ok())
            .ok_or_else(|| wrong("is neither a number nor a list of numbers"))
    };
    let Some(list) = text.contains(',').then(|| text.split(',').filter(|part| !part.trim().is_empty()))
    else {
        return match number(text)? {
            0 => Err(wrong("there must be at least one seed")),
            n if n > MAX_SEEDS => Err(wrong("is a number of seeds, and there are 1,000 at most")),
            n => Ok((1..=n).collect()),
        };
    };
    let seeds = list.map(number).collect::<Result<Vec<u64>, _>>()?;
    if seeds.is_empty() {
        return Err(wrong("there must be at least one seed"));
    }
    match seeds.iter().collect::<HashSet<_>>().len() == seeds.len() {
        true => Ok(seeds),
        false => Err(wrong("names a seed twice")),
    }
}

/// The folder of the sweep called `name`: a path, or a folder among the runs.
pub fn find(name: &Path, runs: &Path) -> Option<PathBuf> {
    [name.to_owned(), runs.join(name)].into_iter().find(|dir| dir.join(SWEEP_FILE).is_file())
}

/// Whether a file in the folder of a sweep is of the sweep itself: its plan, what a kill left of one, the lock.
pub fn is_own_file(name: &str) -> bool {
    name == SWEEP_FILE || name == ".lock" || name.starts_with(&format!(".{SWEEP_FILE}."))
}

/// The folder for a run that is to begin: what a kill has left there before the run was one is removed, and nothing else.
pub fn cleared(sweep: &Path, cell: Cell) -> Result<PathBuf, CliError> {
    const OF_A_RUN: [&str; 4] = ["samples", ".lock", "recipe.toml", "run.json"];
    let dir = real_folder(sweep, Path::new(&cell.name())).map_err(CliError::io(sweep))?;
    for entry in fs::read_dir(&dir).map_err(CliError::io(&dir))?.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let ours = OF_A_RUN.contains(&name.as_str())
            || name.starts_with(".recipe.toml")
            || name.starts_with(".run.json");
        if !ours {
            let message = format!("{}: is there already, and belongs to no run", shell(&path));
            return Err(CliError::new(message, "take it away, or give the sweep another --name"));
        }
        // A folder with something in it stays, and the run says that it is in the way.
        let gone = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
        gone.map_err(CliError::io(&path))?;
    }
    Ok(dir)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn plan() -> Plan {
        let mut recipe = Recipe::for_source("shop.db");
        recipe.set("model.lr=0.001").unwrap();
        recipe.set("model.channels=[1, 2]").unwrap();
        recipe.set("train.steps=40").unwrap();
        let evaluate = Judging { n: Some(100), seed: 1 };
        Plan::new(recipe, vec![Family::Vae, Family::Gan], vec![Size::Tiny], vec![1, 2], evaluate, "d".into())
    }

    #[test]
    fn a_plan_survives_its_file() {
        let dir = tempfile::tempdir().unwrap();
        plan().write(dir.path()).unwrap();
        assert_eq!(Plan::read(dir.path()).unwrap(), plan());
        assert_eq!(plan().differences(&plan()), Vec::<String>::new());
        assert!(find(dir.path(), Path::new("runs")).is_some());
    }

    #[test]
    fn the_first_seed_of_everything_comes_before_the_second() {
        let names: Vec<String> = plan().cells().into_iter().map(Cell::name).collect();
        assert_eq!(names, ["vae-tiny-1", "gan-tiny-1", "vae-tiny-2", "gan-tiny-2"]);
        let recipe = plan().recipe_of(plan().cells()[3]);
        assert_eq!((recipe.model.family, recipe.train.seed), (Some(Family::Gan), 2));
    }

    #[test]
    fn another_plan_says_in_what_it_differs() {
        let mut other = plan();
        other.recipe.train.steps = None;
        other.seeds.push(3);
        assert_eq!(
            plan().differences(&other),
            ["train.steps: 40 in the sweep, not given now", "seeds: [1,2] in the sweep, [1,2,3] now"]
        );
    }

    #[test]
    fn seeds_are_a_number_or_a_list() {
        assert_eq!(seeds("3").unwrap(), [1, 2, 3]);
        assert_eq!(seeds("7, 4").unwrap(), [7, 4]);
        assert_eq!(seeds("4,").unwrap(), [4]);
        for bad in ["0", "", ",", "x", "1,1", "-1", "1001", "1..3", "2,18446744073709551615"] {
            assert!(seeds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_kill_left_is_cleared_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let cell = plan().cells()[0];
        let run = dir.path().join("vae-tiny-1");
        fs::create_dir_all(run.join("samples")).unwrap();
        fs::write(run.join("recipe.toml"), "").unwrap();
        cleared(dir.path(), cell).unwrap();
        assert_eq!(fs::read_dir(&run).unwrap().count(), 0);
        fs::write(run.join("thesis.txt"), "").unwrap();
        assert!(cleared(dir.path(), cell).is_err() && run.join("thesis.txt").exists());
    }
}
