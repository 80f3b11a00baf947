//! A language of codes: a transformer that writes the codes of several levels frame by frame, each level one step behind
//! the one above it (the delay pattern of MusicGen, Copet et al., arXiv:2306.05284), so that one pass a frame is enough
//! and each level still knows those above it.
//!
//! ```text
//! step      0     1     2     3     4
//! level 0   c₀₀   c₀₁   c₀₂   END
//! level 1         c₁₀   c₁₁   c₁₂
//! level 2               c₂₀   c₂₁   c₂₂
//! ```
//!
//! `END` is a code of level 0 alone; behind it nothing is learned.

use std::sync::Arc;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_nn::{
    Rng, cancel, kernels,
    layers::{Decoder, DecoderConfig, Embedding, KvCache, Linear, Positions},
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use crate::models::SamplingParams;

/// Size of a [`CodeWriter`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeShape {
    /// Levels of codes that are written for each frame.
    pub levels: usize,
    /// Codes of each level.
    pub size: usize,
    /// Classes to condition on; 0 for none.
    pub classes: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads of a block; `width / heads` is even.
    pub heads: usize,
    /// Width of the transformer, and of the vectors of codes.
    pub width: usize,
    /// Frames that it sees.
    pub context: usize,
}

/// See the module.
#[derive(Module, Debug)]
pub struct CodeWriter {
    /// Vectors of the codes of every level, of `END`, and of a level that has no code yet, which add up.
    embed: Embedding,
    decoder: Decoder,
    /// Logits of all levels side by side, those of level 0 with `END`.
    head: Linear,
    #[module(skip)]
    shape: CodeShape,
}

/// Sounds in codes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coded {
    /// Of each level, the codes of `n` sounds of equally many frames, one sound after another.
    pub levels: Vec<Vec<u32>>,
    /// Frames of each sound before it ends.
    pub lengths: Vec<usize>,
}

impl Coded {
    /// Number of sounds.
    pub fn n(&self) -> usize {
        self.lengths.len()
    }

    /// Frames that the codes of each sound fill, those after its end included.
    pub fn frames(&self) -> usize {
        self.levels.first().map_or(0, Vec::len) / self.n().max(1)
    }
}

/// How sounds are to be written.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    /// The class of each sound; one past the last is none in particular.
    pub labels: &'a [u32],
    /// Weight of classifier-free guidance (Ho & Salimans, arXiv:2207.12598); 1 is the plain conditional model.
    pub guidance: f32,
    /// How a code is chosen among the probable ones.
    pub choice: SamplingParams,
}

impl Writing<'_> {
    /// Guides the logits of each sound, whose second half, if there is one, are those without a class.
    fn guide(&self, logits: &mut [f32], passes: usize) {
        if passes == self.labels.len() {
            return;
        }
        let (conditional, free) = logits.split_at_mut(logits.len() / 2);
        conditional
            .iter_mut()
            .zip(free)
            .for_each(|(logit, free)| *logit = *free + self.guidance * (*logit - *free));
    }
}

/// Where in a sound codes are drawn.
#[derive(Clone, Copy)]
struct Place<'a> {
    step: usize,
    /// Frames that are known.
    given: usize,
    /// Where the logits of each level begin.
    starts: &'a [usize],
}

/// What goes in and what is to come out.
struct Steps {
    entries: Vec<u32>,
    classes: Vec<u32>,
    targets: Vec<u32>,
    weights: Vec<f32>,
}

impl CodeWriter {
    /// A fresh transformer on `device`, initialised from `rng`.
    pub fn new(shape: CodeShape, device: &Device, rng: &mut Rng) -> Self {
        let CodeShape { levels, size, classes, layers, heads, width, .. } = shape;
        // Every vector comes from beside; the decoder's own table holds the classes.
        let config = DecoderConfig { classes, ..DecoderConfig::of_size(layers, heads, width) };
        Self {
            embed: Embedding::new(levels * size + 2, width, 0.5 / (width as f32).sqrt(), device, rng),
            decoder: Decoder::new(config, device, rng),
            head: Linear::new(width, levels * size + 1, 0.5, device, rng),
            shape,
        }
    }

    /// Whether a name is that of a matrix between hidden layers.
    pub fn is_hidden(name: &str) -> bool {
        name.strip_prefix("decoder.").is_some_and(Decoder::is_hidden)
    }

    fn end(&self) -> u32 {
        (self.shape.levels * self.shape.size) as u32
    }

