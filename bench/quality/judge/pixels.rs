//! What images and clips are damaged by in the same way: functions of the bytes of their pixels.

use mintage::nn::Rng;

/// With normal noise of so many times the range of a pixel, cut off at black and white.
pub fn noisy(pixels: &[u8], share: f32) -> Vec<u8> {
    let noise = Rng::new(7, 0).normals(pixels.len());
    let noisy =
        |(&p, noise): (&u8, f32)| (f32::from(p) + 255.0 * share * noise).round().clamp(0.0, 255.0) as u8;
    pixels.iter().zip(noise).map(noisy).collect()
}

/// Each pixel that of another item in the same place; an item has `size` pixels.
pub fn trivial(pixels: &[u8], size: usize) -> Vec<u8> {
    let (mut rng, n) = (Rng::new(9, 0), pixels.len() / size);
    (0..pixels.len()).map(|at| pixels[rng.below(n) * size + at % size]).collect()
}

/// The even items of `a`, the odd ones of `b`; an item has `size` values.
pub fn halves<T: Copy>(a: &[T], b: &[T], size: usize) -> Vec<T> {
    let mut mixed = b.to_vec();
    for (at, item) in mixed.chunks_exact_mut(size).enumerate().step_by(2) {
        item.copy_from_slice(&a[at * size..][..size]);
    }
    mixed
}
