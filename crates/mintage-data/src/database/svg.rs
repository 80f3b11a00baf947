//! The schema drawn as an SVG: a box a table with a line a key, parents to the left of children. It has no script, takes
//! its colours from variables (`--mintage-…`) that a page around it may set, and is legible by day and by night. A [`Paint`]
//! gives tables and keys a colour and a number; what is measured, and what is good, is the business of who paints.

use std::{collections::HashMap, fmt::Write as _};

use super::{
    Origin, Role, Schema, Table,
    layout::{Boxes, Edge, Layout},
    listed,
    order::FillOrder,
    text::count,
};

const MARGIN: f64 = 24.0;
/// Heights of the head of a box, of a line in it, and of what is below the last line.
const HEAD: f64 = 44.0;
const LINE: f64 = 18.0;
const FOOT: f64 = 8.0;
/// Between two layers.
const BETWEEN: f64 = 90.0;
/// Mean width of a letter of the two sizes.
const TITLE_CHAR: f64 = 8.2;
const LINE_CHAR: f64 = 6.9;
const MIN_WIDTH: f64 = 150.0;
/// The legend needs so much.
const MIN_DRAWING_WIDTH: f64 = 800.0;
/// Letters of a name that are shown, at most.
const MAX_CHARS: usize = 36;
/// Boxes side by side of tables without keys.
const ALONE_IN_ROW: usize = 4;
/// Between a text and the label to the right of it.
const LABEL_GAP: f64 = 16.0;
/// Classes of colours, from the best to the worst.
const LEVELS: [&str; 5] = ["q0", "q1", "q2", "q3", "q4"];

const STYLE: &str = "\
svg{--bg:var(--mintage-bg,#fff);--box:var(--mintage-box,#f6f7f9);--ink:var(--mintage-ink,#1c2230);\
--soft:var(--mintage-soft,#667085);--line:var(--mintage-line,#c3c9d4);--edge:var(--mintage-edge,#5b6b8c);\
--entity:#3b6fd4;--event:#b4600f;--bridge:#7a4fc0;--reference:#2a8058;--warn:#b3261e;\
--q0:#2166ac;--q1:#67a9cf;--q2:#a8a8a8;--q3:#ef8a62;--q4:#b2182b}\
@media(prefers-color-scheme:dark){svg{--bg:var(--mintage-bg,#14171d);--box:var(--mintage-box,#1e232c);\
--ink:var(--mintage-ink,#e8ebf1);--soft:var(--mintage-soft,#9aa5b8);--line:var(--mintage-line,#3c4554);\
--edge:var(--mintage-edge,#93a4c8);--entity:#7ea6f4;--event:#eaa55a;--bridge:#b697ee;--reference:#6cc79b;\
--warn:#f2867f;--q0:#4393c3;--q1:#92c5de;--q2:#8b919c;--q3:#f4a582;--q4:#e8604c}}\
.bg{fill:var(--bg)}.box{fill:var(--box);stroke:var(--line)}text{font-family:system-ui,sans-serif;fill:var(--ink)}\
.t{font-size:14px;font-weight:600}.s,.k{font-size:12px}.s{fill:var(--soft)}\
.entity{fill:var(--entity)}.event{fill:var(--event)}.bridge{fill:var(--bridge)}.reference{fill:var(--reference)}\
.warn{fill:var(--warn)}\
.e{fill:none;stroke:var(--edge);stroke-width:1.4}.found{stroke-dasharray:2 3}.late{stroke-dasharray:7 4}\
.halo{fill:none;stroke:var(--bg);stroke-width:5}.tip{fill:var(--edge)}\
.q0{--q:var(--q0)}.q1{--q:var(--q1)}.q2{--q:var(--q2)}.q3{--q:var(--q3)}.q4{--q:var(--q4)}\
.wash{fill:var(--q);fill-opacity:.22;stroke:var(--q);stroke-width:2}.scale,.tip.mark{fill:var(--q)}\
.e.mark{stroke:var(--q);stroke-width:2.6}";

/// How good the tables and the keys of a drawing are. What is not in it is drawn as ever.
#[derive(Clone, Debug, Default)]
pub struct Paint {
    /// By the name of the table.
    pub tables: HashMap<String, Mark>,
    /// By the table that has the key and the key's place among its keys.
    pub keys: HashMap<(String, usize), Mark>,
}

/// How good one part of a drawing is.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// From 0, the best, to 1, the worst: the colour.
    pub badness: f64,
    /// The number, as text beside the name: the colour never stands alone.
    pub label: String,
}

