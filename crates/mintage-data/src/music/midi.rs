//! Scores from MIDI files and back.
//!
//! Reading takes files of type 0 and 1 with metrical time. Every track, channel and programme is a part of its
//! own; channel 10 is drums. A note ends at the first note-off that is left for it, a note without one after a
//! quarter. Writing makes type 1 with a track a part, and the provenance as a text event.

use std::collections::{HashMap, VecDeque};

use midly::{
    Format, Header, MetaMessage, MidiMessage, Smf, Timing, Track, TrackEvent, TrackEventKind,
    num::{u4, u7, u15, u24, u28},
};

use super::{
    events::{Chunks, Event, Events, bad},
    names::part_name,
    score::{
        DRUMS, MAX_TICKS, MAX_VOICES, Metre, MetreChange, Note, Part, RESOLUTION, Score, TempoChange, bpm,
        tempo_bin, velocity_bin, velocity_of,
    },
};
use crate::Error;

/// A file with more notes is refused.
const MAX_NOTES: usize = 1_000_000;
const DRUM_CHANNEL: u8 = 9;
/// The bit of a division that says that it counts frames of film.
const SMPTE: u16 = 1 << 15;
/// Ticks a quarter of the files we write, and of theirs a tick of ours.
const FILE_RESOLUTION: u16 = 480;
const FILE_TICK: u32 = FILE_RESOLUTION as u32 / RESOLUTION;

impl Score {
    /// Reads the bytes of a MIDI file.
    ///
    /// # Errors
    /// The bytes are not a MIDI file, are damaged, are of type 2 or in SMPTE time, or the tune has no notes, too many
    /// notes, or is too long.
    pub fn from_midi(bytes: &[u8]) -> Result<Self, Error> {
        let Chunks { format, division, tracks } = Chunks::of(bytes)?;
        if format == 2 {
            return Err(bad("is of type 2: its tracks are patterns that do not belong together")
                .with_hint("export it as type 0 or 1"));
        }
        if division & SMPTE != 0 {
            return Err(bad("counts frames of film (SMPTE) instead of beats")
                .with_hint("export it with metrical time"));
        }
        if division == 0 {
            return Err(bad("has zero ticks a quarter"));
        }
        let mut reader = Reader { resolution: u64::from(division), ..Reader::default() };
        for (index, track) in tracks.into_iter().enumerate() {
            reader.track(index, track)?;
        }
        reader.finish()
    }

    /// The score as a MIDI file of type 1.
    pub fn to_midi(&self, provenance: &str) -> Vec<u8> {
        let header = Header::new(Format::Parallel, Timing::Metrical(u15::new(FILE_RESOLUTION)));
        let parts = self.parts();
        let mut smf = Smf::new(header);
        smf.tracks.push(self.conductor(provenance));
        let names: Vec<String> = parts.iter().map(|part| part_name(*part)).collect();
        let places = places(&parts);
        for ((part, place), name) in parts.iter().zip(places).zip(&names) {
            smf.tracks.push(self.part_track(*part, place, name));
        }
        let mut bytes = Vec::new();
        // Writing into memory does not fail; a track over 4 GiB cannot come of `MAX_NOTES` notes.
        let _ = smf.write(&mut bytes);
        bytes
    }

