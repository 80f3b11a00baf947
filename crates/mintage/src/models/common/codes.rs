//! A language of codes on grids, those of images and of clips: a causal transformer that writes them frame by frame, each
//! frame row by row; an image is one frame.
//!
//! Beside the code just written, a place is told those that matter most. In a clip, what moves a little from frame to
//! frame: the codes around it in the frame before, and the one above it in its own. In an image, its neighbours:
//!
//! ```text
//!   frame before        this frame             image
//!        ↑                  ↑                ↑↑
//!      ← · →          last  ?            ↖   ↑   ↗       p(c_{t,p} | all before) , t = 0 … , p = 0 … cells − 1
//!        ↓                           ←← last ?
//! ```
//!
//! Positions turn queries and keys, so only distances count, and clips of any length are written: beyond the frames that
//! it has learned from, the last half of them is read anew.

use std::{ops::Range, sync::Arc};

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use mintage_nn::{
    AdamW, Rng, Trainable, cancel, kernels,
    layers::{Decoder, DecoderConfig, Embedding, KvCache, Positions},
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use crate::models::{SamplingParams, common::classes::indices};

/// Codes around a place: five of the frame before and one of its own, or six of its own where it is the only one.
const AROUND: usize = 6;

/// Size of a [`CodeWriter`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeShape {
    /// Number of codes.
    pub size: usize,
    /// Height and width of the grid of codes of a frame.
    pub grid: (usize, usize),
    /// Frames that it sees.
    pub frames: usize,
    /// Classes to condition on; 0 for none.
    pub classes: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads of a block; `width / heads` is even.
    pub heads: usize,
    /// Width of the transformer, and of the vectors of codes.
    pub width: usize,
    /// Whether every block looks up vectors of codes and of pairs of codes.
    pub lookup: bool,
}

impl CodeShape {
    fn cells(&self) -> usize {
        self.grid.0 * self.grid.1
    }
}

/// See the module.
#[derive(Module, Debug)]
pub struct CodeWriter {
    /// Vectors of the codes around a place, a table for each of them.
    around: Embedding,
    decoder: Decoder,
    #[module(skip)]
    shape: CodeShape,
}

/// What goes in at some places of some clips.
struct Inputs {
    tokens: Vec<u32>,
    classes: Vec<u32>,
    period_positions: Vec<u32>,
    around: Vec<u32>,
}

impl CodeWriter {
    /// A fresh transformer on `device`, initialised from `rng`.
    pub fn new(shape: CodeShape, device: &Device, rng: &mut Rng) -> Self {
        let CodeShape { size, frames, classes, layers, heads, width, lookup, .. } = shape;
        let periods = [shape.cells(), frames];
        let sized = DecoderConfig::of_size(layers, heads, width);
        let config = DecoderConfig { vocab: size, classes, periods, lookup, ..sized };
        Self {
            around: Embedding::new(AROUND * size, width, 0.3 / (width as f32).sqrt(), device, rng),
            decoder: Decoder::new(config, device, rng),
            shape,
        }
    }

    /// With its optimiser: Muon between hidden layers, AdamW elsewhere.
    pub fn trainable(self, adam: AdamW) -> Trainable<Self> {
        let is_hidden = |name: &str| name.strip_prefix("decoder.").is_some_and(Decoder::is_hidden);
        Trainable::with_muon(self, adam, is_hidden).with_lookup(Decoder::is_lookup)
    }

    /// `−log p` of each code: `codes [n · frames · cells]`, clip after clip, of at most the frames that it sees; a label a
    /// clip or none at all.
    pub fn losses(&self, codes: &[u32], n: usize, labels: &[u32]) -> Tensor<1> {
        let each = codes.len() / n.max(1);
        let rows: Vec<&[u32]> = codes.chunks_exact(each.max(1)).collect();
        let inputs = self.inputs(&rows, 0..each, 0, labels);
        let h = self.decoder.forward(inputs.at(n), Some(self.beside(&inputs)));
        let logits = self.decoder.logits(h);
        let targets = indices(codes, &logits.device());
        kernels::cross_entropy(logits, targets)
    }

