//! A watch over the game of a generator and its critics: it sees when the game is over, and goes back to where it was not.
//!
//! Adversarial training can run into states that it does not leave by itself, and all of a budget that is spent there is
//! wasted. Four of them are told by numbers that a step has computed anyway:
//!
//! | state | what is seen |
//! |---|---|
//! | without numbers | losses or gradients that are not finite, three steps in a row |
//! | divergence | a loss above 10⁴: the scores grow without bound |
//! | a critic that has won | the generator's loss is above 50, its gradient is below 10⁻⁴ or above 10⁴ |
//! | collapse | a generated batch has less than 5 % of the spread (standard deviation) of a real one |
//!
//! The generator's loss is about the margin `E[D(x) − D(G(z))]` of the critic. A margin alone is no fault, since a critic that
//! tells every pair apart may still teach; where the gradient vanishes or explodes as well, nothing leads the generator back.
//!
//! A single step says little. The last three are read from geometric means over about ten steps, which one outlier hardly
//! moves, and these must be out of bounds for fifty steps in a row. A run of a thousand steps so learns of a collapse
//! within its first tenth.
//!
//! While the means are well inside the bounds, the weights and optimisers of both networks are kept in memory every sixty
//! steps (as numbers on the host, seven for each parameter at most; a step's activations take more). Training goes back to
//! them, once: where it fails again before others could be kept, they were bad already, and it begins anew with other random
//! numbers, as it does where nothing was kept. Every recovery halves the learning rate and doubles γ of the penalties.
//!
//! A healthy training is not changed by a single bit: the watch reads numbers and draws none. Its own state, with what it
//! keeps, is part of every checkpoint, so that a resumed run goes back to the same weights at the same step.

use mintage_nn::{Part, TensorMap, WeightsError};

/// Names that the networks of the two players are kept under.
const PLAYERS: [&str; 2] = ["generator", "critic"];
/// Steps in a row without a finite loss after which training goes back: fewer than those that end a run.
const MAX_NOT_FINITE: usize = 3;
/// Steps in a row with means out of bounds after which training goes back.
const PATIENCE: usize = 50;
/// Steps from one time that weights are kept to the next.
const KEEP_EVERY: usize = 60;
/// Share of the newest step in the means.
const NEWEST_SHARE: f32 = 0.1;
/// What the bounds are tightened by for weights that are worth keeping.
const TIGHTER: f64 = 4.0;
/// Counts end here: small enough for a file of f32.
const MAX_COUNT: usize = 1 << 20;

/// Above it a loss has diverged.
const MAX_LOSS: f64 = 1e4;
/// Above this margin of its scores a critic leads by far.
const MAX_LEAD: f64 = 50.0;
/// Norms of a gradient that a generator learns something from.
const MIN_GRADIENT: f64 = 1e-4;
const MAX_GRADIENT: f64 = 1e4;
/// Spread of a generated batch, as a share of a real one's, below which the generator has collapsed.
const MIN_SPREAD: f64 = 0.05;
/// Smaller numbers count as this one: the logarithm of 0 would never be forgotten.
const MIN_TOLD_APART: f64 = 1e-6;

/// What a step says of the state of the game.
#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    /// The loss of the critics, then that of the generator.
    pub losses: [f64; 2],
    /// Norm of the generator's gradient.
    pub gradient: f64,
    /// [`diversity`](super::adversarial::diversity) of the generated batch; `None` where it has a single item.
    pub diversity: Option<f64>,
}

impl Vitals {
    /// Logarithms of the larger loss, the generator's loss, its gradient and the spread of its batch; `None` where one of them
    /// is not finite.
    fn logarithms(self) -> Option<[f32; 4]> {
        let [critics, generator] = self.losses;
        // Diversity is a ratio of squares.
        let spread = self.diversity.map_or(1.0, f64::sqrt);
        let all = [critics.max(generator), generator, self.gradient, spread];
        all.iter().all(|x| x.is_finite()).then(|| all.map(|x| x.max(MIN_TOLD_APART).ln() as f32))
    }
}

