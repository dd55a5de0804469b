//! How many views of each picture are stored behind the frozen stages, and where.

use std::path::{Path, PathBuf};

use anyhow::Result;
use ssl_core::{MethodSettings, TaskInfo, ViewKind};
use torch::Model;

use super::recipe::{Recipe, StoredCounts};
use crate::images::learner::StoredParts;
use crate::images::setting::Setting;
use crate::images::stored_views::Front;
use crate::images::subset::Subset;
use crate::run::seeds::SeedRun;
use crate::run::{files, pace};

/// The share of the time that storing views may take, and the most bytes of them.
const TIME_SHARE: f64 = 0.15;
const BYTES: u64 = 4 << 30;

/// Where views are stored, in the folder of a seed.
fn folder(seed: &Path) -> PathBuf {
    seed.join("stored-views")
}

/// Removes stored views, which are of no use after the last training.
pub(super) fn remove(seed: &Path) -> Result<()> {
    pace::remove(&folder(seed))
}

/// The kinds of views that the methods of a recipe take.
struct Kinds {
    labeled: Vec<ViewKind>,
    unlabeled: Vec<ViewKind>,
}

impl Kinds {
    fn of(recipe: &Recipe, task: &TaskInfo) -> Self {
        let mut kinds = Self { labeled: Vec::new(), unlabeled: Vec::new() };
        let add = |to: &mut Vec<ViewKind>, kind| {
            if !to.contains(&kind) {
                to.push(kind);
            }
        };
        for (_, method) in recipe.methods() {
            let views = method.build(task).views();
            add(&mut kinds.labeled, views.labeled);
            views.unlabeled.into_iter().for_each(|kind| add(&mut kinds.unlabeled, kind));
        }
        kinds
    }
}

impl StoredCounts {
    /// Of an unlabelled picture; a plain view is always the same.
    fn of(self, kind: ViewKind) -> usize {
        match kind {
            ViewKind::Plain => 1,
            ViewKind::Weak => self.weak,
            ViewKind::Strong => self.strong,
        }
    }

    /// Of a labelled picture.
    fn of_labeled(self, kind: ViewKind) -> usize {
        if kind == ViewKind::Plain { 1 } else { self.labeled }
    }

    /// All views of so many pictures.
    fn views(self, kinds: &Kinds, labeled: usize, unlabeled: usize) -> u64 {
        let of_labeled: usize = kinds.labeled.iter().map(|kind| self.of_labeled(*kind)).sum();
        let of_unlabeled: usize = kinds.unlabeled.iter().map(|kind| self.of(*kind)).sum();
        (of_labeled * labeled + of_unlabeled * unlabeled) as u64
    }

    /// As many as there is room for, those that are asked for at most; none if there is no room for
    /// two views of each kind, but for weak ones of unlabelled pictures, of which one will do.
    fn fitting(self, room: u64, views: impl Fn(Self) -> u64) -> Option<Self> {
        let mut counts = Self {
            labeled: self.labeled.min(2),
            weak: self.weak.min(1),
            strong: self.strong.min(2),
        };
        if views(counts) > room {
            return None;
        }
        loop {
            // The one that is furthest from what is asked for.
            let Self { labeled, weak, strong } = counts;
            let grown = [
                (labeled, self.labeled, Self { labeled: labeled + 1, ..counts }),
                (weak, self.weak, Self { weak: weak + 1, ..counts }),
                (strong, self.strong, Self { strong: strong + 1, ..counts }),
            ];
            let next = grown
                .into_iter()
                .filter(|(now, asked, grown)| now < asked && views(*grown) <= room);
            match next.min_by_key(|(now, asked, _)| now * 1000 / asked) {
                Some((_, _, grown)) => counts = grown,
                None => return Some(counts),
            }
        }
    }
}

