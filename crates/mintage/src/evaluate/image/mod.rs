//! Judging a model of images: a detector on pixels, distances in a feature space learned from the user's own
//! data, copies, likelihood. What else can be looked at, such as the spectrograms of sounds or clips with a channel
//! for every frame, is judged by the same numbers (`judge`).

mod conformity;
mod convnet;
mod detector;
mod distance;
mod encoder;
mod explain;
mod nearest;
mod novelty;
mod prdc;
mod smaller;
mod statistics;
mod trivial;

use std::{sync::Arc, time::Duration};

use burn::tensor::Device;
use mintage_data::{ImageSet, Images};
use mintage_nn::DeviceChoice;

pub use conformity::score;
pub(super) use conformity::{Conformity, NLL_SAMPLES};
pub use convnet::{ConvNet, Training};
pub use distance::{Features, Gaussian, frechet, kernel_distance};
pub(super) use explain::{PictureDetector, Place};
pub(super) use nearest::PixelIndex;
pub use novelty::{Novelty, novelty};
pub use prdc::{Prdc, PrdcItems, nearest, prdc, prdc_items};
pub(super) use smaller::smaller;

use super::{
    DialName, Interval, ItemScore, Judgement, Options, TrainedOn, compared, compared_of, evenly,
    membership::{Attacked, Knows, Suspicions, with_model},
    verdict::DETECTOR,
    work,
};
use crate::{
    dataset::AnyData,
    error::Error,
    events::Event,
    model::Model,
    models::Batch,
    report::{Exhibit, Metric, Report},
    sample::ImageRequest,
};
use detector::{Detection, c2st};
use encoder::{encoder, space};
use statistics::{standardised, statistics};

/// Images on either side of a comparison, unless asked otherwise.
const DEFAULT_N: usize = 2000;
/// Number of images below which a set is small: every image is used twice, and judged in more than one way.
const SMALL_SET_IMAGES: usize = 200;
/// Weight of the kernel distance of few images where their detector stands at 0, against 1 of the detector.
const HINT_WEIGHT: f64 = 0.05;
/// Neighbours of precision and recall.
const K: usize = 5;
/// Resamples of averages.
const RESAMPLES: usize = 500;
/// Resamples of the Fréchet distance, which takes long.
const RESAMPLES_FRECHET: usize = 40;
/// Bytes of the pixels of an image of the page, of which there are a hundred.
const MAX_SHOWN_BYTES: usize = 16 << 10;
/// Bytes of the train split, and of the holdout, that copies are searched in.
const MAX_SEARCHED_BYTES: usize = 512 << 20;
/// Images on either side of membership inference.
const MAX_SUSPECTED: usize = 500;
/// Held-out images whose likelihood is taken.
const MAX_NLL_ITEMS: usize = 100;
/// The same where a likelihood takes as long as drawing.
const MAX_SLOW_NLL_ITEMS: usize = 50;
/// Importance samples of each likelihood.
const REPORT_NLL_SAMPLES: usize = 50;

/// Samples from `model` and judges the samples against the holdout of `data`, which it learned from.
///
/// # Errors
/// The holdout is too small, the model cannot be sampled from, or data cannot be read.
pub fn evaluate(
    model: &Model,
    data: &Arc<ImageSet>,
    options: &Options,
    clock: &dyn Fn() -> Duration,
    on: &mut dyn FnMut(Event),
) -> Result<Report, Error> {
    let n = compared(options, DEFAULT_N, data.splits(), "image")?;
    let start = clock();
    let request = ImageRequest { n, seed: options.seed, ..ImageRequest::default() };
    let new = model.sample(&request, &mut |done, total| on(work("drawing new images", done, total)))?;
    let per_sec = n as f64 / (clock() - start).as_secs_f64().max(1e-9);
    Ok(judgement(data, new, Some(model), options, on)?.report(model, per_sec))
}

