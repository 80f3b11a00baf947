//! What the tests of all families share.

use mintage_data::AudioBatch;

use super::AudioInfo;

const SEGMENT: usize = 512;

/// The facts of [`tiny_batch`]: 512 samples at 4 kHz, two classes.
pub fn tiny_info(channels: usize) -> AudioInfo {
    AudioInfo { rate_hz: 4_000, channels, segment: SEGMENT, whole: true, classes: 2, train_len: 4 }
}

/// Four sounds of two classes: low tones and high ones, some shorter than their segment.
pub fn tiny_batch(channels: usize) -> AudioBatch {
    let lengths = [512, 400, 512, 300];
    let tone = |item: usize, channel: usize| {
        let hz = [200.0, 700.0][item % 2] * (1.0 + 0.1 * (item / 2 + channel) as f32);
        let value = move |t: usize| 0.3 * (std::f32::consts::TAU * hz * t as f32 / 4_000.0).sin();
        (0..SEGMENT).map(move |t| if t < lengths[item] { value(t) } else { 0.0 })
    };
    let samples =
        (0..4).flat_map(|item| (0..channels).flat_map(move |channel| tone(item, channel))).collect();
    AudioBatch { samples, lengths: lengths.map(|n| n as u32).to_vec(), labels: vec![0, 1, 0, 1], n: 4 }
}
