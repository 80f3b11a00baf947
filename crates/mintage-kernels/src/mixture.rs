#![allow(unsafe_code)] // Several threads add to disjoint parts of one array.
//! Mixtures of factorised distributions over fields: what EM does with every row.
//!
//! `log_theta [entries, k]` holds `log p(token | component)` with the components side by side, so that a row
//! of `F` fields is a sum of `F` contiguous vectors:
//!
//! ```text
//! log p(x, z) = log π_z + Σ_f log θ[x_f, z]       r_z = softmax_z,   log p(x) = log Σ_z exp
//! S[x_f, z] += r_z  for every row and field
//! ```

use rayon::prelude::*;

use super::fields::NONE;
use super::math::{exp, largest, sum};
use super::memory::{Shared, parts};
use super::simd::multiversion;

multiversion! {
    fn add_to(from: &[f32], to: &mut [f32]) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    }
}

multiversion! {
    /// Softmax in place; returns the logarithm of the sum.
    fn normalise(log: &mut [f32]) -> f32 {
        let top = largest(log);
        log.iter_mut().for_each(|l| *l = exp(*l - top));
        let total = sum([&*log], |[l]| l);
        let factor = 1.0 / total;
        log.iter_mut().for_each(|l| *l *= factor);
        top + total.ln()
    }
}

/// Responsibilities of the components for rows of `fields` indices each (an index may be [`NONE`]), written
/// over `out [n, k]`, which holds what each row brings along (zeros, or the logarithm of a condition).
/// Returns `log p(x)` of each row in nats.
pub fn responsibilities(
    log_theta: &[f32],
    log_pi: &[f32],
    indices: &[u32],
    fields: usize,
    out: &mut [f32],
) -> Vec<f32> {
    let k = log_pi.len();
    let rows = out.par_chunks_mut(k).zip(indices.par_chunks(fields));
    let row = |(out, indices): (&mut [f32], &[u32])| {
        add_to(log_pi, out);
        for &index in indices.iter().filter(|&&index| index != NONE) {
            add_to(&log_theta[index as usize * k..][..k], out);
        }
        normalise(out)
    };
    rows.map(row).collect()
}

/// Adds the responsibilities `[n, k]` of rows to the sums `[entries, k]` of their tokens.
pub fn add_responsibilities(responsibilities: &[f32], indices: &[u32], fields: usize, sums: &mut [f32]) {
    let k = responsibilities.len() * fields / indices.len().max(1);
    let shared = Shared(sums.as_mut_ptr());
    // Every task has some of the components for all rows: the order of addition is fixed.
    parts(k).into_par_iter().for_each(|part| {
        for (row, indices) in responsibilities.chunks_exact(k).zip(indices.chunks_exact(fields)) {
            for &index in indices.iter().filter(|&&index| index != NONE) {
                // SAFETY: no other task touches these components.
                let to = unsafe { shared.slice(index as usize * k + part.start, part.len()) };
                add_to(&row[part.clone()], to);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responsibilities_follow_bayes() {
        // Two fields of two tokens, three components.
        let theta = [[0.9, 0.1, 0.5], [0.1, 0.9, 0.5], [0.8, 0.3, 0.5], [0.2, 0.7, 0.5f32]];
        let pi = [0.5, 0.3, 0.2f32];
        let log_theta: Vec<f32> = theta.iter().flatten().map(|p| p.ln()).collect();
        let log_pi = pi.map(f32::ln);
        let indices = [0, 3, 1, NONE];
        let mut r = vec![0.0; 6];
        let log_p = responsibilities(&log_theta, &log_pi, &indices, 2, &mut r);
        for (row, tokens) in [vec![0usize, 3], vec![1]].iter().enumerate() {
            let joint: Vec<f32> =
                (0..3).map(|z| pi[z] * tokens.iter().map(|&t| theta[t][z]).product::<f32>()).collect();
            let total: f32 = joint.iter().sum();
            assert!((log_p[row] - total.ln()).abs() < 1e-5);
            (0..3).for_each(|z| assert!((r[row * 3 + z] - joint[z] / total).abs() < 1e-6));
        }
        let mut sums = vec![0.0; 12];
        add_responsibilities(&r, &indices, 2, &mut sums);
        assert_eq!(sums[..3], r[..3]);
        assert_eq!(sums[3..6], r[3..]);
        assert_eq!(sums[6..9], [0.0; 3]);
        assert_eq!(sums[9..], r[..3]);
    }
}
