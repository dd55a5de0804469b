//! Which name was probably meant by one that is not known.

/// The name that differs from `wanted` least: by a third of the letters at most, whether they are
/// capital or not, or by what is missing behind it. None where no name is so near.
pub(crate) fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let letters = wanted.chars().count();
    let distance = |name: &str| {
        let name = name.to_lowercase();
        let differ = strsim::damerau_levenshtein(&wanted, &name);
        let is_near = differ <= letters.max(name.chars().count()) / 3;
        (is_near || (letters > 2 && name.starts_with(&wanted))).then_some(differ)
    };
    let near = names.filter_map(|name| Some((distance(name)?, name)));
    near.min_by_key(|(differ, _)| *differ).map(|(_, name)| name)
}

/// What to say behind an unknown name: the known one that was probably meant, of `known` or `more`,
/// and all that are known.
pub(crate) fn proposal(wanted: &str, known: &[&str], more: &[&str]) -> String {
    let near = near(wanted, known.iter().chain(more).copied());
    let all = known.join(", ");
    match (near, known.is_empty()) {
        (Some(near), false) => format!("; did you mean `{near}`? There are {all}"),
        (Some(near), true) => format!("; did you mean `{near}`?"),
        (None, false) => format!("; there are {all}"),
        (None, true) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_near_by_few_letters() {
        let names = ["net", "steps", "batch", "labeling"];
        for (wanted, meant) in
            [("stepz", "steps"), ("setps", "steps"), ("BATCH", "batch"), ("label", "labeling")]
        {
            assert_eq!(near(wanted, names.into_iter()), Some(meant), "{wanted}");
        }
        for wanted in ["", "b", "rate", "optimizer"] {
            assert_eq!(near(wanted, names.into_iter()), None, "{wanted}");
        }
        let said = proposal("stepz", &names, &["kind"]);
        assert_eq!(said, "; did you mean `steps`? There are net, steps, batch, labeling");
        assert!(proposal("knid", &names, &["kind"]).starts_with("; did you mean `kind`? There"));
        assert_eq!(proposal("x", &["a", "b"], &[]), "; there are a, b");
    }
}
