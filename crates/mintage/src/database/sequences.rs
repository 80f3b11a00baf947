//! How well the rows of a parent follow one another where a time puts them in order: whether they stand in that order, how far
//! apart their times are, and how each column changes from one row to the next. How many they are is judged with the keys.
//!
//! All scores are from 0 to 1, 1 is the best. A change of a number is compared by Kolmogorov and Smirnov's distance, a change
//! of a category by the total variation of pairs of one value and the next.

use std::{cmp::Ordering, collections::HashMap};

use serde::Serialize;

use super::{
    cells::number,
    detect::{Judged, Scale},
    filled::{Database, Filled, NONE},
    measures::{Score, ks, mean, total_variation},
    plan::{Kinds, TablePlan, light},
    siblings::in_order,
};

/// Rows of a table that are judged: of more, those of every second parent, or of every third, and so on.
const MAX_ROWS: usize = 200_000;
/// New rows are asked for what so many of the source's own have.
const MIN_SHARE: f64 = 0.99;
/// Digits of a number that count in its changes: the last ones are those of the arithmetic.
const DIGITS: i32 = 12;

/// How well the rows of a table follow one another within each parent.
#[derive(Clone, Debug, Serialize)]
pub struct SequenceScores {
    /// The table.
    pub table: String,
    /// The column that puts them in order.
    pub time: String,
    /// Share of rows that are not earlier than the row stored before them; nothing where those of the source are not stored in
    /// order.
    pub ordered: Option<f64>,
    /// Share of parents of several rows whose times all differ; nothing where those of the source do not.
    pub unique: Option<f64>,
    /// How alike the distances are from each time to the next; nothing where times are no numbers and no dates.
    pub gaps: Option<f64>,
    /// How alike columns change from each row to the next: the mean of `columns`.
    pub steps: Option<f64>,
    /// The same by column.
    pub columns: Vec<Score>,
}

/// The scores of all tables whose rows are drawn one after another and have a time, parents first.
pub(super) fn sequences(
    (plans, kinds): (&[TablePlan], &Kinds),
    judged: &Judged,
    [source, made]: [&Database; 2],
) -> Vec<SequenceScores> {
    let of_table = |plan: &TablePlan| {
        let key = plan.main().filter(|_| plan.is_sequence)?;
        let time = plan.time.as_deref()?;
        let tables = [source.get(&plan.name)?, made.get(&plan.name)?];
        let [real, new] = tables.map(|filled| Sequences::of(filled, key, time));
        if real.pairs.is_empty() {
            return None;
        }
        // Where no new parent has several rows, none of them is out of order.
        let asked = |source: Option<f64>, new: Option<f64>| {
            source.filter(|&share| share >= MIN_SHARE).map(|_| new.unwrap_or(1.0))
        };
        let known: Vec<String> = kinds.get(&plan.name).map_or_else(Vec::new, |found| light(found).collect());
        let mut columns: Vec<Score> = Vec::new();
        for (name, scale) in judged.get(plan.name.as_str()).into_iter().flatten() {
            if name.as_str() == time || !known.contains(name) {
                continue;
            }
            let score = match scale {
                Scale::Number => of_numbers([&real, &new], name),
                Scale::Category => Some(of_categories([&real, &new], name)),
            };
            columns.extend(score.map(|score| Score { of: format!("{}.{name}", plan.name), score }));
        }
        Some(SequenceScores {
            table: plan.name.clone(),
            time: time.to_owned(),
            ordered: asked(real.ordered, new.ordered),
            unique: asked(real.unique, new.unique),
            gaps: of_numbers([&real, &new], time),
            steps: mean(&columns),
            columns,
        })
    };
    plans.iter().filter_map(of_table).collect()
}

/// The rows of a table, as they follow one another.
struct Sequences<'a> {
    filled: &'a Filled,
    /// Each row with the next of its parent, in the order of their times.
    pairs: Vec<(u32, u32)>,
    /// Share of the rows that are not earlier than the one stored before them.
    ordered: Option<f64>,
    /// Share of the parents of several rows whose times all differ.
    unique: Option<f64>,
}

