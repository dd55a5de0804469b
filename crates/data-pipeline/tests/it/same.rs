//! Which images are the same, and images that are kept.

use crate::folders::{picture, save};
use augment::Image;
use data_pipeline::dataset::fingerprint::{Fingerprint, contents, duplicates};
use data_pipeline::dataset::folder::{FolderOptions, FolderSet};
use data_pipeline::dataset::{Cached, Concat, ImageSamples, Samples};
use data_pipeline::error::DataError;
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
    let of = |set: &FolderSet| contents(set, 0..set.len()).unwrap();
    let found = duplicates(&[("labelled", of(&labeled)), ("other", of(&other))]);
    let [shared] = &found.between[..] else { panic!("{found:?}") };
    assert_eq!((shared.count, &shared.examples[0]), (1, &("b/3.png".into(), "y.png".into())));
    let [within] = &found.within[..] else { panic!("{found:?}") };
    assert_eq!((within.part.as_str(), within.count, within.conflicting), ("labelled", 2, 1));
    assert_eq!(within.examples[0], ("a/1.png".into(), "b/again.png".into()));
    // Joined sets and kept ones have the same contents.
    let joined: Vec<Arc<ImageSamples>> =
        vec![Arc::new(open(&root.join("labeled"), true)), Arc::new(Cached::new(other, 0))];
    let joined = Concat::new(joined).unwrap();
    assert_eq!(contents(&joined, 0..8).unwrap().len(), 8);
    assert_eq!(duplicates(&[("all", contents(&joined, 0..8).unwrap())]).within[0].count, 3);
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
