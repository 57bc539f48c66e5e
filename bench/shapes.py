"""The calls of the benchmark's log as JSON text: what is asked and answered, with a place for one varying id."""

from __future__ import annotations

from typing import NamedTuple

from world import ACCOUNT, REGION, User, World, spelled

TLS = (
    ',"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256",'
    '"clientProvidedHostHeader":"%s.us-east-1.amazonaws.com"}'
)
KMS_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/5f0d1b7a-63c2-4a0e-9c58-2e7f4b9a1d30"
INLINE = '{\\"Version\\":\\"2012-10-17\\",\\"Statement\\":[{\\"Effect\\":\\"Allow\\",\\"Action\\":\\"sqs:*\\"}]}'
RESTRICT = "".join(
    f'{{\\"Effect\\":\\"Allow\\",\\"Action\\":[\\"ec2:{action}\\"],\\"Resource\\":\\"*\\"}},'
    for action in ("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeSubnets", "DescribeVpcs")
)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0"


class Kind(NamedTuple):
    """One kind of call: ``params`` has one ``%s`` for a varying id, ``more`` are members after readOnly."""

    service: str
    action: str
    params: str
    writes: bool = False
    response: str = "null"
    more: str = ""


def _kms(params: str) -> str:
    return f'"resources":[{{"accountId":"{ACCOUNT}","type":"AWS::KMS::Key","ARN":"{KMS_KEY}"}}],' + params


FILTERS = (
    '{"maxResults":500,"filterSet":{"items":[{"name":"vpc-id","valueSet":{"items":[{"value":"vpc-0%s"}]}},'
    '{"name":"instance-state-name","valueSet":{"items":[{"value":"pending"},{"value":"running"},{"value":"stopping"}]}},'
    '{"name":"tag:aws:autoscaling:groupName","valueSet":{"items":[{"value":"eks-prod-general-purpose-nodes"}]}},'
    '{"name":"tag:kubernetes.io/cluster/prod","valueSet":{"items":[{"value":"owned"}]}},'
    '{"name":"tag:aws:cloudformation:stack-name","valueSet":{"items":[{"value":"prod-network-baseline"}]}},'
    '{"name":"availability-zone","valueSet":{"items":[{"value":"us-east-1a"},{"value":"us-east-1b"},'
    '{"value":"us-east-1c"}]}}]}}'
)
ATTACH = (
    '{"subnetId":"subnet-04e5b7c1d92a03f6e","description":"aws-K8S-%s","groupSet":{"items":[{"groupId":'
    '"sg-01f7a9c3e5b2d4860"}]},"privateIpAddressesSet":{},"tagSpecificationSet":{"items":[{"resourceType":'
    '"network-interface","tags":[{"key":"cluster.k8s.amazonaws.com/name","value":"prod"},{"key":'
    '"node.k8s.amazonaws.com/instance_id","value":"i-0"},{"key":"node.k8s.amazonaws.com/createdAt","value":'
    '"2026-01-01T00:00:00Z"}]}]},"clientToken":"0c9f1a55-4f4e-4c83-8a0e-6fb7a2c3d411"}'
)
INTERFACE = (
    '{"networkInterface":{"networkInterfaceId":"eni-09c2e41d07b35fa88","subnetId":"subnet-04e5b7c1d92a03f6e",'
    '"vpcId":"vpc-0d1c3b5a79e8f6420","availabilityZone":"us-east-1a","description":"aws-K8S","requesterManaged":false,'
    '"ownerId":"111122223333","status":"pending","macAddress":"0a:ff:d1:72:3c:55","privateIpAddress":"10.0.3.77",'
    '"sourceDestCheck":true,"interfaceType":"interface","groupSet":{"items":[{"groupId":"sg-01f7a9c3e5b2d4860",'
    '"groupName":"eks-cluster-sg-prod"}]},"privateIpAddressesSet":{"item":[{"privateIpAddress":"10.0.3.77",'
    '"primary":true}]},"ipv6AddressesSet":{},"tagSet":{"items":[{"key":"cluster.k8s.amazonaws.com/name","value":"prod"}]}}}'
)
LISTED = '{"nextToken":"%s","maxRecords":100,"includeShared":false}'
CALLS = (
    Kind("ec2", "DescribeInstances", FILTERS),
    Kind("ec2", "DescribeNetworkInterfaces", FILTERS),
    Kind("rds", "DescribeDBInstances", LISTED),
    Kind("ssm", "GetParameter", '{"name":"/services/%s/settings","withDecryption":true}'),
    Kind("dynamodb", "DescribeTable", '{"tableName":"orders-%s"}'),
    Kind("sqs", "GetQueueAttributes", '{"queueUrl":"https://sqs.us-east-1.amazonaws.com/111122223333/jobs-%s"}'),
    Kind("logs", "CreateLogStream", '{"logGroupName":"/aws/jobs","logStreamName":"2026/[$LATEST]%s"}', writes=True),
    Kind("ecr", "BatchGetImage", '{"repositoryName":"portal","imageIds":[{"imageDigest":"sha256:%s"}]}'),
    Kind(
        "secretsmanager", "GetSecretValue", f'{{"secretId":"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:db-%s"}}'
    ),
    Kind("sts", "GetCallerIdentity", "null"),
)
SERVICES = (
    Kind(
        "kms", "GenerateDataKey", '{"keySpec":"AES_256","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::logs/%s"}}'
    )._replace(more=_kms('"sharedEventID":"%s",')),
    Kind("s3", "GetBucketAcl", '{"bucketName":"trail-%s","Host":"trail.s3.us-east-1.amazonaws.com","acl":""}')._replace(
        more='"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"ECDHE-RSA-AES128-GCM-SHA256",'
        '"bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"%s","bytesTransferredOut":568},"resources":[{"accountId":"111122223333","type":"AWS::S3::Bucket",'
        '"ARN":"arn:aws:s3:::tarnholm-trail"}],"vpcEndpointId":"vpce-08a1c5e7d3b9f2046",'
    ),
    Kind("ec2", "CreateNetworkInterface", ATTACH, writes=True, response=INTERFACE),
    Kind("ec2", "DescribeInstances", FILTERS),
)
DOERS = ("cloudtrail", "autoscaling", "eks", "config", "lambda", "elasticloadbalancing")
GRANTS = (
    Kind(
        "iam",
        "PutRolePolicy",
        f'{{"roleName":"job-%s","policyName":"inline","policyDocument":"{INLINE}"}}',
        writes=True,
    ),
    Kind("iam", "AttachRolePolicy", '{"roleName":"job-%s","policyArn":"arn:aws:iam::aws:policy/Read"}', writes=True),
    Kind("iam", "UpdateAssumeRolePolicy", f'{{"roleName":"job-%s","policyDocument":"{INLINE}"}}', writes=True),
    Kind("iam", "DeleteRole", '{"roleName":"job-%s"}', writes=True),
)
DECRYPT = Kind(
    "kms",
    "Decrypt",
    f'{{"encryptionContext":{{"SecretARN":"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:db-%s"}},'
    '"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}',
    more=_kms(""),
)
DENIED = (
    '"errorCode":"AccessDenied","errorMessage":"User is not authorized to perform: %s:%s because no policy allows it",'
)


