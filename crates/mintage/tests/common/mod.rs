//! What the tests of whole databases share: small models of a few steps.

use std::{path::Path, sync::atomic::AtomicBool, time::Instant};

use mintage::{
    Control, Recipe,
    database::{DatabaseData, DatabaseModel, train_database},
    nn::DeviceChoice,
};

/// The smallest models of a database, trained for some steps in the folder of a run, which is made.
pub fn trained(recipe: &Recipe, steps: u64, data: &DatabaseData, run: &Path) -> DatabaseModel {
    let mut recipe = recipe.clone();
    recipe.set("model.size=tiny").unwrap();
    recipe.train.steps = Some(steps);
    let (stop, start) = (AtomicBool::new(false), Instant::now());
    let control = Control { stop: &stop, clock: &|| start.elapsed() };
    train_database(&recipe, data, run, &DeviceChoice::Cpu, &control, &mut |_, _| {}).unwrap();
    DatabaseModel::load(run, &DeviceChoice::Cpu).unwrap()
}
