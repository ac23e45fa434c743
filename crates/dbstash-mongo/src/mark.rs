//! A database that is being restored, and how that is seen.

use mongodb::bson::{Document, doc};
use mongodb::error::Result;
use mongodb::{Client, Collection, Database};

/// It is there while a restore is not complete, with a document that names the backup.
const MARK: &str = "dbstash_restore_incomplete";
/// The server's own collections, which go with what they are about.
const OF_SERVER: &str = "system.";

/// What a database holds.
pub(crate) struct Held {
    pub(crate) version: String,
    pub(crate) collections: Vec<String>,
    /// The backup of which an interrupted restore was.
    pub(crate) mark: Option<String>,
}

/// Looks, and changes nothing.
pub(crate) async fn held(client: Client, database: &str) -> Result<Held> {
    let about = client.database("admin").run_command(doc! { "buildInfo": 1 }).await?;
    let version = about.get_str("version").unwrap_or("(not known)").to_owned();
    let database = client.database(database);
    let all = database.list_collection_names().await?;
    let mark = if all.iter().any(|name| name == MARK) {
        let found = marks(&database).find_one(doc! {}).await?;
        let of = found.as_ref().and_then(|mark| mark.get_str("backup").ok());
        Some(of.unwrap_or("(not known)").to_owned())
    } else {
        None
    };
    Ok(Held { version, collections: others(all), mark })
}

/// Sets it first of all; then drops what else is there, if that is asked for.
pub(crate) async fn set(client: Client, database: &str, backup: &str, clean: bool) -> Result<()> {
    let database = client.database(database);
    let marks = marks(&database);
    marks.delete_many(doc! {}).await?;
    marks.insert_one(doc! { "backup": backup }).await?;
    if clean {
        for name in others(database.list_collection_names().await?) {
            database.collection::<Document>(&name).drop().await?;
        }
    }
    Ok(())
}

/// The restore is complete.
pub(crate) async fn take_away(client: Client, database: &str) -> Result<()> {
    marks(&client.database(database)).drop().await
}

fn marks(database: &Database) -> Collection<Document> {
    database.collection(MARK)
}

fn others(mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| name != MARK && !name.starts_with(OF_SERVER));
    names
}
