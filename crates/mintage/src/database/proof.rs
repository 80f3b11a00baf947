//! What can be counted of new rows, and needs no judgement: keys that repeat, cells that may not be missing, keys that
//! refer to nothing, and values that point at somebody and that the source has as well. All of them should be 0.
//!
//! Rows are counted as the models draw them, before a store refuses any.

use std::collections::{HashMap, HashSet};

use mintage_data::{
    SourceSpec, Table,
    database::{ForeignKey, Generated, Table as TableSchema},
    table::{
        schema::{TableSchema as TableKinds, TextMode},
        spelled,
    },
};
use serde::Serialize;

use super::{
    DatabaseData,
    filled::{columns_at, is_meant, key_of},
    persons::Persons,
    plan::{Part, TablePlan},
    texts::TextPlan,
};
use crate::evaluate::table::holds;

/// What was counted of all tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Proof {
    /// Those that have rows, parents first.
    pub tables: Vec<TableProof>,
    /// What the recipe wants of texts: with `redraw` they are those of the source, and so are the values of persons.
    pub text: TextMode,
}

/// What was counted of the new rows of one table.
#[derive(Clone, Debug, Serialize)]
pub struct TableProof {
    /// The table.
    pub table: String,
    /// New rows.
    pub rows: usize,
    /// Whether they are those of the source.
    pub is_kept: bool,
    /// The primary key and each set of UNIQUE columns: rows whose values an earlier row has.
    pub unique: Vec<Counted>,
    /// Each column that may not be NULL: rows without a value.
    pub not_null: Vec<Counted>,
    /// Each foreign key: rows that refer to a row that is not there.
    pub keys: Vec<Counted>,
    /// Each column that is made afresh or may point at a person: different new values that the source has as well, however
    /// they are spelled. Whole values of a column are compared with those of the same column, so that given names, cities and
    /// streets count as names and addresses do: what is made is none of the source, even where nature would have both. Not
    /// counted are regions, which are a closed list, keys, which are counted where they refer to, and numbers
    /// of rows.
    pub personal: Vec<Counted>,
    /// Columns of free text that a language model wrote; their texts are counted with the personal values.
    pub written: Vec<Written>,
}

/// A column of free text that a language model wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The column.
    pub column: String,
    /// What wrote it, in words: "an n-gram model (1.32 bits a character)".
    pub by: String,
}

/// How many of something were checked, and how many are wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The column, or the columns with commas between them.
    pub of: String,
    /// Rows or values that were checked.
    pub checked: usize,
    /// Those that are wrong; 0 is right.
    pub failed: usize,
}

impl Proof {
    /// Rows whose primary key or UNIQUE columns an earlier row has.
    pub fn duplicates(&self) -> usize {
        self.tables.iter().map(|table| failed(&table.unique)).sum()
    }

    /// Cells without a value in columns that may not be NULL.
    pub fn missing(&self) -> usize {
        self.tables.iter().map(|table| failed(&table.not_null)).sum()
    }

    /// Keys that refer to a row that is not there.
    pub fn lost(&self) -> usize {
        self.tables.iter().map(|table| failed(&table.keys)).sum()
    }

    /// Values that are made afresh or may point at a person, and that the source has as well; without those of tables that
    /// are kept as they are.
    pub fn shared(&self) -> usize {
        let made = self.tables.iter().filter(|table| !table.is_kept);
        made.map(|table| failed(&table.personal)).sum()
    }

    /// The same, with the columns that a language model wrote named.
    pub fn with_written(mut self, texts: &[TextPlan]) -> Self {
        for table in &mut self.tables {
            let own = texts.iter().filter(|text| text.table == table.table);
            table.written =
                own.map(|text| Written { column: text.column.clone(), by: text.writer() }).collect();
        }
        self
    }

    /// Whether nothing is wrong.
    pub fn holds(&self) -> bool {
        self.duplicates() + self.missing() + self.lost() + self.shared() == 0
    }
}

/// How many of all that was checked are wrong.
pub(super) fn failed(all: &[Counted]) -> usize {
    all.iter().map(|counted| counted.failed).sum()
}

