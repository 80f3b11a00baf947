//! `mintage models`: the matrix of families and kinds of data.

use mintage::{
    Family,
    models::{audio, image, sequence, table, video},
};
use serde_json::json;

use crate::{
    context::Context,
    failure::{CliResult, Outcome},
    text::Table,
};

const FAMILIES: [&str; 6] = ["vae", "gan", "vqvae", "ar", "flow", "mixture"];

/// Kind of data, and whether each of [`FAMILIES`] learns it.
const MATRIX: [(&str, [bool; 6]); 6] = [
    ("table rows", [true; 6]),
    ("text", [true, true, true, true, false, false]),
    ("music", [true, true, true, true, false, false]),
    ("image", [true, true, true, false, true, false]),
    ("audio", [true, true, true, false, false, false]),
    ("video", [true, true, true, false, false, false]),
];

pub fn run(context: &mut Context) -> CliResult {
    if context.ui.wants_json() {
        let rows: serde_json::Map<_, _> = MATRIX
            .iter()
            .map(|(kind, works)| {
                let cells: serde_json::Map<_, _> = FAMILIES
                    .iter()
                    .zip(works)
                    .filter(|(_, works)| **works)
                    .map(|(family, _)| ((*family).to_owned(), json!("works")))
                    .collect();
                ((*kind).to_owned(), cells.into())
            })
            .collect();
        context.ui.out_json(&json!({ "kinds": rows, "auto": {
            "table rows": table::AUTO_FAMILY.name(), "text": sequence::AUTO_FAMILY.name(),
            "music": sequence::AUTO_FAMILY.name(), "image": image::AUTO_FAMILY.name(),
            "audio": audio::AUTO_FAMILY.name(), "video": video::AUTO_FAMILY.name(),
        } }))?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::with_head(["data"].iter().chain(&FAMILIES).map(|s| (*s).to_owned()).collect());
    for (kind, works) in MATRIX {
        let word = |works: bool| if works { "works" } else { "–" }.to_owned();
        table.row([kind.to_owned()].into_iter().chain(works.map(word)));
    }
    let about: Vec<String> =
        Family::ALL.iter().map(|f| format!("  {:<7} {}\n", f.name(), about(*f))).collect();
    let [rows, sequences, images] =
        [table::AUTO_FAMILY, sequence::AUTO_FAMILY, image::AUTO_FAMILY].map(Family::name);
    let [sounds, clips] = [audio::AUTO_FAMILY, video::AUTO_FAMILY].map(Family::name);
    let auto = format!(
        "\n--model auto stands for {rows} with table rows, {sequences} with texts and music, {images} with images, \
         {sounds} with sounds, {clips} with clips\n"
    );
    let conditions = "--where, --given and --fill with table rows: no family draws again and again until a row fits. \
                      mixture is\nexact, ar too up to one range; the others are trained to complete any part of a row\n";
    context.ui.out(&format!("{}\n{}{auto}{conditions}", table.text(), about.concat()))?;
    Ok(Outcome::Done)
}

/// One line about a family.
fn about(family: Family) -> &'static str {
    match family {
        Family::Vae => {
            "variational autoencoder: quick, smooth, has an encoder, and a likelihood but for sounds and clips"
        }
        Family::Gan => {
            "generator against discriminator: sharp, no encoder; a likelihood with texts and music alone"
        }
        Family::Vqvae => "codes in a codebook and a prior over them: sharp, has an encoder and a likelihood",
        Family::Flow => "flow matching: noise carried to data along learned paths, no encoder",
        Family::Ar => {
            "one field or token after another: accurate, a likelihood, no encoder; rows in any order"
        }
        Family::Mixture => "many simple distributions: learned in seconds, exact conditions and likelihood",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_of_the_library_works_for_something() {
        for family in Family::ALL {
            let column = FAMILIES.iter().position(|name| *name == family.name());
            assert!(MATRIX.iter().any(|(_, works)| column.is_some_and(|c| works[c])), "{family:?}");
        }
    }
}
