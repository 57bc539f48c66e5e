"""What the estate's workloads and people call day in, day out, and the few calls that stories turn on."""

import json
import urllib.parse

import msgspec

from tests.sample_estate.cloudtrail import Call, Fields, Session, moment, spelled
from tests.sample_estate.estate import FRANKFURT, MAIN, SECOND, VIRGINIA, Instance, Network, Role, User

SECRET = f"arn:aws:secretsmanager:{VIRGINIA}:{MAIN}:secret:orders/database-Kq3vTz"
KMS_KEY = f"arn:aws:kms:{VIRGINIA}:{MAIN}:key/5f0d1b7a-63c2-4a0e-9c58-2e7f4b9a1d30"
STACK = f"arn:aws:cloudformation:{FRANKFURT}:{SECOND}:stack/freight-portal"


def read(service: str, action: str, /, **params: object) -> Call:
    """A call that changes nothing."""
    return Call(service=service, action=action, params=params or None)


def write(service: str, action: str, response: Fields | None = None, /, **params: object) -> Call:
    """A call that changes something."""
    return Call(service=service, action=action, params=params or None, response=response, writes=True)


def denied(call: Call, who: str, why: str = "because no identity-based policy allows") -> Call:
    """The same call, refused: nothing came back, and the message says who asked for what."""
    action = f"{call.service}:{call.action}"
    message = f"User: {who} is not authorized to perform: {action} {why} the {action} action"
    return msgspec.structs.replace(call, error=("AccessDenied", message), response=None)


def bad_key(call: Call) -> Call:
    """The same call with a key that is not, or no longer, valid."""
    message = "The security token included in the request is invalid."
    return msgspec.structs.replace(call, error=("InvalidClientTokenId", message), response=None)


