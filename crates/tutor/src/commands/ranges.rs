//! Ranges of what options may be: parsers for clap, which names the option in front of their
//! errors.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::str::FromStr;

use crate::run::note::failed;

/// A whole number of `least` or more.
pub(super) fn at_least<T>(
    least: T,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| match text.trim().parse::<T>() {
        Ok(number) if number >= least => Ok(number),
        _ => Err(format!("it must be a whole number of {least} or more")),
    }
}

/// A whole number from `least` to `most`.
pub(super) fn within<T>(
    least: T,
    most: T,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| match text.trim().parse::<T>() {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ => Err(format!("it must be a whole number from {least} to {most}")),
    }
}

/// How many: 1 or more.
pub(super) fn count<T>(text: &str) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + From<u8> + 'static,
{
    at_least(T::from(1))(text)
}

/// A number of threads to compute with: 1 to four times the processors that there are.
pub(super) fn threads(text: &str) -> Result<usize, String> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let most = 4 * processors;
    match count(text)? {
        threads if threads <= most => Ok(threads),
        _ => Err(format!(
            "more threads than processors only wait for each other, and there {}: it must be a \
             whole number from 1 to {most}",
            match processors {
                1 => "is 1 processor".to_owned(),
                _ => format!("are {processors} processors"),
            }
        )),
    }
}

/// A share or probability, 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    number(text, |share| (0.0..=1.0).contains(&share), "from 0 to 1")
}

/// A share that is not the whole, 0 to below 1.
pub(super) fn part(text: &str) -> Result<f64, String> {
    number(text, |share| (0.0..1.0).contains(&share), "from 0 to below 1")
}

/// A number above 0.
pub(super) fn above_0(text: &str) -> Result<f64, String> {
    number(text, |number| number > 0.0, "above 0")
}

/// A factor above 0, at most 1.
pub(super) fn factor(text: &str) -> Result<f64, String> {
    number(text, |factor| factor > 0.0 && factor <= 1.0, "above 0, at most 1")
}

/// A number of 0 or more.
pub(super) fn from_0(text: &str) -> Result<f64, String> {
    number(text, |number| number >= 0.0, "of 0 or more")
}

/// A finite number in a range that `range` names.
fn number(text: &str, holds: impl Fn(f64) -> bool, range: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() && holds(number) => Ok(number),
        _ => Err(format!("it must be a number {range}")),
    }
}

/// What the words of a command line ask for; or the process ends with the help that they ask for,
/// or with what is wrong with them.
pub(crate) fn parse<P: clap::Parser>(words: impl IntoIterator<Item = OsString>) -> P {
    try_parse(words).unwrap_or_else(|error| {
        let printed = error.print().and_then(|()| io::stdout().flush());
        match printed {
            Err(fault) if !error.use_stderr() && fault.kind() != io::ErrorKind::BrokenPipe => {
                failed(&format!("error: cannot write to standard output: {fault}"));
                std::process::exit(1)
            }
            _ => std::process::exit(error.exit_code()),
        }
    })
}

/// The same, with what is wrong as an error.
pub(crate) fn try_parse<P: clap::Parser>(
    words: impl IntoIterator<Item = OsString>,
) -> Result<P, clap::Error> {
    let found = with_negative_values(P::command()).try_get_matches_from(words)?;
    P::from_arg_matches(&found)
}

/// The command, all of whose options take negative numbers as values, so that their parsers say
/// what is possible; else `-1` would be an option that is not known.
fn with_negative_values(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let is_option = arg.get_long().is_some() && arg.get_action().takes_values();
        if is_option { arg.allow_negative_numbers(true) } else { arg }
    });
    command.mut_subcommands(with_negative_values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_refused_with_the_range() {
        type Parser = fn(&str) -> Result<f64, String>;
        let table: [(Parser, &[&str], &[&str], &str); 5] = [
            (share, &["0", "1", " 0.5"], &["-0.1", "1.1"], "from 0 to 1"),
            (part, &["0", "0.99"], &["1", "-1"], "from 0 to below 1"),
            (above_0, &["1e-9", "7"], &["0", "-3"], "above 0"),
            (factor, &["1", "0.1"], &["0", "1.5"], "above 0, at most 1"),
            (from_0, &["0", "9"], &["-0.5"], "of 0 or more"),
        ];
        for (parser, good, bad, range) in table {
            for text in good {
                assert!(parser(text).is_ok(), "{range}: {text}");
            }
            for text in bad.iter().chain(&["nan", "inf", "-inf", "", "one"]) {
                let fault = parser(text).expect_err(text);
                assert!(fault.ends_with(range), "{text}: {fault}");
            }
        }
        assert_eq!(count::<u32>("1"), Ok(1));
        for text in ["0", "-1", "1.5", "", "99999999999"] {
            let fault = count::<u32>(text).expect_err(text);
            assert!(fault.contains("1 or more"), "{text}: {fault}");
        }
        assert_eq!(threads("1"), Ok(1));
        assert!(threads("0").expect_err("none").contains("1 or more"));
        let fault = threads("1000000").expect_err("too many");
        assert!(fault.contains("processor") && fault.contains("from 1 to"), "{fault}");
        assert_eq!(within(0_u32, 9)("9"), Ok(9));
        for text in ["10", "-1", "18446744073709551615", "x"] {
            assert!(within(0_u32, 9)(text).expect_err(text).ends_with("from 0 to 9"), "{text}");
        }
        assert_eq!(at_least(5_usize)("5"), Ok(5));
        assert!(at_least(5_usize)("4").expect_err("too few").contains("5 or more"));
    }
}
