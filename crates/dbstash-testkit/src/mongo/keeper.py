"""What the tests do to a server of theirs: `keeper.py seed|digest|restore|...`, by MONGO_URI.

The restore reads archives and trees by itself and shares no code with what is tested.
"""

import datetime
import functools
import gzip
import hashlib
import io
import os
import sys
import threading
import time
import uuid

import bson
from bson import json_util
from bson.code import Code
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import PyMongoError

RAW = CodecOptions(document_class=RawBSONDocument)
ORDERED = CodecOptions(document_class=bson.SON)
client = MongoClient(os.environ["MONGO_URI"], serverSelectionTimeoutMS=int(os.environ.get("MONGO_PATIENCE", 60000)))


def ready():
    client.admin.command("ping")


def user(name, role, database):
    password = os.environ["MONGO_PASSWORD"]
    client[database].command("createUser", name, pwd=password, roles=[{"role": role, "db": database}])


def types():
    """One of each type, at its edges."""
    old = datetime.datetime(1, 1, 1), datetime.datetime(1969, 12, 31, 23, 59, 59, 999000), datetime.datetime(9999, 12, 31)
    nested = functools.reduce(lambda inner, _: {"a": [inner]}, range(45), {"z": 1})
    return bson.SON([
        ("_id", bson.ObjectId("0123456789abcdef01234567")),
        ("doubles", [0.0, -0.0, 1.5, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308]),
        ("texts", ["", "é😀", "\n\t\"\\\0\u007f", "'; DROP", "\u2028"]),
        ("documents", [{}, {"": 1}, {"a.b": 1}, {"$x": 1}, {"ключ": {"b": {}}}]),
        ("arrays", [[], [[]], [1, "x", None]]),
        ("binaries", [bson.Binary(b"\0\xff", kind) for kind in (0, 1, 2, 5, 128, 255)] + [bson.Binary(uuid.UUID(int=5).bytes, 4)]),
        ("booleans", [True, False]), ("dates", list(old)), ("null", None),
        ("patterns", [bson.Regex("a/b.*\\d", "imsx"), bson.Regex("", "")]),
        ("pointer", bson.DBRef("types", 1)),
        ("code", [Code("function () { return 'é'; }"), Code("x", {"y": 1})]),
        ("integers", [0, -1, 2**31 - 1, -2**31, bson.Int64(2**63 - 1), bson.Int64(-2**63), bson.Int64(1)]),
        ("stamps", [bson.Timestamp(0, 1), bson.Timestamp(2**32 - 1, 2**32 - 1)]),
        ("decimals", [bson.Decimal128(d) for d in ("NaN", "-Infinity", "1.10E+3", "-0", "9.999999999999999999999999999999999E+6144")]),
        ("ends", [bson.MinKey(), bson.MaxKey()]), ("nested", nested),
    ])


def seed(name, rows):
    """A database with one of everything that the server has, and many rows of about 200 bytes."""
    db = client[name]
    db.types.insert_one(types())
    for key in [1, "one", 1.5, {"a": 1}, bson.Binary(b"k", 0), True, bson.MinKey(), bson.Decimal128("7")]:
        db.keys.insert_one({"_id": key})
    for odd in ["-dash", "a.b.c", "sp ace", "100%25", "sl/ash:co*lon?", "q\"uo'te", "söme 😀", "UPPER", "upper", "n" * 100]:
        db[odd].insert_one({"of": odd})
    big = db.big
    big.insert_one({"_id": 1, "x": "y" * (16 * 1024 * 1024 - 40)})
    db.create_collection("empty")
    db.create_collection("capped", capped=True, size=100000, max=5)
    db.capped.insert_many([{"_id": i} for i in range(7)])
    db.create_collection("strict", validator={"$jsonSchema": {"required": ["a"]}}, validationLevel="moderate")
    db.strict.insert_one({"_id": 1, "a": 1})
    db.create_collection("french", collation={"locale": "fr"})
    db.create_collection("view", viewOn="types", pipeline=[{"$match": {"null": None}}])
    db.indexed.insert_many([{"_id": i, "s": f"s{i}", "i": i % 3} for i in range(10)])
    db.indexed.create_index([("s", 1), ("i", -1)], unique=True, name="odd näme")
    db.indexed.create_index("t", expireAfterSeconds=10**8)
    db.indexed.create_index("i", partialFilterExpression={"i": {"$gt": 1}})
    db.indexed.create_index([("place", "2dsphere")])
    db.indexed.create_index([("w.$**", 1)])
    for start in range(0, int(rows), 1000):
        db.rows.insert_many([{"_id": i, "text": hashlib.sha256(b"%d" % i).hexdigest() * 3} for i in range(start, min(start + 1000, int(rows)))])
    db.ticker.insert_one({"_id": 0, "n": 0})


def tick(name):
    """Writes until stdin ends; says how often."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    count = 0
    while not ended.is_set():
        client[name].ticker.update_one({"_id": 0}, {"$inc": {"n": 1}})
        client[name].ticker.insert_one({"x": "y" * 1000})
        count += 1
        time.sleep(0.001)
    print(count)


def bump(name):
    """Some changes of what a digest leaves out."""
    for _ in range(50):
        client[name].ticker.update_one({"_id": 0}, {"$inc": {"n": 1}})
        client[name].ticker.insert_one({"x": "y" * 1000})


def digest(name):
    """Every definition, and a sum of each collection's documents as they are on the wire; not the ticker's."""
    db = client.get_database(name, codec_options=ORDERED)
    for info in sorted(db.list_collections(), key=lambda info: info["name"]):
        options = json_util.dumps(info.get("options", {}), json_options=json_util.CANONICAL_JSON_OPTIONS)
        print(info["name"], info["type"], options)
        if info["type"] == "view":
            continue
        collection = db.get_collection(info["name"])
        for index in sorted(collection.list_indexes(), key=lambda index: index["name"]):
            index.pop("ns", None)
            print("  ", json_util.dumps(index, json_options=json_util.CANONICAL_JSON_OPTIONS))
        if info["name"] != "ticker":
            documents = sorted(d.raw for d in collection.with_options(RAW).find())
            sums = hashlib.sha256()
            for document in documents:
                sums.update(hashlib.sha256(document).digest())
            print("  ", len(documents), "documents", sums.hexdigest())


def everything():
    """The same of each of users' databases."""
    for name in sorted(client.list_database_names()):
        if name not in ("admin", "config", "local"):
            print("database", name)
            digest(name)


