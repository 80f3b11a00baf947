//! Models of table rows, one file a family.
//!
//! A row is a choice of one token a field ([`TableInfo`]); what tokens mean is the codec's business. All models
//! are drawn from alike: some fields of a row are given, some are restricted to a set of tokens, and the
//! model fills in the rest.

mod any_order;
pub mod ar;
mod autoencoder;
pub mod flow;
pub mod gan;
mod latent;
pub mod mixture;
mod net;
pub mod vae;
pub mod vqvae;

use std::ops::RangeInclusive;

use mintage_data::{TableBatch, TableInfo};

use super::{
    generative::{Kind, families},
    options::MAX_SAMPLE_STEPS,
};
/// The token of a field that is not given.
pub const HIDDEN: u16 = u16::MAX;

/// Gives every hidden field its first token: of rows that were cancelled, which are thrown away, but may be read before.
fn fill_hidden(tokens: &mut [u16]) {
    tokens.iter_mut().filter(|token| **token == HIDDEN).for_each(|token| *token = 0);
}

/// How to draw rows.
#[derive(Clone, Debug)]
pub struct TableSampleParams<'a> {
    /// Number of rows to draw.
    pub n: usize,
    /// `n` × fields tokens, [`HIDDEN`] where the model chooses; empty where it chooses all.
    pub given: &'a [u16],
    /// For each field the tokens that it may have, `None` for all; empty where no field is restricted.
    pub allowed: &'a [Option<Vec<bool>>],
    /// 1 is the model's own distribution; lower is safer and less diverse.
    pub temperature: f32,
}

impl TableSampleParams<'_> {
    /// `n` rows without any condition.
    pub fn new(n: usize) -> Self {
        Self { n, given: &[], allowed: &[], temperature: 1.0 }
    }

    /// The given tokens, or hidden ones.
    pub(super) fn start(&self, width: usize) -> Vec<u16> {
        if self.given.is_empty() { vec![HIDDEN; self.n * width] } else { self.given.to_vec() }
    }

    /// The tokens that a field may have, where they are restricted.
    pub(super) fn allowed(&self, field: usize) -> Option<&[bool]> {
        self.allowed.get(field)?.as_deref()
    }
}

families! {
    Table: TableConfig, TableModel, auto = Ar;
    Ar = ar, Mixture = mixture, Vae = vae, Vqvae = vqvae, Gan = gan, Flow = flow,
}

/// Rows, as their models see them.
#[derive(Debug)]
pub enum Table {}

impl Kind for Table {
    const ITEMS: &'static str = "rows";
    const RANGES: &'static [(&'static str, RangeInclusive<u64>)] = &[
        ("batch", 1..=65_536),
        ("width", 2..=8_192),
        ("blocks", 0..=64),
        ("components", 1..=65_536),
        ("latent", 1..=4_096),
        ("coder_width", 2..=8_192),
        ("coder_blocks", 0..=64),
        ("noise", 1..=4_096),
        ("prior_width", 2..=8_192),
        ("prior_blocks", 0..=64),
        ("steps", 1..=MAX_SAMPLE_STEPS),
        ("pack", 1..=64),
        ("codes", 2..=65_535),
        ("epochs", 1..=1_000_000),
        ("code_dim", 1..=256),
    ];

    type Info = TableInfo;
    type Batch = TableBatch;
    type Config = TableConfig;
    type Model = TableModel;
    type Item = [u16];
    type SampleParams<'a> = &'a TableSampleParams<'a>;
    type Samples = Vec<u16>;
    type Reconstruction = ();

    fn train_len(info: &TableInfo) -> usize {
        info.train_len
    }

    fn item(_info: &TableInfo) -> &'static str {
        "row"
    }

    fn items(info: &TableInfo) -> String {
        let columns = info.fields.iter().filter(|field| !field.detail).count();
        format!("rows of {columns} {}", if columns == 1 { "column" } else { "columns" })
    }
}

/// Steps of `epochs` passes over the rows, and at least `least`: few rows are allowed more passes.
fn max_steps(epochs: usize, batch: usize, train_len: usize, least: usize) -> u64 {
    (epochs * train_len / batch).max(least) as u64
}

/// Running sums of `softmax(logits / temperature)` over the allowed tokens, up to a factor.
fn cumulative(logits: &[f32], temperature: f32, allowed: Option<&[bool]>) -> Vec<f32> {
    let open = |token: usize| allowed.is_none_or(|allowed| allowed[token]);
    let top = (0..logits.len()).filter(|&t| open(t)).fold(f32::NEG_INFINITY, |top, t| top.max(logits[t]));
    let mut sum = 0.0;
    let scale = 1.0 / temperature.max(1e-3);
    let add = |token: usize| {
        if open(token) {
            sum += ((logits[token] - top) * scale).exp();
        }
        sum
    };
    (0..logits.len()).map(add).collect()
}

/// The token whose part of the running sums holds `u` of the whole.
fn pick(cumulative: &[f32], u: f32) -> usize {
    let whole = cumulative[cumulative.len() - 1];
    cumulative.partition_point(|&sum| sum <= u * whole).min(cumulative.len() - 1)
}

