//! Columns in which each row of a parent has a value of its own, as in the source: no two visits of a person are on one day,
//! and a person rates a film once.
//!
//! A row that is drawn knows the sibling before it, and not all others. One that has what a sibling has is drawn again as a
//! whole, a few times. What repeats even then is moved to the nearest value that is free; a category becomes another one that
//! siblings lack, as often as rows have it.

use std::collections::HashSet;

use mintage_data::{
    Column, Declaration, Table,
    table::{
        MISSING,
        rules::Rules,
        schema::{ColumnSchema, TableSchema},
    },
};
use mintage_nn::Rng;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{bounds::broken, filled::NONE, plan::Bound};
use crate::error::Error;

/// Draws some of the rows again, with a seed of its own.
type Redraw<'a> = dyn FnMut(&[u32], u64) -> Result<Table, Error> + 'a;

/// Times that a row is drawn again.
const MAX_ATTEMPTS: u64 = 6;
/// Steps to either side that a value is moved by, at most.
const MAX_STEPS: u32 = 400;
/// Categories that are tried.
const MAX_CATEGORIES: usize = 20;
/// Fewer parents of several rows say nothing.
const MIN_FAMILIES: usize = 20;
/// Parents, of those with several rows, that may have a value twice.
const MAX_EXCEPTIONS: f64 = 0.01;

/// Whether hardly any parent has two rows with the same cell.
pub(super) fn differ(column: &Column, parents: &[u32]) -> bool {
    let cells = parents.iter().zip(column.numbers());
    let cells = cells.filter(|(parent, cell)| **parent != NONE && **cell != MISSING);
    let mut cells: Vec<(u32, u32)> = cells.map(|(&parent, &cell)| (parent, cell)).collect();
    cells.sort_unstable();
    let (mut several, mut repeated) = (0usize, 0usize);
    for family in cells.chunk_by(|a, b| a.0 == b.0).filter(|family| family.len() > 1) {
        several += 1;
        repeated += usize::from(family.windows(2).any(|pair| pair[0] == pair[1]));
    }
    several >= MIN_FAMILIES && repeated as f64 <= MAX_EXCEPTIONS * several as f64
}

/// The values that the rows of each parent have so far.
pub(super) struct Apart<'a> {
    columns: Vec<Own<'a>>,
    bounds: &'a [Bound],
}

/// One of the columns.
struct Own<'a> {
    name: &'a str,
    /// Whether a value may be changed in the end that was drawn.
    may_change: bool,
    /// Hashes of the values with their parents.
    seen: HashSet<u64>,
}

impl<'a> Apart<'a> {
    /// No rows yet. Of each column it is said whether values may be changed; `bounds` are those of the table's dates.
    pub fn new(columns: impl Iterator<Item = (&'a str, bool)>, bounds: &'a [Bound]) -> Self {
        let own = |(name, may_change)| Own { name, may_change, seen: HashSet::new() };
        Self { columns: columns.map(own).collect(), bounds }
    }

    /// Whether there is no such column.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Puts others in the place of those new rows of `parents` that have what a sibling has; `draw` is told which rows those are
    /// and which time it is. Returns which of them repeat a value all the same.
    ///
    /// # Errors
    /// No rows can be drawn.
    pub fn redraw(
        &mut self,
        rows: &mut Table,
        parents: &[u32],
        draw: &mut Redraw,
    ) -> Result<Vec<u32>, Error> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let columns = self.columns_of(rows);
        let all = 0..rows.rows().min(parents.len()) as u32;
        let mut open: Vec<u32> =
            all.filter(|&row| !self.take(&columns, row, parents[row as usize])).collect();
        for attempt in 1..=MAX_ATTEMPTS {
            if open.is_empty() {
                break;
            }
            let fresh = draw(&open, attempt)?;
            let broken = broken(self.bounds, &fresh);
            let columns = self.columns_of(&fresh);
            let n = rows.rows() as u32;
            let mut order: Vec<u32> = (0..n).collect();
            let mut left = Vec::new();
            for (at, &row) in open.iter().enumerate() {
                let is_good = broken.get(at) == Some(&0);
                match is_good && self.take(&columns, at as u32, parents[row as usize]) {
                    true => order[row as usize] = n + at as u32,
                    false => left.push(row),
                }
            }
            rows.append(&fresh)?;
            *rows = rows.select(&order);
            open = left;
        }
        Ok(open)
    }

