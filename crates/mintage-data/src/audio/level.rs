//! How loud a sound is, whether it lies off the zero line, and whether it is clipped.
//!
//! Loudness is the RMS of what is loud: blocks of 50 ms below −60 dBFS, and then those 10 dB below the mean of the
//! others, do not count. It is the gate of ITU-R BS.1770 without its filter, which is made for loudspeakers.

/// Blocks a second.
const BLOCKS_PER_SEC: u32 = 20;
/// Nothing below −60 dBFS is heard.
const SILENCE_LEVEL: f32 = 1e-3;
/// Peaks stay below −1 dBFS: what is made from them may overshoot a little.
const MAX_PEAK: f32 = 0.891_251;
/// From 1 % of full scale on an offset is taken out.
const MIN_OFFSET: f64 = 0.01;
/// Shorter sounds are none.
const SHORTEST_SECONDS: f64 = 0.01;

/// Channels of which less than this share of the power is left when they are mixed cancel each other out.
const MIN_POWER_LEFT: f64 = 0.02;

/// Listens to whether channels cancel each other out when they are mixed to one: the voices of a stereo track whose
/// one side is upside down would be gone.
#[derive(Debug, Default)]
pub(super) struct Phases {
    mixed: f64,
    /// Sum of squares of each channel.
    alone: Vec<f64>,
}

impl Phases {
    /// Takes samples channel by channel.
    pub fn add(&mut self, planes: &[Vec<f32>]) {
        let Some(first) = planes.first().filter(|_| planes.len() > 1) else { return };
        self.alone.resize(planes.len(), 0.0);
        let square = |x: f32| f64::from(x) * f64::from(x);
        for (alone, plane) in self.alone.iter_mut().zip(planes) {
            *alone += plane.iter().map(|&x| square(x)).sum::<f64>();
        }
        let sum = |i: usize| planes.iter().map(|plane| plane[i]).sum::<f32>() / planes.len() as f32;
        self.mixed += (0..first.len()).map(|i| square(sum(i))).sum::<f64>();
    }

    /// The loudest channel, the first of several, where mixing leaves nothing of it.
    pub fn cancelled(&self) -> Option<usize> {
        let n = self.alone.len();
        let loudest = (0..n).rev().max_by(|&a, &b| self.alone[a].total_cmp(&self.alone[b]))?;
        let all: f64 = self.alone.iter().sum();
        (self.mixed * (n as f64) < MIN_POWER_LEFT * all).then_some(loudest)
    }
}

/// Listens to interleaved samples of one or two channels.
#[derive(Debug)]
pub(super) struct Meter {
    rate_hz: u32,
    channels: usize,
    frames: u64,
    low: [f32; 2],
    high: [f32; 2],
    /// Sum and sum of squares of each channel, of each block.
    blocks: Vec<[[f64; 2]; 2]>,
}

/// What brings a sound to its level: first the offset goes, then the gain is applied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    pub offset: [f32; 2],
    pub gain: f32,
}

impl Level {
    /// Interleaved samples as they are stored: 1 is 2¹⁵.
    pub fn apply(self, samples: &[f32], channels: usize) -> impl ExactSizeIterator<Item = u16> {
        samples.iter().enumerate().map(move |(i, &sample)| {
            let sample = (sample - self.offset[i % channels]) * self.gain;
            ((sample * 32_768.0).round() as i16) as u16
        })
    }

    pub fn has_offset(self) -> bool {
        self.offset != [0.0; 2]
    }
}

impl Meter {
    pub fn new(rate_hz: u32, channels: usize) -> Self {
        let (low, high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        Self { rate_hz, channels, frames: 0, low, high, blocks: Vec::new() }
    }

    pub fn add(&mut self, samples: &[f32]) {
        let block = u64::from(self.rate_hz.div_ceil(BLOCKS_PER_SEC));
        for frame in samples.chunks_exact(self.channels) {
            if self.frames.is_multiple_of(block) {
                self.blocks.push([[0.0; 2]; 2]);
            }
            self.frames += 1;
            let Some(sums) = self.blocks.last_mut() else { continue };
            for (channel, &sample) in frame.iter().enumerate() {
                self.low[channel] = self.low[channel].min(sample);
                self.high[channel] = self.high[channel].max(sample);
                sums[channel][0] += f64::from(sample);
                sums[channel][1] += f64::from(sample) * f64::from(sample);
            }
        }
    }

    /// The offset and the gain that bring the sound to a loudness, as far as its peak allows.
    ///
    /// # Errors
    /// The sound is too short, or silent.
    pub fn level(&self, loudness_dbfs: f32) -> Result<Level, String> {
        let secs = self.frames as f64 / f64::from(self.rate_hz);
        if secs < SHORTEST_SECONDS {
            return Err(format!("lasts for {:.1} ms only", secs * 1e3));
        }
        let mut offset = [0.0; 2];
        for channel in 0..self.channels {
            let mean = self.blocks.iter().map(|sums| sums[channel][0]).sum::<f64>() / self.frames as f64;
            offset[channel] = if mean.abs() > MIN_OFFSET { mean as f32 } else { 0.0 };
        }
        let peak = (0..self.channels)
            .map(|c| (self.high[c] - offset[c]).max(offset[c] - self.low[c]))
            .fold(0.0, f32::max);
        if peak < SILENCE_LEVEL {
            return Err("is silent: nothing in it is louder than −60 dBFS".to_owned());
        }
        let target = f64::from(10f32.powf(loudness_dbfs / 20.0));
        let gain = (target / self.loud_rms(offset)).min(f64::from(MAX_PEAK / peak));
        Ok(Level { offset, gain: gain as f32 })
    }

    fn loud_rms(&self, offset: [f32; 2]) -> f64 {
        let block = u64::from(self.rate_hz.div_ceil(BLOCKS_PER_SEC));
        let powers: Vec<f64> = (0u64..)
            .zip(&self.blocks)
            .map(|(at, sums)| {
                let n = (self.frames - at * block).min(block) as f64;
                let power = |channel: usize| {
                    let ([sum, squares], offset) = (sums[channel], f64::from(offset[channel]));
                    (squares - 2.0 * offset * sum) / n + offset * offset
                };
                (0..self.channels).map(power).sum::<f64>() / self.channels as f64
            })
            .collect();
        let above = |gate: f64| {
            let loud: Vec<f64> = powers.iter().copied().filter(|&power| power > gate).collect();
            (!loud.is_empty()).then(|| loud.iter().sum::<f64>() / loud.len() as f64)
        };
        let mean = above(f64::from(SILENCE_LEVEL * SILENCE_LEVEL)).or(above(0.0)).unwrap_or(1.0);
        above(mean / 10.0).unwrap_or(mean).sqrt()
    }
}

/// Looks for runs of equal samples at full scale, channel by channel.
#[derive(Debug, Default)]
pub(super) struct Clipping {
    /// The last sample of each channel, and how often it came in a row.
    last: Vec<(f32, u64)>,
    clipped: u64,
    samples: u64,
}

impl Clipping {
    /// From here on a sample may have been cut off; eight bits reach no further than 0.992.
    const FULL_SCALE: f32 = 0.99;
    /// Shorter runs happen by themselves.
    const MIN_CLIPPED_RUN: u64 = 3;
    /// From one sample in so many on a sound is called clipped.
    const SAMPLES_PER_CLIPPED: u64 = 10_000;

