//! `mintage sample`: flags become a request and an output; the library checks them, draws and writes.

use std::io::IsTerminal;

use mintage::{
    Event, Model,
    data::{DataKind, IfExists, table::TextKind},
    generate::{Encoding, Generation, Item, Output, Place, Progress, Request, Rows, Samples, Sink, Written},
};
use mintage_data::table::encoder::Where;
use serde_json::json;

use crate::{
    args::{Amount, Sample},
    context::Context,
    failure::{CliError, CliResult, Outcome},
    interrupt,
    text::{shell, visible},
    ui::{Ui, stdout_failure, to_stdout},
};

pub fn run(args: &Sample, context: &mut Context) -> CliResult {
    match sample(args, context) {
        Err(CliError::Library(mintage::Error::Cancelled)) => {
            context.ui.clear();
            Ok(Outcome::Interrupted)
        }
        result => result,
    }
}

fn sample(args: &Sample, context: &mut Context) -> CliResult {
    let dir = context.model_dir(&args.model)?;
    if mintage::database::is_database_run(&dir) {
        return super::database::sample(args, &dir, context);
    }
    if args.scale.is_some() {
        return Err(CliError::new("--scale is for whole databases", "-n says how many items"));
    }
    let model = context.load(&args.model)?;
    let seed = context.settings.seed_or_fresh();
    let (mut request, mut output) = (request(args, seed)?, output(args));
    if let Some((columns, rows)) = output.grid()? {
        request.n = request.n.or(Some(columns * rows));
    }
    if output.out.is_empty() {
        output.out = match Sink::own_place(&model, seed)? {
            Some(path) => path.display().to_string(),
            None => "-".to_owned(),
        };
    }
    if output.out == "-" {
        print(&model, &request, &output, context)?;
    } else {
        // What the place has against it is heard before a request is read, and both before time is spent.
        request.check(&model)?;
        let pg = context.settings.pg.clone();
        let sink = Sink::open(&output, &model, &pg)?;
        let mut generation = generation(&model, &request, context)?;
        let (provenance, samples) = (generation.provenance(), samples_for_json(&mut generation, context)?);
        let written = match &samples {
            Some(samples) => sink.write_samples(samples, &provenance)?,
            None => sink.write(&mut generation, &mut progress(&mut context.ui))?,
        };
        context.ui.clear();
        tell(&written, context);
        let marked = !output.no_provenance;
        context.ui.out_json(&written.to_json(&provenance, marked, samples.as_ref()))?;
    }
    context.tell_seed();
    Ok(Outcome::Done)
}

/// Draws what is asked for and writes it, with progress: for verbs that make data beside other work.
pub fn mint(
    model: &Model,
    request: &Request,
    output: &Output,
    context: &mut Context,
) -> Result<(Samples, Written), CliError> {
    let pg = context.settings.pg.clone();
    let sink = Sink::open(output, model, &pg)?;
    let mut generation = model.generate(request)?;
    let samples = generation.all(&mut progress(&mut context.ui));
    context.ui.clear();
    let samples = samples?;
    let written = sink.write_samples(&samples, &generation.provenance())?;
    Ok((samples, written))
}

/// Says what was written, and where.
fn tell(written: &Written, context: &Context) {
    let place = match &written.place {
        Place::Path(path) => shell(path),
        Place::Rows(words) => words.clone(),
    };
    context.ui.field("made", &format!("{} in {place}", written.what));
    written.notes.iter().for_each(|note| context.ui.field("", note));
}

/// Draws progress.
pub fn progress(ui: &mut Ui) -> impl FnMut(Progress) {
    |progress| {
        if let Progress::Work { done, total } = progress {
            ui.event(&Event::Work { what: "sampling".to_owned(), done, total });
        }
    }
}

/// How many, where rows of one table or items of another kind are made.
fn n_of(args: &Sample) -> Result<Option<usize>, CliError> {
    let fill = args.given.first().map(|_| "--given").or(args.fill.as_ref().map(|_| "--fill"));
    match (args.n.as_slice(), fill) {
        ([], _) => Ok(None),
        ([Amount::All(_)], Some(flag)) => {
            Err(CliError::new(format!("{flag} says how many by its rows"), "leave -n out"))
        }
        ([Amount::All(n)], None) => Ok(Some(*n)),
        ([Amount::Of(..), ..], _) => {
            Err(CliError::new("-n TABLE=N is for whole databases", "this model has one table: -n N"))
        }
        (_, _) => Err(CliError::new("-n is given more than once", "give it once")),
    }
}

/// The file with rows to complete.
fn given_of(args: &Sample) -> Result<Option<Rows>, CliError> {
    match args.given.as_slice() {
        [] => Ok(None),
        [file] => Ok(Some(Rows::File(file.clone()))),
        _ => Err(CliError::new("--given is given more than once", "this model has one table: give it once")),
    }
}

/// The request that the flags are.
fn request(args: &Sample, seed: u64) -> Result<Request, CliError> {
    let file = |path: &std::path::PathBuf| Item::File(path.clone());
    Ok(Request {
        n: n_of(args)?,
        seed: Some(seed),
        conditions: args.condition.iter().map(|text| Where::parse(text)).collect::<Result<_, _>>()?,
        given: given_of(args)?,
        fill: args.fill.clone().map(Rows::File),
        prompt: args.prompt.clone(),
        continued: args.continued.as_ref().map(file),
        like: args.like.as_ref().map(file),
        strength: args.strength,
        between: match &args.between[..] {
            [from, to] => Some([file(from), file(to)]),
            _ => None,
        },
        blend: None,
        length: args.length,
        frames: args.frames,
        seconds: args.seconds,
        endless: args.endless,
        stop: args.stop.clone(),
        pattern: args.pattern.clone(),
        json_shape: args.json_shape.clone(),
        key: args.key.clone(),
        metre: args.metre.clone(),
        range: args.range.clone(),
        temperature: args.temperature,
        guidance: args.guidance,
        autoguidance: args.autoguidance,
        top_k: args.top_k,
        top_p: args.top_p,
        min_p: args.min_p,
        repetition: args.repetition,
    })
}

