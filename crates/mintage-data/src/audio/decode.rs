//! Sound files as streams of samples: WAV, AIFF, FLAC, Ogg Vorbis and MP3, by Symphonia, a packet at a time, so that a
//! file of hours never lies in memory as a whole.
//!
//! Rate, channels and length are looked at before anything is decoded. A file that ends before its header says is
//! an error here, not a shorter sound.

use std::{
    fs::File,
    io::{Cursor, Read, Seek, SeekFrom},
    ops::RangeInclusive,
};

use symphonia::core::{
    codecs::audio::{AudioDecoder, AudioDecoderOptions, well_known::CODEC_ID_MP3},
    errors::Error as Fault,
    formats::{FormatReader, TrackType, probe::Hint},
    io::{MediaSource, MediaSourceStream},
};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::SOUNDS;
use crate::guard::{self, GAVE_UP};

/// Rates that are read.
pub const SOURCE_RATES_HZ: RangeInclusive<u32> = 4_000..=192_000;
/// Channels that are read, at most.
pub const SOURCE_CHANNELS: usize = 8;
/// No sound may last longer: a day.
const MAX_SECONDS: u64 = 24 * 60 * 60;
/// From here on a length is made up: programs that cannot know it say 2³¹ bytes, or a little less.
const PIPED_BYTES: u64 = (1 << 31) - (1 << 16);
/// Of a hundred packets so many may be damaged: MP3 files often begin with one that is.
const MAX_DAMAGED: u64 = 2;

/// A sound file, opened or in memory.
#[derive(Debug)]
pub(crate) enum Input {
    Bytes(Vec<u8>),
    File(File),
}

impl Input {
    /// The XXH3 hash of all bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn hash(&mut self) -> Result<u64, String> {
        match self {
            Self::Bytes(bytes) => Ok(xxh3_64(bytes)),
            Self::File(file) => hash_of(file).map_err(|error| error.to_string()),
        }
    }

    /// So many bytes from the beginning, or from the end; fewer where there are no more.
    fn look(&mut self, most: usize, at_end: bool) -> Result<Vec<u8>, String> {
        let look = |source: &mut dyn ReadSeek| {
            let length = source.seek(SeekFrom::End(0))?;
            let start = if at_end { length.saturating_sub(most as u64) } else { 0 };
            source.seek(SeekFrom::Start(start))?;
            let mut found = Vec::new();
            source.take(most as u64).read_to_end(&mut found)?;
            source.seek(SeekFrom::Start(0)).map(|_| found)
        };
        let looked = match self {
            Self::Bytes(bytes) => look(&mut Cursor::new(bytes)),
            Self::File(file) => look(file),
        };
        looked.map_err(|error| error.to_string())
    }
}

trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

fn hash_of(file: &mut File) -> std::io::Result<u64> {
    let mut hasher = Xxh3::new();
    let mut part = vec![0; 1 << 20];
    file.seek(SeekFrom::Start(0))?;
    loop {
        match file.read(&mut part)? {
            0 => break,
            n => hasher.update(&part[..n]),
        }
    }
    file.seek(SeekFrom::Start(0)).map(|_| hasher.digest())
}

/// What a file says of its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceFormat {
    pub rate_hz: u32,
    pub channels: usize,
    /// Samples of each channel, where the file says.
    pub frames: Option<u64>,
}

/// Reads the samples of a file, packet by packet.
pub(crate) struct Reader {
    demuxer: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    format: SourceFormat,
    /// Channel by channel, of the last packet.
    planes: Vec<Vec<f32>>,
    frames: u64,
    packets: u64,
    damaged: u64,
}

impl Reader {
    /// Reads the header of a sound.
    ///
    /// # Errors
    /// The input cannot be read, is in none of the known formats, is damaged or cut off, or has a sample rate, a number
    /// of channels or a length that is out of bounds.
    pub fn open(mut input: Input) -> Result<Self, String> {
        let head = input.look(16, false)?;
        if !(SOUNDS.is)(&head) {
            let what =
                if head.is_empty() { "it is empty" } else { "the bytes are not WAV, AIFF, FLAC, Ogg or MP3" };
            return Err(format!("no sound: {what}"));
        }
        if head.starts_with(b"OggS") && !ends_like_ogg(&input.look(1 << 16, true)?) {
            return Err("is cut off: its last page is missing".to_owned());
        }
        let source: Box<dyn MediaSource> = match input {
            Input::Bytes(bytes) => Box::new(Cursor::new(bytes)),
            Input::File(file) => Box::new(file),
        };
        let stream = MediaSourceStream::new(source, Default::default());
        let probe = symphonia::default::get_probe();
        let demuxer =
            caught(|| match probe.probe(&Hint::new(), stream, Default::default(), Default::default()) {
                Err(Fault::Unsupported(what)) if what.starts_with("core (probe)") => {
                    Err(Fault::DecodeError("its first frame is not found"))
                }
                other => other,
            })?;
        Self::of(demuxer)
    }

