#!/bin/sh
# Installs what is absent of: redis, rabbitmq, browser. Where that is not possible it says so, and fails only in CI.
set -eu
here=$(dirname "$0")
PATH=$PATH:/usr/sbin:/sbin:/usr/lib/rabbitmq/bin

missing=
for part in "$@"; do
    case $part in
        redis) command -v redis-server >/dev/null || missing="$missing redis-server" ;;
        rabbitmq) command -v rabbitmq-server >/dev/null || missing="$missing rabbitmq-server" ;;
        browser)
            command -v chromium >/dev/null || missing="$missing chromium"
            command -v chromedriver >/dev/null || missing="$missing chromium-driver"
            ;;
        *) echo "sluice: unknown part '$part'" >&2; exit 2 ;;
    esac
done
[ -n "$missing" ] || exit 0

# shellcheck disable=SC2086
if "$here/apt-install.sh" $missing; then exit 0; fi
{
    echo "sluice: not installed:$missing"
    echo "        Install them with this system's package manager (on Debian, as root: apt-get install$missing)."
    echo "        Until then, tests that need them are skipped; with CI=true they fail."
} >&2
[ "${CI:-}" != true ]
