//! Email, by a real mail server.

use dbstash_testkit::certificates::Certificates;
use dbstash_testkit::{Dbstash, MailSecurity, MailServer, percent_encoded};

use super::{AWAY, Scene, WHOLE, undelivered};
use crate::scene::PATIENCE;

const USER: &str = "ops@example.org";
const PASSWORD: &str = "kanarie-16180339 /p@ss:é";

struct Post {
    scene: Scene,
    certificates: Certificates,
    server: MailServer,
}

impl Post {
    fn start(security: MailSecurity, login: bool) -> Option<Self> {
        let (scene, certificates) = (Scene::new(AWAY)?, Certificates::make()?);
        let login = login.then_some((USER, PASSWORD));
        let server = MailServer::start(security, &certificates, login)?;
        Some(Self { scene, certificates, server })
    }

    /// A failing run that writes to these.
    fn run(&self, scheme: &str, login: &str, query: &str, to: &str) -> Dbstash {
        let url = format!("{scheme}://{login}localhost:{}?{query}", self.server.port());
        let run = self.scene.quiet().env("SMTP_URL", url).env("NOTIFY_EMAIL_TO", to);
        run.env("SSL_CERT_FILE", self.certificates.path("ca.pem"))
    }
}

fn login(password: &str) -> String {
    format!("{}:{}@", percent_encoded(USER), percent_encoded(password))
}

#[test]
fn encrypted_from_the_start_or_by_starttls_with_a_login() {
    for (security, scheme) in [(MailSecurity::Tls, "smtps"), (MailSecurity::StartTls, "smtp")] {
        let Some(post) = Post::start(security, true) else { return };
        let run = post.run(scheme, &login(PASSWORD), "", "a@example.org, B <b@example.org>");
        let done = run.env("DBSTASH_JOB", "shop-job").run(PATIENCE);
        done.expect_code(1);
        assert_eq!(undelivered(&done), [""; 0], "{done} {}", post.server.log());
        let mut mails = post.server.mails();
        mails.sort_by_key(|mail| mail["to"].to_string());
        assert_eq!(mails.len(), 2);
        for (mail, to) in mails.iter().zip(["a@example.org", "b@example.org"]) {
            assert_eq!((&mail["from"], &mail["to"][0]), (&USER.into(), &to.into()), "{mail}");
            assert_eq!((&mail["tls"], &mail["login"]), (&true.into(), &true.into()), "{mail}");
            let text = mail["text"].as_str().unwrap();
            let subject = "Subject: [dbstash] backup failed: shop (shop-job)\r\n";
            assert!(text.contains(subject) && text.contains("Connection refused"), "{text}");
            assert!(text.contains("\r\nDate: ") && !text.contains("kanarie"), "{text}");
        }
    }
}

#[test]
fn without_any_encryption_only_when_that_is_said() {
    let Some(post) = Post::start(MailSecurity::Open, false) else { return };
    let to = "a@example.org";
    let done = post.run("smtp", "", "from=a+b@example.org&tls=none", to).run(PATIENCE);
    done.expect_code(1);
    assert_eq!(undelivered(&done), [""; 0], "{done}");
    assert_eq!(post.server.mails()[0]["from"], "a+b@example.org");
    // The server has no STARTTLS: then nothing is told, least of all a password.
    let done = post.run("smtp", &login(PASSWORD), "", to).run(PATIENCE);
    done.expect_code(1);
    let lost = undelivered(&done);
    assert!(lost.len() == 1 && lost[0].contains("email 1 (localhost)"), "{done}");
    assert_eq!(post.server.mails().len(), 1);
}

#[test]
fn a_wrong_password_is_said_and_not_shown() {
    let Some(post) = Post::start(MailSecurity::Tls, true) else { return };
    post.scene.fakes.script("pg_dump", WHOLE);
    let wrong = login("kanarie-wrong-99");
    let run = post.run("smtps", &wrong, "", "a@example.org").env("NOTIFY_ON", "always");
    let done = run.env("RUST_LOG", "trace").run(PATIENCE);
    done.expect_code(0);
    let lost = undelivered(&done);
    assert!(lost.len() == 1 && lost[0].contains("535") && lost[0].contains("(1 try)"), "{done}");
    assert!(!done.to_string().contains("kanarie"), "{done}");
}

#[test]
fn a_full_mailbox_is_tried_again_and_nobodys_is_not() {
    let Some(post) = Post::start(MailSecurity::Open, false) else { return };
    let to = "full@example.org,nobody@example.org";
    let done = post.run("smtp", "", "from=a@example.org&tls=none", to).run(PATIENCE);
    done.expect_code(1);
    let mails = post.server.mails();
    assert!(mails.len() == 1 && mails[0]["to"][0] == "full@example.org", "{mails:?} {done}");
    let lost = undelivered(&done);
    assert!(lost.len() == 1 && lost[0].contains("email 2 (localhost)"), "{done}");
    assert!(lost[0].contains("no such user") && lost[0].contains("(1 try)"), "{done}");
}

#[test]
fn a_server_that_nobody_vouches_for_gets_nothing() {
    let Some(post) = Post::start(MailSecurity::StartTls, true) else { return };
    let run = post.run("smtp", &login(PASSWORD), "", "a@example.org");
    let run = run.env("SSL_CERT_FILE", post.certificates.path("stranger.pem"));
    let done = run.run(PATIENCE);
    let lost = undelivered(&done);
    assert!(lost.len() == 1 && lost[0].contains("UnknownIssuer"), "{done}");
    assert_eq!(post.server.mails().len(), 0);
}
