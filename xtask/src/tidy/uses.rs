//! The arrows between files: whose code names an item that is defined in which other file.
//!
//! Paths count, in `use` and in code, in macros' arguments as far as they have a `::`. Methods that
//! are called on values do not, nor does what is there for tests alone. A re-export is followed to
//! the file that defines the item; to hand on what lies below is no arrow.

use super::items::{Leaf, attributes, hands_on, is_test, leaves, names};
use super::modules::{Found, Modules};
use proc_macro2::{Spacing, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};
use syn::{Item, Meta, Stmt};

/// One file's code names an item of another file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    /// Where, and by which path.
    pub(super) line: usize,
    pub(super) path: String,
}

/// All arrows between the files of one target.
pub(super) fn arrows(modules: &Modules<'_>) -> BTreeSet<Arrow> {
    let mut uses = Uses { modules, module: 0, scopes: Vec::new(), arrows: BTreeSet::new() };
    for (id, module) in modules.all.iter().enumerate() {
        uses.module = id;
        // A module below is visited as one of its own.
        for item in module.items.iter().filter(|item| !matches!(item, Item::Mod(_))) {
            uses.visit_item(item);
        }
    }
    uses.arrows
}

struct Uses<'a> {
    modules: &'a Modules<'a>,
    module: usize,
    /// The blocks around, the innermost last.
    scopes: Vec<Scope>,
    arrows: BTreeSet<Arrow>,
}

/// The names that a block's own items and `use` bring in.
#[derive(Default)]
struct Scope {
    items: BTreeSet<String>,
    aliases: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
}

impl Uses<'_> {
    /// Takes note of a path in code.
    fn path(&mut self, path: &[String], line: usize) {
        let found = self.resolve(path);
        self.note(&found, path, line);
    }

    fn resolve(&self, path: &[String]) -> Vec<Found> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        for scope in self.scopes.iter().rev() {
            if scope.items.contains(first) {
                return Vec::new();
            }
            let longer = |by: &[String]| by.iter().chain(rest).cloned().collect::<Vec<_>>();
            if let Some(alias) = scope.aliases.get(first) {
                return self.modules.resolve(self.module, &longer(alias));
            }
            for glob in &scope.globs {
                // Only what a module is known to have: a glob of an enum brings in variants.
                let [Found::Module(from)] = self.modules.resolve(self.module, glob)[..] else {
                    continue;
                };
                let found = self.modules.resolve(from, path);
                if found != [Found::Elsewhere] {
                    return found;
                }
            }
        }
        self.modules.resolve(self.module, path)
    }

    fn note(&mut self, found: &[Found], path: &[String], line: usize) {
        let from = self.modules.all[self.module].file;
        for found in found {
            let Found::Item(module) = found else { continue };
            let to = self.modules.all[*module].file;
            if to != from {
                let (from, to) = (from.to_owned(), to.to_owned());
                self.arrows.insert(Arrow { from, to, line, path: path.join("::") });
            }
        }
    }

    /// Takes note of a name that a `use` brings in.
    fn leaf(&mut self, leaf: &Leaf, hands_on: bool) {
        let file = self.modules.all[self.module].file;
        let found = self.modules.resolve(self.module, &leaf.path);
        // All that a module has, of which its own items are part.
        let is_module = found.iter().any(|found| matches!(found, Found::Module(_)));
        let whole = leaf.glob && is_module;
        let found = found.into_iter().filter_map(|found| match found {
            Found::Module(module) if whole => Some(module),
            Found::Item(module) if !whole => Some(module),
            _ => None,
        });
        let found: Vec<_> = found
            .filter(|module| !(hands_on && self.modules.is_below(*module, file)))
            .map(Found::Item)
            .collect();
        self.note(&found, &leaf.path, leaf.line);
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for leaf in leaves(&item.tree) {
            if item.leading_colon.is_none() {
                self.leaf(&leaf, hands_on(&item.vis));
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
        {
            let line = first.ident.span().start().line;
            let names: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
            self.path(&names, line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(name) = call.path.get_ident()
            && let Some(module) = self.modules.macro_above(self.module, &name.to_string())
        {
            let line = name.span().start().line;
            self.note(&[Found::Item(module)], &[name.to_string()], line);
        }
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        match &attribute.meta {
            Meta::Path(_) => {}
            Meta::List(list) => self.visit_token_stream(&list.tokens),
            Meta::NameValue(pair) => self.visit_expr(&pair.value),
        }
    }

    /// The arguments of macros and attributes, which have a grammar of their own: names with `::`.
    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        for (path, line) in paths(tokens) {
            self.path(&path, line);
        }
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let mut scope = Scope::default();
        for statement in &block.stmts {
            match statement {
                Stmt::Item(Item::Use(item)) => {
                    for leaf in leaves(&item.tree) {
                        match leaf.name {
                            Some(name) => drop(scope.aliases.insert(name, leaf.path)),
                            None if leaf.glob => scope.globs.push(leaf.path),
                            None => {}
                        }
                    }
                }
                Stmt::Item(item) => scope.items.extend(names(item)),
                _ => {}
            }
        }
        self.scopes.push(scope);
        visit::visit_block(self, block);
        self.scopes.pop();
    }
}

/// The paths of at least two names in tokens, with their lines.
fn paths(tokens: &TokenStream) -> Vec<(Vec<String>, usize)> {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let colon = |at: usize, spacing| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':' && p.spacing() == spacing);
    let colons = |at: usize| colon(at, Spacing::Joint) && colon(at + 1, Spacing::Alone);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => found.extend(paths(&group.stream())),
            TokenTree::Ident(first) => {
                let mut path = vec![first.to_string()];
                let rooted = at >= 2 && colons(at - 2);
                while colons(at + 1)
                    && let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                {
                    path.push(next.to_string());
                    at += 3;
                }
                if path.len() > 1 && !rooted {
                    found.push((path, first.span().start().line));
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

#[cfg(test)]
pub(super) mod tests;
