//! Pitched instruments: a timbre for each family of General MIDI, played by one of two methods.
//!
//! - Partials: a sum of sines, `f_k = k f₀ √(1 + B k²)` with inharmonicity `B` (Fletcher and Rossing, The
//!   Physics of Musical Instruments), each with its own strength and decay.
//! - String: Karplus and Strong, "Digital Synthesis of Plucked-String and Drum Timbres" (1983): a burst of
//!   noise runs round a delay line whose filter takes the highs away first.

use super::{Noise, Tone, smooth};

/// Partials are computed side by side in groups of so many, and at most so many groups.
const LANES: usize = 8;
const GROUPS: usize = 3;
/// Samples between two changes of frequency by vibrato.
const VIBRATO_SAMPLES: usize = 64;
/// Nothing sounds on longer after its end, in seconds.
const LONGEST_RELEASE: f32 = 0.6;

/// How an instrument sounds.
#[derive(Clone, Copy)]
struct Timbre {
    level: f32,
    attack_secs: f32,
    release_secs: f32,
    /// Partial `k` has the strength `k^-rolloff`.
    rolloff: f32,
    /// Strength of even partials beside odd ones.
    even: f32,
    inharmonicity: f32,
    /// Of the first partial, in nepers a second; 0 is sustained.
    decay: f32,
    /// How much faster each further partial decays, as a share of the first.
    damping: f32,
    vibrato_cents: f32,
    /// Distance of a second set of partials, for ensembles.
    chorus_cents: f32,
    /// Noise at the beginning: hammer or breath.
    noise: f32,
    string: bool,
    /// Sung: partials near the resonances of a mouth are strong.
    sung: bool,
}

const SUSTAINED: Timbre = Timbre {
    level: 0.8,
    attack_secs: 0.03,
    release_secs: 0.12,
    rolloff: 1.2,
    even: 1.0,
    inharmonicity: 0.0,
    decay: 0.0,
    damping: 0.0,
    vibrato_cents: 0.0,
    chorus_cents: 0.0,
    noise: 0.0,
    string: false,
    sung: false,
};
const PIANO: Timbre = Timbre {
    level: 1.0,
    attack_secs: 0.003,
    release_secs: 0.25,
    rolloff: 1.05,
    inharmonicity: 3e-4,
    decay: 0.7,
    damping: 0.35,
    noise: 0.05,
    ..SUSTAINED
};
const BELLS: Timbre =
    Timbre { rolloff: 1.9, inharmonicity: 4e-3, decay: 1.6, damping: 0.9, release_secs: 0.5, ..PIANO };
const ORGAN: Timbre = Timbre { attack_secs: 0.025, rolloff: 1.0, even: 0.8, chorus_cents: 2.0, ..SUSTAINED };
const GUITAR: Timbre =
    Timbre { level: 1.0, decay: 1.0, release_secs: 0.18, attack_secs: 0.002, string: true, ..SUSTAINED };
const BASS: Timbre =
    Timbre { level: 1.25, rolloff: 1.6, decay: 0.9, damping: 0.6, attack_secs: 0.006, noise: 0.03, ..PIANO };
const STRINGS: Timbre = Timbre {
    attack_secs: 0.09,
    release_secs: 0.25,
    rolloff: 1.15,
    vibrato_cents: 9.0,
    chorus_cents: 5.0,
    ..SUSTAINED
};
const CHOIR: Timbre =
    Timbre { attack_secs: 0.1, rolloff: 1.0, sung: true, vibrato_cents: 7.0, chorus_cents: 6.0, ..STRINGS };
const BRASS: Timbre = Timbre { attack_secs: 0.045, rolloff: 0.95, vibrato_cents: 3.0, ..SUSTAINED };
const REED: Timbre =
    Timbre { attack_secs: 0.035, rolloff: 1.05, even: 0.45, vibrato_cents: 5.0, noise: 0.01, ..SUSTAINED };
const PIPE: Timbre = Timbre { attack_secs: 0.05, rolloff: 2.1, vibrato_cents: 6.0, noise: 0.03, ..SUSTAINED };
const LEAD: Timbre =
    Timbre { level: 0.65, attack_secs: 0.01, rolloff: 1.0, even: 0.6, vibrato_cents: 4.0, ..SUSTAINED };
const PAD: Timbre =
    Timbre { attack_secs: 0.2, release_secs: 0.5, rolloff: 1.6, chorus_cents: 8.0, ..STRINGS };
const PERCUSSIVE: Timbre = Timbre { decay: 5.0, damping: 0.7, inharmonicity: 8e-3, noise: 0.1, ..PIANO };

