# ruff: noqa: N815 - fields have the names that they have in the log
"""Successful EC2 and Lambda calls that start or end runs, addresses and gateways.

They are what explains the origins of a workload's calls: an instance's own addresses, the elastic addresses that were
allocated, and the NAT gateways of its network.
"""

import re
from collections.abc import Iterator

import msgspec

from custody.model import keys
from custody.model.events import Part, Stage
from custody.sources.aws_cloudtrail import principals
from custody.sources.aws_cloudtrail.call import Call
from custody.sources.aws_cloudtrail.records import first, listed

_API_DATE = re.compile(r"20[0-9]{6}(?:v[0-9]+)?$")


class Association(msgspec.Struct, frozen=True, gc=False):
    """The public address of a network interface."""

    publicIp: str | None = None


class PrivateAddress(msgspec.Struct, frozen=True, gc=False):
    """One private address of a network interface."""

    privateIpAddress: str | None = None
    association: Association | None = None


class PrivateAddresses(msgspec.Struct, frozen=True, gc=False):
    """A list of addresses, under either of its two names."""

    item: list[PrivateAddress] | PrivateAddress | str | None = None
    items: list[PrivateAddress] | PrivateAddress | str | None = None


class Interface(msgspec.Struct, frozen=True, gc=False):
    """A network interface of an instance."""

    privateIpAddress: str | None = None
    association: Association | None = None
    privateIpAddressesSet: PrivateAddresses | None = None


class Interfaces(msgspec.Struct, frozen=True, gc=False):
    """A list of network interfaces."""

    items: list[Interface] | Interface | str | None = None


class Instance(msgspec.Struct, frozen=True, gc=False):
    """An instance in a request or response."""

    instanceId: str | None = None
    vpcId: str | None = None
    privateIpAddress: str | None = None
    ipAddress: str | None = None
    publicIpAddress: str | None = None
    networkInterfaceSet: Interfaces | None = None


class Instances(msgspec.Struct, frozen=True, gc=False):
    """A list of instances."""

    items: list[Instance] | Instance | str | None = None


class Several(msgspec.Struct, frozen=True, gc=False):
    """A request or response about instances."""

    instancesSet: Instances | None = None


class Address(msgspec.Struct, frozen=True, gc=False):
    """A request or response about an elastic address."""

    allocationId: str | None = None
    publicIp: str | None = None
    instanceId: str | None = None
    associationId: str | None = None


class GatewayAddress(msgspec.Struct, frozen=True, gc=False):
    """An address of a NAT gateway."""

    allocationId: str | None = None
    publicIp: str | None = None


class GatewayAddresses(msgspec.Struct, frozen=True, gc=False):
    """The addresses of a NAT gateway: the service writes one without its array."""

    item: list[GatewayAddress] | GatewayAddress | str | None = None


class Gateway(msgspec.Struct, frozen=True, gc=False):
    """A NAT gateway."""

    natGatewayId: str | None = None
    vpcId: str | None = None
    natGatewayAddressSet: GatewayAddresses | None = None


class Created(msgspec.Struct, frozen=True, gc=False):
    """The inner element of a CreateNatGateway response."""

    natGateway: Gateway | None = None


class Deleted(msgspec.Struct, frozen=True, gc=False):
    """The inner element of a DeleteNatGateway request (capital) or response."""

    NatGatewayId: str | None = None
    natGatewayId: str | None = None


class GatewayMessage(msgspec.Struct, frozen=True, gc=False):
    """A request or response about a NAT gateway."""

    CreateNatGatewayResponse: Created | None = None
    DeleteNatGatewayRequest: Deleted | None = None
    DeleteNatGatewayResponse: Deleted | None = None


class Function(msgspec.Struct, frozen=True, gc=False):
    """A request or response about a Lambda function."""

    functionName: str | None = None
    functionArn: str | None = None
    role: str | None = None
    qualifier: str | None = None


_SEVERAL = msgspec.json.Decoder(Several)
_ADDRESS = msgspec.json.Decoder(Address)
_GATEWAY = msgspec.json.Decoder(GatewayMessage)
_FUNCTION = msgspec.json.Decoder(Function)


def parts(call: Call) -> tuple[Part, ...]:
    """What a successful call started or ended; nothing for the calls that only look."""
    if call.record.eventSource == "lambda.amazonaws.com":
        return _functions(call)
    match call.record.eventName:
        case "RunInstances":
            return tuple(_run(call))
        case "TerminateInstances":
            return _each_instance(call, Stage.END, "instance.terminate")
        case "StopInstances":
            return _each_instance(call, Stage.CHANGE, "instance.stop")
        case "StartInstances":
            return _each_instance(call, Stage.CHANGE, "instance.start")
        case "AllocateAddress" | "ReleaseAddress" | "AssociateAddress" | "DisassociateAddress":
            return _address(call)
        case "CreateNatGateway":
            return tuple(_gateway_made(call))
        case "DeleteNatGateway":
            return _gateway_ended(call)
    return ()


def _instances(message: Several | None) -> list[Instance]:
    found = listed(message.instancesSet.items) if message and message.instancesSet else []
    return [instance for instance in found if instance.instanceId]


