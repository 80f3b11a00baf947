//! Texts or tunes, opened to learn from: read, split by whole documents, encoded, stored.

mod passes;
mod source;

use std::{
    collections::HashMap,
    ops::{Range, RangeInclusive},
    sync::{Arc, Mutex},
};

use self::{
    passes::{Pass, random_of, transpose},
    source::{Piece, Source, pieces, text_of},
};
use super::{
    BOUNDARY, Chunking, Modality, NO_TOKEN, SequenceBatch, SequenceInfo, TokenStore, Tokenizer, store::Writer,
};
use crate::{Error, MusicTokenizer, SourceSpec, Split, Splits, TextSource, TextTokenizer};

/// Texts or tunes split into train, valid and holdout, with the tokens of every document.
#[derive(Debug)]
pub struct SequenceSet {
    codec: Tokenizer,
    /// Documents of train, then of valid, then of the holdout.
    store: TokenStore,
    splits: Splits,
    /// The class of each document, or nothing without classes.
    labels: Vec<u32>,
    names: Vec<String>,
    info: SequenceInfo,
    notes: Vec<String>,
    /// Name and reason of what could not be read.
    skips: Vec<String>,
    resolved: SourceSpec,
    segments: Mutex<HashMap<usize, Arc<Segments>>>,
    /// The latest pass with documents in an order of its own.
    pass: Mutex<Option<Arc<Pass>>>,
    /// By how many semitones each tune can be moved that was asked for.
    reach: Mutex<HashMap<u32, RangeInclusive<i32>>>,
}

/// Where segments lie: the first token of each behind its document's or its predecessor's last one, and its end.
#[derive(Debug, Default)]
struct Segments {
    places: Vec<(u64, u32)>,
    /// Where those of each split begin, and where the last ones end.
    splits: [usize; 4],
}

/// Characters and tokens that were encoded.
#[derive(Clone, Copy, Default)]
struct Counts {
    chars: u64,
    tokens: u64,
}

