//! How the time of a training is parted among the models of a database.

use super::{DatabaseData, Part, TablePlan, TextPlan};
use crate::{error::Error, recipe::Recipe};

/// Seconds of training that every table gets, and every text, unless so many would get less by equal shares.
const MIN_TABLE_SECS: f64 = 2.0;
const MIN_TEXT_SECS: f64 = 10.0;
/// The share of the time that texts get at most, however long they are.
const MAX_TEXTS_SHARE: f64 = 0.3;

/// Seconds of training of each model; nothing where the budget is in steps.
pub(super) struct Budget {
    /// By table, those that are not learned as well.
    pub tables: Vec<Option<f64>>,
    /// By text.
    pub texts: Vec<Option<f64>>,
}

impl Budget {
    /// Parts the time of a recipe.
    ///
    /// # Errors
    /// The recipe's time is none.
    pub fn of(data: &DatabaseData, recipe: &Recipe) -> Result<Self, Error> {
        let (of_tables, of_texts) = (data.shares(), data.text_shares());
        let Some(budget) = recipe.train.budget()? else {
            return Ok(Self { tables: vec![None; of_tables.len()], texts: vec![None; of_texts.len()] });
        };
        let seconds = budget.as_secs_f64();
        let learned = data.plans.iter().filter(|plan| plan.part == Part::Learned).count() + of_texts.len();
        let equal = seconds / learned.max(1) as f64;
        let text = |share: &f64| (seconds * share).max(MIN_TEXT_SECS.min(equal));
        let texts: Vec<f64> = of_texts.iter().map(text).collect();
        // What texts have beyond their share is not the tables'.
        let rest = (seconds - texts.iter().sum::<f64>()).max(0.0);
        let whole: f64 = of_tables.iter().sum();
        let table = |share: &f64| Some((rest * share / whole).max(MIN_TABLE_SECS.min(equal)));
        Ok(Self {
            tables: of_tables.iter().map(table).collect(),
            texts: texts.into_iter().map(Some).collect(),
        })
    }
}

impl DatabaseData {
    /// For each table its share of the time of training: with the root of its cells, so that small tables are learned as
    /// well. Nothing for one that is not learned.
    pub fn shares(&self) -> Vec<f64> {
        let weights: Vec<f64> = self.plans.iter().map(weight).collect();
        let total: f64 = weights.iter().sum();
        let rest = 1.0 - self.text_shares().iter().sum::<f64>();
        weights.into_iter().map(|weight| rest * weight / total).collect()
    }

    /// For each text that is written its share of the time of training: with the root of its tokens.
    pub fn text_shares(&self) -> Vec<f64> {
        let tables: f64 = self.plans.iter().map(weight).sum();
        let texts: f64 = self.texts.iter().map(TextPlan::weight).sum();
        let all = (texts / (tables + texts)).min(MAX_TEXTS_SHARE);
        self.texts.iter().map(|text| all * text.weight() / texts).collect()
    }
}

/// What the share of a table is measured by.
fn weight(plan: &TablePlan) -> f64 {
    match plan.part {
        Part::Learned => {
            ((plan.rows * (plan.own.len() + plan.context.len() + plan.counts.len() + 1)) as f64).sqrt()
        }
        Part::Kept | Part::Empty => 0.0,
    }
}

/// The recipe of one of the models, which has so many seconds.
pub(super) fn timed(recipe: &Recipe, seconds: Option<f64>) -> Recipe {
    let mut own = recipe.clone();
    own.train.previews = 0;
    if let Some(seconds) = seconds {
        own.train.time = format!("{seconds:.3}s");
    }
    own
}
