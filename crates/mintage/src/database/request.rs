//! What is asked of the models of a database.

use std::collections::BTreeMap;

use mintage_data::{
    Column, Declaration, Table,
    database::{Schema, Table as TableSchema},
    table::{
        encoder::Where,
        schema::{ColumnSchema, Kind},
        shift_dates,
    },
};

use super::{
    DatabaseModel,
    cells::by_text,
    filled::put,
    plan::{From, Part, TablePlan, Use},
};
use crate::{error::Error, model::Model};

/// Cells of all rows that are drawn at once: they are held in memory until they are written.
pub(super) const MAX_CELLS: f64 = 100e6;
/// Cells of all parts together: more is a slip of the pen.
const MAX_CELLS_OF_PARTS: f64 = 1e12;
/// Cells of a part.
const PART_CELLS: f64 = 25e6;
/// Characters of a cell that a message shows.
const MAX_CELL_SHOWN: usize = 40;
/// So many times more rows of a parent than in the source, or fewer, are worth a remark.
const MAX_RATIO: f64 = 1.5;

/// What to make of a model of a database.
#[derive(Clone, Debug)]
pub struct DatabaseRequest {
    /// Rows as a multiple of those of the source: those of tables without parents, from which all others follow.
    pub scale: f64,
    /// Seed of every random choice.
    pub seed: u64,
    /// 1 is the models' own distribution; lower is safer and less diverse.
    pub temperature: f32,
    /// Rows of some tables without a parent, in place of what `scale` says.
    pub rows: BTreeMap<String, usize>,
    /// Conditions that all rows of a table meet.
    pub conditions: Vec<(String, Where)>,
    /// Rows of tables in place of new ones: what they lack is drawn, and all that belongs to them. Where rows belong to others,
    /// their keys say to which; those without a key are spread over the parents.
    pub given: BTreeMap<String, Table>,
    /// How many cells [`DatabaseModel::parts`] draws at once, about.
    pub part_cells: f64,
}

/// How the rows that are asked for are held, which says how many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// All in memory.
    AtOnce,
    /// Part by part.
    InParts,
}

impl Default for DatabaseRequest {
    fn default() -> Self {
        let (rows, conditions, given) = Default::default();
        Self { scale: 1.0, seed: 1, temperature: 1.0, rows, conditions, given, part_cells: PART_CELLS }
    }
}

impl DatabaseRequest {
    /// Whether new rows are to be like those of the source together.
    pub(super) fn is_plain(&self) -> bool {
        self.temperature == 1.0 && self.conditions.is_empty() && self.given.is_empty()
    }
}

/// An error where something is asked that cannot be.
pub(super) fn check(model: &DatabaseModel, request: &DatabaseRequest, held: Held) -> Result<(), Error> {
    for table in request.rows.keys() {
        check_root(model, find(model, table)?)?;
    }
    for (table, rows) in &request.given {
        let plan = find(model, table)?;
        check_learned(plan)?;
        let Some(schema) = model.schema.table(table) else { continue };
        if let Some(unknown) = rows.names().find(|name| schema.column(name).is_none()) {
            let names: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
            return Err(Error::request(format!("`{table}` has no column `{unknown}`, which is given"))
                .with_hint(format!("its columns are {}", names.join(", "))));
        }
        check_cells(model, plan, rows)?;
    }
    for (table, condition) in &request.conditions {
        check_condition(&model.schema, find(model, table)?, &condition.column)?;
    }
    check_size(&model.schema, &model.plans, request, held)
}

/// An error where more rows are asked for than may be.
fn check_size(
    schema: &Schema,
    plans: &[TablePlan],
    request: &DatabaseRequest,
    held: Held,
) -> Result<(), Error> {
    let (most, why, made) = match held {
        Held::AtOnce => (MAX_CELLS, "are held at once", "made at once"),
        Held::InParts => (MAX_CELLS_OF_PARTS, "can be made", "made"),
    };
    let (rows, cells) = size(schema, plans, request);
    if cells <= most {
        return Ok(());
    }
    let error = Error::request(format!(
        "about {:.0} million rows are asked for, with {:.0} million cells, which is more than {why}",
        rows / 1e6,
        cells / 1e6
    ));
    let at = |scale: f64| size(schema, plans, &DatabaseRequest { scale, ..request.clone() }).1;
    // What does not grow with the scale: tables that are kept, and whose rows are said otherwise.
    let fixed = at(0.0);
    if fixed >= most {
        return Err(error.with_hint("ask for fewer rows: -n TABLE=N"));
    }
    let largest = (most - fixed) / (at(1.0) - fixed);
    let digits = if largest < 10.0 { 100.0 } else { 1.0 };
    let largest = (largest * digits).floor() / digits;
    Err(error.with_hint(format!("the largest that can be {made} is --scale {largest}")))
}

