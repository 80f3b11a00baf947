//! A trained model in its folder.

mod check;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use burn::tensor::Device;
use mintage_data::{Provenance, SourceSpec, check_limited, open_regular, read_limited, read_text};
use mintage_nn::{DeviceChoice, Rng, layers::without_numbers};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    dataset::{AnyData, AnyTransform},
    error::Error,
    events::Metrics,
    folder::{
        COUNTS_FILE, MAX_COUNTS_BYTES, MAX_FILE_BYTES, SWEEP_FILE, load_weights, refuse_not_finite,
        write_json,
    },
    models::{AnyConfig, AnyModel, Batch, DataInfo, Size},
    recipe::nearest,
};

/// The newest format of a model folder that this version reads and writes.
pub const FORMAT: u32 = 2;

/// The content of `config.json`: everything about a model but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Format of the folder: [`FORMAT`] once it is read.
    pub format: u32,
    /// Version of the program that wrote it.
    pub mintage: String,
    /// The size preset that the model was made from.
    pub size: Size,
    /// The kind of data, the family and all of its options.
    pub model: AnyConfig,
    /// What the model knows of its data: shapes, classes, the number of training items.
    pub info: DataInfo,
    /// Items of each class in the train split; empty without labels.
    pub class_counts: Vec<u64>,
    /// Seed of the training.
    pub seed: u64,
    /// Number of training steps done.
    pub step: u64,
    /// Seconds of training.
    pub train_secs: f64,
    /// Where the data came from, and how they were read.
    pub source: SourceSpec,
    /// Validation of the published weights; `None` where the family has none.
    pub valid: Option<Metrics>,
}

impl ModelConfig {
    /// Reads `config.json`; a folder of a newer format is an error that says so.
    ///
    /// # Errors
    /// `config.json` is missing, damaged, of a newer format, or says what no training writes.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("config.json");
        let text = read_text(&path, MAX_FILE_BYTES).map_err(|error| match error {
            mintage_data::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Error::folder(dir, "holds no trained model (it has no config.json)")
            }
            error => error.into(),
        })?;
        let damaged = |e: serde_json::Error| {
            let hint = "the file is damaged: put back a copy of it, or train again";
            Error::folder(&path, format!("cannot be read ({e})")).with_hint(hint)
        };
        let mut value: serde_json::Value = serde_json::from_str(&text).map_err(damaged)?;
        let format = value.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if format > u64::from(FORMAT) {
            let version = env!("CARGO_PKG_VERSION");
            let why =
                format!("has format {format}, this version of mintage ({version}) reads up to {FORMAT}");
            return Err(Error::folder(dir, why).with_hint("a newer mintage made it: install that one"));
        }
        migrate(&mut value, format);
        let config: Self = serde_json::from_value(value).map_err(damaged)?;
        config.check().map_err(|why| {
            let hint =
                "no training writes that: the file is damaged, or made to do harm; put back a copy of it";
            Error::folder(&path, why).with_hint(hint)
        })?;
        Ok(config)
    }

    pub(crate) fn save(&self, dir: &Path) -> Result<(), Error> {
        write_json(&dir.join("config.json"), self)
    }
}

/// Brings the configuration of an older format to the present one.
fn migrate(value: &mut serde_json::Value, format: u64) {
    // Format 1 knew images alone, and said so once for the whole model.
    if format < 2
        && let Some(kind) = value.as_object_mut().and_then(|all| all.remove("kind"))
    {
        value["model"]["kind"] = kind.clone();
        value["info"]["kind"] = kind;
        value["format"] = FORMAT.into();
    }
}

/// A trained model, loaded from its folder.
#[derive(Debug)]
pub struct Model {
    /// Folder of the model.
    pub dir: PathBuf,
    /// What `config.json` says.
    pub config: ModelConfig,
    /// The transform between items and the numbers of the model.
    pub codec: AnyTransform,
    /// The network, on its device.
    pub any: AnyModel,
    /// A short hash of the files of its weights and counts.
    weights: String,
}

impl Model {
    /// Loads the model in `dir` onto a device.
    ///
    /// The folder may be a stranger's: what its files say is checked against bounds and against each other
    /// before anything is built from it, and no memory is taken for a weight that is not in the file.
    ///
    /// # Errors
    /// A file is missing or damaged, the files are not of one model, or the device cannot be used.
    pub fn load(dir: &Path, device: &DeviceChoice) -> Result<Self, Error> {
        let config = ModelConfig::load(dir)?;
        check_codec_files(&dir.join("codec"))?;
        let codec = AnyTransform::load(&dir.join("codec"), &config.info)?;
        config.check_codec(&codec).map_err(|why| {
            Error::folder(dir, why).with_hint("they are not of the same model: put back a copy of the folder")
        })?;
        let device: Device = device.open()?;
        let mut any =
            without_numbers(|| AnyModel::new(&config.model, &config.info, &device, &mut Rng::new(0, 0)));
        let path = dir.join("model.safetensors");
        let weights = load_weights(&path)?;
        refuse_not_finite(&weights, &path)?;
        any.load_weights(&weights).map_err(|error| {
            let hint =
                "the file and config.json are not of the same model, or an earlier version wrote them: train it again";
            Error::folder(&path, error.to_string()).with_hint(hint)
        })?;
        let counts = load_counts(&mut any, dir)?;
        let weights = hash_of(&[Some(path), counts].into_iter().flatten().collect::<Vec<_>>())?;
        Ok(Self { dir: dir.to_owned(), config, codec, any, weights })
    }

