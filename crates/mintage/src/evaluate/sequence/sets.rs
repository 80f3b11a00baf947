//! The passages that are compared: held out, new, trained on, made of counts alone.
//!
//! Documents that are no longer than a few passages are compared by their beginnings. Longer ones, such as novels, are
//! compared by passages from anywhere: a model then writes on past its own beginning, which is left out. There are few of
//! them, and each has its own people and places: held-out works can be told from all others by names alone. So
//! passages of long works are compared with those of the train split, whose every second passage is the ceiling; what is
//! said of copies and of likelihood goes by held-out works all the same.
//!
//! A model of segments is judged by segments, which are what it writes.

use std::time::Duration;

use mintage_data::{
    SequenceSet, Split,
    music::Score,
    sequence::{BOUNDARY, Chunking, Modality, Tokenizer},
};
use mintage_nn::Rng;

use super::{
    super::{Options, TrainedOn, evenly, work},
    Copied, KneserNey,
    steps::{of_any_notes, steps},
    vocabulary::Vocabulary,
};
use crate::{
    error::Error,
    events::Event,
    model::Model,
    models::{GenerativeModel, SamplingParams, SequenceSampleParams},
};

/// Passages on either side, unless asked otherwise.
const DEFAULT_N: usize = 200;
/// Passages below which nothing is judged.
const MIN_PASSAGES: usize = 8;
/// Tokens of a passage.
const PASSAGE_TOKENS: usize = 256;
/// Passages that one long sample gives after its beginning.
const PASSAGES_PER_SAMPLE: usize = 8;
/// Sequences drawn at a time.
const SAMPLE_CHUNK: usize = 32;
/// Tokens of the train split that copies are searched in, and that counts are taken from.
const MAX_TRAIN_TOKENS: usize = 40_000_000;

/// A passage: its tokens, its units, its class.
#[derive(Clone, Debug)]
pub struct Passage {
    /// Tokens of the data, without boundaries.
    pub tokens: Vec<u32>,
    /// Words of a text, tokens of music: what copies are counted in.
    pub units: Vec<u32>,
    /// Words of a text, [`steps`] of music: what passages are compared by, whatever the codec.
    pub looks: Vec<u32>,
    /// Class of the document; `None` where it has none.
    pub class: Option<u32>,
}

/// What is compared.
pub struct Sets<'a> {
    /// The data that passages are compared with.
    pub data: &'a SequenceSet,
    /// What new passages are compared with: held-out documents, or passages of long works of the train split.
    pub real: Vec<Passage>,
    /// What the model or another program wrote.
    pub new: Vec<Passage>,
    /// From the train split, others than the real ones.
    pub ceiling: Vec<Passage>,
    /// Passages that nobody has learned from.
    pub fresh: Vec<Passage>,
    /// Of text tokens drawn one by one, each as often as in train; of music notes, likewise.
    pub floor: Vec<Passage>,
    /// Units of the train split, documents with boundaries between.
    pub train: Vec<u32>,
    /// Of texts: what the units are.
    pub words: Vocabulary,
    /// New passages a second.
    pub per_sec: f64,
    /// What the generator was trained on.
    pub trained_on: TrainedOn,
}

/// From tokens to units.
pub(super) struct Reader<'a> {
    codec: &'a Tokenizer,
    pub words: Vocabulary,
}

impl<'a> Reader<'a> {
    /// Without any words yet.
    pub fn new(codec: &'a Tokenizer) -> Self {
        Self { codec, words: Vocabulary::default() }
    }

    pub fn units(&mut self, tokens: &[u32]) -> Vec<u32> {
        match self.codec {
            Tokenizer::Text(codec) => self.words.number(&codec.decode(tokens)),
            Tokenizer::Music(_) => tokens.to_vec(),
        }
    }

    pub fn passage(&mut self, tokens: Vec<u32>, class: Option<u32>) -> Passage {
        let units = self.units(&tokens);
        let looks = match self.codec {
            Tokenizer::Text(_) => units.clone(),
            Tokenizer::Music(codec) => steps(&codec.decode(&tokens)),
        };
        Passage { units, looks, tokens, class }
    }
}

/// Makes new passages, of the classes of the real ones.
type Make<'f> = dyn FnMut(&[Passage], &mut Reader, &mut dyn FnMut(Event)) -> Result<Vec<Passage>, Error> + 'f;

