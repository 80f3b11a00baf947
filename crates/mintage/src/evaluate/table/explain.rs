//! What gives one row away: trees tell new rows from real ones, and Shapley values say what each column adds to that.

use std::sync::Arc;

use mintage_data::{
    Table, TableSet,
    table::{MISSING, Texts, schema::TableSchema},
};
use mintage_nn::Rng;

use super::{
    super::{
        explain::{ColumnWeight, Explanation, Scale, cross_fit, enough, listed},
        work,
    },
    Boosted, Frame, FrameColumn, Task, Values,
};
use crate::{error::Error, events::Event};

/// Permutations of the columns, each with a real row of its own, and the same backwards.
const PERMUTATIONS: usize = 64;

/// Trees that tell new rows from real ones.
pub(in crate::evaluate) struct RowDetector {
    schema: TableSchema,
    /// The rows that were learned from, which number the values of categories.
    real: Table,
    new: Table,
    /// Real rows as trees see them, whose cells are put in.
    background: Frame,
    /// Of each column how many values of a category trees know; 0 of numbers.
    levels: Vec<usize>,
    trees: Vec<Boosted>,
    seed: u64,
}

impl RowDetector {
    /// Learns to tell new rows from these real ones of the data.
    pub fn new(
        data: &TableSet,
        real: &[u32],
        new: &Table,
        seed: u64,
        on: &mut dyn FnMut(Event),
    ) -> Result<(Self, Scale), Error> {
        enough(real.len(), new.rows())?;
        let (schema, real) = (data.schema().clone(), data.table().select(real));
        let [known, others] = Frame::together([&real, new], &schema)?;
        if known.columns.is_empty() {
            return Err(Error::request("the rows have no column that could tell anything"));
        }
        let (n_real, n_new) = (known.rows(), others.rows());
        let both = known.followed_by(&others);
        let (trees, scale) = cross_fit(
            n_real,
            n_new,
            seed,
            |fold, learned| {
                on(work("training the detector", fold, 2));
                let targets: Vec<f32> =
                    learned.iter().map(|&row| f32::from(u8::from(row < n_real))).collect();
                Boosted::fit(&both, learned, &targets, Task::Binary)
            },
            |trees, judged| trees.log_odds(&both, judged),
        );
        on(work("training the detector", 2, 2));
        let levels: Vec<usize> = both.columns.iter().map(|column| levels(&column.values)).collect();
        let background = numbered(known, &levels);
        Ok((Self { schema, real, new: new.clone(), background, levels, trees, seed }, scale))
    }

    /// The log odds of being real of a row, and what each column takes from them.
    pub fn explain(&self, rows: &Table, row: u32) -> Result<(f64, Explanation), Error> {
        let one = rows.select(&[row]);
        // What the row alone has is numbered behind all that trees know.
        let [_, _, frame] = Frame::together([&self.real, &self.new, &one], &self.schema)?;
        let frame = numbered(frame, &self.levels);
        let log_odds = self.log_odds(&frame)[0];
        let taken: Vec<f64> = self.shapley(&frame).into_iter().map(|added| -added).collect();
        let all: f64 = taken.iter().filter(|taken| **taken > 0.0).sum();
        let column = |(column, &weight): (&FrameColumn, &f64)| {
            let cell = one.column(&column.name).and_then(|found| found.cell(0));
            let value = cell.map_or_else(|| "nothing".to_owned(), shortened);
            let share = (100.0 * weight / all.max(f64::MIN_POSITIVE)).round();
            let words = format!("{value} in {}: {share:.0} % of what gives the row away", column.name);
            ColumnWeight { name: column.name.clone(), weight, words }
        };
        let columns =
            listed(frame.columns.iter().zip(&taken).map(column).collect(), |column| &mut column.weight);
        Ok((log_odds, Explanation { columns, ..Explanation::default() }))
    }