    /// Changes what the rows `open` of `rows` repeat, as little as can be. `earlier` are the rows that were drawn before.
    pub fn settle(
        &mut self,
        rows: &mut Table,
        (open, parents): (&[u32], &[u32]),
        earlier: Option<&Table>,
        rules: &Rules,
        rng: &mut Rng,
    ) {
        for own in &mut self.columns {
            let Some(at) = rows.columns.iter().position(|column| column.name == own.name) else { continue };
            let others = own.may_change.then(|| Others::of(own.name, earlier, rows, rules.own())).flatten();
            for &row in open {
                let parent = parents[row as usize];
                let Some(cell) = rows.columns[at].cell(row as usize) else { continue };
                if own.seen.insert(hash_of(parent, cell)) {
                    continue;
                }
                let Some((others, before)) = others.as_ref().zip(row_of(rows, row, rules.own())) else {
                    continue;
                };
                let is_free = |text: &str| !own.seen.contains(&hash_of(parent, text));
                let may_be =
                    |text: &String| is_free(text) && may_be(&before, (own.name, text), self.bounds, rules);
                let found = match others.form.number(cell) {
                    Some(number) => others.nearest(number).find(may_be),
                    None => others.drawn(is_free, rng).into_iter().find(may_be),
                };
                if let Some(text) = found {
                    own.seen.insert(hash_of(parent, &text));
                    rows.columns[at].set(row as usize, Some(&text));
                }
            }
        }
    }

    fn columns_of<'b>(&self, rows: &'b Table) -> Vec<Option<&'b Column>> {
        self.columns.iter().map(|own| rows.column(own.name)).collect()
    }

    /// Takes the values of a row for its parent; false where a sibling has one of them.
    fn take(&mut self, columns: &[Option<&Column>], row: u32, parent: u32) -> bool {
        let hash = |column: &Option<&Column>| Some(hash_of(parent, (*column)?.cell(row as usize)?));
        let hashes: Vec<Option<u64>> = columns.iter().map(hash).collect();
        let mut both = self.columns.iter().zip(&hashes);
        if both.any(|(own, hash)| hash.is_some_and(|hash| own.seen.contains(&hash))) {
            return false;
        }
        for (own, hash) in self.columns.iter_mut().zip(hashes) {
            own.seen.extend(hash);
        }
        true
    }
}

/// What a column may have in the place of a value.
struct Others<'a> {
    form: &'a ColumnSchema,
    /// The values of rows that were drawn before and now.
    column: Column,
    /// The least number or date and the greatest one.
    range: (f64, f64),
    /// The least that is between two of them.
    step: f64,
}

impl<'a> Others<'a> {
    /// Of a column in rows that were drawn before and now; nothing where it is not there.
    fn of(name: &str, earlier: Option<&Table>, rows: &Table, schema: &'a TableSchema) -> Option<Self> {
        let form = schema.column(name)?;
        let mut column = Column::new(name, Declaration::default());
        for part in earlier.into_iter().chain([rows]).filter_map(|table| table.column(name)) {
            column.gather(part, (0..part.len() as u32).map(Some));
        }
        let mut numbers: Vec<f64> = column.values().iter().filter_map(|text| form.number(text)).collect();
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        let end = |number: Option<&f64>| number.copied().unwrap_or(f64::NAN);
        let range = (end(numbers.first()), end(numbers.last()));
        let step = numbers.windows(2).map(|pair| pair[1] - pair[0]).min_by(f64::total_cmp);
        Some(Self { form, column, range, step: step.unwrap_or(f64::NAN) })
    }

