# shellcheck shell=bash
# What the servers of this folder have in common. A server is one file, which sources this one, says
#
#   title=…              what people call it
#   stop_signal=…        what asks it to end in good order
#   flags=(…)            the options of its own, without the dashes; "has FLAG" asks for one
#   installed            whether what it needs is here; quick, and silent
#   obtain               gets what it needs
#   initialise           makes $data ready, where it is not yet
#   serve                becomes the server, on $data and $port, by "become"
#   answers              whether the server on $port does its work
#   url                  what a test connects to
#
# and ends with `main "$@"`. The rest (arguments, locks, ports, waiting, ending) is here.

name=$(basename "$0")
folder=$(cd -P "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${DUCTAPE_SERVERS:-$(dirname "$(dirname "$folder")")/.servers}
cache=$(realpath -m "$cache")

# How long a server may take until it answers, in seconds: a cold disk and a busy machine included.
patience=120

title=
stop_signal=TERM
flags=()

port=
data=
log=
temporary=
while=
chosen=()
server=
watcher=
answered=

say() { printf '%s: %s\n' "$name" "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

usage() {
    local own
    own=$(printf ' [--%s]' "${flags[@]}")
    cat >&2 <<USAGE
$title for the tests.

  $name install
      Gets what the server needs, once for this machine. What is downloaded goes to
      $cache (DUCTAPE_SERVERS names another folder).

  $name run (--data DIR | --temporary) [--port PORT] [--while stdin|PID]${flags[*]:+$own}
      Installs, starts the server in the foreground and, once it answers, prints its URL:
      that one line is all of standard output. The server ends with this command.
      --data DIR       keeps its data and its log in DIR
      --temporary      keeps them in a folder of its own, which goes when the server ends
      --port PORT      listens there, instead of on a free port of its choice
      --while stdin    ends when standard input does: when whoever holds the other end is gone
      --while PID      ends when that process does
USAGE
    exit 2
}

has() {
    local flag
    for flag in "${chosen[@]}"; do
        if [[ $flag == "$1" ]]; then return 0; fi
    done
    return 1
}

main() {
    case ${1:-} in
        install)
            if (($# != 1)); then usage; fi
            ensure_installed
            ;;
        run)
            shift
            arguments "$@"
            run
            ;;
        *) usage ;;
    esac
}

arguments() {
    while (($#)); do
        case $1 in
            --data | --port | --while)
                if [[ -z ${2:-} ]]; then usage; fi
                case $1 in
                    --data) data=$(realpath -m "$2") ;;
                    --port) port=$2 ;;
                    --while) while=$2 ;;
                esac
                shift 2
                ;;
            --temporary)
                temporary=yes
                shift
                ;;
            --*)
                if [[ " ${flags[*]} " != *" ${1#--} "* ]]; then fail "has no option $1"; fi
                chosen+=("${1#--}")
                shift
                ;;
            *) usage ;;
        esac
    done
    if [[ -n $data && -n $temporary ]] || [[ -z $data && -z $temporary ]]; then usage; fi
    if [[ -n $port && ! $port =~ ^[0-9]+$ ]]; then usage; fi
    if [[ -n $while && ! $while =~ ^(stdin|[0-9]+)$ ]]; then usage; fi
}

# ---- installing

ensure_installed() {
    if installed; then return; fi
    mkdir -p "$cache"
    (
        flock 9
        if installed; then exit; fi
        say "not here yet: installing $title"
        # A daemon that an installation leaves behind must not keep the lock.
        obtain 9>&-
        if ! installed; then fail "$title was installed, and is still not usable"; fi
        say "$title is installed"
    ) 9>"$cache/$name.lock"
}

# packages NAME…: installs Debian packages, without starting the services they bring.
packages() {
    if ! command -v apt-get >/dev/null; then
        fail "needs the Debian packages $*, and there is no apt-get here"
    fi
    if ((EUID != 0)); then
        fail "needs the Debian packages $*: sudo apt-get install --no-install-recommends $*"
    fi
    (
        flock 9
        policy=/usr/sbin/policy-rc.d
        if [[ ! -e $policy ]]; then
            trap 'rm -f "$policy"' EXIT
            printf '#!/bin/sh\nexit 101\n' >"$policy"
            chmod 755 "$policy"
        fi
        say "apt-get install $*"
        # The lists of a fresh machine are empty, those of an old one name packages that are gone.
        apt install "$@" 9>&- || { apt update 9>&- && apt install "$@" 9>&-; } || {
            tail -n 20 "$cache/apt.log" >&2
            fail "could not install $*: the log is $cache/apt.log"
        }
    ) 9>"$cache/apt.lock"
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get "$1" -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "${@:2}" >>"$cache/apt.log" 2>&1
}

# ---- running

