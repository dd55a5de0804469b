//! The colour of pixels that an operation cannot take from the image.

use serde::{Deserialize, Serialize};

/// A colour for pixels from outside an image, or for a box that is cut out. Written as one number
/// (grey) or as three (RGB). A grey image takes the luma of an RGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Fill([u8; 3]);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Grey(u8),
    Rgb([u8; 3]),
}

impl Fill {
    /// Black.
    pub const BLACK: Self = Self([0; 3]);
    /// Middle grey, 128: what Noisy Student's code fills with.
    pub const GREY: Self = Self([128; 3]);

    /// One grey value.
    pub const fn grey(value: u8) -> Self {
        Self([value; 3])
    }

    /// A colour.
    pub const fn rgb(red: u8, green: u8, blue: u8) -> Self {
        Self([red, green, blue])
    }

    /// The bytes of one pixel; for a grey image only the first counts.
    pub(crate) fn pixel(self, channels: usize) -> [u8; 3] {
        let [r, g, b] = self.0;
        if channels == 1 { [luma(r, g, b); 3] } else { self.0 }
    }
}

impl From<Written> for Fill {
    fn from(written: Written) -> Self {
        match written {
            Written::Grey(value) => Self::grey(value),
            Written::Rgb(value) => Self(value),
        }
    }
}

impl From<Fill> for Written {
    fn from(fill: Fill) -> Self {
        let [r, g, b] = fill.0;
        if r == g && g == b { Self::Grey(r) } else { Self::Rgb(fill.0) }
    }
}

/// Pillow's grey of a colour: ITU-R 601 weights in 16-bit fixed point, rounded.
pub fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((u32::from(red) * 19595 + u32::from(green) * 38470 + u32::from(blue) * 7471 + 0x8000) >> 16)
        as u8
}
