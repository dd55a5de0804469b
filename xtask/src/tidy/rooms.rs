//! The rooms of `crates/tutor/src`: which part of the program may know which.

use super::uses::Arrow;
use std::collections::BTreeSet;

/// The rooms with their floors. An arrow leads to a lower floor or stays within its room, so rooms
/// of one floor do not know each other. A room is a folder or a file right below `src`.
const ROOMS: [(&str, u8); 8] = [
    ("main", 5),
    ("commands", 4),
    ("papers", 3),
    ("dialog", 2),
    ("images", 2),
    ("text", 2),
    ("run", 1),
    ("recipe", 0),
];

/// Files right below `src` that are part of a room of another name.
const PART_OF: [(&str, &str); 1] = [("catalog", "recipe")];

/// The room whose parts do not know each other either: a new one touches nothing but the registry,
/// which is the room's own file.
const APART: &str = "papers";

/// Where the rooms are.
const SOURCES: &str = "crates/tutor/src/";

/// A fault for each file without a room, and for each arrow that goes where none may.
pub(super) fn faults<'a>(
    files: impl IntoIterator<Item = &'a str>,
    arrows: &BTreeSet<Arrow>,
) -> Vec<String> {
    let homeless = files.into_iter().filter(|file| place(file).is_some_and(|p| p.floor.is_none()));
    let mut faults: Vec<String> = homeless
        .map(|file| format!("{file} is in no room: give it one in xtask/src/tidy/rooms.rs"))
        .collect();
    for Arrow { from, to, line, path } in arrows {
        let (Some(here), Some(there)) = (place(from), place(to)) else { continue };
        let (Some(floor), Some(below)) = (here.floor, there.floor) else { continue };
        let fault = if here.room == there.room {
            let apart = here.room == APART && here.part != there.part;
            let both = here.part.is_some() && there.part.is_some();
            (apart && both).then(|| format!("parts of {APART} do not know each other"))
        } else if floor == below {
            Some(format!("{} and {} do not know each other", here.room, there.room))
        } else {
            (floor < below).then(|| format!("{} lies below {}", here.room, there.room))
        };
        faults.extend(fault.map(|why| format!("{from}:{line}: names {path} of {to}: {why}")));
    }
    faults
}

/// Where a file of the program stands.
struct Place<'a> {
    room: &'a str,
    floor: Option<u8>,
    /// The part of the room, where it is not the room's own file.
    part: Option<&'a str>,
}

fn place(file: &str) -> Option<Place<'_>> {
    let mut names = file.strip_prefix(SOURCES)?.strip_suffix(".rs")?.split('/');
    let name = names.next()?;
    let room = PART_OF.iter().find(|(file, _)| *file == name).map_or(name, |(_, room)| room);
    let part = names.next().filter(|part| !["mod", room].contains(part));
    let floor = ROOMS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor);
    Some(Place { room, floor, part })
}

#[cfg(test)]
mod tests {
    use super::super::uses::Arrow;
    use super::faults;
    use std::collections::BTreeSet;

    /// An arrow between two files of the program, and part of the fault it is, if it is one.
    fn check(from: &str, to: &str, expected: Option<&str>) {
        let file = |name: &str| format!("crates/tutor/src/{name}");
        let (from, to) = (file(from), file(to));
        let path = "crate::x::X".to_owned();
        let arrows = BTreeSet::from([Arrow { from, to, line: 7, path }]);
        match (faults([], &arrows).as_slice(), expected) {
            ([], None) => {}
            ([fault], Some(expected)) if fault.contains(expected) => {}
            (faults, _) => panic!("{arrows:?}: {faults:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn arrows_point_down() {
        check("main.rs", "commands/run.rs", None);
        check("commands/run.rs", "papers/uda.rs", None);
        check("papers/uda.rs", "recipe.rs", None);
        check("run/folder.rs", "run.rs", None);
        check("commands/list.rs", "catalog.rs", None);
        check("recipe/check.rs", "catalog.rs", None);
        check("catalog.rs", "run.rs", Some("recipe lies below run"));
        check("recipe/check.rs", "run/folder.rs", Some("recipe lies below run"));
        check("run.rs", "images/feed.rs", Some(":7: names crate::x::X of"));
        check("commands.rs", "main.rs", Some("commands lies below main"));
    }

    #[test]
    fn images_and_text_do_not_know_each_other() {
        check("text/words.rs", "images/feed.rs", Some("do not know each other"));
        check("images.rs", "text.rs", Some("do not know each other"));
        check("text/words.rs", "text/feed.rs", None);
    }

    #[test]
    fn papers_do_not_know_each_other() {
        check("papers/uda.rs", "papers/points.rs", Some("do not know each other"));
        check("papers/uda/rows.rs", "papers/points/draw.rs", Some("do not know each other"));
        check("papers/uda/rows.rs", "papers/uda.rs", None);
        for registry in ["papers.rs", "papers/mod.rs", "papers/papers.rs"] {
            check(registry, "papers/uda.rs", None);
            check("papers/uda.rs", registry, None);
        }
    }

    #[test]
    fn every_file_has_a_room() {
        let faults = |file| faults([file], &BTreeSet::new());
        assert!(faults("crates/tutor/src/attic.rs")[0].contains("no room"));
        assert!(faults("crates/tutor/src/attic/box.rs")[0].contains("no room"));
        assert!(faults("crates/tutor/src/run/folder.rs").is_empty());
        assert!(faults("crates/report/src/attic.rs").is_empty());
    }
}