/// The output that the flags are.
fn output(args: &Sample) -> Output {
    Output {
        out: args.out.clone().unwrap_or_default(),
        if_exists: IfExists::from(args.if_exists),
        table: args.table.clone(),
        column: args.column.clone(),
        label_column: args.label_column.clone(),
        encoding: args.encoding.clone(),
        delimiter: args.delimiter.clone(),
        quote_formulas: args.quote_formulas,
        no_provenance: args.no_provenance,
        grid: args.grid.clone(),
        bits: args.bits,
        sound_font: args.sound_font.clone(),
    }
}

/// A request that the model has accepted, after what there is to know of it.
fn generation<'a>(
    model: &'a Model,
    request: &Request,
    context: &mut Context,
) -> Result<Generation<'a>, CliError> {
    let generation = model.generate(request)?.cancelled_by(interrupt::cancel_flag());
    generation.notes().iter().for_each(|note| context.ui.warn(note));
    Ok(generation)
}

/// Texts stand in the JSON as well: those are drawn before they are written.
fn samples_for_json(generation: &mut Generation, context: &mut Context) -> Result<Option<Samples>, CliError> {
    if generation.model().kind() != DataKind::Text {
        return Ok(None);
    }
    let asked = generation.total();
    let samples = generation.all(&mut progress(&mut context.ui));
    context.ui.clear();
    let samples = samples?;
    warn_of_missing(asked, samples.len(), context);
    Ok(Some(samples))
}

/// Says how many texts came to no match.
fn warn_of_missing(asked: usize, made: usize, context: &mut Context) {
    if made < asked {
        let missing = crate::text::count(asked - made, "text");
        context.ui.warn(&format!("{missing} came to no match before the end and were left out"));
    }
}

/// To stdout: rows and texts as they are drawn, anything else as one file.
fn print(model: &Model, request: &Request, output: &Output, context: &mut Context) -> Result<(), CliError> {
    request.check(model)?;
    output.check(model)?;
    let encoding = match Encoding::for_kind(model.kind()) {
        Some(Encoding::Text) => return print_texts(model, request, output, context),
        Some(encoding) => encoding,
        None => return print_rows(model, request, output, context),
    };
    if std::io::stdout().is_terminal() {
        return Err(CliError::new(
            format!("{} would only confuse the terminal", encoding.media_type()),
            "send it on: … -o - > new",
        ));
    }
    let mut generation = generation(model, request, context)?;
    let samples = generation.all(&mut progress(&mut context.ui));
    context.ui.clear();
    let bytes = samples?.encode(encoding, output, &generation.provenance())?;
    context.ui.out_bytes(&bytes)
}

/// Prints rows while they are drawn.
fn print_rows(
    model: &Model,
    request: &Request,
    output: &Output,
    context: &mut Context,
) -> Result<(), CliError> {
    let kind = if context.ui.prints_json() { TextKind::JsonLines } else { TextKind::Csv };
    let on_terminal = std::io::stdout().is_terminal();
    let mut failed = None;
    let mut out = |text: &[u8]| {
        let done = match on_terminal {
            // Without what a terminal would obey.
            true => to_stdout(visible(&String::from_utf8_lossy(text)).as_bytes()),
            false => to_stdout(text),
        };
        done.map_err(|error| {
            let kind = error.kind();
            failed = Some(error);
            kind.into()
        })
    };
    let mut generation = generation(model, request, context)?;
    let sent = Sink::stream_rows(&mut generation, kind, output, &mut out, &mut |_| {});
    match failed {
        Some(error) => Err(stdout_failure(error)),
        None => Ok(sent.map(drop)?),
    }
}

/// Prints texts: a single one while it is written, unless it is not certain that it will be one.
fn print_texts(
    model: &Model,
    request: &Request,
    output: &Output,
    context: &mut Context,
) -> Result<(), CliError> {
    let mut generation = generation(model, request, context)?;
    let is_shaped = request.pattern.is_some() || request.json_shape.is_some();
    if generation.total() == 1 && !is_shaped && !context.ui.wants_json() {
        return print_text_live(generation, context);
    }
    let asked = generation.total();
    let samples = generation.all(&mut progress(&mut context.ui));
    context.ui.clear();
    let (samples, provenance) = (samples?, generation.provenance());
    warn_of_missing(asked, samples.len(), context);
    if let Samples::Text(texts) = &samples {
        context.ui.out_json(&json!({ "texts": texts.items, "provenance": provenance }))?;
    }
    if context.ui.prints_json() {
        return Ok(());
    }
    let text = samples.encode(Encoding::Text, output, &provenance)?;
    context.ui.out(&String::from_utf8_lossy(&text))
}

/// Prints one text while it is written; a reader who has gone ends it.
fn print_text_live(generation: Generation, context: &mut Context) -> Result<(), CliError> {
    let mut generation = generation;
    let gone = generation.cancel_flag();
    let (ui, mut failed) = (&mut context.ui, None);
    let drawn = generation.all(&mut |progress| {
        if let Progress::Text { new, .. } = progress
            && failed.is_none()
            && let Err(error) = ui.out(new)
        {
            gone.store(true, std::sync::atomic::Ordering::Relaxed);
            failed = Some(error);
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    drawn?;
    context.ui.out("\n")
}
