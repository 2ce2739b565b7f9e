//! EC2: what it says of instances asked for by id, and which of them carry the cluster's tag.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use aws_config::SdkConfig;
use aws_sdk_ec2::operation::describe_instances::builders::DescribeInstancesFluentBuilder;
use aws_sdk_ec2::types::{Filter, Instance, InstanceLifecycleType, InstanceNetworkInterface};
use aws_sdk_ec2::{Client, config};
use quorate_core::handout::Residence;
use quorate_core::ids::{ClusterName, InstanceId};
use quorate_core::observation::{Ec2Answer, Ec2State};
use quorate_core::time::Timestamp;

use super::address::IpFamily;
use super::answers::Whole;
use super::autoscaling::{CLUSTER_TAG, ROLE_TAG};
use super::{AwsError, Witness};
use quorate_core::role::Role;

const CALL: &str = "ec2:DescribeInstances";

/// The batch size that EC2 recommends. With ids given it accepts no `MaxResults`, and answers up to 1000 in one page.
const BATCH: usize = 100;

/// The largest page that the API gives.
const PAGE: i32 = 1000;

/// Every state but `terminated`: an instance in one of these may hold data.
const NOT_ENDED: [&str; 5] = ["pending", "running", "shutting-down", "stopping", "stopped"];

/// The client.
#[derive(Clone, Debug)]
pub struct Ec2 {
    pub(super) client: Client,
    family: IpFamily,
}

impl Ec2 {
    /// A client with this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::from_conf(config::Builder::from(config).interceptor(Whole).build()), family: IpFamily::default() }
    }

    /// The same with an observer.
    #[must_use]
    pub fn watched(config: &SdkConfig, witness: Witness) -> Self {
        let client = Client::from_conf(config::Builder::from(config).interceptor(witness).interceptor(Whole).build());
        Self { client, family: IpFamily::default() }
    }

    /// The same, taking the instances' addresses of this family.
    #[must_use]
    pub fn of_family(self, family: IpFamily) -> Self {
        Self { family, ..self }
    }

    /// Asks for these instances by id.
    ///
    /// EC2 refuses a whole batch because of one id that it does not (or no longer) know. The ids that it may have meant are then asked one by one, and the
    /// others once more together. The answer contains only what EC2 actually said of an id: one that is missing there is unknown.
    ///
    /// # Errors
    /// Any call failed for another reason; the other calls' answers are dropped.
    pub async fn describe(&self, ids: &[InstanceId]) -> Result<BTreeMap<InstanceId, Ec2Answer>, AwsError> {
        let distinct = ids.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
        let mut batches = distinct.chunks(BATCH).map(<[InstanceId]>::to_vec).collect::<Vec<_>>();
        let mut answers = BTreeMap::new();
        while let Some(batch) = batches.pop() {
            match (self.ask(&batch).await, batch.as_slice()) {
                (Ok(known), _) => answers.extend(known),
                (Err(error), [id]) if bad_id(&error) == Some(BadId::NotFound) => {
                    answers.insert(id.clone(), Ec2Answer::NotFound);
                }
                (Err(error), [id]) if bad_id(&error).is_some() => tracing::warn!(%id, %error, "EC2 takes this for no instance id"),
                (Err(error), _) if bad_id(&error).is_some() => batches.extend(split(batch, &error)),
                (Err(error), _) => return Err(error),
            }
        }
        Ok(answers)
    }

    /// The instances that carry the cluster's tag and have not ended, whether a group lists them or not.
    ///
    /// One with the tag of another role is left out. One without a role tag is kept, because not every group propagates it.
    ///
    /// # Errors
    /// A call failed, or an entry had no id: an incomplete list is of no use.
    pub async fn tagged(&self, cluster: &ClusterName, role: Role) -> Result<BTreeSet<InstanceId>, AwsError> {
        let bears = Filter::builder().name(format!("tag:{CLUSTER_TAG}")).values(cluster.as_str()).build();
        let there = NOT_ENDED.iter().fold(Filter::builder().name("instance-state-name"), |filter, state| filter.values(*state)).build();
        // A service of AWS may manage instances that the account has hidden from such lists. They may hold data like any other.
        let request = self.client.describe_instances().filters(bears).filters(there).max_results(PAGE).include_managed_resources(true);
        let mut pages = request.into_paginator().send();
        let mut found = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new(CALL, error))?;
            for instance in page.reservations().iter().flat_map(|reservation| reservation.instances()) {
                let id = instance.instance_id().ok_or_else(|| AwsError::malformed(CALL, "with an instance that has no id"))?;
                if !is_of_another_role(instance, role) {
                    found.insert(parsed(id)?);
                }
            }
        }
        Ok(found)
    }

    /// An instance with all of its addresses, of both families and of all interfaces; none if EC2 does not know it.
    ///
    /// # Errors
    /// The call failed for another reason.
    pub async fn residence(&self, id: &InstanceId) -> Result<Option<Residence>, AwsError> {
        let mut pages = self.by_id(std::slice::from_ref(id)).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = match page.map_err(|error| AwsError::new(CALL, error)) {
                Err(error) if bad_id(&error).is_some() => return Ok(None),
                page => page?,
            };
            let instances = page.reservations().iter().flat_map(|reservation| reservation.instances());
            if let Some(found) = instances.into_iter().find(|instance| instance.instance_id() == Some(id.as_str())) {
                return Ok(Some(residence(found)));
            }
        }
        Ok(None)
    }

    async fn ask(&self, ids: &[InstanceId]) -> Result<BTreeMap<InstanceId, Ec2Answer>, AwsError> {
        let mut pages = self.by_id(ids).into_paginator().send();
        let mut found = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new(CALL, error))?;
            for instance in page.reservations().iter().flat_map(|reservation| reservation.instances()) {
                found.extend(answer(instance, self.family)?);
            }
        }
        found.retain(|id, _| ids.contains(id));
        Ok(found)
    }

    /// Hidden instances are included: without that one would look as if it had never existed.
    fn by_id(&self, ids: &[InstanceId]) -> DescribeInstancesFluentBuilder {
        let request = self.client.describe_instances().set_instance_ids(Some(ids.iter().map(InstanceId::to_string).collect()));
        request.include_managed_resources(true)
    }

    /// Whether this instance runs in an interruptible capacity reservation, from whose owner's account it can be ended at two minutes' notice.
    ///
    /// # Errors
    /// The call failed.
    pub async fn is_interruptible(&self, id: &InstanceId) -> Result<bool, AwsError> {
        let mut pages = self.by_id(std::slice::from_ref(id)).into_paginator().send();
        let mut is_interruptible = false;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new(CALL, error))?;
            let instances = page.reservations().iter().flat_map(|reservation| reservation.instances());
            is_interruptible |= instances
                .filter(|instance| instance.instance_id() == Some(id.as_str()))
                .any(|instance| instance.instance_lifecycle() == Some(&InstanceLifecycleType::InterruptibleCapacityReservation));
        }
        Ok(is_interruptible)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BadId {
    NotFound,
    Malformed,
}

