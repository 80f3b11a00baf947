//! What clips look like to the judges of images: one image with a channel for every frame (and colour), so that a network
//! sees what moves from its first layer on. Long and large clips are made smaller.

use mintage_data::{Clips, ImageSet, ImageShape, Images, VideoSet};
use rayon::prelude::*;

use super::super::evenly_of_splits;

/// Frames of a clip that are judged.
pub const MAX_FRAMES: usize = 16;
/// Pixels of a side that are judged.
const MAX_SIDE: usize = 32;
/// Bytes of the pictures of a split.
const MAX_PICTURE_BYTES: usize = 256 << 20;
/// Clips read at a time.
const READ_CHUNK: usize = 256;

/// Clips with frames left out evenly, and pixels averaged over blocks, until there are at most so many of either.
pub fn reduced(clips: &Clips, most_frames: usize, most_side: usize) -> Clips {
    let ImageShape { channels, height, width } = clips.shape;
    let block = height.max(width).div_ceil(most_side).max(1);
    let shape = ImageShape { channels, height: height.div_ceil(block), width: width.div_ceil(block) };
    let frames = clips.frames.min(most_frames);
    let chosen: Vec<usize> = (0..frames).map(|i| i * clips.frames / frames).collect();
    if (block, frames) == (1, clips.frames) {
        return clips.clone();
    }
    let area = height * width;
    let small = |i: usize| -> Vec<u8> {
        let planes = clips.clip(i).chunks_exact(area * clips.frames);
        let frames = planes.flat_map(|plane| chosen.iter().map(move |&frame| &plane[frame * area..][..area]));
        frames.flat_map(|frame| averaged(frame, width, block)).collect()
    };
    let pixels = (0..clips.len()).into_par_iter().flat_map_iter(small).collect();
    let fps = clips.fps * frames as f64 / clips.frames as f64;
    Clips { shape, frames, fps, pixels, labels: clips.labels.clone(), classes: clips.classes.clone() }
}

/// A plane in blocks; those at the far edges may be smaller.
pub fn averaged(plane: &[u8], width: usize, block: usize) -> Vec<u8> {
    let height = plane.len() / width;
    let mean = |top: usize, left: usize| {
        let rows = plane.chunks_exact(width).skip(top).take(block);
        let cells = rows.flat_map(|row| &row[left..(left + block).min(width)]);
        let (sum, count) = cells.fold((0, 0), |(sum, count), &p| (sum + u32::from(p), count + 1));
        ((sum + count / 2) / count) as u8
    };
    let places =
        (0..height).step_by(block).flat_map(|top| (0..width).step_by(block).map(move |left| (top, left)));
    places.map(|(top, left)| mean(top, left)).collect()
}

/// Clips as images of channels × frames.
pub fn pictures(clips: &Clips) -> Images {
    let Clips { shape, frames, pixels, labels, classes, .. } = reduced(clips, MAX_FRAMES, MAX_SIDE);
    Images { shape: ImageShape { channels: shape.channels * frames, ..shape }, pixels, labels, classes }
}

/// One frame of each of these pictures, which have so many, another from clip to clip.
pub fn stills(pictures: &Images, frames: usize) -> Images {
    let ImageShape { channels, height, width } = pictures.shape;
    let (area, colours) = (height * width, channels / frames);
    let plane = |i: usize, colour: usize| &pictures.image(i)[(colour * frames + i % frames) * area..][..area];
    let all = (0..pictures.len()).flat_map(|i| (0..colours).map(move |colour| (i, colour)));
    let pixels = all.flat_map(|(i, colour)| plane(i, colour)).copied().collect();
    let shape = ImageShape { channels: colours, height, width };
    Images { shape, pixels, labels: pictures.labels.clone(), classes: pictures.classes.clone() }
}

/// All of them, clip by clip.
pub fn all_stills(pictures: &Images, frames: usize) -> Vec<u8> {
    let area = pictures.shape.height * pictures.shape.width;
    let all = (0..pictures.len()).flat_map(|i| (0..frames).map(move |frame| (i, frame)));
    let planes = all.flat_map(|(i, frame)| pictures.image(i).chunks_exact(area).skip(frame).step_by(frames));
    planes.flatten().copied().collect()
}

/// Pictures of the items of a set, split as they are.
pub struct ItemPictures {
    /// The pictures: an image with a channel for every frame and colour of each item.
    pub pictures: ImageSet,
    /// A frame of each.
    pub stills: ImageSet,
    /// Frames of a picture.
    pub frames: usize,
    /// Which items of the set the pictures are of.
    pub items: Vec<u32>,
}

impl ItemPictures {
    /// Pictures of evenly spaced items of each split.
    pub fn of(set: &VideoSet) -> Self {
        let frames = set.codec().frames.min(MAX_FRAMES);
        let most = MAX_PICTURE_BYTES / of_items(set, &[]).shape.pixels().max(1);
        let (splits, items) = evenly_of_splits(|split| set.splits().get(split).to_vec(), most);
        let images = of_items(set, &items);
        let stills = ImageSet::from_memory_split(stills(&images, frames), splits.clone());
        Self { pictures: ImageSet::from_memory_split(images, splits), stills, frames, items }
    }
}

/// Pictures of items of a set, in that order.
pub fn of_items(set: &VideoSet, items: &[u32]) -> Images {
    let mut all = pictures(&set.clips(&[]));
    for items in items.chunks(READ_CHUNK) {
        let Images { pixels, labels, .. } = pictures(&set.clips(items));
        all.pixels.extend(pixels);
        all.labels.extend(labels);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pixel of a frame is its number, and a tenth of it more in the second colour.
    fn clips(frames: usize, height: usize, width: usize) -> Clips {
        let shape = ImageShape { channels: 2, height, width };
        let frame = |at: usize| vec![at as u8 % 100; height * width];
        let plane = |more: usize| (0..frames).flat_map(move |at| frame(at + more));
        let pixels: Vec<u8> = (0..2).flat_map(|colour| plane(colour * 100 + 10 * colour)).collect();
        Clips { shape, frames, fps: 10.0, pixels: pixels.repeat(3), labels: vec![0, 1, 0], classes: vec![] }
    }

    #[test]
    fn large_clips_become_small_and_small_ones_stay() {
        let small = clips(5, 4, 6);
        assert_eq!(reduced(&small, 16, 32), small);
        let large = reduced(&clips(40, 70, 64), 16, 32);
        assert_eq!((large.frames, large.fps), (16, 4.0));
        assert_eq!(large.shape, ImageShape { channels: 2, height: 24, width: 22 });
        assert_eq!(
            (large.len(), large.frame(1, 3)[0]),
            (3, 7),
            "the fourth of sixteen is the eighth of forty"
        );
        assert_eq!(averaged(&[1, 3, 9, 5, 7, 20], 3, 2), [4, 15]);
    }

    #[test]
    fn frames_are_channels() {
        let images = pictures(&clips(4, 3, 3));
        assert_eq!((images.shape.channels, images.len()), (8, 3));
        let stills = stills(&images, 4);
        assert_eq!((stills.shape.channels, stills.image(2)[0], stills.image(2)[9]), (2, 2, 12));
        let all = all_stills(&images, 4);
        assert_eq!((all.len(), all[18], all[18 + 9]), (images.pixels.len(), 1, 11));
    }
}
