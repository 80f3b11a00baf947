//! The curve of a training as a part of the page: for each stage what training and validation came to, over the steps.

use std::fmt::Write;

use super::{
    Exhibit,
    charts::{card, escaped, open},
    number,
};
use crate::{
    curve::{Curve, Stage, best, ends},
    meaning::of_validation,
    model::ModelConfig,
};

/// Sides of the plot, and where its lines begin and end: axes take the rest.
const SIZE: (usize, usize) = (360, 190);
const LEFT: f64 = 44.0;
const RIGHT: f64 = 352.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 154.0;
/// Points of a line: more are drawn as means of their neighbours.
const MAX_POINTS: usize = 60;
/// Of the first losses, which tower over all others, this share is cut off at the top.
const CUT_SHARE: f64 = 0.05;

/// The part of the page, where the model's folder has the curve.
pub(crate) fn exhibit(curve: &Curve, config: &ModelConfig) -> Exhibit {
    let charts: String = curve.stages.iter().map(stage).collect();
    let watched = curve.stages.last().and_then(|stage| Some((&stage.valid.name, best(&stage.valid.points)?)));
    let meaning = watched.and_then(|(name, (_, value))| {
        let said = of_validation(&config.model, &config.info, name, value)?;
        Some(format!("<p class=\"soft small\">{}: {}.</p>", escaped(&plain(name)), escaped(&said)))
    });
    let none = "<p class=\"soft small\">This family has no validation loss at its end: its networks play against each \
                other, and neither loss says how good the samples are.</p>";
    let html = format!(
        "<p class=\"legend\"><span class=\"real\">training</span> <span class=\"new\">validation: items kept out of \
         training</span></p><div class=\"charts curves\">{charts}</div>{}",
        meaning.as_deref().unwrap_or(none)
    );
    let note = "What training and validation came to, over the steps; the ring is the best of validation.";
    Exhibit { title: "Training".to_owned(), note: note.to_owned(), html }
}

/// "bits per dim".
fn plain(name: &str) -> String {
    name.replace('_', " ")
}

/// One chart, or two where steps and validation know no number by one name.
fn stage(stage: &Stage) -> String {
    let Stage { name, loss, valid, .. } = stage;
    let title = |what: &str| if name.is_empty() { plain(what) } else { format!("{name}: {}", plain(what)) };
    let said = |points: &[(u64, f64)]| match best(points) {
        Some((step, value)) => format!("best {} at step {step}", number(Some(value))),
        None => "no validation".to_owned(),
    };
    if loss.name == valid.name || valid.points.is_empty() {
        return card(&title(&loss.name), &said(&valid.points), &plot(&loss.points, &valid.points));
    }
    let validation = card(&title(&valid.name), &said(&valid.points), &plot(&[], &valid.points));
    validation + &card(&title(&loss.name), "training", &plot(&loss.points, &[]))
}