impl<'a> Sets<'a> {
    /// Draws new passages from `model` and puts the others beside them.
    ///
    /// # Errors
    /// The model is not one of sequences, or too few passages are held out.
    pub fn gather(
        model: &Model,
        data: &'a SequenceSet,
        options: &Options,
        clock: &dyn Fn() -> Duration,
        on: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        let kind = Kind::of(data, model.sequences()?.model.config().cut());
        let mut rate = 0.0;
        let mut make = |real: &[Passage], reader: &mut Reader, on: &mut dyn FnMut(Event)| {
            let start = clock();
            let new = draw(model, real, kind, options.seed, reader, on)?;
            rate = new.len() as f64 / (clock() - start).as_secs_f64().max(1e-9);
            Ok(new)
        };
        let sets = Self::with(data, kind, options, &mut make, on)?;
        Ok(Self { per_sec: rate, ..sets })
    }

    /// Whether new passages are compared with those of the train split.
    pub fn of_long_works(&self) -> bool {
        !short_documents(self.data)
    }

    /// Beside passages that were made already, as windows of any length are cut.
    ///
    /// # Errors
    /// Too few passages are held out.
    pub fn of(
        data: &'a SequenceSet,
        new: Vec<Cut>,
        options: &Options,
        on: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        let kind = Kind::of(data, Chunking::Windows(1));
        let mut new = Some(new);
        let mut make = |_: &[Passage], reader: &mut Reader, _: &mut dyn FnMut(Event)| {
            let new = new.take().unwrap_or_default().into_iter();
            Ok(new.map(|(tokens, class)| reader.passage(tokens, class)).collect())
        };
        Self::with(data, kind, options, &mut make, on)
    }

    /// Beside documents that another program wrote, cut as those of the data are.
    ///
    /// # Errors
    /// Too few passages are new or held out.
    pub fn of_set(
        data: &'a SequenceSet,
        new: &SequenceSet,
        options: &Options,
        on: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        let most = options.n.unwrap_or(DEFAULT_N);
        let most = if short_documents(data) { most.min(data.splits().holdout.len()) } else { most };
        let all: Vec<u32> = (0..new.len() as u32).collect();
        let new = cut(new, &all, Kind::of(data, Chunking::Windows(1)), most.max(MIN_PASSAGES));
        if new.len() < MIN_PASSAGES {
            let message =
                format!("{} new passages are too few to judge; {MIN_PASSAGES} are the least", new.len());
            return Err(Error::request(message).with_hint("more or longer documents are needed"));
        }
        Self::of(data, new.clone(), &Options { n: Some(new.len()), ..options.clone() }, on)
    }

    /// All of them, the new ones as `make` makes them for the real ones.
    fn with(
        data: &'a SequenceSet,
        kind: Kind,
        options: &Options,
        make: &mut Make,
        on: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        let mut reader = Reader::new(data.codec());
        on(work("reading", 0, 1));
        let most = options.n.unwrap_or(DEFAULT_N);
        let fresh = passages(data, Split::Holdout, kind, most, &mut reader);
        if fresh.len() < MIN_PASSAGES {
            let message = format!("the holdout has {} passages, too few to judge a model by", fresh.len());
            return Err(Error::request(message).with_hint("more or longer documents are needed"));
        }
        let (real, ceiling) = match short_documents(data) {
            true => (fresh.clone(), passages(data, Split::Train, kind, fresh.len(), &mut reader)),
            false => {
                let both = passages(data, Split::Train, kind, 2 * most, &mut reader);
                let mut sides = (Vec::new(), Vec::new());
                for (at, passage) in both.into_iter().enumerate() {
                    if at % 2 == 0 { sides.0.push(passage) } else { sides.1.push(passage) }
                }
                sides
            }
        };
        let new = make(&real, &mut reader, on)?;
        let train = train_tokens(data);
        let floor = trivial(data, &train, [&real, &ceiling], options.seed, &mut reader);
        let mut units = vec![BOUNDARY];
        for document in &train {
            units.extend(reader.units(document));
            units.push(BOUNDARY);
        }
        let words = reader.words;
        let trained_on = options.trained_on;
        Ok(Self { data, real, new, ceiling, fresh, floor, train: units, words, per_sec: 0.0, trained_on })
    }
}

