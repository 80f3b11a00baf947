//! A generator with a known fault: real items, each spoilt in one place. A further item that is spoilt elsewhere is
//! explained by its own place.

#![allow(clippy::unwrap_used)]

use mintage_data::{
    DataKind, Images, SourceSpec, Table, TableSet,
    music::{Note, Score},
    table::set::TableSet as Set,
};
use mintage_nn::DeviceChoice;

use super::{
    super::{
        demo_data::{demo, never},
        real::samples_of,
    },
    *,
};
use crate::{Control, Run, generate::Documents, train};

/// Numbers below a bound.
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut rng = Rng::new(seed, 9);
    move |bound| rng.below(bound)
}

fn explainer(data: &AnyData, new: NewItems) -> Explainer {
    let explainer = Explainer::of(data, new, 1, &never(), &mut |_| {}).unwrap();
    assert!(explainer.auc() > 0.75, "{}", explainer.auc());
    explainer
}

/// Training items that are spoilt, and one more.
fn items(data: &AnyData, n: usize) -> (Samples, Samples) {
    let train = &data.splits().train;
    let all = evenly(train, n + 1);
    (
        samples_of(data, &all[..n.min(all.len() - 1)]).unwrap(),
        samples_of(data, &all[all.len() - 1..]).unwrap(),
    )
}

#[test]
fn rows_are_explained_by_the_columns_that_do_not_go_together() {
    const PLACES: [(&str, &str); 4] =
        [("Paris", "France"), ("Rome", "Italy"), ("Bern", "Switzerland"), ("Oslo", "Norway")];
    let mut any = random(1);
    let mut table = |n: usize, right: bool| {
        let mut csv = "age,city,country,height\n".to_owned();
        for _ in 0..n {
            let (city, country) = PLACES[any(4)];
            let country = if right { country } else { PLACES[any(4)].1 };
            csv += &format!("{},{city},{country},{}\n", 20 + any(60), 150 + any(50));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, csv).unwrap();
        mintage_data::table::read(&SourceSpec { source: path.display().to_string(), ..SourceSpec::default() })
            .unwrap()
    };
    let set: TableSet = Set::of(table(600, true), None, &SourceSpec::default()).unwrap();
    let new: Table = table(600, false);
    let mut wrong = new.clone();
    let data = AnyData::from(Arc::new(set));
    let explainer = Explainer::of(&data, NewItems::Table(new), 1, &never(), &mut |_| {}).unwrap();
    let cells = [("age", "44"), ("city", "Oslo"), ("country", "Italy"), ("height", "171")];
    for (name, cell) in cells {
        wrong.columns.iter_mut().find(|column| column.name == name).unwrap().set(0, Some(cell));
    }
    let found = explainer.explain(&Samples::Table(wrong.clone()), 0).unwrap();
    let mut named: Vec<&str> = found.columns.iter().take(2).map(|column| column.name.as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, ["city", "country"], "{found:?}");
    assert!(
        found.columns[0].weight == 1.0 && found.columns.iter().skip(2).all(|c| c.weight < 0.5),
        "{found:?}"
    );
    assert!(found.score < 20.0, "{found:?}");
    wrong.columns.iter_mut().find(|column| column.name == "country").unwrap().set(0, Some("Norway"));
    assert!(explainer.explain(&Samples::Table(wrong.clone()), 0).unwrap().score > 50.0);
    // What nobody has seen is no error.
    wrong.columns.iter_mut().find(|column| column.name == "country").unwrap().set(0, Some("Atlantis"));
    wrong.columns.iter_mut().find(|column| column.name == "city").unwrap().set(0, None);
    let strange = explainer.explain(&Samples::Table(wrong), 0).unwrap();
    assert!(strange.score.is_finite());
    let again = Explainer::of(&data, NewItems::Table(table(600, false)), 1, &never(), &mut |_| {}).unwrap();
    assert!(again.auc() > 0.75);
}

