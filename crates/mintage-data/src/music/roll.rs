//! A piano roll as a small inline SVG: time to the right, pitch upwards, a colour a part.

use std::fmt::Write;

use super::{
    names::{part_name, pitch_name},
    score::{Part, Score},
};

/// Told apart by people with any kind of colour vision (Okabe and Ito, 2008), darkened a little for white.
const COLORS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#aa4499", "#b8860b", "#332288", "#3a9bc9", "#555555"];
const LABELS: f64 = 26.0;
const LEGEND: f64 = 16.0;
/// More bar lines than this are thinned out.
const MAX_LINES: usize = 120;

/// Draws the whole score `width_px` wide.
pub fn piano_roll_svg(score: &Score, width_px: u32) -> String {
    let view = View::of(score, width_px);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" \
         role=\"img\" aria-label=\"piano roll\" font-family=\"sans-serif\" font-size=\"9\">\
         <rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>",
        w = number(view.width),
        h = number(view.height())
    );
    view.lines(score, &mut svg);
    for (index, part) in score.parts().iter().enumerate() {
        let color = COLORS[index % COLORS.len()];
        // Writing to a string does not fail, here and below.
        let _ = write!(svg, "<path fill=\"{color}\" d=\"{}\"/>", view.notes(score, *part));
    }
    view.legend(score, &mut svg);
    svg.push_str("</svg>");
    svg
}

/// Where things lie.
struct View {
    width: f64,
    low: u8,
    high: u8,
    /// Pixels a semitone.
    row: f64,
    /// Pixels a tick.
    tick: f64,
}

impl View {
    fn of(score: &Score, width_px: u32) -> Self {
        let pitches = score.notes().iter().map(|note| note.pitch);
        let low = pitches.clone().min().unwrap_or(60).saturating_sub(1);
        let high = (pitches.max().unwrap_or(60) + 1).min(127);
        let width = f64::from(width_px.clamp(80, 10_000));
        let rows = f64::from(high - low) + 1.0;
        let row = (0.28 * width / rows).clamp(2.0, 7.0);
        Self { width, low, high, row, tick: (width - LABELS) / f64::from(score.end().max(1)) }
    }

    fn height(&self) -> f64 {
        (f64::from(self.high - self.low) + 1.0) * self.row + LEGEND
    }

    fn x(&self, tick: u32) -> f64 {
        LABELS + f64::from(tick) * self.tick
    }

    /// The upper edge of a pitch.
    fn y(&self, pitch: u8) -> f64 {
        f64::from(self.high - pitch) * self.row
    }

    /// Bar lines, and a line with a label at each C.
    fn lines(&self, score: &Score, svg: &mut String) {
        let bars: Vec<u32> = score.bars().map(|bar| bar.start).collect();
        let every = bars.len().div_ceil(MAX_LINES).max(1);
        let bottom = self.height() - LEGEND;
        svg.push_str("<path stroke=\"#ddd\" fill=\"none\" d=\"");
        for start in bars.iter().step_by(every) {
            let _ = write!(svg, "M{} 0V{}", number(self.x(*start)), number(bottom));
        }
        svg.push_str("\"/>");
        for pitch in (self.low..=self.high).filter(|pitch| pitch % 12 == 0) {
            let y = self.y(pitch) + self.row;
            let _ = write!(
                svg,
                "<path stroke=\"#bbb\" d=\"M{LABELS} {y}H{}\"/><text x=\"2\" y=\"{y}\" fill=\"#555\">{}</text>",
                number(self.width),
                pitch_name(pitch),
                y = number(y),
            );
        }
    }

    /// All notes of a part as one path of rectangles.
    fn notes(&self, score: &Score, part: Part) -> String {
        let mut path = String::new();
        for note in score.notes().iter().filter(|note| note.part() == part) {
            // A gap shows where one note ends and the next begins.
            let width = (f64::from(note.duration) * self.tick - 0.4).max(0.6);
            let (x, y) = (number(self.x(note.start)), number(self.y(note.pitch) + 0.2));
            let (w, h) = (number(width), number(self.row - 0.4));
            let _ = write!(path, "M{x} {y}h{w}v{h}h-{w}z");
        }
        path
    }

    /// Names of the parts, as many as there is room for.
    fn legend(&self, score: &Score, svg: &mut String) {
        let mut x = LABELS;
        for (index, part) in score.parts().iter().enumerate() {
            let (name, color) = (part_name(*part), COLORS[index % COLORS.len()]);
            let room = 14.0 + 5.0 * name.len() as f64;
            if x + room > self.width {
                break;
            }
            let y = number(self.height() - 4.0);
            let _ = write!(svg, "<text x=\"{}\" y=\"{y}\" fill=\"{color}\">■ {name}</text>", number(x));
            x += room;
        }
    }
}

/// With one decimal, and none where it is zero.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::{super::score::Note, *};

    #[test]
    fn a_path_a_part_and_labels() {
        let note = |i: u32| Note {
            start: i * 6,
            duration: 6,
            pitch: 55 + (i % 12) as u8,
            velocity: 9,
            programme: 0,
            voice: (i % 2) as u8,
        };
        let svg = piano_roll_svg(&Score::new((0..500).map(note).collect(), vec![], vec![]), 900);
        assert_eq!(svg.matches("<path fill=").count(), 2);
        assert!(svg.contains(">C4</text>") && svg.contains("acoustic grand piano 2"));
        assert!(svg.len() < 500 * 40 && !svg.contains("NaN"));
        let nothing = piano_roll_svg(&Score::new(vec![], vec![], vec![]), 0);
        assert!(nothing.ends_with("</svg>") && !nothing.contains("NaN") && !nothing.contains("inf"));
    }
}
