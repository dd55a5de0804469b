//! The text of an error, as commands print it.

/// An error and its causes as one text, the outermost first, without causes whose words are in it
/// already.
pub(crate) fn error_text(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(cause.trim()) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn a_repeated_cause_is_left_out() {
        let error = Err::<(), _>(anyhow!("no such file"));
        let error = error.context("a.png: no such file (name another)").context("seed 1");
        let error = error.expect_err("an error");
        assert_eq!(error_text(&error), "seed 1: a.png: no such file (name another)");
        assert_eq!(error_text(&anyhow!("b").context("a")), "a: b");
    }
}
