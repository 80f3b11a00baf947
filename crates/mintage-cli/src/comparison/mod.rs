//! Runs side by side: those that differ by their seed alone are one group, with means and intervals over the seeds.
//!
//! Everything is read off the folders of the runs, so that a comparison made today and one made next year say the same.
//! What follows from a comparison is drawn by `tables` (text, CSV, LaTeX), `drawing` (SVG) and `page` (HTML).

pub mod curves;
pub mod differs;
pub mod drawing;
pub mod page;
pub mod stats;
pub mod tables;

use std::{
    cmp::Ordering,
    path::{Path, PathBuf},
};

use mintage::{
    AnyModel, Recipe, Run,
    model::{ModelConfig, name_of},
    nn::{DeviceChoice, Rng, layers::without_numbers},
    run::RunState,
};
use serde_json::{Value, json};

use crate::{
    failure::CliError,
    report_view::{self, DIALS},
};
use curves::Curve;
use stats::Summary;

/// A run or a model, as its folder says.
#[derive(Clone, Debug, Default)]
pub struct Member {
    pub name: String,
    pub dir: PathBuf,
    pub config: Value,
    pub report: Option<Value>,
    pub recipe: Option<Recipe>,
    /// Two runs with the same key differ by their seed alone.
    pub key: String,
    /// Trainable numbers of the model, and items of a step.
    pub parameters: Option<usize>,
    pub batch: Option<usize>,
    pub curves: Vec<Curve>,
}

impl Member {
    /// Reads the run in `dir`; a folder without a model is an error.
    pub fn read(dir: PathBuf) -> Result<Self, CliError> {
        let path = dir.join("config.json");
        let text = mintage_data::read_text(&path, report_view::MAX_BYTES)?;
        let config: Value =
            serde_json::from_str(&text).map_err(|e| CliError::message(format!("{}: {e}", path.display())))?;
        let built = ModelConfig::load(&dir).ok();
        let parameters = built.as_ref().and_then(|config| {
            let device = DeviceChoice::Cpu.open().ok()?;
            let rng = &mut Rng::new(0, 0);
            Some(without_numbers(|| AnyModel::new(&config.model, &config.info, &device, rng)).parameters())
        });
        let recipe = mintage_data::read_text(&dir.join("recipe.toml"), report_view::MAX_BYTES).ok();
        let recipe = recipe.and_then(|text| Recipe::parse(&text).ok());
        Ok(Self {
            name: name_of(&dir),
            report: report_view::read(&dir),
            key: key(&dir, &config, recipe.as_ref()),
            recipe,
            parameters,
            batch: built.map(|config| config.model.batch()),
            curves: curves::read(&dir),
            config,
            dir,
        })
    }

    pub fn family(&self) -> &str {
        self.config.pointer("/model/family").and_then(Value::as_str).unwrap_or("–")
    }

    pub fn size(&self) -> &str {
        self.config.get("size").and_then(Value::as_str).unwrap_or("–")
    }

    pub fn seed(&self) -> Option<u64> {
        self.config.get("seed")?.as_u64()
    }

    pub fn steps(&self) -> Option<u64> {
        self.config.get("step")?.as_u64()
    }

    /// Items that it was shown while it was trained, the same ones again counted again.
    pub fn items(&self) -> Option<u64> {
        self.steps()?.checked_mul(self.batch? as u64)
    }

    pub fn train_secs(&self) -> Option<f64> {
        self.config.get("train_secs")?.as_f64()
    }

    /// The report, unless the model was trained further since: scores of the model as it no longer is are no scores.
    pub fn scores(&self) -> Option<&Value> {
        self.report.as_ref().filter(|report| !report_view::is_stale(report, &self.config))
    }
}

/// A run of a sweep that could not be trained or judged.
#[derive(Clone, Debug)]
pub struct Failed {
    pub family: String,
    pub size: String,
    pub seed: u64,
    pub why: String,
}

/// Runs that differ by their seed alone.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub label: String,
    pub family: String,
    pub size: String,
    /// By seed.
    pub members: Vec<Member>,
    pub failed: Vec<Failed>,
}

/// A raw number of a report: what it is called, the space it was taken in, which way is better.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricName {
    pub name: String,
    pub space: String,
    pub lower_is_better: bool,
}

impl MetricName {
    /// "↓", or "↑".
    pub fn arrow(&self) -> &'static str {
        if self.lower_is_better { "↓" } else { "↑" }
    }
}