/// The rows of all new tables and their cells, about.
pub(super) fn size(schema: &Schema, plans: &[TablePlan], request: &DatabaseRequest) -> (f64, f64) {
    let sizes = sizes(schema, plans, request).into_iter();
    sizes.fold((0.0, 0.0), |(rows, cells), (more_rows, more_cells)| (rows + more_rows, cells + more_cells))
}

/// By plan the new rows of its table and their cells, about: as many children a parent as in the source.
pub(super) fn sizes(schema: &Schema, plans: &[TablePlan], request: &DatabaseRequest) -> Vec<(f64, f64)> {
    let scales = scales(schema, plans, request);
    let size = |plan: &TablePlan| {
        let table = schema.table(&plan.name).zip(scales.get(plan.name.as_str()));
        table.map_or((0.0, 0.0), |(table, scale)| {
            let rows = plan.rows as f64 * scale;
            (rows, rows * table.columns.len() as f64)
        })
    };
    plans.iter().map(size).collect()
}

/// By table its new rows as a multiple of those of the source.
fn scales<'a>(
    schema: &'a Schema,
    plans: &'a [TablePlan],
    request: &DatabaseRequest,
) -> BTreeMap<&'a str, f64> {
    let mut scales: BTreeMap<&str, f64> = BTreeMap::new();
    for plan in plans {
        let Some(table) = schema.table(&plan.name) else { continue };
        let parent = plan.main().map(|main| table.foreign_keys[main].parent.as_str());
        let scale = match (plan.part, said(plan, request), parent) {
            (Part::Kept | Part::Empty, ..) => 1.0,
            (Part::Learned, Some(n), _) => n as f64 / plan.rows.max(1) as f64,
            (Part::Learned, None, Some(parent)) => scales.get(parent).copied().unwrap_or(request.scale),
            (Part::Learned, None, None) => request.scale,
        };
        scales.insert(&plan.name, scale);
    }
    scales
}

/// The rows of a table that are asked for by its name.
fn said(plan: &TablePlan, request: &DatabaseRequest) -> Option<usize> {
    let given = request.given.get(&plan.name).map(Table::rows);
    given.or_else(|| request.rows.get(&plan.name).copied())
}

/// The further parents whose rows get far more children than in the source, or fewer: the numbers of both follow from
/// different tables.
pub(super) fn remarks(schema: &Schema, plans: &[TablePlan], request: &DatabaseRequest) -> Vec<String> {
    let scales = scales(schema, plans, request);
    let is_learned = |name: &str| plans.iter().any(|plan| plan.name == name && plan.part == Part::Learned);
    let mut remarks = Vec::new();
    for plan in plans.iter().filter(|plan| plan.part == Part::Learned) {
        let Some((table, own)) = schema.table(&plan.name).zip(scales.get(plan.name.as_str())) else {
            continue;
        };
        let main = plan.main().filter(|_| said(plan, request).is_none());
        let why = main.map_or_else(
            || "are asked for".to_owned(),
            |main| format!("follow from {}", table.foreign_keys[main].parent),
        );
        let keys = table.foreign_keys.iter().zip(&plan.keys);
        let further = keys.filter(|(key, is)| **is == Use::Matched && is_learned(&key.parent));
        for (key, _) in further {
            let Some(&scale) = scales.get(key.parent.as_str()) else { continue };
            let ratio = own / scale;
            let is_worth_it = ratio.is_finite() && !(1.0 / MAX_RATIO..=MAX_RATIO).contains(&ratio);
            let remark = format!(
                "{}: as many rows as {why}; each row of {} gets about {} times as many as in the source",
                plan.name,
                key.parent,
                short(ratio)
            );
            // Of no rows there is nothing to say; two keys to one parent say the same.
            if *own > 0.0 && scale > 0.0 && is_worth_it && !remarks.contains(&remark) {
                remarks.push(remark);
            }
        }
    }
    remarks
}

