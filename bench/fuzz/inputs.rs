//! From a number to an input: which seed, and what is done to it.

use std::{fs, path::PathBuf};

use mintage::nn::Rng;
use serde_json::Value;

use super::{
    formats,
    mutate::{self, chance, one},
    seeds::{Seeds, sorted},
};

/// What an input is.
#[derive(Clone, Debug)]
pub struct Input {
    /// "images", "tables", …, "model", "run", "shown", "recipe".
    pub group: String,
    /// Of a model or a run: its folder among the seeds.
    pub folder: Option<PathBuf>,
    /// Files that take the place of others: path within the folder, or the name of the only file.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Groups and how many of a thousand inputs are of each.
pub const SHARES: [(&str, usize); 12] = [
    ("images", 130),
    ("clips", 60),
    ("idx", 30),
    ("sqlite", 60),
    ("tables", 190),
    ("music", 80),
    ("sounds", 80),
    ("texts", 40),
    ("recipe", 25),
    ("model", 275),
    ("shown", 15),
    ("run", 15),
];

/// The input of that number.
pub fn input(seeds: &Seeds, seed: u64, number: u64, only: Option<&str>) -> Input {
    let mut rng = Rng::new(seed, number);
    let group = match only {
        Some(group) => group.to_owned(),
        None => {
            let weights: Vec<f32> = SHARES.iter().map(|share| share.1 as f32).collect();
            SHARES[rng.categorical(&weights)].0.to_owned()
        }
    };
    let (folder, files) = match group.as_str() {
        "recipe" => {
            let (own, other) = (one(&seeds.recipes, &mut rng), one(&seeds.recipes, &mut rng));
            (None, vec![("recipe.toml".to_owned(), changed("recipe.toml", own, other, &mut rng))])
        }
        "model" => {
            let folder = one(&seeds.runs, &mut rng).clone();
            let files = model(&folder, &mut rng);
            (Some(folder), files)
        }
        "run" | "shown" => {
            let folder = one(&seeds.runs, &mut rng).clone();
            let name = run_file(&folder, group == "shown", &mut rng);
            let own = fs::read(folder.join(&name)).unwrap_or_default();
            let bytes = changed(&name, &own, &own, &mut rng);
            (Some(folder), vec![(name, bytes)])
        }
        group => {
            let all: Vec<_> = seeds.files.iter().filter(|file| file.0 == group).collect();
            let (own, other) = (one(&all, &mut rng), one(&all, &mut rng));
            (None, vec![(own.1.clone(), changed(&own.1, &own.2, &other.2, &mut rng))])
        }
    };
    Input { group, folder, files }
}

fn changed(name: &str, own: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let structural = chance(0.6, rng).then(|| formats::change(name, own, other, rng)).flatten();
    structural.unwrap_or_else(|| {
        let mut bytes = own.to_vec();
        mutate::bytes(&mut bytes, other, rng);
        bytes
    })
}

/// A file of a model; or one number, changed alike in the configuration and in the codec.
fn model(folder: &std::path::Path, rng: &mut Rng) -> Vec<(String, Vec<u8>)> {
    let codecs = sorted(&folder.join("codec"));
    let relative = |path: &PathBuf| format!("codec/{}", path.file_name().unwrap().to_string_lossy());
    if chance(0.15, rng)
        && let Some(both) = alike(folder, &relative(one(&codecs, rng)), rng)
    {
        return both;
    }
    let name = match rng.below(10) {
        0 => "model.safetensors".to_owned(),
        1 if folder.join("counts.bin").is_file() => "counts.bin".to_owned(),
        1..=4 => "config.json".to_owned(),
        _ => relative(one(&codecs, rng)),
    };
    let own = fs::read(folder.join(&name)).unwrap();
    // Half of what is not JSON is refused at its first byte.
    let bytes = if name.ends_with(".json") && chance(0.7, rng) {
        formats::change(&name, &own, &own, rng)
    } else {
        None
    };
    let bytes = bytes.unwrap_or_else(|| changed(&name, &own, &own, rng));
    vec![(name, bytes)]
}

/// The same other number under a key that both files have.
fn alike(folder: &std::path::Path, codec: &str, rng: &mut Rng) -> Option<Vec<(String, Vec<u8>)>> {
    let read = |name: &str| serde_json::from_slice::<Value>(&fs::read(folder.join(name)).ok()?).ok();
    let (mut config, mut other) = (read("config.json")?, read(codec)?);
    let keys = ["width", "height", "channels", "frames", "fps", "rate_hz", "segment", "vocab", "whole"];
    let key = *one(&keys, rng);
    let mut new = find(&mut other, key)?.clone();
    mutate::json(&mut new, rng);
    *find(&mut other, key)? = new.clone();
    *find(config.get_mut("info")?, key)? = new;
    Some(vec![
        ("config.json".to_owned(), config.to_string().into_bytes()),
        (codec.to_owned(), other.to_string().into_bytes()),
    ])
}

fn find<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    let all = value.as_object_mut()?;
    if all.contains_key(key) {
        return all.get_mut(key);
    }
    all.values_mut().find_map(|value| find(value, key))
}

/// A file that a resumed training reads, or one that is shown.
fn run_file(folder: &std::path::Path, shown: bool, rng: &mut Rng) -> String {
    if shown {
        return (*one(&["run.json", "metrics.jsonl", "report.json", "config.json", "recipe.toml"], rng))
            .to_owned();
    }
    let checkpoints = sorted(&folder.join("checkpoints"));
    let steps: Vec<&PathBuf> = checkpoints.iter().filter(|path| path.is_dir()).collect();
    let step = one(&steps, rng).file_name().unwrap().to_string_lossy().into_owned();
    match rng.below(9) {
        0..=3 => format!("checkpoints/{step}/train.json"),
        4..=5 => format!("checkpoints/{step}/state.safetensors"),
        6 => "run.json".to_owned(),
        7 => "options.toml".to_owned(),
        _ => "recipe.toml".to_owned(),
    }
}
