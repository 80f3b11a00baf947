//! Counts beside networks, on some of the demo's texts.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use burn::tensor::Device;
use mintage_data::{DataKind, SourceSpec, sequence::Chunking};
use mintage_nn::{AdamW, Rng, Trainable, layers::Decoder};

use super::*;
use crate::models::sequence::{
    SequenceSampleParams,
    generate::Writer,
    net::{Shifted, Windows, document_told, shape},
};

const CONTEXT: usize = 64;

/// Four hundred short passages of plays in two languages, by characters.
fn texts() -> SequenceSet {
    let database = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mintage-cli/assets/demo.db");
    let spec = SourceSpec {
        source: database.display().to_string(),
        kind: Some(DataKind::Text),
        table: Some("texts".to_owned()),
        column: Some("text".to_owned()),
        label: Some("language".to_owned()),
        limit: Some(400),
        ..SourceSpec::default()
    };
    SequenceSet::open(&spec).unwrap()
}

/// A small network after some steps on them.
fn network(set: &SequenceSet, steps: u32) -> Decoder {
    let mut rng = Rng::new(1, 0);
    let net = Decoder::new(shape(set.info(), 1, [2, 32, 32]), &Device::flex().autodiff(), &mut rng);
    let mut train = Trainable::new(net, AdamW::default());
    let cut = Chunking::Windows(CONTEXT);
    let windows = set.items(Split::Train, cut).end;
    for step in 0..steps {
        let items: Vec<u32> = (0..16).map(|at| (step * 16 + at) * 7 % windows).collect();
        let shifted = Shifted::of(&set.batch(&items, cut, Some(u64::from(step))));
        let h = train.net().forward_train(shifted.positions(), None, 0.0, &mut rng);
        let loss = shifted.mean_loss(train.net().logits(h));
        train.update(loss, 1e-2).unwrap();
    }
    train.averaged()
}

fn learned(set: &SequenceSet, net: &Decoder) -> (Counts, Counted) {
    let windows = Windows::wide(CONTEXT);
    let told = |tokens: &[u32], class: Option<u32>| document_told(net, set.info(), windows, tokens, class);
    let (counts, counted) = Counts::learn(set, &told);
    (counts.unwrap(), counted)
}

/// What network and counts say of the holdout.
fn told_of_holdout(set: &SequenceSet, net: &Decoder, counts: &Counts) -> Vec<Evidence> {
    let of = |&document: &u32| {
        let tokens = set.document(document);
        let told = document_told(net, set.info(), Windows::wide(CONTEXT), &tokens, set.class(document));
        evidence(&counts.ngrams, &tokens, &told)
    };
    set.splits().holdout.iter().flat_map(of).collect()
}

#[test]
fn both_tell_held_out_texts_as_well_as_the_better_of_them() {
    let set = texts();
    let mut before = f64::INFINITY;
    for steps in [0, 240] {
        let net = network(&set, steps);
        let (counts, counted) = learned(&set, &net);
        let told = told_of_holdout(&set, &net, &counts);
        let alone = |weight: f64| told.iter().map(|token| token.nats(weight)).sum::<f64>();
        let (network, of_counts, both) = (alone(0.0), alone(1.0), counts.gate.nats(&told));
        assert!(both < network && both < 1.01 * of_counts, "{steps}: {network} {of_counts} {both}");
        // What validation says by halves is what held-out texts come to.
        let said = counted.metrics.get("nll_with_counts").unwrap();
        assert!((said / (both / told.len() as f64) - 1.0).abs() < 0.25, "{said} {both} {}", told.len());
        assert!(counted.metrics.get("bits_per_char_with_counts").is_some());
        assert!(counted.said.contains("n-grams of up to 7 tokens") && counted.bytes.is_some());
        // A network that has learned takes nothing away from what counts tell.
        assert!(both < 1.001 * before, "{steps}: {before} {both}");
        before = both;
        let document = set.document(set.splits().holdout[0]);
        let whole = document_told(&net, set.info(), Windows::close(CONTEXT), &document, None);
        assert!(counts.nats(&document, &whole).is_finite() && counts.nats(&document[..1], &[]) == 0.0);
        let each: f64 = counts.each_nats(&document, &whole).into_iter().sum();
        assert!((each - counts.nats(&document, &whole)).abs() < 1e-9);
    }
}

