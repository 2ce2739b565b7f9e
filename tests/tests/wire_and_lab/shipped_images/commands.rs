//! What a boot runs: systemd's commands are noted, a script that the user data brought along is run, and anything else is refused. A script finds AWS'
//! answers in place of AWS, its paths are those of its disk, and of this computer's programs it finds a few that only move files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use quorate_lab::lab::image::Place;

use crate::shipped_images::moved;
use crate::shipped_images::values::TOKENS;

const TOOLS: [&str; 4] = ["mktemp", "mv", "rm", "sha256sum"];
const AGENT: &str = "quorate.service";

/// Runs them all.
///
/// # Errors
/// One fails, one is not known, or none starts the agent.
pub(crate) fn run(commands: &[Vec<String>], place: Place<'_>) -> anyhow::Result<()> {
    let asked = place.root.join("asked-of-systemctl");
    fs::write(&asked, "")?;
    for words in commands {
        one(words, place, &asked).with_context(|| format!("{words:?}"))?;
    }
    let asked = fs::read_to_string(asked)?;
    ensure!(asked.lines().any(starts_the_agent), "nothing starts {AGENT}; systemctl was asked: {:?}", asked.lines().collect::<Vec<_>>());
    Ok(())
}

fn starts_the_agent(asked: &str) -> bool {
    let words: Vec<_> = asked.split_whitespace().collect();
    let starts = words.first() == Some(&"start") || (words.first() == Some(&"enable") && words.contains(&"--now"));
    starts && words.last() == Some(&AGENT)
}

fn one(words: &[String], place: Place<'_>, asked: &Path) -> anyhow::Result<()> {
    let [program, arguments @ ..] = words else { bail!("no command") };
    match program.as_str() {
        "systemctl" => Ok(fs::write(asked, fs::read_to_string(asked)? + &arguments.join(" ") + "\n")?),
        // What they read is the package's.
        "systemd-sysusers" | "systemd-tmpfiles" | "journalctl" => Ok(()),
        path if path.starts_with('/') => script(&moved::path(place.root, path), arguments, place, asked),
        _ => bail!("this test does not know what a boot does with it"),
    }
}

/// In one shell with the doubles, which are functions of it: a file that was just written may be busy when it is to be run, if another thread forks meanwhile.
fn script(path: &Path, arguments: &[String], place: Place<'_>, asked: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(text.starts_with("#!/bin/sh\n"), "only a script for /bin/sh is run here");
    let moved = path.with_extension("moved");
    fs::write(&moved, moved::script(place.root, &text))?;
    let tools = tools(place.root)?;
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(doubles(place.cluster, asked) + ". \"$0\"\n").arg(&moved).args(arguments);
    command.env_clear().env("PATH", tools).current_dir(place.root).stdin(Stdio::null());
    let output = command.output().context("cannot run /bin/sh")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it failed, {}: {said}", output.status);
    Ok(())
}

/// A directory with the few programs that a script finds.
fn tools(root: &Path) -> anyhow::Result<std::path::PathBuf> {
    let directory = root.join("tools");
    fs::create_dir_all(&directory)?;
    for name in TOOLS {
        let program = ["/usr/bin", "/bin"].iter().map(|at| Path::new(at).join(name)).find(|path| path.is_file());
        let link = directory.join(name);
        if !link.exists() {
            symlink(program.with_context(|| format!("there is no {name} here"))?, link)?;
        }
    }
    Ok(directory)
}

/// What answers in place of AWS and systemd.
fn doubles(cluster: &str, asked: &Path) -> String {
    let secrets: String = TOKENS.iter().map(|(name, secret)| format!("/quorate/{cluster}/{name}) echo {secret}; return 0 ;;\n")).collect();
    format!(
        r#"systemctl() {{ echo "$*" >>{asked}; }}
sleep() {{ :; }}
curl() {{
    for last; do :; done
    case $last in
        */latest/api/token) echo a-session ;;
        */latest/meta-data/placement/region) echo eu-central-1 ;;
        */latest/meta-data/tags/instance/quorate:cluster) echo {cluster} ;;
        *) return 22 ;;
    esac
}}
aws() {{
    for word; do
        case $word in
{secrets}        esac
    done
    return 254
}}
"#,
        asked = asked.display()
    )
}