/// The watch over one game.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    max_recoveries: usize,
    recoveries: usize,
    /// All recoveries are used up, and it failed again: there is nothing more to do.
    gave_up: bool,
    /// Steps in a row without a finite loss.
    not_finite: usize,
    /// Steps in a row with means out of bounds.
    out_of_bounds: usize,
    /// Steps since weights were kept, since training began, or since it went back.
    since_kept: usize,
    /// Means of the logarithms of [`Vitals`]; 0 at first, which is inside all bounds.
    means: [f32; 4],
    kept: Option<TensorMap>,
    notes: Vec<String>,
}

impl Watch {
    /// A watch that goes back at most `max_recoveries` times; with 0 it sees nothing and keeps nothing.
    pub fn new(max_recoveries: usize) -> Self {
        Self {
            max_recoveries,
            recoveries: 0,
            gave_up: false,
            not_finite: 0,
            out_of_bounds: 0,
            since_kept: 0,
            means: [0.0; 4],
            kept: None,
            notes: Vec::new(),
        }
    }

    /// What the learning rate is multiplied by: 1 until training goes back, then half as much each time.
    pub fn lr_factor(&self) -> f64 {
        0.5f64.powi(self.recoveries as i32)
    }

    /// What γ of the penalties is multiplied by: 1 until training goes back, then twice as much each time.
    pub fn penalty_factor(&self) -> f64 {
        2f64.powi(self.recoveries as i32)
    }

    /// What there is to say of the steps since the last call.
    pub fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Takes note of a step that is done, `None` where it was not finite. `players` are the generator and the critics with
    /// their optimisers, which are kept or put back. Returns whether they are to be made afresh: the game is lost, and nothing
    /// is there to go back to.
    #[must_use]
    pub fn after(&mut self, seen: Option<Vitals>, players: [&mut dyn Part; 2]) -> bool {
        if self.max_recoveries == 0 || self.gave_up {
            return false;
        }
        self.count(seen);
        match self.lost() {
            Some(why) if self.recoveries < self.max_recoveries => self.recover(why, players),
            Some(why) => {
                self.give_up(why);
                false
            }
            None => {
                if self.since_kept >= KEEP_EVERY && self.not_finite == 0 && self.fault(TIGHTER).is_none() {
                    self.keep(&players);
                }
                false
            }
        }
    }

    fn count(&mut self, seen: Option<Vitals>) {
        self.since_kept = (self.since_kept + 1).min(MAX_COUNT);
        let Some(now) = seen.and_then(Vitals::logarithms) else {
            self.not_finite += 1;
            return;
        };
        self.not_finite = 0;
        for (mean, now) in self.means.iter_mut().zip(now) {
            *mean += NEWEST_SHARE * (now - *mean);
        }
        self.out_of_bounds = if self.fault(1.0).is_some() { self.out_of_bounds + 1 } else { 0 };
    }

    /// What the means say is wrong, with bounds that are `tighter` times as narrow.
    fn fault(&self, tighter: f64) -> Option<&'static str> {
        let [loss, lead, gradient, spread] = self.means.map(|mean| f64::from(mean).exp());
        let learns = (MIN_GRADIENT * tighter..=MAX_GRADIENT / tighter).contains(&gradient);
        if loss > MAX_LOSS / tighter {
            Some("the losses grow without bound")
        } else if lead > MAX_LEAD / tighter && !learns {
            Some("the critic has won, and the generator learns no more")
        } else if spread < MIN_SPREAD * tighter {
            Some("the generator has collapsed: it makes almost the same item again and again")
        } else {
            None
        }
    }

    /// Why the game is lost, where it is.
    fn lost(&self) -> Option<&'static str> {
        if self.not_finite >= MAX_NOT_FINITE {
            return Some("the losses are not finite any more");
        }
        (self.out_of_bounds >= PATIENCE).then(|| self.fault(1.0)).flatten()
    }

    fn keep(&mut self, players: &[&mut dyn Part; 2]) {
        let mut kept = TensorMap::default();
        for (name, part) in PLAYERS.iter().zip(players) {
            part.save_state(name, &mut kept);
        }
        self.kept = Some(kept);
        self.since_kept = 0;
    }

    /// Puts the players back to what was kept; tells whether they are to be made afresh instead.
    fn recover(&mut self, why: &str, players: [&mut dyn Part; 2]) -> bool {
        let put_back = |kept: TensorMap| {
            let mut players = PLAYERS.into_iter().zip(players);
            players.all(|(name, part)| part.load_state(name, &kept).is_ok())
        };
        let is_back = self.kept.take().is_some_and(put_back);
        let how = match is_back {
            true => format!("goes on from the weights of {} steps before", self.since_kept),
            false => "begins anew, from other random numbers".to_owned(),
        };
        let mut notes = self.notes();
        notes.push(format!("{why}; training {how}, with half the learning rate and twice the penalty"));
        *self = Self { recoveries: self.recoveries + 1, notes, ..Self::new(self.max_recoveries) };
        !is_back
    }

    fn give_up(&mut self, why: &str) {
        (self.gave_up, self.kept) = (true, None);
        let hint = "a lower -s model.lr=… or a higher -s model.penalty=… may help";
        self.notes
            .push(format!("{why}, and training has gone back {} times already: {hint}", self.recoveries));
    }
}