fn bad_id(error: &AwsError) -> Option<BadId> {
    match error.refusal()?.code.as_str() {
        "InvalidInstanceID.NotFound" => Some(BadId::NotFound),
        "InvalidInstanceID.Malformed" => Some(BadId::Malformed),
        _ => None,
    }
}

/// The ids that the refusal names, each alone, and the others together. The text is only a hint: only the answer to an id asked alone is believed. A text that
/// names none, or all, costs one call per id.
fn split(batch: Vec<InstanceId>, error: &AwsError) -> Vec<Vec<InstanceId>> {
    let text = error.refusal().map_or("", |words| words.message.as_str());
    let (named, others): (Vec<_>, Vec<_>) = batch.into_iter().partition(|id| text.contains(id.as_str()));
    let (alone, together) = if named.is_empty() { (others, Vec::new()) } else { (named, others) };
    let rest = Some(together).filter(|together| !together.is_empty());
    alone.into_iter().map(|id| vec![id]).chain(rest).collect()
}

fn is_of_another_role(instance: &Instance, role: Role) -> bool {
    let tag = instance.tags().iter().find(|tag| tag.key() == Some(ROLE_TAG));
    tag.and_then(|tag| tag.value()).is_some_and(|value| value != role.as_str())
}

fn answer(instance: &Instance, family: IpFamily) -> Result<Option<(InstanceId, Ec2Answer)>, AwsError> {
    let Some(id) = instance.instance_id().map(parsed).transpose()? else { return Ok(None) };
    let state = instance.state().and_then(|state| state.name()).map_or(Ec2State::Other, |name| Ec2State::parse(name.as_str()));
    let private = instance.private_ip_address().and_then(|text| text.parse().ok());
    let address = family.choose(private, ipv6(instance));
    let launched = instance.launch_time().and_then(|time| u64::try_from(time.to_millis().ok()?).ok()).map(Timestamp);
    Ok(Some((id, Ec2Answer::Known { state, address, launched })))
}

