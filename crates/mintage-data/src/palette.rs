//! Palettes: the colours of images or clips that have few of them, such as pixel art.
//!
//! A model that chooses among them draws exact colours; one that draws numbers draws what lies between as well.

use serde::{Deserialize, Serialize};

/// Colours of a palette, at the most.
const MAX_COLORS: usize = 256;
/// Levels of gray, at the most: gray photographs have no more than 256 either, and are no pixel art.
const MAX_GRAYS: usize = 16;
/// Pixels for each colour, at the least: in few small pictures the colours are few, whatever they are.
const MIN_PIXELS_A_COLOR: usize = 64;

/// All colours of a data set that has few: 2 to 256, in ascending order. Written as hexadecimal digits, two a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Palette {
    /// Bytes of a colour: 1 for gray, 3 for RGB.
    channels: usize,
    /// Each colour as a number, the last channel in the lowest byte.
    colors: Vec<u32>,
}

/// Pixels as colours of a palette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaletteIndices {
    /// The colour of each pixel, item after item; the nearest one where the palette lacks it.
    pub colors: Vec<u32>,
    /// Which pixels have a colour that the palette lacks, in ascending order.
    pub missing: Vec<usize>,
}

impl Palette {
    /// The palette of images of `channels × area` bytes each; `None` where they have too many colours, or too few
    /// pixels to tell.
    pub fn of<'a>(channels: usize, images: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut scan = PaletteScan::new(channels);
        match images.into_iter().all(|image| scan.add(image)) {
            true => scan.palette(),
            false => None,
        }
    }

    /// Bytes of a colour: 1 for gray, 3 for RGB.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Number of colours.
    pub fn size(&self) -> usize {
        self.colors.len()
    }

    /// The pixels of items of `channels × area` bytes each.
    pub fn indices(&self, pixels: &[u8], area: usize) -> PaletteIndices {
        let items = pixels.chunks_exact((self.channels * area).max(1));
        let mut found = PaletteIndices {
            colors: Vec::with_capacity(pixels.len() / self.channels.max(1)),
            missing: Vec::new(),
        };
        let mut last: Option<(u32, Result<u32, u32>)> = None;
        for color in items.flat_map(|item| colors_of(item, self.channels)) {
            // Pixels side by side are often alike.
            let place = match last {
                Some((same, place)) if same == color => place,
                _ => self.place(color),
            };
            last = Some((color, place));
            if place.is_err() {
                found.missing.push(found.colors.len());
            }
            let (Ok(place) | Err(place)) = place;
            found.colors.push(place);
        }
        found
    }

    /// Undoes [`indices`](Self::indices): `channels × area` bytes an item.
    pub fn pixels(&self, colors: &[u32], area: usize) -> Vec<u8> {
        let mut pixels = Vec::with_capacity(self.channels * colors.len());
        for item in colors.chunks_exact(area.max(1)) {
            for channel in (0..self.channels).rev() {
                pixels.extend(item.iter().map(|&place| (self.colors[place as usize] >> (8 * channel)) as u8));
            }
        }
        pixels
    }

    /// Where a colour stands; the nearest one as an error where it is not there.
    fn place(&self, color: u32) -> Result<u32, u32> {
        if let Ok(place) = self.colors.binary_search(&color) {
            return Ok(place as u32);
        }
        let nearest = (0..self.colors.len()).min_by_key(|&place| squared_distance(self.colors[place], color));
        Err(nearest.unwrap_or(0) as u32)
    }
}

impl TryFrom<Vec<String>> for Palette {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        let digits = texts.first().map_or(0, String::len);
        let color = |text: &String| match text.len() == digits {
            true => u32::from_str_radix(text, 16).ok(),
            false => None,
        };
        let colors: Option<Vec<u32>> = texts.iter().map(color).collect();
        let colors = colors.filter(|colors| {
            (2..=max_colors(digits / 2)).contains(&colors.len()) && colors.is_sorted_by(|a, b| a < b)
        });
        match (digits, colors) {
            (2 | 6, Some(colors)) => Ok(Self { channels: digits / 2, colors }),
            _ => Err("palette: is not a list of colours in ascending order".to_owned()),
        }
    }
}

impl From<Palette> for Vec<String> {
    fn from(Palette { channels, colors }: Palette) -> Self {
        let digits = 2 * channels;
        colors.iter().map(|color| format!("{color:0digits$x}")).collect()
    }
}

/// Looks for a palette, image by image.
pub(crate) struct PaletteScan {
    channels: usize,
    /// In ascending order.
    colors: Vec<u32>,
    last: Option<u32>,
    pixels: usize,
}

impl PaletteScan {
    pub fn new(channels: usize) -> Self {
        Self { channels, colors: Vec::new(), last: None, pixels: 0 }
    }

