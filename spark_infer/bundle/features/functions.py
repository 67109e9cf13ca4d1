"""The built-in functions that a bundle's features may call.

To add a function, put its name into the group below where it belongs, in lower case, after
answering three questions with yes: Is it built into Spark? Does its value depend on its arguments
alone, not on the time, a random number, the session, the user, the machine or a file (the session's
time zone excepted, by which hour, convert_timezone and date_format read a timestamp, and settings
excepted that ``spark_infer.spark.features.settings`` knows)? Does it
return one value for one row, reading and calling nothing else? Therefore no generator (explode,
stack, json_tuple), no time window (window, session_window), no reflection (reflect, java_method),
nothing that reads files (from_protobuf, read_files) or stops the query (raise_error, assert_true),
no XPath, whose parser follows references, and nothing that takes a schema as text (from_json):
such a text may name Python modules and Java classes, which Spark loads. That a function is
expensive does not keep it out: a model can be that too.

A function that Spark reads by a grammar of its own (``trim(BOTH 'x' FROM s)``) is a change of
``grammar`` as well, and of the classes in ``spark_infer.spark.features.expressions``.
A function whose text is another than those in its arguments belongs into ``MAKE_TEXT`` too.
"""

from __future__ import annotations

from spark_infer.bundle.features.words import words

_CONDITIONS = words(
    """
    coalesce equal_null greatest if ifnull isnan isnotnull isnull least nanvl nullif nullifzero
    nvl nvl2 typeof zeroifnull
    """
)

_NUMBERS = words(
    """
    abs acos acosh asin asinh atan atan2 atanh bit_count bit_get bround cbrt ceil ceiling conv cos
    cosh cot csc degrees div e exp expm1 factorial floor getbit hypot ln log log10 log1p log2 mod
    negative pi pmod positive pow power radians rint round sec shiftleft shiftright
    shiftrightunsigned sign signum sin sinh sqrt tan tanh try_add try_divide try_mod try_multiply
    try_subtract width_bucket
    """
)

_TYPES = words(
    """
    bigint binary boolean date decimal double float int smallint string timestamp tinyint
    """
)

_TEXT = words(
    """
    ascii base64 bit_length btrim char char_length character_length chr concat concat_ws contains
    decode elt encode endswith find_in_set format_number hex ilike initcap instr
    is_valid_utf8 lcase left len length levenshtein like locate lower lpad ltrim luhn_check mask
    octet_length overlay parse_url position regexp regexp_count regexp_extract
    regexp_extract_all regexp_instr regexp_like regexp_replace regexp_substr repeat replace
    reverse right rlike rpad rtrim soundex space split split_part startswith substr substring
    substring_index to_binary to_char to_number to_varchar translate trim try_to_binary
    try_to_number ucase unbase64 unhex upper url_decode url_encode
    """
)

_HASHES = words("crc32 hash md5 sha sha1 sha2 xxhash64")

_TIME = words(
    """
    add_months convert_timezone date_add date_diff date_format date_from_unix_date date_part
    date_sub date_trunc dateadd datediff datepart day dayname dayofmonth dayofweek dayofyear
    extract from_unixtime from_utc_timestamp hour last_day make_date make_dt_interval
    make_interval make_timestamp make_timestamp_ltz make_timestamp_ntz make_ym_interval minute
    month monthname months_between next_day quarter second timestamp_micros timestamp_millis
    timestamp_seconds timestampadd timestampdiff to_date to_timestamp to_timestamp_ltz
    to_timestamp_ntz to_unix_timestamp to_utc_timestamp trunc try_to_timestamp unix_date
    unix_micros unix_millis unix_seconds unix_timestamp weekday weekofyear year
    """
)

