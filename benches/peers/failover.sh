#!/bin/sh
# The guide's command for one image whose site is gone, and a write, until it goes through.
# failover.sh CONF-B POOL IMAGE
b="--conf $1 --id admin" image="$2/$3"
end=$(($(date +%s) + 100))
until rbd $b mirror image promote --force "$image" >/dev/null 2>&1 ||
    rbd $b info "$image" | grep -q 'mirroring primary: true'; do
    [ "$(date +%s)" -lt "$end" ] || { echo "$image is not promoted" >&2; exit 1; }
    sleep 0.2
done
until rbd $b bench --io-type write --io-size 4096 --io-total 4096 "$image" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || { echo "$image is not writable" >&2; exit 1; }
    sleep 0.2
done
