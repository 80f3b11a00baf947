//! What new items are made from, beside classes and conditions: nothing, one item to vary or to continue, two to
//! interpolate between, several to blend.

use mintage_nn::Rng;

/// Anchors of a blend at most.
pub const MAX_ANCHORS: usize = 8;

/// What new items are made from.
///
/// `T` is an item as the caller has it: pixels, samples, tokens, a text, a tune.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Conditioning<T> {
    /// New items.
    #[default]
    None,
    /// Variations of an item.
    Vary {
        /// The item that is varied.
        item: T,
        /// From 0, which gives the item as the model sees it, to 1, which gives a new one.
        strength: f32,
    },
    /// From one item to another, both ends included.
    Interpolate {
        /// The item at the beginning.
        from: T,
        /// The item at the end.
        to: T,
    },
    /// One item whose start is a weighted mean of the starts of its anchors: a place on a pad between them.
    ///
    /// Seeds are blended as noise, [`Rng::blend`]: the sum by weights over the root of the sum of their squares, which is
    /// as long as noise is. Encoded items are added to it one after the other as interpolation does: on the sphere where a
    /// model keeps noise or latent vectors, on the straight line where it begins with an item and some noise. What is not
    /// noise (class, length, choice of tokens) comes from the heaviest anchor, the first of equals.
    Blend {
        /// 2 to [`MAX_ANCHORS`].
        anchors: Vec<Anchor<T>>,
        /// One an anchor, 0 or more, not all 0; what counts is their share of the sum.
        weights: Vec<f32>,
    },
    /// What comes after an item, which is kept as it is.
    Continue {
        /// The item that the new one begins with.
        item: T,
    },
}

/// A corner of a blend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Anchor<T> {
    /// The first new item of a seed.
    Seed(u64),
    /// An item.
    Item(T),
}