    /// Where the logits of each level begin: level 0 has one more, `END`.
    fn starts(&self) -> Arc<Vec<usize>> {
        let CodeShape { levels, size, .. } = self.shape;
        let first = |level: usize| if level == 0 { 0 } else { level * size + 1 };
        Arc::new((0..=levels).map(first).collect())
    }

    /// The entry of a code of a level in the table of vectors, of nothing before the first.
    fn entry(&self, level: usize, code: Option<u32>) -> u32 {
        match code {
            Some(code) if code as usize == self.shape.size => self.end(),
            Some(code) => (level * self.shape.size) as u32 + code,
            None => self.end() + 1,
        }
    }

    /// Steps of sounds that are known: until the last level has written the last frame.
    fn steps(&self, coded: &Coded, labels: &[u32]) -> Steps {
        let (levels, frames) = (self.shape.levels, coded.frames());
        let time = frames + levels;
        let mut steps =
            Steps { entries: Vec::new(), classes: Vec::new(), targets: Vec::new(), weights: Vec::new() };
        for (sound, &length) in coded.lengths.iter().enumerate() {
            // The code of a level at a step; `END` stands behind a sound that is shorter than its frames.
            let code = |level: usize, step: usize| -> Option<u32> {
                let frame = step.checked_sub(level)?;
                match frame < length.min(frames) {
                    true => Some(coded.levels[level][sound * frames + frame]),
                    false => {
                        (level == 0 && frame == length && length < frames).then_some(self.shape.size as u32)
                    }
                }
            };
            for step in 0..time {
                for level in 0..levels {
                    let before = step.checked_sub(1).and_then(|step| code(level, step));
                    steps.entries.push(self.entry(level, before));
                    let target = code(level, step);
                    steps.targets.push(target.unwrap_or(kernels::NONE));
                    steps.weights.push(f32::from(target.is_some()));
                }
            }
            if let Some(&label) = labels.get(sound) {
                steps.classes.extend(std::iter::repeat_n(self.class(label), time));
            }
        }
        steps
    }

    /// `−log p` of the codes of each step under the ones before, `[n · (frames + levels)]`, and how many codes there are.
    pub fn losses(&self, coded: &Coded, labels: &[u32]) -> (Tensor<1>, f64) {
        // Without dropout nothing random is asked for.
        self.losses_train(coded, labels, 0.0, &mut Rng::new(0, 0))
    }

    /// The same in training, with dropout.
    pub fn losses_train(
        &self,
        coded: &Coded,
        labels: &[u32],
        dropout: f64,
        rng: &mut Rng,
    ) -> (Tensor<1>, f64) {
        let Steps { entries, classes, targets, weights } = self.steps(coded, labels);
        let count = weights.iter().map(|&w| f64::from(w)).sum();
        let tokens = vec![kernels::NONE; entries.len() / self.shape.levels];
        let at = Positions { n: coded.n(), tokens: &tokens, classes: &classes, period_positions: &[] };
        let vectors = self.embed.bag(&Arc::new(entries), self.shape.levels);
        let h = self.decoder.forward_train(at, Some(vectors), dropout, rng);
        let logits = self.head.forward(h);
        let (targets, weights) = (Arc::new(targets), Arc::new(weights));
        (kernels::fields_cross_entropy(logits, &self.starts(), &targets, &weights), count)
    }

    /// Writes sounds of at most `frames` frames that continue the known ones (of each level, the same for
    /// all).
    pub fn write(&self, how: &Writing, known: &[Vec<u32>], frames: usize, rng: &mut Rng) -> Coded {
        let CodeShape { levels, context, .. } = self.shape;
        let n = how.labels.len();
        let given = known.first().map_or(0, Vec::len).min(frames);
        let row: Vec<Vec<u32>> = (0..levels)
            .map(|level| known.get(level).map_or(Vec::new(), |codes| codes[..given].to_vec()))
            .collect();
        let (mut rows, mut lengths) = (vec![row; n], vec![frames; n]);
        let classes = self.passes(how);
        let starts = self.starts();
        // The cache holds the steps from `first` to `fed`.
        let (mut cache, mut first, mut fed) = (KvCache::default(), 0, 0);
        for step in given..frames + levels - 1 {
            if lengths.iter().all(|&length| step >= length + levels - 1) || cancel::wanted() {
                break;
            }
            if step - first >= context + levels {
                // It has never seen so many: what came last is read anew.
                (cache, first) = (KvCache::default(), step - context / 2);
                fed = first;
            }
            let mut h = self.feed(&rows, fed, first, &classes, &mut cache);
            for step in fed + 1..=step {
                h = self.feed(&rows, step, first, &classes, &mut cache);
            }
            fed = step + 1;
            let mut logits = to_vec(&self.head.forward(h));
            how.guide(&mut logits, classes.len());
            let width = logits.len() / classes.len();
            for (i, logits) in logits.chunks_exact_mut(width).take(n).enumerate() {
                let at = Place { step, given, starts: &starts };
                self.draw(logits, at, &mut rows[i], &mut lengths[i], how.choice, rng);
            }
        }
        Self::gathered(&rows, lengths)
    }

