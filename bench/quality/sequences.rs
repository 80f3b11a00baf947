//! Texts and music: likelihood on what was held out, judged samples, and how fast they are drawn.

use std::{fs, path::PathBuf, time::Instant};

use mintage::{
    AnyData, AnyModel, Batch, Family, Model, TextRequest,
    data::{Split, sequence::Chunking},
    evaluate::{Options as Judging, evaluate},
    models::GenerativeModel,
    nn::Rng,
    report::Better,
};

use crate::{
    Options,
    baselines::russian_works,
    figures::Figure,
    memory::peak_mb,
    training::{recipe, setup, trained},
};

/// nanoGPT's set-up for a CPU: 4 layers, 4 heads, 128 wide, 64 tokens, 12 windows a step; in as many steps as take no
/// longer than its 2000 (`cargo xtask bench text`).
const NANO: [&str; 14] = [
    "layers=4",
    "heads=4",
    "width=128",
    "hidden=352",
    "context=64",
    "batch=12",
    "dropout=0",
    "weight_decay=0.1",
    "cautious_decay=false",
    "shuffle=false",
    "lookup=false",
    "counts=false",
    "lr=0.004",
    "train.steps=900",
];

/// `tinyshakespeare` in nanoGPT's set-up, and `tinyshakespeare-hour` with all that fits into one; the first 90 % are
/// known (a twentieth of them for validation), the last 10 % are to be told.
pub fn tinyshakespeare(case: &str, options: &Options) {
    let text = fs::read_to_string(options.data.join("text/tinyshakespeare.txt")).unwrap();
    let (train, held) = text.split_at(text.len() * 9 / 10); // all of it is ASCII
    let known = written(options, "tinyshakespeare-train.txt", train);
    let hour = case.ends_with("hour");
    let settings: &[&str] = if hour { &[] } else { &NANO };
    let mut recipe = recipe(&known, Family::Ar, 60.0, settings, options);
    recipe.data.holdout = Some(written(options, "tinyshakespeare-held.txt", held).display().to_string());
    let data = AnyData::open(&recipe.data).unwrap();
    let model = trained(&recipe, &data, case, options);
    let how = setup(&model, options);
    let nats = windowed(&model, &data, 64);
    let limit = if hour { 1.55 } else { 1.75 };
    match hour {
        true => {
            Figure::lower(case, "nats a character of the last 10 %", likelihood(&model, &data).0, "nats")
                .limit(limit)
                .print(&how);
        }
        false => {
            let metric = "nats a character of the last 10 %, windows of 64";
            Figure::lower(case, metric, nats, "nats").limit(limit).print(&how);
            Figure::lower(case, "seconds of training", model.config.train_secs, "s").print(&how);
            Figure::lower(case, "parameters", model.parameters() as f64, "").print(&how);
        }
    }
    speed(case, &model, &how);
    Figure::lower(case, "peak memory", peak_mb(), "MB").print(&how);
}

/// A folder of novels and plays, every tenth work of either held out.
pub fn russian_folder(options: &Options) -> PathBuf {
    let folder = options.runs.join("russian-works");
    if !folder.is_dir() {
        let half = folder.with_extension("tmp");
        for (i, work) in russian_works(options).into_iter().enumerate() {
            let dir = if work.held { half.join("test") } else { half.clone() };
            fs::create_dir_all(&dir).unwrap();
            let plain: String = work.name.chars().filter(|c| c.is_alphanumeric()).collect();
            fs::write(dir.join(format!("{i:03}-{plain}.txt")), work.text).unwrap();
        }
        fs::rename(&half, &folder).unwrap();
    }
    folder
}

/// `russian`: novels and plays.
pub fn russian(case: &str, options: &Options) {
    let folder = russian_folder(options);
    let recipe = recipe(&folder, Family::Ar, 60.0, &["data.label=none"], options);
    let data = AnyData::open(&recipe.data).unwrap();
    let model = trained(&recipe, &data, case, options);
    let how = setup(&model, options);
    let bits = likelihood(&model, &data).1;
    // Three quarters of what PPMd needs (case `russian-baselines`).
    Figure::lower(case, "bits a character of held-out works", bits, "bits").limit(1.528).print(&how);
    speed(case, &model, &how);
    judged(case, &model, &data, &how);
}

/// `bbc` and `bbc-FAMILY`: articles by class.
pub fn bbc(case: &str, options: &Options) {
    let family = match case.split_once('-') {
        Some((_, "vae")) => Family::Vae,
        Some((_, "vqvae")) => Family::Vqvae,
        _ => Family::Ar,
    };
    let recipe = recipe(&options.data.join("text/bbc-news"), family, 20.0, &["model.size=tiny"], options);
    let data = AnyData::open(&recipe.data).unwrap();
    let model = trained(&recipe, &data, case, options);
    let how = setup(&model, options);
    judged(case, &model, &data, &how);
}

