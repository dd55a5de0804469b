//! Images as a channels-last batch.

use torch::layout::image_batch;
use torch::{Device, Kind};

#[test]
fn pixels_become_a_normalised_channels_last_batch() {
    let shape = [2, 3, 4, 3];
    let pixels: Vec<u8> = (0..72u32).map(|i| (i * 3) as u8).collect();
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let x = image_batch(&pixels, shape, &mean, &std, Device::Cpu);
    assert_eq!((x.size(), x.kind()), (vec![2, 3, 3, 4], Kind::Float));
    assert_eq!(x.stride(), [36, 1, 12, 3]);
    for (n, row, column, channel) in [(0, 0, 0, 0), (1, 2, 3, 2), (0, 2, 1, 1), (1, 0, 3, 0)] {
        let at = ((n * 3 + row) * 4 + column) * 3 + channel;
        let expected = (f64::from(pixels[at]) / 255.0 - mean[channel]) / std[channel];
        let [n, row, column, c] = [n, row, column, channel].map(|i| i as i64);
        assert!((x.double_value(&[n, c, row, column]) - expected).abs() < 1e-6);
    }
}

#[test]
#[should_panic(expected = "bytes of 2 images of 3 x 4 x 1")]
fn too_few_pixels_are_a_bug() {
    let _ = image_batch(&[0; 23], [2, 3, 4, 1], &[0.5], &[0.5], Device::Cpu);
}
