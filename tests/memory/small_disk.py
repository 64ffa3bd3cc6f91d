"""A store on a disk of three megabytes, which fills up, gets room again and turns read-only.

    unshare --user --map-root-user --mount python -m tests.memory.small_disk FOLDER

Mounts it on the folder (in a mount namespace of its own); one JSON object a line says what was seen.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

from memory.errors import MemoryFailure
from memory.records import Query, Selection
from memory.store import Store
from tests.memory.storing import HashEmbedder, moment, stream


def mount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", disk], check=True)


def picture_of(number: int) -> tuple[str, bytes]:
    content = b"\xff\xd8\xff" + random.Random(number).randbytes(20_000)
    return hashlib.sha256(content).hexdigest(), content


def remember(store: Store, number: int) -> None:
    digest, content = picture_of(number)
    store.remember(stream(), [moment(number, keyframe=digest)], {digest: content})


def refusal(store: Store, number: int) -> str:
    try:
        remember(store, number)
    except MemoryFailure as failure:
        return type(failure).__name__
    return ""


def whole(store: Store, count: int) -> bool:
    """Everything acknowledged is there, with its picture, and can be found. What was refused last
    may be there too, whole: the disk may have filled up after its last row."""
    kept = [moment(n, keyframe=picture_of(n)[0]) for n in range(count)]
    pictures = all(store.keyframe(kept[n].id) == picture_of(n)[1] for n in range(count))
    found = store.search(Query("crate 3 has part", limit=5))
    there = store.timeline("cam")
    refused = [moment(count, keyframe=picture_of(count)[0])]
    return there[:count] == kept and there[count:] in ([], refused) and pictures and len(found) == 5


def main(disk: Path) -> None:
    mount(disk, "size=3m")
    store = Store(disk / "store", HashEmbedder())
    count = 0
    while not (refused := refusal(store, count)):
        count += 1
    tell(
        acknowledged=count, refused=refused, again=refusal(store, count), whole=whole(store, count)
    )
    store.close()
    try:
        with Store(disk / "store", HashEmbedder()) as store:
            tell(opened_full=True, whole=whole(store, count))
    except MemoryFailure as failure:
        tell(opened_full=False, why=type(failure).__name__, whole=True)
    mount(disk, "remount,size=30m")
    with Store(disk / "store", HashEmbedder()) as store:
        tell(whole=whole(store, count), refused=refusal(store, count))
        count += 1
        receipt = store.forget(Selection(moment_ids=(moment(count - 1).id,)))
        tell(forgotten=receipt.moments, whole=whole(store, count - 1))
    view = disk / "view"
    view.mkdir()
    subprocess.run(["mount", "--bind", disk / "store", view], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", view], check=True)
    try:
        Store(view, HashEmbedder())
    except MemoryFailure as failure:
        tell(why=type(failure).__name__, said=str(failure))


def tell(**seen: object) -> None:
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
