//! A database that a backup was restored into on trial.

use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, Result};
use mongodb::results::{CollectionSpecification, CollectionType};

/// How dbstash names them.
const NAMED: &str = "dbstash_drill_";

/// How many documents each collection has.
pub(crate) async fn counts(client: Client, database: &str) -> Result<Vec<(String, u64)>> {
    let database = client.database(database);
    let mut counts = Vec::new();
    let mut all = database.list_collections().await?;
    while all.advance().await? {
        let CollectionSpecification { name, collection_type, .. } = all.deserialize_current()?;
        // A view has no documents of its own.
        if collection_type != CollectionType::View {
            let count = database.collection::<Document>(&name).count_documents(doc! {}).await?;
            counts.push((name, count));
        }
    }
    Ok(counts)
}

/// Drops it; nothing where it is not there.
pub(crate) async fn dropped(client: Client, database: &str) -> Result<()> {
    if !database.starts_with(NAMED) {
        return Err(Error::custom(format!("{database} is no database of a drill")));
    }
    client.database(database).drop().await
}