/// A positive number with a digit or two that matter.
fn short(number: f64) -> String {
    let digits = if number < 10.0 { (-number.log10().floor()).clamp(1.0, 6.0) as usize } else { 0 };
    format!("{number:.digits$}")
}

/// The rows of a table that belongs to no other; of any other about as many as it gets.
pub(super) fn scaled_rows(plan: &TablePlan, request: &DatabaseRequest) -> usize {
    said(plan, request).unwrap_or_else(|| (plan.rows as f64 * request.scale).round().max(1.0) as usize)
}

fn find<'a>(model: &'a DatabaseModel, table: &str) -> Result<&'a TablePlan, Error> {
    model.plans.iter().find(|plan| plan.name == table).ok_or_else(|| {
        let names: Vec<&str> = model.plans.iter().map(|plan| plan.name.as_str()).collect();
        Error::request(format!("the database has no table `{table}`"))
            .with_hint(format!("its tables are {}", names.join(", ")))
    })
}

/// Whether rows of a table are drawn.
fn check_learned(plan: &TablePlan) -> Result<(), Error> {
    let name = &plan.name;
    match plan.part {
        Part::Learned => Ok(()),
        Part::Kept => {
            Err(Error::request(format!("the rows of `{name}` are kept as they are ({})", plan.why))
                .with_hint(format!("to have new ones, train again with --learn {name}")))
        }
        Part::Empty => Err(Error::request(format!("`{name}` had no rows to learn from"))),
    }
}

/// An error where a cell that is given is no number or no date, though those of its column are: a store may take it all the
/// same.
fn check_cells(model: &DatabaseModel, plan: &TablePlan, given: &Table) -> Result<(), Error> {
    let Some(at) = model.plans.iter().position(|own| own.name == plan.name) else { return Ok(()) };
    let learned = model.table(at)?;
    let (_, codec) = learned.rows()?;
    for column in &given.columns {
        let known = codec.rules.own().column(&column.name);
        let Some((row, what)) = known.and_then(|known| misfit(known, column)) else { continue };
        let cell: String = column.cell(row).unwrap_or_default().chars().take(MAX_CELL_SHOWN).collect();
        return Err(Error::request(format!(
            "`{}`, row {}: `{}` is `{cell}`, which is no {what}",
            plan.name,
            row + 1,
            column.name
        ))
        .with_hint(format!("write a {what} there, or leave the cell empty")));
    }
    Ok(())
}

/// The row of the first cell that is no number or no date where its column holds such, however they are written; and which of
/// both it should be.
fn misfit(known: &ColumnSchema, column: &Column) -> Option<(usize, &'static str)> {
    let what = match known.kind {
        Kind::Integer | Kind::Number => "number",
        Kind::Datetime => "date",
        Kind::Boolean | Kind::Category | Kind::Id | Kind::Text | Kind::Constant => return None,
    };
    let is_one = |text: &str| match known.kind {
        Kind::Datetime => shift_dates(&Column::of(&column.name, [Some(text)]), &|_| 0).1 == 0,
        _ => text.trim().parse::<f64>().is_ok_and(f64::is_finite),
    };
    let suits = |text: &str| {
        let is_odd = known.odd.iter().any(|odd| odd == text);
        known.is_missing(Some(text)) || is_odd || known.number(text).is_some() || is_one(text)
    };
    let row = by_text(column, |text| !suits(text), false).into_iter().position(|is_wrong| is_wrong)?;
    Some((row, what))
}

/// Whether rows of a table come by themselves: not kept, and of no parent.
fn check_root(model: &DatabaseModel, plan: &TablePlan) -> Result<(), Error> {
    check_learned(plan)?;
    let name = &plan.name;
    let Some(main) = plan.main() else { return Ok(()) };
    let parent = model.schema.table(name).map_or("", |table| &table.foreign_keys[main].parent);
    let roots = model.plans.iter().filter(|plan| plan.part == Part::Learned && plan.main().is_none());
    let roots: Vec<&str> = roots.map(|plan| plan.name.as_str()).collect();
    Err(Error::request(format!(
        "the rows of `{name}` follow from those of `{parent}`: its number of rows cannot be said"
    ))
    .with_hint(format!("say it of {}", roots.join(", "))))
}

