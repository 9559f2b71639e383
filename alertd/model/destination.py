"""A destination: one configured endpoint of a destination type, with its queue, retries and breaker."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints

from alertd.model.fields import Count, PositiveSeconds, Resource, Seconds, Slug, Title

TemplateText = Annotated[str, StringConstraints(min_length=1, max_length=16_384)]
R = TypeVar("R", bound=Resource)


class QueueOptions(Resource):
    """A lane's bounds."""

    capacity: Count = Field(1000, description="deliveries in memory; the rest waits in the store")
    concurrency: Count = Field(8, description="attempts at the same time")
    rate_per_second: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="attempts a second; not set: what the type's provider asks for; null, of one destination: unlimited",
    )
    spill_max: Count | None = Field(
        None, description="deliveries that may wait; those beyond it come together in one digest; null: unlimited"
    )


class RetryOptions(Resource):
    """When a delivery is attempted again, and when no more."""

    max_attempts: Count = 12
    initial_seconds: PositiveSeconds = 5
    factor: Annotated[float, Field(ge=1)] = 2
    max_seconds: PositiveSeconds = 3600
    jitter: Literal["full", "none"] = "full"
    give_up_after_seconds: PositiveSeconds = 86400
    retry_after_max_seconds: PositiveSeconds = 86400

    @property
    def counts_refusals(self) -> bool:
        """Whether an attempt that came too soon is one of `max_attempts`: a limit of one's own is kept to.

        The default is the same written or not: a copy of the full configuration changes nothing.
        """
        return self.max_attempts != type(self).model_fields["max_attempts"].default  # type: ignore[no-any-return]  # pydantic's Any

    def used_up(self, attempts: int, refused: int) -> bool:
        """Whether no more attempts are made after so many, `refused` of which came too soon for the receiver."""
        return attempts - (0 if self.counts_refusals else refused) >= self.max_attempts


class BreakerOptions(Resource):
    """When a lane stops trying: after `failures` in a row, for `cool_seconds`, then one probe."""

    failures: Count = 10
    cool_seconds: Seconds = 30


class Templates(Resource):
    """What a user says in place of the built-in words, as jinja2 templates."""

    title: TemplateText | None = Field(None, description="the message's title; null: the built-in one")
    body: TemplateText | None = Field(None, description="the text below the title; null: the built-in one")


class Destination(Resource):
    """One configured endpoint. `settings` belongs to the type and is validated by it; queue, retry and breaker set here
    override the defaults of `delivery` field by field.
    """  # noqa: D205 - one thought, two lines

    name: Slug
    title: Title = ""
    type: str
    settings: dict[str, Any] = Field(default_factory=dict, repr=False)
    queue: QueueOptions = QueueOptions()
    retry: RetryOptions = RetryOptions()
    breaker: BreakerOptions = BreakerOptions()
    timeout_seconds: PositiveSeconds | None = Field(None, description="null: delivery.timeout_seconds")
    templates: Templates = Field(
        Templates(), description="titles and bodies in one's own words, for types that write to people"
    )
    per_subscription: bool = Field(False, description="one delivery for each subscription that matched")
    enabled: bool = True


class DeliveryOptions(Resource):
    """The defaults of every destination (`delivery` in the configuration)."""

    queue: QueueOptions = QueueOptions()
    retry: RetryOptions = RetryOptions()
    breaker: BreakerOptions = BreakerOptions()
    timeout_seconds: PositiveSeconds = 10

    def for_destination(self, own: Destination) -> DeliveryOptions:
        """Lay a destination's own options over these defaults, field by field."""
        return DeliveryOptions(
            queue=_overlay(self.queue, own.queue),
            retry=_overlay(self.retry, own.retry),
            breaker=_overlay(self.breaker, own.breaker),
            timeout_seconds=self.timeout_seconds if own.timeout_seconds is None else own.timeout_seconds,
        )


def _overlay(base: R, own: R) -> R:
    return base.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})
