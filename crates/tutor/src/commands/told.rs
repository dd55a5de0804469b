//! How an error is told to whoever called a command.

/// An error and its causes, from the outermost on, but for those that the words before them hold.
pub(crate) fn told_once(error: &anyhow::Error) -> String {
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
    fn a_cause_is_told_once() {
        let error = Err::<(), _>(anyhow!("no such file"));
        let error = error.context("a.png: no such file (name another)").context("seed 1");
        let error = error.expect_err("an error");
        assert_eq!(told_once(&error), "seed 1: a.png: no such file (name another)");
        assert_eq!(told_once(&anyhow!("b").context("a")), "a: b");
    }
}
