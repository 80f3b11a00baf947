//! The only training loop: batches → `model.step` → metrics → validation → preview → checkpoint → stop.
//!
//! It knows nothing of any family. Progress is the share of the budget that is spent, so a time budget
//! and a step budget run the same schedule. Every random number of a step comes from a stream named by
//! (seed, step): a resumed run draws the same ones without replaying anything.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mintage_data::{ImageBatch, ImageSet, Images, Loader, Split, write_grid};
use mintage_nn::{DeviceChoice, Rng, TensorMap};

use crate::{
    error::Error,
    events::{Event, Metrics, Plan, StopReason},
    model::{FORMAT, ModelConfig, class_counts},
    models::{AnyConfig, AnyModel, DataInfo, Draw, Family},
    recipe::Recipe,
    run::{Run, RunState, TrainState},
};

/// What the loop needs from outside: the wish to stop, and a clock (time since any fixed start).
pub struct Control<'a> {
    pub stop: &'a AtomicBool,
    pub clock: &'a dyn Fn() -> Duration,
}

/// Validations and checkpoints over a whole budget.
const VALIDATIONS: u64 = 20;
const CHECKPOINTS: u64 = 10;
/// A checkpoint at least this often, however long the budget.
const CHECKPOINT_SECS: f64 = 300.0;
/// Validations and previews take no more than about this share of a budget of time.
const LOOKING_SHARE: f64 = 0.1;
/// Steps in a row without a finite loss after which the run is given up.
const MAX_BAD_STEPS: usize = 5;
/// Streams of the seed beside the steps' own.
const STREAM_INIT: u64 = u64::MAX;
const STREAM_VALID: u64 = u64::MAX - 1;
const STREAM_PREVIEW: u64 = u64::MAX - 2;

/// The family that `auto` stands for with images: the one that measured better (docs/quality.md).
pub const AUTO_FAMILY: Family = Family::Vqvae;

/// Everything that is decided before the first step.
pub struct Resolved {
    pub config: AnyConfig,
    pub info: DataInfo,
    pub budget: Option<Duration>,
}

/// Resolves a recipe against its data: family, preset, options, budget.
pub fn resolve(recipe: &Recipe, data: &ImageSet) -> Result<Resolved, Error> {
    let train_len = data.splits().train.len();
    let info = DataInfo { shape: data.shape(), classes: data.classes().len(), train_len };
    let family = recipe.model.family.unwrap_or(AUTO_FAMILY);
    let config = AnyConfig::preset(family, recipe.model.size, &info, &recipe.model.options)?;
    Ok(Resolved { config, info, budget: recipe.train.budget()? })
}

/// Trains the model of `recipe` on `data` in `run`, from its last checkpoint if there is one. Call it
/// inside a rayon pool's `install`: parallel work started from outside wakes sleeping threads each time.
pub fn train(
    recipe: &Recipe,
    data: &Arc<ImageSet>,
    run: &mut Run,
    device: &DeviceChoice,
    control: &Control,
    on: &mut dyn FnMut(Event),
) -> Result<StopReason, Error> {
    let Resolved { config, info, budget } = resolve(recipe, data)?;
    let seed = recipe.train.seed;
    let opened = device.open()?;
    let mut model = AnyModel::new(&config, &info, &opened, &mut Rng::new(seed, STREAM_INIT));
    let mut state = TrainState::default();
    if let Some((saved, tensors)) = run.last_checkpoint()? {
        model.load_state(&tensors)?;
        run.truncate_metrics(saved.step)?;
        state = saved;
    }
    data.codec().save(&run.dir().join("codec"))?;
    let plan = plan(recipe, data, run, device, &config, &model, budget, state.step);
    on(Event::Plan(plan));
    run.set_state(RunState::Training, state.step, state.train_secs)?;
    let loader = Loader::new(Arc::clone(data), Split::Train, config.batch(), seed, state.step);
    let phases = model.phases();
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
        config,
        info,
        budget,
        start,
        phases,
        last_valid: None,
        announced: None,
        bad_steps: 0,
        checkpoint_secs: 0.0,
        looking_secs: 0.0,
        last_shown: f64::NEG_INFINITY,
        warned: false,
    }
    .run()
}

