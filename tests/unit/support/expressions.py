"""Expressions that a bundle may carry, and such that it must not."""

from __future__ import annotations

from hypothesis import strategies as st

COLUMNS = (
    "id int, a double, b int, s string, ts timestamp, d date, arr array<int>, m map<string, int>, "
    "st struct<x: int, y: string>, people array<struct<name: string, age: int>>, "
    "dec decimal(10, 2), "
    "flag boolean, `user` string, `odd ``name, EUR` double"
)
"""Columns that the expressions read, as a Spark schema."""

ORDINARY = """
a + b * 2 - 1
-a / +b % 3
b div 2
~b & 1 | 2 ^ 3
a = 1
a == 1 AND b <> 2 OR NOT flag
a != 1 and b >= 2 and b <= 3 and a < 4 and a > 0
!flag
a <=> NULL
a IS NULL or b IS NOT NULL
flag IS TRUE
flag IS NOT FALSE
flag IS UNKNOWN
flag IS NOT UNKNOWN
a IS DISTINCT FROM b
a IS NOT DISTINCT FROM b + 1
b BETWEEN 1 AND 3
b NOT BETWEEN 1 AND 3 AND flag
b IN (1, 2, 3)
(b, s) IN ((1, 'x'), (2, 'y'))
s NOT IN ('x', "y")
s LIKE 'x%'
s NOT LIKE 'a|%' ESCAPE '|'
s ILIKE 'X_'
s RLIKE '^x[0-9]+$'
s REGEXP r'\\d'
s LIKE ANY ('x%', 'y%')
s LIKE ALL ('x%', '%1')
s NOT LIKE SOME ('x%', 'y%')
s NOT LIKE ALL ('x%', 'y%')
s || '-' || cast(b as string)
'it''s' || 'a' "b"
'a -- no comment /* here */; SELECT'
'quote \\' and \\\\ and \\n'
1L + 2S + 3Y + 1.5D + 1.5F + 1.50BD + 1e3 + .5 + 1.
X'1F'
DATE '2024-02-29'
timestamp '2024-02-29 12:00:00'
TIMESTAMP_NTZ'2024-02-29 12:00:00'
ts + INTERVAL 1 DAY 2 HOURS
ts - INTERVAL '1-2' YEAR TO MONTH
d + INTERVAL -3 DAYS
ts > timestamp '2024-01-01' - INTERVAL '90 minutes'
ts > TIMESTAMP'2024-01-01T12:30:00.5Z' OR ts < timestamp '2024-01-01 12:30:00 Europe/Paris'
ts > '2024-01-01 12:30'
CAST('2024-02-29 12:30' AS TIMESTAMP) < ts
CAST(concat(year(d), '-01-01') AS DATE)
to_timestamp(concat(CAST(d AS STRING), ' 12:30'), 'yyyy-MM-dd HH:mm')
CAST(d AS TIMESTAMP) + INTERVAL '12:30' HOUR TO MINUTE
s = '12:30'
CAST(X'6E' AS STRING)
EXTRACT(YEAR FROM ts)
extract(dayofweek from d)
datediff(d, DATE '2020-01-01')
date_add(d, 7)
dateadd(DAY, 3, ts)
timestampdiff(HOUR, ts, timestamp '2024-01-01')
unix_timestamp(ts)
date_trunc('month', ts)
to_timestamp('2024-01-01', 'yyyy-MM-dd')
weekday(d) >= 5
CASE WHEN a > 1 THEN 'hi' WHEN a > 0 THEN 'lo' ELSE 'none' END
CASE s WHEN 'x1' THEN 1 WHEN 'y' THEN 2 END
case when case when case when case when flag then 1 end = 1 then 2 end = 2 then 3 end = 3 then 4 end
CAST(a AS DECIMAL(12, 3))
TRY_CAST(s AS INT)
a::int
CAST(st AS STRUCT<x: bigint, y string>)
CAST(arr AS ARRAY<DOUBLE>)[0]
CAST(m AS map<string, bigint>)
double(b)
if(flag, 1, 0)
coalesce(a, b, 0)
nullif(nullif(b, 1), 2)
greatest(a, b)
log1p(abs(a))
pmod(hash(s), 100)
xxhash64(s, b)
sha2(s, 256)
left(s, 1)
substring(s, 1, 2)
regexp_replace(s, '[^a-z]', '')
split(s, ',')[0]
concat_ws(',', s, `user`)
format_number(a, 2)
st.x + 1
`st`.`y`
arr[0]
arr[b - 1] + size(arr)
m['k']
element_at(m, 'k')
`odd ``name, EUR` * 2
people.age
people[0].name
array(1, 2, 3)
map('a', 1)
struct(a, b AS second, st.x AS `third field`)
(a, b).b
named_struct('a', a, 'b', CAST(b AS FLOAT)).b
sequence(1, 3)
array_repeat(0, 3)
transform(arr, x -> x + b)
transform(arr, (x, i) -> x * i)
transform(arr, `an item` -> `an item` * 2)
filter(arr, x -> x IS NOT NULL AND x > 1)
exists(arr, x -> x = 2)
forall(arr, x -> x > 0)
aggregate(arr, 0, (acc, x) -> acc + x, acc -> acc * 2)
reduce(arr, 0, (acc, x) -> acc + x)
zip_with(arr, arr, (x, y) -> x + y)
array_sort(arr, (x, y) -> y - x)
map_filter(m, (k, v) -> v > 0)
transform(people, p -> struct(p.name AS n, transform(arr, x -> x + p.age) AS ages))
get_json_object('{"a": [1]}', '$.a[0]')
count(*) OVER (PARTITION BY s)
count(1) over ()
sum(a) OVER (PARTITION BY s, b ORDER BY ts DESC NULLS LAST ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING)
avg(a) OVER (ORDER BY unix_seconds(ts) RANGE BETWEEN 86400 PRECEDING AND CURRENT ROW)
max(b) OVER (ORDER BY ts RANGE INTERVAL 7 DAYS PRECEDING)
min(b) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING)
sum(b) OVER (ORDER BY id ASC NULLS FIRST ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
row_number() OVER (PARTITION BY s ORDER BY id)
lag(a, 1) IGNORE NULLS OVER (ORDER BY id)
a - lag(a) OVER (ORDER BY id)
first(a) RESPECT NULLS OVER (ORDER BY id)
collect_list(struct(a, b AS second)) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)
transform(collect_list(a) OVER (ORDER BY id), x -> x * 2)
stddev(a) OVER (PARTITION BY s)
percentile_approx(a, 0.5) OVER (PARTITION BY s)
ntile(4) OVER (ORDER BY a)
""".strip().splitlines()
"""One a line; each is read by the checks as Spark reads it."""

