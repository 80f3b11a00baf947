//! Charts of a comparison: bars of the dials with their intervals, and validation against training time. Colours come
//! from the page, or from a style of its own where the drawing is a file.

use std::fmt::Write;

use mintage::report::charts::escaped;
use serde_json::json;

use super::{
    Comparison, Group,
    curves::{Band, Curve, band},
    stats::number,
};
use crate::{report_view::DIALS, text::duration};

/// Every panel is as wide.
const WIDTH: f64 = 320.0;
/// Panels of a drawing stand beside each other.
const COLUMNS: usize = 3;
/// Lines of one panel are told apart by as many colours.
const COLOURS: usize = 6;
/// Heights of a panel of curves, and of its plot.
const HEIGHT: f64 = 180.0;
const PLOT: (f64, f64, f64, f64) = (52.0, 8.0, 258.0, 148.0);

/// A chart with its title.
pub struct Panel {
    pub title: String,
    pub note: String,
    height: f64,
    body: String,
}

impl Panel {
    /// The chart alone, for a page.
    pub fn svg(&self) -> String {
        format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"{}\">{}</svg>",
            self.height,
            escaped(&self.title),
            self.body
        )
    }
}

/// One panel a dial that somebody has a score of.
pub fn dials(comparison: &Comparison) -> Vec<Panel> {
    let measured = DIALS.into_iter().filter(|dial| comparison.groups.iter().any(|g| g.dial(dial).is_some()));
    measured.map(|dial| bars(dial, &comparison.groups)).collect()
}

fn bars(dial: &str, groups: &[Group]) -> Panel {
    const LEFT: f64 = 118.0;
    const BAR_LENGTH: f64 = 124.0;
    let mut body = String::new();
    for (row, group) in groups.iter().enumerate() {
        let y = 20.0 * row as f64;
        let x = |score: f64| LEFT + BAR_LENGTH * score / 100.0;
        let _ = write!(
            body,
            "<text x=\"{}\" y=\"{}\" class=\"label\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{}\" width=\"{BAR_LENGTH}\" height=\"10\" class=\"track\"/>",
            LEFT - 6.0,
            y + 14.0,
            escaped(&short(&group.label, 20)),
            y + 5.0,
        );
        let Some(found) = group.dial(dial) else {
            let _ =
                write!(body, "<text x=\"{}\" y=\"{}\" class=\"label\">–</text>", x(100.0) + 6.0, y + 14.0);
            continue;
        };
        let _ = write!(
            body,
            "<rect x=\"{LEFT}\" y=\"{}\" width=\"{:.1}\" height=\"10\" class=\"new\"/>\
             <text x=\"{}\" y=\"{}\" class=\"label\">{}</text>",
            y + 5.0,
            BAR_LENGTH * found.mean / 100.0,
            x(100.0) + 6.0,
            y + 14.0,
            found.text_of(1),
        );
        if let Some((low, high)) = found.interval {
            let _ = write!(
                body,
                "<path d=\"M{:.1} {}H{:.1}M{:.1} {}v6M{:.1} {}v6\" class=\"whisker\"/>",
                x(low),
                y + 10.0,
                x(high),
                x(low),
                y + 7.0,
                x(high),
                y + 7.0,
            );
        }
    }
    let height = 20.0 * groups.len() as f64 + 4.0;
    Panel { title: dial.to_owned(), note: "0 to 100, with 95 % intervals".to_owned(), height, body }
}

