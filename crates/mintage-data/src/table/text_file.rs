//! Files of text as a stream of UTF-8: decompressed by their first bytes, decoded by their mark (BOM) or by
//! the letters in them. Nothing is held but two buffers, and no packed file unpacks to more than [`Unpacked`] lets
//! pass.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, Cursor, Read},
    path::Path,
};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use flate2::read::MultiGzDecoder;
use liblzma::{
    read::XzDecoder,
    stream::{CONCATENATED, Stream},
};

use crate::{
    Error,
    error::UnpacksTooMuch,
    files::{in_words, open_regular},
};

/// Bytes that the encoding and the dialect of a file are guessed from.
pub(crate) const SAMPLE_BYTES: usize = 1 << 20;
/// Letters that decide the encoding of a file are sought in so many bytes from the first of them on.
const LETTER_BYTES: usize = 4 << 20;
/// What the decoder of xz may hold: more than any of its presets needs.
const XZ_MEMORY: u64 = 256 << 20;
const XZ_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// Reads a file of text with `read`. A file that looked like UTF-8 at its beginning and later is not is read
/// anew, in the encoding that all of it suggests.
pub(crate) fn with_text<T>(
    path: &Path,
    mut read: impl FnMut(&mut dyn BufRead) -> Result<T, Error>,
) -> Result<T, Error> {
    with_encoded_text(path, |text, _| read(text))
}

/// How a text is encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextEncoding {
    pub encoding: &'static Encoding,
    /// Whether it begins with a byte order mark.
    pub bom: bool,
    /// Some bytes are no text in it and become U+FFFD.
    pub damaged: bool,
}

/// The same, and `read` is told the encoding.
pub(crate) fn with_encoded_text<T>(
    path: &Path,
    read: impl FnMut(&mut dyn BufRead, TextEncoding) -> Result<T, Error>,
) -> Result<T, Error> {
    with_encoded_text_in(path, None, read)
}

/// The same in the encoding that is given, if one is; a mark at the beginning of a file knows better. What is UTF-8 but
/// for a few places is read as that.
pub(crate) fn with_encoded_text_in<T>(
    path: &Path,
    given: Option<&'static Encoding>,
    mut read: impl FnMut(&mut dyn BufRead, TextEncoding) -> Result<T, Error>,
) -> Result<T, Error> {
    let (sample, rest) = open_with_sample(path)?;
    let mark = Encoding::for_bom(&sample).map(|(encoding, _)| encoding);
    let encoding = mark.or(given).unwrap_or_else(|| guess(&sample, true));
    let told = TextEncoding { encoding, bom: mark.is_some(), damaged: false };
    match read(&mut Decoded::new(Cursor::new(sample).chain(rest), told), told) {
        Err(error) if given.is_none() && encoding == UTF_8 && is_malformed(&error) => {
            let damaged = told.bom || is_nearly_utf8_to_its_end(path)?;
            let encoding = if damaged { UTF_8 } else { guess_from_all(path)? };
            let told = TextEncoding { encoding, bom: told.bom && damaged, damaged };
            read(&mut Decoded::new(decompressed(path)?, told), told)
        }
        other => other,
    }
}

/// The bytes of a file, after gzip, xz (each of any number of members) or zstd, which their first bytes
/// betray.
pub(crate) fn decompressed(path: &Path) -> Result<Box<dyn Read>, Error> {
    let io = || Error::io(path);
    let mut file = open_regular(path)?;
    let length = file.metadata().map_err(io())?.len();
    let magic = magic_of(&mut file).map_err(io())?;
    let packing = Packing::of(&magic);
    let all = Cursor::new(magic).chain(file);
    let unpacked: Box<dyn Read> = match packing {
        Packing::None => return Ok(Box::new(all)),
        Packing::Gzip => Box::new(MultiGzDecoder::new(all)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(all).map_err(io())?),
        Packing::Xz => {
            let decoder = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED);
            Box::new(XzDecoder::new_stream(all, decoder.map_err(|error| io()(error.into()))?))
        }
    };
    Ok(Box::new(Unpacked::of(unpacked, length)))
}

/// Whether a file is one that [`decompressed`] unpacks.
pub(crate) fn is_packed(path: &Path) -> Result<bool, Error> {
    Ok(packing_of(path)? != Packing::None)
}

/// How a file is compressed.
pub(crate) fn packing_of(path: &Path) -> Result<Packing, Error> {
    let mut file = open_regular(path)?;
    Ok(Packing::of(&magic_of(&mut file).map_err(Error::io(path))?))
}

