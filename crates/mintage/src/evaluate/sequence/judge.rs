//! Judging a model of texts or music: its metrics with ceilings, floors and intervals, and what people read.

use std::{f64::consts::LN_2, time::Duration};

use mintage_data::{
    SequenceSet, Split,
    sequence::{Chunking, Modality, Tokenizer},
};
use mintage_nn::Rng;

use super::{
    super::{
        DialName, Interval, Judgement, Options, TrainedOn, evenly,
        membership::{Knows, Suspicions},
        work,
    },
    BOUNDARY, Copied, KneserNey,
    classifier::{Classifier, Features, detect},
    copies, distinct_n, js_distances, self_bleu,
    sets::{Found, Passage, Sets, unit},
    stretches,
    view::exhibits,
};
use crate::{
    dataset::{AnyData, thousands},
    error::Error,
    events::Event,
    model::Model,
    models::{
        DataInfo, GenerativeModel, SequenceModel,
        sequence::{Adaptation, vae},
    },
    report::{Metric, Report},
};

/// Resamples of averages and of AUCs.
const RESAMPLES: usize = 200;
/// Tokens of the runs whose copied share is taken.
const RUN_TOKENS: usize = 8;
/// Samples whose self-BLEU is taken.
const MAX_BLEU_SAMPLES: usize = 200;
/// Held-out tokens whose likelihood is taken.
const MAX_NLL_TOKENS: usize = 400_000;
/// Segments that go through a model together.
const NLL_CHUNK: usize = 32;
/// Tokens of the train split whose likelihood is compared with that.
const MAX_MEMBER_TOKENS: usize = 100_000;
/// Documents of the train split that these tokens come from.
const MAX_MEMBERS: usize = 200;
/// Order of the n-gram model that likelihoods are compared with.
const ORDER: usize = 5;
/// Tokens of the train split that it counts.
const MAX_COUNTED_TOKENS: u64 = 12_000_000;
/// The likelihood while a model follows what it reads.
const ADAPTING: &str = "negative log-likelihood, adapting";

/// Samples from `model` and judges the passages against the holdout of `data`, which it learned from.
///
/// # Errors
/// The model is not one of sequences, or too few passages are held out.
pub fn evaluate(
    model: &Model,
    data: &SequenceSet,
    options: &Options,
    clock: &dyn Fn() -> Duration,
    on: &mut dyn FnMut(Event),
) -> Result<Report, Error> {
    let sets = Sets::gather(model, data, options, clock, on)?;
    let mut report = judgement(&sets, Some(model), options, on)?.report(model, sets.per_sec);
    if let Some(items) = of_long_works(&sets) {
        for dial in [DialName::Fidelity, DialName::Coverage] {
            report.says_what_is_measured(dial, items.clone());
        }
    }
    Ok(report)
}