impl Paint {
    fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.keys.is_empty()
    }

    fn table(&self, table: &Table) -> Option<&Mark> {
        self.tables.get(&table.name)
    }

    fn key(&self, table: &Table, at: usize) -> Option<&Mark> {
        self.keys.get(&(table.name.clone(), at))
    }
}

impl Mark {
    /// The class of its colour.
    fn level(&self) -> &'static str {
        match self.badness.is_nan() {
            true => "q4",
            false => LEVELS[(self.badness.clamp(0.0, 1.0) * 5.0).min(4.0) as usize],
        }
    }
}

impl Schema {
    /// The drawing, as the text of an SVG file.
    pub fn svg(&self) -> String {
        self.painted_svg(&Paint::default())
    }

    /// The drawing with the colours and numbers of `paint`.
    pub fn painted_svg(&self, paint: &Paint) -> String {
        let order = self.order().unwrap_or_default();
        let drawing = Drawing::new(self, &order, paint);
        let mut svg = String::new();
        let (width, height) = (drawing.width, drawing.height);
        let title = escaped(&self.summary());
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" role=\"img\"><title>{title}</title><style>{STYLE}</style>\
             <rect class=\"bg\" width=\"100%\" height=\"100%\"/>"
        );
        drawing.edges.iter().for_each(|edge| svg.push_str(edge));
        drawing.boxes.iter().for_each(|one| svg.push_str(one));
        let mut base = height - MARGIN;
        if !paint.is_empty() {
            svg.push_str(&scale(MARGIN, base));
            base -= LINE;
        }
        svg.push_str(&legend(MARGIN, base));
        svg.push_str("</svg>\n");
        svg
    }
}

/// The parts of a drawing and its size.
struct Drawing {
    edges: Vec<String>,
    boxes: Vec<String>,
    width: f64,
    height: f64,
}

/// Where a box lies.
#[derive(Clone, Copy)]
struct Frame {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Drawing {
    fn new(schema: &Schema, order: &FillOrder, paint: &Paint) -> Self {
        let (alone, joined): (Vec<&Table>, Vec<&Table>) =
            schema.tables.iter().partition(|table| schema.is_alone(table));
        let boxes = Boxes {
            heights: joined.iter().map(|table| height(table)).collect(),
            edges: edges(&joined, order),
        };
        let layout = boxes.layout();
        let (columns, width) = columns(&joined, &layout, paint);
        let frame = |(at, table): (usize, &&Table)| {
            let (x, width) = columns[layout.layers[at]];
            Frame { x, y: MARGIN + layout.tops[at], width, height: height(table) }
        };
        let frames: Vec<Frame> = joined.iter().enumerate().map(frame).collect();
        let height = if joined.is_empty() { MARGIN } else { layout.height + 2.0 * MARGIN };
        let mut drawing = Self {
            edges: arrows(&joined, &boxes.edges, &layout, &frames, &columns, paint),
            boxes: joined.iter().zip(&frames).map(|(table, frame)| table_box(table, *frame, paint)).collect(),
            width: width.max(MIN_DRAWING_WIDTH),
            height,
        };
        drawing.add_alone(&alone, paint);
        drawing.height += 2.0 * MARGIN + if paint.is_empty() { 0.0 } else { LINE };
        drawing
    }

