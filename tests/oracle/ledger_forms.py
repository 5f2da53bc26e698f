"""The forms of the ledger's entries, from section 2 of `docs/ledger-format.md`: FORMS is that section as a table.

A form is a function that raises `Refused` for a value which is not of it.
"""

import base64
import binascii
import hashlib
import json
import re
from datetime import datetime

ENTRY_BYTES_MAX = 65_535
EXACT_MAX = 2**53  # greater numbers are text
NUMBER_MAX = 2**64 - 1
FIELDS_LISTED_MAX = 64
RANGES_BYTES_MAX = 16_384
LINES_MAX = 64
LEVELS = ("nasional", "provinsi", "kabkota", "kecamatan", "desa")


class Refused(Exception):
    """What is wrong, in words."""


def require(holds, why):
    if not holds:
        raise Refused(why)


def text(value):
    require(isinstance(value, str), "it is no text")


def boolean(value):
    require(isinstance(value, bool), "it is neither true nor false")


def small(most):
    """A number that needs no text."""

    def form(value):
        require(type(value) is int and 0 <= value <= most, f"it is no number from 0 to {most}")

    return form


def count(value):
    """A number; above 2^53 it is written as text."""
    if isinstance(value, str):
        require(re.fullmatch(r"[1-9][0-9]{15,19}", value), "it is no number")
        require(EXACT_MAX < int(value) <= NUMBER_MAX, "as a number it stands without quotes")
    else:
        small(EXACT_MAX)(value)


def number(value):
    """What `count` accepted."""
    return int(value)


def written(pattern, what):
    matches = re.compile(pattern).fullmatch

    def form(value):
        require(isinstance(value, str) and matches(value), f"it is no {what}")

    return form


digest = written(r"[0-9a-f]{64}", "digest")
hex32 = written(r"[0-9a-f]{32}", "32 hexadecimal digits")
uuid7 = written(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "UUID of version 7")
area = written(r"[0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{10}", "area")
desa = written(r"[0-9]{10}", "desa")
asked = written(r"[A-Za-z0-9._-]{1,64}", "stable word")
answered = written(r"[A-Za-z0-9._:/+,-]{1,128}", "value, or digest of one")
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
action = written(
    rf"(keep|mask\([0-9]+,[0-9]+\)|mask\(letters=[0-9]+\)|year|age\({DATE}\)|age_band\({DATE},[0-9]+\)"
    rf"|area\(({'|'.join(LEVELS)})\)|fixed|token|fpe|kode_ganda\([^)]+\))( of .+)?",
    "action",
)


