"""What stands in a pack: the one list that the writer fills and the verifier expects."""

README = "README.txt"
CHECKPOINT = "checkpoint"
POLICY = "policy"
ROTATIONS = "rotations.json"
"""The notes of every key rotation of the log (``store.rotation``); not there where there was none."""
DERIVED = "derived.json"
CONTRACT = "contract.yaml"
SCOPE = "scope.json"
POPULATION = "population.json"
VERDICTS = "verdicts.json"
CHAINS = "chains.json"
FINDINGS = "findings.json"
REGISTER = "register.json"
REPORT = "report.html"
OSCAL = "oscal-assessment-results.json"
EVENTS = "ocsf-events.ndjson"
OCSF_FINDINGS = "ocsf-findings.ndjson"
TABLES = ("csv/credentials.csv", "csv/findings.csv", "csv/identities.csv", "csv/population.csv")

INCIDENT = "incident/"
"""The folder of what a pack of an incident has beside the rest."""
INCIDENT_STEPS = f"{INCIDENT}steps.json"
INCIDENT_VIEW = f"{INCIDENT}incident.json"
INCIDENT_TIMELINE = f"{INCIDENT}timeline.json"
INCIDENT_PAGE = f"{INCIDENT}incident.html"
RESPONSE = f"{INCIDENT}response.json"
"""The response file in force, as it is sealed; not there where the incident was opened without one."""
INCIDENT_ALWAYS = (INCIDENT_STEPS, INCIDENT_VIEW, INCIDENT_TIMELINE, INCIDENT_PAGE)
"""Files of every pack of an incident."""

APPROVALS = "approvals/"
"""The folder of the log of approvals: the leaves that matter to the incident; not there where there are none."""
APPROVALS_CHECKPOINT = f"{APPROVALS}checkpoint"

LISTS = (POPULATION, VERDICTS, CHAINS, FINDINGS, REGISTER)
"""The list documents (see ``documents``) that are searched for leaves, beside SCOPE."""
INCIDENT_LISTS = (INCIDENT_STEPS, INCIDENT_TIMELINE)
"""Those of an incident; INCIDENT_VIEW is a document."""

ALWAYS = (
    README, CHECKPOINT, POLICY, "leaves.json", DERIVED, SCOPE, *LISTS, REPORT, OSCAL, EVENTS, OCSF_FINDINGS, *TABLES,
)  # fmt: skip
"""Files of every pack; CONTRACT is there where a contract is in force, ROTATIONS where the key was rotated."""

STAMPS = "anchors/"
"""The folder of time stamps: ``<leaf>.checkpoint`` is what was stamped, ``<leaf>.tsr`` the answer (RFC 3161)."""

KNOWN = frozenset((*ALWAYS, ROTATIONS, CONTRACT, "manifest.json"))
"""Every file that may stand beside those of the leaves."""
KNOWN_OF_INCIDENT = frozenset((*INCIDENT_ALWAYS, RESPONSE, APPROVALS_CHECKPOINT, f"{APPROVALS}leaves.json"))
"""The same of a pack of an incident."""

SEAL = ".tlog-proof"
"""What the name of the seal beside a pack ends in, after the name of the pack."""

STATEMENT = "pack"
"""The kind of statement that seals a pack."""