    /// Other numbers or dates, the nearest first.
    fn nearest(&self, number: f64) -> impl Iterator<Item = String> {
        let (low, high) = self.range;
        let steps = (1..=MAX_STEPS).flat_map(|n| [f64::from(n), -f64::from(n)]);
        let numbers = steps.map(move |n| number + n * self.step);
        numbers.filter(move |number| (low..=high).contains(number)).map(move |number| self.form.text(number))
    }

    /// A few values that are free, drawn without repetition as often as rows have them.
    fn drawn(&self, is_free: impl Fn(&str) -> bool, rng: &mut Rng) -> Vec<String> {
        let counted = self.column.values().iter().zip(self.column.counts());
        let mut free: Vec<(&str, usize)> =
            counted.filter(|(text, _)| is_free(text)).map(|(text, rows)| (text, rows as usize)).collect();
        let mut drawn = Vec::new();
        while drawn.len() < MAX_CATEGORIES && !free.is_empty() {
            let all: usize = free.iter().map(|(_, rows)| rows).sum();
            let mut left = rng.below(all.max(1));
            let found = free.iter().position(|(_, rows)| {
                let is_it = left < *rows;
                left = left.saturating_sub(*rows);
                is_it
            });
            let Some(at) = found else { break };
            drawn.push(free.swap_remove(at).0.to_owned());
        }
        drawn
    }
}

/// One row with its columns as rules know them; nothing where one is not there.
fn row_of(rows: &Table, row: u32, schema: &TableSchema) -> Option<Table> {
    let columns = schema.columns.iter().map(|own| Some(rows.column(&own.name)?.select(&[row])));
    Some(Table { columns: columns.collect::<Option<_>>()?, ..Table::default() })
}

/// Whether a row may have another text in a column: it breaks no more rules and bounds than before.
fn may_be(before: &Table, (name, text): (&str, &str), bounds: &[Bound], rules: &Rules) -> bool {
    let mut after = before.clone();
    if let Some(column) = after.columns.iter_mut().find(|column| column.name == name) {
        column.set(0, Some(text));
    }
    let wrong = |row: &Table| {
        let of_rules: usize = rules.check(row, before).iter().map(|(_, rows)| rows).sum();
        (of_rules, broken(bounds, row).iter().sum::<u32>())
    };
    let (old, new) = (wrong(before), wrong(&after));
    new.0 <= old.0 && new.1 <= old.1
}

