#![allow(clippy::unwrap_used)]

use mintage_data::DataKind;

use super::{
    super::demo_data::{demo, never},
    *,
};

/// A training item is found as itself, and most held-out items are as far from the training items as such are.
fn check(kind: DataKind) {
    let (_, data) = demo(kind);
    let index = NearestIndex::of(&data, &never(), &mut |_| {}).unwrap();
    let train = &data.splits().train;
    let mut copies = 0;
    for &item in train.iter().step_by(train.len() / 5) {
        let found = index.nearest(&samples_of(&data, &[item]).unwrap(), 0, 3).unwrap();
        assert_eq!(found.neighbours[0].distance, 0.0, "{kind:?} {found:?}");
        assert!(found.neighbours.windows(2).all(|pair| pair[0].distance <= pair[1].distance));
        assert!(found.neighbours.len() <= 3 && found.items.len() == found.neighbours.len());
        let own = found.neighbours.iter().any(|n| n.distance == 0.0 && n.item == item);
        assert!(own || found.neighbours.iter().filter(|n| n.distance == 0.0).count() == 3, "{kind:?} {item}");
        copies += usize::from(found.verdict == Closeness::Copy);
    }
    assert!(copies >= 4, "{kind:?}: {copies} of the training items are copies");
    let held = &data.splits().holdout;
    let held = samples_of(&data, &held[..held.len().min(20)]).unwrap();
    let verdicts: Vec<Closeness> =
        (0..held.len()).map(|item| index.nearest(&held, item, 1).unwrap().verdict).collect();
    let usual = verdicts.iter().filter(|&&verdict| verdict == Closeness::Usual).count();
    assert!(usual * 10 >= held.len() * 8, "{kind:?}: {verdicts:?}");
}

#[test]
fn images_are_found_and_judged_by_held_out_ones() {
    check(DataKind::Image);
}

#[test]
fn rows_are_found_and_judged_by_held_out_ones() {
    check(DataKind::Table);
}

#[test]
fn texts_are_found_and_judged_by_held_out_ones() {
    check(DataKind::Text);
}

#[test]
fn tunes_are_found_and_judged_by_held_out_ones() {
    check(DataKind::Music);
}

#[test]
fn sounds_are_found_and_judged_by_held_out_ones() {
    check(DataKind::Audio);
}

#[test]
fn clips_are_found_and_judged_by_held_out_ones() {
    check(DataKind::Video);
}

#[test]
fn a_tune_in_another_key_and_a_slightly_changed_image_are_copies() {
    let (_, data) = demo(DataKind::Music);
    let index = NearestIndex::of(&data, &never(), &mut |_| {}).unwrap();
    let item = data.splits().train[3];
    let Samples::Music(mut tunes) = samples_of(&data, &[item]).unwrap() else { unreachable!() };
    let moved = [2, -2, 1, -1].into_iter().find_map(|up| {
        let AnyData::Sequence(set) = &data else { return None };
        let codec = set.codec().music()?;
        Some(codec.decode(&codec.transpose(&codec.encode(&tunes.items[0]), up)?))
    });
    tunes.items[0] = moved.unwrap();
    let found = index.nearest(&Samples::Music(tunes), 0, 1).unwrap();
    assert_eq!((found.neighbours[0].item, found.verdict), (item, Closeness::Copy), "{found:?}");

    let (_, data) = demo(DataKind::Image);
    let index = NearestIndex::of(&data, &never(), &mut |_| {}).unwrap();
    let item = data.splits().train[3];
    let Samples::Image(mut images) = samples_of(&data, &[item]).unwrap() else { unreachable!() };
    images.pixels.iter_mut().step_by(3).for_each(|pixel| *pixel = pixel.saturating_add(1));
    let found = index.nearest(&Samples::Image(images), 0, 1).unwrap();
    assert_eq!((found.neighbours[0].item, found.verdict), (item, Closeness::Copy), "{found:?}");
}

#[test]
fn what_is_unlike_all_is_far_and_what_is_of_another_kind_is_refused() {
    let (_, data) = demo(DataKind::Image);
    let index = NearestIndex::of(&data, &never(), &mut |_| {}).unwrap();
    let Samples::Image(mut images) = samples_of(&data, &[0]).unwrap() else { unreachable!() };
    images.pixels.iter_mut().enumerate().for_each(|(i, pixel)| *pixel = if i % 2 == 0 { 255 } else { 0 });
    let samples = Samples::Image(images);
    let found = index.nearest(&samples, 0, 1).unwrap();
    assert_eq!(found.verdict, Closeness::Far, "{found:?}");
    assert!(found.words.starts_with("Far from every training image"), "{}", found.words);
    assert!(index.nearest(&samples, 1, 1).unwrap_err().to_string().contains("`item` must be below 1"));
    let rows = samples_of(&demo(DataKind::Table).1, &[0]).unwrap();
    assert!(index.nearest(&rows, 0, 1).unwrap_err().to_string().contains("different kinds"));
    let set = Arc::new(AtomicBool::new(true));
    assert!(matches!(NearestIndex::of(&data, &set, &mut |_| {}), Err(Error::Cancelled)));
}

#[test]
fn verdicts_follow_the_yardstick() {
    let expected: Vec<f64> = (1..=200).map(f64::from).collect();
    let judged = |nearest: f64, equals: usize| {
        let hits = Hits { equals, expected: expected.clone(), ..Hits::default() };
        let yardstick = yardstick(String::new(), &hits.expected, nearest);
        (verdict(nearest, &hits, &yardstick), yardstick.share_of_holdout_closer)
    };
    assert_eq!(judged(0.0, 1), (Closeness::Copy, 0.0));
    assert_eq!(judged(0.0, 3).0, Closeness::Usual);
    assert_eq!(judged(1.5, 0), (Closeness::Close, 0.005));
    assert_eq!(judged(100.0, 0), (Closeness::Usual, 0.5));
    assert_eq!(judged(201.0, 0).0, Closeness::Far);
}