fn plan(
    recipe: &Recipe,
    data: &ImageSet,
    run: &Run,
    device: &DeviceChoice,
    config: &AnyConfig,
    model: &AnyModel,
    budget: Option<Duration>,
    resumed_at: u64,
) -> Plan {
    Plan {
        run: run.dir().to_owned(),
        data: describe(data),
        family: config.family().name().to_owned(),
        size: recipe.model.size.name().to_owned(),
        parameters: model.parameters(),
        device: match device {
            DeviceChoice::Auto => "cpu".to_owned(),
            other => other.to_string(),
        },
        threads: rayon::current_num_threads(),
        batch: config.batch(),
        time_secs: budget.map(|b| b.as_secs_f64()),
        steps: recipe.train.steps,
        resumed_at,
    }
}

/// "2,000 images 28×28 gray, 10 classes (1,801 train, 99 valid, 100 holdout)".
pub fn describe(data: &ImageSet) -> String {
    let shape = data.shape();
    let color = if shape.channels == 1 { "gray" } else { "RGB" };
    let classes = match data.classes().len() {
        0 => String::new(),
        n => format!(", {n} classes"),
    };
    let s = data.splits();
    format!(
        "{} images {}×{} {color}{classes} ({} train, {} valid, {} holdout)",
        thousands(data.len()),
        shape.width,
        shape.height,
        thousands(s.train.len()),
        thousands(s.valid.len()),
        thousands(s.holdout.len())
    )
}

/// 12345 → "12,345".
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let head = digits.len() % 3;
    let mut text = digits[..head].to_owned();
    for (i, chunk) in digits.as_bytes()[head..].chunks(3).enumerate() {
        if head > 0 || i > 0 {
            text.push(',');
        }
        text.extend(chunk.iter().map(|&b| b as char));
    }
    text
}

/// The state of a training run.
struct Loop<'a> {
    recipe: &'a Recipe,
    data: &'a Arc<ImageSet>,
    run: &'a mut Run,
    control: &'a Control<'a>,
    on: &'a mut dyn FnMut(Event),
    model: AnyModel,
    state: TrainState,
    loader: Loader,
    config: AnyConfig,
    info: DataInfo,
    budget: Option<Duration>,
    start: Duration,
    phases: Vec<(&'static str, f64)>,
    last_valid: Option<Metrics>,
    announced: Option<usize>,
    bad_steps: usize,
    /// Training time at the last checkpoint.
    checkpoint_secs: f64,
    /// Time spent on validations and previews.
    looking_secs: f64,
    last_shown: f64,
    /// A collapse has been reported; once is enough.
    warned: bool,
}

