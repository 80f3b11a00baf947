//! Judging a model of rows: its metrics with ceilings, floors and intervals, and what people look at.

use std::time::Duration;

use mintage_data::{SourceSpec, Table, TableSet, table::schema::Kind};

use super::{
    super::{
        DialName, Interval, Judgement, Options, TrainedOn, compared, compared_of, evenly,
        membership::{Attacked, Knows, Suspicions, with_model},
        verdict::ATTACK,
        work,
    },
    Attack, Coverage, Detection, Frame, Judge, KnownPersons, Persons, Quality, SinglingOut, Utility, Values,
    detect, independent_columns, inference, key_uniqueness, linkability, manifold,
    neighbours::{Norm, Scale, Space, nearest},
    privacy, singling_out, utility,
    view::exhibits,
};
use crate::{
    dataset::{AnyData, thousands},
    error::Error,
    events::Event,
    model::Model,
    models::Batch,
    report::{Metric, Report},
    sample::TableRequest,
};

/// Rows on either side of a comparison, at most, unless asked otherwise.
const DEFAULT_N: usize = 20_000;
/// Resamples of averages and of AUCs.
const RESAMPLES: usize = 200;
/// Predicates that are guessed to single somebody out.
const MAX_GUESSES: usize = 1000;
/// Rows whose halves are linked and whose cells are guessed.
const MAX_TARGETS: usize = 2000;
/// Rows on either side of membership inference.
const MAX_SUSPECTED: usize = 1000;
/// Classes of a column that is taken for a label without being named.
const MAX_LABEL_CLASSES: usize = 20;
/// Held-out rows whose likelihood is taken.
const MAX_NLL_ROWS: usize = 2000;

/// The rows that are compared, as tables and as frames of one dictionary.
pub(super) struct Sets<'a> {
    pub data: &'a TableSet,
    /// Held out, drawn from the model, from the train split (ceiling), columns on their own (floor).
    pub real: Frame,
    pub new: Frame,
    pub ceiling: Frame,
    pub floor: Frame,
    pub train: Frame,
    new_table: Table,
    seed: u64,
    pub trained_on: TrainedOn,
}

/// What was found, for the page.
pub(super) struct Found {
    pub detection: Detection,
    pub quality: Quality,
    /// None where nobody knows what could be copied.
    pub privacy: Option<super::Privacy>,
    /// All that were tried; those that could not be made have no guesses.
    pub attacks: Vec<Attack>,
    pub persons: Persons,
    pub label: Option<Label>,
    /// Each rule in words, and how many new rows break it.
    pub rules: Vec<(String, usize)>,
}

/// Samples rows from `model` and judges them against the holdout of `data`, which it learned from.
///
/// # Errors
/// Too few rows are held out, the model is not one of tables, or the table lacks a column.
pub fn evaluate(
    model: &Model,
    data: &TableSet,
    options: &Options,
    clock: &dyn Fn() -> Duration,
    on: &mut dyn FnMut(Event),
) -> Result<Report, Error> {
    let n = compared(options, DEFAULT_N, data.splits(), "row")?;
    let start = clock();
    let request = TableRequest { n, seed: options.seed, ..TableRequest::default() };
    let new = model.sample_rows(&request, &mut |done, total| on(work("drawing new rows", done, total)))?;
    let per_sec = n as f64 / (clock() - start).as_secs_f64().max(1e-9);
    let (judged, utility) = judgement(data, new, &model.config.source, Some(model), options, on)?;
    let mut report = judged.report(model, per_sec);
    if let Some(measured) = utility {
        report.says_what_is_measured(DialName::Utility, measured);
    }
    Ok(report)
}

