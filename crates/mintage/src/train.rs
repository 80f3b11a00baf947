//! The only training loop: batches → `model.step` → metrics → validation → preview → checkpoint → stop.
//!
//! It knows nothing of any family. Progress is the share of the budget that is spent, so a time budget
//! and a step budget run the same schedule. Every random number of a step comes from a stream named by
//! (seed, step): a resumed run draws the same ones without replaying anything.

mod budget;
mod counts;
mod options;
mod previews;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use mintage_data::{Loader, Provenance, Split, real_folder};
use mintage_nn::{DeviceChoice, Rng, TensorMap, kernels::with_fast_products};

use crate::{
    curve::advice_at_end,
    dataset::AnyData,
    error::Error,
    evaluate::evenly,
    events::{Event, Metrics, Plan, StopReason},
    model::{FORMAT, ModelConfig, class_counts},
    models::{AnyConfig, AnyModel, Batch, DataInfo},
    recipe::{Precision, Recipe, VALID_CLIPS, VALID_IMAGES, VALID_ROWS, VALID_SEQUENCES, VALID_SOUNDS},
    run::{Run, RunState, TrainState, write_weights},
};
use budget::too_short;
use previews::preview;

pub use options::{Resolved, resolve, resolve_run};

/// What the training loop needs from outside: the wish to stop, and a clock.
pub struct Control<'a> {
    /// Set it to `true` to end training after the present step; the run can be resumed. [`Run::ask_to_stop`] does the same
    /// from another process.
    pub stop: &'a AtomicBool,
    /// Time since any fixed start, which must not go back.
    pub clock: &'a dyn Fn() -> Duration,
}

/// Validations and checkpoints over a whole budget.
const VALIDATIONS_PER_BUDGET: u64 = 20;
const CHECKPOINTS_PER_BUDGET: u64 = 10;
/// A checkpoint at least this often, however long the budget.
const CHECKPOINT_SECS: f64 = 300.0;
/// Validations and previews take no more than about this share of a budget of time.
const LOOKING_SHARE: f64 = 0.1;
/// Of a budget of time no more than this share is kept back for what ends a run.
const MAX_FINISHING_SHARE: f64 = 0.25;
/// Images, rows, sequences, sounds and clips that are validated together, which bounds memory.
const IMAGES_AT_ONCE: usize = 64;
const ROWS_AT_ONCE: usize = 4096;
const SEQUENCES_AT_ONCE: usize = 16;
const SOUNDS_AT_ONCE: usize = 16;
const CLIPS_AT_ONCE: usize = 16;
/// A wish to stop that lies in the run folder is looked for this often.
const STOP_LOOK_SECS: f64 = 0.25;
/// Steps in a row without a finite loss after which the run is given up.
const MAX_BAD_STEPS: usize = 5;
/// Streams of the seed beside the steps' own.
const STREAM_INIT: u64 = u64::MAX;
const STREAM_VALID: u64 = u64::MAX - 1;
const STREAM_PREVIEW: u64 = u64::MAX - 2;

/// Trains the model of `recipe` on `data` in `run`, from its last checkpoint if there is one, with the options that the run
/// was begun with (see [`resolve_run`]).
///
/// Call it inside `install` of a rayon pool: parallel work started from outside wakes sleeping threads each
/// time.
///
/// # Errors
/// The data cannot be read, the run cannot be written or resumed, the device cannot be used, or the loss was
/// not finite for several steps in a row.
pub fn train(
    recipe: &Recipe,
    data: &AnyData,
    run: &mut Run,
    device: &DeviceChoice,
    control: &Control,
    on: &mut dyn FnMut(Event),
) -> Result<StopReason, Error> {
    let Resolved { config, info, budget } = resolve_run(recipe, data, run)?;
    let seed = recipe.train.seed;
    let opened = device.open()?;
    let mut model = AnyModel::new(&config, &info, &opened, &mut Rng::new(seed, STREAM_INIT));
    let mut state = restore(run, &mut model, on)?;
    run.truncate_metrics(&state)?;
    options::keep(run, &recipe.model, &config)?;
    let before = run.file()?;
    let was_done = before.state == RunState::Done;
    if was_done {
        // What ended the run counts as well.
        state.train_secs = before.train_secs;
    }
    data.codec().save(&run.dir().join("codec"))?;
    let plan = plan(recipe, data, run, device, &config, &model, budget, state.step);
    let most_steps = plan.most_steps;
    on(Event::Plan(plan));
    data.notes().iter().for_each(|note| on(Event::Warning { message: note.clone() }));
    run.set_state(RunState::Training, state.step, state.train_secs)?;
    let (read, cut, augmentation) = (data.clone(), config.chunking(), config.augmentation());
    let items = data.items(Split::Train, cut);
    let loader = Loader::new(items, config.batch(), seed, state.step, move |indices, step| {
        read.training_batch(indices, cut, augmentation, seed, step)
    });
    let stages = model.stages();
    let start = (control.clock)().saturating_sub(Duration::from_secs_f64(state.train_secs));
    Loop {
        recipe,
        data,
        run,
        control,
        on,
        model,
        state,
        loader,
        most_steps,
        config,
        info,
        budget,
        start,
        stages,
        last_valid: None,
        announced: None,
        bad_steps: 0,
        checkpoint_secs: 0.0,
        looking_secs: 0.0,
        cost: Cost::default(),
        finishing_secs: 0.0,
        last_shown: f64::NEG_INFINITY,
        last_stop_look: f64::NEG_INFINITY,
        warned: false,
    }
    .run(was_done)
}

