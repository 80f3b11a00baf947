//! What new items are made from: the files of `--like`, `--between` and `--continue`, read as their kind is.

use std::path::Path;

use mintage::Conditioning;

use crate::{args::Sample, failure::CliError};

/// For kinds that lie between two files: images, texts, music. What their `--continue` begins with is a prompt.
pub fn vary_or_interpolate<T>(
    args: &Sample,
    read: impl Fn(&Path) -> Result<T, CliError>,
) -> Result<Conditioning<T>, CliError> {
    Ok(match (&args.like, &args.between[..]) {
        (Some(like), _) => Conditioning::Vary { item: read(like)?, strength: args.strength },
        (None, [from, to]) => Conditioning::Interpolate { from: read(from)?, to: read(to)? },
        _ => Conditioning::None,
    })
}

/// For kinds that go on from a file as it is: sounds, clips.
pub fn vary_or_continue<T>(
    args: &Sample,
    read: impl Fn(&Path) -> Result<T, CliError>,
) -> Result<Conditioning<T>, CliError> {
    Ok(match (&args.like, &args.continued) {
        (Some(_), Some(_)) => return Err(CliError::message("--like and --continue cannot be met together")),
        (Some(path), None) => Conditioning::Vary { item: read(path)?, strength: args.strength },
        (None, Some(path)) => Conditioning::Continue { item: read(path)? },
        (None, None) => Conditioning::None,
    })
}