WHOAMI = read("sts", "GetCallerIdentity")
LIST_BUCKETS = read("s3", "ListBuckets", Host=f"s3.{VIRGINIA}.amazonaws.com")
GET_SECRET = read("secretsmanager", "GetSecretValue", secretId=SECRET)
DECRYPT = Call(
    service="kms",
    action="Decrypt",
    params={"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"SecretARN": SECRET}},
    extra={"resources": [{"accountId": MAIN, "type": "AWS::KMS::Key", "ARN": KMS_KEY}]},
)
HEALTH = read("health", "DescribeEventAggregates", aggregateField="eventTypeCategory")
DESCRIBE_INSTANCES = read("ec2", "DescribeInstances", instancesSet={}, filterSet={})

ORDERS: tuple[Call, ...] = (
    read("sqs", "GetQueueAttributes", queueUrl=f"https://sqs.{VIRGINIA}.amazonaws.com/{MAIN}/orders"),
    read("dynamodb", "DescribeTable", tableName="orders"),
    GET_SECRET,
    read("ssm", "GetParametersByPath", path="/orders-api/", recursive=True, withDecryption=False),
    read("elasticloadbalancing", "DescribeTargetHealth", targetGroupArn="targetgroup/orders/4be1c0d9"),
    write("ssm", "UpdateInstanceInformation", agentName="amazon-ssm-agent", agentVersion="3.3.1957.0"),
)
NODE: tuple[Call, ...] = (
    read("ec2", "DescribeInstances", instancesSet={}, filterSet={}),
    read("ecr", "GetAuthorizationToken"),
    read("ecr", "BatchGetImage", repositoryName="tracker", imageIds=[{"imageTag": "2026.9"}]),
    read("ec2", "DescribeNetworkInterfaces", networkInterfaceIdSet={}, filterSet={}),
)
WAREHOUSE: tuple[Call, ...] = (
    read("sqs", "GetQueueUrl", queueName="warehouse-events"),
    read("kinesis", "DescribeStreamSummary", streamName="warehouse"),
    read("ssm", "GetParameter", name="/warehouse/partners", withDecryption=False),
    read("dynamodb", "DescribeTable", tableName="stock"),
    write("ssm", "UpdateInstanceInformation", agentName="amazon-ssm-agent", agentVersion="3.3.1957.0"),
)
TRACKER: tuple[Call, ...] = (
    read("dynamodb", "DescribeTable", tableName="shipments"),
    read("sns", "GetTopicAttributes", topicArn=f"arn:aws:sns:{VIRGINIA}:{MAIN}:shipments"),
    read("kinesis", "ListShards", streamName="positions"),
)
FUNCTION: tuple[Call, ...] = (
    write("logs", "CreateLogStream", logGroupName="/aws/lambda/batch", logStreamName="2026/03/02/[$LATEST]"),
    read("ssm", "GetParameter", name="/functions/rates", withDecryption=False),
    read("sqs", "GetQueueAttributes", queueUrl="invoices"),
)
DEPLOY: tuple[Call, ...] = (
    WHOAMI,
    read("ecr", "GetAuthorizationToken"),
    write("ecr", "PutImage", repositoryName="freight-portal", imageTag="main"),
    read("ecs", "DescribeServices", cluster="portal", services=["freight-portal"]),
    write("ecs", "RegisterTaskDefinition", family="freight-portal", cpu="512", memory="1024"),
    write("ecs", "UpdateService", cluster="portal", service="freight-portal"),
)
ROLLOUT: tuple[Call, ...] = (
    read("cloudformation", "DescribeStacks", stackName="freight-portal"),
    write("cloudformation", "CreateChangeSet", {"stackId": STACK}, stackName="freight-portal", changeSetName="deploy"),
    write("cloudformation", "ExecuteChangeSet", stackName="freight-portal", changeSetName="deploy"),
    read("cloudformation", "DescribeStackEvents", stackName="freight-portal"),
)
PEOPLE: tuple[Call, ...] = (
    read("ec2", "DescribeInstances", instancesSet={}, filterSet={}, maxResults=50),
    read("cloudwatch", "DescribeAlarms", maxRecords=100),
    read("iam", "ListRoles", maxItems=100),
    read("ce", "GetCostAndUsage", granularity="DAILY", metrics=["UnblendedCost"]),
    read("rds", "DescribeDBInstances", maxRecords=100),
    read("logs", "DescribeLogGroups", limit=50),
)
REPORTS: tuple[Call, ...] = (
    LIST_BUCKETS,
    read("athena", "GetQueryExecution", queryExecutionId="0f5cbe0e-1b4c-4a6e-8b9a-5d2a86b3f7a1"),
    read("cloudwatch", "GetMetricData", maxDatapoints=500),
)


def allocate(network: Network) -> Call:
    """The network's elastic address is allocated."""
    response: Fields = {
        "publicIp": network.address,
        "allocationId": network.allocation,
        "domain": "vpc",
        "publicIpv4Pool": "amazon",
        "networkBorderGroup": network.region,
    }
    return write("ec2", "AllocateAddress", response, domain="vpc")


def nat_gateway(network: Network, time: int) -> Call:
    """The network's NAT gateway is created with that address."""
    gateway: Fields = {
        "natGatewayId": network.nat,
        "vpcId": network.vpc,
        "subnetId": network.public_subnet,
        "connectivityType": "public",
        "natGatewayAddressSet": {"item": {"isPrimary": True, "allocationId": network.allocation}},
        "createTime": moment(time).replace("Z", ".000Z"),
        "state": "pending",
    }
    request: Fields = {
        "ConnectivityType": "public",
        "AllocationId": network.allocation,
        "SubnetId": network.public_subnet,
    }
    response: Fields = {"CreateNatGatewayResponse": {"natGateway": gateway}}
    return write("ec2", "CreateNatGateway", response, CreateNatGatewayRequest=request)


def run_instance(instance: Instance, time: int) -> Call:
    """The instance starts in its network, without a public address of its own."""
    network = instance.network
    place: Fields = {
        "subnetId": network.private_subnet,
        "vpcId": network.vpc,
        "privateIpAddress": instance.private_address,
    }
    item: Fields = {
        "instanceId": instance.id,
        "imageId": "ami-0c9e7d51f0a3b2468",
        "instanceState": {"code": 0, "name": "pending"},
        "instanceType": "m7g.large",
        "launchTime": time * 1000,
        "placement": {"availabilityZone": f"{network.region}a", "tenancy": "default"},
        **place,
        "networkInterfaceSet": {"items": [place]},
        "iamInstanceProfile": {"arn": f"arn:aws:iam::{network.account}:instance-profile/{instance.role.name}"},
    }
    response: Fields = {"ownerId": network.account, "groupSet": {}, "instancesSet": {"items": [item]}}
    asked: Fields = {"items": [{"imageId": "ami-0c9e7d51f0a3b2468", "minCount": 1, "maxCount": 1}]}
    profile: Fields = {"name": instance.role.name}
    return write("ec2", "RunInstances", response, instancesSet=asked, iamInstanceProfile=profile)


def terminate(instance: Instance) -> Call:
    """The instance is told to end."""
    state: Fields = {
        "instanceId": instance.id,
        "currentState": {"code": 32, "name": "shutting-down"},
        "previousState": {"code": 16, "name": "running"},
    }
    asked: Fields = {"items": [{"instanceId": instance.id}]}
    return write("ec2", "TerminateInstances", {"instancesSet": {"items": [state]}}, instancesSet=asked)


def create_role(role: Role, trusted: Fields, time: int) -> Call:
    """The role is made, with a trust policy that lets ``trusted`` assume it."""
    trust = _trust(trusted)
    made: Fields = {
        "path": role.path,
        "roleName": role.name,
        "roleId": role.id,
        "arn": role.arn,
        "createDate": spelled(time, comma=False),
        "assumeRolePolicyDocument": urllib.parse.quote(trust, safe=""),
    }
    return write("iam", "CreateRole", {"role": made}, roleName=role.name, assumeRolePolicyDocument=trust)


def trust_role(role: Role, trusted: Fields) -> Call:
    """The role's trust policy is replaced."""
    return write("iam", "UpdateAssumeRolePolicy", roleName=role.name, policyDocument=_trust(trusted))


def create_user(user: User, time: int) -> Call:
    """The user is made."""
    made: Fields = {
        "path": "/",
        "userName": user.name,
        "userId": user.id,
        "arn": user.arn,
        "createDate": spelled(time, comma=False),
    }
    return write("iam", "CreateUser", {"user": made}, userName=user.name)


def revoke_older(role: Role, cutoff: int) -> Call:
    """Every session of the role that was issued before ``cutoff`` is denied everything."""
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": ["*"],
                "Resource": ["*"],
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": moment(cutoff).replace("Z", ".000Z")}},
            }
        ],
    }
    return write(
        "iam",
        "PutRolePolicy",
        roleName=role.name,
        policyName="AWSRevokeOlderSessions",
        policyDocument=json.dumps(document),
    )


def login(outcome: str) -> Call:
    """A console login, with the outcome that its record gives (``Success`` or ``Failure``)."""
    extra: Fields = {
        "additionalEventData": {"LoginTo": "https://console.aws.amazon.com/", "MobileVersion": "No", "MFAUsed": "Yes"}
    }
    return Call(
        service="signin",
        action="ConsoleLogin",
        response={"ConsoleLogin": outcome},
        writes=True,
        kind="AwsConsoleSignIn",
        extra=extra,
        error=None if outcome == "Success" else ("", "Failed authentication"),
    )


def pod_identity(cluster: str) -> Call:
    """A node asks for a pod's credentials; the record shows neither the pod nor the key."""
    params: Fields = {"clusterName": cluster, "token": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    return Call(service="eks-auth", action="AssumeRoleForPodIdentity", params=params)


def refused_everywhere(call: Call, session: Session) -> Call:
    """The same call, refused by the deny that ``revoke_older`` put on the session's role."""
    return denied(call, session.arn, "with an explicit deny in an identity-based policy for")


def _trust(trusted: Fields) -> str:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusted}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
