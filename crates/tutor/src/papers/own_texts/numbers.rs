//! Labels that are numbers, where classes are wanted.

/// As many classes are usual, whatever their names.
const USUAL: usize = 20;

/// What should be known where labels seem to be numbers to be predicted: they are not whole, or
/// almost each text has its own.
pub(super) fn numbers_as_classes(classes: &[String], texts: usize) -> Option<String> {
    let number = |name: &String| name.parse::<f64>().ok().filter(|number| number.is_finite());
    let numbers = classes.iter().map(number);
    let numbers = numbers.collect::<Option<Vec<f64>>>()?;
    let is_quantity = numbers.iter().any(|number| number.fract() != 0.0)
        || (numbers.len() > USUAL && 2 * numbers.len() > texts);
    is_quantity.then(|| {
        format!(
            "labels: {} different numbers, from {} to {}, are names of classes here; fit does not \
             predict numbers. If they are quantities, name another column with --label-column, or \
             write classes such as low and high in their place",
            numbers.len(),
            numbers.iter().copied().fold(f64::INFINITY, f64::min),
            numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_no_names_are_told_of() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let years: Vec<String> = (1900..1960).map(|year| year.to_string()).collect();
        for (classes, texts, told) in [
            (names(&["0", "1"]), 100, false),
            (names(&["-1", "0", "1"]), 3, false),
            (names(&["1.0", "2.0", "5.0"]), 100, false),
            (names(&["1", "2", "many"]), 3, false),
            (names(&["0", "1", "nan"]), 100, false),
            (names(&["0.5", "1.25"]), 100, true),
            (years.clone(), 80, true),
            (years, 600, false),
        ] {
            assert_eq!(numbers_as_classes(&classes, texts).is_some(), told, "{classes:?}");
        }
    }
}
