use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::ids::{AccountId, ClusterName, InstanceId, RegionName};
use crate::observation::Ec2State;
use crate::time::Timestamp;

/// 30 August 2015, 12:36.
const THEN: Timestamp = Timestamp(1_440_938_160_000);
const CSR: [u8; 32] = [0xab; 32];

fn signed() -> Presigned {
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let digits = "ab".repeat(32);
    let query: BTreeMap<String, String> = pairs(&[
        ("Action", "GetCallerIdentity"),
        ("Version", "2011-06-15"),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "ASIA/20150830/eu-central-1/sts/aws4_request"),
        ("X-Amz-Date", "20150830T123600Z"),
        ("X-Amz-Expires", "300"),
        ("X-Amz-Security-Token", "a/b+c="),
        ("X-Amz-SignedHeaders", SIGNED_HEADERS),
        ("X-Amz-Signature", &digits),
    ]);
    Presigned { method: "GET".to_owned(), query, headers: pairs(&[(CLUSTER_HEADER, "prod"), (CSR_HEADER, &digits)]) }
}

fn unfit(change: impl FnOnce(&mut Presigned)) -> Unfit {
    let mut request = signed();
    change(&mut request);
    Proof::parse(request).unwrap_err()
}

#[test]
fn a_proof_is_exactly_one_request_and_is_sent_as_it_was_signed() {
    let proof = Proof::parse(signed()).unwrap();
    assert_eq!((proof.cluster.as_str(), proof.csr, proof.region.as_str(), proof.at), ("prod", CSR, "eu-central-1", THEN));
    let query = proof.query();
    assert!(query.starts_with("Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&"), "{query}");
    assert!(query.contains("X-Amz-Credential=ASIA%2F20150830%2Feu-central-1%2Fsts%2Faws4_request&"), "{query}");
    assert!(query.contains("X-Amz-Security-Token=a%2Fb%2Bc%3D&X-Amz-Signature="), "{query}");
    assert_eq!(proof.headers().map(|(name, _)| name).collect::<Vec<_>>(), [CLUSTER_HEADER, CSR_HEADER]);
    assert!(!format!("{proof:?} {:?}", signed()).contains("a/b+c"), "a token is shown");
}

