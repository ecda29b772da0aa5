#!/bin/sh
# Makes the virtual environment at $1, if it is not there yet.
set -eu
venv=$1
here=$(dirname "$0")

"$venv/bin/python" -c 'import pip' 2>/dev/null && exit 0

python=$("$here/find-python.sh")
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    # Debian keeps ensurepip in a package of its own.
    version=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    "$here/apt-install.sh" "$version" || {
        echo "sluice: $python cannot make virtual environments: install the package $version" >&2
        exit 1
    }
fi
log=$(mktemp)
"$python" "$here/progress.py" "$log" "Making a virtual environment in $venv" "$python" -m venv "$venv"
rm -f "$log"
