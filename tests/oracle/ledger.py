#!/usr/bin/env python3
"""A second verifier of the ledger, written from `docs/ledger-format.md` alone; it shares nothing with the program. Python
3.11 or later, nothing else.

    ledger.py export DIR VKEY [CHECKPOINT]...    a folder of `salinan log export --tiles`
    ledger.py receipt FILE VKEY                  a receipt (section 7)

Each CHECKPOINT is a file with one seen earlier: the ledger has to be a continuation of it. Exit 0: sound. 1: not sound,
with the reason. 2: it could not be checked.

It holds the whole ledger in memory and takes its time. In one thing it is stricter than `salinan log verify`, which
remembers open releases only: a release that was closed may not be opened again, and an acknowledgement has to say
truly whether it matches.
"""

import base64
import hashlib
import json
import re
import sys
from pathlib import Path

import ed25519
from ledger_forms import Refused, from_base64, number, read_entry, read_vkey, require

TILE = 256


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(entry):
    return sha256(b"\x00" + entry)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


def rows_of(hashes):
    """Level by level the roots of all whole subtrees: row `h` holds those of `2 ** h` entries."""
    rows = [hashes]
    while len(rows[-1]) > 1:
        row = rows[-1]
        rows.append([node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)])
    return rows


def root_at(rows, size):
    """The root of the first `size` entries (section 3)."""
    root, first = None, size
    for height in range(size.bit_length()):
        if size >> height & 1:
            first -= 1 << height
            whole = rows[height][first >> height]
            root = whole if root is None else node_hash(whole, root)
    return sha256(b"") if root is None else root


class Checkpoint:
    """A signed note over name, size and root (section 4)."""

    def __init__(self, note):
        self.text, separator, signatures = note.partition("\n\n")
        require(separator and signatures.endswith("\n"), "the checkpoint is no signed note")
        lines = self.text.split("\n")
        require(len(lines) == 3 and lines[0], "the checkpoint is not three lines")
        require(lines[1].isascii() and lines[1].isdigit() and str(int(lines[1])) == lines[1], "its size is no number")
        self.name, self.size, self.root = lines[0], int(lines[1]), from_base64(lines[2])
        require(len(self.root) == 32, "its root is no digest")
        self.signatures = signatures.removesuffix("\n").split("\n")

    def verify(self, vkey):
        """Whose it is; other signers' lines are passed over."""
        require(self.name == read_vkey(vkey)[0], "the checkpoint is of another name than the key")
        verify_signature(self.signatures, f"{self.text}\n", vkey)
        return self


def verify_signature(lines, text, vkey):
    """One of these lines of a signed note has to be the key's, and it has to verify."""
    name, key_id, key = read_vkey(vkey)
    own = []
    for line in lines:
        parts = line.split(" ")
        require(len(parts) == 3 and parts[0] == "—" and parts[1], "a signature is no signature line")
        blob = from_base64(parts[2])
        if parts[1] == name and blob[:4] == key_id:
            own.append(blob[4:])
    require(own, "it is not signed with this key")
    for signature in own:
        require(ed25519.verifies(key, text.encode(), signature), "the signature does not verify")


def open_checkpoint(note, vkey):
    return Checkpoint(note).verify(vkey)


def verify_handover(entry):
    """Both keys signed a `key.rotate` (section 2)."""
    old, new = entry["old_vkey"], entry["new_vkey"]
    name = read_vkey(old)[0]
    require(old != new and read_vkey(new)[0] == name, "it is no handover between two keys of one name")
    root = base64.b64encode(bytes.fromhex(entry["head_root"])).decode()
    text = f"salinan key.rotate\n{name}\n{number(entry['head_size'])}\n{root}\n{new}\n"
    verify_signature([entry["old_signature"]], text, old)
    verify_signature([entry["new_signature"]], text, new)


class Release:
    def __init__(self, intent, entry):
        self.intent, self.id = intent, entry["release"]
        self.ceiling, self.bytes = entry["ceiling_bytes"], 0
        self.reserved = number(entry["quota"]["reserved"]) if "quota" in entry else None
        self.end = None

    def holds(self, bytes_):
        return bytes_ >= self.bytes and (self.ceiling is None or bytes_ <= number(self.ceiling))


