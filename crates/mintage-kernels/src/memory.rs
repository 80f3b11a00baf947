#![allow(unsafe_code)] // Kernels write into memory that was not cleared first, in disjoint parts from several threads.
//! Memory and work that several threads share without changing the result.
//!
//! Tasks either own what they write, or sum into parts whose number depends on the thread count alone
//! and that are added in the order of their index: which thread ran what never shows.

use std::cell::RefCell;

use rayon::prelude::*;

/// Values below which splitting the work costs more than it saves.
const MIN_SPLIT_VALUES: usize = 1 << 13;

/// Runs `work(chunk)` for the ranges that cut `0..len` into chunks of `size`, on all threads when there is enough.
pub(super) fn for_chunks(len: usize, size: usize, work: impl Fn(std::ops::Range<usize>) + Sync) {
    let chunk = |i: usize| i * size..len.min((i + 1) * size);
    let chunks = len.div_ceil(size.max(1));
    if chunks < 2 {
        (0..chunks).for_each(|i| work(chunk(i)));
    } else {
        (0..chunks).into_par_iter().for_each(|i| work(chunk(i)));
    }
}

/// Items of `width` values that one task should take, so that tasks are neither tiny nor few.
pub(super) fn items_a_task(width: usize) -> usize {
    (MIN_SPLIT_VALUES / width.max(1)).max(1)
}

/// Ranges that cut `0..len` into one part a thread.
pub(super) fn parts(len: usize) -> Vec<std::ops::Range<usize>> {
    let parts = rayon::current_num_threads().min(len).max(1);
    (0..parts).map(|i| i * len / parts..(i + 1) * len / parts).collect()
}

/// Memory for `n` values that the caller writes before anything reads them. Clearing it first would
/// cost as much as a whole element-wise pass.
pub(super) fn unwritten(n: usize) -> Vec<f32> {
    let mut values: Vec<std::mem::MaybeUninit<f32>> = Vec::with_capacity(n);
    // SAFETY: `MaybeUninit` needs no initialisation.
    unsafe { values.set_len(n) };
    let mut values = std::mem::ManuallyDrop::new(values);
    // SAFETY: same allocation, same layout; every kernel writes each value before it is read.
    unsafe { Vec::from_raw_parts(values.as_mut_ptr().cast::<f32>(), n, values.capacity()) }
}

/// `len` values, chunks of `size` of them filled by `fill(range, values)` on all threads.
pub(super) fn filled(
    len: usize,
    size: usize,
    fill: impl Fn(std::ops::Range<usize>, &mut [f32]) + Sync,
) -> Vec<f32> {
    let mut values = unwritten(len);
    let shared = Shared(values.as_mut_ptr());
    for_chunks(len, size, |chunk| {
        // SAFETY: chunks are disjoint.
        fill(chunk.clone(), unsafe { shared.slice(chunk.start, chunk.len()) });
    });
    values
}

/// `n` rows of `width` values, each filled by `fill(row, values)`, on all threads.
pub(super) fn filled_rows(n: usize, width: usize, fill: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    filled(n * width, items_a_task(width) * width, |chunk, values| {
        let rows = values.chunks_exact_mut(width).enumerate();
        rows.for_each(|(i, row)| fill(chunk.start / width + i, row));
    })
}

/// A pointer that tasks share; each writes its own part.
#[derive(Clone, Copy)]
pub(super) struct Shared(pub *mut f32);

// SAFETY: users hand disjoint parts to different tasks.
unsafe impl Send for Shared {}
unsafe impl Sync for Shared {}

impl Shared {
    /// # Safety
    /// `start` lies inside the allocation.
    pub unsafe fn at(self, start: usize) -> *mut f32 {
        unsafe { self.0.add(start) }
    }

    /// # Safety
    /// `[start, start + len)` lies inside the allocation and no other task touches it meanwhile.
    pub unsafe fn slice<'a>(self, start: usize, len: usize) -> &'a mut [f32] {
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }
}

/// Sums equally long vectors in the order of their index.
pub(super) fn add_in_order(parts: Vec<Vec<f32>>) -> Vec<f32> {
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_default();
    for part in parts {
        for (total, part) in total.iter_mut().zip(part) {
            *total += part;
        }
    }
    total
}

thread_local! {
    /// Scratch that nobody uses at the moment.
    static SCRATCH: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// [`with_used_scratch`], cleared.
pub(super) fn with_scratch<const N: usize, R>(
    sizes: [usize; N],
    work: impl FnOnce([&mut [f32]; N]) -> R,
) -> R {
    with_used_scratch(sizes, |mut slices| {
        slices.iter_mut().for_each(|slice| slice.fill(0.0));
        work(slices)
    })
}

/// Lends `N` slices of this thread's scratch memory, with whatever the last user left there.
pub(super) fn with_used_scratch<const N: usize, R>(
    sizes: [usize; N],
    work: impl FnOnce([&mut [f32]; N]) -> R,
) -> R {
    let mut scratch = SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default();
    let total = sizes.iter().sum();
    if scratch.len() < total {
        scratch.resize(total, 0.0);
    }
    let mut rest = &mut scratch[..total];
    let result = work(sizes.map(|size| {
        let (head, tail) = std::mem::take(&mut rest).split_at_mut(size);
        rest = tail;
        head
    }));
    SCRATCH.with_borrow_mut(|free| free.push(scratch));
    result
}