    /// Writes `n` clips of `frames` frames that continue the `known` codes, the same for all. With `guidance`
    /// the logits with the label are moved away from those without.
    pub fn write(
        &self,
        labels: &[u32],
        known: &[u32],
        frames: usize,
        choice: SamplingParams,
        guidance: f64,
        rng: &mut Rng,
    ) -> Vec<u32> {
        let (n, cells) = (labels.len(), self.shape.cells());
        let known = &known[..known.len().min(frames * cells)];
        let mut rows = vec![known.to_vec(); n];
        let guided = guidance != 1.0 && labels.iter().any(|&label| (label as usize) < self.shape.classes);
        let (mut cache, mut free_cache) = (KvCache::default(), KvCache::default());
        // The caches hold the places from the beginning of frame `first` to `fed`.
        let (mut first, mut fed) = (0, 0);
        for place in known.len()..frames * cells {
            if cancel::wanted() {
                rows.iter_mut().for_each(|row| row.resize(frames * cells, 0));
                break;
            }
            if place / cells - first >= self.shape.frames {
                // It has never seen so many: what came last is read anew.
                first = place / cells - self.shape.frames / 2;
                (cache, free_cache, fed) = (KvCache::default(), KvCache::default(), first * cells);
            }
            let mut logits = self.next(&rows, fed..place + 1, first, labels, &mut cache);
            if guided {
                let free = self.next(&rows, fed..place + 1, first, &[], &mut free_cache);
                let weight = guidance as f32;
                logits.iter_mut().zip(free).for_each(|(l, f)| *l = f + weight * (*l - f));
            }
            fed = place + 1;
            for (row, logits) in rows.iter_mut().zip(logits.chunks_exact_mut(self.shape.size)) {
                row.push(choice.pick(logits, &[], rng).unwrap_or(0));
            }
        }
        rows.concat()
    }

    /// Reads the places that are new to the cache; logits of the last of them, `n × size`.
    fn next(
        &self,
        rows: &[Vec<u32>],
        places: Range<usize>,
        first: usize,
        labels: &[u32],
        cache: &mut KvCache,
    ) -> Vec<f32> {
        let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
        let whole = cache.time == 0 && places.len() > 1;
        let inputs = self.inputs(&rows, places, first, labels);
        let (at, beside) = (inputs.at(rows.len()), Some(self.beside(&inputs)));
        let h = match whole {
            true => self.decoder.read(at, beside, cache),
            false => self.decoder.next(at, beside, cache),
        };
        to_vec(&self.decoder.logits(h))
    }

    fn beside(&self, inputs: &Inputs) -> Tensor<2> {
        self.around.bag(&Arc::new(inputs.around.clone()), AROUND)
    }

    /// What is known at each of the `places` of every clip; of frames before `first` nothing is.
    fn inputs(&self, rows: &[&[u32]], places: Range<usize>, first: usize, labels: &[u32]) -> Inputs {
        let CodeShape { size, classes, .. } = self.shape;
        let cells = self.shape.cells();
        let mut inputs = Inputs { tokens: vec![], classes: vec![], period_positions: vec![], around: vec![] };
        for (i, row) in rows.iter().enumerate() {
            let code = |place: usize| match place >= first * cells {
                true => row.get(place).copied(),
                false => None,
            };
            let label = labels.get(i).copied().filter(|&label| (label as usize) < classes);
            for place in places.clone() {
                let before = place.checked_sub(1).and_then(code);
                inputs.tokens.push(before.unwrap_or(kernels::NONE));
                inputs.classes.push(label.unwrap_or(kernels::NONE));
                inputs.period_positions.extend([(place % cells) as u32, (place / cells - first) as u32]);
                let around = self.around_place(place).map(|other| other.and_then(code));
                let entry = |(table, code): (usize, Option<u32>)| match code {
                    Some(code) => (table * size) as u32 + code,
                    None => kernels::NONE,
                };
                inputs.around.extend(around.into_iter().enumerate().map(entry));
            }
        }
        inputs
    }

    /// The places around one, where there are any.
    fn around_place(&self, place: usize) -> [Option<usize>; AROUND] {
        let (cells, (height, width)) = (self.shape.cells(), self.shape.grid);
        let (y, x) = (place % cells / width, place % width);
        if self.shape.frames == 1 {
            let own = |up: usize, right: isize| {
                let (y, x) = (y.checked_sub(up)?, x.checked_add_signed(right).filter(|&x| x < width)?);
                Some(y * width + x)
            };
            return [own(1, -1), own(1, 0), own(1, 1), own(2, 0), own(0, -2), own(1, 2)];
        }
        let before = place.checked_sub(cells);
        let neighbour = |is_inside: bool, by: isize| before.filter(|_| is_inside)?.checked_add_signed(by);
        [
            before,
            neighbour(x > 0, -1),
            neighbour(x + 1 < width, 1),
            neighbour(y > 0, -(width as isize)),
            neighbour(y + 1 < height, width as isize),
            place.checked_sub(width).filter(|_| y > 0),
        ]
    }
}

