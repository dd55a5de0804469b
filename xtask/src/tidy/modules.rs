//! The modules of one target (a library, a program, a bench): which file each stands in, which
//! names it has, and where the item that a path names is defined.

use super::items::{attributes, is_test, leaves, names};
use std::collections::{BTreeMap, BTreeSet};
use syn::{Item, ItemMod, Meta};

/// Every Rust file of the workspace, read by the parser, by its path.
pub(super) type Parsed = BTreeMap<String, syn::File>;

/// The modules of a target; the first is its root.
pub(super) struct Modules<'a> {
    pub(super) all: Vec<Module<'a>>,
}

/// A module, be it a file or part of one.
pub(super) struct Module<'a> {
    pub(super) file: &'a str,
    parent: Option<usize>,
    pub(super) items: &'a [Item],
    names: BTreeMap<String, Vec<Name>>,
    globs: Vec<Vec<String>>,
    macros: BTreeSet<String>,
}

/// What a name stands for in its module.
enum Name {
    /// Something that is defined there.
    Item,
    /// A module below.
    Module(usize),
    /// Something that a `use` brings in by this path.
    Alias(Vec<String>),
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    /// An item that this module defines, or something inside such an item.
    Item(usize),
    /// The module itself.
    Module(usize),
    /// Something of another crate, a local variable, or unknown.
    Elsewhere,
}

/// The names that are being looked up: a `use` may name itself.
type Busy = BTreeSet<(usize, String)>;

impl<'a> Modules<'a> {
    /// The modules that are declared from the root file on, tests left out.
    pub(super) fn of(parsed: &'a Parsed, root: &str) -> Option<Modules<'a>> {
        let (root, file) = parsed.get_key_value(root)?;
        let mut modules = Modules { all: Vec::new() };
        modules.add(parsed, root, None, &file.items, folder(root));
        Some(modules)
    }

    /// Adds a module and those below it, whose files lie in `below`.
    fn add(
        &mut self,
        parsed: &'a Parsed,
        file: &'a str,
        parent: Option<usize>,
        items: &'a [Item],
        below: &str,
    ) -> usize {
        let id = self.all.len();
        self.all.push(Module {
            file,
            parent,
            items,
            names: BTreeMap::new(),
            globs: Vec::new(),
            macros: BTreeSet::new(),
        });
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            match item {
                Item::Mod(child) => {
                    let name = child.ident.to_string();
                    let inner = format!("{below}/{name}");
                    let added = match &child.content {
                        Some((_, items)) => Some(self.add(parsed, file, Some(id), items, &inner)),
                        None => file_of(parsed, file, child, below).map(|(path, ast)| {
                            let own = path.ends_with("/mod.rs") || declared_path(child).is_some();
                            let inner = if own { folder(path) } else { &inner };
                            self.add(parsed, path, Some(id), &ast.items, inner)
                        }),
                    };
                    self.define(id, name, added.map_or(Name::Item, Name::Module));
                }
                Item::Macro(item) => {
                    if let Some(name) = item.ident.as_ref().map(ToString::to_string) {
                        self.all[id].macros.insert(name.clone());
                        let exported = item.attrs.iter().any(|a| a.path().is_ident("macro_export"));
                        self.define(if exported { 0 } else { id }, name, Name::Item);
                    }
                }
                Item::Use(item) => {
                    for leaf in leaves(&item.tree) {
                        match leaf.name {
                            Some(name) => self.define(id, name, Name::Alias(leaf.path)),
                            None if leaf.glob => self.all[id].globs.push(leaf.path),
                            None => {}
                        }
                    }
                }
                _ => names(item).into_iter().for_each(|name| self.define(id, name, Name::Item)),
            }
        }
        id
    }

    fn define(&mut self, module: usize, name: String, means: Name) {
        self.all[module].names.entry(name).or_default().push(means);
    }

    /// What a path leads to that is written in a module.
    pub(super) fn resolve(&self, module: usize, path: &[String]) -> Vec<Found> {
        let mut found = self.follow(module, path, &mut Busy::new());
        found.sort_unstable();
        found.dedup();
        found
    }

