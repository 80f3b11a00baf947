//! What a source holds. This is the only place that decides it: training, `inspect` and `init` ask here. What the user
//! says comes first; after that the checks stand in the order in which they are made, each with its reason.
//!
//! Beginnings of files and of values are looked at, and nothing is decoded.

use crate::{
    DataKind, Error, SourceSpec,
    audio::SOUNDS,
    music::MIDI,
    source::{
        column::Heads,
        listing::{is_named_like, kind_of_folder},
        media::{IMAGES, Media, is_file_of},
    },
    store::{self, Database, Place},
    table::{chosen, names_rows},
    text::{has_text_suffix, is_of_texts},
    video::{CLIPS, is_clip_file},
};

/// The kind of data in a source, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    pub kind: DataKind,
    /// For people: "column products.photo holds images".
    pub why: String,
}

impl Detected {
    fn new(kind: DataKind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into() }
    }
}

/// The kind of data that a source is read as.
///
/// # Errors
/// A database or folder that is there cannot be read, or a folder holds several kinds of files and none of them the most.
pub fn detect(spec: &SourceSpec) -> Result<Detected, Error> {
    if let Some(kind) = spec.kind {
        return Ok(Detected::new(kind, "the kind that was asked for"));
    }
    if let Some(database) = store::open(spec)? {
        return of_database(database, spec);
    }
    if spec.path().is_dir() {
        return of_folder(spec);
    }
    of_file(spec)
}

/// Folders of frames look like folders of images and must be asked for.
fn of_folder(spec: &SourceSpec) -> Result<Detected, Error> {
    Ok(match kind_of_folder(&spec.path(), spec)? {
        Some(kind) => Detected::new(kind, format!("most files of the folder are {}", kind.items())),
        None => Detected::new(DataKind::Image, "the folder holds no files of another kind"),
    })
}

fn of_file(spec: &SourceSpec) -> Result<Detected, Error> {
    let path = &*spec.path();
    let is_there = path.is_file();
    // A file that is not what its name says is best told so by whoever reads it.
    let is_media = |media: &Media| is_file_of(path, media) || is_named_like(path, media);
    let may_be_media = is_there && spec.query.is_none();
    if may_be_media && is_clip_file(path) {
        return Ok(Detected::new(DataKind::Video, "the file is a clip"));
    }
    if may_be_media && is_media(&MIDI) {
        return Ok(Detected::new(DataKind::Music, "the file is MIDI"));
    }
    let has_rows = names_rows(spec);
    if is_there && has_rows && spec.column.is_some() && is_of_texts(spec)? {
        return Ok(Detected::new(DataKind::Text, "the column that was asked for holds running text"));
    }
    if is_there && !has_rows && has_text_suffix(&spec.source) {
        return Ok(Detected::new(DataKind::Text, "the name is that of a text"));
    }
    if may_be_media && is_media(&SOUNDS) {
        return Ok(Detected::new(DataKind::Audio, "the file is a sound"));
    }
    Ok(match has_rows {
        true => Detected::new(DataKind::Table, "the file holds rows"),
        false => Detected::new(DataKind::Image, "nothing says that it is anything else"),
    })
}

fn of_database(mut database: Box<dyn Database>, spec: &SourceSpec) -> Result<Detected, Error> {
    let is_text = || Ok(spec.column.is_some() && is_of_texts(spec)?);
    let text = || Detected::new(DataKind::Text, "the column that was asked for holds running text");
    if spec.query.is_some() {
        return Ok(if is_text()? { text() } else { Detected::new(DataKind::Table, "a query gives rows") });
    }
    let is_of_table = |(table, _): &Place| spec.table.as_ref().is_none_or(|wanted| wanted == table);
    let heads = Heads::of(&mut *database, spec.table.as_deref(), is_of_table)?;
    let asked = |media| {
        let mut found = heads.holding(media);
        found.retain(|place| spec.asks_for(place));
        found
    };
    let (clips, images, tunes, sounds) = (asked(&CLIPS), asked(&IMAGES), asked(&MIDI), asked(&SOUNDS));
    let is_named = spec.column.is_some();
    // Every GIF is an image, too.
    if !clips.is_empty() && (is_named || images.iter().all(|place| clips.contains(place))) {
        return Ok(holds(DataKind::Video, &clips));
    }
    if !tunes.is_empty() && (is_named || images.is_empty()) {
        return Ok(holds(DataKind::Music, &tunes));
    }
    if !sounds.is_empty() && (is_named || [&images, &tunes, &clips].iter().all(|other| other.is_empty())) {
        return Ok(holds(DataKind::Audio, &sounds));
    }
    if let Some(why) = rows_are_meant(&mut *database, &heads.holding(&IMAGES), spec)? {
        return Ok(if is_text()? { text() } else { Detected::new(DataKind::Table, why) });
    }
    Ok(holds(DataKind::Image, &images))
}

/// Why rows are meant rather than the images in them, if they are: there are no images, or the columns that are asked
/// for hold none.
fn rows_are_meant(
    database: &mut dyn Database,
    images: &[Place],
    spec: &SourceSpec,
) -> Result<Option<&'static str>, Error> {
    if images.is_empty() {
        return Ok(Some("no column holds images, sounds, tunes or clips"));
    }
    let Some(wanted) = &spec.column else { return Ok(None) };
    for (table, _) in images {
        let mut names = database.columns(table)?;
        names.retain(|name| !images.contains(&(table.clone(), name.clone())));
        if chosen(Some(wanted), table, &names).is_ok() {
            return Ok(Some("the columns that were asked for hold no images"));
        }
    }
    Ok(None)
}

/// "column products.photo holds images".
fn holds(kind: DataKind, places: &[Place]) -> Detected {
    let what = kind.items();
    let why = match places {
        [(table, column)] => format!("column {table}.{column} holds {what}"),
        _ => format!("columns hold {what}"),
    };
    Detected::new(kind, why)
}

/// Whether `spec` names rows, rather than what lies in them.
///
/// # Errors
/// Those of [`detect`].
pub fn is_table(spec: &SourceSpec) -> Result<bool, Error> {
    Ok(detect(spec)?.kind == DataKind::Table)
}

/// Whether a source holds texts.
///
/// # Errors
/// Those of [`detect`].
pub fn is_text(spec: &SourceSpec) -> Result<bool, Error> {
    Ok(detect(spec)?.kind == DataKind::Text)
}

/// Whether a source holds music.
///
/// # Errors
/// Those of [`detect`].
pub fn is_music(spec: &SourceSpec) -> Result<bool, Error> {
    Ok(detect(spec)?.kind == DataKind::Music)
}

/// Whether a source holds sounds.
///
/// # Errors
/// Those of [`detect`].
pub fn is_sound(spec: &SourceSpec) -> Result<bool, Error> {
    Ok(detect(spec)?.kind == DataKind::Audio)
}

/// Whether a source holds clips.
///
/// # Errors
/// Those of [`detect`].
pub fn is_video(spec: &SourceSpec) -> Result<bool, Error> {
    Ok(detect(spec)?.kind == DataKind::Video)
}
