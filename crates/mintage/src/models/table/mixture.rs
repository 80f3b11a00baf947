//! Mixture of factorised distributions, learned by EM (Dempster et al., 1977; stepwise EM: Cappé & Moulines,
//! arXiv:0712.4273).
//!
//! ```text
//! p(x) = Σ_z π_z Π_f θ_f(x_f | z)
//! E:  r_z ∝ π_z Π_f θ_f(x_f | z)            on a batch
//! M:  π, θ from running means of r,  S ← (1 − η) S + η r(batch)
//! ```
//!
//! It learns in seconds, and every question has an exact answer: the likelihood of a row, of any part of a
//! row, and the distribution of the rest given any columns or ranges (`z` given the known, then each field
//! given `z`). A field is smoothed towards the whole data by `prior` rows for each of its tokens (a Dirichlet prior), which
//! keeps components of few rows from reciting them: most in fields of many tokens, where a few rows say least.

use burn::tensor::Device;
use mintage_data::{TableBatch, TableInfo};
use mintage_nn::{
    NotFinite, Rng, TensorMap, WeightsError,
    kernels::{NONE, add_responsibilities, responsibilities},
    layers::with_numbers,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{HIDDEN, TableSampleParams, net::places, pick};
use super::{Table, max_steps};
use crate::models::{
    generative::{FamilyConfig, GenerativeModel},
    memory,
};
use crate::{events::Metrics, models::Size};
use mintage_nn::Part;

/// Options of a mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Number of components, which are the values of `z`.
    pub components: usize,
    /// Rows of the whole data that each component's field is smoothed with, for each token of the field.
    pub prior: f64,
    /// Passes over the rows after which training ends, even where there is time left.
    pub epochs: usize,
    /// Rows of one E-step, after each of which there is an M-step.
    pub batch: usize,
}

impl FamilyConfig<Table> for Config {
    /// The preset of a size; no more components than every fourth row could fill.
    fn preset(size: Size, info: &TableInfo) -> Self {
        let components = match size {
            Size::Tiny => 128,
            Size::Small => 1024,
            Size::Base => 2048,
            Size::Large => 4096,
        };
        let components = components.min(info.train_len / 4).max(1);
        Self { components, prior: 0.015, epochs: 150, batch: 4096 }
    }

    fn max_steps(&self, train_len: usize) -> Option<u64> {
        Some(max_steps(self.epochs, self.batch, train_len, 500))
    }

    fn activations(&self, info: &TableInfo) -> u64 {
        memory::of_row(info)
    }
}

/// A mixture: running means of EM, and the logarithms that follow from them.
#[derive(Debug)]
pub struct Mixture {
    config: Config,
    starts: Vec<usize>,
    /// Share of each token in its field.
    marginals: Vec<f32>,
    train_len: f32,
    /// Running mean of the responsibilities of the rows that have a token, `[tokens, components]`.
    sums: Vec<f32>,
    /// Steps of EM so far; 0 before the first batch has placed the components.
    steps: u64,
    log_theta: Vec<f32>,
    log_pi: Vec<f32>,
}

impl GenerativeModel<Table> for Mixture {
    type Config = Config;

    fn new(config: &Config, info: &TableInfo, _device: &Device, _rng: &mut Rng) -> Self {
        let k = config.components;
        let share = |counts: &[u32]| {
            let total: f32 = counts.iter().map(|&n| n as f32 + 0.01).sum();
            counts.iter().map(|&n| (n as f32 + 0.01) / total).collect::<Vec<f32>>()
        };
        let marginals: Vec<f32> = info.fields.iter().flat_map(|field| share(&field.counts)).collect();
        let empty = !with_numbers();
        let sums = match empty {
            true => Vec::new(),
            false => marginals.iter().flat_map(|&m| vec![m / k as f32; k]).collect(),
        };
        let mut mixture = Self {
            config: config.clone(),
            starts: info.starts(),
            marginals,
            train_len: info.train_len as f32,
            sums,
            steps: 0,
            log_theta: Vec::new(),
            log_pi: Vec::new(),
        };
        if !empty {
            mixture.maximise();
        }
        mixture
    }

    fn config(&self) -> Config {
        self.config.clone()
    }

