"""`/api/{patients,studies,series,instances}/{id}/anonymize`, as Orthanc has them, by the engine of ours.

An instance is answered as a file. What is above becomes a job `deidentify` whose results are stored, and is
waited for or not. An object that may not leave is kept back: of one that is the answer (422), of more it is
counted. Not here: what a body means (`anonymization`), what is told of results (`made`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from isocenter.archive import Dataset
from isocenter.archive.resource_ids import Resource, ResourceIds
from isocenter.dicom.levels import Level
from isocenter.dicom.predicate import Equal
from isocenter.errors import BadRequest, Conflict, NotFound, Quarantined, from_json
from isocenter.http.stream import read_segments, send_pieces
from isocenter.index.records import StoredInstance
from isocenter.jobs.job import Job, State
from isocenter.rest.deid_kinds import DEIDENTIFY
from isocenter.rest.jobs import JobHandler
from isocenter.security import Action

_JOBS_ONLY = ("Asynchronous", "Priority", "Into")
_LOOK = 0.2
_LEVELS = {"patients": Level.PATIENT, "studies": Level.STUDY, "series": Level.SERIES}
_ANY = (Level.STUDY, Level.SERIES, Level.INSTANCE, Level.PATIENT)


class AnonymizeHandler(JobHandler):
    """What these routes share."""

    face = "anonymize"
    actions: ClassVar = {"POST": Action.READ}  # what is done needs more, in the dataset that is named

    def asked_dataset(self) -> Dataset:
        """The dataset of `?dataset=`, where the caller may de-identify."""
        return self.dataset(self.get_query_argument("dataset", "main"), Action.DEIDENTIFY)

    def asked(self, **more: type) -> dict[str, Any]:
        """The fields of the body."""
        from isocenter.rest.anonymization import FIELDS

        return self.fields(**FIELDS, **more)

    async def resource(self, dataset: Dataset, id: str, *levels: Level) -> Resource:
        """What an id names. Raises NotFound, and Unavailable while ids are still read."""
        path = self.context.settings.data / "cache" / "ids" / f"{dataset.name}.db"
        ids = ResourceIds(dataset.index, path)
        for level in levels:
            with contextlib.suppress(NotFound):
                return await self.context.long(ids.find, level, id)
        raise NotFound("There is nothing of this id", hint=f"in the dataset {dataset.name}")

    async def anonymize(
        self, dataset: Dataset, asked: dict[str, Any], resources: list[Resource], level: Level | None
    ) -> None:
        """Start the job; answer with it, or with what it made where the caller waits for that."""
        into = asked["Into"] or dataset.name
        self.dataset(into, Action.STORE).require_writable()
        told = {"recipe": await self.context.short(_recipe, asked, into == dataset.name), "into": into}
        told["uids"] = await self.context.short(_uids, dataset, resources)
        told["level"] = level.value if level else ""
        waits = asked["Synchronous"] if asked["Synchronous"] is not None else not asked["Asynchronous"]
        if waits and self.context.settings.deid.review:
            raise Conflict(
                "Here somebody looks at what was de-identified before it leaves",
                hint='nothing can be waited for: `"Asynchronous": true`, then POST /api/deid/{job}/review',
            )
        job = await self.submit(DEIDENTIFY, told, dataset.name, asked["Priority"])
        if waits:
            await self._tell_result(job)
        else:
            self.write_json({"ID": job.id, "Path": f"/jobs/{job.id}"})

    async def _tell_result(self, job: Job) -> None:
        done = await self._over(job)
        if done.error is not None:
            told = {"code": done.error.code, "message": done.error.message, "hint": done.error.hint}
            raise from_json({"error": told})
        content = done.result["content"]
        if content["FailedInstancesCount"] and not ("ID" in content or content.get("Resources")):
            _refuse(done.result)
        self.write_json(content)

    async def _over(self, job: Job) -> Job:
        """The job when it is over; goes on without whoever waited for it."""
        seen = -1
        while True:
            version = self.jobs.version()
            if version != seen:
                seen = version
                job = await self.context.short(self.jobs.get, job.id)
                if job.state.final or job.state is State.PAUSED:
                    return job
            await asyncio.sleep(_LOOK)


def _refuse(result: dict[str, Any]) -> None:
    """Raises what stands for a job without a single result."""
    if result.get("released", {}).get("conflict"):
        raise Conflict(
            "Other results of the same originals are there already",
            hint="a recipe of other settings needs another key, or another dataset",
            detail=result["content"],
        )
    reasons = ", ".join(result.get("reasons", {}))
    raise Quarantined("Nothing of it may leave", hint=reasons, detail=result["content"])


def _recipe(asked: dict[str, Any], beside: bool) -> dict[str, Any]:
    """The recipe of results that are stored, `beside` their originals or elsewhere."""
    from isocenter.deid import Recipe
    from isocenter.rest.anonymization import keeps_instance_uids, recipe_told

    if any(name.strip("()").replace("-", ",") in _SOP_INSTANCE for name in asked["Replace"] or {}):
        raise BadRequest(
            "One SOPInstanceUID cannot be that of many instances", hint="leave it out of Replace"
        )
    told = recipe_told(asked)
    if beside and keeps_instance_uids(Recipe.from_json(told)):
        raise BadRequest(
            "Results that keep their SOPInstanceUID cannot be put beside the originals",
            hint='`"Into": "DATASET"` names another dataset',
        )
    return told


_SOP_INSTANCE = ("SOPInstanceUID", "0008,0018", "00080018")


def _uids(dataset: Dataset, resources: list[Resource]) -> list[str]:
    """UIDs that name the instances; a patient's are those of its studies."""
    key, uids = Level.STUDY.unique_key, []
    for one in resources:
        if one.level is Level.PATIENT:
            of_patient = Equal(("PatientID",), one.uid)
            uids += [str(row[key]) for row in dataset.index.reader.find(Level.STUDY, of_patient)]
        else:
            uids.append(one.uid)
    return list(dict.fromkeys(uids))


