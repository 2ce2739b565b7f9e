//! On a member: answers questions.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use quorate_core::charter::Record;
use quorate_core::handout::{Asked, Caller, Grant, Granted, Here, Proof, Rates, Refusal, Spent, decide, entitled, fitting};
use quorate_core::observation::Me;
use quorate_core::text::{SENTENCE, printable};
use quorate_core::transport::Transport;
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use super::answer::{Given, No, PATH, Question};
use crate::adapters::aws::{AwsError, Ec2, Sts};
use crate::adapters::object_store::AuthorityStore;
use crate::adapters::pki::{Authority, ClientRequest, Subject};
use crate::certificates;
use crate::clock::Clock;
use crate::cycle::LastCycle;
use crate::listener::{CallerAddress, Encrypted};
use crate::repeats::Repeats;
use crate::telemetry::chain;

const STS: &str = "sts:GetCallerIdentity";
const EC2: &str = "ec2:DescribeInstances";

/// What a member needs to answer.
#[derive(Debug)]
pub struct Handout {
    /// The member.
    pub me: Me,
    /// What the operator grants.
    pub grants: Vec<Grant>,
    /// Asked who signed a proof.
    pub sts: Arc<Sts>,
    /// Asked for the instance's addresses.
    pub ec2: Arc<Ec2>,
    /// Has the authority.
    pub authority: Arc<AuthorityStore>,
    /// Has the charter's record and etcd's members.
    pub cycles: LastCycle,
    /// For how long a certificate is valid.
    pub life: Duration,
    /// The agent's.
    pub clock: Clock,
}

struct Answering {
    with: Handout,
    state: Mutex<Remembered>,
}

/// All of it is bounded, whatever strangers send.
#[derive(Default)]
struct Remembered {
    rates: Rates,
    spent: Spent,
    troubles: Repeats,
}

impl Handout {
    /// What is answered on the agents' port, beside what peers ask.
    pub fn router(self) -> Router {
        Router::new().route(PATH, post(answer)).with_state(Arc::new(Answering { with: self, state: Mutex::default() }))
    }

    fn here(&self) -> Here<'_> {
        Here { account: &self.me.account, region: &self.me.region, cluster: &self.me.cluster, grants: &self.grants }
    }
}

async fn answer(
    caller: Option<Extension<CallerAddress>>,
    encrypted: Option<Extension<Encrypted>>,
    State(answering): State<Arc<Answering>>,
    body: Bytes,
) -> Response {
    let Some(Extension(CallerAddress(from))) = caller.filter(|_| encrypted.is_some()) else { return No::Plain.into_response() };
    match answering.answer(from, &body).await {
        Ok(given) => Json(given).into_response(),
        Err(no) => {
            answering.tell(from, &no);
            no.into_response()
        }
    }
}

impl Answering {
    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One line for each reason, at growing intervals: strangers must not fill the journal.
    fn tell(&self, from: IpAddr, no: &No) {
        let again = self.remembered().troubles.news(no.name(), no.name(), self.with.clock.now());
        if let Some(again) = again {
            warn!("{from} asks for credentials and gets none: {no}{again}");
        }
    }

    async fn answer(&self, from: IpAddr, body: &[u8]) -> Result<Given, No> {
        let with = &self.with;
        self.remembered().rates.admit(from, with.clock.now()).map_err(No::Often)?;
        // The parser's message may quote what it met, and a part of that is secret.
        let question: Question =
            serde_json::from_slice(body).map_err(|e| No::Unreadable(format!("no such JSON, at column {}", e.column())))?;
        let Question { gives, csr, proof } = question;
        let proof = Proof::parse(proof).map_err(Refusal::Unfit)?;
        let hash: [u8; 32] = Sha256::digest(&csr).into();
        fitting(&proof, hash, with.here(), &self.remembered().spent, with.clock.wall())?;
        self.remembered().rates.ask(with.clock.now()).map_err(No::Often)?;
        // Verifying its signature costs more than everything before.
        let request = ClientRequest::parse(&csr).map_err(No::Request)?;
        let arn = with.sts.caller(&proof).await.map_err(not_proved)?;
        let caller = Caller::of_arn(&arn).ok_or_else(|| Refusal::NotAnInstance { arn: printable(&arn, SENTENCE) })?;
        entitled(&caller, gives, with.here())?;
        let residence = with.ec2.residence(&caller.instance).await.map_err(|error| No::Away { call: EC2, words: chain(&error) })?;
        let asked = Asked { proof: &proof, csr: hash, caller: &caller, gift: gives, from, residence: residence.as_ref() };
        let granted = decide(asked, with.here(), &mut self.remembered().spent, with.clock.wall())?;
        let given = with.issue(&request, &granted).await?;
        info!("gives {} to {} with {}, at {from}", granted.gift, granted.instance, granted.role);
        Ok(given)
    }
}

/// Whether STS refused the proof, or could not say.
fn not_proved(error: AwsError) -> No {
    match error.refusal().filter(|_| !error.is_throttling()) {
        Some(words) => Refusal::NotProved { words: words.to_string() }.into(),
        None => No::Away { call: STS, words: chain(&error) },
    }
}

impl Handout {
    async fn issue(&self, request: &ClientRequest, granted: &Granted) -> Result<Given, No> {
        let cycle = self.cycles.borrow().clone().ok_or_else(|| No::Unable("it has not looked at its cluster yet".to_owned()))?;
        let record = cycle.memory.kept.record.as_ref().filter(|record| record.transport == Transport::Tls);
        let Some(trust) = record.and_then(Record::trust) else {
            return Err(No::Unable("its cluster has no TLS, or no authority yet".to_owned()));
        };
        let voters = cycle.staying_voters().unwrap_or_default();
        let endpoints: Vec<String> = voters.iter().filter_map(|voter| Some(voter.client_url?.to_string())).collect();
        let all = certificates::authorities(&self.authority, &self.me).await.map_err(No::Unable)?;
        let (authority, also) = certificates::named(&all, trust).map_err(No::Unable)?;
        let subject = Subject {
            instance: granted.instance.clone(),
            cluster: self.me.cluster.clone(),
            addresses: granted.addresses.iter().copied().collect(),
            names: Vec::new(),
        };
        let certificate =
            authority.issue_client(request, &subject, self.clock.wall(), self.life).map_err(|error| No::Unable(chain(&error)))?;
        let ca = format!("{}{}", authority.root(), also.map_or("", Authority::root));
        Ok(Given { certificate, ca, endpoints })
    }
}
