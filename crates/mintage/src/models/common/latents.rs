//! A flow over the latent vectors of images and clips: the learned prior of their VAEs. An image is one frame.
//!
//! A point travels from noise `ε ~ N(0, I)` to the latents `z` of a clip on a straight line (Lipman et al.,
//! arXiv:2210.02747), at a time of its own in each frame (Chen et al., arXiv:2407.01392): frames that are known are at
//! `t = 1`, all others at the same `t`,
//!
//! `z_t = (1 − t) ε + t z`,   `L = E ‖v(z_t, t, y) − (z − ε)‖²` over the frames that are not known.
//!
//! The noise of an item is the one of a few that points towards it most (Immiscible Diffusion, arXiv:2406.12303).
//!
//! So what comes behind given frames is drawn like a whole clip, and clips of any length are drawn a window at a time,
//! each behind the last half of the one before. The velocity is that of a transformer that attends within each frame and
//! over time at each place (Latte, Ma et al., arXiv:2401.03048); over time only where there are several frames.

use std::sync::Arc;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage_nn::{
    NotFinite, Rng, Schedule, cancel, kernels,
    layers::{Embedding, Linear, RmsNorm, gated_width, sinusoidal},
    weights::to_vec,
};
use serde::{Deserialize, Serialize};

use crate::{
    events::Metrics,
    models::common::{
        classes::indices,
        early::{WithEarly, autoguided},
        flow_matching::{guided, integrate, sample_timestep, steps_between},
        rows::swapped,
    },
};

/// Size of a [`LatentFlowMatching`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowShape {
    /// Dimensions of a vector.
    pub d: usize,
    /// Vectors of a frame.
    pub cells: usize,
    /// Frames that it sees; 1 of images.
    pub frames: usize,
    /// Classes to condition on; 0 for none.
    pub classes: usize,
    /// Blocks of attention within a frame, attention over time where there are several frames, and a gated perceptron.
    pub layers: usize,
    /// Attention heads of a block; `width / heads` is even.
    pub heads: usize,
    /// Width of the transformer, and of the embedded time.
    pub width: usize,
    /// How much denser times lie near noise than near the data; 1 is even.
    pub shift: f64,
}

impl FlowShape {
    /// The time at a share of the path (Esser et al., arXiv:2403.03206, eq. 23, with the data at 1).
    fn time(&self, share: f32) -> f32 {
        share / (share + self.shift as f32 * (1.0 - share))
    }

    /// The share of the path at a time.
    fn share(&self, time: f32) -> f32 {
        let shift = self.shift as f32;
        shift * time / (1.0 - time + shift * time)
    }
}