_COLLECTIONS = words(
    """
    aggregate array array_append array_compact array_contains array_distinct array_except
    array_insert array_intersect array_join array_max array_min array_position array_prepend
    array_remove array_repeat array_size array_sort array_union arrays_overlap arrays_zip
    cardinality element_at exists filter flatten forall get map map_concat map_contains_key
    map_entries map_filter map_from_arrays map_from_entries map_keys map_values map_zip_with
    named_struct reduce sequence size slice sort_array str_to_map struct transform transform_keys
    transform_values try_element_at zip_with
    """
)

_JSON = words("get_json_object json_array_length json_object_keys to_json")

AGGREGATES: frozenset[str] = words(
    """
    any approx_count_distinct approx_percentile array_agg avg bit_and bit_or bit_xor bool_and
    bool_or collect_list collect_set corr count count_if covar_pop covar_samp every first
    first_value kurtosis last last_value max max_by mean median min min_by percentile
    percentile_approx regr_count regr_intercept regr_r2 regr_slope skewness some std stddev
    stddev_pop stddev_samp sum try_avg try_sum var_pop var_samp variance
    """
)
"""Aggregates, which need ``OVER (...)``: without it they make one row of many."""

WINDOW_ONLY: frozenset[str] = words(
    "cume_dist dense_rank lag lead nth_value ntile percent_rank rank row_number"
)
"""Functions that exist with ``OVER (...)`` only."""

FUNCTIONS: frozenset[str] = frozenset().union(
    *(_CONDITIONS, _NUMBERS, _TYPES, _TEXT, _HASHES, _TIME, _COLLECTIONS, _JSON),
    *(AGGREGATES, WINDOW_ONLY),
)
"""All functions of the list."""

NEED_ARGUMENTS: frozenset[str] = frozenset({"unix_timestamp"})
"""Functions of the list that tell the current time when they are called without arguments."""

TAKE_SCHEMAS: frozenset[str] = words(
    """
    from_avro from_csv from_json from_protobuf from_variant from_xml parse_json schema_of_avro
    schema_of_csv schema_of_json schema_of_variant schema_of_variant_agg schema_of_xml to_avro
    to_protobuf to_variant_object try_parse_json try_variant_get variant_get
    """
)
"""Functions that are refused for a schema or type that is given as text, or comes with the data."""

CONVERT_TIMES: frozenset[str] = _TIME | {"date", "timestamp"}
"""Functions that turn texts in their arguments into dates and timestamps."""

TAKE_FORMAT: frozenset[str] = words(
    """
    to_date to_timestamp to_timestamp_ltz to_timestamp_ntz to_unix_timestamp try_to_timestamp
    unix_timestamp
    """
)
"""Those of them that read a text by the format in their second argument, if there is one."""

MAKE_TEXT: frozenset[str] = words(
    """
    array_join base64 btrim char chr concat concat_ws conv date_format dayname decode encode
    format_number from_unixtime get_json_object hex initcap json_object_keys lcase
    left lower lpad ltrim mask md5 monthname overlay parse_url regexp_extract
    regexp_extract_all regexp_replace regexp_substr repeat replace reverse right rpad rtrim sha
    sha1 sha2 soundex space split split_part str_to_map substr substring substring_index to_binary
    to_char to_json to_varchar translate trim try_to_binary ucase unbase64 unhex upper url_decode
    url_encode
    """
)
"""Functions that make texts which stand nowhere in the expression, of ``now`` too."""

SESSION_NAMES: frozenset[str] = words(
    """
    _metadata current_catalog current_database current_date current_path current_schema
    current_time current_timestamp current_timezone current_user grouping__id localtime
    localtimestamp session_user user
    """
)
"""Names that Spark reads as a session function, or as the read file, where no column has them."""


def not_listed(name: str) -> str:
    """Return why a bundle may not call a function that is not on the list."""
    if name.lower() in TAKE_SCHEMAS:
        return (
            "it takes a schema as text or from the data, which could name classes for Spark to "
            "load; use get_json_object, or compute it in the job's source"
        )
    return "a job file's features may, and the list is in spark_infer/bundle/features/functions.py"
