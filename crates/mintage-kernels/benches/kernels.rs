//! Micro-benches of the kernels on all cores: `cargo bench --workspace --bench kernels [NAME]`.
//!
//! *Items* are floating-point operations for products, convolutions and attention, and values read and written
//! for everything else. [`limits`] measures what the machine gives.

#![allow(clippy::unwrap_used)]

// What the command trains with.
#[path = "../../mintage-cli/src/alloc.rs"]
mod alloc;

use std::fmt;

use burn::tensor::{Device, Int, Tensor, TensorData};
use divan::{Bencher, black_box, counter::ItemsCount};
use mintage_kernels as kernels;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

fn main() {
    alloc::keep_pages();
    rayon::ThreadPoolBuilder::new().build().unwrap().install(divan::main);
}

fn normal<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = StandardNormal.sample_iter(rng).take(shape.iter().product()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// An input without a gradient.
fn noise<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    normal(shape, 1, &Device::flex())
}

/// An input whose gradient is wanted.
fn leaf<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    normal(shape, 2, &Device::flex().autodiff()).require_grad()
}

fn forward<const D: usize>(bencher: Bencher, items: usize, run: impl Fn() -> Tensor<D>) {
    bencher.counter(ItemsCount::new(items)).bench_local(|| black_box(run()));
}

/// Forward and backward, what a training step pays; the sum that starts the backward pass is counted in.
fn both<const D: usize>(bencher: Bencher, items: usize, run: impl Fn() -> Tensor<D>) {
    bencher.counter(ItemsCount::new(items)).bench_local(|| black_box(run().sum().backward()));
}

mod limits {
    use super::*;

    /// Arithmetic: nothing but multiply-adds on registers, on every core.
    #[divan::bench]
    fn arithmetic(bencher: Bencher) {
        const ROUNDS: usize = 1 << 20;
        let operations = kernels::limit::multiply_adds(1) * ROUNDS * rayon::current_num_threads();
        bencher
            .counter(ItemsCount::new(operations))
            .bench_local(|| rayon::broadcast(|_| kernels::limit::multiply_adds(ROUNDS)));
    }

    /// What the matrix product makes of it.
    #[divan::bench]
    fn product(bencher: Bencher) {
        let (a, b) = (noise([2048, 2048]), noise([2048, 2048]));
        forward(bencher, 2 * 2048 * 2048 * 2048, || kernels::linear(a.clone(), b.clone(), None));
    }

    /// Memory: 32 MB read and 32 MB written, on one core.
    #[divan::bench]
    fn copy(bencher: Bencher) {
        let (from, mut to) = (vec![1.0f32; 8 << 20], vec![0.0f32; 8 << 20]);
        bencher.counter(ItemsCount::new(2 * from.len())).bench_local(|| {
            to.copy_from_slice(black_box(&from));
            black_box(&to);
        });
    }
}

/// A convolution with the padding that keeps the size, divided by the stride.
#[derive(Clone, Copy)]
struct Conv {
    n: usize,
    c_in: usize,
    c_out: usize,
    side: usize,
    k: usize,
    stride: usize,
}

impl fmt::Display for Conv {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { n, c_in, c_out, side, k, stride } = self;
        write!(f, "{n}x{c_in}x{side}x{side} to {c_out}, {k}x{k}/{stride}")
    }
}

const fn conv3(c_in: usize, c_out: usize, side: usize) -> Conv {
    Conv { n: 32, c_in, c_out, side, k: 3, stride: 1 }
}

const CONVS: [Conv; 8] = [
    conv3(3, 48, 32),
    conv3(48, 48, 32),
    conv3(48, 48, 28),
    conv3(96, 96, 16),
    conv3(96, 96, 8),
    conv3(192, 192, 4),
    Conv { n: 32, c_in: 64, c_out: 64, side: 32, k: 4, stride: 2 },
    Conv { n: 32, c_in: 96, c_out: 96, side: 16, k: 1, stride: 1 },
];

impl Conv {
    fn run(self, x: &Tensor<4>, weight: &Tensor<4>) -> Tensor<4> {
        kernels::conv2d(x.clone(), weight.clone(), None, self.stride, (self.k - 1) / 2)
    }

    fn x(self) -> [usize; 4] {
        [self.n, self.c_in, self.side, self.side]
    }

    fn weight(self) -> [usize; 4] {
        [self.c_out, self.c_in, self.k, self.k]
    }

