"""Both ways to have Isocenter in a JupyterHub, by their example configurations in a real hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_hub import Hub, free_ports, jupyterhub

EXAMPLES = Path(__file__).parents[2] / "extension" / "examples"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
for needed in ("jupyterhub", "configurable_http_proxy"):
    pytest.importorskip(needed, reason=f"{needed} is not installed: pip install './extension[test]'")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with the service."""
    home = tmp_path_factory.mktemp("service")
    (port,) = free_ports(1)
    variables = {
        "ISOCENTER_SERVICE_DATA": str(home / "data"),
        "ISOCENTER_SERVICE_ADDRESS": f"http://127.0.0.1:{port}",
    }
    example = EXAMPLES / "jupyterhub_service_config.py"
    with jupyterhub(home, example, variables) as running:
        running.wait(lambda: running.ask("/services/isocenter/healthz", "").status == 200)
        yield running


@pytest.fixture(scope="module")
def each(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub whose users have servers of their own."""
    with jupyterhub(tmp_path_factory.mktemp("each"), EXAMPLES / "jupyterhub_user_config.py") as running:
        yield running


def test_a_user_of_the_hub_is_known_to_the_service_by_the_hub_s_token(service: Hub) -> None:
    ada = service.user("ada")
    told = service.ask("/services/isocenter/api/system", ada)
    assert told.status == 200, told.body
    assert told.json()["DicomWebRoot"] == f"{service.url}/services/isocenter/dicom-web"
    assert service.ask("/services/isocenter/api/system", "made-up").status == 401


def test_the_role_of_the_hub_s_users_says_what_they_may_do(service: Hub) -> None:
    ada = service.user("ada")
    assert service.ask("/services/isocenter/dicom-web/studies", ada).status == 200
    # A contributor stores, but does not delete.
    assert service.ask("/services/isocenter/dicom-web/studies/1.2.3", ada, "DELETE").status == 403


def test_the_jupyter_of_a_user_attaches_to_the_service_and_its_side_bar_says_so(service: Hub) -> None:
    ada = service.user("ada")
    service.spawn("ada")
    told = service.ask("/user/ada/isocenter/server", ada)
    assert told.status == 200, told.body
    state = told.json()
    assert (state["mode"], state["state"], state["managed"]) == ("attach", "running", False)
    proxied = service.ask("/user/ada/isocenter/proxy/api/system", ada)
    assert proxied.status == 200, proxied.body
    assert proxied.json()["DicomWebRoot"] == f"{service.url}/user/ada/isocenter/proxy/dicom-web"
    service.despawn("ada")


def test_each_user_has_a_server_that_the_user_s_jupyter_supervises(each: Hub) -> None:
    ada, bob = each.user("ada"), each.user("bob")
    each.spawn("ada")
    told = each.ask("/user/ada/isocenter/server", ada)
    assert (told.status, told.json()["state"]) == (200, "stopped")
    assert each.ask("/user/ada/isocenter/server/start", ada, "POST", b"").status == 200
    each.wait(lambda: each.ask("/user/ada/isocenter/server", ada).json()["state"] == "running")
    state = each.ask("/user/ada/isocenter/server", ada).json()
    assert state["data"] == str(each.home / "homes" / "ada" / "isocenter-data")
    proxied = each.ask("/user/ada/isocenter/proxy/api/system", ada)
    assert proxied.json()["DicomWebRoot"] == f"{each.url}/user/ada/isocenter/proxy/dicom-web"
    assert each.ask("/user/ada/isocenter/proxy/api/system", bob).status == 403
    assert each.ask("/user/ada/isocenter/server", "made-up").status == 403
    assert "token" not in json.dumps(state)
    each.despawn("ada")
    each.wait(
        lambda: not (each.home / "homes" / "ada" / "isocenter-data" / "run" / "connection.json").exists()
    )
