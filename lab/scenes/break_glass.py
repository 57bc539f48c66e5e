"""An emergency: the root token hands out database roles that nobody approved; a ticket is only named in a header."""

from pathlib import Path

from lab import parts
from lab.actors import Scene, TokenHolder

NAME = "break_glass"
NEEDS = ("vault", "postgresql")


def play(folder: Path, found: parts.Found) -> None:
    """Play the scene in ``folder``; raises RuntimeError or LookupError where a server does other than told."""
    with parts.vault_and_database(NAME, folder, found) as scene:
        parts.set_up_database(scene.vault.must)
        root = scene.root()
        _borrow(scene, root)
        root.call("GET", "database/roles/app", X_Ticket="INC-40")
        _borrow(scene, root)
        child = scene.child_of(root, {"policies": ["app"], "no_parent": True, "ttl": "5m"}, "orphan token")
        scene.truth.notes.append("nobody approved anything; the ticket header is the caller's own word")
        _borrow(scene, child)
        scene.revoke_own(child)


def _borrow(scene: Scene, holder: TokenHolder) -> None:
    role = scene.borrow(holder, "app")
    session = role.connect("emergency")
    role.run(session, "SELECT count(*) FROM orders", "DELETE FROM orders")
    session.close()
