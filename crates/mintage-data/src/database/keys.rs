//! Keys that no store declares, found by the values of columns and by their names.
//!
//! A column refers to another if nearly all of its distinct values are among those of a column that tells rows apart, and
//! if its name says so: numbers from 1 to 5 are among the numbers of any table. Texts that look like codes, and UUIDs, are
//! evidence enough by themselves where there are many. Only keys of one column are looked for here.

use std::collections::HashMap;

use super::{
    Contained, Error, ForeignKey, Origin, Table, Values,
    names::{FITS, OWN, Targets, speaks_of_own},
};
use crate::table::{Type, declared_type};

/// The least share of distinct values that the other column must have.
const MIN_SHARE: f64 = 0.97;
/// The least distinct values that are evidence without a name.
const MIN_CODES: u64 = 20;
/// Pairs of columns whose values are compared without a name that says so, at most.
const MAX_NAMELESS_PAIRS: usize = 400;

/// What the values of a column are, as far as a key is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Number,
    Text,
    Uuid,
    /// No type was declared, or one without a meaning: the values decide.
    Unknown,
    /// No key has such a type.
    Other,
}

impl Family {
    fn of(ty: &str) -> Self {
        let lower = ty.to_lowercase();
        // Not every type with "int" in its name is one of integers.
        if ["interval", "point"].iter().any(|word| lower.starts_with(word)) || lower.contains(['[', '{']) {
            return Self::Other;
        }
        match declared_type(ty) {
            Some(Type::Integer | Type::Decimal) => Self::Number,
            Some(Type::Text) => Self::Text,
            Some(Type::Uuid) => Self::Uuid,
            None if ty.is_empty() => Self::Unknown,
            Some(_) | None => Self::Other,
        }
    }

    fn agrees_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::Other, _) | (_, Self::Other) => false,
            (Self::Unknown, _) | (_, Self::Unknown) => true,
            (a, b) => a == b,
        }
    }
}

/// A column: the places of its table and of itself.
type At = (usize, usize);

/// A key that was found.
struct Found {
    child: At,
    parent: At,
    name: f64,
    counts: Contained,
}

/// Adds the keys that are not declared.
///
/// # Errors
/// The values cannot be read.
pub(super) fn find(tables: &mut [Table], values: &mut dyn Values) -> Result<(), Error> {
    let search = Search::new(tables);
    let mut found = search.by_name(values)?;
    found.extend(search.by_value(values, &found)?);
    drop_mutual(&mut found, tables);
    for found in found {
        let (parent, column) = found.parent;
        let parent_columns = vec![tables[parent].columns[column].name.clone()];
        let parent = tables[parent].name.clone();
        let Contained { distinct, contained, .. } = found.counts;
        let table = &mut tables[found.child.0];
        let column = &table.columns[found.child.1];
        table.foreign_keys.push(ForeignKey {
            columns: vec![column.name.clone()],
            parent,
            parent_columns,
            origin: Origin::Found {
                share: contained as f64 / distinct.max(1) as f64,
                distinct,
                name: found.name,
            },
            optional: column.nullable,
            // Nobody checks it.
            deferrable: true,
            deferred: false,
            actions: String::new(),
            orphans: None,
            only: None,
        });
    }
    Ok(())
}

/// What is known before any value is looked at.
struct Search<'a> {
    tables: &'a [Table],
    families: Vec<Vec<Family>>,
    targets: Targets,
}

impl<'a> Search<'a> {
    fn new(tables: &'a [Table]) -> Self {
        let families = |table: &Table| table.columns.iter().map(|column| Family::of(&column.ty)).collect();
        let mut targets = Targets::default();
        for (t, table) in tables.iter().enumerate() {
            for (c, column) in table.columns.iter().enumerate() {
                targets.add((t, c), &table.name, &column.name, table.is_key(&column.name));
            }
        }
        Self { tables, families: tables.iter().map(families).collect(), targets }
    }

    fn name(&self, at: At) -> (&'a str, &'a str) {
        let table = &self.tables[at.0];
        (&table.name, &table.columns[at.1].name)
    }

    fn agree(&self, a: At, b: At) -> bool {
        self.families[a.0][a.1].agrees_with(self.families[b.0][b.1])
    }

    /// Columns that may refer to others: those that no key has, and not what the table's own rows are called by.
    fn children(&self) -> impl Iterator<Item = At> {
        self.tables.iter().enumerate().flat_map(move |(t, table)| {
            let all = table.columns.iter().enumerate();
            all.filter(move |(_, column)| {
                !table.foreign_keys.iter().any(|key| key.columns.contains(&column.name))
            })
            .map(move |(c, _)| (t, c))
            .filter(|&at| self.families[at.0][at.1] != Family::Other && !self.is_own_key(at))
        })
    }

    /// Whether a column is called after its own table and tells its rows apart.
    fn is_own_key(&self, at: At) -> bool {
        let (table, column) = (&self.tables[at.0], self.name(at).1);
        let is_called_so = || self.targets.of(column).contains(&(at.0, at.1, FITS));
        table.is_key(column) && (is_called_so() || column.eq_ignore_ascii_case("id"))
    }

