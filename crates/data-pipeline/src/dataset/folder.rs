//! Your own images: a folder of JPEG and PNG files, with one sub-folder per class or without
//! labels.

use super::Samples;
use crate::error::DataError;
use crate::picture::Decode;
use augment::Image;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What to do with an image that does not decode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBad {
    /// Refuse the folder.
    #[default]
    Error,
    /// Leave the image out; [`FolderSet::skipped`] lists it.
    Skip,
}

/// How a folder is read.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `labeled` | true | each sub-folder is a class; otherwise all images below are unlabelled |
/// | `classes` | the sub-folders, sorted | fixed class names: other sub-folders are an error |
/// | `grey` | false | one channel (ITU-R 601 weights, as Pillow's "L") rather than RGB |
/// | `size` | as stored | `[width, height]` that every image is resized to, bilinear as in Pillow |
/// | `on_bad` | error | what to do with an image that does not decode |
/// | `max_pixels` | 100,000,000 | larger images count as bad |
/// | `memory` | 1 GiB | most bytes of decoded images kept |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FolderOptions {
    /// Whether sub-folders are classes.
    pub labeled: bool,
    /// Fixed class names.
    pub classes: Option<Vec<String>>,
    /// Whether images are turned to grey.
    pub grey: bool,
    /// The size of every image, width and height.
    pub size: Option<(u32, u32)>,
    /// What to do with bad images.
    pub on_bad: OnBad,
    /// The most pixels of an image: a small file may claim to hold a huge one.
    pub max_pixels: u64,
    /// The most bytes of decoded images kept. If all together are larger, each image is decoded
    /// whenever it is read.
    pub memory: u64,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self {
            labeled: true,
            classes: None,
            grey: false,
            size: None,
            on_bad: OnBad::Error,
            max_pixels: 100_000_000,
            memory: 1 << 30,
        }
    }
}

impl FolderOptions {
    fn decode(&self) -> Decode {
        Decode {
            grey: self.grey,
            size: self.size,
            max_pixels: self.max_pixels,
            ..Decode::default()
        }
    }
}

/// An image that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub fault: String,
}

/// The images of a folder in the order of their paths, sub-folders of sub-folders included; hidden
/// files and folders, and files not named .jpg, .jpeg or .png, do not count. EXIF orientation and
/// colour profiles are ignored, transparency is dropped.
#[derive(Debug)]
pub struct FolderSet {
    files: Vec<Found>,
    /// Every image, if all fit into memory.
    images: Option<Vec<Image>>,
    classes: Vec<String>,
    skipped: Vec<Skipped>,
    options: FolderOptions,
}

#[derive(Debug)]
struct Found {
    path: PathBuf,
    id: String,
    label: Option<u32>,
}

impl FolderSet {
    /// Lists a folder and decodes every image once, on all processors. Fails if there is no image,
    /// if a labelled folder has images outside its class folders, or if an image is bad and
    /// `on_bad` says so; the message names the first such file.
    pub fn open(dir: &Path, options: &FolderOptions) -> Result<Self, DataError> {
        if options.size.is_some_and(|(width, height)| width == 0 || height == 0) {
            return Err(DataError::Request(format!(
                "{}: images of size 0 were asked for",
                dir.display()
            )));
        }
        let (mut files, mut classes) = (Vec::new(), Vec::new());
        if options.labeled {
            let (loose, folders) = list(dir)?;
            if let Some(path) = loose.first() {
                return Err(missing(
                    path,
                    "an image outside the class folders",
                    "move it, or set labeled = false",
                ));
            }
            let name =
                |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            classes = options
                .classes
                .clone()
                .unwrap_or_else(|| folders.iter().map(|f| name(f)).collect());
            for folder in &folders {
                let Some(label) = classes.iter().position(|class| *class == name(folder)) else {
                    let fault = format!("no class of this name among {classes:?}");
                    return Err(missing(folder, fault, "rename or remove the folder"));
                };
                collect(folder, dir, Some(label as u32), 0, &mut files)?;
            }
        } else {
            collect(dir, dir, None, 0, &mut files)?;
        }
        if files.is_empty() {
            let fault = if options.labeled {
                "no images in class folders"
            } else {
                "no .jpg, .jpeg or .png images"
            };
            return Err(missing(dir, fault, "name a folder of images"));
        }
        let mut set =
            Self { files, images: None, classes, skipped: vec![], options: options.clone() };
        set.decode_all()?;
        Ok(set)
    }

