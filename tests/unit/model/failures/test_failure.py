from __future__ import annotations

from spark_infer.model.failures.failure import describe


def test_what_a_model_says_of_a_failure_is_one_printable_line() -> None:
    said = describe(RuntimeError("\x1b]0;title\x07 broke\u202e at\x9b\nsecond"))
    assert said == "RuntimeError: \\x1b]?;title\\x07 broke\\u202e at\\x9b"
