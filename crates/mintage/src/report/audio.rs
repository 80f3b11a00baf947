//! Sounds to listen to within a page.

use base64::{Engine, engine::general_purpose::STANDARD};
use mintage_data::audio::{WavDepth, wav_bytes};

/// Bytes of a sample.
const SAMPLE_BYTES: usize = 2;
/// Rates are not made lower than this, in samples a second; what is still too long is cut.
const MIN_RATE_HZ: u32 = 8_000;

/// A player of interleaved `samples` that takes at most `most` bytes of the page, but for a few. What is longer is made
/// mono, then lower in rate, then shorter.
pub(crate) fn player(samples: &[f32], channels: usize, rate_hz: u32, most: usize) -> String {
    // Four characters stand for three bytes.
    let room = most / 4 * 3 / SAMPLE_BYTES;
    let (samples, channels, rate_hz) = fitted(samples, channels.max(1), rate_hz, room);
    let bytes = wav_bytes(&samples, channels, rate_hz, WavDepth::Bits16, "");
    format!(
        "<audio controls preload=\"none\" src=\"data:audio/wav;base64,{}\"></audio>",
        STANDARD.encode(bytes)
    )
}

/// At most `room` samples.
fn fitted(samples: &[f32], channels: usize, rate_hz: u32, room: usize) -> (Vec<f32>, usize, u32) {
    if samples.len() <= room {
        return (samples.to_vec(), channels, rate_hz);
    }
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    let mono: Vec<f32> = samples.chunks_exact(channels).map(mean).collect();
    let most = (rate_hz / MIN_RATE_HZ).max(1) as usize;
    // Means of neighbours take away most of what a lower rate cannot hold.
    let each = mono.len().div_ceil(room.max(1)).clamp(1, most);
    let mut slower: Vec<f32> = mono.chunks_exact(each).map(mean).collect();
    slower.truncate(room);
    (slower, 1, rate_hz / each as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sounds_fit_into_the_page() {
        let tone: Vec<f32> = (0..400_000).map(|t| (0.01 * t as f32).sin()).collect();
        assert!(player(&tone, 2, 44_100, 100_000).len() < 100_200);
        assert_eq!(fitted(&tone[..100], 2, 44_100, 100).1, 2);
        let (short, channels, rate) = fitted(&tone, 2, 44_100, 100_000);
        assert_eq!((short.len(), channels, rate), (100_000, 1, 22_050));
        // Five times as long as there is room for at the least rate.
        let (cut, _, rate) = fitted(&tone, 1, 16_000, 40_000);
        assert_eq!((cut.len(), rate), (40_000, 8_000));
    }
}