    /// Adds an image of `channels × area` bytes; false as soon as there are too many colours.
    pub fn add(&mut self, image: &[u8]) -> bool {
        let most = max_colors(self.channels);
        for color in colors_of(image, self.channels) {
            self.pixels += 1;
            if self.last == Some(color) {
                continue;
            }
            self.last = Some(color);
            if let Err(place) = self.colors.binary_search(&color) {
                if self.colors.len() >= most {
                    return false;
                }
                self.colors.insert(place, color);
            }
        }
        true
    }

    /// The palette of all images, which were not too colourful.
    pub fn palette(self) -> Option<Palette> {
        let Self { channels, colors, pixels, .. } = self;
        let enough = colors.len() >= 2 && pixels >= MIN_PIXELS_A_COLOR * colors.len();
        enough.then_some(Palette { channels, colors })
    }
}

/// Colours that a palette of so many channels may have.
fn max_colors(channels: usize) -> usize {
    match channels {
        1 => MAX_GRAYS,
        3 => MAX_COLORS,
        _ => 0,
    }
}

/// The colours of the pixels of an image of `channels × area` bytes.
fn colors_of(image: &[u8], channels: usize) -> impl Iterator<Item = u32> {
    let area = image.len() / channels.max(1);
    let byte = move |pixel: usize, channel: usize| u32::from(image[channel * area + pixel]);
    (0..area).map(move |pixel| (0..channels).fold(0, |color, channel| (color << 8) | byte(pixel, channel)))
}

/// Over the channels of two colours.
fn squared_distance(a: u32, b: u32) -> u32 {
    let pairs = a.to_be_bytes().into_iter().zip(b.to_be_bytes());
    pairs.map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `n` images of `area` pixels, whose colours follow from the number of the pixel among all.
    fn images(n: usize, area: usize, color: impl Fn(usize) -> [u8; 3]) -> Vec<Vec<u8>> {
        let mut images = Vec::new();
        for item in 0..n {
            let mut image = Vec::new();
            for channel in 0..3 {
                image.extend((0..area).map(|i| color(item * area + i)[channel]));
            }
            images.push(image);
        }
        images
    }

    fn palette_of(images: &[Vec<u8>]) -> Option<Palette> {
        Palette::of(3, images.iter().map(Vec::as_slice))
    }

    #[test]
    fn a_palette_is_found_and_sorted() {
        let few = images(4, 64, |i| [[9, 0, 1], [200, 100, 0], [9, 0, 0]][i % 3]);
        let palette = palette_of(&few).unwrap();
        assert_eq!(Vec::<String>::from(palette.clone()), ["090000", "090001", "c86400"]);
        let found = palette.indices(&few.concat(), 64);
        assert_eq!((&found.colors[..4], found.missing.len()), (&[1, 2, 0, 1][..], 0));
        assert_eq!(palette.pixels(&found.colors, 64), few.concat());
    }

    #[test]
    fn noise_gray_photographs_and_few_pixels_have_none() {
        let at_most =
            |colors: usize| images(9, 4096, move |i| [(i % colors) as u8, (i % colors / 200) as u8, 7]);
        assert_eq!(palette_of(&at_most(256)).unwrap().size(), 256);
        assert!(palette_of(&at_most(257)).is_none());
        assert!(palette_of(&images(1, 64, |i| [i as u8 % 2, 0, 0])).is_none(), "64 pixels for two colours");
        assert!(palette_of(&images(9, 64, |_| [1, 2, 3])).is_none(), "one colour");
        let gray = |levels: usize| (0..4096).map(|i| (i % levels) as u8).collect::<Vec<u8>>();
        assert_eq!(Palette::of(1, [&gray(16)[..]]).unwrap().size(), 16);
        assert!(Palette::of(1, [&gray(17)[..]]).is_none());
        assert!(Palette::of(2, [&gray(2)[..]]).is_none());
    }

    #[test]
    fn a_colour_that_is_missing_is_the_nearest_one() {
        let palette = palette_of(&images(4, 64, |i| [[0, 0, 0], [0, 255, 0]][i % 2])).unwrap();
        let found = palette.indices(&[9, 0, 0, 9, 200, 255, 9, 9, 0], 3);
        assert_eq!(found, PaletteIndices { colors: vec![0, 1, 1], missing: vec![0, 1] });
    }

    #[test]
    fn a_palette_comes_back_and_a_damaged_one_is_refused() {
        let palette = palette_of(&images(4, 64, |i| [[0, 0, 5], [0, 255, 0]][i % 2])).unwrap();
        let text = serde_json::to_string(&palette).unwrap();
        assert_eq!(text, r#"["000005","00ff00"]"#);
        assert_eq!(serde_json::from_str::<Palette>(&text).unwrap(), palette);
        for text in [
            "[]",
            r#"["00ff00"]"#,
            r#"["00ff00","000005"]"#,
            r#"["000005","000005"]"#,
            r#"["00","000005"]"#,
            r#"["0000","0005"]"#,
            r#"["","0"]"#,
            r#"["00000g","00ff00"]"#,
        ] {
            assert!(serde_json::from_str::<Palette>(text).is_err(), "{text}");
        }
    }
}
