"""A very small estate whose logs are as hostile as logs can be, its store, and packs of it to tamper with."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from custody.packs import archive, manifest
from custody.packs.manifest import Listed, Options
from custody.packs.verification import Checked, verify
from custody.pipeline.audit import audit
from custody.pipeline.packing.pack import Packed, pack
from custody.settings.catalog import Settings
from custody.settings.options import resolve

ACCOUNT = "111122223333"
SECRET = "must-not-stay-0123456789"
HOSTILE = "\x1b[31m\u202e<script>alert(1)</script>{{7*7}}"
FORMULA = "=cmd|'/C calc'!A0"
CONTRACT = 'classes:\n  app: {match: {subject: "aws:role/app-*"}, owner: team:payments, purpose: "pays", ttl: 1h}\n'
PERIOD = ("2026-03-01", "2026-03-02")

Files = dict[str, bytes]


def key_of(number: int) -> str:
    return f"ASIAEXAMPLE{number:09}"


def role_of(number: int) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/app-{number}"


def records(roles: int) -> list[dict[str, object]]:
    """For each role a key that EC2 got for an instance, two uses of it, and one from another network."""
    return [each for number in range(roles) for each in (_issued(number), *_used(number))]


def _base(number: int, minute: int, action: str, source: str) -> dict[str, object]:
    return {
        "eventVersion": "1.11",
        "eventID": f"00000000-0000-4000-8000-{number:06}{minute:06}",
        "eventTime": f"2026-03-01T10:{minute:02}:{number % 60:02}Z",
        "eventSource": source,
        "eventName": action,
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "awsRegion": "eu-central-1",
        "recipientAccountId": ACCOUNT,
    }


def _issued(number: int) -> dict[str, object]:
    credentials = {
        "accessKeyId": key_of(number),
        "expiration": "Mar 1, 2026, 4:00:00 PM",
        "sessionToken": SECRET,
    }
    return {
        **_base(number, 1, "AssumeRole", "sts.amazonaws.com"),
        "userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
        "sourceIPAddress": "ec2.amazonaws.com",
        "userAgent": "ec2.amazonaws.com",
        "requestParameters": {"roleArn": role_of(number), "roleSessionName": f"i-{number:017x}"},
        "responseElements": {"credentials": credentials},
    }


def _used(number: int) -> list[dict[str, object]]:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/app-{number}/i-{number:017x}"
    identity = {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE{number:09}:i-{number:017x}",
        "arn": arn,
        "accountId": ACCOUNT,
        "accessKeyId": key_of(number),
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": role_of(number), "principalId": f"AROAEXAMPLE{number:09}"},
            "attributes": {"creationDate": f"2026-03-01T10:01:{number % 60:02}Z"},
        },
    }
    return [
        {
            **_base(number, minute, action, "s3.amazonaws.com"),
            "userIdentity": identity,
            "sourceIPAddress": origin,
            "userAgent": agent,
            "requestParameters": {"bucketName": f"{HOSTILE}{FORMULA}"},
        }
        for minute, action, origin, agent in (
            (2, "ListBuckets", "198.51.100.7", HOSTILE),
            (3, "GetBucketAcl", "198.51.100.7", FORMULA),
        )
    ]


def settings_in(folder: Path, **flags: object) -> Settings:
    given = {"store": str(folder / "store"), "keys": str(folder / "keys"), "jobs": "1", **flags}
    return resolve(given, {}, None, home=folder, cwd=folder, cores=2)


def audited(folder: Path, roles: int = 3, more: Sequence[dict[str, object]] = (), **flags: object) -> Settings:
    """A store with the logs of some roles, audited under the contract."""
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "trail.json").write_text(json.dumps({"Records": [*records(roles), *more]}))
    (folder / "contract.yaml").write_text(CONTRACT)
    settings = settings_in(folder, contract=str(folder / "contract.yaml"), **flags)
    audit(settings, [logs], lambda progress: None)
    return settings


def packed(settings: Settings, path: Path, **asked: object) -> Packed:
    options = msgspec.convert({"period": PERIOD, **asked}, Options)
    return pack(settings, options, path, lambda progress: None)


def files_of(path: Path) -> Files:
    """What is in a pack, in order, read by somebody else's code."""
    with zipfile.ZipFile(path) as opened:
        return {info.filename: opened.read(info) for info in opened.infolist()}


def written(path: Path, files: Mapping[str, bytes]) -> Path:
    """An archive of these files, well formed whatever they say."""
    data = io.BytesIO()
    writer = archive.Writer(data)
    for name, content in files.items():
        writer.add(name, content)
    writer.close()
    path.write_bytes(data.getvalue())
    return path


def listed(files: Files, change: Callable[[manifest.Manifest], manifest.Manifest] = lambda found: found) -> Files:
    """The files with a manifest that fits them, as a forger would make it."""
    found = manifest.decode(files[manifest.NAME])
    rows = tuple(
        Listed(name, len(data), sha256(data).hexdigest()) for name, data in files.items() if name != manifest.NAME
    )
    forged = change(msgspec.structs.replace(found, files=rows))
    others = {name: data for name, data in files.items() if name != manifest.NAME}
    return {**others, manifest.NAME: manifest.encode(forged)}


def checked(path: Path) -> Checked:
    return verify(path, None, None)


def named(found: Checked) -> set[str]:
    """The files that have a problem."""
    return {path for path, _ in found.problems}
