//! Tests of every family.
#![allow(clippy::unwrap_used)]

use burn::tensor::Device;
use mintage_data::sequence::{BOUNDARY, Modality, NO_TOKEN, Transpose};
use mintage_nn::{Rng, TensorMap};

use super::*;
use crate::models::{Family, FamilyConfig, GenerativeModel, Size};

/// Steps in which each family learns a few short documents by heart.
const STEPS: u64 = 120;
const DOCUMENTS: [[u32; 6]; 4] =
    [[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [7, 7, 7, 8, 8, 8], [1, 3, 5, 7, 2, 4]];

fn info() -> SequenceInfo {
    SequenceInfo {
        modality: Modality::Text,
        vocab: 10,
        classes: vec!["a".to_owned(), "b".to_owned()],
        train_len: 4,
        train_tokens: 4_000,
        chars_per_token: 1.0,
        periods: vec![2, 6],
    }
}

/// Rows of a boundary, a document, a boundary and nothing; the first two documents are of one class.
fn batch() -> SequenceBatch {
    let row = |document: &[u32; 6]| [&[BOUNDARY][..], document, &[BOUNDARY, NO_TOKEN]].concat();
    let classes = |i: usize| vec![i as u32 / 2; 9];
    SequenceBatch {
        tokens: DOCUMENTS.iter().flat_map(row).collect(),
        classes: (0..4).flat_map(classes).collect(),
        period_positions: (0..4)
            .flat_map(|_| (0..9).flat_map(|place| info().period_positions(place).collect::<Vec<_>>()))
            .collect(),
        n: 4,
    }
}

/// Tiny configurations of all families.
fn configs() -> Vec<SequenceConfig> {
    let small: toml::Table = toml::from_str(
        "width = 32\nlayers = 2\nheads = 2\nhidden = 48\ncontext = 8\ndropout = 0.0\nlr = 1e-2",
    )
    .unwrap();
    let preset = |family| {
        let mut small = small.clone();
        let own = match family {
            Family::Vae => "latent = 4\nfree_nats = 0.0\nkl_warmup = 0.0",
            Family::Vqvae => "n_codes = 2\ncodes = 8\nprior_start = 0.5",
            _ => "",
        };
        small.extend(toml::from_str::<toml::Table>(own).unwrap());
        SequenceConfig::preset(Some(family), Size::Tiny, &info(), &small)
    };
    let learns = |family: &Family| SequenceConfig::FAMILIES.contains(family);
    Family::ALL.into_iter().filter(learns).map(|family| preset(family).unwrap()).collect()
}

/// A model after the first `steps` steps of [`STEPS`].
fn trained(config: &SequenceConfig, steps: u64) -> SequenceModel {
    let mut model = SequenceModel::new(config, &info(), &Device::flex(), &mut Rng::new(1, 0));
    (0..steps).for_each(|at| {
        step(&mut model, at);
    });
    model
}

fn step(model: &mut SequenceModel, at: u64) -> Metrics {
    model.step(&batch(), at as f64 / STEPS as f64, &mut Rng::new(2, at)).unwrap()
}

fn sample(model: &SequenceModel, draw: &SequenceSampleParams) -> Vec<Vec<u32>> {
    model.sample((draw, &mut |_, _, _| {}, &mut |_, _| true), &mut Rng::new(3, 0))
}

#[test]
fn overfits_one_batch() {
    for config in configs() {
        let model = trained(&config, STEPS);
        // A GAN has a number to minimise at its beginning alone.
        let valid = |progress| model.validate(&batch(), progress, &mut Rng::new(0, 0));
        let valid = valid(1.0).or_else(|| valid(0.0)).unwrap();
        assert!(valid.first().unwrap() < 0.3, "{valid:?}");
        for class in 0..2 {
            let draw = SequenceSampleParams { class: Some(class), ..SequenceSampleParams::new(40, 20) };
            let known = |row: &&Vec<u32>| DOCUMENTS[2 * class as usize..][..2].iter().any(|d| d == &row[..]);
            let share = sample(&model, &draw).iter().filter(known).count() as f64 / 40.0;
            assert!(share > 0.8, "class {class}: {share}");
        }
        // What a document begins with decides how it goes on.
        let draw = SequenceSampleParams {
            prompt: &[BOUNDARY, 6, 5],
            class: Some(0),
            ..SequenceSampleParams::new(8, 20)
        };
        assert!(sample(&model, &draw).iter().filter(|row| row[..] == [4, 3, 2, 1]).count() >= 7);
    }
}

#[test]
fn guidance_makes_a_class_more_of_itself() {
    // One that has not learned for long; the eight is of one class alone, the six of the other.
    let config = configs().into_iter().find(|config| config.family() == Family::Ar).unwrap();
    let model = trained(&config, 25);
    let hits = |guidance: f32| -> usize {
        let draw = |class, sought: u32| {
            let draw =
                SequenceSampleParams { class: Some(class), guidance, ..SequenceSampleParams::new(200, 8) };
            sample(&model, &draw).iter().filter(|row| row.contains(&sought)).count()
        };
        draw(1, 8) + draw(0, 6)
    };
    let (plain, guided) = (hits(1.0), hits(4.0));
    assert!(guided > plain + 20, "{plain} {guided}");
    // Where no class is asked for there is nothing to guide towards.
    let free =
        |guidance| sample(&model, &SequenceSampleParams { guidance, ..SequenceSampleParams::new(8, 8) });
    assert_eq!(free(1.0), free(4.0));
}

#[test]
fn limits_and_ends_are_kept_to() {
    for config in configs() {
        let model = trained(&config, 20);
        let odd = &mut |_: usize, tokens: &[u32], logits: &mut [f32]| {
            assert!(tokens.iter().all(|token| token % 2 == 1));
            logits.iter_mut().step_by(2).for_each(|logit| *logit = f32::NEG_INFINITY);
        };
        // More than the context of eight.
        let draw = SequenceSampleParams::new(3, 30);
        let rows = model.sample((&draw, odd, &mut |_, _| true), &mut Rng::new(3, 0));
        assert!(rows.iter().all(|row| row.len() == 30 && row.iter().all(|token| token % 2 == 1)));
        let mut heard = [0; 3];
        let listener = &mut |row: usize, _: u32| {
            heard[row] += 1;
            heard[row] < 5 + row
        };
        let rows = model.sample((&draw, odd, listener), &mut Rng::new(3, 0));
        assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [5, 6, 7]);
        // How many are asked for does not change the first ones, nor does when others end.
        let one = SequenceSampleParams { n: 1, endless: true, ..draw.clone() };
        let all = SequenceSampleParams { endless: true, ..draw };
        assert_eq!(sample(&model, &one)[0], sample(&model, &all)[0]);
    }
}

