# Finds Python and Java, and makes .venv. scripts/demo, scripts/test and scripts/check source it.
# shellcheck shell=bash

ROOT="$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd -P)"
VENV="$ROOT/.venv"
cd -- "$ROOT" || exit 1

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Print $PYTHON, or the newest Python on PATH, if it is one that can make environments.
find_python() {
    local candidate
    # shellcheck disable=SC2086
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3.10 python3 python}; do
        if "$candidate" -c 'import ensurepip, sys, venv
sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    die "no Python 3.10 to 3.13 with its module venv: ${PYTHON:-on PATH}. Type:
    sudo apt-get update && sudo apt-get install -y python3-venv
or name one: PYTHON=/path/to/python3 $0"
}

# Whether .venv is whole, stands where it was made, and has the version of a Python.
is_sound() {
    "$VENV/bin/pip" --version >/dev/null 2>&1 && [ "$("$VENV/bin/python" -V)" = "$("$1" -V)" ]
}

pip_install() {
    PYTHONWARNINGS=ignore "$VENV/bin/python" -m pip install -q -c scripts/constraints.txt "$@"
}

# Make .venv ready with everything pinned in constraints.txt, once, whoever else is about to.
use_python() {
    # A Spark, Hadoop or Python that was set up for something else must not mix with the pinned ones.
    unset SPARK_HOME SPARK_CONF_DIR HADOOP_CONF_DIR YARN_CONF_DIR PYTHONHOME PYTHONPATH
    unset PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON PYSPARK_SUBMIT_ARGS
    export SPARK_LOCAL_IP="${SPARK_LOCAL_IP:-127.0.0.1}" PIP_DISABLE_PIP_VERSION_CHECK=1
    local want
    want="$(cat scripts/constraints.txt pyproject.toml setup.cfg | sha256sum) $ROOT ${PYTHON:-}"
    (
        flock 9
        [ "$(cat "$VENV/state" 2>/dev/null)" != "$want" ] || exit 0
        python="$(find_python)" || exit 1
        printf 'Making .venv with %s: minutes the first time\n' "$python"
        is_sound "$python" || "$python" -m venv --clear "$VENV" || die "$python could not make $VENV"
        pip_install pip setuptools wheel &&
            pip_install --no-build-isolation --editable '.[all,dev]' ||
            die "the packages of .venv could not be installed; what pip said is above. Where the
network needs a mirror or a proxy, set PIP_INDEX_URL or HTTPS_PROXY, and run this again."
        printf '%s\n' "$want" >"$VENV/state"
    ) 9>"$ROOT/.venv.lock" >&2 </dev/null || exit 1
    export VIRTUAL_ENV="$VENV" PATH="$VENV/bin:$PATH"
}

# Choose a Java for Spark: that of JAVA_HOME, of PATH, or of the places where Debian keeps them.
use_java() {
    local java version
    for java in ${JAVA_HOME:+"$JAVA_HOME/bin/java"} java /usr/lib/jvm/*/bin/java; do
        version="$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p;q')" || true
        [ "${version:-0}" -ge 17 ] || continue
        if [ "$java" = java ]; then unset JAVA_HOME; else export JAVA_HOME="${java%/bin/java}"; fi
        return
    done
    die "Spark needs Java 17 or newer, and there is none. Type:
    sudo apt-get update && sudo apt-get install -y default-jre-headless
or set JAVA_HOME to one."
}
