#!/bin/sh
# Install one lock file into .venv, making .venv first where there is none.
#
#   scripts/install.sh requirements.txt
#
# Does nothing when that lock is installed already: .venv/.installed names the locks in it, under a digest of them all,
# so that a change of any lock, forward or back, installs again.
set -eu
cd "$(dirname "$0")/.."
lock=$1
stamp=.venv/.installed
digest=$(cat requirements*.txt | cksum)

if [ -x .venv/bin/python ] && [ "$(head -n 1 $stamp 2>/dev/null)" = "$digest" ] && grep -qx "$lock" $stamp; then
    exit 0
fi

is_python_311() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null
}

if ! is_python_311 .venv/bin/python; then
    for python in python3.11 python3 python; do
        if is_python_311 "$python"; then break; fi
        python=
    done
    if [ -z "$python" ]; then
        echo "Python 3.11 is needed and none was found on PATH: install it (Debian 12: apt-get install python3.11-venv)." >&2
        exit 1
    fi
    echo "Making .venv with $("$python" --version)"
    if ! "$python" -m venv --clear .venv; then
        echo "Python's venv module is needed and did not work: install it (Debian 12: apt-get install python3.11-venv)." >&2
        exit 1
    fi
fi

echo "Installing $lock into .venv, once: about 700 MB to download, a few minutes on a slow connection"
if command -v uv >/dev/null; then
    uv pip install --python .venv/bin/python --require-hashes --requirement "$lock"
else
    .venv/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes --requirement "$lock"
fi

if [ "$(head -n 1 $stamp 2>/dev/null)" != "$digest" ]; then
    echo "$digest" >$stamp
fi
echo "$lock" >>$stamp