class AnonymizeInstance(AnonymizeHandler):
    """One stored instance, de-identified."""

    async def post(self, id: str) -> None:
        """`?dataset=`: the new file, which is not stored; 422 where it may not leave.

        `{"Keep", "Remove", "Replace", "Force", "Recipe", "KeepPrivateTags", "KeepSource", "DicomVersion",
        "Permissive", "PrivateCreator", "Synchronous"}`, as Orthanc takes them; `Recipe` is ours.
        """
        from isocenter.deid.recipe import key_of
        from isocenter.deid.transform import make_file
        from isocenter.rest.anonymization import recipe_told
        from isocenter.rest.recipes import recipe_of

        dataset = self.asked_dataset()
        asked = self.asked()
        for name in _JOBS_ONLY:
            if asked[name]:
                raise BadRequest(
                    f"{name} is for what becomes a job", hint="an instance is answered as a file"
                )
        recipe = await self.context.short(recipe_of, self, dataset.name, recipe_told(asked))
        key = await self.context.short(key_of, self.context.settings.data, recipe)
        found = await self.resource(dataset, id, Level.INSTANCE)
        instance = await self.context.short(_instance, dataset, found.uid)
        with _scratch(self.context.scratch) as folder:
            source = await self.context.long(_local, dataset, instance, folder)
            target = folder / "result"
            reason = await self.context.compute(make_file, recipe, key, source, target)
            if reason:
                raise Quarantined("The instance may not leave", hint=reason)
            file = await self.context.short(target.open, "rb")
        with file:
            await self._send(file)

    async def _send(self, file: BinaryIO) -> None:
        size = os.fstat(file.fileno()).st_size
        self.set_header("Content-Type", "application/dicom")
        self.set_header("Content-Length", str(size))
        await send_pieces(self, read_segments(file, [(0, size)]))


class AnonymizeResource(AnonymizeHandler):
    """A stored patient, study or series, de-identified into a new one."""

    async def post(self, place: str, id: str) -> None:
        """`?dataset=`: start a job, unless `Asynchronous` wait for it; `{"ID", "Path", "PatientID", "Type"}`.

        `{"Keep", "Remove", "Replace", "Force", "Recipe", "Into", "KeepPrivateTags", "KeepSource", "Priority",
        "DicomVersion", "Permissive", "PrivateCreator", "Asynchronous", "Synchronous"}`, as Orthanc takes
        them; `Recipe` and `Into`, a dataset, are ours. What was kept back is in `FailedInstancesCount`.
        """
        dataset, asked, level = self.asked_dataset(), self.asked(), _LEVELS[place]
        await self.anonymize(dataset, asked, [await self.resource(dataset, id, level)], level)


class BulkAnonymize(AnonymizeHandler):
    """Several stored resources of any level, de-identified into new ones."""

    async def post(self) -> None:
        """`?dataset=`: as for one, of all the ids or UIDs in `Resources`; answers with the new `Resources`.

        `{"Resources", "Keep", "Remove", "Replace", "Force", "Recipe", "Into", "Permissive",
        "KeepPrivateTags", "KeepSource", "Priority", "DicomVersion", "PrivateCreator", "Asynchronous",
        "Synchronous"}`.
        """
        dataset, asked = self.asked_dataset(), self.asked(Resources=list)
        named = asked["Resources"]
        if not named or not all(isinstance(id, str) for id in named):
            raise BadRequest("Resources is a list of ids or UIDs, and not empty")
        resources = [await self.resource(dataset, id, *_ANY) for id in dict.fromkeys(named)]
        await self.anonymize(dataset, asked, resources, None)


def _instance(dataset: Dataset, uid: str) -> StoredInstance:
    found = next(iter(dataset.instances(Equal((Level.INSTANCE.unique_key,), uid))), None)
    if found is None:
        raise NotFound("There is no instance of this id")
    return found


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder for one request. What is still open when it goes stays readable."""
    made = folder / f"anonymize-{uuid.uuid4().hex}"
    made.mkdir(mode=0o700)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _local(dataset: Dataset, instance: StoredInstance, folder: Path) -> Path:
    """The object as a file of this machine; fetched where it is none."""
    path = dataset.objects.path(instance.object)
    if path is not None:
        return path
    fetched = folder / "original"
    with dataset.open(instance) as source, fetched.open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return fetched


_ID = r"(?P<id>[^/]+)"

routes = [
    (rf"/api/instances/{_ID}/anonymize", AnonymizeInstance),
    (rf"/api/(?P<place>patients|studies|series)/{_ID}/anonymize", AnonymizeResource),
    (r"/api/tools/bulk-anonymize", BulkAnonymize),
]