    /// Provenance, metres and tempos.
    fn conductor<'a>(&self, provenance: &'a str) -> Track<'a> {
        let mut events = vec![(0, TrackEventKind::Meta(MetaMessage::Text(provenance.as_bytes())))];
        for MetreChange { tick, metre } in self.metres() {
            let power = metre.denominator().trailing_zeros() as u8;
            let meta = MetaMessage::TimeSignature(metre.numerator(), power, 24, 8);
            events.push((*tick, TrackEventKind::Meta(meta)));
        }
        for TempoChange { tick, tempo } in self.tempos() {
            let micros = (60e6 / bpm(*tempo)).round() as u32;
            events.push((*tick, TrackEventKind::Meta(MetaMessage::Tempo(u24::new(micros)))));
        }
        events.sort_by_key(|(tick, _)| *tick);
        delta_coded(events)
    }

    fn part_track<'a>(&self, part: Part, place: Place, name: &'a str) -> Track<'a> {
        let channel = u4::new(place.channel);
        let midi = |message| TrackEventKind::Midi { channel, message };
        let mut events = vec![(0, TrackEventKind::Meta(MetaMessage::TrackName(name.as_bytes())))];
        if place.port > 0 {
            events.push((0, TrackEventKind::Meta(MetaMessage::MidiPort(u7::new(place.port)))));
        }
        if part.programme != DRUMS {
            events.push((0, midi(MidiMessage::ProgramChange { program: u7::new(part.programme) })));
        }
        let mut strokes = Vec::new();
        for note in self.notes().iter().filter(|note| note.part() == part) {
            let (key, vel) = (u7::new(note.pitch), u7::new(velocity_of(note.velocity)));
            strokes.push((note.start, 1, midi(MidiMessage::NoteOn { key, vel })));
            strokes.push((note.end(), 0, midi(MidiMessage::NoteOff { key, vel: u7::new(64) })));
        }
        // A note-off comes before a note-on of the same tick, which may be of the same pitch.
        strokes.sort_by_key(|(tick, order, _)| (*tick, *order));
        events.extend(strokes.into_iter().map(|(tick, _, event)| (tick, event)));
        delta_coded(events)
    }
}

/// Where a part plays.
#[derive(Clone, Copy)]
struct Place {
    port: u8,
    channel: u8,
}

/// A channel a part while there are enough of them, a channel a programme where there are more parts, and
/// further ports where even those do not suffice.
fn places(parts: &[Part]) -> Vec<Place> {
    let melodic = parts.iter().filter(|part| part.programme != DRUMS).count();
    let mut number = 0;
    let mut last = None;
    let mut place = |part: &Part| {
        if part.programme == DRUMS {
            return Place { port: 0, channel: DRUM_CHANNEL };
        }
        if last.is_some_and(|last| melodic <= 15 || last != part.programme) {
            number += 1;
        }
        last = Some(part.programme);
        let channel = (number % 15) as u8;
        Place { port: (number / 15) as u8, channel: channel + u8::from(channel >= DRUM_CHANNEL) }
    };
    parts.iter().map(&mut place).collect()
}

/// Events at ticks of ours as a track with an end.
fn delta_coded(events: Vec<(u32, TrackEventKind)>) -> Track {
    let mut before = 0;
    let mut track: Track = Vec::with_capacity(events.len() + 1);
    for (tick, kind) in events {
        track.push(TrackEvent { delta: u28::new((tick - before) * FILE_TICK), kind });
        before = tick;
    }
    track.push(TrackEvent { delta: u28::new(0), kind: TrackEventKind::Meta(MetaMessage::EndOfTrack) });
    track
}

/// Notes and changes as they are found, in ticks of the file.
#[derive(Default)]
struct Reader {
    resolution: u64,
    notes: Vec<RawNote>,
    metres: Vec<MetreChange>,
    tempos: Vec<TempoChange>,
    /// By channel of a port: programmes in the order of the file.
    programmes: HashMap<u16, Vec<(u64, u8)>>,
}

struct RawNote {
    on: u64,
    off: u64,
    pitch: u8,
    velocity: u8,
    track: usize,
    /// 16 channels a port.
    channel: u16,
}