def _run(call: Call) -> Iterator[Part]:
    """One part for each address that an instance starts with, one without where none is told."""
    for instance in _instances(call.response(_SEVERAL)):
        key = f"aws_instance:{call.account}:{instance.instanceId}"
        for address in tuple(dict.fromkeys(filter(None, _addresses(instance)))) or (None,):
            yield Part(stage=Stage.START, key=key, effect="instance.run", object=address, related=instance.vpcId)


def _addresses(instance: Instance) -> Iterator[str | None]:
    yield from (instance.privateIpAddress, instance.ipAddress, instance.publicIpAddress)
    for interface in listed(instance.networkInterfaceSet.items) if instance.networkInterfaceSet else []:
        yield interface.privateIpAddress
        yield interface.association.publicIp if interface.association else None
        more = interface.privateIpAddressesSet or PrivateAddresses()
        for private in (*listed(more.item), *listed(more.items)):
            yield private.privateIpAddress
            yield private.association.publicIp if private.association else None


def _each_instance(call: Call, stage: Stage, effect: str) -> tuple[Part, ...]:
    """One part an instance: as answered, else as asked."""
    instances = _instances(call.response(_SEVERAL)) or _instances(call.request(_SEVERAL))
    ids = dict.fromkeys(instance.instanceId for instance in instances)
    return tuple(Part(stage=stage, key=f"aws_instance:{call.account}:{one}", effect=effect, object=one) for one in ids)


def _address(call: Call) -> tuple[Part, ...]:
    asked, answered = call.request(_ADDRESS) or Address(), call.response(_ADDRESS) or Address()
    allocation = first((answered.allocationId, asked.allocationId))
    public = first((answered.publicIp, asked.publicIp))
    association = first((answered.associationId, asked.associationId))
    key = f"aws_address:{call.account}:{allocation}" if allocation else None
    match call.record.eventName:
        case "AllocateAddress":
            return (Part(stage=Stage.START, key=key, effect="address.allocate", object=public),)
        case "ReleaseAddress":
            return (Part(stage=Stage.END, key=key, effect="address.release", object=public or allocation),)
        case "AssociateAddress":
            instance = f"aws_instance:{call.account}:{asked.instanceId}" if asked.instanceId else key
            effect = "address.associate"
            thing = public or allocation
            return (Part(stage=Stage.START, key=instance, effect=effect, object=thing, related=association),)
    return (Part(stage=Stage.END, key=key, effect="address.disassociate", object=public, related=association),)


def _gateway_made(call: Call) -> Iterator[Part]:
    message = call.response(_GATEWAY)
    made = message.CreateNatGatewayResponse if message else None
    gateway = made.natGateway if made else None
    if gateway is None or not gateway.natGatewayId:
        return
    key = f"aws_nat:{call.account}:{gateway.natGatewayId}"
    addresses = listed(gateway.natGatewayAddressSet.item) if gateway.natGatewayAddressSet else []
    for address in addresses or [GatewayAddress()]:
        thing = address.allocationId or address.publicIp
        yield Part(stage=Stage.START, key=key, effect="nat.create", object=thing, related=gateway.vpcId)


def _gateway_ended(call: Call) -> tuple[Part, ...]:
    asked, answered = call.request(_GATEWAY) or GatewayMessage(), call.response(_GATEWAY) or GatewayMessage()
    inner = (answered.DeleteNatGatewayResponse or Deleted(), asked.DeleteNatGatewayRequest or Deleted())
    gateway = first(name for one in inner for name in (one.natGatewayId, one.NatGatewayId))
    if gateway is None:
        return ()
    return (Part(stage=Stage.END, key=f"aws_nat:{call.account}:{gateway}", effect="nat.delete", object=gateway),)


def _functions(call: Call) -> tuple[Part, ...]:
    """Lambda writes its API's date behind the name: ``CreateFunction20150331``."""
    name = _API_DATE.sub("", call.record.eventName)
    if name not in ("CreateFunction", "DeleteFunction"):
        return ()
    asked, answered = call.request(_FUNCTION) or Function(), call.response(_FUNCTION) or Function()
    arn = _function_arn(call, first((answered.functionArn, asked.functionName)))
    if arn is None or asked.qualifier:
        return ()
    if name == "CreateFunction":
        role = answered.role or asked.role
        return (Part(stage=Stage.START, key=keys.aws_arn(arn), effect="function.create", object=arn, related=role),)
    return (Part(stage=Stage.END, key=keys.aws_arn(arn), effect="function.delete", object=arn),)


def _function_arn(call: Call, named: str | None) -> str | None:
    """The function's ARN without version, from its ARN, its partial ARN (``account:function:name``) or its name."""
    if not named:
        return None
    parts = named.split(":")
    name = parts[6] if len(parts) > 6 else parts[2] if len(parts) > 2 and parts[1] == "function" else parts[0]
    region, account = call.record.awsRegion or "", call.account
    if len(parts) > 6:
        region, account = parts[3], parts[4]
    return f"arn:{principals.partition(region)}:lambda:{region}:{account}:function:{name}"
