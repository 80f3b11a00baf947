//! What can be asked of a model of texts or of music: new documents, the continuation of given ones, within limits.

use mintage_data::{
    MusicTokenizer, TextTokenizer,
    sequence::{BOUNDARY, SequenceInfo, Tokenizer},
    text::TextDecoder,
};

use super::{
    Chunks, Limits, check_blend,
    shape::{Shape, ShapeLimit},
    token_healing::TokenHealing,
};
use crate::{
    dataset::AnyTransform,
    error::Error,
    model::Model,
    models::{
        AnyModel, Conditioning, DataInfo, Family, GUIDANCE, GenerativeModel, SamplingParams, SequenceModel,
        SequenceSampleParams,
    },
    recipe::nearest,
};

/// Documents drawn at a time: each part has a stream of random numbers of its own, so that the first documents do not
/// depend on how many are asked for.
pub(super) const SAMPLE_CHUNK: usize = 32;
/// Characters of a text that nothing else ends: a page and a half.
const DEFAULT_CHARS: usize = 2_000;
/// Tokens that a character takes at most: an escape and its digits, or the bytes of one.
const TOKENS_A_CHAR: usize = 8;
/// Bytes of a character in UTF-8 at most.
const MAX_CHAR_BYTES: usize = 4;
/// What a text takes beside its characters.
const BYTES_A_TEXT: usize = 64;

/// What to draw from a model of texts or of music.
#[derive(Clone, Debug)]
pub struct TextRequest {
    /// How many items to draw.
    pub n: usize,
    /// A class by name; without one documents of no class in particular.
    pub label: Option<String>,
    /// Weight of guidance towards the class; 1 is none, without it the model's default.
    pub guidance: Option<f32>,
    /// What every text begins with.
    pub prompt: String,
    /// A text to vary, or two to interpolate between.
    pub conditioning: Conditioning<String>,
    /// Most characters of a text behind its prompt.
    pub length: Option<usize>,
    /// Whether a text goes on to its full length, with one document behind the other.
    pub endless: bool,
    /// A text ends before the first of these.
    pub stop: Vec<String>,
    /// What the text behind the prompt has to be like.
    pub shape: Option<Shape>,
    /// How codes or tokens are chosen among the probable ones.
    pub choice: SamplingParams,
    /// Seed of every random choice.
    pub seed: u64,
}

impl Default for TextRequest {
    fn default() -> Self {
        Self {
            n: 1,
            label: None,
            guidance: None,
            prompt: String::new(),
            conditioning: Conditioning::None,
            length: None,
            endless: false,
            stop: Vec::new(),
            shape: None,
            choice: SamplingParams::default(),
            seed: 1,
        }
    }
}

/// The parts of a model of sequences.
pub struct SequenceParts<'a> {
    /// The network.
    pub model: &'a SequenceModel,
    /// What it knows of its data.
    pub info: &'a SequenceInfo,
    /// How items become what the network sees, and back.
    pub codec: &'a Tokenizer,
}

impl SequenceParts<'_> {
    /// The class called `label`.
    pub(super) fn class(&self, label: Option<&str>) -> Result<Option<u32>, Error> {
        let Some(label) = label else { return Ok(None) };
        let classes = &self.info.classes;
        match classes.iter().position(|class| class == label) {
            Some(class) => Ok(Some(class as u32)),
            None if classes.is_empty() => {
                Err(Error::request("the model was trained without labels").in_field("where"))
            }
            None => {
                let known = match nearest(label, classes.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it knows {}", classes.join(", ")),
                };
                Err(Error::request(format!("the model knows no class `{label}`"))
                    .with_hint(known)
                    .in_field("where"))
            }
        }
    }
}

/// The same in tokens, boundary first.
pub(super) fn encoded<T>(
    conditioning: &Conditioning<T>,
    encode: impl Fn(&T) -> Vec<u32>,
) -> Conditioning<Vec<u32>> {
    conditioning.map(|document| [vec![BOUNDARY], encode(document), vec![BOUNDARY]].concat())
}

