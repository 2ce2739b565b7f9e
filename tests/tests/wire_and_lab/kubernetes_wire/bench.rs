//! How long a drain takes, as a ratio to its lower bound: the sum of each phase's longest grace.

use std::time::Duration;

use quorate_core::drain::Escalation;
use quorate_lab::kubernetes::PodSpec;

use crate::kubernetes_wire::drained::drain;
use crate::kubernetes_wire::lab::Lab;

#[tokio::test]
async fn five_hundred_pods_take_little_more_than_their_longest_graces() {
    let lab = Lab::start(&["n1", "n2"]).await;
    for n in 0..500 {
        let pod = PodSpec::new(&format!("web-{n}")).on("n1");
        lab.put(if n < 480 { pod.grace(1 + n % 6) } else { pod.grace(1 + n % 4).critical() });
    }
    let end = drain(&lab.adapter().await, "n1", Duration::from_secs(120), Escalation::GiveUp).await;
    assert!(end.is_done() && lab.pods_on("n1").is_empty(), "{:?}", end.said);
    let floor = Duration::from_secs(6 + 4);
    let ratio = end.took.as_secs_f64() / floor.as_secs_f64();
    println!("500 pods drained in {:.2} s, {ratio:.3} times the sum of each phase's longest grace ({floor:?})", end.took.as_secs_f64());
    assert!(ratio <= 1.2, "{ratio:.3}");
}