/// Puts noise into a square of a picture.
fn spoil_square(
    images: &mut Images,
    image: usize,
    (top, left): (usize, usize),
    side: usize,
    any: &mut dyn FnMut(usize) -> usize,
) {
    let (shape, size) = (images.shape, images.shape.pixels());
    for plane in images.pixels[image * size..][..size].chunks_exact_mut(shape.height * shape.width) {
        for y in top..top + side {
            plane[y * shape.width + left..][..side].iter_mut().for_each(|pixel| *pixel = any(256) as u8);
        }
    }
}

#[test]
fn images_are_explained_by_the_region_of_the_noise() {
    let (_, data) = demo(DataKind::Image);
    let (Samples::Image(mut new), Samples::Image(mut one)) = items(&data, 600) else { unreachable!() };
    let (height, width) = (new.shape.height, new.shape.width);
    let (side, mut any) = (height / 3, random(2));
    for image in 0..new.len() {
        let place = (any(height - side), any(width - side));
        spoil_square(&mut new, image, place, side, &mut any);
    }
    let explainer = explainer(&data, NewItems::Image(new));
    let (top, left) = (height / 7, width / 2);
    let real = explainer.explain(&Samples::Image(one.clone()), 0).unwrap().score;
    spoil_square(&mut one, 0, (top, left), side, &mut any);
    let found = explainer.explain(&Samples::Image(one), 0).unwrap();
    let Region { x, y, w, h, weight } = found.regions[0];
    let (x, y) = ((x + w / 2.0) * width as f64, (y + h / 2.0) * height as f64);
    let within = |at: f64, from: usize| (from as f64..=(from + side) as f64).contains(&at);
    assert!(within(x, left) && within(y, top) && weight == 1.0, "{x} {y}, not {left} {top}: {found:?}");
    assert!(found.score < real, "{} {real}", found.score);
}

#[test]
fn texts_are_explained_by_the_words_that_are_none() {
    let (_, data) = demo(DataKind::Text);
    let AnyData::Sequence(set) = &data else { unreachable!() };
    let codec = set.codec().text().unwrap();
    let mut any = random(3);
    let mut spoilt = |text: &str| {
        let chars: Vec<char> = text.chars().collect();
        let at = any(chars.len().saturating_sub(40).max(1));
        let noise: String =
            (0..24).map(|i| if i % 8 == 7 { ' ' } else { ['x', 'q', 'z', 'v', 'w'][any(5)] }).collect();
        let before: String = chars[..at].iter().collect();
        let behind: String = chars[(at + 24).min(chars.len())..].iter().collect();
        (format!("{before}{noise}{behind}"), at..at + 24)
    };
    let passages: Vec<String> =
        super::super::sequence::passages_of(set, Split::Train, mintage_data::sequence::Chunking::Windows(1))
            .into_iter()
            .map(|tokens| codec.decode(&tokens).chars().take(300).collect())
            .filter(|text: &String| text.chars().count() > 100)
            .collect();
    let (last, rest) = passages.split_last().unwrap();
    let new = rest.iter().take(200).map(|text| (codec.encode(&spoilt(text).0), None)).collect();
    let explainer = explainer(&data, NewItems::Sequence(new));
    let (text, noise) = spoilt(last);
    let samples = Samples::Text(Documents { items: vec![text.clone(), last.clone()], label: None });
    let found = explainer.explain(&samples, 0).unwrap();
    let Span { start, end, text: ref shown, .. } = found.spans[0];
    assert!(start < noise.end && end > noise.start, "{start}..{end} {shown}, not {noise:?}: {found:?}");
    assert_eq!(text.chars().skip(start).take(end - start).collect::<String>(), *shown);
    assert!(explainer.explain(&samples, 1).unwrap().score > found.score);
}

