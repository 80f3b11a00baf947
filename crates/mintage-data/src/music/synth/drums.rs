//! Drums: sweeping sines for skins, filtered noise for snares and metal.

use super::{Noise, Tone, smooth};

/// What a drum is made of.
struct Drum {
    level: f32,
    /// The skin: from this frequency to that one.
    from_hz: f32,
    to_hz: f32,
    skin: f32,
    /// Time in which the skin's sound falls by 60 dB.
    skin_secs: f32,
    noise: f32,
    noise_secs: f32,
    /// Noise below is taken away, and above softened.
    high_pass_hz: f32,
    low_pass_hz: f32,
    /// Inharmonic tones of a plate.
    metal: f32,
}

const SILENT: Drum = Drum {
    level: 1.0,
    from_hz: 200.0,
    to_hz: 200.0,
    skin: 0.0,
    skin_secs: 0.1,
    noise: 0.0,
    noise_secs: 0.1,
    high_pass_hz: 200.0,
    low_pass_hz: 12_000.0,
    metal: 0.0,
};

fn drum(pitch: u8) -> Drum {
    let skin = |from_hz, to_hz, skin_secs, noise| Drum {
        level: 0.9,
        from_hz,
        to_hz,
        skin: 1.0,
        skin_secs,
        noise,
        noise_secs: 0.03,
        ..SILENT
    };
    let metal = |noise_secs, high_pass_hz, level| Drum {
        level,
        noise: 0.7,
        noise_secs,
        high_pass_hz,
        metal: 0.25,
        ..SILENT
    };
    match pitch {
        35 | 36 => Drum { level: 1.3, ..skin(150.0, 48.0, 0.35, 0.12) },
        37 => Drum { noise_secs: 0.04, ..skin(900.0, 850.0, 0.05, 0.4) },
        38 | 40 => {
            Drum { noise: 0.75, noise_secs: 0.28, high_pass_hz: 1200.0, ..skin(260.0, 185.0, 0.18, 0.0) }
        }
        39 => Drum { noise: 1.0, noise_secs: 0.22, high_pass_hz: 900.0, low_pass_hz: 5000.0, ..SILENT },
        41 | 43 | 45 | 47 | 48 | 50 => {
            let hz = 75.0 * (f32::from(pitch - 41) / 12.0).exp2();
            skin(hz * 1.6, hz, 0.5, 0.06)
        }
        42 | 44 => metal(0.09, 7000.0, 0.42),
        46 => metal(0.55, 6500.0, 0.42),
        49 | 52 | 55 | 57 => metal(2.2, 3500.0, 0.55),
        51 | 53 | 59 => Drum { metal: 0.5, noise: 0.35, ..metal(1.2, 5000.0, 0.4) },
        54 | 69 | 70 | 82 => metal(0.12, 6000.0, 0.35),
        56 => skin(620.0, 560.0, 0.25, 0.1),
        60..=66 => {
            let hz = 340.0 * (f32::from(62 - pitch.min(66)) / 8.0).exp2().max(0.3);
            skin(hz * 1.15, hz, 0.25, 0.15)
        }
        75..=77 => skin(1800.0, 1700.0, 0.06, 0.2),
        80 | 81 => metal(0.9, 4000.0, 0.3),
        _ => skin(420.0, 380.0, 0.15, 0.25),
    }
}

/// Place between left and right, as the drummer sits.
pub fn pan(pitch: u8) -> f32 {
    match pitch {
        42 | 44 | 46 => 0.35,
        41 | 43 => -0.4,
        45 | 47 => -0.1,
        48 | 50 => 0.2,
        49 | 55 => -0.45,
        51 | 53 | 57 | 59 => 0.5,
        _ => 0.0,
    }
}

/// Adds the samples of a stroke to an empty `sound`.
pub fn stroke(tone: &Tone, sound: &mut Vec<f32>) {
    let drum = drum(tone.pitch);
    let secs = drum.skin_secs.max(drum.noise_secs) * 1.1 + 0.02;
    sound.resize((secs * tone.rate_hz) as usize, 0.0);
    if drum.skin > 0.0 {
        skin(&drum, tone, sound);
    }
    hiss(&drum, tone, sound);
    let gain = drum.level * tone.velocity.powf(1.5) * 0.42;
    let (rise, fall) = (0.0012 * tone.rate_hz, 0.01 * tone.rate_hz);
    let length = sound.len() as f32;
    for (index, sample) in sound.iter_mut().enumerate() {
        let at = index as f32;
        *sample *= gain * smooth(at / rise) * smooth((length - 1.0 - at) / fall);
    }
}

/// Falls by 60 dB in so many seconds, as a factor a sample.
fn fade(secs: f32, rate: f32) -> f32 {
    (-6.9 / (secs * rate)).exp()
}

fn skin(drum: &Drum, tone: &Tone, sound: &mut [f32]) {
    let sweep = (-1.0 / (0.03 * tone.rate_hz)).exp();
    let falling = fade(drum.skin_secs, tone.rate_hz);
    let (mut extra, mut phase, mut level) = (drum.from_hz - drum.to_hz, 0.0f32, drum.skin);
    for sample in sound {
        *sample += level * phase.sin();
        phase += std::f32::consts::TAU * (drum.to_hz + extra) / tone.rate_hz;
        phase %= std::f32::consts::TAU;
        extra *= sweep;
        level *= falling;
    }
}

/// Noise and plate tones between two frequencies.
fn hiss(drum: &Drum, tone: &Tone, sound: &mut [f32]) {
    const PLATE_HZ: [f32; 6] = [2050.0, 3070.0, 4150.0, 5430.0, 6790.0, 8210.0];
    let keep = |hz: f32| 1.0 - (-std::f32::consts::TAU * hz / tone.rate_hz).exp();
    let (below, above) = (keep(drum.high_pass_hz), keep(drum.low_pass_hz));
    let falling = fade(drum.noise_secs, tone.rate_hz);
    let mut noise = Noise(tone.seed);
    let (mut low, mut soft, mut level) = (0.0, 0.0, 1.0);
    let steps = PLATE_HZ.map(|hz| std::f32::consts::TAU * hz.min(tone.rate_hz * 0.45) / tone.rate_hz);
    for (index, sample) in sound.iter_mut().enumerate() {
        let white = noise.next() * drum.noise;
        low += below * (white - low);
        soft += above * ((white - low) - soft);
        let plate: f32 = match drum.metal > 0.0 && level > 1e-3 {
            true => steps.iter().map(|step| (step * index as f32).sin()).sum(),
            false => 0.0,
        };
        *sample += level * (soft + drum.metal * 0.3 * plate);
        level *= falling;
    }
}
