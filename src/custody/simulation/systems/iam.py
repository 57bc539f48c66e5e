"""The answer of ``get-account-authorization-details`` for each account: who may do what, as the day ends.

Log format: "GetAccountAuthorizationDetails", AWS IAM API Reference, as the command line prints it. Every role may do
what its lives do and no more; the deployment's role names the subjects of the workflows that take it on, exactly.
"""

from collections.abc import Iterator

from custody.simulation.chance import Chance
from custody.simulation.entry import IAM_DETAILS, encoded
from custody.simulation.estate import Estate
from custody.simulation.piece import Piece
from custody.simulation.times import HOUR, START, seconds
from custody.simulation.world import GITHUB_PROVIDER, MAIN, SECOND, Role, User, Workload, unique_id

Fields = dict[str, object]

MADE = START - 90 * 24 * HOUR
_HOST = GITHUB_PROVIDER.partition(":oidc-provider/")[2]
SERVICES = {"instance": "ec2", "function": "lambda", "pod-identity": "pods.eks", "agent": "lambda"}
ACTIONS: dict[str, tuple[str, ...]] = {
    "instance": (
        "sqs:GetQueueAttributes", "dynamodb:DescribeTable", "ssm:GetParametersByPath", "ssm:UpdateInstanceInformation",
    ),
    "function": ("ssm:GetParameter", "sqs:GetQueueAttributes"),
    "pod-identity": ("dynamodb:DescribeTable", "sns:GetTopicAttributes", "kinesis:ListShards"),
    "agent": ("ec2:DescribeInstances", "cloudwatch:DescribeAlarms", "logs:DescribeLogGroups", "ecs:UpdateService"),
    "eks-node": ("ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "ecr:GetAuthorizationToken"),
    "github-deploy": ("ecr:GetAuthorizationToken", "ecr:PutImage", "ecs:DescribeServices"),
    "release": (
        "cloudformation:DescribeStacks", "cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet",
        "cloudformation:DescribeStackEvents",
    ),
    "AWSServiceRoleForConfig": ("ec2:DescribeInstances", "s3:GetBucketAcl"),
}  # fmt: skip
"""What the lives of each kind, or of a role by its name, do."""
ASKS_WHO = ("sts:GetCallerIdentity",)
"""What a role may do that nothing was planned for."""


def lists(estate: Estate) -> Iterator[Piece]:
    """One file an account; the records in it are counted."""
    for account in (MAIN, SECOND):
        roles = [_role(estate, each) for _, each in sorted(estate.world.roles.items()) if each.account == account]
        users = [_user(estate, each) for _, each in sorted(estate.world.users.items()) if each.account == account]
        policies = [_release_policy()] if account == MAIN else []
        estate.book.records[IAM_DETAILS] += len(roles) + len(users) + len(policies)
        answer = {"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": roles, "Policies": policies}
        yield Piece(f"aws/iam/{account}/account-authorization-details.json", encoded(answer) + b"\n")


def _document(*statements: Fields) -> Fields:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def document(allows: tuple[str, ...], refuses: tuple[str, ...] = ()) -> Fields:
    """The text of a policy that allows and refuses some actions on everything."""
    pairs = (("Allow", allows), ("Deny", refuses))
    statements: list[Fields] = [
        {"Effect": effect, "Action": list(actions), "Resource": "*"} for effect, actions in pairs if actions
    ]
    return _document(*statements)


def _role(estate: Estate, role: Role) -> Fields:
    every = (*estate.world.workloads, *estate.planted)
    workload = next((each for each in every if each.name == role.name), None)
    actions = ACTIONS.get(workload.kind if workload else role.name, ASKS_WHO)
    managed = role.name == "release" and role.account == MAIN
    attached = [{"PolicyName": "release-changes", "PolicyArn": _policy_arn()}] if managed else []
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": seconds(MADE),
        "AssumeRolePolicyDocument": _trust(estate, role, workload),
        "InstanceProfileList": [],
        "RolePolicyList": [] if managed else [{"PolicyName": "work", "PolicyDocument": document(actions)}],
        "AttachedManagedPolicies": attached,
        "Tags": [],
    }


def _trust(estate: Estate, role: Role, workload: Workload | None) -> Fields:
    if role.name == "github-deploy":
        subjects = [f"repo:{each.repository}:environment:production" for each in _deploying(estate)]
        told = {f"{_HOST}:aud": "sts.amazonaws.com", f"{_HOST}:sub": subjects}
        principal: Fields = {"Federated": GITHUB_PROVIDER}
        action, more = "sts:AssumeRoleWithWebIdentity", {"Condition": {"StringEquals": told}}
    elif role.name == "release":
        principal = {"AWS": f"arn:aws:iam::{MAIN}:role/github-deploy"}
        action, more = "sts:AssumeRole", {}
    else:
        service = SERVICES.get(workload.kind, "ec2") if workload else "config" if role.path != "/" else "ec2"
        principal = {"Service": f"{service}.amazonaws.com"}
        action, more = "sts:AssumeRole", {}
    return _document({"Effect": "Allow", "Principal": principal, "Action": action, **more})


def _deploying(estate: Estate) -> list[Workload]:
    return [each for each in (*estate.world.workloads, *estate.planted) if each.kind == "deploy"]


def _user(estate: Estate, user: User) -> Fields:
    mine = [each for each in estate.book.grants if each.principal == user.key]
    held = [each for each in mine if each.until is None]
    inline = {each.what: document(each.allows, each.refuses) for each in held if each.kind == "inline"}
    attached = [each.what for each in held if each.kind == "managed"]
    limit = next((each.what for each in held if each.kind == "boundary"), None)
    bounded: Fields = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": limit}
    work = {} if mine else {"work": document(("s3:GetObject", "s3:ListBucket"))}
    return {
        "Path": "/",
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": seconds(MADE),
        "UserPolicyList": [{"PolicyName": name, "PolicyDocument": text} for name, text in (inline | work).items()],
        "GroupList": [],
        "AttachedManagedPolicies": [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in attached],
        **({"PermissionsBoundary": bounded} if limit else {}),
        "Tags": [],
    }


def _policy_arn() -> str:
    return f"arn:aws:iam::{MAIN}:policy/release-changes"


def _release_policy() -> Fields:
    version = {
        "Document": document(ACTIONS["release"]),
        "VersionId": "v1",
        "IsDefaultVersion": True,
        "CreateDate": seconds(MADE),
    }
    return {
        "PolicyName": "release-changes",
        "PolicyId": unique_id(Chance("policy", "release-changes"), "ANPA", MAIN),
        "Arn": _policy_arn(),
        "Path": "/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 1,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": seconds(MADE),
        "UpdateDate": seconds(MADE),
        "PolicyVersionList": [version],
    }
