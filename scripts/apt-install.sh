#!/bin/sh
# Installs Debian packages without starting their services. Fails when that is not possible here.
set -eu

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || exit 1
    if [ ! -t 0 ]; then sudo -n true 2>/dev/null || exit 1; fi
    as_root=sudo
fi
command -v apt-get >/dev/null || exit 1

log=$(mktemp)
added_policy=
clean_up() {
    rm -f "$log"
    if [ -n "$added_policy" ]; then $as_root rm -f "$policy"; fi
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# Debian starts a service when it is installed, unless this policy says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    added_policy=yes
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi

echo "Installing $*"
$as_root apt-get update -qq || echo "sluice: apt-get update failed; trying with the package lists at hand" >&2
$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -qq --yes --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    exit 1
}