/// Counts what has to be true of the new rows of a model whose tables were learned as `plans` say.
pub fn prove(data: &DatabaseData, plans: &[TablePlan], made: &[Table]) -> Proof {
    let new: HashMap<&str, &Table> = made.iter().map(|table| (table.name.as_str(), table)).collect();
    let of_table = |plan: &TablePlan| {
        let (schema, source) = (data.schema.table(&plan.name)?, data.rows(&plan.name)?);
        let rows = new.get(plan.name.as_str()).copied()?;
        Some(TableProof {
            table: plan.name.clone(),
            rows: rows.rows(),
            is_kept: plan.part == Part::Kept,
            unique: unique(schema, rows),
            not_null: not_null(schema, rows),
            keys: keys(schema, rows, &new),
            personal: personal(
                &given(plan, schema, &data.persons),
                data.kinds.get(&plan.name)?,
                source,
                rows,
                &data.spec,
            ),
            written: Vec::new(),
        })
    };
    Proof { tables: plans.iter().filter_map(of_table).collect(), text: data.spec.text }
}

fn unique(schema: &TableSchema, rows: &Table) -> Vec<Counted> {
    let mut all = Vec::new();
    for set in schema.unique_sets() {
        let Some(columns) = columns_at(rows, set) else { continue };
        let mut seen = HashSet::new();
        let (mut checked, mut failed) = (0, 0);
        for key in (0..rows.rows()).filter_map(|row| key_of(rows, &columns, row)) {
            checked += 1;
            failed += usize::from(!seen.insert(key));
        }
        all.push(Counted { of: set.join(", "), checked, failed });
    }
    all
}

fn not_null(schema: &TableSchema, rows: &Table) -> Vec<Counted> {
    let filled = schema
        .columns
        .iter()
        .filter(|column| !column.nullable && column.generated != Some(Generated::Computed));
    let counted = filled.filter_map(|column| {
        let cells = rows.column(&column.name)?;
        Some(Counted { of: column.name.clone(), checked: cells.len(), failed: cells.missing() })
    });
    counted.collect()
}

fn keys(schema: &TableSchema, rows: &Table, new: &HashMap<&str, &Table>) -> Vec<Counted> {
    let of_key = |key: &ForeignKey| {
        let columns = columns_at(rows, &key.columns)?;
        let mut known = HashSet::new();
        if let Some(&parent) = new.get(key.parent.as_str()) {
            let theirs = columns_at(parent, &key.parent_columns).unwrap_or_default();
            known.extend((0..parent.rows()).filter_map(|row| key_of(parent, &theirs, row)));
        }
        let meant = (0..rows.rows()).filter(|&row| is_meant(key, rows, row));
        let own: Vec<Vec<&str>> = meant.filter_map(|row| key_of(rows, &columns, row)).collect();
        let failed = own.iter().filter(|key| !known.contains(*key)).count();
        let only = key.only.as_ref().map(|only| format!(" [{}]", only.value)).unwrap_or_default();
        Some(Counted { of: format!("{}{only}", key.columns.join(", ")), checked: own.len(), failed })
    };
    schema.foreign_keys.iter().filter_map(of_key).collect()
}

/// Columns whose values say nothing of anybody: numbers that are counted, keys, whose values are checked where they are
/// referred to, and regions, which are a closed list.
fn given<'a>(plan: &'a TablePlan, schema: &'a TableSchema, persons: &'a [Persons]) -> HashSet<&'a str> {
    let place = plan.time.as_deref().filter(|_| plan.first.is_some());
    let keys = schema.foreign_keys.iter().flat_map(|key| key.columns.iter().map(String::as_str));
    let regions = persons.iter().filter(|persons| persons.table == plan.name);
    let regions = regions.flat_map(|persons| persons.kinds().filter(|(_, what)| !what.is_fresh()));
    keys.chain(plan.number.as_deref()).chain(place).chain(regions.map(|(name, _)| name)).collect()
}

/// Compares the columns of new rows whose values point at somebody with those of the source, however they are spelled.
fn personal(
    given: &HashSet<&str>,
    found: &TableKinds,
    source: &Table,
    new: &Table,
    spec: &SourceSpec,
) -> Vec<Counted> {
    let mut all = Vec::new();
    for column in &found.columns {
        let (Some(real), Some(cells)) = (source.column(&column.name), new.column(&column.name)) else {
            continue;
        };
        let known: HashSet<String> = column.personal_values(real, spec).into_iter().map(spelled).collect();
        if known.is_empty() || given.contains(column.name.as_str()) {
            continue;
        }
        let (mut checked, mut failed) = (0, 0);
        // Texts stay with a column when their last cell gets another.
        for (text, _) in cells.values().iter().zip(cells.counts()).filter(|(_, n)| *n > 0) {
            if !column.is_missing(Some(text)) {
                checked += 1;
                failed += usize::from(holds(&known, text));
            }
        }
        all.push(Counted { of: column.name.clone(), checked, failed });
    }
    all
}

#[cfg(test)]
mod tests {
    use mintage_data::{
        Column,
        database::{Column as ColumnSchema, Origin},
    };

