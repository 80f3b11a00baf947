//! Every cell of the matrix, trained for three steps: what its losses and ten of its samples come to.
//!
//! Nothing is judged. A change that is to change no number leaves all of them as they are on the same machine.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use mintage::{
    AnyData, Family, Model, Recipe,
    sample::{AudioRequest, ImageRequest, MusicRequest, TableRequest, TextRequest, VideoRequest},
};
use serde_json::{Value, json};

use crate::{Options, training::trained};

/// Steps of a cell, and samples that are drawn.
const STEPS: u64 = 3;
const SAMPLES: usize = 10;

/// Tables of the demo's database, one a kind.
const TABLES: [(&str, &str); 6] = [
    ("table", "census"),
    ("text", "texts"),
    ("music", "tunes"),
    ("image", "products"),
    ("audio", "sounds"),
    ("video", "clips"),
];

pub fn matrix(_: &str, options: &Options) {
    let database = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mintage-cli/assets/demo.db");
    for (kind, table) in TABLES {
        let mut recipe = Recipe::for_source(&database.display().to_string());
        recipe.set(&format!("data.table=\"{table}\"")).unwrap();
        if kind == "text" {
            // Beside its language and author a table of texts could be rows as well.
            recipe.set("data.column=\"text\"").unwrap();
            recipe.set("data.kind=\"text\"").unwrap();
        }
        let data = AnyData::open(&recipe.data).unwrap();
        for family in Family::ALL {
            recipe.model.family = Some(family);
            for setting in ["model.size=tiny", "train.seed=1", &format!("train.steps={STEPS}")] {
                recipe.set(setting).unwrap();
            }
            // Not every family learns every kind.
            if mintage::train::resolve(&recipe, &data).is_ok() {
                cell(kind, &recipe, &data, options);
            }
        }
    }
}

/// One line: the numbers of the last step and of the validation, and what ten samples hash to.
fn cell(kind: &str, recipe: &Recipe, data: &AnyData, options: &Options) {
    let family = recipe.model.family.unwrap().name();
    let options = Options { fresh: true, ..options.clone() };
    let model = trained(recipe, data, &format!("matrix-{kind}-{family}"), &options);
    let series = std::fs::read_to_string(model.dir.join("metrics.jsonl")).unwrap();
    let lines = series.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let losses: Vec<Vec<f64>> = lines.map(|line| numbers(&line)).collect();
    let mut hasher = DefaultHasher::new();
    samples(&model).hash(&mut hasher);
    let samples = format!("{:016x}", hasher.finish());
    println!("{}", json!({ "cell": format!("{kind} {family}"), "losses": losses, "samples": samples }));
    std::fs::remove_dir_all(&model.dir).unwrap();
}

/// The numbers of a line of the series, without its times, in order: names may be improved.
fn numbers(line: &Value) -> Vec<f64> {
    let Value::Object(fields) = line else { return Vec::new() };
    let timed = |name: &str| name.contains("sec") || name == "time";
    let mut found: Vec<f64> =
        fields.iter().filter(|(name, _)| !timed(name)).flat_map(|(_, value)| of_value(value)).collect();
    found.sort_by(f64::total_cmp);
    found
}

fn of_value(value: &Value) -> Vec<f64> {
    match value {
        Value::Number(number) => number.as_f64().into_iter().collect(),
        Value::Object(_) => numbers(value),
        _ => Vec::new(),
    }
}

/// Ten new items, to the last bit.
fn samples(model: &Model) -> Vec<u8> {
    let (n, seed) = (SAMPLES, 1);
    match model.config.info.item() {
        "row" => {
            let request = TableRequest { n, seed, ..TableRequest::default() };
            model.sample_rows(&request, &mut |_, _| {}).unwrap().to_csv().into_bytes()
        }
        "text" => {
            let request = TextRequest { n, seed, length: Some(100), ..TextRequest::default() };
            model.sample_texts(&request, &mut |_, _| true).unwrap().join("\0").into_bytes()
        }
        "tune" => {
            let request = MusicRequest { n, seed, bars: Some(2), ..MusicRequest::default() };
            let tunes = model.sample_tunes(&request, &mut |_, _| {}).unwrap();
            tunes.iter().flat_map(|tune| tune.to_midi("")).collect()
        }
        "image" => {
            let request = ImageRequest { n, seed, ..ImageRequest::default() };
            model.sample(&request, &mut |_, _| {}).unwrap().pixels
        }
        "sound" => {
            let request = AudioRequest { n, seed, ..AudioRequest::default() };
            let sounds = model.sample_sounds(&request, &mut |_, _| {}).unwrap();
            sounds.samples.concat().iter().flat_map(|sample| sample.to_le_bytes()).collect()
        }
        _ => {
            let request = VideoRequest { n, seed, ..VideoRequest::default() };
            model.sample_clips(&request, &mut |_, _| {}).unwrap().pixels
        }
    }
}
