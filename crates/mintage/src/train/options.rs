//! The options of a run: resolved when it begins, kept in its folder, and taken from there when it goes on.
//!
//! Presets and defaults change with the version and with the data. A run keeps what it was begun with: a network of another
//! width could not load its checkpoint, and with another learning rate it would silently be another training.

use std::{io::ErrorKind, path::Path, time::Duration};

use mintage_data::read_text;
use serde::{Deserialize, Serialize};

use crate::{
    dataset::AnyData,
    error::Error,
    folder::{MAX_FILE_BYTES, write},
    model::ModelConfig,
    models::{AnyConfig, DataInfo, Size},
    recipe::{ModelSpec, Recipe},
    run::Run,
};

/// Where a run keeps its options. TOML, of which every number is read back to its last bit; of our JSON not every one is.
const OPTIONS_FILE: &str = "options.toml";
/// What the file begins with.
const ABOUT: &str = "# What [model] of recipe.toml came to when this run began; --resume goes on with it.\n";
/// What to do about one that cannot be used.
const DAMAGED: &str = "the file is damaged, or a newer mintage wrote it: put back a copy of it; without it a run goes on \
                       with the options in config.json, or those that its recipe gives now";

/// Everything that is decided before the first step of a training.
pub struct Resolved {
    /// The family with all of its options.
    pub config: AnyConfig,
    /// What the model has to know of the data.
    pub info: DataInfo,
    /// Budget of wall-clock time; `None` where the budget is in steps.
    pub budget: Option<Duration>,
}

/// Resolves a recipe against its data: family, preset, options, budget.
///
/// # Errors
/// The family does not suit the data, or an option or the budget is wrong.
pub fn resolve(recipe: &Recipe, data: &AnyData) -> Result<Resolved, Error> {
    let info = data.info();
    let config = AnyConfig::preset(recipe.model.family, recipe.model.size, &info, &recipe.model.options)?;
    Ok(Resolved { config, info, budget: recipe.train.budget()? })
}

/// Resolves the recipe of a run, which keeps the options that it was begun with.
///
/// They are in its `options.toml`. A run of before there was this file has them in the `config.json` of the model that it
/// published; without one, and where the recipe names another family or size by now, this is [`resolve`]. Options in
/// the recipe override those that were kept, which changes nothing unless somebody edited it.
///
/// # Errors
/// As of [`resolve`], or `options.toml` is damaged.
pub fn resolve_run(recipe: &Recipe, data: &AnyData, run: &Run) -> Result<Resolved, Error> {
    let info = data.info();
    let begun = RunOptions::of(run.dir())?;
    match begun.filter(|begun| begun.is_of(&recipe.model) && begun.model.suits(&info)) {
        Some(begun) => {
            let config = begun.model.overridden(&recipe.model.options, &info)?;
            Ok(Resolved { config, info, budget: recipe.train.budget()? })
        }
        None => resolve(recipe, data),
    }
}

/// Keeps what a run trains with in its folder, with the reason of its family where that was chosen, unless it is there.
pub(super) fn keep(run: &Run, recipe: &ModelSpec, config: &AnyConfig) -> Result<(), Error> {
    let path = run.dir().join(OPTIONS_FILE);
    let before = RunOptions::read(&path)?.filter(|before| before.is_of(recipe));
    if before.as_ref().is_some_and(|before| before.model == *config) {
        return Ok(());
    }
    let options = RunOptions {
        mintage: env!("CARGO_PKG_VERSION").to_owned(),
        size: recipe.size,
        why: recipe.why.clone().or_else(|| before.and_then(|before| before.why)),
        model: config.clone(),
    };
    let text = toml::to_string(&options).map_err(|error| Error::folder(&path, error.to_string()))?;
    write(&path, format!("{ABOUT}{text}").as_bytes())
}

/// The content of `options.toml`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunOptions {
    /// Version of the program that resolved them.
    mintage: String,
    /// The size preset that they were made from.
    size: Size,
    /// Why the family was taken, where it was chosen by what was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// The kind of data, the family and all of its options.
    model: AnyConfig,
}

