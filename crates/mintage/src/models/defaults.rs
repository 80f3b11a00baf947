//! The family and the size of a training whose recipe names none: what measured best on data of that kind, about that
//! many items of about that extent, in about that much time.
//!
//! `cargo xtask quality defaults` measures, `cargo xtask generate defaults` makes `measured.rs` of the figures. A kind
//! without figures keeps the family of its `families!` list and the size [`Size::Small`].

mod measured;

use mintage_data::{DataKind, sequence::Modality};

use super::{DataInfo, Family, Size};
use crate::recipe::{Recipe, RecipeError, length, rounded_secs};
use measured::MEASURED;

/// How families and sizes compared on data that are much alike, in one budget of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Kind of the data.
    pub kind: DataKind,
    /// Items of the train split: at most so many, and more than a tenth of that.
    pub items: usize,
    /// Extent of an item, see [`Conditions::extent`]: at most so much, and more than half of that.
    pub extent: usize,
    /// Budget of wall-clock time in seconds.
    pub budget_secs: f64,
    /// All that were measured, the best first.
    pub ranked: &'static [Ranked],
}

/// A family and a size among others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// The family.
    pub family: Family,
    /// The size preset.
    pub size: Size,
    /// The dial of that name, from 0 to 100: a mean over the data sets of the cell.
    pub fidelity: f64,
    /// The dial of that name, from 0 to 100: a mean over the data sets of the cell.
    pub coverage: f64,
    /// Seconds of training after which it was about as good in a shorter budget; those of this one otherwise.
    pub ready_secs: f64,
}

/// What the best family depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Kind of the data.
    pub kind: DataKind,
    /// Items of the train split.
    pub items: usize,
    /// Extent of an item: the longer side of an image or a frame in pixels, the columns of a row, the tokens of a text or
    /// a tune on the average, the samples of a sound in each channel.
    pub extent: usize,
    /// Budget of wall-clock time in seconds.
    pub budget_secs: f64,
    /// The size preset, where it is given.
    pub size: Option<Size>,
}

impl Conditions {
    /// Those of data, in a budget of time.
    pub fn of(info: &DataInfo, budget_secs: f64, size: Option<Size>) -> Self {
        let (kind, extent) = match info {
            DataInfo::Image(info) => (DataKind::Image, info.shape.height.max(info.shape.width)),
            DataInfo::Table(info) => {
                (DataKind::Table, info.fields.iter().filter(|field| !field.detail).count())
            }
            DataInfo::Sequence(info) => {
                let kind = match info.modality {
                    Modality::Text => DataKind::Text,
                    Modality::Music => DataKind::Music,
                };
                (kind, (info.train_tokens / info.train_len.max(1) as u64) as usize)
            }
            DataInfo::Audio(info) => (DataKind::Audio, info.segment),
            DataInfo::Video(info) => (DataKind::Video, info.shape.height.max(info.shape.width)),
        };
        Self { kind, items: info.train_len(), extent, budget_secs, size }
    }
}

/// What measured best, and why it is taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The family.
    pub family: Family,
    /// The size preset.
    pub size: Size,
    /// The reason in words: "vqvae small: best of 4 measured at 4 minutes on images of up to 64 pixels (…)".
    pub why: String,
}

/// The best of what was measured under the most similar conditions; `None` where nothing of the kind was measured.
pub fn choose(conditions: &Conditions) -> Option<Choice> {
    nearest(MEASURED, conditions)
}

/// Whether anything of this kind was measured.
pub fn is_measured(kind: DataKind) -> bool {
    MEASURED.iter().any(|cell| cell.kind == kind)
}

/// Fills in the family that measured best on such data in the time that the recipe gives, its size unless the user gave
/// one, and the reason.
///
/// The recipe stays as it is where it names a family, sets options (they are those of the default of the kind), has a
/// budget in steps, or where nothing of the kind was measured.
///
/// # Errors
/// The budget is no length of time.
pub fn fill_in(recipe: &mut Recipe, info: &DataInfo, is_size_given: bool) -> Result<(), RecipeError> {
    if recipe.model.family.is_some() || !recipe.model.options.is_empty() {
        return Ok(());
    }
    let Some(budget) = recipe.train.budget()? else { return Ok(()) };
    let size = is_size_given.then_some(recipe.model.size);
    if let Some(choice) = choose(&Conditions::of(info, budget.as_secs_f64(), size)) {
        recipe.model.family = Some(choice.family);
        recipe.model.size = choice.size;
        recipe.model.why = Some(choice.why);
    }
    Ok(())
}

