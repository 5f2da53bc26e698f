"""A signed note's Ed25519 line, verified by openssl."""

import base64
import subprocess

# What stands before the 32 bytes of an Ed25519 public key in DER (RFC 8410).
ED25519_DER = bytes.fromhex("302a300506032b6570032100")


def openssl_accepts(folder, vkey, note):
    """Verifies a signed note's Ed25519 line from the verifier key and the note's text alone."""
    name, _, key = vkey.split("+", 2)
    text, signatures = note.split("\n\n")
    blob = next(line for line in signatures.splitlines() if line.startswith(f"— {name} ")).split()[2]
    (folder / "key.der").write_bytes(ED25519_DER + base64.b64decode(key)[1:])
    (folder / "note.txt").write_bytes(text.encode() + b"\n")
    (folder / "note.sig").write_bytes(base64.b64decode(blob)[4:])
    command = "openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey key.der -in note.txt -sigfile note.sig"
    return subprocess.run(command.split(), cwd=folder, capture_output=True).returncode == 0