/// Judges documents that another program wrote, read as those of `data` are; with what is compared where that is not whole
/// documents.
pub(in crate::evaluate) fn judge_others(
    data: &SequenceSet,
    new: &SequenceSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<(Judgement, Option<String>), Error> {
    let sets = Sets::of_set(data, new, options, on)?;
    Ok((judgement(&sets, None, options, on)?, of_long_works(&sets)))
}

/// Of new passages that `model` wrote, or another program.
fn judgement(
    sets: &Sets,
    model: Option<&Model>,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Judgement, Error> {
    let (data, seed) = (sets.data, options.seed);
    let (mut metrics, found) = judged(sets, seed, on);
    if let Some(model) = model {
        likelihood(model, data, options, on, &mut metrics)?;
        // What is told of passages does not compare with what is told of documents.
        if matches!(model.sequences()?.model.config().cut(), Chunking::Segments(_)) {
            metrics.iter_mut().for_each(|metric| metric.space += ", passages");
        }
    }
    Ok(Judgement {
        item: DataInfo::Sequence(data.info().clone()).item().to_owned(),
        data: AnyData::describe_sequences(data),
        n: sets.new.len(),
        seed,
        trained_on: options.trained_on,
        metrics,
        exhibits: exhibits(sets, &found),
    })
}

/// What is compared where works are long.
fn of_long_works(sets: &Sets) -> Option<String> {
    let n = thousands(sets.new.len());
    let works = match sets.trained_on {
        TrainedOn::Unknown => "real long works",
        _ => "long works that were trained on",
    };
    sets.of_long_works().then(|| format!("{n} new passages and {n} passages of {works}"))
}

/// Judges passages that any generator made by all that needs no model.
pub(in crate::evaluate) fn judge(
    data: &SequenceSet,
    new: Vec<(Vec<u32>, Option<u32>)>,
    options: &Options,
    on: &mut dyn FnMut(Event),
) -> Result<Vec<Metric>, Error> {
    let sets = Sets::of(data, new, options, on)?;
    Ok(judged(&sets, options.seed, on).0)
}

/// The numbers that need nothing but passages.
fn judged(sets: &Sets, seed: u64, on: &mut dyn FnMut(Event)) -> (Vec<Metric>, Found) {
    let mut metrics = Vec::new();
    let realness = c2st(sets, seed, on, &mut metrics);
    fidelity_and_coverage(sets, seed, on, &mut metrics);
    let known = sets.trained_on != TrainedOn::Unknown;
    let copied = known.then(|| new_or_copied(sets, seed, on, &mut metrics));
    utility(sets, seed, on, &mut metrics);
    super::music::judge(sets, seed, &mut metrics);
    (metrics, Found { realness, copied })
}

fn units(passages: &[Passage]) -> Vec<&[u32]> {
    passages.iter().map(|passage| passage.units.as_slice()).collect()
}

fn looks(passages: &[Passage]) -> Vec<&[u32]> {
    passages.iter().map(|passage| passage.looks.as_slice()).collect()
}

/// N-grams of the units, and of what else passages are compared by.
fn features(passages: &[Passage]) -> Vec<Features> {
    let both = |passage: &Passage| match passage.looks == passage.units {
        true => passage.units.clone(),
        false => [passage.units.as_slice(), &[BOUNDARY], &passage.looks].concat(),
    };
    Features::of_all(&passages.iter().map(both).collect::<Vec<_>>())
}

/// The two-sample test.
fn c2st(sets: &Sets, seed: u64, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) -> Vec<f32> {
    on(work("training the detector", 0, 3));
    let real = features(&sets.real);
    let against = |passages: &[Passage]| detect(&real, &features(passages), seed, RESAMPLES);
    let (auc, realness) = against(&sets.new);
    on(work("training the detector", 1, 3));
    let (ceiling, floor) = (against(&sets.ceiling).0, against(&sets.floor).0);
    on(work("training the detector", 3, 3));
    let space = format!("n-grams of {}", unit(sets.data));
    let metric = Metric::lower("C2ST AUC", &space, auc).within(0.0, 1.0);
    // Below 0.5 is chance as well.
    metrics.push(metric.between(ceiling.at_least(0.5), floor).moving(DialName::Fidelity));
    realness
}

/// N-grams, and the likeness of samples to each other.
fn fidelity_and_coverage(sets: &Sets, seed: u64, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) {
    on(work("comparing n-grams", 0, 1));
    let [real, new, ceiling, floor] =
        [&sets.real, &sets.new, &sets.ceiling, &sets.floor].map(|passages| looks(passages));
    let space = match sets.data.info().modality {
        Modality::Text => unit(sets.data),
        Modality::Music => "melody, chords, rhythm",
    };
    // Passages drawn again are no others: a share of what differs falls, a distance rises, and the mean change is taken off.
    let sure = |passages: &[&[u32]], of: &(dyn Fn(&[&[u32]]) -> f64 + Sync)| {
        let picked = |rows: &[usize]| of(&rows.iter().map(|&row| passages[row]).collect::<Vec<_>>());
        Interval::of_costly(passages.len(), seed, picked)
    };
    let distance = |passages: &[&[u32]], n: usize| {
        sure(passages, &|passages| js_distances(&real, passages, usize::MAX, seed).by_n[n - 1])
    };
    for n in 1..=4 {
        let name = format!("{n}-gram JS distance");
        let metric = Metric::lower(&name, space, distance(&new, n)).within(0.0, 1.0);
        // What is drawn by its frequency is as near as real ones here: no floor, no dial.
        metrics.push(match n {
            1 => metric,
            _ => metric
                .between(distance(&ceiling, n), distance(&floor, n))
                .moving((n < 4).then_some(DialName::Fidelity))
                .about(if n == 2 { "which {unit} follow each other" } else { "longer runs of {unit}" }),
        });
    }
    let recall = |passages: &[&[u32]]| sure(passages, &|passages| recall(&real, passages, 2));
    let metric = Metric::higher("recall of 2-grams", space, recall(&new)).within(0.0, 1.0);
    metrics.push(metric.between(recall(&ceiling), 0.0).moving(DialName::Coverage));
    for n in 1..=2 {
        let metric = Metric::higher(&format!("distinct-{n}"), space, distinct_n(&new, n)).within(0.0, 1.0);
        metrics.push(metric.between(distinct_n(&real, n), 0.0));
    }
    let bleu = |passages: &[&[u32]]| self_bleu(passages, MAX_BLEU_SAMPLES, seed);
    // A model that always says the same has 1.
    let metric = Metric::lower("self-BLEU", space, bleu(&new)).within(0.0, 1.0);
    metrics.push(metric.between(bleu(&real), 1.0).moving(DialName::Coverage));
    on(work("comparing n-grams", 1, 1));
}

/// The share of the n-grams of `real`, each kind counted once, that `passages` have.
fn recall(real: &[&[u32]], passages: &[&[u32]], n: usize) -> f64 {
    let kinds = |sequences: &[&[u32]]| -> hashbrown::HashSet<Vec<u32>> {
        let stretches = sequences.iter().flat_map(|sequence| stretches(sequence));
        stretches.flat_map(|stretch| stretch.windows(n)).map(<[u32]>::to_vec).collect()
    };
    let (real, found) = (kinds(real), kinds(passages));
    real.iter().filter(|gram| found.contains(*gram)).count() as f64 / real.len().max(1) as f64
}

/// Runs and n-grams that stand in train word for word. Here the floor is a model that recites.
fn new_or_copied(
    sets: &Sets,
    seed: u64,
    on: &mut dyn FnMut(Event),
    metrics: &mut Vec<Metric>,
) -> Vec<Copied> {
    on(work("searching for copies", 0, 1));
    let [found, fresh] =
        [&sets.new, &sets.fresh].map(|passages| copies(&sets.train, &units(passages), RUN_TOKENS));
    let space = unit(sets.data);
    let longest = |all: &[Copied]| -> Vec<f64> { all.iter().map(|c| c.longest.length as f64).collect() };
    let shares = |all: &[Copied]| -> Vec<f64> {
        all.iter().map(|c| c.ngrams).filter(|share| !share.is_nan()).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let length = mean(&sets.real.iter().map(|p| p.units.len() as f64).collect::<Vec<_>>());
    let sure = |values: &[f64]| Interval::of_mean(values, RESAMPLES, seed);
    let metric = Metric::lower("longest run copied", space, sure(&longest(&found)));
    metrics.push(metric.between(sure(&longest(&fresh)), length).moving(DialName::Novelty));
    let most = |all: &[Copied]| longest(all).into_iter().fold(0.0, f64::max);
    metrics.push(Metric::lower("longest run of all", space, most(&found)).between(most(&fresh), length));
    let metric =
        Metric::lower(&format!("{RUN_TOKENS}-grams copied"), space, sure(&shares(&found))).within(0.0, 1.0);
    metrics.push(metric.between(sure(&shares(&fresh)), 1.0).moving(DialName::Novelty));
    on(work("searching for copies", 1, 1));
    found
}

/// Train on synthetic, test on real, where there are classes.
fn utility(sets: &Sets, seed: u64, on: &mut dyn FnMut(Event), metrics: &mut Vec<Metric>) {
    let classes = sets.data.info().classes.len();
    let labelled = |passages: &[Passage]| passages.iter().all(|passage| passage.class.is_some());
    if classes < 2 || ![&sets.real, &sets.ceiling, &sets.new].into_iter().all(|all| labelled(all)) {
        return;
    }
    on(work("learning from new ones", 0, 1));
    let real = features(&sets.real);
    let learn = |passages: &[Passage]| -> Vec<f64> {
        let features = features(passages);
        let items: Vec<(&Features, u32)> =
            features.iter().zip(passages).map(|(f, p)| (f, p.class.unwrap_or(0))).collect();
        let judge = Classifier::fit(&items, classes, seed);
        let right = |(f, p): (&Features, &Passage)| f64::from(u8::from(Some(judge.class(f)) == p.class));
        real.iter().zip(&sets.real).map(right).collect()
    };
    let accuracy = |passages: &[Passage]| Interval::of_share(&learn(passages));
    let name = "accuracy of classes on real ones, trained on new";
    let metric = Metric::higher(name, "n-grams", accuracy(&sets.new)).within(0.0, 1.0);
    metrics.push(metric.between(accuracy(&sets.ceiling), 1.0 / classes as f64).moving(DialName::Utility));
    on(work("learning from new ones", 1, 1));
}

/// Likelihood of held-out documents, beside that of counts. It moves no dial: a good likelihood and good samples are
/// different things (Theis et al., arXiv:1511.01844).
fn likelihood(
    model: &Model,
    data: &SequenceSet,
    options: &Options,
    on: &mut dyn FnMut(Event),
    metrics: &mut Vec<Metric>,
) -> Result<(), Error> {
    let (parts, seed) = (model.sequences()?, options.seed);
    let cut = parts.model.config().cut();
    let documents = parts_of(data, Split::Holdout, cut, MAX_NLL_TOKENS);
    let (mut tokens, mut chars, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let (nats, network) = nats_of(parts.model, data, &documents, seed, &mut |done| {
        on(work("likelihood of held-out ones", done, documents.len()));
    });
    let counted = counted(data, cut);
    for Held { tokens: document, .. } in &documents {
        tokens.push(document.len() as f64 - 1.0);
        counts.push(counted.nll(&document[1..]));
        if let Tokenizer::Text(codec) = data.codec() {
            chars.push(codec.decode(&document[1..]).chars().count() as f64);
        }
    }
    on(work("likelihood of held-out ones", documents.len(), documents.len()));
    let adapting = match options.adapt {
        true => adapting_nats_of(parts.model, &documents, &mut |done| {
            on(work("likelihood of held-out ones, adapting", done, documents.len()));
        }),
        false => Vec::new(),
    };
    let ratio = |over: &[f64], under: &[f64], unit: f64| {
        Interval::estimate(over.len(), RESAMPLES, seed, |rows| {
            let sum = |values: &[f64]| rows.iter().map(|&row| values[row]).sum::<f64>();
            sum(over) / sum(under).max(1.0) / unit
        })
    };
    let mut add = |name: &str, space: &str, value: Interval| metrics.push(Metric::lower(name, space, value));
    add("negative log-likelihood", "nats a token", ratio(&nats, &tokens, 1.0));
    let has_counts = !documents.is_empty() && network.len() == documents.len();
    if has_counts {
        add("the same of the network alone", "nats a token", ratio(&network, &tokens, 1.0));
    }
    let name = format!("the same of a {ORDER}-gram model");
    add(&name, "nats a token", ratio(&counts, &tokens, 1.0));
    let adapts = !documents.is_empty() && adapting.len() == documents.len();
    if adapts {
        add(ADAPTING, "nats a token", ratio(&adapting, &tokens, 1.0));
    }
    if !chars.is_empty() {
        add("negative log-likelihood", "bits a character", ratio(&nats, &chars, LN_2));
        if has_counts {
            add("the same of the network alone", "bits a character", ratio(&network, &chars, LN_2));
        }
        add(&name, "bits a character", ratio(&counts, &chars, LN_2));
        if adapts {
            add(ADAPTING, "bits a character", ratio(&adapting, &chars, LN_2));
        }
    }
    let a_token = |nats: &[f64], tokens: &[f64]| -> Vec<f64> {
        nats.iter().zip(tokens).map(|(nats, tokens)| nats / tokens.max(1.0)).collect()
    };
    let members = parts_of(data, Split::Train, cut, MAX_MEMBER_TOKENS);
    let lengths: Vec<f64> = members.iter().map(|held| held.tokens.len() as f64 - 1.0).collect();
    let (members, _) = nats_of(parts.model, data, &members, seed, &mut |_| {});
    let found = Suspicions::by_likelihood(&a_token(&members, &lengths), &a_token(&nats, &tokens));
    metrics.extend(found.metrics(Knows::Model, None, seed));
    Ok(())
}

/// The negative log-likelihood of each part, and of a model with counts the same of its network alone.
fn nats_of(
    model: &SequenceModel,
    data: &SequenceSet,
    documents: &[Held],
    seed: u64,
    on: &mut dyn FnMut(usize),
) -> (Vec<f64>, Vec<f64>) {
    let cut = model.config().cut();
    let together = if matches!(cut, Chunking::Segments(_)) { NLL_CHUNK } else { 1 };
    let (mut nats, mut network, mut rng) = (Vec::new(), Vec::new(), Rng::new(seed, 0));
    for (done, group) in documents.chunks(together).enumerate() {
        on(done * together);
        if matches!(cut, Chunking::Segments(_)) {
            let items: Vec<u32> = group.iter().map(|held| held.item).collect();
            nats.extend(
                model.nll(&data.batch(&items, cut, None), vae::SAMPLES, &mut rng).unwrap_or_default(),
            );
            continue;
        }
        for Held { tokens, class, .. } in group {
            match model.nll_beside(tokens, *class) {
                Some([both, alone]) => {
                    nats.push(both);
                    network.push(alone);
                }
                None => nats.extend(model.whole_nll(tokens, *class)),
            }
        }
    }
    (nats, network)
}

/// The negative log-likelihood of each part, while the model follows what it reads of its document. Each document is begun with
/// the model as it was learned, so that none tells of another.
fn adapting_nats_of(model: &SequenceModel, documents: &[Held], on: &mut dyn FnMut(usize)) -> Vec<f64> {
    let mut nats = Vec::with_capacity(documents.len());
    for parts in documents.chunk_by(|a, b| a.item == b.item) {
        on(nats.len());
        let tokens: Vec<&[u32]> = parts.iter().map(|held| held.tokens.as_slice()).collect();
        let class = parts.first().and_then(|held| held.class);
        nats.extend(model.adapting_nll(&tokens, class, Adaptation::default()).unwrap_or_default());
    }
    nats
}

/// A document, a part of one, or a segment.
struct Held {
    /// The first of them only tells what came before.
    tokens: Vec<u32>,
    class: Option<u32>,
    /// The number of the document, or of the segment.
    item: u32,
}

/// Documents of a split, long ones in parts, or segments: at most so many tokens.
fn parts_of(data: &SequenceSet, split: Split, cut: Chunking, most: usize) -> Vec<Held> {
    if let Chunking::Segments(longest) = cut {
        let items: Vec<u32> = data.items(split, cut).collect();
        let segment = |item| {
            let (tokens, class) = data.item(item, cut);
            Held { tokens, class, item }
        };
        return evenly(&items, most / longest).into_iter().map(segment).collect();
    }
    let mut left = most;
    let mut found = Vec::new();
    // Of train, where there are many, some from all over it.
    let documents = match split {
        Split::Train => evenly(data.splits().get(split), MAX_MEMBERS),
        _ => data.splits().get(split).to_vec(),
    };
    let part = part_tokens(&data.info().periods);
    let each = (most / documents.len().max(1)).max(part);
    for document in documents {
        let tokens = data.beginning(document, each.min(left + 1));
        let class = data.class(document);
        let parts = tokens.chunks(part).filter(|part| part.len() > 1);
        found.extend(parts.map(|part| Held { tokens: part.to_vec(), class, item: document }));
        left = left.saturating_sub(tokens.len());
        if left == 0 {
            break;
        }
    }
    found
}

/// Tokens of a part of a long document. On a grid they are whole bars: a model takes the beginning of what it reads for that of a
/// document.
fn part_tokens(periods: &[usize]) -> usize {
    const PART_TOKENS: usize = 16_384;
    let bar = periods.last().copied().unwrap_or(1).max(1);
    (PART_TOKENS / bar).max(1) * bar
}

/// The model of counts, of the train split or of so much of it as can be counted in memory; of segments where a model
/// knows nothing else.
fn counted(data: &SequenceSet, cut: Chunking) -> KneserNey {
    let vocab = data.info().vocab;
    if let Chunking::Segments(longest) = cut {
        let items: Vec<u32> = data.items(Split::Train, cut).collect();
        let items = evenly(&items, MAX_COUNTED_TOKENS as usize / longest);
        let segments: Vec<Vec<u32>> =
            items.into_iter().map(|item| data.item(item, cut).0.split_off(1)).collect();
        return KneserNey::fit(ORDER, vocab, segments.iter().map(Vec::as_slice));
    }
    let share = (MAX_COUNTED_TOKENS as f64 / data.tokens(Split::Train).max(1) as f64).min(1.0);
    let documents: Vec<Vec<u32>> = data
        .splits()
        .train
        .iter()
        .map(|&document| {
            let mut tokens = data.document(document).split_off(1);
            tokens.truncate((tokens.len() as f64 * share).ceil() as usize);
            tokens
        })
        .collect();
    KneserNey::fit(ORDER, vocab, documents.iter().map(Vec::as_slice))
}

#[cfg(test)]
mod tests {
    use super::part_tokens;

    #[test]
    fn parts_on_a_grid_are_whole_bars() {
        assert_eq!([part_tokens(&[]), part_tokens(&[4, 64])], [16_384; 2]);
        // Four voices in three quarters.
        assert_eq!(part_tokens(&[4, 48]), 341 * 48);
        assert_eq!(part_tokens(&[20_000, 100_000]), 100_000);
    }
}
