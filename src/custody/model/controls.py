"""The controls that rules speak to, from published catalogues: one id each, and a title in our own words.

Sources: OWASP Non-Human Identities Top 10 (2025), OWASP Top 10 for Agentic Applications (2026), NIST CSF 2.0, NIST SP
800-53 revision 5, NIST SP 800-63-4, NIST AI RMF 1.0, AICPA Trust Services Criteria 2017 (SOC 2), ISO/IEC 27001:2022
Annex A, PCI DSS 4.0.1. docs/controls.md shows them with the rules. An id says its catalogue where its own numbers do
not (``PCI 8.6.3``, ``ISO27001 A.5.18``). Ids of CSF 1.1 and other spellings are read and never printed.

A control beside a finding says which requirement the fact bears on. Nothing here claims that anybody conforms.
"""

import difflib
from enum import StrEnum

import msgspec

from custody.errors import UsageError


class Framework(StrEnum):
    """The catalogues, in the order in which they are shown."""

    NHI = "OWASP NHI Top 10 2025"
    ASI = "OWASP Agentic Top 10 2026"
    CSF = "NIST CSF 2.0"
    SP800_53 = "NIST SP 800-53 r5"
    SP800_63 = "NIST SP 800-63-4"
    AI_RMF = "NIST AI RMF 1.0"
    SOC2 = "SOC 2 (TSC 2017)"
    ISO = "ISO/IEC 27001:2022"
    PCI = "PCI DSS 4.0.1"


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """One control: its ``id`` as custody prints it, its catalogue, a title in our words, and what else it answers to.

    An alias may name several controls: an id of CSF 1.1 that 2.0 divided, a label of an older list.
    """

    id: str
    framework: Framework
    title: str
    aliases: tuple[str, ...] = ()


