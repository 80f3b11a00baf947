//! `mintage explain`: how real each new item looks to a detector, and what gives it away.

use std::sync::{Arc, atomic::AtomicBool};

use mintage::evaluate::{Explainer, Explanation};
use serde_json::{Value, json};

use super::one_item::{Asked, asked};
use crate::{
    args::Explain,
    context::Context,
    failure::{CliResult, Outcome},
    text::{Table, count, number, visible},
};

/// What gives an item away that is named in its line.
const MAX_NAMED: usize = 3;

pub fn run(args: &Explain, context: &mut Context) -> CliResult {
    let model = context.load(&args.model)?;
    let Asked { names, samples, seed } =
        asked(&model, args.items.as_deref(), &args.columns, args.n, context)?;
    let data = context.data_of(&model, &args.moved)?;
    let of_detector = context.settings.seed_or_default();
    let (ui, cancel) = (&mut context.ui, Arc::new(AtomicBool::new(false)));
    let explainer = Explainer::build(&model, &data, of_detector, &cancel, &mut |event| ui.event(&event));
    context.ui.clear();
    let explainer = explainer?;
    let mut found = Vec::with_capacity(names.len());
    for (item, name) in names.iter().enumerate() {
        found.push((name.as_str(), explainer.explain(&samples, item)?));
    }
    match context.ui.wants_json() {
        true => context.ui.out_json(&as_json(&found, seed, explainer.auc()))?,
        false => context.ui.out(&visible(&table(&found)))?,
    }
    let mean = found.iter().map(|(_, found)| found.score).sum::<f64>() / found.len().max(1) as f64;
    context.ui.say(&format!(
        "{}, {} of 100 on the average: the probability of being real, as a detector with an AUC of {:.2} sees it",
        count(found.len(), "item"),
        number(mean),
        explainer.auc()
    ));
    if seed.is_some() {
        context.tell_seed();
    }
    Ok(Outcome::Done)
}

fn as_json(found: &[(&str, Explanation)], seed: Option<u64>, auc: f64) -> Value {
    let item = |(name, explanation): &(&str, Explanation)| {
        let mut value = json!(explanation);
        value["name"] = json!(name);
        value
    };
    json!({ "seed": seed, "auc": auc, "items": found.iter().map(item).collect::<Vec<Value>>() })
}

fn table(found: &[(&str, Explanation)]) -> String {
    let mut table = Table::new(["item", "score", "what gives it away"]);
    for (name, explanation) in found {
        let mut parts = parts(explanation);
        parts.truncate(MAX_NAMED);
        let parts = if parts.is_empty() { "nothing in particular".to_owned() } else { parts.join("; ") };
        table.row([(*name).to_owned(), format!("{:.0}", explanation.score), parts]);
    }
    table.text()
}

/// What gives an item away, in words, the most telling first.
fn parts(found: &Explanation) -> Vec<String> {
    let Explanation { columns, regions, spans, bands, bars, frames, .. } = found;
    let percent = |share: f64| format!("{:.0}", 100.0 * share);
    let columns = columns.iter().map(|column| column.words.clone());
    let regions = regions.iter().map(|region| {
        let [left, right] = [region.x, region.x + region.w].map(percent);
        let [top, bottom] = [region.y, region.y + region.h].map(percent);
        format!("{left}–{right} % across, {top}–{bottom} % down")
    });
    let spans = spans.iter().map(|span| format!("\"{}\" at {}", span.text, span.start));
    let bands = bands.iter().map(|band| {
        format!("{:.2}–{:.2} s at {:.0}–{:.0} Hz", band.from_s, band.to_s, band.from_hz, band.to_hz)
    });
    let bars = bars.iter().map(|bar| format!("bar {}", bar.bar + 1));
    let frames = frames.iter().map(|frame| format!("frame {}", frame.frame + 1));
    columns.chain(regions).chain(spans).chain(bands).chain(bars).chain(frames).collect()
}
