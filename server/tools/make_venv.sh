#!/bin/sh
# Make the virtual environment $2 with the Python $1, or say what is missing.
set -eu
python=$1
venv=$2
if ! command -v "$python" >/dev/null 2>&1; then
    echo "There is no '$python' here. Install Python 3.11 or later (Debian: sudo apt-get install python3 python3-venv)," >&2
    echo "or name one: make demo PYTHON=/path/to/python3" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Isocenter needs Python 3.11 or later; '$python' is $("$python" -V 2>&1)." >&2
    echo "Name a newer one: make demo PYTHON=python3.12" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    echo "'$python' cannot make virtual environments: its venv module is not installed." >&2
    echo "On Debian and Ubuntu: sudo apt-get install python3-venv   then run make again." >&2
    exit 1
fi
echo "Making $venv with $("$python" -V 2>&1)"
"$python" -m venv "$venv"
