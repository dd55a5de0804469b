//! Tests of the report as a whole: the file keeps what it was given, claims stay within their
//! intervals, and the page stands alone whatever it was given.

use super::result::*;
use super::robustness::{Corruption, Perturbation, Robustness};
use super::visuals::*;
use super::words::{Verdict, outcome};
use super::{markdown, paper, terminal, write};

/// A run of two models with these accuracies, seed by seed.
fn run(teacher: &[f64], student: &[f64]) -> RunResult {
    let row =
        |name: &str, v: &[f64]| Row::new(name, "test accuracy", v.to_vec()).unwrap().examples(360);
    let rows = vec![row("teacher", teacher), row("student 1", student)];
    let comparisons = vec![Comparison::between(STUDENT_TEACHER, &rows[1], &rows[0]).unwrap()];
    RunResult {
        schema: SCHEMA.into(),
        paper: "noisy-student".into(),
        row: "digits".into(),
        about: "a <small> run".into(),
        data: "20 images".into(),
        command: vec!["tutor".into(), "run".into()],
        commit: None,
        started: "2026-01-02T03:04:05Z".into(),
        versions: Versions::default(),
        device: "cpu".into(),
        machine: None,
        threads: 1,
        quick: false,
        seeds: (1..=teacher.len() as u64).collect(),
        rows,
        comparisons,
        robustness: None,
        cost: Cost { wall_s: 3.0, peak_rss_bytes: 7, images_per_s: 0.5 },
        paper_reference: Vec::new(),
        notes: vec!["a | note".into()],
    }
}

/// The same run with every optional part filled in.
fn full() -> (RunResult, Visuals) {
    let mut result = run(&[91.0, 92.1, 90.7], &[95.0, 96.3, 95.1]);
    let ablated = Row::new("no-noise", "test accuracy", vec![92.0, 92.5, 91.0]).unwrap();
    result.rows.push(ablated.group(Group::Ablation));
    let corruption = Corruption {
        name: "gaussian_noise".into(),
        teacher: vec![90.0, 80.0],
        student: vec![95.0, 85.0],
    };
    let shift = Perturbation { name: "translate".into(), teacher: 4.0, student: 2.0 };
    result.robustness =
        Some(Robustness::new("teacher", "student 1", vec![corruption], vec![shift]).unwrap());
    result.paper_reference = paper::noisy_student_noise([
        Some("teacher"),
        Some("student 1"),
        None,
        Some("no-noise"),
        None,
    ]);
    let point = |step| CurvePoint { step, train_loss: Some(1.0), validation: Some(90.0) };
    let curve =
        |model: &str, seed| Curve { model: model.into(), seed, points: vec![point(0), point(10)] };
    let guess = |class| Guess { class, confidence: 0.5 };
    let tile = Tile {
        pixels: vec![0, 80, 160, 255],
        height: 2,
        width: 2,
        channels: 1,
        teacher: guess(0),
        student: guess(1),
        truth: Some(1),
    };
    let confusion = |model: &str| Confusion {
        model: model.into(),
        part: "test part".into(),
        counts: vec![vec![5, 1], vec![0, 6]],
    };
    let visuals = Visuals {
        classes: vec!["cat".into(), "dog".into()],
        curves: vec![curve("teacher", 1), curve("teacher", 2), curve("student 1", 1)],
        confusions: vec![confusion("teacher"), confusion("student 1")],
        disagreements: Some(Disagreements {
            teacher: "teacher".into(),
            student: "student 1".into(),
            seed: 1,
            compared: 100,
            differing: 9,
            student_right: Some(6),
            teacher_right: Some(2),
            tiles: vec![tile],
        }),
        pseudo_labels: vec![PseudoLabels {
            teacher: "teacher".into(),
            student: "student 1".into(),
            seed: 1,
            candidates: 100,
            threshold: Some(0.3),
            kept: 80,
            used: 100,
            accuracy: Some(93.0),
            per_class: vec![ClassCount { kept: 30, used: 50 }, ClassCount { kept: 50, used: 50 }],
        }],
        growth: Vec::new(),
        strips: vec![],
    };
    (result, visuals)
}

#[test]
fn a_saved_result_loads_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let (result, _) = full();
    let path = result.save(dir.path()).unwrap();
    assert_eq!(path, dir.path().join("result.json"));
    assert_eq!(RunResult::load(dir.path()).unwrap(), result);
    let names: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["result.json"], "no half-written neighbour stays behind");
}

