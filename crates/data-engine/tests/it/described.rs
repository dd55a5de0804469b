//! What is said of tables.

use data_engine::parts::write;
use data_engine::{Described, Engine, Options, describe};
use datafusion::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float64Array, Int64Array, NullArray, TimestampSecondArray, UInt64Array,
};
use datafusion::arrow::datatypes::Int32Type;
use std::path::Path;
use std::sync::Arc;

use crate::tables::table;

fn engine(partitions: usize) -> Engine {
    Engine::new(&Options { partitions, batch: 3, ..Options::default() }).expect("an engine")
}

fn described(table: &Path, partitions: usize) -> Vec<Described> {
    describe(&engine(partitions), &[table.to_owned()]).expect("described").columns
}

#[test]
fn tables_are_described() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = folder.path().join("t.parquet");
    let rows = [("a", "x", 0.25), ("b", "x", 0.75), ("c", "y", -f32::NAN), ("d", "y", f32::NAN)];
    write(&table, &rows).expect("written");
    for partitions in [1, 2, 16] {
        let found = describe(&engine(partitions), std::slice::from_ref(&table)).expect("described");
        assert_eq!(found.rows, 4);
        let [image, label, confidence] = &found.columns[..] else { panic!("{found:?}") };
        assert_eq!((image.distinct, image.nulls, image.nan), (Some(4), 0, None));
        assert_eq!((label.least.as_deref(), label.most.as_deref()), (Some("x"), Some("y")));
        assert_eq!((confidence.mean, confidence.least.as_deref()), (Some(0.5), Some("0.25")));
        assert_eq!(confidence.most.as_deref(), Some("0.75"));
        assert_eq!((confidence.distinct, confidence.nan), (Some(2), Some(2)));
    }
}

/// Of so many texts a sketch is some percent off.
#[test]
fn different_values_are_counted_exactly() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = folder.path().join("t.parquet");
    let ids: Vec<String> = (0..3000).map(|i| format!("{i}.png")).collect();
    let rows: Vec<(&str, &str, f32)> =
        ids.iter().map(|id| (id.as_str(), "x", (id.len() % 2) as f32)).collect();
    write(&table, &rows).expect("written");
    let found: Vec<_> = described(&table, 2).iter().map(|column| column.distinct).collect();
    assert_eq!(found, [Some(3000), Some(1), Some(2)]);
}

#[test]
fn columns_of_all_kinds_are_described() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.parquet");
    let names: DictionaryArray<Int32Type> = [Some("b"), None, Some("a")].into_iter().collect();
    let decimals = Decimal128Array::from(vec![150, 150, -5]).with_precision_and_scale(5, 2);
    let times = TimestampSecondArray::from(vec![Some(0), Some(60), None]);
    let binary: Vec<Option<&[u8]>> = vec![Some(b"a"), Some(b"\xff"), Some(b"a")];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("truth", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("day", Arc::new(Date32Array::from(vec![1, 3, 1]))),
        ("time", Arc::new(times.clone())),
        ("zone", Arc::new(times.with_timezone("+02:00"))),
        ("name", Arc::new(names)),
        ("decimal", Arc::new(decimals.expect("five digits"))),
        ("zero", Arc::new(Float64Array::from(vec![-0.0, 0.0, f64::NAN]))),
        ("large", Arc::new(Float64Array::from(vec![1e308; 3]))),
        ("infinite", Arc::new(Float64Array::from(vec![f64::INFINITY, 1.0, 2.0]))),
        ("whole", Arc::new(Int64Array::from(vec![Some(i64::MAX), Some(i64::MAX), None]))),
        ("natural", Arc::new(UInt64Array::from(vec![u64::MAX, 1, 1]))),
        ("binary", Arc::new(BinaryArray::from(binary))),
        ("nothing", Arc::new(NullArray::new(3))),
    ];
    table(&path, columns);
    let day = |n: &str| format!("1970-01-0{n}");
    let second = |n: &str| format!("1970-01-01T00:0{n}:00");
    let text = str::to_owned;
    let wanted = [
        ("truth", Some(2), Some([text("false"), text("true")]), None),
        ("day", Some(2), Some(["2", "4"].map(day)), None),
        ("time", Some(2), Some(["0", "1"].map(second)), None),
        ("zone", Some(2), Some(["0", "1"].map(|n| format!("{}Z", second(n)))), None),
        ("name", Some(2), Some(["a", "b"].map(text)), None),
        ("decimal", Some(2), Some(["-0.05", "1.50"].map(text)), Some(2.95 / 3.0)),
        ("zero", Some(1), Some(["-0.0", "0.0"].map(text)), Some(0.0)),
        ("large", Some(1), Some(["1e308", "1e308"].map(text)), Some(1e308)),
        ("infinite", Some(3), Some(["1.0", "inf"].map(text)), None),
        ("whole", Some(1), Some(["9223372036854775807"; 2].map(text)), Some(i64::MAX as f64)),
        ("natural", Some(2), Some(["1", "18446744073709551615"].map(text)), Some(6.1489146912e18)),
        ("binary", Some(2), None, None),
        ("nothing", None, None, None),
    ];
    for partitions in [1, 2] {
        let found = described(&path, partitions);
        assert_eq!(found.len(), wanted.len());
        for (found, (name, distinct, range, mean)) in found.iter().zip(&wanted) {
            assert_eq!((found.name.as_str(), found.distinct), (*name, *distinct), "{found:?}");
            let [least, most] = [0, 1].map(|i| range.as_ref().map(|range| range[i].clone()));
            assert_eq!((&found.least, &found.most), (&least, &most), "{name}");
            let near = |(a, b): (f64, f64)| (a - b).abs() <= 1e-9 * b.abs();
            let same = found.mean.zip(*mean).map_or(found.mean == *mean, near);
            assert!(same, "{name}: {:?}, not {mean:?}", found.mean);
        }
        let nan: Vec<_> = found.iter().filter_map(|column| column.nan).collect();
        assert_eq!(nan, [1, 0, 0]);
    }
}
