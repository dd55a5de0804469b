//! What several commands on a study are given.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rating_server::{Asking, Endpoint, Error, Project};

use crate::run::note::note;

/// The control that needs no address, by its name in a study.
const GENERIC_BOT: &str = "GenericBot";

/// A chatbot and how it is reached.
#[derive(clap::Args)]
pub(super) struct Partner {
    /// Name of the chatbot
    pub(super) name: String,
    /// URL of the chatbot: with --model, of an OpenAI-compatible server, as http://HOST/v1; without
    /// --model, one that answers a POST of `{"turns": [...]}` with `{"reply": "..."}`. Only the
    /// control GenericBot, which replies by itself, needs none; nor does one that the study has
    /// under another name
    #[arg(long)]
    url: Option<String>,
    /// Name of the model at that server
    #[arg(long, requires = "url")]
    model: Option<String>,
    /// Environment variable that holds the server's key
    #[arg(long, value_name = "NAME", requires = "model")]
    key_variable: Option<String>,
}

impl Partner {
    /// How it is reached. Fails without a URL, unless it is the control: by its name, or as the
    /// study has it, since earlier versions took that for every name without a URL.
    pub(super) fn endpoint(&self, project: &Project) -> Result<Endpoint> {
        let key_variable = self.key_variable.clone();
        Ok(match (self.url.clone(), self.model.clone()) {
            (Some(url), Some(model)) => Endpoint::OpenAi { url, model, key_variable },
            (Some(url), None) => Endpoint::Http { url },
            (None, _) if self.name == GENERIC_BOT || project.is_control(&self.name)? => {
                Endpoint::GenericBot
            }
            (None, _) => bail!(
                "{}: name the chatbot's address by --url; only the control {GENERIC_BOT} needs none",
                self.name
            ),
        })
    }
}

/// The outcome of asking a chatbot, whose address stands in the error.
pub(super) fn asked<T>(outcome: rating_server::Result<T>, endpoint: &Endpoint) -> Result<T> {
    let about = matches!(
        outcome,
        Err(Error::Chat(_) | Error::ChatBusy { .. } | Error::ChatLost(_) | Error::ChatEmpty)
    );
    match endpoint.address().filter(|_| about) {
        Some(address) => outcome.with_context(|| format!("asking {address}")),
        None => Ok(outcome?),
    }
}

/// The text of a file that the user names.
pub(super) fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Notes every hundredth answer of a chatbot, and why it is waited for.
pub(super) fn progress(what: &str) -> impl FnMut(Asking<'_>) {
    move |asking| match asking {
        Asking::Done { done, of } if done.is_multiple_of(100) && done < of => {
            note(&format!("{done} of {of} {what}"));
        }
        Asking::Waits { why, wait } => {
            note(&format!("{why}; asking again in {:.0} s", wait.as_secs_f64().ceil()));
        }
        Asking::Done { .. } => {}
    }
}
