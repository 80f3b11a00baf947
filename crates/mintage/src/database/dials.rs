//! The four dials of a new database: of each table that is learned, and of the whole.
//!
//! Those of a table are the dials of a single table, by the same code: its own columns, some of its rows, and as real rows
//! those that its model has not seen. The whole is the mean over tables, each with the same weight; into its fidelity the keys
//! go with the weight of all tables together, and no value of a person may come back ([`DatabaseDials`]).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use mintage_data::{
    SourceSpec, Splits, Table, TableSet,
    table::{rules::RuleChoice, schema::Kind, set::row_hashes},
};
use mintage_nn::Rng;
use serde::Serialize;

use super::{
    DatabaseData,
    judge::DatabaseScores,
    kinds,
    measures::{RESAMPLES, Score},
    plan::{Part, TablePlan},
    proof::Proof,
    view::{learned, picked},
};
use crate::{
    dataset::AnyData,
    error::Error,
    evaluate::{
        DialName, Interval, NewItems, Options, Scores, TrainedOn, evenly, judge as judge_items,
        table::are_copies,
    },
    report::{Dial, Metric},
};

/// Rows of the source, and of the new database, that the dials of a table are of.
const MAX_DIAL_ROWS: usize = 5_000;
/// Columns of a table that its dials are of.
const MAX_COLUMNS: usize = 40;
/// A table with fewer rows has no dials.
const MIN_ROWS: usize = 50;
/// Where fewer rows are held out, rows that the model has seen take their place.
const MIN_HELD: usize = 20;
/// A ceiling and a floor that are nearer to each other say nothing of what lies between.
const MIN_GAP: f64 = 0.01;
/// The stream of random numbers by which the rows of a short table are held out.
const STREAM: u64 = 5;
/// Why nothing is said of copies.
const UNKNOWN: &str = "cannot be measured: what they were learned from is not known";
/// Why a dial is not there where its judge found nothing to judge by.
const NOTHING: &str = "cannot be measured by these columns";

/// The dials of a table.
#[derive(Clone, Debug, Serialize)]
pub struct TableDials {
    /// The table.
    pub table: String,
    /// New rows, and as many real ones, that were compared; 0 where none could be.
    pub n: usize,
    /// The dials that have a score, by [`DialName::name`].
    pub dials: BTreeMap<String, Dial>,
    /// Why a dial has no score, by [`DialName::name`].
    pub unmeasured: BTreeMap<String, String>,
}

/// The dials of a whole database.
///
/// Coverage and utility are the means of those tables that have them, each with the same weight. Fidelity is the mean of two
/// numbers: that mean over tables, and the score of the keys; of the first alone where the second cannot be measured. Novelty is
/// the mean over tables, and 0 where any value that is made afresh or may point at a person is shared with the source
/// ([`Proof::shared`]).
///
/// The ends of the interval of a mean are the means of the ends of what it is the mean of: they are as wide as if all of that
/// strayed to the same side at once.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DatabaseDials {
    /// The dials that have a score, by [`DialName::name`].
    pub dials: BTreeMap<String, Dial>,
    /// Why a dial has no score, by [`DialName::name`].
    pub unmeasured: BTreeMap<String, String>,
    /// What each dial is made of, in words.
    pub measured: BTreeMap<String, String>,
    /// The score of the keys, the mean of two places between 0 and 100: that of pairs over keys, where keys at random are 0
    /// and one half of the source beside the other is 100; and that of numbers of children, where no likeness at all is 0, as
    /// keys at random keep these numbers, and the halves again are 100. Its interval is of the keys and pairs, which are
    /// resampled together with their floors and ceilings. Nothing where there are no halves, or where floor and ceiling
    /// cannot be told apart.
    pub keys: Option<Dial>,
    /// The dials of tables that are learned, parents first.
    pub tables: Vec<TableDials>,
}

