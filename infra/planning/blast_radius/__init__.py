"""What going from one plan to another replaces, restarts and drains, in replicas, GPUs and GPU-hours.

`changes` finds what differs; `rules` and the tables beside it say what a change of a field does, each with its source;
`consequences` adds what follows from it; `fleet` says what runs, `impact` and `measuring` how much of it is touched.
Nothing here knows Pulumi: two plans in, findings out.
"""

from infra.planning.blast_radius.findings import BlastRadius, Finding, Measure
from infra.planning.blast_radius.judgement import blast_radius
from infra.planning.blast_radius.rules import Effect

__all__ = ["BlastRadius", "Effect", "Finding", "Measure", "blast_radius"]
