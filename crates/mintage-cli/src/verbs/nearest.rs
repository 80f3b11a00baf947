//! `mintage nearest`: the training items nearest to each new one, read against what held-out items have.

use std::sync::{Arc, atomic::AtomicBool};

use mintage::evaluate::{Closeness, Nearest, NearestIndex};
use serde_json::{Value, json};

use super::one_item::{Asked, asked};
use crate::{
    args::Nearest as Args,
    context::Context,
    failure::{CliError, CliResult, Outcome},
    text::{Table, count, number, visible},
};

pub fn run(args: &Args, context: &mut Context) -> CliResult {
    if args.neighbours == 0 {
        return Err(CliError::message("-k must be at least 1"));
    }
    let model = context.load(&args.model)?;
    let Asked { names, samples, seed } =
        asked(&model, args.items.as_deref(), &args.columns, args.n, context)?;
    let data = context.data_of(&model, &args.moved)?;
    let ui = &mut context.ui;
    let index = NearestIndex::build(&model, &data, &Arc::new(AtomicBool::new(false)), &mut |event| {
        ui.event(&event);
    });
    context.ui.clear();
    let index = index?;
    let mut found = Vec::with_capacity(names.len());
    for (item, name) in names.iter().enumerate() {
        found.push((name.as_str(), index.nearest(&samples, item, args.neighbours)?));
    }
    match context.ui.wants_json() {
        true => context.ui.out_json(&as_json(&found, seed))?,
        false => context.ui.out(&visible(&table(&found)))?,
    }
    context.ui.say(&summary(&found));
    if seed.is_some() {
        context.tell_seed();
    }
    Ok(Outcome::Done)
}

fn as_json(found: &[(&str, Nearest)], seed: Option<u64>) -> Value {
    let item = |(name, nearest): &(&str, Nearest)| {
        let mut value = json!(nearest);
        value["name"] = json!(name);
        value
    };
    json!({ "seed": seed, "items": found.iter().map(item).collect::<Vec<Value>>() })
}

/// One line for each neighbour; what is said of the item itself stands in its first line alone.
fn table(found: &[(&str, Nearest)]) -> String {
    let mut table =
        Table::new(["item", "verdict", "nearest in train", "distance", "held-out median", "as near"]);
    for (name, nearest) in found {
        let yardstick = &nearest.yardstick;
        for (place, neighbour) in nearest.neighbours.iter().enumerate() {
            let first = |text: String| if place == 0 { text } else { String::new() };
            table.row([
                first((*name).to_owned()),
                first(verdict(nearest.verdict).to_owned()),
                neighbour.name.clone(),
                number(neighbour.distance),
                first(known(yardstick.holdout_median, number)),
                first(known(yardstick.share_of_holdout_closer, |share| format!("{:.1} %", 100.0 * share))),
            ]);
        }
    }
    table.text()
}

fn known(value: f64, text: impl Fn(f64) -> String) -> String {
    if value.is_nan() { "–".to_owned() } else { text(value) }
}

fn verdict(closeness: Closeness) -> &'static str {
    match closeness {
        Closeness::Far => "far",
        Closeness::Usual => "usual",
        Closeness::Close => "close",
        Closeness::Copy => "copy",
    }
}

/// "3 items: 1 copy, 2 usual; 1,801 training items searched".
fn summary(found: &[(&str, Nearest)]) -> String {
    let of = |closeness: Closeness| {
        let n = found.iter().filter(|(_, nearest)| nearest.verdict == closeness).count();
        (n > 0).then(|| format!("{n} {}", verdict(closeness)))
    };
    let verdicts = [Closeness::Copy, Closeness::Close, Closeness::Usual, Closeness::Far].into_iter();
    let verdicts: Vec<String> = verdicts.filter_map(of).collect();
    let searched = found.first().map_or(String::new(), |(_, nearest)| {
        let part =
            if nearest.indexed < nearest.train { format!(" of {}", nearest.train) } else { String::new() };
        let metric = &nearest.yardstick.metric;
        format!("; {}{part} searched by {metric}", count(nearest.indexed, "training item"))
    });
    format!("{}: {}{searched}", count(found.len(), "item"), verdicts.join(", "))
}
