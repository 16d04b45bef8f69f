"""The rows of ``sharegpt``, whose videos hold the judge's own frames and no others: the programs that read them
choose the frames of a video by other rules than a judge's engine does."""

from __future__ import annotations

from dataclasses import replace

from backend.export.formats.sharegpt import SHAREGPT

SHAREGPT_FRAMES = replace(
    SHAREGPT,
    name="sharegpt-frames",
    label="ShareGPT, with the very frames that the judge saw",
    purpose="ShareGPT rows with videos of the very frames that the judge was shown.",
    frames=True,
)
