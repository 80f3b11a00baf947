//! What can be asked of a model of texts or of music: new documents, the continuation of given ones, within limits.

use mintage_data::{
    MusicCodec, TextCodec,
    sequence::{BOUNDARY, SequenceCodec, SequenceInfo},
    text::TextDecoder,
};
use mintage_nn::Rng;

use super::shape::Shape;
use crate::{
    dataset::AnyCodec,
    error::Error,
    model::Model,
    models::{AnyModel, Choice, DataInfo, SequenceDraw, SequenceModel},
    recipe::nearest,
};

/// Documents drawn at a time: each part has a stream of random numbers of its own, so that the first documents do not
/// depend on how many are asked for.
const PART: usize = 32;
/// Characters of a text that nothing else ends: a page and a half.
const DEFAULT_CHARS: usize = 2_000;
/// Tokens that a character takes at most: an escape and its digits, or the bytes of one.
const TOKENS_A_CHAR: usize = 8;

/// What to draw from a model of texts or of music.
#[derive(Clone, Debug)]
pub struct SequenceRequest {
    pub n: usize,
    /// A class by name; without one documents of no class in particular.
    pub label: Option<String>,
    /// What every text begins with.
    pub prompt: String,
    /// Most characters of a text behind its prompt.
    pub length: Option<usize>,
    /// Whether a text goes on to its full length, with one document behind the other.
    pub endless: bool,
    /// A text ends before the first of these.
    pub stop: Vec<String>,
    /// What the text behind the prompt has to be like.
    pub shape: Option<Shape>,
    pub choice: Choice,
    pub seed: u64,
}

impl Default for SequenceRequest {
    fn default() -> Self {
        Self {
            n: 1,
            label: None,
            prompt: String::new(),
            length: None,
            endless: false,
            stop: Vec::new(),
            shape: None,
            choice: Choice::default(),
            seed: 1,
        }
    }
}

/// The parts of a model of sequences.
pub struct SequenceParts<'a> {
    pub model: &'a SequenceModel,
    pub info: &'a SequenceInfo,
    pub codec: &'a SequenceCodec,
}

impl SequenceParts<'_> {
    /// The class called `label`.
    pub(super) fn class(&self, label: Option<&str>) -> Result<Option<u32>, Error> {
        let Some(label) = label else { return Ok(None) };
        let classes = &self.info.classes;
        match classes.iter().position(|class| class == label) {
            Some(class) => Ok(Some(class as u32)),
            None if classes.is_empty() => Err(Error::request("the model was trained without labels")),
            None => {
                let known = match nearest(label, classes.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it knows {}", classes.join(", ")),
                };
                Err(Error::request(format!("the model knows no class `{label}`")).with_hint(known))
            }
        }
    }
}

