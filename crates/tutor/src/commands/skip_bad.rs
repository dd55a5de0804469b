//! The option `--skip-bad`, and errors about bad input that name it.

use anyhow::{Error, anyhow};
use data_pipeline::error::DataError;
use data_pipeline::text::read::OnBadInput;

use super::error_text::error_text;

/// The help of `--skip-bad` for data with labels.
pub(super) const SKIP_BAD_ROWS: &str = "Skip inputs that cannot be read or whose label is unknown, \
                                        and report how many";

/// Whether inputs that cannot be read are skipped.
#[derive(Clone, Copy, clap::Args)]
pub(super) struct SkipBad {
    /// Skip inputs that cannot be read, and report how many.
    #[arg(long)]
    skip_bad: bool,
}

impl SkipBad {
    /// Whether the option was given.
    pub(super) fn is_on(self) -> bool {
        self.skip_bad
    }

    /// What a reader does with bad input.
    pub(super) fn on_bad_input(self) -> OnBadInput {
        if self.skip_bad { OnBadInput::Skip } else { OnBadInput::Error }
    }
}

/// Names `--skip-bad` in an error about input that can be skipped; other errors stay as they are.
pub(super) fn suggest_skip_bad(error: Error) -> Error {
    let about_input = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().is_some_and(DataError::can_be_skipped)
    };
    match error.chain().any(about_input) {
        true => anyhow!("{}", error_text(&error).replace("be skipped)", "be skipped: --skip-bad)")),
        false => error,
    }
}

/// What is wrong with an image file, without the way out that its error names; none for errors
/// about other things.
pub(super) fn bad_image(error: &Error) -> Option<String> {
    match error.downcast_ref::<DataError>()? {
        DataError::Image { path, fault } => Some(format!("{}: {fault}", path.display())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use data_pipeline::text::OwnTexts;

    use super::*;

    #[test]
    fn an_error_about_bad_input_names_the_option_and_others_do_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.txt");
        std::fs::write(&path, b"good\nb\xffd\n").expect("written");
        let reader = OwnTexts { on_bad: OnBadInput::Error, ..OwnTexts::default() };
        let error = reader.read(std::slice::from_ref(&path)).expect_err("a bad line");
        let told = suggest_skip_bad(Error::from(error).context("reading")).to_string();
        assert!(told.starts_with("reading: ") && told.contains("a.txt line 2"), "{told}");
        assert!(told.ends_with("be skipped: --skip-bad)"), "{told}");
        let none = reader.read(&[folder.path().join("none.txt")]).expect_err("no file");
        let told = suggest_skip_bad(none.into()).to_string();
        assert!(told.contains("none.txt") && !told.contains("--skip-bad"), "{told}");
    }
}
