"""Which instance types have EFA, on which network cards, and what the EFA driver takes of their memory.

EC2 hands out one EFA interface a network card. The first card also carries the node's own address. On most types it
carries EFA beside it (device index 1); on p6-b300 it has no EFA, and the cards after it do.
"""

from dataclasses import dataclass
from functools import cache

from infra.catalog.tables import read_table

# 2 MiB pages that the EFA driver sets aside when it is loaded, on any EC2 instance, and what they come to in MiB.
# Source: Amazon EKS user guide, "Run machine learning training on Amazon EKS with EFA" (5128 pages). Larger figures are
# seen on some types (42242Mi in an AWS sample); this is what can be counted on.
HUGE_PAGES = 5128
HUGE_PAGES_MIB = HUGE_PAGES * 2


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """One entry of `EC2NodeClass.spec.networkInterfaces`; `kind` is `interface` or `efa-only`."""

    card: int
    device: int
    kind: str


@dataclass(frozen=True, slots=True)
class EfaLayout:
    """The EFA interfaces of one instance type.

    Attributes:
        network_cards: network cards the type has.
        first_efa_card: index of the first card with EFA; all after it have it too, as many as there are interfaces.
        efa_interfaces: EFA interfaces.
    """

    instance_type: str
    network_cards: int
    first_efa_card: int
    efa_interfaces: int

    @property
    def shape(self) -> tuple[int, int]:
        """What must be equal among the types of one EC2NodeClass: where EFA begins, and how much of it there is."""
        return self.first_efa_card, self.efa_interfaces

    @property
    def interfaces(self) -> tuple[NetworkInterface, ...]:
        """The node's own interface, then one EFA interface a card.

        They are `efa-only`: one with an address each would take 32 addresses of the subnet for every p5 and bring no
        traffic of pods.
        """
        cards = range(self.first_efa_card, self.first_efa_card + self.efa_interfaces)
        efa = (NetworkInterface(card, 1 if card == 0 else 0, "efa-only") for card in cards)
        return NetworkInterface(0, 0, "interface"), *efa


@cache
def efa_layouts() -> dict[str, EfaLayout]:
    """The layout of every GPU instance type with EFA that a plain EC2NodeClass can describe, by name."""
    rows = read_table("efa_layouts")
    return {
        row["instance_type"]: EfaLayout(
            row["instance_type"], int(row["network_cards"]), int(row["first_efa_card"]), int(row["efa_interfaces"])
        )
        for row in rows
    }
