//! What can be asked of a model of rows: new ones, under conditions, from partial rows, with the gaps filled.

use mintage_data::{
    Column, RowEncoder, Table,
    table::encoder::{Finisher, Limits, Where},
};
use mintage_nn::{Rng, cancel};

use crate::{
    dataset::AnyTransform,
    error::Error,
    model::Model,
    models::{AnyModel, GenerativeModel, TableModel, TableSampleParams, table::HIDDEN},
};

/// Rows drawn at a time: each part has a stream of random numbers of its own, so that the first rows do not
/// depend on how many are asked for.
const SAMPLE_CHUNK: usize = 16_384;

/// What to draw from a model of rows.
#[derive(Clone, Debug)]
pub struct TableRequest {
    /// How many items to draw.
    pub n: usize,
    /// Conditions that every row shall meet.
    pub conditions: Vec<Where>,
    /// Rows to complete: their cells are kept, what is missing is drawn. `n` does not count then.
    pub given: Option<Table>,
    /// Whether a cell that is missing in `given` must get a value; otherwise it may stay missing.
    pub fill: bool,
    /// Seed of every random choice.
    pub seed: u64,
    /// 1 is the model's own distribution; lower is safer and less diverse.
    pub temperature: f32,
}

impl Default for TableRequest {
    fn default() -> Self {
        Self { n: 1000, conditions: Vec::new(), given: None, fill: false, seed: 1, temperature: 1.0 }
    }
}

impl Model {
    /// The model of rows and its codec.
    ///
    /// # Errors
    ///
    /// The model makes something else.
    pub fn rows(&self) -> Result<(&TableModel, &RowEncoder), Error> {
        match (&self.any, &self.codec) {
            (AnyModel::Table(model), AnyTransform::Table(codec)) => Ok((model, codec)),
            _ => Err(Error::request(format!(
                "{} makes {}s, not table rows",
                self.name(),
                self.config.info.item()
            ))),
        }
    }

    /// Draws rows. The same request gives the same rows.
    ///
    /// # Errors
    ///
    /// The model makes something else, the conditions or the given cells cannot be kept to, or no rows can be made that
    /// keep every rule.
    pub fn sample_rows(
        &self,
        request: &TableRequest,
        on: &mut dyn FnMut(usize, usize),
    ) -> Result<Table, Error> {
        let mut parts = self.row_chunks(request.clone())?;
        let n = parts.len();
        on(0, n);
        let mut all = parts.head();
        while let Some(part) = parts.next_rows()? {
            if all.rows() == 0 {
                all = part;
            } else {
                all.append(&part)?;
            }
            on(all.rows(), n);
        }
        Ok(all)
    }

    /// The rows of [`sample_rows`](Self::sample_rows), a part at a time: however many are asked for, no more than one
    /// part is held.
    ///
    /// # Errors
    ///
    /// The model makes something else, or the conditions or the given cells cannot be kept to.
    pub fn row_chunks(&self, request: TableRequest) -> Result<TableChunks<'_>, Error> {
        let (model, codec) = self.rows()?;
        let of_field = |field: &'static str| move |error| Error::from(error).in_field(field);
        let limits = codec.limits(&request.conditions).map_err(of_field("where"))?;
        let mut rng = Rng::new(request.seed, 0);
        let given = match &request.given {
            Some(table) => {
                let field = if request.fill { "fill" } else { "given" };
                codec.check_given(table, &request.conditions).map_err(of_field("where"))?;
                codec.encode_given(table, HIDDEN, &mut || rng.next_u64()).map_err(of_field(field))?
            }
            None => Vec::new(),
        };
        Ok(TableChunks {
            model,
            codec,
            allowed: limits.allowed(request.fill),
            request,
            given,
            limits,
            finisher: codec.finisher()?,
            rng,
            done: 0,
            parts: 0,
            more: 0,
        })
    }
}

/// Rows of a model as they are drawn.
pub struct TableChunks<'a> {
    model: &'a TableModel,
    codec: &'a RowEncoder,
    request: TableRequest,
    /// The tokens of the rows that are completed.
    given: Vec<u16>,
    limits: Limits,
    allowed: Vec<Option<Vec<bool>>>,
    finisher: Finisher<'a>,
    /// For what lies beyond the tokens: places in bins, identifiers, rules.
    rng: Rng,
    done: usize,
    parts: u64,
    /// Rows over those asked for.
    more: usize,
}

impl TableChunks<'_> {
    /// Rows of all parts together.
    pub fn len(&self) -> usize {
        self.request.given.as_ref().map_or(self.request.n.saturating_add(self.more), Table::rows)
    }

    /// Reads the rows that the new ones are added to: none of their keys is made again.
    pub fn add_present(&mut self, present: &Table) {
        self.finisher.add_present(present);
    }

    /// The keys of another table of the place where the rows go, which the column `name` refers to.
    pub fn add_references(&mut self, name: &str, keys: &Column) {
        self.finisher.add_references(name, keys);
    }

    /// Draws so many rows more, in the place of some that a sink refused. Rows that were given have no others.
    pub fn draw_more(&mut self, n: usize) {
        self.more = self.more.saturating_add(n);
    }

    /// Rows that were drawn in the place of others.
    pub fn replaced(&self) -> usize {
        self.more
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns, without rows.
    pub fn head(&self) -> Table {
        self.codec.head()
    }

    /// Draws the next part; nothing after the last one, and where the drawing is [cancelled](cancel). There is always one,
    /// even of no rows.
    ///
    /// # Errors
    ///
    /// No rows can be made that keep every rule and condition, or no more identifiers can be made.
    pub fn next_rows(&mut self) -> Result<Option<Table>, mintage_data::Error> {
        if self.done == self.len() && self.parts > 0 {
            return Ok(None);
        }
        let width = self.codec.width();
        let rows = self.done..self.done + SAMPLE_CHUNK.min(self.len() - self.done);
        let given =
            if self.given.is_empty() { &[] } else { &self.given[rows.start * width..rows.end * width] };
        let (model, allowed, temperature) = (self.model, &self.allowed, self.request.temperature);
        self.parts += 1;
        let mut stream = Rng::new(self.request.seed, self.parts);
        let mut draw = |given: &[u16], n: usize| {
            model.sample(&TableSampleParams { n, given, allowed, temperature }, &mut stream)
        };
        let tokens = draw(given, rows.len());
        // Whoever set the flag throws the rows away: they need not be finished.
        if cancel::wanted() {
            return Ok(None);
        }
        let mut redraw = |rows: &[u32]| {
            let row = |&row: &u32| given.get(row as usize * width..).and_then(|rest| rest.get(..width));
            let again: Vec<u16> = match given.is_empty() {
                true => Vec::new(),
                false => rows.iter().filter_map(row).flatten().copied().collect(),
            };
            draw(&again, rows.len())
        };
        // What is given is cut into parts as well.
        let own = self.request.given.as_ref().map(|given| {
            let rows: Vec<u32> = rows.clone().map(|row| row as u32).collect();
            given.select(&rows)
        });
        let (rng, limits) = (&mut self.rng, &self.limits);
        let mut random = || rng.next_u64();
        let n = rows.len();
        let part = self.finisher.part(&tokens, n, limits, own.as_ref(), Some(&mut redraw), &mut random)?;
        self.done = rows.end;
        Ok(Some(part))
    }
}

impl Iterator for TableChunks<'_> {
    type Item = Result<Table, mintage_data::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_rows().transpose();
        if matches!(next, Some(Err(_))) {
            // What failed once would fail again.
            (self.done, self.parts) = (self.len(), self.parts.max(1));
        }
        next
    }
}
