//! What new items are made from, beside classes and conditions: nothing, one item to vary or to continue, or two to
//! interpolate between.

/// What new items are made from.
///
/// `T` is an item as the caller has it: pixels, samples, tokens, a text, a tune.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
    /// What comes after an item, which is kept as it is.
    Continue {
        /// The item that the new one begins with.
        item: T,
    },
}

impl<T> Conditioning<T> {
    /// The same with each item as `f` sees it.
    pub fn map<'a, U>(&'a self, f: impl Fn(&'a T) -> U) -> Conditioning<U> {
        match self {
            Self::None => Conditioning::None,
            Self::Vary { item, strength } => Conditioning::Vary { item: f(item), strength: *strength },
            Self::Interpolate { from, to } => Conditioning::Interpolate { from: f(from), to: f(to) },
            Self::Continue { item } => Conditioning::Continue { item: f(item) },
        }
    }

    /// The item that is varied or continued.
    pub fn item(&self) -> Option<&T> {
        match self {
            Self::Vary { item, .. } | Self::Continue { item } => Some(item),
            Self::None | Self::Interpolate { .. } => None,
        }
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
    }
}