/// The timbre of a programme, by the families of General MIDI.
fn timbre(programme: u8) -> Timbre {
    match programme {
        0..=5 => PIANO,
        6..=7 => GUITAR,
        8..=15 => BELLS,
        16..=23 => ORGAN,
        24..=31 => GUITAR,
        32..=39 => BASS,
        45..=46 => GUITAR,
        47 => PERCUSSIVE,
        40..=51 => STRINGS,
        52..=54 => CHOIR,
        55..=63 => BRASS,
        64..=71 => REED,
        72..=79 => PIPE,
        80..=87 => LEAD,
        88..=103 => PAD,
        104..=108 => GUITAR,
        109..=111 => REED,
        _ => PERCUSSIVE,
    }
}

/// Adds the samples of a tone to an empty `sound`.
pub fn play(tone: &Tone, sound: &mut Vec<f32>) {
    let timbre = timbre(tone.programme);
    let release = timbre.release_secs.min(LONGEST_RELEASE);
    sound.resize(((tone.secs + release) * tone.rate_hz) as usize, 0.0);
    if timbre.string {
        pluck(tone, &timbre, sound);
    } else {
        let spread = timbre.chorus_cents;
        if spread > 0.0 {
            partials(tone, &timbre, spread, 0.6, sound);
            partials(tone, &timbre, -spread, 0.6, sound);
        } else {
            partials(tone, &timbre, 0.0, 1.0, sound);
        }
        if timbre.noise > 0.0 {
            transient(tone, &timbre, sound);
        }
    }
    shape(tone, &timbre, sound);
}

/// Sines that rotate: each keeps a point on a circle, and decays by a little at each step.
#[derive(Default)]
struct Group {
    re: [f32; LANES],
    im: [f32; LANES],
    hz: [f32; LANES],
    decay: [f32; LANES],
    cos: [f32; LANES],
    sin: [f32; LANES],
}

impl Group {
    /// Sets how far each point turns a sample.
    fn tune(&mut self, factor: f32, rate: f32) {
        for lane in 0..LANES {
            let (sin, cos) = (std::f32::consts::TAU * self.hz[lane] * factor / rate).sin_cos();
            (self.sin[lane], self.cos[lane]) = (sin * self.decay[lane], cos * self.decay[lane]);
        }
    }

    fn add(&mut self, out: &mut [f32]) {
        let Self { re, im, cos, sin, .. } = self;
        for sample in out {
            let mut sum = 0.0;
            for lane in 0..LANES {
                let (x, y) = (re[lane], im[lane]);
                re[lane] = x * cos[lane] - y * sin[lane];
                im[lane] = x * sin[lane] + y * cos[lane];
                sum += im[lane];
            }
            *sample += sum;
        }
    }
}

/// Adds the partials of a tone, `cents` beside its pitch.
fn partials(tone: &Tone, timbre: &Timbre, cents: f32, gain: f32, sound: &mut [f32]) {
    let mut groups = groups(tone, timbre, cents, gain);
    let steady = timbre.vibrato_cents == 0.0;
    let phase = (tone.seed % 628) as f32 / 100.0;
    for (block, out) in sound.chunks_mut(VIBRATO_SAMPLES).enumerate() {
        let secs = (block * VIBRATO_SAMPLES) as f32 / tone.rate_hz;
        if block == 0 || !steady {
            // Vibrato sets in once the note stands.
            let depth = timbre.vibrato_cents * smooth((secs - 0.15) / 0.4);
            let swing = (std::f32::consts::TAU * 5.3 * secs + phase).sin();
            let factor = (depth * swing / 1200.0).exp2();
            groups.iter_mut().for_each(|group| group.tune(factor, tone.rate_hz));
        }
        groups.iter_mut().for_each(|group| group.add(out));
    }
}

/// Frequencies, strengths and decays. A soft note has weaker high partials.
fn groups(tone: &Tone, timbre: &Timbre, cents: f32, gain: f32) -> Vec<Group> {
    let hz = tone.hz() * (cents / 1200.0).exp2();
    let ceiling = (tone.rate_hz * 0.45).min(14_000.0);
    let brightness = 0.78 + 0.2 * tone.velocity;
    let mut noise = Noise(tone.seed ^ 0x5bd1_e995);
    let mut groups: Vec<Group> = Vec::new();
    let mut energy = 0.0;
    for index in 0..LANES * GROUPS {
        let k = index as f32 + 1.0;
        // Stiffness, with the first partial kept in tune.
        let stretch = ((1.0 + timbre.inharmonicity * k * k) / (1.0 + timbre.inharmonicity)).sqrt();
        let frequency = hz * k * stretch;
        if index > 0 && frequency > ceiling {
            break;
        }
        let even = if index % 2 == 1 { timbre.even } else { 1.0 };
        let strength =
            even * k.powf(-timbre.rolloff) * brightness.powf(k - 1.0) * body(frequency, timbre.sung);
        if index > 0 && strength < 1e-3 {
            break;
        }
        energy += strength * strength;
        if index % LANES == 0 {
            groups.push(Group::default());
        }
        let Some(group) = groups.last_mut() else { break };
        let lane = index % LANES;
        // High strings die away sooner.
        let height = (tone.hz() / 260.0).sqrt().clamp(0.4, 4.0);
        let nepers = timbre.decay * height * (1.0 + timbre.damping * (k - 1.0));
        // Detuned copies begin at other phases, or they would beat in step.
        let phase = if cents == 0.0 { 0.0 } else { noise.next() * std::f32::consts::PI };
        (group.im[lane], group.re[lane]) = (strength * phase.sin(), strength * phase.cos());
        group.hz[lane] = frequency.min(ceiling);
        group.decay[lane] = (-nepers / tone.rate_hz).exp();
    }
    let scale = gain / energy.sqrt().max(1e-6);
    for group in &mut groups {
        group.im.iter_mut().chain(&mut group.re).for_each(|x| *x *= scale);
    }
    groups
}