FROM_CONSOLE = ',"sessionCredentialFromConsole":"true"'
TAGS = (
    f',"tags":[{{"key":"eks-cluster-arn","value":"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/prod"}},'
    '{"key":"eks-cluster-name","value":"prod"},{"key":"kubernetes-namespace","value":"jobs"},'
    '{"key":"kubernetes-service-account","value":"worker"},{"key":"kubernetes-pod-name","value":"worker-0"},'
    '{"key":"kubernetes-pod-uid","value":"0f6a4c1e-7d0b-4b52-8c1a-6f0e3a9d2b11"}]'
)
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
SUBJECT = "repo:tarnholm/freight-portal:environment:production"
WEB = (
    f'{{"type":"WebIdentityUser","principalId":"{PROVIDER}:sts.amazonaws.com:{SUBJECT}","userName":"{SUBJECT}",'
    f'"identityProvider":"{PROVIDER}"'
)


def created_key(user: User, time: int) -> Kind:
    made = f'"accessKeyId":"{user.key}","status":"Active","userName":"{user.name}","createDate":"{spelled(time)}"'
    params = f'{{"userName":"{user.name}"}}'
    return Kind("iam", "CreateAccessKey", params, True, f'{{"accessKey":{{{made}}}}}')


def network(world: World, kind: str, number: int) -> Kind:
    """An elastic address is allocated, or the gateway that it stands for is created."""
    allocation = f"eipalloc-{world.name('address', number)}"
    if kind == "address":
        made = f'{{"publicIp":"{world.networks[number]}","domain":"vpc","allocationId":"{allocation}"}}'
        return Kind("ec2", "AllocateAddress", '{"domain":"vpc"}', True, made)
    request = f'{{"CreateNatGatewayRequest":{{"AllocationId":"{allocation}","ConnectivityType":"public"}}}}'
    made = (
        f'{{"CreateNatGatewayResponse":{{"natGateway":{{"natGatewayId":"nat-{world.name("nat", number)}",'
        f'"vpcId":"vpc-{world.name("vpc", number)}","natGatewayAddressSet":{{"item":{{"allocationId":'
        f'"{allocation}"}}}},"state":"pending"}}}}}}'
    )
    return Kind("ec2", "CreateNatGateway", request, True, made)


def launch(world: World, number: int, time: int) -> Kind:
    place = f'"vpcId":"vpc-{world.name("vpc", number % 8)}","privateIpAddress":"10.0.{number % 8}.{10 + number % 200}"'
    made = (
        f'{{"instancesSet":{{"items":[{{"instanceId":"i-{world.name("i", number)}","launchTime":{time}000,{place},'
        f'"instanceState":{{"code":0,"name":"pending"}},"networkInterfaceSet":{{"items":[{{{place}}}]}}}}]}}}}'
    )
    params = (
        f'{{"instancesSet":{{"items":[{{"minCount":1,"maxCount":1}}]}},"iamInstanceProfile":{{"name":"{number % 8}"}}}}'
    )
    return Kind("ec2", "RunInstances", params, True, made)


def terminate(world: World, number: int) -> Kind:
    items = f'{{"instancesSet":{{"items":[{{"instanceId":"i-{world.name("i", number)}"}}]}}}}'
    return Kind("ec2", "TerminateInstances", items, True, items)