impl<'a> Sequences<'a> {
    /// Of the rows that have a parent by a key of the table, and a time.
    fn of(filled: &'a Filled, key: usize, time: &str) -> Self {
        let parents = filled.parents.get(key).map(Vec::as_slice).unwrap_or_default();
        let every = (parents.len() / MAX_ROWS + 1) as u32;
        let column = filled.table.column(time);
        let text = |row: u32| column.and_then(|column| column.cell(row as usize));
        let is_judged = |row: &u32| {
            let parent = parents[*row as usize];
            parent != NONE && parent.is_multiple_of(every) && text(*row).is_some()
        };
        let rows: Vec<u32> = (0..parents.len() as u32).filter(is_judged).collect();
        let times = numbers(filled, time);
        let compare = |a: u32, b: u32| -> Ordering {
            let (x, y) = (times[a as usize], times[b as usize]);
            if x.is_nan() && y.is_nan() { text(a).cmp(&text(b)) } else { x.total_cmp(&y) }
        };
        let stored = neighbours(&in_order(rows.clone(), filled, parents, None), parents);
        let in_time = in_order(rows, filled, parents, Some(time));
        let families = in_time.chunk_by(|&a, &b| parents[a as usize] == parents[b as usize]);
        let several = families.filter(|family| family.len() > 1);
        let unique = share(several.map(|family| family.is_sorted_by(|&a, &b| compare(a, b).is_lt())));
        Self {
            filled,
            pairs: neighbours(&in_time, parents),
            ordered: share(stored.into_iter().map(|(a, b)| compare(a, b).is_le())),
            unique,
        }
    }
}

/// Rows that stand one behind the other and have the same parent.
fn neighbours(rows: &[u32], parents: &[u32]) -> Vec<(u32, u32)> {
    let pairs = rows.iter().copied().zip(rows.iter().skip(1).copied());
    pairs.filter(|&(a, b)| parents[a as usize] == parents[b as usize]).collect()
}

/// The share of what is true; nothing of nothing.
fn share(all: impl Iterator<Item = bool>) -> Option<f64> {
    let (mut n, mut right) = (0u32, 0u32);
    for is_right in all {
        n += 1;
        right += u32::from(is_right);
    }
    (n > 0).then(|| f64::from(right) / f64::from(n))
}

/// The numbers of a column, NaN where there is none.
fn numbers(filled: &Filled, column: &str) -> Vec<f64> {
    match filled.table.column(column) {
        Some(column) => column.iter().map(|cell| cell.and_then(number).unwrap_or(f64::NAN)).collect(),
        None => vec![f64::NAN; filled.rows()],
    }
}

/// How alike the changes of a number are from each row to the next; nothing where the source has none.
fn of_numbers(both: [&Sequences; 2], column: &str) -> Option<f64> {
    let values = both.map(|rows| numbers(rows.filled, column));
    let most = values[0].iter().filter(|value| value.is_finite()).fold(0.0, |most: f64, x| most.max(x.abs()));
    // Whole numbers of this unit: equal changes stay equal, however they were computed.
    let unit = if most > 0.0 { 10f64.powi(most.log10().ceil() as i32 - DIGITS) } else { 1.0 };
    let unit = unit.max(f64::MIN_POSITIVE);
    let changes = |at: usize| -> Vec<f64> {
        let change = |&(a, b): &(u32, u32)| (values[at][b as usize] - values[at][a as usize]) / unit;
        both[at].pairs.iter().map(|pair| change(pair).round()).collect()
    };
    let (real, new) = (changes(0), changes(1));
    real.iter().any(|change| !change.is_nan()).then(|| ks(&real, &new))
}

