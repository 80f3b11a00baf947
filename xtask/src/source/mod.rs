//! `cargo xtask source`: what no compiler checks about the source: circles of imports, and words that are retired.

mod circles;
mod lex;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Result, at, root};

/// Prints every finding; one is enough to fail.
pub fn run() -> Result<()> {
    let findings = [circles::check(&root())?, words::check(&root())?].concat();
    findings.iter().for_each(|finding| println!("{finding}"));
    match findings.len() {
        0 => Ok(()),
        1 => Err("1 finding in the source".to_owned()),
        n => Err(format!("{n} findings in the source")),
    }
}

/// All Rust files below a folder, in the order of their names.
fn rust_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).map_err(at(&dir))? {
            let path = entry.map_err(at(&dir))?.path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
