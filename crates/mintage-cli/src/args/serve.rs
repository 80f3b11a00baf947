//! `mintage studio` and `mintage serve`.

use std::{net::IpAddr, path::PathBuf};

use clap::Args;

use super::any_name;

#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// Data to look at beside what lies in the folder: a path, or an address that begins with postgres://
    #[arg(value_name = "SOURCE", value_parser = any_name())]
    pub sources: Vec<String>,
    /// Address to listen at; any but this machine's own needs a token
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port to listen at; where it is taken, the next that is free
    #[arg(long, value_name = "PORT", default_value_t = 7700)]
    pub port: u16,
    /// What callers prove themselves with (made at random without this; MINTAGE_TOKEN keeps it out of lists of processes)
    #[arg(long, value_name = "TOKEN", conflicts_with = "no_token", value_parser = token)]
    pub token: Option<String>,
    /// Ask callers on this machine for nothing
    #[arg(long)]
    pub no_token: bool,
    /// Another name that this machine is reached by
    #[arg(long, value_name = "NAME")]
    pub host_name: Vec<String>,
    /// An origin whose pages may ask this server: scheme, host and port, as browsers send it
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Vec<String>,
    /// Folder whose data can be looked at and learned from
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub root: PathBuf,
    /// Do not open a browser
    #[arg(long)]
    pub no_open: bool,
    /// Read the studio's files from a folder, to edit them
    #[arg(long, value_name = "DIR")]
    pub studio_dir: Option<PathBuf>,
}

/// Characters of a token at least: fewer can be guessed.
const MIN_TOKEN_CHARS: usize = 16;

/// A token that fits into an address and a header.
fn token(text: &str) -> Result<String, String> {
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    match is_plain && text.len() >= MIN_TOKEN_CHARS {
        true => Ok(text.to_owned()),
        false => Err(format!("a token has {MIN_TOKEN_CHARS} letters, digits, `-`, `_` and `.` at least")),
    }
}
