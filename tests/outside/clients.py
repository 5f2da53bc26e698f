"""Programs that others wrote fetch copies and read them: curl, requests, httpx, pandas and json."""

import gzip
import hashlib
import io
import json
import re
import ssl
import tempfile
from pathlib import Path

import httpx
import pandas
import requests
from demo import expect, require, running

VOTERS = 10_000
COLUMNS = {
    "partai_kabkota": ["nik", "nama", "usia", "jenis_kelamin", "kecamatan", "kelurahan", "tps"],
    "partai_kecamatan": ["nama", "usia", "jenis_kelamin", "rt", "rw", "kelurahan", "tps"],
    "bawaslu": ["nama", "usia", "jenis_kelamin", "alamat", "rt", "rw", "keterangan"],
}
LONG_NUMBER = re.compile(rb"(?:[0-9][ .-]?){15}[0-9]")


def fetched_by_all(demo, folder, url, who="partai_kabkota"):
    """The body of `url`, fetched in four ways, the same each time."""
    bodies = {}
    for version in ("--http1.1", "--http2"):
        path, head = folder / "body", folder / "head"
        demo.fetch(url, path, version, "-D", str(head), who=who)
        wanted = "HTTP/1.1" if version == "--http1.1" else "HTTP/2"
        require(f"curl {version} speaks {wanted}", head.read_text().startswith(wanted))
        bodies[f"curl {version}"] = path.read_bytes()

    headers = {"Authorization": demo.bearer(who)}
    answer = requests.get(url, headers=headers, verify=demo.ca, timeout=60)
    expect("status by requests", answer.status_code, 200)
    bodies["requests"] = answer.content

    trust = ssl.create_default_context(cafile=demo.ca)
    with httpx.Client(http2=True, verify=trust, timeout=60) as client:
        answer = client.get(url, headers=headers)
        expect("version by httpx", answer.http_version, "HTTP/2")
        expect("status by httpx", answer.status_code, 200)
        bodies["httpx"] = answer.content

    first = bodies["requests"]
    for client, body in bodies.items():
        require(f"{client} got the same bytes of {url}", body == first)
    require(f"no long number in {url}", not LONG_NUMBER.search(first))
    return first, answer.headers["release-id"]


def check_table(body, who):
    table = pandas.read_csv(io.BytesIO(body), dtype=str, keep_default_na=False)
    expect(f"columns of {who}", list(table.columns), COLUMNS[who])
    if "nik" in table:
        require("every NIK is masked", table["nik"].str.fullmatch(r"99\d{4}\*{10}").all())
    return table


def check_receipt(demo, body, release, rows):
    """The receipt's account is of the bytes that arrived."""
    url = demo.urls["receipts"] + release
    answer = requests.get(
        url, headers={"Authorization": demo.bearer("partai_kabkota")}, verify=demo.ca, timeout=60
    )
    expect("status of the receipt", answer.status_code, 200)
    intent, complete = (json.loads(entry["leaf"]) for entry in answer.json()["entries"])
    expect("type of the first entry", intent["type"], "release.intent")
    expect("fields given", sorted(name for name, _ in intent["fields"]), sorted(COLUMNS["partai_kabkota"]))
    expect("outcome", complete["outcome"], "complete")
    expect("rows", complete["rows_out"], rows)
    expect("bytes", complete["bytes"], len(body))
    expect("digest", complete["body_sha256"], hashlib.sha256(body).hexdigest())
    stranger = requests.get(url, headers={"Authorization": demo.bearer("bawaslu")}, verify=demo.ca, timeout=60)
    expect("another's receipt", stranger.status_code, 404)


def check_refusals(demo):
    cases = [
        ("an area outside the mandate", "partai_kabkota", demo.urls["refused"], 403, "area_not_allowed"),
        ("voter data for an auditor", "auditor", demo.urls["csv"], 403, "role_not_allowed"),
        ("an unlisted parameter", "bawaslu", demo.urls["csv"] + "?nik=1", 400, "parameter_unknown"),
        ("no token", None, demo.urls["csv"], 401, "token_missing"),
    ]
    for what, who, url, status, code in cases:
        headers = {"Authorization": demo.bearer(who)} if who else {}
        answer = requests.get(url, headers=headers, verify=demo.ca, timeout=60)
        expect(f"status of {what}", answer.status_code, status)
        expect(f"type of {what}", answer.headers["content-type"], "application/problem+json")
        expect(f"code of {what}", answer.json()["code"], code)


