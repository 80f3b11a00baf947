//! The inference attack: do the new rows give away a cell of a record whose other cells are known?
//!
//! After Giomi et al., 2023 (arXiv:2211.10459). The attacker knows all columns of a person but one, looks for the
//! nearest new row by these, and guesses that the secret is what is written there. A category is guessed
//! if it is equal, a number if it differs from the guess by at most a twentieth of the guess.
//! (anonymeter takes any number for right if its guess is negative; here the guess counts without its sign.)

use mintage_nn::Rng;

use super::{
    attacks::{Attack, Trials, targets},
    frame::{Frame, Values},
    gower::Gower,
};

/// How far a guess of a number may be off, as a share of it.
const TOLERANCE: f64 = 0.05;

/// What the inference attack found for each column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inference {
    /// One attack for each column as the secret, named after it.
    pub columns: Vec<Attack>,
    /// The column at the highest risk; `None` where the attack could not be made.
    ///
    /// It is chosen by every second target and its risk is measured on the others: the highest of many
    /// numbers is too high by chance, and would be above 0 for rows that are truly new.
    pub highest: Option<Attack>,
}

/// Guesses each column of up to `guesses` training rows, and of as many held-out ones.
pub fn inference(train: &Frame, holdout: &Frame, new: &Frame, guesses: usize, seed: u64) -> Inference {
    if new.rows() == 0 || train.rows() == 0 || new.columns.len() < 2 {
        return Inference::default();
    }
    let mut rng = Rng::new(seed, 0);
    let [known, held_out] = [train, holdout].map(|frame| targets(frame, guesses, &mut rng));
    let main = nearest_rows(&known, new);
    let control = nearest_rows(&held_out, new);
    let random: Vec<Option<usize>> = (0..known.rows()).map(|_| Some(rng.below(new.rows()))).collect();
    let random = vec![random; new.columns.len()];
    let right =
        [successes(&known, new, &main), successes(&held_out, new, &control), successes(&known, new, &random)];
    let every = |place: usize, from: usize, step: usize| {
        let [main, control, baseline] = [0, 1, 2]
            .map(|attack| right[attack][place].iter().copied().skip(from).step_by(step).collect::<Trials>());
        Attack::of(&new.columns[place].name, main, control, baseline)
    };
    let highest = (0..new.columns.len()).max_by(|&a, &b| {
        let [a, b] = [a, b].map(|place| every(place, 0, 2).risk);
        a.low.total_cmp(&b.low).then(a.value.total_cmp(&b.value))
    });
    Inference {
        columns: (0..new.columns.len()).map(|place| every(place, 0, 1)).collect(),
        highest: highest.map(|place| every(place, 1, 2)),
    }
}

/// For each column the new row that is nearest to each target by the other columns. `[n_columns][n_targets]`
fn nearest_rows(targets: &Frame, new: &Frame) -> Vec<Vec<Option<usize>>> {
    let places: Vec<usize> = (0..new.columns.len()).collect();
    let found = Gower::of(targets, new, &places).nearest_without_each();
    places.iter().map(|&place| found.iter().map(|rows| rows[place]).collect()).collect()
}

/// For each column whether the cell of each target is guessed by the cell of a new row. `[n_columns][n_targets]`
fn successes(targets: &Frame, new: &Frame, rows: &[Vec<Option<usize>>]) -> Vec<Vec<bool>> {
    let column = |(place, rows): (usize, &Vec<Option<usize>>)| {
        let (secrets, guesses) = (&targets.columns[place].values, &new.columns[place].values);
        let right = |(target, row): (usize, &Option<usize>)| {
            row.is_some_and(|row| is_right(secrets, target, guesses, row))
        };
        rows.iter().enumerate().map(right).collect()
    };
    rows.iter().enumerate().map(column).collect()
}

