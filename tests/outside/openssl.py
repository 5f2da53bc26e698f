"""A signed note's Ed25519 line, verified by openssl."""

import base64
import subprocess

# What stands before the 32 bytes of an Ed25519 public key in DER (RFC 8410).
ED25519_DER = bytes.fromhex("302a300506032b6570032100")


def openssl_accepts(folder, vkey, note):
    """Verifies a signed note's Ed25519 line from the verifier key and the note's text alone."""
    name, key_id, key = vkey.split("+", 2)
    text, signatures = note.split("\n\n")
    lines = [line.split()[2] for line in signatures.splitlines() if line.startswith(f"— {name} ")]
    blob = next((blob for blob in lines if base64.b64decode(blob)[:4].hex() == key_id), None)
    if blob is None:
        return False
    (folder / "key.der").write_bytes(ED25519_DER + base64.b64decode(key)[1:])
    (folder / "note.txt").write_bytes(text.encode() + b"\n")
    (folder / "note.sig").write_bytes(base64.b64decode(blob)[4:])
    command = "openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey key.der -in note.txt -sigfile note.sig"
    return subprocess.run(command.split(), cwd=folder, capture_output=True).returncode == 0
