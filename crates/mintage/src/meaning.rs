//! What a number of validation means, in a phrase for people. Every number that a family watches has one.

use crate::models::{AnyConfig, DataInfo, Family, ImageInfo, VideoInfo};

/// What a loss is whose scale is the family's own.
const OWN_SCALE: &str = "what training makes small, of {item}s that were kept out of it; lower is better; a scale of its own: it \
                         compares with runs on the same data alone";
const UNSEEN: &str = "how surprised the model is by {item}s that were kept out of training; lower is better";

/// What the validation number called `name` means at this value, as a phrase.
///
/// `None` for a name that no family has.
pub fn of_validation(config: &AnyConfig, info: &DataInfo, name: &str, value: f64) -> Option<String> {
    let words = match (info, name) {
        (DataInfo::Sequence(info), "nll") => {
            let known = format!("as unsure as between {} equally likely tokens of {}", short(value.exp()), info.vocab);
            let chars = info.chars_per_token;
            let chars = match chars > 0.0 {
                true => format!(", {} bits a character", short(bits(value) / chars)),
                false => String::new(),
            };
            format!("nats a token, {UNSEEN}; {known}{chars}")
        }
        (DataInfo::Table(_), "nll") => {
            format!("nats a row, {UNSEEN}{}", blind(info).map(with_frequencies).unwrap_or_default())
        }
        (DataInfo::Table(_), "reconstruction") => "nats a row that are lost between a row and its codes; lower is better".to_owned(),
        (DataInfo::Table(_), "pair_distance") => {
            "how far pairs of columns of new rows are from those of rows kept out of training: 0 is the same, 1 altogether \
             different"
                .to_owned()
        }
        (DataInfo::Image(image), "nelbo") => {
            let blind = image.shape.pixels() as f64 * 256f64.ln();
            format!("nats an image at most, {UNSEEN}; guessing blindly is {}", short(blind))
        }
        (DataInfo::Image(_) | DataInfo::Video(_), "bits_per_dim") => {
            format!("bits for each number of a pixel, {UNSEEN}; {}", blind_pixel(info))
        }
        (DataInfo::Image(_) | DataInfo::Video(_), "pixel_bits_per_dim") => {
            let lost = "bits for each number of a pixel that are lost between {item}s and their codes or latents";
            format!("{lost}; lower is better; {}", blind_pixel(info))
        }
        (DataInfo::Image(_) | DataInfo::Video(_), "mse") => {
            let of = match config.family() {
                Family::Vae if matches!(info, DataInfo::Video(_)) => "of frames that are foretold or rebuilt",
                _ => "of {item}s that are taken apart and rebuilt",
            };
            format!("mean square error {of}, with pixels from 0 to 1; lower is better")
        }
        (DataInfo::Audio(_), "code_nll") => {
            format!("nats a code, {UNSEEN}; as unsure as between {} equally likely codes", short(value.exp()))
        }
        (_, "loss") => OWN_SCALE.to_owned(),
        _ => return None,
    };
    Some(words.replace("{item}", info.item()))
}

/// Nats a row of a guess that knows how often each value of a column occurs, and nothing of how columns go together.
fn blind(info: &DataInfo) -> Option<f64> {
    let DataInfo::Table(info) = info else { return None };
    let entropy = |counts: &[u32]| -> f64 {
        let total: f64 = counts.iter().map(|&n| f64::from(n)).sum();
        let known = counts.iter().filter(|&&n| n > 0).map(|&n| f64::from(n) / total);
        known.map(|p| -p * p.ln()).sum()
    };
    let nats: f64 = info.fields.iter().map(|field| entropy(&field.counts)).sum();
    (nats > 0.0).then_some(nats)
}

/// What guessing gets, of pixels that may have any value, or only the colours of the data where these are few.
fn blind_pixel(info: &DataInfo) -> String {
    match info {
        DataInfo::Image(ImageInfo { palette: Some(palette), .. })
        | DataInfo::Video(VideoInfo { palette: Some(palette), .. }) => {
            let bits = (palette.size() as f64).log2() / palette.channels() as f64;
            format!("guessing one of the {} colours is {}", palette.size(), short(bits))
        }
        _ => "guessing blindly is 8".to_owned(),
    }
}

fn with_frequencies(nats: f64) -> String {
    format!("; who knows how often each value occurs, and no more, is at about {}", short(nats))
}

fn bits(nats: f64) -> f64 {
    nats / std::f64::consts::LN_2
}

