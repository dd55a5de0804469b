//! What is run is what is named: a recipe changed on the command line says so.

use toml::{Table, Value};

use super::edit::Override;

/// Keys that choose among what a recipe runs, or name it, and change nothing of what is run.
const CHOICES: [&str; 5] = ["seeds", "run_rows", "labels", "name", "about"];

/// Whether a change is of what is run.
pub(crate) fn changes_what_is_run(change: &Override) -> bool {
    !CHOICES.contains(&change.key.as_str())
}

/// Whether a change is of which samples there are: what a paper prints is then of others.
fn is_of_the_data(change: &Override) -> bool {
    let of_data = ["data", "data.kind", "data.labels", "data.labels_per_class", "data.rule"];
    of_data.contains(&&*change.key) || change.key.split('.').next() == Some("text")
}

/// Puts the changes into a recipe's description. Where the method is another one than in `before`,
/// the recipe and its rows are named after it, if they were named after the old one.
pub(crate) fn follow(table: &mut Table, before: &Table, overrides: &[Override]) {
    let told: Vec<String> =
        overrides.iter().filter(|change| changes_what_is_run(change)).map(words).collect();
    if told.is_empty() {
        return;
    }
    let given = |key: &str| overrides.iter().any(|change| change.key == key);
    let (name, about) = (text(before, "name"), text(before, "about"));
    let other = other_kind(kind(before), kind(table));
    if let Some((old, new)) = &other
        && !given("name")
    {
        table.insert("name".to_owned(), Value::String(replaced(&name, old, new)));
    }
    let renamed = rows(table, before);
    if overrides.iter().any(is_of_the_data) {
        let rows = table.get_mut("rows").and_then(Value::as_array_mut).into_iter().flatten();
        rows.filter_map(Value::as_table_mut).for_each(|row| drop(row.remove("paper")));
        table.remove("paper");
    }
    if !given("about") {
        let changes = told.join(", ");
        let about = match other {
            Some((_, new)) => format!("{new}, by the recipe {name} with {changes}"),
            None => format!("{about}; changed: {changes}"),
        };
        table.insert("about".to_owned(), Value::String(about));
    }
    for (old, new) in renamed {
        for key in ["headline", "run_rows"] {
            if let Some(Value::String(text)) = table.get_mut(key) {
                *text = replaced(text, &old, &new);
            }
        }
    }
}

/// `key = value`, or that the key is left out.
fn words(change: &Override) -> String {
    match &change.value {
        Some(value) => format!("{} = {value}", change.key),
        None => format!("no {}", change.key),
    }
}