run() {
    ensure_installed
    trap finish EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM

    mkdir -p "$cache/run" "$cache/ports"
    sweep
    if [[ -n $temporary ]]; then
        data=$(mktemp -d "$cache/run/$name.XXXXXX")
        chmod 755 "$data"
    fi
    mkdir -p "$data"
    # The server inherits this lock, as it does the port's: they last as long as it does.
    exec {data_lock}>"$data/lock"
    if ! flock -n "$data_lock"; then
        temporary=
        fail "$data is in use by another server"
    fi
    log=$data/log
    choose_port
    initialise

    # A background command reads nothing unless it is told to: keep hold of our own standard input.
    exec {input}<&0
    serve {input}<&- </dev/null >>"$log" 2>&1 &
    server=$!
    case $while in
        '') ;;
        stdin) setpriv --pdeathsig KILL -- cat <&"$input" >/dev/null 2>&1 & ;;
        *) setpriv --pdeathsig KILL -- tail --pid="$while" -s 0.2 -f /dev/null >/dev/null 2>&1 & ;;
    esac
    if [[ -n $while ]]; then watcher=$!; fi
    exec {input}<&-

    await
    answered=yes
    url
    # Whoever reads our output sees its end here.
    exec >/dev/null

    local ended=
    wait -n -p ended "$server" ${watcher:+"$watcher"} || true
    if [[ $ended == "$server" ]]; then
        answered=
        fail "$title ended by itself"
    fi
}

await() {
    local until=$((SECONDS + patience))
    until answers; do
        if ! alive "$server"; then fail "$title ended before it answered"; fi
        if [[ -n $watcher ]] && ! alive "$watcher"; then exit 0; fi
        if ((SECONDS >= until)); then fail "$title did not answer on port $port in $patience s"; fi
        sleep 0.1
    done
    if ! alive "$server"; then fail "another server answers on port $port"; fi
}

# The ports lie below those that the kernel gives to outgoing connections.
choose_port() {
    local try
    if [[ -n $port ]]; then
        if ! reserve; then fail "port $port is taken"; fi
        return
    fi
    for ((try = 0; try < 200; try++)); do
        port=$((20000 + RANDOM % 12000))
        if reserve; then return; fi
    done
    fail "found no free port"
}

# Two servers that start at once both see the port free: the lock tells them apart.
reserve() {
    exec {port_lock}>"$cache/ports/$port"
    if flock -n "$port_lock" && ! listening; then return 0; fi
    exec {port_lock}>&-
    return 1
}

listening() { (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

alive() { kill -0 "$1" 2>/dev/null; }

# become SIGNAL USER COMMAND…: what `serve` ends with. The server gets SIGNAL when this script dies,
# however it dies. USER (or '') is whom it runs as where this script is root's.
become() {
    local signal=$1 user=$2
    shift 2
    if ((EUID != 0)); then user=; fi
    exec setpriv --pdeathsig "$signal" \
        ${user:+--reuid "$user" --regid "$user" --init-groups} -- "$@"
}

# as USER COMMAND…: runs a command as USER, where this script is root's.
as() {
    local user=$1
    shift
    if ((EUID != 0)); then
        "$@"
    else
        setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"
    fi
}

# reachable USER DIR: makes DIR and the folders above it searchable, where USER cannot get there.
reachable() {
    local above=$2
    until as "$1" test -x "$2"; do
        if (((8#$(stat -c %a "$above") & 1) == 0)); then
            say "chmod o+x $above, for the user $1"
            chmod o+x "$above"
        fi
        if [[ $above == / ]]; then break; fi
        above=$(dirname "$above")
    done
    as "$1" test -x "$2" || fail "the user $1 cannot get to $2"
}

# ---- ending

finish() {
    local code=$?
    trap '' HUP INT TERM
    trap - EXIT
    if [[ -n $watcher ]]; then kill -KILL "$watcher" 2>/dev/null || true; fi
    if [[ -n $server ]]; then end "$server"; fi
    if ((code == 1)) && [[ -z $answered && -s $log ]]; then
        say "the end of its log:"
        tail -n 20 "$log" >&2
    fi
    if [[ -n $temporary && -n $data ]]; then rm -rf "$data"; fi
    if [[ -n ${port_lock:-} ]]; then rm -f "$cache/ports/$port"; fi
    exit "$code"
}

end() {
    local try
    kill "-$stop_signal" "$1" 2>/dev/null || return 0
    for ((try = 0; try < 100; try++)); do
        if ! alive "$1"; then return 0; fi
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# What a run left behind that was itself killed: its folder is there, and nobody holds its lock.
sweep() {
    local left
    find "$cache/run" -mindepth 1 -maxdepth 1 -type d -mmin +5 | while read -r left; do
        if [[ ! -e $left/lock ]] || flock -n "$left/lock" true; then rm -rf "$left"; fi
    done
}
