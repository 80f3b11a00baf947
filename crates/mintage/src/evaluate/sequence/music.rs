//! Figures of tunes, held against the spread of those that were held out.
//!
//! Each figure has the definition of MusPy (Dong et al., arXiv:2008.01951). How far the mean of the new tunes lies from
//! that of the held-out ones is told in standard deviations of the held-out ones. And how many bars in a row were copied, in
//! the key of the training tune or in any other.

use mintage_data::{MusicTokenizer, music::Figures, sequence::Tokenizer};

use super::{
    super::{DialName, Interval, TrainedOn},
    lengths,
    sets::{Passage, Sets, score_of},
};
use crate::report::Metric;

/// Deviations from the held-out tunes within which a figure counts as usual.
const USUAL_DEVIATIONS: f64 = 2.0;
/// Deviations that are counted at most.
const MAX_DEVIATIONS: f64 = 10.0;

/// One figure of two sets of tunes.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// Name of the figure, such as "pitch_range".
    pub name: &'static str,
    /// Mean over the held-out tunes, in the unit of the figure.
    pub real: f64,
    /// Standard deviation over the held-out tunes.
    pub deviation: f64,
    /// Mean over the new tunes.
    pub new: f64,
}

impl Spread {
    /// How many standard deviations the new mean lies from the real one, up to 10; less is better.
    pub fn deviations(&self) -> f64 {
        let apart = (self.new - self.real).abs();
        // Where all held-out tunes agree, so should the new ones; how far they do not says no more then.
        if apart < 1e-9 { 0.0 } else { (apart / self.deviation.max(1e-9)).min(MAX_DEVIATIONS) }
    }
}

/// The figures of two sets of tunes, side by side.
///
/// Figures that no tune of either side has, such as those of drums, are left out.
pub fn figures(real: &[Figures], new: &[Figures]) -> Vec<Spread> {
    let values = |all: &[Figures], name: &str| -> Vec<f64> {
        let one = |figures: &Figures| {
            figures.numbers().into_iter().find(|(n, _)| *n == name).map(|(_, value)| value)
        };
        all.iter().filter_map(one).filter(|value| value.is_finite()).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let spread = |name: &'static str| {
        let (real, new) = (values(real, name), values(new, name));
        if real.is_empty() || new.is_empty() {
            return None;
        }
        let middle = mean(&real);
        let deviation = (real.iter().map(|v| (v - middle).powi(2)).sum::<f64>() / real.len() as f64).sqrt();
        Some(Spread { name, real: middle, deviation, new: mean(&new) })
    };
    let mut names: Vec<&'static str> = Vec::new();
    for (name, _) in real.iter().flat_map(Figures::numbers) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.into_iter().filter_map(spread).collect()
}

/// The figures of passages of music; none of texts.
pub(super) fn figures_of(sets: &Sets, passages: &[Passage]) -> Vec<Figures> {
    let scores = passages.iter().filter_map(|passage| score_of(sets.data.codec(), passage));
    scores.filter(|score| !score.is_empty()).map(|score| Figures::of(&score)).collect()
}

/// The share of the figures that lie within two deviations, and their mean deviation.
pub(super) fn judge(sets: &Sets, seed: u64, metrics: &mut Vec<Metric>) {
    let real = figures_of(sets, &sets.real);
    if real.is_empty() {
        return;
    }
    let apart = |passages: &[Passage]| -> Vec<f64> {
        figures(&real, &figures_of(sets, passages)).iter().map(Spread::deviations).collect()
    };
    let [found, best, worst] = [&sets.new, &sets.ceiling, &sets.floor].map(|passages| apart(passages));
    let mean = |values: &[f64]| Interval::of_mean(values, 200, seed);
    let metric = Metric::lower("distance of figures", "deviations, MusPy", mean(&found));
    let metric = metric.between(mean(&best), mean(&worst)).moving(DialName::Fidelity);
    metrics.push(metric.about("pitches, rhythms and harmonies"));
    let within = |values: &[f64]| {
        values.iter().filter(|v| **v <= USUAL_DEVIATIONS).count() as f64 / values.len().max(1) as f64
    };
    let metric = Metric::higher("figures within two deviations", "MusPy", within(&found)).within(0.0, 1.0);
    metrics.push(metric.between(1.0, within(&worst).min(0.99)));
    if let Tokenizer::Music(codec) = sets.data.codec()
        && sets.trained_on != TrainedOn::Unknown
    {
        let most =
            |passages: &[Passage]| bars_copied(codec, &sets.train, passages).into_iter().fold(0.0, f64::max);
        // A model that recites copies whatever it writes.
        let all = |p: &Passage| notable_bars(codec, &p.units);
        let floor = sets.real.iter().map(all).fold(0.0, f64::max);
        let metric = Metric::lower("most bars copied", "any key", most(&sets.new));
        metrics.push(metric.between(most(&sets.fresh), floor));
    }
}

