//! The linkability attack: do the new rows tell which two halves of a record belong together?
//!
//! After Giomi et al., 2023 (arXiv:2211.10459). An attacker holds two tables of the same people, one with
//! these columns and one with those (the customers of two shops), and links a row of one with a row of the other
//! if the same new row is the nearest to both. A guess is right if it links the halves of one person.

use mintage_nn::Rng;

use super::{
    attacks::{Attack, Trials, targets},
    frame::Frame,
    gower::Gower,
};

const NAME: &str = "linkability";

/// Links the halves of up to `guesses` training rows, and of as many held-out ones.
///
/// One table of the attacker has every second column, from the first on; the other has the rest.
pub fn linkability(train: &Frame, holdout: &Frame, new: &Frame, guesses: usize, seed: u64) -> Attack {
    if new.rows() == 0 || new.columns.len() < 2 {
        return Attack::not_made(NAME);
    }
    let mut rng = Rng::new(seed, 0);
    let mut attack = |frame: &Frame| links(&targets(frame, guesses, &mut rng), new);
    let [main, control] = [train, holdout].map(|frame| attack(frame).into_iter().collect::<Trials>());
    let mut row = || rng.below(new.rows());
    let baseline = (0..main.guesses).map(|_| row() == row()).collect();
    Attack::of(NAME, main, control, baseline)
}

/// For each target whether its halves are linked.
fn links(targets: &Frame, new: &Frame) -> Vec<bool> {
    let half = |from: usize| (from..new.columns.len()).step_by(2).collect::<Vec<_>>();
    let [first, second] = [0, 1].map(|from| Gower::of(targets, new, &half(from)).nearest());
    first.into_iter().zip(second).map(|(a, b)| a.is_some() && a == b).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            attacks::testing::{assert_same, cases, listed},
            frame::testing::frame,
            neighbours::testing::mixed,
        },
        *,
    };

    fn all_rows(main: &Frame, control: &Frame, new: &Frame) -> Attack {
        let [main, control] = [main, control].map(|frame| links(frame, new).into_iter().collect());
        Attack::of(NAME, main, control, Trials::default())
    }

    #[test]
    fn anonymeter_links_the_same_rows() {
        for case in cases() {
            let expected = &case.expected["linkability"];
            let found = all_rows(&case.main, &case.control, &case.new);
            assert_same(&found, &expected["all_rows"], "all rows");
            let untied = &expected["untied_rows"];
            let main = listed(&case.main, untied, "main_rows");
            let control = listed(&case.control, untied, "control_rows");
            assert_same(&all_rows(&main, &control, &case.new), &untied["found"], "untied rows");
        }
    }

    #[test]
    fn copies_are_linked_and_fresh_rows_are_not() {
        let (train, holdout, fresh) = (mixed(1000, 1), mixed(1500, 2), mixed(1000, 3));
        let copied = linkability(&train, &holdout, &train, 400, 1);
        assert!(copied.guesses == 400 && copied.risk.low > 0.3, "{copied:?}");
        assert!(copied.baseline.value < 0.02, "{copied:?}");
        let new = linkability(&train, &holdout, &fresh, 400, 1);
        assert!(new.risk.low == 0.0 && new.risk.high < 0.1, "{new:?}");
    }

    #[test]
    fn nothing_to_attack_is_not_attacked() {
        let (some, none) = (mixed(20, 1), mixed(20, 1).select(&[]));
        let one = frame(&[&[1.0, 2.0]], &[]);
        assert_eq!(linkability(&some, &some, &none, 10, 1).guesses, 0);
        assert_eq!(linkability(&one, &one, &one, 10, 1).guesses, 0);
        assert_eq!(linkability(&none, &some, &some, 10, 1).guesses, 0);
        assert_eq!(linkability(&some, &none, &some, 10, 1).guesses, 10);
        let missing = frame(&[&[f64::NAN; 5], &[2.0; 5]], &[]);
        assert_eq!(linkability(&missing, &missing, &missing, 10, 1).guesses, 5);
    }
}
