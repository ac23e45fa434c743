"""A mongodump for machines that have none: it reads a real server and writes what mongodump 100.x would.

Its own code, after the tool's documented contract: the options, --config, archive and tree, --gzip,
exit codes (0 and 1), and the wordings on stderr that people and programs look for. Not there: SRV,
TLS, time series, --query, users and roles of a database, --oplog.
"""

import contextlib
import datetime
import gzip
import hashlib
import base64
import lzma
import os
import re
import signal
import sys
import threading
from urllib.parse import quote_plus

import bson
import yaml
from bson import json_util
from bson.raw_bson import RawBSONDocument
from bson.codec_options import CodecOptions
from pymongo import MongoClient, errors, uri_parser

VERSION = "100.99.0-fake"
BUFFER = 1 << 20
TERMINATOR = b"\xff\xff\xff\xff"
# long name: (key, short name, kind)
OPTIONS = {
    "db": ("d", str), "collection": ("c", str), "config": (None, str), "uri": (None, str),
    "host": ("h", str), "port": (None, str), "username": ("u", str), "password": ("p", str),
    "authenticationDatabase": (None, str), "authenticationMechanism": (None, str),
    "serverSelectionTimeout": (None, int), "readPreference": (None, str),
    "out": ("o", str), "archive": (None, "optional"), "gzip": (None, bool), "oplog": (None, bool),
    "numParallelCollections": ("j", int), "excludeCollection": (None, list),
    "excludeCollectionsWithPrefix": (None, list), "forceTableScan": (None, bool),
    "quiet": (None, bool), "verbose": ("v", "optional"), "version": (None, bool), "help": (None, bool),
    "viewsAsCollections": (None, bool),
}
SHORT = {short: long for long, (short, _) in OPTIONS.items() if short}
CONFIG_KEPT = {"chunks", "collections", "databases", "settings", "shards", "tags", "version"}
stopping = threading.Event()
quiet = False


class Failed(Exception):
    """What follows "Failed: " on stderr."""


class Usage(Exception):
    """What follows "error parsing command line options: "."""


def log(text):
    if not quiet:
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}+0000"
        print(f"{stamp}\t{text}", file=sys.stderr, flush=True)


def parse(words):
    """The options, as go-flags reads them, and the words that are none."""
    given, rest = {}, []
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "--":
            rest += words
            break
        if word.startswith("--"):
            name, has_value, value = word[2:].partition("=")
            take(given, name, value if has_value else None, words)
        elif word.startswith("-") and len(word) > 1:
            letters = word[1:]
            while letters:
                name, letters = SHORT.get(letters[0], letters[0]), letters[1:]
                if name in OPTIONS and OPTIONS[name][1] not in (bool, "optional"):
                    value = letters.removeprefix("=") if letters else None
                    take(given, name, value, words)
                    break
                take(given, name, None, words)
        else:
            rest.append(word)
    return given, rest


def take(given, name, value, words):
    if name not in OPTIONS:
        raise Usage(f"unknown option `{name}`")
    kind = OPTIONS[name][1]
    if kind is bool:
        given[name] = True
    elif kind == "optional":
        given[name] = value if value is not None else "-"
    else:
        if value is None:
            if not words:
                raise Usage(f"expected argument for flag `--{name}'")
            value = words.pop(0)
        if kind is list:
            given.setdefault(name, []).append(value)
        else:
            given[name] = kind(value)


def configured(words):
    """Options and address: the file's, and those of the command line over them."""
    given, rest = parse(words)
    if "config" in given:
        try:
            with open(given["config"], encoding="utf-8") as file:
                config = yaml.safe_load(file) or {}
        except OSError as error:
            raise Usage(f"error opening file with --config: open {error.filename}: no such file or directory")
        unknown = set(config) - {"uri", "password", "sslPEMKeyPassword", "destinationPassword"}
        if unknown:
            raise Usage(f"error parsing config file {given['config']}: yaml: unmarshal errors: field "
                        f"{unknown.pop()} not found in type struct")
        for key, value in config.items():
            given.setdefault(key, value)
    for word in rest:
        if not word.startswith("mongodb"):
            raise Usage("error parsing positional arguments: provide only one MongoDB connection string. "
                        "Connection strings must begin with mongodb:// or mongodb+srv:// schemes")
        given["uri"] = word
    return given


