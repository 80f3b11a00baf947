//! Judging what another program made: new items from any source beside real ones, with or without what the program was
//! trained on.
//!
//! | known of the program | train split | holdout | copies |
//! |---|---|---|---|
//! | nothing | nine tenths of the real data | the last tenth | not judged |
//! | it was trained on other data | those data | all real data | judged as those of a model of ours |
//! | it was trained on the real data | nine tenths | the last tenth | searched for; attacks are not tried |
//! | it was trained on the real data, which have a part `test` | all but that | that part | judged as those of a model of ours |
//!
//! New items are read as the real ones: in their size, colour and classes, by their tokenizer, with their columns.

use std::{fmt, fs};

use mintage_data::{
    DataKind, SourceSpec, TableSet, detect, has_own_holdout,
    table::{is_database, read as read_table},
};

use super::{DialName, Judgement, MIN_ITEMS, Options, TrainedOn, audio, image, sequence, table, video, work};
use crate::{
    dataset::{AnyData, AnyTransform, thousands},
    error::Error,
    events::Event,
    report::Report,
};

/// Share of the held-out items equal to training items beyond which they are hardly held out.
const MAX_OVERLAP: f64 = 0.5;

/// The sources that are compared.
#[derive(Clone, Default)]
pub struct Sources {
    /// The real data, and how all of the sources are read.
    pub real: SourceSpec,
    /// The new items that are judged.
    pub new: String,
    /// What the program that made the new items was trained on; `None` where that is not known.
    ///
    /// The real source again means all of the real data, but for a part `test`.
    pub train: Option<String>,
}

/// Opened sources, to be judged.
#[derive(Debug)]
pub struct Comparison {
    sources: Sources,
    /// The real data: the holdout is what new items are compared with.
    pub data: AnyData,
    /// The new items, read as the real ones are.
    pub new: AnyData,
    /// What the program that made the new items was trained on, as far as that is known.
    pub trained_on: TrainedOn,
    /// What the user should know of how the sources were read.
    pub notes: Vec<String>,
}

/// Without the passwords that addresses may hold.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let shown = |source: &str| shown(&beside(&self.real, source));
        f.debug_struct("Sources")
            .field("real", &shown(&self.real.source))
            .field("new", &shown(&self.new))
            .field("train", &self.train.as_deref().map(shown))
            .finish()
    }
}

impl Sources {
    /// Opens all sources, the new items in the way the real ones are read.
    ///
    /// # Errors
    /// A source cannot be read, the sources are of different kinds or have different columns, one is named
    /// twice, or there are too few items to judge.
    pub fn open(&self, on: &mut dyn FnMut(Event)) -> Result<Comparison, Error> {
        let real = beside(&self.real, &self.real.source);
        let train = self.train.as_ref().map(|train| beside(&self.real, train));
        // What mintage made can be judged as anything else.
        let new = SourceSpec { allow_made: true, ..beside(&self.real, &self.new) };
        let again = train.as_ref().is_some_and(|train| same(train, &real));
        if same(&new, &real) {
            let message = format!("{} is both the real and the new data", shown(&real));
            return Err(Error::request(message).with_hint("name what the program made second"));
        }
        on(work("reading", 0, 3));
        let kind = detect(&real)?.kind;
        for other in train.iter().filter(|_| !again).chain([&new]) {
            same_kind(&real, kind, other)?;
        }
        let trained_on = match &train {
            None => TrainedOn::Unknown,
            Some(_) if again && !has_own_holdout(&real, kind)? => TrainedOn::Everything,
            Some(_) => TrainedOn::Train,
        };
        let spec = match train.filter(|_| !again) {
            Some(mut train) => {
                train.pg.known.extend(real.pg.known);
                SourceSpec { holdout: Some(real.source), ..train }
            }
            None => real,
        };
        let mut data = AnyData::open(&spec)?;
        if trained_on != TrainedOn::Unknown {
            data.train_on_valid();
        }
        on(work("reading", 1, 3));
        let mut notes = data.notes().to_vec();
        let new = open_new(&new, &data, &mut notes)?;
        on(work("reading", 3, 3));
        let (sources, data) = (self.clone(), data);
        let comparison = Comparison { sources, data, new, trained_on, notes };
        comparison.check()?;
        Ok(comparison)
    }
}