    /// One step of stepwise EM: the nats a row before it.
    fn step(&mut self, batch: &TableBatch, _progress: f64, rng: &mut Rng) -> Result<Metrics, NotFinite> {
        let indices = places(&batch.tokens, &self.starts);
        if self.steps == 0 {
            self.begin(&indices, rng);
        }
        let (r, log_p) = self.posterior(&indices, vec![0.0; batch.n * self.components()]);
        let nll = -log_p.iter().map(|&l| f64::from(l)).sum::<f64>() / batch.n.max(1) as f64;
        if !nll.is_finite() {
            return Err(NotFinite { what: "likelihood" });
        }
        let rate = self.rate(batch.n);
        self.sums.par_iter_mut().for_each(|sum| *sum *= 1.0 - rate);
        let factor = rate / batch.n.max(1) as f32;
        let r: Vec<f32> = r.into_par_iter().map(|r| r * factor).collect();
        add_responsibilities(&r, &indices, self.fields(), &mut self.sums);
        self.maximise();
        self.steps += 1;
        Ok(Metrics::new([("nll", nll)]))
    }

    /// Nats a row.
    fn validate(&self, batch: &TableBatch, _progress: f64, _rng: &mut Rng) -> Option<Metrics> {
        let nll = self.row_nats(batch);
        Some(Metrics::new([("nll", nll.iter().sum::<f64>() / nll.len().max(1) as f64)]))
    }

    /// Draws rows of tokens: a component given what is known, then every open field given the component.
    fn sample(&self, draw: &TableSampleParams, rng: &mut Rng) -> Vec<u16> {
        let fields = self.fields();
        let mut tokens = draw.start(fields);
        let tables: Vec<Vec<f32>> = (0..fields).map(|field| self.cumulative(field, draw)).collect();
        let component = self.components_for(&tokens, draw, &tables, rng);
        for (field, table) in tables.iter().enumerate() {
            let size = self.starts[field + 1] - self.starts[field];
            let uniforms = rng.uniforms(draw.n);
            let rows = tokens.par_chunks_mut(fields).zip(&component).zip(uniforms);
            rows.filter(|((row, _), _)| row[field] == HIDDEN).for_each(|((row, &z), u)| {
                row[field] = pick(&table[z as usize * size..][..size], u) as u16;
            });
        }
        tokens
    }

    /// Negative log-likelihood of each row in nats: exact.
    fn nll(&self, batch: &TableBatch, _samples: usize, _rng: &mut Rng) -> Option<Vec<f64>> {
        Some(self.row_nats(batch))
    }

    fn parts(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![("mixture", self)]
    }

    fn parts_mut(&mut self) -> Vec<(&'static str, &mut dyn Part)> {
        vec![("mixture", self)]
    }
}

impl Part for Mixture {
    fn save_weights(&self, name: &str, map: &mut TensorMap) {
        let k = self.components();
        map.insert(format!("{name}.sums"), &[self.sums.len() / k, k], self.sums.clone());
        map.insert(format!("{name}.steps"), &[1], vec![self.steps as f32]);
    }

    fn load_weights(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        let sums = map.of_shape(&format!("{name}.sums"), &[self.marginals.len(), self.components()])?;
        let steps = map.of_shape(&format!("{name}.steps"), &[1])?;
        self.steps = steps.values.first().map_or(0, |&steps| steps as u64);
        self.sums.clone_from(&sums.values);
        self.maximise();
        Ok(())
    }

    fn parameters(&self) -> usize {
        (self.marginals.len() - self.fields()) * self.components() + self.components() - 1
    }
}

impl Mixture {
    /// `−log p` of each row.
    fn row_nats(&self, batch: &TableBatch) -> Vec<f64> {
        let rows = batch.tokens.chunks(self.fields() * 4096);
        let nll = |tokens: &[u16]| {
            let n = tokens.len() / self.fields();
            let (_, log_p) = self.posterior(&places(tokens, &self.starts), vec![0.0; n * self.components()]);
            log_p.into_iter().map(|l| -f64::from(l))
        };
        rows.flat_map(nll).collect()
    }

    fn components(&self) -> usize {
        self.config.components
    }

    fn fields(&self) -> usize {
        self.starts.len() - 1
    }

    /// η: first as in Cappé & Moulines, later such that the means reach over about two epochs.
    fn rate(&self, n: usize) -> f32 {
        let least = 0.5 * n as f32 / self.train_len;
        (self.steps as f32 + 2.0).powf(-0.6).max(least).min(1.0)
    }

