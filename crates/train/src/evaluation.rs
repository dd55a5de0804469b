//! The metrics of an evaluation in JSON, where NaN and the infinities become `null`.

use metrics::{Better, Metric};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    unit: String,
    value: Option<f64>,
    better: Better,
}

pub(crate) fn serialize<S: Serializer>(metrics: &[Metric], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(metrics.iter().map(|m| Stored {
        name: m.name.clone(),
        unit: m.unit.clone(),
        value: m.value.is_finite().then_some(m.value),
        better: m.better,
    }))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Metric>, D::Error> {
    let stored = Vec::<Stored>::deserialize(from)?.into_iter();
    let metric = |Stored { name, unit, value, better }| Metric {
        name,
        unit,
        value: value.unwrap_or(f64::NAN),
        better,
    };
    Ok(stored.map(metric).collect())
}
