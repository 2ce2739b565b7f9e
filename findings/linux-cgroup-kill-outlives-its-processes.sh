#!/usr/bin/env bash
# Linux 6.18 kills a process that is cloned into a new cgroup (CLONE_INTO_CGROUP), if the cgroup of its parent was killed once, by cgroup.kill, before the
# parent was in it.
#
# A write to cgroup.kill kills what is in a cgroup at that moment: the cgroup stays, and whatever comes into it later lives (cgroups(7)). So a container manager
# may kill a container and boot another in the same cgroup. systemd 257 then starts no unit whose cgroup is new: it clones with CLONE_INTO_CGROUP, and each
# such child gets SIGKILL before its first instruction, while units whose cgroups were left behind by the killed container do start. systemd 252, which moves
# a child after its fork, starts all. The kernel counts the kills of a cgroup, to catch a fork that races with one, and seems to compare the count of the
# parent's cgroup with that of the child's. What was expected: the child lives, as one does that is moved into the cgroup.
#
# Seen on Linux 6.18.44. Needs root, cgroup2, and python3. It takes a second, and nothing stays.
set -euo pipefail

dir=$(mktemp -d)
world=$dir/cgroup/finding$$
trap 'rmdir "$world"/*/ "$world" 2>/dev/null || true; umount "$dir/cgroup" 2>/dev/null || true; rmdir "$dir/cgroup" "$dir"' EXIT
mkdir "$dir/cgroup"
mount -t cgroup2 cgroup2 "$dir/cgroup"
mkdir "$world" "$world/once_killed" "$world/never_killed" "$world/new"
echo 1 >"$world/once_killed/cgroup.kill" # nothing is in it

# clone PARENT: the fate of a child that is cloned into the new cgroup by a process in PARENT.
clone() {
    python3 - "$world/$1" "$world/new" <<'EOF'
import ctypes, os, signal, sys

parent, new = sys.argv[1:]
with open(parent + "/cgroup.procs", "w") as procs:
    procs.write("0")
CLONE3, CLONE_INTO_CGROUP = 435, 0x200000000
# struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
fields = [CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, os.open(new, os.O_RDONLY | os.O_DIRECTORY)]
arguments = (ctypes.c_uint64 * len(fields))(*fields)
libc = ctypes.CDLL(None, use_errno=True)
child = libc.syscall(ctypes.c_long(CLONE3), arguments, ctypes.c_size_t(ctypes.sizeof(arguments)))
if child == 0:
    os._exit(0)
if child < 0:
    sys.exit(f"clone3: {os.strerror(ctypes.get_errno())}")
_, status = os.waitpid(child, 0)
print(signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "it lives")
EOF
}

failed=0
expect() {
    if [ "$2" = "$3" ]; then printf 'as before  %s: %s\n' "$1" "$2"; else
        printf 'CHANGED    %s: %s, and it was %s\n' "$1" "$2" "$3"
        failed=1
    fi
}

expect 'cloned into a new cgroup, from one that was never killed' "$(clone never_killed)" 'it lives'
expect 'cloned into a new cgroup, from one that was killed while it was empty' "$(clone once_killed)" SIGKILL
exit $failed
