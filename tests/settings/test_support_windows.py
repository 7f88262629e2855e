"""Support windows are judged on a day that is given, never on the clock of a test."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from infra.errors import InputError
from infra.planning.support import check_support, standard_support_ends
from infra.versions import KUBERNETES_MINORS_SUPPORTED, STANDARD_SUPPORT_ENDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("minor", STANDARD_SUPPORT_ENDS)
def test_the_last_day_is_still_supported_and_the_next_is_not(minor: str) -> None:
    ends = standard_support_ends(minor)
    assert ends is not None

    check_support(minor, ends)
    with pytest.raises(InputError) as caught:
        check_support(minor, ends + timedelta(days=1))

    (problem,) = caught.value.problems
    assert str(ends) in problem.found
    newer = [other for other in KUBERNETES_MINORS_SUPPORTED if other != minor]
    assert all(other in problem.accepted for other in newer)
    assert newer[-1] in problem.mend


def test_a_version_whose_end_is_not_published_is_let_through() -> None:
    unknown = [minor for minor in KUBERNETES_MINORS_SUPPORTED if minor not in STANDARD_SUPPORT_ENDS]
    assert unknown

    for minor in unknown:
        check_support(minor, date(2099, 1, 1))


def test_the_command_judges_on_the_given_day(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.old.yaml"
    path.write_text(
        (ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8").replace('"1.36"', '"1.35"'), encoding="utf-8"
    )

    before = CliRunner().invoke(app, ["validate", "--file", str(path), "--on", "2027-03-27"])
    after = CliRunner().invoke(app, ["validate", "--file", str(path), "--on", "2027-03-28"])

    assert (before.exit_code, after.exit_code) == (0, 2)
    assert f"{path}:" in after.stderr
    assert "cluster.kubernetesVersion" in after.stderr