/// How much of a frequency the instrument's body radiates: little of the lowest, and of a voice most near the
/// formants of "ah" (Peterson and Barney, 1952).
fn body(hz: f32, sung: bool) -> f32 {
    const AH: [(f32, f32, f32); 3] = [(730.0, 160.0, 1.0), (1090.0, 200.0, 0.6), (2440.0, 300.0, 0.25)];
    let low = hz / (hz * hz + 180.0 * 180.0).sqrt();
    if !sung {
        return low;
    }
    let near = |&(centre, width, gain): &(f32, f32, f32)| gain / (1.0 + ((hz - centre) / width).powi(2));
    low * (0.22 + AH.iter().map(near).sum::<f32>())
}

/// The hammer's knock or the breath before the tone: short noise, low-passed around the pitch.
fn transient(tone: &Tone, timbre: &Timbre, sound: &mut [f32]) {
    let mut noise = Noise(tone.seed);
    let keep = 1.0 - (-std::f32::consts::TAU * (tone.hz() * 4.0).min(6000.0) / tone.rate_hz).exp();
    let fade = (-1.0 / (0.018 * tone.rate_hz)).exp();
    let (mut low, mut level) = (0.0, timbre.noise * 2.0 * tone.velocity);
    for sample in sound.iter_mut().take((0.12 * tone.rate_hz) as usize) {
        low += keep * (noise.next() - low);
        *sample += low * level;
        level *= fade;
    }
}

/// A plucked string.
fn pluck(tone: &Tone, timbre: &Timbre, sound: &mut [f32]) {
    // The average of two neighbours delays by half a sample.
    let delay = (tone.rate_hz / tone.hz() - 0.5).max(2.0);
    let whole = delay as usize;
    let fraction = delay - whole as f32;
    let mut line = vec![0.0f32; whole + 1];
    excite(tone, &mut line);
    let loss = (-timbre.decay * (tone.hz() / 200.0).sqrt() / tone.hz()).exp();
    let (mut at, mut before) = (0, 0.0);
    for sample in sound {
        // The oldest value lies at `at`, the one after it behind.
        let (oldest, newer) = (line[at], line[(at + 1) % line.len()]);
        let delayed = newer + fraction * (oldest - newer);
        *sample += delayed;
        line[at] = 0.5 * (delayed + before) * loss;
        before = delayed;
        at = (at + 1) % line.len();
    }
}

/// Noise without a mean, softer for soft notes, as if plucked with a finger and not a pick.
fn excite(tone: &Tone, line: &mut [f32]) {
    let mut noise = Noise(tone.seed);
    let keep = 0.25 + 0.6 * tone.velocity;
    let mut low = 0.0;
    for value in line.iter_mut() {
        low += keep * (noise.next() - low);
        *value = low;
    }
    let mean = line.iter().sum::<f32>() / line.len() as f32;
    line.iter_mut().for_each(|value| *value -= mean);
    let power = line.iter().map(|value| value * value).sum::<f32>() / line.len() as f32;
    line.iter_mut().for_each(|value| *value *= 0.7 / power.sqrt().max(1e-6));
}

/// Attack, release and loudness.
fn shape(tone: &Tone, timbre: &Timbre, sound: &mut [f32]) {
    // Low notes sound softer than they measure, high ones shriller.
    let balance = (261.6 / tone.hz()).powf(0.25).clamp(0.5, 1.4);
    let gain = timbre.level * balance * tone.velocity.powf(1.6) * 0.2;
    // A short note is reached before it ends.
    let attack = timbre.attack_secs.min(tone.secs * 0.5).max(0.001) * tone.rate_hz;
    let held = (tone.secs * tone.rate_hz) as usize;
    let release = (sound.len() - held.min(sound.len())).max(1) as f32;
    for (index, sample) in sound.iter_mut().enumerate() {
        let rise = smooth(index as f32 / attack);
        let fall = 1.0 - smooth((index as f32 - held as f32) / release);
        *sample *= gain * rise * fall;
    }
}
