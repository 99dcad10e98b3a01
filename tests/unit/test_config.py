"""Settings: which source wins, and what a wrong value tells."""

from pathlib import Path

import pytest

from isocenter.config import Settings, load
from isocenter.errors import BadRequest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "isocenter.toml").write_text(
        'workers = 3\n[dicom]\nport = 4000\nhost = "127.0.0.2"\n'
        '[peers.PACS]\nhost = "10.0.0.7"\nrights = ["echo", "find"]\n'
        '[datasets.lab]\nae_title = "LAB"\non_conflict = "reject"\n'
    )
    return tmp_path


def test_defaults_listen_on_loopback_only(tmp_path: Path) -> None:
    settings = load({"data": tmp_path})
    assert settings.http.host == settings.dicom.host == "127.0.0.1"
    assert (settings.http.port, settings.dicom.port, settings.ae_title) == (8042, 11112, "ISOCENTER")


def test_flags_win_over_environment_over_file(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_DICOM__PORT", "5000")
    monkeypatch.setenv("ISOCENTER_WORKERS", "4")
    settings = load({"data": data, "dicom.port": 6000})
    assert (settings.dicom.port, settings.workers, settings.dicom.host) == (6000, 4, "127.0.0.2")


def test_the_file_names_datasets_and_peers(data: Path) -> None:
    settings = load({"data": data})
    assert settings.peers["PACS"].rights == ("echo", "find")
    assert {name: d.ae_title for name, d in settings.all_datasets().items()} == {
        "main": "ISOCENTER",
        "lab": "LAB",
    }


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"dicom.port": 70000}, "dicom.port"),
        ({"dicom.prot": 1}, "dicom.prot"),
        ({"ae_title": "MORE THAN SIXTEEN CHARACTERS"}, "ae_title"),
        ({"datasets.x.ae_title": "ISOCENTER"}, "same ae_title"),
        ({"datasets.a/b.ae_title": "AB"}, "dataset name"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, flags: dict[str, object], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        load({"data": tmp_path, **flags})


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "isocenter.toml").write_text("workers = ")
    with pytest.raises(BadRequest, match=r"isocenter\.toml"):
        load({"data": tmp_path})


def test_settings_travel_to_another_process(data: Path) -> None:
    import pickle

    settings = load({"data": data})
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert isinstance(settings, Settings)


def test_where_a_review_is_asked_for_a_view_is_shown_only_if_that_is_said(tmp_path: Path) -> None:
    flags: dict[str, object] = {
        "data": tmp_path,
        "deid.review": True,
        "datasets.research.ae_title": "RESEARCH",
        "datasets.research.view_of": "main",
    }
    with pytest.raises(BadRequest, match=r"datasets\.research\.unreviewed = true"):
        load(flags)
    settings = load({**flags, "datasets.research.unreviewed": True})
    assert settings.datasets["research"].view_of == "main"
