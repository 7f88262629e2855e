"""Statistics of a canary: shares that are compared, and what buckets and a sum say of a distribution.

This file is also shipped into the cluster, so it needs the standard library only.

What lies inside a bucket is not known, but the sum is. So the density in every bucket is taken as exp(r x) with the one
rate r that gives the known mean: of all densities with these buckets and this mean it adds the least (maximum entropy).
Where the mean is in the middle that is Prometheus' straight line; requests of 26 ms in a bucket from 25 to 50 ms are
not taken for requests of 49 ms.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

# exp() of more overflows.
_STEEPEST = 700.0
_HALVINGS = 80


def chance_of_more(bad: float, of: float, bad_there: float, of_there: float) -> float:
    """Fisher's exact test, one-sided: how likely so large a share here is when the share there is the true one of both.

    Args:
        bad_there: rounded up, as its part of a whole may be a guess.
    """
    ours, all_ours, theirs, all_theirs = int(bad), int(of), math.ceil(bad_there - 1e-9), math.ceil(of_there)
    both, everything = ours + theirs, all_ours + all_theirs
    if not ours or ours * all_theirs <= theirs * all_ours:
        return 1.0
    whole = _choices(everything, all_ours)
    found = range(ours, min(both, all_ours) + 1)
    chances = (math.exp(_choices(both, k) + _choices(everything - both, all_ours - k) - whole) for k in found)
    return min(1.0, math.fsum(chances))


def _choices(number: int, some: int) -> float:
    if not 0 <= some <= number:
        return -math.inf
    return math.lgamma(number + 1) - math.lgamma(some + 1) - math.lgamma(number - some + 1)


@dataclass(frozen=True)
class Bucket:
    """Observations above `low` and up to `high` seconds."""

    low: float
    high: float
    count: float

    @property
    def width(self) -> float:
        return self.high - self.low

    def mean(self, rate: float) -> float:
        """Mean of the density exp(rate x) in it."""
        slope = self._slope(rate)
        if abs(slope) < 1e-6:
            return self.low + self.width / 2
        return self.low + self.width * (1 / (1 - math.exp(-slope)) - 1 / slope)

    def below(self, seconds: float, rate: float) -> float:
        """Share of its observations up to that time."""
        place, slope = min(1.0, max(0.0, (seconds - self.low) / self.width)), self._slope(rate)
        if abs(slope) < 1e-6:
            return place
        if slope > 0:
            return (math.exp(slope * (place - 1)) - math.exp(-slope)) / (1 - math.exp(-slope))
        return (1 - math.exp(slope * place)) / (1 - math.exp(slope))

    def at(self, share: float, rate: float) -> float:
        """The time that this share of its observations does not exceed."""
        slope = self._slope(rate)
        if abs(slope) < 1e-6:
            return self.low + self.width * share
        place = math.log1p(share * math.expm1(slope)) / slope if share < 1 else 1.0
        return self.low + self.width * min(1.0, max(0.0, place))

    def _slope(self, rate: float) -> float:
        return max(-_STEEPEST, min(_STEEPEST, rate * self.width))


@dataclass(frozen=True)
class Histogram:
    """A histogram in seconds.

    Attributes:
        cumulative: upper edge of each bucket, the last infinite, and how many observations do not exceed it.
        total: their sum.
    """

    cumulative: tuple[tuple[float, float], ...]
    total: float

    @cached_property
    def buckets(self) -> list[Bucket]:
        """Those with observations; what lies above the last finite edge is taken to be below its double."""
        found, low, before = [], 0.0, 0.0
        for edge, count in self.cumulative:
            high = edge if math.isfinite(edge) else 2 * low or 1.0
            if count > before:
                found.append(Bucket(low, high, count - before))
            low, before = high, max(before, count)
        return found

    @property
    def count(self) -> float:
        """How many observations."""
        return self.cumulative[-1][1]

    @property
    def mean(self) -> float:
        """Their mean."""
        return self.total / self.count

    @property
    def variance(self) -> float:
        """Their variance, as if they were spread evenly in each bucket."""
        middle = sum(item.count * (item.low + item.width / 2) for item in self.buckets) / self.count
        parts = (item.count * ((item.low + item.width / 2 - middle) ** 2 + item.width**2 / 12) for item in self.buckets)
        return sum(parts) / self.count

    @cached_property
    def rate(self) -> float:
        """The rate of the density in the buckets that gives the known sum."""
        steepest = _STEEPEST / min(item.width for item in self.buckets)
        low, high = -steepest, steepest
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if sum(item.count * item.mean(middle) for item in self.buckets) < self.total:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    def above(self, seconds: float) -> float:
        """How many observations are longer; exact where that is an edge."""
        return sum(item.count * (1 - item.below(seconds, self.rate)) for item in self.buckets if item.high > seconds)

    def quantile(self, share: float) -> float:
        """The time that this share does not exceed."""
        bucket, left = self._bucket_of(share)
        return bucket.at(left / bucket.count, self.rate)

    def bounds(self, share: float) -> tuple[float, float]:
        """The edges between which that time lies for certain."""
        bucket, _ = self._bucket_of(share)
        return bucket.low, bucket.high

    def _bucket_of(self, share: float) -> tuple[Bucket, float]:
        left = share * self.count
        for bucket in self.buckets:
            if bucket.count >= left:
                return bucket, left
            left -= bucket.count
        return self.buckets[-1], self.buckets[-1].count  # rounding of the sum


def tail_is_longer(ours: Histogram, theirs: Histogram, share: float, times: float, level: float) -> bool:
    """Whether more of ours is above some edge than of theirs would be if every request took `times` as long.

    Only edges above that quantile of theirs and below that of ours count: others say nothing about the quantile.

    Args:
        share: the quantile, such as 0.99.
        level: chance of a wrong yes over all edges.
    """
    edges = (edge for edge, _ in ours.cumulative if math.isfinite(edge))
    pairs = [(ours.above(edge), theirs.above(edge / times)) for edge in edges]
    telling = [
        (bad, there) for bad, there in pairs if bad > (1 - share) * ours.count and there <= (1 - share) * theirs.count
    ]
    return any(chance_of_more(bad, ours.count, there, theirs.count) < level / len(telling) for bad, there in telling)


def mean_is_larger(ours: Histogram, theirs: Histogram, times: float, level: float) -> bool:
    """Whether our mean is more than so many times theirs, beyond what chance explains."""
    spread = math.sqrt(ours.variance / ours.count + times**2 * theirs.variance / theirs.count)
    return ours.mean - times * theirs.mean > NormalDist().inv_cdf(1 - level) * spread
