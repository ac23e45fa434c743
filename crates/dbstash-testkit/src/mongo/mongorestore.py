"""A mongorestore for machines that have none: what mongorestore 100.x does with an archive on stdin.

Its options, --config, exit codes and the wordings on stderr that programs look for; reading the archive is keeper.py's
part, which lies beside it.
"""

import datetime
import os
import subprocess
import sys
import tempfile
from urllib.parse import quote_plus

import yaml
from pymongo import uri_parser

OPTIONS = {"config", "dir", "nsInclude", "nsExclude", "nsFrom", "nsTo"}
SWITCHES = {"archive", "gzip", "stopOnError"}


def log(text):
    now = datetime.datetime.now(datetime.timezone.utc)
    print(f"{now.strftime('%Y-%m-%dT%H:%M:%S.000+0000')}\t{text}", file=sys.stderr, flush=True)


def name(pattern):
    """The one name that a pattern without a wildcard matches."""
    return pattern.replace("\\*", "*").replace("\\$", "$").replace("\\\\", "\\")


def main(words):
    if words == ["--version"]:
        print("mongorestore version: 100.9.4")
        return 0
    given = {}
    for word in words:
        option, has_value, value = word.removeprefix("--").partition("=")
        if option in OPTIONS and has_value or option in SWITCHES and not has_value:
            given.setdefault(option, []).append(value)
        else:
            log(f"error parsing command line options: unknown option `{option}`")
            return 1
    with open(given["config"][0], encoding="utf-8") as file:
        config = yaml.safe_load(file)
    uri, password = config["uri"], config.get("password")
    parsed = uri_parser.parse_uri(uri)
    user, patience = parsed["username"], parsed["options"].get("serverSelectionTimeoutMS", 30)
    if user:
        scheme, rest = uri.split("//", 1)
        uri = f"{scheme}//{quote_plus(user)}:{quote_plus(password)}@{rest.split('@', 1)[1]}"
    if "nsInclude" in given:
        source = given["nsInclude"][0].split(".", 1)[0]
        target = given["nsTo"][0].removesuffix(".*") if "nsTo" in given else source
        only = [name(pattern.split(".", 1)[1]) for pattern in given["nsInclude"] if not pattern.endswith(".*")]
        which = ["restore", name(source), name(target), None, *only]
    else:
        which = ["restore_all", None, *(name(pattern.removesuffix(".*")) for pattern in given.get("nsExclude", []))]
    log("preparing collections to restore from")
    if "dir" in given:
        folder = given["dir"][0]
        names = [name for _, _, files in os.walk(folder) for name in files if ".bson" in name]
        # The real one takes no file that is not as it was told.
        if not names or any(name.endswith(".gz") != ("gzip" in given) for name in names):
            log("Failed: nothing there that could be restored")
            return 1
        return ended(load(uri, patience, which, folder))
    # Without a name: nothing of it stays when this is killed.
    with tempfile.TemporaryFile() as file:
        # The real one reads on while it writes; a tool that ends before its input does is never told that it ended.
        while data := sys.stdin.buffer.read(1 << 16):
            file.write(data)
        file.flush()
        path = f"/dev/fd/{file.fileno()}"
        zipped = open(path, "rb").read(2) == b"\x1f\x8b"
        if zipped != ("gzip" in given):
            log("Failed: stream or file does not appear to be a mongodump archive")
            return 1
        return ended(load(uri, patience, which, path, file.fileno()))


def load(uri, patience, which, path, *passed):
    keeper = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "keeper.py")
    env = {"MONGO_URI": uri, "MONGO_PASSWORD": "", "MONGO_PATIENCE": str(int(patience * 1000)), "PATH": os.environ["PATH"]}
    words = [path if word is None else word for word in which]
    return subprocess.run([sys.executable, keeper, *words], env=env, stderr=subprocess.PIPE, text=True, pass_fds=passed)


def ended(done):
    if done.returncode:
        log("Failed: " + done.stderr.strip().splitlines()[-1])
        log("0 document(s) restored successfully. 1 document(s) failed to restore.")
        return 1
    log("7 document(s) restored successfully. 0 document(s) failed to restore.")
    return 0


sys.exit(main(sys.argv[1:]))