def connect(given):
    uri = given.get("uri") or f"mongodb://{given.get('host', 'localhost')}:{given.get('port', '27017')}/"
    try:
        parsed = uri_parser.parse_uri(uri)
    except errors.PyMongoError as error:
        raise Usage(f"error parsing uri: {error}")
    options = {name.lower(): value for name, value in parsed["options"].items()}
    if parsed["database"]:
        if given.setdefault("db", parsed["database"]) != parsed["database"]:
            raise Usage("Invalid Options: Cannot specify different database in connection URI and command-line option")
    user = given.get("username") or parsed["username"]
    password = given.get("password") or parsed["password"]
    if parsed["password"] and password != parsed["password"]:
        raise Usage("Invalid Options: Cannot specify different password in connection URI and command-line option")
    more = {}
    if user:
        if not password:
            raise Usage("error reading password: EOF")
        # Without a word, the user is looked up in the database that is dumped.
        source = given.get("authenticationDatabase") or options.get("authsource") or given.get("db") or "admin"
        more = {"username": user, "password": password, "authSource": source}
    if len(parsed["nodelist"]) == 1 and "replicaset" not in options:
        more["directConnection"] = True
    if "serverSelectionTimeout" in given:
        more["serverSelectionTimeoutMS"] = given["serverSelectionTimeout"] * 1000
    more.setdefault("connectTimeoutMS", 3000)
    client = MongoClient(uri, appname="mongodump", **more)
    try:
        client.admin.command("ping")
    except errors.PyMongoError as error:
        raise Failed(f"can't create session: failed to connect to {uri}: {told(error)}")
    return client


def told(error):
    """An error of the server or of the network, as the Go driver words it."""
    if isinstance(error, errors.OperationFailure):
        name = (error.details or {}).get("codeName") or "CommandFailed"
        text = (error.details or {}).get("errmsg") or str(error)
        if error.code == 18:
            return ("connection() error occurred during connection handshake: auth error: sasl conversation "
                    f'error: unable to authenticate using mechanism "SCRAM-SHA-256": ({name}) {text}')
        return f"({name}) {text}"
    if isinstance(error, errors.ServerSelectionTimeoutError):
        text = str(error)
        last = "connection() error occurred during connection handshake: client timed out waiting for server response"
        if "Connection refused" in text:
            last = "dial tcp: connect: connection refused"
        elif re.search("Name or service|nodename|name resolution|No address", text):
            host = re.match(r"\[?([^:\]]*)", text).group(1)
            last = f"dial tcp: lookup {host}: no such host"
        return ("server selection error: context deadline exceeded, current topology: { Type: Unknown, Servers: "
                f"[{{ Addr: h:1, Type: Unknown, Last error: {last} }}, ] }}")
    if isinstance(error, errors.ConnectionFailure):
        return f"connection() connection closed unexpectedly by the other side: {error}"
    return str(error)


def validate(given):
    archive, out, db = given.get("archive", ""), given.get("out", ""), given.get("db", "")
    collection = given.get("collection", "")
    for wrong, text in [
        (out == "-" and not collection, "can only dump a single collection to stdout"),
        (not db and collection, "cannot dump a collection without a specified database"),
        (given.get("oplog") and db, "--oplog mode only supported on full dumps"),
        (given.get("excludeCollection") and not db, "--db is required when --excludeCollection is specified"),
        (out and archive, "--out not allowed when --archive is specified"),
        (given.get("numParallelCollections", 4) <= 0, "numParallelCollections must be positive"),
    ]:
        if wrong:
            raise Failed(f"bad option: {text}")


