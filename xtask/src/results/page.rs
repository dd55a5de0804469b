//! The generated part of a page, between two marks that stand on lines of their own.

use anyhow::{Result, bail};

/// The line behind a generated part.
const END: &str = "<!-- end -->";

/// The line before what a command generates.
fn begin(command: &str) -> String {
    format!("<!-- generated: {command} -->")
}

/// A page with an empty generated part.
pub(super) fn new(name: &str, command: &str) -> String {
    let title = name.replace('-', " ");
    let (first, rest) = title.split_at(title.chars().next().map_or(0, char::len_utf8));
    format!("# {}{rest}: what we measured\n\n{}\n{END}\n", first.to_uppercase(), begin(command))
}

/// The page with another text as what a command generates.
///
/// # Errors
/// When the page has no place for it.
pub(super) fn replaced(page: &str, command: &str, text: &str) -> Result<String> {
    let begin = begin(command);
    let line = |mark: &str, from: &str| {
        let mut at = 0;
        for line in from.split_inclusive('\n') {
            if line.trim_end() == mark {
                return Some((at, at + line.len()));
            }
            at += line.len();
        }
        None
    };
    let found = line(&begin, page).and_then(|(_, begun)| {
        let (end, _) = line(END, &page[begun..])?;
        let inside = &page[begun..begun + end];
        // An end that is missing must not take the next part with it.
        (!inside.contains("<!-- generated:")).then_some((begun, begun + end))
    });
    let Some((begun, end)) = found else {
        bail!(
            "there is no place for what is generated: put `{begin}` and `{END}` on two lines where \
             it belongs"
        );
    };
    Ok(format!("{}\n{}\n\n{}", &page[..begun], text.trim(), &page[end..]))
}

#[cfg(test)]
mod tests {
    use super::{new, replaced};

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = "# A\n\nBefore.\n\n<!-- generated: a b -->\nold\n<!-- end -->\n\nBehind.\n";
        let first = replaced(page, "a b", "| 1 |\n").expect("it has a place");
        assert_eq!(
            first,
            "# A\n\nBefore.\n\n<!-- generated: a b -->\n\n| 1 |\n\n<!-- end -->\n\nBehind.\n"
        );
        assert_eq!(replaced(&first, "a b", "| 1 |").expect("it has a place"), first);
    }

    #[test]
    fn each_part_of_a_page_is_its_commands_own() {
        let page =
            "<!-- generated: a -->\n1\n<!-- end -->\n<!-- generated: b -->\n2\n<!-- end -->\n";
        let page = replaced(page, "b", "3").expect("it has a place");
        assert!(page.starts_with("<!-- generated: a -->\n1\n<!-- end -->\n"), "{page}");
        assert!(page.contains("\n3\n") && !page.contains("\n2\n"), "{page}");
    }

    #[test]
    fn a_page_without_marks_is_refused() {
        let begun = "<!-- generated: a -->\n";
        for page in ["# A\n", begun, &format!("{begun}<!-- generated: b -->\n<!-- end -->\n")] {
            let error = replaced(page, "a", "1").expect_err(page).to_string();
            assert!(error.contains("`<!-- generated: a -->` and `<!-- end -->`"), "{error}");
        }
    }

    #[test]
    fn a_new_page_has_a_title_and_a_place() {
        let page = new("label-propagation", "a");
        assert!(page.starts_with("# Label propagation: what we measured\n"), "{page}");
        assert!(replaced(&page, "a", "1").expect("it has a place").contains("\n1\n"));
    }
}