fn text(table: &Table, key: &str) -> String {
    table.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The kind of the method of a recipe or a row.
fn kind(table: &Table) -> Option<&str> {
    table.get("method")?.get("kind")?.as_str()
}

/// The kind of the method that a row ends up with.
fn kind_of_row<'t>(row: &'t Table, recipe: &'t Table) -> Option<&'t str> {
    let set = row.get("set").and_then(Value::as_table);
    let own = set.and_then(|set| set.get("method.kind").and_then(Value::as_str).or(kind(set)));
    own.or(kind(row)).or(kind(recipe))
}

fn other_kind(old: Option<&str>, new: Option<&str>) -> Option<(String, String)> {
    let (old, new) = (old?, new?);
    (old != new).then(|| (old.to_owned(), new.to_owned()))
}

/// Renames the rows whose method is another one than before; their names before and after.
fn rows(table: &mut Table, before: &Table) -> Vec<(String, String)> {
    let recipe = table.clone();
    let earlier = before.get("rows").and_then(Value::as_array);
    let (Some(earlier), Some(Value::Array(rows))) = (earlier, table.get_mut("rows")) else {
        return Vec::new();
    };
    let mut renamed = Vec::new();
    let mut taken: Vec<String> =
        rows.iter().filter_map(Value::as_table).map(|r| text(r, "name")).collect();
    for (row, earlier) in rows.iter_mut().zip(earlier) {
        let (Value::Table(row), Value::Table(earlier)) = (row, earlier) else { continue };
        let kinds = (kind_of_row(earlier, before), kind_of_row(row, &recipe));
        let Some((old, new)) = other_kind(kinds.0, kinds.1) else { continue };
        let (name, about) = (text(row, "name"), text(row, "about"));
        let mut named = replaced(&name, &old, &new);
        if named == name || taken.contains(&named) {
            named = format!("{name}-{new}");
        }
        taken.push(named.clone());
        row.insert("about".to_owned(), Value::String(format!("{new} in place of {old}: {about}")));
        row.insert("name".to_owned(), Value::String(named.clone()));
        // What papers print is of the other method.
        row.remove("paper");
        renamed.push((name, named));
    }
    for row in rows.iter_mut().filter_map(Value::as_table_mut) {
        for (old, new) in &renamed {
            if row.get("against").and_then(Value::as_str) == Some(old) {
                row.insert("against".to_owned(), Value::String(new.clone()));
            }
        }
    }
    renamed
}

/// `text` with `new` for each `old` that stands for itself: `uda` in `uda-20`, not in `udalike`.
fn replaced(text: &str, old: &str, new: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(old) {
        let (before, after) = (&rest[..at], &rest[at + old.len()..]);
        let ends = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
        let whole = ends(before.chars().next_back().or(out.chars().next_back()))
            && ends(after.chars().next());
        out.push_str(before);
        out.push_str(if whole { new } else { old });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::edit::{parse_override, resolved};

    const TEXT: &str = "name = 'uda/digits'\nabout = 'UDA'\nheadline = 'uda-20 - supervised-20'\n\
        method = { kind = 'uda' }\nnet = { width = 3 }\ndata = { labels = 20 }\n\
        rows = [{ name = 'supervised-20', about = 'labels', set = { method = { kind = 'supervised' } } },\
        { name = 'uda-20', about = 'UDA', against = 'supervised-20', paper = [] },\
        { name = 'longer', about = 'UDA', against = 'uda-20' }]";

    /// The recipes of digits say how many labels each class has.
    #[test]
    fn other_labels_take_what_a_paper_prints() {
        for (key, is_paper) in
            [("data.labels_per_class=3", false), ("data.labels=30", false), ("data.seed=3", true)]
        {
            assert_eq!(followed(&[key])["rows"][1].get("paper").is_some(), is_paper, "{key}");
        }
    }

    fn followed(set: &[&str]) -> Table {
        let changes: Vec<_> = set.iter().map(|set| parse_override(set).expect("parsed")).collect();
        let resolve = |changes| resolved(TEXT, false, false, changes).expect("a recipe");
        let mut table = resolve(&changes);
        follow(&mut table, &resolve(&[]), &changes);
        table
    }

    #[test]
    fn another_method_gives_its_name_to_all_that_runs_it() {
        let table = followed(&["method.kind=flexmatch", "net.width=8"]);
        assert_eq!(text(&table, "name"), "flexmatch/digits");
        let about =
            "flexmatch, by the recipe uda/digits with method.kind = \"flexmatch\", net.width = 8";
        assert_eq!(text(&table, "about"), about);
        assert_eq!(text(&table, "headline"), "flexmatch-20 - supervised-20");
        let rows: Vec<&Table> =
            table["rows"].as_array().expect("rows").iter().filter_map(Value::as_table).collect();
        let names: Vec<String> = rows.iter().map(|row| text(row, "name")).collect();
        assert_eq!(names, ["supervised-20", "flexmatch-20", "longer-flexmatch"]);
        assert_eq!(text(rows[2], "against"), "flexmatch-20");
        assert!(
            !rows[1].contains_key("paper") && text(rows[1], "about").contains("in place of uda")
        );
        assert_eq!(text(rows[0], "about"), "labels");
    }

    #[test]
    fn other_changes_are_told_and_choices_are_not() {
        let table = followed(&["net.width=8", "seeds=3"]);
        assert_eq!(text(&table, "name"), "uda/digits");
        assert_eq!(text(&table, "about"), "UDA; changed: net.width = 8");
        assert_eq!(text(&followed(&["seeds=3", "run_rows=uda-20"]), "about"), "UDA");
        let paper = |set: &[&str]| followed(set)["rows"][1].get("paper").is_some();
        assert!(paper(&["net.width=8"]) && !paper(&["data.labels=250"]), "what papers print");
        let own = followed(&["method.kind=vat", "name=my/run", "about=mine"]);
        assert_eq!((text(&own, "name"), text(&own, "about")), ("my/run".into(), "mine".into()));
        assert_eq!(replaced("udalike, uda2 or uda", "uda", "x"), "udalike, uda2 or x");
    }
}
