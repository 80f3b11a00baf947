//! Columns of a parent that its children come to: the total of an invoice is the sum of its lines, `orders` of a customer
//! their number, `last_seen` the latest of their times. What holds in the source is computed for new rows when all are there.

use std::collections::{HashMap, HashSet};

use mintage_data::{
    Column,
    database::Schema,
    table::schema::{Kind, TableSchema},
};

use super::{
    cells::number,
    filled::{Database, Filled, NONE},
    plan::{Context, From, Kinds, MAX_DECIMALS, Of, Part, TablePlan, Total},
};

/// Parents with children that must agree.
const MIN_SHARE: f64 = 0.99;
/// Different totals without which equal numbers are a chance.
const MIN_DIFFERENT: usize = 8;
/// Columns of children that are tried.
const MAX_COLUMNS: usize = 12;
/// Parents that a first look is for.
const MIN_FIRST: usize = 256;
/// How far a total may be off, of itself: what numbers in tables are rounded to.
const TOLERANCE: f64 = 1e-9;

/// The numbers of a column, of which each text is read once.
struct Numbers<'a> {
    /// For each row the number of its text.
    cells: &'a [u32],
    values: Vec<Option<f64>>,
}

impl<'a> Numbers<'a> {
    fn of(column: &'a Column) -> Self {
        Self { cells: column.numbers(), values: column.values().iter().map(number).collect() }
    }

    /// Nothing where a cell is missing or no number.
    fn get(&self, row: usize) -> Option<f64> {
        self.values.get(self.cells[row] as usize).copied().flatten()
    }
}

/// The numbers of some columns of a table, by their names.
type Columns<'a> = HashMap<&'a str, Numbers<'a>>;

/// Reads columns of a table, those of them that are there.
fn read<'a>(filled: &'a Filled, names: impl Iterator<Item = &'a str>) -> Columns<'a> {
    names.filter_map(|name| Some((name, Numbers::of(filled.table.column(name)?)))).collect()
}

/// Gives plans the totals that hold in the source.
pub(super) fn find(schema: &Schema, source: &Database, kinds: &Kinds, plans: &mut [TablePlan]) {
    let learned: Vec<(String, Vec<(String, Kind)>)> = plans
        .iter()
        .filter(|plan| plan.part == Part::Learned)
        .filter_map(|plan| Some((plan.name.clone(), numbers_of(plan, kinds.get(&plan.name)?))))
        .collect();
    let numbers: HashMap<&str, Columns> = learned
        .iter()
        .filter_map(|(table, columns)| {
            let names = columns.iter().map(|(name, _)| name.as_str());
            Some((table.as_str(), read(source.get(table)?, names)))
        })
        .collect();
    let copies = copies(plans);
    for plan in plans.iter_mut().filter(|plan| plan.part == Part::Learned) {
        let Some((_, columns)) = learned.iter().find(|(name, _)| *name == plan.name) else { continue };
        let Some((parent, own)) = source.get(&plan.name).zip(numbers.get(plan.name.as_str())) else {
            continue;
        };
        for (column, kind) in columns {
            let texts = parent.table.column(column).map(Column::values);
            let texts = texts.filter(|texts| texts.len() >= MIN_DIFFERENT);
            let Some((texts, cells)) = texts.zip(own.get(column.as_str())) else { continue };
            let all = schema.tables.iter().flat_map(|table| {
                table.foreign_keys.iter().enumerate().map(move |(at, key)| (table, at, key))
            });
            let children = all.filter(|(table, _, key)| key.parent == plan.name && table.name != plan.name);
            for (table, key, _) in children {
                let (Some(child), Some((_, own)), Some(numbers)) = (
                    source.get(&table.name),
                    learned.iter().find(|(name, _)| *name == table.name),
                    numbers.get(table.name.as_str()),
                ) else {
                    continue;
                };
                let whole = child.parents.get(key).filter(|_| child.is_whole(key));
                let Some(parents) = whole else { continue };
                let is_copy = |of: &Of| match of {
                    Of::Sum(own) | Of::Least(own) | Of::Most(own) => {
                        copies.contains(&(table.name.clone(), key, own.clone(), column.clone()))
                    }
                    Of::Number | Of::Product(..) => false,
                };
                let mut all = candidates(own, *kind).into_iter().filter(|of| !is_copy(of));
                if let Some(of) = all.find(|of| holds((cells, parent.learned()), numbers, parents, of)) {
                    let decimals = texts.iter().map(decimals).max().unwrap_or(0);
                    let table = table.name.clone();
                    plan.totals.push(Total { column: column.clone(), table, key, of, decimals });
                    break;
                }
            }
        }
    }
}

