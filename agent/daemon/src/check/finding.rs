//! What a check found, for people and for programs.

use std::fmt;

use serde::Serialize;

/// How bad it is, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not checked; what was found says why.
    Skipped,
    /// It works, but not as well or as safely as it could.
    Warning,
    /// The agent cannot do its work, or part of it, like this.
    Problem,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked, such as `tag quorate:cluster`.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What was found, with the value.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: Verdict::Ok, found: found.into(), remedy: None }
    }

    pub(super) fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: Verdict::Skipped, found: why.into(), remedy: None }
    }

    pub(super) fn warning(name: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: Verdict::Warning, found: found.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn problem(name: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name: name.into(), verdict: Verdict::Problem, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The worst of all verdicts; a skipped check is not bad in itself.
    pub verdict: Verdict,
    /// In the order of their subjects.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn of(findings: Vec<Finding>) -> Self {
        let bad = findings.iter().map(|finding| finding.verdict).filter(|verdict| *verdict >= Verdict::Warning);
        Self { verdict: bad.max().unwrap_or(Verdict::Ok), findings }
    }

    /// Whether there is no problem and, if `strict`, no warning either.
    #[must_use]
    pub fn passes(&self, strict: bool) -> bool {
        self.verdict < if strict { Verdict::Warning } else { Verdict::Problem }
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Problem => "problem",
        })
    }
}

/// Aligned lines; the remedy is indented below its finding.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.findings.iter().map(|finding| finding.name.chars().count()).max().unwrap_or_default();
        for Finding { name, verdict, found, remedy } in &self.findings {
            writeln!(f, "{verdict:<8} {name:<width$}  {found}")?;
            if let Some(remedy) = remedy {
                writeln!(f, "{:8} {:width$}  -> {remedy}", "", "")?;
            }
        }
        let [problems, warnings, skipped] = [Verdict::Problem, Verdict::Warning, Verdict::Skipped].map(|verdict| self.count(verdict));
        write!(f, "{} checked: problems {problems}, warnings {warnings}, skipped {skipped}", self.findings.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Finding> {
        vec![Finding::ok("a", "well"), Finding::skipped("long name", "no bus"), Finding::warning("b", "slow", "use a faster disk")]
    }

    #[test]
    fn only_a_problem_fails_unless_one_is_strict() {
        let report = |findings| Report::of(findings);
        let worse = [all(), vec![Finding::problem("c", "denied", "allow it")]].concat();
        let expected = [(vec![Finding::skipped("a", "x")], true, true), (all(), true, false), (worse, false, false)];
        for (findings, passes, strictly) in expected {
            let report = report(findings);
            assert_eq!((report.passes(false), report.passes(true)), (passes, strictly), "{report}");
        }
    }

    #[test]
    fn lines_are_aligned_and_a_remedy_stands_below() {
        let text = Report::of(all()).to_string();
        let expected = "ok       a          well\nskipped  long name  no bus\nwarning  b          slow\n                    -> use a faster disk\n\
                        3 checked: problems 0, warnings 1, skipped 1";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_program_reads_the_same() {
        let json = serde_json::to_value(Report::of(all())).unwrap();
        assert_eq!(json["verdict"], "warning");
        assert_eq!(
            json["findings"][2],
            serde_json::json!({"name": "b", "verdict": "warning", "found": "slow", "remedy": "use a faster disk"})
        );
        assert_eq!(json["findings"][0].get("remedy"), None);
    }
}
