#!/bin/sh
# The guide's commands for one image: flatten, enable, and look at the other site until it replays with nothing behind.
# protect.sh CONF-A CONF-B POOL IMAGE
set -e
a="--conf $1 --id admin" b="--conf $2 --id admin" image="$3/$4"
rbd $a flatten --no-progress "$image" >/dev/null 2>&1
rbd $a mirror image enable "$image" journal >/dev/null
end=$(($(date +%s) + 150))
until rbd $b mirror image status "$image" 2>/dev/null | grep -q 'up+replaying.*' &&
    rbd $b mirror image status "$image" 2>/dev/null | grep -q '"entries_behind_primary":0,'; do
    [ "$(date +%s)" -lt "$end" ] || { echo "$image is not protected" >&2; exit 1; }
    sleep 0.5
done