fn nearest(cells: &[Cell], conditions: &Conditions) -> Option<Choice> {
    let of_kind = cells.iter().filter(|cell| cell.kind == conditions.kind);
    let near = of_kind.filter(|cell| cell.candidates(conditions.size).next().is_some());
    let distance = |cell: &&Cell| cell.distance(conditions);
    near.min_by(|a, b| distance(a).total_cmp(&distance(b)))?.choice(conditions.size)
}

impl Cell {
    /// What was measured of a size, or of all, the best first.
    fn candidates(&self, size: Option<Size>) -> impl Iterator<Item = &'static Ranked> {
        let ranked: &'static [Ranked] = self.ranked;
        ranked.iter().filter(move |one| size.is_none_or(|size| size == one.size))
    }

    /// How far its conditions are from others: ten times the items, twice the extent and twice the time count the same.
    fn distance(&self, conditions: &Conditions) -> f64 {
        let time = (conditions.budget_secs / self.budget_secs).log2().abs();
        steps_outside(conditions.items, self.items, 10.0)
            + steps_outside(conditions.extent, self.extent, 2.0)
            + time
    }

    /// The best, with the best of another family beside it.
    fn choice(&self, size: Option<Size>) -> Option<Choice> {
        let best = self.candidates(size).next()?;
        let others = Family::ALL.into_iter().filter(|family| *family != best.family);
        let measured = 1 + others.filter(|f| self.candidates(size).any(|one| one.family == *f)).count();
        let second = self.candidates(size).find(|one| one.family != best.family);
        let beside = second.map_or_else(String::new, |second| second.beside(best));
        let why = format!(
            "{} {}: best of {measured} measured at {} on {} (fidelity {:.0}, coverage {:.0}{beside})",
            best.family.name(),
            best.size.name(),
            in_words(self.budget_secs),
            self.items_in_words(),
            best.fidelity,
            best.coverage,
        );
        Some(Choice { family: best.family, size: best.size, why })
    }

    fn items_in_words(&self) -> String {
        let unit = match self.kind {
            DataKind::Image | DataKind::Video => "pixels",
            DataKind::Table => "columns",
            DataKind::Text | DataKind::Music => "tokens",
            DataKind::Audio => "samples",
        };
        format!("{} of up to {} {unit}", self.kind.items(), self.extent)
    }
}

impl Ranked {
    /// "; vae 51 and 79, ready in 60 seconds": the time only where it is much less than that of the best.
    fn beside(&self, best: &Self) -> String {
        let Self { family, fidelity, coverage, ready_secs, .. } = *self;
        let ready = match ready_secs < best.ready_secs * 2.0 / 3.0 {
            true => format!(", ready in {}", in_words(ready_secs)),
            false => String::new(),
        };
        format!("; {} {fidelity:.0} and {coverage:.0}{ready}", family.name())
    }
}

/// By how many steps `n` lies outside of what is at most `up_to` and more than a step less.
fn steps_outside(n: usize, up_to: usize, step: f64) -> f64 {
    let steps_above = (n.max(1) as f64 / up_to.max(1) as f64).log(step);
    steps_above.max(-1.0 - steps_above).max(0.0)
}