moment = written(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", "time")
run_of_numbers = written(r"(0|[1-9][0-9]{0,2})(-[1-9][0-9]{0,2})?", "run of numbers")


def time(value):
    moment(value)
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise Refused("there is no such time") from None


def one_of(*values):
    def form(value):
        require(any(value == one and type(value) is type(one) for one in values), f"it is none of {values}")

    return form


def maybe(form):
    """`null`, or a value of the form."""
    return lambda value: value is None or form(value)


def each(form, most=None):
    def of_list(value):
        require(isinstance(value, list), "it is no list")
        require(most is None or len(value) <= most, f"the list is longer than {most}")
        for one in value:
            form(one)

    return of_list


def pair(first, second):
    def form(value):
        require(isinstance(value, list) and len(value) == 2, "it is no pair")
        first(value[0])
        second(value[1])

    return form


def keys(**forms):
    """An object with these keys in this order, and no other. Those of a `seldom` form may be left out."""

    def form(value):
        require(isinstance(value, dict), "it is no object")
        there = {key: own for key, own in forms.items() if key in value or not hasattr(own, "is_seldom")}
        require(list(value) == list(there), f"its keys are {list(value)} and not {list(there)}")
        for key, own in there.items():
            try:
                own(value[key])
            except Refused as why:
                raise Refused(f"`{key}`: {why}") from None

    return form


def seldom(form):
    """A key that is left out where there is nothing to say."""

    def own(value):
        form(value)

    own.is_seldom = True
    return own


def signed(value):
    """A line of a signed note (section 4), or a whole one: what stands in it is for who verifies it."""
    text(value)
    require("— " in value, "nobody signed it")


def vkey(value):
    read_vkey(value)


def read_vkey(value):
    """Name, key id and public key of a verifier key (section 4)."""
    text(value)
    parts = value.split("+", 2)
    require(len(parts) == 3 and parts[0], "it is no verifier key")
    name, key_id, key = parts[0], parts[1], from_base64(parts[2])
    require(len(key) == 33 and key[0] == 1, "it is no key of Ed25519")
    expected = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    require(key_id == expected.hex(), "its key id is not that of its key")
    return name, expected, key[1:]


def from_base64(value):
    """Only the one way to write the bytes is taken."""
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("it is not base64") from None
    require(base64.b64encode(data).decode() == value, "it is not base64")
    return data


def policies(value):
    """Name, version of the list, digest of the file."""
    for one in value if isinstance(value, list) else [None]:
        require(isinstance(one, list) and len(one) == 3, "it is no list of three")
        for form, part in zip((text, text, digest), one, strict=True):
            form(part)


def part_of_change(value):
    """One part of a change of policies, as far as it can be seen alone."""
    keys(**COMMON, **POLICY_CHANGE)(value)
    lines = len(value["removed"]) + len(value["added"])
    require(1 <= value["part"] <= value["parts"], "there is no such part")
    if value["part"] < value["parts"]:
        require(lines == LINES_MAX, f"a part that others follow has not {LINES_MAX} lines")
    else:
        require(lines <= LINES_MAX, f"a part has more than {LINES_MAX} lines")
        require(lines or value["parts"] == 1, "a part has no line")


party = keys(election=text, number=small(65_535))
determination = keys(dataset=text, election=text, stage=text, version=text)
counted = keys(changed=count, swept=count, unreadable=count)


def counts_by_field(value):
    each(pair(text, counted), FIELDS_LISTED_MAX + 1)(value)
    for name, of in value:
        require(any(number(one) for one in of.values()), f"all counts of {name} are 0")


def coverage(value):
    """The polling stations that rows were of: what their ranges list is what is counted and digested."""
    keys(count=count, sha256=digest, ranges=maybe(each(pair(desa, text))), unread=count)(value)
    if value["ranges"] is None:
        return
    require([code for code, _ in value["ranges"]] == sorted({code for code, _ in value["ranges"]}), "desa out of order")
    require(sum(len(one) for of in value["ranges"] for one in of) <= RANGES_BYTES_MAX, "its ranges are too long")
    codes = [code + f"{number:03}\n" for code, numbers in value["ranges"] for number in numbers_of(numbers)]
    require(len(codes) == number(value["count"]), "its ranges are of another number of polling stations")
    require(hashlib.sha256("".join(codes).encode()).hexdigest() == value["sha256"], "its ranges have another digest")


def numbers_of(value):
    """`1-12,14` as numbers; there is one way to write them."""
    found = []
    for run in value.split(","):
        run_of_numbers(run)
        first, _, last = run.partition("-")
        require(not last or int(last) > int(first), "a run goes backwards")
        require(not found or int(first) > found[-1] + 1, "runs out of order, or not joined")
        found += range(int(first), int(last or first) + 1)
    return found


COMMON = dict(v=one_of(1), type=text, ts=time, replica=text, boot=hex32, nonce=hex32)
OF_RELEASE = dict(release=uuid7, intent=count)
HEAD = dict(head_size=count, head_root=digest)
STARTED_WITH = dict(build=text, config_digest=digest)

POLICY_CHANGE = dict(
    old_digest=maybe(digest),
    new_digest=digest,
    part=small(2**32 - 1),
    parts=small(2**32 - 1),
    removed=policies,
    added=policies,
    **STARTED_WITH,
)

FORMS = {
    "log.genesis": dict(origin=text, vkeys=each(vkey), operator=text),
    "replica.start": dict(**STARTED_WITH, policy_digest=digest, **HEAD, previous_boot=hex32),
    "replica.resumed": HEAD,
    "release.intent": dict(
        release=uuid7,
        requester=text,
        client_id=text,
        token_id=text,
        role=text,
        level=one_of(*LEVELS),
        party=maybe(party),
        mandate=maybe(text),
        wilayah=area,
        route=text,
        parameters=each(pair(text, written(r"[0-9]{1,13}", "area code or short number"))),
        determination=determination,
        fields=each(pair(text, action)),
        legal_basis=text,
        policy=text,
        policy_digest=digest,
        ask_digest=digest,
        media_type=maybe(text),
        ceiling_bytes=maybe(count),
        quota=seldom(keys(from_ms=count, until_ms=count, rows=count, taken=count, reserved=count)),
    ),
    "release.grant": dict(**OF_RELEASE, ceiling_bytes=count, bytes=count, body_sha256=digest),
    "release.complete": dict(
        **OF_RELEASE,
        outcome=one_of("complete", "aborted", "failed"),
        cause=maybe(text),
        status=small(999),
        rows_in=count,
        rows_out=count,
        rows_withheld=count,
        swept=count,
        bytes=count,
        body_sha256=digest,
        first_byte_ms=maybe(count),
        last_byte_ms=maybe(count),
        unreadable=count,
        near_misses=count,
        fields=counts_by_field,
        media_type=maybe(text),
        coding=maybe(one_of("gzip", "br", "zstd")),
        coded_bytes=maybe(count),
        tps=maybe(coverage),
    ),
    "release.ack": dict(
        **OF_RELEASE, requester=text, client_id=text, rows=count, bytes=count, body_sha256=digest, match=boolean
    ),
    "release.reconciled": dict(
        **OF_RELEASE, cause=one_of("process_ended", "store_failed", "replica_silent"), bytes_min=count, bytes_max=maybe(count)
    ),
    "release.refused": dict(
        requester=maybe(text),
        client_id=maybe(text),
        role=maybe(text),
        party=maybe(party),
        code=text,
        status=small(999),
        route=maybe(text),
        wilayah=maybe(area),
    ),
    "policy.change": POLICY_CHANGE,
    "register.change": dict(old_digest=maybe(digest), new_digest=maybe(digest), **STARTED_WITH),
    "key.rotate": dict(old_vkey=vkey, new_vkey=vkey, **HEAD, old_signature=signed, new_signature=signed),
    "audit.read": dict(auditor=text, question=asked, parameters=each(pair(asked, answered)), entries=count),
    "log.heartbeat": dict(**HEAD, interval_ms=count),
    "log.freeze": dict(election=text, operator=text, reason=text),
    "log.continue": dict(**HEAD, lost=signed, operator=text, reason=text),
}
READERS = {kind: keys(**COMMON, **own) for kind, own in FORMS.items()} | {"policy.change": part_of_change}


def read_entry(leaf):
    """What an entry says, once its bytes are the one way to say it."""
    require(len(leaf) <= ENTRY_BYTES_MAX, "it is too long")
    try:
        value = DECODER.decode(leaf.decode())
    except (ValueError, RecursionError):
        raise Refused("it is not JSON in UTF-8") from None
    require(isinstance(value, dict), "it is no object")
    kind = value.get("type")
    require(isinstance(kind, str) and kind in READERS, "its type is not known")
    READERS[kind](value)
    try:
        compact = ENCODER.encode(value).encode()
    except UnicodeEncodeError:
        raise Refused("it holds half a character") from None
    require(compact == leaf, "it is not compact JSON")
    return value


def _object(pairs):
    value = dict(pairs)
    require(len(value) == len(pairs), "a key stands twice")
    return value


def _no_number(_):
    raise Refused("a number is not a whole one")


ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_no_number, parse_constant=_no_number)