fn hash_of(parent: u32, text: &str) -> u64 {
    xxh3_64_with_seed(text.as_bytes(), u64::from(parent))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::table::{rules::Rule, schema::detect};

    use super::*;
    use crate::database::{
        filled::numbers,
        testing::{key, planned, table},
    };

    fn days(cells: &[&str]) -> Table {
        let columns = vec![Column::of("day", cells.iter().map(|day| Some(*day)))];
        Table { columns, ..Table::default() }
    }

    fn cells<'a>(rows: &'a Table, name: &str) -> Vec<&'a str> {
        rows.column(name).unwrap().iter().flatten().collect()
    }

    /// The rules of a table like `rows`.
    fn rules(rules: Vec<Rule>, rows: &Table) -> Rules {
        Rules::new(rules, rows, &detect(rows)).unwrap()
    }

    #[test]
    fn values_that_hardly_repeat_are_found() {
        // Thirty parents of three rows, and one without.
        let parents: Vec<u32> = (0..90).map(|row| row / 3).chain([NONE, NONE]).collect();
        let column = |cell: fn(usize) -> usize| {
            let cells: Vec<String> = (0..92).map(|row| cell(row).to_string()).collect();
            Column::of("day", cells.iter().map(|cell| Some(cell.as_str())))
        };
        assert!(differ(&column(|row| row % 3 + row / 90), &parents));
        // One of thirty is more than one of a hundred.
        assert!(!differ(&column(|row| row % 3 + usize::from(row == 0)), &parents));
        assert!(!differ(&column(|row| row % 2), &parents));
        assert!(!differ(&column(|row| row % 3), &parents[..45]));
        assert!(!differ(&Column::of("day", [None; 92]), &parents));
    }

    /// Thirty guests of three visits each, on days that `day` says of the number of a visit.
    fn planned_apart(day: fn(u32) -> u32) -> Vec<String> {
        let guests = vec![numbers("id", 1..=30), numbers("age", (0..30).map(|row| 20 + row * 7 % 50))];
        let days: Vec<String> = (0..90).map(|row| format!("2024-01-{:02}", day(row))).collect();
        let visits = vec![
            numbers("id", 1..=90),
            numbers("guest", (0..90).map(|row| row / 3 + 1)),
            Column::of("day", days.iter().map(|day| Some(day.as_str()))),
        ];
        let keys = vec![key("guest", "guests", "id", false)];
        let (_, _, plans) = planned(vec![table("guests", Vec::new(), guests), table("visits", keys, visits)]);
        plans.into_iter().find(|plan| plan.name == "visits").unwrap().apart
    }

    #[test]
    fn times_that_no_parent_has_twice_are_planned() {
        assert_eq!(planned_apart(|row| 1 + row % 3 * 7 + row / 3 % 7), ["day"]);
        assert!(planned_apart(|row| 1 + row % 3 / 2 * 7 + row / 3 % 7).is_empty());
    }

    #[test]
    fn rows_that_have_what_a_sibling_has_are_drawn_again() {
        let mut apart = Apart::new([("day", true)].into_iter(), &[]);
        let mut never = |_: &[u32], _: u64| -> Result<Table, Error> { panic!("nothing repeats") };
        let first = days(&["2024-01-01", "2024-01-01", "2024-01-05"]);
        let mut rows = first.clone();
        assert!(apart.redraw(&mut rows, &[0, 1, 2], &mut never).unwrap().is_empty());
        assert_eq!(rows, first);
        let mut asked = Vec::new();
        let mut draw = |open: &[u32], attempt: u64| -> Result<Table, Error> {
            asked.push((open.to_vec(), attempt));
            Ok(days(&["2024-01-07"; 3][..open.len()]))
        };
        // The first two have what siblings of the wave before have, and the third what the last has.
        let mut rows = days(&["2024-01-01", "2024-01-01", "2024-01-06", "2024-01-06"]);
        assert!(apart.redraw(&mut rows, &[0, 1, 2, 2], &mut draw).unwrap().is_empty());
        assert_eq!(cells(&rows, "day"), ["2024-01-07", "2024-01-07", "2024-01-06", "2024-01-07"]);
        let mut rows = days(&["2024-01-07"]);
        assert_eq!(apart.redraw(&mut rows, &[1], &mut draw).unwrap(), [0]);
        assert_eq!((asked[0].clone(), asked.len()), ((vec![0, 1, 3], 1), 1 + MAX_ATTEMPTS as usize));
    }

    #[test]
    fn dates_that_repeat_even_then_are_moved_to_the_nearest_free_day() {
        let bound = Bound { column: "day".to_owned(), parent: "guest>joined".to_owned(), is_later: true };
        let bounds = [bound];
        let wave = |day: &str, joined: &str, left: &str| {
            let column = |name: &str, cell: &str| Column::of(name, [Some(cell); 4]);
            let columns = vec![column("day", day), column("guest>joined", joined), column("left", left)];
            Table { columns, ..Table::default() }
        };
        let day = |n: u32| format!("2024-01-{n:02}");
        let of_month = |name: &str, month: &str| {
            let cells: Vec<String> = (1..=28).map(|n| format!("{month}-{n:02}")).collect();
            Column::of(name, cells.iter().map(|cell| Some(cell.as_str())))
        };
        let columns = vec![
            of_month("day", "2024-01"),
            of_month("guest>joined", "2023-12"),
            of_month("left", "2024-02"),
        ];
        let source = Table { columns, ..Table::default() };
        let order = Rule::Order { columns: vec!["day".to_owned(), "left".to_owned()], strict: false };
        let rules = rules(vec![order], &source);
        let moved = |joined: &str, left: &str| {
            let mut apart = Apart::new([("day", true)].into_iter(), &bounds);
            let mut again = |open: &[u32], _: u64| -> Result<Table, Error> {
                Ok(wave("2024-01-10", joined, left).select(open))
            };
            let mut rows = wave("2024-01-10", joined, left);
            let open = apart.redraw(&mut rows, &[7, 7, 7, 8], &mut again).unwrap();
            assert_eq!(open, [1, 2]);
            apart.settle(&mut rows, (&open, &[7, 7, 7, 8]), Some(&source), &rules, &mut Rng::new(1, 0));
            cells(&rows, "day").into_iter().map(str::to_owned).collect::<Vec<String>>()
        };
        assert_eq!(moved("2024-01-01", "2024-01-20"), [day(10), day(11), day(9), day(10)]);
        // Not before the guest joined, nor after the guest left.
        assert_eq!(moved("2024-01-10", "2024-01-20"), [day(10), day(11), day(12), day(10)]);
        assert_eq!(moved("2024-01-01", "2024-01-10"), [day(10), day(9), day(8), day(10)]);
        assert_eq!(moved("2024-01-10", "2024-01-10"), [day(10), day(10), day(10), day(10)]);
    }

    #[test]
    fn categories_that_repeat_even_then_become_others_that_siblings_lack() {
        let column = |kinds: &[&str]| Column::of("kind", kinds.iter().map(|kind| Some(*kind)));
        let kinds: Vec<&str> = (0..60).map(|row| ["tea", "cup", "tin", "pot"][row % 4]).collect();
        let source = Table { columns: vec![column(&kinds)], ..Table::default() };
        let mut rows = Table { columns: vec![column(&["tea"; 6])], ..Table::default() };
        let parents = [3, 3, 3, 3, 3, 4];
        let mut apart = Apart::new([("kind", true)].into_iter(), &[]);
        let all: Vec<u32> = (0..6).collect();
        let rules = rules(Vec::new(), &source);
        apart.settle(&mut rows, (&all, &parents), Some(&source), &rules, &mut Rng::new(1, 0));
        let mut family = cells(&rows, "kind");
        assert_eq!(family.pop(), Some("tea"));
        // There are four of them, for five rows.
        let different: HashSet<&str> = family.iter().copied().collect();
        assert_eq!((different.len(), family[0], family[4]), (4, "tea", "tea"));
    }

    #[test]
    fn what_is_unique_with_the_key_of_the_parent_is_planned() {
        let guests = vec![numbers("id", 1..=30), numbers("age", (0..30).map(|row| 20 + row * 7 % 50))];
        let kind = |row: usize| Some(["tea", "cup", "tin"][row % 3]);
        let orders = vec![
            numbers("id", 1..=90),
            numbers("guest", (0..90).map(|row| row / 3 + 1)),
            Column::of("kind", (0..90).map(kind)),
            numbers("seat", (0..90).map(|row| row % 3 * 5)),
            Column::of("note", (0..90).map(kind)),
        ];
        let guests = table("guests", Vec::new(), guests);
        let mut orders = table("orders", vec![key("guest", "guests", "id", false)], orders);
        let sets = [vec!["guest", "kind"], vec!["seat", "guest"], vec!["guest", "kind", "note"]];
        let names = |set: Vec<&str>| set.into_iter().map(str::to_owned).collect::<Vec<String>>();
        orders.0.unique = sets.map(names).to_vec();
        let (_, _, plans) = planned(vec![guests, orders]);
        let orders = plans.iter().find(|plan| plan.name == "orders").unwrap();
        // `seat` puts the rows in order.
        assert_eq!(orders.time.as_deref(), Some("seat"));
        assert_eq!(orders.apart, ["seat", "kind"]);
    }

    #[test]
    fn keeps_what_may_not_be_changed() {
        let source = days(&["2024-01-01", "2024-01-02", "2024-01-03"]);
        let mut apart = Apart::new([("day", false)].into_iter(), &[]);
        let mut rows = days(&["2024-01-02"; 2]);
        let rules = rules(Vec::new(), &source);
        apart.settle(&mut rows, (&[0, 1], &[4, 4]), Some(&source), &rules, &mut Rng::new(1, 0));
        assert_eq!(cells(&rows, "day"), ["2024-01-02"; 2]);
    }
}
