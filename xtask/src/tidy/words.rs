//! Old words for what the field has a term for, and phrases that do not say what they mean: they
//! must not come back into code, documentation and recipes.

use super::source::Source;
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Names in Rust code and, in backticks, in any text, and what to say instead. With `::` or `(`
/// behind it, a name counts only where that follows.
const NAMES: [Name; 10] = [
    name("Facts", "say TaskInfo"),
    name("Watch", "say Callback"),
    Name { kept: &["crates/data-pipeline/"], ..name("Plan", "say TrainConfig") },
    name("Look", "say Evaluator"),
    name("Finished::", "say TrainedModel"),
    name("Pool", "say Subset"),
    Name {
        kept: &["crates/augment/", "crates/data-pipeline/"],
        ..name("Cut", "say forward_features and forward_head")
    },
    name("guess", "say probs or pseudo_label"),
    name("sure", "say mask"),
    name("memory(", "say state"),
];

/// Words in any text, code included, in upper or lower case, and what to say instead.
const PHRASES: [(&str, &str); 8] = [
    ("twin", "say EMA model"),
    ("twins", "say EMA models"),
    ("mean of late weights", "say SWA"),
    ("partners", "say permutation"),
    ("needs_average", "say that it needs an EMA model"),
    ("nobody watches", "say what it does"),
    ("nobody will tell", "say what it does"),
    ("too kind a judge", "say what it does"),
];

/// A name that must not come back.
struct Name {
    old: &'static str,
    new: &'static str,
    /// Where the name means another thing and stays.
    kept: &'static [&'static str],
}

impl Name {
    fn is_kept_in(&self, path: &str) -> bool {
        self.kept.iter().any(|folder| path.starts_with(folder))
    }
}

const fn name(old: &'static str, new: &'static str) -> Name {
    Name { old, new, kept: &[] }
}

/// This file, which has to name them.
const HERE: &str = "xtask/src/tidy/words.rs";

/// A fault for each place where one of them stands.
pub(super) fn faults(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for Source { path, text } in files.iter().filter(|file| file.path != HERE) {
        let Some(text) = text else { continue };
        let mut places = phrases(text);
        quoted(text, path, &mut places);
        if path.ends_with(".rs") {
            names(text.parse().unwrap_or_default(), path, &mut places);
        }
        places.sort_unstable();
        let fault = |(line, old, new)| format!("{path}:{line}: `{old}`: {new}");
        faults.extend(places.into_iter().map(fault));
    }
    faults
}

/// A line, the old word and the new one.
type Place = (usize, &'static str, &'static str);

fn phrases(text: &str) -> Vec<Place> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        for (old, new) in PHRASES {
            let whole = |at: usize| {
                let letter = |c: char| c.is_alphabetic();
                !line[..at].ends_with(letter) && !line[at + old.len()..].starts_with(letter)
            };
            let places = line.match_indices(old).filter(|(at, _)| whole(*at));
            found.extend(places.map(|_| (index + 1, old, new)));
        }
    }
    found
}

/// Names in backticks.
fn quoted(text: &str, path: &str, found: &mut Vec<Place>) {
    for name in NAMES.iter().filter(|name| !name.is_kept_in(path)) {
        let begin = format!("`{}", name.old);
        let ends: &[&str] = if name.old.ends_with([':', '(']) { &[""] } else { &["`", "::"] };
        for (index, line) in text.lines().enumerate() {
            let begins = line.match_indices(&begin).map(|(at, _)| &line[at + begin.len()..]);
            let whole = begins.filter(|rest| ends.iter().any(|end| rest.starts_with(end)));
            found.extend(whole.map(|_| (index + 1, name.old, name.new)));
        }
    }
}

fn names(tokens: TokenStream, path: &str, found: &mut Vec<Place>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => names(group.stream(), path, found),
            TokenTree::Ident(word) => {
                let next = match tokens.get(index + 1) {
                    Some(TokenTree::Punct(p)) if p.as_char() == ':' => match p.spacing() {
                        Spacing::Joint => "::",
                        Spacing::Alone => "",
                    },
                    Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis => "(",
                    _ => "",
                };
                let here = word.to_string();
                let is = |name: &&Name| name.old == here || name.old == format!("{here}{next}");
                let names = NAMES.iter().filter(|name| !name.is_kept_in(path)).filter(is);
                found.extend(names.map(|n| (word.span().start().line, n.old, n.new)));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HERE, Source, faults};

    /// A file, and the old words in it.
    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        let faults = faults(&[Source { path: path.into(), text: Some(text.into()) }]);
        let words: Vec<_> = faults.iter().filter_map(|f| f.split('`').nth(1)).collect();
        assert_eq!(words, expected, "{faults:?}");
    }

    #[test]
    fn names_are_refused_in_code() {
        check("a.rs", "use train::{Plan, Watch};", &["Plan", "Watch"]);
        check("a.rs", "fn f(facts: &Facts) { json!([Pool::new()]) }", &["Facts", "Pool"]);
        check("a.rs", "fn f() { Finished::load(method.memory()) }", &["Finished::", "memory("]);
        check("crates/torch/src/net.rs", "pub struct Cut;", &["Cut"]);
    }

    #[test]
    fn other_meanings_are_accepted() {
        check("a.rs", "// Watch the Plan.\nlet a = \"Pool\";", &[]);
        check("a.rs", "use rayon::ThreadPool; struct AvgPool2d; fn f(pool: Pools) {}", &[]);
        check(
            "a.rs",
            "let Outcome::Finished(a) = Outcome::Finished else { retain_freed_memory() };",
            &[],
        );
        check("a.rs", "struct A { memory: u8, last: Finished }", &[]);
        check("crates/augment/src/filter.rs", "enum Filter { Cut }", &[]);
        check("crates/data-pipeline/src/split_rules.rs", "struct Plan;", &[]);
        check("a.md", "Plan, Watch and Facts; `Planner`, `memory`", &[]);
    }

    #[test]
    fn names_are_refused_in_backticks() {
        check("a.md", "a `Plan` and [`Watch`]", &["Plan", "Watch"]);
        check("a.rs", "/// See [`Facts::classes`], `memory()`.\nfn f() {}", &["Facts", "memory("]);
    }

    #[test]
    fn phrases_are_refused_in_every_text() {
        check("docs/a.md", "The averaged twin.\nTwins of it", &["twin", "twins"]);
        check(
            "a.rs",
            "// A mean of late weights\nfn twin_2() {}",
            &["mean of late weights", "twin"],
        );
        check("recipes/a.toml", "# Nobody watches.", &["nobody watches"]);
        check("a.md", "entwine, twinned", &[]);
        check(HERE, "// twin", &[]);
    }

    #[test]
    fn a_fault_names_the_line_and_the_better_word() {
        let file = Source { path: "a.rs".into(), text: Some("\nstruct Facts;".into()) };
        assert_eq!(faults(&[file]), ["a.rs:2: `Facts`: say TaskInfo"]);
    }
}
