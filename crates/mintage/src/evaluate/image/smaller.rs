//! Images as small as a page needs them.

use mintage_data::{ImageShape, Images};

use super::super::video::pictures::averaged;

/// The same images, with pixels averaged over blocks, until one has at most `most` bytes.
pub(in crate::evaluate) fn smaller(images: &Images, most: usize) -> Images {
    let ImageShape { channels, height, width } = images.shape;
    let of =
        |block: usize| ImageShape { channels, height: height.div_ceil(block), width: width.div_ceil(block) };
    let block = (1..=height.max(width)).find(|&block| of(block).pixels() <= most).unwrap_or(1);
    if block == 1 {
        return images.clone();
    }
    let planes = images.pixels.chunks_exact(height * width);
    let pixels = planes.flat_map(|plane| averaged(plane, width, block)).collect();
    Images { shape: of(block), pixels, labels: images.labels.clone(), classes: images.classes.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_images_are_shown_small() {
        let shape = ImageShape { channels: 3, height: 100, width: 60 };
        let images = Images { shape, pixels: vec![9; 2 * 18_000], labels: vec![1, 0], classes: vec![] };
        assert_eq!(smaller(&images, 18_000), images);
        let small = smaller(&images, 5_000);
        assert_eq!((small.shape.height, small.shape.width, small.len()), (50, 30, 2));
        assert!(small.pixels.iter().all(|&pixel| pixel == 9));
    }
}