/// What a packed file unpacks to, up to a limit: a few kilobytes can hold gigabytes of nothing.
pub(crate) struct Unpacked {
    inner: Box<dyn Read>,
    left: u64,
    limit: u64,
}

impl Unpacked {
    /// Data that is worth learning shrinks to a tenth, at the most to a fiftieth.
    const MAX_RATIO: u64 = 100;
    const LIMITS: (u64, u64) = (64 << 20, 16 << 30);

    /// `packed` is the length of the file.
    fn of(inner: Box<dyn Read>, packed: u64) -> Self {
        let limit = packed.saturating_mul(Self::MAX_RATIO).clamp(Self::LIMITS.0, Self::LIMITS.1);
        Self { inner, left: limit, limit }
    }

    /// Whether an error of reading is that of the limit.
    pub fn is_over(error: &io::Error) -> bool {
        UnpacksTooMuch::is_in(error)
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        match self.left.checked_sub(n as u64) {
            Some(left) => self.left = left,
            None => {
                let (limit, ratio) = (in_words(self.limit), Self::MAX_RATIO);
                let why = format!(
                    "unpacks to more than {limit}: packed files may unpack to {ratio} times their size"
                );
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, UnpacksTooMuch(why)));
            }
        }
        Ok(n)
    }
}

/// How the first bytes of a file say that it is compressed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zstd,
    Xz,
}

impl Packing {
    fn of(magic: &[u8]) -> Self {
        if magic.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if magic.starts_with(&zstd::zstd_safe::MAGICNUMBER.to_le_bytes()) {
            Self::Zstd
        } else if magic.starts_with(&XZ_MAGIC) {
            Self::Xz
        } else {
            Self::None
        }
    }
}

fn magic_of(file: &mut File) -> io::Result<Vec<u8>> {
    let mut magic = Vec::new();
    file.take(XZ_MAGIC.len() as u64).read_to_end(&mut magic)?;
    Ok(magic)
}

fn open_with_sample(path: &Path) -> Result<(Vec<u8>, Box<dyn Read>), Error> {
    let mut bytes = decompressed(path)?;
    let mut sample = Vec::new();
    (&mut bytes).take(SAMPLE_BYTES as u64).read_to_end(&mut sample).map_err(Error::io(path))?;
    Ok((sample, bytes))
}

/// The encoding of a text whose bytes are all at hand. UTF-8 with a few damaged places is UTF-8 still.
pub(crate) fn encoding_of(bytes: &[u8]) -> &'static Encoding {
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    if let Some(encoding) = marked(sample) {
        return encoding;
    }
    if is_nearly_utf8(bytes) {
        return UTF_8;
    }
    let first = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(0);
    guess(&bytes[first..bytes.len().min(first + LETTER_BYTES)], false)
}

/// Whether characters of several bytes are at least ten times as many as places that are no UTF-8.
fn is_nearly_utf8(bytes: &[u8]) -> bool {
    let (good, bad) = good_and_bad(bytes);
    10 * bad <= good
}

fn good_and_bad(bytes: &[u8]) -> (usize, usize) {
    let (mut good, mut bad) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().bytes().filter(|&byte| byte >= 0xc0).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    (good, bad)
}

/// The text that `bytes` hold in `encoding`, without a mark (BOM) at its beginning. What cannot be decoded
/// becomes U+FFFD if `lossy`, or else is an error: the offset of the first such byte. A text of more than
/// `most` bytes is cut off somewhere behind that.
pub(crate) fn decode(
    bytes: &[u8],
    encoding: &'static Encoding,
    lossy: bool,
    most: usize,
) -> Result<String, usize> {
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let mut text = String::new();
    let mut at = 0;
    while text.len() <= most {
        let end = bytes.len().min(at + SAMPLE_BYTES);
        let room = decoder.max_utf8_buffer_length_without_replacement(end - at);
        text.reserve(room.unwrap_or(4 * SAMPLE_BYTES));
        let last = end == bytes.len();
        let (result, read) = decoder.decode_to_string_without_replacement(&bytes[at..end], &mut text, last);
        at += read;
        match result {
            DecoderResult::Malformed(bad, after) if !lossy => return Err(at - usize::from(bad + after)),
            DecoderResult::Malformed(..) => text.push(char::REPLACEMENT_CHARACTER),
            DecoderResult::InputEmpty if last => break,
            DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
        }
    }
    Ok(text)
}

/// The encoding that the mark (BOM) or the zero bytes of a file tell.
pub(crate) fn marked(sample: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_bom(sample).map(|(encoding, _)| encoding).or_else(|| utf16_without_mark(sample))
}

