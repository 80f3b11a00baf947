//! What the options of a family must lie between, of any kind of data.

use std::ops::RangeInclusive;

use mintage_data::Palette;
use serde::Serialize;

use super::Family;
use crate::recipe::RecipeError;

/// Steps that a flow may take from noise to data: ten to thirty are enough, and no weights bound the work of more.
pub const MAX_SAMPLE_STEPS: u64 = 256;

/// Shares of a budget, of a batch or of an interval, from 0 to 1.
const SHARES: [&str; 12] = [
    "label_drop",
    "augment",
    "penalty_end",
    "p_continue",
    "resample",
    "p_given",
    "in_order",
    "prior_start",
    "adversarial_start",
    "critic_start",
    "warmup",
    "discount",
];
/// Shares that are less than 1.
const SHARES_BELOW_ONE: [&str; 5] = ["dropout", "prior_dropout", "kl_warmup", "forecast", "beta2_start"];

/// Refuses sizes that no network can be built with, and numbers that nothing can be trained with.
///
/// # Errors
///
/// Names the key of the recipe and what is wrong with it.
pub fn check_ranges(
    config: &impl Serialize,
    ranges: &[(&str, RangeInclusive<u64>)],
) -> Result<(), RecipeError> {
    // Not JSON, which has no numbers that are not finite.
    let options = toml::Table::try_from(config)
        .map_err(|_| RecipeError::of_key("model", "holds a number that no option may be", None))?;
    let wrong = |key: &str, why: &str| Err(RecipeError::of_key(&format!("model.{key}"), why, None));
    for (key, value) in &options {
        let range = ranges.iter().find(|(name, _)| name == key).map(|(_, range)| range);
        match (value, range) {
            (toml::Value::Integer(n), Some(range)) if !range.contains(&n.cast_unsigned()) => {
                return wrong(key, &format!("must be between {} and {}", range.start(), range.end()));
            }
            (toml::Value::Float(x), _) => {
                if let Some(why) = outside(key, *x) {
                    return wrong(key, why);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What is wrong with the value of an option that is not a whole number.
fn outside(key: &str, x: f64) -> Option<&'static str> {
    if SHARES.contains(&key) {
        (!(0.0..=1.0).contains(&x)).then_some("must be between 0 and 1")
    } else if SHARES_BELOW_ONE.contains(&key) {
        (!(0.0..1.0).contains(&x)).then_some("must be at least 0 and less than 1")
    } else if key == "shift" || key == "spread" {
        (!(x > 0.0 && x.is_finite())).then_some("must be more than 0")
    } else {
        (!(x >= 0.0 && x.is_finite())).then_some("must be at least 0")
    }
}

/// That a family does not exist for a kind of data.
pub fn no_such_model(family: Family, items: &str) -> RecipeError {
    let hint = "`mintage models` shows what there is".to_owned();
    RecipeError::of_key("model.family", &format!("there is no {} of {items}", family.name()), Some(hint))
}

/// Refuses to choose among the colours of data that have no palette.
///
/// # Errors
///
/// Names the key of the recipe.
pub fn check_palette(wanted: bool, palette: Option<&Palette>) -> Result<(), RecipeError> {
    match wanted && palette.is_none() {
        false => Ok(()),
        true => {
            let hint = "it takes 2 to 256 colours, or levels of gray up to 16, each of 64 pixels or more on average; \
                        leave the option out"
                .to_owned();
            Err(RecipeError::of_key(
                "model.palette",
                "the data have too many colours, or too few pixels",
                Some(hint),
            ))
        }
    }
}

/// Refuses an odd `width` of a transformer: positions turn pairs of numbers.
///
/// # Errors
///
/// Names the `key` of the recipe.
pub fn check_even(key: &str, width: usize) -> Result<(), RecipeError> {
    match width.is_multiple_of(2) {
        true => Ok(()),
        false => Err(RecipeError::of_key(&format!("model.{key}"), "must be even", None)),
    }
}
