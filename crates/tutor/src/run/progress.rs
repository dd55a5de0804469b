//! What a person sees while a run runs: a bar on a terminal, plain lines elsewhere.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use super::note::note;
use super::processes;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use metrics::Metric;
use metrics::words::counted;
use report::words;
use train::{Callback, Progress as At, StepLog};

/// Shows the stages of a run one after the other.
pub(crate) struct Progress<'a> {
    seed: String,
    /// Which part of a seed's trainings this is.
    part: String,
    title: String,
    bar: Option<ProgressBar>,
    /// The metric of the latest evaluation, in words.
    measured: Option<String>,
    /// What else is said of a step.
    beside: Option<Box<dyn Fn(At) -> String>>,
    last_line: Option<Instant>,
    /// Called when a stage begins.
    note: Box<dyn Fn() + 'a>,
    /// What is not said twice.
    said: RefCell<BTreeSet<String>>,
}

/// Without a terminal, a line at most so often.
const PAUSE: Duration = Duration::from_secs(30);

impl<'a> Progress<'a> {
    /// `note` is called when a stage begins: the moment to note what has been spent.
    pub(crate) fn new(note: impl Fn() + 'a) -> Self {
        let speaks = processes::is_first();
        let bar = (speaks && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{prefix:28} {bar:24} {pos}/{len} {msg}");
            bar.set_style(style.expect("a valid template"));
            bar
        });
        Self {
            seed: String::new(),
            part: String::new(),
            title: String::new(),
            bar,
            measured: None,
            beside: None,
            last_line: None,
            note: Box::new(note),
            said: RefCell::default(),
        }
    }

    /// Which of the run's seeds is worked on.
    pub(crate) fn seed(&mut self, number: usize, of: usize) {
        self.seed = if of == 1 { String::new() } else { format!("seed {number}/{of} · ") };
    }

    /// Which part of a seed's trainings is worked on, in words; nothing where it has no parts.
    pub(crate) fn part(&mut self, what: &str) {
        self.part = if what.is_empty() { String::new() } else { format!("{what} · ") };
    }

    /// Begins a stage; the result is told of its course.
    pub(crate) fn stage(&mut self, title: &str) -> &mut dyn Callback {
        (self.note)();
        self.title = format!("{}{}{title}", self.seed, self.part);
        self.measured = None;
        self.beside = None;
        self.last_line = None;
        if let Some(bar) = &self.bar {
            bar.set_prefix(self.title.clone());
            bar.set_message("");
        }
        self
    }

    /// The same, with something to say of each step that is logged.
    pub(crate) fn stage_beside(
        &mut self,
        title: &str,
        beside: impl Fn(At) -> String + 'static,
    ) -> &mut dyn Callback {
        self.stage(title);
        self.beside = Some(Box::new(beside));
        self
    }

    /// Says one thing.
    pub(crate) fn say(&self, what: &str) {
        self.line(what);
    }

    /// Says one thing once, however many seeds and trainings come upon it.
    pub(crate) fn say_once(&self, what: &str) {
        if self.said.borrow_mut().insert(what.to_owned()) {
            self.line(what);
        }
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if processes::is_first() => note(text),
            None => {}
        }
    }
}

impl Callback for Progress<'_> {
    fn started(&mut self, at: At) {
        if let Some(bar) = &self.bar {
            bar.set_length(at.steps);
            bar.set_position(at.step);
        }
        if at.step > 0 {
            self.line(&format!("{}: goes on from step {}", self.title, at.step));
        }
    }

    fn stepped(&mut self, at: At) {
        if let Some(bar) = &self.bar {
            bar.set_position(at.step);
        }
    }

    fn logged(&mut self, log: &StepLog) {
        let measured = self.measured.as_ref().map_or(String::new(), |m| format!("  {m}"));
        let left = Duration::from_secs(log.seconds_left.max(0.0).ceil() as u64);
        let beside = self.beside.as_ref().map_or(String::new(), |b| format!("  {}", b(log.at)));
        let counted = match log.flops {
            0 => String::new(),
            flops => format!(
                "  {}, {}/s",
                words::flops(flops),
                words::flops(log.flops_per_second as u64)
            ),
        };
        let numbers = format!(
            "loss {:.3}{measured}{beside}  {:.0} {}/s{counted}  {} left",
            log.loss.total,
            log.throughput,
            log.unit,
            humantime::format_duration(left)
        );
        match &self.bar {
            Some(bar) => bar.set_message(numbers),
            None if self.last_line.is_none_or(|last| last.elapsed() >= PAUSE) => {
                let (step, steps) = (log.at.step, log.at.steps);
                self.line(&format!("{}: step {step}/{steps}  {numbers}", self.title));
                self.last_line = Some(Instant::now());
            }
            None => {}
        }
    }

    fn evaluated(&mut self, at: At, values: &[Metric]) {
        self.measured = values.first().map(|metric| {
            let name = metric.name.replace('_', " ");
            format!("{name} {:.2} {}", metric.value, metric.unit).trim_end().to_owned()
        });
        // Of several seeds, each is told when it is done.
        if at.step == at.steps
            && self.seed.is_empty()
            && let Some(measured) = &self.measured
        {
            let steps = counted(at.steps, "step");
            self.line(&format!("{}: {steps}, {measured}", self.title));
        }
    }
}
