//! On the page of a new database: its dials, those of its tables, and what gives pairs of tables away.

use minijinja::{Value, context, value::Serde};

use super::{DatabaseReport, percent, with_interval};
use crate::{
    database::{dials::TableDials, pairs::PairDetected},
    dataset::thousands,
    evaluate::DialName,
    report::{Dial, asks},
};

impl DatabaseReport<'_> {
    /// The dials of the whole: the score of each, or why it has none.
    pub(super) fn whole(&self) -> Vec<Value> {
        let card = |dial: DialName| {
            let name = dial.name();
            let (score, why) = (self.dials.dials.get(name), self.dials.unmeasured.get(name));
            context! {
                name,
                dial => Value::from(Serde(score)),
                asks => asks(dial).replace("{item}", "row"),
                measured => self.dials.measured.get(name),
                why,
            }
        };
        DialName::ALL.into_iter().map(card).collect()
    }

    /// A line for each table that is learned.
    pub(super) fn table_dials(&self) -> Vec<Value> {
        let line = |table: &TableDials| {
            let scores = DialName::ALL.map(|dial| score(table.dials.get(dial.name())));
            let mut why: Vec<String> = Vec::new();
            for (dial, reason) in &table.unmeasured {
                match table.n {
                    // The same reason for all of them.
                    0 if why.is_empty() => why.push(reason.clone()),
                    0 => {}
                    _ => why.push(format!("{dial} {reason}")),
                }
            }
            context! { name => &table.table, n => thousands(table.n), scores => scores.to_vec(), why => why.join("; ") }
        };
        self.dials.tables.iter().map(line).collect()
    }

    /// A line for each pair of tables that was judged, the worst first.
    pub(super) fn pairs(&self) -> Vec<Value> {
        let line = |pair: &PairDetected| {
            context! {
                of => &pair.of,
                parent => &pair.parent,
                told => with_interval(Some(pair.interval())),
                alone => percent(Some(pair.alone)),
                beyond => percent(Some(pair.beyond())),
                by => pair.reasons.join(", "),
            }
        };
        self.scores.pairs.iter().map(line).collect()
    }
}

/// "62 (58–66)".
fn score(dial: Option<&Dial>) -> String {
    dial.map_or_else(
        || "–".to_owned(),
        |dial| format!("{:.0} ({:.0}–{:.0})", dial.score, dial.low, dial.high),
    )
}