/// Judges the new rows of each table that is learned, by at most 5,000 rows and 40 of its own columns: neither texts nor what
/// is made afresh. `trained_on` says what is known of the generator: with [`TrainedOn::Train`] it is a model of this
/// crate that learned from `data`. `on` is told how many tables are done, of how many.
pub fn table_dials(
    data: &DatabaseData,
    made: &[Table],
    trained_on: TrainedOn,
    seed: u64,
    on: &mut dyn FnMut(usize, usize),
) -> Vec<TableDials> {
    let plans: Vec<&TablePlan> = data.plans.iter().filter(|plan| plan.part == Part::Learned).collect();
    let mut all = Vec::with_capacity(plans.len());
    for (done, plan) in plans.iter().enumerate() {
        on(done, plans.len());
        let tables = data.rows(&plan.name).zip(made.iter().find(|table| table.name == plan.name));
        let found = match tables {
            Some((source, new)) => of_table(data, plan, [source, new], trained_on, seed),
            None => Err(Error::request("the new database lacks the table")),
        };
        all.push(found.unwrap_or_else(|why| TableDials::without(&plan.name, &why.to_string())));
    }
    on(plans.len(), plans.len());
    all
}

impl TableDials {
    /// A table that has no dials, and why.
    fn without(table: &str, why: &str) -> Self {
        let unmeasured = DialName::ALL.map(|dial| (dial.name().to_owned(), why.to_owned()));
        Self { table: table.to_owned(), n: 0, dials: BTreeMap::new(), unmeasured: unmeasured.into() }
    }
}

fn of_table(
    data: &DatabaseData,
    plan: &TablePlan,
    [source, new]: [&Table; 2],
    trained_on: TrainedOn,
    seed: u64,
) -> Result<TableDials, Error> {
    if source.rows().min(new.rows()) < MIN_ROWS {
        return Err(Error::request(format!("too few rows to be judged: {MIN_ROWS} are the least")));
    }
    let names = columns_of(data, plan, [source, new]);
    if names.is_empty() {
        return Err(Error::request("none of its own columns can be compared"));
    }
    let parts = Parts::of(data, plan, trained_on, seed)?;
    let held = evenly(&parts.held, MAX_DIAL_ROWS / 2);
    let train = evenly(&parts.train, MAX_DIAL_ROWS - held.len());
    let n = held.len().min(train.len()).min(new.rows());
    let all: Vec<u32> = (0..new.rows() as u32).collect();
    let made = selected(new, &names, &evenly(&all, n));
    let copies = (parts.trained_on != TrainedOn::Unknown && train.len() < parts.train.len()).then(|| {
        let [train, held] = [&parts.train, &held].map(|rows| selected(source, &names, rows));
        copies(&made, &train, &held, seed)
    });
    let rows = selected(source, &names, &[train.as_slice(), &held].concat());
    let held_out = train.len()..rows.rows();
    let spec =
        SourceSpec { kinds: kinds(plan, data, &rows), rules: RuleChoice::Off, ..SourceSpec::default() };
    let mut set = TableSet::of(rows, Some(held_out), &spec)?;
    if set.schema().columns.iter().all(|column| !is_compared(column.kind)) {
        return Err(Error::request("none of its own columns can be compared"));
    }
    set.train_on_valid();
    let options = Options { n: Some(n), seed, trained_on: parts.trained_on, ..Options::default() };
    let items = NewItems::Table(made);
    let mut scores = judge_items(&AnyData::Table(Arc::new(set)), items, &options, &mut |_| {})?;
    let novelty = DialName::Novelty.name();
    if let Some((score, low, high)) = copies.and_then(|metric| metric.places()) {
        // Of novelty the worst number counts.
        let dial = scores.dials.entry(novelty.to_owned()).or_insert(Dial { score, low, high });
        *dial = Dial { score: dial.score.min(score), low: dial.low.min(low), high: dial.high.min(high) };
        scores.unmeasured.remove(novelty);
    }
    let Scores { dials, mut unmeasured, .. } = scores;
    if parts.trained_on == TrainedOn::Unknown {
        unmeasured.insert(novelty.to_owned(), UNKNOWN.to_owned());
    }
    for name in DialName::ALL.map(DialName::name).into_iter().filter(|name| !dials.contains_key(*name)) {
        unmeasured.entry(name.to_owned()).or_insert_with(|| NOTHING.to_owned());
    }
    Ok(TableDials { table: plan.name.clone(), n, dials, unmeasured })
}

/// Whether columns of a kind have a distribution to compare.
fn is_compared(kind: Kind) -> bool {
    !matches!(kind, Kind::Id | Kind::Text | Kind::Constant)
}

