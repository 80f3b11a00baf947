//! Runs by the names that addresses give them.

use std::path::Path;

use mintage::{Run, run::RunInfo};

/// The id of a run in addresses: of one in a sweep SWEEP~RUN.
pub(crate) fn id_of(name: &str) -> String {
    name.replace('/', "~")
}

/// Where a preview is.
pub(crate) fn preview_url(run: &str, file: &str) -> String {
    format!("/api/runs/{}/previews/{}", encoded(run), encoded(file))
}

/// A text as a part of a path.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Asks a training to save and end, whoever started it.
pub(crate) fn ask_to_stop(runs: &Path, run: &str) {
    if let Some(found) = find(runs, run) {
        // A run that is gone needs no stop.
        let _ = Run::ask_to_stop(&found.dir);
    }
}

/// The run of an id, which is compared and never made a path.
pub(crate) fn find(runs: &Path, id: &str) -> Option<RunInfo> {
    Run::list(runs).ok()?.into_iter().find(|run| id_of(&run.name) == id)
}

/// The media type that the name of a preview says; nothing for what is none.
pub(crate) fn media_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "png" => "image/png",
        "gif" => "image/gif",
        "wav" => "audio/wav",
        "mid" => "audio/midi",
        "txt" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        _ => return None,
    })
}
