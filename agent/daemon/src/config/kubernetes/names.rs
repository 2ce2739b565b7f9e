//! What labels, taints, host names and endpoints may look like. What a kubelet or an API server would refuse at its start is refused here: every node gets the
//! same file, so none of them would start.

use std::net::IpAddr;

use super::super::Refusal;
use super::Endpoint;
use crate::adapters::host::hosts::{HostName, HostsError};

/// Prefixes in Kubernetes' own name space that a kubelet may give its own Node; with any other it does not start (kubernetes
/// `cmd/kubelet/app/options`, `getUnknownLabels`, and the admission plugin NodeRestriction).
const OWN_PREFIXES: [&str; 3] = ["node.kubernetes.io", "kubelet.kubernetes.io", "topology.kubernetes.io"];

/// A Node's label.
pub(super) fn label(key: &str, value: &str) -> Result<(), Refusal> {
    let refused = |remedy: &str| Err(Refusal::value("kubernetes.labels", format!("{:?}", format!("{key}={value}")), remedy));
    if !is_key(key) {
        return refused("give a name of at most 63 letters, digits, `-`, `_` or `.`, with a DNS prefix before a slash if need be");
    }
    if !value.is_empty() && !is_name(value) {
        return refused("give a value of at most 63 letters, digits, `-`, `_` or `.`, which begins and ends with a letter or a digit");
    }
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    let theirs = ["kubernetes.io", "k8s.io"].iter().any(|own| prefix == *own || prefix.ends_with(&format!(".{own}")));
    if theirs && !OWN_PREFIXES.iter().any(|own| prefix == *own || prefix.ends_with(&format!(".{own}"))) {
        return refused("use a prefix of your own: a kubelet may not give this label to its own Node, and would not start");
    }
    Ok(())
}

/// `key=value:Effect`, or `key:Effect`.
pub(super) fn taint(taint: &str) -> Result<(), Refusal> {
    let refused = || Refusal::value("kubernetes.taints", format!("{taint:?}"), "write key=value:Effect, such as dedicated=db:NoSchedule");
    let (what, effect) = taint.rsplit_once(':').ok_or_else(refused)?;
    let (key, value) = what.split_once('=').unwrap_or((what, ""));
    let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect);
    if known && is_key(key) && (value.is_empty() || is_name(value)) { Ok(()) } else { Err(refused()) }
}

/// The host name of the alias.
pub(super) fn alias(name: &str) -> Result<HostName, Refusal> {
    let refused = |remedy| Refusal::value("kubernetes.alias", format!("{name:?}"), remedy);
    match HostName::parse(name) {
        Err(HostsError::Name { remedy, .. }) => Err(refused(remedy)),
        Ok(host) if is_host(name) => Ok(host),
        // The API's certificate contains it too, and distributions write names there in lower case.
        Ok(_) | Err(_) => Err(refused("give a host name in lower case, such as api.prod.internal")),
    }
}

/// A name or an address in the API's certificate.
pub(super) fn san(name: &str) -> Result<(), Refusal> {
    if is_host(name) || name.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    Err(Refusal::value("kubernetes.tls_sans", format!("{name:?}"), "give a host name in lower case, or an address"))
}

/// `https://host` or `https://host:port`, and nothing after it.
pub(super) fn endpoint(url: &str) -> Result<Endpoint, Refusal> {
    let refused = || Refusal::value("kubernetes.endpoint", format!("{url:?}"), "give https://NAME:PORT, without a path");
    let uri: http::Uri = url.parse().map_err(|_| refused())?;
    let host = uri.host().map(|host| host.trim_matches(['[', ']'])).unwrap_or_default();
    let plain = uri.path().trim_end_matches('/').is_empty() && uri.query().is_none() && !url.contains('@');
    let known = is_host(host) || host.parse::<IpAddr>().is_ok();
    if uri.scheme_str() == Some("https") && plain && known {
        return Ok(Endpoint { url: url.trim_end_matches('/').to_owned(), host: host.to_owned() });
    }
    Err(refused())
}

/// A qualified name of Kubernetes (apimachinery `pkg/util/validation`).
fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_host(prefix) && is_name(name),
        None => is_name(key),
    }
}

fn is_name(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    plain && text.len() <= 63 && ends(text.chars().next()) && ends(text.chars().next_back())
}

/// RFC 1123, in lower case.
fn is_host(text: &str) -> bool {
    let part = |part: &str| {
        let plain = part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        plain && !part.is_empty() && part.len() <= 63 && !part.starts_with('-') && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(part)
}