/// The columns that the dials of a table are of, which both databases have.
fn columns_of(data: &DatabaseData, plan: &TablePlan, [source, new]: [&Table; 2]) -> Vec<String> {
    let known = kinds(plan, data, source);
    let found = data.kinds.get(&plan.name).into_iter().flat_map(|found| &found.columns);
    let own = found.filter(|column| {
        is_compared(known.get(&column.name).copied().unwrap_or(column.kind))
            && plan.own.contains(&column.name)
            && !data.is_copy_of_fresh(&plan.name, &column.name)
    });
    let names = own.map(|column| column.name.clone());
    let both = names.filter(|name| source.column(name).is_some() && new.column(name).is_some());
    both.take(MAX_COLUMNS).collect()
}

/// Some rows of some columns, which are no keys here whatever they are declared as.
fn selected(table: &Table, names: &[String], rows: &[u32]) -> Table {
    let columns = names.iter().filter_map(|name| Some(picked(name, table.column(name)?, rows)));
    Table { name: table.name.clone(), columns: columns.collect(), ..Table::default() }
}

/// The rows of a source that its model has learned from, and those that new rows are compared with.
struct Parts {
    train: Vec<u32>,
    held: Vec<u32>,
    trained_on: TrainedOn,
}

impl Parts {
    /// The parts are those of the table's model: they follow from all that it saw of each row. Where it held out too few, a
    /// quarter of all rows takes their place.
    fn of(data: &DatabaseData, plan: &TablePlan, trained_on: TrainedOn, seed: u64) -> Result<Self, Error> {
        let rows = learned(plan, &data.schema, &data.source)?;
        let Splits { train, holdout: held, .. } = Splits::of_rows(&row_hashes(&rows), None);
        if held.len() >= MIN_HELD {
            return Ok(Self { train, held, trained_on });
        }
        let n = rows.rows();
        let order = Rng::new(seed, STREAM).permutation(n).into_iter();
        let mut held: Vec<u32> = order.map(|row| row as u32).collect();
        let mut train = held.split_off((n / 4).max(MIN_HELD).min(n));
        held.sort_unstable();
        train.sort_unstable();
        let trained_on = match trained_on {
            TrainedOn::Train => TrainedOn::Everything,
            other => other,
        };
        Ok(Self { train, held, trained_on })
    }
}

/// Copies among new rows of any row that was learned from: of a long table the dials see a part of those alone, and would
/// find few.
fn copies(made: &Table, train: &Table, held: &Table, seed: u64) -> Metric {
    let hashes = |rows: &Table| row_hashes(rows).into_iter().map(u128::from).collect::<Vec<u128>>();
    let known = hashes(train);
    let share = |rows: &Table| {
        let copies = are_copies(&hashes(rows), known.clone());
        let copies: Vec<f64> = copies.into_iter().map(f64::from).collect();
        Interval::of_mean(&copies, RESAMPLES, seed)
    };
    Metric::lower("exact copies", "all rows", share(made)).within(0.0, 1.0).between(share(held), 1.0)
}

impl DatabaseDials {
    /// The dials of the whole, from those of tables, the scores of the new rows, of keys at random and of halves of the source,
    /// and what was counted.
    pub fn of(
        tables: Vec<TableDials>,
        [scores, floor]: [&DatabaseScores; 2],
        ceiling: Option<&DatabaseScores>,
        proof: &Proof,
        trained_on: TrainedOn,
        seed: u64,
    ) -> Self {
        let keys = ceiling.and_then(|ceiling| of_keys([scores, floor, ceiling], seed));
        let mut whole = Self { keys, ..Self::default() };
        for dial in DialName::ALL {
            let name = dial.name();
            let all: Vec<Dial> = tables.iter().filter_map(|table| table.dials.get(name)).copied().collect();
            let of_tables = match all.len() {
                1 => "one table".to_owned(),
                n => format!("the mean of {n} tables"),
            };
            let shared = proof.shared();
            let found = match (dial, mean(&all), keys) {
                (DialName::Fidelity, Some(own), Some(keys)) => {
                    let score = keys.score;
                    let words = format!("{of_tables} and of the keys between tables ({score:.0}), half each");
                    mean(&[own, keys]).map(|whole| (whole, words))
                }
                (DialName::Novelty, ..) if shared > 0 && trained_on != TrainedOn::Unknown => {
                    let nothing = Dial { score: 0.0, low: 0.0, high: 0.0 };
                    Some((nothing, format!("values shared with the source ({shared}), whatever else is new")))
                }
                (_, own, _) => own.map(|own| (own, of_tables)),
            };
            if let Some((found, words)) = found {
                whole.dials.insert(name.to_owned(), found);
                whole.measured.insert(name.to_owned(), words);
            } else {
                let is_unknown = dial == DialName::Novelty && trained_on == TrainedOn::Unknown;
                let why = if is_unknown { UNKNOWN } else { "cannot be measured of any table" };
                whole.unmeasured.insert(name.to_owned(), why.to_owned());
            }
        }
        whole.tables = tables;
        whole
    }
}