    fn log_odds(&self, frame: &Frame) -> Vec<f64> {
        let all: Vec<usize> = (0..frame.rows()).collect();
        let mut sums = vec![0.0; all.len()];
        for trees in &self.trees {
            let found = trees.log_odds(frame, &all);
            sums.iter_mut().zip(found).for_each(|(sum, x)| *sum += x / self.trees.len() as f64);
        }
        sums
    }

    /// What each column of a single row adds to the log odds of being real, against a real row: together they are the
    /// difference to the mean of real rows.
    fn shapley(&self, row: &Frame) -> Vec<f64> {
        let width = row.columns.len();
        let mut rng = Rng::new(self.seed, 1);
        let mut orders: Vec<(usize, Vec<usize>)> = Vec::with_capacity(2 * PERMUTATIONS);
        for _ in 0..PERMUTATIONS {
            let (other, order) = (rng.below(self.background.rows()), rng.permutation(width));
            orders.push((other, order.iter().rev().copied().collect()));
            orders.push((other, order));
        }
        // Of each order: the other row, then one column after another of the row itself.
        let mut column_rows: Vec<Vec<Option<usize>>> = vec![Vec::new(); width];
        for (other, order) in &orders {
            for step in 0..=width {
                for (place, &column) in order.iter().enumerate() {
                    column_rows[column].push((place >= step).then_some(*other));
                }
            }
        }
        let columns = row.columns.iter().zip(&self.background.columns).zip(column_rows);
        let frame =
            Frame::of_columns(columns.map(|((own, others), rows)| mixed(own, others, &rows)).collect());
        let found = self.log_odds(&frame);
        let mut added = vec![0.0; width];
        for ((_, order), found) in orders.iter().zip(found.chunks_exact(width + 1)) {
            for (place, &column) in order.iter().enumerate() {
                added[column] += (found[place + 1] - found[place]) / orders.len() as f64;
            }
        }
        added
    }
}

/// A column of cells of other rows, or where none is named of the only row of `own`.
fn mixed(own: &FrameColumn, others: &FrameColumn, rows: &[Option<usize>]) -> FrameColumn {
    let values = match (&own.values, &others.values) {
        (Values::Numbers(own), Values::Numbers(others)) => {
            Values::Numbers(rows.iter().map(|row| row.map_or(own[0], |row| others[row])).collect())
        }
        (Values::Categories { codes, dictionary }, Values::Categories { codes: others, .. }) => {
            Values::Categories {
                codes: rows.iter().map(|row| row.map_or(codes[0], |row| others[row])).collect(),
                dictionary: Arc::clone(dictionary),
            }
        }
        _ => own.values.select(&vec![0; rows.len()]),
    };
    FrameColumn { name: own.name.clone(), values }
}

/// How many values of a category there are.
fn levels(values: &Values) -> usize {
    match values {
        Values::Numbers(_) => 0,
        Values::Categories { dictionary, .. } => dictionary.len(),
    }
}

/// A frame with codes as trees know them that have learned of so many values of each column: a missing value has the number
/// behind all of them, and a value that they do not know a higher one.
fn numbered(mut frame: Frame, levels: &[usize]) -> Frame {
    for (column, &levels) in frame.columns.iter_mut().zip(levels) {
        if let Values::Categories { codes, dictionary } = &mut column.values {
            let number = |code: u32| match code {
                MISSING => levels as u32,
                code if (code as usize) < levels => code,
                code => code + 1,
            };
            codes.iter_mut().for_each(|code| *code = number(*code));
            *dictionary = longer(dictionary, levels + 1);
        }
    }
    frame
}

/// A dictionary of at least so many values.
fn longer(dictionary: &Arc<Texts>, least: usize) -> Arc<Texts> {
    let mut longer = Texts::clone(dictionary);
    let mut more = 0;
    while longer.len() < least {
        more += 1;
        longer.insert(&format!("\u{0}{more}"));
    }
    Arc::new(longer)
}

/// The beginning of a long value.
fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 40;
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
