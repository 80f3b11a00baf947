//! What an evaluation found: `report.json` for programs, `report.html` for people.
//!
//! The page is one file with its pictures inside; it needs no network and runs no script.

pub(crate) mod audio;
pub mod charts;
mod metric;
pub(crate) mod training;
mod words;

use std::{collections::BTreeMap, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use minijinja::{Environment, Value, context, value::Serde};
use serde::{Deserialize, Serialize};

use crate::{dataset::thousands, error::Error, evaluate::DialName, folder::write_json};

pub use metric::{Better, Ends, Metric};
use words::words;

/// The result of an evaluation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Version of the format of `report.json`: 1.
    pub format: u32,
    /// Name of the model's folder, or of new items that another program made.
    pub model: String,
    /// Name of the model family; `None` for items of another program, as all that only a model has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Name of the size preset of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The data that the model learned from, or that new items are compared with.
    pub source: String,
    /// What another program was trained on; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
    /// The data in words.
    pub data: String,
    /// What one piece of data is called: "image", "row".
    pub item: String,
    /// Number of items on either side of the comparisons.
    pub n: usize,
    /// Seed of the sampling and of all resampling.
    pub seed: u64,
    /// New items a second while they were drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_per_sec: Option<f64>,
    /// Seconds that the model was trained for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_secs: Option<f64>,
    /// Number of steps that the model was trained for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// The dials that have a score, by the name of the dial.
    pub dials: BTreeMap<String, Dial>,
    /// Why a dial has no score, by the name of the dial.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unmeasured: BTreeMap<String, String>,
    /// What each dial was measured with: "2,000 new and 2,000 held-out rows".
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: BTreeMap<String, String>,
    /// The verdict in sentences, the most important first.
    #[serde(default)]
    pub verdict: Vec<String>,
    /// Every number that was measured, those that move no dial included.
    pub metrics: Vec<Metric>,
    /// The parts of the page below the numbers; not in `report.json`.
    #[serde(skip)]
    pub exhibits: Vec<Exhibit>,
}

/// Bytes of all exhibits together: a page has to stay small enough to send, which is 3 MB with everything else.
const MAX_EXHIBITS_BYTES: usize = 2_800_000;

/// A score from 0 (the floor) to 100 (the ceiling), with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dial {
    /// The score, from 0 to 100; more is better.
    pub score: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
}

/// One part of the page: pictures, charts or texts below a heading.
#[derive(Clone, Debug)]
pub struct Exhibit {
    /// The heading, as plain text.
    pub title: String,
    /// What is to be seen, as plain text; may be empty.
    pub note: String,
    /// HTML, everything that comes from data escaped.
    pub html: String,
}

impl Exhibit {
    /// An exhibit of a PNG picture.
    pub fn png(title: &str, note: &str, png: &[u8]) -> Self {
        Self::picture("png", title, note, png)
    }

    /// An exhibit of a GIF animation.
    pub fn gif(title: &str, note: &str, gif: &[u8]) -> Self {
        Self::picture("gif", title, note, gif)
    }

    /// The exhibit for the page; in place of one that would be too much for what is `left` of it, a line that says so.
    fn within(&self, left: &mut usize) -> Value {
        let html = match left.checked_sub(self.html.len()) {
            Some(rest) => {
                *left = rest;
                self.html.clone()
            }
            None => "<p class=\"soft\">Left out: the page would grow beyond 3 MB.</p>".to_owned(),
        };
        context! { title => &self.title, note => &self.note, html => Value::from_safe_string(html) }
    }

    fn picture(kind: &str, title: &str, note: &str, bytes: &[u8]) -> Self {
        let html =
            format!("<img alt=\"{title}\" src=\"data:image/{kind};base64,{}\">", STANDARD.encode(bytes));
        Self { title: title.to_owned(), note: note.to_owned(), html }
    }
}

