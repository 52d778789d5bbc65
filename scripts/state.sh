# shellcheck shell=bash
# Sourced by the other scripts: where things are, how a script speaks, and what Sluice remembers of what it started.
#
#   .sluice/dockerd.pid   the engine that scripts/docker started
#   .sluice/swarm         the id of the swarm that scripts/swarm made
#   .sluice/stacks        the stacks that scripts/deploy deployed, one a line
#
# scripts/down undoes what stands there and touches nothing else.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
state=${SLUICE_STATE:-$root/.sluice}
# shellcheck disable=SC2034 # used by the scripts that source this
build=$root/.build tools=$root/.tools/bin
export PATH=$PATH:/usr/sbin:/sbin:/usr/local/go/bin

# say WORDS: one line for one thing done, with the name of the script in front.
say() { printf '%-11s %s\n' "${0##*/}:" "$*"; }

# die WORDS: why it cannot go on.
die() { printf '%-11s %s\n' "${0##*/}:" "$*" >&2; exit 1; }

# remember FILE LINE: notes LINE once in a file of the state directory.
remember() {
    mkdir -p "$state"
    grep -qxsF -- "$2" "$state/$1" || printf '%s\n' "$2" >>"$state/$1"
}

# remembered FILE: what was noted, a line each; nothing when there is no such file.
remembered() { cat "$state/$1" 2>/dev/null || true; }

# forget FILE
forget() { rm -f "${state:?}/$1"; }

# engine_answers: whether a Docker Engine answers on DOCKER_HOST or the default socket.
engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# has_image NAME: whether the engine has the image; pull NAME: fetches it, or says no within two minutes.
has_image() { docker image inspect "$1" >/dev/null 2>&1; }
pull() { timeout 120 docker pull --quiet "$1" >/dev/null 2>&1; }

# within SECONDS COMMAND: tries the command until it succeeds, or fails when the time is over.
within() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < until)) || return 1
        sleep 0.2
    done
}