_UDT = (
    '{"type":"struct","fields":[{"name":"a","nullable":true,"metadata":{},"type":'
    '{"type":"udt","pyClass":"this.s","serializedClass":"","sqlType":"string"}}]}'
)

QUERIES = [
    "(SELECT max(pay) FROM hr.salaries)",
    "(SELECT 1)",
    "(select -1)",
    "(TABLE hr.salaries)",
    "(VALUES (1))",
    "(VALUES 1, 2)",
    "(FROM hr.salaries SELECT max(pay))",
    "(WITH t AS (SELECT 1) SELECT * FROM t)",
    "(SELECT value FROM text.`/etc/passwd` LIMIT 1)",
    "(SELECT * FROM read_files('/etc'))",
    "(SELECT TRANSFORM(a) USING 'cat' FROM t)",
    "(MAP a USING 'sh' FROM t)",
    "(REDUCE a USING 'sh' FROM t)",
    "(SELECT a FROM t LATERAL VIEW explode(arr) AS a)",
    "1 + (((SELECT 1)))",
    "(SELECT 1).x",
    "a IN (SELECT a FROM t)",
    "a NOT IN (SELECT a FROM t)",
    "a IN (1, (SELECT 2))",
    "EXISTS (SELECT 1)",
    "NOT EXISTS(SELECT 1 FROM t)",
    "exists(arr, x -> x = (SELECT max(x) FROM t))",
    "transform(arr, x -> (SELECT 1))",
    "CASE WHEN (SELECT true) THEN 1 END",
    "CASE a WHEN 1 THEN 2 ELSE (SELECT 3) END",
    "CAST((SELECT 1) AS INT)",
    "(SELECT 1)::int",
    "struct((SELECT 1) AS x)",
    "named_struct('x', (SELECT 1))",
    "sum((SELECT 1)) OVER ()",
    "sum(a) OVER (ORDER BY (SELECT 1))",
    "sum(a) OVER (PARTITION BY (SELECT 1))",
    "arr[(SELECT 0)]",
    "a BETWEEN 0 AND (SELECT 1)",
    "s LIKE (SELECT 'x')",
    "EXTRACT(YEAR FROM (SELECT ts FROM t))",
]
"""Every way to a relation."""

