//! Judge what any program made beside the real data: rows, images, texts, tunes, sounds or clips.
//!
//! `cargo run --example judge -- held-out.csv ctgan.csv train.csv`

// A program may print; the library never does.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

use std::{env, error::Error};

use mintage::{
    Event,
    data::SourceSpec,
    evaluate::{Options, Sources},
};

fn main() -> Result<(), Box<dyn Error>> {
    let [_, real, new, train @ ..] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("give REAL NEW, and TRAIN where it is known".into());
    };
    let sources = Sources {
        real: SourceSpec { source: real.clone(), ..SourceSpec::default() },
        new: new.clone(),
        train: train.first().cloned(),
    };
    let mut on = |event: Event| eprintln!("{event:?}");
    let comparison = sources.open(&mut on)?;
    let report = comparison.judge(&Options { seed: 1, ..Options::default() }, &mut on)?;
    for (name, dial) in &report.dials {
        println!("{name:<9} {:.0} of 100", dial.score);
    }
    std::fs::write("report.html", report.to_html()?)?;
    Ok(())
}