/// One panel a family and number that it validates by; none for families that have none.
pub fn curves(comparison: &Comparison) -> Vec<Panel> {
    let mut wanted: Vec<(&str, usize, &str)> = Vec::new();
    for member in comparison.members() {
        for curve in &member.curves {
            let one = (member.family(), curve.stage, curve.metric.as_str());
            if !wanted.contains(&one) {
                wanted.push(one);
            }
        }
    }
    // Stages of a family stand beside each other.
    let place = |family: &str| comparison.groups.iter().position(|group| group.family == family);
    wanted.sort_by_key(|(family, stage, _)| (place(family), *stage));
    let stages = |family: &str| wanted.iter().filter(|(other, ..)| *other == family).count();
    let one = |&(family, stage, metric): &(&str, usize, &str)| {
        let part = if stages(family) > 1 { format!(", stage {stage}") } else { String::new() };
        panel(comparison, family, stage, metric, format!("{family}{part}: {metric}"))
    };
    wanted.iter().filter_map(one).collect()
}

fn panel(comparison: &Comparison, family: &str, stage: usize, metric: &str, title: String) -> Option<Panel> {
    let is_wanted = |curve: &&Curve| curve.stage == stage && curve.metric == metric;
    let found: Vec<(&str, Vec<&Curve>)> = comparison
        .groups
        .iter()
        .filter(|group| group.family == family)
        .map(|group| {
            let all = group.members.iter().flat_map(|member| &member.curves);
            (group.label.as_str(), all.filter(is_wanted).collect())
        })
        .filter(|(_, curves): &(&str, Vec<&Curve>)| !curves.is_empty())
        .collect();
    let points = || found.iter().flat_map(|(_, curves)| curves).flat_map(|curve| &curve.points);
    let by_time = points().all(|point| point.secs.is_some());
    let bands: Vec<Band> = found.iter().filter_map(|(label, curves)| band(label, curves, by_time)).collect();
    let seeds = found.iter().map(|(_, curves)| curves.len()).max().unwrap_or(0);
    let along = if by_time { "against training time" } else { "against steps" };
    let shown = if seeds > 1 { ", mean and range of seeds" } else { "" };
    let by_powers = by_powers(&bands);
    let scale = if by_powers { ", log scale" } else { "" };
    let body = plot(&bands, by_time, by_powers)?;
    Some(Panel { title, note: format!("{along}{shown}{scale}"), height: HEIGHT, body })
}

/// Whether the numbers fall by a power of ten: on an even scale they would be nothing but a corner.
fn by_powers(bands: &[Band]) -> bool {
    let all = || bands.iter().flat_map(|band| &band.points);
    let (least, most) = (all().map(|p| p[2]).reduce(f64::min), all().map(|p| p[3]).reduce(f64::max));
    least.zip(most).is_some_and(|(least, most)| least > 0.0 && most / least > 10.0)
}

/// Lines in their bands, between axes that say their ends.
fn plot(bands: &[Band], by_time: bool, by_powers: bool) -> Option<String> {
    let (left, top, right, bottom) = PLOT;
    let all = || bands.iter().flat_map(|band| &band.points);
    let least = all().map(|p| p[2]).reduce(f64::min)?;
    let most = all().map(|p| p[3]).reduce(f64::max)?;
    let end = all().map(|p| p[0]).reduce(f64::max)?;
    let scaled = |value: f64| if by_powers { value.ln() } else { value };
    let (low, high) = (scaled(least), scaled(most));
    let x = |at: f64| left + (right - left) * at / end.max(1e-9);
    let y = |value: f64| bottom - (bottom - top) * (scaled(value) - low) / (high - low).max(1e-9);
    let mut svg = format!("<path d=\"M{left} {top}V{bottom}H{right}\" class=\"axis\"/>");
    for (at, band) in bands.iter().enumerate() {
        let colour = at % COLOURS;
        let path = |points: &mut dyn Iterator<Item = (f64, f64)>| {
            points.map(|(at, value)| format!("{:.1},{:.1} ", x(at), y(value))).collect::<String>()
        };
        if band.points.iter().any(|p| p[2] < p[3]) {
            let upper = path(&mut band.points.iter().map(|p| (p[0], p[3])));
            let lower = path(&mut band.points.iter().rev().map(|p| (p[0], p[2])));
            let _ = write!(svg, "<polygon points=\"{upper}{lower}\" class=\"c{colour} band\"/>");
        }
        let mean = path(&mut band.points.iter().map(|p| (p[0], p[1])));
        let _ = write!(svg, "<polyline points=\"{mean}\" class=\"c{colour} mean\"/>");
    }
    svg.push_str(&labels(bands, y));
    let far = if by_time { duration(end) } else { format!("{end:.0} steps") };
    let _ = write!(
        svg,
        "<text x=\"{}\" y=\"{}\" class=\"label\" text-anchor=\"end\">{}</text>\
         <text x=\"{}\" y=\"{bottom}\" class=\"label\" text-anchor=\"end\">{}</text>\
         <text x=\"{left}\" y=\"{}\" class=\"label\">0</text>\
         <text x=\"{right}\" y=\"{}\" class=\"label\" text-anchor=\"end\">{far}</text>",
        left - 4.0,
        top + 8.0,
        number(most),
        left - 4.0,
        number(least),
        bottom + 14.0,
        bottom + 14.0,
    );
    Some(svg)
}

