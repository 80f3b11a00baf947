//! What happens to the whole mix: a room, a limiter, a fade at the end.

/// Lengths of the delays at 44.1 kHz: primes, so that their echoes do not fall together.
const DELAYS: [usize; 8] = [1117, 1277, 1423, 1571, 1733, 1889, 2039, 2221];
/// Time in which an echo falls by 60 dB.
const DECAY_SECS: f32 = 1.5;
const WET: f32 = 0.16;
/// −1 dBFS.
const PEAK: f32 = 0.891_25;
/// Where the limiter sets in, of full scale.
const KNEE: f32 = 0.6;

/// Adds a gentle hall: a network of eight delays that feed each other (Jot and Chaigne, 1991), each losing its
/// highs sooner than its lows.
pub fn add_reverb(stereo: &mut [f32], rate_hz: u32) {
    let rate = rate_hz as f32;
    let mut lines: Vec<Vec<f32>> = DELAYS.iter().map(|n| vec![0.0; delay(*n, rate)]).collect();
    let gains: Vec<f32> =
        lines.iter().map(|line| 10f32.powf(-3.0 * line.len() as f32 / rate / DECAY_SECS)).collect();
    let keep = 1.0 - (-std::f32::consts::TAU * 4200.0 / rate).exp();
    let (mut damped, mut at) = ([0.0f32; 8], [0usize; 8]);
    for frame in stereo.chunks_exact_mut(2) {
        for i in 0..8 {
            let heard = lines[i][at[i]] * gains[i];
            damped[i] += keep * (heard - damped[i]);
        }
        let mixed = hadamard(damped);
        for i in 0..8 {
            // Left goes into the even delays, right into the odd ones. The constant keeps silence from
            // sinking into denormal numbers, which are slow.
            lines[i][at[i]] = mixed[i] + frame[i % 2] + 1e-18;
            at[i] = if at[i] + 1 == lines[i].len() { 0 } else { at[i] + 1 };
        }
        frame[0] += WET * (damped[0] - damped[2] + damped[4] - damped[6] + 0.3 * damped[1]);
        frame[1] += WET * (damped[1] - damped[3] + damped[5] - damped[7] + 0.3 * damped[0]);
    }
}

fn delay(at_44100: usize, rate: f32) -> usize {
    ((at_44100 as f32 * rate / 44_100.0) as usize).max(1)
}

/// A rotation that mixes all with all.
fn hadamard(mut x: [f32; 8]) -> [f32; 8] {
    for half in [1, 2, 4] {
        for i in (0..8).filter(|i| i & half == 0) {
            (x[i], x[i + half]) = (x[i] + x[i + half], x[i] - x[i + half]);
        }
    }
    x.map(|x| x * 8f32.sqrt().recip())
}

/// Bends down the rare highest peaks, so that the rest can be loud, and brings the peak to −1 dBFS. Silence
/// stays silence.
pub fn limit(stereo: &mut [f32]) {
    let common = nearly_peak(stereo);
    if common <= 1e-6 {
        return stereo.fill(0.0);
    }
    let gain = 0.8 / common;
    let mut peak = 0f32;
    for sample in stereo.iter_mut() {
        let (x, sign) = ((*sample * gain).abs(), sample.signum());
        let bent = if x > KNEE { KNEE + (1.0 - KNEE) * ((x - KNEE) / (1.0 - KNEE)).tanh() } else { x };
        *sample = sign * bent;
        peak = peak.max(bent);
    }
    stereo.iter_mut().for_each(|sample| *sample *= PEAK / peak);
}

/// The level that one sample in two thousand exceeds.
fn nearly_peak(stereo: &[f32]) -> f32 {
    const BINS: usize = 4096;
    let peak = stereo.iter().fold(0f32, |peak, x| peak.max(x.abs()));
    if peak <= 1e-6 {
        return 0.0;
    }
    let mut counts = [0usize; BINS];
    for x in stereo {
        counts[((x.abs() / peak * BINS as f32) as usize).min(BINS - 1)] += 1;
    }
    let mut above = 0;
    let bin = (0..BINS).rev().find(|bin| {
        above += counts[*bin];
        above * 2000 > stereo.len()
    });
    peak * (bin.unwrap_or(0) + 1) as f32 / BINS as f32
}

/// Half a second of silence to come, smoothly.
pub fn fade_out(stereo: &mut [f32], rate_hz: u32) {
    let frames = (rate_hz / 2) as usize;
    let first = (stereo.len() / 2).saturating_sub(frames);
    for (index, frame) in stereo[first * 2..].chunks_exact_mut(2).enumerate() {
        let gain = 1.0 - super::smooth((index + 1) as f32 / frames as f32);
        frame.iter_mut().for_each(|sample| *sample *= gain);
    }
}
