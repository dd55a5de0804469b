//! What is printed at the end of a run.

use report::{Row, terminal};

use crate::samples::run;

#[test]
fn one_table_one_sentence_then_notes() {
    let text = terminal(&run(&[90.0, 91.0], &[94.0, 96.0]));
    let lines: Vec<&str> = text.lines().collect();
    let table = [
        "Models",
        "                           95 % interval  paired difference, points",
        "model  test accuracy, %     over 2 seeds  [95 % interval]                    per seed",
        "plain             90.50   [84.15, 96.85]                                 90.00  91.00",
    ];
    assert_eq!(lines[..4], table, "{text}");
    assert_eq!(
        lines.last().copied(),
        Some("note: a | note"),
        "the note comes once and last:\n{text}"
    );
    assert_eq!(text.matches("note:").count(), 1);
    assert!(text.contains("+4.50 [−1.85, 10.85] to plain"), "{text}");
    assert!(text.contains("\nNo difference between wide and plain"), "{text}");
}

#[test]
fn no_line_of_a_table_is_wider_than_the_terminal() {
    assert!(terminal(&run(&[90.0; 3], &[94.0; 3])).contains("90.00  90.00"), "three seeds fit");
    let mut result = run(&[90.0; 5], &[94.0; 5]);
    for metric in ["mean of the last 20 evaluations", "at the best on validation", "balanced"] {
        for name in ["plain", "wide"] {
            let row = Row::new(name, metric, vec![88.0, 90.0, 91.0, 92.0, 93.0]).unwrap();
            result.rows.push(row.group("Models"));
        }
    }
    let text = terminal(&result);
    let table: Vec<&str> = text.lines().take_while(|l| !l.is_empty()).collect();
    assert!(table.iter().all(|l| l.chars().count() <= 100), "{text}");
    assert!(
        !text.contains("90.00  90.00") && text.contains("+4.00 [4.00, 4.00] to plain"),
        "{text}"
    );
    assert!(text.contains("(further metrics are in report.md)\n"), "{text}");
}
