//! What can be asked of a model of rows: new ones, under conditions, from partial rows, with the gaps filled.

use mintage_data::{Table, TableCodec, table::codec::Where};
use mintage_nn::Rng;

use crate::{
    dataset::AnyCodec,
    error::Error,
    model::Model,
    models::{AnyModel, RowDraw, TableModel, table::HIDDEN},
};

/// Rows drawn at a time: each part has a stream of random numbers of its own, so that the first rows do not
/// depend on how many are asked for.
const PART: usize = 16_384;

/// What to draw from a model of rows.
#[derive(Clone, Debug)]
pub struct RowRequest {
    pub n: usize,
    /// Conditions that every row shall meet.
    pub conditions: Vec<Where>,
    /// Rows to complete: their cells are kept, what is missing is drawn. `n` does not count then.
    pub given: Option<Table>,
    /// Whether a cell that is missing in `given` must get a value; otherwise it may stay missing.
    pub fill: bool,
    pub seed: u64,
    pub temperature: f32,
}

impl Default for RowRequest {
    fn default() -> Self {
        Self { n: 1000, conditions: Vec::new(), given: None, fill: false, seed: 1, temperature: 1.0 }
    }
}

impl Model {
    /// The parts of a model of rows; an error for one that makes something else.
    pub fn rows(&self) -> Result<(&TableModel, &TableCodec), Error> {
        match (&self.any, &self.codec) {
            (AnyModel::Table(model), AnyCodec::Table(codec)) => Ok((model, codec)),
            _ => Err(Error::request(format!(
                "{} makes {}s, not table rows",
                self.name(),
                self.config.info.item()
            ))),
        }
    }

    /// Draws rows. The same request gives the same rows.
    pub fn sample_rows(
        &self,
        request: &RowRequest,
        on: &mut dyn FnMut(usize, usize),
    ) -> Result<Table, Error> {
        let (model, codec) = self.rows()?;
        let limits = codec.limits(&request.conditions)?;
        let n = request.given.as_ref().map_or(request.n, Table::rows);
        let given = match &request.given {
            Some(table) => codec.encode_given(table, HIDDEN)?,
            None => Vec::new(),
        };
        let width = codec.width();
        let allowed = limits.allowed(request.fill);
        let (mut tokens, mut parts) = (Vec::with_capacity(n * width), 0);
        on(0, n);
        while tokens.len() < n * width || parts == 0 {
            let start = parts * PART;
            let rows = PART.min(n - start);
            let draw = RowDraw {
                n: rows,
                given: if given.is_empty() { &[] } else { &given[start * width..(start + rows) * width] },
                allowed: &allowed,
                temperature: request.temperature,
            };
            parts += 1;
            tokens.extend(model.sample(&draw, &mut Rng::new(request.seed, parts as u64)));
            on(start + rows, n);
        }
        let mut rng = Rng::new(request.seed, 0);
        Ok(codec.finish(&tokens, n, &limits, request.given.as_ref(), &mut || rng.next_u64())?)
    }
}
