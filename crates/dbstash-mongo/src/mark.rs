//! A database that is being restored, or a whole server, and how that is seen.

use mongodb::bson::{Document, doc};
use mongodb::error::Result;
use mongodb::{Client, Collection, Database};

use crate::of_users;

/// It is there while a restore is not complete, with a document that names the backup; for a whole server in a database that
/// is called the same.
const MARK: &str = "dbstash_restore_incomplete";
/// The server's own collections, which go with what they are about.
const OF_SERVER: &str = "system.";

/// What a database or a server holds.
pub(crate) struct Held {
    pub(crate) version: String,
    /// Its collections, or databases.
    pub(crate) names: Vec<String>,
    /// The backup of which an interrupted restore was.
    pub(crate) mark: Option<String>,
}

/// Looks, and changes nothing.
pub(crate) async fn held(client: Client, database: &str) -> Result<Held> {
    let version = version(&client).await?;
    let database = client.database(database);
    let all = database.list_collection_names().await?;
    let mark = found(&database, &all).await?;
    Ok(Held { version, names: others(all), mark })
}

/// The same of the whole server.
pub(crate) async fn held_by_all(client: Client) -> Result<Held> {
    let version = version(&client).await?;
    let all = databases(&client).await?;
    let mark = found(&client.database(MARK), &all).await?;
    Ok(Held { version, names: others(all), mark })
}

/// Sets it first of all; then drops what else is there, if that is asked for.
pub(crate) async fn set(client: Client, database: &str, backup: &str, clean: bool) -> Result<()> {
    let database = client.database(database);
    write(&database, backup).await?;
    if clean {
        for name in others(database.list_collection_names().await?) {
            database.collection::<Document>(&name).drop().await?;
        }
    }
    Ok(())
}

/// The same of the whole server: its users' databases are dropped.
pub(crate) async fn set_for_all(client: Client, backup: &str, clean: bool) -> Result<()> {
    write(&client.database(MARK), backup).await?;
    if clean {
        for name in others(databases(&client).await?) {
            client.database(&name).drop().await?;
        }
    }
    Ok(())
}

/// The restore is complete.
pub(crate) async fn take_away(client: Client, database: &str) -> Result<()> {
    marks(&client.database(database)).drop().await
}

/// The restore of the whole server is.
pub(crate) async fn take_away_of_all(client: Client) -> Result<()> {
    client.database(MARK).drop().await
}

async fn version(client: &Client) -> Result<String> {
    let about = client.database("admin").run_command(doc! { "buildInfo": 1 }).await?;
    Ok(about.get_str("version").unwrap_or("(not known)").to_owned())
}

/// All of users' databases; an error for who may not see all: a server is not empty because somebody sees nothing.
async fn databases(client: &Client) -> Result<Vec<String>> {
    Ok(of_users(client.list_database_names().authorized_databases(false).await?))
}

/// What the mark says, if it is among these names.
async fn found(database: &Database, all: &[String]) -> Result<Option<String>> {
    if !all.iter().any(|name| name == MARK) {
        return Ok(None);
    }
    let found = marks(database).find_one(doc! {}).await?;
    let of = found.as_ref().and_then(|mark| mark.get_str("backup").ok());
    Ok(Some(of.unwrap_or("(not known)").to_owned()))
}

async fn write(database: &Database, backup: &str) -> Result<()> {
    let marks = marks(database);
    marks.delete_many(doc! {}).await?;
    marks.insert_one(doc! { "backup": backup }).await?;
    Ok(())
}

fn marks(database: &Database) -> Collection<Document> {
    database.collection(MARK)
}

fn others(mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| name != MARK && !name.starts_with(OF_SERVER));
    names
}
