#!/bin/sh
# Installs Debian packages without starting their services. Fails when that is not possible here.
set -eu
here=$(dirname "$0")

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || exit 1
    # Asks for a password now, if one is needed: later the line of progress would cover the question.
    if [ -t 0 ]; then sudo -v || exit 1; else sudo -n true 2>/dev/null || exit 1; fi
    as_root=sudo
fi
command -v apt-get >/dev/null || exit 1

python=$("$here/find-python.sh")
log=$(mktemp)
added_policy=
clean_up() {
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

"$python" "$here/progress.py" "$log" "Reading the lists of Debian packages" $as_root apt-get update ||
    echo "sluice: apt-get update failed; trying with the package lists at hand" >&2
"$python" "$here/progress.py" "$log" "Installing $*" $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install --yes --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
rm -f "$log"
