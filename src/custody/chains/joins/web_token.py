"""JWT: the token presented is the token issued, by issuer and jti."""

from custody.chains.join import key_equality

JOIN = key_equality(
    "web_token",
    ("jwt_jti",),
    "iss and jti",
    "a cached token serves many calls; most verifiers log no jti",
)
