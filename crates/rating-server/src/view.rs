//! What a rater's page is told, and nothing else: no names of systems, no ids, no others' answers.

use crate::answers::{self, Seat, Taken};
use crate::error::Result;
use crate::raters::Rater;
use crate::seats::{self, Next};
use crate::settings::Settings;
use crate::stored;
use crate::{chat, guideline};
use eval_ssa::{Label, Turn};
use rusqlite::Connection;
use serde::Serialize;

/// What the page shows next.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub(crate) enum State {
    /// The text to be read first.
    Guideline { title: String, sections: Vec<Section> },
    /// Something to answer.
    Item(Box<Shown>),
    /// A conversation.
    Chat(chat::Shown),
    /// Nothing is left for this rater, who may still go back to the last answer.
    Nothing { done: i64, has_before: bool },
    /// The researcher has paused the rater.
    Paused,
}

/// A part of the guideline.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Section {
    heading: String,
    text: String,
}

/// An item as a rater sees it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Shown {
    place: i64,
    revision: i64,
    /// `practice`, `rate` or `pair`. Gold items look like all others.
    kind: &'static str,
    context: Vec<Turn>,
    /// One response, or two in the order of their sides.
    responses: Vec<String>,
    questions: Questions,
    /// Whether there is an earlier answer to go back to.
    has_before: bool,
    done: i64,
    of: i64,
    /// The rater's own answer, when it is shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    own: Option<Own>,
}

#[derive(Clone, Debug, Serialize)]
struct Questions {
    sensible: String,
    specific: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    human_like: Option<String>,
}

/// A rater's own answer.
#[derive(Clone, Debug, Serialize)]
struct Own {
    sensible: Option<bool>,
    specific: Option<bool>,
    human_like: Option<bool>,
    choice: Option<&'static str>,
    skip: Option<String>,
    comment: Option<String>,
}

/// What became of an answer, for the page.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "saved", rename_all = "kebab-case")]
pub(crate) enum Saved {
    Kept,
    Late,
    Practice { right: bool, expected: Label, explanation: String },
}

impl From<Taken> for Saved {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Kept => Self::Kept,
            Taken::Late => Self::Late,
            Taken::Practice { right, expected, explanation } => {
                Self::Practice { right, expected, explanation }
            }
        }
    }
}

/// What the rater sees now; takes a seat if one is needed.
pub(crate) fn state(
    db: &Connection,
    settings: &Settings,
    rater: &Rater,
    now: i64,
) -> Result<State> {
    Ok(match seats::next(db, settings, rater, now)? {
        Next::Guideline => {
            let text = guideline::current(db)?.map(|(_, text)| text);
            let sections = text.as_ref().map(|text| &text.sections[..]).unwrap_or_default();
            State::Guideline {
                sections: sections
                    .iter()
                    .map(|part| Section {
                        heading: part.heading.clone(),
                        text: part.text.trim().to_owned(),
                    })
                    .collect(),
                title: text.map(|text| text.title).unwrap_or_default(),
            }
        }
        Next::Place(place) => State::Item(Box::new(shown(db, settings, rater, place)?)),
        Next::Chat => State::Chat(chat::shown(db, settings, rater, now)?),
        Next::Nothing => State::Nothing {
            done: rater.answered,
            has_before: answers::before(db, rater, i64::MAX)?.is_some(),
        },
        Next::Paused => State::Paused,
    })
}

/// One of the rater's places.
pub(crate) fn shown(
    db: &Connection,
    settings: &Settings,
    rater: &Rater,
    place: i64,
) -> Result<Shown> {
    let seat = answers::at(db, rater, place)?;
    let (done, of) = seats::progress(db, settings, rater)?;
    let (context, responses) = texts(&seat)?;
    let kind = match seat.kind.as_str() {
        "pair" => "pair",
        "practice" => "practice",
        _ => "rate",
    };
    let asked = guideline::questions(db)?;
    let human_like = settings.ask_human_like && kind == "rate";
    let questions = Questions {
        sensible: asked.sensible,
        specific: asked.specific,
        human_like: human_like.then_some(asked.human_like),
    };
    Ok(Shown {
        place,
        revision: seat.revision,
        kind,
        context,
        responses,
        questions,
        has_before: answers::before(db, rater, place)?.is_some(),
        done,
        of,
        own: own(&seat),
    })
}

fn texts(seat: &Seat) -> Result<(Vec<Turn>, Vec<String>)> {
    if seat.kind == "pair" {
        let pair = stored::pair(&seat.record)?;
        let [first, second] = pair.responses;
        let sides = if seat.flipped { vec![second, first] } else { vec![first, second] };
        return Ok((pair.context, sides));
    }
    let item = stored::item(&seat.record)?;
    Ok((item.context, vec![item.response]))
}

fn own(seat: &Seat) -> Option<Own> {
    (seat.revision > 0).then(|| Own {
        sensible: seat.sensible,
        specific: seat.specific,
        human_like: seat.human_like,
        choice: seat.choice.as_deref().map(|choice| match (choice, seat.flipped) {
            ("first", false) | ("second", true) => "left",
            ("first" | "second", _) => "right",
            ("tie", _) => "tie",
            _ => "both-bad",
        }),
        skip: seat.skip.clone(),
        comment: seat.comment.clone(),
    })
}
