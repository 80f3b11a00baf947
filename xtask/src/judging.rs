//! The case `judge-cost` of `cargo xtask quality`: seconds of `evaluate`, beside those of another build of the command.

use std::{path::Path, time::Instant};

use crate::{
    Result,
    command::{mintage, succeed},
    figure::Figure,
    median, root,
};

/// Evaluations by each build, taken by turns.
const EVALUATION_PAIRS: usize = 3;
/// How many times as long as before it may take.
const MAX_TIME_RATIO: f64 = 1.5;

/// Rows of Adult and handwritten digits. Where `MINTAGE_AGAINST` names another build, each judges its own model of the
/// same recipe, by turns, and the ratio is kept.
pub fn cost(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    let data = root().join("data");
    let against = std::env::var_os("MINTAGE_AGAINST").map(std::path::PathBuf::from);
    let mut figures = Vec::new();
    for (what, source, flags) in [
        ("Adult", "tables/adult-train.csv", "--model mixture --size tiny --steps 60"),
        ("MNIST", "images/mnist", "--model vae --size tiny --steps 60"),
    ] {
        let source = data.join(source);
        let train = format!("train {} {flags} --seed 1 --name", source.display());
        succeed(&mut mintage(binary, scratch, &format!("{train} new-{what}")))?;
        if let Some(other) = &against {
            succeed(&mut mintage(other, scratch, &format!("{train} old-{what}")))?;
        }
        let secs = |binary: &Path, name: &str| -> Result<f64> {
            let start = Instant::now();
            succeed(&mut mintage(binary, scratch, &format!("evaluate {name}-{what}")))?;
            Ok(start.elapsed().as_secs_f64())
        };
        // The first of each learns the feature space that the others find.
        let (mut times, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..EVALUATION_PAIRS {
            let new = secs(binary, "new")?;
            times.push(new);
            if let Some(other) = &against {
                ratios.push(new / secs(other, "old")?);
            }
        }
        let setup = format!("{flags}; median of {EVALUATION_PAIRS}");
        let time =
            Figure::lower("judge-cost", &format!("evaluate on {what}"), median(times), "s", 0.0, &setup);
        figures.push(Figure { limit: None, ..time });
        if against.is_some() {
            let metric = format!("evaluate on {what}, against the version before");
            figures.push(Figure::lower(
                "judge-cost",
                &metric,
                median(ratios),
                "ratio",
                MAX_TIME_RATIO,
                &setup,
            ));
        }
    }
    Ok(figures)
}
