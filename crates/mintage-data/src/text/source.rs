//! Sources of texts: one big file, a folder of files, or a column of a table. A source reads and decodes; what
//! becomes of its texts is others' business.

use std::{borrow::Cow, fmt, ops::Range};

use super::{
    column::TextColumn,
    file::{self, FileText},
    folder::TextFolder,
};
use crate::{
    Column, Error, SourceSpec,
    files::check_source,
    sink::made::is_made_text,
    source::DataKind,
    table::{is_database, names_rows, redacted},
};

/// Bytes below which nothing can be learned.
const MIN_BYTES: u64 = 200;

/// Open texts: the source's own, and behind them those of a holdout that is a source of its own.
#[derive(Debug)]
pub struct TextSource {
    own: Part,
    held: Option<Part>,
    labels: Option<Vec<String>>,
    holdout: Option<Range<usize>>,
    notes: Vec<String>,
}

/// Texts of one place.
enum Part {
    /// One big file is one document.
    File {
        name: String,
        text: FileText,
    },
    Folder(TextFolder),
    Column(TextColumn),
}

impl TextSource {
    /// Opens the texts that `spec` names.
    ///
    /// # Errors
    /// A source cannot be read, is not text, has too little of it, or lacks the labels that are asked for.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        let own = Part::open(spec)?;
        if own.bytes() < MIN_BYTES {
            return Err(too_short(&spec.source, own.bytes()));
        }
        let mut source =
            Self { labels: own.labels(spec, false)?, notes: own.notes(), own, held: None, holdout: None };
        source.holdout = source.own.official_holdout();
        if let Some(place) = &spec.holdout {
            source.add_holdout(place, spec)?;
        }
        Ok(source)
    }

    /// The texts of a column of a table that was read, each with the label of its row; an empty label is of no class.
    ///
    /// # Errors
    /// There is too little to learn from.
    pub fn of_column(table: &str, column: Column, labels: Option<&Column>) -> Result<Self, Error> {
        let own = TextColumn::of(table.to_owned(), column, labels);
        if own.bytes < MIN_BYTES {
            return Err(too_short(table, own.bytes));
        }
        let labels = own.labels.clone();
        Ok(Self { own: Part::Column(own), held: None, labels, holdout: None, notes: Vec::new() })
    }

    fn add_holdout(&mut self, place: &str, spec: &SourceSpec) -> Result<(), Error> {
        let (_, column) = self.place().unzip();
        let spec = SourceSpec {
            source: place.to_owned(),
            holdout: None,
            limit: None,
            column: column.or(spec.column.clone()),
            ..spec.clone()
        };
        let held = Part::open(&spec)?;
        if let Some(labels) = &mut self.labels {
            let more = held.labels(&spec, true)?.ok_or_else(|| {
                Error::bad(redacted(place), "has no labels, which the other source has")
                    .with_hint("`--label none` ignores them")
            })?;
            labels.extend(more);
        }
        self.holdout = Some(self.own.len()..self.own.len() + held.len());
        self.notes.extend(held.notes());
        self.held = Some(held);
        Ok(())
    }

    /// Documents.
    pub fn len(&self) -> usize {
        self.own.len() + self.held.as_ref().map_or(0, Part::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// "novel.txt", "rec.sport/1.txt", "row 17 of news.body".
    pub fn name(&self, item: usize) -> String {
        let (part, item) = self.part(item);
        part.name(item)
    }

    /// The label of every document, or nothing when the source has none.
    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    /// Documents that were set aside: by `spec.holdout`, or in a folder `test`.
    pub fn official_holdout(&self) -> Option<Range<usize>> {
        self.holdout.clone()
    }

    /// What the user should know of how the texts were read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Bytes of all texts as UTF-8; of a folder, whose files are not read before they are needed, about.
    pub fn bytes(&self) -> u64 {
        self.own.bytes() + self.held.as_ref().map_or(0, Part::bytes)
    }

    /// Whether the source is a single document: one big file. A holdout that is another file may follow it.
    pub fn is_whole(&self) -> bool {
        matches!(self.own, Part::File { .. })
    }

    /// The table and the column that the texts come from, if they come from one.
    pub fn place(&self) -> Option<(String, String)> {
        match &self.own {
            Part::Column(column) => {
                let (table, column) = column.place();
                Some((table.to_owned(), column.to_owned()))
            }
            Part::File { .. } | Part::Folder(_) => None,
        }
    }

    /// `spec` with what opening decided.
    pub fn resolved(&self, spec: &SourceSpec) -> SourceSpec {
        let mut spec = SourceSpec { kind: Some(DataKind::Text), ..spec.clone() };
        if let Some((table, column)) = self.place() {
            spec.column = Some(column);
            if spec.query.is_none() && spec.table.is_none() && is_database(&spec.source) {
                spec.table = Some(table);
            }
        }
        spec
    }

    /// The text of a document; that of a folder is read from its file.
    ///
    /// # Errors
    /// The file cannot be read any more, or does not hold text.
    pub fn text(&self, item: usize) -> Result<Cow<'_, str>, Error> {
        let (part, item) = self.part(item);
        Ok(match part {
            Part::File { text, .. } => Cow::Borrowed(text.text()),
            Part::Folder(folder) => Cow::Owned(folder.text(item)?),
            Part::Column(column) => Cow::Borrowed(column.text(item)),
        })
    }

    fn part(&self, item: usize) -> (&Part, usize) {
        match &self.held {
            Some(held) if item >= self.own.len() => (held, item - self.own.len()),
            _ => (&self.own, item),
        }
    }
}