impl Inputs {
    fn at(&self, n: usize) -> Positions<'_> {
        Positions {
            n,
            tokens: &self.tokens,
            classes: &self.classes,
            period_positions: &self.period_positions,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SHAPE: CodeShape = CodeShape {
        size: 5,
        grid: (2, 3),
        frames: 4,
        classes: 2,
        layers: 1,
        heads: 2,
        width: 32,
        lookup: true,
    };

    /// Two clips of four frames: codes go up with every frame, or down.
    fn codes() -> Vec<u32> {
        let clip = |step: usize| (0..4).flat_map(move |t| (0..6).map(move |p| ((t * step + p) % 5) as u32));
        clip(1).chain(clip(4)).collect()
    }

    fn trained() -> CodeWriter {
        let mut rng = Rng::new(1, 0);
        let net = CodeWriter::new(SHAPE, &Device::flex().autodiff(), &mut rng);
        let mut train = net.trainable(AdamW::default());
        for _ in 0..150 {
            let losses = train.net().losses(&codes(), 2, &[0, 1]);
            assert!(train.update(losses.mean(), 1e-2).is_ok());
        }
        train.averaged()
    }

    #[test]
    fn a_place_is_told_what_lies_around_it() {
        let writer = CodeWriter::new(SHAPE, &Device::flex(), &mut Rng::new(1, 0));
        let codes = codes();
        let inputs = writer.inputs(&[&codes[..24]], 0..24, 0, &[7]);
        let none = kernels::NONE;
        assert_eq!(inputs.tokens[..8], [none, 0, 1, 2, 3, 4, 0, 1]);
        assert_eq!(inputs.period_positions[12..16], [0, 1, 1, 1]);
        assert_eq!(inputs.classes[0], none, "a class that it does not know");
        // Place 4 of frame 1 is the middle of the lower row, place 6 the first of the upper one.
        assert_eq!(inputs.around[10 * AROUND..11 * AROUND], [4, 5 + 3, 10, 15 + 1, none, 25 + 2]);
        assert_eq!(inputs.around[6 * AROUND..7 * AROUND], [0, none, 10 + 1, none, 20 + 3, none]);
        // Of what came before a window nothing is known.
        let later = writer.inputs(&[&codes[..24]], 6..7, 1, &[]);
        assert_eq!((later.tokens[0], later.period_positions[1]), (none, 0));
        assert_eq!(later.around, [none; AROUND]);
    }

    #[test]
    fn a_place_of_an_image_is_told_its_neighbours() {
        let shape = CodeShape { grid: (3, 3), frames: 1, ..SHAPE };
        let writer = CodeWriter::new(shape, &Device::flex(), &mut Rng::new(1, 0));
        assert_eq!(writer.around_place(0), [None; AROUND]);
        assert_eq!(writer.around_place(5), [Some(1), Some(2), None, None, Some(3), None]);
        assert_eq!(writer.around_place(6), [None, Some(3), Some(4), Some(0), None, Some(5)]);
    }

    #[test]
    fn written_as_learned() {
        let writer = trained();
        let choice = SamplingParams { temperature: 0.0, ..SamplingParams::default() };
        for guidance in [1.0, 1.5] {
            let made = writer.write(&[0, 1], &[], 4, choice, guidance, &mut Rng::new(2, 0));
            assert_eq!(made, codes(), "guidance {guidance}");
        }
        // Behind what is known, and beyond the frames that it sees.
        let known = &codes()[24..37];
        let made = writer.write(&[1], known, 11, choice, 1.0, &mut Rng::new(2, 0));
        assert_eq!((made.len(), &made[..24]), (66, &codes()[24..]));
        let known: Vec<u32> = (0..54).map(|i| i % 5).collect();
        assert_eq!(writer.write(&[0, 0], &known, 3, choice, 1.0, &mut Rng::new(2, 0)).len(), 36);
        let long = writer.write(&[0], &known, 10, choice, 1.0, &mut Rng::new(2, 0));
        assert_eq!((long.len(), &long[..54]), (60, &known[..]));
    }
}
