//! The image type: 8-bit, grey or RGB, interleaved, any size.

/// An image of `height` rows, `width` columns and 1 (grey) or 3 (RGB) channels, as bytes in
/// row-major order `[height][width][channels]`.
#[derive(Debug, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    channels: usize,
    pixels: Vec<u8>,
}

/// Bytes that are no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidImage {
    /// A number of channels that images do not have.
    #[error("an image has 1 or 3 channels, not {0}: bring it to grey or RGB, without alpha")]
    Channels(usize),
    /// A side of 0.
    #[error("an image of {width}x{height} has no pixels")]
    NoPixels {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// Too few or too many bytes.
    #[error("{found} bytes are no image of {width}x{height} pixels and channels: {channels}")]
    Length {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Channels.
        channels: usize,
        /// How many bytes there are.
        found: usize,
    },
}

impl Clone for Image {
    fn clone(&self) -> Self {
        Self { pixels: self.pixels.clone(), ..*self }
    }

    /// Copies into the memory that is there, so that a loop over images allocates nothing.
    fn clone_from(&mut self, source: &Self) {
        let Self { width, height, channels, pixels } = self;
        (*width, *height, *channels) = (source.width, source.height, source.channels);
        pixels.clone_from(&source.pixels);
    }
}

impl Image {
    /// An image from its bytes. Panics where [`try_new`](Self::try_new) fails.
    pub fn new(width: usize, height: usize, channels: usize, pixels: Vec<u8>) -> Self {
        Self::try_new(width, height, channels, pixels).unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// An image from its bytes.
    ///
    /// # Errors
    /// Unless `channels` is 1 or 3, no side is 0 and the length is the product of all three.
    ///
    /// ```
    /// use augment::Image;
    /// assert!(Image::try_new(2, 1, 3, vec![0; 6]).is_ok());
    /// let error = Image::try_new(2, 1, 4, vec![0; 8]).unwrap_err();
    /// assert!(error.to_string().contains("1 or 3 channels, not 4"));
    /// ```
    pub fn try_new(
        width: usize,
        height: usize,
        channels: usize,
        pixels: Vec<u8>,
    ) -> Result<Self, InvalidImage> {
        if channels != 1 && channels != 3 {
            return Err(InvalidImage::Channels(channels));
        }
        if width == 0 || height == 0 {
            return Err(InvalidImage::NoPixels { width, height });
        }
        let wanted = width.checked_mul(height).and_then(|area| area.checked_mul(channels));
        if wanted != Some(pixels.len()) {
            return Err(InvalidImage::Length { width, height, channels, found: pixels.len() });
        }
        Ok(Self { width, height, channels, pixels })
    }

    /// An image of one value.
    pub fn filled(width: usize, height: usize, channels: usize, value: u8) -> Self {
        Self::new(width, height, channels, vec![value; width * height * channels])
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// 1 (grey) or 3 (RGB).
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// All bytes, `[height][width][channels]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All bytes, to be changed in place.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The bytes themselves.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Gives back the memory beyond the bytes: what an operation made smaller keeps the room of
    /// what it was made from.
    ///
    /// ```
    /// use augment::{Image, resize::{self, Filter}, scratch::Scratch};
    /// let mut image = Image::filled(400, 300, 3, 0);
    /// resize::resize(&mut image, 4, 3, Filter::Bilinear, &mut Scratch::new());
    /// image.shrink_to_fit();
    /// assert!(image.into_pixels().capacity() < 100);
    /// ```
    pub fn shrink_to_fit(&mut self) {
        self.pixels.shrink_to_fit();
    }

    /// The bytes of row `y`, `[width][channels]`. Panics if there is no such row.
    pub fn row(&self, y: usize) -> &[u8] {
        let stride = self.width * self.channels;
        &self.pixels[y * stride..][..stride]
    }

    /// Becomes an image of one value, in the memory that is there.
    pub(crate) fn reset(&mut self, width: usize, height: usize, channels: usize, value: u8) {
        (self.width, self.height, self.channels) = (width, height, channels);
        self.pixels.clear();
        self.pixels.resize(width * height * channels, value);
    }

    /// Takes `pixels` as the new content, of a new size but the same number of channels, and leaves
    /// the old bytes there.
    pub(crate) fn replace(&mut self, width: usize, height: usize, pixels: &mut Vec<u8>) {
        assert_eq!(
            pixels.len(),
            width * height * self.channels,
            "{width}x{height}x{} image",
            self.channels
        );
        (self.width, self.height) = (width, height);
        std::mem::swap(&mut self.pixels, pixels);
    }
}
