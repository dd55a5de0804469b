//! Which test reads which golden file, read off the tests' sources.
//!
//! A test reads a file if its source has a string that ends in the file's name, if it calls a
//! function with the name without its ending, as in `golden("optim")`, or if a golden file that it
//! reads names the other one.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};

/// Part of a package's tests, as `cargo test` selects it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reader {
    pub(super) package: String,
    /// `--lib`, `--bins` or `--test NAME`.
    pub(super) target: Vec<String>,
    /// The start of the tests' names; nothing for all of the target.
    pub(super) filter: Option<String>,
}

impl Reader {
    /// The command that runs it.
    pub(super) fn command(&self) -> String {
        let filter = self.filter.as_deref().map(|filter| format!(" {filter}")).unwrap_or_default();
        format!("cargo test -p {} {}{filter}", self.package, self.target.join(" "))
    }
}

/// The readers of each golden file, none for a file that no test names. `sources` are Rust files
/// with their texts, `golden` golden files with their bytes, both by their paths from the root.
pub(super) fn readers<'a>(
    sources: &BTreeMap<String, String>,
    golden: &'a BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<&'a str, BTreeSet<Reader>>> {
    let mut found: BTreeMap<&str, BTreeSet<Reader>> = BTreeMap::new();
    for file in golden.keys() {
        found.insert(file, BTreeSet::new());
    }
    for (path, text) in sources {
        let mut strings = Strings::default();
        strings.visit_file(&syn::parse_file(text).with_context(|| path.clone())?);
        for (file, readers) in &mut found {
            if package(file) == package(path) && strings.name(path, file) {
                readers.extend(reader(path, strings.has_tests, sources));
            }
        }
    }
    // A file that no source names may be named in a file that one does.
    let direct = found.clone();
    for (file, readers) in found.iter_mut().filter(|(_, readers)| readers.is_empty()) {
        for (other, theirs) in &direct {
            if package(file) == package(other) && names(&golden[*other], stem(file)) {
                readers.extend(theirs.iter().cloned());
            }
        }
    }
    Ok(found)
}

/// The strings of a source, documentation left out.
#[derive(Default)]
struct Strings {
    all: BTreeSet<String>,
    /// Those that a function is called with.
    arguments: BTreeSet<String>,
    has_tests: bool,
}

impl Strings {
    /// Whether one of the strings of this source names a golden file.
    fn name(&self, source: &str, file: &str) -> bool {
        let in_tests = source.split('/').nth(2) == Some("tests");
        self.all.iter().any(|text| text.rsplit('/').next() == Some(base(file)))
            || (in_tests && self.arguments.contains(stem(file)))
    }
}

impl<'ast> Visit<'ast> for Strings {
    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.all.insert(text.value());
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Some(syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })) =
            call.args.first()
        {
            self.arguments.insert(text.value());
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        self.has_tests |= attribute.path().is_ident("test");
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.has_tests |= call.path.segments.last().is_some_and(|last| last.ident == "proptest");
        visit::visit_macro(self, call);
    }

    fn visit_token_stream(&mut self, tokens: &'ast proc_macro2::TokenStream) {
        self.tokens(tokens.clone());
    }
}

impl Strings {
    fn tokens(&mut self, tokens: proc_macro2::TokenStream) {
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Group(group) => self.tokens(group.stream()),
                proc_macro2::TokenTree::Literal(literal) => {
                    if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                        self.all.insert(text.value());
                    }
                }
                _ => {}
            }
        }
    }
}

/// The tests of a source file; all of its target if it has none itself.
fn reader(path: &str, has_tests: bool, sources: &BTreeMap<String, String>) -> Option<Reader> {
    let package = package(path)?;
    let mut parts: Vec<&str> = path.strip_suffix(".rs")?.split('/').skip(2).collect();
    let target = match parts.first()? {
        &"tests" => {
            let name = (*parts.get(1)?).to_owned();
            parts.drain(..2);
            vec!["--test".to_owned(), name]
        }
        _ => {
            parts.remove(0);
            let lib = format!("crates/{package}/src/lib.rs");
            vec![if sources.contains_key(&lib) { "--lib" } else { "--bins" }.to_owned()]
        }
    };
    parts.retain(|part| !["main", "lib", "mod"].contains(part));
    let filter = (has_tests && !parts.is_empty()).then(|| format!("{}::", parts.join("::")));
    Some(Reader { package: package.to_owned(), target, filter })
}

