//! Keys that the user names: in place of declared ones, beside those that are found, and what is no key.

use std::slice::from_ref;

use super::{Condition, Error, ForeignKey, Origin, RawKey, Table, Values, listed, named, text::count};
use crate::{KeySpec, error::suggestion};

/// Takes out of the declared keys of each table what is said to be none, or to refer elsewhere.
pub(super) fn without(
    mut declared: Vec<Vec<RawKey>>,
    tables: &[Table],
    given: &[KeySpec],
) -> Vec<Vec<RawKey>> {
    for (at, keys) in declared.iter_mut().enumerate() {
        let own: Vec<&KeySpec> =
            given.iter().filter(|spec| place_of(tables, &spec.table) == Some(at)).collect();
        let is_meant = |key: &RawKey, spec: &KeySpec| are_same(&spec.own_columns(), &key.columns);
        keys.retain(|key| !own.iter().any(|spec| is_meant(key, spec) && !says(spec, key)));
    }
    declared
}

/// Whether what is given is what is declared.
fn says(spec: &KeySpec, key: &RawKey) -> bool {
    let theirs = key.parent_columns.as_deref();
    spec.parent.as_ref().is_some_and(|parent| parent.eq_ignore_ascii_case(&key.parent))
        && (spec.parent_columns.is_empty()
            || theirs.is_some_and(|theirs| are_same(theirs, &spec.parent_columns)))
}

/// Adds the keys that are given.
///
/// # Errors
/// One names what is not there, is given twice, refers to rows that its columns do not tell apart, or to none at all.
pub(super) fn add(
    place: &str,
    tables: &mut [Table],
    given: &[KeySpec],
    values: &mut dyn Values,
) -> Result<(), Error> {
    let mut seen: Vec<(usize, Vec<String>)> = Vec::new();
    for spec in given {
        let given = Given { place, spec };
        let at = given.table(tables, &spec.table)?;
        let columns = given.own_columns(&tables[at])?;
        if seen.contains(&(at, columns.clone())) {
            return Err(given.wrong("is there twice", Some("leave one of them out".to_owned())));
        }
        for (parent, only) in given.parents(&tables[at])? {
            let parent = &tables[given.table(tables, parent)?];
            let key = given.key(&tables[at], (&columns, only), parent)?;
            let is_same = |own: &ForeignKey| {
                (&own.columns, &own.parent, &own.only) == (&key.columns, &key.parent, &key.only)
            };
            if !tables[at].foreign_keys.iter().any(is_same) {
                given.check(&tables[at].name, &key, parent, values)?;
                tables[at].foreign_keys.push(key);
            }
        }
        seen.push((at, columns));
    }
    Ok(())
}

/// Takes out what is said to be no key, however it is known.
pub(super) fn remove(tables: &mut [Table], given: &[KeySpec]) {
    for spec in given.iter().filter(|spec| spec.remove) {
        if let Some(at) = place_of(tables, &spec.table) {
            let columns = spec.own_columns();
            tables[at].foreign_keys.retain(|key| !are_same(&columns, &key.columns));
        }
    }
}

fn place_of(tables: &[Table], name: &str) -> Option<usize> {
    let found = named(tables, name, |table| &table.name)?;
    tables.iter().position(|table| table.name == found.name)
}

/// Whether columns are the same in the same order, as SQLite compares names.
fn are_same(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// A key that is given, and where.
struct Given<'a> {
    place: &'a str,
    spec: &'a KeySpec,
}