fn is_right(secrets: &Values, target: usize, guesses: &Values, row: usize) -> bool {
    match (secrets, guesses) {
        (Values::Numbers(secrets), Values::Numbers(guesses)) => {
            let (secret, guess) = (secrets[target], guesses[row]);
            (secret.is_nan() && guess.is_nan()) || (guess - secret).abs() / (guess.abs() + 1e-12) <= TOLERANCE
        }
        (Values::Categories { codes: secrets, .. }, Values::Categories { codes: guesses, .. }) => {
            secrets[target] == guesses[row]
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{
        super::{
            attacks::testing::{Case, assert_same, cases, listed},
            frame::testing::frame,
            neighbours::testing::mixed,
        },
        *,
    };

    fn assert_all_same(main: &Frame, control: &Frame, new: &Frame, expected: &serde_json::Value) {
        let [main, control] = [main, control].map(|frame| successes(frame, new, &nearest_rows(frame, new)));
        for (place, column) in new.columns.iter().enumerate() {
            let [main, control] = [&main, &control].map(|of| of[place].iter().copied().collect());
            let found = Attack::of(&column.name, main, control, Trials::default());
            assert_same(&found, &expected[&column.name], &column.name);
        }
    }

    #[test]
    fn anonymeter_guesses_the_same_cells() {
        for Case { main, control, new, expected } in cases() {
            let expected = &expected["inference"];
            assert_all_same(&main, &control, &new, &expected["all_rows"]);
            let untied = &expected["untied_rows"];
            let main = listed(&main, untied, "main_rows");
            let control = listed(&control, untied, "control_rows");
            assert_all_same(&main, &control, &new, &untied["found"]);
        }
    }

    #[test]
    fn anonymeter_has_the_same_baseline() {
        let [Case { main, new, expected, .. }, _] = cases();
        let same_number: Vec<Option<usize>> = (0..main.rows()).map(Some).collect();
        let right = successes(&main, &new, &vec![same_number; new.columns.len()]);
        for (column, right) in new.columns.iter().zip(right) {
            let found = right.into_iter().filter(|&right| right).count() as u64;
            let expected = &expected["inference"]["all_rows"][&column.name]["baseline"];
            assert_eq!(Some(found), expected.as_u64(), "{}", column.name);
        }
    }

    #[test]
    fn copies_give_cells_away_and_fresh_rows_do_not() {
        let (train, holdout, fresh) = (mixed(1000, 1), mixed(1500, 2), mixed(1000, 3));
        let copied = inference(&train, &holdout, &train, 400, 1);
        assert_eq!((copied.columns.len(), copied.columns[0].guesses), (7, 400));
        let highest = copied.highest.unwrap();
        assert!(highest.guesses == 200 && highest.risk.low > 0.8, "{highest:?}");
        let new = inference(&train, &holdout, &fresh, 400, 1).highest.unwrap();
        assert!(new.risk.low < 0.05 && new.risk.value < 0.2, "{new:?}");
    }

    #[test]
    fn a_guess_of_a_number_is_right_within_a_twentieth() {
        let secrets = Values::Numbers(vec![100.0, -100.0, 0.0, f64::NAN]);
        let guesses = Values::Numbers(vec![105.0, 106.0, -105.0, 0.0, f64::NAN]);
        let right = |target, row| is_right(&secrets, target, &guesses, row);
        assert!(right(0, 0) && !right(0, 1) && !right(0, 2) && !right(0, 4));
        assert!(right(1, 2) && !right(1, 0) && right(2, 3) && !right(2, 0));
        assert!(right(3, 4) && !right(3, 3));
    }

    #[test]
    fn nothing_to_attack_is_not_attacked() {
        let (some, none) = (mixed(20, 1), mixed(20, 1).select(&[]));
        let one = frame(&[&[1.0, 2.0]], &[]);
        for (train, new) in [(&some, &none), (&none, &some), (&one, &one)] {
            assert_eq!(inference(train, train, new, 10, 1), Inference::default());
        }
        assert_eq!(inference(&some, &none, &some, 10, 1).columns[0].guesses, 10);
        // Equal columns are guessed everywhere, which is no risk.
        let equal = frame(&[&[2.0; 8], &[f64::NAN; 8], &[0.0; 8]], &[&[1; 8]]);
        let found = inference(&equal, &equal, &equal, 10, 1);
        assert!(found.columns.iter().all(|attack| attack.risk.value == 0.0), "{found:?}");
    }
}
