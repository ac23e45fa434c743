PRAGMA user_version = 42;
PRAGMA application_id = 1684173683;
PRAGMA foreign_keys = ON;
BEGIN;
CREATE TABLE customer (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL COLLATE NOCASE,
    email TEXT UNIQUE,
    slug TEXT GENERATED ALWAYS AS (lower(name)) STORED,
    mood TEXT CHECK (mood IN ('', 'it''s "fine"', '😀'))
);
CREATE TABLE "Order Line-50%" (
    "customer's id" INTEGER NOT NULL REFERENCES customer (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    "UPPER ""quoted""" TEXT,
    cents INTEGER DEFAULT (1 + 1),
    PRIMARY KEY ("customer's id", cents)
) WITHOUT ROWID;
CREATE TABLE every_type (id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT, b BLOB, any_type, n NUMERIC);
INSERT INTO every_type VALUES
    (1, 9223372036854775807, 9e999, 'tab	new
line\back', x'00ff0a27', 'text', '0012'),
    (2, -9223372036854775808, -9e999, '', x'', 12, 1e100),
    (3, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, 0, -0.0, '''; DROP TABLE customer; --', zeroblob(100000), x'53514c', 0.1),
    (5, 'not a number', 0.1 + 0.2, 'COMMIT;', x'434f4d4d49543b', 1.0, 'ROLLBACK; -- due to errors');
CREATE TABLE empty (a, b);
CREATE TABLE "COMMIT;" ("select", "a.b", "ünï😀" DEFAULT 'ü');
INSERT INTO "COMMIT;" VALUES (1, char(13) || char(10), '-- ROLLBACK'), (2, NULL, '');
CREATE TABLE audit (what);
CREATE INDEX "by 100%" ON customer (mood DESC, lower(email)) WHERE email IS NOT NULL;
CREATE VIEW "view of it" AS SELECT name, count(*) AS lines
    FROM customer JOIN "Order Line-50%" ON "customer's id" = id GROUP BY name;
CREATE TRIGGER "on change" AFTER INSERT ON customer BEGIN
    INSERT INTO audit VALUES ('new; ' || new.name);
END;
CREATE VIRTUAL TABLE words USING fts5 (body, note UNINDEXED);
INSERT INTO words VALUES ('the quick brown fox', 'it''s'), ('jumps over 😀', NULL);

WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO customer (name, email, mood)
SELECT 'Zoë O''Brien "' || i || '" 🦀', CASE WHEN i % 10 THEN i || '@example.com' END,
    CASE i % 4 WHEN 0 THEN '' WHEN 1 THEN 'it''s "fine"' WHEN 2 THEN '😀' END FROM n;
DELETE FROM customer WHERE id > 490;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO "Order Line-50%" SELECT 1 + i % 490, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE '%s' END, i FROM n;

CREATE TABLE bulk (id INTEGER PRIMARY KEY, noise TEXT NOT NULL, amount REAL);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :bulk_rows)
INSERT INTO bulk SELECT i, printf('%0160d', i), i / 7.0 FROM n WHERE i <= :bulk_rows;
COMMIT;