/// How alike the pairs are of a value and the next one.
fn of_categories(both: [&Sequences; 2], column: &str) -> f64 {
    let mut known: HashMap<&str, u32> = HashMap::new();
    let [real, new] = both.map(|rows| {
        let mut pairs = Vec::with_capacity(rows.pairs.len());
        let mut code = |row: u32| match rows.filled.cell(column, row) {
            Some(text) => {
                let next = known.len() as u32 + 1;
                *known.entry(text).or_insert(next)
            }
            None => 0,
        };
        for &(a, b) in &rows.pairs {
            pairs.push((code(a), code(b)));
        }
        pairs
    });
    total_variation(&real, &new)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use mintage_data::{Column, SourceSpec};
    use mintage_nn::Rng;

    use super::*;
    use crate::database::{
        assign::shuffle,
        filled::put,
        plan::Use,
        planner::described,
        testing::{key, planned, table},
    };

    const PATIENTS: usize = 80;

    fn column(name: &str, cells: &[String]) -> Column {
        Column::of(name, cells.iter().map(|cell| Some(cell.as_str())))
    }

    /// The days of four visits of each patient: the distances between them are one, two and four days.
    fn days() -> Vec<String> {
        let day = |row: usize| 1 + row / 4 % 7 + [0, 1, 3, 7][row % 4];
        (0..4 * PATIENTS).map(|row| format!("2024-01-{:02}", day(row))).collect()
    }

    /// The scores of the same visits on other days.
    fn on(days: &[String]) -> SequenceScores {
        let of = |n: usize, value: &dyn Fn(usize) -> String| (0..n).map(value).collect::<Vec<String>>();
        let patients = vec![
            column("id", &of(PATIENTS, &|row| (row + 1).to_string())),
            column("age", &of(PATIENTS, &|row| (20 + row * 7 % 50).to_string())),
        ];
        let n = 4 * PATIENTS;
        let visits = vec![
            column("id", &of(n, &|row| (row + 1).to_string())),
            column("patient", &of(n, &|row| (row / 4 + 1).to_string())),
            column("day", &self::days()),
            column("level", &of(n, &|row| (row % 4 * 10 + row / 4 % 10).to_string())),
            column("state", &of(n, &|row| ["new", "open", "paid", "done"][row % 4].to_owned())),
        ];
        let keys = vec![key("patient", "patients", "id", false)];
        let (_, source, mut plans) =
            planned(vec![table("patients", Vec::new(), patients), table("visits", keys, visits)]);
        let plan = plans.iter_mut().find(|plan| plan.name == "visits").unwrap();
        (plan.keys, plan.is_sequence, plan.time) = (vec![Use::Main], true, Some("day".to_owned()));
        let found = described(&source["visits"].table, &SourceSpec::default());
        let kinds: Kinds = [("visits".to_owned(), found)].into();
        let columns = vec![("level".to_owned(), Scale::Number), ("state".to_owned(), Scale::Category)];
        let judged: Judged = [("visits", columns)].into();
        let mut made = source.clone();
        put(&mut made.get_mut("visits").unwrap().table, [column("day", days)]);
        let mut scores = sequences((plans.as_slice(), &kinds), &judged, [&source, &made]);
        assert_eq!(scores.len(), 1);
        scores.remove(0)
    }

    fn dials(scores: &SequenceScores) -> [Option<f64>; 4] {
        [scores.ordered, scores.unique, scores.gaps, scores.steps]
    }

    fn are(scores: &SequenceScores, expected: [f64; 4]) -> bool {
        let is = |(score, expected): (Option<f64>, f64)| {
            score.is_some_and(|score| (score - expected).abs() < 1e-9)
        };
        dials(scores).into_iter().zip(expected).all(is)
    }

    #[test]
    fn rows_of_the_source_follow_one_another_as_they_do() {
        let same = on(&days());
        assert!(are(&same, [1.0; 4]) && same.columns.len() == 2, "{same:?}");
    }

    #[test]
    fn rows_that_run_backwards_are_out_of_order() {
        let days = days();
        let backwards = (0..days.len()).map(|row| days[row / 4 * 4 + 3 - row % 4].clone());
        // The days are the same, and so are the gaps; each step goes down instead of up.
        let scores = on(&backwards.collect::<Vec<String>>());
        assert!(are(&scores, [0.0, 1.0, 1.0, 0.0]), "{scores:?}");
    }

    #[test]
    fn rows_of_one_time_are_not_unique() {
        let days = days();
        let once: Vec<String> = (0..days.len()).map(|row| days[row / 4 * 4].clone()).collect();
        let scores = on(&once);
        assert!(are(&scores, [1.0, 0.0, 0.0, 1.0]), "{scores:?}");
    }

    #[test]
    fn shuffled_times_lower_every_score() {
        let mut days = days();
        shuffle(&mut days, &mut Rng::new(1, 0));
        let scores = on(&days);
        for score in dials(&scores) {
            assert!(score.is_some_and(|score| (0.0..0.95).contains(&score)), "{scores:?}");
        }
    }
}