CALLS = [
    "reflect('java.lang.System', 'load', '/tmp/x.so')",
    "REFLECT('java.lang.System', 'exit', 0)",
    "java_method('java.lang.Runtime', 'getRuntime')",
    "try_reflect('java.lang.System', 'exit', 0)",
    "`reflect`('java.lang.System', 'load')",
    "reflect /**/ ('a', 'b')",
    "transform(arr, x -> reflect('a', 'b'))",
    "CASE WHEN true THEN java_method('a', 'b') END",
    "CAST(reflect('a', 'b') AS INT)",
    "b IN (1, reflect('a', 'b'))",
    "sum(a) OVER (ORDER BY reflect('a', 'b'))",
    "sum(a) OVER (ORDER BY id ROWS reflect('a', 'b') PRECEDING)",
    "struct(reflect('a', 'b') AS x)",
    "named_struct('x', struct(array(reflect('a', 'b'))))",
    "arr[reflect('a', 'b')]",
    "s RLIKE reflect('a', 'b')",
    "INTERVAL (reflect('a', 'b')) DAY",
    "EXTRACT(YEAR FROM reflect('a', 'b'))",
    "db.fn(a)",
    "hr.`fn`(a)",
    "system.builtin.reflect('a', 'b')",
    "system.builtin.abs(a)",
    "`db.fn`(a)",
    "my_udf(a)",
    "IDENTIFIER('reflect')('a', 'b')",
    "identifier('a')",
    "input_file_name()",
    "input_file_block_start()",
    "current_user()",
    "session_user()",
    "user()",
    "current_catalog()",
    "current_database()",
    "current_schema()",
    "current_timezone()",
    "version()",
    "spark_partition_id()",
    "monotonically_increasing_id()",
    "rand()",
    "randn(1)",
    "random()",
    "uniform(1, 2)",
    "randstr(3)",
    "uuid()",
    "shuffle(arr)",
    "now()",
    "current_timestamp()",
    "current_timestamp",
    "current_date",
    "current_date()",
    "curdate()",
    "localtimestamp",
    "unix_timestamp()",
    "current_user",
    "session_user",
    "transform(arr, x -> current_user)",
    "_metadata.file_path",
    "raise_error('x')",
    "assert_true(a > 1)",
    "xpath('<a/>', '/a')",
    "xpath_string(s, '/a')",
    "aes_encrypt('a', '0000111122223333')",
    "ai_query('m', s)",
    "http_request('GET', 'http://x')",
    "read_files('/etc')",
    "from_protobuf(s, 'm', '/etc/passwd')",
    "from_avro(s, '{}')",
    "from_json(s, 'x int').x",
    f"from_json(s, '{_UDT}')",
    "FROM_JSON(s, concat('x', ' int'), map('mode', 'FAILFAST'))",
    "from_csv(s, 'x int')",
    "from_xml(s, 'x int')",
    "transform(array(s), x -> from_json(x, 'x int'))",
    "schema_of_json('{}')",
    "schema_of_csv('a')",
    "parse_json(s)",
    "try_parse_json(s)",
    "getvariable('x')",
    "try_variant_get(s, '$.a', 'int')",
    "bitmap_bucket_number(b)",
    "window(ts, '1 hour')",
    "window(ts, '10 minutes', '5 minutes').start",
    "session_window(ts, '5 minutes')",
    "window_time(w)",
    "CAST('now' AS timestamp)",
    "CAST(' Tomorrow ' AS DATE)",
    "ts > 'now UTC'",
    "ts > 'yesterday+02:00'",
    "'now' || ''",
]
"""Functions and names outside the list, wherever they stand."""

ROWS = [
    "explode(arr)",
    "explode_outer(arr)",
    "posexplode(arr)",
    "posexplode_outer(arr)",
    "inline(people)",
    "inline_outer(people)",
    "stack(2, 1, 2)",
    "json_tuple(s, 'a')",
    "variant_explode(s)",
    "explode(transform(arr, x -> x))",
    "explode(arr) + 1",
    "sum(a)",
    "count(*)",
    "max(a) + 1",
    "a - avg(a)",
    "sum(sum(a)) OVER (ORDER BY id)",
    "sum(a) OVER (ORDER BY max(a))",
    "any(flag)",
    "collect_list(a)[0]",
    "row_number()",
    "transform(collect_list(a), x -> x)",
    "grouping(a)",
    "grouping_id()",
]
"""What would change the number of rows."""

