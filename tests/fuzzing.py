"""Fuzzing of every decoder guided by what it covers: `python -m tests.fuzzing [SECONDS]`, or `make fuzz`.

libFuzzer, by atheris, which is installed for it alone: it changes bodies so that they reach code that none has reached before.
Each is held to what `test_mutations` promises: an event by every rule, or a refusal that says something, and issues take
what comes. The first that breaks it ends the run, and is written to a file.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

SECONDS: Final = 60
"""For how long it goes on."""
BODY_MAX: Final = 4096
"""Greatest length of a body, in bytes."""
INSTRUMENTED: Final = ["alertd.sources", "alertd.engine.issues", "alertd.model"]


def main(seconds: str = str(SECONDS)) -> None:
    """Fuzz for so many seconds; does not return."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED):
        mutations = importlib.import_module("tests.unit.sources.test_mutations")
        compression = importlib.import_module("alertd.sources.sentry_compression")
        errors = importlib.import_module("alertd.errors")

    def one(body: bytes) -> None:
        mutations.by_every_decoder(body)
        for coding in ("gzip", "deflate", "br", "zstd"):
            with suppress(errors.AlertdError):
                compression.decompress(coding, body, 1 << 20)

    corpus = Path(tempfile.mkdtemp(prefix="alertd-fuzzing-"))
    for number, body in enumerate(mutations.BODIES):
        (corpus / f"{number}").write_bytes(body)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={BODY_MAX}",
        "-timeout=20",
        f"-artifact_prefix={corpus}/broken-",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