    fn operations(self) -> usize {
        let outputs = self.n * self.c_out * (self.side / self.stride).pow(2);
        2 * outputs * self.c_in * self.k * self.k
    }
}

#[divan::bench(args = CONVS)]
fn conv_forward(bencher: Bencher, conv: &Conv) {
    let (x, weight) = (noise(conv.x()), noise(conv.weight()));
    forward(bencher, conv.operations(), || conv.run(&x, &weight));
}

#[divan::bench(args = CONVS)]
fn conv_training(bencher: Bencher, conv: &Conv) {
    let (x, weight) = (leaf(conv.x()), leaf(conv.weight()));
    both(bencher, 3 * conv.operations(), || conv.run(&x, &weight));
}

/// [`conv_training`] as trainings do it where the CPU has tiles.
#[divan::bench(args = CONVS)]
fn conv_training_rounded(bencher: Bencher, conv: &Conv) {
    let (x, weight) = (leaf(conv.x()), leaf(conv.weight()));
    let run = || kernels::with_fast_products(|| conv.run(&x, &weight).sum().backward());
    bencher.counter(ItemsCount::new(3 * conv.operations())).bench_local(|| black_box(run()));
}

/// Rows, inputs and outputs.
const LINEARS: [[usize; 3]; 4] = [[200, 784, 400], [500, 280, 256], [768, 128, 512], [2048, 384, 1536]];

#[divan::bench(args = LINEARS)]
fn linear_forward(bencher: Bencher, [n, from, to]: [usize; 3]) {
    let (x, weight) = (noise([n, from]), noise([from, to]));
    forward(bencher, 2 * n * from * to, || kernels::linear(x.clone(), weight.clone(), None));
}

#[divan::bench(args = LINEARS)]
fn linear_training(bencher: Bencher, [n, from, to]: [usize; 3]) {
    let (x, weight) = (leaf([n, from]), leaf([from, to]));
    both(bencher, 6 * n * from * to, || kernels::linear(x.clone(), weight.clone(), None));
}

/// Batch, heads, time, width of a head.
const ATTENTIONS: [[usize; 4]; 3] = [[12, 4, 64, 32], [8, 6, 256, 64], [4, 6, 1024, 64]];

/// Operations of the causal half.
fn attention_operations([n, heads, time, width]: [usize; 4]) -> usize {
    2 * n * heads * time * time * width
}

#[divan::bench(args = ATTENTIONS)]
fn self_attention_forward(bencher: Bencher, shape @ [n, heads, time, width]: [usize; 4]) {
    let qkv = noise([n * time, 3 * heads * width]);
    let items = attention_operations(shape);
    forward(bencher, items, || kernels::self_attention(qkv.clone(), n, heads, true));
}

#[divan::bench(args = ATTENTIONS)]
fn self_attention_training(bencher: Bencher, shape @ [n, heads, time, width]: [usize; 4]) {
    let qkv = leaf([n * time, 3 * heads * width]);
    // Backward computes the scores again: seven half-squares of products in all.
    let items = attention_operations(shape) * 7 / 2;
    both(bencher, items, || kernels::self_attention(qkv.clone(), n, heads, true));
}

#[divan::bench(args = [64, 256, 1024])]
fn attend_next(bencher: Bencher, time: usize) {
    let (heads, width) = (6, 384);
    let qkv = noise([1, 3 * width]);
    let mut cache = kernels::KvLayer::default();
    for _ in 0..time {
        kernels::attend_next(qkv.clone(), heads, &mut cache);
    }
    bencher
        .counter(ItemsCount::new(4 * time * width))
        .with_inputs(|| cache.clone())
        .bench_local_values(|mut cache| kernels::attend_next(qkv.clone(), heads, &mut cache));
}

const IMAGES: [usize; 4] = [32, 48, 32, 32];
const ROWS: [usize; 2] = [2048, 384];

fn count<const D: usize>(shape: [usize; D]) -> usize {
    shape.iter().product()
}

#[divan::bench]
fn group_norm_silu_training(bencher: Bencher) {
    let (x, gain, bias) = (leaf(IMAGES), leaf([IMAGES[1]]), leaf([IMAGES[1]]));
    // Forward reads and writes; backward reads the input and the gradient and writes one.
    let run = || kernels::group_norm_silu(x.clone(), gain.clone(), bias.clone(), 8, 1e-5);
    both(bencher, 5 * count(IMAGES), run);
}