/// Judges rows that another program made, read as those of `data` are, which `spec` names; with what utility is measured by.
pub(in crate::evaluate) fn judge_others(
    data: &TableSet,
    new: &TableSet,
    spec: &SourceSpec,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<(Judgement, Option<String>), Error> {
    let chosen = compared_of(new.len(), options, DEFAULT_N, data.splits(), "row")?;
    judgement(data, new.table().select(&chosen), spec, None, options, on)
}

/// Of new rows that `model` made, or another program.
fn judgement(
    data: &TableSet,
    new: Table,
    spec: &SourceSpec,
    model: Option<&Model>,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<(Judgement, Option<String>), Error> {
    on(work("reading rows", 0, 1));
    let n = new.rows();
    let sets = Sets { trained_on: options.trained_on, ..Sets::of(data, new, n, options.seed)? };
    let (mut metrics, found) = sets.judged(spec, on);
    if let Some(model) = model {
        likelihood(model, data, options, on, &mut metrics);
    }
    let exhibits = exhibits(&sets, &found, &metrics, model.is_some());
    let utility = found.label.map(|label| label.in_words(&sets.real, model.is_some()));
    let judgement = Judgement {
        item: "row".to_owned(),
        data: AnyData::describe_table(data),
        n,
        seed: options.seed,
        trained_on: options.trained_on,
        metrics,
        exhibits,
    };
    Ok((judgement, utility))
}

/// Judges rows that any generator made by all that needs no model.
pub(in crate::evaluate) fn judge(
    data: &TableSet,
    new: Table,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<Metric>, Error> {
    let n = compared(options, new.rows(), data.splits(), "row")?;
    let sets = Sets { trained_on: options.trained_on, ..Sets::of(data, new, n, options.seed)? };
    Ok(sets.judged(&SourceSpec::default(), on).0)
}

impl<'a> Sets<'a> {
    /// The numbers that need nothing but rows of what `spec` names.
    fn judged(&self, spec: &SourceSpec, on: &mut dyn FnMut(Event)) -> (Vec<Metric>, Found) {
        let mut metrics = Vec::new();
        let detection = c2st(self, on, &mut metrics);
        let quality = fidelity(self, on, &mut metrics);
        coverage(self, on, &mut metrics);
        let known = self.trained_on != TrainedOn::Unknown;
        let (privacy, attacks) = known.then(|| new_or_copied(self, on, &mut metrics)).unzip();
        let attacks = attacks.unwrap_or_default();
        let persons = if known { given_away(self, spec, &mut metrics) } else { Persons::default() };
        let label = utility_of_label(self, spec.label.as_deref(), on, &mut metrics);
        valid_keys(self, &mut metrics);
        let rules = self.data.codec().rules.check(&self.new_table, self.data.table());
        (metrics, Found { detection, quality, privacy, attacks, persons, label, rules })
    }

    /// Beside rows that were made already, with `n` real ones.
    fn of(data: &'a TableSet, new: Table, n: usize, seed: u64) -> Result<Self, Error> {
        let (table, splits) = (data.table(), data.splits());
        let train = table.select(&splits.train);
        let real = table.select(&evenly(&splits.holdout, n));
        let ceiling = table.select(&evenly(&splits.train, n));
        let floor = independent_columns(&train, n, seed);
        let [real, new_frame, ceiling, floor, train] =
            Frame::together([&real, &new, &ceiling, &floor, &train], data.schema())?;
        Ok(Self {
            data,
            real,
            new: new_frame,
            ceiling,
            floor,
            train,
            new_table: new,
            seed,
            trained_on: TrainedOn::Train,
        })
    }
}

/// The two-sample test of trees and of a linear judge.
fn c2st(sets: &Sets, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) -> Detection {
    on(work("training the detector", 0, 4));
    let against = |new: &Frame, judge: Judge| detect(&sets.real, new, judge, sets.seed, RESAMPLES);
    let found = against(&sets.new, Judge::Trees);
    on(work("training the detector", 1, 4));
    let metric = |space: &str, judge: Judge, auc: Interval| {
        let [ceiling, floor] = [&sets.ceiling, &sets.floor].map(|frame| against(frame, judge).auc);
        // Below 0.5 is chance as well: a detector that is wrong more often than right knows nothing.
        Metric::lower("C2ST AUC", space, auc).within(0.0, 1.0).between(ceiling.at_least(0.5), floor)
    };
    metrics.push(metric("boosted trees", Judge::Trees, found.auc).moving(DialName::Fidelity));
    on(work("training the detector", 3, 4));
    let linear = against(&sets.new, Judge::Logistic).auc;
    metrics.push(metric("logistic regression", Judge::Logistic, linear));
    on(work("training the detector", 4, 4));
    found
}

/// Columns and pairs of columns, as SDMetrics takes them.
fn fidelity(sets: &Sets, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) -> Quality {
    on(work("comparing columns", 0, 1));
    let found = Quality::of(&sets.real, &sets.new);
    let trend = |frame: &Frame| {
        let of = |rows: &[usize]| Quality::of(&sets.real, &frame.select(rows)).trend();
        Interval::of_costly(frame.rows(), sets.seed, of)
    };
    let shapes: Vec<f64> = found.shapes.iter().copied().filter(|s| !s.is_nan()).collect();
    let trends: Vec<f64> = found.trends.iter().map(|t| t.score).filter(|s| !s.is_nan()).collect();
    let metric = |name: &str, items: &[f64]| {
        let value = Interval::of_mean(items, RESAMPLES, sets.seed);
        (!items.is_empty()).then(|| Metric::higher(name, "SDMetrics", value).within(0.0, 1.0))
    };
    // Columns drawn on their own have the best shapes of all: they have no place on a dial.
    metrics.extend(metric("column shapes", &shapes).map(|metric| metric.between(1.0, 0.0)));
    metrics.extend(metric("pair trends", &trends).map(|metric| {
        let metric = metric.between(trend(&sets.ceiling), trend(&sets.floor));
        metric.moving(DialName::Fidelity).about("how columns go together")
    }));
    on(work("comparing columns", 1, 1));
    found
}

/// Modes, ranges and categories.
fn coverage(sets: &Sets, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) {
    on(work("searching for neighbours", 0, 1));
    let mut add = |name: &str, pick: &(dyn Fn(&super::Manifold) -> f64 + Sync), dial: Option<DialName>| {
        let [found, best, worst] = [&sets.new, &sets.ceiling, &sets.floor].map(|frame| {
            let of = |rows: &[usize]| pick(&manifold(&sets.real, &frame.select(rows)));
            Interval::of_costly(frame.rows(), sets.seed, of)
        });
        let metric = Metric::higher(name, "synthcity, naive", found).within(0.0, 1.0);
        metrics.push(metric.between(best, worst).moving(dial));
    };
    add("α-precision", &|m| m.alpha_precision, None);
    add("β-recall", &|m| m.beta_recall, Some(DialName::Coverage));
    let mut add = |name: &str, pick: &(dyn Fn(&Coverage) -> f64 + Sync), dial: Option<DialName>| {
        let [found, best] = [&sets.new, &sets.ceiling].map(|frame| {
            let of = |rows: &[usize]| pick(&Coverage::of(&sets.real, &frame.select(rows)));
            Interval::of_costly(frame.rows(), sets.seed, of)
        });
        if !found.value.is_nan() {
            let metric = Metric::higher(name, "columns", found).within(0.0, 1.0);
            metrics.push(metric.between(best, 0.0).moving(dial));
        }
    };
    add("category coverage", &Coverage::mean_category, Some(DialName::Coverage));
    add("range coverage", &Coverage::mean_range, None);
    add("boundary adherence", &Coverage::mean_adherence, None);
    on(work("searching for neighbours", 1, 1));
}

/// Copies, near copies and attacks. Here the floor is a model that recites.
fn new_or_copied(
    sets: &Sets,
    on: &mut dyn FnMut(Event),
    metrics: &mut Vec<Metric>,
) -> (super::Privacy, Vec<Attack>) {
    on(work("searching for copies", 0, 1));
    let found = privacy(&sets.new, &sets.train, &sets.real, sets.seed);
    let of_real = privacy(&sets.real, &sets.train, &sets.real, sets.seed);
    let mean = |items: &[f64]| Interval::of_mean(items, RESAMPLES, sets.seed);
    let mut add = |name: &str, items: &[f64], ceiling: Interval| {
        let metric = Metric::lower(name, "whole rows", mean(items)).within(0.0, 1.0);
        metrics.push(metric.between(ceiling, 1.0).moving(DialName::Novelty));
    };
    let exact = |privacy: &super::Privacy| -> Vec<f64> {
        privacy.exact.iter().map(|&yes| f64::from(u8::from(yes))).collect()
    };
    add("exact copies", &exact(&found), mean(&exact(&of_real)));
    if sets.trained_on == TrainedOn::Train {
        add("closer to train than to holdout", &found.closer, Interval::of_chance(sets.real.rows()));
    }
    let near = Metric::lower("near copies", "whole rows", found.near_share(0.05)).within(0.0, 1.0);
    metrics.push(near.between(0.05, 1.0));
    if sets.trained_on != TrainedOn::Train {
        on(work("searching for copies", 1, 1));
        return (found, Vec::new());
    }
    let attacks = attacked(sets);
    for (attack, recited, tried) in attacks.iter().filter(|(attack, ..)| attack.guesses > 0) {
        // A risk that may as well be none is none; a scale that is no wider than that says nothing. The highest of many
        // lies higher by chance: an interval of all of them is wider (Bonferroni, and the tail of the normal distribution).
        let wider = (1.96f64.powi(2) + 2.0 * (*tried as f64).ln()).sqrt() / 1.96;
        let margin = wider * (attack.risk.high - attack.risk.value);
        let (low, high) = match attack.gives_away() {
            true => (attack.risk.low, margin),
            false => (0.0, margin.max(attack.risk.value)),
        };
        let none = Interval { value: 0.0, low: 0.0, high };
        let metric = Metric::lower(&attack.name, ATTACK, Interval { low, ..attack.risk }).within(0.0, 1.0);
        metrics.push(metric.between(none, *recited).moving(DialName::Novelty));
    }
    let suspected = |new: &Frame| suspected(&sets.train, &sets.real, new);
    let recited = suspected(&sets.ceiling).auc();
    let knows = Knows::NewItems("density of rows");
    metrics.extend(suspected(&sets.new).metrics(knows, Some(recited), sets.seed));
    on(work("searching for copies", 1, 1));
    (found, attacks.into_iter().map(|(attack, ..)| attack).collect())
}

/// Training rows, and then held-out ones, by how much nearer new rows are to each than other held-out ones.
fn suspected(train: &Frame, holdout: &Frame, new: &Frame) -> Suspicions {
    let all = |frame: &Frame| (0..frame.rows() as u32).collect::<Vec<_>>();
    let attacked = Attacked::of(&all(train), &all(holdout), MAX_SUSPECTED);
    let of =
        |frame: &Frame, rows: &[u32]| frame.select(&rows.iter().map(|&row| row as usize).collect::<Vec<_>>());
    let known = of(holdout, &attacked.known);
    let space = Space::of(train, &[holdout, new], Scale::Standard);
    let distances = |rows: Frame| -> Vec<(f32, f32)> {
        let to = |base: &Frame| nearest(&space.points(&rows), &space.points(base), Norm::Absolute);
        to(new).iter().zip(to(&known)).map(|(new, real)| (new.distance, real.distance)).collect()
    };
    let members = distances(of(train, &attacked.members));
    Suspicions::by_density(&members, &distances(of(holdout, &attacked.others)))
}

/// Values that point at a person. Here too the floor is a model that recites.
fn given_away(sets: &Sets, spec: &SourceSpec, metrics: &mut Vec<Metric>) -> Persons {
    let known = KnownPersons::of(sets.data, spec);
    let found = known.within(&sets.new_table);
    if !found.rows.is_empty() {
        let real = sets.data.table().select(&evenly(&sets.data.splits().holdout, sets.real.rows()));
        let sure = |persons: &Persons| Interval::of_mean(&persons.rows, RESAMPLES, sets.seed);
        let ceiling = sure(&known.within(&real));
        let metric = Metric::lower("rows with a value of a person", "columns of persons", sure(&found));
        metrics.push(metric.within(0.0, 1.0).between(ceiling, 1.0).moving(DialName::Novelty));
    }
    found
}

/// The attacks, each with the risk if the new rows were training rows: as there are seldom
/// as many new rows as training rows, not all of those could be recited, and it is less than 1. Of inference it
/// is the column at the highest risk, with the number of columns that were tried.
fn attacked(sets: &Sets) -> Vec<(Attack, f64, usize)> {
    let (train, holdout, seed) = (&sets.train, &sets.real, sets.seed);
    let [(out_of_new, cells_of_new), (out_of_train, cells_of_train)] =
        [&sets.new, &sets.ceiling].map(|new| {
            let out = |mode| singling_out(train, holdout, new, mode, MAX_GUESSES, seed);
            let linked = linkability(train, holdout, new, MAX_TARGETS, seed);
            let attacks = [out(SinglingOut::Univariate), out(SinglingOut::Multivariate), linked];
            (attacks, inference(train, holdout, new, MAX_TARGETS, seed))
        });
    let recited = out_of_train.map(|attack| attack.risk.value);
    let mut attacks: Vec<(Attack, f64, usize)> =
        out_of_new.into_iter().zip(recited).map(|(attack, recited)| (attack, recited, 1)).collect();
    attacks.push(match cells_of_new.highest {
        Some(highest) => {
            let same = cells_of_train.columns.iter().find(|of| of.name == highest.name);
            let recited = same.map_or(1.0, |of| of.risk.value);
            let name = format!("inference of {}", highest.name);
            (Attack { name, ..highest }, recited, cells_of_new.columns.len().max(1))
        }
        None => (Attack::not_made("inference"), 1.0, 1),
    });
    attacks
}

/// Train on synthetic, test on real (Esteban et al., arXiv:1706.02633), against train on real.
fn utility_of_label(
    sets: &Sets,
    named: Option<&str>,
    on: &mut dyn FnMut(Event),
    metrics: &mut Vec<Metric>,
) -> Option<Label> {
    let label = Label::of(&sets.real, named)?;
    on(work("training on new rows", 0, 3));
    let learn = |frame: &Frame| utility(frame, &sets.real, &sets.train, label.column, sets.seed, RESAMPLES);
    let found = learn(&sets.new);
    on(work("training on real rows", 1, 3));
    let best = learn(&sets.ceiling);
    on(work("training on trivial rows", 2, 3));
    let worst = learn(&sets.floor);
    let name = &sets.real.columns[label.column].name;
    let mut add = |what: &str, [value, ceiling, floor]: [Interval; 3], dial: Option<DialName>| {
        let name = format!("{what} of {name} on real rows, trained on new");
        let least = if what == "R²" { f64::NEG_INFINITY } else { 0.0 };
        let metric = Metric::higher(&name, "boosted trees", value).within(least, 1.0);
        metrics.push(metric.between(ceiling, floor).moving(dial));
    };
    let nothing = Interval::certain(0.0);
    match (found, best, worst) {
        (Some(Utility::Number { r2 }), Some(Utility::Number { r2: best }), worst) => {
            let floor = match worst {
                Some(Utility::Number { r2 }) => r2.at_least(0.0),
                _ => nothing,
            };
            add("R²", [r2, best, floor], Some(DialName::Utility));
        }
        (Some(Utility::Category { auc, f1 }), Some(Utility::Category { auc: a, f1: f }), worst) => {
            let (low, low_f1) = match worst {
                Some(Utility::Category { auc, f1 }) => (auc.at_least(0.5), f1),
                _ => (Interval::certain(0.5), nothing),
            };
            add("AUC", [auc, a, low], Some(DialName::Utility));
            add("F1", [f1, f, low_f1], None);
        }
        _ => {}
    }
    on(work("training on trivial rows", 3, 3));
    Some(label)
}

/// The column that usefulness is measured by, and why it is this one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Label {
    column: usize,
    why: &'static str,
}

impl Label {
    /// The named column, or the last with a few classes, or the last.
    fn of(frame: &Frame, named: Option<&str>) -> Option<Self> {
        let columns = &frame.columns;
        let classes = |at: &usize| match &columns[*at].values {
            Values::Categories { dictionary, .. } => (2..=MAX_LABEL_CLASSES).contains(&dictionary.len()),
            Values::Numbers(_) => false,
        };
        let because = |why| move |column| Self { column, why };
        let named = named.and_then(|name| frame.position(name));
        let found = named.map(because(WHY_NAMED));
        let found = found.or_else(|| (0..columns.len()).rev().find(classes).map(because(WHY_FEW_VALUES)));
        let found = found.or_else(|| columns.len().checked_sub(1).map(because(WHY_LAST)));
        found.filter(|_| columns.len() > 1)
    }

    /// "the column income of 100 held-out rows, predicted by trees that learned from new rows (named by --label)".
    fn in_words(self, frame: &Frame, of_model: bool) -> String {
        let (n, name) = (thousands(frame.rows()), &frame.columns[self.column].name);
        let (why, real) = match of_model {
            true => (self.why.to_owned(), "held-out"),
            false => (self.why.replace("`train --label", "`--label"), "real"),
        };
        format!("the column {name} of {n} {real} rows, predicted by trees that learned from new rows ({why})")
    }
}

/// Why a column is predicted: it was named.
const WHY_NAMED: &str = "named by --label";
/// Why a column is predicted: it has few values.
const WHY_FEW_VALUES: &str =
    "the last column with 2 to 20 different values; `train --label COLUMN` names another";
/// Why a column is predicted: no other reason.
const WHY_LAST: &str =
    "the last column, as none has 2 to 20 different values; `train --label COLUMN` names another";

/// Identifiers that must be unique.
fn valid_keys(sets: &Sets, metrics: &mut Vec<Metric>) {
    let schema = sets.data.schema();
    let keys = schema.columns.iter().filter(|column| column.kind == Kind::Id);
    let unique: Vec<f64> =
        keys.filter_map(|key| sets.new_table.column(&key.name)).map(key_uniqueness).collect();
    if !unique.is_empty() {
        let value = Interval::of_mean(&unique, RESAMPLES, sets.seed);
        metrics.push(Metric::higher("unique keys", "identifiers", value).within(0.0, 1.0).between(1.0, 0.0));
    }
}

/// Likelihood of held-out rows, where the family has one. It moves no dial: a good likelihood and good
/// samples are different things (Theis et al., arXiv:1511.01844).
fn likelihood(
    model: &Model,
    data: &TableSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
    metrics: &mut Vec<Metric>,
) {
    on(work("likelihood of held-out rows", 0, 1));
    let batch = Batch::Table(data.batch(&evenly(&data.splits().holdout, MAX_NLL_ROWS)));
    if let Some(nll) = model.nll(&batch, 1, options.seed) {
        let value = Interval::of_mean(&nll, RESAMPLES, options.seed);
        metrics.push(Metric::lower("negative log-likelihood", "nats a row", value));
        let members = Attacked::of(&data.splits().train, &data.splits().holdout, MAX_NLL_ROWS).members;
        metrics.extend(with_model(model, Batch::Table(data.batch(&members)), 1, &nll, options.seed));
    }
    on(work("likelihood of held-out rows", 1, 1));
}

#[cfg(test)]
mod tests {
    use super::{super::frame::testing::frame, *};

    #[test]
    fn the_label_is_named_and_says_why() {
        let table = frame(&[&[1.0, 2.0, 3.0]], &[&[0, 1, 0], &[0, 0, 0]]);
        let of = |named| Label::of(&table, named);
        let name = |column: usize| table.columns[column].name.clone();
        let first = name(0);
        assert_eq!(of(Some(&first)), Some(Label { column: 0, why: WHY_NAMED }));
        assert_eq!(of(None), Some(Label { column: 2, why: WHY_FEW_VALUES }));
        assert_eq!(of(Some("no such column")), of(None));
        let numbers = frame(&[&[1.0, 2.0], &[3.0, 4.0]], &[]);
        assert_eq!(Label::of(&numbers, None), Some(Label { column: 1, why: WHY_LAST }));
        assert_eq!(Label::of(&frame(&[&[1.0]], &[]), None), None);
        let told = Label { column: 1, why: WHY_FEW_VALUES }.in_words(&table, true);
        assert!(told.contains(&format!("the column {} of 3 held-out rows", name(1))), "{told}");
    }
}
