//! Sizes that halve exactly.

use burn::tensor::Tensor;

/// Height and width after `halvings` halvings that round up, and the size to pad an image to so that
/// every halving is exact: 28 → 28 (7) with two, 28 → 32 (4) with three.
pub fn padded(size: usize, halvings: usize) -> usize {
    size.next_multiple_of(1 << halvings)
}

/// Pads `[n, c, h, w]` on the right and the bottom to `height × width` by repeating the border.
pub fn pad_to(x: Tensor<4>, height: usize, width: usize) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let x = if height > h {
        let row = x.clone().narrow(2, h - 1, 1).expand([n, c, height - h, w]);
        Tensor::cat(vec![x, row], 2)
    } else {
        x
    };
    if width > w {
        let column = x.clone().narrow(3, w - 1, 1).expand([n, c, height, width - w]);
        Tensor::cat(vec![x, column], 3)
    } else {
        x
    }
}

/// Undoes [`pad_to`].
pub fn crop_to(x: Tensor<4>, height: usize, width: usize) -> Tensor<4> {
    let [_, _, h, w] = x.dims();
    let x = if h > height { x.narrow(2, 0, height) } else { x };
    if w > width { x.narrow(3, 0, width) } else { x }
}