#[divan::bench]
fn layer_norm_training(bencher: Bencher) {
    let (x, gain, bias) = (leaf(ROWS), leaf([ROWS[1]]), leaf([ROWS[1]]));
    both(bencher, 5 * count(ROWS), || kernels::layer_norm(x.clone(), gain.clone(), bias.clone(), 1e-5));
}

#[divan::bench]
fn silu_training(bencher: Bencher) {
    let x = leaf(IMAGES);
    both(bencher, 5 * count(IMAGES), || kernels::silu(x.clone()));
}

#[divan::bench]
fn gelu_training(bencher: Bencher) {
    let x = leaf(IMAGES);
    both(bencher, 5 * count(IMAGES), || kernels::gelu(x.clone()));
}

#[divan::bench]
fn leaky_relu_training(bencher: Bencher) {
    let x = leaf(IMAGES);
    both(bencher, 5 * count(IMAGES), || kernels::leaky_relu(x.clone(), 0.2, 1.4));
}

#[divan::bench]
fn upsample2_training(bencher: Bencher) {
    let x = leaf(IMAGES);
    both(bencher, 10 * count(IMAGES), || kernels::upsample2(x.clone()));
}

#[divan::bench]
fn downsample2_training(bencher: Bencher) {
    let x = leaf(IMAGES);
    both(bencher, 5 * count(IMAGES) / 2, || kernels::downsample2(x.clone()));
}

#[divan::bench]
fn add_training(bencher: Bencher) {
    let [x, y] = [(); 2].map(|()| leaf(IMAGES));
    both(bencher, 5 * count(IMAGES), || kernels::add(x.clone(), y.clone()));
}

#[divan::bench]
fn weighted_sum_training(bencher: Bencher) {
    let (terms, weights) = ([(); 3].map(|()| leaf(ROWS)), leaf([3]));
    both(bencher, 14 * count(ROWS), || kernels::weighted_sum(terms.clone(), weights.clone()));
}

#[divan::bench]
fn add_to_values_training(bencher: Bencher) {
    let (qkv, extra, gates) = (leaf([ROWS[0], 3 * ROWS[1]]), leaf(ROWS), leaf([6]));
    both(bencher, 11 * count(ROWS), || kernels::add_to_values(qkv.clone(), extra.clone(), gates.clone()));
}

#[divan::bench]
fn add_to_planes_training(bencher: Bencher) {
    let (x, y) = (leaf(IMAGES), leaf([IMAGES[0], IMAGES[1]]));
    both(bencher, 4 * count(IMAGES), || kernels::add_to_planes(x.clone(), y.clone()));
}

#[divan::bench]
fn pixel_shuffle2_training(bencher: Bencher) {
    let x = leaf(IMAGES);
    both(bencher, 5 * count(IMAGES), || kernels::pixel_shuffle2(x.clone()));
}

#[divan::bench]
fn pixel_rows_training(bencher: Bencher) {
    let x = leaf(IMAGES);
    both(bencher, 5 * count(IMAGES), || kernels::pixel_rows(x.clone()));
}

#[divan::bench]
fn mean_squared_error_training(bencher: Bencher) {
    let (x, y) = (leaf(IMAGES), noise(IMAGES));
    both(bencher, 5 * count(IMAGES), || kernels::mean_squared_error(x.clone(), y.clone()));
}

#[divan::bench]
fn cross_entropy_training(bencher: Bencher) {
    let logits = leaf(ROWS);
    let targets = Tensor::<1, Int>::zeros([ROWS[0]], &Device::flex());
    both(bencher, 3 * count(ROWS), || kernels::cross_entropy(logits.clone(), targets.clone()));
}

#[divan::bench]
fn bernoulli_training(bencher: Bencher) {
    let (logits, targets) = (leaf([200, 784]), noise([200, 784]).clamp(0.0, 1.0));
    both(bencher, 5 * 200 * 784, || kernels::bernoulli_nll(logits.clone(), targets.clone()));
}

#[divan::bench]
fn discretised_logistic_training(bencher: Bencher) {
    let (x, mean, scale) = (noise([32, 3072]).clamp(-1.0, 1.0), leaf([32, 3072]), leaf([32, 3072]));
    let run = || kernels::discretised_logistic_nll(x.clone(), mean.clone(), scale.clone());
    both(bencher, 8 * 32 * 3072, run);
}
