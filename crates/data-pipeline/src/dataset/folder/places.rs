//! Where the files are that a table names.

use super::content;
use super::listing::{self, Listed};
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Where a file was found.
pub(super) enum At {
    /// Where its name says; the ending may be missing.
    Named(PathBuf),
    /// In a sub-folder that its name does not say, as the only one of this name.
    Below(PathBuf),
    /// By the end of its name, which is a path from the top that is not there, and how many parts
    /// that end has.
    End(PathBuf, usize),
}

impl At {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Named(path) | Self::Below(path) | Self::End(path, _) => path,
        }
    }

    /// How much of a name says so, for comparison.
    fn weight(&self) -> usize {
        match self {
            Self::Named(_) => usize::MAX,
            Self::Below(_) => 1,
            Self::End(_, parts) => *parts,
        }
    }
}

/// Where a file is; what to say where it is not there.
pub(super) type Found = Result<At, String>;

/// Leaves each file to the row that says most of where it is; to none where several say as much.
/// `named` is what each row calls its file. What the last parts of paths alone say is only taken
/// where these paths are of one folder.
pub(super) fn settle<'a>(named: impl Iterator<Item = &'a str>, found: Vec<Found>) -> Vec<Found> {
    // The weight that counts for each file, and how many rows have it.
    let mut most: HashMap<PathBuf, (usize, usize)> = HashMap::new();
    for at in found.iter().flatten() {
        let most = most.entry(at.path().to_path_buf()).or_default();
        match at.weight().cmp(&most.0) {
            Ordering::Greater => *most = (at.weight(), 1),
            Ordering::Equal => most.1 += 1,
            Ordering::Less => {}
        }
    }
    let folder = |name: &str| {
        let parts = parts_from_top(name).unwrap_or_default();
        parts.split_last().map(|(_, folder)| folder.to_vec()).unwrap_or_default()
    };
    let bare = named.zip(&found).filter(|(_, at)| matches!(at, Ok(At::End(_, 1))));
    let are_of_one_folder = bare.map(|(name, _)| folder(name)).collect::<BTreeSet<_>>().len() <= 1;
    let settled = |at: At| {
        let place = at.path().display();
        match (&at, most[at.path()]) {
            (At::Named(_), _) => Ok(at),
            (At::End(_, 1), _) if !are_of_one_folder => {
                Err(format!("; {place} is called so, and the paths are of several folders"))
            }
            (_, (weight, 1)) if weight == at.weight() => Ok(at),
            _ => Err(format!("; another line names {place} too")),
        }
    };
    found.into_iter().map(|at| at.and_then(settled)).collect()
}

/// The folders that files of a table may be in, each looked at where those before it lack one.
pub(super) struct Places<'a> {
    roots: &'a [&'a Path],
    index: OnceCell<Index>,
    /// The names of files by what is left of them without their capitals and Unicode form: only
    /// made where a file is missing.
    alike: OnceCell<HashMap<String, String>>,
}