#[test]
fn tunes_are_explained_by_the_bar_of_random_notes() {
    let (_, data) = demo(DataKind::Music);
    let AnyData::Sequence(set) = &data else { unreachable!() };
    let codec = set.codec().music().unwrap();
    let mut any = random(4);
    let mut spoilt = |tune: &Score, bar: Option<usize>| {
        let bars: Vec<_> = tune.bars().collect();
        let bar = bar.unwrap_or_else(|| any(bars.len()));
        let (from, to) = (bars[bar].start, bars[bar].start + bars[bar].metre.ticks());
        let random = |note: &Note| match (from..to).contains(&note.start) {
            true => Note { pitch: 40 + any(40) as u8, ..*note },
            false => *note,
        };
        Score::new(tune.notes().iter().map(random).collect(), tune.metres().to_vec(), tune.tempos().to_vec())
    };
    let tunes = |items: &[u32]| match samples_of(&data, items).unwrap() {
        Samples::Music(tunes) => {
            tunes.items.into_iter().map(|tune| tune.first_bars(8)).collect::<Vec<Score>>()
        }
        _ => unreachable!(),
    };
    // As few as are held out: real ones come from there first, and a spoilt tune beside itself as it was says nothing.
    let train = tunes(&data.splits().train[..data.splits().holdout.len()]);
    let new = train.iter().filter(|tune| !tune.is_empty());
    // In half of their bars, so that few tunes are enough.
    let mut often = |tune: &Score| {
        let mut tune = tune.clone();
        (0..4).for_each(|_| tune = spoilt(&tune, None));
        tune
    };
    let new = new.map(|tune| (codec.encode(&often(tune)), None)).collect();
    let explainer = explainer(&data, NewItems::Sequence(new));
    let held = tunes(&data.splits().holdout);
    let mut right = 0;
    for tune in held.iter().take(10) {
        let wrong = spoilt(tune, Some(3));
        let samples = Samples::Music(Documents { items: vec![wrong], label: None });
        let found = explainer.explain(&samples, 0).unwrap();
        right += usize::from(found.bars.first().is_some_and(|bar| bar.bar == 3));
    }
    assert!(right * 10 >= 6 * held.len().min(10), "{right} of {}", held.len().min(10));
}

#[test]
fn sounds_are_explained_by_the_time_of_the_noise() {
    let (_, data) = demo(DataKind::Audio);
    let AnyData::Audio(set) = &data else { unreachable!() };
    let (rate, mut any) = (set.codec().rate_hz as usize, random(5));
    let mut spoil = |sound: &mut [f32], at: usize| {
        let end = (at + rate / 10).min(sound.len());
        sound[at.min(end)..end].iter_mut().for_each(|x| *x = any(1000) as f32 / 1250.0 - 0.4);
    };
    let (Samples::Audio(mut new), Samples::Audio(mut one)) = items(&data, 200) else { unreachable!() };
    let mut place = random(6);
    for sound in &mut new.samples {
        let at = place(sound.len().saturating_sub(rate / 10).max(1));
        spoil(sound, at);
    }
    let explainer = explainer(&data, NewItems::Audio(new.samples, Vec::new()));
    let at = one.samples[0].len() / 3;
    spoil(&mut one.samples[0], at);
    let found = explainer.explain(&Samples::Audio(one), 0).unwrap();
    let (from, to) = (at as f64 / rate as f64, (at + rate / 10) as f64 / rate as f64);
    let band = &found.bands[0];
    assert!(band.from_s < to && band.to_s > from && band.to_hz > band.from_hz, "{from} {to}: {found:?}");
}

