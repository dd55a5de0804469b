//! The page and the Markdown.

use metrics::Confusion;
use report::*;

use crate::samples::{full, intervals, matrices, perplexities, plot, run, tile};

fn report<'a>(result: &'a RunResult, sections: &'a [Section]) -> Report<'a> {
    Report { result, sections, recipe_toml: "" }
}

#[test]
fn the_mark_of_a_finished_run_is_written_last() {
    let (result, sections) = full();
    // A folder in the place of a file stands for a process that dies while writing it.
    for (fails, before) in [
        ("report.md", vec![]),
        ("report.html", vec!["report.md"]),
        ("result.json", vec!["report.html", "report.md"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(fails)).unwrap();
        let error = write(dir.path(), &report(&result, &sections)).unwrap_err().to_string();
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
        write(dir.path(), &report(&result, &sections)).unwrap();
        assert_eq!(RunResult::load(dir.path()).unwrap(), result);
    }
}

#[test]
fn the_page_stands_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (result, sections) = full();
    let recipe_toml = "labels = 100 # <all>";
    let report = Report { result: &result, sections: &sections, recipe_toml };
    let path = write(dir.path(), &report).unwrap();
    assert_eq!(path, dir.path().join("report.html"));
    let page = std::fs::read_to_string(path).unwrap();
    for outside in ["http:", "https:", "src=\"/", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "the page reaches outside: {outside}");
    }
    let place = |id: &str| page.find(&format!("<section id=\"{id}\">"));
    let order =
        ["results", "differences", "paper", "tables", "plots", "pictures", "provenance"].map(place);
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}");
    assert!(page.contains("data:image/png;base64,"));
    assert!(page.contains("a &lt;small&gt; run") && page.contains("# &lt;all&gt;"));
    assert!(page.contains("wide is 4.2 points better than plain"));
    assert_eq!(page.matches("a | note").count(), 1, "a note is shown once");
}

#[test]
fn a_page_without_sections_has_no_empty_ones() {
    let result = run(&[90.0], &[91.0]);
    let page = page(&report(&result, &[])).unwrap();
    assert_eq!(page.matches("<section").count(), 3, "results, differences, provenance");
    assert!(!page.contains("NaN") && !page.contains("<details"));
}

#[test]
fn provenance_has_the_data_in_full_and_a_command_for_a_shell() {
    let mut result = run(&[90.0], &[91.0]);
    result.data = "20 images; 4 files left out".into();
    result.data_in_full = vec!["20 images".into(), "4 files left out: /a, /b".into()];
    result.command = ["tutor", "run", "--out", "r uns", "Ann's"].map(Into::into).into();
    (result.threads, result.machine) = (1, Some("cpu (A Processor, 1 thread)".into()));
    let page = page(&report(&result, &[])).unwrap();
    assert_eq!(page.matches("4 files left out").count(), 2);
    assert_eq!(page.matches("/a, /b").count(), 1);
    assert!(page.contains("<td>cpu (A Processor, 1 thread)</td>"), "{page}");
    let text = markdown(&report(&result, &[])).unwrap();
    assert!(text.contains("| data | 20 images; 4 files left out: /a, /b |"), "{text}");
    assert!(text.contains("| peak memory of the GPU | 3.22 GB |"), "{text}");
    assert!(text.contains(r"| command | tutor run --out 'r uns' 'Ann'\\''s' |"), "{text}");
    (result.threads, result.machine) = (2, Some("cuda:0 (A GPU, 9 GiB)".into()));
    result.device = "cuda:0".into();
    let text = markdown(&report(&result, &[])).unwrap();
    assert!(text.contains("| device | cuda:0 (A GPU, 9 GiB), 2 threads |"), "{text}");
}