/// `jsb16`: chorales on the grid of sixteenths, the official test split held out.
pub fn chorales(case: &str, options: &Options) {
    let mut recipe =
        recipe(&options.data.join("music/jsb16"), Family::Ar, 15.0, &["data.label=none"], options);
    recipe.train.previews = 1;
    let data = AnyData::open(&recipe.data).unwrap();
    let model = trained(&recipe, &data, case, options);
    let how = setup(&model, options);
    let nats = likelihood(&model, &data).0;
    let metric = "nats a token of the test chorales, four voices in turn on the grid of sixteenths";
    Figure::lower(case, metric, nats, "nats").limit(0.417).goal(0.335).print(&how);
    judged(case, &model, &data, &how);
}

/// `pop909`: songs in tokens of events.
pub fn songs(case: &str, options: &Options) {
    let recipe = recipe(&options.data.join("music/pop909"), Family::Ar, 30.0, &[], options);
    let data = AnyData::open(&recipe.data).unwrap();
    let model = trained(&recipe, &data, case, options);
    let how = setup(&model, options);
    Figure::lower(case, "nats a token", likelihood(&model, &data).0, "nats").print(&how);
    judged(case, &model, &data, &how);
}

/// A file of the case's own.
fn written(options: &Options, name: &str, text: &str) -> PathBuf {
    fs::create_dir_all(&options.runs).unwrap();
    let path = options.runs.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Nats a token in windows that do not overlap, which is how nanoGPT's loss is taken.
fn windowed(model: &Model, data: &AnyData, time: usize) -> f64 {
    let AnyModel::Sequence(any) = &model.any else { panic!("no sequences") };
    let cut = Some(Chunking::Windows(time));
    let (mut sum, mut count) = (0.0, 0.0);
    for items in data.items(Split::Holdout, cut).chunks(64) {
        let Batch::Sequence(batch) = data.batch(items, cut, None).unwrap() else { panic!("no sequences") };
        let nll = any.validate(&batch, 1.0, &mut Rng::new(0, 0)).unwrap().first().unwrap();
        // The last window is shorter, which one of hundreds may be.
        sum += nll * items.len() as f64;
        count += items.len() as f64;
    }
    sum / count
}

/// Nats a token of the whole holdout, with as much before each token as the model sees; and bits a character.
fn likelihood(model: &Model, data: &AnyData) -> (f64, f64) {
    let (AnyModel::Sequence(any), AnyData::Sequence(set)) = (&model.any, data) else {
        panic!("no sequences")
    };
    let (mut nats, mut tokens, mut chars) = (0.0, 0.0, 0.0);
    for &document in &set.splits().holdout {
        let all = set.document(document);
        nats += any.whole_nll(&all, set.class(document)).unwrap();
        tokens += all.len() as f64 - 1.0;
        chars += set.codec().text().map_or(0.0, |codec| codec.decode(&all).chars().count() as f64);
    }
    (nats / tokens, nats / std::f64::consts::LN_2 / chars)
}

/// Characters a second, one text at a time.
fn speed(case: &str, model: &Model, how: &str) {
    let request = TextRequest { length: Some(2000), endless: true, ..TextRequest::default() };
    let start = Instant::now();
    let chars: usize =
        model.sample_texts(&request, &mut |_, _| true).unwrap().iter().map(|t| t.chars().count()).sum();
    let rate = chars as f64 / start.elapsed().as_secs_f64();
    Figure::higher(case, "characters a second, one text at a time", rate, "characters/s").print(how);
}

/// What an evaluation finds; the page is left beside the model.
pub fn judged(case: &str, model: &Model, data: &AnyData, how: &str) {
    let start = Instant::now();
    let adapt = matches!(case, "russian" | "bbc");
    let judging = Judging { seed: 1, adapt, ..Judging::default() };
    let report = evaluate(model, data, &judging, &|| start.elapsed(), &mut |_| {}).unwrap();
    report.save(&model.dir).unwrap();
    for (name, dial) in &report.dials {
        Figure::higher(case, name, dial.score, "of 100").print(how);
    }
    for metric in &report.metrics {
        let name = format!("{} ({})", metric.name, metric.space);
        let ends = match (metric.ceiling, metric.floor) {
            (Some(ceiling), Some(floor)) => format!("{how}; ceiling {ceiling:.4}, floor {floor:.4}"),
            _ => how.to_owned(),
        };
        let figure = match metric.better {
            Better::Lower => Figure::lower(case, &name, metric.value, ""),
            Better::Higher => Figure::higher(case, &name, metric.value, ""),
        };
        match (case, metric.name.as_str()) {
            ("pop909", "figures within two deviations") => figure.limit(1.0).print(&ends),
            ("pop909", "most bars copied") => figure.limit(4.0).print(&ends),
            // As PPMd is asked, which follows what it reads as well.
            ("russian", "negative log-likelihood, adapting") if metric.space == "bits a character" => {
                figure.goal(1.528).print(&ends);
            }
            _ => figure.print(&ends),
        }
        if metric.name.starts_with("accuracy of classes") {
            let ratio = metric.value / metric.ceiling.unwrap_or(f64::NAN);
            Figure::higher(case, "accuracy trained on new over that on real", ratio, "of 1")
                .limit(0.8)
                .print(how);
        }
    }
}