/// Three digits.
fn short(x: f64) -> String {
    match x.abs() {
        100.0.. => format!("{x:.0}"),
        10.0.. => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::Device;
    use mintage_data::{
        ImageBatch, ImageShape, TableBatch, TableInfo, VideoBatch,
        sequence::{Modality, SequenceBatch, SequenceInfo},
        table::encoder::Field,
    };
    use mintage_nn::Rng;

    use super::*;
    use crate::models::{AnyModel, Batch, Size, audio::test_support};

    fn rows() -> (DataInfo, Batch) {
        let tokens: Vec<u16> = (0..48).flat_map(|i| [i % 2, i % 3, i % 4]).collect();
        let field = |(column, size): (usize, usize)| {
            let counts = vec![48 / size as u32; size];
            Field { column, size, ordinal: false, unordered: 0, detail: false, counts }
        };
        let fields = [2, 3, 4].into_iter().enumerate().map(field).collect();
        (DataInfo::Table(TableInfo { fields, train_len: 48 }), Batch::Table(TableBatch { tokens, n: 48 }))
    }

    fn texts(modality: Modality) -> (DataInfo, Batch) {
        let chars_per_token = if modality == Modality::Text { 2.0 } else { 0.0 };
        let info = SequenceInfo {
            modality,
            vocab: 10,
            classes: Vec::new(),
            train_len: 4,
            train_tokens: 4_000,
            chars_per_token,
            periods: Vec::new(),
        };
        let tokens = (0..4).flat_map(|_| [0, 1, 2, 3, 4, 5, 6, 0]).collect();
        let batch = SequenceBatch { tokens, classes: Vec::new(), period_positions: Vec::new(), n: 4 };
        (DataInfo::Sequence(info), Batch::Sequence(batch))
    }

    /// Tiny data of every kind.
    fn kinds() -> Vec<(DataInfo, Batch)> {
        let shape = ImageShape { channels: 1, height: 16, width: 16 };
        let pixels: Vec<u8> = (0..2 * 256).map(|i| (i % 251) as u8).collect();
        let image = ImageInfo { shape, classes: 0, train_len: 2, palette: None };
        let clip = VideoInfo { shape, frames: 8, fps: 8.0, classes: 0, train_len: 2, palette: None };
        let films = pixels.repeat(8);
        vec![
            (DataInfo::Image(image), Batch::Image(ImageBatch { pixels, labels: Vec::new(), n: 2 })),
            rows(),
            texts(Modality::Text),
            texts(Modality::Music),
            (DataInfo::Audio(test_support::tiny_info(1)), Batch::Audio(test_support::tiny_batch(1))),
            (DataInfo::Video(clip), Batch::Video(VideoBatch { pixels: films, labels: Vec::new(), n: 2 })),
        ]
    }

    #[test]
    fn every_number_that_a_family_watches_has_its_meaning() {
        let mut seen = 0;
        for (info, batch) in kinds() {
            for family in Family::ALL {
                let Ok(config) = AnyConfig::preset(Some(family), Size::Tiny, &info, &toml::Table::new())
                else {
                    continue;
                };
                let model = AnyModel::new(&config, &info, &Device::flex(), &mut Rng::new(1, 0));
                let stages = model.stages();
                for progress in stages.iter().map(|(_, from)| *from).chain([1.0]) {
                    let Some(metrics) = model.validate(&batch, progress, &mut Rng::new(2, 0)) else {
                        continue;
                    };
                    let (name, value) = &metrics.0[0];
                    let said = of_validation(&config, &info, name, *value);
                    let said =
                        said.unwrap_or_else(|| panic!("{} of {}s: {name}", family.name(), info.item()));
                    assert!(!said.contains('{') && said.contains(';') | said.contains(':'), "{said}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 25, "{seen}");
    }

    #[test]
    fn numbers_are_told_beside_what_guessing_gets() {
        let (info, _) = rows();
        let config = AnyConfig::preset(Some(Family::Ar), Size::Tiny, &info, &toml::Table::new()).unwrap();
        // ln 2 + ln 3 + ln 4 nats.
        let said = of_validation(&config, &info, "nll", 2.0).unwrap();
        assert!(said.starts_with("nats a row") && said.ends_with("is at about 3.18"), "{said}");
        let (info, _) = texts(Modality::Text);
        let config = AnyConfig::preset(None, Size::Tiny, &info, &toml::Table::new()).unwrap();
        let said = of_validation(&config, &info, "nll", 4f64.ln()).unwrap();
        assert!(
            said.contains("between 4.00 equally likely tokens of 10")
                && said.ends_with("1.00 bits a character")
        );
        assert_eq!(of_validation(&config, &info, "no such number", 1.0), None);
    }

    #[test]
    fn bits_are_told_beside_a_guess_among_the_colours() {
        let palette = ["000000", "0000ff", "00ff00", "ff0000"].map(str::to_owned).to_vec();
        let shape = ImageShape { channels: 3, height: 16, width: 16 };
        let info = ImageInfo { shape, classes: 0, train_len: 2, palette: Some(palette.try_into().unwrap()) };
        let info = DataInfo::Image(info);
        let config = AnyConfig::preset(Some(Family::Vqvae), Size::Tiny, &info, &toml::Table::new()).unwrap();
        let said = |name: &str| of_validation(&config, &info, name, 0.5).unwrap();
        assert!(said("bits_per_dim").ends_with("guessing one of the 4 colours is 0.67"));
        assert!(said("pixel_bits_per_dim").contains("lost between images and their codes"));
    }
}