    /// The class of each sound, followed by no class for each where they are guided.
    fn passes(&self, how: &Writing) -> Vec<u32> {
        let mut classes: Vec<u32> = how.labels.iter().map(|&label| self.class(label)).collect();
        if how.guidance != 1.0 && classes.iter().any(|&class| class != kernels::NONE) {
            classes.resize(2 * how.labels.len(), kernels::NONE);
        }
        classes
    }

    /// The codes of one step of a sound, each level that of its own frame, unless it is known.
    fn draw(
        &self,
        logits: &mut [f32],
        at: Place,
        row: &mut [Vec<u32>],
        length: &mut usize,
        choice: SamplingParams,
        rng: &mut Rng,
    ) {
        let Place { step, given, starts } = at;
        for (level, codes) in row.iter_mut().enumerate().take(step + 1) {
            let frame = step - level;
            if frame < given || frame >= *length {
                continue;
            }
            let logits = &mut logits[starts[level]..starts[level + 1]];
            if level == 0 && frame == 0 {
                // A sound of no frames would be none.
                logits[self.shape.size] = f32::NEG_INFINITY;
            }
            match choice.pick(logits, &[], rng).unwrap_or(0) {
                end if end as usize == self.shape.size => *length = frame,
                code => codes.push(code),
            }
        }
    }

    /// What position `step` holds when it has read the codes of the step before: `[classes, width]`, a row a class, the
    /// sounds by turns. Of steps before `first` nothing is known.
    fn feed(
        &self,
        rows: &[Vec<Vec<u32>>],
        step: usize,
        first: usize,
        classes: &[u32],
        cache: &mut KvCache,
    ) -> Tensor<2> {
        let code = |level: usize, codes: &Vec<u32>| {
            let frame = step.checked_sub(1 + level).filter(|&frame| frame >= first);
            self.entry(level, frame.and_then(|frame| codes.get(frame)).copied())
        };
        let levels = |row: &Vec<Vec<u32>>| -> Vec<u32> {
            row.iter().enumerate().map(|(level, codes)| code(level, codes)).collect()
        };
        let entries: Vec<u32> = rows.iter().cycle().take(classes.len()).flat_map(levels).collect();
        let tokens = vec![kernels::NONE; classes.len()];
        let at = Positions { n: classes.len(), tokens: &tokens, classes, period_positions: &[] };
        let vectors = self.embed.bag(&Arc::new(entries), self.shape.levels);
        self.decoder.next(at, Some(vectors), cache)
    }

    /// The class of a label, or none where the label is unknown.
    fn class(&self, label: u32) -> u32 {
        if (label as usize) < self.shape.classes { label } else { kernels::NONE }
    }

    /// Sounds of their lengths as those of equally many frames: the last codes of the shorter ones go on.
    fn gathered(rows: &[Vec<Vec<u32>>], lengths: Vec<usize>) -> Coded {
        let (longest, levels) =
            (lengths.iter().copied().max().unwrap_or(0), rows.first().map_or(0, Vec::len));
        let codes = |level: usize| {
            let filled = |row: &Vec<Vec<u32>>| -> Vec<u32> {
                let codes = &row[level];
                (0..longest).map(|frame| codes.get(frame).or(codes.last()).copied().unwrap_or(0)).collect()
            };
            rows.iter().flat_map(filled).collect()
        };
        Coded { levels: (0..levels).map(codes).collect(), lengths }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintage_nn::{AdamW, Trainable};

    const SHAPE: CodeShape =
        CodeShape { levels: 3, size: 5, classes: 2, layers: 1, heads: 2, width: 32, context: 8 };

    /// Two sounds of six frames, one of which ends after four; class 1 counts down.
    fn coded() -> Coded {
        let up: Vec<u32> = (0..6).map(|frame| frame % 5).collect();
        let down: Vec<u32> = (0..6).map(|frame| 4 - frame % 5).collect();
        let level = |add: u32| up.iter().chain(&down).map(|code| (code + add) % 5).collect();
        Coded { levels: vec![level(0), level(1), level(2)], lengths: vec![6, 4] }
    }

    fn how(labels: &[u32], choice: SamplingParams) -> Writing<'_> {
        Writing { labels, guidance: 1.0, choice }
    }

