//! What gives one text or tune away: a linear detector of n-grams, as the report's, says what each of its tokens adds.
//!
//! Texts are seen as words and as letters, since words that nobody ever wrote tell nothing by themselves; tunes as tokens and
//! as [`steps`](super::steps), whatever their key.

use mintage_data::{
    Score, SequenceSet, Split,
    sequence::{BOUNDARY, Chunking, Tokenizer},
};

use super::{
    super::{
        explain::{BarWeight, Explanation, Scale, Span, cross_fit, enough, listed},
        real::other_kind,
        work,
    },
    classifier::{Classifier, Features},
    sets::{Kind, Passage, Reader, draw, passages, short_documents},
    steps::placed_steps,
    vocabulary::{Vocabulary, spans},
};
use crate::{error::Error, events::Event, model::Model};

/// Tokens of a passage that is learned from.
const MAX_PASSAGE_TOKENS: usize = 256;
/// First number of letters; words and tokens lie below.
const LETTERS: u32 = 1 << 31;
/// First number of steps of tunes; tokens lie below.
const STEPS: u32 = 1 << 30;

/// Linear classifiers that tell new passages from real ones.
pub(in crate::evaluate) struct PassageDetector {
    codec: Tokenizer,
    words: Vocabulary,
    classifiers: Vec<Classifier>,
}

impl PassageDetector {
    /// Draws passages from a model and learns to tell them from real ones. `seeds`: of learning and of drawing.
    pub fn of_model(
        model: &Model,
        data: &SequenceSet,
        chunking: Chunking,
        n: usize,
        (seed, drawn): (u64, u64),
        on: &mut dyn FnMut(Event),
    ) -> Result<(Self, Scale), Error> {
        let kind = Kind::of(data, chunking).at_most(MAX_PASSAGE_TOKENS);
        let mut reader = Reader::new(data.codec());
        let real = real_passages(data, kind, n, &mut reader);
        enough(real.len(), real.len())?;
        let new = draw(model, &real, kind, drawn, &mut reader, on)?;
        Self::learn(data, reader, &real, &new, seed, on)
    }

    /// Learns to tell passages of any generator, as tokens of the data with their classes, from real ones.
    pub fn new(
        data: &SequenceSet,
        new: Vec<(Vec<u32>, Option<u32>)>,
        seed: u64,
        on: &mut dyn FnMut(Event),
    ) -> Result<(Self, Scale), Error> {
        let longest = new.iter().map(|(tokens, _)| tokens.len()).max().unwrap_or(0);
        let kind = Kind::of(data, Chunking::Windows(1)).at_most(longest.max(1));
        let mut reader = Reader::new(data.codec());
        let real = real_passages(data, kind, new.len(), &mut reader);
        enough(real.len(), new.len())?;
        let new: Vec<Passage> =
            new.into_iter().map(|(tokens, class)| reader.passage(tokens, class)).collect();
        Self::learn(data, reader, &real, &new, seed, on)
    }

    fn learn(
        data: &SequenceSet,
        reader: Reader,
        real: &[Passage],
        new: &[Passage],
        seed: u64,
        on: &mut dyn FnMut(Event),
    ) -> Result<(Self, Scale), Error> {
        let codec = data.codec();
        let features: Vec<Features> =
            real.iter().chain(new).map(|passage| parts_of_passage(codec, passage).features()).collect();
        let (classifiers, scale) = cross_fit(
            real.len(),
            new.len(),
            seed,
            |fold, learned| {
                on(work("training the detector", fold, 2));
                let items: Vec<(&Features, u32)> =
                    learned.iter().map(|&i| (&features[i], u32::from(i < real.len()))).collect();
                Classifier::fit(&items, 2, seed.wrapping_add(fold as u64))
            },
            |classifier, judged| judged.iter().map(|&i| classifier.log_odds(&features[i])).collect(),
        );
        on(work("training the detector", 2, 2));
        Ok((Self { codec: codec.clone(), words: reader.words, classifiers }, scale))
    }

    /// The log odds of being real of a text, and what each of its words takes from them.
    pub fn explain_text(&self, text: &str) -> Result<(f64, Explanation), Error> {
        let words = spans(text);
        if words.is_empty() {
            return Err(Error::request("there are no words in this text"));
        }
        let parts = Parts(vec![self.words.find(text), letters(text)]);
        let added = self.contributions(&parts);
        // White space belongs to the word before it.
        let starts: Vec<usize> = words.iter().map(|&(start, _)| start).collect();
        let mut taken: Vec<f64> = added[0].iter().map(|added| -added).collect();
        for ((at, _), added) in text.char_indices().zip(&added[1]) {
            taken[starts.partition_point(|&start| start <= at).saturating_sub(1)] -= added;
        }
        let mut places = text.char_indices().map(|(at, _)| at).chain([text.len()]).enumerate();
        let mut place = |byte: usize| places.find(|&(_, at)| at == byte).map_or(0, |(place, _)| place);
        let mut found = Vec::with_capacity(words.len());
        let mut before = (0, 0);
        for (&(start, end), weight) in words.iter().zip(taken) {
            let first = if start == before.0 { before.1 } else { place(start) };
            let last = place(end);
            before = (end, last);
            found.push(Span { start: first, end: last, weight, text: text[start..end].to_owned() });
        }
        let spans = listed(found, |span| &mut span.weight);
        Ok((self.log_odds(&parts), Explanation { spans, ..Explanation::default() }))
    }