    /// Columns whose names say what they refer to, and whose values agree.
    fn by_name(&self, values: &mut dyn Values) -> Result<Vec<Found>, Error> {
        let (mut found, mut known) = (Vec::new(), HashMap::new());
        for child in self.children() {
            let mut all = self.targets.of(self.name(child).1);
            all.retain(|&(t, _, _)| t != child.0);
            all.extend(self.own_parent(child));
            all.retain(|&(t, c, _)| self.agree(child, (t, c)) && !self.is_said(child, (t, c)));
            for (t, c, name) in all {
                if !self.is_unique((t, c), values, &mut known)? {
                    continue;
                }
                let Some(counts) = values.contained(self.name(child), self.name((t, c)))? else { continue };
                if is_enough(counts) {
                    found.push(Found { child, parent: (t, c), name, counts });
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Whether a declared key says already how two tables belong together: then a column that happens to tell the rows of the
    /// parent apart, like a name of few people, is no second one.
    fn is_said(&self, child: At, parent: At) -> bool {
        let (of, column) = self.name(parent);
        let mut keys = self.tables[child.0].foreign_keys.iter();
        !self.tables[parent.0].is_key(column)
            && keys.any(|key| key.parent == of && key.origin == Origin::Declared)
    }

    /// The key of the same table, for a column that speaks of a row above.
    fn own_parent(&self, child: At) -> Option<(usize, usize, f64)> {
        let (table, column) = (&self.tables[child.0], self.name(child).1);
        let [key] = table.primary_key.as_slice() else { return None };
        let at = table.columns.iter().position(|column| column.name == *key)?;
        (speaks_of_own(column) && at != child.1).then_some((child.0, at, OWN))
    }

    fn is_unique(
        &self,
        at: At,
        values: &mut dyn Values,
        known: &mut HashMap<At, bool>,
    ) -> Result<bool, Error> {
        let (table, column) = self.name(at);
        if self.tables[at.0].is_key(column) {
            return Ok(true);
        }
        if let Some(&is) = known.get(&at) {
            return Ok(is);
        }
        let is = values.is_unique(table, column)?.unwrap_or(false);
        known.insert(at, is);
        Ok(is)
    }

    /// Columns of codes whose values are among those of a key, whatever they are called.
    fn by_value(&self, values: &mut dyn Values, found: &[Found]) -> Result<Vec<Found>, Error> {
        let mut all = Vec::new();
        for child in self.children().filter(|child| found.iter().all(|found| found.child != *child)) {
            all.extend(
                self.code_keys()
                    .filter(|&parent| self.may_refer(child, parent, found))
                    .map(|parent| (child, parent)),
            );
            if all.len() > MAX_NAMELESS_PAIRS {
                break;
            }
        }
        let mut more: Vec<Found> = Vec::new();
        for (child, parent) in all.into_iter().take(MAX_NAMELESS_PAIRS) {
            if more.iter().any(|found| found.child == child) {
                continue;
            }
            let Some(counts) = values.contained(self.name(child), self.name(parent))? else { continue };
            if is_enough(counts) && counts.is_code && counts.distinct >= MIN_CODES {
                more.push(Found { child, parent, name: 0.0, counts });
            }
        }
        Ok(more)
    }

    /// Keys that are texts or UUIDs.
    fn code_keys(&self) -> impl Iterator<Item = At> {
        self.tables.iter().enumerate().flat_map(move |(t, table)| {
            let all = table.columns.iter().enumerate();
            all.filter(move |(c, column)| {
                matches!(self.families[t][*c], Family::Text | Family::Uuid) && table.is_key(&column.name)
            })
            .map(move |(c, _)| (t, c))
        })
    }

    /// Whether a column may refer to a key by its values alone: one key between two tables says it all.
    fn may_refer(&self, child: At, parent: At, found: &[Found]) -> bool {
        let is_known = || {
            let keys = &self.tables[child.0].foreign_keys;
            keys.iter().any(|key| key.parent == self.tables[parent.0].name)
                || found.iter().any(|found| (found.child.0, found.parent.0) == (child.0, parent.0))
        };
        let family = |at: At| self.families[at.0][at.1];
        child.0 != parent.0 && family(child) == family(parent) && !is_known()
    }
}

/// Whether nearly all values are there.
pub(super) fn is_enough(counts: Contained) -> bool {
    counts.distinct > 0 && counts.contained as f64 >= MIN_SHARE * counts.distinct as f64
}

/// Of two columns that have the same values each refers to the other: the table with more rows is the parent, or the one
/// that the names speak for.
fn drop_mutual(found: &mut Vec<Found>, tables: &[Table]) {
    let weight = |key: &Found| (key.name, tables[key.parent.0].rows as f64);
    let mut dropped = vec![false; found.len()];
    for (a, key) in found.iter().enumerate() {
        let mutual = found.iter().position(|other| (other.child, other.parent) == (key.parent, key.child));
        let Some(b) = mutual.filter(|&b| b != a) else { continue };
        let less = weight(key).partial_cmp(&weight(&found[b]));
        dropped[a] = match less {
            Some(std::cmp::Ordering::Less) => true,
            Some(std::cmp::Ordering::Greater) => false,
            // Equal in all: the first table is the parent.
            _ => key.parent.0 > found[b].parent.0,
        };
    }
    let mut dropped = dropped.into_iter();
    found.retain(|_| !dropped.next().unwrap_or(false));
}