/// Judges images that another program made, read as those of `data` are.
pub(super) fn judge_others(
    data: &Arc<ImageSet>,
    new: &ImageSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Judgement, Error> {
    let chosen = compared_of(new.len(), options, DEFAULT_N, data.splits(), "image")?;
    judgement(data, new.images(&chosen)?, None, options, on)
}

/// Of new images that `model` made, or another program.
fn judgement(
    data: &Arc<ImageSet>,
    new: Images,
    model: Option<&Model>,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Judgement, Error> {
    let sets = Sets::of(new, "pixels", data, options, on)?;
    let (mut metrics, judged) = judge(&sets, on)?;
    if let Some(model) = model {
        likelihood(model, data, options, on, &mut metrics)?;
    }
    Ok(Judgement {
        item: "image".to_owned(),
        data: AnyData::from(Arc::clone(data)).describe(),
        n: sets.fake.len(),
        seed: options.seed,
        trained_on: options.trained_on,
        metrics,
        exhibits: exhibits("image", model, &sets, &judged)?,
    })
}

/// The images that are compared, equally many of each kind.
pub(super) struct Sets<'a> {
    data: &'a ImageSet,
    /// Held out, drawn from the model, drawn from the train split (ceiling), trivial (floor).
    real: Images,
    fake: Images,
    ceiling: Images,
    floor: Images,
    encoder: ConvNet,
    device: Device,
    seed: u64,
    trained_on: TrainedOn,
    /// What the numbers of an image are: "pixels".
    numbers: &'static str,
}

/// What people are shown of a judgement.
pub(super) struct Judged {
    detection: Detection,
    /// None where nobody knows what could be copied.
    copies: Option<Copies>,
}

impl Judged {
    /// New images by how real the detector finds them, the most real first; it judges half of them.
    pub fn by_realness(&self) -> Vec<usize> {
        let mut judged = self.detection.realness.clone();
        judged.sort_by(|a, b| b.1.total_cmp(&a.1));
        judged.into_iter().map(|(new, _)| new).collect()
    }

    /// New images, each with the nearest one of the train split: the nearest pairs first.
    pub fn by_nearness(&self) -> Option<Vec<(usize, u32)>> {
        let Copies { found, searched } = self.copies.as_ref()?;
        let mut pairs: Vec<(usize, (usize, f32))> = found.neighbours.iter().copied().enumerate().collect();
        pairs.sort_by(|a, b| a.1.1.total_cmp(&b.1.1));
        Some(pairs.into_iter().map(|(new, (train, _))| (new, searched[train])).collect())
    }

    /// The item of the train split that is nearest to a new one.
    pub fn nearest(&self, new: usize) -> Option<u32> {
        let Copies { found, searched } = self.copies.as_ref()?;
        Some(searched[found.neighbours[new].0])
    }
}

/// The numbers that need nothing but images.
pub(super) fn judge(sets: &Sets, on: &mut dyn FnMut(Event)) -> Result<(Vec<Metric>, Judged), Error> {
    let mut metrics = Vec::new();
    let detection = c2st(sets, on, &mut metrics);
    in_feature_space(sets, on, &mut metrics);
    let copies = match sets.trained_on {
        TrainedOn::Unknown => None,
        _ => Some(new_or_copied(sets, on, &mut metrics)?),
    };
    utility(sets, on, &mut metrics);
    Ok((metrics, Judged { detection, copies }))
}

impl<'a> Sets<'a> {
    /// Beside images that were made already.
    ///
    /// # Errors
    /// Data cannot be read.
    pub fn of(
        fake: Images,
        numbers: &'static str,
        data: &'a ImageSet,
        options: &Options,
        on: &mut dyn FnMut(Event),
    ) -> Result<Self, Error> {
        let (splits, n) = (data.splits(), fake.len());
        let real = data.images(&evenly(&splits.holdout, n))?;
        let ceiling = data.images(&evenly(&splits.train, n))?;
        let floor = trivial::trivial(data, &fake, options.seed)?;
        let device = DeviceChoice::Cpu.open()?;
        let encoder = encoder(data, options.cache.as_deref(), &device, &mut |done, total| {
            on(work("learning the feature space", done, total));
        })?;
        let Options { seed, trained_on, .. } = *options;
        Ok(Self { data, real, fake, ceiling, floor, encoder, device, seed, trained_on, numbers })
    }

    /// Those of real, new, other real and trivial images.
    fn features(&self) -> [Features; 4] {
        [&self.real, &self.fake, &self.ceiling, &self.floor].map(|images| self.encoder.features(images))
    }

    /// The same of their statistics, on the scale of real ones.
    fn statistics(&self) -> [Features; 4] {
        let all = [&self.real, &self.fake, &self.ceiling, &self.floor].map(statistics);
        all.each_ref().map(|found| standardised(found, &all[0]))
    }
}

/// Distances of distributions, precision and recall: in the own encoder's space or, of few images, in that of their
/// statistics where more numbers tell real from trivial images in it. Where the detector knows new images as well as
/// trivial ones, how near few of them lie in a space that a few taught only grades what it found.
fn in_feature_space(sets: &Sets, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) {
    let mut found = compared_in(space(sets.data), &sets.features(), sets.seed, on);
    if sets.real.len() < SMALL_SET_IMAGES {
        let statistics = compared_in("statistics of images", &sets.statistics(), sets.seed, on);
        let telling = |of: &[Metric]| of.iter().filter(|m| m.dial.is_some() && m.has_scale()).count();
        if telling(&statistics) > telling(&found) {
            found = statistics;
        }
        let fidelity = |m: &&mut Metric| m.dial == Some(DialName::Fidelity);
        if metrics.iter().any(|m| m.name == DETECTOR && m.places().is_some_and(|(place, ..)| place <= 0.0)) {
            found.iter_mut().filter(fidelity).for_each(|m| m.weight = HINT_WEIGHT);
        }
    }
    metrics.append(&mut found);
}

/// Of real, new, other real and trivial images in one feature space.
fn compared_in(space: &str, features: &[Features; 4], seed: u64, on: &mut dyn FnMut(Event)) -> Vec<Metric> {
    on(work("comparing distributions", 0, 3));
    let mut metrics = Vec::new();
    let [real, fake, ceiling, floor] = features;
    let distance = frechet_metric("Fréchet distance", space, [real, fake, ceiling, floor], seed);
    // Of few images covariances are little known: there the kernel distance counts, which has no bias (Bińkowski et al.,
    // arXiv:1801.01401).
    let few = real.n < SMALL_SET_IMAGES;
    let about = "what they show as a whole";
    metrics.push(distance.moving((!few).then_some(DialName::Fidelity)).about(about));
    on(work("comparing distributions", 1, 3));
    let value = Interval::estimate(fake.n, RESAMPLES_FRECHET / 2, seed, |rows| {
        kernel_distance(&fake.select(rows), real)
    });
    let end = |features: &Features| {
        Interval::of_costly(features.n, seed, |rows| kernel_distance(&features.select(rows), real))
    };
    let distance = Metric::lower("kernel distance", space, value).between(end(ceiling), end(floor));
    metrics.push(distance.moving(few.then_some(DialName::Fidelity)).about(about));
    on(work("comparing distributions", 2, 3));
    let items = prdc_items(real, fake, K);
    let (best, worst) = (prdc_items(real, ceiling, K), prdc_items(real, floor, K));
    let mut add = |name: &str, of: &dyn Fn(&PrdcItems) -> &Vec<f64>, dial: Option<DialName>| {
        // All but the density are shares of items.
        let (most, mean): (f64, &dyn Fn(&PrdcItems) -> Interval) = match name {
            "density" => (f64::INFINITY, &|items| Interval::of_mean(of(items), RESAMPLES, seed)),
            _ => (1.0, &|items| Interval::of_share(of(items))),
        };
        let metric = Metric::higher(name, space, mean(&items)).within(0.0, most);
        metrics.push(metric.between(mean(&best), mean(&worst)).moving(dial));
    };
    // Blurred or uniform images lie within the balls of real ones: of what is real it says little.
    add("precision", &|items| &items.precision, None);
    add("density", &|items| &items.density, None);
    add("recall", &|items| &items.recall, Some(DialName::Coverage));
    add("coverage", &|items| &items.coverage, Some(DialName::Coverage));
    on(work("comparing distributions", 3, 3));
    metrics
}

/// Of real images to new ones, between that to other real ones and that to trivial ones.
fn frechet_metric(name: &str, space: &str, features: [&Features; 4], seed: u64) -> Metric {
    let [real, fake, ceiling, floor] = features;
    let goal = Gaussian::fit(real);
    let value = Interval::estimate(fake.n, RESAMPLES_FRECHET, seed, |rows| {
        goal.distance(&Gaussian::fit(&fake.select(rows)))
    });
    let end = |features: &Features| {
        Interval::of_costly(features.n, seed, |rows| goal.distance(&Gaussian::fit(&features.select(rows))))
    };
    Metric::lower(name, space, value).within(0.0, f64::INFINITY).between(end(ceiling), end(floor))
}

/// The Fréchet distance alone.
pub(super) fn distance_of(sets: &Sets, name: &str) -> Metric {
    let [real, fake, ceiling, floor] = sets.features();
    frechet_metric(name, space(sets.data), [&real, &fake, &ceiling, &floor], sets.seed)
}

/// Copies and near copies of training images. Here the floor is a model that recites.
fn new_or_copied(sets: &Sets, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) -> Result<Copies, Error> {
    on(work("searching for copies", 0, 1));
    let splits = sets.data.splits();
    let size = sets.data.shape().pixels();
    let searched = evenly(&splits.train, MAX_SEARCHED_BYTES / size.max(1));
    let (mut train, mut holdout) = (Vec::new(), Vec::new());
    sets.data.read(&searched, &mut train)?;
    sets.data.read(&evenly(&splits.holdout, MAX_SEARCHED_BYTES / size.max(1)), &mut holdout)?;
    let found = novelty(&sets.fake.pixels, &train, &holdout, size);
    let of_real = novelty(&sets.real.pixels, &train, &holdout, size);
    let share = |flags: &[bool]| flags.iter().map(|&f| f64::from(u8::from(f))).collect::<Vec<f64>>();
    let mean = |items: &[f64]| Interval::of_mean(items, RESAMPLES, sets.seed);
    let mut add = |name: &str, items: &[f64], ceiling: Interval| {
        let metric = Metric::lower(name, sets.numbers, mean(items)).within(0.0, 1.0);
        metrics.push(metric.between(ceiling, 1.0).moving(DialName::Novelty));
    };
    add("exact copies", &share(&found.exact), mean(&share(&of_real.exact)));
    add("near copies", &share(&found.near), found.near_expected.into());
    if sets.trained_on == TrainedOn::Train {
        add("closer to train than to holdout", &found.closer, Interval::of_chance(sets.real.len()));
        let knows = Knows::NewItems(sets.numbers);
        let recited = suspected(sets, &sets.ceiling)?.auc();
        metrics.extend(suspected(sets, &sets.fake)?.metrics(knows, Some(recited), sets.seed));
    }
    on(work("searching for copies", 1, 1));
    Ok(Copies { found, searched })
}

/// Training images, and then held-out ones, by how much nearer new images are to each than other held-out ones.
fn suspected(sets: &Sets, new: &Images) -> Result<Suspicions, Error> {
    let splits = sets.data.splits();
    let attacked = Attacked::of(&splits.train, &splits.holdout, MAX_SUSPECTED);
    let size = sets.data.shape().pixels();
    let pixels = |images: &Images| Features::new(size, images.pixels.iter().map(|&p| f32::from(p)).collect());
    let of = |items: &[u32]| Ok::<_, Error>(pixels(&sets.data.images(items)?));
    let (new, known) = (pixels(new), of(&attacked.known)?);
    let distances = |items: Features| -> Vec<(f32, f32)> {
        let (to_new, to_real) = (nearest(&items, &new), nearest(&items, &known));
        to_new.iter().zip(to_real).map(|(new, real)| (new.1, real.1)).collect()
    };
    Ok(Suspicions::by_density(&distances(of(&attacked.members)?), &distances(of(&attacked.others)?)))
}

/// What the search for copies found, and the training images it looked at.
struct Copies {
    found: Novelty,
    searched: Vec<u32>,
}

/// Train on synthetic, test on real (Esteban et al., arXiv:1706.02633), against train on real.
fn utility(sets: &Sets, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) {
    let classes = sets.data.classes().len();
    let known = |label: u32| (label as usize) < classes;
    if classes < 2 || sets.fake.labels.is_empty() || !sets.real.labels.iter().any(|&label| known(label)) {
        return;
    }
    let steps = (sets.fake.len() * 10 / 64).clamp(80, 600);
    let training = Training { steps, lr: 2e-3, shift: 0.04, seed: 29 };
    let mut right = |learn: &Images, what: &str| {
        let on = &mut |done, total| on(work(what, done, total));
        let net = ConvNet::classifier(learn, &learn.labels, classes, training, &sets.device, on);
        let named = net.classes(&sets.real);
        let judged = named.iter().zip(&sets.real.labels).filter(|(_, label)| known(**label));
        judged.map(|(name, label)| f64::from(u8::from(name == label))).collect::<Vec<f64>>()
    };
    let mut accuracy = |learn: &Images, what: &str| Interval::of_share(&right(learn, what));
    let value = accuracy(&sets.fake, "training on new data");
    let ceiling = accuracy(&sets.ceiling, "training on real data");
    let floor = accuracy(&sets.floor, "training on trivial data");
    let space = format!("classifier on {}", sets.numbers);
    let metric = Metric::higher("accuracy on real data, trained on new", &space, value).within(0.0, 1.0);
    metrics.push(metric.between(ceiling, floor).moving(DialName::Utility));
}

/// Likelihood of held-out images, where the family has one. It moves no dial: a good likelihood and
/// good samples are different things (Theis et al., arXiv:1511.01844).
fn likelihood(
    model: &Model,
    data: &ImageSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
    metrics: &mut Vec<Metric>,
) -> Result<(), Error> {
    on(work("likelihood of held-out images", 0, 1));
    let most = if model.nll_is_slow() { MAX_SLOW_NLL_ITEMS } else { MAX_NLL_ITEMS };
    let batch = data.batch(&evenly(&data.splits().holdout, most))?;
    if let Some(nll) = model.nll(&Batch::Image(batch), REPORT_NLL_SAMPLES, options.seed) {
        let value = Interval::of_mean(&nll, RESAMPLES, options.seed);
        metrics.push(Metric::lower("negative log-likelihood", "nats an image", value));
        let scale = 1.0 / (data.shape().pixels() as f64 * std::f64::consts::LN_2);
        metrics.push(Metric::lower("bits per dimension", "pixels", value.times(scale)));
        let members = Attacked::of(&data.splits().train, &data.splits().holdout, most).members;
        let members = Batch::Image(data.batch(&members)?);
        metrics.extend(with_model(model, members, REPORT_NLL_SAMPLES, &nll, options.seed));
    }
    on(work("likelihood of held-out images", 1, 1));
    Ok(())
}

/// What people would rather look at than read.
pub(super) fn exhibits(
    item: &str,
    model: Option<&Model>,
    sets: &Sets,
    judged: &Judged,
) -> Result<Vec<Exhibit>, Error> {
    const ROW: usize = 10;
    let first = |images: &Images, n: usize| images.select(&(0..n.min(images.len())).collect::<Vec<_>>());
    let provenance = model.map(|model| model.provenance(sets.seed, serde_json::json!({})));
    let grid = |blocks: &[(String, Images)]| {
        let small = |(name, images): &(String, Images)| (name.clone(), smaller(images, MAX_SHOWN_BYTES));
        let blocks: Vec<(String, Images)> = blocks.iter().map(small).collect();
        mintage_data::grid_png("report", &blocks, ROW, provenance.as_ref())
    };
    let named = |name: &str, images: Images| (name.to_owned(), images);
    let new_and_real = grid(&[
        named("new", first(&sets.fake, 4 * ROW)),
        named(sets.trained_on.real(), first(&sets.real, 2 * ROW)),
    ])?;
    let mut real = judged.by_realness();
    let pick = |from: &[usize]| sets.fake.select(&from[..ROW.min(from.len())]);
    let most = pick(&real);
    real.reverse();
    let detector = grid(&[named("most like real", most), named("least like real", pick(&real))])?;
    let mut exhibits = vec![
        Exhibit::png("New, and real", "", &new_and_real),
        Exhibit::png(
            "What the detector says",
            "A classifier that learned to tell new from real finds these most and least like real ones.",
            &detector,
        ),
    ];
    if let Some(nearest) = judged.by_nearness() {
        let (new, train): (Vec<usize>, Vec<u32>) = nearest.into_iter().take(ROW).unzip();
        let (new, train) = (sets.fake.select(&new), sets.data.images(&train)?);
        let neighbours =
            grid(&[named("new, nearest to train", new), named("their neighbours in train", train)])?;
        let note =
            format!("The new {item}s that lie nearest to a training {item}, and that {item} below each.");
        exhibits.push(Exhibit::png("Copied?", &note, &neighbours));
    }
    Ok(exhibits)
}