impl Group {
    /// What the seeds gave by `of`.
    pub fn summary(&self, of: impl Fn(&Member) -> Option<f64>) -> Option<Summary> {
        Summary::of(self.members.iter().filter_map(of))
    }

    /// A dial over the seeds, 0 to 100.
    pub fn dial(&self, dial: &str) -> Option<Summary> {
        let found = self.summary(|member| report_view::score(member.scores()?, dial))?;
        Some(found.within(0.0, 100.0))
    }

    /// A raw number over the seeds.
    pub fn metric(&self, name: &MetricName) -> Option<Summary> {
        self.summary(|member| {
            metrics(member.scores()?).find(|(found, _)| found == name).and_then(|(_, value)| value)
        })
    }

    /// Members that have scores.
    pub fn judged(&self) -> usize {
        self.members.iter().filter(|member| member.scores().is_some()).count()
    }

    /// "62.3 ± 4.1", with at most so many digits behind the point, and from how many seeds where it is not all of them.
    pub fn text(&self, found: Option<Summary>, digits: usize) -> String {
        let Some(summary) = found else { return "–".to_owned() };
        let judged = self.judged();
        let part = if summary.n < judged { format!(" [{} of {judged}]", summary.n) } else { String::new() };
        format!("{}{part}", summary.text_of(digits))
    }

    pub fn steps(&self) -> Option<Summary> {
        self.summary(|member| member.steps().map(|steps| steps as f64))
    }

    pub fn items(&self) -> Option<Summary> {
        self.summary(|member| member.items().map(|items| items as f64))
    }

    pub fn parameters(&self) -> Option<usize> {
        self.members.first()?.parameters
    }

    pub fn train_secs(&self) -> Option<Summary> {
        self.summary(Member::train_secs)
    }

    /// "1 2 3".
    pub fn seeds(&self) -> String {
        let seed = |member: &Member| member.seed().map_or_else(|| "?".to_owned(), |seed| seed.to_string());
        self.members.iter().map(seed).collect::<Vec<_>>().join(" ")
    }

    /// How it compares with others, as single runs do.
    fn rank(&self) -> Option<[f64; 4]> {
        report_view::rank_of(|dial| self.dial(dial).map(|summary| summary.mean))
    }
}

/// The raw numbers of a report; nothing for one that could not be measured.
fn metrics(report: &Value) -> impl Iterator<Item = (MetricName, Option<f64>)> {
    let all = report.get("metrics").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|metric| {
        let word = |key: &str| metric.get(key).and_then(Value::as_str).map(str::to_owned);
        let (name, space) = (word("name")?, word("space").unwrap_or_default());
        let lower_is_better = word("better").as_deref() != Some("higher");
        Some((MetricName { name, space, lower_is_better }, metric.get("value").and_then(Value::as_f64)))
    })
}

/// Groups of runs, best first.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    pub groups: Vec<Group>,
    /// Every raw number that one of them has, as reports order them.
    pub metrics: Vec<MetricName>,
}

impl Comparison {
    pub fn of(members: Vec<Member>, failed: Vec<Failed>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for member in members {
            // The same seed twice, a model and its copy say, is no second measurement.
            let fits = |group: &Group| {
                group.members[0].key == member.key && group.members.iter().all(|m| m.seed() != member.seed())
            };
            match groups.iter_mut().find(|group| fits(group)) {
                Some(group) => group.members.push(member),
                None => groups.push(Group {
                    label: format!("{} {}", member.family(), member.size()),
                    family: member.family().to_owned(),
                    size: member.size().to_owned(),
                    members: vec![member],
                    failed: Vec::new(),
                }),
            }
        }
        groups.iter_mut().for_each(|group| group.members.sort_by_key(Member::seed));
        tell_apart(&mut groups);
        for one in failed {
            match groups.iter_mut().find(|group| group.family == one.family && group.size == one.size) {
                Some(group) => group.failed.push(one),
                None => groups.push(Group {
                    label: format!("{} {}", one.family, one.size),
                    family: one.family.clone(),
                    size: one.size.clone(),
                    members: Vec::new(),
                    failed: vec![one],
                }),
            }
        }
        groups.sort_by(|a, b| b.rank().partial_cmp(&a.rank()).unwrap_or(Ordering::Equal));
        let mut names = Vec::new();
        for report in groups.iter().flat_map(|group| &group.members).filter_map(Member::scores) {
            for (name, _) in metrics(report) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Self { groups, metrics: names }
    }

    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.groups.iter().flat_map(|group| &group.members)
    }

