//! Judging a model of rows: its metrics with ceilings, floors and intervals, and what people look at.

use std::time::Duration;

use mintage_data::{Table, TableSet, table::schema::Kind};

use super::{
    super::{DialName, Interval, Options, compared, dials, evenly, work},
    Attack, Coverage, Detection, Frame, Judge, Quality, SinglingOut, Utility, Values, detect,
    independent_columns, inference, key_uniqueness, linkability, manifold, privacy, singling_out, utility,
    view::exhibits,
};
use crate::{
    dataset::AnyData,
    error::Error,
    events::Event,
    model::Model,
    models::Batch,
    report::{Metric, Report},
    sample::RowRequest,
};

/// Rows on either side of a comparison, at most, unless asked otherwise.
const DEFAULT_N: usize = 20_000;
/// Resamples of averages and of AUCs.
const RESAMPLES: usize = 200;
/// Predicates that are guessed to single somebody out.
const GUESSES: usize = 1000;
/// Rows whose halves are linked and whose cells are guessed.
const TARGETS: usize = 2000;
/// Classes of a column that is taken for a label without being named.
const LABEL_CLASSES: usize = 20;
/// Held-out rows whose likelihood is taken.
const NLL_ROWS: usize = 2000;

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
    rows_per_sec: f64,
}

/// What was found, for the page.
pub(super) struct Found {
    pub detection: Detection,
    pub quality: Quality,
    pub privacy: super::Privacy,
    /// Each rule in words, and how many new rows break it.
    pub rules: Vec<(String, usize)>,
}

/// Draws from `model` and judges the rows against the holdout of `data`.
pub fn evaluate(
    model: &Model,
    data: &TableSet,
    options: &Options,
    clock: &dyn Fn() -> Duration,
    on: &mut dyn FnMut(Event),
) -> Result<Report, Error> {
    let sets = Sets::gather(model, data, options, clock, on)?;
    let mut metrics = Vec::new();
    let detection = detected(&sets, on, &mut metrics);
    let quality = alike(&sets, on, &mut metrics);
    reached(&sets, on, &mut metrics);
    let privacy = new_or_copied(&sets, on, &mut metrics);
    useful(&sets, model, on, &mut metrics);
    valid_keys(&sets, &mut metrics);
    likelihood(model, data, options, on, &mut metrics);
    let rules = data.codec().rules.check(&sets.new_table, data.table());
    let found = Found { detection, quality, privacy, rules };
    Ok(Report {
        format: 1,
        item: "row".to_owned(),
        model: model.name(),
        family: model.config.model.family().name().to_owned(),
        size: model.config.size.name().to_owned(),
        source: model.config.source.source.clone(),
        data: AnyData::describe_table(data),
        n: sets.new.rows(),
        seed: options.seed,
        items_per_sec: sets.rows_per_sec,
        train_secs: model.config.train_secs,
        dials: dials(&metrics),
        metrics,
        exhibits: exhibits(&sets, &found),
    })
}

impl<'a> Sets<'a> {
    fn gather(
        model: &Model,
        data: &'a TableSet,
        options: &Options,
        clock: &dyn Fn() -> Duration,
        on: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        let splits = data.splits();
        let n = compared(options, DEFAULT_N, splits, "row")?;
        let start = clock();
        let request = RowRequest { n, seed: options.seed, ..RowRequest::default() };
        let new =
            model.sample_rows(&request, &mut |done, total| on(work("drawing new rows", done, total)))?;
        let rows_per_sec = n as f64 / (clock() - start).as_secs_f64().max(1e-9);
        on(work("reading rows", 0, 1));
        let table = data.table();
        let train = table.select(&splits.train);
        let real = table.select(&evenly(&splits.holdout, n));
        let ceiling = table.select(&evenly(&splits.train, n));
        let floor = independent_columns(&train, n, options.seed);
        let [real, new_frame, ceiling, floor, train] =
            Frame::together([&real, &new, &ceiling, &floor, &train], data.schema())?;
        let seed = options.seed;
        Ok(Self { data, real, new: new_frame, ceiling, floor, train, new_table: new, seed, rows_per_sec })
    }
}

/// The two-sample test of trees and of a linear judge.
fn detected(sets: &Sets, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) -> Detection {
    on(work("training the detector", 0, 4));
    let against = |new: &Frame, judge: Judge| detect(&sets.real, new, judge, sets.seed, RESAMPLES);
    let found = against(&sets.new, Judge::Trees);
    on(work("training the detector", 1, 4));
    let ends = |judge: Judge| {
        // Below 0.5 is chance as well: a detector that is wrong more often than right knows nothing.
        let auc = |new: &Frame| against(new, judge).auc.value;
        (Some(auc(&sets.ceiling).max(0.5)), Some(auc(&sets.floor)))
    };
    let trees = ends(Judge::Trees);
    on(work("training the detector", 3, 4));
    metrics.push(Metric::new("C2ST AUC", "boosted trees", found.auc, trees, DialName::Fidelity));
    let linear = against(&sets.new, Judge::Logistic).auc;
    metrics.push(Metric::new("C2ST AUC", "logistic regression", linear, ends(Judge::Logistic), None));
    on(work("training the detector", 4, 4));
    found
}

