-- What PostgreSQL 16 to 18 brought.
SET SESSION AUTHORIZATION stash;
SET client_min_messages = error;

CREATE TABLE reckoned (
    a integer,
    twice integer GENERATED ALWAYS AS (a * 2) VIRTUAL,
    thrice integer GENERATED ALWAYS AS (a * 3) STORED,
    at uuid DEFAULT uuidv7()
);
INSERT INTO reckoned (a) SELECT i FROM generate_series(1, 100) i;
CREATE TABLE lease (flat int4range, during daterange, PRIMARY KEY (flat, during WITHOUT OVERLAPS));
INSERT INTO lease VALUES ('[1,2)', '[2026-01-01,2026-07-01)'), ('[1,2)', '[2026-07-01,)');
CREATE TABLE visit (flat int4range, during daterange, FOREIGN KEY (flat, PERIOD during) REFERENCES lease (flat, PERIOD during));
INSERT INTO visit VALUES ('[1,2)', '[2026-06-01,2026-08-01)');
CREATE TABLE loose (
    a integer CONSTRAINT "must be" NOT NULL NO INHERIT,
    b integer CONSTRAINT "not so strict" CHECK (b > 0) NOT ENFORCED,
    c integer
);
INSERT INTO loose VALUES (1, -1, NULL);
ALTER TABLE loose ADD CONSTRAINT later NOT NULL c NOT VALID;
CREATE TABLE pointed (x integer PRIMARY KEY);
CREATE TABLE pointing (x integer REFERENCES pointed NOT ENFORCED);
INSERT INTO pointing VALUES (404);
CREATE VIEW tabled AS SELECT * FROM JSON_TABLE('[{"a": 1}]', '$[*]' COLUMNS (a integer PATH '$.a'));
CREATE FUNCTION label(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN casefold($1);

-- Large objects of two owners: since version 17 a folder has a list for each owner and set of grants.
SELECT lo_from_bytea(0, convert_to('object ' || i, 'UTF8')) FROM generate_series(1, 30) i \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT lo_from_bytea(0, '\xff00') \g /dev/null
DO $$ BEGIN
    EXECUTE (SELECT format('GRANT SELECT ON LARGE OBJECT %s TO stash', max(oid)) FROM pg_largeobject_metadata);
END $$;
CREATE STATISTICS "both of them" ON a, thrice FROM reckoned;
ANALYZE;
