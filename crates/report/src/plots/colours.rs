//! The colours of series, ink and grid.

use plotters::style::RGBColor;

/// Colours of series, `(on light, on dark)`: the first one's first, the last one's second, then
/// those in between.
pub(crate) const SERIES: [(&str, &str); 11] = [
    ("#C2571A", "#F0955B"),
    ("#2563B8", "#7FB2F5"),
    ("#1B8A7A", "#5CC9B8"),
    ("#7A4FB5", "#B797E6"),
    ("#7C7F2B", "#C4C76A"),
    ("#B0327A", "#E88BBE"),
    ("#0F86A8", "#6CC6E6"),
    ("#A67C00", "#E3C35B"),
    ("#8A4B2F", "#D9A184"),
    ("#3B3FA0", "#9CA0F0"),
    ("#5B8C2A", "#A5D66F"),
];
/// Colour of writing in plots, likewise.
pub(crate) const INK: (&str, &str) = ("#5A6270", "#A3ACBA");
/// Colour of grid lines, likewise.
pub(crate) const GRID: (&str, &str) = ("#E3E6EB", "#343B46");

/// The colour of the series at `index` of `series`, as on light ground.
pub(crate) fn colour(index: usize, series: usize) -> &'static str {
    match index {
        0 => SERIES[0].0,
        i if i + 1 == series => SERIES[1].0,
        i => SERIES[2 + (i - 1) % (SERIES.len() - 2)].0,
    }
}

/// The names with their colours, in order.
pub(crate) fn key<'a>(names: &[&'a str]) -> Vec<(&'a str, &'static str)> {
    names.iter().enumerate().map(|(i, name)| (*name, colour(i, names.len()))).collect()
}

/// `#RRGGBB` as plotters' colour; the constants above are all of that form.
pub(super) fn rgb(hex: &str) -> RGBColor {
    let part = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap_or(0);
    RGBColor(part(1), part(3), part(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_of_the_first_and_the_last_do_not_depend_on_those_between() {
        for series in 2..9 {
            assert_eq!(colour(0, series), SERIES[0].0);
            assert_eq!(colour(series - 1, series), SERIES[1].0);
        }
        assert_eq!(colour(0, 1), SERIES[0].0);
    }
}
