//! The studio's files, which are part of the program: it works offline, on a machine with nothing else.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Component, Path, PathBuf},
    sync::Mutex,
};

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    lock,
    problem::{Problem, bytes},
};

macro_rules! assets {
    ($($name:literal),* $(,)?) => {
        /// By name, relative to `web/`.
        const ASSETS: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("../web/", $name)))),*];
    };
}

include!("asset_list.rs");

/// The page that every address of the studio begins with.
pub(crate) const PAGE: &str = "index.html";

/// A file of the studio: from the program, or from the folder of whoever edits it.
pub(crate) fn serve(name: &str, headers: &HeaderMap, from: Option<&Path>) -> Response {
    let Some(file) = read(name, from) else {
        return Problem::not_found("the studio has no such file").into_response();
    };
    let tag = format!("\"{:016x}\"", xxh3_64(&file));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let mut response = match known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag)) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false if takes_gzip(headers) && from.is_none() => {
            let mut response = bytes(media_type(name), packed(name, &file));
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        }
        false => bytes(media_type(name), file),
    };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    // Asked about each time, sent when it has changed.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|accepted| accepted.to_str().ok());
    accepted
        .is_some_and(|accepted| accepted.split(',').any(|one| one.trim().split(';').next() == Some("gzip")))
}

/// A file of the program, packed once.
fn packed(name: &str, file: &[u8]) -> Vec<u8> {
    static PACKED: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut all = lock(&PACKED);
    let pack = || {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory does not fail.
        let _ = packer.write_all(file);
        packer.finish().unwrap_or_default()
    };
    all.entry(name.to_owned()).or_insert_with(pack).clone()
}

fn read(name: &str, from: Option<&Path>) -> Option<Vec<u8>> {
    let Some(dir) = from else {
        return ASSETS.iter().find(|(own, _)| *own == name).map(|(_, bytes)| bytes.to_vec());
    };
    let path = Path::new(name);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let dir: PathBuf = dir.canonicalize().ok()?;
    let path = dir.join(path).canonicalize().ok().filter(|path| is_plain && path.starts_with(&dir))?;
    std::fs::read(path).ok()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, suffix)| suffix) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "md" | "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn files(dir: &Path, inside: &Path, all: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let name = inside.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => files(&entry.path(), &name, all),
                false => all.push(name.to_str().unwrap().to_owned()),
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_in_the_program() {
        let mut there = Vec::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("web"), Path::new(""), &mut there);
        there.sort();
        let mut listed: Vec<&str> = ASSETS.iter().map(|(name, _)| *name).collect();
        listed.sort_unstable();
        assert_eq!(listed, there, "src/asset_list.rs lists the files of web/");
    }

    #[test]
    fn a_folder_for_editing_is_not_left() {
        let outside = tempfile::tempdir().unwrap();
        let web = outside.path().join("web");
        std::fs::create_dir(&web).unwrap();
        std::fs::write(web.join("a.js"), "1").unwrap();
        std::fs::write(outside.path().join("secret"), "2").unwrap();
        assert!(read("a.js", Some(&web)).is_some());
        for name in ["../secret", "/etc/passwd", "./../secret", "b.js"] {
            assert!(read(name, Some(&web)).is_none(), "{name}");
        }
    }
}