    use super::*;

    fn table(name: &str, columns: Vec<Column>) -> Table {
        Table { name: name.to_owned(), columns, ..Table::default() }
    }

    fn schema(name: &str, key: &[&str]) -> TableSchema {
        let primary_key = key.iter().map(|column| (*column).to_owned()).collect();
        TableSchema { name: name.to_owned(), primary_key, ..TableSchema::default() }
    }

    fn counted(of: &str, checked: usize, failed: usize) -> Counted {
        Counted { of: of.to_owned(), checked, failed }
    }

    #[test]
    fn keys_that_repeat_are_counted_and_missing_ones_are_not() {
        let rows = table(
            "pairs",
            vec![
                Column::of("a", [Some("1"), Some("1"), Some("1"), Some("2")]),
                Column::of("b", [Some("x"), Some("y"), Some("x"), None]),
            ],
        );
        let mut pairs = schema("pairs", &["a", "b"]);
        pairs.unique = vec![vec!["b".to_owned()], vec!["picture".to_owned()]];
        assert_eq!(unique(&pairs, &rows), [counted("a, b", 3, 1), counted("b", 3, 1)]);
        let column = |name: &str, nullable: bool| ColumnSchema {
            name: name.to_owned(),
            nullable,
            ..ColumnSchema::default()
        };
        pairs.columns = vec![column("a", false), column("b", false), column("picture", false)];
        assert_eq!(not_null(&pairs, &rows), [counted("a", 4, 0), counted("b", 4, 1)]);
        pairs.columns[1].nullable = true;
        assert_eq!(not_null(&pairs, &rows), [counted("a", 4, 0)]);
    }

    #[test]
    fn keys_to_nothing_are_counted() {
        let parent = table("parent", vec![Column::of("id", [Some("1"), Some("2")])]);
        let child = table("child", vec![Column::of("of", [Some("2"), Some("3"), None, Some("1")])]);
        let key = |parent: &str| ForeignKey {
            columns: vec!["of".to_owned()],
            parent: parent.to_owned(),
            parent_columns: vec!["id".to_owned()],
            origin: Origin::Declared,
            optional: true,
            deferrable: false,
            deferred: false,
            actions: String::new(),
            orphans: None,
            only: None,
        };
        let mut of = schema("child", &[]);
        of.foreign_keys = vec![key("parent"), key("nowhere")];
        let new: HashMap<&str, &Table> = [("parent", &parent), ("child", &child)].into();
        assert_eq!(keys(&of, &child, &new), [counted("of", 3, 1), counted("of", 3, 3)]);
    }

    #[test]
    fn names_of_the_source_are_found_again_in_any_spelling() {
        let column = |name: &str, cell: &dyn Fn(usize) -> String| {
            let cells: Vec<String> = (0..200).map(cell).collect();
            Column::of(name, cells.iter().map(|text| Some(text.as_str())))
        };
        let name = |i: usize| format!("Ann{} Lee{}", "a".repeat(i % 20), "e".repeat(i / 20));
        let columns = vec![column("name", &name), column("spent", &|i| (i % 13).to_string())];
        let source = table("people", columns);
        let spec = SourceSpec::default();
        let none = HashSet::new();
        let found = crate::database::planner::described(&source, &spec);
        assert_eq!(personal(&none, &found, &source, &source, &spec), [counted("name", 200, 200)]);
        let mut new = source.clone();
        (0..200).for_each(|row| new.columns[0].set(row, Some(&format!("Bob{row} Ray"))));
        assert_eq!(personal(&none, &found, &source, &new, &spec), [counted("name", 200, 0)]);
        new.columns[0].set(7, Some("ANN, LEE"));
        assert_eq!(personal(&none, &found, &source, &new, &spec), [counted("name", 200, 1)]);
        assert!(personal(&["name"].into(), &found, &source, &new, &spec).is_empty());
    }

    #[test]
    fn tables_that_are_kept_share_what_they_have() {
        let proof = |is_kept: bool| TableProof {
            table: "t".to_owned(),
            rows: 3,
            is_kept,
            unique: vec![counted("id", 3, 0)],
            not_null: Vec::new(),
            keys: Vec::new(),
            personal: vec![counted("name", 3, 2)],
            written: Vec::new(),
        };
        let kept = Proof { tables: vec![proof(true)], ..Proof::default() };
        assert!(kept.shared() == 0 && kept.holds());
        let both = Proof { tables: vec![proof(true), proof(false)], ..Proof::default() };
        assert!(both.shared() == 2 && !both.holds());
    }
}