#[test]
fn likelihood_of_documents_longer_than_the_context() {
    for config in configs() {
        let model = trained(&config, 20);
        let document: Vec<u32> = [vec![BOUNDARY], DOCUMENTS.concat()].concat();
        let nats = model.nll(&batch(), 8, &mut Rng::new(0, 0)).unwrap();
        // Something has been learned, and not all: from ln 2 for the choice of a class's two to ln 10 a token.
        assert!(nats.len() == 4 && nats.iter().all(|nats| (0.5..28.0).contains(nats)), "{config:?} {nats:?}");
        let Some(whole) = model.whole_nll(&document, Some(1)) else {
            assert!(matches!(config.cut(), Chunking::Segments(_)));
            continue;
        };
        let each = whole / (document.len() - 1) as f64;
        assert!((1.0..4.0).contains(&each), "{config:?} {each}");
        // What comes later is told with less than all.
        let short = model.whole_nll(&document[..5], Some(1)).unwrap();
        assert!(short > 0.0 && short < whole);
        assert_eq!(model.whole_nll(&[BOUNDARY], None), Some(0.0));
        let row = [&[BOUNDARY][..], &DOCUMENTS[2], &[BOUNDARY]].concat();
        let alone = model.whole_nll(&row, Some(1)).unwrap();
        assert!((nats[2] / alone - 1.0).abs() < 1e-3, "{nats:?} {alone}");
    }
}

#[test]
fn adapting_tells_a_document_that_repeats_itself_better() {
    let config = configs().into_iter().find(|config| config.family() == Family::Ar).unwrap();
    let model = trained(&config, 20);
    let saved = || {
        let mut map = TensorMap::default();
        model.save_weights(&mut map);
        model.save_state(&mut map);
        map
    };
    let before = saved();
    let stretch = [DOCUMENTS[3], DOCUMENTS[0], [8, 1, 8, 2, 8, 6], DOCUMENTS[1]].concat();
    let document = [vec![BOUNDARY], stretch.repeat(20)].concat();
    let nats = |parts: &[&[u32]], rate: f64, counts: bool| -> f64 {
        let how = Adaptation { rate, counts };
        model.adapting_nll(parts, Some(1), how).unwrap().iter().sum()
    };
    let whole: [&[u32]; 1] = [&document];
    let fixed = model.whole_nll(&document, Some(1)).unwrap();
    assert!((nats(&whole, 0.0, false) / fixed - 1.0).abs() < 1e-5);
    let (weights, counts, both) =
        (nats(&whole, 1e-3, false), nats(&whole, 0.0, true), nats(&whole, 1e-3, true));
    assert!(weights < 0.99 * fixed, "{weights} {fixed}");
    assert!(counts < 0.5 * fixed && both < 0.5 * fixed, "{counts} {both} {fixed}");
    // What was read goes on from part to part, and not beyond a document.
    let (first, second) = (&document[..240], &document[239..]);
    let parts = nats(&[first, second], 1e-3, true);
    assert!(parts < nats(&[first], 1e-3, true) + nats(&[second], 1e-3, true));
    assert_eq!(saved(), before);
    assert_eq!(model.whole_nll(&document, Some(1)), Some(fixed));
}