/// Passages like the real ones of what is most frequent in train, for which nothing had to be learned.
fn trivial(
    data: &SequenceSet,
    train: &[Vec<u32>],
    [real, trained]: [&[Passage]; 2],
    seed: u64,
    reader: &mut Reader,
) -> Vec<Passage> {
    let mut rng = Rng::new(seed, 7);
    if let Tokenizer::Music(codec) = data.codec() {
        let scores = |passages: &[Passage]| -> Vec<Score> {
            passages.iter().map(|passage| codec.decode(&passage.tokens)).collect()
        };
        let (trained, real) = (scores(trained), scores(real).into_iter().zip(real));
        let tune = |(like, passage): (Score, &Passage)| {
            reader.passage(codec.encode(&of_any_notes(&like, &trained, &mut rng)), passage.class)
        };
        return real.map(tune).collect();
    }
    let counts = KneserNey::fit(1, data.info().vocab, train.iter().map(Vec::as_slice));
    let text = |passage: &Passage| {
        let tokens = counts.sample(passage.tokens.len(), &mut || rng.uniform());
        reader.passage(tokens, passage.class)
    };
    real.iter().map(text).collect()
}

/// Tokens of a passage: about half a page of text, whatever a token is; of music whole tunes up to a length.
fn passage_length(data: &SequenceSet) -> usize {
    let info = data.info();
    match info.chars_per_token > 0.0 {
        true => ((1000.0 / info.chars_per_token) as usize).clamp(PASSAGE_TOKENS / 2, 4 * PASSAGE_TOKENS),
        false => 2 * PASSAGE_TOKENS,
    }
}

/// Whether documents are no longer than a few passages.
pub(super) fn short_documents(data: &SequenceSet) -> bool {
    let (info, length) = (data.info(), passage_length(data) as u64);
    !data.is_one() && info.train_tokens / (info.train_len as u64).max(1) <= 6 * length
}

/// What is a passage, and its tokens at most.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// The beginning of a document.
    Beginning(usize),
    /// So many tokens from anywhere but a beginning.
    Anywhere(usize),
    /// What a model of segments writes.
    Segment(usize),
}

impl Kind {
    pub fn of(data: &SequenceSet, cut: Chunking) -> Self {
        match cut {
            Chunking::Segments(longest) => Self::Segment(longest),
            Chunking::Windows(_) if short_documents(data) => Self::Beginning(passage_length(data)),
            Chunking::Windows(_) => Self::Anywhere(passage_length(data)),
        }
    }

    /// The same, of at most so many tokens.
    pub fn at_most(self, tokens: usize) -> Self {
        match self {
            Self::Beginning(length) => Self::Beginning(length.min(tokens)),
            Self::Anywhere(length) => Self::Anywhere(length.min(tokens)),
            // A model of segments writes none that are longer.
            Self::Segment(length) => Self::Segment(length),
        }
    }
}

/// All passages of a split that are like what a model writes that cuts so, in tokens.
pub(in crate::evaluate) fn passages_of(data: &SequenceSet, split: Split, cut: Chunking) -> Vec<Vec<u32>> {
    cut_split(data, split, Kind::of(data, cut), usize::MAX).into_iter().map(|(tokens, _)| tokens).collect()
}

/// At most `most` passages of a split, from all over it.
pub(super) fn passages(
    data: &SequenceSet,
    split: Split,
    kind: Kind,
    most: usize,
    reader: &mut Reader,
) -> Vec<Passage> {
    let all = cut_split(data, split, kind, most);
    all.into_iter().map(|(tokens, class)| reader.passage(tokens, class)).collect()
}

fn cut_split(data: &SequenceSet, split: Split, kind: Kind, most: usize) -> Vec<Cut> {
    match kind {
        Kind::Segment(longest) => segments(data, split, longest, most),
        _ => cut(data, data.splits().get(split), kind, most),
    }
}

fn segments(data: &SequenceSet, split: Split, longest: usize, most: usize) -> Vec<Cut> {
    let chunking = Chunking::Segments(longest);
    let items: Vec<u32> = data.items(split, chunking).collect();
    let segment = |item| {
        let (mut tokens, class) = data.item(item, chunking);
        tokens.retain(|&token| token != BOUNDARY);
        (tokens, class)
    };
    evenly(&items, most).into_iter().map(segment).collect()
}