/// A condition is for a column that is drawn.
fn check_condition(schema: &Schema, plan: &TablePlan, column: &str) -> Result<(), Error> {
    let name = &plan.name;
    if plan.part != Part::Learned {
        return Err(Error::request(format!("no row of `{name}` is drawn: {}", plan.why)));
    }
    let Some(table) = schema.table(name) else { return Ok(()) };
    if table.column(column).is_none() {
        let names = table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Error::request(format!("`{name}` has no column `{column}`"))
            .with_hint(format!("its columns are {names}")));
    }
    let key = table
        .foreign_keys
        .iter()
        .zip(&plan.keys)
        .find(|(key, is)| **is != Use::Value && key.columns.iter().any(|own| own == column));
    if let Some((key, _)) = key {
        return Err(Error::request(format!("`{column}` of `{name}` is a key to `{}`", key.parent))
            .with_hint(format!("give a condition on a column of `{}`", key.parent)));
    }
    if let Some(copied) = plan.copied.iter().find(|copied| copied.column == column) {
        return match &copied.from {
            From::Parent(context) => {
                let why = format!("`{column}` of `{name}` is that of a parent");
                Err(Error::request(why).with_hint(format!(
                    "give the condition on {}.{}",
                    parent_behind(schema, name, &context.keys),
                    context.column
                )))
            }
            From::FirstSibling => Ok(()),
        };
    }
    if let Some(total) = plan.totals.iter().find(|total| total.column == column) {
        return Err(Error::request(format!("`{column}` of `{name}` is computed from `{}`", total.table))
            .with_hint(format!("give a condition on a column of `{}`", total.table)));
    }
    if plan.first.is_some() && plan.time.as_deref() == Some(column) {
        let parent = plan.main().map_or("", |main| &table.foreign_keys[main].parent);
        let why =
            format!("`{column}` just numbers the rows of `{name}` that belong to one row of `{parent}`");
        return Err(Error::request(why).with_hint(format!(
            "give the condition on another column of `{name}`, or on one of `{parent}`"
        )));
    }
    if plan.number.as_deref() == Some(column) {
        return Err(Error::request(format!("`{column}` just numbers the rows of `{name}`")));
    }
    Ok(())
}

/// The table to which keys lead, one after the other.
fn parent_behind<'a>(schema: &'a Schema, table: &'a str, keys: &[usize]) -> &'a str {
    let up = |table: &'a str, key: &usize| {
        let key = schema.table(table).and_then(|table| table.foreign_keys.get(*key));
        key.map_or(table, |key| key.parent.as_str())
    };
    keys.iter().fold(table, up)
}

/// Puts rows that are given in the place of those drawn. Cells without a value stay so where they may be; else they have what
/// was drawn for them.
pub(super) fn put_given(table: &mut Table, given: &Table, schema: &TableSchema) {
    for column in &given.columns {
        let mut new = column.clone();
        let must = schema.column(&column.name).is_some_and(|own| !own.nullable);
        if let Some(drawn) = table.column(&column.name).filter(|drawn| must && drawn.len() == new.len()) {
            let empty = (0..column.len()).filter(|&row| column.cell(row).is_none());
            empty.for_each(|row| new.set(row, drawn.cell(row)));
        }
        put(table, [new]);
    }
}

/// Numbers `n` rows from `first` on; of rows that are given those without a number, after the largest that is given.
pub(super) fn number_rows(table: &mut Table, name: &str, n: usize, first: i64) {
    let number = |at: usize| i64::try_from(at).map_or(i64::MAX, |at| first.saturating_add(at)).to_string();
    let Some(column) = table.columns.iter_mut().find(|column| column.name == name) else {
        let mut column = Column::new(name, Declaration::default());
        (0..n).for_each(|row| column.push(Some(&number(row))));
        table.columns.push(column);
        return;
    };
    let largest = column.values().iter().filter_map(|text| text.parse::<i64>().ok()).max();
    let from = largest
        .map_or(0, |largest| usize::try_from(largest.saturating_sub(first).saturating_add(1)).unwrap_or(0));
    let empty: Vec<usize> = (0..column.len()).filter(|&row| column.cell(row).is_none()).collect();
    for (at, row) in empty.into_iter().enumerate() {
        column.set(row, Some(&number(from + at)));
    }
}

