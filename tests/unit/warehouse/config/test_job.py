"""The sections of a job file: each value is read as its key declares it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Any

import pytest

pytest.importorskip("pyspark")

from pydantic import BaseModel, ValidationError

from spark_infer.errors import ConfigError
from spark_infer.model import BatchOptions
from spark_infer.warehouse.config import JobConfig, ParameterConfig
from spark_infer.warehouse.config.batch import BatchConfig
from spark_infer.warehouse.jobfile.document import parse

JOB = """
name: {name}
source: {{table: {table}, filter: {filter}, format: {format}, options: {{sep: {option}}}}}
rows: {rows}
key: [{key}]
features: {{x: {feature}}}
bundle: {{path: {path}, allow_modules: [{module}]}}
target: {{table: {target}, mode: append, keep: [{keep}], format: {target_format}}}
report: {{path: {report}}}
spark: {{spark.x: {setting}}}
parameters: {{p: {{type: string, default: {default}, description: {description}}}}}
"""
TEXTS = [name.split("}")[0] for name in JOB.replace("{{", "").split("{")[1:]]
WORDS = ["no", "On", "0123", "1e3", "0o17", "1_000", "12:30:00", ".inf", "2018-08-08", "7", "true"]
AS_WRITTEN = {"option", "setting"}


def job(**changes: str) -> JobConfig:
    texts = {name: f"text_{name}" for name in TEXTS} | changes
    return JobConfig.model_validate(parse(JOB.format(**texts)))


def texts_in(config: BaseModel) -> list[str]:
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for item in value.values():
                walk(item)
        elif isinstance(value, tuple | list):
            for item in value:
                walk(item)
        else:
            found.append(value)

    walk(config.model_dump())
    return found


def test_the_file_above_has_all_texts() -> None:
    assert len(TEXTS) == 17
    assert {f"text_{name}" for name in TEXTS} <= set(texts_in(job()))


@pytest.mark.parametrize("name", [name for name in TEXTS if name not in AS_WRITTEN])
def test_text_without_quotes_is_refused_where_yaml_takes_it_for_something_else(name: str) -> None:
    for word in WORDS:
        with pytest.raises(ValidationError, match=f"{word} without quotes: .* quote it: '{word}'"):
            job(**{name: word})
        assert word in texts_in(job(**{name: f"'{word}'"}))
    for null in ("~", "null"):
        with pytest.raises(ValidationError, match="null; leave the key out"):
            job(**{name: null})


@pytest.mark.parametrize("name", ["filter", "rows", "feature"])
def test_sql_that_says_nothing_is_refused(name: str) -> None:
    """A template that was filled with nothing would score everything."""
    for text in ("", " ", "\\n\\t", ";", " ; ;", "-- d = :t", "/* d */", "/* a\\nb */ -- c\\n;"):
        with pytest.raises(ValidationError, match=r"is no SQL .*; leave the key out"):
            job(**{name: f'"{text}"'})
    for text in ("true", "-- why\\nd = 1", "d = 1 -- why", "'--' = d", "/* a */ d /* b */"):
        assert text.replace("\\n", "\n") in texts_in(job(**{name: f'"{text}"'}))


@pytest.mark.parametrize("name", sorted(AS_WRITTEN))
def test_settings_of_spark_are_the_text_as_written(name: str) -> None:
    for word in WORDS:
        assert word in texts_in(job(**{name: word}))
    for wrong in ("~", "[a]", "{a: b}"):
        with pytest.raises(ValidationError, match="must be text"):
            job(**{name: wrong})


@pytest.mark.parametrize("device", ["gpu", "'cuda:'", "cuda:x", "CUDA", "meta", "''", "5"])
def test_a_device_that_cannot_be_is_found_in_the_file(device: str) -> None:
    data = parse(JOB.format(**dict.fromkeys(TEXTS, "a")).replace("keep: [a]", "keep: []"))
    with pytest.raises(ValidationError, match="batch"):
        JobConfig.model_validate(data | parse(f"batch: {{device: {device}}}"))
    for known in ("cpu", "cuda", "cuda:1"):
        JobConfig.model_validate(data | parse(f"batch: {{device: '{known}'}}"))


def test_what_belongs_to_files_is_not_for_tables() -> None:
    data = parse(JOB.format(**dict.fromkeys(TEXTS, "a")).replace("keep: [a]", "keep: []"))
    files = parse("{path: a.csv, format: csv, schema: 'id INT', options: {header: true}}")
    source = JobConfig.model_validate({**data, "source": files}).source
    assert (source.schema, source.options) == ("id INT", {"header": "true"})
    with pytest.raises(ValidationError, match="schema is for files, and a table has its own"):
        JobConfig.model_validate({**data, "source": parse("{table: t, schema: 'id INT'}")})


@pytest.mark.parametrize(("name", "key"), [("path", "bundle.path"), ("report", "report.path")])
def test_a_uri_is_checked_before_anything_repeats_it(name: str, key: str) -> None:
    for uri in ("s3://bucket/x?region=a&scheme=http", "file:///x", "hdfs://user@host/x"):
        assert uri in texts_in(job(**{name: f"'{uri}'"}))
    for uri in ("s3://id:hush@bucket/x", "gs://bucket/x?token=hush"):
        with pytest.raises(ConfigError, match=f"^{key} is a URI that shows a secret") as caught:
            job(**{name: f"'{uri}'"})
        assert "hush" not in str(caught.value)
    with pytest.raises(ConfigError, match=f"^{key} 's3a://bucket/x' is a URI of unknown kind"):
        job(**{name: "s3a://bucket/x"})


def test_a_digest_is_read_as_text() -> None:
    bundle = {"path": "b"}
    for digest in ("1" * 64, "1" * 10 + "e" + "2" * 53, "0" * 64, "AB" * 32):
        data = parse(JOB.format(**dict.fromkeys(TEXTS, "a")).replace("keep: [a]", "keep: []"))
        data["bundle"] = {**bundle, **parse(f"digest: {digest}")}
        assert JobConfig.model_validate(data).bundle.digest == digest.lower()
    for digest in ("1" * 63, "g" * 64, "~", "[a]"):
        data["bundle"] = {**bundle, **parse(f"digest: {digest}")}
        with pytest.raises(ValidationError, match=r"64 hexadecimal digits|must be text"):
            JobConfig.model_validate(data)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("master", "did you mean 'spark.master'"),
        ("spark.spark.master", "did you mean 'spark.master'"),
        ("spark.spark.spark.master", "did you mean 'spark.master'"),
        ("spark.master.", "did you mean 'spark.master'"),
        ("spark. master", "no key of Spark"),
        ("spark.", "no key of Spark \\["),
        ("spark", "no key of Spark \\["),
    ],
)
def test_what_is_no_key_of_spark_is_refused(key: str, hint: str) -> None:
    data = parse(JOB.format(**dict.fromkeys(TEXTS, "a")).replace("keep: [a]", "keep: []"))
    with pytest.raises(ValidationError, match=hint):
        JobConfig.model_validate({**data, "spark": {key: "x"}})


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["my-date"], "letters, digits and single underscores"),
        (["my__date"], "single underscores"),
        (["1st"], "letters, digits"),
        (["a.b"], "letters, digits"),
        (["Date", "date"], "differ in case only"),
    ],
)
def test_parameters_are_names_that_sql_and_the_environment_can_say(
    names: list[str], problem: str
) -> None:
    data = parse(JOB.format(**dict.fromkeys(TEXTS, "a")).replace("keep: [a]", "keep: []"))
    with pytest.raises(ValidationError, match=problem):
        JobConfig.model_validate({**data, "parameters": {name: {} for name in names}})


def test_a_default_is_of_its_type_when_the_file_is_read() -> None:
    section = parse("{type: date, default: 2018-08-08}")
    assert ParameterConfig.model_validate(section).default == dt.date(2018, 8, 8)
    for wrong in ("{type: date, default: 2018-08-08 05:00:00}", "{type: int, default: 0123}"):
        with pytest.raises(ValidationError, match="must be a"):
            ParameterConfig.model_validate(parse(wrong))


@pytest.mark.parametrize(
    "name", ["a/b", "../x", "/etc/x", "a\nb", "x" * 101, "", " a", "\x1b[2J", "夜" * 67]
)
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(
        ValidationError, match=r"must be up to 100 printable characters .*without /"
    ):
        job(name=json.dumps(name))


@pytest.mark.parametrize("name", ["nightly", "fraud 2.1", "a..b", "été"])
def test_a_name_may_have_dots_and_blanks(name: str) -> None:
    assert job(name=json.dumps(name)).name == name


def test_every_option_is_a_key_with_its_default_and_meaning() -> None:
    options, config = BatchOptions(), BatchConfig.model_validate({})
    names = [item.name for item in dataclasses.fields(options)]
    assert [*BatchConfig.model_fields, "until"] == names  # A job says that as deadline.
    assert config.options() == dataclasses.replace(options, max_rejected_share=0.05)
    for name, key in BatchConfig.model_fields.items():
        assert key.description, name
        assert "`" not in key.description
        assert "\n" not in key.description


def test_a_list_of_the_file_is_an_option() -> None:
    config = BatchConfig.model_validate({"bucket_edges": [8, 16]})
    assert config.options() == BatchOptions(bucket_edges=(8, 16), max_rejected_share=0.05)
    with pytest.raises(ValidationError, match="must be a list such as"):
        BatchConfig.model_validate({"bucket_edges": "8"})


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mode: append, delete_missing: true", "delete_missing belongs to mode merge; append"),
        (
            "mode: overwrite, partition_by: [id], delete_missing: true",
            "delete_missing belongs to mode merge; overwrite",
        ),
        ("mode: merge, partitions: a = 1", "partitions is about partition_by"),
        ("mode: append, partitions: a = 1", "partitions belongs to mode overwrite"),
        ("mode: upsert", "'overwrite', 'append' or 'merge'"),
    ],
)
def test_what_a_mode_does_not_take(target: str, message: str) -> None:
    data = job().model_dump(mode="json")
    with pytest.raises(ValidationError, match=message):
        JobConfig.model_validate({**data, "target": parse(f"{{table: t, {target}}}")})


def test_a_merge_needs_no_partitions() -> None:
    data = job().model_dump(mode="json")
    target = JobConfig.model_validate({**data, "target": parse("{table: t, mode: merge}")}).target
    assert (target.delete_missing, target.partition_by) == (False, ())