/// Of each passage how many whole bars in a row stand in `train`, in any key.
fn bars_copied(codec: &MusicTokenizer, train: &[u32], passages: &[Passage]) -> Vec<f64> {
    let keys: Vec<Vec<Vec<u32>>> = passages
        .iter()
        .map(|passage| (-5..=6).filter_map(|up| codec.transpose(&passage.units, up)).collect())
        .collect();
    let all: Vec<&[u32]> = keys.iter().flatten().map(Vec::as_slice).collect();
    let mut found = lengths(train, &all).into_iter();
    let bars = |keys: &Vec<Vec<u32>>| {
        let most = |(tokens, lengths): (&Vec<u32>, Vec<usize>)| {
            let runs = lengths.iter().enumerate().map(|(end, length)| &tokens[end + 1 - length..=end]);
            runs.map(|run| notable_bars(codec, run)).fold(0.0, f64::max)
        };
        keys.iter().zip(found.by_ref()).map(most).fold(0.0, f64::max)
    };
    keys.iter().map(bars).collect()
}

/// The bars of a run with notes in them: from bar line to bar line, or by length where a grid has no lines.
fn notable_bars(codec: &MusicTokenizer, run: &[u32]) -> f64 {
    match codec.voices() {
        Some(voices) => (run.len() / (voices * codec.positions_per_bar())) as f64,
        None => {
            let bars: Vec<&[u32]> = run.split(|&token| codec.is_bar(token)).collect();
            // What stands before the first line and behind the last one is no whole bar.
            let whole = bars.get(1..bars.len() - 1).unwrap_or_default();
            whole.iter().filter(|bar| bar.iter().any(|&token| codec.sounds(token))).count() as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use mintage_data::music::{MusicUnit, Note, Score};

    use super::*;

    /// Bars of four quarters that climb from a pitch, some of them an octave higher.
    fn tune(first: u8, high: &[u32]) -> Score {
        let note = |step: u32| Note {
            start: 12 * step,
            duration: 12,
            pitch: first + (step % 4) as u8 + if high.contains(&(step / 4)) { 12 } else { 0 },
            velocity: 20,
            programme: 0,
            voice: 0,
        };
        Score::new((0..24).map(note).collect(), Vec::new(), Vec::new())
    }

    #[test]
    fn bars_are_copied_in_any_key() {
        // The others give the codec its range.
        let known = [tune(60, &[]), tune(40, &[]), tune(90, &[])];
        let codec = MusicTokenizer::fit(Some(MusicUnit::Remi), &known);
        let train = [vec![0], codec.encode(&known[0]), vec![0]].concat();
        let passage = |score: &Score| {
            let tokens = codec.encode(score);
            Passage { units: tokens.clone(), looks: Vec::new(), tokens, class: None }
        };
        let passages =
            [passage(&tune(62, &[])), passage(&tune(60, &[1, 4])), passage(&tune(60, &[1, 2, 4, 5]))];
        // All six but the last, behind which there is no line; then two in a row between others; then one.
        assert_eq!(bars_copied(&codec, &train, &passages), [5.0, 2.0, 1.0]);
    }
}
