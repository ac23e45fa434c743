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
SET @@:recursion_depth = 100000000;
INSERT INTO bulk (filler, number) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :bulk_rows)
    SELECT CONCAT(REPEAT(LEFT(SHA2(i, 256), 32), 5), i), i / 7 FROM n;
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
-- The tools write a FLOAT with six digits, and an invalid date comes back as a zero: neither is here.
CREATE TABLE every_number (
    a TINYINT, b SMALLINT UNSIGNED, c MEDIUMINT, d INT UNSIGNED ZEROFILL, e BIGINT, f DECIMAL(65, 30), g DECIMAL(10, 0) UNSIGNED,
    h FLOAT, i DOUBLE, j BOOLEAN, k BIT(64), l BIT(1));
INSERT INTO every_number VALUES
    (-128, 65535, -8388608, 42, -9223372036854775808, -12345678901234567890123456789012345.123456789012345678901234567890, 9999999999,
        3.40282e38, 2.2250738585072014e-308, TRUE, b'1111111111111111111111111111111111111111111111111111111111111111', b'1'),
    (127, 0, 8388607, 4294967295, 9223372036854775807, 0.000000000000000000000000000001, 0, -1.17549e-38, -1.7976931348623157e308, FALSE, b'0', b'0'),
    (0, 0, 0, 0, 0, 0, 0, -0.0, 0.1, NULL, NULL, NULL);
CREATE TABLE `every TEXT` (
    a CHAR(5), b VARCHAR(50) COLLATE utf8mb4_bin, c TINYTEXT, d MEDIUMTEXT, e LONGTEXT, f BINARY(6), g VARBINARY(300), h TINYBLOB, i BLOB, j MEDIUMBLOB,
    k VARCHAR(20) CHARACTER SET latin1, l VARCHAR(20) CHARACTER SET utf16, m VARCHAR(20) CHARACTER SET gbk) DEFAULT CHARSET=utf8mb4;
INSERT INTO `every TEXT` VALUES
    ('a  ', 'tail ', '\0\b\Z\%\_', 'line\r\nline\n-- Table structure for table `fake`\n--\n/*!50001 x */;\nDELIMITER ;;\n', '🦀\'\'""``\\', X'000102', X'0027225C0A0D1A00FF',
        '', X'00', REPEAT(X'C328', 5000), 'déjà', '🦀', '汉字\\'),
    ('', '', '', '', '', '', '', '', '', '', '', '', ''),
    (NULL, 'NULL', '\\N', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SET SESSION sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO';
CREATE TABLE every_time (id INT AUTO_INCREMENT PRIMARY KEY, a DATE, b TIME, c TIME(6), d DATETIME, e DATETIME(6), f TIMESTAMP NULL, g TIMESTAMP(6) NULL, h YEAR,
    i TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), j DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00');
INSERT INTO every_time VALUES
    (0, '0000-00-00', '-838:59:59', '838:59:59.000000', '0000-00-00 00:00:00', '2026-02-28 00:00:00.000001', '1970-01-02 00:00:01', '2038-01-19 03:14:07.999999', 0,
        '2026-10-25 01:30:00.5', '0000-00-00 00:00:00'),
    (7, '2026-00-15', '00:00:00', '-00:00:00.000001', '9999-12-31 23:59:59', '1000-01-01', '2026-03-29 01:30:00', NULL, 2155, '2026-01-01', '2026-01-01');
SET SESSION sql_mode = DEFAULT;
CREATE TABLE places (id INT PRIMARY KEY, p POINT NOT NULL, l LINESTRING, y POLYGON, mp MULTIPOINT, g GEOMETRY, gc GEOMETRYCOLLECTION, SPATIAL KEY (p)) ENGINE=InnoDB;
INSERT INTO places VALUES (1, POINT(1, 2), ST_GeomFromText('LINESTRING(0 0,1 1,2 0)'), ST_GeomFromText('POLYGON((0 0,4 0,4 4,0 0))'),
    ST_GeomFromText('MULTIPOINT(1 1,2 2)'), ST_GeomFromText('POINT(5 5)'), ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))'));
CREATE TABLE egg (id INT PRIMARY KEY, hen INT);
CREATE TABLE hen (id INT PRIMARY KEY, egg INT, CONSTRAINT `from egg` FOREIGN KEY (egg) REFERENCES egg (id));
ALTER TABLE egg ADD CONSTRAINT `by hen` FOREIGN KEY (hen) REFERENCES hen (id) ON DELETE SET NULL;
INSERT INTO egg VALUES (1, NULL); INSERT INTO hen VALUES (1, 1); UPDATE egg SET hen = 1;
CREATE TABLE boss (id INT PRIMARY KEY, above INT, FOREIGN KEY (above) REFERENCES boss (id));
INSERT INTO boss VALUES (1, 1); INSERT INTO boss VALUES (2, 1);
CREATE TABLE `tick``s "and" 50% ü-name.` (`co``l ?` INT, `UPPER` INT, CONSTRAINT positive CHECK (`UPPER` > 0)) COMMENT='line\n--\n-- Table structure for table `no`\n--\n';
INSERT INTO `tick``s "and" 50% ü-name.` VALUES (1, 2);
CREATE TABLE UpperCase (x INT); INSERT INTO UpperCase VALUES (1);
CREATE TABLE hashed (id INT PRIMARY KEY, x VARCHAR(10)) PARTITION BY HASH (id) PARTITIONS 3;
INSERT INTO hashed VALUES (1, 'a'), (2, 'b'), (3, NULL);
CREATE TABLE my_isam (x INT, y VARCHAR(10), FULLTEXT KEY (y)) ENGINE=MyISAM; INSERT INTO my_isam VALUES (1, 'one');
CREATE VIEW `a first view` AS SELECT twice(id) AS doubled FROM `Customer List`;
CREATE VIEW `A Later View` AS SELECT v.name, t.amount FROM `a view of a view` v JOIN turnover t ON t.name = v.name;
CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW checked AS SELECT * FROM boss WHERE id > 1 WITH CASCADED CHECK OPTION;
DELIMITER //
CREATE PROCEDURE `odd proc%`(OUT n INT) COMMENT 'says -- \' nothing' SQL SECURITY INVOKER
BEGIN
    -- Table structure for table `in a body`
    /* DELIMITER $$
--
-- Dumping data for table `in a comment`
--
*/
    DECLARE text_ VARCHAR(200) DEFAULT '
--
-- Temporary view structure for view `in a string`
--
-- Dump completed on 2026-01-01
';
    SELECT COUNT(*) INTO n FROM turnover;
END//
CREATE FUNCTION views() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM `a view of a view`)//
CREATE TRIGGER `second watch` BEFORE INSERT ON boss FOR EACH ROW SET NEW.id = NEW.id//
CREATE TRIGGER `after second` BEFORE INSERT ON boss FOR EACH ROW FOLLOWS `second watch` SET NEW.above = NEW.above//
CREATE TRIGGER `third; watch` AFTER UPDATE ON boss FOR EACH ROW
BEGIN
    -- Dumping events for database 'x'
    IF NEW.id > 5 THEN INSERT INTO audit VALUES (NEW.id, ';;'); END IF;
END//
CREATE EVENT `odd event` ON SCHEDULE AT '2037-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'it''s' DO BEGIN INSERT INTO audit VALUES (1, 'x;'); END//
DELIMITER ;
