"""Which contracts did a run stand on? One hash a part, joined to the version a run keeps."""

from __future__ import annotations

PARTS = ("tables", "measures", "sentences", "lenses", "settings of care", "models in use")
_WHOLE = "some of them"


def joined(fingerprints: dict[str, str]) -> str:
    """Return the version of all parts; every part must be there.

    Raises
    ------
    KeyError
        If a part is missing.
    """
    return ".".join(fingerprints[name] for name in PARTS)


def parts_of(version: str) -> dict[str, str]:
    """Return the hash of every part; a version of before, with other parts, stays whole."""
    hashes = version.split(".")
    if len(hashes) != len(PARTS):
        return {_WHOLE: version}
    return dict(zip(PARTS, hashes, strict=True))


def changed_parts(now: str, before: str) -> list[str]:
    """Return which parts two versions differ in, in words where only the whole can be compared.

    Examples
    --------
    >>> changed_parts("t.m.s.l1.c.none", "t.m.s.l2.c.none")
    ['lenses']
    >>> changed_parts("t.m.s.l1.c.none", "t.m.s.l1.c")
    ['some of them']
    """
    if now == before:
        return []
    new, old = parts_of(now), parts_of(before)
    if new.keys() != old.keys():
        return [_WHOLE]
    return [name for name in new if new[name] != old[name]]