    /// The log odds of being real of a tune, and what each of its bars takes from them.
    pub fn explain_tune(&self, tune: &Score) -> Result<(f64, Explanation), Error> {
        let Tokenizer::Music(codec) = &self.codec else { return Err(other_kind()) };
        // As the model sees it.
        let tokens = codec.encode(tune);
        let tune = codec.decode(&tokens);
        let bars: Vec<u32> = tune.bars().map(|bar| bar.start).collect();
        if bars.is_empty() {
            return Err(Error::request("there are no notes in this tune"));
        }
        let steps = placed_steps(&tune);
        let parts = Parts(vec![tokens.clone(), steps.iter().map(|&(_, step)| numbered(step)).collect()]);
        let added = self.contributions(&parts);
        let mut taken = vec![0.0; bars.len()];
        let last = bars.len() - 1;
        let per_bar = tune.metres().first().and_then(|change| codec.tokens_per_bar(change.metre));
        let mut bar = 0;
        for (place, (&token, added)) in tokens.iter().zip(&added[0]).enumerate() {
            match per_bar {
                Some(each) => bar = place / each.max(1),
                // The first line stands before the first bar.
                None if codec.is_bar(token) && place > 0 => bar += 1,
                None => {}
            }
            taken[bar.min(last)] -= added;
        }
        for (&(tick, step), added) in steps.iter().zip(&added[1]) {
            if step != BOUNDARY {
                taken[bars.partition_point(|&start| start <= tick).saturating_sub(1)] -= added;
            }
        }
        let weighed = taken.into_iter().enumerate().map(|(bar, weight)| BarWeight { bar, weight });
        let bars = listed(weighed.collect(), |bar| &mut bar.weight);
        Ok((self.log_odds(&parts), Explanation { bars, ..Explanation::default() }))
    }

    fn log_odds(&self, parts: &Parts) -> f64 {
        let features = parts.features();
        let all = self.classifiers.iter().map(|classifier| classifier.log_odds(&features));
        all.sum::<f64>() / self.classifiers.len() as f64
    }

    /// What each token of each part adds to the log odds, the mean of what the classifiers say.
    fn contributions(&self, parts: &Parts) -> Vec<Vec<f64>> {
        let slices: Vec<&[u32]> = parts.0.iter().map(Vec::as_slice).collect();
        let mut sums: Vec<Vec<f64>> = slices.iter().map(|part| vec![0.0; part.len()]).collect();
        for classifier in &self.classifiers {
            for (sums, added) in sums.iter_mut().zip(classifier.contributions(&slices)) {
                sums.iter_mut().zip(added).for_each(|(sum, x)| *sum += x / self.classifiers.len() as f64);
            }
        }
        sums
    }
}

/// What a passage is seen as.
struct Parts(Vec<Vec<u32>>);

impl Parts {
    fn features(&self) -> Features {
        Features::of_parts(&self.0.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}

fn parts_of_passage(codec: &Tokenizer, passage: &Passage) -> Parts {
    let other = match codec {
        Tokenizer::Text(codec) => letters(&codec.decode(&passage.tokens)),
        Tokenizer::Music(_) => passage.looks.iter().map(|&step| numbered(step)).collect(),
    };
    Parts(vec![passage.units.clone(), other])
}

fn letters(text: &str) -> Vec<u32> {
    text.chars().map(|letter| LETTERS + letter as u32).collect()
}

fn numbered(step: u32) -> u32 {
    STEPS + step
}

/// About `n` real passages: held-out ones first, where works are not so long that each is known by its names.
fn real_passages(data: &SequenceSet, kind: Kind, n: usize, reader: &mut Reader) -> Vec<Passage> {
    let splits: &[Split] = match short_documents(data) {
        true => &[Split::Holdout, Split::Valid, Split::Train],
        false => &[Split::Train],
    };
    let mut all = Vec::new();
    for &split in splits {
        let left = n.saturating_sub(all.len());
        if left > 0 {
            all.extend(passages(data, split, kind, left, reader));
        }
    }
    all.retain(|passage: &Passage| !passage.tokens.is_empty());
    all
}
