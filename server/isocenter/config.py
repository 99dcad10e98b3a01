"""Settings: one tree, from defaults, a TOML file, the environment and flags, later ones winning.

The TOML file is `isocenter.toml` in the data folder, or the one named by `--config` or `ISOCENTER_CONFIG`.
In the environment, `ISOCENTER_DICOM__PORT=11113` sets `dicom.port`. Times are seconds, sizes bytes.
It says what can be set and what fits; what a setting does is said where it is used.
"""

from __future__ import annotations

import os
import re
import tomllib
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from isocenter.errors import BadRequest

_from_file: ContextVar[dict[str, Any]] = ContextVar("_from_file", default={})  # noqa: B039 (never changed)

MEBIBYTE = 1024 * 1024
RoleName = Literal["reader", "contributor", "deidentifier", "curator", "admin"]
Right = Literal["echo", "store", "find", "move", "get"]
ALL_RIGHTS: tuple[Right, ...] = ("echo", "store", "find", "move", "get")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _ae_title(value: str) -> str:
    title = value.strip(" ")
    if not 1 <= len(title) <= 16 or "\\" in title or not title.isascii() or not title.isprintable():
        raise ValueError("an AE title is 1 to 16 printable ASCII characters without backslash (PS3.5 6.2)")
    return title


class HttpSettings(_Part):
    """The HTTP listener."""

    host: str = Field("127.0.0.1", description="address to bind; beyond loopback only when a token exists")
    port: int = Field(8042, ge=0, le=65535, description="TCP port; 0 takes a free one")
    socket: Path | None = Field(
        None, description="unix socket to listen on instead, which only the owner of the server may use"
    )
    prefix: str = Field(
        "", description="path that a proxy leaves before ours, such as `/services/isocenter` of JupyterHub"
    )
    max_body: int = Field(64 * 1024 * MEBIBYTE, gt=0, description="largest request body")
    cors_origins: tuple[str, ...] = Field((), description="origins that browsers may call from, or `*`")

    @field_validator("prefix")
    @classmethod
    def _path(cls, value: str) -> str:
        path = value.rstrip("/")
        if path and not re.fullmatch(r"(/[A-Za-z0-9._~@%-]+)+", path):
            raise ValueError("a path like /services/isocenter")
        return path


class JupyterHubSettings(_Part):
    """A JupyterHub whose users come in with their hub tokens."""

    api_url: str = Field(
        default_factory=lambda: os.environ.get("JUPYTERHUB_API_URL", "http://127.0.0.1:8081/hub/api"),
        description="the hub's API; JUPYTERHUB_API_URL, else port 8081 of this machine, when absent",
    )
    service: str = Field(
        default_factory=lambda: os.environ.get("JUPYTERHUB_SERVICE_NAME", "isocenter"),
        description="name of this service there: tokens need the scope `access:services!service=<name>`",
    )
    role: RoleName = Field("reader", description="what every user of the hub may do")
    groups: dict[str, RoleName] = Field(
        default_factory=dict, description="what members of a group of the hub may do, if that is more"
    )
    remembered: float = Field(
        300.0, gt=0, le=86_400, description="how long the hub's word about a token is good"
    )


class DicomwebSettings(_Part):
    """What one DICOMweb request may ask for or bring."""

    search_results: int = Field(
        100_000, gt=0, description="most results of one search; more are 413, and can be had in pages"
    )
    store_instances: int = Field(50_000, gt=0, description="most instances of one STOW-RS request")
    metadata_cache: int = Field(
        1024 * MEBIBYTE, ge=0, description="size of the folder of prepared metadata; 0 keeps none"
    )


class TlsSettings(_Part):
    """The DICOM TLS listener (PS3.15 Annex B, BCP 195)."""

    port: int = Field(2762, ge=0, le=65535, description="TCP port; 0 takes a free one")
    certificate: Path = Field(description="PEM file with the server's certificate chain")
    key: Path = Field(description="PEM file with its private key")
    ca: Path | None = Field(None, description="PEM file of authorities that sign client certificates")
    client_certificate: Literal["none", "optional", "required"] = "none"
    ae_of_certificate: dict[str, str] = Field(
        default_factory=dict, description="certificate subject common name to the AE title it may call as"
    )


