//! What IMDS says of the instance's future: spot interruption, rebalance recommendation, scheduled events.
//!
//! Each body is read strictly: one that cannot be understood is an error, and never means that nothing is announced.

use quorate_core::observation::{EventCode, EventState, ScheduledEvent, SpotAction, SpotNotice};
use quorate_core::text::printable;
use quorate_core::time::Timestamp;
use serde::Deserialize;

/// Longer than any id or code of an event.
const LONGEST_ID: usize = 80;

/// `spot/instance-action`: `{"action": "terminate", "time": "2017-09-18T08:22:00Z"}`.
#[derive(Deserialize)]
struct InstanceAction {
    action: String,
    time: String,
}

/// `events/recommendations/rebalance`: `{"noticeTime": "2020-10-27T08:22:00Z"}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recommendation {
    notice_time: String,
}

/// One of `events/maintenance/scheduled`. `NotAfter` may be absent.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    code: String,
    event_id: String,
    state: String,
    not_before: String,
    not_after: Option<String>,
    not_before_deadline: Option<String>,
}

/// Reads a spot interruption notice.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with "an answer".
pub(super) fn spot(text: &str) -> Result<SpotNotice, String> {
    let action: InstanceAction = json(text, "spot instance action")?;
    Ok(SpotNotice { action: SpotAction::parse(&action.action), at: instant("time", &action.time)? })
}

/// Reads a rebalance recommendation: when it was given.
///
/// # Errors
/// As for [`spot`].
pub(super) fn rebalance(text: &str) -> Result<Timestamp, String> {
    let recommendation: Recommendation = json(text, "rebalance recommendation")?;
    instant("noticeTime", &recommendation.notice_time)
}

/// Reads the scheduled events, of which there may be none.
///
/// # Errors
/// As for [`spot`]: one event that cannot be understood fails the whole list, because it may be the one that matters.
pub(super) fn scheduled(text: &str) -> Result<Vec<ScheduledEvent>, String> {
    let events: Vec<Event> = json(text, "list of scheduled events")?;
    events.into_iter().map(event).collect()
}

fn event(event: Event) -> Result<ScheduledEvent, String> {
    let optional = |key, text: Option<String>| text.filter(|text| !text.is_empty()).map(|text| date(key, &text)).transpose();
    Ok(ScheduledEvent {
        id: printable(&event.event_id, LONGEST_ID).as_str().into(),
        code: EventCode::parse(&printable(&event.code, LONGEST_ID)),
        state: EventState::parse(&event.state),
        not_before: date("NotBefore", &event.not_before)?,
        not_after: optional("NotAfter", event.not_after)?,
        not_before_deadline: optional("NotBeforeDeadline", event.not_before_deadline)?,
    })
}

fn json<'a, T: Deserialize<'a>>(text: &'a str, what: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("that is no {what} ({error})"))
}

fn instant(key: &str, text: &str) -> Result<Timestamp, String> {
    let time: Option<jiff::Timestamp> = text.parse().ok();
    time.and_then(since_epoch).ok_or_else(|| format!("with the {key} {text:?}, which is no time since 1970"))
}

/// `21 Jan 2019 09:00:43 GMT`.
fn date(key: &str, text: &str) -> Result<Timestamp, String> {
    let civil = jiff::civil::DateTime::strptime("%d %b %Y %H:%M:%S GMT", text).ok();
    let time = civil.and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC).ok()).map(|zoned| zoned.timestamp());
    let refusal = || format!("with the {key} {text:?}, which is no date such as \"21 Jan 2019 09:00:43 GMT\"");
    time.and_then(since_epoch).ok_or_else(refusal)
}

fn since_epoch(time: jiff::Timestamp) -> Option<Timestamp> {
    u64::try_from(time.as_millisecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in EC2's user guide.
    const REAL: &str = r#"[
      {
        "NotBefore" : "21 Jan 2019 09:00:43 GMT",
        "Code" : "system-reboot",
        "Description" : "scheduled reboot",
        "EventId" : "instance-event-0d59937288b749b32",
        "NotAfter" : "21 Jan 2019 09:17:23 GMT",
        "State" : "active"
      },
      {
        "NotBefore" : "5 Nov 2026 00:00:00 GMT",
        "Code" : "instance-retirement",
        "Description" : "[Canceled] The instance is running on degraded hardware",
        "EventId" : "instance-event-1",
        "State" : "canceled",
        "NotBeforeDeadline" : "09 Nov 2026 00:00:00 GMT"
      }
    ]"#;

    #[test]
    fn a_spot_notice_is_read() {
        let read = |action: &str| spot(&format!(r#"{{"action": "{action}", "time": "2017-09-18T08:22:00Z"}}"#)).unwrap();
        assert_eq!(read("terminate"), SpotNotice { action: SpotAction::Terminate, at: Timestamp(1_505_722_920_000) });
        assert_eq!(read("stop").action, SpotAction::Stop);
        assert_eq!(read("hibernate").action, SpotAction::Hibernate);
        assert_eq!(read("of-the-future").action, SpotAction::Other);
    }

    #[test]
    fn a_recommendation_is_read() {
        assert_eq!(rebalance(r#"{"noticeTime": "2020-10-27T08:22:00Z"}"#).unwrap(), Timestamp(1_603_786_920_000));
    }

    #[test]
    fn scheduled_events_are_read_and_what_is_open_is_none() {
        let events = scheduled(REAL).unwrap();
        let [reboot, retirement] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((&reboot.code, reboot.state), (&EventCode::SystemReboot, EventState::Active));
        assert_eq!(reboot.not_before, Timestamp(1_548_061_243_000));
        assert_eq!(reboot.not_after, Some(Timestamp(1_548_062_243_000)));
        assert_eq!((&retirement.code, retirement.state), (&EventCode::InstanceRetirement, EventState::Canceled));
        assert_eq!((retirement.not_after, retirement.not_before_deadline.is_some()), (None, true));
        assert_eq!(scheduled("[]").unwrap(), []);
    }

    #[test]
    fn what_cannot_be_understood_is_named_with_its_value() {
        let error = spot(r#"{"action": "stop", "time": "soon"}"#).unwrap_err();
        assert!(error.contains("the time \"soon\""), "{error}");
        let error = scheduled(&REAL.replace("21 Jan 2019 09:00:43 GMT", "2019-01-21T09:00:43Z")).unwrap_err();
        assert!(error.contains("the NotBefore \"2019-01-21T09:00:43Z\""), "{error}");
        assert!(rebalance("{}").unwrap_err().contains("no rebalance recommendation (missing field `noticeTime`"));
    }

    #[test]
    fn a_body_that_broke_off_is_no_notice() {
        for end in 0..REAL.len() {
            assert!(scheduled(&REAL[..end]).unwrap_err().contains("no list of scheduled events"), "cut at {end}");
        }
        for text in ["", "<html>captive portal</html>", "null", "[]", r#"{"action":"terminate"}"#] {
            assert!(spot(text).is_err() && rebalance(text).is_err(), "{text}");
        }
    }
}
