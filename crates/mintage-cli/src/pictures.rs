//! Small things done with images that are already in memory.

use mintage_data::Images;

/// The images `from..to`.
pub fn part(images: &Images, from: usize, to: usize) -> Images {
    images.select(&(from..to).collect::<Vec<_>>())
}

/// Mean peak signal-to-noise ratio in decibels, over images; `None` without images.
pub fn psnr(a: &Images, b: &Images) -> Option<f64> {
    let size = a.shape.pixels().max(1);
    let one = |(x, y): (&[u8], &[u8])| {
        let squares: f64 = x.iter().zip(y).map(|(&p, &q)| (f64::from(p) - f64::from(q)).powi(2)).sum();
        // Half a grey level in one pixel stands for "no difference".
        10.0 * (255.0f64.powi(2) / (squares / size as f64).max(0.25 / size as f64)).log10()
    };
    let all: Vec<f64> = a.pixels.chunks(size).zip(b.pixels.chunks(size)).map(one).collect();
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}

/// At most `n` of `indices`, evenly spread.
pub fn spread(indices: &[u32], n: usize) -> Vec<u32> {
    let count = n.min(indices.len());
    (0..count).map(|i| indices[i * indices.len() / count]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintage_data::ImageShape;

    fn gray(side: usize, values: &[u8]) -> Images {
        let shape = ImageShape { channels: 1, height: side, width: side };
        let pixels = values.iter().flat_map(|&v| vec![v; side * side]).collect();
        Images { shape, pixels, labels: Vec::new(), classes: Vec::new() }
    }

    #[test]
    fn psnr_of_known_differences() {
        let db = psnr(&gray(4, &[10]), &gray(4, &[35])).unwrap_or_default();
        assert!((db - 20.172).abs() < 0.01, "{db}");
        assert!(psnr(&gray(4, &[10]), &gray(4, &[10])).is_some_and(f64::is_finite));
    }

    #[test]
    fn spread_is_even() {
        assert_eq!(spread(&[1, 2, 3, 4], 2), vec![1, 3]);
        assert_eq!(spread(&[1], 5), vec![1]);
        assert!(spread(&[], 5).is_empty());
    }
}