def check_codings(salinan):
    """With codings in the policy, clients that ask for one read the same bytes as those that do not."""
    shipped = Path(__file__).parents[2] / "policies"
    area = 'row_area = "kode_tps"\n'
    with tempfile.TemporaryDirectory(prefix="salinan-") as policies:
        for policy in shipped.glob("*.toml"):
            text = policy.read_text()
            require(f"{policy.name} has a line to add to", area in text)
            (Path(policies) / policy.name).write_text(text.replace(area, area + 'codings = ["zstd", "gzip", "br"]\n'))
        with running(salinan, VOTERS, "--policies", policies) as (demo, folder):
            url, path, head = demo.urls["ndjson"], folder / "body", folder / "head"
            demo.fetch(url, path)
            plain = path.read_bytes()

            demo.fetch(url, path, "--compressed", "-D", str(head))
            require("curl --compressed was sent a coding", "\ncontent-encoding: " in head.read_text().lower())
            require("curl --compressed saves the same bytes", path.read_bytes() == plain)

            headers = {"Authorization": demo.bearer("partai_kabkota")}
            answer = requests.get(url, headers=headers, verify=demo.ca, timeout=60)
            require("requests was sent a coding", answer.headers["content-encoding"] in ("zstd", "gzip", "br"))
            require("requests reads the same bytes", answer.content == plain)
            trust = ssl.create_default_context(cafile=demo.ca)
            with httpx.Client(http2=True, verify=trust, timeout=60) as client:
                answer = client.get(url, headers=headers)
            require("httpx was sent a coding", answer.headers["content-encoding"] in ("zstd", "gzip", "br"))
            require("httpx reads the same bytes", answer.content == plain)

            demo.fetch(url, path, "-H", "Accept-Encoding: gzip", "-D", str(head))
            coded = path.read_bytes()
            require("Python's gzip reads the same bytes", gzip.decompress(coded) == plain)
            release = re.search(r"^release-id: (\S+)", head.read_text(), re.M | re.I)[1]
            receipt = requests.get(demo.urls["receipts"] + release, headers=headers, verify=demo.ca, timeout=60)
            complete = json.loads(receipt.json()["entries"][-1]["leaf"])
            expect("coding in the receipt", (complete["coding"], complete["coded_bytes"]), ("gzip", len(coded)))
            expect("digest of a coded copy", complete["body_sha256"], hashlib.sha256(plain).hexdigest())
            demo.verify()
            print(f"  codings: 4 clients agree; gzip leaves {len(coded) / len(plain):.0%} of the bytes")


def check(salinan):
    check_codings(salinan)
    with running(salinan, VOTERS) as (demo, folder):
        body, release = fetched_by_all(demo, folder, demo.urls["csv"])
        table = check_table(body, "partai_kabkota")
        expect("rows of the CSV", len(table), VOTERS)
        records = table.to_dict("records")
        check_receipt(demo, body, release, VOTERS)

        body, _ = fetched_by_all(demo, folder, demo.urls["ndjson"])
        require("NDJSON and CSV say the same", [json.loads(line) for line in body.splitlines()] == records)
        body, _ = fetched_by_all(demo, folder, demo.urls["json"])
        require("JSON and CSV say the same", json.loads(body) == records)
        body, _ = fetched_by_all(demo, folder, demo.urls["envelope"])
        require("the envelope and CSV say the same", json.loads(body) == {"jumlah": VOTERS, "data": records})

        body, _ = fetched_by_all(demo, folder, demo.urls["csv"], "bawaslu")
        expect("rows for Bawaslu", len(check_table(body, "bawaslu")), VOTERS)
        body, _ = fetched_by_all(demo, folder, demo.urls["kecamatan"], "partai_kecamatan")
        own = (table["kecamatan"] == records[0]["kecamatan"]).sum()
        expect("rows for the kecamatan", len(check_table(body, "partai_kecamatan")), own)

        check_refusals(demo)
        demo.verify()
        print(f"  clients: 24 copies agree, {VOTERS} rows each; 4 refusals; start-up {demo.start_seconds:.2f} s")
