"""The second verifier, `tests/oracle/ledger.py`, as a module: its own name is taken in this folder."""

import importlib.util
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "oracle"
sys.path.append(str(FOLDER))
spec = importlib.util.spec_from_file_location("ledger_oracle", FOLDER / "ledger.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

Refused = module.Refused
open_checkpoint = module.open_checkpoint
read_entry = module.read_entry
read_leaves = module.read_leaves
root_at = module.root_at
verify_entries = module.verify_entries
verify_export = module.verify_export
verify_proof = module.verify_proof
verify_receipt = module.verify_receipt
