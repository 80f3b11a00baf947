//! Against the composite operations, of numbers that rounding leaves as they are.

#![allow(clippy::unwrap_used)]
use burn::tensor::{Device, Tensor, TensorData};

use super::*;
use crate::{
    composite, conv2d,
    testing::noise,
    tiles::{has_fast_products, with_fast_products},
    to_vec,
};

/// Numbers that rounding to bfloat16 leaves as they are.
fn coarse(len: usize, seed: u64) -> Vec<f32> {
    noise(len, seed).into_iter().map(|v| f32::from_bits(v.to_bits() & 0xffff_0000)).collect()
}

/// Output and gradients of `x`, `weight` and `bias` for an output gradient that rounding leaves as it is as well.
fn found(arrays: &[Vec<f32>; 4], shapes: [[usize; 4]; 3], conv: Conv, fast: bool) -> [Vec<f32>; 4] {
    let device = Device::flex().autodiff();
    let tensor = |i: usize| Tensor::<4>::from_data(TensorData::new(arrays[i].clone(), shapes[i]), &device);
    let (x, weight) = (tensor(0).require_grad(), tensor(1).require_grad());
    let bias = Tensor::<1>::from_floats(&arrays[3][..], &device).require_grad();
    let run = || {
        let convolve = if fast { conv2d } else { composite::conv2d };
        let y = convolve(x.clone(), weight.clone(), Some(bias.clone()), conv.stride, conv.padding);
        let grads = (y.clone() * tensor(2)).sum().backward();
        let of = |t: Tensor<4>| to_vec(&t.grad(&grads).unwrap());
        [to_vec(&y.inner()), of(x.clone()), of(weight.clone()), to_vec(&bias.grad(&grads).unwrap())]
    };
    if fast { with_fast_products(run) } else { run() }
}

#[test]
fn equals_the_composite_of_rounded_numbers() {
    if !has_fast_products() {
        return;
    }
    for (n, c_in, c_out, h, w, padding, k, stride) in [
        (16, 32, 32, 8, 8, 1, 3, 1),
        (5, 48, 48, 32, 32, 1, 3, 1),
        // Several groups of images a thread, and images that fill one each.
        (24, 64, 64, 32, 32, 1, 3, 1),
        (6, 64, 64, 64, 64, 1, 3, 1),
        (3, 16, 17, 37, 29, 1, 3, 1),
        (37, 40, 70, 4, 4, 1, 3, 1),
        // One image; wide padding and none; larger filters and single pixels; rows shorter and longer than a tile.
        (1, 20, 33, 70, 31, 1, 3, 1),
        (7, 33, 64, 15, 16, 2, 3, 1),
        (6, 16, 40, 18, 20, 0, 3, 1),
        (9, 24, 16, 11, 9, 2, 5, 1),
        (4, 64, 90, 20, 14, 0, 1, 1),
        (4, 16, 16, 2, 300, 1, 3, 1),
        (64, 96, 96, 3, 4, 1, 3, 1),
        // With a stride: even and odd sizes, other paddings, a larger stride.
        (5, 33, 40, 16, 12, 1, 4, 2),
        (9, 16, 33, 17, 21, 1, 4, 2),
        (40, 32, 20, 14, 15, 0, 2, 2),
        (12, 32, 20, 13, 15, 2, 6, 3),
    ] {
        let [out_h, out_w] = [h, w].map(|size| (size + 2 * padding - k) / stride + 1);
        let shapes = [[n, c_in, h, w], [c_out, c_in, k, k], [n, c_out, out_h, out_w]];
        let conv = Conv { stride, padding };
        let chosen = with_fast_products(|| TiledConv::of(conv, shapes[0], shapes[1]));
        assert!(chosen.is_some() || 2 * n < rayon::current_num_threads(), "{shapes:?}");
        let len = |i: usize| shapes[i].iter().product::<usize>();
        let arrays = [coarse(len(0), 1), coarse(len(1), 2), coarse(len(2), 3), coarse(c_out, 4)];
        let wanted = found(&arrays, shapes, conv, false);
        let found = found(&arrays, shapes, conv, true);
        for (what, (wanted, found)) in wanted.iter().zip(&found).enumerate() {
            let scale = wanted.iter().fold(0.1f32, |m, v| m.max(v.abs()));
            for (i, (w, f)) in wanted.iter().zip(found).enumerate() {
                assert!((w - f).abs() <= 2e-5 * scale, "{shapes:?}, array {what} at {i}: {w} and {f}");
            }
        }
    }
}

#[test]
fn keeps_what_is_no_number_in_its_image() {
    if !has_fast_products() {
        return;
    }
    let shapes = [[8, 32, 9, 7], [32, 32, 3, 3], [8, 32, 9, 7]];
    let conv = Conv { stride: 1, padding: 1 };
    let arrays = [0, 1, 2].map(|i| coarse(shapes[i].iter().product(), i as u64));
    let [mut x, weight, g] = arrays;
    let sound = found(&[x.clone(), weight.clone(), g.clone(), coarse(32, 4)], shapes, conv, true);
    let image = 32 * 9 * 7;
    x[3 * image..4 * image].fill(f32::NAN);
    let damaged = found(&[x, weight, g, coarse(32, 4)], shapes, conv, true);
    for i in (0..8).filter(|&i| i != 3) {
        assert!(sound[0][i * image..][..image] == damaged[0][i * image..][..image], "image {i}");
    }
    assert_eq!(sound[1], damaged[1]);
}

#[test]
fn only_inside_and_where_it_pays() {
    let of = |stride, c, size, k| {
        let conv = Conv { stride, padding: 1 };
        TiledConv::of(conv, [16, c, size, size], [c, c, k, k]).is_some()
    };
    assert!(!of(1, 32, 16, 3));
    with_fast_products(|| {
        assert_eq!(of(1, 32, 16, 3), has_fast_products());
        // A stride between the filters' pixels, few channels, little to do, few outputs, large maps.
        assert!(!of(2, 32, 16, 3) && !of(1, 7, 64, 3) && !of(1, 32, 2, 3) && !of(1, 32, 8, 1));
        assert!(!of(1, 64, 16, 16) && !of(1, 64, 512, 3));
    });
}
