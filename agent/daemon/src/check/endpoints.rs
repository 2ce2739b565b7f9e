//! Whether the endpoints of AWS can be reached at all.

use std::net::SocketAddr;
use std::time::Duration;

use super::finding::Finding;
use super::reach::{self, Reach};

/// Within a region a connection takes milliseconds.
const LIMIT: Duration = Duration::from_secs(3);

/// Connects to the host of `url`, to which requests for `service` go.
pub(super) async fn check(service: &str, url: Option<&str>) -> Finding {
    let Some(url) = url else {
        return Finding::skipped(name(service), "no request was sent, because there are no credentials: see the permissions");
    };
    let Some((host, port)) = authority(url) else {
        return Finding::problem(
            name(service),
            format!("{url:?} does not name a host"),
            "correct AWS_ENDPOINT_URL or its form for this service",
        );
    };
    judge(service, &host, port, &reach::host(&host, port, LIMIT).await, proxy().as_deref())
}

fn name(service: &str) -> String {
    format!("endpoint {service}")
}

fn judge(service: &str, host: &str, port: u16, reach: &Reach, proxy: Option<&str>) -> Finding {
    match (reach, proxy) {
        (Reach::Connected(at), _) => Finding::ok(name(service), format!("{host} at {at}")),
        (other, Some(proxy)) => Finding::skipped(
            name(service),
            format!("{}: {other}; requests go through the proxy {proxy}: see the permissions", at(host, port)),
        ),
        (other, None) => Finding::problem(name(service), format!("{}: {other}", at(host, port)), remedy(service, other)),
    }
}

/// As a URL has it: an IPv6 address is in brackets.
fn at(host: &str, port: u16) -> String {
    host.parse().map_or_else(|_| format!("{host}:{port}"), |address| SocketAddr::new(address, port).to_string())
}

fn remedy(service: &str, reach: &Reach) -> String {
    match reach {
        // The names of EC2 and Auto Scaling are the SDK's; that of the store may be one that an operator has set.
        Reach::NoAddress(_) if service == "s3" => {
            "if the other endpoints have an address, this is not the name of S3 here: correct the region or the endpoint in store.options; \
             otherwise the VPC lacks name resolution"
                .to_owned()
        }
        Reach::NoAddress(_) => "make sure that the VPC has DNS resolution and DNS hostnames enabled".to_owned(),
        _ if service == "s3" => "no route: a subnet without NAT needs a gateway endpoint for s3 in its route table".to_owned(),
        _ => format!(
            "no route: a subnet without NAT needs a VPC interface endpoint for {service}, with private DNS and a security group that lets 443 in"
        ),
    }
}

/// The proxy, from the same variables as the SDK's client.
fn proxy() -> Option<String> {
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
    names.iter().find_map(|name| std::env::var(name).ok().filter(|url| !url.is_empty()))
}

/// Host and port of a URL.
fn authority(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let usual = if scheme == "http" { 80 } else { 443 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, usual),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{Ok as Fine, Problem, Skipped};

    #[test]
    fn host_and_port_are_read_from_a_url() {
        for (url, host, port) in [
            ("https://ec2.eu-central-1.amazonaws.com/", "ec2.eu-central-1.amazonaws.com", 443),
            ("http://127.0.0.1:8080/x?y", "127.0.0.1", 8080),
            ("http://[::1]:8080", "::1", 8080),
            ("https://[::1]/", "::1", 443),
            ("http://user@host", "host", 80),
        ] {
            assert_eq!(authority(url), Some((host.to_owned(), port)), "{url}");
        }
        assert!(authority("ec2.amazonaws.com").is_none() && authority("http://").is_none() && authority("http://a:b").is_none());
    }

    #[test]
    fn silence_names_the_endpoint_that_a_subnet_without_nat_needs() {
        let silent = Reach::Silent(LIMIT);
        let finding = judge("autoscaling", "h", 443, &silent, None);
        assert!(finding.verdict == Problem && finding.remedy.unwrap().contains("VPC interface endpoint for autoscaling"));
        assert!(judge("s3", "h", 443, &silent, None).remedy.unwrap().contains("gateway endpoint for s3"));
        assert!(judge("ec2", "h", 443, &Reach::NoAddress("x".into()), None).remedy.unwrap().contains("DNS"));
        assert!(judge("s3", "h", 443, &Reach::NoAddress("x".into()), None).remedy.unwrap().contains("store.options"));
    }

    #[test]
    fn an_ipv6_address_is_shown_in_brackets() {
        let shown = |host| judge("ec2", host, 443, &Reach::Refused, None).found;
        assert_eq!((&*shown("::1"), &*shown("10.0.0.1"), &*shown("h")), ("[::1]:443: refused", "10.0.0.1:443: refused", "h:443: refused"));
    }

    #[test]
    fn behind_a_proxy_a_connection_of_our_own_says_nothing() {
        assert_eq!(judge("ec2", "h", 443, &Reach::Refused, Some("http://proxy")).verdict, Skipped);
        assert_eq!(judge("ec2", "h", 443, &Reach::Connected(([127, 0, 0, 1], 443).into()), Some("http://proxy")).verdict, Fine);
    }
}
