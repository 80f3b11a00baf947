//! Where sounds come from: a folder of files, a column of a database, or one long file.

use super::decode::Input;
use crate::{
    files::open_regular,
    source::media::{Media, Places},
};

pub(crate) const SOUNDS: Media = Media {
    name: "sounds",
    hint: "sounds are WAV, AIFF, FLAC, Ogg Vorbis or MP3, as files or BLOBs; `mintage inspect` shows the columns",
    suffixes: &["wav", "wave", "aif", "aiff", "aifc", "flac", "ogg", "oga", "mp3"],
    unread: &[
        "m4a", "m4b", "aac", "opus", "au", "snd", "w64", "caf", "wma", "amr", "ape", "wv", "alac", "ac3",
        "mka", "ra", "mp2", "spx", "tta", "voc", "rf64",
    ],
    convert: "convert them to FLAC or WAV, as by `ffmpeg -i a.m4a a.flac`",
    is: |head| match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, kind @ ..] => kind.starts_with(b"WAVE"),
        [b'F', b'O', b'R', b'M', _, _, _, _, kind @ ..] => {
            kind.starts_with(b"AIFF") || kind.starts_with(b"AIFC")
        }
        // Nothing else begins like a frame of MPEG's third layer: no rate or bit rate is left open.
        [0xff, layer, rates, ..] => {
            layer & 0xe6 == 0xe2 && !matches!(rates >> 4, 0 | 15) && rates & 0x0c != 0x0c
        }
        _ => [&b"fLaC"[..], b"OggS", b"ID3"].iter().any(|magic| head.starts_with(magic)),
    },
};

/// Larger files are read as they are needed.
const IN_MEMORY: u64 = 8 << 20;

/// An item, ready to be read.
pub(super) fn input(places: &Places, item: usize) -> Result<Input, String> {
    if let Some(path) = places.path(item) {
        let file = open_regular(&path).map_err(|error| error.to_string())?;
        if file.metadata().map_err(|error| error.to_string())?.len() > IN_MEMORY {
            return Ok(Input::File(file));
        }
    }
    places.fetch(item).map(Input::Bytes).map_err(|error| error.to_string())
}
