//! Tables: each family on Adult (UCI, CC BY 4.0) with its official split, by the protocol of published tables of
//! results: all training rows against as many new ones, tests on the official test rows.

use std::time::Instant;

use mintage::{
    AnyData, Family, Model, RowRequest,
    data::Table,
    evaluate::table::{Frame, Judge, Quality, Utility, detect, manifold, privacy, utility},
};

use crate::{
    Options,
    figures::Figure,
    training::{recipe, setup, trained},
};

/// What a family has to reach: pair trends, C2ST by trees, AUC of trees trained on new rows, β-recall; and its
/// minutes.
fn limits(family: Family) -> ([f64; 4], f64) {
    match family {
        Family::Mixture => ([0.981, 0.77, 0.902, 0.46], 1.0),
        Family::Ar => ([0.985, 0.84, 0.913, 0.50], 10.0),
        Family::Vae | Family::Vqvae => ([0.97, 0.5, 0.90, 0.40], 10.0),
        Family::Gan => ([0.95, 0.3, 0.89, 0.30], 10.0),
        Family::Flow => ([0.98, 0.79, 0.91, 0.48], 10.0),
    }
}

/// `adult-FAMILY`.
pub fn adult(case: &str, options: &Options) {
    let family = Family::ALL.into_iter().find(|f| case == format!("adult-{}", f.name())).unwrap();
    let (limits, minutes) = limits(family);
    let tables = options.data.join("tables");
    let mut recipe = recipe(&tables.join("adult-train.csv"), family, minutes, &[], options);
    recipe.data.holdout = Some(tables.join("adult-test.csv").display().to_string());
    recipe.data.label = Some("income".to_owned());
    let data = AnyData::open(&recipe.data).unwrap();
    let model = trained(&recipe, &data, case, options);
    judge(case, &model, &data, limits);
}

fn judge(case: &str, model: &Model, data: &AnyData, limits: [f64; 4]) {
    let AnyData::Table(set) = data else { panic!("no table") };
    let splits = set.splits();
    // The valid split is a part of the official training rows.
    let mut all: Vec<u32> = splits.train.iter().chain(&splits.valid).copied().collect();
    all.sort_unstable();
    let [train, test]: [Table; 2] = [&all, &splits.holdout].map(|rows| set.table().select(rows));
    let start = Instant::now();
    let request = RowRequest { n: train.rows(), ..RowRequest::default() };
    let new = model.sample_rows(&request, &mut |_, _| {}).unwrap();
    let speed = new.rows() as f64 / start.elapsed().as_secs_f64();
    let [real, new, test] = Frame::together([&train, &new, &test], set.schema()).unwrap();
    let how = format!("{}; {} new rows against {} training rows", setup(model), new.rows(), real.rows());
    let higher = |metric: &str, value: f64, unit: &'static str| Figure::higher(case, metric, value, unit);
    let quality = Quality::of(&real, &new);
    higher("column shapes", quality.shape(), "of 1").print(&how);
    higher("pair trends", quality.trend(), "of 1").limit(limits[0]).print(&how);
    let found = detect(&real, &new, Judge::Trees, 0, 0).score;
    higher("C2ST by boosted trees", found, "of 1").limit(limits[1]).print(&how);
    let linear = detect(&real, &new, Judge::Logistic, 0, 0).score;
    higher("C2ST by logistic regression", linear, "of 1").print(&how);
    let label = real.position("income").unwrap();
    if let Some(Utility::Category { auc, f1 }) = utility(&new, &test, &real, label, 0, 0) {
        higher("AUC on real rows, trained on new", auc.value, "AUC").limit(limits[2]).print(&how);
        higher("F1 on real rows, trained on new", f1.value, "F1").print(&how);
    }
    let reached = manifold(&real, &new);
    higher("α-precision", reached.alpha_precision, "of 1").print(&how);
    higher("β-recall", reached.beta_recall, "of 1").limit(limits[3]).print(&how);
    let copies = privacy(&new, &real, &test, 0);
    let far = (copies.closer_share() - 0.505).abs();
    let shown = format!("{how}; share {:.3}", copies.closer_share());
    Figure::lower(case, "closer to train than to holdout, from the middle of .45 to .56", far, "share")
        .limit(0.055)
        .print(&shown);
    Figure::lower(case, "exact copies", copies.exact_share(), "share").print(&how);
    higher("rows a second", speed, "rows/s").print(&how);
}
