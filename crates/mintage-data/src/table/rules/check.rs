//! That rules could have been planned: they may have been read from a stranger's file. Every number of a column, of a
//! joint or of a follower is that of one that there is, and every column is filled once.

use super::{Origin, Rules};
use crate::table::encoder::check_format;

impl Rules {
    /// What is wrong with them.
    pub(in super::super) fn check_plan(&self) -> Result<(), String> {
        if self.origins.len() != self.forward.columns.len() {
            return Err("rules for other columns than there are".to_owned());
        }
        for schema in self.own.columns.iter().chain(&self.forward.columns) {
            check_format(schema).map_err(|why| format!("column `{}` {why}", schema.name))?;
        }
        let mut filled = vec![false; self.own.columns.len()];
        for column in self.filled()? {
            match filled.get_mut(column) {
                Some(done) if !*done => *done = true,
                Some(_) => return Err(format!("column {column} is filled twice")),
                None => return Err(self.missing(column)),
            }
        }
        if let Some(follower) = self.followers.iter().find(|follower| !follower.is_sound()) {
            return Err(format!("an order of column {} by impossible steps", follower.column));
        }
        let named = self.named();
        match named.into_iter().find(|&column| column >= self.own.columns.len()) {
            Some(column) => Err(self.missing(column)),
            None => Ok(()),
        }
    }

    fn missing(&self, column: usize) -> String {
        format!("a rule for column {column}, of {} columns", self.own.columns.len())
    }

    /// The columns that a table gets from the form that models see.
    fn filled(&self) -> Result<Vec<usize>, String> {
        let mut filled = Vec::new();
        for origin in &self.origins {
            match *origin {
                Origin::Column(column) => filled.push(column),
                Origin::Joint(at) => {
                    let joint = self.joints.get(at).ok_or("a joint of columns that is not there")?;
                    filled.extend(&joint.members);
                }
                Origin::Follower(at) => {
                    let follower = self.followers.get(at).ok_or("an order of columns that is not there")?;
                    filled.push(follower.column);
                }
            }
        }
        filled.extend(self.formulas.iter().map(|formula| formula.column));
        Ok(filled)
    }

    /// All other columns that rules look at.
    fn named(&self) -> Vec<usize> {
        let parents = self.followers.iter().flat_map(|f| f.parents.iter().map(|parent| parent.column));
        let operands = self.formulas.iter().flat_map(|formula| formula.expression.columns());
        let limits = self.limits.iter().map(|limits| limits.column);
        let followers = self.followers.iter().map(|follower| follower.column);
        let members = self.joints.iter().flat_map(|joint| joint.members.iter().copied());
        parents.chain(operands).chain(limits).chain(followers).chain(members).collect()
    }
}
