//! Bytes into a program, and the word that makes them count only after the proof.

use std::path::Path;

use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;

use super::inflow::inflow;
use super::loader::Loader;
use super::{RestoreError, Scene, placed};
use crate::artifact::Producer;
use crate::launch::piled_up;
use crate::load::{Edit, Feed, Script};
use crate::spool::{files, of_file};

const BUFFER: usize = 256 * 1024;

/// Carries one out; what its programs had to remark. Where nothing was said to the loader before it failed, the error is
/// [`RestoreError::Before`].
pub(super) async fn carry_out(
    script: Script,
    scene: &Scene<'_>,
    tree: &Path,
) -> Result<Vec<String>, RestoreError> {
    let private = scene.cx.state.process_dir()?;
    let start = |program, excuse| Loader::start(&placed(program, tree), &private, excuse, scene.cx);
    let mut loader = start(script.loader, script.excuse)?;
    loader.ignore_output();
    let mut sink =
        Sink { loader: Some(loader), edit: script.edit, out: Vec::new(), has_said: false };
    let work = async {
        sink.say(script.before.as_bytes()).await?;
        let through = script.through.map(|program| start(program, None)).transpose()?;
        pour(script.feed, through, &mut sink, scene, tree).await?;
        sink.finish(script.after.as_bytes()).await
    };
    let done = scene.unless_cancelled(work).await;
    if done.is_err()
        && let Some(loader) = sink.loader
    {
        loader.kill().await;
    }
    done.map_err(|error| match error {
        error if sink.has_said => error,
        error => RestoreError::Before(Box::new(error)),
    })
}

/// All of it passes an edit, and goes nowhere: what that refuses.
pub(super) async fn read_through(
    feed: Feed,
    edit: Box<dyn Edit>,
    scene: &Scene<'_>,
    tree: &Path,
) -> Result<(), RestoreError> {
    let is_proven = !matches!(feed, Feed::Object(_));
    let mut sink = Sink { loader: None, edit: Some(edit), out: Vec::new(), has_said: false };
    match pour(feed, None, &mut sink, scene, tree).await {
        // What makes no sense may have changed: then that is the cause.
        Err(error @ RestoreError::Script(_)) if !is_proven => {
            scene.verified().await?;
            Err(error)
        }
        Err(error) => Err(error),
        Ok(()) => sink.finish(b"").await.map(drop),
    }
}

/// All bytes of a feed into a sink.
async fn pour(
    feed: Feed,
    through_it: Option<Loader>,
    sink: &mut Sink,
    scene: &Scene<'_>,
    tree: &Path,
) -> Result<(), RestoreError> {
    match feed {
        Feed::Object(object) => match through_it {
            None => straight(object, sink, scene).await?,
            Some(program) => through(object, program, sink, scene).await?,
        },
        Feed::Program(program) => {
            let program = placed(program, tree);
            let private = scene.cx.state.process_dir()?;
            let mut tool = scene.cx.launcher.launch(&program, &private).await?;
            sink.take_all(&mut *tool).await?;
            tool.finish().await?;
        }
        Feed::Files(names) => {
            for file in names {
                sink.take_all(&mut of_file(tree.join(file))).await?;
            }
        }
        Feed::Tree(choice) => {
            let all = files(tree)?;
            for file in all.iter().filter(|file| choice(&file.path)) {
                sink.take_all(&mut of_file(tree.join(&file.path))).await?;
            }
        }
    }
    Ok(())
}

/// Where the bytes go.
struct Sink {
    /// Nobody in a [`read_through`].
    loader: Option<Loader>,
    edit: Option<Box<dyn Edit>>,
    out: Vec<u8>,
    /// Whether the loader was told anything.
    has_said: bool,
}

impl Sink {
    async fn say(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let Some(loader) = &mut self.loader else { return Ok(()) };
        self.has_said |= !bytes.is_empty();
        loader.write(bytes).await
    }

    async fn put(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let Some(edit) = &mut self.edit else { return self.say(bytes).await };
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        edit.feed(bytes, &mut out).map_err(RestoreError::Script)?;
        self.say(&out).await?;
        self.out = out;
        Ok(())
    }

    async fn take_all(&mut self, from: &mut dyn Producer) -> Result<(), RestoreError> {
        let mut buffer = vec![0; BUFFER];
        while let n @ 1.. = from.read(&mut buffer).await? {
            self.put(&buffer[..n]).await?;
        }
        Ok(())
    }

    /// All of it was there, and is what was stored.
    async fn finish(&mut self, after: &[u8]) -> Result<Vec<String>, RestoreError> {
        let mut out = Vec::new();
        if let Some(edit) = self.edit.take() {
            edit.finish(&mut out).map_err(RestoreError::Script)?;
        }
        out.extend_from_slice(after);
        self.say(&out).await?;
        match &mut self.loader {
            Some(loader) => loader.end().await,
            None => Ok(Vec::new()),
        }
    }
}

/// An object as it is. Returns only with the proof.
async fn straight(object: usize, sink: &mut Sink, scene: &Scene<'_>) -> Result<(), RestoreError> {
    let (object, name) = scene.object(object)?;
    let (intake, mut inflow) = inflow(object);
    // What goes nowhere will come once more.
    let moved = if sink.loader.is_some() { scene.moved } else { &|_| {} };
    let drain = async {
        while let Some(chunk) = inflow.take().await {
            sink.put(chunk.bytes()).await?;
            inflow.give_back(chunk);
        }
        inflow.proven(object).await
    };
    tokio::try_join!(intake.counted(&name, moved, scene), drain).map(drop)
}

/// An object as a program tells it. Returns only with the proof.
async fn through(
    object: usize,
    mut program: Loader,
    sink: &mut Sink,
    scene: &Scene<'_>,
) -> Result<(), RestoreError> {
    let (object, name) = scene.object(object)?;
    let (intake, mut inflow) = inflow(object);
    let output = program.output();
    let feed = async {
        while let Some(chunk) = inflow.take().await {
            // All of it is read, whatever the program wants of it: only then it is proven.
            program.offer(chunk.bytes()).await?;
            inflow.give_back(chunk);
        }
        // The proof first: what it has yet to say may depend on the end of its input.
        inflow.proven(object).await?;
        program.end().await.map(drop)
    };
    tokio::try_join!(intake.run(&name, scene), feed, told(output, sink)).map(drop)
}

async fn told(output: Option<ChildStdout>, sink: &mut Sink) -> Result<(), RestoreError> {
    let Some(mut output) = output else { return Ok(()) };
    let mut buffer = vec![0; BUFFER];
    loop {
        match output.read(&mut buffer).await {
            Ok(0) => return Ok(()),
            Ok(n) => {
                let n = n + piled_up(&mut output, &mut buffer, n).await;
                sink.put(&buffer[..n]).await?;
            }
            Err(error) => return Err(RestoreError::Script(error.to_string())),
        }
    }
}
