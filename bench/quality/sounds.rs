//! Spoken digits by every family of sounds, and codecs of speech.

use std::{sync::Arc, time::Instant};

use mintage::{
    AnyData, AnyModel, AudioRequest, Family, Model,
    data::{AudioSet, Split},
    models::{AudioModel, GenerativeModel, audio::si_sdr_db},
};

use crate::{
    Options,
    figures::Figure,
    listener::{Listener, inception_score},
    training::{family, recipe, setup, trained},
};

/// New sounds of each digit that are listened to.
const ASKED: usize = 100;
const MINUTES: f64 = 20.0;

/// `digits-FAMILY`: the recordings numbered 0 to 4 of each speaker and digit are held out, as the data set has it.
pub fn digits(case: &str, options: &Options) {
    let family = family(case.trim_start_matches("digits-"));
    let recipe = recipe(&options.data.join("audio/digits"), family, MINUTES, &[], options);
    let data = Arc::new(AudioSet::open(&recipe.data).unwrap());
    let model = trained(&recipe, &AnyData::Audio(data.clone()), case, options);
    let how = setup(&model, options);
    let (rate, segment) = (data.codec().rate_hz, data.codec().segment);
    let (real, real_labels) = sounds(&data, Split::Train);
    let (held, held_labels) = sounds(&data, Split::Holdout);
    let classes = data.classes().len();
    let listener = Listener::learn(&real, &real_labels, classes, rate, segment, 1);
    let known = listener.accuracy(&held, &held_labels);
    Figure::higher(case, "accuracy of the listener on real digits", known, "share")
        .limit(0.97)
        .print(&format!("{} held-out recordings", held.len()));

    let (new, labels) = asked(&model, data.classes(), ASKED);
    let told = format!("{how}; {} new sounds", new.len());
    Figure::higher(case, "asked digit recognised", listener.accuracy(&new, &labels), "share")
        .limit(0.8)
        .print(&told);
    let score = inception_score(&listener.probabilities(&new), classes);
    Figure::higher(case, "inception score (own listener)", score, "of 10").limit(5.0).print(&told);
    let score = inception_score(&listener.probabilities(&held), classes);
    Figure::higher(case, "inception score of held-out digits", score, "of 10")
        .print(&format!("{} held-out recordings", held.len()));
    // As many to learn from as there are real ones.
    let (new, labels) = asked(&model, data.classes(), real.len().div_ceil(classes));
    let taught = Listener::learn(&new, &labels, classes, rate, segment, 2);
    Figure::higher(
        case,
        "accuracy on real of a listener taught by new",
        taught.accuracy(&held, &held_labels),
        "share",
    )
    .limit(0.7)
    .print(&format!("{how}; {} new sounds", new.len()));
}

/// Whole sounds of a split, one channel each, with their classes.
fn sounds(data: &AudioSet, split: Split) -> (Vec<Vec<f32>>, Vec<u32>) {
    let items: Vec<u32> = data.items(split).collect();
    let batch = data.batch(&items, None);
    let all = batch.samples.chunks_exact(data.codec().segment).zip(&batch.lengths);
    (all.map(|(sound, &length)| sound[..length as usize].to_vec()).collect(), batch.labels)
}

/// `n` new sounds of each class.
fn asked(model: &Model, classes: &[String], n: usize) -> (Vec<Vec<f32>>, Vec<u32>) {
    let (mut new, mut labels) = (Vec::new(), Vec::new());
    for (class, name) in classes.iter().enumerate() {
        let request =
            AudioRequest { n, label: Some(name.clone()), seed: class as u64, ..AudioRequest::default() };
        new.extend(model.sample_sounds(&request, &mut |_, _| {}).unwrap().samples);
        labels.extend(vec![class as u32; n]);
    }
    (new, labels)
}

/// `codec-speakers` and `codec-russian`: speakers, and sentences, that the codec has never heard.
pub fn codec(case: &str, options: &Options) {
    let set = case.trim_start_matches("codec-");
    // All of the time for the codec.
    let settings = ["model.prior_start=0.97"];
    let source = options.data.join("audio").join(set);
    let recipe = recipe(&source, Family::Vqvae, MINUTES, &settings, options);
    let data = Arc::new(AudioSet::open(&recipe.data).unwrap());
    let model = trained(&recipe, &AnyData::Audio(data.clone()), case, options);
    let AnyModel::Audio(AudioModel::Vqvae(codec)) = &model.any else { panic!("not a VQ-VAE of sounds") };
    let items: Vec<u32> = data.items(Split::Holdout).collect();
    let rate = f64::from(data.codec().rate_hz);
    let how = format!("{}; {} held-out items at {rate} Hz", setup(&model, options), items.len());
    let (coarse, all) = codec.bits_a_second();
    Figure::lower(case, "bits a second", all, "bits")
        .limit(6000.0)
        .print(&format!("{how}; {coarse} of them coarse"));

    let (mut ratios, mut used, mut secs, mut spent) = (Vec::new(), Vec::new(), 0.0, 0.0);
    for part in items.chunks(16) {
        let batch = data.batch(part, None);
        let start = Instant::now();
        let back = codec.reconstruct(&batch, &mut mintage::nn::Rng::new(0, 0)).unwrap();
        spent += start.elapsed().as_secs_f64();
        secs += (batch.n * data.codec().segment) as f64 / rate;
        let each = back.len() / batch.n;
        for (i, &length) in batch.lengths.iter().enumerate() {
            let sound = |of: &[f32]| of[i * each..][..length as usize].to_vec();
            ratios.extend(si_sdr_db(&sound(&batch.samples), &sound(&back), length as usize));
        }
        for (level, codes) in codec.codes_of(&batch).into_iter().enumerate() {
            used.resize(used.len().max(level + 1), vec![false; codec.config().codes]);
            codes.into_iter().for_each(|code| used[level][code as usize] = true);
        }
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    Figure::higher(case, "SI-SDR", mean, "dB").limit(6.0).print(&how);
    let share = |level: &Vec<bool>| level.iter().filter(|&&used| used).count() as f64 / level.len() as f64;
    let least = used.iter().map(share).fold(1.0, f64::min);
    Figure::higher(case, "codebook usage of the least used level", least, "share").limit(0.9).print(&how);
    Figure::lower(case, "real-time factor of encoding and decoding", spent / secs, "ratio")
        .limit(0.2)
        .print(&how);
}
