"""DELETE of studies, series and instances, and 410 for who asks for them afterwards.

PS3.18 has no transaction for it, though it names the status (8.5); servers in use agree on the path that
retrieves. Rows go at once, objects stay while a snapshot needs them. Not here: worklist items, which end by
their state.
"""

from __future__ import annotations

from isocenter.dicomweb.handler import DicomwebHandler
from isocenter.dicomweb.lookup import absent


class DeleteHandler(DicomwebHandler):
    """Delete what the path names; its class says who may (`Action.CURATE`)."""

    async def delete(self, **_path: str) -> None:
        """204 when it is gone; 404 when it never was, 410 when it was deleted before."""
        target, dataset = self.target, self.dataset()
        level = target.level
        assert level is not None
        uid = target.uids[level.unique_key]
        upper = {"study": target.study if uid != target.study else "", "series": ""}
        if target.instance:
            upper["series"] = target.series
        deleted = await self.context.short(dataset.delete, level, uid, **upper)
        if not deleted.instances:
            raise await self.context.short(absent, dataset, target)
        self.set_status(204)