#[test]
fn only_documents_of_any_length_are_adapted_to() {
    for config in configs() {
        let model = trained(&config, 0);
        let adapts = config.family() == Family::Ar;
        let nats = model.adapting_nll(&[&[BOUNDARY, 1, 2]], None, Adaptation::default());
        assert!(model.adapts() == adapts && nats.is_some() == adapts, "{config:?}");
    }
}

#[test]
fn save_load_is_bit_exact_and_resumes_exactly() {
    let through_file = |save: &dyn Fn(&mut TensorMap)| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.safetensors");
        let mut map = TensorMap::default();
        save(&mut map);
        crate::run::write_weights(&path, &map).unwrap();
        TensorMap::load(&path).unwrap()
    };
    for (config, at) in configs().iter().flat_map(|config| [(config, 2), (config, STEPS - 2)]) {
        let mut model = trained(config, 2);
        step(&mut model, at);
        let draw = SequenceSampleParams::new(5, 12);
        let mut published = trained(config, 0);
        published.load_weights(&through_file(&|map| model.save_weights(map))).unwrap();
        assert_eq!(sample(&model, &draw), sample(&published, &draw));
        let mut resumed = trained(config, 0);
        resumed.load_state(&through_file(&|map| model.save_state(map))).unwrap();
        assert_eq!(sample(&model, &draw), sample(&resumed, &draw));
        assert_eq!(step(&mut model, at + 1), step(&mut resumed, at + 1));
        assert_eq!(sample(&model, &draw), sample(&resumed, &draw));
    }
}

#[test]
fn options_of_before_have_no_lookup() {
    let sizes: Vec<(bool, usize)> = configs()
        .into_iter()
        .map(|config| {
            let mut table = toml::Table::try_from(&config).unwrap();
            let had = table.remove("lookup").is_some();
            let old: SequenceConfig = table.try_into().unwrap();
            let [old, new] = [old, config].map(|config| {
                SequenceModel::new(&config, &info(), &Device::flex(), &mut Rng::new(1, 0)).parameters()
            });
            (had, new - old)
        })
        .collect();
    // Two blocks of width 32, ten tokens: all pairs, the values of one block with gates of two heads, two mixtures of three.
    let tables = 100 * 32 + 10 * 32 + 2 + 2 * 3;
    assert_eq!(sizes, [(false, 0), (true, 2 * tables), (false, 0), (true, tables)]);
}

#[test]
fn options_of_before_decay_as_a_whole_keep_the_order_and_transpose_windows() {
    let mut old = serde_json::to_value(ar::Config::preset(Size::Tiny, &info())).unwrap();
    for key in ["cautious_decay", "shuffle", "transpose"] {
        assert!(old.as_object_mut().unwrap().remove(key).is_some(), "{key}");
    }
    let old: ar::Config = serde_json::from_value(old).unwrap();
    assert!(!old.cautious_decay && !old.shuffle);
    assert_eq!(old.transpose, Transpose::Window);
}

#[test]
fn a_model_of_before_is_without_counts() {
    let of_ar = |config| if let SequenceConfig::Ar(config) = config { Some(config) } else { None };
    let config = configs().into_iter().find_map(of_ar).unwrap();
    let mut old = serde_json::to_value(&config).unwrap();
    assert_eq!(old.as_object_mut().unwrap().remove("counts"), Some(true.into()));
    let old: ar::Config = serde_json::from_value(old).unwrap();
    assert!(config.counts && !old.counts);
    let model = |config| {
        SequenceModel::new(&SequenceConfig::Ar(config), &info(), &Device::flex(), &mut Rng::new(1, 0))
    };
    let segments = ar::Config { segments: true, ..config.clone() };
    assert!(model(config).wants_counts() && !model(old).wants_counts() && !model(segments).wants_counts());
}

#[test]
fn wrong_options_are_refused() {
    let shares = [
        (Family::Vae, "kl_warmup = 0.7"),
        (Family::Vqvae, "prior_start = 1.0"),
        (Family::Gan, "critic_start = 0.0"),
    ];
    for (family, text) in shares {
        let options = toml::from_str(text).unwrap();
        let error = SequenceConfig::preset(Some(family), Size::Tiny, &info(), &options).unwrap_err();
        assert!(error.message.contains("is a share of the budget"), "{}", error.message);
    }
    let with = |text: &str| {
        SequenceConfig::preset(None, Size::Tiny, &info(), &toml::from_str(text).unwrap()).unwrap_err()
    };
    assert!(with("width = 30\nheads = 4").message.contains("multiple of twice the heads"));
    assert!(with("context = 0").message.contains("between"));
    let flow = SequenceConfig::preset(Some(Family::Flow), Size::Tiny, &info(), &toml::Table::new());
    assert!(flow.unwrap_err().message.contains("no flow of texts and music"));
}