impl Loop<'_> {
    fn run(mut self) -> Result<StopReason, Error> {
        let reason = loop {
            let progress = self.progress();
            if progress >= 1.0 {
                break StopReason::Budget;
            }
            if self.control.stop.load(Ordering::Relaxed) {
                break StopReason::Interrupted;
            }
            self.announce_phase(progress);
            self.step(progress)?;
            let progress = self.progress();
            if self.look(progress)? {
                break StopReason::Early;
            }
            let overdue = self.elapsed() - self.checkpoint_secs > CHECKPOINT_SECS;
            if overdue || self.due(progress, CHECKPOINTS, self.state.checkpoints) {
                self.state.checkpoints = (progress * CHECKPOINTS as f64) as u64;
                self.checkpoint()?;
            }
        };
        self.finish(reason)
    }

    /// Validates and writes a preview where they are due; returns whether it is time to stop early.
    fn look(&mut self, progress: f64) -> Result<bool, Error> {
        let began = self.elapsed();
        // A short budget is for training: what is due waits until the looking is paid for.
        if self.budget.is_some() && self.looking_secs > LOOKING_SHARE * began {
            return Ok(false);
        }
        let mut enough = false;
        if self.due(progress, VALIDATIONS, self.state.validations) {
            enough = self.validate(progress)?;
        }
        let previews = self.recipe.train.previews as u64;
        if self.due(progress, previews, self.state.previews) {
            self.state.previews = (progress * previews as f64) as u64;
            self.preview()?;
        }
        self.looking_secs += self.elapsed() - began;
        Ok(enough)
    }

    fn elapsed(&self) -> f64 {
        (self.control.clock)().saturating_sub(self.start).as_secs_f64()
    }

    /// Share of the budget that is spent.
    fn progress(&self) -> f64 {
        match (self.recipe.train.steps, self.budget) {
            (Some(steps), _) => self.state.step as f64 / steps.max(1) as f64,
            (None, Some(budget)) => self.elapsed() / budget.as_secs_f64(),
            (None, None) => 1.0,
        }
    }

    /// Whether the next of `count` equally spaced occasions has come, `done` of them being behind us.
    fn due(&self, progress: f64, count: u64, done: u64) -> bool {
        (progress * count as f64) as u64 > done
    }

    fn announce_phase(&mut self, progress: f64) {
        let index = self.phases.iter().rposition(|(_, from)| progress >= *from).unwrap_or(0);
        if index != self.state.phase {
            // Another phase minimises another number.
            self.state.phase = index;
            (self.state.best, self.state.since_best) = (None, 0);
        }
        if self.announced != Some(index) {
            self.announced = Some(index);
            if self.phases.len() > 1 {
                let name = self.phases[index].0.to_owned();
                (self.on)(Event::Phase { index: index + 1, count: self.phases.len(), name });
            }
        }
    }

    fn step(&mut self, progress: f64) -> Result<(), Error> {
        let batch = self.loader.next_batch()?;
        let mut rng = Rng::new(self.recipe.train.seed, self.state.step);
        match self.model.step(&batch, progress, &mut rng) {
            Ok(metrics) => {
                self.bad_steps = 0;
                self.state.step += 1;
                self.show(progress, &metrics)
            }
            // Weights are as before: skip the batch, and give up when it goes on.
            Err(bad) => {
                self.bad_steps += 1;
                self.state.step += 1;
                if self.bad_steps < MAX_BAD_STEPS {
                    return Ok(());
                }
                let kept = self.run.last_checkpoint()?.map_or(0, |(state, _)| state.step);
                Err(Error::Diverged { step: self.state.step, what: bad.to_string(), kept })
            }
        }
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
            self.run.log(&message)?;
            (self.on)(Event::Warning { message });
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
        self.state.validations = (progress * VALIDATIONS as f64) as u64;
        let Some(metrics) = self.validation(progress.min(1.0))? else { return Ok(false) };
        let step = self.state.step;
        self.run.append_metrics(step, "valid", &metrics)?;
        let value = metrics.first().unwrap_or(f64::INFINITY);
        let best = value.is_finite() && self.state.best.is_none_or(|b| value < b);
        if best {
            (self.state.best, self.state.best_step, self.state.since_best) = (Some(value), step, 0);
            let mut weights = TensorMap::default();
            self.model.save_weights(&mut weights);
            let path = self.run.best_weights();
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
            }
            weights.save(&path)?;
        } else {
            self.state.since_best += 1;
        }
        self.last_valid = Some(metrics.clone());
        (self.on)(Event::Valid { step, metrics, best });
        let patience = self.recipe.train.patience;
        let last_phase = self.state.phase + 1 == self.phases.len();
        Ok(patience > 0 && last_phase && self.state.since_best >= patience)
    }

    /// Mean metrics over the valid split (at most `valid_items`), always with the same random numbers.
    fn validation(&self, progress: f64) -> Result<Option<Metrics>, Error> {
        let valid = &self.data.splits().valid;
        let valid = &valid[..valid.len().min(self.recipe.train.valid_items)];
        let mut rng = Rng::new(self.recipe.train.seed, STREAM_VALID);
        let mut parts = Vec::new();
        for indices in valid.chunks(64) {
            let mut pixels = Vec::new();
            self.data.read(indices, &mut pixels)?;
            let labels = self.data.labels();
            let labels = if labels.is_empty() {
                Vec::new()
            } else {
                indices.iter().map(|&i| labels[i as usize]).collect()
            };
            let batch = ImageBatch { pixels, labels, n: indices.len() };
            match self.model.validate(&batch, progress, &mut rng) {
                Some(metrics) => parts.push((metrics, indices.len() as f64)),
                None => return Ok(None),
            }
        }
        Ok((!parts.is_empty()).then(|| Metrics::mean(&parts)))
    }

    /// Writes a grid of samples, always from the same noise and the same labels.
    fn preview(&mut self) -> Result<PathBuf, Error> {
        let step = self.state.step;
        let classes = self.info.classes;
        let n = if classes > 0 { classes.min(10) * 6 } else { 64 };
        let columns = if classes > 0 { classes.min(10) } else { 8 };
        let labels: Vec<u32> =
            if classes > 0 { (0..n).map(|i| (i % columns) as u32).collect() } else { Vec::new() };
        let mut rng = Rng::new(self.recipe.train.seed, STREAM_PREVIEW);
        let pixels = self.model.sample(&Draw::new(n, &labels), &mut rng);
        let images = Images { shape: self.info.shape, pixels, labels, classes: self.data.classes().to_vec() };
        let dir = self.run.dir().join("samples");
        std::fs::create_dir_all(&dir).map_err(Error::io(&dir))?;
        let path = dir.join(format!("step-{step:09}.png"));
        write_grid(&path, &images, columns, None)?;
        (self.on)(Event::Preview { step, path: path.clone() });
        Ok(path)
    }

    fn checkpoint(&mut self) -> Result<(), Error> {
        self.state.train_secs = self.elapsed();
        self.checkpoint_secs = self.state.train_secs;
        let mut tensors = TensorMap::default();
        self.model.save_state(&mut tensors);
        let path = self.run.checkpoint(&self.state, &tensors)?;
        self.run.set_state(RunState::Training, self.state.step, self.state.train_secs)?;
        (self.on)(Event::Checkpoint { step: self.state.step, path });
        Ok(())
    }

    /// The last checkpoint, the published weights, the last preview, the facts.
    fn finish(mut self, reason: StopReason) -> Result<StopReason, Error> {
        if reason != StopReason::Interrupted && self.state.step > 0 {
            self.validate(1.0)?;
        }
        self.checkpoint()?;
        self.publish()?;
        self.preview()?;
        let secs = self.elapsed();
        let state = if reason == StopReason::Interrupted { RunState::Interrupted } else { RunState::Done };
        self.run.set_state(state, self.state.step, secs)?;
        let model = self.run.dir().to_owned();
        (self.on)(Event::Done { step: self.state.step, secs, reason, valid: self.last_valid.take(), model });
        Ok(reason)
    }

    /// Writes `model.safetensors` and `config.json`: the weights of the best validation of the last
    /// phase where there is one, the averaged weights as they are otherwise.
    fn publish(&mut self) -> Result<(), Error> {
        let mut weights = TensorMap::default();
        let last_phase = self.state.phase + 1 == self.phases.len();
        if last_phase && self.state.since_best > 0 && self.run.best_weights().is_file() {
            weights = TensorMap::load(&self.run.best_weights())?;
            self.model.load_weights(&weights)?;
            self.last_valid = self.validation(1.0)?;
        } else {
            self.model.save_weights(&mut weights);
        }
        weights.save(&self.run.dir().join("model.safetensors"))?;
        let config = ModelConfig {
            format: FORMAT,
            mintage: env!("CARGO_PKG_VERSION").to_owned(),
            kind: "image".to_owned(),
            size: self.recipe.model.size,
            model: self.config.clone(),
            info: self.info.clone(),
            class_counts: class_counts(self.data, &self.data.splits().train),
            seed: self.recipe.train.seed,
            step: self.state.step,
            train_secs: self.state.train_secs,
            source: self.recipe.data.clone(),
            valid: self.last_valid.clone(),
        };
        config.save(self.run.dir())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(1234), "1,234");
        assert_eq!(thousands(123_456), "123,456");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
