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
}
