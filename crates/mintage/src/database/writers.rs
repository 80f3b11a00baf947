//! What writes the free text of a column: an n-gram model, learned in an instant, or a neural one, which takes minutes to
//! write as well. Where there is time for both, the one that tells held-out texts in fewer bits.
//!
//! ```text
//! texts ──► counts of n-grams ──────────────────────────────► ngram.json ──┐
//!   └─────► an autoregressive model, where time is enough ──► a run ───────┴──► bits a character of texts that
//!                                                                               neither saw ──► writer.json
//! ```

use std::{
    collections::BTreeMap,
    f64::consts::LN_2,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use mintage_data::{
    Column, SequenceSet, Table as Rows, atomic_write, read_text,
    sequence::{BOUNDARY, Tokenizer},
};
use mintage_nn::{DeviceChoice, Rng, cancel};
use rayon::prelude::*;

use super::{
    DatabaseData, DatabaseModel, DatabaseRequest, is_done as is_run_done,
    ngram::{Counts, Labelled, NGram},
    texts::{Judged, TextPlan, Writer},
    words::Spelling,
};
use crate::{
    dataset::AnyData,
    error::Error,
    events::{Event, Metrics, StopReason},
    model::Model,
    models::{GenerativeModel, SamplingParams},
    recipe::Recipe,
    run::Run,
    sample::TextRequest,
    train::{Control, train},
};

/// The folder of the models of texts, and the files in that of one: which of the two writes, and the counts.
const TEXTS: &str = "texts";
const WRITER: &str = "writer.json";
const COUNTS: &str = "ngram.json";
/// Bytes of the first.
const MAX_WRITER_BYTES: u64 = 4096;
/// One text in so many is held out where an n-gram model is judged alone; texts that a neural model is judged by.
const HELD_OUT: usize = 10;
const MAX_JUDGED: usize = 300;
/// Pieces of words less probable than this share of the most probable one are not written.
const MIN_P: f32 = 0.02;
/// Weight of guidance towards the group of the row.
const GUIDANCE: f32 = 1.5;
/// Texts that are held before they are looked at.
const AT_ONCE: usize = 4096;
/// Times that a text is written, at most: by a neural model, and by one that takes no time.
const MAX_ATTEMPTS: u64 = 6;
const MAX_QUICK_ATTEMPTS: usize = 30;

/// The folder of the model of a text, by its place among the plans.
fn folder_of(dir: &Path, at: usize) -> PathBuf {
    dir.join(TEXTS).join(at.to_string())
}

/// Learns the text at a place in the folder of a run, unless that is done: by counts, and where there is a recipe by a neural
/// model as well, for as long as it says.
///
/// # Errors
/// The folder cannot be written, or the texts cannot be learned.
pub(super) fn train_text(
    recipe: Option<&Recipe>,
    data: &DatabaseData,
    (dir, at): (&Path, usize),
    device: &DeviceChoice,
    control: &Control,
    on: &mut dyn FnMut(&str, Event),
) -> Result<StopReason, Error> {
    let (Some(text), folder) = (data.texts.get(at), folder_of(dir, at)) else {
        return Err(Error::request("there is no such text"));
    };
    if folder.join(WRITER).is_file() {
        return Ok(StopReason::Budget);
    }
    let start = (control.clock)();
    let learned = text.learned(data)?;
    let all = learned.labelled();
    let judged = match recipe {
        Some(recipe) => {
            let recipe = text.recipe(recipe);
            let set = Arc::new(learned.set(&recipe.data)?);
            let reason = train_neural(&recipe, &set, (&folder, &text.label()), device, control, on)?;
            if reason == StopReason::Interrupted {
                return Ok(reason);
            }
            judge_both(&set, &folder, device)?
        }
        None => judge_alone(&all),
    };
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    Counts::of(&all).save(&folder.join(COUNTS))?;
    // The last: what has it is done.
    let path = folder.join(WRITER);
    let file = serde_json::to_vec(&judged).map_err(|error| Error::folder(&path, error.to_string()))?;
    atomic_write(&path, &file).map_err(Error::io(&path))?;
    if recipe.is_none() {
        let secs = (control.clock)().saturating_sub(start).as_secs_f64();
        let valid = Some(Metrics::new([("bits_per_char", judged.ngram_bits)]));
        let reason = StopReason::Enough;
        on(&text.label(), Event::Done { step: 0, secs, reason, valid, advice: None, model: folder });
    }
    Ok(StopReason::Budget)
}

fn train_neural(
    recipe: &Recipe,
    set: &Arc<SequenceSet>,
    (folder, label): (&Path, &str),
    device: &DeviceChoice,
    control: &Control,
    on: &mut dyn FnMut(&str, Event),
) -> Result<StopReason, Error> {
    if is_run_done(folder) {
        return Ok(StopReason::Budget);
    }
    let mut run = match Run::resume(folder) {
        Ok(run) => run,
        Err(_) => Run::create(folder, recipe)?,
    };
    let set = AnyData::Sequence(Arc::clone(set));
    train(recipe, &set, &mut run, device, control, &mut |event| on(label, event))
}

/// Judges an n-gram model by every tenth text, which it does not learn then.
fn judge_alone(all: &[Labelled]) -> Judged {
    let of = |is_held: bool| {
        let own = all.iter().enumerate().filter(move |(at, _)| at.is_multiple_of(HELD_OUT) == is_held);
        own.map(|(_, text)| text.clone()).collect::<Vec<_>>()
    };
    Judged { by: Writer::Ngram, ngram_bits: ngram_bits(&of(false), &of(true)), neural_bits: None }
}

/// Judges both by the texts that the neural model never saw; the n-gram model learns none of them then, either.
fn judge_both(set: &SequenceSet, folder: &Path, device: &DeviceChoice) -> Result<Judged, Error> {
    let splits = set.splits();
    let held: Vec<u32> = splits.holdout.iter().copied().take(MAX_JUDGED).collect();
    let learned = splits.train.iter().chain(&splits.valid);
    let learned: Vec<Labelled> = learned.filter_map(|&index| document(set, index)).collect();
    let texts: Vec<Labelled> = held.iter().filter_map(|&index| document(set, index)).collect();
    let characters: usize = texts.iter().map(|text| text.text.chars().count()).sum();
    let ngram_bits = ngram_bits(&learned, &texts);
    let model = Model::load(folder, device)?;
    let parts = model.sequences()?;
    let nats = held.iter().map(|&index| {
        let tokens = [set.document(index), vec![BOUNDARY]].concat();
        parts.model.whole_nll(&tokens, set.class(index))
    });
    let nats: Option<f64> = nats.sum();
    let neural_bits = nats.map(|nats| nats / LN_2 / characters.max(1) as f64).filter(|bits| bits.is_finite());
    let is_better = characters > 0 && neural_bits.is_some_and(|bits| bits < ngram_bits);
    let by = if is_better { Writer::Neural } else { Writer::Ngram };
    Ok(Judged { by, ngram_bits, neural_bits })
}

/// Bits a character that an n-gram model learned from some texts takes for others.
fn ngram_bits(learned: &[Labelled], held: &[Labelled]) -> f64 {
    let spelling = Spelling::of(learned.iter().map(|text| text.text.as_str()));
    NGram::of(Counts::of(learned)).bits(held, &spelling)
}

/// A document of a set, as a text with the name of its class.
fn document(set: &SequenceSet, index: u32) -> Option<Labelled> {
    let Tokenizer::Text(codec) = set.codec() else { return None };
    let class = set.class(index).and_then(|class| set.info().classes.get(class as usize));
    let tokens = set.document(index);
    let text = codec.decode(tokens.get(1..).unwrap_or_default());
    Some(Labelled { text, group: class.cloned().unwrap_or_default() })
}

/// Which model writes the text at a place.
///
/// # Errors
/// It is not learned yet, or its folder is damaged.
pub(super) fn judged(dir: &Path, at: usize, label: &str) -> Result<Judged, Error> {
    let folder = folder_of(dir, at);
    let path = folder.join(WRITER);
    if !path.is_file() {
        return Err(Error::folder(dir, format!("`{label}` is not learned yet"))
            .with_hint("train it again under the same name: it goes on"));
    }
    let hint = "the folder is damaged: put back a copy of it, or train again";
    let damaged =
        |error: serde_json::Error| Error::folder(&path, format!("cannot be read ({error})")).with_hint(hint);
    let judged: Judged = serde_json::from_str(&read_text(&path, MAX_WRITER_BYTES)?).map_err(damaged)?;
    let needed = match judged.by {
        Writer::Ngram => COUNTS,
        Writer::Neural => "config.json",
    };
    match folder.join(needed).is_file() {
        true => Ok(judged),
        false => Err(Error::folder(&folder, format!("has no {needed}")).with_hint(hint)),
    }
}

/// Writes the texts of the new rows of a table, but for those that are given.
///
/// # Errors
/// A model is damaged, or is none of texts.
pub(super) fn write(
    model: &DatabaseModel,
    rows: &mut Rows,
    table: &str,
    request: &DatabaseRequest,
) -> Result<(), Error> {
    let is_given = |text: &TextPlan| {
        let given = request.given.get(table).is_some_and(|given| given.column(&text.column).is_some());
        given || request.conditions.iter().any(|(of, on)| of == table && on.column == text.column)
    };
    let texts = model.texts.iter().enumerate();
    for (at, text) in texts.filter(|(_, text)| text.table == table && !is_given(text)) {
        let Some(own) = rows.column(&text.column).filter(|own| !own.is_empty()) else { continue };
        let folder = folder_of(&model.dir, at);
        let (seed, labels) = (Rng::new(request.seed, at as u64).next_u64(), text.labels(rows));
        let asked = text.asked(own, &mut Rng::new(seed, 0));
        let order = Order { text, labels, asked, seed, temperature: request.temperature };
        let written = match text.judged.map(|judged| judged.by) {
            Some(Writer::Neural) => order.by_neural(&Model::load(&folder, &model.device)?)?,
            _ => order.by_ngram(&NGram::of(Counts::load(&folder.join(COUNTS))?)),
        };
        let mut cells: Vec<Option<String>> = own.iter().map(|cell| cell.map(str::to_owned)).collect();
        written.into_iter().for_each(|(row, text)| cells[row] = Some(text));
        let mut column = Column::new(own.name.clone(), own.declaration.clone());
        cells.iter().for_each(|cell| column.push(cell.as_deref()));
        if let Some(own) = rows.columns.iter_mut().find(|own| own.name == column.name) {
            *own = column;
        }
    }
    Ok(())
}

/// The texts that are asked for. The same order gives the same texts.
struct Order<'a> {
    text: &'a TextPlan,
    /// By row its group.
    labels: Vec<String>,
    /// The rows that get a text.
    asked: Vec<usize>,
    seed: u64,
    temperature: f32,
}

