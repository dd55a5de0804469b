//! A translator that is a program: lines go to its standard input, translated lines come from its
//! standard output.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::TextError;
use super::back_translation::Translator;
use crate::rng::Rng;

/// A program and its arguments, in which `{temperature}` and `{seed}` (below 2^31) are filled in.
/// It is started for each batch of lines and must write as many lines as it reads, in UTF-8. Each
/// direction is a program of its own.
///
/// ```no_run
/// use augment::text::{back_translation::BackTranslation, command::CommandTranslator};
/// let translate = |to: &str| CommandTranslator {
///     program: "translate".into(),
///     arguments: ["--to", to, "--temperature", "{temperature}", "--seed", "{seed}"]
///         .map(str::to_owned)
///         .into(),
/// };
/// let pipeline = BackTranslation::new(translate("fr"), translate("en"), 0.9);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTranslator {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl CommandTranslator {
    fn fault(&self, fault: impl Into<String>) -> TextError {
        TextError::Translator { translator: self.name(), fault: fault.into() }
    }
}

impl Translator for CommandTranslator {
    fn name(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        words.map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    fn translate(
        &mut self,
        lines: &[String],
        temperature: f64,
        rng: &mut Rng,
    ) -> Result<Vec<String>, TextError> {
        let seed = rng.next_u64() >> 33;
        let filled = self.arguments.iter().map(|argument| {
            let argument = argument.replace("{temperature}", &temperature.to_string());
            argument.replace("{seed}", &seed.to_string())
        });
        let child = Command::new(&self.program)
            .args(filled)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child =
            child.map_err(|error| self.fault(format!("could not be started: {error}")))?;
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        // Written and read at the same time, so that a program that answers line by line cannot
        // block.
        let (said, complaint) = std::thread::scope(|scope| {
            let writer =
                scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(text.as_bytes())));
            let errors = scope.spawn(move || {
                let mut text = Vec::new();
                stderr.map(|mut stderr| stderr.read_to_end(&mut text));
                String::from_utf8_lossy(&text).into_owned()
            });
            let mut said = Vec::new();
            let read = child.stdout.take().map(|mut stdout| stdout.read_to_end(&mut said));
            // A program that stops reading early shows in its exit status and in its number of
            // lines.
            drop(writer.join());
            (read.unwrap_or(Ok(0)).map(|_| said), errors.join().unwrap_or_default())
        });
        let status = child.wait().map_err(|error| self.fault(error.to_string()))?;
        if !status.success() {
            let last = complaint
                .lines()
                .rfind(|line| !line.trim().is_empty())
                .unwrap_or("it said nothing");
            let came = said.map_or(0, |said| String::from_utf8_lossy(&said).lines().count());
            let wanted = lines.len();
            return Err(
                self.fault(format!("failed ({status}) after {came} of {wanted} lines: {last}"))
            );
        }
        let said = said.map_err(|error| self.fault(error.to_string()))?;
        let said = String::from_utf8(said).map_err(|_| self.fault("its output is not UTF-8"))?;
        let out: Vec<String> = said.lines().map(str::to_owned).collect();
        if out.len() != lines.len() {
            let fault = format!("{} lines came back for {} ({status})", out.len(), lines.len());
            return Err(self.fault(fault));
        }
        Ok(out)
    }
}
