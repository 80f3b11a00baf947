//! In what order tables can be filled: parents before children.
//!
//! Where tables refer to each other in a circle, a key that may be NULL is left open and filled last; where none may, one
//! that the store checks at the end of a transaction. A circle of keys of which neither is true cannot be filled at all.

use serde::{Deserialize, Serialize};

use super::{ForeignKey, Schema, Table, listed};
use crate::Error;

/// An order in which every row finds the rows that it refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillOrder {
    /// All tables, parents before children.
    pub tables: Vec<String>,
    /// Keys that stay NULL until all tables are filled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<KeyRef>,
    /// Keys that are checked at the end of the transaction, since their parents come after them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deferred: Vec<KeyRef>,
    /// Keys of tables to themselves that can neither be NULL nor wait: parents come first among their rows, and the first
    /// of them refer to themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<KeyRef>,
}

/// A key by the table that has it and its place among that table's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRef {
    pub table: String,
    pub key: usize,
}

impl FillOrder {
    /// Whether a key is among those of a list.
    fn has(list: &[KeyRef], table: &str, key: usize) -> bool {
        list.iter().any(|one| one.table == table && one.key == key)
    }

    /// Whether a key stays NULL at first.
    pub fn is_last(&self, table: &str, key: usize) -> bool {
        Self::has(&self.last, table, key)
    }

    /// Whether a key refers to rows that come later.
    pub fn is_deferred(&self, table: &str, key: usize) -> bool {
        Self::has(&self.deferred, table, key)
    }
}

impl Schema {
    /// The order in which the tables can be filled. Among tables that could come next, the first of the schema does.
    ///
    /// # Errors
    /// Tables refer to each other in a circle by keys that may not be NULL and that are checked at once.
    pub fn order(&self) -> Result<FillOrder, Error> {
        let mut filling = Filling::new(&self.tables);
        while filling.order.tables.len() < self.tables.len() {
            if !filling.place_next() && !filling.open_circle() {
                return Err(stuck(&self.tables, &filling.circle()));
            }
        }
        Ok(filling.order)
    }
}

/// A key between two tables that its child still waits for.
#[derive(Clone, Copy)]
struct Edge {
    child: usize,
    key: usize,
    parent: usize,
}

struct Filling<'a> {
    tables: &'a [Table],
    placed: Vec<bool>,
    edges: Vec<Edge>,
    order: FillOrder,
}

impl<'a> Filling<'a> {
    fn new(tables: &'a [Table]) -> Self {
        let place = |name: &str| tables.iter().position(|table| table.name == name);
        let mut filling = Self {
            tables,
            placed: vec![false; tables.len()],
            edges: Vec::new(),
            order: FillOrder::default(),
        };
        for (child, table) in tables.iter().enumerate() {
            for (key, foreign) in table.foreign_keys.iter().enumerate() {
                match place(&foreign.parent) {
                    Some(parent) if parent == child => filling.add_own(child, key),
                    Some(parent) => filling.edges.push(Edge { child, key, parent }),
                    None => {}
                }
            }
        }
        filling
    }

    fn key(&self, edge: Edge) -> &'a ForeignKey {
        &self.tables[edge.child].foreign_keys[edge.key]
    }

    fn add_own(&mut self, table: usize, key: usize) {
        let foreign = &self.tables[table].foreign_keys[key];
        let list = match (foreign.optional, foreign.deferrable) {
            (true, _) => &mut self.order.last,
            (_, true) => &mut self.order.deferred,
            _ => &mut self.order.within,
        };
        list.push(KeyRef { table: self.tables[table].name.clone(), key });
    }

    /// Places the first table whose parents are all there, if there is one.
    fn place_next(&mut self) -> bool {
        let waits = |table: usize| self.edges.iter().any(|edge| edge.child == table);
        let Some(next) = (0..self.tables.len()).find(|&table| !self.placed[table] && !waits(table)) else {
            return false;
        };
        self.placed[next] = true;
        self.edges.retain(|edge| edge.parent != next);
        self.order.tables.push(self.tables[next].name.clone());
        true
    }

    /// Lets go of the keys of one table in a circle: of the one that waits for the fewest others then, by the fewest keys.
    fn open_circle(&mut self) -> bool {
        let circle = self.circle();
        let within: Vec<Edge> = self
            .edges
            .iter()
            .filter(|edge| circle.contains(&edge.child) && circle.contains(&edge.parent))
            .copied()
            .collect();
        for may_go in [|key: &ForeignKey| key.optional, |key: &ForeignKey| key.deferrable] {
            let of = |table: usize| {
                let (go, stay): (Vec<Edge>, Vec<Edge>) = within
                    .iter()
                    .filter(|edge| edge.child == table)
                    .partition(|edge| may_go(self.key(**edge)));
                (go, stay.len())
            };
            let all = circle.iter().map(|&table| of(table)).filter(|(go, _)| !go.is_empty());
            if let Some((go, _)) = all.min_by_key(|(go, stay)| (*stay, go.len())) {
                self.let_go(&go);
                return true;
            }
        }
        false
    }

    fn let_go(&mut self, edges: &[Edge]) {
        for edge in edges {
            let key = KeyRef { table: self.tables[edge.child].name.clone(), key: edge.key };
            match self.key(*edge).optional {
                true => self.order.last.push(key),
                false => self.order.deferred.push(key),
            }
            self.edges.retain(|other| (other.child, other.key) != (edge.child, edge.key));
        }
    }

    /// The tables of one circle, in the order of the schema: all that lead to each other.
    fn circle(&self) -> Vec<usize> {
        let (mut parents, mut children) =
            (vec![Vec::new(); self.tables.len()], vec![Vec::new(); self.tables.len()]);
        for edge in &self.edges {
            parents[edge.child].push(edge.parent);
            children[edge.parent].push(edge.child);
        }
        for table in (0..self.tables.len()).filter(|&table| !self.placed[table]) {
            let above = reached(table, &parents);
            if above[table] {
                let below = reached(table, &children);
                return (0..self.tables.len()).filter(|&other| above[other] && below[other]).collect();
            }
        }
        Vec::new()
    }
}

/// What can be reached from a table by at least one step.
fn reached(from: usize, steps: &[Vec<usize>]) -> Vec<bool> {
    let (mut seen, mut next) = (vec![false; steps.len()], vec![from]);
    while let Some(table) = next.pop() {
        for &other in &steps[table] {
            if !std::mem::replace(&mut seen[other], true) {
                next.push(other);
            }
        }
    }
    seen
}

fn stuck(tables: &[Table], circle: &[usize]) -> Error {
    let names: Vec<String> = circle.iter().map(|&table| format!("`{}`", tables[table].name)).collect();
    let key = circle.iter().find_map(|&table| {
        let table = &tables[table];
        let is_within = |key: &&ForeignKey| circle.iter().any(|&other| tables[other].name == key.parent);
        let key = table.foreign_keys.iter().find(is_within)?;
        Some(format!("key {} of `{}`", listed(&key.columns), table.name))
    });
    let key = key.unwrap_or_else(|| "one of the keys".to_owned());
    Error::bad(
        names.join(", "),
        "these tables refer to each other in a circle, by keys that may not be NULL and are checked at once",
    )
    .with_hint(format!("let the {key} be NULL, or make it DEFERRABLE"))
}
