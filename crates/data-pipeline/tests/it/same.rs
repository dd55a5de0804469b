//! Which images are the same, and images that are kept.

use crate::folders::{picture, save};
use augment::Image;
use data_pipeline::dataset::fingerprint::{Contents, Duplicates, Fingerprint, duplicates};
use data_pipeline::dataset::folder::{FolderOptions, FolderSet, contents};
use data_pipeline::dataset::{Cached, Concat, ImageSamples, Samples};
use data_pipeline::error::DataError;
use data_pipeline::picture::Decode;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn open(dir: &Path, labeled: bool) -> FolderSet {
    FolderSet::open(dir, &FolderOptions { labeled, ..Default::default() }).unwrap()
}

#[test]
fn equal_files_are_found_within_and_between_parts() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for (name, value) in [("a/1", 1), ("a/2", 2), ("b/3", 3), ("b/again", 1), ("b/twice", 3)] {
        save(root, &format!("labeled/{name}.png"), &picture(5, 5, value));
    }
    for (name, value) in [("x", 9), ("y", 3), ("z", 8)] {
        save(root, &format!("other/{name}.png"), &picture(5, 5, value));
    }
    let (labeled, other) = (open(&root.join("labeled"), true), open(&root.join("other"), false));
    let found = among(&[("labelled", &labeled), ("other", &other)]);
    let [shared] = &found.between[..] else { panic!("{found:?}") };
    assert_eq!((shared.count, &shared.examples[0]), (1, &("b/3.png".into(), "y.png".into())));
    let [within] = &found.within[..] else { panic!("{found:?}") };
    assert_eq!((within.part.as_str(), within.count, within.conflicting), ("labelled", 2, 1));
    assert_eq!(within.examples[0], ("a/1.png".into(), "b/again.png".into()));
    // Joined sets and kept ones know the files that they are of.
    let files = [&labeled, &other].map(|set| set.digests().unwrap().unwrap()).concat();
    let joined: Vec<Arc<ImageSamples>> =
        vec![Arc::new(open(&root.join("labeled"), true)), Arc::new(Cached::new(other, 0))];
    assert_eq!(Concat::new(joined).unwrap().digests().unwrap().unwrap(), files);
}

/// The files of one picture of 40x30, each its pixels and nothing but these, and two pictures that
/// differ from it in a single value or are turned.
fn save_copies(root: &Path) {
    let same = picture(40, 30, 7);
    for name in ["a.png", "b.bmp", "c.qoi", "d.ppm", "e.webp"] {
        save(root, name, &same);
    }
    // Another compression, and a text beside the pixels.
    let file = std::fs::File::create(root.join("f.png")).unwrap();
    let mut writer = png::Encoder::new(file, 40, 30);
    writer.set_color(png::ColorType::Rgb);
    writer.set_compression(png::Compression::Fast);
    writer.add_text_chunk("Comment".into(), "taken on a Monday".into()).unwrap();
    writer.write_header().unwrap().write_image_data(&same).unwrap();
    // Stored lying on its side, with the orientation that turns it back.
    let file = std::fs::File::create(root.join("g.png")).unwrap();
    let mut info = png::Info::with_size(30, 40);
    info.color_type = png::ColorType::Rgb;
    let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    info.exif_metadata = Some(exif[..].into());
    let writer = png::Encoder::with_info(file, info).unwrap();
    let lying = image::imageops::rotate270(&same);
    writer.write_header().unwrap().write_image_data(&lying).unwrap();
    let mut other = same.clone();
    other.get_pixel_mut(11, 5).0[1] ^= 1;
    save(root, "other.png", &other);
    save(root, "turned.png", &lying);
}

#[test]
fn equal_pixels_are_found_in_different_files() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    save_copies(root);
    // Made so small, the picture that differs in one value is equal too, and still told apart.
    for size in [None, Some((4, 3))] {
        let decode = Decode { size, orient: true, ..Decode::default() };
        let options = FolderOptions { labeled: false, decode, ..FolderOptions::default() };
        let open = || FolderSet::open(root, &options).unwrap();
        let small = |name: &str| decode.file(&root.join(name)).unwrap();
        assert_eq!(small("a.png") == small("other.png"), size.is_some());
        for decoded in [false, true] {
            let of = |set: &FolderSet| among(&[("all", set)]);
            let found = match decoded {
                false => of(&open()),
                true => of(open().decode_all(0).unwrap().inner()),
            };
            let [within] = &found.within[..] else { panic!("{found:?}") };
            let pairs = ["b.bmp", "c.qoi", "d.ppm", "e.webp", "f.png"];
            let pairs = pairs.map(|name| ("a.png".to_owned(), name.to_owned()));
            assert_eq!((within.count, &within.examples[..]), (6, &pairs[..]), "{size:?}");
        }
        // Between two sets of which one has been decoded; unless turned, `g.png` is another.
        let lying = Decode { orient: false, ..decode };
        let options = FolderOptions { decode: lying, ..options.clone() };
        let other = FolderSet::open(root, &options).unwrap();
        let kept = open().decode_all(1 << 20).unwrap();
        let found = among(&[("upright", kept.inner()), ("as stored", &other)]);
        let between = &found.between[0];
        assert_eq!((between.count, found.within[1].count), (9, 6), "{found:?}");
    }
}

