//! Finds weights by what a user calls them: a file, a name of the catalog, a repository in the
//! cache of the Hugging Face hub, a file in torch.hub's. Nothing is downloaded.

use std::path::{Path, PathBuf};

use crate::{StateDict, WeightsError, catalog, open_part};

/// The folders that are searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Weights of the catalog.
    pub fetched: Option<PathBuf>,
    /// The Hugging Face hub's cache, with a folder `models--ORG--NAME` for each repository.
    pub hub: Option<PathBuf>,
    /// torch.hub's `checkpoints`.
    pub torch: Option<PathBuf>,
}

impl Places {
    /// The user's: `$HF_HUB_CACHE`, else `hub` in `$HF_HOME`, else `huggingface/hub` in the cache
    /// folder; `hub/checkpoints` in `$TORCH_HOME`, else in `torch` in the cache folder; and
    /// [`catalog::folder`].
    pub fn of_user() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        Self { fetched: catalog::folder().ok(), ..Self::from(set) }
    }

    fn from(set: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let cache = catalog::users_cache(&set);
        let in_cache = |below: &str| cache.as_ref().map(|cache| cache.join(below));
        let hub = set("HF_HUB_CACHE")
            .or_else(|| Some(set("HF_HOME")?.join("hub")))
            .or_else(|| in_cache("huggingface/hub"));
        let torch = set("TORCH_HOME").or_else(|| in_cache("torch"));
        Self { fetched: None, hub, torch: torch.map(|home| home.join("hub/checkpoints")) }
    }
}

/// Weights that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file, or a folder that has it.
    pub path: PathBuf,
    /// The part of a training checkpoint that was asked for.
    pub part: Option<String>,
}

impl Found {
    /// Opens them.
    ///
    /// # Errors
    /// Those of [`open_part`].
    pub fn open(&self) -> Result<StateDict, WeightsError> {
        open_part(&self.path, self.part.as_deref())
    }
}