impl Comparison {
    /// Refuses sides of too few items, by the name of their source; sounds and long texts are counted when they are cut.
    fn check(&self) -> Result<(), Error> {
        let Some(train) = self.sources.train.as_ref().filter(|_| self.trained_on == TrainedOn::Train) else {
            return Ok(());
        };
        if matches!(self.data, AnyData::Audio(_) | AnyData::Sequence(_)) {
            return Ok(());
        }
        let (item, splits) = (self.data.info().item(), self.data.splits());
        for (source, what, n) in [
            (train, "that were trained on", splits.train.len()),
            (&self.sources.real.source, "that are held out", splits.holdout.len()),
        ] {
            if n < MIN_ITEMS {
                let source = self.named(source);
                let message = format!("{source}: {n} {item}s {what} are too few to judge by");
                return Err(Error::request(message).with_hint(format!("{MIN_ITEMS} are the least")));
            }
        }
        Ok(())
    }

    /// Judges the new items by everything that needs no model, on the same scales as those of a model.
    ///
    /// # Errors
    /// There are too few items on one of the sides, or the data have changed since they were opened.
    pub fn judge(&self, options: &Options, on: &mut dyn FnMut(Event)) -> Result<Report, Error> {
        let options = &Options { trained_on: self.trained_on, ..options.clone() };
        let (judgement, measured) = match (&self.data, &self.new) {
            (AnyData::Image(data), AnyData::Image(new)) => {
                (image::judge_others(data, new, options, on)?, Vec::new())
            }
            (AnyData::Table(data), AnyData::Table(new)) => {
                let (judged, utility) = table::judge_others(data, new, &self.sources.real, options, on)?;
                (judged, utility.map(|what| (DialName::Utility, what)).into_iter().collect())
            }
            (AnyData::Sequence(data), AnyData::Sequence(new)) => {
                let (judged, passages) = sequence::judge_others(data, new, options, on)?;
                let dials = [DialName::Fidelity, DialName::Coverage].into_iter();
                (
                    judged,
                    passages.map_or_else(Vec::new, |what| dials.map(|dial| (dial, what.clone())).collect()),
                )
            }
            (AnyData::Audio(data), AnyData::Audio(new)) => {
                (audio::judge_others(data, new, options, on)?, Vec::new())
            }
            (AnyData::Video(data), AnyData::Video(new)) => {
                (video::judge_others(data, new, options, on)?, Vec::new())
            }
            _ => return Err(Error::request("data of different kinds cannot be compared")),
        };
        let mut report = self.report(judgement);
        measured.into_iter().for_each(|(dial, what)| report.says_what_is_measured(dial, what));
        Ok(report)
    }

    fn report(&self, mut judgement: Judgement) -> Report {
        judgement.exhibits.extend(judgement.privacy());
        let mut report = judgement.bare_report();
        report.verdict.extend(self.overlap(&report));
        Report {
            model: self.named(&self.sources.new),
            source: self.named(&self.sources.real.source),
            trained_on: self.sources.train.as_deref().map(|train| self.named(train)),
            ..report
        }
    }

    /// One of the sources as it may be shown, without a password.
    fn named(&self, source: &str) -> String {
        beside(&self.sources.real, source).source
    }

    /// A warning where most of what should be held out was trained on as well.
    fn overlap(&self, report: &Report) -> Option<String> {
        let copies = report.metrics.iter().find(|metric| metric.name == "exact copies")?;
        let known = copies.ends?.ceiling.value;
        (self.trained_on == TrainedOn::Train && known > MAX_OVERLAP).then(|| {
            format!(
                "{:.0} % of the held-out {}s are equal to some that were trained on: see that they are held out.",
                100.0 * known,
                report.item
            )
        })
    }
}

