"""Tokens, leases and database sessions: Vault (or OpenBao) hands out PostgreSQL roles, and takes them back.

Told here: a person, an application by approle with a wrapped secret id, a child token, a batch token, a renewed lease,
leases revoked by body and by path, a short lease that runs out, a cascade, refusals, a revocation by accessor, and
sessions that outlive their role.
"""

import json
from pathlib import Path

from lab import parts, web
from lab.actors import DatabaseRole, Scene, TokenHolder
from lab.postgresql import Session

NAME = "vault_postgresql"
NEEDS = ("vault", "postgresql")

STAFF = """
path "auth/approle/role/shop/secret-id" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "sys/leases/revoke/*" { capabilities = ["update"] }
path "auth/token/revoke-accessor" { capabilities = ["update"] }
path "auth/token/lookup-accessor" { capabilities = ["update"] }
"""


def play(folder: Path, found: parts.Found) -> None:
    """Play the scene in ``folder``; raises RuntimeError or LookupError where a server does other than told."""
    with parts.vault_and_database(NAME, folder, found) as scene:
        prepare(scene.vault.must)
        scene.root()
        staff = scene.login("auth/userpass/login/staff", {"password": "made-up-staff-word"}, "person's login", "staff")
        shop = _log_in_by_approle(scene, staff)
        child = scene.child_of(shop, {"policies": ["app"], "ttl": "10m"}, "child token")
        _use_renew_and_revoke(scene, shop, staff)
        _let_one_run_out(scene, shop)
        _refusals(scene, shop)
        batch = _batch(scene, shop)
        _by_accessor(scene, staff)
        _cascade(scene, shop, child, batch)


def prepare(must: parts.Must) -> None:
    """Mounts, policies, roles: the work of whoever sets the server up."""
    parts.set_up_database(must)
    must("PUT", "sys/policies/acl/staff", {"policy": STAFF})
    must("POST", "sys/auth/userpass", {"type": "userpass"})
    must("POST", "auth/userpass/users/staff", {"password": "made-up-staff-word", "token_policies": "staff"})
    must("POST", "sys/auth/approle", {"type": "approle"})
    must("POST", "auth/approle/role/shop", {"token_policies": "app", "token_ttl": "20m", "token_max_ttl": "1h"})


def _log_in_by_approle(scene: Scene, staff: TokenHolder) -> TokenHolder:
    role_id = scene.vault.must("GET", "auth/approle/role/shop/role-id").text("data", "role_id")
    wrap = scene.wrapped_by(staff, "POST", "auth/approle/role/shop/secret-id", "wrapping token")
    secret_id = wrap.call("POST", "sys/wrapping/unwrap").text("data", "secret_id")
    scene.truth.end(wrap.credential, "unwrapped")
    wrap.call("POST", "sys/wrapping/unwrap")
    body: web.Json = {"role_id": role_id, "secret_id": secret_id}
    return scene.login("auth/approle/login", body, "application's login", "shop", run="shop-process")


def _use_renew_and_revoke(scene: Scene, shop: TokenHolder, staff: TokenHolder) -> None:
    first = scene.borrow(shop, "app")
    session = first.connect("shop")
    first.run(session, "INSERT INTO orders(item) VALUES ('chair')", "SELECT count(*) FROM orders")
    shop.call("PUT", "sys/leases/renew", {"lease_id": first.lease, "increment": 3600}, X_Ticket="OPS-17")
    shop.call("POST", "auth/token/renew-self", {"increment": "30m"})
    staff.call("PUT", "sys/leases/revoke", {"lease_id": first.lease, "sync": True})
    scene.truth.end(first.credential, "revoked")
    outlive(scene, first, session)
    second = scene.borrow(shop, "app")
    session = second.connect("shop-report")
    second.run(session, "SELECT item FROM orders")
    session.close()
    staff.call("PUT", f"sys/leases/revoke/{second.lease}", {"sync": True})
    scene.truth.end(second.credential, "revoked")


def outlive(scene: Scene, role: DatabaseRole, session: Session) -> None:
    """Try, after the end of a role, its open session and a new one; what the server did goes into the truth."""
    before = role.credential.uses
    errors = role.run(session, "SELECT 1", "SELECT count(*) FROM orders")
    role.credential.survives = role.credential.uses > before
    again = role.connect("after-the-end")
    scene.truth.notes.append(
        f"after {role.credential.how_ended} of {role.name}: open session {errors}, new session {again.refused!r}"
    )
    again.close()
    session.close()


def _let_one_run_out(scene: Scene, shop: TokenHolder) -> None:
    short = scene.borrow(shop, "short")
    session = short.connect("shop-short")
    short.run(session, "SELECT 2")
    seen = scene.vault.wait_for(short.lease)
    scene.truth.notes.append(f"expiry of {short.lease} told by the server log: {seen}")
    scene.truth.end(short.credential, "expired")
    outlive(scene, short, session)


def _refusals(scene: Scene, shop: TokenHolder) -> None:
    shop.call("GET", "sys/policies/acl/staff")
    shop.call("GET", "database/creds/short-of-nothing")
    scene.vault.call("not-a-token-must-not-stay", "GET", "database/creds/app")
    scene.vault.call("", "POST", "auth/userpass/login/staff", {"password": "wrong-must-not-stay"})


def _batch(scene: Scene, shop: TokenHolder) -> TokenHolder:
    batch = scene.child_of(shop, {"policies": ["app"], "type": "batch", "ttl": "5m"}, "batch token")
    batch.call("GET", "auth/token/lookup-self")
    role = scene.borrow(batch, "app")
    session = role.connect("shop-batch")
    role.run(session, "SELECT 3")
    session.close()
    return batch


def _by_accessor(scene: Scene, staff: TokenHolder) -> None:
    other = scene.login("auth/userpass/login/staff", {"password": "made-up-staff-word"}, "second login", "staff")
    accessor = other.call("GET", "auth/token/lookup-self").text("data", "accessor")
    staff.call("POST", "auth/token/revoke-accessor", {"accessor": accessor})
    scene.truth.end(other.credential, "revoked")
    other.refused()
    hashed = scene.vault.hashed(other.token)
    lines = scene.vault.logs["audit-first"].read_text().splitlines()
    places = [name for name in ("request", "auth", "response") if any(_tells(line, name, hashed) for line in lines)]
    scene.truth.notes.append(f"the HMAC of a service token as its holder has it is found as client_token in: {places}")


def _tells(line: str, place: str, hashed: str) -> bool:
    """Whether an audit line has the HMAC as the client token of its request, its caller or its new token."""
    record: dict[str, web.Json] = json.loads(line)
    held = record.get(place, {})
    inner = held.get("auth", {}) if place == "response" else held
    return isinstance(inner, dict) and inner.get("client_token") == hashed


def _cascade(scene: Scene, shop: TokenHolder, child: TokenHolder, batch: TokenHolder) -> None:
    """The application revokes its own token; its child and all their leases go with it."""
    role = scene.borrow(child, "app")
    session = role.connect("shop-child")
    role.run(session, "SELECT 4")
    scene.revoke_own(shop)
    told = [holder.refused() for holder in (child, batch)]
    scene.truth.notes.append(f"after their parent's revocation: child token refused {told[0]}, batch token {told[1]}")
    outlive(scene, role, session)