    fn trained() -> CodeWriter {
        let mut rng = Rng::new(1, 0);
        let net = CodeWriter::new(SHAPE, &Device::flex().autodiff(), &mut rng);
        let mut train = Trainable::with_muon(net, AdamW::default(), CodeWriter::is_hidden);
        for _ in 0..150 {
            let (losses, count) = train.net().losses(&coded(), &[0, 1]);
            assert!(train.update(losses.sum() / count, 1e-2).is_ok());
        }
        train.averaged()
    }

    #[test]
    fn steps_hold_each_level_one_behind_the_other() {
        let writer = CodeWriter::new(SHAPE, &Device::flex(), &mut Rng::new(1, 0));
        let Steps { entries, classes, targets, weights } = writer.steps(&coded(), &[0, 7]);
        let (none, end, nothing) = (kernels::NONE, writer.end(), writer.end() + 1);
        assert_eq!(entries.len(), 2 * 9 * 3);
        // Codes 0, 1, 2 … of level 0, and those of level 1 one step later, as entries of one table.
        assert_eq!(entries[..12], [nothing, nothing, nothing, 0, nothing, nothing, 1, 6, nothing, 2, 7, 12]);
        assert_eq!(targets[..9], [0, none, none, 1, 1, none, 2, 2, 2]);
        // The second sound ends behind its fourth frame.
        let second = &targets[27..];
        assert_eq!(second[9..21], [1, 3, 0, 5, 2, 4, none, none, 3, none, none, none]);
        assert_eq!(entries[27 + 15], end);
        assert_eq!(classes, [vec![0; 9], vec![none; 9]].concat());
        let count: f32 = weights.iter().sum();
        assert_eq!(count, (6 * 3 + 4 * 3 + 1) as f32);
    }

    #[test]
    fn it_writes_what_it_learned() {
        let writer = trained();
        let choice = SamplingParams { temperature: 0.0, ..SamplingParams::default() };
        let made = writer.write(&how(&[0, 1], choice), &[], 6, &mut Rng::new(2, 0));
        let wanted = coded();
        assert_eq!(made.lengths, [6, 4]);
        for (made, wanted) in made.levels.iter().zip(&wanted.levels) {
            assert_eq!((&made[..6], &made[6..10]), (&wanted[..6], &wanted[6..10]));
        }
        // Behind frames that are known it goes on with them.
        let known: Vec<Vec<u32>> = wanted.levels.iter().map(|codes| codes[..3].to_vec()).collect();
        let more = writer.write(&how(&[0], choice), &known, 6, &mut Rng::new(3, 0));
        assert!(more.levels.iter().zip(&wanted.levels).all(|(made, wanted)| made[..] == wanted[..6]));
    }

    #[test]
    fn guidance_makes_a_class_more_of_itself() {
        let writer = trained();
        let wanted = coded();
        // Warm enough that plain samples go astray.
        let choice = SamplingParams { temperature: 4.0, ..SamplingParams::default() };
        let hits = |guidance: f32| -> usize {
            let how = Writing { labels: &[1; 40], guidance, choice };
            let made = writer.write(&how, &[], 6, &mut Rng::new(5, 0));
            made.levels[0].chunks(made.frames()).filter(|codes| codes[0] == wanted.levels[0][6]).count()
        };
        assert!(hits(3.0) > hits(1.0), "{} of 40, plain {}", hits(3.0), hits(1.0));
    }

    #[test]
    fn it_writes_on_behind_its_context() {
        let writer = trained();
        let made = writer.write(&how(&[0, 0], SamplingParams::default()), &[], 40, &mut Rng::new(4, 0));
        assert!(made.lengths.iter().all(|&length| (1..=40).contains(&length)));
        assert!(made.levels.iter().all(|codes| codes.iter().all(|&code| code < 5)));
        let again = writer.write(&how(&[0, 0], SamplingParams::default()), &[], 40, &mut Rng::new(4, 0));
        assert_eq!(made, again);
    }
}