    /// Negative log-likelihood of each item in nats, less is likelier; `None` where the family has none.
    ///
    /// `samples` is the number of importance samples of families that estimate it.
    pub fn nll(&self, batch: &Batch, samples: usize, seed: u64) -> Option<Vec<f64>> {
        self.any.nll(batch, samples, &mut Rng::new(seed, 0))
    }

    /// Whether [`nll`](Self::nll) takes as long as drawing does.
    pub fn nll_is_slow(&self) -> bool {
        self.any.nll_is_slow()
    }

    /// The class of each of `n` items: the one called `label`, or as often as they are in the data; none in particular
    /// where one is `given` that says itself what it is.
    pub(crate) fn labels_for(
        &self,
        classes: &[String],
        label: Option<&str>,
        n: usize,
        given: bool,
        seed: u64,
    ) -> Result<Vec<u32>, Error> {
        match label {
            None if classes.is_empty() => Ok(Vec::new()),
            None if given => Ok(vec![classes.len() as u32; n]),
            None => {
                let weights: Vec<f32> = self.config.class_counts.iter().map(|&c| c as f32).collect();
                let mut rng = Rng::new(seed, 0);
                Ok((0..n).map(|_| rng.categorical(&weights) as u32).collect())
            }
            Some(name) => match classes.iter().position(|c| c == name) {
                Some(index) => Ok(vec![index as u32; n]),
                None if classes.is_empty() => Err(Error::request("this model was trained without labels")
                    .with_hint("leave out `where`")
                    .in_field("where")),
                None => {
                    let near = nearest(name, classes.iter().map(String::as_str));
                    let near = near.map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
                    let hint = format!("{near}the labels are {}", classes.join(", "));
                    Err(Error::request(format!("the model knows no label `{name}`"))
                        .with_hint(hint)
                        .in_field("where"))
                }
            },
        }
    }

    /// The name of its folder; see [`name_of`].
    pub fn name(&self) -> String {
        name_of(&self.dir)
    }

    /// The provenance that is written into every file made by this model.
    pub fn provenance(&self, seed: u64, options: serde_json::Value) -> Provenance {
        Provenance {
            model: run_name(&self.dir),
            weights: self.weights.clone(),
            family: self.config.model.family().name().to_owned(),
            seed,
            options,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Number of the parameters of the network.
    pub fn parameters(&self) -> usize {
        self.any.parameters()
    }
}

/// The name of a folder, or SWEEP/RUN for a run of a sweep.
///
/// A folder that was given as "." has its name as well.
pub fn name_of(dir: &Path) -> String {
    let whole = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    match whole.parent().filter(|above| above.join(SWEEP_FILE).is_file()) {
        Some(sweep) => format!("{}/{}", name(sweep), name(&whole)),
        None => name(&whole),
    }
}

/// The name of a run for those who see it elsewhere: a folder called `model` says nothing without the one it lies in.
fn run_name(dir: &Path) -> String {
    let (name, above) = (name_of(dir), name_of(&dir.join("..")));
    if name == "model" && !above.is_empty() { format!("{above}/{name}") } else { name }
}

/// An error where something in the folder of the codec cannot be read as a file: a pipe would be waited for.
fn check_codec_files(dir: &Path) -> Result<(), Error> {
    // A folder that is not there is told by whoever looks for a file in it.
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.exists() && !path.is_dir()) {
        check_limited(&path, MAX_FILE_BYTES)?;
    }
    Ok(())
}

/// Gives a model that is to have counts those that lie beside its weights, if any do; with their file.
fn load_counts(model: &mut AnyModel, dir: &Path) -> Result<Option<PathBuf>, Error> {
    let path = dir.join(COUNTS_FILE);
    let AnyModel::Sequence(model) = model else { return Ok(None) };
    if !model.wants_counts() || !path.exists() {
        return Ok(None);
    }
    model.load_counts(&read_limited(&path, MAX_COUNTS_BYTES)?).map_err(|why| {
        let hint = "put back a copy of it; without this file the network works alone";
        Error::folder(&path, why).with_hint(hint)
    })?;
    Ok(Some(path))
}

/// Eight hexadecimal digits of a hash of the bytes of files, one behind the other.
fn hash_of(paths: &[PathBuf]) -> Result<String, Error> {
    let mut hasher = Xxh3::new();
    let mut part = vec![0; 1 << 20];
    for path in paths {
        let mut file = open_regular(path)?;
        loop {
            match file.read(&mut part).map_err(Error::io(path))? {
                0 => break,
                n => hasher.update(&part[..n]),
            }
        }
    }
    Ok(format!("{:016x}", hasher.digest())[..8].to_owned())
}

/// Items of each class in the train split; empty without classes.
pub(crate) fn class_counts(data: &AnyData) -> Vec<u64> {
    let (classes, labels) = match data {
        AnyData::Image(set) => (set.classes().len(), set.labels()),
        AnyData::Audio(set) => (set.classes().len(), set.labels()),
        AnyData::Video(set) => (set.classes().len(), set.labels()),
        AnyData::Table(_) | AnyData::Sequence(_) => return Vec::new(),
    };
    let mut counts = vec![0; classes];
    if !labels.is_empty() {
        for &index in &data.splits().train {
            // What has no label is of no class.
            if let Some(count) = counts.get_mut(labels[index as usize] as usize) {
                *count += 1;
            }
        }
    }
    counts
}