/// Lines of training and of validation over the same steps.
fn plot(loss: &[(u64, f64)], valid: &[(u64, f64)]) -> String {
    let (loss, valid) = (thinned(loss), thinned(valid));
    let steps = loss.iter().chain(&valid).map(|(step, _)| *step);
    let (Some(first), Some(last)) = (steps.clone().min(), steps.max()) else { return String::new() };
    let Some((low, high)) = shown_range(&loss, &valid) else { return String::new() };
    let x = |step: u64| LEFT + (RIGHT - LEFT) * (step - first) as f64 / (last - first).max(1) as f64;
    let y = |value: f64| BOTTOM - (BOTTOM - TOP) * ((value - low) / (high - low).max(1e-300)).clamp(0.0, 1.0);
    let mut svg = open(SIZE.0, SIZE.1);
    for value in [low, f64::midpoint(low, high), high] {
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{0:.1}\" y2=\"{0:.1}\" class=\"grid\"/>\
             <text x=\"{1}\" y=\"{2:.1}\" class=\"label\" text-anchor=\"end\">{3}</text>",
            y(value),
            LEFT - 6.0,
            y(value) + 3.5,
            number(Some(value))
        );
    }
    let path = |points: &[(u64, f64)]| -> String {
        points.iter().map(|&(step, value)| format!("{:.1},{:.1} ", x(step), y(value))).collect()
    };
    let _ = write!(svg, "<polyline points=\"{}\" class=\"line soft\"/>", path(&loss));
    let _ = write!(svg, "<polyline points=\"{}\" class=\"line\"/>", path(&valid));
    if let Some((step, value)) = best(&valid) {
        let _ = write!(svg, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" class=\"ring\"/>", x(step), y(value));
    }
    let _ = write!(
        svg,
        "<text x=\"{LEFT}\" y=\"{0}\" class=\"label\">{first}</text>\
         <text x=\"{1}\" y=\"{0}\" class=\"label\" text-anchor=\"middle\">steps</text>\
         <text x=\"{RIGHT}\" y=\"{0}\" class=\"label\" text-anchor=\"end\">{last}</text></svg>",
        BOTTOM + 18.0,
        f64::midpoint(LEFT, RIGHT)
    );
    svg
}

/// From the least to the largest of validation and of the losses behind the first few.
fn shown_range(loss: &[(u64, f64)], valid: &[(u64, f64)]) -> Option<(f64, f64)> {
    let settled = &loss[(CUT_SHARE * loss.len() as f64).ceil() as usize..];
    let of_loss = ends(settled).or_else(|| ends(loss));
    match (of_loss, ends(valid)) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// At most so many points: means of neighbours, at the last of their steps.
fn thinned(points: &[(u64, f64)]) -> Vec<(u64, f64)> {
    let finite: Vec<(u64, f64)> = points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let each = finite.len().div_ceil(MAX_POINTS).max(1);
    let mean = |part: &[(u64, f64)]| {
        let sum: f64 = part.iter().map(|(_, value)| value).sum();
        (part[part.len() - 1].0, sum / part.len() as f64)
    };
    finite.chunks(each).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::Series;

    fn series(name: &str, points: impl IntoIterator<Item = (u64, f64)>) -> Series {
        Series { name: name.to_owned(), points: points.into_iter().collect() }
    }

    #[test]
    fn the_best_step_is_marked_and_numbers_of_one_name_share_a_chart() {
        let loss = series("nll", (1..=1000).map(|step| (step, 1000.0 / step as f64)));
        let valid = series("nll", [(200, 9.0), (600, 4.0), (1000, 5.0)]);
        let html = stage(&Stage {
            name: "codes <b>".to_owned(),
            first_step: 1,
            loss: loss.clone(),
            valid: valid.clone(),
        });
        assert_eq!((html.matches("<svg").count(), html.matches("<circle").count()), (1, 1));
        assert!(html.contains("best 4.000 at step 600") && html.contains("codes &lt;b&gt;: nll"), "{html}");
        // A thousand points are not drawn.
        assert!(html.len() < 6_000, "{}", html.len());
        let other = Series { name: "mse".to_owned(), ..valid };
        let html = stage(&Stage { loss: loss.clone(), valid: other, ..Stage::default() });
        assert_eq!(html.matches("<svg").count(), 2);
        let html = stage(&Stage { loss, ..Stage::default() });
        assert!(html.contains("no validation") && !html.contains("<circle"));
        assert_eq!(plot(&[], &[]), "");
    }

    #[test]
    fn the_first_losses_do_not_set_the_scale() {
        let loss: Vec<(u64, f64)> = (1..=100).map(|step| (step, if step < 4 { 1e6 } else { 1.0 })).collect();
        assert_eq!(shown_range(&loss, &[(50, 2.0)]), Some((1.0, 2.0)));
        assert_eq!(shown_range(&[], &[]), None);
    }
}