/// How one of the sources is read, by what is said of all of them: only databases have tables, folders have no columns, and
/// those beside a database say by themselves what their labels are.
fn beside(real: &SourceSpec, source: &str) -> SourceSpec {
    let mut spec = SourceSpec { source: source.to_owned(), holdout: None, ..real.clone() };
    spec.hide_passwords();
    if !is_database(&spec.source) {
        (spec.table, spec.query) = (None, None);
    }
    if spec.path().is_dir() {
        spec.column = None;
        spec.label = spec.label.filter(|label| label == "none" || real.path().is_dir());
    }
    spec
}

/// A source as it may be shown.
fn shown(spec: &SourceSpec) -> String {
    match &spec.table {
        Some(table) => format!("{} ({table})", spec.source),
        None => spec.source.clone(),
    }
}

/// Whether two sources are one, however they are written.
fn same(a: &SourceSpec, b: &SourceSpec) -> bool {
    let place = |spec: &SourceSpec| fs::canonicalize(spec.path()).ok();
    a.source == b.source || place(a).is_some_and(|found| place(b) == Some(found))
}

/// Refuses a source of another kind than the real one.
fn same_kind(real: &SourceSpec, kind: DataKind, other: &SourceSpec) -> Result<(), Error> {
    let found = detect(other)?.kind;
    if found == kind {
        return Ok(());
    }
    if found == DataKind::Image {
        // Images are what a source is taken for that nothing is known of: it may as well be none that can be read.
        AnyData::open(other)?;
    }
    let message =
        format!("{} holds {}, and {} holds {}", shown(real), kind.items(), shown(other), found.items());
    Err(Error::request(message)
        .with_hint("only data of one kind can be compared; --kind says what all of them are"))
}

/// Opens new items as the real ones are read.
fn open_new(spec: &SourceSpec, data: &AnyData, notes: &mut Vec<String>) -> Result<AnyData, Error> {
    let new = match (data, data.codec()) {
        (AnyData::Table(real), _) => open_rows(spec, real, notes)?,
        (_, codec) => AnyData::open_as(spec, &codec)?,
    };
    notes.extend(new.notes().iter().cloned());
    if let (AnyTransform::Sequence(_, classes), AnyData::Sequence(new)) = (data.codec(), &new)
        && !classes.is_empty()
        && (0..new.len() as u32).all(|document| new.class(document).is_none())
    {
        notes.push(format!("{}: no class of the real data is named there", spec.source));
    }
    Ok(new)
}

/// New rows, which must have all of the real columns; others are left out.
fn open_rows(spec: &SourceSpec, real: &TableSet, notes: &mut Vec<String>) -> Result<AnyData, Error> {
    let rows = read_table(spec)?;
    let names = |table: &mintage_data::Table| -> Vec<String> {
        table.columns.iter().map(|column| column.name.clone()).collect()
    };
    let (known, found) = (names(real.table()), names(&rows));
    let missing: Vec<String> = known.iter().filter(|name| !found.contains(name)).cloned().collect();
    let more: Vec<String> = found.iter().filter(|name| !known.contains(name)).cloned().collect();
    if !missing.is_empty() {
        let message =
            format!("{}: has no column {}, which the real data have", shown(spec), listed(&missing));
        let hint = match more.is_empty() {
            true => "new rows need all columns; --column a,b,c compares these alone".to_owned(),
            false => {
                format!("it has {} that they do not have; --column a,b,c compares these alone", listed(&more))
            }
        };
        return Err(Error::request(message).with_hint(hint));
    }
    if !more.is_empty() {
        notes.push(format!("{}: left out {}, which the real data do not have", shown(spec), listed(&more)));
    }
    if rows.rows() < MIN_ITEMS {
        let message = format!("{}: {} rows are too few to judge", shown(spec), thousands(rows.rows()));
        return Err(Error::request(message).with_hint(format!("{MIN_ITEMS} are the least")));
    }
    let set = TableSet::of_as(rows, None, real.codec(), &spec.source)?;
    Ok(AnyData::Table(std::sync::Arc::new(set)))
}

/// "`a`, `b` and 7 more".
fn listed(names: &[String]) -> String {
    const MAX_NAMES: usize = 5;
    let all: Vec<String> = names.iter().take(MAX_NAMES).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(MAX_NAMES) {
        0 => all.join(", "),
        more => format!("{} and {more} more", all.join(", ")),
    }
}
