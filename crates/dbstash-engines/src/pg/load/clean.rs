//! Everything in a database goes, so that it is as `template0` makes one.

use dbstash_core::load::major;

use super::one::literal;

/// The statement, on one line. Part of a transaction: what fails later brings everything back.
pub(super) fn everything(version: Option<&str>) -> String {
    // Since 15 the schema `public` is the database owner's, and nobody else may write to it.
    let public = match version.and_then(major) {
        Some(..=14) => {
            "EXECUTE pg_catalog.format('CREATE SCHEMA public AUTHORIZATION %I', owner); \
             GRANT ALL ON SCHEMA public TO PUBLIC;"
        }
        _ => {
            "CREATE SCHEMA public AUTHORIZATION pg_database_owner; GRANT USAGE ON SCHEMA public TO PUBLIC;"
        }
    };
    format!(
        "DO $dbstash$ DECLARE one text; owner text; rights record; BEGIN \
         SELECT pg_catalog.pg_get_userbyid(nspowner) INTO owner FROM pg_catalog.pg_namespace WHERE nspname = 'public'; \
         {} {} {} {} {} {} {} {} {DEFAULTS} \
         owner := coalesce(owner, current_user); {public} COMMENT ON SCHEMA public IS 'standard public schema'; \
         END $dbstash$; ",
        each(
            "SELECT 'EVENT TRIGGER ' || pg_catalog.quote_ident(evtname) FROM pg_catalog.pg_event_trigger o",
            Some("pg_event_trigger")
        ),
        each(
            "SELECT 'PUBLICATION ' || pg_catalog.quote_ident(pubname) FROM pg_catalog.pg_publication",
            None
        ),
        each(
            "SELECT 'EXTENSION ' || pg_catalog.quote_ident(extname) FROM pg_catalog.pg_extension \
             WHERE extname <> 'plpgsql'",
            None
        ),
        each(
            "SELECT 'SCHEMA ' || pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_namespace \
             WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
            None
        ),
        each(
            "SELECT 'FOREIGN DATA WRAPPER ' || pg_catalog.quote_ident(fdwname) FROM pg_catalog.pg_foreign_data_wrapper",
            None
        ),
        each(
            "SELECT 'LANGUAGE ' || pg_catalog.quote_ident(lanname) FROM pg_catalog.pg_language \
             WHERE lanispl AND lanname <> 'plpgsql'",
            None
        ),
        each(
            "SELECT pg_catalog.format('CAST (%s AS %s)', pg_catalog.format_type(castsource, NULL), \
             pg_catalog.format_type(casttarget, NULL)) FROM pg_catalog.pg_cast WHERE oid >= 16384",
            None
        ),
        "PERFORM pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata;",
    )
}

/// What new objects of a role are given goes back to what every server gives them, where the role may say so. Those of a
/// schema go with it. To all but their owner first: what is as it is built in has no row, and none is left.
const DEFAULTS: &str = "FOR rights IN SELECT pg_catalog.pg_get_userbyid(defaclrole) AS of, defaclrole AS id, defaclacl AS acl, \
     CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' \
     WHEN 'n' THEN 'SCHEMAS' WHEN 'L' THEN 'LARGE OBJECTS' END AS kind FROM pg_catalog.pg_default_acl WHERE defaclnamespace = 0 LOOP \
     BEGIN FOR one IN SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END \
     FROM pg_catalog.aclexplode(rights.acl) LOOP \
     EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE ALL ON %s FROM %s', rights.of, rights.kind, one); END LOOP; \
     EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %1$I GRANT ALL ON %2$s TO %1$I', rights.of, rights.kind); \
     IF rights.kind IN ('FUNCTIONS', 'TYPES') THEN \
     EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT ALL ON %s TO PUBLIC', rights.of, rights.kind); END IF; \
     EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING 'the default privileges of % stay', rights.of; END; END LOOP;";

/// Drops each of what a query tells.
fn each(query: &str, of_extensions: Option<&str>) -> String {
    let query = match of_extensions {
        // With its extension it goes anyway.
        Some(class) => format!(
            "{query} WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' AND d.objid = o.oid \
             AND d.classid = {}::pg_catalog.regclass)",
            literal(&format!("pg_catalog.{class}"))
        ),
        None => query.to_owned(),
    };
    format!("FOR one IN {query} LOOP EXECUTE 'DROP ' || one || ' CASCADE'; END LOOP;")
}