impl Order<'_> {
    /// New texts with their rows; none for rows where none was found that is new.
    fn by_ngram(&self, model: &NGram) -> Vec<(usize, String)> {
        let mut written = Vec::new();
        for some in self.asked.chunks(AT_ONCE) {
            if cancel::wanted() {
                break;
            }
            let texts = some.par_iter().map_init(
                || model.writer(),
                |writer, &row| {
                    // A row has a stream of its own; the first is of the choice of rows.
                    let mut rng = Rng::new(self.seed, row as u64 + 1);
                    let mut text =
                        || writer.text(&self.labels[row], self.text.longest(), self.temperature, &mut rng);
                    (0..MAX_QUICK_ATTEMPTS).find_map(|_| self.text.accepted(&text()?)).map(|text| (row, text))
                },
            );
            written.extend(texts.collect::<Vec<_>>().into_iter().flatten());
        }
        written
    }

    /// The same, group by group.
    fn by_neural(&self, model: &Model) -> Result<Vec<(usize, String)>, Error> {
        let classes = &model.sequences()?.info.classes;
        let mut open: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for &row in &self.asked {
            let class = classes.iter().position(|class| *class == self.labels[row]);
            open.entry(class).or_default().push(row);
        }
        let choice =
            SamplingParams { temperature: self.temperature, min_p: Some(MIN_P), ..SamplingParams::default() };
        let mut written = Vec::new();
        for (group, mut rows) in open {
            let stream = group.map_or(1, |group| group as u64 + 2);
            let mut request = TextRequest {
                label: group.map(|group| classes[group].clone()),
                guidance: Some(GUIDANCE),
                length: Some(self.text.longest()),
                choice,
                ..TextRequest::default()
            };
            for attempt in 0..MAX_ATTEMPTS {
                let mut left = Vec::new();
                for (part, some) in rows.chunks(AT_ONCE).enumerate() {
                    let place = self.seed ^ attempt << 40 ^ part as u64;
                    (request.n, request.seed) = (some.len(), Rng::new(place, stream).next_u64());
                    let texts = model.sample_texts(&request, &mut |_, _| true)?;
                    for (at, &row) in some.iter().enumerate() {
                        match texts.get(at).and_then(|text| self.text.accepted(text)) {
                            Some(text) => written.push((row, text)),
                            None => left.push(row),
                        }
                    }
                }
                rows = left;
                if rows.is_empty() || cancel::wanted() {
                    break;
                }
            }
        }
        Ok(written)
    }
}