/// Of rows that are given the columns that a model can draw others by: no texts and no identifiers.
pub(super) fn light_part(model: &Model, plan: &TablePlan, given: &Table) -> Result<Table, Error> {
    let (_, codec) = model.rows()?;
    let schema = codec.rules.own();
    let is_light = |name: &str| {
        let kind = schema.columns.iter().find(|column| column.name == name).map(|column| column.kind);
        kind.is_some_and(|kind| !matches!(kind, Kind::Id | Kind::Text | Kind::Constant))
    };
    let columns = given.columns.iter();
    let columns = columns.filter(|column| plan.own.contains(&column.name) && is_light(&column.name)).cloned();
    Ok(Table { columns: columns.collect(), ..given.head() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::SourceSpec;

    use super::*;
    use crate::database::{
        filled::numbers,
        planner::described,
        testing::{key, planned, table},
    };

    #[test]
    fn finds_given_cells_that_are_no_date_or_no_number() {
        let dates: Vec<String> = (0..56).map(|row| format!("2024-03-{:02}", row % 28 + 1)).collect();
        let columns = vec![
            Column::of("since", dates.iter().map(|date| Some(date.as_str()))),
            numbers("points", (0..56).map(|row| row * 37 % 50)),
            Column::of("kind", (0..56).map(|row| Some(["a", "b"][row % 2]))),
        ];
        let known = described(&Table { columns, ..Table::default() }, &SourceSpec::default());
        let found = |name: &str, cells: &[Option<&str>]| {
            misfit(known.column(name).unwrap(), &Column::of(name, cells.iter().copied()))
        };
        let dates = [Some("2024-05-01"), None, Some("hello")];
        assert_eq!(found("since", &dates), Some((2, "date")));
        // Written in other ways.
        assert_eq!(found("since", &[Some("01.05.2024"), Some("2024-05-01 10:00:00")]), None);
        assert_eq!(found("points", &[Some("7"), Some("7.5"), Some("many")]), Some((2, "number")));
        assert_eq!(found("kind", &[Some("c")]), None);
    }

    #[test]
    fn given_cells_that_must_have_a_value_are_drawn() {
        let columns = vec![Column::of("kind", [None]), Column::of("note", [None]), numbers("id", 1..=1)];
        let note_may_be_missing = vec![key("note", "notes", "id", true)];
        let (schema, _) = table("customers", note_may_be_missing, columns);
        let column = |name: &str, cells: [Option<&str>; 3]| Column::of(name, cells);
        let given = Table {
            columns: vec![
                column("kind", [Some("mine"), None, None]),
                column("note", [Some("1"), None, Some("3")]),
                column("id", [Some("7"), None, None]),
            ],
            ..Table::default()
        };
        let drawn = vec![column("note", [Some("x"); 3]), column("kind", [Some("a"), Some("b"), Some("c")])];
        let mut rows = Table { columns: drawn, ..Table::default() };
        put_given(&mut rows, &given, &schema);
        number_rows(&mut rows, "id", 3, 1);
        let cells = |name: &str| rows.column(name).unwrap().iter().collect::<Vec<_>>();
        assert_eq!(cells("kind"), [Some("mine"), Some("b"), Some("c")]);
        assert_eq!(cells("note"), [Some("1"), None, Some("3")]);
        assert_eq!(cells("id"), [Some("7"), Some("8"), Some("9")]);
        number_rows(&mut rows, "number", 3, 5);
        let numbers = rows.column("number").unwrap().iter().collect::<Vec<_>>();
        assert_eq!(numbers, [Some("5"), Some("6"), Some("7")]);
    }

    #[test]
    fn rejects_conditions_on_what_numbers_siblings() {
        let firms = vec![numbers("id", 1..=20), numbers("size", (0..20).map(|row| row % 9))];
        let staff = vec![
            numbers("id", 1..=80),
            numbers("firm", (0..80).map(|row| row / 4 + 1)),
            numbers("place", (0..80).map(|row| row % 4 + 1)),
            numbers("grade", (0..80).map(|row| row * 7 % 5)),
        ];
        let staff = table("staff", vec![key("firm", "firms", "id", false)], staff);
        let (schema, _, plans) = planned(vec![table("firms", Vec::new(), firms), staff]);
        let staff = plans.iter().find(|plan| plan.name == "staff").unwrap();
        let error = check_condition(&schema, staff, "place").unwrap_err();
        assert!(error.to_string().contains("numbers the rows of `staff`"), "{error}");
        assert!(check_condition(&schema, staff, "grade").is_ok());
    }

    #[test]
    fn says_whose_rows_get_other_numbers_of_children() {
        let firms = || vec![numbers("id", 1..=20), numbers("size", (0..20).map(|row| row % 9))];
        let lines = vec![
            numbers("id", 1..=80),
            numbers("track", (0..80).map(|row| row / 4 + 1)),
            numbers("invoice", (0..80).map(|row| row * 7 % 20 + 1)),
            numbers("pieces", (0..80).map(|row| row * 7 % 5)),
        ];
        let keys = vec![key("track", "tracks", "id", false), key("invoice", "invoices", "id", false)];
        let (schema, _, plans) = planned(vec![
            table("tracks", Vec::new(), firms()),
            table("invoices", Vec::new(), firms()),
            table("lines", keys, lines),
        ]);
        let main = plans.iter().find(|plan| plan.name == "lines").unwrap().main().unwrap();
        let (main, other) = if main == 0 { ("tracks", "invoices") } else { ("invoices", "tracks") };
        let of = |rows: &[(&str, usize)]| {
            let rows = rows.iter().map(|(table, n)| ((*table).to_owned(), *n)).collect();
            remarks(&schema, &plans, &DatabaseRequest { rows, ..DatabaseRequest::default() })
        };
        let said = |times: &str| {
            format!(
                "lines: as many rows as follow from {main}; each row of {other} gets about {times} times as many \
                 as in the source"
            )
        };
        assert_eq!(of(&[(main, 2)]), [said("0.1")]);
        assert_eq!(of(&[(other, 4)]), [said("5.0")]);
        // Both alike, and neither far from the other.
        assert!(of(&[]).is_empty());
        assert!(of(&[(main, 200), (other, 200)]).is_empty());
        assert!(of(&[(main, 25)]).is_empty());
    }

    #[test]
    fn rejects_more_rows_than_can_be_held() {
        let firms = vec![numbers("id", 1..=20), numbers("size", (0..20).map(|row| row % 9))];
        let staff = vec![numbers("id", 1..=80), numbers("firm", (0..80).map(|row| row / 4 + 1))];
        let staff = table("staff", vec![key("firm", "firms", "id", false)], staff);
        let (schema, _, plans) = planned(vec![table("firms", Vec::new(), firms), staff]);
        let at = |scale| DatabaseRequest { scale, ..DatabaseRequest::default() };
        assert_eq!(size(&schema, &plans, &at(2.5)), (250.0, 500.0));
        assert!(check_size(&schema, &plans, &at(1e5), Held::AtOnce).is_ok());
        let error = check_size(&schema, &plans, &at(1e9), Held::AtOnce).unwrap_err();
        assert_eq!(error.hint().as_deref(), Some("the largest that can be made at once is --scale 500000"));
        assert!(check_size(&schema, &plans, &at(5e5), Held::AtOnce).is_ok());
        // A number of rows is scaled by what belongs to them.
        let rows = BTreeMap::from([("firms".to_owned(), 40_000_000)]);
        let request = DatabaseRequest { rows, ..at(1.0) };
        let error = check_size(&schema, &plans, &request, Held::AtOnce).unwrap_err();
        assert!(error.to_string().contains("200 million rows"), "{error}");
        assert!(error.hint().unwrap().contains("-n TABLE=N"));
        // In parts there may be as many as anybody wants, and not more.
        assert!(check_size(&schema, &plans, &request, Held::InParts).is_ok());
        let error = check_size(&schema, &plans, &at(1e10), Held::InParts).unwrap_err();
        assert!(error.to_string().contains("more than can be made"), "{error}");
        assert_eq!(error.hint().as_deref(), Some("the largest that can be made is --scale 5000000000"));
    }
}