#[test]
fn the_schema_has_the_documented_fields() {
    let (result, _) = full();
    let json = serde_json::to_value(&result).unwrap();
    assert_eq!(json["schema"], "tutor-result/1");
    assert_eq!(json["rows"][2]["group"], "ablation");
    assert_eq!(json["rows"][0]["unit"], "%");
    assert_eq!(json["rows"][0]["better"], "higher");
    assert_eq!(json["rows"][0]["ci95"].as_array().unwrap().len(), 2);
    assert_eq!(json["comparisons"][0]["name"], "student-teacher");
    assert_eq!(json["comparisons"][0]["unit"], "points");
    assert_eq!(json["comparisons"][0]["per_seed"].as_array().unwrap().len(), 3);
    assert_eq!(json["cost"]["peak_rss_bytes"], 7);
    assert_eq!(json["paper_reference"][0]["role"], "baseline");
    let one = serde_json::to_value(run(&[90.0], &[91.0])).unwrap();
    assert!(one["rows"][0]["ci95"].is_null());
}

#[test]
fn results_that_do_not_hold_together_are_refused() {
    assert!(Row::new("teacher", "test accuracy", vec![]).is_err());
    let error = Row::new("teacher", "loss", vec![1.0, f64::NAN]).unwrap_err().to_string();
    assert!(error.contains("teacher") && error.contains("seed number 2"), "{error}");

    let dir = tempfile::tempdir().unwrap();
    let mut result = run(&[90.0, 91.0], &[95.0, 96.0]);
    result.seeds.push(3);
    let error = result.save(dir.path()).unwrap_err().to_string();
    assert!(error.contains("2 values for 3 seeds"), "{error}");

    let other = serde_json::json!({ "schema": "tutor-result/9" });
    std::fs::write(dir.path().join("result.json"), other.to_string()).unwrap();
    let error = RunResult::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("tutor-result/9") && error.contains("tutor-result/1"), "{error}");
}

#[test]
fn rows_of_different_metrics_are_not_subtracted() {
    let test = Row::new("student 1", "test accuracy", vec![96.0]).unwrap();
    let validation = Row::new("teacher", "validation accuracy", vec![91.0]).unwrap();
    assert!(Comparison::between("x", &test, &validation).is_err());
}

#[test]
fn no_more_is_claimed_than_the_interval_allows() {
    let verdict = |teacher: &[f64], student: &[f64]| outcome(&run(teacher, student)).verdict;
    let teacher = [90.0, 91.0, 92.0];
    assert_eq!(verdict(&teacher, &[94.0, 95.5, 96.0]), Verdict::Better);
    assert_eq!(verdict(&teacher, &[86.0, 87.5, 88.0]), Verdict::Worse);
    assert_eq!(verdict(&teacher, &[90.0, 93.0, 91.5]), Verdict::NotShown);
    assert_eq!(verdict(&teacher, &teacher), Verdict::NotShown);
    assert_eq!(verdict(&[90.0], &[99.0]), Verdict::OneSeed);

    let mut quick = run(&teacher, &[94.0, 95.5, 96.0]);
    quick.quick = true;
    assert_eq!(outcome(&quick).verdict, Verdict::Quick);

    let mut error_rate = run(&teacher, &[94.0, 95.5, 96.0]);
    error_rate.comparisons[0].better = Better::Lower;
    assert_eq!(outcome(&error_rate).verdict, Verdict::Worse);
}

#[test]
fn the_headline_holds_the_numbers() {
    let said = outcome(&run(&[90.0, 91.0], &[94.0, 96.0])).sentence;
    assert_eq!(
        said,
        "Test accuracy: student 1 95.00 % vs teacher 90.50 %, a difference of +4.50 points, \
         95 % interval [−1.85, 10.85], 2 seeds."
    );
    let said = outcome(&run(&[90.0], &[95.0])).sentence;
    assert!(said.contains("one seed") && said.contains("size of the test part alone"), "{said}");
}

#[test]
fn validation_numbers_are_not_said_to_be_of_a_test_part() {
    let mut result = run(&[90.0], &[95.0]);
    result.rows.iter_mut().for_each(|r| r.metric = "validation accuracy".into());
    result.comparisons[0].metric = "validation accuracy".into();
    let page = super::html::page(&result, &Visuals::default(), "").unwrap();
    let text = markdown::document(&result, &Visuals::default());
    for said in [&page, &text, &terminal::table(&result)] {
        assert!(said.contains("95 % from the size of the validation part alone"), "{said}");
        assert!(!said.contains("test part") && !said.contains("test set"), "{said}");
    }
}