class DicomLimits(_Part):
    """Limits and time-outs of associations."""

    artim: float = Field(30.0, gt=0, description="ARTIM timer (PS3.8 9.1.5)")
    connect: float = Field(10.0, gt=0, description="opening a connection to a peer")
    between_pdus: float = Field(60.0, gt=0, description="between PDUs of one message")
    idle: float = Field(600.0, gt=0, description="idle association")
    release: float = Field(5.0, gt=0, description="waiting for a release or an abort to be answered")
    keep_alive: float = Field(60.0, gt=0, description="silence until TCP asks whether the peer is there")
    max_pdu: int = Field(131072, ge=4096, description="announced maximum length of a P-DATA-TF PDU")
    max_pdu_sent: int = Field(
        1024 * 1024, ge=4096, description="longest P-DATA-TF PDU sent, also to a peer that names no maximum"
    )
    identifier: int = Field(2 * 1024 * 1024, ge=4096, description="largest identifier of a query or retrieve")
    associations: int = Field(256, gt=0, description="concurrent associations of one worker")
    associate_rq: int = Field(256 * 1024, ge=1024, description="largest A-ASSOCIATE-RQ")
    find_matches: int = Field(100_000, gt=0, description="most matches of one C-FIND")
    per_destination: int = Field(
        1, gt=0, description="C-MOVEs that send to one destination at a time, over all workers of a machine"
    )


class DicomSettings(_Part):
    """The DICOM listener and who may use it."""

    listen: bool = Field(True, description="listen at all")
    host: str = Field("127.0.0.1", description="address to bind")
    port: int = Field(11112, ge=0, le=65535, description="TCP port; 0 takes a free one")
    promiscuous: bool = Field(
        False, description="accept associations from AE titles that are not in `peers` (all rights)"
    )
    loopback_promiscuous: bool = Field(True, description="the same for peers that connect from this machine")
    unknown_sop_classes: bool = Field(True, description="store SOP classes that the standard does not name")
    extra_transfer_syntaxes: tuple[str, ...] = Field((), description="private transfer syntaxes to accept")
    lenient_relational: bool = Field(
        False, description="answer C-FIND without the upper unique keys though not negotiated"
    )
    tls: TlsSettings | None = None
    limits: DicomLimits = DicomLimits()


class PeerSettings(_Part):
    """A remote application entity; its AE title is its key in `peers`."""

    host: str = Field(description="name or address, to send to and to check callers by")
    port: int = Field(104, ge=1, le=65535)
    rights: tuple[Right, ...] = ALL_RIGHTS
    check_host: bool = Field(False, description="accept it only from `host`")
    tls: bool = Field(False, description="talk TLS to it")
    character_set: str | None = Field(None, description="SpecificCharacterSet of answers it understands")
    assume_charset: str | None = Field(None, description="for its 8-bit text without SpecificCharacterSet")
    transfer_syntax_order: tuple[str, ...] = Field((), description="preferred transfer syntaxes of this peer")


class DatasetSettings(_Part):
    """A dataset that is reached by an AE title of its own."""

    ae_title: str
    on_conflict: Literal["keep", "replace", "reject"] = Field(
        "keep", description="the same SOP instance arrives again with other bytes"
    )
    default_issuer: str = Field("", description="IssuerOfPatientID of patients that come without one")
    assume_charset: str | None = Field(None, description="for 8-bit text without SpecificCharacterSet")
    view_of: str | None = Field(
        None, description="show that dataset, de-identified, in place of holding objects"
    )
    deid: dict[str, Any] = Field(
        default_factory=dict, description="the recipe of a view: key, options, rules ... (de-identification)"
    )
    unreviewed: bool = Field(
        False, description="show this view though `deid.review` is on: nobody looks at it before it is read"
    )

    _checked = field_validator("ae_title")(_ae_title)


class IndexSettings(_Part):
    """Where the index is."""

    url: str | None = Field(
        None, description="`postgresql://…` for PostgreSQL; SQLite files in the data folder when absent"
    )
    lock_timeout: float = Field(20.0, gt=0, description="how long a writer waits for the index")
    changes_kept: int = Field(1_000_000, ge=1000, description="lines of the change log of a dataset")


class CatalogSettings(_Part):
    """When the catalog is flushed and compacted."""

    flush_rows: int = Field(20_000, gt=0, description="flush when so many instances wait in the tail")
    flush_seconds: float = Field(30.0, gt=0, description="flush when the oldest has waited so long")
    vacuum_after: float = Field(3600.0, ge=0, description="keep removed files so long")
    sweep_grace: float = Field(3600.0, ge=0, description="keep unreferenced objects so long")


class CacheSettings(_Part):
    """Files made of stored objects for the web, in `cache/objects` of the data folder."""

    size: int = Field(
        4096 * MEBIBYTE, ge=0, description="bytes they may take; what was not used for longest goes first"
    )


class JobsSettings(_Part):
    """Work that outlives a request."""

    at_once: int = Field(2, ge=1, le=64, description="jobs that run at the same time, each in a process")
    kept: float = Field(
        7 * 86_400.0, ge=0, description="how long a job that is over, and what it made, can be asked for"
    )


class DeidSettings(_Part):
    """De-identification on this server."""

    review: bool = Field(
        False, description="results are held until a curator has accepted them; only an admin may do without"
    )