/// The mean of some dials; nothing without any.
fn mean(dials: &[Dial]) -> Option<Dial> {
    let of = |pick: fn(&Dial) -> f64| dials.iter().map(pick).sum::<f64>() / dials.len() as f64;
    let whole = Dial { score: of(|dial| dial.score), low: of(|dial| dial.low), high: of(|dial| dial.high) };
    (!dials.is_empty()).then_some(whole)
}

/// The score of the keys, by the scores of the new rows, of keys at random and of halves of the source.
fn of_keys([scores, floor, ceiling]: [&DatabaseScores; 3], seed: u64) -> Option<Dial> {
    let children = beside(&scores.cardinality, None, &ceiling.cardinality);
    let mut over = Vec::new();
    for (at, hop) in scores.hops.iter().enumerate() {
        let [floor, ceiling] =
            [floor, ceiling].map(|of| of.hops.get(at).map(Vec::as_slice).unwrap_or_default());
        over.extend(beside(hop, Some(floor), ceiling));
    }
    let placed = [children, over].map(|all| place(&all, seed));
    mean(&placed.into_iter().flatten().collect::<Vec<Dial>>())
}

/// Each score with its floor, or 0 where there is none at all, and its ceiling; what lacks one of them is left out. Several
/// of one name stand in the same order everywhere.
fn beside(scores: &[Score], floor: Option<&[Score]>, ceiling: &[Score]) -> Vec<[f64; 3]> {
    let (floor, ceiling) = (floor.map(by_name), by_name(ceiling));
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut all = Vec::new();
    for score in scores {
        let name = score.of.as_str();
        let at = seen.entry(name).or_default();
        let of = |known: &HashMap<&str, Vec<f64>>| known.get(name)?.get(*at).copied();
        let floor = floor.as_ref().map_or(Some(0.0), of);
        all.extend(floor.zip(of(&ceiling)).map(|(floor, ceiling)| [score.score, floor, ceiling]));
        *at += 1;
    }
    all
}

fn by_name(scores: &[Score]) -> HashMap<&str, Vec<f64>> {
    let mut all: HashMap<&str, Vec<f64>> = HashMap::new();
    scores.iter().for_each(|score| all.entry(&score.of).or_default().push(score.score));
    all
}

