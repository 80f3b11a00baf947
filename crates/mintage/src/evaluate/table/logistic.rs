//! Logistic regression on a table's rows: the weak judge, which sees columns but no way they go together.
//!
//! Minimised is the mean of −log p(class) + ‖w‖² / 2n, as scikit-learn's defaults have it: numbers stand at
//! their distance from the median over that of the quartiles, missing ones at the mean, categories in
//! one-hot columns, and the intercept is free. L-BFGS (Liu and Nocedal, 1989) runs on numbers of unit
//! deviation, which changes how soon the minimum is found and not where it lies.

use std::collections::VecDeque;

use rayon::prelude::*;

use super::{
    boosting::logistic,
    frame::{Frame, Values},
};

/// Steps of L-BFGS.
const MAX_ITERATIONS: usize = 200;
/// Largest component of the gradient at which the search ends.
const GRADIENT_TOLERANCE: f64 = 1e-5;
/// Steps that the curvature is estimated from.
const MEMORY: usize = 10;
/// Rows whose gradient is summed by one thread at a time.
const GRADIENT_CHUNK: usize = 4096;

/// A fitted logistic regression, with a weight for every number and every code.
#[derive(Clone, Debug)]
pub struct Logistic {
    inputs: Vec<Input>,
    /// The intercept, then the weights of each input.
    weights: Vec<f64>,
}

/// How a column is read.
#[derive(Clone, Debug)]
enum Input {
    Number { at: usize, mean: f64, factor: f64, penalty: f64 },
    Codes { at: usize, levels: usize },
}

impl Logistic {
    /// Fits the probability of class 1; a target for each of `rows` of `frame`.
    pub fn fit(frame: &Frame, rows: &[usize], targets: &[f32]) -> Self {
        let mut at = 1;
        let mut input = |values: &Values| match values {
            Values::Numbers(numbers) => {
                at += 1;
                number(at - 1, rows.iter().map(|&row| numbers[row]))
            }
            // A missing value is one more level.
            Values::Categories { dictionary, .. } => {
                let levels = dictionary.len() + 1;
                at += levels;
                Input::Codes { at: at - levels, levels }
            }
        };
        let inputs = frame.columns.iter().map(|column| input(&column.values)).collect();
        let mut model = Self { inputs, weights: Vec::new() };
        let loss = |weights: &[f64]| model.loss(weights, frame, rows, targets);
        let weights = lbfgs(vec![0.0; at], loss);
        model.weights = weights;
        model
    }

    /// The probability of class 1 for each of `rows`.
    pub fn predict(&self, frame: &Frame, rows: &[usize]) -> Vec<f32> {
        rows.par_iter().map(|&row| logistic(self.margin(&self.weights, frame, row)) as f32).collect()
    }

    fn margin(&self, weights: &[f64], frame: &Frame, row: usize) -> f64 {
        self.terms(frame, row).map(|(at, value)| weights[at] * value).sum::<f64>() + weights[0]
    }

    /// The weights that a row takes part in, and its values there.
    fn terms(&self, frame: &Frame, row: usize) -> impl Iterator<Item = (usize, f64)> {
        self.inputs.iter().zip(&frame.columns).map(move |(input, column)| match (input, &column.values) {
            (Input::Number { at, mean, factor, .. }, Values::Numbers(numbers)) => {
                let value = (numbers[row] - mean) * factor;
                (*at, if value.is_nan() { 0.0 } else { value })
            }
            (Input::Codes { at, levels }, Values::Categories { codes, .. }) => {
                (at + (codes[row] as usize).min(levels - 1), 1.0)
            }
            _ => unreachable!("the columns of a frame keep their kind"),
        })
    }

    /// The loss and its gradient.
    fn loss(&self, weights: &[f64], frame: &Frame, rows: &[usize], targets: &[f32]) -> (f64, Vec<f64>) {
        let chunk = |(rows, targets): (&[usize], &[f32])| {
            let (mut loss, mut gradient) = (0.0, vec![0.0; weights.len()]);
            for (&row, &target) in rows.iter().zip(targets) {
                let (margin, target) = (self.margin(weights, frame, row), f64::from(target));
                // −log p(target) without overflow.
                loss += margin.max(0.0) - margin * target + (-margin.abs()).exp().ln_1p();
                let slope = logistic(margin) - target;
                gradient[0] += slope;
                self.terms(frame, row).for_each(|(at, value)| gradient[at] += slope * value);
            }
            (loss, gradient)
        };
        let chunks = rows.par_chunks(GRADIENT_CHUNK).zip(targets.par_chunks(GRADIENT_CHUNK));
        let parts: Vec<(f64, Vec<f64>)> = chunks.map(chunk).collect();
        let (mut loss, mut gradient) = (0.0, vec![0.0; weights.len()]);
        for (part, slopes) in &parts {
            loss += part;
            gradient.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope);
        }
        for input in &self.inputs {
            let (range, penalty) = match *input {
                Input::Number { at, penalty, .. } => (at..at + 1, penalty),
                Input::Codes { at, levels } => (at..at + levels, 1.0),
            };
            for at in range {
                loss += 0.5 * penalty * weights[at] * weights[at];
                gradient[at] += penalty * weights[at];
            }
        }
        let n = rows.len().max(1) as f64;
        gradient.iter_mut().for_each(|slope| *slope /= n);
        (loss / n, gradient)
    }
}

