//! Counts, shares and examples in words.

/// "12,345".
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

/// "1 row", "2,000 rows".
pub fn rows(n: usize) -> String {
    if n == 1 { "1 row".to_owned() } else { format!("{} rows", count(n)) }
}

/// "32 %", "0.4 %".
pub fn percent(part: usize, whole: usize) -> String {
    let share = 100.0 * part as f64 / whole.max(1) as f64;
    if share >= 9.95 || share == 0.0 {
        format!("{share:.0} %")
    } else if share >= 0.095 {
        format!("{share:.1} %")
    } else {
        "less than 0.1 %".to_owned()
    }
}

/// A text in quotation marks, cut where it is long.
pub fn quoted(text: &str) -> String {
    const MAX_SHOWN_CHARS: usize = 40;
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
    }
}

/// The most frequent ones: `"x" (7 rows), "y" (1 row) and 3 more`.
pub fn examples(values: &[(&str, u32)]) -> String {
    const EXAMPLES_SHOWN: usize = 3;
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let shown = sorted
        .iter()
        .take(EXAMPLES_SHOWN)
        .map(|(text, n)| format!("{} ({})", quoted(text), rows(*n as usize)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match sorted.len().saturating_sub(EXAMPLES_SHOWN) {
        0 => shown,
        more => format!("{shown} and {} more", count(more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(rows(1), "1 row");
        assert_eq!((percent(1, 3), percent(4, 1000)), ("33 %".to_owned(), "0.4 %".to_owned()));
        assert_eq!(
            examples(&[("b", 1), ("a", 2), ("c", 1), ("d", 1)]),
            r#""a" (2 rows), "b" (1 row), "c" (1 row) and 1 more"#
        );
        assert_eq!(quoted(&"я".repeat(50)), format!("\"{}…\"", "я".repeat(40)));
    }
}
