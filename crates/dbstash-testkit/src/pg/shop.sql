-- One of everything that a dump can get wrong. Wants the psql variable bulk_rows.
SET SESSION AUTHORIZATION stash;
SET client_min_messages = warning;
SET TimeZone = 'UTC';

CREATE EXTENSION hstore;
CREATE SCHEMA "Odd schema-50%";
CREATE TYPE mood AS ENUM ('', 'so-so', 'it''s "fine"', '😀');
CREATE TYPE pair AS (a integer, b text);
CREATE DOMAIN percent AS numeric(5, 2) CHECK (VALUE BETWEEN 0 AND 100);

CREATE SEQUENCE invoice_number START 1000 INCREMENT 7;
CREATE FUNCTION next_invoice() RETURNS text LANGUAGE sql VOLATILE
    AS $body$ SELECT 'INV-' || nextval('public.invoice_number') || $$ it's $$ $body$;

CREATE TABLE customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email text UNIQUE,
    slug text GENERATED ALWAYS AS (lower(name)) STORED,
    mood mood DEFAULT 'so-so',
    joined timestamptz NOT NULL DEFAULT '2026-02-07 02:00:00+00'
);
COMMENT ON TABLE customer IS E'people; with ''quotes'',\nnewlines and 🦀';

CREATE TABLE "Odd schema-50%"."Order Line" (
    id serial PRIMARY KEY,
    "customer's id" bigint NOT NULL REFERENCES customer ON DELETE CASCADE,
    "UPPER ""quoted""" text,
    discount percent,
    invoice text DEFAULT next_invoice(),
    parent integer REFERENCES "Odd schema-50%"."Order Line" DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX "by 100%" ON "Odd schema-50%"."Order Line" ("customer's id") WHERE discount > 50;

CREATE TABLE every_type (
    id integer PRIMARY KEY, b boolean, i2 smallint, i8 bigint, n numeric, f4 real, f8 double precision, m money,
    t text, c char(5), v varchar(20), raw bytea, d date, ti time, tz timetz, ts timestamp, tstz timestamptz, iv interval,
    u uuid, j json, jb jsonb, x xml, ip inet, net cidr, mac macaddr, bits bit varying, pt point, ranges int4multirange,
    period tstzrange, words tsvector, tags text[], grid integer[][], duo pair, moods mood[], kv hstore
);
INSERT INTO every_type VALUES
    (1, true, -32768, 9223372036854775807, 'NaN', 'Infinity', 1e-307, -12.34, E'tab\tnew\nline\\back\r', 'ab', '', '\x00ff0a5c',
        '4713-01-01 BC', '23:59:59.999999', '12:00+05:30', 'infinity', '-infinity', '1 year -2 days 03:04:05',
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1,  "a": "\u00e9"}', '{"a": [null, 1.0]}', '<a b="c">&amp;</a>',
        '::1', '10.0.0.0/8', '08:00:2b:01:02:03', B'101', '(1.5,-2)', '{[1,3),[5,7)}',
        '[2026-01-01 00:00+00,)', 'fat:2 rat:3', ARRAY['a,b', NULL, '', '"q"', '{x}'], '{{1,2},{3,4}}', '(1,"x,y")', '{"",😀}',
        'k=>v, "a b"=>NULL'),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, false, 0, 0, 0.10, 0, '-0', 0, '', '', '', '', 'infinity', '00:00', '00:00+00', 'epoch', 'epoch', '0',
        '00000000-0000-0000-0000-000000000000', '""', '{}', '', '0.0.0.0', '::/0', '00:00:00:00:00:00', B'', '(0,0)', '{}',
        'empty', '', '{}', '{}', '(,)', '{}', ''),
    (4, NULL, 1, 1, 1, 1, 1, 1, E'\\.', E'\\N', '\N', decode('5c2e0a', 'hex'), 'epoch', NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ARRAY['\.'], NULL, NULL, NULL, NULL);

INSERT INTO customer (name, email, mood)
SELECT 'Zoë O''Brien "' || i || E'"\n🦀\\', CASE WHEN i % 10 = 0 THEN NULL ELSE i || '@example.com' END,
    (enum_range(NULL::mood))[1 + i % 4]
FROM generate_series(1, 500) i;

