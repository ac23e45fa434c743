//! A toy protocol over real sockets: the server says how many bytes follow, and sends them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::*;
use crate::artifact::Producer as _;
use crate::dialogue::{Endpoint, Protocol, Spare};

/// `+<n>\n` and n bytes; `-later\n`, `-never\n`, `-unsupported\n` are refusals.
#[derive(Clone, Copy)]
struct Toy {
    unread_for: Option<Duration>,
}

struct Talk {
    toy: Toy,
    asked: bool,
    left: Option<usize>,
}

impl Protocol for Toy {
    fn begin(&self) -> Box<dyn Dialogue> {
        Box::new(Talk { toy: *self, asked: false, left: None })
    }

    fn summary(&self) -> String {
        "GIVE".to_owned()
    }
}

impl Dialogue for Talk {
    fn outgoing(&mut self) -> Vec<u8> {
        if std::mem::replace(&mut self.asked, true) { Vec::new() } else { b"GIVE\n".to_vec() }
    }

    fn advance(&mut self, input: &[u8]) -> Result<Next, Refusal> {
        if let Some(left) = &mut self.left {
            return Ok(match (*left, input.len()) {
                (0, _) => Next::End,
                (_, 0) => Next::More,
                (n, len) => {
                    *left = n.saturating_sub(len);
                    Next::Dump(n.min(len))
                }
            });
        }
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
            return Ok(Next::More);
        };
        match String::from_utf8_lossy(&input[..end]).as_ref() {
            "" => {}
            "-later" => return Err(Refusal::Later("not now".to_owned())),
            "-unsupported" => return Err(Refusal::Unsupported("what is GIVE?".to_owned())),
            "-never" => return Err(Refusal::Final("never".to_owned())),
            line => self.left = Some(line.trim_start_matches('+').parse().unwrap()),
        }
        Ok(Next::Skip(end + 1))
    }

    fn keepalive(&mut self) -> Vec<u8> {
        b".".to_vec()
    }

    fn silent_for(&self) -> Option<Duration> {
        self.left.is_none().then_some(Duration::from_millis(500))
    }

    fn closed(&self, _rest: &[u8]) -> Refusal {
        Refusal::Failed(format!("closed with {:?} bytes missing", self.left))
    }

    fn unread_for(&self) -> Option<Duration> {
        self.toy.unread_for
    }

    fn remarks(&self) -> Vec<String> {
        vec!["a toy".to_owned()]
    }
}

/// Hands each connection, in order, to `serve` with its number.
async fn server<F>(serve: impl Fn(usize, TcpStream) -> F + Send + 'static) -> Endpoint
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for n in 0.. {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(n, socket));
        }
    });
    Endpoint::Tcp("127.0.0.1".to_owned(), port)
}

/// A socket closed with words in it that nobody has read takes back what it has sent.
async fn heard_out(mut socket: TcpStream) {
    while let Ok(1..) = socket.read(&mut [0; 64]).await {}
}

fn asking(endpoints: Vec<Endpoint>, unread_for: Option<Duration>, most: u64) -> Call {
    let dir = "/nonexistent".into();
    let protocol = Arc::new(Toy { unread_for });
    Call { endpoints, tls: None, protocol, patience: None, spool: Spare { dir, most } }
}

/// What `call` gives, read with `pause` after its first bytes; what was told, and remarked.
async fn all(call: &Call, pause: Duration) -> Result<(Vec<u8>, Vec<String>, String), ProduceError> {
    let told = Mutex::new(Vec::new());
    let mut received = super::call(call, &|text| told.lock().unwrap().push(text)).await?;
    let (mut dump, mut buf) = (Vec::new(), vec![0; 100_000]);
    while let n @ 1.. = received.read(&mut buf).await? {
        if dump.is_empty() {
            sleep(pause).await;
        }
        dump.extend_from_slice(&buf[..n]);
    }
    let remarks = received.finish().await?;
    Ok((dump, told.into_inner().unwrap(), remarks))
}

async fn error(call: &Call) -> String {
    all(call, Duration::ZERO).await.unwrap_err().to_string()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

#[tokio::test]
async fn the_dump_and_nothing_else() {
    for (len, step) in [(1, 1), (300, 7), (3_000_000, 1_000_000)] {
        let endpoint = server(move |_, mut socket| async move {
            let bytes =
                [format!("\n\n+{len}\n").into_bytes(), pattern(len), b"more".into()].concat();
            for part in bytes.chunks(step) {
                socket.write_all(part).await.unwrap();
            }
            heard_out(socket).await;
        });
        let call = asking(vec![endpoint.await], None, 0);
        let (dump, told, remarks) = all(&call, Duration::ZERO).await.unwrap();
        assert!(dump == pattern(len), "{len}");
        assert_eq!((told.len(), remarks.as_str()), (0, "a toy"));
    }
}

#[tokio::test]
async fn a_server_is_asked_again_and_the_reason_told_once() {
    let endpoint = server(|n, mut socket| async move {
        let word: &[u8] = if n < 2 { b"-later\n" } else { b"+2\nhi" };
        socket.write_all(word).await.unwrap();
        heard_out(socket).await;
    });
    let call = asking(vec![endpoint.await], None, 0);
    let (dump, told, _) = all(&call, Duration::ZERO).await.unwrap();
    assert_eq!(dump, b"hi");
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("not now; asking again until BACKUP_TIMEOUT"), "{told:?}");
}

