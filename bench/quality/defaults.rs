//! What the defaults of `mintage train` are chosen by: every family that suits a kind of data, in several sizes and budgets
//! of time, on several data sets, judged as `mintage evaluate` does. One line a training, called SET/FAMILY/SIZE/BUDGET.
//!
//! Trainings that are recorded are not run again without `--fresh`; `--only` chooses by parts of the name, as in
//! `--only emoji64/vqvae` or `--only small/4m`; `-s sizes=tiny,small` and `-s budgets=1m,4m` say what there is to choose from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Instant,
};

use mintage::{
    AnyData, Family, Model, Recipe, Size,
    evaluate::{Options as Judging, evaluate},
    models::defaults::Conditions,
    recipe::parse_duration,
    report::Report,
    train::resolve,
};
use serde_json::{Value, json};

use crate::{
    Options,
    sequences::russian_folder,
    training::{recipe, setup, trained},
};

/// Raised with a change after which what was measured before says nothing: all of it is measured again then.
const EDITION: u64 = 1;
const BUDGETS: &str = "1m,4m,10m";
const SIZES: &str = "tiny,small";
/// What begins the names of numbers that are recorded beside the dials.
const LIKELIHOODS: [&str; 2] = ["negative log-likelihood", "bits per dimension"];

/// Where a data set lies.
enum Place {
    /// Below the folder of the data sets.
    Data(&'static str),
    /// The folder of Fashion-MNIST, which has a flag of its own.
    Fashion,
    /// A table of the demo's database, which comes with the source.
    Demo(&'static str),
    /// Russian novels and plays, every tenth of them held out.
    RussianWorks,
}

/// A data set and how it is read.
struct Set {
    kind: &'static str,
    name: &'static str,
    place: Place,
    settings: &'static [&'static str],
}

const fn set(kind: &'static str, name: &'static str, place: Place, settings: &'static [&'static str]) -> Set {
    Set { kind, name, place, settings }
}

/// The names differ over all kinds.
const SETS: [Set; 24] = [
    set("image", "emoji64", Place::Data("images/emoji64-rgb-idx4-ubyte.gz"), &[]),
    set("image", "mnist", Place::Data("images/mnist"), &[]),
    set("image", "fashion", Place::Fashion, &[]),
    set("image", "cifar10", Place::Data("images/cifar10"), &[]),
    set("image", "demo-products", Place::Demo("products"), &["data.label=category"]),
    set("table", "adult", Place::Data("tables/adult-train.csv"), &["data.label=income"]),
    set("table", "default", Place::Data("tables/default-train.csv"), &["data.label=has_default"]),
    set("table", "shoppers", Place::Data("tables/shoppers-train.csv"), &["data.label=Revenue"]),
    set("table", "diamonds", Place::Data("tables/diamonds.csv"), &["data.label=price"]),
    set("table", "demo-census", Place::Demo("census"), &["data.label=income"]),
    set("text", "bbc", Place::Data("text/bbc-news"), &[]),
    set("text", "tinyshakespeare", Place::Data("text/tinyshakespeare.txt"), &[]),
    set("text", "russian", Place::RussianWorks, &["data.label=none"]),
    set("text", "demo-texts", Place::Demo("texts"), &["data.kind=text", "data.column=text"]),
    set("music", "jsb16", Place::Data("music/jsb16"), &["data.label=none"]),
    set("music", "jsb4", Place::Data("music/jsb4"), &["data.label=none", "data.music=grid-quarter"]),
    set("music", "pop909", Place::Data("music/pop909"), &[]),
    set("music", "demo-tunes", Place::Demo("tunes"), &[]),
    set("audio", "digits", Place::Data("audio/digits"), &[]),
    set("audio", "russian-speech", Place::Data("audio/russian"), &[]),
    set("audio", "demo-sounds", Place::Demo("sounds"), &["data.label=digit"]),
    set("video", "sprites", Place::Data("video/sprites"), &[]),
    set("video", "moving-mnist", Place::Data("video/moving-mnist"), &[]),
    set("video", "demo-clips", Place::Demo("clips"), &["data.label=action"]),
];

/// `defaults-KIND`, or `defaults` for every kind.
pub fn defaults(case: &str, options: &Options) {
    let kind = case.strip_prefix("defaults-");
    let asked = Asked::of(options);
    for set in SETS.iter().filter(|set| kind.is_none_or(|kind| kind == set.kind)) {
        set.measure(&asked, options);
    }
}

