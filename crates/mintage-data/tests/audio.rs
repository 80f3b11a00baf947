//! Sounds from files and databases: every format, rate and number of channels, and what is wrong with some.

#![allow(clippy::unwrap_used)]

use std::{
    f32::consts::TAU,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use mintage_data::{
    AudioFormat, AudioSet, DataKind, Provenance, SourceSpec, Split, append_blobs,
    audio::{WavDepth, wav_bytes},
    inspect::{ColumnKind, inspect},
    is_music, is_sound, is_text,
};
use proptest::prelude::*;
use rusqlite::{Connection, params};

fn spec(path: &Path) -> SourceSpec {
    SourceSpec { source: path.display().to_string(), ..SourceSpec::default() }
}

fn codec(rate_hz: u32, channels: usize) -> AudioFormat {
    AudioFormat { rate_hz, channels, loudness_dbfs: -20.0, segment: 1024, whole: false, classes: vec![] }
}

fn sine(hz: f32, height: f32, rate_hz: u32, secs: f32) -> Vec<f32> {
    let frames = (secs * rate_hz as f32) as usize;
    (0..frames).map(|i| height * (TAU * hz * i as f32 / rate_hz as f32).sin()).collect()
}

fn wav(samples: &[f32], rate_hz: u32) -> Vec<u8> {
    wav_bytes(samples, 1, rate_hz, WavDepth::Bits16, "")
}

fn put(root: &Path, file: &str, bytes: &[u8]) -> PathBuf {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// `n` tones of a quarter of a second in folders `a` and `b`.
fn fill(root: &Path, n: usize) -> SourceSpec {
    for i in 0..n {
        let tone = sine(200.0 + 20.0 * i as f32, 0.2, 8000, 0.25);
        put(root, &format!("{}/{i:03}.wav", ["a", "b"][i % 2]), &wav(&tone, 8000));
    }
    spec(root)
}

/// How often a sound goes through zero upwards, a second.
fn pitch_hz(samples: &[f32], rate_hz: u32) -> f32 {
    let inner = &samples[samples.len() / 10..samples.len() * 9 / 10];
    let ups: Vec<usize> = (1..inner.len()).filter(|&i| inner[i - 1] < 0.0 && inner[i] >= 0.0).collect();
    (ups.len() - 1) as f32 * rate_hz as f32 / (ups[ups.len() - 1] - ups[0]) as f32
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32).sqrt()
}

/// A tone in every channel, as `bits` of integers or, for 0, as numbers of single precision.
fn hound_wav(rate_hz: u32, channels: u16, bits: u16) -> Vec<u8> {
    let (bits_per_sample, sample_format) =
        if bits == 0 { (32, hound::SampleFormat::Float) } else { (bits, hound::SampleFormat::Int) };
    let spec = hound::WavSpec { channels, sample_rate: rate_hz, bits_per_sample, sample_format };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for sample in sine(440.0, 0.5, rate_hz, 0.5) {
        for _ in 0..channels {
            match bits {
                0 => writer.write_sample(sample).unwrap(),
                _ => writer.write_sample((sample * 2f32.powi(i32::from(bits) - 1)) as i32).unwrap(),
            }
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

#[test]
fn every_wav_becomes_the_model_s_samples() {
    for bits in [8, 16, 24, 32, 0] {
        for (rate_hz, channels) in [(4_000, 1), (8_000, 2), (44_100, 8), (192_000, 3), (11_111, 1)] {
            let bytes = hound_wav(rate_hz, channels, bits);
            for (model_hz, model_channels) in [(16_000, 1), (8_000, 2)] {
                let samples = codec(model_hz, model_channels).decode(bytes.clone()).unwrap();
                let what = format!("{bits} bits, {rate_hz} Hz, {channels} channels");
                assert!(samples.len().abs_diff(model_hz as usize / 2 * model_channels) <= 2, "{what}");
                let left = &samples[..samples.len() / model_channels];
                assert!((pitch_hz(left, model_hz) - 440.0).abs() < 2.0, "{what}");
                assert!((rms(&samples) - 0.1).abs() < 0.003, "{what}: {}", rms(&samples));
            }
        }
    }
}

#[test]
fn flac_ogg_and_mp3_hold_the_tone_that_was_put_in() {
    for (file, loss) in [("flac", 1e-3), ("ogg", 0.05), ("mp3", 0.05)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/tone.{file}"));
        let bytes = fs::read(path).unwrap();
        let samples = codec(22_050, 2).decode(bytes.clone()).unwrap();
        let (left, right) = samples.split_at(samples.len() / 2);
        assert!(left.len().abs_diff(11_025) <= 1, "{file}: {} samples", left.len());
        // Where it is in phase too: nothing of the coder's delay is left.
        let wanted = sine(440.0, 0.1 * 2.0, 22_050, 0.5);
        let worst = (2000..9000).map(|i| (left[i] - wanted[i]).abs()).fold(0.0, f32::max);
        assert!(worst < 0.2 * loss + 0.002, "{file}: {worst}");
        assert!(rms(right) < 0.001, "{file}");
        for cut in [10, bytes.len() / 2, bytes.len() * 9 / 10] {
            let why = codec(8000, 1).decode(bytes[..cut].to_vec()).unwrap_err();
            assert!(
                ["cut off", "damaged", "no samples"].iter().any(|word| why.contains(word)),
                "{file}: {why}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn wav_round_trip(
        samples in prop::collection::vec(-1.0f32..1.0, 900..1200),
        rate_hz in prop_oneof![Just(4_000u32), Just(16_000), Just(44_100)],
        stereo in any::<bool>(),
    ) {
        let channels = 1 + usize::from(stereo);
        let samples = &samples[..samples.len() / channels * channels];
        let depths = [(WavDepth::Bits16, 32_768.0), (WavDepth::Bits24, 8_388_608.0), (WavDepth::Float, 1e9)];
        for (depth, one) in depths {
            let bytes = wav_bytes(samples, channels, rate_hz, depth, "{}");
            let mut reader = hound::WavReader::new(Cursor::new(&bytes)).unwrap();
            let read: Vec<f32> = match depth {
                WavDepth::Float => reader.samples::<f32>().map(Result::unwrap).collect(),
                _ => reader.samples::<i32>().map(|sample| sample.unwrap() as f32 / one).collect(),
            };
            prop_assert_eq!(read.len(), samples.len());
            let worst = read.iter().zip(samples).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // Half a step, but a whole one at the very top, which has no number.
            prop_assert!(worst <= 1.0 / one, "{} of {}", worst, one);
            prop_assert!(codec(4_000, 1).decode(bytes).is_ok());
        }
    }

    #[test]
    fn no_bytes_make_the_decoders_panic(
        file in prop_oneof![Just("flac"), Just("ogg"), Just("mp3"), Just("wav")],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/tone.{file}"));
        let mut bytes = fs::read(path).unwrap_or_else(|_| hound_wav(8000, 1, 16));
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        // What comes out does not matter.
        let _ = codec(8000, 1).decode(bytes);
    }
}

#[test]
fn bad_files_say_what_is_wrong_with_them() {
    let why = |bytes: &[u8]| codec(8000, 1).decode(bytes.to_vec()).unwrap_err();
    let whole = wav(&sine(440.0, 0.5, 8000, 1.0), 8000);
    assert!(why(&whole[..whole.len() / 2]).contains("is cut off: 0.50 of 1.00 s"));
    assert!(why(&whole[..30]).contains("cut off"));
    assert!(why(b"").contains("empty"));
    assert!(why(b"Dear reader, this is a letter.").contains("not WAV, AIFF, FLAC, Ogg or MP3"));
    assert!(why(&wav(&[0.0; 8000], 8000)).contains("is silent"));
    assert!(why(&wav(&[0.0005; 8000], 8000)).contains("is silent"));
    assert!(why(&wav(&[], 8000)).contains("no samples"));
    assert!(why(&hound_wav(3_999, 1, 16)).contains("3999 samples a second"));
    assert!(why(&hound_wav(192_001, 1, 16)).contains("192001 samples a second"));
    assert!(why(&hound_wav(8000, 9, 16)).contains("9 channels"));
    // What was piped into a file does not know its length.
    let mut piped = whole.clone();
    piped[4..8].copy_from_slice(&0x7fff_f024u32.to_le_bytes());
    piped[40..44].copy_from_slice(&0x7fff_f000u32.to_le_bytes());
    assert_eq!(codec(8000, 1).decode(piped).unwrap().len(), 8000);
    let mut nan = wav_bytes(&[0.5; 1000], 1, 8000, WavDepth::Float, "");
    let last = nan.len() - 4;
    nan[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(why(&nan).contains("no numbers"));
}

#[test]
fn short_sounds_are_items_with_their_lengths() {
    let dir = tempfile::tempdir().unwrap();
    let spec = fill(dir.path(), 40);
    let short = wav(&sine(300.0, 0.2, 8000, 0.1), 8000);
    put(dir.path(), "a/short.wav", &short);
    assert!(is_sound(&spec).unwrap() && !is_music(&spec).unwrap() && !is_text(&spec).unwrap());
    let set = AudioSet::open(&spec).unwrap();
    let codec = set.codec();
    assert_eq!((codec.rate_hz, codec.channels, codec.segment, codec.whole), (8000, 1, 2048, true));
    assert_eq!((set.len(), set.classes().len(), set.labels()[40]), (41, 2, 1));
    let place = (0..41).find(|&i| set.name(i) == "a/short.wav").unwrap();
    let batch = set.batch(&[set.items_of(place).start], Some(3));
    assert_eq!((batch.lengths[0], batch.labels[0], batch.n, batch.samples.len()), (800, 0, 1, 2048));
    assert!(batch.samples[800..].iter().all(|&sample| sample == 0.0));
    assert_eq!(batch.samples[..800], set.sound(place));
    let all: Vec<u32> =
        [Split::Train, Split::Valid, Split::Holdout].iter().flat_map(|&s| set.items(s)).collect();
    assert_eq!(all, (0..41).collect::<Vec<u32>>());
    let splits = set.splits();
    assert_eq!(set.items(Split::Valid).len(), splits.valid.len());
    assert_eq!(set.items_of(splits.valid[0]).start, set.items(Split::Valid).start);
    assert_eq!(set.batch(&all, None).n, 41);
    // Loudness is the same everywhere.
    assert!((0..41).all(|i| (rms(&set.sound(i)) - 0.1).abs() < 0.005));
}

#[test]
fn long_sounds_are_cut_into_segments() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..6 {
        let noise = sine(200.0 + 50.0 * i as f32, 0.3, 8000, 5.3);
        put(dir.path(), &format!("{i}.wav"), &wav(&noise, 8000));
    }
    let spec = SourceSpec { seconds: Some(0.5), ..spec(dir.path()) };
    let set = AudioSet::open(&spec).unwrap();
    assert_eq!((set.codec().segment, set.codec().whole, set.classes().len()), (4096, false, 0));
    // 42,400 samples are ten segments and a third.
    assert!((0..6).all(|sound| set.items_of(sound).len() == 10));
    let in_turn = set.batch(&[1, 2], None);
    let sound = set.sound(set.splits().train[0]);
    assert_eq!(in_turn.samples, sound[4096..3 * 4096]);
    let (a, b) = (set.batch(&[1, 1, 9], Some(1)), set.batch(&[1, 1, 9], Some(1)));
    assert_eq!(a, b);
    assert_ne!(a.samples[..4096], a.samples[4096..8192]);
    assert!(a.lengths.iter().all(|&length| length == 4096));
    assert_ne!(set.batch(&[1], Some(2)).samples, set.batch(&[1], Some(1)).samples);
    let stereo = AudioSet::open(&SourceSpec { channels: Some(2), ..spec }).unwrap();
    let both = stereo.batch(&[1], None);
    assert_eq!(both.samples.len(), 2 * 4096);
    assert_eq!(both.samples[..4096], both.samples[4096..]);
}

#[test]
fn in_a_file_as_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let spec = fill(dir.path(), 30);
    let (a, b) = (AudioSet::open(&spec).unwrap(), AudioSet::open_within(&spec, 1000).unwrap());
    assert!(b.is_mapped() && !a.is_mapped());
    let all: Vec<u32> = (0..30).collect();
    assert_eq!(a.batch(&all, None), b.batch(&all, None));
    assert_eq!((a.splits(), a.fingerprint()), (b.splits(), b.fingerprint()));
    let again = AudioSet::open_as(&spec, a.codec()).unwrap();
    assert_eq!((again.fingerprint(), again.batch(&all, None)), (a.fingerprint(), a.batch(&all, None)));
}

#[test]
fn one_long_sound_teaches_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let rise: Vec<f32> = (0..8000 * 60).map(|i| (i as f32 * i as f32 * 1e-6).sin() * 0.3).collect();
    let path = put(dir.path(), "talk.wav", &wav(&rise, 8000));
    assert!(is_sound(&spec(&path)).unwrap());
    let set = AudioSet::open(&spec(&path)).unwrap();
    let splits = set.splits();
    assert_eq!((splits.train.len(), splits.valid.len(), splits.holdout.len()), (17, 1, 2));
    assert!(set.name(19).ends_with("talk.wav from 0:00:57"), "{}", set.name(19));
    let whole: Vec<f32> = (0..20).flat_map(|part| set.sound(part)).collect();
    assert_eq!(whole.len(), rise.len());
    assert_eq!(inspect(&spec(&path)).unwrap().kind, "sound");
    let short = put(dir.path(), "short.wav", &wav(&rise[..8000], 8000));
    let error = AudioSet::open(&spec(&short)).unwrap_err();
    assert!(error.to_string().contains("one sound only, of 1.0 s"), "{error}");
    assert_eq!(AudioSet::open_as(&spec(&short), set.codec()).unwrap().len(), 1);
    let text = put(dir.path(), "letter.wav", b"Dear reader");
    assert!(is_sound(&spec(&text)).unwrap());
    let error = AudioSet::open(&spec(&text)).unwrap_err();
    assert!(error.to_string().contains("holds no sounds in spite of its name"), "{error}");
}

#[test]
fn damaged_silent_offset_and_clipped_sounds_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let spec = fill(dir.path(), 60);
    put(dir.path(), "a/broken.wav", &wav(&sine(300.0, 0.2, 8000, 0.2), 8000)[..900]);
    put(dir.path(), "a/silent.wav", &wav(&[0.0; 2000], 8000));
    let off: Vec<f32> = sine(300.0, 0.2, 8000, 0.25).iter().map(|x| x + 0.1).collect();
    put(dir.path(), "b/off.wav", &wav(&off, 8000));
    let clipped: Vec<f32> = sine(300.0, 2.0, 8000, 0.25).iter().map(|x| x.clamp(-1.0, 1.0)).collect();
    put(dir.path(), "b/loud.wav", &wav(&clipped, 8000));
    let set = AudioSet::open(&spec).unwrap();
    assert_eq!((set.len(), set.skipped()), (62, 2));
    assert!(set.first_skip().unwrap().contains("a/broken.wav: is cut off"));
    let notes = set.notes().join("\n");
    assert!(notes.contains("2 of 64 sounds cannot be read"), "{notes}");
    assert!(notes.contains("1 of 62 sounds are clipped; the first is b/loud.wav"), "{notes}");
    assert!(notes.contains("1 of 62 sounds lie off the zero line"), "{notes}");
    let place = (0..62).find(|&i| set.name(i) == "b/off.wav").unwrap();
    let mean = set.sound(place).iter().sum::<f32>() / 2000.0;
    assert!(mean.abs() < 1e-3, "{mean}");
    let seen = inspect(&spec).unwrap();
    assert_eq!((seen.kind.as_str(), seen.sounds.unwrap().count), ("folder", 62));
    assert!(seen.alerts.iter().any(|alert| alert.message.contains("are clipped")));
    let error = AudioSet::open(&SourceSpec { strict: true, ..spec.clone() }).unwrap_err();
    assert!(error.to_string().contains("a/broken.wav"), "{error}");
    (0..4).for_each(|i| drop(put(dir.path(), &format!("a/text{i}.wav"), b"Dear reader")));
    let error = AudioSet::open(&spec).unwrap_err();
    assert!(error.to_string().contains("6 of 68 sounds cannot be read"), "{error}");
}

#[test]
fn high_rates_are_brought_down_and_told() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..4 {
        put(dir.path(), &format!("test/{i}.wav"), &wav(&sine(300.0 + i as f32, 0.2, 44_100, 0.25), 44_100));
        put(dir.path(), &format!("train/{i}.wav"), &wav(&sine(500.0 + i as f32, 0.2, 48_000, 0.25), 48_000));
    }
    let set = AudioSet::open(&spec(dir.path())).unwrap();
    assert_eq!((set.codec().rate_hz, set.sound(0).len()), (16_000, 4000));
    assert!(set.notes()[0].starts_with("48000 samples a second become 16000"));
    assert_eq!(set.splits().holdout.len(), 4);
    let full = AudioSet::open(&SourceSpec { rate_hz: Some(44_100), ..spec(dir.path()) }).unwrap();
    assert!(full.codec().rate_hz == 44_100);
    assert_eq!(full.notes(), ["4 in test/ are held out for scores"]);
    let limited = AudioSet::open(&SourceSpec { limit: Some(2), ..spec(dir.path()) }).unwrap();
    assert_eq!(limited.len(), 2);
}

#[test]
fn blobs_of_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("voices.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE voices (id INTEGER PRIMARY KEY, who TEXT, sound BLOB)").unwrap();
    for i in 0..12 {
        let bytes = wav(&sine(200.0 + 10.0 * i as f32, 0.2, 8000, 0.25), 8000);
        let row = params![["ann", "bob"][i % 2], bytes];
        connection.execute("INSERT INTO voices (who, sound) VALUES (?1, ?2)", row).unwrap();
    }
    let provenance = Provenance {
        model: "m".into(),
        weights: "3f9c2a7b".into(),
        family: "vqvae".into(),
        seed: 1,
        options: "".into(),
        version: "0".into(),
    };
    let made = |_: usize| Ok((wav(&sine(900.0, 0.2, 8000, 0.25), 8000), Some("ann")));
    append_blobs(&path, "voices", "sound", Some("who"), 3, &made, &provenance).unwrap();
    let spec = SourceSpec { label: Some("who".into()), ..spec(&path) };
    assert!(is_sound(&spec).unwrap());
    // What Mintage wrote is left out.
    let set = AudioSet::open(&spec).unwrap();
    assert_eq!((set.len(), set.classes()), (12, &["ann".to_owned(), "bob".to_owned()][..]));
    assert_eq!(set.name(0), "row 1 of voices.sound");
    assert_eq!(set.resolved(&spec).column.as_deref(), Some("sound"));
    let seen = inspect(&spec).unwrap();
    assert_eq!(seen.tables[0].columns[2].kind, ColumnKind::Audio);
    assert_eq!(seen.sounds.unwrap().classes, [("ann".to_owned(), 6), ("bob".to_owned(), 6)]);
    assert!(!is_sound(&SourceSpec { kind: Some(DataKind::Table), ..spec }).unwrap());
}
