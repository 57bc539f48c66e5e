"""Those who act in a scene: holders of Vault tokens and of database roles. Each counts in the truth what it did."""

from typing import Protocol

from lab import web
from lab.postgresql import PostgreSQL, Session
from lab.truth import Credential, Link, Truth
from lab.vault import Vault

CONNECTING = 3
"""What the log has of a session before its first statement here: the connection and two questions of the script."""


class TokenHolder:
    """Someone with a Vault token; every accepted request is a use of it."""

    def __init__(self, vault: Vault, token: str, credential: Credential) -> None:
        self.vault = vault
        self.token = token
        self.credential = credential

    def call(self, method: str, path: str, body: web.Json | None = None, **headers: str) -> web.Answer:
        """One request, counted as a use or as a refusal."""
        answer = self.vault.call(self.token, method, path, body, **headers)
        if answer.status < 400:
            self.credential.uses += 1
        else:
            self.credential.refused += 1
        return answer

    def refused(self) -> bool:
        """Whether the server now refuses the token."""
        return self.call("GET", "auth/token/lookup-self").status == 403


class Scene:
    """The servers of a scene and its truth. Keys are made of plain accessors until ``resolve`` hashes them."""

    def __init__(self, vault: Vault, database: PostgreSQL, truth: Truth) -> None:
        self.vault = vault
        self.database = database
        self.truth = truth
        self._plain: list[tuple[str, str]] = []
        self.hash_table: list[dict[str, str]] = []

    def root(self) -> TokenHolder:
        """The holder of the root token, whose issue came before any audit device."""
        accessor = self.vault.must("GET", "auth/token/lookup-self").text("data", "accessor")
        return self._holder(self.vault.root, accessor, Credential(key="", what="root token", holder="root"))

    def login(
        self,
        path: str,
        body: web.Json,
        what: str,
        holder: str,
        run: str | None = None,
        parent: Credential | None = None,
    ) -> TokenHolder:
        """Log in; raises LookupError where the server lets nobody in. ``parent`` is an outside credential shown."""
        answer = self.vault.call("", "POST", path, body)
        mine = Credential(key="", what=what, holder=holder, run=run, parent=None if parent is None else parent.key)
        if parent is not None:
            parent.uses += 1
        return self._token_of(answer, mine, "exact" if parent is None else "bounded")

    def child_of(self, parent: TokenHolder, body: web.Json, what: str) -> TokenHolder:
        """A token made with another token; with ``no_parent`` it is asked for by that one and no child of it."""
        answer = parent.call("POST", "auth/token/create", body)
        mine = parent.credential
        orphan = "no_parent" in body
        credential = Credential(
            key="", what=what, parent=None if orphan else mine.key, holder=mine.holder, run=mine.run
        )
        made = self._token_of(answer, credential)
        if orphan:
            self.truth.links.append(Link("asked", mine.key, credential.key))
        return made

    def also_named(self, credential: Credential, kind: str, plain: str) -> None:
        """Give a credential the name that the first audit device writes for it: the HMAC of ``plain``."""
        self._plain.append((kind, plain))
        if f"{kind}:plain:{plain}" not in credential.aliases:
            credential.aliases.append(f"{kind}:plain:{plain}")

    def _token_of(self, answer: web.Answer, credential: Credential, grade: str = "exact") -> TokenHolder:
        token, accessor = answer.text("auth", "client_token"), answer.at("auth", "accessor")
        return self._holder(token, accessor if isinstance(accessor, str) else "", credential, grade)

    def _holder(self, token: str, accessor: str, credential: Credential, grade: str = "exact") -> TokenHolder:
        kind, plain = ("vault_accessor", accessor) if accessor else ("vault_token", token)
        credential.key = f"{kind}:plain:{plain}"
        self._plain.append((kind, plain))
        self.truth.issue(credential, grade)
        return TokenHolder(self.vault, token, credential)

    def revoke_own(self, holder: TokenHolder) -> None:
        """Have a token revoke itself; all that was made with it falls too, and the truth says so."""
        holder.call("POST", "auth/token/revoke-self")
        self.truth.end(holder.credential, "revoked")
        for fallen in _below(self.truth.credentials, holder.credential.key):
            if fallen.key.startswith("vault_lease"):
                self.vault.wait_for(f'"lease_id":"{fallen.key.split(":", 2)[2]}"')
            self.truth.end(fallen, "cascade")
            self.truth.links.append(Link("end", holder.credential.key, fallen.key, "bounded"))

    def wrapped_by(self, holder: TokenHolder, method: str, path: str, what: str) -> TokenHolder:
        """Ask for something wrapped; the result holds the wrapping token, good for one use."""
        answer = holder.call(method, path, {}, X_Vault_Wrap_TTL="60s")
        token, accessor = answer.text("wrap_info", "token"), answer.text("wrap_info", "accessor")
        return self._holder(token, accessor, Credential(key="", what=what, parent=holder.credential.key))

    def borrow(self, holder: TokenHolder, role: str) -> "DatabaseRole":
        """Read database/creds/ROLE: a lease and a database role."""
        answer = holder.call("GET", f"database/creds/{role}")
        lease, name = answer.text("lease_id"), answer.text("data", "username")
        self._plain.append(("db_role_hmac", name))
        credential = Credential(
            key=f"vault_lease:vault:{lease}",
            what=f"dynamic database role by {role}",
            parent=holder.credential.key,
            holder=holder.credential.holder,
            run=holder.credential.run,
            aliases=[f"db_role:postgresql:{name}", f"db_role_hmac:plain:{name}"],
        )
        self.truth.issue(credential)
        return DatabaseRole(self, lease, name, answer.text("data", "password"), credential)

    def resolve(self) -> None:
        """Hash, as both audit devices do, all that the truth names, and put it in the place of the plain names."""
        renamed: dict[str, str] = {}
        plainly: dict[str, str] = {}
        for kind, plain in dict.fromkeys(self._plain):
            for device in ("first", "second"):
                hashed = self.vault.hashed(plain, device)
                if kind == "db_role_hmac":
                    self.hash_table.append({"device": f"{device}/", "input": plain, "hash": hashed})
                if device == "first":
                    renamed[f"{kind}:plain:{plain}"] = f"{kind}:hmac:{hashed.removeprefix('hmac-sha256:')}"
            if kind == "vault_accessor":
                plainly[renamed[f"{kind}:plain:{plain}"]] = f"{kind}:plain:{plain}"
        self._rename(renamed, plainly)

    def _rename(self, renamed: dict[str, str], plainly: dict[str, str]) -> None:
        for credential in self.truth.credentials:
            credential.key = renamed.get(credential.key, credential.key)
            credential.parent = renamed.get(credential.parent or "", credential.parent)
            credential.aliases = [renamed.get(alias, alias) for alias in credential.aliases]
            if credential.key in plainly:
                credential.aliases.append(plainly[credential.key])
        self.truth.links = [
            Link(link.kind, renamed.get(link.source, link.source), renamed.get(link.target, link.target), link.grade)
            for link in self.truth.links
        ]


