# Makes a machine ready: Python packages, Java, a second environment with Spark 3.5.
# scripts/demo, scripts/test and scripts/check source it; on its own it does nothing.
# shellcheck shell=bash

ROOT="$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd -P)"
VENV="$ROOT/.venv"
VENV_SPARK35="$ROOT/.venv-spark35"
MIN_PYTHON=3.10
MAX_PYTHON=3.13
MIN_JAVA=17

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

# ---- Debian packages ----------------------------------------------------------------------

apt_has() { [[ "$(LC_ALL=C apt-cache policy "$1" 2>/dev/null)" == *'Candidate: '[!\(]* ]]; }

# Print the first of the named packages that apt knows, or the first of all.
apt_pick() {
    local package
    for package in "$@"; do
        if apt_has "$package"; then
            printf '%s' "$package"
            return
        fi
    done
    printf '%s' "$1"
}

# Install the first of the named packages that apt has. False where that is not allowed or fails.
apt_install() {
    local package said
    local -a as_root=()
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || return 1
        as_root=(sudo -n)
    fi
    local -a apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
    said="$("${apt[@]}" update 2>&1 </dev/null)" || say "$said"
    package="$(apt_pick "$@")"
    say "Installing $package with apt-get"
    if ! said="$("${apt[@]}" install -y --no-install-recommends "$package" 2>&1 </dev/null)"; then
        say "$said"
        return 1
    fi
}

apt_command() { printf 'sudo apt-get update && sudo apt-get install -y %s' "$(apt_pick "$@")"; }

# ---- Python ----------------------------------------------------------------------------------

# Print "VERSION PATH" of a supported Python, or nothing. A command may exist and still not run.
describe_python() {
    "$1" -c "
import sys
low, high = (tuple(map(int, v.split('.'))) for v in ('$MIN_PYTHON', '$MAX_PYTHON'))
if low <= sys.version_info[:2] <= high:
    path = getattr(sys, '_base_executable', None) or sys.executable
    print('%d.%d' % sys.version_info[:2], path)
" 2>/dev/null || true
}

can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# Print "VERSION PATH" of the newest supported Python that can make environments; where none can,
# of the newest.
find_python() {
    local candidate found first=""
    if [ -n "${PYTHON:-}" ]; then
        found="$(describe_python "$PYTHON")"
        [ -n "$found" ] || die "PYTHON=$PYTHON is no Python $MIN_PYTHON to $MAX_PYTHON that runs"
        printf '%s' "$found"
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3.10 python3 python; do
        found="$(describe_python "$candidate")"
        [ -n "$found" ] || continue
        if can_make_venv "${found#* }"; then
            printf '%s' "$found"
            return
        fi
        first="${first:-$found}"
    done
    if [ -z "$first" ]; then
        candidate="$(apt_pick python3.13 python3.12 python3.11 python3.10)"
        die "no Python $MIN_PYTHON to $MAX_PYTHON on PATH. Type:
    $(apt_command "$candidate") $candidate-venv
or name one: PYTHON=/path/to/python3 $0"
    fi
    printf '%s' "$first"
}

# Make an empty environment at .venv, marked unfinished.
make_venv() {
    local found version python
    found="$(find_python)" || exit 1
    version="${found%% *}" python="${found#* }"
    if ! can_make_venv "$python"; then
        apt_install "python$version-venv" python3-venv || true
        can_make_venv "$python" || die "$python cannot make environments: no module venv. Type:
    $(apt_command "python$version-venv" python3-venv)"
    fi
    say "Making .venv with Python $version ($python)"
    rm -rf -- "$VENV"
    mkdir -- "$VENV"
    mark_unfinished "$VENV"
    "$python" -m venv "$VENV" || die "$python could not make $VENV"
}

# The file "state" in an environment holds what it was made from, or "unfinished".
mark_unfinished() { printf 'unfinished\n' >"$1/state"; }

state_of() { cat -- "$1/state" 2>/dev/null || true; }

fingerprint() {
    local hash
    hash="$(cd -- "$ROOT" && cat -- "$@" | sha256sum)"
    printf '%s %s' "${hash%% *}" "$ROOT"
}

is_ready() {
    [ "$(state_of "$1")" = "$2" ] && "$1/bin/python" -c 'import pip' 2>/dev/null
}

# Whether an environment can be brought up to date where it stands.
is_sound() {
    local state
    state="$(state_of "$1")"
    [ "$state" != unfinished ] || return 1
    [ -z "$state" ] || [ "${state#* }" = "$ROOT" ] || return 1 # it was moved
    "$1/bin/python" -c 'import pip' 2>/dev/null || return 1
    [ -n "$(describe_python "$1/bin/python")" ]
}

pip_install() {
    local venv="$1"
    shift
    local -a quiet=(--quiet)
    [ ! -t 2 ] || quiet=()
    (cd -- "$ROOT" && PYTHONWARNINGS=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
        "$venv/bin/python" -m pip install --no-input --no-warn-script-location \
        "${quiet[@]}" "$@" >&2 </dev/null) ||
        die "pip could not install the packages of ${venv##*/}; what it said is above. Where the
network needs a mirror or a proxy, set PIP_INDEX_URL or HTTPS_PROXY, and run this again."
}

# Wait for another set-up in this checkout, then run the rest of the command line.
locked() {
    (
        exec 9>"$ROOT/.venv.lock"
        if ! flock -n 9; then
            say "Waiting for another set-up of .venv"
            flock 9
        fi
        "$@"
    )
}

# Make .venv ready with everything pinned in constraints.txt.
use_python() {
    clean_environment
    local want
    want="$(fingerprint scripts/constraints.txt pyproject.toml setup.cfg)"
    if [ -n "${PYTHON:-}" ] && ! same_python; then
        say "PYTHON=$PYTHON is not the version of .venv"
        locked make_venv || exit 1
    fi
    is_ready "$VENV" "$want" || locked install_venv "$want" || exit 1
    export VIRTUAL_ENV="$VENV" PATH="$VENV/bin:$PATH"
}

same_python() {
    local here there
    here="$(describe_python "$VENV/bin/python")" there="$(describe_python "$PYTHON")"
    [ -z "$here" ] || [ "${here%% *}" = "${there%% *}" ]
}

install_venv() {
    local want="$1"
    ! is_ready "$VENV" "$want" || return 0
    if [ "$(state_of "$VENV")" = unfinished ]; then
        say "The last set-up of .venv did not finish: starting again"
    fi
    is_sound "$VENV" || make_venv
    mark_unfinished "$VENV"
    say "Installing the packages of .venv: minutes the first time"
    pip_install "$VENV" --constraint scripts/constraints.txt pip setuptools wheel
    pip_install "$VENV" --constraint scripts/constraints.txt --no-build-isolation \
        --editable '.[all,dev]'
    printf '%s\n' "$want" >"$VENV/state"
}

# A Spark, Hadoop or Python that was set up for something else must not mix with the pinned ones.
clean_environment() {
    unset SPARK_HOME SPARK_CONF_DIR HADOOP_CONF_DIR YARN_CONF_DIR PYTHONHOME PYTHONPATH
    unset PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON PYSPARK_SUBMIT_ARGS
    export SPARK_LOCAL_IP="${SPARK_LOCAL_IP:-127.0.0.1}"
}

# ---- Spark 3.5 -------------------------------------------------------------------------------

# Make .venv-spark35 ready: an environment that sees the packages of .venv behind its own few.
use_spark35() {
    local want
    want="$(fingerprint scripts/constraints-spark35.txt scripts/constraints.txt)"
    want+=" $(readlink -f -- "$VENV/bin/python")"
    is_ready "$VENV_SPARK35" "$want" || locked install_spark35 "$want" || exit 1
}

install_spark35() {
    local want="$1"
    ! is_ready "$VENV_SPARK35" "$want" || return 0
    say "Making .venv-spark35"
    rm -rf -- "$VENV_SPARK35"
    mkdir -- "$VENV_SPARK35"
    mark_unfinished "$VENV_SPARK35"
    "$VENV/bin/python" -m venv --without-pip "$VENV_SPARK35" ||
        die "could not make $VENV_SPARK35"
    "$VENV/bin/python" -c "$see_packages" "$VENV_SPARK35" || die "could not complete $VENV_SPARK35"
    pip_install "$VENV_SPARK35" --constraint scripts/constraints-spark35.txt \
        --no-build-isolation numpy pyarrow pyspark
    printf '%s\n' "$want" >"$VENV_SPARK35/state"
}

# Python: let the environment in argv[1] see the packages of this one, behind its own.
see_packages='
import sys, sysconfig
places = {"base": sys.argv[1], "platbase": sys.argv[1]}
own, behind = sysconfig.get_path("purelib", vars=places), sysconfig.get_path("purelib")
with open(own + "/behind.pth", "w") as file:
    file.write(f"import site; site.addsitedir({behind!r})\n")
'

# ---- Java ------------------------------------------------------------------------------------

# Print the major version of a java command: 17 for "17.0.15", 8 for "1.8.0_292".
java_version() {
    "$1" -version 2>&1 |
        sed -n '/ version "/{s/.* version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p;q}' || true
}

is_java() {
    local version
    version="$(java_version "$1")"
    [ "${version:-0}" -ge "$MIN_JAVA" ]
}

# Choose a Java for Spark: that of JAVA_HOME, of PATH, or of the places where Debian keeps them.
find_java() {
    local java
    if [ -n "${JAVA_HOME:-}" ] && is_java "$JAVA_HOME/bin/java"; then
        return 0
    fi
    if is_java java; then
        unset JAVA_HOME
        return 0
    fi
    for java in /usr/lib/jvm/*/bin/java; do
        if [ -x "$java" ] && is_java "$java"; then
            export JAVA_HOME="${java%/bin/java}"
            return 0
        fi
    done
    return 1
}

# Make sure that Spark finds a Java.
use_java() {
    local -a packages=(openjdk-17-jre-headless openjdk-21-jre-headless default-jre-headless)
    ! find_java || return 0
    apt_install "${packages[@]}" || true
    find_java || die "Spark needs Java $MIN_JAVA or newer, and there is none. Type:
    $(apt_command "${packages[@]}")
or set JAVA_HOME to one."
}
