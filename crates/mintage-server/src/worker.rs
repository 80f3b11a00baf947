//! One thread that computes, one request after another, and the models that it holds loaded.
//!
//! Requests to draw wait for each other here and nowhere else: training is another process, and reading never waits.

use std::{
    any::Any,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use axum::http::StatusCode;
use mintage::{Model, nn::DeviceChoice};
use tokio::sync::oneshot;

use crate::problem::Problem;

/// Requests that wait.
pub(crate) const MAX_WAITING: usize = 1000;
/// Models that are held.
const MAX_MODELS: usize = 3;
/// A model that nobody asked this long gives its memory back.
const KEEP_MODEL: Duration = Duration::from_secs(600);
/// Like that of the main thread.
const STACK_BYTES: usize = 8 << 20;

type Work = Box<dyn FnOnce(&mut Models) + Send>;

/// What was built for a model and is of use again: an index, a detector.
#[derive(Default)]
pub struct Shelf {
    /// The latest used last, each with the model that it was built for.
    built: Vec<(Arc<Model>, &'static str, Box<dyn Any + Send>)>,
}

/// Things on the shelf.
const MAX_BUILT: usize = 8;

impl Shelf {
    /// What is called `name` for a model, built where it is not there.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn get<T: Any + Send>(
        &mut self,
        model: &Arc<Model>,
        name: &'static str,
        build: impl FnOnce() -> Result<T, Problem>,
    ) -> Result<&T, Problem> {
        let there = self.built.iter().position(|(of, known, _)| Arc::ptr_eq(of, model) && *known == name);
        let entry = match there {
            Some(at) => self.built.remove(at),
            None => (model.clone(), name, Box::new(build()?) as Box<dyn Any + Send>),
        };
        if self.built.len() == MAX_BUILT {
            self.built.remove(0);
        }
        self.built.push(entry);
        let found = self.built.last().and_then(|(.., built)| built.downcast_ref::<T>());
        found.ok_or_else(|| Problem::request("two things are kept under one name"))
    }
}

/// The thread, from outside.
#[derive(Clone)]
pub struct Worker {
    queue: mpsc::Sender<Work>,
    waiting: Arc<AtomicUsize>,
}

impl Worker {
    /// Starts the thread, with a pool of `threads` to compute in.
    pub fn start(name: &str, device: DeviceChoice, threads: usize) -> std::io::Result<Self> {
        let (queue, works) = mpsc::channel::<Work>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counter = waiting.clone();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .stack_size(STACK_BYTES)
            .build()
            .map_err(std::io::Error::other)?;
        thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(move || {
            let mut models = Models { device, loaded: Vec::new(), shelf: Shelf::default() };
            loop {
                match works.recv_timeout(KEEP_MODEL) {
                    Ok(work) => {
                        // A panic is a bug, of one request: the thread goes on with the next.
                        let run = std::panic::AssertUnwindSafe(|| pool.install(|| work(&mut models)));
                        if std::panic::catch_unwind(run).is_err() {
                            models.loaded.clear();
                            models.shelf = Shelf::default();
                        }
                        counter.fetch_sub(1, Ordering::Relaxed);
                    }
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                    Err(mpsc::RecvTimeoutError::Disconnected) => break,
                }
                models.loaded.retain(|held| held.used.elapsed() < KEEP_MODEL);
                let loaded = &models.loaded;
                let is_held = |model: &Arc<Model>| loaded.iter().any(|held| Arc::ptr_eq(&held.model, model));
                models.shelf.built.retain(|(model, ..)| is_held(model));
            }
        })?;
        Ok(Self { queue, waiting })
    }

    /// Has `work` done with a model once those before are done. It is dropped where `cancel` is set before its turn.
    pub fn send(
        &self,
        dir: PathBuf,
        cancel: Arc<AtomicBool>,
        work: impl FnOnce(Result<&Arc<Model>, Problem>) + Send + 'static,
    ) -> Result<(), Problem> {
        self.send_with(dir, cancel, move |model, _| work(model))
    }

    fn send_with(
        &self,
        dir: PathBuf,
        cancel: Arc<AtomicBool>,
        work: impl FnOnce(Result<&Arc<Model>, Problem>, &mut Shelf) + Send + 'static,
    ) -> Result<(), Problem> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests wait already")
                .with_hint("wait until some of them are done, or cancel them"));
        }
        let work: Work = Box::new(move |models| {
            if cancel.load(Ordering::Relaxed) {
                return work(Err(mintage::Error::Cancelled.into()), &mut models.shelf);
            }
            match models.get(&dir) {
                Ok(model) => work(Ok(&model), &mut models.shelf),
                Err(error) => work(Err(error.into()), &mut models.shelf),
            }
        });
        self.queue.send(work).map_err(|_| gone())
    }

    /// The same, and waits for the answer. Whoever stops waiting cancels it.
    pub async fn ask<T: Send + 'static>(
        &self,
        dir: PathBuf,
        work: impl FnOnce(&Arc<Model>, &Arc<AtomicBool>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.ask_with(dir, move |model, cancel, _| work(model, cancel)).await
    }

    /// The same, with what was built for the model before.
    pub async fn ask_with<T: Send + 'static>(
        &self,
        dir: PathBuf,
        work: impl FnOnce(&Arc<Model>, &Arc<AtomicBool>, &mut Shelf) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let cancel = Arc::new(AtomicBool::new(false));
        let (answer, answered) = oneshot::channel();
        let _cancels = CancelOnDrop(cancel.clone());
        let flag = cancel.clone();
        self.send_with(dir, cancel, move |model, shelf| {
            // Whoever asked may be gone.
            let _ = answer.send(model.and_then(|model| work(model, &flag, shelf)));
        })?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the work was broken off by a bug")
        .with_hint("please report what you asked for")
}

/// Sets a flag when it is dropped: a caller who goes away needs no answer.
pub struct CancelOnDrop(pub Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Models that are loaded, the latest used last.
struct Models {
    device: DeviceChoice,
    loaded: Vec<Held>,
    shelf: Shelf,
}

struct Held {
    dir: PathBuf,
    /// When its weights were written: training publishes again.
    written: Option<SystemTime>,
    used: Instant,
    model: Arc<Model>,
}

impl Models {
    fn get(&mut self, dir: &Path) -> Result<Arc<Model>, mintage::Error> {
        let written = dir.join("model.safetensors").metadata().and_then(|file| file.modified()).ok();
        if let Some(at) = self.loaded.iter().position(|held| held.dir == dir) {
            let mut held = self.loaded.remove(at);
            if written.is_some() && held.written == written {
                held.used = Instant::now();
                let model = held.model.clone();
                self.loaded.push(held);
                return Ok(model);
            }
        }
        let model = Arc::new(Model::load(dir, &self.device)?);
        if self.loaded.len() == MAX_MODELS {
            self.loaded.remove(0);
        }
        self.loaded.push(Held { dir: dir.to_owned(), written, used: Instant::now(), model: model.clone() });
        Ok(model)
    }
}
