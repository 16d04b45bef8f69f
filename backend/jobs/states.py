"""The states of a job; they are vocabulary, so they live in the domain."""

from __future__ import annotations

from backend.domain.jobs import ACTIVE, OPEN, RESUMABLE, TRANSITIONS, JobStatus, can_move

__all__ = ["ACTIVE", "OPEN", "RESUMABLE", "TRANSITIONS", "JobStatus", "can_move"]
