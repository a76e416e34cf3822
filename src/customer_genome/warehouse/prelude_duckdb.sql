-- Names that mean the same on every engine. Each engine has its own prelude; the SQL files use only these names.
create or replace macro days_between(a, b) as datediff('day', a, b);
create or replace macro time_text(t) as strftime(t, '%Y-%m-%d %H:%M:%S');
create or replace macro words_of(t) as ' ' || trim(regexp_replace(lower(t), '[^\p{L}\p{N}]+', ' ', 'g')) || ' ';
create or replace macro clean_text(t) as nullif(trim(t), '');
create or replace macro clean_id(t) as
    case when lower(trim(t)) in ('', 'nan', 'none', 'null', 'n/a', '#n/a', '\n', '<na>', '-', '--', 'unknown', 'guest', 'anonymous', '(not set)') then null
         when ends_with(trim(t), '.0') and try_cast(trim(t) as double) is not null then left(trim(t), length(trim(t)) - 2)
         else trim(t) end;
create or replace macro id_from_number(x) as
    case when x = trunc(x) and abs(x) < 1e15 then cast(cast(x as bigint) as varchar) when isfinite(x) then cast(x as varchar) end;
create or replace macro number_text(x) as cast(x as varchar);
create or replace macro number_from_double(x) as try_cast(x as decimal(18, 4));
create or replace macro bare_number(t) as
    regexp_replace(
        regexp_replace(
            regexp_replace(trim(t), '[\s\x{00A0}\x{202F}''£$€¥₹]|^[A-Z]{3}\s*|\s*[A-Z]{3}$', '', 'g'),
            '^\((.+)\)$', '-\1'),
        '^([^-].*)-$', '-\1');
create or replace macro number_from_point_text(t) as
    coalesce(
        try_cast(t as decimal(18, 4)),
        case when regexp_full_match(bare_number(t), '[-+]?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?')
             then try_cast(replace(bare_number(t), ',', '') as decimal(18, 4)) end);
create or replace macro number_from_comma_text(t) as
    case when regexp_full_match(bare_number(t), '[-+]?(\d+|\d{1,3}(\.\d{3})+)?(,\d*)?')
         then try_cast(replace(replace(bare_number(t), '.', ''), ',', '.') as decimal(18, 4)) end;
create or replace macro time_from_epoch(x) as
    case when abs(x) < 1e11 then make_timestamp(cast(x * 1000000 as bigint))
         when abs(x) < 1e14 then make_timestamp(cast(x * 1000 as bigint))
         when abs(x) < 1e17 then make_timestamp(cast(x as bigint))
         when abs(x) < 9e18 then make_timestamp(cast(x / 1000 as bigint)) end;
create or replace macro row_hash(a, b, c, d, e, f, g, h, i, j, k, l) as hash(a, b, c, d, e, f, g, h, i, j, k, l);
create or replace macro row_json(s) as cast(to_json(s) as varchar);
create or replace macro country_name(c) as
    case when lower(c) in ('unspecified', 'unknown', 'n/a', 'na', 'none', '-', '?') then 'Unknown' else c end;
create or replace macro matches_pattern(t, p) as regexp_matches(t, p);
create or replace macro digest(t) as sha256(t);