impl Reader {
    fn track(&mut self, index: usize, track: &[u8]) -> Result<(), Error> {
        let (mut tick, mut port) = (0u64, 0u16);
        let mut open: HashMap<(u16, u8), VecDeque<usize>> = HashMap::new();
        for event in Events::of(track) {
            let (delta, event) =
                event.map_err(|_| bad(format!("track {} is damaged or cut off", index + 1)))?;
            tick += u64::from(delta);
            let of_port = |channel: u8| port * 16 + u16::from(channel);
            match event {
                Event::Port(number) => port = u16::from(number),
                Event::NoteOn { channel, key, velocity } => {
                    let channel = of_port(channel);
                    open.entry((channel, key)).or_default().push_back(self.notes.len());
                    let off = tick + self.resolution;
                    self.note(RawNote { on: tick, off, pitch: key, velocity, track: index, channel })?;
                }
                Event::NoteOff { channel, key } => {
                    let waiting = open.get_mut(&(of_port(channel), key));
                    if let Some(note) = waiting.and_then(VecDeque::pop_front) {
                        self.notes[note].off = tick;
                    }
                }
                Event::Programme { channel, programme } => {
                    self.programmes.entry(of_port(channel)).or_default().push((tick, programme));
                }
                Event::Tempo(micros) if micros > 0 => {
                    let tempo = tempo_bin(60e6 / f64::from(micros));
                    self.tempos.push(TempoChange { tick: self.change_at(tick), tempo });
                }
                Event::Metre { numerator, power } if power < 6 => {
                    let (tick, metre) = (self.change_at(tick), Metre::new(numerator, 1 << power));
                    self.metres.extend(metre.map(|metre| MetreChange { tick, metre }));
                }
                Event::Tempo(_) | Event::Metre { .. } | Event::Other => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, note: RawNote) -> Result<(), Error> {
        if self.notes.len() == MAX_NOTES {
            return Err(bad(format!("has more than {MAX_NOTES} notes")));
        }
        if self.on_grid(note.on) >= u64::from(MAX_TICKS) {
            return Err(too_long());
        }
        self.notes.push(note);
        Ok(())
    }

    /// The tick of ours of a change. What lies beyond the longest score follows its last note, and is dropped with all
    /// that does.
    fn change_at(&self, tick: u64) -> u32 {
        self.on_grid(tick).min(u64::from(MAX_TICKS)) as u32
    }

    /// The nearest tick of ours.
    fn on_grid(&self, tick: u64) -> u64 {
        (tick * u64::from(RESOLUTION) * 2 + self.resolution) / (2 * self.resolution)
    }

    fn finish(mut self) -> Result<Score, Error> {
        if self.notes.is_empty() {
            return Err(bad("holds no notes"));
        }
        for changes in self.programmes.values_mut() {
            changes.sort_by_key(|(tick, _)| *tick);
        }
        let programmes: Vec<u8> = self.notes.iter().map(|note| self.programme(note)).collect();
        let voices = voices(&self.notes, &programmes);
        let note = |(raw, programme): (&RawNote, &u8)| {
            let (start, end) = (self.on_grid(raw.on), self.on_grid(raw.off));
            Note {
                start: start as u32,
                duration: end.saturating_sub(start).min(u64::from(MAX_TICKS)) as u32,
                pitch: raw.pitch,
                velocity: velocity_bin(raw.velocity),
                programme: *programme,
                voice: voices[&(*programme, raw.track, raw.channel)],
            }
        };
        let notes = self.notes.iter().zip(&programmes).map(note).collect();
        Ok(Score::new(notes, self.metres, self.tempos))
    }

    /// What the note's channel was set to last.
    fn programme(&self, note: &RawNote) -> u8 {
        if note.channel % 16 == u16::from(DRUM_CHANNEL) {
            return DRUMS;
        }
        let Some(changes) = self.programmes.get(&note.channel) else { return 0 };
        let before = changes.partition_point(|(tick, _)| *tick <= note.on);
        before.checked_sub(1).map_or(0, |last| changes[last].1)
    }
}

/// Numbers the tracks and channels of each programme.
fn voices(notes: &[RawNote], programmes: &[u8]) -> HashMap<(u8, usize, u16), u8> {
    let keys = notes.iter().zip(programmes).map(|(note, p)| (*p, note.track, note.channel));
    let mut keys: Vec<(u8, usize, u16)> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    let mut counts = HashMap::new();
    let mut number = |key: (u8, usize, u16)| {
        let count = counts.entry(key.0).or_insert(0u8);
        let voice = *count;
        *count = (*count + 1).min(MAX_VOICES - 1);
        (key, voice)
    };
    keys.into_iter().map(&mut number).collect()
}

fn too_long() -> Error {
    bad(format!("is longer than {} bars", MAX_TICKS / 48))
        .with_hint("its times are damaged, or it is no tune")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::score::tests::any_score, *};
    use proptest::prelude::*;

    /// A file of hand-written tracks.
    fn file(format: u8, division: [u8; 2], tracks: &[&[u8]]) -> Vec<u8> {
        let mut bytes = b"MThd\0\0\0\x06\0".to_vec();
        bytes.extend([format, 0, tracks.len() as u8, division[0], division[1]]);
        for track in tracks {
            bytes.extend(b"MTrk");
            bytes.extend((track.len() as u32).to_be_bytes());
            bytes.extend(*track);
        }
        bytes
    }

    const END: [u8; 4] = [0, 0xff, 0x2f, 0];

    fn one_track(events: &[u8]) -> Vec<u8> {
        file(0, [0, 96], &[&[events, &END].concat()])
    }

    fn starts_and_durations(bytes: &[u8]) -> Vec<(u32, u32)> {
        Score::from_midi(bytes).unwrap().notes().iter().map(|n| (n.start, n.duration)).collect()
    }

    fn reason(bytes: &[u8]) -> String {
        Score::from_midi(bytes).unwrap_err().to_string()
    }

    proptest! {
        #[test]
        fn written_and_read_again_is_the_same(score in any_score()) {
            let bytes = score.to_midi("made in a test");
            let again = Score::from_midi(&bytes).unwrap();
            // Voices are numbered afresh: only those that play.
            let parts = score.parts();
            let renumbered = |note: &Note| {
                let same = parts.iter().filter(|part| part.programme == note.programme);
                let voice = same.clone().position(|part| *part == note.part()).unwrap() as u8;
                Note { voice, ..*note }
            };
            let expected: Vec<Note> = score.notes().iter().map(renumbered).collect();
            prop_assert_eq!(again.notes(), &expected[..]);
            prop_assert_eq!(again.metres(), score.metres());
            prop_assert_eq!(again.tempos(), score.tempos());
        }

        #[test]
        fn damaged_bytes_never_panic(
            score in any_score(),
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = score.to_midi("");
            let at = place.index(bytes.len());
            bytes[at] = byte;
            let _ = Score::from_midi(&bytes);
            // May be a good file still: where the header promises fewer tracks than there were.
            let _ = Score::from_midi(&bytes[..cut.index(bytes.len())]);
        }

        #[test]
        fn a_part_of_a_file_is_an_error(score in any_score(), cut in any::<prop::sample::Index>()) {
            let bytes = score.to_midi("");
            prop_assert!(Score::from_midi(&bytes[..cut.index(bytes.len())]).is_err());
        }
    }

    #[test]
    fn running_status_and_silent_note_ons() {
        // On, and by running status an on with velocity 0 after 96 ticks.
        assert_eq!(starts_and_durations(&one_track(&[0, 0x90, 60, 80, 96, 60, 0])), [(0, 12)]);
    }

    #[test]
    fn what_players_read_is_read() {
        let note = [0, 0x90, 60, 80, 96, 60, 0];
        let whole = one_track(&note);
        let same = |bytes: &[u8]| assert_eq!(starts_and_durations(bytes), [(0, 12)]);
        // No end of the track.
        same(&file(0, [0, 96], &[&note]));
        // A controller and a velocity over 127.
        same(&one_track(&[0, 0xb0, 7, 200, 0, 0x90, 60, 255, 96, 60, 0]));
        assert_eq!(Score::from_midi(&one_track(&[0, 0x90, 200, 80])).unwrap().notes()[0].pitch, 127);
        // A status that goes on behind a text, a message of the system and a clock.
        same(&one_track(&[0, 0x90, 60, 80, 0, 0xff, 1, 1, b'x', 0, 0xf0, 1, 0xf7, 0, 0xf8, 96, 60, 0]));
        // Bytes behind the track's end, and behind the last track; one track more than was promised.
        same(&file(0, [0, 96], &[&[&note[..], &END, &[1, 2, 3]].concat()]));
        same(&[&whole[..], b"\r\n padding that is no chunk"].concat());
        let mut more = file(1, [0, 96], &[&END, &[&note[..], &END].concat()]);
        more[11] = 1;
        same(&more);
        // Wrapped in RIFF.
        let length = |n: usize| (n as u32).to_le_bytes();
        let parts = [&b"RIFF"[..], &length(whole.len() + 12), b"RMIDdata", &length(whole.len()), &whole];
        same(&parts.concat());
        assert!(reason(&parts.concat()[..40]).contains("cut off"));
    }

    #[test]
    fn overlapping_notes_end_where_the_next_begins() {
        let bytes = one_track(&[0, 0x90, 60, 80, 48, 60, 80, 48, 60, 0, 48, 60, 0]);
        assert_eq!(starts_and_durations(&bytes), [(0, 6), (6, 12)]);
    }

    #[test]
    fn a_note_without_an_end_lasts_a_quarter() {
        assert_eq!(starts_and_durations(&one_track(&[0, 0x90, 60, 80, 96, 62, 80])), [(0, 12), (12, 12)]);
    }

    #[test]
    fn programmes_of_another_track_and_drums() {
        let setup = [&[0, 0xc1, 40][..], &END].concat();
        let play = [&[0, 0x91, 60, 80, 96, 60, 0, 0, 0x99, 36, 90, 48, 36, 0][..], &END].concat();
        let score = Score::from_midi(&file(1, [0, 96], &[&setup, &play])).unwrap();
        let programmes: Vec<u8> = score.notes().iter().map(|note| note.programme).collect();
        assert_eq!(programmes, [40, DRUMS]);
    }

    #[test]
    fn tracks_of_one_programme_stay_apart() {
        let track = |pitch| [&[0, 0x90, pitch, 80, 96, pitch, 0][..], &END].concat();
        let score = Score::from_midi(&file(1, [0, 96], &[&track(60), &track(64), &track(67)])).unwrap();
        let voices: Vec<(u8, u8)> = score.notes().iter().map(|note| (note.voice, note.pitch)).collect();
        assert_eq!(voices, [(0, 60), (1, 64), (2, 67)]);
    }

    #[test]
    fn pickup_bar_and_later_metre() {
        // A quarter in 1/4, then 3/4 and a tempo of 60.
        let bytes = one_track(&[
            0, 0xff, 0x58, 4, 1, 2, 24, 8, 0, 0x90, 60, 80, 96, 60, 0, 0, 0xff, 0x58, 4, 3, 2, 24, 8, 0,
            0xff, 0x51, 3, 0x0f, 0x42, 0x40, 0, 0x90, 62, 80, 0x82, 0x20, 62, 0,
        ]);
        let score = Score::from_midi(&bytes).unwrap();
        let bars: Vec<String> = score.bars().map(|bar| format!("{} {}", bar.start, bar.metre)).collect();
        assert_eq!(bars, ["0 1/4", "12 3/4"]);
        assert_eq!(score.tempos()[1], TempoChange { tick: 12, tempo: tempo_bin(60.0) });
    }

    #[test]
    fn what_is_no_tune_says_why() {
        let note = [0, 0x90, 60, 80, 96, 60, 0];
        assert!(reason(b"").contains("empty"));
        assert!(reason(b"RIFF").contains("MIDI file"));
        assert!(reason(b"GIF89a and so on").contains("MThd"));
        let whole = one_track(&note);
        assert!(reason(&whole[..whole.len() - 3]).contains("cut off"));
        assert!(reason(&whole[..18]).contains("cut off"));
        assert!(reason(&file(0, [0, 96], &[&note[..5]])).contains("damaged or cut off"));
        assert!(reason(&file(0, [0, 96], &[&[0, 60, 80]])).contains("damaged or cut off"));
        assert!(reason(&one_track(&[])).contains("no notes"));
        assert!(reason(&file(0, [0xe8, 40], &[&[&note[..], &END].concat()])).contains("SMPTE"));
        assert!(reason(&file(2, [0, 96], &[&[&note[..], &END].concat()])).contains("type 2"));
        assert!(reason(&file(0, [0, 0], &[&[&note[..], &END].concat()])).contains("zero ticks"));
        let late = file(0, [0, 1], &[&[&[0xff, 0xff, 0xff, 0x7f][..], &note[1..], &END].concat()]);
        assert!(reason(&late).contains("longer than 20000 bars"));
    }

    #[test]
    fn a_million_notes_are_too_many() {
        let events: Vec<u8> = [0, 0x90, 60, 80].into_iter().chain([0, 60, 80].repeat(MAX_NOTES)).collect();
        assert!(reason(&one_track(&events)).contains("more than 1000000 notes"));
    }

    #[test]
    fn provenance_is_a_text_event() {
        let note = Note { start: 0, duration: 12, pitch: 60, velocity: 9, programme: 0, voice: 0 };
        let bytes = Score::new(vec![note], vec![], vec![]).to_midi("{\"model\":\"m\"}");
        let smf = Smf::parse(&bytes).unwrap();
        let text = TrackEventKind::Meta(MetaMessage::Text(b"{\"model\":\"m\"}"));
        assert!(smf.tracks[0].iter().any(|event| event.kind == text));
    }
}