/// Puts the model back to the newest checkpoint that is whole. Damaged ones are said; where all of them are, that is an
/// error: to begin again from nothing takes more than a word.
fn restore(run: &Run, model: &mut AnyModel, on: &mut dyn FnMut(Event)) -> Result<TrainState, Error> {
    let checkpoints = run.checkpoints();
    for dir in checkpoints.iter().rev() {
        let restored = run.read_checkpoint(dir).and_then(|(state, tensors)| {
            model.load_state(&tensors)?;
            Ok(state)
        });
        match restored {
            Ok(state) if state.stage < model.stages().len() => return Ok(state),
            Ok(_) => on(Event::Warning { message: format!("{}: is of another training", dir.display()) }),
            Err(error) => on(Event::Warning { message: format!("a checkpoint is damaged: {error}") }),
        }
    }
    if checkpoints.is_empty() {
        return Ok(TrainState::default());
    }
    let dir = run.dir().join("checkpoints");
    let hint = "put back a copy of one; to begin again at step 0, remove this folder and resume once more";
    Err(Error::folder(dir, "holds no checkpoint that can be used").with_hint(hint))
}

fn plan(
    recipe: &Recipe,
    data: &AnyData,
    run: &Run,
    device: &DeviceChoice,
    config: &AnyConfig,
    model: &AnyModel,
    budget: Option<Duration>,
    resumed_at: u64,
) -> Plan {
    Plan {
        run: run.dir().to_owned(),
        data: data.describe(),
        makings: data.makings(),
        rules: data.rules(),
        family: config.family().name().to_owned(),
        size: recipe.model.size.name().to_owned(),
        family_why: recipe.model.why.clone(),
        parameters: model.parameters(),
        device: match device {
            DeviceChoice::Auto => "cpu".to_owned(),
            other => other.to_string(),
        },
        threads: rayon::current_num_threads(),
        batch: config.batch(),
        time_secs: budget.map(|b| b.as_secs_f64()),
        steps: recipe.train.steps,
        most_steps: config.max_steps(data.splits().train.len()),
        resumed_at,
    }
}

/// The state of a training run.
struct Loop<'a> {
    recipe: &'a Recipe,
    data: &'a AnyData,
    run: &'a mut Run,
    control: &'a Control<'a>,
    on: &'a mut dyn FnMut(Event),
    model: AnyModel,
    state: TrainState,
    loader: Loader<Batch>,
    config: AnyConfig,
    info: DataInfo,
    budget: Option<Duration>,
    /// More would only learn the items by heart.
    most_steps: Option<u64>,
    start: Duration,
    stages: Vec<(&'static str, f64)>,
    last_valid: Option<Metrics>,
    announced: Option<usize>,
    bad_steps: usize,
    /// Training time at the last checkpoint.
    checkpoint_secs: f64,
    /// Time spent on validations and previews.
    looking_secs: f64,
    cost: Cost,
    /// What ending the run will take, as far as is known. It only grows, so that progress never goes back.
    finishing_secs: f64,
    last_shown: f64,
    /// When the run folder was last looked at for a wish to stop.
    last_stop_look: f64,
    /// A collapse has been reported; once is enough.
    warned: bool,
}

