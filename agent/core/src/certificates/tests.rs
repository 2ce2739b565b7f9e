use super::*;
use crate::charter::{Origin, State};
use crate::ids::Generation;
use crate::rotation::{Rotation, reloads};

const HOUR: u64 = 3_600_000;

fn authority(digit: char) -> AuthorityHash {
    digit.to_string().repeat(64).parse().unwrap()
}

fn week(authority: AuthorityHash) -> Certificates {
    Certificates { authority, also: None, next: None, not_before: Timestamp(HOUR), not_after: Timestamp(HOUR * 169) }
}

fn alone(authority: AuthorityHash) -> Option<Trust> {
    Some(Trust { authority, also: None })
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
        rotation: None,
    }
}

fn due_of(record: &Record, claimed: bool, own: Option<Certificates>, hours: u64) -> Due {
    due((Some(record), claimed), false, &"i-1".into(), own.as_ref(), 0, Timestamp(HOUR * hours))
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
    assert_eq!(due((None, true), false, &"i-1".into(), None, 0, Timestamp(HOUR)), Due::Nothing(None));
}

#[test]
fn certificates_of_another_authority_or_time_are_replaced() {
    let (a, b) = (authority('a'), authority('b'));
    assert_eq!(week(b).fit(alone(a), Timestamp(HOUR * 2)), Err(Unfit::OtherAuthority { own: b, charter: a }));
    assert_eq!(week(a).fit(alone(a), Timestamp(0)), Err(Unfit::NotYet { from: Timestamp(HOUR) }));
    assert_eq!(week(a).fit(None, Timestamp(HOUR * 169)), Err(Unfit::Ended { at: Timestamp(HOUR * 169) }));
    assert_eq!(week(a).fit(None, Timestamp(HOUR * 168)), Ok(()));
    let record = founding("i-2", Some(a));
    for (own, hours) in [(week(b), 2), (week(a), 0), (week(a), 1000)] {
        assert_eq!(due_of(&record, true, Some(own), hours), Due::Issue);
    }
}

#[test]
fn during_a_rotation_what_the_charter_names_is_accepted_and_certificates_come_from_the_right_one() {
    let (a, b, c) = (authority('a'), authority('b'), authority('c'));
    let own = |authority, also| Certificates { also, ..week(authority) };
    let (to, from) = (Trust { authority: a, also: Some(b) }, Trust { authority: b, also: Some(a) });
    let now = Timestamp(HOUR * 2);
    for good in [own(a, Some(b)), own(b, Some(a))] {
        assert_eq!((good.fit(Some(to), now), good.fit(Some(from), now)), (Ok(()), Ok(())));
    }
    assert_eq!(own(a, None).fit(Some(to), now), Err(Unfit::Distrusts { authority: b }));
    assert_eq!(own(a, Some(c)).fit(Some(from), now), Err(Unfit::Distrusts { authority: b }));
    assert_eq!(own(a, Some(b)).fit(alone(b), now), Err(Unfit::OtherAuthority { own: a, charter: b }), "it is no longer accepted");
    assert_eq!(own(b, Some(a)).fit(alone(b), now), Ok(()), "it only accepts more than it has to");
    let record = Record { rotation: Some(Rotation::From(a)), ..founding("i-2", Some(b)) };
    assert_eq!(due_of(&record, true, Some(own(a, Some(b))), 2), Due::Issue, "new ones, from the new authority");
    assert_eq!(due_of(&record, true, Some(own(b, Some(a))), 2), Due::Nothing(Some(Timestamp(HOUR * 85))));
    let ended = Record { rotation: None, ..record };
    assert_eq!(due_of(&ended, true, Some(own(b, Some(a))), 2), Due::Issue, "the old authority is dropped");
}

#[test]
fn the_next_authority_is_made_under_an_order_and_only_between_rotations() {
    let (a, b) = (authority('a'), authority('b'));
    let record = founding("i-2", Some(a));
    let ordered =
        |record: &Record, claimed, own: Certificates| due((Some(record), claimed), true, &"i-1".into(), Some(&own), 0, Timestamp(HOUR * 2));
    assert_eq!(ordered(&record, true, week(a)), Due::MakeNext);
    assert_eq!(ordered(&record, true, Certificates { next: Some(b), ..week(a) }), Due::Nothing(Some(Timestamp(HOUR * 85))));
    assert_eq!(ordered(&record, false, week(a)), Due::Nothing(Some(Timestamp(HOUR * 85))), "the store has not shown the record");
    let under_way = Record { rotation: Some(Rotation::To(b)), ..record };
    assert_eq!(ordered(&under_way, true, Certificates { also: Some(b), ..week(a) }), Due::Nothing(Some(Timestamp(HOUR * 85))));
}

#[test]
fn etcd_is_started_again_only_for_other_authorities() {
    let (a, b) = (authority('a'), authority('b'));
    let trust = |authority, also| Trust { authority, also };
    assert!(!reloads(Some(trust(a, None)), trust(a, None)) && !reloads(None, trust(a, None)));
    assert!(!reloads(Some(trust(a, Some(b))), trust(b, Some(a))), "it accepts the same");
    assert!(reloads(Some(trust(a, None)), trust(a, Some(b))) && reloads(Some(trust(b, Some(a))), trust(b, None)));
    assert!(reloads(None, trust(a, Some(b))));
}
