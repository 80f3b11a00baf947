//! Parts of a file (RFC 9110, 14): players jump in sounds and films.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::problem::{Problem, bytes};

/// The whole file, or the part that is asked for. Of several parts none: the whole is an answer too.
pub(crate) fn ranged(headers: &HeaderMap, media_type: &str, file: Vec<u8>) -> Response {
    let length = file.len();
    let asked =
        headers.get(header::RANGE).and_then(|range| range.to_str().ok()).and_then(|range| of(range, length));
    let mut response = match asked {
        None => bytes(media_type, file),
        Some(None) => {
            let mut response =
                Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "the file ends before that part")
                    .into_response();
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return response;
        }
        Some(Some((from, to))) => {
            let mut response = bytes(media_type, Body::from(file[from..=to].to_vec()));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            if let Ok(value) = HeaderValue::from_str(&format!("bytes {from}-{to}/{length}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            response
        }
    };
    response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response
}

/// First and last byte; `None` for what is no single range of bytes, `Some(None)` for one outside of the file.
fn of(range: &str, length: usize) -> Option<Option<(usize, usize)>> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let last = length.checked_sub(1);
    let (from, to) = match (from.trim(), to.trim()) {
        ("", "") => return None,
        ("", count) => {
            let count: usize = count.parse().ok()?;
            (length.saturating_sub(count), length.wrapping_sub(usize::from(count > 0)))
        }
        (from, "") => (from.parse().ok()?, usize::MAX),
        (from, to) => (from.parse().ok()?, to.parse().ok()?),
    };
    let Some(last) = last else { return Some(None) };
    Some((from <= to && from <= last).then(|| (from, to.min(last))))
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn parts_of_files() {
        assert_eq!(of("bytes=0-3", 10), Some(Some((0, 3))));
        assert_eq!(of("bytes=4-", 10), Some(Some((4, 9))));
        assert_eq!(of("bytes=-3", 10), Some(Some((7, 9))));
        assert_eq!(of("bytes=-99", 10), Some(Some((0, 9))));
        assert_eq!(of("bytes=0-99", 10), Some(Some((0, 9))));
        assert_eq!(of("bytes=-0", 10), Some(None));
        for outside in ["bytes=10-", "bytes=7-3", "bytes=99999999999999999-"] {
            assert_eq!(of(outside, 10), Some(None), "{outside}");
        }
        assert_eq!(of("bytes=0-0", 0), Some(None));
        for none in
            ["bytes=", "bytes=-", "bytes=a-b", "items=0-1", "bytes=0-1,4-5", "bytes=99999999999999999999999-"]
        {
            assert_eq!(of(none, 10), None, "{none}");
        }
    }
}