#[test]
fn blocks_at_odds_with_themselves_are_errors_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (result, _) = full();
    let refused = |block: Block| {
        let sections = [Section::new("part", "Part").with(block)];
        let error = write(dir.path(), &report(&result, &sections)).unwrap_err();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is written");
        format!("{error:#}")
    };
    let mut short = tile();
    short.picture.pixels.pop();
    assert_eq!(
        refused(Block::Tiles(vec![short])),
        "section `part`: a picture of 2x2x1 holds 3 bytes"
    );
    let mut uneven = Table::new(["a", "b"]);
    uneven.rows.push(vec!["1".into()]);
    assert!(refused(Block::Table(uneven)).contains("1 cells, 2 columns"));
    let mut wild = plot();
    wild.lines[0].points[0].x = 7.0;
    assert!(refused(Block::Plot(wild)).contains("none of its 2 categories"));
    let mut short = intervals();
    short.rows[1].values.pop();
    assert!(refused(Block::Intervals(short)).contains("`second` has 1 values, not 2"));
    let mut wild = intervals();
    wild.rows[0].values[0] = Some(Measured { value: f64::NAN, interval: None });
    assert!(refused(Block::Intervals(wild)).contains("a value of `<first>` is not finite"));
    let figure = Figure {
        title: "t".into(),
        about: String::new(),
        alt: "a".into(),
        png: b"GIF89a".to_vec(),
        wide: true,
    };
    assert!(refused(Block::Figures(vec![figure])).contains("no PNG"));
    for id in ["results", "Upper", ""] {
        let error = markdown(&report(&result, &[Section::new(id, "Part")])).unwrap_err();
        assert!(error.to_string().contains(id), "{error}");
    }
}

#[test]
fn a_document_has_sections_and_nothing_of_a_run() {
    let sections = [
        Section::new("results", "Results").with(Block::Text("Of *five*.".into())),
        Section::new("plot", "A plot").with(Block::Intervals(intervals())),
    ];
    let notes = ["few & far".to_owned()];
    let document =
        Document { title: "A <study>", about: "done", notes: &notes, sections: &sections };
    let page = document_page(&document).unwrap();
    assert!(page.contains("<h1>A &lt;study&gt;</h1>") && page.contains("few &amp; far"));
    assert!(page.contains("&lt;first&gt;") && !page.contains("provenance"));
    // Two values, one of them with an interval; the axis goes from 190 to 614.
    assert_eq!(
        (page.matches("<circle").count(), page.matches("stroke-width=\"7\"").count()),
        (3, 1)
    );
    assert!(page.contains("cx=\"402.0\""), "the middle of the axis: {page}");
    let text = document_markdown(&document).unwrap();
    assert_eq!(text, "# A \\<study>\n\ndone\n\n> few & far\n\n## Results\n\nOf \\*five\\*.\n");
    let twice = [sections[0].clone(), sections[0].clone()];
    let error = document_page(&Document { sections: &twice, ..document }).unwrap_err();
    assert!(error.to_string().contains("`results` is taken"), "{error}");
}

#[test]
fn many_classes_become_a_list_of_mistakes() {
    let (result, _) = full();
    let mut many = matrices();
    many.matrices[0].confusion = Confusion::new(30);
    (0..1234).for_each(|_| many.matrices[0].confusion.add(29, 3));
    let sections = [Section::new("confusion", "Confusion").with(Block::Matrices(many))];
    let page = page(&report(&result, &sections)).unwrap();
    assert!(page.contains("taken for") && page.contains("1\u{202f}234"));
}

#[test]
fn paper_and_ours_stand_side_by_side_with_their_differences() {
    let (result, sections) = full();
    let text = markdown(&report(&result, &sections)).unwrap();
    let line = text.lines().find(|l| l.starts_with("| Wide Net without noise"));
    let ours = "no-noise | 91.83 | −3.63 [−5.05, −2.22]";
    let paper = "83.2 | −0.7 | 84.3 | −0.6 |";
    let line = line.expect("the row without noise");
    assert!(line.contains(ours) && line.ends_with(paper), "{line}");
    assert!(text.contains("other data and other models") && text.contains("A paper, table 6"));
    assert!(text.contains("> a \\| note"));
}

#[test]
fn a_paper_without_a_whole_method_has_no_differences_to_it() {
    let (mut result, _) = full();
    result.paper_reference.retain(|p| p.role == Role::Baseline);
    let text = markdown(&report(&result, &[])).unwrap();
    assert!(text.contains("83.3 | 84 |") && !text.contains("to the method"), "{text}");
}

