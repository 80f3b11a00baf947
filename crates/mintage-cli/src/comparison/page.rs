//! A comparison as a page: one file that needs no network and runs no script.

use minijinja::{Environment, Value, context};

use super::{
    Comparison, Group, Member,
    drawing::{self, Panel, STYLE},
    stats::Summary,
    tables::{DIGITS, LEGEND, OF_DIALS, is_best},
};
use crate::{
    failure::CliError,
    report_view::{self, DIALS},
    text::{duration, thousands},
};

/// The page. `about` says what was compared, `commands` how it is made again.
pub fn html(
    comparison: &Comparison,
    title: &str,
    about: &[String],
    commands: &[String],
) -> Result<String, CliError> {
    let fail = |error: minijinja::Error| CliError::message(format!("the page cannot be drawn: {error}"));
    let mut pages = Environment::new();
    pages.add_template("page.html", include_str!("page.html")).map_err(fail)?;
    let charts = |panels: Vec<Panel>| -> Vec<Value> {
        let chart = |p: Panel| context! { svg => p.svg(), title => p.title, note => p.note };
        panels.into_iter().map(chart).collect()
    };
    let page = pages.get_template("page.html").map_err(fail)?;
    page.render(context! {
        title,
        about => about.to_vec(),
        commands => commands.to_vec(),
        style => Value::from_safe_string(STYLE.to_owned()),
        legend => capital(LEGEND),
        dials => DIALS,
        groups => groups(comparison),
        notes => comparison.notes(),
        bars => charts(drawing::dials(comparison)),
        curves => charts(drawing::curves(comparison)),
        metrics => metrics(comparison),
        runs => comparison.members().map(run).collect::<Vec<_>>(),
        provenance => drawing::provenance(comparison),
        version => env!("CARGO_PKG_VERSION"),
    })
    .map_err(fail)
}

fn groups(comparison: &Comparison) -> Vec<Value> {
    let whole = |found: Option<Summary>| {
        found.map_or_else(|| "–".to_owned(), |summary| thousands(summary.mean.round() as usize))
    };
    let group = |group: &Group| {
        let dials = DIALS.map(|dial| {
            let all: Vec<_> = comparison.groups.iter().map(|group| group.dial(dial)).collect();
            cell(group, group.dial(dial), &all, false, OF_DIALS)
        });
        context! {
            label => &group.label,
            seeds => group.members.len(),
            dials => dials.to_vec(),
            steps => whole(group.steps()),
            items => whole(group.items()),
            parameters => group.parameters().map_or_else(|| "–".to_owned(), thousands),
            time => group.train_secs().map_or_else(|| "–".to_owned(), |found| duration(found.mean)),
        }
    };
    comparison.groups.iter().map(group).collect()
}

fn metrics(comparison: &Comparison) -> Vec<Value> {
    let metric = |name: &super::MetricName| {
        let all: Vec<_> = comparison.groups.iter().map(|group| group.metric(name)).collect();
        let cells = comparison.groups.iter().zip(&all);
        let cells: Vec<Value> =
            cells.map(|(group, found)| cell(group, *found, &all, name.lower_is_better, DIGITS)).collect();
        context! { name => &name.name, space => &name.space, arrow => name.arrow(), cells }
    };
    comparison.metrics.iter().map(metric).collect()
}

fn cell(
    group: &Group,
    found: Option<Summary>,
    all: &[Option<Summary>],
    lower_is_better: bool,
    digits: usize,
) -> Value {
    let interval = found.and_then(|found| found.interval).map(|(low, high)| format!("{low:.0}–{high:.0}"));
    let best = found.is_some_and(|found| is_best(&found, all, lower_is_better));
    context! { text => group.text(found, digits), interval, best }
}

fn run(member: &Member) -> Value {
    let report = member.scores();
    context! {
        name => &member.name,
        seed => member.seed(),
        dials => DIALS.map(|dial| report_view::interval_text(report, dial)).to_vec(),
        steps => member.steps().map_or_else(|| "–".to_owned(), |steps| thousands(steps as usize)),
        time => member.train_secs().map_or_else(|| "–".to_owned(), duration),
    }
}

/// With a capital letter at its beginning.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::comparison::tests::{comparison, member};

    #[test]
    fn the_page_has_tables_charts_and_reasons() {
        let about = ["rows of <b>".to_owned()];
        let page = html(&comparison(), "sweep & co", &about, &["mintage sweep x".to_owned()]).unwrap();
        assert!(page.contains("sweep &amp; co") && page.contains("rows of &lt;b&gt;"));
        assert!(page.contains("81.0 ± 1.4") && page.contains("68–94") && page.contains("does not work"));
        assert!(page.contains("<svg class=\"chart\"") && page.contains("mintage sweep x"));
    }

    #[test]
    fn names_from_outside_do_no_harm() {
        let mut one = member("gan", 1, Some(50.0));
        "</script><script>alert(1)</script>".clone_into(&mut one.name);
        let page = html(&Comparison::of(vec![one], Vec::new()), "t", &[], &[]).unwrap();
        assert!(!page.contains("<script>alert"), "{page}");
    }
}