/// Where the mean of scores lies between that of their floors, 0, and that of their ceilings, 100; nothing where these two are
/// not surely apart.
fn place(scores: &[[f64; 3]], seed: u64) -> Option<Dial> {
    let mean =
        |rows: &[usize], at: usize| rows.iter().map(|&row| scores[row][at]).sum::<f64>() / rows.len() as f64;
    let gap = |rows: &[usize]| mean(rows, 2) - mean(rows, 1);
    let apart = Interval::estimate(scores.len(), RESAMPLES, seed, gap);
    let share = |rows: &[usize]| {
        (100.0 * (mean(rows, 0) - mean(rows, 1)) / (mean(rows, 2) - mean(rows, 1))).clamp(0.0, 100.0)
    };
    let found = Interval::estimate(scores.len(), RESAMPLES, seed, share);
    let Interval { value: score, low, high } = found;
    let is_apart = apart.value >= MIN_GAP && apart.low > 0.0 && score.is_finite();
    is_apart.then(|| Dial { score, low: low.clamp(0.0, score), high: high.clamp(score, 100.0) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::database::proof::{Counted, TableProof};

    fn scores(all: &[(&str, f64)]) -> Vec<Score> {
        all.iter().map(|&(of, score)| Score { of: of.to_owned(), score }).collect()
    }

    fn judged(cardinality: f64, pairs: [f64; 2]) -> DatabaseScores {
        DatabaseScores {
            cardinality: scores(&[("sales.shop", cardinality)]),
            hops: vec![scores(&[("sales.a, shops.b", pairs[0]), ("sales.c, shops.b", pairs[1])])],
            ..DatabaseScores::default()
        }
    }

    fn table(name: &str, dials: &[(&str, f64)]) -> TableDials {
        let dial = |score: f64| Dial { score, low: score - 5.0, high: score + 5.0 };
        let dials = dials.iter().map(|&(name, score)| (name.to_owned(), dial(score))).collect();
        TableDials { table: name.to_owned(), n: 100, dials, unmeasured: BTreeMap::new() }
    }

    fn proof(shared: usize) -> Proof {
        let counted = Counted { of: "email".to_owned(), checked: 10, failed: shared };
        let table = TableProof {
            table: "shops".to_owned(),
            rows: 10,
            is_kept: false,
            unique: Vec::new(),
            not_null: Vec::new(),
            keys: Vec::new(),
            personal: vec![counted],
            written: Vec::new(),
        };
        Proof { tables: vec![table], ..Proof::default() }
    }

    fn whole(shared: usize, trained_on: TrainedOn) -> DatabaseDials {
        let tables = vec![
            table("shops", &[("fidelity", 90.0), ("novelty", 80.0), ("coverage", 70.0)]),
            table("sales", &[("fidelity", 70.0), ("novelty", 100.0)]),
        ];
        let (new, floor) = (judged(0.9, [0.75, 0.75]), judged(1.0, [0.5, 0.7]));
        let ceiling = judged(0.9, [1.0, 0.8]);
        DatabaseDials::of(tables, [&new, &floor], Some(&ceiling), &proof(shared), trained_on, 1)
    }

    #[test]
    fn half_of_fidelity_is_the_keys() {
        let found = whole(0, TrainedOn::Train);
        // Children 100; pairs .75 between .6 and .9.
        let keys = found.keys.unwrap();
        assert!((keys.score - 75.0).abs() < 1e-9, "{keys:?}");
        assert!(keys.low <= keys.score && keys.score <= keys.high && keys.high <= 100.0, "{keys:?}");
        let fidelity = found.dials["fidelity"];
        assert!((fidelity.score - 77.5).abs() < 1e-9, "{fidelity:?}");
        assert!(
            (found.dials["coverage"].score - 70.0).abs() < 1e-9 && found.measured["coverage"] == "one table"
        );
        assert!((found.dials["novelty"].score - 90.0).abs() < 1e-9);
        assert_eq!(found.unmeasured["utility"], "cannot be measured of any table");
        assert!(found.measured["fidelity"].contains("keys between tables (75)"), "{:?}", found.measured);
        assert_eq!(format!("{found:?}"), format!("{:?}", whole(0, TrainedOn::Train)));
    }

    #[test]
    fn values_of_persons_that_come_back_leave_no_novelty() {
        assert_eq!(whole(1, TrainedOn::Train).dials["novelty"], Dial { score: 0.0, low: 0.0, high: 0.0 });
        // Nobody knows what could have come back.
        assert!((whole(1, TrainedOn::Unknown).dials["novelty"].score - 90.0).abs() < 1e-9);
    }

    #[test]
    fn keys_without_a_scale_count_for_nothing() {
        let near = place(&[[0.9, 0.9, 0.905], [0.8, 0.8, 0.805]], 1);
        assert_eq!(near, None);
        assert_eq!(place(&[], 1), None);
        // Above what halves reach is as good as that, below keys at random as bad.
        let score = |value: f64| place(&[[value, 0.5, 0.9]], 1).map(|dial| dial.score);
        assert_eq!([score(0.95), score(0.3)], [Some(100.0), Some(0.0)]);
        let none =
            DatabaseDials::of(Vec::new(), [&judged(1.0, [1.0; 2]); 2], None, &proof(0), TrainedOn::Train, 1);
        assert!(none.keys.is_none() && none.dials.is_empty() && none.unmeasured.len() == 4);
    }

    #[test]
    fn scores_of_one_name_stay_in_their_order() {
        let (new, floor) = (scores(&[("a", 0.1), ("a", 0.2), ("b", 0.3)]), scores(&[("a", 0.4), ("a", 0.5)]));
        let ceiling = scores(&[("b", 0.9), ("a", 0.6), ("a", 0.7)]);
        assert_eq!(beside(&new, Some(&floor), &ceiling), [[0.1, 0.4, 0.6], [0.2, 0.5, 0.7]]);
        assert_eq!(beside(&new, None, &ceiling[..2]), [[0.1, 0.0, 0.6], [0.3, 0.0, 0.9]]);
    }
}