/// A column of numbers at unit deviation, with the penalty that its weight has at the scale of quartiles.
fn number(at: usize, values: impl Iterator<Item = f64>) -> Input {
    let mut sorted: Vec<f64> = values.filter(|x| !x.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len().max(1) as f64;
    let mean = sorted.iter().sum::<f64>() / n;
    let deviation = (sorted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    let one_if_none = |x: f64| if x > 0.0 { x } else { 1.0 };
    let quartile = |share: f64| {
        let place = share * (sorted.len().max(1) - 1) as f64;
        let value = |i: usize| sorted.get(i).or(sorted.last()).copied().unwrap_or(0.0);
        value(place as usize) + place.fract() * (value(place as usize + 1) - value(place as usize))
    };
    let (deviation, spread) = (one_if_none(deviation), one_if_none(quartile(0.75) - quartile(0.25)));
    Input::Number { at, mean, factor: 1.0 / deviation, penalty: (spread / deviation).powi(2) }
}

/// Minimises a smooth function that gives its value and gradient.
fn lbfgs(mut x: Vec<f64>, f: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> Vec<f64> {
    let (mut value, mut gradient) = f(&x);
    // Steps, changes of the gradient along them, and the products of both.
    let mut past: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    for _ in 0..MAX_ITERATIONS {
        if gradient.iter().all(|slope| slope.abs() <= GRADIENT_TOLERANCE) {
            break;
        }
        let direction = direction(&gradient, &past);
        let slope = dot(&gradient, &direction);
        let mut length = if past.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt().max(1.0) } else { 1.0 };
        let found = (0..30).find_map(|_| {
            let next: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let (next_value, next_gradient) = f(&next);
            let enough = next_value <= value + 1e-4 * length * slope;
            length *= 0.5;
            enough.then_some((next, next_value, next_gradient))
        });
        let Some((next, next_value, next_gradient)) = found else { break };
        let step: Vec<f64> = next.iter().zip(&x).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let product = dot(&step, &change);
        if product > 1e-12 {
            past.push_back((step, change, product));
            if past.len() > MEMORY {
                past.pop_front();
            }
        }
        (x, value, gradient) = (next, next_value, next_gradient);
    }
    x
}

/// The gradient times the estimated inverse curvature, downwards.
fn direction(gradient: &[f64], past: &VecDeque<(Vec<f64>, Vec<f64>, f64)>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut shares = Vec::with_capacity(past.len());
    for (step, change, product) in past.iter().rev() {
        let share = dot(step, &q) / product;
        add(&mut q, change, -share);
        shares.push(share);
    }
    if let Some((_, change, product)) = past.back() {
        let scale = product / dot(change, change);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((step, change, product), share) in past.iter().zip(shares.iter().rev()) {
        let other = dot(change, &q) / product;
        add(&mut q, step, share - other);
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], what: &[f64], times: f64) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += times * what);
}

#[cfg(test)]
mod tests {
    use super::{super::frame::testing::frame, *};
    use mintage_nn::Rng;

    #[test]
    fn lbfgs_finds_the_bottom_of_the_valley() {
        let rosenbrock = |x: &[f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            (a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b])
        };
        let x = lbfgs(vec![-1.2, 1.0], rosenbrock);
        assert!((x[0] - 1.0).abs() < 1e-4 && (x[1] - 1.0).abs() < 1e-4, "{x:?}");
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let table = frame(&[&[1.0, f64::NAN, 3.0, 9.0, -2.0]], &[&[0, 1, 2, u32::MAX, 1]]);
        let (rows, targets) = ([0, 1, 2, 3, 4], [1.0, 0.0, 1.0, 1.0, 0.0]);
        let model = Logistic::fit(&table, &rows, &targets);
        let weights: Vec<f64> = (0..model.weights.len()).map(|i| 0.3 * i as f64 - 0.5).collect();
        let (_, gradient) = model.loss(&weights, &table, &rows, &targets);
        for i in 0..weights.len() {
            let at = |change: f64| {
                let mut weights = weights.clone();
                weights[i] += change;
                model.loss(&weights, &table, &rows, &targets).0
            };
            let expected = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((gradient[i] - expected).abs() < 1e-8, "{i}: {} {expected}", gradient[i]);
        }
    }

    #[test]
    fn chances_follow_the_law_they_were_drawn_by() {
        let mut rng = Rng::new(1, 0);
        let n = 20_000;
        let x: Vec<f64> = (0..n).map(|_| 10.0 + 4.0 * f64::from(rng.normal())).collect();
        let codes: Vec<u32> = (0..n).map(|_| rng.below(3) as u32).collect();
        let chance = |i: usize| logistic(0.5 * (x[i] - 10.0) + [0.0, 1.0, -2.0][codes[i] as usize]);
        let y: Vec<f32> = (0..n).map(|i| f32::from(u8::from(f64::from(rng.uniform()) < chance(i)))).collect();
        let rows: Vec<usize> = (0..n).collect();
        let table = frame(&[&x], &[&codes]);
        let found = Logistic::fit(&table, &rows, &y).predict(&table, &rows);
        let off: f64 = (0..n).map(|i| (f64::from(found[i]) - chance(i)).abs()).sum::<f64>() / n as f64;
        assert!(off < 0.01, "{off}");
    }
}