impl Part for Watch {
    /// A published model has none: nothing of it is needed to sample.
    fn save_weights(&self, _name: &str, _map: &mut TensorMap) {}

    fn load_weights(&mut self, _name: &str, _map: &TensorMap) -> Result<(), WeightsError> {
        Ok(())
    }

    fn save_state(&self, name: &str, map: &mut TensorMap) {
        if self.max_recoveries == 0 {
            return;
        }
        let counts = [
            self.recoveries,
            usize::from(self.gave_up),
            self.not_finite,
            self.out_of_bounds.min(MAX_COUNT),
            self.since_kept,
        ];
        map.insert(format!("{name}.counts"), &[5], counts.map(|count| count as f32).to_vec());
        map.insert(format!("{name}.means"), &[4], self.means.to_vec());
        for (key, tensor) in self.kept.iter().flat_map(|kept| &kept.tensors) {
            map.insert(format!("{name}.kept.{key}"), &tensor.shape, tensor.values.clone());
        }
    }

    fn load_state(&mut self, name: &str, map: &TensorMap) -> Result<(), WeightsError> {
        *self = Self::new(self.max_recoveries);
        let counts = format!("{name}.counts");
        // Checkpoints of earlier versions have no watch: it begins with the next step.
        if self.max_recoveries == 0 || !map.tensors.contains_key(&counts) {
            return Ok(());
        }
        let counts = &map.of_shape(&counts, &[5])?.values;
        let count = |at: usize| (counts[at] as usize).min(MAX_COUNT);
        (self.recoveries, self.gave_up) = (count(0).min(self.max_recoveries), count(1) > 0);
        (self.not_finite, self.out_of_bounds, self.since_kept) = (count(2), count(3), count(4));
        self.means.copy_from_slice(&map.of_shape(&format!("{name}.means"), &[4])?.values);
        let prefix = format!("{name}.kept.");
        let mut kept = TensorMap::default();
        for (key, tensor) in &map.tensors {
            if let Some(key) = key.strip_prefix(&prefix) {
                kept.tensors.insert(key.to_owned(), tensor.clone());
            }
        }
        self.kept = (!kept.tensors.is_empty()).then_some(kept);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::tensor::{Device, Tensor};
    use mintage_nn::{AdamW, Rng, Trainable, layers::Linear};

    use super::*;
    use crate::models::common::test_support::check_save_load;

    const HEALTHY: Vitals = Vitals { losses: [0.7, 0.8], gradient: 1.0, diversity: Some(0.8) };
    const COLLAPSED: Vitals = Vitals { diversity: Some(0.0), ..HEALTHY };

    struct Game {
        watch: Watch,
        generator: Trainable<Linear>,
        critic: Trainable<Linear>,
    }

    impl Game {
        fn new(max_recoveries: usize) -> Self {
            let on = Device::flex().autodiff();
            let mut rng = Rng::new(1, 0);
            let mut player = || Trainable::new(Linear::new(3, 2, 1.0, &on, &mut rng), AdamW::default());
            Self { watch: Watch::new(max_recoveries), generator: player(), critic: player() }
        }

        /// Moves both players, and shows the watch what is given.
        fn step(&mut self, seen: Option<Vitals>) -> bool {
            for player in [&mut self.generator, &mut self.critic] {
                let x: Tensor<2> = Tensor::ones([4, 3], &Device::flex().autodiff());
                let loss = player.net().forward(x).powi_scalar(2).sum();
                player.update(loss, 0.01).unwrap();
            }
            self.watch.after(seen, [&mut self.generator, &mut self.critic])
        }

        fn players(&self) -> TensorMap {
            let mut map = TensorMap::default();
            self.generator.save_state("generator", &mut map);
            self.critic.save_state("critic", &mut map);
            map
        }
    }

    /// What is noted of up to a hundred such steps.
    fn noted(game: &mut Game, seen: Option<Vitals>) -> Option<String> {
        (0..100).find_map(|_| {
            let _ = game.step(seen);
            game.watch.notes().pop()
        })
    }

    #[test]
    fn every_state_that_is_lost_is_seen() {
        let vanished = Vitals { losses: [0.0, 80.0], gradient: 1e-7, diversity: Some(0.5) };
        let lost = [
            (None, "not finite"),
            (Some(Vitals { losses: [1e6, 0.0], ..HEALTHY }), "without bound"),
            (Some(vanished), "the critic has won"),
            (Some(Vitals { gradient: 1e6, ..vanished }), "the critic has won"),
            (Some(COLLAPSED), "collapsed"),
            (Some(Vitals { diversity: Some(f64::NAN), ..HEALTHY }), "not finite"),
        ];
        for (seen, why) in lost {
            let note = noted(&mut Game::new(1), seen).unwrap_or_default();
            assert!(note.contains(why) && note.contains("begins anew"), "{seen:?}: {note}");
        }
        // A critic that leads but teaches, a batch of one item, and outliers are no fault.
        let led = Vitals { gradient: 3.0, ..vanished };
        let single = Vitals { diversity: None, ..HEALTHY };
        for seen in [HEALTHY, led, single] {
            assert_eq!(noted(&mut Game::new(1), Some(seen)), None, "{seen:?}");
        }
        let mut game = Game::new(1);
        for i in 0..100 {
            let outlier = Vitals { losses: [1e30, 1e30], gradient: 1e30, diversity: Some(0.0) };
            let seen = [Some(HEALTHY), Some(outlier), None][if i % 20 < 18 { 0 } else { i % 20 - 17 }];
            assert!(!game.step(seen) && game.watch.notes().is_empty(), "{i}");
        }
    }

    #[test]
    fn goes_back_to_what_was_kept_and_then_begins_anew() {
        let mut game = Game::new(3);
        for _ in 0..KEEP_EVERY {
            assert!(!game.step(Some(HEALTHY)));
        }
        let kept = game.players();
        let note = noted(&mut game, Some(COLLAPSED)).unwrap();
        assert!(note.contains("goes on from the weights of"), "{note}");
        assert_eq!(game.players(), kept);
        assert_eq!((game.watch.lr_factor(), game.watch.penalty_factor()), (0.5, 2.0));
        // It fails again before others are kept.
        assert!(!game.step(None) && !game.step(None) && game.step(None));
        assert_eq!((game.watch.lr_factor(), game.watch.penalty_factor()), (0.25, 4.0));
        assert_eq!(game.watch.notes().len(), 1);
    }

    #[test]
    fn goes_back_so_often_and_no_more() {
        let mut game = Game::new(2);
        assert!(noted(&mut game, Some(COLLAPSED)).is_some() && noted(&mut game, Some(COLLAPSED)).is_some());
        let note = noted(&mut game, Some(COLLAPSED)).unwrap();
        assert!(note.contains("gone back 2 times already"), "{note}");
        assert_eq!(noted(&mut game, Some(COLLAPSED)), None);
        assert_eq!(game.watch.lr_factor(), 0.25);
        let mut off = Game::new(0);
        assert_eq!((noted(&mut off, None), off.watch.kept), (None, None));
    }

    #[test]
    fn resumes_to_the_same_state() {
        let mut game = Game::new(3);
        for i in 0..90 {
            let seen = if i < KEEP_EVERY { HEALTHY } else { COLLAPSED };
            assert!(!game.step(Some(seen)));
        }
        let mut watch = Watch::new(3);
        check_save_load(
            |map| game.watch.save_state("watch", map),
            |map| watch.load_state("watch", map).unwrap(),
        );
        assert_eq!(watch, game.watch);
        assert!(watch.kept.is_some() && watch.out_of_bounds > 0);
        // Of before there was a watch.
        watch.load_state("watch", &TensorMap::default()).unwrap();
        assert_eq!(watch, Watch::new(3));
    }
}
