//! What verbs that say something of single items share: the items of a source, or new ones of the model.

use mintage::{
    Event, Model,
    data::DataKind,
    evaluate::{real, samples_of},
    generate::{Progress, Request, Samples},
};
use mintage_data::SourceSpec;

use crate::{
    args::Columns,
    context::{Context, source_spec},
    failure::CliError,
};

/// Items that are asked about.
pub struct Asked {
    /// One for each item.
    pub names: Vec<String>,
    pub samples: Samples,
    /// Of drawn items: their seed.
    pub seed: Option<u64>,
}

/// Reads the items of a source as `model` sees them; without one `n` new ones are drawn.
pub fn asked(
    model: &Model,
    source: Option<&str>,
    columns: &Columns,
    n: usize,
    context: &mut Context,
) -> Result<Asked, CliError> {
    let Some(source) = source else { return drawn(model, n, context) };
    // What mintage made can be asked about as anything else.
    let spec = SourceSpec { allow_made: true, ..source_spec(source, columns) };
    let items = context.open(&spec, Some(model))?;
    let all: Vec<u32> = (0..real::len(&items) as u32).collect();
    let names = all.iter().map(|&item| real::name(&items, item)).collect();
    Ok(Asked { names, samples: samples_of(&items, &all)?, seed: None })
}

fn drawn(model: &Model, n: usize, context: &mut Context) -> Result<Asked, CliError> {
    if n == 0 {
        return Err(CliError::message("-n must be at least 1"));
    }
    let seed = context.settings.seed_or_fresh();
    let request = Request { n: Some(n), seed: Some(seed), ..Request::default() };
    let ui = &mut context.ui;
    let samples = model.generate(&request)?.all(&mut |progress| {
        if let Progress::Work { done, total } = progress {
            ui.event(&Event::Work { what: "sampling".to_owned(), done, total });
        }
    });
    context.ui.clear();
    let samples = samples?;
    let item = match model.kind() {
        DataKind::Image => "image",
        DataKind::Table => "row",
        DataKind::Text => "text",
        DataKind::Music => "tune",
        DataKind::Audio => "sound",
        DataKind::Video => "clip",
    };
    let names = (1..=samples.len()).map(|i| format!("new {item} {i}")).collect();
    Ok(Asked { names, samples, seed: Some(seed) })
}