/// Stores views of the pictures that are learned from, as many as the recipe asks for and time and
/// disk allow, and says so, also for the report; nothing where the recipe does not ask.
pub(super) fn store(
    recipe: &Recipe,
    setting: &Setting<'_>,
    model: &Model,
    seed: &Path,
    run: &SeedRun<'_, '_>,
) -> Result<(Option<StoredParts>, Option<String>)> {
    let Some(asked) = recipe.stored_views else { return Ok((None, None)) };
    let (labeled, unlabeled) = (&setting.data.labeled, &setting.data.unlabeled);
    let task = TaskInfo {
        classes: setting.classes() as i64,
        unlabeled: unlabeled.len() as i64,
        device: setting.device,
    };
    let kinds = Kinds::of(recipe, &task);
    let front = Front::new(setting, &recipe.net, model, recipe.freeze)?;
    let found = files::once(&seed.join("stored-views.json"), || {
        let most = if unlabeled.len() > 0 { unlabeled } else { labeled };
        let (seconds, bytes) = front.cost(most, &recipe.strong)?;
        let in_time = (TIME_SHARE * 60.0 * recipe.minutes / seconds) as u64;
        let room = in_time.min(BYTES / bytes);
        let views = |counts: StoredCounts| counts.views(&kinds, labeled.len(), unlabeled.len());
        Ok(asked.fitting(room, views).map(|counts| (counts, seconds, bytes)))
    })?;
    let Some((counts, seconds, bytes)) = found else {
        let note = "Views were not stored, since there are too many pictures for it: each step ran \
                    the frozen stages.";
        run.say(note);
        return Ok((None, Some(note.to_owned())));
    };
    let of = |kinds: &[ViewKind], count: &dyn Fn(ViewKind) -> usize| {
        let told = kinds.iter().map(|kind| format!("{} {}", count(*kind), word(*kind)));
        told.collect::<Vec<_>>().join(" and ")
    };
    let mut told = of(&kinds.labeled, &|kind| counts.of_labeled(kind));
    told += " of each labelled picture";
    if !kinds.unlabeled.is_empty() {
        let of_unlabeled = of(&kinds.unlabeled, &|kind| counts.of(kind));
        told += &format!(", {of_unlabeled} of each unlabelled one");
    }
    let views = counts.views(&kinds, labeled.len(), unlabeled.len());
    run.say(&format!(
        "storing views behind the frozen stages: {told} ({:.0} MB, about {:.0} s)",
        (views * bytes) as f64 / 1e6,
        views as f64 * seconds
    ));
    let note = format!(
        "The first {} stages stayed as they were. What they make of some views was stored, and \
         trainings read these in turn: {told}.",
        recipe.freeze
    );
    let policy = |kind| match kind {
        ViewKind::Plain => &recipe.evaluate.augment,
        ViewKind::Weak => &recipe.weak,
        ViewKind::Strong => &recipe.strong,
    };
    let part =
        |name: &str, subset: &Subset, kinds: &[ViewKind], count: &dyn Fn(ViewKind) -> usize| {
            let store = |kind: &ViewKind| {
                let name = format!("{name}-{}", word(*kind));
                let views =
                    front.store(&folder(seed), &name, subset, policy(*kind), count(*kind))?;
                anyhow::Ok((*kind, views))
            };
            kinds.iter().map(store).collect::<Result<Vec<_>>>()
        };
    let parts = StoredParts {
        labeled: part("labeled", labeled, &kinds.labeled, &|kind| counts.of_labeled(kind))?,
        unlabeled: part("unlabeled", unlabeled, &kinds.unlabeled, &|kind| counts.of(kind))?,
    };
    Ok((Some(parts), Some(note)))
}

fn word(kind: ViewKind) -> &'static str {
    match kind {
        ViewKind::Plain => "plain",
        ViewKind::Weak => "weak",
        ViewKind::Strong => "strong",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_views_are_stored_as_there_is_room_for() {
        let asked = StoredCounts { labeled: 8, weak: 2, strong: 4 };
        let kinds = Kinds {
            labeled: vec![ViewKind::Weak],
            unlabeled: vec![ViewKind::Weak, ViewKind::Strong],
        };
        let views = |counts: StoredCounts| counts.views(&kinds, 10, 100);
        let fitting = |room| asked.fitting(room, views);
        assert_eq!(views(asked), 680);
        assert_eq!(fitting(1_000_000), Some(asked));
        assert_eq!(fitting(680), Some(asked));
        assert_eq!(fitting(679), Some(StoredCounts { labeled: 7, ..asked }));
        let least = StoredCounts { labeled: 2, weak: 1, strong: 2 };
        assert_eq!(fitting(320), Some(least));
        assert_eq!(fitting(319), None);
        for room in 320..680 {
            assert!(views(fitting(room).expect("room")) <= room, "{room}");
        }
        let one = StoredCounts { labeled: 1, weak: 1, strong: 1 };
        assert_eq!(one.fitting(210, views), Some(one));
    }
}