impl Report {
    /// Writes `report.json` and `report.html` into `dir`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        write_json(&dir.join("report.json"), self)?;
        let path = dir.join("report.html");
        mintage_data::atomic_write(&path, self.to_html()?.as_bytes()).map_err(Error::io(path))
    }

    /// The report as a page of HTML.
    ///
    /// # Errors
    /// The template cannot be rendered, which is a bug.
    pub fn to_html(&self) -> Result<String, Error> {
        let dials: Vec<_> = DialName::ALL.iter().filter_map(|d| self.dial_card(*d)).collect();
        let metrics: Vec<_> = self.metrics.iter().map(|metric| self.line(metric)).collect();
        let mut left = MAX_EXHIBITS_BYTES;
        let exhibits: Vec<_> = self.exhibits.iter().map(|exhibit| exhibit.within(&mut left)).collect();
        let told = context! {
            report => Value::from(Serde(self)),
            dials,
            items => self.items(),
            metrics,
            version => env!("CARGO_PKG_VERSION"),
            exhibits,
        };
        page(include_str!("report.html"), told)
    }
}

impl Report {
    /// Says what a dial was, or was to be, measured with; nothing of one that cannot be measured by such data at all.
    pub(crate) fn says_what_is_measured(&mut self, dial: DialName, what: String) {
        let name = dial.name();
        if self.dials.contains_key(name) || self.unmeasured.contains_key(name) {
            self.measured.insert(name.to_owned(), what);
        }
    }

    /// "2,000 new and 2,000 held-out rows".
    fn items(&self) -> String {
        let measured =
            [DialName::Fidelity, DialName::Coverage].iter().find_map(|dial| self.measured.get(dial.name()));
        measured.cloned().unwrap_or_else(|| format!("{} new {}s", thousands(self.n), self.item))
    }

    /// A number for the page, with its words.
    fn line(&self, metric: &Metric) -> Value {
        let words = words(&metric.name);
        context! {
            metric => Value::from(Serde(metric)),
            says => words.map(|words| words.says.replace("{item}", &self.item)),
            range => words.map(|words| words.range),
            ceiling => metric.ends.map(|ends| Value::from(Serde(ends.ceiling))),
            floor => metric.ends.map(|ends| Value::from(Serde(ends.floor))),
            place => metric.places().map(|(place, ..)| place),
            dial => metric.dial.map(DialName::name),
        }
    }

    /// A dial for the page: its score, or why there is none.
    fn dial_card(&self, dial: DialName) -> Option<Value> {
        let (score, why) = (self.dials.get(dial.name()), self.unmeasured.get(dial.name()));
        (score.is_some() || why.is_some()).then(|| {
            let asks = asks(dial).replace("{item}", &self.item);
            let measured = self.measured.get(dial.name());
            context! { name => dial.name(), asks, dial => Value::from(Serde(score)), why, measured }
        })
    }
}

/// A report as a page of HTML: the template, which may include `dials.html` for the cards of `dials`, with what it is told.
///
/// # Errors
/// The template cannot be rendered, which is a bug.
pub(crate) fn page(template: &str, told: Value) -> Result<String, Error> {
    let fail = |e: minijinja::Error| Error::request(format!("the report cannot be drawn: {e}"));
    let mut pages = Environment::new();
    pages.add_filter("number", number);
    pages.add_template("dials.html", include_str!("dials.html")).map_err(fail)?;
    pages.add_template("report.html", template).map_err(fail)?;
    let page = pages.get_template("report.html").map_err(fail)?;
    page.render(told).map_err(fail)
}

/// What a dial asks; `{item}` stands for what one piece of data is called.
pub(crate) fn asks(dial: DialName) -> &'static str {
    match dial {
        DialName::Fidelity => "Can new {item}s be told from real ones?",
        DialName::Coverage => "Is every kind of real {item} reached?",
        DialName::Novelty => "Are they new, or copied?",
        DialName::Utility => "Does a model trained on them work on real data?",
    }
}