class Pass:
    """What entries mean after those before them (section 6)."""

    def __init__(self, rows, boots):
        self.rows, self.boots = rows, boots
        self.releases, self.frozen = {}, set()
        # Each key in force, with the size of its first checkpoint.
        self.keys = []
        # What the last change of policies and register ended with.
        self.digests = {}
        # The policies in force, and the part of a change that was read last, until the change is whole.
        self.policies, self.part = set(), None

    def follow(self, index, entry):
        kind = entry["type"]
        require((kind == "log.genesis") == (index == 0), "`log.genesis` is entry 0 and no other")
        require(self.part is None or kind == "policy.change", "it stands between two parts of a change of policies")
        if "head_size" in entry:
            size = number(entry["head_size"])
            is_before = 0 < size <= index if kind == "log.heartbeat" else size == index
            require(is_before, "it found another number of entries")
            require(bytes.fromhex(entry["head_root"]) == root_at(self.rows, size), "it found another root")
        step = getattr(self, kind.replace(".", "_"), None)
        if step:
            step(index, entry)

    def verify_checkpoint(self, checkpoint):
        """By the key in force at its size; the first one after a change bears the signatures of both."""
        for at, (begins, vkey) in enumerate(self.keys):
            ends = self.keys[at + 1][0] if at + 1 < len(self.keys) else checkpoint.size
            if begins <= checkpoint.size <= ends:
                checkpoint.verify(vkey)

    def log_genesis(self, _, entry):
        require(entry["vkeys"], "it has no key")
        require(entry["origin"] == read_vkey(entry["vkeys"][0])[0], "its origin is not the key's name")
        self.keys.append((1, entry["vkeys"][0]))

    def key_rotate(self, index, entry):
        old, new = entry["old_vkey"], entry["new_vkey"]
        require(old == self.keys[-1][1], "the key in force is another")
        require(new not in [vkey for _, vkey in self.keys], "the new key was in force before")
        verify_handover(entry)
        self.keys.append((index + 1, new))

    def log_continue(self, index, entry):
        lost = open_checkpoint(entry["lost"], self.keys[-1][1])
        require(lost.size > index, "nothing was lost")

    def changed(self, entry):
        require(entry["old_digest"] == self.digests.get(entry["type"]), "before it was something else")
        require(entry["old_digest"] != entry["new_digest"], "it changes nothing")
        self.digests[entry["type"]] = entry["new_digest"]

    def policy_change(self, _, entry):
        if self.part is None:
            require(entry["part"] == 1, "parts of the change before it are missing")
            self.changed(entry)
            last = None
        else:
            same = {key: entry[key] for key in OF_CHANGE} == {key: self.part[key] for key in OF_CHANGE}
            require(same, "it is no part of the change before it")
            require(entry["part"] == self.part["part"] + 1, "it is not the next part")
            last = lines_of(self.part)[-1]
        for line in lines_of(entry):
            require(last is None or last < line, "its policies are not in order")
            (is_added, *policy), last = line, line
            require((tuple(policy) in self.policies) != is_added, "it adds what was in force, or removes what was not")
            (self.policies.add if is_added else self.policies.remove)(tuple(policy))
        self.part = entry
        if entry["part"] == entry["parts"]:
            self.part = None
            require(digest_of(self.policies) == entry["new_digest"], "its lists do not lead to its new digest")

    def end(self):
        require(self.part is None, "the last parts of a change of policies are missing")

    def register_change(self, _, entry):
        self.changed(entry)

    def log_freeze(self, _, entry):
        self.frozen.add(entry["election"])

    def replica_start(self, index, entry):
        require(entry["previous_boot"] == self.boots[index - 1], "the boot before was another")

    def release_intent(self, index, entry):
        require(entry["release"] not in self.releases, "the release was opened before")
        require(entry["determination"]["election"] not in self.frozen, "its election is over")
        if quota := {name: number(value) for name, value in entry.get("quota", {}).items()}:
            require(quota["from_ms"] < quota["until_ms"], "the period of its quota does not last")
            require(quota["taken"] + quota["reserved"] <= quota["rows"], "it keeps back more rows than its quota had left")
        self.releases[entry["release"]] = Release(index, entry)

    def of(self, entry):
        release = self.releases.get(entry["release"])
        require(release and release.intent == number(entry["intent"]), "it names no intent of its release")
        return release

    def open(self, entry):
        release = self.of(entry)
        require(release.end is None, "the release has ended")
        return release

    def release_grant(self, _, entry):
        release = self.open(entry)
        is_raised = release.ceiling is None or number(entry["ceiling_bytes"]) > number(release.ceiling)
        require(is_raised, "the ceiling does not rise")
        require(release.holds(number(entry["bytes"])), "more had left than was granted, or less than before")
        release.ceiling, release.bytes = entry["ceiling_bytes"], number(entry["bytes"])

    def release_complete(self, _, entry):
        release = self.open(entry)
        release.end = entry
        require(release.holds(number(entry["bytes"])), "more left than was granted, or less than before")
        is_within = release.reserved is None or number(entry["rows_out"]) <= release.reserved
        require(is_within, "more rows were handed over than its intent had kept back")
        is_whole, cause = entry["outcome"] == "complete", entry["cause"]
        require(is_whole == (cause is None or is_whole and cause in LET_FINISH), "outcome and cause do not agree")
        require(entry["outcome"] != "failed" or entry["bytes"] == 0, "nothing was sent, and yet bytes were")
        is_empty = entry["body_sha256"] == sha256(b"").hex()
        require(is_empty == (entry["bytes"] == 0), "bytes and digest do not agree")
        require(entry["coding"] or entry["coded_bytes"] is None, "coded bytes without a coding")

    def release_reconciled(self, _, entry):
        release = self.open(entry)
        release.end = entry
        bounds = (number(entry["bytes_min"]), entry["bytes_max"])
        require(bounds == (release.bytes, release.ceiling), "its bounds are not those of the last grant")

    def release_ack(self, _, entry):
        end = self.of(entry).end
        require(end, "the release is open")
        said = all(entry[mine] == end.get(theirs) for mine, theirs in ACKNOWLEDGED.items())
        require(entry["match"] == (end.get("outcome") == "complete" and said), "`match` is not what it says")


