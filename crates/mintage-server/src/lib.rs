//! Models over HTTP: OpenAI's routes, Mintage's own, and the studio.
//!
//! The only crate that knows tokio and axum. It holds no knowledge of data or models: a request goes to
//! [`mintage::generate`], a training to a process of the same program, and state is read from the folders of the runs, so
//! that what is done in a terminal appears here, and nothing is lost when a server is killed.
//!
//! [`guard`] says who may ask, [`worker`] draws, [`jobs`] trains, [`events`] tells what has changed, `api` and `openai` are
//! the routes.

#![allow(clippy::disallowed_methods)]
#![warn(missing_docs)]

mod api;
mod assets;
mod draws;
pub mod events;
pub mod guard;
mod ids;
pub mod jobs;
mod listen;
mod ollama;
mod openai;
pub mod problem;
mod range;
mod runs;
mod sampling;
pub mod sources;
pub mod worker;

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::Router;
use mintage::nn::DeviceChoice;
use mintage_data::PgDefaults;
use tokio::sync::watch;

use crate::{
    draws::Draws,
    events::Events,
    guard::Guard,
    jobs::{Jobs, Program},
    sources::Sources,
    worker::Worker,
};
pub use problem::Problem;

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen at.
    pub host: IpAddr,
    /// Port to listen at; where it is taken, the next that is free.
    pub port: u16,
    /// What callers prove themselves with; `None` asks nobody, which only loopback may.
    pub token: Option<String>,
    /// Other names that this machine is called by.
    pub host_names: Vec<String>,
    /// Origins of pages that may ask this server.
    pub origins: Vec<String>,
    /// Folder whose data can be looked at and learned from.
    pub root: PathBuf,
    /// Sources beside those.
    pub sources: Vec<String>,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// The program that trains.
    pub program: PathBuf,
    /// Where new items are drawn.
    pub device: DeviceChoice,
    /// Threads that draw; 0 is one a core.
    pub threads: usize,
    /// What the environment says of PostgreSQL.
    pub pg: PgDefaults,
    /// Folder that the studio's files are read from in place of the program, for whoever edits them.
    pub web: Option<PathBuf>,
}

/// Everything that answers stand on.
pub struct App {
    pub(crate) guard: Guard,
    pub(crate) runs: PathBuf,
    pub(crate) sources: Sources,
    pub(crate) draws: Draws,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) events: Arc<Events>,
    /// Draws.
    pub(crate) worker: Worker,
    /// Compares and explains, which takes longer than drawing.
    pub(crate) judge: Worker,
    pub(crate) web: Option<PathBuf>,
    pub(crate) device: String,
    pub(crate) threads: usize,
}

pub(crate) type Shared = Arc<App>;

/// Ends a server from another thread.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    /// Streams end, requests that are under way come to their end, trainings go on.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// A token that nobody guesses: 128 random bits.
///
/// # Errors
/// The system gives no random bytes: then no secret can be made.
pub fn fresh_token() -> io::Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A server that listens, and does not answer yet.
pub struct Server {
    listener: tokio::net::TcpListener,
    app: Shared,
    at: SocketAddr,
    token: Option<String>,
    runtime: tokio::runtime::Runtime,
    stop: Stop,
}