#[test]
fn probabilities_of_both_come_to_one() {
    let set = texts();
    let net = network(&set, 0);
    let (counts, _) = learned(&set, &net);
    let mut rng = Rng::new(2, 0);
    let document = set.document(0);
    for known in [0, 1, 2, 5, 20] {
        let trail = counts.read(&document[..known]);
        let logits: Vec<f32> = (0..set.info().vocab).map(|_| 8.0 * rng.uniform() - 4.0).collect();
        let changes = counts.changes(trail, &logits);
        let sum: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
        let both = |(logit, change): (&f32, &f32)| f64::from(logit + change).exp() / sum;
        let both: f64 = logits.iter().zip(&changes).map(both).sum();
        assert!(changes.len() == logits.len() && (both - 1.0).abs() < 1e-4, "{known}: {both}");
        assert!(changes.iter().any(|change| change.abs() > 0.1));
    }
}

#[test]
fn save_load_is_bit_exact() {
    let set = texts();
    let net = network(&set, 5);
    let (counts, counted) = learned(&set, &net);
    let bytes = counted.bytes.unwrap();
    let loaded = Counts::of_bytes(&bytes, set.info()).unwrap();
    assert_eq!(loaded.to_bytes(), bytes);
    let drawn = |counts: Option<&Counts>, class: Option<u32>| {
        let writer = Writer { net: &net, info: set.info(), context: CONTEXT, counts };
        let draw = SequenceSampleParams { class, ..SequenceSampleParams::new(3, 150) };
        writer.write(&draw, &mut |_, _, _| {}, &mut |_, _| true, &mut Rng::new(3, 0))
    };
    for class in [None, Some(1)] {
        let new = drawn(Some(&counts), class);
        assert_eq!(new, drawn(Some(&loaded), class));
        assert_ne!(new, drawn(None, class));
    }
    let other = SequenceInfo { vocab: set.info().vocab + 1, ..set.info().clone() };
    let refused = |bytes: &[u8], info: &SequenceInfo| Counts::of_bytes(bytes, info).unwrap_err();
    assert!(refused(&bytes, &other).contains("different tokens"));
    assert!(refused(&[&bytes[..], &[0]].concat(), set.info()).contains("more than counts"));
    assert!(refused(&bytes[..bytes.len() - 1], set.info()).contains("weights are damaged"));
    assert!(refused(&bytes[..bytes.len() / 2], set.info()).contains("n-grams are damaged"));
    assert!(refused(b"PK", set.info()).contains("no file of counts"));
}

#[test]
fn what_one_document_alone_has_is_not_copied_for_long() {
    let mut rng = Rng::new(4, 0);
    let mut random = |n: usize| -> Vec<u32> { (0..n).map(|_| 1 + rng.below(50) as u32).collect() };
    let (rare, common) = (random(60), random(60));
    let streams = [&rare, &common, &common, &common].map(|tokens| &tokens[..]);
    let ngrams = KneserNey::fit(5, 52, streams.into_iter());
    let sure = |cell: usize| Evidence { cell, network: 1e-6, counts: 0.9 };
    let gate = Gate::learn(5, (0..150).map(sure).collect());
    let counts = Counts { ngrams, gate, max_copied: 16 };
    let has_say = |tokens: &[u32]| {
        let document = [&[BOUNDARY][..], tokens].concat();
        counts.changes(counts.read(&document), &[0.0; 52]).iter().any(|&change| change != 0.0)
    };
    assert!((0..=16).all(|n| has_say(&rare[..n])) && !has_say(&rare[..30]));
    // Until it is left, by a token that never came there.
    assert!(!has_say(&rare) && has_say(&[&rare[..], &[51]].concat()));
    assert!(has_say(&common));
}
