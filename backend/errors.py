"""Every error that a person can cause or meet.

::

    WinnowError                 one line and a hint, which the CLI and the pages word
    ├── UsageError              the request itself makes no sense (exit code 2)
    ├── SettingsError           an environment variable or a settings file
    ├── DatasetError            a source, a file or its rows
    ├── MediaError              one image or video: missing, broken, refused
    ├── EngineError             a model could not be loaded or could not answer
    │   ├── EngineUnavailable   the engine's package is not installed, or no device for it
    │   └── EngineHung          it gives no sign of life any more
    ├── StoreError              the workspace's database
    │   ├── NewerWorkspace      made by a newer Winnow
    │   └── StoreUnavailable    away or busy just now; what was asked can be asked again
    ├── NotFound                no such dataset, run, prediction or set
    ├── RunError                a run is in the wrong state, or somebody else's
    ├── PolicyError             a filter policy that cannot be read
    ├── ReviewError             a ruling that cannot be recorded
    ├── ExportError             an export that cannot be written
    ├── TrainingError           a training that cannot start, or had to stop
    │   └── TrainerUnavailable  the trainer's package, checkout or interpreter is missing
    ├── Forbidden               this person's role does not allow that
    └── DemoError               the demo's files or its judge
"""

from __future__ import annotations

from backend.foreign_text import one_line
from backend.hints import LONGEST, Field, Hint


class WinnowError(Exception):
    """An error with a one-line message and, where there is one, the way on.

    Both are one line of :data:`LONGEST` characters at most, in which nothing acts on a terminal: they
    are printed, logged, stored and shown. What a message quotes of foreign text is shorter
    (:func:`~backend.foreign_text.quoted`, :func:`~backend.foreign_text.brief`), so that its own words
    stay; the path of a file or a folder may fill it.

    Args:
        message: One line, without a trailing full stop; says what is wrong and where.
        hint: What to do about it: one line, or words that refer to options and actions.
        about: The option whose value is refused; it is named before the message.

    Attributes:
        problem: The message alone.
    """

    def __init__(self, message: str, *, hint: Hint | str | None = None, about: Field | None = None) -> None:
        self.problem = one_line(message, LONGEST)
        self.about = about
        self.message = self.problem if about is None else one_line(f"{about}: {message}", LONGEST)
        self.hint = one_line(hint, LONGEST) if isinstance(hint, str) else hint
        super().__init__(self.message)

    @property
    def line(self) -> str:
        """Message and hint, for a log."""
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __str__(self) -> str:
        return self.message


class UsageError(WinnowError):
    """The request itself makes no sense."""


class SettingsError(WinnowError):
    """An environment variable or a settings file cannot be used."""


class DatasetError(WinnowError):
    """A dataset's source, file or rows cannot be used."""


class MediaError(WinnowError):
    """One image or video is missing, broken or refused."""


class EngineError(WinnowError):
    """A model could not be loaded, or could not answer."""


class EngineUnavailable(EngineError):
    """The engine's package is not installed, or there is no device for it."""


class EngineHung(EngineError):
    """The engine gives no sign of life any more."""


class StoreError(WinnowError):
    """The workspace's database cannot be used."""


class NewerWorkspace(StoreError):
    """The workspace was made by a newer Winnow."""


class StoreUnavailable(StoreError):
    """The workspace's database is away or busy just now; what was asked can be asked again."""


class NotFound(WinnowError):
    """There is no such dataset, run, prediction or set."""


class RunError(WinnowError):
    """A run is in the wrong state for what was asked."""


class PolicyError(WinnowError):
    """A filter policy cannot be read."""


class ReviewError(WinnowError):
    """A ruling cannot be recorded."""


class ExportError(WinnowError):
    """An export cannot be written."""


class TrainingError(WinnowError):
    """A training cannot start, or had to stop."""


class TrainerUnavailable(TrainingError):
    """The trainer's package, checkout or interpreter is missing."""


class Forbidden(WinnowError):
    """This person's role does not allow that."""


class DemoError(WinnowError):
    """The demo's files or its judge cannot be used."""
