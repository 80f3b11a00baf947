//! Learn the rows of a table, ask for new ones under conditions, and write them to another database. README shows a part.
//!
//! `cargo run --example rows`, where there is a database `shop.db` with a table `orders`.

// A program may print; the library never does.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

use std::{error::Error, path::Path, sync::atomic::AtomicBool, time::Instant};

use mintage::{
    AnyData, Control, Model, Recipe, Run,
    data::PgDefaults,
    generate::{Output, Request, Sink, schema},
    nn::DeviceChoice,
    train,
};

fn main() -> Result<(), Box<dyn Error>> {
    let recipe = Recipe::parse("data = { source = 'shop.db', table = 'orders' }\ntrain.time = '1m'")?;
    let data = AnyData::open(&recipe.data)?;
    let mut run = Run::create(Path::new("runs/orders"), &recipe)?;
    let (stop, start) = (AtomicBool::new(false), Instant::now());
    let control = Control { stop: &stop, clock: &|| start.elapsed() };
    train(&recipe, &data, &mut run, &DeviceChoice::Cpu, &control, &mut |event| println!("{event:?}"))?;

    let model = Model::load(run.dir(), &DeviceChoice::Cpu)?;
    println!("conditions that it can meet: {:#}", schema(&model)?["properties"]["where"]);
    let request = Request::parse(r#"{"n": 1000, "seed": 1, "where": {"price": {"from": 10}}}"#)?;
    let (output, pg) = (Output::to("new.db"), PgDefaults::default());
    let written = Sink::open(&output, &model, &pg)?.write(&mut model.generate(&request)?, &mut |_| {})?;
    println!("{} in {}", written.what, written.place);
    Ok(())
}
