"""What several scenes set up alike: the servers, the database engine, and the keeping of logs and truth."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lab import builds, web
from lab.actors import Scene
from lab.postgresql import PostgreSQL
from lab.truth import Truth, now
from lab.vault import Vault

Must = Callable[[str, str, web.Json], web.Answer]
"""A request with the root token that has to succeed: method, path, body."""

Found = dict[str, builds.Server]
"""The servers that were had, by name."""

APP = """
path "database/creds/*" { capabilities = ["read"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "auth/token/create" { capabilities = ["update"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
"""
CREATE_ROLE = [
    "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'",
    'GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO "{{name}}"',
    'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{{name}}"',
]


@contextmanager
def vault_and_database(name: str, folder: Path, found: Found) -> Iterator[Scene]:
    """Start both servers, give the scene, then resolve its keys, stop, and keep logs, hash table and truth."""
    database = PostgreSQL(found["postgresql"].path, folder / "postgresql")
    vault = Vault(found["vault"].path, folder / "vault", plugins=found["vault"].plugins)
    try:
        database.start()
        vault.start()
        versions = {"vault": f"{found['vault'].product} {vault.version}", "postgresql": database.version}
        scene = Scene(vault, database, Truth(scene=name, servers=versions, started=now()))
        connect(scene)
        yield scene
        scene.truth.ended = now()
        scene.resolve()
        for credential in scene.truth.credentials:
            credential.uses += vault.root_calls if credential.what == "root token" else 0
    finally:
        vault.stop()
        database.stop()
    keep(folder, {**database.logs, **vault.logs}, twins=("audit-second", "csvlog"))
    (folder / "logs" / "audit-hash.ndjson").write_text("".join(json.dumps(row) + "\n" for row in scene.hash_table))
    scene.truth.write(folder)


def connect(scene: Scene) -> None:
    """Mount the database engine and make it know the database; the tables are made here."""
    scene.database.administer(
        "CREATE TABLE orders(id serial PRIMARY KEY, item text)", "GRANT USAGE ON SCHEMA public TO public"
    )
    scene.vault.register("database", "postgresql-database-plugin")
    must = scene.vault.must
    must("POST", "sys/mounts/database", {"type": "database"})
    location = f"127.0.0.1:{scene.database.port}/{scene.database.database}"
    connection: web.Json = {
        "plugin_name": "postgresql-database-plugin",
        "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@{location}?sslmode=disable",
        "username": scene.database.administrator,
        "password": scene.database.password,
        "allowed_roles": "*",
    }
    must("POST", "database/config/shop", connection)


def set_up_database(must: Must) -> None:
    """The policy ``app`` and the roles ``app`` (an hour) and ``short`` (four seconds)."""
    must("PUT", "sys/policies/acl/app", {"policy": APP})
    for role, seconds in (("app", 3600), ("short", 4)):
        body: web.Json = {
            "db_name": "shop",
            "creation_statements": CREATE_ROLE,
            "default_ttl": f"{seconds}s",
            "max_ttl": f"{2 * seconds if role == 'app' else seconds}s",
        }
        must("POST", f"database/roles/{role}", body)


def keep(folder: Path, logs: dict[str, Path], twins: tuple[str, ...] = ()) -> None:
    """Copy logs to ``folder/logs`` under the names of their kinds, ``twins`` of others to ``folder/twins``.

    A twin tells the same as another log in another form: a second audit device, a second format.
    """
    for name, path in logs.items():
        kept = folder / ("twins" if name in twins else "logs")
        kept.mkdir(parents=True, exist_ok=True)
        if path.exists():
            shutil.copyfile(path, kept / f"{name}.log")


def rows(value: object) -> bytes:
    """Indented JSON, for files that people read."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
