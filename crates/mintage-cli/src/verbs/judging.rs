//! What verbs that judge share: the options of an evaluation, and its progress.

use mintage::{AnyData, Event, evaluate::Options, report::Report};

use crate::{context::Context, failure::CliError, settings::Settings};

/// The options of an evaluation; features of the data are kept beside the runs, for the next one.
pub fn options(n: Option<usize>, settings: &Settings) -> Options {
    let cache = Some(settings.runs.join(".cache"));
    Options { n, seed: settings.seed_or_default(), cache, ..Options::default() }
}

/// Judges with one bar called `whole` over all parts.
pub fn with_one_bar(
    data: &AnyData,
    whole: &str,
    context: &mut Context,
    judge: impl FnOnce(&mut dyn FnMut(Event)) -> Result<Report, mintage::Error>,
) -> Result<Report, CliError> {
    let mut overall = Overall::of(data);
    let ui = &mut context.ui;
    let report = judge(&mut |event| match event {
        Event::Work { what, done, total } => ui.part(whole, overall.share(&what, done, total), &what),
        other => ui.event(&other),
    });
    if report.is_ok() {
        context.ui.event(&Event::Work { what: whole.to_owned(), done: 1, total: 1 });
    }
    context.ui.clear();
    Ok(report?)
}

/// How far an evaluation is, over all of its parts.
struct Overall {
    parts: usize,
    /// Those that have begun, the present one last.
    begun: Vec<String>,
    /// A bar never goes back.
    reached: f64,
}

impl Overall {
    /// As many parts as an evaluation of such data has at most.
    fn of(data: &AnyData) -> Self {
        let parts = match data {
            AnyData::Image(_) => 11,
            AnyData::Table(_) => 10,
            AnyData::Sequence(_) => 7,
            AnyData::Audio(_) => 12,
            AnyData::Video(_) => 13,
        };
        Self { parts, begun: Vec::new(), reached: 0.0 }
    }

    /// The share that is done when of the part `what` `done` of `total` is.
    fn share(&mut self, what: &str, done: usize, total: usize) -> f64 {
        if self.begun.last().is_none_or(|last| last != what) {
            self.begun.push(what.to_owned());
        }
        let within = done as f64 / total.max(1) as f64;
        let share =
            ((self.begun.len() - 1) as f64 + within.min(1.0)) / self.parts.max(self.begun.len()) as f64;
        self.reached = self.reached.max(share);
        self.reached
    }
}

/// What `--fail-under` asks of some of the dials.
pub fn limits(texts: &[String], dials: &[&'static str]) -> Result<Vec<(&'static str, f64)>, CliError> {
    texts.iter().map(|text| limit(text, dials)).collect()
}

/// "fidelity=0.8" or "fidelity=80": a dial and the least score on the scale of 0 to 100.
fn limit(text: &str, dials: &[&'static str]) -> Result<(&'static str, f64), CliError> {
    let wrong = || {
        let (first, all) = (dials.first().copied().unwrap_or_default(), dials.join(", "));
        let hint = format!("write it like {first}=0.8 or {first}=80; the dials are {all}");
        CliError::new(format!("`{text}` is no limit"), hint)
    };
    let (dial, score) = text.split_once('=').ok_or_else(wrong)?;
    let dial = dials.iter().copied().find(|d| *d == dial.trim()).ok_or_else(wrong)?;
    let percent = score.trim().strip_suffix('%');
    let score: f64 = percent.unwrap_or(score).trim().parse().map_err(|_| wrong())?;
    let score = if score <= 1.0 && percent.is_none() { score * 100.0 } else { score };
    if (0.0..=100.0).contains(&score) { Ok((dial, score)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bar_goes_over_all_parts() {
        let mut overall = Overall { parts: 4, begun: Vec::new(), reached: 0.0 };
        let seen = [("a", 0), ("a", 1), ("b", 0), ("b", 2), ("c", 1), ("d", 2), ("e", 0), ("e", 2)]
            .map(|(what, done)| overall.share(what, done, 2));
        assert_eq!(seen, [0.0, 0.125, 0.25, 0.5, 0.625, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn limits_in_both_notations() {
        let limit = |text: &str| limit(text, &["fidelity", "novelty"]);
        assert_eq!(limit("fidelity=0.8").ok(), Some(("fidelity", 80.0)));
        assert_eq!(limit("novelty = 80").ok(), Some(("novelty", 80.0)));
        assert_eq!(limit("novelty=1%").ok(), Some(("novelty", 1.0)));
        for bad in ["fidelity", "fidelity=x", "beauty=0.8", "fidelity=180", "fidelity=-1", "fidelity=nan"] {
            assert!(limit(bad).is_err(), "{bad}");
        }
    }
}