/// A family and a size in a budget of time.
#[derive(Clone, Copy)]
struct Trial {
    family: Family,
    size: Size,
    secs: f64,
}

impl Trial {
    /// Its name, part by part.
    fn parts(self, set: &Set) -> [String; 4] {
        let budget = match self.secs % 60.0 == 0.0 {
            true => format!("{}m", self.secs / 60.0),
            false => format!("{}s", self.secs),
        };
        [set.name.to_owned(), self.family.name().to_owned(), self.size.name().to_owned(), budget]
    }
}

/// What is to be measured.
struct Asked {
    budgets_secs: Vec<f64>,
    sizes: Vec<Size>,
    /// Parts that the name of a training must have.
    only: Vec<String>,
    recorded: BTreeSet<String>,
    /// The user's settings that are those of a recipe.
    settings: Vec<String>,
}

impl Asked {
    fn of(options: &Options) -> Self {
        let own = |key: &str| options.set.iter().find_map(|set| set.strip_prefix(key)?.strip_prefix('='));
        let budgets = own("budgets").unwrap_or(BUDGETS);
        let budgets_secs = match options.minutes {
            Some(minutes) => vec![minutes * 60.0],
            None => budgets.split(',').map(|text| parse_duration(text).unwrap().as_secs_f64()).collect(),
        };
        let size = |name: &str| Size::ALL.into_iter().find(|size| size.name() == name).unwrap();
        let is_of_recipe = |set: &&String| !["budgets=", "sizes="].iter().any(|own| set.starts_with(*own));
        Self {
            budgets_secs,
            sizes: own("sizes").unwrap_or(SIZES).split(',').map(size).collect(),
            only: options.only.iter().flat_map(|only| only.split('/')).map(str::to_owned).collect(),
            recorded: if options.fresh { BTreeSet::new() } else { recorded() },
            settings: options.set.iter().filter(is_of_recipe).cloned().collect(),
        }
    }

    /// What is left to do on a data set, the shortest first.
    fn left(&self, set: &Set) -> Vec<Trial> {
        let mut left = Vec::new();
        for &secs in &self.budgets_secs {
            for &size in &self.sizes {
                let trials = Family::ALL.into_iter().map(|family| Trial { family, size, secs });
                left.extend(trials.filter(|trial| {
                    let parts = trial.parts(set);
                    self.only.iter().all(|only| parts.contains(only))
                        && !self.recorded.contains(&parts.join("/"))
                }));
            }
        }
        left
    }
}

/// Names of the trainings that are recorded, of this edition.
fn recorded() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/results/quality.jsonl");
    let text = fs::read_to_string(path).unwrap_or_default();
    let name = |line: &str| {
        let figure: Value = serde_json::from_str(line).ok()?;
        let edition = figure["trial"]["edition"].as_u64()?;
        figure["metric"].as_str().filter(|_| edition == EDITION).map(str::to_owned)
    };
    text.lines().filter(|line| line.contains("\"trial\"")).filter_map(name).collect()
}

impl Set {
    /// The source; nothing where it is not there.
    fn source(&self, options: &Options) -> Option<PathBuf> {
        let there = |path: PathBuf| path.exists().then_some(path);
        match self.place {
            Place::Data(path) => there(options.data.join(path)),
            Place::Fashion => there(options.fashion.clone()),
            Place::Demo(_) => {
                there(Path::new(env!("CARGO_MANIFEST_DIR")).join("../mintage-cli/assets/demo.db"))
            }
            Place::RussianWorks => {
                let text = |name: &str| options.data.join("text").join(name);
                let is_there = |name: &str| text(name).exists() || text(&format!("{name}.xz")).exists();
                let all = ["russian-novels.txt", "russian-drama.txt"].into_iter().all(is_there);
                all.then(|| russian_folder(options))
            }
        }
    }

    fn recipe(&self, source: &Path, trial: Trial, asked: &Asked, options: &Options) -> Recipe {
        let user = Options { set: asked.settings.clone(), ..options.clone() };
        let mut recipe = recipe(source, trial.family, trial.secs / 60.0, self.settings, &user);
        recipe.model.size = trial.size;
        if let Place::Demo(table) = self.place {
            recipe.data.table = Some(table.to_owned());
        }
        if let Some(held) = source.to_str().and_then(|path| path.strip_suffix("-train.csv")) {
            recipe.data.holdout = Some(format!("{held}-test.csv"));
        }
        recipe
    }