    /// Adds the tables without keys below the others.
    fn add_alone(&mut self, tables: &[&Table], paint: &Paint) {
        for row in tables.chunks(ALONE_IN_ROW) {
            let mut x = MARGIN;
            for table in row {
                let frame = Frame { x, y: self.height, width: width_of(table, paint), height: height(table) };
                self.boxes.push(table_box(table, frame, paint));
                x += frame.width + MARGIN;
            }
            self.width = self.width.max(x);
            self.height += row.iter().map(|table| height(table)).fold(0.0, f64::max) + MARGIN;
        }
    }
}

/// The arrows of all keys, those to one parent together: they end together, and would hide each other there.
fn arrows(
    tables: &[&Table],
    edges: &[Edge],
    layout: &Layout,
    frames: &[Frame],
    columns: &[(f64, f64)],
    paint: &Paint,
) -> Vec<String> {
    let mut keys = Vec::new();
    for table in tables {
        for (at, key) in table.foreign_keys.iter().enumerate() {
            let mark = paint.key(table, at).map(|mark| format!(" mark {}", mark.level()));
            keys.push((key.origin, mark.unwrap_or_default()));
        }
    }
    let lines = edges.iter().zip(&layout.ways).zip(keys);
    let mut arrows: Vec<(usize, Arrow)> = lines
        .map(|((edge, way), (origin, mark))| {
            let class = match (edge.is_late, origin) {
                (true, _) => "e late",
                (_, Origin::Found { .. } | Origin::Given) => "e found",
                (_, Origin::Declared) => "e",
            };
            (edge.parent, arrow(edge, way, frames, columns, class, &mark))
        })
        .collect();
    arrows.sort_by_key(|(parent, _)| *parent);
    let together = |group: &[(usize, Arrow)]| {
        let halos = group.iter().map(|(_, arrow)| arrow.halo.as_str());
        halos.chain(group.iter().map(|(_, arrow)| arrow.line.as_str())).collect()
    };
    arrows.chunk_by(|a, b| a.0 == b.0).map(together).collect()
}

/// Left sides and widths of the layers, and the width of all.
fn columns(tables: &[&Table], layout: &Layout, paint: &Paint) -> (Vec<(f64, f64)>, f64) {
    let mut columns = Vec::new();
    let mut x = MARGIN;
    for layer in 0..layout.layers.iter().max().map_or(0, |last| last + 1) {
        let inside = tables.iter().zip(&layout.layers).filter(|(_, at)| **at == layer);
        let width = inside.map(|(table, _)| width_of(table, paint)).fold(MIN_WIDTH, f64::max);
        columns.push((x, width));
        x += width + BETWEEN;
    }
    (columns, (x - BETWEEN + 2.0 * MARGIN).max(0.0))
}

/// An arrow a key, in the order of tables and keys.
fn edges(tables: &[&Table], order: &FillOrder) -> Vec<Edge> {
    let place = |name: &str| tables.iter().position(|table| table.name == name);
    let mut edges = Vec::new();
    for (child, table) in tables.iter().enumerate() {
        for (at, key) in table.foreign_keys.iter().enumerate() {
            edges.push(Edge {
                child,
                parent: place(&key.parent).unwrap_or(child),
                child_at: line_at(at) - 4.0,
                parent_at: HEAD / 2.0,
                is_late: order.is_last(&table.name, at) || order.is_deferred(&table.name, at),
            });
        }
    }
    edges
}

/// The base of the line of a key within its box; the primary key has the first.
fn line_at(key: usize) -> f64 {
    HEAD + LINE * (key as f64 + 2.0) - 4.0
}

fn height(table: &Table) -> f64 {
    HEAD + LINE * (table.foreign_keys.len() as f64 + 1.0) + FOOT
}

/// What stands under the title of a box.
fn size(table: &Table) -> String {
    let (rows, columns) = (count(table.rows, "row"), count(table.columns.len() as u64, "column"));
    format!("{rows} · {columns}")
}

/// The lines of a box: the primary key, then the others.
fn lines(table: &Table) -> Vec<(String, bool)> {
    let key = match table.primary_key.as_slice() {
        [] => "no primary key".to_owned(),
        key => format!("key {}", listed(key)),
    };
    let line = |key: &super::ForeignKey| {
        let optional = if key.optional { "?" } else { "" };
        let lost = match key.orphans {
            Some(0) | None => String::new(),
            Some(n) => format!(" · {n} lost"),
        };
        (shortened(&format!("{}{optional}{lost}", listed(&key.columns))), !lost.is_empty())
    };
    [(shortened(&key), false)].into_iter().chain(table.foreign_keys.iter().map(line)).collect()
}

fn width_of(table: &Table, paint: &Paint) -> f64 {
    let label = |mark: Option<&Mark>| mark.map_or(0.0, |mark| chars(&mark.label) * LINE_CHAR + LABEL_GAP);
    let title = chars(&shortened(&table.name)) * TITLE_CHAR + label(paint.table(table));
    let below = chars(&format!("{} · {}", size(table), table.role.name())) * LINE_CHAR;
    let width = |(at, (line, _)): (usize, &(String, bool))| {
        chars(line) * LINE_CHAR + label(key_at(at).and_then(|key| paint.key(table, key)))
    };
    let lines = lines(table).iter().enumerate().map(width).fold(0.0, f64::max);
    (title.max(below).max(lines) + 28.0).max(MIN_WIDTH)
}

/// The key that a line of a box is of; the first line is the primary key.
fn key_at(line: usize) -> Option<usize> {
    line.checked_sub(1)
}

/// How much room a text needs, in letters of the mean width.
fn chars(text: &str) -> f64 {
    let width = |letter: char| match letter {
        '\0'..='\u{7f}' => 1.0,
        '\u{80}'..='\u{10ff}' => 1.15,
        // Chinese, Japanese and Korean signs are square.
        _ => 1.9,
    };
    text.chars().map(width).sum()
}

fn table_box(table: &Table, frame: Frame, paint: &Paint) -> String {
    let Frame { x, y, width, height } = frame;
    let (left, right, role) = (x + 14.0, x + width - 12.0, table.role.name());
    let mark = paint.table(table);
    let wash = mark.map_or_else(String::new, |mark| {
        let level = mark.level();
        format!(
            "<rect class=\"wash {level}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"6\"/>"
        )
    });
    let label = |mark: Option<&Mark>, base: f64| {
        mark.map_or_else(String::new, |mark| {
            let text = escaped(&mark.label);
            format!("<text class=\"k\" text-anchor=\"end\" x=\"{right:.1}\" y=\"{base:.1}\">{text}</text>")
        })
    };
    let mut svg = format!(
        "<g><title>{}</title><rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
         rx=\"6\"/>{wash}<rect class=\"{role}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"5\" height=\"{height:.1}\" rx=\"2.5\"/>\
         <text class=\"t\" x=\"{left:.1}\" y=\"{:.1}\">{}</text>\
         <text class=\"s\" x=\"{left:.1}\" y=\"{:.1}\">{} · <tspan class=\"{role}\">{role}</tspan></text>",
        escaped(&format!("{}: {}", table.name, table.role_why)),
        y + 20.0,
        escaped(&shortened(&table.name)),
        y + 37.0,
        escaped(&size(table)),
    );
    svg.push_str(&label(mark, y + 20.0));
    for (at, (line, is_wrong)) in lines(table).iter().enumerate() {
        let class = match (at, is_wrong) {
            (0, _) => "s",
            (_, true) => "k warn",
            (_, false) => "k",
        };
        let base = y + HEAD + LINE * (at as f64 + 1.0) - 4.0;
        let _ =
            write!(svg, "<text class=\"{class}\" x=\"{left:.1}\" y=\"{base:.1}\">{}</text>", escaped(line));
        svg.push_str(&label(key_at(at).and_then(|key| paint.key(table, key)), base));
    }
    svg.push_str("</g>\n");
    svg
}

/// The line of a key with its tip, and a wider one in the colour of the ground for below it, where it crosses others.
struct Arrow {
    halo: String,
    line: String,
}

/// The arrow of a key, with its tip at the parent; `mark` goes behind the classes of both.
fn arrow(
    edge: &Edge,
    way: &[(usize, f64)],
    frames: &[Frame],
    columns: &[(f64, f64)],
    class: &str,
    mark: &str,
) -> Arrow {
    let (child, parent) = (frames[edge.child], frames[edge.parent]);
    let (from_y, to_y) = (child.y + edge.child_at, parent.y + edge.parent_at);
    // To the left where the parent lies there, and out of the right side otherwise.
    let (right, far) = (child.x + child.width, parent.x + parent.width);
    let (path, tip_x, is_leftward) = if child.x == parent.x {
        let out = right.max(far) + 26.0;
        let path = format!(
            "M{right:.1} {from_y:.1}C{out:.1} {from_y:.1} {out:.1} {to_y:.1} {:.1} {to_y:.1}",
            far + 7.0
        );
        (path, far, true)
    } else {
        let is_leftward = parent.x < child.x;
        let (start, end) = if is_leftward { (child.x, far) } else { (right, parent.x) };
        let sign = if is_leftward { -1.0 } else { 1.0 };
        let mut path = format!("M{start:.1} {from_y:.1}");
        let mut last = (start, from_y);
        for &(layer, top) in way {
            let (x, width) = columns[layer];
            let (near, beyond) = if is_leftward { (x + width, x) } else { (x, x + width) };
            path.push_str(&curve(last, (near, MARGIN + top)));
            let _ = write!(path, "L{beyond:.1} {:.1}", MARGIN + top);
            last = (beyond, MARGIN + top);
        }
        path.push_str(&curve(last, (end - sign * 7.0, to_y)));
        (path, end, is_leftward)
    };
    let back = if is_leftward { 8.0 } else { -8.0 };
    let halo = format!("<path class=\"halo\" d=\"{path}\"/>\n");
    let line = format!(
        "<path class=\"{class}{mark}\" d=\"{path}\"/>\
         <path class=\"tip{mark}\" d=\"M{tip_x:.1} {to_y:.1}l{back} -4.5v9z\"/>\n"
    );
    Arrow { halo, line }
}

/// A curve that leaves and arrives level.
fn curve(from: (f64, f64), to: (f64, f64)) -> String {
    let middle = (from.0 + to.0) / 2.0;
    format!("C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}", from.1, to.1, to.0, to.1)
}

/// What the lines and colours mean.
fn legend(x: f64, y: f64) -> String {
    let mut svg = format!("<g><text class=\"s\" x=\"{x:.1}\" y=\"{y:.1}\">");
    for role in [Role::Entity, Role::Event, Role::Bridge, Role::Reference] {
        let name = role.name();
        let _ = write!(svg, "<tspan class=\"{name}\" dx=\"12\">■</tspan> {name}");
    }
    svg.push_str("<tspan dx=\"12\">?</tspan> may be NULL</text>");
    let lines = [("e", "declared"), ("e found", "found"), ("e late", "filled or checked last")];
    for ((class, name), at) in lines.into_iter().zip([400.0, 500.0, 580.0]) {
        let (from, level, text) = (x + at, y - 4.0, x + at + 32.0);
        let _ = write!(
            svg,
            "<path class=\"{class}\" d=\"M{from:.1} {level:.1}h26\"/><text class=\"s\" x=\"{text:.1}\" y=\"{y:.1}\">{name}</text>"
        );
    }
    svg.push_str("</g>\n");
    svg
}

/// The colours of a painted drawing, from good to bad.
fn scale(x: f64, y: f64) -> String {
    let mut svg = format!("<g><text class=\"s\" x=\"{:.1}\" y=\"{y:.1}\">good</text>", x + 12.0);
    for (at, level) in LEVELS.into_iter().enumerate() {
        let (left, top) = (x + 48.0 + 24.0 * at as f64, y - 9.0);
        let _ = write!(
            svg,
            "<rect class=\"scale {level}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"22\" height=\"10\"/>"
        );
    }
    let _ = writeln!(svg, "<text class=\"s\" x=\"{:.1}\" y=\"{y:.1}\">bad</text></g>", x + 174.0);
    svg
}

/// A name that fits its box.
fn shortened(name: &str) -> String {
    match name.chars().count() {
        ..=MAX_CHARS => name.to_owned(),
        _ => name.chars().take(MAX_CHARS - 1).chain(['…']).collect(),
    }
}

/// A text within XML, without characters that XML cannot have.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => escaped.push('�'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_from_the_best_to_the_worst() {
        let level = |badness: f64| Mark { badness, label: String::new() }.level();
        assert_eq!(
            [-1.0, 0.0, 0.19, 0.2, 0.5, 0.99, 1.0, 7.0].map(level),
            ["q0", "q0", "q0", "q1", "q2", "q4", "q4", "q4"]
        );
        assert_eq!(level(f64::NAN), "q4");
    }

    #[test]
    fn tables_and_keys_are_painted_with_their_numbers() {
        let column = |name: &str| super::super::Column { name: name.to_owned(), ..Default::default() };
        let parent = Table { name: "a<b\"".to_owned(), columns: vec![column("id")], ..Table::default() };
        let key = super::super::ForeignKey {
            columns: vec!["of".to_owned()],
            parent: parent.name.clone(),
            parent_columns: vec!["id".to_owned()],
            origin: Origin::Declared,
            optional: false,
            deferrable: false,
            deferred: false,
            actions: String::new(),
            orphans: Some(0),
            only: None,
        };
        let (columns, foreign_keys) = (vec![column("of")], vec![key]);
        let child = Table { name: "child".to_owned(), columns, foreign_keys, ..Table::default() };
        let tables = vec![parent, child];
        let schema =
            Schema { store: super::super::Store::Sqlite, tables, views: Vec::new(), unreadable: Vec::new() };
        assert!(!schema.svg().contains("class=\"wash") && !schema.svg().contains("class=\"scale"));
        let mark = |badness: f64, label: &str| Mark { badness, label: label.to_owned() };
        let paint = Paint {
            tables: [("a<b\"".to_owned(), mark(1.0, "99 & more"))].into(),
            keys: [(("child".to_owned(), 0), mark(0.0, "97.5"))].into(),
        };
        let svg = schema.painted_svg(&paint);
        assert!(svg.contains("class=\"wash q4\"") && svg.contains(">99 &amp; more</text>"), "{svg}");
        assert!(svg.contains("class=\"e mark q0\"") && svg.contains("class=\"tip mark q0\""), "{svg}");
        assert!(svg.contains(">97.5</text>") && svg.contains(">a&lt;b&quot;</text>"), "{svg}");
        assert_eq!(svg.matches("class=\"wash").count(), 1);
    }
}
