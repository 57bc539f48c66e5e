"""Which attributes hold what must not be kept, and what a token looks like. Frozen with ``masked-bytes/1``.

Names are those of the OpenTelemetry semantic conventions, of their older versions, and of the instrumentations for
models that came before them.
"""

import re
from functools import lru_cache

from custody.sources import pasted_secrets, secret_names

CONTENT = "content"
ADDRESS = "address"
_LONGEST_NAME = 256
"""A name of more characters is none of the conventions: what it holds is taken for content."""

_CONTENT = re.compile(
    r"gen_ai\.(?:input|output)\.messages|gen_ai\.system_instructions|gen_ai\.tool\.call\.(?:arguments|result)"
    r"|gen_ai\.(?:prompt|completion|content|retrieval|evaluation\.explanation)(?:\..*)?"
    r"|(?:input|output)\.value|llm\.(?:input_messages|output_messages|prompts?|completions?)(?:\..*)?"
    r"|traceloop\.entity\.(?:input|output)|ai\.(?:prompt|response|toolCall)(?:\..*)?"
    r"|mcp\.(?:.*\.)?(?:arguments?|result|content)(?:\..*)?|tool\.(?:parameters|arguments|result)",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(?:http\.(?:request|response)\.header|rpc\..*(?:request|response)\.metadata|messaging\..*\.header)\..*",
    re.IGNORECASE,
)
_HARMLESS_HEADER = re.compile(
    r".*\.(?:content[-_]type|content[-_]length|content[-_]encoding|accept|accept[-_]encoding|user[-_]agent|host|date"
    r"|server|traceparent|x[-_]request[-_]id|x[-_]amzn[-_]requestid|x[-_]amz[-_]request[-_]id|x[-_]amzn[-_]trace[-_]id)",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"db\.(?:query|operation)\.parameter\..*|db\.statement\.parameters?(?:\..*)?", re.IGNORECASE)
_ENVIRONMENT = re.compile(r"process\.environment_variable\..*", re.IGNORECASE)
_ADDRESSES = re.compile(
    r"url\.(?:full|query|original)|http\.(?:url|target)|db\.connection_string|messaging\.url", re.IGNORECASE
)

SCREEN = re.compile(
    rb"(?i:gen_ai\.|llm\.|ai\.|mcp\.|tool\.|(?:in|out)put\.value|traceloop\.|\.header\.|\.metadata\.|\.parameter"
    rb"|environment_variable|url\.|http\.(?:url|target)|db\.connection"
    rb"|token|secret|passw|pass(?:phrase|code)|pwd|private|material|shared|api[_-]?key|authorization|cookie|assertion"
    rb"|signature|code)"
)
"""What occurs in every batch that holds an attribute which ``kind_of`` knows."""

SHAPES = re.compile(
    rb"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,3}"
    rb"|\b(?i:bearer|basic)(?:[ \t]|%20)+([A-Za-z0-9._~+/=-]{16,})"
)
"""JSON Web Tokens, and what stands behind Bearer or Basic, in any text."""

SIGNS = (b"eyj", b"bearer", b"basic")
"""What occurs, in lower case, wherever SHAPES matches."""

IN_ADDRESS = re.compile(
    rb"://[^/@:\"\s]*:([^/@\"\s]+)@"
    rb"|(?i:(?<![A-Za-z0-9])[a-z0-9_.%-]{0,64}(?:token|sig|signature|secret|passw(?:or)?d|pwd|key|code|auth|credential|jwt"
    rb"|assertion|session)[a-z0-9_.%-]{0,16})=([^&;\"#\s\\]+)"
)
"""The password before the host of an address, and the values of its telling parameters."""

_SHOWN = re.compile(
    r"IQoJb3JpZ2lu|F[Qw]oGZXIvYXdz|PRIVATE KEY-----|(?i:x-amz-s(?:ecurity-token|ignature)(?:=|%3d))|custody-masked:"
    r'|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.|\b(?i:bearer|basic)(?:[ \t]|%20)+[A-Za-z0-9._~+/=-]{16,}|["\\]'
)


def is_chat(event: bytes) -> bool:
    """Whether the body of an event of this name is what a user or a model wrote."""
    return event.startswith((b"gen_ai.", b"ai."))


def is_clean(text: str) -> bool:
    """Whether ``text`` holds nothing that is or would be masked for its shape: only such text goes into an event."""
    return _SHOWN.search(text) is None and not pasted_secrets.shaped(text)


@lru_cache(maxsize=4096)
def kind_of(name: bytes) -> str | None:
    """The class of what an attribute holds, None where it stays. ``ADDRESS`` says that a part of it may have to go."""
    text = name.decode("utf-8", "replace")
    if len(text) > _LONGEST_NAME or _CONTENT.fullmatch(text):
        return CONTENT
    if secret_names.is_secret_name(text):
        found = secret_names.EXACT.search(text.lower().encode() + b'"')
        return secret_names.kind_of(found.group(1)) if found else "secret"
    if _HEADER.fullmatch(text) and not _HARMLESS_HEADER.fullmatch(text):
        return "header"
    if _PARAMETER.fullmatch(text):
        return "parameter"
    if _ENVIRONMENT.fullmatch(text):
        return "environment"
    return ADDRESS if _ADDRESSES.fullmatch(text) else None
