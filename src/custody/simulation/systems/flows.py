"""Rows of VPC flow logs in a custom format: "Flow log records", Amazon VPC User Guide."""

from custody.simulation.chance import Chance
from custody.simulation.entry import FLOW, Entry
from custody.simulation.estate import Estate
from custody.simulation.times import SECOND
from custody.simulation.world import REGION, Instance


def say(estate: Estate, chance: Chance, instance: Instance, time: int, to: str, port: int) -> None:
    """One flow of an instance to an address; a row tells of up to a minute."""
    start, account = time // SECOND, instance.role.account
    sent, packets = chance.between(40, 90) * 1000, chance.between(20, 60)
    values = (
        5, account, instance.interface, instance.id, instance.private, to, chance.between(32_768, 60_999), port, 6,
        packets, sent, start, start + chance.between(10, 59), "ACCEPT", "OK", instance.private, to,
    )  # fmt: skip
    line = " ".join(str(value) for value in values).encode()
    estate.say(Entry(time=time, source=FLOW, line=line, place=f"{account}/{REGION}"))
