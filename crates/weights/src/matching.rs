//! Brings the names of one code base's tensors to those of another.
//!
//! A [`Scheme`] says how published names become ours. [`best`] tries every scheme, below every
//! prefix that wrappers put before names, and takes what fits most tensors.

use std::collections::{BTreeMap, BTreeSet};

use crate::{StateDict, TensorData};

/// Where a published tensor goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Our name.
    pub name: String,
    /// Which part of ours it is, along the first dimension; 0 where it is all of it.
    pub part: usize,
}

impl Target {
    /// All of our tensor.
    pub fn whole(name: impl Into<String>) -> Self {
        Self { name: name.into(), part: 0 }
    }
}

/// How one code base names the tensors of a net.
pub struct Scheme<'a> {
    /// Whose names they are.
    pub name: &'static str,
    /// Where the tensor of a published name goes, if the scheme has such a name.
    #[expect(clippy::type_complexity, reason = "the shortest way to say it")]
    pub translate: Box<dyn Fn(&str) -> Option<Target> + 'a>,
}

impl std::fmt::Debug for Scheme<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What wrappers and self-supervised methods put before the names of a net's tensors. Of two that
/// fit equally well the one that stands first counts: a trained net before the copy that follows
/// it.
const WRAPPERS: [&str; 24] = [
    "module",
    "_orig_mod",
    "model",
    "net",
    "network",
    "backbone",
    "encoder",
    "base_encoder",
    "encoder_q",
    "online_encoder",
    "student",
    "teacher",
    "ema_model",
    "ema",
    "momentum_encoder",
    "encoder_k",
    "target_encoder",
    "base_model",
    "feature_extractor",
    "trunk",
    "visual",
    "image_encoder",
    "embedder",
    "classifier_model",
];

/// How many wrappers may lie around each other.
const DEEPEST: usize = 4;

/// Tensors under our names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matched {
    /// Whose names they had.
    pub scheme: String,
    /// What stood before their names, as `module.`; often nothing.
    pub prefix: String,
    /// The tensors that have a place, under our names.
    pub tensors: BTreeMap<String, TensorData>,
    /// Published names behind the prefix that have a place.
    pub used: Vec<String>,
    /// Names in the file and not in the network, behind the prefix.
    pub unexpected: Vec<String>,
    /// Names that do not begin with the prefix.
    pub outside: Vec<String>,
    /// What was done, in words.
    pub applied: Vec<String>,
}

