//! A chat: what was said, what is typed, what is replied.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::asking::{Line, Lines};
use crate::commands::plain_text::shown;
use crate::dialog::held_back::{HeldBack, Refused};
use crate::dialog::responder::{Choice, Reply, Responder};
use crate::run::note::note;
use crate::run::seeds;

/// What can be typed beside what is said.
const HELP: &str =
    "/why        the candidates of the last reply with their scores (mean ln p of a token, and with --mmi
            ln p of what was said before, by which they are ranked then)
/save FILE  write the conversation to a file
/reset      begin a new conversation
/help       this
/quit       leave; Ctrl-C and Ctrl-D do so too";

/// A conversation under way.
pub(super) struct Session<'a> {
    responder: &'a Responder,
    choice: Choice,
    sampling_seed: u64,
    /// Whether a person sits at a terminal, and not a program behind a pipe.
    by_hand: bool,
    /// What was said so far, by the person and by the network in turn.
    turns: Vec<String>,
    /// The last reply.
    last: Option<Reply>,
    /// Whether it was said that the beginning is no longer read.
    told: bool,
    /// Files that this chat has written, which it may write again.
    written: BTreeSet<PathBuf>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        responder: &'a Responder,
        choice: Choice,
        sampling_seed: u64,
        by_hand: bool,
    ) -> Self {
        let (turns, written) = (Vec::new(), BTreeSet::new());
        Self { responder, choice, sampling_seed, by_hand, turns, last: None, told: false, written }
    }

    /// Talks until the person leaves.
    pub(super) fn run(&mut self) -> Result<()> {
        let lines = Lines::of_stdin();
        let done = self.talk(&lines);
        match done {
            // Nobody reads any more.
            Err(error) if closed(&error) => Ok(()),
            done => done,
        }
    }

    fn talk(&mut self, lines: &Lines) -> Result<()> {
        loop {
            if self.by_hand {
                print("you: ")?;
            }
            let Some(Line { text, cut }) = lines.next().context("what is typed")? else {
                if self.by_hand {
                    print("\n")?;
                }
                return Ok(());
            };
            if cut {
                note("note: this line is longer than 64 KiB, and its end is left out");
            }
            let text = text.trim();
            match text.split_once(char::is_whitespace).unwrap_or((text, "")) {
                ("", _) => {}
                ("/quit", _) => return Ok(()),
                ("/help", _) => print(&format!("{HELP}\n"))?,
                ("/why", _) => print(&self.why())?,
                ("/reset", _) => {
                    self.turns.clear();
                    (self.last, self.told) = (None, false);
                    print("A new conversation begins.\n")?;
                }
                ("/save", file) => self.save(file.trim())?,
                (command, _) if command.starts_with('/') => {
                    let command = shown(command);
                    print(&format!("There is no {command}; /help says what there is.\n"))?;
                }
                _ => {
                    self.reply(text)?;
                    if train::signals::interrupted() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Replies to what was said.
    fn reply(&mut self, said: &str) -> Result<()> {
        self.turns.push(said.to_owned());
        let context = self.responder.read(&self.turns)?;
        if context.last_cut {
            note("note: this is longer than what can be read at once; its beginning was left out");
        } else if context.left_out > 0 && !self.told {
            self.told = true;
            note("note: the beginning of this conversation is no longer read");
        }
        let seed = seeds::key(self.sampling_seed, &format!("turn/{}", self.turns.len()));
        print(&format!("{}: ", shown(self.responder.name())))?;
        // Words of a single one are shown as they come, where words are all that is judged.
        let single = self.choice.draws_one() && !self.responder.judges_whole();
        let waiting = Waiting::new(self.by_hand && !single && io::stderr().is_terminal());
        let (mut stream, mut held) = (self.responder.stream(), HeldBack::default());
        let (mut failed, mut refused, mut shows) = (None, false, false);
        let reply = self.responder.reply(&context, &self.choice, seed, &mut |written| {
            if single {
                let more = stream.push(Responder::id(written.token));
                match held.push(&more, |text| self.responder.holds_word(text)) {
                    Ok(text) => {
                        shows |= !text.is_empty();
                        failed = print(&shown(&text)).err();
                    }
                    Err(Refused) => refused = true,
                }
            } else {
                waiting.at(written.place);
            }
            match failed.is_some() || refused || train::signals::interrupted() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        waiting.end();
        if train::signals::interrupted() {
            return print("\n");
        }
        match reply.given() {
            Some(text) => {
                print(&format!("{}\n", shown(if single { held.rest(text) } else { text })))?;
                self.turns.push(text.to_owned());
            }
            None => {
                self.turns.pop();
                // Words that were shown stand alone.
                print(if shows { "\n" } else { "" })?;
                print("(nothing that may be said; say it in other words, or /why)\n")?;
            }
        }
        self.last = Some(reply);
        Ok(())
    }

    /// The candidates of the last reply.
    fn why(&self) -> String {
        let Some(reply) = &self.last else { return "Nothing was replied yet.\n".to_owned() };
        let mut out = String::new();
        for drawn in &reply.ranked {
            let score = drawn.score.map_or("     –".to_owned(), |score| format!("{score:6.3}"));
            let reverse = drawn.reverse.map_or(String::new(), |ln_p| format!("  {ln_p:8.2}"));
            let dropped = drawn.dropped.as_ref().map_or(String::new(), |why| format!("  ({why})"));
            out.push_str(&format!("{score}{reverse}  {}{dropped}\n", shown(&drawn.text)));
        }
        out
    }

    /// Writes the conversation, in the format of the transcripts published with Meena.
    fn save(&mut self, file: &str) -> Result<()> {
        if file.is_empty() {
            return print("/save needs the name of a file.\n");
        }
        let path = PathBuf::from(file);
        let name = shown(file);
        if path.exists() && !self.written.contains(&path) {
            return print(&format!("{name} is there already: name another file.\n"));
        }
        let mut text = "Chat Conversation 1\n".to_owned();
        for (i, turn) in self.turns.iter().enumerate() {
            let speaker = if i % 2 == 0 { "Human" } else { "Model" };
            let line = turn.split_whitespace().collect::<Vec<_>>().join(" ");
            text.push_str(&format!("{speaker}: {line}\n"));
        }
        text.push('\n');
        match atomic_file::write(&path, text.as_bytes()) {
            Ok(()) => {
                self.written.insert(path);
                print(&format!("Written to {name}.\n"))
            }
            // The chat goes on.
            Err(error) => {
                print(&format!("{}\n", shown(&format!("{name} was not written: {error}"))))
            }
        }
    }
}

/// A count of tokens while several replies are drawn.
struct Waiting(bool);

/// Saves the place of the cursor.
const MARK: &str = "\u{1b}7";
/// Goes back to it, and clears what is behind.
const BACK: &str = "\u{1b}8\u{1b}[K";

impl Waiting {
    fn new(shown: bool) -> Self {
        let waiting = Self(shown);
        waiting.show(MARK);
        waiting
    }

    fn at(&self, place: usize) {
        self.show(&format!("{BACK}… {} tokens", place + 1));
    }

    fn end(&self) {
        self.show(BACK);
    }

    fn show(&self, text: &str) {
        if self.0 {
            let _ = write!(io::stderr(), "{text}");
        }
    }
}

/// Prints at once.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Whether an error is that of an output which nobody reads.
fn closed(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}
