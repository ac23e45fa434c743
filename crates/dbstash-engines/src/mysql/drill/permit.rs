//! What a login may do with a scratch database.

use dbstash_core::drill::{Granted, Permit};
use dbstash_core::engine::PlanError;
use dbstash_core::job::Server;

use super::asking;
use crate::mysql::Dialect;
use crate::mysql::checkup::quoted_user;
use crate::mysql::grants::Grants;

/// A name that a scratch database has.
const NAME: &str = "dbstash_drill_x";
/// What a restore, its count and its end take.
const NEEDED: [&str; 10] = [
    "SELECT",
    "INSERT",
    "CREATE",
    "DROP",
    "ALTER",
    "INDEX",
    "REFERENCES",
    "LOCK TABLES",
    "TRIGGER",
    "CREATE VIEW",
];

/// Asks it.
pub(super) fn permit(dialect: Dialect, server: &Server) -> Result<Permit, PlanError> {
    let asked = "SELECT 'server', VERSION(); SELECT 'user', CURRENT_USER(); SHOW GRANTS";
    Ok(Permit { question: asking(dialect, server, &["--execute", asked])?, read: granted })
}

fn granted(said: &str) -> Granted {
    let one = |word: &str| {
        let mut found = said.lines().filter_map(|line| line.strip_prefix(word));
        found.find_map(|rest| rest.strip_prefix('\t')).unwrap_or_default()
    };
    let (grants, version, user) = (Grants::read(said), one("server"), quoted_user(one("user")));
    let lacking = NEEDED.into_iter().filter(|one| !grants.has(one, Some(NAME)));
    let lacking = lacking.collect::<Vec<_>>().join(", ");
    let name = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    let mut told = Granted { server: format!("{name} {version}"), ..Granted::default() };
    if !lacking.is_empty() {
        let what = format!("{user} lacks {lacking} on a scratch database at DRILL_URI");
        let way_out = format!("GRANT ALL ON `dbstash\\_drill\\_%`.* TO {user}");
        if grants.roles {
            told.unsure = Some((format!("{what} (unless one of its roles has it)"), way_out));
        } else {
            told.lacks.push((what, way_out));
        }
    }
    Granted { user, ..told }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_on_what_is_not_there_yet() {
        let told = |grants: &str| granted(&format!("server\t9.7.0\nuser\td@%\n{grants}\n"));
        let all = "GRANT ALL PRIVILEGES ON `dbstash\\_drill\\_%`.* TO `d`@`%`";
        assert_eq!((told(all).lacks, told(all).unsure), (Vec::new(), None));
        assert_eq!((&*told(all).user, &*told(all).server), ("'d'@'%'", "MySQL 9.7.0"));
        let some = told("GRANT SELECT, INSERT, CREATE, DROP ON *.* TO `d`@`%`").lacks;
        assert!(some[0].0.starts_with("'d'@'%' lacks ALTER, INDEX, "), "{some:?}");
        assert_eq!(some[0].1, r"GRANT ALL ON `dbstash\_drill\_%`.* TO 'd'@'%'");
        let role = told("GRANT USAGE ON *.* TO `d`@`%`\nGRANT `r`@`%` TO `d`@`%`");
        assert!(role.lacks.is_empty() && role.unsure.is_some(), "{role:?}");
    }
}