    fn follow(&self, module: usize, path: &[String], busy: &mut Busy) -> Vec<Found> {
        let Some((first, mut rest)) = path.split_first() else { return vec![Found::Elsewhere] };
        let mut found = match first.as_str() {
            "crate" => vec![Found::Module(0)],
            "self" => vec![Found::Module(module)],
            "super" => {
                let mut above = self.all[module].parent;
                while let Some((next, after)) = rest.split_first()
                    && next == "super"
                {
                    above = above.and_then(|module| self.all[module].parent);
                    rest = after;
                }
                vec![above.map_or(Found::Elsewhere, Found::Module)]
            }
            name => self.named(module, name, busy).unwrap_or_else(|| vec![Found::Elsewhere]),
        };
        for name in rest {
            let step = |from: Found| match from {
                // What a module is not seen to define, a macro in it does.
                Found::Module(m) => self.named(m, name, busy).unwrap_or(vec![Found::Item(m)]),
                other => vec![other],
            };
            // Nothing is inside a function that shares its name with a module.
            if found.iter().any(|from| matches!(from, Found::Module(_))) {
                found.retain(|from| matches!(from, Found::Module(_)));
            }
            found = found.into_iter().flat_map(step).collect();
        }
        found
    }

    /// What a module means by a name; nothing where it does not know it.
    fn named(&self, module: usize, name: &str, busy: &mut Busy) -> Option<Vec<Found>> {
        let Module { names, globs, .. } = &self.all[module];
        let key = (module, name.to_owned());
        if !busy.insert(key.clone()) {
            // `use align::align` names the module, if there is one, and not itself.
            let module = |means: &Name| match means {
                Name::Module(id) => Some(Found::Module(*id)),
                _ => None,
            };
            return names.get(name)?.iter().find_map(module).map(|found| vec![found]);
        }
        let found = match names.get(name) {
            Some(means) => {
                let one = |means: &Name| match means {
                    Name::Item => vec![Found::Item(module)],
                    Name::Module(id) => vec![Found::Module(*id)],
                    Name::Alias(path) => self.follow(module, path, busy),
                };
                Some(means.iter().flat_map(one).collect())
            }
            None => globs.iter().find_map(|glob| {
                self.follow(module, glob, busy).into_iter().find_map(|from| match from {
                    Found::Module(from) => self.named(from, name, busy),
                    _ => None,
                })
            }),
        };
        let found = found.or_else(|| {
            // It may come from another crate whose names are all brought in.
            let mut foreign = globs.iter().flat_map(|glob| self.follow(module, glob, busy));
            foreign.any(|from| from == Found::Elsewhere).then(|| vec![Found::Elsewhere])
        });
        busy.remove(&key);
        found
    }

    /// The nearest module, from this one up, that defines a macro of this name.
    pub(super) fn macro_above(&self, module: usize, name: &str) -> Option<usize> {
        let mut at = Some(module);
        while let Some(module) = at {
            if self.all[module].macros.contains(name) {
                return at;
            }
            at = self.all[module].parent;
        }
        None
    }

    /// Whether a module lies below the file that another one stands in.
    pub(super) fn is_below(&self, module: usize, file: &str) -> bool {
        let mut at = self.all[module].parent;
        while let Some(module) = at {
            if self.all[module].file == file {
                return true;
            }
            at = self.all[module].parent;
        }
        false
    }
}

/// The folder of a file.
fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The file of a module that is declared by `mod name;`.
fn file_of<'a>(
    parsed: &'a Parsed,
    file: &str,
    child: &ItemMod,
    below: &str,
) -> Option<(&'a str, &'a syn::File)> {
    let name = &child.ident;
    let places = match declared_path(child) {
        Some(path) => vec![tidied(&format!("{}/{path}", folder(file)))],
        None => vec![format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")],
    };
    places.iter().find_map(|place| parsed.get_key_value(place)).map(|(p, ast)| (p.as_str(), ast))
}

/// The path in a module's attribute `#[path = "..."]`.
fn declared_path(module: &ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// A path without `.` and `..`.
fn tidied(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