class Stage(Protocol):
    """What a database role needs of a scene."""

    @property
    def database(self) -> PostgreSQL:
        """The server that it is a role of."""

    @property
    def truth(self) -> Truth:
        """Where what is done with it is entered."""


class DatabaseRole:
    """A dynamic database role and the sessions opened with it; ``lease`` is what its issuer calls it."""

    def __init__(self, scene: Stage, lease: str, name: str, password: str, credential: Credential) -> None:
        self.scene = scene
        self.lease = lease
        self.name = name
        self.password = password
        self.credential = credential

    def connect(self, application: str) -> Session:
        """Open a session; a refusal is counted as one."""
        session = Session(self.scene.database, self.name, self.password, application=application)
        if session.refused:
            self.credential.refused += 1
            return session
        identity = session.identity()
        self.credential.uses += CONNECTING
        self.scene.truth.links.append(Link("session", self.credential.key, f"db_session:postgresql:{identity}"))
        return session

    def run(self, session: Session, *statements: str) -> list[str]:
        """Run statements, counted; gives the error of each, or an empty text."""
        errors = [session.run(statement) for statement in statements]
        self.credential.uses += errors.count("")
        self.credential.refused += len(errors) - errors.count("")
        return errors


def _below(credentials: list[Credential], key: str) -> list[Credential]:
    living = [credential for credential in credentials if credential.parent == key and credential.how_ended is None]
    return [found for child in living for found in (child, *_below(credentials, child.key))]
