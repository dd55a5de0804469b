//! One's own images: opens the parts that a recipe names, and looks for images that are in two of
//! them.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use data_pipeline::dataset::fingerprint::{self, Contents, Duplicates, Fingerprint};
use data_pipeline::dataset::folder::{self, FolderOptions, FolderSet};
use data_pipeline::dataset::{Cached, Concat, ImageSamples, Samples};
use data_pipeline::digest::Digest;

use super::subset::Set;
use crate::recipe::class_names::{absent, doubtful, refuse_missing};
use crate::recipe::data;
use crate::run::agreement;
use crate::run::began;
use crate::run::copies;
use crate::run::files;
use crate::run::measured::Overlap;
use crate::run::processes;

/// The parts of one's own images, open.
pub(super) struct Folder {
    pub(super) labeled: Set,
    pub(super) unlabeled: Option<Set>,
    pub(super) validation: Option<Set>,
    pub(super) test: Option<Set>,
    /// Labelled images, by number, that have the content of others: neither learned from nor
    /// measured on.
    pub(super) left_out: HashSet<u32>,
    /// What should be known of them.
    pub(super) notes: Vec<Note>,
    /// Images of the validation and of the test part that are in other parts too.
    pub(super) overlap: BTreeMap<&'static str, Overlap>,
}

/// What should be known of images, in words.
#[derive(Clone)]
pub(super) struct Note {
    pub(super) full: String,
    /// With few examples.
    pub(super) brief: String,
}

impl From<String> for Note {
    fn from(full: String) -> Self {
        Self { brief: full.clone(), full }
    }
}

impl Folder {
    /// Opens all parts. Fails if one cannot be read, or if the validation or test part shares an
    /// image with another and the recipe does not allow it.
    pub(super) fn open(config: &data::Folder) -> Result<Self> {
        refuse_same_path([
            // The table tells which images of its folder are labelled.
            ("data.labeled", config.labels.as_ref().or(Some(&config.labeled))),
            ("data.unlabeled", config.unlabeled.as_ref()),
            ("data.validation", config.validation.as_ref()),
            ("data.test", config.test.as_ref()),
        ])?;
        let (parts, mut notes) = open_parts(config)?;
        let Same { told, left_out, overlap } = compare_contents(config, &parts)?;
        notes.extend(told);
        let mut notes: Vec<Note> = notes.into_iter().map(Note::from).collect();
        notes.extend(parts.iter().flat_map(notes_of_part));
        let Joined { labeled, unlabeled, validation, test } = join(parts)?;
        for (name, set) in [("validation", &validation), ("test", &test)] {
            notes.extend(set.iter().flat_map(|set| notes_on_unmeasured(name, &**set)));
        }
        if validation.is_none() && config.validation_share > 0.0 {
            notes.extend(notes_on_single(&*labeled, &left_out));
        }
        Ok(Self { labeled, unlabeled, validation, test, left_out, notes, overlap })
    }
}