    fn measure(&self, asked: &Asked, options: &Options) {
        let left = asked.left(self);
        let Some(first) = left.first() else { return };
        let Some(source) = self.source(options) else {
            eprintln!("{}: not there, left out", self.name);
            return;
        };
        let data = match AnyData::open(&self.recipe(&source, *first, asked, options).data) {
            Ok(data) => data,
            Err(error) => {
                eprintln!("{}: cannot be read, left out: {error}", self.name);
                return;
            }
        };
        let suits = |family: Family| {
            let trial = Trial { family, ..*first };
            resolve(&self.recipe(&source, trial, asked, options), &data).is_ok()
        };
        let families: Vec<Family> = Family::ALL.into_iter().filter(|family| suits(*family)).collect();
        for trial in left.into_iter().filter(|trial| families.contains(&trial.family)) {
            let recipe = self.recipe(&source, trial, asked, options);
            self.learn_and_judge(trial, families.len(), &recipe, &data, options);
        }
    }

    /// Prints the line of one training: of one that fails without any dials.
    fn learn_and_judge(
        &self,
        trial: Trial,
        families: usize,
        recipe: &Recipe,
        data: &AnyData,
        options: &Options,
    ) {
        let name = trial.parts(self).join("/");
        eprintln!("{name}");
        let dir = format!("defaults-{}", name.replace('/', "-"));
        // From nothing, whatever an interrupted run has left: the time is what is compared.
        let anew = Options { fresh: true, ..options.clone() };
        let model = catch_unwind(AssertUnwindSafe(|| trained(recipe, data, &dir, &anew)));
        let judged = match &model {
            Ok(model) => match judged(model, data, options) {
                Ok(report) => Some(report),
                Err(error) => {
                    eprintln!("{name}: cannot be judged: {error}");
                    return;
                }
            },
            Err(_) => None,
        };
        let how = model.as_ref().map_or_else(|_| "failed".to_owned(), |model| setup(model, options));
        println!("{}", self.line(trial, families, data, &how, model.as_ref().ok().zip(judged.as_ref())));
        drop(model);
        // Hundreds of them would fill the disk.
        let _ = fs::remove_dir_all(options.runs.join(dir));
    }

    fn line(
        &self,
        trial: Trial,
        families: usize,
        data: &AnyData,
        how: &str,
        made: Option<(&Model, &Report)>,
    ) -> Value {
        let report = made.map(|(_, report)| report);
        let dials: BTreeMap<&str, f64> = report
            .iter()
            .flat_map(|report| &report.dials)
            .map(|(name, dial)| (name.as_str(), dial.score))
            .collect();
        let metrics = report.iter().flat_map(|report| &report.metrics);
        let likelihood: BTreeMap<String, f64> = metrics
            .filter(|metric| metric.value.is_finite())
            .filter(|metric| LIKELIHOODS.iter().any(|name| metric.name.starts_with(*name)))
            .map(|metric| (format!("{} ({})", metric.name, metric.space), metric.value))
            .collect();
        let dial = |name: &str| dials.get(name).copied().unwrap_or(0.0);
        let Conditions { items, extent, .. } = Conditions::of(&data.info(), trial.secs, None);
        json!({
            "case": format!("defaults-{}", self.kind),
            "metric": trial.parts(self).join("/"),
            "value": (dial("fidelity") + dial("coverage")) / 2.0,
            "unit": "of 100, mean of fidelity and coverage",
            "better": "higher",
            "limit": null,
            "goal": null,
            "setup": how,
            "trial": {
                "kind": self.kind,
                "set": self.name,
                "items": items,
                "extent": extent,
                "family": trial.family.name(),
                "size": trial.size.name(),
                "budget_secs": trial.secs,
                "train_secs": made.map_or(trial.secs, |(model, _)| model.config.train_secs),
                "families": families,
                "edition": EDITION,
                "dials": dials,
                "likelihood": likelihood,
            },
        })
    }
}

/// The report, of which both dials that count must have a score.
fn judged(model: &Model, data: &AnyData, options: &Options) -> Result<Report, String> {
    let start = Instant::now();
    let judging = Judging { seed: 1, cache: Some(options.runs.join("encoders")), ..Judging::default() };
    let report = evaluate(model, data, &judging, &|| start.elapsed(), &mut |_| {});
    let report = report.map_err(|error| error.to_string())?;
    match ["fidelity", "coverage"].into_iter().find(|dial| !report.dials.contains_key(*dial)) {
        Some(dial) => Err(report.unmeasured.get(dial).cloned().unwrap_or_else(|| format!("no {dial}"))),
        None => Ok(report),
    }
}
