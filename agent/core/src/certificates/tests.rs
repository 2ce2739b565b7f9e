use super::*;
use crate::charter::{Origin, State};
use crate::ids::Generation;

const HOUR: u64 = 3_600_000;

fn authority(digit: char) -> AuthorityHash {
    digit.to_string().repeat(64).parse().unwrap()
}

fn week(authority: AuthorityHash) -> Certificates {
    Certificates { authority, not_before: Timestamp(HOUR), not_after: Timestamp(HOUR * 169) }
}

fn founding(founder: &'static str, authority: Option<AuthorityHash>) -> Record {
    Record {
        number: 1,
        previous: None,
        account: "123456789012".into(),
        region: "eu-central-1".into(),
        cluster: "prod".into(),
        generation: Generation(1),
        origin: Origin::Empty,
        state: State::Founding { founder: founder.into() },
        ever_established: None,
        etcd_cluster: None,
        voters: Vec::new(),
        ancestors: Vec::new(),
        transport: Transport::Tls,
        authority,
    }
}

fn due_of(record: &Record, claimed: bool, own: Option<Certificates>, hours: u64) -> Due {
    due(Some(record), claimed, &"i-1".into(), own.as_ref(), 0, Timestamp(HOUR * hours))
}

#[test]
fn certificates_are_renewed_at_half_their_life_or_a_little_earlier() {
    let all = week(authority('a'));
    assert_eq!(all.renewed_at(0), Timestamp(HOUR * 85));
    for spread in [1, 12_345_678, u64::MAX] {
        let at = all.renewed_at(spread);
        assert!(at < Timestamp(HOUR * 85) && at > Timestamp(HOUR * 68), "{at}");
    }
    let record = founding("i-2", Some(authority('a')));
    assert_eq!(due_of(&record, true, Some(all), 84), Due::Nothing(Some(Timestamp(HOUR * 85))));
    assert_eq!(due_of(&record, true, Some(all), 85), Due::Issue);
}

#[test]
fn only_the_founder_makes_the_authority_under_a_claim_that_the_store_shows() {
    assert_eq!(due_of(&founding("i-1", None), true, None, 1), Due::MakeAuthorityAndIssue);
    assert_eq!(due_of(&founding("i-1", None), false, None, 1), Due::Issue, "the store has not shown it");
    assert_eq!(due_of(&founding("i-2", None), true, None, 1), Due::Issue, "it is another's claim");
    assert_eq!(due_of(&founding("i-1", Some(authority('a'))), true, None, 1), Due::Issue, "the cluster has an authority");
    let plain = Record { transport: Transport::Plain, ..founding("i-1", None) };
    assert_eq!(due_of(&plain, true, None, 1), Due::Nothing(None));
    assert_eq!(due(None, true, &"i-1".into(), None, 0, Timestamp(HOUR)), Due::Nothing(None));
}

#[test]
fn certificates_of_another_authority_or_time_are_replaced() {
    let (a, b) = (authority('a'), authority('b'));
    assert_eq!(week(b).fit(Some(a), Timestamp(HOUR * 2)), Err(Unfit::OtherAuthority { own: b, charter: a }));
    assert_eq!(week(a).fit(Some(a), Timestamp(0)), Err(Unfit::NotYet { from: Timestamp(HOUR) }));
    assert_eq!(week(a).fit(None, Timestamp(HOUR * 169)), Err(Unfit::Ended { at: Timestamp(HOUR * 169) }));
    assert_eq!(week(a).fit(None, Timestamp(HOUR * 168)), Ok(()));
    let record = founding("i-2", Some(a));
    for (own, hours) in [(week(b), 2), (week(a), 0), (week(a), 1000)] {
        assert_eq!(due_of(&record, true, Some(own), hours), Due::Issue);
    }
}