/// Checks that a model can make `n` documents under this conditioning.
///
/// # Errors
///
/// The model makes something else, has no encoder, knows no way between two documents, or that way has fewer than two
/// steps.
pub fn check_conditioning<T>(conditioning: &Conditioning<T>, model: &Model, n: usize) -> Result<(), Error> {
    if matches!(conditioning, Conditioning::Interpolate { .. }) && n < 2 {
        return Err(Error::field(
            "n",
            "must be 2 or more: the way from one item to another has two steps at least",
        ));
    }
    if model.sequences()?.model.supports(&conditioning.map(|_| ())) {
        return check_blend(conditioning, n);
    }
    let field = match conditioning {
        Conditioning::Interpolate { .. } => "between",
        Conditioning::Blend { .. } => "blend",
        Conditioning::Continue { .. } => "continue",
        Conditioning::None | Conditioning::Vary { .. } => "like",
    };
    Err(match (conditioning, model.config.model.family()) {
        (Conditioning::Interpolate { .. } | Conditioning::Blend { .. }, Family::Vqvae) => {
            Error::field(field, "cannot be met: there is nothing between the codes of a vqvae")
                .with_hint("it can vary one text or tune; a vae knows ways between two")
        }
        (_, family) => {
            let family = family.name();
            Error::field(field, format!("cannot be met: {family} has no encoder"))
                .with_hint("train a vae or a vqvae; this one can continue a text or a tune")
        }
    })
}

/// The shares of the way between two documents at which the rows from `first` on of `n` begin and end.
pub(super) fn shares(first: usize, n: usize) -> (f32, f32) {
    let share = |row: usize| row as f32 / (n.max(2) - 1) as f32;
    (share(first), share((first + SAMPLE_CHUNK).min(n) - 1))
}

impl Model {
    /// The parts of a model of texts or of music.
    ///
    /// # Errors
    ///
    /// The model makes something else.
    pub fn sequences(&self) -> Result<SequenceParts<'_>, Error> {
        match (&self.any, &self.config.info, &self.codec) {
            (AnyModel::Sequence(model), DataInfo::Sequence(info), AnyTransform::Sequence(codec, _)) => {
                Ok(SequenceParts { model, info, codec })
            }
            _ => Err(Error::request(format!("{} makes {}s", self.name(), self.config.info.item()))),
        }
    }

    /// The parts of a model of texts, and its tokenizer.
    ///
    /// # Errors
    ///
    /// The model makes something else.
    pub fn texts(&self) -> Result<(SequenceParts<'_>, &TextTokenizer), Error> {
        let parts = self.sequences()?;
        match parts.codec {
            Tokenizer::Text(codec) => Ok((parts, codec)),
            Tokenizer::Music(_) => Err(Error::request(format!("{} makes tunes, not texts", self.name()))),
        }
    }

    /// The parts of a model of music, and its tokenizer.
    ///
    /// # Errors
    ///
    /// The model makes something else.
    pub fn music(&self) -> Result<(SequenceParts<'_>, &MusicTokenizer), Error> {
        let parts = self.sequences()?;
        match parts.codec {
            Tokenizer::Music(codec) => Ok((parts, codec)),
            Tokenizer::Text(_) => Err(Error::request(format!("{} makes texts, not tunes", self.name()))),
        }
    }

    /// Draws texts, without their prompt. The same request gives the same texts. `on` hears of every text as it comes:
    /// which one, and what is new of it; a text ends where it says no. With a shape, those that did not come to
    /// one are left out.
    ///
    /// # Errors
    ///
    /// The model makes something else, cannot make what is asked for, or no text came to the shape.
    pub fn sample_texts(
        &self,
        request: &TextRequest,
        on: &mut dyn FnMut(usize, &str) -> bool,
    ) -> Result<Vec<String>, Error> {
        let mut chunks = self.text_chunks(request.clone(), &Limits::default())?;
        let mut texts = Vec::new();
        while let Some(chunk) = chunks.next_chunk(on)? {
            texts.extend(chunk);
        }
        Ok(texts)
    }

    /// The texts of [`sample_texts`](Self::sample_texts), a chunk at a time.
    pub(crate) fn text_chunks(&self, request: TextRequest, limits: &Limits) -> Result<TextChunks<'_>, Error> {
        let (parts, codec) = self.texts()?;
        let class = parts.class(request.label.as_deref())?;
        let chars = request.length.unwrap_or(DEFAULT_CHARS);
        let bytes = chars.saturating_mul(MAX_CHAR_BYTES).saturating_add(BYTES_A_TEXT);
        limits.check_items(request.n, bytes.saturating_add(request.prompt.len()), "texts")?;
        let mut prompt = vec![BOUNDARY];
        prompt.extend(codec.encode(&request.prompt));
        // A shape is that of all that is new.
        let healing = match request.shape {
            Some(_) => TokenHealing::default(),
            None => TokenHealing::of(codec, &mut prompt),
        };
        let conditioning = encoded(&request.conditioning, |text| codec.encode(text));
        check_conditioning(&conditioning, self, request.n)?;
        // A shape or a prompt may ask for such characters.
        let asked = request.shape.is_some() || !codec.unknown_chars(&request.prompt).is_empty();
        let escape = codec.escape().filter(|_| !asked);
        let chunks = Chunks::new(request.n, SAMPLE_CHUNK, request.seed);
        let model = parts.model;
        Ok(TextChunks {
            model,
            codec,
            class,
            chars,
            prompt,
            healing,
            conditioning,
            escape,
            request,
            chunks,
            kept: 0,
        })
    }
}