#[test]
fn markdown_has_the_tables_and_texts_of_sections() {
    let (result, sections) = full();
    let text = markdown(&report(&result, &sections)).unwrap();
    assert!(text.contains("\n## Tables\n\nCounted \\* twice.\n\n| class | count |\n"), "{text}");
    // Which pictures there are, and what stands below them.
    assert!(text.contains("\n## Pictures\n\n- an image: cat 50 %, dog 50 %\n"), "{text}");
    for picture in ["Only a picture", "how to read it", "## Plots"] {
        assert!(!text.contains(picture), "{picture} has no table and no text");
    }
}

#[test]
fn validation_numbers_are_not_said_to_be_of_a_test_part() {
    let mut result = run(&[90.0], &[95.0]);
    result.rows.iter_mut().for_each(|r| r.metric = "validation accuracy".into());
    result.comparisons[0].metric = "validation accuracy".into();
    let page = page(&report(&result, &[])).unwrap();
    let text = markdown(&report(&result, &[])).unwrap();
    for said in [&page, &text] {
        assert!(
            said.contains("95 % interval from the size of the validation part alone"),
            "{said}"
        );
        assert!(!said.contains("test part") && !said.contains("test set"), "{said}");
    }
}

#[test]
fn a_lower_perplexity_is_drawn_and_coloured_as_a_gain() {
    let strip = |result: &RunResult| {
        let page = page(&report(result, &[])).unwrap();
        let from = page.find("<section id=\"differences\">").unwrap();
        let to = page.find("<section id=\"provenance\">").unwrap();
        page[from..to].to_owned()
    };
    let (blue, orange) = ("fill=\"#2563B8\"", "fill=\"#C2571A\"");
    let gain = strip(&perplexities(&[17.0, 17.5, 17.2], &[10.2, 10.4, 10.5]));
    assert!(gain.contains(blue) && !gain.contains(orange) && gain.contains("−6.867"), "{gain}");
    assert!(gain.contains("test perplexity (less is better)"), "{gain}");
    let loss = strip(&perplexities(&[10.2, 10.4, 10.5], &[17.0, 17.5, 17.2]));
    assert!(loss.contains(orange) && !loss.contains(blue) && loss.contains("+6.867"), "{loss}");
}

#[test]
fn a_baseline_takes_no_colour_from_the_rows() {
    let mut result = run(&[90.0], &[94.0]);
    let always = Row::new("always", "test accuracy", vec![60.0]).unwrap().examples(360);
    result.rows.push(always.group("Models").baseline());
    let page = page(&report(&result, &[])).unwrap();
    let row = |name: &str| {
        let from = page.find(&format!(">{name}</td>")).expect(name);
        page[from..][..page[from..].find("</tr>").unwrap()].to_owned()
    };
    for (name, colour) in [("plain", "#C2571A"), ("wide", "#2563B8"), ("always", "#5A6270")] {
        assert!(row(name).contains(&format!("fill=\"{colour}\"")), "{}", row(name));
    }
}

#[test]
fn rows_that_lack_the_lead_metric_are_shown_all_the_same() {
    let mut result = run(&[90.0, 91.0], &[94.0, 96.0]);
    let validation =
        |name: &str, v: f64| Row::new(name, "validation accuracy", vec![v, v + 1.0]).unwrap();
    result.rows.push(validation("deep", 97.0).group("Models"));
    result.rows.push(validation("no-noise", 88.0).group("Further rows"));
    let text = terminal(&result);
    let line = |name: &str| text.lines().find(|l| l.starts_with(name)).unwrap_or_default();
    assert!(line("deep").ends_with("97.50 [91.15, 103.85]"), "{text}");
    assert!(line("no-noise").contains("88.50"), "{text}");
    let page = page(&report(&result, &[])).unwrap();
    assert!(page.contains("97.50 [91.15, 103.85]") && page.contains("<h3>Further rows</h3>"));
}
