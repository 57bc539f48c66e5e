"""GitHub: the token presented is the token granted, by hash or id."""

from custody.chains.join import key_equality

JOIN = key_equality(
    "github_token",
    ("github_token_sha256", "github_token_id"),
    "hashed_token or token_id at use = at grant",
    "tokens of apps and jobs have no record of their issue; web sessions have no hash",
)
