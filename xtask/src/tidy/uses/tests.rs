//! Which code makes an arrow between two files, and which makes none.

use super::super::modules::{Modules, Parsed};
use super::Arrow;
use std::collections::BTreeSet;

/// The arrows between the files of a made-up target, of which the first is the root.
pub(in crate::tidy) fn arrows(files: &[(&str, &str)]) -> BTreeSet<Arrow> {
    let parse = |(path, text): &(&str, &str)| {
        ((*path).to_owned(), syn::parse_file(text).expect("it is Rust"))
    };
    let parsed: Parsed = files.iter().map(parse).collect();
    super::arrows(&Modules::of(&parsed, files[0].0).expect("the root is there"))
}

/// The arrows from `src/a.rs`. Beside it are `src/b.rs` with `B`, `b` and a macro, and `src/a/c.rs`
/// with `C`, `Kind` and what it hands on from `src/a/c/d.rs`.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let arrows = arrows(&[
        ("src/lib.rs", "mod b; mod a;\npub use b::B as Renamed;\npub use external::Thing;"),
        ("src/a.rs", text),
        (
            "src/b.rs",
            "pub struct B; pub fn b() {}\nmacro_rules! twice { () => {} }\npub(crate) use twice;",
        ),
        ("src/a/c.rs", "pub mod d;\npub use d::D;\npub struct C; pub enum Kind { One }"),
        ("src/a/c/d.rs", "pub struct D;"),
    ]);
    let found = arrows.iter().filter(|arrow| arrow.from == "src/a.rs");
    let found: Vec<_> = found.map(|a| format!("{} {} {}", a.line, a.path, a.to)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_use_is_an_arrow_to_the_file_that_defines_the_item() {
    check("use crate::b::B;", &["1 crate::b::B src/b.rs"]);
    check(
        "\nuse super::b::{b, B as Other};",
        &["2 super::b::B src/b.rs", "2 super::b::b src/b.rs"],
    );
    check("use crate::Renamed;", &["1 crate::Renamed src/b.rs"]);
    check("mod c; use c::C;", &["1 c::C src/a/c.rs"]);
    check("mod c; use self::c::D;", &["1 self::c::D src/a/c/d.rs"]);
    check("use crate::b::*;", &["1 crate::b src/b.rs"]);
}

#[test]
fn a_path_in_code_is_an_arrow() {
    check("fn f() { crate::b::b() }", &["1 crate::b::b src/b.rs"]);
    check("use super::b;\nfn f() { b::b() }", &["2 b::b src/b.rs"]);
    check("struct A(Vec<super::b::B>);", &["1 super::b::B src/b.rs"]);
    check("mod c; fn f(k: u8) { match k { c::Kind::One => {} } }", &["1 c::Kind::One src/a/c.rs"]);
    check("impl Clone for crate::b::B {}", &["1 crate::b::B src/b.rs"]);
    check("fn f() { use crate::b; b::b() }", &["1 b::b src/b.rs"]);
    check("fn f() { print!(\"{:?}\", [crate::b::B]) }", &["1 crate::b::B src/b.rs"]);
    check("#[arg(value_parser = super::b::b)] struct A;", &["1 super::b::b src/b.rs"]);
    check("mod inner { fn f() { super::super::b::b() } }", &["1 super::super::b::b src/b.rs"]);
    check("fn f() { crate::b::twice!() }", &["1 crate::b::twice src/b.rs"]);
}

#[test]
fn what_is_handed_on_and_used_is_an_arrow() {
    check("mod c; pub use c::{C, D};", &[]);
    check("mod c; pub(crate) use c::*;", &[]);
    check("mod c; pub use c::C;\nfn f() -> C { C }", &["2 C src/a/c.rs"]);
    check("pub use crate::b::B;", &["1 crate::b::B src/b.rs"]);
}

#[test]
fn other_things_are_no_arrows() {
    check("mod c;", &[]);
    check("use crate::b;", &[]);
    check("use crate::Thing; use b::B; use std::b::C;", &[]);
    check("fn f(b: u8) -> u8 { b.b() }", &[]);
    check("struct B; use self::B as Mine; fn f() { Self::b(); T::b(); B::b() }", &[]);
    check("fn f() { struct B; let b = B; }", &[]);
    check("use rand::rand; fn f() { rand::rand() }", &[]);
    check("pub(in crate::a) struct A;", &[]);
}

#[test]
fn tests_do_not_count() {
    check("#[cfg(test)] use crate::b::B;", &[]);
    check("#[cfg(test)] mod tests { use crate::b::B; }", &[]);
    check("#[cfg(all(test, unix))] fn f() { crate::b::b() }", &[]);
    check("#[test] fn f() { crate::b::b() }", &[]);
    check("struct A; impl A { #[cfg(test)] fn f() { crate::b::b() } }", &[]);
    check("#[cfg(not(test))] use crate::b::B;", &["1 crate::b::B src/b.rs"]);
}

#[test]
fn a_function_may_be_called_as_a_module() {
    let arrows = arrows(&[
        ("src/lib.rs", "mod a; mod b; pub fn b() {}"),
        ("src/a.rs", "use crate::b::B; use crate::b::*;"),
        ("src/b.rs", "pub struct B;"),
    ]);
    let found: Vec<_> = arrows.iter().map(|a| format!("{} {}", a.path, a.to)).collect();
    assert_eq!(found, ["crate::b src/b.rs", "crate::b::B src/b.rs"]);
}

#[test]
fn a_function_may_be_handed_on_under_the_name_of_its_module() {
    let arrows = arrows(&[
        ("src/lib.rs", "mod a; mod parts;"),
        ("src/a.rs", "use crate::parts::{mix, shuffled}; use rand::rand;"),
        ("src/parts.rs", "mod mix; pub use mix::{mix, shuffled};"),
        ("src/parts/mix.rs", "pub fn mix() {} pub fn shuffled() {}"),
    ]);
    let found: Vec<_> = arrows.iter().map(|a| format!("{} {}", a.path, a.to)).collect();
    let expected =
        ["crate::parts::mix src/parts/mix.rs", "crate::parts::shuffled src/parts/mix.rs"];
    assert_eq!(found, expected);
}

#[test]
fn macros_are_seen_from_below() {
    let arrows = arrows(&[
        ("src/lib.rs", "macro_rules! twice { () => { $crate::b::b() } }\nmod b; mod c;"),
        ("src/b.rs", "pub fn b() {}"),
        ("src/c.rs", "fn c() { twice!() }"),
    ]);
    let found: Vec<_> = arrows.iter().map(|a| format!("{} {}", a.from, a.to)).collect();
    assert_eq!(found, ["src/c.rs src/lib.rs", "src/lib.rs src/b.rs"]);
}

#[test]
fn modules_lie_where_the_language_says() {
    let arrows = arrows(&[
        ("src/main.rs", "mod a; #[path = \"../other/e.rs\"] mod e; mod i { mod f; }"),
        ("src/a/mod.rs", "mod b; pub struct A;"),
        ("src/a/b.rs", "use super::A;"),
        ("other/e.rs", "mod g; pub struct E;"),
        ("other/g.rs", "use super::E;"),
        ("src/i/f.rs", "use crate::e::E;"),
    ]);
    let found: Vec<_> = arrows.iter().map(|a| format!("{} {}", a.from, a.to)).collect();
    let expected = ["other/g.rs other/e.rs", "src/a/b.rs src/a/mod.rs", "src/i/f.rs other/e.rs"];
    assert_eq!(found, expected);
}