impl<'a> Given<'a> {
    fn wrong(&self, why: impl AsRef<str>, hint: Option<String>) -> Error {
        let (table, columns) = (&self.spec.table, listed(&self.spec.own_columns()));
        let error =
            Error::bad(self.place, format!("the key {table}.{columns} that is given {}", why.as_ref()));
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn table(&self, tables: &[Table], name: &str) -> Result<usize, Error> {
        place_of(tables, name).ok_or_else(|| {
            let names = || tables.iter().map(|table| table.name.as_str());
            let all = || format!("the tables are {}", names().collect::<Vec<_>>().join(", "));
            let hint = suggestion(name, names()).unwrap_or_else(all);
            self.wrong(format!("names table `{name}`, which is not there"), Some(hint))
        })
    }

    /// Columns of a table as the store spells them.
    fn columns(&self, table: &Table, names: &[String]) -> Result<Vec<String>, Error> {
        let column = |name: &String| {
            let found = named(&table.columns, name, |column| &column.name);
            found.map(|column| column.name.clone()).ok_or_else(|| {
                let all = || table.columns.iter().map(|column| column.name.as_str());
                let listed = || format!("its columns are {}", all().collect::<Vec<_>>().join(", "));
                let hint = suggestion(name, all()).unwrap_or_else(listed);
                let why = format!("names column `{name}`, which table `{}` does not have", table.name);
                self.wrong(why, Some(hint))
            })
        };
        names.iter().map(column).collect()
    }

    fn own_columns(&self, table: &Table) -> Result<Vec<String>, Error> {
        if self.spec.column.is_some() == self.spec.columns.is_empty() {
            return self.columns(table, &self.spec.own_columns());
        }
        let hint = "say either column = \"a\" or columns = [\"a\", \"b\"]".to_owned();
        Err(self.wrong("does not say once which columns it has", Some(hint)))
    }

    /// The tables that are referred to, and in which rows; none where the key is none.
    fn parents(&self, table: &Table) -> Result<Vec<(&'a str, Option<Condition>)>, Error> {
        let KeySpec { parent, parents, parent_columns, by, remove, .. } = self.spec;
        match (parent, by) {
            (None, None) if *remove && parents.is_empty() && parent_columns.is_empty() => Ok(Vec::new()),
            _ if *remove => {
                let hint = "leave `remove` out, or what it refers to".to_owned();
                Err(self.wrong("refers to a table and is removed", Some(hint)))
            }
            (Some(parent), None) if parents.is_empty() => Ok(vec![(parent.as_str(), None)]),
            (None, Some(by)) if !parents.is_empty() => {
                let column = self.columns(table, from_ref(by))?.concat();
                if self.spec.own_columns().iter().any(|own| own.eq_ignore_ascii_case(by)) {
                    return Err(self.wrong(format!("is told by its own column `{by}`"), None));
                }
                let only = |value: &String| Condition { column: column.clone(), value: value.clone() };
                Ok(parents.iter().map(|(value, parent)| (parent.as_str(), Some(only(value)))).collect())
            }
            _ => {
                let hint = "say parent = \"table\", or by = \"column\" and parents = { value = \"table\" } where it refers \
                            to several tables";
                Err(self.wrong("does not say which table it refers to", Some(hint.to_owned())))
            }
        }
    }

    fn key(
        &self,
        table: &Table,
        (columns, only): (&[String], Option<Condition>),
        parent: &Table,
    ) -> Result<ForeignKey, Error> {
        let parent_columns = match self.spec.parent_columns.is_empty() {
            true => parent.primary_key.clone(),
            false => self.columns(parent, &self.spec.parent_columns)?,
        };
        let (own, theirs, name) = (columns.len(), parent_columns.len(), &parent.name);
        if theirs == 0 {
            let hint = "say which of its columns with parent_columns".to_owned();
            return Err(self.wrong(format!("refers to `{name}`, which has no primary key"), Some(hint)));
        }
        if own != theirs {
            let [own, theirs] = [own, theirs].map(|n| count(n as u64, "column"));
            let hint = format!("the columns of `{name}` are {}", listed(&parent_columns));
            return Err(self.wrong(format!("has {own}, and refers to {theirs} of `{name}`"), Some(hint)));
        }
        if parent.name == table.name && parent_columns == columns {
            return Err(self.wrong("refers to itself", None));
        }
        Ok(ForeignKey {
            columns: columns.to_vec(),
            parent: parent.name.clone(),
            parent_columns,
            origin: Origin::Given,
            optional: columns.iter().any(|name| table.column(name).is_some_and(|column| column.nullable)),
            // Nobody checks it.
            deferrable: true,
            deferred: false,
            actions: String::new(),
            orphans: None,
            only,
        })
    }

    /// An error where the values speak against the key.
    fn check(
        &self,
        table: &str,
        key: &ForeignKey,
        parent: &Table,
        values: &mut dyn Values,
    ) -> Result<(), Error> {
        let target = key.target();
        if !parent.has_key(&key.parent_columns)
            && let Some(n @ 1..) = values.repeats(&parent.name, &key.parent_columns)?
        {
            let are = if n == 1 { "is" } else { "are" };
            let why = format!(
                "refers to {target}, which tells no rows apart: {} of it {are} in several rows",
                count(n, "value")
            );
            let hint = "name columns of the parent whose values all differ, or mend its rows".to_owned();
            return Err(self.wrong(why, Some(hint)));
        }
        // Those of one value of another column are not counted apart.
        if key.only.is_some() {
            return Ok(());
        }
        let parent = (parent.name.as_str(), key.parent_columns.as_slice());
        let counts = values.contained_together((table, &key.columns), parent)?;
        match counts.filter(|counts| counts.distinct > 0 && counts.contained == 0) {
            None => Ok(()),
            Some(counts) => {
                let why =
                    format!("refers to {target}, which has none of its {}", count(counts.distinct, "value"));
                Err(self.wrong(why, Some("name the columns that have the same values".to_owned())))
            }
        }
    }
}