class Reader:
    """An archive, from its beginning."""

    def __init__(self, stream):
        self.stream = stream

    def exactly(self, size):
        data = self.stream.read(size)
        if len(data) != size:
            raise EOFError("the archive ends in the middle")
        return data

    def document(self):
        """The next document; None for a terminator."""
        length = self.exactly(4)
        if length == b"\xff\xff\xff\xff":
            return None
        return length + self.exactly(int.from_bytes(length, "little") - 4)

    def documents(self):
        return iter(self.document, None)

    def namespaces(self):
        """Metadata of each namespace, and then pairs of a namespace and a document of it."""
        assert self.exactly(4) == b"\x6d\xe2\x99\x81", "no archive"
        self.document()
        promised = [bson.decode(document) for document in self.documents()]
        yield promised
        ended = set()
        while True:
            start = self.stream.read(4)
            if not start:
                break
            head = bson.decode(start + self.exactly(int.from_bytes(start, "little") - 4))
            key = (head["db"], head["collection"])
            assert key not in ended, key
            for document in self.documents():
                yield key, document
            if head["EOF"]:
                ended.add(key)
        assert ended == {(meta["db"], meta["collection"]) for meta in promised}


def create(db, name, metadata):
    metadata = json_util.loads(metadata, json_options=json_util.JSONOptions(document_class=bson.SON))
    options = metadata.get("options") or {}
    db.command(bson.SON([("create", name), *options.items()]))
    indexes = [index for index in metadata["indexes"] if index["name"] != "_id_"]
    if indexes:
        for index in indexes:
            index.pop("ns", None)
        db.command("createIndexes", name, indexes=indexes)


def fill(db, name, documents):
    batch, size = [], 0
    for document in documents:
        if batch and (size + len(document) > 8 << 20 or len(batch) == 1000):
            db.get_collection(name, codec_options=RAW).insert_many(batch)
            batch, size = [], 0
        batch.append(RawBSONDocument(document))
        size += len(document)
    if batch:
        db.get_collection(name, codec_options=RAW).insert_many(batch)


def restore(source, target, path, *only):
    """One database of an archive or tree, under another name, with new collections."""
    load(path, lambda db, name: db == source and (not only or name in only), lambda _: target)


def restore_all(path, *without):
    """All databases of one but these."""
    load(path, lambda db, _: db not in without, lambda db: db)


def load(path, is_wanted, named):
    if os.path.isdir(path):
        return load_tree(path, is_wanted, named)
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        parts = Reader(io.BufferedReader(gzip.GzipFile(fileobj=file)) if zipped else file).namespaces()
        wanted = [meta for meta in next(parts) if is_wanted(meta["db"], meta["collection"])]
        if not wanted:
            sys.exit("nothing of that in the archive")
        # Views last: of what they look at.
        for meta in sorted(wanted, key=lambda meta: meta["type"] == "view"):
            create(client[named(meta["db"])], meta["collection"], meta["metadata"])
        held = {}
        for key, document in parts:
            if key not in [(meta["db"], meta["collection"]) for meta in wanted]:
                continue
            held.setdefault(key, []).append(document)
            if sum(map(len, held[key])) > 8 << 20 or len(held[key]) >= 2000:
                fill(client[named(key[0])], key[1], held.pop(key))
        for key, documents in held.items():
            fill(client[named(key[0])], key[1], documents)


def load_tree(path, is_wanted, named):
    for db in sorted(os.listdir(path)):
        if os.path.isdir(os.path.join(path, db)):
            load_folder(os.path.join(path, db), lambda name: is_wanted(db, name), named(db))


def load_folder(folder, is_wanted, target):
    opened = lambda path: gzip.open(path + ".gz", "rb") if os.path.exists(path + ".gz") else open(path, "rb")
    metas = sorted({name.removesuffix(".gz") for name in os.listdir(folder) if ".metadata.json" in name})
    read = [opened(os.path.join(folder, name)).read().decode() for name in metas]
    views = lambda pair: '"viewOn"' in pair[1]
    for name, metadata in sorted(zip(metas, read), key=views):
        collection = json_util.loads(metadata)["collectionName"]
        if not is_wanted(collection):
            continue
        create(client[target], collection, metadata)
        if views((name, metadata)):
            continue
        reader = Reader(opened(os.path.join(folder, name.replace(".metadata.json", ".bson"))))
        def documents():
            while True:
                length = reader.stream.read(4)
                if not length:
                    return
                yield length + reader.exactly(int.from_bytes(length, "little") - 4)
        fill(client[target], collection, documents())


def drop(name):
    client.drop_database(name)


def names():
    print("\n".join(client.list_database_names()))


def few(name):
    """One small document of each type."""
    client[name].types.insert_one(types())


def make(name, collection):
    client[name].create_collection(collection)


def only(name, collection):
    """A database with nothing but this in it."""
    drop(name)
    make(name, collection)


try:
    globals()[sys.argv[1]](*sys.argv[2:])
except PyMongoError as error:
    sys.exit(f"{type(error).__name__}: {error}")
