//! Limits reports of the same problem in each cycle: it is reported at the change, and then at growing intervals with a count. Hours of it make a few lines,
//! but never none.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use quorate_core::time::Timestamp;

/// It is reported again after this, and then after four times as long each time.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);

/// What has not occurred for this long is over: if it comes back, it is news.
const OVER: Duration = Duration::from_secs(2 * 3600);

/// The most problems remembered at a time.
const MOST: usize = 64;

/// What was reported, by subject.
#[derive(Debug, Default)]
pub struct Repeats(BTreeMap<String, Trouble>);

#[derive(Debug)]
struct Trouble {
    message: String,
    since: Timestamp,
    last: Timestamp,
    told: Timestamp,
    pause: Duration,
    times: u32,
}

/// What a line says about earlier ones: nothing the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again(Option<(u32, Duration)>);

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some((times, span)) if span.as_secs() < 180 => write!(f, " (still, {times} times in {} s)", span.as_secs()),
            Some((times, span)) => write!(f, " (still, {times} times in {} min)", span.as_secs() / 60),
        }
    }
}

impl Repeats {
    /// Whether a problem `of` a subject should be reported now. Numbers in its message may differ: how long something has lasted is not news.
    pub fn news(&mut self, of: &str, message: &str, now: Timestamp) -> Option<Again> {
        self.0.retain(|_, trouble| now.since(trouble.last) < OVER);
        let message = without_numbers(message);
        let Some(known) = self.0.get_mut(of).filter(|known| known.message == message) else {
            self.make_room();
            self.0.insert(of.to_owned(), Trouble { message, since: now, last: now, told: now, pause: FIRST, times: 1 });
            return Some(Again(None));
        };
        known.last = now;
        known.times = known.times.saturating_add(1);
        if now.since(known.told) < known.pause {
            return None;
        }
        (known.told, known.pause) = (now, (known.pause * 4).min(LONGEST));
        Some(Again(Some((known.times, now.since(known.since)))))
    }

    /// It is over.
    pub fn over(&mut self, of: &str) {
        self.0.remove(of);
    }

    fn make_room(&mut self) {
        if self.0.len() >= MOST
            && let Some(oldest) = self.0.iter().min_by_key(|(_, trouble)| trouble.last).map(|(of, _)| of.clone())
        {
            self.0.remove(&oldest);
        }
    }
}

fn without_numbers(message: &str) -> String {
    message.chars().filter(|character| !character.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp(second * 1000)
    }

    #[test]
    fn the_same_trouble_is_told_at_growing_intervals_with_a_count() {
        let mut repeats = Repeats::default();
        let told: Vec<(u64, String)> = (0..6000)
            .filter_map(|second| Some((second, repeats.news("imds", &format!("no answer for {second} s"), at(second))?.to_string())))
            .collect();
        let expected = [
            (0, ""),
            (60, " (still, 61 times in 60 s)"),
            (300, " (still, 301 times in 5 min)"),
            (1260, " (still, 1261 times in 21 min)"),
            (4860, " (still, 4861 times in 81 min)"),
        ];
        assert_eq!(told, expected.map(|(second, message)| (second, message.to_owned())));
    }

    #[test]
    fn another_trouble_or_one_that_comes_back_is_news() {
        let mut repeats = Repeats::default();
        assert!(repeats.news("imds", "no route", at(0)).is_some() && repeats.news("imds", "no route", at(1)).is_none());
        assert_eq!(repeats.news("imds", "refused", at(2)), Some(Again(None)));
        assert_eq!(repeats.news("ec2", "refused", at(2)), Some(Again(None)), "another source has its own count");
        repeats.over("imds");
        assert_eq!(repeats.news("imds", "refused", at(3)), Some(Again(None)));
        assert_eq!(repeats.news("imds", "refused", at(8000)), Some(Again(None)), "hours lie between");
        assert!((0..1000).all(|n| repeats.news(&format!("of {n}"), "x", at(8001)).is_some()));
        assert!(repeats.0.len() <= MOST);
    }
}
