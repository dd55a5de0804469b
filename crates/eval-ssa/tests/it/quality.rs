//! From which bound on something is said of a rater.

use eval_ssa::quality::{RaterQuality, raters};
use eval_ssa::{Check, CheckKind, Item, Label, Rating, Study};

fn item(id: &str, check: Option<Check>) -> Item {
    let (id, conversation) = (id.to_owned(), id.to_owned());
    Item { id, conversation, system: "s".into(), check, ..Item::default() }
}

fn found(study: &Study) -> Vec<RaterQuality> {
    study.check().unwrap();
    raters(study)
}

/// The median is 20 s, a tenth of it 2 s.
#[test]
fn less_than_a_tenth_of_the_usual_time_is_hasty() {
    let mut study = Study::default();
    for (index, taken) in [20_000, 20_000, 20_000, 2000, 1999].into_iter().enumerate() {
        let (id, rater) = (format!("i{index}"), format!("r{index}"));
        study.items.push(item(&id, None));
        study.ratings.push(Rating {
            shown_at: Some(0),
            answered_at: Some(taken),
            ..Rating::new(&id, &rater, Label::Specific.into())
        });
    }
    let hasty: Vec<usize> = found(&study).iter().map(|rater| rater.hasty).collect();
    assert_eq!(hasty, [0, 0, 0, 0, 1]);
}

/// Wilson's interval ends at 68.7 % for 4 of 10 and at 76.3 % for 5 of 10.
#[test]
fn gold_items_flag_a_rater_who_is_surely_below_70_percent() {
    let flags = |right: usize| {
        let mut study = Study::default();
        for index in 0..10 {
            let (id, expected) = (format!("gold {index}"), Label::Specific);
            let answer = if index < right { expected } else { Label::Sensible };
            let check = Check { kind: CheckKind::Gold, expected, explanation: None };
            study.items.push(item(&id, Some(check)));
            study.ratings.push(Rating::new(&id, "r", answer.into()));
        }
        found(&study).remove(0).flags
    };
    assert_eq!(flags(4), ["4 of 10 gold items right: hardly above 70 % even with luck"]);
    assert!(flags(5).is_empty(), "{:?}", flags(5));
}

#[test]
fn one_answer_to_ten_items_is_flagged_where_others_give_it_to_less_than_nine_tenths() {
    // Rater a gives one answer to everything, and rater b the same one to some items.
    let flags = |items: usize, alike: usize| {
        let mut study = Study::default();
        for index in 0..items {
            let id = format!("i{index}");
            let other = if index < alike { Label::Specific } else { Label::Sensible };
            study.items.push(item(&id, None));
            study.ratings.push(Rating::new(&id, "a", Label::Specific.into()));
            study.ratings.push(Rating::new(&id, "b", other.into()));
        }
        found(&study).remove(0).flags
    };
    let flag = "gave one and the same answer to everything, where others did not";
    assert_eq!(flags(10, 1), [flag]);
    assert_eq!(flags(10, 8), [flag]);
    for (items, alike) in [(9, 1), (10, 9)] {
        assert!(flags(items, alike).is_empty(), "{items} items, {alike} alike");
    }
}
