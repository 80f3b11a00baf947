//! What every family of table models must pass, on a table of four fields.
#![allow(clippy::unwrap_used)]

use burn::tensor::Device;
use mintage_data::{RowBatch, RowInfo, table::codec::Field};
use mintage_nn::{Rng, TensorMap};

use super::{HIDDEN, RowDraw, TableConfig, TableModel};
use crate::models::{Family, Size};

const ROWS: usize = 64;
const FIELDS: usize = 4;

/// Two small fields of which the second follows from the first, an ordinal field of which the last token stands
/// apart, and a number of many tokens that goes with it.
pub fn tiny_rows() -> (RowInfo, RowBatch) {
    let mut rng = Rng::new(3, 0);
    let row = |_| {
        let (a, c) = (rng.below(3) as u16, rng.below(8) as u16);
        [a, (2 * a + 1) % 3, c, c * 7 + rng.below(7) as u16]
    };
    let tokens: Vec<u16> = (0..ROWS).flat_map(row).collect();
    let field = |at: usize, size: usize, ordinal: bool, unordered: usize| {
        let mut counts = vec![0; size];
        tokens.iter().skip(at).step_by(FIELDS).for_each(|&token| counts[token as usize] += 1);
        Field { column: at, size, ordinal, unordered, detail: false, counts }
    };
    let fields = vec![field(0, 3, false, 0), field(1, 3, false, 0), field(2, 8, true, 1), field(3, 56, true, 2)];
    (RowInfo { fields, train_len: ROWS }, RowBatch { tokens, n: ROWS })
}

fn tiny(family: Family, options: &str) -> (TableModel, RowBatch) {
    let (info, batch) = tiny_rows();
    let options: toml::Table = options.parse().unwrap();
    let config = TableConfig::preset(Some(family), Size::Tiny, &info, &options).unwrap();
    (TableModel::new(&config, &info, &Device::flex(), &mut Rng::new(1, 0)), batch)
}

/// Trains on the same rows over the whole budget; the first metric of the last steps is clearly below that of the
/// first ones of the same phase.
pub fn check_overfits(family: Family, options: &str, steps: usize) {
    let (mut model, batch) = tiny(family, options);
    let begin = model.phases().last().map_or(0.0, |phase| phase.1);
    let mut losses = Vec::new();
    for i in 0..steps {
        let progress = i as f64 / steps as f64;
        let metrics = model.step(&batch, progress, &mut Rng::new(9, i as u64)).unwrap();
        if progress >= begin {
            losses.push(metrics.first().unwrap());
        }
    }
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (first, last) = (mean(&losses[..5]), mean(&losses[losses.len() - 5..]));
    assert!(last < first - 0.3 * first.abs(), "loss went from {first} to {last}");
}

/// A model that reads another's state draws and learns the same to the last bit; one that reads its weights draws
/// the same.
pub fn check_save_load(family: Family, options: &str) {
    let (mut a, batch) = tiny(family, options);
    for (i, progress) in [0.1, 0.9].into_iter().enumerate() {
        a.step(&batch, progress, &mut Rng::new(2, i as u64)).unwrap();
    }
    let (mut resumed, mut published) = (tiny(family, options).0, tiny(family, options).0);
    let (mut state, mut weights) = (TensorMap::default(), TensorMap::default());
    a.save_state(&mut state);
    a.save_weights(&mut weights);
    resumed.load_state(&through_a_file(&state)).unwrap();
    published.load_weights(&through_a_file(&weights)).unwrap();
    let rows = |model: &TableModel| model.sample(&RowDraw::new(20), &mut Rng::new(3, 0));
    assert_eq!(rows(&a), rows(&resumed));
    assert_eq!(rows(&a), rows(&published));
    for i in 0..4 {
        let step = |model: &mut TableModel| model.step(&batch, 0.95, &mut Rng::new(4, i)).unwrap();
        assert_eq!(step(&mut a), step(&mut resumed));
    }
    assert_eq!(rows(&a), rows(&resumed));
}

fn through_a_file(map: &TensorMap) -> TensorMap {
    let path = tempfile::tempdir().unwrap().keep().join("state.safetensors");
    map.save(&path).unwrap();
    let read = TensorMap::load(&path).unwrap();
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    read
}

/// Given tokens stay, and fields keep to the tokens that they may have.
pub fn check_conditions(family: Family, options: &str) {
    let (mut model, batch) = tiny(family, options);
    for (i, progress) in [0.1, 0.9].into_iter().enumerate() {
        model.step(&batch, progress, &mut Rng::new(2, i as u64)).unwrap();
    }
    let mut given = batch.tokens.clone();
    let mut rng = Rng::new(5, 0);
    given.iter_mut().for_each(|token| if rng.below(2) == 0 { *token = HIDDEN });
    let allowed: Vec<Option<Vec<bool>>> = vec![
        None,
        Some(vec![true, false, true]),
        None,
        Some((0..56).map(|token| (20..30).contains(&token) || token == 55).collect()),
    ];
    // What is given is allowed: whoever asks sees to that.
    for row in given.chunks_exact_mut(FIELDS) {
        for (token, allowed) in row.iter_mut().zip(&allowed) {
            let clash = allowed.as_ref().is_some_and(|allowed| *token != HIDDEN && !allowed[*token as usize]);
            *token = if clash { HIDDEN } else { *token };
        }
    }
    for given in [&given[..], &[]] {
        let draw = RowDraw { n: ROWS, given, allowed: &allowed, temperature: 0.8 };
        let rows = model.sample(&draw, &mut Rng::new(6, 0));
        assert_eq!(rows.len(), ROWS * FIELDS);
        let mut asked = given.iter();
        for row in rows.chunks_exact(FIELDS) {
            for (field, &token) in row.iter().enumerate() {
                let wanted = asked.next().copied().unwrap_or(HIDDEN);
                assert!(wanted == HIDDEN || wanted == token, "{wanted} became {token}");
                assert!(allowed[field].as_ref().is_none_or(|allowed| allowed[token as usize]), "{token}");
                assert!((token as usize) < [3, 3, 8, 56][field], "{token}");
            }
        }
    }
}