/// Finds what `asked` names, in this order: a file or folder; a checkpoint of TensorFlow by what
/// its files begin with, as `model.ckpt-1000`; weights of the catalog that were fetched, as
/// `efficientnet-lite0` or `all-MiniLM-L6-v2`; a repository of the Hugging Face hub in its cache,
/// as `timm/vit_small_patch14_dinov2.lvd142m` or with a revision `ORG/NAME@REVISION`; a file in
/// torch.hub's cache, as `resnet50-0676ba61.pth` or just `resnet50`. With `#PART` at the end the
/// part of a training checkpoint is chosen: `run.pth#state_dict`.
///
/// # Errors
/// When there is nothing of this name: the text says where it was looked for and what to do.
pub fn find(asked: &str, places: &Places) -> Result<Found, WeightsError> {
    let whole = Path::new(asked);
    if whole.exists() {
        return Ok(Found { path: whole.to_owned(), part: None });
    }
    let (name, part) = match asked.rsplit_once('#') {
        Some((name, part)) if !part.is_empty() => (name, Some(part.to_owned())),
        _ => (asked, None),
    };
    let found = |path| Ok(Found { path, part: part.clone() });
    if Path::new(name).exists() {
        return found(name.into());
    }
    // TensorFlow calls a checkpoint by what its files have in common.
    let index = PathBuf::from(format!("{name}.index"));
    if index.is_file() {
        return found(index);
    }
    let (entry, text_net) = (catalog::by_name(name).ok(), catalog::text_net(name));
    if let Some(folder) = &places.fetched {
        let fetched = entry.as_ref().map(|entry| entry.path(folder));
        let fetched = fetched.or_else(|| text_net.as_ref().map(|net| net.path(folder)));
        if let Some(path) = fetched.filter(|path| path.exists()) {
            return found(path);
        }
    }
    if let Some(path) = places.hub.as_ref().map(|hub| in_hub(name, hub)).transpose()?.flatten() {
        return found(path);
    }
    if let Some(path) = places.torch.as_ref().and_then(|folder| in_torch_hub(name, folder)) {
        return found(path);
    }
    let shown = |place: &Option<PathBuf>, what: &str| {
        place.as_ref().map(|path| format!("{what} ({})", path.display()))
    };
    let searched: Vec<String> = [
        Some("a file of this name".to_owned()),
        shown(&places.fetched, "fetched weights"),
        shown(&places.hub, "the cache of the Hugging Face hub"),
        shown(&places.torch, "the cache of torch.hub"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let known = entry.map(|entry| entry.name).or(text_net.map(|net| net.name));
    let way_out = match &known {
        Some(name) => format!("`tutor weights fetch {name}` fetches them"),
        None => "name a file, or see `tutor weights list`".to_owned(),
    };
    let text =
        format!("no weights {name}: there is neither {}; {way_out}", searched.join(", nor "));
    Err(WeightsError::Unknown(text))
}

/// The snapshot of a repository in the hub's cache.
fn in_hub(name: &str, hub: &Path) -> Result<Option<PathBuf>, WeightsError> {
    let name = name.strip_prefix("hf-hub:").or_else(|| name.strip_prefix("hf://")).unwrap_or(name);
    let (id, revision) = name.split_once('@').unwrap_or((name, "main"));
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
    if id.split('/').count() > 2 || !id.split('/').all(plain) || !revision.split('/').all(plain) {
        return Ok(None);
    }
    let folder = hub.join(format!("models--{}", id.replace('/', "--")));
    if !folder.is_dir() {
        return Ok(None);
    }
    let snapshots = folder.join("snapshots");
    let commit = std::fs::read_to_string(folder.join("refs").join(revision));
    let commit = commit.map_or_else(|_| revision.to_owned(), |text| text.trim().to_owned());
    let mut there: Vec<PathBuf> = match std::fs::read_dir(&snapshots) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => Vec::new(),
    };
    let wanted = snapshots.join(commit);
    if wanted.is_dir() {
        return Ok(Some(wanted));
    }
    // Without a word about `main`, a single snapshot is it.
    if let (1, "main") = (there.len(), revision) {
        return Ok(there.pop());
    }
    let text =
        format!("{id} is in the cache of the Hugging Face hub, but not its revision {revision}");
    Err(WeightsError::file(&folder, text))
}

/// The file of this name in torch.hub's cache, or the only one that is called so up to the digits
/// of its checksum.
fn in_torch_hub(name: &str, folder: &Path) -> Option<PathBuf> {
    if name.contains(['/', '\\']) {
        return None;
    }
    let exact = folder.join(name);
    if exact.is_file() {
        return Some(exact);
    }
    let entries = std::fs::read_dir(folder).ok()?;
    let mut like = entries.flatten().map(|entry| entry.path()).filter(|path| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        stem == name || stem.rsplit_once('-').is_some_and(|(start, _)| start == name)
    });
    match (like.next(), like.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    #[test]
    fn the_users_folders_are_known() {
        let places = |set: &[(&str, &str)]| {
            let set: BTreeMap<_, _> = set.iter().copied().collect();
            Places::from(|name| set.get(name).map(PathBuf::from))
        };
        let path = |text: &str| Some(PathBuf::from(text));
        let home = places(&[("HOME", "/h")]);
        assert_eq!(home.hub, path("/h/.cache/huggingface/hub"));
        assert_eq!(home.torch, path("/h/.cache/torch/hub/checkpoints"));
        let own = places(&[("HOME", "/h"), ("HF_HOME", "/f"), ("TORCH_HOME", "/t")]);
        assert_eq!((own.hub, own.torch), (path("/f/hub"), path("/t/hub/checkpoints")));
        assert_eq!(places(&[("HF_HOME", "/f"), ("HF_HUB_CACHE", "/c")]).hub, path("/c"));
        assert_eq!(places(&[("XDG_CACHE_HOME", "/x")]).hub, path("/x/huggingface/hub"));
        assert_eq!(places(&[]), Places::default());
    }

    #[test]
    fn names_are_looked_up_in_their_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |path: &str| folder.path().join(path);
        for path in [
            "fetched/efficientnet-lite0.safetensors",
            "fetched/all-MiniLM-L6-v2/config.json",
            "hub/models--org--net/refs/main",
            "hub/models--org--net/snapshots/abc/model.safetensors",
            "hub/models--org--net/snapshots/def/model.safetensors",
            "hub/models--gpt2/snapshots/abc/model.safetensors",
            "torch/resnet50-0676ba61.pth",
            "torch/resnet50_x.pth",
        ] {
            fs::create_dir_all(at(path).parent().expect("a folder")).expect("made");
            fs::write(at(path), "abc\n").expect("written");
        }
        let places =
            Places { fetched: Some(at("fetched")), hub: Some(at("hub")), torch: Some(at("torch")) };
        let found = |asked: &str| find(asked, &places).map(|found| (found.path, found.part));
        let part = |text: &str| Some(text.to_owned());
        for (asked, path, part) in [
            ("efficientnet-lite0", "fetched/efficientnet-lite0.safetensors", None),
            ("tf_efficientnet_lite0", "fetched/efficientnet-lite0.safetensors", None),
            ("all-minilm-l6-v2", "fetched/all-MiniLM-L6-v2", None),
            ("org/net", "hub/models--org--net/snapshots/abc", None),
            ("hf-hub:org/net", "hub/models--org--net/snapshots/abc", None),
            ("org/net@def#ema", "hub/models--org--net/snapshots/def", part("ema")),
            ("gpt2", "hub/models--gpt2/snapshots/abc", None),
            ("resnet50", "torch/resnet50-0676ba61.pth", None),
            ("resnet50_x.pth", "torch/resnet50_x.pth", None),
        ] {
            assert_eq!(found(asked).expect(asked), (at(path), part), "{asked}");
        }
        let file = at("torch/resnet50_x.pth").display().to_string();
        let (path, chosen) = found(&format!("{file}#model.ema")).expect("it");
        assert_eq!((path.display().to_string(), chosen), (file, part("model.ema")));
    }

    #[test]
    fn what_is_not_there_is_said_with_the_way_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let hub = folder.path().join("hub");
        fs::create_dir_all(hub.join("models--org--net/snapshots/abc")).expect("made");
        let places = Places { hub: Some(hub.clone()), ..Places::default() };
        let error = |asked: &str| find(asked, &places).expect_err(asked).to_string();
        let missing = error("org/other");
        assert!(missing.contains("org/other") && missing.contains("hub"), "{missing}");
        assert!(error("efficientnet-lite1").contains("tutor weights fetch efficientnet-lite1"));
        assert!(error("all-MiniLM-L6-v2").contains("tutor weights fetch all-MiniLM-L6-v2"));
        assert!(error("org/net@v2").contains("revision v2"));
        // Nothing outside of the caches is reached by a name.
        for asked in ["../../etc", "org/../net", "./x", "a/b/c"] {
            assert!(error(asked).starts_with("no weights"), "{asked}");
        }
    }
}