#[test]
fn clips_are_explained_by_the_frame_that_is_scrambled() {
    let (_, data) = demo(DataKind::Video);
    let (Samples::Video(mut new), Samples::Video(mut one)) = items(&data, 200) else { unreachable!() };
    let mut any = random(7);
    let mut spoil = |clips: &mut mintage_data::Clips, clip: usize, frame: usize| {
        let (area, size) = (clips.shape.height * clips.shape.width, clips.frames * clips.shape.pixels());
        let frames = clips.frames;
        for plane in clips.pixels[clip * size..][..size].chunks_exact_mut(area * frames) {
            let frame = &mut plane[frame * area..][..area];
            (1..area).rev().for_each(|i| frame.swap(i, any(i + 1)));
        }
    };
    let mut which = random(8);
    for clip in 0..new.len() {
        let frame = which(new.frames);
        spoil(&mut new, clip, frame);
    }
    let explainer = explainer(&data, NewItems::Video(new));
    spoil(&mut one, 0, 2);
    let found = explainer.explain(&Samples::Video(one), 0).unwrap();
    assert_eq!(found.frames[0], FrameWeight { frame: 2, weight: 1.0 }, "{found:?}");
}

/// Models of one step: all that a front end calls works, and gives the same again.
#[test]
fn models_are_explained_scored_and_set_beside_real_items() {
    for kind in [DataKind::Table, DataKind::Text] {
        let (mut recipe, data) = demo(kind);
        for setting in ["model.size=tiny", "train.seed=1", "train.steps=1"] {
            recipe.set(setting).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::create(&folder.path().join("run"), &recipe).unwrap();
        let stop = AtomicBool::new(false);
        let control = Control { stop: &stop, clock: &|| std::time::Duration::ZERO };
        train(&recipe, &data, &mut run, &DeviceChoice::Cpu, &control, &mut |_| {}).unwrap();
        let model = Model::load(run.dir(), &DeviceChoice::Cpu).unwrap();
        let data = super::super::open_data(&model, &mintage_data::PgDefaults::default()).unwrap();
        let real = super::super::real(&model, &data, 5, 1).unwrap();
        assert_eq!(real.len(), 5);
        assert_eq!(super::super::real(&model, &data, 5, 1).unwrap(), real);
        let scorer = super::super::Scorer::build(
            &model,
            &data,
            &super::super::Options::default(),
            &never(),
            &mut |_| {},
        );
        let scores = scorer.unwrap().score(&model, &real).unwrap();
        assert!(scores.len() == 5 && scores.iter().all(|score| (0.0..=100.0).contains(&score.conformity)));
        let build = || Explainer::build(&model, &data, 1, &never(), &mut |_| {}).unwrap();
        let found = build().explain(&real, 0).unwrap();
        assert_eq!(found, build().explain(&real, 0).unwrap());
        let json = serde_json::to_value(&found).unwrap();
        let key = if kind == DataKind::Table { "columns" } else { "spans" };
        assert!(json["score"].is_number() && (json.get(key).is_some() || found.score > 50.0), "{json}");
        let set = Arc::new(AtomicBool::new(true));
        let cancelled = Explainer::build(&model, &data, 1, &set, &mut |_| {});
        assert!(matches!(cancelled, Err(Error::Cancelled)));
    }
}

#[test]
fn a_front_end_can_keep_them_on_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Explainer>();
    is_send::<super::super::NearestIndex>();
    is_send::<super::super::Scorer>();
}

#[test]
fn log_odds_that_tell_nothing_say_half() {
    let scale = Scale::fit(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0]);
    assert!((scale.probability(9.0) - 0.5).abs() < 1e-3, "{scale:?}");
    let real: Vec<f64> = (0..200).map(|i| f64::from(i % 10) + 4.0).collect();
    let new: Vec<f64> = (0..200).map(|i| f64::from(i % 10)).collect();
    let scale = Scale::fit(&real, &new);
    assert!(scale.probability(13.0) > 0.9 && scale.probability(0.0) < 0.1 && scale.auc > 0.8, "{scale:?}");
    assert!((scale.probability(6.5) - 0.5).abs() < 0.1, "{scale:?}");
    assert!(Scale::fit(&new, &real).probability(0.0) == 0.5);
}