/// Files by what names them shorter than by their path.
#[derive(Default)]
struct Index {
    /// Image files by their path without the ending.
    stems: HashMap<String, Vec<PathBuf>>,
    /// Files by the last part of their path, and image files by that without the ending.
    names: HashMap<String, Vec<PathBuf>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(roots: &'a [&'a Path]) -> Self {
        Self { roots, index: OnceCell::new(), alike: OnceCell::new() }
    }

    /// Whether a file is where its name says, with its ending.
    pub(super) fn is_there(&self, name: &str) -> bool {
        self.whole(name).is_some()
    }

    fn whole(&self, name: &str) -> Option<PathBuf> {
        // As written first: a backslash may be part of a name here.
        let names = [Some(name.to_owned()), Some(tidy(name)), of_address(name)];
        let paths = names
            .iter()
            .flatten()
            .flat_map(|name| self.roots.iter().map(move |root| root.join(name)));
        paths.into_iter().find(|path| path.is_file())
    }

    /// The file of a name; otherwise what may be meant, to be added to a message.
    pub(super) fn find(&self, name: &str) -> Result<At, String> {
        if let Some(path) = self.whole(name) {
            return Ok(At::Named(path));
        }
        let names = [name.to_owned(), tidy(name)];
        let index = self.index.get_or_init(|| Index::of(self.roots));
        if let Some((path, parts)) = self.end(name, index) {
            return Ok(At::End(path, parts));
        }
        let at = |known: &HashMap<String, Vec<PathBuf>>, at: fn(PathBuf) -> At| {
            let mut found = names.iter().filter_map(|name| known.get(name));
            Some(match &found.next()?[..] {
                [only] => Ok(at(only.clone())),
                several => {
                    let names = several.iter().take(3).map(|path| path.display().to_string());
                    let names = names.collect::<Vec<_>>().join(" or ");
                    Err(format!("; {name} may be {names}: write the path with its ending"))
                }
            })
        };
        at(&index.stems, At::Named)
            .or_else(|| at(&index.names, At::Below))
            .unwrap_or_else(|| Err(self.near(name)))
    }

    /// The file that the end of a path from the top names, and how many parts that end has: the
    /// longest end that does, below a root; without a folder in the path, the file may be in a
    /// sub-folder, as the only one of its name.
    fn end(&self, name: &str, index: &Index) -> Option<(PathBuf, usize)> {
        let parts = parts_from_top(name)?;
        let only = |known: &HashMap<String, Vec<PathBuf>>, end: &str| match &known.get(end)?[..] {
            [only] => Some(only.clone()),
            _ => None,
        };
        let found = (0..parts.len()).find_map(|first| {
            let end = parts[first..].join("/");
            let path = self.whole(&end).or_else(|| only(&index.stems, &end))?;
            Some((path, parts.len() - first))
        });
        found.or_else(|| match &parts[..] {
            [alone] => Some((only(&index.names, alone)?, 1)),
            _ => None,
        })
    }

    /// A file that people take for one of this name, to be added to a message.
    fn near(&self, name: &str) -> String {
        let alike = self.alike.get_or_init(|| alike(self.roots));
        let tidied = tidy(name);
        let found = alike.get(&listing::plain(&tidied)).filter(|other| **other != tidied);
        found.map_or_else(String::new, |other| listing::told_near(&tidied, other))
    }
}

/// The names of files, whole and of image files without the ending, by their plain forms; each also
/// without its folders.
fn alike(roots: &[&Path]) -> HashMap<String, String> {
    let mut alike = HashMap::new();
    for root in roots {
        let mut files = Vec::new();
        if listing::below(root, root, &mut files).is_err() {
            continue;
        }
        for Listed { path, id } in files {
            let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
            let short = content::is_named_as_image(&path).then(|| stem(&id));
            for name in std::iter::once(id).chain(short) {
                for name in [last(&name), name] {
                    alike.entry(listing::plain(&name)).or_insert(name);
                }
            }
        }
    }
    alike
}

/// A name without its ending.
fn stem(name: &str) -> String {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

impl Index {
    fn of(roots: &[&Path]) -> Self {
        let mut all = Self::default();
        for root in roots {
            let mut files = Vec::new();
            if listing::below(root, root, &mut files).is_err() {
                continue;
            }
            let mut here = Self::default();
            for Listed { path, id } in files {
                let name = id.rsplit('/').next().unwrap_or(&id).to_owned();
                if content::is_named_as_image(&path) {
                    here.stems.entry(stem(&id)).or_default().push(path.clone());
                    here.names.entry(stem(&name)).or_default().push(path.clone());
                }
                here.names.entry(name).or_default().push(path);
            }
            here.stems.into_iter().for_each(|(stem, paths)| {
                all.stems.entry(stem).or_insert(paths);
            });
            here.names.into_iter().for_each(|(name, paths)| {
                all.names.entry(name).or_insert(paths);
            });
        }
        all
    }
}

/// The path of an address of a file on a disk, as `file:///data/a%20b.png`.
fn of_address(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix("file://")?;
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let code = after.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.unwrap_or(b'%'));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

/// The parts of a path from the top, here, on Windows or as an address, without the drive; none of
/// other names, and of those with `..` in them.
pub(super) fn parts_from_top(name: &str) -> Option<Vec<String>> {
    let address = of_address(name);
    let path = address.as_deref().unwrap_or(name).trim();
    // An address of a file on a drive has a slash before it: `/C:/data/1.png`.
    let drive = path.trim_start_matches('/').as_bytes();
    let has_drive =
        matches!(drive, [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic());
    if address.is_none() && !has_drive && !path.starts_with('/') && !path.starts_with("\\\\") {
        return None;
    }
    let tidied = tidy(path);
    let parts = tidied.split('/').filter(|part| !part.is_empty()).map(str::to_owned);
    let parts: Vec<String> = parts.skip(usize::from(has_drive)).collect();
    (!parts.iter().any(|part| part == "..")).then_some(parts)
}

/// A name as it is written in a table, without what does not change it.
pub(super) fn tidy(name: &str) -> String {
    let parts = name.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".");
    let joined = parts.collect::<Vec<_>>().join("/");
    if name.starts_with('/') { format!("/{joined}") } else { joined }
}
