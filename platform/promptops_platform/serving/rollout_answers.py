"""The prepared responses of a rollout, and the choice between them for a subject."""

import hashlib
from typing import Any, NamedTuple, Self

from promptops_platform.prompts.schemas import ServedPrompt
from promptops_platform.rollouts.bucketing import bucket_of, choice, drawn_bucket, ends_of
from promptops_platform.rollouts.schemas import RunningRollout
from promptops_platform.serving.answer import answer_body, encoded, variant_object


class Answer(NamedTuple):
    """A body and the ETag that identifies it."""

    body: bytes
    etag: bytes

    @classmethod
    def of(cls, served: ServedPrompt, variant: str | None = None) -> Self:
        """Return the response to a fetch; for a variant of a rollout it also contains the
        variant."""
        more = {} if variant is None else {"variant": variant}
        return cls.with_etag(answer_body(served, **more))

    @classmethod
    def with_etag(cls, body: bytes) -> Self:
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'.encode())

    def explained(self, explanation: dict[str, Any]) -> "Answer":
        """Return this response with the reason for it."""
        return Answer.with_etag(self.body[:-1] + b',"explanation":' + encoded(explanation) + b"}")


class Assignment(NamedTuple):
    """The variant of a fetch, and the bucket that selected it."""

    variant: str
    bucket: int
    answer: Answer


class RolloutAnswers(NamedTuple):
    """The responses for a running rollout's variants, in order."""

    salt: str
    ends: tuple[int, ...]
    names: tuple[str, ...]
    answers: tuple[Answer, ...]
    # The whole rollout, for clients that assign subjects themselves.
    whole: bytes

    @classmethod
    def of(cls, rollout: RunningRollout) -> Self:
        variants = rollout.variants
        return cls(
            salt=rollout.salt,
            ends=ends_of(variant.weight for variant in variants),
            names=tuple(variant.name for variant in variants),
            answers=tuple(Answer.of(variant.served, variant.name) for variant in variants),
            whole=encoded(
                {
                    "salt": rollout.salt,
                    "variants": [
                        variant_object(variant.name, variant.weight, variant.served)
                        for variant in variants
                    ],
                }
            ),
        )

    def assign(self, subject: str | None) -> Assignment:
        """Assign a variant: the same subject always gets the same one; without a subject it is
        drawn."""
        bucket = drawn_bucket() if subject is None else bucket_of(self.salt, subject)
        index = choice(self.ends, bucket)
        return Assignment(self.names[index], bucket, self.answers[index])

    def explained(self, subject: str | None) -> Answer:
        """Like `assign`, with the reason in the response."""
        assigned = self.assign(subject)
        return assigned.answer.explained(
            {
                "reason": "rollout",
                "variant": assigned.variant,
                "bucket": assigned.bucket,
                "subject": subject,
                "salt": self.salt,
            }
        )