class QuerySettings(_Part):
    """Limits of research queries."""

    sql_seconds: float = Field(60.0, gt=0, description="deadline of one SQL statement of a user")
    sql_memory: int = Field(2048 * MEBIBYTE, gt=0, description="memory of its process")


class Settings(BaseSettings):
    """All settings of a server."""

    model_config = SettingsConfigDict(
        env_prefix="ISOCENTER_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data: Path = Field(Path("isocenter-data"), description="the data folder")
    workers: int = Field(2, ge=1, le=64, description="server processes")
    ae_title: str = Field("ISOCENTER", description="AE title of the dataset `main`")
    on_conflict: Literal["keep", "replace", "reject"] = Field("keep", description="for the dataset `main`")
    default_issuer: str = Field("", description="for the dataset `main`")
    assume_charset: str | None = Field(None, description="for the dataset `main`")
    http: HttpSettings = HttpSettings()
    dicomweb: DicomwebSettings = DicomwebSettings()
    dicom: DicomSettings = DicomSettings()
    index: IndexSettings = IndexSettings()
    catalog: CatalogSettings = CatalogSettings()
    cache: CacheSettings = CacheSettings()
    query: QuerySettings = QuerySettings()
    jobs: JobsSettings = JobsSettings()
    deid: DeidSettings = DeidSettings()
    datasets: dict[str, DatasetSettings] = Field(default_factory=dict, description="datasets besides `main`")
    peers: dict[str, PeerSettings] = Field(default_factory=dict, description="remote nodes by AE title")
    jupyterhub: JupyterHubSettings | None = None

    _checked = field_validator("ae_title")(_ae_title)

    @field_validator("datasets")
    @classmethod
    def _dataset_names(cls, value: dict[str, DatasetSettings]) -> dict[str, DatasetSettings]:
        for name in value:
            if name == "main" or not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
                raise ValueError(
                    f"dataset name {name!r}: letters, digits, - and _; `main` is set at the top level"
                )
        return value

    @model_validator(mode="after")
    def _distinct_ae_titles(self) -> Settings:
        titles = [self.ae_title, *(dataset.ae_title for dataset in self.datasets.values())]
        if len(set(titles)) != len(titles):
            raise ValueError("two datasets have the same ae_title: each needs its own")
        return self

    @model_validator(mode="after")
    def _views_of_datasets(self) -> Settings:
        for name, dataset in self.datasets.items():
            if dataset.view_of is None:
                if dataset.deid:
                    raise ValueError(f"datasets.{name}.deid is the recipe of a view: say view_of too")
                continue
            of = self.datasets.get(dataset.view_of)
            if dataset.view_of != "main" and of is None:
                raise ValueError(f"datasets.{name}.view_of: there is no dataset {dataset.view_of!r}")
            if of is not None and of.view_of is not None:
                raise ValueError(f"datasets.{name}.view_of: {dataset.view_of} is a view itself")
            if self.deid.review and not dataset.unreviewed:
                raise ValueError(
                    f"datasets.{name} is a view, which is read without the review that deid.review asks for: "
                    f"run de-identification into a dataset, or say datasets.{name}.unreviewed = true"
                )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags win over the environment, the environment over the file; nested keys are merged."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=_from_file.get())

    def all_datasets(self) -> dict[str, DatasetSettings]:
        """Every dataset by name, `main` first."""
        main = DatasetSettings(
            ae_title=self.ae_title,
            on_conflict=self.on_conflict,
            default_issuer=self.default_issuer,
            assume_charset=self.assume_charset,
        )
        return {"main": main, **self.datasets}


def load(flags: dict[str, Any] | None = None, *, file: Path | None = None) -> Settings:
    """Settings from the TOML file, the environment and `flags` (dotted keys: `{"dicom.port": 0}`).

    Raises:
        BadRequest: a file that cannot be read, or a value that does not fit, named by its dotted key.
    """
    given = _nested(flags or {})
    path = _file(given, file)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError) as error:
        raise BadRequest(f"The settings file {path} cannot be read: {error}") from error
    token = _from_file.set(told)
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "settings"
        raise BadRequest(f"Setting {key}: {first['msg']}", hint="see server/docs/settings.md") from error
    except SettingsError as error:
        raise BadRequest(f"Settings in the environment: {error}") from error
    finally:
        _from_file.reset(token)


def _nested(flags: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for dotted, value in flags.items():
        *parents, last = dotted.split(".")
        room = tree
        for parent in parents:
            room = room.setdefault(parent, {})
        room[last] = value
    return tree


def _file(given: dict[str, Any], file: Path | None) -> Path | None:
    if named := file or os.environ.get("ISOCENTER_CONFIG"):
        return Path(named)
    data = given.get("data") or os.environ.get("ISOCENTER_DATA") or Settings.model_fields["data"].default
    path = Path(data) / "isocenter.toml"
    return path if path.exists() else None