impl<T> Conditioning<T> {
    /// The same with each item as `f` sees it.
    pub fn map<'a, U>(&'a self, f: impl Fn(&'a T) -> U) -> Conditioning<U> {
        match self {
            Self::None => Conditioning::None,
            Self::Vary { item, strength } => Conditioning::Vary { item: f(item), strength: *strength },
            Self::Interpolate { from, to } => Conditioning::Interpolate { from: f(from), to: f(to) },
            Self::Blend { anchors, weights } => {
                let anchor = |anchor: &'a Anchor<T>| match anchor {
                    Anchor::Seed(seed) => Anchor::Seed(*seed),
                    Anchor::Item(item) => Anchor::Item(f(item)),
                };
                Conditioning::Blend {
                    anchors: anchors.iter().map(anchor).collect(),
                    weights: weights.clone(),
                }
            }
            Self::Continue { item } => Conditioning::Continue { item: f(item) },
        }
    }

    /// The item that is varied or continued, or that decides in a blend.
    pub fn item(&self) -> Option<&T> {
        match self {
            Self::Vary { item, .. } | Self::Continue { item } => Some(item),
            Self::Blend { .. } => match self.heaviest() {
                Some(Anchor::Item(item)) => Some(item),
                _ => None,
            },
            Self::None | Self::Interpolate { .. } => None,
        }
    }

    /// Whether it takes no item, so that a model without an encoder can meet it: nothing, or a blend of seeds.
    pub fn is_noise(&self) -> bool {
        match self {
            Self::None => true,
            Self::Blend { anchors, .. } => anchors.iter().all(|anchor| matches!(anchor, Anchor::Seed(_))),
            _ => false,
        }
    }

    /// Anchors with the weights that are not 0; none where nothing is blended.
    fn weighted(&self) -> impl Iterator<Item = (&Anchor<T>, f32)> {
        let (anchors, weights) = match self {
            Self::Blend { anchors, weights } => (&anchors[..], &weights[..]),
            _ => (&[][..], &[][..]),
        };
        anchors.iter().zip(weights.iter().copied()).filter(|(_, weight)| *weight > 0.0)
    }

    /// The anchor of the largest weight, the first of equals.
    pub fn heaviest(&self) -> Option<&Anchor<T>> {
        let largest = self.weighted().map(|(_, weight)| weight).fold(0.0, f32::max);
        self.weighted().find(|(_, weight)| *weight == largest).map(|(anchor, _)| anchor)
    }

    /// The items of a blend in their order, each with its share of the sum of weights.
    pub fn item_shares(&self) -> Vec<(&T, f32)> {
        let sum: f32 = self.weighted().map(|(_, weight)| weight).sum();
        let anchors = self.weighted().filter_map(|(anchor, weight)| match anchor {
            Anchor::Item(item) => Some((item, weight / sum)),
            Anchor::Seed(_) => None,
        });
        anchors.collect()
    }

    /// The same as steps from the blended noise of the seeds: each item with the share of the way to it, from what came
    /// before.
    pub fn item_steps(&self) -> Vec<(&T, f32)> {
        let shares = self.item_shares();
        let mut before = 1.0 - shares.iter().map(|(_, share)| share).sum::<f32>();
        // Without a seed the way begins at the first item, whatever was lost in rounding.
        if !self.weighted().any(|(anchor, _)| matches!(anchor, Anchor::Seed(_))) {
            before = 0.0;
        }
        let step = |(item, share): (_, f32)| {
            before += share;
            (item, share / before)
        };
        shares.into_iter().map(step).collect()
    }

    /// Random numbers for what is drawn from the `stream` of a seed: those of the seed, or the blend of the anchors' seeds.
    pub(crate) fn random(&self, seed: u64, stream: u64) -> Rng {
        let of_seed = |(anchor, weight): (&Anchor<T>, f32)| match anchor {
            Anchor::Seed(seed) => Some((Rng::new(*seed, stream), weight)),
            Anchor::Item(_) => None,
        };
        Rng::blend(self.weighted().filter_map(of_seed).collect()).unwrap_or_else(|| Rng::new(seed, stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_keeps_what_is_asked_for() {
        let of = |conditioning: Conditioning<&str>| conditioning.map(|item| item.len());
        assert_eq!(of(Conditioning::None), Conditioning::None);
        let vary = of(Conditioning::Vary { item: "abc", strength: 0.5 });
        assert_eq!(vary, Conditioning::Vary { item: 3, strength: 0.5 });
        assert_eq!(vary.item(), Some(&3));
        let between = of(Conditioning::Interpolate { from: "a", to: "bc" });
        assert_eq!(between, Conditioning::Interpolate { from: 1, to: 2 });
        assert_eq!(of(Conditioning::Continue { item: "abcd" }).item(), Some(&4));
        let blend = of(Conditioning::Blend {
            anchors: vec![Anchor::Seed(7), Anchor::Item("ab")],
            weights: vec![1.0, 2.0],
        });
        assert_eq!(blend.item(), Some(&2));
        assert!(!blend.is_noise() && blend.heaviest() == Some(&Anchor::Item(2)));
    }

    #[test]
    fn shares_of_a_blend_are_steps_from_its_noise() {
        let anchors = vec![Anchor::Item('a'), Anchor::Seed(1), Anchor::Item('b'), Anchor::Item('c')];
        let blend =
            |weights: [f32; 4]| Conditioning::Blend { anchors: anchors.clone(), weights: weights.to_vec() };
        let all = blend([1.0, 1.0, 2.0, 0.0]);
        assert_eq!(all.item_shares(), [(&'a', 0.25), (&'b', 0.5)]);
        assert_eq!(all.item_steps(), [(&'a', 0.5), (&'b', 0.5)]);
        assert_eq!(blend([0.1, 0.0, 0.0, 0.2]).item_steps()[0], (&'a', 1.0));
        assert_eq!(blend([0.0, 3.0, 0.0, 0.0]).item_steps(), []);
        let (mut corner, mut alone) = (blend([0.0, 3.0, 0.0, 0.0]).random(9, 1), Rng::new(1, 1));
        assert_eq!(corner.normals(5), alone.normals(5));
        assert_eq!(blend([1.0, 0.0, 0.0, 0.0]).random(9, 1).normals(5), Rng::new(9, 1).normals(5));
    }
}