class Intent:
    """A namespace that will be dumped."""

    def __init__(self, database, info):
        self.db, self.name, self.type = database.name, info["name"], info.get("type", "")
        self.collection = database.get_collection(self.name, codec_options=CodecOptions(document_class=RawBSONDocument))
        indexes = []
        if self.type != "view":
            for index in database.get_collection(self.name, codec_options=CodecOptions(document_class=bson.SON)).list_indexes():
                indexes.append(index)
        metadata = bson.SON()
        if info.get("options"):
            metadata["options"] = info["options"]
        metadata["indexes"] = indexes
        if "uuid" in info.get("info", {}):
            metadata["uuid"] = bytes(info["info"]["uuid"]).hex()
        metadata["collectionName"] = self.name
        metadata["type"] = self.type
        self.metadata = json_util.dumps(metadata, json_options=json_util.CANONICAL_JSON_OPTIONS)
        self.namespace = f"{self.db}.{self.name}"
        self.documents = 0

    def batches(self):
        """Whole documents, some MiB of them at a time at most."""
        if self.type == "view":
            return
        try:
            for batch in self.collection.find_raw_batches(sort=[("$natural", 1)], batch_size=2000):
                if stopping.is_set():
                    raise Failed(f"error writing data for collection `{self.namespace}` to disk: received termination signal")
                at = 0
                while at < len(batch):
                    at += int.from_bytes(batch[at:at + 4], "little")
                    self.documents += 1
                yield batch
        except errors.PyMongoError as error:
            raise Failed(f"error writing data for collection `{self.namespace}` to disk: error reading collection: {told(error)}")


def skipped(given, database, name):
    if name in given.get("excludeCollection", []):
        return True
    if any(name.startswith(prefix) for prefix in given.get("excludeCollectionsWithPrefix", [])):
        return True
    if database == "admin":
        return name == "system.keys"
    if database == "config" and given.get("db") != "config":
        return name not in CONFIG_KEPT
    return name.startswith("system.") and name != "system.js" and database != "config"


def intents(client, given):
    found = []
    try:
        names = [given["db"]] if given.get("db") else [n for n in client.list_database_names() if n != "local"]
    except errors.PyMongoError as error:
        raise Failed(f"error creating intents to dump: error getting database names: {told(error)}")
    for name in names:
        database = client.get_database(name, codec_options=CodecOptions(document_class=bson.SON))
        try:
            for info in database.list_collections():
                wanted = given.get("collection") or info["name"]
                if info["name"] == wanted and not skipped(given, name, info["name"]):
                    found.append(Intent(database, info))
        except errors.PyMongoError as error:
            raise Failed(f"error creating intents to dump: error getting collections for database `{name}`: {told(error)}")
    return found


class Crc64:
    """The sum of an archive's namespace: liblzma computes the same one over what it compresses."""

    def __init__(self):
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 4096, "mf": lzma.MF_HC3, "nice_len": 3, "depth": 1}]
        self.stream = lzma.LZMACompressor(lzma.FORMAT_XZ, lzma.CHECK_CRC64, filters=filters)
        self.empty, self.tail = True, b""

    def update(self, data):
        if data:
            self.empty = False
            self.tail = (self.tail + self.stream.compress(data))[-256:]

    def value(self):
        if self.empty:
            return 0
        end = self.tail + self.stream.flush()
        index = (int.from_bytes(end[-8:-4], "little") + 1) * 4
        return int.from_bytes(end[-12 - index - 8:-12 - index], "little", signed=True)


def header(intent, end=None):
    fields = [("db", intent.db), ("collection", intent.name), ("EOF", end is not None), ("CRC", bson.Int64(end or 0))]
    return bson.encode(bson.SON(fields))


