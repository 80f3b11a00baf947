//! Dates of rows that never lie before a date of their parent, or never after it: an order comes after its customer joined.
//! Rows for which that is not so are drawn again.

use mintage_data::{
    Table,
    table::schema::{Kind, TableSchema},
};

use super::{
    cells::{by_text, number},
    filled::{Filled, NONE},
    plan::{Bound, Context},
};

/// Fewer pairs of dates say nothing.
const MIN_PAIRS: usize = 20;

/// What bounds the dates of a table: `parents` has what is seen of its parents, with the rows there.
pub(super) fn find(
    found: &TableSchema,
    own: &[String],
    filled: &Filled,
    parents: &[(&Context, Vec<u32>, &Filled)],
) -> Vec<Bound> {
    let dates =
        found.columns.iter().filter(|column| column.kind == Kind::Datetime && own.contains(&column.name));
    let mut bounds = Vec::new();
    for name in dates.map(|column| &column.name) {
        for (context, rows, parent) in parents {
            let pair = |row: usize| {
                let theirs = rows.get(row).filter(|theirs| **theirs != NONE)?;
                Some((
                    number(filled.cell(name, row as u32)?)?,
                    number(parent.cell(&context.column, *theirs)?)?,
                ))
            };
            let pairs: Vec<(f64, f64)> = (0..filled.rows()).filter_map(pair).collect();
            if let Some(is_later) = order_of(&pairs) {
                bounds.push(Bound { column: name.clone(), parent: context.name.clone(), is_later });
            }
        }
    }
    bounds
}

/// Whether the first of each pair is never before the second, or never after it, although they lie among each other.
fn order_of(pairs: &[(f64, f64)]) -> Option<bool> {
    if pairs.len() < MIN_PAIRS {
        return None;
    }
    let ends = |of: fn(&(f64, f64)) -> f64| {
        let all = || pairs.iter().map(of);
        (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max))
    };
    let ((first, last), (theirs_first, theirs_last)) = (ends(|pair| pair.0), ends(|pair| pair.1));
    let is_later = pairs.iter().all(|(own, theirs)| own >= theirs) && first < theirs_last;
    let is_earlier = pairs.iter().all(|(own, theirs)| own <= theirs) && theirs_first < last;
    (is_later != is_earlier).then_some(is_later)
}

/// For each row how many bounds it breaks.
pub(super) fn broken(bounds: &[Bound], rows: &Table) -> Vec<u32> {
    let mut broken = vec![0; rows.rows()];
    for bound in bounds {
        let (Some(own), Some(theirs)) = (rows.column(&bound.column), rows.column(&bound.parent)) else {
            continue;
        };
        let dates = by_text(own, number, None).into_iter().zip(by_text(theirs, number, None));
        for (broken, (own, theirs)) in broken.iter_mut().zip(dates) {
            let Some((own, theirs)) = own.zip(theirs) else { continue };
            *broken += u32::from(if bound.is_later { own < theirs } else { own > theirs });
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use mintage_data::Column;

    use super::*;

    #[test]
    fn orders_of_dates_are_found_where_they_could_be_otherwise() {
        let pairs =
            |shift: f64| (0..40).map(|row| (f64::from(row) + shift, f64::from(row))).collect::<Vec<_>>();
        assert_eq!((order_of(&pairs(2.0)), order_of(&pairs(-2.0))), (Some(true), Some(false)));
        assert_eq!(
            (order_of(&pairs(100.0)), order_of(&pairs(0.0)), order_of(&pairs(2.0)[..5])),
            (None, None, None)
        );
    }

    #[test]
    fn broken_bounds_are_counted() {
        let columns = vec![
            Column::of("at", [Some("2024-01-05"), Some("2024-01-01"), None]),
            Column::of("customer>joined", [Some("2024-01-02"), Some("2024-01-02"), Some("2024-01-02")]),
        ];
        let rows = Table { columns, ..Table::default() };
        let bound = Bound { column: "at".to_owned(), parent: "customer>joined".to_owned(), is_later: true };
        assert_eq!(broken(&[bound], &rows), [0, 1, 0]);
    }
}