/// Columns that copy one of the parent of a key: table, key, its own column and the parent's. What is copied of a parent is
/// nothing that the parent is computed from.
fn copies(plans: &[TablePlan]) -> HashSet<(String, usize, String, String)> {
    let copied = plans.iter().flat_map(|plan| plan.copied.iter().map(move |copied| (plan, copied)));
    let of_parent = copied.filter_map(|(plan, copied)| match &copied.from {
        From::Parent(Context { keys, column, .. }) => match keys.as_slice() {
            [key] => Some((plan.name.clone(), *key, copied.column.clone(), column.clone())),
            _ => None,
        },
        From::FirstSibling => None,
    });
    of_parent.collect()
}

/// Columns of numbers and dates.
fn numbers_of(plan: &TablePlan, found: &TableSchema) -> Vec<(String, Kind)> {
    let is_number = |kind: Kind| matches!(kind, Kind::Integer | Kind::Number | Kind::Datetime);
    let all = found.columns.iter().filter(|column| plan.own.contains(&column.name) && is_number(column.kind));
    all.map(|column| (column.name.clone(), column.kind)).take(MAX_COLUMNS).collect()
}

/// What a column may be made of.
fn candidates(own: &[(String, Kind)], kind: Kind) -> Vec<Of> {
    let of_kind = |wanted: bool| own.iter().filter(move |(_, kind)| (*kind == Kind::Datetime) == wanted);
    let ends = |name: &String| [Of::Least(name.clone()), Of::Most(name.clone())];
    if kind == Kind::Datetime {
        return of_kind(true).flat_map(|(name, _)| ends(name)).collect();
    }
    let names: Vec<&String> = of_kind(false).map(|(name, _)| name).collect();
    let mut all = vec![Of::Number];
    all.extend(names.iter().map(|name| Of::Sum((*name).clone())));
    for (at, a) in names.iter().enumerate() {
        all.extend(names[at + 1..].iter().map(|b| Of::Product((*a).clone(), (*b).clone())));
    }
    all.extend(names.iter().flat_map(|name| ends(name)));
    all
}

/// Whether the cells of parents, of so many of them, are what their children come to.
fn holds((cells, n): (&Numbers, usize), children: &Columns, parents: &[u32], of: &Of) -> bool {
    // Most do not: a few parents tell.
    let few = totals(children, parents, n, of, Some(MIN_FIRST));
    let agree = |totals: &[Option<f64>]| {
        let pairs = totals.iter().enumerate().filter_map(|(row, total)| Some((cells.get(row), (*total)?)));
        let (mut all, mut same) = (0usize, 0usize);
        for (cell, total) in pairs {
            all += 1;
            same += usize::from(cell.is_some_and(|cell| is_near(cell, total)));
        }
        all >= MIN_DIFFERENT && same as f64 >= MIN_SHARE * all as f64
    };
    agree(&few) && agree(&totals(children, parents, n, of, None))
}

fn is_near(a: f64, b: f64) -> bool {
    (a - b).abs() <= TOLERANCE * a.abs().max(1.0)
}

