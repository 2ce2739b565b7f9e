//! The pods bound to a node.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use quorate_core::drain;

use super::{ApiServers, KubernetesError, convert};

/// How many are listed at a time, as in kubectl.
const PAGE: u32 = 500;

impl ApiServers {
    /// All pods bound to this node, in every namespace. The pages of one list come from one server.
    ///
    /// # Errors
    /// No API server answered, or it refused.
    pub async fn pods_on(&self, node: &str) -> Result<Vec<drain::Pod>, KubernetesError> {
        self.read("list its pods", |client| async move {
            let (api, mut pods, mut token) = (Api::<Pod>::all(client), Vec::new(), None::<String>);
            loop {
                let params = ListParams::default().fields(&format!("spec.nodeName={node}")).limit(PAGE);
                let page = api.list(&ListParams { continue_token: token.take(), ..params }).await?;
                pods.extend(page.items.into_iter().filter_map(convert::pod));
                token = page.metadata.continue_.filter(|token| !token.is_empty());
                if token.is_none() {
                    return Ok(pods);
                }
            }
        })
        .await
    }
}
