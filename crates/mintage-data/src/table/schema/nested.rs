//! Texts that a program reads: objects and lists of JSON, and arrays of PostgreSQL. One that is made of the parts of others
//! would be none that it understands.

use serde::de::IgnoredAny;

use crate::table::{Declaration, Type};

/// What stands for nothing in a column of such texts, where no row may be without one: an empty object, or an empty list where
/// all are lists. Nothing for a column of other texts.
pub(super) fn filler(declaration: &Declaration, texts: &[&str]) -> Option<&'static str> {
    if is_array(declaration, texts) {
        return Some("{}");
    }
    let are_lists = !texts.is_empty() && texts.iter().all(|text| text.trim_start().starts_with('['));
    (declaration.ty == Type::Json || is_json(texts)).then_some(if are_lists { "[]" } else { "{}" })
}

/// Whether a column is one of arrays, such as `{a,"b c"}`; before one that does not begin at 1 stand its bounds.
fn is_array(declaration: &Declaration, texts: &[&str]) -> bool {
    declaration.native.as_deref().is_some_and(|native| native.ends_with("[]"))
        && texts.iter().all(|text| text.starts_with(['{', '[']))
}

/// Whether most texts are objects and lists, of whose parts any may be somebody's.
pub(super) fn is_json(texts: &[&str]) -> bool {
    let begins = |text: &str| text.trim_start().starts_with(['{', '[']);
    let is_json = |text: &&&str| begins(text) && serde_json::from_str::<IgnoredAny>(text).is_ok();
    !texts.is_empty() && texts.iter().filter(is_json).count() * 2 > texts.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_objects_and_lists_from_other_texts() {
        let text = Declaration::default();
        let json = Declaration { ty: Type::Json, ..Declaration::default() };
        assert_eq!(filler(&text, &["{\"a\": 1}", "[1]"]), Some("{}"));
        assert_eq!(filler(&text, &["[1]", " [\"a\"]"]), Some("[]"));
        assert_eq!((filler(&text, &["[1", "{x}"]), filler(&text, &["tea"])), (None, None));
        assert_eq!((filler(&json, &["\"tea\""]), filler(&json, &[])), (Some("{}"), Some("{}")));
        let array = Declaration { native: Some("integer[]".to_owned()), ..Declaration::default() };
        assert_eq!(filler(&array, &["{1,2}", "[0:1]={1,2}"]), Some("{}"));
        assert_eq!(filler(&array, &["1,2"]), None);
    }
}