impl Part {
    fn open(spec: &SourceSpec) -> Result<Self, Error> {
        let path = &*spec.path();
        if spec.source.is_empty() {
            return Err(Error::bad("source", "is empty")
                .with_hint("name a text file, a folder of them, or a table with a column of texts"));
        }
        if holds_rows(spec) {
            return TextColumn::open(spec).map(Self::Column);
        }
        check_source(path)?;
        if path.is_dir() {
            check_is_plain(spec)?;
            return TextFolder::open(path, spec).map(Self::Folder);
        }
        check_is_plain(spec)?;
        if !spec.allow_made && is_made_text(path) {
            return Err(Error::OnlyMade { what: spec.source.clone(), count: 1 });
        }
        let text = file::open(path, spec.lossy)?;
        if text.text().trim().is_empty() {
            return Err(Error::bad(&spec.source, "is empty"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self::File { name, text })
    }

    fn len(&self) -> usize {
        match self {
            Self::File { .. } => 1,
            Self::Folder(folder) => folder.len(),
            Self::Column(column) => column.len(),
        }
    }

    fn name(&self, item: usize) -> String {
        match self {
            Self::File { name, .. } => name.clone(),
            Self::Folder(folder) => folder.name(item),
            Self::Column(column) => column.name(item),
        }
    }

    /// `alone` says whether a single label for all is one.
    fn labels(&self, spec: &SourceSpec, alone: bool) -> Result<Option<Vec<String>>, Error> {
        match self {
            Self::File { .. } if spec.label.is_some() && !spec.no_labels() => {
                Err(Error::bad(&spec.source, "is one text: it has no labels")
                    .with_hint("labels come from the sub-folders of a folder, or from a column of a table"))
            }
            Self::File { .. } => Ok(None),
            Self::Folder(folder) => Ok(folder.labels(alone)),
            Self::Column(column) => Ok(column.labels.clone()),
        }
    }

    fn official_holdout(&self) -> Option<Range<usize>> {
        match self {
            Self::Folder(folder) => folder.official_holdout(),
            Self::File { .. } | Self::Column(_) => None,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::File { text, .. } => text.text().len() as u64,
            Self::Folder(folder) => folder.bytes,
            Self::Column(column) => column.bytes,
        }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::File { .. } => Vec::new(),
            Self::Folder(folder) => folder.notes.clone(),
            Self::Column(column) => column.notes.clone(),
        }
    }
}

/// Without the texts.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = match self {
            Self::File { .. } => "File",
            Self::Folder(_) => "Folder",
            Self::Column(_) => "Column",
        };
        f.debug_struct(kind).field("len", &self.len()).field("bytes", &self.bytes()).finish()
    }
}

/// Whether the source is a table or has tables.
fn holds_rows(spec: &SourceSpec) -> bool {
    is_database(&spec.source) || (spec.path().is_file() && names_rows(spec))
}

/// Only tables have columns, and only databases several tables.
fn check_is_plain(spec: &SourceSpec) -> Result<(), Error> {
    let what = match (&spec.column, &spec.table, &spec.query) {
        (Some(_), _, _) => "of a table a column can be chosen",
        (_, Some(_), _) => "of a database a table can be chosen",
        (_, _, Some(_)) => "of a database a query can be asked",
        (None, None, None) => return Ok(()),
    };
    Err(Error::bad(&spec.source, format!("holds plain text: only {what}")))
}

fn too_short(source: &str, bytes: u64) -> Error {
    Error::bad(redacted(source), format!("is too short to learn from: {bytes} bytes of text"))
        .with_hint("a few thousand characters are the least that is of use; a megabyte makes a usable model")
}
