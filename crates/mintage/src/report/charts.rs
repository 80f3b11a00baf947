//! Charts as SVG, drawn with the colours of the page: they follow it into dark mode and onto paper. Everything
//! that comes from data is escaped.

use std::fmt::Write;

/// The legend of charts with real and new values.
pub const LEGEND: &str =
    "<p class=\"legend\"><span class=\"real\">real</span> <span class=\"new\">new</span></p>";

/// The legend of heat maps: which colour is above 0, which below.
pub const SIGNS: &str = "<p class=\"legend\"><span class=\"new\">together</span> <span class=\"against\">against each other</span></p>";

/// Text with the characters of HTML escaped.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A text of at most `most` characters.
fn short(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// A chart below its title and a note, as one figure of a grid of charts.
pub fn card(title: &str, note: &str, svg: &str) -> String {
    format!(
        "<figure><figcaption>{} <span class=\"soft\">{}</span></figcaption>{svg}</figure>",
        escaped(&short(title, 40)),
        escaped(note)
    )
}

/// A table of texts: the first column is aligned left, the others, which are numbers, right.
pub fn table<const N: usize>(head: &[&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let cells = |cells: &[String], tag: &str| -> String {
        cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect()
    };
    let head = cells(&head.map(str::to_owned), "th");
    let body: String = rows.into_iter().map(|row| format!("<tr>{}</tr>", cells(&row, "td"))).collect();
    format!("<div class=\"wide\"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")
}

/// A bar chart of a few named values with two shares each: `(name, real, new)`.
pub fn bars(values: &[(String, f64, f64)]) -> String {
    let most = values.iter().fold(1e-9, |most: f64, v| most.max(v.1).max(v.2));
    let mut svg = open(240, 16 * values.len().max(1));
    for (at, (name, real, new)) in values.iter().enumerate() {
        let y = 16 * at;
        let width = |share: f64| 120.0 * share / most;
        let _ = write!(
            svg,
            "<text x=\"104\" y=\"{}\" class=\"label\" text-anchor=\"end\">{}</text>\
             <rect x=\"110\" y=\"{}\" width=\"{:.1}\" height=\"5\" class=\"real\"/>\
             <rect x=\"110\" y=\"{}\" width=\"{:.1}\" height=\"5\" class=\"new\"/>",
            y + 11,
            escaped(&short(name, 16)),
            y + 2,
            width(*real),
            y + 7,
            width(*new),
        );
    }
    svg + "</svg>"
}

/// Two histograms over the same bins, as shares: real filled, new as a line.
///
/// `low` and `high` are the labels of the ends.
pub fn histogram(real: &[f64], new: &[f64], low: &str, high: &str) -> String {
    let most = real.iter().chain(new).fold(1e-9, |most: f64, &v| most.max(v));
    let step = 240.0 / real.len().max(1) as f64;
    let mut svg = open(240, 96);
    for (at, share) in real.iter().enumerate() {
        let height = 76.0 * share / most;
        let _ = write!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" class=\"real\"/>",
            at as f64 * step,
            80.0 - height,
            step * 0.92
        );
    }
    let mut line = String::new();
    for (at, share) in new.iter().enumerate() {
        let y = 80.0 - 76.0 * share / most;
        let _ = write!(line, "{:.1},{y:.1} {:.1},{y:.1} ", at as f64 * step, (at as f64 + 0.92) * step);
    }
    let _ = write!(
        svg,
        "<polyline points=\"{line}\" class=\"line\"/>\
         <text x=\"0\" y=\"93\" class=\"label\">{}</text>\
         <text x=\"240\" y=\"93\" class=\"label\" text-anchor=\"end\">{}</text>",
        escaped(low),
        escaped(high)
    );
    svg + "</svg>"
}

/// A heat map of `n` by `n` values from −1 to 1, by row and column; NaN is left empty.
///
/// The further from 0, the darker; `tip` is the text shown when one points at a cell.
pub fn heat_map(
    n: usize,
    value: impl Fn(usize, usize) -> f64,
    tip: impl Fn(usize, usize) -> String,
) -> String {
    let side = (280 / n.max(1)).clamp(2, 24);
    let mut svg = open(side * n, side * n);
    for row in 0..n {
        for column in 0..n {
            let value = value(row, column);
            if value.is_nan() {
                continue;
            }
            let _ = write!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"{side}\" height=\"{side}\" class=\"{}\" \
                 opacity=\"{:.3}\"><title>{}</title></rect>",
                column * side,
                row * side,
                if value < 0.0 { "against" } else { "new" },
                value.abs().min(1.0),
                escaped(&tip(row, column))
            );
        }
    }
    svg + "</svg>"
}

pub(super) fn open(width: usize, height: usize) -> String {
    format!("<svg class=\"chart\" viewBox=\"0 0 {width} {height}\" role=\"img\">")
}

/// The shares of `bins` even bins from `low` to `high`; values outside count for the nearest bin.
pub fn shares(values: impl Iterator<Item = f64>, low: f64, high: f64, bins: usize) -> Vec<f64> {
    let mut counts = vec![0.0; bins];
    let mut total = 0.0;
    for value in values.filter(|value| !value.is_nan()) {
        let place = ((value - low) / (high - low).max(1e-300) * bins as f64).clamp(0.0, bins as f64 - 1.0);
        counts[place as usize] += 1.0;
        total += 1.0;
    }
    counts.into_iter().map(|count| if total > 0.0 { count / total } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_shortened() {
        let svg = bars(&[("<script>alert(1)</script>".to_owned(), 0.5, 0.25)]);
        assert!(svg.contains("&lt;script&gt;") && !svg.contains("<script>") && svg.contains('…'));
        assert!(svg.contains("width=\"120.0\"") && svg.contains("width=\"60.0\""));
    }

    #[test]
    fn values_below_nothing_have_another_colour() {
        let map =
            heat_map(2, |a, b| if a == b { f64::NAN } else { a as f64 - 0.75 }, |_, _| "a & b".to_owned());
        assert_eq!((map.matches("<rect").count(), map.matches("a &amp; b").count()), (2, 2));
        assert!(
            map.contains("class=\"against\" opacity=\"0.750\"")
                && map.contains("class=\"new\" opacity=\"0.250\"")
        );
    }

    #[test]
    fn shares_of_bins() {
        assert_eq!(shares([0.0, 1.0, 9.9, 50.0, f64::NAN].into_iter(), 0.0, 10.0, 2), [0.5, 0.5]);
        assert_eq!(shares([3.0].into_iter(), 3.0, 3.0, 2), [1.0, 0.0]);
        assert_eq!(shares([].into_iter(), 0.0, 1.0, 2), [0.0, 0.0]);
    }
}
