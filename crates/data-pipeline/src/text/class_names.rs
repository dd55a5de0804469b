//! Class numbers belong to a checkpoint: classes are compared by name.

/// The number of the class that is meant by a label, whatever the order of the classes: the one of
/// this name, or the only one whose name differs in case, or in `-`, `_` and spaces, alone.
///
/// ```
/// use data_pipeline::text::class_by_name;
/// let classes = ["CONTRADICTION", "entailment", "not_entailment"].map(str::to_owned);
/// assert_eq!(class_by_name(&classes, "contradiction"), Some(0));
/// assert_eq!(class_by_name(&classes, "Not Entailment"), Some(2));
/// assert_eq!(class_by_name(&classes, "neutral"), None);
/// ```
pub fn class_by_name(classes: &[String], label: &str) -> Option<u32> {
    let plain = |name: &str| name.trim().to_lowercase().replace(['-', '_'], " ");
    let only = |is: &dyn Fn(&String) -> bool| {
        let mut found = (0..).zip(classes).filter(|(_, class)| is(class));
        found.next().map(|(number, _)| number).filter(|_| found.next().is_none())
    };
    let wanted = plain(label);
    only(&|class| class == label).or_else(|| only(&|class| plain(class) == wanted))
}
