"""EC2 calls that make what explains where calls come from: networks, instances, addresses."""

from custody.simulation.systems.aws import Call, Fields, on, write
from custody.simulation.times import seconds
from custody.simulation.world import REGION, Instance, Network

IMAGE = "ami-0c9e7d51f0a3b2468"


def allocate(network: Network) -> Call:
    """The network's elastic address is allocated."""
    response: Fields = {
        "publicIp": network.address,
        "allocationId": network.allocation,
        "domain": "vpc",
        "publicIpv4Pool": "amazon",
        "networkBorderGroup": REGION,
    }
    return on(write("ec2", "AllocateAddress", response, domain="vpc"), network.allocation)


def nat_gateway(network: Network, time: int) -> Call:
    """The network's NAT gateway is created with that address."""
    gateway: Fields = {
        "natGatewayId": network.nat,
        "vpcId": network.vpc,
        "subnetId": network.subnet,
        "connectivityType": "public",
        "natGatewayAddressSet": {"item": {"isPrimary": True, "allocationId": network.allocation}},
        "createTime": seconds(time).replace("Z", ".000Z"),
        "state": "pending",
    }
    request: Fields = {
        "ConnectivityType": "public",
        "AllocationId": network.allocation,
        "SubnetId": network.subnet,
    }
    made: Fields = {"CreateNatGatewayResponse": {"natGateway": gateway}}
    return on(write("ec2", "CreateNatGateway", made, CreateNatGatewayRequest=request), network.nat)


def run_instance(instance: Instance, time: int) -> Call:
    """The instance starts in its network, without a public address of its own."""
    network = instance.network
    place: Fields = {"subnetId": network.subnet, "vpcId": network.vpc, "privateIpAddress": instance.private}
    item: Fields = {
        "instanceId": instance.id,
        "imageId": IMAGE,
        "instanceState": {"code": 0, "name": "pending"},
        "instanceType": "m7g.large",
        "launchTime": time // 1000,
        "placement": {"availabilityZone": f"{REGION}a", "tenancy": "default"},
        **place,
        "networkInterfaceSet": {"items": [{**place, "networkInterfaceId": instance.interface}]},
        "iamInstanceProfile": {"arn": f"arn:aws:iam::{network.account}:instance-profile/{instance.role.name}"},
    }
    response: Fields = {"ownerId": network.account, "groupSet": {}, "instancesSet": {"items": [item]}}
    asked: Fields = {"items": [{"imageId": IMAGE, "minCount": 1, "maxCount": 1}]}
    profile: Fields = {"name": instance.role.name}
    return on(write("ec2", "RunInstances", response, instancesSet=asked, iamInstanceProfile=profile), instance.id)


def terminate(instance: Instance) -> Call:
    """The instance is told to end."""
    state: Fields = {
        "instanceId": instance.id,
        "currentState": {"code": 32, "name": "shutting-down"},
        "previousState": {"code": 16, "name": "running"},
    }
    asked: Fields = {"items": [{"instanceId": instance.id}]}
    return on(write("ec2", "TerminateInstances", {"instancesSet": {"items": [state]}}, instancesSet=asked), instance.id)
