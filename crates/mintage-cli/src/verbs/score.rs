//! `mintage score`: how well each item of some data conforms to what a model learned from.

use mintage::evaluate::{ItemScore, score};
use mintage_data::SourceSpec;
use serde_json::{Value, json};

use super::judging::options;
use crate::{
    args::Score,
    context::{Context, source_spec},
    failure::{CliResult, Outcome},
    text::{count, number},
};

/// The least conforming items that are named at the end.
const ITEMS_NAMED: usize = 3;

pub fn run(args: &Score, context: &mut Context) -> CliResult {
    let model = context.load(&args.model)?;
    // What mintage made can be scored as anything else.
    let spec = SourceSpec { allow_made: true, ..source_spec(&args.items, &args.columns) };
    let items = context.open(&spec, Some(&model))?;
    let data = context.data_of(&model, &args.moved)?;
    let options = options(None, &context.settings);
    let ui = &mut context.ui;
    let scores = score(&model, &data, &items, &options, &mut |event| ui.event(&event));
    context.ui.clear();
    let scores = scores?;
    if context.ui.wants_json() {
        let all: Vec<Value> = scores
            .iter()
            .map(|s| json!({ "name": s.name, "conformity": s.conformity, "nll": s.nll }))
            .collect();
        context.ui.out_json(&all.into())?;
    } else {
        context.ui.out(&csv(&scores))?;
    }
    context.ui.say(&summary(&scores));
    Ok(Outcome::Done)
}

/// The scores as CSV: conformity from 0 to 100, nll in nats (empty where the family has none, or one that takes long).
fn csv(scores: &[ItemScore]) -> String {
    let mut text = "name,conformity,nll\n".to_owned();
    for item in scores {
        let nll = item.nll.map(|x| format!("{x:.4}")).unwrap_or_default();
        text.push_str(&format!("{},{:.2},{nll}\n", field(&item.name), item.conformity));
    }
    text
}

/// A field of CSV, quoted where it has to be.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn summary(scores: &[ItemScore]) -> String {
    let mean = scores.iter().map(|s| s.conformity).sum::<f64>() / scores.len().max(1) as f64;
    let mut sorted: Vec<&ItemScore> = scores.iter().collect();
    sorted.sort_by(|a, b| a.conformity.total_cmp(&b.conformity));
    let least: Vec<String> =
        sorted.iter().take(ITEMS_NAMED).map(|s| format!("{} ({})", s.name, number(s.conformity))).collect();
    let items = count(scores.len(), "item");
    format!("{items}, conformity {} of 100 on the average; least: {}", number(mean), least.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_quoted_where_it_has_to_be() {
        let item = |name: &str, nll| ItemScore { name: name.to_owned(), conformity: 41.5, nll };
        let text = csv(&[item("a \"b\", c", Some(12.0)), item("plain", None)]);
        assert_eq!(text, "name,conformity,nll\n\"a \"\"b\"\", c\",41.50,12.0000\nplain,41.50,\n");
    }
}