/// The tokens of a passage, and its class.
type Cut = (Vec<u32>, Option<u32>);

/// At most `most` passages of documents, from all over them; of their beginnings, or from anywhere.
fn cut(data: &SequenceSet, documents: &[u32], kind: Kind, most: usize) -> Vec<Cut> {
    let length = match kind {
        Kind::Beginning(length) => {
            let beginning =
                |document| (data.beginning(document, 1 + length).split_off(1), data.class(document));
            return evenly(documents, most).into_iter().map(beginning).collect();
        }
        Kind::Anywhere(length) | Kind::Segment(length) => length,
    };
    let mut all = Vec::new();
    for &document in documents {
        let tokens = data.document(document).split_off(1);
        // The beginning of a document is no passage from anywhere.
        let from = if tokens.len() > 2 * length { length } else { 0 };
        let whole = tokens[from..].chunks_exact(length.min((tokens.len() - from).max(1)));
        all.extend(whole.map(|passage| (passage.to_vec(), data.class(document))));
    }
    let places: Vec<u32> = (0..all.len() as u32).collect();
    evenly(&places, most).into_iter().map(|at| all[at as usize].clone()).collect()
}

/// As many new passages of each class as there are real ones.
pub(super) fn draw(
    model: &Model,
    real: &[Passage],
    kind: Kind,
    seed: u64,
    reader: &mut Reader,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<Passage>, Error> {
    let parts = model.sequences()?;
    let (length, each) = match kind {
        Kind::Beginning(length) | Kind::Segment(length) => (length, 1),
        Kind::Anywhere(length) => (length, PASSAGES_PER_SAMPLE),
    };
    let whole = each == 1;
    let mut classes: Vec<Option<u32>> = real.iter().map(|passage| passage.class).collect();
    classes.sort_unstable();
    classes.dedup();
    let (mut new, mut stream) = (Vec::with_capacity(real.len()), 0);
    for class in classes {
        let mut left = real.iter().filter(|passage| passage.class == class).count();
        while left > 0 {
            let draw = SequenceSampleParams {
                n: SAMPLE_CHUNK.min(left.div_ceil(each)),
                class,
                endless: !whole,
                choice: SamplingParams::default(),
                ..SequenceSampleParams::new(0, if whole { length } else { (1 + each) * length })
            };
            stream += 1;
            let mut rng = Rng::new(seed, stream);
            let drawn = parts.model.sample((&draw, &mut |_, _, _| {}, &mut |_, _| true), &mut rng);
            for tokens in drawn {
                let tokens = if whole { tokens } else { tokens[length.min(tokens.len())..].to_vec() };
                for passage in tokens.chunks(length).take(each.min(left)) {
                    let passage = passage.iter().copied().filter(|&token| token != BOUNDARY).collect();
                    new.push(reader.passage(passage, class));
                    left -= 1;
                }
                if tokens.is_empty() && left > 0 {
                    new.push(reader.passage(Vec::new(), class));
                    left -= 1;
                }
            }
            on(work("writing new ones", new.len(), real.len()));
        }
    }
    Ok(new)
}

/// The documents of the train split without their boundaries; evenly chosen ones where they are too many.
fn train_tokens(data: &SequenceSet) -> Vec<Vec<u32>> {
    let documents = &data.splits().train;
    let share = (MAX_TRAIN_TOKENS as f64 / data.info().train_tokens.max(1) as f64).min(1.0);
    let chosen = evenly(documents, ((documents.len() as f64 * share) as usize).max(1));
    chosen
        .into_iter()
        .map(|document| {
            let mut tokens = data.document(document).split_off(1);
            tokens.truncate(MAX_TRAIN_TOKENS);
            tokens
        })
        .collect()
}

/// The score of a passage of music.
pub fn score_of(codec: &Tokenizer, passage: &Passage) -> Option<Score> {
    Some(codec.music()?.decode(&passage.tokens))
}

/// What was found, for the page.
pub(super) struct Found {
    /// Of each new passage how real it looks.
    pub realness: Vec<f32>,
    /// None where nobody knows what could be copied.
    pub copied: Option<Vec<Copied>>,
}

/// What passages are measured in.
pub(super) fn unit(data: &SequenceSet) -> &'static str {
    match data.info().modality {
        Modality::Text => "words",
        Modality::Music => "tokens",
    }
}
