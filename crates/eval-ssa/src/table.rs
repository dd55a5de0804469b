//! The numbers of a summary as one table, for spreadsheets.

use crate::agreement::Statistic;
use crate::bootstrap::{Difference, Estimate};
use crate::export::escaped;
use crate::score::Measure;
use crate::summary::Summary;

/// The columns.
const HEADER: [&str; 14] = [
    "what",
    "mode",
    "system",
    "other_system",
    "measure",
    "value",
    "undefined",
    "standard_error",
    "percentile_low",
    "percentile_high",
    "small_sample_low",
    "small_sample_high",
    "units",
    "responses",
];

fn shown(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn interval(interval: Option<[f64; 2]>) -> [String; 2] {
    [0, 1].map(|end| shown(interval.map(|interval| interval[end])))
}

/// The cells from `value` on.
fn estimate(found: Option<&Estimate>) -> Vec<String> {
    let Some(found) = found else {
        let mut cells = vec![String::new(); 9];
        cells[1] = "undefined (no response has a label)".into();
        return cells;
    };
    let mut cells = vec![shown(Some(found.value)), String::new()];
    cells.push(shown(Some(found.standard_error)));
    cells.extend(interval(Some(found.percentile)));
    cells.extend(interval(found.small_sample));
    cells.extend([found.units.to_string(), found.responses.to_string()]);
    cells
}

fn difference(found: Option<&Difference>) -> Vec<String> {
    let Some(found) = found else {
        let mut cells = vec![String::new(); 9];
        cells[1] = "undefined (no responses to compare)".into();
        return cells;
    };
    let mut cells = vec![shown(Some(found.value)), String::new()];
    cells.push(shown(Some(found.standard_error)));
    cells.extend(interval(Some(found.percentile)));
    cells.extend(interval(found.t_interval));
    let [first, second] = found.units;
    let units = if found.paired { first } else { first.min(second) };
    cells.extend([units.to_string(), String::new()]);
    cells
}

fn statistic(found: Statistic) -> Vec<String> {
    let mut cells = vec![String::new(); 9];
    cells[0] = shown(found.value);
    cells[1] = found.undefined.map(|reason| reason.to_string()).unwrap_or_default();
    cells
}

impl Summary {
    /// Scores, differences and agreement as CSV, a row for each number. Shares are from 0 to 1; an
    /// undefined number is an empty cell, with its reason in the next one; no text runs as a
    /// formula. The interval for small samples of a difference is Student's t interval.
    pub fn csv(&self) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut write = |names: [&str; 5], cells: Vec<String>| {
            let names = names.into_iter().map(escaped);
            writer.write_record(names.chain(cells)).expect("rows of the same length");
        };
        let (names, cells) = HEADER.split_at(5);
        write(
            names.try_into().expect("five names"),
            cells.iter().map(|name| (*name).to_owned()).collect(),
        );
        for score in &self.scores {
            let (mode, system) = (score.mode.name(), &score.system);
            for measure in Measure::ALL {
                let cells = estimate(score.estimate(measure));
                write(["score", mode, system, "", measure.name()], cells);
            }
            if let Some(found) = &score.human_likeness {
                write(["score", mode, system, "", "human-likeness"], estimate(Some(found)));
            }
        }
        for found in &self.comparisons {
            let [first, second] = &found.systems;
            let names = ["difference", found.mode.name(), first, second, found.measure.name()];
            write(names, difference(found.difference.as_ref()));
        }
        for found in &self.agreement {
            let name = found.question.name();
            let measured = &found.agreement;
            for (what, value) in [
                ("pairwise agreement", measured.pairwise),
                ("alpha", measured.alpha),
                ("fleiss", measured.fleiss),
                ("mean cohen", measured.mean_cohen),
            ] {
                write([what, "", "", "", name], statistic(value));
            }
        }
        writer.into_inner().expect("memory takes it all")
    }
}
