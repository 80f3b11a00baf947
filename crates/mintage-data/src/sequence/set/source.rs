//! The documents of a source, and which of them, or which parts of a single one, train, valid and holdout have.

use std::{borrow::Cow, ops::Range};

use xxhash_rust::xxh3::xxh3_64;

use crate::{Error, MusicSource, SourceSpec, Splits, TextSource, is_music};

/// Documents of texts or of music.
// There is one of these, while a set is opened.
#[allow(clippy::large_enum_variant)]
pub(super) enum Source {
    Text(TextSource),
    Music(MusicSource),
}

impl Source {
    pub(super) fn open(spec: &SourceSpec) -> Result<Self, Error> {
        match is_music(spec)? {
            true => MusicSource::open(spec).map(Self::Music),
            false => TextSource::open(spec).map(Self::Text),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(source) => source.len(),
            Self::Music(source) => source.len(),
        }
    }

    pub(super) fn name(&self, item: usize) -> String {
        match self {
            Self::Text(source) => source.name(item),
            Self::Music(source) => source.name(item),
        }
    }

    pub(super) fn labels(&self) -> Option<&[String]> {
        match self {
            Self::Text(source) => source.labels(),
            Self::Music(source) => source.labels(),
        }
    }

    fn official_holdout(&self) -> Option<Range<usize>> {
        match self {
            Self::Text(source) => source.official_holdout(),
            Self::Music(source) => source.official_holdout(),
        }
    }

    pub(super) fn notes(&self) -> &[String] {
        match self {
            Self::Text(source) => source.notes(),
            Self::Music(source) => source.notes(),
        }
    }

    pub(super) fn skips(&self) -> &[String] {
        match self {
            Self::Text(_) => &[],
            Self::Music(source) => source.skips(),
        }
    }

    pub(super) fn resolved(&self, spec: &SourceSpec) -> SourceSpec {
        match self {
            Self::Text(source) => source.resolved(spec),
            Self::Music(source) => source.resolved(spec),
        }
    }
}

/// A document of a split: all of one of the source, or a part of a text that is the only one.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) item: usize,
    /// Bytes of its text; nothing where it is whole.
    bytes: Option<Range<usize>>,
}

/// What belongs to train, valid and holdout: whole documents by a hash of their content, parts where there is only one.
pub(super) fn pieces(source: &Source, spec: &SourceSpec) -> Result<[Vec<Piece>; 3], Error> {
    let held = source.official_holdout();
    let own =
        source.len() - held.as_ref().map_or(0, |held| if held.end == source.len() { held.len() } else { 0 });
    if let Source::Text(texts) = source
        && texts.is_whole()
        && own == 1
    {
        return parts_of_one(texts, held);
    }
    let len = source.len().min(spec.limit.unwrap_or(usize::MAX));
    let pick = |i: usize| i * source.len() / len;
    let hashes = hashes(source)?;
    let hashes: Vec<u64> = (0..len).map(|i| hashes[pick(i)]).collect();
    let held = held.map(|held| {
        (0..len).find(|&i| pick(i) >= held.start).unwrap_or(len)
            ..(0..len).find(|&i| pick(i) >= held.end).unwrap_or(len)
    });
    let splits = Splits::of(&hashes, held);
    Ok([splits.train, splits.valid, splits.holdout]
        .map(|part| part.into_iter().map(|i| Piece { item: pick(i as usize), bytes: None }).collect()))
}

/// A hash of the content of every document: its place in the split, wherever it lies.
fn hashes(source: &Source) -> Result<Vec<u64>, Error> {
    match source {
        Source::Text(texts) => (0..texts.len()).map(|i| Ok(xxh3_64(texts.text(i)?.as_bytes()))).collect(),
        Source::Music(tunes) => Ok(tunes.hashes()),
    }
}

/// Shares of a single text: what is held out, at its end, and what validates.
const HOLDOUT_SHARE: f64 = 0.1;
const VALID_SHARE: f64 = 0.05;
/// Places of a single text that validate: one would be of one chapter.
const VALID_PLACES: usize = 5;

/// A single text: its end is held out, or another document is; the rest is cut into a few stretches, each of which begins
/// with a part to validate. All cuts are between lines or words.
fn parts_of_one(texts: &TextSource, held: Option<Range<usize>>) -> Result<[Vec<Piece>; 3], Error> {
    let text = texts.text(0)?;
    let end = match held {
        Some(_) => text.len(),
        None => cut_near(&text, (text.len() as f64 * (1.0 - HOLDOUT_SHARE)) as usize, text.len()),
    };
    let (mut train, mut valid) = (Vec::new(), Vec::new());
    let (stretch, share) = (end / VALID_PLACES, VALID_SHARE * text.len() as f64 / end.max(1) as f64);
    let mut start = 0;
    for place in 1..=VALID_PLACES {
        let middle = cut_near(&text, start + (stretch as f64 * share) as usize, stretch);
        let next = if place == VALID_PLACES { end } else { cut_near(&text, place * stretch, stretch) };
        for (part, bytes) in [(&mut valid, start..middle), (&mut train, middle..next)] {
            if !bytes.is_empty() {
                part.push(Piece { item: 0, bytes: Some(bytes) });
            }
        }
        start = next;
    }
    let holdout = match held {
        Some(held) => held.map(|item| Piece { item, bytes: None }).collect(),
        None => vec![Piece { item: 0, bytes: Some(end..text.len()) }],
    };
    Ok([train, valid, holdout])
}

/// The end of a line, or of a word, or at least of a character, a little before `at`; `whole` is the length of what is cut.
fn cut_near(text: &str, at: usize, whole: usize) -> usize {
    const MAX_CUT_SHIFT: usize = 4096;
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at += 1;
        }
        at
    };
    let at = boundary(at.min(text.len()));
    let from = boundary(at.saturating_sub(MAX_CUT_SHIFT.min(whole / 50)));
    let near = &text[from..at];
    let end = near.rfind('\n').or_else(|| near.rfind(char::is_whitespace));
    match end.and_then(|end| near[end..].chars().next().map(|space| from + end + space.len_utf8())) {
        Some(end) if end < text.len() => end,
        _ => at,
    }
}

/// The text of a piece.
pub(super) fn text_of<'a>(texts: &'a TextSource, piece: &Piece) -> Result<Cow<'a, str>, Error> {
    let text = texts.text(piece.item)?;
    Ok(match (&piece.bytes, text) {
        (None, text) => text,
        (Some(bytes), Cow::Borrowed(text)) => Cow::Borrowed(&text[bytes.clone()]),
        (Some(bytes), Cow::Owned(text)) => Cow::Owned(text[bytes.clone()].to_owned()),
    })
}
