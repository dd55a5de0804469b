//! No circle between the files of a crate: files that name each other's items, directly or by way
//! of others, are one thing in several pieces, and none of them can be read or changed alone.

use super::uses::Arrow;
use std::collections::{BTreeMap, BTreeSet};

/// A fault for each circle: its files, and one line of code for each arrow that makes it. Arrows
/// from a module to those below it do not count here.
pub(super) fn faults(arrows: &BTreeSet<Arrow>) -> Vec<String> {
    let arrows = first(arrows);
    circles(&beside(&arrows)).iter().map(|circle| fault(circle, &arrows)).collect()
}

/// The same for the circles that arrows from a module to those below it close.
pub(super) fn faults_with_parents(arrows: &BTreeSet<Arrow>) -> Vec<String> {
    let arrows = first(arrows);
    let without = circles(&beside(&arrows));
    let all = circles(&arrows.keys().copied().collect());
    let closed = all.iter().filter(|circle| !without.contains(circle));
    closed.map(|circle| fault(circle, &arrows)).collect()
}

/// One arrow for each pair of files.
type Pairs<'a> = BTreeMap<(&'a str, &'a str), &'a Arrow>;

fn first(arrows: &BTreeSet<Arrow>) -> Pairs<'_> {
    let mut pairs = Pairs::new();
    for arrow in arrows {
        pairs.entry((&arrow.from, &arrow.to)).or_insert(arrow);
    }
    pairs
}

/// The pairs that are no module and one below it.
fn beside<'a>(arrows: &Pairs<'a>) -> BTreeSet<(&'a str, &'a str)> {
    let is_below = |(from, to): &(&str, &str)| {
        let own = ["/mod.rs", "/lib.rs", "/main.rs", ".rs"];
        let folder = own.iter().find_map(|end| from.strip_suffix(end)).unwrap_or(from);
        to.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    };
    arrows.keys().copied().filter(|pair| !is_below(pair)).collect()
}

fn fault(circle: &BTreeSet<&str>, arrows: &Pairs<'_>) -> String {
    let files: Vec<_> = circle.iter().copied().collect();
    let mut text = format!("a circle of {} files: {}", files.len(), files.join(", "));
    for ((from, to), arrow) in arrows {
        if circle.contains(from) && circle.contains(to) {
            text += &format!("\n      {from}:{} names {} of {to}", arrow.line, arrow.path);
        }
    }
    text
}

/// The largest sets of more than one file in which each can be reached from each.
fn circles<'a>(arrows: &BTreeSet<(&'a str, &'a str)>) -> Vec<BTreeSet<&'a str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        arrows.iter().map(|(from, _)| (*from, reachable(from, arrows))).collect();
    let mut found: BTreeSet<BTreeSet<&str>> = BTreeSet::new();
    for (file, reaches) in &reached {
        let back = |other: &&&str| reached.get(**other).is_some_and(|r| r.contains(file));
        let circle: BTreeSet<&str> = reaches.iter().filter(back).copied().collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// All files that arrows lead to from one, itself only if a circle leads back.
fn reachable<'a>(from: &'a str, arrows: &BTreeSet<(&'a str, &'a str)>) -> BTreeSet<&'a str> {
    let mut open = vec![from];
    let mut found = BTreeSet::new();
    while let Some(file) = open.pop() {
        let next = arrows.range((file, "")..).take_while(|(at, _)| *at == file);
        open.extend(next.map(|(_, to)| *to).filter(|to| found.insert(*to)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::uses::tests::arrows;
    use super::{faults, faults_with_parents};

    #[test]
    fn a_circle_is_refused_with_the_lines_that_make_it() {
        let files = [
            ("src/lib.rs", "mod a; mod b; mod c; mod d;"),
            ("src/a.rs", "use crate::b::B;\npub struct A(B);"),
            ("src/b.rs", "pub struct B;\nfn f() { super::c::c(); }"),
            ("src/c.rs", "use super::a::A;\nuse super::d::D;\npub fn c() {}"),
            ("src/d.rs", "pub struct D;"),
        ];
        let faults = faults(&arrows(&files));
        let expected = "a circle of 3 files: src/a.rs, src/b.rs, src/c.rs\n      \
                        src/a.rs:1 names crate::b::B of src/b.rs\n      \
                        src/b.rs:2 names super::c::c of src/c.rs\n      \
                        src/c.rs:1 names super::a::A of src/a.rs";
        assert_eq!(faults, [expected]);
    }

    #[test]
    fn two_circles_are_two_faults() {
        let files = [
            ("src/lib.rs", "mod a; mod b; mod c; mod d;"),
            ("src/a.rs", "pub use crate::b::B; pub struct A;"),
            ("src/b.rs", "pub struct B(crate::a::A);"),
            ("src/c.rs", "pub fn c() { crate::a::A; crate::d::d() }"),
            ("src/d.rs", "pub fn d() { crate::c::c() }"),
        ];
        let faults = faults(&arrows(&files));
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("2 files: src/a.rs, src/b.rs"), "{faults:?}");
        assert!(faults[1].contains("2 files: src/c.rs, src/d.rs"), "{faults:?}");
    }

    #[test]
    fn a_parent_that_is_named_by_the_child_it_uses_is_a_rule_of_its_own() {
        let child = "src/a/b.rs";
        for parent in ["src/a.rs", "src/a/mod.rs"] {
            let files = [
                ("src/lib.rs", "mod a; mod a_b;"),
                (parent, "mod b; pub struct A; fn f() { b::b() }"),
                (child, "pub fn b() -> super::A { crate::a_b::c() }"),
                ("src/a_b.rs", "pub fn c() {}"),
            ];
            let arrows = arrows(&files);
            assert_eq!(faults(&arrows), Vec::<String>::new());
            let faults = faults_with_parents(&arrows);
            assert_eq!(faults.len(), 1, "{faults:?}");
            let mut both = [parent, child];
            both.sort_unstable();
            assert!(faults[0].contains(&both.join(", ")), "{faults:?}");
        }
        // A circle that is refused without the parent is not refused twice.
        let files = [
            ("src/lib.rs", "mod a; mod b;"),
            ("src/a.rs", "pub struct A(crate::b::B);"),
            ("src/b.rs", "pub struct B(crate::a::A);"),
        ];
        let arrows = arrows(&files);
        assert_eq!((faults(&arrows).len(), faults_with_parents(&arrows).len()), (1, 0));
    }

    #[test]
    fn arrows_in_one_direction_are_accepted() {
        let files = [
            ("src/lib.rs", "mod a; mod b; mod c;\npub use c::C;\npub fn run() -> C { b::b() }"),
            ("src/a.rs", "pub struct A;"),
            ("src/b.rs", "use crate::{C, a::A};\npub fn b() -> C { C(A) }"),
            ("src/c.rs", "pub struct C(pub super::a::A);"),
        ];
        let arrows = arrows(&files);
        assert_eq!(faults(&arrows), Vec::<String>::new());
        assert_eq!(faults_with_parents(&arrows), Vec::<String>::new());
    }
}
