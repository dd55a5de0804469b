//! What single items say about themselves: the names they bring in or define, and whether they are
//! for tests alone.

use syn::{Attribute, Item, Meta, UseTree, Visibility};

/// One name that a `use` brings in.
pub(super) struct Leaf {
    pub(super) path: Vec<String>,
    /// What it is called here; nothing for `as _` and globs.
    pub(super) name: Option<String>,
    pub(super) glob: bool,
    pub(super) line: usize,
}

/// The names that a `use` brings in.
pub(super) fn leaves(tree: &UseTree) -> Vec<Leaf> {
    let mut found = Vec::new();
    collect(tree, &[], &mut found);
    found
}

fn collect(tree: &UseTree, above: &[String], found: &mut Vec<Leaf>) {
    let path = |last: &syn::Ident| {
        let last = last.to_string();
        // `a::{self}` brings in `a`.
        let last = (last != "self" || above.is_empty()).then_some(last);
        above.iter().cloned().chain(last).collect::<Vec<_>>()
    };
    let mut leaf = |path, name: Option<String>, glob, span: proc_macro2::Span| {
        found.push(Leaf { path, name, glob, line: span.start().line });
    };
    match tree {
        UseTree::Path(inner) => collect(&inner.tree, &path(&inner.ident), found),
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect(tree, above, found)),
        UseTree::Glob(glob) => leaf(above.to_vec(), None, true, glob.star_token.spans[0]),
        UseTree::Name(name) => {
            let path = path(&name.ident);
            leaf(path.clone(), path.last().cloned(), false, name.ident.span());
        }
        UseTree::Rename(name) => {
            let to = Some(name.rename.to_string()).filter(|to| to != "_");
            leaf(path(&name.ident), to, false, name.ident.span());
        }
    }
}

/// Whether a `use` hands on what it brings in.
pub(super) fn hands_on(visibility: &Visibility) -> bool {
    !matches!(visibility, Visibility::Inherited)
}

/// The names that an item defines, modules, macros and `use` aside.
pub(super) fn names(item: &Item) -> Vec<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::ForeignMod(block) => {
            let name = |item: &syn::ForeignItem| match item {
                syn::ForeignItem::Fn(item) => Some(item.sig.ident.to_string()),
                syn::ForeignItem::Static(item) => Some(item.ident.to_string()),
                syn::ForeignItem::Type(item) => Some(item.ident.to_string()),
                _ => None,
            };
            return block.items.iter().filter_map(name).collect();
        }
        _ => return Vec::new(),
    };
    vec![name.to_string()]
}

/// The attributes of an item.
pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether attributes say that something is there for tests alone.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string().replace(' ', "");
            condition == "test" || condition.starts_with("all(test,")
        }
        _ => false,
    })
}
