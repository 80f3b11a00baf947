//! What a file of moving pictures says of itself: its kind by its first bytes, and of GIF and PNG the size, the number
//! of frames and how long each stays, found by walking over blocks and chunks. Nothing is decoded here, so that limits
//! hold before anything is.

use crate::{
    Provenance, provenance_of,
    transform::{MAX_PIXELS, MAX_SIDE},
};

/// No GIF or APNG may have more frames.
pub(super) const MAX_FRAMES: usize = 4096;
/// Nor more pixels in all of them.
const MAX_TOTAL_PIXELS: u64 = 2_000_000_000;
/// A delay this short means "as fast as you can", which browsers take for a tenth of a second.
const SHORTEST_SECS: f64 = 0.0105;
const INSTEAD_SECS: f64 = 0.1;

const CUT_OFF: &str = "is cut off";

/// A GIF or PNG before it is decoded.
#[derive(Debug, PartialEq)]
pub(super) struct Contents {
    pub width: u32,
    pub height: u32,
    /// Seconds that each frame stays.
    pub delays: Vec<f64>,
}

/// Sound and still pictures in the container of MP4.
const OTHER_BRANDS: [&[u8]; 8] = [b"M4A ", b"M4B ", b"avif", b"heic", b"heix", b"mif1", b"msf1", b"crx "];

/// Whether the bytes begin like MP4, MOV, WebM, Matroska or AVI, for which `ffmpeg` is needed.
pub(crate) fn is_film(head: &[u8]) -> bool {
    let (atom, brand) = (head.get(4..8).unwrap_or_default(), head.get(8..12).unwrap_or_default());
    // Old QuickTime files begin with any of their atoms.
    [&b"moov"[..], b"mdat", b"wide", b"free", b"skip", b"pnot"].contains(&atom)
        || atom == b"ftyp" && !OTHER_BRANDS.contains(&brand)
        || head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3])
        || head.starts_with(b"RIFF") && brand == b"AVI "
}

/// Whether a file that begins so moves: a film, or a GIF or PNG of several frames as far as its beginning tells.
pub(super) fn is_moving(head: &[u8]) -> bool {
    if is_gif(head) {
        let (mut frames, mut repeats) = (0, false);
        let whole = walk_gif(head, &mut |block| {
            match block {
                GifBlock::Frame(_) => frames += 1,
                GifBlock::Extension(0xff, body) => repeats |= body.starts_with(b"NETSCAPE2.0"),
                GifBlock::Extension(..) => {}
            }
            Ok(())
        });
        // Where the first frame is longer than the head, a wish to be repeated tells.
        return frames > 1 || repeats && whole.is_err();
    }
    if is_png(head) {
        let mut several = false;
        let _ = walk_png(head, &mut |(name, body)| {
            several |= name == b"acTL" && number(body, 0) > 1;
            Ok(())
        });
        return several;
    }
    is_film(head)
}

/// Size, frames and delays of a GIF or PNG, within the limits; the reason where it is neither, or damaged.
pub(super) fn scan(bytes: &[u8]) -> Result<Contents, String> {
    let mut found = Contents { width: 0, height: 0, delays: Vec::new() };
    if is_gif(bytes) {
        let mut delay = 0u16;
        (found.width, found.height) = gif_size(bytes)?;
        check_size(&found)?;
        walk_gif(bytes, &mut |block| {
            match block {
                GifBlock::Extension(0xf9, body) if body.len() >= 4 => {
                    delay = u16::from_le_bytes([body[1], body[2]]);
                }
                GifBlock::Extension(..) => {}
                GifBlock::Frame(place) => {
                    let secs = f64::from(std::mem::take(&mut delay)) / 100.0;
                    add_frame(&mut found, secs, place)?;
                }
            }
            Ok(())
        })?;
    } else if is_png(bytes) {
        walk_png(bytes, &mut |(name, body)| {
            if name == b"IHDR" {
                (found.width, found.height) = (number(body, 0), number(body, 4));
                check_size(&found)?;
            }
            if name == b"fcTL" && body.len() >= 26 {
                let place = [number(body, 12), number(body, 16), number(body, 4), number(body, 8)];
                let half = |at: usize| f64::from(u16::from_be_bytes([body[at], body[at + 1]]));
                let below = if half(22) == 0.0 { 100.0 } else { half(22) };
                add_frame(&mut found, half(20) / below, place)?;
            }
            Ok(())
        })?;
        if found.delays.is_empty() {
            found.delays.push(INSTEAD_SECS);
        }
    } else {
        return Err("is no clip: the bytes are not GIF, PNG, MP4, WebM or AVI".to_owned());
    }
    if found.delays.is_empty() {
        return Err("has no frames".to_owned());
    }
    Ok(found)
}