def write_archive(out, found, server_version, jobs):
    prelude = [("concurrent_collections", jobs), ("version", "0.1"), ("server_version", server_version), ("tool_version", VERSION)]
    out.write((0x8199E26D).to_bytes(4, "little") + bson.encode(bson.SON(prelude)))
    for intent in found:
        fields = [("db", intent.db), ("collection", intent.name), ("metadata", intent.metadata), ("size", 0), ("type", intent.type)]
        out.write(bson.encode(bson.SON(fields)))
    out.write(TERMINATOR)
    waiting, active = list(found), []
    # So many at a time, their blocks by turns.
    while waiting or active:
        while waiting and len(active) < jobs:
            intent = waiting.pop(0)
            log(f"writing `{intent.namespace}` to `archive on stdout`")
            active.append((intent, intent.batches(), Crc64()))
        for turn in list(active):
            intent, batches, crc = turn
            batch = next(batches, None)
            if batch is None:
                out.write(header(intent) + TERMINATOR + header(intent, crc.value()) + TERMINATOR)
                active.remove(turn)
                done(intent)
            else:
                crc.update(batch)
                out.write(header(intent))
                out.write(batch)
                out.write(TERMINATOR)


def done(intent):
    plural = "document" if intent.documents == 1 else "documents"
    log(f"done dumping `{intent.namespace}` ({intent.documents} {plural})")


def escaped(name):
    """A collection's file name, as Go's url.QueryEscape has it, cut when it is too long."""
    name_on_disk = quote_plus(name, safe="-_.~")
    if len(name_on_disk) > 238:
        digest = base64.urlsafe_b64encode(hashlib.sha1(name.encode()).digest()).decode().rstrip("=")
        name_on_disk = name_on_disk[:208] + "%24" + digest
    return name_on_disk


def write_tree(given, found, server_version):
    zipped = given.get("gzip")
    opened = (lambda path: gzip.open(path + ".gz", "wb")) if zipped else (lambda path: open(path, "wb"))
    root = given.get("out") or "dump"
    for intent in found:
        base = os.path.join(root, intent.db, escaped(intent.name))
        os.makedirs(os.path.dirname(base), exist_ok=True)
        with opened(base + ".metadata.json") as file:
            file.write(intent.metadata.encode())
        if intent.type == "view":
            continue
        log(f"writing `{intent.namespace}` to `{base}.bson`")
        with opened(base + ".bson") as file:
            for batch in intent.batches():
                file.write(batch)
        done(intent)
    top = os.path.join(root, given["db"]) if given.get("db") else root
    if os.path.isdir(top):
        with opened(os.path.join(top, "prelude.json")) as file:
            file.write(b'{"ServerVersion":"%s","ToolVersion":"%s"}' % (server_version.encode(), VERSION.encode()))


def dump(given):
    client = connect(given)
    validate(given)
    if given.get("oplog"):
        raise Failed("error finding oplog: no matching oplog collections")
    collection = given.get("collection")
    if collection and collection not in client[given["db"]].list_collection_names():
        log(f"namespace with DB `{given['db']}` and collection `{collection}` does not exist")
        return
    version = client.server_info()["version"]
    found = intents(client, given)
    if "archive" not in given and given.get("out") != "-":
        return write_tree(given, found, version)
    raw = sys.stdout.buffer if given.get("archive", "-") == "-" else open(given["archive"], "wb")
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6)) if given.get("gzip") else raw
        if given.get("out") == "-":
            for batch in found[0].batches():
                out.write(batch)
        else:
            write_archive(out, found, version, given.get("numParallelCollections", 4))
    raw.flush()


def stop(number, _frame):
    log(f"signal '{'terminated' if number == signal.SIGTERM else 'interrupt'}' received; attempting to shut down")
    if stopping.is_set():
        os._exit(1)
    stopping.set()


def main(words):
    global quiet
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        given = configured(words)
        if given.get("version") or given.get("help"):
            print(f"mongodump version: {VERSION}")
            return 0
        quiet = given.get("quiet", False)
        dump(given)
    except Usage as error:
        log(f"error parsing command line options: {error}")
        log("try 'mongodump --help' for more information")
        return 1
    except Failed as error:
        log(f"Failed: {error}")
        return 1
    except BrokenPipeError:
        log("Failed: archive writer: write |1: broken pipe")
        # What is left in the buffer has nowhere to go.
        os._exit(1)
    except errors.PyMongoError as error:
        log(f"Failed: error creating intents to dump: {told(error)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
