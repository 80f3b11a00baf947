//! What the tests of the codec share.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Random numbers, the same ones for the same seed.
pub(super) fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut at = 0u64;
    move || {
        at += 1;
        xxh3_64_with_seed(&at.to_le_bytes(), seed)
    }
}