/// The encoding that `sample`, the beginning of a file, is in.
fn guess(sample: &[u8], may_be_utf8: bool) -> &'static Encoding {
    if let Some(encoding) = marked(sample) {
        return encoding;
    }
    // A sample may end inside a character.
    let is_utf8 = || std::str::from_utf8(sample).err().is_none_or(|e| e.error_len().is_none());
    if may_be_utf8 && (is_utf8() || is_nearly_utf8(sample)) {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(sample, false);
    detector.guess(None, Utf8Detection::Deny)
}

/// In UTF-16, line ends, digits and separators have a zero byte beside them, always on the same side.
fn utf16_without_mark(sample: &[u8]) -> Option<&'static Encoding> {
    let mut zeros = [0usize; 2];
    sample.iter().enumerate().filter(|(_, byte)| **byte == 0).for_each(|(i, _)| zeros[i % 2] += 1);
    let pairs = || sample.chunks_exact(2);
    let lines = |end: [u8; 2]| 2 * pairs().filter(|pair| *pair == end).count();
    let line_feeds = sample.iter().filter(|byte| **byte == b'\n').count();
    match zeros {
        [0, _] if lines([b'\n', 0]) > line_feeds => Some(UTF_16LE),
        [_, 0] if lines([0, b'\n']) > line_feeds => Some(UTF_16BE),
        _ => None,
    }
}

/// The same of a file, of which a part is held at a time.
fn is_nearly_utf8_to_its_end(path: &Path) -> Result<bool, Error> {
    let mut bytes = decompressed(path)?;
    let (mut good, mut bad) = (0, 0);
    loop {
        let mut part = Vec::new();
        (&mut bytes).take(SAMPLE_BYTES as u64).read_to_end(&mut part).map_err(Error::io(path))?;
        if part.is_empty() {
            return Ok(10 * bad <= good);
        }
        // A part may begin and end within a character.
        let begin = part.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
        let (more, worse) = good_and_bad(&part[begin..]);
        let cut = std::str::from_utf8(&part[part.len().saturating_sub(4)..]);
        let cut = cut.err().is_some_and(|error| error.error_len().is_none());
        (good, bad) = (good + more, bad + worse - usize::from(cut && worse > 0));
    }
}

fn guess_from_all(path: &Path) -> Result<&'static Encoding, Error> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut bytes = decompressed(path)?;
    let mut buffer = vec![0; SAMPLE_BYTES];
    loop {
        match bytes.read(&mut buffer).map_err(Error::io(path))? {
            0 => break,
            n => detector.feed(&buffer[..n], false),
        };
    }
    detector.feed(&[], true);
    Ok(detector.guess(None, Utf8Detection::Deny))
}

/// Bytes that the encoding of their file does not allow.
#[derive(Debug)]
struct Malformed(&'static str);

impl std::error::Error for Malformed {}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "holds bytes that are no text in {}", self.0)
    }
}

fn is_malformed(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.get_ref().is_some_and(|inner| inner.is::<Malformed>()))
}

/// UTF-8 made from bytes in some encoding.
struct Decoded<R> {
    bytes: R,
    decoder: Decoder,
    raw: Vec<u8>,
    /// What of `raw` is still to be decoded.
    raw_left: (usize, usize),
    text: Vec<u8>,
    /// What of `text` is still to be read.
    text_left: (usize, usize),
    at_end: bool,
    finished: bool,
    lossy: bool,
}

impl<R: Read> Decoded<R> {
    fn new(bytes: R, TextEncoding { encoding, damaged, .. }: TextEncoding) -> Self {
        Self {
            bytes,
            lossy: damaged,
            decoder: encoding.new_decoder_with_bom_removal(),
            raw: vec![0; SAMPLE_BYTES],
            raw_left: (0, 0),
            text: vec![0; SAMPLE_BYTES],
            text_left: (0, 0),
            at_end: false,
            finished: false,
        }
    }