#[tokio::test]
async fn patience_ends() {
    let endpoint = server(|_, mut socket| async move {
        socket.write_all(b"-later\n").await.unwrap();
        heard_out(socket).await;
    });
    let mut call = asking(vec![endpoint.await], None, 0);
    call.patience = Some(Duration::from_millis(700));
    let told = error(&call).await;
    assert!(told.contains("not now (asked again for"), "{told}");
}

#[tokio::test]
async fn refusals_and_ends_are_told_apart() {
    for (words, told) in [
        ("-never\n", "never"),
        ("+10\nfour", "closed with Some(6) bytes missing"),
        ("", "closed with None bytes missing"),
    ] {
        let endpoint = server(move |_, mut socket| async move {
            socket.write_all(words.as_bytes()).await.unwrap();
            socket.read_exact(&mut [0; 5]).await.unwrap();
        });
        let call = asking(vec![endpoint.await], None, 0);
        assert_eq!(error(&call).await, format!("{}: {told}", call.endpoints[0]));
    }
    let endpoint = server(|_, mut socket| async move {
        socket.write_all(b"-unsupported\n").await.unwrap();
        heard_out(socket).await;
    });
    let call = asking(vec![endpoint.await], None, 0);
    let refused = all(&call, Duration::ZERO).await.unwrap_err();
    assert!(matches!(&refused, ProduceError::Unsupported(_)), "{refused}");
}

#[tokio::test]
async fn a_server_that_accepts_and_is_silent_is_given_up() {
    let endpoint = server(|_, socket| async move {
        sleep(Duration::from_secs(60)).await;
        drop(socket);
    });
    let told = error(&asking(vec![endpoint.await], None, 0)).await;
    assert!(told.contains("has not answered for 500ms"), "{told}");
}

#[tokio::test]
async fn the_first_endpoint_that_answers_is_taken() {
    let live = server(|_, mut socket| async move {
        socket.write_all(b"+1\nx").await.unwrap();
        heard_out(socket).await;
    });
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = Endpoint::Tcp("127.0.0.1".to_owned(), gone.local_addr().unwrap().port());
    drop(gone);
    let call =
        asking(vec![Endpoint::Unix("/nonexistent".into()), dead.clone(), live.await], None, 0);
    assert_eq!(all(&call, Duration::ZERO).await.unwrap().0, b"x");
    let told = error(&asking(vec![dead], None, 0)).await;
    assert!(told.contains("refused") && told.contains("port"), "{told}");
}

/// More than the sockets and the queue can hold, so that a reader who pauses is felt.
const BIG: usize = 40_000_000;

/// A server that gives up when it cannot send for `limit`; it counts what it hears.
async fn impatient(limit: Duration, heard: Arc<AtomicUsize>) -> Endpoint {
    server(move |_, socket| {
        let heard = Arc::clone(&heard);
        async move {
            let (mut from, mut to) = socket.into_split();
            tokio::spawn(async move {
                let mut buf = [0; 64];
                while let Ok(n @ 1..) = from.read(&mut buf).await {
                    heard.fetch_add(n, Ordering::Relaxed);
                }
            });
            to.write_all(format!("+{BIG}\n").as_bytes()).await.unwrap();
            for part in pattern(BIG).chunks(16 * 1024) {
                match timeout(limit, to.write_all(part)).await {
                    Ok(Ok(())) => {}
                    _ => return,
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn what_nobody_takes_goes_to_disk_when_the_server_cannot_wait() {
    let (limit, heard) = (Duration::from_secs(2), Arc::new(AtomicUsize::new(0)));
    let endpoint = impatient(limit, Arc::clone(&heard)).await;
    let scratch = tempfile::tempdir().unwrap();
    let mut call = asking(vec![endpoint], Some(limit), BIG as u64);
    call.spool.dir = scratch.path().join("new");
    let (dump, _, remarks) = all(&call, 2 * limit).await.unwrap();
    assert!(dump == pattern(BIG), "{} bytes", dump.len());
    assert!(remarks.contains("bytes of the dump went through"), "{remarks}");
    assert_eq!(std::fs::read_dir(&call.spool.dir).unwrap().count(), 0);
    assert!(heard.load(Ordering::Relaxed) > 5, "it did not hear of us");

    // Not enough of it: the server is read too late.
    call.spool.most = 1_000_000;
    let told = all(&call, 2 * limit).await.unwrap_err().to_string();
    assert!(told.contains("closed with") && told.contains("SPOOL_MAX"), "{told}");
    assert_eq!(std::fs::read_dir(&call.spool.dir).unwrap().count(), 0);
}

#[tokio::test]
async fn a_server_that_waits_needs_no_disk() {
    let endpoint = impatient(Duration::from_secs(60), Arc::default()).await;
    let call = asking(vec![endpoint], None, BIG as u64);
    let (dump, _, remarks) = all(&call, Duration::from_secs(1)).await.unwrap();
    assert!(dump == pattern(BIG) && remarks == "a toy", "{remarks}");
}
