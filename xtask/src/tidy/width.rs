//! How wide comments and prose may be: `rustfmt` wraps code, but not these.

use super::source::Source;

/// Columns of comments and documentation in Rust, TOML and Python.
const COMMENT: usize = 100;
/// Columns of prose in README and docs.
const PROSE: usize = 120;

/// A fault for each line that is too wide.
pub(super) fn faults(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for Source { path, text } in files {
        let Some(text) = text else { continue };
        let lines = match path.rsplit('.').next() {
            Some("rs") => comments(text, "//", false),
            Some("toml") => comments(text, "#", false),
            Some("py") => comments(text, "#", true),
            Some("md") if path == "README.md" || path.starts_with("docs/") => prose(text),
            _ => continue,
        };
        let limit = if path.ends_with(".md") { PROSE } else { COMMENT };
        let wide = lines.into_iter().filter(|(_, width)| *width > limit);
        faults.extend(
            wide.map(|(at, width)| format!("{path}:{at}: {width} columns, {limit} at most")),
        );
    }
    faults
}

/// The lines that are or end in a comment, with their widths; addresses and tables cannot be
/// wrapped.
fn comments(text: &str, mark: &str, docstrings: bool) -> Vec<(usize, usize)> {
    let mut in_docstring = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let quotes = if docstrings { line.matches("\"\"\"").count() } else { 0 };
        let is_comment = in_docstring || quotes > 0 || comment(line, mark).is_some();
        in_docstring ^= quotes % 2 == 1;
        let words = comment(line, mark).unwrap_or(line).trim_start_matches(['/', '!', '#', ' ']);
        let fixed = words.starts_with('|') || line.contains("://") || words == "fmt: skip";
        if is_comment && !fixed {
            found.push((index + 1, line.chars().count()));
        }
    }
    found
}

/// The comment of a line, from its mark on. A mark within quotes is none.
fn comment<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let alone = line.trim_start();
    if alone.starts_with(mark) {
        return Some(alone);
    }
    let (spaced, mut from) = (format!(" {mark} "), 0);
    while let Some(at) = line[from..].find(&spaced).map(|at| from + at) {
        let quotes = line[..at].matches('"').count() - line[..at].matches("\\\"").count();
        if quotes.is_multiple_of(2) {
            return Some(&line[at + 1..]);
        }
        from = at + 1;
    }
    None
}

/// The lines of prose of a Markdown text with their widths, addresses left out: not code, tables,
/// or what a command has written.
fn prose(text: &str) -> Vec<(usize, usize)> {
    let (mut fenced, mut generated, mut in_list) = (false, false, false);
    let (mut code, mut after_blank) = (false, true);
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let start = line.trim_start();
        if start.starts_with("<!--") {
            generated = start.starts_with("<!-- generated:");
            continue;
        }
        if start.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if !start.is_empty() {
            let indented = line.starts_with("    ");
            code = indented && !in_list && (code || after_blank);
            if !line.starts_with(' ') {
                in_list = is_item(start);
            }
            if !(fenced || generated || code || start.starts_with('|')) {
                found.push((index + 1, without_addresses(line)));
            }
        }
        after_blank = start.is_empty();
    }
    found
}

/// Whether a line begins an item of a list.
fn is_item(line: &str) -> bool {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with("- ") || line.starts_with("* ") || (number != line && number.starts_with(". "))
}

/// The columns of a line that are not addresses: those of links, and those that stand there bare.
fn without_addresses(line: &str) -> usize {
    let mut width = 0;
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        width += before.chars().count() + 1;
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    let address = |word: &&str| word.contains("://");
    let bare: usize = rest.split(' ').filter(address).map(|word| word.chars().count()).sum();
    width + rest.chars().count() - bare
}

#[cfg(test)]
mod tests {
    use super::{Source, faults};

    /// How many lines of a file are too wide.
    #[track_caller]
    fn check(path: &str, text: &str, expected: usize) {
        let faults = faults(&[Source { path: path.into(), text: Some(text.into()) }]);
        assert_eq!(faults.len(), expected, "{faults:?}");
    }

    /// A text of this many columns.
    fn wide(start: &str, columns: usize) -> String {
        format!("{start}{}", "x".repeat(columns - start.chars().count()))
    }

    #[test]
    fn comments_in_rust() {
        for start in ["// ", "/// ", "//! ", "    // ", "let a = 1; // ", "let a = \"//\"; // "] {
            check("a.rs", &wide(start, 100), 0);
            check("a.rs", &wide(start, 101), 1);
        }
        check("a.rs", &format!("/// {}", "ü".repeat(96)), 0);
        check("a.rs", &wide("let a = \"", 120), 0);
        check("a.rs", &wide("let a = \"one // two ", 120), 0);
        check("a.rs", &wide("// https://example.org/", 120), 0);
        check("a.rs", &wide("/// | a table | ", 120), 0);
    }

    #[test]
    fn comments_elsewhere() {
        check("crates/tutor/recipes/a/b.toml", &wide("# ", 101), 1);
        check("crates/tutor/recipes/a/b.toml", &wide("steps = 3 # ", 101), 1);
        check("crates/tutor/recipes/a/b.toml", &wide("about = \"", 101), 0);
        check("xtask/peers/a.py", &wide("# ", 101), 1);
        check("xtask/peers/a.py", &format!("\"\"\"A.\n\n{}\n\"\"\"\n", wide("", 101)), 1);
        check("xtask/peers/a.py", &format!("\"\"\"A.\"\"\"\n{}", wide("x = ", 101)), 0);
        check("xtask/peers/a.py", &format!("{}  # fmt: skip", wide("x = ", 101)), 0);
    }

    #[test]
    fn prose() {
        for path in ["README.md", "docs/a.md", "docs/results/a.md"] {
            check(path, &wide("A ", 120), 0);
            check(path, &wide("A ", 121), 1);
        }
        check("crates/a/tests/golden/README.md", &wide("A ", 121), 0);
        check("docs/a.md", &wide("| a ", 121), 0);
        check("docs/a.md", &format!("```\n{}\n```\n{}", wide("", 121), wide("", 121)), 1);
        check("docs/a.md", &format!("A\n\n{}\n\n{0}\nB", wide("    ", 121)), 0);
        check("docs/a.md", &format!("- A\n\n{}", wide("    ", 121)), 1);
        check("docs/a.md", &format!("10. A\n{}", wide("    ", 121)), 1);
        check("docs/a.md", &format!("[a]({}) b", wide("../", 121)), 0);
        check("docs/a.md", &format!("[{}](b) b", wide("", 121)), 1);
        check("docs/a.md", &wide("see https://example.org/", 121), 0);
        let generated = |text: &str| format!("<!-- generated: a -->\n{text}\n<!-- end -->\n");
        check("docs/a.md", &generated(&wide("", 121)), 0);
        check("docs/a.md", &format!("{}{}", generated("a"), wide("", 121)), 1);
    }
}