SYNTAX = [
    "timestamp 'now'",
    "date 'today'",
    "count(DISTINCT a) OVER ()",
    "",
    "   ",
    "*",
    "t.*",
    "struct(*)",
    "count(t.*) OVER ()",
    "a AS b",
    "a b",
    "a AS (b, c)",
    "a; DROP TABLE t",
    "a;",
    "a, b",
    ":x",
    "?",
    "a = ?",
    "a = :x",
    "a -- hidden",
    "a /* hidden */",
    "/*+ BROADCAST(t) */ a",
    "a --\n + (SELECT 1)",
    "a |> SELECT 1",
    "s COLLATE UTF8_LCASE",
    "collate(s, 'UTF8_LCASE')",
    "CAST(s AS STRING COLLATE UTF8_LCASE)",
    "CAST(st AS STRUCT<x: int COMMENT 'c'>)",
    "CAST(s AS my_type)",
    "CAST(s AS VARIANT)",
    "abs(expr => a)",
    "lower(str => s)",
    "sum(a) FILTER (WHERE flag) OVER ()",
    "sum(a) OVER w",
    "abs(a) OVER ()",
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY a) OVER ()",
    "x -> 1",
    "(x, y) -> x",
    "s:a.b",
    "${x}",
    "'${env:HOME}'",
    "'${system:user.name}'",
    '"${spark.master}"',
    "`${env:HOME}`",
    "r'${env:HOME}'",
    "@@x",
    "{d '2020-01-01'}",
    "a[",
    "a]",
    "(a",
    "a)",
    "'open",
    '"open',
    "`open",
    "``",
    "r'a\\'b'",
    "1a",
    "1_000",
    "a..b",
    "a.",
    ".a",
    "a.1",
    "\u017felect 1",
    "a \u0131n (1)",
    "re\ufb02ect(1)",
    "\uff52eflect(1)",
    "caf\u00e9",
    "a\u00a0+ 1",
    "a\u2028+ 1",
    "'\u202e'",
    "a\x00",
    "a\x0b+ 1",
    "'\ud800'",
    "SELECT",
    "SELECT -1",
    "FROM",
    "order",
    "distinct a",
    "NOT",
    "a +",
    "+",
    "a NOT b",
    "a IS b",
    "CASE END",
    "CASE a END",
    "CASE WHEN a THEN 1",
    "CAST(a)",
    "CAST(a AS)",
    "a::",
    "INTERVAL a DAY",
    "INTERVAL 1",
    "INTERVAL 1 FORTNIGHT",
    "sum(a) OVER (ROWS 1)",
    "sum(a) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING)",
    "sum(a) OVER (ORDER BY id NULLS)",
    "abs()(a)",
    "abs(a)(b)",
    "(abs)(a)",
    "st.abs(a)",
    "'abs'(a)",
    '"reflect"(a)',
    "(" * 51 + "a" + ")" * 51,
    "abs(" * 60 + "a" + ")" * 60,
    "CASE WHEN flag THEN " * 60 + "1" + " END" * 60,
    "transform(arr, x -> " * 60 + "x" + ")" * 60,
    "CAST(NULL AS " + "array<" * 60 + "int" + ">" * 60 + ")",
    "arr" + "[0]" * 500,
    "+".join(["a"] * 500),
    "NOT " * 500 + "flag",
    "-" + " -" * 500 + "a",
    "s || '" + "x" * 100_000 + "'",
    "(" * 90_000,
]
"""What is no expression of the language, or not as it looks, or too deep."""

MOMENTS = [
    "CAST(concat('no','w') AS TIMESTAMP)",
    "TRY_CAST(concat('no', 'w') AS DATE)",
    "CAST('no' || 'w' AS TIMESTAMP_NTZ)",
    "to_timestamp(concat('to', 'day'))",
    "timestamp(reverse('won'))",
    "date(upper(left('nowhere', 3)))",
    "date_format(concat('no', 'w'), 'yyyy')",
    "extract(year from concat('no','w'))",
    "hour(substr('know', 2))",
    "datediff(d, concat('no', 'w'))",
    "date_add(translate('mow', 'm', 'n'), 1)",
    "date(substr(typeof(struct(a AS now)), 8, 3))",
    "to_date(X'6e6f77')",
    "to_date(decode(X'6e' || X'6f77', 'utf-8'))",
    "hour(get_json_object('{\"a\": \"now\"}', '$.a'))",
    "DATE'\\u006eow'",
    "DATE '\\156ow'",
    "TIMESTAMP_NTZ'n\\ow'",
    "TIMESTAMP '12:30:00'",
    "timestamp'T12:30'",
    "CAST('\\u006eow' AS DATE)",
    "CAST('n\\ow' AS DATE)",
    "CAST('no' 'w' AS DATE)",
    "CAST('12:30' AS TIMESTAMP)",
    "to_timestamp('T12:30:00')",
    "hour('12:30')",
    "CAST('T12' AS TIMESTAMP)",
    "CAST('\\u000112:30' AS TIMESTAMP)",
    "CAST('\\u007fT1' AS TIMESTAMP)",
    "CAST(if(b > 0, '12:30', 'x') AS TIMESTAMP)",
    "CAST(concat(left(s, 0), '0:0') AS TIMESTAMP)",
    "CAST(left(s, 0) || '0:0' AS TIMESTAMP)",
    "hour(concat(left(s, 0), '12:30'))",
    "minute(elt(b, s, 'T1:2'))",
    "to_timestamp(regexp_replace(s, '.*', '12:30'))",
    "to_timestamp(concat(CAST(d AS STRING), ' 12:30'))",
    "CAST(CAST(X'31323A3330' AS STRING) AS TIMESTAMP)",
    "element_at(CAST(array('12:30') AS ARRAY<TIMESTAMP>), 1)",
    "d < 'today Japan'",
    "d < 'yesterday EST5EDT'",
    "d < 'tomorrow\\tZulu'",
    "d < 'today-1'",
    "ts < '\\u0001now'",
    "ts < 'now\\u007f'",
    "ts < 'now\\u0000'",
    "TRY_CAST('today GMT0' AS DATE)",
]
"""Dates and timestamps that are those of the run, or a time on its day."""