/// Tests of every family.
#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::table::encoder::Field;

    use burn::tensor::Device;
    use mintage_nn::{Rng, TensorMap};

    use super::*;
    use crate::{
        events::Metrics,
        models::{Family, GenerativeModel, Size},
    };

    /// Steps in which each family learns six kinds of rows by heart.
    const STEPS: u64 = 300;

    /// Rows of four fields of which the first two tell the others: six kinds in all.
    fn tiny_batch() -> TableBatch {
        let row = |i: u16| [i % 2, i % 3, i % 6 / 2, (i % 6 + 5 * (i % 2)) % 12];
        TableBatch { tokens: (0..48).flat_map(row).collect(), n: 48 }
    }

    fn tiny_info() -> TableInfo {
        let batch = tiny_batch();
        let sizes = [(2, false), (3, false), (3, true), (12, true)];
        let fields = sizes.into_iter().enumerate().map(|(at, (size, ordinal))| {
            let mut counts = vec![0; size];
            batch.tokens.iter().skip(at).step_by(4).for_each(|&token| counts[token as usize] += 1);
            Field { column: at, size, ordinal, unordered: 0, detail: false, counts }
        });
        TableInfo { fields: fields.collect(), train_len: batch.n }
    }

    /// Tiny configurations of all families.
    fn configs() -> Vec<TableConfig> {
        // Forty-eight rows bear little smoothing.
        let options = |family| match family {
            Family::Mixture => toml::Table::from_iter([("prior".to_owned(), 0.01.into())]),
            _ => toml::Table::new(),
        };
        let preset = |family| TableConfig::preset(Some(family), Size::Tiny, &tiny_info(), &options(family));
        let learns = |family: &Family| TableConfig::FAMILIES.contains(family);
        Family::ALL.into_iter().filter(learns).map(|family| preset(family).unwrap()).collect()
    }

    /// A model after the first `steps` steps of [`STEPS`].
    fn trained(config: &TableConfig, steps: u64) -> TableModel {
        let mut model = TableModel::new(config, &tiny_info(), &Device::flex(), &mut Rng::new(1, 0));
        (0..steps).for_each(|at| {
            step(&mut model, at);
        });
        model
    }

    fn step(model: &mut TableModel, at: u64) -> Metrics {
        model.step(&tiny_batch(), at as f64 / STEPS as f64, &mut Rng::new(2, at)).unwrap()
    }

    /// The share of rows that the batch has as well.
    fn share_of_known(rows: &[u16]) -> f64 {
        let batch = tiny_batch();
        let known = |row: &&[u16]| batch.tokens.chunks(4).any(|known| known == *row);
        rows.chunks(4).filter(known).count() as f64 / (rows.len() / 4) as f64
    }

    #[test]
    fn overfits_one_batch() {
        // Rows of a GAN take longer than a test may: what its networks learn, its own tests say.
        for config in configs().into_iter().filter(|config| config.family() != Family::Gan) {
            let model = trained(&config, STEPS);
            let share = share_of_known(&model.sample(&TableSampleParams::new(500), &mut Rng::new(3, 0)));
            // Independent fields would be right in one row of eighteen.
            assert!(share > 0.8, "{}: {share}", config.family().name());
        }
    }

    #[test]
    fn what_is_asked_for_is_kept_and_suits_the_rest() {
        let given = [1, HIDDEN, HIDDEN, HIDDEN].repeat(300);
        let fourth: Vec<bool> = (0..12).map(|token| token > 7).collect();
        let allowed = [None, Some(vec![true, false, true]), None, Some(fourth)];
        for config in configs() {
            let model = trained(&config, STEPS);
            let draw = TableSampleParams { given: &given, allowed: &allowed, ..TableSampleParams::new(300) };
            let rows = model.sample(&draw, &mut Rng::new(3, 0));
            let kept = |row: &[u16]| row[0] == 1 && row[1] != 1 && row[3] > 7;
            assert!(rows.chunks(4).all(kept), "{}", config.family().name());
            let share = share_of_known(&rows);
            assert!(share > 0.6 || config.family() == Family::Gan, "{}: {share}", config.family().name());
        }
    }

    #[test]
    fn save_load_is_bit_exact_and_resumes_exactly() {
        let through_file = |save: &dyn Fn(&mut TensorMap)| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("state.safetensors");
            let mut map = TensorMap::default();
            save(&mut map);
            crate::run::write_weights(&path, &map).unwrap();
            TensorMap::load(&path).unwrap()
        };
        for (config, at) in configs().iter().flat_map(|config| [(config, 2), (config, STEPS - 2)]) {
            let mut model = trained(config, 2);
            step(&mut model, at);
            let sample = |model: &TableModel| model.sample(&TableSampleParams::new(20), &mut Rng::new(3, 0));
            let mut published = trained(config, 0);
            published.load_weights(&through_file(&|map| model.save_weights(map))).unwrap();
            assert_eq!(sample(&model), sample(&published));
            let mut resumed = trained(config, 0);
            resumed.load_state(&through_file(&|map| model.save_state(map))).unwrap();
            assert_eq!(sample(&model), sample(&resumed));
            assert_eq!(step(&mut model, at + 1), step(&mut resumed, at + 1));
            assert_eq!(sample(&model), sample(&resumed));
        }
    }
}