impl Model {
    /// The parts of a model of texts or of music; an error for one that makes something else.
    pub fn sequences(&self) -> Result<SequenceParts<'_>, Error> {
        match (&self.any, &self.config.info, &self.codec) {
            (AnyModel::Sequence(model), DataInfo::Sequence(info), AnyCodec::Sequence(codec, _)) => {
                Ok(SequenceParts { model, info, codec })
            }
            _ => Err(Error::request(format!("{} makes {}s", self.name(), self.config.info.item()))),
        }
    }

    /// The parts of a model of texts, and its codec of texts.
    pub fn texts(&self) -> Result<(SequenceParts<'_>, &TextCodec), Error> {
        let parts = self.sequences()?;
        match parts.codec {
            SequenceCodec::Text(codec) => Ok((parts, codec)),
            SequenceCodec::Music(_) => Err(Error::request(format!("{} makes tunes, not texts", self.name()))),
        }
    }

    /// The parts of a model of music, and its codec of music.
    pub fn music(&self) -> Result<(SequenceParts<'_>, &MusicCodec), Error> {
        let parts = self.sequences()?;
        match parts.codec {
            SequenceCodec::Music(codec) => Ok((parts, codec)),
            SequenceCodec::Text(_) => Err(Error::request(format!("{} makes texts, not tunes", self.name()))),
        }
    }

    /// Draws texts, without their prompt. The same request gives the same texts. `on` hears of every text as it comes:
    /// which one, and what is new of it.
    pub fn sample_texts(
        &self,
        request: &SequenceRequest,
        on: &mut dyn FnMut(usize, &str),
    ) -> Result<Vec<String>, Error> {
        let (parts, codec) = self.texts()?;
        let class = parts.class(request.label.as_deref())?;
        let chars = request.length.unwrap_or(DEFAULT_CHARS);
        let mut prompt = vec![BOUNDARY];
        prompt.extend(codec.encode(&request.prompt));
        let mut texts = Vec::with_capacity(request.n);
        for (part, first) in (0..request.n).step_by(PART).enumerate() {
            let draw = SequenceDraw {
                n: PART.min(request.n - first),
                prompt: &prompt,
                class,
                length: chars.saturating_mul(TOKENS_A_CHAR),
                endless: request.endless,
                choice: request.choice,
            };
            let mut rows: Vec<Growing> = (0..draw.n).map(|_| Growing::new(codec, request, chars)).collect();
            let mut limit = |_: usize, tokens: &[u32], logits: &mut [f32]| {
                if let Some(shape) = &request.shape {
                    shape.limit(codec, tokens, logits);
                }
            };
            let mut hear = |row: usize, token: u32| {
                let goes_on = rows[row].push(token);
                rows[row].tell(&mut |text| on(first + row, text));
                goes_on
            };
            let mut rng = Rng::new(request.seed, part as u64 + 1);
            parts.model.sample(&draw, &mut limit, &mut hear, &mut rng);
            for (row, growing) in rows.into_iter().enumerate() {
                texts.push(growing.finish(&mut |text| on(first + row, text)));
            }
        }
        match &request.shape {
            Some(shape) if !texts.iter().any(|text| shape.matches(text)) => {
                let hint =
                    "a longer --length may help; and a model can only write what its texts are written in";
                Err(Error::request("no text came to a match before it was at its end").with_hint(hint))
            }
            _ => Ok(texts),
        }
    }
}

/// A text on its way.
struct Growing<'a> {
    decoder: TextDecoder<'a>,
    text: String,
    /// Bytes of it that were told already.
    told: usize,
    chars: usize,
    most: usize,
    stop: &'a [String],
    stopped: bool,
}

impl<'a> Growing<'a> {
    fn new(codec: &'a TextCodec, request: &'a SequenceRequest, most: usize) -> Self {
        let decoder = codec.decoder();
        Self { decoder, text: String::new(), told: 0, chars: 0, most, stop: &request.stop, stopped: false }
    }

    /// Takes a token; whether the text goes on.
    fn push(&mut self, token: u32) -> bool {
        let new = match token {
            BOUNDARY => Some("\n\n".to_owned()),
            _ => self.decoder.push(token),
        };
        let Some(new) = new else { return true };
        let room = self.most - self.chars;
        let end = new.char_indices().nth(room).map_or(new.len(), |(at, _)| at);
        self.chars += new[..end].chars().count();
        self.text.push_str(&new[..end]);
        // A stop may have begun in what came before.
        let stop = self.stop.iter().filter_map(|stop| self.text.find(stop.as_str())).min();
        if let Some(at) = stop {
            self.text.truncate(at);
            self.stopped = true;
        }
        !self.stopped && self.chars < self.most
    }

    /// Tells what is certain to stay: not what may be the beginning of a stop.
    fn tell(&mut self, on: &mut dyn FnMut(&str)) {
        let longest = self.stop.iter().map(String::len).max().unwrap_or(0);
        let mut sure = match self.stopped {
            true => self.text.len(),
            false => self.text.len().saturating_sub(longest.saturating_sub(1)),
        };
        while !self.text.is_char_boundary(sure) {
            sure -= 1;
        }
        if sure > self.told {
            on(&self.text[self.told..sure]);
            self.told = sure;
        }
    }

    fn finish(mut self, on: &mut dyn FnMut(&str)) -> String {
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
