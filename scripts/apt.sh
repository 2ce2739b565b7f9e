# shellcheck shell=bash
# Debian packages without root: they are downloaded and unpacked under target/tools, and nothing is installed.
# To be sourced after lib.sh.
: "${tools:?}"

# The configuration that apt is run with: the machine's own, until apt_private has made another.
apt_conf=/dev/null

# apt_private NAME [SOURCE]: makes a package index of its own in target/tools/apt/NAME and brings it up to date, for
# the sources.list line SOURCE, or for the machine's own sources. From then on it is the one that is used.
apt_private() {
    local dir=$tools/apt/$1 line=${2:-}
    mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
    {
        printf 'Dir::State "%s";\nDir::Cache "%s";\n' "$dir/state" "$dir/cache"
        if [ -n "$line" ]; then
            printf '%s\n' "$line" >"$dir/sources.list"
            printf 'Dir::Etc::sourcelist "%s";\nDir::Etc::sourceparts "/dev/null";\n' "$dir/sources.list"
            printf 'Dir::Etc::preferences "/dev/null";\nDir::Etc::preferencesparts "/dev/null";\n'
            printf 'APT::Update::Error-Mode "any";\n'
        fi
        printf 'APT::Sandbox::User "root";\nAcquire::Languages "none";\n'
        # The machine's hooks look after the machine's index (app stores, image clean-up), not after this one.
        printf '#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n'
        printf '#clear Acquire::IndexTargets::deb::DEP-11;\n'
    } >"$dir/apt.conf"
    apt_conf=$dir/apt.conf
    apt-get -c "$apt_conf" -qq update >&2
}

# apt_download DIR PACKAGE...: leaves the packages' .deb files in DIR.
apt_download() {
    local dir=$1
    shift
    (cd "$dir" && apt-get -c "$apt_conf" -qq -o APT::Sandbox::User=root download "$@" >&2)
}

# apt_unpack DEST PACKAGE...: replaces the directory DEST by the files of the packages.
# The machine's own package index is tried first; where it is empty or outdated, a private one is made.
apt_unpack() {
    local dest=$1 debs=$1.debs new=$1.new deb
    shift
    rm -rf "$debs" "$new"
    mkdir -p "$debs" "$new"
    if ! apt_download "$debs" "$@" 2>/dev/null; then
        if [ "$apt_conf" = /dev/null ]; then
            say "The machine's package index does not have $*: reading a fresh one into target/tools/apt."
            apt_private machine || true # one broken source of many is no reason to give up
        fi
        apt_download "$debs" "$@" || return 1
    fi
    for deb in "$debs"/*.deb; do
        dpkg-deb -x "$deb" "$new" || return 1
        dpkg-deb --show "$deb" >>"$new/VERSION" || return 1
    done
    rm -rf "$dest"
    mv "$new" "$dest"
    rm -rf "$debs"
}

# as_root COMMAND...: runs it as root, if that needs no password; otherwise fails.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# apt_install PACKAGE...: installs them on this machine; fails without apt or the right to do so.
apt_install() {
    have apt-get && as_root true || return 1
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@")
    say "Installing $* (apt-get install)."
    as_root "${install[@]}" >&2 2>/dev/null && return
    as_root apt-get -qq update >&2 || true
    as_root "${install[@]}" >&2
}