/// Columns and pairs of columns, as SDMetrics takes them.
fn alike(sets: &Sets, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) -> Quality {
    on(work("comparing columns", 0, 1));
    let [found, best, worst] =
        [&sets.new, &sets.ceiling, &sets.floor].map(|frame| Quality::of(&sets.real, frame));
    let shapes: Vec<f64> = found.shapes.iter().copied().filter(|s| !s.is_nan()).collect();
    let trends: Vec<f64> = found.trends.iter().map(|t| t.score).filter(|s| !s.is_nan()).collect();
    let mut add = |name: &str, items: &[f64], best: f64, worst: f64, dial: Option<DialName>| {
        if !items.is_empty() {
            let value = Interval::of_mean(items, RESAMPLES, sets.seed);
            metrics.push(Metric::new(name, "SDMetrics", value, (Some(best), Some(worst)), dial));
        }
    };
    // Columns drawn on their own have the best shapes of all: they have no place on a dial.
    add("column shapes", &shapes, 1.0, 0.0, None);
    add("pair trends", &trends, best.trend(), worst.trend(), Some(DialName::Fidelity));
    on(work("comparing columns", 1, 1));
    found
}

/// Modes, ranges and categories.
fn reached(sets: &Sets, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) {
    on(work("searching for neighbours", 0, 1));
    let [found, best, worst] =
        [&sets.new, &sets.ceiling, &sets.floor].map(|frame| manifold(&sets.real, frame));
    let mut add = |name: &str, pick: &dyn Fn(&super::Manifold) -> f64, dial: Option<DialName>| {
        let value = Interval::certain(pick(&found));
        let ends = (Some(pick(&best)), Some(pick(&worst)));
        metrics.push(Metric::new(name, "synthcity, naive", value, ends, dial));
    };
    add("α-precision", &|m| m.alpha_precision, None);
    add("β-recall", &|m| m.beta_recall, Some(DialName::Coverage));
    let [found, best] = [&sets.new, &sets.ceiling].map(|frame| Coverage::of(&sets.real, frame));
    let mut add = |name: &str, value: f64, best: f64, dial: Option<DialName>| {
        if !value.is_nan() {
            metrics.push(Metric::new(
                name,
                "columns",
                Interval::certain(value),
                (Some(best), Some(0.0)),
                dial,
            ));
        }
    };
    add("category coverage", found.mean_category(), best.mean_category(), Some(DialName::Coverage));
    add("range coverage", found.mean_range(), best.mean_range(), None);
    add("boundary adherence", found.mean_adherence(), best.mean_adherence(), None);
    on(work("searching for neighbours", 1, 1));
}

/// Copies, near copies and attacks. Here the floor is a model that recites.
fn new_or_copied(sets: &Sets, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) -> super::Privacy {
    on(work("searching for copies", 0, 1));
    let found = privacy(&sets.new, &sets.train, &sets.real, sets.seed);
    let of_real = privacy(&sets.real, &sets.train, &sets.real, sets.seed);
    let mut add = |name: &str, items: &[f64], ceiling: f64, dial: Option<DialName>| {
        let value = Interval::of_mean(items, RESAMPLES, sets.seed);
        metrics.push(Metric::new(name, "whole rows", value, (Some(ceiling), Some(1.0)), dial));
    };
    let exact: Vec<f64> = found.exact.iter().map(|&yes| f64::from(u8::from(yes))).collect();
    add("exact copies", &exact, of_real.exact_share(), Some(DialName::Novelty));
    add("closer to train than to holdout", &found.closer, 0.5, Some(DialName::Novelty));
    let near = Interval::certain(found.near_share(0.05));
    metrics.push(Metric::new("near copies", "whole rows", near, (Some(0.05), Some(1.0)), None));
    for (attack, recited) in attacked(sets) {
        // An interval as wide as the scale says too little to move a dial.
        let dial = (attack.risk.high - attack.risk.low < recited).then_some(DialName::Novelty);
        let ends = (Some(0.0), Some(recited));
        metrics.push(Metric::new(&attack.name, "risk of an attack", attack.risk, ends, dial));
    }
    on(work("searching for copies", 1, 1));
    found
}