#[test]
fn what_is_not_exactly_that_request_is_not_sent() {
    let put = |map: &mut BTreeMap<String, String>, name: &str, value: &str| map.insert(name.to_owned(), value.to_owned()).is_some();
    assert_eq!(unfit(|request| request.method = "POST".to_owned()), Unfit::Method("POST".to_owned()));
    assert_eq!(unfit(|r| _ = put(&mut r.query, "DurationSeconds", "9")), Unfit::Parameter("DurationSeconds".to_owned()));
    assert_eq!(unfit(|r| _ = put(&mut r.query, "action", "AssumeRole")), Unfit::Parameter("action".to_owned()));
    assert_eq!(unfit(|r| _ = put(&mut r.query, "Action", "AssumeRole")), Unfit::Value("Action"));
    assert_eq!(unfit(|r| _ = put(&mut r.headers, "x-other", "1")), Unfit::UnsignedHeader("x-other".to_owned()));
    assert_eq!(unfit(|r| _ = put(&mut r.headers, "host", "example.com")), Unfit::UnsignedHeader("host".to_owned()));
    // The header is there, and the signature does not cover it.
    assert_eq!(unfit(|r| _ = put(&mut r.query, "X-Amz-SignedHeaders", "host;x-quorate-cluster")), Unfit::Value("X-Amz-SignedHeaders"));
    for name in ["X-Amz-Date", "X-Amz-Signature", "X-Amz-Expires", "Version"] {
        assert_eq!(unfit(|request| _ = request.query.remove(name)).to_string(), format!("it lacks {name}"));
    }
    for name in [CLUSTER_HEADER, CSR_HEADER] {
        assert_eq!(unfit(|request| _ = request.headers.remove(name)), Unfit::Lacks(name));
        assert_eq!(unfit(|request| _ = put(&mut request.headers, name, "a\r\nhost: b")), Unfit::Value(name));
    }
    for credential in ["A/20150830/eu-central-1/s3/aws4_request", "A/20150830/sts/aws4_request", "A/1/a.b/sts/aws4_request"] {
        assert_eq!(unfit(|r| _ = put(&mut r.query, "X-Amz-Credential", credential)), Unfit::Value("X-Amz-Credential"));
    }
    for date in ["2015-08-30T12:36:00Z", "20150830T123600", "20151330T123600Z", "20150830T126000Z", ""] {
        assert_eq!(unfit(|request| _ = put(&mut request.query, "X-Amz-Date", date)), Unfit::Value("X-Amz-Date"), "{date}");
    }
    assert!(serde_json::from_str::<Presigned>(r#"{"method":"GET","query":{},"headers":{},"body":"x"}"#).is_err(), "a body");
    assert!(serde_json::from_str::<Presigned>(r#"{"method":"GET","query":{},"headers":{},"host":"x"}"#).is_err(), "a host");
}

#[test]
fn a_role_is_known_by_account_and_name_and_its_path_is_not_told() {
    let role: RoleArn = "arn:aws:iam::123456789012:role/apps/web".parse().unwrap();
    let caller = Caller::of_arn("arn:aws:sts::123456789012:assumed-role/web/i-0123456789abcdef0").unwrap();
    assert_eq!((&caller.role, caller.instance.as_str()), (&role, "i-0123456789abcdef0"));
    for other in [
        "arn:aws:iam::123456789012:user/operator",
        "arn:aws:sts::123456789012:assumed-role/web/someone",
        "arn:aws:sts::123456789012:federated-user/i-0123456789abcdef0",
        "arn:aws:sts::123456789012:assumed-role/web/x/i-0123456789abcdef0",
        "arn:aws:sts::12345:assumed-role/web/i-0123456789abcdef0",
        "",
    ] {
        assert_eq!(Caller::of_arn(other), None, "{other}");
    }
    for other in ["arn:aws:iam::123456789012:user/web", "arn:aws:iam::123456789012:role/", "arn:aws:iam::1:role/web", "web"] {
        assert!(other.parse::<RoleArn>().is_err(), "{other}");
    }
}

/// A member of `prod` that grants etcd's clients to the role `web`.
struct Member {
    account: AccountId,
    region: RegionName,
    cluster: ClusterName,
    grants: Vec<Grant>,
    spent: Spent,
}

/// A question that is granted, unless a test changes it.
struct Question {
    proof: Proof,
    csr: [u8; 32],
    caller: Caller,
    from: IpAddr,
    residence: Option<Residence>,
    now: Timestamp,
}

impl Default for Question {
    fn default() -> Self {
        let from = IpAddr::from([10, 0, 0, 7]);
        Self {
            proof: Proof::parse(signed()).unwrap(),
            csr: CSR,
            caller: Caller::of_arn("arn:aws:sts::123456789012:assumed-role/web/i-0a").unwrap(),
            from,
            residence: Some(Residence { state: Ec2State::Running, addresses: BTreeSet::from([from]) }),
            now: THEN,
        }
    }
}

impl Member {
    fn new() -> Self {
        let role = "arn:aws:iam::123456789012:role/web".parse().unwrap();
        Self {
            account: "123456789012".parse().unwrap(),
            region: "eu-central-1".parse().unwrap(),
            cluster: "prod".parse().unwrap(),
            grants: vec![Grant { role, gives: BTreeSet::from([Gift::EtcdClient]) }],
            spent: Spent::default(),
        }
    }

    fn decide(&mut self, question: &Question) -> Result<Granted, Refusal> {
        let Self { account, region, cluster, grants, spent } = self;
        let here = Here { account, region, cluster, grants };
        let Question { proof, csr, caller, from, residence, now } = question;
        let asked = Asked { proof, csr: *csr, caller, gift: Gift::EtcdClient, from: *from, residence: residence.as_ref() };
        decide(asked, here, spent, *now)
    }
}

/// What becomes of a question that one change makes differ from a good one.
fn becomes(change: impl FnOnce(&mut Member, &mut Question)) -> &'static str {
    let (mut member, mut question) = (Member::new(), Question::default());
    change(&mut member, &mut question);
    member.decide(&question).map_or_else(|refusal| refusal.name(), |_| "granted")
}

#[test]
fn what_holds_in_everything_is_granted_once() {
    let (mut member, question) = (Member::new(), Question::default());
    let granted = member.decide(&question).unwrap();
    assert_eq!((granted.instance, granted.gift), (InstanceId::parse("i-0a").unwrap(), Gift::EtcdClient));
    assert_eq!(member.decide(&question), Err(Refusal::Replayed));
    // From the other side of an IPv6 socket, and at the edges of the time.
    let mapped = std::net::Ipv4Addr::new(10, 0, 0, 7).to_ipv6_mapped();
    for question in [
        Question { from: mapped.into(), ..Question::default() },
        Question { now: THEN + Duration::from_secs(300), ..Question::default() },
        Question { now: THEN - Duration::from_secs(60), ..Question::default() },
    ] {
        assert!(Member::new().decide(&question).is_ok());
    }
}

#[test]
fn whatever_does_not_hold_is_refused_by_its_name() {
    let seconds = Duration::from_secs;
    let other: RoleArn = "arn:aws:iam::123456789012:role/other".parse().unwrap();
    let found = [
        becomes(|member, _| member.cluster = "test".parse().unwrap()),
        becomes(|_, question| question.csr = [0; 32]),
        becomes(|member, _| member.region = "eu-west-1".parse().unwrap()),
        becomes(|_, question| question.now = THEN + seconds(301)),
        becomes(|_, question| question.now = THEN - seconds(61)),
        becomes(|member, _| member.grants[0].role = other),
        becomes(|member, _| member.grants[0].gives.clear()),
        becomes(|member, _| member.grants.clear()),
        // The operator may have granted something to it, and it is refused all the same: EC2 cannot be asked for its instances.
        becomes(|member, _| member.account = "210987654321".parse().unwrap()),
        becomes(|_, question| question.residence = None),
        becomes(|_, question| question.residence.as_mut().unwrap().state = Ec2State::ShuttingDown),
        becomes(|_, question| question.from = [10, 0, 0, 8].into()),
        becomes(|_, question| question.residence.as_mut().unwrap().addresses.clear()),
    ];
    let expected = [
        "other-cluster",
        "other-csr",
        "other-region",
        "too-old",
        "from-the-future",
        "no-grant",
        "no-grant",
        "no-grant",
        "other-account",
        "unknown-instance",
        "not-running",
        "another-address",
        "another-address",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_refused_proof_is_not_spent_and_the_memory_of_spent_ones_is_bounded() {
    let mut member = Member::new();
    assert_eq!(member.decide(&Question { residence: None, ..Question::default() }).unwrap_err().name(), "unknown-instance");
    assert!(member.decide(&Question::default()).is_ok(), "EC2 knew it a moment later");
    let another = |n: u32, at: &str, now| {
        let mut request = signed();
        request.query.insert("X-Amz-Signature".to_owned(), format!("{n:064x}"));
        request.query.insert("X-Amz-Date".to_owned(), at.to_owned());
        Question { proof: Proof::parse(request).unwrap(), now, ..Question::default() }
    };
    let all: Vec<_> = (0..2000).map(|n| member.decide(&another(n, "20150830T123600Z", THEN)).map_err(|refusal| refusal.name())).collect();
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1023);
    assert!(all.iter().skip(1023).all(|one| *one == Err("crowded")));
    assert!(member.decide(&another(5000, "20150830T124601Z", THEN + Duration::from_secs(601))).is_ok(), "old ones are forgotten");
}