    /// Whether some runs differ by their seed alone.
    pub fn has_seeds(&self) -> bool {
        self.groups.iter().any(|group| group.members.len() > 1)
    }

    /// What has to be known beside the numbers: what was not measured and why, what does not compare.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for dial in DIALS {
            notes.extend(self.unmeasured(dial));
        }
        if self.groups.iter().any(|group| group.members.len() == 1) && self.has_seeds() {
            notes.push("a model of 1 seed has no deviation and no interval".to_owned());
        }
        let mut judged = self.members().filter_map(Member::scores).map(|r| [r.get("n"), r.get("seed")]);
        if let Some(first) = judged.next()
            && judged.any(|other| other != first)
        {
            notes.push(
                "they were judged with different numbers of items or different seeds: scores compare only roughly"
                    .to_owned(),
            );
        }
        for member in self.members().filter(|member| member.scores().is_none()) {
            let what = if member.report.is_some() {
                "was trained further since its report"
            } else {
                "has no report"
            };
            notes.push(format!("{} {what}: it counts for no score", member.name));
        }
        notes.extend(self.groups.iter().flat_map(failures));
        notes
    }

    /// Why a dial has no score, or not one of every seed.
    fn unmeasured(&self, dial: &str) -> Vec<String> {
        let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
        let mut judged = 0;
        for member in self.members() {
            let Some(report) = member.scores() else { continue };
            judged += 1;
            if report_view::score(report, dial).is_some() {
                continue;
            }
            let labels =
                if dial == "utility" { "was not measured: it takes labels" } else { "was not measured" };
            let why = report_view::why_unmeasured(report, dial).unwrap_or(labels).to_owned();
            match reasons.iter_mut().find(|(reason, _)| *reason == why) {
                Some((_, names)) => names.push(member.name.clone()),
                None => reasons.push((why, vec![member.name.clone()])),
            }
        }
        let line = |(why, names): (String, Vec<String>)| match names.len() == judged {
            true => format!("{dial}: {why}"),
            false => format!("{dial} of {}: {why}", names.join(", ")),
        };
        reasons.into_iter().map(line).collect()
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let group = |group: &Group| {
            let dials = DIALS.iter().map(|dial| ((*dial).to_owned(), json!(group.dial(dial))));
            let metrics: Vec<Value> = self
                .metrics
                .iter()
                .map(|name| {
                    json!({ "name": name.name, "space": name.space,
                            "better": if name.lower_is_better { "lower" } else { "higher" },
                            "over_seeds": group.metric(name) })
                })
                .collect();
            let failed: Vec<Value> =
                group.failed.iter().map(|one| json!({ "seed": one.seed, "why": one.why })).collect();
            json!({
                "model": group.label, "family": group.family, "size": group.size,
                "runs": group.members.iter().map(|member| &member.name).collect::<Vec<_>>(),
                "seeds": group.members.iter().map(Member::seed).collect::<Vec<_>>(),
                "dials": dials.collect::<serde_json::Map<_, _>>(),
                "steps": group.steps(), "items": group.items(), "parameters": group.parameters(),
                "train_secs": group.train_secs(), "metrics": metrics, "failed": failed,
            })
        };
        Value::Array(self.groups.iter().map(group).collect())
    }
}

/// What failed of a group, a line a reason: "failed: gan tiny, seeds 1, 2: …".
fn failures(group: &Group) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for Failed { seed, why, .. } in &group.failed {
        match reasons.iter_mut().find(|(reason, _)| reason == why) {
            Some((_, seeds)) => seeds.push(seed.to_string()),
            None => reasons.push((why, vec![seed.to_string()])),
        }
    }
    let line = |(why, seeds): (&str, Vec<String>)| {
        let word = if seeds.len() == 1 { "seed" } else { "seeds" };
        format!("failed: {} {}, {word} {}: {why}", group.family, group.size, seeds.join(", "))
    };
    reasons.into_iter().map(line).collect()
}

/// Names the first run of groups that family and size do not tell apart.
fn tell_apart(groups: &mut [Group]) {
    let labels: Vec<String> = groups.iter().map(|group| group.label.clone()).collect();
    for group in groups {
        if labels.iter().filter(|label| **label == group.label).count() > 1 {
            group.label = format!("{} ({})", group.label, group.members[0].name);
        }
    }
}

