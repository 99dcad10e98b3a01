"""What a query process answers in tests: importable, so that a spawned process finds it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from isocenter.errors import InvalidQuery


@dataclass(frozen=True)
class MakeEcho:
    """Answers that show what crosses over."""

    def __call__(self) -> Echo:
        return Echo()


class Echo:
    def answer(self, question: dict[str, Any]) -> Any:
        kind = question["kind"]
        if kind == "rows":
            return _numbers(question["rows"], question.get("fails"))
        if kind == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "raise":
            raise question["error"]
        return question

    def close(self) -> None:
        pass


def _numbers(count: int, fails: int | None) -> pa.RecordBatchReader:
    schema = pa.schema([("n", pa.int64())])

    def batches() -> Iterator[pa.RecordBatch]:
        for n in range(count):
            if n == fails:
                raise InvalidQuery("in the middle")
            yield pa.record_batch([pa.array(range(n * 1000, n * 1000 + 1000))], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())
