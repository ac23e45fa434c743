CREATE TABLE own (
    id BINARY(16) DEFAULT (UUID_TO_BIN(UUID())) PRIMARY KEY,
    doc JSON NOT NULL DEFAULT (JSON_ARRAY('x')),
    name VARCHAR(50) INVISIBLE,
    tags JSON,
    KEY lowered ((LOWER(name)))
);
-- Without rows: the server's checksum of such a table is another one each time.
CREATE TABLE many_valued (tags JSON, KEY many ((CAST(tags->'$.ids' AS UNSIGNED ARRAY))));
INSERT INTO own (id, doc, name, tags) VALUES (X'00010203040506070809000A0B0C0D0E', '{"d": 1.0, "e": 1e100, "ü": "🦀\\n"}', 'Hidden', '{"ids": [3, 5, 7]}');
CREATE TABLE srs (id INT PRIMARY KEY, p POINT NOT NULL SRID 4326, SPATIAL KEY (p));
INSERT INTO srs VALUES (1, ST_GeomFromText('POINT(52.5 13.4)', 4326));
SET SESSION sql_generate_invisible_primary_key = ON;
CREATE TABLE keyless (x INT); INSERT INTO keyless VALUES (1), (2);
SET SESSION sql_generate_invisible_primary_key = OFF;
CREATE TABLE renamed_later (x INT, KEY unseen (x) INVISIBLE, y VECTOR(3)); INSERT INTO renamed_later VALUES (1, STRING_TO_VECTOR('[1,2,3]'));
ANALYZE TABLE own UPDATE HISTOGRAM ON name;