# Why a copy might have been broken off, and was let finish.
LET_FINISH = ("token_expired", "token_revoked", "mandate_over")
OF_CHANGE = ("old_digest", "new_digest", "parts", "build", "config_digest")


def lines_of(change):
    """The lines of a part in the order that they have to be in: what is removed, then what is added."""
    parts = [(False, change["removed"]), (True, change["added"])]
    return [(is_added, *(one.encode() for one in line)) for is_added, lines in parts for line in lines]


def digest_of(policies):
    """Of a list of policies (section 2, `policy.change`)."""
    lines = [[part.decode() for part in line] for line in sorted(policies)]
    written = [json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines]
    return sha256("".join(f"{line}\n" for line in ["salinan-policy-set-2", *written]).encode()).hex()


ACKNOWLEDGED = {"rows": "rows_out", "bytes": "bytes", "body_sha256": "body_sha256"}


def verify_entries(leaves, vkey):
    """Forms and meaning of all entries; gives the rows of their tree, what they say, and the pass over them."""
    rows = rows_of([leaf_hash(leaf) for leaf in leaves])
    entries = []
    index = 0
    try:
        for index, leaf in enumerate(leaves):
            entries.append(read_entry(leaf))
        course = Pass(rows, [entry["boot"] for entry in entries])
        for index, entry in enumerate(entries):
            course.follow(index, entry)
        course.end()
    except Refused as why:
        raise Refused(f"entry {index}: {why}") from None
    require(vkey in [own for _, own in course.keys], "the key given was never in force")
    return rows, entries, course


def tile_path(index):
    """Tile 1234067 is `x001/x234/067`."""
    path = f"{index % 1_000:03}"
    while index >= 1_000:
        index //= 1_000
        path = f"x{index % 1_000:03}/{path}"
    return path


