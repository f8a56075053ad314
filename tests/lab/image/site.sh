#!/bin/sh
# The first process of a site's container: ceph-lab-site DIR SITE. The lab starts each daemon by itself, so that it can end, freeze
# and restart each by itself. This one keeps the container open; told to stop, it ends the daemons in good order first.
set -eu
DIR=$1 SITE=$2

# $1 is the pid, $2 the start time by which the lab knows a daemon. Field 22 of stat, see proc(5).
lives() {
    read -r stat < "/proc/$1/stat" || return 1
    set -- "$2" ${stat##*) }
    [ "$1" = "${21}" ] && case $2 in Z | X) return 1 ;; esac
}

stop() {
    trap - TERM INT
    for file in "$DIR"/run/"$SITE".*.pid; do
        read -r pid started < "$file" && lives "$pid" "$started" && kill -TERM "$pid" && kill -CONT "$pid"
    done 2>/dev/null || :
    # The engine kills what is left after its own ten seconds.
    for _ in $(seq 90); do
        left=
        for file in "$DIR"/run/"$SITE".*.pid; do
            read -r pid started < "$file" && lives "$pid" "$started" && left=$pid
        done 2>/dev/null || :
        [ -n "$left" ] || break
        sleep 0.1
    done
    exit 0
}
trap stop TERM INT

while :; do
    sleep 86400 &
    wait $! || :
done
