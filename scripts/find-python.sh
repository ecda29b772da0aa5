#!/bin/sh
# Prints the first interpreter on PATH that Sluice runs on (3.11 or newer); PYTHON names another.
set -u

# 3.11 and 3.12 come first: for them the embedded Redis is a wheel.
for name in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3 python}; do
    # A version manager's shim may be on PATH for a version that is not installed, so each one is run.
    found=$("$name" -c 'import sys; print(sys.executable if sys.version_info >= (3, 11) else "")' 2>/dev/null) || continue
    if [ -n "$found" ]; then
        echo "$found"
        exit 0
    fi
done
echo "sluice: no Python 3.11 or newer on PATH; install one, or name it: make setup PYTHON=/path/to/python" >&2
exit 1