/// A part's name as it stands in messages, and its images.
type Part = (&'static str, Cached<FolderSet>);

/// Opens and decodes all parts, the labelled one first; with them, notes on classes. Paths, tables
/// and labels of all parts are checked before anything is decoded.
fn open_parts(config: &data::Folder) -> Result<(Vec<Part>, Vec<String>)> {
    let options = FolderOptions {
        on_bad: config.on_bad,
        decode: config.decode(),
        digests: !config.on_demand,
        no_label: config.no_label.clone(),
        ..FolderOptions::default()
    };
    let (labeled, rest) = open_labeled(config, &options)?;
    refuse_inside(
        ("data.labeled", &config.labeled, &labeled),
        [
            ("data.unlabeled", config.unlabeled.as_ref()),
            ("data.validation", config.validation.as_ref()),
            ("data.test", config.test.as_ref()),
        ],
    )?;
    let notes = check_classes(config, &labeled)?;
    let classes = labeled.classes().to_vec();
    let mut measured = open_measured(config, &options, &classes)?;
    let unlabeled = FolderOptions { labeled: false, ..options.clone() };
    let unlabeled =
        config.unlabeled.as_ref().map(|path| FolderSet::open(path, &unlabeled)).transpose()?;
    let mut decoder = Decoder::new(config);
    let labeled = decoder.decode(labeled)?;
    // A class none of whose images can be read is none.
    if labeled.inner().classes() != classes {
        measured = open_measured(config, &options, labeled.inner().classes())?;
    }
    let [validation, test] = measured;
    let mut parts = vec![("labelled", labeled)];
    for (name, set) in [
        ("unlabelled", rest),
        ("unlabelled", unlabeled),
        ("validation", validation),
        ("test", test),
    ] {
        if let Some(set) = set {
            parts.push((name, decoder.decode(set)?));
        }
    }
    Ok((parts, notes))
}

/// Opens the labelled images; beside them, those that have no label.
fn open_labeled(
    config: &data::Folder,
    options: &FolderOptions,
) -> Result<(FolderSet, Option<FolderSet>)> {
    let options = FolderOptions {
        labels: config.labels.clone(),
        unlisted: config.unlabeled.is_none(),
        exclude: config.validation.iter().chain(&config.test).cloned().collect(),
        ..options.clone()
    };
    Ok(FolderSet::open(&config.labeled, &options)?.by_label())
}

/// Refuses a class that the recipe names and no labelled image has; notes on classes that may be
/// meant otherwise.
fn check_classes(config: &data::Folder, labeled: &FolderSet) -> Result<Vec<String>> {
    let classes = labeled.classes().iter().map(String::as_str);
    let counts: Vec<(&str, u64)> = classes.zip(sizes(labeled, &HashSet::new())).collect();
    refuse_missing(&counts, &config.class)
        .with_context(|| config.labels.as_ref().unwrap_or(&config.labeled).display().to_string())?;
    let mut notes = doubtful(&counts, &config.class);
    notes.extend(absent(&counts, &config.class));
    Ok(notes)
}

/// Opens the validation and the test part. They may lack one of the classes, but not bring a new
/// one.
fn open_measured(
    config: &data::Folder,
    options: &FolderOptions,
    classes: &[String],
) -> Result<[Option<FolderSet>; 2]> {
    let options = FolderOptions {
        classes: Some(classes.to_vec()),
        root: config.labels.is_some().then(|| config.labeled.clone()),
        ..options.clone()
    };
    let open = |path: &Option<PathBuf>| {
        path.as_ref().map(|path| FolderSet::open(path, &options)).transpose()
    };
    Ok([open(&config.validation)?, open(&config.test)?])
}

/// Decodes parts one after another within the memory that they have together.
struct Decoder {
    on_demand: bool,
    /// Bytes that are left for decoded images.
    left: u64,
}

impl Decoder {
    fn new(config: &data::Folder) -> Self {
        Self { on_demand: config.on_demand, left: config.memory.saturating_mul(1 << 20) }
    }

    /// The images of a part, all decoded once, or later where they are decoded on demand.
    fn decode(&mut self, set: FolderSet) -> Result<Cached<FolderSet>> {
        let set = match self.on_demand {
            true => Cached::new(set, std::mem::take(&mut self.left)),
            false => set.decode_all(self.left)?,
        };
        self.left -= set.bytes();
        Ok(set)
    }
}

/// Looks for images with the same content, unless they are decoded on demand.
fn compare_contents(config: &data::Folder, parts: &[Part]) -> Result<Same> {
    if !config.on_demand {
        return shared(parts, config.allow_duplicates);
    }
    let note = "contents were not compared between the parts (data.on_demand): an image of the test \
                part may be among the others, and a copy of a labelled one counts again";
    Ok(Same { told: vec![note.to_owned()], ..Same::default() })
}

/// What should be known of a part: how it was read, and what was left out.
fn notes_of_part((name, set): &Part) -> Vec<Note> {
    let set = set.inner();
    let mut notes: Vec<Note> =
        set.notes().iter().map(|text| Note::from(format!("{name} images: {text}"))).collect();
    notes.extend(set.left_out().iter().map(|left_out| Note {
        full: format!("{name} images: {left_out}"),
        brief: format!("{name} images: {}", left_out.brief()),
    }));
    notes
}

/// The parts as sets, of which those with the same name are one.
struct Joined {
    labeled: Set,
    unlabeled: Option<Set>,
    validation: Option<Set>,
    test: Option<Set>,
}

/// Joins parts that have the same name.
fn join(parts: Vec<Part>) -> Result<Joined> {
    let mut sets: BTreeMap<&str, Vec<Set>> = BTreeMap::new();
    for (name, set) in parts {
        sets.entry(name).or_default().push(Arc::new(set));
    }
    let mut take = |name: &str| match sets.remove(name).unwrap_or_default() {
        sets if sets.len() > 1 => anyhow::Ok(Some(Arc::new(Concat::new(sets)?) as Set)),
        mut sets => Ok(sets.pop()),
    };
    let Some(labeled) = take("labelled")? else { bail!("there is no labelled image") };
    let (unlabeled, validation, test) = (take("unlabelled")?, take("validation")?, take("test")?);
    Ok(Joined { labeled, unlabeled, validation, test })
}

/// Notes on the classes of which a part that is measured on has no image.
fn notes_on_unmeasured(name: &str, set: &ImageSamples) -> Vec<Note> {
    let note = |class: &String| {
        let told = format!("no {name} image is of the class `{class}`");
        Note::from(format!("{told}, which is not measured there"))
    };
    unmeasured(set).map(note).collect()
}

/// Notes on the classes with one labelled image, where validation images are drawn from these.
fn notes_on_single(labeled: &ImageSamples, left_out: &HashSet<u32>) -> Vec<Note> {
    let note = |class: &String| {
        Note::from(format!(
            "the class `{class}` has one labelled image, which is trained on: no validation image \
             measures it"
        ))
    };
    single(labeled, left_out).map(note).collect()
}

/// How many images each class has, without those that are left out.
fn sizes(set: &ImageSamples, left_out: &HashSet<u32>) -> Vec<u64> {
    let mut sizes = vec![0; set.classes().len()];
    let counted = (0..set.len()).filter(|&i| !left_out.contains(&(i as u32)));
    counted.filter_map(|i| set.label(i)).for_each(|label| sizes[label as usize] += 1);
    sizes
}

/// The classes without an image.
fn unmeasured(set: &ImageSamples) -> impl Iterator<Item = &String> {
    let sizes = sizes(set, &HashSet::new());
    set.classes().iter().zip(sizes).filter(|(_, size)| *size == 0).map(|(class, _)| class)
}

/// The classes with one image that counts.
fn single<'a>(
    set: &'a ImageSamples,
    left_out: &HashSet<u32>,
) -> impl Iterator<Item = &'a String> + use<'a> {
    let sizes = sizes(set, left_out);
    set.classes().iter().zip(sizes).filter(|(_, size)| *size == 1).map(|(class, _)| class)
}