/// Three or four significant digits.
fn number(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(v) if !v.is_finite() => "–".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(v) if v.abs() >= 100.0 => format!("{v:.0}"),
        Some(v) if v.abs() >= 10.0 => format!("{v:.1}"),
        Some(v) if v.abs() >= 0.01 => format!("{v:.3}"),
        Some(v) if v.abs() >= 1e-3 => format!("{v:.4}"),
        Some(v) => format!("{v:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn report() -> Report {
        let interval = crate::evaluate::Interval { value: 12.0, low: 10.0, high: 14.0 };
        let metric = Metric::lower("Fréchet distance", "own encoder", interval)
            .between(2.0, 102.0)
            .moving(DialName::Fidelity);
        Report {
            format: 1,
            model: "кошки <b>".to_owned(),
            family: Some("vae".to_owned()),
            size: Some("small".to_owned()),
            source: "shop.db".to_owned(),
            trained_on: None,
            data: "200 images".to_owned(),
            item: "image".to_owned(),
            n: 100,
            seed: 1,
            items_per_sec: Some(210.0),
            train_secs: Some(61.0),
            step: Some(500),
            dials: [("fidelity".to_owned(), Dial { score: 90.0, low: 88.0, high: 92.0 })].into(),
            unmeasured: [("utility".to_owned(), "cannot be measured with 24 held-out images".to_owned())]
                .into(),
            measured: [("fidelity".to_owned(), "100 new and 100 held-out images".to_owned())].into(),
            verdict: vec!["A detector <b>.".to_owned()],
            metrics: vec![metric, Metric::higher("no such number", "nowhere", 1.0)],
            exhibits: vec![Exhibit::png("New, and real", "", &[1, 2])],
        }
    }

    #[test]
    fn saved_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        report().save(dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join("report.json")).unwrap();
        let back: Report = serde_json::from_str(&text).unwrap();
        assert_eq!(back.metrics, report().metrics);
        assert!(text.contains("\"better\": \"lower\""));
    }

    #[test]
    fn what_another_program_made_has_no_model() {
        let theirs = Report {
            family: None,
            size: None,
            trained_on: Some("train.csv".to_owned()),
            items_per_sec: None,
            train_secs: None,
            step: None,
            ..report()
        };
        let text = serde_json::to_string(&theirs).unwrap();
        assert!(!text.contains("family") && !text.contains("secs") && !text.contains("per_sec"), "{text}");
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap().family, None);
        let page = theirs.to_html().unwrap();
        assert!(
            page.contains("beside shop.db")
                && page.contains("made by a program that was trained on train.csv")
        );
        assert!(!page.contains("a second") && !page.contains("recipe"), "{page}");
        assert!(page.contains("mintage evaluate shop.db кошки &lt;b&gt; --train train.csv -n 100 --seed 1"));
    }

    #[test]
    fn page_escapes_names_and_shows_numbers() {
        let page = report().to_html().unwrap();
        assert!(page.contains("кошки &lt;b&gt;") && !page.contains("<b>кошки"));
        assert!(page.contains("data:image/png;base64,AQI="));
        assert!(page.contains("A detector &lt;b&gt;.") && page.contains("cannot be measured with 24"));
        assert!(
            page.contains("↓ less") && page.contains("10.0 to 14.0") && page.contains("how far new ones lie")
        );
        assert!(page.contains("From 100 new and 100 held-out images."));
        assert!(page.contains("Fréchet distance") && page.contains("12.0") && page.contains("90"));
    }

    #[test]
    fn pages_stay_below_three_megabytes() {
        let exhibit = |bytes: usize| Exhibit::png("grid", "", &vec![7; bytes]);
        let exhibits = vec![exhibit(1_000_000), exhibit(1_500_000), exhibit(500_000)];
        let page = Report { exhibits, ..report() }.to_html().unwrap();
        assert!(page.len() < 3_000_000 && page.len() > 1_900_000, "{}", page.len());
        assert_eq!((page.matches("<img").count(), page.matches("Left out").count()), (2, 1));
    }

    #[test]
    fn a_report_without_scores_is_a_page_as_well() {
        let bare =
            Report { dials: BTreeMap::new(), measured: BTreeMap::new(), metrics: Vec::new(), ..report() };
        assert!(bare.to_html().unwrap().contains("100 new images"));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [Some(0.0), Some(1234.5), Some(0.5), Some(0.0012), Some(1e-5), None].map(number),
            ["0", "1234", "0.500", "0.0012", "1.0e-5", "–"]
        );
    }
}