/// Texts as they are drawn.
pub(crate) struct TextChunks<'a> {
    model: &'a SequenceModel,
    codec: &'a TextTokenizer,
    class: Option<u32>,
    /// Most characters of a text behind its prompt.
    chars: usize,
    /// The prompt's tokens, boundary first.
    prompt: Vec<u32>,
    healing: TokenHealing,
    conditioning: Conditioning<Vec<u32>>,
    /// The token that writes a rare character, where nobody asks for one.
    escape: Option<u32>,
    request: TextRequest,
    chunks: Chunks,
    /// Texts so far.
    kept: usize,
}

impl TextChunks<'_> {
    /// The next texts, without their prompt; `None` after the last.
    pub(crate) fn next_chunk(
        &mut self,
        on: &mut dyn FnMut(usize, &str) -> bool,
    ) -> Result<Option<Vec<String>>, Error> {
        let Some((items, mut rng)) = self.chunks.next(&self.conditioning) else {
            return if self.kept == 0 && self.request.shape.is_some() { Err(no_match()) } else { Ok(None) };
        };
        let (codec, request, first) = (self.codec, &self.request, items.start);
        let draw = SequenceSampleParams {
            n: items.len(),
            prompt: &self.prompt,
            class: self.class,
            conditioning: self.conditioning.map(Vec::as_slice),
            shares: shares(first, request.n),
            length: self.chars.saturating_mul(TOKENS_A_CHAR),
            endless: request.endless,
            guidance: request.guidance.unwrap_or(GUIDANCE),
            choice: request.choice,
        };
        let mut rows: Vec<Growing> =
            items.clone().map(|_| Growing::new(codec, request, self.chars, &self.healing)).collect();
        let mut shape = request.shape.as_ref().map(|shape| ShapeLimit::new(shape, codec));
        let mut limit = |row: usize, tokens: &[u32], logits: &mut [f32]| {
            self.limit(tokens, logits);
            if let Some(shape) = &mut shape {
                shape.apply(row, tokens, logits);
            }
        };
        let mut decode = |row: usize, token: u32| {
            let goes_on = rows[row].push(token);
            rows[row].tell(&mut |text| on(first + row, text)) && goes_on
        };
        self.model.sample((&draw, &mut limit, &mut decode), &mut rng);
        let rows = rows.into_iter().enumerate();
        let mut texts: Vec<String> =
            rows.map(|(row, growing)| growing.finish(&mut |text| on(first + row, text))).collect();
        // What is not of the shape is no text that was asked for.
        texts.retain(|text| request.shape.as_ref().is_none_or(|shape| shape.matches(text)));
        self.kept += texts.len();
        Ok(Some(texts))
    }

    /// Takes away the tokens that may not come after `tokens`.
    fn limit(&self, tokens: &[u32], logits: &mut [f32]) {
        // Of characters as rare as that nothing was learned but that there are some: any would come.
        if let Some(escape) = self.escape {
            logits[escape as usize] = f32::NEG_INFINITY;
        }
        // Nothing at all is no text.
        if tokens.is_empty() && self.request.prompt.is_empty() && self.request.shape.is_none() {
            logits[BOUNDARY as usize] = f32::NEG_INFINITY;
        }
        self.healing.limit(self.codec, tokens, logits);
    }
}