/// "4 minutes", "20 seconds".
fn in_words(secs: f64) -> String {
    let (n, unit) = length(rounded_secs(secs));
    format!("{n} {unit}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mintage_data::ImageShape;

    use super::*;
    use crate::models::ImageInfo;

    const fn ranked(family: Family, size: Size, fidelity: f64, ready_secs: f64) -> Ranked {
        Ranked { family, size, fidelity, coverage: 80.0, ready_secs }
    }

    const LONG: &[Ranked] = &[
        ranked(Family::Vqvae, Size::Small, 63.0, 240.0),
        ranked(Family::Vqvae, Size::Tiny, 60.0, 240.0),
        ranked(Family::Vae, Size::Small, 51.0, 60.0),
        ranked(Family::Flow, Size::Small, 50.0, 240.0),
    ];
    const SHORT: &[Ranked] =
        &[ranked(Family::Vae, Size::Tiny, 48.0, 60.0), ranked(Family::Vqvae, Size::Small, 30.0, 60.0)];

    fn cells() -> Vec<Cell> {
        let cell = |items, extent, budget_secs, ranked| Cell {
            kind: DataKind::Image,
            items,
            extent,
            budget_secs,
            ranked,
        };
        vec![cell(10_000, 64, 60.0, SHORT), cell(10_000, 64, 240.0, LONG), cell(100_000, 32, 240.0, SHORT)]
    }

    fn conditions(items: usize, extent: usize, budget_secs: f64) -> Conditions {
        Conditions { kind: DataKind::Image, items, extent, budget_secs, size: None }
    }

    #[test]
    fn the_most_similar_conditions_decide() {
        let best = |items, extent, secs| {
            let choice = nearest(&cells(), &conditions(items, extent, secs)).unwrap();
            (choice.family, choice.size)
        };
        assert_eq!(best(6000, 64, 240.0), (Family::Vqvae, Size::Small));
        assert_eq!(best(6000, 64, 3600.0), (Family::Vqvae, Size::Small));
        assert_eq!(best(6000, 64, 20.0), (Family::Vae, Size::Tiny));
        assert_eq!(best(50_000, 28, 300.0), (Family::Vae, Size::Tiny));
        let rows = Conditions { kind: DataKind::Table, ..conditions(6000, 64, 240.0) };
        assert_eq!(nearest(&cells(), &rows), None);
    }

    #[test]
    fn keeps_a_size_that_is_given() {
        let of = |size| nearest(&cells(), &Conditions { size: Some(size), ..conditions(6000, 64, 240.0) });
        assert_eq!(of(Size::Tiny).unwrap().size, Size::Tiny);
        assert_eq!(of(Size::Large), None);
    }

    #[test]
    fn the_reason_names_the_best_of_another_family() {
        let choice = nearest(&cells(), &conditions(6000, 64, 240.0)).unwrap();
        assert_eq!(
            choice.why,
            "vqvae small: best of 3 measured at 4 minutes on images of up to 64 pixels (fidelity 63, coverage 80; \
             vae 51 and 80, ready in 60 seconds)"
        );
    }

    #[test]
    fn distances_count_from_the_bounds() {
        assert_eq!(steps_outside(10_000, 10_000, 10.0), 0.0);
        assert_eq!(steps_outside(1200, 10_000, 10.0), 0.0);
        assert!((steps_outside(100_000, 10_000, 10.0) - 1.0).abs() < 1e-9);
        assert!((steps_outside(16, 64, 2.0) - 1.0).abs() < 1e-9);
        assert!(steps_outside(0, 0, 2.0).is_finite());
    }

    #[test]
    fn a_recipe_that_says_what_it_wants_is_left_alone() {
        let shape = ImageShape { channels: 1, height: 28, width: 28 };
        let info = DataInfo::Image(ImageInfo { shape, classes: 0, train_len: 2000, palette: None });
        assert_eq!(Conditions::of(&info, 60.0, None), conditions(2000, 28, 60.0));
        for setting in ["family=vae", "width=32", "train.steps=10"] {
            let mut recipe = Recipe::for_source("x");
            recipe.set(setting).unwrap();
            let before = recipe.clone();
            fill_in(&mut recipe, &info, false).unwrap();
            assert_eq!(recipe, before, "{setting}");
        }
    }

    /// What is measured is chosen, and ranks what there is to choose from.
    #[test]
    fn the_table_ranks_families_of_its_kinds() {
        for cell in MEASURED {
            assert!(cell.items > 0 && cell.extent > 0 && cell.budget_secs > 0.0, "{cell:?}");
            assert!(cell.ranked.iter().any(|one| one.family != cell.ranked[0].family), "{cell:?}");
        }
    }
}