def tiles(folder, level, count):
    """The tiles of a level that holds `count` hashes or entries, each with its width."""
    for index in range((count + TILE - 1) // TILE):
        width = min(TILE, count - index * TILE)
        name = f"tile/{level}/{tile_path(index)}" + ("" if width == TILE else f".p/{width}")
        try:
            yield name, width, (folder / name).read_bytes()
        except OSError:
            raise Refused(f"{name} is not there") from None


def read_leaves(folder, size):
    leaves = []
    for name, width, data in tiles(folder, "entries", size):
        at = 0
        for _ in range(width):
            length = int.from_bytes(data[at : at + 2], "big")
            at += 2 + length
            require(at <= len(data), f"{name} is cut off")
            leaves.append(data[at - length : at])
        require(at == len(data), f"{name} is too long")
    return leaves


def decoded(data):
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Refused("it is not UTF-8") from None


def verify_export(folder, vkey, seen=()):
    """Everything that an export can show; gives what its entries say."""
    folder = Path(folder)
    checkpoint = Checkpoint(decoded((folder / "checkpoint").read_bytes()))
    require(checkpoint.size > 0, "a ledger has at least its `log.genesis`")
    rows, entries, course = verify_entries(read_leaves(folder, checkpoint.size), vkey)
    course.verify_checkpoint(checkpoint)
    count, level = checkpoint.size, 0
    while count:
        hashes = rows[8 * level]
        for at, (name, width, data) in enumerate(tiles(folder, level, count)):
            require(data == b"".join(hashes[at * TILE : at * TILE + width]), f"{name} is not of these entries")
        count, level = count // TILE, level + 1
    require(root_at(rows, checkpoint.size) == checkpoint.root, "the root is not that of the entries")
    for note in seen:
        old = Checkpoint(note)
        require(0 < old.size <= checkpoint.size, f"the ledger is smaller than a checkpoint of {old.size}")
        course.verify_checkpoint(old)
        require(root_at(rows, old.size) == old.root, f"the ledger is another than at size {old.size}")
    return entries


def verify_proof(proof, leaf, vkey):
    """A `tlog-proof@v1` of one entry; gives its index and its checkpoint."""
    head, separator, note = proof.partition("\n\n")
    require(separator, "the proof has no checkpoint")
    header, index, *path = head.split("\n")
    require(header == "c2sp.org/tlog-proof@v1", "it is no proof of this version")
    digits = index.removeprefix("index ")
    require(index.startswith("index ") and digits.isascii() and digits.isdigit(), "the proof has no index")
    require(str(int(digits)) == digits, "the proof has no index")
    checkpoint = open_checkpoint(note, vkey)
    hashes = [from_base64(line) for line in path]
    require(all(len(one) == 32 for one in hashes), "a hash of the proof is none")
    # RFC 9162, section 2.1.3.2.
    require(int(digits) < checkpoint.size, "the index is beyond the checkpoint")
    fn, sn, root = int(digits), checkpoint.size - 1, leaf_hash(leaf)
    for one in hashes:
        require(sn != 0, "the proof is too long")
        if fn & 1 or fn == sn:
            root = node_hash(one, root)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node_hash(root, one)
        fn, sn = fn >> 1, sn >> 1
    require(sn == 0 and root == checkpoint.root, "the proof does not lead to the root")
    return int(digits), checkpoint


def verify_receipt(text, vkey):
    """A receipt (section 7); gives its entries by index."""
    try:
        receipt = json.loads(text)
        require(set(receipt) - {"handovers"} == RECEIPT, "it is no receipt of this version")
        require(receipt["format"] == "salinan-receipt@v1", "it is no receipt of this version")
        shown, handovers = [
            [(one["index"], one["leaf"].encode(), one["proof"]) for one in receipt.get(part, [])]
            for part in ["entries", "handovers"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Refused("it is no receipt") from None
    release, note = receipt["release"], receipt["checkpoint"]
    require(isinstance(note, str) and isinstance(release, str), "it is no receipt")
    require([index for index, _, _ in handovers] == sorted({index for index, _, _ in handovers}), "handovers out of order")
    known = vkey
    for index, leaf, _ in handovers:
        entry = read_entry(leaf)
        require(entry["type"] == "key.rotate", f"entry {index} is no handover")
        if vkey != known or entry["old_vkey"] == known:
            require(entry["old_vkey"] == vkey, f"entry {index} hands over from another key")
            verify_handover(entry)
            vkey = entry["new_vkey"]
    open_checkpoint(note, vkey)

    def prove(index, leaf, proof):
        require(isinstance(proof, str), "a proof is no text")
        proven, _ = verify_proof(proof, leaf, vkey)
        require(proven == index and proof.endswith(f"\n\n{note}"), f"entry {index}: the proof is of something else")

    for handover in handovers:
        prove(*handover)
    entries = {}
    for index, leaf, proof in shown:
        prove(index, leaf, proof)
        entry = read_entry(leaf)
        require(entry.get("release") == release, f"entry {index} is of another release")
        require(index not in entries, f"entry {index} is there twice")
        entries[index] = entry
    require(list(entries) == sorted(entries), "its entries are not in order")
    kinds = " ".join(entry["type"] for entry in entries.values())
    require(re.fullmatch(OF_ONE_RELEASE, kinds), "its entries are not those of one release")
    first, *others = entries
    for index in others:
        require(number(entries[index]["intent"]) == first, f"entry {index} is of another intent")
    return entries


RECEIPT = {"format", "release", "vkey", "checkpoint", "entries"}
OF_ONE_RELEASE = r"release\.intent( release\.(complete|reconciled)( release\.ack)*)?"


def main():
    try:
        match sys.argv[1:]:
            case ["export", folder, vkey, *seen]:
                entries = verify_export(folder, vkey.strip(), [decoded(Path(file).read_bytes()) for file in seen])
                print(f"sound: {len(entries)} entries")
            case ["receipt", file, vkey]:
                for index, entry in verify_receipt(decoded(Path(file).read_bytes()), vkey.strip()).items():
                    print(f"proven: entry {index}, {entry['type']} of {entry['ts']}")
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except Refused as why:
        print(f"not sound: {why}")
        return 1
    except OSError as error:
        print(f"could not be checked: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
