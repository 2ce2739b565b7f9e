//! The table as people and programs read it.

use std::time::Duration;

use serde::Serializer;

use super::{Lost, Row};

const HEAD: &str = "\
| Scenario | What failed | How it came back | Writes after | Settled after | Revision restored | Lost writes |
|---|---|---|---:|---:|---:|---:|
";

/// What is not measured in a row.
const NOTHING: &str = "–";

pub(super) fn markdown(rows: &[&Row]) -> String {
    let lines: String = rows.iter().map(|row| line(row)).collect();
    format!("{HEAD}{lines}")
}

fn line(row: &Row) -> String {
    let cell = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let Row { scenario, failed, came_back, .. } = row;
    let (writes, settled) = (cell(row.writes_after.map(seconds)), cell(row.settled_after.map(seconds)));
    let revision = cell(row.revision.map(|revision| revision.to_string()));
    let lost = cell(row.lost.map(|Lost { lost, acknowledged }| format!("{lost} of {acknowledged}")));
    format!("| {scenario} | {failed} | {came_back} | {writes} | {settled} | {revision} | {lost} |\n")
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

pub(super) fn ms<S: Serializer>(took: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match took {
        Some(took) => to.serialize_some(&took.as_millis()),
        None => to.serialize_none(),
    }
}