impl SequenceSet {
    /// Opens the documents that `spec` names, and fits the tokenizer on the train split.
    ///
    /// # Errors
    /// The source cannot be read, has too little to learn from, or the tokenizer cannot be fitted as `spec` asks for.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        Self::fitted(&Source::open(spec)?, spec)
    }

    /// The same of texts that are open: `spec` says of them what a token is.
    ///
    /// # Errors
    /// There is too little to learn from, or the tokenizer cannot be fitted as `spec` asks for.
    pub fn of_texts(texts: TextSource, spec: &SourceSpec) -> Result<Self, Error> {
        Self::fitted(&Source::Text(texts), spec)
    }

    fn fitted(source: &Source, spec: &SourceSpec) -> Result<Self, Error> {
        let pieces = pieces(source, spec)?;
        let codec = fit(source, &pieces[0], spec)?;
        let classes: Vec<String> = match source.labels() {
            Some(labels) if !spec.no_labels() => {
                // What has no label is of no class.
                let mut classes: Vec<String> =
                    labels.iter().filter(|label| !label.is_empty()).cloned().collect();
                classes.sort_unstable();
                classes.dedup();
                classes
            }
            _ => Vec::new(),
        };
        Self::encoded(source, pieces, codec, classes, spec)
    }

    /// Opens the documents that `spec` names as a trained model sees them: with its tokens and its classes.
    ///
    /// # Errors
    /// The source cannot be read, or holds music where the model knows texts, or the reverse.
    pub fn open_as(spec: &SourceSpec, codec: &Tokenizer, classes: &[String]) -> Result<Self, Error> {
        let source = Source::open(spec)?;
        let found = match source {
            Source::Text(_) => Modality::Text,
            Source::Music(_) => Modality::Music,
        };
        if found != codec.modality() {
            let of = |modality| if modality == Modality::Text { "texts" } else { "music" };
            let why = format!("holds {}, and the model knows {}", of(found), of(codec.modality()));
            return Err(Error::bad(&spec.source, why));
        }
        let pieces = pieces(&source, spec)?;
        Self::encoded(&source, pieces, codec.clone(), classes.to_vec(), spec)
    }

    fn encoded(
        source: &Source,
        pieces: [Vec<Piece>; 3],
        codec: Tokenizer,
        classes: Vec<String>,
        spec: &SourceSpec,
    ) -> Result<Self, Error> {
        let mut writer = Writer::new();
        let mut counts = [Counts::default(); 3];
        for (pieces, counts) in pieces.iter().zip(&mut counts) {
            for piece in pieces {
                writer.begin()?;
                encode(source, piece, &codec, &mut writer, counts)?;
            }
        }
        let store = writer.finish()?;
        let labels = match source.labels() {
            Some(labels) if !classes.is_empty() => {
                let class = |piece: &Piece| {
                    classes.binary_search(&labels[piece.item]).map_or(NO_TOKEN, |class| class as u32)
                };
                pieces.iter().flatten().map(class).collect()
            }
            _ => Vec::new(),
        };
        let info = SequenceInfo {
            modality: codec.modality(),
            vocab: codec.vocab(),
            classes,
            train_len: pieces[0].len(),
            train_tokens: counts[0].tokens,
            chars_per_token: counts[0].chars as f64 / counts[0].tokens.max(1) as f64,
            periods: codec.periods(),
        };
        let mut first = 0;
        let [train, valid, holdout] = pieces.each_ref().map(|pieces| {
            let range = first..first + pieces.len() as u32;
            first = range.end;
            range.collect()
        });
        let names = pieces.iter().flatten().map(|piece| source.name(piece.item)).collect();
        let (notes, skips) = (source.notes().to_vec(), source.skips().to_vec());
        let resolved = source.resolved(spec);
        let splits = Splits { train, valid, holdout };
        let (segments, pass, reach) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Self { codec, store, splits, labels, names, info, notes, skips, resolved, segments, pass, reach })
    }

    pub fn codec(&self) -> &Tokenizer {
        &self.codec
    }

    pub fn info(&self) -> &SequenceInfo {
        &self.info
    }

    /// Documents of each split.
    pub fn splits(&self) -> &Splits {
        &self.splits
    }

    /// Makes what validates a part of train.
    pub fn train_on_valid(&mut self) {
        self.info.train_tokens += self.tokens(Split::Valid);
        self.splits.train_on_valid();
        self.info.train_len = self.splits.train.len();
        self.segments = Mutex::default();
        self.pass = Mutex::default();
    }

    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Name and reason of what could not be read.
    pub fn skips(&self) -> &[String] {
        &self.skips
    }

    /// `spec` with what opening decided.
    pub fn resolved(&self, spec: &SourceSpec) -> SourceSpec {
        // A recipe may have changed since in what opening does not decide.
        let Self { resolved, .. } = self;
        SourceSpec {
            column: resolved.column.clone(),
            table: resolved.table.clone(),
            kind: resolved.kind,
            ..spec.clone()
        }
    }

    /// Whether all is one text, of which the splits are parts.
    pub fn is_one(&self) -> bool {
        self.names.windows(2).all(|names| names[0] == names[1])
    }

    /// Documents of all splits.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }

    /// The tokens of a document, its boundary first.
    pub fn document(&self, index: u32) -> Vec<u32> {
        self.store.document(index as usize)
    }

    /// The first tokens of a document, at most `most`.
    pub fn beginning(&self, index: u32, most: usize) -> Vec<u32> {
        let whole = self.store.stretch(index as usize..index as usize + 1);
        self.store.read(whole.start..whole.end.min(whole.start + most as u64))
    }

    /// Where a document comes from.
    pub fn name(&self, index: u32) -> &str {
        &self.names[index as usize]
    }

    /// The class of a document, where it has one.
    pub fn class(&self, index: u32) -> Option<u32> {
        self.labels.get(index as usize).copied().filter(|&class| class != NO_TOKEN)
    }

    /// The tokens of a split: its documents, each behind its boundary.
    pub fn stream(&self, split: Split) -> Vec<u32> {
        self.store.read(self.stretch(split))
    }

    /// How many tokens a split has.
    pub fn tokens(&self, split: Split) -> u64 {
        let stretch = self.stretch(split);
        stretch.end - stretch.start
    }

    fn stretch(&self, split: Split) -> Range<u64> {
        let documents = self.splits.get(split);
        match (documents.first(), documents.last()) {
            (Some(&first), Some(&last)) => self.store.stretch(first as usize..last as usize + 1),
            _ => 0..0,
        }
    }

    /// The items of a split, cut so: numbers that [`batch`](Self::batch) knows.
    pub fn items(&self, split: Split, cut: Chunking) -> Range<u32> {
        let at = split as usize;
        match cut {
            Chunking::Windows(time) => {
                let ends = self.window_ends(time);
                let first = if at == 0 { 0 } else { ends[at - 1] };
                first..ends[at]
            }
            Chunking::Segments(longest) => {
                let splits = self.segments(longest).splits;
                splits[at] as u32..splits[at + 1] as u32
            }
        }
    }

    /// Where the windows of each split end in the numbering of all.
    fn window_ends(&self, time: usize) -> [u32; 3] {
        let mut end = 0;
        [Split::Train, Split::Valid, Split::Holdout].map(|split| {
            end += (self.tokens(split) as usize).saturating_sub(1).div_ceil(time) as u32;
            end
        })
    }

    /// Items by number. With a `seed`, as they are trained on: windows begin anywhere, and music is transposed.
    pub fn batch(&self, items: &[u32], cut: Chunking, seed: Option<u64>) -> SequenceBatch {
        let (n, row) = (items.len(), cut.time() + 1);
        let mut batch = SequenceBatch { tokens: Vec::with_capacity(n * row), n, ..SequenceBatch::default() };
        for (place, &item) in items.iter().enumerate() {
            let random = seed.map(|seed| random_of(seed, place, item));
            match cut {
                Chunking::Windows(time) => self.window(item, time, random, &mut batch),
                Chunking::Segments(longest) => self.segment(item, longest, &mut batch),
            }
            let tokens = &mut batch.tokens[place * row..];
            if let (Some(random), Tokenizer::Music(codec)) = (random, &self.codec) {
                transpose(codec, random >> 32, tokens);
            }
        }
        batch
    }

    fn window(&self, item: u32, time: usize, random: Option<u64>, batch: &mut SequenceBatch) {
        self.add_stretch(self.window_stretch(item, time, random), batch);
        self.fill(batch, time + 1);
    }

    /// Where a window lies in the stream.
    fn window_stretch(&self, item: u32, time: usize, random: Option<u64>) -> Range<u64> {
        let ends = self.window_ends(time);
        let at = ends.iter().position(|&end| item < end).unwrap_or(2);
        let split = [Split::Train, Split::Valid, Split::Holdout][at];
        let stretch = self.stretch(split);
        let index = u64::from(item - if at == 0 { 0 } else { ends[at - 1] });
        let shift = random.map_or(0, |random| (random & 0xffff_ffff) % time as u64);
        let wanted = stretch.start + index * time as u64 + shift;
        // The last window of training reaches to the very end; of judging it is short.
        let last = stretch.end.saturating_sub(time as u64 + 1).max(stretch.start);
        let start = if random.is_some() { wanted.min(last) } else { wanted };
        start..stretch.end.min(start + time as u64 + 1)
    }

    /// Tokens, classes and period_positions of a stretch of the stream.
    fn add_stretch(&self, stretch: Range<u64>, batch: &mut SequenceBatch) {
        batch.tokens.extend(self.store.read(stretch.clone()));
        self.add_places(stretch, batch);
    }

    /// Classes and period_positions of a stretch of the stream.
    fn add_places(&self, stretch: Range<u64>, batch: &mut SequenceBatch) {
        if stretch.is_empty() || self.labels.is_empty() && self.info.periods.is_empty() {
            return;
        }
        let mut document = self.store.document_at(stretch.start);
        for at in stretch {
            while self.store.starts()[document + 1] <= at {
                document += 1;
            }
            batch.classes.extend(self.labels.get(document));
            batch.period_positions.extend(self.info.period_positions(at - self.store.starts()[document]));
        }
    }

    fn segment(&self, item: u32, longest: usize, batch: &mut SequenceBatch) {
        let (start, len) = self.segments(longest).places[item as usize];
        batch.tokens.push(BOUNDARY);
        batch.tokens.extend(self.store.read(start..start + u64::from(len)));
        batch.tokens.push(BOUNDARY);
        let document = self.store.document_at(start);
        // The boundaries stand right before and right behind what they enclose.
        let first = start - self.store.starts()[document] - 1;
        for place in first..first + u64::from(len) + 2 {
            batch.classes.extend(self.labels.get(document));
            batch.period_positions.extend(self.info.period_positions(place));
        }
        self.fill(batch, longest + 2);
    }

    /// The segments of a document, cut so; nothing for windows, which know no documents.
    pub fn items_of(&self, document: u32, cut: Chunking) -> Range<u32> {
        let Chunking::Segments(longest) = cut else { return 0..0 };
        let (segments, starts) = (self.segments(longest), self.store.starts());
        let place = |start: u64| segments.places.partition_point(|&(first, _)| first < start) as u32;
        place(starts[document as usize])..place(starts[document as usize + 1])
    }

    /// An item as a document of its own, boundary first, and its class.
    pub fn item(&self, item: u32, cut: Chunking) -> (Vec<u32>, Option<u32>) {
        let batch = self.batch(&[item], cut, None);
        let known = |list: Vec<u32>| list.into_iter().take_while(|&token| token != NO_TOKEN).collect();
        let class = batch.classes.first().copied().filter(|&class| class != NO_TOKEN);
        (known(batch.tokens), class)
    }

    /// The segments of a document that may be in no set (boundary first), cut as those of this set are.
    pub fn batch_of(&self, tokens: &[u32], class: Option<u32>, longest: usize) -> SequenceBatch {
        let mut batch = SequenceBatch::default();
        for segment in self.segments_of(tokens, longest) {
            let first = segment.start as u64 - 1;
            for place in first..segment.end as u64 + 1 {
                batch.classes.extend((!self.labels.is_empty()).then_some(class.unwrap_or(NO_TOKEN)));
                batch.period_positions.extend(self.info.period_positions(place));
            }
            batch.tokens.push(BOUNDARY);
            batch.tokens.extend(&tokens[segment]);
            batch.tokens.push(BOUNDARY);
            batch.n += 1;
            self.fill(&mut batch, longest + 2);
        }
        batch
    }

    /// Where the segments of a document lie among its tokens, boundary first.
    fn segments_of(&self, tokens: &[u32], longest: usize) -> Vec<Range<usize>> {
        // On a grid segments are of whole bars.
        let bar = self.info.periods.last().copied().unwrap_or(1);
        let longest = if longest >= bar { longest / bar * bar } else { longest };
        let (mut found, mut start) = (Vec::new(), 1);
        while start < tokens.len() {
            let reach = &tokens[start..tokens.len().min(start + longest)];
            let whole = start + reach.len() == tokens.len();
            let ends = |len: &usize| self.codec.parts_between(tokens[start + len - 1], tokens[start + len]);
            let end = || (1..=reach.len()).rev().find(ends).unwrap_or(reach.len());
            let len = if whole { reach.len() } else { end() };
            found.push(start..start + len);
            start += len;
        }
        found
    }

    /// Brings the last row up to `row` places.
    fn fill(&self, batch: &mut SequenceBatch, row: usize) {
        let places = batch.tokens.len().div_ceil(row) * row;
        batch.tokens.resize(places, NO_TOKEN);
        if !batch.classes.is_empty() {
            batch.classes.resize(places, NO_TOKEN);
        }
        batch.period_positions.resize(places * self.info.periods.len(), NO_TOKEN);
    }

    /// The segments of at most `longest` tokens, found once.
    fn segments(&self, longest: usize) -> Arc<Segments> {
        // Nobody panics with the lock in hand.
        let mut known = self.segments.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(known.entry(longest).or_insert_with(|| Arc::new(self.find_segments(longest))))
    }

    fn find_segments(&self, longest: usize) -> Segments {
        let mut found = Segments::default();
        for (at, split) in [Split::Train, Split::Valid, Split::Holdout].into_iter().enumerate() {
            for &document in self.splits.get(split) {
                let first = self.store.starts()[document as usize];
                let segments = self.segments_of(&self.document(document), longest);
                let place = |segment: Range<usize>| (first + segment.start as u64, segment.len() as u32);
                found.places.extend(segments.into_iter().map(place));
            }
            found.splits[at + 1] = found.places.len();
        }
        found
    }
}

