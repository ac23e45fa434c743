SET NAMES utf8mb4;
CREATE TABLE `Customer List` (
    id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(200) NOT NULL,
    note TEXT,
    photo LONGBLOB,
    mood ENUM('fine', 'so-so', 'o''k') DEFAULT 'fine',
    tags SET('a', 'b', 'c'),
    flags BIT(10),
    price DECIMAL(20, 6),
    ratio DOUBLE,
    small FLOAT,
    born DATE,
    woken TIME(6),
    seen DATETIME(6),
    changed TIMESTAMP(3) NULL DEFAULT NULL,
    vintage YEAR,
    doc JSON,
    place POINT,
    shout VARCHAR(210) GENERATED ALWAYS AS (CONCAT(name, '!')) STORED,
    long_name VARCHAR(210) GENERATED ALWAYS AS (CONCAT(name, '?')) VIRTUAL,
    UNIQUE KEY `by name` (name),
    FULLTEXT KEY words (note)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='it''s a "list", 100% \\ done';
INSERT INTO `Customer List` (name, note, photo, mood, tags, flags, price, ratio, small, born, woken, seen, changed, vintage, doc, place) VALUES
    ('Zoë O''Brien 🦀', 'two\nlines\tand a tab \\ "quoted"', X'00FF0D0A5C2722', 'o''k', 'a,c', b'1010101010', -12345.678901, 1e300, 0.1,
        '2026-02-28', '-12:34:56.789012', '2026-03-29 02:30:00.123456', '2026-07-01 00:00:00.123', 2026, '{"a": [1, "ü", null]}', POINT(1.5, -2.5)),
    ('', '', '', 'fine', '', b'0', 0, 0, 0, '1000-01-01', '00:00:00', '9999-12-31 23:59:59.999999', NULL, 1901, '[]', NULL),
    ('null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE `order-line%` (
    id INT AUTO_INCREMENT PRIMARY KEY,
    customer BIGINT UNSIGNED NOT NULL,
    cents INT NOT NULL CHECK (cents >= 0),
    FOREIGN KEY (customer) REFERENCES `Customer List` (id) ON DELETE CASCADE
) ENGINE=InnoDB AUTO_INCREMENT=1000;
INSERT INTO `order-line%` (customer, cents) SELECT id, id * 100 FROM `Customer List`;
CREATE TABLE parted (id INT NOT NULL, at DATE NOT NULL, PRIMARY KEY (id, at))
    PARTITION BY RANGE (YEAR(at)) (PARTITION p25 VALUES LESS THAN (2026), PARTITION pmax VALUES LESS THAN MAXVALUE);
INSERT INTO parted VALUES (1, '2025-05-05'), (2, '2026-06-06');
CREATE TABLE latin (word VARCHAR(20)) DEFAULT CHARSET=latin1;
INSERT INTO latin VALUES ('déjà vu');
CREATE TABLE nothing (id INT PRIMARY KEY);
CREATE TABLE audit (line INT, what VARCHAR(20));
CREATE TABLE bulk (id INT AUTO_INCREMENT PRIMARY KEY, filler VARCHAR(250), number DOUBLE);
SET @@max_recursive_iterations = 100000000;
INSERT INTO bulk (filler, number) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :bulk_rows)
    SELECT CONCAT(REPEAT(MD5(i), 5), i), i / 7 FROM n;
CREATE VIEW turnover AS SELECT c.name, SUM(o.cents) / 100 AS amount FROM `order-line%` o JOIN `Customer List` c ON c.id = o.customer GROUP BY c.name;
CREATE VIEW `a view of a view` AS SELECT name FROM turnover WHERE amount > 1;
CREATE TRIGGER watch AFTER INSERT ON `order-line%` FOR EACH ROW INSERT INTO audit VALUES (NEW.id, 'inserted; ''really''');
CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN x * 2;
DELIMITER //
CREATE PROCEDURE fill(IN n INT)
BEGIN
    DECLARE i INT DEFAULT 0;
    WHILE i < n DO
        INSERT INTO audit VALUES (i, 'filled');
        SET i = i + 1;
    END WHILE;
END//
CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY STARTS '2026-01-01 00:00:00' DISABLE DO BEGIN DELETE FROM audit WHERE line < 0; END//
DELIMITER ;
