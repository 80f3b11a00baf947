//! Go on with a text, letter by letter, until its reader has had enough.
//!
//! `cargo run --example texts -- runs/ar-tales-1 "Once upon a"`

// A program may print; the library never does.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

use std::{
    env,
    error::Error,
    io::{Write, stdout},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use mintage::{
    Model,
    generate::{Progress, Request},
    nn::DeviceChoice,
};

fn main() -> Result<(), Box<dyn Error>> {
    let [_, model, prompt] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("give MODEL PROMPT".into());
    };
    let model = Model::load(Path::new(model), &DeviceChoice::Cpu)?;
    let request = Request {
        prompt: Some(prompt.clone()),
        length: Some(400),
        temperature: Some(0.8),
        ..Request::default()
    };
    // Another thread may set it: a button, a closed connection.
    let enough = Arc::new(AtomicBool::new(false));
    model.generate(&request)?.cancelled_by(enough.clone()).all(&mut |progress| {
        if let Progress::Text { new, .. } = progress {
            print!("{new}");
            enough.store(stdout().flush().is_err(), Ordering::Relaxed);
        }
    })?;
    println!();
    Ok(())
}