/// All that makes a run what it is but its seed: data, model, budget, and whether the budget was used up.
fn key(dir: &Path, config: &Value, recipe: Option<&Recipe>) -> String {
    let run = Run::open(dir).ok();
    let done = run.as_ref().and_then(|run| run.file().ok()).is_none_or(|file| file.state == RunState::Done);
    let train = recipe.map(|recipe| {
        let mut train = recipe.train.clone();
        train.seed = 0;
        json!(train)
    });
    let part = |key: &str| config.get(key).cloned().unwrap_or_default();
    json!([done, train, part("model"), part("size"), part("info"), part("source")]).to_string()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A run as its folder would say.
    pub fn member(family: &str, seed: u64, fidelity: Option<f64>) -> Member {
        let dials = match fidelity {
            Some(score) => json!({ "fidelity": { "score": score }, "novelty": { "score": 90.0 } }),
            None => json!({}),
        };
        let report = json!({
            "step": 10, "n": 100, "seed": 1, "dials": dials,
            "unmeasured": { "utility": "cannot be measured with 24 held-out rows" },
            "metrics": [{ "name": "C2ST AUC", "space": "boosted trees", "better": "lower",
                          "value": fidelity.map(|f| 1.0 - f / 200.0) }],
        });
        Member {
            name: format!("{family}-{seed}"),
            config: json!({ "model": { "family": family }, "size": "tiny", "seed": seed, "step": 10, "train_secs": 2.5 }),
            report: Some(report),
            key: family.to_owned(),
            parameters: Some(1234),
            batch: Some(64),
            ..Member::default()
        }
    }

    pub fn comparison() -> Comparison {
        let failed =
            Failed { family: "flow".into(), size: "tiny".into(), seed: 1, why: "does not work".into() };
        let scores = [("vae", 1, 40.0), ("gan", 2, 80.0), ("vae", 2, 44.0), ("gan", 1, 82.0)];
        let members = scores.map(|(family, seed, score)| member(family, seed, Some(score)));
        Comparison::of(members.to_vec(), vec![failed])
    }

    #[test]
    fn runs_that_differ_by_their_seed_are_one_group() {
        let found = comparison();
        let labels: Vec<(&str, String)> =
            found.groups.iter().map(|g| (g.label.as_str(), g.seeds())).collect();
        // Best first, and last what has no score.
        assert_eq!(
            labels,
            [("gan tiny", "1 2".into()), ("vae tiny", "1 2".into()), ("flow tiny", String::new())]
        );
        let gan = found.groups[0].dial("fidelity").map(|s| (s.n, s.mean));
        assert_eq!(gan, Some((2, 81.0)));
        assert_eq!(found.groups[0].items().map(|s| s.mean), Some(640.0));
        assert!(found.has_seeds());
    }

    #[test]
    fn what_cannot_be_measured_says_why_and_is_no_number() {
        let mut members = vec![member("gan", 1, Some(50.0)), member("gan", 2, None)];
        members[1].config["step"] = 10.into();
        let found = Comparison::of(members, Vec::new());
        assert_eq!(found.groups[0].dial("fidelity").map(|s| (s.n, s.sd)), Some((1, None)));
        assert_eq!(found.groups[0].dial("utility"), None);
        let notes = found.notes().join("\n");
        assert!(notes.contains("utility: cannot be measured with 24 held-out rows"), "{notes}");
        assert!(notes.contains("fidelity of gan-2: was not measured"), "{notes}");
    }

    #[test]
    fn scores_of_a_model_that_was_trained_further_do_not_count() {
        let mut one = member("gan", 1, Some(50.0));
        one.config["step"] = 99.into();
        let found = Comparison::of(vec![one], Vec::new());
        assert_eq!(found.groups[0].dial("fidelity"), None);
        assert!(
            found.notes()[0].contains("gan-1 was trained further since its report"),
            "{:?}",
            found.notes()
        );
    }

    #[test]
    fn groups_of_the_same_family_and_size_are_told_apart() {
        let mut other = member("gan", 1, Some(50.0));
        "with another width".clone_into(&mut other.key);
        "wide".clone_into(&mut other.name);
        let found = Comparison::of(vec![member("gan", 1, Some(60.0)), other], Vec::new());
        assert_eq!(found.groups[1].label, "gan tiny (wide)");
    }
}
