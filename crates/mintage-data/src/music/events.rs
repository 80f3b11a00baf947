//! The chunks and events of a MIDI file, read as players read them.
//!
//! What is clear is taken: a track without an end ends with its chunk, a data byte over 127 is 127, a status goes on behind
//! other events, bytes behind the last track are nothing. What is missing is not made up: a chunk that says it is longer
//! than the file, or fewer tracks than the file promises, is a file that was cut off.

use crate::Error;

/// A file with its tracks.
#[derive(Debug)]
pub(super) struct Chunks<'a> {
    pub format: u16,
    /// Ticks a quarter, or with its highest bit frames of film.
    pub division: u16,
    pub tracks: Vec<&'a [u8]>,
}

impl<'a> Chunks<'a> {
    /// Splits a MIDI file, which may lie inside a RIFF file, into its header and its tracks.
    ///
    /// # Errors
    /// The bytes are not a MIDI file, or are cut off.
    pub fn of(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut rest = match bytes {
            [b'R', b'I', b'F', b'F', ..] => unwrapped(bytes)?,
            [b'M', b'T', b'h', b'd', ..] => bytes,
            [] => return Err(bad("is empty")),
            _ => return Err(bad("is no MIDI file: it does not begin with MThd")),
        };
        let mut header = None;
        let mut tracks = Vec::new();
        while let Some((head, body)) = rest.split_first_chunk::<8>() {
            let [a, b, c, d, length @ ..] = *head;
            let (name, length) = ([a, b, c, d], u32::from_be_bytes(length) as usize);
            let is_known = [b"MTrk", b"MThd"].contains(&&name);
            if length > body.len() {
                // Bytes after the last track, which some programs leave, are no chunk.
                if is_known { return Err(cut_off()) } else { break }
            }
            let (chunk, after) = body.split_at(length);
            match (&name, chunk) {
                (b"MThd", [f, ormat, t, racks, d, ivision, ..]) if header.is_none() => {
                    header = Some([[*f, *ormat], [*t, *racks], [*d, *ivision]].map(u16::from_be_bytes));
                }
                (b"MTrk", track) => tracks.push(track),
                _ => {}
            }
            rest = after;
        }
        let Some([format, promised, division]) = header else { return Err(cut_off()) };
        if tracks.len() < usize::from(promised) {
            return Err(cut_off());
        }
        Ok(Self { format, division, tracks })
    }
}

/// The file inside a RIFF file.
fn unwrapped(bytes: &[u8]) -> Result<&[u8], Error> {
    let none = || bad("is no MIDI file: it is RIFF without MIDI in it");
    let mut rest = bytes.get(12..).filter(|_| bytes[8..12] == *b"RMID").ok_or_else(none)?;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, length @ ..] = *head;
        let length = u32::from_le_bytes(length) as usize;
        if [a, b, c, d] == *b"data" {
            return body.get(..length).ok_or_else(cut_off);
        }
        rest = body.get(length.saturating_add(length % 2)..).ok_or_else(none)?;
    }
    Err(none())
}

fn cut_off() -> Error {
    bad("is cut off: it ends before its tracks do")
}

/// What an event of a track says, as far as a score needs it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Event {
    NoteOn {
        channel: u8,
        key: u8,
        velocity: u8,
    },
    NoteOff {
        channel: u8,
        key: u8,
    },
    Programme {
        channel: u8,
        programme: u8,
    },
    Port(u8),
    /// Microseconds a quarter.
    Tempo(u32),
    /// The denominator is a power of two.
    Metre {
        numerator: u8,
        power: u8,
    },
    Other,
}

/// A track is damaged: an event ends with its chunk, or begins with what begins none.
#[derive(Debug)]
pub(super) struct Damaged;

/// The events of a track, each with the ticks since the one before.
pub(super) struct Events<'a> {
    rest: &'a [u8],
    /// Of the last event of a channel: events without one have the same.
    status: Option<u8>,
}

impl<'a> Events<'a> {
    pub fn of(track: &'a [u8]) -> Self {
        Self { rest: track, status: None }
    }

    fn byte(&mut self) -> Result<u8, Damaged> {
        let (&byte, rest) = self.rest.split_first().ok_or(Damaged)?;
        self.rest = rest;
        Ok(byte)
    }

    /// A byte of seven bits; what is more is the most that there is.
    fn data(&mut self) -> Result<u8, Damaged> {
        self.byte().map(|byte| byte.min(127))
    }

    /// A number of up to four bytes of seven bits.
    fn number(&mut self) -> Result<u32, Damaged> {
        let mut number = 0;
        for _ in 0..4 {
            let byte = self.byte()?;
            number = number << 7 | u32::from(byte & 127);
            if byte < 128 {
                return Ok(number);
            }
        }
        Err(Damaged)
    }

    fn block(&mut self) -> Result<&'a [u8], Damaged> {
        let length = self.number()? as usize;
        let (block, rest) = self.rest.split_at_checked(length).ok_or(Damaged)?;
        self.rest = rest;
        Ok(block)
    }

    fn event(&mut self) -> Result<(u32, Event), Damaged> {
        let delta = self.number()?;
        let first = *self.rest.first().ok_or(Damaged)?;
        let status = match first {
            128.. => self.byte()?,
            _ => self.status.ok_or(Damaged)?,
        };
        let event = match status {
            0xff => self.meta()?,
            0xf0 | 0xf7 => self.block().map(|_| Event::Other)?,
            // Messages for the clocks and the songs of devices.
            0xf1 | 0xf3 => self.data().map(|_| Event::Other)?,
            0xf2 => self.data().and_then(|_| self.data()).map(|_| Event::Other)?,
            0xf4.. => Event::Other,
            _ => {
                self.status = Some(status);
                self.channel_event(status)?
            }
        };
        Ok((delta, event))
    }

    fn channel_event(&mut self, status: u8) -> Result<Event, Damaged> {
        let channel = status & 15;
        let first = self.data()?;
        Ok(match status >> 4 {
            0x8 => self.data().map(|_| Event::NoteOff { channel, key: first })?,
            0x9 => match self.data()? {
                0 => Event::NoteOff { channel, key: first },
                velocity => Event::NoteOn { channel, key: first, velocity },
            },
            0xc => Event::Programme { channel, programme: first },
            0xd => Event::Other,
            _ => self.data().map(|_| Event::Other)?,
        })
    }

    fn meta(&mut self) -> Result<Event, Damaged> {
        let kind = self.byte()?;
        let block = self.block()?;
        Ok(match (kind, block) {
            (0x2f, _) => {
                self.rest = &[];
                Event::Other
            }
            (0x21, [port, ..]) => Event::Port(port & 127),
            (0x51, [a, b, c, ..]) => Event::Tempo(u32::from_be_bytes([0, *a, *b, *c])),
            (0x58, [numerator, power, ..]) => Event::Metre { numerator: *numerator, power: *power },
            _ => Event::Other,
        })
    }
}

impl Iterator for Events<'_> {
    type Item = Result<(u32, Event), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let event = self.event();
        if event.is_err() {
            self.rest = &[];
        }
        Some(event)
    }
}

pub(super) fn bad(why: impl Into<String>) -> Error {
    Error::bad("MIDI file", why)
}