fn no_match() -> Error {
    Error::request("no text came to a match before it was at its end")
        .with_hint("a longer text may help; and a model can only write what its texts are written in")
}

/// A text that is being written.
struct Growing<'a> {
    decoder: TextDecoder<'a>,
    /// Bytes to come that are the prompt's.
    skipped: usize,
    text: String,
    /// Bytes of it that were told already.
    told: usize,
    chars: usize,
    most: usize,
    stop: &'a [String],
    /// Bytes of the longest stop.
    longest_stop: usize,
    stopped: bool,
}

impl<'a> Growing<'a> {
    fn new(codec: &'a TextTokenizer, request: &'a TextRequest, most: usize, healing: &TokenHealing) -> Self {
        let (decoder, skipped, stop) = (codec.decoder(), healing.bytes(), request.stop.as_slice());
        let longest_stop = stop.iter().map(String::len).max().unwrap_or(0);
        let text = String::new();
        Self { decoder, skipped, text, told: 0, chars: 0, most, stop, longest_stop, stopped: false }
    }

    /// Takes a token; whether the text goes on.
    fn push(&mut self, token: u32) -> bool {
        let new = match token {
            BOUNDARY => Some("\n\n".to_owned()),
            _ => self.decoder.push(token),
        };
        let Some(new) = new else { return true };
        let prompt = new.floor_char_boundary(self.skipped);
        self.skipped -= prompt;
        let new = &new[prompt..];
        let room = self.most - self.chars;
        let end = new.char_indices().nth(room).map_or(new.len(), |(at, _)| at);
        self.chars += new[..end].chars().count();
        // A stop may have begun in what came before, but not have ended in it.
        let from = self.text.floor_char_boundary(self.text.len().saturating_sub(self.longest_stop));
        self.text.push_str(&new[..end]);
        let stop = self.stop.iter().filter_map(|stop| self.text[from..].find(stop.as_str())).min();
        if let Some(at) = stop {
            self.text.truncate(from + at);
            self.stopped = true;
        }
        !self.stopped && self.chars < self.most
    }

    /// Tells what is certain to stay: not what may be the beginning of a stop. Whether more is wanted.
    fn tell(&mut self, on: &mut dyn FnMut(&str) -> bool) -> bool {
        let mut sure = match self.stopped {
            true => self.text.len(),
            false => self.text.len().saturating_sub(self.longest_stop.saturating_sub(1)),
        };
        while !self.text.is_char_boundary(sure) {
            sure -= 1;
        }
        if sure <= self.told {
            return true;
        }
        let heard = on(&self.text[self.told..sure]);
        self.told = sure;
        heard
    }

    fn finish(mut self, on: &mut dyn FnMut(&str) -> bool) -> String {
        if !self.stopped
            && self.chars < self.most
            && let Some(rest) = self.decoder.finish()
        {
            self.text.push_str(&rest);
        }
        if self.text.len() > self.told {
            on(&self.text[self.told..]);
        }
        self.text
    }
}