fn residence(instance: &Instance) -> Residence {
    let state = instance.state().and_then(|state| state.name()).map_or(Ec2State::Other, |name| Ec2State::parse(name.as_str()));
    let own = instance.private_ip_address().into_iter().chain(instance.ipv6_address());
    let of_interfaces = instance.network_interfaces().iter().flat_map(|interface| {
        let further = interface.private_ip_addresses().iter().filter_map(|address| address.private_ip_address());
        let ipv6 = interface.ipv6_addresses().iter().filter_map(|address| address.ipv6_address());
        interface.private_ip_address().into_iter().chain(further).chain(ipv6)
    });
    Residence { state, addresses: own.chain(of_interfaces).filter_map(|text| text.parse().ok()).collect() }
}

/// The instance's IPv6 address: as EC2 names it, or else the first one of its primary interface, which the metadata give too.
fn ipv6(instance: &Instance) -> Option<Ipv6Addr> {
    let is_primary = |interface: &&InstanceNetworkInterface| interface.attachment().and_then(|at| at.device_index()) == Some(0);
    let first = || instance.network_interfaces().iter().find(is_primary)?.ipv6_addresses().first()?.ipv6_address();
    instance.ipv6_address().or_else(first)?.parse().ok()
}

fn parsed(id: &str) -> Result<InstanceId, AwsError> {
    InstanceId::parse(id).map_err(|error| AwsError::malformed(CALL, format!("with an instance that cannot be used: {error}")))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::primitives::DateTime;
    use aws_sdk_ec2::types::{
        InstanceIpv6Address, InstanceNetworkInterfaceAttachment, InstancePrivateIpAddress, InstanceState, InstanceStateName, Tag,
    };

    use std::net::IpAddr;

    use super::super::Words;
    use super::*;

    fn refused(code: &str, message: &str) -> AwsError {
        AwsError::Refused { call: CALL, words: Words { code: code.into(), message: message.into(), request: None } }
    }

    fn ids(text: &[&'static str]) -> Vec<InstanceId> {
        text.iter().map(|id| InstanceId::new(id)).collect()
    }

    #[test]
    fn an_instance_is_read_with_its_state_address_and_launch() {
        let instance = Instance::builder()
            .instance_id("i-1")
            .state(InstanceState::builder().name(InstanceStateName::ShuttingDown).build())
            .private_ip_address("10.0.0.7")
            .launch_time(DateTime::from_millis(1_700_000_000_123))
            .build();
        let known = Ec2Answer::Known {
            state: Ec2State::ShuttingDown,
            address: Some([10, 0, 0, 7].into()),
            launched: Some(Timestamp(1_700_000_000_123)),
        };
        assert_eq!(answer(&instance, IpFamily::Ipv4).unwrap(), Some((InstanceId::new("i-1"), known)));
    }

    #[test]
    fn an_ipv6_address_is_taken_where_there_is_no_other_or_where_it_is_asked_for() {
        let first: IpAddr = "2001:db8::7".parse().unwrap();
        let at = |instance: &Instance, family| match answer(instance, family).unwrap() {
            Some((_, Ec2Answer::Known { address, .. })) => address,
            other => panic!("{other:?}"),
        };
        let only = Instance::builder().instance_id("i-1").ipv6_address("2001:db8::7");
        assert_eq!(at(&only.clone().build(), IpFamily::Ipv4), Some(first));
        let dual = only.private_ip_address("10.0.0.7").build();
        assert_eq!((at(&dual, IpFamily::Ipv4), at(&dual, IpFamily::Ipv6)), (Some([10, 0, 0, 7].into()), Some(first)));
        let interface = |index, address: &str| {
            let attachment = InstanceNetworkInterfaceAttachment::builder().device_index(index).build();
            let address = InstanceIpv6Address::builder().ipv6_address(address).build();
            InstanceNetworkInterface::builder().attachment(attachment).ipv6_addresses(address).build()
        };
        let two = Instance::builder()
            .instance_id("i-1")
            .network_interfaces(interface(1, "2001:db8::8"))
            .network_interfaces(interface(0, "2001:db8::7"));
        assert_eq!(at(&two.build(), IpFamily::Ipv4), Some(first), "that of the primary interface");
    }

    #[test]
    fn a_terminated_instance_has_no_address_and_an_unheard_state_is_no_known_one() {
        let state = InstanceState::builder().name("hibernating".into()).build();
        let instance = Instance::builder().instance_id("i-1").state(state).build();
        let known = Ec2Answer::Known { state: Ec2State::Other, address: None, launched: None };
        assert_eq!(answer(&instance, IpFamily::Ipv4).unwrap(), Some((InstanceId::new("i-1"), known)));
    }

    #[test]
    fn an_entry_without_an_id_says_nothing() {
        assert_eq!(answer(&Instance::builder().build(), IpFamily::Ipv4).unwrap(), None);
        assert!(
            answer(&Instance::builder().instance_id("i-a\n").build(), IpFamily::Ipv4).is_err(),
            "an entry without a valid id fails the list"
        );
    }

    #[test]
    fn an_instance_is_of_another_role_only_if_its_tag_says_so() {
        let with = |tag: Tag| Instance::builder().instance_id("i-1").tags(tag).build();
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        assert!(is_of_another_role(&with(tag("quorate:role", "worker")), Role::Etcd));
        assert!(!is_of_another_role(&with(tag("quorate:role", "etcd")), Role::Etcd));
        assert!(!is_of_another_role(&with(tag("role", "worker")), Role::Etcd));
        assert!(!is_of_another_role(&Instance::builder().build(), Role::Etcd));
    }

    #[test]
    fn only_the_named_ids_are_asked_alone() {
        let error = refused("InvalidInstanceID.NotFound", "The instance IDs 'i-2, i-4' do not exist");
        let batches = split(ids(&["i-1", "i-2", "i-3", "i-4"]), &error);
        assert_eq!(batches, [ids(&["i-2"]), ids(&["i-4"]), ids(&["i-1", "i-3"])]);
    }

    #[test]
    fn every_id_is_asked_alone_when_the_refusal_names_none_or_all() {
        let nobody = refused("InvalidInstanceID.NotFound", "Some instances do not exist");
        let all = refused("InvalidInstanceID.NotFound", "The instance IDs 'i-1, i-2' do not exist");
        for error in [nobody, all] {
            assert_eq!(split(ids(&["i-1", "i-2"]), &error), [ids(&["i-1"]), ids(&["i-2"])]);
        }
    }

    #[test]
    fn other_refusals_say_nothing_of_an_id() {
        assert_eq!(bad_id(&refused("UnauthorizedOperation", "i-1")), None);
        assert_eq!(bad_id(&refused("InvalidInstanceID.Malformed", "Invalid id: \"x\"")), Some(BadId::Malformed));
    }

    #[test]
    fn every_address_of_an_instance_is_its_own() {
        let interface = |address: &str, further: &str, ipv6: &str| {
            let private = |address: &str| InstancePrivateIpAddress::builder().private_ip_address(address).build();
            InstanceNetworkInterface::builder()
                .private_ip_address(address)
                .private_ip_addresses(private(address))
                .private_ip_addresses(private(further))
                .ipv6_addresses(InstanceIpv6Address::builder().ipv6_address(ipv6).build())
                .build()
        };
        let instance = Instance::builder()
            .instance_id("i-1")
            .state(InstanceState::builder().name(InstanceStateName::Running).build())
            .private_ip_address("10.0.0.7")
            .network_interfaces(interface("10.0.0.7", "10.0.0.8", "2001:db8::7"))
            .network_interfaces(interface("10.0.1.7", "10.0.1.8", "2001:db8::8"))
            .build();
        let all = ["10.0.0.7", "10.0.0.8", "10.0.1.7", "10.0.1.8", "2001:db8::7", "2001:db8::8"].map(|text| text.parse().unwrap());
        assert_eq!(residence(&instance), Residence { state: Ec2State::Running, addresses: all.into() });
        let ended = Instance::builder().instance_id("i-1").build();
        assert_eq!(residence(&ended), Residence { state: Ec2State::Other, addresses: BTreeSet::new() });
    }
}