fn check_size(found: &Contents) -> Result<(), String> {
    let Contents { width, height, .. } = *found;
    if width == 0 || height == 0 {
        return Err("its frames have no pixels".to_owned());
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(format!("{width}×{height} pixels are over the limit of {MAX_SIDE} a side"));
    }
    Ok(())
}

/// Counts a frame that lies at `[left, top, width, height]`.
fn add_frame(found: &mut Contents, secs: f64, place: [u32; 4]) -> Result<(), String> {
    let Contents { width, height, delays } = found;
    let [left, top, w, h] = place.map(u64::from);
    if left + w > u64::from(*width) || top + h > u64::from(*height) {
        let number = delays.len() + 1;
        return Err(format!(
            "its frames change in size: frame {number}, {w}×{h} at ({left}, {top}), reaches out of {width}×{height}"
        ));
    }
    delays.push(if secs < SHORTEST_SECS { INSTEAD_SECS } else { secs });
    let pixels = delays.len() as u64 * u64::from(*width) * u64::from(*height);
    if delays.len() > MAX_FRAMES || pixels > MAX_TOTAL_PIXELS {
        return Err(format!(
            "has more than {} frames of {width}×{height}, which is over the limit: cut it into parts",
            delays.len() - 1
        ));
    }
    Ok(())
}

/// The provenance inside a GIF, PNG or MP4 that this program made.
pub fn provenance_of_clip(bytes: &[u8]) -> Option<Provenance> {
    if is_png(bytes) {
        return provenance_of(bytes);
    }
    let mut found = None;
    if is_gif(bytes) {
        let _ = walk_gif(bytes, &mut |block| {
            if let GifBlock::Extension(0xfe, body) = block {
                found = found.take().or_else(|| serde_json::from_slice(&body).ok());
            }
            Ok(())
        });
        return found;
    }
    if !is_film(bytes) {
        return None;
    }
    // An atom `©cmt` around an atom `data`: length, name, kind, language, text.
    let at = bytes.windows(4).rposition(|name| name == b"\xa9cmt")?;
    let length = number(bytes, at + 4) as usize;
    serde_json::from_slice(bytes.get(at + 20..(at + 4).checked_add(length)?)?).ok()
}

fn is_gif(bytes: &[u8]) -> bool {
    bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a")
}

fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}

/// Four bytes as a number, highest first; 0 beyond the end.
fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
}

enum GifBlock {
    /// Its label and what its sub-blocks hold.
    Extension(u8, Vec<u8>),
    /// Left, top, width and height of a frame.
    Frame([u32; 4]),
}

fn gif_size(bytes: &[u8]) -> Result<(u32, u32), String> {
    let head = bytes.get(..13).ok_or(CUT_OFF)?;
    let side = |at: usize| u32::from(u16::from_le_bytes([head[at], head[at + 1]]));
    Ok((side(6), side(8)))
}

/// Shows every block of a GIF in turn.
fn walk_gif(bytes: &[u8], see: &mut dyn FnMut(GifBlock) -> Result<(), String>) -> Result<(), String> {
    let mut rest = Rest(bytes);
    let head = rest.take(13)?;
    rest.skip_palette(head[10])?;
    // A file that ends without its last byte is whole all the same.
    while let Ok(kind) = rest.take(1) {
        match kind[0] {
            0x21 => {
                let label = rest.take(1)?[0];
                let mut body = Vec::new();
                rest.sub_blocks(&mut |part| body.extend(part))?;
                see(GifBlock::Extension(label, body))?;
            }
            0x2c => {
                let head = rest.take(9)?;
                let side = |at: usize| u32::from(u16::from_le_bytes([head[at], head[at + 1]]));
                see(GifBlock::Frame([side(0), side(2), side(4), side(6)]))?;
                rest.skip_palette(head[8])?;
                rest.take(1)?; // bits of the first code
                rest.sub_blocks(&mut |_| {})?;
            }
            0x3b => break,
            0 => {} // padding, which some programs write
            _ => return Err("is damaged (a GIF block of an unknown kind)".to_owned()),
        }
    }
    Ok(())
}

