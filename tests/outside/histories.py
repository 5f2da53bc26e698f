"""Entries and histories that cannot be, and whether our second verifier says so: others read no entries."""

import json

import oracle
from demo import expect, require
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader


def ours_refuses(check, *arguments):
    """Whether ours says what is wrong: any other error is one of its own."""
    try:
        check(*arguments)
    except oracle.Refused as why:
        return str(why)
    return None


def leaves_of(folder):
    reader = TilesReader(LocalBackend(folder))
    return [reader.get_entry(index) for index in range(reader.get_checkpoint().size)]


def saying(leaves, index, **facts):
    """The history in which an entry says something else."""
    entry = {**json.loads(leaves[index]), **facts}
    written = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()
    return [*leaves[:index], written, *leaves[index + 1 :]]


def check_wrong(wrong, vkey):
    """Each history is refused for its own reason; gives how many there are."""
    for what, (history, why) in wrong.items():
        said_why = ours_refuses(oracle.verify_entries, history, vkey)
        require(f"ours refuses {what}: {said_why}", said_why and why in said_why)
    return len(wrong)


def check_forms(leaves):
    """Every key of every type left out, moved, doubled, renamed, or with a value of another kind."""
    count, entries = 0, [json.loads(leaf) for leaf in leaves]
    for kind in sorted({entry["type"] for entry in entries}):
        index = next(index for index, entry in enumerate(entries) if entry["type"] == kind)
        leaf, entry = leaves[index], entries[index]
        oracle.read_entry(leaf)
        pairs = [f"{json.dumps(key)}:{json.dumps(value, ensure_ascii=False, separators=(',', ':'))}"
                 for key, value in entry.items()]  # fmt: skip
        written = ("{" + ",".join(pairs) + "}").encode()
        expect("the entry written anew", written, leaf)
        wrong = {
            "a blank": leaf.replace(b",", b", ", 1),
            "a line end": leaf + b"\n",
            "an escape that is not needed": leaf.replace(b"release", rb"\u0072elease", 1).replace(b'"main"', rb'"\u006dain"'),
            "no end": leaf[:-1],
            "another version": leaf.replace(b'"v":1', b'"v":2'),
            "a version in quotes": leaf.replace(b'"v":1', b'"v":"1"'),
            "a version with a fraction": leaf.replace(b'"v":1', b'"v":1.0'),
            "another type": leaf.replace(kind.encode(), b"release.other"),
            "bytes that are no text": leaf.replace(b'"v"', b'"\xff"'),
            "half a character": leaf.replace(b'"replica":"', rb'"replica":"\ud800'),
            "a time that is none": leaf.replace(entry["ts"].encode(), b"2024-06-31T00:00:00.000Z"),
            "a time without milliseconds": leaf.replace(entry["ts"].encode(), b"2024-06-21T00:00:00Z"),
            "a nonce in capitals": leaf.replace(entry["nonce"].encode(), b"AB" * 16),
        }
        for at, pair in enumerate(pairs):
            key = pair.split(":")[0]
            listed = {
                "is missing": pairs[:at] + pairs[at + 1 :],
                "stands twice": [*pairs[: at + 1], *pairs[at:]],
                "has another name": [*pairs[:at], pair.replace('"', '"x', 1), *pairs[at + 1 :]],
                "is true": [*pairs[:at], f"{key}:" + ("1" if key == '"match"' else "true"), *pairs[at + 1 :]],
                "is an object": [*pairs[:at], key + ":{}", *pairs[at + 1 :]],
                "is a negative number": [*pairs[:at], key + ":-1", *pairs[at + 1 :]],
                "is a number too large for one": [*pairs[:at], f"{key}:{2**53 + 1}", *pairs[at + 1 :]],
                "is a small number in quotes": [*pairs[:at], f'{key}:["7"]', *pairs[at + 1 :]],
            }
            if at:
                listed["stands one place earlier"] = [*pairs[: at - 1], pair, pairs[at - 1], *pairs[at + 1 :]]
            for what, parts in listed.items():
                wrong[f"{key} that {what}"] = ("{" + ",".join(parts) + "}").encode()
        for what, bad in wrong.items():
            require(f"{kind} with {what} is refused: {bad!r:.300}", bad == leaf or ours_refuses(oracle.read_entry, bad))
        count += len(wrong)
    return count
