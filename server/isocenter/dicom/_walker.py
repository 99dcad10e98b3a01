"""The walk over encoded data elements (PS3.5 chapter 7), for every transfer syntax that is not compressed.

One grammar serves two ends. Walking a *file* it packs: the bytes of values over 1 KiB stay where they are
(they are not even read), the rest is kept in `parts`. Walking what was packed, it finds the same gaps again
by the same rule, and builds `Element`s whose offsets are those of the file. Runs of ordinary elements are
walked by the four small functions of `_elements`; `Walker` does all that is not ordinary.

Positions are `pos` in the buffer at hand; `pos + shift` is the offset in the file (in the inflated stream
of a deflated data set).
"""

from __future__ import annotations

from isocenter.dicom._elements import (
    LARGE,
    NOTHING,
    Buffer,
    Element,
    Pick,
    Pixels,
    Syntax,
    build_explicit,
    build_implicit,
    pick_explicit,
    pick_implicit,
)
from isocenter.dicom._heads import UNDEFINED, Head, read_head
from isocenter.dicom._limits import DEFAULT, Limits, UnreadableHeader
from isocenter.dicom._vr import EITHER, ITEM, ITEM_END, PIXEL_DATA, SEQUENCE_END
from isocenter.dicom._windows import Windows

_MARGIN = LARGE + 16
_ENDLESS = 1 << 62
_PIXEL_REPRESENTATION = 0x00280103
_PROBLEMS = 50


Items = list[list[Element]]


