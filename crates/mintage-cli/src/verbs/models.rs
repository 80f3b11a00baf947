//! `mintage models`: the matrix of families and kinds of data.

use mintage::{
    Family,
    models::{MATRIX, defaults::is_measured},
};
use mintage_data::DataKind;
use serde_json::json;

use crate::{
    context::Context,
    failure::{CliResult, Outcome},
    text::Table,
};

/// Columns, the most general families first.
const FAMILIES: [Family; 6] =
    [Family::Vae, Family::Gan, Family::Vqvae, Family::Ar, Family::Flow, Family::Mixture];

pub fn run(context: &mut Context) -> CliResult {
    if context.ui.wants_json() {
        let cells = |families: &[Family]| -> serde_json::Map<_, _> {
            families.iter().map(|family| (family.name().to_owned(), json!("works"))).collect()
        };
        let kinds: serde_json::Map<_, _> =
            MATRIX.iter().map(|(kind, families, _)| ((*kind).to_owned(), cells(families).into())).collect();
        let auto: serde_json::Map<_, _> =
            MATRIX.iter().map(|(kind, _, auto)| ((*kind).to_owned(), auto.name().into())).collect();
        context.ui.out_json(&json!({ "kinds": kinds, "auto": auto }))?;
        return Ok(Outcome::Done);
    }
    let head = ["data"].into_iter().chain(FAMILIES.map(Family::name)).map(str::to_owned);
    let mut table = Table::with_head(head.collect());
    for (kind, families, _) in MATRIX {
        let word = |family: Family| if families.contains(&family) { "works" } else { "–" }.to_owned();
        table.row([kind.to_owned()].into_iter().chain(FAMILIES.map(word)));
    }
    let about: Vec<String> =
        Family::ALL.iter().map(|f| format!("  {:<7} {}\n", f.name(), f.about())).collect();
    let with = |family: Family| {
        let kinds: Vec<&str> =
            MATRIX.iter().filter(|(.., auto)| *auto == family).map(|(kind, ..)| *kind).collect();
        (!kinds.is_empty()).then(|| format!("{} with {}", family.name(), kinds.join(", ")))
    };
    let auto: Vec<String> = FAMILIES.into_iter().filter_map(with).collect();
    let auto = format!("\n--model auto stands for {}\n{}", auto.join("; "), chosen());
    let conditions = "--where, --given and --fill with table rows: no family draws again and again until a row fits. \
                      mixture is\nexact, ar too up to one range; the others are trained to complete any part of a row\n";
    context.ui.out(&format!("{}\n{}{auto}{conditions}", table.text(), about.concat()))?;
    Ok(Outcome::Done)
}

/// Which kinds have a default that depends on the data and the time; nothing where none has.
fn chosen() -> String {
    let kinds =
        [DataKind::Table, DataKind::Text, DataKind::Music, DataKind::Image, DataKind::Audio, DataKind::Video];
    let measured = kinds.into_iter().filter(|kind| is_measured(*kind));
    let items: Vec<&str> = measured.map(DataKind::items).collect();
    match items.is_empty() {
        true => String::new(),
        false => {
            format!(
                "or, where `train` has a budget of time, for what measured best in it: {}\n",
                items.join(", ")
            )
        }
    }
}
