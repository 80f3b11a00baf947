//! How the time of a training is parted among the models of a database.

use super::{DatabaseData, Part, TablePlan, TextPlan};
use crate::{error::Error, recipe::Recipe};

/// Seconds of training that every table gets, unless so many would get less by equal shares.
const MIN_TABLE_SECS: f64 = 2.0;
/// Seconds, below which a neural model of a text writes no words: an n-gram model alone takes no time.
const MIN_NEURAL_SECS: f64 = 60.0;
/// The share of the time that texts get at most, however long they are.
const MAX_TEXTS_SHARE: f64 = 0.3;

/// Seconds of training of each model; nothing where the budget is in steps.
pub(super) struct Budget {
    /// By table, those that are not learned as well.
    pub tables: Vec<Option<f64>>,
    /// By text.
    pub texts: Vec<TextBudget>,
}

/// How a text is learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TextBudget {
    /// By counts alone.
    Counted,
    /// By a neural model as well, which has so many seconds; nothing where the budget is in steps.
    Neural(Option<f64>),
}

impl Budget {
    /// Parts the time of a recipe.
    ///
    /// # Errors
    /// The recipe's time is none.
    pub fn of(data: &DatabaseData, recipe: &Recipe) -> Result<Self, Error> {
        let (of_tables, of_texts) = (data.shares(), data.text_shares());
        let Some(budget) = recipe.train.budget()? else {
            let texts = vec![TextBudget::Neural(None); of_texts.len()];
            return Ok(Self { tables: vec![None; of_tables.len()], texts });
        };
        let seconds = budget.as_secs_f64();
        let of_neural = neural(seconds, &of_texts);
        let models = data.plans.iter().filter(|plan| plan.part == Part::Learned).count()
            + of_neural.iter().flatten().count();
        let equal = seconds / models.max(1) as f64;
        let rest = (seconds - of_neural.iter().flatten().sum::<f64>()).max(0.0);
        let whole: f64 = of_tables.iter().sum();
        let table = |share: &f64| Some((rest * share / whole).max(MIN_TABLE_SECS.min(equal)));
        Ok(Self {
            tables: of_tables.iter().map(table).collect(),
            texts: of_neural
                .into_iter()
                .map(|own| own.map_or(TextBudget::Counted, |own| TextBudget::Neural(Some(own))))
                .collect(),
        })
    }
}

impl DatabaseData {
    /// For each table its share of the time of training: with the root of its cells, so that small tables are learned as
    /// well. Nothing for one that is not learned. Shares of texts that are too short for a neural model are the tables', too.
    pub fn shares(&self) -> Vec<f64> {
        let weights: Vec<f64> = self.plans.iter().map(weight).collect();
        let total: f64 = weights.iter().sum();
        let rest = 1.0 - self.text_shares().iter().sum::<f64>();
        weights.into_iter().map(|weight| rest * weight / total).collect()
    }

    /// For each text that is written the share of the time of training that a neural model of it has: with the root of its
    /// tokens. Where that is too short there is none.
    pub fn text_shares(&self) -> Vec<f64> {
        let tables: f64 = self.plans.iter().map(weight).sum();
        let texts: f64 = self.texts.iter().map(TextPlan::weight).sum();
        let all = (texts / (tables + texts)).min(MAX_TEXTS_SHARE);
        self.texts.iter().map(|text| all * text.weight() / texts).collect()
    }
}

/// The seconds of the neural model of each text: what is too little for one is better spent on the tables.
fn neural(seconds: f64, shares: &[f64]) -> Vec<Option<f64>> {
    let own = |share: &f64| Some(seconds * share).filter(|own| *own >= MIN_NEURAL_SECS);
    shares.iter().map(own).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_too_little_time_are_only_counted() {
        assert_eq!(neural(60.0, &[0.3, 0.1]), [None, None]);
        assert_eq!(neural(300.0, &[0.25, 0.05]), [Some(75.0), None]);
        assert!(neural(3600.0, &[]).is_empty());
    }
}