_NHI = """
NHI1:2025 | Identities and credentials that outlive their owner, app or workload | NHI1
NHI2:2025 | Secrets seen outside of where they are kept | NHI2 NHI-03
NHI3:2025 | Identities of third parties that were granted access | NHI3
NHI4:2025 | Weak ways for a machine to authenticate | NHI4
NHI5:2025 | More rights than are used or needed | NHI5
NHI6:2025 | Trust between pipeline and cloud that lets in too many | NHI6
NHI7:2025 | Secrets that live too long | NHI7 NHI-03
NHI8:2025 | One identity in several environments | NHI8
NHI9:2025 | One identity for several workloads | NHI9
NHI10:2025 | People who act through an identity of a machine | NHI10
"""
_ASI = """
ASI01 | An agent's goal is turned to another | ASI1
ASI02 | Tools used for what they were not given for | ASI2
ASI03 | Identity and privilege inherited or misused | ASI3
ASI04 | Models, tools and servers of doubtful origin | ASI4
ASI05 | Code runs that nobody meant to run | ASI5
ASI06 | Memory or context made false | ASI6
ASI07 | Agents that talk without authenticating each other | ASI7
ASI08 | One failure that runs on through what it issued | ASI8
ASI09 | An approver's trust in an agent misused | ASI9
ASI10 | Agents beyond control, and how long until they stop |
"""
_CSF = """
GV.RR-02 | Roles, responsibilities and authority are set and known |
GV.PO-01 | Policy is set from context and strategy |
GV.PO-02 | Policy is reviewed, updated and enforced |
GV.OV-03 | Performance is measured and reviewed |
GV.SC-05 | Security duties are part of supplier agreements |
GV.SC-07 | Risks of suppliers are known and watched |
ID.AM-02 | Inventory of software, services and systems |
ID.AM-04 | Inventory of services that suppliers provide |
ID.AM-08 | Systems, services and data are managed over their life |
ID.RA-07 | Changes and exceptions are assessed, recorded and tracked |
PR.AA-01 | Identities and credentials of users, services and hardware are managed | PR.AC-1
PR.AA-02 | Identities are proofed and bound to credentials | PR.AC-6
PR.AA-03 | Users, services and hardware are authenticated | PR.AC-3 PR.AC-7
PR.AA-04 | Identity assertions are protected, conveyed and verified |
PR.AA-05 | Access rights follow policy, least privilege and separation of duties, and are reviewed | PR.AC-1 PR.AC-4
PR.AA-06 | Physical access is managed and watched | PR.AC-2
PR.PS-04 | Log records are made and available | PR.PT-1
PR.PS-06 | Secure development practices are used |
PR.DS-01 | Data at rest is protected |
PR.DS-02 | Data in transit is protected |
PR.DS-10 | Data in use is protected |
DE.CM-01 | Networks are watched |
DE.CM-03 | What people and technology do is watched |
DE.CM-06 | What providers do is watched |
DE.CM-09 | Hardware, software and runtime are watched |
DE.AE-02 | Suspicious events are analysed |
DE.AE-03 | Information of several sources is correlated |
DE.AE-06 | Information about events reaches those who need it |
RS.MA-01 | The response plan is carried out |
RS.MA-02 | Reports are triaged and validated |
RS.MA-03 | Incidents are categorised and prioritised |
RS.MA-04 | Incidents are escalated as needed |
RS.MA-05 | When to recover is decided by criteria |
RS.AN-03 | What happened and its root cause are established |
RS.AN-06 | Actions of the investigation are recorded, with integrity and provenance |
RS.AN-07 | Data of the incident is collected, with integrity and provenance |
RS.AN-08 | How large an incident is, is estimated and validated |
RS.MI-01 | Incidents are contained |
RS.MI-02 | Incidents are eradicated |
RC.RP-03 | Backups are checked before they are used |
"""
_SP800_53 = """
AC-2 | Accounts are managed from creation to end, with owners and reviews |
AC-2(1) | Account management is automated |
AC-2(3) | Accounts that are expired, idle or without owner are disabled in time |
AC-2(4) | Changes of accounts are recorded by machine |
AC-2(12) | Use of accounts out of the ordinary is watched |
AC-2(13) | Accounts of high risk are disabled |
AC-3 | Approved authorizations are enforced |
AC-6 | Least privilege |
AC-6(7) | Privileges are reviewed |
AC-6(9) | Use of privileged functions is recorded |
AC-12 | Sessions are ended |
AC-24 | Access decisions are made before access |
AC-24(1) | Decisions are conveyed to where they are enforced |
AU-2 | Which events are recorded |
AU-3 | What a record says: what, when, where, source, outcome, who |
AU-3(1) | Records say more where that is asked |
AU-5 | Failures of recording are noticed and answered |
AU-6 | Records are reviewed and reported |
AU-6(3) | Records of several stores are correlated |
AU-8 | Time stamps |
AU-9 | Records and tools of audit are protected |
AU-9(2) | Records are kept on another system |
AU-9(3) | Records are protected by cryptography |
AU-9(4) | Few may manage audit |
AU-9(5) | Two people for what could harm records |
AU-10 | Actions cannot be denied later |
AU-10(1) | The identity behind information is bound to it |
AU-10(2) | The binding of producer and information is checked |
AU-10(3) | Chain of custody of information and evidence |
AU-10(4) | Who reviewed is bound to what was reviewed |
AU-11 | Records are kept as long as they are needed |
AU-11(1) | Records stay readable over a long time |
AU-12 | Records are made by all that should make them |
AU-12(1) | One trail of the whole system, correlated in time |
AU-16 | Audit across organisations |
CA-7 | Continuous monitoring |
CM-3 | Changes are controlled and recorded |
CM-8 | Inventory of components |
IA-3 | Devices are identified and authenticated |
IA-4 | Identifiers are managed |
IA-4(4) | The status of an identifier is known |
IA-4(9) | Attributes of identifiers are kept and protected |
IA-5 | Authenticators are managed: issue, change, loss, end |
IA-5(2) | Authentication by public keys |
IA-5(7) | No static secret embedded in code or files |
IA-5(13) | Cached authenticators expire |
IA-9 | Services are identified and authenticated before they talk |
IA-13 | Identity providers and authorization servers |
IA-13(1) | Their keys are protected |
IA-13(2) | Assertions and tokens are verified |
IA-13(3) | Tokens are managed |
IR-4 | Incidents are handled |
IR-5 | Incidents are tracked |
IR-6 | Incidents are reported |
PM-5 | Inventory of systems |
PS-4 | Access of people ends when they leave |
SC-12 | Cryptographic keys are managed |
SC-17 | Certificates of public keys |
SC-23 | Sessions are authentic |
SI-4 | Systems are monitored |
SI-7 | Integrity of software and information |
SI-7(6) | Integrity is protected by cryptography |
SI-7(7) | Detection of changes is part of incident response |
SR-4 | Provenance |
"""
_SP800_63 = """
SP800-63C | Assertions: audience, replay, keys (written for people; no conformance is claimed) | 800-63C
"""
_AI_RMF = """
GOVERN 1.2 | Trustworthy AI is part of policies and processes |
GOVERN 1.4 | Risk management is set out openly |
GOVERN 1.5 | Monitoring and review are planned, with roles |
GOVERN 1.6 | Inventory of AI systems |
GOVERN 1.7 | AI systems are decommissioned safely |
GOVERN 2.1 | Roles and responsibilities are documented |
GOVERN 3.2 | Roles of people who oversee AI are set |
GOVERN 4.3 | Incidents are identified and told |
GOVERN 6.1 | Risks of third parties are covered by policy |
GOVERN 6.2 | Failures of third parties are planned for |
MAP 3.4 | Operators are able to use it well |
MAP 3.5 | Oversight by people is defined |
MAP 4.1 | Legal and third-party risks are mapped |
MAP 4.2 | Internal controls of components are identified |
MEASURE 2.4 | Behaviour in production is watched |
MEASURE 2.7 | Security and resilience are evaluated |
MEASURE 2.8 | Transparency and accountability are examined |
MEASURE 3.1 | Risks are tracked over time |
MANAGE 2.3 | Unknown risks are answered |
MANAGE 2.4 | A system can be disengaged or deactivated |
MANAGE 3.1 | Risks of third-party resources are watched |
MANAGE 4.1 | Monitoring after deployment |
MANAGE 4.3 | Incidents are told, tracked and recovered from |
"""
_SOC2 = """
CC3.4 | Changes that bear on internal control are assessed |
CC4.1 | Controls are evaluated |
CC5.2 | General controls over technology |
CC6.1 | Logical access protects what is protected |
CC6.2 | Access is registered and authorized before credentials are issued, and removed when not needed |
CC6.3 | Access follows roles, least privilege and separation of duties, and is changed and removed |
CC6.6 | Threats from outside of the boundary |
CC6.7 | Transmission and movement of information |
CC6.8 | Unauthorized software |
CC7.1 | Changes of configuration are detected |
CC7.2 | Anomalies are watched for |
CC7.3 | Events are evaluated |
CC7.4 | Incidents are responded to |
CC7.5 | Recovery from incidents |
CC8.1 | Changes are authorized, tested and approved |
"""
_ISO = """
A.5.9 | Inventory of information and other assets
A.5.15 | Access control
A.5.16 | Identities are managed over their life
A.5.17 | Authentication information is managed
A.5.18 | Access rights are given, reviewed, changed and removed
A.5.19 | Security in supplier relationships
A.5.20 | Security in supplier agreements
A.5.21 | Security in the supply chain
A.5.22 | Supplier services are watched and reviewed
A.5.23 | Security of cloud services
A.5.25 | Events are assessed
A.5.26 | Incidents are responded to
A.5.28 | Evidence is collected
A.5.33 | Records are protected
A.8.2 | Privileged access rights
A.8.3 | Access to information is restricted
A.8.4 | Access to source code
A.8.5 | Secure authentication
A.8.9 | Configuration is managed
A.8.15 | Logging
A.8.16 | Monitoring
A.8.17 | Clocks are synchronised
A.8.24 | Use of cryptography
"""
_PCI = """
7.2.5 | Accounts of systems and applications have least privilege
7.2.5.1 | Their access is reviewed periodically
8.2.2 | Shared accounts only by exception
8.6.1 | Interactive use of system and application accounts is exceptional, limited, approved, attributed
8.6.2 | No passwords of such accounts in scripts and files
8.6.3 | Their passwords and keys are changed periodically and on suspicion
10.2.1 | Audit logs are on for every component
10.2.1.2 | Administrative actions, interactive use of system accounts included, are logged
10.2.1.5 | Changes of credentials are logged
10.2.1.6 | Start, stop and pause of logging are logged
10.2.2 | A record has user, type, time, outcome, origin, object
10.3.1 | Few may read audit logs
10.3.2 | Audit logs cannot be modified
10.3.3 | Audit logs are copied elsewhere promptly
10.3.4 | Changes of audit logs are detected
10.4.1 | Audit logs are reviewed daily
10.4.1.1 | The review is automated
10.5.1 | Audit logs are kept twelve months
10.6.1 | Clocks are synchronised
10.7.2 | Failures of critical controls are detected and answered
"""