class Walker:
    """One walk over one data set.

    Args:
        buffer: the bytes at hand.
        start: the offset of `buffer[0]` in the file.
        end: the offset where the data set ends, None when not known yet.
        windows: the source of further bytes; None when `buffer` is all there is.
        packed: whether `buffer` has its large values left out already.
    """

    def __init__(
        self,
        buffer: Buffer,
        start: int,
        end: int | None,
        *,
        windows: Windows | None = None,
        packed: bool = False,
        limits: Limits = DEFAULT,
    ) -> None:
        self.buffer = buffer
        self.shift = start
        self.end = _ENDLESS if end is None else end
        self.windows = windows
        self.packed = packed
        self.limits = limits
        self.keep = 0
        self.kept = 0
        self.parts: list[bytes] = []
        self.count = 0
        self.problems: list[str] = []
        self.pixels: Pixels | None = None
        self.wanted = NOTHING
        self.verbatim = False
        self.picks: list[Pick] = []
        self.unsettled: list[tuple[list[Element], int]] = []

    # --- levels ---------------------------------------------------------------------------------

    def level(
        self,
        pos: int,
        bound: int,
        syntax: Syntax,
        depth: int,
        out: list[Element] | None,
        is_open: bool = False,
    ) -> int:
        """Walk the elements of a data set or item from `pos` to the offset `bound`.

        `is_open` says that an item delimiter ends it earlier. `out` collects elements; without it only the
        wanted ones of the top level are picked. Returns the position behind it.
        """
        unsettled = len(self.unsettled)
        while True:
            pos = self._run(pos, bound, syntax, depth, out)
            pos = self._supply(pos)
            bound = min(bound, self.end)
            room = bound - self.shift - pos
            if room < 8 or pos + 8 > len(self.buffer):
                pos = self._finish(pos, room, is_open)
                break
            head = read_head(self.buffer, pos, syntax, self.problem)
            if head is None:
                self.problem("an element header is cut off", pos)
                pos = self._gap(pos, bound - self.shift - pos)
                break
            if head.tag >> 16 == 0xFFFE:
                ended = self._delimiter(head, pos, bound, depth, is_open)
                if ended is not None:
                    pos = ended
                    break
                pos = head.start
                continue
            if depth == 0 and self._stops(head):
                break
            pos = self._unusual(head, bound, depth, out)
        self._settle(unsettled, out, depth)
        return pos

    def _run(self, pos: int, bound: int, syntax: Syntax, depth: int, out: list[Element] | None) -> int:
        """Walk over ordinary elements, as far as they go."""
        stop = min(len(self.buffer), bound - self.shift)
        budget = self.limits.elements - self.count
        if out is not None:
            before = len(out)
            build = build_explicit if syntax.explicit else build_implicit
            pos = build(self.buffer, pos, stop, self.shift, syntax, out, budget)
            self.count += len(out) - before
        else:
            wanted = self.wanted if depth == 0 else NOTHING
            pick = pick_explicit if syntax.explicit else pick_implicit
            pos, walked = pick(self.buffer, pos, stop, self.shift, syntax, wanted, self.picks, budget)
            self.count += walked
        if self.count >= self.limits.elements:
            raise UnreadableHeader(f"The header has more than {self.limits.elements} elements")
        return pos

    def _finish(self, pos: int, room: int, is_open: bool) -> int:
        """The end of the bytes of a level."""
        if room > 0:
            self.problem(f"{room} bytes are left over", pos)
            return self._gap(pos, room)
        if is_open:
            self.problem("an item has no end", pos)
        return pos

    def _stops(self, head: Head) -> bool:
        """Whether the walk of the top level ends before this element."""
        if head.tag in PIXEL_DATA:
            length = None if head.length == UNDEFINED else head.length
            self.pixels = Pixels(head.tag, head.vr, head.start + self.shift, length)
            if length is not None and head.start + self.shift + length > self.end:
                self.problem("the Pixel Data is cut off", head.start)
            return True
        return False

    def _delimiter(self, head: Head, pos: int, bound: int, depth: int, is_open: bool) -> int | None:
        """What an item or delimiter tag among elements does: the new position if the level ends here."""
        if depth == 0 or head.tag not in (ITEM, ITEM_END, SEQUENCE_END):
            self.problem("a delimiter stands where none belongs", pos)
            self.count += 1
            return None
        if not is_open:
            self.problem("an item ends before its length", pos)
            return self._gap(head.start, bound - self.shift - head.start)
        if head.tag == ITEM_END:
            return head.start
        self.problem("an item has no end", pos)
        return pos

    # --- elements that are not ordinary -----------------------------------------------------------

    def _unusual(self, head: Head, bound: int, depth: int, out: list[Element] | None) -> int:
        """Walk over a sequence, a large value, or whatever else is not ordinary."""
        self.count += 1
        tag, vr, start, length, syntax = head
        room = bound - self.shift - start
        if tag < 0x00010000 and depth == 0:
            # Zeros behind the last element, as some archives pad files: commands are never in a data set.
            self.problem("the data set is followed by something else", start)
            return self._gap(start, room)
        if length == UNDEFINED:
            if vr == "SQ":
                return self._sequence(head, None, bound, depth, out)
            return self._encapsulated(head, bound, depth, out)
        if length > room:
            self.problem(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is longer than what holds it", start)
            if vr != "SQ":
                # A part of a value is no value.
                return self._gap(start, room)
            length = room
        if vr == "SQ":
            return self._sequence(head, start + self.shift + length, bound, depth, out)
        offset = start + self.shift
        if length > LARGE:
            pos, value = self._gap(start, length), None
        else:
            pos = start + length
            value = self.buffer[start:pos]
        self._emit(Element(tag, vr, value, offset, length, None, syntax.big), depth, out)
        return pos

    def _sequence(
        self, head: Head, end: int | None, bound: int, depth: int, out: list[Element] | None
    ) -> int:
        """Walk the items of a sequence that ends at the offset `end`, or by its delimiter."""
        tag, _, pos, length, syntax = head
        offset = pos + self.shift
        items: Items | None = None
        # Nothing in a small sequence can be large: its bytes stay as they are, however broken.
        small = end is not None and length <= LARGE
        if out is not None or (depth == 0 and tag in self.wanted.tags):
            items = []
        elif end is not None and small and depth + length // 16 < self.limits.depth:
            # Its elements are counted as if there were as many as may be.
            self.count += length // 8
            return end - self.shift
        if depth + 1 > self.limits.depth:
            raise UnreadableHeader(f"Sequences are nested deeper than {self.limits.depth}")
        outer, self.verbatim = self.verbatim, self.verbatim or small
        pos, end = self._items(pos, end, bound, syntax, depth + 1, items)
        self.verbatim = outer
        self._emit(Element(tag, "SQ", None, offset, end - offset, items, syntax.big), depth, out)
        return pos

    def _items(
        self, pos: int, end: int | None, bound: int, syntax: Syntax, depth: int, items: Items | None
    ) -> tuple[int, int]:
        """The position behind the items, and the offset at which they end."""
        limit = bound if end is None else end
        while True:
            pos = self._supply(pos)
            limit = min(limit, self.end)
            here = pos + self.shift
            if end is not None and here >= end:
                return pos, end
            if here + 8 > limit or pos + 8 > len(self.buffer):
                self.problem("a sequence is cut off", pos)
                return self._abandon(pos, limit), min(limit, here)
            group, element, length = syntax.item.unpack_from(self.buffer, pos)
            tag = group << 16 | element
            if tag == SEQUENCE_END:
                if end is None:
                    return pos + 8, here
                return self._gap(pos + 8, end - here - 8), here
            if tag == ITEM_END:
                pos += 8
                continue
            if tag != ITEM:
                self.problem("a sequence holds something that is no item", pos)
                # What was looked at is kept, so that it is found again when it is unpacked.
                return self._abandon(pos + 8, limit), min(limit, here)
            self.count += 1
            pos = self._item(pos + 8, length, limit, syntax, depth, items)

    def _item(
        self, pos: int, length: int, limit: int, syntax: Syntax, depth: int, items: Items | None
    ) -> int:
        """Walk one item; returns the position behind it."""
        elements: list[Element] | None = None
        if items is not None:
            elements = []
            items.append(elements)
        if length == UNDEFINED:
            return self.level(pos, limit, syntax, depth, elements, is_open=True)
        bound = pos + self.shift + length
        if bound > limit:
            self.problem("an item is longer than its sequence", pos)
            bound = limit
        return self.level(pos, bound, syntax, depth, elements)

    def _encapsulated(self, head: Head, bound: int, depth: int, out: list[Element] | None) -> int:
        """Walk over fragments (PS3.5 A.4) that are not the top level's Pixel Data."""
        tag, vr, pos, _, syntax = head
        offset = pos + self.shift
        while True:
            pos = self._supply(pos)
            bound = min(bound, self.end)
            here = pos + self.shift
            if here + 8 > bound or pos + 8 > len(self.buffer):
                self.problem("a value of undefined length has no end", pos)
                return self._abandon(pos, bound)
            group, element, length = syntax.item.unpack_from(self.buffer, pos)
            found = group << 16 | element
            if found == SEQUENCE_END:
                break
            if found != ITEM or length > bound - here - 8:
                self.problem("a value of undefined length has no end", pos)
                return self._abandon(pos + 8, bound)
            pos = self._gap(pos + 8, length) if length > LARGE else pos + 8 + length
            self.count += 1
        self._emit(Element(tag, vr, None, offset, here - offset, None, syntax.big), depth, out)
        return pos + 8

    def _emit(self, element: Element, depth: int, out: list[Element] | None) -> None:
        if out is not None:
            if element.vr == EITHER:
                self.unsettled.append((out, len(out)))
            out.append(element)
        elif depth == 0 and element.tag in self.wanted.tags:
            self.picks.append(element)

    def _settle(self, since: int, out: list[Element] | None, depth: int) -> None:
        """Choose between US and SS by Pixel Representation, of this level or of one around it."""
        if out is None or len(self.unsettled) == since:
            return
        told = next((e.value for e in out if e.tag == _PIXEL_REPRESENTATION and e.value), None)
        if told is None and depth:
            return
        vr = "SS" if told and any(told) else "US"
        for elements, index in self.unsettled[since:]:
            elements[index] = elements[index]._replace(vr=vr)
        del self.unsettled[since:]

    # --- bytes ------------------------------------------------------------------------------------

    def _supply(self, pos: int) -> int:
        """Make sure that the next ordinary element is in the buffer, or all that is left is."""
        if self.windows is None or pos + _MARGIN <= len(self.buffer):
            return pos
        self._store(pos)
        return self._load(pos + self.shift)

    def _load(self, offset: int) -> int:
        windows = self.windows
        assert windows is not None
        self.buffer = windows.at(offset)
        self.shift, self.keep = offset, 0
        if windows.size is not None:
            self.end = min(self.end, windows.size)
            if offset + len(self.buffer) >= windows.size:
                self.windows = None
        return 0

    def _store(self, pos: int) -> None:
        if not self.packed and pos > self.keep:
            self.parts.append(self.buffer[self.keep : pos])
            self.kept += pos - self.keep
            if self.kept > self.limits.header:
                raise UnreadableHeader(f"The header is larger than {self.limits.header} bytes")

    def _gap(self, pos: int, length: int) -> int:
        """Leave out `length` bytes from `pos`; returns the position behind them."""
        if length <= 0 or self.verbatim:
            return pos + max(length, 0)
        if self.packed:
            self.shift += length
            return pos
        self._store(pos)
        if pos + length <= len(self.buffer):
            self.keep = pos + length
            return self.keep
        if self.windows is not None:
            return self._load(pos + self.shift + length)
        self.keep = len(self.buffer)
        return self.keep

    def _abandon(self, pos: int, bound: int) -> int:
        """Give up the rest of what ends at the offset `bound`."""
        return self._gap(pos, min(bound, self.end) - self.shift - pos)

    def finish(self, pos: int) -> bytes:
        """The packed bytes, after a walk that ended at `pos`."""
        self._store(pos)
        return b"".join(self.parts)

    def problem(self, text: str, pos: int) -> None:
        """Note what is wrong, without any value."""
        if len(self.problems) < _PROBLEMS:
            self.problems.append(f"{text} (offset {pos + self.shift})")