impl Server {
    /// Takes a port and looks at the folders.
    ///
    /// # Errors
    /// No port can be taken, a folder or a named source is not there; a server that others can reach has no token.
    pub fn open(config: &Config) -> Result<Self, Problem> {
        if !config.host.is_loopback() && config.token.is_none() {
            return Err(Problem::request(format!(
                "{} can be reached by others, and there is no token",
                config.host
            ))
            .with_hint("leave --no-token out, or serve on 127.0.0.1"));
        }
        let io = |what: String| move |error: io::Error| Problem::request(format!("{what}: {error}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("mintage-http")
            .enable_all()
            .build()
            .map_err(io("the server's threads could not be started".to_owned()))?;
        let _inside = runtime.enter();
        let asked = SocketAddr::new(config.host, config.port);
        let listener = listen::bind(asked).map_err(io(format!("{asked} cannot be listened at")))?;
        let at = listener.local_addr().map_err(io("the port is not known".to_owned()))?;
        let app = Arc::new(App::open(config, at)?);
        drop(_inside);
        Ok(Self {
            listener,
            app,
            at,
            token: config.token.clone(),
            runtime,
            stop: Stop(Arc::new(watch::Sender::new(false))),
        })
    }

    /// Where it listens.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// The address to open, with the token.
    pub fn url(&self) -> String {
        let host = match self.at.ip() {
            ip if ip.is_unspecified() || ip.is_loopback() => "localhost".to_owned(),
            IpAddr::V6(ip) => format!("[{ip}]"),
            ip => ip.to_string(),
        };
        // `localhost` may mean ::1 first, where nobody listens.
        let host = if self.at.is_ipv4() && host == "localhost" { "127.0.0.1" } else { &host };
        let token = self.token.as_ref().map(|token| format!("/?token={token}")).unwrap_or_default();
        format!("http://{host}:{}{token}", self.at.port())
    }

    /// What ends it.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Answers until it is stopped.
    pub fn run(self) {
        let Self { listener, app, runtime, stop, .. } = self;
        let stop = stop.0.subscribe();
        let router = router(&app);
        runtime.block_on(async {
            tokio::spawn(app.jobs.clone().work());
            tokio::spawn(api::watch::watch(app.clone()));
            let (events, mut ending) = (app.events.clone(), stop.clone());
            tokio::spawn(async move {
                // Streams end first: they would hold the server open.
                let _ = ending.wait_for(|stop| *stop).await;
                events.end();
            });
            listen::serve(listener, router, stop).await;
        });
        // A thread that draws is not waited for.
        runtime.shutdown_background();
    }
}

impl App {
    fn open(config: &Config, at: SocketAddr) -> Result<Self, Problem> {
        let folder = |path: &Path| {
            fs::create_dir_all(path)
                .and_then(|()| fs::canonicalize(path))
                .map_err(|error| Problem::request(format!("{}: {error}", path.display())))
        };
        let root = fs::canonicalize(&config.root)
            .map_err(|error| Problem::request(format!("{}: {error}", config.root.display())))?;
        let runs = folder(&config.runs)?;
        let parent = root.parent().map(Path::to_owned).unwrap_or_default();
        let hidden = [root.as_path(), runs.parent().unwrap_or(&runs), parent.as_path()];
        let guard = Guard::new(at, &config.host_names, config.token.clone(), &config.origins, &hidden);
        let first = jobs::now() * 1000;
        let events = Arc::new(Events::new(first));
        let program = Program { path: config.program.clone(), root: root.clone(), runs: runs.clone() };
        let threads = match config.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let start = |name: &str| {
            Worker::start(name, config.device.clone(), threads).map_err(|error| {
                Problem::request(format!("the thread that draws could not be started: {error}"))
            })
        };
        Ok(Self {
            guard,
            sources: Sources::open(&root, &config.sources, config.pg.clone(), config.host.is_loopback())?,
            runs,
            draws: Draws::new(first),
            jobs: Arc::new(Jobs::new(program, events.clone())),
            events,
            worker: start("mintage-draw")?,
            judge: start("mintage-judge")?,
            web: config.web.clone(),
            device: config.device.to_string(),
            threads,
        })
    }
}

/// All routes behind the guard.
pub(crate) fn router(app: &Shared) -> Router {
    use axum::{extract::DefaultBodyLimit, middleware::from_fn_with_state};
    use tower_http::{catch_panic::CatchPanicLayer, csrf::CsrfLayer, timeout::RequestBodyTimeoutLayer};

    let mut csrf = CsrfLayer::new();
    for origin in app.guard.origins() {
        // What is no origin allows none.
        if let Ok(known) = csrf.clone().add_trusted_origin(origin) {
            csrf = known;
        }
    }
    api::routes()
        .with_state(app.clone())
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(csrf)
        .layer(from_fn_with_state(app.clone(), guard::check))
        .layer(CatchPanicLayer::custom(guard::of_panic))
        .layer(from_fn_with_state(app.clone(), guard::finish))
}

/// Bytes of a body of JSON.
const MAX_BODY_BYTES: usize = 32 << 20;
/// Between two pieces of a body.
const BODY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

/// A lock that a panic elsewhere does not close.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