    fn of(demuxer: Box<dyn FormatReader>) -> Result<Self, String> {
        let track = demuxer.default_track(TrackType::Audio).ok_or("holds no sound")?;
        let known = track.codec_params.as_ref().and_then(|params| params.audio());
        let params = known.ok_or("holds no sound that can be read")?;
        let rate_hz = params.sample_rate.ok_or("does not say its sample rate")?;
        let channels = params.channels.as_ref().map(|channels| channels.count());
        let channels = channels.ok_or("does not say how many channels it has")?;
        if !SOURCE_RATES_HZ.contains(&rate_hz) {
            return Err(format!("has {rate_hz} samples a second; 4,000 to 192,000 are read"));
        }
        if !(1..=SOURCE_CHANNELS).contains(&channels) {
            return Err(format!("has {channels} channels; 1 to {SOURCE_CHANNELS} are read"));
        }
        // Without the marks of its encoder the length of an MP3 is a guess, and no ground to cut or to complain.
        let is_told = params.codec != CODEC_ID_MP3 || track.delay.is_some();
        // Nor is what a program says that writes a WAV file into a pipe.
        let bits = u64::from(params.bits_per_coded_sample.unwrap_or(8));
        let is_sane = |&frames: &u64| frames.saturating_mul(bits * channels as u64) / 8 < PIPED_BYTES;
        let frames = track.num_frames.filter(is_sane).filter(|_| is_told);
        let format = SourceFormat { rate_hz, channels, frames };
        if format.frames.is_some_and(|frames| frames > MAX_SECONDS * u64::from(rate_hz)) {
            return Err("says that it lasts for more than a day".to_owned());
        }
        let options = AudioDecoderOptions::default().gapless(is_told);
        let decoder = caught(|| symphonia::default::get_codecs().make_audio_decoder(params, &options))?;
        let track = track.id;
        Ok(Self { demuxer, decoder, track, format, planes: Vec::new(), frames: 0, packets: 0, damaged: 0 })
    }

    pub fn format(&self) -> SourceFormat {
        self.format
    }

    /// The next samples, channel by channel; nothing after the last ones.
    ///
    /// # Errors
    /// The sound is damaged or cut off, changes its rate or its channels midway, lasts for more than a day, or holds no
    /// samples.
    pub fn read(&mut self) -> Result<Option<&[Vec<f32>]>, String> {
        loop {
            let packet = caught(|| match self.demuxer.next_packet() {
                // What is missing then shows in the number of samples.
                Err(Fault::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
                other => other,
            })?;
            let Some(packet) = packet else { return self.end().map(|()| None) };
            if packet.track_id != self.track {
                continue;
            }
            self.packets += 1;
            let (decoder, planes) = (&mut self.decoder, &mut self.planes);
            let spec = caught(|| match decoder.decode(&packet) {
                Ok(buffer) => {
                    buffer.copy_to_vecs_planar(planes);
                    Ok(Some((buffer.spec().rate(), buffer.spec().channels().count())))
                }
                Err(Fault::DecodeError(_)) => Ok(None),
                Err(fault) => Err(fault),
            })?;
            let Some(spec) = spec else {
                self.damaged += 1;
                continue;
            };
            if spec != (self.format.rate_hz, self.format.channels) {
                return Err("changes its rate or its channels midway".to_owned());
            }
            if self.planes.first().is_some_and(|plane| !plane.is_empty()) {
                return self.checked().map(Some);
            }
        }
    }

    /// The samples of a packet, unless there is something about them.
    fn checked(&mut self) -> Result<&[Vec<f32>], String> {
        self.frames += self.planes[0].len() as u64;
        if self.frames > MAX_SECONDS * u64::from(self.format.rate_hz) {
            return Err("lasts for more than a day".to_owned());
        }
        if self.planes.iter().flatten().any(|sample| !sample.is_finite()) {
            return Err("is damaged: some samples are no numbers".to_owned());
        }
        Ok(&self.planes)
    }

    /// Whether all was there.
    fn end(&self) -> Result<(), String> {
        if self.damaged * 100 > self.packets * MAX_DAMAGED {
            return Err(format!("is damaged: {} of {} packets", self.damaged, self.packets));
        }
        // An encoder may be a little off in what it says; what is cut off is not missed by so little.
        let told = self.format.frames.unwrap_or(0);
        if self.frames + told / 200 < told {
            let secs = |frames: u64| frames as f64 / f64::from(self.format.rate_hz);
            return Err(format!("is cut off: {:.2} of {:.2} s are there", secs(self.frames), secs(told)));
        }
        if self.frames == 0 {
            return Err("holds no samples".to_owned());
        }
        Ok(())
    }
}

/// Whether the page that an Ogg stream ends with is among its last bytes.
fn ends_like_ogg(tail: &[u8]) -> bool {
    const LAST_PAGE: u8 = 4;
    let page = tail.windows(4).rposition(|bytes| bytes == b"OggS");
    page.and_then(|at| tail.get(at + 5)).is_some_and(|flags| flags & LAST_PAGE != 0)
}

/// Runs code of the decoder, whose faults and panics become reasons.
fn caught<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, String> {
    guard::caught(work).ok_or_else(|| GAVE_UP.to_owned())?.map_err(reason)
}

fn reason(fault: Fault) -> String {
    match fault {
        Fault::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "is cut off: the file ends too early".to_owned()
        }
        Fault::IoError(error) => error.to_string(),
        Fault::Unsupported(what) => format!("is of a kind that is not read ({what})"),
        Fault::ResetRequired => "is several streams in one".to_owned(),
        Fault::DecodeError(what) | Fault::LimitError(what) => format!("is damaged ({what})"),
        other => other.to_string(),
    }
}
