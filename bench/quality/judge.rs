//! Judging the judge: fresh real data, and the same ever more damaged, must come out in that order on every dial that
//! gives a number.
//!
//! | chain | dial |
//! |---|---|
//! | fresh, a little noise, much noise, nothing but noise | fidelity |
//! | fresh, a little mixed (blur, columns or words out of place), much, nothing but noise | fidelity |
//! | fresh, a trivial generator | fidelity |
//! | fresh, half of the kinds, one item again and again | coverage |
//! | fresh, half of them copied from train, all copied | novelty |
//! | fresh, near copies | novelty |
//! | fresh, nothing but noise | utility |

mod clips;
mod images;
mod pixels;
mod rows;
mod sounds;
mod texts;
mod tunes;

use std::time::Instant;

use mintage::{
    AnyData,
    evaluate::{NewItems, Options as Judging, Scores, judge},
    report::Dial,
};

use crate::{Options, figures::Figure};

/// Items held out.
const SIZES: [usize; 4] = [24, 100, 1000, 10_000];
/// Points of 100 that a worse item may stand above a better one: what a page rounds away.
const TOLERANCE: f64 = 1.0;

const CHAINS: [(&str, &[&str]); 8] = [
    ("fidelity", &["fresh", "little noise", "much noise", "noise"]),
    ("fidelity", &["fresh", "little mixed", "much mixed", "noise"]),
    ("fidelity", &["fresh", "trivial"]),
    ("coverage", &["fresh", "half", "one"]),
    ("novelty", &["fresh", "half copied", "copied"]),
    ("novelty", &["fresh", "near copies"]),
    ("utility", &["fresh", "noise"]),
    ("utility", &["fresh", "trivial"]),
];

/// Data of which some items are held out, and items of every rung.
struct Ladder {
    data: AnyData,
    /// Items of a rung: as many as are held out, or as many as `evaluate` compares at most.
    n: usize,
    rungs: Vec<(&'static str, NewItems)>,
}

/// `judge-KIND`: all sizes, or those of `-s sizes=24,100`.
pub fn ladder(case: &str, options: &Options) {
    let asked = options.set.iter().find_map(|set| set.strip_prefix("sizes="));
    let sizes: Vec<usize> = match asked {
        Some(list) => list.split(',').map(|size| size.parse().unwrap()).collect(),
        None => SIZES.to_vec(),
    };
    for n in sizes {
        let start = Instant::now();
        let ladder = match case {
            "judge-images" => images::ladder(n, options),
            "judge-rows" => rows::ladder(n, options),
            "judge-sounds" => sounds::ladder(n, options),
            "judge-texts" => texts::ladder(n, options),
            "judge-tunes" => tunes::ladder(n, options),
            _ => clips::ladder(n, options),
        };
        // What is learned of the data alone is the same for all rungs.
        let cache = tempfile::tempdir().unwrap();
        let judging = Judging {
            n: Some(ladder.n),
            seed: 1,
            cache: Some(cache.path().to_owned()),
            ..Judging::default()
        };
        let judged = ladder.rungs.into_iter().map(|(name, new)| {
            let scores = judge(&ladder.data, new, &judging, &mut |_| {}).unwrap();
            eprintln!("{case} {n} {name}: {}", in_short(&scores));
            (name, scores)
        });
        let judged: Vec<(&str, Scores)> = judged.collect();
        let how = format!("{} on either side; {} s", ladder.n, start.elapsed().as_secs());
        figures(case, n, &judged, &how);
    }
}

fn in_short(scores: &Scores) -> String {
    let dials = scores.dials.iter().map(|(name, dial)| format!("{name} {:.0}", dial.score));
    let moving = scores.metrics.iter().filter(|metric| metric.dial.is_some());
    let metrics = moving.map(|m| {
        let ends =
            m.ends.map(|e| format!(" [{:.3} {:.3}]", e.ceiling.value, e.floor.value)).unwrap_or_default();
        format!(
            "{} {:.3}{ends} → {}",
            m.name,
            m.value,
            m.places().map_or("–".to_owned(), |p| format!("{:.0}", p.0))
        )
    });
    format!("{}; {}", dials.collect::<Vec<_>>().join(", "), metrics.collect::<Vec<_>>().join(", "))
}

/// Each wrong pair is told; the share of right ones, fresh data's fidelity and that of noise are figures.
fn figures(case: &str, n: usize, judged: &[(&str, Scores)], how: &str) {
    let score = |rung: &str, dial: &str| -> Option<f64> {
        let (_, scores) = judged.iter().find(|(name, _)| *name == rung)?;
        scores.dials.get(dial).map(|dial: &Dial| dial.score)
    };
    let (mut right, mut all) = (0, 0);
    for (dial, chain) in CHAINS {
        let pairs = chain
            .iter()
            .enumerate()
            .flat_map(|(at, better)| chain[at + 1..].iter().map(move |w| (better, w)));
        for (better, worse) in pairs {
            let Some((high, low)) = score(better, dial).zip(score(worse, dial)) else { continue };
            all += 1;
            right += usize::from(high >= low - TOLERANCE);
            if high < low - TOLERANCE {
                eprintln!("{case} {n}: {dial} of {better} {high:.1} is under that of {worse} {low:.1}");
            }
        }
    }
    let metric = |what: &str| format!("{what}, {n} held out");
    let share = f64::from(right as u32) / f64::from(all.max(1) as u32);
    Figure::higher(case, &metric("pairs in the right order"), share, "of 1")
        .limit(0.99)
        .print(&format!("{all} pairs; {how}"));
    if let Some(fresh) = score("fresh", "fidelity") {
        Figure::higher(case, &metric("fidelity of fresh real data"), fresh, "of 100").limit(95.0).print(how);
    }
    if let Some(noise) = score("noise", "fidelity") {
        Figure::lower(case, &metric("fidelity of noise"), noise, "of 100").limit(5.0).print(how);
    }
    let dials = ["fidelity", "coverage", "novelty", "utility"];
    let measured = dials.iter().filter(|dial| score("fresh", dial).is_some()).count();
    Figure::higher(case, &metric("dials that give a number"), measured as f64, "of 4").print(how);
}

/// `n` of `all`, spread evenly.
fn compared<T>(all: &[T], n: usize) -> Vec<&T> {
    evenly(all.len(), n).into_iter().map(|i| &all[i]).collect()
}

/// Places of `n` of `all`, spread evenly.
fn evenly(all: usize, n: usize) -> Vec<usize> {
    (0..n).map(|i| i * all / n.max(1)).collect()
}
