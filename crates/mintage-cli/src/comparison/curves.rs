//! Validation against time: what a run's folder holds of it, and the mean over seeds.

use std::{collections::HashMap, path::Path};

use serde::Serialize;
use serde_json::Value;

/// No series of metrics that is drawn is longer.
const MAX_BYTES: u64 = 1 << 30;
/// Points of a mean over seeds.
const POINTS: usize = 40;

/// The validations of one stage of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// Which of the stages that validate, from 1: two of them may call different numbers alike.
    pub stage: usize,
    /// The name of the number, such as "nelbo".
    pub metric: String,
    pub points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    pub step: u64,
    /// Training time; absent in runs of versions that did not keep it.
    pub secs: Option<f64>,
    pub value: f64,
}

/// The stage that a validation belongs to, and the names of what it reports.
type Kind = (Option<u64>, Vec<String>);

/// The curves of a run, one for each stage that validates; none where its folder has no series.
pub fn read(dir: &Path) -> Vec<Curve> {
    let lines = |name: &str| -> Vec<Value> {
        let text = mintage_data::read_text(&dir.join(name), MAX_BYTES).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let step_of = |line: &Value| line.get("step")?.as_u64();
    let times: HashMap<u64, (f64, Option<u64>)> = lines("times.jsonl")
        .iter()
        .filter_map(|line| {
            let stage = line.get("stage").or_else(|| line.get("phase")).and_then(Value::as_u64);
            Some((step_of(line)?, (line.get("secs")?.as_f64()?, stage)))
        })
        .collect();
    let mut curves: Vec<(Kind, Curve)> = Vec::new();
    for line in lines("metrics.jsonl").iter().filter(|line| line["kind"] == "valid") {
        let Some((step, all)) = step_of(line).zip(line.as_object()) else { continue };
        let (secs, stage) = times.get(&step).copied().unzip();
        // In runs of versions that did not keep it a stage is told by what it reports.
        let names: Vec<String> =
            all.keys().filter(|key| !["step", "kind"].contains(&key.as_str())).cloned().collect();
        let Some(metric) = names.first().cloned() else { continue };
        let Some(value) = all.get(&metric).and_then(Value::as_f64).filter(|v| v.is_finite()) else {
            continue;
        };
        let point = Point { step, secs, value };
        let kind = (stage.flatten(), names);
        match curves.last_mut().filter(|(last, _)| *last == kind) {
            Some((_, curve)) => curve.points.push(point),
            None => {
                let stage = curves.len() + 1;
                curves.push((kind, Curve { stage, metric, points: vec![point] }));
            }
        }
    }
    curves.into_iter().map(|(_, curve)| curve).collect()
}

/// A mean over seeds with the least and the greatest of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    pub label: String,
    /// Along the axis, mean, least, greatest.
    pub points: Vec<[f64; 4]>,
}

/// The mean of several seeds where all of them were validated; along time, or steps where `by_time` is not.
pub fn band(label: &str, curves: &[&Curve], by_time: bool) -> Option<Band> {
    let along = |point: &Point| if by_time { point.secs } else { Some(point.step as f64) };
    let lines: Vec<Vec<(f64, f64)>> = curves
        .iter()
        .map(|curve| curve.points.iter().filter_map(|p| Some((along(p)?, p.value))).collect::<Vec<_>>())
        .filter(|line| !line.is_empty())
        .collect();
    let label = label.to_owned();
    if let [only] = lines.as_slice() {
        return Some(Band { label, points: only.iter().map(|&(x, y)| [x, y, y, y]).collect() });
    }
    let from = lines.iter().map(|line| line[0].0).fold(f64::NEG_INFINITY, f64::max);
    let to = lines.iter().map(|line| line[line.len() - 1].0).fold(f64::INFINITY, f64::min);
    if lines.is_empty() || from > to {
        return None;
    }
    let points = (0..=POINTS).map(|i| from + (to - from) * i as f64 / POINTS as f64).map(|x| {
        let values: Vec<f64> = lines.iter().map(|line| at(line, x)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        [x, mean, least, values.iter().copied().fold(f64::NEG_INFINITY, f64::max)]
    });
    Some(Band { label, points: points.collect() })
}

/// The line at `x`, straight between its points.
fn at(line: &[(f64, f64)], x: f64) -> f64 {
    let after = line.partition_point(|point| point.0 < x).min(line.len() - 1);
    let ((x1, y1), (x0, y0)) = (line[after], line[after.saturating_sub(1)]);
    if x1 <= x0 { y1 } else { y0 + (y1 - y0) * ((x - x0) / (x1 - x0)).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn curve(points: &[(u64, f64)]) -> Curve {
        let points = points.iter().map(|&(step, value)| Point { step, secs: None, value }).collect();
        Curve { stage: 1, metric: "nll".to_owned(), points }
    }

    #[test]
    fn stages_are_curves_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let metrics = "{\"step\":1,\"kind\":\"step\",\"loss\":9}\n{\"step\":5,\"kind\":\"valid\",\"mse\":0.5}\n\
                       {\"step\":9,\"kind\":\"valid\",\"nll\":7.0,\"usage\":1}\n{\"step\":";
        std::fs::write(dir.path().join("metrics.jsonl"), metrics).unwrap();
        std::fs::write(dir.path().join("times.jsonl"), "{\"step\":9,\"secs\":1.5}\n").unwrap();
        let found = read(dir.path());
        let names: Vec<&str> = found.iter().map(|curve| curve.metric.as_str()).collect();
        assert_eq!(names, ["mse", "nll"]);
        assert_eq!(found[0].points, [Point { step: 5, secs: None, value: 0.5 }]);
        assert_eq!(found[1].points[0].secs, Some(1.5));
        assert!(read(Path::new("no such folder")).is_empty());
        // Two stages that call different numbers alike.
        let metrics =
            "{\"step\":1,\"kind\":\"valid\",\"loss\":9}\n{\"step\":2,\"kind\":\"valid\",\"loss\":1}\n";
        std::fs::write(dir.path().join("metrics.jsonl"), metrics).unwrap();
        let times = "{\"step\":1,\"stage\":1,\"secs\":1.5}\n{\"step\":2,\"stage\":2,\"secs\":2.5}\n";
        std::fs::write(dir.path().join("times.jsonl"), times).unwrap();
        assert_eq!(read(dir.path()).len(), 2);
    }

    #[test]
    fn means_stand_where_all_seeds_were_validated() {
        let (a, b) = (curve(&[(0, 4.0), (10, 2.0)]), curve(&[(2, 2.0), (12, 0.0)]));
        let found = band("tiny", &[&a, &b], false).unwrap();
        let [first, .., last] = found.points.as_slice() else { panic!() };
        assert!((first[0] - 2.0).abs() < 1e-9 && (first[1] - 2.8).abs() < 1e-9, "{first:?}");
        assert!(
            (last[0] - 10.0).abs() < 1e-9 && (last[2] - 0.4).abs() < 1e-9 && (last[3] - 2.0).abs() < 1e-9
        );
        assert_eq!(band("x", &[&a], true), None);
        assert_eq!(band("x", &[&a], false).unwrap().points.len(), 2);
    }
}
