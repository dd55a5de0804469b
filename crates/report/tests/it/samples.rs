//! Runs and sections to test with.

use metrics::{Better, Confusion};
use report::*;

/// The name of the headline's comparison.
pub(crate) const GAIN: &str = "gain";

/// A run of two models with these accuracies, seed by seed.
pub(crate) fn run(first: &[f64], last: &[f64]) -> RunResult {
    let row = |name: &str, v: &[f64]| {
        let row = Row::new(name, "test accuracy", v.to_vec()).expect("finite values");
        row.group("Models").examples(360)
    };
    let rows = vec![row("plain", first), row("wide", last)];
    let comparisons = vec![Comparison::between(GAIN, &rows[1], &rows[0]).expect("the same seeds")];
    RunResult {
        paper: "nets".into(),
        row: "digits".into(),
        about: "a <small> run".into(),
        data: "20 images".into(),
        command: vec!["tutor".into(), "run".into()],
        started: "2026-01-02T03:04:05Z".into(),
        device: "cpu".into(),
        threads: 1,
        seeds: (1..=first.len() as u64).collect(),
        rows,
        comparisons,
        headline: Some(GAIN.into()),
        cost: Cost {
            wall_s: 3.0,
            peak_rss_bytes: 7,
            peak_gpu_bytes: Some(3 << 30),
            throughput: 5200.4,
            unit: "training images".into(),
            flops: Some(1_234_000_000_000_000),
        },
        notes: vec!["a | note".into(), "a | note".into()],
        ..RunResult::default()
    }
}

/// A run of two models with these perplexities, of which less is better.
pub(crate) fn perplexities(first: &[f64], last: &[f64]) -> RunResult {
    let row = |name: &str, v: &[f64]| {
        let row = Row::new(name, "test perplexity", v.to_vec()).expect("finite values");
        row.unit("").better(Better::Lower)
    };
    let rows = vec![row("plain", first), row("wide", last)];
    let comparisons = vec![Comparison::between(GAIN, &rows[1], &rows[0]).expect("the same seeds")];
    RunResult { rows, comparisons, ..run(first, last) }
}

/// What a paper says of [`full`].
pub(crate) fn paper() -> Vec<PaperRow> {
    let row = |name: &str, ours: Option<&str>, role, setting: &str, value| PaperRow {
        name: name.into(),
        ours: ours.map(Into::into),
        role,
        setting: setting.into(),
        metric: "top-1 accuracy".into(),
        value,
        unit: "%".into(),
        source: "A paper, table 6".into(),
    };
    let of = |setting, [a, b, c]: [f64; 3]| {
        [
            row("Net", Some("plain"), Role::Baseline, setting, a),
            row("Wide Net", Some("wide"), Role::Method, setting, b),
            row("Wide Net without noise", Some("no-noise"), Role::Ablation, setting, c),
        ]
    };
    [of("ImageNet, 1.3M", [83.3, 83.9, 83.2]), of("ImageNet, 130M", [84.0, 84.9, 84.3])].concat()
}

/// A PNG of one pixel, as far as its signature goes.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The run with every optional part, and a section of every block.
pub(crate) fn full() -> (RunResult, Vec<Section>) {
    let mut result = run(&[91.0, 92.1, 90.7], &[95.0, 96.3, 95.1]);
    let ablated = Row::new("no-noise", "test accuracy", vec![92.0, 92.5, 91.0]);
    result.rows.push(ablated.expect("finite values").group("Further rows"));
    result.paper_reference = paper();
    result.details.insert("corruption".into(), serde_json::json!({ "noise": [90.0, 80.0] }));
    let sections = vec![
        Section::new("tables", "Tables")
            .with(Block::Text("Counted * twice.".into()))
            .with(Block::Table(counts()))
            .with(Block::Heading("Only a picture".into()))
            .with(Block::Caption("how to read it".into()))
            .with(Block::Plot(plot())),
        Section::new("plots", "Plots")
            .with(Block::Curves(curves()))
            .with(Block::Panels(vec![plot(), plot()]))
            .with(Block::Bars(vec![bars()])),
        Section::new("pictures", "Pictures")
            .with(Block::Matrices(matrices()))
            .with(Block::Figures(vec![figure(false), figure(true)]))
            .with(Block::Key(vec!["plain".into(), "wide".into()]))
            .with(Block::Tiles(vec![tile()])),
    ];
    (result, sections)
}

fn counts() -> Table {
    let mut table = Table::new(["class", "count"]);
    table.rows = vec![vec!["cat".into(), "3".into()], vec!["sum".into(), "3".into()]];
    table.summary = true;
    table
}

/// Two rows of two series, with one interval and one gap.
pub(crate) fn intervals() -> IntervalPlot {
    let dot = |value| Some(Measured { value, interval: None });
    let row = |name: &str, values| IntervalRow { name: name.into(), values };
    IntervalPlot {
        title: "Shares".into(),
        label: "share, %".into(),
        span: [0.0, 100.0],
        series: vec!["a".into(), "b".into()],
        rows: vec![
            row(
                "<first>",
                vec![Some(Measured { value: 50.0, interval: Some([40.0, 60.0]) }), None],
            ),
            row("second", vec![dot(0.0), dot(100.0)]),
        ],
    }
}

/// Two lines over two numbers.
pub(crate) fn plot() -> LinePlot {
    let points = [("plain", 10, &[50.0, 60.0][..]), ("wide", 10, &[70.0]), ("wide", 100, &[90.0])];
    LinePlot::over_categories("Growth", "labels", "accuracy, %", points).expect("two numbers")
}

fn curves() -> Curves {
    let point = |step, value| CurvePoint { step, loss: Some(1.0), value: Some(value) };
    let curve = |name: &str, seed| Curve {
        name: name.into(),
        seed,
        points: vec![point(0, 10.0), point(10, 90.0)],
    };
    let curves = vec![curve("plain", 1), curve("plain", 2), curve("wide", 1)];
    Curves::new("Validation accuracy", "%", curves)
}

fn bars() -> BarChart {
    let bar = |name: &str, solid, whole| Bar { name: name.into(), solid, whole };
    BarChart {
        title: "Classes".into(),
        about: "seed 1".into(),
        parts: ["kept".into(), "used".into()],
        bars: vec![bar("cat", 30, 50), bar("dog", 50, 50)],
    }
}

/// Two matrices of two classes.
pub(crate) fn matrices() -> Matrices {
    let matrix = |title: &str| {
        let mut confusion = Confusion::new(2);
        [(0, 0), (0, 1), (1, 1)].into_iter().for_each(|(t, p)| confusion.add(t, p));
        Matrix { title: title.into(), about: "test part".into(), confusion }
    };
    Matrices { classes: vec!["cat".into()], matrices: vec![matrix("plain"), matrix("wide")] }
}

fn figure(wide: bool) -> Figure {
    Figure {
        title: "A film".into(),
        about: "over steps".into(),
        alt: "a film".into(),
        png: PNG.to_vec(),
        wide,
    }
}

/// A picture of 2 x 2 grey pixels with two lines.
pub(crate) fn tile() -> Tile {
    let picture = Picture { pixels: vec![0, 80, 160, 255], height: 2, width: 2, channels: 1 };
    let line = |text: &str, colour, mark| TileLine {
        text: text.into(),
        value: "50 %".into(),
        colour,
        mark,
    };
    let lines = vec![
        line("cat", TileColour::First, Mark::Wrong),
        line("dog", TileColour::Last, Mark::Right),
    ];
    Tile { picture, alt: "an image".into(), lines }
}