/// Its name and what it holds.
type PngChunk<'a> = (&'a [u8], &'a [u8]);

/// Shows every chunk of a PNG in turn.
fn walk_png(bytes: &[u8], see: &mut dyn FnMut(PngChunk) -> Result<(), String>) -> Result<(), String> {
    let mut rest = Rest(bytes);
    rest.take(8)?;
    loop {
        let head = rest.take(8)?;
        let name = &head[4..];
        let body = rest.take(number(head, 0) as usize)?;
        see((name, body))?;
        if name == b"IEND" {
            return Ok(());
        }
        rest.take(4)?; // checksum, which the decoder looks at
    }
}

/// Bytes that were not looked at yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Skips a palette of the size that the flags of its head give.
    fn skip_palette(&mut self, flags: u8) -> Result<(), String> {
        let bytes = if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
        self.take(bytes).map(|_| ())
    }

    fn sub_blocks(&mut self, see: &mut dyn FnMut(&[u8])) -> Result<(), String> {
        loop {
            let length = self.take(1)?[0];
            if length == 0 {
                return Ok(());
            }
            see(self.take(usize::from(length))?);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A GIF of 2 × 2 pixels with so many frames, each the same eleven bytes of image.
    fn gif(frames: usize, left: u8) -> Vec<u8> {
        let mut bytes = b"GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
        for _ in 0..frames {
            bytes.extend(b"\x21\xf9\x04\0\x05\0\0\0");
            bytes.extend([0x2c, left, 0, 0, 0, 2, 0, 2, 0, 0, 2, 2, 0x84, 0x51, 0]);
        }
        bytes.push(0x3b);
        bytes
    }

    #[test]
    fn frames_and_delays_of_a_gif() {
        let found = scan(&gif(3, 0)).unwrap();
        assert_eq!(found, Contents { width: 2, height: 2, delays: vec![0.05; 3] });
        assert!(is_moving(&gif(2, 0)) && !is_moving(&gif(1, 0)));
        assert!(is_moving(&gif(3, 0)[..60]), "what the head shows is enough");
        assert_eq!(scan(&gif(3, 0)[..55]).unwrap_err(), "is cut off");
    }

    #[test]
    fn ten_thousand_frames_are_refused_before_decoding() {
        let why = scan(&gif(10_000, 0)).unwrap_err();
        assert!(why.contains("more than 4096 frames") && why.contains("limit"), "{why}");
        // Few frames, but of enormous size.
        let mut wide = gif(300, 0);
        wide[6..10].copy_from_slice(&[0x40, 0x1f, 0x40, 0x1f]); // 8000 × 8000
        assert!(scan(&wide).unwrap_err().contains("over the limit"));
    }

    #[test]
    fn frames_that_reach_out_of_the_picture_are_refused() {
        let why = scan(&gif(2, 1)).unwrap_err();
        assert!(why.contains("change in size") && why.contains("frame 1"), "{why}");
    }

    #[test]
    fn films_are_known_by_their_first_bytes() {
        assert!(is_film(b"\0\0\0\x20ftypisom") && is_film(b"RIFF\0\0\0\0AVI LIST"));
        assert!(is_film(b"\x1a\x45\xdf\xa3\x9f\x42\x86") && is_moving(b"\0\0\0\x08wide"));
        assert!(!is_film(b"\0\0\0\x20ftypM4A ") && !is_film(b"\0\0\0\x20ftypheic"));
        assert!(!is_film(b"RIFF\0\0\0\0WAVEfmt ") && !is_film(b"#EXTM3U") && !is_moving(b""));
        assert!(scan(b"#EXTM3U\nhttp://x").unwrap_err().contains("is no clip"));
    }
}
