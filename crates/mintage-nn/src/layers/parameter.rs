//! How parameters begin: with numbers, or with a shape alone.
//!
//! A network that is filled from a file needs no numbers of its own. Built inside [`without_numbers`] it takes no memory
//! to speak of, whatever sizes its configuration names, so that its names and shapes can be counted, and compared with
//! those of the file, before anything is allocated.

use std::cell::Cell;

use burn::{
    module::{Param, ParamId},
    tensor::{Device, Shape, Tensor},
};

thread_local! {
    static SHAPES_ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `build` such that the parameters made in it have names and shapes, but no numbers before they are loaded.
pub fn without_numbers<T>(build: impl FnOnce() -> T) -> T {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            SHAPES_ALONE.set(self.0);
        }
    }
    let _back = Back(SHAPES_ALONE.replace(true));
    build()
}

/// Whether what is built begins with numbers: not inside [`without_numbers`].
pub fn with_numbers() -> bool {
    !SHAPES_ALONE.get()
}

/// A parameter that begins as `values`, or without numbers inside [`without_numbers`].
pub fn parameter<const D: usize>(
    shape: [usize; D],
    device: &Device,
    values: impl FnOnce() -> Tensor<D>,
) -> Param<Tensor<D>> {
    if with_numbers() {
        return Param::from_tensor(values());
    }
    let zeros = move |device: &Device, trained: bool| {
        let zeros = Tensor::zeros(shape, device);
        if trained { zeros.require_grad() } else { zeros }
    };
    Param::uninitialized(ParamId::new(), zeros, device.clone(), true, Shape::from(shape))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use burn::module::Module;

    use super::*;
    use crate::{Rng, TensorMap, layers::Linear};

    #[test]
    fn a_network_without_numbers_is_filled_from_a_file() {
        let (device, mut rng) = (Device::flex().autodiff(), Rng::new(1, 0));
        let mut map = TensorMap::default();
        map.insert_module("net", &Linear::new(3, 2, 1.0, &device, &mut rng));
        let empty = without_numbers(|| Linear::new(3, 2, 1.0, &device, &mut rng));
        assert!(!empty.weight.is_initialized() && empty.num_params() == 8);
        let loaded = map.load_module("net", empty).unwrap();
        assert!(loaded.weight.val().is_require_grad());
        let mut back = TensorMap::default();
        back.insert_module("net", &loaded);
        assert_eq!(back, map);
        assert!(with_numbers());
    }

    #[test]
    fn sizes_that_no_memory_holds_are_compared_and_refused() {
        let (device, mut rng) = (Device::flex(), Rng::new(1, 0));
        let mut map = TensorMap::default();
        map.insert_module("net", &Linear::new(3, 2, 1.0, &device, &mut rng));
        let huge = without_numbers(|| Linear::new(1 << 24, 1 << 24, 1.0, &device, &mut rng));
        assert_eq!(huge.num_params(), (1 << 48) + (1 << 24));
        let error = map.load_module("net", huge).unwrap_err().to_string();
        assert!(error.contains("[16777216, 16777216]"), "{error}");
    }
}