/// How long the last one of each took, in seconds: what ending a run takes is known before it has to be done.
#[derive(Default)]
struct Cost {
    validation: f64,
    preview: f64,
    checkpoint: f64,
}

impl Cost {
    /// What is done once training has ended: [`Loop::finish`] validates twice where an earlier validation was better, and
    /// learns what counts tell beside a network that is to have some.
    fn of_finishing(&self, has_counts: bool) -> f64 {
        let validations = if has_counts { 2.0 + counts::VALIDATIONS } else { 2.0 };
        validations * self.validation + self.preview + 2.0 * self.checkpoint
    }
}

impl Loop<'_> {
    /// `was_done`: the run had been finished before, and goes on because it was given a larger budget.
    fn run(mut self, was_done: bool) -> Result<StopReason, Error> {
        // Killed between its last step and the end: what is left is to publish what was learned.
        match self.state.ended.take() {
            Some(reason) if !was_done && (reason != StopReason::Budget || self.progress() >= 1.0) => {
                self.state.ended = Some(reason);
                self.last_valid = self.validation(1.0)?;
                return self.publish_and_end(reason);
            }
            // It is prolonged: the learning rate is as high again as in the midst of a training, and so is patience.
            Some(_) => self.state.since_best = self.state.since_best.min(1),
            None => {}
        }
        self.plan_rest();
        let reason = loop {
            let progress = self.progress();
            if progress >= 1.0 {
                break if self.ran_out() { StopReason::Budget } else { StopReason::Enough };
            }
            if self.is_asked_to_stop() {
                break StopReason::Interrupted;
            }
            self.announce_stage(progress)?;
            let began = self.elapsed();
            self.step(progress)?;
            self.warn_of_short_stages(self.elapsed() - began)?;
            let progress = self.progress();
            if self.look(progress)? {
                break StopReason::Early;
            }
            let overdue = self.elapsed() - self.checkpoint_secs > CHECKPOINT_SECS;
            if overdue || self.due(progress, CHECKPOINTS_PER_BUDGET, self.state.checkpoints) {
                self.state.checkpoints = (progress * CHECKPOINTS_PER_BUDGET as f64) as u64;
                self.checkpoint()?;
            }
        };
        self.finish(reason)
    }

    /// Of a budget that has grown a smaller share is spent than when the checkpoint was written: over the rest of it
    /// validations, previews and checkpoints are as frequent as over any budget.
    fn plan_rest(&mut self) {
        let progress = self.progress();
        let so_far = |count: u64| (progress * count as f64) as u64;
        let state = &mut self.state;
        state.validations = state.validations.min(so_far(VALIDATIONS_PER_BUDGET));
        state.previews = state.previews.min(so_far(self.recipe.train.previews as u64));
        state.checkpoints = state.checkpoints.min(so_far(CHECKPOINTS_PER_BUDGET));
    }

    /// Validates and writes a preview where they are due; returns whether it is time to stop early.
    fn look(&mut self, progress: f64) -> Result<bool, Error> {
        let began = self.elapsed();
        // A short budget is for training: what is due waits until the looking is paid for.
        if self.budget.is_some() && self.looking_secs > LOOKING_SHARE * began {
            return Ok(false);
        }
        let mut enough = false;
        if self.due(progress, VALIDATIONS_PER_BUDGET, self.state.validations) {
            enough = self.validate(progress)?;
            self.cost.validation = self.elapsed() - began;
        }
        let previews = self.recipe.train.previews as u64;
        if self.due(progress, previews, self.state.previews) {
            self.state.previews = (progress * previews as f64) as u64;
            let began = self.elapsed();
            self.preview()?;
            self.cost.preview = self.elapsed() - began;
        }
        // The last step ends behind the budget by half of its length on the average.
        let half_a_step = self.elapsed() / (2 * self.state.step.max(1)) as f64;
        let finishing = self.cost.of_finishing(counts::are_wanted(&self.model));
        self.finishing_secs = self.finishing_secs.max(finishing + half_a_step);
        self.looking_secs += self.elapsed() - began;
        Ok(enough)
    }

    /// Whether the user wants it to end: by the flag, or by a file in the run folder.
    fn is_asked_to_stop(&mut self) -> bool {
        if self.control.stop.load(Ordering::Relaxed) {
            return true;
        }
        let now = self.elapsed();
        if now - self.last_stop_look < STOP_LOOK_SECS {
            return false;
        }
        self.last_stop_look = now;
        self.run.is_asked_to_stop()
    }

    fn elapsed(&self) -> f64 {
        (self.control.clock)().saturating_sub(self.start).as_secs_f64()
    }

    /// Share of the budget that is spent: of the steps, or of the time, or of the steps that the model can use
    /// where these are sooner done.
    fn progress(&self) -> f64 {
        let of = |steps: u64| self.state.step as f64 / steps.max(1) as f64;
        match (self.recipe.train.steps, self.budget) {
            (Some(steps), _) => of(steps),
            (None, Some(budget)) => {
                (self.elapsed() / self.for_training(budget)).max(self.most_steps.map_or(0.0, of))
            }
            (None, None) => 1.0,
        }
    }

    /// Seconds of a budget of time that are for training: the rest is for what ends a run.
    fn for_training(&self, budget: Duration) -> f64 {
        let whole = budget.as_secs_f64();
        whole - self.finishing_secs.min(MAX_FINISHING_SHARE * whole)
    }

    /// Whether the budget itself is spent.
    fn ran_out(&self) -> bool {
        self.recipe.train.steps.is_some()
            || self.budget.is_none_or(|b| self.elapsed() >= self.for_training(b))
    }

    /// Whether the next of `count` equally spaced occasions has come, `done` of them being behind us.
    fn due(&self, progress: f64, count: u64, done: u64) -> bool {
        (progress * count as f64) as u64 > done
    }

    fn announce_stage(&mut self, progress: f64) -> Result<(), Error> {
        let index = self.stages.iter().rposition(|(_, from)| progress >= *from).unwrap_or(0);
        if self.stages.len() > 1 && (index != self.state.stage || self.state.step == 0) {
            self.run.append_stage(self.state.step + 1, self.stages[index].0)?;
        }
        if index != self.state.stage {
            // Another stage minimises another number.
            self.state.stage = index;
            (self.state.best, self.state.since_best) = (None, 0);
            self.last_valid = None;
        }
        if self.announced != Some(index) {
            self.announced = Some(index);
            if self.stages.len() > 1 {
                let name = self.stages[index].0.to_owned();
                (self.on)(Event::Stage { index: index + 1, count: self.stages.len(), name });
            }
        }
        Ok(())
    }

    /// Says that a budget of time is too short for its stages, as soon as it is known how long a step takes.
    fn warn_of_short_stages(&mut self, step_secs: f64) -> Result<(), Error> {
        // The first step waits for data and memory as well; where none follows, it has to do.
        let is_known = self.state.step == 2 || (self.state.step == 1 && self.progress() >= 1.0);
        let Some(budget) = self.budget.filter(|_| is_known) else { return Ok(()) };
        let Some(message) = too_short(&self.stages, step_secs, self.for_training(budget)) else {
            return Ok(());
        };
        self.run.log(&message)?;
        (self.on)(Event::Warning { message });
        Ok(())
    }

    fn step(&mut self, progress: f64) -> Result<(), Error> {
        let batch = self.loader.next_batch()?;
        let mut rng = Rng::new(self.recipe.train.seed, self.state.step);
        let fast =
            self.recipe.train.precision == Precision::Auto && !matches!(self.model, AnyModel::Table(_));
        let mut step = || self.model.step(&batch, progress, &mut rng);
        let done = if fast { with_fast_products(step) } else { step() };
        self.state.step += 1;
        for note in self.model.notes() {
            // The model has done something about it.
            self.bad_steps = 0;
            self.warn(format!("step {}: {note}", self.state.step))?;
        }
        match done {
            Ok(metrics) => {
                self.bad_steps = 0;
                self.show(progress, &metrics)
            }
            // Weights are as before: skip the batch, and give up when it goes on.
            Err(bad) => {
                self.bad_steps += 1;
                if self.bad_steps < MAX_BAD_STEPS {
                    return Ok(());
                }
                let whole = |dir: &PathBuf| Some(self.run.read_checkpoint(dir).ok()?.0.step);
                let kept = self.run.checkpoints().iter().rev().find_map(whole).unwrap_or(0);
                Err(Error::Diverged { step: self.state.step, what: bad.to_string(), kept })
            }
        }
    }

    /// Tells the log and whoever listens.
    fn warn(&mut self, message: String) -> Result<(), Error> {
        self.run.log(&message)?;
        (self.on)(Event::Warning { message });
        Ok(())
    }

    fn show(&mut self, progress: f64, metrics: &Metrics) -> Result<(), Error> {
        let (step, elapsed) = (self.state.step, self.elapsed());
        if step.is_multiple_of(10) || step == 1 {
            self.run.append_metrics(step, "step", metrics)?;
        }
        if metrics.get("diversity").is_some_and(|d| d < 0.3) && progress > 0.1 && !self.warned {
            self.warned = true;
            let message = format!(
                "step {step}: the samples differ little from each other (diversity below 0.3 of the data's)"
            );
            self.warn(message)?;
        }
        if elapsed - self.last_shown > 0.1 {
            self.last_shown = elapsed;
            let items_per_sec = (step * self.config.batch() as u64) as f64 / elapsed.max(1e-9);
            let eta_secs = (progress > 0.005).then(|| elapsed * (1.0 - progress) / progress);
            let metrics = metrics.clone();
            (self.on)(Event::Step { step, progress, metrics, items_per_sec, eta_secs });
        }
        Ok(())
    }

    /// Validates; returns whether it is time to stop early.
    fn validate(&mut self, progress: f64) -> Result<bool, Error> {
        self.state.validations = (progress * VALIDATIONS_PER_BUDGET as f64) as u64;
        let Some(metrics) = self.validation(progress.min(1.0))? else { return Ok(false) };
        let step = self.state.step;
        self.run.append_metrics(step, "valid", &metrics)?;
        self.run.append_time(step, self.state.stage, self.elapsed())?;
        let value = metrics.first().unwrap_or(f64::INFINITY);
        let least = self.state.best.map_or(value, |least| least.min(value));
        let best = value.is_finite() && value <= least + self.config.tolerance() * least.abs();
        if best {
            (self.state.best, self.state.best_step, self.state.since_best) = (Some(least), step, 0);
            let mut weights = TensorMap::default();
            self.model.save_weights(&mut weights);
            self.run.checkpoints_folder()?;
            write_weights(&self.run.best_weights(), &weights)?;
        } else {
            self.state.since_best += 1;
        }
        self.last_valid = Some(metrics.clone());
        (self.on)(Event::Valid { step, metrics, best });
        let patience = self.recipe.train.patience;
        let last_stage = self.state.stage + 1 == self.stages.len();
        Ok(patience > 0 && last_stage && self.state.since_best >= patience)
    }

    /// Mean metrics over the valid split (`valid_items` of it), always with the same random numbers.
    fn validation(&self, progress: f64) -> Result<Option<Metrics>, Error> {
        let cut = self.config.chunking();
        let valid = self.data.items(Split::Valid, cut);
        let (most, at_once) = match self.data {
            AnyData::Image(_) => (VALID_IMAGES, IMAGES_AT_ONCE),
            AnyData::Table(_) => (VALID_ROWS, ROWS_AT_ONCE),
            AnyData::Sequence(_) => (VALID_SEQUENCES, SEQUENCES_AT_ONCE),
            AnyData::Audio(_) => (VALID_SOUNDS, SOUNDS_AT_ONCE),
            AnyData::Video(_) => (VALID_CLIPS, CLIPS_AT_ONCE),
        };
        let most = self.recipe.train.valid_items.unwrap_or(most);
        // Windows of a stream are like their neighbours: they are taken from all over it.
        let valid = match self.data {
            AnyData::Sequence(_) | AnyData::Audio(_) | AnyData::Video(_) => evenly(&valid, most),
            AnyData::Image(_) | AnyData::Table(_) => valid[..valid.len().min(most)].to_vec(),
        };
        let mut rng = Rng::new(self.recipe.train.seed, STREAM_VALID);
        let mut parts = Vec::new();
        for indices in valid.chunks(at_once) {
            let batch = self.data.batch(indices, cut, None)?;
            match self.model.validate(&batch, progress, &mut rng) {
                Some(metrics) => parts.push((metrics, indices.len() as f64)),
                None => return Ok(None),
            }
        }
        Ok((!parts.is_empty()).then(|| Metrics::mean(&parts)))
    }

    /// Writes samples to look at, always from the same random numbers.
    fn preview(&mut self) -> Result<PathBuf, Error> {
        let step = self.state.step;
        let run = self.run.dir();
        let dir = real_folder(run, Path::new("samples")).map_err(Error::io(run))?;
        let mut rng = Rng::new(self.recipe.train.seed, STREAM_PREVIEW);
        // Without the run's name, in whose folder it lies: the same training gives the same bytes.
        let by = Provenance {
            model: String::new(),
            weights: String::new(),
            family: self.config.family().name().to_owned(),
            seed: self.recipe.train.seed,
            options: serde_json::Value::Null,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let path = preview(&self.model, self.data, &dir, step, by, &mut rng)?;
        (self.on)(Event::Preview { step, path: path.clone() });
        Ok(path)
    }

    fn checkpoint(&mut self) -> Result<(), Error> {
        self.state.train_secs = self.elapsed();
        self.checkpoint_secs = self.state.train_secs;
        self.state.metrics_bytes = Some(self.run.metrics_bytes());
        let mut tensors = TensorMap::default();
        self.model.save_state(&mut tensors);
        let path = self.run.checkpoint(&self.state, &tensors)?;
        self.run.set_state(RunState::Training, self.state.step, self.state.train_secs)?;
        self.cost.checkpoint = self.elapsed() - self.state.train_secs;
        (self.on)(Event::Checkpoint { step: self.state.step, path });
        Ok(())
    }

    /// The last checkpoint, the published weights, the last preview, the facts.
    fn finish(mut self, reason: StopReason) -> Result<StopReason, Error> {
        if reason != StopReason::Interrupted {
            if self.state.step > 0 {
                self.validate(1.0)?;
            }
            self.state.ended = Some(reason);
        }
        self.checkpoint()?;
        self.publish_and_end(reason)
    }

    /// What is left once the last checkpoint is there, and can be done again by a run that was killed meanwhile.
    fn publish_and_end(mut self, reason: StopReason) -> Result<StopReason, Error> {
        let config = self.publish()?;
        self.preview()?;
        let secs = self.elapsed();
        self.run.end(reason, self.state.step, secs)?;
        // It was obeyed, or came too late.
        self.run.forget_stop();
        let model = self.run.dir().to_owned();
        let advice = advice_at_end(&model, &config);
        let (step, valid) = (self.state.step, self.last_valid.take());
        (self.on)(Event::Done { step, secs, reason, valid, advice, model });
        Ok(reason)
    }

    /// Writes `model.safetensors` and `config.json`: the weights of the best validation of the last
    /// stage where there is one, the averaged weights as they are otherwise. Before them, the counts beside them. Returns what
    /// `config.json` has.
    fn publish(&mut self) -> Result<ModelConfig, Error> {
        let mut weights = TensorMap::default();
        let last_stage = self.state.stage + 1 == self.stages.len();
        self.model.save_weights(&mut weights);
        if last_stage && self.state.since_best > 0 && self.run.best_weights().is_file() {
            let best = TensorMap::load(&self.run.best_weights());
            match best.ok().filter(|best| best.is_like(&weights) && best.not_finite().is_none()) {
                Some(best) => {
                    self.model.load_weights(&best)?;
                    self.last_valid = self.validation(1.0)?;
                    weights = best;
                }
                None => (self.on)(Event::Warning {
                    message: format!(
                        "{}: is damaged: the last weights are published",
                        self.run.best_weights().display()
                    ),
                }),
            }
        }
        let counted = counts::count(&mut self.model, self.data, self.run)?;
        if let Some(valid) = &mut self.last_valid {
            valid.0.extend(counted.0);
        }
        write_weights(&self.run.dir().join("model.safetensors"), &weights)?;
        let config = ModelConfig {
            format: FORMAT,
            mintage: env!("CARGO_PKG_VERSION").to_owned(),
            size: self.recipe.model.size,
            model: self.config.clone(),
            info: self.info.clone(),
            class_counts: class_counts(self.data),
            seed: self.recipe.train.seed,
            step: self.state.step,
            train_secs: self.state.train_secs,
            source: self.recipe.data.clone(),
            valid: self.last_valid.clone(),
        };
        config.save(self.run.dir())?;
        Ok(config)
    }
}