/// The attacks that could be made, each with the risk if the new rows were training rows: as there are seldom
/// as many new rows as training rows, not all of those could be recited, and it is less than 1. Of inference it
/// is the column at the highest risk.
fn attacked(sets: &Sets) -> Vec<(Attack, f64)> {
    let (train, holdout, seed) = (&sets.train, &sets.real, sets.seed);
    let [(out_of_new, cells_of_new), (out_of_train, cells_of_train)] =
        [&sets.new, &sets.ceiling].map(|new| {
            let out = |mode| singling_out(train, holdout, new, mode, GUESSES, seed);
            let linked = linkability(train, holdout, new, TARGETS, seed);
            let attacks = [out(SinglingOut::Univariate), out(SinglingOut::Multivariate), linked];
            (attacks, inference(train, holdout, new, TARGETS, seed))
        });
    let recited = out_of_train.map(|attack| attack.risk.value);
    let mut attacks: Vec<(Attack, f64)> = out_of_new.into_iter().zip(recited).collect();
    if let Some(highest) = cells_of_new.highest {
        let same = cells_of_train.columns.iter().find(|of| of.name == highest.name);
        let recited = same.map_or(1.0, |of| of.risk.value);
        attacks.push((Attack { name: format!("inference of {}", highest.name), ..highest }, recited));
    }
    attacks.retain(|(attack, _)| attack.guesses > 0);
    attacks
}

/// Train on synthetic, test on real (Esteban et al., arXiv:1706.02633), against train on real.
fn useful(sets: &Sets, model: &Model, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) {
    let Some(label) = label(sets, model.config.source.label.as_deref()) else { return };
    on(work("training on new rows", 0, 3));
    let learn = |frame: &Frame| utility(frame, &sets.real, &sets.train, label, sets.seed, RESAMPLES);
    let found = learn(&sets.new);
    on(work("training on real rows", 1, 3));
    let best = learn(&sets.ceiling);
    on(work("training on trivial rows", 2, 3));
    let worst = learn(&sets.floor);
    let name = &sets.real.columns[label].name;
    let mut add = |what: &str, value: Interval, ceiling: f64, floor: f64, dial: Option<DialName>| {
        let name = format!("{what} of {name} on real rows, trained on new");
        metrics.push(Metric::new(&name, "boosted trees", value, (Some(ceiling), Some(floor)), dial));
    };
    match (found, best, worst) {
        (Some(Utility::Number { r2 }), Some(Utility::Number { r2: best }), worst) => {
            let floor = match worst {
                Some(Utility::Number { r2 }) => r2.value.max(0.0),
                _ => 0.0,
            };
            add("R²", r2, best.value, floor, Some(DialName::Utility));
        }
        (Some(Utility::Category { auc, f1 }), Some(Utility::Category { auc: a, f1: f }), worst) => {
            let (low, low_f1) = match worst {
                Some(Utility::Category { auc, f1 }) => (auc.value.max(0.5), f1.value),
                _ => (0.5, 0.0),
            };
            add("AUC", auc, a.value, low, Some(DialName::Utility));
            add("F1", f1, f.value, low_f1, None);
        }
        _ => {}
    }
    on(work("training on trivial rows", 3, 3));
}

/// The column that usefulness is measured by: the named one, or the last with a few classes, or the last number.
fn label(sets: &Sets, named: Option<&str>) -> Option<usize> {
    let columns = &sets.real.columns;
    let classes = |at: &usize| match &columns[*at].values {
        Values::Categories { dictionary, .. } => (2..=LABEL_CLASSES).contains(&dictionary.len()),
        Values::Numbers(_) => false,
    };
    let last = || (0..columns.len()).rev().find(classes).or_else(|| columns.len().checked_sub(1));
    let found = named.and_then(|name| sets.real.position(name)).or_else(last);
    found.filter(|_| columns.len() > 1)
}

/// Identifiers that must be unique.
fn valid_keys(sets: &Sets, metrics: &mut Vec<Metric>) {
    let schema = sets.data.schema();
    let keys = schema.columns.iter().filter(|column| column.kind == Kind::Id);
    let unique: Vec<f64> =
        keys.filter_map(|key| sets.new_table.column(&key.name)).map(key_uniqueness).collect();
    if !unique.is_empty() {
        let value = Interval::of_mean(&unique, RESAMPLES, sets.seed);
        metrics.push(Metric::new("unique keys", "identifiers", value, (Some(1.0), Some(0.0)), None));
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
    let batch = Batch::Rows(data.batch(&evenly(&data.splits().holdout, NLL_ROWS)));
    if let Some(nll) = model.nll(&batch, 1, options.seed) {
        let value = Interval::of_mean(&nll, RESAMPLES, options.seed);
        metrics.push(Metric::bare("negative log-likelihood", "nats a row", value));
    }
    on(work("likelihood of held-out rows", 1, 1));
}