/// Fails if the validation or test part, the last two, is the folder or file of another part. A
/// part has its name in messages.
pub(crate) fn refuse_same_path(parts: [(&str, Option<&PathBuf>); 4]) -> Result<()> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    for (i, (name, path)) in parts.iter().enumerate().skip(2) {
        let Some(path) = path else { continue };
        let same =
            parts[..i].iter().find(|(_, other)| other.is_some_and(|o| real(o) == real(path)));
        if let Some((other, _)) = same {
            bail!(
                "{name} is {other}, {}: what is measured on must not be trained on; name other images, \
                 or leave {name} out",
                path.display()
            );
        }
    }
    Ok(())
}

/// Fails if a part is a folder below the labelled one whose images have the name of their
/// sub-folder for a label. The labelled part has its name in messages, its folder and its images.
pub(crate) fn refuse_inside(
    (labeled, folder, set): (&str, &Path, &FolderSet),
    parts: [(&str, Option<&PathBuf>); 3],
) -> Result<()> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let above = real(folder);
    for (name, path) in parts {
        let Some(path) = path.filter(|path| path.is_dir()) else { continue };
        let below = real(path);
        let Ok(inside) = below.strip_prefix(&above) else { continue };
        let inside = inside.to_string_lossy();
        let class = inside.split('/').next().unwrap_or_default();
        let start = format!("{inside}/");
        let is_of_class = |i: usize| {
            set.label(i).is_some_and(|label| set.classes()[label as usize] == class)
                && set.id(i).starts_with(&start)
        };
        if !(0..set.len()).any(is_of_class) {
            continue;
        }
        let or = match class == inside && name.ends_with("unlabeled") {
            true => format!(
                ", or leave {name} out and say that this label stands for none: --no-label \
                 '{class}' of `tutor fit`, data.no_label in a recipe"
            ),
            false => String::new(),
        };
        bail!(
            "{name} {} lies in {labeled} {}, whose sub-folders are the classes: its images would \
             be learned from with the label `{class}`. Move it out of there{or}",
            path.display(),
            folder.display()
        );
    }
    Ok(())
}

/// Images that have the content of others.
#[derive(Default)]
struct Same {
    /// What is told of them.
    told: Vec<String>,
    /// Those of the labelled images, by number, that do not count.
    left_out: HashSet<u32>,
    /// Those of the validation and of the test part that are in other parts too.
    overlap: BTreeMap<&'static str, Overlap>,
}

