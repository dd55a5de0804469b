//! What a recipe about one's own samples is called.

use std::path::Path;

/// A recipe's name after the folder or file of the labelled samples; `else_name` where that says
/// nothing.
pub(crate) fn own_name(path: &Path, else_name: &str) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let components: Vec<String> = absolute
        .components()
        .rev()
        .take(2)
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    // What is called after its part says nothing; the folder above it does.
    let plain = ["labeled", "labelled", "labels", "train", "images", "texts", "data"];
    let chosen = match &components[..] {
        [last, above] if plain.contains(&last.to_lowercase().as_str()) => above,
        [last, ..] => last,
        [] => else_name,
    };
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' };
    let name: String = chosen.chars().map(allowed).collect();
    let name = name.trim_matches('-');
    if name.is_empty() || name == "latest" { else_name.to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_after_what_says_most() {
        let name = |path| own_name(Path::new(path), "images");
        assert_eq!(name("/data/leaves"), "leaves");
        assert_eq!(name("/data/leaves/labeled"), "leaves");
        assert_eq!(name("/data/my leaves/Train"), "my-leaves");
        assert_eq!(name("/"), "images");
    }
}