INSERT INTO "Odd schema-50%"."Order Line" ("customer's id", "UPPER ""quoted""", discount, parent)
SELECT 1 + i % 500, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE repeat('%s', i % 7) END, i % 101,
    CASE WHEN i < 1000 THEN i + 1 END
FROM generate_series(1, 1000) i;

-- An empty table, one with rows and no columns, and one that is not logged.
CREATE TABLE empty (a integer, b text);
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
CREATE UNLOGGED TABLE hit_count AS SELECT i AS page, i * 3 AS hits FROM generate_series(1, 50) i;

-- The name of a table may be a command, an option, or look like the end of a dump.
CREATE TABLE "-- PostgreSQL database dump complete" (line text);
INSERT INTO "-- PostgreSQL database dump complete" VALUES
    (E'--\n-- PostgreSQL database dump complete\n--\n'), ('\connect nowhere'), ('$body$; DROP TABLE customer;');
CREATE TABLE "--version; rm -rf $HOME `id`" ("select" integer, "a.b" integer, "ünï😀" text DEFAULT 'ü');
INSERT INTO "--version; rm -rf $HOME `id`" VALUES (1, 2);

CREATE TABLE event (at timestamptz NOT NULL, kind text NOT NULL, detail jsonb) PARTITION BY RANGE (at);
CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (kind);
CREATE TABLE "event_2026 sale" PARTITION OF event_2026 FOR VALUES IN ('sale');
CREATE TABLE event_rest PARTITION OF event DEFAULT;
INSERT INTO event SELECT '2024-06-01'::timestamptz + i * interval '1 day', 'sale', jsonb_build_object('n', i)
FROM generate_series(1, 900) i;

CREATE TABLE animal (name text);
CREATE TABLE cat (lives integer DEFAULT 9) INHERITS (animal);
INSERT INTO animal VALUES ('ant');
INSERT INTO cat VALUES ('Tom');

CREATE VIEW turnover AS
    SELECT c.name, count(*) AS lines FROM customer c
    JOIN "Odd schema-50%"."Order Line" l ON l."customer's id" = c.id GROUP BY c.name;
CREATE MATERIALIZED VIEW top_ten AS SELECT * FROM turnover ORDER BY lines DESC, name LIMIT 10;
CREATE VIEW "view of a view" WITH (security_barrier) AS SELECT * FROM turnover WHERE lines > 1;

CREATE TABLE audit (at integer GENERATED BY DEFAULT AS IDENTITY, what text);
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
    INSERT INTO public.audit (what) VALUES (TG_OP || ' ' || coalesce(new.name, 'nobody'));
    RETURN new;
END
$fn$;
CREATE TRIGGER "on change" AFTER INSERT OR UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION note_change();
UPDATE customer SET email = email WHERE id <= 3;
CREATE TABLE silent (id integer);
CREATE RULE "no deletes" AS ON DELETE TO silent DO INSTEAD NOTHING;
CREATE PROCEDURE "do nothing"() LANGUAGE sql AS '';
CREATE AGGREGATE longest (text) (SFUNC = textcat, STYPE = text, INITCOND = '');
CREATE STATISTICS together ON name, email FROM customer;

-- The owner is not bound by it, everyone else is.
ALTER TABLE customer ENABLE ROW LEVEL SECURITY;
CREATE POLICY "only happy ones" ON customer FOR SELECT USING (mood = '😀');
GRANT SELECT ON customer TO PUBLIC;
GRANT INSERT (name) ON customer TO pg_monitor WITH GRANT OPTION;
REVOKE EXECUTE ON FUNCTION next_invoice() FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA "Odd schema-50%" GRANT SELECT ON TABLES TO pg_monitor;

SELECT lo_from_bytea(4711, decode(repeat('00ff5c0a', 30000), 'hex')) \g /dev/null
SELECT lo_from_bytea(4712, '') \g /dev/null
COMMENT ON LARGE OBJECT 4711 IS 'it''s large';
GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC;

CREATE TABLE bulk (id bigint PRIMARY KEY, noise text NOT NULL, amount numeric);
INSERT INTO bulk SELECT i, md5(i::text) || md5((i + 1)::text) || md5((i + 2)::text) || md5((i + 3)::text) || md5((i + 4)::text),
    i / 7.0 FROM generate_series(1, :bulk_rows) i;
RESET SESSION AUTHORIZATION;