    /// Places each component at a row, halfway between it and the whole data.
    fn begin(&mut self, indices: &[u32], rng: &mut Rng) {
        let (k, fields) = (self.components(), self.fields());
        let n = indices.len() / fields;
        let order = rng.permutation(n);
        for (component, weight) in (0..k).zip(rng.uniforms(k)) {
            let weight = (0.5 + weight) / k as f32;
            for (entry, marginal) in self.marginals.iter().enumerate() {
                self.sums[entry * k + component] = 0.5 * weight * marginal;
            }
            for &index in &indices[order[component % n] * fields..][..fields] {
                self.sums[index as usize * k + component] += 0.5 * weight;
            }
        }
        self.maximise();
    }

    /// The M-step: π and θ from the running means.
    fn maximise(&mut self) {
        let (k, prior) = (self.components(), self.config.prior as f32 / self.train_len);
        // Every row has a token in the first field.
        let first = &self.sums[..self.starts[1] * k];
        let mut weight = vec![0.0f32; k];
        first.chunks_exact(k).for_each(|row| weight.iter_mut().zip(row).for_each(|(w, s)| *w += s));
        let total: f32 = weight.iter().sum();
        self.log_pi = weight.iter().map(|w| (w.max(1e-30) / total).ln()).collect();
        let priors = self.starts.windows(2).flat_map(|ends| {
            let size = ends[1] - ends[0];
            std::iter::repeat_n(prior * size as f32, size)
        });
        let priors: Vec<f32> = priors.collect();
        let rows = self.sums.par_chunks(k).zip(&self.marginals).zip(priors);
        let log_theta = |((row, &marginal), prior): ((&[f32], &f32), f32)| {
            let theta = row.iter().zip(&weight).map(|(s, w)| (s + prior * marginal) / (w + prior));
            theta.map(|theta| theta.max(1e-30).ln()).collect::<Vec<f32>>()
        };
        self.log_theta = rows.flat_map_iter(log_theta).collect();
    }

    /// Responsibilities and log-likelihoods of rows; `log_conditions [n, k]` comes on top.
    fn posterior(&self, indices: &[u32], mut log_conditions: Vec<f32>) -> (Vec<f32>, Vec<f32>) {
        let log_p =
            responsibilities(&self.log_theta, &self.log_pi, indices, self.fields(), &mut log_conditions);
        (log_conditions, log_p)
    }

    /// For each component the running sums of a field's allowed tokens: `[components, size]`.
    fn cumulative(&self, field: usize, draw: &TableSampleParams) -> Vec<f32> {
        let k = self.components();
        let range = self.starts[field]..self.starts[field + 1];
        let scale = 1.0 / draw.temperature.max(1e-3);
        let allowed = draw.allowed(field);
        let of_component = |z: usize| {
            let mut sum = 0.0;
            let entries = range.clone().enumerate().map(move |(token, entry)| {
                if allowed.is_none_or(|allowed| allowed[token]) {
                    sum += (self.log_theta[entry * k + z] * scale).exp();
                }
                sum
            });
            entries.collect::<Vec<f32>>()
        };
        (0..k).into_par_iter().flat_map_iter(of_component).collect()
    }

    /// A component for every row.
    fn components_for(
        &self,
        tokens: &[u16],
        draw: &TableSampleParams,
        tables: &[Vec<f32>],
        rng: &mut Rng,
    ) -> Vec<u32> {
        let (k, fields) = (self.components(), self.fields());
        // What the conditions on sets of tokens say of each component.
        let mut conditions = vec![0.0; k];
        for (field, table) in tables.iter().enumerate().filter(|(field, _)| draw.allowed(*field).is_some()) {
            let size = self.starts[field + 1] - self.starts[field];
            let whole = table.chunks_exact(size).map(|sums| sums[size - 1].max(1e-30).ln());
            conditions.iter_mut().zip(whole).for_each(|(condition, whole)| *condition += whole);
        }
        let uniforms = rng.uniforms(draw.n);
        if draw.given.is_empty() {
            let (r, _) = self.posterior(&vec![NONE; fields], conditions);
            let sums = running(&r);
            return uniforms.par_iter().map(|&u| pick(&sums, u) as u32).collect();
        }
        let rows = tokens.par_chunks(fields * 1024).zip(uniforms.par_chunks(1024));
        let chosen = rows.map(|(tokens, uniforms)| {
            let (r, _) = self.posterior(&places(tokens, &self.starts), conditions.repeat(uniforms.len()));
            let rows = r.chunks_exact(k).zip(uniforms);
            rows.map(|(r, &u)| pick(&running(r), u) as u32).collect::<Vec<u32>>()
        });
        chosen.flatten_iter().collect()
    }
}

fn running(weights: &[f32]) -> Vec<f32> {
    weights
        .iter()
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}