/// Which latents to draw, and how.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The class of each clip; the number of classes itself stands for "no class".
    pub classes: &'a [u32],
    /// Frames of each clip, known ones included.
    pub frames: usize,
    /// Latents of the first frames, the same for all.
    pub known: &'a [f32],
    /// Latents of a clip to begin with in place of noise, and the time at which.
    pub like: Option<(&'a [f32], f32)>,
    /// Steps of Heun's rule; each evaluates the network twice, the last once.
    pub steps: usize,
    /// Weight of classifier-free guidance (Ho & Salimans, arXiv:2207.12598); 1 is the plain conditional
    /// model.
    pub guidance: f64,
    /// An early version of the model to be guided by, and the weight of that, see [`autoguided`].
    pub early: Option<(&'a LatentFlowMatching, f64)>,
    /// What the noise is multiplied by.
    pub temperature: f32,
}

/// See the module.
#[derive(Module, Debug)]
pub struct LatentFlowMatching {
    input: Linear,
    place: Embedding,
    /// Of the number of a frame in what it sees, where it sees several: distances alone do not tell the first from the
    /// last.
    moment: Option<Embedding>,
    time1: Linear,
    time2: Linear,
    /// Of every class and of none.
    label: Embedding,
    blocks: Vec<Block>,
    norm: RmsNorm,
    output: Linear,
    #[module(skip)]
    shape: FlowShape,
}

#[derive(Module, Debug)]
struct Block {
    condition: Linear,
    space: Attention,
    time: Option<Attention>,
    norm: RmsNorm,
    up: Linear,
    down: Linear,
}

#[derive(Module, Debug)]
struct Attention {
    norm: RmsNorm,
    qkv: Linear,
    out: Linear,
}

impl LatentFlowMatching {
    /// A fresh network on `device`, initialised from `rng`; its velocity is 0 at first.
    pub fn new(shape: FlowShape, device: &Device, rng: &mut Rng) -> Self {
        let FlowShape { d, cells, frames, classes, layers, width, .. } = shape;
        Self {
            input: Linear::new(d, width, 1.0, device, rng),
            place: Embedding::new(cells, width, 0.5, device, rng),
            moment: (frames > 1).then(|| Embedding::new(frames, width, 1.0, device, rng)),
            time1: Linear::new(width, width, std::f32::consts::SQRT_2, device, rng),
            time2: Linear::new(width, width, 1.0, device, rng),
            label: Embedding::new(classes + 1, width, 1.0, device, rng),
            blocks: (0..layers).map(|_| Block::new(width, frames > 1, device, rng)).collect(),
            norm: RmsNorm::new(width, device),
            output: Linear::new(width, d, 0.0, device, rng),
            shape,
        }
    }

    /// Whether a name is that of a matrix between hidden layers.
    pub fn is_hidden(name: &str) -> bool {
        name.starts_with("blocks.") && name.ends_with(".weight")
    }

    /// `z_t [n · frames · cells, d]`, a time a frame, a class a clip → the velocity.
    fn velocity(&self, z_t: Tensor<2>, t: &[f32], classes: &[u32]) -> Tensor<2> {
        let FlowShape { cells, heads, width, .. } = self.shape;
        let (device, frames) = (z_t.device(), t.len() / classes.len().max(1));
        let of_clip: Vec<u32> =
            classes.iter().flat_map(|&class| std::iter::repeat_n(class, frames)).collect();
        let time = self.time1.forward(sinusoidal(t, width, 1000.0, &device));
        let time = self.time2.forward(kernels::silu(time));
        let mut label_and_moment = self.label.forward(indices(&of_clip, &device));
        if let Some(moment) = &self.moment {
            let moments: Vec<u32> = (0..t.len()).map(|i| (i % frames) as u32).collect();
            label_and_moment = label_and_moment + moment.forward(indices(&moments, &device));
        }
        let condition = kernels::silu(time + label_and_moment); // [n · frames, width]
        let rows = t.len() * cells;
        let places = Arc::new((0..rows).map(|row| (row % cells) as u32).collect::<Vec<u32>>());
        let frame_of = Arc::new((0..rows).map(|row| (row / cells) as u32).collect::<Vec<u32>>());
        let mut x = kernels::add(self.input.forward(z_t), self.place.bag(&places, 1));
        for block in &self.blocks {
            let modulation = kernels::embedding_bag(block.condition.forward(condition.clone()), &frame_of, 1);
            x = block.forward(kernels::add(x, modulation), frames, cells, heads);
        }
        self.output.forward(self.norm.forward(x))
    }

    /// The mean loss over latents `z [n · frames · cells, d]` of clips of the frames that it sees, a class each. The first
    /// frames of a share of them, `continued`, are known.
    pub fn loss(&self, z: Tensor<2>, classes: &[u32], continued: f64, rng: &mut Rng) -> Tensor<1> {
        let FlowShape { d, cells, frames, .. } = self.shape;
        let (device, mut times, mut known) = (z.device(), Vec::new(), Vec::new());
        for i in 0..classes.len() {
            let t = self.shape.time(sample_timestep(i, rng));
            let given = if f64::from(rng.uniform()) < continued { rng.below(frames) } else { 0 };
            times.extend((0..frames).map(|frame| if frame < given { 1.0 } else { t }));
            known.extend((0..frames).map(|frame| frame < given));
        }
        let of_rows = |of_frame: Vec<f32>| -> Tensor<2> {
            let rows: Vec<f32> = of_frame.iter().flat_map(|&v| std::iter::repeat_n(v, cells)).collect();
            Tensor::from_data(TensorData::new(rows, [of_frame.len() * cells, 1]), &device)
        };
        let unknown = known.iter().filter(|&&known| !known).count();
        let weights = of_rows(known.iter().map(|&known| f32::from(!known)).collect());
        let noise = rng.normal_tensor(z.dims(), &device);
        let way = z - noise.clone();
        let z_t = noise + way.clone() * of_rows(times.clone());
        let off = (self.velocity(z_t, &times, classes) - way) * weights;
        off.powi_scalar(2).sum() / (unknown.max(1) * cells * d) as f64
    }

    /// Latents `[n · frames · cells, d]` drawn by Heun's rule, window by window.
    pub fn sample(&self, wanted: &Wanted, device: &Device, rng: &mut Rng) -> Tensor<2> {
        let FlowShape { d, cells, frames: window, .. } = self.shape;
        let (n, each) = (wanted.classes.len(), cells * d);
        let known = &wanted.known[..wanted.known.len().min(wanted.frames * each)];
        let mut rows = vec![known.to_vec(); n];
        let mut have = known.len() / each;
        while have < wanted.frames {
            if cancel::wanted() {
                rows.iter_mut().for_each(|row| row.resize(wanted.frames * each, 0.0));
                break;
            }
            // At least half of a window is new, or all that is left.
            let first = have.saturating_sub(window / 2).min(wanted.frames.saturating_sub(window));
            let given = have - first;
            let mut drawn = self.window(&rows, first, given, wanted, device, rng);
            let new = (window - given).min(wanted.frames - have);
            for (row, drawn) in rows.iter_mut().zip(drawn.chunks_exact_mut(window * each)) {
                row.extend_from_slice(&drawn[given * each..(given + new) * each]);
            }
            have += new;
        }
        Tensor::from_data(TensorData::new(rows.concat(), [n * wanted.frames * cells, d]), device)
    }

    /// A window from frame `first` on, whose first `given` frames are known.
    fn window(
        &self,
        rows: &[Vec<f32>],
        first: usize,
        given: usize,
        wanted: &Wanted,
        device: &Device,
        rng: &mut Rng,
    ) -> Vec<f32> {
        let FlowShape { d, cells, frames: window, .. } = self.shape;
        let (n, each) = (rows.len(), cells * d);
        let begin = wanted.like.map_or(0.0, |(_, begin)| begin);
        let mut values = Vec::with_capacity(n * window * each);
        for row in rows {
            values.extend_from_slice(&row[first * each..(first + given) * each]);
            for frame in first + given..first + window {
                let noise = rng.normals(each).into_iter().map(|v| v * wanted.temperature);
                match wanted.like {
                    Some((z, begin)) => {
                        // Behind its end a clip stands still.
                        let at = frame.min((z.len() / each).saturating_sub(1)) * each;
                        values.extend(z[at..].iter().zip(noise).map(|(z, e)| begin * z + (1.0 - begin) * e));
                    }
                    None => values.extend(noise),
                }
            }
        }
        let known: Vec<f32> = (0..n * window).map(|frame| f32::from(frame % window < given)).collect();
        let moving: Vec<f32> =
            known.iter().flat_map(|&known| std::iter::repeat_n(1.0 - known, cells)).collect();
        let moving: Tensor<2> = Tensor::from_data(TensorData::new(moving, [n * window * cells, 1]), device);
        let velocity = |x: Tensor<2>, t: f32| {
            let t: Vec<f32> = known.iter().map(|&known| if known > 0.0 { 1.0 } else { t }).collect();
            self.guided(&x, &t, wanted.classes, wanted.guidance, wanted.early) * moving.clone()
        };
        let x = Tensor::from_data(TensorData::new(values, [n * window * cells, d]), device);
        to_vec(&integrate(x, &steps_between(&self.times(begin, wanted.steps)), velocity))
    }

    /// Latents of one window each, `x [n · frames · cells, d]`, carried to the data from where they are at the time `begin`:
    /// from noise at 0. `steps`, `guidance` and `early` as in [`Wanted`].
    pub fn carried(
        &self,
        x: Tensor<2>,
        begin: f32,
        classes: &[u32],
        steps: usize,
        guidance: f64,
        early: Option<(&Self, f64)>,
    ) -> Tensor<2> {
        let frames = classes.len() * self.shape.frames;
        let steps = steps_between(&self.times(begin, steps));
        integrate(x, &steps, |x, t| self.guided(&x, &vec![t; frames], classes, guidance, early))
    }

    /// The noise that leads to latents of one window each, found by going the way back. Guidance bends the way: what was
    /// never bent is not bent back.
    pub fn noise_of(&self, z: Tensor<2>, classes: &[u32], steps: usize) -> Tensor<2> {
        let frames = classes.len() * self.shape.frames;
        let mut times = self.times(0.0, steps);
        times.reverse();
        integrate(z, &steps_between(&times), |x, t| self.velocity(x, &vec![t; frames], classes))
    }

    /// Times from `begin` to 1, spaced by the model's shift: as many of the `steps` as that share of the path
    /// takes.
    fn times(&self, begin: f32, steps: usize) -> Vec<f32> {
        let begin = self.shape.share(begin);
        let steps = (steps as f32 * (1.0 - begin)).ceil() as usize;
        let share = |step: usize| begin + (1.0 - begin) * step as f32 / steps.max(1) as f32;
        (0..=steps).map(|step| self.shape.time(share(step))).collect()
    }

    /// The velocity with guidance by an early version inside classifier-free guidance.
    fn guided(
        &self,
        x: &Tensor<2>,
        t: &[f32],
        classes: &[u32],
        guidance: f64,
        early: Option<(&Self, f64)>,
    ) -> Tensor<2> {
        guided(guidance, classes, self.shape.classes as u32, |classes| {
            autoguided(self, early, |net| net.velocity(x.clone(), t, classes))
        })
    }
}

impl WithEarly<LatentFlowMatching> {
    /// One step on latents `z` that have no gradients, at `progress` ∈ [0, 1] of the prior's own training, whose learning rate
    /// is `peak_lr` at most. The others as of [`LatentFlowMatching::loss`].
    ///
    /// # Errors
    ///
    /// The loss or the norm of its gradient is not finite: then the weights stay as they are.
    pub fn step(
        &mut self,
        z: &Tensor<2>,
        classes: &[u32],
        continued: f64,
        peak_lr: f64,
        progress: f64,
        rng: &mut Rng,
    ) -> Result<Metrics, NotFinite> {
        // The same numbers, where gradients are.
        let z = Tensor::from_data(TensorData::new(to_vec(z), z.dims()), &z.device().autodiff());
        let loss = self.net().loss(z, classes, continued, rng);
        let lr = peak_lr * Schedule::default().factor(progress);
        let (loss, norm) = self.update(loss, lr, progress)?;
        Ok(Metrics::new([("loss", loss), ("grad_norm", norm)]))
    }
}

impl Block {
    fn new(width: usize, over_time: bool, device: &Device, rng: &mut Rng) -> Self {
        let hidden = gated_width(width);
        Self {
            condition: Linear::new(width, width, 1.0, device, rng),
            space: Attention::new(width, device, rng),
            time: over_time.then(|| Attention::new(width, device, rng)),
            norm: RmsNorm::new(width, device),
            up: Linear::unbiased(width, 2 * hidden, 1.0, device, rng),
            down: Linear::unbiased(hidden, width, 0.0, device, rng),
        }
    }

    /// Rows `[n · frames · cells, width]`.
    fn forward(&self, x: Tensor<2>, frames: usize, cells: usize, heads: usize) -> Tensor<2> {
        let mut x = kernels::add(x.clone(), self.space.forward(x, cells, heads));
        if let Some(time) = &self.time {
            let by_place = swapped(x, frames, cells);
            x = kernels::add(by_place.clone(), time.forward(by_place, frames, heads));
            x = swapped(x, cells, frames);
        }
        let y = self.down.forward(kernels::swiglu(self.up.forward(self.norm.forward(x.clone()))));
        kernels::add(x, y)
    }
}

impl Attention {
    /// A branch whose output is zero at first.
    fn new(width: usize, device: &Device, rng: &mut Rng) -> Self {
        Self {
            norm: RmsNorm::new(width, device),
            qkv: Linear::unbiased(width, 3 * width, 1.0, device, rng),
            out: Linear::unbiased(width, width, 0.0, device, rng),
        }
    }

    /// Each `time` rows see each other.
    fn forward(&self, x: Tensor<2>, time: usize, heads: usize) -> Tensor<2> {
        let n = x.dims()[0] / time;
        let qkv = kernels::rotate_heads(self.qkv.forward(self.norm.forward(x)), time, heads, 0);
        self.out.forward(kernels::self_attention(qkv, n, heads, false))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mintage_nn::{AdamW, Trainable, optim::names};

    const SHAPE: FlowShape =
        FlowShape { d: 2, cells: 3, frames: 4, classes: 2, layers: 1, heads: 2, width: 32, shift: 1.5 };

    /// Latents of two clips: class 0 goes up, class 1 down.
    fn latents(frames: usize) -> Vec<f32> {
        let clip = |sign: f32| {
            (0..frames * 6).map(move |i| sign * (0.5 * (i / 6) as f32 - 0.75) + 0.2 * (i % 6) as f32)
        };
        clip(1.0).chain(clip(-1.0)).collect()
    }

    fn wanted<'a>(classes: &'a [u32], frames: usize, known: &'a [f32]) -> Wanted<'a> {
        Wanted { classes, frames, known, like: None, steps: 8, guidance: 1.0, early: None, temperature: 1.0 }
    }

    #[test]
    fn draws_what_it_has_learned_behind_what_is_known() {
        let (device, mut rng) = (Device::flex(), Rng::new(1, 0));
        let net = LatentFlowMatching::new(SHAPE, &device.clone().autodiff(), &mut rng);
        let mut train = Trainable::with_muon(net, AdamW::default(), LatentFlowMatching::is_hidden);
        let z = Tensor::<1>::from_floats(&latents(4)[..], &device.clone().autodiff()).reshape([24, 2]);
        // The same two clips eight times, so that a step sees eight times and many beginnings.
        let (z, classes) = (Tensor::cat(vec![z; 8], 0), [0, 1].repeat(8));
        for i in 0..250 {
            let loss = train.net().loss(z.clone(), &classes, 0.5, &mut rng);
            train.update(loss, 1e-2 * (1.0 - f64::from(i) / 250.0)).unwrap();
        }
        let net = train.averaged();
        let far = |made: &[f32], true_: &[f32]| {
            made.iter().zip(true_).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let all = latents(4);
        let made = to_vec(&net.sample(&wanted(&[0, 1], 4, &[]), &device, &mut rng));
        assert!(far(&made, &all) < 0.4, "{made:?}");
        let made = to_vec(&net.sample(&wanted(&[1], 4, &all[24..36]), &device, &mut rng));
        assert_eq!(made[..12], all[24..36]);
        assert!(far(&made, &all[24..]) < 0.4, "{made:?}");
        let like = Wanted { like: Some((&all[..24], 1.0)), ..wanted(&[0], 4, &[]) };
        assert_eq!(to_vec(&net.sample(&like, &device, &mut rng)), all[..24]);
        for frames in [1, 9] {
            let made = net.sample(&wanted(&[0, 2], frames, &all[..6]), &device, &mut rng);
            assert_eq!(made.dims(), [2 * frames * 3, 2]);
        }
    }

    #[test]
    fn an_image_is_a_frame_without_time() {
        let (device, mut rng) = (Device::flex(), Rng::new(1, 0));
        let shape = FlowShape { frames: 1, ..SHAPE };
        let net = LatentFlowMatching::new(shape, &device.clone().autodiff(), &mut rng);
        assert!(names(&net).iter().all(|(name, _)| !name.contains(".time.") && !name.starts_with("moment")));
        let mut train = Trainable::with_muon(net, AdamW::default(), LatentFlowMatching::is_hidden);
        let z = Tensor::<1>::from_floats(&latents(1)[..], &device.clone().autodiff()).reshape([6, 2]);
        let (z, classes) = (Tensor::cat(vec![z; 8], 0), [0, 1].repeat(8));
        let far = |made: &[f32], true_: &[f32]| {
            made.iter().zip(true_).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let noise = rng.normal_tensor([6, 2], &device);
        for i in 0..250 {
            if i == 20 {
                // Later all noise of a class leads to one point, and nothing leads back.
                let net = train.averaged();
                let made = net.carried(noise.clone(), 0.0, &[0, 1], 100, 1.0, None);
                let back = to_vec(&net.noise_of(made, &[0, 1], 100));
                assert!(far(&back, &to_vec(&noise)) < 0.1, "{back:?}");
            }
            let loss = train.net().loss(z.clone(), &classes, 0.0, &mut rng);
            train.update(loss, 1e-2 * (1.0 - f64::from(i) / 250.0)).unwrap();
        }
        let net = train.averaged();
        let made = net.carried(noise, 0.0, &[0, 1], 8, 1.0, None);
        assert!(far(&to_vec(&made), &latents(1)) < 0.4, "{made:?}");
        assert_eq!(to_vec(&net.carried(made.clone(), 1.0, &[0, 1], 8, 1.0, None)), to_vec(&made));
    }
}