/// What each line is, at its end; labels that would lie on each other are moved apart.
fn labels(bands: &[Band], y: impl Fn(f64) -> f64) -> String {
    let (_, top, right, bottom) = PLOT;
    let mut ends: Vec<(f64, usize)> = bands
        .iter()
        .enumerate()
        .filter_map(|(at, band)| Some((y(band.points.last()?[1]) + 3.0, at)))
        .collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut last = f64::NEG_INFINITY;
    for (place, _) in &mut ends {
        *place = place.max(last + 11.0).max(top + 8.0);
        last = *place;
    }
    // Those pushed beyond the bottom push the others up again.
    let mut lowest = bottom + 3.0;
    for (place, _) in ends.iter_mut().rev() {
        *place = place.min(lowest);
        lowest = *place - 11.0;
    }
    let text = |(place, at): (f64, usize)| {
        // The family stands in the title.
        let label = bands[at].label.split_once(' ').map_or(bands[at].label.as_str(), |(_, rest)| rest);
        format!(
            "<text x=\"{}\" y=\"{place:.1}\" class=\"c{} name\">{}</text>",
            right + 5.0,
            at % COLOURS,
            escaped(&short(label, 11))
        )
    };
    ends.into_iter().map(text).collect()
}

fn short(text: &str, most: usize) -> String {
    crate::text::cut(text, most)
}

/// Colours of the charts, light and dark, for a page or a drawing.
pub const STYLE: &str = "\
:root, svg.alone { --ink: #1c2430; --soft: #66707e; --line: #dfe3e8; --paper: #fff; --mint: #1d9a6c; --mint-soft: #d5efe4;
  --c0: #1d9a6c; --c1: #b4541a; --c2: #3b6fc4; --c3: #8a4fb0; --c4: #8c6d00; --c5: #c03a5b; }
@media (prefers-color-scheme: dark) {
  :root, svg.alone { --ink: #e6e9ed; --soft: #98a2af; --line: #333b46; --paper: #171b21; --mint: #35c28c; --mint-soft: #1d4436;
    --c0: #35c28c; --c1: #f0955a; --c2: #7fabf5; --c3: #c796e8; --c4: #d9b640; --c5: #f47f9b; }
}
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); }
.c3 { --c: var(--c3); } .c4 { --c: var(--c4); } .c5 { --c: var(--c5); }
.track { fill: var(--line); } .new { fill: var(--mint); }
.whisker { fill: none; stroke: var(--ink); stroke-width: 1.3; opacity: .7; }
.axis { fill: none; stroke: var(--soft); stroke-width: 1; }
.band { fill: var(--c); opacity: .18; }
.mean { fill: none; stroke: var(--c); stroke-width: 1.8; stroke-linejoin: round; }
.label { fill: var(--soft); font: 10px system-ui, sans-serif; }
.name { fill: var(--c); font: 600 10px system-ui, sans-serif; }
";

