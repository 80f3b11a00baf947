//! `mintage sample` of table rows: to a file, a database or stdout; under conditions, from partial rows.

use mintage::{Event, Model, RowRequest, nn::Rng};
use mintage_data::{
    IfExists, SourceSpec, Table,
    table::{Writing, Written, codec::Where, read, write},
};
use serde_json::json;

use crate::{
    args::Sample,
    context::Context,
    failure::{Failure, Outcome, Verdict},
    text::count,
};

const DEFAULT_N: usize = 1000;

pub fn run(args: &Sample, model: &Model, context: &mut Context) -> Verdict {
    check(args)?;
    let conditions = args.condition.iter().map(|text| Where::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let given = match args.given.as_ref().or(args.fill.as_ref()) {
        Some(source) => Some(read(&SourceSpec { source: source.clone(), ..SourceSpec::default() })?),
        None => None,
    };
    let seed = context.settings.seed_or_default();
    let request = RowRequest {
        n: args.n.unwrap_or(DEFAULT_N),
        conditions,
        given,
        fill: args.fill.is_some(),
        seed,
        temperature: args.temperature,
    };
    let rows = draw_rows(model, &request, context)?;
    let options = json!({
        "where": args.condition,
        "given": args.given,
        "fill": args.fill,
        "temperature": args.temperature,
    });
    let target = args.out.as_deref().unwrap_or("-");
    if target == "-" {
        context.ui.out(&rows.to_csv())?;
        return Ok(Outcome::Done);
    }
    let table = args.table.as_deref().or(model.config.source.table.as_deref());
    let written = write_rows(model, &rows, target, table, args.if_exists.into(), seed, options, context)?;
    context.ui.titled("made", &format!("{} in {}", count(written.rows, "new row"), written.place));
    Ok(Outcome::Done)
}

/// Draws rows, with progress.
pub fn draw_rows(model: &Model, request: &RowRequest, context: &mut Context) -> Result<Table, Failure> {
    let ui = &mut context.ui;
    let rows = model.sample_rows(request, &mut |done, total| {
        ui.event(&Event::Work { what: "sampling".to_owned(), done, total });
    });
    context.ui.clear();
    Ok(rows?)
}

/// Writes rows of a model, with what made them.
pub fn write_rows(
    model: &Model,
    rows: &Table,
    target: &str,
    table: Option<&str>,
    if_exists: IfExists,
    seed: u64,
    options: serde_json::Value,
    context: &Context,
) -> Result<Written, Failure> {
    let mut rng = Rng::new(seed, u64::MAX);
    let how = Writing {
        target,
        table,
        if_exists,
        provenance: &model.provenance(seed, options),
        ids: &model.rows()?.1.ids(),
        random: &mut || rng.next_u64(),
        pg: &context.settings.pg,
    };
    Ok(write(rows, how)?)
}

/// What has a meaning for images alone.
fn check(args: &Sample) -> Result<(), Failure> {
    let flags = [
        ("--like", args.like.is_some()),
        ("--between", !args.between.is_empty()),
        ("--guidance", args.guidance.is_some()),
        ("--frames", args.frames.is_some()),
        ("--bits", args.bits.is_some()),
        ("--top-k", args.top_k.is_some()),
        ("--top-p", args.top_p.is_some()),
        ("--grid", args.grid.is_some()),
        ("--column", args.column.is_some()),
        ("--label-column", args.label_column.is_some()),
    ];
    match flags.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Failure::new(
            format!("{flag} has no meaning for table rows"),
            "conditions are given with --where, rows to complete with --given",
        )),
        None => Ok(()),
    }
}