#[test]
fn the_mark_of_a_finished_run_is_written_last() {
    let (result, visuals) = full();
    // A folder in the place of a file stands for a process that dies while writing it.
    for (fails, before) in [
        ("report.md", vec![]),
        ("report.html", vec!["report.md"]),
        ("result.json", vec!["report.html", "report.md"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(fails)).unwrap();
        let error = write(dir.path(), &result, &visuals, "").unwrap_err().to_string();
        assert!(error.contains(fails), "{error}");
        let entries = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap());
        let mut files: Vec<String> = entries
            .filter(|e| e.file_type().unwrap().is_file())
            .map(|e| e.file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, before, "with {fails} failing");
        // Once the obstacle is gone, the same call finishes the run.
        std::fs::remove_dir(dir.path().join(fails)).unwrap();
        write(dir.path(), &result, &visuals, "").unwrap();
        assert_eq!(RunResult::load(dir.path()).unwrap(), result);
    }
}

#[test]
fn the_page_stands_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (result, visuals) = full();
    let path = write(dir.path(), &result, &visuals, "labels = 100 # <all>").unwrap();
    assert_eq!(path, dir.path().join("report.html"));
    let page = std::fs::read_to_string(path).unwrap();
    for outside in ["http:", "https:", "src=\"/", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "the page reaches outside: {outside}");
    }
    for id in [
        "results",
        "differences",
        "paper",
        "curves",
        "confusion",
        "disagreement",
        "pseudo-labels",
        "robustness",
        "provenance",
    ] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "section {id} is missing");
    }
    assert!(page.contains("data:image/png;base64,"));
    assert!(page.contains("a &lt;small&gt; run") && page.contains("# &lt;all&gt;"));
    assert!(page.contains("student 1 beats teacher") || page.contains("Student 1 beats teacher"));
}

#[test]
fn a_page_without_pictures_has_no_empty_sections() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), &run(&[90.0], &[91.0]), &Visuals::default(), "").unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    assert_eq!(page.matches("<section").count(), 3, "results, differences, provenance");
    assert!(!page.contains("NaN") && !page.contains("<details"));
}

#[test]
fn a_picture_of_the_wrong_size_is_an_error_not_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let (result, mut visuals) = full();
    visuals.disagreements.as_mut().unwrap().tiles[0].pixels.pop();
    let error = write(dir.path(), &result, &visuals, "").unwrap_err().to_string();
    assert!(error.contains("2x2x1 holds 3 bytes"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn many_classes_become_a_list_of_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let (result, mut visuals) = full();
    let mut counts = vec![vec![0; 30]; 30];
    counts[29][3] = 1234;
    visuals.confusions[0].counts = counts;
    let path = write(dir.path(), &result, &visuals, "").unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("taken for") && page.contains("1\u{202f}234"));
}

#[test]
fn paper_and_ours_stand_side_by_side_with_their_differences() {
    let (result, visuals) = full();
    let text = markdown::document(&result, &visuals);
    let line = text.lines().find(|l| l.starts_with("| student without augmentation, stochastic"));
    let ours = "no-noise | 91.83 | −3.63 [−5.05, −2.22]";
    let paper = "83.2 | −0.7 | 84.3 | −0.6 |";
    let line = line.expect("the row without noise");
    assert!(line.contains(ours) && line.ends_with(paper), "{line}");
    assert!(text.contains("other data and other models"));
    assert!(text.contains("> a \\| note"));
}

#[test]
fn the_terminals_table_is_aligned() {
    let text = terminal::table(&run(&[90.0, 91.0], &[94.0, 96.0]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "model      test accuracy, %    95 % interval      per seed");
    assert_eq!(lines[1], "teacher               90.50   [84.15, 96.85]  90.00  91.00");
    assert!(text.contains("No difference shown. Test accuracy:"), "{text}");
    assert!(text.ends_with("note: a | note\n"), "{text}");
}

#[test]
fn rows_that_lack_the_lead_metric_are_shown_all_the_same() {
    let mut result = run(&[90.0, 91.0], &[94.0, 96.0]);
    let validation =
        |name: &str, v: f64| Row::new(name, "validation accuracy", vec![v, v + 1.0]).unwrap();
    result.rows.push(validation("student 2", 97.0));
    result.rows.push(validation("no-noise", 88.0).group(Group::Ablation));
    let text = terminal::table(&result);
    let line = |name: &str| text.lines().find(|l| l.starts_with(name)).unwrap_or_default();
    assert!(line("student 2").ends_with("97.50 [91.15, 103.85]"), "{text}");
    assert!(line("no-noise").contains("88.50"), "{text}");
    let page = super::html::page(&result, &Visuals::default(), "").unwrap();
    assert!(page.contains("97.50 [91.15, 103.85]") && page.contains("no-noise"));
}
