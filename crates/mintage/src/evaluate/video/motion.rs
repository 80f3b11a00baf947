//! How much clips move: the mean absolute difference of successive frames, in grey levels. Judges of single frames do not
//! see it, and it tells of the two commonest faults: clips that stand still, and clips that flicker.

use mintage_data::{Clips, VideoSet};

use super::super::{DialName, Interval};
use crate::report::Metric;

/// Clips read at a time.
const READ_CHUNK: usize = 256;
const RESAMPLES: usize = 500;
/// Deviation in grey levels that distances are measured by at least.
const MIN_DEVIATION: f64 = 1e-3;

/// The motion of each clip, in grey levels a frame.
pub fn motion(clips: &Clips) -> Vec<f64> {
    let area = clips.shape.height * clips.shape.width;
    let one = |i: usize| {
        let (mut sum, mut count) = (0_u64, 0_u64);
        for plane in clips.clip(i).chunks_exact(area * clips.frames) {
            let pairs = plane.iter().zip(&plane[area.min(plane.len())..]);
            sum += pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
            count += (plane.len() - area) as u64;
        }
        sum as f64 / count.max(1) as f64
    };
    (0..clips.len()).map(one).collect()
}

/// The motion of items of a set.
pub fn motion_of(set: &VideoSet, items: &[u32]) -> Vec<f64> {
    items.chunks(READ_CHUNK).flat_map(|items| motion(&set.clips(items))).collect()
}

/// How far the motion of new clips is distributed from that of real ones; the floor is clips that stand still.
pub fn motion_metric(real: &[f64], fake: &[f64], ceiling: &[f64], seed: u64) -> Metric {
    let scale = deviation(real).max(MIN_DEVIATION);
    let distance = |values: &[f64]| wasserstein(real, values) / scale;
    let sure = |values: &[f64]| {
        Interval::estimate(values.len(), RESAMPLES, seed, |rows| {
            distance(&rows.iter().map(|&row| values[row]).collect::<Vec<f64>>())
        })
    };
    let space = "differences of frames, in deviations of real clips";
    Metric::lower("Wasserstein distance of motion", space, sure(fake))
        .within(0.0, f64::INFINITY)
        .between(sure(ceiling), distance(&vec![0.0; fake.len()]))
        .moving(DialName::Fidelity)
        .about("how much they move")
}

/// The Wasserstein-1 distance of two samples on a line: the area between their distribution functions.
fn wasserstein(a: &[f64], b: &[f64]) -> f64 {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(a), sorted(b));
    let mut all = sorted(&[&a[..], &b].concat());
    all.dedup();
    let share = |values: &[f64], x: f64| values.partition_point(|&v| v <= x) as f64 / values.len() as f64;
    all.windows(2).map(|pair| (pair[1] - pair[0]) * (share(&a, pair[0]) - share(&b, pair[0])).abs()).sum()
}

fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Better;
    use mintage_data::ImageShape;

    #[test]
    fn distances_on_a_line() {
        assert_eq!(wasserstein(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0]), 5.0);
        assert_eq!(wasserstein(&[1.0, 2.0], &[2.0, 1.0]), 0.0);
        // Of different sizes: half of the mass goes from 0 to 1.
        assert_eq!(wasserstein(&[0.0], &[0.0, 1.0]), 0.5);
        assert_eq!(deviation(&[1.0, 3.0]), 1.0);
    }

    #[test]
    fn still_and_flickering_clips_are_far_from_moving_ones() {
        let shape = ImageShape { channels: 1, height: 2, width: 2 };
        let clips = |step: u8| {
            let pixels = (0..3).flat_map(|frame: u8| [frame % 2 * step; 4]).collect();
            Clips { shape, frames: 3, fps: 8.0, pixels, labels: vec![], classes: vec![] }
        };
        assert_eq!(motion(&clips(9)), [9.0]);
        let real = [8.0, 9.0, 10.0, 11.0];
        let near = motion_metric(&real, &[8.0, 10.0, 9.0, 11.5], &[8.5, 9.0, 10.0, 11.0], 1);
        assert_eq!(near.better, Better::Lower);
        assert!(near.value < 0.2 && near.floor.is_some_and(|floor| floor > 8.0), "{near:?}");
        assert!(motion_metric(&real, &motion(&clips(200)), &real, 1).value > 100.0);
    }
}
