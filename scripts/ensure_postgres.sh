#!/usr/bin/env bash
# PostgreSQL's programs for the tests: Debian's package when root, a clear word when not.
set -euo pipefail
compgen -G '/usr/lib/postgresql/*/bin/postgres' > /dev/null && exit 0
command -v postgres > /dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "installing PostgreSQL for the tests"
    export DEBIAN_FRONTEND=noninteractive
    # The package would start a server of its own; the tests start theirs.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf
    apt-get update -qq > /dev/null || true
    apt-get install -y -qq --no-install-recommends postgresql > /dev/null && exit 0
fi
echo "no PostgreSQL here: the tests on it are skipped (on Debian: apt-get install postgresql)"
