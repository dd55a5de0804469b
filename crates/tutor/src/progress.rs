//! What a person sees while a run runs: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use train::{Progress as At, Report, Watch};

/// Shows the phases of a run one after the other.
pub(crate) struct Progress<'a> {
    seed: String,
    title: String,
    bar: Option<ProgressBar>,
    accuracy: Option<f64>,
    last_line: Option<Instant>,
    /// Called when a phase begins.
    note: Box<dyn Fn() + 'a>,
}

/// Without a terminal, a line at most so often.
const PAUSE: Duration = Duration::from_secs(5);

impl<'a> Progress<'a> {
    /// `note` is called when a phase begins: the moment to note what has been spent.
    pub(crate) fn new(note: impl Fn() + 'a) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{prefix:28} {bar:24} {pos}/{len} {msg}");
            bar.set_style(style.expect("a valid template"));
            bar
        });
        Self {
            seed: String::new(),
            title: String::new(),
            bar,
            accuracy: None,
            last_line: None,
            note: Box::new(note),
        }
    }

    /// Which of the run's seeds is worked on.
    pub(crate) fn seed(&mut self, number: usize, of: usize) {
        self.seed = if of == 1 { String::new() } else { format!("seed {number}/{of} · ") };
    }

    /// Begins a phase; the result is told of its course.
    pub(crate) fn phase(&mut self, title: &str) -> &mut dyn Watch {
        (self.note)();
        self.title = format!("{}{title}", self.seed);
        self.accuracy = None;
        self.last_line = None;
        if let Some(bar) = &self.bar {
            bar.set_prefix(self.title.clone());
            bar.set_message("");
        }
        self
    }

    /// Says one thing.
    pub(crate) fn say(&self, what: &str) {
        self.line(&format!("{}{what}", self.seed));
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
            None => eprintln!("{text}"),
        }
    }
}

impl Watch for Progress<'_> {
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

    fn reported(&mut self, report: &Report) {
        let accuracy = self.accuracy.map_or(String::new(), |a| format!("  validation {a:.1} %"));
        let numbers = format!(
            "loss {:.3}{accuracy}  {:.0} images/s  {} left",
            report.loss.total,
            report.samples_per_s,
            humantime::format_duration(Duration::from_secs(
                report.seconds_left.max(0.0).ceil() as u64
            ))
        );
        match &self.bar {
            Some(bar) => bar.set_message(numbers),
            None if self.last_line.is_none_or(|last| last.elapsed() >= PAUSE) => {
                self.line(&format!(
                    "{}: step {}/{}  {numbers}",
                    self.title, report.at.step, report.at.steps
                ));
                self.last_line = Some(Instant::now());
            }
            None => {}
        }
    }

    fn evaluated(&mut self, at: At, values: &[(String, f64)]) {
        self.accuracy = values.first().map(|(_, value)| *value);
        if at.step == at.steps
            && let Some(accuracy) = self.accuracy
        {
            self.line(&format!(
                "{}: {} steps, validation accuracy {accuracy:.2} %",
                self.title, at.steps
            ));
        }
    }
}
