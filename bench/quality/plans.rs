//! Models of sequences that have something beside likelihood: what a VAE's latent vectors are used for and what they cost,
//! and what a critic does to quality and diversity.

use mintage::{
    AnyData, AnyModel, Batch, Family, Model, SamplingParams,
    data::{
        Split,
        sequence::{BOUNDARY, Chunking},
    },
    evaluate::sequence::{KneserNey, self_bleu},
    models::{GenerativeModel, SequenceModel, SequenceSampleParams},
    nn::Rng,
};

use crate::{
    Options,
    figures::Figure,
    sequences::judged,
    training::{recipe, setup, trained},
};

/// Importance samples of the bounds that are recorded, and segments that they are taken of.
const SAMPLES: usize = 64;
const SEGMENTS: usize = 400;

/// `text-vae`: segments of Russian plays, beside an `ar` of the same size after as many steps of the same segments.
pub fn text_vae(case: &str, options: &Options) {
    let source = options.data.join("text/russian-drama.txt");
    let vae = recipe(&source, Family::Vae, 12.0, &["model.size=tiny"], options);
    let data = AnyData::open(&vae.data).unwrap();
    let model = trained(&vae, &data, case, options);
    let how = setup(&model, options);
    let found = bounds(&model, &data);
    let nats = found.nats / found.tokens;
    Figure::higher(case, "latent dimensions in use", found.active as f64, "").limit(10.0).print(&how);
    Figure::higher(case, "divergence a segment", found.kl, "nats").limit(5.0).print(&how);
    let metric = format!("bound of nats a token, {SAMPLES} importance samples");
    Figure::lower(case, &metric, nats, "nats").print(&how);

    let context = model.sequences().unwrap().model.config().context();
    let settings = [
        "model.size=tiny".to_owned(),
        "model.segments=true".to_owned(),
        format!("model.context={context}"),
        format!("model.batch={}", model.config.model.batch()),
        format!("train.steps={}", model.config.step),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    // What is set for the VAE alone, an `ar` would not know.
    let plain = Options { set: Vec::new(), ..options.clone() };
    let ar = recipe(&source, Family::Ar, 60.0, &settings, &plain);
    let ar = trained(&ar, &data, &format!("{case}-ar"), options);
    let beside = setup(&ar, options);
    let plain = likelihood(&ar, &data);
    Figure::lower(case, "nats a token of ar on the same segments", plain, "nats").print(&beside);
    let ratio = (nats - plain).exp();
    Figure::lower(case, "perplexity over that of ar", ratio, "of 1").limit(1.05).print(&how);
    judged(case, &model, &data, &how);
}

/// `jsb4-vae`: whole chorales in quarter notes; the bound of a frame is that of its four voices, which says more than
/// which keys are down.
pub fn piano_roll(case: &str, options: &Options) {
    let settings = ["data.label=none", "data.music=grid-quarter", "model.size=tiny", "model.context=640"];
    let source = options.data.join("music/jsb4");
    let recipe = recipe(&source, Family::Vae, 8.0, &settings, options);
    let data = AnyData::open(&recipe.data).unwrap();
    let model = trained(&recipe, &data, case, options);
    let how = setup(&model, options);
    let found = bounds(&model, &data);
    // Four voices a frame; the end of a chorale is no frame.
    let frame = found.nats / ((found.tokens - found.items) / 4.0);
    let metric = "bound of nats a frame of the test chorales";
    Figure::lower(case, metric, frame, "nats").limit(6.87).print(&how);
    Figure::higher(case, "latent dimensions in use", found.active as f64, "").print(&how);
    Figure::higher(case, "divergence a chorale", found.kl, "nats").print(&how);
}

/// Items of the holdout in a few batches.
fn batches(data: &AnyData, cut: Chunking) -> Vec<Batch> {
    let items: Vec<u32> = data.items(Split::Holdout, Some(cut));
    let items: Vec<u32> = items.iter().step_by(items.len().div_ceil(SEGMENTS)).copied().collect();
    items.chunks(16).map(|items| data.batch(items, Some(cut), None).unwrap()).collect()
}

/// What a VAE makes of held-out segments.
struct Bounds {
    /// The bound of all of them.
    nats: f64,
    tokens: f64,
    items: f64,
    /// Latent dimensions in use.
    active: usize,
    /// Nats of divergence a segment.
    kl: f64,
}

fn bounds(model: &Model, data: &AnyData) -> Bounds {
    let AnyModel::Sequence(any) = &model.any else { panic!("no sequences") };
    let SequenceModel::Vae(vae) = any else { panic!("no VAE") };
    let (mut nats, mut tokens, mut kl, mut items, mut mu) = (0.0, 0.0, 0.0, 0.0, Vec::new());
    let mut rng = Rng::new(0, 0);
    for batch in batches(data, any.config().cut()) {
        let Batch::Sequence(batch) = batch else { panic!("no sequences") };
        nats += vae.nll(&batch, SAMPLES, &mut rng).unwrap().iter().sum::<f64>();
        tokens += batch.targets() as f64;
        kl += vae.validate(&batch, 1.0, &mut rng).unwrap().get("kl").unwrap() * batch.n as f64;
        items += batch.n as f64;
        mu.extend(vae.means(&batch));
    }
    Bounds { nats, tokens, items, active: vae.active(&mu), kl: kl / items }
}

/// Nats a token of the same segments.
fn likelihood(model: &Model, data: &AnyData) -> f64 {
    let AnyModel::Sequence(any) = &model.any else { panic!("no sequences") };
    let (mut nats, mut tokens) = (0.0, 0.0);
    for batch in batches(data, any.config().cut()) {
        let Batch::Sequence(batch) = batch else { panic!("no sequences") };
        let row = batch.time() + 1;
        nats += any.nll(&batch, 1, &mut Rng::new(0, 0)).unwrap().iter().sum::<f64>();
        let known = |row: &[u32]| row[1..].iter().filter(|&&token| token != u32::MAX).count();
        tokens += batch.tokens.chunks(row).map(known).sum::<usize>() as f64;
    }
    nats / tokens
}

/// New sequences of a temperature, their tokens in each, and the order of the counts that they are judged by.
const DRAWN: usize = 128;
const LENGTH: usize = 256;
const ORDER: usize = 5;

/// `text-gan`: what a critic makes of a language model, beside what a temperature makes of it. Quality: nats a token of new
/// texts by counts of the train split. Diversity: nats a token of held-out text by counts of new texts, and self-BLEU.
pub fn curve(case: &str, options: &Options) {
    let source = options.data.join("text/tinyshakespeare.txt");
    let base = ["model.size=tiny"];
    let gan = recipe(&source, Family::Gan, 12.0, &base, options);
    let data = AnyData::open(&gan.data).unwrap();
    let gan = trained(&gan, &data, case, options);
    // The language model has as long as the generator before the critic came.
    let plain = Options { set: Vec::new(), ..options.clone() };
    let minutes = 12.0 * 0.7;
    let ar = Options { minutes: plain.minutes.map(|minutes| minutes * 0.7), ..plain };
    let ar = recipe(&source, Family::Ar, minutes, &base, &ar);
    let ar = trained(&ar, &data, &format!("{case}-ar"), options);
    let AnyData::Sequence(set) = &data else { panic!("no sequences") };
    let vocab = set.info().vocab;
    let train = set.stream(Split::Train);
    let held = set.stream(Split::Holdout);
    let judge = KneserNey::fit(ORDER, vocab, [&train[..]].into_iter());
    for (model, name) in [(&ar, "ar"), (&gan, "gan")] {
        for temperature in [0.6, 0.7, 0.8, 0.9, 1.0, 1.1] {
            let AnyModel::Sequence(any) = &model.any else { panic!("no sequences") };
            let choice = SamplingParams { temperature, ..SamplingParams::default() };
            let draw =
                SequenceSampleParams { endless: true, choice, ..SequenceSampleParams::new(DRAWN, LENGTH) };
            let new = any.sample((&draw, &mut |_, _, _| {}, &mut |_, _| true), &mut Rng::new(1, 0));
            let all: Vec<&[u32]> = new.iter().map(Vec::as_slice).collect();
            let quality = all.iter().map(|new| judge.nll(new)).sum::<f64>() / (DRAWN * LENGTH) as f64;
            let own = KneserNey::fit(ORDER, vocab, all.iter().copied());
            let diversity = own.nll(&held) / held.len() as f64;
            let how = format!("{}; temperature {temperature}", setup(model, options));
            let of = |metric: &str| format!("{name} at temperature {temperature}: {metric}");
            Figure::lower(case, &of("nats a token of new texts by counts of real ones"), quality, "nats")
                .print(&how);
            Figure::lower(case, &of("nats a token of real texts by counts of new ones"), diversity, "nats")
                .print(&how);
            Figure::lower(case, &of("self-BLEU"), self_bleu(&all, DRAWN, 1), "").print(&how);
        }
    }
    let real: Vec<&[u32]> = held.chunks_exact(LENGTH).take(DRAWN).collect();
    let quality = real.iter().map(|real| judge.nll(real)).sum::<f64>() / (real.len() * LENGTH) as f64;
    let own = KneserNey::fit(
        ORDER,
        vocab,
        train.chunks_exact(LENGTH).step_by(train.len() / LENGTH / DRAWN).take(DRAWN),
    );
    Figure::lower(case, "real: nats a token by counts of real ones", quality, "nats").print("held-out text");
    let diversity = own.nll(&held) / held.len() as f64;
    let metric = "real: nats a token by counts of as much real text";
    Figure::lower(case, metric, diversity, "nats").print("train against held-out text");
    Figure::lower(case, "real: self-BLEU", self_bleu(&real, DRAWN, 1), "").print("held-out text");
    assert_eq!(train.first(), Some(&BOUNDARY));
}
