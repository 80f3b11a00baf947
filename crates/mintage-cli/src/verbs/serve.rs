//! `mintage studio` and `mintage serve`: the same server, with a browser or without one.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    panic,
    path::Path,
    process::Command,
};

use mintage_server::{Config, Server, fresh_token};
use serde_json::json;

use crate::{
    args::Serve,
    context::Context,
    failure::{CliError, CliResult, Outcome},
    interrupt,
    ui::eprintln_safe,
};

/// Opens the studio.
pub fn studio(args: &Serve, context: &mut Context) -> CliResult {
    run(args, context, true)
}

/// Serves programs, and whoever opens the address.
pub fn serve(args: &Serve, context: &mut Context) -> CliResult {
    run(args, context, false)
}

fn run(args: &Serve, context: &mut Context, is_studio: bool) -> CliResult {
    let token = match (&args.token, args.no_token) {
        (_, true) => None,
        (Some(token), _) => Some(token.clone()),
        (None, false) => Some(match &context.settings.token {
            Some(token) => token.clone(),
            None => fresh_token().map_err(|error| {
                CliError::new(format!("no token can be made: {error}"), "give one with --token")
            })?,
        }),
    };
    let program = std::env::current_exe().map_err(|error| {
        CliError::new(format!("the program's own file is not known: {error}"), "call it by its path")
    })?;
    let settings = &context.settings;
    let config = Config {
        host: args.host,
        port: args.port,
        token,
        host_names: args.host_name.clone(),
        origins: args.origin.clone(),
        root: args.root.clone(),
        sources: args.sources.clone(),
        runs: settings.runs.clone(),
        program,
        device: settings.device.clone(),
        threads: settings.threads,
        pg: settings.pg.clone(),
        web: args.studio_dir.clone(),
    };
    let server = Server::open(&config)
        .map_err(|problem| CliError::Words { message: problem.detail, hint: problem.hint })?;
    let runs = settings.runs.display().to_string();
    let (url, port) = (server.url(), server.at().port());
    if context.ui.wants_json() {
        context.ui.out_json(&json!({ "url": url, "port": port, "token": config.token }))?;
    }
    if port != args.port && args.port != 0 {
        context.ui.warn(&format!("port {} is taken: this is {port}", args.port));
    }
    if !args.host.is_loopback() {
        context.ui.warn("others can reach this server: whoever has the token can read your data and train");
    }
    context.ui.always(&format!("{}   {url}", if is_studio { "studio" } else { "serving" }));
    context.ui.field("runs", &runs);
    context.ui.field("", "Ctrl-C ends it; trainings go on");
    // A request that goes wrong ends itself, and not the server.
    panic::set_hook(Box::new(|info| {
        if !mintage_data::panic_is_caught() {
            eprintln_safe(&format!("bug: {info}; please report it"));
        }
    }));
    if is_studio && !args.no_open && std::io::stderr().is_terminal() {
        open(&url, &context.settings.runs);
    }
    let stop = server.stop();
    interrupt::on_first(move || stop.stop());
    server.run();
    Ok(Outcome::Done)
}

/// Opens the user's browser. The address, which holds the token, goes by a file that only the user reads: everybody can list
/// the arguments of processes.
fn open(url: &str, runs: &Path) {
    let page = runs.join(".studio").join("open.html");
    let text = format!("<!doctype html><meta http-equiv=\"refresh\" content=\"0;url={url}\">\n");
    if write_private(&page, &text).is_err() {
        return;
    }
    let (program, first): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/C", "start", ""])
    } else {
        ("xdg-open", &[])
    };
    // Where there is no browser, the address stands in the terminal.
    let _ = Command::new(program).args(first).arg(&page).spawn();
}

/// Writes a file that only its owner reads.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // One that is there may be readable by others, or a link.
    let _ = fs::remove_file(path);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