    pub fn add(&mut self, planes: &[Vec<f32>]) {
        self.last.resize(planes.len(), (0.0, 0));
        for (plane, (last, run)) in planes.iter().zip(&mut self.last) {
            self.samples += plane.len() as u64;
            for &sample in plane {
                *run = if sample == *last { *run + 1 } else { 1 };
                *last = sample;
                if sample.abs() >= Self::FULL_SCALE && *run >= Self::MIN_CLIPPED_RUN {
                    self.clipped += if *run == Self::MIN_CLIPPED_RUN { Self::MIN_CLIPPED_RUN } else { 1 };
                }
            }
        }
    }

    pub fn is_clipped(&self) -> bool {
        self.clipped > 0 && self.clipped * Self::SAMPLES_PER_CLIPPED >= self.samples
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::f32::consts::TAU;

    use super::*;

    fn level(samples: &[f32]) -> Result<Level, String> {
        let mut meter = Meter::new(8000, 1);
        samples.chunks(333).for_each(|part| meter.add(part));
        meter.level(-20.0)
    }

    fn sine(height: f32, frames: usize) -> Vec<f32> {
        (0..frames).map(|i| height * (TAU * 200.0 * i as f32 / 8000.0).sin()).collect()
    }

    #[test]
    fn silence_around_a_sound_does_not_make_it_louder() {
        let quiet = level(&sine(0.05, 4000)).unwrap();
        assert!((quiet.gain - 0.1 / (0.05 / 2f32.sqrt())).abs() < 0.01, "{}", quiet.gain);
        let mut padded = vec![0.0; 8000];
        padded.extend(sine(0.05, 4000));
        padded.extend(vec![0.0; 8000]);
        assert!((level(&padded).unwrap().gain - quiet.gain).abs() < 0.01);
    }

    #[test]
    fn peaks_keep_their_headroom() {
        let mut clicks = sine(0.001, 8000);
        clicks[4000] = 0.9;
        let Level { gain, .. } = level(&clicks).unwrap();
        assert!((0.9 * gain - MAX_PEAK).abs() < 1e-4, "{gain}");
        let huge = [3e38, -3e38].repeat(100);
        let level = level(&huge).unwrap();
        assert!(level.apply(&huge, 1).all(|word| (word as i16).unsigned_abs() <= 29_205));
    }

    #[test]
    fn an_offset_is_taken_out_and_silence_refused() {
        let off: Vec<f32> = sine(0.1, 4000).iter().map(|sample| sample + 0.25).collect();
        let level_off = level(&off).unwrap();
        assert!(level_off.has_offset() && (level_off.offset[0] - 0.25).abs() < 1e-3);
        assert!((level_off.gain - level(&sine(0.1, 4000)).unwrap().gain).abs() < 0.01);
        let mean: f32 = level_off.apply(&off, 1).map(|word| f32::from(word as i16)).sum::<f32>() / 4000.0;
        assert!(mean.abs() < 5.0, "{mean}");
        assert!(level(&vec![0.25; 4000]).unwrap_err().contains("silent"));
        assert!(level(&sine(0.0009, 4000)).unwrap_err().contains("silent"));
        assert!(level(&[0.5; 40]).unwrap_err().contains("5.0 ms"));
    }

    #[test]
    fn runs_at_full_scale_are_clipping() {
        let told = |samples: Vec<f32>| {
            let mut clipping = Clipping::default();
            samples.chunks(7).for_each(|part| clipping.add(&[part.to_vec()]));
            clipping.is_clipped()
        };
        assert!(!told(sine(0.98, 8000)));
        assert!(told(sine(1.5, 8000).iter().map(|sample| sample.clamp(-1.0, 0.992)).collect()));
        assert!(!told([1.0, 1.0, 0.0].repeat(1000)));
        assert!(!told(vec![0.5; 1000]));
    }
}
