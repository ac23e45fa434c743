"""A mail server for tests: aiosmtpd, with the certificate and the login it is told of.

Takes: a port, a file for the mails (one JSON object a line), `open`, `starttls` or `tls`, and the paths of a
certificate and its key. SMTP_USER and SMTP_PASSWORD, when set, are the only login. A mail to `full@...` is refused for
now, twice, and one to `nobody@...` for ever.
"""

import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

port, mails, security, certificate, key = sys.argv[1:]
user, password = os.environ.get("SMTP_USER"), os.environ.get("SMTP_PASSWORD")


class Handler:
    refused = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user here"
        if address.startswith("full@") and Handler.refused < 2:
            Handler.refused += 1
            return "452 4.2.2 mailbox full, come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode("utf-8", "replace"),
            "tls": session.ssl is not None or security == "tls",
            "login": bool(session.authenticated),
        }
        with open(mails, "a", encoding="utf-8") as file:
            file.write(json.dumps(mail) + "\n")
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    ours = data.login.decode() == user and data.password.decode() == password
    return AuthResult(success=ours, handled=False)


def context():
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(certificate, key)
    return made


async def main():
    login = {"auth_required": True, "authenticator": authenticate} if user else {}

    def protocol():
        return SMTP(
            Handler(),
            hostname="localhost",
            tls_context=context() if security == "starttls" else None,
            require_starttls=security == "starttls",
            auth_require_tls=security == "starttls",
            enable_SMTPUTF8=True,
            **login,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        protocol, "127.0.0.1", int(port), ssl=context() if security == "tls" else None
    )
    await server.serve_forever()


asyncio.run(main())
