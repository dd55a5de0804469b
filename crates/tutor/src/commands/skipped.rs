//! The option that leaves out what cannot be read, in errors about such input.

use anyhow::{Error, anyhow};
use data_pipeline::error::DataError;

use super::told::told_once;

/// The same error; one about input that may be left out names the option that does so.
pub(super) fn skipped_by(option: &str, error: Error) -> Error {
    let about_input = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().is_some_and(DataError::can_be_skipped)
    };
    match error.chain().any(about_input) {
        true => anyhow!(
            "{}",
            told_once(&error).replace("be skipped)", &format!("be skipped: {option})"))
        ),
        false => error,
    }
}

/// What is wrong with an image file, without a way out; none for errors about other things.
pub(super) fn bad_image(error: &Error) -> Option<String> {
    match error.downcast_ref::<DataError>()? {
        DataError::Image { path, fault } => Some(format!("{}: {fault}", path.display())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use data_pipeline::text::OwnTexts;
    use data_pipeline::text::read::OnBadInput;

    use super::*;

    #[test]
    fn an_error_about_bad_input_names_the_option_and_others_do_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.txt");
        std::fs::write(&path, b"good\nb\xffd\n").expect("written");
        let reader = OwnTexts { on_bad: OnBadInput::Error, ..OwnTexts::default() };
        let error = reader.read(std::slice::from_ref(&path)).expect_err("a bad line");
        let told = skipped_by("--skip-bad", Error::from(error).context("reading")).to_string();
        assert!(told.starts_with("reading: ") && told.contains("a.txt line 2"), "{told}");
        assert!(told.ends_with("be skipped: --skip-bad)"), "{told}");
        let none = reader.read(&[folder.path().join("none.txt")]).expect_err("no file");
        let told = skipped_by("--skip-bad", none.into()).to_string();
        assert!(told.contains("none.txt") && !told.contains("--skip-bad"), "{told}");
    }
}