/// Brings `given` to the names of `wanted` by the scheme and the prefix that fit most tensors; of
/// equal ones by the scheme that stands first. Tensors for which `ignored` holds are passed over.
/// Panics without schemes.
pub fn best(
    given: &StateDict,
    wanted: &BTreeSet<&str>,
    schemes: &[Scheme<'_>],
    ignored: impl Fn(&str) -> bool,
) -> Matched {
    let names: Vec<&str> =
        given.tensors.keys().map(String::as_str).filter(|name| !ignored(name)).collect();
    let fits = |name: &str, scheme: &Scheme<'_>| {
        (scheme.translate)(name).filter(|target| wanted.contains(target.name.as_str()))
    };
    let mut best: Option<(usize, &Scheme<'_>, &String)> = None;
    let prefixes = prefixes(&names);
    for prefix in &prefixes {
        for scheme in schemes {
            let below = names.iter().filter_map(|name| name.strip_prefix(prefix.as_str()));
            let count = below.filter(|name| fits(name, scheme).is_some()).count();
            if best.is_none_or(|(most, _, _)| count > most) {
                best = Some((count, scheme, prefix));
            }
        }
    }
    let (_, scheme, prefix) = best.expect("a scheme and the empty prefix");

    let mut matched =
        Matched { scheme: scheme.name.to_owned(), prefix: prefix.clone(), ..Matched::default() };
    let mut parts: BTreeMap<String, BTreeMap<usize, (&str, &TensorData)>> = BTreeMap::new();
    for name in names {
        let Some(short) = name.strip_prefix(prefix.as_str()) else {
            matched.outside.push(name.to_owned());
            continue;
        };
        let Some(target) = fits(short, scheme) else {
            matched.unexpected.push(short.to_owned());
            continue;
        };
        let places = parts.entry(target.name).or_default();
        let earlier = places.entry(target.part).or_insert((short, &given.tensors[name]));
        if earlier.0 == short {
            matched.used.push(short.to_owned());
        } else {
            matched.unexpected.push(short.to_owned());
        }
    }
    let mut joined = 0;
    for (name, parts) in parts {
        let all: Vec<&TensorData> = parts.values().map(|(_, tensor)| *tensor).collect();
        match all.as_slice() {
            [one] => drop(matched.tensors.insert(name, (*one).clone())),
            several => match TensorData::concatenated(several) {
                Some(tensor) => {
                    joined += 1;
                    matched.tensors.insert(name, tensor);
                }
                None => {
                    matched.unexpected.extend(parts.values().map(|(name, _)| (*name).to_owned()))
                }
            },
        }
    }
    if !prefix.is_empty() {
        matched.applied.push(format!("prefix {prefix} removed"));
    }
    if scheme.name != schemes[0].name {
        matched.applied.push(format!("names of {} translated", scheme.name));
    }
    if joined > 0 {
        matched.applied.push(format!("{joined} tensors put together from parts"));
    }
    matched
}

/// The prefixes of wrappers with which some name begins, the preferred first, the empty one before
/// all.
fn prefixes(names: &[&str]) -> Vec<String> {
    let mut found: BTreeSet<Vec<usize>> = BTreeSet::from([Vec::new()]);
    for name in names {
        let ranks = name.split('.').map_while(|word| WRAPPERS.iter().position(|w| *w == word));
        let mut prefix = Vec::new();
        for rank in ranks.take(DEEPEST) {
            prefix.push(rank);
            found.insert(prefix.clone());
        }
    }
    let text =
        |ranks: Vec<usize>| ranks.iter().map(|&rank| format!("{}.", WRAPPERS[rank])).collect();
    found.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dict(names: &[&str]) -> StateDict {
        let tensor = |i: usize| TensorData::from_f32(vec![1], &[i as f32]);
        let tensors = names.iter().enumerate().map(|(i, name)| ((*name).to_owned(), tensor(i)));
        StateDict { tensors: tensors.collect(), ..StateDict::default() }
    }

    fn ours() -> Scheme<'static> {
        Scheme { name: "ours", translate: Box::new(|name| Some(Target::whole(name))) }
    }

    fn matched(names: &[&str], wanted: &[&str]) -> Matched {
        let other = Scheme {
            name: "theirs",
            translate: Box::new(|name| {
                let (place, rest) = name.split_once('/')?;
                let part = place.parse().ok()?;
                Some(Target { name: rest.to_owned(), part })
            }),
        };
        let wanted = wanted.iter().copied().collect();
        best(&dict(names), &wanted, &[ours(), other], |name| name.ends_with("counter"))
    }

    #[test]
    fn prefixes_are_found_and_what_is_beside_them_is_named() {
        let found = matched(
            &[
                "module.backbone.a",
                "module.backbone.b",
                "module.backbone.x",
                "module.head.a",
                "counter",
            ],
            &["a", "b"],
        );
        assert_eq!(found.prefix, "module.backbone.");
        assert_eq!(found.tensors.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            (found.unexpected, found.outside),
            (vec!["x".to_owned()], vec!["module.head.a".to_owned()])
        );
        assert_eq!(found.applied, ["prefix module.backbone. removed"]);
        // A net may have a wrapper's word in its own names.
        assert_eq!(matched(&["encoder.a", "b"], &["encoder.a", "b"]).prefix, "");
    }

    #[test]
    fn the_trained_net_counts_before_the_copy_that_follows_it() {
        let found = matched(&["momentum_encoder.a", "base_encoder.a"], &["a"]);
        assert_eq!(found.tensors["a"].to_f32(), [1.0]);
        assert_eq!(found.outside, ["momentum_encoder.a"]);
    }

    #[test]
    fn schemes_are_tried_and_parts_put_together_in_their_order() {
        let found = matched(&["1/a", "0/a", "2/a", "0/b"], &["a", "b"]);
        assert_eq!(
            (found.scheme.as_str(), found.tensors["a"].to_f32()),
            ("theirs", vec![1.0, 0.0, 2.0])
        );
        assert_eq!(found.tensors["b"].to_f32(), [3.0]);
        let applied = ["names of theirs translated", "1 tensors put together from parts"];
        assert_eq!(found.applied, applied);
    }
}