#[test]
fn what_was_decoded_is_not_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for name in ["a.png", "copy.png", "z.png"] {
        save(root, name, &picture(9, 9, if name == "z.png" { 2 } else { 1 }));
    }
    let kept = open(root, false).decode_all(1 << 20).unwrap();
    std::fs::remove_dir_all(root).unwrap();
    assert_eq!(among(&[("all", kept.inner())]).within[0].count, 1);
    assert_eq!(kept.digests().unwrap().unwrap().len(), 3);
}

/// What is there more than once.
fn among(parts: &[(&str, &FolderSet)]) -> Duplicates {
    let sets: Vec<&FolderSet> = parts.iter().map(|(_, set)| *set).collect();
    let names = parts.iter().map(|(name, _)| *name);
    let parts: Vec<(&str, Contents)> = names.zip(contents(&sets).unwrap()).collect();
    duplicates(&parts)
}

#[test]
fn a_fingerprint_tells_what_changed() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for i in 0..5 {
        save(root, &format!("{}/{i}.png", ["a", "b"][i % 2]), &picture(5, 5, i as u8));
    }
    let now = || Fingerprint::of(&open(root, true)).unwrap();
    let before = now();
    let text = serde_json::to_string(&before).unwrap();
    assert_eq!(before, serde_json::from_str(&text).unwrap());
    assert!(now().change_since(&before).is_none());
    save(root, "a/new.png", &picture(5, 5, 77));
    save(root, "b/1.png", &picture(5, 5, 78));
    std::fs::remove_file(root.join("b/3.png")).unwrap();
    let change = now().change_since(&before).unwrap();
    assert_eq!(
        change.to_string(),
        "1 sample added (a/new.png), 1 sample removed (b/3.png), 1 sample with another content (b/1.png)"
    );
    std::fs::rename(root.join("b"), root.join("c")).unwrap();
    std::fs::create_dir(root.join("b")).unwrap();
    std::fs::rename(root.join("c/1.png"), root.join("b/1.png")).unwrap();
    std::fs::rename(root.join("a/0.png"), root.join("b/0.png")).unwrap();
    let change = now().change_since(&before).unwrap();
    assert_eq!(change.relabeled, Vec::<String>::new(), "another folder is another id");
    assert!(change.added.contains(&"b/0.png".into()) && change.removed.contains(&"a/0.png".into()));
}

/// Counts how often each image is decoded.
struct Counting(Vec<AtomicUsize>);

impl Samples for Counting {
    type Item = Image;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn item(&self, index: usize) -> Result<Image, DataError> {
        self.0[index].fetch_add(1, Ordering::Relaxed);
        Ok(Image::filled(10, 10, 1, index as u8))
    }

    fn label(&self, _: usize) -> Option<u32> {
        None
    }

    fn id(&self, index: usize) -> String {
        index.to_string()
    }

    fn classes(&self) -> &[String] {
        &[]
    }
}

#[test]
fn what_is_kept_is_decoded_once_by_whichever_thread() {
    for (limit, kept) in [(5_000, 50), (4_999, 49), (1_050, 10), (0, 0)] {
        let set = Counting((0..50).map(|_| AtomicUsize::new(0)).collect());
        let set = Cached::new(set, limit);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let set = &set;
                scope.spawn(move || {
                    for i in 0..200 {
                        let i = (i * 7 + thread) % 50;
                        assert_eq!(set.item(i).unwrap(), Image::filled(10, 10, 1, i as u8));
                    }
                });
            }
        });
        let decoded: Vec<usize> =
            set.inner().0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let once = decoded.iter().filter(|&&count| count == 1).count();
        let often = decoded.iter().filter(|&&count| count >= 13).count();
        assert!(set.bytes() <= limit && set.bytes() == 100 * kept, "{}", set.bytes());
        if kept == 50 {
            assert_eq!((once, often, set.is_whole()), (50, 0, true), "{decoded:?}");
        } else {
            assert!(once <= kept as usize && !set.is_whole(), "{decoded:?}");
            assert!(often >= 50 - kept as usize, "{decoded:?}");
        }
    }
}

/// An image that is shown larger than it is takes the memory of its own size, and is the same.
#[test]
fn enlarged_images_are_kept_as_they_are() {
    let dir = tempfile::tempdir().expect("a folder");
    for (i, (width, height)) in [(8, 8), (30, 30), (5, 40)].into_iter().enumerate() {
        save(dir.path(), &format!("{i}.png"), &picture(width, height, i as u8));
    }
    let decode = Decode { size: Some((20, 20)), ..Decode::default() };
    let options = FolderOptions { labeled: false, decode, ..FolderOptions::default() };
    let open = || FolderSet::open(dir.path(), &options).expect("a set");
    let plain = open();
    let all = open().decode_all(1 << 20).expect("decoded");
    let lazily = Cached::new(open(), 1 << 20);
    for i in [0, 1, 2, 0, 1, 2] {
        let image = plain.item(i).expect("it");
        assert_eq!((image.width(), image.height()), (20, 20));
        assert_eq!(all.item(i).expect("it"), image);
        assert_eq!(lazily.item(i).expect("it"), image);
    }
    let bytes = 3 * (8 * 8 + 20 * 20 + 5 * 40);
    assert_eq!((all.bytes(), lazily.bytes()), (bytes, bytes));
    assert!(all.is_whole() && lazily.is_whole());
    assert_eq!(contents(&[all.inner()]).expect("them"), contents(&[&plain]).expect("them"));
}
