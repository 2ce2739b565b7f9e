//! Rendered files on a real disk: written when they change, and never emptied.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use quorate::rendered::{Context, File, Reload, Rendered};
use quorate_core::role::Role;
use tempfile::TempDir;

use crate::wire_files::cycle::{members, nothing};

/// A directory with templates, and the reloader of units, which notes the requests, and refuses them while it is set to.
struct Place {
    dir: TempDir,
    asked: Arc<Mutex<Vec<String>>>,
    refuses: Arc<Mutex<bool>>,
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), asked: Arc::default(), refuses: Arc::default() };
        place.template("{% for m in members %}{{ m.address }} {% endfor %}\n");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn template(&self, text: &str) {
        fs::write(self.at("x.j2"), text).unwrap();
    }

    fn file(&self, name: &str) -> File {
        File { template: self.at("x.j2"), path: self.at(name), reload_unit: Some("x.service".to_owned()) }
    }

    /// An agent that keeps these files.
    fn agent(&self, files: &[&str]) -> Rendered {
        let (asked, refuses) = (Arc::clone(&self.asked), Arc::clone(&self.refuses));
        let reload: Reload = Arc::new(move |unit| {
            asked.lock().unwrap().push(unit);
            let refuses = *refuses.lock().unwrap();
            async move { if refuses { Err("it does not want to".to_owned()) } else { Ok(()) } }.boxed()
        });
        Rendered::new(files.iter().map(|name| self.file(name)).collect(), self.dir.path(), reload)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    /// How often a reload was requested since the last call.
    fn reloads(&self) -> usize {
        self.asked.lock().unwrap().drain(..).count()
    }
}

fn of(list: &[i8]) -> Context {
    let mut cycle = nothing(Role::Etcd);
    members(&mut cycle, list, 1);
    Context::of(&cycle)
}

#[tokio::test]
async fn a_file_is_written_and_its_unit_reloaded_when_the_text_changes_and_then_only() {
    let place = Place::new();
    let mut agent = place.agent(&["x"]);
    agent.keep(&of(&[1, 2])).await;
    assert_eq!((place.text("x"), place.reloads()), ("10.0.0.1 10.0.0.2 \n".to_owned(), 1));
    assert_eq!(fs::metadata(place.at("x")).unwrap().mode() & 0o777, 0o644);
    fs::set_permissions(place.at("x"), fs::Permissions::from_mode(0o640)).unwrap();
    let inode = fs::metadata(place.at("x")).unwrap().ino();
    agent.keep(&of(&[2, 1])).await;
    place.agent(&["x"]).keep(&of(&[1, 2])).await;
    assert_eq!((fs::metadata(place.at("x")).unwrap().ino(), place.reloads()), (inode, 0), "nor by the next agent");
    agent.keep(&of(&[1, 3])).await;
    assert_eq!((place.text("x"), place.reloads()), ("10.0.0.1 10.0.0.3 \n".to_owned(), 1));
    assert_eq!(fs::metadata(place.at("x")).unwrap().mode() & 0o777, 0o640, "its mode is the operator's");
    fs::remove_file(place.at("x")).unwrap();
    agent.keep(&of(&[1, 3])).await;
    assert_eq!((place.text("x"), place.reloads()), ("10.0.0.1 10.0.0.3 \n".to_owned(), 1), "what somebody removed comes back");
}

#[tokio::test]
async fn what_is_not_known_never_empties_a_file() {
    let place = Place::new();
    let mut agent = place.agent(&["x"]);
    agent.keep(&Context::of(&nothing(Role::Etcd))).await;
    assert!(!place.at("x").exists(), "nor makes an empty one");
    agent.keep(&of(&[1, 2])).await;
    agent.keep(&Context::of(&nothing(Role::Etcd))).await;
    assert_eq!((place.text("x"), place.reloads()), ("10.0.0.1 10.0.0.2 \n".to_owned(), 1));
}

#[tokio::test]
async fn a_broken_template_keeps_the_file_and_a_mended_one_needs_no_restart() {
    let place = Place::new();
    let mut agent = place.agent(&["x"]);
    agent.keep(&of(&[1])).await;
    for broken in ["{{ member }}", "{% for %}", "{{ members[0].adress }}"] {
        place.template(broken);
        agent.keep(&of(&[1, 2])).await;
        assert_eq!((place.text("x"), place.reloads()), ("10.0.0.1 \n".to_owned(), if broken == "{{ member }}" { 1 } else { 0 }));
    }
    place.template("{{ members | length }}\n");
    agent.keep(&of(&[1, 2])).await;
    assert_eq!((place.text("x"), place.reloads()), ("2\n".to_owned(), 1));
}

#[tokio::test]
async fn a_reload_that_failed_is_tried_again_also_by_the_next_agent() {
    let place = Place::new();
    *place.refuses.lock().unwrap() = true;
    let mut agent = place.agent(&["x"]);
    agent.keep(&of(&[1])).await;
    agent.keep(&of(&[1])).await;
    assert_eq!(place.reloads(), 2);
    *place.refuses.lock().unwrap() = false;
    let mut next = place.agent(&["x"]);
    next.keep(&of(&[1])).await;
    next.keep(&of(&[1])).await;
    assert_eq!(place.reloads(), 1);
}

#[tokio::test]
async fn two_files_of_one_unit_reload_it_once_and_one_that_fails_holds_no_other_up() {
    let place = Place::new();
    place.agent(&["x", "y"]).keep(&of(&[1])).await;
    assert_eq!(place.reloads(), 1);
    place.agent(&["missing/x", "y"]).keep(&of(&[1, 2])).await;
    assert_eq!((place.text("y"), place.reloads()), ("10.0.0.1 10.0.0.2 \n".to_owned(), 1));
}