/// For each of `n` parents what its children come to, rounded to six digits; nothing where it has none, or where a cell is
/// missing. `first` asks for the first parents alone.
fn totals(children: &Columns, parents: &[u32], n: usize, of: &Of, first: Option<usize>) -> Vec<Option<f64>> {
    let n = first.map_or(n, |first| n.min(first));
    let column = |name: &String| children.get(name.as_str());
    let columns = match of {
        Of::Number => Some((None, None)),
        Of::Sum(a) | Of::Least(a) | Of::Most(a) => column(a).map(|a| (Some(a), None)),
        Of::Product(a, b) => column(a).zip(column(b)).map(|(a, b)| (Some(a), Some(b))),
    };
    let Some((a, b)) = columns else { return vec![None; n] };
    let cell = |column: Option<&Numbers>, row: usize| column.map_or(Some(1.0), |column| column.get(row));
    let mut totals: Vec<Option<f64>> = vec![None; n];
    let mut is_open = vec![false; n];
    for (row, &parent) in parents.iter().enumerate().filter(|(_, parent)| **parent != NONE) {
        let at = parent as usize;
        if at >= n {
            continue;
        }
        let Some(value) = cell(a, row).zip(cell(b, row)).map(|(a, b)| a * b) else {
            is_open[at] = true;
            continue;
        };
        totals[at] = Some(match (of, totals[at]) {
            (_, None) => value,
            (Of::Least(_), Some(total)) => total.min(value),
            (Of::Most(_), Some(total)) => total.max(value),
            (_, Some(total)) => total + value,
        });
    }
    let whole = totals.into_iter().zip(is_open).map(|(total, is_open)| total.filter(|_| !is_open));
    whole.map(|total| total.map(|total| (total * 1e6).round() / 1e6)).collect()
}

/// Computes the totals of all tables, children before parents.
pub(super) fn compute(plans: &[TablePlan], made: &mut Database) {
    for plan in plans.iter().rev() {
        for total in &plan.totals {
            let Some(children) = made.get(&total.table) else { continue };
            let Some(parent) = made.get(&plan.name) else { continue };
            let Some(parents) = children.parents.get(total.key) else { continue };
            let texts = texts(children, parents, parent.rows(), total);
            let Some(parent) = made.get_mut(&plan.name) else { continue };
            let own = parent.table.columns.iter_mut().find(|own| own.name == total.column);
            let Some(own) = own else { continue };
            for (row, text) in texts.iter().enumerate().take(own.len()) {
                if let Some(text) = text {
                    own.set(row, Some(text));
                }
            }
        }
    }
}

/// The totals as they are written; dates as those of the children are.
fn texts(children: &Filled, parents: &[u32], n: usize, total: &Total) -> Vec<Option<String>> {
    let (Of::Least(name) | Of::Most(name)) = &total.of else {
        let names: Vec<&str> = match &total.of {
            Of::Number => Vec::new(),
            Of::Sum(a) | Of::Least(a) | Of::Most(a) => vec![a.as_str()],
            Of::Product(a, b) => vec![a.as_str(), b.as_str()],
        };
        let totals = totals(&read(children, names.into_iter()), parents, n, &total.of, None).into_iter();
        return totals.map(|total_| total_.map(|value| format!("{value:.0$}", total.decimals))).collect();
    };
    let mut ends: Vec<Option<(f64, &str)>> = vec![None; n];
    let Some(column) = children.table.column(name) else { return vec![None; n] };
    for (row, &parent) in parents.iter().enumerate().filter(|(_, parent)| (**parent as usize) < n) {
        let Some((value, text)) = column.cell(row).and_then(|text| Some((number(text)?, text))) else {
            continue;
        };
        let end = &mut ends[parent as usize];
        let is_further = |(end, _): &(f64, &str)| match total.of {
            Of::Least(_) => value < *end,
            _ => value > *end,
        };
        if end.as_ref().is_none_or(is_further) {
            *end = Some((value, text));
        }
    }
    ends.into_iter().map(|end| end.map(|(_, text)| text.to_owned())).collect()
}

