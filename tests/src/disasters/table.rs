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

#[cfg(test)]
mod tests {
    use super::super::Took;
    use super::*;

    #[test]
    fn a_row_tells_what_was_measured_and_what_was_not() {
        let bare = Row::new("D1d", "one of one", "it halts");
        let took = Took { writes: Duration::from_millis(5120), whole: Duration::from_secs(9) };
        let full = Row::new("D3a", "one of one", "restored").took(took).revision(207).lost(20, 120);
        let text = markdown(&[&bare, &full]);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines[0], "| D1d | one of one | it halts | – | – | – | – |");
        assert_eq!(lines[1], "| D3a | one of one | restored | 5.1 s | 9.0 s | 207 | 20 of 120 |");
        let (bare, full) = (serde_json::to_value(bare).unwrap(), serde_json::to_value(full).unwrap());
        assert_eq!((&bare["writes_after_ms"], &full["writes_after_ms"]), (&serde_json::Value::Null, &5120.into()));
    }
}