TIMES = [
    "array(ts, '0:0')[1]",
    "coalesce(nullif(ts, ts), '12:30')",
    "ts > '12:30'",
    "ts BETWEEN '00:00' AND '23:59'",
    "ts IN ('T1', '12:30')",
    "CASE WHEN a > 0 THEN ts ELSE ' 1:2' END",
    "nvl(nullif(ts, ts), if(a > 0, '12:30', s))",
    "map('k', ts, 'l', '12:30')",
    "ts > max('12:30') OVER (PARTITION BY s)",
    "exists(array('12:30', s), x -> ts > x)",
]
"""Times of day in texts of which only Spark knows that they become timestamps."""

COMPARED = [
    "ts > concat('no', 'w')",
    "d <> reverse('won')",
    "d BETWEEN DATE '2020-01-01' AND concat('to', 'day')",
    "CASE WHEN date_add(d, 1) <= concat('yester', 'day') THEN 1 END",
    "ts <=> decode(X'6e6f' || X'77', 'utf-8')",
    "ts > concat('12', ':30')",
    "array(ts, array_join(array('12', '30'), ':'))",
    "ts > aggregate(array('12', ':30'), '', (acc, x) -> concat(acc, x))",
    "d = aggregate(array('no', 'w'), '', (acc, x) -> acc || x)",
    "exists(transform(array('12:'), x -> concat(x, '30')), x -> ts > x)",
    "element_at(transform(array('no'), x -> CAST(concat(x, 'w') AS DATE)), 1)",
    "transform(array('no'), x -> transform(array('w'), y -> date(concat(x, y))))",
    "exists(array('12:'), x -> ts > concat(x, '30'))",
]
"""The same, where only Spark knows that a text becomes a date: by what it is compared with."""

HOSTILE = [*MOMENTS, *QUERIES, *CALLS, *ROWS, *SYNTAX]
"""All that a bundle must not carry."""


_PARTS = (
    "{} + {}",
    "{} * -{}",
    "({} - {})",
    "abs({}) / 2 + {}",
    "greatest({}, {}, 1)",
    "CASE WHEN {} > {} THEN 1 ELSE 0 END",
    "if({} BETWEEN 0 AND {}, 1, NULL)",
    "CAST({} AS DOUBLE) + CAST({} AS DECIMAL(20, 4))",
    "coalesce({}, {})",
    "element_at(transform(arr, (x, i) -> x * {} + i * {}), 1)",
    "aggregate(arr, CAST(0 AS DOUBLE), (acc, x) -> acc + {}, acc -> acc * {})",
    "struct({} AS x, {} AS y).x",
    "map('k', {} + {})['k']",
)
_LEAVES = ("a", "b", "dec", "1", "2.5", "1e-2", "st.x", "arr[0]", "size(arr)", "`odd ``name, EUR`")
_WINDOWS = (
    "avg({}) OVER (PARTITION BY s)",
    "sum({}) OVER (ORDER BY id ROWS 2 PRECEDING) - a",
    "lag({}) OVER (ORDER BY id)",
)


def expressions() -> st.SearchStrategy[str]:
    """Return numbers computed from the columns, composed of parts that a bundle may use."""
    numbers = st.recursive(
        st.sampled_from(_LEAVES),
        lambda inner: st.builds(str.format, st.sampled_from(_PARTS), inner, inner),
        max_leaves=12,
    )
    return st.one_of(numbers, st.builds(str.format, st.sampled_from(_WINDOWS), numbers))