/// All charts in one file, and in it what they were made from.
pub fn file(comparison: &Comparison) -> String {
    const TITLE: f64 = 32.0;
    const GAP: f64 = 20.0;
    let (mut body, mut top) = (String::new(), GAP);
    for panels in [dials(comparison), curves(comparison)] {
        for row in panels.chunks(COLUMNS) {
            let height = row.iter().map(|panel| panel.height).fold(0.0, f64::max);
            for (at, panel) in row.iter().enumerate() {
                let left = GAP + at as f64 * (WIDTH + GAP);
                let _ = write!(
                    body,
                    "<g transform=\"translate({left} {top})\"><text y=\"10\" class=\"title\">{}</text><text y=\"24\" \
                     class=\"label\">{}</text><g transform=\"translate(0 {TITLE})\">{}</g></g>",
                    escaped(&panel.title),
                    escaped(&panel.note),
                    panel.body
                );
            }
            top += TITLE + height + GAP;
        }
    }
    let width = GAP + COLUMNS as f64 * (WIDTH + GAP);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"alone\" viewBox=\"0 0 {width} {top}\" width=\"{width}\" \
         height=\"{top}\">\n<metadata>{}</metadata>\n<style>{STYLE}.title {{ fill: var(--ink); font: 600 12px \
         system-ui, sans-serif; }}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"var(--paper)\"/>\n{body}\n</svg>\n",
        escaped(&provenance(comparison))
    )
}

/// What a picture of a comparison was made from, as JSON.
pub fn provenance(comparison: &Comparison) -> String {
    let run = |member: &super::Member| {
        json!({ "model": member.name, "family": member.family(), "size": member.size(), "seed": member.seed(),
                "step": member.steps(), "source": member.config.pointer("/source/source") })
    };
    let runs: Vec<_> = comparison.members().map(run).collect();
    json!({ "mintage": env!("CARGO_PKG_VERSION"), "runs": runs }).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::comparison::{
        curves::Point,
        tests::{comparison, member},
    };

    fn with_curves() -> Comparison {
        let members = [("a<b", 1), ("a<b", 2), ("vae", 1)].map(|(family, seed)| {
            let mut one = member(family, seed, Some(50.0));
            let point = |step: u64| Point {
                step,
                secs: Some(step as f64 / 2.0),
                value: 100.0 / (step as f64 + seed as f64),
            };
            one.curves =
                vec![Curve { stage: 1, metric: "nll".to_owned(), points: (0..30).map(point).collect() }];
            one
        });
        Comparison::of(members.to_vec(), Vec::new())
    }

    #[test]
    fn a_panel_a_family_and_number() {
        let panels = curves(&with_curves());
        let titles: Vec<&str> = panels.iter().map(|panel| panel.title.as_str()).collect();
        assert_eq!(titles, ["a<b: nll", "vae: nll"]);
        assert!(
            panels[0].note.contains("training time, mean and range of seeds, log scale"),
            "{}",
            panels[0].note
        );
        // A band of two seeds, none of one; powers of ten where the numbers fall that far.
        assert!(panels[0].body.contains("polygon") && !panels[1].body.contains("polygon"));
    }

    #[test]
    fn a_file_names_what_it_was_made_from_and_escapes_it() {
        let text = file(&with_curves());
        assert!(text.contains("&quot;model&quot;:&quot;a&lt;b-1&quot;") && !text.contains("a<b"), "{text}");
        assert!(text.contains("prefers-color-scheme: dark"));
        assert_eq!(dials(&comparison()).len(), 2);
    }

    #[test]
    fn labels_do_not_lie_on_each_other() {
        let one = |label: &str| Band { label: format!("vae {label}"), points: vec![[1.0, 5.0, 5.0, 5.0]] };
        let text = labels(&[one("tiny"), one("small"), one("base")], |_| 148.0);
        let places: Vec<f64> = text
            .split("y=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse::<f64>().unwrap())
            .collect();
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 10.9), "{places:?}");
    }
}