impl RunOptions {
    /// What the run in a folder was begun with; `None` where nothing there says it.
    fn of(dir: &Path) -> Result<Option<Self>, Error> {
        if let Some(kept) = Self::read(&dir.join(OPTIONS_FILE))? {
            return Ok(Some(kept));
        }
        // No training needs it, and so none fails because it is damaged.
        let published = ModelConfig::load(dir).ok();
        Ok(published.map(|ModelConfig { mintage, size, model, .. }| Self { mintage, size, why: None, model }))
    }

    /// Reads `options.toml`; `None` where there is none.
    fn read(path: &Path) -> Result<Option<Self>, Error> {
        let text = match read_text(path, MAX_FILE_BYTES) {
            Ok(text) => text,
            Err(mintage_data::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let damaged = |why: String| Error::folder(path, why).with_hint(DAMAGED);
        let options: Self = toml::from_str(&text)
            .map_err(|error: toml::de::Error| damaged(format!("cannot be read ({})", error.message())))?;
        options.model.check().map_err(|error| damaged(error.message))?;
        Ok(Some(options))
    }

    /// Whether a recipe still asks for the family and the size that they are of.
    fn is_of(&self, recipe: &ModelSpec) -> bool {
        recipe.size == self.size && recipe.family.is_none_or(|family| family == self.model.family())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{
        fs,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use mintage_data::{ImageSet, ImageShape, Images};
    use mintage_nn::DeviceChoice;

    use super::*;
    use crate::{Control, Event, Family, StopReason, train};

    /// Options that no preset has. A recipe without them is to a run that was begun with them what an unchanged recipe is
    /// under a version with other presets.
    const OTHERS: &str = ", latent = 6, lr = 0.0123, batch = 16";

    fn recipe(options: &str) -> Recipe {
        let text = format!(
            "data.source = 'bars'\nmodel = {{ family = 'vae', size = 'tiny'{options} }}\ntrain.steps = 6\ntrain.previews = 0"
        );
        Recipe::parse(&text).unwrap()
    }

    fn bars() -> AnyData {
        let shape = ImageShape { channels: 1, height: 8, width: 8 };
        let pixels = (0..200 * 64).map(|i| if i % 8 <= i / 64 % 7 { 255 } else { 0 }).collect();
        let images = Images { shape, pixels, labels: Vec::new(), classes: Vec::new() };
        AnyData::from(Arc::new(ImageSet::from_memory(images)))
    }

    /// Trains in a folder, in the run that is there or in a new one, to its end or to its first checkpoint.
    fn learn(recipe: &Recipe, dir: &Path, to_end: bool) -> StopReason {
        let run = if dir.exists() { Run::resume(dir) } else { Run::create(dir, recipe) };
        let stop = AtomicBool::new(false);
        let control = Control { stop: &stop, clock: &|| Duration::ZERO };
        let mut on = |event: Event| {
            if matches!(event, Event::Checkpoint { .. }) {
                stop.store(!to_end, Ordering::Relaxed);
            }
        };
        train(recipe, &bars(), &mut run.unwrap(), &DeviceChoice::Cpu, &control, &mut on).unwrap()
    }

    /// Begins a run with [`OTHERS`], removes files of it, and goes on with a recipe: whether the model is that of a run that
    /// nothing disturbed.
    fn ends_alike(without: &[&str], recipe_now: &Recipe) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let (whole, stopped) = (folder.path().join("whole"), folder.path().join("stopped"));
        assert_eq!(learn(&recipe(OTHERS), &whole, true), StopReason::Budget);
        assert_eq!(learn(&recipe(OTHERS), &stopped, false), StopReason::Interrupted);
        let kept = fs::read(stopped.join(OPTIONS_FILE)).unwrap();
        for file in without {
            fs::remove_file(stopped.join(file)).unwrap();
        }
        assert_eq!(learn(recipe_now, &stopped, true), StopReason::Budget);
        assert!(kept == fs::read(stopped.join(OPTIONS_FILE)).unwrap());
        let [one, other] = [&whole, &stopped].map(|dir| ModelConfig::load(dir).unwrap());
        let weights = |dir: &Path| fs::read(dir.join("model.safetensors")).unwrap();
        one.model == other.model && one.step == other.step && weights(&whole) == weights(&stopped)
    }

    /// A run that has kept the options of a recipe, and has not trained yet.
    fn begun(recipe: &Recipe) -> (tempfile::TempDir, Run) {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::create(&folder.path().join("run"), recipe).unwrap();
        keep(&run, &recipe.model, &resolve(recipe, &bars()).unwrap().config).unwrap();
        (folder, run)
    }

    fn config_of(recipe: &Recipe, run: &Run) -> AnyConfig {
        resolve_run(recipe, &bars(), run).unwrap().config
    }

    #[test]
    fn keeps_the_options_of_a_run_where_presets_have_changed() {
        assert!(ends_alike(&[], &recipe("")));
    }

    #[test]
    fn keeps_the_options_of_a_published_model_in_an_older_run() {
        assert!(ends_alike(&[OPTIONS_FILE], &recipe("")));
    }

    #[test]
    fn resumes_an_older_run_that_has_published_nothing_by_its_recipe() {
        assert!(ends_alike(&[OPTIONS_FILE, "config.json", "model.safetensors"], &recipe(OTHERS)));
    }

    #[test]
    fn keeps_options_to_the_last_bit() {
        let recipe = recipe(", lr = 0.30000000000000004, weight_decay = 1.2345678901234567e-7, beta = 2");
        let (_folder, run) = begun(&recipe);
        assert_eq!(config_of(&recipe, &run), resolve(&recipe, &bars()).unwrap().config);
        let auto = Recipe { model: ModelSpec { family: None, ..recipe.model.clone() }, ..recipe.clone() };
        assert_eq!(config_of(&auto, &run).family(), Family::Vae);
    }

    #[test]
    fn obeys_what_was_edited_in_the_recipe_and_keeps_the_rest() {
        let (_folder, run) = begun(&recipe(OTHERS));
        let expected = resolve(&recipe(", latent = 6, lr = 0.5, batch = 16"), &bars()).unwrap().config;
        assert_eq!(config_of(&recipe(", lr = 0.5"), &run), expected);
        for setting in ["size=small", "family=gan"] {
            let mut other = recipe("");
            other.set(setting).unwrap();
            assert_eq!(config_of(&other, &run), resolve(&other, &bars()).unwrap().config, "{setting}");
        }
        assert!(resolve_run(&recipe(", wdth = 3"), &bars(), &run).is_err());
    }

    #[test]
    fn keeps_why_a_family_was_chosen() {
        let mut chosen = recipe(OTHERS);
        chosen.model.why = Some("vae tiny: \"best\" of 2".to_owned());
        let (_folder, run) = begun(&chosen);
        let why = || RunOptions::of(run.dir()).unwrap().unwrap().why;
        assert_eq!(why(), chosen.model.why);
        // The recipe of a run that goes on says nothing of it.
        let edited = recipe(", lr = 0.5");
        keep(&run, &edited.model, &config_of(&edited, &run)).unwrap();
        assert_eq!(why(), chosen.model.why);
        let mut other = recipe("");
        other.set("family=gan").unwrap();
        keep(&run, &other.model, &config_of(&other, &run)).unwrap();
        assert_eq!(why(), None);
    }

    #[test]
    fn rejects_damaged_options() {
        let recipe = recipe(OTHERS);
        let (_folder, run) = begun(&recipe);
        let path = run.dir().join(OPTIONS_FILE);
        let text = fs::read_to_string(&path).unwrap();
        for (bad, said) in [
            (String::new(), "cannot be read"),
            (text[..text.len() / 2].to_owned(), "cannot be read"),
            (text.replace("latent = 6\n", "latent = 70000\n"), "model.latent: must be between"),
            (text.replace("latent = 6\n", "latent = 6\nlatency = 6\n"), "latency"),
        ] {
            fs::write(&path, &bad).unwrap();
            let error = resolve_run(&recipe, &bars(), &run).err().unwrap();
            let message = error.to_string();
            assert!(message.contains(OPTIONS_FILE) && message.contains(said), "{message}");
            assert_eq!(error.hint().as_deref(), Some(DAMAGED));
        }
    }
}