    /// The images left out because they do not decode, in the order of their paths.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The file of a sample.
    pub fn path(&self, index: usize) -> &Path {
        &self.files[index].path
    }

    /// Decodes every file; keeps the images if all fit.
    fn decode_all(&mut self) -> Result<(), DataError> {
        let (next, used) = (AtomicUsize::new(0), AtomicU64::new(0));
        let (files, options) = (&self.files, &self.options);
        let work = || {
            let mut done = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some(file) = files.get(i) else { return done };
                let image = options.decode().file(&file.path).map(|image| {
                    let used = used.fetch_add(image.pixels().len() as u64, Ordering::Relaxed);
                    (used + image.pixels().len() as u64 <= options.memory).then_some(image)
                });
                done.push((i, image));
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(files.len());
        let mut done: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().expect("decoding catches panics"))
                .collect()
        });
        done.sort_by_key(|(i, _)| *i);
        let (mut kept, mut images) = (Vec::new(), Vec::new());
        for (file, (_, image)) in std::mem::take(&mut self.files).into_iter().zip(done) {
            match image {
                Ok(image) => {
                    kept.push(file);
                    images.push(image);
                }
                Err(error) if self.options.on_bad == OnBad::Error => return Err(error),
                Err(error) => {
                    let fault = match error {
                        DataError::Image { fault, .. } => fault,
                        other => other.to_string(),
                    };
                    tracing::warn!(path = %file.path.display(), fault, "image skipped");
                    self.skipped.push(Skipped { path: file.path, fault });
                }
            }
        }
        if kept.is_empty() {
            let Skipped { path, fault } = self.skipped.swap_remove(0);
            return Err(DataError::Image {
                path,
                fault: format!("{fault}; no other image is good either"),
            });
        }
        self.files = kept;
        self.images = images.into_iter().collect();
        Ok(())
    }
}

impl Samples for FolderSet {
    type Item = Image;

    fn len(&self) -> usize {
        self.files.len()
    }

    fn item(&self, index: usize) -> Result<Image, DataError> {
        match &self.images {
            Some(images) => Ok(images[index].clone()),
            None => self.options.decode().file(&self.files[index].path),
        }
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.files[index].label
    }

    fn id(&self, index: usize) -> String {
        self.files[index].id.clone()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }
}

fn missing(path: &Path, fault: impl Into<String>, way_out: &'static str) -> DataError {
    DataError::Missing { path: path.to_path_buf(), fault: fault.into(), way_out }
}

/// The image files and the folders directly inside `dir`, each sorted.
fn list(dir: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DataError> {
    let way_out = "name a folder of images that may be read";
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(dir).map_err(DataError::io(dir, way_out))? {
        let path = entry.map_err(DataError::io(dir, way_out))?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        if path.is_dir() {
            folders.push(path);
        } else if ["jpg", "jpeg", "png"].iter().any(|known| extension == *known) {
            files.push(path);
        }
    }
    files.sort();
    folders.sort();
    Ok((files, folders))
}

/// All .jpg, .jpeg and .png files below a folder in the order of their paths, each with its path
/// relative to the folder.
pub fn files_below(dir: &Path) -> Result<Vec<(PathBuf, String)>, DataError> {
    let mut found = Vec::new();
    collect(dir, dir, None, 0, &mut found)?;
    Ok(found.into_iter().map(|found| (found.path, found.id)).collect())
}

/// Adds all images below `dir`, named relative to `root`.
fn collect(
    dir: &Path,
    root: &Path,
    label: Option<u32>,
    depth: u32,
    into: &mut Vec<Found>,
) -> Result<(), DataError> {
    if depth > 32 {
        return Err(missing(
            dir,
            "folders are nested more than 32 deep",
            "look for a link that leads back up",
        ));
    }
    let (files, folders) = list(dir)?;
    for path in files {
        let parts = path.strip_prefix(root).unwrap_or(&path).components();
        let id = parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        into.push(Found { path, id, label });
    }
    folders.iter().try_for_each(|folder| collect(folder, root, label, depth + 1, into))
}