def _read(framework: Framework, table: str, prefix: str = "") -> list[Control]:
    found = []
    for line in table.strip().splitlines():
        name, title, *aliases = (cell.strip() for cell in line.split("|"))
        others = tuple(" ".join(aliases).split())
        bare = (name,) if prefix else ()
        found.append(Control(id=prefix + name, framework=framework, title=title, aliases=(*bare, *others)))
    return found


CATALOGUE: tuple[Control, ...] = (
    *_read(Framework.NHI, _NHI),
    *_read(Framework.ASI, _ASI),
    *_read(Framework.CSF, _CSF),
    *_read(Framework.SP800_53, _SP800_53),
    *_read(Framework.SP800_63, _SP800_63),
    *_read(Framework.AI_RMF, _AI_RMF),
    *_read(Framework.SOC2, _SOC2),
    *_read(Framework.ISO, _ISO, "ISO27001 "),
    *_read(Framework.PCI, _PCI, "PCI "),
)
"""Every control, in the order of the catalogues."""

CONTROLS: dict[str, Control] = {control.id: control for control in CATALOGUE}


def resolve(text: str) -> tuple[Control, ...]:
    """The controls that ``text`` names, in any case: by id, by another spelling, an id of CSF 1.1, or as a family.

    A control brings its parts along: ``AC-2`` is also ``AC-2(3)``, ``PCI 7.2.5`` also ``PCI 7.2.5.1``. The lower-case
    ids of OSCAL (``ac-2.3``) are read. UsageError, with the nearest names, where nothing has that name.
    """
    wanted = _folded(text)
    named = [control for control in CATALOGUE if wanted in map(_folded, (control.id, *control.aliases))]
    wide = {control.id for control in named}
    found = tuple(control for control in CATALOGUE if any(_within(control.id, each) for each in wide))
    if not found:
        raise UsageError("no such control", where="--control", found=text[:64], expected=_nearest(wanted))
    return found


def _within(name: str, wide: str) -> bool:
    return name == wide or name.startswith((f"{wide}(", f"{wide}."))


def _folded(text: str) -> str:
    """One spelling for comparison: no case, one blank, and enhancements in OSCAL's form as in the catalogue's."""
    folded = " ".join(text.upper().split())
    family, dot, number = folded.partition(".")
    if dot and number.isdecimal() and family[:2].isalpha() and family[2:3] == "-" and family[3:].isdecimal():
        return f"{family}({number})"
    return folded


def _nearest(wanted: str) -> str:
    known = {_folded(name): control.id for control in CATALOGUE for name in (control.id, *control.aliases)}
    near = difflib.get_close_matches(wanted[:64], known, n=4, cutoff=0.5)
    names = list(dict.fromkeys(known[name] for name in near))
    return f"a control such as {', '.join(names)}" if names else "an id of docs/controls.md, such as NHI7:2025 or AC-2"
