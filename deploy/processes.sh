# shellcheck shell=bash
# shellcheck disable=SC2034  # the colours are used by the script that sources this
# Starts, watches and stops the processes of deploy/quickstart. Sourced, not run. It knows
# nothing of what the processes are; see deploy/quickstart for that.
#
# The caller sets DIR (an absolute folder); this file keeps there pids/NAME and logs/NAME.log.
# Every process is a session of its own, so that Ctrl-C on the terminal reaches only the
# script, which then stops them in order; and it carries QUICKSTART_DIR=$DIR in its
# environment, by which a later start knows it for ours after a `kill -9` of the script.

STARTED=()      # names, in the order they were started
FOREGROUND=''   # the group of the command being waited for, if any

# ------------------------------------------------------------------------------- on screen

if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
  BOLD='' DIM='' RED='' GREEN='' PLAIN=''
fi

headline() { printf '%s%4ds%s  %s%s%s\n' "$DIM" "$SECONDS" "$PLAIN" "$BOLD" "$*" "$PLAIN"; }
detail() { printf '       %s\n' "$*"; }

# die SENTENCE…: the first in red, the others below it, and the end of the script.
die() {
  printf '\n%serror:%s %s\n' "$RED" "$PLAIN" "$1" >&2
  shift
  (($# == 0)) || printf '       %s\n' "$@" >&2
  exit 1
}

# The last lines a process wrote, for the one who has to find out.
show_log() {
  local log="$DIR/logs/$1.log"
  printf '\n%sthe last lines of %s:%s\n' "$DIM" "$log" "$PLAIN" >&2
  tail -n "${2:-15}" -- "$log" 2>/dev/null | sed 's/^/  | /' >&2 || true
}

# ----------------------------------------------------------------------------------- ports

# Prints who listens on a TCP port, or fails when nobody does. From /proc, since ss is not on
# every machine.
port_holder() {
  local inode link
  # State 0A is LISTEN; the port is the hexadecimal after the address.
  inode=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf ':%04X' "$1")" \
    '$4 == "0A" && substr($2, length($2) - 4) == port { print $10 }' | head -n 1)
  [[ -n $inode ]] || return 1
  link=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" 2>/dev/null | head -n 1) || true
  if [[ $link =~ ^/proc/([0-9]+)/ ]]; then
    printf '%s (pid %s)\n' "$(cat "/proc/${BASH_REMATCH[1]}/comm" 2>/dev/null)" "${BASH_REMATCH[1]}"
  else
    printf 'a process of another user\n'
  fi
}

# -------------------------------------------------------------------- whose process it is

# is_ours PID WORD: it runs, started by a quickstart on this folder, and its command line has
# WORD. A number from a stale file may by now be anybody's.
is_ours() {
  local pid=$1 word=$2
  [[ -r /proc/$pid/cmdline && -r /proc/$pid/environ ]] || return 1
  tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$word" || return 1
  tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qxF -- "QUICKSTART_DIR=$DIR"
}

# Stops what an earlier quickstart on this folder left running.
stop_leftovers() {
  local file name pid word
  for file in "$DIR"/pids/*; do
    [[ -f $file ]] || continue
    name=${file##*/}
    read -r pid word <"$file" || true
    if [[ ${pid:-} =~ ^[0-9]+$ && -n ${word:-} ]] && is_ours "$pid" "$word"; then
      detail "stopping $name (pid $pid), left over from an earlier start"
      stop_group "$pid" 50
    fi
    rm -f -- "$file"
  done
}

# -------------------------------------------------------------------------- start and stop

# start NAME COMMAND…: in a session of its own, output into its log, pid into its file.
start() {
  local name=$1
  shift
  # fd 9 is the folder's lock: a child that kept it would hold it longer than the script.
  QUICKSTART_DIR=$DIR setsid -- "$@" >>"$DIR/logs/$name.log" 2>&1 </dev/null 9>&- &
  printf '%s %s\n' "$!" "${COMMAND_WORD:-$(basename -- "$1")}" >"$DIR/pids/$name"
  STARTED+=("$name")
}

pid_of() {
  local pid
  read -r pid _ <"$DIR/pids/$1" && printf '%s\n' "$pid"
}

is_alive() { kill -0 "$(pid_of "$1")" 2>/dev/null; }

# http_status PORT PATH: the status of one GET on loopback, without needing curl.
http_status() {
  local line
  # In a subshell, whose end closes the connection; a refused one says so on standard error.
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&3
    IFS= read -r -t 2 line <&3 && [[ $line =~ ^HTTP/[0-9.]+\ ([0-9]{3}) ]] && printf '%s' "${BASH_REMATCH[1]}"
  ) 2>/dev/null
}

# wait_ready NAME PORT PATH SECONDS: until it answers 200 there.
wait_ready() {
  local name=$1 port=$2 path=$3 deadline=$((SECONDS + $4)) status
  while :; do
    status=$(http_status "$port" "$path") || status=''
    [[ $status == 200 ]] && return 0
    if ! is_alive "$name"; then
      show_log "$name"
      die "$name ended while it started."
    fi
    if ((SECONDS >= deadline)); then
      show_log "$name"
      die "$name is not ready after $4 s: http://127.0.0.1:$port$path answers ${status:-nothing}."
    fi
    sleep 0.1
  done
}

# Ended, but not yet waited for by its parent: an init that never does leaves it so for good.
is_zombie() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) && [[ ${stat##*) } == Z* ]]
}

# stop_group PID TENTHS: asks the process group to end, waits so long, then kills it.
stop_group() {
  local pid=$1 tenths=$2
  # A child that was started a moment ago may not have its group yet.
  kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || return 0
  while ((tenths-- > 0)) && kill -0 -- "-$pid" 2>/dev/null && ! is_zombie "$pid"; do
    sleep 0.1
  done
  kill -KILL -- "-$pid" 2>/dev/null || true
}

# Stops everything that was started, last first.
stop_all() {
  local index name
  if [[ -n $FOREGROUND ]]; then
    stop_group "$FOREGROUND" 20
    FOREGROUND=''
    rm -f -- "$DIR/pids/foreground"
  fi
  for ((index = ${#STARTED[@]} - 1; index >= 0; index--)); do
    name=${STARTED[index]}
    stop_group "$(pid_of "$name")" 100
    rm -f -- "$DIR/pids/$name"
  done
  STARTED=()
}

# foreground COMMAND…: runs to its end and returns its status, yet a signal to the script is
# acted on at once (bash would otherwise finish the command first).
foreground() {
  local status=0
  QUICKSTART_DIR=$DIR setsid -- "$@" </dev/null 9>&- &
  FOREGROUND=$!
  printf '%s %s\n' "$FOREGROUND" "$(basename -- "$1")" >"$DIR/pids/foreground"
  wait "$FOREGROUND" || status=$?
  FOREGROUND=''
  rm -f -- "$DIR/pids/foreground"
  return "$status"
}

# Stays until a signal, or until one of the processes ends by itself.
watch_all() {
  local name
  while :; do
    for name in "${STARTED[@]}"; do
      if ! is_alive "$name"; then
        show_log "$name"
        die "$name ended by itself."
      fi
    done
    # `wait` on the sleep, so that a signal need not wait for it.
    sleep 1 &
    wait $! || true
  done
}
