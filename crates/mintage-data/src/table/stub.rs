// STUB until the schema detection arrives.
use super::{Table, schema::*};
use std::collections::BTreeMap;
use crate::Error;
impl ColumnSchema {
    pub fn number(&self, t: &str) -> Option<f64> { t.parse().ok() }
    pub fn text(&self, n: f64) -> String { if self.kind == Kind::Integer { format!("{}", n.round()) } else { n.to_string() } }
    pub fn is_missing(&self, t: Option<&str>) -> bool { t.is_none_or(|t| self.missing.iter().any(|m| m == t)) }
}
impl Kind { pub fn name(self) -> &'static str { "kind" } }
impl TableSchema { pub fn apply(&mut self, _: &Table, _: &BTreeMap<String, Kind>) -> Result<(), Error> { Ok(()) } }
pub fn detect(t: &Table) -> TableSchema {
    let columns = t.columns.iter().map(|c| {
        let num = c.values().iter().all(|v| v.parse::<f64>().is_ok());
        ColumnSchema { name: c.name.clone(), kind: if num { Kind::Integer } else { Kind::Category }, reason: String::new(), declaration: c.declaration.clone(), missing: vec!["?".into(), "".into()], format: Format::Plain, unique: false, distinct: c.values().len(), missing_count: 0 }
    }).collect();
    TableSchema { columns, alerts: vec![] }
}
