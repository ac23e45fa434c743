//! What a server tells of itself and of who asks.

use std::io::{self, Write as _};

use anyhow::Result;
use mongodb::Client;
use mongodb::bson::{Bson, Document, doc};

/// Prints rows of three, a NUL after each field: `server` and its version, `clock` and its milliseconds, `database` and
/// its name, `user`, `role` and the database of each, and where it may `find`.
pub(crate) async fn checkup(client: &Client) -> Result<()> {
    let admin = client.database("admin");
    let mut rows: Vec<[String; 3]> = Vec::new();
    let mut add = |kind: &str, a: &str, b: &str| rows.push([kind, a, b].map(str::to_owned));
    let build = admin.run_command(doc! { "buildInfo": 1 }).await?;
    add("server", build.get_str("version").unwrap_or_default(), "");
    let mut is_let_in = false;
    // Not every server that speaks the protocol knows these.
    if let Ok(hello) = admin.run_command(doc! { "hello": 1 }).await
        && let Ok(time) = hello.get_datetime("localTime")
    {
        add("clock", &time.timestamp_millis().to_string(), "");
    }
    let question = doc! { "connectionStatus": 1, "showPrivileges": true };
    if let Ok(status) = admin.run_command(question).await
        && let Ok(info) = status.get_document("authInfo")
    {
        each(info, "authenticatedUsers", |one| {
            is_let_in = true;
            add("user", text(one, "user"), text(one, "db"));
        });
        each(info, "authenticatedUserRoles", |one| add("role", text(one, "role"), text(one, "db")));
        each(info, "authenticatedUserPrivileges", |one| {
            let (Ok(on), Ok(actions)) = (one.get_document("resource"), one.get_array("actions"))
            else {
                return;
            };
            let is_any = on.get_bool("anyResource").unwrap_or_default();
            if actions.iter().any(|action| action.as_str() == Some("find"))
                && (is_any || on.contains_key("db"))
            {
                add("find", text(on, "db"), text(on, "collection"));
            }
        });
    }
    match client.list_database_names().await {
        Ok(names) => names.iter().for_each(|name| add("database", name, "")),
        // Whoever is let in may still see none.
        Err(_) if is_let_in => add("unlisted", "", ""),
        Err(error) => return Err(error.into()),
    }
    let mut out = io::stdout().lock();
    for field in rows.iter().flatten() {
        write!(out, "{field}\0")?;
    }
    out.flush()?;
    Ok(())
}

fn each(of: &Document, name: &str, mut tell: impl FnMut(&Document)) {
    let all = of.get_array(name).into_iter().flatten();
    all.filter_map(Bson::as_document).for_each(&mut tell);
}

fn text<'a>(of: &'a Document, name: &str) -> &'a str {
    of.get_str(name).unwrap_or_default()
}
