-- The names of the prelude on Spark. Each means what prelude_duckdb.sql says it means; tests/parity holds the two together.
-- One statement ends where a line ends in a semicolon.
create or replace temporary function days_between(a date, b date) returns bigint return datediff(b, a);
create or replace temporary function time_text(t timestamp) returns string return date_format(t, 'yyyy-MM-dd HH:mm:ss');
-- DuckDB trims every blank of Unicode (class Zs) and no other white space; Spark's own trim takes the plain blank only.
create or replace temporary function trimmed(t string) returns string return regexp_replace(t, '^\p{Zs}+|\p{Zs}+\z', '');
create or replace temporary function words_of(t string) returns string return
    concat(' ', trim(regexp_replace(lower(t), '[^\p{L}\p{N}]+', ' ')), ' ');
create or replace temporary function clean_text(t string) returns string return nullif(trimmed(t), '');
create or replace temporary function clean_trimmed_id(t string) returns string return
    case when lower(t) in ('', 'nan', 'none', 'null', 'n/a', '#n/a', '\n', '<na>', '-', '--', 'unknown', 'guest', 'anonymous', '(not set)') then null
         when t rlike '^[\t\n\x0B\f\r ]*[-+]?(\d+(_\d+)*)?\.0\z' then left(t, length(t) - 2)
         else t end;
create or replace temporary function clean_id(t string) returns string return clean_trimmed_id(trimmed(t));
-- Java writes 1.2E-4 and 1.0E16 where DuckDB writes 0.00012 and 1e+16.
create or replace temporary function number_text(x double) returns string return
    case when isnan(x) then 'nan'
         when abs(x) = double('infinity') then case when x > 0 then 'inf' else '-inf' end
         when x = 0 then cast(x as string)
         when abs(x) < 1e16 and x = floor(x) then concat(cast(cast(x as decimal(16, 0)) as string), '.0')
         when abs(x) >= 1e16 or abs(x) < 1e-4 then
             replace(
                 replace(
                     regexp_replace(regexp_replace(cast(x as string), '^(-?\d)(?:\.0)?(\.\d+)?E', '$1$2E'), 'E-(\d)\z', 'E-0$1'),
                     'E-', 'e-'),
                 'E', 'e+')
         else regexp_replace(cast(cast(x as decimal(38, 20)) as string), '0+\z', '') end;
create or replace temporary function id_from_number(x double) returns string return
    case when isnan(x) or abs(x) = double('infinity') then null
         when abs(x) < 1e15 and x = floor(x) then cast(cast(x as bigint) as string)
         else number_text(x) end;
create or replace temporary function bare_number(t string) returns string return
    regexp_replace(
        regexp_replace(
            regexp_replace(trimmed(t), '[\t\n\f\r \x{00A0}\x{202F}''£$€¥₹]|^[A-Z]{3}[\t\n\f\r ]*|[\t\n\f\r ]*[A-Z]{3}\z', ''),
            '^\((.+)\)\z', '-$1'),
        '^([^-].*)-\z', '-$1');
create or replace temporary function number_from_plain_text(t string) returns decimal(18, 4) return
    case when t rlike '^[\t\n\x0B\f\r ]*[-+]?(\d+(_\d+)*)?\.?(\d+(_\d+)*)?([eE][-+]?\d{1,3})?[\t\n\x0B\f\r ]*\z'
         then try_cast(replace(t, '_', '') as decimal(18, 4)) end;
create or replace temporary function number_from_bare_text(t string) returns decimal(18, 4) return
    case when t rlike '^[-+]?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?\z' then try_cast(replace(t, ',', '') as decimal(18, 4)) end;
create or replace temporary function number_from_point_text(t string) returns decimal(18, 4) return
    coalesce(number_from_plain_text(t), number_from_bare_text(bare_number(t)));
create or replace temporary function number_from_bare_comma_text(t string) returns decimal(18, 4) return
    case when t rlike '^[-+]?(\d+|\d{1,3}(\.\d{3})+)?(,\d*)?\z'
         then try_cast(replace(replace(t, '.', ''), ',', '.') as decimal(18, 4)) end;
create or replace temporary function number_from_comma_text(t string) returns decimal(18, 4) return
    number_from_bare_comma_text(bare_number(t));
-- Half a ten-thousandth is decided in doubles, away from zero, as DuckDB does it; Spark's own cast decides it in decimals.
create or replace temporary function nearest_integer(x double) returns bigint return
    case when abs(x) < 1e18
         then cast(sign(x) as bigint) * (floor(abs(x)) + case when abs(x) - floor(abs(x)) >= 0.5e0 then 1 else 0 end) end;
create or replace temporary function number_from_double(x double) returns decimal(18, 4) return
    try_cast(cast(nearest_integer(x * 1.0e4) as decimal(18, 0)) * 0.0001 as decimal(18, 4));
create or replace temporary function time_from_microseconds(n bigint) returns timestamp return
    cast(timestamp_micros(n) as timestamp);
create or replace temporary function time_from_epoch(x double) returns timestamp return
    time_from_microseconds(
        cast(rint(
            case when abs(x) < 1e11 then x * 1.0e6
                 when abs(x) < 1e14 then x * 1.0e3
                 when abs(x) < 1e17 then x
                 when abs(x) < 9e18 then x / 1.0e3 end) as bigint));
create or replace temporary function row_hash(
    a string, b string, c string, d string, e timestamp, f decimal(18, 4), g decimal(18, 4), h decimal(18, 4), i decimal(18, 4),
    j string, k string, l string
) returns bigint return xxhash64(a, b, c, d, e, f, g, h, i, j, k, l);
create or replace temporary function country_name(c string) returns string return
    case when lower(c) in ('unspecified', 'unknown', 'n/a', 'na', 'none', '-', '?') then 'Unknown' else c end;
create or replace temporary function matches_pattern(t string, p string) returns boolean return t rlike p;
create or replace temporary function digest(t string) returns string return sha2(t, 256);
