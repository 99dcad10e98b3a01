"""`Contents`: what can be done with all that has instances, a frame as much as a study or one instance."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Unpack

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import FileDataset

    from isocenter.client.archive import Archive
    from isocenter.client.cohort import Cohort
    from isocenter.client.deid import Plan
    from isocenter.client.download import DownloadReport
    from isocenter.client.export import Exported
    from isocenter.client.recipe import Choices, Rules
    from isocenter.client.transport import Transport

TEMPLATE = "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"


class Contents:
    """Something with instances; a class of it has a `transport` and a `dataset_name`."""

    transport: Transport
    dataset_name: str

    def freeze(self, name: str, *, description: str = "", pinned: bool = False) -> Cohort:
        """Freeze its instances as a cohort: named, versioned, immutable, citable by its digest.

        Args:
            name: 100 characters at most, without `/` and `@`; one that is taken gets its next version.
            description: what it is for.
            pinned: it survives a reset of the dataset.

        Raises:
            Forbidden: your role may not freeze.
        """
        from isocenter.client.cohort import freeze

        return freeze(self.transport, self.dataset_name, name, self, description, pinned)

    def zip(
        self,
        path: str | os.PathLike[str],
        *,
        media: bool = False,
        progress: bool | Callable[[int, int], None] = True,
    ) -> Path:
        """Its instances as one zip, made by a job of the server and downloaded; the path of the file.

        Args:
            path: of the file, or a folder that is there.
            media: with a DICOMDIR and the short names of media (PS3.10 8).
            progress: shown, or a function called with bytes done and bytes in all.

        Raises:
            BadRequest: it is more than 10,000 instances: freeze it, a cohort may be of any size.
            NotFound: nothing of it is left.
        """
        from isocenter.client.zipping import zip_of

        return zip_of(self.transport, self.dataset_name, self, path, media, progress)

    def datasets(
        self,
        *,
        stop_before_pixels: bool = False,
        specific_tags: list[Any] | None = None,
        connections: int = 4,
        progress: bool | Callable[[int, int], None] = False,
    ) -> Iterator[FileDataset]:
        """Its instances as pydicom data sets, one after the other; memory does not grow with their number.

        Args:
            stop_before_pixels: only what is before the pixels; the rest is not fetched either.
            specific_tags: only these elements, as `pydicom.dcmread` takes them.
            connections: files that are fetched at the same time.
            progress: shown, or a function called with bytes done and bytes in all.
        """
        from isocenter.client.data_sets import datasets
        from isocenter.client.selection import Selection

        return datasets(
            Selection(self.transport, self.dataset_name),
            self,
            stop_before_pixels=stop_before_pixels,
            specific_tags=specific_tags,
            connections=connections,
            progress=progress,
        )

    def download(
        self,
        folder: str | os.PathLike[str],
        template: str = TEMPLATE,
        *,
        overwrite: bool = False,
        verify: bool = False,
        connections: int = 4,
        progress: bool | Callable[[int, int], None] = True,
    ) -> DownloadReport:
        """Its instances as DICOM files in a folder.

        Call it again to go on where it was interrupted: files that are complete are left as they are.

        Args:
            folder: made when it is not there.
            template: of file names, of keywords: `"{PatientID}/{StudyDate}/{InstanceNumber:04}.dcm"`. The
                default is of UIDs, so that names and numbers of patients are in no path unless asked for.
            overwrite: replace files of the same name that are no such instance.
            verify: look at the digest of files that are there, not only at their size.
            connections: files that are fetched at the same time.
            progress: shown, or a function called with bytes done and bytes in all.

        Returns:
            A report: `report.downloaded`, `report.present`, `report.failed`, `report.paths`.

        Raises:
            BadRequest: the template is none.
            NoSpace: the disk is full.
            IsocenterError: the server cannot be reached or refuses.
        """
        from isocenter.client.download import download
        from isocenter.client.selection import Selection

        return download(
            Selection(self.transport, self.dataset_name),
            self,
            folder,
            template,
            overwrite=overwrite,
            verify=verify,
            connections=connections,
            progress=progress,
        )

    def deidentify(
        self,
        profile: str = "basic",
        options: str | Iterable[str] = (),
        key: str = "default",
        rules: Rules | None = None,
        *,
        into: Archive | str | None = None,
        review: bool | None = None,
        **choices: Unpack[Choices],
    ) -> Plan:
        """A plan to de-identify its instances (PS3.15 Annex E): to preview, to review, to run or to export.

        ::

            plan = cohort.deidentify(options=["modified-dates"], key="study-42").preview()
            plan.review()
            cohort.export("out/", deidentify=plan)

        Nothing happens before the plan is asked for something. What is not given has the server's default,
        which is the one that cannot leak. A frame is asked again each time: freeze it for a plan that stays
        the same.

        Args:
            profile: `basic`.
            options: of the profile: `modified-dates`, `clean-descriptors`, `clean-pixel-data` ….
            key: name of the key in the server, from which pseudonyms and dates follow: `archive.deid.keys()`.
            rules: on top of the profile: a TOML file, or what it says as a dictionary.
            into: the dataset of the same server that results are stored into, in place of a download.
            review: hold results until somebody has accepted them.
            choices: `pixel_rules` (what is blacked out, as `rules`), `birth_date` (`empty`, `year`, `shift`),
                `times` of day where dates stay (`keep`, `drop`), `documents` (`refuse`, `drop`, `keep`),
                `pixels` that nobody cleared and results with a `residual` (`quarantine`, `keep`), `trial`
                (Clinical Trial attributes by keyword), `pattern` (of pseudonyms), `weeks` (dates move by
                whole ones), `faces` (kept back), `trust_burned_in`, `ocr`.

        Raises:
            BadRequest: no such option or choice; the nearest is named.
            NotFound: no such file of rules.
        """
        from isocenter.client.deid import plan_of

        how = {"options": options, "key": key, "rules": rules, **choices}
        return plan_of(self, self, profile, into=into, review=review, **how)

    def export(
        self,
        folder: str | os.PathLike[str],
        format: str = "dicom",
        *,
        deidentify: Plan | None = None,
        overwrite: bool = False,
        progress: bool | Callable[[int, int], None] = True,
    ) -> Exported:
        """Its instances as files in a folder, made by a job of the server: by a plan, or as they are.

        Args:
            folder: made when it is not there. Files that are there already are left as they are.
            format: `dicom`.
            deidentify: how (`deidentify()`); None exports the originals.
            overwrite: replace files of the same names that are other ones.
            progress: shown, or a function called with what is done and what there is.

        Raises:
            Conflict: the results are held until somebody has accepted them; how is said. Then call it again.
            BadRequest: no such format; other files of these names are there; or it is more than 10,000
                instances that are not frozen.
        """
        from isocenter.client.export import export

        return export(
            self.transport,
            self.dataset_name,
            self,
            folder,
            format,
            deidentify,
            overwrite=overwrite,
            progress=progress,
        )
