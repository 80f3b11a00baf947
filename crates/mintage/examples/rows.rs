//! Learn the rows of a CSV file, ask for new ones under conditions, and write them to a database.
//!
//! `cargo run --example rows -- people.csv new.db`

use std::{env, error::Error, path::Path, sync::atomic::AtomicBool, time::Instant};

use mintage::{
    AnyData, Control, Model, Recipe, Run,
    data::PgDefaults,
    generate::{Output, Request, Sink, schema},
    nn::DeviceChoice,
    train,
};

fn main() -> Result<(), Box<dyn Error>> {
    let [_, source, target] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("give SOURCE TARGET".into());
    };
    let mut recipe = Recipe::for_source(source);
    recipe.set("train.time=\"60s\"")?;
    let data = AnyData::open(&recipe.data)?;
    let mut run = Run::create(Path::new("runs/rows"), &recipe)?;
    let (stop, start) = (AtomicBool::new(false), Instant::now());
    let control = Control { stop: &stop, clock: &|| start.elapsed() };
    train(&recipe, &data, &mut run, &DeviceChoice::Cpu, &control, &mut |event| eprintln!("{event:?}"))?;

    let model = Model::load(run.dir(), &DeviceChoice::Cpu)?;
    println!("what can be asked of it: {:#}", schema(&model)?["properties"]["where"]);
    let request = Request::parse(r#"{"n": 1000, "seed": 1, "temperature": 0.9}"#)?;
    let (output, pg) =
        (Output { table: Some("new".to_owned()), ..Output::to(target) }, PgDefaults::default());
    let written = Sink::open(&output, &model, &pg)?.write(&mut model.generate(&request)?, &mut |_| {})?;
    println!("{} in {}", written.what, written.place);
    Ok(())
}