/// The package of a path below `crates`.
fn package(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.split('/').next()
}

/// A path's last part.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The same without its last ending.
fn stem(path: &str) -> &str {
    let base = base(path);
    base.rsplit_once('.').map_or(base, |(stem, _)| stem)
}

/// Whether bytes hold a word in quotes, which may be escaped.
fn names(bytes: &[u8], word: &str) -> bool {
    let quoted = |end: &str| format!("\"{word}{end}").into_bytes();
    [quoted("\""), quoted("\\\"")]
        .iter()
        .any(|quoted| bytes.windows(quoted.len()).any(|window| window == quoted))
}

#[cfg(test)]
mod tests {
    use super::readers;
    use std::collections::BTreeMap;

    /// The commands for one golden file of package `a`, given a source of the package.
    fn check(source: &str, text: &str, file: &str, expected: &[&str]) {
        let sources = [(source, text), ("crates/a/src/lib.rs", ""), ("crates/b/src/main.rs", "")];
        let sources = sources.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
        let file = format!("crates/a/tests/golden/{file}");
        let golden = BTreeMap::from([(file.clone(), Vec::new())]);
        let readers = readers(&sources, &golden).expect("the sources are Rust");
        let commands: Vec<_> = readers[file.as_str()].iter().map(|r| r.command()).collect();
        assert_eq!(commands, expected);
    }

    #[test]
    fn a_test_reads_the_file_that_it_names() {
        let text = "#[test] fn f() { check(include_str!(\"../golden/color.txt\")) }";
        let command = "cargo test -p a --test it golden::";
        check("crates/a/tests/it/golden.rs", text, "color.txt", &[command]);
        check("crates/a/tests/it/main.rs", text, "color.txt", &["cargo test -p a --test it"]);
        check("crates/a/tests/colors.rs", text, "color.txt", &["cargo test -p a --test colors"]);
        let nested = "crates/a/tests/it/golden/mod.rs";
        check(nested, text, "color.txt", &[command]);
        let own = "#[cfg(test)] mod tests { #[test] fn f() { read(\"tests/golden/color.txt\") } }";
        check("crates/a/src/b/c.rs", own, "color.txt", &["cargo test -p a --lib b::c::"]);
        let helper = "pub const COLOR: &str = include_str!(\"../golden/color.txt\");";
        check("crates/a/tests/it/files.rs", helper, "color.txt", &["cargo test -p a --test it"]);
        let stem = "#[test] fn f() { check(\"optim\") }";
        check("crates/a/tests/it/b.rs", stem, "optim.bin", &["cargo test -p a --test it b::"]);
    }

    #[test]
    fn other_strings_name_no_file() {
        let text = "#[test] fn f() { check(\"optim\") }";
        check("crates/a/src/b.rs", text, "optim.bin", &[]);
        check("crates/b/src/b.rs", "const A: &str = \"optim.bin\";", "optim.bin", &[]);
        check("crates/a/tests/it/b.rs", "/// optim.bin\nfn f() {}", "optim.bin", &[]);
        check("crates/a/tests/it/b.rs", text, "optim_2.bin", &[]);
        let key = "#[test] fn f() { arrays[\"optim\"].sum() }";
        check("crates/a/tests/it/b.rs", key, "optim.bin", &[]);
    }

    #[test]
    fn a_golden_file_may_name_another() {
        let test =
            ("crates/a/tests/it/b.rs".to_owned(), "#[test] fn f() { g(\"net\") }".to_owned());
        let file = |name: &str| format!("crates/a/tests/golden/{name}.bin");
        let golden = BTreeMap::from([
            (file("net"), b"\x00{\"case\":\"{\\\"weights\\\":\\\"net_weights\\\"}\"}".to_vec()),
            (file("net_weights"), Vec::new()),
            (file("weights_2"), Vec::new()),
        ]);
        let sources = BTreeMap::from([test]);
        let readers = readers(&sources, &golden).expect("the source is Rust");
        assert_eq!(readers[file("net_weights").as_str()], readers[file("net").as_str()]);
        assert!(readers[file("weights_2").as_str()].is_empty());
    }
}
