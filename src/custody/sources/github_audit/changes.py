"""Changes of grants and of the rules that guard them, and exposed secrets: shown and searched, mostly without a key."""

from custody.model import github_subjects
from custody.model.events import Part, Stage
from custody.sources.github_audit import records
from custody.sources.github_audit.records import Record

_GUARDS = frozenset(("integration_installation", "integration", "protected_branch", "repository_ruleset"))
_EXPOSED = frozenset(("create", "reopen", "public_leak"))
_BYPASS = "secret_scanning_push_protection.bypass"
_GONE = {
    "org.remove_member": "member.remove",
    "business.remove_member": "member.remove",
    "user.suspend": "member.suspend",
    "user.delete": "member.delete",
    "user.destroy": "member.delete",
}
"""Events by which a person loses what membership or an account gave them."""
_BACK = frozenset(("org.add_member", "org.restore_member", "business.add_member", "user.unsuspend"))
"""Events by which a person has it again."""
_LIMIT = "personal_access_token.expiration_limit_set"


def parts(record: Record) -> tuple[Part, ...]:
    """What the event changed; the effect is GitHub's own word for it."""
    if record.category == "environment":
        name = record.environment_name or record.environment or record.name
        place = github_subjects.environment_key(record.where, name)
        return (Part(stage=Stage.CHANGE, key=place, effect=record.action, object=name),)
    if record.category in _GUARDS:
        thing = record.integration or record.name or record.where
        return (Part(stage=Stage.CHANGE, effect=record.action, object=thing),)
    if record.action == _LIMIT:
        return (Part(stage=Stage.CHANGE, effect="token.expiration_limit", object=records.text(record.org)),)
    gone = "member.add" if record.action in _BACK else _GONE.get(record.action)
    if gone and record.user:
        person = github_subjects.user_key(record.user)
        return (Part(stage=Stage.CHANGE, key=person, effect=gone, object=records.text(record.org)),)
    return _alert(record) if record.category == "secret_scanning_alert" or record.action == _BYPASS else ()


def _alert(record: Record) -> tuple[Part, ...]:
    """An alert. Its token fields are those of whoever acted, so which credential was exposed is not known from it."""
    exposed = record.action == _BYPASS or record.action.partition(".")[2] in _EXPOSED
    number = records.text(record.number) or records.text(record.alert_number)
    named = (record.where, f"alert {number}" if number else None, record.secret_type)
    said = " ".join(word for word in named if word)
    return (Part(stage=Stage.CHANGE, effect="secret.exposed" if exposed else record.action, object=said or None),)
