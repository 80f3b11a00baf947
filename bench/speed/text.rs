//! The transformer at the sizes of nanoGPT's CPU set-up and of its next larger one, and the MLP of a table
//! model.

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use mintage::nn::{AdamW, Rng, Trainable, kernels, layers::Linear, weights::to_vec};

use crate::{
    Setting, Work,
    transformer::{KvCache, Transformer, TransformerConfig},
};

const VOCAB: usize = 65;
/// Length of the stream of tokens.
const STREAM: usize = 100_000;

fn size(case: &str) -> (TransformerConfig, usize) {
    let of = |layers, heads, width, time| TransformerConfig { layers, heads, width, vocab: VOCAB, time };
    match case.starts_with("gpt-large") {
        true => (of(6, 6, 384, 256), 8),
        false => (of(4, 4, 128, 64), 12),
    }
}

/// A token of a stream that both sides can write down.
fn token(i: usize) -> u32 {
    ((i * 7919 + (i / 13) * 31) % VOCAB) as u32
}

fn adam() -> AdamW {
    AdamW { weight_decay: 0.0, clip: 1.0, ..AdamW::default() }
}

pub fn train(case: &str, _setting: &Setting) -> Work {
    let (config, batch) = size(case);
    let device = Device::flex().autodiff();
    let mut model = Trainable::new(Transformer::new(config, &device, &mut Rng::new(1, 0)), adam());
    let parameters = model.net().num_params();
    let mut step = 0;
    let unit = move || {
        let tokens: Vec<u32> =
            (0..batch * config.time).map(|i| token((step * batch * config.time + i) % STREAM)).collect();
        step += 1;
        let logits = model.net().forward(&tokens, batch);
        let targets: Vec<i64> = tokens.iter().map(|&t| i64::from(t)).collect();
        let targets = Tensor::from_data(TensorData::new(targets, [tokens.len()]), &device);
        let loss = kernels::cross_entropy(logits, targets).mean();
        model.update(loss, 1e-3).ok().map(|(loss, _)| loss)
    };
    Work { parameters, units: 1, unit: Box::new(unit) }
}

/// One whole sequence a unit, a token at a time, with cached keys and values.
pub fn sample(case: &str, _setting: &Setting) -> Work {
    let (config, _) = size(case);
    let model = Transformer::new(config, &Device::flex(), &mut Rng::new(1, 0));
    let mut rng = Rng::new(2, 0);
    let parameters = model.num_params();
    let unit = move || {
        let (mut cache, mut last) = (KvCache::default(), 0);
        for _ in 0..config.time {
            let logits = to_vec(&model.next(last, &mut cache));
            let top = logits.iter().copied().fold(f32::MIN, f32::max);
            let weights: Vec<f32> = logits.iter().map(|l| (l - top).exp()).collect();
            last = rng.categorical(&weights) as u32;
        }
        None
    };
    Work { parameters, units: config.time, unit: Box::new(unit) }
}

#[derive(Module, Debug)]
struct Mlp {
    layers: Vec<Linear>,
}

/// 280–256–256–150 with rectifiers, squared error.
pub fn table_mlp(case: &str, _setting: &Setting) -> Work {
    const ROWS: usize = 16_384;
    const SIZES: [usize; 4] = [280, 256, 256, 150];
    let batch: usize = case.rsplit('-').next().unwrap().parse().unwrap();
    let device = Device::flex().autodiff();
    let mut rng = Rng::new(1, 0);
    let layers = SIZES.windows(2).map(|d| Linear::new(d[0], d[1], 1.4, &device, &mut rng)).collect();
    let mut model = Trainable::new(Mlp { layers }, AdamW { clip: 0.0, ..adam() });
    let parameters = model.net().num_params();
    let [inputs, targets] =
        [SIZES[0], SIZES[3]].map(|d| -> Tensor<2> { rng.normal_tensor([ROWS, d], &device) });
    let mut step = 0;
    let unit = move || {
        let first = step * batch % (ROWS - batch + 1);
        step += 1;
        let rows = |all: &Tensor<2>| all.clone().narrow(0, first, batch);
        let mut h = rows(&inputs);
        for (i, layer) in model.net().layers.iter().enumerate() {
            h = layer.forward(if i == 0 { h } else { kernels::leaky_relu(h, 0.0, 1.0) });
        }
        let loss = kernels::mean_squared_error(h, rows(&targets));
        model.update(loss, 1e-3).ok().map(|(loss, _)| loss)
    };
    Work { parameters, units: 1, unit: Box::new(unit) }
}
