//! Words that the source no longer uses: private names of earlier versions, each with the standard term that took its
//! place. Whole words count, in comments too. Old keys of recipes, which stay readable, are named only in `recipe.rs` and
//! in aliases of serde.

use std::{fs, path::Path};

use super::{lex::is_word, rust_files};
use crate::{Result, at};

/// A word that is retired, and what to say instead.
const WORDS: &[(&str, &str)] = &[
    ("way_gone", "sample_timestep"),
    ("Matter", "Modality"),
    ("SoundStart", "Conditioning"),
    ("ClipStart", "Conditioning"),
    ("SequenceStart", "Conditioning"),
    ("SoundBeginning", "Conditioning"),
    ("ClipBeginning", "Conditioning"),
    ("Resemble", "Conditioning"),
    ("can_begin", "supports"),
    ("can_start", "supports"),
    ("RowDraw", "TableSampleParams"),
    ("SoundDraw", "AudioSampleParams"),
    ("ClipDraw", "VideoSampleParams"),
    ("chance_of_closer", "dcr_share"),
    ("LatentFlow", "RealNvp or LatentFlowMatching"),
    ("forward_dropping", "forward_train"),
    ("losses_dropping", "forward_train"),
    ("ImageCodec", "ImageTransform"),
    ("TableCodec", "RowEncoder"),
    ("SoundCodec", "AudioFormat"),
    ("ClipCodec", "VideoFormat"),
    ("head_start", "kl_warmup"),
    ("play_from", "adversarial_start"),
    ("critic_from", "critic_start"),
    ("prior_from", "prior_start"),
    ("Verdict", "CliResult"),
    ("tell_of_rows", "report_rows"),
    ("insist", "always"),
    ("titled", "field"),
    ("Heard", "DecodedAudio"),
    ("Camera", "what it holds"),
    ("Album", "what it holds"),
];

/// Names of files that are retired.
const FILES: &[(&str, &str)] = &[("closer.rs", "dcr.rs"), ("healing.rs", "token_healing.rs")];

/// Constants that do not say what they bound. Bounds begin with `MAX_` and `MIN_`.
const CONSTANTS: &[&str] =
    &["MOST", "LEAST", "PART", "THROUGH", "SHOWN", "TRIES", "NEW", "FAR", "FEW", "MANY", "ENOUGH"];

/// Files that name old words on purpose: this list, and the one of old keys.
const EXCEPT: [&str; 2] = ["xtask/src/source/words.rs", "crates/mintage/src/recipe.rs"];

/// Every place with a retired word.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in [
        rust_files(&root.join("crates"))?,
        rust_files(&root.join("xtask"))?,
        rust_files(&root.join("bench"))?,
    ]
    .concat()
    {
        let shown = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if EXCEPT.contains(&shown.as_str()) {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some((_, new)) = FILES.iter().find(|(old, _)| *old == name) {
            findings.push(format!("{shown}: call the file {new}"));
        }
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        for (number, line) in text.lines().enumerate() {
            let place = format!("{shown}:{}", number + 1);
            findings.extend(retired(line).map(|(old, new)| format!("{place}: `{old}` is retired: {new}")));
            if let Some(name) = bare_constant(line) {
                findings.push(format!("{place}: `{name}` does not say what it bounds"));
            }
        }
    }
    Ok(findings)
}

/// The retired words of a line, with what to say instead.
fn retired(line: &str) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
    let words = line.split(|c| !is_word(c)).filter(|_| !line.contains("alias = "));
    words.filter_map(|word| WORDS.iter().find(|(old, _)| *old == word).copied())
}

/// The name of a constant that the line declares, if it is a bare one.
fn bare_constant(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("const ")?;
    let (name, _) = after.split_once(':')?;
    let is_declared = before.trim().is_empty() || before.trim_start().starts_with("pub");
    let is_bare = CONSTANTS.contains(&name) || name.starts_with("MOST_") || name.starts_with("LEAST_");
    (is_declared && is_bare).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_are_found_but_for_aliases() {
        let found = |line| retired(line).map(|(old, _)| old).collect::<Vec<_>>();
        assert_eq!(found("let t = way_gone(i); // Matter"), ["way_gone", "Matter"]);
        assert!(found("pub fn way_gone_by(matter: Matters) {}").is_empty());
        assert!(found("#[serde(alias = \"head_start\")]").is_empty());
    }

    #[test]
    fn bare_constants_are_declarations() {
        assert_eq!(bare_constant("    pub(super) const MOST: usize = 3;"), Some("MOST"));
        assert_eq!(bare_constant("const LEAST_ROWS: usize = 3;"), Some("LEAST_ROWS"));
        for line in ["const MAX_ROWS: usize = 3;", "take(MOST)", "let a: *const MOST: u8"] {
            assert_eq!(bare_constant(line), None, "{line}");
        }
    }
}
