"""The OpenAPI 3.1 document: Litestar's, from the handlers, with what it cannot know.

That is: who may call, the errors as they are shown, the form of the token endpoint, the bodies of pushed logs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import msgspec
from litestar import Litestar
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import Method

from custody.serve import openapi_parts as parts

Node = dict[str, object]

_IDS: dict[str, dict[str, object]] = {"chain": parts.CHAIN_ID, "name": parts.NAME, "signal": parts.SIGNAL}


def described(routes: Sequence[HTTPRouteHandler], version: str) -> bytes:
    """The document of these routes as JSON."""
    config = OpenAPIConfig(
        title="custody", version=version, operation_id_creator=_name, render_plugins=[JsonRenderPlugin()]
    )
    app = Litestar(list(routes), openapi_config=config, logging_config=None)
    return msgspec.json.encode(_document(app))


def _document(app: Litestar) -> Node:
    found = cast("Node", app.openapi_schema.to_schema())
    handlers = {each.handler_name: each for each in _handlers(app)}
    for path, item in cast("dict[str, dict[str, Node]]", found["paths"]).items():
        for operation in item.values():
            _complete(path, operation, handlers[str(operation["operationId"])])
    components = cast("dict[str, Node]", found.setdefault("components", {}))
    components.setdefault("schemas", {}).update(parts.schemas())
    components["securitySchemes"] = parts.SECURITY_SCHEMES
    return found


def _name(handler: HTTPRouteHandler, _method: Method, _path: object) -> str:
    """An operation has the name of its handler."""
    return handler.handler_name


def operations(document: Node) -> Iterator[tuple[str, str, Node]]:
    """Method, path and operation of each, in the order of the document."""
    for path, item in cast("dict[str, dict[str, Node]]", document["paths"]).items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def _handlers(app: Litestar) -> Iterator[BaseRouteHandler]:
    for route in app.routes:
        yield from getattr(route, "route_handlers", ())


def _complete(path: str, operation: Node, handler: BaseRouteHandler) -> None:
    opt = handler.opt
    doc = (handler.fn.__doc__ or "").strip().partition("\n")[0]
    operation["summary"] = doc.rstrip(".")
    operation["description"] = parts.who(opt, path)
    operation["security"] = parts.security(opt, path)
    for parameter in cast("list[Node]", operation.get("parameters", [])):
        _plain(parameter, path)
    _headers(operation, path)
    _answers(path, operation, opt, posted="POST" in getattr(handler, "http_methods", ()))


def _plain(parameter: Node, path: str) -> None:
    """Parameters as they are: no empty values, and ids by their patterns."""
    schema = cast("Node", parameter["schema"])
    if parameter["in"] == "query":
        if schema.get("default") == "":
            schema.pop("default")
        if schema.get("type") == "string" and "enum" not in schema:
            schema["minLength"] = 1
    if parameter["in"] == "path":
        ids: dict[str, dict[str, object]] = {**_IDS, "name": parts.REQUEST_ID} if path.startswith("/requests") else _IDS
        schema.update(ids[str(parameter["name"])])
    for needless in ("deprecated", "allowEmptyValue", "allowReserved"):
        parameter.pop(needless, None)


def _headers(operation: Node, path: str) -> None:
    if path in parts.IDEMPOTENT:
        parameters = cast("list[Node]", operation.setdefault("parameters", []))
        parameters.append(parts.IDEMPOTENCY_KEY)


def _answers(path: str, operation: Node, opt: object, *, posted: bool) -> None:
    """Successes from the table where Litestar cannot see them, errors for all."""
    if posted and path in parts.BODIES:
        operation["requestBody"] = parts.BODIES[path]
    responses = cast("dict[str, object]", operation["responses"])
    responses.pop("400", None)
    responses.update(parts.SUCCESSES.get(path, {}))
    for status in parts.errors(cast("dict[str, object]", opt), path, posted="requestBody" in operation):
        responses.setdefault(str(status), parts.error(status, path))
    operation["responses"] = dict(sorted(responses.items()))
