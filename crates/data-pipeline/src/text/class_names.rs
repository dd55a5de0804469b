//! Class numbers belong to a checkpoint: classes are compared by name.

use crate::error::DataError;

/// For each class of a checkpoint, its number in the task. Names are compared without regard to
/// case, and `-`, `_` and spaces are alike.
///
/// ```
/// use data_pipeline::text::match_classes;
/// let names = |names: [&str; 3]| names.map(str::to_owned);
/// let checkpoint = names(["CONTRADICTION", "entailment", "neutral"]);
/// let task = names(["entailment", "neutral", "contradiction"]);
/// assert_eq!(match_classes(&checkpoint, &task)?, [2, 0, 1]);
/// assert!(match_classes(&names(["LABEL_0", "LABEL_1", "LABEL_2"]), &task).is_err());
/// # Ok::<(), data_pipeline::error::DataError>(())
/// ```
///
/// # Errors
/// When the checkpoint has no names of its own (`LABEL_0`, ...), or its names are not those of the
/// task.
pub fn match_classes(checkpoint: &[String], task: &[String]) -> Result<Vec<u32>, DataError> {
    let plain = |name: &String| name.trim().to_lowercase().replace(['-', '_'], " ");
    let is_nameless = |name: &String| {
        let number = name.strip_prefix("LABEL_");
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let lists = || format!("{} and {}", checkpoint.join(", "), task.join(", "));
    if !checkpoint.is_empty() && checkpoint.iter().all(is_nameless) && checkpoint != task {
        return Err(DataError::Request(format!(
            "the checkpoint does not say what its classes {} mean; the task has {} (say it with \
             --label-map, in the checkpoint's order)",
            checkpoint.join(", "),
            task.join(", ")
        )));
    }
    let wanted: Vec<String> = task.iter().map(plain).collect();
    let number = |name: &String| {
        let name = plain(name);
        let mut found = (0..).zip(&wanted).filter(|(_, wanted)| **wanted == name);
        found.next().map(|(number, _)| number).filter(|_| found.next().is_none())
    };
    let numbers: Option<Vec<u32>> = checkpoint.iter().map(number).collect();
    let fault = |what: &str| {
        Err(DataError::Request(format!(
            "{what}: {} (say which class is which with --label-map)",
            lists()
        )))
    };
    let Some(numbers) = numbers else {
        return fault("the classes of the checkpoint and of the task have other names");
    };
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    if sorted.len() != task.len() || sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return fault("the checkpoint and the task do not have the same classes");
    }
    Ok(numbers)
}