/// Digits after the point.
fn decimals(text: &str) -> usize {
    match (number(text), text.split_once('.')) {
        (Some(_), Some((_, digits))) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.len().min(MAX_DECIMALS)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::Table;

    use super::*;
    use crate::database::{
        filled::numbers,
        testing::{key, planned, table},
    };

    fn column(name: &str, cells: &[f64]) -> Column {
        let texts: Vec<String> = cells.iter().map(f64::to_string).collect();
        Column::of(name, texts.iter().map(|text| Some(text.as_str())))
    }

    fn lines() -> Filled {
        let prices: Vec<f64> = (0..40).map(|row| f64::from(row) + 0.25).collect();
        let amounts: Vec<f64> = (0..40).map(|row| f64::from(row % 3 + 1)).collect();
        let table =
            Table { columns: vec![column("price", &prices), column("amount", &amounts)], ..Table::default() };
        Filled { table, parents: vec![(0..40).map(|row| row / 4).collect()], ..Filled::default() }
    }

    #[test]
    fn sums_of_products_are_found_and_computed() {
        let lines = lines();
        let of = Of::Product("price".to_owned(), "amount".to_owned());
        let (numbers, parents) = (read(&lines, ["price", "amount"].into_iter()), &lines.parents[0]);
        let sums: Vec<f64> = totals(&numbers, parents, 10, &of, None).into_iter().flatten().collect();
        let sums = column("total", &sums);
        assert!(holds((&Numbers::of(&sums), 10), &numbers, parents, &of));
        assert!(!holds((&Numbers::of(&sums), 10), &numbers, parents, &Of::Sum("price".to_owned())));
        let total = Total { column: "total".to_owned(), table: "lines".to_owned(), key: 0, of, decimals: 2 };
        let written = texts(&lines, &lines.parents[0], 11, &total);
        // 0.25 + 2 × 1.25 + 3 × 2.25 + 3.25
        assert_eq!((written[0].as_deref(), written[10].as_deref()), (Some("12.75"), None));
    }

    #[test]
    fn what_children_copy_of_a_parent_is_no_total() {
        let day = |row: usize| format!("2024-{:02}-{:02}", row % 12 + 1, row % 28 + 1);
        let dates = |name: &str, n: usize, each: usize| {
            let cells: Vec<String> = (0..n).map(|row| day(row / each)).collect();
            Column::of(name, cells.iter().map(|cell| Some(cell.as_str())))
        };
        let lent =
            vec![numbers("id", 1..=60), dates("lent", 60, 1), numbers("film", (0..60).map(|row| row % 9))];
        let paid = vec![
            numbers("id", 1..=120),
            numbers("rental", (0..120).map(|row| row / 2 + 1)),
            dates("paid", 120, 2),
            numbers("amount", (0..120).map(|row| row * 7 % 11)),
        ];
        let keys = vec![key("rental", "rentals", "id", false)];
        let (_, _, plans) = planned(vec![table("rentals", Vec::new(), lent), table("payments", keys, paid)]);
        let of = |name: &str| plans.iter().find(|plan| plan.name == name).unwrap();
        assert_eq!(of("payments").copied.len(), 1);
        assert_eq!(of("rentals").totals, []);
    }

    #[test]
    fn cells_without_a_number_have_none() {
        let column = Column::of("x", [Some("2.5"), None, Some("?"), Some("2.5")]);
        let numbers = Numbers::of(&column);
        let all: Vec<Option<f64>> = (0..column.len()).map(|row| numbers.get(row)).collect();
        assert_eq!((all, numbers.values.len()), (vec![Some(2.5), None, None, Some(2.5)], 2));
    }

    #[test]
    fn the_latest_is_written_as_it_stands() {
        let times = Column::of("at", [Some("2024-01-02"), Some("2024-01-10"), Some("2023-05-05"), None]);
        let table = Table { columns: vec![times], ..Table::default() };
        let children = Filled { table, parents: vec![vec![0, 0, 0, 1]], ..Filled::default() };
        let total = |of| Total { column: "x".to_owned(), table: "t".to_owned(), key: 0, of, decimals: 0 };
        let most = texts(&children, &children.parents[0], 2, &total(Of::Most("at".to_owned())));
        assert_eq!(most, [Some("2024-01-10".to_owned()), None]);
        let least = texts(&children, &children.parents[0], 2, &total(Of::Least("at".to_owned())));
        assert_eq!(least[0].as_deref(), Some("2023-05-05"));
    }
}
