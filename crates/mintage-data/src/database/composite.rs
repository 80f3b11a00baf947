//! Keys of two or three columns that nobody declares: a table has columns of the same names as those that tell the rows of
//! another apart, and their values together are there.
//!
//! Only looked for where the store declares no key at all. Of files nothing is declared: there columns that both tables have
//! are tried, in a parent that no single column tells apart.

use super::{
    Contained, Error, ForeignKey, Origin, Store, Table, Values,
    keys::is_enough,
    names::{SAME, plain},
};
use crate::table::declared_type;

/// Columns of a key, at most.
const MAX_COLUMNS: usize = 3;
/// Columns that two tables share of which keys are tried, at most: of more, most sets are chance.
const MAX_SHARED: usize = 6;
/// Sets of columns whose values are counted, at most.
const MAX_COUNTED: usize = 200;
/// The least distinct values that are evidence for columns that are a key, and for those that only look like one.
const MIN_OF_KEY: u64 = 5;
const MIN_OF_SHARED: u64 = 20;

/// Adds the keys of several columns that are not declared.
///
/// # Errors
/// The values cannot be read.
pub(super) fn find(tables: &mut [Table], store: Store, values: &mut dyn Values) -> Result<(), Error> {
    let names: Vec<Vec<String>> =
        tables.iter().map(|table| table.columns.iter().map(|column| plain(&column.name)).collect()).collect();
    let mut left = MAX_COUNTED;
    for child in 0..tables.len() {
        for parent in 0..tables.len() {
            if child == parent || are_tied(&tables[child], &tables[parent]) {
                continue;
            }
            let shared = shared([&names[child], &names[parent]], [&tables[child], &tables[parent]]);
            for set in candidates(&tables[child], &tables[parent], &shared, store) {
                if left == 0 {
                    return Ok(());
                }
                left -= 1;
                if let Some(key) = key(&tables[child], &tables[parent], &set, values)? {
                    let parent = &mut tables[parent];
                    if !parent.has_key(&key.parent_columns) {
                        (parent.primary_key, parent.key_found) = (key.parent_columns.clone(), true);
                    }
                    tables[child].foreign_keys.push(key);
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Whether a key leads from one of two tables to the other.
fn are_tied(a: &Table, b: &Table) -> bool {
    let leads = |from: &Table, to: &Table| from.foreign_keys.iter().any(|key| key.parent == to.name);
    leads(a, b) || leads(b, a)
}

/// Pairs of columns of two tables, by their places, that have the same name and type.
fn shared(names: [&[String]; 2], tables: [&Table; 2]) -> Vec<(usize, usize)> {
    // Of two names that differ by case alone neither is meant.
    let is_one = |names: &[String], name: &String| names.iter().filter(|other| *other == name).count() == 1;
    let pair = |(own, name): (usize, &String)| {
        let is_clear = !name.is_empty() && names.iter().all(|names| is_one(names, name));
        let theirs = names[1].iter().position(|other| other == name).filter(|_| is_clear)?;
        let types = [(0, own), (1, theirs)].map(|(table, at)| declared_type(&tables[table].columns[at].ty));
        (types[0] == types[1]).then_some((own, theirs))
    };
    names[0].iter().enumerate().filter_map(pair).collect()
}

/// Sets of pairs of columns that may be a key.
fn candidates(
    child: &Table,
    parent: &Table,
    shared: &[(usize, usize)],
    store: Store,
) -> Vec<Vec<(usize, usize)>> {
    let keys = std::iter::once(&parent.primary_key).chain(&parent.unique);
    let keys = keys.filter(|key| (2..=MAX_COLUMNS).contains(&key.len()));
    let pair = |name: &String| shared.iter().find(|(_, at)| parent.columns[*at].name == *name).copied();
    let declared: Vec<Vec<(usize, usize)>> =
        keys.filter_map(|key| key.iter().map(pair).collect::<Option<Vec<(usize, usize)>>>()).collect();
    // Two tables with the same key: the one with fewer rows refers to the other.
    let own = |set: &Vec<(usize, usize)>| -> Vec<String> {
        set.iter().map(|&(own, _)| child.columns[own].name.clone()).collect()
    };
    let is_smaller = child.rows < parent.rows;
    let mut all: Vec<_> =
        declared.into_iter().filter(|set| is_smaller || !child.has_key(&own(set))).collect();
    if store == Store::Files && parent.primary_key.is_empty() && all.is_empty() {
        all = sets(shared, child, parent);
    }
    all
}

/// Sets of the columns that two files share, all of them first where that is no more than a key has.
fn sets(shared: &[(usize, usize)], child: &Table, parent: &Table) -> Vec<Vec<(usize, usize)>> {
    // What alone tells rows apart does so with any other column; numbers with a point are measured; what is missing is no key.
    let may_be_part = |&&(own, theirs): &&(usize, usize)| {
        let (own, theirs) = (&child.columns[own], &parent.columns[theirs]);
        theirs.ty != "real" && !theirs.nullable && !child.is_key(&own.name) && !parent.is_key(&theirs.name)
    };
    let shared: Vec<(usize, usize)> = shared.iter().filter(may_be_part).copied().collect();
    if !(2..=MAX_SHARED).contains(&shared.len()) {
        return Vec::new();
    }
    let mut sets: Vec<Vec<(usize, usize)>> = Vec::new();
    for (a, &first) in shared.iter().enumerate() {
        for (b, &second) in shared.iter().enumerate().skip(a + 1) {
            sets.push(vec![first, second]);
            sets.extend(shared.iter().skip(b + 1).map(|&third| vec![first, second, third]));
        }
    }
    // All that is shared says most; then the fewest columns.
    sets.sort_by_key(|set| (set.len() != shared.len(), set.len()));
    sets
}

/// The key of a table to another over pairs of columns, where their values are there.
fn key(
    child: &Table,
    parent: &Table,
    set: &[(usize, usize)],
    values: &mut dyn Values,
) -> Result<Option<ForeignKey>, Error> {
    let columns: Vec<String> = set.iter().map(|&(own, _)| child.columns[own].name.clone()).collect();
    let parent_columns: Vec<String> =
        set.iter().map(|&(_, theirs)| parent.columns[theirs].name.clone()).collect();
    let is_key = parent.has_key(&parent_columns);
    if !is_key && values.repeats(&parent.name, &parent_columns)? != Some(0) {
        return Ok(None);
    }
    let counts = values.contained_together((&child.name, &columns), (&parent.name, &parent_columns))?;
    let least = if is_key { MIN_OF_KEY } else { MIN_OF_SHARED };
    let Some(Contained { distinct, contained, .. }) =
        counts.filter(|counts| is_enough(*counts) && counts.distinct >= least)
    else {
        return Ok(None);
    };
    Ok(Some(ForeignKey {
        optional: columns.iter().any(|name| child.column(name).is_some_and(|column| column.nullable)),
        columns,
        parent: parent.name.clone(),
        parent_columns,
        origin: Origin::Found { share: contained as f64 / distinct.max(1) as f64, distinct, name: SAME },
        // Nobody checks it.
        deferrable: true,
        deferred: false,
        actions: String::new(),
        orphans: None,
        only: None,
    }))
}