/// Fits a codec on the train split.
fn fit(source: &Source, train: &[Piece], spec: &SourceSpec) -> Result<Tokenizer, Error> {
    match source {
        Source::Text(texts) => {
            let visit = |see: &mut dyn FnMut(&str)| {
                train.iter().try_for_each(|piece| text_of(texts, piece).map(|text| see(&text)))
            };
            TextTokenizer::fit(spec.unit, spec.vocab, &visit, texts.bytes()).map(Tokenizer::Text)
        }
        Source::Music(tunes) => {
            let scores = train.iter().map(|piece| tunes.score(piece.item)).collect::<Result<Vec<_>, _>>()?;
            Ok(Tokenizer::Music(MusicTokenizer::fit(spec.music, &scores)))
        }
    }
}

/// Adds the tokens of a piece to the store.
fn encode(
    source: &Source,
    piece: &Piece,
    codec: &Tokenizer,
    writer: &mut Writer,
    counts: &mut Counts,
) -> Result<(), Error> {
    let mut push = |tokens: &[u32]| {
        counts.tokens += tokens.len() as u64;
        writer.push(tokens)
    };
    match (source, codec) {
        (Source::Text(texts), Tokenizer::Text(codec)) => {
            let text = text_of(texts, piece)?;
            codec.encode_into(&text, &mut push)?;
            counts.chars += text.chars().count() as u64;
            Ok(())
        }
        (Source::Music(tunes), Tokenizer::Music(codec)) => push(&codec.encode(&tunes.score(piece.item)?)),
        _ => Err(Error::bad(source.name(piece.item), "is not of the model's kind")),
    }
}
