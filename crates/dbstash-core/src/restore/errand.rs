//! A dump told to a server over a connection of ours.

use super::inflow::inflow;
use super::{RestoreError, Scene};
use crate::dialogue::Refusal;
use crate::errand::Errand;
use crate::wire::talk::Speaker;

/// Asks what there is to ask, without a dump.
pub(super) async fn asked(errand: &Errand) -> Result<Vec<String>, RestoreError> {
    let done = async { Speaker::open(errand).await?.end().await };
    done.await.map_err(|(server, refusal)| RestoreError::Survey {
        what: format!("{server}: {refusal}"),
        stderr: String::new(),
    })
}

/// Tells all of the dump; what there is to remark. The last word is said only after the proof: a connection that ends
/// before it is no end of a restore.
pub(super) async fn told(
    errand: &Errand,
    moved: &(dyn Fn(u64) + Sync),
    scene: &Scene<'_>,
) -> Result<Vec<String>, RestoreError> {
    let (object, name) = scene.object(0)?;
    let work = async {
        let mut speaker = Speaker::open(errand).await.map_err(refused)?;
        let (intake, mut inflow) = inflow(object);
        let server = speaker.server.clone();
        let drain = async {
            while let Some(chunk) = inflow.take().await {
                speaker.feed(chunk.bytes()).await.map_err(|e| refused((server.clone(), e)))?;
                inflow.give_back(chunk);
            }
            inflow.proven(object).await?;
            speaker.end().await.map_err(refused)
        };
        let ((), remarks) = tokio::try_join!(intake.counted(&name, moved, scene), drain)?;
        Ok(remarks)
    };
    scene.unless_cancelled(work).await
}

fn refused((server, refusal): (String, Refusal)) -> RestoreError {
    RestoreError::Server { server, what: refusal.to_string() }
}
