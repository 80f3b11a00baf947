//! The demo's data, for tests.

#![allow(clippy::unwrap_used)]

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use mintage_data::DataKind;

use crate::{AnyData, Recipe};

/// A recipe for a kind of data of the demo, and the data.
pub(super) fn demo(kind: DataKind) -> (Recipe, AnyData) {
    let database = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mintage-cli/assets/demo.db");
    let (table, column) = match kind {
        DataKind::Image => ("products", None),
        DataKind::Table => ("census", None),
        DataKind::Text => ("texts", Some("text")),
        DataKind::Music => ("tunes", None),
        DataKind::Audio => ("sounds", None),
        DataKind::Video => ("clips", None),
    };
    let mut recipe = Recipe::for_source(&database.display().to_string());
    recipe.set(&format!("data.table=\"{table}\"")).unwrap();
    if let Some(column) = column {
        recipe.set(&format!("data.column=\"{column}\"")).unwrap();
        recipe.set("data.kind=\"text\"").unwrap();
    }
    let data = AnyData::open(&recipe.data).unwrap();
    (recipe, data)
}

/// A flag that nobody sets.
pub(super) fn never() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(false))
}
