"""The peer in Python: python3-rbd as one uses it. Reads a command a line, answers a line of JSON with its seconds.

librbd.py CONF; then: statuses POOL [PAGE] | promote POOL NAMES... | demote POOL NAMES...
"""
import json
import sys
import time

import rados
import rbd


def statuses(io, page):
    listed = rbd.MirrorImageStatusIterator(io)
    if page:
        listed.max_read = int(page)
    return sum(1 for _ in listed)


def each(io, names, verb):
    for name in names:
        with rbd.Image(io, name) as image:
            verb(image)
    return len(names)


def main():
    cluster = rados.Rados(conffile=sys.argv[1], rados_id="admin")
    cluster.connect(timeout=20)
    pools = {}
    for line in sys.stdin:
        word, pool, *rest = line.split()
        io = pools.setdefault(pool, None) or cluster.open_ioctx(pool)
        pools[pool] = io
        try:
            start = time.perf_counter()
            if word == "statuses":
                count = statuses(io, rest[0] if rest else None)
            elif word == "promote":
                count = each(io, rest, lambda image: image.mirror_image_promote(False))
            else:
                count = each(io, rest, lambda image: image.mirror_image_demote())
            answer = {"seconds": time.perf_counter() - start, "count": count}
        except Exception as error:
            answer = {"error": "%s: %s" % (type(error).__name__, error)}
        print(json.dumps(answer), flush=True)


main()