/// Finds images that are there more than once; the first part is that of the labelled ones. Fails
/// if images that are measured on are in another part too and that is not allowed, or if a class
/// has no labelled image that counts.
fn shared(parts: &[Part], allowed: bool) -> Result<Same> {
    let sets: Vec<&FolderSet> = parts.iter().map(|(_, set)| set.inner()).collect();
    let mut contents: Vec<(&str, Contents)> = Vec::new();
    for ((name, _), found) in parts.iter().zip(folder::contents(&sets)?) {
        match contents.last_mut() {
            Some((last, known)) if last == name => known.extend(found),
            _ => contents.push((name, found)),
        }
    }
    let Duplicates { between, within } = fingerprint::duplicates(&contents);
    let mut notes = Vec::new();
    for pair in between {
        let (first, second) = &pair.parts;
        let example = pair.examples.first().map_or(String::new(), |(a, b)| {
            if a == b { format!(" ({a})") } else { format!(" ({b} is {a})") }
        });
        let are = if pair.count == 1 { "is" } else { "are" };
        let text = format!("{} of the {second} images {are} among the {first} ones", pair.count);
        ensure!(
            second == "unlabelled" || allowed,
            "{text}{example}, by their pixels: what is measured on must not be seen before. Remove \
             them from one of the parts, or allow them: --allow-duplicates of `tutor fit`, \
             data.allow_duplicates = true in a recipe"
        );
        notes.push(format!("{text}{example}"));
    }
    let (labelled, _) = &parts[0];
    for part in within.iter().filter(|part| part.part != *labelled) {
        let (name, count) = (&part.part, part.count);
        let example =
            part.examples.first().map_or(String::new(), |(a, b)| format!(" ({b} is {a})"));
        let labels = match part.conflicting {
            0 => String::new(),
            n => format!(", {n} of them with another label"),
        };
        let are = if count == 1 { "is" } else { "are" };
        notes.push(format!("{count} of the {name} images {are} there twice{labels}{example}"));
    }
    let (labelled, set) = (&contents[0].1, parts[0].1.inner());
    let samples: Vec<_> = labelled.iter().map(|(_, label, digest)| (*label, *digest)).collect();
    let copies = fingerprint::copies(&samples);
    notes.extend(copies::told(&copies, "images", |i| labelled[i].0.clone()));
    let left_out: HashSet<u32> = copies.left_out.iter().map(|&i| i as u32).collect();
    let kept = (0..set.len()).filter(|&i| !left_out.contains(&(i as u32)));
    copies::refuse_emptied(set.classes(), kept.map(|i| set.label(i)), "images")?;
    let overlap = ["validation", "test"].map(|part| {
        let of = |other| among(&contents, part, other);
        (part, Overlap { labeled: of("labelled"), unlabeled: of("unlabelled") })
    });
    Ok(Same { told: notes, left_out, overlap: overlap.into() })
}

/// The images of a part, by id, that are in another one too.
fn among(parts: &[(&str, Contents)], part: &str, other: &str) -> Vec<String> {
    let of = |wanted| parts.iter().filter(move |(name, _)| *name == wanted).flat_map(|(_, c)| c);
    let known: HashSet<&Digest> = of(other).map(|(_, _, digest)| digest).collect();
    let found = of(part).filter(|(_, _, digest)| known.contains(digest));
    found.map(|(id, _, _)| id.clone()).collect()
}

/// The images that a run is about, by part; none where it is not about one's own.
pub(crate) fn kept(run: &Path) -> Result<BTreeMap<String, Fingerprint>> {
    Ok(files::found_before(&run.join(began::IMAGES))?.unwrap_or_default())
}

/// What images parts have.
type Fingerprints = BTreeMap<String, Fingerprint>;

/// What images each of these parts has.
fn fingerprints(parts: &[(&str, &ImageSamples)]) -> Result<Fingerprints> {
    parts.iter().map(|(name, set)| Ok(((*name).to_owned(), Fingerprint::of(*set)?))).collect()
}

/// How the images of parts differ from others, part by part.
fn changes(now: &Fingerprints, before: &Fingerprints) -> Vec<String> {
    let mut changes = Vec::new();
    for (name, part) in now {
        match before.get(name) {
            Some(before) => {
                let change = part.change_since(before);
                changes.extend(change.map(|change| format!("{name} images: {change}")));
            }
            None => changes.push(format!("the {name} images are new")),
        }
    }
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    changes.extend(gone.map(|name| format!("the {name} images are gone")));
    changes
}

/// Keeps in the folder of a run, if one is given, which images each part has, or makes sure that
/// they are those of an earlier process. Fails in all of several processes that run together unless
/// they have the same images, by their names, their labels and, where they are known, their
/// contents.
pub(super) fn keep(parts: &[(&str, &ImageSamples)], run: Option<&Path>) -> Result<()> {
    if run.is_none() && processes::group().is_none() {
        return Ok(());
    }
    let now = fingerprints(parts)?;
    let differs = |rank: usize, first: &Fingerprints| {
        let changes = changes(&now, first).join("; ");
        Ok(format!("rank {rank} has other images than rank 0 ({changes})"))
    };
    agreement::agree(&now, differs, agreement::SAME_DATA)?;
    let Some(run) = run else { return Ok(()) };
    let path = run.join(began::IMAGES);
    let earlier = files::once(&path, || Ok(now.clone()))?;
    let changes = changes(&now, &earlier);
    ensure!(
        changes.is_empty(),
        "the images are others than this run began with ({}): {}; put them back as they were, or \
         begin anew with --fresh",
        path.display(),
        changes.join("; ")
    );
    Ok(())
}