    /// Fills `raw` as far as the file goes.
    fn fill_raw(&mut self) -> io::Result<()> {
        let mut filled = 0;
        while filled < self.raw.len() {
            match self.bytes.read(&mut self.raw[filled..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.raw_left = (0, filled);
        Ok(())
    }

    fn decode(&mut self) -> io::Result<()> {
        while self.text_left.0 == self.text_left.1 && !self.finished {
            if self.raw_left.0 == self.raw_left.1 && !self.at_end {
                self.fill_raw()?;
            }
            let raw = &self.raw[self.raw_left.0..self.raw_left.1];
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(raw, &mut self.text, self.at_end);
            self.raw_left.0 += read;
            self.text_left = (0, written);
            match result {
                DecoderResult::Malformed(..) if self.lossy => {
                    const MARK: &[u8] = "\u{fffd}".as_bytes();
                    // One byte at the least was taken, of which nothing was written; the text has room for more than it.
                    let end = written + MARK.len();
                    if self.text.len() < end {
                        self.text.resize(end, 0);
                    }
                    self.text[written..end].copy_from_slice(MARK);
                    self.text_left = (0, end);
                }
                DecoderResult::Malformed(..) => {
                    let name = self.decoder.encoding().name();
                    return Err(io::Error::new(io::ErrorKind::InvalidData, Malformed(name)));
                }
                DecoderResult::InputEmpty => self.finished = self.at_end,
                DecoderResult::OutputFull => {}
            }
        }
        Ok(())
    }
}

impl<R: Read> BufRead for Decoded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.decode()?;
        Ok(&self.text[self.text_left.0..self.text_left.1])
    }

    fn consume(&mut self, amount: usize) {
        self.text_left.0 += amount;
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    const RUSSIAN: &str =
        "имя;город;возраст\nАнна Каренина;Москва;28\nРодион Раскольников;Санкт-Петербург;23\n";

    fn text_of(bytes: &[u8]) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        with_text(file.path(), |text| {
            let mut all = String::new();
            text.read_to_string(&mut all).map_err(Error::io(file.path()))?;
            Ok(all)
        })
        .unwrap()
    }

    fn utf16(text: &str, bytes_of: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes_of).collect()
    }

    #[test]
    fn reads_the_encodings_that_tables_come_in() {
        assert_eq!(text_of(RUSSIAN.as_bytes()), RUSSIAN);
        assert_eq!(text_of(&[b"\xef\xbb\xbf", RUSSIAN.as_bytes()].concat()), RUSSIAN);
        assert_eq!(text_of(&encoding_rs::WINDOWS_1251.encode(RUSSIAN).0), RUSSIAN);
        assert_eq!(text_of(&encoding_rs::KOI8_R.encode(RUSSIAN).0), RUSSIAN);
        assert_eq!(text_of(&[vec![0xff, 0xfe], utf16(RUSSIAN, u16::to_le_bytes)].concat()), RUSSIAN);
        assert_eq!(text_of(&[vec![0xfe, 0xff], utf16(RUSSIAN, u16::to_be_bytes)].concat()), RUSSIAN);
        assert_eq!(text_of(&utf16(RUSSIAN, u16::to_le_bytes)), RUSSIAN);
        assert_eq!(text_of(&utf16(RUSSIAN, u16::to_be_bytes)), RUSSIAN);
        assert_eq!(text_of(b""), "");
    }

    #[test]
    fn letters_that_come_late_decide_too() {
        let late = format!("{}{RUSSIAN}", "1;2;3\n".repeat(SAMPLE_BYTES / 4));
        assert_eq!(text_of(&encoding_rs::WINDOWS_1251.encode(&late).0), late);
        assert_eq!(text_of(late.as_bytes()), late);
    }

    #[test]
    fn a_few_bad_bytes_do_not_change_the_encoding() {
        let early = [RUSSIAN.as_bytes(), b"\xff;1;2\n"].concat();
        assert_eq!(text_of(&early), format!("{RUSSIAN}\u{fffd};1;2\n"));
        let late =
            [RUSSIAN.as_bytes(), "1;2;3\n".repeat(SAMPLE_BYTES / 4).as_bytes(), b"a\xe9b\xe9"].concat();
        assert!(text_of(&late).ends_with("3\na\u{fffd}b\u{fffd}"));
    }

    #[test]
    fn decompresses_by_the_first_bytes() {
        let gzip = |text: &str| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        };
        assert_eq!(text_of(&gzip(RUSSIAN)), RUSSIAN);
        assert_eq!(text_of(&[gzip("a,b\n"), gzip("1,2\n")].concat()), "a,b\n1,2\n");
        assert_eq!(text_of(&zstd::encode_all(RUSSIAN.as_bytes(), 3).unwrap()), RUSSIAN);
        let mut xz = Vec::new();
        liblzma::read::XzEncoder::new(RUSSIAN.as_bytes(), 1).read_to_end(&mut xz).unwrap();
        assert_eq!(text_of(&xz), RUSSIAN);
        assert_eq!(text_of(&[&xz[..], &xz].concat()), [RUSSIAN, RUSSIAN].concat());
    }
}
