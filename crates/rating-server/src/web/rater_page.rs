//! The raters' page. It is the same for all: what a rater sees comes later, as data.

use super::page::page;
use crate::texts::Texts;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

/// The page, for a link that is known.
pub(super) fn rater(texts: &Texts, study: &str) -> Response {
    let t = |name: &str| texts.get(name).to_owned();
    let body = html! {
        header.top {
            h1 { (study) }
            div #progress-box hidden {
                span.quiet #progress-text {}
                progress #progress max="1" value="0" aria-labelledby="progress-text" {}
            }
            p #status role="status" {}
            p.trouble #trouble role="alert" hidden {}
        }
        main {
            section #message {
                h2 #message-title tabindex="-1" { (t("loading")) }
                p #message-detail {}
                div.tools { button type="button" #message-back hidden { (t("undo")) } }
            }
            section #guideline hidden {
                h2 #guideline-title tabindex="-1" {}
                div #guideline-text {}
                div.tools { button.main type="button" #agree { (t("guideline_agree")) } }
            }
            (item(texts))
            section #feedback hidden {
                h2 #verdict tabindex="-1" {}
                p.reply #feedback-reply dir="auto" {}
                p #explanation {}
                div.tools { button.main type="button" #go-on { (t("go_on")) } }
            }
            (chat(texts))
            noscript { p.trouble { (t("no_script")) } }
        }
        div #texts hidden {
            @for (name, text) in texts.iter() { span data-name=(name) { (text) } }
        }
    };
    let place = (texts.get("language"), texts.get("direction"));
    page(StatusCode::OK, place, study, Some("/assets/rater.js"), &body)
}

/// The page for a link that is not known.
pub(super) fn unknown(texts: &Texts, study: &str) -> Response {
    let body = html! {
        main { section { h1 { (study) } p { (texts.get("unknown_link")) } } }
    };
    let place = (texts.get("language"), texts.get("direction"));
    page(StatusCode::NOT_FOUND, place, study, None, &body)
}

fn item(texts: &Texts) -> Markup {
    let t = |name: &str| texts.get(name).to_owned();
    let both = [("true", t("yes")), ("false", t("no"))];
    html! {
        section #item hidden {
            p #practice hidden { (t("practice")) }
            h2 #item-title tabindex="-1" { (t("context")) }
            ol.turns #context {}
            p.quiet #no-context hidden { (t("no_context")) }
            div #single { h2 { (t("response")) } p.reply #response dir="auto" {} }
            div #sides hidden {
                div { h2 { (t("response_left")) } p.reply #left dir="auto" {} }
                div { h2 { (t("response_right")) } p.reply #right dir="auto" {} }
            }
            p.quiet #own hidden {}
            @for question in ["sensible", "specific", "human_like"] {
                fieldset data-question=(question) hidden {
                    legend id=(format!("ask-{question}")) {}
                    div.choices {
                        @for (key, (value, label)) in (1..).zip(&both) {
                            (choice(question, value, label, key))
                        }
                    }
                }
            }
            fieldset data-question="choice" hidden {
                legend { (t("question_pair")) }
                div.choices {
                    (choice("choice", "left", &t("better_left"), 1))
                    (choice("choice", "right", &t("better_right"), 2))
                    (choice("choice", "tie", &t("tie"), 3))
                    (choice("choice", "both-bad", &t("both_bad"), 4))
                }
            }
            details #comment-box {
                summary { (t("comment")) }
                textarea #comment rows="2" dir="auto" maxlength="2000" aria-label=(t("comment")) {}
            }
            div.tools {
                button type="button" #undo { (t("undo")) }
                button type="button" #forward { (t("forward")) }
                button type="button" #skip { (t("skip")) }
                span #keys {}
                button type="button" #keys-switch {}
            }
            form #skip-form hidden {
                fieldset {
                    legend { (t("skip_question")) }
                    @for reason in ["language", "upsetting", "broken", "other"] {
                        label {
                            input type="radio" name="reason" value=(reason);
                            " " (t(&format!("skip_{reason}")))
                        }
                    }
                }
                label #skip-other hidden {
                    (t("skip_other_label")) br;
                    input #skip-reason type="text" maxlength="400";
                }
                div.tools {
                    button.main type="submit" { (t("skip_send")) }
                    button type="button" #skip-cancel { (t("cancel")) }
                }
            }
        }
    }
}

fn choice(question: &str, value: &str, label: &str, key: usize) -> Markup {
    html! {
        button type="button" data-question=(question) data-value=(value) aria-pressed="false" {
            (label) kbd aria-hidden="true" { (key) }
        }
    }
}

fn chat(texts: &Texts) -> Markup {
    let t = |name: &str| texts.get(name).to_owned();
    html! {
        section #chat hidden {
            h2 #chat-title tabindex="-1" {}
            p.quiet #chat-hint {}
            div #chat-box role="log" tabindex="0" aria-label=(t("context")) { ol.turns #chat-log {} }
            div.tools {
                button.main type="button" #chat-open {}
                button type="button" #chat-retry hidden { (t("chat_retry")) }
            }
            form #chat-form hidden {
                label for="chat-message" { (t("chat_message")) }
                textarea #chat-message rows="2" dir="auto" maxlength="1000" {}
                div.tools {
                    button.main type="submit" { (t("chat_send")) }
                    button type="button" #chat-end hidden { (t("chat_end")) }
                    span.quiet #chat-count {}
                }
            }
        }
    }
}
